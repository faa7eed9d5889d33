/** Everything. */
#ifndef RUNCU_RUNCU_H
#define RUNCU_RUNCU_H

#include "array.h"
#include "base.h"
#include "bundle.h"
#include "cache.h"
#include "context.h"
#include "copy.h"
#include "device.h"
#include "diagnose.h"
#include "error.h"
#include "explain.h"
#include "graph.h"
#include "interop.h"
#include "launch.h"
#include "link.h"
#include "memory.h"
#include "mempool.h"
#include "module.h"
#include "pool.h"
#include "program.h"
#include "reload.h"
#include "stream.h"
#include "texture.h"
#include "variable.h"
#include "vmm.h"

#endif

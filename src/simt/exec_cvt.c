/* Vector functions of conversions: the rows of unit cvt in micro.def.
 * No code of its own; compiled once for each instruction set. */
#define EMIT_cvt(...) __VA_ARGS__
#include "simt/bits.h"
#include "simt/exec.h"
#include "simt/micro.def"

/* Declares the exec functions of the build that is being compiled: SIMT_ISA names it. */
#ifndef SIMT_ISA_H
#define SIMT_ISA_H

#include "simt/gang.h"

#define OP1(name, ...) simt_exec SIMT_X(name);
#define OP0 OP1
#define OP2 OP1
#define OP3 OP1
#define OP4 OP1
#define OPX OP1
#include "simt/micro.def"
#undef OP0
#undef OP1
#undef OP2
#undef OP3
#undef OP4
#undef OPX

#endif

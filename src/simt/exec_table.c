/* One build's function pointers, by operation. Compiled once for each build: SIMT_ISA_TEXT is
 * what users call it. */
#include "simt/builds.h"
#include "simt/isa.h"

#define OP1(name, ...) [SIMT_OP_##name] = SIMT_X(name),
#define OP0 OP1
#define OP2 OP1
#define OP3 OP1
#define OP4 OP1
#define OPX OP1

const struct simt_ops SIMT_X(table) = {
    .isa = SIMT_ISA_TEXT,
    .fn =
        {
#include "simt/micro.def"
        },
};

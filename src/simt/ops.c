/* Which build of the exec files runs, and the names of operations. */
#include "simt/builds.h"

#include <stdlib.h>
#include <string.h>

#include "simt/simt.h"

const char *const simt_op_names[SIMT_OPS] = {
#define OP1(name, ...) #name,
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
};

const struct simt_ops *simt_ops_of(const char *isa)
{
#define ISA(name, text, has)                       \
    if ((!isa || strcmp(isa, text) == 0) && (has)) \
        return &SIMT_PASTE(table, name);
    SIMT_ISAS(ISA)
#undef ISA
    return NULL;
}

const struct simt_ops *simt_ops(void)
{
    const char *isa = getenv("RUNCU_CPU_ISA");
    const struct simt_ops *ops = isa ? simt_ops_of(isa) : NULL;
    return ops ? ops : simt_ops_of(NULL);
}

const char *simt_isa(void)
{
    return simt_ops()->isa;
}

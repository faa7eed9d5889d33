/* What indirect calls may reach. */
#ifndef SIMT_TAKEN_H
#define SIMT_TAKEN_H

#include "base/vec.h"
#include "ptx/ir.h"

struct simt_taken {
    const struct ptx_func **at;
    size_t len, cap;
};

/* Appends the functions whose address is taken to a list that vec_fini frees. False when memory is
 * short. */
bool simt_taken_find(struct simt_taken *out, const struct ptx_module *m);
/* Does the instruction call by address? */
bool simt_is_indirect(const struct ptx_insn *in);

#endif

/* Inside the layer: a module's variables in memory, and its lowered kernels. */
#ifndef SIMT_MODULE_H
#define SIMT_MODULE_H

#include "simt/code.h"
#include "simt/lower.h"
#include "simt/simt.h"
#include "simt/taken.h"

/* A .shared variable in a block's arena. */
struct simt_shared {
    const struct ptx_var *var;
    size_t offset;
};

struct simt_kernel {
    struct simt_kernel *next;  /* of the module */
    struct simt_module *module;
    const struct ptx_func *func;
    struct arena arena;        /* holds what `code` points to */
    struct simt_code code;
    struct simt_kernel_info info;
    const struct simt_shared *shared; /* what the kernel and all it can reach use; module.c's own */
    uint32_t shared_count;
};

/* What its indirect calls may reach. */
const struct simt_taken *simt_module_taken(const struct simt_module *m);

struct simt_space *simt_module_space(const struct simt_module *m);

/* Offset of a .shared variable in a block's arena: module-scope ones and those of functions, static
 * ones first; unsized ones (dynamic shared memory) all stand at the kernel's static size, rounded
 * up to 16. */
size_t simt_module_shared_offset(const struct simt_kernel *k, const struct ptx_var *var);

/* The address of a function as kernels see it (in tables of function pointers, by mov): the same in
 * every kernel of the module. Never 0; code must look it up, not follow it. */
static inline uint64_t simt_func_address(const struct ptx_func *func)
{
    return (uint64_t) (uintptr_t) func;
}

/* lower.c: lowers the function and all it can reach into k->code and k->info. -1: message says why.
 * */
int simt_lower(struct simt_kernel *k, struct str *message);

#endif

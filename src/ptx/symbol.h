/* Tables and records that ir.h keeps to the layer. */
#ifndef PTX_SYMBOL_H
#define PTX_SYMBOL_H

#include "ptx/ir.h"

/* A value of ptx_module.symbols: one of the two. */
struct ptx_symbol {
    struct ptx_func *func;
    struct ptx_var *var;
};

struct ptx_sreg_info {
    uint8_t type, vector;
};
extern const struct ptx_sreg_info ptx_sregs[PTX_SREGS];
extern const char *const ptx_mod_groups[PTX_MODS];

#endif

/* The tables of the layer, and finding things in a module. */
#include "ptx/ir.h"

#include <string.h>

#include "ptx/ptx.h"
#include "ptx/symbol.h"

const struct ptx_type_info ptx_types[PTX_TYPES] = {
    {"", 0, PTX_UNTYPED},
#define TYPE(id, text, bits, kind) {text, bits, kind},
#include "ptx/type.def"
#undef TYPE
};

const char *const ptx_mod_names[PTX_MODS] = {
    "",
#define MOD(id, text, group) text,
#include "ptx/mod.def"
#undef MOD
};

const char *const ptx_mod_groups[PTX_MODS] = {
    "",
#define MOD(id, text, group) #group,
#include "ptx/mod.def"
#undef MOD
};

const char *const ptx_op_names[PTX_OPS] = {
    "",
#define OP(id, text) text,
#define FORM(...)
#include "ptx/insn.def"
#undef OP
#undef FORM
};

const char *const ptx_sreg_names[PTX_SREGS] = {
    "",
#define SREG(id, text, type, vector) text,
#include "ptx/sreg.def"
#undef SREG
};

const struct ptx_sreg_info ptx_sregs[PTX_SREGS] = {
    {0, 0},
#define SREG(id, text, type, vector) {PTX_##type, vector},
#include "ptx/sreg.def"
#undef SREG
};

const struct ptx_form ptx_forms[] = {
#define OP(id, text)
#define FORM(op, mods, types, operands, ptx, sm) {PTX_OP_##op, ptx, sm, mods, types, operands},
#include "ptx/insn.def"
#undef OP
#undef FORM
};

const size_t ptx_form_count = ARRAY_LEN(ptx_forms);

static struct ptx_symbol *find(const struct ptx_module *m, const char *name)
{
    return map_get(&m->symbols, name, strlen(name));
}

struct ptx_func *ptx_find_func(const struct ptx_module *m, const char *name)
{
    const struct ptx_symbol *s = find(m, name);
    return s ? s->func : NULL;
}

struct ptx_var *ptx_find_var(const struct ptx_module *m, const char *name)
{
    const struct ptx_symbol *s = find(m, name);
    return s ? s->var : NULL;
}

bool ptx_has(const struct ptx_insn *in, enum ptx_mod mod)
{
    for (unsigned i = 0; i < in->mod_count; i++)
        if (in->mods[i] == (uint16_t) mod)
            return true;
    return false;
}

void ptx_destroy(struct ptx_module **m)
{
    if (!*m)
        return;
    struct arena arena = (*m)->arena; /* the module itself lies in it */
    map_fini(&(*m)->symbols);
    arena_fini(&arena);
    *m = NULL;
}

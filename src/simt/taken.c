/* Functions whose address is taken, in code or in the initialiser of a variable: what an indirect
 * call may reach. */
#include "simt/taken.h"

static bool add(struct simt_taken *t, const struct ptx_func *f)
{
    if (!f || f->kind != PTX_FUNC || !f->defined)
        return true;
    for (size_t i = 0; i < t->len; i++)
        if (t->at[i] == f)
            return true;
    return vec_push(t, f);
}

static bool add_insn(struct simt_taken *t, const struct ptx_insn *in)
{
    bool ok = true;
    if (in->op == PTX_OP_CALL) { /* named by it, or by its list of targets */
        for (uint32_t i = 0; ok && in->prototype && i < in->prototype->target_count; i++)
            ok = add(t, in->prototype->targets[i]);
        return ok;
    }
    for (unsigned k = 0; ok && k < in->operand_count; k++)
        if (in->operands[k].kind == PTX_FUNCTION)
            ok = add(t, in->operands[k].func);
    return ok;
}

static bool add_var(struct simt_taken *t, const struct ptx_var *v)
{
    bool ok = true;
    for (size_t i = 0; ok && i < v->reloc_count; i++)
        ok = add(t, v->relocs[i].func);
    return ok;
}

bool simt_taken_find(struct simt_taken *out, const struct ptx_module *m)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < m->var_count; i++)
        ok = add_var(out, m->vars[i]);
    for (uint32_t f = 0; f < m->func_count; f++) {
        for (uint32_t i = 0; ok && i < m->funcs[f]->insn_count; i++)
            ok = add_insn(out, &m->funcs[f]->insns[i]);
        for (uint32_t i = 0; ok && i < m->funcs[f]->var_count; i++)
            ok = add_var(out, m->funcs[f]->vars[i]);
    }
    return ok;
}

bool simt_is_indirect(const struct ptx_insn *in)
{
    if (in->op != PTX_OP_CALL || !in->prototype)
        return false;
    for (unsigned i = 0; i < in->operand_count; i++)
        if (in->operands[i].kind == PTX_FUNCTION)
            return false;
    return true;
}

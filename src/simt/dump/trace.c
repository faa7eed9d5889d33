/* Lowered code as text, for people who debug the lowering: one line an operation, with the PTX line
 * it came from, the slots it names and, where it changes, the instruction itself. */
#include "simt/module.h"
#include "simt/rows.h"

/* A slot: w and p count columns and predicates; pairs of columns are named by their first. */
static void add_slot(struct str *out, unsigned bits, uint32_t slot)
{
    str_addf(out, " %s%u", bits == 1 ? "p" : bits == 64 ? "q" : "w", slot);
}

static void add_insn(struct str *out, const struct simt_insn *x)
{
    const struct simt_row *row = simt_row(x->op);
    const uint32_t at[5] = {x->d, x->a, x->b, x->c, x->e};
    str_add(out, simt_op_names[x->op]);
    if (!row->bits[0]) {
        str_addf(out, " d=%u a=%u b=%u c=%u e=%u f=%u imm=%lld x=%u,%u,%u,%u", x->d, x->a, x->b,
                 x->c, x->e, x->f, (long long) x->imm, x->x[0], x->x[1], x->x[2], x->x[3]);
        return;
    }
    for (unsigned i = 0; i <= row->sources; i++)
        add_slot(out, row->bits[i], at[i]);
    if (x->imm)
        str_addf(out, " #%lld", (long long) x->imm);
}

static void add_frame(struct str *out, const struct simt_code *code, const struct simt_frame *f)
{
    str_addf(out, "%s: %u columns, %u bytes of local memory a lane\n", f->func->name, f->columns,
             f->local_size);
    for (uint32_t i = 0; i < f->const_count; i++)
        str_addf(out, "    %s%u = 0x%llx\n", f->consts[i].wide ? "q" : "w", f->consts[i].slot,
                 (unsigned long long) f->consts[i].value);
    const struct ptx_insn *last = NULL;
    for (uint32_t pc = f->pc; pc < f->end; pc++) {
        const struct ptx_insn *in = code->where[pc];
        if (in && in != last) {
            str_addf(out, "%5u  ", in->line);
            ptx_print_insn(out, in);
            str_addc(out, '\n');
        }
        last = in;
        str_addf(out, "    %5u  ", pc);
        add_insn(out, &code->insns[pc]);
        str_addc(out, '\n');
    }
}

void simt_kernel_dump(const struct simt_kernel *k, struct str *out)
{
    for (uint32_t i = 0; i < k->code.frame_count; i++)
        add_frame(out, &k->code, &k->code.frames[i]);
}

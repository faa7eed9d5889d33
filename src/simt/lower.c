/* Lowering: a kernel's function and all it can reach become one array of operations on slots. This
 * file walks the functions and keeps slots, constants and messages; what an instruction becomes is
 * known to lower_alu.c, lower_mem.c and lower_ctl.c. */
#include "simt/lower.h"

#include <string.h>

#include "simt/module.h"

/* ---- messages ---- */

void lower_fail(struct lower *l, const char *format, ...)
{
    if (l->failed)
        return;
    l->failed = true;
    va_list args;
    va_start(args, format);
    str_vaddf(l->message, format, args);
    va_end(args);
}

void lower_unsupported(struct lower *l)
{
    const struct ptx_func *kernel = l->wanted.at[0];
    lower_fail(l,
               "kernel '%s' needs '%s' (line %u of its PTX), which the CPU device cannot execute",
               kernel->name, l->in->name, l->in->line);
}

static void no_memory(struct lower *l)
{
    lower_fail(l, "memory is short");
}

/* ---- slots ---- */

uint32_t lower_temp(struct lower *l, unsigned bits)
{
    const uint32_t column = l->columns;
    l->columns += bits > 32 ? 2 : 1;
    return bits == 1 ? column * 32 : column;
}

uint32_t lower_scratch(struct lower *l, unsigned bits, unsigned index)
{
    uint32_t *known = &l->scratch[bits == 1 ? 0 : bits > 32 ? 2 : 1][index];
    if (!*known)
        *known = lower_temp(l, bits) + 1;
    return *known - 1;
}

uint32_t lower_const(struct lower *l, uint64_t value, unsigned bits)
{
    const bool wide = bits > 32;
    if (bits == 1)
        value = value ? UINT32_MAX : 0;
    else if (!wide)
        value = (uint32_t) value;
    for (size_t i = 0; i < l->consts.len; i++) {
        const struct simt_const *c = &l->consts.at[i];
        if (c->value == value && c->wide == wide)
            return bits == 1 ? c->slot * 32 : c->slot;
    }
    const uint32_t slot = lower_temp(l, wide ? 64 : 32);
    if (!vec_push(&l->consts, (struct simt_const){slot, wide, value}))
        no_memory(l);
    return bits == 1 ? slot * 32 : slot;
}

/* The bits of a floating point constant in the width that is asked for. */
static uint64_t float_bits(const struct ptx_operand *o, unsigned bits)
{
    float f;
    double d;
    if (o->kind == PTX_F64IMM && bits == 32) {
        memcpy(&d, &o->value, sizeof d);
        f = (float) d;
        uint32_t u;
        memcpy(&u, &f, sizeof u);
        return u;
    }
    if (o->kind == PTX_F32IMM && bits == 64) {
        const uint32_t u = (uint32_t) o->value;
        memcpy(&f, &u, sizeof f);
        d = f;
        uint64_t w;
        memcpy(&w, &d, sizeof w);
        return w;
    }
    return o->value;
}

/* A register's slot; where its width is another, that of its low bits, or of itself extended by
 * zeros. */
static uint32_t register_src(struct lower *l, const struct ptx_operand *o, unsigned bits)
{
    const uint32_t slot = l->slots[o->reg->index];
    const unsigned own = ptx_types[o->reg->type].bits;
    if (o->component >= 0 || o->reg->vector > 1 || own > 64 || (own == 1) != (bits == 1)) {
        lower_unsupported(l);
        return slot;
    }
    enum simt_op op;
    if (bits == 1 && o->negated)
        op = SIMT_OP_NOT_PRED;
    else if (own == 64 && bits <= 32)
        op = SIMT_OP_CVT_U32_U64;
    else if (own <= 32 && bits == 64)
        op = own == 16 ? SIMT_OP_CVT_U64_U16 : SIMT_OP_CVT_U64_U32;
    else
        return slot;
    const uint32_t to = lower_temp(l, bits);
    struct simt_insn *x = lower_emit(l, op);
    x->d = to;
    x->a = slot;
    return to;
}

uint32_t lower_src(struct lower *l, const struct ptx_operand *o, unsigned bits)
{
    switch (o->kind) {
    case PTX_REGISTER:
        return register_src(l, o, bits);
    case PTX_INT:
        return lower_const(l, o->value, bits);
    case PTX_F32IMM:
    case PTX_F64IMM:
        return lower_const(l, float_bits(o, bits), bits);
    case PTX_FUNCTION:
        return lower_const(l, simt_func_address(o->func), bits);
    case PTX_SYMBOL:
        if (o->var->space == PTX_GLOBAL || o->var->space == PTX_CONST)
            return lower_const(l, lower_place(l, o->var).address + (uint64_t) o->offset, bits);
        break;
    default:
        break;
    }
    lower_unsupported(l);
    return 0;
}

/* Is the column of a register of `own` bits fit to be written as `bits`? Wide ones may take narrow
 * values. */
static bool can_hold(unsigned own, unsigned bits)
{
    return own <= 64 && (own == 1) == (bits == 1) && (own > 32 || bits <= 32);
}

uint32_t lower_dst(struct lower *l, const struct ptx_operand *o, unsigned bits)
{
    if (o->kind == PTX_SINK)
        return lower_scratch(l, bits, 3);
    if (o->kind == PTX_REGISTER && o->component < 0 && o->reg->vector <= 1 &&
        can_hold(ptx_types[o->reg->type].bits, bits))
        return l->slots[o->reg->index];
    lower_unsupported(l);
    return 0;
}

/* ---- code ---- */

struct simt_insn *lower_emit(struct lower *l, enum simt_op op)
{
    const struct simt_insn x = {.fn = l->ops->fn[op], .op = (uint16_t) op};
    if (vec_room(&l->where) && vec_push(&l->code, x)) {
        l->where.at[l->where.len++] = l->in;
        return &l->code.at[l->code.len - 1];
    }
    no_memory(l);
    l->spare = x;
    return &l->spare;
}

uint32_t lower_list(struct lower *l, const uint32_t *slots, uint32_t count)
{
    const uint32_t at = (uint32_t) l->lists.len;
    for (uint32_t i = 0; i < count; i++)
        if (!vec_push(&l->lists, slots[i])) {
            no_memory(l);
            break;
        }
    return at;
}

/* ---- functions ---- */

static void lower_insn(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    const bool skips = in->guard && in->op != PTX_OP_BRA;
    uint32_t skip = 0;
    lower_ctl_insn(l);
    if (!in->form) {
        lower_unsupported(l);
        return;
    }
    if (skips)
        skip = lower_skip(l, l->slots[in->guard->index], !in->guard_negated);
    if (!lower_ctl(l) && !lower_mem(l) && !lower_alu(l))
        lower_unsupported(l);
    if (skips)
        lower_land(l, skip);
}

/* A function's end is a return, if something can get there. */
static void lower_end(struct lower *l)
{
    l->index = l->func->insn_count;
    lower_ctl_insn(l);
    const uint16_t last = l->in ? l->in->op : PTX_OP_UNKNOWN;
    bool open = (last != PTX_OP_RET && last != PTX_OP_BRA && last != PTX_OP_EXIT) || l->in->guard;
    for (uint32_t i = 0; i < l->func->label_count; i++)
        open |= l->func->labels[i]->target == l->index;
    if (open)
        lower_emit(l, SIMT_OP_RET);
}

static uint32_t declared_bytes(const struct ptx_func *f)
{
    uint32_t bits = 0;
    for (uint32_t r = 0; r < f->reg_count; r++) {
        const uint32_t own = ptx_types[f->regs[r]->type].bits;
        bits += (own == 1 ? 1 : own <= 32 ? 32 : own) * f->regs[r]->vector;
    }
    return (bits + 7) / 8;
}

static void note_uses(struct simt_kernel_info *info, const struct ptx_func *f)
{
    for (uint32_t i = 0; i < f->insn_count; i++) {
        const uint16_t op = f->insns[i].op;
        info->has_barrier |= op == PTX_OP_BAR || op == PTX_OP_BARRIER;
        info->has_call |= op == PTX_OP_CALL;
    }
}

/* Appends the frame of the function just lowered. */
static void add_frame(struct lower *l, uint32_t pc)
{
    struct simt_frame f = {
        .func = l->func,
        .pc = pc,
        .end = (uint32_t) l->code.len,
        .columns = l->columns,
        .local_size = l->local_size,
        .const_count = (uint32_t) l->consts.len,
    };
    f.consts = arena_copy(l->arena, l->consts.at, l->consts.len * sizeof *l->consts.at);
    if (!f.consts || !vec_push(&l->frames, f))
        no_memory(l);
    l->consts.len = 0;
    l->carry = 0;
    memset(l->scratch, 0, sizeof l->scratch);
}

static void lower_func(struct lower *l, struct simt_kernel_info *info)
{
    const uint32_t pc = (uint32_t) l->code.len;
    if (lower_slots(l) != 0) {
        no_memory(l);
        return;
    }
    if (l->frames.len == 0) {
        info->slots_bytes = l->columns * 4;
        info->declared_bytes = declared_bytes(l->func);
    }
    note_uses(info, l->func);
    if (!lower_ctl_begin(l))
        return;
    for (l->index = 0; l->index < l->func->insn_count && !l->failed; l->index++) {
        l->in = &l->func->insns[l->index];
        lower_insn(l);
    }
    lower_end(l);
    add_frame(l, pc);
}

/* ---- kernels ---- */

/* Moves the finished code into the kernel's arena. */
static bool keep(struct simt_code *out, const struct lower *l)
{
    *out = (struct simt_code){
        .insns = arena_copy(l->arena, l->code.at, l->code.len * sizeof *l->code.at),
        .where = arena_copy(l->arena, l->where.at, l->where.len * sizeof *l->where.at),
        .count = (uint32_t) l->code.len,
        .frames = arena_copy(l->arena, l->frames.at, l->frames.len * sizeof *l->frames.at),
        .frame_count = (uint32_t) l->frames.len,
        .lists = arena_copy(l->arena, l->lists.at, l->lists.len * sizeof *l->lists.at),
        .list_count = (uint32_t) l->lists.len,
    };
    return out->insns && out->where && out->frames && out->lists;
}

static void lower_all(struct lower *l, struct simt_kernel *k)
{
    if (!vec_push(&l->wanted, k->func)) {
        no_memory(l);
        return;
    }
    for (size_t i = 0; i < l->wanted.len && !l->failed; i++) {
        l->func = l->wanted.at[i];
        l->in = NULL;
        lower_func(l, &k->info);
    }
    if (l->failed || !lower_ctl_end(l))
        return;
    k->info.local_bytes = l->frames.at[0].local_size;
    if (!keep(&k->code, l))
        no_memory(l);
}

int simt_lower(struct simt_kernel *k, struct str *message)
{
    struct lower l = {.module = k->module,
                      .ops = simt_ops(),
                      .kernel = k,
                      .arena = &k->arena,
                      .message = message};
    lower_all(&l, k);
    vec_fini(&l.code);
    vec_fini(&l.where);
    vec_fini(&l.consts);
    vec_fini(&l.lists);
    vec_fini(&l.frames);
    vec_fini(&l.wanted);
    return l.failed ? -1 : 0;
}

/* Lowering of arithmetic. Most instructions are one row of micro.def, found by their form; the rest
 * of this file is what takes several rows: moves of vectors, comparisons with a boolean operation,
 * carries, .sat and .ftz where no row has them. */
#include "simt/lower.h"
#include "simt/rows.h"

/* Slots of an operation: the result's, then the sources'. */
struct slots {
    uint32_t d, s[4];
};

static struct simt_insn *emit(struct lower *l, enum simt_op op, const struct slots *at)
{
    struct simt_insn *x = lower_emit(l, op);
    x->d = at->d;
    x->a = at->s[0];
    x->b = at->s[1];
    x->c = at->s[2];
    x->e = at->s[3];
    return x;
}

static void emit1(struct lower *l, enum simt_op op, uint32_t d, uint32_t a)
{
    emit(l, op, &(struct slots){d, {a}});
}

static void emit2(struct lower *l, enum simt_op op, uint32_t d, uint32_t a, uint32_t b)
{
    emit(l, op, &(struct slots){d, {a, b}});
}

static void emit3(struct lower *l, enum simt_op op, uint32_t d, const uint32_t s[3])
{
    emit(l, op, &(struct slots){d, {s[0], s[1], s[2]}});
}

static bool is_float(uint8_t type)
{
    return type == PTX_F32 || type == PTX_F64;
}

/* ---- one row ---- */

/* A result narrower than its register is extended to it (PTX ISA, "Operand Size Exceeding
 * Instruction-Type Size"). */
static void extend(struct lower *l, uint32_t d, uint32_t from, uint8_t type)
{
    emit1(l, ptx_types[type].kind == PTX_SIGNED ? SIMT_OP_CVT_S64_S32 : SIMT_OP_CVT_U64_U32, d,
          from);
}

/* What a form needs beside its row. */
struct around {
    bool saturate; /* the result */
    bool flush;    /* sources and result that are f32 */
};

/* The row of a form; without .sat or .ftz if only that way there is one. */
static enum simt_op find_row(struct around *out, const struct simt_form *form)
{
    struct simt_form f = *form;
    *out = (struct around){0};
    enum simt_op op = simt_row_find(&f);
    if (op == SIMT_OPS && f.type_count && is_float(f.types[0]) && simt_form_drop(&f, PTX_MOD_SAT)) {
        out->saturate = true;
        op = simt_row_find(&f);
    }
    if (op == SIMT_OPS && simt_form_drop(&f, PTX_MOD_FTZ)) {
        out->flush = true;
        op = simt_row_find(&f);
    }
    return op;
}

/* The type of source i of an instruction: conversions have their own, all others that of the
 * result. */
static uint8_t source_type(const struct ptx_insn *in)
{
    return in->op == PTX_OP_CVT || in->op == PTX_OP_SET ? in->types[1] : in->types[0];
}

/* Slots of the sources, which begin at operand `first`. */
static void sources(uint32_t *s, struct lower *l, const struct simt_row *row, unsigned first)
{
    for (unsigned i = 0; i < row->sources; i++)
        s[i] = lower_src(l, &l->in->operands[first + i], row->bits[1 + i]);
}

static void flush_sources(struct lower *l, uint32_t *s, const struct simt_row *row)
{
    if (source_type(l->in) != PTX_F32)
        return;
    for (unsigned i = 0; i < row->sources && i < 3; i++)
        if (row->bits[1 + i] == 32) {
            const uint32_t to = lower_scratch(l, 32, i);
            emit1(l, SIMT_OP_FTZ_F32, to, s[i]);
            s[i] = to;
        }
}

static bool one_row(struct lower *l, const struct simt_form *form)
{
    const struct ptx_insn *in = l->in;
    struct around around;
    const enum simt_op op = find_row(&around, form);
    const struct simt_row *row = op < SIMT_OPS ? simt_row(op) : NULL;
    /* One more operand than sources: the immediate. */
    if (!row || in->operand_count < 1u + row->sources || in->operand_count > 2u + row->sources)
        return false;
    const struct ptx_operand *more =
        in->operand_count > 1u + row->sources ? &in->operands[1 + row->sources] : NULL;
    if (more && more->kind != PTX_INT)
        return false;
    struct slots at = {0};
    sources(at.s, l, row, 1);
    if (around.flush)
        flush_sources(l, at.s, row);
    const struct ptx_operand *d = &in->operands[0];
    const uint32_t final = lower_dst(l, d, row->bits[0]);
    const bool widens =
        d->kind == PTX_REGISTER && ptx_types[d->reg->type].bits == 64 && row->bits[0] < 64;
    at.d = widens ? lower_scratch(l, 32, 3) : final;
    emit(l, op, &at)->imm = more ? (int64_t) more->value : 0;
    if (around.flush && in->types[0] == PTX_F32)
        emit1(l, SIMT_OP_FTZ_F32, at.d, at.d);
    if (around.saturate)
        emit1(l, in->types[0] == PTX_F32 ? SIMT_OP_SAT_F32 : SIMT_OP_SAT_F64, at.d, at.d);
    if (widens)
        extend(l, final, at.d, in->types[0]);
    return true;
}

/* ---- mov ---- */

/* A constant in a register needs no column of its own. */
static void fill(struct lower *l, uint32_t d, uint64_t value, unsigned bits)
{
    const enum simt_op op = bits == 1    ? SIMT_OP_FILL_PRED
                            : bits == 64 ? SIMT_OP_FILL_64
                                         : SIMT_OP_FILL_32;
    struct simt_insn *x = lower_emit(l, op);
    x->d = d;
    x->imm = (int64_t) value;
}

/* Is it a constant whose value is its bits in that width? */
static bool is_bits(const struct ptx_operand *o, unsigned bits)
{
    return o->kind == PTX_INT || (o->kind == PTX_F32IMM && bits == 32) ||
           (o->kind == PTX_F64IMM && bits == 64);
}

/* Copies one element; nothing, where the source's column has become the result's. */
static void copy(struct lower *l, const struct ptx_operand *d, const struct ptx_operand *s,
                 unsigned bits)
{
    if (d->kind == PTX_SINK)
        return;
    const uint32_t to = lower_dst(l, d, bits);
    if (is_bits(s, bits)) {
        fill(l, to, s->value, bits);
        return;
    }
    const uint32_t from = lower_src(l, s, bits);
    if (from != to)
        emit1(l,
              bits == 1    ? SIMT_OP_MOV_PRED
              : bits == 64 ? SIMT_OP_MOV_64
                           : SIMT_OP_MOV_32,
              to, from);
}

static void copy_all(struct lower *l, const struct ptx_operand *d, const struct ptx_operand *s,
                     unsigned bits)
{
    for (unsigned i = 0; i < d->count; i++)
        copy(l, &d->items[i], &s->items[i], bits);
}

/* {a, b, …} into one register of `bits`, low part first. */
static void pack(struct lower *l, const struct ptx_operand *d, const struct ptx_operand *s,
                 unsigned bits)
{
    const unsigned part = bits / s->count;
    uint32_t at[4], to = lower_dst(l, d, bits);
    for (unsigned i = 0; i < s->count; i++)
        at[i] = lower_src(l, &s->items[i], part);
    if (s->count == 2) {
        emit2(l,
              part == 8    ? SIMT_OP_PACK_8
              : part == 16 ? SIMT_OP_PACK_16
                           : SIMT_OP_PACK_32,
              to, at[0], at[1]);
        return;
    }
    const uint32_t low = lower_scratch(l, 32, 0), high = lower_scratch(l, 32, 1);
    const enum simt_op half = part == 8 ? SIMT_OP_PACK_8 : SIMT_OP_PACK_16;
    emit2(l, half, low, at[0], at[1]);
    emit2(l, half, high, at[2], at[3]);
    emit2(l, part == 8 ? SIMT_OP_PACK_16 : SIMT_OP_PACK_32, to, low, high);
}

/* One register of `bits` into {a, b, …}. The first part goes last, because it may be where the
 * source stands. */
static void unpack(struct lower *l, const struct ptx_operand *d, const struct ptx_operand *s,
                   unsigned bits)
{
    const unsigned part = bits / d->count;
    uint32_t from = lower_src(l, s, bits);
    if (bits <= 32) {
        emit1(l, SIMT_OP_MOV_32, lower_scratch(l, 32, 0), from);
        from = lower_scratch(l, 32, 0);
    }
    for (unsigned i = 0; i < d->count; i++) {
        if (d->items[i].kind == PTX_SINK)
            continue;
        const uint32_t to = lower_dst(l, &d->items[i], part);
        struct simt_insn *x = lower_emit(l, bits == 64 ? SIMT_OP_PART_64 : SIMT_OP_PART_32);
        x->d = to;
        x->a = from;
        x->imm = i * part;
    }
}

static bool can_split(const struct ptx_operand *o, unsigned bits)
{
    return (o->count == 2 || o->count == 4) && bits <= 64 && bits / o->count >= 8;
}

static bool mov(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    const struct ptx_operand *d = &in->operands[0], *s = &in->operands[1];
    const unsigned bits = ptx_types[in->types[0]].bits;
    if (in->operand_count != 2 || bits > 64)
        return false;
    if (d->kind == PTX_VECTOR && s->kind == PTX_VECTOR && d->count == s->count)
        copy_all(l, d, s, bits);
    else if (d->kind == PTX_VECTOR && can_split(d, bits))
        unpack(l, d, s, bits);
    else if (s->kind == PTX_VECTOR && can_split(s, bits))
        pack(l, d, s, bits);
    else if (d->kind != PTX_VECTOR && s->kind != PTX_VECTOR)
        copy(l, d, s, bits);
    else
        return false;
    return true;
}

/* ---- setp, set ---- */

/* The boolean operation of setp and set, taken out of the form; SIMT_OPS: none. */
static enum simt_op drop_bool(struct simt_form *form)
{
    if (simt_form_drop(form, PTX_MOD_AND))
        return SIMT_OP_AND_PRED;
    if (simt_form_drop(form, PTX_MOD_OR))
        return SIMT_OP_OR_PRED;
    return simt_form_drop(form, PTX_MOD_XOR) ? SIMT_OP_XOR_PRED : SIMT_OPS;
}

/* A comparison of operands 1 and 2 into the predicate d; false: no row has it. */
static bool compare(struct lower *l, const struct simt_form *form, uint32_t d)
{
    struct around around;
    const enum simt_op op = find_row(&around, form);
    if (op == SIMT_OPS || around.saturate || around.flush)
        return false;
    const struct simt_row *row = simt_row(op);
    uint32_t s[4];
    sources(s, l, row, 1);
    emit2(l, op, d, s[0], s[1]);
    return true;
}

/* setp d|q, a, b, c: d is (a cmp b) bool c, q is !(a cmp b) bool c. */
static bool setp(struct lower *l, struct simt_form *form)
{
    const struct ptx_insn *in = l->in;
    const struct ptx_operand *o = in->operands;
    const enum simt_op with = drop_bool(form);
    const bool is_pair = o[0].kind == PTX_PAIR;
    if (in->operand_count != (with < SIMT_OPS ? 4 : 3))
        return false;
    const uint32_t d = lower_dst(l, is_pair ? &o[0].items[0] : &o[0], 1);
    const bool plain = with == SIMT_OPS && !is_pair;
    const uint32_t t = plain ? d : lower_scratch(l, 1, 0), n = is_pair ? lower_scratch(l, 1, 1) : 0;
    if (!compare(l, form, t))
        return false;
    if (plain)
        return true;
    const uint32_t c = with < SIMT_OPS ? lower_src(l, &o[3], 1) : 0;
    if (is_pair)
        emit1(l, SIMT_OP_NOT_PRED, n, t);
    if (is_pair && with < SIMT_OPS)
        emit2(l, with, n, n, c);
    if (with < SIMT_OPS)
        emit2(l, with, d, t, c);
    else
        emit1(l, SIMT_OP_MOV_PRED, d, t);
    if (is_pair)
        emit1(l, SIMT_OP_MOV_PRED, lower_dst(l, &o[0].items[1], 1), n);
    return true;
}

/* set.f32: 1 or 0; integers: all ones or 0. */
static bool set(struct lower *l, struct simt_form *form)
{
    const struct ptx_insn *in = l->in;
    const enum simt_op with = drop_bool(form);
    const uint8_t type = form->types[0];
    if (in->operand_count != (with < SIMT_OPS ? 4 : 3) || form->type_count != 2)
        return false;
    form->op = PTX_OP_SETP;
    form->types[0] = form->types[1];
    form->type_count = 1;
    const uint32_t t = lower_scratch(l, 1, 0);
    if (ptx_types[type].bits != 32 || !compare(l, form, t))
        return false;
    if (with < SIMT_OPS)
        emit2(l, with, t, t, lower_src(l, &in->operands[3], 1));
    const uint32_t yes = lower_const(l, type == PTX_F32 ? 0x3f800000 : UINT32_MAX, 32);
    emit3(l, SIMT_OP_SELP_32, lower_dst(l, &in->operands[0], 32),
          (uint32_t[3]){yes, lower_const(l, 0, 32), t});
    return true;
}

/* ---- carries ---- */

/* A sum or difference with carries, of either width. */
struct sum {
    enum simt_op plain, with_carry, carry, carry_in;
};

static struct sum sum_of(bool subtracts, bool wide)
{
    static const struct sum sums[2][2] = {
        {{SIMT_OP_ADD_32, SIMT_OP_ADDC_32, SIMT_OP_CARRY_32, SIMT_OP_CARRY_IN_32},
         {SIMT_OP_ADD_64, SIMT_OP_ADDC_64, SIMT_OP_CARRY_64, SIMT_OP_CARRY_IN_64}},
        {{SIMT_OP_SUB_32, SIMT_OP_SUBC_32, SIMT_OP_BORROW_32, SIMT_OP_BORROW_IN_32},
         {SIMT_OP_SUB_64, SIMT_OP_SUBC_64, SIMT_OP_BORROW_64, SIMT_OP_BORROW_IN_64}},
    };
    return sums[subtracts][wide];
}

/* d = a ± b [± carry]; the flag that goes out is found first, for d may be a or b, and kept aside,
 * for it comes in too. */
static void carried(struct lower *l, const struct sum *sum, const struct slots *at, bool takes,
                    bool gives)
{
    if (!l->carry)
        l->carry = lower_temp(l, 1) + 1;
    const uint32_t flag = l->carry - 1, next = lower_scratch(l, 1, 0);
    const uint32_t s[3] = {at->s[0], at->s[1], flag};
    if (gives)
        emit3(l, takes ? sum->carry_in : sum->carry, next, s);
    emit3(l, takes ? sum->with_carry : sum->plain, at->d, s);
    if (gives)
        emit1(l, SIMT_OP_MOV_PRED, flag, next);
}

/* add.cc, addc, sub.cc, subc, mad.cc, madc. False: not one of these. */
static bool carries(struct lower *l, const struct simt_form *form)
{
    const struct ptx_insn *in = l->in;
    const bool takes = in->op == PTX_OP_ADDC || in->op == PTX_OP_SUBC || in->op == PTX_OP_MADC;
    const bool multiplies = in->op == PTX_OP_MAD || in->op == PTX_OP_MADC;
    struct simt_form f = *form;
    const bool gives = simt_form_drop(&f, PTX_MOD_CC);
    if ((!takes && !gives) || f.type_count != 1 || in->operand_count != (multiplies ? 4 : 3))
        return false;
    const unsigned bits = ptx_types[f.types[0]].bits;
    const struct sum sum = sum_of(in->op == PTX_OP_SUB || in->op == PTX_OP_SUBC, bits == 64);
    struct slots at = {0};
    at.s[0] = lower_src(l, &in->operands[1], bits);
    at.s[1] = lower_src(l, &in->operands[2], bits);
    if (multiplies) {
        f.op = PTX_OP_MUL;
        const enum simt_op mul = simt_row_find(&f);
        const uint32_t product = lower_scratch(l, bits, 0);
        if (mul == SIMT_OPS)
            return false;
        emit2(l, mul, product, at.s[0], at.s[1]);
        at.s[0] = product;
        at.s[1] = lower_src(l, &in->operands[3], bits);
    }
    at.d = lower_dst(l, &in->operands[0], bits);
    carried(l, &sum, &at, takes, gives);
    return true;
}

/* ---- all of it ---- */

bool lower_alu(struct lower *l)
{
    struct simt_form form;
    if (!simt_form_of(&form, l->in))
        return false;
    switch (l->in->op) {
    case PTX_OP_MOV:
        return mov(l);
    case PTX_OP_SETP:
        return setp(l, &form);
    case PTX_OP_SET:
        return set(l, &form);
    case PTX_OP_ADD:
    case PTX_OP_ADDC:
    case PTX_OP_SUB:
    case PTX_OP_SUBC:
    case PTX_OP_MAD:
    case PTX_OP_MADC:
        return carries(l, &form) || one_row(l, &form);
    default:
        return one_row(l, &form);
    }
}

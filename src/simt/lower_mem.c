/* Lowering of memory operations: loads, stores, atomics, fences, addresses. Not here: where .param
 * and .local variables stand (lower_call.c), variables of the module (module.c). */
#include "simt/agree.h"
#include "simt/lower_ctl.h"
#include "simt/run.h"

static bool unsupported(struct lower *l)
{
    lower_unsupported(l);
    return true;
}

/* ---- operands ---- */

/* What an address operand becomes in an operation. */
struct where {
    uint8_t mode, space;
    uint32_t slot;
    int64_t imm;
};

static uint8_t space_of(const struct lower *l, const struct ptx_operand *o)
{
    const struct ptx_insn *in = l->in;
    if (in->space == PTX_PARAM && l->func->kind == PTX_FUNC)
        return PTX_LOCAL; /* the parameters of functions stand in local memory */
    if (in->space == PTX_GENERIC && o->var)
        return o->var->space;
    return in->space;
}

static bool find_where(struct where *out, struct lower *l, const struct ptx_operand *o)
{
    *out = (struct where){.mode = SIMT_AT_64, .space = space_of(l, o), .imm = o->offset};
    if (o->reg) {
        unsigned bits = ptx_types[o->reg->type].bits;
        struct ptx_operand base = {.kind = PTX_REGISTER, .reg = o->reg, .component = -1};
        if (o->reg->vector != 1 || (bits != 32 && bits != 64))
            return false;
        out->mode = bits == 64 ? SIMT_AT_64 : SIMT_AT_32;
        out->slot = lower_src(l, &base, bits);
        return true;
    }
    if (!o->var) {
        out->slot = lower_const(l, (uint64_t) o->offset, 64);
        out->imm = 0;
        return true;
    }
    if (o->var->space == PTX_GLOBAL || o->var->space == PTX_CONST) {
        struct ptx_operand base = {.kind = PTX_SYMBOL, .var = o->var, .component = -1};
        out->slot = lower_src(l, &base, 64);
        return true;
    }
    int64_t at;
    if (!lower_where(l, o->var, &out->mode, &at))
        return false;
    out->imm += at;
    out->space = out->mode == SIMT_AT_SHARED  ? PTX_SHARED
                 : out->mode == SIMT_AT_LOCAL ? PTX_LOCAL
                                              : PTX_PARAM;
    return true;
}

static struct simt_insn *emit_at(struct lower *l, enum simt_op op, const struct where *w)
{
    struct simt_insn *x = lower_emit(l, op);
    x->a = w->slot;
    x->imm = w->imm;
    x->x[0] = w->mode;
    x->x[1] = w->space;
    return x;
}

/* Bits of the column of an operand: a register's own, else the access's. */
static unsigned column_bits(const struct ptx_operand *o, unsigned bits)
{
    unsigned own = o->kind == PTX_REGISTER ? ptx_types[o->reg->type].bits : bits;
    return own == 64 ? 64 : 32;
}

static unsigned log2_bytes(unsigned bits)
{
    return bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
}

static unsigned flags_of(const struct ptx_insn *in)
{
    unsigned f = ptx_has(in, PTX_MOD_ACQUIRE)   ? SIMT_ACQUIRE
                 : ptx_has(in, PTX_MOD_RELEASE) ? SIMT_RELEASE
                                                : 0;
    if (f || ptx_has(in, PTX_MOD_VOLATILE) || ptx_has(in, PTX_MOD_RELAXED) ||
        ptx_has(in, PTX_MOD_MMIO))
        f |= SIMT_VOLATILE;
    return f;
}

/* ---- loads and stores ---- */

/* The register of a memory operation: one, or the parts of a vector. */
struct data {
    const struct ptx_operand *items;
    uint32_t count;
    unsigned bits; /* of an element in memory */
    bool sign;
};

static bool find_data(struct data *out, const struct ptx_insn *in, const struct ptx_operand *o)
{
    const struct ptx_type_info *t = &ptx_types[in->types[0]];
    *out = (struct data){o, 1, t->bits, t->kind == PTX_SIGNED};
    if (o->kind == PTX_VECTOR) {
        out->items = o->items;
        out->count = o->count;
    }
    return t->bits >= 8 && t->bits <= 64 && !(t->bits & (t->bits - 1)) && t->kind != PTX_OPAQUE &&
           out->count && out->count <= 8 && !(out->count & (out->count - 1)) &&
           out->count * t->bits <= 256;
}

static enum simt_op load_op(unsigned log2, bool sign, bool wide)
{
    static const uint16_t ops[2][2][4] = {
        {{SIMT_OP_LD_U8_32, SIMT_OP_LD_U16_32, SIMT_OP_LD_32_32, SIMT_OP_LD_64_64},
         {SIMT_OP_LD_S8_32, SIMT_OP_LD_S16_32, SIMT_OP_LD_32_32, SIMT_OP_LD_64_64}},
        {{SIMT_OP_LD_U8_64, SIMT_OP_LD_U16_64, SIMT_OP_LD_U32_64, SIMT_OP_LD_64_64},
         {SIMT_OP_LD_S8_64, SIMT_OP_LD_S16_64, SIMT_OP_LD_S32_64, SIMT_OP_LD_64_64}},
    };
    return (enum simt_op) ops[wide][sign][log2];
}

static enum simt_op store_op(unsigned log2, bool wide)
{
    static const uint16_t ops[2][4] = {
        {SIMT_OP_ST_8_32, SIMT_OP_ST_16_32, SIMT_OP_ST_32_32, SIMT_OP_ST_64_64},
        {SIMT_OP_ST_8_64, SIMT_OP_ST_16_64, SIMT_OP_ST_32_64, SIMT_OP_ST_64_64},
    };
    return (enum simt_op) ops[wide][log2];
}

/* Slots of all elements; *wide: their columns have 64 bits. False: they differ in that. */
static bool data_slots(uint32_t *slots, bool *wide, struct lower *l, const struct data *d,
                       bool store)
{
    bool known = false;
    *wide = d->bits == 64;
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->items[i].kind != PTX_REGISTER)
            continue;
        bool w = column_bits(&d->items[i], d->bits) == 64;
        if ((known && w != *wide) || ptx_types[d->items[i].reg->type].bits < 8 ||
            (d->bits == 64 && !w))
            return false;
        *wide = w;
        known = true;
    }
    for (uint32_t i = 0; i < d->count; i++)
        slots[i] = store ? lower_src(l, &d->items[i], *wide ? 64 : MIN(d->bits, 32))
                         : lower_dst(l, &d->items[i], *wide ? 64 : 32);
    return true;
}

/* ---- plans ---- */

enum { LOOK_BACK = 256 }; /* statements */

static bool mentions(const struct ptx_operand *o, const struct ptx_reg *reg)
{
    if (o->reg == reg && o->kind != PTX_ADDRESS)
        return true;
    for (uint32_t i = 0; i < o->count; i++)
        if (mentions(&o->items[i], reg))
            return true;
    return false;
}

/* The load before this one with the same address register, the same operation and no write of that
 * register between them; its pc, or the code's length. */
static uint32_t load_before(const struct lower *l, enum simt_op op, const struct simt_insn *x)
{
    const struct ptx_reg *reg = l->in->operands[1].reg;
    uint32_t none = (uint32_t) l->code.len;
    for (uint32_t i = l->index; i-- > 0 && l->index - i < LOOK_BACK;) {
        const struct ptx_insn *in = &l->func->insns[i];
        uint32_t pc = l->ctl->at[i];
        bool load = in->op == PTX_OP_LD && in->operands[1].kind == PTX_ADDRESS &&
                    in->operands[1].reg == reg;
        if (in->operand_count && (in->op == PTX_OP_CALL || mentions(&in->operands[0], reg)))
            return none;
        const struct simt_insn *y = &l->code.at[pc];
        if (load && y->op == op && y->a == x->a && y->x[0] == x->x[0] && y->x[1] == x->x[1])
            return pc;
    }
    return none;
}

/* Lets loads that differ in their offset alone share one look at the addresses. */
static void plan(struct lower *l, enum simt_op op)
{
    uint32_t own = (uint32_t) l->code.len - 1;
    struct simt_insn *x = &l->code.at[own];
    if (l->failed || l->in->guard || !l->in->operands[1].reg || x->x[1] == PTX_LOCAL)
        return;
    uint32_t pc = load_before(l, op, x);
    if (pc >= own)
        return;
    struct simt_insn *first = &l->code.at[pc];
    if (!first->x[2]) {
        first->x[2] = (uint8_t) (1 + l->ctl->plans++ % SIMT_PLANS);
        first->e = pc;
    }
    x->x[2] = first->x[2];
    x->e = first->e;
}

static bool load(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    struct where w;
    struct data d;
    uint32_t slots[8];
    bool wide;
    if (in->operand_count < 2 || in->operands[1].kind != PTX_ADDRESS ||
        !find_data(&d, in, &in->operands[0]) || !find_where(&w, l, &in->operands[1]) ||
        !data_slots(slots, &wide, l, &d, false))
        return unsupported(l);
    unsigned log2 = log2_bytes(d.bits), flags = flags_of(in);
    unsigned code = log2 | (d.sign ? SIMT_ELEM_SIGNED : 0u) | (wide ? SIMT_ELEM_WIDE : 0u);
    bool plain = d.count == 1 && (!flags || ptx_has(in, PTX_MOD_VOLATILE));
    uint32_t list = d.count > 1 ? lower_list(l, slots, d.count) : 0;
    enum simt_op op = d.count > 1 ? SIMT_OP_LDV : plain ? load_op(log2, d.sign, wide) : SIMT_OP_LDO;
    struct simt_insn *x = emit_at(l, op, &w);
    x->d = slots[0];
    x->e = list;
    x->f = flags;
    x->x[2] = d.count > 1 ? (uint8_t) d.count : 0;
    x->x[3] = (uint8_t) code;
    if (plain)
        plan(l, op);
    if (d.count > 1 && flags & SIMT_ACQUIRE)
        lower_emit(l, SIMT_OP_FENCE);
    return true;
}

static bool store(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    struct where w;
    struct data d;
    uint32_t slots[8];
    bool wide;
    if (in->operand_count < 2 || in->operands[0].kind != PTX_ADDRESS ||
        !find_data(&d, in, &in->operands[1]) || !find_where(&w, l, &in->operands[0]) ||
        !data_slots(slots, &wide, l, &d, true))
        return unsupported(l);
    unsigned log2 = log2_bytes(d.bits), flags = flags_of(in);
    unsigned code = log2 | (wide ? SIMT_ELEM_WIDE : 0u);
    bool plain = d.count == 1 && (!flags || ptx_has(in, PTX_MOD_VOLATILE));
    if (d.count > 1 && flags & SIMT_RELEASE)
        lower_emit(l, SIMT_OP_FENCE);
    uint32_t list = d.count > 1 ? lower_list(l, slots, d.count) : 0;
    enum simt_op op = d.count > 1 ? SIMT_OP_STV : plain ? store_op(log2, wide) : SIMT_OP_STO;
    struct simt_insn *x = emit_at(l, op, &w);
    x->c = slots[0];
    x->e = list;
    x->f = flags;
    x->x[2] = (uint8_t) d.count;
    x->x[3] = (uint8_t) code;
    return true;
}

/* ---- atomics ---- */

static bool atom_op(uint8_t *out, const struct ptx_insn *in)
{
    static const struct {
        uint16_t mod;
        uint8_t op;
    } ops[] = {
        {PTX_MOD_ADD, SIMT_ATOM_ADD}, {PTX_MOD_MIN, SIMT_ATOM_MIN}, {PTX_MOD_MAX, SIMT_ATOM_MAX},
        {PTX_MOD_AND, SIMT_ATOM_AND}, {PTX_MOD_OR, SIMT_ATOM_OR},   {PTX_MOD_XOR, SIMT_ATOM_XOR},
        {PTX_MOD_INC, SIMT_ATOM_INC}, {PTX_MOD_DEC, SIMT_ATOM_DEC}, {PTX_MOD_EXCH, SIMT_ATOM_EXCH},
        {PTX_MOD_CAS, SIMT_ATOM_CAS},
    };
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (!ptx_has(in, ops[i].mod))
            continue;
        *out = ops[i].op;
        return true;
    }
    return false;
}

static bool atom_type_fits(uint8_t op, uint8_t type)
{
    const struct ptx_type_info *t = &ptx_types[type];
    if (type == PTX_F32 || type == PTX_F64)
        return op == SIMT_ATOM_ADD;
    if (t->kind == PTX_FLOAT || t->kind == PTX_OPAQUE)
        return false;
    return t->bits == 32 || t->bits == 64 ||
           (t->bits == 16 && (op == SIMT_ATOM_CAS || op == SIMT_ATOM_EXCH));
}

static bool atom(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    unsigned i = in->op == PTX_OP_ATOM, n = in->operand_count;
    struct where w;
    uint8_t op;
    if (!atom_op(&op, in) || !atom_type_fits(op, in->types[0]))
        return unsupported(l);
    unsigned sources = op == SIMT_ATOM_CAS ? 2 : 1, bits = ptx_types[in->types[0]].bits;
    if (n < i + 1 + sources || in->operands[i].kind != PTX_ADDRESS ||
        in->operands[i + 1].kind == PTX_VECTOR || !find_where(&w, l, &in->operands[i]))
        return unsupported(l);
    uint32_t b = lower_src(l, &in->operands[i + 1], bits);
    uint32_t c = sources == 2 ? lower_src(l, &in->operands[i + 2], bits) : 0;
    bool wants = i && in->operands[0].kind != PTX_SINK;
    uint32_t d = wants ? lower_dst(l, &in->operands[0], bits) : SIMT_NO_SLOT;
    struct simt_insn *x = emit_at(l, SIMT_OP_ATOM, &w);
    x->d = d;
    x->b = b;
    x->c = c;
    x->x[2] = op;
    x->x[3] = in->types[0];
    return true;
}

/* ---- addresses ---- */

/* The address of a .shared, .local or .param variable. False: not one of these. */
static bool address(struct lower *l, const struct ptx_operand *d, const struct ptx_operand *s,
                    unsigned bits)
{
    struct where w = {0};
    int64_t at;
    if (s->kind != PTX_SYMBOL || s->var->space == PTX_GLOBAL || s->var->space == PTX_CONST)
        return false;
    if (!lower_where(l, s->var, &w.mode, &at))
        return unsupported(l);
    w.imm = s->offset + at;
    uint32_t slot = lower_dst(l, d, bits);
    struct simt_insn *x = emit_at(l, SIMT_OP_ADDRESS, &w);
    x->d = slot;
    x->x[3] = bits == 64;
    return true;
}

static bool mov(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    if (in->operand_count != 2 || in->operands[1].kind != PTX_SYMBOL)
        return false;
    return address(l, &in->operands[0], &in->operands[1], ptx_types[in->types[0]].bits);
}

/* All spaces share one range of addresses: a conversion is a move. */
static bool cvta(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    unsigned bits = ptx_types[in->types[0]].bits;
    if (in->operand_count != 2)
        return unsupported(l);
    if (address(l, &in->operands[0], &in->operands[1], bits))
        return true;
    uint32_t a = lower_src(l, &in->operands[1], bits), d = lower_dst(l, &in->operands[0], bits);
    if (a == d)
        return true;
    struct simt_insn *x = lower_emit(l, bits == 64 ? SIMT_OP_MOV_64 : SIMT_OP_MOV_32);
    x->d = d;
    x->a = a;
    return true;
}

static bool is_space(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    const struct ptx_operand *s = &in->operands[1];
    if (in->operand_count != 2 || s->kind != PTX_REGISTER || ptx_types[s->reg->type].bits != 64)
        return unsupported(l);
    uint32_t a = lower_src(l, s, 64), d = lower_dst(l, &in->operands[0], 1);
    struct simt_insn *x = lower_emit(l, SIMT_OP_ISSPACEP);
    x->a = a;
    x->d = d;
    x->x[1] = in->space;
    return true;
}

bool lower_mem(struct lower *l)
{
    switch (l->in->op) {
    case PTX_OP_LD:
    case PTX_OP_LDU:
        return load(l);
    case PTX_OP_ST:
        return store(l);
    case PTX_OP_ATOM:
    case PTX_OP_RED:
        return ptx_has(l->in, PTX_MOD_ASYNC) ? unsupported(l) : atom(l);
    case PTX_OP_MOV:
        return mov(l);
    case PTX_OP_CVTA:
        return cvta(l);
    case PTX_OP_ISSPACEP:
        return is_space(l);
    case PTX_OP_PREFETCH:
    case PTX_OP_PREFETCHU:
    case PTX_OP_DISCARD:
    case PTX_OP_APPLYPRIORITY:
        return true; /* hints: caches look after themselves */
    case PTX_OP_MEMBAR:
    case PTX_OP_FENCE:
        lower_emit(l, SIMT_OP_FENCE);
        return true;
    default:
        return false;
    }
}

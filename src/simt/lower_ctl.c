/* Lowering of control flow: branches and labels, barriers, warp operations, special registers. Not
 * here: calls and where .param and .local variables stand (lower_call.c), memory (lower_mem.c). */
#include "simt/lower_ctl.h"

#include "simt/agree.h"

/* ---- labels ---- */

/* Turns the targets of the function just lowered from statements into pcs. */
static void settle(struct lower *l)
{
    struct lower_ctl *ctl = l->ctl;
    if (!ctl->func)
        return;
    for (const struct lower_fix *f = ctl->fixes; f; f = f->next)
        l->code.at[f->pc].e = ctl->at[f->statement];
    ctl->fixes = NULL;
}

static uint32_t frame_of(const struct lower *l, const struct ptx_func *func)
{
    uint32_t i = 0;
    while (i < l->wanted.len && l->wanted.at[i] != func)
        i++;
    return i;
}

bool lower_ctl_begin(struct lower *l)
{
    if (!l->ctl && !(l->ctl = arena_alloc(l->arena, sizeof *l->ctl))) {
        lower_fail(l, "memory is short");
        return false;
    }
    struct lower_ctl *ctl = l->ctl;
    settle(l);
    ctl->func = l->func;
    ctl->frame = frame_of(l, l->func);
    ctl->at = arena_alloc(l->arena, (l->func->insn_count + (size_t) 1) * sizeof *ctl->at);
    if (!ctl->at)
        lower_fail(l, "memory is short");
    return ctl->at && lower_call_places(l);
}

void lower_ctl_insn(struct lower *l)
{
    l->ctl->at[l->index] = (uint32_t) l->code.len;
}

bool lower_ctl_end(struct lower *l)
{
    settle(l);
    lower_call_frames(l);
    return !l->failed;
}

static void fix_later(struct lower *l, const struct ptx_label *label)
{
    struct lower_fix *f = arena_alloc(l->arena, sizeof *f);
    if (!f) {
        lower_fail(l, "memory is short");
        return;
    }
    *f = (struct lower_fix){l->ctl->fixes, (uint32_t) l->code.len - 1, label->target};
    l->ctl->fixes = f;
}

static bool branch(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    if (in->operand_count != 1 || in->operands[0].kind != PTX_LABEL) {
        lower_unsupported(l);
        return true;
    }
    const struct ptx_label *label = in->operands[0].label;
    bool back = label->target <= l->index;
    uint32_t pred = 0;
    if (in->guard) {
        struct ptx_operand o = {.kind = PTX_REGISTER, .reg = in->guard, .component = -1};
        pred = lower_src(l, &o, 1);
    }
    enum simt_op op = in->guard ? back ? SIMT_OP_BRA_IF_BACK : SIMT_OP_BRA_IF
                      : back    ? SIMT_OP_BRA_BACK
                                : SIMT_OP_BRA;
    struct simt_insn *x = lower_emit(l, op);
    x->a = pred;
    x->x[0] = in->guard_negated;
    fix_later(l, label);
    return true;
}

uint32_t lower_skip(struct lower *l, uint32_t pred, bool negated)
{
    struct simt_insn *x = lower_emit(l, SIMT_OP_BRA_IF);
    x->a = pred;
    x->x[0] = negated;
    return (uint32_t) l->code.len - 1;
}

void lower_land(struct lower *l, uint32_t pc)
{
    if (pc < l->code.len)
        l->code.at[pc].e = (uint32_t) l->code.len;
}

/* ---- operands ---- */

/* A predicate without its negation: the operation carries that itself. */
static uint32_t predicate(struct lower *l, const struct ptx_operand *o)
{
    struct ptx_operand plain = *o;
    plain.negated = false;
    return lower_src(l, &plain, 1);
}

static uint32_t src32(struct lower *l, unsigned i)
{
    return lower_src(l, &l->in->operands[i], 32);
}

/* The destination d of d or d|p. */
static const struct ptx_operand *first_of(const struct ptx_operand *o)
{
    return o->kind == PTX_PAIR ? &o->items[0] : o;
}

static uint32_t second_of(struct lower *l, const struct ptx_operand *o)
{
    return o->kind == PTX_PAIR && o->items[1].kind != PTX_SINK ? lower_dst(l, &o->items[1], 1)
                                                               : SIMT_NO_SLOT;
}

static bool unsupported(struct lower *l)
{
    lower_unsupported(l);
    return true;
}

/* ---- barriers ---- */

static bool warp_sync(struct lower *l)
{
    uint32_t mask = src32(l, 0);
    lower_emit(l, SIMT_OP_WARPSYNC)->f = mask;
    return true;
}

static unsigned barrier_kind(const struct ptx_insn *in)
{
    if (ptx_has(in, PTX_MOD_ARRIVE))
        return SIMT_BAR_ARRIVE;
    if (!ptx_has(in, PTX_MOD_RED))
        return SIMT_BAR_SYNC;
    return ptx_has(in, PTX_MOD_POPC)  ? SIMT_BAR_POPC
           : ptx_has(in, PTX_MOD_AND) ? SIMT_BAR_AND
                                      : SIMT_BAR_OR;
}

static bool barrier(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    if (ptx_has(in, PTX_MOD_CLUSTER) || !in->operand_count)
        return unsupported(l);
    if (ptx_has(in, PTX_MOD_WARP))
        return warp_sync(l);
    struct simt_insn b = {.x = {(uint8_t) barrier_kind(in)}};
    unsigned i = 0, n = in->operand_count;
    bool reduces = b.x[0] >= SIMT_BAR_POPC;
    const struct ptx_operand *result = reduces ? &in->operands[i++] : NULL;
    if (reduces) {
        b.c = predicate(l, &in->operands[--n]);
        b.x[2] = in->operands[n].negated;
    }
    if (n - i < 1 || n - i > 2)
        return unsupported(l);
    b.a = src32(l, i);
    if (n - i == 2) {
        b.b = src32(l, i + 1);
        b.x[1] = 1;
    }
    if (result)
        b.d = lower_dst(l, result, b.x[0] == SIMT_BAR_POPC ? 32 : 1);
    struct simt_insn *x = lower_emit(l, SIMT_OP_BARRIER);
    x->d = b.d, x->a = b.a, x->b = b.b, x->c = b.c;
    x->x[0] = b.x[0], x->x[1] = b.x[1], x->x[2] = b.x[2];
    return true;
}

/* ---- warps ---- */

/* Appends a warp operation; the last operand is the mask of the .sync forms. */
static struct simt_insn *emit_warp(struct lower *l, enum simt_op op, const struct simt_insn *w)
{
    bool sync = ptx_has(l->in, PTX_MOD_SYNC);
    uint32_t mask = sync ? src32(l, l->in->operand_count - 1u) : 0;
    struct simt_insn *x = lower_emit(l, op);
    x->d = w->d, x->a = w->a, x->b = w->b, x->c = w->c, x->e = w->e;
    x->f = mask;
    x->x[0] = w->x[0], x->x[1] = !sync, x->x[2] = w->x[2], x->x[3] = w->x[3];
    return x;
}

static bool shfl(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    const struct ptx_operand *o = in->operands;
    if (in->operand_count != 4 + ptx_has(in, PTX_MOD_SYNC) || in->types[0] != PTX_B32)
        return unsupported(l);
    struct simt_insn w = {.a = src32(l, 1), .b = src32(l, 2), .c = src32(l, 3)};
    w.d = lower_dst(l, first_of(o), 32);
    w.e = second_of(l, o);
    w.x[0] = ptx_has(in, PTX_MOD_UP)     ? SIMT_SHFL_UP
             : ptx_has(in, PTX_MOD_DOWN) ? SIMT_SHFL_DOWN
             : ptx_has(in, PTX_MOD_BFLY) ? SIMT_SHFL_BFLY
                                         : SIMT_SHFL_IDX;
    emit_warp(l, SIMT_OP_SHFL, &w);
    return true;
}

static bool vote(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    if (in->operand_count != 2 + ptx_has(in, PTX_MOD_SYNC))
        return unsupported(l);
    bool ballot = ptx_has(in, PTX_MOD_BALLOT);
    struct simt_insn w = {.a = predicate(l, &in->operands[1])};
    w.d = lower_dst(l, &in->operands[0], ballot ? 32 : 1);
    w.x[0] = ballot                     ? SIMT_VOTE_BALLOT
             : ptx_has(in, PTX_MOD_ALL) ? SIMT_VOTE_ALL
             : ptx_has(in, PTX_MOD_ANY) ? SIMT_VOTE_ANY
                                        : SIMT_VOTE_UNI;
    w.x[3] = in->operands[1].negated;
    emit_warp(l, SIMT_OP_VOTE, &w);
    return true;
}

static bool match(struct lower *l)
{
    const struct ptx_insn *in = l->in;
    if (in->operand_count != 3 || !ptx_has(in, PTX_MOD_SYNC))
        return unsupported(l);
    unsigned bits = ptx_types[in->types[0]].bits;
    struct simt_insn w = {.a = lower_src(l, &in->operands[1], bits)};
    w.d = lower_dst(l, first_of(in->operands), 32);
    w.e = second_of(l, in->operands);
    w.x[0] = ptx_has(in, PTX_MOD_ALL);
    w.x[2] = bits == 64;
    emit_warp(l, SIMT_OP_MATCH, &w);
    return true;
}

static bool redux(struct lower *l)
{
    static const struct {
        uint16_t mod;
        uint8_t op;
    } ops[] = {
        {PTX_MOD_ADD, SIMT_ATOM_ADD}, {PTX_MOD_MIN, SIMT_ATOM_MIN}, {PTX_MOD_MAX, SIMT_ATOM_MAX},
        {PTX_MOD_AND, SIMT_ATOM_AND}, {PTX_MOD_OR, SIMT_ATOM_OR},   {PTX_MOD_XOR, SIMT_ATOM_XOR},
    };
    const struct ptx_insn *in = l->in;
    if (in->operand_count != 3 || in->types[0] == PTX_F32)
        return unsupported(l);
    struct simt_insn w = {.a = src32(l, 1)};
    w.d = lower_dst(l, &in->operands[0], 32);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (ptx_has(in, ops[i].mod))
            w.x[0] = ops[i].op;
    w.x[2] = in->types[0] == PTX_S32;
    emit_warp(l, SIMT_OP_REDUX, &w);
    return true;
}

static bool active_mask(struct lower *l)
{
    uint32_t d = lower_dst(l, &l->in->operands[0], 32);
    lower_emit(l, SIMT_OP_ACTIVEMASK)->d = d;
    return true;
}

/* ---- special registers ---- */

/* Clusters have one block each; what is not here reads as 0. */
static unsigned special(uint16_t sreg, uint8_t *part)
{
    static const uint8_t known[PTX_SREGS] = {
        [PTX_SREG_TID] = SIMT_SREG_TID,
        [PTX_SREG_NTID] = SIMT_SREG_NTID,
        [PTX_SREG_CTAID] = SIMT_SREG_CTAID,
        [PTX_SREG_NCTAID] = SIMT_SREG_NCTAID,
        [PTX_SREG_LANEID] = SIMT_SREG_LANEID,
        [PTX_SREG_WARPID] = SIMT_SREG_WARPID,
        [PTX_SREG_NWARPID] = SIMT_SREG_NWARPID,
        [PTX_SREG_NSMID] = SIMT_SREG_ONE,
        [PTX_SREG_GRIDID] = SIMT_SREG_GRIDID,
        [PTX_SREG_CLUSTERID] = SIMT_SREG_CTAID,
        [PTX_SREG_NCLUSTERID] = SIMT_SREG_NCTAID,
        [PTX_SREG_CLUSTER_NCTAID] = SIMT_SREG_ONE,
        [PTX_SREG_CLUSTER_NCTARANK] = SIMT_SREG_ONE,
        [PTX_SREG_LANEMASK_EQ] = SIMT_SREG_LANEMASK_EQ,
        [PTX_SREG_LANEMASK_LE] = SIMT_SREG_LANEMASK_LE,
        [PTX_SREG_LANEMASK_LT] = SIMT_SREG_LANEMASK_LT,
        [PTX_SREG_LANEMASK_GE] = SIMT_SREG_LANEMASK_GE,
        [PTX_SREG_LANEMASK_GT] = SIMT_SREG_LANEMASK_GT,
        [PTX_SREG_CLOCK] = SIMT_SREG_CLOCK,
        [PTX_SREG_CLOCK64] = SIMT_SREG_CLOCK,
        [PTX_SREG_CLOCK_HI] = SIMT_SREG_CLOCK_HI,
        [PTX_SREG_GLOBALTIMER] = SIMT_SREG_GLOBALTIMER,
        [PTX_SREG_GLOBALTIMER_LO] = SIMT_SREG_GLOBALTIMER,
        [PTX_SREG_GLOBALTIMER_HI] = SIMT_SREG_GLOBALTIMER_HI,
        [PTX_SREG_TOTAL_SMEM_SIZE] = SIMT_SREG_TOTAL_SMEM,
        [PTX_SREG_AGGR_SMEM_SIZE] = SIMT_SREG_TOTAL_SMEM,
        [PTX_SREG_DYNAMIC_SMEM_SIZE] = SIMT_SREG_DYNAMIC_SMEM,
    };
    if (sreg >= PTX_SREG_ENVREG0 && sreg <= PTX_SREG_ENVREG31) {
        *part = (uint8_t) (sreg - PTX_SREG_ENVREG0);
        return SIMT_SREG_ENVREG;
    }
    return known[sreg];
}

static bool special_mov(struct lower *l)
{
    const struct ptx_operand *d = &l->in->operands[0], *s = &l->in->operands[1];
    if (l->in->operand_count != 2 || s->kind != PTX_SPECIAL)
        return false;
    unsigned bits = ptx_types[l->in->types[0]].bits;
    if (d->kind == PTX_VECTOR || bits < 16)
        return unsupported(l);
    uint8_t part = s->component < 0 ? 0 : (uint8_t) s->component;
    unsigned id = special(s->sreg, &part);
    uint32_t slot = lower_dst(l, d, bits);
    struct simt_insn *x = lower_emit(l, bits == 64 ? SIMT_OP_SREG64 : SIMT_OP_SREG32);
    x->d = slot;
    x->x[0] = (uint8_t) id;
    x->x[1] = part;
    return true;
}

/* ---- all of it ---- */

bool lower_ctl(struct lower *l)
{
    switch (l->in->op) {
    case PTX_OP_BRA:
        return branch(l);
    case PTX_OP_CALL:
        return lower_call(l);
    case PTX_OP_RET:
        lower_emit(l, SIMT_OP_RET);
        return true;
    case PTX_OP_EXIT:
        lower_emit(l, SIMT_OP_EXIT);
        return true;
    case PTX_OP_TRAP:
    case PTX_OP_BRKPT:
        lower_emit(l, SIMT_OP_TRAP);
        return true;
    case PTX_OP_NANOSLEEP:
        lower_emit(l, SIMT_OP_NANOSLEEP);
        return true;
    case PTX_OP_GRIDDEPCONTROL:
    case PTX_OP_PMEVENT:
        return true; /* grids run one after another; there is nobody to tell */
    case PTX_OP_BAR:
    case PTX_OP_BARRIER:
        return barrier(l);
    case PTX_OP_SHFL:
        return shfl(l);
    case PTX_OP_VOTE:
        return vote(l);
    case PTX_OP_MATCH:
        return match(l);
    case PTX_OP_REDUX:
        return redux(l);
    case PTX_OP_ACTIVEMASK:
        return active_mask(l);
    case PTX_OP_MOV:
        return special_mov(l);
    default:
        return false;
    }
}

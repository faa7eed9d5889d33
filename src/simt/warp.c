/* What .sync operations compute, for the lanes of one warp that have met, each part of them in
 * front of its own instruction with its own operands (PTX ISA: shfl.sync, vote.sync, match.sync,
 * redux.sync). Not here: who meets whom (meet.c). */
#include "simt/agree.h"
#include "simt/run.h"

/* One warp's share of a column or predicate of a part. */
#define COLUMN(g, p, type, slot, warp) \
    ((type *) ((p)->frame + (size_t) (slot) * (g)->word) + (warp) *SIMT_WARP)
#define PREDICATE(g, p, slot, warp) \
    ((uint32_t *) ((p)->frame + (size_t) (slot) *4 * (g)->warps) + (warp))

#define FOR_PART(p, parts, count) \
    for (const struct simt_part *p = (parts); p < (parts) + (count); p++)
#define FOR_LANE(l, lanes) \
    for (uint32_t m_ = (lanes), l; m_ && (l = (uint32_t) __builtin_ctz(m_), 1); m_ &= m_ - 1)

struct meeting {
    struct simt_gang *g;
    const struct simt_part *parts;
    uint32_t count, warp, lanes; /* all that take part */
};

static void set_pred(uint32_t *word, uint32_t lanes, uint32_t values)
{
    *word = (*word & ~lanes) | (values & lanes);
}

/* The lane that `lane` reads from, or itself with *inside false. */
static uint32_t source(uint32_t lane, unsigned mode, uint32_t b, uint32_t c, bool *inside)
{
    uint32_t segment = c >> 8 & 31, from = b & 31;
    uint32_t low = lane & segment, high = low | (c & 31 & ~segment);
    int j;
    switch (mode) {
    case SIMT_SHFL_UP:
        j = (int) lane - (int) from;
        break;
    case SIMT_SHFL_DOWN:
        j = (int) (lane + from);
        break;
    case SIMT_SHFL_BFLY:
        j = (int) (lane ^ from);
        break;
    default:
        j = (int) (low | (from & ~segment));
        break;
    }
    *inside = mode == SIMT_SHFL_UP ? j >= (int) high : j <= (int) high;
    return *inside ? (uint32_t) j & 31 : lane;
}

static void shfl(const struct meeting *m)
{
    uint32_t values[SIMT_WARP];
    const uint32_t *own = COLUMN(m->g, m->parts, uint32_t, m->parts->in->a, m->warp);
    for (uint32_t l = 0; l < SIMT_WARP; l++)
        values[l] = own[l];
    FOR_PART (p, m->parts, m->count) {
        const uint32_t *a = COLUMN(m->g, p, uint32_t, p->in->a, m->warp);
        FOR_LANE (l, p->lanes)
            values[l] = a[l];
    }
    FOR_PART (p, m->parts, m->count) {
        const struct simt_insn *in = p->in;
        const uint32_t *b = COLUMN(m->g, p, uint32_t, in->b, m->warp),
                       *c = COLUMN(m->g, p, uint32_t, in->c, m->warp);
        uint32_t result[SIMT_WARP], preds = 0;
        FOR_LANE (l, p->lanes) {
            bool inside;
            result[l] = values[source(l, in->x[0], b[l], c[l], &inside)];
            preds |= (uint32_t) inside << l;
        }
        uint32_t *d = COLUMN(m->g, p, uint32_t, in->d, m->warp);
        FOR_LANE (l, p->lanes)
            d[l] = result[l];
        if (in->e != SIMT_NO_SLOT)
            set_pred(PREDICATE(m->g, p, in->e, m->warp), p->lanes, preds);
    }
}

static void vote(const struct meeting *m)
{
    uint32_t yes = 0, mode = m->parts->in->x[0];
    FOR_PART (p, m->parts, m->count)
        yes |= p->lanes & (*PREDICATE(m->g, p, p->in->a, m->warp) ^ (p->in->x[3] ? UINT32_MAX : 0));
    bool all = yes == m->lanes, any = yes != 0;
    bool result = mode == SIMT_VOTE_ALL ? all : mode == SIMT_VOTE_ANY ? any : all || !any;
    FOR_PART (p, m->parts, m->count) {
        if (mode != SIMT_VOTE_BALLOT) {
            set_pred(PREDICATE(m->g, p, p->in->d, m->warp), p->lanes, result ? UINT32_MAX : 0);
            continue;
        }
        uint32_t *d = COLUMN(m->g, p, uint32_t, p->in->d, m->warp);
        FOR_LANE (l, p->lanes)
            d[l] = yes;
    }
}

static void match(const struct meeting *m)
{
    uint64_t values[SIMT_WARP] = {0};
    FOR_PART (p, m->parts, m->count) {
        FOR_LANE (l, p->lanes)
            values[l] = p->in->x[2] ? COLUMN(m->g, p, uint64_t, p->in->a, m->warp)[l]
                                    : COLUMN(m->g, p, uint32_t, p->in->a, m->warp)[l];
    }
    uint32_t same[SIMT_WARP] = {0}, together = UINT32_MAX;
    FOR_LANE (l, m->lanes) {
        for (uint32_t k = 0; k < SIMT_WARP; k++)
            same[l] |= (uint32_t) (values[k] == values[l]) << k;
        same[l] &= m->lanes;
        together &= same[l];
    }
    bool all = together == m->lanes;
    FOR_PART (p, m->parts, m->count) {
        uint32_t *d = COLUMN(m->g, p, uint32_t, p->in->d, m->warp);
        FOR_LANE (l, p->lanes)
            d[l] = !p->in->x[0] ? same[l] : all ? m->lanes : 0;
        if (p->in->e != SIMT_NO_SLOT)
            set_pred(PREDICATE(m->g, p, p->in->e, m->warp), p->lanes, all ? UINT32_MAX : 0);
    }
}

static uint32_t reduce(unsigned op, bool is_signed, uint32_t x, uint32_t y)
{
    bool less = is_signed ? (int32_t) x < (int32_t) y : x < y;
    switch (op) {
    case SIMT_ATOM_ADD:
        return x + y;
    case SIMT_ATOM_MIN:
        return less ? x : y;
    case SIMT_ATOM_MAX:
        return less ? y : x;
    case SIMT_ATOM_AND:
        return x & y;
    case SIMT_ATOM_OR:
        return x | y;
    default:
        return x ^ y;
    }
}

static void redux(const struct meeting *m)
{
    uint32_t sum = 0;
    bool first = true;
    FOR_PART (p, m->parts, m->count) {
        const uint32_t *a = COLUMN(m->g, p, uint32_t, p->in->a, m->warp);
        FOR_LANE (l, p->lanes) {
            sum = first ? a[l] : reduce(p->in->x[0], p->in->x[2], sum, a[l]);
            first = false;
        }
    }
    FOR_PART (p, m->parts, m->count) {
        uint32_t *d = COLUMN(m->g, p, uint32_t, p->in->d, m->warp);
        FOR_LANE (l, p->lanes)
            d[l] = sum;
    }
}

void simt_warp_compute(struct simt_gang *g, uint32_t warp, const struct simt_part *parts,
                       uint32_t count)
{
    struct meeting m = {.g = g, .parts = parts, .count = count, .warp = warp};
    FOR_PART (p, parts, count)
        m.lanes |= p->lanes;
    switch (parts->in->op) {
    case SIMT_OP_SHFL:
        shfl(&m);
        break;
    case SIMT_OP_VOTE:
        vote(&m);
        break;
    case SIMT_OP_MATCH:
        match(&m);
        break;
    case SIMT_OP_REDUX:
        redux(&m);
        break;
    default:
        break; /* bar.warp.sync */
    }
}

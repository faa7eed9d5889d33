/* Warp operations. With .sync they meet (meet.c); the old forms take the lanes that run. Compiled
 * once for each build of the exec files, as micro.def's rows ask. Not here: what they compute
 * (warp.c), shfl of whole warps aside. */
#include "simt/agree.h"
#include "simt/isa.h"
#include "simt/run.h"

static enum simt_flow warp_op(struct simt_gang *g, const struct simt_insn *in)
{
    if (!in->x[1])
        return simt_meet(g, in);
    for (uint32_t w = 0; w < g->warps; w++) {
        struct simt_part part = {in, g->frame, g->on[w]};
        if (part.lanes)
            simt_warp_compute(g, w, &part, 1);
    }
    return SIMT_NEXT;
}

/* ---- shfl of whole warps, the usual case ---- */

/* Do all lanes of the gang name all lanes of their warps? */
static bool all_named(const struct simt_gang *g, const struct simt_insn *in)
{
    const uint32_t *mask = SIMT_LANES(g, uint32_t, in->f);
    uint32_t all = UINT32_MAX;
    for (uint32_t w = 0; w < g->warps; w++)
        for (uint32_t l = 0; l < SIMT_WARP; l++)
            all &= mask[w * SIMT_WARP + l];
    return all == UINT32_MAX;
}

/* From which lane each reads, as in warp.c, and whether that is inside its segment. */
static ALWAYS_INLINE void sources(uint32_t *from, uint32_t *inside, const uint32_t *b,
                                  const uint32_t *c, unsigned mode)
{
    for (uint32_t l = 0; l < SIMT_WARP; l++) {
        uint32_t segment = c[l] >> 8 & 31, low = l & segment, by = b[l] & 31;
        uint32_t high = low | (c[l] & 31 & ~segment);
        uint32_t j = mode == SIMT_SHFL_UP     ? l - by
                     : mode == SIMT_SHFL_DOWN ? l + by
                     : mode == SIMT_SHFL_BFLY ? l ^ by
                                              : low | (by & ~segment);
        bool in = mode == SIMT_SHFL_UP ? (int32_t) j >= (int32_t) high
                                       : (int32_t) j <= (int32_t) high;
        from[l] = in ? j & 31 : l;
        inside[l] = in;
    }
}

static void shfl_warp(struct simt_gang *g, const struct simt_insn *in, uint32_t w)
{
    uint32_t from[SIMT_WARP], inside[SIMT_WARP], v[SIMT_WARP], preds = 0, first = w * SIMT_WARP;
    const uint32_t *a = SIMT_LANES(g, uint32_t, in->a) + first;
    const uint32_t *b = SIMT_LANES(g, uint32_t, in->b) + first;
    const uint32_t *c = SIMT_LANES(g, uint32_t, in->c) + first;
    uint32_t *d = SIMT_LANES(g, uint32_t, in->d) + first;
    switch (in->x[0]) {
    case SIMT_SHFL_UP:
        sources(from, inside, b, c, SIMT_SHFL_UP);
        break;
    case SIMT_SHFL_DOWN:
        sources(from, inside, b, c, SIMT_SHFL_DOWN);
        break;
    case SIMT_SHFL_BFLY:
        sources(from, inside, b, c, SIMT_SHFL_BFLY);
        break;
    default:
        sources(from, inside, b, c, SIMT_SHFL_IDX);
        break;
    }
    for (uint32_t l = 0; l < SIMT_WARP; l++)
        v[l] = a[from[l]];
    for (uint32_t l = 0; l < SIMT_WARP; l++)
        d[l] = v[l];
    for (uint32_t l = 0; l < SIMT_WARP && in->e != SIMT_NO_SLOT; l++)
        preds |= inside[l] << l;
    if (in->e != SIMT_NO_SLOT)
        SIMT_PRED(g, in->e)[w] = preds;
}

enum simt_flow SIMT_X(SHFL)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!g->run->whole || (!in->x[1] && !all_named(g, in)))
        return warp_op(g, in);
    for (uint32_t w = 0; w < g->warps; w++)
        shfl_warp(g, in, w);
    return SIMT_NEXT;
}

/* ---- the rest ---- */

enum simt_flow SIMT_X(VOTE)(struct simt_gang *g, const struct simt_insn *in)
{
    return warp_op(g, in);
}

enum simt_flow SIMT_X(MATCH)(struct simt_gang *g, const struct simt_insn *in)
{
    return warp_op(g, in);
}

enum simt_flow SIMT_X(REDUX)(struct simt_gang *g, const struct simt_insn *in)
{
    return warp_op(g, in);
}

enum simt_flow SIMT_X(WARPSYNC)(struct simt_gang *g, const struct simt_insn *in)
{
    return warp_op(g, in);
}

enum simt_flow SIMT_X(ACTIVEMASK)(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t *d = SIMT_LANES(g, uint32_t, in->d);
    for (uint32_t w = 0; w < g->warps; w++)
        for (uint32_t m = g->on[w]; m; m &= m - 1)
            d[w * SIMT_WARP + (uint32_t) __builtin_ctz(m)] = g->on[w];
    return SIMT_NEXT;
}

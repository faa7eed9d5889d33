/* Warp operations. With .sync they meet (meet.c); the old forms take the lanes that run. Compiled
 * once for each build of the exec files, as micro.def's rows ask. Not here: what they compute
 * (warp.c). */
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

enum simt_flow SIMT_X(SHFL)(struct simt_gang *g, const struct simt_insn *in)
{
    return warp_op(g, in);
}

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

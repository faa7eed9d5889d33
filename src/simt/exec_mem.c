/* Loads and stores. The lanes go by sixteen: consecutive addresses become a copy, equal ones a broadcast, others are checked
 * together and read one by one; whatever is left goes lane by lane, which is also how the lane at fault is found. Compiled once
 * for each build of the exec files, as micro.def's rows ask. Device memory is raced on by rights: no sanitizer looks here.
 * Not here: atomics (exec_atom.c), the slow part of the checks (reach.c). */
#include "simt/isa.h"
#include "simt/reach.h"

enum pattern { SCATTERED, CONSECUTIVE, EQUAL };

/* How sixteen addresses lie, `step` being the bytes of one lane. */
static ALWAYS_INLINE enum pattern pattern_of(const uint64_t *at, uint64_t step)
{
    uint64_t span = at[CHUNK - 1] - at[0], off = 0;
    if (span && span != (CHUNK - 1) * step)
        return SCATTERED;
    uint64_t by = span ? step : 0;
    for (uint64_t i = 0; i < CHUNK; i++)
        off |= at[i] ^ (at[0] + i * by);
    return off ? SCATTERED : span ? CONSECUTIVE : EQUAL;
}

/* ---- loads ---- */

/* Sixteen lanes, none of them off; false: not all of them may. Sources are read before any destination is written. */
static ALWAYS_INLINE bool load_chunk(struct access *x, uint8_t *d, uint32_t lane, const uint64_t *at, unsigned size, bool sign,
                                     bool wide)
{
    uint64_t v[CHUNK];
    enum pattern p = x->in->x[1] == PTX_LOCAL ? SCATTERED : pattern_of(at, size);
    if (p == CONSECUTIVE && !(at[0] & (size - 1)) && reach(x, at[0], CHUNK * size)) {
        const uint8_t *from = pointer(at[0]);
        for (unsigned i = 0; i < CHUNK; i++)
            v[i] = get(from + i * size, size, sign);
    } else if (p == EQUAL && !(at[0] & (size - 1)) && reach(x, at[0], size)) {
        uint64_t same = get(pointer(at[0]), size, sign);
        for (unsigned i = 0; i < CHUNK; i++)
            v[i] = same;
    } else {
        if (!all_may(x, at, lane))
            return false;
        for (unsigned i = 0; i < CHUNK; i++)
            v[i] = get(pointer(at[i]), size, sign);
    }
    for (unsigned i = 0; i < CHUNK; i++)
        column_set(d, wide, lane + i, v[i]);
    return true;
}

/* The same for all lanes: shared memory or a parameter named directly. */
static ALWAYS_INLINE enum simt_flow load_same(struct access *x, uint8_t *d, unsigned size, bool sign, bool wide)
{
    struct simt_gang *g = x->g;
    uint64_t at[CHUNK];
    addresses(at, x, 0);
    if (!lane_may(x, at[0], simt_first_lane(g)))
        return simt_refuse(x, at[0], simt_first_lane(g));
    uint64_t v = get(pointer(at[0]), size, sign);
    for (uint32_t w = 0; w < g->warps; w++) {
        uint32_t on = g->full ? UINT32_MAX : g->on[w];
        for (uint32_t l = 0; on == UINT32_MAX && l < SIMT_WARP; l++)
            column_set(d, wide, w * SIMT_WARP + l, v);
        for (uint32_t m = on == UINT32_MAX ? 0 : on; m; m &= m - 1)
            column_set(d, wide, w * SIMT_WARP + (uint32_t) __builtin_ctz(m), v);
    }
    return SIMT_NEXT;
}

static ALWAYS_INLINE enum simt_flow load(struct simt_gang *g, const struct simt_insn *in, unsigned size, bool sign, bool wide)
{
    struct access x;
    uint8_t *d = SIMT_LANES(g, uint8_t, in->d);
    uint64_t at[CHUNK];
    access_begin(&x, g, in, size, false);
    if (in->x[0] == SIMT_AT_SHARED || in->x[0] == SIMT_AT_PARAM)
        return load_same(&x, d, size, sign, wide);
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        uint32_t on = g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
        if (!on)
            continue;
        addresses(at, &x, lane);
        if (LIKELY(on == CHUNK_ALL) && LIKELY(load_chunk(&x, d, lane, at, size, sign, wide)))
            continue;
        for (; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            if (UNLIKELY(!lane_may(&x, at[i], lane + i)))
                return simt_refuse(&x, at[i], lane + i);
            column_set(d, wide, lane + i, get(pointer(at[i]), size, sign));
        }
    }
    return SIMT_NEXT;
}

#define LOAD(name, size, sign, wide)                                                               \
    NO_TSAN enum simt_flow SIMT_X(name)(struct simt_gang * g, const struct simt_insn *in)          \
    {                                                                                              \
        return load(g, in, size, sign, wide);                                                      \
    }
LOAD(LD_U8_32, 1, false, false)
LOAD(LD_S8_32, 1, true, false)
LOAD(LD_U16_32, 2, false, false)
LOAD(LD_S16_32, 2, true, false)
LOAD(LD_32_32, 4, false, false)
LOAD(LD_U8_64, 1, false, true)
LOAD(LD_S8_64, 1, true, true)
LOAD(LD_U16_64, 2, false, true)
LOAD(LD_S16_64, 2, true, true)
LOAD(LD_U32_64, 4, false, true)
LOAD(LD_S32_64, 4, true, true)
LOAD(LD_64_64, 8, false, true)

/* ---- stores ---- */

static ALWAYS_INLINE bool store_chunk(struct access *x, const uint8_t *c, uint32_t lane, const uint64_t *at, unsigned size,
                                      bool wide)
{
    uint64_t v[CHUNK];
    for (unsigned i = 0; i < CHUNK; i++)
        v[i] = column_get(c, wide, lane + i);
    enum pattern p = x->in->x[1] == PTX_LOCAL ? SCATTERED : pattern_of(at, size);
    if (p == CONSECUTIVE && !(at[0] & (size - 1)) && reach(x, at[0], CHUNK * size)) {
        uint8_t *to = (uint8_t *) (uintptr_t) at[0];
        for (unsigned i = 0; i < CHUNK; i++)
            set(to + i * size, size, v[i]);
        return true;
    }
    if (!all_may(x, at, lane))
        return false;
    for (unsigned i = 0; i < CHUNK; i++)
        set((void *) (uintptr_t) at[i], size, v[i]);
    return true;
}

static ALWAYS_INLINE enum simt_flow store(struct simt_gang *g, const struct simt_insn *in, unsigned size, bool wide)
{
    struct access x;
    const uint8_t *c = SIMT_LANES(g, uint8_t, in->c);
    uint64_t at[CHUNK];
    access_begin(&x, g, in, size, true);
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        uint32_t on = g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
        if (!on)
            continue;
        addresses(at, &x, lane);
        if (LIKELY(on == CHUNK_ALL) && LIKELY(store_chunk(&x, c, lane, at, size, wide)))
            continue;
        for (; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            if (UNLIKELY(!lane_may(&x, at[i], lane + i)))
                return simt_refuse(&x, at[i], lane + i);
            set((void *) (uintptr_t) at[i], size, column_get(c, wide, lane + i));
        }
    }
    return SIMT_NEXT;
}

#define STORE(name, size, wide)                                                                    \
    NO_TSAN enum simt_flow SIMT_X(name)(struct simt_gang * g, const struct simt_insn *in)          \
    {                                                                                              \
        return store(g, in, size, wide);                                                           \
    }
STORE(ST_8_32, 1, false)
STORE(ST_16_32, 2, false)
STORE(ST_32_32, 4, false)
STORE(ST_8_64, 1, true)
STORE(ST_16_64, 2, true)
STORE(ST_32_64, 4, true)
STORE(ST_64_64, 8, true)

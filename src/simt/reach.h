/* Where the lanes of a memory operation point, and whether they may: shared by loads and stores
 * (exec_mem.c) and atomics (exec_atom.c). Sixteen lanes at a time: half a warp, a row of the usual
 * tile. */
#ifndef SIMT_REACH_H
#define SIMT_REACH_H

#include "simt/agree.h"
#include "simt/run.h"

enum { CHUNK = SIMT_CHUNK, CHUNK_ALL = 0xffff };

/* A loop over the lanes of a chunk. gcc would take it apart before it thinks of vectors. */
#if defined(__GNUC__) && !defined(__clang__)
#define EACH(i) _Pragma("GCC unroll 1") for (size_t i = 0; i < CHUNK; i++)
#else
#define EACH(i) for (size_t i = 0; i < CHUNK; i++)
#endif

/* One operation on its way through the lanes. */
struct access {
    struct simt_gang *g;
    const struct simt_insn *in;
    uint64_t base, size; /* of the range used last; checked first */
    uint32_t width;      /* bytes of one lane's access */
    bool store, atomic;
};

/* reach.c: looks for the range that holds [address, address + bytes), for a lane whose own local
 * memory counts too (SIMT_NO_LANE: none); true: x->base and x->size are set to it. */
#define SIMT_NO_LANE UINT32_MAX
bool simt_reach(struct access *x, uint64_t address, uint64_t bytes, uint32_t lane);
/* reach.c: records why the lane's access is refused: misaligned or out of reach.
 * Returns SIMT_TRAP. */
enum simt_flow simt_refuse(const struct access *x, uint64_t address, uint32_t lane);

static ALWAYS_INLINE bool inside(const struct access *x, uint64_t address, uint64_t bytes)
{
    return bytes <= x->size && address - x->base <= x->size - bytes;
}

static ALWAYS_INLINE bool reach(struct access *x, uint64_t address, uint64_t bytes)
{
    return LIKELY(inside(x, address, bytes)) || simt_reach(x, address, bytes, SIMT_NO_LANE);
}

/* May this lane do its access? */
static ALWAYS_INLINE bool lane_may(struct access *x, uint64_t address, uint32_t lane)
{
    return !(address & (x->width - 1)) &&
           (inside(x, address, x->width) || simt_reach(x, address, x->width, lane));
}

static ALWAYS_INLINE void access_begin(struct access *x, struct simt_gang *g,
                                       const struct simt_insn *in, uint32_t width, bool store)
{
    const struct simt_hit *hit = &g->run->hits[g->run->memo[simt_pc(g, in) % SIMT_MEMO]];
    bool shared = in->x[1] == PTX_SHARED,
         window = shared || in->x[1] == PTX_LOCAL || in->x[1] == PTX_PARAM;
    x->g = g;
    x->in = in;
    x->width = width;
    x->store = store;
    x->atomic = false;
    x->base = shared ? g->block->shared : hit->base;
    x->size = shared ? g->block->shared_size : hit->size;
    if (in->x[1] == PTX_PARAM && !store) {
        x->base = (uintptr_t) g->block->grid->params;
        x->size = g->block->grid->param_size;
    } else if (window && !shared)
        x->size = 0;
    else if (store && (hit->kind & SIMT_READ_ONLY) && !shared)
        x->size = 0;
    if (in->f & SIMT_VOLATILE)
        g->run->noisy = true;
}

/* Of SIMT_AT_SHARED and SIMT_AT_PARAM. */
static ALWAYS_INLINE uint64_t uniform_address(const struct access *x)
{
    const struct simt_block *b = x->g->block;
    uint64_t base = x->in->x[0] == SIMT_AT_SHARED ? b->shared : (uintptr_t) b->grid->params;
    return base + (uint64_t) x->in->imm;
}

/* Addresses of the lanes [lane, lane + CHUNK). */
static ALWAYS_INLINE void addresses(uint64_t *at, const struct access *x, uint32_t lane)
{
    const struct simt_gang *g = x->g;
    const struct simt_insn *in = x->in;
    uint64_t same;
    if (LIKELY(in->x[0] == SIMT_AT_64)) {
        const uint64_t *a = SIMT_LANES(g, uint64_t, in->a) + lane;
        EACH (i)
            at[i] = a[i] + (uint64_t) in->imm;
        return;
    }
    if (in->x[0] == SIMT_AT_32) {
        const uint32_t *a = SIMT_LANES(g, uint32_t, in->a) + lane;
        EACH (i)
            at[i] = (uint32_t) (a[i] + (uint32_t) in->imm);
        return;
    }
    if (in->x[0] == SIMT_AT_LOCAL) {
        same = g->run->local + lane * g->run->local_stride + g->now.local + (uint64_t) in->imm;
        EACH (i)
            at[i] = same + (uint64_t) i * g->run->local_stride;
        return;
    }
    same = uniform_address(x);
    EACH (i)
        at[i] = same;
}

/* Are all sixteen aligned and in the range used last, or each in its lane's own local memory? */
static ALWAYS_INLINE bool all_inside(const struct access *x, const uint64_t *at)
{
    uint64_t bad = x->size < x->width;
    EACH (i)
        bad |= (at[i] - x->base > x->size - x->width) | (at[i] & (x->width - 1));
    return !bad;
}

static ALWAYS_INLINE bool all_local(const struct access *x, const uint64_t *at, uint32_t lane)
{
    const struct simt_run *r = x->g->run;
    uint64_t bad = r->local_size < x->width, window = r->local + lane * r->local_stride;
    if (x->in->x[1] != PTX_LOCAL && x->in->x[1] != PTX_GENERIC)
        return false;
    EACH (i)
        bad |= (at[i] - (window + i * r->local_stride) > r->local_size - x->width) |
               (at[i] & (x->width - 1));
    return !bad;
}

/* May all sixteen do their access? False: not known, ask lane by lane. */
static ALWAYS_INLINE bool all_may(struct access *x, const uint64_t *at, uint32_t lane)
{
    return all_inside(x, at) || all_local(x, at, lane) ||
           (simt_reach(x, at[0], x->width, SIMT_NO_LANE) && all_inside(x, at));
}

/* ---- elements ---- */

/* An element of an access: a constant wherever the functions that take it are inlined. */
struct elem {
    unsigned size; /* bytes in memory */
    bool sign;     /* extends its sign to the register */
    bool wide;     /* the register has 64 bits */
};

/* One element in memory. */
static ALWAYS_INLINE uint64_t get(const void *p, unsigned size, bool sign)
{
    switch (size) {
    case 1:
        return sign ? (uint64_t) * (const int8_t *) p : *(const uint8_t *) p;
    case 2:
        return sign ? (uint64_t) * (const int16_t *) p : *(const uint16_t *) p;
    case 4:
        return sign ? (uint64_t) * (const int32_t *) p : *(const uint32_t *) p;
    default:
        return *(const uint64_t *) p;
    }
}

static ALWAYS_INLINE void set(void *p, unsigned size, uint64_t v)
{
    switch (size) {
    case 1:
        *(uint8_t *) p = (uint8_t) v;
        break;
    case 2:
        *(uint16_t *) p = (uint16_t) v;
        break;
    case 4:
        *(uint32_t *) p = (uint32_t) v;
        break;
    default:
        *(uint64_t *) p = v;
        break;
    }
}

/* One lane of a column. */
static ALWAYS_INLINE uint64_t column_get(const uint8_t *column, bool wide, size_t lane)
{
    return wide ? ((const uint64_t *) column)[lane] : ((const uint32_t *) column)[lane];
}

static ALWAYS_INLINE void column_set(uint8_t *column, bool wide, size_t lane, uint64_t v)
{
    if (wide)
        ((uint64_t *) column)[lane] = v;
    else
        ((uint32_t *) column)[lane] = (uint32_t) v;
}

static ALWAYS_INLINE const void *pointer(uint64_t address)
{
    return (const void *) (uintptr_t) address;
}

/* The same value in every running lane. */
static ALWAYS_INLINE void splat(const struct simt_gang *g, uint8_t *d, bool wide, uint64_t v)
{
    if (g->full) {
        const uint8_t *end = d + (size_t) g->lanes * (wide ? 8 : 4);
        for (; d < end; d += CHUNK * (wide ? 8 : 4))
            EACH (i)
                column_set(d, wide, i, v);
        return;
    }
    for (uint32_t w = 0; w < g->warps; w++)
        for (uint32_t m = g->on[w]; m; m &= m - 1)
            column_set(d, wide, w * SIMT_WARP + (uint32_t) __builtin_ctz(m), v);
}

#endif

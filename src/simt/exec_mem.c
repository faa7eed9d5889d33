/* Loads and stores. The lanes go by sixteen: consecutive addresses become a copy, equal ones a
 * broadcast, others are checked together and read one by one; whatever is left goes lane by lane,
 * which is also how the lane at fault is found. Compiled once for each build of the exec files, as
 * micro.def's rows ask. Device memory is raced on by rights: no sanitizer looks here. Not here:
 * atomics (exec_atom.c), the slow part of the checks (reach.c). */
#include "simt/isa.h"
#include "simt/reach.h"

enum pattern { SCATTERED, CONSECUTIVE, EQUAL };

/* Is every address `size` bytes after the one before? */
static ALWAYS_INLINE bool is_row(const uint64_t *a, uint32_t lanes, unsigned size)
{
    uint64_t off = 0;
    if (a[lanes - 1] - a[0] != (uint64_t) (lanes - 1) * size)
        return false;
    for (uint32_t i = 0; i < lanes; i++)
        off |= a[i] ^ (a[0] + (uint64_t) i * size);
    return !off;
}

/* How sixteen addresses lie, `step` being the bytes of one lane. */
static ALWAYS_INLINE enum pattern pattern_of(const uint64_t *at, uint64_t step)
{
    uint64_t span = at[CHUNK - 1] - at[0], off = 0;
    if (span && span != (CHUNK - 1) * step)
        return SCATTERED;
    if (span) {
        EACH (i)
            off |= at[i] ^ (at[0] + i * step);
        return off ? SCATTERED : CONSECUTIVE;
    }
    EACH (i)
        off |= at[i] ^ at[0];
    return off ? SCATTERED : EQUAL;
}

/* May the whole gang's addresses be one row? */
static ALWAYS_INLINE bool is_whole_row(const struct access *x)
{
    return x->g->run->whole && x->in->x[0] == SIMT_AT_64 && x->in->x[1] != PTX_LOCAL;
}

/* ---- loads ---- */

/* `d` is the chunk's part of the column in these. */
static ALWAYS_INLINE void copy_chunk(uint8_t *d, uint64_t from, struct elem e)
{
    const uint8_t *p = pointer(from);
    uint64_t v[CHUNK];
    EACH (i)
        v[i] = get(p + i * e.size, e.size, e.sign);
    EACH (i)
        column_set(d, e.wide, i, v[i]);
}

static ALWAYS_INLINE void splat_chunk(uint8_t *d, uint64_t v, struct elem e)
{
    EACH (i)
        column_set(d, e.wide, i, v);
}

static ALWAYS_INLINE void gather_chunk(uint8_t *d, const uint64_t *at, struct elem e)
{
    uint64_t v[CHUNK];
    EACH (i)
        v[i] = get(pointer(at[i]), e.size, e.sign);
    EACH (i)
        column_set(d, e.wide, i, v[i]);
}

static ALWAYS_INLINE size_t chunk_bytes(bool wide)
{
    return CHUNK * (wide ? 8 : 4);
}

/* Sixteen lanes, none of them off; false: not all of them may. Sources are read before any
 * destination is written. */
static ALWAYS_INLINE bool load_chunk(struct access *x, uint8_t *d, uint32_t lane,
                                     const uint64_t *at, struct elem e)
{
    enum pattern p = x->in->x[1] == PTX_LOCAL ? SCATTERED : pattern_of(at, e.size);
    d += lane / CHUNK * chunk_bytes(e.wide);
    if (p == CONSECUTIVE && !(at[0] & (e.size - 1)) && reach(x, at[0], CHUNK * e.size))
        copy_chunk(d, at[0], e);
    else if (p == EQUAL && !(at[0] & (e.size - 1)) && reach(x, at[0], e.size))
        splat_chunk(d, get(pointer(at[0]), e.size, e.sign), e);
    else if (all_may(x, at, lane))
        gather_chunk(d, at, e);
    else
        return false;
    return true;
}

/* The same for all lanes: shared memory or a parameter named directly. */
static ALWAYS_INLINE enum simt_flow load_same(struct access *x, uint8_t *d, struct elem e)
{
    struct simt_gang *g = x->g;
    uint64_t at = uniform_address(x);
    if (!lane_may(x, at, simt_first_lane(g)))
        return simt_refuse(x, at, simt_first_lane(g));
    splat(g, d, e.wide, get(pointer(at), e.size, e.sign));
    return SIMT_NEXT;
}

/* A gang without gaps whose addresses are consecutive from the first lane to the last. False: they
 * are not, or may not. */
static ALWAYS_INLINE bool load_row(struct access *x, uint8_t *d, struct elem e)
{
    const struct simt_gang *g = x->g;
    const uint64_t *a = SIMT_LANES(g, uint64_t, x->in->a);
    uint64_t from = a[0] + (uint64_t) x->in->imm;
    if (!is_row(a, g->lanes, e.size) || from & (e.size - 1) ||
        !reach(x, from, (uint64_t) g->lanes * e.size))
        return false;
    for (uint32_t lane = 0; lane < g->lanes;
         lane += CHUNK, from += CHUNK * e.size, d += chunk_bytes(e.wide))
        copy_chunk(d, from, e);
    return true;
}

/* ---- plans: one look at an address register for several loads ---- */

static ALWAYS_INLINE void make_plan(struct simt_plan *plan, const struct access *x, unsigned size)
{
    struct access bare = *x;
    struct simt_insn in = *x->in;
    uint64_t at[CHUNK], bits = 0;
    enum pattern all = SCATTERED;
    in.imm = 0;
    bare.in = &in;
    plan->pc = simt_pc(x->g, x->in);
    plan->epoch = x->g->run->epoch;
    plan->lowest = UINT64_MAX;
    plan->highest = 0;
    for (uint32_t lane = 0; lane < x->g->lanes; lane += CHUNK) {
        addresses(at, &bare, lane);
        enum pattern p = pattern_of(at, size);
        all = !lane || p == all ? p : SCATTERED;
        plan->first[lane / CHUNK] = at[0];
        uint64_t low = MIN(at[0], at[CHUNK - 1]), high = MAX(at[0], at[CHUNK - 1]);
        bits |= at[0];
        for (int i = 0; p == SCATTERED && i < CHUNK; i++) {
            low = MIN(low, at[i]);
            high = MAX(high, at[i]);
            bits |= at[i];
        }
        plan->lowest = MIN(plan->lowest, low);
        plan->highest = MAX(plan->highest, high);
    }
    plan->low_bits = bits & 7;
    plan->all = (uint8_t) all;
}

/* Loads by a plan that has been checked. The two loops without a choice are the usual ones. */
static ALWAYS_INLINE void follow_plan(struct access *x, uint8_t *d, const struct simt_plan *plan,
                                      struct elem e)
{
    uint32_t lanes = x->g->lanes;
    uint64_t off = (uint64_t) x->in->imm, at[CHUNK];
    const uint64_t *first = plan->first;
    for (uint32_t lane = 0; lane < lanes && plan->all == EQUAL;
         lane += CHUNK, d += chunk_bytes(e.wide))
        splat_chunk(d, get(pointer(*first++ + off), e.size, e.sign), e);
    for (uint32_t lane = 0; lane < lanes && plan->all == CONSECUTIVE;
         lane += CHUNK, d += chunk_bytes(e.wide))
        copy_chunk(d, *first++ + off, e);
    for (uint32_t lane = 0; lane < lanes && plan->all == SCATTERED;
         lane += CHUNK, d += chunk_bytes(e.wide)) {
        addresses(at, x, lane);
        gather_chunk(d, at, e);
    }
}

/* Finds the plan of an earlier load, or makes it. NULL: there is none, or not all lanes may. */
static ALWAYS_INLINE const struct simt_plan *find_plan(struct access *x, unsigned size)
{
    const struct simt_insn *in = x->in;
    struct simt_plan *plan = &x->g->run->plans[in->x[2] - 1];
    uint64_t off = (uint64_t) in->imm;
    if (in->e == simt_pc(x->g, in))
        make_plan(plan, x, size);
    else if (plan->pc != in->e || plan->epoch != x->g->run->epoch)
        return NULL;
    if ((plan->low_bits | off) & (size - 1) ||
        !reach(x, plan->lowest + off, plan->highest - plan->lowest + size))
        return NULL;
    return plan;
}

/* Any gang, sixteen lanes at a time, and lane by lane where some are off or may not. */
static ALWAYS_INLINE enum simt_flow load_chunks(struct access *x, uint8_t *d, struct elem e)
{
    const struct simt_gang *g = x->g;
    uint64_t at[CHUNK];
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        uint32_t on = g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
        if (!on)
            continue;
        addresses(at, x, lane);
        if (LIKELY(on == CHUNK_ALL) && LIKELY(load_chunk(x, d, lane, at, e)))
            continue;
        for (; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            if (UNLIKELY(!lane_may(x, at[i], lane + i)))
                return simt_refuse(x, at[i], lane + i);
            column_set(d, e.wide, lane + i, get(pointer(at[i]), e.size, e.sign));
        }
    }
    return SIMT_NEXT;
}

/* Each way on its own, so that none makes another spill its registers. */
#define LOAD(name, ...)                                                                   \
    static const struct elem name##_elem = {__VA_ARGS__};                                 \
    NO_TSAN NO_INLINE static void name##_follow(struct access *x, uint8_t *d,             \
                                                const struct simt_plan *plan)             \
    {                                                                                     \
        follow_plan(x, d, plan, name##_elem);                                             \
    }                                                                                     \
    NO_TSAN NO_INLINE static enum simt_flow name##_chunks(struct access *x, uint8_t *d)   \
    {                                                                                     \
        return load_chunks(x, d, name##_elem);                                            \
    }                                                                                     \
    NO_TSAN enum simt_flow SIMT_X(name)(struct simt_gang * g, const struct simt_insn *in) \
    {                                                                                     \
        struct access x;                                                                  \
        uint8_t *d = SIMT_LANES(g, uint8_t, in->d);                                       \
        const struct simt_plan *plan;                                                     \
        access_begin(&x, g, in, name##_elem.size, false);                                 \
        if (in->x[0] == SIMT_AT_SHARED || in->x[0] == SIMT_AT_PARAM)                      \
            return load_same(&x, d, name##_elem);                                         \
        if (g->run->whole && in->x[2] && (plan = find_plan(&x, name##_elem.size))) {      \
            name##_follow(&x, d, plan);                                                   \
            return SIMT_NEXT;                                                             \
        }                                                                                 \
        if (is_whole_row(&x) && load_row(&x, d, name##_elem))                             \
            return SIMT_NEXT;                                                             \
        return name##_chunks(&x, d);                                                      \
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

/* `c` is the chunk's part of the column. */
static ALWAYS_INLINE void write_chunk(const uint8_t *c, uint64_t to, struct elem e)
{
    uint8_t *p = (uint8_t *) (uintptr_t) to;
    uint64_t v[CHUNK];
    EACH (i)
        v[i] = column_get(c, e.wide, i);
    EACH (i)
        set(p + i * e.size, e.size, v[i]);
}

static ALWAYS_INLINE bool store_chunk(struct access *x, const uint8_t *c, uint32_t lane,
                                      const uint64_t *at, struct elem e)
{
    enum pattern p = x->in->x[1] == PTX_LOCAL ? SCATTERED : pattern_of(at, e.size);
    c += lane / CHUNK * chunk_bytes(e.wide);
    if (p == CONSECUTIVE && !(at[0] & (e.size - 1)) && reach(x, at[0], CHUNK * e.size)) {
        write_chunk(c, at[0], e);
        return true;
    }
    if (!all_may(x, at, lane))
        return false;
    EACH (i)
        set((void *) (uintptr_t) at[i], e.size, column_get(c, e.wide, i));
    return true;
}

static ALWAYS_INLINE bool store_row(struct access *x, const uint8_t *c, struct elem e)
{
    const struct simt_gang *g = x->g;
    const uint64_t *a = SIMT_LANES(g, uint64_t, x->in->a);
    uint64_t to = a[0] + (uint64_t) x->in->imm;
    if (!is_row(a, g->lanes, e.size) || to & (e.size - 1) ||
        !reach(x, to, (uint64_t) g->lanes * e.size))
        return false;
    for (uint32_t lane = 0; lane < g->lanes;
         lane += CHUNK, to += CHUNK * e.size, c += chunk_bytes(e.wide))
        write_chunk(c, to, e);
    return true;
}

static ALWAYS_INLINE enum simt_flow store_chunks(struct access *x, const uint8_t *c, struct elem e)
{
    const struct simt_gang *g = x->g;
    uint64_t at[CHUNK];
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        uint32_t on = g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
        if (!on)
            continue;
        addresses(at, x, lane);
        if (LIKELY(on == CHUNK_ALL) && LIKELY(store_chunk(x, c, lane, at, e)))
            continue;
        for (; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            if (UNLIKELY(!lane_may(x, at[i], lane + i)))
                return simt_refuse(x, at[i], lane + i);
            set((void *) (uintptr_t) at[i], e.size, column_get(c, e.wide, lane + i));
        }
    }
    return SIMT_NEXT;
}

#define STORE(name, ...)                                                                      \
    static const struct elem name##_elem = {__VA_ARGS__};                                     \
    NO_TSAN NO_INLINE static enum simt_flow name##_chunks(struct access *x, const uint8_t *c) \
    {                                                                                         \
        return store_chunks(x, c, name##_elem);                                               \
    }                                                                                         \
    NO_TSAN enum simt_flow SIMT_X(name)(struct simt_gang * g, const struct simt_insn *in)     \
    {                                                                                         \
        struct access x;                                                                      \
        const uint8_t *c = SIMT_LANES(g, uint8_t, in->c);                                     \
        access_begin(&x, g, in, name##_elem.size, true);                                      \
        if (is_whole_row(&x) && store_row(&x, c, name##_elem))                                \
            return SIMT_NEXT;                                                                 \
        return name##_chunks(&x, c);                                                          \
    }
STORE(ST_8_32, 1, false, false)
STORE(ST_16_32, 2, false, false)
STORE(ST_32_32, 4, false, false)
STORE(ST_8_64, 1, false, true)
STORE(ST_16_64, 2, false, true)
STORE(ST_32_64, 4, false, true)
STORE(ST_64_64, 8, false, true)

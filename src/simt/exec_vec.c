/* The rarer memory operations: vectors, ordered accesses, addresses themselves. Compiled once for
 * each build of the exec files, as micro.def's rows ask. Device memory is raced on by rights: no
 * sanitizer looks here. Not here: plain loads and stores (exec_mem.c), atomics (exec_atom.c). */
#include "simt/isa.h"
#include "simt/reach.h"

/* ---- vectors ---- */

/* Calls F(size, sign, wide) with constants. */
#define BY_ELEMENT(code, F)                     \
    switch (code) {                             \
    case 0:                                     \
        F(1, false, false);                     \
        break;                                  \
    case SIMT_ELEM_SIGNED:                      \
        F(1, true, false);                      \
        break;                                  \
    case 1:                                     \
        F(2, false, false);                     \
        break;                                  \
    case 1 | SIMT_ELEM_SIGNED:                  \
        F(2, true, false);                      \
        break;                                  \
    case SIMT_ELEM_WIDE:                        \
        F(1, false, true);                      \
        break;                                  \
    case SIMT_ELEM_WIDE | SIMT_ELEM_SIGNED:     \
        F(1, true, true);                       \
        break;                                  \
    case SIMT_ELEM_WIDE | 1:                    \
        F(2, false, true);                      \
        break;                                  \
    case SIMT_ELEM_WIDE | SIMT_ELEM_SIGNED | 1: \
        F(2, true, true);                       \
        break;                                  \
    case SIMT_ELEM_WIDE | 2:                    \
        F(4, false, true);                      \
        break;                                  \
    case SIMT_ELEM_WIDE | SIMT_ELEM_SIGNED | 2: \
        F(4, true, true);                       \
        break;                                  \
    case SIMT_ELEM_WIDE | 3:                    \
    case SIMT_ELEM_WIDE | SIMT_ELEM_SIGNED | 3: \
        F(8, false, true);                      \
        break;                                  \
    default:                                    \
        F(4, false, false);                     \
        break;                                  \
    }

/* Sixteen lanes on their way. */
struct chunk {
    uint32_t lane, on; /* the first, and which of them */
    uint64_t at[CHUNK];
};

/* One element of a chunk's lanes, `off` bytes from their addresses. */
static ALWAYS_INLINE void load_element(uint8_t *d, const struct chunk *c, uint64_t off,
                                       struct elem e)
{
    uint64_t v[CHUNK];
    d += c->lane * (e.wide ? 8 : 4);
    if (c->on == CHUNK_ALL) {
        EACH (i)
            v[i] = get(pointer(c->at[i] + off), e.size, e.sign);
        EACH (i)
            column_set(d, e.wide, i, v[i]);
        return;
    }
    for (uint32_t on = c->on; on; on &= on - 1) {
        uint32_t i = (uint32_t) __builtin_ctz(on);
        column_set(d, e.wide, i, get(pointer(c->at[i] + off), e.size, e.sign));
    }
}

static ALWAYS_INLINE void store_element(const uint8_t *from, const struct chunk *c, uint64_t off,
                                        struct elem e)
{
    from += c->lane * (e.wide ? 8 : 4);
    for (uint32_t on = c->on; on; on &= on - 1) {
        uint32_t i = (uint32_t) __builtin_ctz(on);
        set((void *) (uintptr_t) (c->at[i] + off), e.size, column_get(from, e.wide, i));
    }
}

enum ready { OFF, READY, REFUSED };

/* The chunk from `lane` on: which lanes are on, where they point, and whether all of them may. */
static ALWAYS_INLINE enum ready chunk_begin(struct chunk *c, struct access *x, uint32_t lane)
{
    c->lane = lane;
    c->on = x->g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
    if (!c->on)
        return OFF;
    addresses(c->at, x, lane);
    if (c->on == CHUNK_ALL && all_may(x, c->at, lane))
        return READY;
    for (uint32_t on = c->on; on; on &= on - 1) {
        uint32_t i = (uint32_t) __builtin_ctz(on);
        if (!lane_may(x, c->at[i], lane + i)) {
            simt_refuse(x, c->at[i], lane + i);
            return REFUSED;
        }
    }
    return READY;
}

static uint32_t element_size(const struct simt_insn *in)
{
    return UINT32_C(1) << (in->x[3] & 3);
}

/* Do all lanes of a gang without gaps point at one place? Then that place. */
static bool same_address(uint64_t *at, const struct access *x)
{
    const struct simt_gang *g = x->g;
    const struct simt_insn *in = x->in;
    uint64_t off = 0;
    if (in->x[0] == SIMT_AT_SHARED || in->x[0] == SIMT_AT_PARAM) {
        *at = uniform_address(x);
        return true;
    }
    if (!g->run->whole || in->x[0] == SIMT_AT_LOCAL || in->x[1] == PTX_LOCAL)
        return false;
    const uint64_t *wide = SIMT_LANES(g, uint64_t, in->a);
    const uint32_t *narrow = SIMT_LANES(g, uint32_t, in->a);
    size_t lanes = g->lanes;
    if (in->x[0] == SIMT_AT_64) {
        *at = wide[0] + (uint64_t) in->imm;
        if (wide[lanes - 1] != wide[0])
            return false;
        for (size_t i = 0; i < lanes; i++)
            off |= wide[i] ^ wide[0];
        return !off;
    }
    *at = (uint32_t) (narrow[0] + (uint32_t) in->imm);
    if (narrow[lanes - 1] != narrow[0])
        return false;
    for (size_t i = 0; i < lanes; i++)
        off |= narrow[i] ^ narrow[0];
    return !off;
}

/* All lanes read the same place, if they may: no lane's local memory is another's. */
NO_TSAN static bool load_same(struct access *x, const uint32_t *slots)
{
    struct simt_gang *g = x->g;
    uint64_t at;
    if (!same_address(&at, x) || at & (x->width - 1) || !reach(x, at, x->width))
        return false;
    for (uint32_t k = 0; k < x->in->x[2]; k++) {
        uint8_t *d = SIMT_LANES(g, uint8_t, slots[k]);
#define ELEMENT(bytes, sign, wide) \
    splat(g, d, wide, get(pointer(at + (uint64_t) k * (bytes)), bytes, sign))
        BY_ELEMENT(x->in->x[3], ELEMENT)
#undef ELEMENT
    }
    return true;
}

NO_TSAN enum simt_flow SIMT_X(LDV)(struct simt_gang *g, const struct simt_insn *in)
{
    struct access x;
    struct chunk c;
    const uint32_t *slots = g->block->grid->code->lists + in->e;
    uint32_t size = element_size(in);
    access_begin(&x, g, in, size * in->x[2], false);
    if (load_same(&x, slots))
        return SIMT_NEXT;
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        enum ready ready = chunk_begin(&c, &x, lane);
        if (ready == REFUSED)
            return SIMT_TRAP;
        if (ready == OFF)
            continue;
        for (uint32_t k = 0; k < in->x[2]; k++) {
            uint8_t *d = SIMT_LANES(g, uint8_t, slots[k]);
#define ELEMENT(bytes, ...) \
    load_element(d, &c, (uint64_t) k *(bytes), (struct elem){bytes, __VA_ARGS__})
            BY_ELEMENT(in->x[3], ELEMENT)
#undef ELEMENT
        }
    }
    return SIMT_NEXT;
}

NO_TSAN enum simt_flow SIMT_X(STV)(struct simt_gang *g, const struct simt_insn *in)
{
    struct access x;
    struct chunk c;
    const uint32_t *slots = g->block->grid->code->lists + in->e;
    uint32_t size = element_size(in);
    access_begin(&x, g, in, size * in->x[2], true);
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        enum ready ready = chunk_begin(&c, &x, lane);
        if (ready == REFUSED)
            return SIMT_TRAP;
        if (ready == OFF)
            continue;
        for (uint32_t k = 0; k < in->x[2]; k++) {
            const uint8_t *from = SIMT_LANES(g, uint8_t, slots[k]);
#define ELEMENT(bytes, ...) \
    store_element(from, &c, (uint64_t) k *(bytes), (struct elem){bytes, __VA_ARGS__})
            BY_ELEMENT(in->x[3], ELEMENT)
#undef ELEMENT
        }
    }
    return SIMT_NEXT;
}

/* ---- ordered accesses: C11 atomics, lane by lane ---- */

static uint64_t get_ordered(uint64_t address, uint32_t size, bool acquire)
{
    memory_order order = acquire ? memory_order_acquire : memory_order_relaxed;
    void *p = (void *) (uintptr_t) address;
    switch (size) {
    case 1:
        return atomic_load_explicit((_Atomic uint8_t *) p, order);
    case 2:
        return atomic_load_explicit((_Atomic uint16_t *) p, order);
    case 4:
        return atomic_load_explicit((_Atomic uint32_t *) p, order);
    default:
        return atomic_load_explicit((_Atomic uint64_t *) p, order);
    }
}

static void set_ordered(uint64_t address, uint32_t size, uint64_t v, bool release)
{
    memory_order order = release ? memory_order_release : memory_order_relaxed;
    void *p = (void *) (uintptr_t) address;
    switch (size) {
    case 1:
        atomic_store_explicit((_Atomic uint8_t *) p, (uint8_t) v, order);
        break;
    case 2:
        atomic_store_explicit((_Atomic uint16_t *) p, (uint16_t) v, order);
        break;
    case 4:
        atomic_store_explicit((_Atomic uint32_t *) p, (uint32_t) v, order);
        break;
    default:
        atomic_store_explicit((_Atomic uint64_t *) p, v, order);
        break;
    }
}

static uint64_t extend(uint64_t v, uint32_t size, bool sign)
{
    unsigned unused = 64 - 8 * size;
    return sign ? (uint64_t) ((int64_t) (v << unused) >> unused) : v;
}

NO_TSAN enum simt_flow SIMT_X(LDO)(struct simt_gang *g, const struct simt_insn *in)
{
    struct access x;
    struct chunk c;
    uint32_t size = element_size(in);
    uint8_t *d = SIMT_LANES(g, uint8_t, in->d);
    access_begin(&x, g, in, size, false);
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        enum ready ready = chunk_begin(&c, &x, lane);
        if (ready == REFUSED)
            return SIMT_TRAP;
        if (ready == OFF)
            continue;
        for (uint32_t on = c.on; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            uint64_t v = get_ordered(c.at[i], size, in->f & SIMT_ACQUIRE);
            column_set(d, in->x[3] & SIMT_ELEM_WIDE, lane + i,
                       extend(v, size, in->x[3] & SIMT_ELEM_SIGNED));
        }
    }
    return SIMT_NEXT;
}

NO_TSAN enum simt_flow SIMT_X(STO)(struct simt_gang *g, const struct simt_insn *in)
{
    struct access x;
    struct chunk c;
    uint32_t size = element_size(in);
    const uint8_t *from = SIMT_LANES(g, uint8_t, in->c);
    access_begin(&x, g, in, size, true);
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        enum ready ready = chunk_begin(&c, &x, lane);
        if (ready == REFUSED)
            return SIMT_TRAP;
        if (ready == OFF)
            continue;
        for (uint32_t on = c.on; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            set_ordered(c.at[i], size, column_get(from, in->x[3] & SIMT_ELEM_WIDE, lane + i),
                        in->f & SIMT_RELEASE);
        }
    }
    return SIMT_NEXT;
}

/* ---- addresses ---- */

enum simt_flow SIMT_X(ADDRESS)(struct simt_gang *g, const struct simt_insn *in)
{
    struct access x = {.g = g, .in = in};
    uint64_t at[CHUNK];
    uint8_t *d = SIMT_LANES(g, uint8_t, in->d);
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        uint32_t on = g->full ? CHUNK_ALL : g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
        addresses(at, &x, lane);
        for (; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on);
            column_set(d, in->x[3], lane + i, at[i]);
        }
    }
    return SIMT_NEXT;
}

/* Global memory is what is left: on a GPU, too, that is how the test works. */
static bool in_space(struct simt_gang *g, const struct simt_insn *in, uint64_t address,
                     uint32_t lane)
{
    const struct simt_block *b = g->block;
    bool shared = address - b->shared < b->shared_size;
    bool local = address - (g->run->local + lane * g->run->local_stride) < g->run->local_size;
    bool param = address - (uintptr_t) b->grid->params < b->grid->param_size;
    struct simt_hit hit;
    switch (in->x[1]) {
    case PTX_SHARED:
        return shared;
    case PTX_LOCAL:
        return local;
    case PTX_PARAM:
        return param;
    case PTX_CONST:
        return simt_space_probe(b->grid->space, address, &hit) && hit.kind == SIMT_RANGE_CONST;
    default:
        return !shared && !local && !param;
    }
}

enum simt_flow SIMT_X(ISSPACEP)(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t *d = SIMT_PRED(g, in->d);
    for (uint32_t w = 0; w < g->warps; w++) {
        uint32_t yes = 0;
        for (uint32_t m = g->on[w]; m; m &= m - 1) {
            uint32_t l = (uint32_t) __builtin_ctz(m), lane = w * SIMT_WARP + l;
            yes |= (uint32_t) in_space(g, in, SIMT_LANES(g, uint64_t, in->a)[lane], lane) << l;
        }
        d[w] = (d[w] & ~g->on[w]) | yes;
    }
    return SIMT_NEXT;
}

/* Atomics and reductions, lane by lane in order, so that a block's results do not vary. In shared
 * memory they are plain, because one thread runs a block; elsewhere they are the machine's, with
 * compare-and-swap loops for what it lacks. Compiled once for each build of the exec files, as
 * micro.def's rows ask. */
#include <math.h>
#include <string.h>

#include "simt/isa.h"
#include "simt/reach.h"

/* atom.add.f32 on global memory flushes subnormals, on shared memory it does not (PTX ISA, atom).
 * */
static float flush(float x, bool on)
{
    return on && fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

static uint64_t add(unsigned type, uint64_t old, uint64_t b, bool ftz)
{
    if (type == PTX_F32) {
        uint32_t bits[2] = {(uint32_t) old, (uint32_t) b};
        float v[2];
        memcpy(v, bits, sizeof v);
        v[0] = flush(flush(v[0], ftz) + flush(v[1], ftz), ftz);
        memcpy(bits, v, sizeof v[0]);
        return bits[0];
    }
    if (type == PTX_F64) {
        double x, y;
        memcpy(&x, &old, sizeof x);
        memcpy(&y, &b, sizeof y);
        x += y;
        memcpy(&old, &x, sizeof old);
        return old;
    }
    return old + b;
}

static bool less(unsigned type, uint64_t x, uint64_t y)
{
    switch (type) {
    case PTX_S32:
        return (int32_t) x < (int32_t) y;
    case PTX_S64:
        return (int64_t) x < (int64_t) y;
    default:
        return x < y;
    }
}

/* What the operation leaves in memory. Operands of 16 and 32 bits come zero-extended; surplus bits
 * of the result are dropped. */
static uint64_t apply(const struct simt_insn *in, uint64_t old, uint64_t b, uint64_t c, bool ftz)
{
    unsigned type = in->x[3];
    switch (in->x[2]) {
    case SIMT_ATOM_ADD:
        return add(type, old, b, ftz);
    case SIMT_ATOM_MIN:
        return less(type, b, old) ? b : old;
    case SIMT_ATOM_MAX:
        return less(type, old, b) ? b : old;
    case SIMT_ATOM_AND:
        return old & b;
    case SIMT_ATOM_OR:
        return old | b;
    case SIMT_ATOM_XOR:
        return old ^ b;
    case SIMT_ATOM_INC:
        return old >= b ? 0 : old + 1;
    case SIMT_ATOM_DEC:
        return !old || old > b ? b : old - 1;
    case SIMT_ATOM_EXCH:
        return b;
    default:
        return old == b ? c : old; /* CAS */
    }
}

/* One access of `bits` wide memory, in a loop until nobody has come between. */
#define SWAP(bits)                                                                               \
    static uint64_t swap##bits(uint64_t at, const struct simt_insn *in, uint64_t b, uint64_t c)  \
    {                                                                                            \
        _Atomic uint##bits##_t *p = (_Atomic uint##bits##_t *) (uintptr_t) at;                   \
        uint##bits##_t old = atomic_load_explicit(p, memory_order_relaxed);                      \
        while (                                                                                  \
            !atomic_compare_exchange_weak(p, &old, (uint##bits##_t) apply(in, old, b, c, true))) \
            continue;                                                                            \
        return old;                                                                              \
    }
SWAP(16)
SWAP(32)
SWAP(64)

static uint64_t shared_op(uint64_t at, const struct simt_insn *in, uint32_t size, uint64_t b,
                          uint64_t c)
{
    uint64_t old = get((const void *) (uintptr_t) at, size, false);
    set((void *) (uintptr_t) at, size, apply(in, old, b, c, false));
    return old;
}

static uint64_t global_op(uint64_t at, const struct simt_insn *in, uint32_t size, uint64_t b,
                          uint64_t c)
{
    bool integer = in->x[3] != PTX_F32 && in->x[3] != PTX_F64;
    if (in->x[2] == SIMT_ATOM_ADD && integer && size == 4)
        return atomic_fetch_add((_Atomic uint32_t *) (uintptr_t) at, (uint32_t) b);
    if (in->x[2] == SIMT_ATOM_ADD && integer && size == 8)
        return atomic_fetch_add((_Atomic uint64_t *) (uintptr_t) at, b);
    return size == 2   ? swap16(at, in, b, c)
           : size == 4 ? swap32(at, in, b, c)
                       : swap64(at, in, b, c);
}

static uint32_t size_of(const struct simt_insn *in)
{
    return ptx_types[in->x[3]].bits / 8;
}

NO_TSAN enum simt_flow SIMT_X(ATOM)(struct simt_gang *g, const struct simt_insn *in)
{
    struct access x;
    uint64_t at[CHUNK];
    uint32_t size = size_of(in);
    bool wide = size == 8, cas = in->x[2] == SIMT_ATOM_CAS, wants = in->d != SIMT_NO_SLOT;
    uint64_t keep = wide ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
    const uint8_t *b = SIMT_LANES(g, uint8_t, in->b),
                  *c = SIMT_LANES(g, uint8_t, cas ? in->c : in->b);
    uint8_t *d = SIMT_LANES(g, uint8_t, wants ? in->d : in->b);
    access_begin(&x, g, in, size, true);
    x.atomic = g->run->noisy = true;
    for (uint32_t lane = 0; lane < g->lanes; lane += CHUNK) {
        uint32_t on = g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & CHUNK_ALL;
        if (!on)
            continue;
        addresses(at, &x, lane);
        for (; on; on &= on - 1) {
            uint32_t i = (uint32_t) __builtin_ctz(on), l = lane + i;
            if (UNLIKELY(!lane_may(&x, at[i], l)))
                return simt_refuse(&x, at[i], l);
            uint64_t vb = column_get(b, wide, l) & keep, vc = column_get(c, wide, l) & keep;
            bool shared = at[i] - g->block->shared < g->block->shared_size;
            uint64_t old =
                shared ? shared_op(at[i], in, size, vb, vc) : global_op(at[i], in, size, vb, vc);
            if (wants)
                column_set(d, wide, l, old);
        }
    }
    return SIMT_NEXT;
}

/* What an exec file needs to make vector functions out of the rows of micro.def, once for each
 * instruction set (SIMT_ISA). An exec file defines EMIT_<unit>(...) as __VA_ARGS__ for the units it
 * makes, then includes this header, then micro.def.
 *
 * A function goes over the warps of the gang; the inner loop has 32 lanes, so that compilers unroll
 * it into whole vectors. The destination may be a source: a lane's sources are read before its
 * result is written, and nothing else is promised to the compiler (no restrict). A warp in which
 * only some lanes are on computes all of them and blends. */
#ifndef SIMT_EXEC_H
#define SIMT_EXEC_H

#include <string.h>

#include "simt/fp.h"
#include "simt/gang.h"
#include "simt/isa.h"

/* Lanes of an inner loop do not depend on each other; clang vectorises only when told. */
#if defined(__clang__)
#define SIMT_EACH                                                                                  \
    _Pragma("clang loop vectorize(assume_safety) interleave(disable)") for (int j = 0;             \
                                                                            j < SIMT_WARP; j++)
#else
#define SIMT_EACH _Pragma("GCC ivdep") for (int j = 0; j < SIMT_WARP; j++)
#endif

/* A bit for each lane of a warp: variable shifts do not vectorise everywhere, comparing with a
 * table does. */
static const uint32_t simt_bit[SIMT_WARP] = {
    1u << 0,  1u << 1,  1u << 2,  1u << 3,  1u << 4,  1u << 5,  1u << 6,  1u << 7,
    1u << 8,  1u << 9,  1u << 10, 1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15,
    1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23,
    1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31,
};

/* Writes t to the lanes of d whose bit is set. */
static MAYBE_UNUSED NO_INLINE void simt_blend32(void *d, const void *t, uint32_t on)
{
    uint32_t *to = d;
    const uint32_t *from = t;
    SIMT_EACH {
        uint32_t m = on & simt_bit[j] ? ~0u : 0;
        to[j] ^= (to[j] ^ from[j]) & m;
    }
}

static MAYBE_UNUSED NO_INLINE void simt_blend64(void *d, const void *t, uint32_t on)
{
    uint64_t *to = d;
    const uint64_t *from = t;
    SIMT_EACH {
        uint64_t m = on & simt_bit[j] ? ~UINT64_C(0) : 0;
        to[j] ^= (to[j] ^ from[j]) & m;
    }
}

/* One bit a lane out of 0 or -1 a lane. */
static ALWAYS_INLINE uint32_t simt_pack(const int32_t t[SIMT_WARP])
{
#if defined(__AVX512DQ__)
    return (uint32_t) _mm512_movepi32_mask(_mm512_loadu_si512(t))
        | (uint32_t) _mm512_movepi32_mask(_mm512_loadu_si512(t + 16)) << 16;
#elif defined(__AVX2__)
    uint32_t bits = 0;
    for (int k = 0; k < 4; k++)
        bits |= (uint32_t) _mm256_movemask_ps(_mm256_loadu_ps((const float *) t + 8 * k)) << 8 * k;
    return bits;
#elif defined(__SSE2__)
    uint32_t bits = 0;
    for (int k = 0; k < 8; k++)
        bits |= (uint32_t) _mm_movemask_ps(_mm_loadu_ps((const float *) t + 4 * k)) << 4 * k;
    return bits;
#else
    uint32_t bits = 0;
    for (int k = 0; k < SIMT_WARP; k++)
        bits |= (uint32_t) t[k] & simt_bit[k];
    return bits;
#endif
}

/* ---- types of operands: the C type of a value, and of the column's element it stands in ---- */

typedef uint8_t simt_u8;
typedef int8_t simt_s8;
typedef uint16_t simt_u16;
typedef int16_t simt_s16;
typedef uint32_t simt_u32;
typedef int32_t simt_s32;
typedef uint64_t simt_u64;
typedef int64_t simt_s64;
typedef float simt_f32;
typedef double simt_f64;

#define SIMT_CELL_u8 uint32_t
#define SIMT_CELL_s8 int32_t
#define SIMT_CELL_u16 uint32_t
#define SIMT_CELL_s16 int32_t
#define SIMT_CELL_u32 uint32_t
#define SIMT_CELL_s32 int32_t
#define SIMT_CELL_u64 uint64_t
#define SIMT_CELL_s64 int64_t
#define SIMT_CELL_f32 float
#define SIMT_CELL_f64 double

/* Sources: AT_ finds the lanes of an operand, GET_ reads lane j, STEP_ goes to the next warp. */
#define AT_CELLS(type, o, slot)                                                                    \
    const SIMT_CELL_##type *at_##o = SIMT_LANES(g, const SIMT_CELL_##type, slot);
#define AT_BITS(o, slot) const uint32_t *at_##o = SIMT_PRED(g, slot);
#define AT_none(o, slot)
#define AT_u8(o, slot) AT_CELLS(u8, o, slot)
#define AT_s8(o, slot) AT_CELLS(s8, o, slot)
#define AT_u16(o, slot) AT_CELLS(u16, o, slot)
#define AT_s16(o, slot) AT_CELLS(s16, o, slot)
#define AT_u32(o, slot) AT_CELLS(u32, o, slot)
#define AT_s32(o, slot) AT_CELLS(s32, o, slot)
#define AT_u64(o, slot) AT_CELLS(u64, o, slot)
#define AT_s64(o, slot) AT_CELLS(s64, o, slot)
#define AT_f32(o, slot) AT_CELLS(f32, o, slot)
#define AT_f64(o, slot) AT_CELLS(f64, o, slot)
#define AT_pred(o, slot) AT_BITS(o, slot)
#define AT_word(o, slot) AT_BITS(o, slot)

#define GET_CELL(type, o) MAYBE_UNUSED const simt_##type o = (simt_##type) at_##o[j];
#define GET_none(o)
#define GET_u8(o) GET_CELL(u8, o)
#define GET_s8(o) GET_CELL(s8, o)
#define GET_u16(o) GET_CELL(u16, o)
#define GET_s16(o) GET_CELL(s16, o)
#define GET_u32(o) GET_CELL(u32, o)
#define GET_s32(o) GET_CELL(s32, o)
#define GET_u64(o) GET_CELL(u64, o)
#define GET_s64(o) GET_CELL(s64, o)
#define GET_f32(o) GET_CELL(f32, o)
#define GET_f64(o) GET_CELL(f64, o)
#define GET_pred(o) const bool o = (*at_##o & simt_bit[j]) != 0;
#define GET_word(o) const uint32_t o = *at_##o;

#define STEP_none(o)
#define STEP_u8(o) at_##o += SIMT_WARP;
#define STEP_s8(o) at_##o += SIMT_WARP;
#define STEP_u16(o) at_##o += SIMT_WARP;
#define STEP_s16(o) at_##o += SIMT_WARP;
#define STEP_u32(o) at_##o += SIMT_WARP;
#define STEP_s32(o) at_##o += SIMT_WARP;
#define STEP_u64(o) at_##o += SIMT_WARP;
#define STEP_s64(o) at_##o += SIMT_WARP;
#define STEP_f32(o) at_##o += SIMT_WARP;
#define STEP_f64(o) at_##o += SIMT_WARP;
#define STEP_pred(o) at_##o++;
#define STEP_word(o) at_##o++;

/* Destinations: OVER_ goes over the warps. `gets` and `steps` are those of the sources. */
#define OVER_CELLS(type, blend, gets, steps, ...)                                                  \
    SIMT_CELL_##type *d = SIMT_LANES(g, SIMT_CELL_##type, in->d);                                  \
    if (g->full) {                                                                                 \
        for (uint32_t w = 0; w < warps; w++, d += SIMT_WARP) {                                  \
            SIMT_EACH { gets d[j] = (SIMT_CELL_##type) (simt_##type) (__VA_ARGS__); }              \
            steps                                                                                  \
        }                                                                                          \
    } else {                                                                                       \
        for (uint32_t w = 0; w < warps; w++, d += SIMT_WARP) {                                  \
            const uint32_t on = g->on[w];                                                          \
            if (on) {                                                                              \
                SIMT_CELL_##type t[SIMT_WARP];                                                     \
                SIMT_CELL_##type *to = on == ~0u ? d : t;                                          \
                SIMT_EACH { gets to[j] = (SIMT_CELL_##type) (simt_##type) (__VA_ARGS__); }         \
                if (on != ~0u)                                                                     \
                    blend(d, t, on);                                                               \
            }                                                                                      \
            steps                                                                                  \
        }                                                                                          \
    }
#define OVER_u8(...) OVER_CELLS(u8, simt_blend32, __VA_ARGS__)
#define OVER_s8(...) OVER_CELLS(s8, simt_blend32, __VA_ARGS__)
#define OVER_u16(...) OVER_CELLS(u16, simt_blend32, __VA_ARGS__)
#define OVER_s16(...) OVER_CELLS(s16, simt_blend32, __VA_ARGS__)
#define OVER_u32(...) OVER_CELLS(u32, simt_blend32, __VA_ARGS__)
#define OVER_s32(...) OVER_CELLS(s32, simt_blend32, __VA_ARGS__)
#define OVER_f32(...) OVER_CELLS(f32, simt_blend32, __VA_ARGS__)
#define OVER_u64(...) OVER_CELLS(u64, simt_blend64, __VA_ARGS__)
#define OVER_s64(...) OVER_CELLS(s64, simt_blend64, __VA_ARGS__)
#define OVER_f64(...) OVER_CELLS(f64, simt_blend64, __VA_ARGS__)

/* A predicate computed lane by lane, and one computed a warp at a time. */
#define OVER_pred(gets, steps, ...)                                                                \
    uint32_t *d = SIMT_PRED(g, in->d);                                                             \
    for (uint32_t w = 0; w < warps; w++, d++) {                                                 \
        const uint32_t on = g->full ? ~0u : g->on[w];                                              \
        if (on) {                                                                                  \
            int32_t t[SIMT_WARP];                                                                  \
            SIMT_EACH { gets t[j] = (__VA_ARGS__) ? -1 : 0; }                                      \
            *d = (*d & ~on) | (simt_pack(t) & on);                                                 \
        }                                                                                          \
        steps                                                                                      \
    }
#define OVER_word(gets, steps, ...)                                                                \
    uint32_t *d = SIMT_PRED(g, in->d);                                                             \
    for (uint32_t w = 0; w < warps; w++, d++) {                                                 \
        const uint32_t on = g->full ? ~0u : g->on[w];                                              \
        gets                                                                                       \
        *d = (*d & ~on) | ((__VA_ARGS__) & on);                                                    \
        steps                                                                                      \
    }

/* ---- units: which exec file makes a row; _rz, _rm, _rp: under that rounding mode ---- */

#define MODE_int(...) __VA_ARGS__
#define MODE_flt(...) __VA_ARGS__
#define MODE_cvt(...) __VA_ARGS__
#define MODE_cmp(...) __VA_ARGS__
#define MODE_IN(mode, ...)                                                                         \
    const unsigned saved = fp_round_begin(mode);                                                   \
    __VA_ARGS__                                                                                    \
    fp_round_end(saved);
#define MODE_flt_rz(...) MODE_IN(FP_RZ, __VA_ARGS__)
#define MODE_flt_rm(...) MODE_IN(FP_RM, __VA_ARGS__)
#define MODE_flt_rp(...) MODE_IN(FP_RP, __VA_ARGS__)
#define MODE_cvt_rz(...) MODE_IN(FP_RZ, __VA_ARGS__)
#define MODE_cvt_rm(...) MODE_IN(FP_RM, __VA_ARGS__)
#define MODE_cvt_rp(...) MODE_IN(FP_RP, __VA_ARGS__)

#ifndef EMIT_int
#define EMIT_int(...)
#endif
#ifndef EMIT_flt
#define EMIT_flt(...)
#endif
#ifndef EMIT_cvt
#define EMIT_cvt(...)
#endif
#ifndef EMIT_cmp
#define EMIT_cmp(...)
#endif
#define EMIT_flt_rz(...) EMIT_flt(__VA_ARGS__)
#define EMIT_flt_rm(...) EMIT_flt(__VA_ARGS__)
#define EMIT_flt_rp(...) EMIT_flt(__VA_ARGS__)
#define EMIT_cvt_rz(...) EMIT_cvt(__VA_ARGS__)
#define EMIT_cvt_rm(...) EMIT_cvt(__VA_ARGS__)
#define EMIT_cvt_rp(...) EMIT_cvt(__VA_ARGS__)

/* The vector function of a row. Its expression sees a, b, c, e, and k: the immediate. */
#define SIMT_DEFINE(name, unit, D, A, B, C, E, ...)                                                \
    enum simt_flow SIMT_X(name)(struct simt_gang *g, const struct simt_insn *in)                   \
    {                                                                                              \
        MAYBE_UNUSED const int64_t k = in->imm;                                                    \
        const uint32_t warps = g->warps;                                                           \
        AT_##A(a, in->a) AT_##B(b, in->b) AT_##C(c, in->c) AT_##E(e, in->e)                        \
        MODE_##unit(OVER_##D(GET_##A(a) GET_##B(b) GET_##C(c) GET_##E(e),                          \
                             STEP_##A(a) STEP_##B(b) STEP_##C(c) STEP_##E(e), __VA_ARGS__))        \
        return SIMT_NEXT;                                                                          \
    }

#define OP0(name, unit, forms, D, ...)                                                             \
    EMIT_##unit(SIMT_DEFINE(name, unit, D, none, none, none, none, __VA_ARGS__))
#define OP1(name, unit, forms, D, A, ...)                                                          \
    EMIT_##unit(SIMT_DEFINE(name, unit, D, A, none, none, none, __VA_ARGS__))
#define OP2(name, unit, forms, D, A, B, ...)                                                       \
    EMIT_##unit(SIMT_DEFINE(name, unit, D, A, B, none, none, __VA_ARGS__))
#define OP3(name, unit, forms, D, A, B, C, ...)                                                    \
    EMIT_##unit(SIMT_DEFINE(name, unit, D, A, B, C, none, __VA_ARGS__))
#define OP4(name, unit, forms, D, A, B, C, E, ...)                                                 \
    EMIT_##unit(SIMT_DEFINE(name, unit, D, A, B, C, E, __VA_ARGS__))
#define OPX(name, file)

#endif

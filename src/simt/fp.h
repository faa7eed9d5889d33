/* Floating point as PTX means it, one value at a time and without branches, so that loops over
 * these vectorise. Rounding modes of operations, flushing, saturation, conversions; approximations
 * stand in approx.h. Nothing here raises an exception that anyone looks at; the mode outside
 * fp_round_begin … end is to nearest. */
#ifndef SIMT_FP_H
#define SIMT_FP_H

#include <float.h>
#include <math.h>
#include <stdatomic.h>

#include "base/base.h"

#if defined(__SSE2__)
#include <immintrin.h>
#else
#include <fenv.h>
#endif

/* ---- bits ---- */

union fp32 {
    float f;
    uint32_t u;
    int32_t s;
};

union fp64 {
    double f;
    uint64_t u;
    int64_t s;
};

static ALWAYS_INLINE uint32_t fp_bits32(float x)
{
    return (union fp32){.f = x}.u;
}

static ALWAYS_INLINE float fp_float(uint32_t u)
{
    return (union fp32){.u = u}.f;
}

static ALWAYS_INLINE uint64_t fp_bits64(double x)
{
    return (union fp64){.f = x}.u;
}

static ALWAYS_INLINE double fp_double(uint64_t u)
{
    return (union fp64){.u = u}.f;
}

/* ---- rounding modes of the processor, for a whole vector operation at a time ---- */

enum fp_mode { FP_RN, FP_RM, FP_RP, FP_RZ };

#if defined(__SSE2__)
static ALWAYS_INLINE unsigned fp_round_set(enum fp_mode mode)
{
    const unsigned saved = _mm_getcsr();
    _mm_setcsr((saved & ~0x6000u) | (unsigned) mode << 13);
    return saved;
}

static ALWAYS_INLINE void fp_round_restore(unsigned saved)
{
    _mm_setcsr(saved);
}
#else
static ALWAYS_INLINE unsigned fp_round_set(enum fp_mode mode)
{
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    const unsigned saved = (unsigned) fegetround();
    fesetround(modes[mode]);
    return saved;
}

static ALWAYS_INLINE void fp_round_restore(unsigned saved)
{
    fesetround((int) saved);
}
#endif

/* What is computed between the two must come from memory after the first and be stored before the
 * second: the fences keep compilers, which know nothing of rounding modes, from moving those
 * accesses. */
static ALWAYS_INLINE unsigned fp_round_begin(enum fp_mode mode)
{
    const unsigned saved = fp_round_set(mode);
    atomic_signal_fence(memory_order_seq_cst);
    return saved;
}

static ALWAYS_INLINE void fp_round_end(unsigned saved)
{
    atomic_signal_fence(memory_order_seq_cst);
    fp_round_restore(saved);
}

/* ---- signs, flushing, saturation ---- */

static ALWAYS_INLINE float fp_abs32(float x)
{
    return fp_float(fp_bits32(x) & 0x7fffffff);
}

static ALWAYS_INLINE double fp_abs64(double x)
{
    return fp_double(fp_bits64(x) & INT64_MAX);
}

/* The magnitude of x with the sign of s. */
static ALWAYS_INLINE float fp_sign32(float x, float s)
{
    return fp_float((fp_bits32(x) & 0x7fffffff) | (fp_bits32(s) & 0x80000000));
}

static ALWAYS_INLINE double fp_sign64(double x, double s)
{
    return fp_double((fp_bits64(x) & INT64_MAX) | (fp_bits64(s) & (uint64_t) INT64_MIN));
}

/* .ftz: a subnormal number becomes a zero of its sign. */
static ALWAYS_INLINE float ftz(float x)
{
    const uint32_t u = fp_bits32(x);
    return fp_float(u & 0x7f800000 ? u : u & 0x80000000);
}

/* .sat: into [0, 1], NaN to +0. */
static ALWAYS_INLINE float fp_sat32(float x)
{
    const float low = x > 0 ? x : 0;
    return low < 1 ? low : 1;
}

static ALWAYS_INLINE double fp_sat64(double x)
{
    const double low = x > 0 ? x : 0;
    return low < 1 ? low : 1;
}

/* ---- minimum and maximum: NaN loses, both NaN make the canonical one, -0 < +0 ---- */

static ALWAYS_INLINE float fp_min32(float a, float b)
{
    const float less = a < b ? a : b;
    const float tie = a == b ? fp_float(fp_bits32(a) | fp_bits32(b)) : less;
    const float known = a != a ? b : b != b ? a : tie;
    return known != known ? fp_float(0x7fffffff) : known;
}

static ALWAYS_INLINE float fp_max32(float a, float b)
{
    const float more = a > b ? a : b;
    const float tie = a == b ? fp_float(fp_bits32(a) & fp_bits32(b)) : more;
    const float known = a != a ? b : b != b ? a : tie;
    return known != known ? fp_float(0x7fffffff) : known;
}

static ALWAYS_INLINE double fp_min64(double a, double b)
{
    const double less = a < b ? a : b;
    const double tie = a == b ? fp_double(fp_bits64(a) | fp_bits64(b)) : less;
    const double known = a != a ? b : b != b ? a : tie;
    return known != known ? fp_double(UINT64_C(0x7fffffffffffffff)) : known;
}

static ALWAYS_INLINE double fp_max64(double a, double b)
{
    const double more = a > b ? a : b;
    const double tie = a == b ? fp_double(fp_bits64(a) & fp_bits64(b)) : more;
    const double known = a != a ? b : b != b ? a : tie;
    return known != known ? fp_double(UINT64_C(0x7fffffffffffffff)) : known;
}

/* ---- fused multiply and add ---- */

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
static ALWAYS_INLINE float fp_fma32(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
#else
/* The product of two floats is exact in double. The sum is made odd where it is not exact (Boldo
 * and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
 * odd"): then rounding it to float is the only rounding, in whichever mode the processor is,
 * because the error is found with operations that are exact in every mode. Bits do what comparisons
 * would: before AVX2 there is no vector of 64-bit comparisons. */
static ALWAYS_INLINE float fp_fma32(float a, float b, float c)
{
    const double p = (double) a * b, q = c;
    const uint64_t swap = 0 - (fp_bits64(fp_abs64(p) - fp_abs64(q)) >> 63);
    const uint64_t both = (fp_bits64(p) ^ fp_bits64(q)) & swap;
    const double big = fp_double(fp_bits64(p) ^ both), small = fp_double(fp_bits64(q) ^ both);
    const double s = big + small, error = small - (s - big);
    const uint64_t u = fp_bits64(s), e = fp_bits64(error), magnitude = e << 1;
    const uint64_t special = ((u >> 52 & 0x7ff) + 1) >> 11; /* infinite, or not a number */
    const uint64_t inexact = ((magnitude | (0 - magnitude)) >> 63) & ~special;
    /* The sum cut off towards zero, and a last bit that tells whether anything was lost. */
    const uint64_t inwards = ((u ^ e) >> 63) & inexact;
    return (float) fp_double((u - inwards) | inexact);
}
#endif

static ALWAYS_INLINE double fp_fma64(double a, double b, double c)
{
    return __builtin_fma(a, b, c);
}

/* ---- rounding to integral values ---- */

#if defined(__SSE4_1__) || defined(__aarch64__)
#define fp_rint32 __builtin_rintf
#define fp_floor32 __builtin_floorf
#define fp_ceil32 __builtin_ceilf
#define fp_trunc32 __builtin_truncf
#define fp_rint64 __builtin_rint
#define fp_floor64 __builtin_floor
#define fp_ceil64 __builtin_ceil
#define fp_trunc64 __builtin_trunc
#else
/* Adding 2^23 drops the fraction; the sign is put back for -0. */
static ALWAYS_INLINE float fp_rint32(float x)
{
    const float m = fp_abs32(x), r = (m + 0x1p23f) - 0x1p23f;
    return m < 0x1p23f ? fp_sign32(r, x) : x;
}

static ALWAYS_INLINE float fp_floor32(float x)
{
    const float r = fp_rint32(x);
    return r > x ? fp_sign32(r - 1, x) : r;
}

static ALWAYS_INLINE float fp_ceil32(float x)
{
    const float r = fp_rint32(x);
    return r < x ? fp_sign32(r + 1, x) : r;
}

static ALWAYS_INLINE float fp_trunc32(float x)
{
    const float m = fp_abs32(x);
    return fp_sign32(fp_floor32(m), x);
}

static ALWAYS_INLINE double fp_rint64(double x)
{
    const double m = fp_abs64(x), r = (m + 0x1p52) - 0x1p52;
    return m < 0x1p52 ? fp_sign64(r, x) : x;
}

static ALWAYS_INLINE double fp_floor64(double x)
{
    const double r = fp_rint64(x);
    return r > x ? fp_sign64(r - 1, x) : r;
}

static ALWAYS_INLINE double fp_ceil64(double x)
{
    const double r = fp_rint64(x);
    return r < x ? fp_sign64(r + 1, x) : r;
}

static ALWAYS_INLINE double fp_trunc64(double x)
{
    const double m = fp_abs64(x);
    return fp_sign64(fp_floor64(m), x);
}
#endif

/* ---- to integers: saturating; NaN is 0, but 2^(bits-1) where the source or the result has 64 bits
 * (PTX ISA, cvt) ---- */

/* x is an integral value or NaN in all of these. */
static ALWAYS_INLINE int32_t fp_s32_f32(float x)
{
    const float in = x >= -0x1p31f && x < 0x1p31f ? x : 0;
    return x >= 0x1p31f ? INT32_MAX : x < -0x1p31f ? INT32_MIN : (int32_t) in;
}

static ALWAYS_INLINE uint32_t fp_u32_f32(float x)
{
    const float in = x > 0 && x < 0x1p32f ? x : 0;
    const float low = in >= 0x1p31f ? in - 0x1p31f : in;
    const uint32_t top = in >= 0x1p31f ? 0x80000000 : 0;
    return x >= 0x1p32f ? UINT32_MAX : (uint32_t) (int32_t) low | top;
}

static ALWAYS_INLINE int32_t fp_s32_f64(double x)
{
    const double in = x >= -0x1p31 && x < 0x1p31 ? x : -0x1p31;
    return x >= 0x1p31 ? INT32_MAX : (int32_t) in;
}

static ALWAYS_INLINE uint32_t fp_u32_f64(double x)
{
    const double in = x > 0 && x < 0x1p32 ? x : x != x ? 0x1p31 : 0;
    const double low = in >= 0x1p31 ? in - 0x1p31 : in;
    const uint32_t top = in >= 0x1p31 ? 0x80000000 : 0;
    return x >= 0x1p32 ? UINT32_MAX : (uint32_t) (int32_t) low | top;
}

static ALWAYS_INLINE int64_t fp_s64_f64(double x)
{
    const double in = x >= -0x1p63 && x < 0x1p63 ? x : -0x1p63;
    return x >= 0x1p63 ? INT64_MAX : (int64_t) in;
}

static ALWAYS_INLINE uint64_t fp_u64_f64(double x)
{
    const double in = x > 0 && x < 0x1p64 ? x : x != x ? 0x1p63 : 0;
    const double low = in >= 0x1p63 ? in - 0x1p63 : in;
    const uint64_t top = in >= 0x1p63 ? UINT64_C(1) << 63 : 0;
    return x >= 0x1p64 ? UINT64_MAX : (uint64_t) (int64_t) low | top;
}

/* Narrower results: the bounds are those of the type; `nan` is what NaN becomes. */
static ALWAYS_INLINE int32_t fp_narrow(double x, int32_t low, int32_t high, int32_t nan)
{
    const double in = x > low ? x < high ? x : high : low;
    return x != x ? nan : (int32_t) in;
}

#define fp_u8_f32(x) fp_narrow(x, 0, UINT8_MAX, 0)
#define fp_s8_f32(x) fp_narrow(x, INT8_MIN, INT8_MAX, 0)
#define fp_u16_f32(x) fp_narrow(x, 0, UINT16_MAX, 0)
#define fp_s16_f32(x) fp_narrow(x, INT16_MIN, INT16_MAX, 0)
#define fp_u8_f64(x) fp_narrow(x, 0, UINT8_MAX, 0x80)
#define fp_s8_f64(x) fp_narrow(x, INT8_MIN, INT8_MAX, INT8_MIN)
#define fp_u16_f64(x) fp_narrow(x, 0, UINT16_MAX, 0x8000)
#define fp_s16_f64(x) fp_narrow(x, INT16_MIN, INT16_MAX, INT16_MIN)

/* ---- from integers, in the mode of the processor ---- */

/* Through double, which holds the value: the one rounding is the last. */
static ALWAYS_INLINE float fp_f32_u32(uint32_t a)
{
    return (float) (double) a;
}

static ALWAYS_INLINE double fp_f64_u64(uint64_t a)
{
    /* Both halves are exact, so the sum is rounded once. */
    const double high = fp_double((a >> 32) | UINT64_C(0x453) << 52) - (0x1p84 + 0x1p52);
    return high + fp_double((a & 0xffffffff) | UINT64_C(0x433) << 52);
}

/* The lowest bits matter only by being there: made sticky, the rest fits double and is rounded
 * once. */
static ALWAYS_INLINE float fp_f32_u64(uint64_t a)
{
    const uint64_t sticky = a >> 53 ? (a & ~UINT64_C(0xfff)) | ((a & 0xfff) != 0 ? 0x800 : 0) : a;
    return (float) fp_f64_u64(sticky);
}

static ALWAYS_INLINE float fp_f32_s64(int64_t a)
{
    const uint64_t m = a < 0 ? 0 - (uint64_t) a : (uint64_t) a;
    const uint64_t sticky = m >> 53 ? (m & ~UINT64_C(0xfff)) | ((m & 0xfff) != 0 ? 0x800 : 0) : m;
    return (float) (double) (a < 0 ? (int64_t) (0 - sticky) : (int64_t) sticky);
}

/* ---- half precision and bfloat16 ---- */

static ALWAYS_INLINE float fp_f32_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t) (h & 0x8000) << 16, body = (uint32_t) (h & 0x7fff) << 13;
    /* The exponent is moved by a multiplication, which also makes subnormal numbers right. */
    const float moved = fp_float(body) * 0x1p112f;
    const uint32_t bits = body >= 0x7c00u << 13 ? body | 0x7f800000 : fp_bits32(moved);
    return fp_float(bits | sign);
}

static ALWAYS_INLINE float fp_f32_bf16(uint16_t h)
{
    return fp_float((uint32_t) h << 16);
}

/* Rounds the magnitude m of a number of sign `minus`: `drop` low bits go. */
static ALWAYS_INLINE uint64_t fp_drop(uint64_t m, unsigned drop, bool minus, enum fp_mode mode)
{
    const uint64_t unit = UINT64_C(1) << drop;
    const uint64_t even = (unit >> 1) - 1 + (m >> drop & 1);
    const uint64_t up = mode == FP_RN                                           ? even
                        : (mode == FP_RP && !minus) || (mode == FP_RM && minus) ? unit - 1
                                                                                : 0;
    return (m + up) >> drop;
}

/* Rounds once to a format of 16 bits with `mant` bits of mantissa and the largest exponent `top`
 * (15 or 127). */
static ALWAYS_INLINE uint16_t fp_small(double x, unsigned mant, int top, enum fp_mode mode)
{
    const uint64_t u = fp_bits64(x), m = u & INT64_MAX;
    const bool minus = u >> 63;
    const uint64_t bias = (uint64_t) (1023 - top) << 52;
    const uint64_t least =
        bias + (UINT64_C(1) << 52); /* the smallest normal number of the format */
    const uint64_t normal = fp_drop(m >= least ? m - bias : 0, 52 - mant, minus, mode);
    /* Subnormal: in units of the format's last place, plus what is left of them, made sticky. */
    const int shift = (int) ((least >> 52) - (m >> 52)) + 52 - (int) mant;
    const uint64_t whole = (m & 0xfffffffffffff) | UINT64_C(1) << 52;
    const unsigned by = shift > 60 ? 60 : shift < 1 ? 1 : (unsigned) shift;
    const uint64_t tiny = m >> 52 ? whole : m != 0;
    const uint64_t subnormal = fp_drop(tiny, by, minus, mode);
    const uint64_t infinity = (uint64_t) (2 * top + 1) << mant;
    const bool outward = mode == FP_RN || (mode == FP_RP && !minus) || (mode == FP_RM && minus);
    const uint64_t rounded = m >= least ? normal : subnormal;
    const uint64_t finite = rounded < infinity ? rounded : outward ? infinity : infinity - 1;
    const uint64_t known = m == UINT64_C(0x7ff) << 52 ? infinity : finite;
    return x != x ? 0x7fff : (uint16_t) (known | (minus ? 0x8000 : 0));
}

static ALWAYS_INLINE uint16_t fp_f16(double x, enum fp_mode mode)
{
    return fp_small(x, 10, 15, mode);
}

static ALWAYS_INLINE uint16_t fp_bf16(double x, enum fp_mode mode)
{
    return fp_small(x, 7, 127, mode);
}

#endif

/* What simt_alu.def is written with: operations on bits and numbers done the long way. */
#ifndef TESTS_SIMT_ALU_REF_H
#define TESTS_SIMT_ALU_REF_H

#include <fenv.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* 128 bits. */
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

static uint64_t bits_of(double x, unsigned bits)
{
    const float f = (float) x;
    uint32_t w;
    uint64_t q;
    memcpy(&w, &f, sizeof w);
    memcpy(&q, &x, sizeof q);
    return bits == 64 ? q : w;
}

static bool unordered(double a, double b)
{
    return isnan(a) || isnan(b);
}

static float flushed(float x)
{
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x;
}

static wide clamped(wide x, unsigned bits)
{
    const wide top = (wide) 1 << (bits - 1);
    return x >= top ? top - 1 : x < -top ? -top : x;
}

static int64_t part(uint32_t v, unsigned width, unsigned index, bool is_signed)
{
    int64_t x = v >> width * index & ((1u << width) - 1);
    return is_signed && x >> (width - 1) ? x - (1 << width) : x;
}

static int64_t dot(uint32_t a, uint32_t b, int64_t c, unsigned wa, unsigned wb, unsigned from,
                   bool sa, bool sb)
{
    for (unsigned i = 0; i < 32 / wa; i++)
        c += part(a, wa, i, sa) * part(b, wb, from + i, sb);
    return c;
}

/* The pseudo-code of the PTX ISA for bfe and bfi. */
static uint64_t field(uint64_t a, unsigned width, uint32_t b, uint32_t c, bool is_signed)
{
    const unsigned pos = b & 255, len = c & 255, msb = width - 1;
    const unsigned last = pos + len - 1 < msb ? pos + len - 1 : msb;
    const uint64_t sign = is_signed && len ? a >> last & 1 : 0;
    uint64_t d = 0;
    for (unsigned i = 0; i <= msb; i++)
        d |= (i < len && pos + i <= msb ? a >> (pos + i) & 1 : sign) << i;
    return d;
}

static uint64_t insert(uint64_t a, uint64_t b, unsigned width, uint32_t c, uint32_t e)
{
    const unsigned pos = c & 255, len = e & 255;
    for (unsigned i = 0; i < len && pos + i < width; i++)
        b = (b & ~(UINT64_C(1) << (pos + i))) | (a >> i & 1) << (pos + i);
    return b;
}

static uint32_t mask_of(uint64_t pos, uint64_t len)
{
    uint32_t d = 0;
    for (unsigned i = 0; i < 32; i++)
        d |= (uint32_t) (i >= pos && i < pos + len) << i;
    return d;
}

static uint32_t highest(uint64_t a)
{
    uint32_t at = UINT32_MAX;
    for (; a; a >>= 1)
        at++;
    return at;
}

static uint64_t ones(uint64_t a)
{
    uint64_t n = 0;
    for (; a; a >>= 1)
        n += a & 1;
    return n;
}

static uint64_t reversed(uint64_t a, unsigned width)
{
    uint64_t d = 0;
    for (unsigned i = 0; i < width; i++)
        d |= (a >> i & 1) << (width - 1 - i);
    return d;
}

static uint32_t permuted(uint32_t a, uint32_t b, uint32_t c)
{
    uint8_t bytes[8], d[4];
    uint32_t out;
    memcpy(bytes, &a, 4);
    memcpy(bytes + 4, &b, 4);
    for (unsigned i = 0; i < 4; i++) {
        d[i] = bytes[c >> 4 * i & 7];
        if (c >> 4 * i & 8)
            d[i] = d[i] & 128 ? 255 : 0;
    }
    memcpy(&out, d, 4);
    return out;
}

static int64_t to_signed(double x, unsigned bits, int64_t nan)
{
    const double top = ldexp(1, (int) bits - 1);
    const int64_t most = (int64_t) ((UINT64_C(1) << (bits - 1)) - 1);
    return isnan(x) ? nan : x >= top ? most : x < -top ? -most - 1 : (int64_t) x;
}

static uint64_t to_unsigned(double x, unsigned bits, uint64_t nan)
{
    return isnan(x)                    ? nan
           : x >= ldexp(1, (int) bits) ? UINT64_MAX >> (64 - bits)
           : x <= 0                    ? 0
                                       : (uint64_t) x;
}

/* A float's distance to the next. */
static double ulp(double x)
{
    const int e = x == 0 || !isfinite(x) ? -126 : ilogb(x) < -126 ? -126 : ilogb(x);
    return ldexp(1, e - 23);
}

static double upper(double x)
{
    const uint64_t u = bits_of(x, 64) & UINT64_C(0xffffffff00000000);
    memcpy(&x, &u, sizeof x);
    return fpclassify(x) == FP_SUBNORMAL ? copysign(0, x) : x;
}

static double seed(double y)
{
    const uint64_t low = bits_of(y, 64) & 0xffffffff;
    if (low >= 0x80000000 && isfinite(y))
        y += copysign(ldexp(0x1p-21, ilogb(y)), y); /* half of the last place that is kept */
    return upper(y);
}

static float half(uint16_t h, int mant, int bias)
{
    const int top = 2 * bias + 1, e = h >> mant & top, m = h & ((1 << mant) - 1);
    const double x = e == top ? m ? NAN : INFINITY
                     : e      ? ldexp(1 + ldexp(m, -mant), e - bias)
                              : ldexp(m, 1 - bias - mant);
    return (float) (h >> 15 ? -x : x);
}

static uint16_t to_half(double x, int mant, int bias, int mode)
{
    if (isnan(x))
        return 0x7fff;
    const int e = x == 0 || isinf(x) ? 1 - bias : ilogb(x) < 1 - bias ? 1 - bias : ilogb(x);
    fesetround(mode);
    const volatile double steps = ldexp(x, mant - (e < 1100 ? e : 1100));
    const double whole = nearbyint(steps);
    const double limit = ldexp(2 - ldexp(1, -mant), bias),
                 r = isinf(x) ? x : ldexp(whole, e - mant);
    fesetround(FE_TONEAREST);
    const bool minus = signbit(x),
               out = mode == FE_TONEAREST || mode == (minus ? FE_DOWNWARD : FE_UPWARD);
    const uint16_t sign = minus ? 0x8000 : 0, inf = (uint16_t) ((2 * bias + 1) << mant);
    if (fabs(r) > limit)
        return sign | (uint16_t) (isinf(x) || out ? inf : inf - 1);
    const int re = r == 0 || ilogb(r) < 1 - bias ? 0 : ilogb(r) + bias;
    const double m =
        re ? ldexp(fabs(r), mant - (re - bias)) - ldexp(1, mant) : ldexp(fabs(r), mant + bias - 1);
    return sign | (uint16_t) (re << mant) | (uint16_t) m;
}

#endif

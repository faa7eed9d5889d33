/* PTX's approximate functions: within the bounds that the PTX ISA gives for each, computed in
 * double where that is the short way, the same on every processor, and without branches, so that
 * loops over these vectorise. */
#ifndef SIMT_APPROX_H
#define SIMT_APPROX_H

#include "simt/fp.h"

/* Adding it leaves the nearest integer in the low bits of the sum. */
#define FP_INTEGER 0x1.8p52

/* 2^x for x in [-1000, 1000]: Taylor polynomial on [-1/2, 1/2], relative error below 2^-27. */
static ALWAYS_INLINE double fp_exp2(double x)
{
    const double n = x + FP_INTEGER, r = x - (n - FP_INTEGER);
    double p = 0x1.ffcbfc588b0c5p-17;
    p = p * r + 0x1.430912f86c786p-13;
    p = p * r + 0x1.5d87fe78a6730p-10;
    p = p * r + 0x1.3b2ab6fba4e77p-7;
    p = p * r + 0x1.c6b08d704a0bfp-5;
    p = p * r + 0x1.ebfbdff82c58ep-3;
    p = p * r + 0x1.62e42fefa39efp-1;
    p = p * r + 1.0;
    return p * fp_double((fp_bits64(n) + 1023) << 52);
}

static ALWAYS_INLINE float fp_ex2(float x)
{
    const double in = x < -160 ? -160 : x > 130 ? 130 : x;
    const float y = (float) fp_exp2(in);
    return x != x ? fp_float(0x7fffffff) : y;
}

/* log2(x) = e + log2(m), m in [1/sqrt 2, sqrt 2); with s = (m - 1) / (m + 1) the rest is 2 / ln 2 *
 * artanh s. */
static ALWAYS_INLINE float fp_lg2(float x)
{
    const uint64_t u = fp_bits64(x);
    const double m1 = fp_double((u & 0xfffffffffffff) | UINT64_C(0x3ff) << 52);
    const double e1 = fp_double((u >> 52 & 0x7ff) | UINT64_C(0x433) << 52) - (0x1p52 + 1023);
    const double m = m1 > 0x1.6a09e667f3bcdp0 ? m1 * 0.5 : m1;
    const double e = m1 > 0x1.6a09e667f3bcdp0 ? e1 + 1 : e1;
    const double s = (m - 1) / (m + 1), z = s * s;
    double p = 0x1.484b13d7c02a9p-2;
    p = p * z + 0x1.a61762a7aded9p-2;
    p = p * z + 0x1.2776c50ef9bfep-1;
    p = p * z + 0x1.ec709dc3a03fdp-1;
    p = p * z + 0x1.71547652b82fep+1;
    const float y = (float) (p * s + e);
    const float positive = x > FLT_MAX ? x : y;
    return x > 0 ? positive : x == 0 ? -INFINITY : fp_float(0x7fffffff);
}

/* sin(x + turn * pi / 2). The reduction is exact to double for |x| below 2^30; beyond, the result
 * is some value in [-1, 1]. */
static ALWAYS_INLINE float fp_sine(float x, uint64_t turn)
{
    const double n = x * 0x1.45f306dc9c883p-1 + FP_INTEGER, k = n - FP_INTEGER;
    const double r1 = (x - k * 0x1.921fb40000000p+0) - k * 0x1.4442d18469899p-24;
    const double r = r1 > 0.8 ? 0.8 : r1 < -0.8 ? -0.8 : r1, z = r * r;
    double s = 0x1.71de3a556c734p-19;
    s = s * z - 0x1.a01a01a01a01ap-13;
    s = s * z + 0x1.1111111111111p-7;
    s = s * z - 0x1.5555555555555p-3;
    s = (s * z + 1) * r;
    double c = 0x1.a01a01a01a01ap-16;
    c = c * z - 0x1.6c16c16c16c17p-10;
    c = c * z + 0x1.5555555555555p-5;
    c = c * z - 0.5;
    c = c * z + 1;
    const uint64_t quadrant = fp_bits64(n) + turn;
    const double y = quadrant & 1 ? c : s;
    return (float) fp_double(fp_bits64(y) ^ (quadrant & 2) << 62);
}

static ALWAYS_INLINE float fp_sin(float x)
{
    return fp_sine(x, 0);
}

static ALWAYS_INLINE float fp_cos(float x)
{
    return fp_sine(x, 1);
}

static ALWAYS_INLINE float fp_tanh(float x)
{
    const double t = (double) x * 0x1.71547652b82fep+1;
    const double e = fp_exp2(t > 64 ? 64 : t < -64 ? -64 : t);
    const double far = (e - 1) / (e + 1);
    const double near = x * (1 - (double) x * x * 0x1.5555555555555p-2);
    return (float) (fp_abs32(x) < 0.02f ? near : x != x ? x : far);
}

/* Two roundings: relative error at most 2^-23, the bound is 2^-22.9. */
static ALWAYS_INLINE float fp_rsqrt32(float x)
{
    return 1 / __builtin_sqrtf(x);
}

static ALWAYS_INLINE double fp_rsqrt64(double x)
{
    return 1 / __builtin_sqrt(x);
}

/* The divisor is taken for infinite above 2^126. */
static ALWAYS_INLINE float fp_div_approx(float a, float b)
{
    const float m = fp_abs32(b);
    return m > 0x1p126f && m <= FLT_MAX ? a * fp_sign32(0, b) : a / b;
}

/* rcp and rsqrt .approx.ftz.f64 see and give the upper 32 bits alone; libdevice refines them by
 * Newton's method. */
static ALWAYS_INLINE double fp_upper(double x)
{
    const uint64_t u = fp_bits64(x) & ~UINT64_C(0xffffffff);
    return fp_double(u >> 52 & 0x7ff ? u : u & UINT64_C(1) << 63);
}

static ALWAYS_INLINE double fp_seed(double y)
{
    const uint64_t u = fp_bits64(y);
    const uint64_t rounded = (u + 0x80000000) & ~UINT64_C(0xffffffff);
    const uint64_t flushed = rounded >> 52 & 0x7ff ? rounded : rounded & UINT64_C(1) << 63;
    return fp_double(y != y ? UINT64_C(0x7fffffff00000000) : flushed);
}

static ALWAYS_INLINE double fp_rcp_seed(double x)
{
    return fp_seed(1 / fp_upper(x));
}

static ALWAYS_INLINE double fp_rsqrt_seed(double x)
{
    return fp_seed(1 / __builtin_sqrt(fp_upper(x)));
}

#endif

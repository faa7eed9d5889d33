/* Integer operations of PTX that are more than one C operator, total for all operands and without
 * branches where that lets loops over these vectorise. */
#ifndef SIMT_BITS_H
#define SIMT_BITS_H

#include "base/base.h"

/* ---- division: x / 0 is all ones, x % 0 is x, INT_MIN / -1 is INT_MIN (what GPUs give; the PTX
 * ISA leaves it open) ---- */

/* Quotients of 32-bit numbers: no quotient is so close below an integer that its double rounds up
 * to it. */
static ALWAYS_INLINE uint32_t bits_div_u32(uint32_t a, uint32_t b)
{
    const double q = (double) a / (double) (b ? b : 1);
    const double low = q >= 0x1p31 ? q - 0x1p31 : q;
    const uint32_t top = q >= 0x1p31 ? 0x80000000 : 0;
    return b ? ((uint32_t) (int32_t) low | top) : UINT32_MAX;
}

static ALWAYS_INLINE int32_t bits_div_s32(int32_t a, int32_t b)
{
    const double q = (double) a / (double) (b ? b : 1);
    const double in = q < 0x1p31 ? q : -0x1p31;
    return b ? (int32_t) in : -1;
}

static ALWAYS_INLINE uint16_t bits_div_u16(uint16_t a, uint16_t b)
{
    const float q = (float) a / (float) (b ? b : 1);
    return b ? (uint16_t) (int32_t) q : 0xffff;
}

static ALWAYS_INLINE int16_t bits_div_s16(int16_t a, int16_t b)
{
    const float q = (float) a / (float) (b ? b : 1);
    return b ? (int16_t) (int32_t) q : -1;
}

static ALWAYS_INLINE uint64_t bits_div_u64(uint64_t a, uint64_t b)
{
    return b ? a / b : UINT64_MAX;
}

static ALWAYS_INLINE int64_t bits_div_s64(int64_t a, int64_t b)
{
    return b == 0 ? -1 : b == -1 ? (int64_t) - (uint64_t) a : a / b;
}

static ALWAYS_INLINE uint32_t bits_rem_u32(uint32_t a, uint32_t b)
{
    return b ? a - bits_div_u32(a, b) * b : a;
}

static ALWAYS_INLINE int32_t bits_rem_s32(int32_t a, int32_t b)
{
    return b ? (int32_t) ((uint32_t) a - (uint32_t) bits_div_s32(a, b) * (uint32_t) b) : a;
}

static ALWAYS_INLINE uint64_t bits_rem_u64(uint64_t a, uint64_t b)
{
    return b ? a % b : a;
}

static ALWAYS_INLINE int64_t bits_rem_s64(int64_t a, int64_t b)
{
    return b == 0 ? a : b == -1 ? 0 : a % b;
}

static ALWAYS_INLINE uint16_t bits_rem_u16(uint16_t a, uint16_t b)
{
    return b ? (uint16_t) (a - bits_div_u16(a, b) * b) : a;
}

static ALWAYS_INLINE int16_t bits_rem_s16(int16_t a, int16_t b)
{
    return b ? (int16_t) (a - bits_div_s16(a, b) * b) : a;
}

/* ---- products ---- */

/* Through halves: the middle products and what the low one carries into them fit 64 bits. */
static ALWAYS_INLINE uint64_t bits_mulhi_u64(uint64_t a, uint64_t b)
{
    const uint64_t al = (uint32_t) a, ah = a >> 32, bl = (uint32_t) b, bh = b >> 32;
    const uint64_t mid = ah * bl + (al * bl >> 32);
    return ah * bh + (mid >> 32) + (((uint32_t) mid + al * bh) >> 32);
}

static ALWAYS_INLINE int64_t bits_mulhi_s64(int64_t a, int64_t b)
{
    const uint64_t u = bits_mulhi_u64((uint64_t) a, (uint64_t) b);
    return (int64_t) (u - (a < 0 ? (uint64_t) b : 0) - (b < 0 ? (uint64_t) a : 0));
}

static ALWAYS_INLINE uint32_t bits_mulhi_u32(uint32_t a, uint32_t b)
{
    return (uint32_t) ((uint64_t) a * b >> 32);
}

static ALWAYS_INLINE int32_t bits_mulhi_s32(int32_t a, int32_t b)
{
    return (int32_t) ((int64_t) a * b >> 32);
}

/* The low 24 bits, sign-extended. */
static ALWAYS_INLINE int32_t bits_low24(int32_t a)
{
    return (int32_t) ((uint32_t) a << 8) >> 8;
}

static ALWAYS_INLINE int32_t bits_sat_s32(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t) x;
}

/* ---- shifts: amounts at or beyond the width shift everything out ---- */

static ALWAYS_INLINE uint32_t bits_shl32(uint32_t a, uint32_t n)
{
    return n > 31 ? 0 : a << (n & 31);
}

static ALWAYS_INLINE uint64_t bits_shl64(uint64_t a, uint32_t n)
{
    return n > 63 ? 0 : a << (n & 63);
}

static ALWAYS_INLINE uint32_t bits_shr_u32(uint32_t a, uint32_t n)
{
    return n > 31 ? 0 : a >> (n & 31);
}

static ALWAYS_INLINE uint64_t bits_shr_u64(uint64_t a, uint32_t n)
{
    return n > 63 ? 0 : a >> (n & 63);
}

static ALWAYS_INLINE int32_t bits_shr_s32(int32_t a, uint32_t n)
{
    return a >> (n > 31 ? 31 : n);
}

static ALWAYS_INLINE int64_t bits_shr_s64(int64_t a, uint32_t n)
{
    return a >> (n > 63 ? 63 : n);
}

/* The upper word of hi:lo shifted left, the lower word of hi:lo shifted right, by n in 0 … 32. */
static ALWAYS_INLINE uint32_t bits_shf_l(uint32_t lo, uint32_t hi, uint32_t n)
{
    return (uint32_t) (((uint64_t) hi << 32 | lo) << n >> 32);
}

static ALWAYS_INLINE uint32_t bits_shf_r(uint32_t lo, uint32_t hi, uint32_t n)
{
    return (uint32_t) (((uint64_t) hi << 32 | lo) >> n);
}

/* ---- fields (PTX ISA, bfe and bfi): position and length count modulo 256 ---- */

static ALWAYS_INLINE uint64_t bits_ones(uint32_t n)
{
    return n > 63 ? UINT64_MAX : (UINT64_C(1) << (n & 63)) - 1;
}

static ALWAYS_INLINE uint64_t bits_bfe_u(uint64_t a, uint32_t pos, uint32_t len)
{
    return bits_shr_u64(a, pos & 255) & bits_ones(len & 255);
}

/* `top` is 31 or 63. Bits beyond the top, and those left of the field, are copies of the field's
 * highest bit that exists. */
static ALWAYS_INLINE int64_t bits_bfe_s(int64_t a, uint32_t pos, uint32_t len, uint32_t top)
{
    const uint32_t p = pos & 255, n = len & 255;
    const uint32_t last = p + n - 1 > top ? top : p + n - 1;
    const uint64_t sign = n && (bits_shr_u64((uint64_t) a, last) & 1) ? UINT64_MAX : 0;
    const uint32_t width = p > top ? 0 : last - p + 1;
    const uint64_t keep = n ? bits_ones(width) : 0;
    return (int64_t) ((bits_shr_u64((uint64_t) a, p) & keep) | (sign & ~keep));
}

/* a's low bits into b. */
static ALWAYS_INLINE uint64_t bits_bfi(uint64_t a, uint64_t b, uint32_t pos, uint32_t len)
{
    const uint64_t mask = bits_shl64(bits_ones(len & 255), pos & 255);
    return (bits_shl64(a, pos & 255) & mask) | (b & ~mask);
}

/* ---- counting ---- */

static ALWAYS_INLINE uint32_t bits_clz32(uint32_t a)
{
    return a ? (uint32_t) __builtin_clz(a) : 32;
}

static ALWAYS_INLINE uint32_t bits_clz64(uint64_t a)
{
    return a ? (uint32_t) __builtin_clzll(a) : 64;
}

static ALWAYS_INLINE uint32_t bits_popc32(uint32_t a)
{
    const uint32_t b = a - (a >> 1 & 0x55555555);
    const uint32_t c = (b & 0x33333333) + (b >> 2 & 0x33333333);
    return ((c + (c >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

static ALWAYS_INLINE uint32_t bits_popc64(uint64_t a)
{
    return bits_popc32((uint32_t) a) + bits_popc32((uint32_t) (a >> 32));
}

static ALWAYS_INLINE uint32_t bits_brev32(uint32_t a)
{
    const uint32_t b = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
    const uint32_t c = (b >> 2 & 0x33333333) | (b & 0x33333333) << 2;
    const uint32_t d = (c >> 4 & 0x0f0f0f0f) | (c & 0x0f0f0f0f) << 4;
    const uint32_t e = (d >> 8 & 0x00ff00ff) | (d & 0x00ff00ff) << 8;
    return e >> 16 | e << 16;
}

static ALWAYS_INLINE uint64_t bits_brev64(uint64_t a)
{
    return (uint64_t) bits_brev32((uint32_t) a) << 32 | bits_brev32((uint32_t) (a >> 32));
}

/* Position of the highest bit that differs from the sign; all ones if there is none. */
static ALWAYS_INLINE uint32_t bits_bfind32(uint32_t a)
{
    return 31 - bits_clz32(a);
}

static ALWAYS_INLINE uint32_t bits_bfind64(uint64_t a)
{
    return 63 - bits_clz64(a);
}

/* .shiftamt: the left shift that brings it to the top. */
static ALWAYS_INLINE uint32_t bits_shiftamt32(uint32_t a)
{
    return a ? bits_clz32(a) : UINT32_MAX;
}

static ALWAYS_INLINE uint32_t bits_shiftamt64(uint64_t a)
{
    return a ? bits_clz64(a) : UINT32_MAX;
}

/* ---- bytes ---- */

/* One byte of b:a by a nibble of the selector; its bit 3 asks for eight copies of the byte's sign.
 */
static ALWAYS_INLINE uint32_t bits_pick(uint64_t ab, uint32_t nibble)
{
    const uint32_t byte = (uint32_t) (ab >> 8 * (nibble & 7)) & 255;
    const uint32_t sign = byte & 128 ? 255 : 0;
    return nibble & 8 ? sign : byte;
}

static ALWAYS_INLINE uint32_t bits_prmt(uint32_t a, uint32_t b, uint32_t s)
{
    const uint64_t ab = (uint64_t) b << 32 | a;
    return bits_pick(ab, s) | bits_pick(ab, s >> 4) << 8 | bits_pick(ab, s >> 8) << 16 |
           bits_pick(ab, s >> 12) << 24;
}

/* A selector for prmt's modes: four nibbles for each of c's four values, in one constant. */
static ALWAYS_INLINE uint32_t bits_prmt_mode(uint32_t a, uint32_t b, uint32_t c, uint64_t modes)
{
    return bits_prmt(a, b, (uint32_t) (modes >> 16 * (c & 3)) & 0xffff);
}

static ALWAYS_INLINE uint32_t bits_lop3(uint32_t a, uint32_t b, uint32_t c, uint32_t table)
{
    uint32_t r = 0;
    r |= table & 1 ? ~a & ~b & ~c : 0;
    r |= table & 2 ? ~a & ~b & c : 0;
    r |= table & 4 ? ~a & b & ~c : 0;
    r |= table & 8 ? ~a & b & c : 0;
    r |= table & 16 ? a & ~b & ~c : 0;
    r |= table & 32 ? a & ~b & c : 0;
    r |= table & 64 ? a & b & ~c : 0;
    r |= table & 128 ? a & b & c : 0;
    return r;
}

/* Byte i, half i of a word, extended. */
static ALWAYS_INLINE int32_t bits_byte(uint32_t a, int i, bool is_signed)
{
    const uint32_t u = a >> 8 * i & 255;
    return is_signed ? (int32_t) (int8_t) u : (int32_t) u;
}

static ALWAYS_INLINE int32_t bits_half(uint32_t a, int i, bool is_signed)
{
    const uint32_t u = a >> 16 * i & 0xffff;
    return is_signed ? (int32_t) (int16_t) u : (int32_t) u;
}

static ALWAYS_INLINE uint32_t bits_dp4a(uint32_t a, uint32_t b, uint32_t c, bool sa, bool sb)
{
    uint32_t sum = c;
    for (int i = 0; i < 4; i++)
        sum += (uint32_t) (bits_byte(a, i, sa) * bits_byte(b, i, sb));
    return sum;
}

/* Halves of a by the low bytes of b. */
static ALWAYS_INLINE uint32_t bits_dp2a(uint32_t a, uint32_t b, uint32_t c, bool sa, bool sb)
{
    return c + (uint32_t) (bits_half(a, 0, sa) * bits_byte(b, 0, sb)) +
           (uint32_t) (bits_half(a, 1, sa) * bits_byte(b, 1, sb));
}

static ALWAYS_INLINE uint32_t bits_absdiff(uint32_t a, uint32_t b)
{
    return a < b ? b - a : a - b;
}

/* Absolute differences of bytes, as bytes and summed; of halves, summed. */
static ALWAYS_INLINE uint32_t bits_vabsdiff4(uint32_t a, uint32_t b)
{
    uint32_t r = 0;
    for (int i = 0; i < 32; i += 8)
        r |= bits_absdiff(a >> i & 255, b >> i & 255) << i;
    return r;
}

static ALWAYS_INLINE uint32_t bits_sad4(uint32_t a, uint32_t b, uint32_t c)
{
    for (int i = 0; i < 32; i += 8)
        c += bits_absdiff(a >> i & 255, b >> i & 255);
    return c;
}

static ALWAYS_INLINE uint32_t bits_sad2(uint32_t a, uint32_t b, uint32_t c)
{
    return c + bits_absdiff(a & 0xffff, b & 0xffff) + bits_absdiff(a >> 16, b >> 16);
}

/* ---- clamping, to bounds of an integer type: of an unsigned type's values, of a signed one's ----
 */

static ALWAYS_INLINE uint64_t bits_clamp_u(uint64_t x, uint64_t high)
{
    return x < high ? x : high;
}

/* A bound that int64_t cannot hold bounds nothing. */
static ALWAYS_INLINE int64_t bits_clamp_s(int64_t x, int64_t low, uint64_t high)
{
    const int64_t top = high > INT64_MAX ? INT64_MAX : (int64_t) high;
    return x < low ? low : x > top ? top : x;
}

#endif

/* Floats of 16 and 8 bits, which CUDA's headers define as structs: numbers to their bits. */
#include "core.h"

#include <math.h>
#include <string.h>

static const struct core_small formats[] = {
    {"__half", "float16", RUNCU_ARG_F16, 2, 10, false},
    {"__nv_bfloat16", "bfloat16", RUNCU_ARG_BF16, 2, 7, false},
    {"__nv_fp8_e4m3", "float8_e4m3fn", RUNCU_ARG_E4M3, 1, 3, true},
    {"__nv_fp8_e5m2", "float8_e5m2", RUNCU_ARG_E5M2, 1, 2, false},
    {"__nv_fp8_e8m0", "float8_e8m0fnu", RUNCU_ARG_E8M0, 1, 0, true},
};

const struct core_small *core_small_of(const runcu_param *p)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i].size == p->size && strcmp(formats[i].type, p->type) == 0)
            return &formats[i];
    return NULL;
}

const struct core_small *core_small_of_kind(int kind)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i].kind == kind)
            return &formats[i];
    return NULL;
}

/* The bits of a finite value, without its sign: a mantissa of `fraction` bits in units of the
 * value's binade, rounded to the nearest, ties to even. Beyond every format's largest where it is
 * too large. */
static unsigned magnitude(double value, int fraction, int bias)
{
    int exponent;
    frexp(value, &exponent);
    /* of nought and subnormals, the smallest */
    exponent = value == 0 ? 1 - bias : MAX(exponent - 1, 1 - bias);
    if (exponent > bias + 1)
        return UINT16_MAX;
    double digits = rint(ldexp(fabs(value), fraction - exponent));
    return ((unsigned) (exponent + bias - 1) << fraction) + (unsigned) digits;
}

bool core_small_round(uint16_t *out, const struct core_small *format, double value)
{
    int width = 8 * format->size - 1, fraction = format->fraction;
    int bias = (1 << (width - fraction - 1)) - 1;
    unsigned all = (1u << width) - 1, top = all >> fraction << fraction;
    unsigned sign = signbit(value) ? 1u << width : 0;
    if (!fraction) /* an exponent alone, which has no sign, no nought and no rounding */
        return false;
    if (isnan(value)) {
        *out = (uint16_t) (sign | (format->is_finite ? all : top | 1u << (fraction - 1)));
        return true;
    }
    if (isinf(value)) {
        *out = (uint16_t) (sign | top);
        return !format->is_finite;
    }
    unsigned bits = magnitude(value, fraction, bias);
    *out = (uint16_t) (sign | bits);
    return bits < (format->is_finite ? all : top);
}

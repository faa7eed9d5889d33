"""Small CUDA C++ kernels, one feature each: what the PTX front end must read.

Kinds with many members are made from tables here, the rest is written out in features.cu.

`features()` gives them all; `tenth()` a fixed tenth that has every kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Feature:
    """A kernel: its name and kind, its source, further NVRTC options, lowest target."""

    name: str
    kind: str
    source: str
    options: tuple[str, ...] = ()
    arch: int = 75


INDEX = 'const int i = threadIdx.x + blockIdx.x * blockDim.x;'
LONG = {
    's8': 'signed char',
    'u8': 'unsigned char',
    's16': 'short',
    'u16': 'unsigned short',
    's32': 'int',
    'u32': 'unsigned',
    's64': 'long long',
    'u64': 'unsigned long long',
    'f32': 'float',
    'f64': 'double',
}
INTEGERS = [t for t in LONG if t[0] in 'su']


def kernel(params: str, body: str, before: str = '') -> str:
    """One kernel named k, with its global index in `i`."""
    return f'{before}\nextern "C" __global__ void k({params})\n{{\n    {INDEX}\n    {body}\n}}\n'


class Table:
    """Collects features and refuses a name twice."""

    def __init__(self) -> None:
        self.features: dict[str, Feature] = {}
        self.kind = ''

    def add(self, name: str, source: str, *options: str, arch: int = 75) -> None:
        if name in self.features:
            raise ValueError(f'two features are named {name}')
        self.features[name] = Feature(name, self.kind, source, options, arch)

    def kernel(
        self, name: str, params: str, body: str, *options: str, before: str = '', arch: int = 75
    ) -> None:
        self.add(name, kernel(params, body, before), *options, arch=arch)


# ---- arithmetic ----

UNARY = """
    acos acosh asin asinh atan atanh cbrt ceil cos cosh cospi cyl_bessel_i0 cyl_bessel_i1
    erf erfc erfcinv erfcx erfinv exp exp10 exp2 expm1 fabs floor j0 j1
    lgamma log log10 log1p log2 logb nearbyint normcdf normcdfinv rcbrt rint round rsqrt sin
    sinh sinpi sqrt tan tanh tgamma trunc y0 y1
""".split()
BINARY = 'atan2 copysign fdim fmax fmin fmod hypot nextafter pow remainder rhypot'.split()
MATH_SPECIAL = {
    'sincos': ('T *x, T *y', 'T s, c; sincos{f}(x[i], &s, &c); x[i] = c; y[i] = s;'),
    'frexp': ('T *x, int *e', 'int q; x[i] = frexp{f}(x[i], &q); e[i] = q;'),
    'ldexp': ('T *x, const int *e', 'x[i] = scalbn{f}(x[i], e[i]) - ldexp{f}(x[i], e[i + 1]);'),
    'modf': ('T *x, T *whole', 'T w; x[i] = modf{f}(x[i], &w); whole[i] = w;'),
    'remquo': ('T *x, int *q', 'int part; x[i] = remquo{f}(x[i], x[i + 1], &part); q[i] = part;'),
    'lrint': ('T *x, long long *n', 'n[i] = llround{f}(x[i]) ^ llrint{f}(x[i]) ^ ilogb{f}(x[i]);'),
    'class': (
        'T *x, int *n',
        'n[i] = signbit(x[i]) | isfinite(x[i]) << 1 | isinf(x[i]) << 2 | isnan(x[i]) << 3;',
    ),
    'jn': ('T *x, int n', 'x[i] = yn{f}(n, x[i]) * jn{f}(n + 1, x[i]);'),
    'norm3d': (
        'T *x',
        'T a = x[i], b = x[i + 1], c = x[i + 2];'
        ' x[i] = rnorm3d{f}(a, b, c) + norm3d{f}(a, b, c) * norm4d{f}(a, b, c, x[i + 3]);',
    ),
    'fma': ('T *x', 'x[i] = fma{f}(x[i], x[i + 1], T(3));'),
    'div': ('T *x', 'x[i] = x[i + 1] / x[i];'),
    'rcp': ('T *x', 'x[i] = T(1) / x[i];'),
    'powi': ('T *x, int n', 'x[i] = pow(x[i], n);'),
}


def add_math(t: Table) -> None:
    t.kind = 'math'
    for suffix, real in (('f', 'float'), ('', 'double')):
        for f in UNARY:
            t.kernel(f'math_{f}{suffix}', f'{real} *x', f'x[i] = {f}{suffix}(x[i]);')
        for f in BINARY:
            t.kernel(f'math_{f}{suffix}', f'{real} *x', f'x[i] = {f}{suffix}(x[i], x[i + 1]);')
        for f, (params, body) in MATH_SPECIAL.items():
            params = params.replace('T ', real + ' ')
            t.kernel(
                f'math_{f}{suffix or "d"}',
                params,
                f'using T = {real}; ' + body.replace('{f}', suffix),
            )
    t.kind = 'fast'
    for f in 'sin cos tan exp exp2 exp10 log log2 log10 sqrt rsqrt sinh cosh tanh erf'.split():
        t.kernel(f'fast_{f}f', 'float *x', f'x[i] = {f}f(x[i]);', '--use_fast_math')
    mixed = (
        'float s, c; sincosf(x[i], &s, &c); x[i] = s / c + powf(c, 2.5f) / sqrtf(s) + s / (1.f +'
        ' s);'
    )
    t.kernel('fast_mix', 'float *x', mixed, '--use_fast_math')
    flushed = (
        'float v = x[i], w = x[i + 1]; x[i] = v * w + v; x[i + 1] = fmaxf(v, w) / w;'
        ' x[i + 2] = v > w ? (float)(int)w : sqrtf(v); x[i + 3] = (float)(double)w;'
    )
    t.kernel('fast_ftz_only', 'float *x', flushed, '--ftz=true')
    rough = 'x[i] = sqrtf(x[i + 1]) - x[i] / x[i + 1];'
    t.kernel('fast_precdiv', 'float *x', rough, '--prec-div=false', '--prec-sqrt=false')
    t.kernel('nofma', 'float *x', 'x[i] = x[i + 1] + x[i] * x[i + 1];', '--fmad=false')


INTRINSICS = {
    'float': {
        1: 'cosf exp10f expf log10f log2f logf saturatef sinf tanf tanhf frsqrt_rn '
        'frcp_rn frcp_rz frcp_ru frcp_rd fsqrt_rn fsqrt_rz fsqrt_ru fsqrt_rd',
        2: 'powf fdividef fsub_rn fsub_rz fadd_rn fadd_rz fadd_ru fadd_rd '
        'fmul_rn fmul_rz fmul_ru fmul_rd fdiv_rn fdiv_rz fdiv_ru fdiv_rd',
        3: 'fmaf_rn fmaf_rz fmaf_ru fmaf_rd fmaf_ieee_rn',
    },
    'double': {
        1: 'drcp_rn drcp_rz dsqrt_rn dsqrt_rz',
        2: 'dsub_rn dadd_rn dadd_rz dadd_ru dadd_rd dmul_rn dmul_rz dmul_ru dmul_rd '
        'ddiv_rn ddiv_rz ddiv_ru ddiv_rd',
    },
    'unsigned': {
        1: 'popc clz ffs brev',
        2: 'mulhi umulhi mul24 umul24 hadd rhadd uhadd urhadd',
        3: 'sad usad fns',
    },
    'long long': {1: 'popcll clzll ffsll brevll', 2: 'mul64hi umul64hi'},
}
NAMED_INTRINSICS = {
    'bperm': '__byte_perm(a, b, c)',
    'fsl': '__funnelshift_l(a, b, c)',
    'fsr': '__funnelshift_r(a, b, c)',
    'fslc': '__funnelshift_lc(a, b, c)',
    'fsrc': '__funnelshift_rc(a, b, c)',
    'abs': 'abs((int)a)',
    'dp4a': '__dp4a((int)a, (int)b, (int)c)',
    'dp4au': '__dp4a(a, b, c)',
    'dp2alo': '__dp2a_lo((int)a, (int)b, (int)c)',
    'dp2ahi': '__dp2a_hi(a, b, c)',
}
SIMD = 'abs4 absdiffu4 add2 addss2 addus4 avgu4 cmpeq4 maxs2 minu4 neg2 sadu4 seteq2 sub4'.split()


def add_intrinsics(t: Table) -> None:
    t.kind = 'intr'
    for real, by_count in INTRINSICS.items():
        for count, names in by_count.items():
            args = ', '.join('abc'[:count])
            load = f'{real} a = x[i], b = x[i + 1], c = x[i + 2]; (void)b; (void)c;'
            for f in names.split():
                t.kernel(f'intr_{f}', f'{real} *x', f'{load} x[i] = __{f}({args});')
    for name, call in NAMED_INTRINSICS.items():
        load = 'unsigned a = x[i], b = x[i + 1], c = x[i + 2]; (void)b; (void)c;'
        t.kernel(f'intr_{name}', 'unsigned *x', f'{load} x[i] = {call};')
    t.kernel('intr_llabs', 'long long *x', 'x[i] = llabs(x[i]);')
    four = ' * '.join(f'__fma_{r}(x[i], x[i + 1], 2.0)' for r in ('rn', 'rz', 'ru', 'rd'))
    t.kernel('intr_fma_d', 'double *x', f'x[i] = {four};')
    for f in SIMD:
        args = 'x[i]' if f in ('abs4', 'neg2') else 'x[i], x[i + 1]'
        t.kernel(f'simd_{f}', 'unsigned *x', f'x[i] = __v{f}({args});')
    body = (
        'bool first; int a = x[i], b = x[i + 1], c = x[i + 2]; x[i] = __vibmax_s32(a, b, &first)'
        ' - first;'
        ' x[i + 1] = __vimax3_s32(a, b, c) ^ __viaddmax_s32(a, b, c); x[i + 2] ='
        ' __vimax_s32_relu(a, b);'
        ' x[i + 3] = __viaddmin_s16x2_relu(a, b, c);'
    )
    t.kernel('simd_vibmax', 'int *x', body)


def add_conversions(t: Table) -> None:
    t.kind = 'cvt'
    for to, cto in LONG.items():
        for of, cof in LONG.items():
            if to != of:
                t.kernel(
                    f'cvt_{to}_{of}',
                    f'{cto} *x, const {cof} *y',
                    f'x[i] = static_cast<{cto}>(y[i]);',
                )
    modes = ('rn', 'rz', 'ru', 'rd')
    for of in ('float', 'double'):
        for to in ('int', 'uint', 'll', 'ull'):
            calls = ' ^ '.join(f'(long long)__{of}2{to}_{m}(y[i])' for m in modes)
            t.kernel(f'cvtr_{of}2{to}', f'long long *x, const {of} *y', f'x[i] = {calls};')
    c_names = {
        'int': 'int',
        'uint': 'unsigned',
        'll': 'long long',
        'ull': 'unsigned long long',
        'double': 'double',
    }
    for of, cof in c_names.items():
        for to in ('float', 'double'):
            if (of, to) in (('int', 'double'), ('uint', 'double'), ('double', 'double')):
                continue
            sets = ' '.join(f'x[4 * i + {n}] = __{of}2{to}_{m}(y[i]);' for n, m in enumerate(modes))
            t.kernel(f'cvtr_{of}2{to}', f'{to} *x, const {cof} *y', sets)
    body = (
        'n[i] = __float_as_int(f[i]) + __double2hiint(d[i]) - __double2loint(d[i]); f[i + 1] ='
        ' __int_as_float(n[i]);'
        ' l[i] = __double_as_longlong(d[i]); d[i + 1] = __longlong_as_double(l[i + 1]);'
        ' d[i + 2] = __hiloint2double(n[i + 1], n[i + 2]);'
    )
    t.kernel('bitcast', 'int *n, float *f, long long *l, double *d', body)


INT_BODIES = {
    'arith': 'x[i] = (a * b + a) ^ ((a & b) - (~b | a));',
    'divmod': 'x[i] = a % b; x[i + 1] = a / b;',
    'divconst': 'x[i] = a % 10; x[i + 1] = b / 7;',
    'shift': 'x[i] = (b >> (n[0] + 1)) | (a << n[1]);',
    'cmp': 'n[i] = (a != b) | (a == b) << 1 | (a <= b) << 2 | (a < b) << 3;'
    ' n[i + 1] = a > b || b == 3;'
    ' x[i] = a > b ? a : b;',
    'minmax': 'x[i] = max(a, b); x[i + 1] = min(b, T(x[i + 2]));',
}


def add_integers(t: Table) -> None:
    t.kind = 'int'
    for short in INTEGERS:
        for name, body in INT_BODIES.items():
            load = f'using T = {LONG[short]}; T a = x[i], b = x[i + 1]; (void)b;'
            t.kernel(f'int_{name}_{short}', f'{LONG[short]} *x, int *n', f'{load} {body}')
    fields = 'struct Bits { unsigned low : 5, mid : 9, high : 13; int sign : 5; };'
    body = (
        'Bits v = x[i]; n[i] = v.low * v.mid - v.high + v.sign; v.mid = i; v.sign = -i; x[i] = v;'
    )
    t.kernel('int_bitfield', 'Bits *x, int *n', body, before=fields)
    body = (
        '__int128 p = (__int128)x[i] * x[i + 1] - x[i + 2]; x[i] = (long long)p; x[i + 1] = (long'
        ' long)(p >> 64);'
    )
    t.kernel('int128', 'long long *x', body, '--device-int128')
    body = (
        'unsigned __int128 p = (unsigned __int128)x[i] << 64 | x[i + 1]; p /= x[i + 2];'
        ' x[i] = (unsigned long long)p; x[i + 1] = (unsigned long long)(p >> 64);'
    )
    t.kernel('int128_div', 'unsigned long long *x', body, '--device-int128')
    body = 'x[i] = (long long)a[i] * a[i + 1] - (long long)((unsigned long long)b[i] * b[i + 1]);'
    t.kernel('int_widen', 'long long *x, const int *a, const unsigned *b', body)
    t.kernel('int_mad24', 'int *x', 'x[i] = x[i + 2] - __mul24(x[i], x[i + 1]);')
    body = (
        'unsigned low, high; asm("add.cc.u32 %0, %2, %3; addc.u32 %1, %4, %5;" : "=r"(low),'
        ' "=r"(high)'
        ' : "r"(x[i]), "r"(x[i + 1]), "r"(x[i + 2]), "r"(x[i + 3])); x[i] = low; x[i + 1] = high;'
    )
    t.kernel('int_addc', 'unsigned *x', body)


# ---- half precision ----

HALF_SCALAR = {
    "add": "__hadd(a, b)", "sub": "__hsub(a, b)", "mul": "__hmul(a, b)", "div": "__hdiv(a, b)",
    "fma": "__hfma(a, b, c)", "fmasat": "__hfma_sat(a, b, c)", "fmarelu": "__hfma_relu(a, b, c)",
    "addsat": "__hadd_sat(a, b)", "neg": "__hneg(a)", "abs": "__habs(a)", "min": "__hmin(a, b)",
    "max": "__hmax(a, b)", "maxnan": "__hmax_nan(a, b)", "tanha": "htanh_approx(a)",
}  # fmt: skip
HALF_BOTH = (
    'sqrt rsqrt rcp exp exp2 exp10 log log2 log10 sin cos tanh ceil floor trunc rint'.split()
)
HALF_PAIR = {
    "add": "__hadd2(a, b)", "sub": "__hsub2(a, b)", "mul": "__hmul2(a, b)", "div": "__h2div(a, b)",
    "fma": "__hfma2(a, b, c)", "fmarelu": "__hfma2_relu(a, b, c)", "addsat": "__hadd2_sat(a, b)",
    "neg": "__hneg2(a)", "abs": "__habs2(a)", "min": "__hmin2(a, b)", "max": "__hmax2(a, b)",
    "tanha": "h2tanh_approx(a)",
}  # fmt: skip


def half_bodies(half: str, word: str) -> dict[str, tuple[str, str]]:
    """What is written out for both formats: parameters and body; `word` as in intrinsics' names."""
    return {
        '16_cmp': (
            f'{half} *x, int *n',
            f'{half} a = x[i], b = x[i + 1]; n[i] = __hne(a, b) | __heq(a, b) << 1 | __hge(a, b)'
            ' << 2 | __hlt(a, b) << 3'
            ' | __hltu(a, b) << 4 | __hequ(a, b) << 5 | __hisinf(a) << 6 | __hisnan(b) << 8;',
        ),
        '16x2_cmp': (
            f'{half}2 *x, int *n',
            f'{half}2 a = x[i], b = x[i + 1]; x[i] = __hle2(a, b); x[i + 1] = __hgt2(a, b);'
            ' n[i] = __hbge2(a, b) | __hblt2(a, b) << 1 | __hbeq2(a, b) << 2;'
            ' n[i + 1] = __hltu2_mask(a, b) ^ __heq2_mask(a, b);',
        ),
        '16_operators': (
            f'{half} *x',
            f'{half} a = x[i], b = x[i + 1]; a = a / b - a * b; a += b; if (b > a) a = -a; x[i] ='
            ' a;',
        ),
        '16_cvt_f': (
            f'{half} *x, float *f, double *d',
            f'x[i] = __double2{word}(d[i]); f[i] = __{word}2float(x[i + 1]); '
            + ' '.join(
                f'x[i + {n}] = __float2{word}_{m}(f[i + {n}]);'
                for n, m in enumerate(('rn', 'rz', 'ru', 'rd'), 2)
            ),
        ),
        '16_cvt_i': (
            f'{half} *x, int *n, unsigned *u, short *s, long long *l',
            f'x[i] = __int2{word}_rn(n[i]); x[i + 1] = __uint2{word}_rz(u[i]); x[i + 2] ='
            f' __short2{word}_rn(s[i]);'
            f' x[i + 3] = __ll2{word}_rn(l[i]); n[i] = __{word}2int_rz(x[i + 4]); u[i] ='
            f' __{word}2uint_ru(x[i + 5]);'
            f' s[i] = __{word}2short_rd(x[i + 6]); l[i] = __{word}2ll_rn(x[i + 7]);',
        ),
        '16x2_pack': (
            f'{half}2 *x, {half} *y, float2 *f',
            f'x[i] = __floats2{word}2_rn(f[i].y, f[i].x); f[i + 1] = __{word}22float2(x[i + 1]);'
            f' x[i + 2] = __halves2{word}2(y[i], y[i + 1]); y[i + 2] = __high2{word}(x[i + 3]);'
            f' y[i + 3] = __low2{word}(x[i + 3]); x[i + 4] = __lows2{word}2(x[i + 5], x[i + 6]);'
            ' x[i + 5] = __lowhigh2highlow(x[i + 7]);',
        ),
        '16_atomic': (f'{half} *x, {half}2 *y', 'atomicAdd(y, y[i]); atomicAdd(x, x[i]);'),
        '16_ldg': (
            f'{half} *x, const {half} *__restrict__ y',
            'x[i] = __ldcs(y + i) + __ldcg(y + i + 1) + __ldg(y + i + 2);',
        ),
        '16_shfl': (
            f'{half} *x',
            'x[i] = __shfl_down_sync(~0u, x[i], 4) - __shfl_xor_sync(~0u, x[i], 8);',
        ),
        '16_dot': (
            f'const {half}2 *x, const {half}2 *y, float *f, int n',
            f'{half}2 sum = y[0]; for (int j = i; j < n; j += 32) sum = __hfma2(x[j], y[j], sum);'
            ' f[i] = __high2float(sum) + __low2float(sum);',
        ),
    }


def lowest(letter: str, name: str) -> int:
    """The headers have fused operations on bfloat16 from sm_80 on."""
    return 80 if letter == 'b' and ('fma' in name or 'dot' in name) else 75


def add_halves(t: Table) -> None:
    t.kind = 'half'
    for letter, half, word, header in (
        ('h', '__half', 'half', 'cuda_fp16.h'),
        ('b', '__nv_bfloat16', 'bfloat16', 'cuda_bf16.h'),
    ):
        before = f'#include <{header}>'
        scalar = HALF_SCALAR | {f: f'h{f}(a)' for f in HALF_BOTH}
        pair = (
            HALF_PAIR | {f: f'h2{f}(a)' for f in HALF_BOTH if f != 'tanh'} | {'tanh': 'h2tanh(a)'}
        )
        for width, of, table in (('16', half, scalar), ('16x2', half + '2', pair)):
            load = f'{of} a = x[i], b = x[i + 1], c = x[i + 2]; (void)b; (void)c;'
            for name, call in table.items():
                body = f'{load} x[i] = {call};'
                t.kernel(
                    f'{letter}{width}_{name}',
                    f'{of} *x',
                    body,
                    before=before,
                    arch=lowest(letter, name),
                )
        for name, (params, body) in half_bodies(half, word).items():
            t.kernel(letter + name, params, body, before=before, arch=lowest(letter, name))
    for f8 in ('e4m3', 'e5m2'):
        of = f'__nv_fp8_{f8}'
        body = f'f[i] = (float)x[i]; x[i + 1] = {of}(f[i + 1]);'
        t.kernel(f'fp8_{f8}', f'{of} *x, float *f', body, before='#include <cuda_fp8.h>')
    t.kernel(
        'fp6fp4',
        '__nv_fp6_e3m2 *x, __nv_fp4_e2m1 *y, float *f',
        'x[i] = __nv_fp6_e3m2(f[i]); y[i] = __nv_fp4_e2m1(f[i + 1]); f[i] = (float)x[i + 1] -'
        ' (float)y[i + 1];',
        before='#include <cuda_fp4.h>\n#include <cuda_fp6.h>',
    )
    t.kernel(
        'f128', '__float128 *x', 'x[i] = x[i + 1] - x[i] * x[i + 2];', '--device-float128', arch=100
    )


# ---- atomics ----

ATOMICS = {
    "Add": "int unsigned u64 float double", "Sub": "int unsigned", "Exch": "int unsigned u64 float",
    "Min": "int unsigned s64 u64", "Max": "int unsigned s64 u64",
    "And": "int unsigned u64", "Or": "int unsigned u64",
    "Xor": "int unsigned u64", "Inc": "unsigned", "Dec": "unsigned",
}  # fmt: skip
SHORT = {'int': 's32', 'unsigned': 'u32'}


def shared_atomic(of: str, call: str) -> tuple[str, str]:
    """A block that applies an atomic to shared memory."""
    body = (
        f'__shared__ {of} cell[16]; cell[threadIdx.x % 16] = x[0]; __syncthreads();'
        f' {call}; __syncthreads(); x[i] = cell[i % 16];'
    )
    return f'{of} *x', body


def add_atomics(t: Table) -> None:
    t.kind = 'atom'
    for op, types in ATOMICS.items():
        for short in types.split():
            of = LONG.get(short, short)
            name = f'atom_{op}_{SHORT.get(short, short)}'
            t.kernel(f'{name}_ret', f'{of} *x, {of} *y', f'y[i] = atomic{op}(x, y[i]);')
            t.kernel(f'{name}_red', f'{of} *x, {of} *y', f'atomic{op}(x, y[i]);')
            t.kernel(f'{name}_shared', *shared_atomic(of, f'atomic{op}(cell + i % 16, x[i])'))
    for short in ('s32', 'u32', 'u64', 'u16'):
        of = LONG[short]
        t.kernel(
            f'atom_CAS_{short}', f'{of} *x, {of} *y', 'y[i] = atomicCAS(x + i, y[i + 1], y[i]);'
        )
        t.kernel(
            f'atom_CAS_{short}_shared',
            *shared_atomic(of, 'x[i + 1] = atomicCAS(cell + i % 16, x[i], x[i + 2])'),
        )
    for scope in ('block', 'system'):
        for op, of in (
            ('Add', 'int'),
            ('Add', 'float'),
            ('Max', 'int'),
            ('Or', 'unsigned'),
            ('Exch', 'int'),
            ('CAS', 'int'),
        ):
            args = 'x, y[i], y[i + 1]' if op == 'CAS' else 'x, y[i]'
            t.kernel(
                f'atom_{op}_{scope}_{of}',
                f'{of} *x, {of} *y',
                f'y[i] = atomic{op}_{scope}({args});',
            )
    t.kernel(
        'atom_f2', 'float2 *x, float4 *y', 'y[i] = atomicAdd(y, y[i]); atomicAdd(x, x[i]);', arch=90
    )
    body = (
        'unsigned *word = (unsigned *)x, seen = *word, want; do { want = seen;'
        ' seen = atomicCAS(word, want, __float_as_uint(fminf(y[i], __uint_as_float(want)))); }'
        ' while (seen != want);'
    )
    t.kernel('atom_cas_float_loop', 'float *x, const float *y', body)
    wide = 'struct alignas(16) Wide { unsigned long long low, high; };'
    body = 'Wide old = {5, 6}, next = {7, 8}; x[i + 1] = atomicCAS(x, old, next);'
    t.kernel('atom_cas128', 'Wide *x', body, before=wide, arch=90)
    body = (
        '__shared__ int cell[32]; cell[threadIdx.x % 32] = 0; __syncthreads(); int *where = which'
        ' ? cell : x;'
        ' atomicAdd(where + i % 32, 2); __syncthreads(); x[i] = cell[threadIdx.x % 32];'
    )
    t.kernel('atom_generic', 'int *x, int which', body)
    add_library_atomics(t)


def add_library_atomics(t: Table) -> None:
    before = '#include <cuda/atomic>'
    for order in ('relaxed', 'acquire', 'release', 'acq_rel', 'seq_cst'):
        load = 'relaxed' if order in ('release', 'acq_rel') else order
        store = 'relaxed' if order in ('acquire', 'acq_rel') else order
        body = (
            'cuda::atomic_ref<int, cuda::thread_scope_device> cell(*x);'
            f' cell.store(5, cuda::memory_order_{store}); y[i] = cell.fetch_add(2,'
            f' cuda::memory_order_{order})'
            f' - cell.load(cuda::memory_order_{load});'
        )
        t.kernel(f'cuatom_{order}', 'int *x, int *y', body, before=before)
    for scope in ('block', 'device', 'system', 'thread'):
        body = (
            f'cuda::atomic_ref<unsigned long long, cuda::thread_scope_{scope}> cell(*x); unsigned'
            ' long long want = 3;'
            ' cell.exchange(9); cell.fetch_or(16); cell.compare_exchange_strong(want, 4);'
            ' cell.fetch_max(i);'
        )
        t.kernel(f'cuatom_scope_{scope}', 'unsigned long long *x', body, before=before)
    body = (
        'cuda::atomic_ref<int, cuda::thread_scope_device> flag(*x);'
        ' if (i) flag.wait(0); else { flag.store(2); flag.notify_all(); }'
    )
    t.kernel('cuatom_wait', 'int *x', body, before=before)
    body = (
        'cuda::atomic_ref<double, cuda::thread_scope_device> wide(*d); wide.fetch_max(3.0);'
        ' wide.fetch_add(0.5);'
        ' cuda::atomic_ref<float, cuda::thread_scope_device> narrow(*f); narrow.fetch_add(0.25f);'
    )
    t.kernel('cuatom_float', 'float *f, double *d', body, before=before)
    t.kernel(
        'cuatom_flag',
        'int *x',
        'counter += 2; cuda::std::atomic_thread_fence(cuda::std::memory_order_seq_cst); x[i] ='
        ' counter.load();',
        before='#include <cuda/std/atomic>\n__device__ cuda::std::atomic<int> counter;',
    )
    t.kernel(
        'cusem',
        'int *x',
        'gate->acquire(); x[0] += 3; gate->release();',
        before='#include <cuda/semaphore>\n'
        '__device__ cuda::binary_semaphore<cuda::thread_scope_device> *gate;',
    )


# ---- warps ----


def add_warps(t: Table) -> None:
    t.kind = 'warp'
    shuffles = {
        'idx': '__shfl_sync(~0u, v, 5)',
        'up': '__shfl_up_sync(~0u, v, 2, 8)',
        'down': '__shfl_down_sync(~0u, v, n)',
        'bfly': '__shfl_xor_sync(~0u, v, 4)',
    }
    for short in ('s32', 'f32', 'f64', 's64'):
        of = LONG[short]
        for name, call in shuffles.items():
            t.kernel(
                f'warp_shfl_{name}_{short}', f'{of} *x, int n', f'{of} v = x[i]; x[i] = {call};'
            )
    votes = {
        "all": "__all_sync(~0u, x[i] < 9)", "any": "__any_sync(~0u, x[i] < 9)",
        "uni": "__uni_sync(~0u, x[i] < 9)",
        "ballot": "__ballot_sync(~0u, x[i] < 9)", "activemask": "__activemask()",
        "match_any": "__match_any_sync(~0u, x[i])",
        "match_any64": "__match_any_sync(~0u, (long long)x[i])",
    }  # fmt: skip
    for name, call in votes.items():
        t.kernel(f'warp_{name}', 'int *x', f'x[i] = {call};')
    t.kernel(
        'warp_match_all', 'int *x', 'int same; x[i] = __match_all_sync(~0u, x[i], &same) ^ same;'
    )
    for op in ('add', 'min', 'max'):
        body = f'x[i] = __reduce_{op}_sync(~0u, x[i]); y[i] = __reduce_{op}_sync(~0u, y[i]);'
        t.kernel(f'warp_redux_{op}', 'int *x, unsigned *y', body, arch=80)
    for op in ('and', 'or', 'xor'):
        t.kernel(
            f'warp_redux_{op}', 'unsigned *x', f'x[i] = __reduce_{op}_sync(~0u, x[i]);', arch=80
        )


# ---- kernels written out in features.cu ----

WMMA = """
#include <cuda_bf16.h>
#include <mma.h>
extern "C" __global__ void k(const {memory} *a, const {memory} *b, {out} *c)
{{
    using namespace nvcuda::wmma;
    fragment<matrix_a, {m}, {n}, {k}, {of}, row_major> left;
    fragment<matrix_b, {m}, {n}, {k}, {of}, col_major> right;
    fragment<accumulator, {m}, {n}, {k}, {out}> sum;
    load_matrix_sync(left, a, {k});
    load_matrix_sync(right, b, {k});
    load_matrix_sync(sum, c, {n}, mem_row_major);
    mma_sync(sum, left, right, sum);
    store_matrix_sync(c, sum, {n}, mem_row_major);
}}
"""


def expand_source(source: str) -> str:
    """KERNEL(...), INDEX and WMMA(...) replaced."""
    if m := re.match(r'WMMA\((.*)\)', source):
        names = ('m', 'n', 'k', 'of', 'memory', 'out')
        return WMMA.format(**dict(zip(names, m[1].split(', '), strict=True)))
    source = source.replace('KERNEL(', 'extern "C" __global__ void k(')
    return source.replace('INDEX;', INDEX)


def add_written(t: Table) -> None:
    """What features.cu holds."""
    text = (Path(__file__).parent / 'features.cu').read_text()
    for part in text.split('\n//@ ')[1:]:
        head, source = part.split('\n', 1)
        m = re.fullmatch(r'(\w+) (\w*)(?:\{([^}]*)\}(\w*))?(.*)', head)
        assert m, head
        t.kind = m[1]
        words = m[5].split()
        arch = next((int(w[5:]) for w in words if w.startswith('arch=')), 75)
        options = [w for w in words if not w.startswith('arch=')]
        for one in m[3].split(',') if m[3] else ['']:
            name = m[2] + one.replace(' ', '') + (m[4] or '')
            t.add(
                name,
                expand_source(source.replace('{}', one) if m[3] else source),
                *options,
                arch=arch,
            )


# ---- all together ----


def features() -> list[Feature]:
    """All features, in a fixed order."""
    t = Table()
    for add in (
        add_math,
        add_intrinsics,
        add_conversions,
        add_integers,
        add_halves,
        add_atomics,
        add_warps,
        add_written,
    ):
        add(t)
    return list(t.features.values())


def tenth() -> list[Feature]:
    """About every tenth feature: the first of each kind, then every tenth of it."""
    seen: dict[str, int] = {}
    chosen = []
    for f in features():
        n = seen[f.kind] = seen.get(f.kind, -1) + 1
        if n % 10 == 0:
            chosen.append(f)
    return chosen

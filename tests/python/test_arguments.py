"""What goes to a kernel: each kind of value against each kind of parameter, byte for byte."""

import ctypes
import random
import warnings

import numpy as np
import pytest
import runcu
from runcu import In, InOut, Out, driver
from runcu.driver import ArgumentError

SOURCE = r"""
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuComplex.h>

struct pair { int i; double d; };
struct nested { char c; pair p; short s[3]; };
struct float3x { float x, y, z; };
struct complex32 { float re, im; };                 // aligned to 4, as pycuda::complex<float>
struct complex64 { double re, im; };
struct own { unsigned short bits; };
struct __attribute__((packed)) packed_pair { int i; double d; };
union both { int i; double d; };
enum color { red, green };

#define STORE(name, T) \
    __global__ void name(char *to, char before, T value, char after) \
    { to[64] = before; to[65] = after; \
      for (int i = 0; i < sizeof(T); i++) to[i] = ((const char *)&value)[i]; }
STORE(i8, signed char) STORE(u8, unsigned char) STORE(i16, short) STORE(u16, unsigned short)
STORE(i32, int) STORE(u32, unsigned) STORE(i64, long long) STORE(u64, unsigned long long)
STORE(f32, float) STORE(f64, double) STORE(boolean, bool) STORE(character, char)
STORE(fp16, __half) STORE(bf16, __nv_bfloat16)
STORE(e4m3, __nv_fp8_e4m3) STORE(e5m2, __nv_fp8_e5m2)
STORE(own16, own) STORE(pair_, pair) STORE(nested_, nested) STORE(packed_, packed_pair)
STORE(both_, both) STORE(color_, color)
STORE(vec2, float2) STORE(vec3, float3x) STORE(vec4, float4) STORE(dvec2, double2)
STORE(ivec3, int3)
STORE(cu_complex, cuFloatComplex) STORE(cu_double_complex, cuDoubleComplex)
STORE(c32, complex32) STORE(c64, complex64)
STORE(pointer, const float *) STORE(nothing_known, void *)

extern "C" {
STORE(plain8, unsigned long long) STORE(plain4, int) STORE(plain_pointer, float *)
STORE(plain_struct, pair)
}

__global__ void scale(float *x, const float *y, float a, int n)
{
    if (threadIdx.x < n) x[threadIdx.x] = a * y[threadIdx.x];
}
__global__ void none() {}
"""


@pytest.fixture(scope='module')
def compiled():
    modules = {}

    def get(device):
        if device.driver not in modules:
            modules[device.driver] = runcu.SourceModule(SOURCE)
        return modules[device.driver]

    return get


@pytest.fixture
def mod(device, compiled):
    return compiled(device)


def store(mod, name, value, size):
    """The bytes that the parameter of kernel `name` got; its neighbours have theirs."""
    to = np.full(66, 0xEE, np.uint8)
    mod.get_function(name)(InOut(to), np.int8(17), value, np.int8(-3), block=(1, 1, 1))
    assert to[64:].tolist() == [17, 256 - 3]
    assert (to[size:64] == 0xEE).all()
    return to[:size].tobytes()


# --- numbers of Python ---


@pytest.mark.parametrize(
    ('name', 'dtype'),
    [(f'{k}{8 * s}', f'{k}{s}') for k in 'iu' for s in (1, 2, 4, 8)],
)
def test_ints_take_every_width(mod, name, dtype):
    dtype = np.dtype(dtype)
    info = np.iinfo(dtype)
    for n in (0, 1, int(info.min), int(info.max), True, False):
        assert store(mod, name, n, dtype.itemsize) == dtype.type(n).tobytes()
    for n in (int(info.min) - 1, int(info.max) + 1, 1 << 70, -(1 << 70)):
        with pytest.raises((ArgumentError, OverflowError), match=rf'{name}\(.*not fit'):
            store(mod, name, n, 8)


def test_ints_and_bools_where_floats_stand(mod):
    for name, dtype in (('f32', np.float32), ('f64', np.float64), ('fp16', np.float16)):
        for n in (0, 3, -7, True, False):
            assert store(mod, name, n, dtype().itemsize) == dtype(n).tobytes()
    assert store(mod, 'f64', 1 << 64, 8) == np.float64(2.0**64).tobytes()
    assert store(mod, 'f32', -(1 << 100), 4) == np.float32(-(2.0**100)).tobytes()
    with pytest.raises(ArgumentError, match='does not fit'):
        store(mod, 'f32', 1 << 200, 4)
    with pytest.raises(OverflowError, match='does not fit'):
        store(mod, 'f64', 1 << 2000, 8)


def test_floats(mod):
    for value in (0.1, -2.5, float('inf'), float('nan'), 1e-300):
        assert store(mod, 'f64', value, 8) == np.float64(value).tobytes()
        assert store(mod, 'f32', value, 4) == np.float32(value).tobytes()
    with pytest.raises(ArgumentError, match='1e\\+300 does not fit a float32'):
        store(mod, 'f32', 1e300, 4)


def test_whole_floats_where_integers_stand(mod):
    assert store(mod, 'i32', 5.0, 4) == np.int32(5).tobytes()
    for bad in (2.5, float('nan'), float('inf'), 1e10):
        with pytest.raises(ArgumentError):
            store(mod, 'i32', bad, 4)


def test_bools(mod):
    for value in (True, False, np.True_, np.False_, np.bool_(1), 1, 0):
        assert store(mod, 'boolean', value, 1) == bytes([bool(value)])
    with pytest.raises(ArgumentError, match='2 does not fit'):
        store(mod, 'boolean', 2, 1)


def test_complex_numbers_of_python(mod):
    single, double = np.complex64(1 - 2j).tobytes(), np.complex128(1 - 2j).tobytes()
    for name in ('cu_complex', 'c32', 'vec2'):
        assert store(mod, name, 1 - 2j, 8) == single
    for name in ('cu_double_complex', 'c64', 'dvec2'):
        assert store(mod, name, 1 - 2j, 16) == double
    with pytest.raises(OverflowError, match='two floats'):
        store(mod, 'cu_complex', 1e300j, 8)
    for name in ('f32', 'f64', 'i64', 'vec3', 'pointer'):
        with pytest.raises(ArgumentError, match='complex'):
            store(mod, name, 1j, 8)


# --- scalars of NumPy ---

SAME = {
    'i8': np.int8, 'u8': np.uint8, 'i16': np.int16, 'u16': np.uint16, 'i32': np.int32,
    'u32': np.uint32, 'i64': np.int64, 'u64': np.uint64, 'f32': np.float32, 'f64': np.float64,
    'boolean': np.bool_, 'fp16': np.float16, 'cu_complex': np.complex64, 'c32': np.complex64,
    'cu_double_complex': np.complex128, 'c64': np.complex128,
}  # fmt: skip


@pytest.mark.parametrize('name', SAME)
def test_scalars_of_numpy_and_0d_arrays(mod, name):
    scalar = SAME[name](1)
    for value in (scalar, np.array(scalar), np.array([scalar, scalar])[1]):
        assert store(mod, name, value, scalar.nbytes) == scalar.tobytes()


def test_scalars_of_c_types(mod):
    for scalar in (np.intc, np.uintc, np.long if hasattr(np, 'long') else np.int_, np.longlong):
        value = scalar(77)
        name = f'{value.dtype.kind}{8 * value.nbytes}'
        assert store(mod, name, value, value.nbytes) == value.tobytes()
    for scalar in (np.intp, np.uintp, np.ulonglong):
        assert store(mod, 'u64', scalar(77), 8) == np.uint64(77).tobytes()


def test_other_widths_by_value_the_same_by_bits(mod):
    assert store(mod, 'i32', np.uint32(0xFFFFFFFE), 4) == np.int32(-2).tobytes()
    assert store(mod, 'u8', np.int8(-1), 1) == b'\xff'
    assert store(mod, 'i32', np.int64(-5), 4) == np.int32(-5).tobytes()
    assert store(mod, 'i64', np.int8(-5), 8) == np.int64(-5).tobytes()
    with pytest.raises(ArgumentError, match='300 does not fit'):
        store(mod, 'u8', np.int64(300), 1)
    with pytest.raises(ArgumentError, match='-5 does not fit'):
        store(mod, 'u64', np.int32(-5), 8)


@pytest.mark.parametrize(
    ('name', 'value', 'words'),
    [
        ('f32', np.float64(1), 'a float64 was given where a float32'),
        ('f64', np.float32(1), 'a float32 was given where a float64'),
        ('f32', np.float16(1), 'a float16 was given'),
        ('f32', np.int32(1), 'an int32 was given where a float32'),
        ('i32', np.float32(1), 'a float32 was given where an integer'),
        ('fp16', np.float32(1), 'a float32 was given where a float16'),
        ('bf16', np.float16(1), 'a float16 was given where a bfloat16'),
        ('u16', np.float16(1), 'a float16 was given where an integer of 2 bytes'),
        ('pointer', np.int32(1), 'an int32 was given where device memory'),
        ('pointer', np.complex64(1), 'to_gpu'),
        ('cu_complex', np.complex128(1), '16 bytes were given where 8'),
        ('i32', np.longdouble(1), 'convert it to float64'),
        ('f64', np.longdouble(1), 'convert it to float64'),
        ('c64', np.clongdouble(1), 'complex128'),
        ('i64', np.datetime64('2020-01-01'), "astype"),
        ('i64', np.timedelta64(5, 's'), "astype"),
        ('i32', np.str_('text'), 'text'),
        ('i32', np.bytes_(b'text'), 'text'),
    ],
)  # fmt: skip
def test_scalars_that_do_not_fit(mod, name, value, words):
    for given in (value, np.array(value)):
        if name == 'pointer' and given is not value:
            words = 'to_gpu'  # a host array
        with pytest.raises(TypeError, match=words) as e:
            store(mod, name, given, 8)
        assert f'{name}(char *, char, ' in str(e.value)
        assert 'parameter' in str(e.value) and '2' in str(e.value)


# --- small floats ---


def test_numbers_become_small_floats(mod):
    assert store(mod, 'fp16', 1.5, 2) == np.float16(1.5).tobytes()
    assert store(mod, 'bf16', 1.5, 2) == b'\xc0\x3f'
    assert store(mod, 'bf16', 3, 2) == b'\x40\x40'
    assert store(mod, 'e4m3', 1.5, 1) == b'\x3c'
    assert store(mod, 'e5m2', -2, 1) == b'\xc0'
    for name, value in (('fp16', 1e6), ('bf16', 1e39), ('e4m3', 500), ('e5m2', 1e5)):
        with pytest.raises(ArgumentError, match='does not fit a'):
            store(mod, name, value, 2)


def test_structs_that_hold_small_floats(mod):
    assert store(mod, 'own16', np.float16(1.5), 2) == np.float16(1.5).tobytes()
    with pytest.raises(ArgumentError, match='struct of 2 bytes'):
        store(mod, 'own16', 1.5, 2)


def test_small_floats_of_ml_dtypes(mod):
    ml_dtypes = pytest.importorskip('ml_dtypes')
    names = {'bf16': 'bfloat16', 'e4m3': 'float8_e4m3fn', 'e5m2': 'float8_e5m2'}
    for name, dtype in names.items():
        scalar = getattr(ml_dtypes, dtype)(1.5)
        size = np.dtype(dtype).itemsize
        for value in (scalar, np.array(scalar)):
            assert store(mod, name, value, size) == scalar.tobytes()
        for other in names:
            if other != name:
                with pytest.raises(ArgumentError, match=f'a {dtype} was given'):
                    store(mod, other, scalar, size)
        for number in np.random.default_rng(1).normal(scale=20, size=200):
            want = getattr(ml_dtypes, dtype)(number).tobytes()
            assert store(mod, name, float(number), size) == want
    assert store(mod, 'own16', ml_dtypes.bfloat16(1.5), 2) == b'\xc0\x3f'
    assert store(mod, 'e4m3', 1.5, 1) == ml_dtypes.float8_e4m3fn(1.5).tobytes()


# --- structs ---

PAIR = np.dtype([('i', np.int32), ('d', np.float64)], align=True)
NESTED = np.dtype([('c', np.int8), ('p', PAIR), ('s', np.int16, 3)], align=True)


class CPair(ctypes.Structure):
    _fields_ = [('i', ctypes.c_int), ('d', ctypes.c_double)]


class CNested(ctypes.Structure):
    _fields_ = [('c', ctypes.c_char), ('p', CPair), ('s', ctypes.c_short * 3)]


class CBoth(ctypes.Union):
    _fields_ = [('i', ctypes.c_int), ('d', ctypes.c_double)]


class CPacked(ctypes.Structure):
    _pack_ = 1
    _layout_ = 'ms'
    _fields_ = [('i', ctypes.c_int), ('d', ctypes.c_double)]


class CBits(ctypes.Structure):
    _fields_ = [('a', ctypes.c_int, 3), ('b', ctypes.c_int, 29), ('d', ctypes.c_double)]


def without_padding(ctype, data):
    """The bytes between fields are nobody's: kernels need not even read them."""
    dtype = {CPair: PAIR, CBits: PAIR, CNested: NESTED}.get(ctype)
    if dtype is None:
        return data
    fields = np.frombuffer(data, dtype)[0]
    return [np.array(fields[name]).tolist() for name in dtype.names]


def test_structs_of_numpy(mod):
    value = np.array((7, 2.5), PAIR)
    nested = np.array((3, (7, 2.5), [1, -2, 3]), NESTED)
    for given in (value, value[()], np.array([value]), np.array([[value]])):
        assert np.frombuffer(store(mod, 'pair_', given, 16), PAIR)[0] == value
        assert np.frombuffer(store(mod, 'plain_struct', given, 16), PAIR)[0] == value
    for given in (nested, nested[()]):
        assert np.frombuffer(store(mod, 'nested_', given, NESTED.itemsize), NESTED)[0] == nested


def test_structs_of_ctypes(mod):
    for name, value in (
        ('pair_', CPair(7, 2.5)),
        ('nested_', CNested(b'x', CPair(7, 2.5), (1, -2, 3))),
        ('both_', CBoth(d=2.5)),
        ('packed_', CPacked(7, 2.5)),
        ('pair_', CBits(1, 2, 2.5)),
        ('vec3', (ctypes.c_float * 3)(1, 2, 3)),
        ('vec4', (ctypes.c_float * 4)(1, 2, 3, 4)),
    ):
        got = store(mod, name, value, ctypes.sizeof(value))
        assert without_padding(type(value), got) == without_padding(type(value), bytes(value))


def test_vectors(mod):
    vec = {
        'vec2': np.dtype([('x', 'f4'), ('y', 'f4')]),
        'vec3': np.dtype([('x', 'f4'), ('y', 'f4'), ('z', 'f4')]),
        'vec4': np.dtype([('x', 'f4'), ('y', 'f4'), ('z', 'f4'), ('w', 'f4')]),
        'dvec2': np.dtype([('x', 'f8'), ('y', 'f8')]),
        'ivec3': np.dtype([('x', 'i4'), ('y', 'i4'), ('z', 'i4')]),
    }
    for name, dtype in vec.items():
        value = np.array(tuple(range(1, len(dtype.names) + 1)), dtype)
        assert store(mod, name, value, dtype.itemsize) == value.tobytes()
        assert store(mod, name, value[()], dtype.itemsize) == value.tobytes()
    assert store(mod, 'vec3', np.float32([1, 2, 3]), 12) == np.float32([1, 2, 3]).tobytes()


def test_vectors_of_gpuarray(mod):
    from runcu.gpuarray import vec

    for name, value in (
        ('vec2', vec.make_float2(1, 2)),
        ('vec3', vec.make_float3(1, 2, 3)),
        ('vec4', vec.make_float4(1, 2, 3, 4)),
        ('dvec2', vec.make_double2(1, 2)),
        ('ivec3', vec.make_int3(1, 2, 3)),
    ):
        assert value.shape == ()
        assert store(mod, name, value, value.nbytes) == value.tobytes()
    with pytest.raises(ArgumentError, match='12 bytes were given where 16'):
        store(mod, 'vec4', vec.make_float3(1, 2, 3), 16)


def test_fields_of_any_name(mod):
    class Named(ctypes.Structure):
        _fields_ = [('O_g_X', ctypes.c_int), ('gravity', ctypes.c_double)]

    class Long(ctypes.Structure):
        _fields_ = [('f', ctypes.c_longdouble)]

    got = store(mod, 'pair_', Named(3, 9.81), 16)
    assert (got[:4], got[8:]) == (np.int32(3).tobytes(), np.float64(9.81).tobytes())
    with pytest.raises(TypeError, match='c_double'):
        store(mod, 'pair_', Long(1), 16)


@pytest.mark.parametrize(
    ('name', 'value', 'words'),
    [
        ('pair_', np.zeros((), np.dtype([('i', 'i4'), ('d', 'f8')])), 'align=True'),
        ('pair_', np.zeros((), 'f4, f4, f4'), '12 bytes were given where 16'),
        ('pair_', np.zeros(2, PAIR), '32 bytes were given where 16'),
        ('pair_', CPacked(), 'align=True|_pack_'),
        ('pair_', np.zeros((), {'names': ['i', 'd'], 'formats': ['i4', 'f8'], 'offsets': [0, 4],
                                'itemsize': 16}), "the field 'd' does not lie"),
        ('pair_', np.zeros((), np.dtype([('i', '>i4'), ('d', 'f8')], align=True)), "byte order"),
        ('pair_', np.zeros((), np.dtype([('o', 'O'), ('d', 'f8')])), "Python object"),
        ('nested_', np.zeros((), np.dtype([('a', 'g'), ('b', 'g')])), 'longdouble|bytes'),
        ('vec3', np.zeros(3, '>f4'), 'byte order'),
        ('vec3', np.zeros(6, np.float32)[::2], 'not C-contiguous'),
        ('vec3', np.zeros(3, np.float64), '24 bytes were given where 12'),
        ('vec3', np.float32(1), 'a float32 was given where a struct of 12 bytes'),
        ('vec3', 1.5, 'a real number was given where a struct of 12 bytes'),
        ('vec3', (1.0, 2.0, 3.0), 'np.array'),
        ('i32', np.zeros(1, np.int32), 'integer of 4 bytes'),
        ('f32', np.zeros((), 'f4, f4'), 'float32'),
        ('pair_', ctypes.py_object(5), 'Python object'),
        ('f64', ctypes.c_longdouble(5), 'c_double'),
        ('pair_', ctypes.pointer(ctypes.c_int(5)), 'host memory'),
        ('pair_', ctypes.byref(ctypes.c_int(5)), 'invalid type'),
        ('i32', ctypes.c_int.__ctype_be__(5), 'byte order'),
    ],
)  # fmt: skip
def test_structs_that_do_not_fit(mod, name, value, words):
    with pytest.raises(TypeError, match=words) as e:
        store(mod, name, value, 16)
    assert f'{name}(char *, char, ' in str(e.value)


def test_numbers_of_ctypes(mod):
    for name, value in (
        ('i8', ctypes.c_int8(-5)), ('u8', ctypes.c_uint8(5)), ('i16', ctypes.c_short(-5)),
        ('i32', ctypes.c_int(-5)), ('u32', ctypes.c_uint(5)), ('i64', ctypes.c_longlong(-5)),
        ('u64', ctypes.c_size_t(5)), ('f32', ctypes.c_float(1.5)), ('f64', ctypes.c_double(1.5)),
        ('boolean', ctypes.c_bool(True)), ('i64', ctypes.c_long(-5)), ('i64', ctypes.c_int(-5)),
        ('character', ctypes.c_char(b'x')), ('i32', ctypes.c_wchar('x')),
    ):  # fmt: skip
        got = store(mod, name, value, int(''.join(filter(str.isdigit, name)) or 8) // 8)
        want = value.value
        if isinstance(want, (bytes, str)):
            want = ord(want)
        dtype = {'f': 'f', 'u': 'u'}.get(name[0], 'i')
        assert np.frombuffer(got, f'{dtype}{len(got)}')[0] == want


def test_enumerations(mod):
    import enum

    class Color(enum.IntEnum):
        GREEN = 1

    for value in (Color.GREEN, 1, np.int32(1), np.uint8(1)):
        assert store(mod, 'color_', value, 4) == np.int32(1).tobytes()


# --- random signatures against the layout that ctypes has ---

C_TYPES = {
    'char': (ctypes.c_int8, lambda r: np.int8(r.randint(-128, 127))),
    'unsigned char': (ctypes.c_uint8, lambda r: r.randint(0, 255)),
    'short': (ctypes.c_int16, lambda r: r.randint(-(1 << 15), (1 << 15) - 1)),
    'unsigned short': (ctypes.c_uint16, lambda r: np.uint16(r.randint(0, 65535))),
    'int': (ctypes.c_int32, lambda r: r.choice([int, np.int32])(r.randint(-(1 << 31), 1 << 30))),
    'unsigned': (ctypes.c_uint32, lambda r: np.uint32(r.randint(0, (1 << 32) - 1))),
    'long long': (ctypes.c_int64, lambda r: r.randint(-(1 << 63), (1 << 63) - 1)),
    'unsigned long': (ctypes.c_uint64, lambda r: np.uint64(r.randint(0, (1 << 64) - 1))),
    'float': (ctypes.c_float, lambda r: r.choice([float, np.float32])(r.randint(-99, 99) / 4)),
    'double': (ctypes.c_double, lambda r: r.choice([float, np.float64])(r.random())),
    'bool': (ctypes.c_bool, lambda r: r.choice([True, False, np.True_])),
    'pair': (CPair, lambda r: CPair(r.randint(0, 99), r.random())),
    'nested': (CNested, lambda r: np.frombuffer(
        bytes(CNested(b'x', CPair(r.randint(0, 99), 0.5), (1, 2, 3))), NESTED)[0]),
    'complex32': (ctypes.c_float * 2, lambda r: r.choice([complex, np.complex64])(r.randint(0, 9))),
    'complex64': (ctypes.c_double * 2, lambda r: np.complex128(r.random() - 1j)),
}  # fmt: skip


def as_bytes(ctype, value):
    if hasattr(value, 'tobytes'):
        return value.tobytes()
    if isinstance(value, complex):
        return np.complex64(value).tobytes()
    return bytes(value) if isinstance(value, ctypes.Structure) else bytes(ctype(value))


def test_random_signatures(device):
    rng = random.Random(5)
    kernels, lists = [], []
    for k in range(24):
        names = [rng.choice(list(C_TYPES)) for _ in range(rng.randint(1, 20))]
        params = ', '.join(f'{name} a{i}' for i, name in enumerate(names))
        copies = ' '.join(
            f'for (int k = 0; k < sizeof a{i}; k++) to[{32 * i} + k] = ((char *)&a{i})[k];'
            for i in range(len(names))
        )
        kernels.append(f'__global__ void k{k}(char *to, {params}) {{ {copies} }}')
        lists.append(names)
    structs = SOURCE[SOURCE.index('struct pair') : SOURCE.index('struct own')]
    mod = runcu.SourceModule(structs + '\n'.join(kernels))
    for k, names in enumerate(lists):
        for _ in range(3):
            values = [C_TYPES[name][1](rng) for name in names]
            to = np.zeros(32 * len(names), np.uint8)
            mod.get_function(f'k{k}')(Out(to), *values, block=(1, 1, 1))
            for i, (name, value) in enumerate(zip(names, values, strict=True)):
                ctype = C_TYPES[name][0]
                want = as_bytes(ctype, value)
                got = to[32 * i : 32 * i + len(want)].tobytes()
                assert without_padding(ctype, got) == without_padding(ctype, want), (names, i)


# --- pointers ---


class Interface:
    """A device array with __cuda_array_interface__, as other libraries have them."""

    def __init__(self, address, typestr='<f4', **more):
        self.__cuda_array_interface__ = {
            'data': (address, False), 'shape': (4,), 'typestr': typestr, 'version': 3, **more,
        }  # fmt: skip


class Capsule:
    """A device array with DLPack."""

    def __init__(self, memory, dtype=np.float32, **options):
        self.memory, self.dtype, self.options, self.streams = memory, dtype, options, []

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        self.streams.append(stream)
        return driver._core.dlpack_export(
            self, self.memory, 4, None, self.dtype, max_version=max_version, **self.options
        )

    def __dlpack_device__(self):
        return driver._core.dlpack_device(self.memory)


class Gpudata:
    def __init__(self, gpudata):
        self.gpudata = gpudata


class Holder(driver.PointerHolderBase):
    def get_pointer(self):
        return int(self.memory)


class Index:
    def __init__(self, n):
        self.n = n

    def __index__(self):
        return self.n


def pointers_to(memory):
    holder = Holder()
    holder.memory = memory
    address = int(memory)
    return [
        memory,
        address,
        np.intp(memory),
        np.uintp(memory),
        np.int64(address),
        np.uint64(address),
        Interface(address),
        Capsule(memory),
        driver.from_dlpack(Capsule(memory)),
        Gpudata(memory),
        Gpudata(address),
        Gpudata(Gpudata(memory)),
        holder,
        Index(address),
        ctypes.c_void_p(address),
        ctypes.c_size_t(address),
    ]


@pytest.mark.parametrize('name', ['pointer', 'nothing_known', 'plain_pointer'])
def test_everything_that_stands_for_device_memory(mod, name):
    memory = driver.mem_alloc(64)
    want = np.uint64(int(memory)).tobytes()
    for value in pointers_to(memory):
        assert store(mod, name, value, 8) == want, value
    assert store(mod, name, np.intp(memory) + 60, 8) == np.uint64(int(memory) + 60).tobytes()
    assert store(mod, name, int(memory) + 64, 8)  # its end
    for null in (None, 0, np.intp(0), Gpudata(None), Interface(0), Interface(None)):
        assert store(mod, name, null, 8) == bytes(8)


def test_memory_of_pools(mod):
    from runcu import tools

    pool = tools.DeviceMemoryPool()
    block = pool.allocate(100)
    assert store(mod, 'pointer', block, 8) == np.uint64(int(block)).tobytes()
    locked = tools.PageLockedMemoryPool().allocate((4,), np.float32)
    assert store(mod, 'pointer', locked, 8) == np.uint64(locked.base.get_device_pointer()).tobytes()


def test_host_arrays_that_kernels_reach(mod):
    locked = driver.pagelocked_empty((4, 4), np.float32)
    locked[...] = np.arange(16).reshape(4, 4)
    start = locked.base.get_device_pointer()
    for view, offset in ((locked, 0), (locked[1:], 16), (locked.T, 0), (locked[2, 3:], 44)):
        assert store(mod, 'pointer', view, 8) == np.uint64(start + offset).tobytes()
    assert store(mod, 'pointer', locked.base, 8) == np.uint64(start).tobytes()
    result = driver.pagelocked_zeros(4, np.float32)
    mod.scale(result, locked[1], 2.0, 4, block=4)
    driver.Context.synchronize()
    assert result.tolist() == [8, 10, 12, 14]


def test_managed_arrays_and_their_slices(mod, device):
    if not device.managed_memory:
        pytest.skip('the device has no managed memory')
    flags = driver.mem_attach_flags.GLOBAL
    managed = driver.managed_zeros((4, 4), np.float32, mem_flags=flags)
    start = int(managed.base)
    for view, offset in ((managed, 0), (managed[1:], 16), (managed.T, 0), (managed[2, 3:], 44)):
        assert store(mod, 'pointer', view, 8) == np.uint64(start + offset).tobytes()
    assert store(mod, 'pointer', managed.base, 8) == np.uint64(start).tobytes()
    managed[1] = [1, 2, 3, 4]
    mod.scale(managed[2], managed[1], 2.0, 4, block=4)
    driver.Context.synchronize()
    assert managed[2].tolist() == [2, 4, 6, 8]


def test_numpy_views_of_the_cpu_device():
    with runcu.device('cpu'):
        mod = runcu.SourceModule(SOURCE)
        memory = driver.to_device(np.arange(4, dtype=np.float32))
        view = np.from_dlpack(Capsule(memory))
        assert store(mod, 'pointer', view[1:], 8) == np.uint64(int(memory) + 4).tobytes()


@pytest.mark.parametrize(
    'host',
    [np.zeros(4, np.float32), np.zeros((), np.float32), np.zeros((2, 2), np.float32).T,
     np.zeros(0, np.float32), (ctypes.c_float * 4)()],
)  # fmt: skip
def test_host_arrays_are_no_pointers(mod, host):
    with pytest.raises(TypeError) as e:
        store(mod, 'pointer', host, 8)
    for word in ('pointer(char *, char, const float *, char)', 'In', 'Out', 'InOut', 'to_gpu'):
        assert word in str(e.value)


class HostTensor:
    """What torch's tensors on the CPU are."""

    def __init__(self, host):
        self.host = host

    def __dlpack__(self, **kwargs):
        return self.host.__dlpack__()

    def __dlpack_device__(self):
        return self.host.__dlpack_device__()

    @property
    def __cuda_array_interface__(self):
        raise AttributeError('not on a GPU')


def test_tensors_in_host_memory_are_no_pointers(mod):
    host = np.arange(4, dtype=np.float32)
    with pytest.raises(TypeError, match='HostTensor was given, which is a host array.*In'):
        store(mod, 'pointer', HostTensor(host), 8)
    for name in ('i32', 'f32', 'vec3'):
        with pytest.raises(TypeError, match='item'):
            store(mod, name, HostTensor(host), 8)
    locked = driver.pagelocked_zeros(4, np.float32)
    assert store(mod, 'pointer', HostTensor(locked), 8) == np.uint64(
        locked.base.get_device_pointer()
    ).tobytes()


def test_addresses_that_the_cpu_device_does_not_know():
    with runcu.device('cpu'):
        mod = runcu.SourceModule(SOURCE)
        host = np.zeros(4, np.float32)
        for bad in (host.ctypes.data, 0x7F0000000000, np.uint64(64), Interface(host.ctypes.data)):
            with pytest.raises(ArgumentError, match='parameter 2.*no live allocation') as e:
                store(mod, 'pointer', bad, 8)
            assert 'to_gpu' in str(e.value)
        memory = driver.mem_alloc(64)
        address = int(memory)
        memory.free()
        with pytest.raises(ArgumentError, match='no live allocation'):
            store(mod, 'pointer', address, 8)
        # An extern "C" kernel does not tell pointers from integers.
        assert store(mod, 'plain8', 12345, 8) == np.uint64(12345).tobytes()
        with pytest.raises(ArgumentError, match='no live allocation'):
            store(mod, 'plain_pointer', Interface(host.ctypes.data), 8)


def test_globals_are_memory(device):
    mod = runcu.SourceModule("""
    __device__ float table[16];
    __constant__ float fixed[16];
    __global__ void get(float *to, const float *from) { to[0] = from[1]; }
    """)
    for name in ('table', 'fixed'):
        address, size = mod.get_global(name)
        driver.memcpy_htod(address, np.arange(16, dtype=np.float32))
        to = np.zeros(1, np.float32)
        if name == 'table':
            mod.get(Out(to), address, block=1)
            assert to[0] == 1
            mod.get(Out(to), address + 4, block=1)
            assert to[0] == 2


def test_memory_of_the_other_device():
    if 'cuda' not in [d.driver for d in runcu.devices()]:
        pytest.skip('there is no GPU')
    with runcu.device('cpu'):
        on_cpu = driver.mem_alloc(64)
        cpu_mod = runcu.SourceModule(SOURCE)
    with runcu.device('cuda'):
        on_gpu = driver.mem_alloc(64)
        gpu_mod = runcu.SourceModule(SOURCE)
        for bad in (on_cpu, int(on_cpu), Interface(int(on_cpu)), Gpudata(on_cpu)):
            with pytest.raises(ArgumentError, match='CPU device|device CPU'):
                store(gpu_mod, 'pointer', bad, 8)
        assert store(gpu_mod, 'pointer', on_gpu, 8)
    with runcu.device('cpu'):
        for bad in (on_gpu, int(on_gpu), Interface(int(on_gpu)), Gpudata(on_gpu)):
            with pytest.raises(ArgumentError, match='parameter 2'):
                store(cpu_mod, 'pointer', bad, 8)
        assert store(cpu_mod, 'pointer', on_cpu, 8)


# --- what is known of arrays ---


@pytest.mark.parametrize('wrap', [Interface, Capsule])
def test_other_elements_are_one_warning_or_strictly_an_error(device, wrap):
    mod = runcu.SourceModule(SOURCE)
    memory = driver.mem_alloc(128)
    where = int(memory) if wrap is Interface else memory
    wrong = wrap(where, '<i4')
    with pytest.warns(UserWarning, match=r'scale\(.*parameter 0 \(float \*\): an array of int32'):
        mod.scale(wrong, memory, 1.0, 0, block=1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        mod.scale(wrong, memory, 1.0, 0, block=1)
        mod.scale(wrap(where, '<f4'), memory, 1.0, 0, block=1)
        mod.get_function('nothing_known')(memory, 0, wrong, 0, block=1)
    with pytest.raises(ArgumentError, match='int32'):
        mod.scale(wrong, memory, 1.0, 0, block=1, strict=True)
    mod.scale(wrap(where, '<f4'), memory, 1.0, 0, block=1, strict=True)


def test_elements_of_host_arrays(device):
    mod = runcu.SourceModule(SOURCE)
    x, wrong = np.zeros(4, np.float32), np.zeros(4)
    with pytest.raises(ArgumentError, match='parameter 1.*an array of float64'):
        mod.scale(Out(x), In(wrong), 1.0, 0, block=1, strict=True)
    with pytest.warns(UserWarning, match='float64'):
        mod.scale(Out(x), In(wrong), 1.0, 0, block=1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        mod.scale(Out(x), In(wrong), 1.0, 0, block=1)
        mod.scale(Out(x), In(x.tobytes()), 1.0, 0, block=1, strict=True)
        mod.get_function('nothing_known')(InOut(np.zeros(128)), 0, In(wrong), 0, block=1)


def test_read_only_arrays(device):
    mod = runcu.SourceModule(SOURCE)
    memory = driver.mem_alloc(64)
    fixed = [Interface(int(memory), data=(int(memory), True)), Capsule(memory, read_only=True)]
    for value in fixed:
        mod.scale(memory, value, 1.0, 0, block=1, strict=True)
        with pytest.raises(ArgumentError, match='parameter 0.*read-only'):
            mod.scale(value, memory, 1.0, 0, block=1, strict=True)
    with pytest.warns(UserWarning, match='read-only'):
        mod.scale(fixed[0], memory, 1.0, 0, block=1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        mod.scale(fixed[1], memory, 1.0, 0, block=1)


@pytest.mark.parametrize(
    'interface',
    [5, {}, {'data': 5}, {'data': (1, 2, 3)}, {'data': ('x', False)}, {'data': (-1, False)},
     {'data': (0, False), 'mask': object()}, {'data': (0, False), 'stream': 'x'}],
)  # fmt: skip
def test_bad_interfaces(mod, interface):
    class Bad:
        __cuda_array_interface__ = interface

    with pytest.raises((TypeError, ValueError, OverflowError)):
        store(mod, 'pointer', Bad(), 8)


def test_streams_of_other_libraries_come_first(mod, device):
    """A slow kernel in the library's own stream, ours reads what it writes."""
    slow = runcu.SourceModule("""
    __global__ void slow(float *x)
    {
        long long end = clock64() + 3000000;
        while (clock64() < end) ;
        x[threadIdx.x] = threadIdx.x + 1;
    }
    """).slow
    for ours in (None, driver.Stream(), driver.Stream(1)):
        memory, result = driver.to_device(np.zeros(4, np.float32)), driver.mem_alloc(16)
        theirs = driver.Stream(1)
        slow(memory, block=4, stream=theirs)
        array = Interface(int(memory), stream=theirs.handle)
        mod.scale(result, array, 2.0, 4, block=4, stream=ours)
        (ours or driver.Context).synchronize()
        assert driver.from_device(result, 4, np.float32).tolist() == [2, 4, 6, 8]


def test_producers_are_told_our_stream(mod, device):
    memory = driver.mem_alloc(64)
    array, stream = Capsule(memory), driver.Stream()
    store(mod, 'pointer', array, 8)
    mod.scale(memory, array, 1.0, 0, block=1, stream=stream)
    assert array.streams == ([None, None] if device.is_cpu else [1, stream.handle])


def test_arrays_are_released_after_the_launch(mod):
    import gc
    import weakref

    array = Capsule(driver.mem_alloc(64))
    gone = weakref.ref(array)
    store(mod, 'pointer', array, 8)
    del array
    gc.collect()
    assert gone() is None


# --- In, Out, InOut ---


@pytest.mark.parametrize('flags', [None, 0, 1])
def test_travelling_arrays_with_and_without_streams(mod, flags):
    stream = None if flags is None else driver.Stream(flags)
    for _ in range(20):
        x, y = np.zeros(64, np.float32), np.arange(64, dtype=np.float32)
        mod.scale(Out(x), In(y), 3.0, 64, block=64, stream=stream)
        assert (x == 3 * np.arange(64)).all()  # it is there on return
        y[:] = 0  # and what was In belongs to the program again


def test_in_arrays_may_change_at_once(mod):
    """The call has taken its copy, pinned or not, whatever the stream is still doing."""
    stream = driver.Stream(1)
    result = driver.mem_alloc(4 * 1024)
    for make in (np.empty, driver.pagelocked_empty):
        host = make(1024, np.float32)
        for k in range(30):
            host[:] = k
            mod.scale(result, In(host), 1.0, 1024, block=1024, stream=stream)
            host[:] = -1
            stream.synchronize()
            assert (driver.from_device(result, 1024, np.float32) == k).all()


def test_handlers_are_used_again(mod):
    x, y = np.zeros(4, np.float32), np.ones(4, np.float32)
    out, inside = Out(x), In(y)
    for k in range(3):
        y[:] = k
        mod.scale(out, inside, 2.0, 4, block=4)
        assert (x == 2 * k).all()
    memory = inside.get_device_alloc()
    assert inside.get_device_alloc() is memory
    mod.scale(out, inside, 3.0, 4, block=4)
    assert (x == 6).all()
    both = InOut(x)
    for _ in range(2):  # one handler is one piece of memory
        mod.scale(both, both, 2.0, 4, block=4)
    assert (x == 24).all()


def test_derived_handlers(mod):
    calls = []

    class Logged(driver.InOut):
        def pre_call(self, stream):
            calls.append(('pre', stream))
            super().pre_call(stream)

        def post_call(self, stream):
            super().post_call(stream)
            calls.append(('post', stream, self.array.copy().tolist()))

    class Scratch(driver.ArgumentHandler):
        def get_device_alloc(self):
            return memory

        def pre_call(self, stream):
            calls.append('scratch')

        def post_call(self, stream):
            calls.append('scratch')

    memory = driver.to_device(np.ones(4, np.float32))
    x = np.zeros(4, np.float32)
    stream = driver.Stream(1)
    mod.scale(Logged(x), Scratch(None), 5.0, 4, block=4, stream=stream)
    assert x.tolist() == [5] * 4
    assert calls == [('pre', stream), 'scratch', ('post', stream, [5] * 4), 'scratch']


@pytest.mark.parametrize(
    ('wrap', 'host', 'error'),
    [(In, np.zeros(8)[::2], ValueError), (Out, np.zeros((3, 3))[:, 1:], ValueError),
     (Out, b'bytes', (TypeError, BufferError)), (In, [1], TypeError), (In, None, TypeError),
     (In, np.array([object()]), TypeError)],
)  # fmt: skip
def test_what_cannot_travel(mod, wrap, host, error):
    with pytest.raises(error):
        mod.scale(wrap(host), None, 1.0, 0, block=1)
    frozen = np.zeros(4, np.float32)
    frozen.flags.writeable = False
    mod.scale(None, In(frozen), 1.0, 0, block=1)
    with pytest.raises(ValueError, match='writ'):
        mod.scale(Out(frozen), None, 1.0, 0, block=1)


def test_travelling_arrays_where_no_pointer_stands(mod):
    with pytest.raises(ArgumentError, match=r'parameter 2 \(float\): a host array \(In\)'):
        mod.scale(None, None, In(np.zeros(4, np.float32)), 0, block=1)


def test_empty_arrays_travel_as_null(mod):
    assert store(mod, 'pointer', In(np.zeros(0, np.float32)), 8) == bytes(8)


# --- count, freed, odd ---


def test_number_of_arguments(mod):
    signature = r'scale\(float \*, const float \*, float, int\) takes 4 arguments, and'
    for args in ((), (1,), (None,) * 3, (None,) * 5):
        with pytest.raises(ArgumentError, match=f'{signature} {len(args)} '):
            mod.scale(*args, block=1)
    with pytest.raises(ArgumentError, match=r'none\(\) takes 0 arguments, and 1 was'):
        mod.none(1, block=1)
    mod.none(block=1)


def test_freed_memory(mod):
    memory = driver.mem_alloc(64)
    memory.free()
    with pytest.raises(driver.LogicError, match=r'scale\(.*parameter #1 \(0-based\).*freed'):
        mod.scale(None, memory, 1.0, 0, block=1)


@pytest.mark.parametrize(
    'bad',
    ['text', b'bytes', bytearray(8), memoryview(b'x'), [1], (1,), {}, set(), object(), int, len,
     lambda: 0, ..., NotImplemented, range(3), np.float32, np.dtype('f4')],
)  # fmt: skip
def test_what_is_no_argument(mod, bad):
    for name in ('i32', 'f32', 'pointer', 'pair_', 'plain8'):
        with pytest.raises(TypeError, match=r'invalid type on parameter #2 \(0-based\)') as e:
            store(mod, name, bad, 8)
        assert f'{name}(' in str(e.value)


def test_exceptions_of_arguments_come_through(mod):
    class Raises:
        def __getattr__(self, name):
            raise OSError(name)

    class Index:
        def __index__(self):
            raise KeyError('mine')

    with pytest.raises(OSError):
        store(mod, 'pointer', Raises(), 8)
    with pytest.raises(KeyError, match='mine'):
        store(mod, 'pointer', Index(), 8)

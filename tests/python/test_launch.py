"""Launches: arguments of every kind, block and grid, streams, errors that name what is wrong."""

import ctypes
import threading

import numpy as np
import pytest
import runcu
from runcu import In, InOut, Out, driver
from runcu.driver import ArgumentError, Stream

SOURCE = r"""
#include <cuda_fp16.h>

struct pair { int i; double d; };
struct vec3 { float x, y, z; };

__global__ void saxpy(float a, const float *x, float *y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}

#define STORE(name, T) __global__ void name(T *to, T value) { *to = value; }
STORE(store_i8, signed char) STORE(store_u8, unsigned char) STORE(store_i16, short)
STORE(store_u16, unsigned short) STORE(store_i32, int) STORE(store_u32, unsigned)
STORE(store_i64, long long) STORE(store_u64, unsigned long long)
STORE(store_f32, float) STORE(store_f64, double) STORE(store_bool, bool)
STORE(store_half, __half) STORE(store_pair, pair) STORE(store_vec3, vec3)
STORE(store_c64, float2) STORE(store_c128, double2)

__global__ void store_pointer(unsigned long long *to, const int *p)
{
    *to = (unsigned long long) p;
}

extern "C" __global__ void plain(float *to, float value, int n)
{
    if (threadIdx.x < n) to[threadIdx.x] = value;
}

__global__ void after(char c, pair p, double *to) { to[0] = c; to[1] = p.i; to[2] = p.d; }

__global__ void shape(int *to)
{
    if (threadIdx.x + threadIdx.y + threadIdx.z + blockIdx.x + blockIdx.y + blockIdx.z) return;
    to[0] = gridDim.x; to[1] = gridDim.y; to[2] = gridDim.z;
    to[3] = blockDim.x; to[4] = blockDim.y; to[5] = blockDim.z;
}

__global__ void reverse(int *x)
{
    extern __shared__ int held[];
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];
}

__global__ void many(int *to, int a, int b, int c, int d, int e, int f, int g, int h, int i, int j,
    int k, int l, int m, int n, int o, int p, int q, int r, int s, int t, int u, int v, int w,
    int x, int y, int z)
{
    *to = a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u + v + w
        + x + y + z;
}
"""


@pytest.fixture
def mod(device):
    return runcu.SourceModule(SOURCE)


def stored(mod, name, dtype, value):
    to = np.zeros(1, dtype)
    mod.get_function(name)(Out(to), value, block=(1, 1, 1))
    return to[0]


KINDS = {
    'i8': np.int8,
    'u8': np.uint8,
    'i16': np.int16,
    'u16': np.uint16,
    'i32': np.int32,
    'u32': np.uint32,
    'i64': np.int64,
    'u64': np.uint64,
}


@pytest.mark.parametrize('kind', KINDS)
def test_integers_take_the_width_of_the_parameter(mod, kind):
    dtype = KINDS[kind]
    info = np.iinfo(dtype)
    for n in (int(info.min), int(info.max), 1, True):
        assert stored(mod, f'store_{kind}', dtype, n) == n
        assert stored(mod, f'store_{kind}', dtype, dtype(n)) == n
    for wide in (np.int64, np.int32, np.uint64, np.longlong):
        assert stored(mod, f'store_{kind}', dtype, wide(100)) == 100
    for beyond in (int(info.min) - 1, int(info.max) + 1):
        with pytest.raises((ArgumentError, OverflowError), match='not fit'):
            stored(mod, f'store_{kind}', dtype, beyond)
    with pytest.raises(ArgumentError, match='2.5'):
        stored(mod, f'store_{kind}', dtype, 2.5)
    assert stored(mod, f'store_{kind}', dtype, 3.0) == 3


def test_same_width_keeps_the_bits(mod):
    assert stored(mod, 'store_i32', np.int32, np.uint32(0xFFFFFFFF)) == -1
    assert stored(mod, 'store_u64', np.uint64, np.int64(-1)) == 0xFFFFFFFFFFFFFFFF


def test_real_numbers(mod):
    assert stored(mod, 'store_f32', np.float32, 1.5) == 1.5
    assert stored(mod, 'store_f32', np.float32, 2) == 2
    assert stored(mod, 'store_f64', np.float64, 0.1) == 0.1
    assert stored(mod, 'store_f32', np.float32, np.float32(0.1)) == np.float32(0.1)
    assert np.isnan(stored(mod, 'store_f64', np.float64, float('nan')))
    assert stored(mod, 'store_f32', np.float32, np.array(1.5, np.float32)) == 1.5
    with pytest.raises(ArgumentError, match='float64'):
        stored(mod, 'store_f32', np.float32, np.float64(0.1))
    with pytest.raises(ArgumentError, match='float32'):
        stored(mod, 'store_f64', np.float64, np.float32(0.1))


def test_bools(mod):
    for value in (True, np.True_, 1, np.int8(1)):
        assert stored(mod, 'store_bool', np.bool_, value)
    assert not stored(mod, 'store_bool', np.bool_, np.False_)
    assert stored(mod, 'store_i32', np.int32, np.True_) == 1


def test_half_precision(mod):
    for value in (1.5, np.float16(1.5), np.array(1.5, np.float16)):
        assert stored(mod, 'store_half', np.float16, value) == 1.5
    with pytest.raises(ArgumentError, match='not fit'):
        stored(mod, 'store_half', np.float16, 1e10)


def test_complex_numbers(mod):
    for value in (1 + 2j, np.complex64(1 + 2j), np.array(1 + 2j, np.complex64)):
        assert stored(mod, 'store_c64', np.complex64, value) == 1 + 2j
    for value in (1 + 2j, np.complex128(1 + 2j)):
        assert stored(mod, 'store_c128', np.complex128, value) == 1 + 2j
    with pytest.raises(ArgumentError):
        stored(mod, 'store_c64', np.complex64, np.complex128(1))


PAIR = np.dtype([('i', np.int32), ('d', np.float64)], align=True)


def test_structs_by_value(mod):
    scalar = np.array([(7, 2.5)], PAIR)[0]
    for value in (scalar, np.array((7, 2.5), PAIR), np.array([(7, 2.5)], PAIR)):
        assert stored(mod, 'store_pair', PAIR, value).tolist() == (7, 2.5)

    class Pair(ctypes.Structure):
        _fields_ = [('i', ctypes.c_int), ('d', ctypes.c_double)]

    assert stored(mod, 'store_pair', PAIR, Pair(7, 2.5)).tolist() == (7, 2.5)
    vec = np.dtype([('x', np.float32), ('y', np.float32), ('z', np.float32)])
    assert stored(mod, 'store_vec3', vec, np.float32([1, 2, 3])).tolist() == (1, 2, 3)
    with pytest.raises(ArgumentError, match='16'):
        stored(mod, 'store_pair', PAIR, np.zeros((), vec))


def test_structs_after_other_arguments_are_aligned(mod):
    to = np.zeros(3)
    mod.after[1](np.int8(5), np.array((7, 2.5), PAIR), Out(to))
    assert to.tolist() == [5, 7, 2.5]


def test_ctypes_numbers(mod):
    assert stored(mod, 'store_i32', np.int32, ctypes.c_int(-5)) == -5
    assert stored(mod, 'store_f64', np.float64, ctypes.c_double(0.5)) == 0.5
    assert stored(mod, 'store_u8', np.uint8, ctypes.c_ubyte(200)) == 200


class Interface:
    def __init__(self, memory, typestr='<i4'):
        self.__cuda_array_interface__ = {
            'data': (int(memory), False),
            'shape': (4,),
            'typestr': typestr,
            'version': 3,
        }


class Gpudata:
    def __init__(self, memory):
        self.gpudata = memory


class Holder(driver.PointerHolderBase):
    memory = None

    def get_pointer(self):
        return int(self.memory)


class Index:
    def __init__(self, n):
        self.n = n

    def __index__(self):
        return self.n


def test_what_goes_where_a_pointer_stands(mod):
    memory = driver.mem_alloc(16)
    holder = Holder()
    holder.memory = memory
    address = int(memory)
    for value in (
        memory,
        address,
        np.intp(memory),
        np.uintp(memory),
        Interface(memory),
        Gpudata(memory),
        Gpudata(address),
        holder,
        Index(address),
        ctypes.c_void_p(address),
    ):
        assert stored(mod, 'store_pointer', np.uint64, value) == address, value
    assert stored(mod, 'store_pointer', np.uint64, np.intp(memory) + 4) == address + 4
    assert stored(mod, 'store_pointer', np.uint64, None) == 0
    assert stored(mod, 'store_pointer', np.uint64, Gpudata(None)) == 0


@pytest.mark.parametrize('bad', [1.5, np.float32(1), np.int32(5), -1])
def test_what_is_no_pointer(mod, bad):
    with pytest.raises(ArgumentError, match='parameter 1'):
        stored(mod, 'store_pointer', np.uint64, bad)


@pytest.mark.parametrize(
    'bad', ['text', b'bytes', [1], {}, object(), np.longdouble(1), np.datetime64('2020-01-01'), int]
)
def test_what_is_no_argument(mod, bad):
    with pytest.raises(TypeError, match=r'invalid type on parameter #1 \(0-based\)'):
        stored(mod, 'store_i32', np.int32, bad)


def test_host_arrays_are_not_pointers(mod):
    x = np.zeros(4, np.float32)
    for args in ((2.0, x, x, 4), (2.0, In(x), x, 4)):
        with pytest.raises(TypeError) as e:
            mod.saxpy(*args, block=(4, 1, 1))
        for word in ('In', 'Out', 'InOut', 'to_gpu'):
            assert word in str(e.value)
    with pytest.raises(TypeError, match='InOut'):
        mod.plain(x, 1.0, 4, block=(4, 1, 1))  # extern "C" does not tell pointers from integers
    with pytest.raises(ValueError, match='not C-contiguous'):
        stored(mod, 'store_vec3', np.dtype('V12'), np.zeros(6, np.float32)[::2])


def test_extern_c_kernels_know_sizes(mod):
    x = np.zeros(4, np.float32)
    mod.plain(InOut(x), 1.5, 4, block=(4, 1, 1))
    assert x.tolist() == [1.5] * 4
    with pytest.raises(ArgumentError):
        mod.plain(InOut(x), 1.5, block=(4, 1, 1))


def test_number_of_arguments(mod):
    with pytest.raises(ArgumentError, match='takes 4 arguments') as e:
        mod.saxpy(1.0, block=(1, 1, 1))
    assert 'saxpy(float, const float *, float *, int)' in str(e.value)
    with pytest.raises(ArgumentError, match='takes 4 arguments'):
        mod.saxpy(1.0, None, None, 0, 0, block=(1, 1, 1))
    with pytest.raises(TypeError):
        mod.saxpy(block=(1, 1, 1))


def test_more_arguments_than_fit_the_stack(mod):
    to = np.zeros(1, np.int32)
    mod.many(Out(to), *range(26), block=1)
    assert to[0] == sum(range(26))


def test_a_freed_allocation_is_refused(mod):
    memory = driver.mem_alloc(16)
    memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        mod.saxpy(1.0, memory, memory, 0, block=(1, 1, 1))


def test_travelling_arrays(mod):
    x, y = np.arange(5, dtype=np.float32), np.ones(5, np.float32)
    mod.saxpy(2.0, In(x), InOut(y), np.int32(5), block=(8, 1, 1), stream=Stream())
    assert y.tolist() == [1, 3, 5, 7, 9]
    assert x.tolist() == [0, 1, 2, 3, 4]
    fortran = np.asfortranarray(np.ones((2, 2), np.float32))
    mod.plain(Out(fortran), 3.0, 4, block=4)
    assert (fortran == 3).all()
    with pytest.raises(ValueError, match='not contiguous'):
        mod.saxpy(2.0, In(x[::2]), InOut(y), 2, block=4)
    with pytest.raises(TypeError, match='could not determine array length'):
        mod.saxpy(2.0, In([1.0]), InOut(y), 1, block=4)
    with pytest.raises((TypeError, ValueError, BufferError)):
        mod.saxpy(2.0, In(x), Out(b'abcd'), 1, block=4)
    assert y.tolist() == [1, 3, 5, 7, 9]


def test_handlers_by_hand_and_derived(mod):
    x = np.arange(4, dtype=np.float32)
    handler = InOut(x)
    memory = handler.get_device_alloc()
    assert handler.dev_alloc is memory and memory.size == x.nbytes
    mod.saxpy(1.0, handler, handler, 4, block=4)
    assert x.tolist() == [0, 2, 4, 6]

    class Logged(driver.InOut):
        calls = ()

        def pre_call(self, stream):
            self.calls += ('pre',)
            super().pre_call(stream)

        def post_call(self, stream):
            self.calls += ('post',)
            super().post_call(stream)

    logged = Logged(x)
    mod.saxpy(1.0, logged, logged, 4, block=4)
    assert x.tolist() == [0, 4, 8, 12]
    assert logged.calls.count('pre') == logged.calls.count('post') >= 1

    class Broken(driver.ArgumentHandler):
        def get_device_alloc(self):
            raise KeyError('mine')

    with pytest.raises(KeyError, match='mine'):
        mod.saxpy(1.0, Broken(x), logged, 4, block=4)


def test_an_allocation_freed_by_a_later_argument(mod):
    memory = driver.mem_alloc(16)

    class Frees:
        @property
        def gpudata(self):
            memory.free()
            return 0

    class FreesLate(driver.InOut):
        def pre_call(self, stream):
            memory.free()

    try:
        mod.saxpy(1.0, memory, Frees(), 0, block=1)
    except driver.Error:
        pass
    memory = driver.mem_alloc(16)
    try:
        mod.saxpy(1.0, memory, FreesLate(np.zeros(4, np.float32)), 0, block=1)
    except driver.Error:
        pass


def shape_of(mod, **options):
    to = np.zeros(6, np.int32)
    mod.shape(Out(to), **options)
    return to.tolist()


def test_block_and_grid_are_tuples_lists_or_numbers(mod):
    want = [4, 1, 1, 32, 1, 1]
    for block in ((32, 1, 1), [32, 1], 32, np.int32(32), np.array([32, 1, 1]), (np.int64(32),)):
        for grid in ((4, 1), (4, 1, 1), [4], 4, np.uint8(4)):
            assert shape_of(mod, block=block, grid=grid) == want
    assert shape_of(mod, block=(2, 3, 4), grid=(5, 6, 7)) == [5, 6, 7, 2, 3, 4]
    assert shape_of(mod, **{'blo' + 'ck': (1, 1, 1)})[3:] == [1, 1, 1]


def test_brackets(mod):
    to = np.zeros(6, np.int32)
    mod.shape[1000](Out(to))
    assert to[0] * to[3] >= 1000
    mod.shape[2, 32](Out(to))
    assert to.tolist() == [2, 1, 1, 32, 1, 1]
    mod.shape[(2, 3), (4, 5), Stream()](Out(to))
    assert to.tolist() == [2, 3, 1, 4, 5, 1]
    x = np.arange(16, dtype=np.int32)
    mod.reverse[1, 16, None, x.nbytes](InOut(x))
    assert x.tolist() == list(range(15, -1, -1))
    launcher = mod.shape[1, 1]
    assert launcher(Out(to)) is None
    assert launcher(Out(to), time_kernel=True) >= 0
    mod.shape[0](Out(to))  # nothing to do
    for bad in ((1,), (1, 2, 3, 4, 5), 'x', 1.5, None, -1, (1, 1, 'stream')):
        with pytest.raises((TypeError, OverflowError)):
            mod.shape[bad]


@pytest.mark.parametrize(
    ('options', 'error', 'words'),
    [
        ({}, ValueError, 'must specify block size'),
        ({'block': (0, 1, 1)}, ValueError, 'at least 1'),
        ({'block': (1, 1, 1), 'grid': (0,)}, driver.LogicError, 'at least 1'),
        ({'block': (1, 1, 1, 1)}, ValueError, 'one to three'),
        ({'block': ()}, ValueError, 'one to three'),
        ({'block': (-1, 1, 1)}, OverflowError, 'block'),
        ({'block': (1.5, 1, 1)}, TypeError, 'block'),
        ({'block': 'abc'}, TypeError, 'block'),
        ({'block': None}, TypeError, 'block'),
        ({'block': (2000, 1, 1)}, driver.LogicError, '1024'),
        ({'block': (32, 32, 32)}, driver.LogicError, 'limit'),
        ({'block': (1, 1, 1), 'grid': (1, 1 << 20)}, driver.LogicError, '65535'),
        ({'block': (1, 1, 1), 'shared': 1 << 30}, driver.Error, 'shared'),
        ({'block': (1, 1, 1), 'stream': 'x'}, TypeError, 'Stream'),
        ({'block': (1, 1, 1), 'foo': 1, 'bar': 2}, ValueError, 'extra keyword arguments: foo, bar'),
        ({'block': (1, 1, 1), 'texrefs': [object()]}, TypeError, 'texture'),
    ],
)
def test_bad_shapes_and_options(mod, options, error, words):
    with pytest.raises(error, match=words):
        shape_of(mod, **options)
    assert shape_of(mod, block=1) == [1] * 6  # and nothing is broken


def test_large_shared_memory_is_granted(mod, device):
    most = device.max_shared_memory_per_block_optin
    x = np.arange(32, dtype=np.int32)
    mod.reverse(InOut(x), block=32, shared=most)
    assert x[0] == 31


def test_time_kernel_gives_seconds(mod):
    x = np.zeros(4, np.float32)
    assert mod.plain(InOut(x), 1.0, 4, block=4) is None
    seconds = mod.plain(InOut(x), 1.0, 4, block=4, time_kernel=True)
    assert isinstance(seconds, float)
    assert 0 <= seconds < 10


def test_another_element_type_is_one_warning_or_an_error_if_strict(mod):
    memory = driver.mem_alloc(16)
    wrong, right = Interface(memory, '<i4'), Interface(memory, '<f4')
    with pytest.warns(UserWarning, match='int32'):
        mod.saxpy(1.0, wrong, right, 0, block=1)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        mod.saxpy(1.0, wrong, right, 0, block=1)  # told once
    with pytest.raises(ArgumentError, match='int32'):
        mod.saxpy(1.0, wrong, right, 0, block=1, strict=True)
    mod.saxpy(1.0, right, right, 0, block=1, strict=True)


def test_prepared_calls(mod):
    x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    dx, dy = driver.to_device(x), driver.to_device(y)
    saxpy = mod.get_function('saxpy')
    assert saxpy.prepare('fPPi') is saxpy
    assert saxpy.arg_format == 'fPPi'
    saxpy.prepared_call((1, 1), (4, 1, 1), 2.0, dx, int(dy), 4)
    stream = Stream()
    saxpy.prepared_async_call((1, 1), (4, 1, 1), stream, 2, dx, dy, np.int64(4), shared_size=0)
    stream.synchronize()
    seconds = saxpy.prepared_timed_call([1], [4], 1.0, dx, dy, 4)()
    assert 0 <= seconds < 10
    assert driver.from_device_like(dy, y).tolist() == [0, 5, 10, 15]
    for types in ([np.float32, 'P', np.intp, np.int32], [np.dtype('f4'), None, object, 'i']):
        assert saxpy.prepare(types).arg_format[0] == 'f'
        saxpy.prepared_call((1, 1), (4, 1, 1), 0.0, dx, dy, 4)


def test_prepared_structs_and_complex(mod):
    out = np.zeros(1, PAIR)
    memory = driver.mem_alloc(PAIR.itemsize)
    store = mod.get_function('store_pair').prepare(['P', PAIR])
    assert store.arg_format == 'P16s'
    for value in (np.array((3, 1.5), PAIR), np.array([(3, 1.5)], PAIR).tobytes()):
        driver.memset_d8(memory, 0, 16)
        store.prepared_call((1, 1), (1, 1, 1), memory, value)
        driver.memcpy_dtoh(out, memory)
        assert out[0].tolist() == (3, 1.5)
    with pytest.raises(ValueError, match='4 bytes where 16'):
        store.prepared_call((1, 1), (1, 1, 1), memory, b'abcd')
    store = mod.get_function('store_c64').prepare('PF')
    store.prepared_call((1, 1), (1, 1, 1), memory, 1 + 2j)
    assert driver.from_device(memory, 1, np.complex64)[0] == 1 + 2j


def test_prepared_calls_check_their_arguments(mod):
    store = mod.get_function('store_i32')
    memory = driver.mem_alloc(4)
    with pytest.raises(driver.LogicError, match='prepare'):
        store.prepared_call((1, 1), (1, 1, 1), memory, 1)
    store.prepare('Pi')
    for args, error in (
        ((memory,), TypeError),
        ((memory, 1, 2), TypeError),
        ((memory, 1.5), TypeError),
        ((memory, 1 << 31), OverflowError),
        ((1.5, 1), TypeError),
        ((np.zeros(1, np.int32), 1), TypeError),
        (('x', 1), TypeError),
    ):
        with pytest.raises(error):
            store.prepared_call((1, 1), (1, 1, 1), *args)
    with pytest.raises(TypeError, match='unknown keyword'):
        store.prepared_call((1, 1), (1, 1, 1), memory, 1, shared=4)
    with pytest.raises(TypeError, match='grid'):
        store.prepared_call((1, 1))
    with pytest.raises(ValueError, match='bad char'):
        store.prepare('Pz')
    with pytest.raises(TypeError):
        store.prepare(5)
    store.prepare('Pd')
    with pytest.raises(ArgumentError):  # the kernel's parameter is an int
        store.prepared_call((1, 1), (1, 1, 1), memory, 1.0)


def test_attributes_of_a_kernel(mod):
    saxpy = mod.saxpy
    assert saxpy.max_threads_per_block >= 1024
    assert saxpy.shared_size_bytes == 0
    assert saxpy.get_attribute(driver.function_attribute.PTX_VERSION) > 0
    for name in ('num_regs', 'local_size_bytes', 'const_size_bytes', 'binary_version'):
        assert getattr(saxpy, name) >= 0
    saxpy.set_cache_config(driver.func_cache.PREFER_L1)
    saxpy.set_attribute(driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024)
    assert saxpy.max_dynamic_shared_size_bytes == 1024
    assert saxpy.max_active_blocks(128) >= 1
    assert (saxpy.name, saxpy.signature) == ('saxpy', 'saxpy(float, const float *, float *, int)')
    assert 'saxpy' in saxpy.symbol and saxpy.handle
    assert 'saxpy(float' in repr(saxpy)
    with pytest.raises(AttributeError):
        saxpy.nonsense  # noqa: B018
    saxpy.note = 1
    with pytest.raises(TypeError):
        driver.Function()


def test_threads_launch_at_once(mod):
    results = []

    def work(k):
        with runcu.device(mod.device_of_test):
            x, y = np.full(64, k, np.float32), np.zeros(64, np.float32)
            for _ in range(20):
                mod.saxpy[64](1.0, In(x), InOut(y), 64)
            results.append((y == 20 * k).all())

    mod.device_of_test = driver.Context.get_device()
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [True] * 4


@pytest.mark.parametrize('value', [Interface(1 << 40), 'x', [], 1 << 70, np.zeros(3)])
def test_failed_calls_leak_nothing(mod, value):
    import sys

    x = np.zeros(4, np.float32)
    handler = In(x)
    before = sys.getrefcount(x), sys.getrefcount(handler), sys.getrefcount(value)
    for _ in range(50):
        with pytest.raises((TypeError, OverflowError)):
            mod.saxpy(1.0, handler, value, 'n', block=(1, 1, 1))
    del _
    after = sys.getrefcount(x), sys.getrefcount(handler), sys.getrefcount(value)
    assert after == before


def test_handles_of_others(mod):
    class Owner:
        pass

    import gc
    import weakref

    owner = Owner()
    alive = weakref.ref(owner)
    x, y = np.ones(4, np.float32), np.zeros(4, np.float32)
    saxpy = driver.Function.from_handle(mod.saxpy.handle, owner)
    assert saxpy.handle == mod.saxpy.handle and 'saxpy' in saxpy.symbol
    saxpy(2.0, In(x), InOut(y), 4, block=4)
    assert y.tolist() == [2] * 4
    with pytest.raises(ArgumentError):
        saxpy(2.0, block=4)
    module = driver.Module.from_handle(mod.module.handle, owner=owner)
    assert module.handle == mod.module.handle
    del owner
    gc.collect()
    assert alive() is not None
    module.get_function(saxpy.symbol)(2.0, In(x), InOut(y), 4, block=4)
    del module, saxpy
    gc.collect()
    assert alive() is None
    mod.saxpy(2.0, In(x), InOut(y), 4, block=4)
    assert y.tolist() == [6] * 4
    for cls in (driver.Function, driver.Module):
        for bad in (0, 'x', None, 1.5, -1, 1 << 70):
            with pytest.raises((TypeError, driver.LogicError, OverflowError)):
                cls.from_handle(bad)
        with pytest.raises(TypeError):
            cls.from_handle()

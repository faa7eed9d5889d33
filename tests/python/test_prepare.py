"""prepare and the prepared calls, as PyCUDA's users know them."""

import struct

import numpy as np
import pytest
import runcu
from runcu import driver
from runcu.driver import ArgumentError, Stream

SOURCE = r"""
#include <cuda_fp16.h>

#define STORE(name, T) __global__ void name(T *to, T value) { *to = value; }
STORE(store_i8, signed char) STORE(store_u8, unsigned char) STORE(store_i16, short)
STORE(store_u16, unsigned short) STORE(store_i32, int) STORE(store_u32, unsigned)
STORE(store_i64, long long) STORE(store_u64, unsigned long long)
STORE(store_f32, float) STORE(store_f64, double) STORE(store_bool, bool)
STORE(store_half, __half) STORE(store_c64, float2) STORE(store_c128, double2)
struct sixteen { char c[16]; };
STORE(store_16, sixteen)

__global__ void three(int *to, int a, int b, int c) { *to = 100 * a + 10 * b + c; }
__global__ void shape(int *to) { to[0] = gridDim.x; to[1] = gridDim.y; to[2] = blockDim.x; }
__global__ void reverse(int *x)
{
    extern __shared__ int held[];
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];
}
__global__ void slow(int *x, int n)
{
    int y = 1;
    for (int i = 0; i < n; i++) y = y * 1664525 + 1013904223;
    *x = y;
}
"""

ONE = (1, 1), (1, 1, 1)


@pytest.fixture
def mod(device):
    return runcu.SourceModule(SOURCE)


@pytest.fixture
def memory(device):
    memory = driver.mem_alloc(64)
    driver.memset_d8(memory, 0xEE, 64)
    return memory


#: code, kernel, dtype of what is stored, values that fit, values that do not.
CODES = [
    ('b', 'store_i8', 'i1', [-128, 127, np.int64(5)], [128, -129, 1.5, 'x', None]),
    ('B', 'store_u8', 'u1', [0, 255], [256, -1, 1.5]),
    ('h', 'store_i16', 'i2', [-(1 << 15), np.int8(7)], [1 << 15, 0.5]),
    ('H', 'store_u16', 'u2', [(1 << 16) - 1], [1 << 16, -1]),
    ('i', 'store_i32', 'i4', [-(1 << 31), (1 << 31) - 1, True], [1 << 31, 2.0, b'x']),
    ('I', 'store_u32', 'u4', [(1 << 32) - 1], [1 << 32, -1]),
    ('l', 'store_i64', 'i8', [-(1 << 63)], [1 << 63, 1.0]),
    ('L', 'store_u64', 'u8', [(1 << 64) - 1], [1 << 64, -1]),
    ('q', 'store_i64', 'i8', [(1 << 63) - 1], [1 << 63]),
    ('Q', 'store_u64', 'u8', [1 << 63], [-1]),
    ('n', 'store_i64', 'i8', [-1], [1 << 63]),
    ('N', 'store_u64', 'u8', [1 << 63], [-1, 1 << 64]),
    ('?', 'store_bool', '?', [True, False, 1, 0, np.True_], []),
    ('f', 'store_f32', 'f4', [1.5, 2, np.float64(0.5), np.float32(3)], ['x', None, 1j]),
    ('d', 'store_f64', 'f8', [0.1, 7, np.float32(0.5)], ['x', None]),
    ('e', 'store_half', 'f2', [1.5, -2, np.float16(0.25)], ['x', 1e9]),
    ('F', 'store_c64', 'c8', [1 + 2j, 3, 1.5, np.complex64(2j)], ['x', None]),
    ('D', 'store_c128', 'c16', [1 + 2j, -1, np.complex128(2j)], ['x']),
]


@pytest.mark.parametrize(('code', 'kernel', 'dtype', 'good', 'bad'), CODES, ids=repr)
def test_each_code(mod, memory, code, kernel, dtype, good, bad):
    f = mod.get_function(kernel).prepare('P' + code)
    assert f.arg_format == 'P' + code
    for value in good:
        driver.memset_d8(memory, 0xEE, 64)
        f.prepared_call(*ONE, memory, value)
        assert driver.from_device(memory, 1, dtype)[0] == value
    before = driver.from_device(memory, 64, np.uint8)
    for value in bad:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            f.prepared_call(*ONE, memory, value)
    assert (driver.from_device(memory, 64, np.uint8) == before).all()


def test_bytes_of_a_length(mod, memory):
    f = mod.store_16.prepare('P16s')
    f.prepared_call(*ONE, memory, b'0123456789abcdef')
    assert driver.from_device(memory, 16, np.uint8).tobytes() == b'0123456789abcdef'
    f.prepared_call(*ONE, memory, np.arange(4, dtype=np.int32))
    assert driver.from_device(memory, 4, np.int32).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match='15 bytes where 16'):
        f.prepared_call(*ONE, memory, b'0123456789abcde')
    with pytest.raises(TypeError):
        f.prepared_call(*ONE, memory, 5)
    f.prepare('P16p').prepared_call(*ONE, memory, b'hello')
    assert driver.from_device(memory, 16, np.uint8).tobytes() == struct.pack('16p', b'hello')
    f.prepared_call(*ONE, memory, b'0123456789abcdefghi')
    packed = struct.pack('16p', b'0123456789abcdefghi')
    assert driver.from_device(memory, 16, np.uint8).tobytes() == packed
    with pytest.raises(TypeError):
        f.prepared_call(*ONE, memory, 'text')
    mod.store_u8.prepare('Pc').prepared_call(*ONE, memory, b'A')
    assert driver.from_device(memory, 1, np.uint8)[0] == 65
    for bad in (b'AB', b'', 65, 'A'):
        with pytest.raises(TypeError):
            mod.store_u8.prepared_call(*ONE, memory, bad)


def test_repeats_padding_and_order(mod, memory):
    for form in ('P3i', 'Piii', '@P3i', 'P2ii', 'P 3i', 'P0i3i', 'P4x3i', 'Pxiii'):
        mod.three.prepare(form).prepared_call(*ONE, memory, 1, 2, 3)
        assert driver.from_device(memory, 1, np.int32)[0] == 123
        driver.memset_d8(memory, 0, 4)
    for form in ('Pz', 'P3', '3', 'g', 'P99999999999i', 'Pi!', 'P5000i'):
        with pytest.raises(ValueError, match='bad char'):
            mod.three.prepare(form)
    with pytest.raises(TypeError):
        mod.three.prepared_call(*ONE, memory, 1, 2)


def test_lists_of_types(mod, memory):
    vector = np.dtype([('c', 'S16')])
    for types, form in (
        ([np.intp, np.int32, np.int32, np.int32], 'liii'),
        (['P', np.dtype(np.int32), 'i', int], 'PiiP'),
        ((np.uintp, np.int32, np.float32, np.float64), 'Lifd'),
        ([None, object, driver.DeviceAllocation, np.ndarray], 'PPPP'),
        ([np.complex64, np.complex128, np.bool_, np.float16], 'FD?e'),
        (['P', vector], 'P16s'),
        (('P' for _ in range(2)), 'PP'),
        ([], ''),
        ('', ''),
    ):
        assert mod.three.prepare(types).arg_format == form
    assert mod.three.prepare(['P', 'i', 'i', 'i']).texrefs == []
    mod.three.prepared_call(*ONE, memory, 4, 5, 6)
    assert driver.from_device(memory, 1, np.int32)[0] == 456
    for bad in (5, None):
        with pytest.raises(TypeError):
            mod.three.prepare(bad)
    with pytest.raises(TypeError, match='texture'):
        mod.three.prepare('Piii', texrefs=[object()])
    assert mod.three.prepare('Piii', texrefs=[]).arg_format == 'Piii'


class Index:
    def __init__(self, n):
        self.n = n

    def __index__(self):
        return self.n


def test_what_goes_where_a_pointer_was_prepared(mod, memory):
    f = mod.store_i32.prepare('Pi')
    for n, pointer in enumerate((memory, int(memory), np.intp(memory), Index(int(memory)))):
        f.prepared_call(*ONE, pointer, n)
        assert driver.from_device(memory, 1, np.int32)[0] == n
    f.prepared_call(*ONE, int(memory) - (1 << 64), 9)  # the bits of a negative number
    assert driver.from_device(memory, 1, np.int32)[0] == 9
    for bad in (1.5, 'x', [1], np.zeros(1)):
        with pytest.raises(TypeError):
            f.prepared_call(*ONE, bad, 1)


def test_the_three_calls(mod, memory):
    f = mod.shape.prepare('P')
    assert f.prepared_call((2, 3), (4, 1, 1), memory) is None
    assert driver.from_device(memory, 3, np.int32).tolist() == [2, 3, 4]
    stream = Stream()
    assert f.prepared_async_call((3, 2), (5, 1, 1), stream, memory) is None
    stream.synchronize()
    assert driver.from_device(memory, 3, np.int32).tolist() == [3, 2, 5]
    f.prepared_async_call((1, 1), (1, 1, 1), None, memory)
    timer = mod.slow.prepare('Pi').prepared_timed_call((1, 1), (1, 1, 1), memory, 100_000)
    seconds = timer()
    assert isinstance(seconds, float) and 0 < seconds < 10
    assert timer() == seconds
    x = driver.to_device(np.arange(8, dtype=np.int32))
    reverse = mod.reverse.prepare('P')
    reverse.prepared_call((1, 1), (8, 1, 1), x, shared_size=32)
    assert driver.from_device(x, 8, np.int32).tolist() == list(range(7, -1, -1))
    reverse.prepared_async_call((1, 1), (8, 1, 1), None, x, shared_size=32)
    assert driver.from_device(x, 8, np.int32).tolist() == list(range(8))
    reverse.prepared_timed_call((1, 1), (8, 1, 1), x, shared_size=32)()


def test_errors_of_the_three_calls(mod, memory):
    f = mod.get_function('shape')
    for call, first in (
        (f.prepared_call, ONE),
        (f.prepared_async_call, (*ONE, None)),
        (f.prepared_timed_call, ONE),
    ):
        with pytest.raises(driver.LogicError, match='prepare'):
            call(*first, memory)
    f.prepare('P')
    for call, first in (
        (f.prepared_call, ONE),
        (f.prepared_async_call, (*ONE, None)),
        (f.prepared_timed_call, ONE),
    ):
        for args in ((), (memory, 1)):
            with pytest.raises(TypeError):
                call(*first, *args)
        with pytest.raises(TypeError, match='unknown keyword argument: shared'):
            call(*first, memory, shared=3)
        with pytest.raises(TypeError):
            call(*first, memory, shared_size='x')
        with pytest.raises((TypeError, ValueError)):
            call((1, 1, 1, 1), *first[1:], memory)
        with pytest.raises(driver.LogicError, match='2048 threads, 1024 over'):
            call((1, 1), (64, 32, 1), *first[2:], memory)
        with pytest.raises(TypeError):
            call()
    with pytest.raises(TypeError, match='Stream'):
        f.prepared_async_call(*ONE, 'stream', memory)
    f.prepare('i')
    with pytest.raises(ArgumentError):
        f.prepared_call(*ONE, 1)  # a pointer, as the kernel knows
    f.prepare('PP')
    with pytest.raises(ArgumentError, match='takes 1 argument'):
        f.prepared_call(*ONE, memory, memory)


def test_calls_without_a_block_are_deprecated(mod, memory):
    f = mod.shape.prepare('P')
    with (
        pytest.warns(DeprecationWarning, match='block size'),
        pytest.raises(ValueError, match='must specify block size'),
    ):
        f.prepared_call((2, 2), memory)
    f._set_block_shape(3, 1, 1)
    with pytest.warns(DeprecationWarning, match='block size'):
        f.prepared_call((2, 2), memory)
    assert driver.from_device(memory, 3, np.int32).tolist() == [2, 2, 3]
    f.prepared_call((2, 2), [4], memory)  # a list is a block
    f.prepared_call((2, 2), 5, memory)  # and so is a number, if the arguments are complete
    assert driver.from_device(memory, 3, np.int32).tolist() == [2, 2, 5]
    for bad in ((), (1, 2, 3, 4), ('x',), (0, 1, 1)):
        with pytest.raises((TypeError, ValueError)):
            f._set_block_shape(*bad)


def test_launches_with_a_packed_buffer(mod, memory):
    buffer = struct.pack('Piii', int(memory), 1, 2, 3)
    mod.three._launch_kernel((1, 1), (1, 1, 1), buffer, 0, None)
    assert driver.from_device(memory, 1, np.int32)[0] == 123
    stream = Stream()
    buffer = bytearray(struct.pack('Piii', int(memory), 4, 5, 6))
    mod.three._launch_kernel((1, 1), (1, 1, 1), buffer, 16, stream)
    stream.synchronize()
    assert driver.from_device(memory, 1, np.int32)[0] == 456
    for bad in (buffer[:-4], b'', bytes(40)):
        with pytest.raises(ArgumentError, match='20 bytes'):
            mod.three._launch_kernel((1, 1), (1, 1, 1), bad, 0, None)
    for args in (
        (),
        ((1, 1), (1, 1, 1)),
        ((1, 1), (1, 1, 1), 5, 0, None),
        ('x', (1, 1, 1), buffer, 0, None),
        ((1, 1), (1, 1, 1), buffer, 'x', None),
        ((1, 1), (1, 1, 1), buffer, 0, 'x'),
    ):
        with pytest.raises(TypeError):
            mod.three._launch_kernel(*args)


def test_prepare_again(mod, memory):
    f = mod.get_function('three')
    g = mod.get_function('three')
    assert f.arg_format is None
    f.prepare('Piii')
    f.prepare('Pqqq')
    assert (f.arg_format, g.arg_format) == ('Pqqq', None)
    f.prepared_call(*ONE, memory, 7, 8, 9)
    assert driver.from_device(memory, 1, np.int32)[0] == 789
    with pytest.raises(ValueError, match='bad char'):
        f.prepare('Pzzz')
    f.prepared_call(*ONE, memory, 1, 2, 3)  # as it was
    assert driver.from_device(memory, 1, np.int32)[0] == 123


def test_configurations_that_change_nothing(mod):
    for config in driver.func_cache.values.values():
        mod.three.set_cache_config(config)
    for config in driver.shared_config.values.values():
        mod.three.set_shared_config(config)
    with pytest.raises((driver.LogicError, ValueError)):
        mod.three.set_cache_config(77)
    for bad in (77, -1):
        with pytest.raises((driver.LogicError, ValueError)):
            mod.three.set_shared_config(bad)
    for bad in ('x', None, 1.5):
        with pytest.raises(TypeError):
            mod.three.set_cache_config(bad)
        with pytest.raises(TypeError):
            mod.three.set_shared_config(bad)
    with pytest.raises(TypeError, match='texture'):
        mod.three.param_set_texref(object())


def test_all_attributes(mod):
    attribute = driver.function_attribute
    f = mod.three
    for name in attribute.names:
        if getattr(attribute, name) < 16:  # newer ones are not of every driver
            assert f.get_attribute(getattr(attribute, name)) == getattr(f, name.lower())
    assert f.max_threads_per_block == 1024
    assert f.cluster_size_must_be_set == f.required_cluster_width == 0
    f.set_attribute(attribute.PREFERRED_SHARED_MEMORY_CARVEOUT, 50)
    f.set_attribute(attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, 60 << 10)
    assert f.max_dynamic_shared_size_bytes == 60 << 10
    for bad in (9999, -1):
        with pytest.raises(driver.LogicError):
            f.get_attribute(bad)
    for bad in (attribute.NUM_REGS, -1, -(1 << 31), 9999, (1 << 31) - 1):
        with pytest.raises(driver.LogicError):
            f.set_attribute(bad, 10)
    for args in ((), ('x', 1), (1,), (1, 'x'), (1, 2, 3)):
        with pytest.raises(TypeError):
            f.set_attribute(*args)

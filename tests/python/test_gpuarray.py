"""runcu.gpuarray against NumPy: arrays, what goes in and out, views, operators, sums."""

import copy
import operator
import pickle
import warnings

import numpy as np
import pytest
import runcu.driver as cuda
from runcu import gpuarray, tools

REAL = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
        np.float16, np.float32, np.float64]  # fmt: skip
COMPLEX = [np.complex64, np.complex128]
ALL = [np.bool_, *REAL, *COMPLEX]
SHAPES = [(), (0,), (1,), (7,), (1000,), (3, 0, 2), (2, 3), (5, 1, 4), (2, 3, 4, 5)]


def numbers(shape, dtype, seed=0):
    """Small numbers of either sign, none of them 0."""
    rng = np.random.RandomState(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == 'b':
        return rng.randint(0, 2, shape).astype(bool)
    values = np.asarray(rng.randint(1, 9, shape))
    if dtype.kind != 'u':
        values = values * (1 - 2 * np.asarray(rng.randint(0, 2, shape)))
    if dtype.kind == 'c':
        return (values + 1j * np.asarray(rng.randint(1, 9, shape))).astype(dtype)
    return np.asarray(values).astype(dtype)


def same(array, expected):
    """The array is that of the host, in dtype, shape and every bit; nan equals nan."""
    got = array.get()
    assert got.dtype == expected.dtype
    assert got.shape == array.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


# --- what an array is -----------------------------------------------------------------------------


def test_attributes(device):
    a = gpuarray.GPUArray((4, 6), np.float32)
    assert a.shape == (4, 6) and a.strides == (24, 4) and a.dtype == np.float32
    assert (a.size, a.mem_size, a.nbytes, a.itemsize, a.ndim, len(a)) == (24, 24, 96, 4, 2, 4)
    assert a.ptr == int(a.gpudata) and a.base is None and a.allocator is cuda.mem_alloc
    assert a.flags.c_contiguous is True and a.flags.f_contiguous is False and a.flags.forc is True
    assert gpuarray.empty is gpuarray.GPUArray
    f = gpuarray.empty((4, 6), np.float32, order='F')
    assert f.strides == (4, 16) and f.flags.f_contiguous and not f.flags.c_contiguous
    with pytest.raises(TypeError):
        hash(a)


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [(5, (5,)), (np.int64(5), (5,)), ([2, 3], (2, 3)), (np.array(4), (4,)),
     (np.array([2, 3]), (2, 3)), ((np.int32(2), 3), (2, 3)), ((), ())],
)  # fmt: skip
def test_what_a_shape_may_be(device, shape, expected):
    assert gpuarray.zeros(shape, np.int32).shape == expected


def test_shapes_and_dtypes_that_are_none(device):
    for shape in (1.5, (2, 'x'), (2, None), 'ab'):
        with pytest.raises(TypeError):
            gpuarray.empty(shape, np.float32)
    for shape in (-1, (2, -3)):
        with pytest.raises(ValueError, match='negative'):
            gpuarray.empty(shape, np.float32)
    with pytest.raises(TypeError, match='objects'):
        gpuarray.empty(3, object)
    with pytest.raises(ValueError, match='order'):
        gpuarray.empty(3, np.int8, order='X')
    with pytest.raises(ValueError, match='strides'):
        gpuarray.empty((3, 3), np.int8, strides=(1,))


def test_memory_of_others(device):
    memory = cuda.to_device(np.arange(12, dtype=np.float32))
    a = gpuarray.GPUArray((3, 4), np.float32, gpudata=memory, base=memory)
    assert a.gpudata is memory and a.base is memory
    same(a, np.arange(12, dtype=np.float32).reshape(3, 4))
    columns = gpuarray.GPUArray((4, 3), np.float32, gpudata=int(memory), strides=(4, 16))
    same(columns, np.arange(12, dtype=np.float32).reshape(3, 4).T)

    class Holder(cuda.PointerHolderBase):
        def get_pointer(self):
            return int(memory) + 8

    held = gpuarray.GPUArray(2, np.float32, gpudata=Holder())
    same(held, np.array([2, 3], np.float32))
    same(held + held, np.array([4, 6], np.float32))


def test_allocators_are_used(device):
    asked = []

    def allocate(size):
        asked.append(size)
        return cuda.mem_alloc(size)

    a = gpuarray.to_gpu(np.ones(10, np.float32), allocator=allocate)
    b = a + a
    assert asked == [40, 40] and b.allocator is allocate and a[1:].allocator is allocate
    pool = tools.DeviceMemoryPool()
    c = gpuarray.zeros(100, np.float32, allocator=pool.allocate)
    d = 2 * c + 1
    assert pool.active_blocks == 2
    same(d, np.ones(100, np.float32))
    del c, d
    assert pool.active_blocks == 0
    pool.stop_holding()


def test_len_bool_iteration_text(device):
    host = np.arange(6, dtype=np.int32).reshape(3, 2)
    a = gpuarray.to_gpu(host)
    assert str(a) == str(host) and repr(a) == repr(host)
    rows = list(a)
    assert len(rows) == 3 and all(isinstance(r, gpuarray.GPUArray) for r in rows)
    same(rows[1], host[1])
    assert not gpuarray.zeros((), np.int32) and gpuarray.ones(1, np.float32)
    with pytest.raises(ValueError, match='ambiguous'):
        bool(a)
    with pytest.raises(TypeError):
        len(gpuarray.zeros((), np.int32))
    assert int(a[1, 1]) == 3 and float(a[2, 0]) == 4.0 and complex(a[0, 1]) == 1
    assert f'{a[1, 1]:5d}' == '    3'


def test_host_arrays_are_not_made_silently(device):
    a, host = gpuarray.zeros(3, np.float32), np.ones(3, np.float32)
    for mix in (lambda: a + host, lambda: host + a, lambda: host * a, lambda: a / host):
        with pytest.raises(TypeError):
            mix()
    with pytest.raises(TypeError, match='to_gpu'):
        a += host
    with pytest.raises(TypeError, match='get'):
        np.asarray(a)
    assert (a == None) is False and (a != None) is True  # noqa: E711
    assert (a == 'x') is False
    for mix in (lambda: a + None, lambda: a + 'x', lambda: a < None, lambda: [1] * a):
        with pytest.raises(TypeError):
            mix()


def test_pickle_and_copy(device):
    host = np.arange(6, dtype=np.float64).reshape(2, 3)
    a = gpuarray.to_gpu(host)
    same(pickle.loads(pickle.dumps(a)), host)
    for made in (copy.copy(a), copy.deepcopy(a), a.copy()):
        assert made.ptr != a.ptr
        same(made, host)


def test_subclasses_stay(device):
    class Field(gpuarray.GPUArray):
        pass

    a = Field((2, 3), np.float32)
    a.fill(1)
    a.unit = 'm'
    assert type(a + a) is Field
    same(a + a, np.full((2, 3), 2, np.float32))


# --- to and from the host -------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', ALL)
def test_round_trip(device, dtype):
    for shape in SHAPES:
        host = numbers(shape, dtype)
        same(gpuarray.to_gpu(host), host)
        same(gpuarray.to_gpu(np.array(host, order='F')), host)


def test_order_of_axes_is_kept(device):
    host = np.arange(24.0).reshape(2, 3, 4)
    for axes in [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)]:
        given = host.transpose(axes)
        a = gpuarray.to_gpu(given)
        assert a.strides == given.strides
        assert a.get().strides == given.strides
        assert a.copy().strides == given.strides
        assert (a + 1).strides == given.strides
        same(a, given)
        same(a + 1, given + 1)


def test_set_and_get_say_what_does_not_fit(device):
    a = gpuarray.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match='size'):
        a.set(np.zeros(5, np.float32))
    with pytest.raises(ValueError, match='dtype'):
        a.set(np.zeros((2, 3)))
    with pytest.raises(TypeError, match='NumPy array'):
        a.set([1, 2, 3, 4, 5, 6])
    with pytest.warns(UserWarning, match='different shape'):
        a.set(np.arange(6, dtype=np.float32))
    same(a, np.arange(6, dtype=np.float32).reshape(2, 3))
    with pytest.raises(TypeError, match='dtype'):
        a.get(np.zeros((2, 3)))
    with pytest.raises(ValueError, match='size'):
        a.get(np.zeros(7, np.float32))
    out = np.zeros((2, 3), np.float32)
    assert a.get(out) is out and (out == np.arange(6).reshape(2, 3)).all()
    flat = np.zeros(6, np.float32)
    with pytest.warns(UserWarning, match='different shape'):
        a.get(flat)
    assert (flat == np.arange(6)).all()


def test_get_into_arrays_with_gaps(device):
    host = np.arange(12, dtype=np.int16).reshape(3, 4)
    a = gpuarray.to_gpu(host)
    wide = np.zeros((3, 8), np.int16)
    a.get(wide[:, ::2])
    np.testing.assert_array_equal(wide[:, ::2], host)
    assert not wide[:, 1::2].any()
    turned = np.zeros((4, 3), np.int16).T
    a.get(turned)
    np.testing.assert_array_equal(turned, host)


def test_async_copies(device):
    stream = cuda.Stream(1)
    host = cuda.pagelocked_empty((50, 20), np.float32)
    host[...] = np.arange(1000).reshape(50, 20)
    a = gpuarray.to_gpu_async(host, stream=stream)
    b = a.get_async(stream)
    c = np.empty_like(host)
    assert a.get(c, async_=True, stream=stream) is c
    stream.synchronize()
    np.testing.assert_array_equal(b, host)
    np.testing.assert_array_equal(c, host)
    a.set_async(host[::-1].copy(), stream)
    part = a[:, ::3].get_async(stream)
    stream.synchronize()
    np.testing.assert_array_equal(part, host[::-1, ::3])
    assert isinstance(a.get(pagelocked=True).base, cuda.PagelockedHostAllocation)
    for other in (stream, cuda.Stream()):
        a.set(2 * host, stream=other)
        np.testing.assert_array_equal(a.get(stream=other), 2 * host)
        np.testing.assert_array_equal(a.T[::2].get(stream=other), 2 * host.T[::2])
    a.set(host[::-1].copy())
    with pytest.raises(TypeError):
        a.get(stream=stream, wrong=1)
    np.testing.assert_array_equal(a.get(**{'async': True}), host[::-1])


# --- new arrays -----------------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', ALL)
def test_zeros_ones_fill(device, dtype):
    for shape in SHAPES:
        same(gpuarray.zeros(shape, dtype), np.zeros(shape, dtype))
        same(gpuarray.ones(shape, dtype), np.ones(shape, dtype))
        same(gpuarray.empty(shape, dtype).fill(3), np.full(shape, 3, dtype))
    assert gpuarray.zeros(3).dtype == np.float64


def test_fill_refuses_what_does_not_fit(device):
    a = gpuarray.zeros(3, np.int8)
    with pytest.raises(OverflowError, match='300'):
        a.fill(300)
    with pytest.raises(TypeError, match='complex'):
        a.fill(1j)
    with pytest.raises(ValueError, match='one element'):
        a.fill([1, 2])


def test_likes(device):
    host = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    for other in (host, gpuarray.to_gpu(host)):
        for order, strides in [('K', (8, 16)), ('A', (8, 16)), ('F', (8, 16)), ('C', (24, 8))]:
            assert gpuarray.empty_like(other, order=order).strides == strides
        same(gpuarray.zeros_like(other), np.zeros((2, 3)))
        same(gpuarray.ones_like(other, dtype=np.int32), np.ones((2, 3), np.int32))
    c = np.zeros((2, 3))
    assert gpuarray.empty_like(c, order='A').flags.c_contiguous


@pytest.mark.parametrize('dtype', REAL)
def test_arange(device, dtype):
    same(gpuarray.arange(10, dtype=dtype), np.arange(10, dtype=dtype))
    same(gpuarray.arange(3, 40, 4, dtype=dtype), np.arange(3, 40, 4, dtype=dtype))
    same(gpuarray.arange(5, 5, dtype=dtype), np.arange(5, 5, dtype=dtype))
    if np.dtype(dtype).kind == 'f':
        same(gpuarray.arange(0, 7, 0.1, dtype=dtype), np.arange(0, 7, 0.1, dtype=dtype))
        same(gpuarray.arange(5, -5, -0.5, dtype=dtype), np.arange(5, -5, -0.5, dtype=dtype))


def test_arange_warns_of_a_dtype_it_chose(device):
    with pytest.warns(UserWarning, match='dtype'):
        same(gpuarray.arange(0, 10, 2), np.arange(0, 10, 2))
    with pytest.raises(ValueError, match='step'):
        gpuarray.arange(0, 10, 0, dtype=np.int32)


# --- views ----------------------------------------------------------------------------------------

INDICES = [
    0, -1, (0, 0, 0), (1, ..., 2), slice(None), slice(1, None), (slice(None), slice(None, None, 2)),
    (slice(None), slice(None, None, -1), 1), (..., 0), ..., None, (None, 1, None), (0, slice(5, 9)),
    (slice(None, None, -1), ..., slice(None, None, -2)), np.int64(1), (np.int8(-2), 1), (),
    (slice(1, 1), 0),
]  # fmt: skip


@pytest.mark.parametrize('index', INDICES, ids=str)
def test_indices(device, index):
    host = numbers((2, 3, 4), np.int32)
    a = gpuarray.to_gpu(host)
    view = a[index]
    same(view, host[index])
    same(view + view, host[index] + host[index])
    same(view.copy(), host[index])
    if view.size:
        assert view.base is a and type(view.gpudata) is int
        assert a.ptr <= view.ptr < a.ptr + a.nbytes
    # A number, a device array, a host array into the part.
    for value in (7, gpuarray.to_gpu(2 * host[index].copy()), 3 * host[index]):
        changed = host.copy()
        changed[index] = value.get() if isinstance(value, gpuarray.GPUArray) else value
        b = a.copy()
        b[index] = value
        same(b, changed)


def test_indices_that_are_none(device):
    a = gpuarray.zeros((2, 3), np.float32)
    for index in (2, -3, (0, 3), (0, 0, 0), (..., ...), [0, 1], 'x', 1.5, True, (0, True),
                  np.array([0, 1]), np.array([True, False])):  # fmt: skip
        with pytest.raises(IndexError):
            a[index]
    with pytest.raises(ValueError):
        a[0] = gpuarray.zeros(2, np.float32)
    with pytest.raises(ValueError):
        a[0] = gpuarray.zeros(3, np.complex64)
    with pytest.raises(ValueError):
        a[0] = np.zeros(3, np.complex64)


def test_views_keep_memory(device):
    view = gpuarray.to_gpu(np.arange(1000.0))[10:][5:20]
    same(view, np.arange(1000.0)[15:30])
    view += 1
    same(view, np.arange(1000.0)[15:30] + 1)


def test_assignments_within_an_array(device):
    host = np.arange(10000.0)
    a = gpuarray.to_gpu(host)
    a[1:] = a[:-1]
    host[1:] = host[:-1].copy()
    same(a, host)
    a[::-1] = a
    host[::-1] = host.copy()
    same(a, host)
    a[1:] += a[:-1]
    host[1:] += host[:-1].copy()
    same(a, host)
    a[2:4] = 3
    a[0] = a[5]
    host[2:4], host[0] = 3, host[5]
    same(a, host)


def test_assignments_convert_within_their_kind(device):
    a = gpuarray.zeros((2, 3), np.float64)
    a[0] = gpuarray.arange(3, dtype=np.int32)
    a[1] = np.arange(3, dtype=np.float32)
    a[:, 1] = 2.5
    same(a, np.array([[0, 2.5, 2], [0, 2.5, 2]]))
    a[...] = gpuarray.arange(3, dtype=np.float64)
    same(a, np.array([[0, 1.0, 2], [0, 1, 2]]))


def test_reshape(device):
    host = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    a = gpuarray.to_gpu(host)
    for shape in [(24,), (4, 6), (-1, 8), (2, 1, 12), (1, 24, 1), [3, -1], np.array([6, 4])]:
        same(a.reshape(shape), host.reshape(tuple(shape)))
    same(a.reshape(4, 6), host.reshape(4, 6))
    same(a.reshape(6, -1), host.reshape(6, -1))
    same(gpuarray.reshape(a, 12, 2), host.reshape(12, 2))
    assert a.reshape(24).ptr == a.ptr
    f = gpuarray.to_gpu(np.asfortranarray(host))
    same(f.reshape((6, 4), order='F'), host.reshape((6, 4), order='F'))
    same(a[:, :, 1:3].reshape(6, 2), host[:, :, 1:3].reshape(6, 2))
    same(a[:, :2].reshape(2, 8), host[:, :2].reshape(2, 8))
    for shape in [(-1, -1), (5, 5), (-1, 7), (-2, 24)]:
        with pytest.raises(ValueError):
            a.reshape(shape)
    with pytest.raises(ValueError, match='copy'):
        a[:, :, 1:3].reshape(12)
    same(a.transpose((1, 0, 2)).copy()[:, :1].reshape(3, 4), host.transpose((1, 0, 2))[:, 0])
    # Contiguous memory is taken as it lies, as in PyCUDA.
    same(a.T.reshape(24), host.reshape(24))
    same(a.reshape((4, 6), order='F'), host.ravel().reshape((4, 6), order='F'))
    assert a.reshape(4, 6, order='F').reshape(4, 6, order='A').flags.f_contiguous
    same(f.reshape(6, 4), host.T.reshape(6, 4))
    same(gpuarray.zeros((0, 3), np.int8).reshape(3, 0), np.zeros((3, 0), np.int8))


def test_ravel_squeeze_transpose(device):
    host = np.arange(24, dtype=np.float32).reshape(2, 1, 3, 4)
    a = gpuarray.to_gpu(host)
    same(a.ravel(), host.ravel())
    assert a.T.ravel().ptr == a.ptr  # the memory as it lies, as in PyCUDA
    same(a.T.ravel(), host.ravel())
    same(a[..., ::2].ravel(), host[..., ::2].ravel())
    same(a.squeeze(), host.squeeze())
    same(a.T, host.T)
    same(a.transpose((1, 3, 0, -2)), host.transpose((1, 3, 0, 2)))
    same(gpuarray.transpose(a[..., ::2], (3, 2, 1, 0)), host[..., ::2].T)
    with pytest.raises(ValueError, match='axes'):
        a.transpose((0, 1))
    with pytest.raises(ValueError, match='axes'):
        a.transpose((0, 0, 1, 2))
    same(gpuarray.arange(5, dtype=np.int32).reverse(), np.arange(5, dtype=np.int32)[::-1])


def test_view(device):
    host = np.arange(24, dtype=np.int32).reshape(2, 12)
    a = gpuarray.to_gpu(host)
    for dtype in (np.int32, np.uint32, np.float32, np.int8, np.int64, np.complex128):
        same(a.view(dtype), host.view(dtype))
    f = gpuarray.to_gpu(np.asfortranarray(np.arange(8, dtype=np.int32).reshape(4, 2)))
    assert f.view(np.int16).shape == (8, 2)
    assert f.view(np.int64).shape == (2, 2)
    same(a.view(), host)
    with pytest.raises(ValueError, match='copy'):
        a[:, ::2].view(np.int64)
    with pytest.raises(ValueError, match='bytes'):
        a[:, :3].view(np.int64)


def test_real_and_imaginary_parts(device):
    for dtype in COMPLEX:
        host = numbers((3, 4), dtype)
        a = gpuarray.to_gpu(host)
        same(a.real, host.real)
        same(a.imag, host.imag)
        same(a.T.imag, host.T.imag)
        same(a.conj(), host.conj())
        a.imag.fill(5)
        a.real[0] = 2
        host.imag, host.real[0] = 5, 2
        same(a, host)
    real = gpuarray.ones(3, np.float32)
    assert real.real is real and real.conj() is real
    same(real.imag, np.zeros(3, np.float32))
    out = gpuarray.empty((3, 4), np.complex64)
    assert a.conj(out=out) is out
    same(out, host.conj().astype(np.complex64))


# --- operators ------------------------------------------------------------------------------------

BINARY = {
    '+': lambda a, b: a + b,
    '-': lambda a, b: a - b,
    '*': lambda a, b: a * b,
    '/': lambda a, b: a / b,
}


@pytest.mark.parametrize('sign', BINARY)
@pytest.mark.parametrize('dtype', ALL)
def test_arithmetic_of_one_dtype(device, dtype, sign):
    operation = BINARY[sign]
    for shape in SHAPES if dtype in (np.float32, np.float16) else [(1000,)]:
        a, b = numbers(shape, dtype), numbers(shape, dtype, 1)
        left, right = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
        if dtype == np.bool_ and sign == '-':
            with pytest.raises(TypeError, match='bool'):
                operation(left, right)
            continue
        with np.errstate(all='ignore'):
            expected = np.asarray(operation(a, b))
        close(operation(left, right), expected)


def close(array, expected):
    """As `same`; quotients and products of complex numbers to a few places."""
    if expected.dtype.kind != 'c':
        same(array, expected)
        return
    got = array.get()
    assert got.dtype == expected.dtype and got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(expected.dtype).eps)


PAIRS = [
    (np.int32, np.float32), (np.int8, np.uint8), (np.int64, np.uint64), (np.float16, np.float32),
    (np.float32, np.float64), (np.float32, np.complex64), (np.bool_, np.int8), (np.int16, np.int64),
    (np.float64, np.complex64), (np.uint32, np.int32), (np.bool_, np.float16),
]  # fmt: skip


@pytest.mark.parametrize(('one', 'other'), PAIRS)
def test_mixed_dtypes(device, one, other):
    a, b = numbers((5, 9), one), numbers((5, 9), other, 1)
    for x, y in ((a, b), (b, a)):
        for operation in (BINARY['+'], BINARY['*']):
            close(operation(gpuarray.to_gpu(x), gpuarray.to_gpu(y)), operation(x, y))


SCALARS = [2, 2.5, True, 1 + 2j, np.float64(2), np.int8(3), np.float32(0.5), np.array(4.0)]


@pytest.mark.parametrize('scalar', SCALARS, ids=lambda s: f'{type(s).__name__}{s}')
@pytest.mark.parametrize('dtype', [np.int32, np.uint8, np.float16, np.float32, np.complex64])
def test_scalars(device, dtype, scalar):
    a = numbers(77, dtype)
    left = gpuarray.to_gpu(a)
    for operation in (BINARY['+'], BINARY['-'], BINARY['/']):
        # NumPy 2's promotion, whichever NumPy is installed.
        wide = scalar[()] if isinstance(scalar, np.ndarray) else scalar
        dtype = gpuarray.common_of(a.dtype, wide)
        x, y = a.astype(dtype), dtype.type(wide)
        close(operation(left, scalar), operation(x, y))
        close(operation(scalar, left), operation(y, x))


def test_dtypes_of_results(device):
    """The rows of PyCUDA's table, with NumPy's results where PyCUDA's are mistakes."""
    i32, f32 = gpuarray.ones(3, np.int32), gpuarray.ones(3, np.float32)
    rows = [
        (i32 / 2, np.float64),
        (i32 / i32, np.float64),
        (i32 + 1.5, np.float64),
        (f32 * 2.0, np.float32),
        (np.float64(2) * f32, np.float64),
        (f32 + 1j, np.complex64),
        (f32 == f32, np.float32),
        (i32 > 0.5, np.int32),
        (gpuarray.ones(3, np.int8) / 2, np.float64),
        (gpuarray.ones(3, np.bool_) + 1, np.int64),
    ]
    for result, dtype in rows:
        assert result.dtype == dtype
    same(gpuarray.to_gpu(np.array([7, -3], np.int32)) / 2, np.array([3.5, -1.5]))


def test_numbers_that_do_not_fit(device):
    a = gpuarray.ones(3, np.uint8)
    for operation in (lambda: a + 300, lambda: a - -1, lambda: 1000 * a):
        with pytest.raises(OverflowError, match='uint8'):
            operation()
    same(gpuarray.ones(2, np.float32) * 1e300, np.full(2, np.inf, np.float32))


def test_broadcasting(device):
    a, b, c = numbers((2, 3, 4), np.float32), numbers((3, 1), np.float32), numbers(4, np.int16)
    x, y, z = map(gpuarray.to_gpu, (a, b, c))
    same(x + y, a + b)
    same(y + x, b + a)
    same(x * z, a * c)
    same(y - z, b - c)
    same(x + x[0, 0, 0], a + a[0, 0, 0])
    same(x[..., ::2] / x[..., 1::2], a[..., ::2] / a[..., 1::2])
    with pytest.raises(ValueError):
        x + gpuarray.zeros(3, np.float32)


def test_in_place(device):
    host = numbers((4, 5), np.float32)
    a = gpuarray.to_gpu(host)
    memory = a.ptr
    a += 1
    a *= a
    a -= gpuarray.arange(5, dtype=np.float32)
    a /= 4
    host += 1
    host *= host
    host -= np.arange(5, dtype=np.float32)
    host /= 4
    same(a, host)
    assert a.ptr == memory
    a **= gpuarray.ones((4, 5), np.float64)
    assert a.dtype == np.float32
    a[::2, 1:] *= 3
    host[::2, 1:] *= 3
    same(a, host)
    for _ in range(3):  # the first time a kernel is made, later it is found
        a -= a
        a += gpuarray.ones((4, 5), np.float32)
        a *= 3
        a += a
        a /= gpuarray.to_gpu(np.full((4, 5), 2, np.float32))
        same(a, np.full((4, 5), 3, np.float32))
        b = a.reshape(20)[1:]
        b += a.reshape(20)[:-1]
        same(a, np.array([3] + 19 * [6], np.float32).reshape(4, 5))
        b -= gpuarray.arange(19, dtype=np.int16)
    i = gpuarray.ones(3, np.int32)
    for wrong in ('i /= 2', 'i += 1.5', 'i *= f', 'i += 1j'):
        with pytest.raises(TypeError, match='astype'):
            exec(wrong, {'i': i, 'f': gpuarray.ones(3, np.float32)})
    with pytest.raises(ValueError, match='larger'):
        i += gpuarray.ones((2, 3), np.int32)


@pytest.mark.parametrize('dtype', ALL)
def test_unary(device, dtype):
    host = numbers(501, dtype)
    a = gpuarray.to_gpu(host)
    if dtype == np.bool_:
        with pytest.raises(TypeError):
            operator.neg(a)
    else:
        same(-a, -host)
    same(+a, host)
    close(abs(a), abs(host)) if host.dtype.kind != 'c' else np.testing.assert_allclose(
        abs(a).get(), abs(host), rtol=1e-6
    )


def test_comparisons(device):
    a, b = numbers(300, np.float32), numbers(300, np.float32, 1)
    x, y = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
    for operation in ('==', '!=', '<', '<=', '>', '>='):
        for left, right, host in (('x', 'y', 'a {} b'), ('x', '2', 'a {} 2'), ('2', 'x', '2 {} a')):
            got = eval(f'{left} {operation} {right}', {'x': x, 'y': y})
            expected = eval(host.format(operation), {'a': a, 'b': b})
            same(got, expected.astype(np.float32))
    u = gpuarray.to_gpu(np.array([0, 200, 255], np.uint8))
    for number in (300, -1, 2**40, -(2**70), 2**70, 200):
        for operation in ('==', '!=', '<', '<=', '>', '>='):
            got = eval(f'u {operation} number', {'u': u, 'number': number})
            expected = [
                eval(f'v {operation} number', {'v': v, 'number': number}) for v in (0, 200, 255)
            ]
            same(got, np.array(expected, np.uint8))
    z = gpuarray.ones(3, np.complex64)
    same(z == 1, np.ones(3, np.complex64))
    with pytest.raises(TypeError, match='order'):
        z < z  # noqa: B015


def test_powers(device):
    host = np.array([0.5, 1, 2, 3], np.float32)
    a = gpuarray.to_gpu(host)
    for exponent in (0, 1, 2, 3, 0.5, -1, 2.5):
        np.testing.assert_allclose((a**exponent).get(), host**exponent, rtol=1e-6)
        assert (a**exponent).dtype == np.float32
    np.testing.assert_allclose((2**a).get(), 2**host, rtol=1e-6)
    np.testing.assert_allclose((a**a).get(), host**host, rtol=1e-6)
    i = np.array([-3, -1, 0, 1, 2, 7], np.int32)
    x = gpuarray.to_gpu(i)
    for exponent in (0, 1, 2, 3, 5):
        same(x**exponent, i**exponent)
    same(x ** gpuarray.to_gpu(abs(i)), i ** abs(i))
    with pytest.raises(ValueError, match='negative'):
        x**-1
    z = np.array([1 + 2j, -3j], np.complex64)
    np.testing.assert_allclose((gpuarray.to_gpu(z) ** 3).get(), z**3, rtol=1e-5)
    with pytest.raises(TypeError):
        pow(x, 2, 3)


def test_division_by_zero(device):
    one = np.array([1, -1, 0], np.float32)
    with np.errstate(all='ignore'):
        same(gpuarray.to_gpu(one) / 0, one / np.float32(0))
        same(1 / gpuarray.to_gpu(np.array([0, 4])), 1 / np.array([0, 4]))
    z = (gpuarray.to_gpu(np.array([1 + 2j, -3 + 4j], np.complex64)) / 0.0).get()
    np.testing.assert_array_equal(z.real, [np.inf, -np.inf])
    np.testing.assert_array_equal(z.imag, [np.inf, np.inf])


@pytest.mark.parametrize('source', ALL)
def test_astype(device, source):
    host = numbers((3, 40), source)
    a = gpuarray.to_gpu(host)
    for target in ALL:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            expected, got = host.astype(target), a.astype(target)
            same(got, expected)
            same(a[:, ::2].astype(target), host[:, ::2].astype(target))
    assert a.astype(source).ptr != a.ptr and a.astype(source, copy=False) is a


def test_astype_of_complex_to_real_warns(device):
    with pytest.warns(UserWarning.__base__, match='imaginary'):
        gpuarray.ones(3, np.complex64).astype(np.float32)


@pytest.mark.parametrize('n', [1, 3, 255, 256, 257, 4096 + 5, 1 << 20, (1 << 20) + 3])
def test_sizes_and_alignments(device, n):
    host = np.arange(n + 4, dtype=np.float32)
    a = gpuarray.to_gpu(host)
    same(a[:n] + a[4:], host[:n] + host[4:])
    same(a[1 : n + 1] * a[3 : n + 3], host[1 : n + 1] * host[3 : n + 3])
    same(a[3:] - 0.5, host[3:] - np.float32(0.5))


def test_more_elements_than_threads(device):
    """Every thread takes several turns where the grid is at its largest."""
    n = 5_000_011
    a = gpuarray.arange(n, dtype=np.int32)
    b = a.view(np.uint8)[1:] + 1
    np.testing.assert_array_equal(b.get(), np.arange(n, dtype=np.int32).view(np.uint8)[1:] + 1)


def test_mul_add(device):
    a, b = numbers(50, np.float32), numbers(50, np.float32, 1)
    x, y = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
    same(x.mul_add(2, y, 3), 2 * a + 3 * b)
    out = gpuarray.empty_like(x)
    assert x.mul_add(2, y, 0.5, out=out) is out
    same(out, 2 * a + np.float32(0.5) * b)
    assert x.mul_add(2, x[::-1], 1, out=x) is x
    same(x, 2 * a + a[::-1])
    with pytest.raises(TypeError, match='kept'):
        x.mul_add(1, y, 1, out=gpuarray.empty(50, np.int32))
    with pytest.raises(TypeError, match='out must be'):
        gpuarray.maximum(x, y, out=np.zeros(50, np.float32))
    with pytest.raises(ValueError):
        gpuarray.maximum(x, y, out=gpuarray.empty(49, np.float32))


def test_numbers_beside_half_precision_are_rounded_to_it(device):
    """In full precision the sums would be others: 0.1 is not one of float16."""
    host = np.linspace(-3, 3, 4001).astype(np.float16)
    a = gpuarray.to_gpu(host)
    for number in (0.1, 1 / 3, 1e5):
        with np.errstate(all='ignore'):
            same(a + number, host + np.float16(number))
            same(a * number, host * np.float16(number))


def test_texture_references_are_gone(device):
    for call in ('bind_to_texref', 'bind_to_texref_ext'):
        with pytest.raises(cuda.LogicError, match='texture references'):
            getattr(gpuarray.zeros(3, np.float32), call)(None)


def test_odd_values_raise(device):
    """Whatever is given, an exception of Python or of the driver says what is wrong."""
    a = gpuarray.ones((2, 3), np.float32)
    odd = [
        None, 'x', b'y', [], {}, object(), object, 1 << 70, -5, 1.5, float('nan'), (1, 'a'),
        np.zeros(3), np.array('2020', 'M8[D]'), np.datetime64(1, 's'), a, a[0], a[:0], slice(3),
        np.void(b'ab'), cuda.mem_alloc, gpuarray.zeros(2, gpuarray.vec.float2), np.str_('q'),
    ]  # fmt: skip
    calls = [
        gpuarray.GPUArray, gpuarray.to_gpu, gpuarray.zeros, gpuarray.empty_like, gpuarray.arange,
        gpuarray.concatenate, gpuarray.stack, gpuarray.sum, gpuarray.max, gpuarray.any,
        gpuarray.maximum, gpuarray.if_positive, gpuarray.logical_not, gpuarray.subset_sum,
        gpuarray.dot, a.set, a.get, a.fill, a.astype, a.reshape, a.view, a.transpose, a.conj,
        a.mul_add, a.__getitem__, a.__setitem__, a.__add__, a.__rtruediv__, a.__imul__, a.__pow__,
        a.__lt__, gpuarray.splay,
    ]  # fmt: skip
    allowed = (TypeError, ValueError, IndexError, OverflowError, cuda.Error)
    for call in calls:
        for value in odd:
            for more in ((), (value,), (a,), (np.float32,)):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter('ignore')
                        call(value, *more)
                except allowed as e:
                    assert str(e)
    cuda.Context.synchronize()


# --- structs --------------------------------------------------------------------------------------


def test_vectors(device):
    vec = gpuarray.vec
    for dtype, make, count in (
        (vec.float3, vec.make_float3, 3), (vec.float4, vec.make_float4, 4),
        (vec.char3, vec.make_char3, 3), (vec.double2, vec.make_double2, 2),
        (vec.short1, vec.make_short1, 1),
    ):  # fmt: skip
        host = np.zeros((2, 5, 3), dtype)
        a = gpuarray.zeros((2, 5, 3), dtype)
        same(a, host)
        one, other = make(*range(1, count + 1)), make(*range(5, count + 5))
        a.fill(one)
        a[1, 2, 0] = other
        a[:, 3] = one
        a[0, ::2] = a[1, 2, 0]
        host[...] = one
        host[1, 2, 0] = other
        host[:, 3] = one
        host[0, ::2] = host[1, 2, 0]
        same(a, host)
        same(a[:, ::-1].copy(), host[:, ::-1])
        same(a.T, host.T)
        with pytest.raises(TypeError):
            a + a


# --- choices, arrays of arrays --------------------------------------------------------------------


def test_where_maximum_minimum(device):
    a, b = numbers(99, np.float32), numbers(99, np.float32, 1)
    x, y = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
    same(gpuarray.if_positive(x, x, y), np.where(a > 0, a, b))
    same(gpuarray.if_positive(x > y, x, 0), np.where(a > b, a, np.float32(0)))
    same(gpuarray.where(x, x, y), np.where(a != 0, a, b))
    same(gpuarray.where(x - 1, x, y), np.where(a != 1, a, b))
    same(gpuarray.where(x > y, 1.5, y), np.where(a > b, np.float32(1.5), b))
    same(gpuarray.maximum(x, y), np.maximum(a, b))
    same(gpuarray.minimum(x, 2), np.minimum(a, 2))
    same(gpuarray.minimum(0, x), np.minimum(0, a))
    i = numbers((3, 4), np.int16)
    same(gpuarray.maximum(gpuarray.to_gpu(i), 1), np.maximum(i, np.int16(1)))
    out = gpuarray.empty_like(x)
    assert gpuarray.maximum(x, y, out=out) is out
    same(out, np.maximum(a, b))
    nan = gpuarray.to_gpu(np.array([np.nan, 1], np.float32))
    same(gpuarray.maximum(nan, 0), np.array([0, 1], np.float32))
    with pytest.raises(TypeError):
        gpuarray.maximum(1, 2)
    with pytest.raises(TypeError, match='order'):
        gpuarray.minimum(gpuarray.ones(2, np.complex64), 1)
    with pytest.raises(TypeError):
        gpuarray.if_positive(x, 'x', y)


def test_concatenate_and_stack(device):
    a, b = numbers((2, 3), np.float32), numbers((4, 3), np.int16)
    x, y = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
    same(gpuarray.concatenate([x, y]), np.concatenate([a, b]))
    same(gpuarray.concatenate((x, x[:, ::-1]), axis=-1), np.concatenate((a, a[:, ::-1]), -1))
    for axis in (0, 1, 2, -1):
        same(gpuarray.stack([x, 2 * x], axis=axis), np.stack([a, 2 * a], axis))
    for wrong in (
        lambda: gpuarray.concatenate([]),
        lambda: gpuarray.concatenate([x, y], 1),
        lambda: gpuarray.stack([x, y]),
        lambda: gpuarray.concatenate([x], 2),
    ):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(TypeError):
        gpuarray.concatenate([a])


# --- sums -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', ALL)
def test_sum_and_dot(device, dtype):
    for n in (0, 1, 31, 513, 100_003):
        host = np.ones(n, dtype) if np.dtype(dtype).itemsize <= 2 else numbers(n, dtype)
        host = host[: 100 if np.dtype(dtype).itemsize == 1 else n]
        a = gpuarray.to_gpu(host)
        expected = np.int64 if dtype == np.bool_ else dtype
        total = gpuarray.sum(a)
        assert total.shape == () and total.dtype == expected
        wide = np.complex128 if np.dtype(dtype).kind == 'c' else np.float64
        with np.errstate(over='ignore'):
            sums = [
                (total, host.sum(dtype=wide)),
                (gpuarray.dot(a, a), (host * host).sum(dtype=wide)),
            ]
            for got, value in sums:
                np.testing.assert_allclose(got.get(), np.asarray(value).astype(expected), rtol=1e-5)


def test_sums_of_views_and_other_dtypes(device):
    host = numbers((30, 40), np.int8)
    a = gpuarray.to_gpu(host)
    assert gpuarray.sum(a, dtype=np.int64).get() == host.sum()
    assert gpuarray.sum(a[::2, ::-3], dtype=np.float64).get() == host[::2, ::-3].sum()
    assert gpuarray.dot(a, a.T.copy().T, dtype=np.int32).get() == (host.astype(int) ** 2).sum()
    stream = cuda.Stream()
    assert gpuarray.sum(a, np.int32, stream=stream).get() == host.sum()
    f = gpuarray.to_gpu(np.full(70_000, 1.0, np.float16))
    assert gpuarray.sum(f, dtype=np.float32).get() == 70_000
    with pytest.raises(TypeError):
        gpuarray.sum(gpuarray.ones(3, np.complex64), dtype=np.float32)
    with pytest.raises(TypeError):
        gpuarray.sum(host)
    with pytest.raises(ValueError):
        gpuarray.dot(a, a[0])


@pytest.mark.parametrize('dtype', [np.bool_, *REAL])
def test_extremes(device, dtype):
    for n in (1, 33, 5000, 200_001):
        host = numbers(n, dtype)
        a = gpuarray.to_gpu(host)
        for got, value in ((gpuarray.max(a), host.max()), (gpuarray.min(a), host.min())):
            assert got.shape == () and got.dtype == dtype and got.get() == value
    if np.dtype(dtype).kind in 'iu':
        for limit in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            a = gpuarray.to_gpu(np.full(3, limit, dtype))
            assert gpuarray.max(a).get() == gpuarray.min(a).get() == limit
    with pytest.raises(ValueError, match='without elements'):
        gpuarray.max(gpuarray.zeros(0, dtype))


@pytest.mark.parametrize('dtype', ALL)
def test_any_and_all(device, dtype):
    for n in (0, 1, 5000, 100_000):
        host = np.zeros(n, dtype)
        a = gpuarray.to_gpu(host)
        for _ in range(2):
            for got, value in ((gpuarray.any(a), host.any()), (gpuarray.all(a), host.all())):
                assert got.dtype == np.bool_ and got.shape == () and bool(got) == value
            assert bool(a.any()) == host.any() and bool(a.all()) == host.all()
            if n:
                host[n // 2] = 1
                a[n // 2] = 1
        assert gpuarray.all(gpuarray.ones(n, dtype)).get()
    odd = gpuarray.to_gpu(np.array([0, 2, 255], np.uint8)).view(np.bool_)
    assert odd.any() and not odd.all() and odd[1:].all()
    assert (odd.astype(np.int32).get() == [0, 1, 1]).all()


def test_logical(device):
    a = (numbers((3, 7), np.float32) * (np.arange(7) % 2)).astype(np.float32)
    b = np.resize(np.array([0, 0, 3], np.int16), 7)
    x, y = gpuarray.to_gpu(a), gpuarray.to_gpu(b)
    same(gpuarray.logical_and(x, y), np.logical_and(a, b))
    same(gpuarray.logical_or(x, y), np.logical_or(a, b))
    same(gpuarray.logical_or(0, y), np.logical_or(0, b))
    same(gpuarray.logical_not(x), np.logical_not(a))
    out = gpuarray.empty((3, 7), np.int32)
    assert gpuarray.logical_not(x, out=out) is out
    same(out, np.logical_not(a).astype(np.int32))


def test_subsets(device):
    a, b = numbers(1000, np.float32), numbers(1000, np.float32, 1)
    places = np.random.RandomState(3).permutation(1000)[:300].astype(np.uint32)
    x, y, subset = map(gpuarray.to_gpu, (a, b, places))
    assert gpuarray.subset_sum(subset, x).get() == a[places].sum()
    assert gpuarray.subset_dot(subset, x, y).get() == (a[places] * b[places]).sum()
    assert gpuarray.subset_max(subset, x).get() == a[places].max()
    assert gpuarray.subset_min(subset, x).get() == a[places].min()
    with pytest.raises(TypeError, match='whole'):
        gpuarray.subset_sum(x, x)


# --- others ---------------------------------------------------------------------------------------


def test_splay(device):
    processors = device.multiprocessor_count
    for n in (0, 1, 31, 32, 33, 1000, 10**5, 10**6, 10**9):
        (blocks, one), (threads, *rest) = gpuarray.splay(n)
        assert one == 1 and rest == [1, 1] and 32 <= threads <= 128 and threads % 32 == 0
        assert 1 <= blocks <= 4 * 8 * processors
    a = gpuarray.zeros(1000, np.float32)
    assert (a._grid, a._block) == gpuarray.splay(1000) == gpuarray.splay(1000, device)


def test_arrays_are_arguments_of_kernels(device):
    from runcu.compiler import SourceModule

    module = SourceModule("""
        __global__ void twice(float *x, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) x[i] *= 2;
        }""")
    a = gpuarray.arange(100, dtype=np.float32)
    twice = module.get_function('twice')
    twice(a, np.int32(100), block=a._block, grid=a._grid)
    twice(a[50:], np.int32(50), block=(64, 1, 1))
    twice(a.gpudata, np.int32(10), block=(32, 1, 1))
    expected = 2 * np.arange(100, dtype=np.float32)
    expected[50:] *= 2
    expected[:10] *= 2
    same(a, expected)
    twice.prepare('Pi').prepared_call((1, 1), (32, 1, 1), a.gpudata, 32)


def test_interfaces(device):
    a = gpuarray.to_gpu(np.arange(12, dtype=np.float32).reshape(3, 4))[:, 1:]
    if device.is_cpu:
        assert not hasattr(a, '__cuda_array_interface__')
        np.testing.assert_array_equal(np.from_dlpack(a), a.get())
    else:
        found = a.__cuda_array_interface__
        assert found['shape'] == (3, 3) and found['strides'] == (16, 4) and found['version'] == 3
        assert found['data'] == (a.ptr, False) and found['typestr'] == '<f4'
    foreign = cuda.from_dlpack(a)
    assert (foreign.ptr, foreign.shape, foreign.strides) == (a.ptr, a.shape, a.strides)
    assert foreign.dtype == np.float32


def test_import_needs_no_device(python):
    done = python(
        """
        import sys, runcu
        assert not [m for m in sys.modules if m.startswith('runcu.') and m.split('.')[1] in
            ('gpuarray', 'elementwise', 'reduction', 'curandom', 'cumath', '_engine')]
        import runcu.gpuarray, runcu.elementwise, runcu.reduction, runcu.curandom, runcu.cumath
        print(runcu.driver.Context.get_current())
        """,
        device='/nowhere/libnone.so',
    )
    assert done.stdout == 'None\n' and done.stderr == ''


def test_operations_leave_no_memory_behind(device):
    host = np.ones((64, 1024), np.float32)
    a = gpuarray.to_gpu(host)
    warm = gpuarray.sum(a[:, ::2] * 2 + a.T[:512].T)
    assert warm.get() == 3 * 64 * 512
    cuda.Context.synchronize()
    before = cuda.mem_get_info()[0]
    for _ in range(200):
        b = a[:, ::2] * 2 + a.T[:512].T
        b += a[:, 1::2]
        c = gpuarray.concatenate([b, b.copy()])
        c[::2] = c[1::2]
        total = gpuarray.sum(c[:, ::3], stream=cuda.Stream())
        c.get()
    del b, c, total
    cuda.Context.synchronize()
    if device.is_cpu:  # a GPU is not ours alone
        assert cuda.mem_get_info()[0] >= before - (4 << 20)


def test_kernels_of_contexts_that_are_gone_are_forgotten(device):
    from runcu import _engine

    for _ in range(3):
        context = device.make_context()
        a = gpuarray.ones(10, np.float32)
        same(a + a, np.full(10, 2, np.float32))
        del a
        context.pop()
        context.detach()
    context = device.make_context()
    _engine.store()
    assert all(known.is_alive for known in _engine._stores)
    context.pop()
    context.detach()


def test_each_context_has_its_kernels(device):
    a = gpuarray.ones(10, np.float32)
    same(a + a, np.full(10, 2, np.float32))
    context = device.make_context()
    b = gpuarray.ones(10, np.float32)
    same(b + b, np.full(10, 2, np.float32))
    context.pop()
    same(a + a, np.full(10, 2, np.float32))
    tools.clear_context_caches()
    same(a + a, np.full(10, 2, np.float32))
    context.detach()

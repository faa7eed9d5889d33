"""runcu.cumath against NumPy."""

import numpy as np
import pytest
import runcu.driver as cuda
from runcu import cumath, gpuarray

NUMPY = {'asin': np.arcsin, 'acos': np.arccos, 'atan': np.arctan}
RANGES = {
    'fabs': (-9, 9), 'ceil': (-9, 9), 'floor': (-9, 9), 'exp': (-9, 9), 'log': (1e-3, 99),
    'log10': (1e-3, 99), 'sqrt': (0, 99), 'sin': (-9, 9), 'cos': (-9, 9), 'tan': (-1.5, 1.5),
    'asin': (-1, 1), 'acos': (-1, 1), 'atan': (-9, 9), 'sinh': (-9, 9), 'cosh': (-9, 9),
    'tanh': (-9, 9),
}  # fmt: skip
COMPLEX = sorted(set(RANGES) - {'fabs', 'ceil', 'floor'})


def numpy_of(name):
    return NUMPY.get(name) or getattr(np, name)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
@pytest.mark.parametrize('name', RANGES)
def test_real(device, name, dtype):
    for n in (0, 1, 1003):
        host = np.linspace(*RANGES[name], n).astype(dtype)
        result = getattr(cumath, name)(gpuarray.to_gpu(host))
        assert result.dtype == dtype and result.shape == (n,)
        expected = numpy_of(name)(host.astype(float))
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(result.get().astype(float), expected, rtol=8 * eps, atol=4 * eps)


@pytest.mark.parametrize('dtype', [np.complex64, np.complex128])
@pytest.mark.parametrize('name', COMPLEX)
def test_complex(device, name, dtype):
    rng = np.random.RandomState(1)
    host = (rng.uniform(-2, 2, 500) + 1j * rng.uniform(-2, 2, 500)).astype(dtype)
    result = getattr(cumath, name)(gpuarray.to_gpu(host))
    assert result.dtype == dtype
    expected = numpy_of(name)(host.astype(complex))
    tolerance = 200 * np.finfo(dtype).eps
    np.testing.assert_allclose(result.get(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('name', RANGES)
def test_whole_numbers_become_what_numpy_makes_of_them(device, name):
    for dtype in (np.int8, np.uint16, np.int32, np.int64):
        host = np.array([0, 1], dtype)
        with np.errstate(divide='ignore'):
            expected = numpy_of(name)(host)
        result = getattr(cumath, name)(gpuarray.to_gpu(host))
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result.get(), expected, rtol=1e-3)


def test_shapes_views_and_special_values(device):
    host = np.linspace(0, 5, 24).reshape(2, 3, 4)
    a = gpuarray.to_gpu(host)
    np.testing.assert_allclose(cumath.exp(a).get(), np.exp(host), rtol=1e-14)
    np.testing.assert_allclose(cumath.sqrt(a[:, ::-1, 1:]).get(), np.sqrt(host[:, ::-1, 1:]))
    special = np.array([np.inf, -np.inf, np.nan, -1, 0], np.float32)
    with np.errstate(all='ignore'):
        np.testing.assert_array_equal(cumath.sqrt(gpuarray.to_gpu(special)).get(), np.sqrt(special))
        np.testing.assert_array_equal(cumath.log(gpuarray.to_gpu(special)).get(), np.log(special))


def test_out_and_stream(device):
    stream = cuda.Stream(1)
    a = gpuarray.to_gpu(np.linspace(0, 1, 100))
    expected = np.sin(a.get())
    out = gpuarray.empty_like(a)
    cuda.Context.synchronize()
    for call in (
        lambda: cumath.sin(a, out=out),
        lambda: cumath.sin(a, out),
        lambda: cumath.sin(a, out=out, stream=stream),
    ):
        out.fill(0)
        cuda.Context.synchronize()
        assert call() is out
        stream.synchronize()
        np.testing.assert_allclose(out.get(), expected, rtol=1e-14)
    result = cumath.sin(a, stream)  # PyCUDA's programs pass it by position
    stream.synchronize()
    np.testing.assert_allclose(result.get(), expected, rtol=1e-14)
    b = a.copy()
    assert cumath.sin(b, out=b) is b
    np.testing.assert_allclose(b.get(), expected, rtol=1e-14)
    single = gpuarray.empty(100, np.float32)
    np.testing.assert_allclose(cumath.sin(a, out=single).get(), expected, rtol=1e-6)


def test_what_is_wrong(device):
    a = gpuarray.ones(5, np.float32)
    for wrong in (np.ones(5, np.float32), 1.0, None):
        with pytest.raises(TypeError, match='GPUArray'):
            cumath.sin(wrong)
    with pytest.raises(TypeError, match='out'):
        cumath.sin(a, out=gpuarray.empty(5, np.int32))
    with pytest.raises(ValueError, match='shape'):
        cumath.sin(a, out=gpuarray.empty(6, np.float32))
    with pytest.raises(TypeError, match='not defined'):
        cumath.floor(gpuarray.ones(5, np.complex64))
    with pytest.raises(TypeError, match='not defined'):
        cumath.sin(gpuarray.zeros(5, gpuarray.vec.float2))


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_fmod_frexp_ldexp_modf(device, dtype):
    host = np.array([-7.5, -1, -0.0, 0.0, 0.3, 1, 2.5, 1000], dtype)
    other = np.array([2, 3, 1, 4, 0.2, 5, -2, 7], dtype)
    a, b = gpuarray.to_gpu(host), gpuarray.to_gpu(other)
    for got, expected in [
        (cumath.fmod(a, b), np.fmod(host, other)),
        (cumath.fmod(a, 2), np.fmod(host, dtype(2))),
        (cumath.ldexp(a, gpuarray.to_gpu(np.arange(-4, 4).astype(dtype))),
         np.ldexp(host, np.arange(-4, 4))),
        (cumath.ldexp(a, gpuarray.to_gpu(np.arange(8, dtype=np.int32)[::-1])),
         np.ldexp(host, np.arange(8)[::-1])),
        *zip(cumath.frexp(a), np.frexp(host), strict=True),
        *zip(cumath.modf(a), np.modf(host), strict=True),
    ]:  # fmt: skip
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.get(), expected)
    significand, exponent = cumath.frexp(a)
    np.testing.assert_array_equal(cumath.ldexp(significand, exponent).get(), host)
    assert np.signbit(cumath.modf(a)[0].get()[2])
    whole = gpuarray.to_gpu(np.array([7, -7], np.int32))
    np.testing.assert_array_equal(cumath.fmod(whole, 4).get(), [3.0, -3.0])
    with pytest.raises(TypeError, match='complex|not defined'):
        cumath.modf(gpuarray.ones(3, np.complex64))
    with pytest.raises(TypeError, match='number'):
        cumath.fmod(a, 'x')

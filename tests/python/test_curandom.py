"""runcu.curandom: random numbers, judged by what chance allows."""

import math

import numpy as np
import pytest
import runcu.driver as cuda
from runcu import curandom, gpuarray

N = 200_000


def chi_square(counts):
    """How many standard deviations the chi-square of equally likely counts is from its mean."""
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom)


def philox(counter, key):
    """Four words of Philox4x32-10, with Python's integers."""
    x = [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(b >> 32) ^ x[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ x[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x


def test_the_reference_is_philox():
    """A known answer of the authors' Random123: counter and key 0."""
    assert philox(0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize('n', [1, 2, 3, 4, 5, 1001])
def test_bits_are_those_of_philox(device, n):
    seed = 0x123456789ABCDEF0
    words = [w for c in range(-(-n // 2)) for w in philox(c, seed)]
    got = curandom.rand(n, np.uint32, seed=seed).get()
    np.testing.assert_array_equal(got, np.array(words[:n], np.uint32))
    np.testing.assert_array_equal(curandom.rand(n, np.int32, seed=seed).get(), got.view(np.int32))
    np.testing.assert_array_equal(
        curandom.rand(n, np.float32, seed=seed).get(), (got >> 8).astype(np.float32) / 2**24
    )
    pairs = np.array(words[: 2 * n], np.uint64).reshape(n, 2)
    np.testing.assert_array_equal(
        curandom.rand(n, np.float64, seed=seed).get(),
        ((pairs[:, 0] << np.uint64(32) | pairs[:, 1]) >> np.uint64(11)).astype(float) / 2**53,
    )


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_numbers_of_the_unit_interval(device, dtype):
    for seed in (0, 1, 2**64 - 1):
        x = curandom.rand(N, dtype, seed=seed).get()
        assert x.dtype == dtype and x.min() >= 0 and x.max() < 1
        assert abs(x.mean(dtype=float) - 0.5) < 5 / math.sqrt(12 * N)
        assert abs(x.var(dtype=float) - 1 / 12) < 5 / math.sqrt(180 * N)
        assert abs(chi_square(np.bincount((x * 100).astype(int), minlength=100))) < 5
        # Neighbours, and the four of one counter, are independent.
        for lag in (1, 2, 3, 4, 1024):
            centered = x.astype(float) - 0.5
            correlation = (centered[:-lag] * centered[lag:]).mean() * 12
            assert abs(correlation) < 5 / math.sqrt(N - lag)
        cells = (x[::2] * 16).astype(int) * 16 + (x[1::2] * 16).astype(int)
        assert abs(chi_square(np.bincount(cells, minlength=256))) < 5


@pytest.mark.parametrize('dtype', [np.int32, np.uint32])
def test_whole_numbers(device, dtype):
    bits = curandom.rand(N, dtype, seed=7).get().view(np.uint32)
    for place in range(32):
        ones = int((bits >> np.uint32(place) & np.uint32(1)).sum())
        assert abs(ones - N / 2) < 5 * math.sqrt(N) / 2
    assert abs(chi_square(np.bincount(bits >> np.uint32(24), minlength=256))) < 5
    assert abs(chi_square(np.bincount(bits & np.uint32(255), minlength=256))) < 5


def test_seeds(device):
    one, again = (curandom.rand(1000, seed=5).get() for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert (one != curandom.rand(1000, seed=6).get()).mean() > 0.99
    assert (one != curandom.rand(1000, seed=5 + (1 << 32)).get()).mean() > 0.99
    first, second = curandom.rand(1000).get(), curandom.rand(1000).get()
    assert (first != second).mean() > 0.99
    np.random.seed(3)
    first = curandom.rand(100).get()
    np.random.seed(3)
    np.testing.assert_array_equal(first, curandom.rand(100).get())
    # The first numbers do not depend on how many there are.
    np.testing.assert_array_equal(curandom.rand(10, seed=5).get(), one[:10])


def test_shapes_and_streams(device):
    assert curandom.rand((2, 3, 4)).shape == (2, 3, 4)
    assert curandom.rand((), np.float64).shape == ()
    assert curandom.rand(0).size == 0
    x = curandom.rand([5, 2], dtype='float64')
    assert isinstance(x, gpuarray.GPUArray) and x.dtype == np.float64
    stream = cuda.Stream(1)
    on_stream = curandom.rand(1000, np.float32, stream, seed=1)
    stream.synchronize()
    np.testing.assert_array_equal(on_stream.get(), curandom.rand(1000, seed=1).get())


def test_what_is_wrong(device):
    for dtype in (np.int64, np.complex64, np.float16, bool):
        with pytest.raises(TypeError, match='astype'):
            curandom.rand(3, dtype)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match='seed'):
            curandom.rand(3, seed=seed)
    with pytest.raises(TypeError):
        curandom.rand('x')


def test_seed_getters(device):
    uniform, unique = curandom.seed_getter_uniform(500), curandom.seed_getter_unique(5000)
    assert uniform.shape == (500,) and unique.shape == (5000,)
    assert uniform.dtype == unique.dtype == np.int32
    assert len(set(uniform.get().tolist())) == 1
    assert len(set(unique.get().tolist())) == 5000

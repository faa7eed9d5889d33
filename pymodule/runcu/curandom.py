"""Random numbers in GPUArrays, in the shape of `pycuda.curandom`.

The generator is Philox4x32-10, which makes the numbers of a seed from their places: they do not
depend on the device or on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _engine
from .gpuarray import GPUArray, to_gpu

__all__ = ['rand', 'seed_getter_uniform', 'seed_getter_unique']

#: By dtype: elements of 128 bits, and the expression of one.
_KINDS = {
    np.dtype(np.float32): (4, 'runcu::unit_float(bits.word[k])'),
    np.dtype(np.float64): (2, 'runcu::unit_double(bits.word[2 * k], bits.word[2 * k + 1])'),
    np.dtype(np.int32): (4, '(int) bits.word[k]'),
    np.dtype(np.uint32): (4, 'bits.word[k]'),
}


def _function(dtype: np.dtype) -> Any:
    functions = _engine.store().functions
    key = ('rand', dtype)
    if key not in functions:
        per, expression = _KINDS[dtype]
        source = _engine.fill(
            'random.cu.in',
            preamble=_engine.text('philox.cuh'),
            name='rand',
            threads=_engine.THREADS,
            out_type=_engine.stored(dtype),
            per=per,
            expression=expression,
        )
        functions[key] = _engine.Kernel(
            _engine.prepared(source, 'rand', 'PQN').prepared_async_call, per
        )
    return functions[key]


def rand(
    shape: Any, dtype: Any = np.float32, stream: Any = None, *, seed: int | None = None
) -> GPUArray:
    """Random numbers, each as likely as any other.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : dtype
        float32 and float64 from 0 to below 1; int32 and uint32 over their whole range.
    stream : Stream, optional
    seed : int, optional
        Equal seeds, from 0 to below 2**64, give equal numbers, on every device. By default it is
        drawn from `numpy.random`, so that `numpy.random.seed` makes a program repeatable.

    Raises
    ------
    TypeError
        There are no numbers of that dtype.
    """
    dtype = np.dtype(dtype)
    if dtype not in _KINDS:
        names = ', '.join(str(d) for d in _KINDS)
        raise TypeError(f'rand makes {names}, not {dtype}: use astype()')
    if seed is None:
        high, low = np.random.randint(0, 2**32, 2, dtype=np.uint64).tolist()
        seed = high << 32 | low
    if not 0 <= seed < 2**64:
        raise ValueError(f'seed must be from 0 to below 2**64, not {seed}')
    result = GPUArray(shape, dtype)
    if result.size:
        _function(dtype)(stream, result.size, result.gpudata, seed)
    return result


def seed_getter_uniform(n: int) -> GPUArray:
    """`n` times the same random seed, as an int32 array for generators."""
    return to_gpu(np.full(n, np.random.randint(0, 2**31 - 1), np.int32))


def seed_getter_unique(n: int) -> GPUArray:
    """`n` random seeds, as an int32 array for generators; no two are equal."""
    first = np.random.randint(0, 2**31 - 1)
    seeds = (first + np.arange(n, dtype=np.int64) * 0x9E3779B1) % 2**32
    return to_gpu(seeds.astype(np.uint32).view(np.int32))

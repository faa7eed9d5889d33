"""Help around contexts and memory pools, in the shape of `pycuda.tools`."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import driver
from ._core import DeviceMemoryPool, HostMemoryPool, PooledDeviceAllocation, PooledHostAllocation
from ._dtypes import (
    Argument,
    ScalarArg,
    VectorArg,
    dtype_to_ctype,
    get_arg_type,
    get_or_register_dtype,
    parse_c_arg,
    register_dtype,
)

__all__ = [
    'Argument',
    'DeviceMemoryPool',
    'PageLockedAllocator',
    'PageLockedMemoryPool',
    'PooledDeviceAllocation',
    'PooledHostAllocation',
    'ScalarArg',
    'VectorArg',
    'clear_context_caches',
    'context_dependent_memoize',
    'context_dependent_memoized_functions',
    'dtype_to_ctype',
    'get_arg_type',
    'get_default_device',
    'get_or_register_dtype',
    'make_default_context',
    'parse_c_arg',
    'register_dtype',
]


def get_default_device(default: int = 0) -> driver.Device:
    """The device that CUDA_DEVICE or ~/.cuda_device names, else the one numbered `default`."""
    chosen = driver.Device()
    return chosen if chosen.ordinal else driver.Device(default)


def make_default_context(
    ctx_maker: Callable[[driver.Device], driver.Context] | None = None,
) -> driver.Context:
    """A context of the default device, made current.

    The device is what CUDA_DEVICE or ~/.cuda_device names, else the first one on which a context
    can be made.

    Parameters
    ----------
    ctx_maker : callable, optional
        Makes a context of a Device and pushes it; by default `Device.make_context`.

    Raises
    ------
    RuntimeError
        There is no device, or none on which a context can be made.
    """
    import os

    make = ctx_maker or driver.Device.make_context
    chosen = driver.Device()
    if chosen.ordinal or 'CUDA_DEVICE' in os.environ:
        return make(chosen)
    failures = []
    for i in range(driver.Device.count()):
        try:
            return make(driver.Device(i))
        except driver.Error as e:
            failures.append(f'device {i}: {e}')
    if failures:
        raise builtins.RuntimeError('No context could be made: ' + '; '.join(failures))
    raise builtins.RuntimeError('No CUDA enabled device found. Please check your installation.')


context_dependent_memoized_functions: list[Any] = []


def context_dependent_memoize(func: Callable[..., Any]) -> Callable[..., Any]:
    """Remembers the results of a function, for each context its own.

    Arguments must be hashable. The memory is emptied by `clear_context_caches`.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        context = driver.Context.get_current()
        key = (args, tuple(sorted(kwargs.items())))
        results = wrapper._results.setdefault(context, {})  # type: ignore[attr-defined]
        try:
            return results[key]
        except KeyError:
            result = results[key] = func(*args, **kwargs)
            return result

    wrapper._results = {}  # type: ignore[attr-defined]
    context_dependent_memoized_functions.append(wrapper)
    return wrapper


def clear_context_caches() -> None:
    """Forgets the results of all functions under `context_dependent_memoize`."""
    for function in context_dependent_memoized_functions:
        function._results.clear()


class PageLockedAllocator:
    """How a `PageLockedMemoryPool` allocates: `flags` of `driver.host_alloc_flags`."""

    def __init__(self, flags: int = 0) -> None:
        self.flags = flags

    def allocate(self, size: int) -> driver.HostAllocation:
        """Page-locked memory of `size` bytes that belongs to no pool."""
        return driver.HostAllocation(size, self.flags)


class PageLockedMemoryPool(HostMemoryPool):
    """Page-locked host memory that is kept when the arrays made of it are gone.

    Parameters
    ----------
    allocator : PageLockedAllocator, optional
        Says with which flags to allocate.
    """

    def __new__(cls, allocator: PageLockedAllocator | None = None) -> PageLockedMemoryPool:
        return super().__new__(cls, allocator.flags if allocator else 0)

    def allocate(self, shape: Any, dtype: Any, order: Any = 'C', stream: Any = None) -> np.ndarray:
        """A host array in page-locked memory, with whatever it contains.

        Parameters
        ----------
        shape : int or sequence of int
        dtype : dtype
        order : {'C', 'F'}
        stream : Stream, optional
            As in `DeviceMemoryPool.allocate`.

        Returns
        -------
        numpy.ndarray
            Its `base` is the `PooledHostAllocation`, which goes back to the pool with the last
            array of it.
        """
        dtype = np.dtype(dtype)
        shape = tuple(shape) if np.ndim(shape) else (int(shape),)
        count = 1
        for extent in shape:
            count *= int(extent)
        memory: Any = self.allocate_block(max(count * dtype.itemsize, 1), stream)
        return np.ndarray(shape, dtype, buffer=memory, order=order)

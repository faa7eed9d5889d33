"""Memory for arrays: device memory of host arrays' bytes, and host arrays in memory of all kinds.

Not public: what is here is `runcu.driver`'s.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import _core
from ._core import (
    AlignedHostAllocation,
    DeviceAllocation,
    ForeignArray,
    HostAllocation,
    ManagedAllocation,
    RegisteredHostMemory,
    mem_alloc,
    memcpy_dtoh,
    memcpy_htod,
)


def mem_alloc_like(ary: Any) -> DeviceAllocation:
    """Device memory of as many bytes as `ary` has."""
    return mem_alloc(ary.nbytes)


def to_device(bf_obj: Any) -> DeviceAllocation:
    """New device memory with the bytes of an array, buffer or host tensor, arrays' in C order."""
    host = bf_obj
    if isinstance(bf_obj, np.ndarray):
        host = np.ascontiguousarray(bf_obj)
    elif not hasattr(bf_obj, '__dlpack__'):
        host = memoryview(bf_obj)
    memory = mem_alloc(host.nbytes)
    memcpy_htod(memory, host)
    return memory


def from_device(devptr: Any, shape: Any, dtype: Any, order: Any = 'C') -> np.ndarray:
    """A new host array of the bytes at a device address."""
    result = np.empty(shape, dtype, order)
    memcpy_dtoh(result, devptr)
    return result


def from_device_like(devptr: Any, other_ary: np.ndarray) -> np.ndarray:
    """A new host array like `other_ary` of the bytes at a device address."""
    result = np.empty_like(other_ary)
    memcpy_dtoh(result, devptr)
    return result


def from_dlpack(array: Any, stream: Any = None) -> ForeignArray:
    """The device array of another library (torch, CuPy, JAX, …), without a copy.

    Parameters
    ----------
    array : object
        With `__dlpack__` and `__dlpack_device__`.
    stream : Stream, optional
        In which it will be used; what its library has queued is done before.

    Returns
    -------
    ForeignArray
        A pointer with `shape`, `strides` and `dtype`, for kernels and copies.

    Raises
    ------
    BufferError
        The array is in plain host memory, or on a device that is not in use here.
    """
    return _core.dlpack_import(array, stream)


def _extent(shape: Any, dtype: Any) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape as a tuple of ints, dtype, and bytes of an array; at least one byte."""
    dtype = np.dtype(dtype)
    shape = tuple(map(operator.index, shape)) if np.ndim(shape) else (operator.index(shape),)
    if any(extent < 0 for extent in shape):
        raise ValueError('negative dimensions are not allowed')
    return shape, dtype, max(math.prod(shape) * dtype.itemsize, 1)


def pagelocked_empty(shape: Any, dtype: Any, order: Any = 'C', mem_flags: int = 0) -> np.ndarray:
    """A host array in page-locked memory, with whatever it contains.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : dtype
    order : {'C', 'F'}
    mem_flags : int
        Of `host_alloc_flags`.

    Returns
    -------
    numpy.ndarray
        Its `base` is the `HostAllocation`.
    """
    shape, dtype, size = _extent(shape, dtype)
    return _core.array_over(HostAllocation(size, mem_flags), shape, dtype, order)


def pagelocked_zeros(shape: Any, dtype: Any, order: Any = 'C', mem_flags: int = 0) -> np.ndarray:
    """A host array of zeros in page-locked memory; as `pagelocked_empty`."""
    result = pagelocked_empty(shape, dtype, order, mem_flags)
    result.fill(0)
    return result


def _order_of(array: np.ndarray) -> str:
    return 'F' if array.flags.f_contiguous and not array.flags.c_contiguous else 'C'


def pagelocked_empty_like(array: np.ndarray, mem_flags: int = 0) -> np.ndarray:
    """A page-locked array of another's shape, dtype and order."""
    return pagelocked_empty(array.shape, array.dtype, _order_of(array), mem_flags)


def pagelocked_zeros_like(array: np.ndarray, mem_flags: int = 0) -> np.ndarray:
    """A page-locked array of zeros of another's shape, dtype and order."""
    return pagelocked_zeros(array.shape, array.dtype, _order_of(array), mem_flags)


def aligned_empty(shape: Any, dtype: Any, order: Any = 'C', alignment: int = 4096) -> np.ndarray:
    """A host array that begins at a multiple of `alignment` bytes, a power of two.

    It is not page-locked; `register_host_memory` does that.

    Returns
    -------
    numpy.ndarray
        Its `base` is the `AlignedHostAllocation`.
    """
    shape, dtype, size = _extent(shape, dtype)
    return _core.array_over(AlignedHostAllocation(size, alignment), shape, dtype, order)


def aligned_zeros(shape: Any, dtype: Any, order: Any = 'C', alignment: int = 4096) -> np.ndarray:
    """A host array of zeros; as `aligned_empty`."""
    result = aligned_empty(shape, dtype, order, alignment)
    result.fill(0)
    return result


def aligned_empty_like(array: np.ndarray, alignment: int = 4096) -> np.ndarray:
    """An aligned array of another's shape, dtype and order."""
    return aligned_empty(array.shape, array.dtype, _order_of(array), alignment)


def aligned_zeros_like(array: np.ndarray, alignment: int = 4096) -> np.ndarray:
    """An aligned array of zeros of another's shape, dtype and order."""
    return aligned_zeros(array.shape, array.dtype, _order_of(array), alignment)


def managed_empty(shape: Any, dtype: Any, order: Any = 'C', mem_flags: int = 0) -> np.ndarray:
    """An array that the host and kernels use at the same address, with whatever it contains.

    On devices without the attribute CONCURRENT_MANAGED_ACCESS the host must not touch it while
    kernels run.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : dtype
    order : {'C', 'F'}
    mem_flags : int
        Of `mem_attach_flags`: GLOBAL, which 0 is as well, or HOST.

    Returns
    -------
    numpy.ndarray
        Its `base` is the `ManagedAllocation`.
    """
    shape, dtype, size = _extent(shape, dtype)
    return _core.array_over(ManagedAllocation(size, mem_flags), shape, dtype, order)


def managed_zeros(shape: Any, dtype: Any, order: Any = 'C', mem_flags: int = 0) -> np.ndarray:
    """A managed array of zeros; as `managed_empty`."""
    result = managed_empty(shape, dtype, order, mem_flags)
    result.fill(0)
    return result


def managed_empty_like(array: np.ndarray, mem_flags: int = 0) -> np.ndarray:
    """A managed array of another's shape, dtype and order."""
    return managed_empty(array.shape, array.dtype, _order_of(array), mem_flags)


def managed_zeros_like(array: np.ndarray, mem_flags: int = 0) -> np.ndarray:
    """A managed array of zeros of another's shape, dtype and order."""
    return managed_zeros(array.shape, array.dtype, _order_of(array), mem_flags)


def register_host_memory(ary: Any, flags: int = 0) -> np.ndarray:
    """The memory of a host array, page-locked and accessible to kernels.

    Parameters
    ----------
    ary : numpy.ndarray or buffer
        Contiguous in C or Fortran order.
    flags : int
        Of `mem_host_register_flags`. Memory that the process may only read needs READ_ONLY.

    Returns
    -------
    numpy.ndarray
        Of the same memory, shape and dtype. Its `base` is the `RegisteredHostMemory`: the memory is
        page-locked as long as that lives, or until its `unregister()`.
    """
    memory = RegisteredHostMemory(ary, flags)
    like = ary if isinstance(ary, np.ndarray) else np.asarray(memoryview(ary))
    result = _core.array_over(memory, like.shape, like.dtype, _order_of(like))
    if not like.flags.writeable:
        result.flags.writeable = False
    return result

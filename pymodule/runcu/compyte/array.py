"""Strides and contiguity of arrays that are not NumPy's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    'ArrayFlags',
    'as_strided',
    'bound',
    'c_contiguous_strides',
    'equal_strides',
    'f_contiguous_strides',
    'get_common_dtype',
    'is_c_contiguous_strides',
    'is_f_contiguous_strides',
]


def f_contiguous_strides(itemsize: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in bytes of a packed array whose first index runs fastest."""
    strides, step = [], itemsize
    for extent in shape:
        strides.append(step)
        step *= extent
    return tuple(strides)


def c_contiguous_strides(itemsize: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in bytes of a packed array whose last index runs fastest."""
    return f_contiguous_strides(itemsize, shape[::-1])[::-1]


def equal_strides(strides1: Sequence[int], strides2: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether two strides reach the same elements of `shape`: axes of length 1 do not count."""
    if not len(strides1) == len(strides2) == len(shape):
        return False
    if 0 in shape:
        return True
    return all(a == b or n == 1 for a, b, n in zip(strides1, strides2, shape, strict=True))


def is_f_contiguous_strides(strides: Sequence[int], itemsize: int, shape: Sequence[int]) -> bool:
    """Whether strides are those of a packed array whose first index runs fastest."""
    return equal_strides(strides, f_contiguous_strides(itemsize, shape), shape)


def is_c_contiguous_strides(strides: Sequence[int], itemsize: int, shape: Sequence[int]) -> bool:
    """Whether strides are those of a packed array whose last index runs fastest."""
    return equal_strides(strides, c_contiguous_strides(itemsize, shape), shape)


class ArrayFlags:
    """Contiguity of anything with `shape`, `strides` and `dtype`.

    Attributes
    ----------
    c_contiguous, f_contiguous, forc : bool
        Packed with the last index fastest, with the first one, or either.
    """

    def __init__(self, ary: Any):
        itemsize = ary.dtype.itemsize
        self.c_contiguous = is_c_contiguous_strides(ary.strides, itemsize, ary.shape)
        self.f_contiguous = is_f_contiguous_strides(ary.strides, itemsize, ary.shape)
        self.forc = self.c_contiguous or self.f_contiguous

    def __repr__(self) -> str:
        return (
            f'  C_CONTIGUOUS : {self.c_contiguous}\n  F_CONTIGUOUS : {self.f_contiguous}\n'
            f'  FORC : {self.forc}'
        )


def get_common_dtype(obj1: Any, obj2: Any, allow_double: bool = True) -> np.dtype:
    """The dtype of a sum of two arrays, or of an array and a number.

    Python's numbers take the array's precision. Without `allow_double` single precision stands for
    double.
    """
    numbers = [o for o in (obj1, obj2) if not hasattr(o, 'dtype')]
    arrays = [o for o in (obj1, obj2) if hasattr(o, 'dtype')]
    kinds: list[Any] = [o.dtype for o in arrays]
    result = np.result_type(*kinds, *numbers)
    if not allow_double:
        single = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
        result = np.dtype(single.get(result, result))
    return result


def bound(a: Any) -> tuple[int, int]:
    """The first address of a GPUArray or NumPy array, and the one past its last."""
    low = high = int(a.gpudata if hasattr(a, 'gpudata') else a.ctypes.data)
    if 0 in a.shape:
        return low, high
    for extent, stride in zip(a.shape, a.strides, strict=True):
        if stride < 0:
            low += (extent - 1) * stride
        else:
            high += (extent - 1) * stride
    return low, high + a.dtype.itemsize


def as_strided(x: np.ndarray, shape: Any = None, strides: Any = None) -> np.ndarray:
    """A view of a NumPy array under another shape and other strides, unchecked."""
    return np.lib.stride_tricks.as_strided(x, shape, strides)

"""How elements of arrays lie: shapes, strides, views. Not public: `gpuarray` is made of it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .compyte.array import c_contiguous_strides, f_contiguous_strides

__all__ = [
    'axes_of',
    'indexed',
    'is_c',
    'order_strides',
    'packed_strides',
    'tuple_of_shape',
    'view_strides',
]

# --- shapes ---------------------------------------------------------------------------------------


def tuple_of_shape(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple: of an int, a sequence, or an array of integers."""
    if isinstance(shape, tuple) and all(type(n) is int for n in shape):
        extents = shape
    else:
        items = shape if np.ndim(shape) else (shape,)
        try:
            extents = tuple(operator.index(n) for n in items)
        except TypeError:
            raise TypeError(f'a shape is made of whole numbers, not {shape!r}') from None
    if extents and min(extents) < 0:
        raise ValueError(f'negative dimensions are not allowed: {extents}')
    return extents


def order_strides(itemsize: int, shape: tuple[int, ...], order: str) -> tuple[int, ...]:
    if order in ('C', 'c'):
        return c_contiguous_strides(itemsize, shape)
    if order in ('F', 'f'):
        return f_contiguous_strides(itemsize, shape)
    raise ValueError(f"order must be 'C' or 'F', not {order!r}")


def axes_of(strides: Sequence[int]) -> list[int]:
    """Axes in the order in which elements lie, the slowest first."""
    return sorted(range(len(strides)), key=lambda d: -abs(strides[d]))


def packed_strides(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Strides without gaps for axes in the order that `strides` have."""
    result = [0] * len(shape)
    for d in reversed(axes_of(strides)):
        result[d] = itemsize
        itemsize *= max(shape[d], 1)
    return tuple(result)


def is_c(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> bool:
    if 0 in shape:
        return True
    for d in range(len(shape) - 1, -1, -1):
        extent = shape[d]
        if extent != 1 and strides[d] != itemsize:
            return False
        itemsize *= extent
    return True


def view_strides(array: Any, shape: tuple[int, ...], order: str) -> tuple[int, ...] | None:
    """Strides under which an array's memory has another shape; None if there are none."""
    if array.size == 0 or array._packed and order == 'C':
        return order_strides(array.dtype.itemsize, shape, order)
    old = [(n, s) for n, s in zip(array.shape, array.strides, strict=True) if n != 1]
    new = [0] * len(shape)
    if order == 'F':
        old.reverse()
    places = list(range(len(shape)))[:: 1 if order == 'C' else -1]
    # Runs of axes with equally many elements, old against new, from the slowest on.
    i = j = 0
    while i < len(old) or j < len(shape):
        first_i, first_j, count, wanted = i, j, 1, 1
        if i < len(old):
            count, i = old[i][0], i + 1
        if j < len(shape):
            wanted, j = shape[places[j]], j + 1
        while count != wanted:
            if count < wanted:
                count, i = count * old[i][0], i + 1
            else:
                wanted, j = wanted * shape[places[j]], j + 1
        if any(old[k][1] != old[k + 1][0] * old[k + 1][1] for k in range(first_i, i - 1)):
            return None
        step = old[i - 1][1] if i > first_i else array.dtype.itemsize
        for k in range(j - 1, first_j - 1, -1):
            new[places[k]] = step
            step *= shape[places[k]]
    return tuple(new)


# --- indices --------------------------------------------------------------------------------------


def indexed(array: Any, index: Any) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Shape, strides and offset in bytes of the part that an index means."""
    items = index if type(index) is tuple else (index,)
    shape: list[int] = []
    strides: list[int] = []
    offset = axis = 0
    ndim, has_ellipsis = len(array.shape), False
    for k, item in enumerate(items):
        if item is None:
            shape.append(1)
            strides.append(0)
            continue
        if item is Ellipsis:
            if has_ellipsis:
                raise IndexError("an index has at most one '...'")
            has_ellipsis = True
            stop = ndim - sum(1 for x in items[k + 1 :] if x is not None and x is not ...)
            shape += array.shape[axis:stop]
            strides += array.strides[axis:stop]
            axis = max(axis, stop)
            continue
        if axis >= ndim:
            raise IndexError(f'too many indices for an array of {ndim} dimensions')
        extent, stride = array.shape[axis], array.strides[axis]
        if type(item) is slice:
            start, stop, step = item.indices(extent)
            count = len(range(start, stop, step))
            shape.append(count)
            strides.append(stride * step)
            offset += start * stride if count else 0
        else:
            offset += _place(item, axis, extent) * stride
        axis += 1
    return (*shape, *array.shape[axis:]), (*strides, *array.strides[axis:]), offset


def _place(item: Any, axis: int, extent: int) -> int:
    if isinstance(item, (bool, np.bool_)) or not hasattr(item, '__index__') or np.ndim(item):
        raise IndexError(
            f'an array is indexed by integers, slices, ... and None, not {type(item).__name__}: '
            'for others use a.get()[index]'
        )
    place = operator.index(item)
    if not -extent <= place < extent:
        raise IndexError(f'index {place} is out of bounds for axis {axis} of {extent} elements')
    return place + extent if place < 0 else place

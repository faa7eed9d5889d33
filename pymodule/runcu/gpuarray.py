"""Arrays on a device that look like NumPy's, in the shape of `pycuda.gpuarray`.

>>> import numpy as np, runcu.gpuarray as gpuarray
>>> a = gpuarray.to_gpu(np.arange(6, dtype=np.float32).reshape(2, 3))
>>> (2 * a + 1)[:, 1].get()
array([3., 9.], dtype=float32)

Operators work in the default stream, for equal shapes, shapes that NumPy would broadcast, and
numbers. Results have the dtypes of NumPy 2; comparisons have that of their left operand, as in
PyCUDA. Host arrays are not mixed in silently: `to_gpu` and `get` say where data travels.
"""

from __future__ import annotations

import builtins
import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import driver
from ._array import Allocator, GPUArray, assign, splay
from ._dtypes import vec
from ._engine import Scalar, apply
from ._layout import order_strides, packed_strides
from ._operations import Rule, common_of, convert, into, scalar, shape_of

__all__ = [
    'GPUArray',
    'all',
    'any',
    'arange',
    'concatenate',
    'dot',
    'empty',
    'empty_like',
    'if_positive',
    'logical_and',
    'logical_not',
    'logical_or',
    'max',
    'maximum',
    'min',
    'minimum',
    'ones',
    'ones_like',
    'reshape',
    'splay',
    'stack',
    'subset_dot',
    'subset_max',
    'subset_min',
    'subset_sum',
    'sum',
    'to_gpu',
    'to_gpu_async',
    'transpose',
    'vec',
    'where',
    'zeros',
    'zeros_like',
]

# --- new arrays -----------------------------------------------------------------------------------

#: An array with whatever its memory holds: the class itself.
empty = GPUArray


def to_gpu(ary: Any, allocator: Allocator | None = None) -> GPUArray:
    """A device array of a host array, with its axes in memory as there.

    Parameters
    ----------
    ary : numpy.ndarray
    allocator : callable, optional
        As for `GPUArray`.
    """
    return _upload(ary, allocator, None, False)


def to_gpu_async(ary: Any, allocator: Allocator | None = None, stream: Any = None) -> GPUArray:
    """As `to_gpu`, when the stream gets there. Keep `ary` as it is until then."""
    return _upload(ary, allocator, stream, True)


def _upload(ary: Any, allocator: Allocator | None, stream: Any, async_: bool) -> GPUArray:
    if isinstance(ary, GPUArray):
        raise TypeError('the array is on a device already: use a.copy()')
    host = np.asarray(ary)
    strides = packed_strides(host.shape, host.strides, host.dtype.itemsize)
    result = GPUArray(host.shape, host.dtype, allocator, strides=strides)
    result.set(host, async_, stream)
    return result


def zeros(
    shape: Any, dtype: Any = np.float64, allocator: Allocator | None = None, order: str = 'C'
) -> GPUArray:
    """An array of zeros, structs of zeros included."""
    return _zero(GPUArray(shape, dtype, allocator, order=order))


def _zero(array: GPUArray) -> GPUArray:
    if array.size:
        driver.memset_d8_async(array.gpudata, 0, array.nbytes)
    return array


def ones(
    shape: Any, dtype: Any = np.float64, allocator: Allocator | None = None, order: str = 'C'
) -> GPUArray:
    """An array of ones."""
    return GPUArray(shape, dtype, allocator, order=order).fill(1)


def empty_like(other: Any, dtype: Any = None, order: str = 'K') -> GPUArray:
    """A new array of another's shape, with whatever its memory holds.

    Parameters
    ----------
    other : GPUArray or numpy.ndarray
    dtype : dtype, optional
        By default the other's.
    order : {'K', 'A', 'C', 'F'}
        'K' keeps the order of axes in memory; 'A' is 'F' where the other is Fortran-contiguous.
    """
    if order == 'K' and dtype is None and type(other) is GPUArray:
        return other._like(other.dtype)
    if not hasattr(other, 'strides') or not hasattr(other, 'flags'):
        raise TypeError(f'a GPUArray or NumPy array is expected, not {type(other).__name__}')
    dtype = np.dtype(other.dtype if dtype is None else dtype)
    order = order.upper()
    if order == 'A':
        order = 'F' if other.flags.f_contiguous and not other.flags.c_contiguous else 'C'
    if order == 'K':
        strides = packed_strides(other.shape, other.strides, dtype.itemsize)
    else:
        strides = order_strides(dtype.itemsize, other.shape, order)
    return GPUArray(other.shape, dtype, getattr(other, 'allocator', None), strides=strides)


def zeros_like(other: Any, dtype: Any = None, order: str = 'K') -> GPUArray:
    """An array of zeros; as `empty_like`."""
    return _zero(empty_like(other, dtype, order))


def ones_like(other: Any, dtype: Any = None, order: str = 'K') -> GPUArray:
    """An array of ones; as `empty_like`."""
    return empty_like(other, dtype, order).fill(1)


def arange(
    start: Any, stop: Any = None, step: Any = None, dtype: Any = None, stream: Any = None
) -> GPUArray:
    """Numbers from `start` to below `stop`, `step` apart; with one number, from 0 to below it.

    Parameters
    ----------
    start, stop, step : number
    dtype : dtype, optional
        By default that of the numbers, with a warning unless it is float32.
    stream : Stream, optional
    """
    start, stop = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    if step == 0:
        raise ValueError('the step of arange is not 0')
    if dtype is None:
        dtype = np.result_type(*(np.asarray(x).dtype for x in (start, stop, step)))
        if dtype != np.float32:
            warnings.warn(f'arange() makes an array of {dtype}: say dtype=', stacklevel=2)
    dtype = np.dtype(dtype)
    result = GPUArray((builtins.max(math.ceil((stop - start) / step), 0),), dtype)
    first = convert(start, dtype)
    pace = convert(dtype.type(start + step) - dtype.type(start), dtype)
    numbers = [Scalar(first, dtype), Scalar(pace, dtype)]
    apply('arange', 'z0 = Z0(x0 + C(i) * x1)', [result], numbers, dtype, stream)
    return result


# --- arrays of arrays -----------------------------------------------------------------------------


def _joined(arrays: Sequence[GPUArray], what: str) -> np.dtype:
    if not arrays:
        raise ValueError(f'{what}: at least one array is needed')
    for array in arrays:
        if not isinstance(array, GPUArray):
            raise TypeError(f'{what} takes GPUArrays, not {type(array).__name__}')
    return np.result_type(*(array.dtype for array in arrays))


def concatenate(
    arrays: Sequence[GPUArray], axis: int = 0, allocator: Allocator | None = None
) -> GPUArray:
    """Arrays one after the other along an axis; all other axes are of one length."""
    arrays = list(arrays)
    dtype = _joined(arrays, 'concatenate')
    first = arrays[0]
    axis = operator.index(axis) + (first.ndim if axis < 0 else 0)
    if not 0 <= axis < first.ndim:
        raise ValueError(f'concatenate: there is no axis {axis} of {first.ndim}')
    for array in arrays:
        if array.ndim != first.ndim or builtins.any(
            a != b for d, (a, b) in enumerate(zip(array.shape, first.shape, strict=True))
            if d != axis
        ):  # fmt: skip
            raise ValueError(f'concatenate: shapes {first.shape} and {array.shape} do not fit')
    length = builtins.sum(array.shape[axis] for array in arrays)
    shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
    result = GPUArray(shape, dtype, first.allocator if allocator is None else allocator)
    start = 0
    for array in arrays:
        stop = start + array.shape[axis]
        assign(result[(slice(None),) * axis + (slice(start, stop),)], array)
        start = stop
    return result


def stack(
    arrays: Sequence[GPUArray], axis: int = 0, allocator: Allocator | None = None
) -> GPUArray:
    """Arrays of one shape along a new axis."""
    arrays = list(arrays)
    _joined(arrays, 'stack')
    count = arrays[0].ndim + 1
    axis = operator.index(axis) + (count if axis < 0 else 0)
    if not 0 <= axis < count:
        raise ValueError(f'stack: there is no axis {axis} of {count}')
    if builtins.any(array.shape != arrays[0].shape for array in arrays):
        raise ValueError('stack: all arrays must have one shape')
    index = (slice(None),) * axis + (None,)
    return concatenate([array[index] for array in arrays], axis, allocator)


def transpose(a: GPUArray, axes: Sequence[int] | None = None) -> GPUArray:
    """As `GPUArray.transpose`."""
    return a.transpose(axes)


def reshape(a: GPUArray, *shape: Any, **kwargs: Any) -> GPUArray:
    """As `GPUArray.reshape`."""
    return a.reshape(*shape, **kwargs)


# --- choices --------------------------------------------------------------------------------------


def _operands(name: str, values: Sequence[Any]) -> list[GPUArray]:
    """The arrays among operands; TypeError if one is neither array nor number, or none is one."""
    for value in values:
        if not isinstance(value, GPUArray) and scalar(value) is None:
            raise TypeError(f'{name} takes GPUArrays and numbers, not {type(value).__name__}')
    arrays = [value for value in values if isinstance(value, GPUArray)]
    if not arrays:
        raise TypeError(f'{name}: one operand must be a GPUArray')
    return arrays


def _common(values: Sequence[Any]) -> np.dtype:
    """The dtype of operands, of which Python's numbers take that of the others."""
    known = [v.dtype for v in values if isinstance(v, (GPUArray, np.generic, np.ndarray))]
    common = np.result_type(*known) if known else np.result_type(*values)
    for value in values:
        if not isinstance(value, GPUArray):
            common = common_of(common, scalar(value))
    return common


def _as_operand(value: Any, dtype: np.dtype) -> Any:
    return value if isinstance(value, GPUArray) else Scalar(convert(scalar(value), dtype), dtype)


def _chosen(name: str, test: str, values: list[Any], out: Any, stream: Any) -> GPUArray:
    """Elements of the second value where a test of the first holds, else those of the third."""
    arrays = _operands(name, values)
    common = _common(values[1:])
    result = arrays[0]._like(common, shape_of(arrays)) if out is None else out
    rule = Rule.of(f'z0 = Z0({test} ? C(x1) : C(x2))', common)
    into(name, rule, result, [values[0], *(_as_operand(v, common) for v in values[1:])], stream)
    return result


def if_positive(
    criterion: GPUArray, then_: Any, else_: Any, out: GPUArray | None = None, stream: Any = None
) -> GPUArray:
    """Elements of `then_` where `criterion` is greater than 0, else those of `else_`.

    Parameters
    ----------
    criterion : GPUArray
        Truth values or real numbers.
    then_, else_ : GPUArray or number
    out : GPUArray, optional
        Filled and returned.
    stream : Stream, optional
    """
    if not isinstance(criterion, GPUArray) or criterion.dtype.kind in 'cV':
        raise TypeError('if_positive: the criterion is a GPUArray of real numbers or truth values')
    return _chosen('if_positive', 'x0 > 0', [criterion, then_, else_], out, stream)


def where(
    criterion: GPUArray, then_: Any, else_: Any, out: GPUArray | None = None, stream: Any = None
) -> GPUArray:
    """Elements of `then_` where `criterion` is not 0, else those of `else_`; as `if_positive`."""
    if not isinstance(criterion, GPUArray) or criterion.dtype.kind not in 'biufc':
        raise TypeError('where: the criterion is a GPUArray of numbers or truth values')
    return _chosen('where', 'x0 != X0(0)', [criterion, then_, else_], out, stream)


def _larger(name: str, a: Any, b: Any, out: GPUArray | None, stream: Any) -> GPUArray:
    arrays = _operands(name, [a, b])
    common = _common([a, b])
    rule = Rule(name, common, common, common, common)
    result = arrays[0]._like(common, shape_of(arrays)) if out is None else out
    into(name, rule, result, [_as_operand(a, common), _as_operand(b, common)], stream)
    return result


def maximum(a: Any, b: Any, out: GPUArray | None = None, stream: Any = None) -> GPUArray:
    """The larger of two elements each; the other one where one is not a number."""
    return _larger('maximum', a, b, out, stream)


def minimum(a: Any, b: Any, out: GPUArray | None = None, stream: Any = None) -> GPUArray:
    """The smaller of two elements each; the other one where one is not a number."""
    return _larger('minimum', a, b, out, stream)


def _logical(name: str, sign: str, values: Sequence[Any], out: Any, allocator: Any) -> GPUArray:
    """Truth values of operands, of which those that are not 0 are true."""
    arrays = _operands(name, values)
    common = _common(values)
    shape = shape_of(arrays)
    result = out
    if out is None:
        result = GPUArray(shape, np.bool_, allocator or arrays[0].allocator)
    second = f' {sign} x1 != X1(0)' if len(values) == 2 else ' == false'
    rule = Rule.of(f'z0 = Z0((x0 != X0(0)){second})', common, np.dtype(np.bool_))
    into(name, rule, result, [_as_operand(value, common) for value in values])
    return result


def logical_and(
    x1: Any, x2: Any, /, out: GPUArray | None = None, *, allocator: Allocator | None = None
) -> GPUArray:
    """Where both elements are not 0, as truth values or in `out`."""
    return _logical('logical_and', '&&', [x1, x2], out, allocator)


def logical_or(
    x1: Any, x2: Any, /, out: GPUArray | None = None, *, allocator: Allocator | None = None
) -> GPUArray:
    """Where one element or both are not 0, as truth values or in `out`."""
    return _logical('logical_or', '||', [x1, x2], out, allocator)


def logical_not(
    x: Any, /, out: GPUArray | None = None, *, allocator: Allocator | None = None
) -> GPUArray:
    """Where elements are 0, as truth values or in `out`."""
    return _logical('logical_not', '', [x], out, allocator)


# --- sums -----------------------------------------------------------------------------------------


def sum(
    a: GPUArray, dtype: Any = None, stream: Any = None, allocator: Allocator | None = None
) -> GPUArray:
    """The sum of all elements, as an array without dimensions.

    Parameters
    ----------
    a : GPUArray
    dtype : dtype, optional
        In which they are added; by default the array's, of truth values int64.
    stream : Stream, optional
    allocator : callable, optional
    """
    from . import reduction

    return reduction.sum_of([a], dtype, stream, allocator)


def dot(
    a: GPUArray, b: GPUArray, dtype: Any = None, stream: Any = None,
    allocator: Allocator | None = None,
) -> GPUArray:  # fmt: skip
    """The sum of the products of elements; as `sum`."""
    from . import reduction

    return reduction.sum_of([a, b], dtype, stream, allocator)


def max(a: GPUArray, stream: Any = None, allocator: Allocator | None = None) -> GPUArray:
    """The largest element, as an array without dimensions."""
    from . import reduction

    return reduction.extreme_of('max', a, None, stream, allocator)


def min(a: GPUArray, stream: Any = None, allocator: Allocator | None = None) -> GPUArray:
    """The smallest element, as an array without dimensions."""
    from . import reduction

    return reduction.extreme_of('min', a, None, stream, allocator)


def any(a: GPUArray, stream: Any = None, allocator: Allocator | None = None) -> GPUArray:
    """Whether an element is not 0, as a truth value without dimensions."""
    from . import reduction

    return reduction.truth_of('any', a, stream, allocator)


def all(a: GPUArray, stream: Any = None, allocator: Allocator | None = None) -> GPUArray:
    """Whether no element is 0, as a truth value without dimensions."""
    from . import reduction

    return reduction.truth_of('all', a, stream, allocator)


def subset_sum(
    subset: GPUArray, a: GPUArray, dtype: Any = None, stream: Any = None,
    allocator: Allocator | None = None,
) -> GPUArray:  # fmt: skip
    """The sum of the elements whose places `subset` holds; as `sum`."""
    from . import reduction

    return reduction.sum_of([a], dtype, stream, allocator, subset)


def subset_dot(
    subset: GPUArray, a: GPUArray, b: GPUArray, dtype: Any = None, stream: Any = None,
    allocator: Allocator | None = None,
) -> GPUArray:  # fmt: skip
    """The sum of products of the elements whose places `subset` holds; as `sum`."""
    from . import reduction

    return reduction.sum_of([a, b], dtype, stream, allocator, subset)


def subset_max(
    subset: GPUArray, a: GPUArray, stream: Any = None, allocator: Allocator | None = None
) -> GPUArray:
    """The largest of the elements whose places `subset` holds."""
    from . import reduction

    return reduction.extreme_of('max', a, subset, stream, allocator)


def subset_min(
    subset: GPUArray, a: GPUArray, stream: Any = None, allocator: Allocator | None = None
) -> GPUArray:
    """The smallest of the elements whose places `subset` holds."""
    from . import reduction

    return reduction.extreme_of('min', a, subset, stream, allocator)

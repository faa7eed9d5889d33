"""Operations on arrays: of which dtype a result is, and how an element of it is computed.

Dtypes follow NumPy 2: Python's numbers take the precision of the array they meet, NumPy's have
their own. Not public: the operators and functions of `gpuarray` come here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._engine import (
    THREADS,
    Kernel,
    Operand,
    Operation,
    Scalar,
    Store,
    apply,
    flat_kernel,
    store,
)

__all__ = [
    'Rule',
    'binary',
    'broadcast',
    'common_of',
    'comparable',
    'convert',
    'in_place',
    'into',
    'overlap',
    'scalar',
]

#: Expressions of operators, by name; {f} is the suffix of functions in single precision.
BINARY = {
    'add': 'z0 = Z0(C(x0) + C(x1))',
    'subtract': 'z0 = Z0(C(x0) - C(x1))',
    'multiply': 'z0 = Z0(C(x0) * C(x1))',
    'true_divide': 'z0 = Z0(C(x0) / C(x1))',
    'power': 'z0 = Z0(pow(C(x0), C(x1)))',
    'equal': 'z0 = Z0(C(x0) == C(x1))',
    'not_equal': 'z0 = Z0(C(x0) != C(x1))',
    'less': 'z0 = Z0(C(x0) < C(x1))',
    'less_equal': 'z0 = Z0(C(x0) <= C(x1))',
    'greater': 'z0 = Z0(C(x0) > C(x1))',
    'greater_equal': 'z0 = Z0(C(x0) >= C(x1))',
    'maximum': 'z0 = C(x0) > C(x1) ? C(x0) : C(x1)',
    'minimum': 'z0 = C(x0) < C(x1) ? C(x0) : C(x1)',
}
COMPARISONS = {'equal', 'not_equal', 'less', 'less_equal', 'greater', 'greater_equal'}
_ORDERED = {'less', 'less_equal', 'greater', 'greater_equal', 'maximum', 'minimum'}

_BOOL = np.dtype(np.bool_)
_DOUBLE = np.dtype(np.float64)
_REAL = {
    np.dtype(np.complex64): np.dtype(np.float32),
    np.dtype(np.complex128): np.dtype(np.float64),
}


def real_of(dtype: np.dtype) -> np.dtype:
    """The dtype of the parts of a complex one; others as they are."""
    return _REAL.get(dtype, dtype)


def is_float(dtype: np.dtype) -> bool:
    """Whether a dtype's numbers are computed in single precision."""
    return dtype.kind == 'f' and dtype.itemsize <= 4


# --- promotion ------------------------------------------------------------------------------------


def scalar(value: Any) -> Any:
    """A number as an operand, or None if it is none: arrays without dimensions are numbers."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, int, float, complex)):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in 'biufc':
        return value
    return None


def common_of(dtype: np.dtype, other: Any) -> np.dtype:
    """The dtype in which an array of `dtype` and another operand are computed with.

    Parameters
    ----------
    dtype : dtype
    other : dtype, number
    """
    if isinstance(other, np.dtype):
        return np.result_type(dtype, other)
    if isinstance(other, np.generic):
        return np.result_type(dtype, other.dtype)
    if isinstance(other, bool):
        return dtype
    if isinstance(other, int):
        return np.dtype(np.int64) if dtype.kind == 'b' else dtype
    if dtype.kind in 'biu':
        return np.dtype(np.float64 if isinstance(other, float) else np.complex128)
    return dtype if isinstance(other, float) else np.result_type(dtype, np.complex64)


def convert(value: Any, dtype: np.dtype) -> Any:
    """A number as a kernel takes one of `dtype`; OverflowError if it does not fit."""
    kind = type(value)
    if (kind is int or kind is float) and dtype.kind == 'f' and dtype.itemsize > 2:
        if -3e38 < value < 3e38:
            return value
    if isinstance(value, np.generic):
        value = value.item()
    if dtype.kind == 'c':
        return complex(value)
    if dtype.kind == 'f':
        value = float(value)
        if dtype.itemsize == 2:
            with np.errstate(over='ignore'):
                return float(np.float16(value))
        if dtype.itemsize < 8 and abs(value) > 3.4028235e38 and math.isfinite(value):
            return math.copysign(math.inf, value)
        return value
    if dtype.kind == 'b':
        return bool(value)
    number = int(value)
    bounds = np.iinfo(dtype)
    if not bounds.min <= number <= bounds.max:
        raise OverflowError(
            f'{number} is out of bounds for {dtype}, the dtype of the array it meets: make it a '
            'NumPy number of a wider dtype'
        )
    return number


def comparable(dtype: np.dtype, number: Any) -> Any:
    """A number with which an array of whole numbers is compared: it may be beyond its dtype."""
    if type(number) is not int or dtype.kind not in 'iu':
        return number
    bounds = np.iinfo(dtype)
    if bounds.min <= number <= bounds.max:
        return number
    return np.array(number)[()] if -(2**63) <= number < 2**64 else float(number)


class Rule:
    """How an operator is computed for operands of given dtypes.

    Attributes
    ----------
    out, common : dtype
    second : dtype
        Of the second operand, where it is a number.
    expression : str
    """

    __slots__ = ('common', 'expression', 'out', 'second')

    def __init__(self, name: str, left: Any, right: Any, common: np.dtype, array: np.dtype):
        if common.kind not in 'biufc' or common.itemsize > (16 if common.kind == 'c' else 8):
            raise TypeError(f'{name}: arrays of {common} are not computed with')
        if common.kind == 'b' and name == 'subtract':
            raise TypeError('bool arrays are not subtracted: a != b tells where they differ')
        if common.kind == 'c' and name in _ORDERED:
            raise TypeError(f'{name}: complex numbers have no order')
        if name == 'true_divide' and common.kind in 'biu':
            common = _DOUBLE
        if name == 'power' and common.kind == 'b':
            common = np.dtype(np.int8)
        self.out = array if name in COMPARISONS else common
        self.common = self.second = common
        self.expression = BINARY[name]
        if common.kind == 'c' and name == 'true_divide' and _is_real(right):
            # Each part by itself: divided by zero they are what real numbers are.
            self.second = real_of(common)
            kind = 'float' if self.second.itemsize == 4 else 'double'
            self.expression = f'z0 = Z0(C(x0) / {kind}(x1))'
        elif name == 'power':
            self.expression = f'z0 = Z0({_power(common)}(C(x0), C(x1)))'
        elif name in ('maximum', 'minimum') and common.kind == 'f':
            suffix = 'f' if is_float(common) else ''
            self.expression = f'z0 = f{name[:3]}{suffix}(C(x0), C(x1))'

    @classmethod
    def of(cls, expression: str, common: np.dtype, out: np.dtype | None = None) -> Rule:
        """A rule of an expression of its own; `out` is by default `common`."""
        rule = cls.__new__(cls)
        rule.expression, rule.common, rule.second = expression, common, common
        rule.out = common if out is None else out
        return rule


def _is_real(operand: Any) -> bool:
    if isinstance(operand, np.dtype):
        return operand.kind != 'c'
    return not isinstance(operand, (complex, np.complexfloating))


def _power(common: np.dtype) -> str:
    if common.kind == 'c':
        return 'pycuda::pow'
    if common.kind == 'f':
        return 'powf' if is_float(common) else 'pow'
    return 'runcu::whole_power<C>'


# --- shapes ---------------------------------------------------------------------------------------


def broadcast(array: Any, shape: tuple[int, ...]) -> Any:
    """An array as one of `shape`, in which it is repeated along axes of length 1 and new ones.

    Raises
    ------
    ValueError
        Its shape does not fit.
    """
    if array.shape == shape:
        return array
    missing = len(shape) - len(array.shape)
    own = (1,) * missing + array.shape
    if missing < 0 or any(a not in (1, b) for a, b in zip(own, shape, strict=True)):
        raise ValueError(f'an array of shape {array.shape} cannot be taken as one of {shape}')
    steps = (0,) * missing + array.strides
    strides = tuple(0 if a == 1 else s for a, s in zip(own, steps, strict=True))
    return Operand(shape, strides, array.dtype, array.gpudata, math.prod(shape))


def shape_of(arrays: Sequence[Any]) -> tuple[int, ...]:
    """The shape of what is computed from arrays; ValueError if theirs do not fit."""
    shape = arrays[0].shape
    for array in arrays[1:]:
        if array.shape != shape:
            return np.broadcast_shapes(*(a.shape for a in arrays))
    return shape


def _range(array: Any) -> tuple[int, int]:
    low = high = int(array.gpudata or 0)
    for extent, stride in zip(array.shape, array.strides, strict=True):
        step = (extent - 1) * stride
        low, high = (low + step, high) if step < 0 else (low, high + step)
    return low, high + array.dtype.itemsize


def overlap(out: Any, array: Any) -> bool:
    """Whether writing `out` may change elements of `array` that are still to be read."""
    if out.gpudata is None or array.gpudata is None:
        return False
    (a, b), (c, d) = _range(out), _range(array)
    if a >= d or c >= b:
        return False
    return (a, out.shape, out.strides) != (c, array.shape, array.strides) or (
        out.dtype.itemsize != array.dtype.itemsize
    )


# --- operators ------------------------------------------------------------------------------------


def binary(name: str, a: Any, b: Any, is_array: bool, flip: bool = False) -> Any:
    """The result of an operator, in a new array like `a`.

    Parameters
    ----------
    name : str
        One of `BINARY`.
    a : GPUArray
    b : GPUArray or number
    is_array : bool
        Whether `b` is an array.
    flip : bool
        Whether `b` is the left operand.
    """
    kernels = store()
    key = (name, a.dtype, b.dtype if is_array else type(b), flip)
    found = kernels.functions.get(key)
    if found is None:
        found = kernels.functions[key] = _prepare(name, a, b, is_array, flip)
    rule, second, kernel = found
    if is_array:
        if not (a._packed and b._packed and a.shape == b.shape):
            return _general(name, rule, a, b, flip)
        operand = b.gpudata
    else:
        operand = convert(b, second)
        if not a._packed:
            return _general(name, rule, a, Scalar(operand, second), flip)
    return _launch(kernels, kernel, a._like(rule.out), a, operand)


def _launch(kernels: Store, kernel: Kernel, out: Any, a: Any, operand: Any) -> Any:
    """Launches an operator's kernel over arrays without gaps; `operand` is memory or a number."""
    n = out.size
    if n:
        blocks = -(-n // (THREADS * kernel.width))
        kernel.launch(
            (blocks if blocks < kernels.most_blocks else kernels.most_blocks, 1),
            (THREADS, 1, 1),
            None,
            out.gpudata,
            a.gpudata,
            operand,
            n,
        )
    return out


def _rule(name: str, a: Any, b: Any, is_array: bool, flip: bool) -> Rule:
    other = b.dtype if is_array else b
    left, right = (other, a.dtype) if flip else (a.dtype, other)
    return Rule(name, left, right, common_of(a.dtype, other), a.dtype)


def _swap(expression: str) -> str:
    """The expression with its operands exchanged."""
    return expression.replace('x0', 'x?').replace('x1', 'x0').replace('x?', 'x1')


def _prepare(name: str, a: Any, b: Any, is_array: bool, flip: bool) -> Any:
    rule = _rule(name, a, b, is_array, flip)
    second = b.dtype if is_array else rule.common if flip else rule.second
    if flip:
        rule.expression = _swap(rule.expression)
    operation = Operation(
        rule.expression, (rule.out,), (a.dtype, second), (False, not is_array), rule.common
    )
    return rule, second, flat_kernel(store(), operation, name)


def _general(name: str, rule: Rule, a: Any, b: Any, flip: bool) -> Any:
    arrays = [x for x in (a, b) if type(x) is not Scalar]
    shape = shape_of(arrays)
    out = a._like(rule.out) if shape == a.shape else a._like(rule.out, shape)
    into(name, rule, out, [a, b])
    return out


def into(name: str, rule: Rule, out: Any, ins: Sequence[Any], stream: Any = None) -> None:
    """Computes an array that is there, from operands that are broadcast to its shape.

    Raises
    ------
    TypeError
        `out` is no GPUArray, or of a kind that does not hold the result.
    ValueError
        Operands do not fit into its shape.
    """
    if not hasattr(out, '_packed'):
        raise TypeError(f'{name}: out must be a GPUArray, not {type(out).__name__}')
    if not np.can_cast(rule.out, out.dtype, 'same_kind'):
        raise TypeError(f'{name}: a result of {rule.out} cannot be kept in out, of {out.dtype}')
    operands = []
    for x in ins:
        if type(x) is not Scalar:
            x = broadcast(x, out.shape)
            if overlap(out, x):
                x = _copied(x, out, stream)
        operands.append(x)
    apply(name, rule.expression, [out], operands, rule.common, stream)


def _copied(operand: Any, like: Any, stream: Any) -> Any:
    copy = like._like(operand.dtype, operand.shape)
    apply('copy', 'z0 = x0', [copy], [operand], operand.dtype, stream)
    return copy


def in_place(name: str, a: Any, b: Any, is_array: bool) -> Any:
    """`a` after `a op= b`; TypeError if the result is of a kind that does not fit into `a`."""
    kernels = store()
    key = (name, a.dtype, b.dtype if is_array else type(b), False)
    found = kernels.functions.get(key)
    if found is not None and found[0].out == a.dtype and a._packed:
        if not is_array:
            return _launch(kernels, found[2], a, a, convert(b, found[1]))
        if _is_apart(a, b):
            return _launch(kernels, found[2], a, a, b.gpudata)
    rule = _rule(name, a, b, is_array, False)
    if not np.can_cast(rule.out, a.dtype, 'same_kind'):
        raise TypeError(
            f'{name}: a result of {rule.out} cannot be kept in an array of {a.dtype}; '
            'write a = a op b, or convert an operand with astype()'
        )
    if is_array and shape_of([a, b]) != a.shape:
        raise ValueError(f'{name}: the result of {a.shape} and {b.shape} is larger than the array')
    second = b if is_array else Scalar(convert(b, rule.second), rule.second)
    into(name, rule, a, [a, second])
    if found is None and rule.out == a.dtype:
        kernels.functions[key] = _prepare(name, a, b, is_array, False)
    return a


def _is_apart(a: Any, b: Any) -> bool:
    """Whether two arrays have one shape, no gaps, and all of their memory in common or none."""
    if not b._packed or a.shape != b.shape or not a.size:
        return False
    first, second = int(a.gpudata), int(b.gpudata)
    if first == second:
        return a.dtype.itemsize == b.dtype.itemsize
    return first + a.nbytes <= second or second + b.nbytes <= first

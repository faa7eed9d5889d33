"""Mathematical functions of the elements of GPUArrays, in the shape of `pycuda.cumath`.

Each takes an array, `out=` (an array to fill) and `stream=`, and returns the result. Results have
NumPy's dtypes: those of floating-point and complex arrays stay, whole numbers become floating-point
ones. Single precision is computed with CUDA's single-precision functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._engine import Scalar, apply
from ._operations import Rule, common_of, convert, into, is_float, scalar, shape_of
from .gpuarray import GPUArray

__all__ = [
    'acos',
    'asin',
    'atan',
    'ceil',
    'cos',
    'cosh',
    'exp',
    'fabs',
    'floor',
    'fmod',
    'frexp',
    'ldexp',
    'log',
    'log10',
    'modf',
    'sin',
    'sinh',
    'sqrt',
    'tan',
    'tanh',
]

#: Functions of PyCUDA that NumPy has under another name.
_NUMPY = {'acos': 'arccos', 'asin': 'arcsin', 'atan': 'arctan'}
_REAL_ONLY = {'fabs', 'ceil', 'floor'}


def _check(name: str, array: Any) -> None:
    if not isinstance(array, GPUArray):
        raise TypeError(f'{name} takes a GPUArray, not {type(array).__name__}: use to_gpu(array)')
    if array.dtype.kind not in 'biufc' or (array.dtype.kind == 'c' and name in _REAL_ONLY):
        raise TypeError(f'{name} is not defined for {array.dtype}')


def _expression(name: str, common: np.dtype) -> str:
    if common.kind == 'c':
        return f'z0 = Z0(pycuda::{name}(C(x0)))'
    return f'z0 = Z0({name}{"f" if is_float(common) else ""}(C(x0)))'


def _finish(
    name: str, array: GPUArray, expression: str, common: np.dtype, out: Any, stream: Any
) -> GPUArray:
    result = array._like(common) if out is None else out
    if not isinstance(result, GPUArray) or not np.can_cast(common, result.dtype, 'same_kind'):
        found = result.dtype if isinstance(result, GPUArray) else type(result).__name__
        raise TypeError(f'{name}: out must be a GPUArray that holds {common}, not {found}')
    if result.shape != array.shape:
        raise ValueError(f'{name}: out has shape {result.shape}, the array {array.shape}')
    into(name, Rule.of(expression, common), result, [array], stream)
    return result


def _function(name: str) -> Callable[..., GPUArray]:
    numpy_function = getattr(np, _NUMPY.get(name, name))

    def f(array: GPUArray, out: Any = None, stream: Any = None) -> GPUArray:
        _check(name, array)
        if out is not None and not hasattr(out, 'gpudata'):
            out, stream = None, out if stream is None else stream
        common = numpy_function(np.ones(0, array.dtype)).dtype
        expression = 'z0 = x0' if common.kind in 'biu' else _expression(name, common)
        return _finish(name, array, expression, common, out, stream)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"""The function {name} of each element.

    Parameters
    ----------
    array : GPUArray
    out : GPUArray, optional
        Filled and returned; it may be `array`. A Stream in this place is the stream.
    stream : Stream, optional

    Raises
    ------
    TypeError
        The function is not defined for the dtype, or `out` cannot hold the result.
    ValueError
        `out` has another shape.
    """
    return f


fabs = _function('fabs')
ceil = _function('ceil')
floor = _function('floor')
exp = _function('exp')
log = _function('log')
log10 = _function('log10')
sqrt = _function('sqrt')
sin = _function('sin')
cos = _function('cos')
tan = _function('tan')
asin = _function('asin')
acos = _function('acos')
atan = _function('atan')
sinh = _function('sinh')
cosh = _function('cosh')
tanh = _function('tanh')


def _real(name: str, array: Any) -> np.dtype:
    """The dtype in which a function of real numbers computes an array's elements."""
    _check(name, array)
    if array.dtype.kind == 'c':
        raise TypeError(f'{name} is not defined for {array.dtype}')
    return array.dtype if array.dtype.kind == 'f' else np.dtype(np.float64)


def _suffix(dtype: np.dtype) -> str:
    return 'f' if is_float(dtype) else ''


def fmod(arg: GPUArray, mod: Any, stream: Any = None) -> GPUArray:
    """The remainder of `arg / mod`, with the sign of `arg`, of each element.

    Parameters
    ----------
    arg : GPUArray
    mod : GPUArray or number
    stream : Stream, optional
    """
    _check('fmod', arg)
    number = None if isinstance(mod, GPUArray) else scalar(mod)
    if number is None and not isinstance(mod, GPUArray):
        raise TypeError(f'fmod takes a GPUArray or a number, not {type(mod).__name__}')
    common = common_of(arg.dtype, mod.dtype if number is None else number)
    if common.kind not in 'f':
        common = np.result_type(common, np.float64)
    if common.kind == 'c':
        raise TypeError('fmod is not defined for complex numbers')
    second = mod if number is None else Scalar(convert(number, common), common)
    shape = shape_of([arg, mod]) if number is None else arg.shape
    result = arg._like(common) if shape == arg.shape else arg._like(common, shape)
    rule = Rule.of(f'z0 = fmod{_suffix(common)}(C(x0), C(x1))', common)
    into('fmod', rule, result, [arg, second], stream)
    return result


def frexp(arg: GPUArray, stream: Any = None) -> tuple[GPUArray, GPUArray]:
    """Significands and exponents, so that ``arg == significand * 2**exponent``.

    Significands are at least 0.5 and less than 1. Exponents have the dtype of the significands.
    """
    dtype = _real('frexp', arg)
    results = arg._like(dtype), arg._like(dtype)
    expression = f'int e; z0 = frexp{_suffix(dtype)}(C(x0), &e); z1 = Z1(e)'
    apply('frexp', expression, results, [arg], dtype, stream)
    return results


def ldexp(significand: GPUArray, exponent: GPUArray, stream: Any = None) -> GPUArray:
    """``significand * 2**exponent`` of each element; exponents are made whole first."""
    dtype = _real('ldexp', significand)
    _real('ldexp', exponent)
    shape = shape_of([significand, exponent])
    result = significand._like(dtype) if shape == significand.shape else (
        significand._like(dtype, shape)
    )  # fmt: skip
    rule = Rule.of(f'z0 = ldexp{_suffix(dtype)}(C(x0), int(x1))', dtype)
    into('ldexp', rule, result, [significand, exponent], stream)
    return result


def modf(arg: GPUArray, stream: Any = None) -> tuple[GPUArray, GPUArray]:
    """Fractions and whole parts, both with the sign of `arg`."""
    dtype = _real('modf', arg)
    results = arg._like(dtype), arg._like(dtype)
    expression = f'C whole; z0 = modf{_suffix(dtype)}(C(x0), &whole); z1 = whole'
    apply('modf', expression, results, [arg], dtype, stream)
    return results

"""Kernels that bring all elements of arrays to one value, in the shape of `pycuda.reduction`.

>>> from runcu.reduction import ReductionKernel
>>> dot = ReductionKernel(np.float32, '0', 'a + b', 'x[i] * y[i]', 'float *x, float *y')
>>> dot(x, y).get()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import _engine
from ._core import Function
from ._dtypes import Argument, VectorArg, dtype_to_ctype
from ._operations import is_float
from .compiler import SourceModule
from .elementwise import arguments_of, headers_for, invocation
from .gpuarray import GPUArray, empty

__all__ = ['ReductionKernel', 'get_reduction_kernel_and_types', 'get_reduction_module']

#: Threads of a block, where their values fit into shared memory.
BLOCK_SIZE = 512
#: Blocks at most, and elements that a thread takes before there are more blocks.
_MOST_BLOCKS, _LEAST_ELEMENTS = 1024, 4
_SHARED_BYTES = 48 * 1024
_INPUT = 'pycuda_reduction_inp'


def _block_size(itemsize: int) -> int:
    size = BLOCK_SIZE
    while size > 32 and size * itemsize > _SHARED_BYTES:
        size //= 2
    return size


def get_reduction_module(
    out_type: str,
    block_size: int,
    neutral: Any,
    reduce_expr: str,
    map_expr: str,
    arguments: str | Sequence[Argument],
    name: str = 'reduce_kernel',
    keep: bool = False,
    options: Sequence[str] | None = None,
    preamble: str = '',
) -> SourceModule:
    """The module of a kernel that brings elements to one value a block.

    The kernel's parameters are `out`, the arguments, and the number of elements (size_t); its
    dynamic shared memory holds a value for each thread.

    Parameters
    ----------
    out_type : str
        In C++.
    block_size : int
        Threads of a block, a power of 2.
    neutral, reduce_expr, map_expr, arguments, name, keep, options, preamble
        As for `ReductionKernel`.
    """
    declared = [a.declarator() for a in arguments_of(arguments)]
    texts = headers_for(out_type, preamble, reduce_expr, map_expr, *declared)
    source = _engine.fill(
        'reduce.cu.in',
        preamble=texts + preamble,
        out_type=out_type,
        block_size=block_size,
        neutral=neutral,
        reduce_expr=reduce_expr,
        map_expr=map_expr,
        parameters=', '.join(['out_type *out', *declared]),
        name=name,
        unroll=1,
        store='out[blockIdx.x] = sdata[0]',
    )
    return SourceModule(source, options=options, keep=keep)


def get_reduction_kernel_and_types(
    stage: int,
    block_size: int,
    out_type: str,
    neutral: Any,
    reduce_expr: str,
    map_expr: str | None = None,
    arguments: str | Sequence[Argument] | None = None,
    name: str = 'reduce_kernel',
    keep: bool = False,
    options: Sequence[str] | None = None,
    preamble: str = '',
    dtype_out: Any = None,
) -> tuple[Function, list[Argument]]:
    """The prepared kernel of a stage, and its arguments but for result and count.

    Stage 1 maps elements; stage 2 brings the values of stage 1's blocks together, and has the same
    arguments after them.
    """
    from ._dtypes import TYPE_REGISTRY

    dtype = TYPE_REGISTRY.find(out_type) if dtype_out is None else np.dtype(dtype_out)
    given = [VectorArg(dtype, 'in')] if arguments is None else arguments_of(arguments)
    if stage == 2:
        given = [VectorArg(dtype, _INPUT), *(given if arguments is not None else [])]
        map_expr = f'{_INPUT}[i]'
    module = get_reduction_module(
        out_type, block_size, neutral, reduce_expr, map_expr or 'in[i]', given, name, keep,
        options, preamble,
    )  # fmt: skip
    codes = ['P', *(a.struct_char for a in given), 'N']
    return module.get_function(name).prepare(codes), given


def _blocks(size: int, block_size: int) -> int:
    return min(max(-(-size // (block_size * _LEAST_ELEMENTS)), 1), _MOST_BLOCKS)


class ReductionKernel:
    """A kernel that maps each element of arrays to a value and brings the values to one.

    Parameters
    ----------
    dtype_out : dtype
        Of the values.
    neutral : str
        In C++, the value that changes no other: "0" for sums.
    reduce_expr : str
        A value of two, `a` and `b`: "a + b". It must not matter in which order.
    map_expr : str, optional
        The value of element `i`: "x[i] * y[i]"; by default "in[i]".
    arguments : str or list of Argument, optional
        By default an array `in` of `dtype_out`. The first array's size is the number of elements.
    name : str
    keep, options
        As for `SourceModule`.
    preamble : str
        Text before the kernel.

    Attributes
    ----------
    stage1_func, stage2_func : Function
        The kernels, for the current context.
    block_size : int
        Threads of their blocks.
    """

    def __init__(
        self,
        dtype_out: Any,
        neutral: Any,
        reduce_expr: str,
        map_expr: str | None = None,
        arguments: str | Sequence[Argument] | None = None,
        name: str = 'reduce_kernel',
        keep: bool = False,
        options: Sequence[str] | None = None,
        preamble: str = '',
    ):
        self.dtype_out = np.dtype(dtype_out)
        self.block_size = _block_size(self.dtype_out.itemsize)
        self.name = name
        self._texts = (dtype_to_ctype(self.dtype_out), neutral, reduce_expr, map_expr)
        self._arguments = None if arguments is None else arguments_of(arguments)
        self._more = (keep, options, preamble)
        if self._arguments is not None and not any(
            isinstance(a, VectorArg) for a in self._arguments
        ):
            raise ValueError('ReductionKernel: at least one of the arguments must be an array')

    def _stage(self, stage: int) -> tuple[Function, list[Argument]]:
        functions = _engine.store().functions
        key = (self, stage)
        if key not in functions:
            functions[key] = get_reduction_kernel_and_types(
                stage, self.block_size, *self._texts, self._arguments,
                f'{self.name}_stage{stage}', *self._more, dtype_out=self.dtype_out,
            )  # fmt: skip
        return functions[key]

    @property
    def stage1_func(self) -> Function:
        """The kernel that maps elements."""
        return self._stage(1)[0]

    @property
    def stage2_func(self) -> Function:
        """The kernel that brings the values of blocks together."""
        return self._stage(2)[0]

    def __call__(
        self,
        *args: Any,
        stream: Any = None,
        out: GPUArray | None = None,
        allocator: Callable[[int], Any] | None = None,
        kernel_wrapper: Callable[..., Any] | None = None,
    ) -> GPUArray:
        """The value of all elements, as an array without dimensions.

        Parameters
        ----------
        *args
            GPUArrays and numbers, as `arguments` says.
        stream : Stream, optional
        out : GPUArray, optional
            One element of `dtype_out`, filled and returned.
        allocator : callable, optional
            By default the first array's.
        kernel_wrapper : callable, optional
            Given what launches a kernel, returns what is called in its place.

        Raises
        ------
        TypeError
            Number or kind of the arguments do not fit.
        RuntimeError
            An array has gaps.
        """
        check_out(out, self.dtype_out)
        function, arguments = self._stage(1)
        values, first = invocation(self.name, arguments, args)
        plan = Plan(self.dtype_out, self.block_size, stream, kernel_wrapper)
        allocator = first.allocator if allocator is None else allocator
        own = values if self._arguments is not None else []
        return plan.run(
            function, lambda: self._stage(2)[0], values, own, first.size, out, allocator
        )


def check_out(out: Any, dtype: np.dtype) -> None:
    """TypeError or ValueError if a result cannot be kept in `out`."""
    if out is None:
        return
    if not isinstance(out, GPUArray) or out.dtype != dtype:
        found = out.dtype if isinstance(out, GPUArray) else type(out).__name__
        raise TypeError(f'out must be a GPUArray of {dtype}, not {found}')
    if out.size != 1:
        raise ValueError(f'out must have one element, not {out.size}')


class Plan(NamedTuple):
    """How the stages of a reduction are launched."""

    dtype: np.dtype
    block_size: int
    stream: Any = None
    wrapper: Callable[..., Any] | None = None
    itemsize: int = 0

    def _launch(self, function: Function, blocks: int, *args: Any) -> None:
        launch = function.prepared_async_call
        if self.wrapper is not None:
            launch = self.wrapper(launch)
        shared = self.block_size * (self.itemsize or self.dtype.itemsize)
        launch((blocks, 1), (self.block_size, 1, 1), self.stream, *args, shared_size=shared)

    def run(
        self,
        function: Function,
        second: Callable[[], Function],
        values: list[Any],
        again: list[Any],
        size: int,
        out: GPUArray | None,
        allocator: Any,
        partial: np.dtype | None = None,
    ) -> GPUArray:
        """Launches as many stages as it takes.

        Parameters
        ----------
        function, second
            The kernel of stage 1, and what gives that of stage 2 if it is needed.
        values, again
            Arguments of stage 1, and those that stage 2 has after its own.
        partial : dtype, optional
            Of the blocks' values, by default the result's.
        """
        blocks = _blocks(size, self.block_size)
        result = empty((), self.dtype, allocator) if out is None else out
        if blocks == 1:
            self._launch(function, 1, result.gpudata, *values, size)
            return result
        between = empty((blocks,), partial or self.dtype, allocator)
        self._launch(function, blocks, between.gpudata, *values, size)
        self._launch(second(), 1, result.gpudata, between.gpudata, *again, blocks)
        return result


# --- sums and extremes of gpuarray ----------------------------------------------------------------


#: Neutral value and expression, by kind.
_SIMPLE = {
    'sum': ('out_type(0)', 'a + b'),
    'any': ('false', 'a || b'),
    'all': ('true', 'a && b'),
}


class _Built(NamedTuple):
    """A reduction of `gpuarray`: what its kernels are made of.

    Attributes
    ----------
    kind : str
        'sum', 'any', 'all', 'max' or 'min'.
    out : dtype
    ins : tuple of dtype
        Of the arrays whose elements are multiplied.
    subset : dtype, optional
        Of places.
    """

    kind: str
    out: np.dtype
    ins: tuple[np.dtype, ...]
    subset: np.dtype | None

    def partial(self) -> np.dtype:
        """The dtype of the blocks' values."""
        return np.dtype(np.float32) if self.out == np.float16 else self.out

    def _reduce(self) -> tuple[str, str]:
        """The neutral value and the expression."""
        if self.kind in _SIMPLE:
            return _SIMPLE[self.kind]
        sign = '<' if self.kind == 'min' else '>'
        if self.out.kind == 'f':
            function = f'f{self.kind}' + ('f' if is_float(self.out) else '')
            limit = '-' if self.kind == 'max' else ''
            return f'{limit}out_type(__int_as_float(0x7f800000))', f'{function}(a, b)'
        if self.out.kind == 'b':
            return f'out_type({int(self.kind == "min")})', f'a {sign} b ? a : b'
        bounds = np.iinfo(self.out)
        limit = bounds.max if self.kind == 'min' else bounds.min
        suffix = 'ull' if limit > 0 else 'll'
        text = f'{limit}{suffix}' if limit > -(2**63) else '(-9223372036854775807ll - 1)'
        return f'out_type({text})', f'a {sign} b ? a : b'

    def function(self, is_first: bool, is_last: bool) -> Function:
        """A kernel: of arrays and places if it is the first, else of the values of blocks."""
        partial = self.partial()
        types = [_engine.stored(d) for d in self.ins] if is_first else [_engine.number(partial)]
        has_places = is_first and self.subset is not None
        parameters = [f'const {t} *x{k}' for k, t in enumerate(types)]
        if has_places:
            parameters.append(f'const {_engine.stored(self.subset)} *places')
        place = 'places[i]' if has_places else 'i'
        read = 'runcu::element<{t}>::get(x{k}[{place}])'
        if self.kind in ('any', 'all'):
            read += ' != runcu::element<{t}>::number(0)'
        values = [f'out_type({read.format(t=t, k=k, place=place)})' for k, t in enumerate(types)]
        neutral, reduce_expr = self._reduce()
        result = _engine.stored(self.out) if is_last else _engine.number(partial)
        name = f'{"subset_" if has_places else ""}{self.kind}{"" if is_first else "_of_blocks"}'
        source = _engine.fill(
            'reduce.cu.in',
            preamble=_engine.heading([self.out, *self.ins]),
            out_type=_engine.number(partial),
            block_size=_block_size(partial.itemsize),
            neutral=neutral,
            reduce_expr=reduce_expr,
            map_expr=' * '.join(values),
            parameters=', '.join([f'{result} *out', *parameters]),
            name=name,
            unroll=4,
            store=f'runcu::element<{result}>::put(out[blockIdx.x], sdata[0])',
        )
        return _engine.prepared(source, name, 'P' + 'P' * len(parameters) + 'N')

    def kernel(self, is_first: bool, is_last: bool) -> Function:
        """The kernel for the current context, made when first asked for."""
        functions = _engine.store().functions
        key = (self, is_first, is_last)
        if key not in functions:
            functions[key] = self.function(is_first, is_last)
        return functions[key]

    def run(self, arrays: list[GPUArray], size: int, stream: Any, allocator: Any) -> GPUArray:
        """The result for arrays without gaps, the last one of places if there is a subset."""
        partial = self.partial()
        block_size = _block_size(partial.itemsize)
        plan = Plan(self.out, block_size, stream, itemsize=partial.itemsize)
        values = [array.gpudata for array in arrays]
        is_last = _blocks(size, block_size) == 1 or partial == self.out
        allocator = arrays[0].allocator if allocator is None else allocator
        return plan.run(
            self.kernel(True, is_last), lambda: self.kernel(False, True), values, [], size, None,
            allocator, partial,
        )  # fmt: skip


def _check(arrays: Sequence[Any], subset: Any) -> None:
    for array in arrays:
        if not isinstance(array, GPUArray):
            raise TypeError(f'a GPUArray is expected, not {type(array).__name__}')
        if array.dtype.kind not in 'biufc':
            raise TypeError(f'elements of {array.dtype} have no sum and no order')
        if subset is None and array.shape != arrays[0].shape:
            raise ValueError(f'arrays of shapes {arrays[0].shape} and {array.shape} do not fit')
    if subset is not None and (not isinstance(subset, GPUArray) or subset.dtype.kind not in 'iu'):
        raise TypeError('subset must be a GPUArray of whole numbers')


def _lined_up(arrays: Sequence[GPUArray]) -> list[GPUArray]:
    """Arrays without gaps whose elements lie in one order."""
    first = arrays[0]
    if first._is_dense() and all(
        a is first or (a.shape == first.shape and a.strides == first.strides
                       and a.dtype.itemsize == first.dtype.itemsize)
        for a in arrays
    ):  # fmt: skip
        return list(arrays)
    return [array._c_copy() for array in arrays]


def sum_of(
    arrays: Sequence[GPUArray], dtype: Any, stream: Any, allocator: Any, subset: Any = None
) -> GPUArray:
    """The sum of elements, of products of elements, or of those at some places."""
    _check(arrays, subset)
    out = np.result_type(*(a.dtype for a in arrays)) if dtype is None else np.dtype(dtype)
    if out.kind == 'b':
        out = np.dtype(np.int64)
    if out.kind not in 'iufc' or (out.kind != 'c' and any(a.dtype.kind == 'c' for a in arrays)):
        raise TypeError(f'elements of {arrays[0].dtype} are not added as {out}')
    return _reduced('sum', out, arrays, subset, stream, allocator)


def truth_of(kind: str, array: GPUArray, stream: Any, allocator: Any) -> GPUArray:
    """Whether any element, or every one, is not 0."""
    _check([array], None)
    return _reduced(kind, np.dtype(np.bool_), [array], None, stream, allocator)


def extreme_of(kind: str, array: GPUArray, subset: Any, stream: Any, allocator: Any) -> GPUArray:
    """The largest or smallest element, or that of those at some places."""
    _check([array], subset)
    if array.dtype.kind == 'c':
        raise TypeError(f'{kind}: complex numbers have no order')
    if (array if subset is None else subset).size == 0:
        raise ValueError(f'{kind} of an array without elements')
    return _reduced(kind, array.dtype, [array], subset, stream, allocator)


def _reduced(
    kind: str, out: np.dtype, arrays: Sequence[GPUArray], subset: Any, stream: Any, allocator: Any
) -> GPUArray:
    places = None if subset is None else subset.dtype
    built = _Built(kind, out, tuple(a.dtype for a in arrays), places)
    if subset is None:
        lined = _lined_up(arrays)
    else:
        lined = [array._c_copy() for array in (*arrays, subset)]
    return built.run(lined, lined[-1].size, stream, allocator)

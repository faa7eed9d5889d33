"""Kernels that do one operation on every element of arrays, in the shape of `pycuda.elementwise`.

>>> from runcu.elementwise import ElementwiseKernel
>>> axpy = ElementwiseKernel('float a, float *x, float *y', 'y[i] += a * x[i]', 'axpy')
>>> axpy(2, x, y)
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _engine
from ._core import Function
from ._dtypes import Argument, ScalarArg, VectorArg, parse_c_args
from .compiler import SourceModule

__all__ = [
    'ElementwiseKernel',
    'ScalarArg',
    'VectorArg',
    'get_elwise_kernel',
    'get_elwise_kernel_and_types',
    'get_elwise_module',
    'get_elwise_range_module',
]


def arguments_of(arguments: str | Sequence[Argument]) -> list[Argument]:
    """The parameters of a kernel: C text, or `VectorArg` and `ScalarArg`."""
    if isinstance(arguments, str):
        return parse_c_args(arguments)
    for argument in arguments:
        if not isinstance(argument, Argument):
            raise TypeError(
                'arguments is C text such as "float a, float *x", or a list of VectorArg and '
                f'ScalarArg, not of {type(argument).__name__}'
            )
    return list(arguments)


#: A word of a text, and the header that it takes for granted.
_HEADERS = [
    ('complex', 'pycuda-complex.hpp'),
    ('half', 'cuda_fp16.h'),
    ('nv_bfloat16', 'cuda_bf16.h'),
    ('__nv_fp8', 'cuda_fp8.h'),
]


def headers_for(*texts: str) -> str:
    """The headers that a user's text may take for granted."""
    text = ' '.join(texts)
    return ''.join(f'#include <{header}>\n' for word, header in _HEADERS if word in text)


def _module(
    template: str,
    arguments: str | Sequence[Argument],
    operation: str,
    name: str,
    keep: bool,
    options: Sequence[str] | None,
    preamble: str,
    loop_prep: str,
    after_loop: str,
) -> SourceModule:
    declared = ', '.join(a.declarator() for a in arguments_of(arguments))
    source = _engine.fill(
        template,
        preamble=headers_for(declared, operation, preamble, loop_prep, after_loop) + preamble,
        arguments=declared,
        operation=operation,
        name=name,
        loop_prep=loop_prep,
        after_loop=after_loop,
    )
    return SourceModule(source, options=options, keep=keep)


def get_elwise_module(
    arguments: str | Sequence[Argument],
    operation: str,
    name: str = 'kernel',
    keep: bool = False,
    options: Sequence[str] | None = None,
    preamble: str = '',
    loop_prep: str = '',
    after_loop: str = '',
) -> SourceModule:
    """The module of an elementwise kernel, whose last argument is `n`, the number of elements.

    Parameters
    ----------
    arguments : str or list of Argument
    operation : str
        Statements for each element. They may use i (the element), n, tid, total_threads and
        cta_start.
    name : str
    keep, options
        As for `SourceModule`.
    preamble : str
        Text before the kernel, outside of any ``extern "C"``.
    loop_prep, after_loop : str
        Statements before and after the loop over the elements.
    """
    return _module(
        'elementwise.cu.in',
        arguments, operation, name, keep, options, preamble, loop_prep, after_loop,
    )  # fmt: skip


def get_elwise_range_module(
    arguments: str | Sequence[Argument],
    operation: str,
    name: str = 'kernel',
    keep: bool = False,
    options: Sequence[str] | None = None,
    preamble: str = '',
    loop_prep: str = '',
    after_loop: str = '',
) -> SourceModule:
    """As `get_elwise_module`, for a range: the last arguments are `start`, `stop` and `step`."""
    return _module(
        'elementwise_range.cu.in',
        arguments, operation, name, keep, options, preamble, loop_prep, after_loop,
    )  # fmt: skip


def get_elwise_kernel_and_types(
    arguments: str | Sequence[Argument],
    operation: str,
    name: str = 'kernel',
    keep: bool = False,
    options: Sequence[str] | None = None,
    use_range: bool = False,
    **kwargs: str,
) -> tuple[SourceModule, Function, list[Argument]]:
    """Module, prepared kernel and arguments, the number of elements or the range among them.

    Parameters are those of `get_elwise_module`; `use_range` chooses `get_elwise_range_module`.
    """
    given = arguments_of(arguments)
    if use_range:
        given += [ScalarArg(np.intp, bound) for bound in ('start', 'stop', 'step')]
        module = get_elwise_range_module(given, operation, name, keep, options, **kwargs)
    else:
        given.append(ScalarArg(np.uintp, 'n'))
        module = get_elwise_module(given, operation, name, keep, options, **kwargs)
    function = module.get_function(name)
    return module, function.prepare([a.struct_char for a in given]), given


def get_elwise_kernel(
    arguments: str | Sequence[Argument],
    operation: str,
    name: str = 'kernel',
    keep: bool = False,
    options: Sequence[str] | None = None,
    **kwargs: Any,
) -> Function:
    """The prepared kernel alone; as `get_elwise_kernel_and_types`."""
    return get_elwise_kernel_and_types(arguments, operation, name, keep, options, **kwargs)[1]


def vector_of(kernel: str, argument: VectorArg, value: Any) -> Any:
    """The memory of an argument that stands for an array.

    Raises
    ------
    TypeError
        It is none.
    RuntimeError
        Its elements do not lie together.
    """
    if isinstance(value, np.ndarray) or not hasattr(value, 'gpudata'):
        raise TypeError(
            f'{kernel}: {argument.name!r} takes a GPUArray, not {type(value).__name__}: '
            'to_gpu(array) makes one of a host array'
        )
    if not (getattr(value, '_packed', False) or value.flags.forc):
        raise RuntimeError(
            f'{kernel}: only contiguous arrays may be used as arguments to this operation; '
            f'{argument.name!r} has gaps: use a.copy()'
        )
    return value.gpudata


def invocation(
    kernel: str, arguments: Sequence[Argument], values: Sequence[Any]
) -> tuple[list[Any], Any]:
    """What a kernel is called with, and the first array, whose size is that of the operation."""
    if len(arguments) != len(values):
        names = ', '.join(a.name for a in arguments)
        raise TypeError(
            f'{kernel} takes {len(arguments)} arguments ({names}), and {len(values)} were given'
        )
    first, result = None, []
    for argument, value in zip(arguments, values, strict=True):
        if isinstance(argument, VectorArg):
            result.append(vector_of(kernel, argument, value))
            first = value if first is None else first
        else:
            result.append(scalar_of(argument, value))
    return result, first


def scalar_of(argument: Argument, value: Any) -> Any:
    """A number as a prepared kernel takes it: what GPUArrays without dimensions hold, too."""
    if hasattr(value, 'gpudata') and hasattr(value, 'get'):
        value = value.get()
    return value


class ElementwiseKernel:
    """A kernel that does an operation for each element of arrays.

    Parameters
    ----------
    arguments : str or list of Argument
        Such as "float a, float *x, float *y"; at least one is an array.
    operation : str
        Statements for each element, such as "y[i] += a * x[i]". They may use i (the element), n,
        tid, total_threads and cta_start.
    name : str
    keep, options
        As for `SourceModule`.
    preamble : str
        Text before the kernel, such as functions that the operation calls.
    loop_prep, after_loop : str
        Statements of each thread before and after its elements.

    Raises
    ------
    ValueError
        The arguments cannot be parsed, or none is an array.
    """

    def __init__(
        self,
        arguments: str | Sequence[Argument],
        operation: str,
        name: str = 'kernel',
        keep: bool = False,
        options: Sequence[str] | None = None,
        preamble: str = '',
        loop_prep: str = '',
        after_loop: str = '',
    ):
        self.arguments = arguments_of(arguments)
        self.name = name
        self._texts = {
            'operation': operation,
            'name': name,
            'preamble': preamble,
            'loop_prep': loop_prep,
            'after_loop': after_loop,
        }
        self._keep, self._options = keep, options
        if not any(isinstance(a, VectorArg) for a in self.arguments):
            raise ValueError(
                'ElementwiseKernel can only be used with functions that have at least one vector '
                'argument'
            )

    def generate_stride_kernel_and_types(
        self, use_range: bool = False
    ) -> tuple[SourceModule, Function, list[Argument]]:
        """Module, kernel and arguments for the current context, made when first asked for."""
        functions = _engine.store().functions
        key = (self, bool(use_range))
        if key not in functions:
            functions[key] = get_elwise_kernel_and_types(
                self.arguments,
                keep=self._keep,
                options=self._options,
                use_range=use_range,
                **self._texts,  # type: ignore[arg-type]
            )
        return functions[key]

    def get_texref(self, name: str, use_range: bool = False) -> Any:
        """Raises LogicError: compilers make no texture references any more."""
        return self.generate_stride_kernel_and_types(use_range)[0].get_texref(name)

    def __call__(
        self,
        *args: Any,
        range: builtins.slice | None = None,
        slice: builtins.slice | None = None,
        stream: Any = None,
    ) -> None:
        """Does the operation.

        Parameters
        ----------
        *args
            A GPUArray for each pointer, whose dtype is not checked, and numbers or structs. The
            first array's size is the number of elements.
        range : slice, optional
            Elements from start to below stop, step apart, as they are.
        slice : slice, optional
            Elements as Python's indices mean them: negative ones from the end.
        stream : Stream, optional

        Raises
        ------
        TypeError
            Number or kind of the arguments do not fit.
        RuntimeError
            An array has gaps.
        """
        if range is not None and slice is not None:
            raise TypeError('may not specify both range and slice keyword arguments')
        values, first = invocation(self.name, self.arguments, args)
        if slice is not None:
            bounds = slice.indices(first.size)
        elif range is not None:
            bounds = (range.start or 0, range.stop, 1 if range.step is None else range.step)
            if bounds[2] == 0 or range.stop is None:
                raise ValueError('range needs a stop, and a step that is not 0')
        else:
            self._launch(False, stream, first.size, [*values, first.size])
            return
        start, stop, step = bounds
        count = -(-(stop - start) // step)
        self._launch(True, stream, count, [*values, start, stop, step])

    def _launch(self, use_range: bool, stream: Any, count: int, values: list[Any]) -> None:
        if count <= 0:
            return
        function = self.generate_stride_kernel_and_types(use_range)[1]
        grid, block = _engine.splay(count, _engine.store().multiprocessor_count)
        function.prepared_async_call(grid, block, stream, *values)

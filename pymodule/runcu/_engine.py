"""Kernels over arrays, made from the texts in `kernels/` as they are needed.

A kernel is generated for an operation, the dtypes of its operands and how they lie, compiled once
and loaded once for each context. Not public: `gpuarray`, `elementwise`, `reduction`, `curandom`
and `cumath` are made of it.
"""

from __future__ import annotations

import functools
import math
import os
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import _core, compiler, tools
from ._core import Context, Function
from ._dtypes import dtype_to_ctype

__all__ = ['Operation', 'Scalar', 'Store', 'apply', 'fill', 'prepared', 'splay', 'store', 'text']

#: Threads of a block.
THREADS = 256
#: Blocks for each multiprocessor at most; beyond them each thread takes several turns.
BLOCKS = 512

_FOLDER = os.path.join(os.path.dirname(__file__), 'kernels')


@functools.cache
def text(name: str) -> str:
    """The text of a file of `kernels/`, without the comment that opens it."""
    with open(os.path.join(_FOLDER, name), encoding='utf-8') as file:
        return re.sub(r'\A(//.*\n)+', '', file.read())


def fill(name: str, /, **values: Any) -> str:
    """A text of `kernels/` with what stands for each ``{{name}}``; KeyError if one is missing."""
    return re.sub(r'\{\{(\w+)\}\}', lambda match: str(values[match[1]]), text(name))


# --- what is kept for each context ----------------------------------------------------------------


class Store:
    """Kernels of one context, by whatever describes them, and what launches need to know of it."""

    def __init__(self, context: Context):
        self.functions: dict[Any, Any] = {}
        self.multiprocessor_count: int = context.device.multiprocessor_count
        self.most_blocks = BLOCKS * self.multiprocessor_count


class _Stores(dict[Any, Store]):
    """The stores, by context; `tools.clear_context_caches` empties it as it does all others."""

    _results: Any = property(lambda self: self)


_stores = _Stores()
tools.context_dependent_memoized_functions.append(_stores)


def store() -> Store:
    """The store of the current context; without one the default device's becomes current."""
    context = Context.get_current() or Context.attach()
    found = _stores.get(context)
    if found is None:
        for other in [c for c in _stores if not c.is_alive]:
            _stores.pop(other, None)
        found = _stores[context] = Store(context)
    return found


def prepared(
    source: str, name: str, codes: str, options: Sequence[str] | None = None, keep: bool = False
) -> Function:
    """A kernel of a source, with the codes of its arguments as for `Function.prepare`."""
    module = compiler.SourceModule(source, options=options, keep=keep)
    return module.get_function(name).prepare(codes)


def splay(n: int, processors: int) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Grid and block for `n` elements, as PyCUDA divides them: blocks of 32 to 128 threads."""
    least, most = 32, 128
    most_blocks = 4 * 8 * processors
    if n < least:
        return (1, 1), (least, 1, 1)
    if n < most_blocks * least:
        return (-(-n // least), 1), (least, 1, 1)
    if n < most_blocks * most:
        warps = -(-n // least)
        return (most_blocks, 1), (-(-warps // most_blocks) * least, 1, 1)
    return (most_blocks, 1), (most, 1, 1)


# --- types ----------------------------------------------------------------------------------------

_STORED = {np.dtype(np.float16): 'runcu::half', np.dtype(np.bool_): 'runcu::truth'}
_NUMBERS = {np.dtype(np.float16): 'float', np.dtype(np.bool_): 'bool'}
_CODES = {np.dtype(np.float16): 'f'}


def stored(dtype: np.dtype) -> str:
    """The type in C++ under which elements of a dtype lie in memory."""
    if dtype.subdtype is not None:  # of `moved`
        word, (count,) = dtype.subdtype
        return f'runcu::words<{dtype_to_ctype(word)}, {count}>'
    return _STORED.get(dtype) or dtype_to_ctype(dtype)


def number(dtype: np.dtype) -> str:
    """The type in C++ with which elements of a dtype are computed."""
    return _NUMBERS.get(dtype) or stored(dtype)


def code(dtype: np.dtype) -> str:
    """The code of `Function.prepare` for a number of a dtype."""
    return _CODES.get(dtype) or (f'{dtype.itemsize}s' if dtype.kind == 'V' else dtype.char)


def heading(dtypes: Sequence[np.dtype]) -> str:
    """The headers that kernels over these dtypes need."""
    is_complex = any(dtype.kind == 'c' for dtype in dtypes)
    return ('#include <pycuda-complex.hpp>\n' if is_complex else '') + text('array.cuh')


class Operand(NamedTuple):
    """What an operation needs to know of an array."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    gpudata: int
    size: int


def moved(array: Any, most: int = 8) -> Operand:
    """An array whose elements are only moved: whole numbers, or arrays of them, of their size.

    Elements of one size share their kernels, structs among them. `most` is the size of the words
    that they may be made of, in bytes.
    """
    size, address = array.dtype.itemsize, int(array.gpudata)
    word = math.gcd(size, address, most, *array.strides)
    dtype = np.dtype(f'u{word}')
    if size != word:
        dtype = np.dtype((dtype, (size // word,)))
    return Operand(array.shape, array.strides, dtype, address, array.size)


# --- operations -----------------------------------------------------------------------------------


class Scalar(NamedTuple):
    """A number among the operands; it is computed with as one of `dtype`."""

    value: Any
    dtype: np.dtype


class Operation(NamedTuple):
    """What is done to each element.

    Attributes
    ----------
    expression : str
        Statements that set z0, z1, ... from x0, x1, ...; Z0 and X0 are their types, `C` is the type
        of `common`, `i` the number of the element.
    outs, ins : tuple of dtype
    scalars : tuple of bool
        Which of `ins` are numbers and not arrays.
    common : dtype
    """

    expression: str
    outs: tuple[np.dtype, ...]
    ins: tuple[np.dtype, ...]
    scalars: tuple[bool, ...]
    common: np.dtype

    def _names(self) -> tuple[list[str], list[str]]:
        """Names of the arrays among the operands, and of the numbers."""
        arrays = [f'z{k}' for k in range(len(self.outs))]
        arrays += [f'x{k}' for k, is_scalar in enumerate(self.scalars) if not is_scalar]
        return arrays, [f'x{k}' for k, is_scalar in enumerate(self.scalars) if is_scalar]

    def _dtype(self, name: str) -> np.dtype:
        return (self.outs if name[0] == 'z' else self.ins)[int(name[1:])]

    def compute(self) -> str:
        """The function of one element."""
        arrays, numbers = self._names()
        types, elements, load, put = [], [], [], []
        for name in arrays + numbers:
            big, dtype = name.upper(), self._dtype(name)
            types += [f'typedef {stored(dtype)} S{big};', f'typedef {number(dtype)} {big};']
        for name in arrays:
            big = name.upper()
            if name[0] == 'z':
                elements.append(f'S{big} &s{name}')
                load.append(f'    {big} {name};')
                put.append(f'    runcu::element<S{big}>::put(s{name}, {name});')
            else:
                elements.append(f'const S{big} &s{name}')
                load.append(f'    const {big} {name} = runcu::element<S{big}>::get(s{name});')
        elements += [f'const {name.upper()} &{name}' for name in numbers]
        return fill(
            'compute.cuh.in',
            common=number(self.common),
            types='\n'.join(types),
            elements=', '.join(elements),
            load='\n'.join(load),
            expression=self.expression,
            store='\n'.join(put),
        )

    def _values(self, name: str) -> dict[str, Any]:
        """What stands for the names that both kinds of kernels have."""
        arrays, numbers = self._names()
        parameters = [f'{"const " * (a[0] == "x")}S{a.upper()} *p{a}' for a in arrays]
        parameters += [f'const {a.upper()} {a}' for a in numbers]
        dtypes = [*self.outs, *self.ins, self.common]
        return {
            'preamble': heading(dtypes),
            'compute': self.compute(),
            'threads': THREADS,
            'name': name,
            'parameters': ', '.join(parameters),
        }

    def codes(self) -> str:
        """Codes of the parameters that the operands make."""
        arrays, numbers = self._names()
        return 'P' * len(arrays) + ''.join(code(self._dtype(name)) for name in numbers)

    def width(self) -> int:
        """Elements that a thread takes at once where the arrays have no gaps."""
        sizes = [self._dtype(name).itemsize for name in self._names()[0]]
        return max(16 // max(sizes), 1) if all(16 % size == 0 for size in sizes) else 1

    def flat(self, name: str) -> Function:
        """The kernel for arrays without gaps: arrays, numbers, count."""
        arrays, numbers = self._names()
        pad = ' ' * 12
        one = [f'p{a}[%s]' for a in arrays]
        packs = [f'reinterpret_cast<{"const " * (a[0] == "x")}runcu::pack<S{a.upper()}, WIDTH> *>'
                 f'(p{a})[p]' for a in arrays]  # fmt: skip
        load = [
            f'{pad}runcu::pack<S{a.upper()}, WIDTH> k{a}'
            + (f' = {source};' if a[0] == 'x' else ';')
            for a, source in zip(arrays, packs, strict=True)
        ]
        save = [f'{pad}{target} = k{a};' for a, target in zip(arrays, packs, strict=True)
                if a[0] == 'z']  # fmt: skip
        source = fill(
            'map.cu.in',
            **self._values(name),
            width=self.width(),
            addresses=' | '.join(f'(size_t) p{a}' for a in arrays),
            load_packs='\n'.join(load),
            store_packs='\n'.join(save),
            pack_elements=', '.join([f'k{a}.v[k]' for a in arrays] + numbers),
            single_elements=', '.join([e % 'i' for e in one] + numbers),
        )
        return prepared(source, name, self.codes() + 'N', _OPTIONS)

    def strided(self, name: str, ndim: int, is_small: bool) -> Function:
        """The kernel for arrays of any strides: arrays, numbers, layout, count."""
        arrays, numbers = self._names()
        places = [
            f'*reinterpret_cast<{"const S" if a[0] == "x" else "S"}{a.upper()} *>('
            f'reinterpret_cast<{"const char" if a[0] == "x" else "char"} *>(p{a}) + at[{k}])'
            for k, a in enumerate(arrays)
        ]
        source = fill(
            'strided.cu.in',
            **self._values(name),
            index='unsigned' if is_small else 'unsigned long long',
            ndim=ndim,
            count=len(arrays),
            strided_elements=', '.join(places + numbers),
        )
        layout = f'{8 * ndim * (1 + len(arrays))}s'
        return prepared(source, name, self.codes() + layout + 'N', _OPTIONS)


#: Products and sums are rounded each by itself, as NumPy does, so that results are the same bits.
_OPTIONS = ['-fmad=false']


class Kernel(NamedTuple):
    """A kernel that can be launched over arrays without gaps."""

    launch: Callable[..., None]
    width: int

    def __call__(self, stream: Any, n: int, *args: Any) -> None:
        """Launches it over `n` elements in a stream of the current context."""
        blocks = -(-n // (THREADS * self.width))
        self.launch((min(blocks, store().most_blocks), 1), (THREADS, 1, 1), stream, *args, n)


def flat_kernel(kernels: Store, operation: Operation, name: str) -> Kernel:
    """The kernel of an operation over arrays without gaps, from the store or made now."""
    found = kernels.functions.get(operation)
    if found is None:
        function = operation.flat(name)
        found = Kernel(function.prepared_async_call, operation.width())
        kernels.functions[operation] = found
    return found


def _merge(shape: list[int], strides: list[list[int]]) -> None:
    """Makes one axis of two neighbours where every array runs on from one to the next."""
    for d in range(len(shape) - 2, -1, -1):
        if all(s[d] == s[d + 1] * shape[d + 1] for s in strides):
            shape[d + 1] *= shape[d]
            del shape[d]
            for s in strides:
                del s[d]


def collapse(
    shape: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]]]:
    """The same elements with as few axes as possible, in the order in which the first array lies.

    Parameters
    ----------
    shape : sequence of int
    strides : sequence of strides in bytes
        Of each array.
    """
    axes = [d for d, extent in enumerate(shape) if extent != 1]
    axes.sort(key=lambda d: -abs(strides[0][d]))
    extents = [shape[d] for d in axes]
    steps = [[s[d] for d in axes] for s in strides]
    _merge(extents, steps)
    return extents, steps


def apply(
    name: str,
    expression: str,
    outs: Sequence[Any],
    ins: Sequence[Any],
    common: np.dtype,
    stream: Any = None,
) -> None:
    """Computes every element of `outs` from those of `ins`.

    Parameters
    ----------
    name : str
        Of the kernel, as profilers show it.
    expression : str
        As in `Operation`.
    outs : sequence of GPUArray
        Of one shape.
    ins : sequence of GPUArray or Scalar
        Arrays of that shape; strides may be 0.
    common : dtype
    stream : Stream, optional
    """
    shape, n = outs[0].shape, outs[0].size
    if n == 0:
        return
    scalars = tuple(type(x) is Scalar for x in ins)
    arrays = [*outs, *(x for x in ins if type(x) is not Scalar)]
    numbers = [x.value for x in ins if type(x) is Scalar]
    operation = Operation(
        expression,
        tuple(z.dtype for z in outs),
        tuple(x.dtype for x in ins),
        scalars,
        common,
    )
    pointers = [a.gpudata for a in arrays]
    extents, strides = collapse(shape, [a.strides for a in arrays])
    kernels = store()
    if not extents or (
        len(extents) == 1
        and all(s[0] == a.dtype.itemsize for s, a in zip(strides, arrays, strict=True))
    ):
        flat_kernel(kernels, operation, name)(stream, n, *pointers, *numbers)
        return
    key = operation, len(extents), n < 2**31
    function = kernels.functions.get(key)
    if function is None:
        function = kernels.functions[key] = operation.strided(name, len(extents), n < 2**31)
    layout = [*extents, *(step for s in strides for step in s)]
    grid = min(-(-n // THREADS), kernels.most_blocks), 1
    function.prepared_async_call(
        grid,
        (THREADS, 1, 1),
        stream,
        *pointers,
        *numbers,
        struct.pack(f'{len(layout)}q', *layout),
        n,
    )


_MEMSETS = {1: _core.memset_d8_async, 2: _core.memset_d16_async, 4: _core.memset_d32_async}


def fill_value(array: Any, item: np.ndarray, stream: Any, is_dense: bool) -> None:
    """Writes one element, an array without dimensions, to every place of an array.

    `is_dense`: whether its elements lie without gaps.
    """
    raw = item.tobytes()
    size = 1 if raw.count(raw[:1]) == len(raw) else len(raw)
    if is_dense and size in _MEMSETS:
        count = array.size * len(raw) // size
        _MEMSETS[size](array.gpudata, int.from_bytes(raw[:size], 'little'), count, stream)
        return
    target = moved(array)
    is_number = target.dtype.subdtype is None
    value = int.from_bytes(raw, 'little') if is_number else raw
    apply('fill', 'z0 = x0', [target], [Scalar(value, target.dtype)], target.dtype, stream)

"""The array of `gpuarray`: what it is, how it travels, its views and its operators.

Not public: `gpuarray` gives the class out, beside the functions that make and take arrays.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import _core, driver
from ._engine import Scalar, apply, fill_value, moved, store
from ._engine import splay as _splay
from ._layout import (
    axes_of,
    indexed,
    is_c,
    order_strides,
    packed_strides,
    tuple_of_shape,
    view_strides,
)
from ._operations import (
    COMPARISONS,
    Rule,
    binary,
    broadcast,
    common_of,
    comparable,
    convert,
    in_place,
    into,
    is_float,
    overlap,
    real_of,
    scalar,
    shape_of,
)
from .compyte.array import ArrayFlags, c_contiguous_strides

Allocator = Callable[[int], Any]


def splay(n: int, dev: driver.Device | None = None) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Grid and block for `n` elements: blocks of 32 to 128 threads, each in a loop over the grid.

    Parameters
    ----------
    n : int
    dev : Device, optional
        By default the current context's.
    """
    if dev is not None and not isinstance(dev, driver.Device):
        raise TypeError(f'dev must be a Device, not {type(dev).__name__}')
    return _splay(operator.index(n), (store() if dev is None else dev).multiprocessor_count)


def _dtype(dtype: Any) -> np.dtype:
    """A dtype; TypeError if its elements cannot lie on a device."""
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise TypeError(f'Python objects cannot lie on a device: dtype {dtype}')
    if dtype.itemsize == 0:
        raise TypeError(f'elements of dtype {dtype} have no bytes')
    return dtype


class GPUArray:
    """An array in device memory.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : dtype
    allocator : callable
        Gives memory for a number of bytes; by default `driver.mem_alloc`. Results of operators on
        the array come from it too.
    base : object, optional
        Kept alive as long as the array.
    gpudata : DeviceAllocation, int, PointerHolderBase, optional
        Memory that is there already, not owned.
    strides : sequence of int, optional
        In bytes; by default those of `order`.
    order : {'C', 'F'}

    Attributes
    ----------
    shape, strides : tuple of int
    dtype : numpy.dtype
    size : int
        Number of elements.
    gpudata : object
        The memory: what the allocator gave, an address in a view, None without elements.
    allocator, base : object
    """

    __module__ = 'runcu.gpuarray'  # where programs know it from
    __array_priority__ = 100
    __array_ufunc__ = None  # NumPy's arrays leave the operators to this class
    __hash__ = None  # type: ignore[assignment]

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    size: int
    gpudata: Any
    allocator: Allocator
    base: Any
    _packed: bool

    def __init__(
        self,
        shape: Any,
        dtype: Any,
        allocator: Allocator | None = None,
        base: Any = None,
        gpudata: Any = None,
        strides: Any = None,
        order: str = 'C',
    ):
        self.shape = tuple_of_shape(shape)
        self.dtype = dtype = _dtype(dtype)
        self.size = math.prod(self.shape)
        itemsize = dtype.itemsize
        if strides is None:
            self.strides = order_strides(itemsize, self.shape, order)
        else:
            self.strides = tuple(operator.index(s) for s in strides)
            if len(self.strides) != len(self.shape):
                raise ValueError(f'{len(self.strides)} strides for {len(self.shape)} dimensions')
        self._packed = is_c(self.shape, self.strides, itemsize)
        self.allocator = driver.mem_alloc if allocator is None else allocator
        self.base = base
        if gpudata is None and self.size:
            gpudata = self.allocator(self._extent())
        self.gpudata = gpudata

    def _extent(self) -> int:
        """Bytes from the first element to the end of the last one."""
        if self._packed:
            return self.size * self.dtype.itemsize
        if min(self.strides, default=0) < 0:
            raise ValueError(f'strides of new memory cannot be negative: {self.strides}')
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        return last + self.dtype.itemsize

    # What operators make: nothing to check, and memory from the same allocator.
    def _like(self, dtype: np.dtype, shape: tuple[int, ...] | None = None) -> GPUArray:
        itemsize = dtype.itemsize
        if type(self) is not GPUArray:  # whose own constructor may have more to do
            strides = None if shape else packed_strides(self.shape, self.strides, itemsize)
            return type(self)(shape or self.shape, dtype, self.allocator, strides=strides)
        new: GPUArray = GPUArray.__new__(GPUArray)
        if shape is not None:
            new.shape, new.size = shape, math.prod(shape)
            new.strides, new._packed = c_contiguous_strides(itemsize, shape), True
        else:
            new.shape, new.size = self.shape, self.size
            if self._packed and itemsize == self.dtype.itemsize:
                new.strides, new._packed = self.strides, True
            elif self._packed:
                new.strides, new._packed = c_contiguous_strides(itemsize, self.shape), True
            else:
                new.strides = packed_strides(self.shape, self.strides, itemsize)
                new._packed = is_c(self.shape, new.strides, itemsize)
        new.dtype, new.allocator, new.base = dtype, self.allocator, None
        new.gpudata = self.allocator(new.size * itemsize) if new.size else None
        return new

    def _view(
        self,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        offset: int = 0,
        dtype: np.dtype | None = None,
    ) -> GPUArray:
        """Another view of this array's memory, `offset` bytes on."""
        memory, base = self.gpudata, self.base
        new: GPUArray = GPUArray.__new__(GPUArray)
        new.shape, new.strides, new.size = shape, strides, math.prod(shape)
        new.dtype = dtype = self.dtype if dtype is None else dtype
        new.gpudata = int(memory) + offset if new.size else None
        new.base = base if base is not None and type(memory) is int else self
        new.allocator = self.allocator
        new._packed = is_c(shape, strides, dtype.itemsize)
        return new

    # --- what it is ---

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def mem_size(self) -> int:
        """Number of elements, as `size`."""
        return self.size

    @property
    def ptr(self) -> int:
        """The device address of the first element; 0 without elements."""
        return 0 if self.gpudata is None else int(self.gpudata)

    @property
    def flags(self) -> ArrayFlags:
        """`c_contiguous`, `f_contiguous` and `forc`."""
        return ArrayFlags(self)

    @property
    def _grid(self) -> tuple[int, int]:
        return splay(self.size)[0]

    @property
    def _block(self) -> tuple[int, int, int]:
        return splay(self.size)[1]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError('len() of an array without dimensions')
        return self.shape[0]

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f'the truth value of an array with {self.size} elements is ambiguous: use '
                'a.get().any() or a.get().all()'
            )
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __iter__(self) -> Iterator[GPUArray]:
        return (self[i] for i in range(len(self)))

    def __reduce__(self) -> Any:
        from .gpuarray import to_gpu

        return to_gpu, (self.get(),)

    def __copy__(self) -> GPUArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> GPUArray:
        return self.copy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError('a GPUArray does not become a host array by itself: use a.get()')

    # --- other libraries ---

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3 of the protocol; memory of the CPU device has none, but `__dlpack__`."""
        if self.gpudata is not None and _core.dlpack_device(self.gpudata)[0] == 1:
            raise AttributeError(
                'memory of the CPU device has no __cuda_array_interface__: other libraries would '
                "take its address for a GPU's; they share it by __dlpack__"
            )
        return {
            'shape': self.shape,
            'strides': self.strides,
            'data': (self.ptr, False),
            'typestr': self.dtype.str,
            'descr': self.dtype.descr,
            'stream': None,
            'version': 3,
        }

    def __dlpack__(self, **arguments: Any) -> Any:
        """A DLPack capsule of the array, without a copy, for `from_dlpack` of other libraries.

        Parameters are those of the protocol: `stream`, `max_version`, `dl_device`, `copy`.
        """
        return _core.dlpack_export(
            self, self.gpudata, self.shape, self.strides, self.dtype, **arguments
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's device: a pair of a type and a number."""
        return _core.dlpack_device(self.gpudata)

    # --- to and from the host ---

    def _is_dense(self) -> bool:
        """Whether elements lie without gaps, in whatever order of axes."""
        packed = packed_strides(self.shape, self.strides, self.dtype.itemsize)
        return self._packed or all(
            a == b or n == 1 for a, b, n in zip(self.strides, packed, self.shape, strict=True)
        )

    def _in_order(self, ary: np.ndarray) -> np.ndarray:
        """A host array of this shape with its axes as they lie in this one."""
        return ary if self._packed else ary.transpose(axes_of(self.strides))

    def set(self, ary: Any, async_: bool = False, stream: Any = None) -> None:
        """Copies a host array into this one.

        Parameters
        ----------
        ary : numpy.ndarray
            Of as many elements, and of the same dtype.
        async_ : bool
            Return once the copy is in `stream`; page-locked memory lets it run on its own. Keep
            `ary` as it is until then.
        stream : Stream, optional
            In which the copy is made; without `async_` it is waited for.

        Raises
        ------
        ValueError
            Size or dtype differ.
        """
        if not isinstance(ary, np.ndarray):
            raise TypeError(f'set() takes a NumPy array, not {type(ary).__name__}')
        if ary.size != self.size:
            raise ValueError(f'ary and self must be the same size, not {ary.size} and {self.size}')
        if ary.dtype != self.dtype:
            raise ValueError(
                f'ary and self must have the same dtype, not {ary.dtype} and {self.dtype}: use '
                'ary.astype()'
            )
        if ary.shape != self.shape:
            warnings.warn('Setting array from one with different shape.', stacklevel=2)
            ary = ary.reshape(self.shape)
        if not self.size:
            return
        if not self._is_dense():
            dense = self._like(self.dtype)
            dense.set(ary, async_, stream)
            _move(self, dense, stream)
            return
        host = np.ascontiguousarray(self._in_order(ary))
        if async_ or stream is not None:
            driver.memcpy_htod_async(self.gpudata, host, stream)
            _finish(stream, async_)
        else:
            driver.memcpy_htod(self.gpudata, host)

    def set_async(self, ary: np.ndarray, stream: Any = None) -> None:
        """As `set`, when the stream gets there."""
        self.set(ary, async_=True, stream=stream)

    def get(
        self,
        ary: np.ndarray | None = None,
        pagelocked: bool = False,
        async_: bool = False,
        stream: Any = None,
        **old: Any,
    ) -> np.ndarray:
        """A host array of the elements.

        Parameters
        ----------
        ary : numpy.ndarray, optional
            What to fill, of the same dtype and size; by default a new array, with its axes in
            memory as here.
        pagelocked : bool
            Put the new array into page-locked memory.
        async_ : bool
            Return once the copy is in `stream`; the array is filled when that has done it.
        stream : Stream, optional
            In which the copy is made; without `async_` it is waited for.

        Raises
        ------
        TypeError
            The dtypes differ.
        ValueError
            The sizes differ.
        """
        async_ = _is_async(async_, old)
        if ary is None:
            ary = result = self._new_host(pagelocked)
        else:
            result = self._check_host(ary)
            ary = result if result.shape == self.shape else result.reshape(self.shape)
        if not self.size:
            return result
        source = self if self._is_dense() else self._packed_copy(stream)
        host = source._in_order(ary)
        if not host.flags.c_contiguous:
            host = np.empty(host.shape, self.dtype)
        in_result = np.may_share_memory(host, result)
        if async_ or stream is not None:
            driver.memcpy_dtoh_async(host, source.gpudata, stream)
            _finish(stream, async_ and in_result)
        else:
            driver.memcpy_dtoh(host, source.gpudata)
        if not in_result:
            source._in_order(ary)[...] = host
            if not np.may_share_memory(ary, result):
                result[...] = ary.reshape(result.shape)
        return result

    def get_async(self, stream: Any = None, ary: np.ndarray | None = None) -> np.ndarray:
        """As `get`, when the stream gets there; a new array is page-locked."""
        return self.get(ary, pagelocked=True, async_=True, stream=stream)

    def _new_host(self, pagelocked: bool) -> np.ndarray:
        """A host array with its axes in memory as here."""
        make = driver.pagelocked_empty if pagelocked else np.empty
        if self._packed:
            return make(self.shape, self.dtype)
        axes = axes_of(self.strides)
        host = make(tuple(self.shape[d] for d in axes), self.dtype)
        return host.transpose(np.argsort(axes))

    def _check_host(self, ary: Any) -> np.ndarray:
        if not isinstance(ary, np.ndarray):
            raise TypeError(f'get() fills a NumPy array, not {type(ary).__name__}')
        if ary.size != self.size:
            raise ValueError(f'self and ary must be the same size, not {self.size} and {ary.size}')
        if ary.dtype != self.dtype:
            raise TypeError(
                f'self and ary must have the same dtype, not {self.dtype} and {ary.dtype}'
            )
        if ary.shape != self.shape:
            warnings.warn('get() into an array of different shape.', stacklevel=3)
        return ary

    def _packed_copy(self, stream: Any = None) -> GPUArray:
        """A copy without gaps, with its axes in memory as here."""
        copy = self._like(self.dtype)
        _move(copy, self, stream)
        return copy

    def copy(self, stream: Any = None) -> GPUArray:
        """A new array with the same elements, its axes in memory as here."""
        return self._packed_copy(stream)

    # --- views ---

    def __getitem__(self, index: Any) -> GPUArray:
        """A view: of integers, slices, `...` and `None` (a new axis of length 1)."""
        shape, strides, offset = indexed(self, index)
        return self._view(shape, strides, offset)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Copies a number, GPUArray or host array into a part, to whose shape it is broadcast."""
        part = self[index]
        if isinstance(value, GPUArray):
            assign(part, value)
            return
        if part.dtype.kind != 'V' and not (isinstance(value, np.ndarray) and value.ndim):
            part.fill(value)
            return
        host = np.asarray(value)
        if host.dtype != part.dtype and not np.can_cast(host.dtype, part.dtype, 'same_kind'):
            raise ValueError(f'{host.dtype} cannot be assigned to elements of {part.dtype}')
        part.set(np.broadcast_to(host.astype(part.dtype, copy=False), part.shape))

    def reshape(self, *shape: Any, order: str = 'C') -> GPUArray:
        """A view of another shape; one extent may be -1. Never copies.

        Parameters
        ----------
        *shape : int, or one sequence of int
        order : {'C', 'F', 'A'}
            Of the result, for which the memory of a contiguous array is taken as it lies, whatever
            the array's own order: as in PyCUDA, where NumPy would copy. 'A' is the array's own. In
            an array with gaps, the order in which elements are read and placed, as in NumPy.

        Raises
        ------
        ValueError
            The sizes differ, or the array has gaps that the shape does not allow: copy() first.
        """
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        new = list(np.atleast_1d(wanted).tolist()) if not isinstance(wanted, tuple) else [*wanted]
        new = [operator.index(n) for n in new]
        unknown = [d for d, n in enumerate(new) if n == -1]
        if len(unknown) > 1:
            raise ValueError('can only specify one unknown dimension')
        known = math.prod(n for n in new if n >= 0)
        if unknown and known and self.size % known == 0:
            new[unknown[0]] = self.size // known
        if math.prod(new) != self.size or min(new, default=0) < 0:
            raise ValueError(f'an array of {self.size} elements has no shape {tuple(new)}')
        flags, order = self.flags, order.upper()
        if order == 'A':
            order = 'F' if flags.f_contiguous and not flags.c_contiguous else 'C'
        if flags.forc:
            strides = order_strides(self.dtype.itemsize, tuple(new), order)
        else:
            strides = view_strides(self, tuple(new), order)
        if strides is None:
            raise ValueError(
                f'an array of shape {self.shape} and strides {self.strides} cannot be seen as '
                f'{tuple(new)} without a copy: use a.copy().reshape(...)'
            )
        return self._view(tuple(new), strides)

    def ravel(self) -> GPUArray:
        """The elements as an array of one dimension.

        A view of a contiguous array's memory as it lies, as in PyCUDA; a copy in C order of one
        with gaps.
        """
        return (self if self.flags.forc else self._c_copy()).reshape(self.size)

    def _c_copy(self) -> GPUArray:
        """The array itself if it is C-contiguous, else a copy that is."""
        if self._packed:
            return self
        copy = self._like(self.dtype, self.shape)
        _move(copy, self)
        return copy

    def squeeze(self) -> GPUArray:
        """A view without the axes of length 1."""
        kept = [d for d, n in enumerate(self.shape) if n != 1]
        return self._view(tuple(self.shape[d] for d in kept), tuple(self.strides[d] for d in kept))

    def transpose(self, axes: Sequence[int] | None = None) -> GPUArray:
        """A view with the axes in another order, by default reversed."""
        count = len(self.shape)
        order = range(count - 1, -1, -1) if axes is None else axes
        places = [operator.index(d) + (count if d < 0 else 0) for d in order]
        if sorted(places) != list(range(count)):
            raise ValueError(f'axes {tuple(order)} are not those of {count} dimensions')
        return self._view(
            tuple(self.shape[d] for d in places), tuple(self.strides[d] for d in places)
        )

    @property
    def T(self) -> GPUArray:
        """A view with the axes reversed."""
        return self.transpose()

    def view(self, dtype: Any = None) -> GPUArray:
        """A view of the same bytes as elements of another dtype.

        Raises
        ------
        ValueError
            The elements' sizes differ, and those of the last axis do not lie together or are not a
            whole number of new ones.
        """
        if dtype is None:
            return self._view(self.shape, self.strides)
        dtype = _dtype(dtype)
        old, new = self.dtype.itemsize, dtype.itemsize
        if old == new:
            return self._view(self.shape, self.strides, dtype=dtype)
        axis = -1
        if not self._packed and self.flags.f_contiguous:
            axis = 0
        if not self.shape or (self.shape[axis] != 1 and self.strides[axis] != old):
            raise ValueError(
                f'elements of {old} bytes become ones of {new} only along an axis without gaps: '
                'use a.copy().view(dtype)'
            )
        if self.shape[axis] * old % new:
            raise ValueError(f'{self.shape[axis]} elements of {old} bytes are not ones of {new}')
        shape, strides = list(self.shape), list(self.strides)
        shape[axis], strides[axis] = shape[axis] * old // new, new
        return self._view(tuple(shape), tuple(strides), dtype=dtype)

    @property
    def real(self) -> GPUArray:
        """The real parts: a view of a complex array, else the array itself."""
        if self.dtype.kind != 'c':
            return self
        return self._view(self.shape, self.strides, dtype=real_of(self.dtype))

    @property
    def imag(self) -> GPUArray:
        """The imaginary parts: a view of a complex array, else zeros."""
        if self.dtype.kind != 'c':
            from .gpuarray import zeros_like

            return zeros_like(self)
        part = real_of(self.dtype)
        return self._view(self.shape, self.strides, part.itemsize, part)

    # --- elements ---

    def fill(self, value: Any, stream: Any = None) -> GPUArray:
        """Sets all elements to a number or struct. Returns the array."""
        item = _item(value, self.dtype)
        if self.size:
            fill_value(self, item, stream, self._is_dense())
        return self

    def astype(self, dtype: Any, stream: Any = None, copy: bool = True) -> GPUArray:
        """The elements as those of another dtype, in a new array."""
        dtype = np.dtype(dtype)
        if dtype == self.dtype:
            return self.copy(stream) if copy else self
        out = self._like(dtype)
        _cast(out, self, stream)
        return out

    def conj(self, out: GPUArray | None = None) -> GPUArray:
        """The conjugates of complex elements; of real ones the array itself, unless `out` is given.

        Parameters
        ----------
        out : GPUArray, optional
            Filled and returned; its precision may differ.
        """
        if self.dtype.kind != 'c':
            if out is None:
                return self
            if not isinstance(out, GPUArray):
                raise TypeError(f'out must be a GPUArray, not {type(out).__name__}')
            assign(out, self)
            return out
        return _map('conj', 'z0 = Z0(pycuda::conj(x0))', self, self.dtype, out)

    conjugate = conj

    def reverse(self, stream: Any = None) -> GPUArray:
        """The elements of an array of one dimension from the last to the first, in a new array."""
        if self.ndim != 1:
            raise ValueError('reverse() is for arrays of one dimension: use a[::-1, ...]')
        return self[::-1].copy(stream)

    def any(self, stream: Any = None, allocator: Allocator | None = None) -> GPUArray:
        """Whether an element is not 0, as a truth value without dimensions."""
        from .reduction import truth_of

        return truth_of('any', self, stream, allocator)

    def all(self, stream: Any = None, allocator: Allocator | None = None) -> GPUArray:
        """Whether no element is 0, as a truth value without dimensions."""
        from .reduction import truth_of

        return truth_of('all', self, stream, allocator)

    def mul_add(
        self,
        selffac: Any,
        other: GPUArray,
        otherfac: Any,
        add_timer: Any = None,
        stream: Any = None,
        out: GPUArray | None = None,
    ) -> GPUArray:
        """``selffac * self + otherfac * other``, in one pass."""
        common = common_of(self.dtype, other.dtype)
        for factor in (selffac, otherfac):
            common = common_of(common, factor)
        target = self._like(common, shape_of([self, other])) if out is None else out
        one, two = (Scalar(convert(f, common), common) for f in (selffac, otherfac))
        rule = Rule.of('z0 = Z0(C(x1) * C(x0) + C(x3) * C(x2))', common)
        into('mul_add', rule, target, [self, one, other, two], stream)
        return target

    def bind_to_texref(self, texref: Any, allow_offset: bool = False) -> Any:
        """Raises LogicError: compilers make no texture references any more."""
        raise _no_texture('bind_to_texref')

    def bind_to_texref_ext(self, texref: Any, *args: Any, **kwargs: Any) -> Any:
        """Raises LogicError: compilers make no texture references any more."""
        raise _no_texture('bind_to_texref_ext')

    # --- operators ---

    def __neg__(self) -> GPUArray:
        if self.dtype.kind == 'b':
            raise TypeError('bool arrays have no negative: a == False is their opposite')
        return _map('negative', 'z0 = Z0(-x0)', self, self.dtype)

    def __pos__(self) -> GPUArray:
        return self.copy()

    def __abs__(self) -> GPUArray:
        kind = self.dtype.kind
        if kind in 'bu':
            return self.copy()
        function = {'c': 'pycuda::abs(x0)', 'f': 'fabs(x0)'}.get(kind, 'x0 < 0 ? -x0 : x0')
        return _map('absolute', f'z0 = Z0({function})', self, real_of(self.dtype))

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        if modulo is not None:
            return NotImplemented
        if type(other) in (int, float) and self.dtype.kind != 'b':
            short = _short_power(self, other)
            if short is not None:
                return short
        return _operate('power', self, other)

    def __ipow__(self, other: Any) -> Any:
        _check_power(self.dtype, other)
        return _operate_in_place('power', self, other)

    def __rpow__(self, other: Any) -> Any:
        return _operate('power', self, other, flip=True)


#: Kernels and copies take such arrays by `gpudata` and `dtype`.
_core._set_array_type(GPUArray)


def _operators(name: str) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """The methods of an operator: a op b, b op a, a op= b."""

    def left(self: GPUArray, other: Any) -> Any:
        if isinstance(other, GPUArray):
            return binary(name, self, other, True)
        return _operate(name, self, other)

    def right(self: GPUArray, other: Any) -> Any:
        return _operate(name, self, other, flip=True)

    def inside(self: GPUArray, other: Any) -> Any:
        return _operate_in_place(name, self, other)

    return left, right, inside


for _short, _name in {
    'add': 'add',
    'sub': 'subtract',
    'mul': 'multiply',
    'truediv': 'true_divide',
}.items():
    for _prefix, _method in zip(('', 'r', 'i'), _operators(_name), strict=True):
        _method.__name__ = f'__{_prefix}{_short}__'
        _method.__qualname__ = f'GPUArray.{_method.__name__}'
        setattr(GPUArray, _method.__name__, _method)

for _short, _name in {
    'eq': 'equal',
    'ne': 'not_equal',
    'lt': 'less',
    'le': 'less_equal',
    'gt': 'greater',
    'ge': 'greater_equal',
}.items():
    _method = _operators(_name)[0]
    _method.__name__ = f'__{_short}__'
    _method.__qualname__ = f'GPUArray.{_method.__name__}'
    setattr(GPUArray, _method.__name__, _method)
GPUArray.__hash__ = None  # type: ignore[assignment]
# Under their names of Python 2, which programs for PyCUDA call.
for _prefix in ('', 'r', 'i'):
    setattr(GPUArray, f'__{_prefix}div__', getattr(GPUArray, f'__{_prefix}truediv__'))


def _refuse(name: str, other: np.ndarray) -> TypeError:
    return TypeError(
        f'{name}: a GPUArray and a host array of shape {other.shape} do not mix: '
        'to_gpu(array) takes it to the device'
    )


def _operate(name: str, a: GPUArray, other: Any, flip: bool = False) -> Any:
    if isinstance(other, GPUArray):
        return binary(name, a, other, True, flip)
    number = other if type(other) in (int, float) else scalar(other)
    if number is None:
        if isinstance(other, np.ndarray):
            raise _refuse(name, other)
        return NotImplemented
    if name == 'power' and not flip:
        _check_power(a.dtype, number)
    if name in COMPARISONS:
        number = comparable(a.dtype, number)
    return binary(name, a, number, False, flip)


def _operate_in_place(name: str, a: GPUArray, other: Any) -> Any:
    if isinstance(other, GPUArray):
        return in_place(name, a, other, True)
    number = scalar(other)
    if number is None:
        if isinstance(other, np.ndarray):
            raise _refuse(name, other)
        return NotImplemented
    return in_place(name, a, number, False)


def _check_power(dtype: np.dtype, exponent: Any) -> None:
    number = scalar(exponent)
    is_whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if is_whole and number < 0 and dtype.kind in 'biu':
        raise ValueError('whole numbers to negative whole powers are fractions: use astype() first')


def _short_power(a: GPUArray, exponent: float) -> GPUArray | None:
    """Powers that are simpler operations; None for the others."""
    if exponent == 2 and common_of(a.dtype, exponent) == a.dtype:
        return _map('square', 'z0 = Z0(x0 * x0)', a, a.dtype)
    if exponent == 1 and common_of(a.dtype, exponent) == a.dtype:
        return a.copy()
    if exponent == 0.5 and a.dtype.kind == 'f':
        function = 'sqrtf' if is_float(a.dtype) else 'sqrt'
        return _map('sqrt', f'z0 = {function}(x0)', a, a.dtype)
    return None


# --- helpers of methods ---------------------------------------------------------------------------


def _finish(stream: Any, is_later: bool) -> None:
    """Waits for a stream's work, unless somebody does so later."""
    if not is_later:
        driver.Event(driver.event_flags.DISABLE_TIMING).record(stream).synchronize()


def _is_async(async_: bool, old: dict[str, Any]) -> bool:
    """The value of async_, which was called async before Python 3.7."""
    unknown = [name for name in old if name != 'async']
    if unknown:
        raise TypeError(f'get() got an unexpected keyword argument {unknown[0]!r}')
    return bool(old.get('async', async_))


def _move(out: Any, source: Any, stream: Any = None) -> None:
    """Copies elements between arrays of one shape and dtype."""
    if out.size == 0:
        return
    if out.strides == source.strides and isinstance(source, GPUArray) and source._is_dense():
        driver.memcpy_dtod_async(out.gpudata, source.gpudata, source.nbytes, stream)
        return
    target = moved(out)
    values = moved(source)
    if values.dtype != target.dtype:  # one of them lies at odd addresses
        word = math.gcd(values.dtype.base.itemsize, target.dtype.base.itemsize)
        target, values = moved(out, word), moved(source, word)
    apply('copy', 'z0 = x0', [target], [values], target.dtype, stream)


def _cast(out: GPUArray, source: Any, stream: Any = None) -> None:
    """Computes elements of one dtype from those of another, of one shape."""
    if source.dtype.kind == 'V' or out.dtype.kind == 'V':
        raise TypeError(f'elements of {source.dtype} do not become ones of {out.dtype}')
    value = 'x0'
    if source.dtype.kind == 'c' and out.dtype.kind not in 'cb':
        warnings.warn(
            'Casting complex values to real discards the imaginary part',
            getattr(np, 'exceptions', np).ComplexWarning,
            stacklevel=3,
        )
        value = 'x0.real()'
    if source.dtype.kind == 'c' and out.dtype.kind == 'b':
        expression = 'z0 = x0.real() != 0 || x0.imag() != 0'
    elif source.dtype.kind in 'fc' and out.dtype.kind in 'iu':
        expression = f'z0 = runcu::whole<Z0>({value})'
    else:
        expression = f'z0 = Z0({value})'
    apply('astype', expression, [out], [source], source.dtype, stream)


def _no_texture(name: str) -> driver.LogicError:
    return driver.LogicError(
        f'{name}: CUDA 12 removed texture references: let the kernel read the array by its pointer '
        '(with const and __restrict__ through the same cache)'
    )


def assign(out: GPUArray, value: GPUArray) -> None:
    """Copies elements, broadcast and converted within their kind."""
    source = broadcast(value, out.shape)
    if (out.ptr, out.strides, out.dtype) == (value.ptr, source.strides, value.dtype):
        return  # as after a[1:] += b
    if overlap(out, source):
        source = broadcast(value.copy(), out.shape)
    if value.dtype == out.dtype:
        _move(out, source)
    elif np.can_cast(value.dtype, out.dtype, 'same_kind'):
        _cast(out, source)
    else:
        raise ValueError(
            f'{value.dtype} cannot be assigned to elements of {out.dtype}: use astype()'
        )


def _map(
    name: str, expression: str, array: GPUArray, dtype: np.dtype, out: GPUArray | None = None
) -> GPUArray:
    """Applies an expression of x0 to every element; the result is new, or `out`."""
    result = array._like(dtype) if out is None else out
    source: Any = broadcast(array, result.shape)
    if out is not None and overlap(out, source):
        source = array.copy()
    apply(name, expression, [result], [source], array.dtype)
    return result


def _item(value: Any, dtype: np.dtype) -> np.ndarray:
    """A number or struct as an array without dimensions; an error that names both otherwise."""
    if isinstance(value, GPUArray):
        value = value.get()
    item = np.asarray(value)
    if item.ndim and dtype.kind != 'V':
        raise ValueError(f'one element is expected, not an array of shape {item.shape}')
    if isinstance(value, (bool, int)) and dtype.kind in 'iu':
        return np.array(convert(value, dtype), dtype)
    if item.dtype.kind == 'c' and dtype.kind not in 'cV':
        raise TypeError(f'a complex number does not fit an element of {dtype}')
    with np.errstate(over='ignore'):
        return np.asarray(value if dtype.kind == 'V' else item, dtype).reshape(())

"""What Python adds to modules and kernels: variables as arrays, and how they show themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from . import _core
from ._dtypes import TYPE_REGISTRY, TypeNameNotKnown
from ._errors import LogicError

# --- variables ------------------------------------------------------------------------------------

#: enum runcu_param_kind: the dtypes' letters, and names of those that need ml_dtypes.
_LETTERS = {1: 'b', 2: 'i', 3: 'u', 4: 'f', 5: 'u'}
_SMALL = {7: '__nv_bfloat16', 8: '__nv_fp8_e4m3', 9: '__nv_fp8_e5m2'}


def _dtype(element: str, kind: int, item: int) -> np.dtype:
    """The dtype of elements: bytes (V) where there is none of that name."""
    if kind in _LETTERS:
        return np.dtype(f'{_LETTERS[kind]}{item}')
    name = element.replace('const ', '').replace('volatile ', '')
    try:
        found = TYPE_REGISTRY.find(_SMALL.get(kind, name))
        if found.itemsize == item:
            return found
    except TypeNameNotKnown:
        pass
    if item == 1 or kind in _SMALL:
        return np.dtype(f'u{item}')
    return np.dtype(f'V{item}')


def _to_host(value: Any) -> Any:
    """An array on the device, as one on the host."""
    return value.get() if hasattr(value, 'gpudata') and hasattr(value, 'get') else value


class Global:
    """A `__device__`, `__constant__` or `__managed__` variable as an array.

    >>> mod.globals['table'][:] = np.arange(12).reshape(4, 3)
    >>> mod.globals['table'][1]
    array([3., 4., 5.], dtype=float32)

    Indexing gives copies in host memory; assigning converts and broadcasts as NumPy does, and
    copies what is assigned to, or for what has gaps the whole variable. The copies keep the legacy
    default stream's order. A kernel takes it as a pointer to its first element.

    The type is exact for modules from source (of a struct the dtype that was registered by
    `runcu.tools.get_or_register_dtype` under its name, else bytes: see `view`). In other modules
    arrays are bytes, and integers of unknown sign are unsigned.

    Attributes
    ----------
    name : str
        In C++.
    type : str
        In C++, "const float [4][3]"; empty if it is unknown.
    dtype : numpy.dtype
    shape : tuple of int
    nbytes : int
    is_constant : bool or None
        Whether it is in constant memory; None if the image does not tell.
    """

    def __init__(self, module: _core.Module, name: str) -> None:
        found, self.type, element, kind, item, self.shape, self.nbytes, constant = (
            module.describe_global(name)
        )
        self.module = module
        self.name = found
        self.is_constant = None if constant < 0 else bool(constant)
        self.dtype = _dtype(element, kind, item)
        self._asked = name

    @property
    def size(self) -> int:
        """Elements."""
        return self.nbytes // self.dtype.itemsize

    @property
    def ndim(self) -> int:
        """Dimensions; 0 of a scalar."""
        return len(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def gpudata(self) -> int:
        """Its address, a CUdeviceptr."""
        return self.module.get_global(self._asked)[0]

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            'shape': self.shape,
            'typestr': self.dtype.str,
            'descr': self.dtype.descr,
            'data': (self.gpudata, False),
            'strides': None,
            'version': 3,
        }

    def view(self, dtype: Any) -> Global:
        """The same memory as elements of another dtype: as NumPy's view of an array."""
        other = Global.__new__(Global)
        other.__dict__.update(self.__dict__)
        like = np.empty(self.shape, self.dtype).view(dtype)
        other.shape, other.dtype = like.shape, like.dtype
        return other

    def get(self) -> np.ndarray:
        """Its contents, as an array in host memory."""
        host = np.empty(self.shape, self.dtype)
        self.module.read_global(self._asked, _bytes(host))
        return host

    def set(self, value: Any) -> None:
        """Its contents become `value`: as ``[...] = value``."""
        self[...] = value

    def _part(self, key: Any) -> tuple[np.ndarray, np.ndarray, int]:
        """Room for all of it, the part that `key` means, and where that begins.

        A part that has gaps, or is a copy, is -1. Pages that nothing is written to cost nothing.
        """
        host = np.empty(self.shape, self.dtype)
        keys = key if isinstance(key, tuple) else (key,)
        is_plain = all(isinstance(k, (int, np.integer, slice)) for k in keys)
        part = host[(*keys, ...)] if is_plain else host[key]
        if not isinstance(part, np.ndarray) or not part.flags.c_contiguous:
            return host, part, -1
        if not (part is host or part.base is host):
            return host, part, -1
        return host, part, part.ctypes.data - host.ctypes.data

    def __getitem__(self, key: Any) -> Any:
        host, part, offset = self._part(key)
        if offset < 0:
            return self.get()[key]
        self.module.read_global(self._asked, _bytes(part), offset)
        return part if part.ndim else part[()]

    def __setitem__(self, key: Any, value: Any) -> None:
        host, part, offset = self._part(key)
        if offset < 0:
            host, offset = self.get(), 0
            part = host
            host[key] = _to_host(value)
        else:
            part[...] = _to_host(value)
        self.module.write_global(self._asked, _bytes(part), offset)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError('a variable on the device cannot become an array without a copy')
        host = self.get()
        return host if dtype is None else host.astype(dtype, copy=False)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f'{self.name} is no array')
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        len(self)
        return iter(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __repr__(self) -> str:
        space = {None: '', True: '__constant__ ', False: '__device__ '}[self.is_constant]
        shown = _declared(self.type, self.name) if self.type else f'{self.nbytes} bytes {self.name}'
        return f'<{space}{shown}: dtype={self.dtype}, shape={self.shape}>'


def _bytes(array: np.ndarray) -> np.ndarray:
    """A contiguous array's memory: some dtypes have no buffers."""
    return array.reshape(-1).view(np.uint8)


def _declared(type_name: str, name: str) -> str:
    """ "float table[4]" of "float [4]"."""
    element, bracket, extents = type_name.partition(' [')
    space = '' if element.endswith('*') else ' '
    return f'{element}{space}{name}{"[" + extents if bracket else ""}'


class Globals(Mapping[str, Global]):
    """The variables of a module by their C++ or PTX names.

    ``module.globals['k'] = value`` is short for ``module.globals['k'][...] = value``.
    """

    def __init__(self, module: _core.Module) -> None:
        self._module = module

    def __getitem__(self, name: str) -> Global:
        try:
            return Global(self._module, name)
        except LogicError as e:
            raise KeyError(_Message(e)) from None

    def __setitem__(self, name: str, value: Any) -> None:
        self[name][...] = value

    def __contains__(self, name: object) -> bool:
        try:
            self._module.get_global(name)  # type: ignore[arg-type]
        except (LogicError, TypeError, ValueError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._module.variable_names)

    def __len__(self) -> int:
        return len(self._module.variable_names)

    def __repr__(self) -> str:
        return f'<globals: {", ".join(self) or "none"}>'


class _Message(str):
    """A text that KeyError shows as it stands."""

    __slots__ = ()

    def __new__(cls, error: object) -> _Message:
        return super().__new__(cls, str(error))

    def __repr__(self) -> str:
        return str(self)


# --- how modules and kernels show themselves ------------------------------------------------------


class _OfEach:
    """An attribute that each object computes, and that its class has as well."""

    def __init__(self, own: Callable[[Any], Any], of_class: Any) -> None:
        self.own, self.of_class = own, of_class

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.of_class if instance is None else self.own(instance)


def parameter_types(signature: str) -> list[str] | None:
    """ "float *" and "int" of "add(float *, int)"; None if they are unknown."""
    depth, parts, part = 0, [], ''
    for char in reversed(signature[:-1]):
        depth += (char in ')>]') - (char in '(<[')
        if depth < 0:
            break
        if char == ',' and depth == 0:
            parts.append(part)
            part = ''
        else:
            part = char + part
    types = [p.strip() for p in reversed([*parts, part])]
    if types == ['?']:
        return None
    return [] if types == [''] else types


def _signature(kernel: _core.Function) -> inspect.Signature:
    kind = inspect.Parameter
    types = parameter_types(kernel.signature)
    if types is None:
        own = [kind('args', kind.VAR_POSITIONAL)]
    else:
        own = [kind(f'arg{i}', kind.POSITIONAL_ONLY, annotation=t) for i, t in enumerate(types)]
    options = {
        'block': (256, 1, 1),
        'grid': (1, 1),
        'stream': None,
        'shared': 0,
        'time_kernel': False,
        'strict': False,
    }
    named = [kind(name, kind.KEYWORD_ONLY, default=value) for name, value in options.items()]
    return inspect.Signature([*own, *named, kind('attributes', kind.VAR_KEYWORD)])


def _function_doc(kernel: _core.Function) -> str:
    return f'{kernel.signature}\n\n{_FUNCTION_DOC}'


def describe(module: _core.Module) -> str:
    """One line a kernel and a variable."""
    lines = [f'    {s}' for s in module.kernel_signatures]
    lines += [f'    {name}' for name in module.variable_names]
    return '\n'.join(['Kernels and variables:', *(lines or ['    unknown'])])


def _module_doc(module: _core.Module) -> str:
    return f'{_MODULE_DOC}\n\n{describe(module)}'


def names(module: _core.Module) -> Iterable[str]:
    """Of kernels and variables, those that can stand behind a dot."""
    return [n for n in (*module.kernel_names, *module.variable_names) if n.isidentifier()]


def show(module: _core.Module, kind: str) -> str:
    """A short text: "<runcu.driver.Module: add(float *, int), 2 more kernels, 1 variable>"."""
    most = 3
    parts = module.kernel_signatures[:most]
    more = len(module.kernel_names) - len(parts)
    if more:
        parts.append(f'{more} more kernel{"s" * (more > 1)}')
    count = len(module.variable_names)
    if count:
        parts.append(f'{count} variable{"s" * (count > 1)}')
    return f'<{kind}: {", ".join(parts)}>' if parts else f'<{kind}>'


def _show_module(module: _core.Module) -> str:
    return show(module, 'runcu.driver.Module')


# --- pickling -------------------------------------------------------------------------------------


def _reduce_module(module: _core.Module) -> tuple[Any, ...]:
    return _core.module_restore, (module.save(),)


def restore_function(
    module: _core.Module, symbol: str, name: str, arg_format: str | None
) -> _core.Function:
    """A kernel of a module that was restored; its symbol may be another compiler's."""
    try:
        kernel = module.get_function(symbol)
    except LogicError:
        kernel = module.get_function(name)
    return kernel if arg_format is None else kernel.prepare(arg_format)


def _reduce_function(kernel: _core.Function) -> tuple[Any, ...]:
    return restore_function, (kernel.module, kernel.symbol, kernel.name, kernel.arg_format)


def _same(thing: Any, memo: Any = None) -> Any:
    """Code is not changed, so that a copy may be the thing itself."""
    return thing


_FUNCTION_DOC = _core.Function.__doc__
_MODULE_DOC = _core.Module.__doc__

_core.Function.__doc__ = _OfEach(_function_doc, _FUNCTION_DOC)  # type: ignore[assignment]
_core.Function.__signature__ = _OfEach(_signature, None)  # type: ignore[attr-defined]
_core.Module.__doc__ = _OfEach(_module_doc, _MODULE_DOC)  # type: ignore[assignment]
_core.Module.__repr__ = _show_module  # type: ignore[method-assign,assignment]
_core.Module.__reduce__ = _reduce_module  # type: ignore[method-assign,assignment]
_core.Function.__reduce__ = _reduce_function  # type: ignore[method-assign,assignment]
for _class in (_core.Module, _core.Function):
    _class.__copy__ = _class.__deepcopy__ = _same  # type: ignore
_core.Module.globals = property(Globals, doc='Variables as arrays, by name.')  # type: ignore

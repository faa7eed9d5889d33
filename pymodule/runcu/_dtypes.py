"""C's names of NumPy's types, and C parameter lists.

What is public of it is so as `runcu.tools`, `runcu.gpuarray.vec` and `runcu.compyte.dtypes`.
"""

from __future__ import annotations

import _thread
import builtins
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = [
    'TYPE_REGISTRY',
    'Argument',
    'DTypeRegistry',
    'ScalarArg',
    'TypeNameNotKnown',
    'VectorArg',
    'dtype_to_ctype',
    'get_arg_type',
    'get_or_register_dtype',
    'parse_c_arg',
    'parse_c_arg_backend',
    'parse_c_args',
    'register_dtype',
    'vec',
]


class TypeNameNotKnown(builtins.RuntimeError, KeyError):
    """A name that stands for no registered type."""

    __str__ = Exception.__str__


# --- names ----------------------------------------------------------------------------------------

_INTEGER_WORDS = {'signed', 'unsigned', 'char', 'short', 'int', 'long'}

_INTEGERS = {
    '': 'int',
    'char': 'char',
    'short': 'short',
    'long': 'long',
    'long long': 'long long',
}


def _integer_name(words: list[str]) -> str | None:
    """The one spelling of an integer type, whose words C takes in any order; None if it is none."""
    size = ' '.join(sorted(w for w in words if w in ('char', 'short', 'long')))
    signs = [w for w in words if w.endswith('signed')]
    if size not in _INTEGERS or len(signs) > 1 or words.count('int') > (size != 'char'):
        return None
    if signs == ['unsigned'] or (signs and size == 'char'):
        return f'{signs[0]} {_INTEGERS[size]}'
    return _INTEGERS[size]


def _normalize(name: str) -> str:
    """A type's name with its spaces, and the words of an integer type, as the registry has them."""
    text = re.sub(r'\s*([<>,*]|::)\s*', r'\1', ' '.join(name.split()))
    words = text.split(' ')
    if set(words) <= _INTEGER_WORDS:
        return _integer_name(words) or text
    return text


#: Types that NumPy has only with the package ml_dtypes: its names, by CUDA's.
_FOREIGN = {
    '__nv_bfloat16': 'bfloat16',
    'nv_bfloat16': 'bfloat16',
    '__nv_fp8_e4m3': 'float8_e4m3fn',
    '__nv_fp8_e5m2': 'float8_e5m2',
}


def _foreign_dtype(name: str) -> np.dtype:
    try:
        import ml_dtypes
    except ImportError:
        raise TypeNameNotKnown(
            f"unknown type '{name}': NumPy has it with the package ml_dtypes"
        ) from None
    return np.dtype(getattr(ml_dtypes, _FOREIGN[name]))


def _foreign_name(dtype: np.dtype) -> str | None:
    """CUDA's name of a type of ml_dtypes, or None."""
    if dtype.fields is None and dtype.type.__module__.partition('.')[0] == 'ml_dtypes':
        for name, other in _FOREIGN.items():
            if dtype.name == other:
                return name
    return None


class DTypeRegistry:
    """Which name C has for a dtype, and which dtype a name of C's stands for.

    Attributes
    ----------
    dtype_to_name : dict
        The first name under which each dtype was registered.
    name_to_dtype : dict
        All names.
    """

    def __init__(self) -> None:
        self.dtype_to_name: dict[np.dtype, str] = {}
        self.name_to_dtype: dict[str, np.dtype] = {}
        self._lock = _thread.allocate_lock()

    def find(self, name: str) -> np.dtype:
        """The dtype of a name, however it is spaced; TypeNameNotKnown if it has none."""
        normal = _normalize(name)
        for spelling in (name, normal):
            if spelling in self.name_to_dtype:
                return self.name_to_dtype[spelling]
        if normal in _FOREIGN:
            return _foreign_dtype(normal)
        raise TypeNameNotKnown(f"unknown type '{name}'")

    def get_or_register_dtype(self, c_names: Any, dtype: Any = None) -> np.dtype:
        """The dtype of names, which are registered first if `dtype` is given.

        Parameters
        ----------
        c_names : str or sequence of str
            Names that C has for one type.
        dtype : dtype, optional
            Without it all names must be known, as one type.

        Returns
        -------
        numpy.dtype
            The one that is registered, where an equal one was.

        Raises
        ------
        RuntimeError
            A name stands for another type already; nothing is registered then.
        TypeNameNotKnown
            Without `dtype`: a name is not known.
        """
        names = [c_names] if isinstance(c_names, str) else list(c_names)
        if not names:
            raise ValueError('a type needs a name')
        if dtype is None:
            found = [self.find(name) for name in names]
            if any(other != found[0] for other in found):
                raise ValueError(f'names of different types: {", ".join(names)}')
            return found[0]
        with self._lock:
            return self._register([_normalize(name) for name in names], np.dtype(dtype))

    def _register(self, names: list[str], dtype: np.dtype) -> np.dtype:
        for name in names:
            if self.name_to_dtype.get(name, dtype) != dtype:
                raise builtins.RuntimeError(f"name '{name}' already registered to different dtype")
        first = self.dtype_to_name.setdefault(dtype, names[0])
        dtype = self.name_to_dtype.setdefault(first, dtype)
        for name in names:
            self.name_to_dtype.setdefault(name, dtype)
        return dtype

    def dtype_to_ctype(self, dtype: Any) -> str:
        """The name of a dtype; ValueError if it has none."""
        if dtype is None:
            raise ValueError('dtype may not be None')
        dtype = np.dtype(dtype)
        name = self.dtype_to_name.get(dtype) or _foreign_name(dtype)
        if name is None:
            raise ValueError(f"unable to map dtype '{dtype}'")
        return name


_TYPES: list[tuple[list[str], Any]] = [
    (['bool'], np.bool_),
    (['signed char', 'char', 'int8_t'], np.int8),
    (['unsigned char', 'uchar', 'uint8_t'], np.uint8),
    (['short', 'int16_t'], np.int16),
    (['unsigned short', 'ushort', 'uint16_t'], np.uint16),
    (['int', 'int32_t'], np.int32),
    (['unsigned', 'unsigned int', 'uint', 'uint32_t'], np.uint32),
    (['long', 'long long', 'int64_t', 'ptrdiff_t', 'intptr_t', 'ssize_t'], np.int64),
    (
        ['unsigned long', 'unsigned long long', 'ulong', 'uint64_t', 'size_t', 'uintptr_t']
        + ['cudaTextureObject_t', 'cudaSurfaceObject_t', 'CUdeviceptr'],
        np.uint64,
    ),
    (['half', '__half'], np.float16),
    (['float'], np.float32),
    (['double'], np.float64),
    (['pycuda::complex<float>', 'cuFloatComplex', 'cuComplex'], np.complex64),
    (['pycuda::complex<double>', 'cuDoubleComplex'], np.complex128),
]

_VECTORS = [
    ('char', np.int8, 4),
    ('uchar', np.uint8, 4),
    ('short', np.int16, 4),
    ('ushort', np.uint16, 4),
    ('int', np.int32, 4),
    ('uint', np.uint32, 4),
    ('long', np.int64, 4),
    ('ulong', np.uint64, 4),
    ('longlong', np.int64, 2),
    ('ulonglong', np.uint64, 2),
    ('float', np.float32, 4),
    ('double', np.float64, 2),
]


class vec:
    """CUDA's vector types as structured dtypes, and `make_…` of each.

    `vec.float3` is a dtype with the fields x, y and z; `vec.make_float3(1, 2, 3)` is a structured
    array without dimensions, which a kernel takes by value.
    """


def _makers(dtype: np.dtype) -> tuple[Callable[..., np.ndarray], ...]:
    def make1(x: Any) -> np.ndarray:
        return np.array((x,), dtype)

    def make2(x: Any, y: Any) -> np.ndarray:
        return np.array((x, y), dtype)

    def make3(x: Any, y: Any, z: Any) -> np.ndarray:
        return np.array((x, y, z), dtype)

    def make4(x: Any, y: Any, z: Any, w: Any) -> np.ndarray:
        return np.array((x, y, z, w), dtype)

    return make1, make2, make3, make4


def _add_vector(registry: DTypeRegistry, base: str, element: Any, count: int) -> None:
    name = f'{base}{count}'
    fields = [(field, element) for field in 'xyzw'[:count]]
    dtype = registry.get_or_register_dtype(name, np.dtype(fields))
    make = _makers(dtype)[count - 1]
    make.__name__, make.__qualname__ = f'make_{name}', f'vec.make_{name}'
    make.__doc__ = f'A {name} for a kernel.'
    setattr(vec, name, dtype)
    setattr(vec, f'make_{name}', staticmethod(make))


def _fill(registry: DTypeRegistry) -> DTypeRegistry:
    for names, dtype in _TYPES:
        registry.get_or_register_dtype(names, dtype)
    # In one word: generated code writes unsigned(x).
    registry.dtype_to_name[np.dtype(np.uint32)] = 'unsigned'
    for base, element, most in _VECTORS:
        for count in range(1, most + 1):
            _add_vector(registry, base, element, count)
    return registry


TYPE_REGISTRY = _fill(DTypeRegistry())

get_or_register_dtype = TYPE_REGISTRY.get_or_register_dtype

_TEXTURE_NAMES = {
    np.dtype(np.float32): 'fp_tex_float',
    np.dtype(np.float64): 'fp_tex_double',
    np.dtype(np.complex64): 'fp_tex_cfloat',
    np.dtype(np.complex128): 'fp_tex_cdouble',
}


def dtype_to_ctype(dtype: Any, with_fp_tex_hack: bool = False) -> str:
    """The name that C has for a dtype, such as "float" or "pycuda::complex<double>".

    Parameters
    ----------
    dtype : dtype
        A scalar type or one of `get_or_register_dtype`.
    with_fp_tex_hack : bool
        Gives the names under which PyCUDA's texture references carry floating-point types.

    Raises
    ------
    ValueError
        The type has no name.
    """
    if with_fp_tex_hack and dtype is not None:
        name = _TEXTURE_NAMES.get(np.dtype(dtype))
        if name:
            return name
    return TYPE_REGISTRY.dtype_to_ctype(dtype)


def register_dtype(dtype: Any, c_names: Any, alias_ok: bool = False) -> None:
    """Registers names of a dtype; `get_or_register_dtype` takes its place.

    Raises
    ------
    RuntimeError
        The dtype has names already, and `alias_ok` is false.
    """
    import warnings

    warnings.warn(
        'register_dtype is deprecated: use get_or_register_dtype', DeprecationWarning, stacklevel=2
    )
    dtype = np.dtype(dtype)
    known = TYPE_REGISTRY.dtype_to_name.get(dtype)
    if known is not None and not alias_ok:
        raise builtins.RuntimeError(f"dtype '{dtype}' already registered (as '{known}')")
    TYPE_REGISTRY.get_or_register_dtype(c_names, dtype)


# --- parameters -----------------------------------------------------------------------------------


class Argument:
    """A parameter of a kernel.

    Attributes
    ----------
    dtype : numpy.dtype
    name : str
    """

    struct_char = ''

    def __init__(self, dtype: Any, name: str):
        self.dtype = np.dtype(dtype)
        self.name = name

    def declarator(self) -> str:
        """The parameter as C declares it."""
        raise TypeError(f'{type(self).__name__}: VectorArg and ScalarArg can be declared')

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.name!r}, {self.dtype})'

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.dtype, self.name) == (other.dtype, other.name)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.dtype, self.name))


class VectorArg(Argument):
    """A pointer to elements of `dtype`."""

    struct_char = 'P'

    def declarator(self) -> str:
        """The parameter as C declares it, such as "float *x"."""
        return f'{dtype_to_ctype(self.dtype)} *{self.name}'


class ScalarArg(Argument):
    """A number or a struct, by value."""

    def declarator(self) -> str:
        """The parameter as C declares it, such as "float x"."""
        return f'{dtype_to_ctype(self.dtype)} {self.name}'

    @property
    def struct_char(self) -> str:  # type: ignore[override]
        """The code of `Function.prepare`: a letter, or a number of bytes and an "s"."""
        if self.dtype.kind == 'V':  # structs, and what NumPy does not know by itself
            return f'{self.dtype.itemsize}s'
        return self.dtype.char


# Qualifiers of the parameter itself; what stands between < and > belongs to the type.
_QUALIFIER = re.compile(
    r'<.*>|\b(?:const|volatile|restrict|__restrict__|__restrict|__grid_constant__|struct)\b', re.S
)
_DECLARATION = re.compile(
    r'\s*(?P<type>.*?[\w>])\s*(?P<stars>[\s*]*)(?<!\w)(?P<name>[A-Za-z_]\w*)\s*'
    r'(?P<dims>(?:\[[^][]*\]\s*)*)',
    re.S,
)


def parse_c_arg_backend(
    c_arg: str,
    scalar_arg_factory: Callable[[np.dtype, str], Any],
    vec_arg_factory: Callable[[np.dtype, str], Any],
    name_to_dtype: Any = None,
) -> Any:
    """Parses a C parameter; what it is, one of the factories makes of its dtype and name.

    Parameters
    ----------
    c_arg : str
        Such as "const float *__restrict__ x", "unsigned n" or "double m[3]", which is a pointer.
    scalar_arg_factory, vec_arg_factory : callable
        Called with dtype and name.
    name_to_dtype : DTypeRegistry or callable, optional
        Gives a type's dtype, or raises KeyError.

    Raises
    ------
    ValueError
        It is no parameter, or its type is not known.
    """
    if isinstance(name_to_dtype, DTypeRegistry):
        name_to_dtype = name_to_dtype.find
    plain = _QUALIFIER.sub(lambda m: m[0] if m[0].startswith('<') else ' ', c_arg)
    match = _DECLARATION.fullmatch(plain)
    if match is None or _normalize(match['name']) in TYPE_REGISTRY.name_to_dtype:
        raise ValueError(f"couldn't parse C declarator '{c_arg}': a type and a name are expected")
    if match['stars'].count('*') + bool(match['dims']) > 1:
        raise ValueError(f"'{c_arg}' is a pointer to pointers, for which there is no dtype")
    try:
        dtype = (name_to_dtype or TYPE_REGISTRY.find)(' '.join(match['type'].split()))
    except KeyError as e:
        told = str(e) if isinstance(e, TypeNameNotKnown) else f"unknown type '{match['type']}'"
        raise ValueError(told) from None
    is_vector = '*' in match['stars'] or match['dims']
    return (vec_arg_factory if is_vector else scalar_arg_factory)(dtype, match['name'])


def parse_c_arg(c_arg: str) -> Argument:
    """A C parameter, such as "const float *x", as a `VectorArg` or `ScalarArg`.

    Raises
    ------
    ValueError
        It is no parameter, or its type is not known: `get_or_register_dtype` makes it so.
    """
    return parse_c_arg_backend(c_arg, ScalarArg, VectorArg)


def _split(text: str) -> Iterable[str]:
    """The parts of a list, at commas that no bracket encloses."""
    depth = start = 0
    for i, c in enumerate(text):
        depth += (c in '<([') - (c in '>)]')
        if c == ',' and depth == 0:
            yield text[start:i]
            start = i + 1
    yield text[start:]


def parse_c_args(c_args: str) -> list[Argument]:
    """A list of C parameters, such as "float *x, pair<int, float> *y, int n"; may be empty."""
    return [parse_c_arg(part) for part in _split(c_args)] if c_args.strip() else []


def get_arg_type(c_arg: str) -> str:
    """The code of `Function.prepare` for a C parameter."""
    return parse_c_arg(c_arg).struct_char

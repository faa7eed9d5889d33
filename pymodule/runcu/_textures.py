"""CUDA arrays from host and device arrays, texture objects, and why texture references are gone.

What is public of it is so as `runcu.driver`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ._core import Array, Memcpy3D, MipmappedArray, Texture
from ._enums import (
    address_mode,
    array3d_flags,
    array_format,
    filter_mode,
    resource_view_format,
)
from ._errors import LogicError

__all__ = [
    'ArrayDescriptor',
    'ArrayDescriptor3D',
    'ResourceView',
    'SurfaceReference',
    'TRSA_OVERRIDE_FORMAT',
    'TRSF_NORMALIZED_COORDINATES',
    'TRSF_READ_AS_INTEGER',
    'TR_DEFAULT',
    'TextureObject',
    'TextureReference',
    'bind_array_to_texref',
    'dtype_to_array_format',
    'gpuarray_to_array',
    'make_multichannel_2d_array',
    'matrix_to_array',
    'matrix_to_texref',
    'np_to_array',
]

TRSA_OVERRIDE_FORMAT = 1
TRSF_READ_AS_INTEGER = 1
TRSF_NORMALIZED_COORDINATES = 2
TR_DEFAULT = -1

_SRGB = 16

# --- shapes ---------------------------------------------------------------------------------------


class ArrayDescriptor:
    """The shape of a one- or two-dimensional `Array`.

    Attributes
    ----------
    width, height : int
        In elements; a height of 0 is one dimension.
    format : array_format
        Of an element's channels.
    num_channels : int
        1, 2 or 4.
    """

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self.format: int = array_format.UNSIGNED_INT8
        self.num_channels = 1

    def __repr__(self) -> str:
        inside = ', '.join(f'{name}={value}' for name, value in vars(self).items())
        return f'<{type(self).__name__} {inside}>'


class ArrayDescriptor3D(ArrayDescriptor):
    """The shape of any `Array`.

    Attributes
    ----------
    depth : int
        Planes, layers, or faces of a cube map (6 times its layers).
    flags : int
        Of `array3d_flags`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.flags = 0


def _format_of(number: int) -> int:
    return array_format.values.get(number, number)


def _get_descriptor(self: Array) -> ArrayDescriptor:
    """Width, height, format and number of channels."""
    found = ArrayDescriptor()
    found.width, found.height, _, number, found.num_channels, _ = self.describe()
    found.format = _format_of(number)
    return found


def _get_descriptor_3d(self: Array) -> ArrayDescriptor3D:
    """Width, height, depth, format, number of channels and flags."""
    found = ArrayDescriptor3D()
    found.width, found.height, found.depth, number, found.num_channels, found.flags = (
        self.describe()
    )
    found.format = _format_of(number)
    return found


Array.get_descriptor = _get_descriptor  # type: ignore[attr-defined]
Array.get_descriptor_3d = _get_descriptor_3d  # type: ignore[attr-defined]

_FORMATS = {
    np.dtype(np.uint8): array_format.UNSIGNED_INT8,
    np.dtype(np.uint16): array_format.UNSIGNED_INT16,
    np.dtype(np.uint32): array_format.UNSIGNED_INT32,
    np.dtype(np.int8): array_format.SIGNED_INT8,
    np.dtype(np.int16): array_format.SIGNED_INT16,
    np.dtype(np.int32): array_format.SIGNED_INT32,
    np.dtype(np.float16): array_format.HALF,
    np.dtype(np.float32): array_format.FLOAT,
}
# Elements that no array has, as the integers that kernels put together again.
_HACKS = {
    np.dtype(np.float64): (array_format.SIGNED_INT32, 2),
    np.dtype(np.complex64): (array_format.SIGNED_INT32, 2),
    np.dtype(np.complex128): (array_format.SIGNED_INT32, 4),
}


def dtype_to_array_format(dtype: Any) -> Any:
    """The `array_format` of a NumPy type; TypeError if there is none."""
    try:
        return _FORMATS[np.dtype(dtype)]
    except KeyError:
        raise TypeError(
            f"cannot convert dtype '{np.dtype(dtype)}' to array format: arrays hold integers of 8, "
            '16 and 32 bits, float16 and float32'
        ) from None


def _element_of(dtype: Any) -> tuple[int, int]:
    """Format and channels of a type; of a vector type, a structure of alike fields, as many."""
    dtype = np.dtype(dtype)
    if dtype.fields:
        kinds = {field[0] for field in dtype.fields.values()}
        count = len(dtype.fields)
        if len(kinds) == 1 and dtype.itemsize == count * next(iter(kinds)).itemsize:
            return dtype_to_array_format(kinds.pop()), count
    return dtype_to_array_format(dtype), 1


# --- arrays from matrices -------------------------------------------------------------------------


def _check_order(order: str) -> str:
    if order.upper() not in ('C', 'F'):
        raise LogicError('order must be either F or C')
    return order.upper()


def _copy_to(array: Array, source: Any, extents: tuple[int, int, int], itemsize: int) -> Array:
    """Copies all of a source without gaps; extents are width, height and depth in elements."""
    copy = Memcpy3D()
    if isinstance(source, np.ndarray):
        copy.set_src_host(source)
    else:
        copy.set_src_device(source)
    copy.set_dst_array(array)
    width, height, depth = extents
    copy.width_in_bytes = copy.src_pitch = width * itemsize
    copy.src_height = copy.height = max(height, 1)
    copy.depth = max(depth, 1)
    copy()
    return array


def matrix_to_array(matrix: Any, order: str, allow_double_hack: bool = False) -> Array:
    """A two-dimensional `Array` with the elements of a matrix.

    Parameters
    ----------
    matrix : array_like
        Of two dimensions.
    order : {'C', 'F'}
        Which index is the array's x, the last or the first.
    allow_double_hack : bool
        float64 becomes two channels of 32-bit integers; else it is an error.
    """
    order = _check_order(order)
    matrix = np.asarray(matrix, order=order)  # type: ignore[call-overload]
    if matrix.ndim != 2:
        raise LogicError(f'a matrix has two dimensions, not {matrix.ndim}')
    descr = ArrayDescriptor()
    descr.width, descr.height = matrix.shape[::-1] if order == 'C' else matrix.shape
    if matrix.dtype == np.float64 and allow_double_hack:
        descr.format, descr.num_channels = _HACKS[matrix.dtype]
    else:
        descr.format = dtype_to_array_format(matrix.dtype)
    array = Array(descr)
    return _copy_to(array, matrix, (descr.width, descr.height, 1), matrix.itemsize)


def make_multichannel_2d_array(ndarray: Any, order: str) -> Array:
    """A two-dimensional `Array` of elements with several channels.

    Parameters
    ----------
    ndarray : array_like
        Of three dimensions: height, width, channels with the order 'C'; channels, width, height
        with 'F'. There are 1, 2 or 4 channels.
    order : {'C', 'F'}
    """
    order = _check_order(order)
    values = np.asarray(ndarray, order=order)  # type: ignore[call-overload]
    if values.ndim != 3:
        raise LogicError(f'an array of three dimensions is expected, not of {values.ndim}')
    descr = ArrayDescriptor()
    channels, descr.width, descr.height = values.shape[::-1] if order == 'C' else values.shape
    descr.format, descr.num_channels = dtype_to_array_format(values.dtype), channels
    array = Array(descr)
    itemsize = values.itemsize * channels
    return _copy_to(array, values, (descr.width, descr.height, 1), itemsize)


def _descriptor_like(shape: Sequence[int], dtype: Any, order: str, flags: int) -> Any:
    if len(shape) not in (2, 3):
        raise LogicError('arrays are made of two or three dimensions: CUDArray dimensions')
    descr = ArrayDescriptor3D()
    extents = tuple(shape)[::-1] if order == 'C' else tuple(shape)
    descr.width, descr.height = extents[:2]
    descr.depth = extents[2] if len(extents) == 3 else 0
    descr.format, descr.num_channels = _HACKS.get(np.dtype(dtype)) or _element_of(dtype)
    descr.flags = flags
    return descr


def np_to_array(nparray: Any, order: str, allowSurfaceBind: bool = False) -> Array:  # noqa: N803
    """An `Array` with the elements of a host array of two or three dimensions.

    Parameters
    ----------
    nparray : array_like
        float64 and complex types become 32-bit integers in 2 or 4 channels, from which kernels put
        them together again.
    order : {'C', 'F'}
        Which index is the array's x, the last or the first.
    allowSurfaceBind : bool
        Surfaces may be made of it.
    """
    order = _check_order(order)
    values = np.asarray(nparray, order=order)  # type: ignore[call-overload]
    flags = array3d_flags.SURFACE_LDST if allowSurfaceBind else 0
    descr = _descriptor_like(values.shape, values.dtype, order, flags)
    extents = descr.width, descr.height, descr.depth
    return _copy_to(Array(descr), values, extents, values.itemsize)


def gpuarray_to_array(
    gpuarray: Any,
    order: str,
    allowSurfaceBind: bool = False,  # noqa: N803
) -> Array:
    """As `np_to_array`, of an array on the device without gaps in that order."""
    order = _check_order(order)
    dtype = np.dtype(gpuarray.dtype)
    flags = array3d_flags.SURFACE_LDST if allowSurfaceBind else 0
    descr = _descriptor_like(gpuarray.shape, dtype, order, flags)
    strides = getattr(gpuarray, 'strides', None)
    if strides is not None and tuple(strides) != _packed(gpuarray.shape, dtype.itemsize, order):
        raise LogicError(f'the array on the device is not contiguous in the order {order}')
    source = getattr(gpuarray, 'gpudata', gpuarray)
    extents = descr.width, descr.height, descr.depth
    return _copy_to(Array(descr), source, extents, dtype.itemsize)


def _packed(shape: Sequence[int], itemsize: int, order: str) -> tuple[int, ...]:
    strides, step = [], itemsize
    for extent in reversed(shape) if order == 'C' else shape:
        strides.append(step)
        step *= extent
    return tuple(reversed(strides)) if order == 'C' else tuple(strides)


# --- texture objects ------------------------------------------------------------------------------


class ResourceView:
    """An array seen by a texture as one of another format, or a part of its levels and layers.

    Parameters
    ----------
    format : resource_view_format
        NONE: the array's own.
    width, height, depth : int
        In elements of that format: the array's, or 4 times as many of a block-compressed format.
        By default they are filled in.
    first_level, last_level, first_layer, last_layer : int
        Inclusive.
    """

    def __init__(
        self,
        format: int = resource_view_format.NONE,
        width: int = 0,
        height: int = 0,
        depth: int = 0,
        *,
        first_level: int = 0,
        last_level: int = 0,
        first_layer: int = 0,
        last_layer: int = 0,
    ) -> None:
        self.format = format
        self.width, self.height, self.depth = width, height, depth
        self.first_level, self.last_level = first_level, last_level
        self.first_layer, self.last_layer = first_layer, last_layer

    def _as_tuple(self) -> tuple[int, ...]:
        return tuple(int(value) for value in vars(self).values())


class TextureObject(Texture):
    """Data as kernels read it by coordinates: what a cudaTextureObject_t parameter takes.

    >>> texture = driver.TextureObject(driver.np_to_array(image, 'C'), normalized=True)
    >>> kernel(texture, out, block=(16, 16, 1))  # tex2D<float>(texture, u, v)

    Parameters
    ----------
    source : Array, MipmappedArray or device memory
        Kept alive. Memory is an array of one dimension, or rows of one of two. Its address is a
        multiple of the device's TEXTURE_ALIGNMENT.
    dtype : dtype, optional
        Of elements in memory, if `source` has none: one that `dtype_to_array_format` takes, or a
        vector type of 2 or 4 of them.
    shape : int or (height, width), optional
        Of memory, if `source` has none: by default all of it, in one dimension.
    pitch : int, optional
        Bytes from row to row of memory, a multiple of the device's TEXTURE_PITCH_ALIGNMENT.
    address_mode : address_mode or three of them
        What is read beyond the edge, by dimension. WRAP and MIRROR ask for `normalized`.
    filter_mode : filter_mode
        LINEAR mixes neighbours; elements must be floats, or be read as such.
    normalized : bool
        Coordinates go from 0 to 1.
    read_as_integer : bool
        Integers are read as they are; else as floats from 0 (or -1) to 1, which those of 32 bits
        cannot.
    srgb : bool
        8-bit channels are taken from sRGB to linear light.
    max_anisotropy : int
        Up to 16.
    border_color : four floats
        What address_mode.BORDER gives.
    mipmap_filter_mode : filter_mode
        Between levels.
    mipmap_level_bias : float
        Added to the level.
    mipmap_level_clamp : (float, float), optional
        The levels in use; all by default.
    view : ResourceView, optional

    Raises
    ------
    LogicError
        The driver refuses it; the text says why where that can be known.
    """

    def __new__(
        cls,
        source: Any,
        *,
        dtype: Any = None,
        shape: Any = None,
        pitch: int | None = None,
        address_mode: Any = address_mode.CLAMP,
        filter_mode: int = filter_mode.POINT,
        normalized: bool = False,
        read_as_integer: bool = False,
        srgb: bool = False,
        max_anisotropy: int = 0,
        border_color: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        mipmap_filter_mode: int = filter_mode.POINT,
        mipmap_level_bias: float = 0.0,
        mipmap_level_clamp: Sequence[float] | None = None,
        view: ResourceView | None = None,
    ) -> TextureObject:
        is_array = isinstance(source, (Array, MipmappedArray))
        if is_array and (dtype is not None or shape is not None or pitch is not None):
            raise TypeError('dtype, shape and pitch are of memory; an array has its own')
        if mipmap_level_clamp is None:
            mipmap_level_clamp = (0.0, 15.0 if isinstance(source, MipmappedArray) else 0.0)
        flags = (
            bool(read_as_integer) * TRSF_READ_AS_INTEGER
            + bool(normalized) * TRSF_NORMALIZED_COORDINATES
            + bool(srgb) * _SRGB
        )
        modes = address_mode if np.ndim(address_mode) else (address_mode,) * 3
        modes = (*(int(mode) for mode in modes), 1, 1)[:3]
        low, high = mipmap_level_clamp
        red, green, blue, alpha = border_color
        sampler = (
            modes,
            int(filter_mode),
            flags,
            int(max_anisotropy),
            int(mipmap_filter_mode),
            float(mipmap_level_bias),
            float(low),
            float(high),
            (float(red), float(green), float(blue), float(alpha)),
        )
        memory = None if is_array else _memory_of(source, dtype, shape, pitch)
        return super().__new__(
            cls, source, memory, sampler, None if view is None else view._as_tuple()
        )

    def get_descriptor(self) -> dict[str, Any]:
        """How it is read, as the driver knows it: the keywords to make one like it."""
        modes, mode, flags, anisotropy, level_mode, bias, low, high, border = self.describe()
        return {
            'address_mode': tuple(address_mode(value) for value in modes),
            'filter_mode': filter_mode(mode),
            'normalized': bool(flags & TRSF_NORMALIZED_COORDINATES),
            'read_as_integer': bool(flags & TRSF_READ_AS_INTEGER),
            'srgb': bool(flags & _SRGB),
            'max_anisotropy': anisotropy,
            'border_color': border,
            'mipmap_filter_mode': filter_mode(level_mode),
            'mipmap_level_bias': bias,
            'mipmap_level_clamp': (low, high),
        }


def _memory_of(source: Any, dtype: Any, shape: Any, pitch: int | None) -> tuple[int, ...]:
    """(format, channels, bytes, width, height, pitch) of elements in memory."""
    dtype = getattr(source, 'dtype', None) if dtype is None else dtype
    if dtype is None:
        raise TypeError(f'dtype is needed: {type(source).__name__} does not say what it holds')
    dtype = np.dtype(dtype)
    number, channels = _element_of(dtype)
    if shape is None:
        shape = getattr(source, 'shape', None)
    if shape is None:
        size = getattr(source, 'size', None)
        if size is None:
            raise TypeError(f'shape is needed: {type(source).__name__} does not say how many')
        shape = (int(size) // dtype.itemsize,)
    shape = tuple(int(extent) for extent in shape) if np.ndim(shape) else (int(shape),)
    if len(shape) == 1:
        return number, channels, shape[0] * dtype.itemsize, 0, 0, 0
    if len(shape) != 2:
        raise ValueError(f'textures of memory have one or two dimensions, not {len(shape)}')
    if pitch is None:
        strides = getattr(source, 'strides', None)
        pitch = strides[0] if strides is not None else shape[1] * dtype.itemsize
    return number, channels, 0, shape[1], shape[0], int(pitch)


# --- texture references ---------------------------------------------------------------------------


def _refuse(what: str, kind: str = 'texture') -> NoReturn:
    name = 'TextureObject' if kind == 'texture' else 'SurfaceObject'
    read = 'tex2D<float>(data, x, y)' if kind == 'texture' else 'surf2Dread(&value, data, 4 * x, y)'
    error = LogicError(
        f'{what} failed: operation not supported - CUDA 12 removed {kind} references. '
        f'Pass a {kind} object to the kernel instead:\n'
        f"    data = driver.{name}(driver.np_to_array(a, 'C'{', True' * (kind != 'texture')}))\n"
        f'    kernel(data, ...)\n'
        f'    // void kernel(cuda{kind.capitalize()}Object_t data, ...) {{ ... {read} ... }}'
    )
    error.code, error.name, error.routine = 801, 'CUDA_ERROR_NOT_SUPPORTED', what
    raise error


class TextureReference:
    """Raises LogicError: CUDA 12 removed texture references; `TextureObject` is in their place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse('cuTexRefCreate')


class SurfaceReference:
    """Raises LogicError: CUDA 12 removed surface references; `SurfaceObject` is in their place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse('cuModuleGetSurfRef', 'surface')


def bind_array_to_texref(ary: Any, texref: Any) -> NoReturn:
    """Raises LogicError: CUDA 12 removed texture references; see `TextureObject`."""
    _refuse('cuTexRefSetArray')


def matrix_to_texref(matrix: Any, texref: Any, order: str) -> NoReturn:
    """Raises LogicError: CUDA 12 removed texture references; see `TextureObject`."""
    _refuse('cuTexRefSetArray')

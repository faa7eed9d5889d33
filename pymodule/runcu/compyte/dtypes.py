"""C's names of NumPy's types, under the names that programs for PyCUDA import."""

from __future__ import annotations

from .._dtypes import (
    TYPE_REGISTRY,
    DTypeRegistry,
    TypeNameNotKnown,
    get_or_register_dtype,
    parse_c_arg_backend,
    register_dtype,
)

__all__ = [
    'DTYPE_TO_NAME',
    'NAME_TO_DTYPE',
    'TYPE_REGISTRY',
    'DTypeRegistry',
    'TypeNameNotKnown',
    'dtype_to_ctype',
    'get_or_register_dtype',
    'parse_c_arg_backend',
    'register_dtype',
]

DTYPE_TO_NAME = TYPE_REGISTRY.dtype_to_name
NAME_TO_DTYPE = TYPE_REGISTRY.name_to_dtype

dtype_to_ctype = TYPE_REGISTRY.dtype_to_ctype

"""`pack` and `calcsize` as PyCUDA has them: struct's, with F and D for complex numbers.

Layout is the host's: native sizes and alignment, without padding at the end.
"""

from __future__ import annotations

import re
import struct
from typing import Any

__all__ = ['calcsize', 'error', 'pack']


class error(struct.error):
    """Values that do not fit the format, or a format that makes no sense."""


_CODE = re.compile(r'(\d*)\s*(\S)')
_COMPLEX = {'F': 'ff', 'D': 'dd'}  # as pycuda::complex is aligned: to its parts


def _codes(format: str) -> list[tuple[int, str]]:
    """Repetitions and letters of a format; the number before an s or p is its length."""
    codes = [(int(n or 1), letter) for n, letter in _CODE.findall(format)]
    return [code for code in codes if code[1] not in '@=^']


def _native(codes: list[tuple[int, str]]) -> str:
    return '@' + ''.join(_COMPLEX[c] * n if c in _COMPLEX else f'{n}{c}' for n, c in codes)


def calcsize(format: str) -> int:
    """Bytes of what `pack` makes."""
    try:
        return struct.calcsize(_native(_codes(format)))
    except struct.error as e:
        raise error(str(e)) from None


def _parts(letter: str, value: Any) -> tuple[Any, ...]:
    """What struct takes for one value of ours."""
    if letter in _COMPLEX:
        value = complex(value)
        return value.real, value.imag
    if letter == 'P':
        return (int(value) & ((1 << 64) - 1),)
    if letter == 's':
        return (bytes(value),)
    return (value,)


def pack(format: str, *values: Any) -> bytes:
    """Bytes of the values.

    Parameters
    ----------
    format : str
        Letters of the module struct and F, D for complex64, complex128. P takes whatever has a
        number, such as a DeviceAllocation; "12s" any 12 bytes.

    Raises
    ------
    error
        Their number, kind or size does not fit.
    """
    codes = _codes(format)
    letters = [c for n, c in codes if c != 'x' for _ in range(1 if c in 'sp' else n)]
    if len(letters) != len(values):
        raise error(f'pack expected {len(letters)} items for packing (got {len(values)})')
    try:
        parts = [p for c, v in zip(letters, values, strict=True) for p in _parts(c, v)]
        return struct.pack(_native(codes), *parts)
    except (struct.error, TypeError, ValueError, OverflowError) as e:
        raise error(str(e)) from None

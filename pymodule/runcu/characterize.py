"""What the device's compiler and the device are like, in the shape of `pycuda.characterize`."""

from __future__ import annotations

import struct

import numpy as np

from . import driver
from .compiler import SourceModule
from .tools import context_dependent_memoize

__all__ = ['has_double_support', 'has_stack', 'platform_bits', 'sizeof']


def platform_bits() -> int:
    """Bits of an address of the host: 64."""
    return struct.calcsize('P') * 8


def has_stack() -> bool:
    """Whether kernels have a stack: since compute capability 2.0."""
    return driver.Context.get_device().compute_capability() >= (2, 0)


def has_double_support() -> bool:
    """Whether kernels have double precision: since compute capability 1.3."""
    return driver.Context.get_device().compute_capability() >= (1, 3)


_SOURCE = """\
{preamble}
extern "C" __global__ void runcu_sizeof(size_t *output)
{{
    *output = sizeof({type_name});
}}
"""


@context_dependent_memoize
def sizeof(type_name: str, preamble: str = '') -> int:
    """Bytes of a type in device code: a kernel is compiled and run to find out.

    Parameters
    ----------
    type_name : str
        Such as "float3", "pycuda::complex<double>" or what the preamble defines.
    preamble : str
        Source that stands before, outside of ``extern "C"``.

    Returns
    -------
    int
        Remembered for each context.

    Raises
    ------
    CompileError
        There is no such type.
    """
    if 'pycuda::' in type_name:
        preamble = f'#include <pycuda-complex.hpp>\n{preamble}'
    source = _SOURCE.format(preamble=preamble, type_name=type_name)
    kernel = SourceModule(source, no_extern_c=True).get_function('runcu_sizeof')
    output = np.zeros((), np.uint64)
    kernel(driver.Out(output), block=(1, 1, 1))
    return int(output)

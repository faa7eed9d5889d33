"""Build and launch CUDA kernels at run time, on a GPU or without one.

>>> import numpy as np, runcu
>>> from runcu import In, InOut
>>> mod = runcu.SourceModule('''
... __global__ void saxpy(float a, const float *x, float *y, int n)
... {
...     int i = blockIdx.x * blockDim.x + threadIdx.x;
...     if (i < n) y[i] += a * x[i];
... }''')
>>> mod.saxpy[n](2.0, In(x), InOut(y), n)

`runcu.driver`, `runcu.compiler`, `runcu.autoinit` and the rest have the shape of PyCUDA's modules.
"""

from . import _core, compiler, driver
from ._alias import install_as_pycuda
from ._raw import RawKernel, RawModule
from .compiler import SourceModule
from .driver import Device, DeviceWarning, In, InOut, Out, device, devices

__all__ = [
    'VERSION',
    'Device',
    'DeviceWarning',
    'In',
    'InOut',
    'Out',
    'RawKernel',
    'RawModule',
    'SourceModule',
    'compiler',
    'device',
    'devices',
    'driver',
    'install_as_pycuda',
]

__version__ = _core.version()

#: The version of PyCUDA whose interface this is, for programs that ask.
VERSION = (2026, 1)
VERSION_STATUS = ''
VERSION_TEXT = '2026.1'

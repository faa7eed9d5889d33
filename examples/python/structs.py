"""Structs: by value, by NumPy's dtypes or ctypes, and arrays of them on the device."""

import ctypes

import numpy as np
import runcu
from runcu import InOut, gpuarray

mod = runcu.SourceModule("""
struct body {
    float3 at, speed;
    float mass;
};
struct field {
    double gravity;
    int steps;
};

__global__ void fall(body *bodies, field f, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    for (int k = 0; k < f.steps; k++) {
        bodies[i].speed.z -= f.gravity * 0.01;
        bodies[i].at.z += bodies[i].speed.z * 0.01f;
    }
}
""")

# The fields in C's order; align=True puts them where C does.
body = np.dtype([('at', 'f4', 3), ('speed', 'f4', 3), ('mass', 'f4')], align=True)
field = np.dtype([('gravity', 'f8'), ('steps', 'i4')], align=True)


class Field(ctypes.Structure):
    _fields_ = [('gravity', ctypes.c_double), ('steps', ctypes.c_int)]


bodies = np.zeros(3, body)
bodies['at'][:, 2] = 100, 200, 300
mod.fall[3](InOut(bodies), np.array((9.81, 100), field)[()], 3)
print(bodies['at'][:, 2])
assert np.allclose(bodies['at'][:, 2], np.array([100, 200, 300]) - 9.81 / 2, atol=0.1)

# The same field by ctypes, and bodies that stay on the device.
on_device = gpuarray.to_gpu(bodies)
mod.fall[3](on_device, Field(9.81, 100), 3)
later = on_device.get()
print(later['speed'][:, 2])
assert np.allclose(later['speed'][:, 2], -2 * 9.81)

# A struct of another size is refused, with both sizes.
try:
    mod.fall[3](on_device, np.zeros((), 'f4,f4')[()], 3)
except TypeError as e:
    print(e)

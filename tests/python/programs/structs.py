"""An array of structs with pointers in them, filled by hand, and structs by value."""

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.driver as cuda
from pycuda.compiler import SourceModule
from pycuda.tools import get_or_register_dtype

module = SourceModule("""
struct task
{
    int length, pad; // so that the pointer is aligned
    float *items;
};

__global__ void double_items(task *tasks)
{
    task *mine = tasks + blockIdx.x;
    for (int i = threadIdx.x; i < mine->length; i += blockDim.x)
        mine->items[i] *= 2;
}

struct material { float density; double stiffness; int id; };

__global__ void weigh(float start, material m, double *out)
{
    *out = start + m.density * m.stiffness + m.id;
}
""")


class Task:
    size = 8 + np.intp(0).nbytes

    def __init__(self, array, address):
        self.data = cuda.to_device(array)
        self.shape, self.dtype, self.address = array.shape, array.dtype, int(address)
        cuda.memcpy_htod(int(address), np.int32(array.size))
        cuda.memcpy_htod(int(address) + 8, np.intp(int(self.data)))

    def get(self):
        return cuda.from_device(self.data, self.shape, self.dtype)


arrays = [np.array([1, 2, 3], np.float32), np.arange(500, dtype=np.float32)]
memory = cuda.mem_alloc(2 * Task.size)
tasks = [Task(array, int(memory) + i * Task.size) for i, array in enumerate(arrays)]
double_items = module.get_function('double_items')
double_items(memory, block=(32, 1, 1), grid=(2, 1))
for task, array in zip(tasks, arrays, strict=True):
    assert (task.get() == 2 * array).all()
double_items(np.intp(tasks[1].address), block=(32, 1, 1))
assert (tasks[0].get() == 2 * arrays[0]).all()
assert (tasks[1].get() == 4 * arrays[1]).all()

material = get_or_register_dtype(
    'material', np.dtype([('density', 'f4'), ('stiffness', 'f8'), ('id', 'i4')], align=True)
)
steel = np.zeros(1, material)
steel['density'], steel['stiffness'], steel['id'] = 7.5, 200, 3
out = np.zeros(1)
weigh = module.get_function('weigh')
for value in (steel[0], steel.reshape(())):
    weigh(np.float32(0.25), value, cuda.Out(out), block=(1, 1, 1))
    assert out[0] == 1503.25
print('ok')

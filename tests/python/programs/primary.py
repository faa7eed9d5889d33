"""The primary context, which other libraries share: retained, pushed in threads, with holders."""

import threading

import numpy as np
import pycuda.autoprimaryctx
import pycuda.driver as cuda
from pycuda.compiler import SourceModule

device = pycuda.autoprimaryctx.device
context = pycuda.autoprimaryctx.context
assert context == cuda.Context.get_current() == device.retain_primary_context()

increment = SourceModule("""
__global__ void increment(int *x) { x[threadIdx.x + blockIdx.x * blockDim.x]++; }
""").get_function('increment')


class Tensor(cuda.PointerHolderBase):
    """Another library's array: it knows its address."""

    def __init__(self, host):
        self.memory = cuda.to_device(host)
        self.shape, self.dtype = host.shape, host.dtype
        super().__init__()

    def get_pointer(self):
        return int(self.memory)


class Foreign:
    """One that says so by the protocol."""

    def __init__(self, tensor):
        self.tensor = tensor
        self.__cuda_array_interface__ = {
            'shape': tensor.shape, 'typestr': '<i4', 'strides': None, 'version': 3,
            'data': (tensor.get_pointer(), False),
        }  # fmt: skip


tensor = Tensor(np.arange(64, dtype=np.int32))
errors = []


def work():
    context.push()
    try:
        increment(Foreign(tensor), block=(64, 1, 1))
        increment(tensor.memory, block=(32, 1, 1), grid=(2, 1))
        cuda.Context.synchronize()
    except Exception as e:
        errors.append(e)
    finally:
        cuda.Context.pop()


for _ in range(3):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
assert not errors, errors
result = np.empty(64, np.int32)
cuda.memcpy_dtoh(result, tensor)
assert (result == np.arange(64) + 6).all()
assert int(tensor) == tensor.get_pointer()
print('ok')

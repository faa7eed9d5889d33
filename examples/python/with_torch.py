"""torch's tensors as arguments, and memory of runcu as tensors: nothing is copied on a GPU."""

import numpy as np
import runcu.autoinit
from runcu import InOut, gpuarray

try:
    import torch
except ImportError:
    print('skipped: torch is not installed')
    raise SystemExit from None

mod = runcu.SourceModule("""
__global__ void relu(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] < 0) x[i] = 0;
}
""")
x = torch.linspace(-1, 1, 1000)
want = torch.relu(x)

if runcu.autoinit.device.is_cpu:
    # Tensors of the host travel as NumPy arrays do.
    mod.relu[x.numel()](InOut(x), x.numel())
else:
    # The context is the one that torch uses, and what torch's stream still does is waited for.
    x = x.cuda()
    mod.relu[x.numel()](x, x.numel())
print('largest', x.max().item(), 'smallest', x.min().item())
assert torch.equal(x.cpu(), want)

# The other way: an array of ours as a tensor of the same memory.
array = gpuarray.arange(4, dtype=np.float32)
tensor = torch.from_dlpack(array)
tensor += 10
runcu.driver.Context.synchronize()
if not runcu.autoinit.device.is_cpu:
    torch.cuda.synchronize()
print(array)
assert (array.get() == [10, 11, 12, 13]).all()

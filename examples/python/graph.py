"""CUDA graphs: work laid down once, by capturing a stream or by nodes, and launched as one."""

import numpy as np
import runcu
import runcu.autoinit  # noqa: F401  makes a context current
from runcu import driver as cuda

mod = runcu.SourceModule("""
__global__ void scale(float *x, float a) { x[threadIdx.x] *= a; }
__global__ void shift(float *x, float a) { x[threadIdx.x] += a; }
""")
scale, shift = mod.get_function('scale'), mod.get_function('shift')

# What a stream is given in the block becomes nodes, and nothing runs yet.
x = cuda.to_device(np.arange(4, dtype=np.float32))
with cuda.Stream() as stream:
    with cuda.Graph.capture(stream) as graph:
        scale(x, np.float32(2), block=(4, 1, 1), stream=stream)
        shift(x, np.float32(1), block=(4, 1, 1), stream=stream)
    with graph.instantiate() as launchable:
        for _ in range(10):
            launchable.launch(stream)
        stream.synchronize()
values = cuda.from_device(x, 4, np.float32)
print(values)
assert values.tolist() == [1023, 2047, 3071, 4095]

# The same by nodes: each says what it comes after. Arguments can be changed between launches.
result = np.zeros(4, np.float32)
with cuda.Graph() as graph, cuda.Stream() as stream:
    first = graph.add_copy(x, np.arange(4, dtype=np.float32))
    second = graph.add_kernel(scale, x, np.float32(2), block=4, after=first)
    third = graph.add_copy(result, x, after=second)
    graph.add_callback(lambda: print('done:', result), after=third)
    with graph.instantiate() as launchable:
        launchable.launch(stream)
        stream.synchronize()
        launchable.set_kernel(second, shift, x, np.float32(100), block=4)
        launchable.launch(stream)
        stream.synchronize()
assert result.tolist() == [100, 101, 102, 103]

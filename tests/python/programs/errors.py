"""What programs catch, and which words of messages they look for."""

import numpy as np
import pycuda.driver as cuda
from pycuda.compiler import SourceModule
from pycuda.driver import CompileError, Error, LogicError

cuda.init()
context = cuda.Device(0).make_context()


def raised(kind, call, *words):
    try:
        call()
    except kind as e:
        assert isinstance(e, Error) or kind in (ValueError, TypeError)
        for word in words:
            assert word in str(e), (word, str(e))
        return e
    raise AssertionError(f'no {kind.__name__}')


free, total = cuda.mem_get_info()
blocks = []
try:
    while True:  # as those do that take whatever there is
        blocks.append(cuda.mem_alloc(total // 4))
        assert len(blocks) < 5
except cuda.MemoryError as e:
    assert str(e).startswith('cuMemAlloc failed: out of memory')
del blocks
assert cuda.mem_get_info()[0] > total // 4

module = SourceModule("""
__global__ void k(float *x, int n) { if (threadIdx.x < n) x[threadIdx.x] = n; }
""")
raised(
    LogicError, lambda: module.get_function('nothing'), 'cuModuleGetFunction failed', 'not found'
)
faulty = '__global__ void k() { undeclared = 1; }'
e = raised(CompileError, lambda: SourceModule(faulty), 'undeclared')
assert isinstance(e.command_line, list) and 'undeclared' in e.stderr and e.msg
k = module.get_function('k')
x = cuda.mem_alloc(400)
raised(ValueError, lambda: k(x, np.int32(1)), 'must specify block size')
raised(ValueError, lambda: k(x, np.int32(1), block=(1, 1, 1), nonsense=1), 'nonsense')
raised(LogicError, lambda: k(x, np.int32(1), block=(2000, 1, 1)), 'block')
raised(TypeError, lambda: k(x, 'text', block=(1, 1, 1)), '#1')
raised(TypeError, lambda: k(x, block=(1, 1, 1)))
x.free()
raised(LogicError, x.free, 'invalid resource handle')
raised(LogicError, lambda: cuda.Device(1000), 'invalid device ordinal')
raised(LogicError, lambda: cuda.module_from_buffer(b'nonsense'), 'cuModuleLoadData')

k.prepare('Pi')
y = cuda.mem_alloc(400)
k.prepared_call((1, 1), (100, 1, 1), y, 100)
assert (cuda.from_device(y, 100, np.float32) == 100).all()

context.pop()
context.detach()
raised(LogicError, context.detach, 'cannot detach from invalid context')
print('ok')

"""Every function and method with values that nobody should give it: exceptions, never a crash."""

PROGRAM = """
import itertools, random, sys, warnings
import numpy as np
import runcu, runcu.compiler, runcu.tools
from runcu import _core, driver as cuda

warnings.simplefilter('ignore')
rng = random.Random(int(sys.argv[1]))

mod = runcu.SourceModule('''
__device__ int value;
__global__ void f(float *x, int n) { if (threadIdx.x < n) x[threadIdx.x] = 1; }
''')

class Index:
    def __index__(self):
        return rng.choice([0, 5, -1, 1 << 64])

class Raises:
    def __index__(self):
        raise KeyError('index')
    def __getattr__(self, name):
        raise OSError(name)

class Interface:
    def __init__(self, value):
        self.__cuda_array_interface__ = value

class Holder(cuda.PointerHolderBase):
    def get_pointer(self):
        return rng.choice([0, 'x', 1 << 70, int(memory)])

class NoInit(cuda.In):
    def __init__(self):
        pass

memory, freed = cuda.mem_alloc(256), cuda.mem_alloc(256)
freed.free()
stream, event, context = cuda.Stream(), cuda.Event(), cuda.Context.get_current()
kernel = mod.get_function('f')
prepared = mod.get_function('f').prepare('Pi')
frozen = np.zeros(4)
frozen.flags.writeable = False

VALUES = [
    None, True, 0, 1, -1, 5, 1 << 31, 1 << 40, 1 << 63, 1 << 64, -(1 << 80), 1.5, float('nan'), 1j,
    '', 'x', 'f', 'cpu:7', '\\0', '\\ud800', b'', b'abc', bytearray(8), memoryview(b'xyz'), [], [1],
    (1, 1, 1), (0,), (1, 2, 3, 4), (1 << 40,), {}, set(), object(), object, int, len, print,
    Index(), Raises(), Raises, np.zeros(4, np.float32), np.zeros((3, 3))[::2, ::2], np.array(5),
    frozen, np.array([object()]), np.array('2020', 'M8[D]'), np.zeros(3, 'V5'), np.void(b'abcd'),
    np.float16(1), np.float32(1), np.int8(-1), np.uint64(1 << 63), np.longdouble(1), np.str_('x'),
    np.bool_(1), np.float32, np.dtype('i4,f8'), memory, freed, stream, event, context, mod, kernel,
    Interface(None), Interface({}), Interface({'data': (1, 2)}),
    Interface({'data': (int(memory), 0)}),
    Interface({'data': (int(memory), 0), 'typestr': '<f4', 'stream': 2}), Interface({'data': 5}),
    Holder(), cuda.PointerHolderBase(), NoInit(), cuda.In(np.zeros(64, np.float32)), cuda.Out(b'x'),
    cuda.InOut([1]), cuda.In(None), cuda.device_attribute.WARP_SIZE, iter([1, 2]), range(3),
]
KEYWORDS = [
    'block', 'grid', 'stream', 'shared', 'time_kernel', 'texrefs', 'strict', 'shared_size', 'flags',
    'dest', 'src', 'size', 'nonsense',
]

#: These change what the rest of the program stands on, or wait for ever.
LEFT_OUT = {
    'pop', 'detach', 'push', 'set_limit', 'nvrtc_search', '_at_exit', 'set_default_device', 'free',
    'from_handle', '__exit__', '_before_fork',
}

def targets():
    for name, member in vars(_core).items():
        if callable(member) and name not in LEFT_OUT:
            yield member
    objects = [memory, freed, stream, event, context, kernel, prepared, mod.module, cuda.Device(),
               cuda.HostAllocation(64), Holder(), NoInit(), cuda.In(np.zeros(4)), kernel[1, 1]]
    for obj in objects:
        for name in dir(type(obj)):
            if name in LEFT_OUT or (name.startswith('__') and name in dir(object)):
                continue
            try:
                member = getattr(obj, name, None)
            except cuda.Error:
                continue  # a property of what has been closed
            if callable(member):
                yield member
        if callable(obj):
            yield obj
    for name in ('to_device', 'from_device', 'pagelocked_empty', 'module_from_buffer'):
        yield getattr(cuda, name)
    yield runcu.SourceModule
    yield runcu.compiler.compile

count = 0
for target in targets():
    for _ in range(60):
        args = rng.choices(VALUES, k=rng.choice([0, 1, 1, 2, 2, 3, 4, 5]))
        kwargs = {k: rng.choice(VALUES) for k in rng.sample(KEYWORDS, rng.choice([0, 0, 0, 1, 2]))}
        if rng.random() < 0.3:
            kwargs['block'] = (1, 1, 1)
        try:
            target(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as e:
            assert type(e) is not SystemError, (target, args, kwargs, e)
        count += 1
try:
    cuda.Context.synchronize()
except cuda.LogicError:
    pass  # a kernel was given an address that is none
print(count)
"""


def test_odd_values_raise(python):
    for seed in range(3):
        done = python(PROGRAM, str(seed), options=['-X', 'dev'], check=False)
        assert done.returncode == 0, (seed, done.stderr[-2000:])
        assert int(done.stdout.split()[-1]) > 5000

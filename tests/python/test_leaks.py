"""Each scenario is repeated in an interpreter of its own: neither objects nor memory pile up."""

import pytest

PREPARE = """
import gc, resource, sys
import numpy as np, runcu
from runcu import In, InOut, Out, driver as cuda

mod = runcu.SourceModule('''
struct pair { int a; float b; };
__global__ void f(float *x, int n, pair p) { if (threadIdx.x < n) x[threadIdx.x] += p.b; }
__device__ int value;
''')
f = mod.get_function('f')
x = np.zeros(64, np.float32)
memory = cuda.mem_alloc(256)
pair = np.array((1, 2.0), np.dtype([('a', 'i4'), ('b', 'f4')]))

class Holder(cuda.PointerHolderBase):
    def get_pointer(self):
        return int(memory)

class Interface:
    __cuda_array_interface__ = {
        'data': (int(memory), False), 'shape': (64,), 'typestr': '<f4', 'version': 3}

class Tensor:
    def __dlpack__(self, **kwargs):
        return memory.__dlpack__(**kwargs)
    def __dlpack_device__(self):
        return memory.__dlpack_device__()

def fails(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except Exception:
        return
    raise SystemExit('did not fail')

def scenario(k):
    {scenario}

def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def count(n):
    for k in range(n):
        scenario(k)
    cuda.Context.synchronize()
    gc.collect()
    return sys.getallocatedblocks(), resident()

count(200)
first = count(100)
second = count({times})
blocks, grown = second[0] - first[0], second[1] - first[1]
assert blocks < 100, f'{{blocks}} blocks more'
assert grown < 4 << 20, f'{{grown}} bytes more'
"""

SCENARIOS = {
    'launch': 'f(memory, 4, pair, block=(64, 1, 1), grid=(1, 1))',
    'launch of host arrays': 'f[64](InOut(x), np.int32(4), pair)',
    'launch of tensors': 'f[1, 64](Tensor(), k, pair); f[1, 64](cuda.from_dlpack(memory), 4, pair)',
    'tensors': (
        'memory.__dlpack__(); memory.__dlpack__(max_version=(1, 0)); memory.__dlpack__(copy=True);'
        ' t = cuda.from_dlpack(memory); t.shape, t.strides, repr(t); np.from_dlpack(Tensor())'
    ),
    'cycles of tensors': 't = cuda.from_dlpack(memory); t.me = t',
    'tensors that fail': (
        'fails(cuda.from_dlpack, x); fails(memory.__dlpack__, dl_device=(7, 0));'
        ' fails(memory.__dlpack__, max_version=1); fails(cuda.from_dlpack, 5)'
    ),
    'arguments that fail': (
        "fails(f[1], x, 4, pair); fails(f[1], memory, 'x', pair); fails(f[1], memory, 1j, pair);"
        ' fails(f[1], memory, np.longdouble(1), pair); fails(f[1], memory, 1 << 70, pair);'
        " fails(f[1], memory, 4, np.zeros((), '>i4, f4')); fails(f[1], 12345, 4, pair);"
        ' h = InOut(x); fails(f[1], h, h, pair)'
    ),
    'launch of foreign arrays': 'f[1, 64](Interface(), k, pair); f[1, 64](Holder(), 4, pair)',
    'launch timed': 'f(memory, 4, pair, block=64, time_kernel=True)',
    'launch with keywords made at run time': "f(memory, 4, pair, **{'blo' + 'ck': [64, 1, 1]})",
    'launch on new streams': 'f(memory, 4, pair, block=64, stream=cuda.Stream())',
    'launch prepared': (
        "f.prepare(['P', np.int32, pair.dtype]); f.prepared_call(1, 1, memory, 4, pair);"
        ' f.prepared_timed_call((1, 1), (1, 1, 1), memory, 4, pair)()'
    ),
    'launch that fails': (
        'fails(f, block=1); fails(f, x, 4, pair, block=1); fails(f, None, 1 << 90, pair, block=1);'
        ' fails(f, InOut(x), [], pair, block=1); fails(f, memory, 4, pair, block=1, other=2);'
        ' fails(f, memory, 4, pair, block=(0, 1)); fails(f, memory, 4, pair, block=9999)'
    ),
    'prepared call that fails': (
        "f.prepare('Pi8s'); fails(f.prepared_call, 1, 1, memory, 4, b'abc');"
        " fails(f.prepared_call, 1, 1, memory, 'x', pair); fails(f.prepare, 'zz')"
    ),
    'brackets that fail': 'fails(f.__getitem__, (1,)); fails(f.__getitem__, (1, 2, [], 4)); f[0]()',
    'allocations': 'cuda.mem_alloc(1000 + k); cuda.to_device(x); cuda.HostAllocation(4096)',
    'allocations that fail': 'fails(cuda.mem_alloc, 1 << 55); fails(cuda.mem_alloc, -1)',
    'cycles of allocations': 'a = cuda.mem_alloc(64); a.me = a; h = In(x); h.array = h',
    'views of allocations': 'cuda.mem_alloc(64).as_buffer(32)',
    'page-locked arrays': 'cuda.pagelocked_zeros((4, 5), np.float32).T[1:].sum()',
    'copies': (
        'cuda.memcpy_htod(memory, x); cuda.memcpy_dtoh(x, memory);'
        ' cuda.memcpy_dtod(memory, memory, 0); cuda.memcpy_htod(memory, x.tobytes());'
        ' cuda.memset_d32(memory, 0, 64)'
    ),
    'copies with streams': (
        's = cuda.Stream(); cuda.memcpy_htod_async(memory, x.copy(), s);'
        ' cuda.memcpy_dtoh_async(x, memory, s); s.synchronize()'
    ),
    'copies that fail': (
        'fails(cuda.memcpy_htod, memory, [1]); fails(cuda.memcpy_htod, memory, bytes(1000));'
        " fails(cuda.memcpy_dtoh, b'abcd', memory); fails(cuda.memcpy_htod, x, x);"
        ' fails(cuda.memcpy_htod_async, memory, bytes(9999), cuda.Stream())'
    ),
    'streams and events': (
        'e, s = cuda.Event(), cuda.Stream(); e.record(s).synchronize(); s.wait_for_event(e);'
        ' s.is_done(); e.query(); cuda.Stream.from_handle(s.handle); e.time_since(e)'
    ),
    'contexts': 'c = cuda.Device("cpu").make_context(); c.pop(); c.push(); c.detach()',
    'primary contexts': (
        'c = cuda.Device().retain_primary_context()\n    with c, runcu.device("cpu"): pass\n'
        '    cuda.Context.get_current(); cuda.Context.get_device()'
    ),
    'devices': (
        'd = cuda.Device(0); d.warp_size; d.name(); hash(d); d == 5; repr(d); d.compute_mode;'
        ' fails(getattr, d, "nothing"); fails(cuda.Device, 99); fails(cuda.Device, "cpu:9")'
    ),
    'kernels of a module': (
        'g = mod.module.get_function("f"); g.num_regs; repr(g); g.signature;'
        ' mod.get_global("value"); fails(mod.get_function, "g"); mod.module.kernel_names; dir(mod)'
    ),
    'variables': (
        'v = mod.globals["value"]; v.get(); v[...] = 1; repr(v); v.gpudata; list(mod.globals);'
        ' fails(v.__getitem__, "no"); fails(mod.globals.__getitem__, "no"); repr(mod);'
        ' mod.module.__doc__; f.__doc__; f.__signature__; f.module'
    ),
    'modules that are saved': (
        'import pickle; g = pickle.loads(pickle.dumps(mod.get_function("f")));'
        ' fails(runcu._core.module_restore, b"no"); fails(runcu._core.module_restore, x)'
    ),
    'modules that follow': (
        'm = runcu.SourceModule("__global__ void g(int *x) {}", lazy=True); g = m.g; g.num_regs;'
        ' fails(m.reload); fails(m.module.watch, 1.0); m.last_error'
    ),
    'modules': 'runcu.SourceModule("__global__ void g(int *x) {}").g',
    'modules that do not compile': 'fails(runcu.SourceModule, "__global__ void g() { wrong; }")',
    'options that fail': (
        'fails(runcu.SourceModule, "", options=[5]); fails(runcu.SourceModule, "", options="x");'
        ' fails(runcu.SourceModule, 5); fails(runcu.SourceModule, "\\0")'
    ),
}

#: What takes milliseconds each is not repeated as often.
SLOW = {
    'modules': 100,
    'modules that are saved': 100,
    'modules that follow': 100,
    'modules that do not compile': 40,
    'contexts': 300,
}


@pytest.mark.parametrize('name', SCENARIOS)
def test_nothing_piles_up(python, name):
    source = PREPARE.replace('{scenario}', SCENARIOS[name])
    source = source.replace('{times}', str(SLOW.get(name, 1000)))
    if name in SLOW:
        source = source.replace('count(200)', 'count(20)').replace('count(100)', 'count(20)')
    python(source.replace('{{', '{').replace('}}', '}'))


def test_a_context_left_with_objects_is_freed(python):
    python(
        """
        import gc, weakref, runcu.driver as cuda
        for _ in range(50):
            context = cuda.Device('cpu').make_context()
            memory = cuda.mem_alloc(1 << 20)
            memory.context = context
            context.memory = memory  # a cycle through both
            cuda.Context.pop()
            watch = weakref.ref(memory), weakref.ref(context)
            del memory, context
            gc.collect()
            assert watch[0]() is None and watch[1]() is None
        """
    )

"""RawKernel and RawModule, called as CuPy's are; a Function called so says how to write it."""

import gc
import io

import numpy as np
import pytest
import runcu
from runcu import InOut, RawKernel, RawModule, driver

ADD = r"""
extern "C" __global__ void add(const float *x, const float *y, float *z)
{
    int i = blockDim.x * blockIdx.x + threadIdx.x;
    z[i] = x[i] + y[i];
}
"""

TEMPLATES = r"""
template <typename T> __global__ void fill(T *to, T value, int n)
{
    int i = blockDim.x * blockIdx.x + threadIdx.x;
    if (i < n) to[i] = value;
}
"""

VARIABLES = r"""
extern "C" {
__device__ int counter = 7;
__constant__ float table[4] = {1, 2, 3, 4};
__global__ void count(int n) { atomicAdd(&counter, n); }
__global__ void read(float *to) { to[threadIdx.x] = table[threadIdx.x]; }
}
"""

GRID = r"""
#include <cooperative_groups.h>
extern "C" __global__ void valid(int *to) { *to = cooperative_groups::this_grid().is_valid(); }
"""

REVERSE = r"""
extern "C" __global__ void reverse(int *x)
{
    extern __shared__ int held[];
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];
}
"""


def on_device(values):
    return driver.to_device(np.asarray(values, np.float32))


def test_the_example_of_everybody(device):
    x, y, z = on_device(np.arange(25)), on_device(np.ones(25)), driver.mem_alloc(100)
    add = RawKernel(ADD, 'add')
    assert add((5,), (5,), (x, y, z)) is None
    assert (driver.from_device(z, 25, np.float32) == np.arange(25) + 1).all()
    add((5, 1, 1), (5, 1, 1), [x, z, z], shared_mem=0, stream=driver.Stream())
    driver.Context.synchronize()
    assert (driver.from_device(z, 25, np.float32) == 2 * np.arange(25) + 1).all()
    host = np.zeros(25, np.float32)
    add(5, 5, (x, y, InOut(host)))
    assert (host == np.arange(25) + 1).all()


def test_what_it_tells(device):
    add = RawKernel(ADD, 'add', options=('-DX=1', '--std=c++17'), backend='nvcc')
    assert (add.name, add.code, add.file_path) == ('add', ADD, None)
    assert (add.options, add.backend) == (('-DX=1', '--std=c++17'), 'nvcc')
    assert add.enable_cooperative_groups is False
    assert isinstance(add.kernel, driver.Function) and add.kernel is add.kernel
    for name, value in add.attributes.items():
        assert getattr(add, name) == value
    assert add.num_regs > 0 and add.max_threads_per_block == 1024
    assert set(add.attributes) >= {'num_regs', 'shared_size_bytes', 'binary_version'}
    assert 'add' in repr(add)
    add.max_dynamic_shared_size_bytes = 50_000
    assert add.max_dynamic_shared_size_bytes == 50_000
    add.preferred_shared_memory_carveout = 30
    with pytest.raises(AttributeError):
        add.num_regs = 3
    with pytest.raises(driver.LogicError):
        add.max_dynamic_shared_size_bytes = 1 << 30


def test_shared_memory(device):
    x = driver.to_device(np.arange(100, dtype=np.int32))
    RawKernel(REVERSE, 'reverse')((1,), (100,), (x,), shared_mem=400)
    assert driver.from_device(x, 100, np.int32).tolist() == list(range(99, -1, -1))
    most = device.max_shared_memory_per_block_optin
    RawKernel(REVERSE, 'reverse')((1,), (100,), (x,), shared_mem=most)
    with pytest.raises(driver.LogicError, match='over the device'):
        RawKernel(REVERSE, 'reverse')((1,), (100,), (x,), shared_mem=most + 1)


def test_compiled_when_first_used(device):
    broken = RawKernel('this is no C++', 'add')
    with pytest.raises(driver.CompileError):
        broken((1,), (1,), ())
    log = io.StringIO()
    with pytest.raises(driver.CompileError):
        broken.compile(log_stream=log)
    assert 'error' in log.getvalue()
    with pytest.raises(driver.CompileError):
        RawModule(code='neither is this').compile()
    add = RawKernel(ADD, 'add')
    add.compile()
    log = io.StringIO()
    add.compile(log_stream=log)
    with pytest.raises(driver.LogicError, match='add'):
        RawKernel(ADD, 'subtract').compile()
    with pytest.raises(driver.LogicError):
        RawModule(code=ADD).get_function('subtract')


def test_arguments_that_do_not_fit(device):
    add = RawKernel(ADD, 'add')
    x = driver.mem_alloc(100)
    for args, error in (
        ((x, x), TypeError),
        ((x, x, 1.5), TypeError),
        ((x, x, np.zeros(3)), TypeError),
        (x, TypeError),
        (5, TypeError),
        ('xyz', TypeError),
    ):
        with pytest.raises(error):
            add((1,), (1,), args)
    bad = (((), (1,)), ((1,), (1, 2, 3, 4)), ((1,), 'x'), ((1.5,), (1,)), (None, (1,)))
    for grid, block in bad:
        with pytest.raises((TypeError, ValueError)):
            add(grid, block, (x, x, x))
    with pytest.raises(TypeError):
        add((1,), (1,))
    with pytest.raises(ValueError, match='extra keyword arguments: shared_memory'):
        add((1,), (1,), (x, x, x), shared_memory=1)
    for bad in ((5, 'add'), (None, 'add'), (ADD, 5)):
        with pytest.raises(TypeError):
            RawKernel(*bad).compile()
    with pytest.raises(TypeError):
        RawKernel(ADD, 'add', options='-DX')
    with pytest.raises(ValueError, match='backend'):
        RawKernel(ADD, 'add', backend='hip')


def test_templates(device):
    to = driver.mem_alloc(40)
    module = RawModule(
        code=TEMPLATES, options=('--std=c++11',), name_expressions=['fill<float>', 'fill<double>']
    )
    module.get_function('fill<float>')((1,), (10,), (to, np.float32(2.5), 10))
    assert (driver.from_device(to, 10, np.float32) == 2.5).all()
    module.get_function('fill<int>')((1,), (10,), (to, 7, 10))  # asked for later
    assert (driver.from_device(to, 10, np.int32) == 7).all()
    RawKernel(TEMPLATES, 'fill<short>')((1,), (10,), (to, 3, 10))
    assert (driver.from_device(to, 10, np.int16) == 3).all()
    assert module.name_expressions == ('fill<float>', 'fill<double>')


def test_variables(device):
    module = RawModule(code=VARIABLES)
    counter, table = module.get_global('counter'), module.get_global('table')
    assert (counter.size, table.size, counter.mem) == (4, 16, module.module)
    assert counter.ptr == int(counter) > 0
    module.get_function('count')((2,), (3,), (10,))
    assert driver.from_device(counter, 1, np.int32)[0] == 67
    driver.memcpy_htod(table, np.float32([5, 6, 7, 8]))
    x = np.zeros(4, np.float32)
    module.get_function('read')((1,), (4,), (InOut(x),))
    assert x.tolist() == [5, 6, 7, 8]
    del module
    gc.collect()
    assert driver.from_device(counter, 1, np.int32)[0] == 67
    assert 'bytes' in repr(counter)
    with pytest.raises(driver.LogicError):
        RawModule(code=VARIABLES).get_global('nothing')
    with pytest.raises(driver.LogicError):
        RawModule(code=VARIABLES).get_texref('nothing')


def test_modules_from_files(device, tmp_path):
    path = tmp_path / 'add.bin'
    path.write_bytes(runcu.compiler.compile(ADD, no_extern_c=True))
    module = RawModule(path=str(path))
    assert (module.file_path, module.code) == (str(path), None)
    x, z = on_device([1, 2]), driver.mem_alloc(8)
    module.get_function('add')((1,), (2,), (x, x, z))
    assert driver.from_device(z, 2, np.float32).tolist() == [2, 4]
    module.compile(log_stream=io.StringIO())
    RawModule(path=path).compile()
    with pytest.raises((FileNotFoundError, driver.RuntimeError)):
        RawModule(path=tmp_path / 'nothing').compile()
    for options in (
        {},
        {'code': ADD, 'path': path},
        {'path': path, 'name_expressions': ['f<int>']},
        {'code': ADD, 'options': '-DX'},
    ):
        with pytest.raises(TypeError):
            RawModule(**options)
    with pytest.raises(TypeError):
        RawModule(ADD)


def test_cooperative_groups(device):
    to = driver.mem_alloc(4)

    def is_cooperative(kernel, **options):
        """More blocks than the device holds at once are refused, as they are then alone."""
        many = device.multiprocessor_count * kernel.kernel.max_active_blocks(32) + 1
        kernel((1,), (32,), (to,), **options)
        try:
            kernel((many,), (32,), (to,), **options)
        except driver.LogicError as e:
            return e.code == 720
        return False

    assert is_cooperative(RawKernel(GRID, 'valid', enable_cooperative_groups=True))
    assert driver.from_device(to, 1, np.int32)[0] == 1
    assert not is_cooperative(RawKernel(GRID, 'valid'))
    module = RawModule(code=GRID, enable_cooperative_groups=True)
    assert is_cooperative(module.get_function('valid'))
    assert not is_cooperative(module.get_function('valid'), cooperative=False)
    assert is_cooperative(RawKernel(GRID, 'valid'), cooperative=True, priority=-1)


def test_one_kernel_in_two_contexts(device):
    add = RawKernel(ADD, 'add')
    first = add.kernel
    context = device.make_context()
    try:
        x, z = on_device([1, 2]), driver.mem_alloc(8)
        add((1,), (2,), (x, x, z))
        assert driver.from_device(z, 2, np.float32).tolist() == [2, 4]
        assert add.kernel is not first
        x.free()
        z.free()
    finally:
        context.pop()
        context.detach()
    assert add.kernel is first
    x, z = on_device([1, 2]), driver.mem_alloc(8)
    add((1,), (2,), (x, x, z))
    assert driver.from_device(z, 2, np.float32).tolist() == [2, 4]


def test_a_function_called_so_says_how_to_write_it(device):
    add = runcu.SourceModule(ADD).add
    x = driver.mem_alloc(100)
    for args in (((1,), (1,), (x, x, x)), ((1,), (1,))):
        with pytest.raises(ValueError, match='must specify block size') as e:
            add(*args)
        for word in ('CuPy', 'add(*arguments, grid=grid, block=block)', 'runcu.RawKernel'):
            assert word in str(e.value)
    for args in ((x, x, x), (), ((1,), x, x)):
        with pytest.raises(ValueError, match='must specify block size') as e:
            add(*args)
        assert 'CuPy' not in str(e.value)

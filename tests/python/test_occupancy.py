"""How many blocks fit, and which size is best; cooperative launches, clusters, hints."""

import threading

import numpy as np
import pytest
import runcu
from runcu import InOut, Out, driver

SOURCE = """
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

__global__ void twice(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= 2;
}
__global__ void __launch_bounds__(128) narrow(int *x) { if (x) *x = blockDim.x; }
__global__ void shared_all(int *x, int bytes)
{
    extern __shared__ unsigned char held[];
    held[bytes - 1] = 42;
    if (threadIdx.x == 0) *x = held[bytes - 1];
}
__global__ void with_static(int *x)
{
    __shared__ int s[1000];
    s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    *x = s[0];
}
// Each round, every block adds to the total what all others left there the round before.
__global__ void rounds(unsigned *total, unsigned *seen, int n)
{
    cg::grid_group grid = cg::this_grid();
    for (int round = 1; round <= n; round++) {
        if (threadIdx.x == 0) atomicAdd(total, 1u);
        grid.sync();
        if (threadIdx.x == 0 && *(volatile unsigned *) total != round * gridDim.x) *seen = round;
        grid.sync();
    }
}
__global__ void size_of_grid(unsigned long long *x)
{
    if (cg::this_grid().thread_rank() == 0) {
        x[0] = cg::this_grid().size();
        x[1] = cg::this_grid().is_valid();
    }
}
"""


@pytest.fixture
def mod(device):
    return runcu.SourceModule(SOURCE)


def most_blocks(kernel, device, block, shared=0):
    return kernel.max_active_blocks(block, shared) * device.multiprocessor_count


def test_max_active_blocks(mod, device):
    one, many = mod.twice.max_active_blocks(1024), mod.twice.max_active_blocks(64)
    assert 1 <= one <= many
    most = device.max_threads_per_multiprocessor
    assert many * 64 <= most and one * 1024 <= most
    large = device.max_shared_memory_per_multiprocessor // 2
    mod.shared_all.set_attribute(
        driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, min(large, 48 << 10)
    )
    assert mod.shared_all.max_active_blocks(32, min(large, 48 << 10)) < mod.twice.max_active_blocks(
        32
    )
    for bad in (0, -1):
        with pytest.raises(driver.LogicError):
            mod.twice.max_active_blocks(bad)
    for args in ((), ('x',), (32, 'x'), (32, 0, 0)):
        with pytest.raises(TypeError):
            mod.twice.max_active_blocks(*args)


def test_suggested_block_size(mod, device):
    size = mod.twice.suggest_block_size()
    assert 0 < size <= 1024 and size % 32 == 0
    fullest = size * mod.twice.max_active_blocks(size)
    for other in range(32, 1025, 32):
        assert other * mod.twice.max_active_blocks(other) <= fullest
    assert mod.narrow.suggest_block_size() <= 128
    assert mod.twice.suggest_block_size(limit=64) <= 64
    asked = []

    def four_bytes(block):
        asked.append(block)
        return 4 * block

    assert 0 < mod.shared_all.suggest_block_size(four_bytes) <= 1024
    assert asked and all(0 < block <= 1024 for block in asked)
    assert mod.shared_all.suggest_block_size(shared=1000, limit=256) <= 256


def test_errors_of_the_function_that_tells_shared_memory(mod):
    def fails(block):
        raise KeyError('mine')

    with pytest.raises(KeyError, match='mine'):
        mod.twice.suggest_block_size(fails)
    for wrong in (lambda b: 'x', lambda b: -1, lambda: 0, 1.5, -1):
        with pytest.raises((TypeError, OverflowError)):
            mod.twice.suggest_block_size(wrong)
    with pytest.raises((TypeError, OverflowError)):
        mod.twice.suggest_block_size(limit='x')


def test_shared_memory_that_is_left(mod):
    one = mod.twice.available_shared(1, 128)
    four = mod.twice.available_shared(4, 128)
    assert 0 < four <= one
    assert mod.twice.max_active_blocks(128, four) >= 4
    for args in ((1,), ('x', 1), (1, 'x')):
        with pytest.raises(TypeError):
            mod.twice.available_shared(*args)
    for args in ((0, 128), (-1, 128), (1, 0), (1, -1)):
        with pytest.raises(driver.LogicError):
            mod.twice.available_shared(*args)
    with pytest.raises(driver.LogicError):
        mod.twice.suggest_block_size(limit=-1)


def test_launch_over_n(mod):
    for n in (1, 31, 1000, 100_001):
        x = np.ones(n, np.float32)
        mod.twice[n](InOut(x), n)
        assert (x == 2).all()
    x = np.zeros(1, np.int32)
    mod.narrow[1000](Out(x))
    assert 0 < x[0] <= 128


# --- cooperative ----------------------------------------------------------------------------------


def test_blocks_of_a_cooperative_launch_wait_for_each_other(mod, device):
    assert device.cooperative_launch == 1
    for block in (32, 256):
        blocks = most_blocks(mod.rounds, device, block)
        total, seen = np.zeros(1, np.uint32), np.zeros(1, np.uint32)
        mod.rounds(
            InOut(total), InOut(seen), 5, grid=(blocks, 1), block=(block, 1, 1), cooperative=True
        )
        assert (total[0], seen[0]) == (5 * blocks, 0)


def test_a_grid_knows_that_it_is_cooperative(mod):
    x = np.zeros(2, np.uint64)
    mod.size_of_grid(Out(x), grid=2, block=32, cooperative=True)
    assert x.tolist() == [64, 1]
    mod.size_of_grid(Out(x), grid=2, block=32)
    assert x[0] == 64
    mod.size_of_grid[2, 32](Out(x), cooperative=True)
    assert x.tolist() == [64, 1]


def test_too_many_blocks_for_a_cooperative_launch(mod, device):
    most = most_blocks(mod.rounds, device, 64)
    words = driver.mem_alloc(8)
    with pytest.raises(driver.LogicError) as e:
        mod.rounds(words, words, 1, grid=most + 3, block=64, cooperative=True)
    assert e.value.name == 'CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE' and e.value.code == 720
    assert e.value.routine == 'cuLaunchKernelEx'
    assert f'{most + 3} blocks is 3 over the limit of {most}' in str(e.value)
    assert f'{device.multiprocessor_count} multiprocessors' in str(e.value)
    mod.twice(words, 1, grid=1, block=64, cooperative=True)  # and nothing is broken


def test_cooperative_launches_in_streams_and_threads(mod, device):
    blocks = max(1, most_blocks(mod.rounds, device, 64) // 4)
    results = []

    def work():
        with runcu.device(device):
            stream = driver.Stream()
            words = driver.to_device(np.zeros(2, np.uint32))
            for _ in range(3):
                mod.rounds(
                    words, int(words) + 4, 3, grid=blocks, block=64, stream=stream, cooperative=True
                )
            stream.synchronize()
            results.append(driver.from_device(words, 2, np.uint32)[0])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [9 * blocks] * 3


# --- clusters and hints ---------------------------------------------------------------------------


def test_clusters_where_the_device_has_them(mod, device):
    x = driver.mem_alloc(4)
    options = {'grid': (4, 1), 'block': (32, 1, 1)}
    mod.twice(x, 1, cluster=(1, 1, 1), **options)
    mod.twice(x, 1, cluster=None, **options)
    if device.cluster_launch:
        mod.twice(x, 1, cluster=2, **options)
        assert mod.twice.max_cluster_size(32) >= 8
        assert mod.twice.max_active_clusters(2, 32) >= 1
        with pytest.raises(driver.LogicError, match='whole clusters'):
            mod.twice(x, 1, cluster=3, **options)
        with pytest.raises(driver.LogicError, match='over the limit'):
            mod.twice(x, 1, cluster=64, grid=64, block=32)
    else:
        with pytest.raises(driver.LogicError, match='compute capability 9.0') as e:
            mod.twice(x, 1, cluster=(2, 1, 1), **options)
        assert 'twice' in str(e.value) and device.name() in str(e.value)
        with pytest.raises(driver.LogicError):
            mod.twice.max_active_clusters(2, 32)
        with pytest.raises(driver.LogicError):
            mod.twice.max_cluster_size((32, 1, 1))
    for bad in ('x', (1, 2, 3, 4), 1.5, (0, 1, 1)):
        with pytest.raises((TypeError, ValueError)):
            mod.twice(x, 1, cluster=bad, **options)


def test_priority_and_carve_out(mod):
    x = np.ones(32, np.float32)
    for options in (
        {'priority': -1},
        {'priority': 0},
        {'priority': None, 'carveout': None},
        {'carveout': 0},
        {'carveout': np.int64(100)},
        {'priority': -2, 'carveout': 50, 'cooperative': True},
        {'cooperative': False, 'programmatic': False},
    ):
        x[:] = 1
        mod.twice(InOut(x), 32, block=32, **options)
        assert (x == 2).all()
    for options in ({'carveout': 101}, {'carveout': -1}):
        with pytest.raises(ValueError, match='0 to 100'):
            mod.twice(InOut(x), 32, block=32, **options)
    for options in ({'carveout': 'x'}, {'priority': 1.5}, {'priority': 'high'}):
        with pytest.raises(TypeError):
            mod.twice(InOut(x), 32, block=32, **options)


def test_programmatic_launches_keep_the_streams_order(mod, device):
    if device.compute_capability() < (9, 0) and not device.is_cpu:
        pytest.skip('compute capability 9.0')
    x = driver.to_device(np.ones(32, np.float32))
    stream = driver.Stream()
    for _ in range(4):
        mod.twice(x, 32, block=32, stream=stream, programmatic=True)
    stream.synchronize()
    assert driver.from_device(x, 32, np.float32).tolist() == [16] * 32


def test_attributes_of_prepared_and_bound_launches(mod):
    x = driver.to_device(np.ones(32, np.float32))
    twice = mod.twice
    twice.prepare('Pi')
    twice.prepared_call((1, 1), (32, 1, 1), x, 32, cooperative=True, shared_size=16)
    twice.prepared_async_call((1, 1), (32, 1, 1), None, x, 32, priority=-1)
    bound = twice.bind(x, 32, block=32, cooperative=True, carveout=50)
    bound()
    bound.configure(carveout=None, priority=-1)
    bound()
    assert driver.from_device(x, 32, np.float32).tolist() == [16] * 32
    with pytest.raises(TypeError, match='unknown keyword argument: cluster_size'):
        twice.prepared_call((1, 1), (32, 1, 1), x, 32, cluster_size=1)


# --- dynamic shared memory ------------------------------------------------------------------------


def test_dynamic_shared_memory_grows_by_itself_in_many_threads(mod, device):
    most = device.max_shared_memory_per_block_optin
    sizes = [48 << 10, 50 << 10, 60 << 10, most]
    failures = []

    def work(offset):
        try:
            with runcu.device(device):
                kernel = mod.get_function('shared_all')  # objects of their own for one kernel
                x = driver.mem_alloc(4)
                for i in range(20):
                    size = sizes[(i + offset) % len(sizes)]
                    kernel(x, size, block=1, shared=size)
                assert driver.from_device(x, 1, np.int32)[0] == 42
        except Exception as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert mod.shared_all.max_dynamic_shared_size_bytes == most


def test_too_much_shared_memory_says_by_how_much(mod, device):
    most = device.max_shared_memory_per_block_optin
    x = driver.mem_alloc(4)
    with pytest.raises(driver.LogicError, match=f'100 over the device.s limit of {most}'):
        mod.shared_all(x, 1, block=1, shared=most + 100)
    with pytest.raises(driver.LogicError, match=f'4000 over the device.s limit of {most}') as e:
        mod.with_static(x, block=1, shared=most)
    assert f'{most} bytes of dynamic and 4000 of static shared memory' in str(e.value)
    with pytest.raises(driver.LogicError, match='more than any device has'):
        mod.shared_all(x, 1, block=1, shared=1 << 40)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'block': (1025, 1, 1)}, 'block x is 1025, 1 over'),
        ({'block': (1, 1, 65)}, 'block z is 65, 1 over'),
        ({'block': (64, 32, 1)}, '2048 threads, 1024 over'),
        ({'block': 1, 'grid': (1, 65536)}, 'grid y is 65536, 1 over'),
        ({'block': 1, 'grid': (1, 1, 65540)}, 'grid z is 65540, 5 over'),
        ({'block': 1, 'grid': (1 << 31, 1, 1)}, 'grid x is 2147483648, 1 over'),
    ],
)
def test_a_refused_shape_says_which_limit_and_by_how_much(mod, options, words):
    with pytest.raises(driver.LogicError, match=words) as e:
        mod.twice(None, 0, **options)
    assert 'twice(float *, int)' in str(e.value) and e.value.code


def test_a_refused_block_says_what_the_kernel_takes(mod):
    with pytest.raises(driver.LogicError, match='256 threads, 128 over this kernel.s limit') as e:
        mod.narrow(None, block=256)
    assert f'{mod.narrow.num_regs} registers a thread' in str(e.value)

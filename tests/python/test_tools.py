"""runcu.tools: default contexts, what is remembered for each, occupancy, help for tests."""

import gc
import threading
import types

import pytest
from runcu import compiler, driver, tools


def test_make_default_context(device_name, python):
    done = python(
        """
        import runcu.driver as cuda
        from runcu.tools import make_default_context
        context = make_default_context()
        assert cuda.Context.get_current() == context
        assert context != cuda.Device().retain_primary_context()
        assert context.device == cuda.Device(0)
        made = []
        def maker(device):
            made.append(device)
            return device.make_context()
        other = make_default_context(maker)
        assert made == [cuda.Device(0)] and cuda.Context.get_current() == other
        other.pop(); other.detach()
        context.pop()
        """,
        device=device_name,
    )
    assert done.stderr == ''


def test_the_environment_chooses_the_device(python):
    done = python(
        """
        import runcu.driver as cuda, runcu.tools
        try:
            runcu.tools.make_default_context()
        except cuda.Error as e:
            print(e)
        """,
        CUDA_DEVICE='nonsense',
    )
    assert 'CUDA_DEVICE' in done.stdout and 'nonsense' in done.stdout


def test_failures_of_every_device_are_told(device):
    def refuse(dev):
        raise driver.RuntimeError('not this one')

    with pytest.raises(RuntimeError, match='not this one'):
        tools.make_default_context(refuse)


def test_results_are_remembered_for_each_context(device):
    calls = []

    @tools.context_dependent_memoize
    def compute(a, b=2):
        """Doc."""
        calls.append((a, b))
        return len(calls)

    assert compute.__doc__ == 'Doc.'
    assert compute(1) == compute(1) == 1
    assert compute(1, b=3) == 2
    context = device.make_context()
    assert compute(1) == 3
    context.pop()
    assert compute(1) == 1
    tools.clear_context_caches()
    assert compute(1) == 4
    context.detach()


def test_autoprimaryctx_is_the_shared_context(python, device_name):
    python(
        """
        import runcu.autoprimaryctx as auto, runcu.driver as cuda
        assert auto.context == auto.device.retain_primary_context()
        assert cuda.Context.get_current() == auto.context
        """,
        device=device_name,
    )


def test_the_default_device(device, monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.delenv('CUDA_DEVICE', raising=False)
    with pytest.warns(DeprecationWarning, match='make_default_context'):
        assert tools.get_default_device() == driver.Device(0)
    with pytest.warns(DeprecationWarning), pytest.raises(driver.Error, match='99'):
        tools.get_default_device(99)
    monkeypatch.setenv('CUDA_DEVICE', '0')
    with pytest.warns(DeprecationWarning):
        assert tools.get_default_device(99) == driver.Device(0)


def test_a_file_in_the_home_folder_names_the_device(python, tmp_path):
    (tmp_path / '.cuda_device').write_text('eleven\n')
    done = python(
        """
        import os
        os.environ.pop('CUDA_DEVICE', None)
        import runcu.driver as cuda, runcu.tools
        try:
            runcu.tools.make_default_context()
        except cuda.Error as e:
            print(e)
        """,
        HOME=str(tmp_path),
    )
    assert '~/.cuda_device' in done.stdout and 'eleven' in done.stdout


def test_memory_of_a_context_that_is_gone_is_not_another_ones(device):
    calls = []
    compute = tools.context_dependent_memoize(lambda: calls.append(1) or len(calls))
    for expected in range(1, 6):
        context = device.make_context()
        assert compute() == compute() == expected
        context.pop()
        context.detach()
        del context
        gc.collect()


def test_failures_are_not_remembered(device):
    calls = []

    @tools.context_dependent_memoize
    def fails():
        calls.append(1)
        raise KeyError('mine')

    for _ in range(2):
        with pytest.raises(KeyError, match='mine'):
            fails()
    assert len(calls) == 2
    assert fails in tools.context_dependent_memoized_functions
    with pytest.raises(TypeError, match='unhashable'):
        tools.context_dependent_memoize(lambda a: a)([])


# --- occupancy ---

KERNELS = """
extern __shared__ int dynamic[];
extern "C" __global__ void plain(int *out) { out[threadIdx.x] = dynamic[threadIdx.x]; }
extern "C" __global__ void with_static(int *out)
{
    __shared__ int mine[1500];
    mine[threadIdx.x] = out[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = mine[1499 - threadIdx.x] + dynamic[0];
}
extern "C" __global__ void __launch_bounds__(256) hungry(double *x)
{
    double v[24];
    for (int i = 0; i < 24; i++)
        v[i] = x[threadIdx.x * 24 + i];
    for (int k = 0; k < 100; k++)
        for (int i = 0; i < 24; i++)
            v[i] = v[(i + 7) % 24] * v[(i + 1) % 24] + v[i];
    for (int i = 0; i < 24; i++)
        x[threadIdx.x * 24 + i] = v[i];
}
"""


@pytest.mark.parametrize('name', ['plain', 'with_static', 'hungry'])
def test_occupancy_is_the_drivers(device, name):
    kernel = compiler.SourceModule(KERNELS, no_extern_c=True).get_function(name)
    data = tools.DeviceData(device)
    compared = 0
    for threads in (1, 32, 33, 64, 96, 128, 200, 256, 480, 512, 768, 1024):
        for dynamic in (0, 1, 1000, 6000, 16 << 10, 40 << 10):
            shared = kernel.shared_size_bytes + dynamic
            if threads > kernel.max_threads_per_block or shared > data.shared_memory:
                continue
            record = tools.OccupancyRecord(data, threads, shared, kernel.num_regs)
            asked = kernel.max_active_blocks(threads, dynamic)
            assert record.tb_per_mp == asked, (threads, dynamic)
            assert (record.tb_per_mp, record.limited_by) in record.tb_per_mp_limits
            assert record.warps_per_mp == record.tb_per_mp * -(-threads // 32)
            assert record.occupancy == record.warps_per_mp / data.warps_per_mp <= 1
            compared += 1
    assert compared > 30


def turing():
    """What a device of compute capability 7.5 answers."""
    names = driver.device_attribute
    values = {
        names.COMPUTE_CAPABILITY_MAJOR: 7, names.COMPUTE_CAPABILITY_MINOR: 5,
        names.MAX_THREADS_PER_BLOCK: 1024, names.WARP_SIZE: 32,
        names.MAX_THREADS_PER_MULTIPROCESSOR: 1024, names.MAX_BLOCKS_PER_MULTIPROCESSOR: 16,
        names.MAX_REGISTERS_PER_BLOCK: 65536, names.MAX_REGISTERS_PER_MULTIPROCESSOR: 65536,
        names.MAX_SHARED_MEMORY_PER_BLOCK: 48 << 10,
        names.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: 64 << 10,
        names.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: 64 << 10,
        names.RESERVED_SHARED_MEMORY_PER_BLOCK: 0,
    }  # fmt: skip
    return tools.DeviceData(types.SimpleNamespace(get_attribute=values.__getitem__))


@pytest.mark.parametrize(
    ('threads', 'shared', 'registers', 'blocks', 'by'),
    [
        (32, 0, 0, 16, 'device'),
        (256, 0, 0, 4, 'warps'),
        (256, 0, 64, 4, 'regs'),
        (256, 0, 65, 3, 'regs'),
        (1024, 0, 64, 1, 'regs'),
        (128, 20 << 10, 0, 3, 'smem'),
        (128, (16 << 10) + 1, 0, 3, 'smem'),
        (128, 16 << 10, 0, 4, 'smem'),
        (1, 0, 255, 8, 'regs'),
    ],
)
def test_known_occupancies(threads, shared, registers, blocks, by):
    record = tools.OccupancyRecord(turing(), threads, shared, registers)
    assert (record.tb_per_mp, record.limited_by) == (blocks, by)


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ((1025,), 'too many threads'),
        ((0,), 'too many threads'),
        ((32, 70000), 'too much smem'),
        ((1024, 0, 65), 'too many registers'),
    ],
)
def test_blocks_that_cannot_be(arguments, text):
    with pytest.raises(ValueError, match=text):
        tools.OccupancyRecord(turing(), *arguments)


def test_device_data(device):
    data = tools.DeviceData()
    assert data.max_threads == 1024 and data.warp_size == 32
    assert data.warps_per_mp == device.max_threads_per_multiprocessor // 32
    assert data.shared_memory == device.max_shared_memory_per_block
    assert data.register_allocation_unit == 'warp'
    assert (data.align(1), data.align(65), data.align(1, word_size=8)) == (64, 128, 128)
    assert (data.align_words(4), data.align_words(16)) == (16, 8)
    assert data.align_dtype(17, 4) == 32 and data.coalesce(17) == 32
    assert [tools.DeviceData.make_valid_tex_channel_count(n) for n in (1, 2, 3, 4)] == [1, 2, 4, 4]
    with pytest.raises(ValueError, match='channel count'):
        data.make_valid_tex_channel_count(5)
    with pytest.raises(ValueError, match='size 3'):
        data.align(1, word_size=3)


def test_bitlog2():
    assert [tools.bitlog2(i) for i in (0, 1, 2, 3, 4, 1023, 1 << 40)] == [0, 0, 1, 1, 2, 9, 40]
    with pytest.raises(ValueError):
        tools.bitlog2(-1)


# --- help for tests ---


def test_marked_tests_have_a_context_of_their_own(device):
    before = driver.Context.get_current()
    seen = []

    @tools.mark_cuda_test
    def inner(a, b=0):
        """Doc."""
        seen.append((a, b, driver.Context.get_current()))
        if a == 2:
            raise KeyError('mine')

    inner(1, b=5)
    assert inner.__name__ == 'inner' and inner.__doc__ == 'Doc.'
    assert [m.name for m in inner.pytestmark] == ['cuda']
    assert seen[0][:2] == (1, 5) and seen[0][2] != before
    with pytest.raises(KeyError, match='mine'):
        inner(2)
    assert driver.Context.get_current() == before


def test_the_fixture(device):
    before = driver.Context.get_current()
    steps = tools.init_cuda_context_fixture()
    assert next(steps) == driver.Context.get_current() != before
    with pytest.raises(StopIteration):
        next(steps)
    assert driver.Context.get_current() == before


def test_threads_remember_together(device):
    context, calls = driver.Context.get_current(), []
    compute = tools.context_dependent_memoize(lambda a: calls.append(a) or a * 2)

    def work():
        with context:
            for i in range(200):
                assert compute(i % 10) == i % 10 * 2

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(calls) == set(range(10))

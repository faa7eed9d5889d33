"""Memory pools: what they count, when they give a block out again, and what outlives what."""

import threading
import weakref

import numpy as np
import pytest
from runcu import compiler, driver, tools

WAIT = """
__global__ void wait(volatile int *go, int *out)
{
    while (!*go)
        ;
    *out = 7;
}
"""


def use(pool):
    return pool.held_blocks, pool.active_blocks, pool.managed_bytes, pool.active_bytes


@pytest.fixture
def pool(device):
    made = tools.DeviceMemoryPool()
    yield made
    made.stop_holding()


def test_bins_are_pycudas():
    pool = tools.DeviceMemoryPool
    sizes = [0, 1, 3, 15, 16, 17, 1000, 4096, 1 << 20, 5 << 30, (1 << 40) + 1]
    granted = [pool.alloc_size(pool.bin_number(size)) for size in sizes]
    assert granted[6:9] == [1023, 4351, 1114111]
    for size, block in zip(sizes[1:], granted[1:], strict=True):
        assert size <= block <= size + size / 16
        assert pool.bin_number(block) == pool.bin_number(size)
    with pytest.raises(ValueError, match='there is no bin'):
        pool.alloc_size(1 << 20)
    with pytest.raises((ValueError, OverflowError)):
        pool.bin_number(-1)


def test_books(pool):
    a = pool.allocate(1000)
    assert isinstance(a, tools.PooledDeviceAllocation)
    assert (len(a), a.size) == (1000, 1000)
    assert use(pool) == (0, 1, 1023, 1000)
    b = pool.allocate(np.int64(4096))
    assert use(pool) == (0, 2, 1023 + 4351, 5096)
    a.free()
    assert use(pool) == (1, 1, 1023 + 4351, 4096)
    del b
    assert use(pool) == (2, 0, 1023 + 4351, 0)
    pool.free_held()
    assert use(pool) == (0, 0, 0, 0)


def test_a_block_is_used_again(pool):
    first = pool.allocate(1000)
    address = int(first)
    first.free()
    again = pool.allocate(1020)
    assert int(again) == address
    assert int(pool.allocate(1020)) != address


def test_freeing_twice_is_an_error(pool):
    a = pool.allocate(16)
    a.free()
    text = 'pooled_device_allocation::free failed: invalid resource handle'
    with pytest.raises(driver.LogicError, match=text):
        a.free()
    assert use(pool)[:2] == (1, 0)


def test_pooled_memory_is_memory(pool):
    module = compiler.SourceModule("""
    __global__ void twice(float *x, int n)
    {
        int i = threadIdx.x;
        if (i < n)
            x[i] *= 2;
    }
    """)
    twice = module.get_function('twice')
    x = np.arange(50, dtype=np.float32)
    a = pool.allocate(x.nbytes)
    driver.memcpy_htod(a, x)
    twice(a, np.int32(50), block=(64, 1, 1))
    twice.prepare('Pi').prepared_call((1, 1), (64, 1, 1), a, 50)
    np.testing.assert_array_equal(driver.from_device(a, x.shape, x.dtype), 4 * x)
    driver.memset_d32(a, 0, 50)
    b = pool.allocate(x.nbytes)
    driver.memcpy_dtod(b, a, x.nbytes)
    driver.memcpy_dtoh(x, int(b))
    assert not x.any()
    a.free()
    with pytest.raises(driver.Error):
        twice(a, np.int32(50), block=(64, 1, 1))


def test_stop_holding(pool):
    a, b = pool.allocate(100), pool.allocate(100)
    a.free()
    pool.stop_holding()
    assert use(pool)[:2] == (0, 1)
    b.free()
    assert use(pool) == (0, 0, 0, 0)
    pool.allocate(100).free()
    assert use(pool) == (0, 0, 0, 0)


def test_held_blocks_make_room(device):
    total = driver.mem_get_info()[1]
    pool = tools.DeviceMemoryPool()
    with pytest.raises(driver.MemoryError, match='failed to free memory for allocation'):
        pool.allocate(2 * total)
    free = driver.mem_get_info()[0]
    sizes = [free // 3, free // 3 + (1 << 20)]
    try:
        blocks = [pool.allocate(size) for size in sizes]
        del blocks
        assert pool.held_blocks == 2
        big = pool.allocate(free // 2)
        assert len(big) == free // 2
        assert pool.active_bytes == free // 2
        assert pool.held_blocks <= 1
    finally:
        pool.stop_holding()


def test_unreachable_objects_make_room(device):
    free = driver.mem_get_info()[0]
    pool = tools.DeviceMemoryPool()
    pool.stop_holding()

    class Cycle:
        pass

    cycle = Cycle()
    cycle.me, cycle.memory = cycle, pool.allocate(free // 2)
    del cycle
    assert len(pool.allocate(free // 2 + free // 8)) > free // 2


def test_a_blocks_stream_is_waited_for(pool):
    wait = compiler.SourceModule(WAIT).get_function('wait')
    go = driver.pagelocked_zeros(1, np.int32, mem_flags=driver.host_alloc_flags.DEVICEMAP)
    stream = driver.Stream(1)  # non-blocking
    a = pool.allocate(4)
    address = int(a)
    try:
        wait(np.uint64(go.base.get_device_pointer()), a, block=(1, 1, 1), stream=stream)
        a.free()
        other = pool.allocate(4)
        assert int(other) != address
        same = pool.allocate(4, stream=stream)
        assert int(same) == address
        same.free()
        assert int(pool.allocate(4)) != address
    finally:
        go[0] = 1
        stream.synchronize()
    blocks = [pool.allocate(4) for _ in range(pool.held_blocks)]
    assert address in {int(block) for block in blocks}


def test_a_threads_own_default_stream_is_waited_for(pool):
    wait = compiler.SourceModule(WAIT).get_function('wait')
    go = driver.pagelocked_zeros(1, np.int32, mem_flags=driver.host_alloc_flags.DEVICEMAP)
    stream = driver.Stream.from_handle(2)
    a = pool.allocate(4)
    address = int(a)
    try:
        wait(np.uint64(go.base.get_device_pointer()), a, block=(1, 1, 1), stream=stream)
        a.free()
        assert int(pool.allocate(4)) != address
    finally:
        go[0] = 1
        stream.synchronize()
    blocks = [pool.allocate(4) for _ in range(pool.held_blocks)]
    assert address in {int(block) for block in blocks}


def test_a_stream_that_is_gone_is_waited_for(pool):
    wait = compiler.SourceModule(WAIT).get_function('wait')
    go = driver.pagelocked_zeros(1, np.int32, mem_flags=driver.host_alloc_flags.DEVICEMAP)
    a = pool.allocate(4)
    address = int(a)
    stream = driver.Stream(1)
    try:
        wait(np.uint64(go.base.get_device_pointer()), a, block=(1, 1, 1), stream=stream)
        del stream
        a.free()
        assert int(pool.allocate(4)) != address
    finally:
        go[0] = 1
        driver.Context.synchronize()


def test_blocks_outlive_their_pool(device):
    pool = tools.DeviceMemoryPool()
    a = pool.allocate(8)
    del pool
    driver.memcpy_htod(a, np.array([3.0]))
    assert driver.from_device(a, 1, np.float64)[0] == 3
    a.free()


def test_pools_outlive_their_context(python, device_name):
    done = python(
        """
        import runcu
        from runcu import driver, tools
        driver.init()
        context = driver.Device(0).make_context()
        pool = tools.DeviceMemoryPool()
        host = tools.PageLockedMemoryPool()
        a, b = pool.allocate(100), pool.allocate(100)
        array = host.allocate(5, 'f4')
        b.free()
        context.pop()
        context.detach()
        a.free()
        del array, pool, host
        print('fine')
    """,
        device=device_name,
    )
    assert done.stdout == 'fine\n' and done.stderr == ''


def test_pools_at_exit(python, device_name):
    done = python(
        """
        import runcu.autoinit
        from runcu import tools
        pool = tools.DeviceMemoryPool()
        kept = [pool.allocate(100) for _ in range(3)]
        kept.pop()
        pool.me = pool
    """,
        device=device_name,
    )
    assert done.stdout == done.stderr == ''


def test_threads_share_a_pool(pool):
    failures = []

    def churn(value, context):
        context.push()
        try:
            for _ in range(100):
                a = pool.allocate(256)
                driver.memset_d32(a, value, 64)
                if (driver.from_device(a, 64, np.uint32) != value).any():
                    failures.append(value)
                a.free()
        finally:
            driver.Context.pop()

    context = driver.Context.get_current()
    threads = [threading.Thread(target=churn, args=(i, context)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    # One a thread, and the four that may wait for another thread's work in the default stream.
    assert pool.active_blocks == 0 and pool.held_blocks <= 4 + 4


def test_subclasses_and_weak_references(device):
    class Counting(tools.DeviceMemoryPool):
        count = 0

        def allocate(self, size):
            self.count += 1
            return super().allocate(size)

    pool = Counting()
    table = weakref.WeakKeyDictionary()
    a = pool.allocate(10)
    table[a] = 1
    del a
    assert pool.count == 1 and not table and pool.held_blocks == 1


@pytest.mark.parametrize('arguments', [(), (1, 2, 3), ('x',), (-1,), (1.5,), (8, 'x')])
def test_wrong_arguments(pool, arguments):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        pool.allocate(*arguments)
    assert use(pool) == (0, 0, 0, 0)


def test_page_locked_arrays(device):
    pool = tools.PageLockedMemoryPool()
    a = pool.allocate((3, 5), np.float32, order='F')
    assert a.shape == (3, 5) and a.dtype == np.float32 and a.flags.f_contiguous
    assert isinstance(a.base, tools.PooledHostAllocation)
    assert isinstance(a.base, driver.HostAllocation)
    address = a.ctypes.data
    view = a[1:]
    del a
    assert use(pool) == (0, 1, 61, 60)
    del view
    assert use(pool) == (1, 0, 61, 0)
    assert pool.allocate(15, 'f4').ctypes.data == address
    assert pool.allocate(0, np.int8).size == 0


def test_page_locked_flags(device):
    flags = driver.host_alloc_flags.DEVICEMAP
    pool = tools.PageLockedMemoryPool(tools.PageLockedAllocator(flags))
    a = pool.allocate(4, np.int32)
    assert a.base.get_flags() == flags
    base = a.base
    base.free()
    with pytest.raises(driver.LogicError, match='invalid resource handle'):
        base.free()
    assert len(memoryview(tools.PageLockedAllocator(flags).allocate(32))) == 32


# --- what PyCUDA's interface has besides ---


def test_the_driver_has_the_pools_too():
    for name in ('DeviceMemoryPool', 'PageLockedMemoryPool', 'PageLockedAllocator'):
        assert getattr(driver, name) is getattr(tools, name)
    assert driver.PooledDeviceAllocation is tools.PooledDeviceAllocation
    assert driver.PooledHostAllocation is tools.PooledHostAllocation


def test_pools_are_context_managers(device):
    with tools.DeviceMemoryPool() as pool:
        kept = pool.allocate(100)
        pool.allocate(100).free()
        assert use(pool)[:2] == (1, 1)
    assert use(pool)[:2] == (0, 1)
    kept.free()
    assert use(pool) == (0, 0, 0, 0)
    with tools.PageLockedMemoryPool() as pool:
        pool.allocate(100, 'u1').base.free()
        assert pool.held_blocks == 1
    assert pool.held_blocks == 0


def test_subclasses_take_arguments_of_their_own(device):
    class Named(tools.DeviceMemoryPool):
        def __init__(self, name, *, size=8):
            self.name, self.size = name, size
            super().__init__()

    class NamedHost(tools.PageLockedMemoryPool):
        def __init__(self, name):
            self.name = name
            super().__init__(tools.PageLockedAllocator(driver.host_alloc_flags.PORTABLE))

    class Forgetful(tools.PageLockedMemoryPool):
        def __init__(self, anything):
            """Without the base's."""

    assert len(Named('a', size=3).allocate(5)) == 5
    assert NamedHost('b').allocate(3, 'f4').base.get_flags() == 1
    assert Forgetful(None).allocate(3, 'f4').base.get_flags() == 0


def test_a_page_locked_pool_can_be_initialised_again(device):
    pool = tools.PageLockedMemoryPool()
    a = pool.allocate(5, 'i4')
    a[:] = 7
    pool.__init__(tools.PageLockedAllocator(driver.host_alloc_flags.PORTABLE))
    assert use(pool) == (0, 0, 0, 0) and (a == 7).all()
    a.base.free()
    assert pool.allocate(5, 'i4').base.get_flags() == 1


@pytest.mark.parametrize('wrong', [3, 'x', object()])
def test_pools_that_cannot_be(device, wrong):
    with pytest.raises(TypeError):
        tools.DeviceMemoryPool(wrong)
    with pytest.raises(TypeError, match='PageLockedAllocator'):
        tools.PageLockedMemoryPool(wrong)
    with pytest.raises(TypeError):
        tools.PageLockedMemoryPool(nonsense=1)


@pytest.mark.parametrize(
    'arguments', [(), (3,), ((3, -1), 'f4'), (-1, 'f4'), (3, 'nonsense'), ((2, 'x'), 'f4'),
                  (3, 'f4', 'Z'), (3, 'f4', 'C', 'x')],
)  # fmt: skip
def test_page_locked_arrays_that_cannot_be(device, arguments):
    pool = tools.PageLockedMemoryPool()
    with pytest.raises((TypeError, ValueError)):
        pool.allocate(*arguments)
    assert pool.active_blocks == 0


def test_lengths(device):
    pool = tools.PageLockedMemoryPool()
    assert len(pool.allocate((2, 3), 'f8').base) == 48
    assert len(tools.DeviceMemoryPool().allocate(77)) == 77


def test_more_than_four_gib(python, device_name):
    """Sizes are whole, in books and in addresses; on the CPU device nobody touches the pages."""
    done = python(
        """
        import runcu.autoinit, runcu.driver as cuda, numpy as np
        from runcu import tools
        size = (5 << 30) + 12345
        pool = tools.DeviceMemoryPool()
        block = pool.allocate(size)
        assert len(block) == pool.active_bytes == size <= pool.managed_bytes < size * 17 / 16
        end = int(block) + size - 8
        cuda.memcpy_htod(end, np.int64(-5))
        assert cuda.from_device(end, 1, np.int64)[0] == -5
        assert cuda.mem_get_address_range(end)[0] == int(block)
        block.free()
        again = pool.allocate(size)
        assert pool.held_blocks == 0 and pool.active_blocks == 1
        print('fine')
        """,
        device=device_name,
        RUNCU_CPU_MEMORY='8G',
    )
    assert done.stdout == 'fine\n'


def test_unreachable_objects_make_room_though_collecting_is_off(device):
    import gc

    free = driver.mem_get_info()[0]
    pool = tools.DeviceMemoryPool()
    pool.stop_holding()

    class Cycle:
        pass

    for allocate in (pool.allocate, driver.mem_alloc):
        cycle = Cycle()
        cycle.me, cycle.memory = cycle, allocate(free // 2)
        gc.disable()
        try:
            del cycle
            assert int(allocate(free // 2 + free // 8))
        finally:
            gc.enable()


def test_pools_after_fork(python, device_name):
    done = python(
        """
        import os, sys
        import runcu.autoinit, runcu.driver as cuda
        from runcu import tools
        pool, host = tools.DeviceMemoryPool(), tools.PageLockedMemoryPool()
        held, kept = pool.allocate(100), pool.allocate(200)
        held.free()
        array = host.allocate(10, 'i4')
        cuda.memset_d32(kept, 5, 50)
        cuda.Context.synchronize()
        child = os.fork()
        if child == 0:
            try:
                cuda.memset_d32(pool.allocate(100), 1, 25)
                kept.free()
                cuda.Context.synchronize()
                said = 'works'
            except cuda.Error as e:
                said = str(e)
            del array, host, pool
            print(said, flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert cuda.from_device(kept, 50, 'u4').tolist() == [5] * 50
        assert len(pool.allocate(100)) == 100
        """,
        device=device_name,
        options=('-W', 'ignore::DeprecationWarning'),  # threads and fork
    )
    assert done.stderr == ''
    assert done.stdout == 'works\n' if device_name == 'cpu' else 'fork' in done.stdout


# --- the pool that tells ---


def test_the_debugging_pool(device):
    import io

    log = io.StringIO()
    pool = tools.DebugMemoryPool(interactive=False, logfile=log)

    def here():
        return pool.allocate(100)

    a, b = here(), here()
    c = pool.allocate(size=50)
    assert isinstance(a, tools.PooledDeviceAllocation) and len(c) == 50
    text = log.getvalue()
    assert text.count('Allocation of size 100 occurring') == 2
    assert 'Allocation of size 50 occurring' in text
    assert '(pool: held:0, active:2)' in text and '|here' in text
    assert '(100 bytes): 2x' in text.rpartition('Allocation of size 50')[2]
    del a, b
    pool.allocate(1)
    assert '(100 bytes)' not in log.getvalue().rpartition('Allocation of size 1 ')[2]
    assert use(pool)[1] == 1


def test_the_debugging_pool_asks(device, monkeypatch):
    import io

    answers = iter(['', 'here', '', ''])
    asked = []

    def answer(prompt):
        asked.append(prompt)
        return next(answers)

    monkeypatch.setattr('builtins.input', answer)
    log = io.StringIO()
    pool = tools.DebugMemoryPool(logfile=log)
    for _ in range(2):
        pool.allocate(10)
    assert [a.strip() for a in asked] == [
        'Enter mnemonic or [Enter] for more info:',
        'Enter mnemonic or [Enter] for more info:',
        '[Enter]',
        '[Enter]',
    ]
    assert log.getvalue().count('at: here') == 2


def test_the_debugging_pool_where_nobody_answers(python):
    done = python(
        """
        import runcu.autoinit
        from runcu import tools
        pool = tools.DebugMemoryPool()
        pool.allocate(10)
        pool.allocate(20)
        """
    )
    assert done.stdout.count('occurring') == 2

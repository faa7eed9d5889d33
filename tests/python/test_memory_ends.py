"""Memory of every kind ends from any thread, in any order, with its context, at exit, after a fork.

Each scenario is a program of its own, which must say nothing on the way.
"""

import textwrap

import numpy as np
import pytest
from runcu import driver

KINDS = {
    'device': 'driver.mem_alloc(SIZE)',
    'pitched': 'driver.mem_alloc_pitch(SIZE, 2, 4)[0]',
    'managed': 'driver.ManagedAllocation(SIZE)',
    'a managed array': "driver.managed_zeros(SIZE, 'u1')",
    'page-locked': 'driver.HostAllocation(SIZE, 1)',
    'a page-locked array': "driver.pagelocked_zeros(SIZE, 'u1')[10:20]",
    'registered': "driver.register_host_memory(driver.aligned_zeros(SIZE, 'u1'))",
    'of a stream': 'driver.mem_alloc_async(SIZE)',
    'of a pool of the driver': 'driver.MemoryPool().allocate(SIZE)',
    'of a pool': 'tools.DeviceMemoryPool().allocate(SIZE)',
    'page-locked of a pool': "tools.PageLockedMemoryPool().allocate(SIZE, 'u1')",
    'mapped': 'mapped()',
    'wrapped': 'driver.DeviceAllocation.from_handle(int(keep))',
    'a view': 'view()',
}

HEAD = """
import gc, os, sys, threading
import numpy as np
import runcu
from runcu import driver, tools
from runcu.driver import Context, Device
SIZE = 3 << 20
keep = driver.mem_alloc(64)

def mapped():
    grain = driver.mem_granularity()
    addresses = driver.AddressRange(2 * grain)
    with driver.PhysicalMemory(grain) as memory:
        addresses.map(memory, grain)
    return addresses

def view():
    return driver.mem_alloc(SIZE).as_buffer(16)

def make():
    return KIND

def free():
    gc.collect()
    Context.synchronize()
    return driver.mem_get_info()[0]
"""

SCENARIOS = {
    'again and again': """
        make()
        before = free()
        for _ in range(50):
            make()
        assert free() >= before - (SLACK << 20), (before, free())
    """,
    'from another thread': """
        things = [make() for _ in range(5)]
        thread = threading.Thread(target=things.clear)
        thread.start()
        thread.join()
        driver.memset_d8(keep, 0, 64)
    """,
    'made in threads, ended here, in any order': """
        things = []
        threads = [threading.Thread(target=lambda: things.append(make())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while things:
            things.pop(len(things) * 7 % len(things))
        free()
    """,
    'after its context was popped and detached': """
        context = Device(0).make_context()
        thing = make()
        Context.pop()
        other = Device(0).make_context()
        del thing
        second = make()
        other.detach()
        context.detach()
        del second, context, other
        gc.collect()
        driver.memset_d8(keep, 0, 64)
    """,
    'after the context died, from a thread': """
        context = Device(0).make_context()
        things = [make() for _ in range(3)]
        context.detach()
        thread = threading.Thread(target=things.clear)
        thread.start()
        thread.join()
        driver.memset_d8(keep, 0, 64)
    """,
    'left about at the end': """
        things = [make() for _ in range(3)]
        context = Device(0).make_context()
        more = [make() for _ in range(3)]
        sys.modules['left'] = things
        driver.left = more
    """,
    'in a cycle at the end': """
        class Knot:
            pass
        knot = Knot()
        knot.me, knot.thing = knot, make()
        gc.disable()
        del knot
    """,
    'by a daemon thread at the end': """
        def work():
            while True:
                make()
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        for _ in range(3):
            make()
    """,
    'in a forked child': """
        thing = make()
        pid = os.fork()
        if not pid:
            del thing
            gc.collect()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        del thing
        driver.memset_d8(keep, 0, 64)
    """,
    'in a forked child that ends by itself': """
        thing = make()
        pid = os.fork()
        if not pid:
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        del thing
        free()
    """,
}


@pytest.mark.parametrize('scenario', SCENARIOS)
@pytest.mark.parametrize('kind', KINDS)
def test_memory_ends(python, device_name, kind, scenario):
    slack = '0' if device_name == 'cpu' else '1000000'  # a GPU is not ours alone
    program = HEAD.replace('KIND', KINDS[kind]) + textwrap.dedent(SCENARIOS[scenario])
    done = python(program.replace('SLACK', slack), device=device_name,
                  options=('-W', 'ignore::DeprecationWarning'))  # fmt: skip
    assert done.stdout == ''
    assert done.stderr == ''


def test_more_than_four_gib(device):
    """Offsets that do not fit into 32 bits; pages are committed where they are touched alone."""
    size = (4 << 30) + (8 << 20)
    if driver.mem_get_info()[0] < size + (64 << 20):
        pytest.skip('the device has not that much memory free')
    memory = driver.mem_alloc(size)
    assert memory.size == size
    end = int(memory) + size - 4096
    driver.memset_d8(end, 7, 4096)
    assert (driver.from_device(end, 4096, np.uint8) == 7).all()
    driver.memset_d2d8(memory, 1 << 31, 5, 16, 3)  # the third row begins at 4 GiB
    assert driver.from_device(int(memory) + (1 << 32), 16, np.uint8).tolist() == [5] * 16
    driver.memcpy_dtod(int(memory) + (1 << 32) + 64, end, 16)
    assert driver.from_device(int(memory) + (1 << 32) + 64, 1, np.uint8)[0] == 7
    assert driver.mem_get_address_range(end) == (int(memory), size)


def test_more_than_four_gib_on_the_cpu_device(python):
    python(
        """
        import numpy as np
        from runcu import driver
        size = 6 << 30
        memory = driver.mem_alloc(size)
        driver.memset_d32(int(memory) + (5 << 30), 9, 1024)
        assert (driver.from_device(int(memory) + (5 << 30), 1024, np.uint32) == 9).all()
        assert driver.mem_get_info()[1] == 16 << 30
        addresses, pitch = driver.mem_alloc_pitch(1 << 20, 5 << 10, 4)
        assert pitch * (5 << 10) == addresses.size == 5 << 30
        """,
        RUNCU_CPU_MEMORY=str(16 << 30),
    )

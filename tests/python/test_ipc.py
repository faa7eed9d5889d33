"""Memory and events of one process in another."""

import gc
import os
import textwrap

import numpy as np
import pytest
from runcu import driver

#: A program that starts itself again: `main` in the first process, `other` in the second. They talk
#: by lines over pipes.
FRAME = """
import subprocess, sys
import numpy as np
from runcu import driver
from runcu.compiler import SourceModule

SOURCE = '''
__global__ void add(int *x, int by, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] += by;
}'''

def add(memory, by, n, stream=None):
    kernel = SourceModule(SOURCE).get_function('add')
    kernel(memory, np.int32(by), np.int32(n), block=(128, 1, 1), grid=(n // 128 + 1, 1),
           stream=stream)

def say(text, file=sys.stdout):
    print(text, file=file, flush=True)

def hear(file=sys.stdin):
    return file.readline().strip()

def start():
    return subprocess.Popen([sys.executable, __file__, 'other'], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

BODY

if 'other' in sys.argv:
    other()
else:
    main()
"""


@pytest.fixture
def two(python, device_name):
    def run(body):
        return python(FRAME.replace('BODY', textwrap.dedent(body)), device=device_name)

    return run


def test_memory_is_one(two):
    two("""
    def other():
        with driver.IPCMemoryHandle(bytearray.fromhex(hear())) as memory:
            assert isinstance(memory, driver.DeviceAllocation)
            assert int(memory) == memory.handle
            assert driver.from_device(memory, 1000, np.int32).tolist() == list(range(1000))
            add(memory, 5, 1000)
            driver.Context.synchronize()
            say('done')
            assert hear() == 'go on'
            assert driver.from_device(memory, 1, np.int32)[0] == 77
        try:
            memory.close()
        except driver.LogicError as e:
            assert 'ipc_mem_handle::close failed: invalid resource handle' in str(e)
        else:
            raise AssertionError

    def main():
        memory = driver.to_device(np.arange(1000, dtype=np.int32))
        child = start()
        say(driver.mem_get_ipc_handle(memory).hex(), child.stdin)
        assert hear(child.stdout) == 'done'
        assert driver.from_device(memory, 1000, np.int32).tolist() == list(range(5, 1005))
        driver.memset_d32(memory, 77, 1)
        driver.Context.synchronize()
        say('go on', child.stdin)
        assert child.wait() == 0
    """)


def test_events_order_processes(two):
    two("""
    def other():
        memory = driver.IPCMemoryHandle(bytes.fromhex(hear()), 1)
        ready = driver.Event.from_ipc_handle(bytes.fromhex(hear()))
        stream = driver.Stream()
        stream.wait_for_event(ready)
        add(memory, 1, 1000, stream)
        stream.synchronize()
        assert ready.query()
        say('done')
        hear()

    def main():
        flags = driver.event_flags.INTERPROCESS | driver.event_flags.DISABLE_TIMING
        memory, ready = driver.mem_alloc(4000), driver.Event(flags)
        stream = driver.Stream()
        driver.memset_d32_async(memory, 10, 1000, stream)
        add(memory, 10, 1000, stream)
        ready.record(stream)
        child = start()
        say(driver.mem_get_ipc_handle(memory).hex(), child.stdin)
        say(ready.ipc_handle().hex(), child.stdin)
        assert hear(child.stdout) == 'done'
        assert (driver.from_device(memory, 1000, np.int32) == 21).all()
        say('end', child.stdin)
        assert child.wait() == 0
    """)


def test_a_handle_of_freed_memory_is_refused(python):
    """On a GPU nobody can tell."""
    body = """
    def other():
        handle = bytes.fromhex(hear())
        try:
            driver.IPCMemoryHandle(handle)
        except driver.LogicError as e:
            assert 'cuIpcOpenMemHandle failed' in str(e), e
            assert 'has it no more' in str(e), e
        else:
            raise AssertionError('opened')

    def main():
        memory = driver.mem_alloc(4 << 20)
        handle = driver.mem_get_ipc_handle(memory).hex()
        child = start()
        memory.free()
        say(handle, child.stdin)
        assert child.wait() == 0
    """
    python(FRAME.replace('BODY', textwrap.dedent(body)))


def test_what_is_no_handle(device):
    with pytest.raises(ValueError, match='64 bytes, not 3'):
        driver.IPCMemoryHandle(b'abc')
    with pytest.raises(TypeError):
        driver.IPCMemoryHandle('x' * 64)
    with pytest.raises(TypeError):
        driver.IPCMemoryHandle()
    with pytest.raises(driver.Error):
        driver.IPCMemoryHandle(bytes(64))
    with pytest.raises(ValueError, match='64 bytes'):
        driver.Event.from_ipc_handle(b'abc')
    with pytest.raises(driver.Error):
        driver.Event.from_ipc_handle(bytes(64))
    memory = driver.mem_alloc(64)
    handle = driver.mem_get_ipc_handle(memory)
    assert isinstance(handle, bytearray)
    assert len(handle) == 64
    with pytest.raises(driver.Error):
        driver.IPCMemoryHandle(handle)  # of this process
    if device.is_cpu:
        with pytest.raises(driver.LogicError, match='handle is of this process'):
            driver.IPCMemoryHandle(handle)
        handle[20] ^= 4
        with pytest.raises(driver.LogicError, match='damaged'):
            driver.IPCMemoryHandle(handle)
    with pytest.raises(driver.LogicError):
        driver.mem_get_ipc_handle(driver.managed_empty(4, np.int8).base)
    memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        driver.mem_get_ipc_handle(memory)
    with pytest.raises(driver.LogicError):
        driver.Event().ipc_handle()
    with pytest.raises(driver.LogicError):
        driver.Event(driver.event_flags.INTERPROCESS)


def test_shared_memory_goes_on_as_before(device):
    small = [driver.to_device(np.full(100, i, np.int32)) for i in range(20)]
    large = driver.to_device(np.arange(1 << 20, dtype=np.int32))
    for memory in (small[3], large, small[3], small[4]):
        driver.mem_get_ipc_handle(memory)
    for i, memory in enumerate(small):
        assert (driver.from_device(memory, 100, np.int32) == i).all()
    assert (driver.from_device(large, 1 << 20, np.int32) == np.arange(1 << 20)).all()
    del large
    small[3].free()
    gc.collect()
    assert (driver.from_device(small[4], 100, np.int32) == 4).all()


def test_a_forked_child_has_its_own_copy():
    with driver.Device('cpu').retain_primary_context():
        memory = driver.to_device(np.arange(100, dtype=np.int32))
        driver.mem_get_ipc_handle(memory)
        pid = os.fork()
        if not pid:
            driver.memset_d32(memory, 5, 100)
            os._exit(int(driver.from_device(memory, 1, np.int32)[0] != 5))
        assert os.waitpid(pid, 0)[1] == 0
        assert driver.from_device(memory, 100, np.int32).tolist() == list(range(100))

"""A launch never waits for what another thread compiles, loads, or asks for.

Nothing is measured in seconds: while one thread is at it, another one must get many launches done.
"""

import threading

import pytest
import runcu
from runcu import driver

FEW = 20


class Launches:
    """A thread that launches without pause, and counts."""

    def __init__(self, device):
        self.device = device
        self.count = 0
        self.failure = None
        self.ending = threading.Event()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            with runcu.device(self.device):
                kernel = runcu.SourceModule('__global__ void nothing() {}').nothing
                bound = kernel.bind(block=(1, 1, 1))
                kernel(block=(1, 1, 1))
                driver.Context.synchronize()
                self.started.set()
                while not self.ending.is_set():
                    kernel(block=(1, 1, 1))
                    bound()
                    kernel[1]()
                    self.count += 1
                    if self.count % 50 == 0:
                        driver.Context.synchronize()
        except Exception as e:  # noqa: BLE001
            self.failure = e
        finally:
            self.started.set()

    def __enter__(self):
        self.thread.start()
        self.started.wait()
        return self

    def __exit__(self, *args):
        self.ending.set()
        self.thread.join()
        assert self.failure is None


def body(count):
    return ''.join(f'x = x * {2 * i + 3} + (x >> {i % 13 + 1});\n' for i in range(count))


def test_while_another_thread_compiles(device):
    source = f'__global__ void large(int *p) {{ int x = *p; {body(3000)} *p = x; }}'
    with Launches(device) as launches:
        before = launches.count
        runcu.compiler.compile(source, cache_dir=False)
        assert launches.count - before >= FEW


def big_ptx(count):
    lines = ''.join(
        f'mad.lo.s32 %r{i % 50 + 1}, %r{i * 7 % 50 + 1}, %r{i * 3 % 50 + 1}, {i};\n'
        for i in range(count)
    )
    return (
        '.version 6.4\n.target sm_75\n.address_size 64\n'
        '.visible .entry big(.param .u64 p) { .reg .b32 %r<60>; .reg .b64 %rd<3>;\n'
        f'ld.param.u64 %rd1, [p];\n{lines}st.global.u32 [%rd1], %r1;\nret; }}\n'
    ).encode()


def test_while_another_thread_asks_for_a_large_kernel(device):
    if not device.is_cpu:
        pytest.skip('a GPU assembles when the module is loaded, under a lock of its driver')
    text = big_ptx(20_000)
    with Launches(device) as launches:
        module = driver.module_from_buffer(text)
        before = launches.count
        module.get_function('big')
        assert launches.count - before >= FEW


def test_a_large_kernel_asked_for_by_many_at_once(device):
    module = driver.module_from_buffer(big_ptx(5_000))
    handles = []

    def work():
        with runcu.device(device):
            handles.append(module.get_function('big').handle)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(handles) == 4 and len(set(handles)) == 1


def test_a_context_that_ends_while_a_kernel_of_it_is_made(device):
    if not device.is_cpu:
        pytest.skip("what NVIDIA's driver makes of it is not ours to say")
    context = device.make_context()
    module = driver.module_from_buffer(big_ptx(8_000))
    context.pop()
    ended = []

    def work():
        try:
            with context:
                module.get_function('big')
        except driver.Error as e:
            ended.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    context.detach()
    thread.join()
    assert not context.is_alive

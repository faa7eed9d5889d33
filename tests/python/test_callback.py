"""Python functions that streams call."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest
import runcu
from runcu import driver
from runcu.compiler import SourceModule
from runcu.driver import Stream


@pytest.fixture(autouse=True)
def no_garbage():
    """Freeing memory waits for work, so for a call that waits for the test as well."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_call_comes_between_what_stands_around_it(device):
    memory = driver.mem_alloc(4)
    value = driver.pagelocked_zeros(1, np.uint32)
    seen = []
    with Stream(flags=1) as stream:
        for i in range(5):
            driver.memset_d32_async(memory, i, 1, stream)
            driver.memcpy_dtoh_async(value, memory, stream)
            stream.add_callback(lambda i: seen.append((i, int(value[0]))), i)
        stream.synchronize()
    assert seen == [(i, i) for i in range(5)]


def test_the_call_comes_on_another_thread(device):
    threads = []
    with Stream() as stream:
        stream.add_callback(lambda: threads.append(threading.get_ident()))
        stream.synchronize()
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_every_kind_of_stream(device):
    seen = []
    for stream in (driver.LEGACY_DEFAULT_STREAM, driver.PER_THREAD_DEFAULT_STREAM, Stream()):
        stream.add_callback(seen.append, stream.handle)
        stream.synchronize()
    assert len(seen) == 3
    assert seen[:2] == [1, 2]


def test_what_it_raises_is_reported(device, monkeypatch):
    reports = []
    monkeypatch.setattr(sys, 'unraisablehook', reports.append)
    with Stream() as stream:

        def fail():
            raise ZeroDivisionError('on purpose')

        stream.add_callback(fail)
        stream.add_callback(sys.exit, 3)
        stream.synchronize()
        assert stream.is_done()
    assert [report.exc_type for report in reports] == [ZeroDivisionError, SystemExit]
    assert reports[0].object is fail


def test_function_and_arguments_live_until_it_is_over(device):
    class Thing:
        def __call__(self, other):
            assert other() is not None

    function, argument = Thing(), Thing()
    alive = [weakref.ref(function), weakref.ref(argument)]
    gate = threading.Event()
    with Stream(flags=1) as stream:
        stream.add_callback(gate.wait, 10)
        stream.add_callback(function, lambda a=argument: a)
        del function, argument
        gc.collect()
        assert all(ref() is not None for ref in alive)
        gate.set()
        stream.synchronize()
    gc.collect()
    assert all(ref() is None for ref in alive)


def test_memory_given_to_a_call_is_freed_afterwards(device):
    freed = []
    memory = driver.mem_alloc(1 << 20)
    weakref.finalize(memory, freed.append, 1)
    with Stream() as stream:
        stream.add_callback(lambda memory: None, memory)
        del memory
        stream.synchronize()
    assert freed == [1]


def test_a_full_queue_behind_a_call_that_waits_for_python(device):
    kernel = SourceModule('__global__ void add(int *p) { *p += 1; }').get_function('add')
    memory = driver.to_device(np.zeros(1, np.int32))
    gate = threading.Event()
    kernel(memory, block=(1, 1, 1))
    with Stream(flags=1) as stream:
        opener = threading.Timer(0.2, gate.set)
        opener.start()
        stream.add_callback(gate.wait, 10)
        for _ in range(5000):
            kernel(memory, block=(1, 1, 1), stream=stream)
        stream.synchronize()
        opener.join()
    assert driver.from_device(memory, 1, np.int32)[0] == 5001


def test_a_full_queue_of_events_behind_a_call(device):
    gate = threading.Event()
    with Stream(flags=1) as stream:
        opener = threading.Timer(0.2, gate.set)
        opener.start()
        stream.add_callback(gate.wait, 10)
        events = [driver.Event().record(stream) for _ in range(3000)]
        stream.synchronize()
        opener.join()
    assert all(event.query() for event in events)


def test_many_calls_of_many_threads(device):
    counts = [0] * 8

    def add(i):
        counts[i] += 1

    def work(i):
        with Stream(flags=1) as stream:
            for _ in range(100):
                stream.add_callback(add, i)
            stream.synchronize()

    context = driver.Context.get_current()

    def in_context(i):
        context.push()
        try:
            work(i)
        finally:
            driver.Context.pop()

    threads = [threading.Thread(target=in_context, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [100] * 8


def test_a_call_may_not_use_the_device(monkeypatch):
    reports = []
    monkeypatch.setattr(sys, 'unraisablehook', reports.append)
    with runcu.device('cpu'), Stream() as stream:
        memory = driver.mem_alloc(16)
        stream.add_callback(driver.memset_d8_async, memory, 0, 16, stream)
        stream.synchronize()
    assert len(reports) == 1
    assert issubclass(reports[0].exc_type, driver.Error)


@pytest.mark.parametrize('bad', [(), (None,), (5, 6)])
def test_what_cannot_be_called_is_refused(device, bad):
    with pytest.raises(TypeError):
        Stream().add_callback(*bad)


def test_a_closed_stream_calls_nothing(device):
    stream = Stream()
    stream.close()
    with pytest.raises(driver.LogicError, match='closed'):
        stream.add_callback(print)


def test_calls_that_are_queued_at_the_end_still_come(python, device_name):
    done = python(
        """
        import time
        from runcu import driver
        stream = driver.Stream()
        stream.add_callback(time.sleep, 0.3)
        stream.add_callback(print, 'the last words')
        print('the end')
        """,
        device=device_name,
    )
    assert done.stdout.splitlines() == ['the end', 'the last words']
    assert done.stderr == ''


def test_the_end_is_reached_with_a_call_that_never_comes(python):
    done = python(
        """
        import gc
        from runcu import driver
        from runcu.compiler import SourceModule
        gate = []
        stream = driver.Stream(flags=1)
        kernel = SourceModule('__global__ void k() { __trap(); }').get_function('k')
        kernel(block=(1, 1, 1), stream=stream)
        try:
            stream.add_callback(print, 'never')
        except driver.Error:
            pass
        try:
            stream.synchronize()
        except driver.Error:
            print('a fault')
        """,
        check=False,
    )
    assert done.stdout.splitlines() == ['a fault']
    assert done.returncode == 0, done.stderr

"""Streams: their own, other libraries', and the default ones."""

import gc
import threading
import weakref

import numpy as np
import pytest
import runcu
from runcu import driver
from runcu.compiler import SourceModule
from runcu.driver import Event, Stream


def test_work_of_a_stream_is_done_after_synchronize(device):
    stream = Stream()
    host = np.arange(1 << 16, dtype=np.int32)
    memory = driver.mem_alloc(host.nbytes)
    back = np.zeros_like(host)
    driver.memcpy_htod_async(memory, host, stream)
    driver.memcpy_dtoh_async(back, memory, stream=stream)
    stream.synchronize()
    assert stream.is_done()
    assert (back == host).all()


def test_a_stream_waits_for_an_event(device):
    first, second = Stream(), Stream(flags=1)
    event = Event(driver.event_flags.DISABLE_TIMING)
    event.record(first)
    second.wait_for_event(event)
    second.synchronize()
    assert event.query()


def test_handles_and_foreign_streams(device):
    stream = Stream(1, priority=0)
    assert stream.__cuda_stream__() == (0, stream.handle)
    same = Stream.from_handle(stream.handle)
    assert same.handle == stream.handle

    class Foreign:
        def __cuda_stream__(self):
            return (0, stream.handle)

    memory = driver.mem_alloc(16)
    driver.memset_d8_async(memory, 7, 16, Foreign())
    same.synchronize()
    del same
    stream.synchronize()  # still there
    assert driver.from_device(memory, 16, np.uint8).tolist() == [7] * 16


class WithProtocol:
    def __init__(self, handle):
        self.handle = handle

    def __cuda_stream__(self):
        return (0, self.handle)


class WithPair:
    def __init__(self, handle):
        self.__cuda_stream__ = (0, handle)


class LikeTorch:
    def __init__(self, handle):
        self.cuda_stream = handle


class LikeCupy:
    def __init__(self, handle):
        self.ptr = handle

    def synchronize(self):
        pass


@pytest.mark.parametrize('kind', [int, WithProtocol, WithPair, LikeTorch, LikeCupy])
def test_streams_of_other_libraries(device, kind):
    with Stream(flags=1) as stream:
        foreign = kind(stream.handle)
        memory = driver.mem_alloc(16)
        driver.memset_d8_async(memory, 7, 16, foreign)
        event = Event().record(foreign)
        stream.synchronize()
        assert event.query()
        assert driver.from_device(memory, 16, np.uint8).tolist() == [7] * 16


def test_kernels_run_in_streams_of_other_libraries(device):
    kernel = SourceModule('__global__ void add(int *p) { *p += 1; }').get_function('add')
    memory = driver.to_device(np.array([41], np.int32))
    with Stream(flags=1) as stream:
        kernel(memory, block=(1, 1, 1), stream=LikeTorch(stream.handle))
        kernel[1, 1, stream.handle](memory)
        stream.synchronize()
    assert driver.from_device(memory, 1, np.int32)[0] == 43


@pytest.mark.parametrize('zero', [0, 1, None, WithProtocol(0), LikeCupy(1)])
def test_zero_and_one_are_the_legacy_default_stream(device, zero):
    memory = driver.mem_alloc(16)
    driver.memset_d8_async(memory, 3, 16, zero)
    assert driver.from_device(memory, 16, np.uint8).tolist() == [3] * 16


class ArrayLike:
    ptr = 64
    __cuda_array_interface__ = None


@pytest.mark.parametrize('bad', ['x', object(), True, 1.5, b'2', ArrayLike(), [1]])
def test_what_is_no_stream_is_refused(device, bad):
    with pytest.raises(TypeError, match='Stream'):
        driver.memset_d8_async(driver.mem_alloc(16), 0, 16, bad)
    with pytest.raises(TypeError):
        Event().record(bad)


@pytest.mark.parametrize('bad', [LikeTorch('x'), LikeCupy(None), WithProtocol(1.5), WithPair([])])
def test_a_stream_that_gives_no_handle_is_refused(device, bad):
    with pytest.raises(TypeError):
        Event().record(bad)


@pytest.mark.parametrize('bad', [-1, 1 << 64])
def test_numbers_that_are_no_handles_are_refused(device, bad):
    with pytest.raises(OverflowError):
        Event().record(bad)
    with pytest.raises(OverflowError):
        Stream.from_handle(bad)


def test_a_protocol_that_raises_is_heard(device):
    class Broken:
        def __cuda_stream__(self):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Event().record(Broken())


def test_a_number_that_names_no_stream_is_refused_on_the_cpu_device():
    with runcu.device('cpu'), pytest.raises(driver.LogicError):
        driver.memset_d8_async(driver.mem_alloc(16), 0, 16, 0x123450)


def test_the_default_streams_are_objects(device):
    memory = driver.mem_alloc(16)
    for value, stream in enumerate(
        [driver.LEGACY_DEFAULT_STREAM, driver.PER_THREAD_DEFAULT_STREAM], 1
    ):
        assert stream.handle == value
        assert stream.__cuda_stream__() == (0, value)
        driver.memset_d8_async(memory, value, 16, stream)
        event = Event().record(stream)
        stream.synchronize()
        assert stream.is_done() and event.query()
        assert stream.flags == 0
        assert stream.priority == 0
        assert driver.from_device(memory, 16, np.uint8).tolist() == [value] * 16
        with stream:
            pass
        assert stream.is_done()  # still there


def test_default_streams_are_those_of_the_current_context(device):
    context = driver.Context.get_device().make_context()
    try:
        assert driver.LEGACY_DEFAULT_STREAM.context == context
        assert driver.PER_THREAD_DEFAULT_STREAM.context == context
    finally:
        context.pop()


def test_properties(device):
    least, greatest = Stream.priority_range()
    assert greatest <= least == 0
    with Stream(flags=1, priority=greatest) as stream:
        assert stream.flags == 1
        assert stream.priority == greatest
        assert stream.context == driver.Context.get_current()
    with Stream(priority=greatest - 100) as stream:
        assert stream.flags == 0
        assert stream.priority == greatest


def test_a_stream_is_closed_once_and_for_all(device):
    with Stream() as stream:
        memory = driver.mem_alloc(16)
        driver.memset_d8_async(memory, 5, 16, stream)
    stream.close()
    uses = [
        stream.synchronize,
        stream.is_done,
        stream.__cuda_stream__,
        lambda: stream.handle,
        lambda: stream.flags,
        lambda: stream.priority,
        lambda: stream.context,
        lambda: stream.wait_for_event(Event()),
        lambda: Event().record(stream),
        lambda: driver.memset_d8_async(memory, 0, 16, stream),
    ]
    for use in uses:
        with pytest.raises(driver.LogicError, match='closed'):
            use()
    assert driver.from_device(memory, 16, np.uint8).tolist() == [5] * 16


def test_a_wrapped_stream_keeps_its_owner(device):
    class Owner:
        pass

    owner = Owner()
    alive = weakref.ref(owner)
    with Stream() as stream:
        wrapped = Stream.from_handle(stream.handle, owner=owner)
        del owner
        assert alive() is not None
        wrapped.close()
        stream.synchronize()  # closing the wrapper closed nothing
        del wrapped
        assert alive() is None


def test_an_owner_that_knows_its_stream_is_collected(device):
    class Owner:
        pass

    with Stream() as stream:
        owner = Owner()
        owner.stream = Stream.from_handle(stream.handle, owner)
        alive = weakref.ref(owner)
        del owner
        gc.collect()
        assert alive() is None


def test_closing_while_others_wait(device):
    memory = driver.mem_alloc(1 << 16)

    def wait(stream):
        try:
            for _ in range(50):
                stream.synchronize()
        except driver.LogicError as error:
            assert 'closed' in str(error)  # noqa: PT017

    for _ in range(20):
        stream = Stream()
        driver.memset_d8_async(memory, 1, 1 << 16, stream)
        threads = [threading.Thread(target=wait, args=(stream,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        stream.close()
        for thread in threads:
            thread.join()


def test_bad_flags_are_refused(device):
    with pytest.raises(OverflowError):
        Stream(-1)
    with pytest.raises(TypeError):
        Stream(1.0)
    with pytest.raises(driver.LogicError):
        Stream(12345)


def test_a_memory_of_a_running_copy_may_be_forgotten(device):
    stream = Stream()
    memory = driver.mem_alloc(1 << 20)
    for value in range(8):
        driver.memcpy_htod_async(memory, np.full(1 << 20, value, np.uint8), stream)
    stream.synchronize()
    assert driver.from_device(memory, 1 << 20, np.uint8).min() == 7

"""Streams and events."""

import numpy as np
import pytest
from runcu import driver
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


def test_events_measure_milliseconds(device):
    start, end = Event(), Event()
    assert start.record() is start
    driver.memset_d8(driver.mem_alloc(1 << 20), 0, 1 << 20)
    assert end.record(None).synchronize() is end
    assert start.query() and end.query()
    assert end.time_since(start) == start.time_till(end) >= 0


def test_a_stream_waits_for_an_event(device):
    first, second = Stream(), Stream(flags=1)
    event = Event(driver.event_flags.DISABLE_TIMING)
    event.record(first)
    second.wait_for_event(event)
    second.synchronize()
    assert event.query()


def test_an_event_that_was_not_recorded_has_no_time(device):
    with pytest.raises(driver.LogicError):
        Event().time_since(Event())


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


@pytest.mark.parametrize('bad', [1, 'x', object()])
def test_what_is_no_stream_is_refused(device, bad):
    with pytest.raises(TypeError, match='Stream'):
        driver.memset_d8_async(driver.mem_alloc(16), 0, 16, bad)
    with pytest.raises(TypeError):
        Event().record(bad)


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

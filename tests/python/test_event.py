"""Events: when they have happened, and the time between two."""

import gc
import weakref

import numpy as np
import pytest
from runcu import driver
from runcu.driver import Event, Stream, event_flags


def test_events_measure_milliseconds(device):
    start, end = Event(), Event()
    assert start.record() is start
    driver.memset_d8(driver.mem_alloc(1 << 20), 0, 1 << 20)
    assert end.record(None).synchronize() is end
    assert start.query() is True
    assert end.query() is True
    assert end.time_since(start) == start.time_till(end) >= 0
    assert isinstance(end.time_since(start), float)


def test_an_event_that_was_not_recorded_has_happened_but_has_no_time(device):
    event = Event()
    assert event.query()
    assert event.synchronize() is event
    with pytest.raises(driver.LogicError, match='cuEventElapsedTime'):
        event.time_since(Event())


def test_an_event_without_timing_has_no_time(device):
    first = Event(event_flags.DISABLE_TIMING).record().synchronize()
    second = Event().record().synchronize()
    with pytest.raises(driver.LogicError):
        second.time_since(first)
    with pytest.raises(driver.LogicError):
        first.time_till(second)


@pytest.mark.parametrize(
    'flags',
    [
        event_flags.DEFAULT,
        event_flags.BLOCKING_SYNC,
        event_flags.DISABLE_TIMING,
        event_flags.BLOCKING_SYNC | event_flags.DISABLE_TIMING,
        event_flags.INTERPROCESS | event_flags.DISABLE_TIMING,
    ],
)
def test_every_flag(device, flags):
    with Stream(flags=1) as stream, Event(flags) as event:
        event.record(stream).synchronize()
        assert event.query()


@pytest.mark.parametrize('flags', [1 << 12, event_flags.INTERPROCESS])
def test_flags_that_the_driver_refuses(device, flags):
    with pytest.raises(driver.LogicError, match='cuEventCreate'):
        Event(flags)


def test_handles(device):
    event = Event()
    same = Event.from_handle(event.handle)
    assert same.handle == event.handle
    same.record()
    event.synchronize()
    assert same.query()
    assert event.time_since(same) == 0
    same.close()
    assert event.query()  # still there


def test_a_wrapped_event_keeps_its_owner(device):
    class Owner:
        pass

    event = Event()
    owner = Owner()
    owner.event = Event.from_handle(event.handle, owner=owner)
    alive = weakref.ref(owner)
    wrapped = owner.event
    del owner
    gc.collect()
    assert alive() is not None
    del wrapped
    gc.collect()
    assert alive() is None


def test_an_event_is_closed_once_and_for_all(device):
    with Event() as event:
        event.record()
    event.close()
    good = Event().record().synchronize()
    uses = [
        event.record,
        event.synchronize,
        event.query,
        lambda: event.handle,
        lambda: event.time_since(good),
        lambda: good.time_since(event),
        lambda: Stream().wait_for_event(event),
    ]
    for use in uses:
        with pytest.raises(driver.LogicError, match='closed'):
            use()


def test_closing_does_not_free_those_who_wait(device):
    memory = driver.mem_alloc(4)
    first, second = Stream(flags=1), Stream(flags=1)
    driver.memset_d32_async(memory, 5, 1, first)
    with Event(event_flags.DISABLE_TIMING) as event:
        second.wait_for_event(event.record(first))
    back = np.zeros(1, np.uint32)
    driver.memcpy_dtoh_async(back, memory, second)
    second.synchronize()
    assert back[0] == 5


def test_zero_is_no_event(device):
    with pytest.raises(driver.Error, match='no event'):
        Event.from_handle(0)


@pytest.mark.parametrize('bad', ['x', 1.5, None])
def test_what_is_no_event_is_refused(device, bad):
    with pytest.raises(TypeError):
        Event.from_handle(bad)
    with pytest.raises(TypeError, match='Event'):
        Stream().wait_for_event(bad)
    with pytest.raises(TypeError, match='Event'):
        Event().time_since(bad)


def test_wrong_arguments(device):
    with pytest.raises(TypeError):
        Event(1.0)
    with pytest.raises(OverflowError):
        Event(-1)
    with pytest.raises(TypeError):
        Event(0, 0)
    with pytest.raises(TypeError):
        Event().record(None, None, None)
    with pytest.raises(TypeError):
        Event().record(strem=None)
    with pytest.raises(TypeError):
        Event().time_since()
    with pytest.raises(TypeError):
        Event.from_handle()


def test_recording_for_a_graph_outside_of_a_capture_is_refused(device):
    with Stream() as stream:
        with pytest.raises(driver.LogicError):
            Event().record(stream, external=True)
        with pytest.raises(driver.LogicError):
            stream.wait_for_event(Event(), external=True)

"""Contexts: the stack, detaching, who keeps them alive."""

import gc
import threading
import weakref

import pytest
from runcu import driver
from runcu.driver import Context, Device


def test_made_context_is_current_and_stacked(device):
    below = Context.get_current()
    context = device.make_context()
    assert Context.get_current() == context
    assert context != below
    assert context.handle != below.handle
    assert context.device == device
    Context.pop()
    assert Context.get_current() == below
    context.push()
    assert Context.get_current() == context
    context.pop()  # static methods work on instances
    context.detach()
    assert not context.is_alive
    assert Context.get_current() == below


def test_detach_of_the_current_context_gives_the_one_beneath(device):
    below = Context.get_current()
    context = device.make_context()
    context.detach()
    assert Context.get_current() == below
    with pytest.raises(driver.LogicError, match='cannot detach from invalid context'):
        context.detach()


def test_a_stack_keeps_its_contexts(device):
    device.make_context()  # nobody else holds it
    gc.collect()
    memory = driver.mem_alloc(64)
    driver.memcpy_htod(memory, bytes(64))
    Context.pop()
    del memory


def test_pop_without_a_context_is_a_logic_error():
    said = []

    def work():
        try:
            Context.pop()
        except driver.LogicError as e:
            said.append(str(e))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == ['context::pop failed: invalid device context - cannot pop non-current context']


def test_objects_keep_a_popped_context(device):
    context = device.make_context()
    memory = driver.mem_alloc(1024)
    Context.pop()
    reference = weakref.ref(context)
    del context
    gc.collect()
    assert reference() is None
    memory.free()


def test_objects_of_a_detached_context_go_quietly(device, recwarn):
    context = device.make_context()
    memory = driver.mem_alloc(1024)
    stream, event = driver.Stream(), driver.Event()
    context.detach()
    del memory, stream, event
    gc.collect()
    assert not recwarn.list


def test_memory_is_freed_from_a_thread_without_context(device, recwarn):
    memory = [driver.mem_alloc(1 << 20) for _ in range(4)]
    free_before = driver.mem_get_info()[0]
    thread = threading.Thread(target=memory.clear)
    thread.start()
    thread.join()
    assert driver.mem_get_info()[0] >= free_before
    assert not recwarn.list


def test_threads_have_the_default_context(device_name, python):
    python(
        """
        import threading
        from runcu import driver
        contexts = []
        def work():
            driver.mem_alloc(16)
            contexts.append(driver.Context.get_current())
        threads = [threading.Thread(target=work) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert len(set(contexts)) == 1 and None not in contexts
        assert driver.Context.get_current() is None
        """,
        device=device_name,
    )


def test_limits(device):
    limit = driver.limit
    for which in (limit.STACK_SIZE, limit.PRINTF_FIFO_SIZE, limit.MALLOC_HEAP_SIZE):
        assert Context.get_limit(which) > 0
    before = Context.get_limit(limit.PRINTF_FIFO_SIZE)
    Context.set_limit(limit.PRINTF_FIFO_SIZE, 2 * before)
    assert Context.get_limit(limit.PRINTF_FIFO_SIZE) >= 2 * before
    Context.set_limit(limit=limit.PRINTF_FIFO_SIZE, value=before)
    with pytest.raises(driver.LogicError):
        Context.get_limit(1000)


def test_cache_config(device):
    Context.set_cache_config(driver.func_cache.PREFER_L1)
    assert Context.get_cache_config() in driver.func_cache.values
    Context.set_cache_config(driver.func_cache.PREFER_NONE)
    Context.set_shared_config(driver.shared_config.FOUR_BYTE_BANK_SIZE)
    assert Context.get_shared_config() == driver.shared_config.FOUR_BYTE_BANK_SIZE


def test_with_pushes_and_pops(device):
    context = device.retain_primary_context()
    other = device.make_context()
    with context as entered:
        assert entered is context
        assert Context.get_current() == context
    assert Context.get_current() == other
    other.detach()


def test_contexts_are_keys(device):
    context = device.retain_primary_context()
    again = Device(device).retain_primary_context()
    assert {context: 1}[again] == 1
    assert context == Context.get_current()
    assert context.get_api_version() > 0


def test_contexts_cannot_be_made_directly():
    with pytest.raises(TypeError, match='make_context'):
        Context()

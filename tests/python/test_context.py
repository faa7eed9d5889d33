"""Contexts: the stack, detaching, who keeps them alive."""

import gc
import threading
import weakref

import numpy as np
import pytest
import runcu
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
    addresses = [int(m) for m in memory]
    thread = threading.Thread(target=memory.clear)
    thread.start()
    thread.join()
    for address in addresses:
        with pytest.raises(driver.LogicError):
            driver.mem_get_address_range(address)
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


def test_pop_leaves_what_nobody_pushed(device_name, python):
    """The default context is there for want of another one: PyCUDA has nothing to pop then."""
    python(
        """
        import pytest
        from runcu import driver
        from runcu.driver import Context
        driver.mem_alloc(16)
        default = Context.get_current()
        for _ in range(2):
            with pytest.raises(driver.LogicError, match='cannot pop non-current context'):
                Context.pop()
        assert Context.get_current() == default
        context = default.device.make_context()
        context.pop()
        assert Context.get_current() == default
        with pytest.raises(driver.LogicError, match='cannot pop non-current context'):
            context.pop()
        """,
        device=device_name,
    )


def test_what_was_detached_beneath_the_top_is_skipped(device):
    below = Context.get_current()
    first, second, third = (device.make_context() for _ in range(3))
    second.detach()
    first.detach()
    assert Context.get_current() == third
    Context.pop()
    assert Context.get_current() == below
    third.detach()
    first, second = device.make_context(), device.make_context()
    first.detach()
    second.detach()
    assert Context.get_current() == below


def test_a_failed_make_context_leaves_the_stack_as_it_was(device):
    before = Context.get_current()
    with pytest.raises(driver.LogicError) as e:
        device.make_context(1 << 30)
    assert e.value.routine == 'cuCtxCreate'
    assert Context.get_current() == before
    context = device.make_context()
    with pytest.raises(driver.LogicError):
        device.make_context(flags=driver.ctx_flags.SCHED_SPIN | driver.ctx_flags.SCHED_YIELD)
    assert Context.get_current() == context
    context.detach()
    assert Context.get_current() == before


def test_a_primary_context_has_as_many_holds_as_were_asked_for(device_name, python):
    python(
        """
        import pytest, runcu.autoprimaryctx
        from runcu import driver
        from runcu.driver import Context, Device
        first = runcu.autoprimaryctx.context
        memory = driver.to_device(b'1234')
        second = Device().retain_primary_context()
        assert second == first
        second.push()
        second.detach()
        assert Context.get_current() == first and first.is_alive and not second.is_alive
        with pytest.raises(driver.LogicError, match='cannot detach from invalid context'):
            second.detach()
        with pytest.raises(driver.LogicError, match='context has been detached'):
            second.push()
        third = Device().retain_primary_context()
        del third  # a hold that is dropped counts no more
        assert bytes(driver.from_device(memory, 4, 'u1')) == b'1234'
        first.detach()
        assert not first.is_alive
        memory = driver.to_device(b'5678')  # the default context is made anew
        assert bytes(driver.from_device(memory, 4, 'u1')) == b'5678'
        """,
        device=device_name,
    )


def test_objects_live_on_where_others_hold_the_primary_context(device_name, python):
    python(
        """
        import ctypes, gc
        from runcu import driver
        from runcu.driver import Context, Device
        context = Device().retain_primary_context()
        context.push()
        others = None
        if not context.device.is_cpu:
            others = ctypes.CDLL('libcuda.so.1')
            handle = ctypes.c_void_p()
            assert others.cuDevicePrimaryCtxRetain(ctypes.byref(handle), 0) == 0
            assert handle.value == context.handle
        memory = driver.to_device(b'1234')
        big = driver.mem_alloc(64 << 20)
        address = int(big)
        context.detach()
        del big  # not lost, although we have given up the context
        gc.collect()
        if others:
            try:
                driver.mem_get_address_range(address)
                raise AssertionError('the memory is still there')
            except driver.LogicError:
                pass
            assert bytes(driver.from_device(memory, 4, 'u1')) == b'1234'
        """,
        device=device_name,
    )


def test_peers(device):
    current = Context.get_current()
    assert device.can_access_peer(device) is False
    with pytest.raises(driver.LogicError) as e:
        Context.enable_peer_access(current)
    assert e.value.routine == 'cuCtxEnablePeerAccess'
    other = device.make_context()
    with pytest.raises(driver.LogicError):
        Context.enable_peer_access(current, 1)
    with pytest.raises(driver.LogicError, match='peer access has not been enabled'):
        Context.disable_peer_access(current)
    other.detach()
    with pytest.raises(driver.LogicError, match='detached'):
        Context.enable_peer_access(other)
    with pytest.raises(TypeError, match='Context'):
        Context.enable_peer_access(device)


def test_contexts_by_handle(device):
    current = Context.get_current()
    owner = object()
    same = Context.from_handle(current.handle, owner)
    assert same == current and same.owner is owner
    made = device.make_context()
    assert Context.from_handle(handle=made.handle) == made
    assert Context.get_current() == made
    made.detach()
    with pytest.raises(driver.ArgumentError, match='NULL'):
        Context.from_handle(0)
    with pytest.raises(TypeError):
        Context.from_handle('x')
    with pytest.raises(OverflowError):
        Context.from_handle(-1)


def test_a_context_made_by_others_is_seen_and_never_destroyed(python):
    """Contexts of the CUDA driver itself, as other libraries make them."""
    done = python(
        """
        import ctypes, gc, sys
        from runcu import driver
        from runcu.driver import Context, Device
        try:
            cuda = ctypes.CDLL('libcuda.so.1')
            assert cuda.cuInit(0) == 0
        except (OSError, AssertionError):
            sys.exit('skip')
        theirs = ctypes.c_void_p()
        assert cuda.cuCtxCreate_v2(ctypes.byref(theirs), 0, 0) == 0
        memory = driver.to_device(b'1234')
        context = Context.get_current()
        assert context.handle == theirs.value
        del context, memory
        gc.collect()
        ours = Context.from_handle(theirs.value)
        ours.detach()  # gives up ours, leaves theirs
        now = ctypes.c_void_p()
        assert cuda.cuCtxGetCurrent(ctypes.byref(now)) == 0 and now.value == theirs.value
        assert cuda.cuCtxSynchronize() == 0
        """,
        device='cuda',
        check=False,
    )
    if done.stderr.strip() == 'skip' or 'does not load' in done.stderr:
        pytest.skip('needs a GPU')
    assert done.returncode == 0, done.stderr


SCALE = '''
__constant__ int step;
extern "C" __global__ void scale(float *x, float by) { x[threadIdx.x] *= by; }
__global__ void fill(int *x, int what) { x[threadIdx.x] = what + step; }
'''


def test_modules_and_functions_by_handle(device):
    made = runcu.SourceModule(SCALE).module
    module = driver.Module.from_handle(made.handle, made)
    assert module.handle == made.handle and module.owner is made
    assert module.get_global('step')[1] == 4
    x = np.arange(8, dtype=np.float32)
    memory = driver.to_device(x)
    module.get_function('scale')(memory, np.float32(2), block=8)
    assert (driver.from_device_like(memory, x) == 2 * x).all()
    kernel = made.get_function('fill')
    same = driver.Function.from_handle(kernel.handle, owner=kernel)
    same(memory, np.int32(7), block=8)
    assert (driver.from_device(memory, 8, np.int32) == 7).all()
    assert same.owner is kernel and same.num_regs == kernel.num_regs
    with pytest.raises(driver.ArgumentError):
        same(memory, block=8)
    del module, same
    gc.collect()
    kernel(memory, 9, block=8)  # wrapping owns nothing
    assert (driver.from_device(memory, 8, np.int32) == 9).all()
    for cls in (driver.Module, driver.Function):
        with pytest.raises(driver.ArgumentError):
            cls.from_handle(0)

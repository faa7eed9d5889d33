"""What takes two GPUs: memory of one reached from the other, and contexts of both side by side."""

import threading

import numpy as np
import pytest
import runcu
from runcu import driver
from runcu.driver import Context, Device, Stream

COPY = """__global__ void copy(int *out, const int *in) { out[threadIdx.x] = in[threadIdx.x]; }"""
VALUES = np.arange(64, dtype=np.int32)


def _has_two():
    try:
        return Device.count('cuda') > 1
    except driver.Error:
        return False


pytestmark = pytest.mark.skipif(not _has_two(), reason='needs two GPUs')


@pytest.fixture
def near_and_far():
    """Contexts of the first and the second GPU; the first one's is current."""
    far = Device('cuda:1').make_context()
    near = Device('cuda:0').make_context()
    yield near, far
    for context in (near, far):
        context.push()
        Context.synchronize()
        Context.pop()
    Context.pop()
    near.detach()
    Context.pop()
    far.detach()


def inside(context, call):
    """What a call gives while a context is current."""
    context.push()
    try:
        return call()
    finally:
        Context.pop()


def test_kernels_read_the_other_gpus_memory(near_and_far):
    near, far = near_and_far
    if not Device('cuda:0').can_access_peer(Device('cuda:1')):
        pytest.skip('these GPUs do not reach each other')
    there = inside(far, lambda: driver.to_device(VALUES))
    here = driver.mem_alloc(VALUES.nbytes)
    Context.enable_peer_access(far)
    runcu.SourceModule(COPY).copy[1, 64](here, there)
    assert (driver.from_device_like(here, VALUES) == VALUES).all()
    with pytest.raises(driver.LogicError, match='already enabled'):
        Context.enable_peer_access(far)
    Context.disable_peer_access(far)
    with pytest.raises(driver.LogicError, match='not been enabled'):
        Context.disable_peer_access(far)


@pytest.mark.parametrize('asynchronous', [False, True])
def test_memory_is_copied_from_one_to_the_other(near_and_far, asynchronous):
    near, far = near_and_far
    there = inside(far, lambda: driver.to_device(VALUES))
    here = driver.mem_alloc(VALUES.nbytes)
    if asynchronous:
        stream = Stream()
        driver.memcpy_peer_async(here, there, VALUES.nbytes, near, far, stream)
        stream.synchronize()
    else:
        driver.memcpy_peer(here, there, VALUES.nbytes, src_context=far)
    assert (driver.from_device_like(here, VALUES) == VALUES).all()
    driver.memcpy_htod(here, VALUES[::-1].copy())
    driver.memcpy_dtod(there, here, VALUES.nbytes)
    back = inside(far, lambda: driver.from_device_like(there, VALUES))
    assert (back == VALUES[::-1]).all()


def test_boxes_are_copied_from_one_to_the_other(near_and_far):
    near, far = near_and_far
    there = inside(far, lambda: driver.to_device(VALUES))
    here = driver.mem_alloc(VALUES.nbytes)
    copy = driver.Memcpy3DPeer()
    copy.set_src_device(there)
    copy.set_src_context(far)
    copy.set_dst_device(here)
    copy.set_dst_context(near)
    copy.src_pitch = copy.dst_pitch = copy.width_in_bytes = 16
    copy.src_height = copy.dst_height = copy.height = copy.depth = 4
    copy()
    assert (driver.from_device_like(here, VALUES) == VALUES).all()


def test_memory_is_freed_whichever_is_current(near_and_far):
    near, far = near_and_far
    there = inside(far, lambda: driver.to_device(VALUES))
    address = int(there)
    there.free()
    with pytest.raises(driver.LogicError):
        driver.mem_get_address_range(address)
    here = driver.to_device(VALUES)
    inside(far, here.free)


def test_large_copies_reach_the_gpu_whose_context_is_current(near_and_far):
    near, far = near_and_far
    large = np.random.default_rng(1).integers(0, 256, 70 << 20, np.uint8)
    for context in (near, far, near):
        def there_and_back():
            memory = driver.to_device(large)
            return driver.from_device_like(memory, large)

        assert (inside(context, there_and_back) == large).all()


def test_threads_work_on_both(near_and_far):
    faults = []

    def work(context):
        try:
            context.push()
            module = runcu.SourceModule(COPY)
            for i in range(100):
                source, out = driver.to_device(VALUES + i), driver.mem_alloc(VALUES.nbytes)
                module.copy[1, 64](out, source)
                assert (driver.from_device_like(out, VALUES) == VALUES + i).all()
            Context.pop()
        except BaseException as e:
            faults.append(e)

    threads = [threading.Thread(target=work, args=(c,)) for c in near_and_far * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_a_stream_of_the_other_gpu_is_refused(near_and_far):
    near, far = near_and_far
    stream = inside(far, Stream)
    function = runcu.SourceModule(COPY).get_function('copy')
    memory = driver.to_device(VALUES)
    with pytest.raises(driver.LogicError):
        function(memory, memory, block=(64, 1, 1), stream=stream)
    Context.synchronize()


def test_arrays_of_torch_on_the_second_gpu(near_and_far):
    torch = pytest.importorskip('torch')
    tensor = torch.arange(64, dtype=torch.int32, device='cuda:1')
    with runcu.device('cuda:1'):
        out = driver.mem_alloc(VALUES.nbytes)
        runcu.SourceModule(COPY).copy[1, 64](out, tensor)
        assert (driver.from_device_like(out, VALUES) == VALUES).all()

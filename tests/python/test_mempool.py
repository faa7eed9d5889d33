"""Memory in the order of streams, and the driver's pools."""

import gc

import numpy as np
import pytest
from runcu import driver


@pytest.fixture
def pooled(device):
    if not device.get_attribute(driver.device_attribute.MEMORY_POOLS_SUPPORTED):
        pytest.skip('the device has no memory pools')
    return device


def test_memory_follows_its_stream(pooled):
    stream = driver.Stream()
    memory = driver.mem_alloc_async(4000, stream)
    assert isinstance(memory, driver.DeviceAllocation)
    assert memory.size == 4000
    driver.memset_d32_async(memory, 7, 1000, stream)
    back = np.empty(1000, np.int32)
    driver.memcpy_dtoh_async(back, memory, stream)
    memory.free_async(stream)
    with pytest.raises(driver.LogicError, match='freed'):
        driver.memset_d8(memory, 0, 1)
    with pytest.raises(driver.LogicError, match='invalid resource handle'):
        memory.free_async(stream)
    with pytest.raises(driver.LogicError, match='invalid resource handle'):
        memory.free()
    stream.synchronize()
    assert (back == 7).all()


def test_memory_may_be_freed_like_any(pooled):
    stream = driver.Stream()
    driver.mem_alloc_async(np.int64(64), stream=stream).free()
    memory = driver.mem_alloc_async(64)
    driver.memset_d8_async(memory, 1, 64)
    del memory
    gc.collect()
    with driver.mem_alloc_async(64, None):
        pass
    driver.Context.synchronize()


def test_only_memory_of_a_stream_is_freed_by_one(pooled):
    memory = driver.mem_alloc(64)
    with pytest.raises(driver.Error, match='allocated in the order of a stream'):
        memory.free_async()
    driver.memset_d8(memory, 0, 64)  # it is still there
    with pytest.raises(TypeError):
        memory.free_async('stream')
    memory.free()


def test_pools(pooled):
    with driver.MemoryPool(pooled) as pool:
        assert pool.used == pool.release_threshold == 0
        pool.release_threshold = 1 << 24
        assert pool.release_threshold == 1 << 24
        memory = pool.allocate(1 << 20)
        other = driver.mem_alloc_async(1 << 20, pool=pool)
        assert pool.used == 2 << 20
        assert pool.reserved >= pool.used
        memory.free_async()
        driver.Context.synchronize()
        assert (pool.used, pool.used_high) == (1 << 20, 2 << 20)
        pool.used_high = 0
        assert pool.used_high <= 1 << 20
        pool.trim()
        pool.trim(keep=1 << 20)
        assert pool.device == pooled
        assert driver.MemoryPool.from_handle(pool.handle).used == 1 << 20
    driver.memset_d8(other, 1, 1 << 20)  # goes with its memory
    other.free_async()
    for call in (pool.trim, pool.make_current, lambda: pool.allocate(4), lambda: pool.used):
        with pytest.raises(driver.LogicError, match='closed'):
            call()
    pool.close()


def test_the_devices_pool(pooled):
    normal = driver.MemoryPool.default()
    assert normal.handle == driver.MemoryPool.default(pooled).handle
    assert normal.handle == driver.MemoryPool.current().handle
    pool = driver.MemoryPool()
    pool.make_current()
    try:
        assert driver.MemoryPool.current(pooled).handle == pool.handle
        memory = driver.mem_alloc_async(1 << 21)
        assert pool.used == 1 << 21
        memory.free_async()
    finally:
        normal.make_current()
    assert driver.MemoryPool.current().handle == normal.handle


def test_what_is_refused(pooled):
    with pytest.raises(driver.Error, match='0 bytes'):
        driver.mem_alloc_async(0)
    with pytest.raises(driver.MemoryError):
        driver.mem_alloc_async(1 << 50)
    with pytest.raises(OverflowError):
        driver.mem_alloc_async(-1)
    with pytest.raises(TypeError):
        driver.mem_alloc_async()
    with pytest.raises(TypeError):
        driver.mem_alloc_async(64, 'stream')
    with pytest.raises(TypeError, match='MemoryPool'):
        driver.mem_alloc_async(64, pool='pool')
    with pytest.raises(TypeError, match='Device'):
        driver.MemoryPool('gpu')
    with pytest.raises(TypeError, match='Device'):
        driver.MemoryPool.default(0)
    with pytest.raises(driver.Error):
        driver.MemoryPool.from_handle(0)
    pool = driver.MemoryPool()
    with pytest.raises(AttributeError):
        pool.used = 4
    with pytest.raises(AttributeError):
        del pool.release_threshold
    with pytest.raises(TypeError):
        pool.release_threshold = 'many'
    with pytest.raises(driver.LogicError):
        pool.used_high = 5


def test_a_pool_may_be_limited(pooled):
    if not pooled.is_cpu:
        pytest.skip('drivers before CUDA 12.2 know no limit, others round it')
    pool = driver.MemoryPool(max_size=1 << 20)
    memory = pool.allocate(1 << 20)
    with pytest.raises(driver.MemoryError, match='1048576 bytes at most'):
        pool.allocate(1)
    memory.free_async()
    driver.Context.synchronize()
    pool.allocate(1 << 20).free_async()

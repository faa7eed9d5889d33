"""Managed, registered, aligned, pitched and page-locked memory."""

import gc
import mmap
import weakref

import numpy as np
import pytest
from runcu import driver
from runcu.compiler import SourceModule

SOURCE = """
__global__ void twice(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= 2;
}
__global__ void total(float *to, const float *x, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    *to = sum;
}
"""


@pytest.fixture
def kernels(device):
    return SourceModule(SOURCE)


def twice(kernels, address, n):
    kernels.get_function('twice')(np.intp(address), np.int32(n), block=(64, 1, 1), grid=(4, 1))
    driver.Context.synchronize()


# --- pitched --------------------------------------------------------------------------------------


def test_pitched_rows(device):
    memory, pitch = driver.mem_alloc_pitch(100, np.int64(5), access_size=4)
    assert isinstance(memory, driver.DeviceAllocation)
    assert pitch >= 100
    assert pitch % 32 == 0
    driver.memset_d2d8(memory, pitch, 7, 100, 5)
    rows = driver.from_device(memory, (5, pitch), np.uint8)
    assert (rows[:, :100] == 7).all()
    assert memory.size == 5 * pitch


def test_pitched_rows_that_are_none(device):
    with pytest.raises(driver.LogicError, match=r'cuMemAllocPitch failed.*\n?.*4, 8 and 16'):
        driver.mem_alloc_pitch(100, 5, 3)
    with pytest.raises(driver.LogicError):
        driver.mem_alloc_pitch(0, 5, 4)
    with pytest.raises(driver.Error):
        driver.mem_alloc_pitch(1 << 40, 1 << 20, 4)
    with pytest.raises(TypeError):
        driver.mem_alloc_pitch(100, 5)
    with pytest.raises(TypeError):
        driver.mem_alloc_pitch(1.5, 5, 4)
    with pytest.raises(OverflowError):
        driver.mem_alloc_pitch(100, -5, 4)


# --- managed --------------------------------------------------------------------------------------


@pytest.mark.parametrize('order', ['C', 'F'])
def test_managed_arrays_are_seen_by_both(kernels, order):
    a = driver.managed_zeros((10, np.int32(20)), np.float32, order, driver.mem_attach_flags.GLOBAL)
    assert isinstance(a.base, driver.ManagedAllocation)
    assert isinstance(a.base, driver.DeviceAllocation)
    assert a.flags[f'{order}_CONTIGUOUS']
    assert a.ctypes.data == a.base.get_device_pointer() == int(a.base)
    a[:] = np.arange(200).reshape(10, 20)
    twice(kernels, a.base, 200)
    assert (a == 2 * np.arange(200).reshape(10, 20)).all()
    like = driver.managed_empty_like(a)
    assert (like.shape, like.strides, like.dtype) == (a.shape, a.strides, a.dtype)
    assert driver.managed_zeros_like(a).sum() == 0
    assert driver.managed_empty(np.int64(3), 'f8').shape == (3,)
    assert driver.managed_empty((0, 5), np.int8).size == 0


def test_managed_memory_is_attached_moved_and_advised(device, kernels):
    a = driver.managed_zeros(100, np.float32, mem_flags=driver.mem_attach_flags.HOST)
    a += 3
    stream = driver.Stream()
    a.base.attach(driver.mem_attach_flags.SINGLE, stream)
    a.base.attach(driver.mem_attach_flags.GLOBAL, stream=stream)
    stream.synchronize()
    if device.get_attribute(driver.device_attribute.CONCURRENT_MANAGED_ACCESS):
        a.base.advise(driver.mem_advise.SET_PREFERRED_LOCATION, device)
        a.base.prefetch(device, stream)
        a.base.prefetch(None)
        a.base.advise(driver.mem_advise.UNSET_PREFERRED_LOCATION)
        with pytest.raises(driver.LogicError):
            a.base.advise(99)
    stream.synchronize()
    twice(kernels, a.base, 100)
    assert (a == 6).all()
    with pytest.raises(TypeError, match='Device'):
        a.base.prefetch('gpu')
    with pytest.raises(driver.LogicError):
        a.base.attach(99)


def test_managed_memory_lives_as_long_as_its_arrays(device):
    part = driver.managed_zeros(1000, np.int32)[10:20]
    gc.collect()
    part += 1
    assert part.sum() == 10
    with driver.ManagedAllocation(100) as memory:
        assert memory.size == 100
    for call in (memory.free, memory.get_device_pointer, lambda: memory.attach(1),
                 lambda: memory.prefetch(None), lambda: memory.advise(1)):  # fmt: skip
        with pytest.raises(driver.LogicError, match='freed|invalid resource handle'):
            call()


def test_managed_memory_is_copied_like_device_memory(device):
    memory = driver.ManagedAllocation(16)
    driver.memcpy_htod(memory, bytes(range(16)))
    assert driver.from_device(memory, 16, np.uint8).tolist() == list(range(16))
    assert bytes(memory.as_buffer(4, 2)) == bytes([2, 3, 4, 5])


@pytest.mark.parametrize('make', [driver.managed_empty, driver.pagelocked_empty,
                                  driver.aligned_empty])  # fmt: skip
def test_arrays_that_cannot_be(device, make):
    with pytest.raises(ValueError, match='negative'):
        make((3, -1), np.int8)
    with pytest.raises(TypeError):
        make(2.5, np.int8)
    with pytest.raises(TypeError):
        make(4, 'no such type')
    with pytest.raises(TypeError, match='objects'):
        make(4, object)
    with pytest.raises((driver.MemoryError, MemoryError)):
        make((1 << 30, 1 << 30), np.int8)
    with pytest.raises(TypeError):
        make()


# --- registered -----------------------------------------------------------------------------------


def test_registered_memory_is_the_arrays_own(kernels):
    host = driver.aligned_zeros((8, 25), np.float32)
    registered = driver.register_host_memory(host, driver.mem_host_register_flags.DEVICEMAP)
    assert isinstance(registered, np.ndarray)
    assert isinstance(registered.base, driver.RegisteredHostMemory)
    assert registered.base.base is host
    assert (registered.shape, registered.strides) == (host.shape, host.strides)
    assert registered.ctypes.data == host.ctypes.data
    host += 4
    twice(kernels, registered.base.get_device_pointer(), 200)
    assert (host == 8).all()
    memory, stream = driver.mem_alloc(host.nbytes), driver.Stream()
    driver.memcpy_htod_async(memory, registered, stream)
    driver.memcpy_dtoh_async(registered, memory, stream)
    stream.synchronize()
    registered.base.unregister()
    with pytest.raises(driver.LogicError, match='invalid resource handle'):
        registered.base.unregister()
    with pytest.raises(driver.LogicError, match='unregistered'):
        registered.base.get_device_pointer()
    assert (registered == 8).all()


def test_registered_memory_keeps_the_array_and_ends_with_it(device):
    host = np.zeros(5000, np.int16)
    driver.register_host_memory(host)
    gc.collect()
    registered = driver.register_host_memory(host)  # the first has ended
    with pytest.raises(driver.LogicError, match='already mapped'):
        driver.register_host_memory(host)
    del host
    gc.collect()
    registered += 1
    assert registered.sum() == 5000


def test_registered_memory_of_other_buffers(device):
    data = bytearray(4096)
    registered = driver.register_host_memory(data)
    assert registered.dtype == np.uint8
    registered[5] = 9
    assert data[5] == 9
    with pytest.raises(BufferError):
        data.clear()
    with pytest.raises(ValueError, match='contiguous'):
        driver.register_host_memory(np.zeros(100)[::2])
    with pytest.raises(TypeError, match='buffer'):
        driver.register_host_memory([1, 2, 3])
    with pytest.raises(driver.LogicError):
        driver.register_host_memory(np.zeros(16), 0x4000)
    fortran = np.asfortranarray(np.zeros((64, 64)))
    assert driver.register_host_memory(fortran).flags.f_contiguous


def test_read_only_memory_is_read(device, kernels):
    flag = driver.device_attribute.READ_ONLY_HOST_REGISTER_SUPPORTED
    if not device.get_attribute(flag):
        pytest.skip('the device cannot register read-only memory')
    pages = mmap.mmap(-1, 4096, prot=mmap.PROT_READ)
    with pytest.raises(driver.LogicError):
        driver.register_host_memory(pages)
    registered = driver.register_host_memory(pages, driver.mem_host_register_flags.READ_ONLY)
    assert not registered.flags.writeable
    result = driver.mem_alloc(4)
    kernels.get_function('total')(
        result, np.intp(registered.base.get_device_pointer()), np.int32(1024), block=(1, 1, 1)
    )
    assert driver.from_device(result, 1, np.float32)[0] == 0


# --- aligned and page-locked ----------------------------------------------------------------------


@pytest.mark.parametrize('alignment', [1, 64, 4096, np.int64(1 << 16)])
def test_aligned_arrays(alignment):
    array = driver.aligned_empty((3, 5), np.float64, 'F', alignment)
    assert isinstance(array.base, driver.AlignedHostAllocation)
    assert array.ctypes.data % alignment == 0
    assert array.flags.f_contiguous
    array[:] = 1
    assert driver.aligned_zeros_like(array).strides == array.strides
    assert driver.aligned_empty_like(array, alignment=8192).ctypes.data % 8192 == 0
    assert driver.aligned_zeros(7, 'i2').sum() == 0


def test_alignments_that_are_none():
    for alignment in (0, 3, 4097):
        with pytest.raises(ValueError, match='power of two'):
            driver.aligned_empty(4, np.int8, alignment=alignment)
    with driver.AlignedHostAllocation(64) as memory:
        pass
    with pytest.raises(driver.LogicError, match='invalid resource handle'):
        memory.free()


def test_pagelocked_memory_of_every_flag(kernels):
    flags = driver.host_alloc_flags
    for one in (0, flags.PORTABLE, flags.DEVICEMAP, flags.WRITECOMBINED,
                flags.PORTABLE | flags.DEVICEMAP | flags.WRITECOMBINED):  # fmt: skip
        array = driver.pagelocked_zeros(64, np.float32, mem_flags=one)
        assert array.base.get_flags() == one
        array += 1
        twice(kernels, array.base.get_device_pointer(), 64)
        assert (array == 2).all()
    with pytest.raises(driver.LogicError):
        driver.pagelocked_empty(4, np.int8, mem_flags=0x4000)


def test_page_locked_memory_frees_at_the_end_of_with(device):
    with driver.HostAllocation(64) as memory:
        memoryview(memory)[0] = 1
    with pytest.raises(driver.LogicError, match='freed'):
        memoryview(memory)


# --- handles --------------------------------------------------------------------------------------


class Owner:
    pass


def test_allocations_of_others(device):
    memory = driver.to_device(bytes(range(100)))
    assert memory.handle == int(memory)
    owner = Owner()
    wrapped = driver.DeviceAllocation.from_handle(memory.handle + 10, owner)
    assert wrapped.size == 90
    assert driver.from_device(wrapped, 3, np.uint8).tolist() == [10, 11, 12]
    reference = weakref.ref(owner)
    del owner
    gc.collect()
    assert reference()
    wrapped.free()
    del wrapped
    gc.collect()
    assert not reference()
    assert driver.from_device(memory, 1, np.uint8)[0] == 0
    with pytest.raises(driver.Error):
        driver.DeviceAllocation.from_handle(0)
    for wrong in ('handle', 1.5, None):
        with pytest.raises(TypeError):
            driver.DeviceAllocation.from_handle(wrong)


def test_device_memory_frees_at_the_end_of_with(device):
    with driver.mem_alloc(64) as memory:
        driver.memset_d8(memory, 0, 64)
    with pytest.raises(driver.LogicError, match='device_allocation::free failed: invalid resource'):
        memory.free()
    with driver.mem_alloc(64) as memory:
        memory.free()

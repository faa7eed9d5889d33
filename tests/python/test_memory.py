"""Device memory, page-locked memory, copies, fills."""

import gc
import weakref

import numpy as np
import pytest
from runcu import driver


def test_allocation_is_an_address(device):
    memory = driver.mem_alloc(100)
    assert int(memory) == memory.__index__() > 0
    assert np.intp(memory) == int(memory)  # a number, not an array
    assert np.intp(memory) + 4 == int(memory) + 4
    assert driver.mem_get_address_range(int(memory) + 5) == (int(memory), 100)
    assert memory.size == 100
    for absent in ('__array__', '__array_interface__', '__getitem__', '__len__'):
        assert not hasattr(memory, absent)
    with pytest.raises(TypeError):
        memoryview(memory)
    with pytest.raises(TypeError):
        memory + 1


@pytest.mark.parametrize('count', [np.int64(64), np.uint8(64), np.array(64)])
def test_numpy_integers_are_sizes(device, count):
    assert driver.mem_alloc(count).size == 64


def test_sizes_that_are_none(device):
    with pytest.raises(OverflowError):
        driver.mem_alloc(-1)
    with pytest.raises(TypeError):
        driver.mem_alloc(1.5)
    with pytest.raises(driver.LogicError, match='cuMemAlloc failed: invalid argument'):
        driver.mem_alloc(0)


def test_out_of_memory_is_pycudas_exception(device):
    with pytest.raises(driver.MemoryError, match='cuMemAlloc failed: out of memory') as e:
        driver.mem_alloc(1 << 50)
    assert (e.value.code, e.value.name) == (2, 'CUDA_ERROR_OUT_OF_MEMORY')
    assert e.value.routine == 'cuMemAlloc'
    assert isinstance(e.value, driver.Error)
    assert not isinstance(e.value, MemoryError)


def test_out_of_memory_collects_garbage_and_tries_again(device):
    free = driver.mem_get_info()[0]
    if not device.is_cpu:
        pytest.skip('would take all memory of a shared device')

    class Cycle:
        pass

    cycle = Cycle()
    cycle.me, cycle.memory = cycle, driver.mem_alloc(free * 6 // 10)
    del cycle
    gc.collect(0)
    driver.mem_alloc(free * 6 // 10)


def test_free_twice_is_a_logic_error(device):
    memory = driver.mem_alloc(16)
    memory.free()
    with pytest.raises(driver.LogicError, match='free failed: invalid resource handle'):
        memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        driver.memcpy_htod(memory, bytes(16))


def test_allocations_take_attributes_and_weak_references(device):
    memory = driver.mem_alloc(16)
    memory.owner = 'me'
    keys = weakref.WeakKeyDictionary({memory: 1})
    del memory
    gc.collect()
    assert not keys


def test_a_copy_larger_than_its_allocation_is_refused_and_writes_nothing(device):
    memory = driver.mem_alloc(8)
    driver.memset_d8(memory, 1, 8)
    with pytest.raises(driver.LogicError, match='invalid argument'):
        driver.memcpy_htod(memory, bytes(1 << 26))
    assert driver.from_device(memory, 8, np.uint8).tolist() == [1] * 8
    back = np.full(1 << 26, 5, np.uint8)
    with pytest.raises(driver.LogicError):
        driver.memcpy_dtoh(back, memory)
    assert back.min() == 5


@pytest.mark.parametrize(
    'host',
    [
        np.arange(12, dtype=np.float32),
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.array(5, dtype='M8[s]'),
        np.zeros(0, dtype=np.int8),
    ],
    ids=['1d', '2d', 'fortran', 'datetime', 'empty'],
)
def test_arrays_travel_there_and_back(device, host):
    memory = driver.mem_alloc(max(host.nbytes, 1))
    driver.memcpy_htod(memory, host)
    back = np.empty_like(host)
    driver.memcpy_dtoh(back, memory)
    assert (back == host).all()


def test_bytes_bytearrays_and_memoryviews_travel(device):
    memory = driver.mem_alloc(4)
    driver.memcpy_htod(memory, b'abcd')
    back = bytearray(4)
    driver.memcpy_dtoh(back, memory)
    assert back == b'abcd'
    driver.memcpy_htod(dest=int(memory) + 2, src=memoryview(b'xy'))
    driver.memcpy_dtoh(memoryview(back), int(memory))
    assert back == b'abxy'


def test_host_memory_that_cannot_travel(device):
    memory = driver.mem_alloc(64)
    with pytest.raises(ValueError, match='not contiguous'):
        driver.memcpy_htod(memory, np.zeros(16, np.float32)[::2])
    with pytest.raises((ValueError, BufferError)):
        driver.memcpy_dtoh(b'abcd', memory)
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    with pytest.raises(ValueError):
        driver.memcpy_dtoh(frozen, memory)
    with pytest.raises(TypeError, match='buffer'):
        driver.memcpy_htod(memory, [1, 2, 3])
    with pytest.raises(TypeError):
        driver.memcpy_htod(memory, np.array([object()]))
    with pytest.raises(TypeError, match='address'):
        driver.memcpy_htod('memory', bytes(4))
    with pytest.raises(TypeError, match='host array'):
        driver.memcpy_htod(np.zeros(4), bytes(4))
    with pytest.raises(TypeError, match='src'):
        driver.memcpy_htod(memory)
    with pytest.raises(TypeError, match='unexpected'):
        driver.memcpy_htod(memory, bytes(4), size=4)


def test_to_device_copies_in_c_order(device):
    host = np.arange(12, dtype=np.int16).reshape(3, 4)
    for view in (host, host.T, host[:, ::2], np.asfortranarray(host)):
        memory = driver.to_device(view)
        assert (driver.from_device(memory, view.shape, view.dtype) == view).all()
    assert (driver.from_device_like(driver.to_device(host), host) == host).all()
    assert driver.mem_alloc_like(host).size == host.nbytes


def test_dtod(device):
    a, b = driver.to_device(b'12345678'), driver.mem_alloc(8)
    driver.memcpy_dtod(b, a, 8)
    driver.memcpy_dtod_async(int(b) + 4, a, np.int64(4), driver.Stream())
    driver.Context.synchronize()
    assert driver.from_device(b, 8, np.uint8).tobytes() == b'12341234'


@pytest.mark.parametrize(('bits', 'dtype'), [(8, np.uint8), (16, np.uint16), (32, np.uint32)])
@pytest.mark.parametrize('suffix', ['', '_async'])
def test_memset(device, bits, dtype, suffix):
    value = (1 << bits) - 3
    memory = driver.mem_alloc(16 * 8)
    driver.memset_d8(memory, 0, 16 * 8)
    stream = {'stream': driver.Stream()} if suffix else {}
    getattr(driver, f'memset_d{bits}{suffix}')(memory, value, 3, **stream)
    driver.Context.synchronize()
    got = driver.from_device(memory, 4, dtype).tolist()
    assert got == [value, value, value, 0]


@pytest.mark.parametrize(('bits', 'dtype'), [(8, np.uint8), (16, np.uint16), (32, np.uint32)])
@pytest.mark.parametrize('suffix', ['', '_async'])
def test_memset_of_rows(device, bits, dtype, suffix):
    pitch = 4 * bits // 8
    memory = driver.mem_alloc(4 * pitch)
    driver.memset_d8(memory, 0, 4 * pitch)
    getattr(driver, f'memset_d2d{bits}{suffix}')(memory, pitch, 5, 3, 2)
    driver.Context.synchronize()
    got = driver.from_device(memory, (4, 4), dtype).tolist()
    assert got == [[5, 5, 5, 0], [5, 5, 5, 0], [0] * 4, [0] * 4]


def test_memset_of_nothing_and_too_much(device):
    memory = driver.mem_alloc(16)
    driver.memset_d8(memory, 3, 16)
    driver.memset_d8(memory, 0, 0)
    driver.memset_d2d8(memory, 4, 0, 4, 0)
    assert driver.from_device(memory, 16, np.uint8).tolist() == [3] * 16
    with pytest.raises(driver.LogicError):
        driver.memset_d32(memory, 0, 5)
    with pytest.raises(OverflowError):
        driver.memset_d8(memory, 256, 1)
    with pytest.raises(OverflowError):
        driver.memset_d8(memory, -1, 1)


@pytest.mark.parametrize('order', ['C', 'F'])
def test_pagelocked_arrays(device, order):
    array = driver.pagelocked_zeros((3, np.int64(4)), np.float32, order, mem_flags=0)
    assert array.shape == (3, 4)
    assert array.flags[f'{order}_CONTIGUOUS']
    assert isinstance(array.base, driver.PagelockedHostAllocation)
    assert array.base.get_flags() == 0
    array[:] = np.arange(12).reshape(3, 4)
    like = driver.pagelocked_empty_like(array)
    assert like.strides == array.strides
    memory, stream = driver.mem_alloc_like(array), driver.Stream()
    driver.memcpy_htod_async(memory, array, stream)
    driver.memcpy_dtoh_async(like, memory, stream)
    stream.synchronize()
    assert (like == array).all()
    assert driver.pagelocked_empty(5, np.int8).shape == (5,)
    assert driver.pagelocked_zeros_like(array).sum() == 0
    assert driver.pagelocked_empty((0, 2), np.int8).size == 0


def test_pagelocked_memory_outlives_its_array_and_is_freed_once(device):
    part = driver.pagelocked_zeros(100, np.int32)[10:20]
    gc.collect()
    part += 1
    assert part.sum() == 10
    memory = driver.HostAllocation(64)
    memory.free()
    with pytest.raises(driver.LogicError, match='invalid resource handle'):
        memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        memoryview(memory)


def test_as_buffer_sees_the_memory_and_keeps_it(device):
    memory = driver.to_device(b'abcdefgh')
    if device.is_cpu:
        view = memory.as_buffer(4, 2)
        assert bytes(view) == b'cdef'
        with pytest.raises(BufferError):
            memory.free()
        address = int(memory)
        del memory
        gc.collect()
        assert driver.mem_get_address_range(address)[1] == 8
        view.release()
    else:
        assert memory.as_buffer(4).nbytes == 4
    other = driver.mem_alloc(8)
    with pytest.raises(ValueError, match='leave the allocation'):
        other.as_buffer(8, 1)


class Holder(driver.PointerHolderBase):
    def __init__(self, memory):
        self.memory = memory  # before the base is initialised
        super().__init__()

    def get_pointer(self):
        return int(self.memory)


class Interface:
    def __init__(self, memory, **more):
        self.__cuda_array_interface__ = {
            'data': (int(memory), False),
            'shape': (memory.size,),
            'typestr': '|u1',
            'version': 3,
            **more,
        }


class Gpudata:
    def __init__(self, memory):
        self.gpudata = memory


@pytest.mark.parametrize('wrap', [Holder, Interface, Gpudata, np.intp, np.uintp, int])
def test_what_stands_for_an_address(device, wrap):
    memory = driver.to_device(b'abcd')
    assert driver.from_device(wrap(memory), 4, np.uint8).tobytes() == b'abcd'
    assert driver.mem_get_address_range(wrap(memory)) == (int(memory), 4)


def test_holders_are_numbers(device):
    memory = driver.mem_alloc(16)
    holder = Holder(memory)
    assert int(holder) == int(memory)
    with pytest.raises(RuntimeError, match='does not define'):
        int(driver.PointerHolderBase())


def test_broken_interfaces_are_refused(device):
    memory = driver.mem_alloc(16)
    for broken in ({'data': 5}, {'data': ('x', False)}, {'data': (1, 2, 3)}):
        with pytest.raises((TypeError, ValueError)):
            driver.from_device(Interface(memory, **broken), 4, np.uint8)
    knot = Gpudata(None)
    knot.gpudata = knot
    with pytest.raises(RecursionError):
        driver.from_device(knot, 4, np.uint8)

"""Virtual memory management: physical memory, addresses, mappings."""

import os

import numpy as np
import pytest
from runcu import driver


@pytest.fixture
def grain(device):
    if not device.get_attribute(driver.device_attribute.VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED):
        pytest.skip('the device has no virtual memory management')
    return driver.mem_granularity(device)


def test_an_allocation_grows_in_place(grain):
    with driver.AddressRange(4 * grain) as addresses:
        assert addresses.size == 4 * grain
        assert int(addresses) == addresses.handle == addresses.__index__()
        assert int(addresses) % grain == 0
        for i in range(3):
            with driver.PhysicalMemory(grain) as memory:
                assert memory.size == grain
                addresses.map(memory, i * grain)
            driver.memset_d32(int(addresses) + i * grain, i, grain // 4)
        back = driver.from_device(addresses, 3 * grain // 4, np.uint32)  # over all three
        assert (back.reshape(3, -1) == np.arange(3)[:, None]).all()
        addresses.unmap(grain, grain)
        with pytest.raises(driver.Error, match='not whole mappings'):
            addresses.unmap(grain, grain)
        assert driver.from_device(int(addresses) + 2 * grain, 1, np.uint32)[0] == 2
    with pytest.raises(driver.LogicError, match='freed'):
        int(addresses)
    addresses.close()


def test_the_same_memory_at_two_places(grain):
    memory = driver.PhysicalMemory(2 * grain)
    with driver.AddressRange(2 * grain) as one, driver.AddressRange(3 * grain) as two:
        one.map(memory)
        two.map(memory, offset=grain)
        driver.memset_d8(int(two) + 2 * grain, 9, grain)
        driver.memset_d8(one, 1, grain)
        back = driver.from_device(one, 2 * grain, np.uint8)
        assert (back[:grain] == 1).all()
        assert (back[grain:] == 9).all()
        memory.close()
        assert driver.from_device(int(two) + 2 * grain, 1, np.uint8)[0] == 9
    with pytest.raises(driver.LogicError, match='released'):
        _ = memory.handle


def test_access(device, grain):
    with driver.AddressRange(grain) as addresses, driver.PhysicalMemory(grain) as memory:
        addresses.map(memory, access=0)
        addresses.set_access(3)
        driver.memset_d8(addresses, 5, grain)
        if device.is_cpu:
            addresses.set_access(1, 0, grain, device)
            assert driver.from_device(addresses, 1, np.uint8)[0] == 5
            with pytest.raises(driver.LogicError):
                driver.memset_d8(addresses, 0, 1)
        with pytest.raises(driver.Error):
            addresses.set_access(77)


def test_sizes_that_are_none(grain):
    with pytest.raises(driver.LogicError, match=f'a multiple of {grain} is needed'):
        driver.PhysicalMemory(grain + 1)
    with pytest.raises(driver.LogicError):
        driver.AddressRange(0)
    with pytest.raises(driver.MemoryError):
        driver.PhysicalMemory(grain << 30)
    with pytest.raises(OverflowError):
        driver.PhysicalMemory(-1)
    with pytest.raises(TypeError):
        driver.AddressRange('many')
    with pytest.raises(TypeError, match='Device'):
        driver.PhysicalMemory(grain, 'gpu')
    with driver.AddressRange(2 * grain) as addresses, driver.PhysicalMemory(grain) as memory:
        with pytest.raises(driver.Error):
            addresses.map(memory, offset=64)
        addresses.map(memory)
        with pytest.raises(driver.Error):
            addresses.map(memory)
    with driver.AddressRange(grain) as addresses, driver.PhysicalMemory(2 * grain) as memory:
        with pytest.raises(driver.Error, match='leave the range'):
            addresses.map(memory)
        with pytest.raises(driver.Error, match='leave the range'):
            addresses.map(memory, offset=grain)
        with pytest.raises(TypeError, match='PhysicalMemory'):
            addresses.map(driver.mem_alloc(4))
        with pytest.raises(driver.Error, match='made to be exported'):
            memory.export_fd()
        memory.close()
        with pytest.raises(driver.LogicError, match='released'):
            addresses.map(memory)


def test_handles(grain):
    memory = driver.PhysicalMemory(grain)
    with pytest.raises(driver.Error):
        driver.PhysicalMemory.from_handle(0, grain)
    wrapped = driver.PhysicalMemory.from_handle(memory.handle, grain, owner=memory)
    wrapped.close()
    with driver.AddressRange(grain) as addresses:
        addresses.map(memory)  # still there


def test_memory_by_a_file_descriptor(device, grain):
    flag = driver.device_attribute.HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED
    if not device.get_attribute(flag):
        pytest.skip('the device exports no file descriptors')
    memory = driver.PhysicalMemory(grain, exportable=True)
    fd = memory.export_fd()
    same = driver.PhysicalMemory.from_fd(fd, grain)
    os.close(fd)
    with driver.AddressRange(grain) as one, driver.AddressRange(grain) as two:
        one.map(memory)
        two.map(same)
        driver.memset_d8(one, 77, grain)
        assert (driver.from_device(two, grain, np.uint8) == 77).all()
    with open(os.devnull) as file, pytest.raises(driver.Error):
        driver.PhysicalMemory.from_fd(file.fileno(), grain)


def test_ranges_end_in_any_order(grain):
    """With memory mapped, after their context, without being closed."""
    addresses, memory = driver.AddressRange(grain), driver.PhysicalMemory(grain)
    addresses.map(memory)
    driver.memset_d8_async(addresses, 1, grain)
    del memory, addresses
    context = driver.Context.get_device().make_context()
    addresses, memory = driver.AddressRange(grain), driver.PhysicalMemory(grain)
    addresses.map(memory)
    context.detach()
    del context, addresses, memory
    driver.mem_alloc(4)

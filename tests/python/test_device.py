"""Devices: choosing, asking, comparing."""

import warnings

import pytest
import runcu
from runcu import driver
from runcu.driver import Device, device_attribute


def test_device_is_chosen_by_name_number_and_bus_id(device):
    same = [Device(f'{device.driver}:{device.ordinal}'), Device(device)]
    if Device().driver == device.driver and not device.is_cpu:  # bus ids are the default driver's
        same.append(Device(device.pci_bus_id()))
    for other in same:
        assert other == device
        assert not other != device
        assert hash(other) == hash(device)
        assert other.name() == device.name()


def test_devices_of_two_drivers_differ():
    for other in runcu.devices('cpu'):
        assert other != 0
        assert other.is_cpu
        assert other.driver == 'cpu'
    assert runcu.devices()[-1] == Device('cpu')


def test_unknown_devices_are_refused_with_their_number():
    with pytest.raises(driver.LogicError, match='99') as e:
        Device('cpu:99')
    assert e.value.code == 101
    assert e.value.name == 'CUDA_ERROR_INVALID_DEVICE'
    with pytest.raises(driver.Error):
        Device('/nowhere/libcuda.so.1')
    with pytest.raises(TypeError):
        Device(1.5)
    with pytest.raises(OverflowError):
        Device(2**40)


def test_every_attribute_answers(device):
    with warnings.catch_warnings():
        if not device.is_cpu:  # a driver older than the table does not know the last ones
            warnings.simplefilter('ignore')
        answers = device.get_attributes()
    assert len(answers) >= 100
    assert answers[device_attribute.WARP_SIZE] == 32 == device.warp_size
    assert device.get_attribute(device_attribute.MAX_THREADS_PER_BLOCK) == 1024
    assert device.max_threads_per_block == 1024
    for attribute in answers:
        assert isinstance(device.get_attribute(attribute), int)
    if device.is_cpu:
        assert set(answers) == set(device_attribute.values.values())


def test_compute_mode_has_a_name(device):
    mode = device.compute_mode
    assert mode in driver.compute_mode.values.values()
    assert str(mode) == mode.name


def test_unknown_attribute_is_an_attribute_error(device):
    with pytest.raises(AttributeError, match='nonsense'):
        device.nonsense  # noqa: B018
    with pytest.raises(AttributeError):
        device.WARP_SIZE  # noqa: B018
    with pytest.raises(driver.LogicError):
        device.get_attribute(100000)


def test_size_and_capability(device):
    major, minor = device.compute_capability()
    assert (major, minor) >= (5, 0)
    assert device.compute_capability_major == major
    with_context = driver.mem_get_info()
    assert 0 < with_context[0] <= with_context[1]
    assert device.total_memory() >= with_context[1]


def test_driver_version_is_what_programs_compare(device):
    assert driver.get_driver_version() // 1000 >= 12
    assert driver.get_version() >= (12, 0, 0)


def test_the_profiler_can_be_steered(device):
    driver.start_profiler()
    driver.stop_profiler()


def test_device_takes_attributes_and_subclasses(device):
    class Mine(Device):
        pass

    mine = Mine(device)
    mine.note = 'x'
    assert mine == device
    assert mine.note == 'x'
    assert isinstance(mine.warp_size, int)


def test_init_takes_no_flags():
    driver.init()
    driver.init(0)
    with pytest.raises(ValueError, match='flags'):
        driver.init(1)


def test_with_device_restores_what_was_current(device):
    outer = driver.Context.get_current()
    with runcu.device('cpu') as inner:
        assert driver.Context.get_device() == inner == Device('cpu')
        with pytest.raises(ZeroDivisionError), runcu.device(device):
            1 / 0  # noqa: B018
        assert driver.Context.get_device() == inner
    assert driver.Context.get_current() == outer


def test_no_gpu_is_one_warning_and_the_cpu_device(python):
    done = python(
        """
        import warnings, runcu
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            runcu.driver.mem_alloc(4)
            runcu.driver.mem_alloc(4)
        assert len(caught) == 1, caught
        assert caught[0].category is runcu.DeviceWarning
        assert 'CPU device' in str(caught[0].message)
        assert caught[0].filename == __file__
        """,
        device='',
        check=False,
        LD_LIBRARY_PATH='',
    )
    if 'assert len(caught) == 1, caught' in done.stderr:
        pytest.skip('there is a GPU')
    assert done.returncode == 0, done.stderr


def test_that_warning_as_an_error_leaves_nothing_behind(python):
    done = python(
        """
        import warnings, runcu
        warnings.simplefilter('error')
        try:
            runcu.driver.mem_alloc(4)
        except runcu.DeviceWarning:
            print('raised')
        runcu.driver.mem_alloc(4)
        print('works')
        """,
        device='',
    )
    assert done.stdout.split() in (['raised', 'works'], ['works'])


def test_devices_by_handle(python, device_name):
    python(
        """
        import pytest
        from runcu import driver
        from runcu.driver import Device
        device = Device()
        owner = object()
        same = Device.from_handle(device.handle, owner=owner)
        assert same == device and hash(same) == hash(device) and same.owner is owner
        with pytest.raises(driver.LogicError, match='invalid device ordinal'):
            Device.from_handle(4711)
        with pytest.raises(TypeError):
            Device.from_handle()
        assert len(device.uuid()) == 16 and device.uuid() == same.uuid() != bytes(16)
        """,
        device=device_name,
    )


@pytest.mark.parametrize('name', ['.cuda_device', '.cuda-device'])
def test_a_file_in_the_home_folder_chooses_the_device(python, tmp_path, name):
    (tmp_path / name).write_text('0\n')
    assert python('import runcu; print(runcu.Device().ordinal)', HOME=str(tmp_path)).stdout == '0\n'
    (tmp_path / name).write_text('first')
    done = python('import runcu; runcu.Device()', HOME=str(tmp_path), check=False)
    assert f'~/{name} says "first": the number of a device is meant' in done.stderr
    done = python('import runcu; runcu.Device()', HOME=str(tmp_path), CUDA_DEVICE='0')
    assert done.stderr == ''

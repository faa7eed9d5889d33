"""Exceptions and enumerations: their families, texts and manners."""

import pickle

import pytest
from runcu import driver
from runcu.driver import ArgumentError, CompileError, Error, LogicError


def test_families():
    families = [driver.MemoryError, LogicError, driver.LaunchError, driver.RuntimeError]
    for family in [*families, CompileError]:
        assert family.__bases__ == (Error,)
        assert family.__module__ == 'runcu.driver'
    assert issubclass(ArgumentError, (LogicError,))
    assert issubclass(ArgumentError, TypeError) and issubclass(ArgumentError, ValueError)
    assert not issubclass(Error, (RuntimeError, MemoryError))


def test_errors_without_the_driver_have_no_code():
    error = Error('mine')
    assert (error.code, error.name, error.routine) == (0, '', '')
    assert str(error) == 'mine'


def test_errors_of_the_driver_say_which_function_and_code(device):
    with pytest.raises(LogicError) as e:
        device.get_attribute(-5)
    assert e.value.routine == e.value.function == 'cuDeviceGetAttribute'
    assert e.value.name == 'CUDA_ERROR_INVALID_VALUE'
    assert e.value.code == 1
    assert str(e.value).startswith('cuDeviceGetAttribute failed: invalid argument')
    copy = pickle.loads(pickle.dumps(e.value))
    assert (type(copy), str(copy), copy.code) == (LogicError, str(e.value), 1)


def test_compile_error_has_pycudas_shape():
    error = CompileError('nvcc said no', ['nvcc', '-x'], stdout='out', stderr='err')
    assert error.args == ('nvcc said no', ['nvcc', '-x'])
    assert str(error) == 'nvcc said no\n[command: nvcc -x]\n[stdout:\nout]\n[stderr:\nerr]'
    assert (error.msg, error.stdout, error.stderr) == ('nvcc said no', 'out', 'err')
    assert error.diagnostics == ()
    assert isinstance(pickle.loads(pickle.dumps(error)), CompileError)


ENUMS = [
    driver.compute_mode,
    driver.ctx_flags,
    driver.device_attribute,
    driver.event_flags,
    driver.func_cache,
    driver.function_attribute,
    driver.host_alloc_flags,
    driver.jit_option,
    driver.jit_fallback,
    driver.limit,
    driver.memory_type,
    driver.shared_config,
]


@pytest.mark.parametrize('enum', ENUMS, ids=lambda e: e.__name__)
def test_enums_print_and_sort_as_programs_expect(enum):
    assert enum.names and enum.values
    for name, member in enum.names.items():
        assert str(member) == f'{member}' == member.name == name
        assert repr(member) == f'runcu.driver.{enum.__name__}.{name}'
        assert isinstance(member, int) and isinstance(member, enum)
        assert getattr(enum, name) is member
        assert enum(int(member)) == member
        assert member | 0 == int(member) and type(member | 0) is int
        assert pickle.loads(pickle.dumps(member)) == member
    assert sorted(enum.values) == sorted({int(m) for m in enum.names.values()})
    for number, member in enum.values.items():
        assert number == member
    with pytest.raises(ValueError, match=enum.__name__):
        enum(987654)


def test_attribute_names_of_pycuda_exist():
    for name in (
        'MAX_THREADS_PER_BLOCK',
        'SHARED_MEMORY_PER_BLOCK',
        'MAX_SHARED_MEMORY_PER_BLOCK',
        'REGISTERS_PER_BLOCK',
        'MULTIPROCESSOR_COUNT',
        'COMPUTE_CAPABILITY_MAJOR',
        'CAN_MAP_HOST_MEMORY',
        'COOPERATIVE_LAUNCH',
    ):
        assert name in driver.device_attribute.names
    assert len(driver.device_attribute.names) >= 107
    assert driver.function_attribute.NUM_REGS == 4
    assert driver.ctx_flags.SCHED_AUTO | driver.ctx_flags.MAP_HOST == 8


def test_texts_are_those_that_programs_match_on(device):
    with pytest.raises(driver.MemoryError, match='^cuMemAlloc failed: out of memory'):
        driver.mem_alloc(1 << 60)
    with pytest.raises(LogicError, match='^cuMemFree failed: |invalid resource handle') as e:
        memory = driver.mem_alloc(4)
        memory.free()
        memory.free()
    assert 'device_allocation::free failed: invalid resource handle' in str(e.value)
    with pytest.raises(LogicError, match='^cuModuleLoadData'):
        driver.module_from_buffer(b'nonsense')
    with pytest.raises(LogicError, match='^cuMemcpyHtoD failed: invalid argument'):
        driver.memcpy_htod(16, bytes(4))


def test_the_cpu_device_gives_its_reasons(python):
    done = python(
        """
        import runcu
        from runcu import driver
        try:
            driver.mem_alloc(1 << 50)
        except driver.MemoryError as e:
            print(e)
        try:
            driver.memcpy_dtod(16, 32, 4)
        except driver.LogicError as e:
            assert 'bytes' not in str(e).splitlines()[1], e  # the reason for another failure
        """,
        RUNCU_CPU_MEMORY='1G',
    )
    lines = done.stdout.splitlines()
    assert lines[0] == 'cuMemAlloc failed: out of memory'
    assert len(lines) >= 3 and '1125899906842624 bytes' in done.stdout


FAULT = '__global__ void fault(int *p) { *p = 1; }'


def test_a_spoilt_context_is_explained(python, device_name):
    done = python(
        f"""
        import runcu
        from runcu import driver
        from runcu.driver import Context, Device
        context = Device(0).make_context()
        memory, stream = driver.mem_alloc(64), driver.Stream()
        mod = runcu.SourceModule({FAULT!r})
        mod.fault[1, 1](None)
        for wait in (Context.synchronize, lambda: driver.mem_alloc(8), stream.synchronize):
            try:
                wait()
            except driver.Error as e:
                assert e.code >= 700, e
                print(str(e).replace('\\n', ' '))
        if Device(0).is_cpu:
            context.detach()
            other = Device(0).make_context()
            driver.memset_d32(driver.mem_alloc(64), 1, 16)
        """,
        device=device_name,
    )
    first, *later = done.stdout.splitlines()
    assert first.startswith('cuCtxSynchronize failed: ')
    assert 'Nothing more can be done in the context. Detach it' in first
    assert 'fault<<<1, 1>>>' in first
    assert len(later) == 2
    for line in later:
        assert "since an earlier call told of a kernel's fault (cuCtxSynchronize failed: " in line
    assert done.stderr == ''

"""The driver's linker, and options of its compiler."""

import numpy as np
import pytest
from runcu import driver
from runcu.compiler import compile

CALLER = """
extern __device__ float scale(float x);
extern __device__ int counter;
static __device__ __noinline__ int helper(int x) { return x + 1; }
template <class T> __device__ __noinline__ T square(T x) { return x * x; }
extern "C" __global__ void run(float *out)
{
    out[threadIdx.x] = scale(out[threadIdx.x]) + square(2.0f) + helper(counter);
}
"""
CALLEE = """
__device__ int counter = 5;
static __device__ __noinline__ int helper(int x) { return x + 100; }
template <class T> __device__ __noinline__ T square(T x) { return x * x; }
__device__ float scale(float x) { return square(x) * helper(0); }
"""


def code(source):
    """What a device links: relocatable machine code, PTX on the CPU device."""
    return compile(source, options=['-rdc=true'], no_extern_c=True)


def link(*sources, **options):
    linker = driver.Linker(**options)
    for i, source in enumerate(sources):
        linker.add_data(code(source), driver.jit_input_type.CUBIN, f'part{i}')
    return linker.link_module()


@pytest.mark.parametrize('sources', [(CALLER, CALLEE), (CALLEE, CALLER)])
def test_parts_are_linked(device, sources):
    told = []
    module = link(*sources, message_handler=lambda *args: told.append(args), log_verbose=True)
    x = np.arange(3, dtype=np.float32)
    module.get_function('run')(driver.InOut(x), block=(3, 1, 1))
    assert x.tolist() == [10, 110, 410]
    address, size = module.get_global('counter')
    driver.memset_d32(address, 6, 1)
    module.get_function('run')(driver.InOut(x), block=(3, 1, 1))
    assert size == 4 and x[0] == 100 * 10 * 10 + 4 + 7
    assert len(told) == 1 and told[0][0] is True
    assert all(isinstance(text, str) for text in told[0][1:])


def test_files_are_linked(device, tmp_path):
    linker = driver.Linker()
    for name, source in (('caller', CALLER), ('callee', CALLEE)):
        (tmp_path / name).write_bytes(code(source))
        linker.add_file(tmp_path / name, driver.jit_input_type.CUBIN)
    assert linker.link_module().get_function('run').num_regs > 0


def test_linkers_end(device):
    with driver.Linker() as linker:
        assert linker.handle == 0
        linker.add_data(code(CALLEE), driver.jit_input_type.CUBIN)
        assert linker.handle != 0
        module = linker.link_module()
        with pytest.raises(driver.LogicError, match='complete'):
            linker.add_data(code(CALLER), driver.jit_input_type.CUBIN)
    assert linker.handle == 0
    linker.close()
    assert module.get_global('counter')[1] == 4
    linker.add_data(code(CALLEE), driver.jit_input_type.CUBIN)
    assert linker.link_module().get_global('counter')[1] == 4


def test_weak_functions_are_shared(device):
    more = CALLEE.replace('scale', 'other').replace('counter', 'own')
    module = link(CALLER, CALLEE, more)
    x = np.ones(1, np.float32)
    module.get_function('run')(driver.InOut(x), block=(1, 1, 1))
    assert x[0] == 110


@pytest.mark.parametrize('sources', [(CALLER,), (CALLEE, CALLEE)])
def test_symbols_that_are_missing_or_there_twice(device, sources):
    told = []
    with pytest.raises(driver.Error, match='scale|counter') as caught:
        link(*sources, message_handler=lambda *args: told.append(args))
    assert caught.value.routine in ('cuLinkAddData', 'cuLinkComplete')
    assert told[-1][0] is False and ('scale' in told[-1][2] or 'counter' in told[-1][2])


def test_what_cannot_be_added(device, tmp_path):
    linker = driver.Linker()
    with pytest.raises(driver.Error):
        linker.add_data(b'nonsense', driver.jit_input_type.PTX, 'name')
    if device.is_cpu:
        with pytest.raises(driver.RuntimeError, match='a library is compiled for GPUs'):
            linker.add_data(b'!<arch>\nnonsense', driver.jit_input_type.LIBRARY, 'name')
    with pytest.raises(driver.RuntimeError, match='file not found'):
        linker.add_file(tmp_path / 'absent', driver.jit_input_type.PTX)
    with pytest.raises(driver.LogicError, match='empty'):
        linker.add_data(b'', driver.jit_input_type.PTX, 'name')
    for wrong in (None, 5, object()):
        with pytest.raises(TypeError):
            linker.add_data(wrong, driver.jit_input_type.PTX, 'name')
        with pytest.raises(TypeError):
            linker.add_data(b'x', 'PTX', 'name')
    with pytest.raises(TypeError):
        linker.add_data()
    with pytest.raises(driver.LogicError, match='nothing was added'):
        driver.Linker().link_module()


@pytest.mark.parametrize('options', [5, [5], [(1, 2, 3)], [('x', 1)], [(0, 'x')], [(0, 1)] * 65])
def test_options_that_cannot_be(options):
    with pytest.raises((TypeError, ValueError)):
        driver.Linker(options=options)


# --- loading ---

KERNEL = '__global__ void k(int *out) { *out = 42; }'


def test_modules_are_loaded_with_options_and_a_handler(device):
    told = []
    option = driver.jit_option
    module = driver.module_from_buffer(
        compile(KERNEL),
        options=[(option.MAX_REGISTERS, 32), (option.INFO_LOG_BUFFER_SIZE_BYTES, 1000)],
        message_handler=lambda *args: told.append(args),
    )
    out = np.zeros(1, np.int32)
    module.get_function('k')(driver.Out(out), block=(1, 1, 1))
    assert out[0] == 42
    assert [t[0] for t in told] == [True]


@pytest.mark.parametrize(
    'name, value',
    [
        ('MAX_REGISTERS', 32),
        ('THREADS_PER_BLOCK', 64),
        ('WALL_TIME', 0),
        ('INFO_LOG_BUFFER_SIZE_BYTES', 100),
        ('ERROR_LOG_BUFFER_SIZE_BYTES', 100),
        ('OPTIMIZATION_LEVEL', 0),
        ('GENERATE_DEBUG_INFO', 1),
        ('LOG_VERBOSE', 1),
        ('GENERATE_LINE_INFO', 1),
    ],
)
def test_each_option(device, name, value):
    ptx = compile(KERNEL, target='ptx')
    option = getattr(driver.jit_option, name)
    try:
        first = driver.module_from_buffer(ptx, options=[(option, value)])
    except driver.LogicError as e:
        if e.code == 222:
            pytest.skip('the PTX is newer than the driver')
        raise
    for module in (
        first,
        driver.module_from_buffer(ptx, [(option, value)]),
        driver.module_from_buffer(ptx, **{name.lower(): value}),
    ):
        out = np.zeros(1, np.int32)
        module.get_function('k')(driver.Out(out), block=(1, 1, 1))
        assert out[0] == 42
    linker = driver.Linker(**{name.lower(): value})
    linker.add_data(ptx, driver.jit_input_type.PTX)
    assert linker.link_module().get_function('k')


def test_options_by_keyword(device):
    with pytest.raises(TypeError, match='max_registers'):
        driver.module_from_buffer(compile(KERNEL), max_register=32)
    with pytest.raises(TypeError, match='max_registers'):
        driver.Linker(max_register=32)
    with pytest.raises(TypeError):
        driver.module_from_buffer(compile(KERNEL), max_registers='many')


@pytest.mark.parametrize('option', [17, 18, 25, 27])
def test_options_that_take_arrays(device, option):
    with pytest.raises(driver.LogicError, match='takes an array'):
        driver.module_from_buffer(compile(KERNEL), options=[(option, 5)])
    with pytest.raises(driver.LogicError, match='takes an array'):
        driver.Linker(options=[(option, 5)]).add_data(b'x', driver.jit_input_type.PTX)


def test_the_handler_is_told_of_failures(device):
    told = []
    with pytest.raises(driver.LogicError, match='cuModuleLoadDataEx failed') as caught:
        driver.module_from_buffer(
            b'.version 6.4\n.target sm_75\n.address_size 64\n.nonsense\n',
            message_handler=lambda *args: told.append(args),
        )
    assert len(told) == 1 and told[0][0] is False
    assert 'nonsense' in told[0][2] and 'nonsense' in str(caught.value)


def test_handlers_may_fail(device):
    def fails(*args):
        raise KeyError('mine')

    with pytest.raises(KeyError, match='mine'):
        driver.module_from_buffer(compile(KERNEL), message_handler=fails)


def test_files_that_are_not_there(device, tmp_path):
    with pytest.raises(driver.RuntimeError, match='cuModuleLoad failed: file not found') as caught:
        driver.module_from_file(str(tmp_path / 'absent.cubin'))
    assert caught.value.code == 301 and 'absent.cubin' in str(caught.value)
    (tmp_path / 'there.ptx').write_bytes(compile(KERNEL))
    assert driver.module_from_file(tmp_path / 'there.ptx').get_function('k')
    with pytest.raises(driver.LogicError):
        driver.module_from_buffer(b'nonsense')
    with pytest.raises(TypeError):
        driver.module_from_buffer('text')


def test_what_kernels_cannot_choose_any_more(device):
    kernel = driver.module_from_buffer(compile(KERNEL)).get_function('k')
    assert kernel.set_shared_config(driver.shared_config.FOUR_BYTE_BANK_SIZE) is None
    with pytest.raises((ValueError, driver.Error)):
        kernel.set_shared_config(17)
    with pytest.raises((driver.LogicError, TypeError), match='texture'):
        kernel.param_set_texref(None)

"""Link-time optimisation, by nvJitLink."""

import subprocess
import sys

import numpy as np
import pytest
from runcu import _core, compiler, driver
from runcu.compiler import DynamicModule, SourceModule

CALLER = """
extern __device__ int counter;
extern __constant__ float factors[2];
__device__ float scale(float x);
__global__ void run(float *x) { x[threadIdx.x] = scale(x[threadIdx.x]) * factors[1] + counter; }
"""
CALLEE = """
__device__ int counter = 5;
__constant__ float factors[2] = {1, 10};
__device__ float scale(float x) { return 2 * x; }
"""
LTO = ['-dlto']


@pytest.fixture(autouse=True)
def nvjitlink():
    try:
        _core.nvjitlink_version()
    except driver.RuntimeError as e:
        pytest.skip(str(e).splitlines()[0])


def run(module):
    x = np.array([1, 2, 3], np.float32)
    module.get_function('run')(driver.InOut(x), block=(3, 1, 1))
    return x.tolist()


@pytest.mark.parametrize('sources', [(CALLER, CALLEE), (CALLEE, CALLER)])
def test_sources_are_optimised_together(device, sources):
    module = DynamicModule()
    for source in sources:
        module.add_source(source, nvcc_options=LTO)
    module.link()
    assert run(module) == [25, 45, 65]
    driver.memset_d32(module.get_global('counter')[0], 6, 1)
    assert run(module) == [26, 46, 66]


def test_calls_are_gone(device):
    linker = driver.Linker()
    for source in (CALLER, CALLEE):
        linker.add_data(ltoir(source), driver.jit_input_type.NVVM)
    image = linker._jit.complete()
    if device.is_cpu:
        assert b'call' not in image and b'run' in image
    else:
        assert image.startswith(b'\x7fELF')


def ltoir(source, *options):
    return compiler.compile(source, options=list(options), target='ltoir')


def test_programs(device):
    plain = _core.Program(CALLEE)
    assert plain.ltoir is None and plain.ptx
    program = _core.Program(CALLEE, options=LTO)
    assert program.succeeded and program.cubin is None and program.ptx is None and program.ltoir
    optimised = ltoir(CALLEE)
    assert isinstance(optimised, bytes) and len(optimised) > 100
    assert ltoir(CALLEE) == optimised  # from the cache


def test_the_rest_may_be_plain(device):
    module = DynamicModule().add_source(CALLER, nvcc_options=LTO).add_source(CALLEE)
    assert run(module.link()) == [25, 45, 65]


def test_who_links_may_be_chosen(device):
    module = DynamicModule(linker='nvjitlink').add_source(CALLER).add_source(CALLEE)
    assert run(module.link()) == [25, 45, 65]
    module = DynamicModule(linker='driver').add_source(CALLER).add_source(CALLEE)
    assert run(module.link()) == [25, 45, 65]
    with pytest.raises(driver.Error):
        DynamicModule(linker='driver').add_data(b'nonsense', driver.jit_input_type.NVVM).link()
    with pytest.raises(ValueError, match='nvjitlink'):
        DynamicModule(linker='nonsense')


def test_options_of_the_linker(device):
    option = driver.jit_option
    told = []
    module = DynamicModule(
        link_options=[
            (option.MAX_REGISTERS, 32),
            (option.OPTIMIZATION_LEVEL, 3),
            (option.GENERATE_LINE_INFO, 1),
            (option.GENERATE_DEBUG_INFO, 0),
            (option.FTZ, 1),
            (option.PREC_DIV, 0),
            (option.PREC_SQRT, 0),
            (option.FMA, 1),
            (option.THREADS_PER_BLOCK, 64),
        ],
        log_verbose=True,
        message_handler=lambda *args: told.append(args),
        linker='nvjitlink',
    )
    module.add_source(CALLER, nvcc_options=LTO).add_source(CALLEE, nvcc_options=LTO).link()
    assert run(module) == [25, 45, 65]
    assert [t[0] for t in told] == [True]
    assert 0 < module.get_function('run').num_regs <= 32 or device.is_cpu


def test_what_is_there_twice(device):
    told = []
    module = DynamicModule(message_handler=lambda *args: told.append(args))
    module.add_source(CALLEE, nvcc_options=LTO, name='one')
    module.add_source(CALLEE, nvcc_options=LTO, name='two')
    with pytest.raises(driver.LogicError, match='multiply defined') as caught:
        module.link()
    assert 'two' in str(caught.value) and 'nvJitLink 1' in str(caught.value)
    assert caught.value.routine == 'nvJitLinkComplete' and caught.value.code == 0
    assert told[-1][0] is False and 'multiply defined' in told[-1][2]


def test_what_is_missing(device):
    module = DynamicModule().add_source(CALLER, nvcc_options=LTO, name='caller')
    with pytest.raises(driver.LogicError, match='scale|counter|factors'):
        module.link()


def test_what_others_need_of_it(device):
    module = DynamicModule().add_source(CALLER).add_source(CALLEE, nvcc_options=LTO)
    if device.is_cpu:  # nvJitLink makes PTX of kernels alone
        with pytest.raises(driver.LogicError, match='without it'):
            module.link()
    else:
        assert run(module.link()) == [25, 45, 65]


def test_nonsense(device):
    with pytest.raises(driver.LogicError, match='nvJitLink'):
        DynamicModule().add_data(b'nonsense', driver.jit_input_type.NVVM).link()


def test_it_is_no_module_yet(device):
    with pytest.raises(driver.LogicError, match='DynamicModule'):
        SourceModule(CALLEE, options=LTO)
    with pytest.raises(ValueError, match='DynamicModule'):
        compiler.compile(CALLEE, options=LTO)


def test_its_version_is_told():
    major, minor, path = _core.nvjitlink_version()
    assert major >= 12 and minor >= 0 and 'libnvJitLink.so' in path


def test_a_missing_library_is_named(monkeypatch):
    code = """
import runcu
from runcu import driver
driver.init(); context = driver.Device(0).make_context()
try:
    driver.Linker(linker='nvjitlink').add_data(b'x', 5)
except driver.RuntimeError as e:
    print(e)
finally:
    context.pop()
"""
    monkeypatch.setenv('RUNCU_NVJITLINK', '/nonexistent/libnvJitLink.so')
    monkeypatch.setenv('RUNCU_DEVICE', 'cpu')
    told = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert 'nvJitLink, the library' in told.stdout, told.stderr
    assert '/nonexistent/libnvJitLink.so' in told.stdout
    assert 'pip install nvidia-nvjitlink' in told.stdout

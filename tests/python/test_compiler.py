"""Sources to modules: SourceModule, compile, what is said about mistakes."""

import os

import numpy as np
import pytest
import runcu
from runcu import Out, compiler, driver
from runcu.compiler import CompileError, SourceModule

SOURCE = """
__device__ int counter = 41;
__constant__ float table[4];
namespace ns { __global__ void inside(int *to) { *to = 7; } }
template <class T> __global__ void axpy(T *to) { *to = 2; }
template __global__ void axpy<float>(float *);
__global__ void add(int *to) { *to = ++counter; }
extern "C" __global__ void plain(int *to) { *to = 5; }
"""


@pytest.fixture
def mod(device):
    return SourceModule(SOURCE)


def run(kernel, dtype=np.int32):
    to = np.zeros(1, dtype)
    kernel[1](Out(to))
    return to[0]


def test_kernels_by_name_and_attribute(mod):
    assert run(mod.get_function('add')) == 42
    assert run(mod.add) == 43
    assert mod.add is mod.add
    assert run(mod.plain) == 5
    assert run(mod.get_function('ns::inside')) == 7
    assert run(mod.get_function('axpy<float>'), np.float32) == 2
    assert run(mod.get_function(mod.add.symbol)) == 44
    assert {'add', 'plain', 'module', 'get_function'} <= set(dir(mod))


def test_a_missing_name_lists_those_there_are(mod):
    with pytest.raises(driver.LogicError, match='named symbol not found') as e:
        mod.get_function('subtract')
    for name in ('add(int *)', 'plain', 'ns::inside'):
        assert name in str(e.value)
    with pytest.raises(AttributeError, match='add'):
        mod.subtract  # noqa: B018
    assert not hasattr(mod, '__array__')
    with pytest.raises(driver.LogicError):
        mod.get_global('nothing')
    for bad in (5, b'add', None):
        with pytest.raises(TypeError):
            mod.get_function(bad)
    with pytest.raises(ValueError, match='NUL'):
        mod.get_function('add\0')


def test_variables(mod):
    address, size = mod.get_global('counter')
    assert size == 4
    assert driver.from_device(address, 1, np.int32)[0] == 41
    driver.memcpy_htod(address, np.int32([9]))
    assert run(mod.add) == 10
    assert mod.get_global('table')[1] == 16


def test_references_are_explained(mod):
    for get in (mod.get_texref, mod.get_surfref):
        with pytest.raises(driver.LogicError, match='CUDA 12'):
            get('x')


def test_a_source_with_an_error(device):
    with pytest.raises(CompileError) as e:
        SourceModule('__global__ void f(int *x)\n{\n    *x = undefined_name;\n}\n')
    error = e.value
    assert isinstance(error, driver.Error)
    assert error is not None and driver.CompileError is CompileError
    assert 'undefined_name' in error.stderr
    assert error.command_line[0] == 'nvrtc'
    (diagnostic,) = error.diagnostics
    assert diagnostic.severity == 'error'
    assert diagnostic.line == 3
    assert 'undefined_name' in diagnostic.text
    assert diagnostic.source == '    *x = undefined_name;'
    text = str(error)
    assert 'identifier "undefined_name" is undefined' in text
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith('*x = undefined_name;'))
    assert lines[at + 1].strip() == '^'


def test_successful_compiles_with_output_warn_once(device, tmp_path):
    source = '__global__ void f(int *x) { int unused_variable; *x = 1; }'
    with pytest.warns(UserWarning, match='succeeded, but said the following:\n') as caught:
        SourceModule(source, cache_dir=tmp_path)
    assert 'unused_variable' in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_python_function_is_explained():
    def saxpy(a, x, y, n):
        pass

    with pytest.raises(TypeError) as e:
        SourceModule(saxpy)
    text = str(e.value)
    assert 'CUDA C++' in text
    assert len(text.splitlines()) == 4  # a sentence, and the equivalent in three lines
    assert '__global__ void saxpy(float *a, float *x, float *y, int n)' in text
    with pytest.raises(TypeError, match='void kernel'):
        SourceModule(lambda x: x)


@pytest.mark.parametrize('bad', [None, 5, ['x'], object(), np.zeros(3)])
def test_what_is_no_source(device, bad):
    with pytest.raises((TypeError, CompileError)):
        SourceModule(bad)


def test_a_path_is_not_a_source(tmp_path):
    with pytest.raises(TypeError, match='open'):
        SourceModule(tmp_path / 'kernel.cu')
    with pytest.raises(ValueError, match='NUL'):
        SourceModule('__global__ void f() {}\0')


def test_objects_that_write_source(device):
    class Generated:
        def __str__(self):
            return SOURCE

    assert run(SourceModule(Generated()).plain) == 5
    assert run(SourceModule(SOURCE.encode()).plain) == 5


def test_options_define_and_include(device, tmp_path):
    (tmp_path / 'mine.h').write_text('#define FROM_HEADER 40\n')
    source = '#include "mine.h"\n__global__ void f(int *x) { *x = FROM_HEADER + MORE; }'
    mod = SourceModule(
        source, options=['-DMORE=2', '-O3', '--use_fast_math'], include_dirs=[tmp_path]
    )
    assert run(mod.f) == 42
    with pytest.raises(CompileError, match='mine.h'):
        SourceModule(source, options=['-DMORE=2'])


@pytest.mark.parametrize('bad', [{'options': '-DX'}, {'options': [5]}, {'include_dirs': 'folder'}])
def test_bad_options(device, bad):
    with pytest.raises(TypeError):
        SourceModule(SOURCE, **bad)


def test_an_option_that_cannot_be_used_is_named(device):
    with pytest.raises(CompileError, match='nonsense-option'):
        SourceModule(SOURCE, options=['--nonsense-option'])


def test_default_flags_come_from_the_environment(python):
    done = python(
        """
        from runcu.compiler import DEFAULT_NVCC_FLAGS, SourceModule
        print(DEFAULT_NVCC_FLAGS)
        SourceModule('int x = FLAG;')
        SourceModule('int x = OTHER;', options=['-DOTHER=1'])
        """,
        PYCUDA_DEFAULT_NVCC_FLAGS='-DFLAG=3 -w',
    )
    assert done.stdout == "['-DFLAG=3', '-w']\n"


def test_the_cache(device, tmp_path):
    source = f'__global__ void f(int *x) {{ *x = {os.getpid()}; }}'
    programs = [
        compiler._compile(source, None, False, None, None, where, None)
        for where in (tmp_path, tmp_path, False)
    ]
    assert [p.was_cached for p in programs] == [False, True, False]
    assert programs[0].ptx == programs[1].ptx
    entries = [p for p in tmp_path.rglob('*') if p.is_file()]
    assert entries
    for entry in entries:  # a damaged entry is compiled again
        entry.write_bytes(entry.read_bytes()[:-7])
    # where this process has looked for nothing yet
    elsewhere = tmp_path.with_name(tmp_path.name + '-moved')
    tmp_path.rename(elsewhere)
    again = compiler._compile(source, None, False, None, None, elsewhere, None)
    assert not again.was_cached
    assert again.ptx == programs[0].ptx


@pytest.mark.parametrize('name', ['PYCUDA_DISABLE_CACHE', 'RUNCU_NO_CACHE'])
def test_the_cache_can_be_switched_off(device, tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, '1')
    SourceModule(SOURCE, cache_dir=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_keep_leaves_the_files(device, capsys, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    SourceModule(SOURCE, keep=True)
    said = capsys.readouterr().out
    assert said.startswith('*** compiler output in ')
    folder = said.split(' in ')[1].strip()
    names = os.listdir(folder)
    assert any(n.endswith('.cu') for n in names) and any(n.endswith('.ptx') for n in names)


def test_compile_gives_bytes_to_load(device):
    source = '__global__ void f(int *x) { *x = 11; }'
    ptx = compiler.compile(source, target='ptx')
    assert b'.entry f(' in ptx  # wrapped in extern "C"
    assert b'_Z1fPi' in compiler.compile(source, target='ptx', no_extern_c=True)
    assert run(driver.module_from_buffer(compiler.compile(source)).get_function('f')) == 11
    with pytest.raises(ValueError, match='fatbin'):
        compiler.compile(source, target='fatbin')


def test_modules_from_files_and_buffers(device, tmp_path):
    image = compiler.compile('__global__ void f(int *x) { *x = 11; }')
    (tmp_path / 'f').write_bytes(image)
    said = []
    modules = [
        driver.module_from_file(str(tmp_path / 'f')),
        driver.module_from_buffer(
            bytearray(image),
            options=[(driver.jit_option.ERROR_LOG_BUFFER_SIZE_BYTES, 1024)],
            message_handler=lambda *args: said.append(args),
        ),
    ]
    for module in modules:
        assert run(module.get_function('f')) == 11
        assert module.handle
    assert said == [(True, '', '')]
    module = driver.module_from_buffer(image, options=[(driver.jit_option.MAX_REGISTERS, 32)])
    assert run(module.get_function('f')) == 11


def test_images_that_are_none(device):
    said = []
    for bad in (b'', b'nonsense', b'\x7fELF' + bytes(60), b'.version 99.9\n'):
        with pytest.raises(driver.Error) as e:
            driver.module_from_buffer(bad, message_handler=lambda *args: said.append(args))
        assert e.value.code or not bad
    assert [s[0] for s in said] == [False] * 4
    with pytest.raises(TypeError, match='bytes'):
        driver.module_from_buffer('.version 8.0')
    with pytest.raises(driver.RuntimeError, match='file not found'):
        driver.module_from_file('/nowhere.cubin')


def test_functions_outlive_their_module(device):
    kernel = SourceModule(SOURCE).plain
    assert run(kernel) == 5


def test_an_architecture_beyond_the_device_warns(device):
    with pytest.warns(UserWarning, match='higher than selected GPU'):
        try:
            SourceModule(SOURCE, arch='sm_121')
        except driver.Error:
            pass


def test_no_nvrtc_says_where_it_was_sought_and_what_to_install(python, tmp_path):
    done = python(
        """
        import runcu
        from runcu import compiler
        compiler._searched = True
        try:
            runcu.SourceModule('__global__ void never_compiled_before() {}', cache_dir=False)
        except runcu.driver.RuntimeError as e:
            print(e)
        """,
        RUNCU_NVRTC=str(tmp_path / 'libnvrtc.so'),
    )
    assert 'nvidia-cuda-nvrtc' in done.stdout
    assert str(tmp_path) in done.stdout


def test_compiling_lets_other_threads_run(device):
    import threading
    import time

    count, stop = [0], threading.Event()

    def work():
        while not stop.is_set():
            count[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    before = count[0]
    SourceModule(SOURCE, cache_dir=False)
    during = count[0] - before
    stop.set()
    thread.join()
    assert during >= 3
    assert runcu.compiler is compiler

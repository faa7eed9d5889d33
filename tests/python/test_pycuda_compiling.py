"""What programs written for PyCUDA expect of compiling: its arguments, what sources may use, the
options they pass, and what its users have asked for.
"""

import os
import subprocess
import sys
import tempfile
import threading
import warnings

import numpy as np
import pytest
import runcu
from runcu import In, Out, compiler, driver
from runcu.compiler import CompileError, SourceModule

KERNEL = '__global__ void k(int *x) { *x = 7; }\n'


def result(mod, dtype=np.int32):
    x = np.zeros(1, dtype)
    (mod if callable(mod) else mod.k)(Out(x), block=(1, 1, 1))
    return x[0]


def body(text, dtype=np.int32, kind='int', head='', **more):
    """What one statement or more store to *x."""
    source = f'{head}\n__global__ void k({kind} *x) {{ {text} }}\n'
    return result(SourceModule(source, cache_dir=False, **more), dtype)


def options_of(*options, **more):
    program = compiler.Program(KERNEL, options=options, no_cache=True, **more)
    assert program.succeeded
    return program.options.splitlines()


# --- SourceModule and compile, argument by argument --------------------------------------------


def test_arguments_by_position(device, tmp_path):
    mod = SourceModule(KERNEL, 'nvcc', ['-w'], False, True, None, None, str(tmp_path), [])
    assert result(mod) == 7
    args = (KERNEL, 'nvcc', ['-w'], False, True, None, None, str(tmp_path), [], 'ptx')
    assert b'_Z1kPi' in compiler.compile(*args)
    assert compiler.compile_plain(KERNEL, ['-w'], False, 'nvcc', str(tmp_path), 'ptx')


def test_architectures_with_a_letter_do_not_warn(device):
    major, minor = driver.Context.get_device().compute_capability()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert SourceModule(KERNEL, arch=f'compute_{major}{minor}')
    with pytest.warns(UserWarning, match='higher than selected GPU'):
        try:
            SourceModule(KERNEL, arch='sm_120a')
        except driver.Error:
            pass  # the device cannot load it


@pytest.mark.parametrize('no_extern_c', [False, True])
def test_lines_are_the_users_and_templates_compile(device, no_extern_c):
    source = '\n\n__global__ void k(int *x) { *x = oops; }\n'
    with pytest.raises(CompileError) as e:
        SourceModule(source, no_extern_c=no_extern_c)
    assert [d.line for d in e.value.diagnostics] == [3]
    generic = 'template <class T> struct Two { static const T value = 2; };\n'
    assert body('*x = Two<int>::value;', head=generic, no_extern_c=no_extern_c) == 2
    head = '#include <cuda/std/type_traits>'
    assert body('*x = cuda::std::is_same<int, int>::value;', head=head) == 1


def test_lines_are_the_users_with_compile_as_well(device):
    for no_extern_c in (False, True):
        with pytest.raises(CompileError) as e:
            compiler.compile('\n__global__ void k(int *x) { *x = oops; }', no_extern_c=no_extern_c)
        assert [d.line for d in e.value.diagnostics] == [2]


def test_options_are_any_sequence_and_stay_as_they_are(device):
    options = ['-DN=3']
    for given in (options, tuple(options), iter(options), np.array(options).tolist()):
        assert body('*x = N;', options=given, include_dirs=[]) == 3
    SourceModule(KERNEL, options=options, arch=None, code=None, include_dirs=['/nowhere'])
    assert options == ['-DN=3']


def test_default_flags_are_used_only_without_options(device, monkeypatch):
    monkeypatch.setattr(compiler, 'DEFAULT_NVCC_FLAGS', ['-DN=5'])
    assert body('*x = N;') == 5
    with pytest.raises(CompileError, match='"N" is undefined'):
        body('*x = N;', options=[])


def test_without_a_context_the_default_device_is_compiled_for(python):
    done = python(
        """
        import warnings
        from runcu import compiler
        warnings.simplefilter('error')
        print(len(compiler.compile('__global__ void k(int *x) { *x = 1; }')) > 100)
        """
    )
    assert done.stdout == 'True\n'


def test_debugging_keeps_files_and_leaves_the_cache_alone(device, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setattr(driver, 'CUDA_DEBUGGING', True)
    cache = tmp_path / 'cache'
    SourceModule(KERNEL, cache_dir=cache)
    folder = capsys.readouterr().out.split(' in ')[1].strip()
    assert 'kernel.cu' in os.listdir(folder)
    assert not cache.exists()


def test_where_the_cache_is(device, tmp_path, monkeypatch):
    def used(name):
        folder = tmp_path / name
        return folder.exists() and any(folder.iterdir())

    monkeypatch.delenv('RUNCU_CACHE_DIR', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user'))
    monkeypatch.setenv('PYCUDA_CACHE_DIR', str(tmp_path / 'pycuda'))
    SourceModule(KERNEL, cache_dir=tmp_path / 'own')
    assert used('own') and not used('pycuda')
    SourceModule(KERNEL)
    assert used('pycuda') and not used('user')
    monkeypatch.delenv('PYCUDA_CACHE_DIR')
    SourceModule(KERNEL)
    assert used('user')
    monkeypatch.setenv('PYCUDA_DISABLE_CACHE', '')
    SourceModule(KERNEL, cache_dir=tmp_path / 'disabled')
    monkeypatch.delenv('PYCUDA_DISABLE_CACHE')
    SourceModule(KERNEL, cache_dir=False)
    assert not used('disabled')


def test_the_order_of_options_and_folders(device, tmp_path):
    for name, value in (('first', 1), ('second', 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'which.h').write_text(f'#define WHICH {value}\n')
    head = '#include "which.h"'
    first, second = str(tmp_path / 'first'), str(tmp_path / 'second')
    assert body('*x = WHICH;', head=head, options=['-I' + first], include_dirs=[second]) == 1
    assert body('*x = WHICH;', head=head, options=['-I', second], include_dirs=[first]) == 2
    assert body('*x = WHICH;', head=head, include_dirs=[second, first]) == 2
    (tmp_path / 'first' / 'pycuda-complex.hpp').write_text('#define OURS 0\n')
    head = '#include <pycuda-complex.hpp>'
    assert body('*x = OURS;', head=head, include_dirs=[first]) == 0
    assert body('pycuda::complex<float> z(3, 4); *x = (int) abs(z);', head=head) == 5


def test_errors_have_their_parts(device):
    with pytest.raises(CompileError) as e:
        SourceModule('int x = oops;', options=['-DN=1'])
    error = e.value
    assert error.args == (error.msg, error.command_line)
    assert error.msg.endswith('compilation of kernel.cu failed')
    assert all(isinstance(word, str) for word in error.command_line)
    assert '-DN=1' in error.command_line
    assert 'oops' in error.stderr and not error.stdout
    text = str(error)
    assert (
        text.startswith(error.msg + '\n') and f'[command: {" ".join(error.command_line)}]' in text
    )


def test_an_error_leaves_no_files(device, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    for _ in range(3):
        with pytest.raises(CompileError):
            SourceModule('int x = oops;', cache_dir=False)
    assert os.listdir(tmp_path) == []


def test_a_cold_compile_is_silent(device, tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        SourceModule(KERNEL + f'// {tmp_path}', cache_dir=tmp_path)
    assert capfd.readouterr() == ('', '')


# --- what sources may use without an #include ---------------------------------------------------

BARE = {
    'vector types': ('float4 v = make_float4(1, 2, 3, 4); *x = (int) (v.x + v.w);', 5),
    'size_t': ('size_t n = 5; *x = (int) n;', 5),
    'asm': ('asm("mov.s32 %0, 5;" : "=r"(*x));', 5),
    'clock': ('*x = clock64() >= 0 ? 5 : 4;', 5),
    'malloc': ('int *p = (int *) malloc(4); *p = 5; *x = *p; free(p);', 5),
    'assert': ('assert(threadIdx.x == 0); *x = 5;', 5),
    'uint': ('uint u = 5; ulong l = u; *x = (int) l;', 5),
    'int32_t': ('int32_t a = 2; uint64_t b = 3; *x = a + (int) b;', 5),
    'M_PI': ('*x = (int) (M_PI * 1.6);', 5),
    'INFINITY': ('*x = INFINITY > 1e30f ? 5 : 4;', 5),
    'NAN': ('float n = NAN; *x = n != n ? 5 : 4;', 5),
    'mixed pow': ('*x = (int) (pow(2.0f, 2.0) + pow(1.0, 2.0f));', 5),
    'limits': ('*x = INT_MAX == 2147483647 ? 5 : 4;', 5),
    'warp vote': ('*x = __all_sync(1, 1) + 4;', 5),
}


@pytest.mark.parametrize('text, expected', BARE.values(), ids=BARE)
def test_without_an_include(device, text, expected):
    assert body(text) == expected


HEADERS = [
    ('cuda_runtime.h',),
    ('cuComplex.h',),
    ('cuda_fp16.h',),
    ('math_constants.h',),
    ('cooperative_groups.h',),
    ('stdio.h', 'cstdio', 'math.h', 'stdint.h', 'assert.h', 'limits.h', 'float.h', 'iostream'),
    ('stdlib.h', 'string.h', 'cmath', 'cstdint', 'climits', 'cfloat', 'cstring'),
    ('pycuda-complex.hpp',),
]


@pytest.mark.parametrize('names', HEADERS, ids=lambda names: names[0])
def test_with_an_include(device, names):
    head = ''.join(f'#include <{name}>\n' for name in names)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert body('*x = 7;', head=head) == 7


def test_printf_without_an_include(python, device_name):
    done = python(
        """
        import runcu.autoinit
        from runcu import driver
        from runcu.compiler import SourceModule
        SourceModule('__global__ void k() { printf("%d\\\\n", 5); }').k(block=(1, 1, 1))
        driver.Context.synchronize()
        """,
        device=device_name,
    )
    assert done.stdout == '5\n'


def test_atomics_on_doubles(device):
    assert body('*x = 1; atomicAdd(x, 1.5);', np.float64, 'double', arch='compute_75') == 2.5


def test_texture_objects_compile(device):
    source = '__global__ void k(cudaTextureObject_t t, float *x) { *x = tex2D<float>(t, 0, 0); }'
    assert b'tex.2d' in compiler.compile(source, target='ptx')


@pytest.mark.parametrize(
    'source, words',
    [
        ('texture<float, 2> t;', 'texture objects'),
        ('surface<void, 2> s;', 'surface objects'),
        ('__global__ void k(int *x) { *x = __shfl(*x, 0); }', '__shfl_sync'),
        ('#include <pycuda-helpers.hpp>\n', 'cudaTextureObject_t'),
    ],
)
def test_what_cuda_no_longer_has_is_explained(device, source, words):
    with pytest.raises(CompileError, match=words):
        SourceModule(source)


def test_a_template_in_the_wrap_of_compile_is_explained(device):
    with pytest.raises(CompileError, match='no_extern_c=True'):
        compiler.compile('template <class T> __global__ void k(T *x) {}')


def test_warp_synchronous_code_of_old(device):
    source = """
    __global__ void k(const int *from, int *to)
    {
        __shared__ volatile int s[64];
        int i = threadIdx.x;
        s[i] = from[i];
        s[i + 32] = 0;
        s[i] += s[i + 16]; s[i] += s[i + 8]; s[i] += s[i + 4]; s[i] += s[i + 2]; s[i] += s[i + 1];
        if (i == 0) *to = s[0];
    }"""
    values, total = np.arange(32, dtype=np.int32) * 7 + 1, np.zeros(1, np.int32)
    SourceModule(source).k(In(values), Out(total), block=(32, 1, 1))
    assert total[0] == values.sum()


# --- nvcc's options ------------------------------------------------------------------------------

PASSED = [
    ['-w'],
    ['-lineinfo'],
    ['--generate-line-info'],
    ['--use_fast_math'],
    ['-DX'],
    ['-D', 'X'],
    ['-UX'],
    ['-I/tmp'],
    ['-I', '/tmp'],
    ['-std=c++11'],
    ['-std=c++17'],
    ['--std=c++20'],
    ['-Xptxas', '-v'],
    ['-maxrregcount=32'],
    ['-maxrregcount', '32'],
    ['-rdc=true'],
    ['-dc'],
    ['-G'],
    ['--device-debug'],
    ['-arch=sm_90'],
    ['-ftz=true'],
    ['-prec-div=false'],
    ['-prec-sqrt=false'],
    ['-fmad=false'],
    ['-diag-suppress', '177'],
    ['--disable-warnings'],
    ['--restrict'],
    ['--split-compile=1'],
    ['-g'],
    ['-isystem', '/tmp'],
    ['-gencode', 'arch=compute_80,code=sm_80'],
    ['-arch=compute_80', '-code=sm_80'],
]
DROPPED = [
    ['-O0'],
    ['-O3'],
    ['-m64'],
    ['--keep'],
    ['-Xcompiler', '-Wall'],
    ['-Xcompiler=-Wall'],
    ['--compiler-options', '-O2'],
    ['-ccbin', 'gcc'],
    ['-fopenmp'],
    ['-lcudadevrt'],
    ['-L/usr/lib'],
    ['-v'],
    ['-allow-unsupported-compiler'],
    ['-src-in-ptx'],
    ['--expt-relaxed-constexpr'],
    ['--extended-lambda'],
    ['--default-stream=per-thread'],
    ['-DNDEBUG', '-UNDEBUG', '-O3', '-m64'],
]


@pytest.mark.parametrize('options', PASSED, ids=' '.join)
def test_options_that_mean_something(options):
    arch = None if any('arch' in o or 'code' in o for o in options) else 'sm_90'
    assert options_of(*options, arch=arch) != options_of(arch=arch or 'sm_75')


@pytest.mark.parametrize('options', DROPPED, ids=' '.join)
def test_options_for_a_host_compiler_change_nothing(options):
    rest = [o for o in options if o.startswith(('-D', '-U'))]
    assert options_of(*options, arch='sm_90') == options_of(*rest, arch='sm_90')


def test_an_architecture_nvrtc_has_given_up_names_the_extra():
    if compiler._core.nvrtc_version() < (13, 0):
        assert options_of('-arch', 'sm_52')
        return
    with pytest.raises(CompileError, match=r'sm_52 is too old for NVRTC.*runcu\[cuda12\]'):
        options_of('-arch', 'sm_52')


# --- what PyCUDA's users have asked for ----------------------------------------------------------


def run(source, **env):
    return subprocess.run(
        [sys.executable, '-c', source],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'RUNCU_DEVICE': 'cpu', **env},
    )


USE = """
import numpy as np, runcu, runcu.autoinit
from runcu.compiler import SourceModule, compile_many
mod = SourceModule('#include <stdint.h>\\n__global__ void k(int32_t *x) { *x = 7; }')
x = np.zeros(1, np.int32)
mod.get_function('k')(runcu.Out(x), block=(1, 1, 1))
print(x[0])
"""


def test_no_nvcc_no_host_compiler_no_path(tmp_path):
    gone = {name: '' for name in ('PATH', 'CUDA_HOME', 'CUDA_PATH', 'CUDA_ROOT', 'CUDA_INC_DIR')}
    done = run(USE, RUNCU_CACHE_DIR=str(tmp_path), **gone)
    assert (done.stdout, done.returncode) == ('7\n', 0), done.stderr


def test_no_process_is_started_to_compile(tmp_path):
    source = """
import os, subprocess, sys
def refuse(event, args):
    if event in ('subprocess.Popen', 'os.system', 'os.fork', 'os.posix_spawn', 'os.exec'):
        raise SystemExit(f'{event} {args}')
sys.addaudithook(refuse)
"""
    done = run(source + USE, RUNCU_CACHE_DIR=str(tmp_path))
    assert (done.stdout, done.returncode) == ('7\n', 0), done.stderr


def test_a_cache_serves_machines_without_a_compiler(tmp_path):
    assert run(USE, RUNCU_CACHE_DIR=str(tmp_path)).stdout == '7\n'
    source = USE + 'from runcu import _core\nprint(_core.nvrtc_is_loaded())'
    done = run(source, RUNCU_CACHE_DIR=str(tmp_path))
    assert done.stdout == '7\nFalse\n', done.stderr


def test_array_kernels_come_from_the_cache_too(tmp_path):
    source = """
import numpy as np, runcu.autoinit
from runcu import _core, gpuarray
a = gpuarray.to_gpu(np.arange(4, dtype=np.float32))
print((2 * a + a).get(), _core.nvrtc_is_loaded())
"""
    first = run(source, RUNCU_CACHE_DIR=str(tmp_path))
    second = run(source, RUNCU_CACHE_DIR=str(tmp_path))
    assert first.stdout == '[0. 3. 6. 9.] True\n', first.stderr
    assert second.stdout == '[0. 3. 6. 9.] False\n'


def test_importing_loads_nothing_of_cuda():
    done = run(
        'import runcu, runcu.driver, runcu.compiler, runcu.gpuarray\n'
        "maps = open('/proc/self/maps').read()\n"
        "print([name for name in ('libcuda', 'libnvrtc', 'libcurand') if name in maps])"
    )
    assert done.stdout == '[]\n', done.stderr


def test_worker_threads_compile_without_a_context_of_their_own(device, device_name):
    done = []

    def work():
        with runcu.device(device_name):
            done.append(result(SourceModule(KERNEL, cache_dir=False)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [7] * 4


def test_changed_headers_are_seen(device, tmp_path):
    head = '#include "value.h"'
    for value in (1, 2, 1):
        (tmp_path / 'value.h').write_text(f'#define VALUE {value}\n')
        source = f'{head}\n__global__ void k(int *x) {{ *x = VALUE; }}'
        mod = SourceModule(source, include_dirs=[tmp_path], cache_dir=tmp_path / 'cache')
        assert result(mod) == value


def test_a_damaged_cache_is_never_loaded(device, tmp_path):
    for cut in (0, 1, 10, 1000):
        SourceModule(KERNEL, cache_dir=tmp_path)
        for path in tmp_path.rglob('*'):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:cut])
        assert result(SourceModule(KERNEL, cache_dir=tmp_path)) == 7


def test_names_in_namespaces_overloads_and_templates(device):
    mod = SourceModule(
        'namespace a { namespace b { __global__ void k(int *x) { *x = 1; } } }\n'
        '__global__ void f(int *x) { *x = 2; } __global__ void f(float *x) { *x = 3; }\n'
        'template <class T, int N> __global__ void t(T *x) { *x = N; }\n'
    )
    assert result(mod.get_function('a::b::k')) == 1
    assert result(mod.get_function('f(int *)')) == 2
    assert result(mod.get_function('f(float *)'), np.float32) == 3
    assert result(mod.get_function('t<int, 4>')) == 4


def test_errors_are_objects(device):
    with pytest.raises(CompileError) as e:
        SourceModule('\n  int x = oops;\n')
    (d,) = e.value.diagnostics
    assert (d.severity, d.file, d.line, d.column) == ('error', 'kernel.cu', 2, 11)
    assert d.source == '  int x = oops;'

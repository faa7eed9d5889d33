"""`import pycuda` as runcu: install_as_pycuda and `runcu run`."""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import pycuda.driver as cuda
import pycuda.autoinit
from pycuda.compiler import SourceModule
import numpy as np
mod = SourceModule(\"\"\"
__global__ void add_vectors(float *a, float *b, float *c, int n)
{
    int idx = threadIdx.x + blockIdx.x * blockDim.x;
    if (idx < n) { c[idx] = a[idx] + b[idx]; }
}
\"\"\")
n = 1000
a = np.random.randn(n).astype(np.float32)
b = np.random.randn(n).astype(np.float32)
c = np.zeros(n, dtype=np.float32)
a_gpu = cuda.mem_alloc(a.nbytes); b_gpu = cuda.mem_alloc(b.nbytes); c_gpu = cuda.mem_alloc(c.nbytes)
cuda.memcpy_htod(a_gpu, a); cuda.memcpy_htod(b_gpu, b)
add_vectors = mod.get_function("add_vectors")
block_size = 256
grid_size = (n + block_size - 1) // block_size
add_vectors(a_gpu, b_gpu, c_gpu, np.int32(n), block=(block_size, 1, 1), grid=(grid_size, 1))
cuda.memcpy_dtoh(c, c_gpu)
print("a + b = c"); print(c)
"""

CHECK = '\nassert (c == a + b).all()\n'


def runcu(*args, cwd, check=True, input=None, **env):
    done = subprocess.run(
        [sys.executable, '-m', 'runcu', *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        input=input,
        timeout=60,
        env={**os.environ, 'RUNCU_DEVICE': 'cpu', **env},
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_the_vector_addition_runs_unchanged(tmp_path, device_name):
    (tmp_path / 'add.py').write_text(PROGRAM + CHECK)
    done = runcu('run', 'add.py', cwd=tmp_path, RUNCU_DEVICE=device_name)
    assert done.stdout.startswith('a + b = c\n[')
    assert done.stderr == ''


def test_the_vector_addition_runs_with_its_imports_renamed(python, device_name):
    done = python(PROGRAM.replace('pycuda', 'runcu') + CHECK, device=device_name)
    assert done.stdout.startswith('a + b = c\n[')


def test_the_example_is_that_program():
    folder = os.path.dirname(__file__)
    with open(os.path.join(folder, '..', '..', 'examples', 'python', 'add.py')) as file:
        assert file.read().strip() == PROGRAM.strip()


def test_every_module_is_one_object_under_both_names(python):
    python(
        """
        import runcu
        runcu.install_as_pycuda()
        runcu.install_as_pycuda()
        import pycuda, pycuda.driver, pycuda._driver, pycuda.compiler, pycuda.tools
        from pycuda import driver
        from pycuda.driver import Device, LogicError
        import pycuda.autoprimaryctx
        assert pycuda is runcu
        assert pycuda.VERSION == (2026, 1)
        assert pycuda.driver is pycuda._driver is runcu.driver is driver
        assert pycuda.tools is __import__('runcu.tools').tools
        assert Device is runcu.driver.Device
        assert pycuda.autoinit.context is runcu.autoinit.context
        assert runcu.driver.__name__ == 'runcu.driver'
        assert runcu.driver.__spec__.name == 'runcu.driver'
        import importlib
        assert importlib.import_module('pycuda.compiler') is runcu.compiler
        from pycuda.compyte.array import c_contiguous_strides
        import pycuda.compyte.dtypes as dtypes
        assert dtypes is __import__('runcu.compyte.dtypes').compyte.dtypes
        assert pycuda.compyte.dtypes is dtypes
        import pycuda.characterize, pycuda.debug, pycuda._cluda, pycuda._pvt_struct
        from pycuda._pvt_struct import pack, calcsize, error
        from pycuda import characterize, tools
        assert characterize is runcu.characterize
        assert tools.DeviceMemoryPool is driver.DeviceMemoryPool
        import sys
        for name in [n for n in sys.modules if n.startswith('pycuda')]:
            there = name.replace('pycuda', 'runcu', 1).replace('_driver', 'driver')
            assert sys.modules[name] is sys.modules[there], name
        """
    )


MODULES = (
    'driver autoinit autoprimaryctx compiler gpuarray elementwise reduction cumath curandom tools '
    'characterize debug _cluda _pvt_struct compyte compyte.dtypes compyte.array'
)


@pytest.mark.parametrize('first', ['pycuda', 'runcu'])
def test_whichever_name_comes_first(python, first):
    python(
        """
        import importlib, sys
        import runcu
        runcu.install_as_pycuda()
        first, *modules = sys.argv[1:]
        second = 'runcu' if first == 'pycuda' else 'pycuda'
        for name in modules:
            there = importlib.import_module(f'{first}.{name}')
            assert importlib.import_module(f'{second}.{name}') is there, name
            assert there.__name__ == there.__spec__.name == f'runcu.{name}'
            exec(f'import {second}.{name} as other; assert other is there')
            parent, _, leaf = f'{second}.{name}'.rpartition('.')
            exec(f'from {parent} import {leaf} as other; assert other is there')
        """,
        first,
        *MODULES.split(),
    )


def test_what_is_not_offered_says_so(python):
    done = python(
        """
        import runcu
        runcu.install_as_pycuda()
        for name in ('pycuda.gl.autoinit', 'pycuda.sparse.cg', 'pycuda.nonsense', 'pycuda.gl'):
            try:
                __import__(name)
            except ImportError as e:
                print(name, '|', e)
        """
    )
    lines = done.stdout.splitlines()
    assert 'OpenGL' in lines[0] and 'scipy' in lines[1] and 'nonsense' in lines[2]


SPAWNS = """
import multiprocessing, sys
import pycuda.driver as cuda
from pycuda.tools import dtype_to_ctype

def work(x):
    import pycuda.autoinit
    import pycuda.compyte.array
    return x * cuda.Device.count(), cuda.__name__, cuda.CUDA_DEBUGGING

if __name__ == '__main__':
    for method in sys.argv[1:]:
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, [1, 2]))
"""


@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
def test_children_that_multiprocessing_makes(tmp_path, method):
    (tmp_path / 'prog.py').write_text(SPAWNS)
    done = runcu('run', 'prog.py', method, cwd=tmp_path)
    assert done.stdout == f"{method} [(1, 'runcu.driver', False), (2, 'runcu.driver', False)]\n"
    assert done.stderr == ''
    done = runcu('run', '--debug', 'prog.py', method, cwd=tmp_path)
    assert "(2, 'runcu.driver', True)" in done.stdout


def test_children_of_programs_that_install_it_themselves(tmp_path):
    late = 'import multiprocessing.spawn, runcu\nif __name__ == "__main__":\n'
    (tmp_path / 'prog.py').write_text(late + '    runcu.install_as_pycuda()\n' + SPAWNS)
    done = subprocess.run(
        [sys.executable, 'prog.py', 'spawn'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, 'RUNCU_DEVICE': 'cpu'},
    )
    assert done.stdout == "spawn [(1, 'runcu.driver', False), (2, 'runcu.driver', False)]\n"


def test_with_the_real_pycuda_already_imported_it_is_an_error(python, tmp_path):
    (tmp_path / 'pycuda.py').write_text('')
    done = python(
        """
        import pycuda, runcu
        try:
            runcu.install_as_pycuda()
        except ImportError as e:
            print(e)
        """
    )
    assert 'PyCUDA has been imported already' in done.stdout


# --- runcu run as python ---


ABOUT = """
import sys, __main__
print(sys.argv, repr(sys.path[0]), __name__, getattr(__main__, '__file__', None))
assert __main__.__dict__ is globals()
import pycuda.driver
"""


def test_script(tmp_path):
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub' / 'prog.py').write_text(ABOUT + 'import beside; print(__file__)')
    (tmp_path / 'sub' / 'beside.py').write_text('')
    done = runcu('run', 'sub/prog.py', '-x', '--device', 'y', cwd=tmp_path)
    first, second = done.stdout.splitlines()
    argv = ['sub/prog.py', '-x', '--device', 'y']
    assert first == f"{argv} '{tmp_path}/sub' __main__ sub/prog.py"
    assert second == 'sub/prog.py'


def test_module_and_package(tmp_path):
    package = tmp_path / 'pkg'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / '__main__.py').write_text(ABOUT + 'from . import other')
    (package / 'other.py').write_text('')
    (tmp_path / 'mod.py').write_text(ABOUT)
    done = runcu('run', '-m', 'mod', 'a', cwd=tmp_path)
    assert done.stdout == f"['{tmp_path}/mod.py', 'a'] '{tmp_path}' __main__ {tmp_path}/mod.py\n"
    done = runcu('run', '-m', 'pkg', cwd=tmp_path)
    assert f"['{package}/__main__.py']" in done.stdout
    assert (
        'no module named absent' in runcu('run', '-m', 'absent', cwd=tmp_path, check=False).stderr
    )


def test_command_and_standard_input(tmp_path):
    done = runcu('run', '-c', ABOUT, 'a', '-c', cwd=tmp_path)
    assert done.stdout == "['-c', 'a', '-c'] '' __main__ None\n"
    done = runcu('run', '-', 'b', cwd=tmp_path, input=ABOUT)
    assert done.stdout == "['-', 'b'] '' __main__ None\n"
    (tmp_path / 'reads.py').write_text('print(input())')
    assert runcu('run', 'reads.py', cwd=tmp_path, input='hello\n').stdout == 'hello\n'


def test_folder(tmp_path):
    (tmp_path / 'app').mkdir()
    (tmp_path / 'app' / '__main__.py').write_text('import part; print("ran")')
    (tmp_path / 'app' / 'part.py').write_text('')
    assert runcu('run', 'app', cwd=tmp_path).stdout == 'ran\n'


@pytest.mark.parametrize(
    ('program', 'status'),
    [('raise SystemExit(3)', 3), ('import sys; sys.exit("text")', 1), ('exit()', 0), ('1/0', 1)],
)
def test_exit_status(tmp_path, program, status):
    done = runcu('run', '-c', program, cwd=tmp_path, check=False)
    assert done.returncode == status
    plain = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stderr == plain.stderr


def test_tracebacks_are_the_programs_own(tmp_path):
    program = tmp_path / 'fails.py'
    program.write_text(
        textwrap.dedent(
            """
            import pycuda.driver
            def inner():
                try:
                    {}['key']
                except KeyError:
                    raise ValueError('mine')
            inner()
            """
        )
    )
    done = runcu('run', 'fails.py', cwd=tmp_path, check=False)
    plain = subprocess.run(
        [sys.executable, 'fails.py'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': f'{_shim(tmp_path)}:{os.environ.get("PYTHONPATH", "")}'},
    )
    assert done.returncode == plain.returncode == 1
    got = done.stderr.replace(f'{tmp_path}/fails.py', 'fails.py')
    assert got == plain.stderr.replace(f'{tmp_path}/fails.py', 'fails.py')
    program.write_text('x = = 1')
    done = runcu('run', 'fails.py', cwd=tmp_path, check=False)
    assert 'SyntaxError' in done.stderr and 'runcu' not in done.stderr.replace('fails.py', '')


def _shim(tmp_path):
    """A folder with a pycuda that is runcu, for the plain interpreter."""
    folder = tmp_path / 'shim' / 'pycuda'
    folder.mkdir(parents=True)
    (folder / '__init__.py').write_text('')
    (folder / 'driver.py').write_text('')
    return folder.parent


def test_interrupt_ends_as_under_python(tmp_path):
    import signal

    process = subprocess.Popen(
        [
            sys.executable,
            '-m',
            'runcu',
            'run',
            '-c',
            'import time; print(1, flush=True); time.sleep(30)',
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert 'KeyboardInterrupt' in said
    assert 'runcu/__main__' not in said


def test_device_option(tmp_path):
    program = 'import runcu; print(runcu.Device().driver)'
    done = runcu('run', '--device', 'cpu', '-c', program, cwd=tmp_path, RUNCU_DEVICE='')
    assert done.stdout == 'cpu\n' and done.stderr == ''
    assert runcu('run', '--device=cpu', '-c', program, cwd=tmp_path).stdout == 'cpu\n'


@pytest.mark.parametrize(
    'args',
    [
        (),
        ('nonsense',),
        ('run',),
        ('run', '--device'),
        ('run', '--device', 'tpu', 'x.py'),
        ('run', '--nonsense', 'x.py'),
        ('run', '-x'),
        ('run', '-c'),
        ('run', 'absent.py'),
    ],
)
def test_command_lines_that_make_no_sense(tmp_path, args):
    done = runcu(*args, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith('runcu: ')
    assert 'usage:' in done.stderr
    assert 'Traceback' not in done.stderr


def test_help_version_and_doctor(tmp_path):
    import runcu as package

    assert 'usage: runcu run' in runcu('--help', cwd=tmp_path).stdout
    assert runcu('--version', cwd=tmp_path).stdout == f'runcu {package.__version__}\n'
    said = runcu('doctor', cwd=tmp_path).stdout
    assert 'ok  cpu:0' in said and 'libnvrtc: 1' in said

"""runcu.characterize, kernels for a debugger, and the small modules that PyCUDA's install has."""

import importlib.util
import os
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from runcu import _cluda, _pvt_struct, characterize, driver
from runcu.compiler import CompileError, SourceModule


def test_the_platform_and_the_device(device):
    assert characterize.platform_bits() == 64
    assert characterize.has_stack() is True
    assert characterize.has_double_support() is True


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('char', 1),
        ('int', 4),
        ('long', 8),
        ('size_t', 8),
        ('float3', 12),
        ('double2', 16),
        ('void *', 8),
        ('pycuda::complex<float>', 8),
        ('pycuda::complex<double>', 16),
        ('unsigned long long', 8),
        ('int[7]', 28),
    ],
)
def test_sizes(device, name, size):
    assert characterize.sizeof(name) == size
    assert type(characterize.sizeof(name)) is int


def test_sizes_of_what_a_preamble_defines(device):
    preamble = """
    #include <cstdint>
    struct pair { char a; double b; };
    template <class T, int N> struct many { T items[N]; };
    """
    assert characterize.sizeof('pair', preamble) == 16
    assert characterize.sizeof('many<int16_t, 5>', preamble=preamble) == 10
    with pytest.raises(CompileError, match='pair'):
        characterize.sizeof('pair')
    with pytest.raises(TypeError):
        characterize.sizeof()


# --- debugging ---

KERNEL = '__global__ void k(int *out) { int x = 41; *out = x + 1; }'
RUN = f"""
import pycuda.driver as cuda, pycuda.autoinit, numpy as np, sys
from pycuda.compiler import SourceModule
out = np.zeros(1, np.int32)
SourceModule({KERNEL!r}).get_function('k')(cuda.Out(out), block=(1, 1, 1))
print(out[0], cuda.CUDA_DEBUGGING, sys.argv[1:], __name__)
"""


def command(*args, device, cwd):
    done = subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        env={**os.environ, 'RUNCU_DEVICE': device, 'TMPDIR': str(cwd)},
    )
    return done


@pytest.mark.parametrize('how', [['-m', 'runcu.debug'], ['-m', 'runcu', 'run', '--debug']])
def test_programs_for_a_debugger(tmp_path, device_name, how):
    (tmp_path / 'prog.py').write_text(RUN)
    done = command(*how, 'prog.py', '-x', 'y', device=device_name, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ''
    first, second = done.stdout.splitlines()
    assert second == "42 True ['-x', 'y'] __main__"
    folder = first.removeprefix('*** compiler output in ')
    assert os.path.dirname(folder) == str(tmp_path)
    kept = ' '.join(sorted(os.listdir(folder)))
    assert '.cu' in kept and '.ptx' in kept


def test_what_the_debug_command_refuses(tmp_path):
    done = command('-m', 'runcu.debug', device='cpu', cwd=tmp_path)
    assert done.returncode == 2 and 'usage:' in done.stderr
    done = command('-m', 'runcu.debug', 'absent.py', device='cpu', cwd=tmp_path)
    assert done.returncode == 2 and 'absent.py' in done.stderr
    done = command('-m', 'runcu', 'run', '--debug=1', 'x', device='cpu', cwd=tmp_path)
    assert done.returncode == 2 and '--debug' in done.stderr


def test_set_debugging(device, capsys):
    assert driver.CUDA_DEBUGGING is False
    driver.set_debugging()
    try:
        assert driver.CUDA_DEBUGGING is True
        SourceModule(KERNEL)
        folder = capsys.readouterr().out.strip().removeprefix('*** compiler output in ')
        assert os.path.isdir(folder)
        shutil.rmtree(folder)
    finally:
        driver.set_debugging(False)
    SourceModule(KERNEL)
    assert driver.CUDA_DEBUGGING is False and capsys.readouterr().out == ''


# --- _pvt_struct, _cluda, _mymako ---


@pytest.mark.parametrize(
    ('format', 'values'),
    [
        ('', ()),
        ('i', (5,)),
        ('bBhHiIlLqQnN', tuple(range(12))),
        ('ifd', (1, 2, 3.5)),
        ('?e', (True, 0.5)),
        ('3i', (1, 2, 3)),
        ('4s', (b'abcd',)),
        ('i2xh', (7, 8)),
        ('@ P', (1 << 40,)),
    ],
)
def test_packing_is_structs(format, values):
    assert _pvt_struct.pack(format, *values) == struct.pack(format, *values)
    assert _pvt_struct.calcsize(format) == struct.calcsize(format)


def test_packing_what_struct_does_not_know(device):
    assert _pvt_struct.pack('iF', 1, 2 + 3j) == struct.pack('@iff', 1, 2, 3)
    assert _pvt_struct.pack('iD', 1, np.complex128(2 + 3j)) == struct.pack('@idd', 1, 2, 3)
    assert (_pvt_struct.calcsize('iF'), _pvt_struct.calcsize('iD')) == (12, 24)
    memory = driver.mem_alloc(16)
    assert _pvt_struct.pack('P', memory) == struct.pack('P', int(memory))
    assert _pvt_struct.pack('P', -1) == b'\xff' * 8
    assert _pvt_struct.pack('8s', np.arange(2, dtype='i4')) == struct.pack('ii', 0, 1)


@pytest.mark.parametrize(
    ('format', 'values'),
    [('i', ()), ('i', (1, 2)), ('i', ('x',)), ('b', (300,)), ('i', (1.5,)), ('z', (1,)),
     ('F', ('x',)), ('P', (None,))],
)  # fmt: skip
def test_packing_what_does_not_fit(format, values):
    with pytest.raises(_pvt_struct.error):
        _pvt_struct.pack(format, *values)


def test_sizes_of_formats_that_make_no_sense():
    with pytest.raises(_pvt_struct.error):
        _pvt_struct.calcsize('z')


def test_cluda(device):
    module = SourceModule(
        _cluda.CLUDA_PREAMBLE
        + """
        WITHIN_KERNEL int twice(int x) { return 2 * x; }
        KERNEL REQD_WG_SIZE(64, 1, 1) void reverse(GLOBAL_MEM int *x)
        {
            LOCAL_MEM int all[64];
            all[LID_0] = twice(x[LID_0]);
            local_barrier();
            x[LID_0] = all[LDIM_0 - 1 - LID_0] + GID_0 + GDIM_0;
        }
        """,
        no_extern_c=True,
    )
    x = np.arange(64, dtype=np.int32)
    module.get_function('reverse')(driver.InOut(x), block=(64, 1, 1))
    np.testing.assert_array_equal(x, 2 * np.arange(64)[::-1] + 1)


def test_mako():
    if importlib.util.find_spec('mako') is None:
        with pytest.raises(ImportError, match='pip install mako'):
            importlib.import_module('runcu._mymako')
    else:
        from runcu._mymako import Template

        assert Template('${x}').render(x=3) == '3'

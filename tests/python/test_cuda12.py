"""CUDA 12's NVRTC, headers and CCCL, from the wheels of the extra cuda12.

RUNCU_TEST_CUDA12 names a folder with those wheels in it. Each test runs in a process of its own,
for a process has one NVRTC.
"""

import os
import pathlib
import subprocess
import sys

import pytest
import runcu

FOLDER = os.environ.get('RUNCU_TEST_CUDA12', '')
HERE = pathlib.Path(__file__).parent

pytestmark = pytest.mark.skipif(
    not os.path.isdir(os.path.join(FOLDER, 'nvidia', 'cuda_nvrtc')),
    reason='RUNCU_TEST_CUDA12 names no folder with the wheels of CUDA 12',
)


@pytest.fixture
def environment(tmp_path):
    """Of a process that finds these wheels, this runcu and no toolkit by its variables."""
    ours = os.path.dirname(os.path.dirname(runcu.__file__))
    gone = ('RUNCU_NVRTC', 'RUNCU_INCLUDE', 'CUDA_HOME', 'CUDA_PATH', 'CUDA_ROOT', 'CONDA_PREFIX')
    return {
        **{name: value for name, value in os.environ.items() if name not in gone},
        'PYTHONPATH': os.pathsep.join((FOLDER, ours)),
        'RUNCU_CACHE_DIR': str(tmp_path / 'cache'),
        'RUNCU_TEST_CUDA12': '',
    }


@pytest.fixture
def twelve(python, environment):
    """Runs a program with them."""
    return lambda source, **more: python(source, **{**environment, **more}).stdout


def test_it_is_cuda_12(twelve):
    out = twelve('from runcu import _core; print(*_core.nvrtc_version())')
    version, _, path = out.split(' ', 2)
    assert version == '12'
    assert path.startswith(FOLDER)


def test_devices_that_cuda_13_has_given_up(twelve):
    out = twelve(
        """
        import warnings
        from runcu.compiler import Program
        warnings.simplefilter('error')
        for arch in ('sm_52', 'sm_60', 'sm_70', 'sm_72', 'compute_70', 'sm_90'):
            p = Program('__global__ void k(int *x) { *x = 1; }', arch=arch, no_cache=True)
            print(arch, p.succeeded, p.cubin is not None, p.log == '')
        """
    )
    assert out.splitlines() == [
        f'{arch} True {arch[0] == "s"} True'
        for arch in ('sm_52', 'sm_60', 'sm_70', 'sm_72', 'compute_70', 'sm_90')
    ]


def test_they_compile_without_a_warning(twelve):
    twelve(
        """
        import warnings
        from runcu.compiler import SourceModule
        warnings.simplefilter('error')
        SourceModule('__global__ void k(int *x) { *x = 1; }', arch='compute_70')
        """
    )


@pytest.mark.parametrize('arch', ['sm_90', 'compute_70'])
def test_headers(twelve, arch):
    names = [
        ('cuda_runtime.h', 'stdint.h', 'limits.h', 'float.h'),
        ('cuda_fp16.h', 'cuda_bf16.h', 'cuComplex.h', 'math_constants.h'),
        ('cooperative_groups.h',),
        ('cooperative_groups/reduce.h',),
        ('cuda/std/type_traits', 'cuda/atomic'),
        ('cuda/std/complex', 'cmath', 'cstdint', 'cfloat', 'algorithm', 'climits'),
        ('cstdint', 'cub/block/block_reduce.cuh'),
        ('pycuda-complex.hpp', 'stdio.h', 'nv/target'),
    ]
    out = twelve(
        f"""
        from runcu.compiler import Program
        for names in {names!r}:
            text = ''.join(f'#include <{{n}}>\\n' for n in names)
            p = Program(text + '__global__ void k(int *x) {{ *x = 1; }}', arch={arch!r})
            print(names, p.succeeded, p.log)
        """
    )
    assert out.splitlines() == [f'{n} True ' for n in names]


def test_kernels_that_use_them(twelve):
    out = twelve(
        """
        import numpy as np, runcu
        from runcu.compiler import SourceModule
        mod = SourceModule('''
            #include <cooperative_groups.h>
            #include <cub/warp/warp_reduce.cuh>
            #include <cuda_fp16.h>
            __global__ void k(int *out, float *half) {
                __shared__ typename cub::WarpReduce<int>::TempStorage storage;
                int sum = cub::WarpReduce<int>(storage).Sum(threadIdx.x);
                auto block = cooperative_groups::this_thread_block();
                if (block.thread_rank() == 0) {
                    *out = sum;
                    *half = __half2float(__float2half(1.5f));
                }
            }''')
        out, half = np.zeros(1, np.int32), np.zeros(1, np.float32)
        mod.k(runcu.Out(out), runcu.Out(half), block=32)
        print(out[0], half[0])
        """
    )
    assert out == '496 1.5\n'


@pytest.mark.parametrize(
    'header, package',
    [
        ('curand_kernel.h', 'nvidia-curand-cu12'),
        ('mma.h', 'nvidia-cuda-nvcc-cu12'),
    ],
)
def test_what_is_missing_names_cuda_12s_package(twelve, header, package):
    out = twelve(
        f"""
        from runcu.compiler import CompileError, SourceModule
        try:
            SourceModule('#include <{header}>')
            print('compiled')
        except CompileError as e:
            print(e)
        """
    )
    assert out == 'compiled\n' or package in out


def test_headers_of_another_cuda_are_not_mixed_in(twelve, tmp_path):
    include = tmp_path / 'toolkit' / 'include'
    include.mkdir(parents=True)
    (include / 'cuda.h').write_text('#define CUDA_VERSION 13000\n')
    (include / 'only_there.h').write_text('#define ONLY_THERE 1\n')
    program = """
        from runcu.compiler import CompileError, SourceModule
        try:
            SourceModule('#include <only_there.h>\\n__global__ void k(int *x) { *x = ONLY_THERE; }')
            print('compiled')
        except CompileError as e:
            print(e)
        """
    out = twelve(program, CUDA_HOME=str(include.parent))
    assert f'Not in {include.parent}' in out
    (include / 'cuda.h').write_text('#define CUDA_VERSION 12040\n')
    assert twelve(program, CUDA_HOME=str(include.parent)) == 'compiled\n'


def test_a_mended_deprecation_leaves_other_warnings(twelve):
    out = twelve(
        """
        from runcu.compiler import Program
        p = Program('__global__ void k(int *x) { int unused; *x = 1; }', arch='sm_70')
        print(len(p.diagnostics), p.diagnostics[0].severity, 'Architectures' in p.log)
        """
    )
    assert out == '1 warning False\n'


SUITES = ['compiler', 'hard_sources', 'many', 'options', 'pycuda_compiling', 'templates']


@pytest.mark.parametrize('name', SUITES)
def test_what_holds_for_every_nvrtc(environment, name, tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', HERE / f'test_{name}.py'],
        capture_output=True,
        text=True,
        timeout=300,
        env={**environment, 'RUNCU_TEST_DEVICES': 'cpu'},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout

"""What kernels take: figures that follow from the source, and a GPU's own."""

import json
import os
import re
import subprocess
import sys

import pytest
from runcu import _core
from runcu import driver as drv
from runcu.compiler import CompileError, Program, SourceModule, explain

SOURCE = """
__constant__ float table[100];
struct wide { char bytes[40]; };
__device__ __noinline__ float far(float *own, int i) { return own[i % 7] * 2; }
__global__ void plain(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        x[i] = x[i] * 3 + table[i];
}
template <class T> __global__ void shares(T *x)
{
    __shared__ T all[256];
    all[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = all[255 - threadIdx.x];
}
__global__ void __launch_bounds__(128) keeps(float *x, wide w, int n)
{
    float own[100];
    for (int i = 0; i < n; i++) own[i % 100] = x[i];
    for (int i = 0; i < n; i++) x[i] = own[(i * 7) % 100] + w.bytes[39];
}
__global__ void calls(float *x, int n)
{
    float own[8];
    for (int i = 0; i < 8; i++) own[i] = x[i];
    x[n] = far(own, n);
}
__global__ void many(double *x, int n)
{
    double a[40];
#pragma unroll
    for (int i = 0; i < 40; i++) a[i] = x[i * n];
    for (int k = 0; k < n; k++)
#pragma unroll
        for (int i = 0; i < 40; i++) a[i] = a[i] * a[(i * 7 + 3) % 40] + x[k];
#pragma unroll
    for (int i = 0; i < 40; i++) x[i] = a[i];
}
"""
RECURSIVE = """
__device__ __noinline__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__global__ void f(int *x) { *x = fib(*x); }
__global__ void g(int *x) { *x += 1; }
"""
NAMES = ['shares<float>', 'shares<double>']
KERNELS = ['plain', *NAMES, 'keeps', 'calls', 'many']


@pytest.fixture(scope='module')
def explained():
    return explain(SOURCE, arch='sm_90', name_expressions=NAMES)


def test_kernels(explained):
    assert explained.arch == 'sm_90'
    assert sorted(k.name for k in explained.kernels) == sorted(KERNELS)
    assert explained['plain'].signature == 'plain(float *, int)'
    assert explained['plain(float *, int)'] is explained['plain']
    assert explained['_Z5plainPfi'] is explained['plain']
    with pytest.raises(KeyError, match=r"no kernel 'plan'; there are: .*plain\(float \*, int\)"):
        explained['plan']


def test_figures(explained):
    plain, keeps = explained['plain'], explained['keeps']
    assert 4 < plain.registers < 40
    assert (plain.local, plain.shared, plain.barriers, plain.parameters) == (0, 0, 0, 12)
    assert plain.constant == 400
    assert (plain.max_threads, plain.launch_bounds) == (1024, 0)
    assert explained['shares<float>'].shared == 1024
    assert explained['shares<double>'].shared == 2048
    assert explained['shares<float>'].barriers == 1
    assert (keeps.local, keeps.parameters) == (400, 52)
    assert (keeps.max_threads, keeps.launch_bounds) == (128, 128)
    assert explained['many'].registers >= 80
    assert explained['many'].spill_stores == explained['many'].spill_loads == 0


def test_functions(explained):
    (far,) = explained.functions
    assert far.signature == 'far(float*, int)' and far.local == 0
    text = str(explained)
    assert text.endswith('functions that were not inlined:\n\nfar(float*, int)\n  local       none')
    told = explain(RECURSIVE, arch='sm_90')
    assert told['f'].is_local_unknown and not told['g'].is_local_unknown
    assert told.functions[0].spill_stores > 0
    assert 'of a thread, and more: recursion' in told.text(['f'])
    assert 'functions that' not in told.text(['f'])
    assert re.search(r'fib\(int\)\n  spilled     \d+ bytes stored', told.text())


@pytest.mark.parametrize('arch', ['sm_75', 'sm_86', 'sm_90'])
def test_spills(arch):
    k = explain(SOURCE, arch=arch, options=['-maxrregcount=32'])['many']
    assert k.registers <= 32
    assert k.spill_stores > 100 and k.spill_loads > 100
    assert k.local >= 100


def test_ptx_beside_source(explained):
    lines = SOURCE.splitlines()
    for k in explained.kernels:
        assert any(row.text == 'ret;' for row in k.ptx)
        for row in k.ptx:
            assert row.file == 'kernel.cu'
            assert 0 < row.line <= len(lines)
    (store,) = (row for row in explained['plain'].ptx if row.text.startswith('st.global'))
    assert 'x[i] * 3' in lines[store.line - 1]
    assert any('bar' in r.text and '__syncthreads' in lines[r.line - 1]
               for r in explained['shares<float>'].ptx)


def test_occupancy(explained):
    many = explained['many']
    o = many.occupancy(256, registers=128)
    assert (o.threads, o.blocks, o.warps, o.max_warps) == (256, 2, 16, 64)
    assert o.limit == 'registers' and o.fraction == 0.25
    assert o.allowed == {'blocks': 32, 'warps': 8, 'registers': 2, 'shared': 228, 'barriers': None}
    assert many.occupancy(64, shared=100_000).limit == 'shared'
    assert many.occupancy(64, shared=300_000).blocks == 0
    with pytest.raises(drv.LogicError, match='1 to 1024 threads, not 2048'):
        many.occupancy(2048)
    with pytest.raises(ValueError, match='less than none'):
        many.occupancy(64, shared=-100_000)


def test_occupancy_of_anything():
    assert _core.occupancy('sm_90', 256, 32)['blocks'] == 8
    assert _core.occupancy(arch='sm_86', threads=256, registers=40)['max_warps'] == 48
    with pytest.raises(drv.Error, match='"sm_999" holds is not known: sm_50 to'):
        _core.occupancy('sm_999', 32)
    with pytest.raises(TypeError):
        _core.occupancy('sm_90')
    with pytest.raises(TypeError):
        _core.occupancy(90, 32)


def test_a_device_says_the_same(device):
    """A GPU's own attributes, and its driver's occupancy; the CPU device has its own registers."""
    if device.driver == 'cpu':
        pytest.skip('kernels of the CPU device have no registers')
    arch = 'sm_{}{}'.format(*device.compute_capability())
    told = explain(SOURCE, arch=arch, name_expressions=NAMES)
    mod = SourceModule(SOURCE, options=['-lineinfo'], arch=arch, name_expressions=NAMES)
    for name in KERNELS:
        f, k = mod.get_function(name), told[name]
        assert k.registers == f.num_regs, name
        assert k.local == f.local_size_bytes, name
        assert k.shared == f.shared_size_bytes, name
        assert k.constant == f.const_size_bytes, name
        assert k.max_threads == f.max_threads_per_block, name
        for threads in (32, 64, 96, 128, 256, 512, 768, 1024):
            if threads > k.max_threads:
                continue
            for shared in (0, 1000, 20_000, 40_000):
                got = k.occupancy(threads, shared).blocks
                assert got == f.max_active_blocks(threads, shared), (name, threads, shared)


def test_the_device_is_the_default(device):
    arch = 'sm_{}{}'.format(*device.compute_capability())
    assert explain('__global__ void f() {}').arch == arch


# --- text ---


def test_text(explained):
    text = str(explained)
    assert text.startswith('kernel.cu for sm_90: 6 kernels\n')
    assert max(map(len, text.splitlines())) <= 100
    assert 'shares<float>(float *)\n  registers   ' in text
    assert '  shared      1,024 bytes of a block, 1 barrier\n' in text
    assert '  block       at most 128 threads, by __launch_bounds__\n' in text
    assert re.search(r'^ +9 +x\[i\] = x\[i\] \* 3 \+ table\[i\]; +\| \w+\.', text, re.M)
    assert 'spilled' not in text
    assert repr(explained) == '<Explanation of kernel.cu for sm_90: 6 kernels>'


def test_text_of_some(explained):
    text = explained.text(['many'], blocks=[192], shared=5000, ptx=False)
    assert 'plain' not in text and '|' not in text
    assert 'and 5,000 bytes of dynamic shared memory' in text
    rows = [line for line in text.splitlines() if re.match(r' +192 ', line)]
    assert len(rows) == 1
    assert re.search(r'registers: \d+ of a thread; \d+% with \d+ or fewer$', rows[0])


def test_what_would_help_does_help(explained):
    many = explained['many']
    text = explained.text(['many'], blocks=[192], ptx=False)
    better = int(re.search(r'% with (\d+) or fewer', text).group(1))
    now = many.occupancy(192).blocks
    assert many.occupancy(192, registers=better).blocks > now
    assert many.occupancy(192, registers=better + 1).blocks == now


def test_spilled_text():
    text = explain(SOURCE, arch='sm_90', options=['-maxrregcount=32']).text(['many'], ptx=False)
    assert re.search(r'spilled     [\d,]+ bytes stored and [\d,]+ loaded by a thread', text)


def test_as_plain_data(explained):
    data = json.loads(json.dumps(explained.to_dict(blocks=[64, 1024])))
    assert data['arch'] == 'sm_90' and data['source'] == 'kernel.cu'
    (keeps,) = (k for k in data['kernels'] if k['name'] == 'keeps')
    assert [o['threads'] for o in keeps['occupancy']] == [64]
    assert keeps['local'] == 400
    assert set(keeps['ptx'][0]) == {'text', 'file', 'line'}


def test_headers_have_their_names(tmp_path):
    (tmp_path / 'h.h').write_text('__device__ inline float twice(float x)\n{ return x * 2; }\n')
    source = '#include "h.h"\n__global__ void f(float *x)\n{ *x = twice(*x); }\n'
    (tmp_path / 'sub').mkdir()
    told = explain(source, arch='sm_80', name=f'{tmp_path}/./sub/../k.cu')
    text = told.text()
    assert re.search(r'h\.h:2 \{ return x \* 2; \} +\| ', text)
    assert re.search(r' 3 \{ \*x = twice\(\*x\); \} +\| ', text)


# --- what is refused ---


def test_refused():
    with pytest.raises(CompileError, match='oops'):
        explain('__global__ void f() { oops; }', arch='sm_80')
    with pytest.raises(drv.Error, match='not compute_80'):
        explain(SOURCE, arch='compute_80')
    with pytest.raises(drv.LogicError, match='banana'):
        explain(SOURCE, arch='banana')
    with pytest.raises(drv.Error, match='-Xptxas=-v'):
        _core.explain_program(Program(SOURCE, arch='sm_80', no_device=True))
    with pytest.raises(TypeError, match='a Program is expected'):
        _core.explain_program(SOURCE)
    with pytest.raises(TypeError):
        explain(None, arch='sm_80')
    assert explain('int x;', arch='sm_80').kernels == ()


# --- runcu explain ---


@pytest.fixture
def command(python, tmp_path):
    (tmp_path / 'kernel.cu').write_text(SOURCE)

    def run(*args, **kwargs):
        return python(
            'import sys, runcu.__main__ as m; sys.exit(m.main(["explain", *sys.argv[1:]]))',
            *args, **kwargs)

    return run


def test_command(command):
    text = command('kernel.cu', '--arch', 'sm_86', '--name', 'shares<float>').stdout
    assert text.startswith('./kernel.cu for sm_86: 5 kernels\n')
    assert 'x[i] = x[i] * 3 + table[i];' in text
    assert max(map(len, text.splitlines())) <= 100


def test_command_with_options(command):
    done = command('kernel.cu', '--arch', 'sm_90', '--kernel', 'many', '--block', '64', '--block',
                   '128', '--no-ptx', '--shared', '1000', '--maxrregcount=32')
    assert 'spilled' in done.stdout and 'plain' not in done.stdout and ' | ' not in done.stdout
    assert re.search(r'^ +64 .*\n +128 ', done.stdout, re.M)


def test_command_for_programs(command):
    data = json.loads(command('kernel.cu', '--arch', 'sm_90', '--json').stdout)
    assert {k['name'] for k in data['kernels']} == {'plain', 'keeps', 'calls', 'many'}
    assert {k['name']: len(k['occupancy']) for k in data['kernels']}['keeps'] == 3


def test_command_without_arch(command):
    done = command('kernel.cu', '--no-ptx', RUNCU_CPU_ARCH='80')
    assert done.stdout.startswith('./kernel.cu for sm_80: ')


@pytest.mark.parametrize(
    ('args', 'status', 'said'),
    [
        ((), 2, 'source'),
        (('none.cu', '--arch', 'sm_80'), 1, 'none.cu'),
        (('kernel.cu', '--arch', 'sm_80', '--kernel', 'plan'), 2, "no kernel 'plan'"),
        (('kernel.cu', '--arch', 'sm_80', '--block', 'x'), 2, '--block'),
        (('kernel.cu', '--arch', 'sm_80', '--block', '0'), 1, '1 to 1024 threads'),
        (('kernel.cu', '--arch', 'sm_1'), 1, 'sm_1'),
        (('kernel.cu', '--arch', 'compute_80'), 1, 'not compute_80'),
        (('kernel.cu', '--arch', 'sm_80', '-Dtable=]'), 1, './kernel.cu:2'),
    ],
)
def test_command_refuses(command, args, status, said):
    done = command(*args, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr and 'Traceback' not in done.stderr


def test_command_in_a_pipe_that_ends(tmp_path):
    (tmp_path / 'kernel.cu').write_text(SOURCE)
    code = 'import sys, runcu.__main__ as m; sys.exit(m.main(sys.argv[1:]))'
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, '-c', code, 'explain', str(tmp_path / 'kernel.cu'), '--arch', 'sm_80'],
        stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 1 and done.stderr == ''

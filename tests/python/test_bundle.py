"""Bundles: several architectures in one file, from Python and from the command line."""

import os

import c_programs
import numpy as np
import pytest
import runcu
from runcu import _core
from runcu import driver as drv
from runcu.compiler import Bundle, CompileError, Program, compile_bundle

SOURCE = """
namespace ns { __constant__ int offset = 5; }
template <class T> __global__ void add(T *x, T y) { x[threadIdx.x] += y + ns::offset; }
__global__ void twice(int *x) { x[threadIdx.x] *= 2; }
"""
ARCHS = ['compute_75', 'sm_80', 'sm_90']


@pytest.fixture(scope='module')
def bundle():
    return compile_bundle(SOURCE, ARCHS, name_expressions=['add<int>', 'add<float>'])


def run(mod):
    x = np.arange(4, dtype=np.int32)
    mod.get_function('twice')(drv.InOut(x), block=(4, 1, 1))
    mod.get_function('add<int>')(drv.InOut(x), np.int32(10), block=(4, 1, 1))
    assert x.tolist() == [15, 17, 19, 21]
    f = np.ones(2, np.float32)
    mod.get_function('add<float>')(drv.InOut(f), 1.5, block=(2, 1, 1))
    assert f.tolist() == [7.5, 7.5]


def test_parts_tell_what_is_inside(bundle):
    assert [p['arch'] for p in bundle.parts] == ARCHS
    assert [p['cubin'] is not None for p in bundle.parts] == [False, True, True]
    for part in bundle.parts:
        assert f'.target sm_{part["arch"][-2:]}'.encode() in part['ptx']
        assert {k[2] for k in part['kernels']} == {
            'add<int>(int *, int)', 'add<float>(float *, float)', 'twice(int *)'}
        assert ('twice', '_Z5twicePi', 'twice(int *)') in part['kernels']
        assert set(part['names']) == {'add<int>', 'add<float>'}
        assert part['names']['add<int>'].startswith('_Z3addIi')
        assert not any('/' in option for option in part['options'])
    assert bundle.source_name == 'kernel.cu'
    assert bundle.maker == runcu.__version__


def test_it_runs_on_the_device(device, bundle):
    run(bundle.load())


def test_a_file_of_it_is_a_module(device, bundle, tmp_path):
    path = tmp_path / 'kernel.bundle'
    bundle.write(path)
    run(drv.module_from_file(path))
    run(drv.module_from_file(str(path)))
    run(drv.module_from_buffer(path.read_bytes()))
    run(drv.module_from_buffer(bytes(bundle), options=[(drv.jit_option.MAX_REGISTERS, 32)]))
    again = Bundle.from_file(path)
    assert bytes(again) == bytes(bundle) == path.read_bytes()
    assert bytes(Bundle.from_bytes(bytearray(path.read_bytes()))) == bytes(bundle)
    run(again.load())


def test_a_missing_name_is_told(device, bundle):
    mod = bundle.load()
    with pytest.raises(drv.LogicError, match='(?s)add<double>.*add<float>.*runcu compile --name'):
        mod.get_function('add<double>')
    with pytest.raises(drv.LogicError, match='twice'):
        mod.get_function('thrice')


def test_a_module_outlives_its_bundle(device):
    bundle = compile_bundle(SOURCE, ['compute_75'], name_expressions=['add<int>', 'add<float>'])
    mod = bundle.load()
    del bundle
    run(mod)


def test_without_anything_that_fits(device):
    capability = drv.Context.get_device().compute_capability()
    if capability >= (12, 0):
        pytest.skip('the device runs the newest there is')
    bundle = compile_bundle(SOURCE, ['compute_120', 'sm_121'])
    with pytest.raises(drv.Error, match=r'compute_120, sm_121') as e:
        bundle.load()
    assert e.value.code == 209
    assert 'sm_{}{}'.format(*capability) in str(e.value)


def test_bytes_are_always_the_same(bundle):
    again = compile_bundle(
        SOURCE, ARCHS, name_expressions=['add<int>', 'add<float>'], cache_dir=False)
    assert bytes(again) == bytes(bundle)


def test_a_cubin_is_made_where_the_cpu_device_is_current():
    with runcu.device('cpu'):
        part = compile_bundle(SOURCE, ['sm_80']).parts[0]
    assert part['arch'] == 'sm_80' and part['cubin'][:4] == b'\x7fELF'


def test_it_loads_where_there_is_no_nvrtc(device_name, python, bundle, tmp_path):
    bundle.write(tmp_path / 'k.bundle')
    python(
        """
        import sys
        import numpy as np
        import runcu.driver as drv
        from runcu import _core
        mod = drv.module_from_file(sys.argv[1])
        x = np.arange(4, dtype=np.int32)
        mod.get_function('add<int>')(drv.InOut(x), 1, block=(4, 1, 1))
        assert x.tolist() == [6, 7, 8, 9]
        assert not _core.nvrtc_is_loaded()
        try:
            from runcu.compiler import SourceModule
            SourceModule('__global__ void f() {}', cache_dir=False)
        except drv.Error as e:
            assert 'NVRTC' in str(e)
        else:
            raise AssertionError('NVRTC was found')
        """,
        str(tmp_path / 'k.bundle'),
        device=device_name,
        RUNCU_NVRTC='/nonexistent',
    )


# --- what is refused ---


@pytest.mark.parametrize('cut', [8, 31, 32, 100, -1])
def test_what_is_cut_off(device, bundle, cut):
    with pytest.raises(drv.LogicError, match='damaged.*cut off'):
        drv.module_from_buffer(bytes(bundle)[:cut])
    with pytest.raises(drv.LogicError, match='damaged.*cut off'):
        Bundle.from_bytes(bytes(bundle)[:cut])


def test_what_is_altered(bundle):
    data = bytearray(bytes(bundle))
    for at in range(32, len(data), len(data) // 50):
        data[at] ^= 0x10
        with pytest.raises(drv.LogicError, match='damaged.*checksum'):
            Bundle.from_bytes(data)
        data[at] ^= 0x10
    with pytest.raises(drv.LogicError, match='goes on after its end'):
        Bundle.from_bytes(data + b'x')


def test_a_newer_format(bundle, tmp_path):
    data = bytearray(bytes(bundle))
    data[8] = 9
    (tmp_path / 'new.bundle').write_bytes(data)
    with pytest.raises(drv.LogicError, match=r'new.bundle is of format 9.*newer runcu'):
        Bundle.from_file(tmp_path / 'new.bundle')


def test_no_bundle_at_all(tmp_path):
    with pytest.raises(drv.LogicError, match='no bundle'):
        Bundle.from_bytes(b'#!/bin/sh')
    with pytest.raises(TypeError, match='from_file'):
        Bundle.from_bytes('kernel.bundle')
    with pytest.raises(TypeError):
        Bundle.from_bytes(None)
    with pytest.raises(drv.RuntimeError, match='none cannot be read'):
        Bundle.from_file(tmp_path / 'none')
    with pytest.raises(drv.RuntimeError, match='cannot be read'):
        Bundle.from_file(tmp_path)
    with pytest.raises(TypeError):
        Bundle.from_file(3.5)


def test_wrong_calls(bundle, tmp_path):
    program = Program(SOURCE, arch='sm_80', no_device=True)
    with pytest.raises(TypeError, match='Programs, not of str'):
        Bundle('ab')
    with pytest.raises(TypeError):
        Bundle(program)
    with pytest.raises(TypeError):
        Bundle()
    with pytest.raises(drv.LogicError, match='not 0'):
        Bundle([])
    with pytest.raises(drv.LogicError, match='two programs are for sm_80'):
        Bundle([program, program])
    with pytest.raises(drv.LogicError, match='neither cubin nor PTX'):
        Bundle([Program('oops', arch='sm_80')])
    with pytest.raises(TypeError, match='list of str, not a str'):
        compile_bundle(SOURCE, 'sm_80')
    with pytest.raises(drv.LogicError, match='not 0'):
        compile_bundle(SOURCE, [])
    with pytest.raises(drv.LogicError, match='sm_banana'):
        compile_bundle(SOURCE, ['sm_80', 'sm_banana'])
    with pytest.raises(CompileError, match='oops'):
        compile_bundle('__global__ void f() { oops; }', ARCHS)
    with pytest.raises(drv.LogicError, match='which architecture'):
        Program(SOURCE, no_device=True)
    with pytest.raises(drv.RuntimeError, match='cannot be written'):
        bundle.write(tmp_path / 'no' / 'where')
    with pytest.raises(drv.LogicError, match='no name for a variable'):
        bundle.write_header(tmp_path / 'k.h', 'a-b')
    assert os.listdir(tmp_path) == []


def test_as_c_text(bundle, tmp_path):
    bundle.write_header(tmp_path / 'k.h', 'kernels')
    text = (tmp_path / 'k.h').read_text()
    assert 'static const unsigned char kernels[] = {' in text
    numbers = text.partition('{')[2].partition('}')[0].split(',')[:-1]
    assert bytes(map(int, numbers)) == bytes(bundle)


PROGRAM = r"""
#include <runcu/runcu.h>
#include <stdio.h>
#include "kernels.h"
int main(void)
{
    runcu_module *module = NULL;
    runcu_function *twice = NULL;
    int x[2] = {20, 21};
    int failed = runcu_module_load(&module, my_kernels, sizeof my_kernels) ||
                 runcu_module_get_function(&twice, module, "twice") ||
                 runcu_launch(twice, RUNCU_THREADS(2), runcu_inout(x, sizeof x));
    printf("%s%d %d %d\n", failed ? runcu_error_text() : "", x[0], x[1], runcu_nvrtc_is_loaded());
    runcu_function_release(&twice);
    runcu_module_release(&module);
    return failed != 0;
}
"""


def test_c_program_of_a_single_file(device_name, bundle, tmp_path):
    """The library linked in, the kernels in an array, and no NVRTC to be found."""
    prefix = c_programs.install()
    bundle.write_header(tmp_path / 'kernels.h', 'my_kernels')
    (tmp_path / 'main.c').write_text(PROGRAM)
    said = c_programs.build_and_run(
        prefix, tmp_path / 'main.c', options=['--static'], device=device_name)
    assert said == '40 42 0\n'
    env = c_programs.outside(RUNCU_DEVICE=device_name, RUNCU_NVRTC='/nonexistent')
    assert c_programs.run(tmp_path / 'main.program', env=env, cwd=tmp_path) == '40 42 0\n'


def test_bundles_come_from_one_type_alone():
    assert Bundle is _core.Bundle


# --- runcu compile ---


@pytest.fixture
def command(python, tmp_path):
    """runcu compile ARGS in tmp_path, where SOURCE is kernel.cu."""
    (tmp_path / 'kernel.cu').write_text(SOURCE)

    def run(*args, **kwargs):
        return python(
            'import sys, runcu.__main__ as m; sys.exit(m.main(["compile", *sys.argv[1:]]))',
            *args, **kwargs)

    return run


def test_command(device, command, tmp_path):
    done = command('kernel.cu', '--arch', 'compute_75', '--arch=sm_90', '-o', 'k.bundle',
                   '--name', 'add<int>', '--name=add<float>')
    assert done.stdout == 'k.bundle: compute_75, sm_90\n'
    assert done.stderr == ''
    run(drv.module_from_file(tmp_path / 'k.bundle'))
    assert Bundle.from_file(tmp_path / 'k.bundle').source_name == 'kernel.cu'


def test_command_with_defaults(command, tmp_path):
    command('./kernel.cu', '--arch', 'compute_75')
    assert [p['arch'] for p in Bundle.from_file(tmp_path / 'kernel.bundle').parts] == ['compute_75']


def test_command_is_deterministic(command, tmp_path):
    for name in 'ab':
        command('kernel.cu', '--arch', 'compute_75', '--arch', 'sm_90', '-o', name,
                RUNCU_NO_CACHE='1')
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_command_gives_options_to_the_compiler(command, tmp_path):
    (tmp_path / 'own').mkdir()
    (tmp_path / 'own' / 'n.h').write_text('#define N 3\n')
    (tmp_path / 'beside.h').write_text('#define M 4\n')
    (tmp_path / 'o.cu').write_text(
        '#include "beside.h"\n#include <n.h>\n__global__ void f(float *x) { *x /= K + N + M; }\n')
    command('o.cu', '--arch', 'compute_75', '-DK=2', '-I', 'own', '--use_fast_math')
    part = Bundle.from_file(tmp_path / 'o.bundle').parts[0]
    assert b'div.approx' in part['ptx']
    assert '-DK=2' in part['options'] or '--define-macro=K=2' in part['options']
    assert not any('own' in o or str(tmp_path) in o for o in part['options'])


def test_command_lists(command, tmp_path):
    command('kernel.cu', '--arch', 'compute_75', '--arch', 'sm_90', '--name', 'add<int>')
    text = command('--list', 'kernel.bundle').stdout
    assert text.startswith(f'kernel.bundle: kernel.cu, by runcu {runcu.__version__}, ')
    assert '  compute_75  PTX ' in text and '  sm_90       cubin ' in text
    assert 'twice(int *)\n      _Z5twicePi\n' in text
    assert 'add<int>\n      _Z3addIi' in text
    assert text.count('twice(int *)') == 1
    assert max(map(len, text.splitlines())) <= 100


def test_command_writes_c_text(command, tmp_path):
    command('kernel.cu', '--arch', 'compute_75', '--header', 'my_kernels')
    text = (tmp_path / 'kernel.h').read_text()
    assert 'static const unsigned char my_kernels[] = {' in text


@pytest.mark.parametrize(
    ('args', 'status', 'said'),
    [
        ((), 2, 'source'),
        (('kernel.cu',), 2, 'which architectures?'),
        (('kernel.cu', 'other.cu', '--arch', 'sm_80'), 2, 'other.cu: one source'),
        (('kernel.cu', '--list'), 2, '--list stands first'),
        (('--list',), 2, '--list needs a bundle'),
        (('none.cu', '--arch', 'sm_80'), 1, 'none.cu'),
        (('--list', 'none.bundle'), 1, 'none.bundle cannot be read'),
        (('--list', 'kernel.cu'), 1, 'kernel.cu is no bundle'),
        (('kernel.cu', '--arch', 'sm_1'), 1, 'sm_1'),
        (('kernel.cu', '--arch', 'compute_75', '--no-such-thing'), 1, '--no-such-thing'),
        (('kernel.cu', '--arch', 'compute_75', '-DSOURCE', '-Dtwice=]'), 1, './kernel.cu:4'),
        (('kernel.cu', '--arch', 'compute_75', '--name', 'add<oops>'), 1, 'oops'),
        (('kernel.cu', '--arch', 'compute_75', '-o', 'no/where'), 1, 'no/where cannot be written'),
        (('kernel.cu', '--arch', 'compute_75', '--header', '7'), 1, '"7" is no name'),
    ],
)
def test_command_refuses(command, tmp_path, args, status, said):
    done = command(*args, check=False)
    assert done.returncode == status
    assert said in done.stderr
    assert 'Traceback' not in done.stderr
    assert not list(tmp_path.glob('*.bundle'))


def test_command_shows_warnings(command, tmp_path):
    (tmp_path / 'w.cu').write_text('__global__ void f(int *x) { int unused_one; *x = 1; }\n')
    done = command('w.cu', '--arch', 'compute_75', '--arch', 'sm_80', RUNCU_NO_CACHE='1')
    assert done.stderr.count('unused_one') >= 1
    assert 'UserWarning' not in done.stderr and '.py' not in done.stderr


def test_command_takes_standard_input(tmp_path):
    import subprocess
    import sys

    code = 'import sys; from runcu.__main__ import main; sys.exit(main(sys.argv[1:]))'
    subprocess.run(
        [sys.executable, '-c', code, 'compile', '-', '--arch', 'compute_75'],
        input=SOURCE.encode() + b'// caf\xe9\n', cwd=tmp_path, check=True)
    part = Bundle.from_file(tmp_path / 'kernel.bundle').parts[0]
    assert [k[0] for k in part['kernels']] == ['twice']

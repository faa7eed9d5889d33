"""Bundles: several architectures in one file, from Python and from the command line."""

import os

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
    with pytest.raises(drv.LogicError, match='add<double>.*\n?.*add<float>'):
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


def test_bundles_come_from_one_type_alone():
    assert Bundle is _core.Bundle

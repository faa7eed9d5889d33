"""`runcu doctor`: what is found, what is said of what is missing, and the exit status."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from runcu import _core

BUILD = os.environ.get('RUNCU_BUILD', '')
FAKE = pathlib.Path(BUILD) / 'tests' / 'c' / 'libfake-driver.so'


def doctor(*args, check=None, **env):
    done = subprocess.run(
        [sys.executable, '-m', 'runcu', 'doctor', *args],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'RUNCU_DEVICE': '', **env},
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def findings(*args, check=None, **env):
    told = json.loads(doctor('--json', *args, check=check, **env).stdout)
    assert told['well'] == (check == 0)
    return told, {(f['area'], f['item']): f for f in told['findings']}


def test_all_is_well():
    told, found = findings(check=0, RUNCU_DEVICE='cpu')
    assert told['verdict'] == 'Kernels compile, and run on the device "cpu".'
    assert told['python']['executable'] == sys.executable
    assert found['trial', 'cpu:0']['state'] == 'good'
    assert 'libnvrtc.so' in found['NVRTC', 'libnvrtc']['text']
    assert found['environment', 'RUNCU_DEVICE']['text'] == 'cpu'
    assert {f['state'] for f in told['findings']} <= {'good', 'note', 'warning'}


def test_text():
    said = doctor(check=0, RUNCU_DEVICE='cpu').stdout
    assert said.startswith('runcu ')
    assert '\n  ok  cpu:0: a kernel was compiled and ran, and its results are right\n' in said
    assert said.endswith('\nKernels compile, and run on the device "cpu".\n')
    assert '\033' not in said
    colored = doctor('--color', 'always', '--no-trial', check=0, RUNCU_DEVICE='cpu').stdout
    assert '\033[1;32mok\033[0m' in colored and 'results are right' not in colored
    assert doctor('--html', '--no-trial', check=0, RUNCU_DEVICE='cpu').stdout.startswith('<pre')


def test_without_a_compiler():
    told, found = findings(check=1, RUNCU_DEVICE='cpu', RUNCU_NVRTC='/nowhere')
    assert told['verdict'].startswith('Kernels cannot be compiled: RUNCU_NVRTC=/nowhere')
    assert 'pip install nvidia-cuda-nvrtc' in found['NVRTC', 'libnvrtc']['advice']


def test_a_broken_driver(tmp_path):
    (tmp_path / 'libcuda.so.1').write_text('nonsense')
    told, found = findings(check=0, LD_LIBRARY_PATH=str(tmp_path))
    cuda = found['driver', 'cuda']
    assert f'{tmp_path}/libcuda.so.1: file too short' in cuda['text']
    assert 'The library is there and cannot be used' in cuda['detail']
    assert f'LD_LIBRARY_PATH: {tmp_path}: libcuda.so.1' in cuda['detail']
    assert told['verdict'].startswith('Kernels compile, and run on the CPU device; no GPU is used:')
    told, _ = findings(check=1, LD_LIBRARY_PATH=str(tmp_path), RUNCU_DEVICE='cuda')
    assert told['verdict'] == 'There is no device: RUNCU_DEVICE asks for cuda.'


@pytest.mark.skipif(not FAKE.exists(), reason='the C tests are not built')
@pytest.mark.parametrize(
    'env, words, advice',
    [
        ({'FAKE_VERSION': '11080'}, 'the driver is of CUDA 11.8', 'Install a newer driver'),
        ({'FAKE_CUINIT': '803'}, 'unsupported display driver', 'restart the machine'),
        ({'FAKE_CUINIT': '100', 'CUDA_VISIBLE_DEVICES': '7'}, 'no CUDA-capable', '=7 decides'),
        ({'FAKE_CUINIT': '34'}, 'stub', 'only for linking'),
        ({'FAKE_DEVICES': '0', 'CUDA_VISIBLE_DEVICES': ''}, 'has no device', 'unset it'),
    ],
    ids=['old', 'mismatch', 'hidden', 'stub', 'none'],
)
def test_drivers_that_do_not_work(tmp_path, env, words, advice):
    shutil.copy(FAKE, tmp_path / 'libcuda.so.1')
    told, found = findings(check=0, LD_LIBRARY_PATH=str(tmp_path), **env)
    cuda = found['driver', 'cuda']
    assert words in cuda['text'] and cuda['state'] in ('note', 'warning')
    assert advice in cuda['detail'] + cuda['advice']
    assert 'no GPU is used' in told['verdict'] and words in told['verdict']
    assert found['trial', 'cpu:0']['state'] == 'good'


def test_misspelt_variables():
    _, found = findings('--no-trial', check=0, RUNCU_DEVICE='cpu', RUNCU_CACHE_DRI='x')
    assert found['environment', 'RUNCU_CACHE_DRI']['advice'] == 'did you mean RUNCU_CACHE_DIR?'


def test_bad_arguments():
    assert doctor('--nonsense').returncode == 2
    assert doctor('--help', check=0).stdout.startswith('usage: runcu doctor')
    with pytest.raises(ValueError, match='sarif'):
        _core.diagnose('sarif')
    with pytest.raises(TypeError):
        _core.diagnose()

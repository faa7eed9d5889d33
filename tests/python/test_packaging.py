"""What is handed out works away from the tree: sdist and wheel. (test_c_users.py: the library.)"""

import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import sys
import tarfile
import venv
import zipfile

import pytest
import runcu
from c_programs import ROOT, outside, run

pytestmark = pytest.mark.slow

KERNEL = """
import numpy as np, pathlib, runcu
from runcu import driver, compiler
import runcu.autoinit
mod = compiler.SourceModule('__global__ void twice(float *x) { x[threadIdx.x] *= 2; }')
x = np.arange(32, dtype=np.float32)
mod.get_function('twice')(driver.InOut(x), block=(32, 1, 1), grid=(1, 1))
assert (x == 2 * np.arange(32)).all(), x
print(pathlib.Path(runcu.__file__).parent)
"""


@pytest.fixture(scope='module')
def archives(tmp_path_factory):
    """(sdist, wheel), the wheel built from the sdist and so from nothing else."""
    for module in ('build', 'mesonpy', 'ninja'):
        if not importlib.util.find_spec(module):
            pytest.skip(f'{module} is not installed')
    if not shutil.which('git') or not (ROOT / '.git').exists():
        pytest.skip('an sdist is made from a git checkout')
    out = tmp_path_factory.mktemp('dist')
    copy = tmp_path_factory.mktemp('tree') / 'runcu'
    run('git', 'clone', '-q', ROOT, copy, env=outside(GIT_CONFIG_COUNT='1',
        GIT_CONFIG_KEY_0='safe.directory', GIT_CONFIG_VALUE_0='*'))
    scripts = pathlib.Path(sys.executable).parent
    # Less optimisation than for users: it is the packaging that is tested.
    run(sys.executable, '-m', 'build', '--no-isolation', '--skip-dependency-check', '-o', out,
        '-Csetup-args=-Doptimization=1', copy,
        env=outside(PATH=f'{scripts}{os.pathsep}{os.environ["PATH"]}'))
    return next(out.glob('*.tar.gz')), next(out.glob('*.whl'))


def lend(distribution, site):
    """Makes an installed distribution part of another environment, without network or copying."""
    found = importlib.metadata.distribution(distribution)
    for top in {path.parts[0] for path in found.files} - {'..', '__pycache__'}:
        if not (site / top).exists():
            (site / top).symlink_to(found.locate_file(top))


@pytest.fixture(scope='module')
def environment(archives, tmp_path_factory):
    """The Python of an empty environment outside the tree, the wheel installed in it."""
    folder = tmp_path_factory.mktemp('empty')
    venv.create(folder, with_pip=True)
    python = folder / 'bin' / 'python'
    site = pathlib.Path(run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))',
                            env=outside()).strip())
    lend('numpy', site)
    lend('nvidia-cuda-nvrtc', site)
    run(python, '-m', 'pip', 'install', '-q', '--no-index', f'{archives[1]}[cuda13]',
        env=outside(), cwd=folder)
    return python


def test_sdist_holds_the_project(archives):
    with tarfile.open(archives[0]) as sdist:
        names = {name.split('/', 1)[1] for name in sdist.getnames() if '/' in name}
    needed = {'README.md', 'LICENSE', 'pyproject.toml', 'meson.build', 'meson.options',
              'include/runcu/runcu.h', 'src/meson.build', 'src/merge.py', 'tests/run.sh',
              'examples/run.sh', 'PKG-INFO'}
    assert not needed - names
    assert not [name for name in names if name.startswith('build/') or name.endswith('.so')]


def test_wheel_holds_what_programs_need(archives):
    with zipfile.ZipFile(archives[1]) as wheel:
        names = set(wheel.namelist())
        entry = next(name for name in names if name.endswith('entry_points.txt'))
        assert 'runcu = runcu.__main__:main' in wheel.read(entry).decode()
    files = {name.split('/', 1)[1] for name in names if name.startswith('runcu/')}
    assert not {'__init__.py', '_core.pyi', 'py.typed', 'driver.py', 'compiler.py', 'autoinit.py',
                '__main__.py'} - files
    assert [name for name in files if name.startswith('_core.') and name.endswith('.so')]
    for folder in ('kernels', 'include'):
        there = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob('*')
                 if path.is_file() and '__pycache__' not in path.parts}
        assert there - {'kernels/meson.build', 'kernels/embed.py'} <= files
    assert not [name for name in names if name.endswith(('.a', '.c', '.o'))
                or name.startswith(('tests/', 'src/'))]


def test_wheel_runs_a_kernel(environment, tmp_path):
    place = run(environment, '-c', KERNEL, cwd=tmp_path,
                env=outside(RUNCU_DEVICE='cpu', RUNCU_CACHE_DIR=str(tmp_path / 'cache'))).strip()
    assert pathlib.Path(place).is_relative_to(environment.parents[1]), place


def test_command_is_installed(environment, tmp_path):
    command = environment.parent / 'runcu'
    version = run(command, '--version', cwd=tmp_path, env=outside())
    assert runcu.__version__ in version
    assert version == run(environment, '-m', 'runcu', '--version', cwd=tmp_path, env=outside())
    assert 'doctor' in run(command, '--help', cwd=tmp_path, env=outside())

"""Programs in C as users build them: away from the tree, against the installed library.

The library is that of the build folder RUNCU_BUILD, else of build/c.
"""

import fcntl
import functools
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from runcu import _core

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('RUNCU_BUILD', ROOT / 'build' / 'c'))
WARNINGS = ['-Wall', '-Wextra', '-Werror']


def run(*command, **options):
    """Runs a command to its end; what it printed. Fails with all of its output."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1000,
                          **options)
    assert done.returncode == 0, f'{command}\n{done.stdout}\n{done.stderr}'
    return done.stdout


def outside(**more):
    """An environment in which nothing points into the tree."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ('PYTHONPATH', 'LD_LIBRARY_PATH', 'PKG_CONFIG_PATH', 'VIRTUAL_ENV')}
    return {**kept, 'PYTHONNOUSERSITE': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **more}


def needed(*commands):
    """Skips where one is missing; in CI, whose set-up installs them all, that is a failure."""
    for command in commands:
        if not shutil.which(command):
            assert not os.environ.get('CI'), f'{command} is missing, and this is CI'
            pytest.skip(f'{command} is not installed')


class Prefix:
    """Where the C library is installed: `folder`, and the name of the libraries' folder in it."""

    def __init__(self, folder, libdir):
        self.folder, self.libdir = folder, libdir
        self.lib = folder / libdir

    def environment(self, **more):
        """What a shell has that finds the library here."""
        return outside(PKG_CONFIG_PATH=str(self.lib / 'pkgconfig'),
                       LD_LIBRARY_PATH=str(self.lib), **more)

    def flags(self, *what):
        return run('pkg-config', *what, 'runcu', env=self.environment()).split()

    def moved(self, to):
        """A copy at another place; nothing of it knows the first one."""
        for part in ('include', 'libexec', self.libdir):
            shutil.copytree(self.folder / part, to / part, symlinks=True,
                            ignore=shutil.ignore_patterns('python*'))
        return Prefix(to, self.libdir)


@functools.cache
def install():
    """Installs what was built where it says, once; tests of other processes may be using it."""
    needed('meson', 'pkg-config', 'cc')
    if not (BUILD / 'build.ninja').exists():
        pytest.skip(f'the C library is not built in {BUILD}')
    with open(BUILD / 'install.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--only-changed')
    options = json.loads(run('meson', 'introspect', BUILD, '--buildoptions'))
    values = {option['name']: option['value'] for option in options}
    return Prefix(pathlib.Path(values['prefix']), values['libdir'])


def run_program(program, folder, device='cpu', **more):
    """Runs it on a device, with the NVRTC that Python found; what it printed."""
    return run(program, cwd=folder, env=outside(
        RUNCU_DEVICE=device, RUNCU_CACHE_DIR=str(folder / 'cache'),
        RUNCU_NVRTC=_core.nvrtc_version()[2], **more))


def build_and_run(prefix, source, language='c', options=(), device='cpu'):
    """Compiles one file with pkg-config's flags, every warning an error, and runs it."""
    command = {'c': ['cc', '-x', 'c', '-std=c11'],
               # Structs that begin with their size are {0} in C.
               'c++': ['c++', '-x', 'c++', '-std=c++11', '-Wno-missing-field-initializers']}
    needed(command[language][0])
    program = source.with_suffix('.program')
    run(command[language][0], *WARNINGS, *command[language][1:], '-o', program, source,
        '-x', 'none', '-pthread', *prefix.flags('--cflags', '--libs', *options))
    return run_program(program, source.parent, device, LD_LIBRARY_PATH=str(prefix.lib))

"""Precompiled headers, for those who ask for them: they never change what comes out.

Each test has a process of its own, whose files lie below a folder of the test's.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
from runcu import _core

HEADER = '#pragma once\n' + ''.join(
    f'struct S{i} {{ int a[{i + 1}]; __device__ int f() {{ return a[0] + {i}; }} }};\n'
    for i in range(300)
)
BEGIN = """
import glob, os, sys
from runcu import compiler
from runcu.compiler import Program, SourceModule
SOURCE = '#include "big.h"\\n__global__ void k(S7 *s, int *x) { *x = s->f() + VALUE + %d; }'
HEADER = open('big.h').read() + '#define VALUE 1\\n'
def compile(n=0, **more):
    options = more.pop('options', ['--pch'])
    more = {'headers': {'big.h': HEADER}, 'no_cache': True, **more}
    p = Program(SOURCE % n, options=options, arch='compute_80', **more)
    assert p.succeeded, p.log
    assert p.log == '', p.log
    return p
def files():
    return glob.glob('runcu-pch-*/*/*.pch')
"""

pytestmark = pytest.mark.skipif(
    _core.nvrtc_version() < (12, 8), reason='this NVRTC has no precompiled headers'
)


@pytest.fixture
def run(tmp_path):
    (tmp_path / 'big.h').write_text(HEADER)

    def run(source, **env):
        done = subprocess.run(
            [sys.executable, '-c', BEGIN + textwrap.dedent(source)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, 'RUNCU_DEVICE': 'cpu', 'TMPDIR': str(tmp_path), **env},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def left(tmp_path):
    return sorted(p.name for p in tmp_path.glob('runcu-pch-*'))


def test_they_are_made_used_and_removed(run, tmp_path):
    out = run(
        """
        plain = [compile(n, options=[]).ptx for n in range(3)]
        print(files())
        print([compile(n).ptx for n in range(3)] == plain, len(files()))
        """
    )
    assert out == '[]\nTrue 1\n'
    assert left(tmp_path) == []


def test_they_are_off_unless_asked_for(run):
    out = run(
        """
        compile(options=[])
        print(len(files()))
        os.environ['RUNCU_PCH'] = '1'
        compile(options=[])
        print(len(files()))
        """
    )
    assert out == '0\n1\n'


def test_by_keyword_and_in_the_cache(run):
    out = run(
        """
        source = SOURCE % 5
        args = dict(headers={'big.h': HEADER}, arch='compute_75', cache_dir='cache')
        SourceModule(source, pch=True, **args)
        print(len(files()))
        print(Program(source, **args).was_cached)  # with or without, the code is the same
        """
    )
    assert out == '1\nTrue\n'


def test_changed_headers_are_seen(run, tmp_path):
    out = run(
        """
        for where in ('memory', 'file'):
            for value in (1, 2, 3, 1):
                text = HEADER.replace('VALUE 1', f'VALUE {value}')
                more = {'headers': {'big.h': text}}
                if where == 'file':
                    os.makedirs('own', exist_ok=True)
                    open('own/big.h', 'w').write(text)
                    os.utime('own/big.h', (1, 1))
                    more = {'headers': None, 'include_dirs': ['own']}
                want = compile(options=[], **more).ptx
                assert compile(**more).ptx == want, (where, value)
        options = ['--pch', '-DOTHER']
        assert compile(options=options).ptx
        """
    )
    assert out == ''


@pytest.mark.parametrize(
    'damage',
    [
        'open(path, "r+b").truncate(100)',
        'open(path, "wb").write(b"nonsense" * 100000)',
        'f = open(path, "r+b"); f.seek(50000); f.write(b"\\xff" * 5000); f.close()',
        'os.unlink(path)',
        'import shutil; shutil.rmtree(os.path.dirname(path))',
        'import shutil; shutil.rmtree(os.path.dirname(os.path.dirname(path)))',
        'os.unlink(path); os.mkdir(path)',
        'os.chmod(path, 0)',
    ],
)
def test_what_was_damaged_or_removed_is_made_anew(run, damage):
    out = run(
        f"""
        want = compile(options=[]).ptx
        compile()
        for _ in range(2):
            for path in files():
                {damage}
            assert compile().ptx == want
        print(compile().ptx == want, len(files()))
        """
    )
    assert out == 'True 1\n'


def test_no_place_for_them(run, tmp_path):
    for folder in ('gone', 'file'):
        if folder == 'file':
            (tmp_path / 'file').write_text('')
        out = run('print(compile().ptx == compile(options=[]).ptx)', TMPDIR=str(tmp_path / folder))
        assert out == 'True\n'


def test_a_full_disk(run, tmp_path):
    small = tmp_path / 'small'
    small.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', str(small)]
    if shutil.which('mount') is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('a small file system cannot be mounted here')
    try:
        out = run('print(compile().ptx == compile(options=[]).ptx)', TMPDIR=str(small))
    finally:
        subprocess.run(['umount', str(small)], check=True)
    assert out == 'True\n'


def test_errors_are_those_of_a_plain_compile(run):
    run(
        """
        import re
        def fail(*options):
            p = Program('#include "big.h"\\n\\nint x = oops;', headers={'big.h': HEADER},
                        options=options, arch='compute_80', no_cache=True)
            assert not p.succeeded
            return p.log, p.diagnostics[0].line
        want = fail()
        compile()
        assert fail('--pch') == want == fail('--pch'), want
        """
    )


def test_several_threads_and_workers(run):
    out = run(
        """
        import threading
        want = {n: compile(n, options=[]).ptx for n in range(6)}
        got = {}
        def work(n):
            got[n] = compile(n).ptx
        threads = [threading.Thread(target=work, args=(n,)) for n in want]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert got == want
        from runcu import _core
        requests = [dict(source=SOURCE % n, headers={'big.h': HEADER}, options=['--pch'],
                         arch='compute_80', no_cache=True) for n in range(6)]
        programs = _core.compile_jobs(requests, parallel=6)
        print([p.ptx for p in programs] == list(want.values()))
        """
    )
    assert out == 'True\n'


def test_only_a_few_are_kept(run):
    out = run(
        """
        for n in range(8):
            compile(options=['--pch', f'-DN{n}'])
        print(len(os.listdir(glob.glob('runcu-pch-*')[0])) <= 3)
        """
    )
    assert out == 'True\n'


def test_a_child_has_its_own(run, tmp_path):
    out = run(
        """
        want = compile(options=[]).ptx
        compile()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if compile().ptx == want and len(glob.glob('runcu-pch-*')) == 2 else 1)
        print(os.waitpid(pid, 0)[1], compile().ptx == want)
        """
    )
    assert out == '0 True\n'


def test_what_killed_processes_left_is_removed(run, tmp_path):
    program = BEGIN + f'compile()\nos.kill(os.getpid(), {int(signal.SIGKILL)})'
    done = subprocess.run(
        [sys.executable, '-c', program],
        cwd=tmp_path,
        env={**os.environ, 'RUNCU_DEVICE': 'cpu', 'TMPDIR': str(tmp_path)},
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(left(tmp_path)) == 1
    other = tmp_path / f'runcu-pch-{os.getpid()}-living'
    other.mkdir()
    pathlib.Path(other / 'x').write_text('')
    run('compile()')
    assert left(tmp_path) == [other.name]

"""Programs as people write them for PyCUDA, each run by `runcu run` without a change."""

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAMS = sorted(pathlib.Path(__file__).with_name('programs').glob('*.py'))
SAYS = {
    'prints.py': 'block 0:  1.50 text z%\nbetween\nblock 0:  3.00 text z%\n',
}


def run(program, device, *options, cwd):
    return subprocess.run(
        [sys.executable, *options, str(program)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, 'RUNCU_DEVICE': device},
    )


def test_there_are_programs():
    assert len(PROGRAMS) >= 12


@pytest.mark.parametrize('program', PROGRAMS, ids=lambda path: path.stem)
def test_program(program, device_name, tmp_path):
    done = run(program, device_name, '-m', 'runcu', 'run', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    if program.name in SAYS:
        assert done.stdout == SAYS[program.name]
    else:
        assert done.stdout.endswith('ok\n')


@pytest.mark.parametrize('program', PROGRAMS, ids=lambda path: path.stem)
def test_program_with_its_imports_renamed(program, device_name, tmp_path):
    text = program.read_text().replace('pycuda-complex', '-complex')
    copy = tmp_path / program.name
    copy.write_text(text.replace('pycuda', 'runcu').replace('-complex', 'pycuda-complex'))
    done = run(copy, device_name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''

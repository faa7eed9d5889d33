"""The examples in Python run, on every device."""

import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / 'examples' / 'python'


def run(name, device, tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'runcu', 'run', str(FOLDER / name)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, 'RUNCU_DEVICE': device},
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize('name', sorted(p.name for p in FOLDER.glob('*.py')))
def test_example(name, device_name, tmp_path):
    done = run(name, device_name, tmp_path)
    assert done.stdout
    assert done.stderr == ''


def test_mistakes_are_all_told(tmp_path):
    text = run('mistakes.py', 'cpu', tmp_path).stdout
    for words in (
        'identifier "y" is undefined',
        'takes 3 arguments, and 2 were given',
        'InOut(array)',
        'illegal memory access',
        'thread (63,0,0)',
    ):
        assert words in text

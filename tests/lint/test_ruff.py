"""Python files pass ruff, with the rules of pyproject.toml."""

import shutil
import subprocess
import sys
import sysconfig

import pytest
from sources import ROOT, files


def test_ruff():
    found = shutil.which('ruff') or shutil.which('ruff', path=sysconfig.get_path('scripts'))
    if not found:
        pytest.skip('ruff is not installed')
    checked = subprocess.run([found, 'check', '--no-cache', '--quiet', *files('.py', '.pyi')],
                             cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_file_compiles_for_the_oldest_python():
    for path in files('.py'):
        compile((ROOT / path).read_text(), str(path), 'exec', dont_inherit=True)
    assert sys.version_info >= (3, 10)

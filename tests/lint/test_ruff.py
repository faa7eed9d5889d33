"""Python files pass ruff, with the rules of pyproject.toml."""

import shutil
import subprocess
import sys
import sysconfig

import pytest
from sources import ROOT, complain, files


def test_ruff():
    found = shutil.which('ruff') or shutil.which('ruff', path=sysconfig.get_path('scripts'))
    if not found:
        pytest.skip('ruff is not installed')
    checked = subprocess.run([found, 'check', '--no-cache', '--quiet', *files('.py', '.pyi')],
                             cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_scripts_shadow_no_module_of_python():
    faults = [path for path in files('.py') if path.stem in sys.stdlib_module_names
              and path.parts[0] != 'pymodule']
    complain(faults, 'a script beside these imports them in place of the standard library:')


def test_every_file_compiles_for_the_oldest_python():
    for path in files('.py'):
        compile((ROOT / path).read_text(), str(path), 'exec', dont_inherit=True)
    assert sys.version_info >= (3, 10)

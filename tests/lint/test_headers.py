"""Each header stands alone: the public ones as C and as C++, the library's own as C."""

import os
import shutil
import subprocess

import pytest
from sources import ROOT, files

CC = os.environ.get('CC') or shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')
CXX = os.environ.get('CXX') or shutil.which('c++') or shutil.which('g++') or shutil.which('clang++')
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wundef', '-Werror']
PUBLIC = files('.h', under=['include/'])
OWN = [path for path in files('.h', under=['src/'])]


def compiles(compiler, standard, language, path, folders):
    if not compiler:
        pytest.skip(f'no compiler for {language}')
    command = [*compiler.split(), f'-std={standard}', '-D_GNU_SOURCE', '-fsyntax-only', *WARNINGS,
               *(f'-I{ROOT / folder}' for folder in folders), '-x', language, '-']
    source = f'#include "{path.relative_to(path.parts[0])}"\nint nothing_else;\n'
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('path', PUBLIC, ids=str)
def test_public_header_in_c(path):
    compiles(CC, 'c11', 'c', path, ['include'])


@pytest.mark.parametrize('path', PUBLIC, ids=str)
@pytest.mark.parametrize('standard', ['c++11', 'c++20'])
def test_public_header_in_cxx(path, standard):
    compiles(CXX, standard, 'c++', path, ['include'])


@pytest.mark.parametrize('path', OWN, ids=str)
def test_own_header(path):
    compiles(CC, 'c11', 'c', path, ['src', 'include'])

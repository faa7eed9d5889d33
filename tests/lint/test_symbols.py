"""What the libraries export: the public headers' functions, and nothing else.

The libraries are those of the build folder that RUNCU_BUILD names, else of build/c. After a change
of the public headers, `python tests/lint/test_symbols.py` writes exports.txt anew.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from sources import ROOT, code, complain, files
from test_tables import table

BUILD = pathlib.Path(os.environ.get('RUNCU_BUILD', ROOT / 'build' / 'c'))
LIST = ROOT / 'tests' / 'lint' / 'exports.txt'
LINKER = {'_init', '_fini', '_edata', '_end', '__bss_start'}


def declared():
    """The functions that the public headers declare."""
    prototype = re.compile(r'^RUNCU_API\b[^;{(]*?(\w+)\s*\(', re.M)
    return sorted(name for path in files('.h', under=['include/runcu/'])
                  for name in prototype.findall(code(path)))


def library(name):
    found = [path for path in (BUILD / 'src' / name, BUILD / name) if path.exists()]
    if not found:
        pytest.skip(f'{name} is not built in {BUILD}')
    if not shutil.which('nm'):
        pytest.skip('nm is not installed')
    return found[0]


def symbols(path, *options):
    """(kind, name) of what nm lists as defined."""
    listed = subprocess.run(['nm', '--defined-only', *options, path],
                            capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {(row[1], row[2].split('@')[0]) for row in rows if len(row) == 3} - {
        (kind, name) for kind in 'ABDTbdtR' for name in LINKER}


def test_list_is_what_the_headers_declare():
    listed = LIST.read_text().split()
    assert listed == sorted(set(listed)), 'exports.txt is sorted'
    assert listed == declared(), 'tests/lint/exports.txt lists the functions of include/runcu'


def test_shared_library_exports_the_list():
    exported = {name for _, name in symbols(library('libruncu.so'), '-D')}
    assert sorted(exported) == declared()


def test_archive_defines_only_the_list():
    path = library('libruncu.a')
    defined = {name for _, name in symbols(path, '-g')}
    assert sorted(defined) == declared()


def test_archive_is_one_object():
    listed = subprocess.run(['ar', 't', library('libruncu.a')],
                            capture_output=True, text=True, check=True).stdout.split()
    assert len(listed) == 1, listed


def test_cpu_library_exports_the_driver_api():
    exported = {name for _, name in symbols(library('libruncu-cpu.so'), '-D')}
    rows = table('driver/cuda.def', 'CU')
    known = {name for row in rows for name in row[1:3]}
    known |= {'cuGetExportTable', 'cuGetProcAddress', 'cuGetProcAddress_v2'}  # for loaders
    complain(sorted(exported - known), 'libruncu-cpu.so exports names without a row in cuda.def:')
    missing = [row[2] for row in rows if row[0] == 'REQ' and row[2] not in exported]
    complain(missing, 'libruncu-cpu.so lacks functions that every driver has:')


def test_nothing_of_cuda_is_linked():
    for name in ('libruncu.so', 'libruncu-cpu.so'):
        listed = subprocess.run(['readelf', '-d', library(name)],
                                capture_output=True, text=True, check=True).stdout
        needed = re.findall(r'\(NEEDED\).*\[(.*)\]', listed)
        system = re.compile(r'(libc|libm|libdl|libpthread|ld-linux[\w-]*)\.so')
        assert needed and all(system.match(each) for each in needed), needed


def test_soname_carries_the_version():
    listed = subprocess.run(['readelf', '-d', library('libruncu.so')],
                            capture_output=True, text=True, check=True).stdout
    assert re.search(r'\(SONAME\).*\[libruncu\.so\.\d+\]', listed), listed


if __name__ == '__main__':
    LIST.write_text('\n'.join(declared()) + '\n')

"""Sources that are no easy ones: huge, empty, broken, with headers that are not what they seem.

Each is compiled, or refused by an error that says what is wrong with it.
"""

import os

import numpy as np
import pytest
from runcu import Out, driver
from runcu.compiler import CompileError, Program, SourceModule, compile

KERNEL = '__global__ void k(int *x) { *x = 7; }\n'
MEGA = 1_000_000


def build(source, **more):
    return SourceModule(source, cache_dir=False, **more)


def result(mod):
    x = np.zeros(1, np.int32)
    mod.k(Out(x), block=1)
    return x[0]


@pytest.mark.parametrize(
    'source',
    [
        KERNEL + '/*' + 'x' * 10 * MEGA + '*/',
        '// a comment\n' * MEGA + KERNEL,
        KERNEL + ' ' * 10 * MEGA + 'int z;',
        '__device__ int table[] = {' + '1,' * 8000 + '};' + '\n' * 10 * MEGA + KERNEL,
    ],
    ids=['comment', 'lines', 'blanks', 'table'],
)
def test_ten_megabytes(device, source):
    assert len(source) > 10 * MEGA
    assert result(build(source)) == 7


def test_ten_megabytes_of_errors(device):
    with pytest.raises(CompileError, match='"nothing" is undefined') as e:
        build('int x = nothing;\n' * 600_000)
    assert len(e.value.diagnostics) <= 200


def test_a_megabyte_of_nonsense_in_one_line(device):
    with pytest.raises(CompileError, match='unrecognized token') as e:
        build('@$`' * (MEGA // 3))
    assert len(str(e.value)) < 10 * MEGA  # the compiler shows the line a hundred times


@pytest.mark.parametrize('source', ['', ' ', '\n', '\n\n// nothing\n', '\ufeff'])
def test_nothing(device, source):
    mod = build(source)
    with pytest.raises(driver.LogicError, match='has no kernel at all'):
        mod.get_function('k')
    assert compile(source, target='ptx')


@pytest.mark.parametrize(
    'source', [KERNEL + '\0', '\0', KERNEL.encode() + b'\0', KERNEL + '\0' + KERNEL]
)
def test_a_nul(device, source):
    with pytest.raises(ValueError, match='NUL'):
        build(source)


def test_bytes_that_are_not_utf_8(device):
    with pytest.raises(ValueError, match='line 2 of the source is not UTF-8: byte 0xe9'):
        build(b'// one\n// caf\xe9\n' + KERNEL.encode())
    with pytest.raises(ValueError, match='surrogates'):
        build('// \udce9\n' + KERNEL)
    assert result(build(b'// caf\xe9\n'.decode('latin-1') + KERNEL)) == 7
    assert result(build('// caf\u00e9 \U0001f600\n'.encode() + KERNEL.encode())) == 7


def test_headers_may_have_any_bytes(device, tmp_path):
    (tmp_path / 'latin.h').write_bytes(b'// caf\xe9 \xff\n#define N 3\n')
    assert (
        result(build('#include "latin.h"\n' + KERNEL.replace('7', 'N'), include_dirs=[tmp_path]))
        == 3
    )


LOOPS = {
    'itself': {'a.h': '#include "a.h"\n'},
    'each other': {'a.h': '#include "b.h"\n', 'b.h': '#include "a.h"\n'},
    'by three': {'a.h': '#include "b.h"\n', 'b.h': '#include "c.h"\n', 'c.h': '#include "a.h"\n'},
}


@pytest.mark.parametrize('headers', LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize('in_memory', [True, False])
def test_headers_that_include_themselves(device, tmp_path, headers, in_memory):
    source = '#include "a.h"\n' + KERNEL
    for guard in (False, True):
        texts = {name: ('#pragma once\n' if guard else '') + t for name, t in headers.items()}
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        more = {'headers': texts} if in_memory else {'include_dirs': [tmp_path]}
        if guard:
            assert result(build(source, **more)) == 7
        else:
            with pytest.raises(CompileError, match='includes itself') as e:
                build(source, **more)
            assert e.value.diagnostics[0].line == 1


def test_headers_a_hundred_deep(device):
    headers = {f'h{i}.h': f'#include "h{i + 1}.h"\n' for i in range(100)}
    headers['h100.h'] = '#define DEEP 9\n'
    assert result(build('#include "h0.h"\n' + KERNEL.replace('7', 'DEEP'), headers=headers)) == 9


@pytest.mark.parametrize(
    'name, words',
    [
        ('nosuch/x.h', 'nosuch/x.h was looked for in: '),
        ('vector', "C\\+\\+'s own library is not there for device code"),
        ('type_traits', 'cuda/std/type_traits is the same'),
        ('cufft_nosuch.h', 'It is for host code'),
    ],
)
def test_headers_that_are_missing(device, tmp_path, name, words):
    with pytest.raises(CompileError, match='could not open source file|cannot open source') as e:
        build(f'#include <{name}>\n' + KERNEL, include_dirs=[tmp_path])
    assert str(tmp_path) in str(e.value)
    assert e.match(words)
    assert e.value.diagnostics[0].line == 1


def test_the_same_by_workers(device, tmp_path):
    from runcu.compiler import compile_many

    sources = [f'#include <nosuch{i}.h>\n' + KERNEL for i in range(8)]
    with pytest.raises(CompileError, match='nosuch0.h was looked for in: '):
        compile_many(sources, parallel=8, cache_dir=False)
    programs = Program(sources[3], no_cache=True)
    assert not programs.succeeded
    assert programs.advice.startswith('nosuch3.h was looked for in: ')


def test_headers_that_are_no_files(device, tmp_path):
    (tmp_path / 'folder').mkdir()
    with pytest.raises(CompileError, match='cannot open source|could not open source'):
        build('#include "folder"\n' + KERNEL, include_dirs=[tmp_path])
    with pytest.raises(CompileError, match='/dev/zero'):
        build('#include "/dev/zero"\n' + KERNEL)
    os.mkfifo(tmp_path / 'pipe.h')
    with pytest.raises(driver.Error, match='pipe.h, which is a pipe'):
        build('#include "pipe.h"\n' + KERNEL, include_dirs=[tmp_path])


def test_folders_that_are_none(device, tmp_path):
    assert result(build(KERNEL, include_dirs=[tmp_path / 'gone'])) == 7
    (tmp_path / 'file').write_text('')
    with pytest.raises(CompileError, match='x.h'):
        build('#include "x.h"\n' + KERNEL, include_dirs=[tmp_path / 'file'])


TEMPLATE = 'template <class T> __global__ void k(T *x) { *x = T::value; }\n'


@pytest.mark.parametrize(
    'expression, words',
    [
        ('nosuch<int>', '"nosuch" is undefined'),
        ('k<nosuch>', '"nosuch" is undefined'),
        ('k<int>', 'must be a class or namespace name'),
        ('k<int', 'expect|parsing name expression'),
        ('k<1>', 'name expression|argument'),
    ],
)
def test_instances_that_cannot_be(device, expression, words):
    with pytest.raises(CompileError, match=words):
        build(TEMPLATE, name_expressions=[expression])


@pytest.mark.parametrize('bad', ['', 'k<int>\n', 'k\0', None, 5])
def test_what_is_no_name_expression(device, bad):
    with pytest.raises((driver.Error, ValueError, TypeError)):
        build(TEMPLATE, name_expressions=[bad])


def test_names_that_fit_several_kernels_or_none(device):
    mod = build('__global__ void f(int *x) {} __global__ void f(float *x) {}')
    with pytest.raises(driver.LogicError, match='fits 2 kernels') as e:
        mod.get_function('f')
    assert 'f(int *)' in str(e.value) and 'f(float *)' in str(e.value)
    assert mod.get_function('f(int *)').symbol != mod.get_function('f(float *)').symbol
    with pytest.raises(driver.LogicError, match='no kernel "g"'):
        mod.get_function('g')


@pytest.mark.parametrize(
    'options, words',
    [
        (['-'], 'unrecognized option -'),
        (['word'], 'unrecognized option word'),
        (['--no-such-option'], 'unrecognized option --no-such-option'),
        (['--maxregcount=3'], 'Did you mean -maxrregcount'),
        (['-std=c++99'], 'It was given as --std=c\\+\\+99'),
        (['-maxrregcount'], 'needs a value'),
        (['-DX=1\n2'], 'invalid macro definition'),
        (['-arch=fast'], 'no architecture'),
        (['-E'], 'makes no code'),
    ],
)
def test_options_that_nobody_knows(device, options, words):
    with pytest.raises(CompileError, match=words):
        build(KERNEL, options=options)

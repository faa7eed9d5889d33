"""What the compiler says: as objects, as text, in notebooks, for editors; `runcu check`."""

import html
import json
import pickle
import re
import subprocess
import sys
import warnings

import pytest
from runcu import compiler, driver
from runcu.compiler import CompileError, CompileWarning, SourceModule

NESTED = {
    'lib/a.h': '\n#include "b.h"\n',
    'lib/b.h': 'template <class T> __device__ int deep(T x) { return x.nothing; }\n',
}
SOURCE = """\
#include "lib/a.h"
template <class T> __device__ int middle(T x) { return deep(x); }
template <class T> __device__ int top(T x) { return middle(x); }
__global__ void k(int *p) { *p = top(3); }
"""
UNUSED = '__global__ void k(int *p)\n{\n    int unused;\n    *p = 1;\n}\n'


def error_of(source, **kwargs):
    with pytest.raises(CompileError) as e:
        SourceModule(source, **kwargs)
    return e.value


def check(*args, cwd, input=None):
    return subprocess.run(
        [sys.executable, '-m', 'runcu', 'check', *args],
        capture_output=True,
        text=True,
        encoding='utf-8',
        cwd=cwd,
        input=input,
        timeout=60,
    )


def test_the_way_to_a_message(device):
    error = error_of(SOURCE, headers=NESTED)
    (d,) = error.diagnostics
    assert (d.severity, d.file, d.line, d.number, d.code) == ('error', 'lib/b.h', 1, 0, '')
    assert d.source[d.column - 1 :].startswith('x.nothing')
    assert [tuple(s) for s in d.includes] == [('lib/a.h', 2, ''), ('kernel.cu', 1, '')]
    assert [(s.file, s.line) for s in d.instances] == [
        ('kernel.cu', 2),
        ('kernel.cu', 3),
        ('kernel.cu', 4),
    ]
    assert d.instances[2].text == 'instantiation of "int top(T) [with T=int]"'
    text = str(error)
    assert 'In file included from lib/a.h:2,\n                 from kernel.cu:1:\n' in text
    assert '  in instantiation of "int top(T) [with T=int]" at kernel.cu:4\n' in text


def test_instances_on_demand_tell_as_much(device):
    source = 'template <class T> __global__ void k(T *p) { *p = p->nothing; }'
    mod = SourceModule(source)
    with pytest.raises(CompileError) as e:
        mod.get_function('k<int>')
    (d,) = e.value.diagnostics
    assert (d.file, d.line, d.severity) == ('kernel.cu', 1, 'error')
    assert d.instances
    with pytest.raises(driver.LogicError) as other:
        mod.get_function('nowhere')
    assert not hasattr(other.value, 'diagnostics')


def test_columns_count_characters(device):
    (d, *_) = error_of('__global__ void k() { /* äöü 日本 */ x; }').diagnostics
    assert d.source[d.column - 1] == 'x'


def test_errors_are_pickled_with_their_messages(device):
    error = error_of(SOURCE, headers=NESTED)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.diagnostics[0].instances[0].line == 2


def test_notebooks_show_colours(device):
    error = error_of('__global__ void k() { vector<int> x; }')
    shown = error._repr_html_()
    assert 'NVRTC compilation of kernel.cu failed' in shown
    assert '<span style=' in shown and 'vector&lt;int&gt; x;' in shown
    bare = html.unescape(re.sub('<[^>]*>', '', shown))
    assert error.report.strip() in bare
    assert CompileError('no <report>', stderr='<x>')._repr_html_() == (
        '<pre>no &lt;report&gt;</pre>\n<pre>&lt;x&gt;</pre>'
    )


def test_forms(device):
    program = compiler.Program(UNUSED, no_cache=True)
    assert program.format('text') == program.report
    assert '\033[1;35mwarning' in program.format('color')
    assert json.loads(program.format('json')) == {
        'file': 'kernel.cu',
        'line': 3,
        'column': 9,
        'severity': 'warning',
        'number': 177,
        'message': 'variable "unused" was declared but never referenced',
        'source': '    int unused;',
        'includes': [],
        'instances': [],
    }
    with pytest.raises(ValueError, match='sarif'):
        program.format('sarif')
    with pytest.raises(TypeError, match='form'):
        program.format(3)
    clean = compiler.Program('__global__ void k() {}', no_cache=True)
    assert [clean.format(f) for f in ('text', 'color', 'html', 'json')] == [''] * 4


# --- warnings ---------------------------------------------------------------------------------


@pytest.mark.parametrize('cached', [False, True])
def test_warnings_as_errors(device, tmp_path, cached):
    if cached:
        with pytest.warns(CompileWarning):
            SourceModule(UNUSED, cache_dir=tmp_path)
    error = error_of(UNUSED, cache_dir=tmp_path, warn='error')
    (d,) = error.diagnostics
    assert (d.severity, d.number, d.line) == ('error', 177, 3)
    assert 'kernel.cu:3:9: error: variable "unused"' in str(error)


def test_warnings_as_errors_by_options_of_nvcc(device):
    for options in (['-Werror', 'all-warnings'], ['-Werror=all-warnings']):
        assert error_of(UNUSED, options=options).diagnostics[0].number == 177
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        SourceModule(UNUSED, options=['-Werror=all-warnings', '-diag-suppress=177'])


def test_warnings_ignored(device):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        SourceModule(UNUSED, warn='ignore', cache_dir=False)
        SourceModule('__global__ void k() {}', warn='error', cache_dir=False)


@pytest.mark.parametrize('value', ['all', 3, ['error']])
def test_other_words_for_warnings(device, value):
    with pytest.raises(ValueError, match="'default', 'error' or 'ignore'"):
        SourceModule(UNUSED, warn=value)


def test_warnings_as_errors_of_many(device):
    with pytest.raises(CompileError):
        compiler.compile_many([UNUSED, '__global__ void k() {}'], warn='error', cache_dir=False)


def test_warnings_of_files_are_at_their_lines(tmp_path):
    path = tmp_path / 'unused.cu'
    path.write_text(UNUSED)
    with pytest.warns(CompileWarning) as caught:
        compiler.compile_bundle(UNUSED, ['compute_80'], name=str(path), cache_dir=False)
    (w,) = caught
    assert (w.filename, w.lineno) == (str(path), 3)
    assert str(w.message) == 'variable "unused" was declared but never referenced [#177-D]'


def test_warnings_of_texts_are_at_the_callers_line(device):
    with pytest.warns(CompileWarning) as caught:
        SourceModule(UNUSED, cache_dir=False)
    assert caught[0].filename == __file__
    assert issubclass(CompileWarning, UserWarning) and driver.CompileWarning is CompileWarning


# --- runcu check ------------------------------------------------------------------------------


def test_check(tmp_path):
    (tmp_path / 'good.cu').write_text('__global__ void k() {}\n')
    (tmp_path / 'bad.cu').write_text('__global__ void k()\n{\n\tx = 1;\n}\n')
    (tmp_path / 'unused.cu').write_text(UNUSED)
    good = check('good.cu', cwd=tmp_path)
    assert (good.returncode, good.stdout) == (0, ''), good.stderr
    bad = check('bad.cu', cwd=tmp_path)
    assert bad.returncode == 1
    assert bad.stdout == './bad.cu:3:2: error: identifier "x" is undefined\n    \tx = 1;\n    \t^\n'
    assert check('unused.cu', cwd=tmp_path).returncode == 0
    assert check('unused.cu', '--warn', 'error', cwd=tmp_path).returncode == 1
    ignored = check('unused.cu', '--warn', 'ignore', cwd=tmp_path)
    assert (ignored.returncode, ignored.stdout) == (0, '')
    assert '\033[' not in bad.stdout
    assert '\033[1;31m' in check('bad.cu', '--color', 'always', cwd=tmp_path).stdout


def test_check_for_editors(tmp_path):
    (tmp_path / 'bad.cu').write_text('#include "h.h"\n__global__ void k() { a; /*ä*/ b; }\n')
    (tmp_path / 'h.h').write_text('int c = nothing;\n')
    done = check('bad.cu', '--json', '--arch', 'compute_80', cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row['line'] for row in rows] == [1, 2, 2]
    assert rows[0]['file'] == str(tmp_path / 'h.h')
    assert rows[0]['includes'] == [{'file': './bad.cu', 'line': 1, 'message': ''}]
    assert rows[2]['source'][rows[2]['column'] - 1] == 'b'
    refused = check('bad.cu', '--json', '--nonsense', cwd=tmp_path)
    (row,) = map(json.loads, refused.stdout.splitlines())
    assert row['severity'] == 'error' and '--nonsense' in row['message']


def test_check_from_standard_input(tmp_path):
    done = check('-', '--json', cwd=tmp_path, input='__global__ void k() { x; }')
    assert json.loads(done.stdout)['message'] == 'identifier "x" is undefined'
    latin = subprocess.run(
        [sys.executable, '-m', 'runcu', 'check', '-', '--json'],
        capture_output=True,
        cwd=tmp_path,
        input=b'__global__ void k() { /* \xe4\xff */ x; }',
        timeout=60,
    )
    assert json.loads(latin.stdout.decode())['line'] == 1


def test_check_of_nothing(tmp_path):
    assert check(cwd=tmp_path).returncode == 2
    missing = check('missing.cu', cwd=tmp_path)
    assert missing.returncode == 1 and 'missing.cu' in missing.stderr

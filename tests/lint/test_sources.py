"""The lints' own reading of C: a lint that overlooks everything passes as well."""

import pathlib

import pytest
import sources

SAMPLE = '''/* A file. */
#include "a/b.h" /* not "c/d.h" */

#define LONG(x) \\
    do {        \\
    } while (0)

static const char *names[] = {
    "a{", /* { */
};

static int add(int a,
               int (*f)(int, int))
{
    return a + f(1, 2); // }
}

struct pair {
    int a, b;
};

void none(void)
{
}
'''


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, 'ROOT', tmp_path)
    (tmp_path / 'sample.c').write_text(SAMPLE)
    for read in (sources.text, sources.code, sources.without_comments, sources.functions):
        read.cache_clear()
    yield pathlib.Path('sample.c')
    for read in (sources.text, sources.code, sources.without_comments, sources.functions):
        read.cache_clear()


def test_functions(sample):
    found = sources.functions(sample)
    assert [(f.name, f.first, f.lines, f.params) for f in found] == [
        ('add', 12, 5, 2), ('none', 22, 3, 0)]


def test_code_keeps_lines_and_drops_words(sample):
    lines = sources.code(sample).split('\n')
    assert len(lines) == SAMPLE.count('\n') + 1
    assert 'not' not in sources.code(sample) and 'a{' not in sources.code(sample)
    assert lines[14].rstrip() == '    return a + f(1, 2);'


def test_strings_stay(sample):
    assert '"a/b.h"' in sources.without_comments(sample)
    assert 'c/d' not in sources.without_comments(sample)


def test_comments(sample):
    assert list(sources.comments(sample))[0] == (1, '/* A file. */')
    assert len(list(sources.comments(sample))) == 4


def test_files_are_found():
    assert pathlib.Path('src/meson.build') in sources.all_files()
    assert len(sources.files('.c', under=['src/'])) > 20

"""docs/environment.md and docs/errors.md say what the tables say.

After a change of a table, `python tests/lint/test_reference.py` writes the pages anew.
"""

import re

import pytest
from sources import ROOT, complain, files, text
from test_tables import literal, table

READERS = {'LIBRARY': 'C and Python', 'PYTHON': 'Python', 'THEIRS': 'others; heeded here too'}

ENVIRONMENT = """\
# Environment variables

What the library and the Python package read, and what of others they heed. `runcu doctor` lists
those that are set, and names a variable that begins with `RUNCU_` and means nothing. In C
`runcu_environment_get` walks this table. Empty counts as not set, unless a row says otherwise.

| variable | read by | what it may be | without it |
|---|---|---|---|
"""

ERRORS = """\
# Errors, and their cures

Every code that a function of the library can return, and every code of the driver behind one. In C
`runcu_status_text`, `runcu_status_cause` and `runcu_status_cure` give the first table's words,
`runcu_result_text` and `runcu_result_cure` the second's. The message of an error says what was
wrong in this case; its detail says where, and often what to do. For what concerns the machine and
not the program, ask `runcu doctor`.

## Statuses

| code | name | | behind it | what to do |
|---|---|---|---|---|
"""

RESULTS = """
## Codes of the driver

They come with `RUNCU_ERROR_DRIVER`, in `runcu_error.code`; in Python in the exception's `code` and
`name`. Its class is that of the fourth column, of `runcu.driver`.

| code | name | text | class | what to do |
|---|---|---|---|---|
"""

ADVICE = """
## What the compiler says

The library adds a sentence to errors of the compiler that say too little.

| a header that is not found and begins so | | with NVRTC of CUDA 12 |
|---|---|---|
"""

MESSAGES = """
| a message with these words | |
|---|---|
"""


def row(*cells):
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |\n'


def unescape(string):
    """The text of a string literal, its escapes undone."""
    return ''.join(re.findall(r'"((?:\\.|[^"\\])*)"', string)).replace('\\"', '"')


def environment():
    rows = [(literal(name), READERS[reader], literal(meaning), literal(otherwise))
            for name, reader, meaning, otherwise in table('environment.def', 'VARIABLE')]
    return ENVIRONMENT + ''.join(row(f'`{name}`', *rest) for name, *rest in rows)


def errors():
    cures = {name: (unescape(cause), unescape(cure))
             for name, cause, cure in table('cure.def', 'STATUS')}
    page = ERRORS + ''.join(row(code, f'`RUNCU_{name}`', unescape(words), *cures[name])
                            for code, name, words in table('runcu/error.def', 'RUNCU_STATUS'))
    cures = {name: unescape(cure) for name, cure in table('cure.def', 'RESULT')}
    page += RESULTS + ''.join(row(code, f'`{name}`', unescape(words), f'`{kind}`', cures[name])
                              for code, name, words, kind in table('curesult.def', 'CURESULT'))
    page += ADVICE + ''.join(row(f'`{unescape(start)}`', unescape(said), unescape(older))
                             for start, said, older in table('advice.def', 'HEADER'))
    return page + MESSAGES + ''.join(row(f'`{unescape(part)}`', unescape(said))
                                     for part, said in table('advice.def', 'MESSAGE'))


PAGES = {'docs/environment.md': environment, 'docs/errors.md': errors}


@pytest.mark.parametrize('path', PAGES)
def test_page_is_that_of_the_tables(path):
    assert (ROOT / path).read_text() == PAGES[path](), (
        f'{path} is not what the tables say: python tests/lint/test_reference.py writes it anew')


def test_every_error_has_a_cure():
    statuses = [name for _, name, _ in table('runcu/error.def', 'RUNCU_STATUS')]
    assert [name for name, *_ in table('cure.def', 'STATUS')] == statuses
    results = [name for _, name, *_ in table('curesult.def', 'CURESULT')]
    assert [name for name, _ in table('cure.def', 'RESULT')] == results


def test_variables_of_the_table_are_those_that_are_read():
    quoted = re.compile(r'[\'"]((?:RUNCU|PYCUDA|CUDA|NO|XDG|LD|CONDA)_[A-Z_]+)[\'"]')
    read = {name for path in files('.c', '.h', '.py', under=['src/', 'pymodule/'])
            for name in quoted.findall(text(path))
            if 'getenv' in text(path) or 'environ' in text(path) or 'variable' in text(path)}
    listed = {literal(name) for name, *_ in table('environment.def', 'VARIABLE')}
    complain(sorted(name for name in read - listed if name.startswith(('RUNCU_', 'PYCUDA_'))),
             'variables that src/core/environment.def lacks:')
    whole = '\n'.join(text(path) for path in files('.c', '.h', '.py', under=['src/', 'pymodule/']))
    complain(sorted(name for name in listed
                    if f'"{name}"' not in whole and f"'{name}'" not in whole),
             'variables that nothing reads:')


if __name__ == '__main__':
    for path, page in PAGES.items():
        (ROOT / path).write_text(page())

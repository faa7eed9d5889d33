"""Each public header has its page in docs/c, with each function, and each example its line."""

import re

import pytest
from sources import ROOT, code, complain, files, text

# runcu.h only includes the others.
HEADERS = [path for path in files('.h', under=['include/runcu/']) if path.stem != 'runcu']
PAGES = {path.stem: path for path in files('.md', under=['docs/c/']) if path.stem != 'README'}
EXPORTED = re.compile(r'^RUNCU_API\b[^;{(]*?(\w+)\s*\(', re.M)
# What a program may use besides: inline functions and macros; those that end in _ are not for it.
INLINE = re.compile(r'^(?:static inline [^;{(]*?|#define )(\w+)\s*\(', re.M)
ROW = re.compile(r'^\| `(\w+)` \| (.*) \|$', re.M)


def in_headers():
    """Every word of the headers; statuses are made of error.def."""
    words = {word for path in files('.h', under=['include/runcu/'])
             for word in re.findall(r'\w+', code(path))}
    return words | {f'RUNCU_{name}' for name in re.findall(
        r'^RUNCU_STATUS\([-\d]+, (\w+),', text(next(iter(files('.def', under=['include/runcu/'])))),
        re.M)}


def test_each_header_has_a_page():
    complain([f'docs/c/{path.stem}.md' for path in HEADERS if path.stem not in PAGES],
             'a public header has a page: what it is for, a program, its functions in a table:')
    complain(sorted(set(PAGES) - {path.stem for path in HEADERS}), 'pages without a header:')


@pytest.mark.parametrize('path', HEADERS, ids=lambda path: path.stem)
def test_page_lists_the_functions_of_its_header(path):
    rows = [name for name, _ in ROW.findall(text(PAGES[path.stem]))]
    exported = EXPORTED.findall(code(path))
    more = {name for name in INLINE.findall(code(path)) if not name.endswith('_')}
    complain(sorted(set(exported) - set(rows)), f'docs/c/{path.stem}.md lacks a row for:')
    complain(sorted(set(rows) - set(exported) - more), f'{path} does not declare:')
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize('stem', sorted(PAGES))
def test_page_says_something(stem):
    page = text(PAGES[stem])
    assert page.startswith(f'# {stem}.h\n\n')
    complain([name for name, said in ROW.findall(page)
              if not said.endswith('.') or len(said.split()) < 2], 'a row has a sentence:')
    program = re.search(r'^```c\n(.*?)^```\n```text\n', page, re.M | re.DOTALL)
    assert program, 'a program, and what it prints'
    included = set(re.findall(r'#include <runcu/(\w+)\.h>', program.group(1)))
    assert included & {stem, 'runcu'}


def test_names_exist():
    known = in_headers()
    faults = [f'{path}: {name}' for path in files('.md', under=['docs/'])
              for name in re.findall(r'\b(?:runcu|RUNCU)_\w+', text(path))
              if name not in known and not is_variable(name)]
    complain(faults, 'names that no header has:')


def is_variable(name):
    """Whether the table of environment variables has it."""
    return f'| `{name}` |' in (ROOT / 'docs/environment.md').read_text()


def test_pages_are_listed():
    listed = re.findall(r'^\| \[(\w+)\.h\]\(\1\.md\) \|', (ROOT / 'docs/c/README.md').read_text(),
                        re.M)
    assert sorted(listed) == sorted(PAGES)


def test_index_lists_every_page():
    listed = set(re.findall(r'\]\(([\w-]+\.md)\)', (ROOT / 'docs/README.md').read_text()))
    pages = {path.name for path in files('.md', under=['docs/']) if path.parent.name == 'docs'}
    complain(sorted(pages - listed - {'README.md'}), 'docs/README.md lacks:')


def test_examples_are_listed():
    table = (ROOT / 'examples/README.md').read_text()
    listed = re.findall(r'^\| \[[\w.]+\]\(([\w/.]+)\) \| ', table, re.M)
    there = files('.c', '.cpp', '.py', under=['examples/'])
    assert sorted(listed) == sorted(str(path.relative_to('examples')) for path in there)

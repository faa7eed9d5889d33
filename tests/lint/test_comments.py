"""Every file says what it is for; every public function says what it does."""

import re

from sources import code, comments, complain, files, text

PUBLIC = [path for path in files('.h', under=['include/runcu/'])]
# Somebody's program as it stands.
WORD_FOR_WORD = 'examples/python/add.py'
PROTOTYPE = re.compile(r'^RUNCU_API\b[^;{]*?(\w+)\([^;]*;(.*)$', re.M)


def test_c_files_open_with_a_comment():
    faults = [str(path) for path in files('.c', '.h', '.def', under=['src/', 'pymodule/src/'])
              if not re.match(r'/\*\*?\s+\w', text(path))]
    complain(faults, 'a file opens with a comment that says what it is for:')


def test_other_files_open_with_a_comment():
    start = re.compile(r'(#!.*\n)?(#|r?"""|/\*|//)')
    faults = [str(path) for path in files('.py', '.sh', '.cu', '.cuh')
              if text(path).strip() and not start.match(text(path)) and str(path) != WORD_FOR_WORD]
    complain(faults, 'a file opens with a comment that says what it is for:')


def test_opening_comments_say_something():
    faults = []
    for path in files('.c', under=['src/', 'pymodule/src/']):
        first = next((comment for _, comment in comments(path)), '')
        if len(first.split()) < 8:
            faults.append(f'{path}: {first}')
    complain(faults, 'two to five lines: what the file is for, and what not:')


def documented(path, match):
    """A comment stands above the prototype, above others of its paragraph, or on its line."""
    source = text(path)
    if '/**<' in source[match.start():source.index('\n', match.end() - len(match.group(2)))]:
        return True
    paragraph = source[:match.start()].rsplit('\n\n', 1)[-1]
    return '/**' in paragraph


def test_public_functions_are_documented():
    faults = [f'{path}: {match.group(1)}' for path in PUBLIC
              for match in PROTOTYPE.finditer(code(path)) if not documented(path, match)]
    complain(faults, 'a public function has a comment /** … */ above it:')


def test_there_are_public_functions():
    assert sum(len(PROTOTYPE.findall(code(path))) for path in PUBLIC) > 80


def test_headers_are_guarded():
    faults = []
    for path in files('.h', under=['src/', 'include/', 'pymodule/']):
        folder = path.parts[-2] if path.parts[0] != 'pymodule' else None
        names = {f'{folder}_{path.stem}'.upper(), f'RUNCU_{path.stem}'.upper()}
        guard = re.search(r'^#ifndef (\w+)\n#define \1\n', text(path), re.M)
        if not guard or (folder and guard.group(1).removesuffix('_H') not in names):
            faults.append(f'{path}: {guard.group(1) if guard else "no guard"}')
    complain(faults, 'a header has a guard named after its folder and itself:')

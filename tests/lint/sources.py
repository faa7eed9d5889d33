"""What the lints share: the files of the project, and C text without comments and strings."""

import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {'build', 'dist', '.git', '.cache', '__pycache__'}


@functools.cache
def all_files():
    """Every file of the project, relative to its root: those that git knows or would take.

    Where git is missing: all that are there.
    """
    git = ['git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    try:
        names = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split('\0')
        paths = [pathlib.Path(name) for name in names if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path.relative_to(ROOT) for path in ROOT.rglob('*')]
    return sorted(
        {p for p in paths if not SKIPPED.intersection(p.parts) and (ROOT / p).is_file()})


def files(*suffixes, under=('',)):
    """Files with one of the suffixes below one of the folders ('src/', 'include/')."""
    return [path for path in all_files()
            if path.suffix in suffixes and str(path).startswith(tuple(under))]


@functools.cache
def text(path):
    return (ROOT / path).read_text(encoding='utf-8')


TOKENS = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(token):
    """Spaces of the same shape; a string keeps its quotes, so that calls still look like calls."""
    body = re.sub(r'[^\n]', ' ', token)
    return f'{token[0]}{body[1:-1]}{token[-1]}' if token[0] in '"\'' else body


@functools.cache
def code(path):
    """The text of a C file with comments and the contents of strings blanked; columns stay."""
    return TOKENS.sub(lambda match: blank(match.group()), text(path))


@functools.cache
def without_comments(path):
    """The text of a C file with comments blanked; strings stay."""
    return TOKENS.sub(
        lambda match: match.group() if match.group()[0] in '"\'' else blank(match.group()),
        text(path))


def comments(path):
    """(line, text) of each comment of a C file."""
    for match in TOKENS.finditer(text(path)):
        if match.group().startswith('/'):
            yield text(path).count('\n', 0, match.start()) + 1, match.group()


class Function:
    """A function as it is defined: name, file, first line, lines, number of parameters, body."""

    def __init__(self, path, first, head, body):
        self.path, self.first, self.head, self.body = path, first, head, body
        self.lines = head.count('\n') + body.count('\n') + 3
        match = re.search(r'(\w+)\s*\((.*)\)\s*$', ' '.join(head.split()))
        self.name = match.group(1) if match else head.strip()
        params = match.group(2).strip() if match else ''
        self.params = 0 if params in ('', 'void') else commas(params) + 1

    def __str__(self):
        return f'{self.path}:{self.first}: {self.name}'


def commas(params):
    """Commas outside parentheses: those between parameters."""
    depth = count = 0
    for char in params:
        depth += (char == '(') - (char == ')')
        count += char == ',' and depth == 0
    return count


@functools.cache
def functions(path):
    """The functions a C file defines: braces in the first column open and close them."""
    directive = re.compile(r'^[ \t]*#.*(?:\\\n.*)*', re.M)
    lines = directive.sub(lambda match: blank(match.group()), code(path)).split('\n')
    found, start = [], None
    for number, line in enumerate(lines):
        if line == '{' and start is None:
            start = number
        elif line.startswith('}') and start is not None:
            first = start
            while first and lines[first - 1].strip() and lines[first - 1][0] not in '};':
                first -= 1
            head = '\n'.join(lines[first:start])
            if ')' in head:
                found.append(Function(path, first + 1, head, '\n'.join(lines[start:number])))
            start = None
    return found


def complain(faults, rule):
    """Fails with every fault, one a line, below the rule they break."""
    assert not faults, rule + '\n' + '\n'.join(str(fault) for fault in faults)

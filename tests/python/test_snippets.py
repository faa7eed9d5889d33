"""Every program of README.md and docs/ runs, on every device, and prints what stands below it.

A page's Python blocks are one program: later ones use the names of those before. Each C block is
complete. A block ```text right after one is what it prints, where … stands for anything. Old code
that is there to be compared is tagged by its library (```python pycuda) and not run.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest
from c_programs import ROOT, build_and_run, install

PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
# Within a list a block is indented.
BLOCK = re.compile(r'^( *)```([^\n]*)\n(.*?)^\1```$(?:\n\1```text\n(.*?)^\1```$)?',
                   re.M | re.DOTALL)
# Whose code stands beside ours.
OLD = {'pycuda', 'cupy', 'numba', 'cuda.core', 'driver', 'runtime'}
RUN_BLOCKS = """
import contextlib, io, json, sys
space = {'__name__': '__main__'}
results = []
for line, source in json.load(open(sys.argv[1])):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile('\\n' * line + source, sys.argv[2], 'exec'), space)
    results.append(out.getvalue())
json.dump(results, open(sys.argv[3], 'w'))
"""


def blocks(page, language):
    """(line, text, what it prints or None) of each block of a language that is to be run."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        _, kind, source, printed = match.groups()
        if kind.split() == [language]:
            yield (text.count('\n', 0, match.start()) + 1, textwrap.dedent(source),
                   printed and textwrap.dedent(printed))


def name(page):
    return str(page.relative_to(ROOT))


def check(page, line, printed, expected):
    if expected is not None:
        pattern = '.*'.join(map(re.escape, expected.rstrip().split('…')))
        assert re.fullmatch(pattern, printed.rstrip(), re.DOTALL), (
            f'{name(page)}:{line} printed\n{printed}\nand not\n{expected}')


@pytest.mark.parametrize('page', [page for page in PAGES if list(blocks(page, 'python'))], ids=name)
def test_python(page, device_name, tmp_path):
    found = list(blocks(page, 'python'))
    given, results = tmp_path / 'blocks.json', tmp_path / 'results.json'
    given.write_text(json.dumps([[line, text] for line, text, _ in found]))
    done = subprocess.run(
        [sys.executable, '-c', RUN_BLOCKS, given, name(page), results], cwd=tmp_path, timeout=300,
        capture_output=True, text=True,
        env={**os.environ, 'RUNCU_DEVICE': device_name, 'RUNCU_CACHE_DIR': str(tmp_path / 'cache')})
    assert done.returncode == 0, done.stderr
    for (line, _, expected), printed in zip(found, json.loads(results.read_text()), strict=True):
        check(page, line, printed, expected)


C_BLOCKS = [(page, block) for page in PAGES for block in blocks(page, 'c')]


@pytest.mark.parametrize(('page', 'block'), C_BLOCKS,
                         ids=[f'{name(page)}:{block[0]}' for page, block in C_BLOCKS])
def test_c(page, block, device_name, tmp_path):
    line, text, expected = block
    source = tmp_path / 'program.c'
    source.write_text(text)
    check(page, line, build_and_run(install(), source, device=device_name), expected)


def test_readme_in_cxx(tmp_path):
    _, text, expected = next(blocks(ROOT / 'README.md', 'c'))
    source = tmp_path / 'program.c'
    source.write_text(text)
    assert build_and_run(install(), source, 'c++') == expected


def test_every_block_is_of_a_known_kind():
    faults = []
    for page in PAGES:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            language, *tags = match.group(2).split() or ['']
            if not (language in {'sh', 'yaml', 'cuda', 'text', 'cmake', 'meson', ''} and not tags
                    or language in {'python', 'c'} and set(tags) <= OLD and len(tags) < 2):
                faults.append(f'{name(page)}:{text.count(chr(10), 0, match.start()) + 1}')
    assert not faults, faults


def test_there_is_something_to_run():
    assert len(C_BLOCKS) > 15
    assert pathlib.Path(ROOT / 'docs' / 'c').is_dir()

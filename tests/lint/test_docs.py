"""The documentation names what there is: files, variables, commands, functions."""

import re

from sources import ROOT, all_files, code, complain, files, text

DOCS = [path for path in files('.md') if path.parts[0] != 'build']


def test_links_lead_somewhere():
    faults = []
    for path in DOCS:
        prose = re.sub(r'^ *```.*?^ *```|`[^`\n]+`', '', text(path), flags=re.M | re.DOTALL)
        for target in re.findall(r'\]\(([^)#]+)\)', prose):
            if '://' not in target and not (ROOT / path.parent / target).exists():
                faults.append(f'{path}: {target}')
    complain(faults, 'dead links:')


def test_named_files_exist():
    names = {str(path) for path in all_files()}
    suffixes = '|'.join(('c', 'h', 'def', 'py', 'pyi', 'sh', 'md', 'txt', 'build'))
    faults = []
    for path in DOCS:
        for name in re.findall(rf'`([\w./-]+/[\w.-]+\.(?:{suffixes}))`', text(path)):
            if not any(known == name or known.endswith('/' + name) for known in names):
                faults.append(f'{path}: {name}')
    complain(faults, 'files that are not there:')


def test_environment_is_documented():
    literal = re.compile(r'[\'"]((?:RUNCU|CUDA)_[A-Z_]+)[\'"]')
    used = {name for path in files('.c', '.h', '.py', under=['src/', 'pymodule/'])
            for name in literal.findall(text(path)) if not name.startswith('CUDA_ERROR_')}
    table = text(next(path for path in DOCS if str(path) == 'docs/environment.md'))
    listed = set(re.findall(r'^\| `((?:RUNCU|CUDA)_[A-Z_]+)` \|', table, re.M))
    attributes = {'CUDA_DEBUGGING'}
    complain(sorted(used - listed - attributes), "docs/environment.md lacks:")
    complain(sorted(listed - used), 'variables that nothing reads:')


def test_first_two_commands():
    blocks = re.findall(r'^```sh\n(.*?)^```', text(DOCS[[str(p) for p in DOCS].index('README.md')]),
                        re.M | re.DOTALL)
    assert blocks == ['sh examples/run.sh\n', 'sh tests/run.sh\n']


def test_named_functions_exist():
    known = set()
    for path in files('.h', '.def', under=['include/', 'src/']):
        known |= set(re.findall(r'\brun?cu_\w+', code(path)))
    faults = [f'{path}: {name}' for path in DOCS
              for name in re.findall(r'\b(runcu_[a-z]\w+)\s*\(', text(path)) if name not in known]
    complain(faults, 'functions that are not there:')


def test_layers_are_described():
    described = set(re.findall(r'^\| `(\w+)` \|', (ROOT / 'src' / 'README.md').read_text(), re.M))
    layers = {path.parts[1] for path in files('.c', under=['src/'])}
    assert layers <= described, layers - described

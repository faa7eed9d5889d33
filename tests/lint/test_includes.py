"""A folder of src/ is a layer; includes point one way."""

import re

import pytest
from sources import ROOT, complain, files, without_comments

# layer: what its files may include, by the folder that the include names.
ALLOWED = {
    'src/base': {'base'},
    'src/driver': {'driver', 'base'},
    'src/ptx': {'ptx', 'base'},
    'src/simt': {'simt', 'ptx', 'base'},
    'src/cpu': {'cpu', 'simt', 'ptx', 'driver', 'base'},
    'src/core': {'core', 'driver', 'base', 'runcu'},
    'src/worker': {'core'},
    'pymodule/src': {'runcu'},
    'include/runcu': {'runcu'},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def includes(path):
    """(line, quote, name) of each include of a file."""
    found = without_comments(path)
    return [(found.count('\n', 0, match.start()) + 1, *match.groups())
            for match in INCLUDE.finditer(found)]


def folder(layer, name):
    """The folder an include names; a bare name is a neighbour's."""
    return name.split('/')[0] if '/' in name else layer.split('/')[-1]


@pytest.mark.parametrize('layer', ALLOWED)
def test_direction(layer):
    faults = []
    for path in files('.c', '.h', '.def', '.inc', under=[layer + '/']):
        for line, quote, name in includes(path):
            own = quote == '"' or name.split('/')[0] in ('runcu', 'base', 'driver')
            if own and folder(layer, name) not in ALLOWED[layer]:
                if not (layer == 'pymodule/src' and '/' not in name):
                    faults.append(f'{path}:{line}: {name}')
    complain(faults, f'{layer} may include {", ".join(sorted(ALLOWED[layer]))}:')


def test_no_parent_folders():
    faults = [f'{path}:{line}: {name}' for path in files('.c', '.h', '.def')
              for line, _, name in includes(path) if '..' in name]
    complain(faults, 'an include names a layer, never a way up:')


def test_every_layer_is_listed():
    layers = {'/'.join(path.parts[:2]) for path in files('.c', '.h', under=['src/'])}
    assert layers <= set(ALLOWED), layers - set(ALLOWED)


def test_nothing_of_cuda_is_included():
    faults = [f'{path}:{line}: {name}'
              for path in files('.c', '.h', '.def', under=['src/', 'pymodule/', 'include/'])
              for line, _, name in includes(path)
              if re.match(r'(cuda|nvrtc|cu)[\w]*\.h$', name)]
    complain(faults, "nothing of CUDA's is needed at build time:")


def test_includes_exist():
    roots = [ROOT / 'src', ROOT / 'include', ROOT / 'tests' / 'c', ROOT / 'pymodule' / 'src']
    faults = []
    for path in files('.c', '.h', under=['src/', 'pymodule/', 'include/', 'tests/']):
        places = [ROOT / path.parent, *roots]
        faults += [f'{path}:{line}: {name}' for line, quote, name in includes(path)
                   if quote == '"' and not any((place / name).exists() for place in places)]
    complain(faults, 'no such header:')


def test_own_header_first():
    faults = []
    for path in files('.c', under=['src/', 'pymodule/']):
        own = path.with_suffix('.h')
        names = [name for _, _, name in includes(path)]
        if (ROOT / own).exists() and names and names[0].split('/')[-1] != own.name:
            faults.append(f'{path}: {names[0]} before {own.name}')
    complain(faults, "a file's own header comes first, which shows that it stands alone:")

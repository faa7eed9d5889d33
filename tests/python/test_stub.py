"""`_core.pyi`, the reference, and the extension module say the same, both ways."""

import ast
import importlib.resources
import inspect

import pytest
from runcu import _core

#: Given to every class by the interpreter, or how a class works inside.
INTERNAL = {
    '__doc__',
    '__module__',
    '__dict__',
    '__weakref__',
    '__dictoffset__',
    '__weaklistoffset__',
    '__vectorcalloffset__',
    '__getattr__',
    '__setattr__',
    '__delattr__',
    '__match_args__',
    '__replace__',
    '__reduce__',
    '__release_buffer__',
    '__static_attributes__',
    '__firstlineno__',
}


def read_stub():
    text = importlib.resources.files('runcu').joinpath('_core.pyi').read_text()
    return ast.parse(text)


def names_in(body):
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
    return names


STUB = read_stub()
CLASSES = [node for node in STUB.body if isinstance(node, ast.ClassDef)]
FUNCTIONS = [node for node in STUB.body if isinstance(node, ast.FunctionDef)]


def test_module_and_stub_have_the_same_names():
    public = {name for name in vars(_core) if not name.startswith('_')}
    assert public == names_in(STUB.body)


@pytest.mark.parametrize('node', CLASSES, ids=lambda n: n.name)
def test_class_and_stub_have_the_same_members(node):
    cls = getattr(_core, node.name)
    # What driver.py adds is documented there.
    there = {name for name, v in vars(cls).items() if not inspect.isfunction(v)}
    there = {n for n in there if not inspect.isfunction(getattr(cls, n))} - INTERNAL
    written = names_in(node.body)
    if node.name in ('Diagnostic', 'Step'):
        there = {n for n in there if not n.startswith('__')}
    if not hasattr(bytes, '__buffer__'):  # before Python 3.12 the protocol has no name
        written.discard('__buffer__')
    if '__new__' not in written:
        there.discard('__new__')  # it raises
    assert there == written


def parameters_of(node):
    a = node.args
    names = [p.arg for p in a.posonlyargs + a.args + a.kwonlyargs]
    return [n for n in names if n not in ('self', 'cls')]


def signed_methods():
    for node in FUNCTIONS:
        yield node, getattr(_core, node.name)
    for cls in CLASSES:
        for node in cls.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith('__'):
                member = vars(getattr(_core, cls.name))[node.name]
                if callable(member):
                    yield node, member


@pytest.mark.parametrize('pair', list(signed_methods()), ids=lambda p: p[0].name)
def test_signatures_are_those_of_the_stub(pair):
    node, member = pair
    try:
        signature = inspect.signature(member)
    except ValueError:
        assert node.name.startswith('memset_')
        return
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind not in kinds]
    assert [n for n in names if n not in ('self', 'type')] == parameters_of(node)


def test_everything_public_has_a_docstring():
    for name in names_in(STUB.body):
        member = getattr(_core, name)
        assert inspect.getdoc(member), name

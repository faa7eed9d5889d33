"""Slips with CPython's C API that compile well and leak or crash later."""

import re

from sources import code, complain, files, functions

SOURCES = files('.c', under=['pymodule/src/'])
# Each gives a new reference.
NEW = (r'Py(?:Unicode|Bytes|Long|Float|Bool|Tuple|List|Dict|Set|Object|Memory\w*|Sequence|Number)_'
       r'(?:From\w+|Decode\w*|New\w*|Pack|Call\w*|GetAttr\w*|GetItem(?=String)|Add|Str|Repr|'
       r'Copy\w*|Concat|Format|Multiply|AsUTF8String|Import\w*)')
# Each borrows what it is given, so that a temporary leaks.
BORROWS = [
    (r'PyList_Append\s*\([^,;]+,\s*', 'PyList_Append'),
    (r'PySet_Add\s*\([^,;]+,\s*', 'PySet_Add'),
    (r'PyDict_SetItem(?:String)?\s*\([^,;]+,[^,;]+,\s*', 'PyDict_SetItem'),
    (r'PyObject_SetAttr(?:String)?\s*\([^,;]+,[^,;]+,\s*', 'PyObject_SetAttr'),
    (r'PyObject_SetItem\s*\([^,;]+,[^,;]+,\s*', 'PyObject_SetItem'),
    (r'PyModule_AddObjectRef\s*\([^,;]+,[^,;]+,\s*', 'PyModule_AddObjectRef'),
    (r'PyErr_SetObject\s*\([^,;]+,\s*', 'PyErr_SetObject'),
]
LOCKED = re.compile(
    r'\breturn\b|\bgoto\b|\bPy(Err|Unicode|List|Dict|Tuple|Object|Mem)_\w+\s*\(')


def at(path, match):
    return f'{path}:{code(path).count(chr(10), 0, match.start()) + 1}'


def test_no_temporary_where_a_reference_is_borrowed():
    faults = [f'{at(path, match)}: {name} does not take its argument over'
              for path in SOURCES for pattern, name in BORROWS
              for match in re.finditer(pattern + NEW, code(path))]
    complain(faults, 'these leak:')


def test_no_add_object():
    faults = [at(path, match) for path in SOURCES
              for match in re.finditer(r'\bPyModule_AddObject\s*\(', code(path))]
    complain(faults, 'PyModule_AddObject takes over only on success; take PyModule_AddObjectRef:')


def body_functions():
    return [function for path in SOURCES for function in functions(path)]


def slots(name):
    """(function, its body with the bodies of what it calls) of every type's slot of that name."""
    bodies = {function.name: function.body for function in body_functions()}
    source = '\n'.join(code(path) for path in SOURCES)
    filled = set(re.findall(rf'\bPy_{name},\s*(?:\([\w ]+\*?\)\s*)?(\w+)', source))
    for function in sorted(filled & set(bodies)):
        called = set(re.findall(r'\b(\w+)\s*\(', bodies[function])) & set(bodies)
        yield function, '\n'.join([bodies[function], *(bodies[name] for name in sorted(called))])


def test_dealloc_drops_the_type():
    drop = re.compile(r'Py_DECREF\s*\(\s*(\(PyObject \*\)\s*)?(type|tp|Py_TYPE\s*\()')
    found = list(slots('tp_dealloc'))
    assert len(found) > 4
    faults = [name for name, body in found if not drop.search(body)]
    complain(faults, 'an object of a heap type owns a reference to its type:')


def test_traverse_visits_the_type():
    found = list(slots('tp_traverse'))
    assert found
    faults = [name for name, body in found if 'Py_VISIT(Py_TYPE(' not in body]
    complain(faults, 'traverse of a heap type visits the type:')


def test_collected_types_untrack_first():
    traversed = {name.removesuffix('_traverse') for name, _ in slots('tp_traverse')}
    faults = [name for name, body in slots('tp_dealloc')
              if name.removesuffix('_dealloc') in traversed and 'PyObject_GC_UnTrack' not in body]
    complain(faults, 'dealloc of a collected type untracks before anything else:')


def test_threads_are_let_in_again():
    faults = []
    for function in body_functions():
        begin = len(re.findall(r'Py_BEGIN_ALLOW_THREADS|PyEval_SaveThread\s*\(', function.body))
        end = len(re.findall(r'Py_END_ALLOW_THREADS|PyEval_RestoreThread\s*\(', function.body))
        if begin > end:
            faults.append(function)
        outside = r'Py_BEGIN_ALLOW_THREADS(.*?)Py_END_ALLOW_THREADS'
        for part in re.findall(outside, function.body, re.DOTALL):
            if LOCKED.search(part):
                faults.append(f'{function}: Python is used, or left, without its lock')
    complain(faults, 'without the lock:')


def test_no_interned_state():
    faults = [at(path, match) + ': ' + match.group().strip()[:80] for path in SOURCES
              for match in re.finditer(r'^static (?!const\b)[^(){};=]*\bPyObject \*\w+( = [^;]*)?;',
                                       code(path), re.M)]
    complain(faults, "objects live in the module's state, not in globals:")


def test_multi_phase():
    source = '\n'.join(code(path) for path in SOURCES)
    assert len(re.findall(r'PyMODINIT_FUNC \w+\(void\)\s*\{', source)) == 1
    assert 'PyModuleDef_Init' in source
    assert not re.search(r'\bPyModule_Create\b', source)
    assert not re.search(r'\bPyType_Ready\b', source), 'types are heap types'


def test_numpy_is_set_up_once():
    setup = re.compile(r'\b(_?import_array\w*|PyArray_ImportNumPyAPI)\b')
    imports = [path for path in SOURCES if setup.search(code(path))]
    assert len(imports) == 1, imports

"""Files, functions, lines and parameter lists stay small; who may be larger is named here."""

import re

from sources import code, complain, files, functions, text

LIBRARY = ['src/', 'pymodule/src/']
FILE_LINES = 650
FUNCTION_LINES = 60
PARAMETERS = 5
COLUMNS = 100

# Each a list of cases that would not gain from being cut.
LONG_FUNCTIONS = {}
# Functions that only pass on.
MANY_PARAMETERS = {'simt_vprintf', 'read_shape', 'bind_launch', 'bind_launch_timed'}


def test_files():
    faults = [f'{path}: {lines} lines' for path in files('.c', under=LIBRARY)
              if (lines := text(path).count('\n')) > FILE_LINES]
    complain(faults, f'a .c file has at most {FILE_LINES} lines:')


def test_functions():
    faults = [f'{function}: {function.lines} lines'
              for path in files('.c', '.h', under=LIBRARY) for function in functions(path)
              if function.lines > LONG_FUNCTIONS.get(function.name, FUNCTION_LINES)]
    complain(faults, f'a function has at most {FUNCTION_LINES} lines:')


def test_most_functions_are_short():
    lengths = sorted(function.lines
                     for path in files('.c', under=LIBRARY) for function in functions(path))
    assert lengths[len(lengths) // 2] <= 20, 'half of the functions have at most 20 lines'
    assert len(LONG_FUNCTIONS) <= 10, 'exceptions are a handful'


def may_have_many(function):
    """Inner loops, whose parameters are registers once inlined, and the driver's own functions."""
    return (function.name in MANY_PARAMETERS or 'ALWAYS_INLINE' in function.head
            or re.match(r'(cpu_)?cu[A-Z]', function.name))


def test_parameters():
    faults = [f'{function}: {function.params} parameters'
              for path in files('.c', '.h', under=LIBRARY) for function in functions(path)
              if function.params > PARAMETERS and not may_have_many(function)]
    complain(faults, f'more than {PARAMETERS} parameters make a struct:')


def test_exceptions_are_needed():
    known = {function.name: function for path in files('.c', '.h', under=LIBRARY)
             for function in functions(path)}
    faults = [name for name in LONG_FUNCTIONS
              if name not in known or known[name].lines <= FUNCTION_LINES]
    faults += [name for name in MANY_PARAMETERS
               if name not in known or known[name].params <= PARAMETERS]
    complain(faults, 'exceptions that no longer are any:')


def test_columns():
    faults = [f'{path}:{number}: {len(line)} columns'
              for path in files('.c', '.h', '.py', '.pyi', '.sh', '.cuh')
              for number, line in enumerate(text(path).split('\n'), 1) if len(line) > COLUMNS]
    complain(faults, f'a line has at most {COLUMNS} columns:')


def test_white_space():
    faults = []
    for path in files('.c', '.h', '.def', '.py', '.pyi', '.sh', '.md', '.build', '.cu', '.cuh'):
        lines = text(path).split('\n')
        faults += [f'{path}:{number}: trailing space' for number, line in enumerate(lines, 1)
                   if line != line.rstrip() and '\f' not in line]
        faults += [f'{path}:{number}: tab' for number, line in enumerate(lines, 1)
                   if line.startswith('\t')]
        if lines[-1] or (len(lines) > 2 and not lines[-2]):
            faults.append(f'{path}: ends without a line break, or with an empty line')
    complain(faults, 'white space:')


def test_braces():
    faults = []
    for path in files('.c', '.h', under=[*LIBRARY, 'tests/c/']):
        for number, line in enumerate(code(path).split('\n'), 1):
            if re.match(r'[A-Za-z_].*\)\s*\{', line) and not re.match(r'[A-Z_]+\b', line):
                faults.append(f'{path}:{number}')
    complain(faults, "a function's brace stands on a line of its own:")

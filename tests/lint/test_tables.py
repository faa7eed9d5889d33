"""The .def files: rows in order, columns that fit together, nothing but data and expressions."""

import itertools
import os
import re
import shutil
import subprocess

import pytest
from sources import ROOT, blank, code, complain, files, text, without_comments

TABLES = files('.def', under=['src/', 'include/'])
CC = os.environ.get('CC') or shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')


def split(arguments):
    """The arguments of a macro call: commas in parentheses and strings do not separate."""
    flat = re.sub(r'"(?:\\.|[^"\\])*"', lambda m: '"' + ' ' * (len(m.group()) - 2) + '"', arguments)
    parts, depth, start = [], 0, 0
    for place, char in enumerate(flat):
        depth += (char == '(') - (char == ')')
        if char == ',' and depth == 0:
            parts.append(arguments[start:place].strip())
            start = place + 1
    return [*parts, arguments[start:].strip()]


def rows(source, *macros):
    """(macro, [arguments]) of every row of a table's text, in order."""
    found = []
    for match in re.finditer(rf'^({"|".join(macros)})\(', source, re.M):
        depth, place, quoted = 1, match.end(), False
        while depth:
            char = source[place]
            if char == '"' and source[place - 1] != '\\':
                quoted = not quoted
            depth += (not quoted) * ((char == '(') - (char == ')'))
            place += 1
        found.append((match.group(1), split(source[match.end():place - 1])))
    return found


def table(name, *macros):
    path = next(path for path in TABLES if str(path).endswith(name))
    return [arguments for _, arguments in rows(without_comments(path), *macros)]


def literal(strings):
    """The text of adjacent string literals."""
    return ''.join(re.findall(r'"([^"]*)"', strings))


def repeated(values):
    seen = set()
    return [value for value in values if value in seen or seen.add(value)]


@pytest.mark.parametrize('path', TABLES, ids=str)
def test_columns_are_explained(path):
    opening = re.match(r'/\*.*?\*/', text(path), re.DOTALL)
    assert opening, f'{path} opens with a comment that names its columns'
    macros = set(re.findall(r'^([A-Z_]+)\d?\(', code(path), re.M))
    named = 'Columns' in opening.group() or any(
        re.search(rf'\b{macro}n?\(\w+,', opening.group()) for macro in macros)
    assert macros and named, opening.group()


@pytest.mark.parametrize('path', TABLES, ids=str)
def test_rows_are_data(path):
    faults = [f'{path}:{number}: {line}' for number, line in enumerate(code(path).split('\n'), 1)
              if ';' in line or re.search(r'[{}]', line)]
    complain(faults, 'a row holds data and at most one expression:')


def test_statuses():
    codes = [int(row[0]) for row in table('runcu/error.def', 'RUNCU_STATUS')]
    assert codes == list(range(0, -len(codes), -1)), 'codes go down one by one, for ever'


def test_results():
    found = table('curesult.def', 'CURESULT')
    codes = [int(row[0]) for row in found]
    assert codes == sorted(set(codes))
    assert not repeated(row[1] for row in found)
    classes = {row[3] for row in found}
    assert classes <= {'LogicError', 'LaunchError', 'MemoryError', 'RuntimeError', 'Error'}, classes


def test_attributes():
    found = table('attr.def', 'ATTR')
    ids = [int(row[0]) for row in found]
    assert ids == sorted(ids)
    assert not repeated(row[1] for row in found)


def names_of(parameters):
    """The names of a parenthesised C parameter list."""
    inner = parameters.strip()[1:-1].strip()
    if inner in ('', 'void'):
        return []
    return [re.search(r'(\w+)\s*$', part).group(1) for part in split(inner)]


def test_driver_functions():
    found = table('cuda.def', 'CU')
    faults = [f'{name}: need {need}' for need, name, *_ in found
              if need not in ('REQ', 'OPT', 'OWN')]
    faults += [f'{name}: symbol {symbol}' for need, name, symbol, *_ in found
               if not re.fullmatch(re.escape(name) + r'(_v\d+|_ptsz)?', symbol)]
    faults += [f'{row[1]}: {row[3]} passed on as {row[4]}' for row in found
               if names_of(row[3]) != [part for part in split(row[4].strip()[1:-1]) if part]]
    faults += [f'{name}: twice' for name in repeated(row[1] for row in found)]
    faults += [f'{row[1]}: {row[0]}' for row in found
               if (row[0] == 'OWN') != row[1].startswith('runcu')]
    complain(faults, 'cuda.def:')
    owns = [row[0] == 'OWN' for row in found]
    assert owns == sorted(owns), "the CPU device's own functions come last"


def test_nvrtc_functions():
    found = table('nvrtc.def', 'NVRTC')
    assert {row[0] for row in found} <= {'REQ', 'OPT'}
    assert not repeated(row[2] for row in found)
    assert all(row[2].startswith('nvrtc') for row in found)


@pytest.mark.parametrize(
    'name, macro', [('type.def', 'TYPE'), ('mod.def', 'MOD'), ('sreg.def', 'SREG')])
def test_spellings(name, macro):
    found = table(f'ptx/{name}', macro)
    assert not repeated(row[0] for row in found)
    assert not repeated(row[1] for row in found)
    faults = [f'{row[0]}: {row[1]}' for row in found
              if re.sub(r'\W+', '_', row[1].strip('"')).strip('_').upper() not in
              (row[0].strip('_').upper(), row[0].removeprefix('M_').upper())]
    complain(faults, 'an id is its spelling in capitals:')


def test_modifier_groups_stand_together():
    groups = [row[2] for row in table('ptx/mod.def', 'MOD')]
    assert len(groups) <= 255
    blocks = [group for group, _ in itertools.groupby(groups)]
    assert not repeated(blocks), repeated(blocks)


def test_instructions():
    path = next(path for path in TABLES if str(path).endswith('insn.def'))
    order, faults, last = [], [], None
    for macro, row in rows(without_comments(path), 'OP', 'FORM'):
        if macro == 'OP':
            last = row[0]
            order.append(last)
            if row[1].strip('"').upper() != last:
                faults.append(f'{last}: {row[1]}')
        elif row[0] != last:
            faults.append(f'a form of {row[0]} under {last}')
        elif not re.fullmatch(r'\d+', row[4]) or not re.match(r'\d+', row[5]):
            faults.append(f'{row[0]}: first version {row[4]}, first target {row[5]}')
    complain(faults, 'insn.def:')
    assert order == sorted(set(order)), 'instructions stand in alphabetical order'


def test_forms_ask_for_what_there_is():
    groups = {row[2] for row in table('ptx/mod.def', 'MOD')}
    modifiers = {row[1].strip('"') for row in table('ptx/mod.def', 'MOD')}
    path = next(path for path in TABLES if str(path).endswith('insn.def'))
    faults = []
    for _, row in rows(without_comments(path), 'FORM'):
        for item in literal(row[1]).split():
            for word in item.rstrip('?').split('|'):
                if word.removeprefix('@') not in (groups if word[0] == '@' else modifiers):
                    faults.append(f'{row[0]}: {word}')
    complain(faults, 'insn.def asks for modifiers that mod.def lacks:')


def micro():
    """The rows of micro.def, its macros expanded: (macro, [arguments])."""
    if not CC:
        pytest.skip('no C compiler to expand the macros of micro.def')
    path = ROOT / 'src/simt/micro.def'
    expanded = subprocess.run([CC, '-E', '-P', '-x', 'c', path],
                              capture_output=True, text=True, check=True).stdout
    return rows(re.sub(r'\s(OP[0-9X]\()', r'\n\1', '\n' + expanded), 'OP[0-9X]')


def test_operations():
    found = micro()
    assert len(found) > 300
    faults = [f'{name}: twice' for name in repeated(row[0] for _, row in found)]
    units = {'int', 'flt', 'cvt', 'cmp'}
    for macro, row in found:
        if macro == 'OPX':
            exists = (ROOT / f'src/simt/exec_{row[1]}.c').exists()
            faults += [] if exists else [f'{row[0]}: no exec_{row[1]}.c']
        elif len(row) != 5 + int(macro[2]):
            faults.append(f'{row[0]}: {len(row)} columns')
        elif re.sub(r'_r[zmp]$', '', row[1]) not in units:
            faults.append(f'{row[0]}: unit {row[1]}')
    complain(faults, 'micro.def:')


def test_operations_are_instructions():
    opcodes = {row[1].strip('"') for row in table('ptx/insn.def', 'OP')}
    words = {row[1].strip('"') for row in table('ptx/mod.def', 'MOD')}
    words |= {row[1].strip('"') for row in table('ptx/type.def', 'TYPE')}
    faults = []
    for macro, row in micro():
        if macro == 'OPX':
            continue
        for form in literal(row[2]).split():
            first, *rest = form.split('.')
            unknown = [op for op in first.split('|') if op not in opcodes]
            unknown += [word for item in rest for word in item.rstrip('?').split('|')
                        if word not in words]
            faults += [f'{row[0]}: {form}: {word}' for word in unknown]
    complain(faults, 'micro.def names instructions, modifiers or types that PTX has not:')


def test_undefined_again():
    faults = []
    for path in TABLES:
        source = blank_strings(path)
        defined = re.findall(r'^#define (\w+)', source, re.M)
        undefined = re.findall(r'^#undef (\w+)', source, re.M)
        faults += [f'{path}: {name}' for name in set(defined)
                   if undefined.count(name) != defined.count(name)]
    complain(faults, 'a table is included again and again, so it undefines what it defines:')


def blank_strings(path):
    return re.sub(r'"[^"\n]*"', lambda m: blank(m.group()), without_comments(path))

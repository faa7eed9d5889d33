"""``runcu check``: what the compiler says of a source, for people and for editors."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from . import _cli
from ._core import Program
from ._doctor import is_colored
from ._options import spell

ABOUT = """\
Compiles a CUDA C++ source and shows what the compiler says: place, message, line with a caret, the
includes and the template instances that led there. The exit status is 0 if it compiles, 1 if not.
--json prints an object a line with file, line, column (in characters), severity, number, message,
source, includes and instances."""


def _parser() -> argparse.ArgumentParser:
    parser = _cli.source_parser('check', ABOUT)
    parser.add_argument('--arch', help="sm_90, compute_75, …: by default the device's")
    parser.add_argument(
        '--warn',
        choices=('default', 'error', 'ignore'),
        default='default',
        help='error: a source with warnings does not compile',
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--json', action='store_const', const='json', dest='form')
    form.add_argument('--html', action='store_const', const='html', dest='form')
    parser.add_argument(
        '--color', choices=('auto', 'always', 'never'), default='auto', help='NO_COLOR is heeded'
    )
    return parser


def _compile(found: argparse.Namespace) -> Program:
    given = _cli.source_arguments(found)
    given['options'] = [*given['options'], *spell(_compile, {'warn': found.warn})]
    if found.arch:
        given.update(arch=found.arch, no_device=True)
    with warnings.catch_warnings():  # that there is no GPU does not matter here
        warnings.simplefilter('ignore')
        return Program(**given)


def _refusal(message: str, name: str) -> str:
    """What is wrong with more than a line of the source, as one of the compiler's messages."""
    import json

    fields: dict[str, Any] = {'file': name, 'line': None, 'column': None, 'severity': 'error'}
    fields.update(number=None, message=message, source='', includes=[], instances=[])
    return json.dumps(fields, ensure_ascii=False) + '\n'


def main(args: Sequence[str]) -> int:
    """The command; `args` is what follows its name. The exit status."""
    from . import compiler  # noqa: F401 - which tells where NVRTC may be
    from ._errors import CompileError

    found = _cli.parse(_parser(), args)
    form = found.form or ('color' if is_colored(found.color) else 'text')
    succeeded = False

    def run() -> None:
        nonlocal succeeded
        try:
            program = _compile(found)
        except CompileError as e:
            if form != 'json':
                raise
            sys.stdout.write(_refusal(str(e), found.source))
            return
        sys.stdout.write(program.format(form))
        succeeded = program.succeeded

    status = _cli.guarded(run)
    return status or int(not succeeded)

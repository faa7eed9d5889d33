"""What the commands that take a source have in common: its arguments, its text, their failures."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any


def source_parser(name: str, about: str) -> argparse.ArgumentParser:
    """A parser for ``runcu NAME``; the command adds what is its own."""
    parser = argparse.ArgumentParser(
        prog=f'runcu {name}',
        description=about,
        epilog='Any other option is for the compiler: --use_fast_math, -std=c++20, '
        '--maxrregcount=32 (with "=" where it has a value).',
        allow_abbrev=False,
    )
    parser.add_argument('source', help='a CUDA C++ file; - for standard input')
    parser.add_argument('-D', action='append', default=[], metavar='NAME[=VALUE]', dest='defines')
    parser.add_argument('-I', action='append', default=[], metavar='DIR', dest='include_dirs')
    parser.add_argument(
        '--name',
        action='append',
        default=[],
        metavar='EXPRESSION',
        dest='name_expressions',
        help="an instance of a template to be made: 'axpy<float>'",
    )
    return parser


def parse(parser: argparse.ArgumentParser, args: Sequence[str]) -> argparse.Namespace:
    """Parses; `options` is what is left for the compiler. A usage error exits with status 2."""
    found, rest = parser.parse_known_args(args)
    for word in rest:
        if not word.startswith('-'):
            parser.error(f'{word}: one source, and values of compiler options with "="')
    found.options = [f'-D{d}' for d in found.defines] + rest
    return found


def source_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The source and how to compile it, as `compile_bundle` and its like take them."""
    if args.source == '-':
        text, name = sys.stdin.buffer.read(), None
    else:
        with open(args.source, 'rb') as file:
            text = file.read()
        name = args.source if '/' in args.source else f'./{args.source}'
    return {
        'source': text.decode(errors='replace'),
        'name': name,
        'options': args.options,
        'include_dirs': args.include_dirs,
        'name_expressions': args.name_expressions,
    }


def stem(path: str) -> str:
    """ "kernel" of "src/kernel.cu" and of "-"."""
    return os.path.splitext(os.path.basename(path))[0] if path != '-' else 'kernel'


def guarded(command: Callable[[], None]) -> int:
    """Runs a command; what fails is told on standard error. The exit status."""
    from ._errors import CompileError, Error

    def show(message: object, *rest: Any) -> None:
        print(str(message).rstrip(), file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('once')
            warnings.showwarning = show
            command()
        sys.stdout.flush()
    except CompileError as e:
        print((e.report or str(e)).rstrip(), file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read, in a pipe, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Error, OSError) as e:
        print(f'runcu: {e}', file=sys.stderr)
        return 1
    return 0

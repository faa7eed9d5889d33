"""``runcu compile``: a source for several architectures into one file that loads without NVRTC."""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import _cli
from .compiler import Bundle, compile_bundle

ABOUT = """\
Compiles a CUDA C++ source for several architectures into one file, a bundle, that
driver.module_from_file and runcu_module_load load without NVRTC. sm_90 gives machine code and PTX,
compute_75 PTX alone. A device is given the machine code of its architecture, else the highest one
below it of its generation, else PTX of the highest architecture that it runs: compute_75 is for
every device, the CPU device among them."""


def _describe(bundle: Bundle, path: str) -> str:
    """What a bundle holds, for people."""
    parts = bundle.parts
    lines = [
        f'{path}: {bundle.source_name}, by runcu {bundle.maker}, {len(bytes(bundle)):,} bytes',
        '',
    ]
    width = max(len(p['arch']) for p in parts)
    for p in parts:
        sizes = [f'{k} {len(p[k]):>9,} bytes' for k in ('cubin', 'ptx') if p[k] is not None]
        lines.append(f'  {p["arch"]:{width}}  ' + ', '.join(sizes).replace('ptx', 'PTX'))
    lines += ['', 'kernels:']
    kernels: dict[tuple[str, str], list[str]] = {}
    for p in parts:
        for _, symbol, signature in p['kernels']:
            kernels.setdefault((signature, symbol), []).append(p['arch'])
    for (signature, symbol), archs in kernels.items():
        only = '' if len(archs) == len(parts) else f' (for {", ".join(archs)})'
        lines += [f'  {signature}{only}', f'      {symbol}']
    names = {expression: symbol for p in parts for expression, symbol in p['names'].items()}
    if names:
        lines += ['', 'asked for by name:']
        lines += [f'  {expression}\n      {symbol}' for expression, symbol in names.items()]
    options = {option for p in parts for option in p['options']}
    shared = [o for o in sorted(options) if not o.startswith(('--gpu-architecture', '--no-cache'))]
    return '\n'.join([*lines, '', f'options: {" ".join(shared)}'])


def _write(bundle: Bundle, output: str, header: str | None) -> None:
    if header is None:
        bundle.write(output)
    else:
        bundle.write_header(output, header)
    print(f'{output}: {", ".join(p["arch"] for p in bundle.parts)}')


def main(args: Sequence[str]) -> int:
    """The command; `args` is what follows its name. The exit status."""
    if args and args[0] == '--list':
        if len(args) == 1:
            _cli.source_parser('compile', ABOUT).error('--list needs a bundle')
        return _cli.guarded(
            lambda: print('\n\n'.join(_describe(Bundle.from_file(p), p) for p in args[1:]))
        )
    parser = _cli.source_parser('compile', ABOUT)
    parser.usage = (
        'runcu compile SOURCE --arch ARCH [--arch ARCH...] [-o FILE] [OPTIONS]\n'
        '       runcu compile --list BUNDLE...'
    )
    parser.add_argument(
        '--arch', action='append', default=[], dest='archs', help='sm_80, compute_75, …; repeated'
    )
    parser.add_argument('-o', metavar='FILE', dest='output', help='by default SOURCE.bundle')
    parser.add_argument(
        '--header',
        metavar='NAME',
        help='write C text that defines the array NAME, for programs of a single file',
    )
    parser.add_argument('--list', action='store_true', help='say what bundles hold')
    found = _cli.parse(parser, args)
    if found.list:
        parser.error('--list stands first, and bundles behind it')
    if not found.archs:
        parser.error('which architectures? --arch sm_90 --arch compute_75, say')
    suffix = '.bundle' if found.header is None else '.h'
    output = found.output or _cli.stem(found.source) + suffix

    def run() -> None:
        bundle = compile_bundle(archs=found.archs, **_cli.source_arguments(found))
        _write(bundle, os.fspath(output), found.header)

    return _cli.guarded(run)

"""``runcu cache``: what the folder of compiled programs holds, clearing it, carrying it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from . import _cli, cache

ABOUT = """\
The folder of compiled programs. What `export` writes, `import` takes over elsewhere, each entry
if it is sound; it then serves the same sources, options and NVRTC."""


def _size(count: int) -> str:
    for unit, shift in (('GiB', 30), ('MiB', 20), ('KiB', 10)):
        if count >= 1 << shift:
            return f'{count / (1 << shift):.1f} {unit}'
    return f'{count} bytes'


def _info(args: argparse.Namespace) -> int:
    found = cache.info(args.dir)
    sought = found.hits + found.shared_hits + found.misses
    hits = found.hits + found.shared_hits
    rate = f' of {sought:,} ({100 * hits / sought:.0f} %)' if sought else ''
    where = found.dir or 'none: neither RUNCU_CACHE_DIR nor XDG_CACHE_HOME nor HOME is set'
    only = ' (read-only)' if found.dir and not found.is_writable else ''
    print(f'folder        {where}{only}')
    print(f'second folder {found.shared_dir or "none (RUNCU_CACHE_SHARED)"}')
    print(f'entries       {found.entries:,}, {_size(found.bytes)} of {_size(found.limit)}')
    print(f'CUDA headers  {_size(found.header_bytes)}')
    print(f'found         {hits:,}{rate}')
    if found.shared_hits:
        print(f'              {found.shared_hits:,} of them in the second folder')
    return 0


def _clear(args: argparse.Namespace) -> int:
    count = cache.clear(args.dir)
    print(f'{count:,} entries removed')
    return 0


def _export(args: argparse.Namespace) -> int:
    count = cache.export_file(args.file, args.dir)
    print(f'{args.file}: {count:,} entries')
    return 0


def _import(args: argparse.Namespace) -> int:
    done = cache.import_file(args.file, args.dir)
    print(f'{done.added:,} entries taken over, {done.known:,} known already')
    if done.damaged:
        print(f'{done.damaged:,} damaged: left out')
    return 1 if done.damaged else 0


#: Word, what it does, whether it takes a file, its function.
ACTIONS = (
    ('info', 'says where it is, what it holds, how often something was found', False, _info),
    ('clear', 'removes all entries', False, _clear),
    ('export', 'writes all entries to one file', True, _export),
    ('import', 'takes over the entries of such a file', True, _import),
)


def main(args: Sequence[str]) -> int:
    """The command; `args` is what follows its name. The exit status."""
    parser = argparse.ArgumentParser(prog='runcu cache', description=ABOUT, allow_abbrev=False)
    actions = parser.add_subparsers(required=True, metavar='ACTION')
    for word, about, has_file, function in ACTIONS:
        action = actions.add_parser(word, help=about, description=about, allow_abbrev=False)
        if has_file:
            action.add_argument('file')
        action.add_argument('--dir', help="another folder than the user's own")
        action.set_defaults(function=function)
    found = parser.parse_args(args)
    status = 0

    def run() -> None:
        nonlocal status
        status = found.function(found)

    return _cli.guarded(run) or status

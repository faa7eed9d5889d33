"""``python -m runcu.debug script.py args``: runs a program with kernels for a debugger.

It is ``runcu run --debug``: kernels are compiled with -g and -G, never taken from the cache, and
their source and code are kept. ``cuda-gdb --args python -m runcu.debug script.py`` is the use.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .__main__ import main as command

__all__ = ['main']


def main(argv: Sequence[str] | None = None) -> int:
    """The command. `argv` is what follows its name; the exit status is returned or raised."""
    return command(['run', '--debug', *(sys.argv[1:] if argv is None else argv)])


if __name__ == '__main__':
    sys.exit(main())

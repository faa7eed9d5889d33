"""``runcu doctor``: what is found on this machine, where, and what to do about what is missing."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence

from . import _core

ABOUT = """\
Says which drivers and devices are found, which compiler, headers and libraries, and where; every
place that was tried; what to install for what is missing; which environment variables are set. It
compiles a kernel and runs it on each device. The exit status is 0 if kernels can be compiled, and
run on the device that is used by default, else 1."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='runcu doctor', description=ABOUT, allow_abbrev=False)
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--json', action='store_const', const='json', dest='form')
    form.add_argument('--html', action='store_const', const='html', dest='form')
    parser.add_argument('--no-trial', action='store_true', help='run no kernel')
    parser.add_argument(
        '--color', choices=('auto', 'always', 'never'), default='auto', help='NO_COLOR is heeded'
    )
    return parser


def is_colored(choice: str) -> bool:
    """Whether standard output gets colours: `choice` is "auto", "always" or "never"."""
    if choice != 'auto':
        return choice == 'always'
    return sys.stdout.isatty() and not os.environ.get('NO_COLOR')


def _python() -> dict[str, str]:
    import numpy

    import runcu

    return {
        'runcu': runcu.__version__,
        'path': runcu.__path__[0],
        'python': platform.python_version(),
        'executable': sys.executable,
        'numpy': numpy.__version__,
        'platform': platform.platform(),
    }


def main(args: Sequence[str]) -> int:
    """The command; `args` is what follows its name. The exit status."""
    from . import compiler  # noqa: F401 - which tells where NVRTC may be

    found = _parser().parse_args(args)
    form = found.form or ('color' if is_colored(found.color) else 'text')
    is_well, text = _core.diagnose(form, trial=not found.no_trial)
    about = _python()
    if form == 'json':
        import json

        text = json.dumps({**json.loads(text), 'python': about}, indent=1, ensure_ascii=False)
        print(text)
    elif form == 'html':
        print(text, end='')
    else:
        print(f'runcu {about["runcu"]}, Python {about["python"]}, {about["path"]}')
        print(text, end='')
    return 0 if is_well else 1

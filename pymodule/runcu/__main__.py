"""The command `runcu`, the same as ``python -m runcu``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import CodeType, ModuleType, TracebackType
from typing import Any

USAGE = """\
usage: runcu run [OPTIONS] SCRIPT [ARGS...]
       runcu run [OPTIONS] -m MODULE [ARGS...]
       runcu run [OPTIONS] -c COMMAND [ARGS...]
       runcu run [OPTIONS] -
       runcu compile SOURCE --arch ARCH [--arch ARCH...] [-o FILE] [OPTIONS]
       runcu explain SOURCE [--arch ARCH] [OPTIONS]
       runcu check SOURCE [--arch ARCH] [--json] [--warn error] [OPTIONS]
       runcu cache info | clear | export FILE | import FILE [--dir FOLDER]
       runcu doctor [--json] [--no-trial]
       runcu --help | --version

Build and launch CUDA kernels at run time, on a GPU or without one.

  run      runs a Python program as `python` does, with `import pycuda` meaning runcu
  compile  a source for several architectures into one file that loads without NVRTC
  explain  says what the kernels of a source take: registers, memory, occupancy, PTX by lines
  check    what the compiler says of a source, for people and (--json) for editors
  cache    what is kept of compiled kernels: how much, how often found, to a file and in again
  doctor   says what is found, and where, tries it, and says what to do about what is missing

  --device cpu     the CPU device: no GPU is needed
  --device cuda    NVIDIA's driver; a path: another library with the CUDA Driver API
  --debug          compile kernels for a debugger (cuda-gdb): -g -G, no cache, results kept
"""


#: Commands with a module of their own, whose `main(args)` returns the exit status.
COMMANDS = {
    'cache': '_cache',
    'check': '_check',
    'compile': '_bundle',
    'doctor': '_doctor',
    'explain': '_explain',
}


class UsageError(Exception):
    """The command line cannot be understood."""


# --- runcu run ------------------------------------------------------------------------------------


def _new_main(**attributes: Any) -> ModuleType:
    """A fresh `__main__` in which the program runs; ours stays alive under its own name."""
    import builtins
    import types

    main = types.ModuleType('__main__')
    main.__dict__.update(__builtins__=builtins, __spec__=None, __loader__=None, **attributes)
    sys.modules['__main__'] = main
    return main


def _set_path(first: str) -> None:
    """Puts what Python would into sys.path[0]; ours, which `-m` or the command put there, goes."""
    if not getattr(sys.flags, 'safe_path', False):
        sys.path[0] = first


def _strip(traceback: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that is the program's."""
    ours = {__file__, _new_main.__code__.co_filename}
    while traceback is not None and traceback.tb_frame.f_code.co_filename in ours:
        traceback = traceback.tb_next
    return traceback


def _run(code: CodeType, main: ModuleType) -> None:
    """Runs code as the main program; failures look as under `python`."""
    try:
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as e:
        _report(e)
        if isinstance(e, KeyboardInterrupt):
            _end_by_interrupt()
        raise SystemExit(1) from None


def _report(exception: BaseException) -> None:
    """As an uncaught exception, without the frames that are ours."""
    exception.__traceback__ = _strip(exception.__traceback__)
    sys.excepthook(type(exception), exception, exception.__traceback__)


def _end_by_interrupt() -> None:
    """Ends as Python does after Ctrl-C: by the signal itself, so that the shell knows."""
    import atexit
    import signal

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _compile(source: str | bytes, filename: str) -> CodeType:
    try:
        return compile(source, filename, 'exec')
    except (SyntaxError, ValueError) as e:
        e.__traceback__ = None
        sys.excepthook(type(e), e, None)
        raise SystemExit(1) from None


def _run_found(spec: Any) -> None:
    """Runs a module that the import system has found."""
    code = spec.loader.get_code(spec.name)
    sys.argv[0] = spec.origin
    main = _new_main(__file__=spec.origin, __cached__=spec.cached, __package__=spec.parent)
    main.__spec__ = spec
    main.__loader__ = spec.loader
    _run(code, main)


def _run_command(command: str) -> None:
    sys.argv[0] = '-c'
    _set_path('')
    if sys.version_info >= (3, 13):  # from then on Python shows the lines of -c in tracebacks
        import linecache

        lines = command.splitlines(keepends=True)
        linecache.cache['<string>'] = (len(command), None, lines, '<string>')
    _run(_compile(command, '<string>'), _new_main())


def _run_stdin() -> None:
    sys.argv[0] = '-'
    _set_path('')
    _run(_compile(sys.stdin.buffer.read(), '<stdin>'), _new_main())


def _run_module(name: str) -> None:
    from importlib.util import find_spec

    sys.argv[0] = '-m'
    _set_path(os.getcwd())
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f'{name}.__main__')
    except ImportError as e:
        raise UsageError(f'{name}: {e}') from None
    if spec is None or spec.loader is None:
        raise UsageError(f'no module named {name}')
    _run_found(spec)


def _run_script(path: str) -> None:
    if os.path.isdir(path) or _is_zip(path):
        _run_folder(path)
        return
    try:
        with open(path, 'rb') as file:
            source = file.read()
    except OSError as e:
        raise UsageError(f"can't open file {path!r}: {e.strerror}") from None
    sys.argv[0] = path
    _set_path(os.path.dirname(os.path.realpath(path)))
    _run(_compile(source, path), _new_main(__file__=path, __cached__=None))


def _is_zip(path: str) -> bool:
    import zipfile

    return os.path.isfile(path) and zipfile.is_zipfile(path)


def _run_folder(path: str) -> None:
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec('__main__', [path])
    if spec is None:
        raise UsageError(f"can't find '__main__' module in {path!r}")
    sys.path[0] = path
    _run_found(spec)


def _choose_device(name: str) -> None:
    known = name in ('cpu', 'cuda') or '/' in name
    if not known:
        raise UsageError(f'--device {name}: cpu, cuda or the path of a library')
    os.environ['RUNCU_DEVICE'] = name  # for the program's own children too


def _take_option(args: list[str]) -> None:
    """Takes one option from the front of the arguments, and does what it says."""
    option, _, value = args.pop(0).partition('=')
    if option == '--debug' and not value:
        from runcu import driver

        driver.set_debugging()
        return
    if option != '--device':
        raise UsageError(f'unknown option {option}')
    if not value and not args:
        raise UsageError('--device needs a name')
    _choose_device(value or args.pop(0))


def run(args: Sequence[str]) -> int:
    """``runcu run``: `args` is what follows the word."""
    from runcu import install_as_pycuda

    args = list(args)
    while args and args[0].startswith('--'):
        _take_option(args)
    if not args:
        raise UsageError('what is to be run?')
    what = args.pop(0)
    if what in ('-c', '-m') and not args:
        raise UsageError(f'{what} needs an argument')
    if what.startswith('-') and what not in ('-', '-c', '-m'):
        raise UsageError(f'unknown option {what}')
    install_as_pycuda()
    subject = args.pop(0) if what in ('-c', '-m') else what
    sys.argv[:] = [subject, *args]
    if what == '-c':
        _run_command(subject)
    elif what == '-m':
        _run_module(subject)
    elif what == '-':
        _run_stdin()
    else:
        _run_script(subject)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command. `argv` is what follows its name; the exit status is returned or raised."""
    args = sys.argv[1:] if argv is None else list(argv)
    try:
        if args and args[0] == 'run':
            return run(args[1:])
        if args and args[0] in COMMANDS:
            return import_module(f'runcu.{COMMANDS[args[0]]}').main(args[1:])
        if args and args[0] in ('--version', '-V'):
            import runcu

            print(f'runcu {runcu.__version__}')
            return 0
        if args and args[0] in ('--help', '-h', 'help'):
            print(USAGE, end='')
            return 0
        raise UsageError(f'unknown command {args[0]}' if args else 'a command is needed')
    except UsageError as e:
        print(f'runcu: {e}\n{USAGE}', end='', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())

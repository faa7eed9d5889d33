"""The exceptions of the driver interface, in PyCUDA's families, and the warnings.

They are public as attributes of `runcu.driver`, which is the module that they claim to be from.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

__all__ = [
    'ArgumentError',
    'CompileError',
    'CompileWarning',
    'DeviceWarning',
    'Error',
    'LaunchError',
    'LogicError',
    'MemoryError',
    'RuntimeError',
]


class Error(Exception):
    """Something that the driver or the library refused.

    Attributes
    ----------
    code : int
        The driver's CUresult; 0 if the driver was not involved.
    name : str
        Its name, such as "CUDA_ERROR_OUT_OF_MEMORY", or "".
    routine, function : str
        The driver's function that failed, such as "cuMemAlloc", or "".
    launches : tuple of str
        Where a kernel went wrong that was launched earlier: the last launches in its context, one
        of which has caused it, the newest first, as ``'saxpy<<<4, 256>>>(2, 0x7f0000000200, 9)'``.
    """

    code = 0
    name = ''
    routine = ''
    launches: tuple[str, ...] = ()

    @property
    def function(self) -> str:
        return self.routine


class MemoryError(Error):
    """The device is out of memory."""


class LogicError(Error):
    """The program asked for something impossible, or a kernel went wrong."""


class LaunchError(Error):
    """A kernel could not be launched, or failed in a way that the device does not explain."""


class RuntimeError(Error):
    """What is needed is missing: a driver, a device, NVRTC, code for the device, a file."""


class ArgumentError(LogicError, TypeError, ValueError):
    """An argument does not fit: of a kernel its number, kind or size; block, grid or an option."""


class CompileError(Error):
    """A source that does not compile.

    Attributes
    ----------
    msg : str
        What failed.
    command_line : list of str
        The compiler and its options.
    stdout, stderr : str or None
        What the compiler said; NVRTC's log is `stderr`.
    diagnostics : tuple of runcu.compiler.Diagnostic
        The compiler's messages one by one: severity, file, line, column, text, source line, and
        the way by includes and templates that led there.
    """

    def __init__(
        self,
        msg: str,
        command_line: Sequence[str] = (),
        stdout: str | None = None,
        stderr: str | None = None,
        diagnostics: Sequence[Any] = (),
        report: str | None = None,
        html: str | None = None,
    ):
        super().__init__(msg, command_line)
        self.msg = msg
        self.command_line = command_line
        self.stdout = stdout
        self.stderr = stderr
        self.diagnostics = diagnostics
        self.report = report
        self.html = html

    def __str__(self) -> str:
        text = self.msg
        if self.report:
            text += f'\n{self.report.rstrip()}'
        if self.command_line:
            try:
                text += f'\n[command: {" ".join(self.command_line)}]'
            except builtins.TypeError:
                text += f'\n[command: {self.command_line}]'
        if self.stdout:
            text += f'\n[stdout:\n{self.stdout}]'
        if self.stderr and not self.report:
            text += f'\n[stderr:\n{self.stderr}]'
        return text


    def _repr_html_(self) -> str:
        """For notebooks: the messages in colour."""
        import html

        return f'<pre>{html.escape(self.msg)}</pre>\n' + (
            self.html or f'<pre>{html.escape(self.stderr or "")}</pre>'
        )


class CompileWarning(UserWarning):
    """Something that the compiler says of a source that it compiles."""


class DeviceWarning(UserWarning):
    """Something about the device that is used, such as that there is no GPU."""


for _name in __all__:
    globals()[_name].__module__ = 'runcu.driver'
del _name

"""Compiler options as keyword arguments: `maxrregcount=32`, `define={'N': 4}`.

Which there are is known to the C library; here values become text.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from . import _core
from ._errors import CompileError

if TYPE_CHECKING:
    _Path = str | os.PathLike[str]
    _Paths = _Path | Iterable[_Path]
    _Number = int | str
    _Macro = str | int | float | bool | None


class CompilerOptions(TypedDict, total=False):
    """Keyword arguments that are options of the compiler, by their names in NVRTC's manual.

    A true flag is given, a false one is not; a list gives its option once for each item. Others
    are known too: those of nvcc that mean nothing here are dropped, or refused with a reason.
    ``pch=True`` keeps precompiled headers as long as the process lives: it makes the first source
    slower, and pays from about the fourth one with the same large headers.
    `warn` is ours: 'error' makes an error of every warning, 'ignore' drops them.
    """

    Ofast_compile: str
    Werror: str
    brief_diagnostics: bool
    builtin_initializer_list: bool
    builtin_move_forward: bool
    debug: bool
    define: str | Iterable[str] | Mapping[str, _Macro]
    device_debug: bool
    device_float128: bool
    device_int128: bool
    diag_error: _Number | Iterable[_Number]
    diag_suppress: _Number | Iterable[_Number]
    diag_warn: _Number | Iterable[_Number]
    disable_warnings: bool
    display_error_number: bool
    dlto: bool
    dopt: str
    extra_device_vectorization: bool
    fmad: bool
    ftz: bool
    generate_line_info: bool
    include_path: _Paths
    lineinfo: bool
    maxrregcount: int
    minimal: bool
    modify_stack_limit: bool
    no_display_error_number: bool
    no_source_include: bool
    opt_info: str
    pre_include: _Paths
    pch: bool
    prec_div: bool
    prec_sqrt: bool
    ptxas_options: str | Iterable[str]
    rdc: bool
    relocatable_device_code: bool
    restrict: bool
    split_compile: int
    std: str
    undefine: str | Iterable[str]
    use_fast_math: bool
    warn: Literal['default', 'error', 'ignore']


def _explain(function: Callable[..., Any], name: Any, error: Exception) -> TypeError:
    import difflib

    code = function.__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    near = difflib.get_close_matches(str(name), own, 1, 0.8)
    hint = f'did you mean {near[0]!r}?' if near else str(error)
    where = function.__qualname__.removesuffix('.__init__')
    return TypeError(f'{where}() got an unexpected keyword argument {name!r}: {hint}')


def _text(name: str, value: Any) -> str:
    """What stands after the option."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        if isinstance(text, str):
            return text
    elif hasattr(value, '__index__'):
        return str(operator.index(value))
    raise TypeError(
        f'{name} must be a str, int, bool or path, or a list of them, not {type(value).__name__}'
    )


def _macros(name: str, values: Mapping[Any, Any]) -> list[str]:
    """Names with values; None and True only define, False does not."""
    macros = []
    for macro, value in values.items():
        if not isinstance(macro, str):
            raise TypeError(f'{name}: names are str, not {type(macro).__name__}')
        if value is None or value is True:
            macros.append(macro)
        elif value is not False:
            macros.append(f'{macro}={value if isinstance(value, float) else _text(name, value)}')
    return macros


def _items(name: str, value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return _macros(name, value)
    if isinstance(value, (str, bytes, os.PathLike)) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _spell(name: str, value: Any, option: tuple[str, str | None, bool, str]) -> list[str]:
    spelling, joint, is_flag, _ = option
    if value is None:
        return []
    if is_flag and isinstance(value, bool):
        return [spelling] if value else []
    if joint is None:
        raise TypeError(f'{name} is True or False, not {value!r}')
    if isinstance(value, Mapping) and spelling not in ('-D', '-define-macro'):
        raise TypeError(f'{name} takes no dict')
    return [f'{spelling}{joint}{_text(name, item)}' for item in _items(name, value)]


#: What becomes of the compiler's warnings.
_WARN = {'default': [], 'error': ['-Werror=all-warnings'], 'ignore': ['-w']}


def _warn(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, str) or value not in _WARN:
        raise ValueError(f"warn must be 'default', 'error' or 'ignore', not {value!r}")
    return _WARN[value]


def spell(function: Callable[..., Any], keywords: Mapping[str, Any]) -> list[str]:
    """The options that keyword arguments of `function` mean.

    Raises
    ------
    TypeError
        There is no such option, or its value is none: what was meant is named.
    """
    options: list[str] = []
    for name, value in keywords.items():
        if name == 'warn':
            options += _warn(value)
            continue
        try:
            option = _core.option_find(name)
        except (CompileError, TypeError) as e:
            raise _explain(function, name, e) from None
        options += _spell(name, value, option)
    return options

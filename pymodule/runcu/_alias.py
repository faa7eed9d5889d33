"""Makes ``import pycuda`` mean this package: every `pycuda.X` is `runcu.X`, one module object."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

__all__ = ['install_as_pycuda']

_PACKAGE = __name__.rpartition('.')[0]

#: Modules under another name here.
_RENAMED = {'_driver': 'driver'}

_REFUSED = {
    'gl': 'sharing memory with OpenGL is not offered',
    'sparse': 'PyCUDA itself announced its removal in 2015; use scipy.sparse or CuPy',
}


def _is_absent(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is None


class _Loader:
    """Gives a module that is there already, as it is."""

    def __init__(self, name: str):
        self._name = name

    def create_module(self, spec: Any) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__  # the import system is about to overwrite it
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _Finder:
    """Answers for `pycuda` and everything below it."""

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:
        top, _, rest = fullname.partition('.')
        if top != 'pycuda':
            return None
        first = rest.partition('.')[0]
        if first in _REFUSED:
            raise ImportError(f'{fullname}: {_REFUSED[first]}', name=fullname)
        name = f'{_PACKAGE}.{_RENAMED.get(rest, rest)}' if rest else _PACKAGE
        if name not in sys.modules and _is_absent(name):
            raise ModuleNotFoundError(f'runcu has no {rest!r} (for {fullname})', name=fullname)
        is_package = hasattr(sys.modules.get(name), '__path__')
        return importlib.machinery.ModuleSpec(
            fullname,
            _Loader(name),  # type: ignore[arg-type]
            is_package=is_package,
        )


def install_as_pycuda() -> None:
    """Makes ``import pycuda`` and everything below it mean runcu in this process.

    Raises
    ------
    ImportError
        The real PyCUDA has been imported already.
    """
    present = sys.modules.get('pycuda')
    if present is not None and present is not sys.modules[_PACKAGE]:
        raise ImportError(
            f'PyCUDA has been imported already, from {getattr(present, "__file__", "?")}: '
            'call install_as_pycuda() before anything imports pycuda'
        )
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)

"""Makes ``import pycuda`` mean this package: every `pycuda.X` is `runcu.X`, one module object."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
from types import ModuleType
from typing import Any

__all__ = ['install_as_pycuda']

_PACKAGE = __name__.rpartition('.')[0]

#: Modules under another name here.
_RENAMED = {'_driver': 'driver'}

_SPAWN = 'multiprocessing.spawn'

_REFUSED = {
    'gl': 'sharing memory with OpenGL is not offered',
    'sparse': 'PyCUDA itself announced its removal in 2015; use scipy.sparse or CuPy',
}


def _is_absent(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is None


class _Message:
    """Part of what a process tells a child that multiprocessing spawns: it says `pycuda` there."""

    def __reduce__(self) -> Any:
        package = sys.modules[_PACKAGE]
        folder = os.path.dirname(os.path.dirname(os.path.abspath(package.__file__ or '')))
        code = (
            'import sys\ntry:\n    import runcu\nexcept ImportError:\n'
            f'    sys.path.append({folder!r})\n    import runcu\nruncu.install_as_pycuda()\n'
        )
        if package.driver.CUDA_DEBUGGING:
            code += 'runcu.driver.set_debugging()\n'
        return exec, (code,)


def _teach_children(spawn: ModuleType) -> None:
    """Lets children know before they import the main program. `spawn`: multiprocessing's module."""
    plain: Any = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {'runcu': _Message(), **plain(name)}

    spawn.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]


class _SpawnLoader:
    """Loads multiprocessing.spawn as its own loader does, and teaches it."""

    def __init__(self, loader: Any):
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _teach_children(module)


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
        if fullname == _SPAWN:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            if spec is not None:
                spec.loader = _SpawnLoader(spec.loader)  # type: ignore[assignment]
            return spec
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

    And in processes that multiprocessing spawns from it.

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
        if _SPAWN in sys.modules:
            _teach_children(sys.modules[_SPAWN])

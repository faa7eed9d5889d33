"""The folder of compiled programs: what it holds, clearing it, carrying it elsewhere.

What is compiled is looked up by source, headers, options and NVRTC's build, first in the user's own
folder (`cache_dir=` of `runcu.SourceModule`, ``RUNCU_CACHE_DIR``, ``PYCUDA_CACHE_DIR``,
``~/.cache/runcu``), then, if there is one, in a second that is only read (``RUNCU_CACHE_SHARED``):
a team's, or one that lies in an image. Any number of processes may use a folder at once, whatever
is done to it here.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from . import _core

__all__ = ['Imported', 'Info', 'clear', 'export_file', 'import_file', 'info']


class Info(NamedTuple):
    """What a folder holds."""

    #: Absolute; '' if the environment names none.
    dir: str
    #: That of ``RUNCU_CACHE_SHARED``, or ''.
    shared_dir: str
    #: Whether it can be written, or made.
    is_writable: bool
    #: One a source, whatever the number of architectures.
    entries: int
    #: Of all entries.
    bytes: int
    #: Bytes beyond which those longest out of use go (``RUNCU_CACHE_SIZE``); 0: nothing is kept.
    limit: int
    #: Of CUDA's headers, unpacked from NVRTC; beside the limit.
    header_bytes: int
    #: Sources found there since the folder was made or cleared, by all processes, but for those
    #: that a process had lately.
    hits: int
    #: Sources found in the second folder.
    shared_hits: int
    #: Sources compiled because they were in neither.
    misses: int


class Imported(NamedTuple):
    """What became of the entries of a file."""

    #: New, or with new architectures.
    added: int
    #: There already.
    known: int
    #: Not believed, and left out.
    damaged: int


def _folder(dir: Any) -> str | None:
    if dir is None and 'RUNCU_CACHE_DIR' not in os.environ:
        dir = os.environ.get('PYCUDA_CACHE_DIR')
    return None if dir is None else os.fspath(dir)


def info(dir: Any = None) -> Info:
    """Tells what a folder holds.

    Parameters
    ----------
    dir : path, optional
        By default the user's own. One that does not exist is empty.
    """
    return Info(**_core.cache_info(_folder(dir)))


def clear(dir: Any = None) -> int:
    """Removes all entries, and what this process has had lately.

    CUDA's headers and files of other names stay.

    Parameters
    ----------
    dir : path, optional
        By default the user's own.

    Returns
    -------
    int
        How many entries there were.

    Raises
    ------
    runcu.driver.RuntimeError
        Some could not be removed.
    """
    return _core.cache_clear(_folder(dir))


def export_file(path: Any, dir: Any = None) -> int:
    """Writes all sound entries to one file, for `import_file` here or on another machine.

    Parameters
    ----------
    path : path
        The file, which is replaced whole or not at all.
    dir : path, optional
        By default the user's own.

    Returns
    -------
    int
        How many entries were written.

    Raises
    ------
    runcu.driver.RuntimeError
        The file cannot be written.
    """
    return _core.cache_export(path, _folder(dir))


def import_file(path: Any, dir: Any = None) -> Imported:
    """Takes over the entries of a file that `export_file` wrote, each if it is sound.

    Code is taken on trust: a checksum tells damage, not malice.

    Parameters
    ----------
    path : path
        The file.
    dir : path, optional
        By default the user's own. Entries longest out of use go if there are too many.

    Raises
    ------
    runcu.driver.RuntimeError
        The file cannot be read, or the folder not be written.
    runcu.driver.LogicError
        It is no such file.
    """
    return Imported(**_core.cache_import(path, _folder(dir)))

"""Memory pools beyond what the extension module has of them.

What is public of it is so as `runcu.tools` and `runcu.driver`.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from ._core import (
    DeviceMemoryPool,
    HostAllocation,
    HostMemoryPool,
    PooledDeviceAllocation,
    mem_get_info,
)

__all__ = ['DebugMemoryPool', 'PageLockedAllocator', 'PageLockedMemoryPool']


class PageLockedAllocator:
    """How a `PageLockedMemoryPool` allocates: `flags` of `driver.host_alloc_flags`."""

    def __init__(self, flags: int = 0) -> None:
        self.flags = flags

    def allocate(self, size: int) -> HostAllocation:
        """Page-locked memory of `size` bytes that belongs to no pool."""
        return HostAllocation(size, self.flags)


class PageLockedMemoryPool(HostMemoryPool):
    """Page-locked host memory that is kept when the arrays made of it are gone.

    Parameters
    ----------
    allocator : PageLockedAllocator, optional
        Says with which flags to allocate.
    """

    def __init__(self, allocator: PageLockedAllocator | None = None) -> None:
        if allocator is not None and not isinstance(allocator, PageLockedAllocator):
            raise TypeError(
                f'allocator must be a PageLockedAllocator, not {type(allocator).__name__}'
            )
        super().__init__(allocator.flags if allocator else 0)

    def allocate(self, shape: Any, dtype: Any, order: Any = 'C', stream: Any = None) -> np.ndarray:
        """A host array in page-locked memory, with whatever it contains.

        Parameters
        ----------
        shape : int or sequence of int
        dtype : dtype
        order : {'C', 'F'}
        stream : Stream, optional
            As in `DeviceMemoryPool.allocate`.

        Returns
        -------
        numpy.ndarray
            Its `base` is the `PooledHostAllocation`, which goes back to the pool with the last
            array of it.
        """
        dtype = np.dtype(dtype)
        shape = tuple(shape) if np.ndim(shape) else (int(shape),)
        count = 1
        for extent in shape:
            if extent < 0:
                raise ValueError(f'negative dimensions are not allowed: {shape}')
            count *= int(extent)
        memory: Any = self.allocate_block(max(count * dtype.itemsize, 1), stream)
        return np.ndarray(shape, dtype, buffer=memory, order=order)


class DebugMemoryPool(DeviceMemoryPool):
    """A `DeviceMemoryPool` that tells of each allocation what is in use, and from where.

    Parameters
    ----------
    interactive : bool
        Ask on the terminal for a name of each new place, and wait for Enter before each allocation.
    logfile : file, optional
        Where it is told; by default standard output.

    Attributes
    ----------
    stacktrace_mnemonics : dict
        The names that were given, by function names of the stack and size.
    """

    def __init__(self, interactive: bool = True, logfile: Any = None) -> None:
        super().__init__()
        self.last_free = mem_get_info()[0]
        self.interactive = interactive
        self.logfile = sys.stdout if logfile is None else logfile
        self.blocks: Any = weakref.WeakKeyDictionary()
        self.stacktrace_mnemonics: dict[Any, str] = {}

    def allocate(self, size: Any, stream: Any = None) -> PooledDeviceAllocation:
        """As `DeviceMemoryPool.allocate`, after telling of the blocks in use."""
        import traceback

        stack = tuple(frame.name for frame in traceback.extract_stack()[:-1])
        description = self.describe(stack, size)
        self._tell(size, description)
        if self.interactive:
            self._ask('  [Enter]')
        block = super().allocate(size, stream)
        self.blocks[block] = size, description
        self.last_free = mem_get_info()[0]
        return block

    def describe(self, stack: tuple[str, ...], size: Any) -> str:
        """The name of a place: the one it was given, or the names of the functions."""
        if not self.interactive:
            return '|'.join(stack)
        if (stack, size) not in self.stacktrace_mnemonics:
            import traceback

            print(size, stack, file=self.logfile)
            name = self._ask('Enter mnemonic or [Enter] for more info:')
            while not name and self.interactive:
                traceback.print_stack(file=self.logfile)
                name = self._ask('Enter mnemonic or [Enter] for more info:')
            self.stacktrace_mnemonics[stack, size] = name or '|'.join(stack)
        return self.stacktrace_mnemonics[stack, size]

    def _ask(self, prompt: str) -> str:
        """An answer; where nobody is there to give one, nobody is asked again."""
        try:
            return input(prompt)
        except EOFError:
            self.interactive = False
            return ''

    def _tell(self, size: Any, description: str) -> None:
        free, total = mem_get_info()
        print(
            f'\n  Allocation of size {size} occurring '
            f'(mem: last_free:{self.last_free}, free: {free}, total:{total}) '
            f'(pool: held:{self.held_blocks}, active:{self.active_blocks}):'
            f'\n      at: {description}',
            file=self.logfile,
        )
        blocks = list(self.blocks.values())
        for block_size, place in sorted(set(blocks)):
            count = blocks.count((block_size, place))
            print(f'  {place} ({block_size} bytes): {count}x', file=self.logfile)

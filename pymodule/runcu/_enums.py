"""Enumerations and flags of the driver.

Values are ints whose `str` is the bare name, as programs written for PyCUDA print and sort them;
classes have the dicts `names` and `values`. Device and function attributes are made in `driver`,
from the C library's table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Enum(int):
    """Base of the enumerations.

    Attributes
    ----------
    names : dict
        Members by name.
    values : dict
        Members by number; where two have the same, the first.
    """

    names: dict[str, Enum] = {}
    values: dict[int, Enum] = {}
    name: str

    def __new__(cls, value: int) -> Any:
        try:
            return cls.values[int(value)]
        except KeyError:
            raise ValueError(f'{int(value)} is no {cls.__name__}') from None

    def __repr__(self) -> str:
        return f'{type(self).__module__}.{type(self).__name__}.{self.name}'

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return type(self), (int(self),)


def make(name: str, members: Iterable[tuple[str, int]], doc: str) -> Any:
    """A new enumeration of `members`, pairs of a name and a number."""
    cls: Any = type(name, (Enum,), {'__doc__': doc, '__module__': 'runcu.driver'})
    cls.names, cls.values = {}, {}
    for member_name, number in members:
        member: Any = int.__new__(cls, number)
        member.name = member_name
        cls.names[member_name] = member
        cls.values.setdefault(number, member)
        setattr(cls, member_name, member)
    return cls


def _make(name: str, doc: str, **members: int) -> Any:
    return make(name, members.items(), doc)


compute_mode = _make(
    'compute_mode',
    'Who may use a device.',
    DEFAULT=0,
    EXCLUSIVE=1,
    PROHIBITED=2,
    EXCLUSIVE_PROCESS=3,
)
ctx_flags = _make(
    'ctx_flags',
    'How a context waits and what it offers.',
    SCHED_AUTO=0,
    SCHED_SPIN=1,
    SCHED_YIELD=2,
    SCHED_BLOCKING_SYNC=4,
    BLOCKING_SYNC=4,
    SCHED_MASK=7,
    MAP_HOST=8,
    LMEM_RESIZE_TO_MAX=16,
    FLAGS_MASK=0xFF,
)
event_flags = _make(
    'event_flags',
    'What an event is for.',
    DEFAULT=0,
    BLOCKING_SYNC=1,
    DISABLE_TIMING=2,
    INTERPROCESS=4,
)
limit = _make(
    'limit',
    'Limits of a context.',
    STACK_SIZE=0,
    PRINTF_FIFO_SIZE=1,
    MALLOC_HEAP_SIZE=2,
    DEV_RUNTIME_SYNC_DEPTH=3,
    DEV_RUNTIME_PENDING_LAUNCH_COUNT=4,
    MAX_L2_FETCH_GRANULARITY=5,
    PERSISTING_L2_CACHE_SIZE=6,
)
func_cache = _make(
    'func_cache',
    'How a kernel divides cache and shared memory.',
    PREFER_NONE=0,
    PREFER_SHARED=1,
    PREFER_L1=2,
    PREFER_EQUAL=3,
)
shared_config = _make(
    'shared_config',
    'Width of shared memory banks, which no device of today lets programs choose.',
    DEFAULT_BANK_SIZE=0,
    FOUR_BYTE_BANK_SIZE=1,
    EIGHT_BYTE_BANK_SIZE=2,
)
host_alloc_flags = _make(
    'host_alloc_flags',
    'What page-locked memory offers.',
    PORTABLE=1,
    DEVICEMAP=2,
    WRITECOMBINED=4,
)
memory_type = _make('memory_type', 'Where memory is.', HOST=1, DEVICE=2, ARRAY=3, UNIFIED=4)
jit_option = _make(
    'jit_option',
    "Options of the driver's assembler.",
    MAX_REGISTERS=0,
    THREADS_PER_BLOCK=1,
    WALL_TIME=2,
    INFO_LOG_BUFFER=3,
    INFO_LOG_BUFFER_SIZE_BYTES=4,
    ERROR_LOG_BUFFER=5,
    ERROR_LOG_BUFFER_SIZE_BYTES=6,
    OPTIMIZATION_LEVEL=7,
    TARGET_FROM_CUCONTEXT=8,
    TARGET=9,
    FALLBACK_STRATEGY=10,
)
jit_fallback = _make(
    'jit_fallback',
    'What to load where no code fits the device.',
    PREFER_PTX=0,
    PREFER_BINARY=1,
)

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
    COREDUMP_ENABLE=32,
    USER_COREDUMP_ENABLE=64,
    SYNC_MEMOPS=128,
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
stream_flags = _make(
    'stream_flags',
    'What a stream waits for.',
    DEFAULT=0,
    NON_BLOCKING=1,
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
    SHMEM_SIZE=7,
    CIG_ENABLED=8,
    CIG_SHMEM_FALLBACK_ENABLED=9,
    PER_BLOCK_MEMORY_SIZE=10,
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
mem_host_register_flags = _make(
    'mem_host_register_flags',
    'What host memory offers once it is registered.',
    PORTABLE=1,
    DEVICEMAP=2,
    IOMEMORY=4,
    READ_ONLY=8,
)
mem_advise = _make(
    'mem_advise',
    'How managed memory will be used.',
    SET_READ_MOSTLY=1,
    UNSET_READ_MOSTLY=2,
    SET_PREFERRED_LOCATION=3,
    UNSET_PREFERRED_LOCATION=4,
    SET_ACCESSED_BY=5,
    UNSET_ACCESSED_BY=6,
)
mem_attach_flags = _make(
    'mem_attach_flags',
    'Who may use managed memory.',
    GLOBAL=1,
    HOST=2,
    SINGLE=4,
)
ipc_mem_flags = _make(
    'ipc_mem_flags',
    'How memory of another process is opened.',
    LAZY_ENABLE_PEER_ACCESS=1,
)
memory_type = _make('memory_type', 'Where memory is.', HOST=1, DEVICE=2, ARRAY=3, UNIFIED=4)
pointer_attribute = _make(
    'pointer_attribute',
    'What can be asked of an address.',
    CONTEXT=1,
    MEMORY_TYPE=2,
    DEVICE_POINTER=3,
    HOST_POINTER=4,
    P2P_TOKENS=5,
    SYNC_MEMOPS=6,
    BUFFER_ID=7,
    IS_MANAGED=8,
    DEVICE_ORDINAL=9,
    IS_LEGACY_CUDA_IPC_CAPABLE=10,
    RANGE_START_ADDR=11,
    RANGE_SIZE=12,
    MAPPED=13,
    ALLOWED_HANDLE_TYPES=14,
    IS_GPU_DIRECT_RDMA_CAPABLE=15,
    ACCESS_FLAGS=16,
    MEMPOOL_HANDLE=17,
    MAPPING_SIZE=18,
    MAPPING_BASE_ADDR=19,
    MEMORY_BLOCK_ID=20,
    IS_HW_DECOMPRESS_CAPABLE=21,
    LOCALITY_DOMAIN_ORDINAL=22,
)
array_format = _make(
    'array_format',
    'What the elements of an array are.',
    UNSIGNED_INT8=1,
    UNSIGNED_INT16=2,
    UNSIGNED_INT32=3,
    SIGNED_INT8=8,
    SIGNED_INT16=9,
    SIGNED_INT32=10,
    HALF=16,
    FLOAT=32,
)
array3d_flags = make(
    'array3d_flags',
    [
        ('ARRAY3D_2DARRAY', 1),
        ('ARRAY3D_LAYERED', 1),
        ('ARRAY3D_SURFACE_LDST', 2),
        ('ARRAY3D_CUBEMAP', 4),
        ('ARRAY3D_TEXTURE_GATHER', 8),
        ('ARRAY3D_DEPTH_TEXTURE', 16),
        ('ARRAY3D_COLOR_ATTACHMENT', 32),
        ('ARRAY3D_SPARSE', 64),
        ('ARRAY3D_DEFERRED_MAPPING', 128),
        ('2DARRAY', 1),
        ('LAYERED', 1),
        ('SURFACE_LDST', 2),
        ('CUBEMAP', 4),
        ('TEXTURE_GATHER', 8),
    ],
    'What an array is for.',
)
address_mode = _make(
    'address_mode',
    'What a texture gives beyond its edge.',
    WRAP=0,
    CLAMP=1,
    MIRROR=2,
    BORDER=3,
)
filter_mode = _make('filter_mode', 'How a texture is read between texels.', POINT=0, LINEAR=1)
array_cubemap_face = _make(
    'array_cubemap_face',
    "The layers of a cube map's array.",
    POSITIVE_X=0,
    NEGATIVE_X=1,
    POSITIVE_Y=2,
    NEGATIVE_Y=3,
    POSITIVE_Z=4,
    NEGATIVE_Z=5,
)
resource_view_format = _make(
    'resource_view_format',
    'As what a texture sees the elements of an array.',
    NONE=0,
    UINT_1X8=1,
    UINT_2X8=2,
    UINT_4X8=3,
    SINT_1X8=4,
    SINT_2X8=5,
    SINT_4X8=6,
    UINT_1X16=7,
    UINT_2X16=8,
    UINT_4X16=9,
    SINT_1X16=10,
    SINT_2X16=11,
    SINT_4X16=12,
    UINT_1X32=13,
    UINT_2X32=14,
    UINT_4X32=15,
    SINT_1X32=16,
    SINT_2X32=17,
    SINT_4X32=18,
    FLOAT_1X16=19,
    FLOAT_2X16=20,
    FLOAT_4X16=21,
    FLOAT_1X32=22,
    FLOAT_2X32=23,
    FLOAT_4X32=24,
    UNSIGNED_BC1=25,
    UNSIGNED_BC2=26,
    UNSIGNED_BC3=27,
    UNSIGNED_BC4=28,
    SIGNED_BC4=29,
    UNSIGNED_BC5=30,
    SIGNED_BC5=31,
    UNSIGNED_BC6H=32,
    SIGNED_BC6H=33,
    UNSIGNED_BC7=34,
)
graphics_register_flags = _make(
    'graphics_register_flags',
    'What is done with a resource of a graphics library.',
    NONE=0,
    READ_ONLY=1,
    WRITE_DISCARD=2,
    SURFACE_LDST=4,
    TEXTURE_GATHER=8,
)
profiler_output_mode = _make(
    'profiler_output_mode',
    'How the profiler that CUDA 12 removed wrote its results.',
    KEY_VALUE_PAIR=0,
    CSV=1,
)
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
    GENERATE_DEBUG_INFO=11,
    LOG_VERBOSE=12,
    GENERATE_LINE_INFO=13,
    CACHE_MODE=14,
    NEW_SM3X_OPT=15,
    FAST_COMPILE=16,
    GLOBAL_SYMBOL_NAMES=17,
    GLOBAL_SYMBOL_ADDRESSES=18,
    GLOBAL_SYMBOL_COUNT=19,
    LTO=20,
    FTZ=21,
    PREC_DIV=22,
    PREC_SQRT=23,
    FMA=24,
    REFERENCED_KERNEL_NAMES=25,
    REFERENCED_KERNEL_COUNT=26,
    REFERENCED_VARIABLE_NAMES=27,
    REFERENCED_VARIABLE_COUNT=28,
    OPTIMIZE_UNUSED_DEVICE_VARIABLES=29,
    POSITION_INDEPENDENT_CODE=30,
    MIN_CTA_PER_SM=31,
    MAX_THREADS_PER_BLOCK=32,
    OVERRIDE_DIRECTIVE_VALUES=33,
    SPLIT_COMPILE=34,
    BINARY_LOADER_THREAD_COUNT=35,
)
jit_fallback = _make(
    'jit_fallback',
    'What to load where no code fits the device.',
    PREFER_PTX=0,
    PREFER_BINARY=1,
)
jit_input_type = _make(
    'jit_input_type',
    'What a linker is given.',
    CUBIN=0,
    PTX=1,
    FATBINARY=2,
    OBJECT=3,
    LIBRARY=4,
    NVVM=5,
)


def _targets() -> list[tuple[str, int]]:
    """Names and numbers of architectures: A says of just this one, F of its family."""
    known = (30, 32, 35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89)
    found = [(f'COMPUTE_{n}', n) for n in (*known, 90, 100, 103, 107, 110, 120, 121)]
    own = [(f'COMPUTE_{n}A', n | 1 << 16) for n in (90, 100, 103, 107, 110, 120, 121)]
    family = [(f'COMPUTE_{n}F', n | 1 << 17) for n in (100, 103, 107, 110, 120, 121)]
    return found + own + family


jit_target = make('jit_target', _targets(), 'Architectures that the assembler can be asked for.')

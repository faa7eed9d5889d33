"""Help around contexts, memory pools, types and occupancy, in the shape of `pycuda.tools`."""

from __future__ import annotations

import builtins
import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from . import driver
from ._core import DeviceMemoryPool, PooledDeviceAllocation, PooledHostAllocation
from ._dtypes import (
    Argument,
    ScalarArg,
    VectorArg,
    dtype_to_ctype,
    get_arg_type,
    get_or_register_dtype,
    parse_c_arg,
    register_dtype,
)
from ._pools import DebugMemoryPool, PageLockedAllocator, PageLockedMemoryPool

__all__ = [
    'Argument',
    'DebugMemoryPool',
    'DeviceData',
    'DeviceMemoryPool',
    'OccupancyRecord',
    'PageLockedAllocator',
    'PageLockedMemoryPool',
    'PooledDeviceAllocation',
    'PooledHostAllocation',
    'ScalarArg',
    'VectorArg',
    'bitlog2',
    'clear_context_caches',
    'context_dependent_memoize',
    'context_dependent_memoized_functions',
    'dtype_to_ctype',
    'get_arg_type',
    'get_default_device',
    'get_or_register_dtype',
    'init_cuda_context_fixture',
    'make_default_context',
    'mark_cuda_test',
    'parse_c_arg',
    'register_dtype',
]


# --- default contexts -----------------------------------------------------------------------------


def _is_device_chosen() -> bool:
    """Whether CUDA_DEVICE, ~/.cuda_device or ~/.cuda-device names a device."""
    files = ('~/.cuda_device', '~/.cuda-device')
    return bool(os.environ.get('CUDA_DEVICE')) or any(
        os.path.exists(os.path.expanduser(file)) for file in files
    )


def get_default_device(default: int = 0) -> driver.Device:
    """The device that CUDA_DEVICE or ~/.cuda_device names, else the one numbered `default`.

    `make_default_context` takes its place.
    """
    warnings.warn(
        'get_default_device is deprecated: use make_default_context',
        DeprecationWarning,
        stacklevel=2,
    )
    return driver.Device() if _is_device_chosen() else driver.Device(default)


def make_default_context(
    ctx_maker: Callable[[driver.Device], driver.Context] | None = None,
) -> driver.Context:
    """A context of the default device, made current.

    The device is what CUDA_DEVICE or ~/.cuda_device names, else the first one on which a context
    can be made.

    Parameters
    ----------
    ctx_maker : callable, optional
        Makes a context of a Device and pushes it; by default `Device.make_context`.

    Raises
    ------
    RuntimeError
        There is no device, or none on which a context can be made.
    """
    make = ctx_maker or driver.Device.make_context
    if _is_device_chosen():
        return make(driver.Device())
    failures = []
    for i in range(driver.Device.count()):
        try:
            return make(driver.Device(i))
        except driver.Error as e:
            failures.append(f'device {i}: {e}')
    if failures:
        raise builtins.RuntimeError('No context could be made: ' + '; '.join(failures))
    raise builtins.RuntimeError('No CUDA enabled device found. Please check your installation.')


# --- what is remembered for each context ----------------------------------------------------------

context_dependent_memoized_functions: list[Any] = []


def context_dependent_memoize(func: Callable[..., Any]) -> Callable[..., Any]:
    """Remembers the results of a function, for each context its own.

    Arguments must be hashable. The memory is emptied by `clear_context_caches`.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        context = driver.Context.get_current()
        key = (args, tuple(sorted(kwargs.items())))
        results = wrapper._results.setdefault(context, {})  # type: ignore[attr-defined]
        try:
            return results[key]
        except KeyError:
            result = results[key] = func(*args, **kwargs)
            return result

    wrapper._results = {}  # type: ignore[attr-defined]
    context_dependent_memoized_functions.append(wrapper)
    return wrapper


def clear_context_caches() -> None:
    """Forgets the results of all functions under `context_dependent_memoize`."""
    for function in context_dependent_memoized_functions:
        function._results.clear()


# --- what a device can hold -----------------------------------------------------------------------


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


class DeviceData:
    """What limits the kernels of a device, from its attributes.

    Parameters
    ----------
    dev : Device, optional
        By default the current context's.

    Attributes
    ----------
    max_threads : int
        Threads of a block.
    warp_size : int
    warps_per_mp, thread_blocks_per_mp : int
        Warps and blocks that a multiprocessor holds at once.
    registers, shared_memory : int
        Of a block: registers, and bytes without opting in to more.
    max_shared_memory : int
        Bytes of a block that opts in.
    registers_per_mp, shared_memory_per_mp : int
        Of a multiprocessor.
    reserved_shared_memory : int
        Bytes that the system takes of each block's.
    smem_alloc_granularity : int
        Bytes by which shared memory is given to blocks.
    smem_granularity : int
        Banks of shared memory.
    register_allocation_unit : str
        "warp".
    register_granularity : int
        Registers by which they are given to warps.
    mp_partitions : int
        Parts of a multiprocessor that have registers of their own.
    """

    def __init__(self, dev: driver.Device | None = None):
        get = (dev or driver.Context.get_device()).get_attribute
        names = driver.device_attribute
        capability = (get(names.COMPUTE_CAPABILITY_MAJOR), get(names.COMPUTE_CAPABILITY_MINOR))
        self.max_threads = get(names.MAX_THREADS_PER_BLOCK)
        self.warp_size = get(names.WARP_SIZE)
        self.warps_per_mp = get(names.MAX_THREADS_PER_MULTIPROCESSOR) // self.warp_size
        self.thread_blocks_per_mp = get(names.MAX_BLOCKS_PER_MULTIPROCESSOR)
        self.registers = get(names.MAX_REGISTERS_PER_BLOCK)
        self.registers_per_mp = get(names.MAX_REGISTERS_PER_MULTIPROCESSOR)
        self.shared_memory = get(names.MAX_SHARED_MEMORY_PER_BLOCK)
        self.max_shared_memory = get(names.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
        self.shared_memory_per_mp = get(names.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)
        self.reserved_shared_memory = get(names.RESERVED_SHARED_MEMORY_PER_BLOCK)
        # What no attribute tells: the CUDA C++ Programming Guide's table of compute capabilities.
        self.smem_alloc_granularity = 128 if capability >= (8, 0) else 256
        self.smem_granularity = 32
        self.register_allocation_unit = 'warp'
        self.register_granularity = 256
        self.mp_partitions = 2 if capability == (6, 0) else 4

    def align(self, bytes: int, word_size: int = 4) -> int:
        """`bytes` rounded up to what threads that read words of a size fetch at once."""
        return _round_up(bytes, self.align_bytes(word_size))

    def align_dtype(self, elements: int, dtype_size: int) -> int:
        """A number of elements rounded up likewise."""
        return _round_up(elements, self.align_words(dtype_size))

    def align_words(self, word_size: int) -> int:
        """How many words are fetched at once."""
        return self.align_bytes(word_size) // word_size

    def align_bytes(self, word_size: int = 4) -> int:
        """How many bytes are fetched at once: words of 4, 8 or 16 bytes.

        Raises
        ------
        ValueError
            Words of another size cannot be fetched whole.
        """
        if word_size not in (4, 8, 16):
            raise ValueError(f'no alignment possible for fetches of size {word_size}')
        return 64 if word_size == 4 else 128

    def coalesce(self, thread_count: int) -> int:
        """A number of threads rounded up to half warps."""
        return _round_up(thread_count, 16)

    @staticmethod
    def make_valid_tex_channel_count(size: int) -> int:
        """The number of channels that a texture has for so many: 1, 2 or 4.

        Raises
        ------
        ValueError
            There are more than 4.
        """
        for valid in (1, 2, 4):
            if size <= valid:
                return valid
        raise ValueError('could not enlarge argument to valid channel count')


class OccupancyRecord:
    """How many blocks of a kernel a multiprocessor holds at once, and what limits them.

    For a kernel that exists `Function.max_active_blocks` asks the driver.

    Parameters
    ----------
    devdata : DeviceData
    threads : int
        Of a block.
    shared_mem : int
        Bytes of a block, static and dynamic.
    registers : int
        Of a thread.

    Attributes
    ----------
    tb_per_mp : int
        Blocks.
    limited_by : str
        What they are limited by: "device", "warps", "regs" or "smem".
    tb_per_mp_limits : list of (int, str)
        What each would allow.
    warps_per_mp : int
        Warps of those blocks.
    occupancy : float
        Those of the warps that there could be.

    Raises
    ------
    ValueError
        A block does not fit at all.
    """

    def __init__(
        self, devdata: DeviceData, threads: int, shared_mem: int = 0, registers: int = 0
    ) -> None:
        if not 0 < threads <= devdata.max_threads:
            raise ValueError(
                f'too many threads: {threads}, of which a block has 1 to {devdata.max_threads}'
            )
        if shared_mem > devdata.max_shared_memory:
            raise ValueError(
                f'too much smem: {shared_mem} of {devdata.max_shared_memory} bytes of a block'
            )
        warps = -(-threads // devdata.warp_size)
        limits = [(devdata.thread_blocks_per_mp, 'device')]
        limits.append((devdata.warps_per_mp // warps, 'warps'))
        if registers > 0:
            limits.append((self._by_registers(devdata, warps, registers), 'regs'))
        if shared_mem > 0 or devdata.reserved_shared_memory > 0:
            taken = _round_up(
                shared_mem + devdata.reserved_shared_memory, devdata.smem_alloc_granularity
            )
            limits.append((devdata.shared_memory_per_mp // taken, 'smem'))
        self.tb_per_mp_limits = limits
        self.tb_per_mp, self.limited_by = min(limits)
        self.warps_per_mp = self.tb_per_mp * warps
        self.occupancy = self.warps_per_mp / devdata.warps_per_mp

    @staticmethod
    def _by_registers(devdata: DeviceData, warps: int, registers: int) -> int:
        """Each warp's registers are rounded up, and lie in one partition."""
        of_warp = _round_up(registers * devdata.warp_size, devdata.register_granularity)
        if of_warp * _round_up(warps, devdata.mp_partitions) > devdata.registers:
            raise ValueError(
                f'too many registers: {registers} of each of {warps * devdata.warp_size} threads, '
                f'{devdata.registers} of a block'
            )
        of_partition = devdata.registers_per_mp // devdata.mp_partitions
        return of_partition // of_warp * devdata.mp_partitions // warps


def bitlog2(i: int) -> int:
    """The number of an integer's highest bit: floor(log2(i)), and 0 of 0.

    Raises
    ------
    ValueError
        It is negative.
    """
    if i < 0:
        raise ValueError(f'{i} is negative')
    return max(int(i).bit_length() - 1, 0)


# --- tests ----------------------------------------------------------------------------------------


def init_cuda_context_fixture() -> Iterator[driver.Context]:
    """For a fixture of pytest: a default context that is current during a test.

    >>> @pytest.fixture(autouse=True)
    ... def init_cuda_context():
    ...     yield from init_cuda_context_fixture()
    """
    import gc

    driver.init()
    context = make_default_context()
    try:
        yield context
    finally:
        context.pop()
        clear_context_caches()
        gc.collect()


def mark_cuda_test(inner_f: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a test with a default context that is current; under pytest it is marked `cuda`."""

    @functools.wraps(inner_f)
    def test(*args: Any, **kwargs: Any) -> None:
        for _ in init_cuda_context_fixture():
            inner_f(*args, **kwargs)

    pytest = sys.modules.get('pytest')
    if pytest is None:
        return test
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # where the mark is not registered
        return pytest.mark.cuda(test)

"""The CUDA Driver API: devices, contexts, memory, copies, streams, events, modules, kernels.

Its shape is that of `pycuda.driver`. Nothing is loaded before the first call that needs a device;
a call that needs a context and finds none makes the default device's primary context current.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from . import (
    _core,
    _module,  # noqa: F401 - completes the classes
)
from ._core import (
    AddressRange,
    AlignedHostAllocation,
    ArgumentHandler,
    Array,
    Bound,
    Context,
    Device,
    DeviceAllocation,
    DeviceMemoryPool,
    Event,
    ForeignArray,
    Function,
    Graph,
    GraphCapture,
    GraphExec,
    GraphNode,
    HostAllocation,
    In,
    InOut,
    IPCMemoryHandle,
    Launcher,
    ManagedAllocation,
    Memcpy2D,
    Memcpy3D,
    Memcpy3DPeer,
    MemoryPool,
    MipmappedArray,
    Module,
    Out,
    PhysicalMemory,
    PointerHolderBase,
    PooledDeviceAllocation,
    PooledHostAllocation,
    RegisteredHostMemory,
    Stream,
    SurfaceObject,
    get_driver_version,
    init,
    mem_alloc,
    mem_alloc_async,
    mem_alloc_pitch,
    mem_get_address_range,
    mem_get_info,
    mem_get_ipc_handle,
    mem_granularity,
    memcpy_atoa,
    memcpy_atod,
    memcpy_atoh,
    memcpy_dtoa,
    memcpy_dtod,
    memcpy_dtod_async,
    memcpy_dtoh,
    memcpy_dtoh_async,
    memcpy_htoa,
    memcpy_htod,
    memcpy_htod_async,
    memcpy_peer,
    memcpy_peer_async,
    memset_d2d8,
    memset_d2d8_async,
    memset_d2d16,
    memset_d2d16_async,
    memset_d2d32,
    memset_d2d32_async,
    memset_d8,
    memset_d8_async,
    memset_d16,
    memset_d16_async,
    memset_d32,
    memset_d32_async,
    start_profiler,
    stop_profiler,
)
from ._enums import (
    Enum,
    address_mode,
    array3d_flags,
    array_cubemap_face,
    array_format,
    compute_mode,
    ctx_flags,
    event_flags,
    filter_mode,
    func_cache,
    graphics_register_flags,
    host_alloc_flags,
    ipc_mem_flags,
    jit_fallback,
    jit_input_type,
    jit_option,
    jit_target,
    limit,
    make,
    mem_advise,
    mem_attach_flags,
    mem_host_register_flags,
    memory_type,
    pointer_attribute,
    profiler_output_mode,
    resource_view_format,
    shared_config,
    stream_flags,
)
from ._errors import (
    ArgumentError,
    CompileError,
    CompileWarning,
    DeviceWarning,
    Error,
    LaunchError,
    LogicError,
    MemoryError,
    RuntimeError,
)
from ._memory import (
    aligned_empty,
    aligned_empty_like,
    aligned_zeros,
    aligned_zeros_like,
    from_device,
    from_device_like,
    from_dlpack,
    managed_empty,
    managed_empty_like,
    managed_zeros,
    managed_zeros_like,
    mem_alloc_like,
    pagelocked_empty,
    pagelocked_empty_like,
    pagelocked_zeros,
    pagelocked_zeros_like,
    register_host_memory,
    to_device,
)
from ._pools import PageLockedAllocator, PageLockedMemoryPool
from ._textures import (
    TR_DEFAULT,
    TRSA_OVERRIDE_FORMAT,
    TRSF_NORMALIZED_COORDINATES,
    TRSF_READ_AS_INTEGER,
    ArrayDescriptor,
    ArrayDescriptor3D,
    ResourceView,
    SurfaceReference,
    TextureObject,
    TextureReference,
    bind_array_to_texref,
    dtype_to_array_format,
    gpuarray_to_array,
    make_multichannel_2d_array,
    matrix_to_array,
    matrix_to_texref,
    np_to_array,
)

__all__ = [
    'AddressRange',
    'AlignedHostAllocation',
    'ArgumentError',
    'ArgumentHandler',
    'Array',
    'ArrayDescriptor',
    'ArrayDescriptor3D',
    'Bound',
    'CUDA_DEBUGGING',
    'CompileError',
    'CompileWarning',
    'Context',
    'Device',
    'DeviceAllocation',
    'DeviceMemoryPool',
    'DeviceWarning',
    'Error',
    'Event',
    'ForeignArray',
    'Function',
    'Graph',
    'GraphCapture',
    'GraphExec',
    'GraphNode',
    'HostAllocation',
    'IPCMemoryHandle',
    'In',
    'InOut',
    'LEGACY_DEFAULT_STREAM',
    'LaunchError',
    'Launcher',
    'Linker',
    'LogicError',
    'ManagedAllocation',
    'Memcpy2D',
    'Memcpy3D',
    'Memcpy3DPeer',
    'MemoryError',
    'MemoryPool',
    'MipmappedArray',
    'Module',
    'Out',
    'PER_THREAD_DEFAULT_STREAM',
    'PageLockedAllocator',
    'PageLockedMemoryPool',
    'PagelockedHostAllocation',
    'PhysicalMemory',
    'PointerHolderBase',
    'PooledDeviceAllocation',
    'PooledHostAllocation',
    'RegisteredHostMemory',
    'ResourceView',
    'RuntimeError',
    'Stream',
    'SurfaceObject',
    'SurfaceReference',
    'TRSA_OVERRIDE_FORMAT',
    'TRSF_NORMALIZED_COORDINATES',
    'TRSF_READ_AS_INTEGER',
    'TR_DEFAULT',
    'TextureObject',
    'TextureReference',
    'address_mode',
    'aligned_empty',
    'aligned_empty_like',
    'aligned_zeros',
    'aligned_zeros_like',
    'array3d_flags',
    'array_cubemap_face',
    'array_format',
    'bind_array_to_texref',
    'compute_mode',
    'ctx_flags',
    'device',
    'device_attribute',
    'devices',
    'dtype_to_array_format',
    'event_flags',
    'filter_mode',
    'from_device',
    'from_device_like',
    'from_dlpack',
    'func_cache',
    'function_attribute',
    'get_driver_version',
    'get_version',
    'gpuarray_to_array',
    'graphics_register_flags',
    'have_gl_ext',
    'host_alloc_flags',
    'init',
    'initialize_profiler',
    'ipc_mem_flags',
    'jit_fallback',
    'jit_input_type',
    'jit_option',
    'jit_target',
    'limit',
    'make_multichannel_2d_array',
    'managed_empty',
    'managed_empty_like',
    'managed_zeros',
    'managed_zeros_like',
    'matrix_to_array',
    'matrix_to_texref',
    'mem_advise',
    'mem_alloc',
    'mem_alloc_async',
    'mem_alloc_like',
    'mem_alloc_pitch',
    'mem_attach_flags',
    'mem_get_address_range',
    'mem_get_info',
    'mem_get_ipc_handle',
    'mem_granularity',
    'mem_host_register_flags',
    'memcpy_atoa',
    'memcpy_atod',
    'memcpy_atoh',
    'memcpy_dtoa',
    'memcpy_dtod',
    'memcpy_dtod_async',
    'memcpy_dtoh',
    'memcpy_dtoh_async',
    'memcpy_htoa',
    'memcpy_htod',
    'memcpy_htod_async',
    'memcpy_peer',
    'memcpy_peer_async',
    'memory_type',
    'memset_d16',
    'memset_d16_async',
    'memset_d2d16',
    'memset_d2d16_async',
    'memset_d2d32',
    'memset_d2d32_async',
    'memset_d2d8',
    'memset_d2d8_async',
    'memset_d32',
    'memset_d32_async',
    'memset_d8',
    'memset_d8_async',
    'module_from_buffer',
    'module_from_file',
    'np_to_array',
    'pagelocked_empty',
    'pagelocked_empty_like',
    'pagelocked_zeros',
    'pagelocked_zeros_like',
    'pointer_attribute',
    'profiler_output_mode',
    'py_memcpy_atoh',
    'py_memcpy_htoa',
    'register_host_memory',
    'resource_view_format',
    'set_debugging',
    'shared_config',
    'start_profiler',
    'stop_profiler',
    'stream_flags',
    'to_device',
]

#: The stream that `None` stands for: it and the others, but those of flags=1, wait for each other.
LEGACY_DEFAULT_STREAM = Stream.from_handle(1)
#: The calling thread's own default stream, which does not wait for other threads'.
PER_THREAD_DEFAULT_STREAM = Stream.from_handle(2)

device_attribute = make(
    'device_attribute',
    _core.device_attribute_rows(),
    'What can be asked of a device; in lower case the names are attributes of it.',
)
function_attribute = make(
    'function_attribute',
    [
        *_core.function_attribute_rows(),
        ('DEVICE_NODE_UPDATE_SUPPORTED', 16),
        ('SHARED_MEMORY_MODE', 17),
        ('MAX', 18),
    ],
    'What can be asked of a kernel; in lower case the names are attributes of it.',
)
PagelockedHostAllocation = HostAllocation
# The names that PyCUDA has; its documentation says memcpy_htoa and memcpy_atoh.
py_memcpy_htoa = memcpy_htoa
py_memcpy_atoh = memcpy_atoh


def get_version() -> tuple[int, int, int]:
    """The version of CUDA whose interface this library was written against: (13, 0, 0)."""
    return (13, 0, 0)


def have_gl_ext() -> bool:
    """False: there are no functions that share memory with OpenGL."""
    return False


#: Whether `set_debugging` has been called.
CUDA_DEBUGGING = False


def set_debugging(flag: bool = True) -> None:
    """From now on kernels are compiled for a debugger: with -g and -G, not cached, and kept."""
    global CUDA_DEBUGGING
    CUDA_DEBUGGING = bool(flag)


def initialize_profiler(config_file: str, output_file: str, output_mode: int) -> None:
    """Raises LogicError: CUDA 12 removed the profiler inside the driver.

    Nsight Compute and Nsight Systems are what measures today; `start_profiler` and `stop_profiler`
    say to them which part of a program counts.
    """
    profiler_output_mode(output_mode)
    error = LogicError(
        'cuProfilerInitialize failed: operation not supported - CUDA 12 removed the profiler that '
        'it configured: run the program under ncu or nsys, for which start_profiler() and '
        'stop_profiler() choose a part of it'
    )
    error.code, error.name = 801, 'CUDA_ERROR_NOT_SUPPORTED'
    error.routine = 'cuProfilerInitialize'
    raise error


# --- devices --------------------------------------------------------------------------------------


def devices(driver: str | None = None) -> list[Device]:
    """All devices: those of NVIDIA's driver, if there is one, then the CPU device.

    Parameters
    ----------
    driver : str, optional
        "cuda", "cpu" or the path of a driver's library: its devices alone, and an error if it
        cannot be loaded.

    Returns
    -------
    list of Device
    """
    if driver is not None:
        return [Device(f'{driver}:{i}') for i in range(Device.count(driver))]
    found: list[Device] = []
    for name in ('cuda', 'cpu'):
        try:
            found += devices(name)
        except Error:  # no such driver here, or not built in
            continue
    return found


class device:
    """Makes a device current in a `with` block.

    >>> with runcu.device('cpu') as dev:
    ...     mod = runcu.SourceModule(source)

    Parameters
    ----------
    which : Device, int or str
        As for `Device`. The context is the device's primary one.
    """

    def __init__(self, which: Device | str | int | None = None):
        self._device = Device(which)
        self._contexts: list[Context] = []

    def __enter__(self) -> Device:
        context = self._device.retain_primary_context()
        context.push()
        self._contexts.append(context)
        return self._device

    def __exit__(self, *exc_info: object) -> None:
        self._contexts.pop()
        Context.pop()


def _get_attributes(self: Device) -> dict[Enum, int]:
    """All attributes that the device tells, by `device_attribute`.

    What an older driver does not know is left out; other failures are warnings.
    """
    found = {}
    for attribute in device_attribute.values.values():
        try:
            found[attribute] = self.get_attribute(attribute)
        except LogicError as e:
            if e.name != 'CUDA_ERROR_INVALID_VALUE':
                warnings.warn(f"CUDA driver raised '{e}' when querying '{attribute}'", stacklevel=2)
    return found


Device.get_attributes = _get_attributes  # type: ignore[attr-defined]


# --- modules --------------------------------------------------------------------------------------


def module_from_file(filename: Any) -> Module:
    """The module in a file of cubin, PTX, a fatbin or a bundle (`runcu.compiler.Bundle`).

    Raises
    ------
    RuntimeError
        Of this module: there is no such file.
    """
    try:
        with open(filename, 'rb') as file:
            image = file.read()
    except OSError as e:
        error = RuntimeError(f'cuModuleLoad failed: file not found - {e}')
        error.code, error.name, error.routine = 301, 'CUDA_ERROR_FILE_NOT_FOUND', 'cuModuleLoad'
        raise error from None
    return _core.module_load(image)


#: What a message handler is called with: whether it worked, an information log and an error log.
_MessageHandler = Callable[[bool, str, str], object]


def _handled(jit: _core.Jit, handler: _MessageHandler | None, call: Callable[[], Any]) -> Any:
    """What the call gives; the handler is told of success and failure."""
    try:
        result = call()
    except Error as e:
        if handler is not None:
            handler(False, jit.info_log, jit.error_log or str(e))
        raise
    if handler is not None:
        handler(True, jit.info_log, jit.error_log)
    return result


def _jit_options(
    options: Iterable[tuple[int, int]] | None, named: dict[str, int]
) -> list[tuple[int, int]]:
    """Pairs, and with them those that were given by keyword."""
    pairs = list(options or ())
    for name, value in named.items():
        if name.upper() not in jit_option.names:
            known = ', '.join(sorted(str(n).lower() for n in jit_option.names))
            raise TypeError(
                f'{name!r} is no keyword: no jit_option is called so. There are {known}'
            )
        pairs.append((jit_option.names[name.upper()], value))
    return pairs


def module_from_buffer(
    buffer: Any,
    options: Iterable[tuple[int, int]] = (),
    message_handler: _MessageHandler | None = None,
    **named_options: int,
) -> Module:
    """A module from cubin, PTX, a fatbin or a bundle in memory.

    Parameters
    ----------
    buffer : bytes-like
    options : iterable of (jit_option, int)
        How the driver compiles PTX. The buffers of the logs are provided here.
    message_handler : callable, optional
        Called with whether the module was loaded, an information log and an error log.
    **named_options : int
        Options by their names in lower case, such as ``max_registers=32``.
    """
    options = _jit_options(options, named_options)
    if not options and message_handler is None:
        return _core.module_load(buffer)
    jit = _core.Jit(options, verbose=message_handler is not None)
    return _handled(jit, message_handler, lambda: jit.load(buffer))


_LINKERS = ('auto', 'driver', 'nvjitlink')  # in the order of the C library's enum


class Linker:
    """Links code that was compiled apart, with the option ``-rdc=true``.

    Parameters
    ----------
    message_handler : callable, optional
        Called at the end, or when something fails: with whether it worked, an information log and
        an error log.
    options : iterable of (jit_option, int), optional
        How PTX is compiled.
    log_verbose : bool
        More in the information log.
    linker : {'auto', 'driver', 'nvjitlink'}
        Who links. The choice is the driver, but nvJitLink for code compiled with ``-dlto``
        (`jit_input_type.NVVM`) and, if it is installed, for what is newer than the driver.
    **named_options : int
        Options by their names in lower case, such as ``max_registers=32``.
    """

    def __init__(
        self,
        message_handler: _MessageHandler | None = None,
        options: Iterable[tuple[int, int]] | None = None,
        log_verbose: bool = False,
        *,
        linker: str = 'auto',
        **named_options: int,
    ) -> None:
        if linker not in _LINKERS:
            raise ValueError(f'linker must be one of {", ".join(_LINKERS)}, not {linker!r}')
        self._handler = message_handler
        options = _jit_options(options, named_options)
        self._jit = _core.Jit(options, log_verbose, _LINKERS.index(linker))

    @property
    def handle(self) -> int:
        """The CUlinkState; 0 before anything was added."""
        return self._jit.handle

    def close(self) -> None:
        """Lets go of what was added. `with` does so at its end."""
        self._jit.close()

    def __enter__(self) -> Linker:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _call(self, call: Callable[[], Any]) -> Any:
        """A step that is not the last one: the handler is told of its failure."""
        try:
            return call()
        except Error as e:
            if self._handler is not None:
                self._handler(False, self._jit.info_log, self._jit.error_log or str(e))
            raise

    def add_data(self, data: Any, input_type: int, name: str = 'input') -> None:
        """Adds code: bytes (or PTX as str), its `jit_input_type`, and a name for messages."""
        data = data.encode() if isinstance(data, str) else data
        self._call(lambda: self._jit.add(input_type, data, name))

    def add_file(self, filename: Any, input_type: int) -> None:
        """Adds what a file holds."""
        self._call(lambda: self._jit.add_file(input_type, filename))

    def add_program(self, program: _core.Program, name: str = 'input') -> None:
        """Adds what a source was compiled to: as LTO code (``-dlto``), cubin or PTX."""
        self._call(lambda: self._jit.add_program(program, name))

    def add_library(self, name: str, folder: Any = None) -> None:
        """Adds a library of device code, lib<name>.a, such as "cudadevrt".

        Parameters
        ----------
        name : str
        folder : path, optional
            Where it lies; by default it is sought beside NVRTC, in Python's packages
            (nvidia-cuda-runtime has cudadevrt), conda, toolkits and the system's folders.
            RUNCU_LIBDIR in the environment names another one.

        Raises
        ------
        OSError
            There is none; the message lists every place that was tried.
        """
        try:
            self._call(lambda: self._jit.add_library(name, folder))
        except RuntimeError as e:
            if e.routine:
                raise
            raise FileNotFoundError(str(e)) from None

    def link_module(self) -> Module:
        """Links what was added, and loads it.

        Raises
        ------
        LogicError
            A symbol is defined twice, or nowhere.
        RuntimeError
            Of this module: nvJitLink is needed and not installed; the message lists every place
            that was tried.
        """
        module = _handled(self._jit, self._handler, lambda: _core.module_load(self._jit.complete()))
        return module

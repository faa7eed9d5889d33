"""Names and call shapes that programs written for PyCUDA rely on, checked one by one.

A row is an attribute's path below its module, with parameters if it is called: all of them must be
accepted by position, those before a `/` only so, and the ones with a default may be left out. A
name with `()` inside a path is called to get at what an instance has.
"""

import ast
import importlib
import inspect
import re

import pytest
import runcu
from runcu import driver

DRIVER = """
init(flags=0)
get_version()
get_driver_version()
set_debugging(flag=True)
CUDA_DEBUGGING
have_gl_ext()
initialize_profiler(config_file, output_file, output_mode, /)
start_profiler()
stop_profiler()
Error
MemoryError
LogicError
LaunchError
RuntimeError
CompileError(msg, command_line, stdout=None, stderr=None)
Device(ordinal, /)
Device.count()
Device.name(self)
Device.pci_bus_id(self)
Device.total_memory(self)
Device.compute_capability(self)
Device.get_attribute(self, attribute, /)
Device.get_attributes(self)
Device.make_context(self, flags=0)
Device.retain_primary_context(self)
Device.can_access_peer(self, dev, /)
Context.push(self)
Context.pop()
Context.detach(self)
Context.attach(flags=0, /)
Context.get_current()
Context.get_device()
Context.synchronize()
Context.set_limit(limit, value, /)
Context.get_limit(limit, /)
Context.get_cache_config()
Context.set_cache_config(config, /)
Context.get_shared_config()
Context.set_shared_config(config, /)
Context.get_api_version(self)
Context.enable_peer_access(peer, flags=0, /)
Context.disable_peer_access(peer, /)
Context.handle
Stream(flags=0)
Stream.synchronize(self)
Stream.is_done(self)
Stream.wait_for_event(self, event, /)
Stream.handle
Event(flags=0)
Event.record(self, stream=None)
Event.synchronize(self)
Event.query(self)
Event.time_since(self, event, /)
Event.time_till(self, event, /)
Event.ipc_handle(self)
Event.from_ipc_handle(handle, /)
mem_alloc(bytes, /)
mem_alloc_like(ary)
mem_alloc_pitch(width, height, access_size)
mem_get_info()
mem_get_address_range(ptr, /)
DeviceAllocation.free(self)
DeviceAllocation.as_buffer(self, size, offset=0)
DeviceAllocation.__int__(self)
DeviceAllocation.__index__(self)
to_device(bf_obj)
from_device(devptr, shape, dtype, order='C')
from_device_like(devptr, other_ary)
mem_get_ipc_handle(devptr, /)
IPCMemoryHandle(handle, flags=0, /)
IPCMemoryHandle.close(self)
IPCMemoryHandle.__int__(self)
PointerHolderBase
PointerHolderBase.get_pointer(self)
PointerHolderBase.as_buffer(self, size, offset=0)
PointerHolderBase.__int__(self)
memset_d8(dest, data, count, /)
memset_d16(dest, data, count, /)
memset_d32(dest, data, count, /)
memset_d2d8(dest, pitch, data, width, height)
memset_d2d16(dest, pitch, data, width, height)
memset_d2d32(dest, pitch, data, width, height)
memset_d8_async(dest, data, count, stream=None, /)
memset_d16_async(dest, data, count, stream=None, /)
memset_d32_async(dest, data, count, stream=None, /)
memset_d2d8_async(dest, pitch, data, width, height, stream=None)
memset_d2d16_async(dest, pitch, data, width, height, stream=None)
memset_d2d32_async(dest, pitch, data, width, height, stream=None)
memcpy_htod(dest, src)
memcpy_dtoh(dest, src)
memcpy_htod_async(dest, src, stream=None)
memcpy_dtoh_async(dest, src, stream=None)
memcpy_dtod(dest, src, size)
memcpy_dtod_async(dest, src, size, stream=None)
memcpy_peer(dest, src, size, dest_context=None, src_context=None)
memcpy_peer_async(dest, src, size, dest_context=None, src_context=None, stream=None)
memcpy_dtoa(ary, index, src, len)
memcpy_atod(dest, ary, index, len)
memcpy_atoa(dest, dest_index, src, src_index, len)
memcpy_htoa(ary, index, src)
memcpy_atoh(dest, ary, index)
py_memcpy_htoa(ary, index, src)
py_memcpy_atoh(dest, ary, index)
Memcpy2D()
Memcpy3D()
Memcpy3DPeer()
Memcpy3DPeer().set_src_context(context, /)
Memcpy3DPeer().set_dst_context(context, /)
pagelocked_empty(shape, dtype, order='C', mem_flags=0)
pagelocked_zeros(shape, dtype, order='C', mem_flags=0)
pagelocked_empty_like(array, mem_flags=0)
pagelocked_zeros_like(array, mem_flags=0)
aligned_empty(shape, dtype, order='C', alignment=4096)
aligned_zeros(shape, dtype, order='C', alignment=4096)
aligned_empty_like(array, alignment=4096)
aligned_zeros_like(array, alignment=4096)
managed_empty(shape, dtype, order='C', mem_flags=0)
managed_zeros(shape, dtype, order='C', mem_flags=0)
managed_empty_like(array, mem_flags=0)
managed_zeros_like(array, mem_flags=0)
register_host_memory(ary, flags=0)
HostAllocation
PagelockedHostAllocation.free(self)
PagelockedHostAllocation.get_flags(self)
PagelockedHostAllocation.get_device_pointer(self)
AlignedHostAllocation.free(self)
ManagedAllocation.free(self)
ManagedAllocation.get_device_pointer(self)
ManagedAllocation.attach(self, mem_flags, stream=None)
ManagedAllocation.as_buffer(self, size, offset=0)
RegisteredHostMemory.unregister(self)
RegisteredHostMemory.base
module_from_file(filename, /)
module_from_buffer(buffer, options=(), message_handler=None)
Module.get_function(self, name, /)
Module.get_global(self, name, /)
Module.get_texref(self, name, /)
Module.get_surfref(self, name, /)
Function.__call__
Function.prepare(self, arg_types, texrefs=None)
Function.prepared_call(self, grid, block, /)
Function.prepared_async_call(self, grid, block, stream, /)
Function.prepared_timed_call(self, grid, block, /)
Function.get_attribute(self, attribute, /)
Function.set_attribute(self, attribute, value, /)
Function.set_cache_config(self, config, /)
Function.set_shared_config(self, config, /)
Function.param_set_texref(self, texref, /)
Function.num_regs
Function.shared_size_bytes
Function.local_size_bytes
Function.const_size_bytes
Function.max_threads_per_block
Function.ptx_version
Function.binary_version
Linker(message_handler=None, options=None, log_verbose=False)
Linker.add_data(self, data, input_type, name)
Linker.add_file(self, filename, input_type)
Linker.link_module(self)
ArgumentHandler(array, /)
In(array, /)
Out(array, /)
InOut(array, /)
ArrayDescriptor().width
ArrayDescriptor().height
ArrayDescriptor().format
ArrayDescriptor().num_channels
ArrayDescriptor3D().width
ArrayDescriptor3D().height
ArrayDescriptor3D().depth
ArrayDescriptor3D().format
ArrayDescriptor3D().num_channels
ArrayDescriptor3D().flags
Array(descriptor, /)
Array.free(self)
Array.get_descriptor(self)
Array.get_descriptor_3d(self)
Array.handle
TextureReference
SurfaceReference
matrix_to_array(matrix, order, allow_double_hack=False)
np_to_array(nparray, order, allowSurfaceBind=False)
gpuarray_to_array(gpuarray, order, allowSurfaceBind=False)
make_multichannel_2d_array(ndarray, order)
dtype_to_array_format(dtype)
bind_array_to_texref(ary, texref)
matrix_to_texref(matrix, texref, order)
TRSA_OVERRIDE_FORMAT
TRSF_READ_AS_INTEGER
TRSF_NORMALIZED_COORDINATES
TR_DEFAULT
DeviceMemoryPool()
PageLockedMemoryPool
PageLockedAllocator
PooledDeviceAllocation
PooledHostAllocation
"""

COPY_FIELDS = """
src_x_in_bytes src_y src_pitch src_memory_type src_device dst_x_in_bytes dst_y dst_pitch
dst_memory_type dst_device width_in_bytes height
set_src_host set_src_array set_src_device set_src_unified
set_dst_host set_dst_array set_dst_device set_dst_unified
"""
VOLUME_FIELDS = 'src_z src_lod src_height dst_z dst_lod dst_height depth'

TOOLS = """
make_default_context(ctx_maker=None)
get_default_device(default=0)
DeviceMemoryPool()
DeviceMemoryPool.allocate(self, size)
DeviceMemoryPool.free_held(self)
DeviceMemoryPool.stop_holding(self)
DeviceMemoryPool.bin_number(size, /)
DeviceMemoryPool.alloc_size(bin, /)
DeviceMemoryPool.held_blocks
DeviceMemoryPool.active_blocks
DeviceMemoryPool.managed_bytes
DeviceMemoryPool.active_bytes
PooledDeviceAllocation.free(self)
PooledDeviceAllocation.__int__(self)
PooledDeviceAllocation.__len__(self)
PageLockedAllocator(flags=0)
PageLockedMemoryPool(allocator=None)
PageLockedMemoryPool.allocate(self, shape, dtype, order='C')
PageLockedMemoryPool.free_held(self)
PageLockedMemoryPool.stop_holding(self)
PageLockedMemoryPool.held_blocks
PageLockedMemoryPool.active_blocks
PooledHostAllocation.free(self)
DebugMemoryPool(interactive=True, logfile=None)
DebugMemoryPool.allocate(self, size)
context_dependent_memoize(func, /)
clear_context_caches()
context_dependent_memoized_functions
dtype_to_ctype(dtype, with_fp_tex_hack=False)
get_or_register_dtype(c_names, dtype=None)
register_dtype(dtype, c_names, alias_ok=False)
parse_c_arg(c_arg)
get_arg_type(c_arg)
Argument(dtype, name)
VectorArg(dtype, name)
VectorArg.declarator(self)
VectorArg.struct_char
ScalarArg(dtype, name)
ScalarArg.declarator(self)
ScalarArg.struct_char
DeviceData(dev=None)
DeviceData().max_threads
DeviceData().warp_size
DeviceData().warps_per_mp
DeviceData().thread_blocks_per_mp
DeviceData().registers
DeviceData().shared_memory
DeviceData().smem_alloc_granularity
DeviceData().smem_granularity
DeviceData().register_allocation_unit
DeviceData.align(self, bytes, word_size=4)
DeviceData.align_dtype(self, elements, dtype_size)
DeviceData.align_words(self, word_size)
DeviceData.align_bytes(self, word_size=4)
DeviceData.coalesce(self, thread_count)
DeviceData.make_valid_tex_channel_count(size)
OccupancyRecord(devdata, threads, shared_mem=0, registers=0)
mark_cuda_test(inner_f)
init_cuda_context_fixture()
bitlog2(i, /)
"""

CHARACTERIZE = """
platform_bits()
has_stack()
has_double_support()
sizeof(type_name, preamble='')
"""

GPUARRAY = """
GPUArray(shape, dtype, allocator=None, base=None, gpudata=None, strides=None, order='C')
empty(shape, dtype, allocator=None, base=None, gpudata=None, strides=None, order='C')
GPUArray.set(self, ary, async_=False, stream=None)
GPUArray.set_async(self, ary, stream=None)
GPUArray.get(self, ary=None, pagelocked=False, async_=False, stream=None)
GPUArray.get_async(self, stream=None, ary=None)
GPUArray.copy(self)
GPUArray.fill(self, value, stream=None)
GPUArray.astype(self, dtype, stream=None)
GPUArray.reshape
GPUArray.ravel(self)
GPUArray.view(self, dtype=None)
GPUArray.squeeze(self)
GPUArray.transpose(self, axes=None)
GPUArray.reverse(self, stream=None)
GPUArray.conj(self, out=None)
GPUArray.conjugate(self, out=None)
GPUArray.any(self)
GPUArray.all(self)
GPUArray.mul_add(self, selffac, other, otherfac, add_timer=None, stream=None, out=None)
GPUArray.T
GPUArray.real
GPUArray.imag
GPUArray.__div__(self, other, /)
GPUArray.__rdiv__(self, other, /)
GPUArray.__idiv__(self, other, /)
GPUArray.__array_priority__
to_gpu(ary, allocator=None)
to_gpu_async(ary, allocator=None, stream=None)
zeros(shape, dtype=None, allocator=None, order='C')
ones(shape, dtype=None, allocator=None, order='C')
empty_like(other, dtype=None, order='K')
zeros_like(other, dtype=None, order='K')
ones_like(other, dtype=None, order='K')
arange(start, stop=None, step=None, dtype=None, stream=None)
concatenate(arrays, axis=0, allocator=None)
stack(arrays, axis=0, allocator=None)
transpose(a, axes=None)
reshape
if_positive(criterion, then_, else_, out=None, stream=None)
where(criterion, then_, else_, out=None, stream=None)
maximum(a, b, out=None, stream=None)
minimum(a, b, out=None, stream=None)
sum(a, dtype=None, stream=None, allocator=None)
dot(a, b, dtype=None, stream=None, allocator=None)
max(a, stream=None)
min(a, stream=None)
any(a, stream=None)
all(a, stream=None)
subset_sum(subset, a, dtype=None, stream=None, allocator=None)
subset_dot(subset, a, b, dtype=None, stream=None, allocator=None)
subset_max(subset, a, stream=None)
subset_min(subset, a, stream=None)
logical_and(x1, x2, /, out=None)
logical_or(x1, x2, /, out=None)
logical_not(x, /, out=None)
splay(n, dev=None)
vec.float4
vec.make_float4(x, y, z, w, /)
vec.make_ulonglong2(x, y, /)
"""

ELEMENTWISE = """
ElementwiseKernel(arguments, operation, name='kernel', keep=False, options=None)
ElementwiseKernel.generate_stride_kernel_and_types(self, use_range=False)
ElementwiseKernel.get_texref(self, name, use_range=False)
get_elwise_module(arguments, operation, name='kernel', keep=False, options=None, preamble='')
get_elwise_range_module(arguments, operation, name='kernel', keep=False, options=None)
get_elwise_kernel(arguments, operation, name='kernel', keep=False, options=None)
get_elwise_kernel_and_types(arguments, operation, name='k', keep=False, options=None)
VectorArg(dtype, name)
ScalarArg(dtype, name)
"""

REDUCTION = """
ReductionKernel(dtype_out, neutral, reduce_expr, map_expr=None, arguments=None, name='k')
"""

FUNCTIONS = 'fabs ceil floor exp log log10 sqrt sin cos tan asin acos atan sinh cosh tanh'
CUMATH = '\n'.join(f'{name}(array, out=None, stream=None)' for name in FUNCTIONS.split()) + """
fmod(arg, mod, stream=None)
frexp(arg, stream=None)
ldexp(significand, exponent, stream=None)
modf(arg, stream=None)
"""

CURANDOM = """
rand(shape, dtype=None, stream=None)
seed_getter_uniform(n, /)
seed_getter_unique(n, /)
"""

PACKAGE = """
VERSION
VERSION_STATUS
VERSION_TEXT
"""

ENUMS = {
    'array_format': 'UNSIGNED_INT8 UNSIGNED_INT16 UNSIGNED_INT32 SIGNED_INT8 SIGNED_INT16 '
    'SIGNED_INT32 HALF FLOAT',
    'array3d_flags': 'ARRAY3D_2DARRAY ARRAY3D_LAYERED ARRAY3D_SURFACE_LDST CUBEMAP TEXTURE_GATHER '
    '2DARRAY LAYERED SURFACE_LDST',
    'address_mode': 'WRAP CLAMP MIRROR BORDER',
    'filter_mode': 'POINT LINEAR',
    'memory_type': 'HOST DEVICE ARRAY UNIFIED',
    'compute_mode': 'DEFAULT EXCLUSIVE PROHIBITED EXCLUSIVE_PROCESS',
    'func_cache': 'PREFER_NONE PREFER_SHARED PREFER_L1 PREFER_EQUAL',
    'shared_config': 'DEFAULT_BANK_SIZE FOUR_BYTE_BANK_SIZE EIGHT_BYTE_BANK_SIZE',
    'pointer_attribute': 'CONTEXT MEMORY_TYPE DEVICE_POINTER HOST_POINTER',
    'profiler_output_mode': 'KEY_VALUE_PAIR CSV',
    'host_alloc_flags': 'PORTABLE DEVICEMAP WRITECOMBINED',
    'mem_host_register_flags': 'PORTABLE DEVICEMAP',
    'mem_attach_flags': 'GLOBAL HOST SINGLE',
    'ipc_mem_flags': 'LAZY_ENABLE_PEER_ACCESS',
    'graphics_register_flags': 'NONE READ_ONLY WRITE_DISCARD SURFACE_LDST TEXTURE_GATHER',
    'array_cubemap_face': 'POSITIVE_X NEGATIVE_X POSITIVE_Y NEGATIVE_Y POSITIVE_Z NEGATIVE_Z',
    'ctx_flags': 'SCHED_AUTO SCHED_SPIN SCHED_YIELD SCHED_MASK BLOCKING_SYNC SCHED_BLOCKING_SYNC '
    'MAP_HOST LMEM_RESIZE_TO_MAX FLAGS_MASK',
    'event_flags': 'DEFAULT BLOCKING_SYNC DISABLE_TIMING INTERPROCESS',
    'limit': 'STACK_SIZE PRINTF_FIFO_SIZE MALLOC_HEAP_SIZE DEV_RUNTIME_SYNC_DEPTH '
    'DEV_RUNTIME_PENDING_LAUNCH_COUNT',
    'jit_option': 'MAX_REGISTERS THREADS_PER_BLOCK WALL_TIME INFO_LOG_BUFFER '
    'INFO_LOG_BUFFER_SIZE_BYTES ERROR_LOG_BUFFER ERROR_LOG_BUFFER_SIZE_BYTES OPTIMIZATION_LEVEL '
    'TARGET_FROM_CUCONTEXT TARGET FALLBACK_STRATEGY',
    'jit_fallback': 'PREFER_PTX PREFER_BINARY',
    'jit_input_type': 'CUBIN PTX FATBINARY OBJECT LIBRARY',
    'jit_target': 'COMPUTE_30 COMPUTE_52 COMPUTE_75 COMPUTE_80 COMPUTE_90 COMPUTE_90A COMPUTE_100',
    'function_attribute': 'MAX_THREADS_PER_BLOCK SHARED_SIZE_BYTES CONST_SIZE_BYTES '
    'LOCAL_SIZE_BYTES NUM_REGS PTX_VERSION BINARY_VERSION CACHE_MODE_CA '
    'MAX_DYNAMIC_SHARED_SIZE_BYTES PREFERRED_SHARED_MEMORY_CARVEOUT MAX '
    'CLUSTER_SIZE_MUST_BE_SET REQUIRED_CLUSTER_WIDTH NON_PORTABLE_CLUSTER_SIZE_ALLOWED '
    'CLUSTER_SCHEDULING_POLICY_PREFERENCE',
    'device_attribute': 'MAX_THREADS_PER_BLOCK MAX_BLOCK_DIM_X MAX_GRID_DIM_X WARP_SIZE '
    'MAX_SHARED_MEMORY_PER_BLOCK SHARED_MEMORY_PER_BLOCK REGISTERS_PER_BLOCK CLOCK_RATE '
    'MULTIPROCESSOR_COUNT COMPUTE_MODE CONCURRENT_KERNELS ECC_ENABLED PCI_BUS_ID TCC_DRIVER '
    'GLOBAL_MEMORY_BUS_WIDTH L2_CACHE_SIZE MAX_THREADS_PER_MULTIPROCESSOR ASYNC_ENGINE_COUNT '
    'UNIFIED_ADDRESSING COMPUTE_CAPABILITY_MAJOR COMPUTE_CAPABILITY_MINOR MANAGED_MEMORY '
    'MAX_SHARED_MEMORY_PER_MULTIPROCESSOR MAX_BLOCKS_PER_MULTIPROCESSOR COOPERATIVE_LAUNCH '
    'CLUSTER_LAUNCH HOST_REGISTER_SUPPORTED VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED '
    'TENSOR_MAP_ACCESS_SUPPORTED NUMA_CONFIG NUMA_ID',
}

MODULES = {
    'driver': DRIVER
    + ''.join(f'{cls}().{name}\n' for cls in ('Memcpy2D', 'Memcpy3D', 'Memcpy3DPeer')
              for name in COPY_FIELDS.split())
    + ''.join(f'{cls}().{name}\n' for cls in ('Memcpy3D', 'Memcpy3DPeer')
              for name in VOLUME_FIELDS.split()),
    'tools': TOOLS,
    'characterize': CHARACTERIZE,
    'gpuarray': GPUARRAY,
    'elementwise': ELEMENTWISE,
    'reduction': REDUCTION,
    'cumath': CUMATH,
    'curandom': CURANDOM,
}  # fmt: skip
ROWS = [(module, row) for module, rows in MODULES.items() for row in rows.split('\n') if row]


def resolve(module, path):
    found = importlib.import_module(f'runcu.{module}')
    for part in path.split('.'):
        found = getattr(found, part.removesuffix('()'))
        if part.endswith('()'):
            found = found()
    return found


def parameters(text):
    """Names of a row's parameters, how many have no default, and how many have no keyword."""
    spec = ast.parse(f'def f({text}): pass').body[0].args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    return names, len(names) - len(spec.defaults), len(spec.posonlyargs)


def split(row):
    """Path and parameters of a row; None for an attribute that is not called."""
    match = re.fullmatch(r'((?:\w+(?:\(\))?\.)*\w+)(?:\((.*)\))?', row)
    return match[1], match[2]


@pytest.mark.parametrize(('module', 'row'), ROWS, ids=[f'{m}.{r}' for m, r in ROWS])
def test_row(device, module, row):
    path, inside = split(row)
    found = resolve(module, path)
    if inside is None:
        return
    names, least, positional = parameters(inside)
    if names[:1] == ['self']:
        positional = max(positional, 1)
    signature = inspect.signature(found)
    signature.bind(*names)
    signature.bind(*names[:least])
    signature.bind(*names[:positional], **dict.fromkeys(names[positional:]))


@pytest.mark.parametrize('name', ENUMS)
def test_enumerations(name):
    enum = getattr(driver, name)
    missing = [member for member in ENUMS[name].split() if member not in enum.names]
    assert not missing
    for member, value in enum.names.items():
        assert getattr(enum, member) is value
        assert isinstance(value, int) and isinstance(value, enum)
        assert enum.values[int(value)] == value
        assert enum(int(value)) == value


def test_package():
    for name in PACKAGE.split():
        assert hasattr(runcu, name)
    assert runcu.VERSION >= (2026, 1)


def test_families_of_exceptions():
    for name in ('MemoryError', 'LogicError', 'LaunchError', 'RuntimeError', 'CompileError'):
        assert issubclass(getattr(driver, name), driver.Error)
    assert issubclass(driver.Error, Exception)


def test_modules_that_make_a_context(python, device_name):
    python(
        """
        import runcu.autoinit, runcu.autoprimaryctx, runcu.driver
        for module in (runcu.autoinit, runcu.autoprimaryctx):
            assert isinstance(module.context, runcu.driver.Context)
            assert isinstance(module.device, runcu.driver.Device)
        """,
        device=device_name,
    )

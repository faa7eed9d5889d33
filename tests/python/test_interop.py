"""Arrays shared with other libraries: DLPack and __cuda_array_interface__, both ways, uncopied."""

import ctypes
import gc
import sys
import weakref

import numpy as np
import pytest
import runcu
from runcu import _core, driver, gpuarray

CPU, CUDA, HOST, MANAGED = 1, 2, 3, 13


@pytest.fixture
def is_cpu(device):
    return device.is_cpu


class Exported:
    """An array at a device address, with the whole protocol."""

    def __init__(self, host, **options):
        self.host = np.asarray(host)
        self.memory = driver.to_device(self.host) if self.host.nbytes else None
        self.strides = None
        self.options = options

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return _core.dlpack_export(
            self,
            self.memory,
            self.host.shape,
            self.strides,
            self.host.dtype,
            stream=stream,
            max_version=max_version,
            dl_device=dl_device,
            copy=copy,
            **self.options,
        )

    def __dlpack_device__(self):
        return _core.dlpack_device(self.memory)


DTYPES = ['?', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16']


# --- device memory for others ---


@pytest.mark.parametrize('dtype', DTYPES)
def test_a_round_trip_keeps_address_shape_and_type(device, dtype):
    exported = Exported(np.arange(24).reshape(2, 3, 4).astype(dtype))
    taken = driver.from_dlpack(exported)
    assert taken.ptr == int(taken) == int(exported.memory) == taken.get_pointer()
    assert (taken.shape, taken.dtype) == ((2, 3, 4), exported.host.dtype)
    assert taken.strides == exported.host.strides
    assert taken.nbytes == exported.host.nbytes
    assert taken.owner is exported
    assert not taken.read_only
    assert (driver.from_device(taken, (2, 3, 4), dtype) == exported.host).all()
    assert 'ForeignArray' in repr(taken)


@pytest.mark.parametrize('strides', [(4, 8), (-8, 4), (0, 4), (8, -4)])
def test_strides_of_every_sign(device, strides):
    exported = Exported(np.zeros((2, 2), np.int32))
    exported.strides = strides
    assert driver.from_dlpack(exported).strides == strides


def test_devices_by_kind_of_memory(device, is_cpu):
    memory = driver.mem_alloc(64)
    assert memory.__dlpack_device__() == ((CPU, 0) if is_cpu else (CUDA, device.ordinal))
    assert _core.dlpack_device(int(memory) + 8) == memory.__dlpack_device__()
    assert _core.dlpack_device(None) == memory.__dlpack_device__()
    locked = driver.pagelocked_empty(16, np.float32)
    assert _core.dlpack_device(locked.ctypes.data) == (CPU if is_cpu else HOST, 0)
    assert _core.dlpack_device(np.zeros(4).ctypes.data) == (CPU, 0)


def test_both_devices_at_once():
    """The address tells the device, whatever is current."""
    names = [d.driver for d in runcu.devices()]
    if 'cuda' not in names:
        pytest.skip('there is no GPU')
    with runcu.device('cuda'):
        on_gpu = driver.mem_alloc(64)
    with runcu.device('cpu'):
        on_cpu = driver.mem_alloc(64)
        assert on_gpu.__dlpack_device__() == (CUDA, 0)
        assert on_cpu.__dlpack_device__() == (CPU, 0)
    with runcu.device('cuda'):
        assert on_gpu.__dlpack_device__() == (CUDA, 0)
        assert on_cpu.__dlpack_device__() == (CPU, 0)
        assert np.from_dlpack(on_cpu).ctypes.data == int(on_cpu)


def test_numpy_views_memory_of_the_cpu_device():
    with runcu.device('cpu'):
        exported = Exported(np.arange(6, dtype=np.float32).reshape(2, 3))
        view = np.from_dlpack(exported)
        assert view.ctypes.data == int(exported.memory)
        assert (view == exported.host).all()
        driver.memset_d32(exported.memory, 0, 6)
        driver.Context.synchronize()
        assert (view == 0).all()
        memory = driver.mem_alloc(64)
        assert np.from_dlpack(memory).ctypes.data == int(memory)
        assert np.from_dlpack(memory).shape == (64,)


def test_a_kernel_in_flight_is_done_before_numpy_looks():
    with runcu.device('cpu'):
        mod = runcu.SourceModule("""
        __global__ void slow(int *x)
        {
            unsigned long long end = clock64() + 20000;
            while (clock64() < end) ;
            x[threadIdx.x] = threadIdx.x;
        }
        """)
        memory = driver.to_device(np.zeros(32, np.int32))
        for stream in (None, driver.Stream(), driver.Stream(1)):
            driver.memset_d32(memory, 0, 32)
            mod.slow(memory, block=(32, 1, 1), stream=stream)
            assert (np.from_dlpack(memory).view(np.int32) == np.arange(32)).all()


def test_a_view_keeps_the_memory(device, is_cpu):
    exported = Exported(np.arange(4))
    gone = weakref.ref(exported)
    capsule = exported.__dlpack__()
    del exported
    gc.collect()
    assert gone() is not None
    taken = _core.dlpack_import(capsule)
    del capsule
    assert gone() is not None
    again = driver.from_dlpack(taken)
    address = int(taken)
    del taken
    gc.collect()
    assert gone() is not None and again.ptr == address
    assert (driver.from_device(again, 4, int) == np.arange(4)).all()
    del again
    gc.collect()
    assert gone() is None


def test_capsules_that_nobody_takes(device):
    exported = Exported(np.arange(4))
    before = sys.getrefcount(exported)
    for version in (None, (1, 0), (1, 1), (0, 8), (2, 0)):
        exported.__dlpack__(max_version=version)
    assert sys.getrefcount(exported) == before
    capsule = exported.__dlpack__()
    _core.dlpack_import(capsule)
    with pytest.raises(ValueError, match='used'):
        _core.dlpack_import(capsule)
    del capsule
    assert sys.getrefcount(exported) == before


def test_an_allocation_that_others_view_is_not_freed(device):
    memory = driver.mem_alloc(64)
    view = driver.from_dlpack(memory)
    with pytest.raises(BufferError, match='exists'):
        memory.free()
    del view
    memory.free()
    for ask in (memory.__dlpack__, memory.__dlpack_device__):
        with pytest.raises(driver.LogicError, match='freed'):
            ask()


def test_read_only_arrays_need_version_1(device):
    exported = Exported(np.arange(4), read_only=True)
    with pytest.raises(BufferError, match='read-only'):
        exported.__dlpack__()
    taken = driver.from_dlpack(exported)
    assert taken.read_only
    assert driver.from_dlpack(taken).read_only
    with runcu.device('cpu'):
        assert not np.from_dlpack(Exported(np.arange(4), read_only=True)).flags.writeable


@pytest.mark.parametrize('dtype', ['f4, f4', 'V8', 'S4', 'M8[s]', '>f4', 'g', 'O'])
def test_dtypes_that_dlpack_has_not(device, dtype):
    exported = Exported(np.zeros(4))
    with pytest.raises(BufferError, match='dtype'):
        _core.dlpack_export(exported, exported.memory, (1,), None, np.dtype(dtype))


def test_bad_layouts(device):
    memory = driver.mem_alloc(64)

    def export(shape=(4,), strides=None, dtype='f4', **options):
        return _core.dlpack_export(memory, memory, shape, strides, dtype, **options)

    export()
    for error, bad in (
        (BufferError, {'strides': (6,)}),
        (ValueError, {'strides': (4, 4)}),
        (ValueError, {'shape': (-1,)}),
        (TypeError, {'shape': 'x'}),
        (TypeError, {'dtype': 'nonsense'}),
        (TypeError, {'copy': 3}),
        (TypeError, {'max_version': 1}),
        (TypeError, {'dl_device': 1}),
        (BufferError, {'dl_device': (9, 0)}),
    ):
        with pytest.raises(error):
            export(**bad)


@pytest.mark.parametrize('shape', [(0,), (3, 0, 2), ()])
def test_arrays_of_no_or_one_element(device, shape):
    exported = Exported(np.ones(shape, np.float32))
    taken = driver.from_dlpack(exported)
    assert taken.shape == shape
    assert taken.nbytes == exported.host.nbytes
    assert bool(taken.ptr) == bool(taken.nbytes)
    if exported.__dlpack_device__()[0] == CPU:
        assert np.from_dlpack(exported).shape == shape


def test_copies_on_request(device, is_cpu):
    exported = Exported(np.arange(12, dtype=np.int16).reshape(3, 4))
    capsule = exported.__dlpack__(dl_device=(CPU, 0), copy=True, max_version=(1, 0))

    class Once:
        def __dlpack__(self, **kwargs):
            return capsule

        def __dlpack_device__(self):
            return (CPU, 0)

    view = np.from_dlpack(Once())
    assert (view == exported.host).all()
    assert view.ctypes.data != int(exported.memory)
    del exported
    gc.collect()
    assert view.sum() == 66
    copied = _core.dlpack_import(Exported(np.arange(5)).__dlpack__(copy=True))
    assert (driver.from_device(copied, 5, int) == np.arange(5)).all()
    if not is_cpu:
        with pytest.raises(BufferError, match='without a copy'):
            Exported(np.arange(5)).__dlpack__(dl_device=(CPU, 0), copy=False)


def test_copies_of_strided_arrays(device):
    base = Exported(np.arange(12, dtype=np.int32))
    for start, shape, strides in ((0, (6,), (8,)), (11, (4,), (-12,)), (0, (3, 4), (4, 12))):
        want = np.lib.stride_tricks.as_strided(base.host[start:], shape, strides)
        capsule = _core.dlpack_export(
            base, int(base.memory) + 4 * start, shape, strides, 'i4', copy=True, dl_device=(CPU, 0),
        )

        class Once:
            def __dlpack__(self, capsule=capsule, **kwargs):
                return capsule

            def __dlpack_device__(self):
                return (CPU, 0)

        assert (np.from_dlpack(Once()) == want).all()


@pytest.mark.parametrize('stream', [None, 0, 1, 2, -1])
def test_consumers_streams(device, is_cpu, stream):
    exported = Exported(np.arange(4))
    assert _core.dlpack_import(exported.__dlpack__(stream=stream)).ptr
    if not is_cpu:
        mine = driver.Stream(1)
        assert exported.__dlpack__(stream=mine.handle)
        with pytest.raises((TypeError, ValueError)):
            exported.__dlpack__(stream='x')


def test_page_locked_memory_is_shared(device, is_cpu):
    memory = driver.HostAllocation(64)
    assert memory.__dlpack_device__() == (CPU if is_cpu else HOST, 0)
    taken = driver.from_dlpack(memory)
    assert (taken.ptr, taken.shape) == (memory.get_device_pointer(), (64,))
    view = np.from_dlpack(memory)
    view[:] = 7
    assert memoryview(memory)[63] == 7
    del view, taken
    memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        memory.__dlpack__()


def test_copies_from_tensors(device):
    """Whoever has DLPack alone stands for an address in copies as well."""
    exported = Exported(np.arange(6, dtype=np.float32))
    assert driver.from_device(exported, 6, np.float32).tolist() == [0, 1, 2, 3, 4, 5]
    driver.memcpy_htod(exported, np.full(6, 9, np.float32))
    assert driver.from_device(exported.memory, 6, np.float32).tolist() == [9] * 6

    class Host:
        def __dlpack__(self, **kwargs):
            return np.zeros(4).__dlpack__()

        def __dlpack_device__(self):
            return (CPU, 0)

    with pytest.raises(TypeError, match='host memory'):
        driver.memcpy_htod(Host(), np.zeros(4))


def test_the_interface_of_allocations(device, is_cpu):
    memory = driver.mem_alloc(64)
    if is_cpu:
        assert getattr(memory, '__cuda_array_interface__', None) is None
        with pytest.raises(AttributeError, match='__dlpack__'):
            memory.__cuda_array_interface__  # noqa: B018
    else:
        interface = memory.__cuda_array_interface__
        assert interface['data'] == (int(memory), False)
        assert (interface['shape'], interface['typestr']) == ((64,), '|u1')
        assert (interface['version'], interface['strides']) == (3, None)
    memory.free()
    assert getattr(memory, '__cuda_array_interface__', None) is None
    assert np.intp(driver.mem_alloc(64)).ndim == 0  # it is an address to NumPy, no array


# --- arrays of others ---


class Tensor:
    """Another library's array: says where it is, and how it was asked."""

    def __init__(self, exported, device=None, knows_versions=True):
        self.exported, self.device, self.knows_versions = exported, device, knows_versions
        self.asked = []

    def __dlpack_device__(self):
        return self.device or self.exported.__dlpack_device__()

    def __dlpack__(self, **kwargs):
        self.asked.append(kwargs)
        if not self.knows_versions and 'max_version' in kwargs:
            raise TypeError("unexpected keyword argument 'max_version'")
        return self.exported.__dlpack__(**kwargs)


@pytest.mark.parametrize('knows_versions', [True, False])
def test_producers_of_either_protocol(device, is_cpu, knows_versions):
    tensor = Tensor(Exported(np.arange(4)), knows_versions=knows_versions)
    stream = driver.Stream()
    assert driver.from_dlpack(tensor, stream).shape == (4,)
    assert tensor.asked[0]['max_version'][0] == 1
    if is_cpu:
        assert 'stream' not in tensor.asked[-1]
    else:
        assert tensor.asked[-1]['stream'] == stream.handle
        driver.from_dlpack(tensor)
        assert tensor.asked[-1]['stream'] == 1


def test_host_arrays_are_refused(device):
    with pytest.raises(BufferError, match='to_gpu'):
        driver.from_dlpack(np.arange(4))


def test_what_is_no_array(device):
    exported = Exported(np.arange(4))
    for value in (5, None, object(), Tensor(exported, 5), Tensor(exported, ('x', 0))):
        with pytest.raises((TypeError, AttributeError)):
            driver.from_dlpack(value)

    class Bad:
        def __dlpack_device__(self):
            return exported.__dlpack_device__()

        def __dlpack__(self, **kwargs):
            return 'no capsule'

    with pytest.raises(ValueError, match='no capsule'):
        driver.from_dlpack(Bad())

    class Fails(Bad):
        def __dlpack__(self, **kwargs):
            raise OSError('mine')

    with pytest.raises(OSError, match='mine'):
        driver.from_dlpack(Fails())


class DLTensor(ctypes.Structure):
    _fields_ = [
        ('data', ctypes.c_void_p),
        ('device_type', ctypes.c_int32),
        ('device_id', ctypes.c_int32),
        ('ndim', ctypes.c_int32),
        ('code', ctypes.c_uint8),
        ('bits', ctypes.c_uint8),
        ('lanes', ctypes.c_uint16),
        ('shape', ctypes.POINTER(ctypes.c_int64)),
        ('strides', ctypes.POINTER(ctypes.c_int64)),
        ('byte_offset', ctypes.c_uint64),
    ]


class Versioned(ctypes.Structure):
    _fields_ = [
        ('major', ctypes.c_uint32),
        ('minor', ctypes.c_uint32),
        ('context', ctypes.c_void_p),
        ('deleter', ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ('flags', ctypes.c_uint64),
        ('tensor', DLTensor),
    ]


class ByHand:
    """A capsule of structs that are filled in here."""

    def __init__(self, memory, major=1, code=0, bits=32, lanes=1, offset=0, shape=(2, 2)):
        self.deleted = []
        self.shape = (ctypes.c_int64 * max(len(shape), 1))(*shape)
        tensor = DLTensor(
            int(memory), CPU, 0, len(shape), code, bits, lanes, self.shape, None, offset
        )
        deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.deleted.append)
        self.managed = Versioned(major, 7, None, deleter, 0, tensor)

    def __dlpack_device__(self):
        return (CPU, 0)

    def __dlpack__(self, **kwargs):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.managed), b'dltensor_versioned', None)


def test_capsules_made_by_hand(device):
    memory = driver.mem_alloc(256)
    tensor = ByHand(memory, offset=64)
    taken = driver.from_dlpack(tensor)
    assert taken.ptr == int(memory) + 64
    assert (taken.shape, taken.strides, taken.dtype) == ((2, 2), (8, 4), np.int32)
    assert tensor.deleted == []
    del taken
    assert len(tensor.deleted) == 1


def test_versions_to_come_are_refused_and_deleted(device):
    memory = driver.mem_alloc(64)
    tensor = ByHand(memory, major=2)
    with pytest.raises(BufferError, match=r'2\.7'):
        driver.from_dlpack(tensor)
    assert len(tensor.deleted) == 1


@pytest.mark.parametrize(
    ('code', 'bits', 'lanes', 'dtype'),
    [(2, 32, 4, 'V16'), (3, 64, 1, 'V8'), (6, 8, 1, '?'), (5, 64, 1, 'c8'), (2, 16, 1, 'f2')],
)
def test_types_of_dlpack(device, code, bits, lanes, dtype):
    memory = driver.mem_alloc(64)
    tensor = ByHand(memory, code=code, bits=bits, lanes=lanes)
    assert driver.from_dlpack(tensor).dtype == np.dtype(dtype)


def test_small_floats(device):
    memory = driver.mem_alloc(64)
    for code, bits, name in ((4, 16, 'bfloat16'), (10, 8, 'float8_e4m3fn'), (12, 8, 'float8_e5m2')):
        dtype = driver.from_dlpack(ByHand(memory, code=code, bits=bits)).dtype
        assert dtype.itemsize == bits // 8
        try:
            import ml_dtypes
        except ImportError:
            assert dtype.kind == 'V'
        else:
            assert dtype == np.dtype(getattr(ml_dtypes, name))
            assert driver.from_dlpack(
                _core.dlpack_import(_core.dlpack_export(memory, memory, 4, None, dtype))
            ).dtype == dtype
    with pytest.raises(BufferError, match='4-bit'):
        driver.from_dlpack(ByHand(memory, code=0, bits=4))


def test_chains_of_the_cuda_array_interface(device, is_cpu):
    taken = driver.from_dlpack(Exported(np.arange(6, dtype=np.float32).reshape(2, 3)))
    if is_cpu:
        assert not hasattr(taken, '__cuda_array_interface__')
        return
    interface = taken.__cuda_array_interface__
    assert interface['data'] == (taken.ptr, False)
    assert (interface['shape'], interface['typestr']) == ((2, 3), '<f4')
    assert interface['strides'] == (12, 4)


# --- GPUArray ---


def test_gpuarrays_are_arguments_and_tensors(device, is_cpu):
    from runcu import gpuarray

    mod = runcu.SourceModule("""
    __global__ void twice(float *to, const float *from) { to[threadIdx.x] = 2 * from[threadIdx.x]; }
    """)
    a = gpuarray.to_gpu(np.arange(6, dtype=np.float32))
    b = gpuarray.zeros(6, np.float32)
    mod.twice(b, a, block=6, strict=True)
    assert b.get().tolist() == [0, 2, 4, 6, 8, 10]
    mod.twice(b[1:], a[3:], block=2)
    assert b.get().tolist() == [0, 6, 8, 6, 8, 10]
    taken = driver.from_dlpack(a[2:4])
    assert taken.ptr == int(a.ptr) + 8
    mod.twice(b, taken, block=2, strict=True)
    assert b.get()[:2].tolist() == [4, 6]
    with pytest.raises(driver.ArgumentError, match='int32'):
        mod.twice(gpuarray.zeros(6, np.int32), a, block=1, strict=True)
    if is_cpu:
        view = np.from_dlpack(a)
        assert view.ctypes.data == int(a.ptr)
        assert view.tolist() == a.get().tolist()


def test_empty_gpuarrays_are_null(device):
    from runcu import gpuarray

    mod = runcu.SourceModule("""
    __global__ void look(int *to, const float *p) { *to = p == 0; }
    """)
    to = np.zeros(1, np.int32)
    mod.look(driver.Out(to), gpuarray.zeros(0, np.float32), block=1)
    assert to[0] == 1


# --- the exchange table of DLPack ---

FROM_OBJECT = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(DLTensor))
STREAM_OF = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p)
)


class Table(ctypes.Structure):
    _fields_ = [
        ('major', ctypes.c_uint32),
        ('minor', ctypes.c_uint32),
        ('earlier', ctypes.c_void_p),
        ('allocate', ctypes.c_void_p),
        ('managed_from_object', ctypes.c_void_p),
        ('managed_to_object', ctypes.c_void_p),
        ('tensor_from_object', FROM_OBJECT),
        ('current_stream', STREAM_OF),
    ]


def exchanging(kind, stream=0, major=1, earlier=None, fails=False):
    """A class of arrays whose library has an exchange table."""

    class Exchanging:
        calls = []

        def __init__(self, address, shape=(4,), code=2, bits=32):
            self.shape = (ctypes.c_int64 * len(shape))(*shape)
            self.tensor = DLTensor(address, kind, 0, len(shape), code, bits, 1, self.shape)

        @property
        def __cuda_array_interface__(self):
            raise AssertionError('the table is there to be used')

    def from_object(obj, out):
        Exchanging.calls.append('tensor')
        ctypes.memmove(out, ctypes.addressof(obj.tensor), ctypes.sizeof(DLTensor))
        return 0

    def stream_of(device_type, device_id, out):
        Exchanging.calls.append((device_type, device_id))
        out[0] = stream
        return 0

    functions = FROM_OBJECT(from_object), STREAM_OF(stream_of)
    table = Table(major, 0, earlier, None, None, None, *functions)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    Exchanging.table = table
    Exchanging.name = ctypes.create_string_buffer(b'dlpack_exchange_api')
    Exchanging.__dlpack_c_exchange_api__ = new(ctypes.addressof(table), Exchanging.name, None)
    return Exchanging


@pytest.fixture
def pointer(device):
    """What a kernel is given where a pointer stands."""
    mod = runcu.SourceModule("""
    __global__ void look(unsigned long long *to, const float *p) { *to = (unsigned long long) p; }
    """)

    def look(value, **options):
        to = np.zeros(1, np.uint64)
        mod.look(driver.Out(to), value, block=1, **options)
        return int(to[0])

    return look


def test_the_exchange_table_comes_first(pointer, is_cpu):
    memory = driver.mem_alloc(64)
    kind = CPU if is_cpu else CUDA
    cls = exchanging(kind)
    array = cls(int(memory))
    for _ in range(3):
        assert pointer(array) == int(memory)
    assert cls.calls == (['tensor'] if is_cpu else ['tensor', (CUDA, 0)]) * 3
    array.tensor.byte_offset = 16
    assert pointer(array) == int(memory) + 16
    with pytest.raises(driver.ArgumentError, match='int32'):
        pointer(cls(int(memory), code=0), strict=True)
    later = exchanging(kind, major=2, earlier=ctypes.addressof(cls.table))
    assert pointer(later(int(memory))) == int(memory)
    with pytest.raises(TypeError, match='none of CUDA'):
        pointer(exchanging(10)(int(memory)))  # ROCm


def test_host_tensors_of_the_exchange_table(pointer):
    host = np.zeros(4, np.float32)
    with pytest.raises(TypeError, match='Exchanging was given, which is a host array.*InOut'):
        pointer(exchanging(CPU)(host.ctypes.data))
    locked = driver.pagelocked_zeros(4, np.float32)
    for kind in (CPU, HOST):
        got = pointer(exchanging(kind)(locked.ctypes.data))
        assert got == locked.base.get_device_pointer()


def test_the_librarys_current_stream_comes_first(device, is_cpu):
    if is_cpu:
        pytest.skip('memory of the CPU device has no streams to other libraries')
    slow = runcu.SourceModule("""
    __global__ void slow(float *x)
    {
        long long end = clock64() + 3000000;
        while (clock64() < end) ;
        x[threadIdx.x] = threadIdx.x + 1;
    }
    __global__ void copy(float *to, const float *from) { to[threadIdx.x] = from[threadIdx.x]; }
    """)
    for ours in (None, driver.Stream(), driver.Stream(1)):
        theirs = driver.Stream(1)
        memory, to = driver.to_device(np.zeros(4, np.float32)), driver.mem_alloc(16)
        slow.slow(memory, block=4, stream=theirs)
        slow.copy(to, exchanging(CUDA, theirs.handle)(int(memory)), block=4, stream=ours)
        (ours or driver.Context).synchronize()
        assert driver.from_device(to, 4, np.float32).tolist() == [1, 2, 3, 4]


# --- host memory of others ---


class HostTensor:
    """What torch's tensors on the CPU are: DLPack, and no buffer."""

    def __init__(self, host):
        self.host = host

    def __dlpack__(self, **options):
        return self.host.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.host.__dlpack_device__()

    @property
    def nbytes(self):
        return self.host.nbytes


DOUBLE = '__global__ void twice(int *x) { x[threadIdx.x] *= 2; }'


@pytest.mark.parametrize('order', 'CF')
def test_host_tensors_travel_as_host_arrays_do(device, order):
    host = np.asarray(np.arange(12, dtype=np.int32).reshape(3, 4), order=order)
    twice = host * 2
    tensor = HostTensor(host)
    memory = driver.mem_alloc(host.nbytes)
    driver.memcpy_htod(memory, tensor)
    assert bytes(driver.from_device(memory, 48, 'u1')) == host.tobytes(order)
    runcu.SourceModule(DOUBLE).twice[1, 12](driver.InOut(tensor))
    assert (host == twice).all()
    driver.memset_d8(memory, 0, 48)
    driver.memcpy_dtoh(tensor, memory)
    assert not host.any()
    back = driver.to_device(HostTensor(np.arange(5.0)))
    assert driver.from_device(back, 5, 'f8').tolist() == [0, 1, 2, 3, 4]


def test_host_tensors_are_kept_until_a_stream_gets_there(device):
    stream = driver.Stream(1)
    memory = driver.mem_alloc(1 << 20)
    driver.memcpy_htod_async(memory, HostTensor(np.full(1 << 20, 7, np.uint8)), stream)
    gc.collect()
    back = np.zeros(1 << 20, np.uint8)
    driver.memcpy_dtoh_async(HostTensor(back), memory, stream)
    stream.synchronize()
    assert (back == 7).all()


def test_host_tensors_that_do_not_fit(device):
    memory = driver.mem_alloc(64)
    with pytest.raises(ValueError, match='HostTensor is not contiguous'):
        driver.memcpy_htod(memory, HostTensor(np.arange(32, dtype='u1')[::2]))
    for on_a_device in (memory, Exported(np.arange(4))):
        with pytest.raises(TypeError, match='on a device already|no buffer'):
            driver.memcpy_htod(memory, on_a_device)
    for nothing in (HostTensor, object(), 3, None):
        with pytest.raises(TypeError):
            driver.memcpy_htod(memory, nothing)


def test_tensors_of_torch_without_a_gpu():
    torch = pytest.importorskip('torch')
    with runcu.device('cpu'):
        array = gpuarray.to_gpu(np.arange(6, dtype=np.float32).reshape(2, 3))
        for memory, same in ((array, array.get()), (array.T, array.get().T)):
            tensor = torch.from_dlpack(memory)
            assert (tensor.numpy() == same).all()
        tensor += 1  # one memory, seen by both
        assert array.get().tolist() == [[1, 2, 3], [4, 5, 6]]
        twice = runcu.SourceModule(DOUBLE.replace('int', 'float')).twice
        twice[1, 6](torch.from_dlpack(array))
        driver.Context.synchronize()
        assert tensor.tolist() == [[2, 8], [4, 10], [6, 12]]
        plain = torch.arange(6, dtype=torch.float32)
        with pytest.raises(driver.ArgumentError, match='Tensor was given, which is a host array'):
            twice[1, 6](plain)
        twice[1, 6](driver.InOut(plain))
        assert plain.tolist() == [0, 2, 4, 6, 8, 10]
        assert gpuarray.to_gpu(plain).get().tolist() == plain.tolist()
        driver.memcpy_dtoh(plain, array.gpudata)
        assert plain.tolist() == [2, 4, 6, 8, 10, 12]
        small = torch.arange(4, dtype=torch.bfloat16)
        memory = driver.to_device(small)
        back = torch.zeros_like(small)
        driver.memcpy_dtoh(back, memory)
        assert torch.equal(small, back)
        with pytest.raises((BufferError, RuntimeError), match='grad'):
            driver.to_device(torch.zeros(3, requires_grad=True))


# --- torch, CuPy, Numba: where they are ---

TWICE = """
__global__ void twice(float *to, const float *from, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) to[i] = 2 * from[i];
}
__global__ void slow_fill(float *to, float value, int n)
{
    long long end = clock64() + 20000000;
    while (clock64() < end) ;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) to[i] = value;
}
"""


@pytest.fixture
def gpu():
    if 'cuda' not in [d.driver for d in runcu.devices()]:
        pytest.skip('there is no GPU')
    with runcu.device('cuda') as device:
        yield device
        driver.Context.synchronize()


@pytest.fixture
def kernels(gpu):
    return runcu.SourceModule(TWICE)


@pytest.fixture
def torch(gpu):
    module = pytest.importorskip('torch')
    if not module.cuda.is_available():
        pytest.skip('this torch has no GPU')
    return module


@pytest.fixture
def cupy(gpu):
    return pytest.importorskip('cupy')


@pytest.fixture
def numba_cuda(gpu):
    cuda = pytest.importorskip('numba.cuda')
    try:
        cuda.current_context()
    except Exception as e:
        pytest.skip(f'Numba does not work here: {e}')
    return cuda


N = 1 << 16


def test_torch_tensors_are_arguments(torch, kernels):
    x = torch.arange(N, dtype=torch.float32, device='cuda')
    y = torch.zeros(N, device='cuda')
    kernels.twice[N](y, x, np.int32(N))
    torch.cuda.synchronize()
    assert torch.equal(y, 2 * x)
    kernels.twice[N - 5](y, x[5:], N - 5)  # a view's offset counts
    torch.cuda.synchronize()
    assert torch.equal(y[: N - 5], 2 * x[5:])
    with pytest.raises(driver.ArgumentError, match='int64'):
        kernels.twice[1](y, torch.zeros(4, dtype=torch.int64, device='cuda'), 0, strict=True)
    with pytest.raises(TypeError, match='In.*to_gpu'):
        kernels.twice[1](y, torch.zeros(4), 0)
    pinned = torch.arange(8, dtype=torch.float32).pin_memory()
    kernels.twice[8](y, pinned, 8)
    torch.cuda.synchronize()
    assert y[:8].tolist() == [2 * i for i in range(8)]


def test_torch_small_floats(torch, gpu):
    mod = runcu.SourceModule("""
    #include <cuda_bf16.h>
    #include <cuda_fp16.h>
    __global__ void brain(__nv_bfloat16 *x) { x[0] = __float2bfloat16(1.5f); }
    __global__ void half_(__half *x) { x[0] = __float2half(1.5f); }
    """)
    for name, dtype, other in (
        ('brain', torch.bfloat16, torch.float16),
        ('half_', torch.float16, torch.bfloat16),
    ):
        x = torch.zeros(4, dtype=dtype, device='cuda')
        mod.get_function(name)(x, block=1, strict=True)
        torch.cuda.synchronize()
        assert x[0].item() == 1.5
        with pytest.raises(driver.ArgumentError, match='float16'):
            mod.get_function(name)(x.to(other), block=1, strict=True)


def test_torch_streams_are_kept_in_order(torch, kernels):
    for _ in range(5):
        x, y = torch.zeros(N, device='cuda'), torch.zeros(N, device='cuda')
        torch.cuda.synchronize()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            kernels.slow_fill[(N // 256,), (256,), stream](x, np.float32(3), N)
            kernels.twice[N](y, x, N)  # in our default stream, after theirs
        driver.Context.synchronize()
        assert (y == 6).all().item()


def test_memory_to_torch_and_back(torch, gpu):
    from runcu import gpuarray

    a = gpuarray.to_gpu(np.arange(12, dtype=np.float32).reshape(3, 4))
    t = torch.from_dlpack(a)
    assert t.data_ptr() == int(a.ptr)
    assert t.shape == (3, 4) and t.device.type == 'cuda'
    t *= 2
    torch.cuda.synchronize()
    assert (a.get() == 2 * np.arange(12).reshape(3, 4)).all()
    back = driver.from_dlpack(t)
    assert back.ptr == int(a.ptr)
    by_interface = torch.as_tensor(a, device='cuda')
    assert by_interface.data_ptr() == int(a.ptr)
    column = a[:, 1]
    assert torch.from_dlpack(column).tolist() == column.get().tolist()
    memory = driver.mem_alloc(64)
    assert torch.from_dlpack(memory).data_ptr() == int(memory)


def test_lives_of_shared_memory(torch, gpu):
    from runcu import gpuarray

    a = gpuarray.to_gpu(np.arange(1024, dtype=np.float32))
    gone = weakref.ref(a)
    t = torch.from_dlpack(a)
    del a
    gc.collect()
    assert gone() is not None
    assert t.sum().item() == 1023 * 512
    del t
    gc.collect()
    assert gone() is None
    t = torch.arange(1024, dtype=torch.float32, device='cuda')
    taken = driver.from_dlpack(t)
    address = t.data_ptr()
    del t
    gc.collect()
    torch.zeros(1024, device='cuda')  # would take the place if it were free
    assert taken.ptr == address
    assert driver.from_device(taken, 1024, np.float32).sum() == 1023 * 512


def test_torch_streams_are_streams(torch, kernels):
    y = torch.zeros(N, device='cuda')
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    kernels.slow_fill(y, np.float32(7), N, block=256, grid=N // 256, stream=stream)
    stream.synchronize()
    assert (y == 7).all().item()


def test_a_consumers_stream_waits(torch, kernels):
    """What our default stream still does is done before torch looks, whatever stream it is in."""
    from runcu import gpuarray

    a = gpuarray.zeros(N, np.float32)
    driver.Context.synchronize()
    kernels.slow_fill(a, np.float32(5), N, block=256, grid=N // 256)
    with torch.cuda.stream(torch.cuda.Stream()):
        t = torch.from_dlpack(a)
        assert (t == 5).all().item()


def test_tensors_that_want_gradients(torch, kernels):
    t = torch.zeros(4, device='cuda', requires_grad=True)
    y = torch.zeros(4, device='cuda')
    try:
        kernels.twice[4](y, t, 4)
    except (RuntimeError, BufferError, TypeError, driver.Error) as e:
        assert 'grad' in str(e)  # torch says that detach() is needed
    kernels.twice[4](y, t.detach(), 4)


def test_torch_on_the_cpu_views_the_cpu_device():
    module = pytest.importorskip('torch')
    from runcu import gpuarray

    with runcu.device('cpu'):
        a = gpuarray.to_gpu(np.arange(8, dtype=np.float32))
        t = module.from_dlpack(a)
        assert t.data_ptr() == int(a.ptr) and t.device.type == 'cpu'
        t += 1
        mod = runcu.SourceModule(TWICE)
        to = gpuarray.zeros(8, np.float32)
        mod.twice[8](to, t, 8)  # memory of the CPU device, whoever names it
        assert to.get().tolist() == [2 * (i + 1) for i in range(8)]
        with pytest.raises(TypeError, match='In.*to_gpu'):
            mod.twice[8](to, module.zeros(8), 8)
        result = module.zeros(8)
        mod.twice[8](driver.Out(result.numpy()), driver.In(t.numpy()), 8)
        assert result.tolist() == to.get().tolist()


def test_cupy_arrays_are_arguments(cupy, kernels):
    x = cupy.arange(N, dtype=cupy.float32)
    y = cupy.zeros(N, cupy.float32)
    kernels.twice[N](y, x, N)
    driver.Context.synchronize()
    assert (y == 2 * x).all()
    kernels.twice[N - 3](y, x[3:], N - 3)
    driver.Context.synchronize()
    assert (y[: N - 3] == 2 * x[3:]).all()
    with pytest.raises(driver.ArgumentError, match='float64'):
        kernels.twice[1](y, cupy.zeros(4), 0, strict=True)


def test_cupy_streams_are_kept_in_order(cupy, kernels):
    for _ in range(5):
        x, y = cupy.zeros(N, cupy.float32), cupy.zeros(N, cupy.float32)
        cupy.cuda.Device().synchronize()
        stream = cupy.cuda.Stream(non_blocking=True)
        with stream:
            kernels.slow_fill(x, np.float32(3), N, block=256, grid=N // 256, stream=stream)
            kernels.twice[N](y, x, N)
        driver.Context.synchronize()
        assert (y == 6).all()


def test_memory_to_cupy_and_back(cupy, gpu):
    from runcu import gpuarray

    a = gpuarray.to_gpu(np.arange(12, dtype=np.float32).reshape(3, 4))
    for shared in (cupy.from_dlpack(a), cupy.asarray(a)):
        assert shared.data.ptr == int(a.ptr)
        assert shared.shape == (3, 4)
        assert (cupy.asnumpy(shared) == a.get()).all()
    back = driver.from_dlpack(cupy.from_dlpack(a))
    assert back.ptr == int(a.ptr) and back.dtype == np.float32
    gone = weakref.ref(a)
    shared = cupy.from_dlpack(a)
    del a, back
    gc.collect()
    assert gone() is not None
    assert float(shared.sum()) == 66
    del shared
    gc.collect()
    assert gone() is None


def test_numba_arrays_are_arguments(numba_cuda, kernels):
    x = numba_cuda.to_device(np.arange(N, dtype=np.float32))
    y = numba_cuda.device_array(N, np.float32)
    kernels.twice[N](y, x, N)
    driver.Context.synchronize()
    assert (y.copy_to_host() == 2 * np.arange(N)).all()


def test_memory_to_numba(numba_cuda, gpu):
    from runcu import gpuarray

    a = gpuarray.to_gpu(np.arange(12, dtype=np.float32))
    shared = numba_cuda.as_cuda_array(a)
    assert shared.__cuda_array_interface__['data'][0] == int(a.ptr)
    assert (shared.copy_to_host() == a.get()).all()

"""Copies of rows and boxes against NumPy; copies of arrays and between contexts."""

import gc
import sys
import weakref

import numpy as np
import pytest
from runcu import driver
from runcu.compiler import SourceModule


@pytest.fixture
def stream(device):
    with driver.Stream() as made:
        yield made


HOW = {
    'waiting': lambda copy, stream: copy(),
    'aligned': lambda copy, stream: copy(aligned=True),
    'positional': lambda copy, stream: copy(True),
    'none': lambda copy, stream: copy(None),
    'stream': lambda copy, stream: copy(stream),
    'keyword': lambda copy, stream: copy(stream=stream),
    'handle': lambda copy, stream: copy(stream.handle),
}


@pytest.mark.parametrize('how', HOW)
def test_rows(device, stream, how):
    host = np.random.default_rng(1).integers(0, 255, (10, 24), 'u1')
    back = np.zeros_like(host)
    memory, pitch = driver.mem_alloc_pitch(40, 12, 4)
    driver.memset_d8(memory, 0, pitch * 12)
    copy = driver.Memcpy2D()
    copy.set_src_host(host)
    copy.src_x_in_bytes, copy.src_y, copy.src_pitch = 3, 2, 24
    copy.set_dst_device(memory)
    copy.dst_x_in_bytes, copy.dst_y, copy.dst_pitch = 5, 1, pitch
    copy.width_in_bytes, copy.height = 11, 7
    HOW[how](copy, stream)
    stream.synchronize()
    on_device = driver.from_device(memory, (12, pitch), 'u1')
    expected = np.zeros_like(on_device)
    expected[1:8, 5:16] = host[2:9, 3:14]
    assert (on_device == expected).all()
    copy = driver.Memcpy2D()
    copy.set_src_device(memory)
    copy.src_x_in_bytes, copy.src_y, copy.src_pitch = 5, 1, pitch
    copy.set_dst_host(back)
    copy.dst_x_in_bytes, copy.dst_y, copy.dst_pitch = 3, 2, 24
    copy.width_in_bytes, copy.height = 11, 7
    HOW[how](copy, stream)
    stream.synchronize()
    expected = np.zeros_like(host)
    expected[2:9, 3:14] = host[2:9, 3:14]
    assert (back == expected).all()


def test_host_arrays_with_gaps(device):
    """What GPUArray does with slices: pitches are the strides."""
    big = np.arange(20 * 16, dtype='i4').reshape(20, 16)
    piece = big[2:10:2, 3:9]
    memory = driver.mem_alloc(piece.size * 4)
    copy = driver.Memcpy2D()
    copy.set_src_host(piece)
    copy.src_pitch = piece.strides[0]
    copy.set_dst_device(memory)
    copy.dst_pitch = copy.width_in_bytes = piece.shape[1] * 4
    copy.height = piece.shape[0]
    copy(aligned=False)
    assert (driver.from_device(memory, piece.shape, 'i4') == piece).all()
    out = np.zeros_like(big)
    copy = driver.Memcpy2D()
    copy.set_src_device(memory)
    copy.src_pitch = copy.width_in_bytes = piece.shape[1] * 4
    copy.set_dst_host(out[2:10:2, 3:9])
    copy.dst_pitch = piece.strides[0]
    copy.height = piece.shape[0]
    copy()
    expected = np.zeros_like(big)
    expected[2:10:2, 3:9] = piece
    assert (out == expected).all()


@pytest.mark.parametrize('kind', [driver.Memcpy3D, driver.Memcpy3DPeer])
@pytest.mark.parametrize('is_async', [False, True])
def test_boxes(device, stream, kind, is_async):
    host = np.random.default_rng(2).integers(0, 255, (6, 10, 24), 'u1')
    memory = driver.to_device(np.zeros_like(host))
    copy = kind()
    copy.set_src_host(host)
    copy.src_x_in_bytes, copy.src_y, copy.src_z = 3, 2, 1
    copy.src_pitch, copy.src_height = 24, 10
    copy.set_dst_device(memory)
    copy.dst_x_in_bytes, copy.dst_y, copy.dst_z = 4, 1, 2
    copy.dst_pitch, copy.dst_height = 24, 10
    copy.width_in_bytes, copy.height, copy.depth = 9, 5, 3
    copy(stream) if is_async else copy()
    stream.synchronize()
    expected = np.zeros_like(host)
    expected[2:5, 1:6, 4:13] = host[1:4, 2:7, 3:12]
    assert (driver.from_device(memory, host.shape, 'u1') == expected).all()


def test_boxes_between_contexts(device):
    values = np.arange(4 * 4 * 16, dtype='u1').reshape(4, 4, 16)
    here = driver.Context.get_current()
    mine = driver.mem_alloc(values.nbytes)
    other = device.make_context()
    try:
        theirs = driver.to_device(values)
        copy = driver.Memcpy3DPeer()
        copy.set_src_device(theirs)
        copy.set_src_context(other)
        copy.set_dst_device(mine)
        copy.set_dst_context(here)
        copy.src_pitch = copy.dst_pitch = copy.width_in_bytes = 16
        copy.src_height = copy.dst_height = copy.height = copy.depth = 4
        copy()
        assert (driver.from_device(mine, values.shape, 'u1') == values).all()
        copy.set_src_context(None)
        copy()
        with pytest.raises(TypeError, match='Context'):
            copy.set_dst_context(12)
        driver.memset_d8(mine, 0, values.nbytes)
        driver.memcpy_peer(mine, theirs, values.nbytes)
        driver.memcpy_peer(int(mine) + 8, int(theirs) + 8, 100, here, other)
        driver.memcpy_peer_async(mine, theirs, 8, dest_context=here, src_context=other, stream=None)
        other.synchronize()
        assert (driver.from_device(mine, values.shape, 'u1') == values).all()
        with pytest.raises(driver.LogicError, match='cuMemcpyPeer failed: invalid argument'):
            driver.memcpy_peer(mine, theirs, 64 << 20)
        with pytest.raises(TypeError, match='Context'):
            driver.memcpy_peer(mine, theirs, 8, 'here')
        theirs.free()
    finally:
        other.pop()
        other.detach()


def test_unified_addresses(device):
    values = np.arange(64, dtype='u1')
    memory = driver.to_device(values)
    other = driver.mem_alloc(64)
    copy = driver.Memcpy2D()
    copy.set_src_unified(memory)
    copy.set_dst_unified(other)
    copy.src_pitch = copy.dst_pitch = copy.width_in_bytes = 16
    copy.height = 4
    copy()
    assert (driver.from_device(other, 64, 'u1') == values).all()
    assert copy.src_memory_type is driver.memory_type.UNIFIED
    assert copy.src_device == int(memory)
    managed = driver.managed_zeros(64, 'u1')
    copy.set_dst_unified(managed)
    copy()
    driver.Context.synchronize()
    assert (managed == values).all()


def test_attributes(device):
    copy = driver.Memcpy3D()
    memory = driver.mem_alloc(64)
    for name in (
        'src_x_in_bytes src_y src_z src_lod src_pitch src_height dst_x_in_bytes dst_y dst_z '
        'dst_lod dst_pitch dst_height width_in_bytes height depth'
    ).split():
        assert getattr(copy, name) == 0
        setattr(copy, name, 1 << 40)
        assert getattr(copy, name) == 1 << 40
        setattr(copy, name, np.int64(7))
        assert getattr(copy, name) == 7
        with pytest.raises((OverflowError, TypeError)):
            setattr(copy, name, -1)
        with pytest.raises(TypeError):
            setattr(copy, name, 'many')
    kinds = driver.memory_type
    assert copy.src_memory_type is kinds.HOST
    copy.set_src_host(np.zeros(4))
    copy.set_dst_device(memory)
    assert copy.src_memory_type is kinds.HOST and copy.dst_memory_type is kinds.DEVICE
    assert copy.dst_device == int(memory)
    copy.src_device = int(memory) + 8
    assert copy.src_memory_type is kinds.DEVICE and copy.src_device == int(memory) + 8
    copy.src_memory_type = kinds.UNIFIED
    assert copy.src_memory_type is kinds.UNIFIED
    with pytest.raises(ValueError, match='memory_type'):
        copy.src_memory_type = 9
    copy.name = 'takes attributes of its own'
    with pytest.raises(TypeError, match='no arguments'):
        driver.Memcpy2D(1)


def whole(host, memory):
    copy = driver.Memcpy2D()
    copy.set_src_host(host)
    copy.set_dst_device(memory)
    copy.src_pitch = copy.dst_pitch = copy.width_in_bytes = host.shape[1]
    copy.height = host.shape[0]
    return copy


def test_copies_that_leave_their_memory_write_nothing(device):
    host = np.ones((6, 20), 'u1')
    memory = driver.to_device(np.zeros(120, 'u1'))
    copy = whole(host, memory)
    copy.src_y = 1
    with pytest.raises(driver.Error, match='120 bytes, and 140 are needed: 20 too few'):
        copy()
    copy = whole(host[:, 3:9], memory)
    copy.src_pitch = 20
    copy.width_in_bytes = copy.dst_pitch = 6
    copy.height = 7
    with pytest.raises(driver.Error, match='needed'):
        copy()
    copy = whole(host, memory)
    copy.dst_y = 64 << 20
    with pytest.raises(driver.LogicError, match='room for 120 bytes'):
        copy()
    copy = whole(host, memory)
    copy.dst_pitch = 10
    with pytest.raises(driver.LogicError, match='Rows of the destination are 10 bytes apart'):
        copy()
    out = np.zeros((6, 20), 'u1')
    back = driver.Memcpy2D()
    back.set_src_device(memory)
    back.set_dst_host(out)
    back.width_in_bytes, back.height, back.dst_pitch, back.src_pitch = 20, 6, 21, 20
    with pytest.raises(driver.Error, match='destination of the copy has 120 bytes'):
        back()
    assert not out.any() and not driver.from_device(memory, 120, 'u1').any()


def test_sides_must_be_set(device):
    copy = driver.Memcpy2D()
    copy()  # nothing to copy
    copy.width_in_bytes = copy.height = 4
    with pytest.raises(driver.Error, match='destination of the copy is not set'):
        copy()
    copy.set_dst_host(np.zeros((4, 4), 'u1'))
    with pytest.raises(driver.Error, match='source of the copy is not set'):
        copy()
    copy.src_memory_type = driver.memory_type.ARRAY
    with pytest.raises(driver.Error, match='source of the copy is not set'):
        copy()
    copy.depth = 3  # an attribute of its own, of no meaning


def test_wrong_values(device):
    copy = driver.Memcpy3DPeer()
    for setter in ('src_host', 'dst_host', 'src_array', 'dst_array', 'src_device', 'dst_unified'):
        with pytest.raises(TypeError):
            getattr(copy, f'set_{setter}')('text')
        with pytest.raises(TypeError):
            getattr(copy, f'set_{setter}')()
    with pytest.raises(TypeError, match='Python objects'):
        copy.set_src_host(np.array([object()]))
    fixed = np.zeros(4)
    fixed.flags.writeable = False
    copy.set_src_host(fixed)
    copy.set_src_host(b'bytes')
    with pytest.raises(ValueError, match='not writable'):
        copy.set_dst_host(fixed)
    with pytest.raises((BufferError, ValueError)):
        copy.set_dst_host(b'bytes')
    with pytest.raises(TypeError, match='Stream'):
        copy('stream')
    with pytest.raises(TypeError):
        copy(None, None, None)
    memory = driver.mem_alloc(64)
    rows = driver.Memcpy2D()
    rows.set_src_device(memory)
    rows.set_dst_host(np.zeros(64, 'u1'))
    rows.width_in_bytes, rows.height = 64, 1
    memory.free()
    with pytest.raises(driver.LogicError):
        rows()


def test_host_memory_is_kept(device, stream):
    host = np.ones((64, 1 << 12), 'u1')
    memory = driver.to_device(np.zeros_like(host))
    copy = whole(host, memory)
    before = sys.getrefcount(host)
    seen = weakref.ref(host)
    copy(stream)
    del copy, host
    assert before >= 2
    stream.synchronize()
    assert driver.from_device(memory, (64, 1 << 12), 'u1').all()
    driver.memcpy_htod_async(memory, np.zeros(4, 'u1'), stream)  # lets go of what is done
    stream.synchronize()
    gc.collect()
    assert seen() is None
    kept = driver.Memcpy2D()
    kept.set_src_host(np.full((4, 4), 7, 'u1'))
    kept.set_dst_device(memory)
    kept.src_pitch = kept.dst_pitch = kept.width_in_bytes = kept.height = 4
    gc.collect()
    kept()
    assert (driver.from_device(memory, 16, 'u1') == 7).all()


def test_closed_streams_are_refused(device):
    host = np.ones((4, 16), 'u1')
    memory = driver.to_device(host)
    stream = driver.Stream()
    stream.close()
    with pytest.raises(driver.LogicError, match='closed'):
        whole(host, memory)(stream)
    with pytest.raises(driver.LogicError, match='closed'):
        driver.memcpy_peer_async(memory, memory, 4, stream=stream)


def test_large_rows_without_gaps(device):
    """These go the way of plain copies, in pieces on a GPU."""
    host = np.random.default_rng(3).integers(0, 255, (24, 1 << 20), 'u1')
    memory = driver.mem_alloc(host.nbytes)
    whole(host, memory)()
    back = np.zeros_like(host)
    copy = driver.Memcpy2D()
    copy.set_src_device(memory)
    copy.set_dst_host(back)
    copy.width_in_bytes, copy.height = host.shape[1], host.shape[0]
    copy()
    assert (back == host).all()


# --- arrays ---------------------------------------------------------------------------------------


def line(elements):
    descr = driver.ArrayDescriptor()
    descr.width, descr.height = elements, 0
    descr.format, descr.num_channels = driver.array_format.UNSIGNED_INT32, 1
    return driver.Array(descr)


def test_lines_of_arrays(device):
    values = np.arange(64, dtype='u4')
    memory = driver.to_device(values)
    a, b = line(64), line(64)
    driver.memcpy_htoa(a, 0, values)
    driver.memcpy_atoa(b, 64, a, 32, 192)
    back = np.zeros(48, 'u4')
    driver.memcpy_atoh(back, b, 64)
    assert (back == values[8:56]).all()
    driver.memcpy_dtoa(b, 0, int(memory) + 4, 128)
    out = driver.mem_alloc(128)
    driver.memcpy_atod(out, b, 0, 128)
    assert (driver.from_device(out, 32, 'u4') == values[1:33]).all()
    driver.memcpy_dtoa(ary=b, index=0, src=memory, len=256)
    driver.memcpy_atod(dest=out, ary=b, index=4, len=128)
    assert (driver.from_device(out, 32, 'u4') == values[1:33]).all()
    assert driver.py_memcpy_htoa is driver.memcpy_htoa
    assert driver.py_memcpy_atoh is driver.memcpy_atoh
    for call in (
        lambda: driver.memcpy_htoa(a, 4, values),
        lambda: driver.memcpy_atoh(np.zeros(65, 'u4'), a, 0),
        lambda: driver.memcpy_dtoa(a, 256, memory, 4),
        lambda: driver.memcpy_atod(out, a, 0, 260),
        lambda: driver.memcpy_atoa(a, 0, b, 128, 256),
    ):
        with pytest.raises(driver.LogicError, match='the array has 64 elements'):
            call()
    with pytest.raises(TypeError):
        driver.memcpy_htoa(a, 0)
    with pytest.raises(TypeError):
        driver.memcpy_atoh(b'bytes', a)
    with pytest.raises((TypeError, ValueError, BufferError)):
        driver.memcpy_atoh(b'bytes of it', a, 0)
    with pytest.raises((OverflowError, ValueError)):
        driver.memcpy_htoa(a, -4, values)


@pytest.mark.parametrize('is_async', [False, True])
def test_rows_of_arrays(device, stream, is_async):
    values = np.arange(12 * 20, dtype='f4').reshape(12, 20)
    descr = driver.ArrayDescriptor()
    descr.width, descr.height = 20, 12
    descr.format, descr.num_channels = driver.array_format.FLOAT, 1
    array, other = driver.Array(descr), driver.Array(descr)

    def run(setters, x, y, width, height):
        copy = driver.Memcpy2D()
        for name, value in setters.items():
            getattr(copy, f'set_{name}')(value)
        copy.src_x_in_bytes = copy.dst_x_in_bytes = 4 * x
        copy.src_y = copy.dst_y = y
        copy.src_pitch = copy.dst_pitch = 80
        copy.width_in_bytes, copy.height = 4 * width, height
        copy(stream) if is_async else copy()

    out = np.zeros_like(values)
    run({'src_host': values, 'dst_array': array}, 0, 0, 20, 12)
    run({'src_array': array, 'dst_array': other}, 0, 0, 20, 12)
    run({'src_array': other, 'dst_host': out}, 3, 2, 10, 8)
    stream.synchronize()
    expected = np.zeros_like(values)
    expected[2:10, 3:13] = values[2:10, 3:13]
    assert (out == expected).all()
    with pytest.raises(driver.LogicError, match='invalid argument'):
        run({'src_array': other, 'dst_host': np.zeros((20, 20), 'f4')}, 0, 1, 20, 12)


SPIN = """
__global__ void spin(long long cycles, int *x)
{
    long long start = clock64();
    while (clock64() - start < cycles)
        ;
    x[0] = 0;
}
"""


def test_what_was_copied_is_what_stood_there(device):
    """A copy behind a kernel that takes a while; the host's memory changes right after the call."""
    kernel = SourceModule(SPIN).spin
    for size in (4, 4096, 65536, 262144):
        host = np.full(size // 4, 7, np.int32)
        memory = driver.mem_alloc(size)
        kernel(np.int64(2_000_000), memory, block=1)
        driver.memcpy_htod(memory, host)
        host[:] = 8
        assert (driver.from_device(memory, host.shape, host.dtype) == 7).all()


def test_page_locked_memory_may_change_after_the_copy(device):
    kernel = SourceModule(SPIN).spin
    host = driver.pagelocked_empty(1024, np.int32)
    host[:] = 7
    memory = driver.mem_alloc(host.nbytes)
    kernel(np.int64(2_000_000), memory, block=1)
    driver.memcpy_htod(memory, host)
    host[:] = 8
    assert (driver.from_device(memory, host.shape, host.dtype) == 7).all()


def test_a_small_copy_that_does_not_fit(device):
    memory = driver.mem_alloc(100)
    with pytest.raises(driver.LogicError, match='invalid argument'):
        driver.memcpy_htod(memory, np.zeros(200, np.uint8))


def test_large_arrays_travel_with_a_launch(device):
    """These go the way of large copies, in the order of the launch and of earlier work."""
    source = """
    __global__ void twice(float *out, const float *in, float *both, unsigned n)
    {
        for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        {
            out[i] = 2 * in[i];
            both[i] += in[i];
        }
    }
    """
    twice = SourceModule(source).get_function('twice')
    values = np.arange(5 << 20, dtype='f4')
    for stream in (None, driver.Stream(), driver.Stream(1)):
        out, both = np.zeros_like(values), np.ones_like(values)
        args = driver.Out(out), driver.In(values), driver.InOut(both), np.uint32(values.size)
        twice(*args, grid=(64, 1), block=(128, 1, 1), stream=stream)
        if stream is not None:
            stream.synchronize()
        assert (out == 2 * values).all()
        assert (both == values + 1).all()

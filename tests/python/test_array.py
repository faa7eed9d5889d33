"""Arrays, mipmapped arrays, texture and surface objects, and where texture references have gone."""

import gc

import numpy as np
import pytest
import runcu
from runcu import driver

FORMATS = {
    'u1': 'UNSIGNED_INT8',
    'u2': 'UNSIGNED_INT16',
    'u4': 'UNSIGNED_INT32',
    'i1': 'SIGNED_INT8',
    'i2': 'SIGNED_INT16',
    'i4': 'SIGNED_INT32',
    'f2': 'HALF',
    'f4': 'FLOAT',
}


def shape(width, height=0, depth=0, flags=0, dtype='f4', channels=1):
    descr = driver.ArrayDescriptor3D()
    descr.width, descr.height, descr.depth = width, height, depth
    descr.format, descr.num_channels = driver.dtype_to_array_format(dtype), channels
    descr.flags = flags
    return descr


def contents(array, dtype):
    """All of an array, as the device has it: planes, rows, elements, channels."""
    d = array.get_descriptor_3d()
    extents = (max(d.depth, 1), max(d.height, 1), d.width, d.num_channels)
    out = np.empty(extents, dtype)
    copy = driver.Memcpy3D()
    copy.set_src_array(array)
    copy.set_dst_host(out)
    copy.width_in_bytes = copy.dst_pitch = out.strides[1]
    copy.height = copy.dst_height = extents[1]
    copy.depth = extents[0]
    copy()
    return out


@pytest.mark.parametrize('dtype', FORMATS)
def test_formats(dtype):
    assert driver.dtype_to_array_format(dtype) is getattr(driver.array_format, FORMATS[dtype])


@pytest.mark.parametrize('dtype', ['f8', 'i8', 'c8', 'S3', [('a', 'i4')]])
def test_types_that_no_array_has(dtype):
    with pytest.raises(TypeError, match='cannot convert dtype'):
        driver.dtype_to_array_format(dtype)


def test_descriptors_go_both_ways(device):
    flat = driver.ArrayDescriptor()
    flat.width, flat.height = 12, 5
    flat.format, flat.num_channels = driver.array_format.HALF, 4
    with driver.Array(flat) as array:
        got = array.get_descriptor()
        assert (got.width, got.height, got.num_channels) == (12, 5, 4)
        assert got.format is driver.array_format.HALF
        assert str(got.format) == 'HALF'
        assert array.handle > 0
    flags = driver.array3d_flags
    for descr in (
        shape(5),
        shape(5, 7, flags=flags.SURFACE_LDST),
        shape(5, 7, 3),
        shape(5, 0, 3, flags.LAYERED),
        shape(5, 7, 3, flags.ARRAY3D_2DARRAY),
        shape(8, 8, 6, flags.CUBEMAP),
        shape(8, 8, 12, flags.CUBEMAP | flags.LAYERED),
        shape(8, 9, flags=flags.TEXTURE_GATHER),
    ):
        assert vars(driver.Array(descr).get_descriptor_3d()) == vars(descr)


@pytest.mark.parametrize(
    ('descr', 'says'),
    [
        (shape(0, 4), 'width must not be 0'),
        (shape(4, 4, channels=3), '1, 2 or 4 channels'),
        (shape(4, 5, 6, driver.array3d_flags.CUBEMAP), 'as high as wide'),
        (shape(4, 1 << 30), 'arrays of up to'),
        (shape(4, 0, 4), 'Without a height'),
    ],
)
def test_impossible_shapes_are_explained(device, descr, says):
    with pytest.raises(driver.LogicError, match=says) as caught:
        driver.Array(descr)
    assert 'cuArray3DCreate failed: invalid argument' in str(caught.value)


def test_wrong_arguments(device):
    with pytest.raises(TypeError, match='ArrayDescriptor'):
        driver.Array(object())
    with pytest.raises(TypeError):
        driver.Array()
    with pytest.raises(TypeError):
        driver.Array(shape(3), 4)
    bad = shape(3)
    bad.width = -1
    with pytest.raises((OverflowError, ValueError)):
        driver.Array(bad)
    bad.width = 'three'
    with pytest.raises(TypeError, match='width'):
        driver.Array(bad)
    with pytest.raises(TypeError, match='Array is expected'):
        driver.SurfaceObject(12)
    with pytest.raises(TypeError, match='Array is expected'):
        driver.memcpy_htoa(12, 0, np.zeros(3))


def test_freed_arrays(device):
    array = driver.Array(shape(8))
    level = driver.MipmappedArray(shape(8, 8), 2)
    array.free()
    array.close()
    with pytest.raises(driver.LogicError, match='array::free failed: invalid resource handle'):
        array.free()
    for use in (
        lambda: array.handle,
        array.get_descriptor,
        lambda: driver.memcpy_htoa(array, 0, np.zeros(1, 'f4')),
        lambda: driver.TextureObject(array),
        lambda: driver.SurfaceObject(array),
        lambda: contents(array, 'f4'),
    ):
        with pytest.raises(driver.LogicError, match='freed'):
            use()
    level.free()
    with pytest.raises(driver.LogicError, match='freed'):
        level.get_level(0)


def test_others_arrays_are_not_freed(device):
    array = driver.Array(shape(8))
    driver.memcpy_htoa(array, 0, np.arange(8, dtype='f4'))
    owner = ['kept']
    same = driver.Array.from_handle(array.handle, owner)
    assert same.handle == array.handle and same.owner is owner
    same.free()
    del same
    gc.collect()
    assert (contents(array, 'f4').ravel() == np.arange(8)).all()
    with pytest.raises(driver.Error):
        driver.Array.from_handle(0)
    with pytest.raises(TypeError):
        driver.Array.from_handle('x')


@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('dtype', FORMATS)
def test_matrix_to_array(device, dtype, order):
    matrix = np.arange(33 * 17).reshape(33, 17).astype(dtype)
    array = driver.matrix_to_array(matrix, order)
    expected = matrix if order == 'C' else matrix.T
    assert (contents(array, dtype)[0, :, :, 0] == expected).all()
    # whatever the order of its own
    again = driver.matrix_to_array(np.asfortranarray(matrix)[:, ::-1], order)
    expected = expected[:, ::-1] if order == 'C' else expected[::-1]
    assert (contents(again, dtype)[0, :, :, 0] == expected).all()


def test_matrix_of_doubles(device):
    matrix = np.random.default_rng(1).random((4, 6))
    with pytest.raises(TypeError, match='float64'):
        driver.matrix_to_array(matrix, 'C')
    array = driver.matrix_to_array(matrix, 'C', allow_double_hack=True)
    assert array.get_descriptor().num_channels == 2
    assert array.get_descriptor().format is driver.array_format.SIGNED_INT32
    assert (contents(array, 'i4')[0].reshape(4, 12).view('f8') == matrix).all()


def test_orders_and_dimensions_are_checked(device):
    with pytest.raises(driver.LogicError, match='order must be either F or C'):
        driver.matrix_to_array(np.zeros((2, 2), 'f4'), 'A')
    with pytest.raises(driver.LogicError, match='two dimensions'):
        driver.matrix_to_array(np.zeros(2, 'f4'), 'C')
    with pytest.raises(driver.LogicError, match='dimensions'):
        driver.np_to_array(np.zeros((2, 2, 2, 2), 'f4'), 'C')
    with pytest.raises(driver.LogicError, match='three dimensions'):
        driver.make_multichannel_2d_array(np.zeros((2, 2), 'f4'), 'C')
    with pytest.raises(driver.LogicError, match='1, 2 or 4 channels'):
        driver.make_multichannel_2d_array(np.zeros((2, 2, 3), 'f4'), 'C')


@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('extents', [(5, 7), (3, 5, 7)])
def test_np_to_array(device, extents, order):
    values = np.random.default_rng(2).random(extents).astype('f4')
    expected = values if order == 'C' else values.T
    array = driver.np_to_array(values, order, allowSurfaceBind=True)
    assert (contents(array, 'f4')[..., 0].reshape(expected.shape) == expected).all()
    assert array.get_descriptor_3d().flags & driver.array3d_flags.SURFACE_LDST
    driver.SurfaceObject(array)
    assert driver.np_to_array(values, order).get_descriptor_3d().flags == 0


@pytest.mark.parametrize(('dtype', 'channels'), [('f8', 2), ('c8', 2), ('c16', 4)])
def test_np_to_array_of_wide_types(device, dtype, channels):
    values = (np.random.default_rng(3).random((3, 4, 5)) * 9).astype(dtype)
    array = driver.np_to_array(values, 'C')
    assert array.get_descriptor_3d().num_channels == channels
    found = contents(array, 'i4')
    assert (found.reshape(3, 4, -1).view(dtype) == values).all()


def test_multichannel_arrays(device):
    values = np.arange(6 * 5 * 4, dtype='u1').reshape(6, 5, 4)
    array = driver.make_multichannel_2d_array(values, 'C')
    assert (contents(array, 'u1')[0] == values).all()
    assert array.get_descriptor().num_channels == 4
    turned = driver.make_multichannel_2d_array(values.transpose(2, 1, 0), 'F')
    assert (contents(turned, 'u1')[0] == values).all()


class OnDevice:
    """An array on the device, as GPUArray looks from here."""

    def __init__(self, values, order='C'):
        self.values = np.asarray(values, order=order)
        self.gpudata = driver.to_device(self.values if order == 'C' else self.values.T)
        self.shape, self.dtype = self.values.shape, self.values.dtype
        self.strides = self.values.strides


@pytest.mark.parametrize('order', ['C', 'F'])
def test_gpuarray_to_array(device, order):
    values = np.random.default_rng(4).random((3, 5, 7)).astype('f4')
    array = driver.gpuarray_to_array(OnDevice(values, order), order)
    expected = values if order == 'C' else values.T
    assert (contents(array, 'f4')[..., 0] == expected).all()
    with pytest.raises(driver.LogicError, match='not contiguous'):
        driver.gpuarray_to_array(OnDevice(values, order), 'F' if order == 'C' else 'C')


def test_levels(device):
    mipmap = driver.MipmappedArray(shape(16, 8), 3)
    assert mipmap.handle > 0
    for level, extents in enumerate([(16, 8), (8, 4), (4, 2)]):
        descr = mipmap.get_level(level).get_descriptor()
        assert (descr.width, descr.height) == extents
    with pytest.raises(driver.LogicError, match='no level 3'):
        mipmap.get_level(3)
    level = mipmap.get_level(1)
    assert level.source is mipmap
    values = np.arange(32, dtype='f4').reshape(4, 8)
    copy = driver.Memcpy2D()
    copy.set_src_host(values)
    copy.set_dst_array(level)
    copy.src_pitch = copy.width_in_bytes = 32
    copy.height = 4
    copy()
    assert (contents(level, 'f4')[0, :, :, 0] == values).all()
    mipmap.free()
    with pytest.raises(driver.LogicError, match='freed'):
        level.get_descriptor()


# --- textures and surfaces ------------------------------------------------------------------------


def pitched(rows, width_in_bytes):
    memory, pitch = driver.mem_alloc_pitch(width_in_bytes, rows, 4)
    return memory, pitch


def test_textures_of_everything(device):
    array = driver.np_to_array(np.zeros((4, 8), 'f4'), 'C')
    linear = driver.to_device(np.zeros(64, 'i4'))
    rows, pitch = pitched(16, 100)
    textures = [
        driver.TextureObject(array),
        driver.TextureObject(array, filter_mode=driver.filter_mode.LINEAR, normalized=True),
        driver.TextureObject(driver.MipmappedArray(shape(16, 16), 3), normalized=True),
        driver.TextureObject(linear, dtype='i4', read_as_integer=True),
        driver.TextureObject(linear, dtype='f4', shape=10),
        driver.TextureObject(rows, dtype='f4', shape=(16, 25), pitch=pitch),
        driver.TextureObject(OnDevice(np.zeros((4, 8), 'f4'))),
    ]
    handles = {texture.handle for texture in textures}
    assert len(handles) == len(textures) and 0 not in handles
    assert int(textures[0]) == textures[0].handle == textures[0].__index__()
    assert textures[0].source is array
    for texture in textures:
        texture.free()
        with pytest.raises(driver.LogicError, match='freed'):
            int(texture)
        with pytest.raises(driver.LogicError, match='texture_object::free failed'):
            texture.free()


def test_descriptions_of_textures(device):
    array = driver.np_to_array(np.zeros((4, 8), 'f4'), 'C')
    mode, filters = driver.address_mode, driver.filter_mode
    texture = driver.TextureObject(
        array,
        address_mode=(mode.WRAP, mode.MIRROR),
        filter_mode=filters.LINEAR,
        normalized=True,
        border_color=(0.5, 0.25, 0, 1),
    )
    got = texture.get_descriptor()
    assert got['address_mode'][:2] == (mode.WRAP, mode.MIRROR)
    assert got['filter_mode'] is filters.LINEAR
    assert got['normalized'] is True and got['read_as_integer'] is False
    assert got['border_color'] == (0.5, 0.25, 0, 1)
    driver.TextureObject(array, **got)


def test_views(device):
    layers = driver.Array(shape(16, 16, 4, driver.array3d_flags.LAYERED, 'u4'))
    form = driver.resource_view_format.UINT_1X32
    for extents in ((), (16, 16, 4)):
        view = driver.ResourceView(form, *extents, first_layer=1, last_layer=2)
        with driver.TextureObject(layers, read_as_integer=True, view=view) as texture:
            assert texture.handle
    wrong = driver.ResourceView(form, 16, 16, 2)
    with pytest.raises(driver.LogicError, match='cuTexObjectCreate failed'):
        driver.TextureObject(layers, read_as_integer=True, view=wrong)


def test_refused_textures(device):
    memory = driver.mem_alloc(4096)
    array = driver.Array(shape(8, 8))
    with pytest.raises(driver.LogicError, match='no multiple of'):
        driver.TextureObject(int(memory) + 4, dtype='f4', shape=8)
    with pytest.raises(TypeError, match='dtype is needed'):
        driver.TextureObject(memory)
    with pytest.raises(TypeError, match='shape is needed'):
        driver.TextureObject(int(memory), dtype='f4')
    with pytest.raises(TypeError, match='an array has its own'):
        driver.TextureObject(array, dtype='f4')
    with pytest.raises(TypeError, match='float64'):
        driver.TextureObject(memory, dtype='f8')
    with pytest.raises(ValueError, match='one or two dimensions'):
        driver.TextureObject(memory, dtype='f4', shape=(2, 2, 2))
    with pytest.raises(TypeError):
        driver.TextureObject()
    with pytest.raises(TypeError):
        driver.TextureObject('image')
    with pytest.raises(ValueError, match='unpack'):
        driver.TextureObject(array, border_color=(1, 2))
    memory.free()
    with pytest.raises(driver.LogicError):
        driver.TextureObject(memory, dtype='f4')


def test_surfaces(device):
    array = driver.Array(shape(8, 8, flags=driver.array3d_flags.SURFACE_LDST))
    with driver.SurfaceObject(array) as surface:
        assert int(surface) == surface.handle > 0
        assert surface.source is array
        same = driver.SurfaceObject.from_handle(surface.handle)
        assert same.handle == surface.handle
        del same
    with pytest.raises(driver.LogicError, match='freed'):
        surface.handle  # noqa: B018
    with pytest.raises(driver.Error, match='SURFACE_LDST'):
        driver.SurfaceObject(driver.Array(shape(8, 8)))


def test_what_is_read_is_kept(device):
    texture = driver.TextureObject(driver.np_to_array(np.zeros((4, 8), 'f4'), 'C'))
    gc.collect()
    assert texture.source.get_descriptor().width == 8


def test_handles_reach_kernels(device):
    mod = runcu.SourceModule(
        """
        __global__ void tell(cudaTextureObject_t t, cudaSurfaceObject_t s, unsigned long long *out)
        {
            out[0] = t;
            out[1] = s;
        }
        """
    )
    array = driver.Array(shape(8, 8, flags=driver.array3d_flags.SURFACE_LDST))
    texture, surface = driver.TextureObject(array), driver.SurfaceObject(array)
    out = np.zeros(2, 'u8')
    tell = mod.get_function('tell')
    tell(texture, surface, driver.Out(out), block=(1, 1, 1))
    assert tuple(out) == (texture.handle, surface.handle)
    out[:] = 0
    tell.prepare('QQP')
    memory = driver.to_device(out)
    tell.prepared_call((1, 1), (1, 1, 1), texture.handle, surface.handle, memory)
    driver.memcpy_dtoh(out, memory)
    assert tuple(out) == (texture.handle, surface.handle)
    texture.free()
    with pytest.raises(driver.LogicError, match='freed'):
        tell(texture, surface, driver.Out(out), block=(1, 1, 1))


SAMPLES = """
__global__ void sample(cudaTextureObject_t t, float *out, int width, int height)
{
    int x = threadIdx.x, y = threadIdx.y;
    if (x < width && y < height)
        out[y * width + x] = tex2D<float>(t, x + 0.5f, y + 0.5f);
}
"""


def test_a_texture_is_read(device):
    image = np.random.default_rng(5).random((5, 7)).astype('f4')
    mod = runcu.SourceModule(SAMPLES)
    try:
        sample = mod.get_function('sample')
    except driver.Error as e:
        assert 'CPU' in device.name() and 'tex' in str(e)  # which says so when it is asked for
        return
    out = np.zeros_like(image)
    with driver.TextureObject(driver.np_to_array(image, 'C')) as texture:
        sample(texture, driver.Out(out), np.int32(7), np.int32(5), block=(8, 8, 1))
    assert (out == image).all()


# --- references -----------------------------------------------------------------------------------


def test_references_say_what_is_in_their_place(device):
    mod = runcu.SourceModule('__global__ void f(int *p) { *p = 1; }')
    f = mod.get_function('f')
    for use, kind in (
        (driver.TextureReference, driver.LogicError),
        (driver.SurfaceReference, driver.LogicError),
        (lambda: mod.get_texref('t'), driver.LogicError),
        (lambda: mod.get_surfref('t'), driver.LogicError),
        (lambda: driver.bind_array_to_texref(None, None), driver.LogicError),
        (lambda: driver.matrix_to_texref(np.zeros((2, 2)), None, 'C'), driver.LogicError),
        (lambda: f.param_set_texref(object()), TypeError),
        (lambda: f(driver.Out(np.zeros(1, 'i4')), block=(1, 1, 1), texrefs=[object()]), TypeError),
        (lambda: f.prepare('P', texrefs=[object()]), TypeError),
    ):
        with pytest.raises(kind, match='CUDA 12') as caught:
            use()
        assert 'Object' in str(caught.value)
        assert 'kernel(' in str(caught.value)
    f(driver.Out(np.zeros(1, 'i4')), block=(1, 1, 1), texrefs=[])


def test_constants_of_references():
    assert driver.TRSA_OVERRIDE_FORMAT == 1
    assert driver.TRSF_READ_AS_INTEGER == 1
    assert driver.TRSF_NORMALIZED_COORDINATES == 2
    assert driver.TR_DEFAULT == -1

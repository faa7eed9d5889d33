"""C's names of NumPy's types, parameter lists, vector types, and compyte's modules."""

import sys
import types

import numpy as np
import pytest
from runcu import SourceModule, _dtypes, driver, tools
from runcu._dtypes import vec
from runcu.compyte import array as shapes
from runcu.compyte import dtypes


@pytest.mark.parametrize(
    ('dtype', 'name'),
    [
        (np.bool_, 'bool'),
        ('i1', 'signed char'),
        ('u1', 'unsigned char'),
        ('i2', 'short'),
        ('u2', 'unsigned short'),
        ('i4', 'int'),
        ('u4', 'unsigned'),
        (np.int64, 'long'),
        (np.longlong, 'long'),
        (np.uintp, 'unsigned long'),
        (float, 'double'),
        ('f2', 'half'),
        ('f4', 'float'),
        ('c8', 'pycuda::complex<float>'),
        (complex, 'pycuda::complex<double>'),
        ([('x', 'f4'), ('y', 'f4'), ('z', 'f4')], 'float3'),
    ],
)
def test_names_of_dtypes(dtype, name):
    assert tools.dtype_to_ctype(dtype) == name
    assert tools.dtype_to_ctype(dtype=np.dtype(dtype), with_fp_tex_hack=False) == name
    assert tools.get_or_register_dtype(name) == np.dtype(dtype)


def test_names_for_texture_references():
    names = [tools.dtype_to_ctype(t, with_fp_tex_hack=True) for t in ('f4', 'f8', 'c8', 'c16')]
    assert names == ['fp_tex_float', 'fp_tex_double', 'fp_tex_cfloat', 'fp_tex_cdouble']
    assert tools.dtype_to_ctype('i4', True) == 'int'


def test_types_without_a_name():
    with pytest.raises(ValueError, match='may not be None'):
        tools.dtype_to_ctype(None)
    for dtype in ('>f4', 'U3', 'M8[s]', np.longdouble, [('never', 'f4')]):
        with pytest.raises(ValueError, match='unable to map dtype'):
            tools.dtype_to_ctype(dtype)
    with pytest.raises(TypeError):
        tools.dtype_to_ctype('nonsense')


@pytest.mark.parametrize(
    ('text', 'kind', 'dtype', 'name'),
    [
        ('float *x', 'Vector', 'f4', 'x'),
        ('float x', 'Scalar', 'f4', 'x'),
        ('const float*x', 'Vector', 'f4', 'x'),
        ('  const  float * const __restrict__  _x1 ', 'Vector', 'f4', '_x1'),
        ('float const volatile *restrict p', 'Vector', 'f4', 'p'),
        ('double m[3]', 'Vector', 'f8', 'm'),
        ('double m[3][4]', 'Vector', 'f8', 'm'),
        ('double m[]', 'Vector', 'f8', 'm'),
        ('unsigned n', 'Scalar', 'u4', 'n'),
        ('unsigned long long int n', 'Scalar', 'u8', 'n'),
        ('long long n', 'Scalar', 'i8', 'n'),
        ('int long signed n', 'Scalar', 'i8', 'n'),
        ('long unsigned n', 'Scalar', 'u8', 'n'),
        ('short int n', 'Scalar', 'i2', 'n'),
        ('char c', 'Scalar', 'i1', 'c'),
        ('char unsigned *c', 'Vector', 'u1', 'c'),
        ('bool b', 'Scalar', '?', 'b'),
        ('uint n', 'Scalar', 'u4', 'n'),
        ('size_t n', 'Scalar', 'u8', 'n'),
        ('ptrdiff_t n', 'Scalar', 'i8', 'n'),
        ('int32_t *n', 'Vector', 'i4', 'n'),
        ('uint8_t n', 'Scalar', 'u1', 'n'),
        ('half *h', 'Vector', 'f2', 'h'),
        ('__half h', 'Scalar', 'f2', 'h'),
        ('pycuda::complex<float> *z', 'Vector', 'c8', 'z'),
        ('pycuda :: complex < double > z', 'Scalar', 'c16', 'z'),
        ('float4 *v', 'Vector', vec.float4, 'v'),
        ('const double2 v', 'Scalar', vec.double2, 'v'),
        ('int constant', 'Scalar', 'i4', 'constant'),
        ('cudaTextureObject_t t', 'Scalar', 'u8', 't'),
    ],
)
def test_parameters(text, kind, dtype, name):
    arg = tools.parse_c_arg(text)
    assert type(arg).__name__ == f'{kind}Arg'
    assert arg.dtype == np.dtype(dtype) and arg.name == name
    assert tools.parse_c_arg(arg.declarator()) == arg


@pytest.mark.parametrize(
    'text', ['', 'float', 'float *', 'unsigned int', '*x', 'float x y', 'float **x', 'float *x[3]',
             'float 3', 'float &x', 'x', 'short long x', 'signed unsigned x', 'blah x',
             'foo<int> x', 'void *x', 'float x;'],
)  # fmt: skip
def test_what_is_no_parameter(text):
    with pytest.raises(ValueError):
        tools.parse_c_arg(text)


def test_unknown_types_are_named():
    with pytest.raises(ValueError, match=r"^unknown type 'pair<int, float>'$"):
        tools.parse_c_arg('pair<int, float> *p')


def test_codes_for_prepare():
    codes = [tools.get_arg_type(a) for a in ('int i', 'float *f', 'double d', 'size_t n', 'half h')]
    assert codes == ['i', 'P', 'd', np.dtype(np.uint64).char, 'e']
    assert tools.get_arg_type('pycuda::complex<float> z') == 'F'
    assert tools.get_arg_type('float3 v') == '12s'
    assert tools.VectorArg('f4', 'x').struct_char == 'P'


def test_arguments():
    x, n = tools.VectorArg(np.float32, 'x'), tools.ScalarArg('i4', 'n')
    assert (x.declarator(), n.declarator()) == ('float *x', 'int n')
    assert repr(x) == "VectorArg('x', float32)"
    assert isinstance(x, tools.Argument) and x.dtype == np.dtype('f4') and n.name == 'n'
    assert x == tools.VectorArg('f4', 'x') and hash(x) == hash(tools.VectorArg('f4', 'x'))
    assert x != tools.ScalarArg('f4', 'x') and x != tools.VectorArg('f4', 'y') and x != 1


def test_lists_of_parameters_split_outside_of_brackets():
    pair = np.dtype([('first', 'i4'), ('second', 'f4')])
    tools.get_or_register_dtype('test_pair<int, float>', pair)
    args = _dtypes.parse_c_args('float *x, test_pair<int,float> * y, const int n')
    assert [(a.name, a.dtype) for a in args] == [('x', 'f4'), ('y', pair), ('n', 'i4')]
    assert args[1].declarator() == 'test_pair<int,float> *y'
    assert _dtypes.parse_c_args(' ') == []
    with pytest.raises(ValueError):
        _dtypes.parse_c_args('float *x,')


def test_registering():
    point = np.dtype([('a', 'f4'), ('b', 'i4')])
    registered = tools.get_or_register_dtype(['test_point', 'struct_point'], point)
    assert tools.get_or_register_dtype('test_point', np.dtype(point.descr)) is registered
    assert tools.get_or_register_dtype('struct_point') is registered
    assert tools.dtype_to_ctype(point) == 'test_point'
    assert tools.parse_c_arg('struct test_point *p').dtype is registered
    with pytest.raises(RuntimeError, match="'test_point' already registered"):
        tools.get_or_register_dtype(['test_brand_new', 'test_point'], [('c', 'f8')])
    with pytest.raises(_dtypes.TypeNameNotKnown, match=r"^unknown type 'test_brand_new'$"):
        tools.get_or_register_dtype('test_brand_new')
    with pytest.raises(ValueError, match='different types'):
        tools.get_or_register_dtype(['int', 'float'])
    with pytest.raises(ValueError):
        tools.get_or_register_dtype([], 'f4')


def test_register_dtype_is_deprecated():
    dtype = np.dtype([('only', 'i8')])
    with pytest.warns(DeprecationWarning):
        tools.register_dtype(dtype, 'test_only')
    with pytest.warns(DeprecationWarning), pytest.raises(RuntimeError, match='test_only'):
        tools.register_dtype(dtype, ['test_other'])
    with pytest.warns(DeprecationWarning):
        tools.register_dtype(dtype, ['test_other'], alias_ok=True)
    assert tools.dtype_to_ctype(dtype) == 'test_only'
    assert tools.get_or_register_dtype('test_other') == dtype


def test_types_of_ml_dtypes(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ml_dtypes', None)
    with pytest.raises(ValueError, match="'__nv_bfloat16'.*ml_dtypes"):
        tools.parse_c_arg('__nv_bfloat16 *x')
    stand_in = types.ModuleType('ml_dtypes')
    stand_in.bfloat16 = np.uint16
    monkeypatch.setitem(sys.modules, 'ml_dtypes', stand_in)
    assert tools.parse_c_arg('__nv_bfloat16 *x').dtype == np.uint16


def test_types_of_the_real_ml_dtypes():
    ml_dtypes = pytest.importorskip('ml_dtypes')
    assert tools.dtype_to_ctype(ml_dtypes.bfloat16) == '__nv_bfloat16'
    assert tools.dtype_to_ctype(ml_dtypes.float8_e5m2) == '__nv_fp8_e5m2'
    arg = tools.parse_c_arg('const __nv_bfloat16 *x')
    assert arg.dtype == ml_dtypes.bfloat16 and arg.declarator() == '__nv_bfloat16 *x'
    assert tools.get_arg_type('__nv_bfloat16 x') == '2s'


# --- vector types ---


def test_there_are_42_vector_types():
    names = [name for name in vars(vec) if name[-1].isdigit() and not name.startswith('make_')]
    assert len(names) == 42
    for name in names:
        dtype, make = getattr(vec, name), getattr(vec, f'make_{name}')
        count = int(name[-1])
        assert dtype.names == tuple('xyzw'[:count])
        assert dtype.itemsize == count * dtype[0].itemsize
        value = make(*range(count))
        assert value.shape == () and value.dtype == dtype
        assert value.tolist() == tuple(range(count))
        assert tools.get_or_register_dtype(name) == dtype
    assert tools.dtype_to_ctype(vec.uchar4) == 'uchar4'
    assert vec.make_float3(x=1, z=3, y=2)['y'] == 2


@pytest.mark.parametrize('arguments', [(), (1, 2), (1, 2, 3, 4), ('x', 1, 2)])
def test_wrong_components(arguments):
    with pytest.raises((TypeError, ValueError)):
        vec.make_float3(*arguments)


def test_a_kernel_takes_vectors(device):
    mod = SourceModule(
        """
        __global__ void sum(float3 v, uchar4 c, double2 *out)
        { out->x = v.x + v.y + v.z; out->y = c.x + c.y + c.z + c.w; }
        """
    )
    out = np.zeros((), vec.double2)
    mod.get_function('sum')(
        vec.make_float3(1, 2, 4), vec.make_uchar4(1, 2, 3, 250), driver.Out(out), block=(1, 1, 1)
    )
    assert out.tolist() == (7.0, 256.0)


# --- compyte ---


def test_compytes_registry():
    assert dtypes.NAME_TO_DTYPE['float'] == np.float32
    assert dtypes.DTYPE_TO_NAME[np.dtype('f8')] == 'double'
    assert dtypes.dtype_to_ctype(np.int32) == 'int'
    assert dtypes.TYPE_REGISTRY.get_or_register_dtype('double') == np.float64
    own = dtypes.DTypeRegistry()
    own.get_or_register_dtype(['real'], np.float64)
    parsed = dtypes.parse_c_arg_backend(
        'const real *x', lambda *a: ('scalar', *a), lambda *a: ('vector', *a), own
    )
    assert parsed == ('vector', np.dtype('f8'), 'x')
    parsed = dtypes.parse_c_arg_backend('a b', lambda *a: a, None, {'a': 'seen'}.__getitem__)
    assert parsed == ('seen', 'b')
    with pytest.raises(ValueError, match="unknown type 'real'"):
        tools.parse_c_arg('real x')
    with pytest.raises(ValueError, match="unknown type 'c'"):
        dtypes.parse_c_arg_backend('c b', None, None, {}.__getitem__)


@pytest.mark.parametrize('shape', [(), (5,), (2, 3), (2, 1, 4), (3, 0, 2)])
def test_strides_and_flags_are_numpys(shape):
    for order in 'CF':
        a = np.empty(shape, 'i4', order)
        strides = getattr(shapes, f'{order.lower()}_contiguous_strides')(4, shape)
        assert shapes.equal_strides(strides, a.strides, shape)
        flags = shapes.ArrayFlags(a)
        assert flags.c_contiguous is a.flags.c_contiguous
        assert flags.f_contiguous is a.flags.f_contiguous
        assert flags.forc is a.flags.forc
    assert not shapes.ArrayFlags(np.empty((4, 4))[::2, ::2]).forc
    assert 'C_CONTIGUOUS : True' in repr(shapes.ArrayFlags(np.empty(3)))


def test_common_dtypes():
    f4, i4 = np.empty(1, 'f4'), np.empty(1, 'i4')
    assert shapes.get_common_dtype(f4, 2.5) == np.float32
    assert shapes.get_common_dtype(i4, 1.5) == np.float64
    assert shapes.get_common_dtype(i4, 1.5, allow_double=False) == np.float32
    assert shapes.get_common_dtype(f4, 1j) == np.complex64
    assert shapes.get_common_dtype(np.float64(2), f4) == np.float64


def test_bounds():
    a = np.empty((3, 4), 'f8')
    start = a.ctypes.data
    assert shapes.bound(a) == (start, start + 96)
    assert shapes.bound(a[::-1, 1:3]) == (start + 8, start + 88)
    assert shapes.bound(a[:0]) == (start, start)
    view = shapes.as_strided(a, (2, 2), (8, 16))
    assert view.strides == (8, 16) and view.ctypes.data == start

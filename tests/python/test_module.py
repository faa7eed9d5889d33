"""Modules: their variables as arrays, how they and their kernels show themselves."""

import inspect
import pydoc

import numpy as np
import pytest
from runcu import In, InOut, Out, SourceModule, compiler, driver, gpuarray
from runcu.gpuarray import vec
from runcu.tools import get_or_register_dtype

SOURCE = """
namespace ns { __constant__ float table[4][3]; }
struct Particle { float x; int y; };
enum Color : unsigned char { RED, GREEN };
__device__ Particle points[5];
__device__ Color colors[3];
__device__ float4 vectors[2];
__device__ bool flag;
__device__ int counter = 7;
__device__ unsigned long long big[2];
__device__ double *pointer;
__global__ void read_row(float *out, int i)
{
    for (int k = 0; k < 3; k++) out[k] = ns::table[i][k];
    atomicAdd(&counter, 1);
}
__global__ void add(const int *x, int *y) { y[threadIdx.x] += x[threadIdx.x]; }
template <class T> __device__ T pair_of[2];
template <class T> __global__ void second_of(T *out) { out[0] = pair_of<T>[1]; }
"""


@pytest.fixture
def mod(device):
    return SourceModule(SOURCE)


# --- variables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'dtype', 'shape'),
    [
        ('ns::table', 'f4', (4, 3)),
        ('table', 'f4', (4, 3)),
        ('points', 'V8', (5,)),
        ('colors', 'u1', (3,)),
        ('vectors', vec.float4, (2,)),
        ('flag', '?', ()),
        ('counter', 'i4', ()),
        ('big', 'u8', (2,)),
        ('pointer', 'u8', ()),
    ],
)
def test_a_variable_has_the_dtype_and_shape_of_the_source(mod, name, dtype, shape):
    k = mod.globals[name]
    assert k.dtype == np.dtype(dtype)
    assert k.shape == shape
    assert k.ndim == len(shape)
    assert k.nbytes == mod.get_global(name)[1] == k.size * k.itemsize
    assert k.gpudata == mod.get_global(name)[0]
    assert k.is_constant == (name in ('ns::table', 'table'))


def test_kernels_read_what_is_assigned(mod):
    table = mod.globals['ns::table']
    table[:] = np.arange(12).reshape(4, 3)
    out = np.zeros(3, np.float32)
    mod.read_row(Out(out), 2, block=(1, 1, 1))
    assert out.tolist() == [6, 7, 8]
    assert mod.globals['counter'][()] == 8


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ((slice(None),), 3),
        ((Ellipsis,), np.arange(12).reshape(4, 3)),
        ((1,), [7, 8, 9]),
        ((-1,), 5),
        ((2, 1), 5.5),
        ((slice(1, 3),), np.arange(6).reshape(2, 3)),
        ((slice(None, None, 2),), 2),
        ((slice(None), 1), [1, 2, 3, 4]),
        ((slice(None, None, -1),), np.arange(12).reshape(4, 3)),
        (([0, 3],), 9),
        (([True, False, False, True],), 4),
        ((np.int64(2),), 6),
        ((slice(2, 2),), np.zeros((0, 3))),
    ],
)
def test_assigning_and_reading_is_as_in_numpy(mod, key, value):
    key = key[0] if len(key) == 1 else key
    like = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)
    table = mod.globals['table']
    table.set(like)
    table[key] = value
    like[key] = value
    assert np.array_equal(table.get(), like)
    assert np.array_equal(table[key], like[key])
    assert type(table[key]) is type(like[key])


def test_only_what_is_assigned_to_is_written(mod):
    """A contiguous part is copied by itself: what a kernel wrote beside it meanwhile stays."""
    table = mod.globals['table']
    table[:] = 1
    writes = []

    class Spy:
        def __getattr__(self, name):
            return getattr(mod.module, name)

        def write_global(self, name, data, offset):
            writes.append((offset, data.nbytes))
            mod.module.write_global(name, data, offset)

    table.module = Spy()
    table[1] = 2
    table[2, 2] = 3
    table[2:] = 4
    assert writes == [(12, 12), (32, 4), (24, 24)]


def test_assignment_by_name_is_short_for_all_of_it(mod):
    mod.globals['counter'] = 41
    mod.globals['table'] = 2.5
    assert int(mod.globals['counter']) == 41
    assert (np.asarray(mod.globals['table']) == 2.5).all()
    mod.counter[...] = 3
    assert mod.counter.get() == 3
    assert float(mod.counter) == 3.0
    assert mod.flag.get() is not None
    assert not mod.flag


def test_values_that_do_not_fit_are_refused_and_nothing_is_written(mod):
    table = mod.globals['table']
    table[:] = 1
    with pytest.raises(ValueError, match='broadcast'):
        table[:] = np.zeros((5, 3))
    with pytest.raises(IndexError):
        table[4] = 0
    with pytest.raises(IndexError):
        table[0, 0, 0]
    with pytest.raises(ValueError, match='float'):
        table[:] = 'text'
    assert (table.get() == 1).all()
    with pytest.raises(driver.ArgumentError, match='table'):
        mod.module.write_global('table', np.zeros(13, np.float32))
    with pytest.raises(driver.ArgumentError, match='table'):
        mod.module.read_global('table', np.zeros(1, np.float32), 45)
    with pytest.raises(TypeError):
        mod.module.write_global('table')
    with pytest.raises(TypeError):
        len(mod.globals['counter'])


def test_structs_have_the_dtype_that_was_registered(mod):
    points = mod.globals['points'].view([('x', np.float32), ('y', np.int32)])
    points['y'] = range(5)
    points[1] = (2.5, 9)
    assert points.get()['y'].tolist() == [0, 9, 2, 3, 4]
    assert points[1]['x'] == 2.5
    dtype = np.dtype([('x', np.float32), ('y', np.int32)])
    source = 'struct Registered { float x; int y; }; __device__ Registered it[3];'
    get_or_register_dtype('Registered', dtype)
    it = SourceModule(source).globals['it']
    assert it.dtype == dtype
    it['x'] = 2
    assert it.get()['x'].tolist() == [2, 2, 2]


def test_template_variables_have_types(mod):
    mod = SourceModule(SOURCE, name_expressions=['second_of<short>', 'pair_of<short>'])
    mod.globals['pair_of<short>'][:] = [3, 4]
    out = np.zeros(1, np.int16)
    mod.get_function('second_of<short>')(Out(out), block=(1, 1, 1))
    assert out[0] == 4


def test_a_kernel_takes_a_variable_as_a_pointer(mod):
    mod.globals['big'][:] = 1
    view = mod.globals['big'].view(np.int32)
    assert view.shape == (4,)
    y = np.zeros(4, np.int32)
    mod.add(view, InOut(y), block=(4, 1, 1))
    assert y.tolist() == [1, 0, 1, 0]
    mod.add(In(np.ones(4, np.int32)), view, block=(4, 1, 1))
    assert view.get().tolist() == [2, 1, 2, 1]


def test_an_array_on_the_device_can_be_assigned(mod):
    mod.globals['table'][1] = gpuarray.to_gpu(np.array([1, 2, 3], np.float32))
    assert mod.globals['table'][1].tolist() == [1, 2, 3]


def test_globals_are_a_mapping(mod):
    found = mod.globals
    assert set(found) == {
        'ns::table', 'points', 'colors', 'vectors', 'flag', 'counter', 'big', 'pointer',
    }  # fmt: skip
    assert len(found) == 8
    assert 'counter' in found
    assert 'nothing' not in found
    assert 3 not in found
    with pytest.raises(KeyError, match='no variable "nothing"'):
        found['nothing']
    with pytest.raises(TypeError):
        found[3]
    assert 'counter' in repr(found)
    assert repr(found['ns::table']).startswith('<__constant__ float ns::table[4][3]')


def test_without_source_scalars_have_types_and_arrays_are_bytes(mod):
    ptx = compiler.compile(SOURCE, target='ptx', no_extern_c=True)
    other = driver.module_from_buffer(ptx)
    assert other.globals['counter'].dtype == np.uint32
    table = other.globals['table']
    assert (table.dtype, table.shape, table.type) == (np.uint8, (48,), '')
    table.view(np.float32)[:3] = [1, 2, 3]
    assert table.view(np.float32)[2] == 3
    assert repr(table).startswith('<__constant__ 48 bytes ns::table')


def test_variables_are_reached_from_other_contexts(mod, device):
    other = device.make_context()
    try:
        mod.globals['table'][0] = 4
        assert mod.globals['table'][0].tolist() == [4, 4, 4]
    finally:
        other.pop()
        other.detach()


def test_sources_whose_last_line_is_a_comment_and_extern_c(device):
    mod = SourceModule('extern "C" { __device__ unsigned short us[3]; } // the end')
    assert mod.globals['us'].dtype == np.uint16
    mod = SourceModule('__device__ struct { int a, b; } pair[2]; __device__ int x[3];')
    assert mod.globals['pair'].dtype == np.uint8
    assert mod.globals['pair'].nbytes == 16
    assert mod.globals['x'].dtype == np.int32


# --- how they show themselves ---------------------------------------------------------------------


def test_repr_shows_signatures(mod):
    assert 'read_row(float *, int)' in repr(mod)
    assert 'SourceModule' in repr(mod)
    assert 'add(const int *, int *)' in repr(mod.module)
    assert '8 variables' in repr(mod)
    assert 'read_row(float *, int)' in repr(mod.read_row)


def test_a_module_without_kernels_has_a_repr(device):
    assert 'SourceModule' in repr(SourceModule('// nothing'))
    many = ''.join(f'__global__ void k{i}() {{}}\n' for i in range(9))
    assert '6 more kernels' in repr(SourceModule(many))


def test_tab_completes_kernels_and_variables(mod):
    names = dir(mod)
    assert {'read_row', 'add', 'counter', 'get_function', 'globals'} <= set(names)
    assert all(name.isidentifier() for name in names)


def test_help_shows_the_signature(mod):
    text = pydoc.render_doc(mod.read_row, renderer=pydoc.plaintext)
    assert 'read_row(float *, int)' in text
    assert 'block' in text
    assert 'read_row(float *, int)' in pydoc.render_doc(mod.module, renderer=pydoc.plaintext)
    assert inspect.getdoc(driver.Function).startswith('A kernel.')
    assert 'A kernel.' in pydoc.render_doc(driver.Function, renderer=pydoc.plaintext)


def test_a_kernel_has_a_signature_for_tools(mod):
    found = inspect.signature(mod.add)
    types = [p.annotation for p in found.parameters.values() if p.kind is p.POSITIONAL_ONLY]
    assert types == ['const int *', 'int *']
    assert found.parameters['block'].kind is inspect.Parameter.KEYWORD_ONLY
    mod = SourceModule(
        'template <class A, class B> struct S { A a; B b; };'
        '__global__ void f(S<int, float> s, int (*call)(int, int)) {} __global__ void none() {}'
    )
    found = inspect.signature(mod.f)
    types = [p.annotation for p in found.parameters.values() if p.kind is p.POSITIONAL_ONLY]
    assert len(types) == 2
    assert types[0].startswith('S<int, float')
    found = inspect.signature(mod.none)
    assert not [p for p in found.parameters.values() if p.kind is p.POSITIONAL_ONLY]


def test_attributes_of_kernels(mod):
    k = mod.read_row
    for name in ('num_regs', 'shared_size_bytes', 'const_size_bytes', 'local_size_bytes',
                 'max_threads_per_block', 'ptx_version', 'binary_version'):  # fmt: skip
        assert getattr(k, name) >= 0
    assert k.max_threads_per_block >= 32


def test_unknown_names_list_what_there_is(mod):
    with pytest.raises(AttributeError, match='read_row'):
        mod.read_rows  # noqa: B018
    assert not hasattr(mod, '__wrapped__')

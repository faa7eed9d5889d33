"""Templates: instances asked for with the source and on demand; headers in memory."""

import numpy as np
import pytest
from runcu import InOut, compiler, driver
from runcu.compiler import CompileError, SourceModule

SOURCE = """
template <class T> __global__ void axpy(T a, T *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= a;
}
namespace ns { template <int N, class T> __global__ void add(T *x) { x[threadIdx.x] += N; } }
"""


@pytest.mark.parametrize(
    'name, dtype', [('float', np.float32), ('double', np.float64), ('unsigned char', np.uint8)]
)
def test_instances_on_demand(device, name, dtype):
    mod = SourceModule(SOURCE)
    x = np.arange(50).astype(dtype)
    mod.get_function(f'axpy<{name}>')[50](dtype(3), InOut(x), 50)
    assert (x == np.arange(50).astype(dtype) * dtype(3)).all()


def test_an_instance_is_made_once(device):
    mod = SourceModule(SOURCE)
    first, second = mod.get_function('axpy<float>'), mod.get_function('axpy<float>')
    assert first.symbol == second.symbol
    assert first.handle == second.handle
    assert str(first) == str(second)


def test_functions_outlive_their_module(device):
    kernel = SourceModule(SOURCE).get_function('ns::add<4, int>')
    x = np.zeros(8, np.int32)
    kernel(InOut(x), block=(8, 1, 1))
    assert (x == 4).all()


def test_what_an_instance_cannot_be(device):
    mod = SourceModule(SOURCE)
    with pytest.raises(CompileError, match='identifier "nothing" is undefined'):
        mod.get_function('axpy<nothing>')
    with pytest.raises(CompileError, match='fill|add'):
        mod.get_function('add<4, int>')
    with pytest.raises(driver.LogicError, match='There is no kernel "absent<int>"'):
        mod.get_function('absent<int>')
    with pytest.raises(driver.LogicError, match='"axpy"'):
        mod.get_function('axpy')
    assert mod.get_function('axpy<int>')


def test_a_template_argument_that_does_not_compile():
    mod = SourceModule('template <class T> __global__ void k(T *x) { *x = T::value; }')
    with pytest.raises(CompileError, match='value') as e:
        mod.get_function('k<int>')
    assert 'kernel.cu:1' in str(e.value)


def test_sources_with_variables_name_their_instances(device):
    source = '__device__ int seen;\ntemplate <class T> __global__ void k(T *x) { *x = seen; }'
    with pytest.raises(driver.LogicError, match=r'name_expressions=\["k<int>"\]'):
        SourceModule(source).get_function('k<int>')
    mod = SourceModule(source, name_expressions=['k<int>', '&seen'])
    address, size = mod.get_global('seen')
    assert (address, size) == mod.get_global('&seen')
    driver.memcpy_htod(address, np.array([17], np.int32))
    x = np.zeros(1, np.int32)
    mod.get_function('k<int>')(InOut(x), block=1)
    assert x[0] == 17


def test_name_expressions_that_mean_nothing(device):
    with pytest.raises(CompileError, match='nothing') as e:
        SourceModule(SOURCE, name_expressions=['axpy<nothing>'])
    first = e.value.diagnostics[0]
    assert (first.file, first.line, first.source) == ('name expression', 0, 'axpy<nothing>')
    for bad in ('axpy<int>', [5], [None]):
        with pytest.raises(TypeError, match='name_expressions'):
            SourceModule(SOURCE, name_expressions=bad)
    with pytest.raises(driver.LogicError, match='name_expressions'):
        SourceModule(SOURCE, name_expressions=[''])


def test_lowered_names():
    program = compiler.Program(SOURCE, arch='compute_75', name_expressions=['axpy<float>'])
    assert program.lowered_name('axpy<float>') == '_Z4axpyIfEvT_PS0_i'
    with pytest.raises(KeyError):
        program.lowered_name('axpy<int>')


def test_headers_in_memory(device):
    headers = {
        'lib/a.h': '#include "b.h"\n#include "../top.h"\n',
        'lib/b.h': '#define B 1\n',
        'top.h': '#define TOP 2\n',
    }
    source = '#include <lib/a.h>\n__global__ void k(int *x) { *x = B + TOP; }'
    x = np.zeros(1, np.int32)
    SourceModule(source, headers=headers).k(InOut(x), block=1)
    assert x[0] == 3
    headers['lib/b.h'] = '#define B 40\n'
    SourceModule(source, headers=headers).k(InOut(x), block=1)
    assert x[0] == 42


def test_errors_in_headers_in_memory(device):
    with pytest.raises(CompileError) as e:
        SourceModule('#include "a.h"\n', headers={'a.h': '\nint x = "text";\n'})
    assert (e.value.diagnostics[0].file, e.value.diagnostics[0].line) == ('a.h', 2)
    with pytest.raises(CompileError, match=r'b\.h'):
        SourceModule('#include "a.h"\n', headers={'a.h': '#include "b.h"\n'})
    for bad in (['a.h'], 'a.h', {'a.h': None}, {'a.h': b''}, {5: ''}):
        with pytest.raises(TypeError, match='headers'):
            SourceModule('', headers=bad)


def test_headers_that_include_themselves(device):
    headers = {'a.h': '#pragma once\n#include "a.h"\n#define A 6\n'}
    x = np.zeros(1, np.int32)
    SourceModule('#include "a.h"\n__global__ void k(int *x) { *x = A; }', headers=headers).k(
        InOut(x), block=1
    )
    assert x[0] == 6

"""runcu.reduction: kernels that bring all elements to one value."""

import numpy as np
import pytest
import runcu.driver as cuda
from runcu import gpuarray, tools
from runcu.elementwise import ScalarArg, VectorArg
from runcu.reduction import ReductionKernel, get_reduction_module

SIZES = [1, 2, 31, 32, 33, 511, 512, 513, 2048, 2049, 100_001, 3_000_017]


@pytest.mark.parametrize('n', SIZES)
def test_dot(device, n):
    x = (np.arange(n) % 7).astype(np.float64)
    y = (np.arange(n) % 11).astype(np.float64)
    kernel = ReductionKernel(
        np.float64, neutral='0', reduce_expr='a+b', map_expr='x[i]*y[i]',
        arguments='double *x, double *y',
    )  # fmt: skip
    result = kernel(gpuarray.to_gpu(x), gpuarray.to_gpu(y))
    assert isinstance(result, gpuarray.GPUArray)
    assert result.shape == () and result.dtype == np.float64
    assert result.get() == (x * y).sum()


def test_default_map(device):
    x = gpuarray.arange(5000, dtype=np.int32)
    assert ReductionKernel(np.int32, '0', 'a+b')(x).get() == 5000 * 4999 // 2
    named = ReductionKernel(np.int32, '0', 'a+b', arguments='int *in')
    assert named(x).get() == 5000 * 4999 // 2
    scaled = ReductionKernel(np.int32, '0', 'a+b', 's * in[i]', 'int s, const int *in')
    assert scaled(3, x).get() == 3 * 5000 * 4999 // 2


def test_arguments_are_there_in_every_stage(device):
    """What brings values together may use the arguments, too."""
    kernel = ReductionKernel(
        np.int32, '0', 'max(a, min(b, limit))', 'x[i]',
        [VectorArg(np.int32, 'x'), ScalarArg(np.int32, 'limit')],
    )  # fmt: skip
    x = gpuarray.arange(100_000, dtype=np.int32)
    assert kernel(x, 777).get() == 777
    assert kernel(x, 1 << 30).get() == 99_999


def test_without_elements(device):
    kernel = ReductionKernel(np.int32, '-5', 'max(a, b)', 'x[i]', 'int *x')
    assert kernel(gpuarray.empty(0, np.int32)).get() == -5


@pytest.mark.parametrize('dtype', [np.int8, np.int64, np.uint16, np.float32, np.complex64,
                                   np.complex128])  # fmt: skip
def test_types(device, dtype):
    name = tools.dtype_to_ctype(dtype)
    kernel = ReductionKernel(dtype, '0', 'a+b', 'x[i]', f'{name} *x')
    host = (np.arange(10_000) % 2).astype(dtype)
    host[100:] = 0
    assert kernel(gpuarray.to_gpu(host)).get() == host.sum()


MINMAX = """
struct minmax {
    int least, most;
    __device__ minmax() {}
    __device__ minmax(int l, int m) : least(l), most(m) {}
    __device__ minmax(const minmax &o) : least(o.least), most(o.most) {}
    __device__ minmax(const volatile minmax &o) : least(o.least), most(o.most) {}
    __device__ volatile minmax &operator=(const minmax &o) volatile
    {
        least = o.least;
        most = o.most;
        return *this;
    }
};
__device__ minmax both(minmax a, minmax b)
{
    return minmax(min(a.least, b.least), max(a.most, b.most));
}
"""


@pytest.mark.parametrize('n', [1, 500, 500_000])
def test_structs_that_are_assigned_as_volatile(device, n):
    dtype = tools.get_or_register_dtype('minmax', np.dtype([('least', 'i4'), ('most', 'i4')]))
    kernel = ReductionKernel(
        dtype, 'minmax(1 << 30, -(1 << 30))', 'both(a, b)', 'minmax(x[i], x[i])', 'const int *x',
        preamble=MINMAX,
    )  # fmt: skip
    host = np.random.RandomState(n).randint(-(10**6), 10**6, n).astype(np.int32)
    result = kernel(gpuarray.to_gpu(host)).get()
    assert (result['least'], result['most']) == (host.min(), host.max())


def test_large_structs_take_smaller_blocks(device):
    dtype = tools.get_or_register_dtype('wide_sum', np.dtype([('v', np.float64, (32,))]))
    kernel = ReductionKernel(
        dtype, 'wide_sum()', 'add(a, b)', 'one(x[i])', 'double *x',
        preamble="""
        struct wide_sum { double v[32]; __device__ wide_sum() { for (double &e : v) e = 0; } };
        __device__ wide_sum one(double d) { wide_sum w; w.v[31] = d; return w; }
        __device__ wide_sum add(const wide_sum &a, const wide_sum &b)
        {
            wide_sum w;
            for (int k = 0; k < 32; k++) w.v[k] = a.v[k] + b.v[k];
            return w;
        }""",
    )  # fmt: skip
    assert kernel.block_size < 512
    assert kernel(gpuarray.ones(20_000, np.float64)).get()['v'][31] == 20_000


def test_out_and_allocator(device):
    kernel = ReductionKernel(np.float32, '0', 'a+b', 'x[i]', 'float *x')
    x, asked = gpuarray.ones(100, np.float32), []

    def allocate(size):
        asked.append(size)
        return cuda.mem_alloc(size)

    assert kernel(x, allocator=allocate).get() == 100
    assert asked == [4]
    table = gpuarray.zeros((3, 4), np.float32)
    part = table[1, 2]
    assert kernel(x, out=part) is part
    expected = np.zeros((3, 4), np.float32)
    expected[1, 2] = 100
    np.testing.assert_array_equal(table.get(), expected)
    large = gpuarray.ones(1_000_000, np.float32)
    assert kernel(large, out=table[0, 0], allocator=allocate).get() == 1_000_000
    assert table.get()[0, 0] == 1_000_000
    for wrong in (gpuarray.zeros((), np.float64), np.zeros(1, np.float32), 5):
        with pytest.raises(TypeError, match='out must be'):
            kernel(x, out=wrong)
    with pytest.raises(ValueError, match='one element'):
        kernel(x, out=gpuarray.zeros(2, np.float32))


def test_the_result_comes_from_the_operands_allocator(device):
    pool = tools.DeviceMemoryPool()
    x = gpuarray.zeros(1_000_000, np.float32, allocator=pool.allocate)
    result = ReductionKernel(np.float32, '1', 'a*b', 'x[i] + 1', 'float *x')(x)
    assert result.get() == 1 and pool.active_blocks == 2
    del x, result
    pool.stop_holding()


def test_streams_and_wrappers(device):
    stream, seen = cuda.Stream(1), []

    def wrapper(launch):
        def call(grid, block, *args, **kwargs):
            seen.append((grid, block))
            launch(grid, block, *args, **kwargs)

        return call

    x = gpuarray.ones(1_000_000, np.int32)
    kernel = ReductionKernel(np.int32, '0', 'a+b', 'x[i]', 'int *x')
    cuda.Context.synchronize()
    result = kernel(x, stream=stream, kernel_wrapper=wrapper)
    stream.synchronize()
    assert result.get() == 1_000_000
    assert len(seen) == 2 and seen[1] == ((1, 1), (kernel.block_size, 1, 1))


def test_calls_that_are_wrong(device):
    kernel = ReductionKernel(np.float32, '0', 'a+b', 'x[i]*s', 'float *x, float s')
    x = gpuarray.ones((4, 4), np.float32)
    with pytest.raises(TypeError, match='takes 2 arguments'):
        kernel(x)
    with pytest.raises(TypeError, match='GPUArray'):
        kernel(np.ones(4, np.float32), 1)
    with pytest.raises(RuntimeError, match='contiguous'):
        kernel(x[:, ::2], 1)
    with pytest.raises(TypeError):
        kernel(x, 1, nonsense=2)
    with pytest.raises(ValueError, match='array'):
        ReductionKernel(np.float32, '0', 'a+b', 's', 'float s')
    with pytest.raises(ValueError, match='unable to map'):
        ReductionKernel(np.dtype([('q', 'V3')]), '0', 'a+b')
    with pytest.raises(cuda.CompileError):
        ReductionKernel(np.float32, '0', 'a+c')(x)


def test_contract_of_the_source(device):
    """READ_AND_MAP, REDUCE, out_type, BLOCK_SIZE can be used by the preamble's functions."""
    kernel = ReductionKernel(
        np.int32, '0', 'later(a, b)', 'x[i]', 'int *x',
        preamble="""
        __device__ int later(int a, int b) { static_assert(BLOCK_SIZE == 512, ""); return a + b; }
        """,
    )  # fmt: skip
    assert kernel(gpuarray.ones(777, np.int32)).get() == 777
    assert kernel.block_size == 512
    assert kernel.stage1_func.name == 'reduce_kernel_stage1'
    assert kernel.stage2_func.name == 'reduce_kernel_stage2'


def test_module(device):
    module = get_reduction_module('float', 128, '0', 'a+b', 'x[i]', 'float *x', 'sum128')
    out, x = gpuarray.zeros(2, np.float32), gpuarray.ones(1000, np.float32)
    kernel = module.get_function('sum128').prepare('PPN')
    kernel.prepared_call((2, 1), (128, 1, 1), out.gpudata, x.gpudata, 1000, shared_size=512)
    assert out.get().sum() == 1000

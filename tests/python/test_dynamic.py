"""DynamicModule and DynamicSourceModule: sources that are compiled apart and linked."""

import os

import numpy as np
import pytest
from runcu import compiler, driver
from runcu.compiler import DynamicModule, DynamicSourceModule

CALLER = """
extern __device__ int counter;
extern __constant__ float factors[2];
__device__ float scale(float x);
__global__ void run(float *x) { x[threadIdx.x] = scale(x[threadIdx.x]) * factors[1] + counter; }
"""
CALLEE = """
__device__ int counter = 5;
__constant__ float factors[2] = {1, 10};
__device__ float scale(float x) { return 2 * x; }
"""
PLAIN = '__global__ void twice(float *x) { x[threadIdx.x] *= 2; }'


def run(module, name='run', values=(1, 2, 3)):
    x = np.array(values, np.float32)
    module.get_function(name)(driver.InOut(x), block=(len(x), 1, 1))
    return x.tolist()


# --- DynamicModule ---


@pytest.mark.parametrize('sources', [(CALLER, CALLEE), (CALLEE, CALLER)])
def test_functions_and_variables_of_other_sources(device, sources):
    module = DynamicModule()
    for source in sources:
        assert module.add_source(source, nvcc_options=['-rdc=true', '-lcudadevrt']) is module
    assert module.link() is module
    assert run(module) == [25, 45, 65]
    address, size = module.get_global('counter')
    assert size == 4
    driver.memset_d32(address, 6, 1)
    assert run(module) == [26, 46, 66]
    driver.memcpy_htod(module.get_global('factors')[0], np.array([1, 100], np.float32))
    assert run(module) == [206, 406, 606]


def test_relocatable_code_need_not_be_asked_for(device):
    module = DynamicModule().add_source(CALLER).add_source(CALLEE, nvcc_options=[]).link()
    assert run(module) == [25, 45, 65]


def test_cplusplus_names(device):
    module = DynamicModule(no_extern_c=True)
    module.add_source(
        'namespace far { template <class T> __device__ T half(T x); }'
        '__global__ void run(float *x)'
        '{ x[threadIdx.x] = far::half(x[threadIdx.x]); }'
    )
    module.add_source(
        'namespace far { template <class T> __device__ T half(T x) { return x / 2; }'
        'template __device__ float half<float>(float); }'
    )
    assert run(module.link()) == [0.5, 1, 1.5]
    assert run(module, '_Z3runPf') == [0.5, 1, 1.5]


def test_data_and_files(device, tmp_path):
    kind = driver.jit_input_type.CUBIN  # on the CPU device this is PTX
    code = compiler.compile(CALLEE, options=['-rdc=true'])
    (tmp_path / 'callee').write_bytes(code)
    for add in (
        lambda m: m.add_data(code, kind, 'callee'),
        lambda m: m.add_data(code, input_type=kind),
        lambda m: m.add_file(tmp_path / 'callee', kind),
        lambda m: m.add_file(str(tmp_path / 'callee'), kind),
    ):
        module = DynamicModule().add_source(CALLER)
        assert add(module) is module
        assert run(module.link()) == [25, 45, 65]


def test_kernels_as_attributes(device):
    module = DynamicModule().add_source(PLAIN).link()
    assert module.twice is module.twice and 'twice' in dir(module) and 'twice' in repr(module)
    with pytest.raises(AttributeError, match='thrice'):
        print(module.thrice)


def test_all_arguments(device, tmp_path):
    told = []
    (tmp_path / 'mine.h').write_text('#define FACTOR 3\n')
    module = DynamicModule(
        nvcc='nvcc',
        link_options=[(driver.jit_option.MAX_REGISTERS, 32)],
        keep=False,
        no_extern_c=False,
        arch=None,
        code=None,
        cache_dir=str(tmp_path / 'cache'),
        include_dirs=[str(tmp_path)],
        message_handler=lambda *args: told.append(args),
        log_verbose=True,
        cuda_libdir=None,
    )
    source = '#include "mine.h"\n__global__ void run(float *x) { x[threadIdx.x] *= FACTOR * MORE; }'
    module.add_source(source, nvcc_options=['-DMORE=2'], name='mine')
    assert run(module.link()) == [6, 12, 18]
    assert [t[0] for t in told] == [True] and all(isinstance(t, str) for t in told[0][1:])
    assert list((tmp_path / 'cache').rglob('*'))


def test_files_are_kept(device, capsys):
    DynamicModule(keep=True).add_source(PLAIN).link()
    folder = capsys.readouterr().out.split()[-1]
    assert 'twice' in open(os.path.join(folder, 'kernel.cu')).read()


def test_default_options(device, monkeypatch):
    monkeypatch.setattr(compiler, 'DEFAULT_NVCC_FLAGS', ['-DFACTOR=7'])
    source = '__global__ void run(float *x) { x[threadIdx.x] *= FACTOR; }'
    assert run(DynamicModule().add_source(source).link()) == [7, 14, 21]
    with pytest.raises(compiler.CompileError, match='FACTOR'):
        DynamicModule().add_source(source, nvcc_options=[])


def test_what_is_missing_or_there_twice(device):
    told = []
    module = DynamicModule(message_handler=lambda *args: told.append(args)).add_source(CALLER)
    with pytest.raises(driver.Error, match='scale|counter|factors') as caught:
        module.link()
    assert caught.value.routine in ('cuLinkAddData', 'cuLinkComplete')
    assert told[-1][0] is False
    with pytest.raises(driver.Error, match='Multiple definition|multiply defined|ultiple'):
        DynamicModule().add_source(CALLEE).add_source(CALLEE).link()


def test_nothing_is_linked_yet(device):
    module = DynamicModule()
    with pytest.raises(driver.LogicError, match='link'):
        module.get_function('run')
    with pytest.raises(AttributeError, match='link'):
        print(module.run)
    assert 'link' in dir(module) and 'DynamicModule' in repr(module)
    with pytest.raises(driver.LogicError, match='link'):
        print(module.globals)
    with pytest.raises(driver.LogicError, match='nothing was added'):
        module.link()


def test_wrong_arguments(device):
    module = DynamicModule()
    with pytest.raises(TypeError):
        module.add_source(None)
    with pytest.raises(TypeError):
        module.add_source(PLAIN, nvcc_options='-rdc=true')
    with pytest.raises(TypeError):
        module.add_data(None, driver.jit_input_type.PTX)
    with pytest.raises(TypeError):
        module.add_data(b'x', 'PTX')
    with pytest.raises(driver.RuntimeError, match='file not found'):
        module.add_file('/nonexistent/file', driver.jit_input_type.PTX)
    with pytest.raises(compiler.CompileError):
        module.add_source('nonsense')
    with pytest.raises(TypeError):
        DynamicModule(link_options=5)


# --- libraries ---


def test_a_library_that_is_nowhere(device, tmp_path, monkeypatch):
    with pytest.raises(OSError, match='libnonsense.a was not found') as caught:
        DynamicModule().add_stdlib('nonsense')
    text = str(caught.value)
    for place in ('RUNCU_LIBDIR', 'CUDA_HOME', 'CUDA_ROOT', '/usr/local/cuda', 'pip install'):
        assert place in text
    with pytest.raises(OSError, match='libnonsense.a') as caught:
        DynamicModule(cuda_libdir=tmp_path).add_stdlib('nonsense')
    assert str(tmp_path) in str(caught.value)
    monkeypatch.setenv('RUNCU_LIBDIR', str(tmp_path / 'there'))
    with pytest.raises(OSError, match='there') as caught:
        DynamicModule().add_stdlib('nonsense')
    assert 'CUDA_HOME' not in str(caught.value)
    for wrong in ('', '../x', 'a/b'):
        with pytest.raises((driver.LogicError, ValueError)):
            DynamicModule().add_stdlib(wrong)
    with pytest.raises(TypeError):
        DynamicModule().add_stdlib(None)


def test_libraries_are_found(device, tmp_path, monkeypatch):
    (tmp_path / 'libmine.a').write_bytes(b'!<arch>\n')
    for given, environment in ((tmp_path, ''), (None, str(tmp_path))):
        monkeypatch.setenv('RUNCU_LIBDIR', environment)
        with pytest.raises(driver.Error) as caught:  # it is found, and then no library
            DynamicModule(cuda_libdir=given).add_stdlib('mine').link()
        assert not isinstance(caught.value, OSError)
        assert 'not found' not in str(caught.value)


# --- DynamicSourceModule ---


def has_cudadevrt(device):
    try:
        DynamicModule().add_stdlib('cudadevrt')
    except OSError:
        return False
    return True


def test_a_source_that_launches_nothing(device):
    if not has_cudadevrt(device):
        pytest.skip('libcudadevrt.a is not installed')
    module = DynamicSourceModule(PLAIN, options=['-rdc=true', '-lcudadevrt'], cache_dir=False)
    assert run(module, 'twice') == [2, 4, 6]
    assert run(DynamicSourceModule(PLAIN), 'twice') == [2, 4, 6]


def test_the_library_is_named_if_it_is_missing(device, tmp_path):
    if device.is_cpu:
        DynamicSourceModule(PLAIN, cuda_libdir=str(tmp_path))
    else:
        with pytest.raises(OSError, match='libcudadevrt.a was not found'):
            DynamicSourceModule(PLAIN, cuda_libdir=str(tmp_path))


# --- what two sources say of one symbol ---


@pytest.mark.parametrize(
    'one, two, what',
    [
        ('extern __device__ int v[4]', '__device__ int v[2] = {1, 2};', 'Size'),
        ('extern __device__ int v[4]', '__constant__ int v[4] = {1, 2};', 'Memory space'),
        ('__device__ int v(int)', '__device__ int v(int a, int b) { return a; }', 'Prototype'),
        ('__device__ int v(int)', '__device__ double v(int a) { return a; }', 'Prototype'),
        ('__device__ int v(int)', '__device__ int v = 1;', 'Memory space|Kind of symbol'),
        ('__device__ int v(int)', '__device__ int w(int a) { return a; }', 'Undefined reference'),
        ('extern __device__ int v[4]', '__device__ int w;', 'Undefined reference'),
    ],
)
def test_what_does_not_match(device, one, two, what):
    use = 'v(x[0])' if '(' in one else 'v[1]'
    user = one + '; __global__ void run(int *x) { x[0] = ' + use + '; }'
    for sources in ((user, two), (two, user)):
        module = DynamicModule()
        module.add_source(sources[0], name='first')
        with pytest.raises(driver.Error, match=what) as caught:
            module.add_source(sources[1], name='second')
            module.link()
        assert "'v'" in str(caught.value)
        assert caught.value.routine == (
            'cuLinkComplete' if what.startswith('Undefined') else 'cuLinkAddData'
        )


def test_one_variable_in_two_shapes(device):
    user = """
    typedef float (*unary)(float);
    extern __device__ unary table[2];
    extern __device__ unsigned words[4];
    __global__ void run(float *x)
    { x[threadIdx.x] = table[threadIdx.x % 2](x[threadIdx.x]) + words[2]; }"""
    owner = """
    typedef float (*unary)(float);
    __device__ float increase(float x) { return x + 1; }
    __device__ float tenfold(float x) { return x * 10; }
    __device__ unary table[2] = {increase, tenfold};
    __device__ unsigned long long words[2] = {0, 1000};"""
    for sources in ((user, owner), (owner, user)):
        module = DynamicModule()
        for source in sources:
            module.add_source(source)
        assert run(module.link(), values=(1, 2, 3, 4)) == [1002, 1020, 1004, 1040]


def test_functions_of_other_sources_by_address(device):
    user = """
    __device__ float increase(float); __device__ float tenfold(float);
    __global__ void run(float *x) {
        float (*f)(float) = threadIdx.x % 2 ? increase : tenfold;
        x[threadIdx.x] = f(x[threadIdx.x]); }"""
    owner = """
    __device__ float increase(float x) { return x + 1; }
    __device__ float tenfold(float x) { return x * 10; }"""
    assert run(DynamicModule().add_source(user).add_source(owner).link()) == [10, 3, 30]


def test_static_names_stay_apart(device):
    text = """
    static __device__ int value = NUMBER;
    static __device__ __noinline__ int get() { return value; }
    """
    module = DynamicModule()
    module.add_source(text + '__device__ int far_one() { return get(); }', ['-DNUMBER=10'])
    module.add_source(
        text
        + '__device__ int far_one(); __global__ void run(float *x)'
        + '{ x[threadIdx.x] = get() + far_one(); }',
        ['-DNUMBER=1'],
    )
    assert run(module.link()) == [11, 11, 11]


def test_dynamic_shared_memory_of_several_types(device):
    module = DynamicModule()
    module.add_source("""
    extern __shared__ double room[];
    __device__ void put(float x) { room[threadIdx.x] = x; }""")
    module.add_source("""
    extern __shared__ char room[];
    __device__ void put(float x);
    __global__ void run(float *x) {
        put(x[threadIdx.x]);
        x[threadIdx.x] = ((double *) room)[threadIdx.x] + 1; }""")
    x = np.array([1, 2, 3], np.float32)
    module.link().get_function('run')(driver.InOut(x), block=(3, 1, 1), shared=24)
    assert x.tolist() == [2, 3, 4]


def test_kernels_of_one_name(device):
    module = DynamicModule().add_source(PLAIN, name='first')
    with pytest.raises(driver.Error, match="Multiple definition of 'twice'") as caught:
        module.add_source(PLAIN, name='second')
    if device.is_cpu:  # the first one is still there
        assert caught.value.code == 300
        assert run(module.link(), 'twice') == [2, 4, 6]


# --- kernels that launch kernels ---

FAMILY = """
__global__ void twice(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= 2;
}
__global__ void add(float *x, float y) { x[threadIdx.x] += y; }
__global__ void parent(float *x, int n) { twice<<<(n + 31) / 32, 32>>>(x, n); }
__global__ void in_order(float *x)
{
    if (threadIdx.x) return;
    cudaStream_t s;
    cudaEvent_t e;
    cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&e, cudaEventDisableTiming);
    add<<<1, 4, 0, s>>>(x, 1);
    twice<<<1, 4, 0, s>>>(x, 4);
    add<<<1, 4, 0, s>>>(x, 1);
    cudaEventRecord(e, s);
    cudaStreamWaitEvent(s, e, 0);
    cudaEventDestroy(e);
    cudaStreamDestroy(s);
}
__global__ void last(float *x)
{
    twice<<<1, 4, 0, cudaStreamTailLaunch>>>(x, 4);
    add<<<1, 4>>>(x, 10);
}
__global__ void tree(int *count, int depth)
{
    atomicAdd(count, 1);
    if (depth) { tree<<<1, 1>>>(count, depth - 1); tree<<<1, 1>>>(count, depth - 1); }
}
__global__ void wrong(int *out, int *x)
{
    twice<<<1, 4096>>>((float *) x, 1);
    out[0] = cudaPeekAtLastError();
    out[1] = cudaGetLastError();
    out[2] = cudaGetLastError();
}
struct pair { char c; double d; };
__global__ void take(float *x, pair p, short s) { *x = p.c + p.d + s; }
__global__ void give(float *x) { pair p = {'a', 0.5}; take<<<1, 1>>>(x, p, -7); }
__global__ void far(float *x) { x[1 << 28] = 1; }
__global__ void astray(float *x) { far<<<1, 1>>>(x); }
"""


@pytest.fixture
def family(device):
    if not has_cudadevrt(device):
        pytest.skip('libcudadevrt.a is not installed')
    return DynamicSourceModule(FAMILY)


def test_kernels_launch_kernels(family):
    x = np.arange(1000, dtype=np.float32)
    family.get_function('parent')(driver.InOut(x), np.int32(1000), block=(1, 1, 1))
    assert np.array_equal(x, 2 * np.arange(1000))


def test_what_comes_after_waits_for_all(family, device):
    stream = driver.Stream()
    x = driver.to_device(np.ones(64, np.float32))
    for _ in range(5):
        family.get_function('parent')(x, np.int32(64), block=(1, 1, 1), stream=stream)
    out = np.empty(64, np.float32)
    driver.memcpy_dtoh_async(out, x, stream)
    stream.synchronize()
    assert np.array_equal(out, np.full(64, 32, np.float32))


def test_streams_of_kernels_keep_order(family):
    assert run(family, 'in_order', (1, 2, 3, 4)) == [5, 7, 9, 11]


def test_the_tail_comes_last(family):
    x = np.array([1, 2, 3, 4], np.float32)
    family.get_function('last')(driver.InOut(x), block=(1, 1, 1))
    assert x.tolist() == [22, 24, 26, 28]


def test_children_of_children(family):
    count = np.zeros(1, np.int32)
    family.get_function('tree')(driver.InOut(count), np.int32(7), block=(1, 1, 1))
    assert count[0] == 255


def test_every_thread_may_launch(family):
    count = np.zeros(1, np.int32)
    family.get_function('tree')(driver.InOut(count), np.int32(1), block=(64, 1, 1), grid=(4, 1))
    assert count[0] == 4 * 64 * 3


def test_a_launch_that_cannot_be(family):
    out, x = np.zeros(3, np.int32), np.ones(4, np.float32)
    family.get_function('wrong')(driver.InOut(out), driver.InOut(x), block=(1, 1, 1))
    assert out[0] == out[1] != 0 and out[2] == 0
    assert x.tolist() == [1, 1, 1, 1]


def test_parameters_of_every_kind(family):
    x = np.zeros(1, np.float32)
    family.get_function('give')(driver.InOut(x), block=(1, 1, 1))
    assert x[0] == 97 + 0.5 - 7


def test_kernels_that_launch_in_a_graph(family, device):
    x = driver.to_device(np.ones(64, np.float32))
    graph = driver.Graph()
    graph.add_kernel(family.get_function('parent'), x, np.int32(64), block=(1, 1, 1))
    executable = graph.instantiate()
    for _ in range(3):
        executable.launch()
    driver.Context.synchronize()
    assert np.array_equal(driver.from_device(x, 64, np.float32), np.full(64, 8, np.float32))


def test_a_fault_in_a_child_names_it(python):
    told = python(
        'FAMILY = """'
        + FAMILY
        + '"""\n'
        + """
import numpy as np
from runcu import driver
from runcu.compiler import DynamicSourceModule
import runcu.autoinit
module = DynamicSourceModule(FAMILY)
x = driver.mem_alloc(64)
try:
    module.get_function('astray')(x, block=(1, 1, 1))
    driver.Context.synchronize()
except driver.Error as e:
    print(e)
""",
        check=False,
    ).stdout
    assert "kernel 'far'" in told

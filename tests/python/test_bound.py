"""Bound launches: arguments fixed once, replaced one by one, launched again and again."""

import gc
import threading
import weakref

import numpy as np
import pytest
import runcu
from runcu import In, InOut, driver
from runcu.driver import ArgumentError, Stream

SOURCE = """
__global__ void add(int *to, int a, float b) { *to += a + (int) b; }
__global__ void saxpy(float a, const float *x, float *y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}
__global__ void shape(int *to) { to[0] = gridDim.x; to[1] = blockDim.x; }
struct three { int a, b, c; };
__global__ void sum(int *to, three t) { *to = t.a + t.b + t.c; }
__global__ void nothing() {}
"""


@pytest.fixture
def mod(device):
    return runcu.SourceModule(SOURCE)


def number(memory):
    return int(driver.from_device(memory, 1, np.int32)[0])


@pytest.fixture
def word(device):
    memory = driver.mem_alloc(8)
    driver.memset_d8(memory, 0, 8)
    return memory


def test_launched_again_and_again(mod, word):
    bound = mod.add.bind(word, 2, np.float32(1), block=(1, 1, 1))
    for _ in range(5):
        assert bound() is None
    assert number(word) == 15
    assert (len(bound), bound.function.name) == (3, 'add')
    assert bound.args == (word, 2, np.float32(1))
    assert isinstance(bound, driver.Bound) and 'add' in repr(bound)
    mod.nothing.bind(block=1)()
    with pytest.raises(TypeError):
        driver.Bound()


def test_arguments_are_replaced_by_index_and_name(mod, word):
    bound = mod.add.bind(word, 1, 0, block=1, names=('to', 'a', 'b'))
    bound()
    bound[1] = 10
    bound()
    bound['a'] = np.int32(100)
    bound()
    bound[-1] = 1000.0
    bound()
    assert number(word) == 1 + 10 + 100 + 1100
    assert (bound[1], bound['b'], bound[np.int64(0)]) == (100, 1000.0, word)
    other = driver.mem_alloc(4)
    driver.memset_d32(other, 0, 1)
    bound['to'] = other
    bound()
    assert number(other) == 1100


def test_what_does_not_fit_changes_nothing(mod, word):
    bound = mod.add.bind(word, 1, 0, block=1, names='tab')
    for key, value, error in (
        (1, 'x', TypeError),
        (1, 1.5, ArgumentError),
        (1, 1 << 40, (ArgumentError, OverflowError)),
        (0, np.zeros(1), TypeError),
        (0, 2.5, ArgumentError),
        (3, 1, IndexError),
        (-4, 1, IndexError),
        ('missing', 1, KeyError),
        (1.5, 1, TypeError),
        (None, 1, TypeError),
        (1 << 70, 1, IndexError),
    ):
        with pytest.raises(error):
            bound[key] = value
    for key, error in ((3, IndexError), ('missing', KeyError), ([], TypeError)):
        with pytest.raises(error):
            bound[key]
    with pytest.raises(TypeError, match='not deleted'):
        del bound[0]
    assert bound.args == (word, 1, 0)
    bound()
    assert number(word) == 1


def test_a_bad_binding_is_refused(mod, word):
    for args, options, error in (
        ((word, 1, 0), {}, ValueError),
        ((word, 1), {'block': 1}, ArgumentError),
        ((word, 1, 'x'), {'block': 1}, TypeError),
        ((word, 1, 0), {'block': (0, 1, 1)}, ValueError),
        ((word, 1, 0), {'block': 1, 'foo': 1}, ValueError),
        ((word, 1, 0), {'block': 1, 'names': ('a', 'b')}, ValueError),
        ((word, 1, 0), {'block': 1, 'names': ('a', 'b', 'a')}, ValueError),
        ((word, 1, 0), {'block': 1, 'names': ('a', 'b', 3)}, TypeError),
        ((word, 1, 0), {'block': 1, 'names': 5}, TypeError),
        ((word, 1, 0), {'block': 1, 'time_kernel': True}, ValueError),
        ((word, 1, 0), {'block': 1, 'stream': 'x'}, TypeError),
    ):
        with pytest.raises(error):
            mod.add.bind(*args, **options)
    with pytest.raises(ValueError, match='extra keyword arguments: names'):
        mod.add(word, 1, 0, block=1, names='tab')
    bound = mod.add.bind(word, 1, 0, block=1)
    with pytest.raises(TypeError, match='no arguments'):
        bound(1)
    with pytest.raises(TypeError, match='no arguments'):
        bound(stream=None)
    with pytest.raises(KeyError):
        bound['a'] = 1


def test_numbers_are_copied_when_they_are_set(mod, word):
    t = np.array([1, 2, 3], np.int32)
    bound = mod.sum.bind(word, t, block=1)
    t[:] = 100
    bound()
    assert number(word) == 6
    bound[1] = t
    bound()
    assert number(word) == 300


def test_what_a_launch_needs_stays_alive(mod):
    class Array(np.ndarray):
        pass

    memory = driver.mem_alloc(4)
    driver.memset_d32(memory, 0, 1)
    ref = weakref.ref(memory)
    stream = Stream()
    bound = mod.add.bind(memory, 7, 0, block=1, stream=stream)
    address = int(memory)
    del memory, stream, mod
    gc.collect()
    bound()
    driver.Context.synchronize()
    assert ref() is not None and number(address) == 7
    del bound
    gc.collect()
    assert ref() is None


def test_freed_memory_is_noticed(mod, word):
    memory = driver.mem_alloc(4)
    bound = mod.add.bind(memory, 7, 0, block=1)
    memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        bound()
    bound[0] = word
    bound()
    assert number(word) == 7


def test_host_arrays_travel_at_each_launch(mod):
    x, y = np.ones(4, np.float32), np.zeros(4, np.float32)
    bound = mod.saxpy.bind(2.0, In(x), InOut(y), 4, block=4)
    bound()
    x[:] = 10
    bound()
    assert y.tolist() == [22] * 4
    device_y = driver.to_device(y)
    bound[2] = device_y
    bound()
    assert driver.from_device_like(device_y, y).tolist() == [42] * 4
    bound[1] = driver.to_device(x)
    bound()
    assert driver.from_device_like(device_y, y).tolist() == [62] * 4
    bound[2] = InOut(y)
    bound()
    assert y.tolist() == [42] * 4
    with pytest.raises(TypeError):
        mod.saxpy.bind(2.0, x, InOut(y), 4, block=4)


def test_shape_and_stream_are_replaced(mod, word):
    bound = mod.shape.bind(word, block=2, grid=3)
    bound()
    assert driver.from_device(word, 2, np.int32).tolist() == [3, 2]
    stream = Stream()
    bound.configure(block=(4, 1, 1), stream=stream)
    bound()
    stream.synchronize()
    assert driver.from_device(word, 2, np.int32).tolist() == [3, 4]
    bound.configure(grid=5)
    bound()
    stream.synchronize()
    assert driver.from_device(word, 2, np.int32).tolist() == [5, 4]
    bound[0] = word
    bound()
    stream.synchronize()
    assert driver.from_device(word, 2, np.int32).tolist() == [5, 4]
    with pytest.raises(TypeError):
        bound.configure(3)
    with pytest.raises(ValueError, match='extra keyword'):
        bound.configure(names='x')
    with pytest.raises(driver.LogicError, match='976 over the device.s limit of 1024'):
        bound.configure(block=2000)
        bound()


def test_brackets_bind_too(mod, word):
    bound = mod.shape[3, 2].bind(word)
    bound()
    assert driver.from_device(word, 2, np.int32).tolist() == [3, 2]
    bound = mod.shape[1000].bind(word, names=['to'])
    bound()
    grid, block = driver.from_device(word, 2, np.int32).tolist()
    assert grid * block >= 1000
    bound['to'] = word
    bound.configure(block=8, grid=1)
    bound()
    assert driver.from_device(word, 2, np.int32).tolist() == [1, 8]


def test_an_object_that_changes_the_launch_while_it_is_read(mod, word):
    class Evil:
        @property
        def gpudata(self):
            bound[1] = 5
            bound()
            return int(word)

    bound = mod.add.bind(word, 1, 0, block=1)
    bound[0] = Evil()
    bound()
    assert number(word) >= 5


def test_cycles_are_collected(mod, word):
    class Array:
        def __init__(self):
            self.gpudata = word

    array = Array()
    array.bound = mod.add.bind(array, 1, 0, block=1)
    array.bound()
    ref = weakref.ref(array)
    del array
    gc.collect()
    assert ref() is None


def test_sixteen_threads_launch_in_every_way(mod, word, device):
    failures = []
    shared = mod.add.bind(word, 1, 0, block=1)

    def work():
        try:
            with runcu.device(device):
                kernel = mod.get_function('add').prepare('Pif')
                bound = kernel.bind(word, 0, 0, block=1)
                for i in range(50):
                    kernel(word, 0, 0, block=1)
                    kernel.prepared_call((1, 1), (1, 1, 1), word, 0, 0)
                    bound[1] = i % 2 - i % 2
                    bound()
                    shared()
                driver.Context.synchronize()
        except Exception as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert number(word) == 16 * 50  # one stream: they do not add at once

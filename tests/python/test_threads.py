"""Sixteen threads at once: launches, copies, allocations, compiles, contexts."""

import threading

import numpy as np
import pytest
import runcu
from runcu import driver, tools
from runcu.driver import Context

THREADS = 16
SOURCE = '__global__ void add(int *x, int n) { x[threadIdx.x] += n; }'


def run_all(work):
    """Calls work(index) in sixteen threads that begin together; the first exception is raised."""
    failures = []
    gate = threading.Barrier(THREADS)

    def body(index):
        try:
            gate.wait(60)
            work(index)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=body, args=[i]) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def check_kernel(module, index, stream=None):
    x = np.full(64, index, np.int32)
    memory = driver.to_device(x)
    module.add[1, 64, stream](memory, 5)
    if stream is not None:
        stream.synchronize()
    assert (driver.from_device_like(memory, x) == index + 5).all()
    memory.free()


def test_one_module_and_context(device):
    module, context = runcu.SourceModule(SOURCE), Context.get_current()

    def work(index):
        with context:
            stream = driver.Stream()
            for _ in range(20):
                check_kernel(module, index)
                check_kernel(module, index, stream)

    run_all(work)


def test_contexts_of_their_own(device):
    def work(index):
        assert Context.get_current() is None
        for _ in range(3):
            mine = device.make_context()
            other = device.make_context()
            assert Context.get_current() == other
            check_kernel(runcu.SourceModule(SOURCE), index)
            Context.pop()
            assert Context.get_current() == mine
            check_kernel(runcu.SourceModule(SOURCE), index)
            other.push()
            mine.detach()
            assert Context.get_current() == other
            other.detach()
            assert Context.get_current() is None

    run_all(work)


def test_the_default_context_is_everybodys(python, device_name):
    python(
        f"""
        import threading, numpy as np, runcu
        from runcu import driver
        seen, failures = set(), []
        gate = threading.Barrier({THREADS})
        def work(index):
            try:
                gate.wait(60)  # the first use of the driver, by all at once
                mod = runcu.SourceModule({SOURCE!r})
                x = np.full(64, index, np.int32)
                mod.add[1, 64](runcu.InOut(x), 5)
                assert (x == index + 5).all()
                seen.add(driver.Context.get_current().handle)
            except BaseException as e:
                failures.append(e)
        threads = [threading.Thread(target=work, args=[i]) for i in range({THREADS})]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert not failures, failures
        assert len(seen) == 1
        """,
        device=device_name,
    )


def test_pools_and_objects_freed_elsewhere(device):
    context, module = Context.get_current(), runcu.SourceModule(SOURCE)
    pool, things = tools.DeviceMemoryPool(), []

    def work(index):
        with context:
            for i in range(50):
                block = pool.allocate(256 + 16 * (i % 4))
                x = np.full(64, index, np.int32)
                driver.memcpy_htod(block, x)
                module.add[1, 64](block, i)
                got = driver.from_device_like(block, x)
                assert (got == index + i).all()
                things.extend([block, driver.mem_alloc(100), driver.Event(), driver.Stream()])
                if len(things) > 100:
                    del things[:50]

    run_all(work)
    things.clear()
    assert pool.active_blocks == 0
    pool.stop_holding()


def test_compiles(device, tmp_path):
    context = Context.get_current()

    def work(index):
        with context:
            for i in range(3):
                same = runcu.SourceModule(SOURCE, cache_dir=str(tmp_path))
                check_kernel(same, index)
                own = SOURCE.replace('+= n', f'+= n + {100 * index + i}')
                module = runcu.SourceModule(own, cache_dir=str(tmp_path))
                x = np.zeros(64, np.int32)
                module.add[1, 64](runcu.InOut(x), 1)
                assert (x == 1 + 100 * index + i).all()
                with pytest.raises(driver.CompileError, match=f'nonsense_{index}'):
                    runcu.SourceModule(f'__global__ void f() {{ nonsense_{index}; }}')

    run_all(work)


def test_errors_are_each_threads_own(device):
    context = Context.get_current()

    def work(index):
        with context:
            for _ in range(50):
                with pytest.raises(driver.LogicError) as e:
                    device.get_attribute(-1 - index)
                assert e.value.routine == 'cuDeviceGetAttribute'
                with pytest.raises(driver.ArgumentError, match=f'attempt_{index}'):
                    runcu_kernel[index](1, 2, block=1)

    sources = [f'__global__ void attempt_{i}(int *p) {{}}' for i in range(THREADS)]
    runcu_kernel = [
        runcu.SourceModule(s).get_function(f'attempt_{i}') for i, s in enumerate(sources)
    ]
    run_all(work)


def test_a_launch_does_not_wait_for_a_compile(device, tmp_path):
    """A source that takes long: launches go on meanwhile, in this thread and in others."""
    functions = '\n'.join(
        f'__global__ void k{i}(double *x) {{ x[threadIdx.x] = sin(x[0]) * pow(x[{i}], {i}.5); }}'
        for i in range(150)
    )
    module, context = runcu.SourceModule(SOURCE), Context.get_current()
    memory = driver.to_device(np.zeros(64, np.int32))
    module.add[1, 64](memory, 1)
    begun, ended, launches = threading.Event(), threading.Event(), 0

    def compile_it():
        with context:
            begun.set()
            runcu.SourceModule(functions, cache_dir=str(tmp_path))
            ended.set()

    thread = threading.Thread(target=compile_it)
    thread.start()
    begun.wait()
    while not ended.is_set() and thread.is_alive():
        module.add[1, 64](memory, 1)
        launches += 1
        if launches % 100 == 0:
            Context.synchronize()
    thread.join()
    assert ended.is_set()
    assert launches > 100
    assert (driver.from_device(memory, 64, np.int32) == 1 + launches).all()

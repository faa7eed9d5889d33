"""Forks and worker processes: the CPU device goes on in a child, a GPU says why it cannot."""

import functools

import pytest

#: Newer Pythons warn of a fork in a process that has threads.
QUIET = {'PYTHONWARNINGS': 'ignore::DeprecationWarning'}

SOURCE = '__global__ void twice(int *x) { x[threadIdx.x] *= 2; }'


@pytest.fixture
def python(python):
    return functools.partial(python, **QUIET)


def test_every_call_in_a_child_says_one_thing_on_a_gpu(python, device_name):
    done = python(
        f"""
        import gc, os, sys, numpy as np, runcu
        from runcu import driver, tools
        from runcu.driver import Context, Device
        twice = runcu.SourceModule({SOURCE!r}).twice
        memory = driver.to_device(np.arange(8, dtype=np.int32))
        stream, event = driver.Stream(), driver.Event()
        context, pool = Context.get_current(), tools.DeviceMemoryPool()
        block, host = pool.allocate(64), driver.pagelocked_zeros(4, np.int32)
        pid = os.fork()
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            twice[1, 8](memory)
            assert driver.from_device(memory, 8, np.int32)[7] == 14
            sys.exit()
        calls = [
            Context.synchronize,
            lambda: driver.mem_alloc(64),
            lambda: pool.allocate(1 << 20),
            lambda: twice[1, 8](memory),
            lambda: driver.from_device(memory, 8, np.int32),
            lambda: driver.memset_d32(memory, 0, 8),
            lambda: driver.Stream(),
            lambda: driver.Event(),
            stream.synchronize,
            stream.is_done,
            lambda: event.record(stream),
            event.synchronize,
            lambda: runcu.SourceModule({SOURCE!r}),
            lambda: Device(0).make_context(),
            lambda: Device(0).total_memory(),
            lambda: driver.mem_get_info(),
            context.push,
        ]
        texts = set()
        for call in calls:
            try:
                call()
            except driver.LogicError as e:
                texts.add(str(e).split(': ', 1)[1])
            else:
                texts.add('works')
        assert len(texts) == 1, texts
        print(*texts)
        print(host.sum())
        host[:] = 1
        del twice, memory, stream, event, context, pool, block, host
        gc.collect()
        """,
        device=device_name,
    )
    text, zero = done.stdout.splitlines()
    assert zero == '0'
    if device_name == 'cpu':
        assert text == 'works'
    else:
        assert 'forked after the GPU was initialised' in text and 'spawn' in text
    assert done.stderr == ''


@pytest.mark.parametrize('method', ['fork', 'spawn', 'forkserver'])
@pytest.mark.parametrize('used', [False, True])
def test_workers_of_multiprocessing(python, device_name, method, used):
    """A GPU must not have been used before a fork; the other methods do not care."""
    if device_name == 'cuda' and method == 'fork' and used:
        pytest.skip('is refused, as another test says')
    done = python(
        f"""
        import multiprocessing, numpy as np, runcu
        from runcu import InOut
        def work(k):
            x = np.full(8, k, dtype=np.int32)
            runcu.SourceModule({SOURCE!r}).twice[1, 8](InOut(x))
            return int(x.sum())
        if __name__ == '__main__':
            if {used}:
                work(1)
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(pool.map(work, range(6)))
        """,
        device=device_name,
    )
    assert done.stdout == '[0, 16, 32, 48, 64, 80]\n'
    assert done.stderr == ''


def test_a_fork_while_other_threads_hold_locks(python):
    """Whatever they are in the middle of, the child can do all of it."""
    done = python(
        f"""
        import faulthandler, os, signal, sys, threading, time, numpy as np, runcu
        from runcu import driver, tools
        from runcu.driver import Context, Device
        mod = runcu.SourceModule({SOURCE!r})
        pool, context = tools.DeviceMemoryPool(), Context.get_current()
        host = tools.PageLockedMemoryPool()
        memory = driver.mem_alloc(64)
        stop = False
        def compile_one(n=[0]):
            n[0] += 1
            runcu.SourceModule(f'__global__ void f{{os.getpid()}}_{{n[0]}}() {{{{}}}}')
        calls = [
            lambda: pool.allocate(64),
            lambda: host.allocate(64, np.uint8),
            lambda: mod.twice[4, 8](memory),
            lambda: driver.mem_alloc(100).free(),
            lambda: Device(0).make_context().detach(),
            compile_one,
        ]
        def forever(call):
            with context:
                while not stop:
                    call()
        threads = [threading.Thread(target=forever, args=[call], daemon=True) for call in calls]
        [t.start() for t in threads]
        for i in range(15):
            time.sleep(0.01)
            pid = os.fork()
            if not pid:
                faulthandler.dump_traceback_later(30)  # a deadlock ends the child
                signal.alarm(31)
                for call in calls:
                    call()
                x = np.arange(8, dtype=np.int32)
                mod.twice[1, 8](runcu.InOut(x))
                os._exit(0 if x[7] == 14 else 9)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert code == 0, (i, code)
        stop = True
        [t.join() for t in threads]
        print('done')
        """,
        timeout=200,
    )
    assert done.stdout == 'done\n'


def test_a_fork_from_a_thread_and_grandchildren(python):
    done = python(
        f"""
        import os, threading, numpy as np, runcu
        from runcu import driver
        mod = runcu.SourceModule({SOURCE!r})
        memory = driver.to_device(np.ones(8, np.int32))
        context = driver.Context.get_current()
        def check(depth):
            with context:
                mod.twice[1, 8](memory)
                assert (driver.from_device(memory, 8, np.int32) == 2 ** depth).all()
                if depth == 3:
                    return
                pid = os.fork()
                if pid:
                    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                    return
                check(depth + 1)
                os._exit(0)
        thread = threading.Thread(target=check, args=[1])
        thread.start()
        thread.join()
        assert (driver.from_device(memory, 8, np.int32) == 2).all()
        print('done')
        """
    )
    assert done.stdout == 'done\n'

"""The end of a program, whatever it leaves about: no crash, no hang, no words, no lost output.

Each case is a program of its own.
"""

import pytest

HEAD = """
import atexit, gc, os, sys, threading, time
late = []  # called after what runcu does at the end
atexit.register(lambda: [call() for call in late])
import numpy as np
import runcu
from runcu import driver, tools
from runcu.driver import Context, Device
SOURCE = '''
__global__ void say(int n) { printf("kernel says %d\\\\n", n); }
__global__ void slow(int n)
{
    long long begin = clock64();
    while (clock64() - begin < 200000000LL);
    printf("slow says %d\\\\n", n);
}
'''
"""

#: Programs, and what they print.
PROGRAMS = {
    'contexts left on the stack': (
        """
        contexts = [Device(0).make_context() for _ in range(3)]
        memory = [driver.mem_alloc(100) for _ in range(3)]
        Device(0).retain_primary_context().push()
        runcu.SourceModule(SOURCE).say[1, 1](1)
        """,
        'kernel says 1\n',
    ),
    'kernels that still run in several contexts': (
        """
        for i in range(3):
            Device(0).make_context()
            runcu.SourceModule(SOURCE).slow[1, 1](i)
        """,
        {'slow says 0\n', 'slow says 1\n', 'slow says 2\n'},
    ),
    'objects in cycles': (
        """
        context = Device(0).make_context()
        module = runcu.SourceModule(SOURCE)
        pool = tools.DeviceMemoryPool()
        things = [driver.mem_alloc(100), driver.Stream(), driver.Event(), context, pool,
                  pool.allocate(100), driver.pagelocked_empty(4, 'f4').base]
        for thing in things:
            thing.others = things
        driver.things = things
        gc.disable()
        module.say[1, 1, things[1]](2)
        """,
        'kernel says 2\n',
    ),
    'objects that die with the interpreter': (
        """
        class Late:
            def __init__(self):
                self.memory, self.stream = driver.mem_alloc(100), driver.Stream()
                self.module = runcu.SourceModule(SOURCE)
            def __del__(self):
                self.module.say[1, 1](3)
                self.stream.synchronize()
                self.memory.free()
        sys.late = Late()
        """,
        None,
    ),
    'what atexit calls after us': (
        """
        def work():
            runcu.SourceModule(SOURCE).say[1, 1](4)
            Context.synchronize()
        driver.mem_alloc(4)
        late.append(work)
        """,
        'kernel says 4\n',
    ),
    'an exception with objects in its frames': (
        """
        def work(memory):
            runcu.SourceModule(SOURCE).slow[1, 1](5)
            stream = driver.Stream()
            sys.excepthook = lambda *e: None
            raise KeyError(memory)
        work(driver.mem_alloc(100))
        """,
        'slow says 5\n',
    ),
    'sys.exit within contexts': (
        """
        with Device(0).make_context(), runcu.device(Device(0)):
            runcu.SourceModule(SOURCE).slow[1, 1](6)
            sys.exit(3)
        """,
        'slow says 6\n',
    ),
    'sys.exit in a thread': (
        """
        def work():
            Device(0).make_context()
            runcu.SourceModule(SOURCE).slow[1, 1](7)
            sys.exit(4)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
        'slow says 7\n',
    ),
    'the last thread is not the first': (
        """
        context = Device(0).make_context()
        context.pop()
        def work():
            threading.main_thread().join()
            with context:
                runcu.SourceModule(SOURCE).say[1, 1](8)
                Context.synchronize()
        threading.Thread(target=work).start()
        """,
        'kernel says 8\n',
    ),
    'sys.exit in a callback of a stream': (
        """
        stream = driver.Stream()
        sys.unraisablehook = lambda *e: None
        stream.add_callback(lambda *args: sys.exit(5))
        runcu.SourceModule(SOURCE).say[1, 1, stream](9)
        """,
        'kernel says 9\n',
    ),
    'daemon threads in every call': (
        """
        module = runcu.SourceModule(SOURCE)
        context = Context.get_current()
        pool = tools.DeviceMemoryPool()
        def forever(call):
            with context:
                while True:
                    call()
        calls = [
            Context.synchronize,
            lambda: module.say.get_attribute(0),
            lambda: driver.mem_alloc(100).free(),
            lambda: pool.allocate(100),
            lambda: driver.Stream().synchronize(),
            lambda: driver.from_device(memory, 25, 'f4'),
            lambda: Device(0).make_context().detach(),
            lambda: runcu.SourceModule(f'__global__ void f{time.time_ns()}() {{}}'),
        ]
        memory = driver.mem_alloc(100)
        for call in calls:
            threading.Thread(target=forever, args=[call], daemon=True).start()
        time.sleep(0.3)
        """,
        None,
    ),
    'os._exit': ("""driver.mem_alloc(100); os._exit(6)""", ''),
    'a fork that ends before its parent': (
        """
        driver.mem_alloc(100)
        runcu.SourceModule(SOURCE).slow[1, 1](10)
        pid = os.fork()
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        """,
        'slow says 10\n',
    ),
    'forgotten modules': (
        """
        memory, stream = driver.mem_alloc(100), driver.Stream()
        for name in [n for n in sys.modules if n.startswith('runcu')]:
            del sys.modules[name]
        del runcu, driver, tools, Context, Device
        gc.collect()
        """,
        '',
    ),
}

CODES = {'sys.exit within contexts': 3, 'os._exit': 6, 'an exception with objects in its frames': 1}


@pytest.mark.parametrize('name', PROGRAMS)
def test_end(python, device_name, name):
    import textwrap

    program, printed = PROGRAMS[name]
    quiet = {'PYTHONWARNINGS': 'ignore::DeprecationWarning'}  # of forks
    program = HEAD + textwrap.dedent(program)
    done = python(program, device=device_name, check=False, timeout=60, **quiet)
    assert done.returncode == CODES.get(name, 0), done.stderr
    assert done.stderr == ''
    if isinstance(printed, set):
        assert {line + '\n' for line in done.stdout.splitlines()} == printed
    elif printed is not None:
        assert done.stdout == printed


def test_a_fault_at_the_end_is_one_message(python, device_name):
    done = python(
        """
        import runcu
        from runcu import driver
        stream, event, memory = driver.Stream(), driver.Event(), driver.mem_alloc(64)
        mod = runcu.SourceModule('__global__ void fault(int *p) { *p = 1; }')
        mod.fault[1, 1](None)
        """,
        device=device_name,
        check=False,
    )
    assert done.returncode in (0, 1)
    assert done.stderr.count('illegal memory access') == 1
    assert 'Fatal' not in done.stderr and 'cleanup' not in done.stderr


def test_subinterpreters_are_refused(python):
    done = python(
        """
        try:
            import _interpreters as interpreters
            run = interpreters.exec
        except ImportError:
            import _xxsubinterpreters as interpreters
            run = interpreters.run_string
        import runcu
        other = interpreters.create()
        run(other, '''if True:
            try:
                import runcu._core
            except ImportError as e:
                print('refused', flush=True)
            except Exception as e:  # numpy may be the first to complain
                print('refused', flush=True)
        ''')
        runcu.driver.mem_alloc(4)
        import os, sys
        sys.stdout.flush()
        os._exit(0)  # how Python 3.11 ends its other interpreters is not our matter
        """,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'refused\n'

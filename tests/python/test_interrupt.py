"""Ctrl-C while a kernel runs: on the CPU device it ends the kernel, on a GPU the wait."""

import pytest

#: A kernel that runs until the host says otherwise, or a minute has gone by.
WAITS = '''
__global__ void wait(volatile int *go)
{
    long long begin = clock64();
    while (!*go && clock64() - begin < 120000000000LL);
}
__global__ void fill(int *x) { x[threadIdx.x] = 7; }
'''

HEAD = f"""
    import os, signal, threading, time, numpy as np, runcu, runcu.driver as cuda
    context = cuda.Device(0).retain_primary_context()
    context.push()
    mod = runcu.SourceModule({WAITS!r})
    go = cuda.pagelocked_zeros(1, np.int32, mem_flags=cuda.host_alloc_flags.DEVICEMAP)
    memory, stream, event = cuda.mem_alloc(64), cuda.Stream(), cuda.Event()
    mod.fill[1, 16](memory)  # a driver may load kernels when they are first launched
    cuda.Context.synchronize()
    def interrupt_soon(seconds=0.2):
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()
    def start(stream=None):
        mod.wait[1, 1, stream](go.base.get_device_pointer())
"""


@pytest.mark.parametrize(
    'wait',
    [
        'cuda.Context.synchronize()',
        'stream.synchronize()',
        'event.synchronize()',
        'cuda.memcpy_dtoh(bytearray(4), memory)',
        'cuda.memcpy_htod(memory, bytes(4))',
        'mod.fill(cuda.InOut(np.zeros(16, np.int32)), block=(16, 1, 1))',
        'mod.fill(memory, block=(16, 1, 1), time_kernel=True)',
        'memory.free()',
        'cuda.memcpy_dtoh_async(np.zeros(4, np.int32), memory, stream)',
    ],
)
def test_every_wait_ends_and_the_program_goes_on(python, device_name, wait):
    if 'async' in wait and device_name == 'cpu':
        pytest.skip('the CPU device does not wait there')
    done = python(
        HEAD
        + f"""
    start(stream)
    event.record(stream)
    interrupt_soon()
    begin = time.monotonic()
    try:
        {wait}
        print('not interrupted')
    except KeyboardInterrupt:
        print('interrupted', time.monotonic() - begin < 10)
    go[0] = 1  # on a GPU the kernel still runs
    cuda.Context.synchronize()
    again = cuda.mem_alloc(64)
    mod.fill[1, 16](again)
    assert (cuda.from_device(again, 16, np.int32) == 7).all()
    """,
        device=device_name,
    )
    assert done.stdout == 'interrupted True\n'


def test_a_program_that_ctrl_c_ends_does_end(python, device_name):
    """The traceback's frames free memory and modules that the kernel still uses."""
    done = python(
        HEAD
        + """
    def work():
        mine = cuda.mem_alloc(1 << 20)
        own = runcu.SourceModule('__global__ void f(int *x) { *x = 1; }')
        own.f[1, 1](mine)
        start()
        interrupt_soon()
        cuda.Context.synchronize()
    work()
    """,
        device=device_name,
        check=False,
        timeout=50,
    )
    assert done.returncode in (130, -2)  # as Python ends for KeyboardInterrupt
    assert done.stderr.rstrip().endswith('KeyboardInterrupt')
    assert 'Error' not in done.stderr


def test_what_was_freed_meanwhile_goes_after_the_kernel(python, device_name):
    done = python(
        HEAD
        + """
    large = cuda.mem_alloc(256 << 20)
    address = int(large)
    start()
    interrupt_soon()
    try:
        cuda.Context.synchronize()
    except KeyboardInterrupt:
        pass
    begin = time.monotonic()
    large.free()  # does not wait for what was just given up
    assert time.monotonic() - begin < 10
    go[0] = 1
    cuda.Context.synchronize()
    try:
        cuda.mem_get_address_range(address)
    except cuda.LogicError:
        print('freed')
    """,
        device=device_name,
    )
    assert done.stdout == 'freed\n'


def test_ctrl_c_at_the_end_of_the_program_ends_the_wait_too(python, device_name):
    done = python(
        HEAD
        + """
    start()
    interrupt_soon(1)
    """,
        device=device_name,
        check=False,
        timeout=50,
    )
    assert 'Fatal' not in done.stderr
    assert done.returncode in (0, 120, 130, -2)


def test_other_threads_run_while_one_waits(python, device_name):
    done = python(
        HEAD
        + """
    count = 0
    def work():
        global count
        for count in range(1, 101):
            time.sleep(0.001)
        go[0] = 1
    start()
    threading.Thread(target=work).start()
    cuda.Context.synchronize()
    print(count)
    """,
        device=device_name,
    )
    assert done.stdout == '100\n'


def test_a_handler_of_the_programs_own_is_called_while_a_kernel_runs(python, device_name):
    done = python(
        HEAD
        + """
    def handler(number, frame):
        go[0] = 1
    signal.signal(signal.SIGUSR1, handler)
    start()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    cuda.Context.synchronize()
    print('done')
    """,
        device=device_name,
    )
    assert done.stdout == 'done\n'

"""Modules that follow their file while the program runs, and the context that is current."""

import os
import pickle
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from runcu import InOut, SourceModule, compiler, driver

KERNEL = '__global__ void k(int *x) {{ x[0] = {}; }}'


class File:
    """A source that is saved in the ways that editors have."""

    def __init__(self, folder, name='kernel.cu'):
        self.path = folder / name

    def save(self, text, how='rename'):
        if how == 'rename':
            new = self.path.with_suffix('.new')
            new.write_text(text)
            os.replace(new, self.path)
        elif how == 'remove':
            self.path.unlink()
            self.path.write_text(text)
        else:
            self.path.write_text(text)
        return self.path


@pytest.fixture
def file(tmp_path):
    return File(tmp_path)


def watched(path, **kwargs):
    return SourceModule.from_file(path, watch=True, interval=0, **kwargs)


def value(kernel):
    x = np.zeros(1, np.int32)
    kernel(InOut(x), block=(1, 1, 1))
    return x[0]


def wait_for(kernel, wanted):
    """Launches until the value is `wanted`; no more than some seconds."""
    end = time.monotonic() + 20
    while (got := value(kernel)) != wanted and time.monotonic() < end:
        time.sleep(0.002)
    assert got == wanted


@pytest.mark.parametrize('how', ['rename', 'remove', 'write'])
def test_the_next_launch_is_of_the_new_code(device, file, how):
    mod = watched(file.save(KERNEL.format(1)))
    kernel, prepared = mod.k, mod.get_function('k').prepare('P')
    assert value(kernel) == 1
    for i in (2, 33):
        file.save(KERNEL.format(i), how)
        wait_for(kernel, i)
        assert value(mod.get_function('k')) == i
        x = np.zeros(1, np.int32)
        kernel[1](InOut(x))
        assert x[0] == i
        device_x = driver.to_device(np.zeros(1, np.int32))
        prepared.prepared_call((1, 1), (1, 1, 1), device_x)
        assert driver.from_device(device_x, 1, np.int32)[0] == i
    assert mod.last_error is None


def test_a_header_counts_and_one_that_it_includes(device, file):
    (file.path.parent / 'a.h').write_text('#include "lib/b.h"\n')
    (file.path.parent / 'lib').mkdir()
    inner = File(file.path.parent / 'lib', 'b.h')
    inner.save('#define VALUE 4\n')
    mod = watched(file.save('#include "a.h"\n' + KERNEL.format('VALUE')))
    assert value(mod.k) == 4
    inner.save('#define VALUE 5\n')
    wait_for(mod.k, 5)


def test_a_header_that_newly_stands_first_counts(device, file, tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    first.mkdir()
    second.mkdir()
    (second / 'v.h').write_text('#define VALUE 1\n')
    source = '#include <v.h>\n' + KERNEL.format('VALUE')
    mod = watched(file.save(source), include_dirs=[first, second])
    assert value(mod.k) == 1
    (first / 'v.h').write_text('#define VALUE 2\n')
    wait_for(mod.k, 2)


def test_code_that_does_not_compile_is_told_once_and_the_old_code_stays(device, file):
    mod = watched(file.save(KERNEL.format(1)))
    kernel = mod.k
    file.save(KERNEL.format('nothing'))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        for _ in range(5):
            assert value(kernel) == 1
            time.sleep(0.003)
    assert len(told) == 1
    assert 'nothing' in str(told[0].message)
    assert str(file.path.name) in str(told[0].message)
    assert 'nothing' in mod.last_error
    file.save(KERNEL.format(3))
    wait_for(kernel, 3)
    assert mod.last_error is None


def test_a_file_may_be_missing_for_a_moment(device, file):
    mod = watched(file.save(KERNEL.format(1)))
    kernel = mod.k
    file.path.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert value(kernel) == 1
        assert value(kernel) == 1
        file.save(KERNEL.format(2), 'write')
        wait_for(kernel, 2)


def test_a_file_that_stays_missing_is_told(device, file):
    mod = watched(file.save(KERNEL.format(1)))
    file.path.unlink()
    with pytest.raises(driver.Error, match='cannot be read'):
        mod.reload()
    assert 'cannot be read' in mod.last_error
    assert value(mod.k) == 1


def test_signature_attributes_and_variables_follow(device, file):
    mod = watched(file.save('__constant__ int c = 1;' + KERNEL.format('c')))
    kernel = mod.k
    assert mod.c.dtype == np.int32
    mod.globals['c'][...] = 7
    assert value(kernel) == 7
    new = '__constant__ float c[2] = {5, 6}; __global__ void more() {}'
    file.save(new + '__global__ void k(float *y, int n) { y[0] = c[1] + n; }')
    x = np.zeros(1, np.float32)
    assert mod.reload() or kernel.signature == 'k(float *, int)'
    kernel(InOut(x), 4, block=(1, 1, 1))
    assert x[0] == 10
    assert kernel.signature == 'k(float *, int)'
    assert kernel.max_threads_per_block > 0
    assert set(mod.module.kernel_names) == {'k', 'more'}
    assert mod.c.shape == (2,)
    assert 'more' in dir(mod)


def test_a_kernel_that_is_gone_is_an_error_that_lists_what_there_is(device, file):
    mod = watched(file.save(KERNEL.format(1)))
    kernel = mod.k
    file.save('__global__ void other() {}')
    mod.reload()
    with pytest.raises(driver.LogicError, match='other'):
        value(kernel)
    file.save(KERNEL.format(5))
    mod.reload()
    assert value(kernel) == 5


def test_templates_follow(device, file):
    text = 'template <class T> __global__ void k(T *x) {{ x[0] = {}; }}'
    mod = watched(file.save(text.format(1)))
    kernel = mod.get_function('k<int>')
    named = watched(file.path, name_expressions=['k<int>']).get_function('k<int>')
    assert value(kernel) == value(named) == 1
    file.save(text.format(2))
    wait_for(kernel, 2)
    wait_for(named, 2)


def test_reload_by_hand(device, file):
    mod = SourceModule.from_file(file.save(KERNEL.format(1)))
    assert not mod.reload()
    kernel = mod.get_function('k')
    file.save(KERNEL.format(2))
    assert value(kernel) == 1
    assert mod.reload()
    assert not mod.reload()
    assert value(kernel) == 2
    file.save('this is no CUDA')
    with pytest.raises(driver.Error, match=r'kernel\.cu'):
        mod.reload()
    assert value(kernel) == 2
    assert 'kernel.cu' in mod.last_error


def test_the_newest_code_pickles(device, file):
    mod = watched(file.save(KERNEL.format(1)))
    kernel = mod.k
    file.save(KERNEL.format(2))
    wait_for(kernel, 2)
    assert value(pickle.loads(pickle.dumps(mod)).k) == 2
    assert value(pickle.loads(pickle.dumps(kernel))) == 2


def test_a_source_in_latin_1_and_with_a_mark_is_no_reason_to_fail(device, file):
    for start in (b'// caf\xe9\n', b'\xef\xbb\xbf'):
        file.path.write_bytes(start + KERNEL.format(1).encode())
        mod = watched(file.path)
        assert value(mod.k) == 1
        file.path.write_bytes(start + KERNEL.format(2).encode())
        wait_for(mod.k, 2)


def test_only_what_comes_from_a_file_can_be_watched(device, tmp_path):
    mod = SourceModule(KERNEL.format(1))
    with pytest.raises(driver.ArgumentError, match='file'):
        mod.module.watch(0.1)
    with pytest.raises(driver.ArgumentError, match='file'):
        mod.reload()
    with pytest.raises(OSError, match='nothing'):
        SourceModule.from_file(tmp_path / 'nothing.cu', watch=True)
    with pytest.raises(TypeError):
        mod.module.watch('soon')
    with pytest.raises(ValueError, match='interval'):
        mod.module.watch(-1.0)
    assert mod.last_error is None


def test_an_interval_is_kept(device, file):
    mod = SourceModule.from_file(file.save(KERNEL.format(1)), watch=True, interval=1000)
    assert value(mod.k) == 1
    file.save(KERNEL.format(2))
    assert value(mod.k) in (1, 2)  # the first look may still come
    file.save(KERNEL.format(3))
    assert value(mod.k) == value(mod.k) != 3
    assert mod.reload()
    assert value(mod.k) == 3


def test_the_working_directory_does_not_matter(device, file, monkeypatch):
    file.save(KERNEL.format(1))
    monkeypatch.chdir(file.path.parent)
    mod = watched('kernel.cu')
    monkeypatch.chdir('/')
    file.save(KERNEL.format(2))
    wait_for(mod.k, 2)


def test_threads_launch_while_the_file_changes(device, file):
    mod = watched(file.save(KERNEL.format(100)))
    kernel = mod.k
    stop, wrong, context = threading.Event(), [], driver.Context.get_current()

    def run():
        context.push()
        last = 100
        try:
            while not stop.is_set():
                got = value(kernel)
                if got < 100:
                    wrong.append((last, got))
                last = got
        except Exception as e:  # noqa: BLE001 - whatever it is, the test tells
            wrong.append(e)
        finally:
            driver.Context.pop()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for t in threads:
        t.start()
    for i in range(101, 106):
        file.save(KERNEL.format(i))
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join()
    assert not wrong
    wait_for(kernel, 105)


def test_a_module_that_is_watched_ends_like_others(device_name, file):
    file.save(KERNEL.format(1))
    program = f"""
import gc, numpy as np, runcu
from runcu import SourceModule, InOut
mod = SourceModule.from_file({str(file.path)!r}, watch=True, interval=0)
k = mod.k
open({str(file.path)!r}, 'w').write({KERNEL.format(2)!r})
x = np.zeros(1, np.int32)
while x[0] != 2: k(InOut(x), block=(1, 1, 1))
del mod; gc.collect()
k(InOut(x), block=(1, 1, 1))
del k; gc.collect()
print('ended')
"""
    done = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, 'RUNCU_DEVICE': device_name},
    )
    assert done.stdout == 'ended\n', done.stderr


# --- contexts -------------------------------------------------------------------------------------

COUNTER = '__device__ int n; __global__ void k(int *x) { x[0] = ++n; }'


def test_a_lazy_module_serves_every_context(device):
    mod = SourceModule(COUNTER, lazy=True)
    kernel = mod.k
    assert [value(kernel), value(kernel)] == [1, 2]
    other = device.make_context()
    try:
        assert value(kernel) == 1  # variables of its own
        mod.globals['n'][...] = 40
        assert value(mod.get_function('k')) == 41
        x = driver.to_device(np.zeros(1, np.int32))
        mod.get_function('k').prepare('P').prepared_call((1, 1), (1, 1, 1), x)
        assert driver.from_device(x, 1, np.int32)[0] == 42
    finally:
        other.pop()
        other.detach()
    assert value(kernel) == 3
    assert mod.globals['n'][()] == 3


def test_other_modules_can_be_lazy_too(device):
    module = driver.module_from_buffer(compiler.compile(COUNTER, no_extern_c=True))
    module.follow_context()
    kernel = module.get_function('k')
    assert value(kernel) == 1
    other = device.make_context()
    try:
        assert value(kernel) == 1
    finally:
        other.pop()
        other.detach()
    foreign = driver.Module.from_handle(module.handle, owner=module)
    with pytest.raises(driver.Error, match='another library'):
        foreign.follow_context()


def test_a_lazy_module_can_be_watched(device, file):
    mod = watched(file.save(KERNEL.format(1)), lazy=True)
    kernel = mod.k
    other = device.make_context()
    try:
        assert value(kernel) == 1
        file.save(KERNEL.format(2))
        wait_for(kernel, 2)
    finally:
        other.pop()
        other.detach()
    assert value(kernel) == 2

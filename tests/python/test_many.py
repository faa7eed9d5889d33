"""Many sources at once, and in other threads."""

import concurrent.futures
import os

import numpy as np
import pytest
import runcu
from runcu import compiler
from runcu.compiler import CompileError, SourceModule, compile_async, compile_many

SOURCE = '__global__ void k(int *x) {{ x[0] = {} + x[1] * 0; }}'


def sources(count, seed):
    return [SOURCE.format(seed + i) for i in range(count)]


def result(mod):
    x = np.zeros(2, np.int32)
    mod.k(runcu.InOut(x), block=1)
    return x[0]


@pytest.mark.parametrize('parallel', [1, 3, 6])
def test_results_are_in_order(device, parallel, tmp_path):
    for _ in range(2):  # the second time from the cache
        mods = compile_many(sources(9, 100), parallel=parallel, cache_dir=tmp_path)
        assert [result(m) for m in mods] == list(range(100, 109))
        assert all(isinstance(m, SourceModule) for m in mods)


def test_the_worker_program_is_there():
    path = os.path.join(os.path.dirname(runcu.__file__), 'runcu-worker')
    assert os.access(path, os.X_OK)


def test_what_was_compiled_is_in_the_cache(device, tmp_path):
    compile_many(sources(6, 200), parallel=6, cache_dir=tmp_path)
    program = compiler.Program(sources(1, 203)[0], cache_dir=str(tmp_path), options=[])
    assert program.was_cached


def test_no_sources(device):
    assert compile_many([]) == []


def test_failures_name_their_source(device, tmp_path):
    texts = sources(7, 300)
    texts[4] = '__global__ void k(int *x) { x[0] = nothing; }'
    with pytest.raises(CompileError, match='"nothing" is undefined') as e:
        compile_many(texts, parallel=6, cache_dir=tmp_path)
    assert e.value.diagnostics[0].line == 1
    assert compiler.Program(texts[6], cache_dir=str(tmp_path), options=[]).was_cached


def test_each_source_has_arguments_of_its_own(device, tmp_path):
    text = '#include "own.h"\n__global__ void k(int *x) { x[0] = N + OWN; }'
    (tmp_path / 'own.h').write_text('#define OWN 10')
    items = [
        (text, {'include_dirs': [tmp_path]}),
        (text, {'headers': {'own.h': '#define OWN 20'}}),
        (text, {'headers': {'own.h': '#define OWN 20'}, 'options': ['-DN=2']}),
        '__global__ void k(int *x) { x[0] = N; }',
        ('__global__ void k(int *x) { x[0] = ONLY_HERE; }', {'options': ['-DONLY_HERE=5']}),
    ]
    for parallel in (1, 6):
        mods = compile_many(items, options=['-DN=1'], parallel=parallel, cache_dir=False)
        assert [result(m) for m in mods] == [11, 21, 22, 1, 5]
    mods = compile_many(
        [SOURCE.format('N'), (SOURCE.format('N'), {'define': {'N': 4}})], define='N=3'
    )
    assert [result(m) for m in mods] == [3, 4]
    generic = 'template <int N> __global__ void k(int *x) { x[0] = N; }'
    mods = compile_many([(generic, {'name_expressions': [f'k<{n}>']}) for n in range(3)])
    for n, mod in enumerate(mods):
        x = np.zeros(1, np.int32)
        mod.get_function(f'k<{n}>')(runcu.Out(x), block=1)
        assert x[0] == n


def test_a_cache_of_its_own(device, tmp_path):
    folders = [tmp_path / 'a', tmp_path / 'b']
    compile_many([(s, {'cache_dir': f}) for s, f in zip(sources(2, 800), folders, strict=True)])
    for text, folder in zip(sources(2, 800), folders, strict=True):
        assert compiler.Program(text, cache_dir=str(folder), options=[]).was_cached


@pytest.mark.parametrize(
    'own, words',
    [
        (['-w'], 'a dict of arguments, not list'),
        ({'options': '-w'}, 'options'),
        ({'optoins': []}, "did you mean 'options'"),
        ({'parallel': 2}, 'parallel is for all'),
        ({'headers': {'a.h': 5}}, 'headers'),
        ({5: 6}, 'unexpected keyword argument 5'),
    ],
)
def test_wrong_arguments_of_one_source(device, own, words):
    with pytest.raises(TypeError, match=words):
        compile_many([SOURCE.format(1), (SOURCE.format(2), own)])


@pytest.mark.parametrize('bad', [5, None, ['x'], [{}], [{'source': 5}], [{'source': '', 'x': 1}]])
def test_wrong_requests(bad):
    with pytest.raises(TypeError):
        runcu._core.compile_jobs(bad)


def test_progress(device, tmp_path, capsys):
    told = []
    compile_many(sources(5, 400), cache_dir=tmp_path, progress=lambda *n: told.append(n))
    assert told[-1] == (5, 5)
    assert all(0 <= done <= count == 5 for done, count in told)
    compile_many(sources(5, 500), cache_dir=tmp_path, progress=True)
    assert capsys.readouterr().out == ''

    def fail(done, count):
        raise RuntimeError('no more')

    with pytest.raises(RuntimeError, match='no more'):
        compile_many(sources(5, 600), cache_dir=tmp_path, progress=fail)


def test_wrong_arguments(device):
    for bad in (5, None):
        with pytest.raises(TypeError):
            compile_many(bad)
    with pytest.raises(TypeError):
        compile_many([None])
    with pytest.raises(TypeError, match='options'):
        compile_many([''] * 2, options='-w')
    with pytest.raises(ValueError, match='time_limit'):
        compile_many([''], time_limit=-1)


def test_in_another_thread(device):
    future = compile_async(SOURCE.format(7))
    assert isinstance(future, concurrent.futures.Future)
    assert result(future.result(60)) == 7
    with pytest.raises(CompileError, match='nothing'):
        compile_async('__global__ void k() { nothing; }').result(60)


def test_a_time_limit(device):
    if runcu._core.nvrtc_version() < (12, 8):
        pytest.skip('an NVRTC this old cannot be interrupted')
    text = ''.join(f'__global__ void k{i}(int *x) {{ x[0] = {i}; }}\n' for i in range(5000))
    with pytest.raises(TimeoutError, match='longer than 1 ms'):
        SourceModule(text, time_limit=0.001, cache_dir=False)


def test_an_interrupt_ends_compiling(python):
    done = python(
        """
        import os, signal, threading, time
        from runcu.compiler import Program
        text = ''.join(f'__global__ void k{i}(int *x) {{ x[0] = {i}; }}' for i in range(2000))
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        try:
            Program(text, arch='sm_80', no_cache=True)
        except KeyboardInterrupt:
            print('interrupted')
        """
    )
    assert done.stdout == 'interrupted\n'

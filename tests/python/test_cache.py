"""The folder of compiled programs, from Python and from the command line."""

import os
import subprocess
import sys
import textwrap

import pytest
from runcu import cache
from runcu import driver as drv
from runcu.__main__ import main
from runcu.compiler import Program

SOURCE = '__global__ void f(int *x) { *x = NUMBER; }'


def source(number):
    return SOURCE.replace('NUMBER', str(number))


def program(number, folder, **arguments):
    return Program(source(number), arch='compute_80', cache_dir=str(folder), **arguments)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's own folder."""
    monkeypatch.setenv('RUNCU_CACHE_DIR', str(tmp_path / 'own'))
    monkeypatch.delenv('RUNCU_CACHE_SHARED', raising=False)
    monkeypatch.delenv('RUNCU_CACHE_SIZE', raising=False)
    return tmp_path / 'own'


def in_new_process(code, **environment):
    done = subprocess.run([sys.executable, '-c', textwrap.dedent(code)], capture_output=True,
                          text=True, env={**os.environ, **environment}, timeout=120)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_info(own):
    empty = cache.info()
    assert empty.dir == str(own)
    assert empty.shared_dir == ''
    assert empty.is_writable is True
    assert (empty.entries, empty.bytes, empty.hits, empty.misses) == (0, 0, 0, 0)
    assert empty.limit == 1 << 30
    for number in (1, 2):
        assert not program(number, own).was_cached
    found = cache.info()
    assert (found.entries, found.misses, found.hits) == (2, 2, 0)
    assert found.bytes == sum(p.stat().st_size for p in own.glob('*.rcu'))
    hit = f'''
        from runcu.compiler import Program
        p = Program({source(1)!r}, arch='compute_80', cache_dir={str(own)!r})
        print(p.was_cached)
        '''
    assert in_new_process(hit) == 'True'
    assert cache.info().hits == 1
    assert cache.info(own) == cache.info(str(own)) == cache.info()


def test_the_limit_is_the_environments(own, monkeypatch):
    monkeypatch.setenv('RUNCU_CACHE_SIZE', '3M')
    assert cache.info().limit == 3 << 20


def test_the_folder_of_pycuda(tmp_path, monkeypatch):
    monkeypatch.delenv('RUNCU_CACHE_DIR', raising=False)
    monkeypatch.setenv('PYCUDA_CACHE_DIR', str(tmp_path / 'pycuda'))
    assert cache.info().dir == str(tmp_path / 'pycuda')


def test_clear(own):
    for number in range(3):
        program(number, own)
    assert program(0, own).was_cached
    (own / 'notes.txt').write_text('mine')
    assert cache.clear() == 3
    assert cache.info().entries == 0
    assert (own / 'notes.txt').exists()
    assert not program(0, own).was_cached
    assert cache.clear(own.with_name('never there')) == 0


def test_export_and_import(own, tmp_path):
    programs = [program(number, own) for number in range(3)]
    assert cache.export_file(tmp_path / 'all') == 3
    elsewhere = tmp_path / 'elsewhere'
    assert cache.import_file(tmp_path / 'all', elsewhere) == (3, 0, 0)
    assert cache.import_file(tmp_path / 'all', elsewhere) == cache.Imported(0, 3, 0)
    for number, first in enumerate(programs):
        again = program(number, elsewhere)
        assert again.was_cached
        assert again.ptx == first.ptx
    whole = (tmp_path / 'all').read_bytes()
    (tmp_path / 'all').write_bytes(whole[:-100])
    done = cache.import_file(tmp_path / 'all', tmp_path / 'third')
    assert (done.added, done.damaged) == (2, 1)


def test_files_that_cannot_be(own, tmp_path):
    with pytest.raises(drv.RuntimeError, match='No such file'):
        cache.import_file(tmp_path / 'nowhere')
    (tmp_path / 'text').write_text('not a cache')
    with pytest.raises(drv.LogicError, match='is no exported cache'):
        cache.import_file(tmp_path / 'text')
    with pytest.raises(drv.RuntimeError, match='No such file'):
        cache.export_file(tmp_path / 'no' / 'where')
    for wrong in (1, None, ['x']):
        with pytest.raises(TypeError):
            cache.export_file(wrong)
    with pytest.raises(TypeError):
        cache.info(1)
    with pytest.raises(ValueError, match='null'):
        cache.info('a\0b')


def test_a_second_folder(own, tmp_path, monkeypatch):
    team = tmp_path / 'team'
    program(1, team)
    before = {p.name: p.read_bytes() for p in team.iterdir()}
    assert program(1, own, shared_cache_dir=str(team)).was_cached
    assert not program(2, own, shared_cache_dir=str(team)).was_cached
    monkeypatch.setenv('RUNCU_CACHE_SHARED', str(team))
    assert cache.info().shared_dir == str(team)
    assert cache.info().shared_hits == 1
    assert {p.name: p.read_bytes() for p in team.iterdir()} == before


def test_several_architectures_are_one_entry(own):
    archs = ['sm_80', 'sm_90', 'compute_80']
    for was_cached in (False, True):
        for arch in archs:
            made = Program(source(9), arch=arch, no_device=True)
            assert made.was_cached is was_cached
            assert f'.target sm_{arch[-2:]}'.encode() in made.ptx
            assert (made.cubin is not None) is arch.startswith('sm')
    assert cache.info().entries == 1


def test_keep_has_all_there_is(own, tmp_path):
    for _ in range(2):  # compiled, and from the cache
        made = Program(source(4), arch='sm_80', no_device=True, name='mine.cu',
                       keep_dir=str(tmp_path / 'kept'))
        kept = {p.name: p.read_bytes() for p in (tmp_path / 'kept').iterdir()}
        assert kept == {'mine.cu': source(4).encode(), 'mine.ptx': made.ptx,
                        'mine.cubin': made.cubin, 'mine.log': made.log.encode()}
        for path in (tmp_path / 'kept').iterdir():
            path.unlink()
    wrong = Program('__global__ void f() { nonsense; }', arch='sm_80', no_device=True,
                    keep_dir=str(tmp_path / 'kept'))
    assert not wrong.succeeded
    assert 'nonsense' in (tmp_path / 'kept' / 'kernel.cu').read_text()
    assert 'nonsense' in (tmp_path / 'kept' / 'kernel.log').read_text()


# --- the command -------------------------------------------------------------------------------


def test_command_info(own, capsys, monkeypatch):
    program(1, own)
    assert main(['cache', 'info']) == 0
    said = capsys.readouterr().out
    assert f'folder        {own}\n' in said
    assert 'entries       1, ' in said
    assert 'found         0 of 1 (0 %)' in said
    assert main(['cache', 'info', '--dir', str(own / 'none')]) == 0
    assert 'entries       0, 0 bytes of 1.0 GiB' in capsys.readouterr().out
    for name in ('RUNCU_CACHE_DIR', 'XDG_CACHE_HOME', 'HOME', 'PYCUDA_CACHE_DIR'):
        monkeypatch.delenv(name, raising=False)
    assert main(['cache', 'info']) == 0
    assert 'none: neither' in capsys.readouterr().out
    assert main(['cache', 'clear']) == 1
    assert 'there is no cache folder' in capsys.readouterr().err


def test_command_carries_and_clears(own, tmp_path, capsys):
    for number in range(2):
        program(number, own)
    file, folder = str(tmp_path / 'all'), str(tmp_path / 'other')
    assert main(['cache', 'export', file]) == 0
    assert capsys.readouterr().out == f'{file}: 2 entries\n'
    assert main(['cache', 'import', file, '--dir', folder]) == 0
    assert capsys.readouterr().out == '2 entries taken over, 0 known already\n'
    assert program(0, folder).was_cached
    assert main(['cache', 'clear', '--dir', folder]) == 0
    assert capsys.readouterr().out == '2 entries removed\n'
    (tmp_path / 'all').write_bytes((tmp_path / 'all').read_bytes()[:-9])
    assert main(['cache', 'import', file, '--dir', folder]) == 1
    assert '1 damaged: left out' in capsys.readouterr().out


@pytest.mark.parametrize('words', [[], ['nonsense'], ['export'], ['import'], ['info', 'x']])
def test_command_that_is_none(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(['cache', *words])
    assert ended.value.code == 2
    assert 'usage: runcu cache' in capsys.readouterr().err


def test_command_on_what_cannot_be(own, tmp_path, capsys):
    assert main(['cache', 'import', str(tmp_path / 'none')]) == 1
    assert 'No such file' in capsys.readouterr().err
    assert main(['cache', 'export', str(tmp_path / 'no' / 'where')]) == 1
    assert 'No such file' in capsys.readouterr().err

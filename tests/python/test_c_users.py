"""The C library as its users take it: pkg-config, CMake, a Meson subproject; shared and static."""

import os
import re
import shutil

import pytest
import runcu
from c_programs import ROOT, WARNINGS, build_and_run, install, needed, outside, run, run_program
from conftest import DEVICES

pytestmark = pytest.mark.slow
FOLDER = ROOT / 'examples' / 'c'
EXAMPLES = sorted(path.name for path in FOLDER.glob('*.c*'))
C_EXAMPLES = [name for name in EXAMPLES if name.endswith('.c')]


@pytest.fixture(scope='module')
def installed():
    return install()


@pytest.fixture(scope='module', params=['installed', 'moved'])
def prefix(request, installed, tmp_path_factory):
    """Where it was installed, and another place to which the whole was moved afterwards."""
    if request.param == 'installed':
        return installed
    return installed.moved(tmp_path_factory.mktemp('moved') / 'prefix')


def needs_shared(program):
    return 'libruncu.so' in run('readelf', '-d', program)


def check(folder, prefix, static):
    """All examples that were built in `folder` run; those that are static without the library."""
    place = {'LD_LIBRARY_PATH': str(prefix.lib)} if prefix and not static else {}
    for name in EXAMPLES:
        program = folder / name.replace('.', '_')
        assert needs_shared(program) != static
        assert run_program(program, folder, **place)


def test_there_are_examples_of_every_kind():
    assert set(EXAMPLES) >= {'saxpy.c', 'errors.c', 'headers.c', 'threads.c', 'reduction.c',
                             'graph.c', 'saxpy.cpp'}
    for project in ('meson.build', 'CMakeLists.txt'):
        text = (FOLDER / project).read_text()
        assert sorted(re.findall(r'\b\w+\.c(?:pp)?\b', text)) == EXAMPLES, project


def command_of(name):
    """The command that an example's first comment gives."""
    comment = re.match(r'/\*.*?\*/|(?://[^\n]*\n)+', (FOLDER / name).read_text(), re.DOTALL).group()
    words = ' '.join(re.sub(r'^(//| \*/?)', '', line) for line in comment.split('\n')).split()
    command = ' '.join(words).split('Build: ')[1].removesuffix('*/').strip()
    assert re.fullmatch(rf'(cc|c\+\+)( -pthread)? {re.escape(name)} '
                        r'\$\(pkg-config --cflags --libs runcu\)', command), command
    return command


@pytest.mark.parametrize('static', [False, True], ids=['shared', 'static'])
@pytest.mark.parametrize('name', EXAMPLES)
def test_the_command_in_the_comment(prefix, tmp_path, name, static):
    needed('cc', 'c++', 'readelf')
    shutil.copy(FOLDER / name, tmp_path)
    command = command_of(name).replace(' ', f' {" ".join(WARNINGS)} ', 1)
    if static:
        command = command.replace('pkg-config', 'pkg-config --static')
    run('sh', '-c', command, cwd=tmp_path, env=prefix.environment())
    program = tmp_path / 'a.out'
    assert needs_shared(program) != static
    place = {} if static else {'LD_LIBRARY_PATH': str(prefix.lib)}
    for device in DEVICES:
        assert run_program(program, tmp_path, device, **place)


@pytest.mark.parametrize('name', C_EXAMPLES)
def test_examples_are_cxx_too(installed, tmp_path, name):
    shutil.copy(FOLDER / name, tmp_path)
    assert build_and_run(installed, tmp_path / name, 'c++')


def test_mistakes_are_all_told(installed, tmp_path):
    shutil.copy(FOLDER / 'errors.c', tmp_path)
    text = build_and_run(installed, tmp_path / 'errors.c')
    for words in ('identifier "y" is undefined', '--make-it-fast', 'There is no kernel "shfit"',
                  'fits 2 kernels', 'takes 4 arguments, and 3 were given', 'a float32 was given',
                  '1099511627776 does not fit', 'the object has been freed',
                  "3072 over the device's limit", '144 too many', 'Device 7',
                  "kernel 'shift', block (0,0,0), thread (0,0,0)", 'kernel.cu:5'):
        assert words in text


@pytest.mark.parametrize('static', [False, True], ids=['shared', 'static'])
def test_cmake(prefix, tmp_path, static):
    needed('cmake', 'ninja', 'c++', 'readelf')
    run('cmake', '-G', 'Ninja', '-S', FOLDER, '-B', tmp_path / 'build',
        f'-DSTATIC={"ON" if static else "OFF"}',
        f'-DCMAKE_PREFIX_PATH={prefix.folder}', env=outside())
    run('cmake', '--build', tmp_path / 'build', env=outside())
    # CMake notes where the shared library was found: no LD_LIBRARY_PATH.
    check(tmp_path / 'build', None, static)


@pytest.mark.parametrize('asked, found', [
    ('', True), ('0.1', True), ('0.1.0 EXACT', True), ('0', True), ('0.1.99', False),
    ('0.2', False), ('0.0.1', False), ('1', False)])
def test_cmake_versions(installed, tmp_path, asked, found):
    needed('cmake', 'ninja')
    (tmp_path / 'CMakeLists.txt').write_text(
        'cmake_minimum_required(VERSION 3.13)\nproject(p C)\n'
        f'find_package(runcu {asked} QUIET)\n'
        'message(STATUS "runcu: [${runcu_FOUND}] [${runcu_VERSION}]")\n')
    text = run('cmake', '-G', 'Ninja', '-S', tmp_path, '-B', tmp_path / 'build',
               f'-DCMAKE_PREFIX_PATH={installed.folder}', env=outside())
    assert f'runcu: [{int(found)}]' in text
    assert not found or f'[{runcu.__version__}]' in text


@pytest.mark.parametrize('static', [False, True], ids=['shared', 'static'])
def test_cmake_by_pkg_config(prefix, tmp_path, static):
    needed('cmake', 'ninja', 'readelf')
    shutil.copy(FOLDER / 'saxpy.c', tmp_path)
    flags = '${RUNCU_STATIC_LDFLAGS}' if static else 'PkgConfig::RUNCU'
    (tmp_path / 'CMakeLists.txt').write_text(
        'cmake_minimum_required(VERSION 3.13)\nproject(p C)\nfind_package(PkgConfig REQUIRED)\n'
        'pkg_check_modules(RUNCU REQUIRED IMPORTED_TARGET runcu)\n'
        'add_executable(saxpy saxpy.c)\n'
        'target_include_directories(saxpy PRIVATE ${RUNCU_INCLUDE_DIRS})\n'
        f'target_link_libraries(saxpy PRIVATE {flags})\n')
    run('cmake', '-G', 'Ninja', '-S', tmp_path, '-B', tmp_path / 'build', env=prefix.environment())
    run('cmake', '--build', tmp_path / 'build', env=outside())
    assert needs_shared(tmp_path / 'build' / 'saxpy') != static
    assert run_program(tmp_path / 'build' / 'saxpy', tmp_path) == '12 24 36 48\n'


def test_cmake_finds_it_through_a_link(installed, tmp_path):
    needed('cmake', 'ninja')
    moved = installed.moved(tmp_path / 'usr')
    (tmp_path / moved.libdir.split('/')[0]).symlink_to(moved.folder / moved.libdir.split('/')[0])
    (tmp_path / 'CMakeLists.txt').write_text(
        'cmake_minimum_required(VERSION 3.13)\nproject(p C)\nfind_package(runcu REQUIRED)\n'
        'get_target_property(place runcu::runcu IMPORTED_LOCATION)\n'
        'message(STATUS "in ${place}")\n')
    text = run('cmake', '-G', 'Ninja', '-S', tmp_path, '-B', tmp_path / 'build',
               f'-DCMAKE_PREFIX_PATH={tmp_path}', env=outside())
    assert f'in {os.path.realpath(moved.lib)}/libruncu.so' in text


def test_cmake_says_what_is_missing(installed, tmp_path):
    needed('cmake', 'ninja')
    broken = installed.moved(tmp_path / 'broken')
    (broken.folder / 'include' / 'runcu' / 'runcu.h').unlink()
    (tmp_path / 'CMakeLists.txt').write_text(
        'cmake_minimum_required(VERSION 3.13)\nproject(p C)\nfind_package(runcu)\n')
    text = run('sh', '-c', 'exec cmake "$@" 2>&1', 'sh', '-G', 'Ninja', '-S', tmp_path,
               '-B', tmp_path / 'build', f'-DCMAKE_PREFIX_PATH={broken.folder}', env=outside())
    text = ' '.join(text.split())
    assert 'runcu was not installed whole' in text and 'runcu.h' in text


@pytest.mark.parametrize('static', [False, True], ids=['shared', 'static'])
def test_meson_with_an_installed_library(prefix, tmp_path, static):
    needed('meson', 'ninja', 'c++', 'readelf')
    run('meson', 'setup', tmp_path / 'build', FOLDER, '--wrap-mode=nofallback',
        f'-Dprefer_static={"true" if static else "false"}', env=prefix.environment())
    run('ninja', '-C', tmp_path / 'build', env=prefix.environment())
    check(tmp_path / 'build', prefix, static)


@pytest.mark.parametrize('static', [False, True], ids=['shared', 'static'])
def test_meson_subproject(subproject, static):
    needed('readelf')
    check(subproject(static), None, static)


@pytest.fixture(scope='module')
def subproject(tmp_path_factory):
    """Builds the examples with runcu as a subproject, Python left out by itself."""
    needed('meson', 'ninja', 'git', 'c++')
    top = tmp_path_factory.mktemp('project')
    shutil.copytree(FOLDER, top, dirs_exist_ok=True)
    wrap = (ROOT / 'packaging' / 'runcu.wrap').read_text()
    (top / 'subprojects').mkdir()
    (top / 'subprojects' / 'runcu').symlink_to(ROOT)
    (top / 'subprojects' / 'runcu.wrap').write_text(wrap)
    build = top / 'build'
    environment = outside(PKG_CONFIG_PATH='', PKG_CONFIG_LIBDIR=str(top))

    def built(static):
        choice = f'-Dprefer_static={"true" if static else "false"}'
        if not build.exists():
            run('meson', 'setup', build, top, choice, '-Doptimization=0', env=environment)
        else:
            run('meson', 'configure', build, choice, env=environment)
        run('ninja', '-C', build, *(name.replace('.', '_') for name in EXAMPLES), env=environment)
        return build

    return built


def test_installed_library_stands_alone(prefix):
    assert (prefix.folder / 'include' / 'runcu' / 'runcu.h').exists()
    assert (prefix.lib / 'libruncu-cpu.so').exists()
    for name in ('libruncu.so', 'libruncu-cpu.so'):
        text = run('readelf', '-d', prefix.lib / name)
        assert 'RUNPATH' not in text and 'RPATH' not in text, text
    assert prefix.flags('--modversion') == [runcu.__version__]


def test_moved_prefix_names_itself_alone(installed, tmp_path):
    moved = installed.moved(tmp_path / 'moved')
    for word in moved.flags('--static', '--cflags', '--libs'):
        if word[:2] in ('-I', '-L'):
            assert os.path.realpath(word[2:]).startswith(str(tmp_path)), word
    for path in (*(moved.lib / 'pkgconfig').iterdir(), *(moved.lib / 'cmake').rglob('*.cmake')):
        assert str(installed.folder) not in path.read_text()


MANY = """
#include <runcu/program.h>
#include <stdio.h>

int main(void)
{
    enum { COUNT = 12 };
    static char sources[COUNT][64];
    runcu_program_params params = {.size = sizeof params, .no_cache = 1};
    runcu_program_job jobs[COUNT] = {{0}};
    runcu_program_jobs_params how = {.size = sizeof how, .parallel = 6};
    for (int i = 0; i < COUNT; i++) {
        snprintf(sources[i], sizeof sources[i], "__global__ void f%d(int *x) { *x = %d; }", i, i);
        jobs[i].source = sources[i];
        jobs[i].params = &params;
    }
    int failed = runcu_program_compile_jobs(jobs, COUNT, &how);
    printf("%s", failed ? runcu_error_text() : "compiled");
    runcu_program_jobs_fini(jobs, COUNT);
    return failed != 0;
}
"""


def test_worker_is_found_beside_a_moved_library(installed, tmp_path):
    moved = installed.moved(tmp_path / 'moved')
    worker = moved.folder / 'libexec' / 'runcu' / 'runcu-worker'
    if not worker.exists():
        pytest.skip('the programs are not in libexec')
    real = worker.rename(worker.with_name('real'))
    worker.write_text(f'#!/bin/sh\necho started >>{tmp_path}/started\nexec {real}\n')
    worker.chmod(0o755)
    (tmp_path / 'many.c').write_text(MANY)
    assert build_and_run(moved, tmp_path / 'many.c') == 'compiled'
    assert (tmp_path / 'started').read_text().count('started') >= 1

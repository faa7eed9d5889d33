"""Words and directives that do not belong into the tree."""

import re

from sources import code, complain, files, text, without_comments

EVERYTHING = ['.c', '.h', '.def', '.py', '.pyi', '.sh', '.md', '.cu', '.cuh', '.toml', '.build']
# __cxa_demangle answers with memory that only free() takes back.
C_PLUS_PLUS = 'src/core/demangle.c'
LEFT_OVER = re.compile(r'\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b')
HOME = re.compile(r'(?<![\w./-])/(work|home|root|opt|Users)/[\w.-]+')


def lines(path, pattern, read=text):
    return [f'{path}:{number}: {line.strip()[:90]}'
            for number, line in enumerate(read(path).split('\n'), 1) if pattern.search(line)]


def test_nothing_is_left_over():
    faults = [line for path in files(*EVERYTHING) if path.parts[:2] != ('tests', 'lint')
              for line in lines(path, LEFT_OVER)]
    complain(faults, 'finish it, or leave it out:')


def test_no_machine_paths():
    known = re.compile(r'/opt/(cuda|conda)\b')
    faults = [line for path in files(*EVERYTHING) if path.parts[:2] != ('tests', 'lint')
              for line in lines(path, HOME) if not known.search(line)]
    complain(faults, 'a path of one machine:')


def test_no_extern_in_c():
    pattern = re.compile(r'^\s*extern\b')
    faults = [line for path in files('.c', under=['src/', 'pymodule/'])
              for line in lines(path, pattern, code)]
    complain(faults, 'a declaration stands in a header:')


def test_no_if_by_cuda_version():
    pattern = re.compile(r'^\s*#\s*(if|elif|ifdef|ifndef)\b.*(CUDA_VERSION|CUDART|NVRTC_VERSION)')
    faults = [line for path in files('.c', '.h', '.def', under=['src/', 'pymodule/', 'include/'])
              for line in lines(path, pattern, code)]
    complain(faults, 'what a driver has, a row of cuda.def says:')


def test_attributes_only_through_macros():
    pattern = re.compile(r'__attribute__|__asm__|\basm\s*\(|\btypeof\b|__extension__')
    homes = {'src/base/base.h', 'include/runcu/base.h'}
    faults = [line for path in files('.c', '.h', '.def', under=['src/', 'pymodule/', 'include/'])
              if str(path) not in homes for line in lines(path, pattern, code)]
    complain(faults, 'what only some compilers know is a macro of base/base.h:')


def test_allocation_can_fail():
    pattern = re.compile(r'(?<![\w.>])(malloc|calloc|realloc|strdup|strndup|free)\s*\(')
    faults = [line for path in files('.c', '.h', under=['src/'])
              if not str(path).startswith('src/base/alloc') for line in lines(path, pattern, code)
              if not line.startswith(C_PLUS_PLUS)]
    complain(faults, 'base/alloc.h allocates, so that a test can make it fail:')


def test_no_unbounded_string_functions():
    pattern = re.compile(r'(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca)\s*\(')
    faults = [line for path in files('.c', '.h', under=['src/', 'pymodule/', 'include/'])
              for line in lines(path, pattern, code)]
    complain(faults, 'they write past the end, or share state:')


def test_the_library_writes_nothing():
    pattern = re.compile(r'(?<![\w.>])(printf|puts|putchar|perror|abort|exit|_exit)\s*\(')
    faults = [line for path in files('.c', '.h', under=['src/'])
              for line in lines(path, pattern, code)]
    complain(faults, 'messages go through the log, and nothing ends the process:')


def test_no_locale_and_no_signals():
    pattern = re.compile(r'(?<![\w.>])(setlocale|signal|sigaction|fork|system|popen)\s*\(')
    faults = [line for path in files('.c', '.h', under=['src/'])
              for line in lines(path, pattern, without_comments)]
    complain(faults, 'a library leaves its process as it was:')

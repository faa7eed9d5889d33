"""CUDA C++ source text to kernels, by NVRTC: no toolkit, no host compiler.

Its shape is that of `pycuda.compiler`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _core, _module
from ._core import Bundle, Diagnostic, Program, Step
from ._errors import CompileError, CompileWarning, LogicError
from ._options import CompilerOptions, spell

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Unpack

    from ._explain import Explanation

__all__ = [
    'DEFAULT_NVCC_FLAGS',
    'Bundle',
    'CompileError',
    'CompileWarning',
    'CompilerOptions',
    'CudaModule',
    'Diagnostic',
    'DynamicModule',
    'DynamicSourceModule',
    'Program',
    'SourceModule',
    'Step',
    'compile',
    'compile_async',
    'compile_bundle',
    'compile_many',
    'compile_plain',
    'explain',
]


def _default_flags() -> list[str]:
    for name in ('RUNCU_DEFAULT_NVCC_FLAGS', 'PYCUDA_DEFAULT_NVCC_FLAGS'):
        if name in os.environ:
            return os.environ[name].split()
    return []


#: Used where `options` is None; from the environment.
DEFAULT_NVCC_FLAGS = _default_flags()


def _tell_places() -> None:
    """In which of Python's folders NVRTC may have been installed, and where our worker lies."""
    _core.nvrtc_search([p for p in sys.path if p and os.path.isdir(os.path.join(p, 'nvidia'))])
    _core.worker_path(os.path.join(os.path.dirname(__file__), 'runcu-worker'))


_tell_places()

_TEMPLATE = """\
kernels are CUDA C++ source text, not Python functions. In place of {name}:
    mod = SourceModule('''__global__ void {name}({parameters}) {{
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        /* one element here: if (i < n) ... */ }}'''); mod.{name}[n](...)"""


def _explain_function(function: Any) -> TypeError:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount] or ('x', 'n')
    parameters = ', '.join(f'int {n}' if n == 'n' else f'float *{n}' for n in names)
    name = function.__name__ if function.__name__.isidentifier() else 'kernel'
    return TypeError(_TEMPLATE.format(name=name, parameters=parameters))


def _decode(source: bytes | bytearray) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as e:
        line = source.count(b'\n', 0, e.start) + 1
        raise ValueError(
            f'line {line} of the source is not UTF-8: byte 0x{source[e.start]:02x}'
            ' (source.decode("latin-1") makes a str of any bytes)'
        ) from None


def _text_of(source: Any) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, (bytes, bytearray)):
        return _decode(source)
    if hasattr(source, '__code__'):
        raise _explain_function(source)
    if hasattr(source, '__fspath__'):
        raise TypeError(f'a source text is expected, not a path: open({str(source)!r}).read()')
    if type(source).__str__ in (object.__str__, int.__str__) or source is None:
        raise TypeError(f'the source must be a str, not {type(source).__name__}')
    return str(source)  # a generator of code, such as those of cgen


def _cache_options(cache_dir: Any) -> dict[str, Any]:
    env = os.environb  # asked in half the time of os.environ
    if cache_dir is False or b'PYCUDA_DISABLE_CACHE' in env:
        return {'no_cache': True}
    if cache_dir is None and b'PYCUDA_CACHE_DIR' in env and b'RUNCU_CACHE_DIR' not in env:
        cache_dir = os.environ['PYCUDA_CACHE_DIR']
    return {'cache_dir': None if cache_dir is None else os.fspath(cache_dir)}


def _level() -> int:
    """How far up the first frame outside this file is, for the place of warnings."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame, level = frame.f_back, level + 1
    return level


def _fail(program: Program, name: str) -> CompileError:
    command = ['nvrtc', *program.options.splitlines()]
    error = CompileError(
        f'NVRTC compilation of {name} failed',
        command,
        stderr=program.log,
        diagnostics=program.diagnostics,
        report='\n'.join(filter(None, (program.report.rstrip(), program.advice))),
        html=program.format('html'),
    )
    return error


def _is_debugging() -> bool:
    driver = sys.modules.get(f'{__package__}.driver')  # which has names of this module
    return driver is not None and driver.CUDA_DEBUGGING


def _options(options: Iterable[str] | None) -> list[str]:
    if isinstance(options, str):
        raise TypeError('options must be a list of str, not a str')
    return list(DEFAULT_NVCC_FLAGS if options is None else options)


def _folders(include_dirs: Iterable[Any] | None) -> list[str]:
    if isinstance(include_dirs, str):
        raise TypeError('include_dirs must be a list of folders, not a str')
    return [os.fspath(d) for d in include_dirs or ()]


def _request(
    source: Any,
    *,
    options: Iterable[str] | None,
    cache_dir: Any,
    include_dirs: Iterable[Any] | None,
    code: str | None = None,
    keywords: Iterable[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """Keyword arguments of Program."""
    options = [*_options(options), *keywords]
    if code is not None:
        options += ['-code', code]
    if _is_debugging():
        cache_dir = False
        options += ['-g', '-G']
    return {
        'source': _text_of(source),
        'options': options,
        'include_dirs': _folders(include_dirs),
        **_cache_options(cache_dir),
        **more,
    }


def _compile(
    source: Any,
    options: Iterable[str] | None,
    keep: bool,
    arch: str | None,
    code: str | None,
    cache_dir: Any,
    include_dirs: Iterable[Any] | None,
    **more: Any,
) -> Program:
    if keep or _is_debugging():
        import tempfile

        more['keep_dir'] = tempfile.mkdtemp(prefix='runcu-')
        print(f'*** compiler output in {more["keep_dir"]}')
    program = Program(
        **_request(
            source,
            options=options,
            code=code,
            cache_dir=cache_dir,
            include_dirs=include_dirs,
            arch=arch,
            **more,
        )
    )
    return _checked(program, more.get('name') or 'kernel.cu')


def _checked(program: Program, name: str) -> Program:
    if not program.succeeded:
        raise _fail(program, name)
    if not program.was_cached and program.log.strip():
        _warn(program)
    return program


def _warn(program: Program) -> None:
    """Warns at the lines of the source, where its files can be shown, else at the caller's."""
    found = [d for d in program.diagnostics if d.severity == 'warning']
    if found and all(d.line and os.path.isfile(d.file) for d in found):
        for d in found:
            code = f' [{d.code}]' if d.code else ''
            warnings.warn_explicit(f'{d.text}{code}', CompileWarning, d.file, d.line)
        return
    warnings.warn(
        f'The CUDA compiler succeeded, but said the following:\n{program.log}',
        CompileWarning,
        stacklevel=_level(),
    )


def _digits(arch: str) -> int:
    return int(''.join(c for c in arch.partition('_')[2] if c.isdigit()) or 0)


def _check_arch(arch: str | None) -> None:
    """Warns if code for `arch` cannot run on the current device."""
    if arch is None:
        return
    major, minor = _core.Context.get_device().compute_capability()
    if _digits(arch) > 10 * major + minor:
        warnings.warn(
            'trying to compile for a compute capability higher than selected GPU',
            stacklevel=_level(),
        )


def compile(
    source: Any,
    nvcc: str = 'nvcc',
    options: Iterable[str] | None = None,
    keep: bool = False,
    no_extern_c: bool = False,
    arch: str | None = None,
    code: str | None = None,
    cache_dir: Any = None,
    include_dirs: Iterable[Any] | None = None,
    target: str = 'cubin',
    *,
    headers: dict[str, str] | None = None,
    **keywords: Unpack[CompilerOptions],
) -> bytes:
    """Compiles to bytes for `module_from_buffer`, or for others to load.

    Unlike `SourceModule` it wraps the source in ``extern "C" { ... }`` unless `no_extern_c` is
    true, so that the names in the result are those in the source.

    Parameters
    ----------
    target : {'cubin', 'ptx', 'ltoir'}
        Machine code or PTX; for a device without machine code (the CPU device) both give PTX. Or
        code for link-time optimisation (``-dlto``): `driver.jit_input_type.NVVM` to a linker.
    source, options, keep, arch, code, cache_dir, include_dirs, headers, **keywords
        As for `SourceModule`.

    Returns
    -------
    bytes

    Raises
    ------
    CompileError
        The source does not compile.
    """
    if target not in ('cubin', 'ptx', 'ltoir'):
        raise ValueError(
            f"target must be 'cubin', 'ptx' or 'ltoir', not {target!r}: NVRTC makes no others"
        )
    if target == 'ltoir':
        options = [*_options(options), '-dlto']
    program = _compile(
        source,
        options,
        keep,
        arch,
        code,
        cache_dir,
        include_dirs,
        extern_c=not no_extern_c,
        headers=headers,
        keywords=spell(compile, keywords),
    )
    if program.ltoir and target != 'ltoir':
        raise ValueError("-dlto makes code for a linker: target='ltoir', or a DynamicModule")
    return (program.cubin if target == 'cubin' else program.ltoir) or program.ptx or b''


def compile_plain(
    source: Any,
    options: Iterable[str] | None = None,
    keep: bool = False,
    nvcc: str = 'nvcc',
    cache_dir: Any = None,
    target: str = 'cubin',
) -> bytes:
    """Compiles a source as it stands; as `compile` with `no_extern_c`."""
    return compile(
        source, options=options, keep=keep, no_extern_c=True, cache_dir=cache_dir, target=target
    )


def compile_bundle(
    source: Any,
    archs: Iterable[str],
    *,
    options: Iterable[str] | None = None,
    include_dirs: Iterable[Any] | None = None,
    name: str | None = None,
    name_expressions: Iterable[str] | None = None,
    headers: dict[str, str] | None = None,
    cache_dir: Any = None,
    **keywords: Unpack[CompilerOptions],
) -> Bundle:
    """Compiles a source for several architectures into one bundle, which loads without NVRTC.

    >>> bundle = compile_bundle('__global__ void twice(int *x) { x[threadIdx.x] *= 2; }',
    ...                         ['compute_75', 'sm_90'])
    >>> mod = bundle.load()

    Parameters
    ----------
    archs : iterable of str
        "sm_90" gives a cubin and PTX, "compute_75" PTX alone. A device is given the cubin of its
        architecture, else the highest one below it of the same generation, else PTX of the highest
        architecture that it runs; so "compute_75" is for every device, the CPU device among them.
    name : str, optional
        Of the source, in messages. One with a slash is a file's: headers beside it are found.
    name_expressions : iterable of str, optional
        Instances of templates to be inside: "axpy<float>".
    source, options, include_dirs, headers, cache_dir, **keywords
        As for `SourceModule`.

    Raises
    ------
    CompileError
        The source does not compile, for one of them.
    """
    if isinstance(archs, str):
        raise TypeError('archs must be a list of str, not a str')
    shared = _request(
        source,
        options=options,
        include_dirs=include_dirs,
        name=name,
        name_expressions=name_expressions,
        headers=headers,
        cache_dir=cache_dir,
        keywords=spell(compile_bundle, keywords),
        no_device=True,
    )
    programs = _core.compile_jobs([{**shared, 'arch': arch} for arch in archs])
    return Bundle([_checked(p, name or 'kernel.cu') for p in programs])


def explain(
    source: Any,
    *,
    arch: str | None = None,
    options: Iterable[str] | None = None,
    include_dirs: Iterable[Any] | None = None,
    name: str | None = None,
    name_expressions: Iterable[str] | None = None,
    headers: dict[str, str] | None = None,
    cache_dir: Any = None,
    **keywords: Unpack[CompilerOptions],
) -> Explanation:
    """What the kernels of a source take: registers, memory, spills, occupancy, PTX beside source.

    No GPU is needed. As text the result is a report.

    >>> print(explain('__global__ void twice(float *x) { x[threadIdx.x] *= 2; }', arch='sm_90'))

    Parameters
    ----------
    arch : str, optional
        "sm_90"; by default the current device's.
    source, options, include_dirs, name_expressions, headers, cache_dir, name, **keywords
        As for `compile_bundle`.

    Returns
    -------
    Explanation

    Raises
    ------
    CompileError
        The source does not compile.
    """
    from ._explain import Explanation

    if arch is None:
        major, minor = _core.Context.get_device().compute_capability()
        arch = f'sm_{major}{minor}'
    request = _request(
        source,
        options=[*_options(options), '-Xptxas=-v', '-lineinfo'],
        include_dirs=include_dirs,
        name=name,
        name_expressions=name_expressions,
        headers=headers,
        cache_dir=cache_dir,
        arch=arch,
        keywords=spell(explain, keywords),
        no_device=True,
    )
    program = Program(**request)
    if not program.succeeded:
        raise _fail(program, name or 'kernel.cu')
    return Explanation(program, request['source'], name)


class CudaModule:
    """Kernels and variables of a module, by method or as attributes."""

    module: _core.Module

    def get_function(self, name: str) -> _core.Function:
        """The kernel called `name`; see `runcu.driver.Module.get_function`."""
        return self.module.get_function(name)

    def get_global(self, name: str) -> tuple[int, int]:
        """Address and bytes of the variable called `name`."""
        return self.module.get_global(name)

    def get_texref(self, name: str) -> Any:
        """Raises LogicError: compilers make no texture references any more."""
        return self.module.get_texref(name)

    def get_surfref(self, name: str) -> Any:
        """Raises LogicError: compilers make no surface references any more."""
        return self.module.get_surfref(name)

    @property
    def globals(self) -> _module.Globals:
        """Variables as arrays, by name.

        >>> mod.globals['table'][:] = values
        """
        return self.module.globals

    def __getattr__(self, name: str) -> Any:
        if name == 'module' or (name.startswith('__') and name.endswith('__')):
            raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')
        try:
            found: Any = self.module.get_function(name)
        except LogicError as e:
            if name not in self.module.variable_names:
                raise AttributeError(str(e)) from None
            return self.module.globals[name]
        self.__dict__[name] = found
        return found

    def __dir__(self) -> Iterable[str]:
        return {*super().__dir__(), *_module.names(self.module)}

    def __getstate__(self) -> dict[str, Any]:
        """Without the kernels and variables that were looked up."""
        kinds = (_core.Function, _module.Global)
        return {k: v for k, v in self.__dict__.items() if not isinstance(v, kinds)}

    def __repr__(self) -> str:
        return _module.show(self.module, f'{type(self).__module__}.{type(self).__qualname__}')


class SourceModule(CudaModule):
    """Kernels compiled from CUDA C++ source text and loaded into the current context.

    >>> mod = SourceModule('__global__ void twice(float *x, int n) {'
    ...                    ' int i = blockIdx.x * blockDim.x + threadIdx.x;'
    ...                    ' if (i < n) x[i] *= 2; }')
    >>> mod.twice[n](InOut(x), n)

    Parameters
    ----------
    source : str
        CUDA C++. Kernels are found by their C++ names: no ``extern "C"`` is put around it.
    nvcc : str
        Accepted and ignored: the compiler is NVRTC.
    options : list of str, optional
        NVRTC's or nvcc's. By default `DEFAULT_NVCC_FLAGS`.
    keep : bool
        Leave source, PTX, machine code and log in a folder, and print which.
    no_extern_c : bool
        Accepted and ignored: see `source`.
    arch, code : str, optional
        Architecture, such as "sm_90"; by default the device's.
    cache_dir : path or False, optional
        Where compiled sources are kept, by default where RUNCU_CACHE_DIR or PYCUDA_CACHE_DIR says,
        else in the user's cache folder. False, or RUNCU_NO_CACHE=1 in the environment: nowhere.
    include_dirs : list of path, optional
        Searched for headers after those of ``-I``, before all others.
    name_expressions : list of str, optional
        Instances of templates to compile at once, such as "axpy<float>", found under the same
        spelling afterwards. Others are compiled when they are asked for, which a source with
        variables of its own excludes: each instance would have its own copies.
    headers : dict of str to str, optional
        Headers in memory by the name they are included by, found before all others. With quotes
        they include each other relative to themselves, as files do.
    time_limit : float, optional
        Seconds that compiling may take; 0 is no limit.
    name : str, optional
        Of the source, in messages. One with a slash is a file's: headers beside it are found.
    lazy : bool
        Serve every context, and not only the one that is current now: where it is used in another
        one, it is loaded there when it is first needed, with variables of its own.
    **keywords
        Compiler options by name, after those of `options`: ``use_fast_math=True``,
        ``maxrregcount=32``, ``std='c++17'``, ``define={'N': 4}``; see `CompilerOptions`.

    Raises
    ------
    CompileError
        The source does not compile; see its `diagnostics`.
    TypeError
        No option is called as one of `keywords` is: the nearest is named.
    """

    def __init__(
        self,
        source: Any,
        nvcc: str = 'nvcc',
        options: Iterable[str] | None = None,
        keep: bool = False,
        no_extern_c: bool = False,
        arch: str | None = None,
        code: str | None = None,
        cache_dir: Any = None,
        include_dirs: Iterable[Any] | None = None,
        *,
        name_expressions: Iterable[str] | None = None,
        headers: dict[str, str] | None = None,
        time_limit: float = 0,
        name: str | None = None,
        lazy: bool = False,
        **keywords: Unpack[CompilerOptions],
    ):
        _check_arch(arch)
        program = _compile(
            source,
            options,
            keep,
            arch,
            code,
            cache_dir,
            include_dirs,
            name_expressions=name_expressions,
            headers=headers,
            time_limit=time_limit,
            name=name,
            keywords=spell(SourceModule.__init__, keywords),
        )
        self._load(program)
        if lazy:
            self.module.follow_context()

    def _load(self, program: Program) -> SourceModule:
        self.module = _core.module_from_program(program)
        return self

    @classmethod
    def from_file(
        cls, path: Any, *, watch: bool = False, interval: float = 0.1, **kwargs: Any
    ) -> SourceModule:
        """Compiles a file. Headers beside it are found.

        >>> mod = SourceModule.from_file('kernels.cu', watch=True)
        >>> while True:
        ...     mod.step[n](x, n)  # of what kernels.cu says now

        Parameters
        ----------
        path : path
        watch : bool
            Follow the file and what it includes: when they change, the next launch is of their new
            state, of kernels that were got before as well. Where that does not compile, the code
            before it stays and a warning says why, once; `last_error` has it as well. A file may be
            missing for a moment. Variables of new code have their initial values.
        interval : float
            Seconds between looks at the files, by launches.
        **kwargs
            As for `SourceModule`.

        Raises
        ------
        OSError
            The file cannot be read.
        CompileError
            It does not compile.
        """
        path = os.path.abspath(os.fspath(path))
        with open(path, 'rb') as file:
            text = file.read().decode(errors='replace')
        made = cls(text, name=path, **kwargs)
        if watch:
            made.module.watch(interval)
        return made

    def reload(self) -> bool:
        """Looks at the file of `from_file` and what it includes now, watched or not.

        Returns
        -------
        bool
            Whether there is new code. Kernels follow that were got after a first call of this,
            or of a watched module.

        Raises
        ------
        LogicError
            The new code does not compile; what was before stays.
        """
        return self.module.reload()

    @property
    def last_error(self) -> str | None:
        """Why the newest state of the file is not what runs, or None."""
        return self.module.reload_error


def _job(item: Any, shared: Mapping[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """One of many, as keyword arguments of Program."""
    source, own = item if isinstance(item, tuple) and len(item) == 2 else (item, {})
    if not isinstance(own, Mapping):
        raise TypeError(f'beside a source stands a dict of arguments, not {type(own).__name__}')
    for name in ('parallel', 'progress'):
        if name in own:
            raise TypeError(f'{name} is for all sources of compile_many(), not for one')
    of_one = {name: value for name, value in own.items() if name in shared}
    options = {name: value for name, value in own.items() if name not in shared}
    more = spell(compile_many, {**keywords, **options})
    return _request(source, **{**shared, **of_one}, keywords=more)


def _bar(count: int) -> tuple[Any, Any]:
    """A progress bar on standard error: what to call with how many are done, and how it ends."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:

        def line(done: int, count: int) -> None:
            sys.stderr.write(f'\rcompiling {done}/{count}')
            sys.stderr.flush()

        return line, lambda: sys.stderr.write('\n')
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task('compiling', total=count)
    progress.start()
    return lambda done, count: progress.update(task, completed=done), progress.stop


def compile_many(
    sources: Iterable[Any | tuple[Any, Mapping[str, Any]]],
    *,
    options: Iterable[str] | None = None,
    arch: str | None = None,
    cache_dir: Any = None,
    include_dirs: Iterable[Any] | None = None,
    name_expressions: Iterable[str] | None = None,
    headers: dict[str, str] | None = None,
    time_limit: float = 0,
    parallel: int = 0,
    progress: bool | Callable[[int, int], Any] = False,
    **keywords: Unpack[CompilerOptions],
) -> list[SourceModule]:
    """Compiles many sources at once and loads them into the current context.

    It takes threads, and beyond four at a time also worker processes (`runcu-worker`), because the
    front end of NVRTC does one source at a time in a process. What the cache has is not compiled.

    Parameters
    ----------
    sources : iterable of str or of (str, dict)
        In place of a source a pair of it and of arguments of its own, which stand in place of
        those for all: ``(source, {'arch': 'sm_90', 'define': {'N': 4}})``.
    options, arch, cache_dir, include_dirs, name_expressions, headers, **keywords
        As for `SourceModule`, the same for all.
    time_limit : float
        Seconds for one source; 0 is no limit.
    parallel : int
        How many at a time; 0 is as many as there are processors.
    progress : bool or callable
        True shows a bar on standard error (that of rich, if it is installed). A callable is called
        with how many are done and how many there are.

    Returns
    -------
    list of SourceModule
        In the order of the sources.

    Raises
    ------
    CompileError
        A source does not compile: the first one that does not. The others are in the cache.
    """
    shared = {
        'options': options,
        'arch': arch,
        'cache_dir': cache_dir,
        'include_dirs': include_dirs,
        'name_expressions': name_expressions,
        'headers': headers,
        'time_limit': time_limit,
    }
    requests = [_job(item, shared, keywords) for item in sources]
    for own in {request['arch'] for request in requests}:
        _check_arch(own)
    tell, end = progress if callable(progress) else None, None
    if progress is True:
        tell, end = _bar(len(requests))
    try:
        programs = _core.compile_jobs(requests, parallel=parallel, progress=tell)
    finally:
        if end is not None:
            end()
    return [SourceModule.__new__(SourceModule)._load(_checked(p, 'kernel.cu')) for p in programs]


_threads: Any = None


def compile_async(source: Any, **kwargs: Any) -> Future[SourceModule]:
    """Compiles in another thread and loads into the context that is current now.

    Parameters
    ----------
    source : str
    **kwargs
        As for `SourceModule`.

    Returns
    -------
    concurrent.futures.Future
        Its result is a `SourceModule`; it raises what `SourceModule` would. At most four compile at
        a time; for more at once see `compile_many`.
    """
    from concurrent.futures import ThreadPoolExecutor

    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(4, thread_name_prefix='runcu-compile')
    _core.Context.get_device()  # makes a context current where there is none
    return _threads.submit(_compile_in, _core.Context.get_current(), _text_of(source), kwargs)


def _compile_in(context: Any, source: str, kwargs: dict[str, Any]) -> SourceModule:
    context.push()
    try:
        return SourceModule(source, **kwargs)
    finally:
        _core.Context.pop()


class DynamicModule(CudaModule):
    """Kernels of several sources and files that are linked: functions and variables of one may be
    used in another.

    >>> mod = (DynamicModule()
    ...        .add_source('__device__ float twice(float x) { return 2 * x; }')
    ...        .add_source('__device__ float twice(float x);'
    ...                    ' __global__ void k(float *x) { *x = twice(*x); }')
    ...        .link())
    >>> mod.get_function('k')(InOut(x), block=(1, 1, 1))

    Each method returns the object itself.

    Parameters
    ----------
    nvcc, keep, no_extern_c, arch, code, cache_dir, include_dirs
        As for `compile`, for all sources: they are wrapped in ``extern "C" { ... }`` unless
        `no_extern_c` is true.
    link_options : iterable of (jit_option, int), optional
        How PTX is compiled.
    message_handler : callable, optional
        Called once linking has worked or failed: with whether it did, an information log and an
        error log.
    log_verbose : bool
        More in the information log.
    cuda_libdir : path, optional
        The one folder in which `add_stdlib` looks; by default where CUDA's libraries are sought.
    linker : {'auto', 'driver', 'nvjitlink'}
        Who links; see `driver.Linker`.
    """

    def __init__(
        self,
        nvcc: str = 'nvcc',
        link_options: Iterable[tuple[int, int]] | None = None,
        keep: bool = False,
        no_extern_c: bool = False,
        arch: str | None = None,
        code: str | None = None,
        cache_dir: Any = None,
        include_dirs: Iterable[Any] | None = None,
        message_handler: Callable[[bool, str, str], object] | None = None,
        log_verbose: bool = False,
        cuda_libdir: Any = None,
        *,
        linker: str = 'auto',
    ):
        from .driver import Linker  # which has names of this module

        _check_arch(arch)
        self.linker: Any = Linker(message_handler, link_options, log_verbose, linker=linker)
        self._compile_args = (arch, code, cache_dir, include_dirs)
        self._keep = keep
        self._extern_c = not no_extern_c
        self.cuda_libdir = cuda_libdir

    def __getattr__(self, name: str) -> Any:
        if name == 'module':
            raise LogicError('nothing is linked yet: call link() first')
        if 'module' not in self.__dict__:
            raise AttributeError(f'{name}: nothing is linked yet: call link() first')
        return super().__getattr__(name)

    def __dir__(self) -> Iterable[str]:
        return super().__dir__() if 'module' in self.__dict__ else object.__dir__(self)

    def __repr__(self) -> str:
        return super().__repr__() if 'module' in self.__dict__ else object.__repr__(self)

    def add_source(
        self,
        source: Any,
        nvcc_options: Iterable[str] | None = None,
        name: str = 'kernel.ptx',
        **keywords: Unpack[CompilerOptions],
    ) -> DynamicModule:
        """Adds CUDA C++ source text. `nvcc_options` as the `options` of `compile`, `keywords` as
        its own; the code is relocatable in any case (``-rdc=true``); with ``-dlto`` it is optimised
        when it is linked, by nvJitLink. `name` is for messages of the linker.
        """
        arch, code, cache_dir, include_dirs = self._compile_args
        options = [*_options(nvcc_options), '-rdc=true']
        program = _compile(
            source,
            options,
            self._keep,
            arch,
            code,
            cache_dir,
            include_dirs,
            extern_c=self._extern_c,
            keywords=spell(DynamicModule.add_source, keywords),
        )
        self.linker.add_program(program, name)
        return self

    def add_data(self, data: Any, input_type: int, name: str = 'unknown') -> DynamicModule:
        """Adds code: bytes, their `driver.jit_input_type`, and a name for messages."""
        self.linker.add_data(data, input_type, name)
        return self

    def add_file(self, filename: Any, input_type: int) -> DynamicModule:
        """Adds what a file holds."""
        self.linker.add_file(filename, input_type)
        return self

    def add_stdlib(self, libname: str) -> DynamicModule:
        """Adds a library of CUDA's, such as "cudadevrt", which kernels need that launch kernels.

        Raises
        ------
        OSError
            There is no such library; the message lists every place that was tried.
        """
        self.linker.add_library(libname, self.cuda_libdir)
        return self

    def link(self) -> DynamicModule:
        """Links what was added, and loads it into the current context.

        Raises
        ------
        driver.LogicError
            A symbol is defined twice, or nowhere; see the message.
        """
        self.module = self.linker.link_module()
        self.linker = None
        return self


class DynamicSourceModule(DynamicModule):
    """A source whose kernels launch kernels: linked with the library cudadevrt.

    Parameters
    ----------
    source, nvcc, options, keep, no_extern_c, arch, code, cache_dir, include_dirs, **keywords
        As for `compile`.
    cuda_libdir : path, optional
        The one folder in which cudadevrt is sought; see `DynamicModule.add_stdlib`.

    Raises
    ------
    CompileError
        The source does not compile.
    OSError
        The library cudadevrt is not installed.
    """

    def __init__(
        self,
        source: Any,
        nvcc: str = 'nvcc',
        options: Iterable[str] | None = None,
        keep: bool = False,
        no_extern_c: bool = False,
        arch: str | None = None,
        code: str | None = None,
        cache_dir: Any = None,
        include_dirs: Iterable[Any] | None = None,
        cuda_libdir: Any = None,
        **keywords: Unpack[CompilerOptions],
    ):
        super().__init__(
            nvcc=nvcc,
            keep=keep,
            no_extern_c=no_extern_c,
            arch=arch,
            code=code,
            cache_dir=cache_dir,
            include_dirs=include_dirs,
            cuda_libdir=cuda_libdir,
        )
        self.add_source(source, nvcc_options=options, **keywords)
        self.add_stdlib('cudadevrt')
        self.link()

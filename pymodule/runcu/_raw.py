"""Kernels called as CuPy's: ``RawKernel(code, name)((grid,), (block,), (arguments,))``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TextIO

from ._core import Context, Function, Module, PointerHolderBase
from .compiler import SourceModule
from .driver import function_attribute, module_from_file

__all__ = ['MemoryPointer', 'RawKernel', 'RawModule']

_BACKENDS = ('nvrtc', 'nvcc')


class MemoryPointer(PointerHolderBase):
    """A variable of a module: a device address that keeps its module alive.

    Attributes
    ----------
    ptr : int
        The address.
    size : int
        Bytes.
    mem : runcu.driver.Module
    """

    def __init__(self, ptr: int, size: int, mem: Module):
        super().__init__()
        self.ptr = ptr
        self.size = size
        self.mem = mem

    def get_pointer(self) -> int:
        """The address."""
        return self.ptr

    def __repr__(self) -> str:
        return f'<MemoryPointer {self.ptr:#x}, {self.size} bytes>'


class RawModule:
    """A module of source text, or of a file of PTX or machine code, with CuPy's interface.

    It is compiled and loaded when it is first used in a context, once for each.

    Parameters
    ----------
    code : str, optional
        CUDA C++.
    path : path, optional
        A file of PTX, cubin or fatbin. Either this or `code`.
    options : sequence of str
        The compiler's.
    backend : {'nvrtc', 'nvcc'}
        Accepted and ignored: the compiler is NVRTC.
    translate_cucomplex, jitify : bool
        Accepted and ignored: ``cuComplex.h`` and the C++ headers are found anyway.
    enable_cooperative_groups : bool
        Launches are cooperative: all blocks are resident at once.
    name_expressions : sequence of str, optional
        Instances of templates to compile at once; others are compiled when they are asked for.
    """

    def __init__(
        self,
        *,
        code: str | None = None,
        path: Any = None,
        options: Iterable[str] = (),
        backend: str = 'nvrtc',
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Iterable[str] | None = None,
        jitify: bool = False,
    ):
        if (code is None) == (path is None):
            raise TypeError('exactly one of the keyword arguments code and path must be given')
        if path is not None and name_expressions is not None:
            raise TypeError('name_expressions need code: a file is compiled already')
        if backend not in _BACKENDS:
            raise ValueError(f'backend must be one of {_BACKENDS}, not {backend!r}')
        if isinstance(options, str):
            raise TypeError('options must be a tuple of str, not a str')
        self.code = code
        self.file_path = None if path is None else os.fspath(path)
        self.options = tuple(options)
        self.backend = backend
        self.enable_cooperative_groups = enable_cooperative_groups
        self.name_expressions = None if name_expressions is None else tuple(name_expressions)
        self._modules: dict[int, tuple[Context, Module]] = {}

    @property
    def module(self) -> Module:
        """The module in the current context."""
        context = Context.get_current()
        found = self._modules.get(context.handle) if context is not None else None
        if found is not None and found[0].is_alive:
            return found[1]
        module = self._load()
        context = Context.get_current()  # made by loading if there was none
        assert context is not None
        self._modules[context.handle] = (context, module)
        return module

    def _load(self) -> Module:
        if self.file_path is not None:
            return module_from_file(self.file_path)
        source = SourceModule(
            self.code,
            options=list(self.options),
            name_expressions=None if self.name_expressions is None else list(self.name_expressions),
        )
        return source.module

    def compile(self, log_stream: TextIO | None = None) -> None:
        """Compiles and loads now; what the compiler says goes to `log_stream`.

        Raises
        ------
        CompileError
            The source does not compile.
        """
        if log_stream is None or self.code is None:
            self.module  # noqa: B018
            return
        import warnings

        from ._errors import CompileError

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            try:
                self.module  # noqa: B018
            except CompileError as e:
                log_stream.write(e.stderr or '')
                raise
        for warning in caught:
            log_stream.write(f'{warning.message}\n')

    def get_function(self, name: str) -> RawKernel:
        """The kernel called `name`, which may be a template's instance, as "axpy<float>"."""
        kernel = RawKernel.__new__(RawKernel)
        kernel._init(self, name)
        kernel.kernel  # noqa: B018 (that there is none is an error here)
        return kernel

    def get_global(self, name: str) -> MemoryPointer:
        """The variable called `name`."""
        module = self.module
        return MemoryPointer(*module.get_global(name), module)

    def get_texref(self, name: str) -> Any:
        """Raises LogicError: compilers make no texture references any more."""
        return self.module.get_texref(name)


class RawKernel:
    """A kernel of source text, with CuPy's interface.

    It is compiled when it is first launched or asked about, once for each context.

    >>> add = RawKernel('extern "C" __global__ void add(float *x, int n) { ... }', 'add')
    >>> add((n // 128 + 1,), (128,), (x, n))

    Parameters
    ----------
    code : str
        CUDA C++.
    name : str
        Of the kernel; it need not be ``extern "C"``, and may be a template's instance.
    options, backend, translate_cucomplex, enable_cooperative_groups, jitify
        As for `RawModule`.
    """

    def __init__(
        self,
        code: str,
        name: str,
        options: Iterable[str] = (),
        backend: str = 'nvrtc',
        *,
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        jitify: bool = False,
    ):
        if not isinstance(name, str):
            raise TypeError(f'the name must be a str, not {type(name).__name__}')
        module = RawModule(
            code=code,
            options=options,
            backend=backend,
            translate_cucomplex=translate_cucomplex,
            enable_cooperative_groups=enable_cooperative_groups,
            jitify=jitify,
        )
        self._init(module, name)

    def _init(self, module: RawModule, name: str) -> None:
        self._module = module
        self.name = name
        self._functions: dict[int, tuple[Context, Function]] = {}

    @property
    def kernel(self) -> Function:
        """The kernel in the current context."""
        context = Context.get_current()
        found = self._functions.get(context.handle) if context is not None else None
        if found is not None and found[0].is_alive:
            return found[1]
        function = self._module.module.get_function(self.name)
        context = Context.get_current()
        assert context is not None
        self._functions[context.handle] = (context, function)
        return function

    def __call__(
        self,
        grid: Any,
        block: Any,
        args: Iterable[Any],
        *,
        shared_mem: int = 0,
        stream: Any = None,
        **attributes: Any,
    ) -> None:
        """Launches.

        Parameters
        ----------
        grid, block : tuple of int
            Blocks, and threads in each.
        args : tuple
            The kernel's arguments, as for `runcu.driver.Function`.
        shared_mem : int
            Bytes of dynamic shared memory a block.
        stream : Stream, optional
        **attributes
            As for `runcu.driver.Function`: cooperative, cluster, programmatic, priority, carveout.
        """
        if not isinstance(args, (tuple, list)):
            raise TypeError(
                f'the arguments must be a tuple, not {type(args).__name__}: '
                f'{self.name}(grid, block, (argument, ...))'
            )
        if self._module.enable_cooperative_groups:
            attributes.setdefault('cooperative', True)
        self.kernel(
            *args, grid=grid, block=block, shared=shared_mem, stream=stream, **attributes
        )

    def compile(self, log_stream: TextIO | None = None) -> None:
        """Compiles and loads now; what the compiler says goes to `log_stream`."""
        self._module.compile(log_stream)
        self.kernel  # noqa: B018

    @property
    def code(self) -> str | None:
        """The source."""
        return self._module.code

    @property
    def file_path(self) -> str | None:
        """The file that the module is from, if it is from one."""
        return self._module.file_path

    @property
    def options(self) -> tuple[str, ...]:
        """The compiler's options."""
        return self._module.options

    @property
    def backend(self) -> str:
        """As it was given."""
        return self._module.backend

    @property
    def enable_cooperative_groups(self) -> bool:
        """Whether launches are cooperative."""
        return self._module.enable_cooperative_groups

    @property
    def attributes(self) -> dict[str, int]:
        """All attributes of the kernel by name."""
        kernel = self.kernel
        return {name: getattr(kernel, name) for name in _ATTRIBUTES}

    def __repr__(self) -> str:
        return f'<RawKernel {self.name}>'


#: What `RawKernel.attributes` holds.
_ATTRIBUTES = (
    'binary_version',
    'cache_mode_ca',
    'const_size_bytes',
    'local_size_bytes',
    'max_dynamic_shared_size_bytes',
    'max_threads_per_block',
    'num_regs',
    'preferred_shared_memory_carveout',
    'ptx_version',
    'shared_size_bytes',
)
_SETTABLE = ('max_dynamic_shared_size_bytes', 'preferred_shared_memory_carveout')


def _attribute(name: str) -> property:
    number = getattr(function_attribute, name.upper())

    def read(self: RawKernel) -> int:
        return self.kernel.get_attribute(number)

    def write(self: RawKernel, value: int) -> None:
        self.kernel.set_attribute(number, value)

    doc = getattr(Function, name).__doc__
    return property(read, write if name in _SETTABLE else None, doc=doc)


for _name in _ATTRIBUTES:
    setattr(RawKernel, _name, _attribute(_name))
del _name
for _class in (RawKernel, RawModule):
    _class.__module__ = 'runcu'
del _class

"""What kernels take of a multiprocessor: `runcu.compiler.explain` and ``runcu explain``."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from . import _core

WIDTH = 100
#: Of blocks whose occupancy is told where nothing else is asked for.
BLOCKS = (32, 64, 128, 256, 512, 1024)

ABOUT = """\
Says of each kernel of a CUDA C++ source which registers and memory it takes, how much of a
multiprocessor its blocks fill and what does not allow more, and shows its PTX beside the source
lines. No GPU is needed."""


class PtxLine(NamedTuple):
    """An instruction or a label of a kernel's PTX, and the line that it comes from."""

    text: str
    file: str
    line: int


@dataclasses.dataclass(frozen=True)
class Occupancy:
    """How many blocks of a kernel one multiprocessor holds at once.

    Attributes
    ----------
    threads : int
        Of a block.
    blocks, warps, max_warps : int
        Blocks; their warps; the warps that there could be.
    limit : str
        What allows no more: "blocks", "warps", "registers", "shared" or "barriers".
    allowed : dict
        Blocks that each of these would allow alone; None is any number.
    """

    threads: int
    blocks: int
    warps: int
    max_warps: int
    limit: str
    allowed: dict[str, int | None]

    @property
    def fraction(self) -> float:
        """Of the warps that there could be, from 0 to 1."""
        return self.warps / self.max_warps


@dataclasses.dataclass(frozen=True)
class FunctionUsage:
    """What a function takes that kernels call, as it was not inlined.

    Attributes
    ----------
    name, symbol, signature : str
    local, spill_stores, spill_loads : int
        Bytes, as of `KernelUsage`.
    """

    name: str
    symbol: str
    signature: str
    local: int
    spill_stores: int
    spill_loads: int


@dataclasses.dataclass(frozen=True)
class KernelUsage:
    """What a kernel takes.

    Attributes
    ----------
    arch : str
        "sm_90".
    name, symbol, signature : str
        "axpy<float>", its name in the PTX, "axpy<float>(float, float *)".
    registers : int
        Of a thread.
    local : int
        Bytes of local memory of a thread: arrays, spilled registers, calls.
    is_local_unknown : bool
        It takes more, unknown how much, as by recursion.
    spill_stores, spill_loads : int
        Bytes of a thread's registers that go to local memory, and that come back.
    shared, constant, parameters : int
        Bytes: static shared memory of a block; `__constant__` variables; parameters.
    barriers : int
        Of a block.
    max_threads, launch_bounds : int
        Threads that a block may have; those of `__launch_bounds__`, 0 without it.
    ptx : tuple of PtxLine
    """

    arch: str
    name: str
    symbol: str
    signature: str
    registers: int
    local: int
    is_local_unknown: bool
    spill_stores: int
    spill_loads: int
    shared: int
    constant: int
    parameters: int
    barriers: int
    max_threads: int
    launch_bounds: int
    ptx: tuple[PtxLine, ...]

    def occupancy(
        self, threads: int, shared: int = 0, *, registers: int | None = None
    ) -> Occupancy:
        """The occupancy of blocks of so many threads.

        Parameters
        ----------
        threads : int
        shared : int
            Bytes of dynamic shared memory of a block.
        registers : int, optional
            As if a thread took so many.
        """
        found = _core.occupancy(
            self.arch,
            threads,
            self.registers if registers is None else registers,
            self.shared + shared,
            self.barriers,
        )
        return Occupancy(threads=threads, **found)


# --- text -----------------------------------------------------------------------------------------


def _count(number: int, word: str) -> str:
    return f'{number:,} {word}' + ('' if number == 1 else 's')


def _memory_rows(k: KernelUsage | FunctionUsage, more: str = '') -> Iterator[tuple[str, str]]:
    if k.spill_stores or k.spill_loads:
        yield (
            'spilled',
            f'{k.spill_stores:,} bytes stored and {k.spill_loads:,} loaded by a thread: '
            'registers were short',
        )
    if k.local or more:
        yield 'local', f'{_count(k.local, "byte")} of a thread{more}'


def _usage_rows(k: KernelUsage) -> Iterator[tuple[str, str]]:
    yield 'registers', f'{k.registers} of a thread'
    more = ', and more: recursion, or calls by pointers' if k.is_local_unknown else ''
    yield from _memory_rows(k, more)
    yield (
        'shared',
        f'{_count(k.shared, "byte")} of a block'
        + (f', {_count(k.barriers, "barrier")}' if k.barriers else ''),
    )
    if k.constant:
        yield 'constant', _count(k.constant, 'byte')
    yield 'parameters', _count(k.parameters, 'byte')
    why = ''
    if k.launch_bounds == k.max_threads:
        why = ', by __launch_bounds__'
    elif k.max_threads < 1024:
        why = ', for its registers'
    yield 'block', f'at most {_count(k.max_threads, "thread")}{why}'


def _better_registers(k: KernelUsage, o: Occupancy, shared: int) -> tuple[int, Occupancy] | None:
    """With how many registers, at most, more blocks would fit."""
    for registers in range(k.registers - 1, 15, -1):
        found = k.occupancy(o.threads, shared, registers=registers)
        if found.blocks > o.blocks:
            return registers, found
    return None


def _reason(k: KernelUsage, o: Occupancy, shared: int) -> str:
    """The limit in words."""
    total = k.shared + shared
    if o.warps == o.max_warps:
        return 'nothing: all warps are there'
    if o.limit == 'registers':
        text = f'registers: {k.registers} of a thread'
        better = _better_registers(k, o, shared)
        if better:
            text += f'; {better[1].fraction:.0%} with {better[0]} or fewer'
        return text
    if o.limit == 'shared':
        return f'shared memory: {total:,} bytes of a block'
    if o.limit == 'barriers':
        return f'barriers: {k.barriers} of a block'
    if o.limit == 'warps':
        return f'warps: {o.max_warps - o.warps} are left over'
    return f'blocks: {o.blocks} are the most; larger ones fill it better'


def _occupancy_rows(k: KernelUsage, blocks: Sequence[int], shared: int) -> Iterator[str]:
    yield f'  {"threads":>9} {"blocks":>7} {"warps":>9} {"full":>6}  limited by'
    for threads in blocks:
        if threads > k.max_threads:
            continue
        o = k.occupancy(threads, shared)
        warps = f'{o.warps}/{o.max_warps}'
        head = f'  {threads:>9,} {o.blocks:>7} {warps:>9} {o.fraction:>6.0%}  '
        yield head + (_reason(k, o, shared) if o.blocks else f'no block fits: {o.limit}')


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent='    ') or ['']


def _cut(text: str, width: int) -> list[str]:
    """Rows of a line of the source, whose indentation stays."""
    rows = [text[:width]]
    rest = text[width:]
    while rest:
        rows.append(' ' * 9 + rest[: width - 9])
        rest = rest[width - 9 :]
    return rows


def _by_place(k: KernelUsage) -> Iterator[tuple[str, int, list[str]]]:
    """Instructions that follow each other and come from one line."""
    place: tuple[str, int] | None = None
    group: list[str] = []
    for line in k.ptx:
        if place is not None and place != (line.file, line.line):
            yield *place, group
            group = []
        place = (line.file, line.line)
        group.append(line.text)
    if place is not None:
        yield *place, group


def _path_of(name: str) -> str:
    """A source's name as its PTX has it: absolute if it is a file's."""
    if '/' not in name:
        return name
    parts = os.path.join(os.getcwd(), name).split('/')
    return '/' + '/'.join(part for part in parts if part not in ('', '.'))


class _Sources:
    """Lines of the source and of headers that can be read."""

    def __init__(self, name: str | None, text: str):
        self._name = _path_of(name) if name else 'kernel.cu'
        self._lines = {self._name: text.splitlines()}

    def is_own(self, file: str) -> bool:
        return not file or file == self._name

    def line(self, file: str, number: int) -> str:
        if file not in self._lines:
            try:
                with open(file, encoding='utf-8', errors='replace') as f:
                    self._lines[file] = f.read().splitlines()
            except OSError:
                self._lines[file] = []
        lines = self._lines[file]
        return lines[number - 1].expandtabs(4) if 0 < number <= len(lines) else ''


def _ptx_rows(k: KernelUsage, sources: _Sources) -> Iterator[str]:
    """Two columns: the source, and what came of it."""
    left, right = 48, WIDTH - 48 - 3
    for file, number, group in _by_place(k):
        source = sources.line(file, number)
        if number and not sources.is_own(file):
            shown = f'{os.path.basename(file)}:{number} {source.strip()}'
        else:
            shown = f'{number:>4} {source}' if number else ''
        code = [row for text in group for row in _wrapped(text, right)]
        for text, row in itertools.zip_longest(_cut(shown, left), code, fillvalue=''):
            yield f'{text:{left}} | {row}'.rstrip()


class Explanation:
    """What the kernels of a source take; made by `runcu.compiler.explain`.

    As text, in a terminal or a notebook, it is a report.

    Attributes
    ----------
    arch : str
        "sm_90".
    kernels : tuple of KernelUsage
    functions : tuple of FunctionUsage
        Those that kernels call, as they were not inlined.
    """

    def __init__(self, program: _core.Program, source: str, name: str | None):
        self.arch = program.arch
        kernels, functions = _core.explain_program(program)
        for found in kernels:
            found['ptx'] = tuple(PtxLine(*row) for row in found['ptx'])
        self.kernels = tuple(KernelUsage(arch=self.arch, **found) for found in kernels)
        self.functions = tuple(FunctionUsage(**found) for found in functions)
        self._sources = _Sources(name, source)
        self._title = name or 'kernel.cu'

    def __getitem__(self, name: str) -> KernelUsage:
        """The kernel of that name or signature."""
        for k in self.kernels:
            if name in (k.name, k.signature, k.symbol):
                return k
        names = ', '.join(k.signature for k in self.kernels) or 'none'
        raise KeyError(f'no kernel {name!r}; there are: {names}')

    def text(
        self,
        kernels: Iterable[str] = (),
        *,
        blocks: Sequence[int] = (),
        shared: int = 0,
        ptx: bool = True,
    ) -> str:
        """The report.

        Parameters
        ----------
        kernels : iterable of str
            Names of those to tell of; none: all.
        blocks : sequence of int
            Threads of the blocks whose occupancy is told.
        shared : int
            Bytes of dynamic shared memory of a block.
        ptx : bool
            With the PTX beside the source.
        """
        kernels = list(kernels)
        chosen = [self[name] for name in kernels] or list(self.kernels)
        out = [f'{self._title} for {self.arch}: {_count(len(self.kernels), "kernel")}']
        for k in chosen:
            out += ['', *_wrapped(k.signature, WIDTH)]
            out += [f'  {word:10}  {text}' for word, text in _usage_rows(k)]
            dynamic = f' and {shared:,} bytes of dynamic shared memory' if shared else ''
            out += ['', f'  one multiprocessor holds, of blocks of so many threads{dynamic}:']
            out += _occupancy_rows(k, blocks or BLOCKS, shared)
            if ptx:
                out += ['', *_ptx_rows(k, self._sources)]
        if self.functions and not kernels:
            out += ['', 'functions that were not inlined:']
            for f in self.functions:
                out += ['', *_wrapped(f.signature, WIDTH)]
                rows = list(_memory_rows(f)) or [('local', 'none')]
                out += [f'  {word:10}  {text}' for word, text in rows]
        return '\n'.join(out)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f'<Explanation of {self._title} for {self.arch}: {len(self.kernels)} kernels>'

    def to_dict(
        self, kernels: Iterable[str] = (), *, blocks: Sequence[int] = (), shared: int = 0
    ) -> dict[str, Any]:
        """The same as plain lists and dicts, for JSON; arguments as for `text`."""
        chosen = [self[name] for name in kernels] or list(self.kernels)
        rows = []
        for k in chosen:
            row = dataclasses.asdict(k)
            row['ptx'] = [line._asdict() for line in k.ptx]
            row['occupancy'] = [
                {**dataclasses.asdict(o), 'fraction': o.fraction}
                for o in (k.occupancy(t, shared) for t in blocks or BLOCKS if t <= k.max_threads)
            ]
            rows.append(row)
        functions = [dataclasses.asdict(f) for f in self.functions]
        return {
            'source': self._title,
            'arch': self.arch,
            'kernels': rows,
            'functions': functions,
        }


# --- runcu explain --------------------------------------------------------------------------------


def main(args: Sequence[str]) -> int:
    """The command; `args` is what follows its name. The exit status."""
    from . import _cli
    from .compiler import explain

    parser = _cli.source_parser('explain', ABOUT)
    parser.add_argument('--arch', help="sm_80, sm_90, …; by default the device's")
    parser.add_argument(
        '--kernel', action='append', default=[], metavar='NAME', help='this one only; repeated'
    )
    parser.add_argument(
        '--block',
        action='append',
        default=[],
        type=int,
        metavar='THREADS',
        help='occupancy for blocks of so many threads; repeated',
    )
    parser.add_argument(
        '--shared', type=int, default=0, metavar='BYTES', help='dynamic shared memory of a block'
    )
    parser.add_argument('--no-ptx', action='store_true', help='without the PTX')
    parser.add_argument('--json', action='store_true', help='the same for programs')
    found = _cli.parse(parser, args)

    def run() -> None:
        explanation = explain(arch=found.arch, **_cli.source_arguments(found))
        try:
            if found.json:
                told = explanation.to_dict(found.kernel, blocks=found.block, shared=found.shared)
                print(json.dumps(told, indent=1))
            else:
                print(
                    explanation.text(
                        found.kernel,
                        blocks=found.block,
                        shared=found.shared,
                        ptx=not found.no_ptx,
                    )
                )
        except KeyError as e:
            parser.error(e.args[0])

    return _cli.guarded(run)

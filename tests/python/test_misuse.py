"""Everything public × wrong count, wrong type, freed object: an error with a type, never a crash.

What there is to be misused is read from `_core.pyi`, and from the signatures of what is written in
Python. Each class and each module runs in a process of its own, so that a crash has a name.
"""

import ast
import importlib.resources

import pytest

STUB = ast.parse(importlib.resources.files('runcu').joinpath('_core.pyi').read_text())
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}

#: How to make one of each class. None: cannot be made alone, or has no methods of its own.
MAKERS = {
    'Device': 'Device()',
    'Context': 'Device().make_context()',
    'Stream': 'driver.Stream()',
    'Event': 'driver.Event()',
    'DeviceAllocation': 'driver.mem_alloc(64)',
    'ManagedAllocation': 'driver.managed_empty(16, np.int32).base',
    'RegisteredHostMemory': 'driver.RegisteredHostMemory(aligned)',
    'AlignedHostAllocation': 'driver.aligned_empty(64, np.uint8).base',
    'HostAllocation': 'driver.HostAllocation(64)',
    'PooledDeviceAllocation': 'tools.DeviceMemoryPool().allocate(64)',
    'PooledHostAllocation': 'tools.PageLockedMemoryPool().allocate(64, np.uint8).base',
    'DeviceMemoryPool': 'tools.DeviceMemoryPool()',
    'HostMemoryPool': 'tools.PageLockedMemoryPool()',
    'PointerHolderBase': 'Holder()',
    'ForeignArray': None,
    'ArgumentHandler': 'driver.InOut(np.zeros(4, np.int32))',
    'In': 'driver.In(np.zeros(4, np.int32))',
    'Out': 'driver.Out(np.zeros(4, np.int32))',
    'InOut': 'driver.InOut(np.zeros(4, np.int32))',
    'IPCMemoryHandle': None,
    'MemoryPool': 'driver.MemoryPool()',
    'PhysicalMemory': 'driver.PhysicalMemory(driver.mem_granularity())',
    'AddressRange': 'driver.AddressRange(driver.mem_granularity())',
    'Jit': '_core.Jit()',
    'Module': 'module',
    'Function': "module.get_function('k')",
    'Launcher': "module.get_function('k')[1, 1]",
    'Bound': "module.get_function('k').bind(memory, 4, block=32)",
    'Program': None,
    'Diagnostic': None,
    'Step': None,
}

#: How an object of the class ends before its time.
ENDS = {
    'Context': 'it.detach()',
    'Stream': 'it.close()',
    'Event': 'it.close()',
    'DeviceAllocation': 'it.free()',
    'ManagedAllocation': 'it.free()',
    'RegisteredHostMemory': 'it.unregister()',
    'AlignedHostAllocation': 'it.free()',
    'HostAllocation': 'it.free()',
    'PooledDeviceAllocation': 'it.free()',
    'PooledHostAllocation': 'it.free()',
    'MemoryPool': 'it.close()',
    'PhysicalMemory': 'it.close()',
    'AddressRange': 'it.close()',
}

#: What runs in the other process.
PROGRAM = '''
import ast, faulthandler, inspect, os, sys, warnings
import numpy as np
import runcu
from runcu import _core, driver, tools
from runcu.driver import Context, Device

faulthandler.enable()
faulthandler.dump_traceback_later(100, exit=True)
warnings.simplefilter('ignore')
Device().retain_primary_context().push()
SOURCE = '__global__ void k(int *p, int n) { if (p && threadIdx.x < n) p[threadIdx.x] = n; }'
module = runcu.SourceModule(SOURCE).module
memory, stream, event = driver.mem_alloc(256), driver.Stream(), driver.Event()
aligned = np.zeros(1 << 14, np.uint8)

class Holder(driver.PointerHolderBase):
    def get_pointer(self):
        return int(memory)

TYPED = (driver.Error, TypeError, ValueError, OverflowError, BufferError, AttributeError,
         IndexError, RuntimeError, MemoryError, OSError)
GOOD = {
    'data': 1, 'count': 4, 'size': 4, 'pitch': 64, 'width': 4, 'height': 1, 'bytes': 64,
    'limit': 0, 'value': 8192, 'config': 0, 'attribute': 1, 'name': 'k', 'shape': 4, 'dtype': 'f4',
    'order': 'C', 'flags': 0, 'block_size': 32, 'access_size': 4, 'nbytes': 64, 'length': 4,
    'dest': memory, 'src': memory, 'pointer': memory, 'devptr': memory, 'event': event,
    'device': Device(), 'peer': None, 'source': SOURCE, 'path': '/nowhere',
}
BAD = [object(), None, -1, 1 << 80, 1.5, 'x', b'', [], (), {}, float('nan'), np.zeros(0), type]
NOT_AN_INT = [object(), 'x', b'', [], {}, 1.5]  # of handles: a wrong one may crash the driver
#: Of no interest where there is no work to wait for.
UNSEEN = {('dlpack_export', 'stream')}
faults = []
journal = os.open('journal', os.O_WRONLY | os.O_CREAT)  # the last call, should it crash

def call(what, function, *args, **kwargs):
    """The error, or None."""
    os.pwrite(journal, f'{what:200}'.encode(), 0)
    try:
        function(*args, **kwargs)
    except TYPED as e:
        if not str(e) and type(e) is not AttributeError:
            faults.append(f'{what}: {type(e).__name__} without a word')
        return e
    except BaseException as e:
        faults.append(f'{what}: {type(e).__name__}: {e}')
        return e
    return None

def good(name, annotation):
    if 'Buffer' in annotation:
        return bytearray(4)
    return GOOD.get(name)

def misuse(what, function, parameters):
    """`parameters`: name, annotation, is required, is positional."""
    required = [(n, a) for n, a, needed, _ in parameters if needed]
    if required and call(f'{what}()', function) is None:
        faults.append(f'{what}() without arguments succeeded')
    if call(f'{what}(*30)', function, *[None] * 30) is None:
        faults.append(f'{what}() with 30 arguments succeeded')
    if call(f'{what}(nonsense=1)', function, nonsense_=1) is None:
        faults.append(f'{what}(nonsense_=1) succeeded')
    for i, (name, annotation, _, positional) in enumerate(parameters):
        if not positional:
            continue
        values = NOT_AN_INT if 'handle' in name else BAD
        for bad in values:
            args = [good(n, a) for n, a, needed, p in parameters[: max(len(required), i + 1)] if p]
            args[i] = bad
            error = call(f'{what}: {name}={bad!r:.40}', function, *args)
            is_any = annotation in ('Any', 'object', 'Any | None', 'bool') or (what, name) in UNSEEN
            if error is None and type(bad) is object and not is_any:
                faults.append(f'{what}: {name}={bad!r:.20} succeeded')

def from_ast(node, skip):
    a = node.args
    positional = a.posonlyargs + a.args
    needed = len(positional) - len(a.defaults)
    if a.vararg:
        return None
    rows = []
    for i, p in enumerate(positional):
        rows.append((p.arg, ast.unparse(p.annotation) if p.annotation else '', i < needed, True))
    return rows[skip:]

def report():
    print('\\n'.join(faults))
'''

CALLS = """
for node in ast.parse(open(sys.argv[1]).read()).body:
    if isinstance(node, ast.ClassDef) and node.name == sys.argv[2]:
        cls = getattr(_core, node.name)
        for member in node.body:
            if not isinstance(member, ast.FunctionDef):
                continue
            kinds = {ast.unparse(d) for d in member.decorator_list}
            if 'property' in kinds or any('setter' in k for k in kinds):
                continue
            if member.name == '__new__':
                parameters = from_ast(member, 1)
                if parameters is not None:
                    misuse(f'{node.name}', cls, parameters)
            elif not member.name.startswith('__'):
                static = 'staticmethod' in kinds
                parameters = from_ast(member, 0 if static else 1)
                if parameters is None:
                    continue
                if it is None and not (static or 'classmethod' in kinds):
                    continue
                target = getattr(cls if it is None else it, member.name)
                misuse(f'{node.name}.{member.name}', target, parameters)
                if not static and 'classmethod' not in kinds:
                    call(f'{node.name}.{member.name} of another', getattr(cls, member.name), 5)
    elif isinstance(node, ast.FunctionDef) and sys.argv[2] == '':
        parameters = from_ast(node, 0)
        if parameters is not None:
            misuse(node.name, getattr(_core, node.name), parameters)
report()
"""

ENDED = """
for name in dir(type(it)):
    if name.startswith('__'):
        continue
    try:
        member = getattr(it, name)
    except TYPED:
        continue
    if callable(member):
        call(f'{name}() of an ended object', member)
        call(f'{name}(None) of an ended object', member, None)
        call(f'{name}(it) of an ended object', member, it)
for function in (int, len, repr, str, hash, memoryview, lambda x: x.__enter__()):
    call(f'{function} of an ended object', function, it)
k = module.get_function('k')
uses = {
    'kernel argument': lambda: k(it, np.int32(1), block=1),
    'stream': lambda: k(memory, np.int32(1), block=1, stream=it),
    'htod': lambda: driver.memcpy_htod(it, bytes(4)),
    'dtoh': lambda: driver.memcpy_dtoh(bytearray(4), it),
    'memset': lambda: driver.memset_d8(it, 0, 4),
    'wait': lambda: stream.wait_for_event(it),
    'record': lambda: event.record(it),
}
for what, use in uses.items():
    if call(f'an ended object as {what}', use) is None:
        faults.append(f'an ended object as {what} succeeded')
for _ in range(2):
    call('ending it again', lambda: eval(END))
driver.memset_d8(memory, 0, 4)
Context.synchronize()
report()
"""

PYTHON = """
import importlib
home = importlib.import_module(sys.argv[1])
for name in getattr(home, '__all__', ()):
    thing = getattr(home, name)
    if not inspect.isfunction(thing) and not (inspect.isclass(thing) and '__init__' in vars(thing)):
        continue
    if inspect.isclass(thing) and issubclass(thing, (BaseException, int)):
        continue
    try:
        signature = inspect.signature(thing)
    except ValueError:
        continue
    P = inspect.Parameter
    if any(p.kind is P.VAR_POSITIONAL for p in signature.parameters.values()):
        continue
    rows = [(p.name, str(p.annotation), p.default is P.empty, p.kind is not P.KEYWORD_ONLY)
            for p in signature.parameters.values() if p.kind is not P.VAR_KEYWORD]
    misuse(f'{home.__name__}.{name}', thing, [(n, 'Any', d, p) for n, a, d, p in rows])
report()
"""


@pytest.fixture(scope='module')
def stub(tmp_path_factory):
    path = tmp_path_factory.mktemp('stub') / '_core.pyi'
    path.write_text(importlib.resources.files('runcu').joinpath('_core.pyi').read_text())
    return str(path)


@pytest.fixture
def run(python, device_name, tmp_path):
    def run(source, *args):
        done = python(source, *args, device=device_name, check=False, timeout=120, TMPDIR='.')
        last = (tmp_path / 'journal').read_text().strip()
        assert done.returncode == 0, f'after {last}: {done.stderr}\n{done.stdout}'[-4000:]
        said = done.stdout.splitlines()
        said = [x for x in said if x and not x.startswith('*** compiler output')]
        assert not said, '\n'.join(said)

    return run


def test_no_class_is_misused_that_is_no_more():
    """Of one that has no row here, what needs no object is misused all the same."""
    assert set(MAKERS) <= set(CLASSES)


@pytest.mark.parametrize('name', CLASSES)
def test_methods(run, stub, name):
    made = f'it = {MAKERS.get(name)}\n'
    run(PROGRAM + made + CALLS, stub, name)


def test_functions(run, stub):
    run(PROGRAM + CALLS, stub, '')


@pytest.mark.parametrize('name', ENDS)
def test_ended_objects(run, name):
    end = f'END = {ENDS[name]!r}\nit = {MAKERS[name]}\n{ENDS[name]}\n'
    run(PROGRAM + end + ENDED)


@pytest.mark.parametrize('name', ['driver', 'tools', 'compiler', 'characterize'])
def test_functions_written_in_python(run, name):
    run(PROGRAM + PYTHON, f'runcu.{name}')

"""Every object of the driver's has a handle, and can be made of one that somebody else owns."""

import ast
import gc
import importlib.resources
import weakref

import numpy as np
import pytest
from runcu import _core, driver, tools
from runcu.compiler import SourceModule

STUB = ast.parse(importlib.resources.files('runcu').joinpath('_core.pyi').read_text())
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}

#: Classes that stand for nothing of the driver's, and why.
OWN = {
    'GraphCapture': 'the time of a capture: its graph has the handle',
    'DeviceMemoryPool': 'ours alone: what it gives out has handles',
    'HostMemoryPool': 'ours alone: what it gives out has handles',
    'Memcpy2D': 'a description',
    'Memcpy3D': 'a description',
    'Memcpy3DPeer': 'a description',
    'PointerHolderBase': "a program's own",
    'ForeignArray': "another library's array",
    'ArgumentHandler': 'host memory in an argument',
    'In': 'host memory in an argument',
    'Out': 'host memory in an argument',
    'InOut': 'host memory in an argument',
    'Launcher': 'a kernel with a shape: the kernel has the handle',
    'Bound': 'a kernel with arguments: the kernel has the handle',
    'Program': 'code that no driver has seen yet',
    'Bundle': 'code that no driver has seen yet',
    'Diagnostic': 'a text',
    'Step': 'a text',
    'Jit': "its logs' buffers belong to the link from the start, so it takes over nobody's",
}


class Owner:
    """Whatever else owns the thing."""


def _graph():
    graph = driver.Graph()
    graph.add_empty()
    return graph


#: What makes one of each class, and what is given beside the handle.
MAKERS = {
    'Device': lambda: driver.Context.get_device(),
    'Context': lambda: driver.Context.get_current(),
    'Stream': driver.Stream,
    'Event': driver.Event,
    'Graph': _graph,
    'GraphNode': lambda: driver.Graph().add_empty(),
    'GraphExec': lambda: _graph().instantiate(),
    'DeviceAllocation': lambda: driver.mem_alloc(64),
    'ManagedAllocation': lambda: driver.managed_empty(16, np.int32).base,
    'IPCMemoryHandle': None,  # it takes two processes
    'MemoryPool': driver.MemoryPool,
    'PhysicalMemory': lambda: driver.PhysicalMemory(driver.mem_granularity()),
    'AddressRange': lambda: driver.AddressRange(driver.mem_granularity()),
    'RegisteredHostMemory': lambda: driver.RegisteredHostMemory(
        driver.aligned_empty(4096, np.uint8)
    ),
    'AlignedHostAllocation': lambda: driver.aligned_empty(64, np.uint8).base,
    'HostAllocation': lambda: driver.HostAllocation(4096),
    'PooledDeviceAllocation': lambda: tools.DeviceMemoryPool().allocate(64),
    'PooledHostAllocation': lambda: tools.PageLockedMemoryPool().allocate(4096, np.uint8).base,
    'Array': lambda: driver.np_to_array(np.zeros((4, 4), np.float32), 'C'),
    'MipmappedArray': None,
    'Texture': None,
    'SurfaceObject': None,
    'Module': None,
    'Function': None,
}


def _descriptor():
    d = driver.ArrayDescriptor3D()
    d.width, d.height, d.depth = 8, 8, 0
    d.format, d.num_channels = driver.array_format.FLOAT, 1
    d.flags = driver.array3d_flags.SURFACE_LDST
    return d


def _module():
    return SourceModule('__global__ void k(int *p) { *p = 1; }').module


MAKERS['MipmappedArray'] = lambda: driver.MipmappedArray(_descriptor(), 2)
MAKERS['Texture'] = lambda: driver.TextureObject(
    driver.np_to_array(np.zeros((4, 4), np.float32), 'C')
)
MAKERS['SurfaceObject'] = lambda: driver.SurfaceObject(driver.Array(_descriptor()))
MAKERS['Module'] = _module
MAKERS['Function'] = lambda: _module().get_function('k')

SIZED = {'PhysicalMemory', 'AddressRange', 'AlignedHostAllocation'}


def test_every_class_is_known():
    assert set(CLASSES) == set(MAKERS) | set(OWN)
    assert not set(MAKERS) & set(OWN)


@pytest.fixture
def made(device, request):
    """An object of the class."""
    if MAKERS[request.param] is None:
        pytest.skip('made in test_ipc.py')
    return request.param, MAKERS[request.param]()


def _again(name, one, owner):
    """The same thing by its handle."""
    cls = getattr(_core, name)
    more = {}
    if name in SIZED:
        more['size'] = getattr(one, 'size', 64)
    if name == 'GraphNode':
        return cls.from_handle(one.handle, one.graph)
    return cls.from_handle(one.handle, owner=owner, **more)


def _is_alive(one):
    return isinstance(one.handle, int) and one.handle >= 0


@pytest.mark.parametrize('made', sorted(MAKERS), indirect=True)
def test_a_handle_makes_another_object_of_the_same_thing(made):
    name, one = made
    handle = one.handle
    assert isinstance(handle, int) and not isinstance(handle, bool)
    owner = Owner()
    gone = weakref.ref(owner)
    same = _again(name, one, owner)
    assert same.handle == handle
    del owner
    gc.collect()
    if name != 'GraphNode':  # whose owner is the graph
        assert gone() is not None, 'the owner lives as long as the object'
    assert _is_alive(one)
    if hasattr(same, '__exit__') and name != 'Context':
        with same:
            pass  # which ends the object, not the thing
    del same
    gc.collect()
    if name not in ('Device', 'Context'):  # which are one object a thing
        assert gone() is None
    assert one.handle == handle


@pytest.mark.parametrize('name', sorted(n for n, maker in MAKERS.items() if maker))
def test_what_is_no_handle_is_refused(device, name):
    cls = getattr(_core, name)
    more = {'size': 4096} if name in SIZED else {}
    if name == 'GraphNode':
        more['owner'] = _graph()
    for bad in ('x', None, 1.5, -1, 1 << 64):
        with pytest.raises((TypeError, ValueError, OverflowError, driver.Error)):
            cls.from_handle(bad, **more)
    if name != 'Device' and name != 'Stream':
        with pytest.raises((ValueError, driver.Error)):
            cls.from_handle(0, **more)
    with pytest.raises(TypeError):
        cls.from_handle()


def test_host_memory_of_others(device):
    ours = driver.pagelocked_empty(1024, np.int32)
    ours[:] = np.arange(1024)
    same = driver.HostAllocation.from_handle(ours.base.handle, ours)
    view = _core.array_over(same, (1024,), np.int32)
    np.testing.assert_array_equal(view, ours)
    assert same.get_device_pointer() == ours.base.get_device_pointer()
    writecombined = driver.host_alloc_flags.WRITECOMBINED
    assert same.get_flags() & writecombined == 0
    part = driver.HostAllocation.from_handle(ours.base.handle + 8, size=16)
    assert memoryview(part).nbytes == 16
    same.free()
    with pytest.raises(driver.LogicError, match='freed'):
        same.handle  # noqa: B018
    with pytest.raises(driver.Error, match='invalid resource handle'):
        same.free()
    assert ours[1023] == 1023  # still there
    with pytest.raises(driver.Error, match='page-locked memory'):
        driver.HostAllocation.from_handle(np.zeros(4096, np.int8).ctypes.data)
    with pytest.raises(driver.Error, match='page-locked memory, not'):
        driver.HostAllocation.from_handle(ours.base.handle, size=1 << 40)


def test_registered_memory_of_others(device):
    memory = driver.aligned_empty(8192, np.uint8)
    with driver.RegisteredHostMemory(memory) as registered:
        same = driver.RegisteredHostMemory.from_handle(registered.handle, memory)
        assert same.base is memory
        assert same.get_device_pointer() == registered.get_device_pointer()
        same.unregister()
        assert registered.get_device_pointer() > 0  # still registered
        assert driver.RegisteredHostMemory.from_handle(registered.handle).base is None
    with pytest.raises(driver.LogicError, match='unregistered'):
        registered.handle  # noqa: B018
    with pytest.raises(driver.Error, match='not in page-locked memory'):
        driver.RegisteredHostMemory.from_handle(memory.ctypes.data)


def test_plain_memory_of_others_needs_its_size(device):
    memory = np.arange(64, dtype=np.uint8)
    with pytest.raises(TypeError, match='size'):
        driver.AlignedHostAllocation.from_handle(memory.ctypes.data, memory)
    same = driver.AlignedHostAllocation.from_handle(memory.ctypes.data, memory, size=64)
    np.testing.assert_array_equal(_core.array_over(same, (64,), np.uint8), memory)
    same.free()
    assert memory[63] == 63


def test_a_node_is_of_its_graph(device):
    graph, other = _graph(), _graph()
    node = graph.nodes[0]
    assert driver.GraphNode.from_handle(node.handle, graph) is node
    with pytest.raises(driver.Error, match='no node'):
        driver.GraphNode.from_handle(node.handle, other)
    with pytest.raises(TypeError, match='Graph'):
        driver.GraphNode.from_handle(node.handle, 'graph')

"""Graphs: by nodes, by captures; launched, changed, and what they keep alive."""

import gc
import threading
import weakref

import numpy as np
import pytest
from runcu import driver
from runcu.compiler import SourceModule
from runcu.driver import Event, Graph, GraphExec, Stream

SOURCE = """
__global__ void add(int *p, int n) { p[threadIdx.x] += n; }
__global__ void scale(int *p, int n) { p[threadIdx.x] *= n; }
"""


@pytest.fixture
def mod(device):
    mod = SourceModule(SOURCE)
    yield mod
    gc.collect()


@pytest.fixture
def memory(device):
    return driver.to_device(np.arange(4, dtype=np.int32))


def read(memory):
    return driver.from_device(memory, 4, np.int32).tolist()


def run(exec_):
    with Stream(flags=1) as stream:
        exec_.launch(stream)
        stream.synchronize()


def test_a_graph_of_every_kind_of_node(mod, memory):
    seen = []
    out = np.zeros(4, np.int32)
    source = np.arange(4, dtype=np.int32)
    before, after = Event(), Event()
    with Graph() as graph, Graph() as inner:
        inner.add_kernel(mod.get_function('scale'), memory, 10, block=4)
        waited = graph.add_wait(before)
        up = graph.add_copy(memory, source, after=waited)
        add = graph.add_kernel(mod.get_function('add'), memory, 1, block=(4, 1, 1), after=up)
        scaled = graph.add_graph(inner, after=[add])
        down = graph.add_copy(out, memory, after=scaled)
        called = graph.add_callback(
            lambda text: seen.append((text, out.tolist())), 'hi', after=down
        )
        done = graph.add_empty(after=(down, called))
        graph.add_record(after, after=done)
        types = [node.type for node in graph.nodes]
        assert types == ['wait', 'copy', 'kernel', 'graph', 'copy', 'callback', 'empty', 'record']
        with graph.instantiate() as exec_:
            run(exec_)
            run(exec_)
    assert after.query()
    assert out.tolist() == [10, 20, 30, 40]
    assert seen == [('hi', [10, 20, 30, 40])] * 2


def test_memsets(device):
    memory = driver.mem_alloc(16)
    with Graph() as graph:
        first = graph.add_memset(memory, 0x01020304, 4, width=4)
        graph.add_memset(memory, 0xFF, 1, rows=4, pitch=4, after=first)
        run(graph.instantiate())
    assert read(memory) == [0x010203FF] * 4


def test_a_captured_stream_does_nothing_until_the_launch(mod, memory):
    add = mod.get_function('add')
    add(memory, 0, block=(4, 1, 1))
    out = np.zeros(4, np.int32)
    with Stream(flags=1) as stream:
        assert stream.capture_status == 'none'
        with Graph.capture(stream) as graph:
            assert stream.capture_status == 'active'
            add(memory, 5, block=(4, 1, 1), stream=stream)
            add[1, 4, stream](memory, 5)
            driver.memcpy_dtoh_async(out, memory, stream)
        assert stream.capture_status == 'none'
        stream.synchronize()
        assert read(memory) == [0, 1, 2, 3]
        assert [node.type for node in graph.nodes] == ['kernel', 'kernel', 'copy']
        exec_ = graph.instantiate()
        for _ in range(3):
            exec_.launch(stream)
        stream.synchronize()
    assert read(memory) == out.tolist() == [30, 31, 32, 33]


def test_captures_by_begin_and_end(mod, memory):
    add = mod.get_function('add')
    add(memory, 0, block=(4, 1, 1))
    with Stream(flags=1) as a, Stream(flags=1) as b, Event() as fork, Event() as join:
        a.begin_capture('thread_local')
        add(memory, 1, block=(4, 1, 1), stream=a)
        b.wait_for_event(fork.record(a))
        assert b.capture_status == 'active'
        add(memory, 2, block=(4, 1, 1), stream=b)
        a.wait_for_event(join.record(b))
        graph = a.end_capture()
        assert len(graph.nodes) == 2
        assert graph.edges == [tuple(graph.nodes)]
        run(graph.instantiate())
    assert read(memory) == [3, 4, 5, 6]


def test_external_events_are_nodes(device):
    event = Event()
    with Stream(flags=1) as stream:
        with Graph.capture(stream) as graph:
            stream.wait_for_event(event, external=True)
            event.record(stream, external=True)
        assert [node.type for node in graph.nodes] == ['wait', 'record']
        graph.instantiate().launch(stream)
        event.synchronize()


def test_callbacks_are_captured(device):
    seen = []
    with Stream(flags=1) as stream:
        with Graph.capture(stream) as graph:
            stream.add_callback(seen.append, 7)
        exec_ = graph.instantiate()
        del graph
        gc.collect()
        assert seen == []
        for _ in range(3):
            exec_.launch(stream)
        stream.synchronize()
    assert seen == [7, 7, 7]


def test_a_lost_capture(mod, memory):
    with Stream(flags=1) as stream:
        with pytest.raises(driver.LogicError, match='capturing'), Graph.capture(stream) as graph:
            stream.synchronize()
        with pytest.raises(driver.LogicError, match='capture'):
            graph.instantiate()
        stream.begin_capture()
        with pytest.raises(driver.LogicError):
            stream.is_done()
        assert stream.capture_status == 'lost'
        with pytest.raises(driver.LogicError, match='previous error'):
            stream.end_capture()
        assert stream.capture_status == 'none'
        stream.synchronize()


def test_an_exception_in_the_block_ends_the_capture(device):
    with Stream(flags=1) as stream:
        with pytest.raises(ZeroDivisionError), Graph.capture(stream):
            raise ZeroDivisionError
        assert stream.capture_status == 'none'
        stream.synchronize()


def test_captures_that_cannot_begin_or_end(device):
    with pytest.raises(driver.LogicError):
        driver.LEGACY_DEFAULT_STREAM.begin_capture()
    with Stream() as stream:
        with pytest.raises(driver.LogicError, match='cuStreamEndCapture'):
            stream.end_capture()
        with pytest.raises(ValueError, match='relaxed'):
            stream.begin_capture('whatever')
        with pytest.raises(TypeError):
            stream.begin_capture(1)
        with pytest.raises(TypeError, match='Stream'):
            Graph.capture(None)


def test_rubbish_that_goes_meanwhile_loses_no_capture(mod, memory):
    add = mod.get_function('add')
    add(memory, 0, block=(4, 1, 1))
    spare = [driver.mem_alloc(64), Event(), Stream()]
    with Stream(flags=1) as stream:
        with Graph.capture(stream) as graph:
            add(memory, 5, block=(4, 1, 1), stream=stream)
            spare.clear()
            gc.collect()
            add(memory, 5, block=(4, 1, 1), stream=stream)
        run(graph.instantiate())
    assert read(memory) == [10, 11, 12, 13]


# --- what is kept alive ---


def test_a_node_keeps_what_it_uses(mod):
    memory = driver.to_device(np.arange(4, dtype=np.int32))
    source = np.full(4, 9, np.int32)
    memory_is_alive = weakref.ref(memory)
    source_is_alive = weakref.ref(source)
    graph = Graph()
    node = graph.add_copy(memory, source)
    graph.add_kernel(mod.get_function('add'), memory, 1, block=4, after=node)
    del memory, source
    gc.collect()
    assert memory_is_alive() is not None
    assert source_is_alive() is not None
    exec_ = graph.instantiate()
    graph.close()
    del graph, node
    gc.collect()
    run(exec_)
    assert read(memory_is_alive()) == [10] * 4
    exec_.close()
    driver.Context.synchronize()
    Stream().synchronize()
    gc.collect()
    assert memory_is_alive() is None
    assert source_is_alive() is None


def test_a_capture_keeps_what_it_uses(mod):
    add = mod.get_function('add')
    memory, other = driver.mem_alloc(16), driver.mem_alloc(16)
    out = np.zeros(4, np.int32)
    add(memory, 0, block=(4, 1, 1))
    alive = [weakref.ref(memory), weakref.ref(other), weakref.ref(out)]
    with Stream(flags=1) as stream:
        with Graph.capture(stream) as graph:
            driver.memset_d32_async(memory, 3, 4, stream)
            add(memory, 4, block=(4, 1, 1), stream=stream)
            driver.memcpy_dtod_async(other, memory, 16, stream)
            driver.memcpy_dtoh_async(out, other, stream)
        del memory, other, out
        gc.collect()
        assert all(ref() is not None for ref in alive)
        run(graph.instantiate())
        assert alive[2]().tolist() == [7] * 4
        graph.close()
        del graph
        driver.Context.synchronize()
        stream.synchronize()
    gc.collect()
    assert [ref() is None for ref in alive] == [True] * 3


def test_an_update_lets_the_old_go(mod):
    first, second = driver.mem_alloc(16), driver.mem_alloc(16)
    alive = weakref.ref(first)

    def graph_of(memory):
        graph = Graph()
        graph.add_memset(memory, 1, 16)
        return graph

    exec_ = graph_of(first).instantiate()
    run(exec_)
    exec_.update(graph_of(second))
    del first
    run(exec_)
    Stream().synchronize()
    gc.collect()
    # the graph it was made of is kept for its nodes
    assert driver.from_device(second, 16, np.uint8).tolist() == [1] * 16
    exec_.close()
    Stream().synchronize()
    gc.collect()
    assert alive() is None


def test_host_memory_lives_until_a_launch_in_flight_is_over(mod):
    size = 1 << 22
    memory = driver.mem_alloc(size)
    source = np.full(size, 7, np.uint8)
    alive = weakref.ref(source)
    with Stream(flags=1) as stream, Graph() as graph:
        graph.add_copy(memory, source)
        gate = threading.Event()
        stream.add_callback(gate.wait, 10)
        exec_ = graph.instantiate()
        exec_.launch(stream)
        graph.close()
        exec_.close()
        del exec_, source
        gc.collect()
        assert alive() is not None
        gate.set()
        stream.synchronize()
        gc.collect()
        assert alive() is None
    assert (driver.from_device(memory, size, np.uint8) == 7).all()


# --- changes ---


def test_nodes_of_a_launchable_graph_are_changed(mod, memory):
    seen = []
    out, other = np.zeros(4, np.int32), np.zeros(4, np.int32)
    add, scale = mod.get_function('add'), mod.get_function('scale')
    graph = Graph()
    fill = graph.add_memset(memory, 1, 4, width=4)
    kernel = graph.add_kernel(add, memory, 5, block=4, after=fill)
    copy = graph.add_copy(out, memory, after=kernel)
    call = graph.add_callback(seen.append, 1, after=copy)
    exec_ = graph.instantiate()
    run(exec_)
    assert out.tolist() == [6] * 4
    exec_.set_memset(fill, memory, 3, 4, 4)
    exec_.set_kernel(kernel, add, memory, 7, block=4)
    exec_.set_copy(copy, other, memory)
    exec_.set_callback(call, seen.append, 2)
    exec_.upload()
    run(exec_)
    assert other.tolist() == [10] * 4
    assert out.tolist() == [6] * 4
    assert seen == [1, 2]
    with pytest.raises(driver.LogicError):
        exec_.set_memset(kernel, memory, 3, 4, 4)
    with pytest.raises(driver.Error, match='another graph'):
        exec_.set_memset(Graph().add_empty(), memory, 3, 4, 4)
    assert scale is not None


def test_nodes_of_a_graph_are_changed(mod, memory):
    seen = []
    out, other = np.zeros(4, np.int32), np.zeros(4, np.int32)
    add = mod.get_function('add')
    graph = Graph()
    fill = graph.add_memset(memory, 1, 4, width=4)
    kernel = graph.add_kernel(add, memory, 5, block=4, after=fill)
    copy = graph.add_copy(out, memory, after=kernel)
    call = graph.add_callback(seen.append, 1, after=copy)
    before = graph.instantiate()
    graph.set_memset(fill, memory, 3, 4, 4)
    graph.set_kernel(kernel, add, memory, 7, block=4)
    graph.set_copy(copy, other, memory)
    graph.set_callback(call, seen.append, 2)
    run(graph.instantiate())
    assert other.tolist() == [10] * 4
    run(before)  # as it was made
    assert out.tolist() == [6] * 4
    assert seen == [2, 1]
    third = np.zeros(4, np.int32)
    gone = weakref.ref(third)
    graph.set_copy(copy, third, memory)
    del third
    gc.collect()
    assert gone() is not None, 'the graph keeps what its nodes use'
    graph.set_copy(copy, out, memory)
    gc.collect()
    assert gone() is None
    with pytest.raises(driver.LogicError):
        graph.set_memset(kernel, memory, 3, 4, 4)
    with pytest.raises(driver.Error, match='another graph'):
        graph.set_memset(Graph().add_empty(), memory, 3, 4, 4)
    with pytest.raises(TypeError):
        graph.set_kernel(kernel)
    with pytest.raises(TypeError):
        graph.set_callback(call)


def test_an_update_of_another_shape_says_so(mod, memory):
    add = mod.get_function('add')
    first, second = Graph(), Graph()
    first.add_kernel(add, memory, 1, block=4)
    second.add_kernel(add, memory, 100, block=4)
    exec_ = first.instantiate()
    exec_.update(second)
    run(exec_)
    assert read(memory) == [100, 101, 102, 103]
    second.add_empty()
    with pytest.raises(driver.LogicError, match='nodes and edges'):
        exec_.update(second)
    run(exec_)
    assert read(memory) == [200, 201, 202, 203]


def test_nodes_and_edges(device):
    graph = Graph()
    a, b = graph.add_empty(), graph.add_empty()
    assert graph.edges == []
    graph.add_edge(a, b)
    assert graph.edges == [(a, b)]
    assert a.dependents == [b]
    assert b.dependencies == [a]
    assert a.dependencies == []
    assert graph.nodes == [a, b]
    assert a.graph is graph
    assert a.handle != b.handle
    copy = graph.clone()
    graph.remove_edge(a, b)
    assert graph.edges == []
    with pytest.raises(driver.LogicError):
        graph.remove_edge(a, b)
    a.remove()
    assert graph.nodes == [b]
    for use in (lambda: a.type, lambda: a.handle, a.remove, lambda: graph.add_empty(after=a)):
        with pytest.raises(driver.LogicError, match='removed'):
            use()
    assert len(copy.edges) == 1
    with pytest.raises(driver.Error, match='another graph'):
        copy.add_empty(after=b)


def test_edges_that_go_round(device):
    graph = Graph()
    a = graph.add_empty()
    b = graph.add_empty(after=a)
    with pytest.raises(driver.LogicError):
        graph.add_edge(b, a)
        graph.instantiate()


def test_a_picture(mod, memory, tmp_path):
    graph = Graph()
    node = graph.add_kernel(mod.get_function('add'), memory, 1, block=4)
    graph.add_empty(after=node)
    graph.print_dot(tmp_path / 'graph.dot')
    text = (tmp_path / 'graph.dot').read_text()
    assert text.startswith('digraph')
    assert '->' in text
    with pytest.raises(driver.Error):
        graph.print_dot(tmp_path / 'no' / 'such' / 'folder.dot')


# --- errors ---


def test_kernel_arguments_are_checked(mod, memory):
    add = mod.get_function('add')
    graph = Graph()
    with pytest.raises((TypeError, driver.Error), match='takes 2 arguments'):
        graph.add_kernel(add, memory, block=4)
    with pytest.raises((TypeError, ValueError, OverflowError, driver.Error)):
        graph.add_kernel(add, memory, 1 << 40, block=4)
    with pytest.raises(driver.Error, match='host memory'):
        graph.add_kernel(add, driver.InOut(np.zeros(4, np.int32)), 1, block=4)
    with pytest.raises(ValueError, match='block'):
        graph.add_kernel(add, memory, 1)
    with pytest.raises(driver.Error, match='4096'):
        graph.add_kernel(add, memory, 1, block=4096)
    with pytest.raises(TypeError, match='unexpected'):
        graph.add_kernel(add, memory, 1, block=4, stream=None)
    with pytest.raises(TypeError, match='Function'):
        graph.add_kernel(memory, 1, block=4)
    with pytest.raises(TypeError):
        graph.add_kernel()
    assert graph.nodes == []
    memory.free()
    with pytest.raises(driver.LogicError, match='freed'):
        graph.add_kernel(add, memory, 1, block=4)


def test_other_arguments_are_checked(memory):
    graph = Graph()
    small = np.zeros(2, np.int32)
    bad = [
        lambda: graph.add_copy(memory, memory),
        lambda: graph.add_copy(memory),
        lambda: graph.add_memset(memory, 0, 4, width=3),
        lambda: graph.add_memset(memory, 256, 4),
        lambda: graph.add_memset(memory, 0, 0),
        lambda: graph.add_memset('x', 0, 4),
        lambda: graph.add_callback(),
        lambda: graph.add_callback(5),
        lambda: graph.add_callback(print, block=4),
        lambda: graph.add_record(None),
        lambda: graph.add_wait(graph),
        lambda: graph.add_graph(None),
        lambda: graph.add_graph(graph),
        lambda: graph.add_empty(after=5),
        lambda: graph.add_empty(after=[None]),
        lambda: graph.add_copy(small, memory, 16),
        lambda: graph.add_edge(None, None),
        lambda: Graph(1),
        lambda: Graph.from_handle(0),
        lambda: Graph.from_handle('x'),
        lambda: GraphExec.from_handle(0),
        lambda: GraphExec(),
        lambda: graph.instantiate().update(None),
        lambda: graph.instantiate().launch('x'),
    ]
    for i, call in enumerate(bad):
        with pytest.raises((TypeError, ValueError, OverflowError, driver.Error)):
            call()
            pytest.fail(f'number {i} was taken')
    assert graph.nodes == []


def test_closed_graphs_say_so(memory):
    with Graph() as graph:
        node = graph.add_memset(memory, 0, 4)
        exec_ = graph.instantiate()
    uses = [
        graph.add_empty,
        graph.instantiate,
        graph.clone,
        lambda: graph.nodes,
        lambda: graph.edges,
        lambda: graph.handle,
        lambda: node.type,
        lambda: exec_.set_memset(node, memory, 0, 4),
    ]
    for use in uses:
        with pytest.raises(driver.LogicError, match='closed|freed'):
            use()
    run(exec_)
    with exec_:
        pass
    for use in (exec_.launch, exec_.upload, lambda: exec_.handle, lambda: exec_.update(Graph())):
        with pytest.raises(driver.LogicError, match='closed|freed'):
            use()


def test_handles(memory):
    class Owner:
        pass

    owner = Owner()
    alive = weakref.ref(owner)
    graph = Graph()
    graph.add_memset(memory, 1, 16)
    exec_ = graph.instantiate()
    same = Graph.from_handle(graph.handle, owner=owner)
    same_exec = GraphExec.from_handle(exec_.handle, owner)
    del owner
    assert same.handle == graph.handle
    assert [node.type for node in same.nodes] == ['memset']
    same.close()
    run(same_exec)
    assert read(memory) == [0x01010101] * 4
    same_exec.close()
    assert alive() is not None
    del same, same_exec
    gc.collect()
    assert alive() is None
    assert len(graph.nodes) == 1  # still there
    run(exec_)


def test_many_threads_launch_one_graph(mod):
    memory = driver.to_device(np.zeros(4, np.int32))
    graph = Graph()
    graph.add_kernel(mod.get_function('add'), memory, 1, block=4)
    exec_ = graph.instantiate()
    context = driver.Context.get_current()

    def work():
        context.push()
        try:
            with Stream(flags=1) as stream:
                for _ in range(50):
                    exec_.launch(stream)
                stream.synchronize()
        finally:
            driver.Context.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(memory) == [400] * 4


def test_graphs_with_python_functions_and_a_full_queue(device):
    gate = threading.Event()
    counts = []
    graph = Graph()
    graph.add_callback(gate.wait, 10)
    graph.add_callback(counts.append, 1)
    exec_ = graph.instantiate()
    with Stream(flags=1) as stream:
        opener = threading.Timer(0.2, gate.set)
        opener.start()
        for _ in range(1500):
            exec_.launch(stream)
        stream.synchronize()
        opener.join()
    assert len(counts) == 1500

"""The C part of runcu. Its classes are attributes of `runcu.driver` and `runcu.compiler`."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, Final, Literal, SupportsIndex, final

import numpy as np
from typing_extensions import Buffer, Self

from ._module import Globals

#: What stands for a device address: a DeviceAllocation, an int, a PointerHolderBase, an array with
#: __cuda_array_interface__ or gpudata.
_Address = Any
#: Block or grid: one to three extents.
_Shape = SupportsIndex | Sequence[SupportsIndex]
#: Nodes that another one comes after: a GraphNode, several, or None.
_Nodes = Any
#: A Stream, None for the legacy default stream, a CUstream as an int, or another library's stream:
#: an object with __cuda_stream__, torch's (cuda_stream), CuPy's (ptr).
_Stream = Any

class Device:
    """A device.

    Attributes of the device are Python attributes too, in lower case: ``dev.warp_size``.
    """

    def __new__(cls, device: Device | str | SupportsIndex | None = None) -> Self:
        """A device.

        Parameters
        ----------
        device : int or str, optional
            Number of a device of the default driver; "cpu", "cuda" or "cuda:1"; or a PCI bus id.
            By default what CUDA_DEVICE or ~/.cuda_device names, else the first one.
        """
    @property
    def driver(self) -> str:
        """ "cuda", "cpu" or the path of the driver's library."""
    @property
    def ordinal(self) -> int:
        """Its number among the driver's devices."""
    @property
    def handle(self) -> int:
        """The CUdevice."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """The device of the default driver with that CUdevice. `owner` is kept alive."""
    @property
    def is_cpu(self) -> bool:
        """True for the CPU device."""
    @staticmethod
    def count(driver: str | None = None, /) -> int:
        """Number of devices of a driver: "cuda", "cpu", or None for the default one."""
    def name(self) -> str: ...
    def pci_bus_id(self) -> str:
        """Domain, bus and device: "0000:3B:00.0"."""
    def uuid(self) -> bytes:
        """The 16 bytes by which every process knows the device."""
    def total_memory(self) -> int:
        """Bytes of memory."""
    def compute_capability(self) -> tuple[int, int]:
        """Major and minor number: (9, 0)."""
    def get_attribute(self, attribute: SupportsIndex, /) -> int:
        """The value of a device_attribute: an int, or a compute_mode."""
    def make_context(self, flags: SupportsIndex = 0) -> Context:
        """A new context, which becomes this thread's current one. `flags`: of ctx_flags."""
    def retain_primary_context(self) -> Context:
        """The context that the CUDA runtime, torch and CuPy share; it is not made current."""
    def can_access_peer(self, peer: Device, /) -> bool:
        """Whether kernels here can reach the memory of another device."""
    def __getattribute__(self, name: str, /) -> Any: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: object, /) -> bool: ...
    def __le__(self, other: object, /) -> bool: ...
    def __gt__(self, other: object, /) -> bool: ...
    def __ge__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __repr__(self) -> str: ...

class Context:
    """A context: what lives on a device. `with` pushes it and pops it again."""

    @property
    def handle(self) -> int:
        """The CUcontext."""
    @property
    def is_alive(self) -> bool:
        """False once it has been detached."""
    @property
    def device(self) -> Device: ...
    def push(self) -> None:
        """Makes it this thread's current context, on top of the earlier one."""
    def detach(self) -> None:
        """Destroys it now, whatever objects of it exist.

        Of a primary context it gives up this object's hold; the context ends with the last hold of
        this and other libraries.
        """
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """The context of the current driver with that CUcontext, which must exist.

        It is never destroyed through this object; `owner` is kept alive.
        """
    def get_api_version(self) -> int:
        """The version of the driver API that it was made with."""
    @staticmethod
    def pop() -> None:
        """Takes the current context off this thread's stack; the one beneath becomes current."""
    @staticmethod
    def attach(flags: SupportsIndex = 0, /) -> Context:
        """The current context, made if there is none."""
    @staticmethod
    def get_current() -> Context | None:
        """The current context of this thread, or None."""
    @staticmethod
    def get_device() -> Device:
        """The current context's device."""
    @staticmethod
    def synchronize() -> None:
        """Waits for all work of the current context; what kernels did wrong is raised here."""
    @staticmethod
    def set_limit(limit: SupportsIndex, value: SupportsIndex) -> None: ...
    @staticmethod
    def get_limit(limit: SupportsIndex, /) -> int: ...
    @staticmethod
    def set_cache_config(config: SupportsIndex, /) -> None: ...
    @staticmethod
    def get_cache_config() -> int: ...
    @staticmethod
    def set_shared_config(config: SupportsIndex, /) -> None:
        """Accepts one of shared_config; banks are 4 bytes wide on every device of today."""
    @staticmethod
    def get_shared_config() -> int:
        """The width of the banks of shared memory: one of shared_config."""
    @staticmethod
    def enable_peer_access(peer: Context, flags: SupportsIndex = 0) -> None:
        """Lets kernels of the current context reach memory of a Context of another device.

        Raises
        ------
        LogicError
            The devices cannot (see `Device.can_access_peer`), or it is allowed already.
        """
    @staticmethod
    def disable_peer_access(peer: Context, /) -> None:
        """Ends what enable_peer_access allowed."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: object, /) -> bool: ...
    def __le__(self, other: object, /) -> bool: ...
    def __gt__(self, other: object, /) -> bool: ...
    def __ge__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __repr__(self) -> str: ...

class Stream:
    """A queue of work of the current context. A `with` block closes it at its end."""

    def __new__(cls, flags: SupportsIndex = 0, priority: SupportsIndex = 0) -> Self:
        """A new stream.

        Parameters
        ----------
        flags : int
            0, or 1 for a stream that does not wait for the default stream.
        priority : int
            0, or a negative number for a higher one (priority_range).
        """
    @classmethod
    def from_handle(cls, handle: int, owner: object = None) -> Self:
        """A stream of another library.

        Parameters
        ----------
        handle : int
            A CUstream, which is never destroyed through this object; 1 is the legacy default
            stream, 2 each thread's own default stream.
        owner : object
            Kept alive as long as this object.
        """
    @classmethod
    def priority_range(cls) -> tuple[int, int]:
        """The lowest and the highest priority of streams of the current context: (0, -5)."""
    @property
    def handle(self) -> int:
        """The CUstream."""
    @property
    def flags(self) -> int:
        """1 if it does not wait for the legacy default stream, else 0."""
    @property
    def priority(self) -> int:
        """0, or a negative number for a higher one."""
    @property
    def context(self) -> Context:
        """The Context it belongs to."""
    def synchronize(self) -> None:
        """Waits until all its work so far is done."""
    def is_done(self) -> bool:
        """True when all its work so far is done."""
    def wait_for_event(self, event: Event, *, external: bool = False) -> None:
        """Later work of the stream waits for the event.

        Parameters
        ----------
        event : Event
            What to wait for; one that was never recorded has happened.
        external : bool
            While the stream is being captured: the graph waits for the event, each time it runs.
        """
    @property
    def capture_status(self) -> str:
        """ "none", "active", or "lost" where a call has been made that a capture forbids."""
    def begin_capture(self, mode: str = 'global') -> None:
        """From now on work given to the stream becomes nodes of a graph, until end_capture.

        `mode`: as in Graph.capture. Streams that wait for events of this one take part, and must be
        waited for before the end.
        """
    def end_capture(self) -> Graph:
        """Ends the capture: the Graph, which holds what its nodes use."""
    def close(self) -> None:
        """Destroys the stream; work in it goes on. Later uses fail. Default streams stay."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def add_callback(self, function: Callable[..., object], /, *args: object) -> None:
        """Calls ``function(*args)`` once earlier work is done; later work waits for it.

        The call comes on a thread of the driver, once. Function and arguments are kept until it is
        over. It must not use the device, nor wait for what does. What it raises is reported by
        sys.unraisablehook. At the interpreter's end queued calls are waited for.
        """
    def __cuda_stream__(self) -> tuple[int, int]:
        """Version of the protocol and the handle, for other libraries."""

class Event:
    """A point in a stream's work. Times are milliseconds. A `with` block closes it at its end."""

    def __new__(cls, flags: SupportsIndex = 0) -> Self:
        """`flags`: of event_flags; 0 measures time."""
    @classmethod
    def from_ipc_handle(cls, handle: Buffer, /) -> Self:
        """Another process's event, by the bytes of its ipc_handle()."""
    def ipc_handle(self) -> bytearray:
        """What another process of the machine needs to open the event (from_ipc_handle).

        The event needs the flags INTERPROCESS and DISABLE_TIMING.
        """
    @classmethod
    def from_handle(cls, handle: int, owner: object = None) -> Self:
        """An event of another library, of the current context.

        Parameters
        ----------
        handle : int
            A CUevent, which is never destroyed through this object.
        owner : object
            Kept alive as long as this object.
        """
    @property
    def handle(self) -> int:
        """The CUevent."""
    def record(self, stream: _Stream = None, external: bool = False) -> Self:
        """Happens once the stream's work so far is done. Returns itself.

        Parameters
        ----------
        stream : Stream, optional
            By default the legacy default stream.
        external : bool
            While the stream is being captured: the graph records the event, each time it runs.
        """
    def synchronize(self) -> Self:
        """Waits until it has happened. Returns itself."""
    def query(self) -> bool:
        """True when it has happened."""
    def time_since(self, event: Event, /) -> float:
        """Milliseconds from the other event to this one."""
    def time_till(self, event: Event, /) -> float:
        """Milliseconds from this event to the other one."""
    def close(self) -> None:
        """Destroys the event. Later uses fail; streams that wait for it still do."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

class Graph:
    """Work laid down once, by nodes or by `Graph.capture`, and launched again and again.

    A `with` block closes it at its end.
    """

    def __new__(cls) -> Self: ...
    @classmethod
    def from_handle(cls, handle: int, owner: object = None) -> Self:
        """A graph of another library (a CUgraph), never destroyed through this object; `owner` is
        kept alive."""
    @classmethod
    def capture(cls, stream: Stream, mode: str = 'global') -> GraphCapture:
        """``with Graph.capture(stream) as graph:`` makes nodes of the stream's work in the block.

        Parameters
        ----------
        stream : Stream
            Not the legacy default stream.
        mode : str
            What the program may do meanwhile that captures do not know of, such as allocating:
            nothing ("global"), nothing in this thread ("thread_local"), everything ("relaxed").
        """
    @property
    def handle(self) -> int:
        """The CUgraph."""
    @property
    def nodes(self) -> list[GraphNode]:
        """The nodes."""
    @property
    def edges(self) -> list[tuple[GraphNode, GraphNode]]:
        """Pairs of nodes: from, to."""
    def add_kernel(
        self,
        function: Function,
        /,
        *args: Any,
        block: _Shape | None = None,
        grid: _Shape = (1, 1, 1),
        shared: SupportsIndex = 0,
        threads: SupportsIndex | None = None,
        strict: bool = False,
        after: _Nodes = None,
    ) -> GraphNode:
        """Adds a launch of a kernel, with arguments checked as by its call; they are kept alive.

        `after`: a node or nodes that come before it. In, Out and InOut cannot be given.
        """
    def add_copy(
        self,
        dest: _Address | Buffer,
        src: _Address | Buffer,
        size: SupportsIndex | None = None,
        after: _Nodes = None,
    ) -> GraphNode:
        """Adds a copy of `size` bytes, by default all of a host buffer; both sides are kept
        alive."""
    def add_memset(
        self,
        dest: _Address,
        data: SupportsIndex,
        count: SupportsIndex,
        width: SupportsIndex = 1,
        rows: SupportsIndex = 1,
        pitch: SupportsIndex = 0,
        after: _Nodes = None,
    ) -> GraphNode:
        """Adds a write of `data` to `count` elements of `width` bytes (1, 2 or 4), in rows `pitch`
        bytes apart."""
    def add_callback(
        self, function: Callable[..., object], /, *args: object, after: _Nodes = None
    ) -> GraphNode:
        """Adds a call of a Python function, as Stream.add_callback."""
    def add_empty(self, after: _Nodes = None) -> GraphNode:
        """Adds a node that does nothing but wait."""
    def add_record(self, event: Event, after: _Nodes = None) -> GraphNode:
        """Adds the recording of an event."""
    def add_wait(self, event: Event, after: _Nodes = None) -> GraphNode:
        """Adds a wait for what an event recorded last."""
    def add_graph(self, graph: Graph, after: _Nodes = None) -> GraphNode:
        """Adds a copy of another graph as one node."""
    def set_kernel(
        self,
        node: GraphNode,
        function: Function,
        /,
        *args: Any,
        block: _Shape | None = None,
        grid: _Shape = (1, 1, 1),
        shared: SupportsIndex = 0,
        threads: SupportsIndex | None = None,
        strict: bool = False,
    ) -> None:
        """Changes what a kernel's node does. What has been instantiated stays as it is."""
    def set_copy(
        self,
        node: GraphNode,
        dest: _Address | Buffer,
        src: _Address | Buffer,
        size: SupportsIndex | None = None,
    ) -> None:
        """Likewise, a copy."""
    def set_memset(
        self,
        node: GraphNode,
        dest: _Address,
        data: SupportsIndex,
        count: SupportsIndex,
        width: SupportsIndex = 1,
        rows: SupportsIndex = 1,
        pitch: SupportsIndex = 0,
    ) -> None:
        """Likewise, a memset."""
    def set_callback(
        self, node: GraphNode, function: Callable[..., object], /, *args: object
    ) -> None:
        """Likewise, a callback."""
    def add_edge(self, before: GraphNode, node: GraphNode, /) -> None:
        """Makes `node` come after `before`."""
    def remove_edge(self, before: GraphNode, node: GraphNode, /) -> None:
        """Takes an edge out."""
    def clone(self) -> Graph:
        """A copy, with nodes of its own."""
    def instantiate(self) -> GraphExec:
        """A GraphExec of the graph as it is now."""
    def print_dot(self, path: str | bytes | PathLike[Any], verbose: bool = False) -> None:
        """Writes a picture in the language of Graphviz."""
    def close(self) -> None:
        """Destroys the graph; what was made launchable of it stays."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

class GraphNode:
    """A step of a graph: what the add_ methods of Graph give."""

    @property
    def type(self) -> str:
        """ "kernel", "copy", "memset", "callback", "graph", "empty", "wait" or "record"."""
    @property
    def dependencies(self) -> list[GraphNode]:
        """The nodes right before it."""
    @property
    def dependents(self) -> list[GraphNode]:
        """The nodes right after it."""
    @property
    def graph(self) -> Graph:
        """The Graph it is of."""
    @classmethod
    def from_handle(cls, handle: int, owner: Graph) -> GraphNode:
        """The node of the Graph `owner` with that CUgraphNode."""
    @property
    def handle(self) -> int:
        """The CUgraphNode."""
    def remove(self) -> None:
        """Takes the node out of its graph, with its edges."""

class GraphExec:
    """A graph that can be launched: what Graph.instantiate gives. A `with` block closes it."""

    @classmethod
    def from_handle(cls, handle: int, owner: object = None) -> Self:
        """A launchable graph of another library (a CUgraphExec), never destroyed through this
        object; `owner` is kept alive."""
    @property
    def handle(self) -> int:
        """The CUgraphExec."""
    def launch(self, stream: _Stream = None) -> None:
        """Launches the graph as one piece of work of the stream. Launches of one graph come after
        each other."""
    def upload(self, stream: _Stream = None) -> None:
        """Prepares the first launch."""
    def update(self, graph: Graph, /) -> None:
        """Later launches do what the other graph's nodes do, which must be as many, of the same
        kinds, with the same edges."""
    def set_kernel(
        self,
        node: GraphNode,
        function: Function,
        /,
        *args: Any,
        block: _Shape | None = None,
        grid: _Shape = (1, 1, 1),
        shared: SupportsIndex = 0,
        threads: SupportsIndex | None = None,
        strict: bool = False,
    ) -> None:
        """Changes what a kernel's node does in later launches; `node` is of the graph it was made
        of."""
    def set_copy(
        self,
        node: GraphNode,
        dest: _Address | Buffer,
        src: _Address | Buffer,
        size: SupportsIndex | None = None,
    ) -> None:
        """Likewise, a copy."""
    def set_memset(
        self,
        node: GraphNode,
        dest: _Address,
        data: SupportsIndex,
        count: SupportsIndex,
        width: SupportsIndex = 1,
        rows: SupportsIndex = 1,
        pitch: SupportsIndex = 0,
    ) -> None:
        """Likewise, a memset."""
    def set_callback(
        self, node: GraphNode, function: Callable[..., object], /, *args: object
    ) -> None:
        """Likewise, a callback."""
    def close(self) -> None:
        """Destroys the launchable graph; what has been launched goes on."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

class GraphCapture:
    """A capture for a `with` block: what Graph.capture gives."""

    def __enter__(self) -> Graph:
        """Begins the capture; gives the Graph that it will become."""
    def __exit__(self, *args: object) -> Literal[False]:
        """Ends the capture."""

class DeviceAllocation:
    """Device memory, freed with its last reference. int() of it is its address."""

    @classmethod
    def from_handle(cls, handle: int, owner: object = None) -> Self:
        """Memory of somebody else, which is never freed through this object.

        Parameters
        ----------
        handle : int
            A CUdeviceptr. `size` is what is left of its allocation from there on, 0 where the
            driver cannot tell.
        owner : object
            Kept alive as long as this object.
        """
    @property
    def handle(self) -> int:
        """The CUdeviceptr as an int."""
    def __enter__(self) -> Self:
        """The allocation itself."""
    def __exit__(self, *args: object) -> None:
        """Frees the memory, if that has not been done."""
    @property
    def size(self) -> int:
        """Bytes."""
    def free(self) -> None:
        """Frees the memory now. A second time is an error."""
    def free_async(self, stream: _Stream = None) -> None:
        """Frees memory of mem_alloc_async when the stream gets there.

        The object is done with now.
        """
    def as_buffer(self, size: SupportsIndex, offset: SupportsIndex = 0) -> memoryview:
        """A memoryview of the device memory.

        For libraries that understand device addresses (MPI) and for devices whose memory the host
        can reach. On other devices reading it ends the process, as reading any device address does.
        """
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Its bytes by version 3 of the protocol.

        Memory of the CPU device has none, but `__dlpack__`.
        """
    def __dlpack__(
        self,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A DLPack capsule of its bytes: a one-dimensional array of uint8 that keeps the memory."""
    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's device: a pair of a type and a number."""
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def __repr__(self) -> str: ...

class ManagedAllocation(DeviceAllocation):
    """Memory that host and device reach at the same address and the driver moves.

    A DeviceAllocation in all else.
    """

    def __new__(cls, bytes: SupportsIndex, flags: SupportsIndex = 0) -> Self:
        """`flags`: of mem_attach_flags, 0 is GLOBAL."""
    def get_device_pointer(self) -> int:
        """Its address, for host and device alike."""
    def attach(self, mem_flags: SupportsIndex, stream: _Stream = None) -> None:
        """Says who may use the memory from the stream's next work on.

        One of mem_attach_flags, of which SINGLE is that stream alone.
        """
    def prefetch(self, device: Device | None, stream: _Stream = None) -> None:
        """Moves the memory to a Device, or to the host (None), when the stream gets there."""
    def advise(self, advice: SupportsIndex, device: Device | None = None) -> None:
        """Tells the driver how the memory will be used.

        One of mem_advise, by a Device or the host (None).
        """

class IPCMemoryHandle(DeviceAllocation):
    """Device memory of another process, which has to stay meanwhile.

    A DeviceAllocation in all else.
    """

    def __new__(cls, handle: Buffer, flags: SupportsIndex = 0) -> Self:
        """Opens the memory.

        Parameters
        ----------
        handle : bytes-like
            From the other process's mem_get_ipc_handle.
        flags : int
            Of ipc_mem_flags; 0 is LAZY_ENABLE_PEER_ACCESS.
        """
    def close(self) -> None:
        """Closes the memory now; it stays the other process's. A second time is an error."""

class MemoryPool:
    """A pool of the driver's that memory in the order of streams comes from."""

    def __new__(cls, device: Device | None = None, max_size: SupportsIndex = 0) -> Self:
        """A new pool.

        Parameters
        ----------
        device : Device, optional
            Without it the current one.
        max_size : int
            Bytes; 0 is the driver's limit.
        """
    @classmethod
    def default(cls, device: Device | None = None, /) -> Self:
        """The pool that a device (None: the current one) always has."""
    @classmethod
    def current(cls, device: Device | None = None, /) -> Self:
        """The pool that a device (None: the current one) uses at present."""
    @classmethod
    def from_handle(cls, handle: int, owner: object = None) -> Self:
        """A pool of somebody else by its CUmemoryPool, on the current device.

        It is never destroyed through this object. `owner` is kept alive as long.
        """
    @property
    def handle(self) -> int:
        """The CUmemoryPool as an int."""
    @property
    def device(self) -> Device:
        """The Device."""
    release_threshold: int
    """Bytes that the pool may keep when the program waits for the device; 0 at first."""
    @property
    def reserved(self) -> int:
        """Bytes that the pool has from the device."""
    reserved_high: int
    """The most there ever were; 0 starts anew."""
    @property
    def used(self) -> int:
        """Bytes that are allocated."""
    used_high: int
    """The most there ever were; 0 starts anew."""
    def make_current(self) -> None:
        """Makes it the pool that its device uses."""
    def allocate(self, size: SupportsIndex, stream: _Stream = None) -> DeviceAllocation:
        """Memory of this pool; as mem_alloc_async."""
    def trim(self, keep: SupportsIndex = 0) -> None:
        """Gives the device back what is kept beyond `keep` bytes and nobody uses."""
    def close(self) -> None:
        """Destroys the pool; its memory goes as it is freed."""
    def __enter__(self) -> Self:
        """The pool itself."""
    def __exit__(self, *args: object) -> None:
        """Closes the pool."""

class PhysicalMemory:
    """Memory of a device that has no address yet."""

    def __new__(
        cls, size: SupportsIndex, device: Device | None = None, exportable: bool = False
    ) -> Self:
        """Of `device`, or the current one. `size`: a multiple of mem_granularity()."""
    @classmethod
    def from_fd(
        cls, fd: SupportsIndex, size: SupportsIndex, device: Device | None = None
    ) -> Self:
        """Another process's memory, by a descriptor of its export_fd(), which is not closed."""
    @classmethod
    def from_handle(cls, handle: int, size: SupportsIndex, owner: object = None) -> Self:
        """Memory of `size` bytes by its CUmemGenericAllocationHandle.

        It is never released through this object. `owner` is kept alive as long.
        """
    @property
    def handle(self) -> int:
        """The CUmemGenericAllocationHandle as an int."""
    @property
    def size(self) -> int:
        """Bytes."""
    def export_fd(self) -> int:
        """A new file descriptor by which another process gets the same memory; close it.

        The memory must have been made with exportable=True.
        """
    def close(self) -> None:
        """Releases the memory; mappings keep it."""
    def __enter__(self) -> Self:
        """The memory itself."""
    def __exit__(self, *args: object) -> None:
        """Releases it."""

class AddressRange:
    """Addresses of a device that memory can be mapped to; int() of it is the first.

    It stands for device memory wherever an address does.
    """

    def __new__(
        cls, size: SupportsIndex, device: Device | None = None, alignment: SupportsIndex = 0
    ) -> Self:
        """On `device`, or the current one. `size`: a multiple of mem_granularity()."""
    @classmethod
    def from_handle(cls, handle: int, size: SupportsIndex, owner: object = None) -> Self:
        """`size` bytes of addresses that somebody else has reserved, by the first of them.

        What is mapped through this object is unmapped when it is closed; the addresses stay.
        `owner` is kept alive as long.
        """
    @property
    def handle(self) -> int:
        """The first address as an int; int() of the range as well."""
    @property
    def size(self) -> int:
        """Bytes."""
    def map(
        self,
        memory: PhysicalMemory,
        offset: SupportsIndex = 0,
        access: SupportsIndex = 3,
    ) -> None:
        """Puts memory, all of it, behind the addresses.

        Parameters
        ----------
        memory : PhysicalMemory
            It may be mapped any number of times.
        offset : int
            Where in the range.
        access : int
            As of set_access.
        """
    def unmap(self, offset: SupportsIndex, size: SupportsIndex) -> None:
        """Waits for the context's work, then takes whole mappings away."""
    def set_access(
        self,
        access: SupportsIndex,
        offset: SupportsIndex = 0,
        size: SupportsIndex | None = None,
        device: Device | None = None,
    ) -> None:
        """What a device (None: the range's own) may do with whole mappings.

        0 nothing, 1 read, 3 read and write.
        """
    def close(self) -> None:
        """Waits for the context's work, unmaps what is mapped, and gives the addresses back."""
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def __enter__(self) -> Self:
        """The range itself."""
    def __exit__(self, *args: object) -> None:
        """Closes it."""

class RegisteredHostMemory:
    """Host memory of an array or buffer that is page-locked while this object lives."""

    def __new__(cls, base: Buffer, flags: SupportsIndex = 0) -> Self:
        """`flags`: of mem_host_register_flags.

        Memory that the process may only read needs READ_ONLY.
        """
    @classmethod
    def from_handle(
        cls, handle: int, owner: object = None, size: SupportsIndex | None = None
    ) -> Self:
        """Memory that somebody else has registered, by its address on the host.

        It is never unregistered through this object. `size`: bytes; None: all that is left of it
        there. `owner`, its `base`, is kept alive as long.
        """
    @property
    def handle(self) -> int:
        """Its address on the host as an int."""
    @property
    def base(self) -> Any:
        """The object whose memory it is; None: nobody said."""
    def unregister(self) -> None:
        """Ends it now; the memory stays. A second time is an error."""
    def get_device_pointer(self) -> int:
        """The address under which kernels reach it."""
    def __enter__(self) -> Self:
        """The memory itself."""
    def __exit__(self, *args: object) -> None:
        """Unregisters it, if that has not been done."""

class AlignedHostAllocation:
    """Host memory that begins at a multiple of `alignment`, a power of two.

    For register_host_memory. It is not page-locked.
    """

    def __new__(cls, bytes: SupportsIndex, alignment: SupportsIndex = 4096) -> Self: ...
    @classmethod
    def from_handle(
        cls, handle: int, owner: object = None, size: SupportsIndex | None = None
    ) -> Self:
        """`size` bytes, which must be given, of somebody else's memory by its address.

        It is never freed through this object. `owner` is kept alive as long.
        """
    @property
    def handle(self) -> int:
        """Its address as an int."""
    def free(self) -> None:
        """Frees the memory now. Arrays made of it must not be used any more."""
    def __enter__(self) -> Self:
        """The allocation itself."""
    def __exit__(self, *args: object) -> None:
        """Frees the memory, if that has not been done."""

class HostAllocation:
    """Page-locked host memory: copies of it are fast and may be asynchronous."""

    def __new__(cls, bytes: SupportsIndex, flags: SupportsIndex = 0) -> Self:
        """`flags`: of host_alloc_flags."""
    @classmethod
    def from_handle(
        cls, handle: int, owner: object = None, size: SupportsIndex | None = None
    ) -> Self:
        """Page-locked memory of somebody else by its address on the host.

        It is never freed through this object. `size`: bytes; None: all that is left of it there.
        `owner` is kept alive as long.
        """
    @property
    def handle(self) -> int:
        """Its address on the host as an int."""
    def free(self) -> None:
        """Frees the memory now. Arrays made of it must not be used any more."""
    def get_flags(self) -> int:
        """The host_alloc_flags it was made with."""
    def get_device_pointer(self) -> int:
        """The address under which kernels reach it."""
    def __dlpack__(
        self,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A DLPack capsule of its bytes: a one-dimensional array of uint8 that keeps the memory."""
    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's device: page-locked host memory of a GPU is (3, 0)."""
    def __enter__(self) -> Self:
        """The allocation itself."""
    def __exit__(self, *args: object) -> None:
        """Frees the memory, if that has not been done."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

class PooledDeviceAllocation(DeviceAllocation):
    """Device memory of a DeviceMemoryPool; a DeviceAllocation in all else.

    len() of it is its bytes.
    """

    def __len__(self) -> int: ...

class PooledHostAllocation(HostAllocation):
    """Page-locked memory of a pool; a HostAllocation in all else.

    len() of it is its bytes.
    """

    def __len__(self) -> int: ...

class Array:
    """Device memory that textures and surfaces read by coordinates."""

    def __new__(cls, descriptor: Any) -> Self:
        """`descriptor` is an ArrayDescriptor or an ArrayDescriptor3D.

        Raises
        ------
        LogicError
            The device has no arrays of this shape; the text says why.
        """
    def describe(self) -> tuple[int, int, int, int, int, int]:
        """Its width, height, depth, format, channels and flags."""
    def free(self) -> None:
        """Frees it now. A second time is an error."""
    def close(self) -> None:
        """Frees it now, if that has not been done."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """What another library has made, for the current context.

        Parameters
        ----------
        handle : int
            The driver's handle, which is never destroyed through this object.
        owner : object
            Kept alive as long as this object.
        """
    def __enter__(self) -> Self:
        """Itself."""
    def __exit__(self, *args: object) -> None:
        """Frees it, if that has not been done."""
    @property
    def handle(self) -> int:
        """The driver's handle as an int."""
    @property
    def source(self) -> Any:
        """What it reads or is a part of, and keeps alive; None: nothing."""

class MipmappedArray:
    """An array and its halves, quarters, …"""

    def __new__(cls, descriptor: Any, levels: SupportsIndex) -> Self:
        """`levels` in all, or as many as there can be."""
    def get_level(self, level: SupportsIndex, /) -> Array:
        """The Array that is a level of it, 0 being the largest."""
    def free(self) -> None:
        """Frees it now. A second time is an error."""
    def close(self) -> None:
        """Frees it now, if that has not been done."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """What another library has made, for the current context.

        Parameters
        ----------
        handle : int
            The driver's handle, which is never destroyed through this object.
        owner : object
            Kept alive as long as this object.
        """
    def __enter__(self) -> Self:
        """Itself."""
    def __exit__(self, *args: object) -> None:
        """Frees it, if that has not been done."""
    @property
    def handle(self) -> int:
        """The driver's handle as an int."""
    @property
    def source(self) -> Any:
        """What it reads or is a part of, and keeps alive; None: nothing."""

class Texture:
    """What driver.TextureObject is made of, with tuples for its keywords."""

    def __new__(
        cls,
        source: Any,
        memory: tuple[int, ...] | None = None,
        sampler: tuple[Any, ...] | None = None,
        view: tuple[int, ...] | None = None,
    ) -> Self: ...
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def describe(self) -> tuple[Any, ...]:
        """How it is read, as the driver knows it: what `sampler` is."""
    def free(self) -> None:
        """Frees it now. A second time is an error."""
    def close(self) -> None:
        """Frees it now, if that has not been done."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """What another library has made, for the current context.

        Parameters
        ----------
        handle : int
            The driver's handle, which is never destroyed through this object.
        owner : object
            Kept alive as long as this object.
        """
    def __enter__(self) -> Self:
        """Itself."""
    def __exit__(self, *args: object) -> None:
        """Frees it, if that has not been done."""
    @property
    def handle(self) -> int:
        """The driver's handle as an int."""
    @property
    def source(self) -> Any:
        """What it reads or is a part of, and keeps alive; None: nothing."""

class SurfaceObject:
    """An Array as kernels read and write it.

    It is the argument of a parameter of type cudaSurfaceObject_t.
    """

    def __new__(cls, array: Array) -> Self:
        """`array` was made with array3d_flags.SURFACE_LDST."""
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def free(self) -> None:
        """Frees it now. A second time is an error."""
    def close(self) -> None:
        """Frees it now, if that has not been done."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """What another library has made, for the current context.

        Parameters
        ----------
        handle : int
            The driver's handle, which is never destroyed through this object.
        owner : object
            Kept alive as long as this object.
        """
    def __enter__(self) -> Self:
        """Itself."""
    def __exit__(self, *args: object) -> None:
        """Frees it, if that has not been done."""
    @property
    def handle(self) -> int:
        """The driver's handle as an int."""
    @property
    def source(self) -> Any:
        """What it reads or is a part of, and keeps alive; None: nothing."""

class Memcpy2D:
    """A copy of rows, described by its attributes and done when called.

    Offsets and widths along a row are in bytes. A pitch of 0 means rows without gaps. A copy that
    would leave its memory on either side is refused: LogicError.
    """

    def __new__(cls) -> Self: ...
    def __call__(self, aligned: Any = False, stream: Any = None) -> None:
        """Copies. copy() and copy(aligned) wait, copy(stream) does not.

        Parameters
        ----------
        aligned : bool
            Pitches come from mem_alloc_pitch.
        stream : Stream, optional
            Host memory is kept until it got there.
        """
    def set_src_host(self, value: Buffer | np.ndarray, /) -> None:
        """From host memory: an array or buffer, which is kept. Rows may have gaps."""
    def set_src_array(self, value: Array, /) -> None:
        """From an Array, which is kept."""
    def set_src_device(self, value: _Address, /) -> None:
        """From device memory."""
    def set_src_unified(self, value: Any, /) -> None:
        """From an address or an array of memory that the driver places itself."""
    def set_dst_host(self, value: Buffer | np.ndarray, /) -> None:
        """To host memory: an array or buffer, which is kept. Rows may have gaps."""
    def set_dst_array(self, value: Array, /) -> None:
        """To an Array, which is kept."""
    def set_dst_device(self, value: _Address, /) -> None:
        """To device memory."""
    def set_dst_unified(self, value: Any, /) -> None:
        """To an address or an array of memory that the driver places itself."""
    src_memory_type: int
    dst_memory_type: int
    src_device: int
    dst_device: int
    src_x_in_bytes: int
    src_y: int
    src_pitch: int
    dst_x_in_bytes: int
    dst_y: int
    dst_pitch: int
    width_in_bytes: int
    height: int

class Memcpy3D(Memcpy2D):
    """A copy of planes of rows, described by its attributes and done when called."""

    def __call__(self, stream: Any = None) -> None:  # type: ignore[override]
        """Copies. copy() waits, copy(stream) does not."""
    src_z: int
    src_lod: int
    src_height: int
    dst_z: int
    dst_lod: int
    dst_height: int
    depth: int

class Memcpy3DPeer(Memcpy3D):
    """A Memcpy3D between the memory of two contexts, of two devices perhaps."""

    def __call__(self, stream: Any = None) -> None:  # type: ignore[override]
        """Copies. copy() waits, copy(stream) does not."""
    def set_src_context(self, value: Context | None, /) -> None:
        """The context of the source's device memory; None: the current one."""
    def set_dst_context(self, value: Context | None, /) -> None:
        """The context of the destination's device memory; None: the current one."""

class DeviceMemoryPool:
    """Device memory that is kept when it is freed, and given out again without asking the driver.

    Blocks fall into bins of an exponent and four more bits: one is at most 1/16 larger than asked
    for. The pool belongs to the context in which it first allocates, as long as it has blocks.
    `with` stops holding at its end.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    def __init__(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def allocate(self, size: SupportsIndex, stream: _Stream = None) -> PooledDeviceAllocation:
        """Device memory of at least `size` bytes, which goes back to the pool.

        It does so with its last reference, or by `free()`.

        What a stream may still use is not given out; with `stream`, work of that stream does not
        count.

        Raises
        ------
        MemoryError
            of runcu.driver: the device has not that much left, even without the blocks held.
        """
    def free_held(self) -> None:
        """Frees the blocks that nobody uses."""
    def stop_holding(self) -> None:
        """Frees held blocks now, and others when their owner lets them go."""
    @staticmethod
    def bin_number(size: SupportsIndex, /) -> int:
        """The bin of a number of bytes."""
    @staticmethod
    def alloc_size(bin: SupportsIndex, /) -> int:
        """Bytes of a bin's blocks."""
    @property
    def held_blocks(self) -> int:
        """Blocks that are kept for later."""
    @property
    def active_blocks(self) -> int:
        """Blocks that are in use."""
    @property
    def managed_bytes(self) -> int:
        """Bytes of all blocks, as large as they are."""
    @property
    def active_bytes(self) -> int:
        """Bytes of the blocks in use, as they were asked for."""

class HostMemoryPool:
    """Page-locked host memory that is kept when it is freed. `with` stops holding at its end."""

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    def __init__(self, flags: SupportsIndex = 0) -> None:
        """`flags`: of host_alloc_flags."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def allocate_block(self, size: SupportsIndex, stream: _Stream = None) -> PooledHostAllocation:
        """Page-locked host memory of at least `size` bytes; as DeviceMemoryPool.allocate."""
    def free_held(self) -> None:
        """Frees the blocks that nobody uses."""
    def stop_holding(self) -> None:
        """Frees held blocks now, and others when their owner lets them go."""
    @staticmethod
    def bin_number(size: SupportsIndex, /) -> int:
        """The bin of a number of bytes."""
    @staticmethod
    def alloc_size(bin: SupportsIndex, /) -> int:
        """Bytes of a bin's blocks."""
    @property
    def held_blocks(self) -> int:
        """Blocks that are kept for later."""
    @property
    def active_blocks(self) -> int:
        """Blocks that are in use."""
    @property
    def managed_bytes(self) -> int:
        """Bytes of all blocks, as large as they are."""
    @property
    def active_bytes(self) -> int:
        """Bytes of the blocks in use, as they were asked for."""

class PointerHolderBase:
    """Base of classes that stand for device memory of others: override get_pointer()."""

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    def get_pointer(self) -> int:
        """The device address; to be defined by the subclass."""
    def as_buffer(self, size: SupportsIndex, offset: SupportsIndex = 0) -> memoryview:
        """A memoryview of the memory there; as DeviceAllocation.as_buffer."""
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...

class ForeignArray(PointerHolderBase):
    """An array of another library: its address, shape and dtype.

    It keeps that array alive, and goes wherever a device address is taken.
    """

    @property
    def ptr(self) -> int:
        """The device address."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Extents."""
    @property
    def strides(self) -> tuple[int, ...]:
        """Strides in bytes."""
    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype; one of ml_dtypes where NumPy has none, or of bytes where that is missing."""
    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
    @property
    def owner(self) -> Any:
        """The array it was made from."""
    @property
    def read_only(self) -> bool:
        """Whether its owner forbids to write there."""
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3 of the protocol; memory of the CPU device has none."""
    def get_pointer(self) -> int:
        """The device address."""
    def __dlpack__(
        self,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A DLPack capsule of it, for further libraries."""
    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's device: a pair of a type and a number."""
    def __int__(self) -> int: ...
    def __index__(self) -> int: ...
    def __repr__(self) -> str: ...

class ArgumentHandler:
    """Base of In, Out and InOut."""

    array: Any
    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    def __init__(self, array: Any) -> None: ...
    @property
    def dev_alloc(self) -> DeviceAllocation | None:
        """What get_device_alloc() made."""
    def get_device_alloc(self) -> DeviceAllocation:
        """Device memory of the array's size, made when first asked for."""
    def pre_call(self, stream: _Stream, /) -> None:
        """Copies to the device, if the class does that."""
    def post_call(self, stream: _Stream, /) -> None:
        """Copies from the device, if the class does that."""

class In(ArgumentHandler):
    """A kernel argument: the array is copied to the device before the launch.

    It travels in the launch's stream, and may be changed as soon as the call has returned.
    """

class Out(ArgumentHandler):
    """A kernel argument: the array is filled from the device after the launch.

    It travels in the launch's stream, of whatever kind, which the call waits for: the result is
    there when the call returns.
    """

class InOut(ArgumentHandler):
    """A kernel argument: copied to the device before the launch, and back after it.

    As In and Out.
    """

class Module:
    """Code on a device: what module_from_file, module_from_buffer and SourceModule.module give."""

    @property
    def kernel_names(self) -> list[str]:
        """C++ names of the kernels, where the image tells them."""
    @property
    def kernel_signatures(self) -> list[str]:
        """Likewise, with the types of their parameters: "add(float *, int)"."""
    @property
    def variable_names(self) -> list[str]:
        """C++ names of the variables, without those of the compiler and of CUDA's libraries."""
    @property
    def globals(self) -> Globals:
        """Variables as arrays, by name: ``module.globals['table'][:] = values``."""
    @property
    def handle(self) -> int:
        """The CUmodule."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """A CUmodule of another library, never unloaded through this object."""
    def get_function(self, name: str, /) -> Function:
        """The kernel of that C++ name ("add", "ns::add", "axpy<float>") or exact name in the PTX.

        Raises
        ------
        LogicError
            There is none, or more than one: the text lists the names.
        """
    def get_global(self, name: str, /) -> tuple[int, int]:
        """Address and bytes of a __device__ or __constant__ variable."""
    def describe_global(
        self, name: str, /
    ) -> tuple[str, str, str, int, int, tuple[int, ...], int, int]:
        """What is known of a variable.

        Returns
        -------
        tuple
            Name, C++ type ("" if unknown), type of its elements, their `runcu_param_kind`, bytes of
            one, shape, bytes in all, and whether it is constant (1, 0, or -1: unknown).
        """
    def read_global(self, name: str, to: Any, offset: SupportsIndex = 0, /) -> None:
        """Fills a host array from a variable, from `offset` bytes on."""
    def write_global(self, name: str, from_: Any, offset: SupportsIndex = 0, /) -> None:
        """Copies a host array into a variable, from `offset` bytes on.

        Raises
        ------
        ValueError
            It would leave the variable; nothing is copied.
        """
    def watch(self, interval: float, /) -> None:
        """Follows the file that it comes from, with the kernels that are got from now on.

        Parameters
        ----------
        interval : float
            Seconds between looks at the file and what it includes, by launches.

        Raises
        ------
        ArgumentError
            It does not come from a file: see `compiler.SourceModule.from_file`.
        """
    def reload(self) -> bool:
        """Looks at its files now; True if there is new code.

        Raises
        ------
        LogicError
            They do not compile.
        """
    @property
    def reload_error(self) -> str | None:
        """Why the newest state of its files is not what runs."""
    def follow_context(self) -> None:
        """Serves every context from now on, with the kernels that are got from now on: by code that
        is loaded there when it is first needed, with variables of its own."""
    def save(self) -> bytes:
        """What it was made from, for `module_restore`: its source with options, headers in memory
        and name expressions, or the image that it was loaded from.

        A module pickles by it, and so do its kernels and a SourceModule.
        """
    def get_texref(self, name: str, /) -> Any:
        """Raises LogicError: compilers make no texture references any more."""
    def get_surfref(self, name: str, /) -> Any:
        """Raises LogicError: compilers make no surface references any more."""

class Function:
    """A kernel.

    Arguments are checked against the parameters they meet; what does not fit is an ArgumentError
    that names the kernel, the parameter and what to do.

    * Numbers: Python's, of the width of the parameter, if they fit; NumPy's and ctypes' integers
      to integers that hold them (same width: the bits), floats to floats of their width, float16
      and `ml_dtypes`' bfloat16 and fp8 to `__half`, `__nv_bfloat16`, `__nv_fp8_…`; complex numbers
      to structs of two floats or doubles.
    * Structs and vectors: NumPy values and arrays of their bytes, ctypes structures, unions and
      arrays; of the parameter's size, with fields where C++ has them.
    * Pointers: device allocations, GPUArrays, page-locked and managed arrays, ints, objects with
      `get_pointer()`, `gpudata`, DLPack or `__cuda_array_interface__`, None for the null pointer;
      host arrays as In, Out or InOut. What the stream of another library still does is done
      before. An array of another dtype than the pointer's, or a read-only one where the pointer is
      not to const, is one warning per kernel and parameter, with `strict=True` an error.

    An address that is in no live allocation of the CPU device is refused by kernels there; so is
    memory of the CPU device by kernels on a GPU.
    """

    texrefs: list[None] | None
    @property
    def __signature__(self) -> inspect.Signature:
        """For `help` and `inspect.signature`: the parameters' types, and options of a launch."""
    @property
    def name(self) -> str:
        """C++ name without parameters."""
    @property
    def symbol(self) -> str:
        """Name in the PTX."""
    @property
    def signature(self) -> str:
        """C++ name with the parameters' types, where they are known."""
    @property
    def module(self) -> Module:
        """What it is of."""
    @property
    def handle(self) -> int:
        """The CUfunction."""
    @classmethod
    def from_handle(cls, handle: SupportsIndex, owner: object = None) -> Self:
        """A CUfunction of another library, of a module in the current context."""
    @property
    def arg_format(self) -> str | None:
        """The letters prepare() came to."""
    @property
    def max_threads_per_block(self) -> int:
        """Threads that a block may have at most."""
    @property
    def shared_size_bytes(self) -> int:
        """Bytes of static shared memory a block."""
    @property
    def const_size_bytes(self) -> int:
        """Bytes of constant memory."""
    @property
    def local_size_bytes(self) -> int:
        """Bytes of local memory a thread."""
    @property
    def num_regs(self) -> int:
        """Registers a thread."""
    @property
    def ptx_version(self) -> int:
        """Version of PTX it was compiled from: 75 for 7.5."""
    @property
    def binary_version(self) -> int:
        """Architecture it was compiled for: 90 for 9.0."""
    @property
    def cache_mode_ca(self) -> int:
        """Whether global loads go through the first-level cache."""
    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """Bytes of dynamic shared memory that it may ask for."""
    @property
    def preferred_shared_memory_carveout(self) -> int:
        """Percent of the cache that is preferred as shared memory; -1: any."""
    @property
    def cluster_size_must_be_set(self) -> int:
        """Whether it needs a cluster size."""
    @property
    def required_cluster_width(self) -> int:
        """Cluster width that it needs; 0: any."""
    @property
    def required_cluster_height(self) -> int:
        """Cluster height that it needs; 0: any."""
    @property
    def required_cluster_depth(self) -> int:
        """Cluster depth that it needs; 0: any."""
    @property
    def non_portable_cluster_size_allowed(self) -> int:
        """Whether a cluster size may be used that not every device has."""
    @property
    def cluster_scheduling_policy_preference(self) -> int:
        """How blocks of a cluster are spread: a CUclusterSchedulingPolicy."""
    def __call__(
        self,
        *args: Any,
        block: _Shape,
        grid: _Shape = (1, 1),
        stream: _Stream = None,
        shared: SupportsIndex = 0,
        texrefs: Sequence[None] = (),
        time_kernel: bool = False,
        strict: bool = False,
        cooperative: bool = False,
        cluster: _Shape | None = None,
        programmatic: bool = False,
        priority: SupportsIndex | None = None,
        carveout: SupportsIndex | None = None,
    ) -> float | None:
        """Launches.

        Parameters
        ----------
        block, grid : int or sequence of one to three
            Threads in each block, and blocks.
        stream : Stream, optional
        shared : int
            Bytes of dynamic shared memory a block.
        time_kernel : bool
            Wait for the kernel and return the seconds that it took.
        strict : bool
            An array of another element type than the pointer's is an error, not a warning.
        cooperative : bool
            All blocks are resident at once and may wait for each other (``grid.sync()``).
        cluster : int or sequence of one to three, optional
            Blocks a cluster; compute capability 9.0.
        programmatic : bool
            May begin before the stream's kernel before it has ended, if that one says so.
        priority : int, optional
            Low numbers are high priorities; by default the stream's.
        carveout : int, optional
            Percent of the first-level cache that is preferred as shared memory.

        Returns
        -------
        float or None
            Seconds, with `time_kernel`.

        Raises
        ------
        TypeError, ArgumentError
            Number, kind or size of the arguments do not fit the kernel.
        LogicError
            Grid, block, shared memory, cluster or number of blocks are beyond a limit; the text
            says which and by how much.
        """
    def bind(
        self,
        *args: Any,
        block: _Shape,
        grid: _Shape = (1, 1),
        stream: _Stream = None,
        shared: SupportsIndex = 0,
        strict: bool = False,
        names: Iterable[str] | None = None,
        cooperative: bool = False,
        cluster: _Shape | None = None,
        programmatic: bool = False,
        priority: SupportsIndex | None = None,
        carveout: SupportsIndex | None = None,
    ) -> Bound:
        """The launch with these arguments fixed, to be made again and again by calling it.

        Parameters
        ----------
        names : iterable of str, optional
            Names for the arguments, by which they can be replaced as by their index.
        """
    def __getitem__(self, key: Any, /) -> Launcher:
        """``kernel[threads]``, ``kernel[grid, block]``, ``kernel[grid, block, stream, shared]``."""
    def __repr__(self) -> str: ...
    def get_attribute(self, attribute: SupportsIndex, /) -> int:
        """The value of one of function_attribute."""
    def set_attribute(self, attribute: SupportsIndex, value: SupportsIndex) -> None:
        """Sets one of function_attribute that can be set."""
    def set_cache_config(self, config: SupportsIndex, /) -> None:
        """Prefers cache or shared memory: one of func_cache."""
    def set_shared_config(self, config: SupportsIndex, /) -> None:
        """Accepts one of shared_config; banks have one width on every device of today."""
    def max_active_blocks(self, block_size: SupportsIndex, shared: SupportsIndex = 0) -> int:
        """Blocks of that many threads that one multiprocessor holds at once."""
    def suggest_block_size(
        self, shared: SupportsIndex | Callable[[int], int] = 0, limit: SupportsIndex = 0
    ) -> int:
        """The block size with which the kernel fills a multiprocessor best.

        Parameters
        ----------
        shared : int or callable
            Bytes of dynamic shared memory a block, or a function that tells them of a block size.
        limit : int
            The largest block size to consider; 0: any.

        Returns
        -------
        int
            Threads a block; 0 if no size fits.
        """
    def available_shared(self, blocks: SupportsIndex, block_size: SupportsIndex) -> int:
        """Bytes of dynamic shared memory a block, if a multiprocessor is to hold `blocks`."""
    def max_active_clusters(
        self,
        cluster: _Shape,
        block: _Shape,
        grid: _Shape | None = None,
        shared: SupportsIndex = 0,
    ) -> int:
        """Clusters of such blocks that the device holds at once."""
    def max_cluster_size(
        self, block: _Shape, grid: _Shape | None = None, shared: SupportsIndex = 0
    ) -> int:
        """The most blocks that a cluster of such a launch may have."""
    def _set_block_shape(self, x: SupportsIndex, y: SupportsIndex, z: SupportsIndex, /) -> None:
        """The block of prepared calls that name none."""
    def _launch_kernel(
        self,
        grid: _Shape,
        block: _Shape,
        buffer: Buffer,
        shared: SupportsIndex = 0,
        stream: _Stream = None,
        /,
    ) -> None:
        """Launches with a buffer of packed parameters."""
    def param_set_texref(self, texref: Any, /) -> None:
        """Raises TypeError: texture references are no more."""
    def prepare(self, arg_types: str | Iterable[Any], texrefs: None = None) -> Self:
        """Fixes the arguments' types for prepared calls.

        Parameters
        ----------
        arg_types : str or iterable
            Letters of the struct module ("PPi"; "12s" is a struct of 12 bytes, F and D are
            complex), or NumPy types and dtypes; anything else in a list is a pointer.
        """
    def prepared_call(
        self,
        grid: _Shape,
        block: _Shape,
        /,
        *args: Any,
        shared_size: SupportsIndex = 0,
        **attributes: Any,
    ) -> None: ...
    def prepared_async_call(
        self,
        grid: _Shape,
        block: _Shape,
        stream: _Stream,
        /,
        *args: Any,
        shared_size: SupportsIndex = 0,
        **attributes: Any,
    ) -> None: ...
    def prepared_timed_call(
        self,
        grid: _Shape,
        block: _Shape,
        /,
        *args: Any,
        shared_size: SupportsIndex = 0,
        **attributes: Any,
    ) -> Callable[[], float]:
        """The function that it returns waits and gives the seconds that the kernel took."""

class Launcher:
    """A kernel with grid, block, stream and shared memory chosen: what kernel[...] gives."""

    def __call__(
        self,
        *args: Any,
        stream: _Stream = None,
        shared: SupportsIndex = 0,
        time_kernel: bool = False,
        strict: bool = False,
        **attributes: Any,
    ) -> float | None: ...
    def bind(self, *args: Any, **options: Any) -> Bound:
        """The launch with these arguments fixed; see Function.bind."""

class Bound:
    """A launch with shape and arguments fixed: what Function.bind gives. Call it to launch again.

    ``bound[i] = value`` and ``bound['name'] = value`` replace an argument. The arguments are kept
    alive; those that are no device memory are copied when they are set. In, Out and InOut travel at
    each launch.
    """

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments as they were given."""
    @property
    def function(self) -> Function:
        """The kernel."""
    def configure(self, /, **options: Any) -> None:
        """Replaces block, grid, stream, shared, strict or attributes; the rest stays."""
    def __call__(self) -> None: ...
    def __getitem__(self, key: SupportsIndex | str, /) -> Any: ...
    def __setitem__(self, key: SupportsIndex | str, value: Any, /) -> None: ...
    def __delitem__(self, key: SupportsIndex | str, /) -> None: ...
    def __len__(self) -> int: ...
    def __repr__(self) -> str: ...

class Program:
    """What compiling a source came to."""

    def __new__(
        cls,
        source: str,
        *,
        options: Iterable[str] | None = None,
        include_dirs: Iterable[str] | None = None,
        name: str | None = None,
        arch: str | None = None,
        cache_dir: str | None = None,
        keep_dir: str | None = None,
        device: Device | None = None,
        no_cache: bool = False,
        extern_c: bool = False,
        name_expressions: Iterable[str] | None = None,
        headers: dict[str, str] | None = None,
        time_limit: float = 0,
        no_device: bool = False,
        shared_cache_dir: str | None = None,
    ) -> Self:
        """Compiles. A source that does not compile makes an object too: see `succeeded`.

        With `no_device` `arch` decides alone: "sm_90" comes to a cubin also where the CPU device is
        current.
        """
    def format(self, form: Literal['text', 'color', 'html', 'json'], /) -> str:
        """The diagnostics in another form.

        Parameters
        ----------
        form : {'text', 'color', 'html', 'json'}
            As `report`; likewise with a terminal's colours; a <pre> element; for editors, each
            diagnostic an object on a line of its own.
        """
    def lowered_name(self, expression: str, /) -> str:
        """The name in the PTX of what a name expression means; KeyError if it was not asked for."""
    @property
    def succeeded(self) -> bool:
        """False if the source does not compile."""
    @property
    def cubin(self) -> bytes | None:
        """Machine code."""
    @property
    def ptx(self) -> bytes | None: ...
    @property
    def ltoir(self) -> bytes | None:
        """Code for link-time optimisation, where it was compiled with -dlto."""
    @property
    def log(self) -> str:
        """NVRTC's log as it stands."""
    @property
    def report(self) -> str:
        """The diagnostics with their source lines, for a terminal."""
    @property
    def advice(self) -> str:
        """What can be done about the first error: what to install, where a header was sought."""
    @property
    def options(self) -> str:
        """The options that NVRTC was given, one a line."""
    @property
    def arch(self) -> str:
        """ "sm_90", "compute_75"."""
    @property
    def was_cached(self) -> bool:
        """True if it came from the cache."""
    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The compiler's messages."""

class Bundle:
    """One source compiled for several architectures, in one file that loads without NVRTC.

    Made of programs, one for each architecture.
    """

    def __new__(cls, programs: Iterable[Program]) -> Self: ...
    @classmethod
    def from_bytes(cls, data: Buffer, /) -> Self:
        """The bundle of those bytes.

        Raises
        ------
        LogicError
            They are none, damaged, or of a newer format.
        """
    @classmethod
    def from_file(cls, path: str | PathLike[str], /) -> Self:
        """The bundle in a file; as `from_bytes`."""
    @property
    def parts(self) -> tuple[dict[str, Any], ...]:
        """What there is for each architecture.

        "arch" ("sm_90"), "options" (a list), "cubin" and "ptx" (bytes or None), "kernels" (a list
        of name, symbol in the PTX and signature), "names" (a dict from name expressions to
        symbols).
        """
    @property
    def source_name(self) -> str:
        """ "kernel.cu"."""
    @property
    def maker(self) -> str:
        """The version of runcu that made it."""
    def load(self) -> Module:
        """The module of what fits the current context's device best.

        The cubin of its architecture, else the highest one below it of the same generation, else
        PTX. The CPU device takes PTX.

        Raises
        ------
        RuntimeError
            Of `runcu.driver`: nothing fits. The text says what is inside.
        """
    def write(self, path: str | PathLike[str], /) -> None:
        """Writes it to a file, which is replaced whole or not at all."""
    def write_header(self, path: str | PathLike[str], name: str, /) -> None:
        """Writes it as C text that defines an array of bytes called `name`."""
    def __bytes__(self) -> bytes:
        """The bytes, as they stand in a file."""

class Jit:
    """The driver's compiler with options, for loading and for linking.

    Its logs stay readable after a failure.
    """

    def __new__(
        cls,
        options: Iterable[tuple[SupportsIndex, SupportsIndex]] | None = (),
        verbose: bool = False,
        linker: int = 0,
    ) -> Self:
        """`options`: pairs of a jit_option and a number; those of the logs' buffers are ignored.

        `linker`: 0 chooses, 1 is the driver's, 2 nvJitLink.
        """
    @property
    def info_log(self) -> str:
        """What the compiler told."""
    @property
    def error_log(self) -> str:
        """What it complained about."""
    def load(self, image: Buffer, /) -> Module:
        """The module of cubin, PTX or a fatbin, loaded into the current context."""
    def add(self, input_type: int, image: Buffer, name: str, /) -> None:
        """Adds code to link: `input_type` of jit_input_type, and a name for messages."""
    def add_file(self, input_type: int, path: str, /) -> None:
        """Adds what a file holds."""
    def add_program(self, program: Program, name: str, /) -> None:
        """Adds what a source was compiled to, and a name for messages."""
    def add_library(self, name: str, folder: str | None = None, /) -> None:
        """Adds lib<name>.a: of `folder`, or from where CUDA's libraries are sought."""
    def complete(self) -> bytes:
        """Links what was added; the image that it came to."""
    def close(self) -> None:
        """Lets go of what was added; what is added later is another link's."""
    @property
    def handle(self) -> int:
        """The CUlinkState; 0 before anything was added."""

@final
class Step(tuple[str, int, str]):
    """A step on the way to a message: what includes its file, or what makes an instance."""

    n_fields: Final = 3
    n_sequence_fields: Final = 3
    n_unnamed_fields: Final = 0
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int:
        """From 1; 0: none."""
    @property
    def text(self) -> str:
        """Such as 'instantiation of "int f(T) [with T=int]"'; of an include ""."""

class Diagnostic(
    tuple[str, str, int, int, str, str, str, int, tuple[Step, ...], tuple[Step, ...]]
):
    """One message of the compiler."""

    n_fields: Final = 10
    n_sequence_fields: Final = 10
    n_unnamed_fields: Final = 0
    @property
    def severity(self) -> Literal['error', 'warning', 'remark', 'note']: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int:
        """From 1; 0: none."""
    @property
    def column(self) -> int:
        """From 1, in characters; 0: unknown."""
    @property
    def text(self) -> str: ...
    @property
    def code(self) -> str:
        """NVRTC's number ("#177-D"), or ""."""
    @property
    def source(self) -> str:
        """The line of the source, or ""."""
    @property
    def number(self) -> int:
        """The number as ``-diag-suppress`` takes it; 0: none."""
    @property
    def includes(self) -> tuple[Step, ...]:
        """Which line includes the file, which one the file that this is in, and so on.

        NVRTC does not tell: it is the first way by which the texts lead there, whatever #if says.
        """
    @property
    def instances(self) -> tuple[Step, ...]:
        """Inside templates: the instances that led there, the innermost first."""

def init(flags: SupportsIndex = 0) -> None:
    """Chooses and initialises the driver, as the first use of a device does by itself."""

def get_driver_version() -> int:
    """Version of CUDA that the driver is of: 13000 for 13.0."""

def version() -> str:
    """Version of the C library: "0.1.0"."""

def device_attribute_rows() -> list[tuple[str, int]]:
    """Names and numbers of all device attributes."""

def function_attribute_rows() -> list[tuple[str, int]]:
    """Names and numbers of all function attributes."""

def set_default_device(device: Device | None, /) -> None:
    """The device of this thread's calls without a context; None: the process's default."""

def start_profiler() -> None:
    """Starts what a profiler records of the current context."""

def stop_profiler() -> None:
    """Stops what a profiler records of the current context."""

def mem_alloc(bytes: SupportsIndex, /) -> DeviceAllocation:
    """Device memory of the current context.

    Raises
    ------
    MemoryError
        Of runcu.driver: the device has not that much left.
    """

def mem_alloc_pitch(
    width: SupportsIndex, height: SupportsIndex, access_size: SupportsIndex
) -> tuple[DeviceAllocation, int]:
    """Device memory of rows that begin where accesses are fast.

    Parameters
    ----------
    width : int
        Bytes of a row.
    height : int
        Rows.
    access_size : int
        Bytes of an access: 4, 8 or 16.

    Returns
    -------
    (DeviceAllocation, int)
        The memory, and how many bytes lie between two rows.
    """

def mem_alloc_async(
    bytes: SupportsIndex, stream: _Stream = None, pool: MemoryPool | None = None
) -> DeviceAllocation:
    """Device memory that work of the stream may use from now on.

    Other work may once that is ordered behind it. Free it with free_async(); free(), or the end of
    the object, waits for the device.

    Parameters
    ----------
    bytes : int
    stream : Stream, optional
    pool : MemoryPool, optional
        Without it the device's current one.
    """

def mem_granularity(device: Device | None = None, /) -> int:
    """Bytes of which sizes and offsets of PhysicalMemory and AddressRange are multiples."""

def mem_get_ipc_handle(devptr: _Address, /) -> bytearray:
    """What another process of the machine needs to open the allocation that holds the address.

    See IPCMemoryHandle. It means nothing once the allocation is freed.

    Returns
    -------
    bytearray
        64 bytes.
    """

def array_over(memory: Any, shape: Any, dtype: Any, order: Any = 'C') -> np.ndarray:
    """A NumPy array whose data is an object's memory and whose base is that object.

    The object is a HostAllocation, ManagedAllocation, RegisteredHostMemory or
    AlignedHostAllocation.
    """

def mem_get_info() -> tuple[int, int]:
    """Bytes free and in all on the current context's device."""

def mem_get_address_range(pointer: _Address, /) -> tuple[int, int]:
    """Start and bytes of the allocation that holds an address."""

def memcpy_htod(dest: _Address, src: Buffer | np.ndarray) -> None:
    """Copies all bytes of host memory to the device."""

def memcpy_dtoh(dest: Buffer | np.ndarray, src: _Address) -> None:
    """Fills host memory with bytes from the device."""

def memcpy_dtod(dest: _Address, src: _Address, size: SupportsIndex) -> None:
    """Copies `size` bytes on the device."""

def memcpy_htod_async(dest: _Address, src: Buffer | np.ndarray, stream: _Stream = None) -> None:
    """As memcpy_htod, when the stream gets there.

    `src` is kept alive until then; it must not be changed.
    """

def memcpy_dtoh_async(dest: Buffer | np.ndarray, src: _Address, stream: _Stream = None) -> None:
    """As memcpy_dtoh, when the stream gets there. `dest` is kept alive until then."""

def memcpy_dtod_async(
    dest: _Address, src: _Address, size: SupportsIndex, stream: _Stream = None
) -> None: ...
def memcpy_peer(
    dest: _Address,
    src: _Address,
    size: SupportsIndex,
    dest_context: Context | None = None,
    src_context: Context | None = None,
) -> None:
    """Copies `size` bytes from the memory of one context to that of another.

    None is the current one.
    """

def memcpy_peer_async(
    dest: _Address,
    src: _Address,
    size: SupportsIndex,
    dest_context: Context | None = None,
    src_context: Context | None = None,
    stream: _Stream = None,
) -> None:
    """As memcpy_peer, when the stream gets there."""

def memcpy_dtoa(ary: Array, index: SupportsIndex, src: _Address, len: SupportsIndex) -> None:
    """Copies `len` bytes of device memory to a one-dimensional Array, from byte `index` on."""

def memcpy_atod(dest: _Address, ary: Array, index: SupportsIndex, len: SupportsIndex) -> None:
    """Copies `len` bytes of a one-dimensional Array, from byte `index` on, to device memory."""

def memcpy_atoa(
    dest: Array, dest_index: SupportsIndex, src: Array, src_index: SupportsIndex, len: SupportsIndex
) -> None:
    """Copies `len` bytes from one one-dimensional Array to another."""

def memcpy_htoa(ary: Array, index: SupportsIndex, src: Buffer | np.ndarray) -> None:
    """Copies all bytes of host memory to a one-dimensional Array, from byte `index` on."""

def memcpy_atoh(dest: Buffer | np.ndarray, ary: Array, index: SupportsIndex) -> None:
    """Fills host memory with bytes of a one-dimensional Array, from byte `index` on."""

# Each of these writes `data` to elements of device memory; the rows of a two-dimensional area are
# `pitch` bytes apart.
def memset_d8(dest: _Address, data: SupportsIndex, count: SupportsIndex) -> None: ...
def memset_d16(dest: _Address, data: SupportsIndex, count: SupportsIndex) -> None: ...
def memset_d32(dest: _Address, data: SupportsIndex, count: SupportsIndex) -> None: ...
def memset_d2d8(
    dest: _Address,
    pitch: SupportsIndex,
    data: SupportsIndex,
    width: SupportsIndex,
    height: SupportsIndex,
) -> None: ...
def memset_d2d16(
    dest: _Address,
    pitch: SupportsIndex,
    data: SupportsIndex,
    width: SupportsIndex,
    height: SupportsIndex,
) -> None: ...
def memset_d2d32(
    dest: _Address,
    pitch: SupportsIndex,
    data: SupportsIndex,
    width: SupportsIndex,
    height: SupportsIndex,
) -> None: ...
def memset_d8_async(
    dest: _Address, data: SupportsIndex, count: SupportsIndex, stream: _Stream = None
) -> None: ...
def memset_d16_async(
    dest: _Address, data: SupportsIndex, count: SupportsIndex, stream: _Stream = None
) -> None: ...
def memset_d32_async(
    dest: _Address, data: SupportsIndex, count: SupportsIndex, stream: _Stream = None
) -> None: ...
def memset_d2d8_async(
    dest: _Address,
    pitch: SupportsIndex,
    data: SupportsIndex,
    width: SupportsIndex,
    height: SupportsIndex,
    stream: _Stream = None,
) -> None: ...
def memset_d2d16_async(
    dest: _Address,
    pitch: SupportsIndex,
    data: SupportsIndex,
    width: SupportsIndex,
    height: SupportsIndex,
    stream: _Stream = None,
) -> None: ...
def memset_d2d32_async(
    dest: _Address,
    pitch: SupportsIndex,
    data: SupportsIndex,
    width: SupportsIndex,
    height: SupportsIndex,
    stream: _Stream = None,
) -> None: ...
def module_load(image: Buffer, /) -> Module:
    """Loads cubin, PTX or a fatbin into the current context."""

def module_restore(saved: Buffer, /) -> Module:
    """A module from what `Module.save` gave, in the current context.

    A source is compiled for the device, unless an architecture was given, or comes from the cache.

    Raises
    ------
    ArgumentError
        The bytes are damaged, or of another version.
    """

def module_from_program(program: Program, /) -> Module:
    """Loads a compiled program into the current context."""

def explain_program(
    program: Program, /
) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """What a program's kernels take, and functions that they call; see `runcu.compiler.explain`.

    The program was compiled to a cubin with the option ``-Xptxas=-v``.
    """

def occupancy(
    arch: str, threads: int, registers: int = 0, shared: int = 0, barriers: int = 0
) -> dict[str, Any]:
    """How many blocks of a kernel a multiprocessor holds at once: "blocks", "warps", "max_warps".

    Parameters
    ----------
    arch : str
        "sm_90".
    threads, registers, shared, barriers : int
        Threads of a block, registers of a thread, bytes of shared memory and barriers of a block.

    Returns
    -------
    dict
        Also "limit", the first of "blocks", "warps", "registers", "shared", "barriers" that allows
        no more, and "allowed", what each would allow alone (None: any number).

    Raises
    ------
    LogicError
        No block has so many threads.
    RuntimeError
        The architecture is not known.
    """

def compile_jobs(
    requests: Iterable[dict[str, Any]],
    *,
    parallel: int = 0,
    progress: Callable[[int, int], Any] | None = None,
) -> list[Program]:
    """Compiles many sources at once; see `runcu.compiler.compile_many`.

    Each request is a dict of the arguments of `Program`.
    """

def cache_info(dir: str | PathLike[str] | None = None, /) -> dict[str, Any]:
    """What the folder of compiled programs holds; see `runcu.cache`."""

def cache_clear(dir: str | PathLike[str] | None = None, /) -> int:
    """Removes all entries; their number."""

def cache_export(path: str | PathLike[str], dir: str | PathLike[str] | None = None, /) -> int:
    """Writes all entries to one file; their number."""

def cache_import(
    path: str | PathLike[str], dir: str | PathLike[str] | None = None, /
) -> dict[str, int]:
    """Takes over the entries of such a file: how many were added, known, damaged."""

def worker_path(path: str | None, /) -> None:
    """Where the program runcu-worker lies."""

def option_find(name: str, /) -> tuple[str, str | None, bool, str]:
    """The compiler option that a keyword means.

    Returns
    -------
    tuple
        Its spelling; what joins its value to that ("=" or ""), None if it takes none; whether it
        may stand without a value; why it means nothing here or is refused, or "".

    Raises
    ------
    CompileError
        No option is called so; the nearest is named.
    """

def diagnose(
    form: Literal['text', 'color', 'html', 'json'], *, trial: bool = True
) -> tuple[bool, str]:
    """Looks at drivers, devices, NVRTC and all else that is needed.

    Parameters
    ----------
    form : {'text', 'color', 'html', 'json'}
        Of the second result.
    trial : bool
        Whether a kernel is compiled and run on each device.

    Returns
    -------
    tuple
        Whether kernels can be compiled, and run on the device that is used by default; what was
        found, where, and what to do about what is missing.
    """

def nvrtc_search(folders: Sequence[str], /) -> None:
    """Folders in which NVRTC is sought first."""

def nvjitlink_version() -> tuple[int, int, str]:
    """Major and minor version and path of nvJitLink, which is loaded if need be."""

def nvrtc_version() -> tuple[int, int, str]:
    """Major and minor version and path of NVRTC, which is loaded for it."""

def nvrtc_is_loaded() -> bool:
    """Whether NVRTC has been loaded."""

def dlpack_export(
    owner: Any,
    address: _Address | None,
    shape: SupportsIndex | Sequence[SupportsIndex],
    strides: Sequence[SupportsIndex] | None,
    dtype: Any,
    read_only: bool = False,
    stream: int | None = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
    after: _Stream = None,
) -> Any:
    """A DLPack capsule of an array at a device address: the whole of a `__dlpack__` method.

    Nothing is copied unless `copy` or `dl_device` asks for it. What earlier work writes there is
    seen by the consumer's.

    Parameters
    ----------
    owner : object
        Kept alive as long as the consumer uses the memory.
    address : int or pointer object
        None or 0 for an array without elements.
    shape : tuple of int
    strides : tuple of int or None
        In bytes; None for C order.
    dtype : dtype
        Of plain numbers, or of ml_dtypes.
    read_only : bool
        Only consumers of version 1 are given such an array.
    stream, max_version, dl_device, copy
        As `__dlpack__` was given them.
    after : Stream, optional
        Whose work so far the consumer waits for; by default that of the legacy default stream.

    Raises
    ------
    BufferError
        DLPack cannot express the array, or it is not where `dl_device` wants it.
    """

def dlpack_device(address: _Address | None, /) -> tuple[int, int]:
    """DLPack's device of an address, or of None the current one: a pair of a type and a number.

    The type is 1 for the CPU device, whose memory is host memory, 2 for a GPU, 3 for page-locked
    host memory of a GPU, 13 for managed memory.
    """

def dlpack_import(array: Any, stream: _Stream = None) -> ForeignArray:
    """The array of another library by DLPack, without a copy.

    Parameters
    ----------
    array : object
        With `__dlpack__` and `__dlpack_device__`, or a capsule of DLPack.
    stream : Stream, optional
        In which it will be used: what its library has queued is done before; by default the legacy
        default stream.

    Returns
    -------
    ForeignArray
        With `ptr`, `shape`, `strides` (bytes), `dtype`, `owner`, `read_only`; it keeps the memory.

    Raises
    ------
    BufferError
        The array is in plain host memory, on a device that is not in use here, or its type has no
        dtype.
    """

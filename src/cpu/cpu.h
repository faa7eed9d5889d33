/* The CPU device as a CUDA driver: what its files share. One lock guards all of its state (handles,
 * contexts, queues); no kernel, copy, host function or callback runs under it. Functions here
 * expect it held unless they say otherwise.
 *
 * - process.c: initialisation, forks, the end; texts, output
 * - handle.c: handles that cannot dangle
 * - device.c: the device and its attributes
 * - context.c: contexts, each thread's stack of them
 * - memory.c, mempool.c, host.c, ipc.c, copy.c: allocations, in the order of streams too; memory
 *   shared with the host, with other processes; copies and sets
 * - array.c, texture.c, box.c: arrays; what reads them; copies of rows and boxes, and of arrays
 * - vmm.c: addresses, physical memory, mappings
 * - module.c, link.c, function.c, launch.c: kernels
 * - stream.c, event.c, beacon.c: what programs see of order; events of several processes
 * - graph.c, node.c, exec.c: graphs; capture.c: streams that make one
 * - queue.c: the order of work, its completion, faults
 * - run.c: who executes it, workers and waiting threads
 * - api.c: the table; export.c: the library; absent.c: no device */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "base/vec.h"
#include "base/workers.h"
#include "driver/driver.h"
#include "simt/simt.h"

enum {
    CPU_CUDA_VERSION = 13000,
    CPU_MAX_THREADS = 1024, /* a block */
    CPU_SHARED = 48 << 10,  /* bytes a block without asking for more */
    CPU_LIMITS = 7,
    CPU_PRIORITY = -5, /* the highest of streams */
};

/* Every row of cuda.def: cpu_cuInit, … */
#define CU(need, name, symbol, params, args) CUresult cpu_##name params;
#include "driver/cuda.def"
#undef CU

/* ---- device.c ---- */

struct cpu_device {
    int major, minor;
    unsigned threads; /* in launches at a time; also the number of multiprocessors */
    size_t memory;    /* bytes in all */
    int shared_optin, shared_sm, threads_sm, blocks_sm;
    int clock_khz, l2_bytes;
    char name[128];
};

/* Reads the environment and the machine. */
void cpu_device_init(struct cpu_device *out);
CUresult cpu_check_device(CUdevice device); /* the lock is not needed */
/* What the device answers when asked for an attribute; 0 where there is none. */
int cpu_device_value(int attribute);

/* ---- handle.c ---- */

enum cpu_kind {
    CPU_FREE,
    CPU_CONTEXT,
    CPU_MODULE,
    CPU_FUNCTION,
    CPU_STREAM,
    CPU_EVENT,
    CPU_POOL,
    CPU_PHYSICAL,
    CPU_ARRAY,
    CPU_MIPMAP,
    CPU_TEXTURE,
    CPU_SURFACE,
    CPU_GRAPH,
    CPU_NODE,
    CPU_EXEC,
    CPU_LINK,
};

struct cpu_handle {
    void *object; /* or, of a free one, unused */
    uint32_t generation;
    uint8_t kind;
};

/* A handle is an index and a generation, never an address: whatever a program passes, it names a
 * living object of the right kind or nothing. NULL: memory is short. */
void *cpu_handle_create(enum cpu_kind kind, void *object);
void *cpu_handle_get(enum cpu_kind kind, const void *handle);
void cpu_handle_destroy(const void *handle);

/* ---- objects ---- */

/* A moment in a stream: what an event recorded. */
struct cpu_mark {
    unsigned refs;
    bool done;
    uint64_t time; /* nanoseconds, once done */
    /* Of an event that several processes know; else NULL and 0. */
    struct cpu_beacon *beacon;
    uint64_t number;
    struct cpu_mark *next; /* in the list of those that are watched */
};

/* Nodes of a graph, of which each is in the list once. */
struct cpu_nodes {
    struct cpu_node **at;
    size_t len, cap;
};

struct cpu_event {
    struct cpu_event *next; /* of the context */
    struct cpu_context *context;
    CUevent handle;
    unsigned flags;
    struct cpu_mark *mark;       /* NULL: never recorded */
    struct cpu_beacon *beacon;   /* other processes know it; NULL: they do not */
    struct cpu_capture *capture; /* counted: it was recorded in this one, after `tips` */
    struct cpu_nodes tips;
};

enum cpu_op_kind { CPU_LAUNCH, CPU_COPY, CPU_FILL, CPU_CALL, CPU_RECORD, CPU_WAIT, CPU_RELEASE };
enum cpu_op_state { CPU_QUEUED, CPU_READY, CPU_DONE };

/* A box: `planes` times `rows` times `bytes`; 0 planes or rows are one. */
struct cpu_copy {
    void *to;
    const void *from;
    size_t bytes;
    size_t rows, planes;
    size_t to_pitch, to_plane, from_pitch, from_plane; /* bytes between rows, between planes */
    uint8_t way;                                       /* enum cpu_direction */
};

/* Bytes from the first of a box to the last; 0 where there are none. */
static inline size_t cpu_span(const struct cpu_copy *c, size_t pitch, size_t plane)
{
    size_t rows = c->rows > 1 ? (c->rows - 1) * pitch : 0;
    return c->bytes ? c->bytes + rows + (c->planes > 1 ? (c->planes - 1) * plane : 0) : 0;
}

struct cpu_fill {
    uint64_t to;
    uint32_t value;
    unsigned width; /* 1, 2 or 4 bytes */
    size_t count, rows, pitch;
};

/* Work in a stream. */
struct cpu_op {
    struct cpu_op *next;                    /* in its stream */
    struct cpu_op *ready_prev, *ready_next; /* in the list of those that may run */
    struct cpu_stream *stream;
    uint64_t serial;
    uint64_t retry_at; /* launch: nobody found anything to do; try again then */
    uint64_t owner; /* cpu_thread.serial of the thread that waits for it and whose stack it is on;
                       0: on the heap */
    unsigned users; /* threads inside */
    uint8_t kind, state;
    int8_t priority; /* of a launch that has one of its own, else its stream's counts */
    bool has_priority;
    bool cancelled; /* its fault does not count */
    union {
        struct {
            struct simt_grid *grid; /* NULL until it runs */
            struct simt_launch launch;
            CUfunction function;
            struct simt_child *now, *later; /* of those that it has launched: which one runs, which
                                             * are to */
        } k;
        struct cpu_copy copy;
        struct cpu_fill fill;
        struct {
            CUhostFn *function;
            void *user;
        } call;
        struct cpu_mark *mark; /* counted */
        struct {
            uint64_t base, serial;
            size_t size;
        } free;
    } u;
    unsigned char params[]; /* of a launch */
};

struct cpu_stream {
    struct cpu_stream *next; /* of the context */
    struct cpu_context *context;
    CUstream handle;
    unsigned flags;
    int priority;
    uint64_t thread;  /* CU_STREAM_PER_THREAD of which thread; else 0 */
    bool destroyed;   /* goes when it is empty and nobody waits for it */
    unsigned waiting; /* threads that look at it */
    struct cpu_op *head, *tail;
    struct cpu_capture *capture; /* counted: work becomes nodes after `tips` */
    struct cpu_nodes tips;
    CUgraphNode *handles; /* of `tips`, for whoever asked last */
};

/* A step of a graph. */
struct cpu_node {
    struct cpu_node *next; /* of the graph, in the order of making */
    struct cpu_graph *graph;
    CUgraphNode handle;
    uint64_t id; /* of all nodes; a copy knows the one it is of */
    uint64_t origin;
    int type;
    struct cpu_op *op;       /* kernel, set, host function: what is done; copied at each launch */
    CUDA_MEMCPY3D *copy;     /* copy */
    CUevent event;           /* of a record or a wait */
    struct cpu_graph *child; /* owned */
    struct cpu_nodes after;
    size_t open;   /* while nodes are ordered: those in `after` that have no place yet */
    void **params; /* for whoever asks: addresses of the kernel's parameters */
};

struct cpu_graph {
    CUgraph handle; /* NULL: of a launchable graph */
    struct cpu_node *nodes, *last;
    size_t count;
    bool is_child; /* a node owns it */
};

/* A graph that can be launched: a copy, in an order that its edges allow. */
struct cpu_exec {
    CUgraphExec handle;
    struct cpu_graph *graph;
    struct cpu_nodes order;
    struct cpu_mark *last; /* the end of the last launch */
};

/* Streams on their way to a graph. */
struct cpu_capture {
    struct cpu_capture *next;
    unsigned refs;
    struct cpu_graph *graph; /* NULL: it has ended */
    struct cpu_stream *origin;
    uint64_t id, thread;
    int mode;
    bool is_invalid;
};

struct cpu_function {
    struct cpu_function *next; /* of the module */
    struct cpu_module *module;
    CUfunction handle;
    struct simt_kernel *kernel;
    struct simt_kernel_info info;
    int max_dynamic; /* bytes of shared memory */
};

struct cpu_module {
    struct cpu_module *next; /* of the context */
    struct cpu_context *context;
    CUmodule handle;
    struct simt_module *simt;
    struct cpu_function *functions;
};

struct cpu_array {
    struct cpu_array *next; /* of the context */
    struct cpu_context *context;
    CUarray handle;
    CUDA_ARRAY3D_DESCRIPTOR descriptor;
    uint64_t base;
    size_t element, pitch, plane, bytes; /* of one; from row to row, plane to plane; in all */
    bool is_level;                       /* of a mipmapped array, with which it goes */
};

struct cpu_mipmap {
    struct cpu_mipmap *next; /* of the context */
    struct cpu_context *context;
    CUmipmappedArray handle;
    unsigned count;
    struct cpu_array *levels[];
};

/* Or a surface, which has a resource alone. What it reads may be gone. */
struct cpu_texture {
    struct cpu_texture *next; /* of the context */
    struct cpu_context *context;
    void *handle;
    CUDA_RESOURCE_DESC resource;
    CUDA_TEXTURE_DESC descriptor;
    CUDA_RESOURCE_VIEW_DESC view;
    bool has_view;
};

struct cpu_context {
    struct cpu_context *next;
    CUcontext handle;
    unsigned long long id;
    unsigned flags;
    bool is_primary;
    bool ending; /* takes no more work */
    bool destroyed;
    unsigned retained; /* of the primary one */
    unsigned waiting;  /* threads inside cpu_wait for it */
    unsigned lowering; /* threads that make a kernel of one of its modules, without the lock */
    int cache_config;
    size_t limits[CPU_LIMITS];
    struct simt_space *space;
    struct cpu_stream *streams; /* `legacy` first */
    struct cpu_stream legacy;
    struct cpu_module *modules;
    struct cpu_link *links;
    struct cpu_event *events;
    struct cpu_array *arrays;
    struct cpu_mipmap *mipmaps;
    struct cpu_texture *textures;
    size_t used;    /* bytes of device memory */
    size_t pending; /* operations that are not done */
    CUresult fault; /* sticky */
    char fault_text[1024];
};

/* Memory that the host and every context's kernels may use. */
struct cpu_host {
    struct cpu_host *next;
    struct cpu_context *context; /* whose end is its end; NULL: none's */
    uint64_t id;                 /* of it alone */
    uint64_t base;
    size_t bytes;
    void *map;        /* pages of our own, */
    size_t mapped;    /* so many bytes; 0: they are somebody else's */
    uint64_t token;   /* another process's name of it (ipc.c), */
    unsigned opens;   /* which has been opened so often */
    unsigned flags;   /* it was made with */
    uint8_t kind;     /* enum simt_range_kind */
    atomic_uint refs; /* the list's, and those of contexts' spaces */
};

/* What a thread has. */
struct cpu_thread {
    uint64_t serial;
    int capture_mode;     /* what it may do while streams are captured */
    VEC(CUcontext) stack; /* the last is current */
    char text[1024];      /* why its last call was refused */
    CUresult failed;      /* what that answered; 0: nothing failed since the last call */
};

struct cpu_driver {
    pthread_mutex_t lock;
    pthread_cond_t work; /* for workers: something may run */
    pthread_cond_t done; /* for waiting threads: something has ended */
    bool initialised, ended;
    struct cpu_device device;
    VEC(struct cpu_handle) handles;
    VEC(uint32_t) free_handles;
    struct cpu_context *contexts, *primary;
    struct cpu_host *hosts;
    struct cpu_pool *pools, *default_pool, *pool; /* `pool` NULL: the default one */
    struct cpu_reserve *reserves;
    struct cpu_physical *physicals;
    struct cpu_mapping *mappings;
    struct cpu_beacon *beacons;
    struct cpu_mark *watched; /* marks that other processes will set */
    size_t used;              /* bytes of device memory */
    unsigned long long ids;   /* of contexts */
    uint64_t serials;         /* of operations */
    uint64_t nodes;           /* ids of nodes and captures */
    struct cpu_capture *captures;

    /* run.c */
    struct workers *workers;
    unsigned worker_count;
    struct cpu_op *ready, *ready_last;
    unsigned inside;  /* threads that execute something */
    unsigned running; /* of these, threads in a grid: at most device.threads */
    unsigned waiters; /* threads asleep on `done` */
    unsigned asleep;  /* workers that only a signal wakes */
    bool lookout;     /* a worker looks by itself now and then */
    bool paused, stop;
    uint64_t active_at; /* when something last ran */
    drv_interrupt_fn *interrupt;
    void *interrupt_user;
};
extern struct cpu_driver cpu;

/* ---- process.c, context.c: entering and leaving ---- */

/* Why a call of this thread was refused, for runcuFaultText; returns `code`. NULL format: nothing
 * to say. No lock needed. */
CUresult cpu_refuse(CUresult code, const char *format, ...) PRINTF_LIKE(2, 3);

/* The calling thread's; NULL: memory is short. No lock needed. */
struct cpu_thread *cpu_thread(void);

/* Locks. Fails, unlocked again, where cuInit has not been called or the process is ending. */
CUresult cpu_enter(void);
/* Likewise, and gives the current context, which must be alive and without a fault. */
CUresult cpu_enter_context(struct cpu_context **out);
/* Unlocks and returns `code`. */
CUresult cpu_leave(CUresult code);

/* The current context; NULL: none, or it is gone. */
struct cpu_context *cpu_current(void);
void cpu_context_free(struct cpu_context *c); /* once destroyed and nobody waits */

/* ---- memory.c ---- */

/* The context whose memory holds the range, the given one first; NULL: none. */
struct cpu_context *cpu_owner(struct cpu_context *first, uint64_t address, size_t bytes);
/* Counts bytes of device memory, of the context's or of nobody's (NULL): OUT_OF_MEMORY, with its
 * reason, where the device has not that many left. */
CUresult cpu_memory_take(struct cpu_context *c, size_t bytes);
void cpu_memory_give(struct cpu_context *c, size_t bytes);
CUresult cpu_memory_alloc(struct cpu_context *c, CUdeviceptr *address, size_t bytes);
/* Frees an allocation by its start and its serial number, if it is still there. */
void cpu_memory_drop(uint64_t base, uint64_t serial);
/* Takes the device memory of a context that ends off the count. */
void cpu_memory_forget(struct cpu_context *c);

/* ---- mempool.c ---- */

/* Memory is about to be freed: if it is of a pool, that counts it no more. */
void cpu_pooled_free(const struct simt_range *range);

/* ---- vmm.c ---- */

/* A child has its own copy of physical memory; false: it did not get one. */
void cpu_vmm_before_fork(void);
bool cpu_vmm_after_fork(bool in_child);

/* ---- host.c ---- */

/* Is it memory that all contexts share, and that the host may see? */
static inline bool cpu_is_shared(const struct simt_range *range)
{
    int kind = range->kind & ~SIMT_READ_ONLY;
    return kind == SIMT_RANGE_HOST || kind >= SIMT_RANGE_REGISTERED;
}
/* May copies and sets write there? Kernels alone may not write constants. */
static inline bool cpu_is_writable(const struct simt_range *range)
{
    return !(range->kind & SIMT_READ_ONLY) || range->kind == SIMT_RANGE_CONST;
}
/* Makes the memory that all contexts share accessible to a new one; false: memory is short. */
bool cpu_hosts_map(struct cpu_context *c);
/* Frees what was made in a context that ends. */
void cpu_hosts_free(struct cpu_context *c);
/* Is there any? */
bool cpu_hosts_any(const struct cpu_context *c);
/* Makes a piece known everywhere, copying *what. On failure the pages are still the caller's. */
CUresult cpu_host_add(const struct cpu_host *what);
/* Frees the piece that begins there once nothing that any context has been given uses it.
 * `missing`: the answer where there is none of that kind. */
CUresult cpu_host_end(struct cpu_context *c, uint64_t base, uint8_t kind, CUresult missing);
/* Likewise, now. */
void cpu_host_forget(uint64_t base);
/* The one that the address lies in, or NULL. */
struct cpu_host *cpu_host_find(uint64_t address);
/* Frees managed memory by its start, as cuMemFree. */
CUresult cpu_managed_free(struct cpu_context *c, CUdeviceptr address);

/* ---- copy.c ---- */

enum cpu_direction { CPU_HOST_ONLY, CPU_TO_DEVICE, CPU_FROM_DEVICE, CPU_WITHIN_DEVICE };
/* Checks the sides that are on the device and copies: in the legacy stream, or in `stream` if it is
 * not NULL. A copy within the device does not keep the host waiting, as on a GPU. */
CUresult cpu_copy(struct cpu_context *c, const struct cpu_copy *copy, enum cpu_direction way,
                  struct cpu_stream *stream);
/* Is what they touch on the device all there? Of a fill, *bytes is how far it reaches. */
CUresult cpu_check_copy(struct cpu_context *c, const struct cpu_copy *copy, enum cpu_direction way);
CUresult cpu_check_fill(struct cpu_context *c, const struct cpu_fill *fill, size_t *bytes);

/* ---- box.c ---- */

/* The copy that the parameters describe, unchecked, with its way. */
CUresult cpu_box(struct cpu_copy *out, struct cpu_context *c, const CUDA_MEMCPY3D *params);

/* ---- launch.c ---- */

/* Waits while the context has too much to do. Everything must be looked up again then. */
CUresult cpu_wait_for_room(struct cpu_context *c);
/* The launch that the parameters describe, checked; in the context, where it is not NULL. */
CUresult cpu_launch_create(struct cpu_op **out, struct cpu_context *c,
                           const CUDA_KERNEL_NODE_PARAMS *params);

/* ---- graph.c ---- */

bool cpu_nodes_add(struct cpu_nodes *list, struct cpu_node *node); /* false: memory is short */
bool cpu_nodes_copy(struct cpu_nodes *out, const struct cpu_nodes *list);
void cpu_nodes_fini(struct cpu_nodes *list);
/* NULL: memory is short. `is_named`: with a handle. */
struct cpu_graph *cpu_graph_create(bool is_named);
void cpu_graph_free(struct cpu_graph *g);
/* NULL: memory is short. Nodes of the copy know what they are copies of. */
struct cpu_graph *cpu_graph_copy(const struct cpu_graph *g, bool is_named);
/* Its nodes, each after those it depends on: INVALID_VALUE where edges go round. */
CUresult cpu_graph_order(struct cpu_nodes *out, struct cpu_graph *g);

/* ---- node.c ---- */

/* Adds one without edges; NULL: memory is short. Takes the operation, also on failure. */
struct cpu_node *cpu_node_create(struct cpu_graph *g, int type, struct cpu_op *op);
void cpu_node_free(struct cpu_node *n);
/* NULL: memory is short. For a graph of its own; without edges. */
struct cpu_node *cpu_node_copy(struct cpu_graph *to, const struct cpu_node *n);
/* Takes over what the other of the same type does. */
CUresult cpu_node_assign(struct cpu_node *n, const struct cpu_node *from);
struct cpu_op *cpu_op_copy(const struct cpu_op *op);
/* What setting parameters does, on a node of a graph or of a launchable one. */
CUresult cpu_node_set_kernel(struct cpu_node *n, const CUDA_KERNEL_NODE_PARAMS *params);
CUresult cpu_node_set_copy(struct cpu_node *n, const CUDA_MEMCPY3D *params);
CUresult cpu_node_set_fill(struct cpu_node *n, const CUDA_MEMSET_NODE_PARAMS *params);
CUresult cpu_node_set_host(struct cpu_node *n, const CUDA_HOST_NODE_PARAMS *params);

/* ---- capture.c ---- */

/* Work in a captured stream. Takes the operation. */
CUresult cpu_capture_add(struct cpu_stream *s, struct cpu_op *op);
/* A node of another kind after what the stream has; *out. */
CUresult cpu_capture_node(struct cpu_node **out, struct cpu_stream *s, int type);
/* A call that captures forbid has been made: they are lost. Returns `code`. */
CUresult cpu_capture_break(struct cpu_capture *c, CUresult code);
/* May the thread do what is not safe while others capture? 900, and the captures are lost. */
CUresult cpu_capture_safe(void);
/* Is any stream of the context captured, or (is_blocking) one that waits for the legacy stream? The
 * capture, or NULL. */
struct cpu_capture *cpu_capture_in(const struct cpu_context *c, bool is_blocking);
/* An event is recorded in the stream, waited for there, asked. */
CUresult cpu_capture_record(struct cpu_event *e, struct cpu_stream *s);
CUresult cpu_capture_wait(struct cpu_stream *s, const struct cpu_event *e);
CUresult cpu_capture_ask(const struct cpu_event *e);
void cpu_capture_forget(struct cpu_event *e);
/* The stream is destroyed. */
void cpu_capture_drop(struct cpu_stream *s);

/* ---- array.c, texture.c ---- */

/* Bytes of an element; 0: no such format, or not 1, 2 or 4 channels. */
size_t cpu_element_bytes(int format, unsigned channels);
/* NULL: none. */
struct cpu_array *cpu_array_get(CUarray array);
struct cpu_mipmap *cpu_mipmap_get(CUmipmappedArray array);
/* Once nothing is copied there. */
void cpu_array_free(struct cpu_array *a);
void cpu_mipmap_free(struct cpu_mipmap *m);
void cpu_texture_free(struct cpu_texture *t);

/* ---- module.c, link.c, function.c ---- */

/* Options of the just-in-time compiler that mean something here. */
struct cpu_jit {
    char *error_log;
    size_t error_size;
    void **error_filled; /* where the size came from: takes how much was written */
    void **info_filled;
};
void cpu_jit_read(struct cpu_jit *out, unsigned count, const int *options, void **values);
void cpu_jit_log(const struct cpu_jit *jit, const char *text);
/* The module of an image that is PTX text for this device, else ptxas' answer. Not under the lock.
 */
CUresult cpu_ptx_parse(struct ptx_module **out, const char *image, const struct cpu_jit *jit);
void cpu_module_destroy(struct cpu_module *m);
void cpu_link_destroy(struct cpu_link *link);
/* Threads a block of it may have. */
int cpu_max_threads(const struct cpu_function *f);
/* Blocks of so many threads that a multiprocessor holds. */
int cpu_max_blocks(const struct cpu_function *f, int block_size, size_t shared);

/* ---- stream.c, event.c ---- */

/* The stream that a call in the context means: NULL and the special handles too. It is for work:
 * refused where a capture forbids that. */
CUresult cpu_stream_get(struct cpu_stream **out, struct cpu_context *c, CUstream handle);
/* Likewise, to ask it something. */
CUresult cpu_stream_find(struct cpu_stream **out, struct cpu_context *c, CUstream handle);
void cpu_stream_init(struct cpu_stream *s, struct cpu_context *c, unsigned flags);
/* Frees it if it is destroyed, empty, and nobody waits. */
void cpu_stream_release(struct cpu_stream *s);
void cpu_event_destroy(struct cpu_event *e);
void cpu_mark_release(struct cpu_mark *m);
/* A new event of the context, which several processes know by the beacon, or this one alone
 * (NULL). */
CUresult cpu_event_create(CUevent *out, struct cpu_context *c, unsigned flags,
                          struct cpu_beacon *beacon);

/* ---- ipc.c, beacon.c ---- */

/* Where another process finds pages (base/shm.h): 64 bytes of text with a sum. */
struct cpu_ticket {
    int32_t pid, fd;
    uint64_t size, offset, bytes; /* of the file's data; of the part that is meant */
    uint64_t token;
};
enum cpu_ticket_kind { CPU_TICKET_MEMORY, CPU_TICKET_EVENT };
/* The process's number is filled in. */
void cpu_ticket_write(void *out, const struct cpu_ticket *ticket, enum cpu_ticket_kind kind);
/* Refuses, with its reason, what is none, is damaged, or is of this process. */
CUresult cpu_ticket_read(struct cpu_ticket *out, const void *handle, enum cpu_ticket_kind kind);
/* Maps the whole pages that hold it, if the other process still has them. */
CUresult cpu_ticket_map(void **out, const struct cpu_ticket *ticket);

/* NULL: memory is short. */
struct cpu_beacon *cpu_beacon_create(void);
/* Both accept NULL. */
struct cpu_beacon *cpu_beacon_retain(struct cpu_beacon *beacon);
void cpu_beacon_release(struct cpu_beacon *beacon);
/* The mark is of a record that is queued; it is done; it goes, and is watched no more. */
void cpu_beacon_record(struct cpu_beacon *beacon, struct cpu_mark *mark);
void cpu_beacon_light(struct cpu_mark *mark);
void cpu_beacon_forget(struct cpu_mark *mark);
/* The mark (the event's; not counted) that the last record of any process waits for; NULL: it is
 * done. */
CUresult cpu_event_mark(struct cpu_mark **out, struct cpu_event *e);
/* Looks what other processes have done; call it now and then while cpu.watched is not NULL. */
void cpu_watch(void);
void cpu_beacons_before_fork(void);
void cpu_beacons_after_fork(bool in_child);

/* ---- queue.c ---- */

/* Nanoseconds of the monotonic clock. */
uint64_t cpu_now(void);
/* Appends to the stream; what may run at once is ready on return. A stream that is captured makes a
 * node of it. Takes the operation, also on failure. */
CUresult cpu_enqueue(struct cpu_stream *s, struct cpu_op *op);
/* Frees one that was never queued. */
void cpu_op_discard(struct cpu_op *op);
/* NULL: memory is short. `extra` bytes of params. */
struct cpu_op *cpu_op_create(enum cpu_op_kind kind, size_t extra);
/* The first operation of its stream has ended: the next ones become ready. Frees it. */
void cpu_complete(struct cpu_op *op);
/* In a forked child: forgets what threads other than `but` waited for. */
void cpu_drop_owned(struct cpu_stream *s, uint64_t but);
/* Makes ready whatever no longer has to wait. */
void cpu_settle(void);
/* Puts a ready operation last. */
void cpu_ready_rotate(struct cpu_op *op);
/* Is all work done that was given before `serial`? Of the legacy stream that means all blocking
 * ones. */
bool cpu_stream_idle(const struct cpu_stream *s, uint64_t serial);
/* Is all work of the context done, and nothing of another context's in its memory? */
bool cpu_quiet(const struct cpu_context *c);
/* Has no context a copy or a set in the range that was given before `serial`, nor one that runs? */
bool cpu_range_idle(uint64_t base, size_t size, uint64_t serial);
/* The range has gone: copies and sets there that have not begun do nothing. */
void cpu_forget_range(uint64_t base, size_t size);
/* A context's first fault: its queues are emptied. */
void cpu_fault(struct cpu_context *c, CUresult code, const char *text);

/* ---- run.c ---- */

/* Operations that the calling thread is inside of. */
extern _Thread_local unsigned cpu_own_inside;

/* Starts the workers if there are none; -1: the system refuses, or memory is short. */
int cpu_workers_need(void);
/* The operation has become ready: sees to it that somebody runs it soon. */
void cpu_notice(const struct cpu_op *op);
/* Waits until done(arg), helping; the lock is dropped meanwhile. 0, the context's fault,
 * CUDA_ERROR_CONTEXT_IS_DESTROYED, or CUDA_ERROR_LAUNCH_TIMEOUT when it was interrupted (done(arg)
 * holds then, too). `first`: the stream whose work helps most. */
CUresult cpu_wait(struct cpu_context *c, struct cpu_stream *first, bool (*done)(void *arg),
                  void *arg);
/* All work that the context has been given so far. */
CUresult cpu_wait_prior(struct cpu_context *c);
/* Likewise, and what other contexts have been given that copies there. */
CUresult cpu_wait_range(struct cpu_context *c, uint64_t base, size_t size);
/* Until the context has no work, and others have none in its memory; until no context has any. */
CUresult cpu_wait_quiet(struct cpu_context *c);
CUresult cpu_wait_all(void);
/* All work that any context has been given so far, and copies in the range that run by then. `c` is
 * the caller's. */
CUresult cpu_wait_shared(struct cpu_context *c, uint64_t base, size_t size);
/* Stops the launches of the context, or of all (NULL), that run or wait to. Drops the lock
 * meanwhile. */
void cpu_cancel(struct cpu_context *c, const char *why);

/* ---- process.c ---- */

/* Where kernels' output goes; simt_hooks.print. Not under the lock. */
void cpu_print(void *user, const char *text, size_t len);

#endif

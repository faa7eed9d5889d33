/* What the files of core share. Everything here works through a driver's table and knows nothing of
 * who implements it. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/str.h"
#include "driver/driver.h"
#include "runcu/runcu.h"

/* --- error.c --- */

/* Records a failure of this thread and returns `status`: return runcu_fail(RUNCU_ERROR_ARGUMENT,
 * "…"). Forgets the earlier one. The arguments may point into the earlier record. Thread-safety:
 * safe. */
int runcu_fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);
/* Adds sentences to the detail of this thread's last failure; what is there already ends with a
 * line break then. */
void runcu_fail_detail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The next sentence of the detail replaces what is there: the device's own words, where better ones
 * follow. */
void core_fail_better(void);
/* Notes the code that caused the last failure: `name` and `routine` are literals or live as long as
 * the process. */
void runcu_fail_code(int code, const char *name, const char *routine);
/* Notes the launches that may have caused the last failure, one a line, the newest first, and adds
 * the first few to its detail. */
void core_fail_launches(const char *launches);
/* "runcu_mem_alloc: out is NULL". */
NO_INLINE int core_fail_null(const char *function, const char *argument);
/* Stands before all else in a public function, for each pointer that may not be NULL. */
#define CORE_NEED(pointer)                             \
    do {                                               \
        if (UNLIKELY(!(pointer)))                      \
            return core_fail_null(__func__, #pointer); \
    } while (0)
/* The same for where a new object goes: NULL until there is one. */
#define CORE_OUT(out)   \
    do {                \
        CORE_NEED(out); \
        *(out) = NULL;  \
    } while (0)
/* Notes what the compiler said, which is copied. */
void core_fail_diagnostics(const runcu_diagnostic *list, size_t count);
/* "No memory on the host", for failed allocations. */
int runcu_fail_memory(void);
/* The status of this thread's last failure: for passing on one that a function without a status has
 * recorded. */
int core_last_status(void);
/* Gives the last failure another status, and returns it. */
int core_set_status(int status);

/* One message to the log, if there is one. Never call it holding a lock: the callback may want one
 * that our caller holds. */
void core_log(int level, const char *category, const char *format, ...) PRINTF_LIKE(3, 4);
void core_vlog(int level, const char *category, const char *format, va_list args) PRINTF_LIKE(3, 0);

/* --- open.c, device.c --- */

/* A loaded and initialised driver; lives as long as the process. */
struct core_driver {
    struct drv_table cu; /* replaced by drv_forked in a child */
    char *name;          /* "cuda", "cpu" or the path */
    bool is_cpu;         /* the CPU device, linked in or from a library of its own */
    bool is_ready;       /* cuInit succeeded */
    /* Of a GPU's driver: the CPU device, once that is ready too, which knows whether an address is
     * its memory. Of the CPU device: itself. */
    _Atomic(struct core_driver *) cpu_device;
    int device_count;
    struct runcu_device *devices;
    atomic_bool is_busy;   /* something was launched since the last synchronous copy */
    atomic_bool may_print; /* of a GPU's driver: a kernel that prints has been launched */
    /* post.c's: copies that were not waited for, how many of them are done, the context of those
     * that may not be. */
    atomic_ullong posted, settled;
    _Atomic(CUcontext) posted_in;
    struct core_driver *next;
};

struct runcu_device {
    struct core_driver *driver;
    int ordinal;
    CUdevice handle;
    runcu_context *primary; /* held until exit once somebody needed it; guarded by the lock of
                               context.c */
    char name[256];
    char pci_bus_id[32];
};

/* The driver that `name` means (as runcu_init). */
int core_driver_open(struct core_driver **out, const char *name);
/* The devices of a driver that has just been initialised; called once a driver. */
int core_devices_create(struct core_driver *driver);
/* Guards the lists of drivers and contexts; no callback is ever called under it. A fork waits for
 * it. */
void core_lock(void);
void core_unlock(void);
bool core_has_lock(void); /* this thread */

/* check.c: turns a failed driver call into a status and a record: "cuMemAlloc failed: out of
 * memory". 0 for CUDA_SUCCESS. Call it right after the call, while the context in which it was made
 * is still current: the CPU device is asked for the reason. */
int core_check(const struct core_driver *driver, const char *routine, CUresult code);

/* Sources without a folder are compiled as if they stood in this one: PTX and cubin then do not
 * depend on the working directory. No message shows it. */
#define CORE_VIRTUAL_FOLDER "/runcu/"

/* Calls a row of the driver's table: CU_CALL(driver, cuMemFree, address) is 0 or a recorded
 * failure. */
#define CU_CALL(driver, row, ...) core_check((driver), #row, (driver)->cu.row(__VA_ARGS__))

/* The default driver if it has been chosen, else NULL; the device that this thread chose as its
 * default, else NULL. */
struct core_driver *core_driver_peek(void);
/* The drivers that are ready, one after another; NULL after the last. They stay as long as the
 * process. */
struct core_driver *core_driver_next(const struct core_driver *before);
runcu_device *core_device_peek(void);

/* open.c: does somebody want to have what kernels print (runcu_set_print)? And gives it to them. */
bool core_has_print(void);
void core_print(const char *text, size_t len);

/* listen.c: around the driver's calls by which a GPU's kernels' text appears. core_listen_end
 * returns `code`. */
void core_listen_begin(void);
CUresult core_listen_end(CUresult code);

static inline void core_listen(const struct core_driver *driver)
{
    if (UNLIKELY(atomic_load_explicit(&driver->may_print, memory_order_relaxed)))
        core_listen_begin();
}

/* CU_CALL of such a row. */
#define CU_FLUSHING(driver, row, ...) \
    core_check((driver), #row,        \
               (core_listen(driver), core_listen_end((driver)->cu.row(__VA_ARGS__))))

/* --- context.c --- */

enum core_context_kind { CORE_OWNED, CORE_PRIMARY, CORE_FOREIGN };

/* A launch that was made; history.c. */
enum { CORE_HISTORY = 8, CORE_HISTORY_ARGS = 128 };
struct core_past {
    const runcu_function *function; /* NULL: it is gone, or nothing was launched */
    char *text;                     /* of a function that is gone */
    runcu_dim3 grid, block;
    unsigned shared;
    uint32_t bytes;
    CUstream stream;
    unsigned char args[CORE_HISTORY_ARGS]; /* the first bytes of the parameter buffer */
};
struct core_history {
    atomic_bool is_busy; /* guards the rest */
    size_t next;         /* counts launches */
    struct core_past at[CORE_HISTORY];
};

struct runcu_context {
    struct core_driver *driver;
    struct runcu_device *device;
    CUcontext handle;
    unsigned long long id; /* of a foreign one: handles are used again, ids are not */
    enum core_context_kind kind;
    atomic_int refs;         /* primary and foreign ones: one is the list's */
    atomic_bool is_detached; /* its owner has given it up */
    atomic_bool is_dead;     /* detached, and its objects are gone with it */
    atomic_bool has_work;    /* something was launched since the last synchronisation */
    atomic_bool is_left;     /* a wait for it was interrupted, and none has succeeded since */
    struct core_deferred *deferred; /* wait.c's; guarded by core_lock */
    runcu_stream *streams;          /* alive; guarded by core_lock */
    atomic_bool has_streams;        /* there is or was one */
    atomic_bool has_thread_streams; /* a thread has used its own default stream */
    atomic_bool has_pools;          /* there is or was one */
    struct core_stage *stage;       /* stage.c's; made when first needed, under core_lock */
    struct core_history history;
    _Atomic(const char *) spoilt_by; /* the routine that first told of a kernel's fault */
    atomic_int spoilt_code;
    struct runcu_context *next;
};

/* The object of a context that is current in this thread, counted; made where somebody else made
 * the context. */
int core_context_find(runcu_context **out, struct core_driver *driver, CUcontext handle);
/* Likewise, but NULL if there is no such object, or if the list is in this thread's own hands. */
runcu_context *core_context_look(const struct core_driver *driver, CUcontext handle);
/* The current context, counted: release it. Made as runcu_context_current says. */
int core_context_get(runcu_context **out);
/* Waits for the context, which need not be current. */
int core_context_wait(runcu_context *context);
/* Waits for whatever was launched and not waited for, in every context; what kernels printed
 * appears. Failures go to the log. */
void core_contexts_finish(void);
/* In a forked child, with the lock held: what was launched before is the parent's to wait for. */
void core_contexts_forget_work(void);

/* --- current.c --- */

/* The driver whose context is current in this thread, and the context; a context is made current if
 * there is none. */
int core_current(struct core_driver **out, CUcontext *handle);
/* Likewise, but *out is NULL where no context is current. Loads no driver. */
int core_current_peek(struct core_driver **out, CUcontext *handle);
/* The device that a call without a context means, without making one: the current context's, else
 * the default one. */
int core_current_device(runcu_device **out);
/* This thread's book of pushed contexts: the driver did it, or will not be asked to undo it. */
int core_pushed(struct core_driver *driver);
void core_popped(struct core_driver *driver);
/* Likewise; then what was destroyed while it lay beneath goes as well. */
void core_popped_all(struct core_driver *driver);
/* A context was destroyed that is not the current one. */
void core_buried(void);
/* The default device of this thread is about to change: what was made current for the old one
 * alone, goes. */
void core_current_forget_default(void);

/* Makes `context` current for a while; core_leave undoes it. On failure nothing has to be undone.
 * */
struct core_scope {
    struct core_driver *driver;  /* NULL: it was current already */
    struct core_driver *relaxed; /* its captures are told to look away, after `mode`; or NULL */
    int mode;
};
int core_enter(struct core_scope *out, runcu_context *context);
void core_leave(struct core_scope *scope);

/* Until core_leave, what captures forbid is allowed to this thread: what is asked or destroyed here
 * is nothing that a capture made. */
void core_relax(struct core_scope *scope, struct core_driver *driver);

/* Enters to destroy an object, relaxed: false if there is nothing left to destroy, the context
 * being dead or out of reach. */
bool core_enter_cleanup(struct core_scope *out, runcu_context *context);
/* What destroying an object answered: told to the log unless the context or the driver is going
 * away anyway. */
void core_cleanup(const runcu_context *context, const char *routine, CUresult code);
/* Does the code say that the context or its driver is gone? */
bool core_is_gone(CUresult code);

static inline void core_mark_work(runcu_context *context)
{
    if (!atomic_load_explicit(&context->driver->is_busy, memory_order_relaxed))
        atomic_store_explicit(&context->driver->is_busy, true, memory_order_relaxed);
    if (!atomic_load_explicit(&context->has_work, memory_order_relaxed))
        atomic_store_explicit(&context->has_work, true, memory_order_relaxed);
}

/* --- wait.c: waits for a GPU that the program may interrupt --- */

/* open.c: somebody wants to be asked; asks: true to stop waiting. */
extern atomic_bool core_has_interrupt;
bool core_ask_interrupt(void);

static inline bool core_is_watched(const struct core_driver *driver)
{
    return atomic_load_explicit(&core_has_interrupt, memory_order_relaxed) &&
           !driver->cu.runcuSetInterrupt;
}

/* Each stands before the driver's call of the name `routine`, which would wait without asking: when
 * it has returned 0, that call has next to nothing to wait for. Else ERROR_INTERRUPTED: what runs,
 * runs on. */
int core_wait_stream_asking(const struct core_driver *driver, CUstream stream, const char *routine);
int core_wait_event_asking(const struct core_driver *driver, CUevent event, const char *routine);
/* For all work of ours in the context, which is current. */
int core_wait_context_asking(runcu_context *context, const char *routine);
int core_wait_copy_asking(struct core_driver *driver, CUcontext handle, const char *routine);

static inline int core_wait_stream(const struct core_driver *driver, CUstream stream,
                                   const char *routine)
{
    return core_is_watched(driver) ? core_wait_stream_asking(driver, stream, routine) : 0;
}

static inline int core_wait_event(const struct core_driver *driver, CUevent event,
                                  const char *routine)
{
    return core_is_watched(driver) ? core_wait_event_asking(driver, event, routine) : 0;
}

static inline int core_wait_context(runcu_context *context, const char *routine)
{
    return core_is_watched(context->driver) && atomic_load(&context->has_work)
               ? core_wait_context_asking(context, routine)
               : 0;
}

/* Before a synchronous copy in the current context, `handle`. */
static inline int core_wait_copy(struct core_driver *driver, CUcontext handle, const char *routine)
{
    return core_is_watched(driver) && atomic_load_explicit(&driver->is_busy, memory_order_relaxed)
               ? core_wait_copy_asking(driver, handle, routine)
               : 0;
}

/* Before something is freed that a kernel may use, for which the driver waits; the context is
 * current. True: a wait was interrupted, now (*status says so) or before, and `finish` is called
 * later. False: free it. */
typedef void core_finish_fn(runcu_context *context, void *object);
bool core_defer(int *status, runcu_context *context, core_finish_fn *finish, void *object);
/* The context's work has ended, or the context itself. */
void core_finish_deferred(runcu_context *context);

/* --- stage.c --- */

/* A synchronous copy between host memory and the device. */
struct core_copy {
    struct core_driver *driver;
    runcu_context *context; /* filled in */
    CUdeviceptr device;
    void *host;
    size_t bytes;
    bool to_device;
};

/* Copies through page-locked buffers where that is faster: large plain memory, and a GPU. `handle`
 * is the current context. True: *status is the outcome; false: nothing was copied, and the driver's
 * own copy is to be used. */
bool core_stage_copy(int *status, struct core_copy *copy, CUcontext handle);
/* False: core_stage_copy would not copy it. */
bool core_stage_is_large(const struct core_copy *copy);

/* --- post.c --- */

/* A small copy to a GPU that need not be waited for; false: nothing was copied. `handle` is the
 * current context. */
bool core_post_copy(const struct core_copy *copy, CUcontext handle);
/* Likewise, of a copy by the driver's own call: that returns when plain memory has been read, which
 * may be before its bytes have arrived. */
void core_mark_posted(struct core_driver *driver, CUcontext handle);
/* Device memory is about to be freed, or address space given another meaning. */
void core_forget_addresses(void);
/* Stands before what goes into a stream that does not wait for the legacy default stream, with its
 * context current. */
void core_settle_posted(struct core_driver *driver, CUstream stream);

static inline void core_settle(struct core_driver *driver, CUstream stream)
{
    if (UNLIKELY(atomic_load_explicit(&driver->posted, memory_order_relaxed) !=
                 atomic_load_explicit(&driver->settled, memory_order_relaxed)))
        core_settle_posted(driver, stream);
}

/* --- stage.c, the rest --- */

/* Before the driver's context ends: waits for a copy in flight, then gives back what the context
 * holds. */
void core_stage_end(runcu_context *context);
void core_stage_free(runcu_context *context);

/* --- objects --- */

enum core_mem_kind {
    CORE_MEM_DEVICE,
    CORE_MEM_HOST,       /* page-locked */
    CORE_MEM_REGISTERED, /* somebody else's, page-locked by us */
    CORE_MEM_MANAGED,
    CORE_MEM_ORDERED,  /* in the order of a stream */
    CORE_MEM_IMPORTED, /* another process's */
    CORE_MEM_FOREIGN,  /* somebody else's, never freed through us */
};

struct runcu_mem {
    runcu_context *context;
    CUdeviceptr address;
    size_t bytes;
    void *host; /* where the host finds it; NULL: nowhere */
    enum core_mem_kind kind;
    runcu_mempool *mempool; /* counted: of memory in the order of streams, or NULL */
    /* Of a pool's block; NULL and zero otherwise. */
    runcu_pool *pool;
    size_t granted; /* what the driver was asked for; `bytes` is what the user was */
    uint32_t bin;
    struct core_use *uses; /* by streams, when it was freed last */
    runcu_mem *next;       /* in the pool */
};

/* memory.c: an object without memory yet, of the current context; and its end, with `status`. */
int core_mem_create(runcu_mem **out, enum core_mem_kind kind);
int core_mem_discard(runcu_mem **mem, int status);
/* mempool.c: a pool of the driver's goes after its last memory. Accepts NULL. */
void core_mempool_drop(runcu_mempool *pool);

/* What can be closed while other threads are using it: the last of them finishes the closing. */
struct core_guard {
    atomic_int users;
    atomic_bool is_closed, is_gone;
};

/* False once closed; core_guard_leave follows in any case. */
static inline bool core_guard_enter(struct core_guard *g)
{
    atomic_fetch_add(&g->users, 1);
    return !atomic_load(&g->is_closed);
}

/* True, once: it is closed and nobody uses it any more; the caller destroys what it guards. */
static inline bool core_guard_leave(struct core_guard *g)
{
    return atomic_fetch_sub(&g->users, 1) == 1 && atomic_load(&g->is_closed) &&
           !atomic_exchange(&g->is_gone, true);
}

/* False if it was closed already; core_guard_leave follows in any case. */
static inline bool core_guard_close(struct core_guard *g)
{
    atomic_fetch_add(&g->users, 1);
    return !atomic_exchange(&g->is_closed, true);
}

struct runcu_stream {
    runcu_context *context;
    CUstream handle;
    bool is_owned;
    bool is_blocking; /* known to wait for the legacy default stream */
    struct core_guard guard;
    runcu_stream *next; /* in the context's list */
};

struct runcu_event {
    runcu_context *context;
    CUevent handle;
    bool is_owned;
    struct core_guard guard;
};

/* pool.c: all pools, around a fork; with core_lock held. */
void core_pools_lock(void);
void core_pools_unlock(void);
/* A block goes back to its pool. */
int core_pool_take_back(runcu_mem *block);

static inline CUstream core_stream(const runcu_stream *stream)
{
    return stream ? stream->handle : NULL;
}

static inline bool core_stream_is_closed(const runcu_stream *stream)
{
    return stream && atomic_load_explicit(&stream->guard.is_closed, memory_order_relaxed);
}

struct runcu_function {
    struct core_driver *driver;
    CUfunction handle;
    runcu_context *context; /* the module's */
    const runcu_param *params;
    runcu_module *leader;       /* counted: of a kernel that follows (follow.c), the module that was
                                   asked; else NULL */
    int count;                  /* -1: nothing is known of the parameters */
    uint32_t bytes;             /* of the parameter buffer */
    bool has_padding;           /* in the parameter buffer */
    bool prints;                /* its module's code does, on a GPU */
    atomic_size_t shared_limit; /* dynamic shared memory that needs no asking; 0: not yet known */
    _Atomic uint64_t block; /* threads a block where the caller does not say, and from bit 16 the
                               bytes of shared memory that they were chosen for; 0: not yet */
    atomic_ullong warned;   /* parameters that have been warned about */
    runcu_module *module;
    const char *name, *symbol, *signature;
    atomic_int refs;
    struct arena arena;
    /* With a leader: */
    runcu_module *asked;     /* what that stood for when it was asked, */
    const char *asked_name;  /* and for which name */
    struct core_peer *peers; /* guarded by core_lock */
};

/* The same kernel in other code. */
struct core_peer {
    runcu_function *function;
    struct core_peer *next;
};

/* follow.c: what to launch in place of a function that has a leader: borrowed, alive as long as it.
 */
int core_function_now(runcu_function **out, runcu_function *function);

/* function.c: without a note of what the limit of shared memory is now. */
int core_function_set(runcu_function *function, int attribute, int value);

/* pack.c: the largest parameter buffer that is packed on the stack. A kernel of more, which sm_70
 * and newer allow, takes the heap. */
enum { CORE_PACK_STACK = 4096 };

/* The arguments of a launch as they were given. */
struct core_args {
    const runcu_arg *at;
    size_t count;
    bool is_strict;
};

/* small.c: floats of 16 and 8 bits. */
struct core_small {
    const char *type, *dtype; /* CUDA's name, NumPy's or that of ml_dtypes */
    uint8_t kind;             /* enum runcu_arg_kind */
    uint8_t size, fraction;   /* bytes; bits of the mantissa that are stored */
    bool is_finite;           /* without infinities: the largest bits are NaN */
};
/* The format of a parameter, by the name of its type; of an argument's kind. NULL: none. */
const struct core_small *core_small_of(const runcu_param *param);
const struct core_small *core_small_of_kind(int kind);
/* `value` rounded to the nearest, ties to even; false if it is too large for the format, or the
 * format is none to round to. */
bool core_small_round(uint16_t *out, const struct core_small *format, double value);

/* pack.c: what the launch has to know of the packed arguments. */
struct core_packed {
    size_t bytes;      /* packed */
    size_t host_count; /* arguments that are host memory and await an address */
};

/* Checks the arguments against the kernel's parameters and lays them out in `buffer`, which has
 * room for function->bytes, or where the parameters are unknown for `room`. ERROR_LAUNCH_ARGUMENT
 * or ERROR_FREED, with the parameter named, if one does not fit. */
int core_pack(struct core_packed *out, void *buffer, size_t room, runcu_function *function,
              const struct core_args *args);

/* Where the next argument goes, and how much it takes, if the parameters are unknown. */
size_t core_pack_offset(size_t offset, const runcu_arg *arg);
size_t core_pack_size(const runcu_arg *arg);

/* stream.c: cuStreamQuery of what runs: a stream that is captured, or the default one beside it, is
 * not asked, which would lose the capture, and counts as done. */
CUresult core_stream_query(const struct drv_table *cu, CUstream stream);

/* event.c: keeps the event from being destroyed for a while; ERROR_FREED if it is
 * closed (nothing has to be undone then). */
int core_event_hold(runcu_event *event);
void core_event_let_go(runcu_event *event);

/* stream.c: makes the stream's context current for a while, and finds its driver; for NULL, the
 * current context's. core_leave undoes it. ERROR_FREED if the stream is closed. */
int core_stream_enter(struct core_scope *out, struct core_driver **driver,
                      const runcu_stream *stream);
/* Likewise. The stream is not destroyed meanwhile; ERROR_FREED if it is closed. */
struct core_stream_scope {
    struct core_scope scope;
    struct core_driver *driver;
    runcu_stream *stream;
};
int core_stream_begin(struct core_stream_scope *out, runcu_stream *stream);
/* Returns `status`. */
int core_stream_end(struct core_stream_scope *scope, int status);

/* Objects of the library that are alive: memory, streams, events, modules, functions, contexts
 * (device-held primary ones aside). For tests. */
extern atomic_long core_live_objects;

/* Copies a caller's params struct, which begins with its size (0: all of `bytes`), over zeros:
 * fields that the caller's version does not have get their default. NULL: all of them. */
void core_params(void *out, size_t bytes, const void *params);

/* Allocates an object, zeroed, and counts it; NULL with a recorded failure when memory is short.
 * core_delete is its end. */
void *core_new(size_t size);
void core_delete(void *object);

#endif

/* What the files of the extension module share. One file a Python type; they call the public C
 * library only (runcu/…). */
#ifndef BIND_H
#define BIND_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL runcu_bind_array_api
#ifndef BIND_IMPORTS_ARRAY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <structmember.h>

#include "dlpack.h"
#include "runcu/runcu.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

/* Types that module.c makes, in this order: a base stands before what derives from it. */
#define BIND_TYPES(X)               \
    X(device, NULL)                 \
    X(context, NULL)                \
    X(stream, NULL)                 \
    X(event, NULL)                  \
    X(allocation, NULL)             \
    X(pooled, allocation)           \
    X(managed, allocation)          \
    X(ipc_memory, allocation)       \
    X(span, NULL)                   \
    X(host_allocation, NULL)        \
    X(pooled_host, host_allocation) \
    X(registered, NULL)             \
    X(mempool, NULL)                \
    X(physical, NULL)               \
    X(range, NULL)                  \
    X(aligned, NULL)                \
    X(device_pool, NULL)            \
    X(host_pool, NULL)              \
    X(holder, NULL)                 \
    X(foreign, holder)              \
    X(handler, NULL)                \
    X(in, handler)                  \
    X(out, handler)                 \
    X(inout, handler)               \
    X(module, NULL)                 \
    X(function, NULL)               \
    X(launcher, NULL)               \
    X(bound, NULL)                  \
    X(cuarray, NULL)                \
    X(mipmap, NULL)                 \
    X(texture, NULL)                \
    X(surface, NULL)                \
    X(memcpy_2d, NULL)              \
    X(memcpy_3d, memcpy_2d)         \
    X(memcpy_3d_peer, memcpy_3d)    \
    X(program, NULL)                \
    X(bundle, NULL)                 \
    X(graph, NULL)                  \
    X(graph_node, NULL)             \
    X(graph_exec, NULL)             \
    X(graph_capture, NULL)          \
    X(jit, NULL)

/* Classes of runcu/_errors.py that C code hands out: field and Python's name. */
#define BIND_CLASSES(X)                \
    X(error, "Error")                  \
    X(memory_error, "MemoryError")     \
    X(logic_error, "LogicError")       \
    X(launch_error, "LaunchError")     \
    X(runtime_error, "RuntimeError")   \
    X(argument_error, "ArgumentError") \
    X(compile_error, "CompileError")   \
    X(device_warning, "DeviceWarning")

/* Names that are compared or looked up while a program runs. */
#define BIND_NAMES(X)           \
    X(block)                    \
    X(grid)                     \
    X(stream)                   \
    X(shared)                   \
    X(time_kernel)              \
    X(texrefs)                  \
    X(strict)                   \
    X(cooperative)              \
    X(cluster)                  \
    X(programmatic)             \
    X(priority)                 \
    X(carveout)                 \
    X(names)                    \
    X(shared_size)              \
    X(gpudata)                  \
    X(get_pointer)              \
    X(get_device_alloc)         \
    X(pre_call)                 \
    X(post_call)                \
    X(data)                     \
    X(typestr)                  \
    X(mask)                     \
    X(dtype)                    \
    X(__cuda_array_interface__) \
    X(__dlpack__)               \
    X(__dlpack_device__)        \
    X(__cuda_stream__)          \
    X(cuda_stream)              \
    X(ptr)                      \
    X(synchronize)              \
    X(close)

/* A NumPy scalar type whose values are plain numbers. */
struct bind_scalar {
    PyTypeObject *type;
    uint8_t kind;   /* enum runcu_arg_kind */
    uint8_t offset; /* of the value in the object */
    uint8_t size;
};
enum { BIND_SCALARS = 17 };

typedef struct bind_state {
#define X(name, base) PyTypeObject *name##_type;
    BIND_TYPES(X)
#undef X
#define X(field, name) PyObject *field;
    BIND_CLASSES(X)
#undef X
#define X(name) PyObject *name_##name;
    BIND_NAMES(X)
#undef X
    PyObject *compute_mode, *memory_type; /* the enumerations */
    PyTypeObject *diagnostic_type, *step_type;
    PyObject *captures; /* what captured work uses: lists by the number of the capture */
    PyObject *pushed;   /* list of contexts that a stack of some thread holds */
    PyObject *holds;    /* list of addresses of primary contexts, one for each hold */
    struct bind_scalar scalars[BIND_SCALARS];
    PyObject *package;    /* the folder of this package, for the place of warnings */
    PyObject *empty;      /* "" */
    PyObject *array_type; /* GPUArray, once it has been imported */
    PyObject *layout;     /* the dtype or ctypes type of a struct that was found right last */
    size_t layout_align;
    PyObject *exchange_name; /* __dlpack_c_exchange_api__ */
    PyObject *exchange_type; /* the type last asked for DLPack's exchange table, and the table */
    const dl_exchange *exchange;
} bind_state;

extern struct PyModuleDef bind_module;

/* --- object.c: what all types have in common --- */

/* Every object begins so: it takes new attributes and weak references, and finds the module's
 * state. */
#define BIND_HEAD      \
    PyObject_HEAD      \
    bind_state *state; \
    PyObject *dict, *weakrefs;

typedef struct bind_object {
    BIND_HEAD
} bind_object;

#define BIND_MEMBERS                                                                      \
    {"__dictoffset__", T_PYSSIZET, offsetof(bind_object, dict), READONLY, NULL},          \
    {                                                                                     \
        "__weaklistoffset__", T_PYSSIZET, offsetof(bind_object, weakrefs), READONLY, NULL \
    }

#define BIND_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC)

/* The state behind a type of ours or a subclass of one, written in Python perhaps. */
bind_state *bind_state_of(PyTypeObject *type);
bind_state *bind_module_state(PyObject *module);
/* A zeroed object of `type` with its state set; NULL with an exception. */
void *bind_new(PyTypeObject *type);
/* The first and the last steps of every dealloc; the object's own things are let go in between. */
void bind_begin_dealloc(PyObject *self);
void bind_end_dealloc(PyObject *self);
int bind_traverse(PyObject *self, visitproc visit, void *arg);
int bind_clear(PyObject *self);
/* from_handle(handle, owner=None) of every class: the handle, and `owner` (borrowed) or NULL.
 * bind_own makes the object keep it. 0, or -1 with an exception. */
int bind_handle(uint64_t *handle, PyObject **owner, PyObject *const *args, Py_ssize_t nargs,
                PyObject *kwnames);
int bind_own(PyObject *self, PyObject *owner);
/* Lets go of unreachable objects, also where collecting by itself is switched off. */
void bind_collect(void);
/* A tp_new for types that only functions make. */
PyObject *bind_no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

/* --- error.c, hooks.c: failures and what the library has to say --- */

/* Raises this thread's last failure of the library; returns -1. */
int bind_fail(bind_state *state, int status);
/* Raises `type` (an exception of runcu/_errors.py) with a text and the attributes of a failure;
 * returns -1. */
int bind_raise(PyObject *type, const char *format, ...);

/* Messages or output of kernels wait to be passed on; read without a lock. */
extern atomic_bool bind_has_news;
/* An exception has told of a kernel that went wrong: later calls in its context fail for the same
 * reason. */
extern atomic_bool bind_fault_told;
/* Passes them on: warnings, and kernels' printf to sys.stdout. -1 if a warning was made an
 * exception. Needs the GIL. */
int bind_tell_news(bind_state *state);

/* 0, or -1 with an exception: the end of every call of the library. */
static inline int bind_check(bind_state *state, int status)
{
    if (status == 0 && !atomic_load_explicit(&bind_has_news, memory_order_relaxed))
        return 0;
    if (status != 0)
        return bind_fail(state, status);
    return bind_tell_news(state);
}

/* What to do without texture and surface references, after what has failed. */
#define BIND_NO_REFERENCES                                                                      \
    "no compiler makes texture references or surface references since CUDA 12. Pass an object " \
    "to the kernel instead:\n"                                                                  \
    "    texture = driver.TextureObject(driver.np_to_array(a, 'C'))\n"                          \
    "    kernel(texture, ...)\n"                                                                \
    "    // void kernel(cudaTextureObject_t texture, ...) { ... tex2D<float>(texture, x, y) ... }"

/* Threads in such a call: the end of the interpreter waits for them, for a while. */
extern atomic_uint bind_inside;

/* A call that may wait: other Python threads run meanwhile. */
#define BIND_UNLOCKED(status, call)        \
    do {                                   \
        Py_BEGIN_ALLOW_THREADS             \
        atomic_fetch_add(&bind_inside, 1); \
        (status) = (call);                 \
        atomic_fetch_sub(&bind_inside, 1); \
        Py_END_ALLOW_THREADS               \
    } while (0)

/* Around the calls of a dealloc, which may wait: no exception gets in or out. An interrupt that
 * arrives meanwhile is put off until the interpreter looks again. */
struct bind_quiet {
#if PY_VERSION_HEX >= 0x030c0000
    PyObject *raised;
#else
    PyObject *type, *value, *traceback;
#endif
};
/* Puts a raised exception, or none, aside and raises it again. */
void bind_put_aside(struct bind_quiet *out);
void bind_put_back(struct bind_quiet *quiet);
void bind_quiet_begin(struct bind_quiet *quiet);
void bind_quiet_end(struct bind_quiet *quiet);

/* A runcu_interrupt_fn, for the state: passes on news and asks for signals. Runs on a thread that
 * is in the library, with or without the GIL; the end of the call raises what has been raised. */
int bind_on_wait(void *user);
/* Installs the library's callbacks for this process. 0, or -1 with an exception. */
int bind_hooks_install(bind_state *state);
/* When it has ended: waits, for a while, until daemon threads have left the library, which the
 * driver's own end would pull away from under them. */
void bind_wait_for_others(void);
/* At the interpreter's end: from now on kernels print straight to the process's standard output. */
void bind_hooks_end(bind_state *state);

/* --- convert.c: Python values to C --- */

/* Arguments of a METH_FASTCALL | METH_KEYWORDS function by name: out[i] is the argument called
 * names[i] or NULL; the first `required` must be there. 0, or -1 with a TypeError. */
struct bind_signature {
    const char *function;
    int required;
    const char *names[12]; /* ends with NULL */
};
int bind_parse(PyObject **out, const struct bind_signature *signature, PyObject *const *args,
               Py_ssize_t nargs, PyObject *kwnames);

/* The value of an exact int from 0 to about 2**30, without a call; -1 for all others. */
static inline Py_ssize_t bind_small(PyObject *value)
{
    if (!PyLong_CheckExact(value))
        return -1;
#if PY_VERSION_HEX >= 0x030c0000
    const PyLongObject *n = (const PyLongObject *) value;
    return PyUnstable_Long_IsCompact(n) ? PyUnstable_Long_CompactValue(n) : -1;
#else
    Py_ssize_t size = Py_SIZE(value);
    return size == 1 ? (Py_ssize_t) ((PyLongObject *) value)->ob_digit[0] : size ? -1 : 0;
#endif
}

/* A number of bytes or elements: an int or anything with __index__, not negative. `what` names it
 * in the error. */
int bind_size(size_t *out, PyObject *value, const char *what);
int bind_int(int *out, PyObject *value, const char *what);
int bind_unsigned(unsigned *out, PyObject *value, const char *what);
/* The device address that an object stands for. */
int bind_address(uint64_t *out, bind_state *state, PyObject *value);
/* Block or grid: an int, or one to three of them in a tuple, list or the like, each at least 1. */
int bind_dim3(runcu_dim3 *out, bind_state *state, PyObject *value, const char *what);
/* Host memory of an object for a copy: contiguous in C or Fortran order. bind_buffer_release always
 * follows success. */
struct bind_buffer {
    Py_buffer view; /* view.obj is NULL for a NumPy array, whose memory is taken directly */
    PyObject *owner;
    void *data;
    size_t bytes;
};
int bind_buffer_get(struct bind_buffer *out, bind_state *state, PyObject *value, bool writable);
void bind_buffer_release(struct bind_buffer *buffer);

/* What __cuda_array_interface__ says. */
struct bind_cuda_array {
    uint64_t address;
    size_t element_size;
    uint64_t stream;              /* whose work is to be done before; 0: none */
    uint8_t element_kind;         /* enum runcu_param_kind */
    bool is_read_only, has_order; /* version 3, which says whose work is to be done before */
};
/* 1 and *out if `value` has the attribute, 0 if not, -1 with an exception. */
int bind_cuda_array(struct bind_cuda_array *out, bind_state *state, PyObject *value);
/* Waits for the stream that was named there. */
int bind_cuda_array_wait(bind_state *state, const struct bind_cuda_array *array);
/* The attribute, NULL without an exception if it does not exist, NULL with one if getting it
 * failed. */
PyObject *bind_optional(PyObject *value, PyObject *name);

/* --- interop.c, foreign.c: arrays shared with other libraries --- */

/* What a METH_FASTCALL | METH_KEYWORDS function is called with. */
struct bind_fastcall {
    PyObject *const *args;
    Py_ssize_t nargs;
    PyObject *kwnames;
};

/* An array on a device: `shape` and `strides` (in bytes; NULL or None: C order) are tuples. All
 * borrowed. */
struct bind_tensor {
    PyObject *owner; /* an object of ours; kept by the capsule */
    uint64_t address;
    PyObject *shape, *strides;
    PyArray_Descr *dtype;
    bool is_read_only;
};
/* The method __dlpack__ of such an object: a capsule. */
PyObject *bind_dlpack_tensor(const struct bind_tensor *tensor, struct bind_fastcall call);
/* Its __cuda_array_interface__; AttributeError for memory of the CPU device. */
PyObject *bind_cuda_interface(const struct bind_tensor *tensor, const dl_device *device);
/* The pair that __dlpack_device__ gives for an address. */
PyObject *bind_dlpack_device_pair(bind_state *state, uint64_t address);
int bind_dlpack_device(dl_device *out, bind_state *state, uint64_t address);
/* A new reference: the dtype of DLPack's type, NULL with BufferError. */
PyArray_Descr *bind_dtype_of_dlpack(dl_type type);

/* The name of ml_dtypes' types in DLPack; false if it is none of them. */
bool bind_user_type(dl_type *out, PyArray_Descr *dtype);
/* A type's name without its module. */
const char *bind_last_name(PyTypeObject *type);

/* A ForeignArray of an object with __dlpack__, to be used in `stream`; of host memory, too. */
PyObject *bind_foreign_from_dlpack(bind_state *state, PyObject *value, const runcu_stream *stream);
/* As bind_buffer_get, of an array in host memory that speaks DLPack. */
int bind_foreign_buffer(struct bind_buffer *out, bind_state *state, PyObject *value, bool writable);
/* What a ForeignArray says: its address, its tensor, and the argument that it is. */
int bind_foreign_address(uint64_t *out, PyObject *value);
const dl_tensor *bind_foreign_tensor(PyObject *value);
bool bind_foreign_is_read_only(PyObject *value);
void bind_foreign_argument(runcu_arg *arg, PyObject *value);

/* --- the types --- */

typedef struct bind_device {
    BIND_HEAD
    runcu_device *device;
} bind_device;

typedef struct bind_context {
    BIND_HEAD
    runcu_context *context;
    bool is_hold;     /* of a primary context: one of those that have to be given back */
    bool is_detached; /* given back, though others may hold the context */
} bind_context;

typedef struct bind_streamobject {
    BIND_HEAD
    runcu_stream *stream; /* NULL: a default stream of whatever context is current */
    uint64_t special;     /* its handle: 0, 1 or 2 */
    PyObject *capture;    /* number of the capture that began in it, or NULL */
    atomic_bool is_closed;
} bind_streamobject;

typedef struct bind_event {
    BIND_HEAD
    runcu_event *event;
} bind_event;

/* Device memory. The address and the size outlive free(): readers need no lock against it. */
typedef struct bind_allocation {
    BIND_HEAD
    _Atomic(runcu_mem *) mem; /* NULL: freed */
    uint64_t address;
    size_t bytes;
    atomic_int exports; /* memoryviews of it */
} bind_allocation;

/* How a type's failures are told: the name of what ends it, as PyCUDA has it, and that it has
 * ended. */
struct bind_host_words {
    const char *end, *gone;
};

/* HostAllocation, RegisteredHostMemory, AlignedHostAllocation. */
typedef struct bind_host {
    BIND_HEAD
    atomic_bool is_live; /* false: freed or unregistered */
    runcu_mem *mem;      /* whoever ends it frees that; NULL: aligned memory */
    void *data;
    uint64_t address; /* for kernels */
    size_t bytes;
    unsigned flags;
    bool is_ours;              /* `data` comes from the C library */
    struct bind_buffer buffer; /* of registered memory, like the next */
    PyObject *base;
    const struct bind_host_words *words;
} bind_host;

/* In, Out and InOut. */
typedef struct bind_handler {
    BIND_HEAD
    PyObject *array, *allocation;
} bind_handler;

typedef struct bind_moduleobject {
    BIND_HEAD
    runcu_module *module;
} bind_moduleobject;

/* One code of Function.prepare: a letter of the struct module, the number before an s, and of
 * integers of 4 and 8 bytes and of pointers the enum runcu_arg_kind; else 0. */
struct bind_code {
    char letter;
    uint8_t kind;
    size_t bytes;
};

typedef struct bind_function {
    BIND_HEAD
    vectorcallfunc vectorcall;
    runcu_function
        *function; /* what is launched: `own`, unless it follows; then borrowed from it */
    runcu_function *own;
    const runcu_param *params;
    int param_count; /* -1: unknown */
    bool follows;
    PyObject *arg_format, *texrefs;
    struct bind_code *codes;
    Py_ssize_t code_count; /* -1: not prepared */
    runcu_dim3 block;      /* of prepared calls that name none; zeros: not set */
} bind_function;

typedef struct bind_launcher {
    BIND_HEAD
    vectorcallfunc vectorcall;
    bind_function *function;
    PyObject *stream; /* or NULL */
    runcu_launch_params params;
    bool is_empty; /* no threads at all: nothing to launch */
} bind_launcher;

/* A launch whose arguments are fixed. */
typedef struct bind_bound {
    BIND_HEAD
    vectorcallfunc vectorcall;
    bind_function *function;
    runcu_bound *bound; /* NULL: something among the arguments has to be converted each time */
    PyObject *values;   /* a tuple: the arguments as they were given */
    PyObject *names;    /* a dict from names to their places, or NULL */
    PyObject *stream;   /* or NULL */
    runcu_launch_params params;
    bind_allocation **watched; /* those among the values; borrowed */
    Py_ssize_t watched_count;
} bind_bound;

typedef struct bind_program {
    BIND_HEAD
    runcu_program *program;
    bool has_succeeded;
} bind_program;

#define X(name, base) extern PyType_Spec bind_##name##_spec;
BIND_TYPES(X)
#undef X

/* callback.c: Python functions that streams call; how many may still come. */
extern atomic_int bind_callback_count;
PyObject *bind_add_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs);
/* The function args[0] with the others as its arguments as a node of a graph: what it returns keeps
 * them, and is to live as long as the node. */
PyObject *bind_callback_keep(runcu_host_call *out, bind_state *state, PyObject *const *args,
                             Py_ssize_t nargs);
/* Lets go of what calls that are over held. */
void bind_callbacks_release(void);
/* At the interpreter's end: every call that is queued still runs, and none begins afterwards. */
void bind_callbacks_end(void);

/* capture.c: captures that have begun. bind_callback_count counts them as well, so that launches
 * look at one number. */
extern atomic_int bind_capture_count;
/* What work that was just given to the stream uses: if the stream is captured, the graph will hold
 * it. 0, or -1 with an exception. */
int bind_capture_hold(bind_state *state, runcu_stream *stream, PyObject *const *values,
                      Py_ssize_t count);
/* Likewise, of a buffer: 1 if it was taken, 0 if the stream is not captured. */
int bind_capture_buffer(bind_state *state, struct bind_buffer *buffer, runcu_stream *stream);
PyObject *bind_begin_capture(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames);
PyObject *bind_end_capture(PyObject *self, PyObject *unused);
PyObject *bind_capture_status(PyObject *self, void *closure);
/* The stream goes. */
void bind_capture_drop(bind_streamobject *s);

/* A call of the library that does not wait but for room in a queue: the GIL is kept, unless what
 * fills the queue may itself need it. */
#define BIND_QUEUED(status, call)                                               \
    do {                                                                        \
        if (atomic_load_explicit(&bind_callback_count, memory_order_relaxed)) { \
            BIND_UNLOCKED(status, call);                                        \
        } else {                                                                \
            status = (call);                                                    \
        }                                                                       \
    } while (0)

/* stream.c: what stands for a stream: None, a Stream, a CUstream as an int, or another library's
 * object. *keep is NULL or a new reference that must outlive the use of *out. */
int bind_stream(runcu_stream **out, PyObject **keep, bind_state *state, PyObject *value);
/* A handle as an int; `what` names it in the error. */
int bind_number(uint64_t *out, PyObject *value, const char *what);
/* __exit__ of what is closed at its end: close() is called. */
PyObject *bind_exit(PyObject *self, PyObject *args);
PyObject *bind_enter(PyObject *self, PyObject *unused);

PyObject *bind_device_wrap(bind_state *state, runcu_device *device);
/* `context` is taken. */
PyObject *bind_context_wrap(bind_state *state, runcu_context *context);
/* Likewise a primary context that somebody has asked for: it ends with the last such hold. */
PyObject *bind_context_wrap_hold(bind_state *state, runcu_context *context);
/* A context has become current: somebody's stack holds it. Its counterpart, for the context that is
 * no longer there. */
int bind_context_hold(bind_state *state, PyObject *context);
void bind_context_drop(bind_state *state, const runcu_context *context);
PyObject *bind_allocation_new(bind_state *state, size_t bytes);
/* Did the call fail because the device is full? Then what unreachable Python objects hold may be
 * given back (bind_collect), and the call made again. */
bool bind_is_full(int status);
PyObject *bind_allocation_free(PyObject *self, PyObject *unused);
/* ipc.c: the bytes of a handle for other processes. */
int bind_ipc_handle(unsigned char *out, PyObject *value);
/* Objects of these types or of ones derived from them; `mem` is taken, also on failure. */
PyObject *bind_allocation_wrap(PyTypeObject *type, runcu_mem *mem);
PyObject *bind_host_wrap(PyTypeObject *type, runcu_mem *mem, unsigned flags);
void bind_allocation_dealloc(PyObject *self);
/* hostmem.c: from now on `self` is alive, and has `mem` (taken) unless that is NULL. */
void bind_host_init(bind_host *self, runcu_mem *mem, const struct bind_host_words *words);
/* True with an exception once it has ended. */
bool bind_host_is_gone(bind_host *self);
PyObject *bind_host_free(PyObject *self, PyObject *unused);
PyObject *bind_host_exit(PyObject *self, PyObject *args);
void bind_host_dealloc(PyObject *self);
int bind_host_traverse(PyObject *self, visitproc visit, void *arg);
PyObject *bind_host_get_device_pointer(PyObject *self, PyObject *unused);
PyObject *bind_host_handle(PyObject *self, void *closure);
/* The arguments of from_handle, `owner` borrowed or NULL; and an object of what they name. */
struct bind_host_given {
    void *data;
    size_t bytes;
    PyObject *owner;
};
int bind_host_parse(struct bind_host_given *out, PyObject *const *args, Py_ssize_t nargs,
                    PyObject *kwnames);
PyObject *bind_host_from_handle(PyTypeObject *type, const struct bind_host_given *given,
                                const struct bind_host_words *words);
/* The address by which kernels reach a HostAllocation. */
int bind_host_address(uint64_t *out, PyObject *value);
/* `module`, `function` and `program` are taken. */
PyObject *bind_module_wrap(bind_state *state, runcu_module *module);
PyObject *bind_function_wrap(bind_state *state, runcu_function *function);

/* diagnostic.c: its types; a program's messages as a tuple, and as text in a form ("html"). */
int bind_diagnostic_init(bind_state *state);
PyObject *bind_diagnostics(bind_state *state, const runcu_program *program);
/* Likewise those of this thread's last failure. */
PyObject *bind_error_diagnostics(bind_state *state);
PyObject *bind_diagnostics_format(bind_state *state, const runcu_program *program, PyObject *form);

/* cuarray.c: an array, a mipmapped array, a texture or a surface, by the object's type. */
typedef struct bind_cuobject {
    BIND_HEAD
    void *object;     /* runcu_array and so on */
    PyObject *source; /* what it reads, or is a part of; NULL: nothing */
} bind_cuobject;
/* Borrowed from an Array. */
int bind_cuarray_get(runcu_array **out, bind_state *state, PyObject *value);

/* copy.c: host memory that an asynchronous copy uses is held until the copy is done. Takes over
 * `buffer`. */
int bind_hold_buffer(bind_state *state, struct bind_buffer *buffer, runcu_stream *stream);
/* Lets go of what finished copies held. */
void bind_release_done(void);

/* launch.c: the keywords of a launch. */
struct bind_options {
    runcu_launch_params params;
    PyObject *stream; /* borrowed */
    PyObject *keep;   /* what params.stream lives in: a reference of its own */
    PyObject *names;  /* borrowed */
    bool has_block, is_timed, takes_names;
};
int bind_read_options(struct bind_options *o, bind_state *state, PyObject *const *values,
                      PyObject *kwnames);
/* cooperative, cluster, programmatic, priority, carveout: 0 done, 1 none of them, -1 exception. */
int bind_set_attribute(runcu_launch_params *p, bind_state *state, PyObject *name, PyObject *value);
/* The same name as one that can be compared by address, if it is one of BIND_NAMES. */
PyObject *bind_interned(bind_state *state, PyObject *name);
/* function.c: what the kernel stands for now is what will be launched; stands before all uses of
 * ->function. */
int bind_function_refresh(bind_function *self);
static inline int bind_function_follow(bind_function *self)
{
    return self->follows ? bind_function_refresh(self) : 0;
}
int bind_fail_no_block(const bind_function *f, PyObject *const *args, Py_ssize_t nargs);

/* bound.c: function.bind(...). `o` holds what is known before the keywords. */
PyObject *bind_bound_new(bind_function *function, struct bind_options *o, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *kwnames);

/* launch.c */
PyObject *bind_function_call(PyObject *self, PyObject *const *args, size_t nargsf,
                             PyObject *kwnames);
PyObject *bind_launcher_call(PyObject *self, PyObject *const *args, size_t nargsf,
                             PyObject *kwnames);
PyObject *bind_function_subscript(PyObject *self, PyObject *key);
/* One launch: the arguments `values` converted, by prepare()'s codes if `is_prepared`. */
int bind_launch(bind_function *self, const runcu_launch_params *params, PyObject *stream,
                PyObject *const *values, Py_ssize_t count, bool is_prepared);
/* Converts the arguments and hands them to `use`, which raises its own exceptions. 0 or -1. */
typedef int bind_arguments_fn(void *user, const runcu_arg *args, size_t count);
int bind_with_arguments(bind_function *self, PyObject *const *values, Py_ssize_t count,
                        bind_arguments_fn *use, void *user);
/* A prepared call. */
int bind_launch_prepared(bind_function *self, const runcu_launch_params *params, PyObject *stream,
                         PyObject *const *values, Py_ssize_t count);
/* Likewise, waited for; *seconds is how long the device took. */
int bind_launch_timed(double *seconds, bind_function *self, const runcu_launch_params *params,
                      PyObject *stream, PyObject *const *values, Py_ssize_t count);

/* argument.c: one launch's arguments. */
void bind_scalars_init(bind_state *state);
struct bind_scratch {
    _Alignas(16) unsigned char bytes[16];
};
struct bind_hold {
    struct bind_buffer buffer;
    PyObject *handler;   /* of a class written in Python: its pre_call and post_call are called */
    PyObject *traveller; /* borrowed: In, Out or InOut, whose array `buffer` is */
    Py_ssize_t index;    /* of that argument */
};
struct bind_arguments {
    bind_function *function;
    runcu_arg *args;
    struct bind_scratch *scratch;
    struct bind_hold *holds; /* made when the first is needed */
    Py_ssize_t count, hold_count;
    runcu_stream *stream; /* of the launch: what other libraries have queued is done before */
    bool waits;           /* results travel back: the launch ends when they are there */
    bool has_handlers;
    bool runs_python; /* code that may have freed an allocation among the arguments */
};
/* Argument `i` is device memory; false: it has been freed. */
static inline bool bind_take_allocation(struct bind_arguments *call, Py_ssize_t i,
                                        const bind_allocation *allocation)
{
    runcu_arg *arg = &call->args[i];
    runcu_mem *mem = atomic_load_explicit(&allocation->mem, memory_order_relaxed);
#ifdef Py_GIL_DISABLED /* another thread may free it before the launch has looked at it */
    *arg = runcu_address(allocation->address);
#else
    arg->kind = RUNCU_ARG_MEM;
    arg->value.mem = mem;
    memcpy(call->scratch[i].bytes, &allocation->address, sizeof allocation->address);
#endif
    return mem != NULL;
}

/* Converts argument `i`. 0, or -1 with an exception. */
int bind_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value);
/* Likewise, to the type that a code of prepare() names (prepare.c). */
int bind_prepared_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value,
                           struct bind_code code);
void bind_arguments_release(struct bind_arguments *call);
/* Makes addresses of allocations, which Python code may have freed, or may free while the launch
 * runs without the GIL. */
void bind_arguments_unpin(struct bind_arguments *call);
/* Room for host memory or a handler that the launch needs; it counts once hold_count is raised.
 * NULL with an exception. */
struct bind_hold *bind_new_hold(struct bind_arguments *call);
/* The parameter that argument `i` meets, NULL if it is not known. */
const runcu_param *bind_param(const struct bind_arguments *call, Py_ssize_t i);
/* ArgumentError with the kernel's signature and the parameter; -1. `reason` may be NULL. */
int bind_fail_argument(struct bind_arguments *call, Py_ssize_t i, const char *format, ...);
int bind_fail_type(struct bind_arguments *call, Py_ssize_t i, PyObject *value, const char *reason);
/* A host array stands where a pointer to device memory is needed. */
int bind_fail_host(struct bind_arguments *call, Py_ssize_t i, PyObject *value);
void bind_set_address(runcu_arg *arg, uint64_t address);
/* The element of an array that is given by its address. */
void bind_set_element(runcu_arg *arg, PyArray_Descr *dtype);
/* An argument of bytes; one of `kind`, or of bytes, that lies in memory. Each launch goes here. */
static inline void bind_set_bytes(runcu_arg *arg, const void *data, size_t size)
{
    arg->kind = RUNCU_ARG_BYTES;
    arg->size = size;
    arg->value.p = data;
}

static inline void bind_read_number(runcu_arg *arg, uint8_t kind, const void *data, size_t size)
{
    arg->kind = kind;
    switch (kind) {
    case RUNCU_ARG_BOOL:
        arg->value.i = *(const npy_bool *) data != 0;
        break;
    case RUNCU_ARG_I8:
        arg->value.i = *(const int8_t *) data;
        break;
    case RUNCU_ARG_I16:
        arg->value.i = *(const int16_t *) data;
        break;
    case RUNCU_ARG_I32:
        arg->value.i = *(const int32_t *) data;
        break;
    case RUNCU_ARG_U8:
    case RUNCU_ARG_E4M3:
    case RUNCU_ARG_E5M2:
    case RUNCU_ARG_E8M0:
        arg->value.u = *(const uint8_t *) data;
        break;
    case RUNCU_ARG_U16:
    case RUNCU_ARG_F16:
    case RUNCU_ARG_BF16:
        arg->value.u = *(const uint16_t *) data;
        break;
    case RUNCU_ARG_U32:
        arg->value.u = *(const uint32_t *) data;
        break;
    case RUNCU_ARG_F32:
        arg->value.f = *(const float *) data;
        break;
    case RUNCU_ARG_I64:
    case RUNCU_ARG_U64:
    case RUNCU_ARG_F64:
        memcpy(&arg->value, data, 8);
        break;
    default:
        bind_set_bytes(arg, data, size);
        break;
    }
}
/* scalar.c. */
/* NumPy scalars that are not in the state's table; host arrays and ctypes by value. */
int bind_rare_scalar(struct bind_arguments *call, Py_ssize_t i, PyObject *value);
int bind_array_by_value(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array);
int bind_buffer_by_value(struct bind_arguments *call, Py_ssize_t i, PyObject *value);
/* Whether the fields of a dtype or a ctypes type lie as a kernel's struct has them. */
int bind_check_layout(struct bind_arguments *call, Py_ssize_t i, PyObject *key);
/* array.c. Arrays of GPUArray, of other libraries: 1 and the argument, 0 if it is none, -1. */
int bind_device_array(struct bind_arguments *call, Py_ssize_t i, PyObject *value);
/* A host array where a pointer stands: its address if kernels reach it. */
int bind_array_as_pointer(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array);
void bind_pack_complex(runcu_arg *arg, unsigned char *bytes, Py_complex value, bool is_single);
int bind_pack_half(unsigned char *out, double value);

/* Methods of Function that are elsewhere: occupancy.c, prepare.c. */
#define BIND_FUNCTION_METHODS(X) \
    X(max_active_blocks)         \
    X(suggest_block_size)        \
    X(available_shared)          \
    X(max_active_clusters)       \
    X(max_cluster_size)          \
    X(prepare)                   \
    X(prepared_call)             \
    X(prepared_async_call)       \
    X(prepared_timed_call)
#define X(name)                                                                             \
    PyObject *bind_function_##name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, \
                                   PyObject *kwnames);
BIND_FUNCTION_METHODS(X)
#undef X

/* prepare.c: the codes of a format string, and the format that a list of types stands for (a new
 * reference). */
int bind_codes_parse(struct bind_code **out, Py_ssize_t *count, const char *format);
PyObject *bind_format_of(PyObject *types);

/* Functions of the module, by file. */
extern PyMethodDef bind_device_functions[], bind_memory_functions[], bind_copy_functions[],
    bind_copy_array_functions[], bind_block_functions[], bind_ipc_functions[],
    bind_mempool_functions[], bind_vmm_functions[], bind_module_functions[],
    bind_function_functions[], bind_program_functions[], bind_explain_functions[],
    bind_cache_functions[], bind_diagnostic_functions[], bind_interop_functions[],
    bind_foreign_functions[], bind_batch_functions[];
/* Functions that know the module and are attributes of a class: Context.pop() works on class and
 * instance. */
extern PyMethodDef bind_device_statics[], bind_context_statics[];

#endif

/* DeviceMemoryPool, the page-locked pool under tools.PageLockedMemoryPool, and what they give out:
 * a DeviceAllocation and a HostAllocation whose memory goes back to the pool. */
#include "core.h"

typedef struct bind_pool {
    BIND_HEAD
    runcu_pool *pool;
    unsigned flags; /* host_alloc_flags */
} bind_pool;

/* Arguments are for a subclass's __init__; the classes themselves look at theirs there, too. */
static PyObject *new_pool(PyTypeObject *type, int (*create)(runcu_pool **out))
{
    bind_pool *self = bind_new(type);
    if (self && bind_check(self->state, create(&self->pool)) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *device_pool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void) args;
    (void) kwargs;
    return new_pool(type, runcu_pool_create);
}

static int create_host(runcu_pool **out)
{
    return runcu_pool_create_host(out, 0);
}

static PyObject *host_pool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void) args;
    (void) kwargs;
    return new_pool(type, create_host);
}

static int device_pool_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    (void) self;
    return PyArg_ParseTupleAndKeywords(args, kwargs, ":DeviceMemoryPool", names) ? 0 : -1;
}

/* With flags: another pool in place of the one that __new__ made. */
static int host_pool_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "flags", NULL};
    bind_pool *p = (bind_pool *) self;
    runcu_pool *old = p->pool, *pool;
    PyObject *value = NULL;
    unsigned flags = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:HostMemoryPool", names, &value) ||
        (value && bind_unsigned(&flags, value, "flags") != 0))
        return -1;
    if (flags == p->flags)
        return 0;
    if (bind_check(p->state, runcu_pool_create_host(&pool, flags)) != 0)
        return -1;
    p->pool = pool;
    p->flags = flags;
    runcu_pool_destroy(&old);
    return 0;
}

static void pool_dealloc(PyObject *self)
{
    bind_pool *p = (bind_pool *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    Py_BEGIN_ALLOW_THREADS
    runcu_pool_destroy(&p->pool);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* A block; when the device is full, what unreachable Python objects hold is given back first. */
static int get_block(runcu_mem **out, bind_pool *self, size_t bytes, runcu_stream *stream)
{
    runcu_error e;
    int status;
    runcu_pool_take(out, self->pool, bytes, stream);
    if (*out)
        return 0;
    BIND_UNLOCKED(status, runcu_pool_alloc(out, self->pool, bytes, stream));
    runcu_error_get(&e);
    if (status != 0 && e.code == 2) { /* CUDA_ERROR_OUT_OF_MEMORY */
        bind_collect();
        BIND_UNLOCKED(status, runcu_pool_alloc(out, self->pool, bytes, stream));
    }
    return bind_check(self->state, status);
}

static int parse(runcu_mem **out, size_t *bytes, bind_pool *self, PyObject *size, PyObject *stream)
{
    runcu_stream *handle;
    PyObject *keep;
    if (bind_size(bytes, size, "the number of bytes") != 0 ||
        bind_stream(&handle, &keep, self->state, stream) != 0)
        return -1;
    int status = get_block(out, self, *bytes, handle);
    Py_XDECREF(keep);
    return status;
}

static const struct bind_signature allocate_signature = {"allocate", 1, {"size", "stream", NULL}};

static PyObject *device_allocate(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    bind_pool *p = (bind_pool *) self;
    PyObject *values[2];
    runcu_mem *mem;
    size_t bytes;
    if (bind_parse(values, &allocate_signature, args, nargs, kwnames) != 0 ||
        parse(&mem, &bytes, p, values[0], values[1]) != 0)
        return NULL;
    return bind_allocation_wrap(p->state->pooled_type, mem);
}

static PyObject *host_allocate(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    bind_pool *p = (bind_pool *) self;
    PyObject *values[2];
    runcu_mem *mem;
    size_t bytes;
    if (bind_parse(values, &allocate_signature, args, nargs, kwnames) != 0 ||
        parse(&mem, &bytes, p, values[0], values[1]) != 0)
        return NULL;
    return bind_host_wrap(p->state->pooled_host_type, mem, p->flags);
}

static PyObject *pool_free_held(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_pool *p = (bind_pool *) self;
    Py_BEGIN_ALLOW_THREADS
    runcu_pool_free_held(p->pool);
    Py_END_ALLOW_THREADS
    if (bind_check(p->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *pool_stop_holding(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_pool *p = (bind_pool *) self;
    Py_BEGIN_ALLOW_THREADS
    runcu_pool_stop_holding(p->pool);
    Py_END_ALLOW_THREADS
    if (bind_check(p->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *pool_exit(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void) args;
    (void) nargs;
    return pool_stop_holding(self, NULL);
}

static PyObject *pool_bin_number(PyObject *unused, PyObject *value)
{
    (void) unused;
    size_t bytes;
    if (bind_size(&bytes, value, "the number of bytes") != 0)
        return NULL;
    return PyLong_FromUnsignedLong(runcu_pool_bin(bytes));
}

static PyObject *pool_alloc_size(PyObject *unused, PyObject *value)
{
    (void) unused;
    unsigned bin;
    if (bind_unsigned(&bin, value, "bin") != 0)
        return NULL;
    size_t bytes = runcu_pool_bin_bytes(bin);
    if (!bytes)
        return PyErr_Format(PyExc_ValueError, "there is no bin %u: the last one is %u", bin,
                            (unsigned) runcu_pool_bin(SIZE_MAX));
    return PyLong_FromSize_t(bytes);
}

/* `closure` is the offset of the field in runcu_pool_use. */
static PyObject *pool_use(PyObject *self, void *closure)
{
    runcu_pool_use use = {0};
    size_t value;
    runcu_pool_get_use(&use, ((bind_pool *) self)->pool);
    memcpy(&value, (const char *) &use + (uintptr_t) closure, sizeof value);
    return PyLong_FromSize_t(value);
}

#define USE(name, text)                                                          \
    {                                                                            \
        #name, pool_use, NULL, text, (void *) offsetof(struct runcu_pool_use, name) \
    }
static PyGetSetDef pool_getset[] = {
    USE(held_blocks, "Blocks that are kept for later."),
    USE(active_blocks, "Blocks that are in use."),
    USE(managed_bytes, "Bytes of all blocks, as large as they are."),
    USE(active_bytes, "Bytes of the blocks in use, as they were asked for."),
    {NULL, NULL, NULL, NULL, NULL},
};

#define COMMON                                                                                     \
    {"free_held", pool_free_held, METH_NOARGS,                                                     \
     "free_held($self, /)\n--\n\nFrees the blocks that nobody uses."},                             \
        {"stop_holding", pool_stop_holding, METH_NOARGS,                                           \
         "stop_holding($self, /)\n--\n\nFrees held blocks now, and others when their owner lets "  \
         "them go."},                                                                              \
        {"bin_number", pool_bin_number, METH_O | METH_STATIC,                                      \
         "bin_number(size, /)\n--\n\nThe bin of a number of bytes."},                              \
        {"alloc_size", pool_alloc_size, METH_O | METH_STATIC,                                      \
         "alloc_size(bin, /)\n--\n\nBytes of a bin's blocks."},                                    \
        {"__enter__", bind_enter, METH_NOARGS, NULL},                                              \
        {"__exit__", (PyCFunction) (void (*)(void)) pool_exit, METH_FASTCALL, NULL},               \
    {                                                                                              \
        NULL, NULL, 0, NULL                                                                        \
    }

static PyMethodDef device_pool_methods[] = {
    {"allocate", (PyCFunction) (void (*)(void)) device_allocate, METH_FASTCALL | METH_KEYWORDS,
     "allocate($self, size, stream=None)\n--\n\n"
     "Device memory of at least `size` bytes, which goes back to the pool with its last "
     "reference.\n\n"
     "What a stream may still use is not given out; with `stream`, work of that stream does not "
     "count.\n\n"
     "Raises\n------\nMemoryError\n    of runcu.driver: the device has not that much left, even "
     "without the blocks held."},
    COMMON,
};

static PyMethodDef host_pool_methods[] = {
    {"allocate_block", (PyCFunction) (void (*)(void)) host_allocate, METH_FASTCALL | METH_KEYWORDS,
     "allocate_block($self, size, stream=None)\n--\n\n"
     "Page-locked host memory of at least `size` bytes; as DeviceMemoryPool.allocate."},
    COMMON,
};

static PyMemberDef pool_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot device_pool_slots[] = {
    {Py_tp_doc, (char *) "DeviceMemoryPool()\n--\n\nDevice memory that is kept when it is freed, "
                         "and given out again without asking the driver."},
    {Py_tp_new, device_pool_new},
    {Py_tp_init, device_pool_init},
    {Py_tp_dealloc, pool_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, device_pool_methods},
    {Py_tp_getset, pool_getset},
    {Py_tp_members, pool_members},
    {0, NULL},
};

static PyType_Slot host_pool_slots[] = {
    {Py_tp_doc, (char *) "HostMemoryPool(flags=0)\n--\n\nPage-locked host memory that is kept when "
                         "it is freed. `flags`: of host_alloc_flags."},
    {Py_tp_new, host_pool_new},
    {Py_tp_init, host_pool_init},
    {Py_tp_dealloc, pool_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, host_pool_methods},
    {Py_tp_getset, pool_getset},
    {Py_tp_members, pool_members},
    {0, NULL},
};

PyType_Spec bind_device_pool_spec = {"runcu.tools.DeviceMemoryPool", sizeof(bind_pool), 0,
                                     BIND_FLAGS, device_pool_slots};
PyType_Spec bind_host_pool_spec = {"runcu.tools.HostMemoryPool", sizeof(bind_pool), 0, BIND_FLAGS,
                                   host_pool_slots};

/* --- what they give out --- */

static Py_ssize_t pooled_length(PyObject *self)
{
    return (Py_ssize_t) ((bind_allocation *) self)->bytes;
}

static PyType_Slot pooled_slots[] = {
    {Py_tp_doc, (char *) "Device memory of a DeviceMemoryPool; a DeviceAllocation in all else. "
                         "len() of it is its bytes."},
    {Py_tp_dealloc, bind_allocation_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_mp_length, pooled_length},
    {0, NULL},
};

static Py_ssize_t pooled_host_length(PyObject *self)
{
    return (Py_ssize_t) ((bind_host *) self)->bytes;
}

static PyType_Slot pooled_host_slots[] = {
    {Py_tp_doc, (char *) "Page-locked memory of a pool; a HostAllocation in all else. len() of it "
                         "is its bytes."},
    {Py_mp_length, pooled_host_length},
    {Py_tp_dealloc, bind_host_dealloc},
    {Py_tp_traverse, bind_host_traverse},
    {Py_tp_clear, bind_clear},
    {0, NULL},
};

PyType_Spec bind_pooled_spec = {"runcu.tools.PooledDeviceAllocation", sizeof(bind_allocation), 0,
                                BIND_FLAGS, pooled_slots};
PyType_Spec bind_pooled_host_spec = {"runcu.tools.PooledHostAllocation",
                                     sizeof(bind_host), 0, BIND_FLAGS,
                                     pooled_host_slots};

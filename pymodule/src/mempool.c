/* MemoryPool: a pool of the driver's that memory in the order of streams comes from. */
#include "core.h"

typedef struct bind_mempool {
    BIND_HEAD
    _Atomic(runcu_mempool *) pool; /* NULL: closed */
} bind_mempool;

/* --- making --- */

static int device_of(runcu_device **out, bind_state *state, PyObject *value)
{
    *out = NULL;
    if (!value || value == Py_None)
        return 0;
    if (!PyObject_TypeCheck(value, state->device_type))
        return bind_raise(PyExc_TypeError, "a Device or None is expected, not %.200s",
                          Py_TYPE(value)->tp_name);
    *out = ((bind_device *) value)->device;
    return 0;
}

/* `pool` is taken, also on failure. */
static PyObject *wrap(PyTypeObject *type, runcu_mempool *pool)
{
    bind_mempool *self = bind_new(type);
    if (self)
        atomic_store(&self->pool, pool);
    else
        runcu_mempool_destroy(&pool);
    return (PyObject *) self;
}

static PyObject *mempool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "device", (char *) "max_size", NULL};
    PyObject *device_value = NULL, *most_value = NULL;
    bind_state *state = bind_state_of(type);
    runcu_device *device;
    runcu_mempool *pool;
    size_t most = 0;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:MemoryPool", names, &device_value,
                                     &most_value) ||
        device_of(&device, state, device_value) != 0 ||
        (most_value && bind_size(&most, most_value, "max_size") != 0) ||
        bind_check(state, runcu_mempool_create(&pool, device, most)) != 0)
        return NULL;
    return wrap(type, pool);
}

static PyObject *of_device(PyObject *type, PyObject *args,
                           int (*find)(runcu_mempool **out, runcu_device *device))
{
    PyObject *value = NULL;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    runcu_device *device;
    runcu_mempool *pool;
    if (!state || !PyArg_ParseTuple(args, "|O", &value) || device_of(&device, state, value) != 0 ||
        bind_check(state, find(&pool, device)) != 0)
        return NULL;
    return wrap((PyTypeObject *) type, pool);
}

static PyObject *mempool_default(PyObject *type, PyObject *args)
{
    return of_device(type, args, runcu_mempool_default);
}

static PyObject *mempool_current(PyObject *type, PyObject *args)
{
    return of_device(type, args, runcu_mempool_current);
}

static PyObject *mempool_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
    uint64_t handle;
    runcu_mempool *pool;
    PyObject *owner;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    if (!state || bind_handle(&handle, &owner, args, nargs, kwnames) != 0 ||
        bind_check(state, runcu_mempool_wrap(&pool, NULL, handle)) != 0)
        return NULL;
    PyObject *self = wrap((PyTypeObject *) type, pool);
    if (self && bind_own(self, owner) != 0)
        Py_CLEAR(self);
    return self;
}

static void mempool_dealloc(PyObject *self)
{
    runcu_mempool *pool = atomic_exchange(&((bind_mempool *) self)->pool, NULL);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    runcu_mempool_destroy(&pool);
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* --- using --- */

/* The pool, or NULL with an exception once it is closed. */
static runcu_mempool *get(PyObject *self)
{
    bind_mempool *p = (bind_mempool *) self;
    runcu_mempool *pool = atomic_load(&p->pool);
    if (!pool)
        bind_raise(p->state->logic_error, "the memory pool has been closed");
    return pool;
}

static PyObject *none_or_null(PyObject *self, int status)
{
    if (bind_check(((bind_object *) self)->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *mempool_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    runcu_mempool *pool = atomic_exchange(&((bind_mempool *) self)->pool, NULL);
    runcu_mempool_destroy(&pool);
    return none_or_null(self, 0);
}

static PyObject *mempool_make_current(PyObject *self, PyObject *unused)
{
    (void) unused;
    runcu_mempool *pool = get(self);
    return pool ? none_or_null(self, runcu_mempool_make_current(pool)) : NULL;
}

static PyObject *mempool_trim(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    static const struct bind_signature signature = {"trim", 0, {"keep", NULL}};
    PyObject *values[1];
    size_t keep = 0;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        (values[0] && bind_size(&keep, values[0], "keep") != 0))
        return NULL;
    runcu_mempool *pool = get(self);
    if (!pool)
        return NULL;
    BIND_UNLOCKED(status, runcu_mempool_trim(pool, keep));
    return none_or_null(self, status);
}

static PyObject *allocate(bind_state *state, PyObject *self, PyObject *bytes_value,
                          PyObject *stream_value)
{
    runcu_mempool *pool = NULL;
    runcu_stream *stream;
    runcu_mem *mem;
    PyObject *keep;
    size_t bytes;
    int status = -1;
    if (bind_size(&bytes, bytes_value, "the number of bytes") != 0 ||
        bind_stream(&stream, &keep, state, stream_value) != 0)
        return NULL;
    if (!self || (pool = get(self))) {
        BIND_UNLOCKED(status, runcu_mem_alloc_async(&mem, bytes, pool, stream));
        if (bind_is_full(status)) {
            bind_collect();
            BIND_UNLOCKED(status, runcu_mem_alloc_async(&mem, bytes, pool, stream));
        }
        status = bind_check(state, status);
    }
    Py_XDECREF(keep);
    return status ? NULL : bind_allocation_wrap(state->allocation_type, mem);
}

static PyObject *mempool_allocate(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    static const struct bind_signature signature = {"allocate", 1, {"size", "stream", NULL}};
    PyObject *values[2];
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    return allocate(((bind_object *) self)->state, self, values[0], values[1]);
}

static PyObject *mem_alloc_async(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "mem_alloc_async", 1, {"bytes", "stream", "pool", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3];
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    PyObject *pool = values[2] == Py_None ? NULL : values[2];
    if (pool && !PyObject_TypeCheck(pool, state->mempool_type))
        return PyErr_Format(PyExc_TypeError, "a MemoryPool or None is expected, not %.200s",
                            Py_TYPE(pool)->tp_name);
    return allocate(state, pool, values[0], values[1]);
}

/* --- attributes: `closure` is the number --- */

enum { RELEASE_THRESHOLD = 4, RESERVED, RESERVED_HIGH, USED, USED_HIGH };

static PyObject *mempool_get(PyObject *self, void *closure)
{
    uint64_t value;
    runcu_mempool *pool = get(self);
    if (!pool || bind_check(((bind_object *) self)->state,
                            runcu_mempool_get(&value, pool, (int) (uintptr_t) closure)) != 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(value);
}

static int mempool_set(PyObject *self, PyObject *value, void *closure)
{
    size_t number;
    runcu_mempool *pool = get(self);
    if (!pool)
        return -1;
    if (!value)
        return bind_raise(PyExc_AttributeError, "the attribute cannot be deleted");
    if (bind_size(&number, value, "the number of bytes") != 0)
        return -1;
    return bind_check(((bind_object *) self)->state,
                      runcu_mempool_set(pool, (int) (uintptr_t) closure, number));
}

static PyObject *mempool_handle(PyObject *self, void *closure)
{
    (void) closure;
    const runcu_mempool *pool = get(self);
    return pool ? PyLong_FromUnsignedLongLong(runcu_mempool_handle(pool)) : NULL;
}

static PyObject *mempool_device(PyObject *self, void *closure)
{
    (void) closure;
    const runcu_mempool *pool = get(self);
    return pool ? bind_device_wrap(((bind_object *) self)->state, runcu_mempool_device(pool))
                : NULL;
}

PyMethodDef bind_mempool_functions[] = {
    {"mem_alloc_async", (PyCFunction) (void (*)(void)) mem_alloc_async,
     METH_FASTCALL | METH_KEYWORDS,
     "mem_alloc_async($module, bytes, stream=None, pool=None)\n--\n\n"
     "Device memory that work of the stream may use from now on, and other work once that is "
     "ordered behind it. Free it with free_async(); free(), or the end of the object, waits for "
     "the "
     "device.\n\n"
     "Parameters\n----------\n"
     "bytes : int\n"
     "stream : Stream, optional\n"
     "pool : MemoryPool, optional\n    Without it the device's current one."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef mempool_methods[] = {
    {"default", mempool_default, METH_VARARGS | METH_CLASS,
     "default($type, device=None, /)\n--\n\nThe pool that a device (None: the current one) always "
     "has."},
    {"current", mempool_current, METH_VARARGS | METH_CLASS,
     "current($type, device=None, /)\n--\n\nThe pool that a device (None: the current one) uses at "
     "present."},
    {"from_handle", (PyCFunction) (void (*)(void)) mempool_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "A pool of somebody else by its CUmemoryPool, on the current device; never destroyed through "
     "this object. `owner` is kept alive as long."},
    {"make_current", mempool_make_current, METH_NOARGS,
     "make_current($self, /)\n--\n\nMakes it the pool that its device uses."},
    {"allocate", (PyCFunction) (void (*)(void)) mempool_allocate, METH_FASTCALL | METH_KEYWORDS,
     "allocate($self, size, stream=None)\n--\n\nMemory of this pool; as mem_alloc_async."},
    {"trim", (PyCFunction) (void (*)(void)) mempool_trim, METH_FASTCALL | METH_KEYWORDS,
     "trim($self, keep=0)\n--\n\nGives the device back what is kept beyond `keep` bytes and nobody "
     "uses."},
    {"close", mempool_close, METH_NOARGS,
     "close($self, /)\n--\n\nDestroys the pool; its memory goes as it is freed."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe pool itself."},
    {"__exit__", bind_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses the pool."},
    {NULL, NULL, 0, NULL},
};

#define NUMBER(name, set, id, text)                             \
    {                                                           \
        name, mempool_get, set, text, (void *) (uintptr_t) (id) \
    }
static PyGetSetDef mempool_getset[] = {
    NUMBER("release_threshold", mempool_set, RELEASE_THRESHOLD,
           "Bytes that the pool may keep when the program waits for the device; 0 at first."),
    NUMBER("reserved", NULL, RESERVED, "Bytes that the pool has from the device."),
    NUMBER("reserved_high", mempool_set, RESERVED_HIGH, "The most there ever were; 0 starts anew."),
    NUMBER("used", NULL, USED, "Bytes that are allocated."),
    NUMBER("used_high", mempool_set, USED_HIGH, "The most there ever were; 0 starts anew."),
    {"handle", mempool_handle, NULL, "The CUmemoryPool as an int.", NULL},
    {"device", mempool_device, NULL, "The Device.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef mempool_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot mempool_slots[] = {
    {Py_tp_doc, (char *) "MemoryPool(device=None, max_size=0)\n--\n\n"
                         "A pool of the driver's that memory in the order of streams comes from "
                         "(mem_alloc_async); of `device`, or the current one, with at most "
                         "`max_size` bytes (0: the driver's limit)."},
    {Py_tp_new, mempool_new},
    {Py_tp_dealloc, mempool_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, mempool_methods},
    {Py_tp_getset, mempool_getset},
    {Py_tp_members, mempool_members},
    {0, NULL},
};

PyType_Spec bind_mempool_spec = {"runcu.driver.MemoryPool", sizeof(bind_mempool), 0, BIND_FLAGS,
                                 mempool_slots};

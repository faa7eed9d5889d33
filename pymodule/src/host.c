/* HostAllocation: page-locked host memory, which NumPy arrays are made of
 * (driver.pagelocked_empty). */
#include "core.h"

PyObject *bind_host_wrap(PyTypeObject *type, runcu_mem *mem, unsigned flags)
{
    bind_host_allocation *self = bind_new(type);
    if (!self) {
        runcu_mem_free(&mem);
        return NULL;
    }
    atomic_store(&self->mem, mem);
    self->data = runcu_mem_host_pointer(mem);
    self->address = runcu_mem_address(mem);
    self->bytes = runcu_mem_size(mem);
    self->flags = flags;
    return (PyObject *) self;
}

static PyObject *host_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "bytes", (char *) "flags", NULL};
    PyObject *bytes_value, *flags_value = NULL;
    size_t bytes;
    unsigned flags = 0;
    runcu_mem *mem;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:HostAllocation", names, &bytes_value,
                                     &flags_value) ||
        bind_size(&bytes, bytes_value, "the number of bytes") != 0 ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0))
        return NULL;
    bind_state *state = bind_state_of(type);
    if (!state)
        return NULL;
    BIND_UNLOCKED(status, runcu_mem_alloc_host(&mem, bytes, flags));
    if (bind_check(state, status) != 0)
        return NULL;
    return bind_host_wrap(type, mem, flags);
}

void bind_host_dealloc(PyObject *self)
{
    runcu_mem *mem = atomic_exchange(&((bind_host_allocation *) self)->mem, NULL);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    if (mem) {
        Py_BEGIN_ALLOW_THREADS
        runcu_mem_free(&mem);
        Py_END_ALLOW_THREADS
    }
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

static bool is_freed(bind_host_allocation *self)
{
    if (atomic_load(&self->mem))
        return false;
    bind_raise(self->state->logic_error, "the page-locked host allocation has been freed");
    return true;
}

static int host_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    bind_host_allocation *h = (bind_host_allocation *) self;
    view->obj = NULL;
    if (is_freed(h))
        return -1;
    return PyBuffer_FillInfo(view, self, h->data, (Py_ssize_t) h->bytes, 0, flags);
}

static PyObject *host_free(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host_allocation *h = (bind_host_allocation *) self;
    runcu_mem *mem = atomic_exchange(&h->mem, NULL);
    int status;
    if (!mem) {
        bind_raise(h->state->logic_error, "%s::free failed: invalid resource handle",
                   PyObject_TypeCheck(self, h->state->pooled_host_type)
                       ? "pooled_host_allocation"
                       : "pagelocked_host_allocation");
        return NULL;
    }
    BIND_UNLOCKED(status, runcu_mem_free(&mem));
    if (bind_check(h->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* The end of a with block: free() may have come before. */
static PyObject *host_exit(PyObject *self, PyObject *args)
{
    (void) args;
    if (atomic_load(&((bind_host_allocation *) self)->mem))
        return host_free(self, NULL);
    Py_RETURN_NONE;
}

int bind_host_address(uint64_t *out, PyObject *value)
{
    bind_host_allocation *h = (bind_host_allocation *) value;
    *out = h->address;
    return is_freed(h) ? -1 : 0;
}

static PyObject *host_get_flags(PyObject *self, PyObject *unused)
{
    (void) unused;
    return PyLong_FromUnsignedLong(((bind_host_allocation *) self)->flags);
}

static PyObject *host_get_device_pointer(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host_allocation *h = (bind_host_allocation *) self;
    if (is_freed(h))
        return NULL;
    return PyLong_FromUnsignedLongLong(h->address);
}

static PyObject *host_dlpack_device(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host_allocation *h = (bind_host_allocation *) self;
    return is_freed(h) ? NULL : bind_dlpack_device_pair(h->state, (uintptr_t) h->data);
}

static PyObject *host_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    bind_host_allocation *h = (bind_host_allocation *) self;
    PyObject *capsule = NULL, *shape = NULL;
    if (is_freed(h) || !(shape = Py_BuildValue("(n)", (Py_ssize_t) h->bytes)))
        return NULL;
    PyArray_Descr *dtype = PyArray_DescrFromType(NPY_UINT8);
    struct bind_tensor tensor = {
        .owner = self, .address = (uintptr_t) h->data, .shape = shape, .dtype = dtype};
    if (dtype)
        capsule = bind_dlpack_tensor(&tensor, (struct bind_fastcall){args, nargs, kwnames});
    Py_XDECREF(dtype);
    Py_DECREF(shape);
    return capsule;
}

static PyMethodDef host_methods[] = {
    {"__dlpack__", (PyCFunction) (void (*)(void)) host_dlpack, METH_FASTCALL | METH_KEYWORDS,
     "__dlpack__($self, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
     "A DLPack capsule of its bytes: a one-dimensional array of uint8 that keeps the memory."},
    {"__dlpack_device__", host_dlpack_device, METH_NOARGS,
     "__dlpack_device__($self, /)\n--\n\nDLPack's device: page-locked host memory of a GPU is "
     "(3, 0)."},
    {"free", host_free, METH_NOARGS,
     "free($self, /)\n--\n\nFrees the memory now. Arrays made of it must not be used any more."},
    {"get_flags", host_get_flags, METH_NOARGS,
     "get_flags($self, /)\n--\n\nThe host_alloc_flags it was made with."},
    {"get_device_pointer", host_get_device_pointer, METH_NOARGS,
     "get_device_pointer($self, /)\n--\n\nThe address under which kernels reach it."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe allocation itself."},
    {"__exit__", host_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nFrees the memory, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef host_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot host_slots[] = {
    {Py_tp_doc, (char *) "HostAllocation(bytes, flags=0)\n--\n\n"
                         "Page-locked host memory: copies of it are fast and may be asynchronous. "
                         "`flags`: of host_alloc_flags."},
    {Py_tp_new, host_new},
    {Py_tp_dealloc, bind_host_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_bf_getbuffer, host_getbuffer},
    {Py_tp_methods, host_methods},
    {Py_tp_members, host_members},
    {0, NULL},
};

PyType_Spec bind_host_allocation_spec = {"runcu.driver.HostAllocation",
                                         sizeof(bind_host_allocation), 0, BIND_FLAGS, host_slots};

/* HostAllocation: page-locked host memory, which NumPy arrays are made of
 * (driver.pagelocked_empty). */
#include "core.h"

static const struct bind_host_words words = {"pagelocked_host_allocation::free",
                                             "the page-locked host allocation has been freed"};
static const struct bind_host_words pooled_words = {
    "pooled_host_allocation::free", "the page-locked host allocation has been freed"};

static const struct bind_host_words *words_of(bind_state *state, PyTypeObject *type)
{
    return PyType_IsSubtype(type, state->pooled_host_type) ? &pooled_words : &words;
}

PyObject *bind_host_wrap(PyTypeObject *type, runcu_mem *mem, unsigned flags)
{
    bind_host *self = bind_new(type);
    if (!self) {
        runcu_mem_free(&mem);
        return NULL;
    }
    bind_host_init(self, mem, words_of(self->state, type));
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

static PyObject *host_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    struct bind_host_given given;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    if (!state || bind_host_parse(&given, args, nargs, kwnames) != 0)
        return NULL;
    PyObject *self = bind_host_from_handle((PyTypeObject *) type, &given,
                                           words_of(state, (PyTypeObject *) type));
    bind_host *h = (bind_host *) self;
    if (self && runcu_mem_host_flags(&h->flags, h->mem) != 0)
        h->flags = 0; /* registered memory does not tell */
    return self;
}

static int host_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    bind_host *h = (bind_host *) self;
    view->obj = NULL;
    if (bind_host_is_gone(h))
        return -1;
    return PyBuffer_FillInfo(view, self, h->data, (Py_ssize_t) h->bytes, 0, flags);
}

static PyObject *host_get_flags(PyObject *self, PyObject *unused)
{
    (void) unused;
    return PyLong_FromUnsignedLong(((bind_host *) self)->flags);
}

static PyObject *host_dlpack_device(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host *h = (bind_host *) self;
    return bind_host_is_gone(h) ? NULL : bind_dlpack_device_pair(h->state, (uintptr_t) h->data);
}

static PyObject *host_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    bind_host *h = (bind_host *) self;
    PyObject *capsule = NULL, *shape = NULL;
    if (bind_host_is_gone(h) || !(shape = Py_BuildValue("(n)", (Py_ssize_t) h->bytes)))
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
    {"from_handle", (PyCFunction) (void (*)(void)) host_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None, size=None)\n--\n\n"
     "Page-locked memory of somebody else by its address on the host; it is never freed through "
     "this object. `size`: bytes; None: all that is left of it there. `owner` is kept alive as "
     "long."},
    {"free", bind_host_free, METH_NOARGS,
     "free($self, /)\n--\n\nFrees the memory now. Arrays made of it must not be used any more."},
    {"get_flags", host_get_flags, METH_NOARGS,
     "get_flags($self, /)\n--\n\nThe host_alloc_flags it was made with."},
    {"get_device_pointer", bind_host_get_device_pointer, METH_NOARGS,
     "get_device_pointer($self, /)\n--\n\nThe address under which kernels reach it."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe allocation itself."},
    {"__exit__", bind_host_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nFrees the memory, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef host_getset[] = {
    {"handle", bind_host_handle, NULL, "Its address on the host as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef host_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot host_slots[] = {
    {Py_tp_doc, (char *) "HostAllocation(bytes, flags=0)\n--\n\n"
                         "Page-locked host memory: copies of it are fast and may be asynchronous. "
                         "`flags`: of host_alloc_flags."},
    {Py_tp_new, host_new},
    {Py_tp_dealloc, bind_host_dealloc},
    {Py_tp_traverse, bind_host_traverse},
    {Py_tp_clear, bind_clear},
    {Py_bf_getbuffer, host_getbuffer},
    {Py_tp_methods, host_methods},
    {Py_tp_getset, host_getset},
    {Py_tp_members, host_members},
    {0, NULL},
};

PyType_Spec bind_host_allocation_spec = {"runcu.driver.HostAllocation", sizeof(bind_host), 0,
                                         BIND_FLAGS, host_slots};

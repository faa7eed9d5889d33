/* RegisteredHostMemory and AlignedHostAllocation: memory of the host that has not been page-locked
 * from the start. What they have in common is in hostmem.c. */
#include "core.h"

#include <stdlib.h>

static const struct bind_host_words registered_words = {"registered_host_memory::unregister",
                                                        "the host memory has been unregistered"};
static const struct bind_host_words aligned_words = {"aligned_host_allocation::free",
                                                     "the memory has been freed"};

/* --- registered --- */

static PyObject *registered_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "base", (char *) "flags", NULL};
    PyObject *base, *flags_value = NULL;
    unsigned flags = 0;
    runcu_mem *mem;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:RegisteredHostMemory", names, &base,
                                     &flags_value) ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0))
        return NULL;
    bind_host *self = bind_new(type);
    if (!self || bind_buffer_get(&self->buffer, self->state, base, false) != 0) {
        Py_XDECREF(self);
        return NULL;
    }
    self->base = Py_NewRef(base);
    BIND_UNLOCKED(status, runcu_mem_register(&mem, self->buffer.data, self->buffer.bytes, flags));
    if (bind_check(self->state, status) != 0)
        Py_CLEAR(self);
    else
        bind_host_init(self, mem, &registered_words);
    return (PyObject *) self;
}

static PyObject *registered_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *kwnames)
{
    struct bind_host_given given;
    if (bind_host_parse(&given, args, nargs, kwnames) != 0)
        return NULL;
    PyObject *self = bind_host_from_handle((PyTypeObject *) type, &given, &registered_words);
    if (self)
        ((bind_host *) self)->base = Py_XNewRef(given.owner);
    return self;
}

static PyObject *registered_base(PyObject *self, void *closure)
{
    (void) closure;
    PyObject *base = ((bind_host *) self)->base;
    return Py_NewRef(base ? base : Py_None);
}

static PyMethodDef registered_methods[] = {
    {"from_handle", (PyCFunction) (void (*)(void)) registered_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None, size=None)\n--\n\n"
     "Memory that somebody else has registered, by its address on the host; it is never "
     "unregistered through this object. `size`: bytes; None: all that is left of it there. "
     "`owner`, its `base`, is kept alive as long."},
    {"unregister", bind_host_free, METH_NOARGS,
     "unregister($self, /)\n--\n\nEnds it now; the memory stays. A second time is an error."},
    {"get_device_pointer", bind_host_get_device_pointer, METH_NOARGS,
     "get_device_pointer($self, /)\n--\n\nThe address under which kernels reach it."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe memory itself."},
    {"__exit__", bind_host_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nUnregisters it, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef registered_getset[] = {
    {"base", registered_base, NULL, "The object whose memory it is; None: nobody said.", NULL},
    {"handle", bind_host_handle, NULL, "Its address on the host as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef block_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot registered_slots[] = {
    {Py_tp_doc, (char *) "RegisteredHostMemory(base, flags=0)\n--\n\n"
                         "Host memory of an array or buffer that is page-locked, and accessible to "
                         "kernels, as long as this object lives. `flags`: of "
                         "mem_host_register_flags; memory that the process may only read needs "
                         "READ_ONLY."},
    {Py_tp_new, registered_new},
    {Py_tp_dealloc, bind_host_dealloc},
    {Py_tp_traverse, bind_host_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, registered_methods},
    {Py_tp_getset, registered_getset},
    {Py_tp_members, block_members},
    {0, NULL},
};

PyType_Spec bind_registered_spec = {"runcu.driver.RegisteredHostMemory", sizeof(bind_host), 0,
                                    BIND_FLAGS, registered_slots};

/* --- aligned --- */

static PyObject *aligned_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "bytes", (char *) "alignment", NULL};
    PyObject *bytes_value, *alignment_value = NULL;
    size_t bytes, alignment = 4096;
    void *data = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:AlignedHostAllocation", names, &bytes_value,
                                     &alignment_value) ||
        bind_size(&bytes, bytes_value, "the number of bytes") != 0 ||
        (alignment_value && bind_size(&alignment, alignment_value, "alignment") != 0))
        return NULL;
    if (!alignment || (alignment & (alignment - 1)))
        return PyErr_Format(PyExc_ValueError, "alignment must be a power of two, not %zu",
                            alignment);
    bind_host *self = bind_new(type);
    if (!self)
        return NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (posix_memalign(&data, alignment, bytes ? bytes : 1) != 0) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->bytes = bytes;
    self->data = data;
    self->is_ours = true;
    bind_host_init(self, NULL, &aligned_words);
    return (PyObject *) self;
}

static PyObject *aligned_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
    struct bind_host_given given;
    if (bind_host_parse(&given, args, nargs, kwnames) != 0)
        return NULL;
    if (!given.bytes)
        return PyErr_Format(PyExc_TypeError, "from_handle: the size of plain memory must be given");
    bind_host *self = bind_new((PyTypeObject *) type);
    if (!self)
        return NULL;
    self->bytes = given.bytes;
    self->data = given.data;
    bind_host_init(self, NULL, &aligned_words);
    if (bind_own((PyObject *) self, given.owner) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyMethodDef aligned_methods[] = {
    {"from_handle", (PyCFunction) (void (*)(void)) aligned_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None, size=None)\n--\n\n"
     "`size` bytes of somebody else's memory by its address, which is never freed through this "
     "object. `owner` is kept alive as long."},
    {"free", bind_host_free, METH_NOARGS,
     "free($self, /)\n--\n\nFrees the memory now. Arrays made of it must not be used any more."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe allocation itself."},
    {"__exit__", bind_host_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nFrees the memory, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef aligned_getset[] = {
    {"handle", bind_host_handle, NULL, "Its address as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot aligned_slots[] = {
    {Py_tp_doc, (char *) "AlignedHostAllocation(bytes, alignment=4096)\n--\n\n"
                         "Host memory that begins at a multiple of `alignment`, a power of two: "
                         "for register_host_memory. It is not page-locked."},
    {Py_tp_new, aligned_new},
    {Py_tp_dealloc, bind_host_dealloc},
    {Py_tp_traverse, bind_host_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, aligned_methods},
    {Py_tp_getset, aligned_getset},
    {Py_tp_members, block_members},
    {0, NULL},
};

PyType_Spec bind_aligned_spec = {"runcu.driver.AlignedHostAllocation", sizeof(bind_host), 0,
                                 BIND_FLAGS, aligned_slots};

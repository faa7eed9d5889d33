/* ManagedAllocation: a DeviceAllocation that the host reaches at the same address; NumPy arrays are
 * made of it (driver.managed_empty). */
#include "core.h"

enum { ATTACH_GLOBAL = 1 };

static PyObject *managed_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "bytes", (char *) "flags", NULL};
    PyObject *bytes_value, *flags_value = NULL;
    size_t bytes;
    unsigned flags = 0;
    runcu_mem *mem;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:ManagedAllocation", names, &bytes_value,
                                     &flags_value) ||
        bind_size(&bytes, bytes_value, "the number of bytes") != 0 ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0))
        return NULL;
    bind_state *state = bind_state_of(type);
    if (!state)
        return NULL;
    BIND_UNLOCKED(status, runcu_mem_alloc_managed(&mem, bytes, flags));
    if (bind_is_full(status)) {
        bind_collect();
        BIND_UNLOCKED(status, runcu_mem_alloc_managed(&mem, bytes, flags));
    }
    return bind_check(state, status) == 0 ? bind_allocation_wrap(type, mem) : NULL;
}

/* The memory, or NULL with an exception once it is freed. */
static runcu_mem *memory_of(bind_allocation *a)
{
    runcu_mem *mem = atomic_load(&a->mem);
    if (!mem)
        bind_raise(a->state->logic_error, "the managed allocation has been freed");
    return mem;
}

static PyObject *managed_get_device_pointer(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_allocation *a = (bind_allocation *) self;
    return memory_of(a) ? PyLong_FromUnsignedLongLong(a->address) : NULL;
}

static PyObject *managed_attach(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    static const struct bind_signature signature = {"attach", 1, {"mem_flags", "stream", NULL}};
    bind_allocation *a = (bind_allocation *) self;
    PyObject *values[2], *keep;
    runcu_stream *stream;
    runcu_mem *mem;
    unsigned flags;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_unsigned(&flags, values[0], "mem_flags") != 0 ||
        bind_stream(&stream, &keep, a->state, values[1]) != 0)
        return NULL;
    int status =
        (mem = memory_of(a)) ? bind_check(a->state, runcu_mem_attach(mem, flags, stream)) : -1;
    Py_XDECREF(keep);
    if (status)
        return NULL;
    Py_RETURN_NONE;
}

/* A Device, or None for the host. */
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

static PyObject *managed_prefetch(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    static const struct bind_signature signature = {"prefetch", 1, {"device", "stream", NULL}};
    bind_allocation *a = (bind_allocation *) self;
    PyObject *values[2], *keep;
    runcu_stream *stream;
    runcu_device *device;
    int status = -1;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        device_of(&device, a->state, values[0]) != 0 ||
        bind_stream(&stream, &keep, a->state, values[1]) != 0)
        return NULL;
    if (memory_of(a)) {
        BIND_UNLOCKED(status, runcu_mem_prefetch(a->address, a->bytes, device, stream));
        status = bind_check(a->state, status);
    }
    Py_XDECREF(keep);
    if (status)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *managed_advise(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    static const struct bind_signature signature = {"advise", 1, {"advice", "device", NULL}};
    bind_allocation *a = (bind_allocation *) self;
    PyObject *values[2];
    runcu_device *device;
    int advice;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&advice, values[0], "advice") != 0 ||
        device_of(&device, a->state, values[1]) != 0 || !memory_of(a) ||
        bind_check(a->state, runcu_mem_advise(a->address, a->bytes, advice, device)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef managed_methods[] = {
    {"get_device_pointer", managed_get_device_pointer, METH_NOARGS,
     "get_device_pointer($self, /)\n--\n\nIts address, for host and device alike."},
    {"attach", (PyCFunction) (void (*)(void)) managed_attach, METH_FASTCALL | METH_KEYWORDS,
     "attach($self, mem_flags, stream=None)\n--\n\n"
     "Says who may use the memory from the stream's next work on: one of mem_attach_flags, of "
     "which SINGLE is that stream alone."},
    {"prefetch", (PyCFunction) (void (*)(void)) managed_prefetch, METH_FASTCALL | METH_KEYWORDS,
     "prefetch($self, device, stream=None)\n--\n\n"
     "Moves the memory to a Device, or to the host (None), when the stream gets there."},
    {"advise", (PyCFunction) (void (*)(void)) managed_advise, METH_FASTCALL | METH_KEYWORDS,
     "advise($self, advice, device=None)\n--\n\n"
     "Tells the driver how the memory will be used: one of mem_advise, by a Device or the host "
     "(None)."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot managed_slots[] = {
    {Py_tp_doc, (char *) "ManagedAllocation(bytes, flags=0)\n--\n\n"
                         "Memory that host and device reach at the same address and the driver "
                         "moves; a DeviceAllocation in all else. `flags`: of mem_attach_flags, 0 "
                         "is GLOBAL."},
    {Py_tp_new, managed_new},
    {Py_tp_dealloc, bind_allocation_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, managed_methods},
    {0, NULL},
};

PyType_Spec bind_managed_spec = {"runcu.driver.ManagedAllocation", sizeof(bind_allocation), 0,
                                 BIND_FLAGS, managed_slots};

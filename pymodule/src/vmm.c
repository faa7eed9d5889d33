/* PhysicalMemory and AddressRange: virtual memory management. */
#include "core.h"

typedef struct bind_physicalobject {
    BIND_HEAD
    _Atomic(runcu_physical *) physical; /* NULL: released */
    size_t bytes;
} bind_physicalobject;

typedef struct bind_rangeobject {
    BIND_HEAD
    _Atomic(runcu_range *) range; /* NULL: freed */
    uint64_t address;
    size_t bytes;
} bind_rangeobject;

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

static PyObject *none_or_null(bind_state *state, int status)
{
    if (bind_check(state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- physical memory --- */

/* `physical` is taken, also on failure. */
static PyObject *wrap_physical(PyTypeObject *type, runcu_physical *physical)
{
    bind_physicalobject *self = bind_new(type);
    if (!self) {
        runcu_physical_release(&physical);
        return NULL;
    }
    self->bytes = runcu_physical_size(physical);
    atomic_store(&self->physical, physical);
    return (PyObject *) self;
}

static PyObject *physical_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "size", (char *) "device", (char *) "exportable", NULL};
    PyObject *size_value, *device_value = NULL;
    bind_state *state = bind_state_of(type);
    runcu_device *device;
    runcu_physical *physical;
    size_t bytes;
    int exportable = 0, status;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O|Op:PhysicalMemory", names, &size_value,
                                     &device_value, &exportable) ||
        bind_size(&bytes, size_value, "size") != 0 || device_of(&device, state, device_value) != 0)
        return NULL;
    unsigned flags = exportable ? RUNCU_PHYSICAL_EXPORTABLE : 0;
    BIND_UNLOCKED(status, runcu_physical_create(&physical, device, bytes, flags));
    if (bind_is_full(status)) {
        bind_collect();
        BIND_UNLOCKED(status, runcu_physical_create(&physical, device, bytes, flags));
    }
    return bind_check(state, status) == 0 ? wrap_physical(type, physical) : NULL;
}

static PyObject *physical_from_fd(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    static const struct bind_signature signature = {"from_fd", 2, {"fd", "size", "device", NULL}};
    bind_state *state = bind_state_of((PyTypeObject *) type);
    PyObject *values[3];
    runcu_device *device;
    runcu_physical *physical;
    size_t bytes;
    int fd;
    if (!state || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&fd, values[0], "fd") != 0 || bind_size(&bytes, values[1], "size") != 0 ||
        device_of(&device, state, values[2]) != 0 ||
        bind_check(state, runcu_physical_import(&physical, device, fd, bytes)) != 0)
        return NULL;
    return wrap_physical((PyTypeObject *) type, physical);
}

/* The arguments of from_handle; `owner` is borrowed, or NULL. */
static int read_handle(uint64_t *handle, size_t *bytes, PyObject **owner, struct bind_fastcall call)
{
    static const struct bind_signature signature = {
        "from_handle", 2, {"handle", "size", "owner", NULL}};
    PyObject *values[3];
    if (bind_parse(values, &signature, call.args, call.nargs, call.kwnames) != 0)
        return -1;
    *owner = values[2] == Py_None ? NULL : values[2];
    int status = bind_number(handle, values[0], "handle");
    return status ? status : bind_size(bytes, values[1], "size");
}

static PyObject *physical_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    bind_state *state = bind_state_of((PyTypeObject *) type);
    PyObject *owner;
    runcu_physical *physical;
    uint64_t handle;
    size_t bytes;
    if (!state ||
        read_handle(&handle, &bytes, &owner, (struct bind_fastcall){args, nargs, kwnames}) != 0 ||
        bind_check(state, runcu_physical_wrap(&physical, NULL, handle, bytes)) != 0)
        return NULL;
    PyObject *self = wrap_physical((PyTypeObject *) type, physical);
    if (self && bind_own(self, owner) != 0)
        Py_CLEAR(self);
    return self;
}

/* The memory, or NULL with an exception once it is released. */
static runcu_physical *get_physical(PyObject *self)
{
    bind_physicalobject *p = (bind_physicalobject *) self;
    runcu_physical *physical = atomic_load(&p->physical);
    if (!physical)
        bind_raise(p->state->logic_error, "the physical memory has been released");
    return physical;
}

static PyObject *physical_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_physicalobject *p = (bind_physicalobject *) self;
    runcu_physical *physical = atomic_exchange(&p->physical, NULL);
    runcu_physical_release(&physical);
    return none_or_null(p->state, 0);
}

static void physical_dealloc(PyObject *self)
{
    runcu_physical *physical = atomic_exchange(&((bind_physicalobject *) self)->physical, NULL);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    runcu_physical_release(&physical);
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

static PyObject *physical_export_fd(PyObject *self, PyObject *unused)
{
    (void) unused;
    runcu_physical *physical = get_physical(self);
    int fd;
    if (!physical ||
        bind_check(((bind_object *) self)->state, runcu_physical_export(&fd, physical)) != 0)
        return NULL;
    return PyLong_FromLong(fd);
}

static PyObject *physical_handle(PyObject *self, void *closure)
{
    (void) closure;
    const runcu_physical *physical = get_physical(self);
    return physical ? PyLong_FromUnsignedLongLong(runcu_physical_handle(physical)) : NULL;
}

static PyObject *physical_size(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromSize_t(((bind_physicalobject *) self)->bytes);
}

static PyMethodDef physical_methods[] = {
    {"from_fd", (PyCFunction) (void (*)(void)) physical_from_fd,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_fd($type, fd, size, device=None)\n--\n\n"
     "Another process's memory of `size` bytes, by a file descriptor of its export_fd(), which is "
     "not closed."},
    {"from_handle", (PyCFunction) (void (*)(void)) physical_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, size, owner=None)\n--\n\n"
     "Memory of `size` bytes by its CUmemGenericAllocationHandle; never released through this "
     "object. `owner` is kept alive as long."},
    {"export_fd", physical_export_fd, METH_NOARGS,
     "export_fd($self, /)\n--\n\n"
     "A new file descriptor by which another process gets the same memory; close it. The memory "
     "must have been made with exportable=True."},
    {"close", physical_close, METH_NOARGS,
     "close($self, /)\n--\n\nReleases the memory; mappings keep it."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe memory itself."},
    {"__exit__", bind_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nReleases it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef physical_getset[] = {
    {"handle", physical_handle, NULL, "The CUmemGenericAllocationHandle as an int.", NULL},
    {"size", physical_size, NULL, "Bytes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef vmm_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot physical_slots[] = {
    {Py_tp_doc,
     (char *) "PhysicalMemory(size, device=None, exportable=False)\n--\n\n"
              "Memory of a device (None: the current one) that has no address yet. `size`: a "
              "multiple of mem_granularity()."},
    {Py_tp_new, physical_new},
    {Py_tp_dealloc, physical_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, physical_methods},
    {Py_tp_getset, physical_getset},
    {Py_tp_members, vmm_members},
    {0, NULL},
};

PyType_Spec bind_physical_spec = {"runcu.driver.PhysicalMemory", sizeof(bind_physicalobject), 0,
                                  BIND_FLAGS, physical_slots};

/* --- ranges --- */

static PyObject *wrap_range(PyTypeObject *type, runcu_range *range)
{
    bind_rangeobject *self = bind_new(type);
    if (!self) {
        runcu_range_free(&range);
        return NULL;
    }
    self->address = runcu_range_address(range);
    self->bytes = runcu_range_size(range);
    atomic_store(&self->range, range);
    return (PyObject *) self;
}

static PyObject *range_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "size", (char *) "device", (char *) "alignment", NULL};
    PyObject *size_value, *device_value = NULL, *alignment_value = NULL;
    bind_state *state = bind_state_of(type);
    runcu_device *device;
    runcu_range *range;
    size_t bytes, alignment = 0;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:AddressRange", names, &size_value,
                                     &device_value, &alignment_value) ||
        bind_size(&bytes, size_value, "size") != 0 ||
        (alignment_value && bind_size(&alignment, alignment_value, "alignment") != 0) ||
        device_of(&device, state, device_value) != 0 ||
        bind_check(state, runcu_range_reserve(&range, device, bytes, alignment)) != 0)
        return NULL;
    return wrap_range(type, range);
}

static PyObject *range_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    bind_state *state = bind_state_of((PyTypeObject *) type);
    runcu_range *range;
    PyObject *owner;
    uint64_t handle;
    size_t bytes;
    if (!state ||
        read_handle(&handle, &bytes, &owner, (struct bind_fastcall){args, nargs, kwnames}) != 0 ||
        bind_check(state, runcu_range_wrap(&range, NULL, handle, bytes)) != 0)
        return NULL;
    PyObject *self = wrap_range((PyTypeObject *) type, range);
    if (self && bind_own(self, owner) != 0)
        Py_CLEAR(self);
    return self;
}

static runcu_range *get_range(PyObject *self)
{
    bind_rangeobject *r = (bind_rangeobject *) self;
    runcu_range *range = atomic_load(&r->range);
    if (!range)
        bind_raise(r->state->logic_error, "the range of addresses has been freed");
    return range;
}

static PyObject *range_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_rangeobject *r = (bind_rangeobject *) self;
    runcu_range *range = atomic_exchange(&r->range, NULL);
    int status;
    BIND_UNLOCKED(status, runcu_range_free(&range));
    return none_or_null(r->state, status);
}

static void range_dealloc(PyObject *self)
{
    runcu_range *range = atomic_exchange(&((bind_rangeobject *) self)->range, NULL);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    if (range) {
        Py_BEGIN_ALLOW_THREADS
        runcu_range_free(&range);
        Py_END_ALLOW_THREADS
    }
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

static PyObject *range_map(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    static const struct bind_signature signature = {"map", 1, {"memory", "offset", "access", NULL}};
    bind_state *state = ((bind_object *) self)->state;
    PyObject *values[3];
    size_t offset = 0;
    unsigned access = 3; /* to read and write */
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        (values[1] && bind_size(&offset, values[1], "offset") != 0) ||
        (values[2] && bind_unsigned(&access, values[2], "access") != 0))
        return NULL;
    if (!PyObject_TypeCheck(values[0], state->physical_type))
        return PyErr_Format(PyExc_TypeError, "a PhysicalMemory is expected, not %.200s",
                            Py_TYPE(values[0])->tp_name);
    runcu_range *range = get_range(self);
    runcu_physical *physical = range ? get_physical(values[0]) : NULL;
    if (!physical || bind_check(state, runcu_range_map(range, physical, offset)) != 0)
        return NULL;
    size_t bytes = runcu_physical_size(physical);
    int status = access ? runcu_range_set_access(range, offset, bytes, access, NULL) : 0;
    if (bind_check(state, status) != 0) { /* all or nothing */
        struct bind_quiet quiet;
        bind_put_aside(&quiet);
        runcu_range_unmap(range, offset, bytes);
        bind_put_back(&quiet);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *range_unmap(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {"unmap", 2, {"offset", "size", NULL}};
    PyObject *values[2];
    size_t offset, bytes;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_size(&offset, values[0], "offset") != 0 || bind_size(&bytes, values[1], "size") != 0)
        return NULL;
    runcu_range *range = get_range(self);
    if (!range)
        return NULL;
    BIND_UNLOCKED(status, runcu_range_unmap(range, offset, bytes));
    return none_or_null(((bind_object *) self)->state, status);
}

static PyObject *range_set_access(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "set_access", 1, {"access", "offset", "size", "device", NULL}};
    bind_rangeobject *r = (bind_rangeobject *) self;
    PyObject *values[4];
    runcu_device *device;
    size_t offset = 0, bytes;
    unsigned access;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_unsigned(&access, values[0], "access") != 0 ||
        (values[1] && bind_size(&offset, values[1], "offset") != 0))
        return NULL;
    bytes = offset < r->bytes ? r->bytes - offset : 0;
    if ((values[2] && values[2] != Py_None && bind_size(&bytes, values[2], "size") != 0) ||
        device_of(&device, r->state, values[3]) != 0)
        return NULL;
    runcu_range *range = get_range(self);
    if (!range)
        return NULL;
    return none_or_null(r->state, runcu_range_set_access(range, offset, bytes, access, device));
}

static PyObject *range_index(PyObject *self)
{
    return get_range(self) ? PyLong_FromUnsignedLongLong(((bind_rangeobject *) self)->address)
                           : NULL;
}

static PyObject *range_handle(PyObject *self, void *closure)
{
    (void) closure;
    return range_index(self);
}

static PyObject *range_size(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromSize_t(((bind_rangeobject *) self)->bytes);
}

static PyObject *mem_granularity(PyObject *module, PyObject *args)
{
    bind_state *state = bind_module_state(module);
    PyObject *value = NULL;
    runcu_device *device;
    size_t bytes;
    if (!PyArg_ParseTuple(args, "|O:mem_granularity", &value) ||
        device_of(&device, state, value) != 0 ||
        bind_check(state, runcu_vmm_granularity(&bytes, device)) != 0)
        return NULL;
    return PyLong_FromSize_t(bytes);
}

PyMethodDef bind_vmm_functions[] = {
    {"mem_granularity", mem_granularity, METH_VARARGS,
     "mem_granularity($module, device=None, /)\n--\n\n"
     "Bytes of which sizes and offsets of PhysicalMemory and AddressRange are multiples."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef range_methods[] = {
    {"from_handle", (PyCFunction) (void (*)(void)) range_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, size, owner=None)\n--\n\n"
     "`size` bytes of addresses that somebody else has reserved, by the first of them. What is "
     "mapped through this object is unmapped when it is closed; the addresses stay. `owner` is "
     "kept alive as long."},
    {"map", (PyCFunction) (void (*)(void)) range_map, METH_FASTCALL | METH_KEYWORDS,
     "map($self, memory, offset=0, access=3)\n--\n\n"
     "Puts memory, all of it, behind the addresses.\n\n"
     "Parameters\n----------\n"
     "memory : PhysicalMemory\n    It may be mapped any number of times.\n"
     "offset : int\n    Where in the range.\n"
     "access : int\n    As of set_access."},
    {"unmap", (PyCFunction) (void (*)(void)) range_unmap, METH_FASTCALL | METH_KEYWORDS,
     "unmap($self, offset, size)\n--\n\nWaits for the context's work, then takes whole mappings "
     "away."},
    {"set_access", (PyCFunction) (void (*)(void)) range_set_access, METH_FASTCALL | METH_KEYWORDS,
     "set_access($self, access, offset=0, size=None, device=None)\n--\n\n"
     "What a device (None: the range's own) may do with whole mappings: 0 nothing, 1 read, 3 read "
     "and write."},
    {"close", range_close, METH_NOARGS,
     "close($self, /)\n--\n\nWaits for the context's work, unmaps what is mapped, and gives the "
     "addresses back."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe range itself."},
    {"__exit__", bind_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef range_getset[] = {
    {"handle", range_handle, NULL, "The first address as an int; int() of the range as well.",
     NULL},
    {"size", range_size, NULL, "Bytes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot range_slots[] = {
    {Py_tp_doc,
     (char *) "AddressRange(size, device=None, alignment=0)\n--\n\n"
              "Addresses of a device (None: the current one) that memory can be mapped to; int() "
              "of it is the first. It stands for device memory wherever an address does. `size`: a "
              "multiple of mem_granularity()."},
    {Py_tp_new, range_new},
    {Py_tp_dealloc, range_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_nb_int, range_index},
    {Py_nb_index, range_index},
    {Py_tp_methods, range_methods},
    {Py_tp_getset, range_getset},
    {Py_tp_members, vmm_members},
    {0, NULL},
};

PyType_Spec bind_range_spec = {"runcu.driver.AddressRange", sizeof(bind_rangeobject), 0, BIND_FLAGS,
                               range_slots};

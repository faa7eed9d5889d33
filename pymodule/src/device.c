/* Device, and the functions that ask about drivers. */
#include "core.h"

#include <string.h>
#include <strings.h>

PyObject *bind_device_wrap(bind_state *state, runcu_device *device)
{
    bind_device *self = bind_new(state->device_type);
    if (self)
        self->device = device;
    return (PyObject *) self;
}

/* The number in "cuda:1", cut off `text`; 0 without one. A PCI bus id, which has colons too, never
 * begins with a driver's name. */
static int split_ordinal(char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return 0;
    *colon = 0;
    return atoi(colon + 1);
}

static bool names_driver(const char *text)
{
    return strncmp(text, "cpu", 3) == 0 || strncmp(text, "cuda", 4) == 0 || strchr(text, '/') ||
           strstr(text, ".so");
}

static int open_by_text(bind_device *self, PyObject *value)
{
    const char *given = PyUnicode_AsUTF8(value);
    if (!given)
        return -1;
    int status;
    if (names_driver(given)) {
        size_t size = strlen(given) + 1;
        char *name = PyMem_Malloc(size);
        if (!name) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(name, given, size);
        int ordinal = split_ordinal(name);
        BIND_UNLOCKED(status, runcu_device_open(&self->device, name, ordinal));
        PyMem_Free(name);
    } else {
        BIND_UNLOCKED(status, runcu_device_open_pci(&self->device, NULL, given));
    }
    return bind_check(self->state, status);
}

static int open_by_number(bind_device *self, PyObject *value)
{
    int ordinal, status;
    if (bind_int(&ordinal, value, "the number of a device") != 0)
        return -1;
    BIND_UNLOCKED(status, runcu_device_open(&self->device, NULL, ordinal));
    return bind_check(self->state, status);
}

static PyObject *device_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "device", NULL};
    PyObject *which = NULL;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Device", names, &which))
        return NULL;
    bind_device *self = bind_new(type);
    if (!self)
        return NULL;
    if (!which || which == Py_None) {
        BIND_UNLOCKED(status, runcu_device_default(&self->device));
        status = bind_check(self->state, status);
    } else if (PyObject_TypeCheck(which, self->state->device_type)) {
        self->device = ((bind_device *) which)->device;
        status = 0;
    } else {
        status = PyUnicode_Check(which) ? open_by_text(self, which) : open_by_number(self, which);
    }
    if (status != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static void device_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    bind_end_dealloc(self);
}

static PyObject *device_repr(PyObject *self)
{
    runcu_device *device = ((bind_device *) self)->device;
    return PyUnicode_FromFormat("<%s %d of '%s': %s>", Py_TYPE(self)->tp_name,
                                runcu_device_ordinal(device), runcu_device_driver(device),
                                runcu_device_name(device));
}

static PyObject *device_compare(PyObject *self, PyObject *other, int op)
{
    bind_state *state = ((bind_device *) self)->state;
    if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(other, state->device_type))
        Py_RETURN_NOTIMPLEMENTED;
    bool same = ((bind_device *) self)->device == ((bind_device *) other)->device;
    return PyBool_FromLong(same == (op == Py_EQ));
}

static Py_hash_t device_hash(PyObject *self)
{
    return runcu_device_ordinal(((bind_device *) self)->device);
}

static int attribute_id(const char *name, bool in_lower_case)
{
    const char *row;
    int id;
    for (int i = 0; (row = runcu_device_attribute_name(i, &id)); i++)
        if ((in_lower_case ? strcasecmp : strcmp)(row, name) == 0)
            return id;
    return -1;
}

static PyObject *read_attribute(bind_device *self, int id)
{
    static const int compute_mode =
        20; /* CU_DEVICE_ATTRIBUTE_COMPUTE_MODE: the one that answers with a name */
    int value;
    if (bind_check(self->state, runcu_device_attribute(&value, self->device, id)) != 0)
        return NULL;
    PyObject *number = PyLong_FromLong(value);
    if (id != compute_mode || !number)
        return number;
    PyObject *mode = PyObject_CallOneArg(self->state->compute_mode, number);
    if (!mode)
        PyErr_Clear(); /* a mode that this version has no name for stays a number */
    else
        Py_SETREF(number, mode);
    return number;
}

/* dev.warp_size: an attribute of the device by its lower-case name. */
static PyObject *device_getattro(PyObject *self, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr(self, name);
    if (found || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return found;
    const char *text = PyUnicode_AsUTF8(name);
    if (!text)
        return NULL;
    bool is_lower = true;
    for (const char *c = text; *c; c++)
        is_lower = is_lower && !Py_ISUPPER(*c);
    int id = is_lower ? attribute_id(text, true) : -1;
    if (id < 0)
        return NULL;
    PyErr_Clear();
    return read_attribute((bind_device *) self, id);
}

static PyObject *device_get_attribute(PyObject *self, PyObject *attribute)
{
    int id;
    if (bind_int(&id, attribute, "a device attribute") != 0)
        return NULL;
    return read_attribute((bind_device *) self, id);
}

static PyObject *device_name(PyObject *self, PyObject *unused)
{
    (void) unused;
    return PyUnicode_FromString(runcu_device_name(((bind_device *) self)->device));
}

static PyObject *device_pci_bus_id(PyObject *self, PyObject *unused)
{
    (void) unused;
    return PyUnicode_FromString(runcu_device_pci_bus_id(((bind_device *) self)->device));
}

static PyObject *device_total_memory(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_device *d = (bind_device *) self;
    size_t bytes;
    if (bind_check(d->state, runcu_device_total_memory(&bytes, d->device)) != 0)
        return NULL;
    return PyLong_FromSize_t(bytes);
}

static PyObject *device_compute_capability(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_device *d = (bind_device *) self;
    int arch;
    if (bind_check(d->state, runcu_device_arch(&arch, d->device)) != 0)
        return NULL;
    return Py_BuildValue("(ii)", arch / 10, arch % 10);
}

static PyObject *device_make_context(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
    static const struct bind_signature signature = {"make_context", 0, {"flags", NULL}};
    bind_device *d = (bind_device *) self;
    PyObject *values[1];
    unsigned flags = 0;
    runcu_context *context;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        (values[0] && bind_unsigned(&flags, values[0], "flags") != 0))
        return NULL;
    BIND_UNLOCKED(status, runcu_context_create(&context, d->device, flags));
    if (bind_check(d->state, status) != 0)
        return NULL;
    PyObject *out = bind_context_wrap(d->state, context);
    if (out && bind_context_hold(d->state, out) != 0)
        Py_CLEAR(out);
    return out;
}

static PyObject *device_retain_primary_context(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_device *d = (bind_device *) self;
    runcu_context *context;
    int status;
    BIND_UNLOCKED(status, runcu_context_primary(&context, d->device));
    if (bind_check(d->state, status) != 0)
        return NULL;
    return bind_context_wrap_hold(d->state, context);
}

static PyObject *device_can_access_peer(PyObject *self, PyObject *peer)
{
    bind_device *d = (bind_device *) self;
    int can;
    if (!PyObject_TypeCheck(peer, d->state->device_type))
        return PyErr_Format(PyExc_TypeError, "a Device is expected, not %.200s",
                            Py_TYPE(peer)->tp_name);
    if (bind_check(d->state, runcu_device_can_access_peer(&can, d->device,
                                                          ((bind_device *) peer)->device)) != 0)
        return NULL;
    return PyBool_FromLong(can);
}

static PyObject *device_count(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    const char *driver = NULL;
    int count, status;
    if (nargs > 1)
        return PyErr_Format(PyExc_TypeError, "count() takes at most 1 argument (%zd given)", nargs);
    if (nargs == 1 && args[0] != Py_None && !(driver = PyUnicode_AsUTF8(args[0])))
        return NULL;
    BIND_UNLOCKED(status, runcu_device_count(&count, driver));
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return PyLong_FromLong(count);
}

PyMethodDef bind_device_statics[] = {
    {"count", (PyCFunction) (void (*)(void)) device_count, METH_FASTCALL,
     "count(driver=None, /)\n--\n\nNumber of devices of a driver: \"cuda\", \"cpu\", or None for "
     "the default one."},
    {NULL, NULL, 0, NULL},
};

static PyObject *device_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    int status;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_device *self = bind_new((PyTypeObject *) type);
    if (!self)
        return NULL;
    BIND_UNLOCKED(status, runcu_device_wrap(&self->device, handle));
    if (bind_check(self->state, status) != 0 || bind_own((PyObject *) self, owner) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *device_uuid(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_device *d = (bind_device *) self;
    unsigned char id[16];
    if (bind_check(d->state, runcu_device_uuid(id, d->device)) != 0)
        return NULL;
    return PyBytes_FromStringAndSize((const char *) id, sizeof id);
}

static PyObject *device_handle(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromUnsignedLongLong(runcu_device_handle(((bind_device *) self)->device));
}

static PyObject *device_driver(PyObject *self, void *closure)
{
    (void) closure;
    return PyUnicode_FromString(runcu_device_driver(((bind_device *) self)->device));
}

static PyObject *device_ordinal(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromLong(runcu_device_ordinal(((bind_device *) self)->device));
}

static PyObject *device_is_cpu(PyObject *self, void *closure)
{
    (void) closure;
    return PyBool_FromLong(runcu_device_is_cpu(((bind_device *) self)->device));
}

static PyMethodDef device_methods[] = {
    {"name", device_name, METH_NOARGS, "name($self, /)\n--\n\nThe device's name."},
    {"pci_bus_id", device_pci_bus_id, METH_NOARGS,
     "pci_bus_id($self, /)\n--\n\nDomain, bus and device: \"0000:3B:00.0\"."},
    {"total_memory", device_total_memory, METH_NOARGS,
     "total_memory($self, /)\n--\n\nBytes of memory."},
    {"compute_capability", device_compute_capability, METH_NOARGS,
     "compute_capability($self, /)\n--\n\nMajor and minor number: (9, 0)."},
    {"get_attribute", device_get_attribute, METH_O,
     "get_attribute($self, attribute, /)\n--\n\nThe value of a device_attribute: an int, or a "
     "compute_mode."},
    {"make_context", (PyCFunction) (void (*)(void)) device_make_context,
     METH_FASTCALL | METH_KEYWORDS,
     "make_context($self, flags=0)\n--\n\nA new context, which becomes this thread's current one. "
     "`flags`: of ctx_flags."},
    {"retain_primary_context", device_retain_primary_context, METH_NOARGS,
     "retain_primary_context($self, /)\n--\n\nThe context that the CUDA runtime, torch and CuPy "
     "share; it is not made current."},
    {"uuid", device_uuid, METH_NOARGS,
     "uuid($self, /)\n--\n\nThe 16 bytes by which every process knows the device."},
    {"from_handle", (PyCFunction) (void (*)(void)) device_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\nThe device of the default driver with that "
     "CUdevice. `owner` is kept alive."},
    {"can_access_peer", device_can_access_peer, METH_O,
     "can_access_peer($self, peer, /)\n--\n\nWhether kernels here can reach the memory of another "
     "device."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef device_getset[] = {
    {"driver", device_driver, NULL, "\"cuda\", \"cpu\" or the path of the driver's library.", NULL},
    {"ordinal", device_ordinal, NULL, "Its number among the driver's devices.", NULL},
    {"handle", device_handle, NULL, "The CUdevice as an int.", NULL},
    {"is_cpu", device_is_cpu, NULL, "True for the CPU device.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef device_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot device_slots[] = {
    {Py_tp_doc, (char *) "Device(device=None)\n--\n\n"
                         "A device.\n\n"
                         "Parameters\n----------\n"
                         "device : int or str, optional\n"
                         "    Number of a device of the default driver; \"cpu\", \"cuda\" or "
                         "\"cuda:1\"; or a PCI bus id. By default\n"
                         "    what CUDA_DEVICE or ~/.cuda_device names, else the first one.\n\n"
                         "Attributes of the device are Python attributes too, in lower case: "
                         "``dev.warp_size``."},
    {Py_tp_new, device_new},
    {Py_tp_dealloc, device_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_repr, device_repr},
    {Py_tp_richcompare, device_compare},
    {Py_tp_hash, device_hash},
    {Py_tp_getattro, device_getattro},
    {Py_tp_methods, device_methods},
    {Py_tp_getset, device_getset},
    {Py_tp_members, device_members},
    {0, NULL},
};

PyType_Spec bind_device_spec = {"runcu.driver.Device", sizeof(bind_device), 0, BIND_FLAGS,
                                device_slots};

/* --- functions of the module --- */

static PyObject *init(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct bind_signature signature = {"init", 0, {"flags", NULL}};
    PyObject *values[1];
    unsigned flags = 0;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        (values[0] && bind_unsigned(&flags, values[0], "flags") != 0))
        return NULL;
    if (flags) /* the driver accepts no other value either */
        return PyErr_Format(PyExc_ValueError, "flags must be 0, not %u", flags);
    BIND_UNLOCKED(status, runcu_init(NULL));
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *get_driver_version(PyObject *module, PyObject *unused)
{
    (void) unused;
    runcu_context *context;
    runcu_device *device;
    int version, status = runcu_context_peek(&context);
    if (status == 0 && context)
        device = runcu_context_device(context);
    else if (status == 0)
        BIND_UNLOCKED(status, runcu_device_default(&device));
    if (status == 0)
        status = runcu_driver_version(&version, device);
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return PyLong_FromLong(version);
}

static PyObject *version(PyObject *module, PyObject *unused)
{
    (void) module;
    (void) unused;
    return PyUnicode_FromString(runcu_version());
}

static PyObject *device_attribute_rows(PyObject *module, PyObject *unused)
{
    (void) module;
    (void) unused;
    PyObject *rows = PyList_New(0);
    const char *name;
    int id;
    for (int i = 0; rows && (name = runcu_device_attribute_name(i, &id)); i++) {
        PyObject *row = Py_BuildValue("(si)", name, id);
        if (!row || PyList_Append(rows, row) != 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

static PyObject *profiler_call(PyObject *module, int (*call)(void))
{
    int status;
    BIND_UNLOCKED(status, call());
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *start_profiler(PyObject *module, PyObject *unused)
{
    (void) unused;
    return profiler_call(module, runcu_profiler_start);
}

static PyObject *stop_profiler(PyObject *module, PyObject *unused)
{
    (void) unused;
    return profiler_call(module, runcu_profiler_stop);
}

static PyObject *set_default_device(PyObject *module, PyObject *device)
{
    bind_state *state = bind_module_state(module);
    if (device != Py_None && !PyObject_TypeCheck(device, state->device_type))
        return PyErr_Format(PyExc_TypeError, "a Device or None is expected, not %.200s",
                            Py_TYPE(device)->tp_name);
    runcu_device *chosen = device == Py_None ? NULL : ((bind_device *) device)->device;
    if (bind_check(state, runcu_device_set_default(chosen)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef bind_device_functions[] = {
    {"init", (PyCFunction) (void (*)(void)) init, METH_FASTCALL | METH_KEYWORDS,
     "init($module, flags=0)\n--\n\nChooses and initialises the driver, as the first use of a "
     "device does by itself."},
    {"get_driver_version", get_driver_version, METH_NOARGS,
     "get_driver_version($module, /)\n--\n\nVersion of CUDA that the driver is of: 13000 for "
     "13.0."},
    {"version", version, METH_NOARGS,
     "version($module, /)\n--\n\nVersion of the C library: \"0.1.0\"."},
    {"device_attribute_rows", device_attribute_rows, METH_NOARGS,
     "device_attribute_rows($module, /)\n--\n\nNames and numbers of all device attributes."},
    {"set_default_device", set_default_device, METH_O,
     "set_default_device($module, device, /)\n--\n\nThe device of this thread's calls without a "
     "context; None: the process's default."},
    {"start_profiler", start_profiler, METH_NOARGS,
     "start_profiler($module, /)\n--\n\nStarts what a profiler records of the current context."},
    {"stop_profiler", stop_profiler, METH_NOARGS,
     "stop_profiler($module, /)\n--\n\nStops what a profiler records of the current context."},
    {NULL, NULL, 0, NULL},
};

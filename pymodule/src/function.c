/* Function: a kernel. Its attributes and prepared calls; plain calls are launch.c's. */
#include "core.h"

#include <string.h>

/* CUfunction_attribute by PyCUDA's names; in lower case they are attributes of the object. */
#define ATTRIBUTES(X)                                                                             \
    X(0, MAX_THREADS_PER_BLOCK, max_threads_per_block, "Threads that a block may have at most.")  \
    X(1, SHARED_SIZE_BYTES, shared_size_bytes, "Bytes of static shared memory a block.")          \
    X(2, CONST_SIZE_BYTES, const_size_bytes, "Bytes of constant memory.")                         \
    X(3, LOCAL_SIZE_BYTES, local_size_bytes, "Bytes of local memory a thread.")                   \
    X(4, NUM_REGS, num_regs, "Registers a thread.")                                               \
    X(5, PTX_VERSION, ptx_version, "Version of PTX it was compiled from: 75 for 7.5.")            \
    X(6, BINARY_VERSION, binary_version, "Architecture it was compiled for: 90 for 9.0.")         \
    X(7, CACHE_MODE_CA, cache_mode_ca, "Whether global loads go through the first-level cache.")  \
    X(8, MAX_DYNAMIC_SHARED_SIZE_BYTES, max_dynamic_shared_size_bytes,                            \
      "Bytes of dynamic shared memory that it may ask for.")                                      \
    X(9, PREFERRED_SHARED_MEMORY_CARVEOUT, preferred_shared_memory_carveout,                      \
      "Percent of the cache that is preferred as shared memory; -1: any.")                        \
    X(10, CLUSTER_SIZE_MUST_BE_SET, cluster_size_must_be_set, "Whether it needs a cluster size.") \
    X(11, REQUIRED_CLUSTER_WIDTH, required_cluster_width, "Cluster width that it needs; 0: any.") \
    X(12, REQUIRED_CLUSTER_HEIGHT, required_cluster_height,                                       \
      "Cluster height that it needs; 0: any.")                                                    \
    X(13, REQUIRED_CLUSTER_DEPTH, required_cluster_depth, "Cluster depth that it needs; 0: any.") \
    X(14, NON_PORTABLE_CLUSTER_SIZE_ALLOWED, non_portable_cluster_size_allowed,                   \
      "Whether a cluster size may be used that not every device has.")                            \
    X(15, CLUSTER_SCHEDULING_POLICY_PREFERENCE, cluster_scheduling_policy_preference,             \
      "How blocks of a cluster are spread: a CUclusterSchedulingPolicy.")

static const struct attribute {
    int id;
    const char *name;
} attributes[] = {
#define X(id, name, lower, doc) {id, #name},
    ATTRIBUTES(X)
#undef X
};

static PyObject *attribute_rows(PyObject *module, PyObject *unused)
{
    (void) module;
    (void) unused;
    PyObject *rows = PyList_New((Py_ssize_t) ARRAY_LEN(attributes));
    for (size_t i = 0; rows && i < ARRAY_LEN(attributes); i++) {
        PyObject *row = Py_BuildValue("(si)", attributes[i].name, attributes[i].id);
        if (row)
            PyList_SET_ITEM(rows, (Py_ssize_t) i, row);
        else
            Py_CLEAR(rows);
    }
    return rows;
}

PyMethodDef bind_function_functions[] = {
    {"function_attribute_rows", attribute_rows, METH_NOARGS,
     "function_attribute_rows($module, /)\n--\n\nNames and numbers of all function attributes."},
    {NULL, NULL, 0, NULL},
};

PyObject *bind_function_wrap(bind_state *state, runcu_function *function)
{
    bind_function *self = bind_new(state->function_type);
    if (!self) {
        runcu_function_release(&function);
        return NULL;
    }
    self->vectorcall = bind_function_call;
    self->function = function;
    self->params = runcu_function_params(function, &self->param_count);
    if (!self->params)
        self->param_count = -1;
    self->code_count = -1;
    return (PyObject *) self;
}

static void function_dealloc(PyObject *self)
{
    bind_function *f = (bind_function *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    Py_BEGIN_ALLOW_THREADS /* the last function unloads its module, which waits */
    runcu_function_release(&f->function);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    Py_CLEAR(f->arg_format);
    Py_CLEAR(f->texrefs);
    PyMem_Free(f->codes);
    bind_end_dealloc(self);
}

static int function_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_function *) self)->texrefs);
    return bind_traverse(self, visit, arg);
}

static int function_clear(PyObject *self)
{
    Py_CLEAR(((bind_function *) self)->texrefs);
    return bind_clear(self);
}

static PyObject *function_repr(PyObject *self)
{
    bind_function *f = (bind_function *) self;
    const char *signature = runcu_function_signature(f->function);
    if (!signature || !*signature)
        signature = runcu_function_name(f->function);
    return PyUnicode_FromFormat("<%s %s>", Py_TYPE(self)->tp_name, signature);
}

static PyObject *read_attribute(bind_function *self, int id)
{
    int value;
    if (bind_check(self->state, runcu_function_get_attribute(&value, self->function, id)) != 0)
        return NULL;
    return PyLong_FromLong(value);
}

static PyObject *function_attribute(PyObject *self, void *closure)
{
    return read_attribute((bind_function *) self, ((const struct attribute *) closure)->id);
}

static PyObject *function_get_attribute(PyObject *self, PyObject *attribute)
{
    int id;
    if (bind_int(&id, attribute, "a function attribute") != 0)
        return NULL;
    return read_attribute((bind_function *) self, id);
}

static PyObject *function_set_attribute(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "set_attribute", 2, {"attribute", "value", NULL}};
    bind_function *f = (bind_function *) self;
    PyObject *values[2];
    int id, value;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&id, values[0], "a function attribute") != 0 ||
        bind_int(&value, values[1], "value") != 0 ||
        bind_check(f->state, runcu_function_set_attribute(f->function, id, value)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_set_cache_config(PyObject *self, PyObject *value)
{
    bind_function *f = (bind_function *) self;
    int config;
    if (bind_int(&config, value, "config") != 0 ||
        bind_check(f->state, runcu_function_set_cache_config(f->function, config)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_max_active_blocks(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                            PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "max_active_blocks", 1, {"block_size", "shared", NULL}};
    bind_function *f = (bind_function *) self;
    PyObject *values[2];
    size_t shared = 0;
    int block_size, blocks;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&block_size, values[0], "block_size") != 0 ||
        (values[1] && bind_size(&shared, values[1], "shared") != 0) ||
        bind_check(f->state,
                   runcu_function_max_active_blocks(&blocks, f->function, block_size, shared)) != 0)
        return NULL;
    return PyLong_FromLong(blocks);
}

/* --- prepared calls --- */

static PyObject *function_prepare(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    static const struct bind_signature signature = {"prepare", 1, {"arg_types", "texrefs", NULL}};
    bind_function *f = (bind_function *) self;
    PyObject *values[2];
    struct bind_code *codes;
    Py_ssize_t count;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    if (values[1] && values[1] != Py_None && PyObject_IsTrue(values[1]) != 0)
        return PyErr_Occurred()
                   ? NULL
                   : PyErr_Format(PyExc_TypeError, "texrefs: no compiler makes kernels with "
                                                   "texture references since CUDA 12");
    PyObject *format = bind_format_of(values[0]);
    const char *text = format ? PyUnicode_AsUTF8(format) : NULL;
    if (!text || bind_codes_parse(&codes, &count, text) != 0) {
        Py_XDECREF(format);
        return NULL;
    }
    PyMem_Free(f->codes);
    f->codes = codes;
    f->code_count = count;
    Py_XSETREF(f->arg_format, format);
    return Py_NewRef(self);
}

/* The keyword shared_size, the only one that prepared calls take. */
static int read_shared(runcu_launch_params *params, bind_state *state, PyObject *const *values,
                       PyObject *kwnames)
{
    for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        if (PyUnicode_Compare(name, state->name_shared_size) != 0)
            return bind_raise(PyExc_TypeError, "unknown keyword argument: %U", name);
        if (bind_size(&params->shared, values[k], "shared_size") != 0)
            return -1;
    }
    return 0;
}

/* Grid and block, and with `stream_count` a stream; *params and *keep. */
static int read_shape(runcu_launch_params *params, PyObject **keep, bind_function *f,
                      PyObject *const *args, Py_ssize_t nargs, int stream_count)
{
    *params = (runcu_launch_params){.size = sizeof *params};
    *keep = NULL;
    if (f->code_count < 0)
        return bind_raise(f->state->logic_error, "%s() has not been prepared: call prepare() first",
                          runcu_function_name(f->function));
    if (nargs < 2 + stream_count)
        return bind_raise(PyExc_TypeError, "a prepared call takes grid, block%s and the arguments",
                          stream_count ? ", stream" : "");
    if (bind_dim3(&params->grid, f->state, args[0], "grid") != 0 ||
        bind_dim3(&params->block, f->state, args[1], "block") != 0)
        return -1;
    return stream_count ? bind_stream(&params->stream, keep, f->state, args[2]) : 0;
}

static PyObject *prepared(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames, int stream_count)
{
    bind_function *f = (bind_function *) self;
    runcu_launch_params params;
    PyObject *keep;
    if (read_shape(&params, &keep, f, args, nargs, stream_count) != 0)
        return NULL;
    int first = 2 + stream_count;
    int status = read_shared(&params, f->state, args + nargs, kwnames);
    if (status == 0)
        status = bind_launch(f, &params, keep, args + first, nargs - first, true);
    Py_XDECREF(keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_prepared_call(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *kwnames)
{
    return prepared(self, args, nargs, kwnames, 0);
}

static PyObject *function_prepared_async_call(PyObject *self, PyObject *const *args,
                                              Py_ssize_t nargs, PyObject *kwnames)
{
    return prepared(self, args, nargs, kwnames, 1);
}

/* What prepared_timed_call returns: waits for the second of its two events, and gives the seconds
 * between them. */
static PyObject *timer_call(PyObject *events, PyObject *unused)
{
    (void) unused;
    bind_event *start = (bind_event *) PyTuple_GET_ITEM(events, 0);
    bind_event *end = (bind_event *) PyTuple_GET_ITEM(events, 1);
    float milliseconds;
    int status;
    BIND_UNLOCKED(status, runcu_event_synchronize(end->event));
    if (status == 0)
        status = runcu_event_elapsed(&milliseconds, start->event, end->event);
    if (bind_check(end->state, status) != 0)
        return NULL;
    return PyFloat_FromDouble((double) milliseconds * 1e-3);
}

static PyMethodDef timer_method = {"seconds", timer_call, METH_NOARGS,
                                   "Waits for the kernel; the seconds that it took."};

static int record(PyObject *event)
{
    bind_event *e = (bind_event *) event;
    return bind_check(e->state, runcu_event_record(e->event, NULL));
}

static PyObject *function_prepared_timed_call(PyObject *self, PyObject *const *args,
                                              Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *type = (PyObject *) ((bind_function *) self)->state->event_type;
    PyObject *start = PyObject_CallNoArgs(type), *end = start ? PyObject_CallNoArgs(type) : NULL;
    PyObject *out = NULL, *events = NULL;
    PyObject *done = end && record(start) == 0 ? prepared(self, args, nargs, kwnames, 0) : NULL;
    if (done && record(end) == 0)
        events = PyTuple_Pack(2, start, end);
    if (events)
        out = PyCFunction_New(&timer_method, events);
    Py_XDECREF(events);
    Py_XDECREF(done);
    Py_XDECREF(start);
    Py_XDECREF(end);
    return out;
}

/* --- the type --- */

static PyObject *function_name(PyObject *self, void *closure)
{
    (void) closure;
    return PyUnicode_FromString(runcu_function_name(((bind_function *) self)->function));
}

static PyObject *function_symbol(PyObject *self, void *closure)
{
    (void) closure;
    return PyUnicode_FromString(runcu_function_symbol(((bind_function *) self)->function));
}

static PyObject *function_signature(PyObject *self, void *closure)
{
    (void) closure;
    return PyUnicode_FromString(runcu_function_signature(((bind_function *) self)->function));
}

static PyObject *function_handle(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromUnsignedLongLong(runcu_function_handle(((bind_function *) self)->function));
}

static PyMethodDef function_methods[] = {
    {"get_attribute", function_get_attribute, METH_O,
     "get_attribute($self, attribute, /)\n--\n\nThe value of one of function_attribute."},
    {"set_attribute", (PyCFunction) (void (*)(void)) function_set_attribute,
     METH_FASTCALL | METH_KEYWORDS,
     "set_attribute($self, attribute, value)\n--\n\nSets one of function_attribute that can be "
     "set."},
    {"set_cache_config", function_set_cache_config, METH_O,
     "set_cache_config($self, config, /)\n--\n\nPrefers cache or shared memory: one of "
     "func_cache."},
    {"max_active_blocks", (PyCFunction) (void (*)(void)) function_max_active_blocks,
     METH_FASTCALL | METH_KEYWORDS,
     "max_active_blocks($self, block_size, shared=0)\n--\n\n"
     "Blocks of that many threads, with `shared` bytes of dynamic shared memory, that one "
     "multiprocessor holds at once."},
    {"prepare", (PyCFunction) (void (*)(void)) function_prepare, METH_FASTCALL | METH_KEYWORDS,
     "prepare($self, arg_types, texrefs=None)\n--\n\n"
     "Fixes the arguments' types for prepared calls.\n\n"
     "Parameters\n----------\n"
     "arg_types : str or iterable\n"
     "    Letters of the struct module (\"PPi\"; \"12s\" is a struct of 12 bytes, F and D are "
     "complex), or NumPy types and dtypes; "
     "anything else in a list is a pointer.\n\n"
     "Returns\n-------\nFunction\n    Itself."},
    {"prepared_call", (PyCFunction) (void (*)(void)) function_prepared_call,
     METH_FASTCALL | METH_KEYWORDS,
     "prepared_call($self, grid, block, /, *args, shared_size=0)\n--\n\nLaunches with prepared "
     "arguments."},
    {"prepared_async_call", (PyCFunction) (void (*)(void)) function_prepared_async_call,
     METH_FASTCALL | METH_KEYWORDS,
     "prepared_async_call($self, grid, block, stream, /, *args, shared_size=0)\n--\n\nLaunches on "
     "a stream."},
    {"prepared_timed_call", (PyCFunction) (void (*)(void)) function_prepared_timed_call,
     METH_FASTCALL | METH_KEYWORDS,
     "prepared_timed_call($self, grid, block, /, *args, shared_size=0)\n--\n\n"
     "Launches; the function that it returns waits and gives the seconds that the kernel took."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef function_getset[] = {
    {"name", function_name, NULL, "C++ name without parameters.", NULL},
    {"symbol", function_symbol, NULL, "Name in the PTX.", NULL},
    {"signature", function_signature, NULL,
     "C++ name with the parameters' types, where they are known.", NULL},
    {"handle", function_handle, NULL, "The CUfunction as an int.", NULL},
#define X(id, name, lower, doc) {#lower, function_attribute, NULL, doc, (void *) &attributes[id]},
    ATTRIBUTES(X)
#undef X
        {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef function_members[] = {
    BIND_MEMBERS,
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(bind_function, vectorcall), READONLY, NULL},
    {"arg_format", T_OBJECT, offsetof(bind_function, arg_format), READONLY,
     "The letters prepare() came to, or None."},
    {"texrefs", T_OBJECT, offsetof(bind_function, texrefs), 0,
     "None: texture references are no more."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot function_slots[] = {
    {Py_tp_doc, (char *) "A kernel.\n\n"
                         "``kernel(*args, block=(256, 1, 1), grid=(1, 1), stream=None, shared=0, "
                         "time_kernel=False, strict=False)`` launches it: "
                         "`block` threads in each of `grid` blocks, with `shared` bytes of dynamic "
                         "shared memory. With time_kernel it waits and "
                         "returns seconds. With strict an array of another element type than the "
                         "pointer's is an error, not a warning.\n\n"
                         "``kernel[n](*args)`` launches at least n threads, ``kernel[grid, block, "
                         "stream, shared](*args)`` is the long form.\n\n"
                         "Arguments are device allocations, device arrays, In, Out and InOut of "
                         "host arrays, NumPy scalars, Python numbers (of the "
                         "width of the parameter they meet), structs as NumPy values or ctypes, "
                         "and None for a null pointer.\n\n"
                         "Raises\n------\n"
                         "TypeError, ArgumentError\n    Number, kind or size of the arguments do "
                         "not fit the kernel."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, function_dealloc},
    {Py_tp_traverse, function_traverse},
    {Py_tp_clear, function_clear},
    {Py_tp_repr, function_repr},
    {Py_tp_call, PyVectorcall_Call},
    {Py_mp_subscript, bind_function_subscript},
    {Py_tp_methods, function_methods},
    {Py_tp_getset, function_getset},
    {Py_tp_members, function_members},
    {0, NULL},
};

PyType_Spec bind_function_spec = {"runcu.driver.Function", sizeof(bind_function), 0,
                                  BIND_FLAGS | Py_TPFLAGS_HAVE_VECTORCALL, function_slots};

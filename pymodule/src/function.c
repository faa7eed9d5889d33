/* Function: a kernel and its attributes. Not here: calls (launch.c), prepared ones (prepare.c),
 * occupancy (occupancy.c). */
#include "core.h"

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

static void set_function(bind_function *self, runcu_function *function)
{
    self->function = function;
    self->params = runcu_function_params(function, &self->param_count);
    if (!self->params)
        self->param_count = -1;
}

/* Nothing that it was before goes away, so that other threads may still use it. */
int bind_function_refresh(bind_function *self)
{
    runcu_function *now;
    int status;
    BIND_UNLOCKED(status, runcu_function_newest(&now, self->own));
    if (bind_check(self->state, status) != 0)
        return -1;
    if (now != self->function)
        set_function(self, now);
    return 0;
}

/* `function` is taken. */
static PyObject *wrap(PyTypeObject *type, runcu_function *function)
{
    bind_function *self = bind_new(type);
    if (!self) {
        runcu_function_release(&function);
        return NULL;
    }
    self->vectorcall = bind_function_call;
    self->own = function;
    self->follows = runcu_function_follows(function);
    set_function(self, function);
    self->code_count = -1;
    return (PyObject *) self;
}

PyObject *bind_function_wrap(bind_state *state, runcu_function *function)
{
    return wrap(state->function_type, function);
}

static PyObject *function_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    runcu_function *function;
    uint64_t handle;
    PyObject *owner;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0 ||
        bind_check(bind_state_of((PyTypeObject *) type), runcu_function_wrap(&function, handle)))
        return NULL;
    PyObject *self = wrap((PyTypeObject *) type, function);
    if (self && bind_own(self, owner) != 0)
        Py_CLEAR(self);
    return self;
}

static void function_dealloc(PyObject *self)
{
    bind_function *f = (bind_function *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    Py_BEGIN_ALLOW_THREADS /* the last function unloads its module, which waits */
    runcu_function_release(&f->own);
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
    if (bind_function_follow(f) != 0)
        PyErr_Clear(); /* what it was */
    const char *signature = runcu_function_signature(f->function);
    if (!signature || !*signature)
        signature = runcu_function_name(f->function);
    return PyUnicode_FromFormat("<%s %s>", Py_TYPE(self)->tp_name, signature);
}

static PyObject *read_attribute(bind_function *self, int id)
{
    int value;
    if (bind_function_follow(self) != 0 ||
        bind_check(self->state, runcu_function_get_attribute(&value, self->function, id)) != 0)
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
        bind_int(&value, values[1], "value") != 0 || bind_function_follow(f) != 0 ||
        bind_check(f->state, runcu_function_set_attribute(f->function, id, value)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_set_cache_config(PyObject *self, PyObject *value)
{
    bind_function *f = (bind_function *) self;
    int config;
    if (bind_int(&config, value, "config") != 0 || bind_function_follow(f) != 0 ||
        bind_check(f->state, runcu_function_set_cache_config(f->function, config)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_set_shared_config(PyObject *self, PyObject *value)
{
    bind_function *f = (bind_function *) self;
    int config;
    if (bind_int(&config, value, "config") != 0 || bind_function_follow(f) != 0 ||
        bind_check(f->state, runcu_function_set_shared_config(f->function, config)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_bind(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    struct bind_options o = {.params = {.size = sizeof o.params, .grid = {1, 1, 1}},
                             .takes_names = true};
    if (bind_function_follow((bind_function *) self) != 0)
        return NULL;
    return bind_bound_new((bind_function *) self, &o, args, nargs, kwnames);
}

/* --- what PyCUDA's own modules call --- */

static PyObject *function_set_block_shape(PyObject *self, PyObject *args)
{
    bind_function *f = (bind_function *) self;
    if (bind_dim3(&f->block, f->state, args, "block") != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_launch_kernel(PyObject *self, PyObject *args)
{
    bind_function *f = (bind_function *) self;
    runcu_launch_params params = {.size = sizeof params};
    PyObject *grid, *block, *packed, *shared = NULL, *stream = NULL, *keep;
    struct bind_buffer buffer;
    if (bind_function_follow(f) != 0 ||
        !PyArg_ParseTuple(args, "OOO|OO:_launch_kernel", &grid, &block, &packed, &shared,
                          &stream) ||
        bind_dim3(&params.grid, f->state, grid, "grid") != 0 ||
        bind_dim3(&params.block, f->state, block, "block") != 0 ||
        (shared && bind_size(&params.shared, shared, "shared") != 0) ||
        bind_buffer_get(&buffer, f->state, packed, false) != 0)
        return NULL;
    int status = bind_stream(&params.stream, &keep, f->state, stream);
    if (status == 0)
        status = bind_check(f->state,
                            runcu_launch_packed(f->function, &params, buffer.data, buffer.bytes));
    bind_buffer_release(&buffer);
    Py_XDECREF(keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *function_param_set_texref(PyObject *self, PyObject *texref)
{
    (void) self;
    (void) texref;
    return PyErr_Format(PyExc_TypeError, "texture references: %s", BIND_NO_REFERENCES);
}

/* --- the type --- */

static PyObject *text_of(PyObject *self, const char *get(const runcu_function *function))
{
    bind_function *f = (bind_function *) self;
    if (bind_function_follow(f) != 0)
        return NULL;
    return PyUnicode_FromString(get(f->function));
}

static PyObject *function_name(PyObject *self, void *closure)
{
    (void) closure;
    return text_of(self, runcu_function_name);
}

static PyObject *function_symbol(PyObject *self, void *closure)
{
    (void) closure;
    return text_of(self, runcu_function_symbol);
}

static PyObject *function_signature(PyObject *self, void *closure)
{
    (void) closure;
    return text_of(self, runcu_function_signature);
}

static PyObject *function_module(PyObject *self, void *closure)
{
    (void) closure;
    bind_function *f = (bind_function *) self;
    if (bind_function_follow(f) != 0)
        return NULL;
    return bind_module_wrap(f->state, runcu_module_retain(runcu_function_module(f->function)));
}

static PyObject *function_handle(PyObject *self, void *closure)
{
    (void) closure;
    if (bind_function_follow((bind_function *) self) != 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(runcu_function_handle(((bind_function *) self)->function));
}

static PyMethodDef function_methods[] = {
    {"from_handle", (PyCFunction) (void (*)(void)) function_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "A kernel of another library, of a module in the current context.\n\n"
     "Parameters\n----------\n"
     "handle : int\n    A CUfunction.\n"
     "owner : object\n    Kept alive as long as this object."},
    {"get_attribute", function_get_attribute, METH_O,
     "get_attribute($self, attribute, /)\n--\n\nThe value of one of function_attribute."},
    {"set_attribute", (PyCFunction) (void (*)(void)) function_set_attribute,
     METH_FASTCALL | METH_KEYWORDS,
     "set_attribute($self, attribute, value)\n--\n\nSets one of function_attribute that can be "
     "set."},
    {"set_cache_config", function_set_cache_config, METH_O,
     "set_cache_config($self, config, /)\n--\n\nPrefers cache or shared memory: one of "
     "func_cache."},
    {"set_shared_config", function_set_shared_config, METH_O,
     "set_shared_config($self, config, /)\n--\n\nAccepts one of shared_config; banks of shared "
     "memory have one width on every device of today."},
    {"max_active_blocks", (PyCFunction) (void (*)(void)) bind_function_max_active_blocks,
     METH_FASTCALL | METH_KEYWORDS,
     "max_active_blocks($self, block_size, shared=0)\n--\n\n"
     "Blocks of that many threads, with `shared` bytes of dynamic shared memory, that one "
     "multiprocessor holds at once."},
    {"suggest_block_size", (PyCFunction) (void (*)(void)) bind_function_suggest_block_size,
     METH_FASTCALL | METH_KEYWORDS,
     "suggest_block_size($self, shared=0, limit=0)\n--\n\n"
     "The block size with which the kernel fills a multiprocessor best.\n\n"
     "Parameters\n----------\n"
     "shared : int or callable\n"
     "    Bytes of dynamic shared memory a block, or a function that tells them of a block size.\n"
     "limit : int\n"
     "    The largest block size to consider; 0: any.\n\n"
     "Returns\n-------\nint\n    Threads a block; 0 if no size fits."},
    {"available_shared", (PyCFunction) (void (*)(void)) bind_function_available_shared,
     METH_FASTCALL | METH_KEYWORDS,
     "available_shared($self, blocks, block_size)\n--\n\n"
     "Bytes of dynamic shared memory that each block of that many threads may have where one "
     "multiprocessor is to hold `blocks` of them."},
    {"max_active_clusters", (PyCFunction) (void (*)(void)) bind_function_max_active_clusters,
     METH_FASTCALL | METH_KEYWORDS,
     "max_active_clusters($self, cluster, block, grid=None, shared=0)\n--\n\n"
     "Clusters of such blocks that the device holds at once. `grid`: by default one cluster."},
    {"max_cluster_size", (PyCFunction) (void (*)(void)) bind_function_max_cluster_size,
     METH_FASTCALL | METH_KEYWORDS,
     "max_cluster_size($self, block, grid=None, shared=0)\n--\n\n"
     "The most blocks that a cluster of a launch may have."},
    {"bind", (PyCFunction) (void (*)(void)) function_bind, METH_FASTCALL | METH_KEYWORDS,
     "bind($self, /, *args, block, grid=(1, 1), stream=None, shared=0, strict=False, names=None, "
     "cooperative=False, cluster=None, programmatic=False, priority=None, carveout=None)\n"
     "--\n\n"
     "The launch with these arguments fixed, to be made again and again by calling it.\n\n"
     "Parameters\n----------\n"
     "*args, block, grid, stream, shared and the rest\n"
     "    As for a launch.\n"
     "names : sequence of str, optional\n"
     "    Names for the arguments, by which they can be replaced as by their index.\n\n"
     "Returns\n-------\nBound"},
    {"_set_block_shape", function_set_block_shape, METH_VARARGS,
     "_set_block_shape($self, x, y, z, /)\n--\n\nThe block of prepared calls that name none."},
    {"_launch_kernel", function_launch_kernel, METH_VARARGS,
     "_launch_kernel($self, grid, block, buffer, shared=0, stream=None, /)\n--\n\n"
     "Launches with a buffer of packed parameters."},
    {"param_set_texref", function_param_set_texref, METH_O,
     "param_set_texref($self, texref, /)\n--\n\nRaises TypeError: texture references are no "
     "more."},
    {"prepare", (PyCFunction) (void (*)(void)) bind_function_prepare, METH_FASTCALL | METH_KEYWORDS,
     "prepare($self, arg_types, texrefs=None)\n--\n\n"
     "Fixes the arguments' types for prepared calls.\n\n"
     "Parameters\n----------\n"
     "arg_types : str or iterable\n"
     "    Letters of the struct module (\"PPi\"; \"12s\" is a struct of 12 bytes, F and D are "
     "complex), or NumPy types and dtypes; "
     "anything else in a list is a pointer.\n\n"
     "Returns\n-------\nFunction\n    Itself."},
    {"prepared_call", (PyCFunction) (void (*)(void)) bind_function_prepared_call,
     METH_FASTCALL | METH_KEYWORDS,
     "prepared_call($self, grid, block, /, *args, shared_size=0)\n--\n\nLaunches with prepared "
     "arguments."},
    {"prepared_async_call", (PyCFunction) (void (*)(void)) bind_function_prepared_async_call,
     METH_FASTCALL | METH_KEYWORDS,
     "prepared_async_call($self, grid, block, stream, /, *args, shared_size=0)\n--\n\nLaunches on "
     "a stream."},
    {"prepared_timed_call", (PyCFunction) (void (*)(void)) bind_function_prepared_timed_call,
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
    {"module", function_module, NULL, "The Module that it is of.", NULL},
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
                         "time_kernel=False, strict=False, **attributes)`` launches it: "
                         "`block` threads in each of `grid` blocks, with `shared` bytes of dynamic "
                         "shared memory. With time_kernel it waits and "
                         "returns seconds. With strict an array of another element type than the "
                         "pointer's is an error, not a warning.\n\n"
                         "Attributes: cooperative=True (all blocks resident at once, for "
                         "grid.sync()), cluster=(x, y, z) (blocks a cluster; compute capability "
                         "9.0), programmatic=True (may begin before the kernel before it has "
                         "ended), priority=-1 (whatever the stream has), carveout=50 (percent of "
                         "the cache preferred as shared memory).\n\n"
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

/* Bound: a launch whose shape and arguments are fixed, as function.bind(...) gives it. Where all
 * arguments are plain, the C library holds them packed; In, Out, InOut and other handlers are
 * converted anew at each launch. */
#include "core.h"

static int fail_freed(const bind_bound *self)
{
    return bind_raise(self->state->logic_error,
                      "%s: a device allocation among the bound arguments has been freed",
                      runcu_function_name(self->function->function));
}

static int check_watched(const bind_bound *self)
{
    for (Py_ssize_t i = 0; i < self->watched_count; i++)
        if (!atomic_load_explicit(&self->watched[i]->mem, memory_order_relaxed))
            return fail_freed(self);
    return 0;
}

/* Python code that runs meanwhile may replace arguments and the stream. */
static int launch_values(const bind_bound *self)
{
    PyObject *values = Py_NewRef(self->values), *stream = Py_XNewRef(self->stream);
    runcu_launch_params params = self->params;
    int status = bind_launch(self->function, &params, stream, PySequence_Fast_ITEMS(values),
                             PyTuple_GET_SIZE(values), false);
    Py_XDECREF(stream);
    Py_DECREF(values);
    return status;
}

RUNCU_HOT_ static PyObject *bound_call(PyObject *self, PyObject *const *args, size_t nargsf,
                                       PyObject *kwnames)
{
    bind_bound *b = (bind_bound *) self;
    int status;
    (void) args;
    if (PyVectorcall_NARGS(nargsf) || (kwnames && PyTuple_GET_SIZE(kwnames)))
        return PyErr_Format(PyExc_TypeError, "a bound launch takes no arguments: set them with "
                                             "bound[index] = value, the rest with configure()");
    /* A full queue that Python functions are in needs the GIL to get empty. */
    if (b->bound && !atomic_load_explicit(&bind_callback_count, memory_order_relaxed))
        status = check_watched(b) != 0 ? -1 : bind_check(b->state, runcu_bound_launch(b->bound));
    else
        status = launch_values(b);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- arguments --- */

/* Makes the values the launch's, and lists the allocations among them, whose end is noticed. */
static int adopt(bind_bound *self, PyObject *values)
{
    Py_ssize_t count = PyTuple_GET_SIZE(values);
    if (!self->watched && count)
        self->watched = PyMem_Calloc((size_t) count, sizeof *self->watched);
    if (!self->watched && count) {
        PyErr_NoMemory();
        return -1;
    }
    self->watched_count = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = PyTuple_GET_ITEM(values, i);
        if (PyObject_TypeCheck(value, self->state->allocation_type))
            self->watched[self->watched_count++] = (bind_allocation *) value;
    }
    Py_XSETREF(self->values, Py_NewRef(values));
    return 0;
}

/* Hands all values to the library, unless some of them have to travel. */
static int convert_all(bind_bound *self, struct bind_arguments *call, PyObject *values)
{
    runcu_bound *bound = NULL;
    for (Py_ssize_t i = 0; i < call->count; i++)
        if (bind_argument(call, i, PyTuple_GET_ITEM(values, i)) != 0)
            return -1;
    if (!call->waits && !call->has_handlers) {
        if (call->runs_python)
            bind_arguments_unpin(call);
        int status = runcu_bound_create(&bound, self->function->function, &self->params, call->args,
                                        (size_t) call->count);
        if (bind_check(self->state, status) != 0) {
            runcu_bound_destroy(&bound);
            return -1;
        }
    }
    runcu_bound_destroy(&self->bound);
    self->bound = bound;
    return adopt(self, values);
}

/* Replaces the i-th alone: 0 done, -1 exception, 1 if all have to be bound anew. */
static int convert_one(bind_bound *self, struct bind_arguments *call, Py_ssize_t i,
                       PyObject *values)
{
    if (!self->bound)
        return 1;
    if (bind_argument(call, i, PyTuple_GET_ITEM(values, i)) != 0)
        return -1;
    if (call->waits || call->has_handlers || !self->bound)
        return 1;
    if (call->args[i].kind == RUNCU_ARG_MEM && call->runs_python)
        bind_arguments_unpin(call);
    if (bind_check(self->state, runcu_bound_set(self->bound, (size_t) i, &call->args[i])) != 0)
        return -1;
    return adopt(self, values);
}

static struct bind_arguments begin(bind_bound *self, PyObject *values)
{
    size_t count = (size_t) PyTuple_GET_SIZE(values), room = count ? count : 1;
    struct bind_arguments call = {
        .function = self->function, .count = (Py_ssize_t) count, .stream = self->params.stream};
    call.args = PyMem_Calloc(room, sizeof *call.args);
    call.scratch = PyMem_Calloc(room, sizeof *call.scratch);
    if (!call.args || !call.scratch)
        PyErr_NoMemory();
    return call;
}

static void end(struct bind_arguments *call)
{
    if (call->holds)
        bind_arguments_release(call);
    PyMem_Free(call->args);
    PyMem_Free(call->scratch);
}

static int rebind(bind_bound *self, PyObject *values)
{
    struct bind_arguments call = begin(self, values);
    int status = call.args && call.scratch ? convert_all(self, &call, values) : -1;
    end(&call);
    return status;
}

static int replace(bind_bound *self, Py_ssize_t i, PyObject *values)
{
    struct bind_arguments call = begin(self, values);
    int status = call.args && call.scratch ? convert_one(self, &call, i, values) : -1;
    end(&call);
    return status > 0 ? rebind(self, values) : status;
}

/* The place that an index or a name means; -1 with an exception. */
static Py_ssize_t place_of(const bind_bound *self, PyObject *key)
{
    Py_ssize_t count = PyTuple_GET_SIZE(self->values);
    PyObject *index = key;
    if (PyUnicode_Check(key)) {
        index = self->names ? PyDict_GetItemWithError(self->names, key) : NULL;
        if (!index)
            return PyErr_Occurred() ? -1 : (PyErr_SetObject(PyExc_KeyError, key), -1);
    } else if (!PyIndex_Check(key)) {
        return bind_raise(PyExc_TypeError,
                          "an argument is named by its index or its name, not %.200s",
                          Py_TYPE(key)->tp_name);
    }
    Py_ssize_t i = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred())
        return -1;
    i += i < 0 ? count : 0;
    if (i < 0 || i >= count)
        return bind_raise(PyExc_IndexError, "there is no argument %S: the launch has %zd", key,
                          count);
    return i;
}

static PyObject *bound_get(PyObject *self, PyObject *key)
{
    bind_bound *b = (bind_bound *) self;
    Py_ssize_t i = place_of(b, key);
    return i < 0 ? NULL : Py_NewRef(PyTuple_GET_ITEM(b->values, i));
}

static int bound_set(PyObject *self, PyObject *key, PyObject *value)
{
    bind_bound *b = (bind_bound *) self;
    Py_ssize_t i = place_of(b, key);
    if (i < 0)
        return -1;
    if (!value)
        return bind_raise(PyExc_TypeError, "an argument can be replaced, not deleted");
    Py_ssize_t count = PyTuple_GET_SIZE(b->values);
    PyObject *values = PyTuple_New(count);
    for (Py_ssize_t k = 0; values && k < count; k++)
        PyTuple_SET_ITEM(values, k, Py_NewRef(k == i ? value : PyTuple_GET_ITEM(b->values, k)));
    int status = values ? replace(b, i, values) : -1;
    Py_XDECREF(values);
    return status;
}

static Py_ssize_t bound_len(PyObject *self)
{
    return PyTuple_GET_SIZE(((bind_bound *) self)->values);
}

/* --- creation --- */

static int take_names(bind_bound *self, PyObject *names, Py_ssize_t count)
{
    if (!names || names == Py_None)
        return 0;
    PyObject *list = PySequence_List(names);
    self->names = list ? PyDict_New() : NULL;
    int status = self->names ? 0 : -1;
    if (status == 0 && PyList_GET_SIZE(list) != count)
        status = bind_raise(PyExc_ValueError, "%zd names were given for %zd arguments",
                            PyList_GET_SIZE(list), count);
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        PyObject *name = PyList_GET_ITEM(list, i), *place = PyLong_FromSsize_t(i);
        if (!PyUnicode_Check(name) || !place)
            status = place ? bind_raise(PyExc_TypeError, "a name must be a str, not %.200s",
                                        Py_TYPE(name)->tp_name)
                           : -1;
        else if (PyDict_Contains(self->names, name) == 1)
            status = bind_raise(PyExc_ValueError, "two arguments are called %R", name);
        else
            status = PyDict_SetItem(self->names, name, place);
        Py_XDECREF(place);
    }
    Py_XDECREF(list);
    return status;
}

/* What the keywords say; the stream is kept alive. */
static int take_options(bind_bound *self, const struct bind_options *o)
{
    if (o->is_timed)
        return bind_raise(PyExc_ValueError, "a bound launch is not timed: use events");
    self->params = o->params;
    PyObject *stream = o->keep ? o->keep : o->stream;
    Py_XSETREF(self->stream, Py_XNewRef(stream));
    return 0;
}

static int fill(bind_bound *out, struct bind_options *o, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *values = PyTuple_New(nargs);
    for (Py_ssize_t i = 0; values && i < nargs; i++)
        PyTuple_SET_ITEM(values, i, Py_NewRef(args[i]));
    int status = values ? take_options(out, o) : -1;
    if (status == 0)
        status = take_names(out, o->names, nargs);
    if (status == 0)
        status = rebind(out, values);
    Py_XDECREF(values);
    return status;
}

PyObject *bind_bound_new(bind_function *function, struct bind_options *o, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *kwnames)
{
    bind_bound *out = NULL;
    if (bind_read_options(o, function->state, args + nargs, kwnames) == 0) {
        if (!o->has_block)
            bind_fail_no_block(function, args, nargs);
        else
            out = bind_new(function->state->bound_type);
    }
    if (out) {
        out->vectorcall = bound_call;
        out->function = (bind_function *) Py_NewRef((PyObject *) function);
        if (fill(out, o, args, nargs) != 0)
            Py_CLEAR(out);
    }
    Py_XDECREF(o->keep);
    return (PyObject *) out;
}

static PyObject *bound_configure(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    bind_bound *b = (bind_bound *) self;
    struct bind_options o = {.params = b->params, .stream = b->stream};
    int status = nargs ? bind_raise(PyExc_TypeError, "configure() takes keywords only") : 0;
    if (status == 0)
        status = bind_read_options(&o, b->state, args + nargs, kwnames);
    if (status == 0 && o.has_block)
        o.params.threads = 0;
    if (status == 0 && b->bound)
        status = bind_check(b->state, runcu_bound_shape(b->bound, &o.params));
    if (status == 0)
        status = take_options(b, &o);
    Py_XDECREF(o.keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- the type --- */

static int bound_traverse(PyObject *self, visitproc visit, void *arg)
{
    bind_bound *b = (bind_bound *) self;
    Py_VISIT(b->function);
    Py_VISIT(b->values);
    Py_VISIT(b->names);
    Py_VISIT(b->stream);
    return bind_traverse(self, visit, arg);
}

/* What a call needs stays: a cycle can only go through the values. */
static int bound_clear(PyObject *self)
{
    bind_bound *b = (bind_bound *) self;
    PyObject *none = PyTuple_New(0);
    b->watched_count = 0;
    if (none)
        Py_XSETREF(b->values, none);
    else
        PyErr_Clear();
    runcu_bound_destroy(&b->bound);
    return bind_clear(self);
}

static void bound_dealloc(PyObject *self)
{
    bind_bound *b = (bind_bound *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    Py_BEGIN_ALLOW_THREADS /* the last owner of a module unloads it, which waits */
    runcu_bound_destroy(&b->bound);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    PyMem_Free(b->watched);
    Py_CLEAR(b->values);
    Py_CLEAR(b->names);
    Py_CLEAR(b->stream);
    Py_CLEAR(b->function);
    bind_end_dealloc(self);
}

static PyObject *bound_repr(PyObject *self)
{
    bind_bound *b = (bind_bound *) self;
    return PyUnicode_FromFormat("<%s %s %R>", Py_TYPE(self)->tp_name,
                                runcu_function_name(b->function->function), b->values);
}

static PyObject *bound_args(PyObject *self, void *closure)
{
    (void) closure;
    return Py_NewRef(((bind_bound *) self)->values);
}

static PyObject *bound_function(PyObject *self, void *closure)
{
    (void) closure;
    return Py_NewRef((PyObject *) ((bind_bound *) self)->function);
}

static PyGetSetDef bound_getset[] = {
    {"args", bound_args, NULL, "The arguments as they were given.", NULL},
    {"function", bound_function, NULL, "The kernel.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef bound_methods[] = {
    {"configure", (PyCFunction) (void (*)(void)) bound_configure, METH_FASTCALL | METH_KEYWORDS,
     "configure($self, /, **options)\n--\n\n"
     "Replaces what a launch is told beside its arguments: block, grid, stream, shared, strict, "
     "cooperative, cluster, programmatic, priority, carveout. The rest stays."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef bound_members[] = {
    BIND_MEMBERS,
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(bind_bound, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot bound_slots[] = {
    {Py_tp_doc,
     (char
          *) "A launch with shape and arguments fixed: what Function.bind gives. Call it to launch "
             "again; bound[i] = value and bound['name'] = value replace an argument.\n\n"
             "The arguments are kept alive; those that are no device memory are copied when they "
             "are set. In, Out and InOut travel at each launch."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, bound_dealloc},
    {Py_tp_traverse, bound_traverse},
    {Py_tp_clear, bound_clear},
    {Py_tp_repr, bound_repr},
    {Py_tp_call, PyVectorcall_Call},
    {Py_mp_subscript, bound_get},
    {Py_mp_ass_subscript, bound_set},
    {Py_mp_length, bound_len},
    {Py_tp_methods, bound_methods},
    {Py_tp_getset, bound_getset},
    {Py_tp_members, bound_members},
    {0, NULL},
};

PyType_Spec bind_bound_spec = {"runcu.driver.Bound", sizeof(bind_bound), 0,
                               BIND_FLAGS | Py_TPFLAGS_HAVE_VECTORCALL, bound_slots};

/* Launches: the call of a Function, function[...](...), and what the prepared calls share with
 * them. The GIL is held throughout, but while results, or Python functions, are waited for. */
#include "core.h"

enum { ON_STACK = 24 };

static int call_handlers(struct bind_arguments *call, PyObject *method, PyObject *stream)
{
    for (Py_ssize_t i = 0; i < call->hold_count; i++) {
        PyObject *handler = call->holds[i].handler;
        PyObject *done =
            handler ? PyObject_CallMethodOneArg(handler, method, stream ? stream : Py_None) : NULL;
        if (handler && !done)
            return -1;
        Py_XDECREF(done);
    }
    return 0;
}

static int run(struct bind_arguments *call, const runcu_launch_params *params, PyObject *stream)
{
    bind_state *state = call->function->state;
    runcu_function *function = call->function->function;
    size_t count = (size_t) call->count;
    int status;
    /* A full queue that Python functions are in would never get empty under the GIL. */
    bool is_unlocked =
        call->waits || atomic_load_explicit(&bind_callback_count, memory_order_relaxed);
    if (is_unlocked || call->runs_python)
        bind_arguments_unpin(call);
    if (call->has_handlers && call_handlers(call, state->name_pre_call, stream) != 0)
        return -1;
    if (is_unlocked)
        BIND_UNLOCKED(status, runcu_launch_args(function, params, call->args, count));
    else
        status = runcu_launch_args(function, params, call->args, count);
    if (bind_check(state, status) != 0)
        return -1;
    return call->has_handlers ? call_handlers(call, state->name_post_call, stream) : 0;
}

static int convert_prepared(struct bind_arguments *call, PyObject *const *values)
{
    const bind_function *f = call->function;
    const struct bind_code *codes = f->codes;
    if (call->count != f->code_count)
        return bind_raise(PyExc_TypeError, "%s() was prepared for %zd arguments, %zd were given",
                          runcu_function_name(f->function), f->code_count, call->count);
    for (Py_ssize_t i = 0; i < call->count; i++)
        if (bind_prepared_argument(call, i, values[i], codes[i]) != 0)
            return -1;
    return 0;
}

static int convert(struct bind_arguments *call, PyObject *const *values)
{
    for (Py_ssize_t i = 0; i < call->count; i++)
        if (bind_argument(call, i, values[i]) != 0)
            return -1;
    return 0;
}

/* If the stream is captured, its graph holds what the launch uses. */
static int note_captured(bind_function *self, runcu_stream *stream, PyObject *const *values,
                         Py_ssize_t count)
{
    PyObject *function = (PyObject *) self;
    int status = bind_capture_hold(self->state, stream, &function, 1);
    return status ? status : bind_capture_hold(self->state, stream, values, count);
}

RUNCU_HOT_ int bind_launch(bind_function *self, const runcu_launch_params *params, PyObject *stream,
                           PyObject *const *values, Py_ssize_t count, bool is_prepared)
{
    runcu_arg args[ON_STACK];
    struct bind_scratch scratch[ON_STACK];
    struct bind_arguments call = {.function = self,
                                  .args = args,
                                  .scratch = scratch,
                                  .count = count,
                                  .stream = params->stream};
    int status = -1;
    if (count > ON_STACK) {
        call.args = PyMem_Calloc((size_t) count, sizeof *args);
        call.scratch = PyMem_Calloc((size_t) count, sizeof *scratch);
    }
    if (!call.args || !call.scratch)
        PyErr_NoMemory();
    else if ((is_prepared ? convert_prepared(&call, values) : convert(&call, values)) == 0)
        status = run(&call, params, stream);
    if (status == 0 && atomic_load_explicit(&bind_callback_count, memory_order_relaxed))
        status = note_captured(self, params->stream, values, count);
    if (call.holds)
        bind_arguments_release(&call);
    if (count > ON_STACK) {
        PyMem_Free(call.args);
        PyMem_Free(call.scratch);
    }
    return status;
}

int bind_with_arguments(bind_function *self, PyObject *const *values, Py_ssize_t count,
                        bind_arguments_fn *use, void *user)
{
    struct bind_arguments call = {.function = self, .count = count};
    int status = -1;
    call.args = PyMem_Calloc((size_t) count + 1, sizeof *call.args);
    call.scratch = PyMem_Calloc((size_t) count + 1, sizeof *call.scratch);
    if (!call.args || !call.scratch)
        PyErr_NoMemory();
    else if (convert(&call, values) == 0) {
        bind_arguments_unpin(&call);
        status = use(user, call.args, (size_t) count);
    }
    if (call.holds)
        bind_arguments_release(&call);
    PyMem_Free(call.args);
    PyMem_Free(call.scratch);
    return status;
}

/* Device memory where a pointer was prepared, and small ints where an integer was. */
static inline bool read_straight(runcu_arg *out, const bind_state *state, PyObject *value,
                                 uint8_t kind)
{
    out->kind = kind;
    if (kind == RUNCU_ARG_MEM) {
        if (!Py_IS_TYPE(value, state->allocation_type) && !Py_IS_TYPE(value, state->pooled_type))
            return false;
        out->value.mem =
            atomic_load_explicit(&((bind_allocation *) value)->mem, memory_order_relaxed);
        return out->value.mem != NULL;
    }
    out->value.i = bind_small(value);
    return kind && out->value.i >= 0;
}

/* Most of what prepared calls are given needs no Python code, and so nothing has to be held. */
RUNCU_HOT_ int bind_launch_prepared(bind_function *self, const runcu_launch_params *params,
                                    PyObject *stream, PyObject *const *values, Py_ssize_t count)
{
#ifndef Py_GIL_DISABLED /* else another thread may free memory before the launch has looked at it \
                         */
    runcu_arg args[ON_STACK];
    Py_ssize_t i = 0;
    bool is_straight = count == self->code_count && count <= ON_STACK &&
                       !atomic_load_explicit(&bind_callback_count, memory_order_relaxed);
    while (is_straight && i < count) {
        is_straight = read_straight(&args[i], self->state, values[i], self->codes[i].kind);
        i++;
    }
    if (is_straight)
        return bind_check(self->state,
                          runcu_launch_args(self->function, params, args, (size_t) count));
#endif
    return bind_launch(self, params, stream, values, count, true);
}

int bind_launch_timed(double *seconds, bind_function *self, const runcu_launch_params *params,
                      PyObject *stream, PyObject *const *values, Py_ssize_t count)
{
    runcu_event *start = NULL, *end = NULL;
    float milliseconds = 0;
    int status = runcu_event_create(&start, 0);
    status = status ? status : runcu_event_create(&end, 0);
    status = bind_check(self->state, status ? status : runcu_event_record(start, params->stream));
    if (status == 0)
        status = bind_launch(self, params, stream, values, count, false);
    if (status == 0) {
        Py_BEGIN_ALLOW_THREADS
        status = runcu_event_record(end, params->stream);
        status = status ? status : runcu_event_synchronize(end);
        status = status ? status : runcu_event_elapsed(&milliseconds, start, end);
        Py_END_ALLOW_THREADS
        status = bind_check(self->state, status);
    }
    runcu_event_destroy(&start);
    runcu_event_destroy(&end);
    *seconds = (double) milliseconds * 1e-3;
    return status;
}

/* --- function(*args, block=, grid=, …) --- */

static int set_stream(struct bind_options *o, bind_state *state, PyObject *value)
{
    Py_CLEAR(o->keep);
    o->stream = value;
    return bind_stream(&o->params.stream, &o->keep, state, value);
}

static int set_flag(bool *out, PyObject *value)
{
    int truth = PyObject_IsTrue(value);
    *out = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int set_texrefs(PyObject *value)
{
    if (value != Py_None && PyObject_IsTrue(value))
        return bind_raise(PyExc_TypeError, "texrefs: %s", BIND_NO_REFERENCES);
    return PyErr_Occurred() ? -1 : 0;
}

/* Launch attributes: 0, 1 and -1 as below. */
static int set_bit(runcu_launch_params *p, unsigned bit, PyObject *value)
{
    bool truth;
    if (set_flag(&truth, value) != 0)
        return -1;
    p->attributes = truth ? p->attributes | bit : p->attributes & ~bit;
    return 0;
}

int bind_set_attribute(runcu_launch_params *p, bind_state *state, PyObject *name, PyObject *value)
{
    unsigned bit = 0;
    int status = 0;
    if (name == state->name_cooperative)
        return set_bit(p, RUNCU_LAUNCH_COOPERATIVE, value);
    if (name == state->name_programmatic)
        return set_bit(p, RUNCU_LAUNCH_PROGRAMMATIC, value);
    if (name == state->name_cluster) {
        bit = RUNCU_LAUNCH_CLUSTER;
        status = value == Py_None ? 0 : bind_dim3(&p->cluster, state, value, "cluster");
    } else if (name == state->name_priority) {
        bit = RUNCU_LAUNCH_PRIORITY;
        status = value == Py_None ? 0 : bind_int(&p->priority, value, "priority");
    } else if (name == state->name_carveout) {
        bit = RUNCU_LAUNCH_CARVEOUT;
        status = value == Py_None ? 0 : bind_int(&p->carveout, value, "carveout");
    } else {
        return 1;
    }
    p->attributes = value == Py_None ? p->attributes & ~bit : p->attributes | bit;
    return status;
}

/* 0: done; 1: no such option; -1: exception. */
static int set_option(struct bind_options *o, bind_state *state, PyObject *name, PyObject *value)
{
    bool strict;
    if (name == state->name_block) {
        o->has_block = true;
        return bind_dim3(&o->params.block, state, value, "block");
    }
    if (name == state->name_grid)
        return bind_dim3(&o->params.grid, state, value, "grid");
    if (name == state->name_stream)
        return set_stream(o, state, value);
    if (name == state->name_shared)
        return bind_size(&o->params.shared, value, "shared");
    if (name == state->name_time_kernel)
        return set_flag(&o->is_timed, value);
    if (name == state->name_texrefs)
        return set_texrefs(value);
    if (name == state->name_names && o->takes_names) {
        o->names = value;
        return 0;
    }
    if (name != state->name_strict)
        return bind_set_attribute(&o->params, state, name, value);
    int status = set_flag(&strict, value);
    o->params.strict = strict;
    return status;
}

/* Keywords of compiled code are interned, those of a dict built at run time need not be. */
PyObject *bind_interned(bind_state *state, PyObject *name)
{
#define X(text)                                           \
    if (PyUnicode_Compare(name, state->name_##text) == 0) \
        return state->name_##text;
    BIND_NAMES(X)
#undef X
    return name;
}

static int fail_keywords(bind_state *state, PyObject *kwnames)
{
    struct bind_options scratch = {0};
    PyObject *unknown = PyList_New(0), *comma = PyUnicode_FromString(", "), *text = NULL;
    int status = unknown && comma ? 0 : -1;
    for (Py_ssize_t k = 0; status == 0 && k < PyTuple_GET_SIZE(kwnames); k++) {
        PyObject *name = bind_interned(state, PyTuple_GET_ITEM(kwnames, k));
        if (name == state->name_block || name == state->name_grid || name == state->name_stream ||
            name == state->name_shared || set_option(&scratch, state, name, Py_None) == 0)
            continue;
        PyErr_Clear();
        status = PyList_Append(unknown, name);
    }
    if (status == 0 && (text = PyUnicode_Join(comma, unknown)))
        PyErr_Format(PyExc_ValueError, "extra keyword arguments: %U", text);
    Py_XDECREF(text);
    Py_XDECREF(comma);
    Py_XDECREF(unknown);
    return -1;
}

RUNCU_HOT_ int bind_read_options(struct bind_options *o, bind_state *state, PyObject *const *values,
                                 PyObject *kwnames)
{
    Py_ssize_t count = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        int status = set_option(o, state, name, values[k]);
        if (status > 0)
            status = set_option(o, state, bind_interned(state, name), values[k]);
        if (status)
            return status > 0 ? fail_keywords(state, kwnames) : -1;
    }
    return 0;
}

static PyObject *call_function(bind_function *self, struct bind_options *o, PyObject *const *args,
                               Py_ssize_t nargs)
{
    double seconds;
    if (bind_function_follow(self) != 0)
        return NULL;
    int status = o->is_timed ? bind_launch_timed(&seconds, self, &o->params, o->stream, args, nargs)
                             : bind_launch(self, &o->params, o->stream, args, nargs, false);
    if (status != 0)
        return NULL;
    if (o->is_timed)
        return PyFloat_FromDouble(seconds);
    Py_RETURN_NONE;
}

/* Called as CuPy's kernels are: kernel((grid,), (block,), (arguments,)). */
static bool is_call_of_cupy(PyObject *const *args, Py_ssize_t nargs)
{
    return (nargs == 2 || nargs == 3) && PyTuple_Check(args[0]) && PyTuple_Check(args[1]) &&
           (nargs == 2 || PyTuple_Check(args[2]));
}

int bind_fail_no_block(const bind_function *f, PyObject *const *args, Py_ssize_t nargs)
{
    const char *name = runcu_function_name(f->function);
    if (!is_call_of_cupy(args, nargs))
        return bind_raise(PyExc_ValueError, "must specify block size");
    return bind_raise(
        PyExc_ValueError,
        "must specify block size: %s(grid, block, arguments) is how CuPy's kernels are "
        "called. Write %s(*arguments, grid=grid, block=block), or make it with "
        "runcu.RawKernel or runcu.RawModule, whose kernels are called so",
        name, name);
}

RUNCU_HOT_ PyObject *bind_function_call(PyObject *self, PyObject *const *args, size_t nargsf,
                                        PyObject *kwnames)
{
    bind_function *f = (bind_function *) self;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    struct bind_options o = {.params = {.size = sizeof o.params, .grid = {1, 1, 1}}};
    PyObject *out = NULL;
    if (bind_read_options(&o, f->state, args + nargs, kwnames) == 0) {
        if (o.has_block)
            out = call_function(f, &o, args, nargs);
        else
            bind_fail_no_block(f, args, nargs);
    }
    Py_XDECREF(o.keep);
    return out;
}

/* --- function[threads](*args), function[grid, block, stream, shared](*args) --- */

RUNCU_HOT_ PyObject *bind_launcher_call(PyObject *self, PyObject *const *args, size_t nargsf,
                                        PyObject *kwnames)
{
    bind_launcher *l = (bind_launcher *) self;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    struct bind_options o = {.params = l->params, .stream = l->stream};
    PyObject *out = NULL;
    if (bind_read_options(&o, l->state, args + nargs, kwnames) == 0) {
        if (l->is_empty && !o.has_block && !o.is_timed)
            out = Py_NewRef(Py_None);
        else
            out = call_function(l->function, &o, args, nargs);
    }
    Py_XDECREF(o.keep);
    return out;
}

static int set_shape(bind_launcher *self, PyObject *key)
{
    Py_ssize_t count = PyTuple_GET_SIZE(key);
    bind_state *state = self->state;
    PyObject *keep = NULL;
    if (count < 2 || count > 4)
        return bind_raise(PyExc_TypeError,
                          "kernel[threads], kernel[grid, block] or kernel[grid, block, stream, "
                          "shared], not %zd items",
                          count);
    if (bind_dim3(&self->params.grid, state, PyTuple_GET_ITEM(key, 0), "grid") != 0 ||
        bind_dim3(&self->params.block, state, PyTuple_GET_ITEM(key, 1), "block") != 0)
        return -1;
    if (count > 2 && bind_stream(&self->params.stream, &keep, state, PyTuple_GET_ITEM(key, 2)) != 0)
        return -1;
    self->stream = keep;
    return count > 3 ? bind_size(&self->params.shared, PyTuple_GET_ITEM(key, 3), "shared") : 0;
}

PyObject *bind_function_subscript(PyObject *self, PyObject *key)
{
    bind_function *f = (bind_function *) self;
    bind_launcher *out = bind_new(f->state->launcher_type);
    if (!out)
        return NULL;
    out->vectorcall = bind_launcher_call;
    out->function = (bind_function *) Py_NewRef(self);
    out->params.size = sizeof out->params;
    int status;
    if (PyTuple_Check(key)) {
        status = set_shape(out, key);
    } else {
        status = bind_size(&out->params.threads, key, "the number of threads");
        out->is_empty = out->params.threads == 0;
    }
    if (status != 0)
        Py_CLEAR(out);
    return (PyObject *) out;
}

static int launcher_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_launcher *) self)->function);
    Py_VISIT(((bind_launcher *) self)->stream);
    return bind_traverse(self, visit, arg);
}

/* Function and stream stay: a call must find them. What could close a cycle is in their dicts. */
static void launcher_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    Py_CLEAR(((bind_launcher *) self)->function);
    Py_CLEAR(((bind_launcher *) self)->stream);
    bind_end_dealloc(self);
}

static PyMemberDef launcher_members[] = {
    BIND_MEMBERS,
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(bind_launcher, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *launcher_bind(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    bind_launcher *l = (bind_launcher *) self;
    struct bind_options o = {
        .params = l->params, .stream = l->stream, .has_block = true, .takes_names = true};
    return bind_bound_new(l->function, &o, args, nargs, kwnames);
}

static PyMethodDef launcher_methods[] = {
    {"bind", (PyCFunction) (void (*)(void)) launcher_bind, METH_FASTCALL | METH_KEYWORDS,
     "bind($self, /, *args, **options)\n--\n\n"
     "The launch with these arguments fixed: see Function.bind."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot launcher_slots[] = {
    {Py_tp_doc, (char *) "A kernel with grid, block, stream and shared memory chosen: what "
                         "kernel[...] gives. Call it."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, launcher_dealloc},
    {Py_tp_traverse, launcher_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_methods, launcher_methods},
    {Py_tp_members, launcher_members},
    {0, NULL},
};

PyType_Spec bind_launcher_spec = {"runcu.driver.Launcher", sizeof(bind_launcher), 0,
                                  BIND_FLAGS | Py_TPFLAGS_HAVE_VECTORCALL, launcher_slots};

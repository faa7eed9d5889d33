/* Stream: a queue of work, ours or one wrapped for another library; and what else stands for a
 * stream in a call. Work and waiting are elsewhere: launch.c, copy.c. */
#include "core.h"

enum { LEGACY = 1, PER_THREAD = 2 };

/* --- what stands for a stream --- */

/* Another library's handle, for the current context. */
static int wrap(runcu_stream **out, PyObject **keep, bind_state *state, uint64_t handle,
                PyObject *owner)
{
    if (handle <= LEGACY)
        return 0;
    bind_streamobject *wrapper = bind_new(state->stream_type);
    if (!wrapper)
        return -1;
    if (bind_check(state, runcu_stream_wrap(&wrapper->stream, handle)) != 0 ||
        bind_own((PyObject *) wrapper, owner) != 0) {
        Py_DECREF(wrapper);
        return -1;
    }
    *out = wrapper->stream;
    *keep = (PyObject *) wrapper;
    return 0;
}

/* __cuda_stream__: a pair of a version and a handle, or a method that gives one. */
static int handle_of_protocol(uint64_t *out, PyObject *method)
{
    PyObject *pair = PyCallable_Check(method) ? PyObject_CallNoArgs(method) : Py_NewRef(method);
    int status = -1;
    if (pair && !(PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2))
        PyErr_SetString(PyExc_TypeError, "__cuda_stream__ must give a version and a handle");
    else if (pair)
        status = bind_number(out, PyTuple_GET_ITEM(pair, 1), "CUstream");
    Py_XDECREF(pair);
    return status;
}

/* The attribute that holds an object's stream: torch's cuda_stream, or the ptr of what can be
 * synchronized, as CuPy's, which an array cannot. NULL without an exception: there is none. */
static PyObject *handle_attribute(bind_state *state, PyObject *value)
{
    PyObject *found = bind_optional(value, state->name_cuda_stream);
    if (found || PyErr_Occurred())
        return found;
    PyObject *waits = bind_optional(value, state->name_synchronize);
    if (!waits)
        return NULL;
    Py_DECREF(waits);
    return bind_optional(value, state->name_ptr);
}

static int handle_of_other(uint64_t *out, bind_state *state, PyObject *value)
{
    int status = -1;
    PyObject *found = bind_optional(value, state->name___cuda_stream__);
    if (found) {
        status = handle_of_protocol(out, found);
    } else if (!PyErr_Occurred() && (found = handle_attribute(state, value))) {
        status = bind_number(out, found, "CUstream");
    } else if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_TypeError,
                     "a Stream is expected (or None, a CUstream as an int, an object with "
                     "__cuda_stream__), not %.200s",
                     Py_TYPE(value)->tp_name);
    }
    Py_XDECREF(found);
    return status;
}

static int stream_of_ours(runcu_stream **out, PyObject **keep, bind_streamobject *s)
{
    if (atomic_load_explicit(&s->is_closed, memory_order_relaxed))
        return bind_raise(s->state->logic_error, "the stream has been closed");
    if (!s->stream)
        return wrap(out, keep, s->state, s->special, NULL);
    *keep = Py_NewRef((PyObject *) s);
    *out = s->stream;
    return 0;
}

int bind_stream(runcu_stream **out, PyObject **keep, bind_state *state, PyObject *value)
{
    uint64_t handle;
    *out = NULL;
    *keep = NULL;
    if (!value || value == Py_None)
        return 0;
    if (PyObject_TypeCheck(value, state->stream_type))
        return stream_of_ours(out, keep, (bind_streamobject *) value);
    if (PyLong_Check(value) && !PyBool_Check(value))
        return bind_number(&handle, value, "CUstream") == 0 ? wrap(out, keep, state, handle, NULL)
                                                            : -1;
    if (handle_of_other(&handle, state, value) != 0)
        return -1;
    return wrap(out, keep, state, handle, value);
}

/* --- beginning and end --- */

static PyObject *stream_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "flags", (char *) "priority", NULL};
    PyObject *flags_value = NULL, *priority_value = NULL;
    unsigned flags = 0;
    int priority = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:Stream", names, &flags_value,
                                     &priority_value) ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0) ||
        (priority_value && bind_int(&priority, priority_value, "priority") != 0))
        return NULL;
    bind_streamobject *self = bind_new(type);
    if (self && bind_check(self->state, runcu_stream_create(&self->stream, flags, priority)) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

/* A default stream belongs to no context: it is the one of whatever context is current. */
static PyObject *stream_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_streamobject *self = bind_new((PyTypeObject *) type);
    if (!self)
        return NULL;
    int status = 0;
    if (handle <= PER_THREAD)
        self->special = handle;
    else
        status = bind_check(self->state, runcu_stream_wrap(&self->stream, handle));
    if (status != 0 || bind_own((PyObject *) self, owner) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static void close_stream(bind_streamobject *s)
{
    if (!s->stream || atomic_exchange(&s->is_closed, true))
        return;
    bind_capture_drop(s);
    Py_BEGIN_ALLOW_THREADS
    runcu_stream_close(s->stream);
    Py_END_ALLOW_THREADS
}

static PyObject *stream_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_streamobject *s = (bind_streamobject *) self;
    close_stream(s);
    if (bind_check(s->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static void stream_dealloc(PyObject *self)
{
    bind_streamobject *s = (bind_streamobject *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    bind_capture_drop(s);
    Py_BEGIN_ALLOW_THREADS
    runcu_stream_destroy(&s->stream);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* --- methods --- */

static PyObject *none_or_null(int status)
{
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *stream_synchronize(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_state *state = ((bind_streamobject *) self)->state;
    runcu_stream *stream;
    PyObject *keep;
    int status;
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_stream_synchronize(stream));
    bind_release_done();
    status = bind_check(state, status);
    Py_XDECREF(keep);
    return none_or_null(status);
}

static PyObject *stream_is_done(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_state *state = ((bind_streamobject *) self)->state;
    runcu_stream *stream;
    PyObject *keep;
    int done;
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    int status = bind_check(state, runcu_stream_is_done(&done, stream));
    Py_XDECREF(keep);
    return status ? NULL : PyBool_FromLong(done);
}

static PyObject *stream_wait_for_event(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "event", (char *) "external", NULL};
    bind_state *state = ((bind_streamobject *) self)->state;
    PyObject *event, *keep;
    runcu_stream *stream;
    int external = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$p:wait_for_event", names, &event, &external))
        return NULL;
    if (!PyObject_TypeCheck(event, state->event_type))
        return PyErr_Format(PyExc_TypeError, "an Event is expected, not %.200s",
                            Py_TYPE(event)->tp_name);
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    runcu_event *e = ((bind_event *) event)->event;
    int status;
    BIND_QUEUED(status, external ? runcu_stream_wait_event_external(stream, e)
                                 : runcu_stream_wait_event(stream, e));
    status = bind_check(state, status);
    Py_XDECREF(keep);
    return none_or_null(status);
}

static PyObject *stream_handle(PyObject *self, void *closure)
{
    (void) closure;
    bind_streamobject *s = (bind_streamobject *) self;
    if (atomic_load(&s->is_closed)) {
        bind_raise(s->state->logic_error, "the stream has been closed");
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(s->stream ? runcu_stream_handle(s->stream) : s->special);
}

static PyObject *stream_cuda_stream(PyObject *self, PyObject *unused)
{
    (void) unused;
    PyObject *handle = stream_handle(self, NULL);
    return handle ? Py_BuildValue("(iN)", 0, handle) : NULL;
}

static PyObject *stream_flags(PyObject *self, void *closure)
{
    (void) closure;
    bind_state *state = ((bind_streamobject *) self)->state;
    runcu_stream *stream;
    PyObject *keep;
    unsigned flags;
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    int status = bind_check(state, runcu_stream_flags(&flags, stream));
    Py_XDECREF(keep);
    return status ? NULL : PyLong_FromUnsignedLong(flags);
}

static PyObject *stream_priority(PyObject *self, void *closure)
{
    (void) closure;
    bind_state *state = ((bind_streamobject *) self)->state;
    runcu_stream *stream;
    PyObject *keep;
    int priority;
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    int status = bind_check(state, runcu_stream_priority(&priority, stream));
    Py_XDECREF(keep);
    return status ? NULL : PyLong_FromLong(priority);
}

static PyObject *stream_context(PyObject *self, void *closure)
{
    (void) closure;
    bind_state *state = ((bind_streamobject *) self)->state;
    runcu_stream *stream;
    runcu_context *context;
    PyObject *keep;
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    int status = bind_check(state, runcu_stream_context(&context, stream));
    Py_XDECREF(keep);
    return status ? NULL : bind_context_wrap(state, context);
}

static PyObject *stream_priority_range(PyObject *type, PyObject *unused)
{
    (void) unused;
    int least, greatest;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    if (!state || bind_check(state, runcu_context_priority_range(&least, &greatest)) != 0)
        return NULL;
    return Py_BuildValue("(ii)", least, greatest);
}

static PyMethodDef stream_methods[] = {
    {"synchronize", stream_synchronize, METH_NOARGS,
     "synchronize($self, /)\n--\n\nWaits until all its work so far is done."},
    {"is_done", stream_is_done, METH_NOARGS,
     "is_done($self, /)\n--\n\nTrue when all its work so far is done."},
    {"wait_for_event", (PyCFunction) (void (*)(void)) stream_wait_for_event,
     METH_VARARGS | METH_KEYWORDS,
     "wait_for_event($self, event, *, external=False)\n--\n\n"
     "Later work of the stream waits for the event.\n\n"
     "Parameters\n----------\n"
     "event : Event\n    What to wait for; one that was never recorded has happened.\n"
     "external : bool\n    While the stream is being captured: the graph waits for the event, each "
     "time it runs."},
    {"from_handle", (PyCFunction) (void (*)(void)) stream_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "A stream of another library.\n\n"
     "Parameters\n----------\n"
     "handle : int\n    A CUstream, which is never destroyed through this object; 1 is the legacy "
     "default stream, 2 each thread's own default stream.\n"
     "owner : object\n    Kept alive as long as this object."},
    {"add_callback", (PyCFunction) (void (*)(void)) bind_add_callback, METH_FASTCALL,
     "add_callback($self, function, /, *args)\n--\n\n"
     "Calls ``function(*args)`` once earlier work of the stream is done; later work waits for "
     "it.\n\n"
     "The call comes on a thread of the driver, once. Function and arguments are kept until it is "
     "over.\nIt must not use the device, nor wait for what does. What it raises is reported by "
     "sys.unraisablehook.\nAt the interpreter's end queued calls are waited for."},
    {"priority_range", stream_priority_range, METH_NOARGS | METH_CLASS,
     "priority_range($type, /)\n--\n\n"
     "The lowest and the highest priority of streams of the current context: (0, -5)."},
    {"begin_capture", (PyCFunction) (void (*)(void)) bind_begin_capture,
     METH_FASTCALL | METH_KEYWORDS,
     "begin_capture($self, mode='global')\n--\n\n"
     "From now on work given to the stream becomes nodes of a graph, until end_capture.\n\n"
     "`mode`: as in Graph.capture. Streams that wait for events of this one take part, and must be "
     "waited for before the end."},
    {"end_capture", bind_end_capture, METH_NOARGS,
     "end_capture($self, /)\n--\n\nEnds the capture: the Graph, which holds what its nodes use."},
    {"close", stream_close, METH_NOARGS,
     "close($self, /)\n--\n\nDestroys the stream; work in it goes on. Later uses fail. Default "
     "streams stay."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe stream itself."},
    {"__exit__", bind_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nCloses the stream; its work goes on."},
    {"__cuda_stream__", stream_cuda_stream, METH_NOARGS,
     "__cuda_stream__($self, /)\n--\n\nVersion of the protocol and the handle, for other "
     "libraries."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef stream_getset[] = {
    {"handle", stream_handle, NULL, "The CUstream as an int.", NULL},
    {"flags", stream_flags, NULL, "1 if it does not wait for the legacy default stream, else 0.",
     NULL},
    {"priority", stream_priority, NULL, "0, or a negative number for a higher one.", NULL},
    {"context", stream_context, NULL, "The Context it belongs to.", NULL},
    {"capture_status", bind_capture_status, NULL,
     "\"none\", \"active\", or \"lost\" where a call has been made that a capture forbids.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef stream_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc,
     (char *) "Stream(flags=0, priority=0)\n--\n\n"
              "A queue of work of the current context. A `with` block closes it at its end.\n\n"
              "Parameters\n----------\n"
              "flags : int\n    0, or 1 for a stream that does not wait for the default stream.\n"
              "priority : int\n    0, or a negative number for a higher one "
              "(priority_range)."},
    {Py_tp_new, stream_new},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_getset},
    {Py_tp_members, stream_members},
    {0, NULL},
};

PyType_Spec bind_stream_spec = {"runcu.driver.Stream", sizeof(bind_streamobject), 0, BIND_FLAGS,
                                stream_slots};

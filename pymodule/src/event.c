/* Event: a point in a stream's work. Times are milliseconds, as in PyCUDA. A destroyed event does
 * not wait for what it recorded. */
#include "core.h"

static PyObject *event_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "flags", NULL};
    PyObject *flags_value = NULL;
    unsigned flags = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Event", names, &flags_value) ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0))
        return NULL;
    bind_event *self = bind_new(type);
    if (self && bind_check(self->state, runcu_event_create(&self->event, flags)) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *event_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_event *self = bind_new((PyTypeObject *) type);
    if (self && (bind_check(self->state, runcu_event_wrap(&self->event, handle)) != 0 ||
                 bind_own((PyObject *) self, owner) != 0))
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *event_from_ipc_handle(PyObject *type, PyObject *value)
{
    unsigned char handle[RUNCU_IPC_HANDLE_BYTES];
    bind_event *self = bind_ipc_handle(handle, value) == 0 ? bind_new((PyTypeObject *) type) : NULL;
    if (self && bind_check(self->state, runcu_event_ipc_open(&self->event, handle)) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *event_ipc_handle(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_event *e = (bind_event *) self;
    unsigned char handle[RUNCU_IPC_HANDLE_BYTES];
    if (bind_check(e->state, runcu_event_ipc_handle(handle, e->event)) != 0)
        return NULL;
    return PyByteArray_FromStringAndSize((const char *) handle, sizeof handle);
}

static PyObject *event_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_event *e = (bind_event *) self;
    runcu_event_close(e->event);
    if (bind_check(e->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static void event_dealloc(PyObject *self)
{
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    runcu_event_destroy(&((bind_event *) self)->event);
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

static PyObject *event_record(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    static const struct bind_signature signature = {"record", 0, {"stream", "external", NULL}};
    bind_event *e = (bind_event *) self;
    PyObject *values[2], *keep;
    runcu_stream *stream;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    int external = values[1] ? PyObject_IsTrue(values[1]) : 0;
    if (external < 0 || bind_stream(&stream, &keep, e->state, values[0]) != 0)
        return NULL;
    int status;
    BIND_QUEUED(status, external ? runcu_event_record_external(e->event, stream)
                                 : runcu_event_record(e->event, stream));
    status = bind_check(e->state, status);
    Py_XDECREF(keep);
    return status ? NULL : Py_NewRef(self);
}

static PyObject *event_synchronize(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_event *e = (bind_event *) self;
    int status;
    BIND_UNLOCKED(status, runcu_event_synchronize(e->event));
    bind_release_done();
    if (bind_check(e->state, status) != 0)
        return NULL;
    return Py_NewRef(self);
}

static PyObject *event_query(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_event *e = (bind_event *) self;
    int done;
    if (bind_check(e->state, runcu_event_is_done(&done, e->event)) != 0)
        return NULL;
    return PyBool_FromLong(done);
}

static PyObject *elapsed(bind_state *state, PyObject *start, PyObject *end)
{
    float milliseconds;
    if (!PyObject_TypeCheck(start, state->event_type) ||
        !PyObject_TypeCheck(end, state->event_type))
        return PyErr_Format(PyExc_TypeError, "an Event is expected");
    if (bind_check(state, runcu_event_elapsed(&milliseconds, ((bind_event *) start)->event,
                                              ((bind_event *) end)->event)) != 0)
        return NULL;
    return PyFloat_FromDouble((double) milliseconds);
}

static PyObject *event_time_since(PyObject *self, PyObject *other)
{
    return elapsed(((bind_event *) self)->state, other, self);
}

static PyObject *event_time_till(PyObject *self, PyObject *other)
{
    return elapsed(((bind_event *) self)->state, self, other);
}

static PyObject *event_handle(PyObject *self, void *closure)
{
    (void) closure;
    bind_event *e = (bind_event *) self;
    uint64_t handle = runcu_event_handle(e->event);
    if (!handle) {
        bind_raise(e->state->logic_error, "the event has been closed");
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(handle);
}

static PyMethodDef event_methods[] = {
    {"record", (PyCFunction) (void (*)(void)) event_record, METH_FASTCALL | METH_KEYWORDS,
     "record($self, stream=None, external=False)\n--\n\n"
     "Happens once the stream's work so far is done. Returns itself.\n\n"
     "Parameters\n----------\n"
     "stream : Stream, optional\n    By default the legacy default stream.\n"
     "external : bool\n    While the stream is being captured: the graph records the event, each "
     "time it runs."},
    {"synchronize", event_synchronize, METH_NOARGS,
     "synchronize($self, /)\n--\n\nWaits until it has happened. Returns itself."},
    {"query", event_query, METH_NOARGS, "query($self, /)\n--\n\nTrue when it has happened."},
    {"time_since", event_time_since, METH_O,
     "time_since($self, event, /)\n--\n\nMilliseconds from the other event to this one."},
    {"time_till", event_time_till, METH_O,
     "time_till($self, event, /)\n--\n\nMilliseconds from this event to the other one."},
    {"ipc_handle", event_ipc_handle, METH_NOARGS,
     "ipc_handle($self, /)\n--\n\n"
     "What another process of the machine needs to open the event (from_ipc_handle): a bytearray. "
     "The event needs the flags INTERPROCESS and DISABLE_TIMING."},
    {"from_ipc_handle", event_from_ipc_handle, METH_O | METH_CLASS,
     "from_ipc_handle($type, handle, /)\n--\n\n"
     "Another process's event, by the bytes of its ipc_handle()."},
    {"from_handle", (PyCFunction) (void (*)(void)) event_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "An event of another library, of the current context.\n\n"
     "Parameters\n----------\n"
     "handle : int\n    A CUevent, which is never destroyed through this object.\n"
     "owner : object\n    Kept alive as long as this object."},
    {"close", event_close, METH_NOARGS,
     "close($self, /)\n--\n\nDestroys the event. Later uses fail; streams that wait for it still "
     "do."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe event itself."},
    {"__exit__", bind_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses the event."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef event_getset[] = {
    {"handle", event_handle, NULL, "The CUevent as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef event_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot event_slots[] = {
    {Py_tp_doc, (char *) "Event(flags=0)\n--\n\nA point in a stream's work. `flags`: of "
                         "event_flags; 0 measures time. A `with` block closes it at its end."},
    {Py_tp_new, event_new},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, event_methods},
    {Py_tp_getset, event_getset},
    {Py_tp_members, event_members},
    {0, NULL},
};

PyType_Spec bind_event_spec = {"runcu.driver.Event", sizeof(bind_event), 0, BIND_FLAGS,
                               event_slots};

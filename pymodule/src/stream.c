/* Stream: a queue of work, ours or one wrapped for another library. Work and waiting are elsewhere:
 * launch.c, copy.c. */
#include "core.h"

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

static PyObject *stream_from_handle(PyObject *type, PyObject *value)
{
    uint64_t handle = PyLong_Check(value) ? PyLong_AsUnsignedLongLong(value) : 0;
    if (PyErr_Occurred())
        return NULL;
    if (!PyLong_Check(value))
        return PyErr_Format(PyExc_TypeError, "a CUstream as an int is expected, not %.200s",
                            Py_TYPE(value)->tp_name);
    bind_streamobject *self = bind_new((PyTypeObject *) type);
    if (self && bind_check(self->state, runcu_stream_wrap(&self->stream, handle)) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static void stream_dealloc(PyObject *self)
{
    bind_streamobject *s = (bind_streamobject *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    Py_BEGIN_ALLOW_THREADS
    runcu_stream_destroy(&s->stream);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

static PyObject *stream_synchronize(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_streamobject *s = (bind_streamobject *) self;
    int status;
    BIND_UNLOCKED(status, runcu_stream_synchronize(s->stream));
    bind_release_done();
    if (bind_check(s->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *stream_is_done(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_streamobject *s = (bind_streamobject *) self;
    int done;
    if (bind_check(s->state, runcu_stream_is_done(&done, s->stream)) != 0)
        return NULL;
    return PyBool_FromLong(done);
}

static PyObject *stream_wait_for_event(PyObject *self, PyObject *event)
{
    bind_streamobject *s = (bind_streamobject *) self;
    if (!PyObject_TypeCheck(event, s->state->event_type))
        return PyErr_Format(PyExc_TypeError, "an Event is expected, not %.200s",
                            Py_TYPE(event)->tp_name);
    if (bind_check(s->state, runcu_stream_wait_event(s->stream, ((bind_event *) event)->event)) !=
        0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *stream_cuda_stream(PyObject *self, PyObject *unused)
{
    (void) unused;
    return Py_BuildValue(
        "(iK)", 0, (unsigned long long) runcu_stream_handle(((bind_streamobject *) self)->stream));
}

static PyObject *stream_handle(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromUnsignedLongLong(runcu_stream_handle(((bind_streamobject *) self)->stream));
}

static PyMethodDef stream_methods[] = {
    {"synchronize", stream_synchronize, METH_NOARGS,
     "synchronize($self, /)\n--\n\nWaits until all its work so far is done."},
    {"is_done", stream_is_done, METH_NOARGS,
     "is_done($self, /)\n--\n\nTrue when all its work so far is done."},
    {"wait_for_event", stream_wait_for_event, METH_O,
     "wait_for_event($self, event, /)\n--\n\nLater work of the stream waits for the event."},
    {"from_handle", stream_from_handle, METH_O | METH_CLASS,
     "from_handle($type, handle, /)\n--\n\nA stream of another library (a CUstream); it is never "
     "destroyed through this object."},
    {"__cuda_stream__", stream_cuda_stream, METH_NOARGS,
     "__cuda_stream__($self, /)\n--\n\nVersion of the protocol and the handle, for other "
     "libraries."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef stream_getset[] = {
    {"handle", stream_handle, NULL, "The CUstream as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef stream_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc,
     (char *) "Stream(flags=0, priority=0)\n--\n\n"
              "A queue of work of the current context.\n\n"
              "Parameters\n----------\n"
              "flags : int\n    0, or 1 for a stream that does not wait for the default stream.\n"
              "priority : int\n    0, or a negative number for a higher one."},
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

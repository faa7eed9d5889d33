/* Captures of streams: Stream.begin_capture and end_capture, `with Graph.capture(stream)`. What
 * captured work uses is noted, and becomes the graph's to hold. */
#include "graph.h"

atomic_int bind_capture_count;

/* --- what captured work uses --- */

/* The list of the capture that the stream is in, borrowed; NULL: none, or with an exception. */
static PyObject *list_of(bind_state *state, runcu_stream *stream)
{
    int status;
    uint64_t id;
    if (runcu_stream_capture_status(&status, &id, stream) != 0 || status != RUNCU_CAPTURE_ACTIVE)
        return NULL;
    PyObject *key = PyLong_FromUnsignedLongLong(id);
    PyObject *list = key ? PyDict_GetItemWithError(state->captures, key) : NULL;
    Py_XDECREF(key);
    return list;
}

int bind_capture_hold(bind_state *state, runcu_stream *stream, PyObject *const *values,
                      Py_ssize_t count)
{
    if (!atomic_load_explicit(&bind_capture_count, memory_order_relaxed))
        return 0;
    PyObject *list = list_of(state, stream);
    for (Py_ssize_t i = 0; list && i < count; i++)
        if (values[i] && PyList_Append(list, values[i]) != 0)
            return -1;
    return PyErr_Occurred() ? -1 : 0;
}

int bind_capture_buffer(bind_state *state, struct bind_buffer *buffer, runcu_stream *stream)
{
    if (!atomic_load_explicit(&bind_capture_count, memory_order_relaxed))
        return 0;
    PyObject *list = list_of(state, stream);
    if (!list)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *kept = buffer->owner      ? Py_NewRef(buffer->owner)
                     : buffer->view.obj ? PyMemoryView_FromObject(buffer->view.obj)
                                        : Py_NewRef(Py_None);
    int status = kept ? PyList_Append(list, kept) : -1;
    Py_XDECREF(kept);
    if (status == 0)
        bind_buffer_release(buffer);
    return status ? -1 : 1;
}

/* --- beginning and end --- */

static int read_mode(enum runcu_capture_mode *out, PyObject *value)
{
    static const char *const names[] = {"global", "thread_local", "relaxed"};
    *out = RUNCU_CAPTURE_GLOBAL;
    if (!value)
        return 0;
    if (!PyUnicode_Check(value))
        return bind_raise(PyExc_TypeError, "mode must be a str, not %.200s",
                          Py_TYPE(value)->tp_name);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (PyUnicode_CompareWithASCIIString(value, names[i]) == 0) {
            *out = (enum runcu_capture_mode) i;
            return 0;
        }
    return bind_raise(PyExc_ValueError,
                      "mode must be 'global', 'thread_local' or 'relaxed', not %R", value);
}

/* A list for what the capture uses, under its number. */
static int note_capture(bind_streamobject *s, runcu_stream *stream)
{
    int status;
    uint64_t id;
    if (bind_check(s->state, runcu_stream_capture_status(&status, &id, stream)) != 0)
        return -1;
    PyObject *key = PyLong_FromUnsignedLongLong(id), *list = PyList_New(0);
    int done = key && list ? PyDict_SetItem(s->state->captures, key, list) : -1;
    Py_XDECREF(list);
    Py_XSETREF(s->capture, key);
    if (done == 0) {
        atomic_fetch_add(&bind_capture_count, 1);
        atomic_fetch_add(&bind_callback_count, 1);
    }
    return done;
}

static int begin(bind_streamobject *s, PyObject *mode_value)
{
    enum runcu_capture_mode mode;
    runcu_stream *stream;
    runcu_graph *lost = NULL;
    PyObject *keep;
    if (read_mode(&mode, mode_value) != 0 ||
        bind_stream(&stream, &keep, s->state, (PyObject *) s) != 0)
        return -1;
    int status = bind_check(s->state, runcu_stream_begin_capture(stream, mode));
    if (status == 0 && (status = note_capture(s, stream)) != 0) {
        runcu_stream_end_capture(&lost, stream);
        runcu_graph_destroy(&lost);
    }
    Py_XDECREF(keep);
    return status;
}

/* What the capture used; a new reference, or NULL without an exception. */
static PyObject *take_list(bind_streamobject *s)
{
    PyObject *key = s->capture, *list = NULL;
    s->capture = NULL;
    if (!key)
        return NULL;
    list = Py_XNewRef(PyDict_GetItemWithError(s->state->captures, key));
    if (list && PyDict_DelItem(s->state->captures, key) != 0)
        PyErr_Clear();
    Py_DECREF(key);
    if (list) {
        atomic_fetch_sub(&bind_capture_count, 1);
        atomic_fetch_sub(&bind_callback_count, 1);
    }
    return list;
}

void bind_capture_drop(bind_streamobject *s)
{
    PyObject *list = take_list(s);
    Py_XDECREF(list);
}

/* 0 and the graph with a list of what it uses, or -1 with an exception. */
static int end(runcu_graph **out, PyObject **holds, bind_streamobject *s)
{
    runcu_stream *stream;
    PyObject *keep;
    *holds = NULL;
    if (bind_stream(&stream, &keep, s->state, (PyObject *) s) != 0)
        return -1;
    int status = bind_check(s->state, runcu_stream_end_capture(out, stream));
    int is_over = RUNCU_CAPTURE_NONE;
    if (status == 0 || runcu_stream_capture_status(&is_over, NULL, stream) != 0 ||
        is_over == RUNCU_CAPTURE_NONE) {
        PyObject *list = take_list(s);
        if (status == 0 &&
            (!(*holds = PyDict_New()) || (list && PyDict_SetItem(*holds, Py_None, list) != 0))) {
            runcu_graph_destroy(out);
            Py_CLEAR(*holds);
            status = -1;
        }
        Py_XDECREF(list);
    }
    Py_XDECREF(keep);
    return status;
}

PyObject *bind_begin_capture(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {"begin_capture", 0, {"mode", NULL}};
    PyObject *values[1];
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        begin((bind_streamobject *) self, values[0]) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bind_end_capture(PyObject *self, PyObject *unused)
{
    (void) unused;
    runcu_graph *graph;
    PyObject *holds;
    if (end(&graph, &holds, (bind_streamobject *) self) != 0)
        return NULL;
    PyObject *out = bind_graph_wrap(((bind_object *) self)->state, graph, holds);
    Py_DECREF(holds);
    return out;
}

PyObject *bind_capture_status(PyObject *self, void *closure)
{
    (void) closure;
    static const char *const names[] = {"none", "active", "lost"};
    bind_state *state = ((bind_object *) self)->state;
    runcu_stream *stream;
    PyObject *keep;
    int status;
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    int failed = bind_check(state, runcu_stream_capture_status(&status, NULL, stream));
    Py_XDECREF(keep);
    return failed ? NULL : PyUnicode_FromString(names[status % 3]);
}

/* --- with Graph.capture(stream) --- */

typedef struct bind_graph_capture {
    BIND_HEAD
    PyObject *stream, *mode, *graph;
} bind_graph_capture;

PyObject *bind_graph_capture_new(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    static const struct bind_signature signature = {"capture", 1, {"stream", "mode", NULL}};
    PyObject *values[2];
    enum runcu_capture_mode mode;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    if (!state || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_mode(&mode, values[1]) != 0)
        return NULL;
    if (!PyObject_TypeCheck(values[0], state->stream_type))
        return PyErr_Format(PyExc_TypeError, "a Stream is expected, not %.200s",
                            Py_TYPE(values[0])->tp_name);
    bind_graph_capture *self = bind_new(state->graph_capture_type);
    if (self) {
        self->stream = Py_NewRef(values[0]);
        self->mode = Py_XNewRef(values[1]);
    }
    return (PyObject *) self;
}

static PyObject *capture_enter(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_graph_capture *c = (bind_graph_capture *) self;
    if (c->graph)
        return PyErr_Format(PyExc_RuntimeError, "Graph.capture() is entered once");
    PyObject *graph = bind_graph_wrap(c->state, NULL, NULL);
    if (!graph || begin((bind_streamobject *) c->stream, c->mode) != 0) {
        Py_XDECREF(graph);
        return NULL;
    }
    c->graph = Py_NewRef(graph);
    return graph;
}

/* An exception in the block counts, whatever the end of the capture says. */
static PyObject *capture_exit(PyObject *self, PyObject *args)
{
    bind_graph_capture *c = (bind_graph_capture *) self;
    bind_graph *g = (bind_graph *) c->graph;
    runcu_graph *graph;
    PyObject *holds;
    if (!g || g->graph)
        return PyErr_Format(PyExc_RuntimeError, "Graph.capture() was not entered");
    bool has_raised = PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) != Py_None;
    int status = end(&graph, &holds, (bind_streamobject *) c->stream);
    if (status != 0 && has_raised)
        PyErr_Clear();
    else if (status != 0)
        return NULL;
    if (status == 0) {
        Py_XSETREF(g->holds, holds);
        g->graph = graph;
    }
    Py_RETURN_FALSE;
}

static int capture_traverse(PyObject *self, visitproc visit, void *arg)
{
    bind_graph_capture *c = (bind_graph_capture *) self;
    Py_VISIT(c->stream);
    Py_VISIT(c->graph);
    return bind_traverse(self, visit, arg);
}

static void capture_dealloc(PyObject *self)
{
    bind_graph_capture *c = (bind_graph_capture *) self;
    bind_begin_dealloc(self);
    Py_CLEAR(c->stream);
    Py_CLEAR(c->mode);
    Py_CLEAR(c->graph);
    bind_end_dealloc(self);
}

static PyMethodDef capture_methods[] = {
    {"__enter__", capture_enter, METH_NOARGS,
     "__enter__($self, /)\n--\n\nBegins the capture; gives the Graph that it will become."},
    {"__exit__", capture_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nEnds the capture."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef capture_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot capture_slots[] = {
    {Py_tp_doc, (char *) "A capture for a `with` block: what Graph.capture gives."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, capture_dealloc},
    {Py_tp_traverse, capture_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, capture_methods},
    {Py_tp_members, capture_members},
    {0, NULL},
};

PyType_Spec bind_graph_capture_spec = {"runcu.driver.GraphCapture", sizeof(bind_graph_capture), 0,
                                       BIND_FLAGS, capture_slots};

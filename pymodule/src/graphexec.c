/* GraphExec: a graph that can be launched. It holds what its nodes use, and what a launch in flight
 * uses is let go when that is over. */
#include "graph.h"

/* The stream of the last launch has been closed, and nothing can be recorded there: its context is
 * waited for. */
static bool has_lost_stream(bind_graph_exec *e)
{
    runcu_context *context;
    bind_streamobject *s = (bind_streamobject *) e->stream;
    if (!s || !atomic_load(&s->is_closed) || runcu_stream_context(&context, e->last) != 0)
        return false;
    Py_BEGIN_ALLOW_THREADS
    runcu_context_synchronize(context); /* a failure is told by whoever waits next */
    runcu_context_release(&context);
    Py_END_ALLOW_THREADS
    return true;
}

/* What is held goes, once the last launch is over. Takes the reference. */
static void let_go(bind_graph_exec *e, PyObject *holds)
{
    if (!holds || !e->is_launched || has_lost_stream(e)) {
        Py_XDECREF(holds);
        return;
    }
    struct bind_buffer buffer = {.owner = holds};
    if (bind_hold_buffer(e->state, &buffer, e->last) != 0)
        PyErr_Clear();
}

PyObject *bind_graph_instantiate(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_graph *g = (bind_graph *) self;
    runcu_graph_exec *exec;
    int status;
    if (!bind_graph_get(g))
        return NULL;
    BIND_UNLOCKED(status, runcu_graph_instantiate(&exec, g->graph));
    if (bind_check(g->state, status) != 0)
        return NULL;
    bind_graph_exec *out = bind_new(g->state->graph_exec_type);
    if (!out) {
        runcu_graph_exec_destroy(&exec);
        return NULL;
    }
    out->exec = exec;
    out->graph = Py_NewRef(self);
    out->holds = PyDict_Copy(g->holds);
    if (!out->holds)
        Py_CLEAR(out);
    return (PyObject *) out;
}

static PyObject *exec_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_graph_exec *self = bind_new((PyTypeObject *) type);
    if (self && (bind_check(self->state, runcu_graph_exec_wrap(&self->exec, handle)) != 0 ||
                 bind_own((PyObject *) self, owner) != 0 || !(self->holds = PyDict_New())))
        Py_CLEAR(self);
    return (PyObject *) self;
}

/* Nothing of it is needed any more. */
static void drop(bind_graph_exec *e)
{
    PyObject *holds = e->holds;
    e->holds = NULL;
    let_go(e, holds);
    e->is_launched = false;
    e->last = NULL;
    Py_CLEAR(e->stream);
    Py_CLEAR(e->graph);
}

static PyObject *exec_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_graph_exec *e = (bind_graph_exec *) self;
    Py_BEGIN_ALLOW_THREADS
    runcu_graph_exec_close(e->exec);
    Py_END_ALLOW_THREADS
    drop(e);
    if (bind_check(e->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static int exec_traverse(PyObject *self, visitproc visit, void *arg)
{
    bind_graph_exec *e = (bind_graph_exec *) self;
    Py_VISIT(e->graph);
    Py_VISIT(e->holds);
    Py_VISIT(e->stream);
    return bind_traverse(self, visit, arg);
}

static void exec_dealloc(PyObject *self)
{
    bind_graph_exec *e = (bind_graph_exec *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    drop(e);
    Py_BEGIN_ALLOW_THREADS
    runcu_graph_exec_destroy(&e->exec);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* --- launches --- */

static PyObject *exec_launch(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {"launch", 0, {"stream", NULL}};
    bind_graph_exec *e = (bind_graph_exec *) self;
    PyObject *values[1], *keep;
    runcu_stream *stream;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_stream(&stream, &keep, e->state, values[0]) != 0)
        return NULL;
    BIND_QUEUED(status, runcu_graph_launch(e->exec, stream));
    status = bind_check(e->state, status);
    if (status == 0)
        status = bind_capture_hold(e->state, stream, &self, 1);
    if (status != 0) {
        Py_XDECREF(keep);
        return NULL;
    }
    Py_XSETREF(e->stream, keep);
    e->last = stream;
    e->is_launched = true;
    Py_RETURN_NONE;
}

static PyObject *exec_upload(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {"upload", 0, {"stream", NULL}};
    bind_graph_exec *e = (bind_graph_exec *) self;
    PyObject *values[1], *keep;
    runcu_stream *stream;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_stream(&stream, &keep, e->state, values[0]) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_graph_upload(e->exec, stream));
    status = bind_check(e->state, status);
    Py_XDECREF(keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- changes --- */

static PyObject *exec_update(PyObject *self, PyObject *graph)
{
    bind_graph_exec *e = (bind_graph_exec *) self;
    int status;
    if (!PyObject_TypeCheck(graph, e->state->graph_type))
        return PyErr_Format(PyExc_TypeError, "a Graph is expected, not %.200s",
                            Py_TYPE(graph)->tp_name);
    bind_graph *g = (bind_graph *) graph;
    PyObject *holds = bind_graph_get(g) ? PyDict_Copy(g->holds) : NULL;
    if (!holds)
        return NULL;
    BIND_UNLOCKED(status, runcu_graph_exec_update(e->exec, g->graph));
    if (bind_check(e->state, status) != 0) {
        Py_DECREF(holds);
        return NULL;
    }
    PyObject *old = e->holds;
    e->holds = holds;
    let_go(e, old);
    Py_RETURN_NONE;
}

/* A node of the graph that this one was made of. */
static runcu_node *get_node(bind_graph_exec *e, PyObject *value)
{
    if (!e->graph) {
        bind_raise(e->state->logic_error, "it is not known of which graph this one was made");
        return NULL;
    }
    runcu_node *node = bind_node_get(e->graph, value);
    if (node && !runcu_graph_handle(((bind_graph *) e->graph)->graph))
        bind_raise(e->state->logic_error, "the node's graph has been closed");
    return PyErr_Occurred() ? NULL : node;
}

/* The node uses `hold` (taken) from now on. */
static PyObject *changed(bind_graph_exec *e, runcu_node *node, PyObject *hold)
{
    PyObject *key = PyLong_FromVoidPtr(node);
    PyObject *old = key && e->holds ? PyDict_GetItemWithError(e->holds, key) : NULL; /* borrowed */
    Py_XINCREF(old);
    int status = key && e->holds && !PyErr_Occurred() ? PyDict_SetItem(e->holds, key, hold) : -1;
    let_go(e, old);
    Py_XDECREF(key);
    Py_DECREF(hold);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

struct setting {
    bind_graph_exec *exec;
    runcu_node *node;
};

static int set_kernel(void *user, const runcu_kernel_call *call)
{
    struct setting *s = user;
    int status;
    BIND_UNLOCKED(status, runcu_graph_exec_set_kernel(s->exec->exec, s->node, call));
    return bind_check(s->exec->state, status);
}

static PyObject *exec_set_kernel(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    bind_graph_exec *e = (bind_graph_exec *) self;
    PyObject *after = NULL;
    if (nargs < 1)
        return PyErr_Format(PyExc_TypeError, "set_kernel() needs a node and a function");
    struct setting s = {e, get_node(e, args[0])};
    if (!s.node ||
        bind_kernel_call(&after, e->state, &(struct bind_call){args + 1, nargs - 1, kwnames},
                         set_kernel, &s) != 0)
        return NULL;
    PyObject *hold = PyTuple_New(nargs - 1);
    for (Py_ssize_t i = 1; hold && i < nargs; i++)
        PyTuple_SET_ITEM(hold, i - 1, Py_NewRef(args[i]));
    return hold ? changed(e, s.node, hold) : NULL;
}

static PyObject *exec_set_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "set_copy", 3, {"node", "dest", "src", "size", NULL}};
    bind_graph_exec *e = (bind_graph_exec *) self;
    PyObject *values[4], *hold;
    runcu_box box;
    runcu_node *node;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        !(node = get_node(e, values[0])) || bind_copy_box(&box, &hold, e->state, values + 1) != 0)
        return NULL;
    if (bind_check(e->state, runcu_graph_exec_set_copy(e->exec, node, &box)) != 0) {
        Py_DECREF(hold);
        return NULL;
    }
    return changed(e, node, hold);
}

static PyObject *exec_set_memset(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "set_memset", 4, {"node", "dest", "data", "count", "width", "rows", "pitch", NULL}};
    bind_graph_exec *e = (bind_graph_exec *) self;
    PyObject *values[7];
    runcu_fill fill;
    runcu_node *node;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        !(node = get_node(e, values[0])) || bind_fill_of(&fill, e->state, values + 1) != 0 ||
        bind_check(e->state, runcu_graph_exec_set_fill(e->exec, node, &fill)) != 0)
        return NULL;
    return changed(e, node, Py_NewRef(values[1]));
}

static PyObject *exec_set_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    bind_graph_exec *e = (bind_graph_exec *) self;
    runcu_host_call call;
    if (nargs < 1)
        return PyErr_Format(PyExc_TypeError, "set_callback() needs a node and a function");
    runcu_node *node = get_node(e, args[0]);
    PyObject *hold = node ? bind_callback_keep(&call, e->state, args + 1, nargs - 1) : NULL;
    if (!hold)
        return NULL;
    if (bind_check(e->state, runcu_graph_exec_set_host_call(e->exec, node, &call)) != 0) {
        Py_DECREF(hold);
        return NULL;
    }
    return changed(e, node, hold);
}

static PyObject *exec_handle(PyObject *self, void *closure)
{
    (void) closure;
    bind_graph_exec *e = (bind_graph_exec *) self;
    uint64_t handle = runcu_graph_exec_handle(e->exec);
    if (!handle) {
        bind_raise(e->state->logic_error, "the graph has been closed");
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(handle);
}

/* --- tables --- */

#define FAST(name) (PyCFunction)(void (*)(void)) name

static PyMethodDef exec_methods[] = {
    {"launch", FAST(exec_launch), METH_FASTCALL | METH_KEYWORDS,
     "launch($self, stream=None)\n--\n\n"
     "Launches the graph as one piece of work of the stream. Launches of one graph come after each "
     "other."},
    {"upload", FAST(exec_upload), METH_FASTCALL | METH_KEYWORDS,
     "upload($self, stream=None)\n--\n\nPrepares the first launch."},
    {"update", exec_update, METH_O,
     "update($self, graph, /)\n--\n\n"
     "Later launches do what the other graph's nodes do, which must be as many, of the same kinds, "
     "with the same edges."},
    {"set_kernel", FAST(exec_set_kernel), METH_FASTCALL | METH_KEYWORDS,
     "set_kernel($self, node, function, /, *args, block=None, grid=(1, 1, 1), shared=0, "
     "threads=None, strict=False)\n--\n\n"
     "Changes what a kernel's node does in later launches; `node` is of the graph it was made "
     "of."},
    {"set_copy", FAST(exec_set_copy), METH_FASTCALL | METH_KEYWORDS,
     "set_copy($self, node, dest, src, size=None)\n--\n\nLikewise, a copy."},
    {"set_memset", FAST(exec_set_memset), METH_FASTCALL | METH_KEYWORDS,
     "set_memset($self, node, dest, data, count, width=1, rows=1, pitch=0)\n--\n\n"
     "Likewise, a memset."},
    {"set_callback", FAST(exec_set_callback), METH_FASTCALL,
     "set_callback($self, node, function, /, *args)\n--\n\nLikewise, a callback."},
    {"from_handle", FAST(exec_from_handle), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "A launchable graph of another library (a CUgraphExec), never destroyed through this object; "
     "`owner` is kept alive."},
    {"close", exec_close, METH_NOARGS,
     "close($self, /)\n--\n\nDestroys the launchable graph; what has been launched goes on."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe object itself."},
    {"__exit__", bind_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef exec_getset[] = {
    {"handle", exec_handle, NULL, "The CUgraphExec as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef exec_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot exec_slots[] = {
    {Py_tp_doc, (char *) "A graph that can be launched: what Graph.instantiate gives. A `with` "
                         "block closes it at its end."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, exec_dealloc},
    {Py_tp_traverse, exec_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, exec_methods},
    {Py_tp_getset, exec_getset},
    {Py_tp_members, exec_members},
    {0, NULL},
};

PyType_Spec bind_graph_exec_spec = {"runcu.driver.GraphExec", sizeof(bind_graph_exec), 0,
                                    BIND_FLAGS, exec_slots};

/* Graph: work laid down once. A graph holds what its nodes use. Not here: nodes (graphnode.c),
 * launches (graphexec.c), captures (capture.c). */
#include "graph.h"

/* --- objects --- */

PyObject *bind_graph_wrap(bind_state *state, runcu_graph *graph, PyObject *holds)
{
    bind_graph *self = bind_new(state->graph_type);
    if (self) {
        self->graph = graph;
        self->holds = holds ? Py_NewRef(holds) : PyDict_New();
        self->nodes = PyDict_New();
        if (!self->holds || !self->nodes)
            Py_CLEAR(self);
    } else {
        runcu_graph_destroy(&graph);
    }
    return (PyObject *) self;
}

runcu_graph *bind_graph_get(bind_graph *self)
{
    if (!self->graph)
        bind_raise(self->state->logic_error, "the graph is still being captured, or its capture "
                                             "was lost");
    return self->graph;
}

static PyObject *graph_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    runcu_graph *graph;
    int status;
    bind_state *state = bind_state_of(type);
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, ":Graph", names))
        return NULL;
    BIND_UNLOCKED(status, runcu_graph_create(&graph));
    if (bind_check(state, status) != 0)
        return NULL;
    return bind_graph_wrap(state, graph, NULL);
}

static PyObject *graph_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    runcu_graph *graph;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    if (!state || bind_handle(&handle, &owner, args, nargs, kwnames) != 0 ||
        bind_check(state, runcu_graph_wrap(&graph, handle)) != 0)
        return NULL;
    PyObject *self = bind_graph_wrap(state, graph, NULL);
    if (self && bind_own(self, owner) != 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *graph_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_graph *g = (bind_graph *) self;
    runcu_graph_close(g->graph);
    if (g->holds)
        PyDict_Clear(g->holds);
    if (bind_check(g->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static int graph_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_graph *) self)->holds);
    Py_VISIT(((bind_graph *) self)->nodes);
    return bind_traverse(self, visit, arg);
}

static int graph_clear(PyObject *self)
{
    Py_CLEAR(((bind_graph *) self)->holds);
    return bind_clear(self);
}

static void graph_dealloc(PyObject *self)
{
    bind_graph *g = (bind_graph *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    runcu_graph_destroy(&g->graph);
    Py_CLEAR(g->holds);
    Py_CLEAR(g->nodes);
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* --- what is asked --- */

static int ask_nodes(runcu_node **out, size_t *count, runcu_graph *graph, runcu_node *node)
{
    (void) node;
    return runcu_graph_nodes(out, count, graph);
}

PyObject *bind_nodes_list(bind_graph *g, bind_list_fn *ask, runcu_node *node)
{
    size_t count = 0;
    if (!bind_graph_get(g) || bind_check(g->state, ask(NULL, &count, g->graph, node)) != 0)
        return NULL;
    runcu_node **nodes = PyMem_Calloc(count + 1, sizeof *nodes);
    if (!nodes)
        return PyErr_NoMemory();
    PyObject *out = NULL;
    if (bind_check(g->state, ask(nodes, &count, g->graph, node)) == 0)
        out = PyList_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *item = bind_node_object(g, nodes[i]);
        if (item)
            PyList_SET_ITEM(out, (Py_ssize_t) i, item);
        else
            Py_CLEAR(out);
    }
    PyMem_Free(nodes);
    return out;
}

static PyObject *graph_nodes(PyObject *self, void *closure)
{
    (void) closure;
    return bind_nodes_list((bind_graph *) self, ask_nodes, NULL);
}

static PyObject *pair_of(bind_graph *g, runcu_node *from, runcu_node *to)
{
    PyObject *a = bind_node_object(g, from), *b = a ? bind_node_object(g, to) : NULL;
    PyObject *out = b ? PyTuple_Pack(2, a, b) : NULL;
    Py_XDECREF(a);
    Py_XDECREF(b);
    return out;
}

static PyObject *graph_edges(PyObject *self, void *closure)
{
    (void) closure;
    bind_graph *g = (bind_graph *) self;
    size_t count = 0;
    if (!bind_graph_get(g) ||
        bind_check(g->state, runcu_graph_edges(NULL, NULL, &count, g->graph)) != 0)
        return NULL;
    runcu_node **nodes = PyMem_Calloc(2 * count + 1, sizeof *nodes);
    if (!nodes)
        return PyErr_NoMemory();
    PyObject *out = NULL;
    if (bind_check(g->state, runcu_graph_edges(nodes, nodes + count, &count, g->graph)) == 0)
        out = PyList_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *item = pair_of(g, nodes[i], nodes[count + i]);
        if (item)
            PyList_SET_ITEM(out, (Py_ssize_t) i, item);
        else
            Py_CLEAR(out);
    }
    PyMem_Free(nodes);
    return out;
}

typedef int edge_fn(runcu_graph *graph, runcu_node *const *from, runcu_node *const *to,
                    size_t count);

static PyObject *change_edge(PyObject *self, const struct bind_signature *signature,
                             edge_fn *change, PyObject *const *args, Py_ssize_t nargs)
{
    bind_graph *g = (bind_graph *) self;
    PyObject *values[2];
    runcu_node *from, *to;
    if (!bind_graph_get(g) || bind_parse(values, signature, args, nargs, NULL) != 0 ||
        !(from = bind_node_get(self, values[0])) || !(to = bind_node_get(self, values[1])) ||
        bind_check(g->state, change(g->graph, &from, &to, 1)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *graph_add_edge(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    static const struct bind_signature signature = {"add_edge", 2, {"before", "node", NULL}};
    return change_edge(self, &signature, runcu_graph_add_edges, args, nargs);
}

static PyObject *graph_remove_edge(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    static const struct bind_signature signature = {"remove_edge", 2, {"before", "node", NULL}};
    return change_edge(self, &signature, runcu_graph_remove_edges, args, nargs);
}

static PyObject *graph_clone(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_graph *g = (bind_graph *) self;
    runcu_graph *copy;
    if (!bind_graph_get(g) || bind_check(g->state, runcu_graph_clone(&copy, g->graph)) != 0)
        return NULL;
    PyObject *holds = PyDict_New(), *all = holds ? PyDict_Values(g->holds) : NULL;
    PyObject *out = NULL;
    if (all && PyDict_SetItem(holds, Py_None, all) == 0)
        out = bind_graph_wrap(g->state, copy, holds);
    else
        runcu_graph_destroy(&copy);
    Py_XDECREF(all);
    Py_XDECREF(holds);
    return out;
}

static PyObject *graph_print_dot(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    static const struct bind_signature signature = {"print_dot", 1, {"path", "verbose", NULL}};
    bind_graph *g = (bind_graph *) self;
    PyObject *values[2], *path;
    int status;
    if (!bind_graph_get(g) || bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    int verbose = values[1] ? PyObject_IsTrue(values[1]) : 0;
    if (verbose < 0 || !PyUnicode_FSConverter(values[0], &path))
        return NULL;
    const char *text = PyBytes_AS_STRING(path);
    BIND_UNLOCKED(status, runcu_graph_print_dot(g->graph, text, verbose));
    Py_DECREF(path);
    if (bind_check(g->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *graph_handle(PyObject *self, void *closure)
{
    (void) closure;
    bind_graph *g = (bind_graph *) self;
    runcu_graph *graph = bind_graph_get(g);
    if (graph && !runcu_graph_handle(graph))
        bind_raise(g->state->logic_error, "the graph has been closed");
    return PyErr_Occurred() ? NULL : PyLong_FromUnsignedLongLong(runcu_graph_handle(graph));
}

/* --- tables --- */

#define FAST(name) (PyCFunction)(void (*)(void)) name

static PyMethodDef graph_methods[] = {
    {"add_kernel", FAST(bind_graph_add_kernel), METH_FASTCALL | METH_KEYWORDS,
     "add_kernel($self, function, /, *args, block=None, grid=(1, 1, 1), shared=0, threads=None, "
     "strict=False, after=None)\n--\n\n"
     "Adds a launch of a kernel, with arguments checked as by its call; they are kept alive.\n\n"
     "`after`: a node or nodes that come before it. In, Out and InOut cannot be given."},
    {"add_copy", FAST(bind_graph_add_copy), METH_FASTCALL | METH_KEYWORDS,
     "add_copy($self, dest, src, size=None, after=None)\n--\n\n"
     "Adds a copy of `size` bytes, by default all of a host buffer; both sides are kept alive."},
    {"add_memset", FAST(bind_graph_add_memset), METH_FASTCALL | METH_KEYWORDS,
     "add_memset($self, dest, data, count, width=1, rows=1, pitch=0, after=None)\n--\n\n"
     "Adds a write of `data` to `count` elements of `width` bytes (1, 2 or 4), in rows `pitch` "
     "bytes apart."},
    {"add_callback", FAST(bind_graph_add_callback), METH_FASTCALL | METH_KEYWORDS,
     "add_callback($self, function, /, *args, after=None)\n--\n\n"
     "Adds a call of a Python function, as Stream.add_callback."},
    {"add_empty", FAST(bind_graph_add_empty), METH_FASTCALL | METH_KEYWORDS,
     "add_empty($self, after=None)\n--\n\nAdds a node that does nothing but wait."},
    {"add_record", FAST(bind_graph_add_record), METH_FASTCALL | METH_KEYWORDS,
     "add_record($self, event, after=None)\n--\n\nAdds the recording of an event."},
    {"add_wait", FAST(bind_graph_add_wait), METH_FASTCALL | METH_KEYWORDS,
     "add_wait($self, event, after=None)\n--\n\nAdds a wait for what an event recorded last."},
    {"add_graph", FAST(bind_graph_add_graph), METH_FASTCALL | METH_KEYWORDS,
     "add_graph($self, graph, after=None)\n--\n\nAdds a copy of another graph as one node."},
    {"set_kernel", FAST(bind_graph_set_kernel), METH_FASTCALL | METH_KEYWORDS,
     "set_kernel($self, node, function, /, *args, block=None, grid=(1, 1, 1), shared=0, "
     "threads=None, strict=False)\n--\n\n"
     "Changes what a kernel's node does. What has been instantiated stays as it is."},
    {"set_copy", FAST(bind_graph_set_copy), METH_FASTCALL | METH_KEYWORDS,
     "set_copy($self, node, dest, src, size=None)\n--\n\nLikewise, a copy."},
    {"set_memset", FAST(bind_graph_set_memset), METH_FASTCALL | METH_KEYWORDS,
     "set_memset($self, node, dest, data, count, width=1, rows=1, pitch=0)\n--\n\n"
     "Likewise, a memset."},
    {"set_callback", FAST(bind_graph_set_callback), METH_FASTCALL,
     "set_callback($self, node, function, /, *args)\n--\n\nLikewise, a callback."},
    {"add_edge", FAST(graph_add_edge), METH_FASTCALL,
     "add_edge($self, before, node, /)\n--\n\nMakes `node` come after `before`."},
    {"remove_edge", FAST(graph_remove_edge), METH_FASTCALL,
     "remove_edge($self, before, node, /)\n--\n\nTakes an edge out."},
    {"clone", graph_clone, METH_NOARGS, "clone($self, /)\n--\n\nA copy, with nodes of its own."},
    {"instantiate", bind_graph_instantiate, METH_NOARGS,
     "instantiate($self, /)\n--\n\nA GraphExec of the graph as it is now."},
    {"print_dot", FAST(graph_print_dot), METH_FASTCALL | METH_KEYWORDS,
     "print_dot($self, path, verbose=False)\n--\n\nWrites a picture in the language of Graphviz."},
    {"capture", FAST(bind_graph_capture_new), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "capture($type, stream, mode='global')\n--\n\n"
     "``with Graph.capture(stream) as graph:`` makes nodes of the work that the stream is given "
     "in the block.\n\n"
     "Parameters\n----------\n"
     "stream : Stream\n    Not the legacy default stream.\n"
     "mode : str\n    What the program may do meanwhile that captures do not know of, such as "
     "allocating:\n    nothing (\"global\"), nothing in this thread (\"thread_local\"), "
     "everything (\"relaxed\")."},
    {"from_handle", FAST(graph_from_handle), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "A graph of another library (a CUgraph), never destroyed through this object; `owner` is kept "
     "alive."},
    {"close", graph_close, METH_NOARGS,
     "close($self, /)\n--\n\nDestroys the graph; what was made launchable of it stays."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe graph itself."},
    {"__exit__", bind_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCloses the graph."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef graph_getset[] = {
    {"handle", graph_handle, NULL, "The CUgraph as an int.", NULL},
    {"nodes", graph_nodes, NULL, "A list of the GraphNodes.", NULL},
    {"edges", graph_edges, NULL, "A list of pairs of GraphNodes: from, to.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot graph_slots[] = {
    {Py_tp_doc, (char *) "Graph()\n--\n\n"
                         "Work laid down once, by nodes or by `Graph.capture`, and launched again "
                         "and again. A `with` block closes it at its end."},
    {Py_tp_new, graph_new},
    {Py_tp_dealloc, graph_dealloc},
    {Py_tp_traverse, graph_traverse},
    {Py_tp_clear, graph_clear},
    {Py_tp_methods, graph_methods},
    {Py_tp_getset, graph_getset},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec bind_graph_spec = {"runcu.driver.Graph", sizeof(bind_graph), 0, BIND_FLAGS,
                               graph_slots};

/* Methods of Graph by which a node does something else from now on. What has been made launchable
 * of the graph is changed by itself (graphexec.c). */
#include "graph.h"

/* The end of each: what the node uses now (taken) takes the place of what it used. */
static PyObject *changed(bind_graph *g, int status, runcu_node *node, PyObject *hold)
{
    PyObject *key = NULL;
    if (bind_check(g->state, status) == 0 && (key = PyLong_FromVoidPtr(node)))
        status = PyDict_SetItem(g->holds, key, hold);
    else
        status = -1;
    Py_XDECREF(key);
    Py_DECREF(hold);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* The node given as an argument; NULL with an exception. */
static runcu_node *node_of(bind_graph *g, PyObject *value)
{
    return bind_graph_get(g) ? bind_node_get((PyObject *) g, value) : NULL;
}

struct setting {
    bind_graph *graph;
    runcu_node *node;
};

static int set_kernel(void *user, const runcu_kernel_call *call)
{
    const struct setting *s = user;
    return bind_check(s->graph->state, runcu_graph_set_kernel(s->graph->graph, s->node, call));
}

PyObject *bind_graph_set_kernel(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    bind_graph *g = (bind_graph *) self;
    PyObject *after = NULL;
    if (nargs < 2)
        return PyErr_Format(PyExc_TypeError, "set_kernel() needs a node and a function");
    struct setting s = {g, node_of(g, args[0])};
    if (!s.node ||
        bind_kernel_call(&after, g->state, &(struct bind_call){args + 1, nargs - 1, kwnames},
                         set_kernel, &s) != 0)
        return NULL;
    PyObject *hold = PyTuple_New(nargs - 1);
    for (Py_ssize_t i = 1; hold && i < nargs; i++)
        PyTuple_SET_ITEM(hold, i - 1, Py_NewRef(args[i]));
    return hold ? changed(g, 0, s.node, hold) : NULL;
}

PyObject *bind_graph_set_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "set_copy", 3, {"node", "dest", "src", "size", NULL}};
    bind_graph *g = (bind_graph *) self;
    PyObject *values[4], *hold;
    runcu_box box;
    runcu_node *node;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        !(node = node_of(g, values[0])) || bind_copy_box(&box, &hold, g->state, values + 1) != 0)
        return NULL;
    return changed(g, runcu_graph_set_copy(g->graph, node, &box), node, hold);
}

PyObject *bind_graph_set_memset(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "set_memset", 4, {"node", "dest", "data", "count", "width", "rows", "pitch", NULL}};
    bind_graph *g = (bind_graph *) self;
    PyObject *values[7];
    runcu_fill fill;
    runcu_node *node;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        !(node = node_of(g, values[0])) || bind_fill_of(&fill, g->state, values + 1) != 0)
        return NULL;
    return changed(g, runcu_graph_set_fill(g->graph, node, &fill), node, Py_NewRef(values[1]));
}

PyObject *bind_graph_set_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    bind_graph *g = (bind_graph *) self;
    runcu_host_call call;
    if (nargs < 2)
        return PyErr_Format(PyExc_TypeError, "set_callback() needs a node and a function");
    runcu_node *node = node_of(g, args[0]);
    PyObject *hold = node ? bind_callback_keep(&call, g->state, args + 1, nargs - 1) : NULL;
    return hold ? changed(g, runcu_graph_set_host_call(g->graph, node, &call), node, hold) : NULL;
}

/* GraphNode, and everything that adds one to a graph: kernels, copies, sets, calls, events, graphs.
 */
#include "graph.h"

/* --- nodes as objects --- */

static PyObject *key_of(const runcu_node *node)
{
    return PyLong_FromVoidPtr((void *) (uintptr_t) node);
}

static PyObject *new_node(bind_graph *graph, runcu_node *node, PyObject *key)
{
    bind_graph_node *self = bind_new(graph->state->graph_node_type);
    if (!self)
        return NULL;
    self->graph = Py_NewRef((PyObject *) graph);
    self->node = node;
    PyObject *weak = PyWeakref_NewRef((PyObject *) self, NULL);
    if (!weak || PyDict_SetItem(graph->nodes, key, weak) != 0)
        Py_CLEAR(self);
    Py_XDECREF(weak);
    return (PyObject *) self;
}

PyObject *bind_node_object(bind_graph *graph, runcu_node *node)
{
    PyObject *key = key_of(node), *found = NULL;
    if (!key)
        return NULL;
    PyObject *weak = PyDict_GetItemWithError(graph->nodes, key); /* borrowed */
    if (weak)
        found = PyObject_CallNoArgs(weak);
    if (found == Py_None)
        Py_CLEAR(found);
    if (!found && !PyErr_Occurred())
        found = new_node(graph, node, key);
    Py_DECREF(key);
    return found;
}

runcu_node *bind_node_get(PyObject *graph, PyObject *value)
{
    bind_state *state = ((bind_object *) graph)->state;
    if (!PyObject_TypeCheck(value, state->graph_node_type)) {
        bind_raise(PyExc_TypeError, "a GraphNode is expected, not %.200s", Py_TYPE(value)->tp_name);
        return NULL;
    }
    bind_graph_node *n = (bind_graph_node *) value;
    if (n->graph != graph) {
        bind_raise(state->argument_error, "the node is of another graph");
        return NULL;
    }
    if (!n->node)
        bind_raise(state->logic_error, "the node has been removed");
    return n->node;
}

/* --- what nodes come after --- */

/* Frees with PyMem_Free(list->at). */
static int read_after(runcu_node_list *out, bind_graph *graph, PyObject *value)
{
    *out = (runcu_node_list){NULL, 0};
    if (!value || value == Py_None)
        return 0;
    PyObject *items = PyObject_TypeCheck(value, graph->state->graph_node_type)
                          ? PyTuple_Pack(1, value)
                          : PySequence_Tuple(value);
    if (!items)
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    runcu_node **list = PyMem_Calloc((size_t) count + 1, sizeof *list);
    int status = list ? 0 : (PyErr_NoMemory(), -1);
    for (Py_ssize_t i = 0; i < count && status == 0; i++) {
        list[i] = bind_node_get((PyObject *) graph, PyTuple_GET_ITEM(items, i));
        status = list[i] ? 0 : -1;
    }
    Py_DECREF(items);
    if (status == 0)
        *out = (runcu_node_list){list, (size_t) count};
    else
        PyMem_Free(list);
    return status;
}

/* The end of everything that adds a node: its object, and what it holds (taken). */
static PyObject *added(bind_graph *graph, int status, runcu_node *node, PyObject *hold)
{
    PyObject *out = NULL, *key = NULL;
    status = bind_check(graph->state, status);
    if (status == 0 && (key = key_of(node)) &&
        (!hold || PyDict_SetItem(graph->holds, key, hold) == 0))
        out = bind_node_object(graph, node);
    Py_XDECREF(key);
    Py_XDECREF(hold);
    return out;
}

/* --- kernels --- */

struct keyword {
    const char *name;
    PyObject *value;
};
enum { BLOCK, GRID, SHARED, THREADS, STRICT, AFTER, KEYWORDS };

static int read_keywords(PyObject *out[KEYWORDS], PyObject *const *values, PyObject *kwnames)
{
    static const char *const names[KEYWORDS] = {"block",   "grid",   "shared",
                                                "threads", "strict", "after"};
    for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        int i = 0;
        while (i < KEYWORDS && PyUnicode_CompareWithASCIIString(name, names[i]) != 0)
            i++;
        if (i == KEYWORDS)
            return bind_raise(PyExc_TypeError, "unexpected keyword argument '%U'", name);
        out[i] = values[k];
    }
    return 0;
}

static int read_shape(runcu_launch_params *out, bind_state *state, PyObject *const k[KEYWORDS])
{
    int strict = k[STRICT] ? PyObject_IsTrue(k[STRICT]) : 0;
    if (!k[BLOCK] && !k[THREADS])
        return bind_raise(PyExc_ValueError, "must specify block size");
    if ((k[BLOCK] && bind_dim3(&out->block, state, k[BLOCK], "block") != 0) ||
        (k[GRID] && bind_dim3(&out->grid, state, k[GRID], "grid") != 0) ||
        (k[SHARED] && bind_size(&out->shared, k[SHARED], "shared") != 0) ||
        (k[THREADS] && bind_size(&out->threads, k[THREADS], "threads") != 0) || strict < 0)
        return -1;
    out->strict = strict;
    return 0;
}

struct kernel {
    runcu_kernel_call call;
    bind_kernel_fn *use;
    void *user;
};

static int use_arguments(void *user, const runcu_arg *args, size_t count)
{
    struct kernel *k = user;
    k->call.args = args;
    k->call.count = count;
    return k->use(k->user, &k->call);
}

int bind_kernel_call(PyObject **after, bind_state *state, const struct bind_call *call,
                     bind_kernel_fn *use, void *user)
{
    PyObject *k[KEYWORDS] = {NULL};
    struct kernel kernel = {.call.size = sizeof kernel.call, .use = use, .user = user};
    if (call->nargs < 1 || !PyObject_TypeCheck(call->args[0], state->function_type))
        return bind_raise(PyExc_TypeError, "a Function is expected first");
    bind_function *f = (bind_function *) call->args[0];
    if (bind_function_follow(f) != 0)
        return -1;
    kernel.call.function = f->function;
    kernel.call.launch.size = sizeof kernel.call.launch;
    if (read_keywords(k, call->args + call->nargs, call->kwnames) != 0 ||
        read_shape(&kernel.call.launch, state, k) != 0)
        return -1;
    *after = k[AFTER];
    return bind_with_arguments(f, call->args + 1, call->nargs - 1, use_arguments, &kernel);
}

/* A node on its way. */
struct adding {
    bind_graph *graph;
    PyObject *const *after;
    runcu_node *node;
};

static int add_kernel(void *user, const runcu_kernel_call *call)
{
    struct adding *a = user;
    runcu_node_list after;
    if (read_after(&after, a->graph, *a->after) != 0)
        return -1;
    int status = runcu_graph_add_kernel(&a->node, a->graph->graph, &after, call);
    PyMem_Free((void *) after.at);
    return bind_check(a->graph->state, status);
}

static PyObject *tuple_of(PyObject *const *values, Py_ssize_t count)
{
    PyObject *out = PyTuple_New(count);
    for (Py_ssize_t i = 0; out && i < count; i++)
        PyTuple_SET_ITEM(out, i, Py_NewRef(values[i]));
    return out;
}

PyObject *bind_graph_add_kernel(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    bind_graph *g = (bind_graph *) self;
    PyObject *after = NULL;
    struct adding a = {g, &after, NULL};
    if (!bind_graph_get(g) ||
        bind_kernel_call(&after, g->state, &(struct bind_call){args, nargs, kwnames}, add_kernel,
                         &a) != 0)
        return NULL;
    PyObject *hold = tuple_of(args, nargs);
    return hold ? added(g, 0, a.node, hold) : NULL;
}

/* --- copies, fills, calls --- */

static int read_place(runcu_place *out, PyObject **hold, bind_state *state, PyObject *value,
                      bool is_written)
{
    struct bind_buffer buffer;
    if (!PyArray_Check(value) && !PyObject_CheckBuffer(value)) {
        *hold = Py_NewRef(value);
        return bind_address(&out->device, state, value);
    }
    if (bind_buffer_get(&buffer, state, value, is_written) != 0)
        return -1;
    out->host = buffer.data;
    out->host_bytes = buffer.bytes;
    *hold = PyArray_Check(value) ? Py_NewRef(value) : PyMemoryView_FromObject(value);
    bind_buffer_release(&buffer);
    return *hold ? 0 : -1;
}

int bind_copy_box(runcu_box *out, PyObject **hold, bind_state *state, PyObject *const values[3])
{
    PyObject *to = NULL, *from = NULL;
    int status = -1;
    *hold = NULL;
    *out = (runcu_box){.size = sizeof *out};
    if (read_place(&out->to, &to, state, values[0], true) == 0 &&
        read_place(&out->from, &from, state, values[1], false) == 0) {
        status = 0;
        if (values[2] && values[2] != Py_None)
            status = bind_size(&out->width, values[2], "size");
        else if (out->to.host || out->from.host)
            out->width = out->from.host ? out->from.host_bytes : out->to.host_bytes;
        else
            status = bind_raise(PyExc_TypeError, "add_copy() within the device needs a size");
    }
    if (status == 0 && !(*hold = PyTuple_Pack(2, to, from)))
        status = -1;
    Py_XDECREF(to);
    Py_XDECREF(from);
    return status;
}

PyObject *bind_graph_add_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "add_copy", 2, {"dest", "src", "size", "after", NULL}};
    bind_graph *g = (bind_graph *) self;
    PyObject *values[4], *hold;
    runcu_box box;
    runcu_node_list after;
    runcu_node *node = NULL;
    if (!bind_graph_get(g) || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_after(&after, g, values[3]) != 0)
        return NULL;
    int status = bind_copy_box(&box, &hold, g->state, values);
    if (status == 0) {
        status = bind_check(g->state, runcu_graph_add_copy(&node, g->graph, &after, &box));
        if (status != 0)
            Py_CLEAR(hold);
    }
    PyMem_Free((void *) after.at);
    return status == 0 ? added(g, 0, node, hold) : NULL;
}

int bind_fill_of(runcu_fill *out, bind_state *state, PyObject *const values[6])
{
    size_t data = 0, width = 1, rows = 1;
    *out = (runcu_fill){.size = sizeof *out};
    if (bind_address(&out->to, state, values[0]) != 0 || bind_size(&data, values[1], "data") != 0 ||
        bind_size(&out->count, values[2], "count") != 0 ||
        (values[3] && bind_size(&width, values[3], "width") != 0) ||
        (values[4] && bind_size(&rows, values[4], "rows") != 0) ||
        (values[5] && bind_size(&out->pitch, values[5], "pitch") != 0))
        return -1;
    if (width != 1 && width != 2 && width != 4)
        return bind_raise(state->argument_error, "width must be 1, 2 or 4 bytes, not %zu", width);
    if (data >> (8 * width - 1) > 1)
        return bind_raise(PyExc_OverflowError, "data, %zu, does not fit %zu bytes", data, width);
    out->value = (uint32_t) data;
    out->width = (unsigned) width;
    out->rows = rows;
    return 0;
}

PyObject *bind_graph_add_memset(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "add_memset", 3, {"dest", "data", "count", "width", "rows", "pitch", "after", NULL}};
    bind_graph *g = (bind_graph *) self;
    PyObject *values[7];
    runcu_fill fill;
    runcu_node_list after;
    runcu_node *node = NULL;
    if (!bind_graph_get(g) || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_fill_of(&fill, g->state, values) != 0 || read_after(&after, g, values[6]) != 0)
        return NULL;
    int status = runcu_graph_add_fill(&node, g->graph, &after, &fill);
    PyMem_Free((void *) after.at);
    return added(g, status, node, Py_NewRef(values[0]));
}

PyObject *bind_graph_add_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    bind_graph *g = (bind_graph *) self;
    PyObject *keywords[KEYWORDS] = {NULL};
    runcu_host_call call;
    runcu_node_list after;
    runcu_node *node = NULL;
    if (!bind_graph_get(g) || read_keywords(keywords, args + nargs, kwnames) != 0)
        return NULL;
    for (int i = 0; i < AFTER; i++)
        if (keywords[i])
            return PyErr_Format(PyExc_TypeError, "add_callback() takes the keyword 'after' only");
    if (read_after(&after, g, keywords[AFTER]) != 0)
        return NULL;
    PyObject *hold = bind_callback_keep(&call, g->state, args, nargs);
    PyObject *out = NULL;
    if (hold) {
        int status = runcu_graph_add_host_call(&node, g->graph, &after, &call);
        out = added(g, status, node, hold);
    }
    PyMem_Free((void *) after.at);
    return out;
}

typedef int add_fn(runcu_node **out, runcu_graph *graph, const runcu_node_list *after, void *what);

static int add_empty(runcu_node **out, runcu_graph *graph, const runcu_node_list *after, void *what)
{
    (void) what;
    return runcu_graph_add_empty(out, graph, after);
}

static int add_record(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                      void *what)
{
    return runcu_graph_add_record(out, graph, after, what);
}

static int add_wait(runcu_node **out, runcu_graph *graph, const runcu_node_list *after, void *what)
{
    return runcu_graph_add_wait(out, graph, after, what);
}

static int add_graph(runcu_node **out, runcu_graph *graph, const runcu_node_list *after, void *what)
{
    return runcu_graph_add_graph(out, graph, after, what);
}

/* `what` is handed to `add`; the node holds `hold` (borrowed, or NULL). */
static PyObject *add_simple(bind_graph *g, add_fn *add, void *what, PyObject *hold,
                            PyObject *after_value)
{
    runcu_node_list after;
    runcu_node *node = NULL;
    if (read_after(&after, g, after_value) != 0)
        return NULL;
    int status = add(&node, g->graph, &after, what);
    PyMem_Free((void *) after.at);
    return added(g, status, node, Py_XNewRef(hold));
}

PyObject *bind_graph_add_empty(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    static const struct bind_signature signature = {"add_empty", 0, {"after", NULL}};
    PyObject *values[1];
    bind_graph *g = (bind_graph *) self;
    if (!bind_graph_get(g) || bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    return add_simple(g, add_empty, NULL, NULL, values[0]);
}

static PyObject *add_event(PyObject *self, const struct bind_signature *signature, add_fn *add,
                           const struct bind_call *call)
{
    PyObject *values[2];
    bind_graph *g = (bind_graph *) self;
    if (!bind_graph_get(g) ||
        bind_parse(values, signature, call->args, call->nargs, call->kwnames) != 0)
        return NULL;
    if (!PyObject_TypeCheck(values[0], g->state->event_type))
        return PyErr_Format(PyExc_TypeError, "an Event is expected, not %.200s",
                            Py_TYPE(values[0])->tp_name);
    return add_simple(g, add, ((bind_event *) values[0])->event, values[0], values[1]);
}

PyObject *bind_graph_add_record(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    static const struct bind_signature signature = {"add_record", 1, {"event", "after", NULL}};
    return add_event(self, &signature, add_record, &(struct bind_call){args, nargs, kwnames});
}

PyObject *bind_graph_add_wait(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames)
{
    static const struct bind_signature signature = {"add_wait", 1, {"event", "after", NULL}};
    return add_event(self, &signature, add_wait, &(struct bind_call){args, nargs, kwnames});
}

PyObject *bind_graph_add_graph(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    static const struct bind_signature signature = {"add_graph", 1, {"graph", "after", NULL}};
    PyObject *values[2];
    bind_graph *g = (bind_graph *) self;
    if (!bind_graph_get(g) || bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    if (!PyObject_TypeCheck(values[0], g->state->graph_type))
        return PyErr_Format(PyExc_TypeError, "a Graph is expected, not %.200s",
                            Py_TYPE(values[0])->tp_name);
    bind_graph *child = (bind_graph *) values[0];
    if (!bind_graph_get(child))
        return NULL;
    PyObject *hold = PyDict_Values(child->holds);
    PyObject *out = hold ? add_simple(g, add_graph, child->graph, hold, values[1]) : NULL;
    Py_XDECREF(hold);
    return out;
}

/* --- GraphNode --- */

static PyObject *node_type(PyObject *self, void *closure)
{
    (void) closure;
    static const char *const names[] = {"kernel", "copy",  "memset", "callback",
                                        "graph",  "empty", "wait",   "record"};
    bind_graph_node *n = (bind_graph_node *) self;
    bind_graph *g = (bind_graph *) n->graph;
    int type;
    if (!bind_node_get(n->graph, self) || !bind_graph_get(g) ||
        bind_check(n->state, runcu_graph_node_type(&type, g->graph, n->node)) != 0)
        return NULL;
    if (type < 0 || type >= (int) ARRAY_LEN(names))
        return PyUnicode_FromFormat("type %d", type);
    return PyUnicode_FromString(names[type]);
}

static PyObject *node_before(PyObject *self, void *closure)
{
    (void) closure;
    bind_graph_node *n = (bind_graph_node *) self;
    if (!bind_node_get(n->graph, self))
        return NULL;
    return bind_nodes_list((bind_graph *) n->graph, runcu_graph_before, n->node);
}

static PyObject *node_after(PyObject *self, void *closure)
{
    (void) closure;
    bind_graph_node *n = (bind_graph_node *) self;
    if (!bind_node_get(n->graph, self))
        return NULL;
    return bind_nodes_list((bind_graph *) n->graph, runcu_graph_after, n->node);
}

static PyObject *node_graph(PyObject *self, void *closure)
{
    (void) closure;
    return Py_NewRef(((bind_graph_node *) self)->graph);
}

/* Nodes live as long as their graph, and no driver can be asked whether a handle is one. */
static PyObject *node_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    static const struct bind_signature signature = {"from_handle", 2, {"handle", "owner", NULL}};
    bind_state *state = bind_state_of((PyTypeObject *) type);
    PyObject *values[2];
    runcu_node *node;
    uint64_t handle;
    if (!state || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_number(&handle, values[0], "handle") != 0)
        return NULL;
    if (!PyObject_TypeCheck(values[1], state->graph_type))
        return PyErr_Format(PyExc_TypeError, "the owner of a node is its Graph, not %.200s",
                            Py_TYPE(values[1])->tp_name);
    if (bind_check(state, runcu_node_wrap(&node, handle)) != 0)
        return NULL;
    PyObject *all = PyObject_GetAttrString(values[1], "nodes"), *found = NULL;
    for (Py_ssize_t i = 0; all && !found && i < PyList_GET_SIZE(all); i++)
        if (((bind_graph_node *) PyList_GET_ITEM(all, i))->node == node)
            found = Py_NewRef(PyList_GET_ITEM(all, i));
    if (all && !found)
        bind_raise(state->argument_error, "the graph has no node with the handle %S", values[0]);
    Py_XDECREF(all);
    return found;
}

static PyObject *node_handle(PyObject *self, void *closure)
{
    (void) closure;
    bind_graph_node *n = (bind_graph_node *) self;
    return bind_node_get(n->graph, self) ? key_of(n->node) : NULL;
}

static PyObject *node_remove(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_graph_node *n = (bind_graph_node *) self;
    bind_graph *g = (bind_graph *) n->graph;
    if (!bind_node_get(n->graph, self) || !bind_graph_get(g) ||
        bind_check(n->state, runcu_graph_remove(g->graph, n->node)) != 0)
        return NULL;
    PyObject *key = key_of(n->node);
    n->node = NULL;
    if (!key)
        return NULL;
    int status = PyDict_DelItem(g->nodes, key);
    if (status == 0 && PyDict_Contains(g->holds, key) == 1)
        status = PyDict_DelItem(g->holds, key);
    Py_DECREF(key);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static int node_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_graph_node *) self)->graph);
    return bind_traverse(self, visit, arg);
}

static void node_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    Py_CLEAR(((bind_graph_node *) self)->graph);
    bind_end_dealloc(self);
}

/* --- tables --- */

static PyMemberDef members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyMethodDef node_methods[] = {
    {"from_handle", (PyCFunction) (void (*)(void)) node_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner)\n--\n\n"
     "The node of the Graph `owner` with that CUgraphNode."},
    {"remove", node_remove, METH_NOARGS,
     "remove($self, /)\n--\n\nTakes the node out of its graph, with its edges."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef node_getset[] = {
    {"type", node_type, NULL,
     "\"kernel\", \"copy\", \"memset\", \"callback\", \"graph\", \"empty\", \"wait\" or "
     "\"record\".",
     NULL},
    {"dependencies", node_before, NULL, "The nodes right before it.", NULL},
    {"dependents", node_after, NULL, "The nodes right after it.", NULL},
    {"graph", node_graph, NULL, "The Graph it is of.", NULL},
    {"handle", node_handle, NULL, "The CUgraphNode as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot node_slots[] = {
    {Py_tp_doc, (char *) "A step of a graph: what the add_ methods of Graph give."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, node_dealloc},
    {Py_tp_traverse, node_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, node_methods},
    {Py_tp_getset, node_getset},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec bind_graph_node_spec = {"runcu.driver.GraphNode", sizeof(bind_graph_node), 0,
                                    BIND_FLAGS, node_slots};

/* What graph.c, graphexec.c and capture.c share. */
#ifndef BIND_GRAPH_H
#define BIND_GRAPH_H

#include "core.h"

typedef struct bind_graph {
    BIND_HEAD
    runcu_graph *graph; /* NULL: still being captured */
    PyObject *holds;    /* what nodes use, by handle; of captured ones all together */
    PyObject *nodes;    /* weak references to GraphNodes by handle: each has one object */
} bind_graph;

typedef struct bind_graph_node {
    BIND_HEAD
    PyObject *graph;
    runcu_node *node; /* NULL: removed */
} bind_graph_node;

typedef struct bind_graph_exec {
    BIND_HEAD
    runcu_graph_exec *exec;
    PyObject *graph;  /* it was made of, or NULL */
    PyObject *holds;  /* as of the graph */
    PyObject *stream; /* of the last launch: what keeps `last`, or NULL */
    runcu_stream *last;
    bool is_launched;
} bind_graph_exec;

/* `graph` is taken, also on failure. */
PyObject *bind_graph_wrap(bind_state *state, runcu_graph *graph, PyObject *holds);
/* The graph's, or NULL with an exception. */
runcu_graph *bind_graph_get(bind_graph *self);
/* A node given as an argument, of this graph; NULL with an exception. */
runcu_node *bind_node_get(PyObject *graph, PyObject *value);

/* What a method was called with. */
struct bind_call {
    PyObject *const *args;
    Py_ssize_t nargs;
    PyObject *kwnames;
};

/* The object of a node. */
PyObject *bind_node_object(bind_graph *graph, runcu_node *node);
typedef int bind_list_fn(runcu_node **out, size_t *count, runcu_graph *graph, runcu_node *node);
PyObject *bind_nodes_list(bind_graph *g, bind_list_fn *ask, runcu_node *node);

/* Methods of Graph. */
PyObject *bind_graph_add_kernel(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames);
PyObject *bind_graph_add_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames);
PyObject *bind_graph_add_memset(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames);
PyObject *bind_graph_add_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames);
PyObject *bind_graph_add_empty(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames);
PyObject *bind_graph_add_record(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames);
PyObject *bind_graph_add_wait(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames);
PyObject *bind_graph_add_graph(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames);
PyObject *bind_graph_set_kernel(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames);
PyObject *bind_graph_set_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames);
PyObject *bind_graph_set_memset(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames);
PyObject *bind_graph_set_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *bind_graph_instantiate(PyObject *self, PyObject *unused);
PyObject *bind_graph_capture_new(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames);

/* A launch as a node: function, arguments, and the keywords block, grid, shared, threads, strict
 * and `after`, which is handed out (borrowed, or NULL). `use` is called with it. */
typedef int bind_kernel_fn(void *user, const runcu_kernel_call *call);
int bind_kernel_call(PyObject **after, bind_state *state, const struct bind_call *call,
                     bind_kernel_fn *use, void *user);
/* A copy: *hold is a new reference to what it uses. */
int bind_copy_box(runcu_box *out, PyObject **hold, bind_state *state, PyObject *const values[3]);
/* dest, data, count, width, rows, pitch. */
int bind_fill_of(runcu_fill *out, bind_state *state, PyObject *const values[6]);

#endif

/* How many blocks of a kernel fit, as methods of Function. */
#include "core.h"

PyObject *bind_function_max_active_blocks(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                          PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "max_active_blocks", 1, {"block_size", "shared", NULL}};
    bind_function *f = (bind_function *) self;
    PyObject *values[2];
    size_t shared = 0;
    int block_size, blocks;
    if (bind_function_follow(f) != 0 || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&block_size, values[0], "block_size") != 0 ||
        (values[1] && bind_size(&shared, values[1], "shared") != 0) ||
        bind_check(f->state,
                   runcu_function_max_active_blocks(&blocks, f->function, block_size, shared)) != 0)
        return NULL;
    return PyLong_FromLong(blocks);
}

/* Asks a Python function; after an exception nothing is asked any more. */
static size_t shared_of(void *function, int block_size)
{
    size_t bytes = 0;
    if (PyErr_Occurred())
        return 0;
    PyObject *answer = PyObject_CallFunction(function, "i", block_size);
    if (answer && bind_size(&bytes, answer, "what `shared` gives") != 0)
        bytes = 0;
    Py_XDECREF(answer);
    return bytes;
}

PyObject *bind_function_suggest_block_size(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                           PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "suggest_block_size", 0, {"shared", "limit", NULL}};
    bind_function *f = (bind_function *) self;
    runcu_suggest_params params = {.size = sizeof params};
    PyObject *values[2];
    int block;
    if (bind_function_follow(f) != 0 || bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    if (values[0] && PyCallable_Check(values[0])) {
        params.shared_of = shared_of;
        params.user = values[0];
    } else if (values[0] && bind_size(&params.shared, values[0], "shared") != 0) {
        return NULL;
    }
    if (values[1] && bind_int(&params.limit, values[1], "limit") != 0)
        return NULL;
    int status = runcu_function_suggest_block(&block, NULL, f->function, &params);
    if (PyErr_Occurred() || bind_check(f->state, status) != 0)
        return NULL;
    return PyLong_FromLong(block);
}

PyObject *bind_function_available_shared(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                         PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "available_shared", 2, {"blocks", "block_size", NULL}};
    bind_function *f = (bind_function *) self;
    PyObject *values[2];
    int blocks, block_size;
    size_t bytes;
    if (bind_function_follow(f) != 0 || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&blocks, values[0], "blocks") != 0 ||
        bind_int(&block_size, values[1], "block_size") != 0 ||
        bind_check(f->state,
                   runcu_function_available_shared(&bytes, f->function, blocks, block_size)) != 0)
        return NULL;
    return PyLong_FromSize_t(bytes);
}

/* Cluster, block, grid and shared memory; a grid that is not given is one cluster. */
static int read_clusters(runcu_launch_params *out, bind_state *state, PyObject *const values[4])
{
    *out = (runcu_launch_params){.size = sizeof *out, .cluster = {1, 1, 1}};
    if (values[0] && bind_dim3(&out->cluster, state, values[0], "cluster") != 0)
        return -1;
    out->attributes = values[0] ? RUNCU_LAUNCH_CLUSTER : 0;
    out->grid = out->cluster;
    if (bind_dim3(&out->block, state, values[1], "block") != 0 ||
        (values[2] && values[2] != Py_None &&
         bind_dim3(&out->grid, state, values[2], "grid") != 0) ||
        (values[3] && bind_size(&out->shared, values[3], "shared") != 0))
        return -1;
    return 0;
}

PyObject *bind_function_max_active_clusters(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                            PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "max_active_clusters", 2, {"cluster", "block", "grid", "shared", NULL}};
    bind_function *f = (bind_function *) self;
    runcu_launch_params params;
    PyObject *values[4];
    int clusters;
    if (bind_function_follow(f) != 0 || bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_clusters(&params, f->state, values) != 0 ||
        bind_check(f->state, runcu_function_max_active_clusters(&clusters, f->function, &params)) !=
            0)
        return NULL;
    return PyLong_FromLong(clusters);
}

PyObject *bind_function_max_cluster_size(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                         PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "max_cluster_size", 1, {"block", "grid", "shared", NULL}};
    bind_function *f = (bind_function *) self;
    runcu_launch_params params;
    PyObject *values[4] = {NULL};
    int size;
    if (bind_function_follow(f) != 0 ||
        bind_parse(values + 1, &signature, args, nargs, kwnames) != 0 ||
        read_clusters(&params, f->state, values) != 0 ||
        bind_check(f->state, runcu_function_max_cluster_size(&size, f->function, &params)) != 0)
        return NULL;
    return PyLong_FromLong(size);
}

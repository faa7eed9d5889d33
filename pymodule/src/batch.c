/* Many sources compiled at once, each with arguments of its own. */
#include "request.h"

struct batch {
    bind_state *state;
    PyObject *progress;
    PyObject *items;        /* a list of dicts, which own the texts */
    bind_request *requests; /* one a job */
    runcu_program_job *jobs;
    size_t count;
};

static int on_progress(void *user, size_t done, size_t count)
{
    struct batch *b = user;
    int stop = bind_on_wait(b->state);
    if (stop || b->progress == Py_None)
        return stop;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *answer =
        PyObject_CallFunction(b->progress, "nn", (Py_ssize_t) done, (Py_ssize_t) count);
    stop = !answer;
    if (stop)
        atomic_store(&bind_has_news, true);
    Py_XDECREF(answer);
    PyGILState_Release(gil);
    return stop;
}

/* A copy of the arguments, which nobody else changes meanwhile. */
static int take_item(struct batch *b, size_t i, PyObject *empty)
{
    PyObject *item = PyList_GET_ITEM(b->items, (Py_ssize_t) i);
    if (!PyDict_Check(item))
        return bind_raise(PyExc_TypeError, "requests[%zu] must be a dict, not %.200s", i,
                          Py_TYPE(item)->tp_name);
    PyObject *copy = PyDict_Copy(item);
    if (!copy || PyList_SetItem(b->items, (Py_ssize_t) i, copy))
        return -1;
    if (bind_request_get(&b->requests[i], b->state, empty, copy))
        return -1;
    b->jobs[i].source = b->requests[i].source;
    b->jobs[i].params = &b->requests[i].params;
    return 0;
}

static int batch_init(struct batch *b, PyObject *requests)
{
    b->items = PySequence_List(requests);
    b->count = b->items ? (size_t) PyList_GET_SIZE(b->items) : 0;
    PyObject *empty = b->items ? PyTuple_New(0) : NULL;
    b->jobs = empty ? PyMem_Calloc(b->count + 1, sizeof *b->jobs) : NULL;
    b->requests = empty ? PyMem_Calloc(b->count + 1, sizeof *b->requests) : NULL;
    int status = b->jobs && b->requests ? 0 : -1;
    if (status && empty)
        PyErr_NoMemory();
    for (size_t i = 0; !status && i < b->count; i++)
        status = take_item(b, i, empty);
    Py_XDECREF(empty);
    return status;
}

static void batch_fini(struct batch *b)
{
    if (b->jobs)
        runcu_program_jobs_fini(b->jobs, b->count);
    for (size_t i = 0; b->requests && i < b->count; i++)
        bind_request_release(&b->requests[i]);
    PyMem_Free(b->jobs);
    PyMem_Free(b->requests);
    Py_XDECREF(b->items);
}

/* A source that does not compile has a Program; any other failure is raised. */
static PyObject *batch_take(struct batch *b)
{
    PyObject *list = PyList_New((Py_ssize_t) b->count);
    for (size_t i = 0; list && i < b->count; i++) {
        bind_program *p = bind_new(b->state->program_type);
        if (!p) {
            Py_CLEAR(list);
            break;
        }
        p->program = b->jobs[i].program;
        p->has_succeeded = b->jobs[i].status == 0;
        b->jobs[i].program = NULL;
        PyList_SET_ITEM(list, (Py_ssize_t) i, (PyObject *) p);
    }
    return list;
}

static int batch_run(struct batch *b, unsigned parallel)
{
    runcu_program_jobs_params params = {
        .size = sizeof params, .parallel = parallel, .progress = on_progress, .progress_user = b};
    int status;
    BIND_UNLOCKED(status, runcu_program_compile_jobs(b->jobs, b->count, &params));
    for (size_t i = 0; i < b->count; i++)
        if (b->jobs[i].status && !b->jobs[i].program)
            return bind_check(b->state, status);
    return bind_check(b->state, 0);
}

static PyObject *compile_jobs(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "requests", (char *) "parallel", (char *) "progress", NULL};
    struct batch batch = {.state = bind_module_state(module), .progress = Py_None};
    PyObject *requests, *list = NULL;
    unsigned parallel = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$IO:compile_jobs", names, &requests,
                                     &parallel, &batch.progress))
        return NULL;
    if (!batch_init(&batch, requests) && !batch_run(&batch, parallel))
        list = batch_take(&batch);
    batch_fini(&batch);
    return list;
}

static PyObject *worker_path(PyObject *module, PyObject *value)
{
    const char *path;
    if (bind_text_get(&path, value, "path") ||
        bind_check(bind_module_state(module), runcu_worker_path(path)))
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef bind_batch_functions[] = {
    {"compile_jobs", (PyCFunction) (void (*)(void)) compile_jobs, METH_VARARGS | METH_KEYWORDS,
     "compile_jobs($module, requests, *, parallel=0, progress=None)\n--\n\n"
     "Compiles many sources at once, to a list of Program in their order: each request is a dict "
     "of the arguments of Program."},
    {"worker_path", worker_path, METH_O,
     "worker_path($module, path, /)\n--\n\nWhere the program runcu-worker lies."},
    {NULL, NULL, 0, NULL},
};

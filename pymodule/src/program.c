/* Program: what compiling a source came to. compiler.py makes exceptions and warnings of it. */
#include "core.h"

#include <limits.h>
#include <structseq.h>
#include <time.h>

/* A list of texts as the C library takes them; the strings belong to `items`. */
struct texts {
    PyObject *items; /* a tuple */
    const char **at;
    size_t count;
};

static int texts_get(struct texts *out, PyObject *values, const char *what)
{
    *out = (struct texts){0};
    if (!values || values == Py_None)
        return 0;
    if (PyUnicode_Check(values))
        return bind_raise(PyExc_TypeError, "%s must be a list of str, not a str", what);
    out->items = PySequence_Tuple(values);
    if (!out->items)
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(out->items);
    out->at = PyMem_Calloc((size_t) count + 1, sizeof *out->at);
    for (Py_ssize_t i = 0; out->at && i < count; i++) {
        PyObject *item = PyTuple_GET_ITEM(out->items, i);
        Py_ssize_t len;
        const char *text = PyUnicode_Check(item) ? PyUnicode_AsUTF8AndSize(item, &len) : NULL;
        if (!text)
            return PyErr_Occurred()
                       ? -1
                       : bind_raise(PyExc_TypeError, "%s must be a list of str, not of %.200s",
                                    what, Py_TYPE(item)->tp_name);
        if (strlen(text) != (size_t) len)
            return bind_raise(PyExc_ValueError, "%s: a NUL character in %R", what, item);
        out->at[i] = text;
    }
    out->count = (size_t) count;
    return out->at ? 0 : (PyErr_NoMemory(), -1);
}

static void texts_release(struct texts *texts)
{
    PyMem_Free(texts->at);
    Py_CLEAR(texts->items);
}

/* An optional text; NULL for None. */
static int text_get(const char **out, PyObject *value, const char *what)
{
    Py_ssize_t len;
    *out = NULL;
    if (!value || value == Py_None)
        return 0;
    if (!PyUnicode_Check(value))
        return bind_raise(PyExc_TypeError, "%s must be a str, not %.200s", what,
                          Py_TYPE(value)->tp_name);
    *out = PyUnicode_AsUTF8AndSize(value, &len);
    if (*out && strlen(*out) != (size_t) len)
        return bind_raise(PyExc_ValueError, "%s contains a NUL character", what);
    return *out ? 0 : -1;
}

/* A dict of texts by name. */
struct headers {
    PyObject *items; /* a list of pairs, which own the texts */
    runcu_header *at;
    size_t count;
};

static int header_get(runcu_header *out, PyObject *pair)
{
    if (text_get(&out->name, PyTuple_GET_ITEM(pair, 0), "a name in headers") ||
        text_get(&out->text, PyTuple_GET_ITEM(pair, 1), "a text in headers"))
        return -1;
    if (!out->name || !out->text)
        return bind_raise(PyExc_TypeError, "headers must be a dict of str to str, without None");
    return 0;
}

static int headers_get(struct headers *out, PyObject *value)
{
    *out = (struct headers){0};
    if (!value || value == Py_None)
        return 0;
    if (!PyDict_Check(value))
        return bind_raise(PyExc_TypeError, "headers must be a dict of str to str, not %.200s",
                          Py_TYPE(value)->tp_name);
    out->items = PyDict_Items(value);
    Py_ssize_t count = out->items ? PyList_GET_SIZE(out->items) : 0;
    out->at = out->items ? PyMem_Calloc((size_t) count + 1, sizeof *out->at) : NULL;
    if (!out->at)
        return out->items ? (PyErr_NoMemory(), -1) : -1;
    for (Py_ssize_t i = 0; i < count; i++)
        if (header_get(&out->at[i], PyList_GET_ITEM(out->items, i)))
            return -1;
    out->count = (size_t) count;
    return 0;
}

static void headers_release(struct headers *headers)
{
    PyMem_Free(headers->at);
    Py_CLEAR(headers->items);
}

struct request {
    PyObject *source, *options, *include_dirs, *name, *arch, *cache_dir, *keep_dir, *device;
    PyObject *name_expressions, *headers;
    int no_cache, extern_c;
    unsigned time_limit; /* milliseconds */
};

struct lists {
    struct texts options, include_dirs, name_expressions;
    struct headers headers;
};

static int lists_get(struct lists *out, const struct request *r)
{
    *out = (struct lists){0};
    if (texts_get(&out->options, r->options, "options") ||
        texts_get(&out->include_dirs, r->include_dirs, "include_dirs") ||
        texts_get(&out->name_expressions, r->name_expressions, "name_expressions"))
        return -1;
    return headers_get(&out->headers, r->headers);
}

static void lists_release(struct lists *lists)
{
    texts_release(&lists->options);
    texts_release(&lists->include_dirs);
    texts_release(&lists->name_expressions);
    headers_release(&lists->headers);
}

/* Borrows from the request and the lists. */
static int params_get(runcu_program_params *out, const bind_state *state, const struct request *r,
                      const struct lists *lists)
{
    runcu_program_params params = {.size = sizeof params,
                                   .no_cache = r->no_cache,
                                   .extern_c = r->extern_c,
                                   .time_limit = r->time_limit};
    if (text_get(&params.name, r->name, "name") || text_get(&params.arch_text, r->arch, "arch") ||
        text_get(&params.cache_dir, r->cache_dir, "cache_dir") ||
        text_get(&params.keep_dir, r->keep_dir, "keep_dir"))
        return -1;
    if (r->device && r->device != Py_None) {
        if (!PyObject_TypeCheck(r->device, state->device_type))
            return bind_raise(PyExc_TypeError, "device must be a Device, not %.200s",
                              Py_TYPE(r->device)->tp_name);
        params.device = ((bind_device *) r->device)->device;
    }
    params.options = lists->options.at;
    params.option_count = lists->options.count;
    params.include_dirs = lists->include_dirs.at;
    params.include_dir_count = lists->include_dirs.count;
    params.name_expressions = lists->name_expressions.at;
    params.name_expression_count = lists->name_expressions.count;
    params.headers = lists->headers.at;
    params.header_count = lists->headers.count;
    *out = params;
    return 0;
}

static int source_get(const char **out, PyObject *source)
{
    if (text_get(out, source, "source"))
        return -1;
    return *out ? 0 : bind_raise(PyExc_TypeError, "source must be a str, not None");
}

/* NVRTC asks hundreds of times, and the GIL may be busy. */
struct asker {
    bind_state *state;
    double asked; /* seconds */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static int ask_sometimes(void *user)
{
    struct asker *asker = user;
    double time = now();
    if (time - asker->asked < 0.05)
        return 0;
    asker->asked = time;
    return bind_on_wait(asker->state);
}

static int compile_into(bind_program *self, const struct request *r, const struct lists *lists)
{
    bind_state *state = self->state;
    const char *source;
    runcu_program_params params;
    int status;
    if (source_get(&source, r->source) || params_get(&params, state, r, lists))
        return -1;
    struct asker asker = {state, now()};
    params.cancel = ask_sometimes;
    params.cancel_user = &asker;
    BIND_UNLOCKED(status, runcu_program_compile(&self->program, source, &params));
    self->has_succeeded = status == 0;
    return bind_check(state, status == RUNCU_ERROR_COMPILE && self->program ? 0 : status);
}

/* Seconds to milliseconds; 0: none. */
static int limit_get(unsigned *out, double seconds)
{
    if (!(seconds >= 0))
        return bind_raise(PyExc_ValueError, "time_limit is a number of seconds, 0 for none");
    *out = seconds > 4e6 ? UINT_MAX : (unsigned) (seconds * 1000 + 0.999);
    return 0;
}

static PyObject *program_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "source",
                            (char *) "options",
                            (char *) "include_dirs",
                            (char *) "name",
                            (char *) "arch",
                            (char *) "cache_dir",
                            (char *) "keep_dir",
                            (char *) "device",
                            (char *) "no_cache",
                            (char *) "extern_c",
                            (char *) "name_expressions",
                            (char *) "headers",
                            (char *) "time_limit",
                            NULL};
    struct request r = {0};
    struct lists lists = {0};
    double seconds = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOOOOppOOd:Program", names, &r.source,
                                     &r.options, &r.include_dirs, &r.name, &r.arch, &r.cache_dir,
                                     &r.keep_dir, &r.device, &r.no_cache, &r.extern_c,
                                     &r.name_expressions, &r.headers, &seconds) ||
        limit_get(&r.time_limit, seconds))
        return NULL;
    bind_program *self = bind_new(type);
    int status = self && lists_get(&lists, &r) == 0 ? compile_into(self, &r, &lists) : -1;
    lists_release(&lists);
    if (status != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static void program_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    runcu_program_destroy(&((bind_program *) self)->program);
    bind_end_dealloc(self);
}

static PyObject *text_of(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
}

static runcu_program *program_of(PyObject *self)
{
    return ((bind_program *) self)->program;
}

static PyObject *program_succeeded(PyObject *self, void *closure)
{
    (void) closure;
    return PyBool_FromLong(((bind_program *) self)->has_succeeded);
}

static PyObject *program_cubin(PyObject *self, void *closure)
{
    (void) closure;
    size_t bytes;
    const void *cubin = runcu_program_cubin(program_of(self), &bytes);
    if (!cubin)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(cubin, (Py_ssize_t) bytes);
}

static PyObject *program_ptx(PyObject *self, void *closure)
{
    (void) closure;
    size_t bytes;
    const char *ptx = runcu_program_ptx(program_of(self), &bytes);
    if (!ptx)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(ptx, (Py_ssize_t) bytes);
}

static PyObject *program_was_cached(PyObject *self, void *closure)
{
    (void) closure;
    return PyBool_FromLong(runcu_program_was_cached(program_of(self)));
}

/* log, report, options, arch: one getter, the C function being the closure. */
struct text_getter {
    const char *(*get)(const runcu_program *program);
};
static const struct text_getter get_log = {runcu_program_log}, get_report = {runcu_program_report},
                                get_options = {runcu_program_options},
                                get_arch = {runcu_program_arch};

static PyObject *program_text(PyObject *self, void *closure)
{
    const char *text = ((const struct text_getter *) closure)->get(program_of(self));
    return text_of(text ? text : "");
}

static PyObject *program_lowered_name(PyObject *self, PyObject *value)
{
    const char *expression;
    if (text_get(&expression, value, "expression"))
        return NULL;
    const char *name = expression ? runcu_program_lowered_name(program_of(self), expression) : NULL;
    if (name)
        return text_of(name);
    PyErr_Format(PyExc_KeyError, "%R is none of the program's name expressions", value);
    return NULL;
}

static PyMethodDef program_methods[] = {
    {"lowered_name", program_lowered_name, METH_O,
     "lowered_name($self, expression, /)\n--\n\n"
     "The name in the PTX of what a name expression means.\n\n"
     "Raises\n------\nKeyError\n    It is none of those that were asked for."},
    {NULL, NULL, 0, NULL},
};

/* --- diagnostics --- */

static PyStructSequence_Field diagnostic_fields[] = {
    {"severity", "\"error\", \"warning\", \"remark\" or \"note\"."},
    {"file", "Its file."},
    {"line", "Line from 1; 0: none."},
    {"column", "Column from 1; 0: unknown."},
    {"text", "The message."},
    {"code", "NVRTC's number (\"#177-D\"), or \"\"."},
    {"source", "The line of the source, or \"\"."},
    {NULL, NULL},
};

static PyStructSequence_Desc diagnostic_desc = {
    "runcu.compiler.Diagnostic", "One message of the compiler.", diagnostic_fields, 7};

int bind_diagnostic_init(bind_state *state)
{
    state->diagnostic_type = PyStructSequence_NewType(&diagnostic_desc);
    return state->diagnostic_type ? 0 : -1;
}

static const char *severity_name(int severity)
{
    static const char *const names[] = {"", "note", "remark", "warning", "error"};
    return severity >= RUNCU_NOTE && severity <= RUNCU_ERROR ? names[severity] : "error";
}

static PyObject *new_diagnostic(bind_state *state, const runcu_diagnostic *d)
{
    PyObject *out = PyStructSequence_New(state->diagnostic_type);
    if (!out)
        return NULL;
    PyObject *fields[] = {
        text_of(severity_name(d->severity)),
        text_of(d->file),
        PyLong_FromUnsignedLong(d->line),
        PyLong_FromUnsignedLong(d->column),
        text_of(d->text),
        text_of(d->code),
        text_of(d->source),
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        PyStructSequence_SET_ITEM(out, (Py_ssize_t) i, fields[i]);
    if (PyErr_Occurred())
        Py_CLEAR(out);
    return out;
}

static PyObject *program_diagnostics(PyObject *self, void *closure)
{
    (void) closure;
    size_t count = 0;
    const runcu_diagnostic *rows = runcu_program_diagnostics(program_of(self), &count);
    PyObject *out = PyTuple_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *row = new_diagnostic(((bind_program *) self)->state, &rows[i]);
        if (row)
            PyTuple_SET_ITEM(out, (Py_ssize_t) i, row);
        else
            Py_CLEAR(out);
    }
    return out;
}

static PyGetSetDef program_getset[] = {
    {"succeeded", program_succeeded, NULL, "False if the source does not compile.", NULL},
    {"cubin", program_cubin, NULL, "Machine code as bytes, or None.", NULL},
    {"ptx", program_ptx, NULL, "PTX as bytes, or None.", NULL},
    {"log", program_text, NULL, "NVRTC's log as it stands.", (void *) &get_log},
    {"report", program_text, NULL, "The diagnostics with their source lines, for a terminal.",
     (void *) &get_report},
    {"options", program_text, NULL, "The options that NVRTC was given, one a line.",
     (void *) &get_options},
    {"arch", program_text, NULL, "\"sm_90\", \"compute_75\".", (void *) &get_arch},
    {"was_cached", program_was_cached, NULL, "True if it came from the cache.", NULL},
    {"diagnostics", program_diagnostics, NULL, "The compiler's messages: a tuple of Diagnostic.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef program_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot program_slots[] = {
    {Py_tp_doc, (char *) "Program(source, *, options=None, include_dirs=None, name=None, "
                         "arch=None, cache_dir=None, keep_dir=None, device=None, "
                         "no_cache=False, extern_c=False, name_expressions=None, "
                         "headers=None, time_limit=0)\n--\n\n"
                         "Compiles CUDA C++. A source that does not compile makes an object too: "
                         "see `succeeded`."},
    {Py_tp_new, program_new},
    {Py_tp_dealloc, program_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, program_methods},
    {Py_tp_getset, program_getset},
    {Py_tp_members, program_members},
    {0, NULL},
};

PyType_Spec bind_program_spec = {"runcu.compiler.Program", sizeof(bind_program), 0, BIND_FLAGS,
                                 program_slots};

/* --- many at once --- */

struct batch {
    bind_state *state;
    PyObject *progress, *items; /* items: a tuple, which owns the sources */
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

static int batch_init(struct batch *b, PyObject *sources, const runcu_program_params *params)
{
    b->items = PySequence_Tuple(sources);
    b->count = b->items ? (size_t) PyTuple_GET_SIZE(b->items) : 0;
    b->jobs = b->items ? PyMem_Calloc(b->count + 1, sizeof *b->jobs) : NULL;
    if (!b->jobs)
        return b->items ? (PyErr_NoMemory(), -1) : -1;
    for (size_t i = 0; i < b->count; i++) {
        b->jobs[i].params = params;
        if (source_get(&b->jobs[i].source, PyTuple_GET_ITEM(b->items, (Py_ssize_t) i)))
            return -1;
    }
    return 0;
}

static void batch_fini(struct batch *b)
{
    if (b->jobs)
        runcu_program_jobs_fini(b->jobs, b->count);
    PyMem_Free(b->jobs);
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
    static char *names[] = {(char *) "sources",
                            (char *) "options",
                            (char *) "include_dirs",
                            (char *) "arch",
                            (char *) "cache_dir",
                            (char *) "device",
                            (char *) "no_cache",
                            (char *) "name_expressions",
                            (char *) "headers",
                            (char *) "time_limit",
                            (char *) "parallel",
                            (char *) "progress",
                            NULL};
    struct request r = {0};
    struct lists lists = {0};
    struct batch batch = {.state = bind_module_state(module), .progress = Py_None};
    runcu_program_params params;
    double seconds = 0;
    unsigned parallel = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOOpOOdIO:compile_jobs", names, &r.source,
                                     &r.options, &r.include_dirs, &r.arch, &r.cache_dir, &r.device,
                                     &r.no_cache, &r.name_expressions, &r.headers, &seconds,
                                     &parallel, &batch.progress) ||
        limit_get(&r.time_limit, seconds))
        return NULL;
    PyObject *list = NULL;
    if (!lists_get(&lists, &r) && !params_get(&params, batch.state, &r, &lists) &&
        !batch_init(&batch, r.source, &params) && !batch_run(&batch, parallel))
        list = batch_take(&batch);
    batch_fini(&batch);
    lists_release(&lists);
    return list;
}

static PyObject *worker_path(PyObject *module, PyObject *value)
{
    const char *path;
    if (text_get(&path, value, "path") ||
        bind_check(bind_module_state(module), runcu_worker_path(path)))
        return NULL;
    Py_RETURN_NONE;
}

/* --- functions of the module --- */

static PyObject *nvrtc_search(PyObject *module, PyObject *folders)
{
    struct texts texts;
    int status = texts_get(&texts, folders, "folders");
    if (status == 0)
        status = bind_check(bind_module_state(module), runcu_nvrtc_search(texts.at, texts.count));
    texts_release(&texts);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *nvrtc_version(PyObject *module, PyObject *unused)
{
    (void) unused;
    int major, minor, status;
    const char *path;
    BIND_UNLOCKED(status, runcu_nvrtc_version(&major, &minor, &path));
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return Py_BuildValue("(iis)", major, minor, path);
}

static PyObject *nvrtc_is_loaded(PyObject *module, PyObject *unused)
{
    (void) module;
    (void) unused;
    return PyBool_FromLong(runcu_nvrtc_is_loaded());
}

PyMethodDef bind_program_functions[] = {
    {"nvrtc_search", nvrtc_search, METH_O,
     "nvrtc_search($module, folders, /)\n--\n\nFolders in which NVRTC is sought first."},
    {"compile_jobs", (PyCFunction) (void (*)(void)) compile_jobs, METH_VARARGS | METH_KEYWORDS,
     "compile_jobs($module, sources, *, options=None, include_dirs=None, arch=None, "
     "cache_dir=None, device=None, no_cache=False, name_expressions=None, headers=None, "
     "time_limit=0, parallel=0, progress=None)\n--\n\n"
     "Compiles many sources at once, to a list of Program in their order."},
    {"worker_path", worker_path, METH_O,
     "worker_path($module, path, /)\n--\n\nWhere the program runcu-worker lies."},
    {"nvrtc_version", nvrtc_version, METH_NOARGS,
     "nvrtc_version($module, /)\n--\n\nMajor and minor version and path of NVRTC, which is loaded "
     "for it."},
    {"nvrtc_is_loaded", nvrtc_is_loaded, METH_NOARGS,
     "nvrtc_is_loaded($module, /)\n--\n\nWhether NVRTC has been loaded."},
    {NULL, NULL, 0, NULL},
};

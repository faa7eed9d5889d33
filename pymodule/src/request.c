/* What compiling is asked for in Python, as the C library takes it. */
#include "request.h"

#include <limits.h>

int bind_texts_get(struct bind_texts *out, PyObject *values, const char *what)
{
    *out = (struct bind_texts){0};
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

void bind_texts_release(struct bind_texts *texts)
{
    PyMem_Free(texts->at);
    Py_CLEAR(texts->items);
}

int bind_text_get(const char **out, PyObject *value, const char *what)
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

static int header_get(runcu_header *out, PyObject *pair)
{
    if (bind_text_get(&out->name, PyTuple_GET_ITEM(pair, 0), "a name in headers") ||
        bind_text_get(&out->text, PyTuple_GET_ITEM(pair, 1), "a text in headers"))
        return -1;
    if (!out->name || !out->text)
        return bind_raise(PyExc_TypeError, "headers must be a dict of str to str, without None");
    return 0;
}

static int headers_get(struct bind_headers *out, PyObject *value)
{
    *out = (struct bind_headers){0};
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

static void headers_release(struct bind_headers *headers)
{
    PyMem_Free(headers->at);
    Py_CLEAR(headers->items);
}

/* The arguments as they are given; all borrowed. */
struct given {
    PyObject *source, *options, *include_dirs, *name, *arch, *cache_dir, *keep_dir, *device;
    PyObject *name_expressions, *headers, *shared_cache_dir;
    int no_cache, extern_c, no_device;
    double time_limit; /* seconds */
};

static int given_get(struct given *out, PyObject *args, PyObject *kwargs)
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
                            (char *) "no_device",
                            (char *) "shared_cache_dir",
                            NULL};
    *out = (struct given){0};
    return PyArg_ParseTupleAndKeywords(
               args, kwargs, "O|$OOOOOOOppOOdpO:Program", names, &out->source, &out->options,
               &out->include_dirs, &out->name, &out->arch, &out->cache_dir, &out->keep_dir,
               &out->device, &out->no_cache, &out->extern_c, &out->name_expressions, &out->headers,
               &out->time_limit, &out->no_device, &out->shared_cache_dir)
               ? 0
               : -1;
}

static int lists_get(bind_request *out, const struct given *g)
{
    runcu_program_params *p = &out->params;
    if (bind_texts_get(&out->options, g->options, "options") ||
        bind_texts_get(&out->include_dirs, g->include_dirs, "include_dirs") ||
        bind_texts_get(&out->name_expressions, g->name_expressions, "name_expressions") ||
        headers_get(&out->headers, g->headers))
        return -1;
    p->options = out->options.at;
    p->option_count = out->options.count;
    p->include_dirs = out->include_dirs.at;
    p->include_dir_count = out->include_dirs.count;
    p->name_expressions = out->name_expressions.at;
    p->name_expression_count = out->name_expressions.count;
    p->headers = out->headers.at;
    p->header_count = out->headers.count;
    return 0;
}

static int texts_of(bind_request *out, const struct given *g)
{
    runcu_program_params *p = &out->params;
    if (bind_text_get(&out->source, g->source, "source") ||
        bind_text_get(&p->name, g->name, "name") || bind_text_get(&p->arch_text, g->arch, "arch") ||
        bind_text_get(&p->cache_dir, g->cache_dir, "cache_dir") ||
        bind_text_get(&p->shared_cache_dir, g->shared_cache_dir, "shared_cache_dir") ||
        bind_text_get(&p->keep_dir, g->keep_dir, "keep_dir"))
        return -1;
    return out->source ? 0 : bind_raise(PyExc_TypeError, "source must be a str, not None");
}

static int device_get(runcu_device **out, const bind_state *state, PyObject *value)
{
    if (!value || value == Py_None)
        return 0;
    if (!PyObject_TypeCheck(value, state->device_type))
        return bind_raise(PyExc_TypeError, "device must be a Device, not %.200s",
                          Py_TYPE(value)->tp_name);
    *out = ((bind_device *) value)->device;
    return 0;
}

/* Seconds to milliseconds; 0: none. */
static int limit_get(unsigned *out, double seconds)
{
    if (!(seconds >= 0))
        return bind_raise(PyExc_ValueError, "time_limit is a number of seconds, 0 for none");
    *out = seconds > 4e6 ? UINT_MAX : (unsigned) (seconds * 1000 + 0.999);
    return 0;
}

int bind_request_get(bind_request *out, const bind_state *state, PyObject *args, PyObject *kwargs)
{
    struct given g;
    *out = (bind_request){.params.size = sizeof out->params};
    if (given_get(&g, args, kwargs) || texts_of(out, &g) || lists_get(out, &g) ||
        device_get(&out->params.device, state, g.device) ||
        limit_get(&out->params.time_limit, g.time_limit))
        return -1;
    out->params.no_cache = g.no_cache;
    out->params.extern_c = g.extern_c;
    out->params.no_device = g.no_device;
    return 0;
}

void bind_request_release(bind_request *request)
{
    bind_texts_release(&request->options);
    bind_texts_release(&request->include_dirs);
    bind_texts_release(&request->name_expressions);
    headers_release(&request->headers);
}

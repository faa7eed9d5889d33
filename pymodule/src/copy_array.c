/* Functions that copy to and from one-dimensional arrays, and between contexts. */
#include "core.h"

static PyObject *none_or_null(bind_state *state, int status)
{
    if (bind_check(state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static int read_context(runcu_context **out, bind_state *state, PyObject *value)
{
    *out = NULL;
    if (!value || value == Py_None)
        return 0;
    if (!PyObject_TypeCheck(value, state->context_type))
        return bind_raise(PyExc_TypeError, "a Context is expected, not %.200s",
                          Py_TYPE(value)->tp_name);
    *out = ((bind_context *) value)->context;
    return 0;
}

static int read_peer(runcu_peer_copy *out, bind_state *state, PyObject **values)
{
    *out = (runcu_peer_copy){.size = sizeof *out};
    return bind_address(&out->to, state, values[0]) || bind_address(&out->from, state, values[1]) ||
                   bind_size(&out->bytes, values[2], "size") ||
                   read_context(&out->to_context, state, values[3]) ||
                   read_context(&out->from_context, state, values[4])
               ? -1
               : 0;
}

static PyObject *memcpy_peer(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_peer", 3, {"dest", "src", "size", "dest_context", "src_context", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[5];
    runcu_peer_copy copy;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_peer(&copy, state, values) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_peer(&copy));
    return none_or_null(state, status);
}

static PyObject *memcpy_peer_async(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_peer_async",
        3,
        {"dest", "src", "size", "dest_context", "src_context", "stream", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[6], *keep;
    runcu_peer_copy copy;
    runcu_stream *stream;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_peer(&copy, state, values) != 0 || bind_stream(&stream, &keep, state, values[5]) != 0)
        return NULL;
    BIND_QUEUED(status, runcu_copy_peer_async(&copy, stream));
    if (status == 0 && bind_capture_hold(state, stream, values, 2) != 0) {
        Py_XDECREF(keep);
        return NULL;
    }
    Py_XDECREF(keep);
    return none_or_null(state, status);
}

static PyObject *memcpy_dtoa(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_dtoa", 4, {"ary", "index", "src", "len", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[4];
    runcu_array *array;
    size_t index, bytes;
    uint64_t from;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_cuarray_get(&array, state, values[0]) != 0 ||
        bind_size(&index, values[1], "index") != 0 || bind_address(&from, state, values[2]) != 0 ||
        bind_size(&bytes, values[3], "len") != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_dtoa(array, index, from, bytes));
    return none_or_null(state, status);
}

static PyObject *memcpy_atod(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_atod", 4, {"dest", "ary", "index", "len", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[4];
    runcu_array *array;
    size_t index, bytes;
    uint64_t to;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&to, state, values[0]) != 0 ||
        bind_cuarray_get(&array, state, values[1]) != 0 ||
        bind_size(&index, values[2], "index") != 0 || bind_size(&bytes, values[3], "len") != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_atod(to, array, index, bytes));
    return none_or_null(state, status);
}

static PyObject *memcpy_atoa(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_atoa", 5, {"dest", "dest_index", "src", "src_index", "len", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[5];
    runcu_array *to, *from;
    size_t to_index, from_index, bytes;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_cuarray_get(&to, state, values[0]) != 0 ||
        bind_size(&to_index, values[1], "dest_index") != 0 ||
        bind_cuarray_get(&from, state, values[2]) != 0 ||
        bind_size(&from_index, values[3], "src_index") != 0 ||
        bind_size(&bytes, values[4], "len") != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_atoa(to, to_index, from, from_index, bytes));
    return none_or_null(state, status);
}

/* A part of an array and the host memory that it is copied to or from. */
struct line {
    runcu_array *array;
    size_t index;
    struct bind_buffer buffer;
};

static int read_line(struct line *out, bind_state *state, PyObject **values, PyObject *host,
                     bool writable)
{
    if (bind_cuarray_get(&out->array, state, values[0]) != 0 ||
        bind_size(&out->index, values[1], "index") != 0)
        return -1;
    return bind_buffer_get(&out->buffer, state, host, writable);
}

static PyObject *memcpy_htoa(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_htoa", 3, {"ary", "index", "src", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3];
    struct line line;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_line(&line, state, values, values[2], false) != 0)
        return NULL;
    BIND_UNLOCKED(status,
                  runcu_copy_htoa(line.array, line.index, line.buffer.data, line.buffer.bytes));
    bind_buffer_release(&line.buffer);
    return none_or_null(state, status);
}

static PyObject *memcpy_atoh(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_atoh", 3, {"dest", "ary", "index", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3];
    struct line line;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        read_line(&line, state, values + 1, values[0], true) != 0)
        return NULL;
    BIND_UNLOCKED(status,
                  runcu_copy_atoh(line.buffer.data, line.array, line.index, line.buffer.bytes));
    bind_buffer_release(&line.buffer);
    return none_or_null(state, status);
}

#define ENTRY(name, signature, doc)                                                \
    {                                                                              \
#name, (PyCFunction) (void (*)(void)) name, METH_FASTCALL | METH_KEYWORDS, \
            #name signature "\n--\n\n" doc                                         \
    }

PyMethodDef bind_copy_array_functions[] = {
    ENTRY(memcpy_peer, "($module, dest, src, size, dest_context=None, src_context=None)",
          "Copies `size` bytes from the memory of one context to that of another; None is the "
          "current one."),
    ENTRY(memcpy_peer_async,
          "($module, dest, src, size, dest_context=None, src_context=None, stream=None)",
          "As memcpy_peer, when the stream gets there."),
    ENTRY(memcpy_dtoa, "($module, ary, index, src, len)",
          "Copies `len` bytes of device memory to a one-dimensional Array, from byte `index` on."),
    ENTRY(memcpy_atod, "($module, dest, ary, index, len)",
          "Copies `len` bytes of a one-dimensional Array, from byte `index` on, to device memory."),
    ENTRY(memcpy_atoa, "($module, dest, dest_index, src, src_index, len)",
          "Copies `len` bytes from one one-dimensional Array to another."),
    ENTRY(memcpy_htoa, "($module, ary, index, src)",
          "Copies all bytes of host memory to a one-dimensional Array, from byte `index` on."),
    ENTRY(memcpy_atoh, "($module, dest, ary, index)",
          "Fills host memory with bytes of a one-dimensional Array, from byte `index` on."),
    {NULL, NULL, 0, NULL},
};

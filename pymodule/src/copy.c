/* Copies and fills. Host memory of an asynchronous copy is held here until the copy is done. */
#include "core.h"

/* --- host memory in use by copies --- */

/* One copy on its way. Freed once its event has happened, at the next call that waits or copies. */
struct pending {
    struct pending *next;
    struct bind_buffer buffer;
    runcu_event *event;
};

/* Guarded by the GIL, or by the lock where there is none. */
static struct pending *pendings;
static atomic_flag pending_lock = ATOMIC_FLAG_INIT;

static void lock_pendings(void)
{
    while (atomic_flag_test_and_set_explicit(&pending_lock, memory_order_acquire))
        ;
}

static void unlock_pendings(void)
{
    atomic_flag_clear_explicit(&pending_lock, memory_order_release);
}

/* A failed query means that the context is dead or sick: nothing copies there any more. */
static bool is_over(struct pending *p)
{
    int done = 1;
    return runcu_event_is_done(&done, p->event) != 0 || done;
}

void bind_release_done(void)
{
    struct pending *done = NULL;
    bind_callbacks_release();
    if (!pendings)
        return;
    lock_pendings();
    for (struct pending **at = &pendings; *at;) {
        struct pending *p = *at;
        if (!is_over(p)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        p->next = done;
        done = p;
    }
    unlock_pendings();
    struct pending *next;
    for (struct pending *p = done; p; p = next) { /* Python code may run here */
        next = p->next;
        bind_buffer_release(&p->buffer);
        runcu_event_destroy(&p->event);
        PyMem_Free(p);
    }
}

int bind_hold_buffer(bind_state *state, struct bind_buffer *buffer, runcu_stream *stream)
{
    enum { CU_EVENT_DISABLE_TIMING = 2 };
    int captured = bind_capture_buffer(state, buffer, stream);
    if (captured)
        return captured < 0 ? -1 : 0;
    struct pending *p = PyMem_Calloc(1, sizeof *p);
    int status = p ? runcu_event_create(&p->event, CU_EVENT_DISABLE_TIMING) : 0;
    if (p && status == 0)
        status = runcu_event_record(p->event, stream);
    if (!p || status != 0) { /* then the copy is waited for at once */
        if (p)
            runcu_event_destroy(&p->event);
        PyMem_Free(p);
        BIND_UNLOCKED(status, runcu_stream_synchronize(stream));
        bind_buffer_release(buffer);
        return bind_check(state, status);
    }
    p->buffer = *buffer;
    lock_pendings();
    p->next = pendings;
    pendings = p;
    unlock_pendings();
    return 0;
}

/* --- copies --- */

static PyObject *none_or_null(int status)
{
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *memcpy_htod(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {"memcpy_htod", 2, {"dest", "src", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[2];
    struct bind_buffer buffer;
    uint64_t address;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&address, state, values[0]) != 0 ||
        bind_buffer_get(&buffer, state, values[1], false) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_htod(address, buffer.data, buffer.bytes));
    bind_buffer_release(&buffer);
    return none_or_null(bind_check(state, status));
}

static PyObject *memcpy_dtoh(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {"memcpy_dtoh", 2, {"dest", "src", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[2];
    struct bind_buffer buffer;
    uint64_t address;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&address, state, values[1]) != 0 ||
        bind_buffer_get(&buffer, state, values[0], true) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_dtoh(buffer.data, address, buffer.bytes));
    bind_buffer_release(&buffer);
    return none_or_null(bind_check(state, status));
}

/* Takes the parsed pieces of a copy with a stream: the buffer stays held until the copy is done. */
static PyObject *finish_async(bind_state *state, int status, struct bind_buffer *buffer,
                              runcu_stream *stream)
{
    bind_release_done();
    if (status == 0)
        return none_or_null(bind_check(state, bind_hold_buffer(state, buffer, stream)));
    bind_buffer_release(buffer);
    return none_or_null(bind_check(state, status));
}

static PyObject *memcpy_htod_async(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_htod_async", 2, {"dest", "src", "stream", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3], *keep;
    struct bind_buffer buffer;
    runcu_stream *stream;
    uint64_t address;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&address, state, values[0]) != 0 ||
        bind_stream(&stream, &keep, state, values[2]) != 0)
        return NULL;
    PyObject *out = NULL;
    if (bind_buffer_get(&buffer, state, values[1], false) == 0) {
        BIND_UNLOCKED(status, runcu_copy_htod_async(address, buffer.data, buffer.bytes, stream));
        out = finish_async(state, status, &buffer, stream);
        if (out && bind_capture_hold(state, stream, &values[0], 1) != 0)
            Py_CLEAR(out);
    }
    Py_XDECREF(keep);
    return out;
}

static PyObject *memcpy_dtoh_async(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_dtoh_async", 2, {"dest", "src", "stream", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3], *keep;
    struct bind_buffer buffer;
    runcu_stream *stream;
    uint64_t address;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&address, state, values[1]) != 0 ||
        bind_stream(&stream, &keep, state, values[2]) != 0)
        return NULL;
    PyObject *out = NULL;
    if (bind_buffer_get(&buffer, state, values[0], true) == 0) {
        BIND_UNLOCKED(status, runcu_copy_dtoh_async(buffer.data, address, buffer.bytes, stream));
        out = finish_async(state, status, &buffer, stream);
        if (out && bind_capture_hold(state, stream, &values[1], 1) != 0)
            Py_CLEAR(out);
    }
    Py_XDECREF(keep);
    return out;
}

static PyObject *memcpy_dtod(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_dtod", 3, {"dest", "src", "size", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3];
    uint64_t to, from;
    size_t bytes;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&to, state, values[0]) != 0 || bind_address(&from, state, values[1]) != 0 ||
        bind_size(&bytes, values[2], "size") != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_dtod(to, from, bytes));
    return none_or_null(bind_check(state, status));
}

static PyObject *memcpy_dtod_async(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "memcpy_dtod_async", 3, {"dest", "src", "size", "stream", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[4], *keep;
    runcu_stream *stream;
    uint64_t to, from;
    size_t bytes;
    int status;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_address(&to, state, values[0]) != 0 || bind_address(&from, state, values[1]) != 0 ||
        bind_size(&bytes, values[2], "size") != 0 ||
        bind_stream(&stream, &keep, state, values[3]) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_copy_dtod_async(to, from, bytes, stream));
    status = bind_check(state, status);
    if (status == 0)
        status = bind_capture_hold(state, stream, values, 2);
    Py_XDECREF(keep);
    return none_or_null(status);
}

/* --- fills --- */

static int read_value(runcu_fill *fill, PyObject *value)
{
    size_t n;
    if (bind_size(&n, value, "data") != 0)
        return -1;
    if (n >> (8 * fill->width - 1) > 1)
        return bind_raise(PyExc_OverflowError, "%S does not fit %d bits", value,
                          (int) (8 * fill->width));
    fill->value = (uint32_t) n;
    return 0;
}

/* The arguments of all twelve functions: (dest, data, count) or (dest, pitch, data, width, height),
 * and perhaps a stream. */
static int read_fill(runcu_fill *fill, bind_state *state, PyObject **values, bool is_2d)
{
    if (bind_address(&fill->to, state, values[0]) != 0 ||
        read_value(fill, values[is_2d ? 2 : 1]) != 0)
        return -1;
    if (!is_2d)
        return bind_size(&fill->count, values[2], "count");
    return bind_size(&fill->pitch, values[1], "pitch") ||
                   bind_size(&fill->count, values[3], "width") ||
                   bind_size(&fill->rows, values[4], "height")
               ? -1
               : 0;
}

/* Nothing to fill: neither the driver nor runcu_fill, where 0 rows are one, has a word for it. */
static bool is_nothing(const runcu_fill *fill, bool is_2d)
{
    return fill->count == 0 || (is_2d && fill->rows == 0);
}

static PyObject *fill_call(PyObject *module, const struct bind_signature *signature, unsigned width,
                           PyObject **values)
{
    bind_state *state = bind_module_state(module);
    int count = signature->required;
    bool is_2d = count == 5, is_async = signature->names[count] != NULL;
    runcu_fill fill = {.size = sizeof fill, .width = width};
    runcu_stream *stream = NULL;
    PyObject *keep = NULL;
    int status = 0;
    if (read_fill(&fill, state, values, is_2d) != 0 ||
        (is_async && bind_stream(&stream, &keep, state, values[count]) != 0))
        return NULL;
    if (!is_nothing(&fill, is_2d)) {
        if (is_async)
            BIND_UNLOCKED(status, runcu_mem_fill_async(&fill, stream));
        else
            BIND_UNLOCKED(status, runcu_mem_fill(&fill));
    }
    status = bind_check(state, status);
    if (status == 0 && is_async)
        status = bind_capture_hold(state, stream, values, 1);
    Py_XDECREF(keep);
    return none_or_null(status);
}

/* Name, bytes of an element, its signature, how many arguments are required, their names. */
#define LINE "dest, data, count"
#define ROWS "dest, pitch, data, width, height"
#define FILLS(X)                                                                                  \
    X(memset_d8, 1, LINE, 3, "dest", "data", "count")                                             \
    X(memset_d16, 2, LINE, 3, "dest", "data", "count")                                            \
    X(memset_d32, 4, LINE, 3, "dest", "data", "count")                                            \
    X(memset_d2d8, 1, ROWS, 5, "dest", "pitch", "data", "width", "height")                        \
    X(memset_d2d16, 2, ROWS, 5, "dest", "pitch", "data", "width", "height")                       \
    X(memset_d2d32, 4, ROWS, 5, "dest", "pitch", "data", "width", "height")                       \
    X(memset_d8_async, 1, LINE ", stream=None", 3, "dest", "data", "count", "stream")             \
    X(memset_d16_async, 2, LINE ", stream=None", 3, "dest", "data", "count", "stream")            \
    X(memset_d32_async, 4, LINE ", stream=None", 3, "dest", "data", "count", "stream")            \
    X(memset_d2d8_async, 1, ROWS ", stream=None", 5, "dest", "pitch", "data", "width", "height",  \
      "stream")                                                                                   \
    X(memset_d2d16_async, 2, ROWS ", stream=None", 5, "dest", "pitch", "data", "width", "height", \
      "stream")                                                                                   \
    X(memset_d2d32_async, 4, ROWS ", stream=None", 5, "dest", "pitch", "data", "width", "height", \
      "stream")

#define X(name, width, text, required, ...)                                                    \
    static PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t nargs,           \
                          PyObject *kwnames)                                                   \
    {                                                                                          \
        static const struct bind_signature signature = {#name, required, {__VA_ARGS__, NULL}}; \
        PyObject *values[6];                                                                   \
        if (bind_parse(values, &signature, args, nargs, kwnames) != 0)                         \
            return NULL;                                                                       \
        return fill_call(module, &signature, width, values);                                   \
    }
FILLS(X)
#undef X

#define FILL_DOC                                                                                   \
    "Writes `data` to `count` elements of device memory, or to `height` rows of `width` elements " \
    "each that begin `pitch` bytes apart."

PyMethodDef bind_copy_functions[] = {
    {"memcpy_htod", (PyCFunction) (void (*)(void)) memcpy_htod, METH_FASTCALL | METH_KEYWORDS,
     "memcpy_htod($module, dest, src)\n--\n\nCopies all bytes of host memory to the device."},
    {"memcpy_dtoh", (PyCFunction) (void (*)(void)) memcpy_dtoh, METH_FASTCALL | METH_KEYWORDS,
     "memcpy_dtoh($module, dest, src)\n--\n\nFills host memory with bytes from the device."},
    {"memcpy_dtod", (PyCFunction) (void (*)(void)) memcpy_dtod, METH_FASTCALL | METH_KEYWORDS,
     "memcpy_dtod($module, dest, src, size)\n--\n\nCopies `size` bytes on the device."},
    {"memcpy_htod_async", (PyCFunction) (void (*)(void)) memcpy_htod_async,
     METH_FASTCALL | METH_KEYWORDS,
     "memcpy_htod_async($module, dest, src, stream=None)\n--\n\n"
     "As memcpy_htod, when the stream gets there. `src` is kept alive until then; it must not be "
     "changed."},
    {"memcpy_dtoh_async", (PyCFunction) (void (*)(void)) memcpy_dtoh_async,
     METH_FASTCALL | METH_KEYWORDS,
     "memcpy_dtoh_async($module, dest, src, stream=None)\n--\n\n"
     "As memcpy_dtoh, when the stream gets there. `dest` is kept alive until then."},
    {"memcpy_dtod_async", (PyCFunction) (void (*)(void)) memcpy_dtod_async,
     METH_FASTCALL | METH_KEYWORDS,
     "memcpy_dtod_async($module, dest, src, size, stream=None)\n--\n\nAs memcpy_dtod, when the "
     "stream gets there."},
#define X(name, width, text, required, ...)                                     \
    {#name, (PyCFunction) (void (*)(void)) name, METH_FASTCALL | METH_KEYWORDS, \
     #name "($module, " text ")\n--\n\n" FILL_DOC},
    FILLS(X)
#undef X
        {NULL, NULL, 0, NULL},
};

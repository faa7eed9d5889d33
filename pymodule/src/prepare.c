/* Function.prepare and prepared calls: codes, which are letters of the struct module or NumPy
 * types, and arguments made to fit them. */
#include "core.h"

#include <string.h>

static uint8_t kind_of(char letter)
{
    switch (letter) {
    case 'i':
        return RUNCU_ARG_I32;
    case 'I':
        return RUNCU_ARG_U32;
    case 'l':
    case 'q':
    case 'n':
        return RUNCU_ARG_I64;
    case 'L':
    case 'Q':
    case 'N':
        return RUNCU_ARG_U64;
    case 'P':
        return RUNCU_ARG_MEM;
    default:
        return 0;
    }
}

int bind_codes_parse(struct bind_code **out, Py_ssize_t *count, const char *format)
{
    enum { MOST = 4096 /* arguments of a kernel */ };
    struct bind_code *codes = NULL;
    size_t n = 0, room = 0;
    for (const char *c = format; *c; c++) {
        char *end;
        size_t repeat = Py_ISDIGIT(*c) ? strtoul(c, &end, 10) : 1;
        c = Py_ISDIGIT(*c) ? end : c;
        if (*c && strchr("@= <x", *c)) /* order and padding are the kernel's */
            continue;
        bool is_bytes = *c == 's' || *c == 'p';
        size_t each = is_bytes ? 1 : repeat; /* "3i" is three of them, "3s" one of three bytes */
        struct bind_code *more = codes;
        if (*c && strchr("cbB?hHiIlLqQnNPefdFDsp", *c) && each <= MOST - n) {
            room = n + each;
            more = PyMem_Realloc(codes, (room ? room : 1) * sizeof *codes);
        } else {
            PyMem_Free(codes);
            return bind_raise(PyExc_ValueError, "bad char in struct format: '%s' at byte %zd",
                              format, (Py_ssize_t) (c - format));
        }
        if (!more) {
            PyMem_Free(codes);
            PyErr_NoMemory();
            return -1;
        }
        codes = more;
        while (n < room)
            codes[n++] = (struct bind_code){*c, kind_of(*c), is_bytes ? repeat : 1};
    }
    *out = codes;
    *count = (Py_ssize_t) n;
    return 0;
}

/* The letter of a NumPy dtype, or the number of bytes and an s for a struct. */
static PyObject *letter_of_dtype(PyArray_Descr *dtype)
{
    if (dtype->type_num == NPY_VOID)
        return PyUnicode_FromFormat("%zds", (Py_ssize_t) PyDataType_ELSIZE(dtype));
    return PyUnicode_FromFormat("%c", dtype->type);
}

/* One item of prepare()'s list. Types that say nothing to NumPy are pointers, as in PyCUDA. */
static PyObject *letter_of(PyObject *item)
{
    PyArray_Descr *dtype = NULL;
    if (PyUnicode_Check(item))
        return Py_NewRef(item);
    bool is_scalar_type =
        PyType_Check(item) && PyType_IsSubtype((PyTypeObject *) item, &PyGenericArrType_Type);
    if (!is_scalar_type && !PyArray_DescrCheck(item))
        return PyUnicode_FromString("P");
    if (!PyArray_DescrConverter(item, &dtype))
        return NULL;
    PyObject *letter = letter_of_dtype(dtype);
    Py_DECREF(dtype);
    return letter;
}

PyObject *bind_format_of(PyObject *types)
{
    if (PyUnicode_Check(types))
        return Py_NewRef(types);
    PyObject *items = PySequence_List(types);
    PyObject *empty = items ? PyUnicode_FromString("") : NULL;
    for (Py_ssize_t i = 0; empty && i < PyList_GET_SIZE(items); i++) {
        PyObject *letter = letter_of(PyList_GET_ITEM(items, i));
        if (!letter || PyList_SetItem(items, i, letter) != 0)
            Py_CLEAR(empty);
    }
    PyObject *format = empty ? PyUnicode_Join(empty, items) : NULL;
    Py_XDECREF(empty);
    Py_XDECREF(items);
    return format;
}

/* --- arguments --- */

static size_t width_of(char letter)
{
    switch (letter) {
    case 'c':
    case 'b':
    case 'B':
        return 1;
    case 'h':
    case 'H':
        return 2;
    case 'i':
    case 'I':
        return 4;
    default:
        return 8;
    }
}

static uint8_t signed_kind(size_t width)
{
    return width == 1   ? RUNCU_ARG_I8
           : width == 2 ? RUNCU_ARG_I16
           : width == 4 ? RUNCU_ARG_I32
                        : RUNCU_ARG_I64;
}

static int fail_range(PyObject *value, Py_ssize_t i, char letter)
{
    PyErr_Clear();
    return bind_raise(PyExc_OverflowError,
                      "parameter #%zd (0-based): %R does not fit the prepared code '%c'", i, value,
                      letter);
}

static int signed_argument(runcu_arg *arg, Py_ssize_t i, PyObject *value, char letter)
{
    size_t width = width_of(letter);
    PyObject *index = PyNumber_Index(value);
    if (!index)
        return -1;
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(index, &overflow);
    Py_DECREF(index);
    long long most = width == 8 ? INT64_MAX : (1ll << (8 * width - 1)) - 1;
    if (overflow || n > most || n < -most - 1)
        return fail_range(value, i, letter);
    arg->kind = signed_kind(width);
    arg->value.i = n;
    return 0;
}

static int unsigned_argument(runcu_arg *arg, Py_ssize_t i, PyObject *value, char letter)
{
    size_t width = width_of(letter);
    PyObject *index = PyNumber_Index(value);
    if (!index)
        return -1;
    unsigned long long n = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (PyErr_Occurred() || (width < 8 && n >> (8 * width)))
        return fail_range(value, i, letter);
    arg->kind = (uint8_t) (signed_kind(width) - RUNCU_ARG_I8 + RUNCU_ARG_U8);
    arg->value.u = n;
    return 0;
}

/* An address: whatever stands for one, or an int, whose bits count where it is negative. */
static int pointer_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    runcu_arg *arg = &call->args[i];
    if (!PyLong_Check(value)) {
        if (bind_argument(call, i, value) != 0)
            return -1;
        if (arg->kind == RUNCU_ARG_F32 || arg->kind == RUNCU_ARG_F64 || arg->kind == RUNCU_ARG_REAL)
            return bind_raise(PyExc_TypeError,
                              "parameter #%zd (0-based) was prepared as a pointer, not %.200s", i,
                              Py_TYPE(value)->tp_name);
        return 0;
    }
    arg->kind = RUNCU_ARG_ADDRESS;
    arg->element = 0;
    arg->flags = 0;
    arg->size = 0;
    arg->value.u = PyLong_AsUnsignedLongLongMask(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int real_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value, char letter)
{
    runcu_arg *arg = &call->args[i];
    double d = PyFloat_AsDouble(value);
    if (d == -1.0 && PyErr_Occurred())
        return -1;
    arg->kind = letter == 'f' ? RUNCU_ARG_F32 : RUNCU_ARG_F64;
    if (letter == 'f')
        arg->value.f = (float) d;
    else
        arg->value.d = d;
    return 0;
}

static int complex_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value, char letter)
{
    Py_complex c = PyComplex_AsCComplex(value);
    if (c.real == -1.0 && PyErr_Occurred())
        return -1;
    bind_pack_complex(&call->args[i], call->scratch[i].bytes, c, letter == 'F');
    return 0;
}

static int half_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    double d = PyFloat_AsDouble(value);
    if ((d == -1.0 && PyErr_Occurred()) || bind_pack_half(call->scratch[i].bytes, d) != 0)
        return -1;
    bind_read_number(&call->args[i], RUNCU_ARG_F16, call->scratch[i].bytes, 2);
    return 0;
}

/* As the struct module writes a Pascal string: its length, its bytes, zeros. */
static int pascal_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value, size_t bytes)
{
    if (!PyBytes_Check(value))
        return bind_raise(PyExc_TypeError, "parameter #%zd (0-based) must be bytes, not %.200s", i,
                          Py_TYPE(value)->tp_name);
    PyObject *text = PyBytes_FromStringAndSize(NULL, (Py_ssize_t) bytes);
    struct bind_hold *hold = text ? bind_new_hold(call) : NULL;
    if (!hold) {
        Py_XDECREF(text);
        return -1;
    }
    size_t most = bytes ? bytes - 1 : 0, len = (size_t) PyBytes_GET_SIZE(value);
    len = len < most ? len : most;
    memset(PyBytes_AS_STRING(text), 0, bytes);
    if (bytes)
        PyBytes_AS_STRING(text)[0] = (char) (len < 255 ? len : 255);
    memcpy(PyBytes_AS_STRING(text) + (bytes ? 1 : 0), PyBytes_AS_STRING(value), len);
    hold->buffer =
        (struct bind_buffer){.owner = text, .data = PyBytes_AS_STRING(text), .bytes = bytes};
    call->hold_count++;
    call->args[i].kind = RUNCU_ARG_BYTES;
    call->args[i].size = bytes;
    call->args[i].value.p = hold->buffer.data;
    return 0;
}

/* So many bytes of whatever has a buffer of that length. */
static int bytes_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value, size_t bytes)
{
    struct bind_hold *hold = bind_new_hold(call);
    if (!hold || bind_buffer_get(&hold->buffer, call->function->state, value, false) != 0)
        return -1;
    call->hold_count++;
    if (hold->buffer.bytes != bytes)
        return bind_raise(PyExc_ValueError,
                          "parameter #%zd (0-based) has %zu bytes where %zu were prepared", i,
                          hold->buffer.bytes, bytes);
    call->args[i].kind = RUNCU_ARG_BYTES;
    call->args[i].size = bytes;
    call->args[i].value.p = hold->buffer.data;
    return 0;
}

int bind_prepared_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value,
                           struct bind_code code)
{
    runcu_arg *arg = &call->args[i];
    switch (code.letter) {
    case 'P':
        return pointer_argument(call, i, value);
    case 'f':
    case 'd':
        return real_argument(call, i, value, code.letter);
    case 'F':
    case 'D':
        return complex_argument(call, i, value, code.letter);
    case 'e':
        return half_argument(call, i, value);
    case 's':
        return bytes_argument(call, i, value, code.bytes);
    case 'p':
        return pascal_argument(call, i, value, code.bytes);
    case '?':
        arg->kind = RUNCU_ARG_BOOL;
        arg->value.i = PyObject_IsTrue(value);
        return arg->value.i < 0 ? -1 : 0;
    case 'c':
        if (!PyBytes_Check(value) || PyBytes_GET_SIZE(value) != 1)
            return bind_raise(PyExc_TypeError, "parameter #%zd (0-based) must be one byte", i);
        arg->kind = RUNCU_ARG_U8;
        arg->value.u = (unsigned char) PyBytes_AS_STRING(value)[0];
        return 0;
    default:
        return Py_ISLOWER(code.letter) ? signed_argument(arg, i, value, code.letter)
                                       : unsigned_argument(arg, i, value, code.letter);
    }
}

/* --- prepared calls --- */

PyObject *bind_function_prepare(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    static const struct bind_signature signature = {"prepare", 1, {"arg_types", "texrefs", NULL}};
    bind_function *f = (bind_function *) self;
    PyObject *values[2];
    struct bind_code *codes;
    Py_ssize_t count;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    if (values[1] && values[1] != Py_None && PyObject_IsTrue(values[1]) != 0)
        return PyErr_Occurred() ? NULL
                                : PyErr_Format(PyExc_TypeError, "texrefs: %s", BIND_NO_REFERENCES);
    PyObject *format = bind_format_of(values[0]);
    const char *text = format ? PyUnicode_AsUTF8(format) : NULL;
    if (!text || bind_codes_parse(&codes, &count, text) != 0) {
        Py_XDECREF(format);
        return NULL;
    }
    PyObject *texrefs = PyList_New(0);
    if (!texrefs) {
        PyMem_Free(codes);
        Py_DECREF(format);
        return NULL;
    }
    PyMem_Free(f->codes);
    f->codes = codes;
    f->code_count = count;
    Py_XSETREF(f->arg_format, format);
    Py_XSETREF(f->texrefs, texrefs);
    return Py_NewRef(self);
}

/* The keyword shared_size and launch attributes. */
static int read_keywords(runcu_launch_params *params, bind_state *state, PyObject *const *values,
                         PyObject *kwnames)
{
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); k++) {
        PyObject *name = bind_interned(state, PyTuple_GET_ITEM(kwnames, k));
        int status = name == state->name_shared_size
                         ? bind_size(&params->shared, values[k], "shared_size")
                         : bind_set_attribute(params, state, name, values[k]);
        if (status > 0)
            return bind_raise(PyExc_TypeError, "unknown keyword argument: %U", name);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* Calls without a block, as before PyCUDA 2011.1: prepared_call(grid, *args). The argument that
 * stands in its place is no tuple, and counts as an argument. */
static bool has_no_block(const bind_function *f, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *second = nargs > 1 ? args[1] : NULL;
    if (second && (PyTuple_Check(second) || PyList_Check(second)))
        return false;
    return nargs - 1 == f->code_count && (!second || !PyArray_Check(second) || f->block.x);
}

static int old_shape(runcu_launch_params *params, const bind_function *f)
{
    if (PyErr_WarnEx(PyExc_DeprecationWarning,
                     "not passing the block size to prepared_call is deprecated as of PyCUDA "
                     "2011.1",
                     1) != 0)
        return -1;
    if (!f->block.x)
        return bind_raise(PyExc_ValueError,
                          "must specify block size: %s.prepared_call(grid, block, "
                          "*args)",
                          runcu_function_name(f->function));
    params->block = f->block;
    return 0;
}

static int fail_shape(const bind_function *f, int stream_count)
{
    if (f->code_count < 0)
        return bind_raise(f->state->logic_error, "%s() has not been prepared: call prepare() first",
                          runcu_function_name(f->function));
    return bind_raise(PyExc_TypeError, "a prepared call takes grid, block%s and the arguments",
                      stream_count ? ", stream" : "");
}

/* Grid and block, and with `stream_count` a stream; *params and *keep. The number of values that
 * these are, -1 with an exception. */
static int read_shape(runcu_launch_params *params, PyObject **keep, bind_function *f,
                      PyObject *const *args, Py_ssize_t nargs, int stream_count)
{
    if (f->code_count < 0 || nargs < 1 + stream_count)
        return fail_shape(f, stream_count);
    if (bind_dim3(&params->grid, f->state, args[0], "grid") != 0)
        return -1;
    if (nargs != f->code_count + 2 && !stream_count && has_no_block(f, args, nargs))
        return old_shape(params, f) != 0 ? -1 : 1;
    if (nargs < 2 + stream_count)
        return fail_shape(f, stream_count);
    if (bind_dim3(&params->block, f->state, args[1], "block") != 0 ||
        (stream_count && bind_stream(&params->stream, keep, f->state, args[2]) != 0))
        return -1;
    return 2 + stream_count;
}

RUNCU_HOT_ static PyObject *prepared(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames, int stream_count)
{
    bind_function *f = (bind_function *) self;
    runcu_launch_params params = {.size = sizeof params};
    PyObject *keep = NULL;
    if (bind_function_follow(f) != 0)
        return NULL;
    int first = read_shape(&params, &keep, f, args, nargs, stream_count), status = first;
    if (kwnames && first > 0)
        status = read_keywords(&params, f->state, args + nargs, kwnames);
    if (status >= 0)
        status = bind_launch_prepared(f, &params, keep, args + first, nargs - first);
    Py_XDECREF(keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bind_function_prepared_call(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    return prepared(self, args, nargs, kwnames, 0);
}

PyObject *bind_function_prepared_async_call(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                            PyObject *kwnames)
{
    return prepared(self, args, nargs, kwnames, 1);
}

/* What prepared_timed_call returns: waits for the second of its two events, and gives the seconds
 * between them. */
static PyObject *timer_call(PyObject *events, PyObject *unused)
{
    (void) unused;
    bind_event *start = (bind_event *) PyTuple_GET_ITEM(events, 0);
    bind_event *end = (bind_event *) PyTuple_GET_ITEM(events, 1);
    float milliseconds;
    int status;
    BIND_UNLOCKED(status, runcu_event_synchronize(end->event));
    if (status == 0)
        status = runcu_event_elapsed(&milliseconds, start->event, end->event);
    if (bind_check(end->state, status) != 0)
        return NULL;
    return PyFloat_FromDouble((double) milliseconds * 1e-3);
}

static PyMethodDef timer_method = {"seconds", timer_call, METH_NOARGS,
                                   "Waits for the kernel; the seconds that it took."};

static int record(PyObject *event)
{
    bind_event *e = (bind_event *) event;
    return bind_check(e->state, runcu_event_record(e->event, NULL));
}

PyObject *bind_function_prepared_timed_call(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                            PyObject *kwnames)
{
    PyObject *type = (PyObject *) ((bind_function *) self)->state->event_type;
    PyObject *start = PyObject_CallNoArgs(type), *end = start ? PyObject_CallNoArgs(type) : NULL;
    PyObject *out = NULL, *events = NULL;
    PyObject *done = end && record(start) == 0 ? prepared(self, args, nargs, kwnames, 0) : NULL;
    if (done && record(end) == 0)
        events = PyTuple_Pack(2, start, end);
    if (events)
        out = PyCFunction_New(&timer_method, events);
    Py_XDECREF(events);
    Py_XDECREF(done);
    Py_XDECREF(start);
    Py_XDECREF(end);
    return out;
}

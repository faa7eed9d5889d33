/* Function.prepare's codes: letters of the struct module, NumPy types, and arguments made to fit
 * them. */
#include "core.h"

#include <string.h>

int bind_codes_parse(struct bind_code **out, Py_ssize_t *count, const char *format)
{
    struct bind_code *codes = PyMem_Calloc(strlen(format) + 1, sizeof *codes);
    Py_ssize_t n = 0;
    if (!codes) {
        PyErr_NoMemory();
        return -1;
    }
    for (const char *c = format; *c; c++) {
        char *end;
        size_t repeat = Py_ISDIGIT(*c) ? strtoul(c, &end, 10) : 1;
        c = Py_ISDIGIT(*c) ? end : c;
        if (strchr("@= <x", *c) && *c) /* order and padding are the kernel's */
            continue;
        bool is_known = *c && strchr("cbB?hHiIlLqQnNPefdFDs", *c);
        if (!is_known || (repeat != 1 && *c != 's')) {
            PyMem_Free(codes);
            return bind_raise(PyExc_ValueError, "bad char in struct format: '%s' at byte %zd",
                              format, (Py_ssize_t) (c - format));
        }
        codes[n++] = (struct bind_code){*c, repeat};
    }
    *out = codes;
    *count = n;
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
    call->args[i].kind = RUNCU_ARG_BYTES;
    call->args[i].size = 2;
    call->args[i].value.p = call->scratch[i].bytes;
    return 0;
}

/* So many bytes of whatever has a buffer of that length. */
static int bytes_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value, size_t bytes)
{
    struct bind_hold *hold = bind_new_hold(call);
    if (!hold || bind_buffer_get(&hold->buffer, value, false) != 0)
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

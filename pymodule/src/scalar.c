/* Values as kernel arguments: NumPy's scalars, structs of NumPy and ctypes, whatever has bytes.
 * Which parameter takes what is the C library's business; whether a struct's fields lie as C++ lays
 * them is found out here. */
#include "core.h"

#include <string.h>

/* --- NumPy scalars --- */

#define SCALAR(T, argument)                                                   \
    (struct bind_scalar)                                                      \
    {                                                                         \
        &Py##T##ArrType_Type, argument, offsetof(Py##T##ScalarObject, obval), \
            sizeof(((Py##T##ScalarObject *) NULL)->obval)                     \
    }
#define INTEGER(T)                                                                 \
    SCALAR(T, sizeof(((Py##T##ScalarObject *) NULL)->obval) == 1   ? RUNCU_ARG_I8  \
              : sizeof(((Py##T##ScalarObject *) NULL)->obval) == 2 ? RUNCU_ARG_I16 \
              : sizeof(((Py##T##ScalarObject *) NULL)->obval) == 4 ? RUNCU_ARG_I32 \
                                                                   : RUNCU_ARG_I64)
#define UNSIGNED(T)                                                                \
    SCALAR(T, sizeof(((Py##T##ScalarObject *) NULL)->obval) == 1   ? RUNCU_ARG_U8  \
              : sizeof(((Py##T##ScalarObject *) NULL)->obval) == 2 ? RUNCU_ARG_U16 \
              : sizeof(((Py##T##ScalarObject *) NULL)->obval) == 4 ? RUNCU_ARG_U32 \
                                                                   : RUNCU_ARG_U64)

/* The order is that of the search: what programs pass most stands first. */
void bind_scalars_init(bind_state *state)
{
    const struct bind_scalar rows[BIND_SCALARS] = {
        INTEGER(Int),
        SCALAR(Float, RUNCU_ARG_F32),
        INTEGER(Long),
        SCALAR(Double, RUNCU_ARG_F64),
        UNSIGNED(UInt),
        UNSIGNED(ULong),
        INTEGER(LongLong),
        UNSIGNED(ULongLong),
        INTEGER(Short),
        UNSIGNED(UShort),
        INTEGER(Byte),
        UNSIGNED(UByte),
        SCALAR(Bool, RUNCU_ARG_BOOL),
        SCALAR(Half, RUNCU_ARG_F16),
        SCALAR(CFloat, RUNCU_ARG_BYTES),
        SCALAR(CDouble, RUNCU_ARG_BYTES),
        {NULL, 0, 0, 0},
    };
    memcpy(state->scalars, rows, sizeof rows);
}

/* Floats of ml_dtypes that CUDA has too. The others go as their bytes. */
static uint8_t kind_of_user_type(PyArray_Descr *dtype)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } rows[] = {{"bfloat16", RUNCU_ARG_BF16},
                {"float8_e4m3fn", RUNCU_ARG_E4M3},
                {"float8_e5m2", RUNCU_ARG_E5M2},
                {"float8_e8m0fnu", RUNCU_ARG_E8M0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(bind_last_name(dtype->typeobj), rows[i].name) == 0)
            return rows[i].kind;
    return RUNCU_ARG_BYTES;
}

/* Why a NumPy scalar is no argument, and what to do. */
static const char *reason_against(PyObject *value)
{
    if (PyArray_IsScalar(value, LongDouble) || PyArray_IsScalar(value, CLongDouble))
        return "no device has such long floats: convert it to float64 or complex128";
    if (PyArray_IsScalar(value, Datetime) || PyArray_IsScalar(value, Timedelta))
        return "it is a number of units that the kernel does not know: give x.astype('int64')";
    if (PyArray_IsScalar(value, Character))
        return "text goes to kernels as an array of bytes: to_device(np.frombuffer(...))";
    return NULL;
}

/* Scalars of types that are not in the table. */
int bind_rare_scalar(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    runcu_arg *arg = &call->args[i];
    unsigned char *bytes = call->scratch[i].bytes;
    void *data;
    if (PyArray_IsScalar(value, Void)) {
        PyVoidScalarObject *v = (PyVoidScalarObject *) value;
        bind_set_bytes(arg, v->obval, (size_t) PyDataType_ELSIZE(v->descr));
        return bind_check_layout(call, i, (PyObject *) v->descr);
    }
    PyArray_Descr *dtype = PyArray_DescrFromScalar(value);
    if (!dtype)
        return -1;
    size_t size = (size_t) PyDataType_ELSIZE(dtype);
    uint8_t kind = PyTypeNum_ISUSERDEF(dtype->type_num) && size <= sizeof call->scratch[i].bytes
                       ? kind_of_user_type(dtype)
                       : 0;
    Py_DECREF(dtype);
    if (!kind)
        return bind_fail_type(call, i, value, reason_against(value));
    PyArray_ScalarAsCtype(value, &data); /* of such types it gives the place */
    bind_read_number(arg, kind, memcpy(bytes, data, size), size);
    return 0;
}

/* --- the layout of structs --- */

/* What a struct is checked against. */
struct layout {
    size_t align;      /* of the parameter: no field in it needs more */
    const char *fault; /* set to what is wrong, and the field's name (new reference or NULL) */
    PyObject *field;
};

static int check_dtype(struct layout *l, PyArray_Descr *dtype, size_t offset);

static int check_leaf(struct layout *l, PyArray_Descr *dtype, size_t offset)
{
    size_t align = (size_t) PyDataType_ALIGNMENT(dtype);
    if (PyDataType_FLAGCHK(dtype, NPY_ITEM_REFCOUNT))
        l->fault = "holds a Python object";
    else if (!PyArray_ISNBO(dtype->byteorder))
        l->fault = "is in another byte order than the device's";
    else if (dtype->type_num == NPY_LONGDOUBLE || dtype->type_num == NPY_CLONGDOUBLE)
        l->fault = "is a longdouble, which no device has";
    else if (offset % (align < l->align ? align : l->align))
        l->fault = "does not lie at its natural alignment, where C++ has it: make the dtype with "
                   "align=True, the ctypes structure without _pack_";
    return l->fault ? 1 : 0;
}

/* 0, 1 with a fault, -1 with an exception. */
static int check_fields(struct layout *l, PyObject *fields, size_t offset)
{
    Py_ssize_t at = 0;
    PyObject *name, *item;
    while (PyDict_Next(fields, &at, &name, &item)) {
        PyArray_Descr *dtype = (PyArray_Descr *) PyTuple_GET_ITEM(item, 0);
        size_t place = PyLong_AsSize_t(PyTuple_GET_ITEM(item, 1));
        int found = check_dtype(l, dtype, offset + place);
        if (found && !l->field)
            l->field = Py_NewRef(name);
        if (found)
            return found;
    }
    return 0;
}

static int check_dtype(struct layout *l, PyArray_Descr *dtype, size_t offset)
{
    if (PyDataType_HASSUBARRAY(dtype))
        return check_dtype(l, PyDataType_SUBARRAY(dtype)->base, offset);
    if (!PyDataType_HASFIELDS(dtype))
        return check_leaf(l, dtype, offset);
    if (Py_EnterRecursiveCall(" in the fields of a dtype"))
        return -1;
    int found = check_fields(l, PyDataType_FIELDS(dtype), offset);
    Py_LeaveRecursiveCall();
    return found;
}

static int fail_layout(struct bind_arguments *call, Py_ssize_t i, struct layout *l)
{
    bind_fail_argument(call, i, "%s%S%s%s", l->field ? "the field '" : "the value",
                       l->field ? l->field : call->function->state->empty, l->field ? "' " : " ",
                       l->fault);
    Py_CLEAR(l->field);
    return -1;
}

/* `key` is a dtype, or a ctypes type. The last one that was right is remembered. */
int bind_check_layout(struct bind_arguments *call, Py_ssize_t i, PyObject *key)
{
    bind_state *state = call->function->state;
    const runcu_param *p = bind_param(call, i);
    struct layout layout = {.align = p && p->align ? p->align : 1};
    if (key == state->layout && layout.align == state->layout_align)
        return 0;
    PyArray_Descr *dtype = NULL;
    if (PyArray_DescrCheck(key))
        dtype = (PyArray_Descr *) Py_NewRef(key);
    else if (!PyArray_DescrConverter(key, &dtype))
        PyErr_Clear(); /* bit fields, which NumPy does not know */
    int found = dtype ? check_dtype(&layout, dtype, 0) : 0;
    Py_XDECREF(dtype);
    if (found)
        return found < 0 ? -1 : fail_layout(call, i, &layout);
#ifndef Py_GIL_DISABLED /* where threads would take it from each other */
    Py_INCREF(key);
    Py_XSETREF(state->layout, key);
    state->layout_align = layout.align;
#endif
    return 0;
}

/* --- arrays by value --- */

/* What a 0-d array of plain numbers holds is an argument like the scalar. */
static int read_single(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array)
{
    runcu_arg *arg = &call->args[i];
    PyObject *scalar = PyArray_ToScalar(PyArray_DATA(array), array);
    if (!scalar || PyArray_Check(scalar)) {
        Py_XDECREF(scalar);
        return PyErr_Occurred() ? -1 : bind_fail_type(call, i, (PyObject *) array, NULL);
    }
    int status = bind_argument(call, i, scalar);
    if (status == 0 && arg->kind == RUNCU_ARG_BYTES) /* they are in the scalar, which goes */
        bind_set_bytes(arg, memcpy(call->scratch[i].bytes, arg->value.p, arg->size), arg->size);
    Py_DECREF(scalar);
    return status;
}

int bind_array_by_value(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array)
{
    if (!PyArray_NDIM(array) && PyArray_TYPE(array) != NPY_VOID)
        return read_single(call, i, array);
    if (!PyArray_CHKFLAGS(array, NPY_ARRAY_C_CONTIGUOUS)) {
        bind_fail_argument(call, i, "ndarray is not C-contiguous: give np.ascontiguousarray of it");
        return -1;
    }
    bind_set_bytes(&call->args[i], PyArray_DATA(array), (size_t) PyArray_NBYTES(array));
    return bind_check_layout(call, i, (PyObject *) PyArray_DESCR(array));
}

/* --- ctypes --- */

/* The kind of a ctypes number, by its format in the struct module's letters; 0 for none. */
static uint8_t kind_of_format(const char *format, Py_ssize_t size)
{
    static const uint8_t of_size[2][9] = {
        {0, RUNCU_ARG_I8, RUNCU_ARG_I16, 0, RUNCU_ARG_I32, 0, 0, 0, RUNCU_ARG_I64},
        {0, RUNCU_ARG_U8, RUNCU_ARG_U16, 0, RUNCU_ARG_U32, 0, 0, 0, RUNCU_ARG_U64},
    };
    if (strcmp(format, "B") == 0) /* unions and packed structures of ctypes */
        return 0;
    if (*format == '<' || *format == '=' || *format == '@')
        format++;
    if (!format[0] || format[1] || size > 8)
        return 0;
    if (strchr("cbhilqn", *format))
        return of_size[0][size];
    if (strchr("uwBHILQNPZ", *format))
        return of_size[1][size];
    return *format == '?'   ? RUNCU_ARG_BOOL
           : *format == 'f' ? RUNCU_ARG_F32
           : *format == 'd' ? RUNCU_ARG_F64
                            : 0;
}

static const char *reason_against_format(const char *format)
{
    for (bool is_name = false; *format; format++) {
        if (*format == ':') /* fields' names stand between two of them */
            is_name = !is_name;
        if (is_name)
            continue;
        switch (*format) {
        case 'O':
            return "it holds a Python object";
        case '>':
            return "it is in another byte order than the device's";
        case '&':
        case 'X':
            return "it points to host memory: copy that with to_device, or give it as In, Out or "
                   "InOut";
        case 'g':
            return "no device has such long floats: use c_double";
        default:
            break;
        }
    }
    return NULL;
}

int bind_buffer_by_value(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    const runcu_param *p = bind_param(call, i);
    struct bind_hold *hold = bind_new_hold(call);
    Py_buffer *view = hold ? &hold->buffer.view : NULL;
    if (!hold || PyObject_GetBuffer(value, view, PyBUF_FORMAT | PyBUF_ND) != 0)
        return -1;
    call->hold_count++;
    const char *format = view->format ? view->format : "B", *reason = reason_against_format(format);
    if (reason)
        return bind_fail_type(call, i, value, reason);
    uint8_t kind = view->ndim == 0 ? kind_of_format(format, view->itemsize) : 0;
    if (kind) {
        bind_read_number(&call->args[i], kind, view->buf, (size_t) view->len);
        return 0;
    }
    if (view->ndim && p && (p->kind == RUNCU_PARAM_POINTER || p->is_maybe_pointer))
        return bind_fail_host(call, i, value);
    bind_set_bytes(&call->args[i], view->buf, (size_t) view->len);
    return bind_check_layout(call, i, (PyObject *) Py_TYPE(value));
}

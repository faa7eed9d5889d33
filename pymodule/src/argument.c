/* Python values as kernel arguments. What fits which parameter is the C library's business; here a
 * value becomes a runcu_arg, exact types first, without making an object. */
#include "core.h"

#include <string.h>

/* The parameter that argument `i` meets, NULL if it is not known. */
static const runcu_param *param_of(const struct bind_arguments *call, Py_ssize_t i)
{
    return i < call->function->param_count ? &call->function->params[i] : NULL;
}

static int fail_type(PyObject *value, Py_ssize_t i)
{
    return bind_raise(PyExc_TypeError, "invalid type on parameter #%zd (0-based): %.200s", i,
                      Py_TYPE(value)->tp_name);
}

static void set_bytes(runcu_arg *arg, const void *data, size_t size)
{
    arg->kind = RUNCU_ARG_BYTES;
    arg->size = size;
    arg->value.p = data;
}

static void set_address(runcu_arg *arg, uint64_t address)
{
    arg->kind = RUNCU_ARG_ADDRESS;
    arg->element = 0;
    arg->flags = 0;
    arg->size = 0;
    arg->value.u = address;
}

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
        SCALAR(Half, RUNCU_ARG_BYTES),
        SCALAR(CFloat, RUNCU_ARG_BYTES),
        SCALAR(CDouble, RUNCU_ARG_BYTES),
        {NULL, 0, 0, 0},
    };
    memcpy(state->scalars, rows, sizeof rows);
}

static const struct bind_scalar *find_scalar(const bind_state *state, PyTypeObject *type)
{
    for (const struct bind_scalar *s = state->scalars; s->type; s++)
        if (s->type == type)
            return s;
    return NULL;
}

/* A number of `kind` in memory. */
static void read_number(runcu_arg *arg, uint8_t kind, const void *data, size_t size)
{
    arg->kind = kind;
    switch (kind) {
    case RUNCU_ARG_BOOL:
        arg->value.i = *(const npy_bool *) data != 0;
        break;
    case RUNCU_ARG_I8:
        arg->value.i = *(const int8_t *) data;
        break;
    case RUNCU_ARG_I16:
        arg->value.i = *(const int16_t *) data;
        break;
    case RUNCU_ARG_I32:
        arg->value.i = *(const int32_t *) data;
        break;
    case RUNCU_ARG_U8:
        arg->value.u = *(const uint8_t *) data;
        break;
    case RUNCU_ARG_U16:
        arg->value.u = *(const uint16_t *) data;
        break;
    case RUNCU_ARG_U32:
        arg->value.u = *(const uint32_t *) data;
        break;
    case RUNCU_ARG_F32:
        arg->value.f = *(const float *) data;
        break;
    case RUNCU_ARG_I64:
    case RUNCU_ARG_U64:
    case RUNCU_ARG_F64:
        memcpy(&arg->value, data, 8);
        break;
    default:
        set_bytes(arg, data, size);
        break;
    }
}

static void read_scalar(runcu_arg *arg, const struct bind_scalar *scalar, PyObject *value)
{
    read_number(arg, scalar->kind, (const char *) value + scalar->offset, scalar->size);
}

/* --- Python numbers --- */

static int read_int(struct bind_arguments *call, PyObject *value, Py_ssize_t i)
{
    const runcu_param *p = param_of(call, i);
    runcu_arg *arg = &call->args[i];
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (n == -1 && PyErr_Occurred())
        return -1;
    arg->kind = RUNCU_ARG_INT;
    arg->value.i = n;
    if (!overflow)
        return 0;
    arg->kind = RUNCU_ARG_U64; /* which goes to a signed parameter of 8 bytes as well, but this int
                                  has no bits that were meant so */
    arg->value.u = overflow > 0 ? PyLong_AsUnsignedLongLong(value) : 0;
    bool is_signed = p && p->kind == RUNCU_PARAM_INT && !p->is_sign_unknown;
    if (overflow < 0 || is_signed || PyErr_Occurred()) {
        PyErr_Clear();
        return bind_raise(PyExc_OverflowError, "parameter #%zd (0-based): %S does not fit %s", i,
                          value, p && p->type && *p->type ? p->type : "64 bits");
    }
    return 0;
}

int bind_pack_half(unsigned char *out, double value)
{
#if PY_VERSION_HEX >= 0x030b0000
    return PyFloat_Pack2(value, (char *) out, PY_LITTLE_ENDIAN);
#else
    return _PyFloat_Pack2(value, out, PY_LITTLE_ENDIAN);
#endif
}

/* The upper half of a float, rounded to even. */
static void pack_bfloat16(unsigned char *out, double value)
{
    float f = (float) value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (f == f)
        bits += 0x7fff + ((bits >> 16) & 1);
    uint16_t upper = (uint16_t) (bits >> 16);
    memcpy(out, &upper, sizeof upper);
}

/* __half and __nv_bfloat16 are structs to the compiler, numbers to people. True if the value has
 * been packed as one. */
static int read_half(struct bind_arguments *call, Py_ssize_t i, double value)
{
    const runcu_param *p = param_of(call, i);
    unsigned char *bytes = call->scratch[i].bytes;
    if (!p || p->kind != RUNCU_PARAM_STRUCT || p->size != 2 || !p->type)
        return 0;
    if (strstr(p->type, "bfloat16"))
        pack_bfloat16(bytes, value);
    else if (!strstr(p->type, "half"))
        return 0;
    else if (bind_pack_half(bytes, value) != 0)
        return -1;
    set_bytes(&call->args[i], bytes, 2);
    return 1;
}

static int read_float(struct bind_arguments *call, Py_ssize_t i, double value)
{
    int packed = read_half(call, i, value);
    if (packed)
        return packed < 0 ? -1 : 0;
    call->args[i].kind = RUNCU_ARG_REAL;
    call->args[i].value.d = value;
    return 0;
}

void bind_pack_complex(runcu_arg *arg, unsigned char *bytes, Py_complex value, bool is_single)
{
    if (is_single) {
        float parts[2] = {(float) value.real, (float) value.imag};
        memcpy(bytes, parts, sizeof parts);
        set_bytes(arg, bytes, sizeof parts);
    } else {
        double parts[2] = {value.real, value.imag};
        memcpy(bytes, parts, sizeof parts);
        set_bytes(arg, bytes, sizeof parts);
    }
}

static int read_complex(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    const runcu_param *p = param_of(call, i);
    Py_complex c = PyComplex_AsCComplex(value);
    if (c.real == -1.0 && PyErr_Occurred())
        return -1;
    bind_pack_complex(&call->args[i], call->scratch[i].bytes, c, p && p->size == 8);
    return 0;
}

/* --- host memory --- */

struct bind_hold *bind_new_hold(struct bind_arguments *call)
{
    if (!call->holds)
        call->holds = PyMem_Calloc((size_t) call->count, sizeof *call->holds);
    if (!call->holds)
        PyErr_NoMemory();
    return call->holds ? &call->holds[call->hold_count] : NULL;
}

/* In, Out, InOut themselves: the library carries the bytes. */
static int read_traveller(struct bind_arguments *call, Py_ssize_t i, bind_handler *handler,
                          uint8_t kind)
{
    struct bind_hold *hold = bind_new_hold(call);
    if (!hold)
        return -1;
    if (!handler->array)
        return bind_raise(PyExc_ValueError, "%s.__init__() has not been called",
                          Py_TYPE(handler)->tp_name);
    if (bind_buffer_get(&hold->buffer, handler->array, kind != RUNCU_ARG_HOST_IN) != 0)
        return -1;
    call->hold_count++;
    call->args[i].kind = kind;
    call->args[i].size = hold->buffer.bytes;
    call->args[i].value.p = hold->buffer.data;
    call->waits = true;
    return 0;
}

/* A handler that somebody derived, or whose device memory somebody has asked for: it is called
 * before and after the launch. */
static int read_handler(struct bind_arguments *call, Py_ssize_t i, PyObject *handler)
{
    bind_state *state = call->function->state;
    struct bind_hold *hold = bind_new_hold(call);
    uint64_t address;
    call->runs_python = true;
    PyObject *allocation =
        hold ? PyObject_CallMethodNoArgs(handler, state->name_get_device_alloc) : NULL;
    int status = allocation ? bind_address(&address, state, allocation) : -1;
    Py_XDECREF(allocation);
    if (status != 0)
        return -1;
    hold->handler = Py_NewRef(handler);
    call->hold_count++;
    call->has_handlers = true;
    set_address(&call->args[i], address);
    return 0;
}

static int fail_host_array(const runcu_param *p, Py_ssize_t i)
{
    return bind_raise(
        PyExc_TypeError,
        "parameter #%zd (0-based) of the kernel is a pointer%s%s%s, the argument a host array: "
        "pass it as In(array), "
        "Out(array) or InOut(array), or make a device array of it with to_gpu or to_device",
        i, p && p->type && *p->type ? " (" : "", p && p->type ? p->type : "",
        p && p->type && *p->type ? ")" : "");
}

static int read_array(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array)
{
    const runcu_param *p = param_of(call, i);
    bool is_struct = PyArray_TYPE(array) == NPY_VOID;
    if (p ? p->kind == RUNCU_PARAM_POINTER || (p->is_maybe_pointer && PyArray_NDIM(array))
          : PyArray_NDIM(array) && !is_struct)
        return fail_host_array(p, i);
    if (!PyArray_NDIM(array) && !is_struct) {
        PyObject *scalar = PyArray_ToScalar(PyArray_DATA(array), array);
        if (!scalar || PyArray_Check(scalar)) {
            Py_XDECREF(scalar);
            return PyErr_Occurred() ? -1 : fail_type((PyObject *) array, i);
        }
        int status = bind_argument(call, i, scalar);
        if (status == 0 &&
            call->args[i].kind == RUNCU_ARG_BYTES) /* they are in the scalar, which goes */
            set_bytes(&call->args[i],
                      memcpy(call->scratch[i].bytes, call->args[i].value.p, call->args[i].size),
                      call->args[i].size);
        Py_DECREF(scalar);
        return status;
    }
    if (!PyArray_CHKFLAGS(array, NPY_ARRAY_C_CONTIGUOUS))
        return bind_raise(PyExc_ValueError, "ndarray is not C-contiguous");
    if (PyDataType_FLAGCHK(PyArray_DESCR(array), NPY_ITEM_REFCOUNT))
        return fail_type((PyObject *) array, i);
    set_bytes(&call->args[i], PyArray_DATA(array), (size_t) PyArray_NBYTES(array));
    return 0;
}

/* The kind of a ctypes number, by its format in the struct module's letters; 0 for none. */
static uint8_t kind_of_format(const char *format, Py_ssize_t size)
{
    static const uint8_t of_size[2][9] = {
        {0, RUNCU_ARG_I8, RUNCU_ARG_I16, 0, RUNCU_ARG_I32, 0, 0, 0, RUNCU_ARG_I64},
        {0, RUNCU_ARG_U8, RUNCU_ARG_U16, 0, RUNCU_ARG_U32, 0, 0, 0, RUNCU_ARG_U64},
    };
    if (!format)
        return 0;
    if (*format == '<' || *format == '=' || *format == '@')
        format++;
    if (!format[0] || format[1] || size > 8)
        return 0;
    if (strchr("bhilqn", *format))
        return of_size[0][size];
    if (strchr("BHILQNPZ", *format))
        return of_size[1][size];
    return *format == '?'   ? RUNCU_ARG_BOOL
           : *format == 'f' ? RUNCU_ARG_F32
           : *format == 'd' ? RUNCU_ARG_F64
                            : 0;
}

/* ctypes, bytes and the like go by value; numbers among them as such. */
static int read_buffer(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    const runcu_param *p = param_of(call, i);
    struct bind_hold *hold = bind_new_hold(call);
    Py_buffer *view = hold ? &hold->buffer.view : NULL;
    if (!hold || PyObject_GetBuffer(value, view, PyBUF_FORMAT | PyBUF_ND) != 0)
        return -1;
    call->hold_count++;
    uint8_t kind = view->ndim == 0 ? kind_of_format(view->format, view->itemsize) : 0;
    bool is_struct = !p || (p->kind != RUNCU_PARAM_POINTER && !p->is_maybe_pointer);
    if (kind)
        read_number(&call->args[i], kind, view->buf, (size_t) view->len);
    else if (view->ndim && !is_struct)
        return fail_type(value, i);
    else
        set_bytes(&call->args[i], view->buf, (size_t) view->len);
    return 0;
}

/* --- everything else --- */

static int read_cuda_array(runcu_arg *arg, const struct bind_cuda_array *array)
{
    set_address(arg, array->address);
    arg->element = array->element_kind;
    arg->size = array->element_kind ? array->element_size : 0;
    return 0;
}

static int read_gpudata(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    PyObject *gpudata = bind_optional(value, state->name_gpudata);
    uint64_t address = 0;
    if (!gpudata && PyErr_Occurred())
        return -1;
    if (!gpudata)
        return PyObject_CheckBuffer(value) ? read_buffer(call, i, value) : fail_type(value, i);
    int status = gpudata == Py_None ? 0 : bind_address(&address, state, gpudata);
    Py_DECREF(gpudata);
    set_address(&call->args[i], address);
    return status;
}

static int read_index(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    PyObject *index = PyNumber_Index(value);
    int status = index ? read_int(call, index, i) : -1;
    Py_XDECREF(index);
    return status;
}

static int read_other(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    runcu_arg *arg = &call->args[i];
    struct bind_cuda_array array;
    uint64_t address;
    call->runs_python = true;
    int found = bind_cuda_array(&array, state, value);
    if (found)
        return found < 0 ? -1 : read_cuda_array(arg, &array);
    if (PyObject_TypeCheck(value, state->holder_type)) {
        if (bind_address(&address, state, value) != 0)
            return -1;
        set_address(arg, address);
        return 0;
    }
    if (PyUnicode_Check(value) || PyBytes_Check(value) || PyByteArray_Check(value) ||
        PyMemoryView_Check(value))
        return fail_type(value, i);
    return PyIndex_Check(value) ? read_index(call, i, value) : read_gpudata(call, i, value);
}

static int read_allocation(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_allocation *allocation = (bind_allocation *) value;
    runcu_arg *arg = &call->args[i];
    runcu_mem *mem = atomic_load_explicit(&allocation->mem, memory_order_relaxed);
#ifdef Py_GIL_DISABLED /* another thread may free it before the launch has looked at it */
    set_address(arg, allocation->address);
#else
    arg->kind = RUNCU_ARG_MEM;
    arg->value.mem = mem;
    memcpy(call->scratch[i].bytes, &allocation->address, sizeof allocation->address);
#endif
    if (mem)
        return 0;
    return bind_raise(call->function->state->logic_error,
                      "parameter #%zd (0-based) is a device allocation that has been freed", i);
}

/* Subclasses, and types that are rare among arguments. */
static int read_rare(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    runcu_arg *arg = &call->args[i];
    if (PyArray_Check(value))
        return read_array(call, i, (PyArrayObject *) value);
    if (PyObject_TypeCheck(value, state->allocation_type))
        return read_allocation(call, i, value);
    if (PyObject_TypeCheck(value, state->handler_type))
        return read_handler(call, i, value);
    if (PyArray_IsScalar(value, Void)) {
        set_bytes(arg, ((PyVoidScalarObject *) value)->obval,
                  (size_t) PyDataType_ELSIZE(((PyVoidScalarObject *) value)->descr));
        return 0;
    }
    if (PyArray_IsScalar(value, Generic) && !PyFloat_Check(value))
        return fail_type(value, i);
    if (PyLong_Check(value))
        return read_int(call, value, i);
    if (PyFloat_Check(value))
        return read_float(call, i, PyFloat_AS_DOUBLE(value));
    if (PyComplex_Check(value))
        return read_complex(call, i, value);
    return read_other(call, i, value);
}

/* 0 for types that are not In, Out or InOut themselves, or that hold device memory of their own. */
static uint8_t traveller_kind(const bind_state *state, PyObject *value, PyTypeObject *type)
{
    uint8_t kind = type == state->in_type      ? RUNCU_ARG_HOST_IN
                   : type == state->out_type   ? RUNCU_ARG_HOST_OUT
                   : type == state->inout_type ? RUNCU_ARG_HOST_INOUT
                                               : 0;
    return kind && !((bind_handler *) value)->allocation ? kind : 0;
}

int bind_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    runcu_arg *arg = &call->args[i];
    PyTypeObject *type = Py_TYPE(value);
    if (type == state->allocation_type || type == state->pooled_type)
        return read_allocation(call, i, value);
    const struct bind_scalar *scalar = find_scalar(state, type);
    if (scalar) {
        read_scalar(arg, scalar, value);
        return 0;
    }
    if (type == &PyLong_Type)
        return read_int(call, value, i);
    if (type == &PyFloat_Type)
        return read_float(call, i, PyFloat_AS_DOUBLE(value));
    if (value == Py_None) {
        set_address(arg, 0);
        return 0;
    }
    uint8_t kind = traveller_kind(state, value, type);
    if (kind)
        return read_traveller(call, i, (bind_handler *) value, kind);
    return read_rare(call, i, value);
}

void bind_arguments_unpin(struct bind_arguments *call)
{
    for (Py_ssize_t i = 0; i < call->count; i++)
        if (call->args[i].kind == RUNCU_ARG_MEM) {
            uint64_t address;
            memcpy(&address, call->scratch[i].bytes, sizeof address);
            set_address(&call->args[i], address);
        }
}

void bind_arguments_release(struct bind_arguments *call)
{
    for (Py_ssize_t i = 0; i < call->hold_count; i++) {
        bind_buffer_release(&call->holds[i].buffer);
        Py_CLEAR(call->holds[i].handler);
    }
    PyMem_Free(call->holds);
    call->holds = NULL;
    call->hold_count = 0;
}

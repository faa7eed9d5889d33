/* Python values as kernel arguments. What fits which parameter is the C library's business; here a
 * value becomes a runcu_arg, exact types first, without making an object. Values of bytes are
 * scalar.c's, arrays array.c's. */
#include "core.h"

#include <math.h>
#include <string.h>

const runcu_param *bind_param(const struct bind_arguments *call, Py_ssize_t i)
{
    return i < call->function->param_count ? &call->function->params[i] : NULL;
}

/* --- what does not fit --- */

/* "add(float *, int): parameter #1 (0-based), int: ", and what is wrong. */
static PyObject *explain(struct bind_arguments *call, Py_ssize_t i, const char *what,
                         PyObject *text)
{
    const runcu_param *p = bind_param(call, i);
    bool has_type = p && p->type && *p->type;
    return PyUnicode_FromFormat("%s: %sparameter #%zd (0-based)%s%s: %U",
                                runcu_function_signature(call->function->function), what, i,
                                has_type ? ", " : "", has_type ? p->type : "", text);
}

static int raise_about(struct bind_arguments *call, Py_ssize_t i, const char *what, PyObject *text)
{
    PyObject *whole = text ? explain(call, i, what, text) : NULL;
    if (whole)
        bind_raise(call->function->state->argument_error, "%U", whole);
    Py_XDECREF(whole);
    Py_XDECREF(text);
    return -1;
}

int bind_fail_argument(struct bind_arguments *call, Py_ssize_t i, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PyObject *text = PyUnicode_FromFormatV(format, args);
    va_end(args);
    return raise_about(call, i, "", text);
}

int bind_fail_type(struct bind_arguments *call, Py_ssize_t i, PyObject *value, const char *reason)
{
    PyObject *text =
        PyUnicode_FromFormat("%.200s%s%s%s", Py_TYPE(value)->tp_name, reason ? " (" : "",
                             reason ? reason : "", reason ? ")" : "");
    return raise_about(call, i, "invalid type on ", text);
}

int bind_fail_host(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    const runcu_param *p = bind_param(call, i);
    if (p && p->kind && p->kind != RUNCU_PARAM_POINTER && !p->is_maybe_pointer)
        return bind_fail_type(call, i, value, "an array where a value is needed: x.item() is one");
    return bind_fail_argument(
        call, i,
        "a pointer to device memory is needed, and %.200s was given, which is a host array: pass "
        "it "
        "as In(array), Out(array) or InOut(array), or make a device array of it with to_gpu or "
        "to_device",
        Py_TYPE(value)->tp_name);
}

void bind_set_address(runcu_arg *arg, uint64_t address)
{
    arg->kind = RUNCU_ARG_ADDRESS;
    arg->element = 0;
    arg->flags = 0;
    arg->size = 0;
    arg->value.u = address;
}

/* --- NumPy scalars --- */

static const struct bind_scalar *find_scalar(const bind_state *state, PyTypeObject *type)
{
    for (const struct bind_scalar *s = state->scalars; s->type; s++)
        if (s->type == type)
            return s;
    return NULL;
}

static void read_scalar(runcu_arg *arg, const struct bind_scalar *scalar, PyObject *value)
{
    bind_read_number(arg, scalar->kind, (const char *) value + scalar->offset, scalar->size);
}

/* --- Python numbers --- */

/* An int of more than 64 bits, signed or not: to a float it is a number like any other. */
static int read_long_int(struct bind_arguments *call, PyObject *value, Py_ssize_t i, int overflow)
{
    const runcu_param *p = bind_param(call, i);
    runcu_arg *arg = &call->args[i];
    bool is_signed = p && p->kind == RUNCU_PARAM_INT && !p->is_sign_unknown;
    if (p && p->kind == RUNCU_PARAM_FLOAT) {
        arg->kind = RUNCU_ARG_REAL;
        arg->value.d = PyLong_AsDouble(value);
        if (!PyErr_Occurred())
            return 0;
    } else if (overflow > 0 && !is_signed) {
        arg->kind = RUNCU_ARG_U64; /* which goes to a signed parameter of 8 bytes as well, but this
                                      int has no bits that were meant so */
        arg->value.u = PyLong_AsUnsignedLongLong(value);
        if (!PyErr_Occurred())
            return 0;
    }
    PyErr_Clear();
    return bind_raise(PyExc_OverflowError, "%s: parameter #%zd (0-based): %S does not fit %s",
                      runcu_function_signature(call->function->function), i, value,
                      p && p->type && *p->type ? p->type : "64 bits");
}

static int read_int(struct bind_arguments *call, PyObject *value, Py_ssize_t i)
{
    runcu_arg *arg = &call->args[i];
    arg->kind = RUNCU_ARG_INT;
#if PY_VERSION_HEX >= 0x030c0000
    if (PyUnstable_Long_IsCompact((PyLongObject *) value)) {
        arg->value.i = PyUnstable_Long_CompactValue((PyLongObject *) value);
        return 0;
    }
#endif
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    arg->value.i = n;
    if (overflow)
        return read_long_int(call, value, i, overflow);
    return n == -1 && PyErr_Occurred() ? -1 : 0;
}

int bind_pack_half(unsigned char *out, double value)
{
#if PY_VERSION_HEX >= 0x030b0000
    return PyFloat_Pack2(value, (char *) out, PY_LITTLE_ENDIAN);
#else
    return _PyFloat_Pack2(value, out, PY_LITTLE_ENDIAN);
#endif
}

static int read_float(struct bind_arguments *call, Py_ssize_t i, double value)
{
    call->args[i].kind = RUNCU_ARG_REAL;
    call->args[i].value.d = value;
    return 0;
}

void bind_pack_complex(runcu_arg *arg, unsigned char *bytes, Py_complex value, bool is_single)
{
    if (is_single) {
        float parts[2] = {(float) value.real, (float) value.imag};
        memcpy(bytes, parts, sizeof parts);
        bind_set_bytes(arg, bytes, sizeof parts);
    } else {
        double parts[2] = {value.real, value.imag};
        memcpy(bytes, parts, sizeof parts);
        bind_set_bytes(arg, bytes, sizeof parts);
    }
}

/* To two floats or two doubles, as the parameter has room. */
static int read_complex(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    const runcu_param *p = bind_param(call, i);
    Py_complex c = PyComplex_AsCComplex(value);
    if (c.real == -1.0 && PyErr_Occurred())
        return -1;
    bool is_struct = !p || p->kind == RUNCU_PARAM_STRUCT || p->kind == RUNCU_PARAM_UNKNOWN;
    if (!is_struct || (p && p->size != 8 && p->size != 16))
        return bind_fail_argument(call, i,
                                  "a complex number was given, which takes a struct of "
                                  "two floats or two doubles");
    bool is_single = p && p->size == 8;
    bool is_lost =
        (isinf((float) c.real) && !isinf(c.real)) || (isinf((float) c.imag) && !isinf(c.imag));
    if (is_single && is_lost)
        return bind_raise(PyExc_OverflowError,
                          "%s: parameter #%zd (0-based): %S does not fit two floats",
                          runcu_function_signature(call->function->function), i, value);
    bind_pack_complex(&call->args[i], call->scratch[i].bytes, c, is_single);
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
    bind_set_address(&call->args[i], address);
    return 0;
}

static void set_host_element(runcu_arg *arg, PyObject *array)
{
    arg->element_size = 0;
    if (!PyArray_Check(array))
        return;
    PyArray_Descr *dtype = PyArray_DESCR((PyArrayObject *) array);
    size_t bytes = arg->size;
    bind_set_element(arg, dtype);
    arg->element_size = arg->size < UINT16_MAX ? (uint16_t) arg->size : 0;
    arg->size = bytes;
}

static struct bind_hold *find_traveller(const struct bind_arguments *call, PyObject *handler)
{
    for (Py_ssize_t k = 0; k < call->hold_count; k++)
        if (call->holds[k].traveller == handler)
            return &call->holds[k];
    return NULL;
}

/* The same handler twice means the same memory: it gets some of its own. */
static int read_again(struct bind_arguments *call, Py_ssize_t i, struct bind_hold *first)
{
    PyObject *handler = first->traveller;
    Py_ssize_t index = first->index;
    bind_buffer_release(&first->buffer);
    first->traveller = NULL;
    if (read_handler(call, index, handler) != 0)
        return -1;
    call->args[i] = call->args[index];
    return 0;
}

/* In, Out, InOut themselves: the library carries the bytes. */
static int read_traveller(struct bind_arguments *call, Py_ssize_t i, bind_handler *handler,
                          uint8_t kind)
{
    runcu_arg *arg = &call->args[i];
    struct bind_hold *first = find_traveller(call, (PyObject *) handler);
    if (first)
        return read_again(call, i, first);
    struct bind_hold *hold = bind_new_hold(call);
    if (!hold)
        return -1;
    if (!handler->array)
        return bind_raise(PyExc_ValueError, "%s.__init__() has not been called",
                          Py_TYPE(handler)->tp_name);
    if (bind_buffer_get(&hold->buffer, call->function->state, handler->array,
                        kind != RUNCU_ARG_HOST_IN) != 0)
        return -1;
    hold->traveller = (PyObject *) handler;
    hold->index = i;
    call->hold_count++;
    arg->kind = kind;
    arg->size = hold->buffer.bytes;
    arg->value.p = hold->buffer.data;
    set_host_element(arg, handler->array);
    call->waits = true;
    return 0;
}

/* Where a pointer stands, only memory that kernels reach will do; elsewhere the bytes are meant. */
static int read_array(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array)
{
    const runcu_param *p = bind_param(call, i);
    bool is_struct = PyArray_TYPE(array) == NPY_VOID, is_single = !PyArray_NDIM(array);
    if (p ? p->kind == RUNCU_PARAM_POINTER || (p->is_maybe_pointer && !is_single)
          : !is_single && !is_struct)
        return bind_array_as_pointer(call, i, array);
    return bind_array_by_value(call, i, array);
}

/* --- everything else --- */

static int read_gpudata(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    PyObject *gpudata = bind_optional(value, state->name_gpudata);
    uint64_t address = 0;
    if (!gpudata && PyErr_Occurred())
        return -1;
    if (!gpudata)
        return PyObject_CheckBuffer(value) ? bind_buffer_by_value(call, i, value)
                                           : bind_fail_type(call, i, value, NULL);
    int status = gpudata == Py_None ? 0 : bind_address(&address, state, gpudata);
    Py_DECREF(gpudata);
    bind_set_address(&call->args[i], address);
    return status;
}

static int read_index(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    PyObject *index = PyNumber_Index(value);
    int status = index ? read_int(call, index, i) : -1;
    Py_XDECREF(index);
    return status;
}

/* Bytes and text have a buffer, or are sequences, and are no arguments all the same. */
static const char *reason_against(PyObject *value)
{
    if (PyUnicode_Check(value) || PyBytes_Check(value) || PyByteArray_Check(value) ||
        PyMemoryView_Check(value))
        return "bytes go to kernels in device memory (to_device), or as In, Out, InOut of an array";
    if (PyList_Check(value) || PyTuple_Check(value))
        return "make an array of it: np.array, then In, to_gpu or to_device";
    return PyType_Check(value) ? "a class, not a value" : NULL;
}

static int read_other(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    uint64_t address;
    call->runs_python = true;
    bool is_host = PyObject_TypeCheck(value, state->host_allocation_type);
    int found = is_host ? 0 : bind_device_array(call, i, value);
    if (found)
        return found < 0 ? -1 : 0;
    if (is_host || PyObject_TypeCheck(value, state->holder_type)) {
        if ((is_host ? bind_host_address(&address, value) : bind_address(&address, state, value)) !=
            0)
            return -1;
        bind_set_address(&call->args[i], address);
        return 0;
    }
    const char *reason = reason_against(value);
    if (reason)
        return bind_fail_type(call, i, value, reason);
    return PyIndex_Check(value) ? read_index(call, i, value) : read_gpudata(call, i, value);
}

static int read_allocation(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    if (bind_take_allocation(call, i, (bind_allocation *) value))
        return 0;
    return bind_raise(call->function->state->logic_error,
                      "%s: parameter #%zd (0-based) is a device allocation that has been freed",
                      runcu_function_signature(call->function->function), i);
}

/* Subclasses, and types that are rare among arguments. */
static int read_rare(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    if (PyArray_Check(value))
        return read_array(call, i, (PyArrayObject *) value);
    if (PyObject_TypeCheck(value, state->allocation_type))
        return read_allocation(call, i, value);
    if (PyObject_TypeCheck(value, state->handler_type))
        return read_handler(call, i, value);
    if (PyArray_IsScalar(value, Generic) && !PyFloat_Check(value))
        return bind_rare_scalar(call, i, value);
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

RUNCU_HOT_ int bind_argument(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    runcu_arg *arg = &call->args[i];
    PyTypeObject *type = Py_TYPE(value);
    if (type == state->allocation_type || type == state->pooled_type)
        return read_allocation(call, i, value);
    if (type == &PyLong_Type)
        return read_int(call, value, i);
    if (type == &PyFloat_Type)
        return read_float(call, i, PyFloat_AS_DOUBLE(value));
    const struct bind_scalar *scalar = find_scalar(state, type);
    if (scalar) {
        read_scalar(arg, scalar, value);
        return 0;
    }
    if (type == &PyBool_Type)
        return read_int(call, value, i);
    if ((PyObject *) type == state->array_type)
        return read_other(call, i, value);
    if (value == Py_None) {
        bind_set_address(arg, 0);
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
            bind_set_address(&call->args[i], address);
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

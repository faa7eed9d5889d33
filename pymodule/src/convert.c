/* Python values to C: arguments by name, sizes, addresses, block and grid, host
 * buffers. */
#include "core.h"

#include <string.h>

/* The index of the parameter `name`, or -1. Keyword strings of compiled code are interned, but
 * others need not be. */
static int find_name(const struct bind_signature *signature, PyObject *name)
{
    for (int i = 0; signature->names[i]; i++)
        if (PyUnicode_CompareWithASCIIString(name, signature->names[i]) == 0)
            return i;
    return -1;
}

static int parse_keywords(PyObject **out, const struct bind_signature *signature,
                          PyObject *const *values, PyObject *kwnames)
{
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        int i = find_name(signature, name);
        if (i < 0)
            return bind_raise(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                              signature->function, name);
        if (out[i])
            return bind_raise(PyExc_TypeError, "%s() got multiple values for argument '%U'",
                              signature->function, name);
        out[i] = values[k];
    }
    return 0;
}

int bind_parse(PyObject **out, const struct bind_signature *signature, PyObject *const *args,
               Py_ssize_t nargs, PyObject *kwnames)
{
    int count = 0;
    while (signature->names[count])
        out[count++] = NULL;
    if (nargs > count)
        return bind_raise(PyExc_TypeError, "%s() takes at most %d arguments (%zd given)",
                          signature->function, count, nargs);
    for (Py_ssize_t i = 0; i < nargs; i++)
        out[i] = args[i];
    if (kwnames && parse_keywords(out, signature, args + nargs, kwnames) != 0)
        return -1;
    for (int i = 0; i < signature->required; i++)
        if (!out[i])
            return bind_raise(PyExc_TypeError, "%s() misses its argument '%s'", signature->function,
                              signature->names[i]);
    return 0;
}

/* The value as a Python int; a new reference. Floats are refused, as everywhere in Python where a
 * number of things is meant. */
static PyObject *as_index(PyObject *value, const char *what)
{
    if (PyLong_CheckExact(value)) {
        Py_INCREF(value);
        return value;
    }
    PyObject *index = PyIndex_Check(value) ? PyNumber_Index(value) : NULL;
    if (!index && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.200s", what,
                     Py_TYPE(value)->tp_name);
    return index;
}

int bind_size(size_t *out, PyObject *value, const char *what)
{
    PyObject *index = as_index(value, what);
    if (!index)
        return -1;
    *out = PyLong_AsSize_t(index);
    Py_DECREF(index);
    if (*out == (size_t) -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return bind_raise(PyExc_OverflowError, "%s must be from 0 to 2**64 - 1, not %S", what,
                          value);
    }
    return 0;
}

int bind_int(int *out, PyObject *value, const char *what)
{
    PyObject *index = as_index(value, what);
    if (!index)
        return -1;
    int overflow;
    long n = PyLong_AsLongAndOverflow(index, &overflow);
    Py_DECREF(index);
    if (overflow || n < INT32_MIN || n > INT32_MAX)
        return bind_raise(PyExc_OverflowError, "%s must be from -2**31 to 2**31 - 1, not %S", what,
                          value);
    *out = (int) n;
    return 0;
}

int bind_unsigned(unsigned *out, PyObject *value, const char *what)
{
    size_t n;
    if (bind_size(&n, value, what) != 0)
        return -1;
    if (n > UINT32_MAX)
        return bind_raise(PyExc_OverflowError, "%s must be from 0 to 2**32 - 1, not %S", what,
                          value);
    *out = (unsigned) n;
    return 0;
}

PyObject *bind_optional(PyObject *value, PyObject *name)
{
    PyObject *found = PyObject_GetAttr(value, name);
    if (!found && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Clear();
    return found;
}

/* --- addresses --- */

static int address_of_int(uint64_t *out, PyObject *value)
{
    PyObject *index = PyNumber_Index(value);
    if (!index)
        return -1;
    *out = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (*out == (uint64_t) -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return bind_raise(PyExc_OverflowError, "%S is no device address", value);
    }
    return 0;
}

static int address_of_allocation(uint64_t *out, bind_state *state, PyObject *value)
{
    bind_allocation *allocation = (bind_allocation *) value;
    *out = allocation->address;
    if (!atomic_load_explicit(&allocation->mem, memory_order_relaxed))
        return bind_raise(state->logic_error, "the device allocation has been freed");
    return 0;
}

static int address_of_holder(uint64_t *out, bind_state *state, PyObject *value)
{
    if (Py_IS_TYPE(value, state->foreign_type))
        return bind_foreign_address(out, value);
    PyObject *pointer = PyObject_CallMethodNoArgs(value, state->name_get_pointer);
    int status = pointer ? address_of_int(out, pointer) : -1;
    Py_XDECREF(pointer);
    return status;
}

static int address_of_gpudata(uint64_t *out, bind_state *state, PyObject *value)
{
    PyObject *gpudata = bind_optional(value, state->name_gpudata);
    int status = -1;
    if (!gpudata) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError,
                         "a device address is expected (a DeviceAllocation, an int, an array on "
                         "the device), not %.200s",
                         Py_TYPE(value)->tp_name);
    } else if (gpudata == Py_None) { /* an array without elements */
        *out = 0;
        status = 0;
    } else if (Py_EnterRecursiveCall(" while looking for a device address") == 0) {
        status = bind_address(out, state, gpudata);
        Py_LeaveRecursiveCall();
    }
    Py_XDECREF(gpudata);
    return status;
}

/* Of an array that has DLPack alone. Its library's work is waited for: who asks does not say in
 * which stream the address will be used. */
static int address_of_tensor(uint64_t *out, bind_state *state, PyObject *value)
{
    runcu_address_info info = {.size = sizeof info};
    PyObject *foreign = bind_foreign_from_dlpack(state, value, NULL);
    int status = foreign ? bind_foreign_address(out, foreign) : -1;
    Py_XDECREF(foreign); /* `value` keeps the memory */
    if (status != 0 || !*out)
        return status;
    BIND_UNLOCKED(status, runcu_stream_synchronize(NULL));
    status = status ? status : runcu_address_find(&info, *out);
    if (bind_check(state, status) != 0)
        return -1;
    *out = info.address;
    return *out ? 0
                : bind_raise(PyExc_TypeError,
                             "a device address is expected, not an array in host memory: %.200s",
                             Py_TYPE(value)->tp_name);
}

static bool has_dlpack(bind_state *state, PyObject *value)
{
    PyObject *method = bind_optional((PyObject *) Py_TYPE(value), state->name___dlpack__);
    Py_XDECREF(method);
    return method;
}

int bind_address(uint64_t *out, bind_state *state, PyObject *value)
{
    if (PyLong_CheckExact(value))
        return address_of_int(out, value);
    if (PyObject_TypeCheck(value, state->allocation_type))
        return address_of_allocation(out, state, value);
    if (PyObject_TypeCheck(value, state->holder_type))
        return address_of_holder(out, state, value);
    if (PyArray_Check(value))
        return bind_raise(PyExc_TypeError,
                          "a device address is expected, not a host array: allocate with mem_alloc "
                          "or to_device, copy with memcpy_htod");
    if (state->array_type && PyObject_TypeCheck(value, (PyTypeObject *) state->array_type))
        return address_of_gpudata(out, state, value);
    struct bind_cuda_array array;
    int found = bind_cuda_array(&array, state, value);
    if (found) {
        *out = array.address;
        return found < 0 ? -1 : bind_cuda_array_wait(state, &array);
    }
    if (has_dlpack(state, value))
        return address_of_tensor(out, state, value);
    if (PyErr_Occurred())
        return -1;
    if (PyIndex_Check(value))
        return address_of_int(out, value);
    return address_of_gpudata(out, state, value);
}

/* --- block, grid --- */

static int extent(uint32_t *out, PyObject *value, const char *what)
{
    PyObject *index = as_index(value, what);
    if (!index)
        return -1;
    int overflow;
    long n = PyLong_AsLongAndOverflow(index, &overflow);
    Py_DECREF(index);
    if (overflow || n < 0 || n > UINT32_MAX)
        return bind_raise(PyExc_OverflowError, "%s must be from 1 to 2**32 - 1, not %S", what,
                          value);
    *out = (uint32_t) n;
    return 0;
}

static int extents(runcu_dim3 *out, bind_state *state, PyObject *items, const char *what)
{
    uint32_t n[3] = {1, 1, 1};
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    if (count < 1 || count > 3)
        return bind_raise(state->argument_error, "%s must have one to three extents, not %zd", what,
                          count);
    for (Py_ssize_t i = 0; i < count; i++)
        if (extent(&n[i], PyTuple_GET_ITEM(items, i), what) != 0)
            return -1;
    if (!n[0] || !n[1] || !n[2])
        return bind_raise(state->argument_error,
                          "%s is (%u, %u, %u): every extent must be at least 1", what, n[0], n[1],
                          n[2]);
    *out = (runcu_dim3){n[0], n[1], n[2]};
    return 0;
}

/* The usual case: a tuple of small ints. */
static bool small_extents(runcu_dim3 *out, PyObject *items)
{
    Py_ssize_t n[3] = {1, 1, 1}, count = PyTuple_GET_SIZE(items);
    if (count > 3)
        return false;
    for (Py_ssize_t i = 0; i < count; i++)
        if ((n[i] = bind_small(PyTuple_GET_ITEM(items, i))) < 1)
            return false;
    *out = (runcu_dim3){(uint32_t) n[0], (uint32_t) n[1], (uint32_t) n[2]};
    return count > 0;
}

RUNCU_HOT_ int bind_dim3(runcu_dim3 *out, bind_state *state, PyObject *value, const char *what)
{
    if (PyTuple_CheckExact(value))
        return small_extents(out, value) ? 0 : extents(out, state, value, what);
    PyObject *items = NULL;
    if (PyIndex_Check(value) && !PyArray_Check(value))
        items = PyTuple_Pack(1, value);
    else if (PyUnicode_Check(value) || !PySequence_Check(value))
        PyErr_Format(PyExc_TypeError, "%s must be a tuple of one to three ints, not %.200s", what,
                     Py_TYPE(value)->tp_name);
    else
        items = PySequence_Tuple(value);
    int status = items ? extents(out, state, items, what) : -1;
    Py_XDECREF(items);
    return status;
}

/* --- host buffers --- */

static int array_buffer(struct bind_buffer *out, PyArrayObject *array, bool writable)
{
    if (!PyArray_CHKFLAGS(array, NPY_ARRAY_C_CONTIGUOUS) &&
        !PyArray_CHKFLAGS(array, NPY_ARRAY_F_CONTIGUOUS))
        return bind_raise(PyExc_ValueError, "ndarray is not contiguous");
    if (writable && !PyArray_ISWRITEABLE(array))
        return bind_raise(PyExc_ValueError, "ndarray is not writable");
    if (PyDataType_FLAGCHK(PyArray_DESCR(array), NPY_ITEM_REFCOUNT))
        return bind_raise(PyExc_TypeError,
                          "an array of Python objects cannot be copied to a device");
    Py_INCREF(array);
    out->owner = (PyObject *) array;
    out->data = PyArray_DATA(array);
    out->bytes = (size_t) PyArray_NBYTES(array);
    return 0;
}

int bind_buffer_get(struct bind_buffer *out, bind_state *state, PyObject *value, bool writable)
{
    *out = (struct bind_buffer){0};
    if (PyArray_Check(value))
        return array_buffer(out, (PyArrayObject *) value, writable);
    int flags = PyBUF_ANY_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (!PyObject_CheckBuffer(value))
        return bind_foreign_buffer(out, state, value, writable);
    if (PyObject_GetBuffer(value, &out->view, flags) != 0)
        return -1;
    out->data = out->view.buf;
    out->bytes = (size_t) out->view.len;
    return 0;
}

void bind_buffer_release(struct bind_buffer *buffer)
{
    if (buffer->view.obj)
        PyBuffer_Release(&buffer->view);
    Py_CLEAR(buffer->owner);
    buffer->data = NULL;
}

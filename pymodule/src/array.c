/* Arrays as kernel arguments: those that other libraries have on a device, by the DLPack exchange
 * table, __cuda_array_interface__ or __dlpack__; host arrays in memory that kernels reach. Nothing
 * is copied; what the library's stream still does is done before ours goes on. */
#include "core.h"

#include <string.h>

/* --- elements --- */

static uint8_t kind_of_char(char c)
{
    switch (c) {
    case 'b':
        return RUNCU_PARAM_BOOL;
    case 'i':
        return RUNCU_PARAM_INT;
    case 'u':
        return RUNCU_PARAM_UINT;
    case 'f':
        return RUNCU_PARAM_FLOAT;
    case 'c':
    case 'V':
        return RUNCU_PARAM_STRUCT;
    default:
        return RUNCU_PARAM_UNKNOWN;
    }
}

static uint8_t kind_of_dlpack(dl_type type)
{
    static const uint8_t kinds[] = {
        [DL_INT] = RUNCU_PARAM_INT,        [DL_UINT] = RUNCU_PARAM_UINT,
        [DL_FLOAT] = RUNCU_PARAM_FLOAT,    [DL_BFLOAT] = RUNCU_PARAM_BFLOAT,
        [DL_COMPLEX] = RUNCU_PARAM_STRUCT, [DL_BOOL] = RUNCU_PARAM_BOOL,
        [DL_E4M3FN] = RUNCU_PARAM_E4M3,    [DL_E5M2] = RUNCU_PARAM_E5M2,
    };
    return type.code < ARRAY_LEN(kinds) && type.lanes == 1 ? kinds[type.code] : RUNCU_PARAM_UNKNOWN;
}

static void set_element(runcu_arg *arg, uint8_t kind, size_t size)
{
    arg->element = kind;
    arg->size = kind ? size : 0;
}

void bind_set_element(runcu_arg *arg, PyArray_Descr *dtype)
{
    dl_type type = {0};
    uint8_t kind = kind_of_char(dtype->kind);
    if (PyTypeNum_ISUSERDEF(dtype->type_num))
        kind = bind_user_type(&type, dtype) ? kind_of_dlpack(type) : RUNCU_PARAM_UNKNOWN;
    set_element(arg, kind, (size_t) PyDataType_ELSIZE(dtype));
}

/* --- __cuda_array_interface__ --- */

static void read_typestr(struct bind_cuda_array *out, PyObject *typestr)
{
    const char *text = typestr && PyUnicode_Check(typestr) ? PyUnicode_AsUTF8(typestr) : NULL;
    if (!text)
        PyErr_Clear();
    if (!text || strlen(text) < 3)
        return;
    out->element_kind = kind_of_char(text[1]);
    out->element_size = (size_t) atol(text + 2);
}

static int read_int(uint64_t *out, PyObject *value)
{
    PyObject *index = PyNumber_Index(value);
    *out = index ? PyLong_AsUnsignedLongLong(index) : 0;
    Py_XDECREF(index);
    if (*out != (uint64_t) -1 || !PyErr_Occurred())
        return index ? 0 : -1;
    PyErr_Clear();
    return bind_raise(PyExc_OverflowError, "%S is no device address", value);
}

static int read_data(struct bind_cuda_array *out, PyObject *data)
{
    if (!data || !PyTuple_Check(data) || PyTuple_GET_SIZE(data) != 2)
        return bind_raise(
            PyExc_ValueError,
            "__cuda_array_interface__['data'] must be a pair: address and whether it is read-only");
    PyObject *pointer = PyTuple_GET_ITEM(data, 0);
    if (pointer != Py_None && read_int(&out->address, pointer) != 0)
        return -1;
    int truth = PyObject_IsTrue(PyTuple_GET_ITEM(data, 1));
    out->is_read_only = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int read_interface(struct bind_cuda_array *out, bind_state *state, PyObject *interface)
{
    *out = (struct bind_cuda_array){0};
    if (!PyDict_Check(interface))
        return bind_raise(PyExc_TypeError, "__cuda_array_interface__ must be a dict, not %.200s",
                          Py_TYPE(interface)->tp_name);
    PyObject *mask = PyDict_GetItemWithError(interface, state->name_mask); /* borrowed, all four */
    if (mask && mask != Py_None)
        return bind_raise(PyExc_ValueError, "a masked array: kernels know nothing of masks");
    read_typestr(out, PyDict_GetItemWithError(interface, state->name_typestr));
    PyObject *stream = PyDict_GetItemWithError(interface, state->name_stream);
    out->has_order = stream != NULL;
    if (stream && stream != Py_None && read_int(&out->stream, stream) != 0)
        return -1;
    return read_data(out, PyDict_GetItemWithError(interface, state->name_data));
}

int bind_cuda_array(struct bind_cuda_array *out, bind_state *state, PyObject *value)
{
    PyObject *interface = bind_optional(value, state->name___cuda_array_interface__);
    if (!interface)
        return PyErr_Occurred() ? -1 : 0;
    int status = read_interface(out, state, interface);
    Py_DECREF(interface);
    return status ? -1 : 1;
}

int bind_cuda_array_wait(bind_state *state, const struct bind_cuda_array *array)
{
    runcu_stream *wrapped;
    if (array->stream <= 1) /* the legacy default stream's work, which ours waits for anyway */
        return 0;
    int status = runcu_stream_wrap(&wrapped, array->stream);
    if (status == 0)
        BIND_UNLOCKED(status, runcu_stream_synchronize(wrapped));
    runcu_stream_destroy(&wrapped);
    return bind_check(state, status);
}

static int read_cuda_array(struct bind_arguments *call, Py_ssize_t i,
                           const struct bind_cuda_array *array)
{
    runcu_arg *arg = &call->args[i];
    bind_set_address(arg, array->address);
    set_element(arg, array->element_kind, array->element_size);
    arg->flags = array->is_read_only ? RUNCU_ARG_READ_ONLY : 0;
    if (!array->stream)
        return 0;
    return bind_check(call->function->state, runcu_stream_follow(call->stream, array->stream));
}

/* --- DLPack --- */

/* A tensor in memory that its library calls the host's: kernels reach it where it is page-locked,
 * or the CPU device's. */
static int read_host_address(struct bind_arguments *call, Py_ssize_t i, uint64_t address,
                             PyObject *value)
{
    runcu_address_info info = {.size = sizeof info};
    if (address && bind_check(call->function->state, runcu_address_find(&info, address)) != 0)
        return -1;
    if (address && !info.address)
        return bind_fail_host(call, i, value);
    bind_set_address(&call->args[i], info.address);
    return 0;
}

static int read_tensor(struct bind_arguments *call, Py_ssize_t i, const dl_tensor *tensor,
                       PyObject *value)
{
    uint64_t address = (uintptr_t) tensor->data + tensor->byte_offset;
    runcu_arg *arg = &call->args[i];
    switch (tensor->device.type) {
    case DL_CPU:
    case DL_CUDA_HOST:
        if (read_host_address(call, i, tensor->data ? address : 0, value) != 0)
            return -1;
        break;
    case DL_CUDA:
    case DL_CUDA_MANAGED:
        bind_set_address(arg, tensor->data ? address : 0);
        break;
    default:
        return bind_fail_type(call, i, value, "it is on a device that is none of CUDA's");
    }
    set_element(arg, kind_of_dlpack(tensor->type), tensor->type.bits / 8);
    return 0;
}

static int follow_library(struct bind_arguments *call, const dl_exchange *table, dl_device device)
{
    void *stream = NULL;
    if (device.type != DL_CUDA && device.type != DL_CUDA_MANAGED)
        return 0;
    if (table->current_stream && table->current_stream(device.type, device.id, &stream) != 0)
        return -1;
    int status = runcu_stream_follow(call->stream, (uintptr_t) stream);
    return bind_check(call->function->state, status);
}

static int read_exchanged(struct bind_arguments *call, Py_ssize_t i, const dl_exchange *table,
                          PyObject *value)
{
    dl_tensor tensor = {0};
    if (table->tensor_from_object(value, &tensor) != 0)
        return -1;
    if (read_tensor(call, i, &tensor, value) != 0)
        return -1;
    return follow_library(call, table, tensor.device);
}

/* The table of a type's library, of a version that is known here; NULL if it has none. */
static const dl_exchange *ask_table(bind_state *state, PyTypeObject *type)
{
    PyObject *capsule = bind_optional((PyObject *) type, state->exchange_name);
    const dl_exchange *table = NULL;
    if (capsule && PyCapsule_IsValid(capsule, "dlpack_exchange_api"))
        table = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    Py_XDECREF(capsule);
    PyErr_Clear();
    while (table && table->major > DL_MAJOR)
        table = table->earlier;
    return table && table->major == DL_MAJOR && table->tensor_from_object ? table : NULL;
}

/* The table lives as long as the process. The type that was last asked for is remembered, also if
 * it has none: attributes that are missing take long to find. */
static const dl_exchange *table_of(bind_state *state, PyTypeObject *type)
{
    if ((PyObject *) type == state->exchange_type)
        return state->exchange;
    const dl_exchange *table = ask_table(state, type);
#ifndef Py_GIL_DISABLED /* where threads would take it from each other */
    Py_INCREF(type);
    state->exchange = table;
    Py_XSETREF(state->exchange_type, (PyObject *) type);
#endif
    return table;
}

static int read_capsule(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    struct bind_hold *hold = bind_new_hold(call);
    if (!hold)
        return -1;
    PyObject *foreign = bind_foreign_from_dlpack(call->function->state, value, call->stream);
    if (!foreign)
        return -1;
    hold->buffer.owner = foreign;
    call->hold_count++;
    if (read_tensor(call, i, bind_foreign_tensor(foreign), value) != 0)
        return -1;
    call->args[i].flags = bind_foreign_is_read_only(foreign) ? RUNCU_ARG_READ_ONLY : 0;
    return 0;
}

/* --- together --- */

/* GPUArray itself and what derives from it: the address and dtype, without asking for a dict. */
static int read_gpuarray(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    uint64_t address = 0;
    PyObject *gpudata = PyObject_GetAttr(value, state->name_gpudata);
    int status = !gpudata ? -1 : gpudata == Py_None ? 0 : bind_address(&address, state, gpudata);
    Py_XDECREF(gpudata);
    if (status != 0)
        return -1;
    PyObject *dtype = PyObject_GetAttr(value, state->name_dtype);
    if (!dtype)
        return -1;
    bind_set_address(&call->args[i], address);
    if (PyArray_DescrCheck(dtype))
        bind_set_element(&call->args[i], (PyArray_Descr *) dtype);
    Py_DECREF(dtype);
    return 0;
}

static bool has_dlpack(bind_state *state, PyObject *value)
{
    PyObject *method = bind_optional((PyObject *) Py_TYPE(value), state->name___dlpack__);
    Py_XDECREF(method);
    return method;
}

/* By whichever protocol orders our work after the library's: the array interface before version 3
 * did not, DLPack does. */
static int read_tensor_of_others(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    struct bind_cuda_array array;
    const dl_exchange *table = table_of(state, Py_TYPE(value));
    if (table)
        return read_exchanged(call, i, table, value) ? -1 : 1;
    int found = bind_cuda_array(&array, state, value);
    if (found < 0)
        return -1;
    if ((!found || !array.has_order) && has_dlpack(state, value))
        return read_capsule(call, i, value) ? -1 : 1;
    if (PyErr_Occurred())
        return -1;
    return !found ? 0 : read_cuda_array(call, i, &array) ? -1 : 1;
}

int bind_device_array(struct bind_arguments *call, Py_ssize_t i, PyObject *value)
{
    bind_state *state = call->function->state;
    if (state->array_type && PyObject_TypeCheck(value, (PyTypeObject *) state->array_type))
        return read_gpuarray(call, i, value) ? -1 : 1;
    if (Py_IS_TYPE(value, state->foreign_type)) {
        bind_foreign_argument(&call->args[i], value);
        return 1;
    }
    return read_tensor_of_others(call, i, value);
}

int bind_array_as_pointer(struct bind_arguments *call, Py_ssize_t i, PyArrayObject *array)
{
    if (read_host_address(call, i, (uintptr_t) PyArray_DATA(array), (PyObject *) array) != 0)
        return -1;
    bind_set_element(&call->args[i], PyArray_DESCR(array));
    call->args[i].flags = PyArray_ISWRITEABLE(array) ? 0 : RUNCU_ARG_READ_ONLY;
    return 0;
}

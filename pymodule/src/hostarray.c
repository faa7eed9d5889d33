/* NumPy arrays that have page-locked, managed, registered or aligned memory as their base. */
#include "core.h"

/* Where the host finds the memory of an object of ours. */
static int span_of(void **data, size_t *bytes, bind_state *state, PyObject *memory)
{
    if (PyObject_TypeCheck(memory, state->managed_type)) {
        bind_allocation *a = (bind_allocation *) memory;
        *data = atomic_load(&a->mem) ? (void *) (uintptr_t) a->address : NULL;
        *bytes = a->bytes;
    } else if (PyObject_TypeCheck(memory, state->host_allocation_type) ||
               PyObject_TypeCheck(memory, state->aligned_type) ||
               PyObject_TypeCheck(memory, state->registered_type)) {
        bind_host *h = (bind_host *) memory;
        *data = atomic_load(&h->is_live) ? h->data : NULL;
        *bytes = h->bytes;
    } else {
        return bind_raise(PyExc_TypeError,
                          "page-locked, managed, registered or aligned memory is expected, not "
                          "%.200s",
                          Py_TYPE(memory)->tp_name);
    }
    return *data ? 0 : bind_raise(state->logic_error, "the memory has been freed");
}

static int check_shape(const PyArray_Dims *shape, const PyArray_Descr *dtype, size_t bytes)
{
    size_t need = (size_t) PyDataType_ELSIZE(dtype);
    bool is_empty = false, overflows = false;
    for (int i = 0; i < shape->len; i++) {
        if (shape->ptr[i] < 0)
            return bind_raise(PyExc_ValueError, "negative dimensions are not allowed");
        is_empty |= shape->ptr[i] == 0;
        overflows |= __builtin_mul_overflow(need, (size_t) shape->ptr[i], &need);
    }
    if (PyDataType_FLAGCHK(dtype, NPY_ITEM_REFCOUNT))
        return bind_raise(PyExc_TypeError, "an array of Python objects must not have such memory");
    if (!is_empty && (overflows || need > bytes))
        return bind_raise(PyExc_ValueError, "the array is larger than its %zu bytes of memory",
                          bytes);
    return 0;
}

static PyObject *array_over(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "memory", (char *) "shape", (char *) "dtype", (char *) "order",
                            NULL};
    bind_state *state = bind_module_state(module);
    PyObject *memory, *array = NULL;
    PyArray_Dims shape = {NULL, 0};
    PyArray_Descr *dtype = NULL;
    NPY_ORDER order = NPY_CORDER;
    void *data;
    size_t bytes = 0;
    if (PyArg_ParseTupleAndKeywords(args, kwargs, "OO&O&|O&:array_over", names, &memory,
                                    PyArray_IntpConverter, &shape, PyArray_DescrConverter, &dtype,
                                    PyArray_OrderConverter, &order) &&
        span_of(&data, &bytes, state, memory) == 0 && check_shape(&shape, dtype, bytes) == 0) {
        int flags = order == NPY_FORTRANORDER ? NPY_ARRAY_FARRAY : NPY_ARRAY_CARRAY;
        Py_INCREF(dtype);
        array = PyArray_NewFromDescr(&PyArray_Type, dtype, shape.len, shape.ptr, NULL, data, flags,
                                     NULL);
        if (array && PyArray_SetBaseObject((PyArrayObject *) array, Py_NewRef(memory)) != 0)
            Py_CLEAR(array);
    }
    Py_XDECREF(dtype);
    PyDimMem_FREE(shape.ptr);
    return array;
}

PyMethodDef bind_block_functions[] = {
    {"array_over", (PyCFunction) (void (*)(void)) array_over, METH_VARARGS | METH_KEYWORDS,
     "array_over($module, memory, shape, dtype, order='C')\n--\n\n"
     "A NumPy array whose data is the memory of a HostAllocation, ManagedAllocation, "
     "RegisteredHostMemory or AlignedHostAllocation, and whose base is that object."},
    {NULL, NULL, 0, NULL},
};

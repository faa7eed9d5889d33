/* RegisteredHostMemory and AlignedHostAllocation, and the NumPy arrays that have these, page-locked
 * or managed memory as their base. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

/* --- registered --- */

static PyObject *registered_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "base", (char *) "flags", NULL};
    PyObject *base, *flags_value = NULL;
    unsigned flags = 0;
    runcu_mem *mem;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:RegisteredHostMemory", names, &base,
                                     &flags_value) ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0))
        return NULL;
    bind_host_block *self = bind_new(type);
    if (!self || bind_buffer_get(&self->buffer, self->state, base, false) != 0) {
        Py_XDECREF(self);
        return NULL;
    }
    self->base = Py_NewRef(base);
    self->bytes = self->buffer.bytes;
    atomic_store(&self->data, self->buffer.data);
    BIND_UNLOCKED(status, runcu_mem_register(&mem, self->buffer.data, self->bytes, flags));
    if (bind_check(self->state, status) != 0)
        Py_CLEAR(self);
    else
        atomic_store(&self->mem, mem);
    return (PyObject *) self;
}

static PyObject *registered_unregister(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host_block *r = (bind_host_block *) self;
    runcu_mem *mem = atomic_exchange(&r->mem, NULL);
    int status;
    if (!mem) {
        bind_raise(r->state->logic_error,
                   "registered_host_memory::unregister failed: invalid resource handle");
        return NULL;
    }
    BIND_UNLOCKED(status, runcu_mem_free(&mem));
    if (bind_check(r->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *registered_exit(PyObject *self, PyObject *args)
{
    (void) args;
    if (atomic_load(&((bind_host_block *) self)->mem))
        return registered_unregister(self, NULL);
    Py_RETURN_NONE;
}

static void registered_dealloc(PyObject *self)
{
    bind_host_block *r = (bind_host_block *) self;
    runcu_mem *mem = atomic_exchange(&r->mem, NULL);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    if (mem) {
        Py_BEGIN_ALLOW_THREADS
        runcu_mem_free(&mem);
        Py_END_ALLOW_THREADS
    }
    bind_quiet_end(&quiet);
    bind_buffer_release(&r->buffer);
    Py_CLEAR(r->base);
    bind_end_dealloc(self);
}

/* What memory is of stays until the driver has let go of it. */
static int registered_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_host_block *) self)->base);
    return bind_traverse(self, visit, arg);
}

static PyObject *registered_base(PyObject *self, void *closure)
{
    (void) closure;
    return Py_NewRef(((bind_host_block *) self)->base);
}

static PyObject *registered_get_device_pointer(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host_block *r = (bind_host_block *) self;
    runcu_mem *mem = atomic_load(&r->mem);
    if (mem)
        return PyLong_FromUnsignedLongLong(runcu_mem_address(mem));
    bind_raise(r->state->logic_error, "the host memory has been unregistered");
    return NULL;
}

static PyMethodDef registered_methods[] = {
    {"unregister", registered_unregister, METH_NOARGS,
     "unregister($self, /)\n--\n\nEnds it now; the memory stays. A second time is an error."},
    {"get_device_pointer", registered_get_device_pointer, METH_NOARGS,
     "get_device_pointer($self, /)\n--\n\nThe address under which kernels reach it."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe memory itself."},
    {"__exit__", registered_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nUnregisters it, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef registered_getset[] = {
    {"base", registered_base, NULL, "The object whose memory it is.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef block_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot registered_slots[] = {
    {Py_tp_doc, (char *) "RegisteredHostMemory(base, flags=0)\n--\n\n"
                         "Host memory of an array or buffer that is page-locked, and accessible to "
                         "kernels, as long as this object lives. `flags`: of "
                         "mem_host_register_flags; memory that the process may only read needs "
                         "READ_ONLY."},
    {Py_tp_new, registered_new},
    {Py_tp_dealloc, registered_dealloc},
    {Py_tp_traverse, registered_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, registered_methods},
    {Py_tp_getset, registered_getset},
    {Py_tp_members, block_members},
    {0, NULL},
};

PyType_Spec bind_registered_spec = {"runcu.driver.RegisteredHostMemory", sizeof(bind_host_block), 0,
                                    BIND_FLAGS, registered_slots};

/* --- aligned --- */

static PyObject *aligned_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "bytes", (char *) "alignment", NULL};
    PyObject *bytes_value, *alignment_value = NULL;
    size_t bytes, alignment = 4096;
    void *data = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:AlignedHostAllocation", names, &bytes_value,
                                     &alignment_value) ||
        bind_size(&bytes, bytes_value, "the number of bytes") != 0 ||
        (alignment_value && bind_size(&alignment, alignment_value, "alignment") != 0))
        return NULL;
    if (!alignment || (alignment & (alignment - 1)))
        return PyErr_Format(PyExc_ValueError, "alignment must be a power of two, not %zu",
                            alignment);
    bind_host_block *self = bind_new(type);
    if (!self)
        return NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (posix_memalign(&data, alignment, bytes ? bytes : 1) != 0) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->bytes = bytes;
    atomic_store(&self->data, data);
    return (PyObject *) self;
}

static PyObject *aligned_free(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host_block *a = (bind_host_block *) self;
    void *data = atomic_exchange(&a->data, NULL);
    if (!data) {
        bind_raise(a->state->logic_error,
                   "aligned_host_allocation::free failed: invalid resource handle");
        return NULL;
    }
    free(data);
    Py_RETURN_NONE;
}

static PyObject *aligned_exit(PyObject *self, PyObject *args)
{
    (void) args;
    if (atomic_load(&((bind_host_block *) self)->data))
        return aligned_free(self, NULL);
    Py_RETURN_NONE;
}

static void aligned_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    free(atomic_exchange(&((bind_host_block *) self)->data, NULL));
    bind_end_dealloc(self);
}

static PyMethodDef aligned_methods[] = {
    {"free", aligned_free, METH_NOARGS,
     "free($self, /)\n--\n\nFrees the memory now. Arrays made of it must not be used any more."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe allocation itself."},
    {"__exit__", aligned_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nFrees the memory, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot aligned_slots[] = {
    {Py_tp_doc, (char *) "AlignedHostAllocation(bytes, alignment=4096)\n--\n\n"
                         "Host memory that begins at a multiple of `alignment`, a power of two: "
                         "for register_host_memory. It is not page-locked."},
    {Py_tp_new, aligned_new},
    {Py_tp_dealloc, aligned_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, aligned_methods},
    {Py_tp_members, block_members},
    {0, NULL},
};

PyType_Spec bind_aligned_spec = {"runcu.driver.AlignedHostAllocation", sizeof(bind_host_block), 0,
                                 BIND_FLAGS, aligned_slots};

/* --- arrays --- */

/* Where the host finds the memory of an object of ours. */
static int span_of(void **data, size_t *bytes, bind_state *state, PyObject *memory)
{
    if (PyObject_TypeCheck(memory, state->managed_type)) {
        bind_allocation *a = (bind_allocation *) memory;
        *data = atomic_load(&a->mem) ? (void *) (uintptr_t) a->address : NULL;
        *bytes = a->bytes;
    } else if (PyObject_TypeCheck(memory, state->host_allocation_type)) {
        bind_host_allocation *h = (bind_host_allocation *) memory;
        *data = atomic_load(&h->mem) ? h->data : NULL;
        *bytes = h->bytes;
    } else if (PyObject_TypeCheck(memory, state->registered_type) ||
               PyObject_TypeCheck(memory, state->aligned_type)) {
        bind_host_block *b = (bind_host_block *) memory;
        *data = atomic_load(&b->data);
        *bytes = b->bytes;
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

/* DeviceAllocation, page-locked host memory, PointerHolderBase; allocating, asking, filling. */
#include "core.h"

/* --- device memory --- */

bool bind_is_full(int status)
{
    runcu_error e;
    runcu_error_get(&e);
    return status != 0 && e.code == 2; /* CUDA_ERROR_OUT_OF_MEMORY */
}

static int allocate(runcu_mem **out, size_t bytes)
{
    int status = runcu_mem_alloc(out, bytes);
    if (bind_is_full(status)) {
        bind_collect();
        BIND_UNLOCKED(status, runcu_mem_alloc(out, bytes));
    }
    return status;
}

PyObject *bind_allocation_wrap(PyTypeObject *type, runcu_mem *mem)
{
    bind_allocation *self = bind_new(type);
    if (!self) {
        runcu_mem_free(&mem);
        return NULL;
    }
    atomic_store(&self->mem, mem);
    self->address = runcu_mem_address(mem);
    self->bytes = runcu_mem_size(mem);
    return (PyObject *) self;
}

PyObject *bind_allocation_new(bind_state *state, size_t bytes)
{
    runcu_mem *mem;
    if (bind_check(state, allocate(&mem, bytes)) != 0)
        return NULL;
    return bind_allocation_wrap(state->allocation_type, mem);
}

void bind_allocation_dealloc(PyObject *self)
{
    bind_allocation *a = (bind_allocation *) self;
    runcu_mem *mem = atomic_exchange(&a->mem, NULL);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    if (mem) {
        Py_BEGIN_ALLOW_THREADS
        runcu_mem_free(&mem);
        Py_END_ALLOW_THREADS
    }
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* As PyCUDA calls it. */
static const char *name_of_free(bind_allocation *a)
{
    if (PyObject_TypeCheck((PyObject *) a, a->state->pooled_type))
        return "pooled_device_allocation::free";
    if (PyObject_TypeCheck((PyObject *) a, a->state->ipc_memory_type))
        return "ipc_mem_handle::close";
    return "device_allocation::free";
}

PyObject *bind_allocation_free(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_allocation *a = (bind_allocation *) self;
    int status;
    if (atomic_load(&a->exports))
        return PyErr_Format(PyExc_BufferError, "a memoryview of the allocation exists, or an array "
                                               "of another library that views it");
    runcu_mem *mem = atomic_exchange(&a->mem, NULL);
    if (!mem) {
        bind_raise(a->state->logic_error, "%s failed: invalid resource handle", name_of_free(a));
        return NULL;
    }
    BIND_UNLOCKED(status, runcu_mem_free(&mem));
    if (bind_check(a->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *allocation_free_async(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames)
{
    static const struct bind_signature signature = {"free_async", 0, {"stream", NULL}};
    bind_allocation *a = (bind_allocation *) self;
    PyObject *values[1], *keep;
    runcu_stream *stream;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_stream(&stream, &keep, a->state, values[0]) != 0)
        return NULL;
    runcu_mem *mem = atomic_load(&a->exports) ? NULL : atomic_exchange(&a->mem, NULL);
    int status = -1;
    if (mem) {
        BIND_UNLOCKED(status, runcu_mem_free_async(&mem, stream));
        if (mem) /* refused: it is still there */
            atomic_store(&a->mem, mem);
        status = bind_check(a->state, status);
    } else if (atomic_load(&a->exports)) {
        PyErr_Format(PyExc_BufferError, "a memoryview of the allocation exists");
    } else {
        bind_raise(a->state->logic_error, "%s failed: invalid resource handle", name_of_free(a));
    }
    Py_XDECREF(keep);
    if (status)
        return NULL;
    Py_RETURN_NONE;
}

/* The end of a with block: free() may have come before. */
static PyObject *allocation_exit(PyObject *self, PyObject *args)
{
    (void) args;
    if (atomic_load(&((bind_allocation *) self)->mem))
        return bind_allocation_free(self, NULL);
    Py_RETURN_NONE;
}

static PyObject *allocation_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *kwnames)
{
    uint64_t handle;
    runcu_mem *mem;
    PyObject *owner;
    bind_state *state = bind_state_of((PyTypeObject *) type);
    if (!state || bind_handle(&handle, &owner, args, nargs, kwnames) != 0 ||
        bind_check(state, runcu_mem_wrap(&mem, handle)) != 0)
        return NULL;
    PyObject *self = bind_allocation_wrap((PyTypeObject *) type, mem);
    if (self && bind_own(self, owner) != 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *allocation_index(PyObject *self)
{
    return PyLong_FromUnsignedLongLong(((bind_allocation *) self)->address);
}

static PyObject *allocation_repr(PyObject *self)
{
    bind_allocation *a = (bind_allocation *) self;
    return PyUnicode_FromFormat("<%s of %zu bytes at %p%s>", Py_TYPE(self)->tp_name, a->bytes,
                                (void *) (uintptr_t) a->address,
                                atomic_load(&a->mem) ? "" : ", freed");
}

/* What as_buffer's memoryview is of: it keeps the allocation, which must not have the buffer
 * protocol itself, or NumPy would take it for an array where programs mean its address. */
typedef struct bind_span {
    BIND_HEAD
    bind_allocation *allocation; /* NULL: memory that a PointerHolderBase points to */
    PyObject *owner;
    void *data;
    Py_ssize_t bytes;
} bind_span;

static int span_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    bind_span *s = (bind_span *) self;
    return PyBuffer_FillInfo(view, self, s->data, s->bytes, 0, flags);
}

static int span_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_span *) self)->owner);
    return bind_traverse(self, visit, arg);
}

static void span_dealloc(PyObject *self)
{
    bind_span *s = (bind_span *) self;
    bind_begin_dealloc(self);
    if (s->allocation)
        atomic_fetch_sub(&s->allocation->exports, 1);
    Py_CLEAR(s->owner);
    bind_end_dealloc(self);
}

static PyMemberDef span_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot span_slots[] = {
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, span_dealloc},
    {Py_tp_traverse, span_traverse},
    {Py_tp_clear, bind_clear},
    {Py_bf_getbuffer, span_getbuffer},
    {Py_tp_members, span_members},
    {0, NULL},
};

PyType_Spec bind_span_spec = {"runcu._core._Span", sizeof(bind_span), 0, BIND_FLAGS, span_slots};

static PyObject *span_view(bind_state *state, PyObject *owner, uint64_t address, size_t bytes)
{
    bind_span *span = bind_new(state->span_type);
    if (!span)
        return NULL;
    span->owner = Py_NewRef(owner);
    span->data = (void *) (uintptr_t) address;
    span->bytes = (Py_ssize_t) bytes;
    if (PyObject_TypeCheck(owner, state->allocation_type)) {
        span->allocation = (bind_allocation *) owner;
        atomic_fetch_add(&span->allocation->exports, 1);
    }
    PyObject *view = PyMemoryView_FromObject((PyObject *) span);
    Py_DECREF(span);
    return view;
}

static const struct bind_signature as_buffer_signature = {"as_buffer", 1, {"size", "offset", NULL}};

static int parse_as_buffer(size_t *size, size_t *offset, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    PyObject *values[2];
    *offset = 0;
    if (bind_parse(values, &as_buffer_signature, args, nargs, kwnames) != 0 ||
        bind_size(size, values[0], "size") != 0 ||
        (values[1] && bind_size(offset, values[1], "offset") != 0))
        return -1;
    if (*size > PY_SSIZE_T_MAX)
        return bind_raise(PyExc_OverflowError, "size is too large for a memoryview");
    return 0;
}

static PyObject *allocation_as_buffer(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    bind_allocation *a = (bind_allocation *) self;
    size_t size, offset;
    if (parse_as_buffer(&size, &offset, args, nargs, kwnames) != 0)
        return NULL;
    if (!atomic_load(&a->mem)) {
        bind_raise(a->state->logic_error, "the device allocation has been freed");
        return NULL;
    }
    if (offset > a->bytes || size > a->bytes - offset)
        return PyErr_Format(PyExc_ValueError,
                            "%zu bytes from byte %zu on leave the allocation, which has %zu", size,
                            offset, a->bytes);
    return span_view(a->state, self, a->address + offset, size);
}

static PyObject *allocation_size(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromSize_t(((bind_allocation *) self)->bytes);
}

static bool is_there(bind_allocation *a)
{
    if (atomic_load(&a->mem))
        return true;
    bind_raise(a->state->logic_error, "the device allocation has been freed");
    return false;
}

static PyObject *allocation_dlpack_device(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_allocation *a = (bind_allocation *) self;
    return is_there(a) ? bind_dlpack_device_pair(a->state, a->address) : NULL;
}

/* The bytes of an allocation as an array; its shape and dtype are references to be let go. */
static bool as_tensor(struct bind_tensor *out, PyObject *self)
{
    bind_allocation *a = (bind_allocation *) self;
    *out = (struct bind_tensor){.owner = self,
                                .address = a->address,
                                .shape = Py_BuildValue("(n)", (Py_ssize_t) a->bytes),
                                .dtype = PyArray_DescrFromType(NPY_UINT8)};
    return out->shape && out->dtype;
}

static void end_tensor(struct bind_tensor *tensor)
{
    Py_XDECREF(tensor->dtype);
    Py_XDECREF(tensor->shape);
}

static PyObject *allocation_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    struct bind_tensor tensor;
    PyObject *capsule = NULL;
    if (!is_there((bind_allocation *) self))
        return NULL;
    if (as_tensor(&tensor, self))
        capsule = bind_dlpack_tensor(&tensor, (struct bind_fastcall){args, nargs, kwnames});
    end_tensor(&tensor);
    return capsule;
}

static PyObject *allocation_interface(PyObject *self, void *closure)
{
    (void) closure;
    bind_allocation *a = (bind_allocation *) self;
    struct bind_tensor tensor;
    dl_device device;
    PyObject *interface = NULL;
    if (!atomic_load(&a->mem))
        return PyErr_Format(PyExc_AttributeError, "the device allocation has been freed");
    if (bind_dlpack_device(&device, a->state, a->address) != 0)
        return NULL;
    if (as_tensor(&tensor, self))
        interface = bind_cuda_interface(&tensor, &device);
    end_tensor(&tensor);
    return interface;
}

static PyMethodDef allocation_methods[] = {
    {"__dlpack__", (PyCFunction) (void (*)(void)) allocation_dlpack, METH_FASTCALL | METH_KEYWORDS,
     "__dlpack__($self, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
     "A DLPack capsule of its bytes: a one-dimensional array of uint8 that keeps the memory."},
    {"__dlpack_device__", allocation_dlpack_device, METH_NOARGS,
     "__dlpack_device__($self, /)\n--\n\nDLPack's device: a pair of a type and a number."},
    {"free", bind_allocation_free, METH_NOARGS,
     "free($self, /)\n--\n\nFrees the memory now. A second time is an error."},
    {"as_buffer", (PyCFunction) (void (*)(void)) allocation_as_buffer,
     METH_FASTCALL | METH_KEYWORDS,
     "as_buffer($self, size, offset=0)\n--\n\n"
     "A memoryview of the device memory, for libraries that understand device addresses (MPI) and "
     "for devices whose memory the host "
     "can reach. On other devices reading it ends the process, as reading any device address "
     "does."},
    {"free_async", (PyCFunction) (void (*)(void)) allocation_free_async,
     METH_FASTCALL | METH_KEYWORDS,
     "free_async($self, stream=None)\n--\n\n"
     "Frees memory of mem_alloc_async when the stream gets there; the object is done with now."},
    {"from_handle", (PyCFunction) (void (*)(void)) allocation_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "Memory of somebody else, which is never freed through this object.\n\n"
     "Parameters\n----------\n"
     "handle : int\n    A CUdeviceptr. `size` is what is left of its allocation from there on, 0 "
     "where the driver cannot tell.\n"
     "owner : object\n    Kept alive as long as this object."},
    {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nThe allocation itself."},
    {"__exit__", allocation_exit, METH_VARARGS,
     "__exit__($self, /, *args)\n--\n\nFrees the memory, if that has not been done."},
    {NULL, NULL, 0, NULL},
};

static PyObject *allocation_handle(PyObject *self, void *closure)
{
    (void) closure;
    return allocation_index(self);
}

static PyGetSetDef allocation_getset[] = {
    {"handle", allocation_handle, NULL, "The CUdeviceptr as an int.", NULL},
    {"size", allocation_size, NULL, "Bytes.", NULL},
    {"__cuda_array_interface__", allocation_interface, NULL,
     "Its bytes by version 3 of the protocol; memory of the CPU device has none, but __dlpack__.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef allocation_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot allocation_slots[] = {
    {Py_tp_doc,
     (char *) "Device memory, freed with its last reference. int() of it is its address."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, bind_allocation_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_repr, allocation_repr},
    {Py_nb_int, allocation_index},
    {Py_nb_index, allocation_index},
    {Py_tp_methods, allocation_methods},
    {Py_tp_getset, allocation_getset},
    {Py_tp_members, allocation_members},
    {0, NULL},
};

PyType_Spec bind_allocation_spec = {"runcu.driver.DeviceAllocation", sizeof(bind_allocation), 0,
                                    BIND_FLAGS, allocation_slots};

/* --- PointerHolderBase --- */

static PyObject *holder_get_pointer(PyObject *self, PyObject *unused)
{
    (void) unused;
    return PyErr_Format(PyExc_NotImplementedError, "%s does not define get_pointer()",
                        Py_TYPE(self)->tp_name);
}

static PyObject *holder_index(PyObject *self)
{
    uint64_t address;
    if (bind_address(&address, ((bind_object *) self)->state, self) != 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(address);
}

static PyObject *holder_as_buffer(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames)
{
    bind_state *state = ((bind_object *) self)->state;
    size_t size, offset;
    uint64_t address;
    if (parse_as_buffer(&size, &offset, args, nargs, kwnames) != 0 ||
        bind_address(&address, state, self) != 0)
        return NULL;
    return span_view(state, self, address + offset, size);
}

static PyObject *holder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void) args; /* those of a subclass's __init__ */
    (void) kwargs;
    return bind_new(type);
}

static void holder_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    bind_end_dealloc(self);
}

static PyMethodDef holder_methods[] = {
    {"get_pointer", holder_get_pointer, METH_NOARGS,
     "get_pointer($self, /)\n--\n\nThe device address as an int; to be defined by the subclass."},
    {"as_buffer", (PyCFunction) (void (*)(void)) holder_as_buffer, METH_FASTCALL | METH_KEYWORDS,
     "as_buffer($self, size, offset=0)\n--\n\nA memoryview of the memory there; as "
     "DeviceAllocation.as_buffer."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef holder_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot holder_slots[] = {
    {Py_tp_doc,
     (char *) "Base of classes that stand for device memory of others: override get_pointer()."},
    {Py_tp_new, holder_new},
    {Py_tp_dealloc, holder_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_nb_int, holder_index},
    {Py_nb_index, holder_index},
    {Py_tp_methods, holder_methods},
    {Py_tp_members, holder_members},
    {0, NULL},
};

PyType_Spec bind_holder_spec = {"runcu.driver.PointerHolderBase", sizeof(bind_object), 0,
                                BIND_FLAGS, holder_slots};

/* --- functions of the module --- */

static PyObject *mem_alloc(PyObject *module, PyObject *value)
{
    size_t bytes;
    if (bind_size(&bytes, value, "the number of bytes") != 0)
        return NULL;
    return bind_allocation_new(bind_module_state(module), bytes);
}

static PyObject *mem_alloc_pitch(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "mem_alloc_pitch", 3, {"width", "height", "access_size", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[3];
    size_t width, height, pitch;
    unsigned access;
    runcu_mem *mem;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_size(&width, values[0], "width") != 0 ||
        bind_size(&height, values[1], "height") != 0 ||
        bind_unsigned(&access, values[2], "access_size") != 0)
        return NULL;
    int status = runcu_mem_alloc_pitch(&mem, &pitch, width, height, access);
    if (bind_is_full(status)) {
        bind_collect();
        BIND_UNLOCKED(status, runcu_mem_alloc_pitch(&mem, &pitch, width, height, access));
    }
    if (bind_check(state, status) != 0)
        return NULL;
    PyObject *memory = bind_allocation_wrap(state->allocation_type, mem);
    return memory ? Py_BuildValue("(Nn)", memory, (Py_ssize_t) pitch) : NULL;
}

static PyObject *mem_get_info(PyObject *module, PyObject *unused)
{
    (void) unused;
    size_t free_bytes, total;
    int status;
    BIND_UNLOCKED(status, runcu_mem_info(&free_bytes, &total));
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return Py_BuildValue("(nn)", (Py_ssize_t) free_bytes, (Py_ssize_t) total);
}

static PyObject *mem_get_address_range(PyObject *module, PyObject *value)
{
    bind_state *state = bind_module_state(module);
    uint64_t address, base;
    size_t bytes;
    if (bind_address(&address, state, value) != 0 ||
        bind_check(state, runcu_mem_address_range(&base, &bytes, address)) != 0)
        return NULL;
    return Py_BuildValue("(Kn)", (unsigned long long) base, (Py_ssize_t) bytes);
}

PyMethodDef bind_memory_functions[] = {
    {"mem_alloc", mem_alloc, METH_O,
     "mem_alloc($module, bytes, /)\n--\n\n"
     "Device memory of the current context.\n\n"
     "Raises\n------\nMemoryError\n    of runcu.driver: the device has not that much left."},
    {"mem_alloc_pitch", (PyCFunction) (void (*)(void)) mem_alloc_pitch,
     METH_FASTCALL | METH_KEYWORDS,
     "mem_alloc_pitch($module, width, height, access_size)\n--\n\n"
     "Device memory of rows that begin where accesses are fast.\n\n"
     "Parameters\n----------\n"
     "width : int\n    Bytes of a row.\n"
     "height : int\n    Rows.\n"
     "access_size : int\n    Bytes of an access: 4, 8 or 16.\n\n"
     "Returns\n-------\n"
     "(DeviceAllocation, int)\n    The memory, and how many bytes lie between two rows."},
    {"mem_get_info", mem_get_info, METH_NOARGS,
     "mem_get_info($module, /)\n--\n\nBytes free and in all on the current context's device."},
    {"mem_get_address_range", mem_get_address_range, METH_O,
     "mem_get_address_range($module, pointer, /)\n--\n\nStart and bytes of the allocation that "
     "holds an address."},
    {NULL, NULL, 0, NULL},
};

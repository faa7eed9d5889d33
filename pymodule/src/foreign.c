/* Arrays of other libraries: taken over by DLPack or __cuda_array_interface__ as a ForeignArray,
 * which stands for their address and keeps them alive. */
#include "core.h"

#include <string.h>

/* --- what a capsule holds --- */

/* The owned tensor of a capsule, of either kind; both NULL: none. */
struct managed {
    dl_managed *plain;
    dl_versioned *versioned;
};

typedef struct bind_foreign {
    BIND_HEAD
    uint64_t address;
    PyArray_Descr *dtype;
    PyObject *shape, *strides; /* tuples; strides in bytes */
    PyObject *owner;           /* the array it came from */
    struct managed managed;
    dl_device device;
    size_t bytes; /* elements' */
    bool is_read_only;
} bind_foreign;

static void let_go(struct managed *m)
{
    struct bind_quiet quiet;
    struct managed held = *m;
    *m = (struct managed){0};
    bind_quiet_begin(&quiet);
    if (held.plain && held.plain->deleter)
        held.plain->deleter(held.plain);
    if (held.versioned && held.versioned->deleter)
        held.versioned->deleter(held.versioned);
    bind_quiet_end(&quiet);
}

static const dl_tensor *tensor_of(const struct managed *m)
{
    return m->plain ? &m->plain->tensor : m->versioned ? &m->versioned->tensor : NULL;
}

/* Takes the tensor out of its capsule, which is of no use to anybody else then. */
static int take_capsule(struct managed *out, PyObject *capsule)
{
    *out = (struct managed){0};
    if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        out->versioned = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        PyCapsule_SetName(capsule, "used_dltensor_versioned");
    } else if (PyCapsule_IsValid(capsule, "dltensor")) {
        out->plain = PyCapsule_GetPointer(capsule, "dltensor");
        PyCapsule_SetName(capsule, "used_dltensor");
    } else {
        return bind_raise(PyExc_ValueError, "no capsule of DLPack, or one that has been used: %R",
                          capsule);
    }
    if (out->versioned && out->versioned->major > DL_MAJOR) {
        unsigned major = out->versioned->major, minor = out->versioned->minor;
        let_go(out);
        return bind_raise(PyExc_BufferError,
                          "the array is exported by DLPack %u.%u, and version %d is what is known "
                          "here",
                          major, minor, DL_MAJOR);
    }
    return 0;
}

/* --- the object --- */

static PyObject *tuple_of(const int64_t *values, int count, int64_t scale)
{
    PyObject *out = PyTuple_New(count);
    for (int i = 0; out && i < count; i++) {
        PyObject *value = PyLong_FromLongLong(values[i] * scale);
        if (!value)
            Py_CLEAR(out);
        else
            PyTuple_SET_ITEM(out, i, value);
    }
    return out;
}

/* Strides of an array in C order, in bytes. */
static PyObject *packed_strides(const int64_t *shape, int count, int64_t size)
{
    PyObject *out = PyTuple_New(count);
    int64_t next = size;
    for (int i = count - 1; out && i >= 0; i--) {
        PyObject *value = PyLong_FromLongLong(next);
        if (!value)
            Py_CLEAR(out);
        else
            PyTuple_SET_ITEM(out, i, value);
        next *= shape[i];
    }
    return out;
}

static size_t bytes_of(const int64_t *shape, int count, size_t size)
{
    for (int i = 0; i < count; i++)
        size *= (size_t) shape[i];
    return size;
}

/* Kernels must be able to reach it: plain host memory is refused. */
static int check_place(bind_foreign *self)
{
    bind_state *state = self->state;
    if (!self->address)
        return 0;
    if (bind_dlpack_device(&self->device, state, self->address) != 0)
        return -1;
    runcu_address_info info = {.size = sizeof info};
    if (bind_check(state, runcu_address_find(&info, self->address)) != 0)
        return -1;
    if (info.kind == RUNCU_ADDRESS_UNKNOWN)
        return bind_raise(PyExc_BufferError,
                          "the array (at %p) is in no memory of a device that is in use here: "
                          "an array in host memory is copied with to_gpu or to_device, or given to "
                          "kernels as In, Out or InOut",
                          (void *) (uintptr_t) self->address);
    self->address = info.address ? info.address : self->address;
    return 0;
}

static int fill(bind_foreign *self, const dl_tensor *t)
{
    if (t->ndim < 0 || (t->ndim && !t->shape))
        return bind_raise(PyExc_BufferError, "a tensor of %d dimensions without a shape", t->ndim);
    self->dtype = bind_dtype_of_dlpack(t->type);
    if (!self->dtype)
        return -1;
    int64_t size = PyDataType_ELSIZE(self->dtype);
    self->bytes = bytes_of(t->shape, t->ndim, (size_t) size);
    self->address = self->bytes ? (uintptr_t) t->data + t->byte_offset : 0;
    self->device = t->device;
    self->shape = tuple_of(t->shape, t->ndim, 1);
    self->strides =
        t->strides ? tuple_of(t->strides, t->ndim, size) : packed_strides(t->shape, t->ndim, size);
    return self->shape && self->strides ? 0 : -1;
}

static int foreign_traverse(PyObject *self, visitproc visit, void *arg)
{
    bind_foreign *f = (bind_foreign *) self;
    Py_VISIT(f->shape);
    Py_VISIT(f->strides);
    Py_VISIT(f->dtype);
    Py_VISIT(f->owner);
    return bind_traverse(self, visit, arg);
}

static void foreign_dealloc(PyObject *self)
{
    bind_foreign *f = (bind_foreign *) self;
    bind_begin_dealloc(self);
    let_go(&f->managed);
    Py_CLEAR(f->owner);
    Py_CLEAR(f->shape);
    Py_CLEAR(f->strides);
    Py_CLEAR(f->dtype);
    bind_end_dealloc(self);
}

const dl_tensor *bind_foreign_tensor(PyObject *value)
{
    return tensor_of(&((bind_foreign *) value)->managed);
}

bool bind_foreign_is_read_only(PyObject *value)
{
    return ((bind_foreign *) value)->is_read_only;
}

void bind_foreign_argument(runcu_arg *arg, PyObject *value)
{
    bind_foreign *f = (bind_foreign *) value;
    bind_set_address(arg, f->address);
    bind_set_element(arg, f->dtype);
    arg->flags = f->is_read_only ? RUNCU_ARG_READ_ONLY : 0;
}

int bind_foreign_address(uint64_t *out, PyObject *value)
{
    *out = ((bind_foreign *) value)->address;
    return 0;
}

static PyObject *foreign_index(PyObject *self)
{
    return PyLong_FromUnsignedLongLong(((bind_foreign *) self)->address);
}

static PyObject *foreign_get_pointer(PyObject *self, PyObject *unused)
{
    (void) unused;
    return foreign_index(self);
}

static PyObject *foreign_ptr(PyObject *self, void *closure)
{
    (void) closure;
    return foreign_index(self);
}

static PyObject *foreign_nbytes(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromSize_t(((bind_foreign *) self)->bytes);
}

static PyObject *foreign_repr(PyObject *self)
{
    bind_foreign *f = (bind_foreign *) self;
    return PyUnicode_FromFormat("<%s of shape %R, dtype %S at %p>", Py_TYPE(self)->tp_name,
                                f->shape, f->dtype, (void *) (uintptr_t) f->address);
}

static PyObject *foreign_dlpack_device(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_foreign *f = (bind_foreign *) self;
    return Py_BuildValue("(ii)", f->device.type, f->device.id);
}

static struct bind_tensor tensor_of_foreign(bind_foreign *f)
{
    return (struct bind_tensor){.owner = (PyObject *) f,
                                .address = f->address,
                                .shape = f->shape,
                                .strides = f->strides,
                                .dtype = f->dtype,
                                .is_read_only = f->is_read_only};
}

static PyObject *foreign_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames)
{
    bind_foreign *f = (bind_foreign *) self;
    struct bind_tensor tensor = tensor_of_foreign(f);
    return bind_dlpack_tensor(&tensor, (struct bind_fastcall){args, nargs, kwnames});
}

static PyObject *foreign_interface(PyObject *self, void *closure)
{
    (void) closure;
    bind_foreign *f = (bind_foreign *) self;
    struct bind_tensor tensor = tensor_of_foreign(f);
    return bind_cuda_interface(&tensor, &f->device);
}

static PyMethodDef foreign_methods[] = {
    {"get_pointer", foreign_get_pointer, METH_NOARGS,
     "get_pointer($self, /)\n--\n\nThe device address."},
    {"__dlpack__", (PyCFunction) (void (*)(void)) foreign_dlpack, METH_FASTCALL | METH_KEYWORDS,
     "__dlpack__($self, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
     "A DLPack capsule of it, for further libraries."},
    {"__dlpack_device__", foreign_dlpack_device, METH_NOARGS,
     "__dlpack_device__($self, /)\n--\n\nDLPack's device: a pair of a type and a number."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef foreign_getset[] = {
    {"ptr", foreign_ptr, NULL, "The device address.", NULL},
    {"nbytes", foreign_nbytes, NULL, "Bytes of its elements.", NULL},
    {"__cuda_array_interface__", foreign_interface, NULL,
     "Version 3 of the protocol; memory of the CPU device has none.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef foreign_members[] = {
    {"shape", T_OBJECT, offsetof(bind_foreign, shape), READONLY, "Extents."},
    {"strides", T_OBJECT, offsetof(bind_foreign, strides), READONLY, "Strides in bytes."},
    {"dtype", T_OBJECT, offsetof(bind_foreign, dtype), READONLY,
     "The dtype; one of ml_dtypes where NumPy has none, or of bytes where that is missing."},
    {"owner", T_OBJECT, offsetof(bind_foreign, owner), READONLY, "The array it was made from."},
    {"read_only", T_BOOL, offsetof(bind_foreign, is_read_only), READONLY,
     "Whether its owner forbids to write there."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot foreign_slots[] = {
    {Py_tp_doc,
     (char *) "An array of another library: its address, shape and dtype. It keeps that array "
              "alive, and goes wherever a device address is taken."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, foreign_dealloc},
    {Py_tp_traverse, foreign_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_repr, foreign_repr},
    {Py_nb_int, foreign_index},
    {Py_nb_index, foreign_index},
    {Py_tp_methods, foreign_methods},
    {Py_tp_getset, foreign_getset},
    {Py_tp_members, foreign_members},
    {0, NULL},
};

PyType_Spec bind_foreign_spec = {"runcu.driver.ForeignArray", sizeof(bind_foreign), 0, BIND_FLAGS,
                                 foreign_slots};

/* --- DLPack --- */

/* The stream that the producer is told: 1 for the legacy default one. Memory of the host has none.
 */
static PyObject *producer_kwargs(const dl_device *device, const runcu_stream *stream)
{
    uint64_t handle = runcu_stream_handle(stream);
    PyObject *out = Py_BuildValue("{s:(ii)}", "max_version", DL_MAJOR, 0);
    if (!out || (device->type != DL_CUDA && device->type != DL_CUDA_MANAGED))
        return out;
    PyObject *number = PyLong_FromUnsignedLongLong(handle ? handle : 1);
    if (!number || PyDict_SetItemString(out, "stream", number) != 0)
        Py_CLEAR(out);
    Py_XDECREF(number);
    return out;
}

/* Producers from before version 1 do not know max_version. */
static PyObject *call_dlpack(PyObject *method, PyObject *kwargs)
{
    PyObject *none = PyTuple_New(0);
    PyObject *capsule = none ? PyObject_Call(method, none, kwargs) : NULL;
    if (!capsule && none && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        if (PyDict_DelItemString(kwargs, "max_version") == 0)
            capsule = PyObject_Call(method, none, kwargs);
    }
    Py_XDECREF(none);
    return capsule;
}

/* A dl_device of what __dlpack_device__ gives, whose type may be an enumeration. */
static int ask_device(dl_device *out, bind_state *state, PyObject *value)
{
    int status = -1;
    PyObject *pair = PyObject_CallMethodNoArgs(value, state->name___dlpack_device__);
    if (pair && !(PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2))
        PyErr_SetString(PyExc_TypeError, "__dlpack_device__ must give a type and a number");
    else if (pair)
        status = bind_int(&out->type, PyTuple_GET_ITEM(pair, 0), "the type of the device");
    if (status == 0)
        status = bind_int(&out->id, PyTuple_GET_ITEM(pair, 1), "the number of the device");
    Py_XDECREF(pair);
    return status;
}

static PyObject *get_capsule(bind_state *state, PyObject *value, const runcu_stream *stream)
{
    dl_device device;
    PyObject *capsule = NULL, *kwargs = NULL;
    PyObject *method = PyObject_GetAttr(value, state->name___dlpack__);
    if (method && ask_device(&device, state, value) == 0)
        kwargs = producer_kwargs(&device, stream);
    if (kwargs)
        capsule = call_dlpack(method, kwargs);
    Py_XDECREF(kwargs);
    Py_XDECREF(method);
    return capsule;
}

PyObject *bind_foreign_from_dlpack(bind_state *state, PyObject *value, const runcu_stream *stream)
{
    struct managed managed;
    PyObject *capsule =
        PyCapsule_CheckExact(value) ? Py_NewRef(value) : get_capsule(state, value, stream);
    int status = capsule ? take_capsule(&managed, capsule) : -1;
    Py_XDECREF(capsule);
    if (status != 0)
        return NULL;
    bind_foreign *out = bind_new(state->foreign_type);
    if (!out) {
        let_go(&managed);
        return NULL;
    }
    out->managed = managed;
    out->owner = PyCapsule_CheckExact(value) ? Py_NewRef(Py_None) : Py_NewRef(value);
    out->is_read_only = managed.versioned && (managed.versioned->flags & DL_READ_ONLY);
    if (fill(out, tensor_of(&managed)) != 0)
        Py_CLEAR(out);
    return (PyObject *) out;
}

/* --- host memory of other libraries --- */

/* Is it one block of memory, in C or Fortran order? */
static bool is_contiguous(const dl_tensor *t, bool is_fortran)
{
    int64_t next = 1;
    for (int i = 0; t->strides && i < t->ndim; i++) {
        int axis = is_fortran ? i : t->ndim - 1 - i;
        if (t->shape[axis] != 1 && t->strides[axis] != next)
            return false;
        next *= t->shape[axis];
    }
    return true;
}

/* Memory of the CPU device is host memory to others, but not here. */
static bool is_on_a_device(const bind_foreign *f)
{
    runcu_address_info info = {.size = sizeof info};
    if (f->device.type != DL_CPU)
        return f->device.type != DL_CUDA_HOST;
    return f->address && runcu_address_find(&info, f->address) == 0 &&
           info.kind == RUNCU_ADDRESS_DEVICE;
}

static int check_host(bind_foreign *f, bool writable)
{
    const dl_tensor *t = bind_foreign_tensor((PyObject *) f);
    if (is_on_a_device(f))
        return bind_raise(PyExc_TypeError, "%.200s is in no host memory: it is on a device already",
                          Py_TYPE(f->owner)->tp_name);
    if (f->bytes && !is_contiguous(t, false) && !is_contiguous(t, true))
        return bind_raise(PyExc_ValueError, "%.200s is not contiguous", Py_TYPE(f->owner)->tp_name);
    if (writable && f->is_read_only)
        return bind_raise(PyExc_ValueError, "%.200s is not writable", Py_TYPE(f->owner)->tp_name);
    return 0;
}

int bind_foreign_buffer(struct bind_buffer *out, bind_state *state, PyObject *value, bool writable)
{
    PyObject *method = PyType_Check(value) ? NULL : bind_optional(value, state->name___dlpack__);
    if (PyErr_Occurred())
        return -1;
    Py_XDECREF(method);
    if (!method)
        return bind_raise(PyExc_TypeError,
                          "could not determine array length: %.200s gives no buffer of host memory",
                          Py_TYPE(value)->tp_name);
    bind_foreign *f = (bind_foreign *) bind_foreign_from_dlpack(state, value, NULL);
    if (!f || check_host(f, writable) != 0) {
        Py_XDECREF(f);
        return -1;
    }
    out->owner = (PyObject *) f;
    out->data = (void *) (uintptr_t) f->address;
    out->bytes = f->bytes;
    return 0;
}

static PyObject *dlpack_import(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    static const struct bind_signature signature = {"dlpack_import", 1, {"array", "stream", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[2], *keep = NULL, *out = NULL;
    runcu_stream *stream;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    if (bind_stream(&stream, &keep, state, values[1]) == 0)
        out = bind_foreign_from_dlpack(state, values[0], stream);
    if (out && check_place((bind_foreign *) out) != 0)
        Py_CLEAR(out);
    Py_XDECREF(keep);
    return out;
}

PyMethodDef bind_foreign_functions[] = {
    {"dlpack_import", (PyCFunction) (void (*)(void)) dlpack_import, METH_FASTCALL | METH_KEYWORDS,
     "dlpack_import($module, array, stream=None)\n--\n\n"
     "The array of another library by DLPack, without a copy.\n\n"
     "Parameters\n----------\n"
     "array : object\n    With `__dlpack__` and `__dlpack_device__`, or a capsule of DLPack.\n"
     "stream : Stream, optional\n    In which it will be used: what its library has queued is done "
     "before; by default the legacy default stream.\n\n"
     "Returns\n-------\nForeignArray\n    With `ptr`, `shape`, `strides` (bytes), `dtype`, "
     "`owner`, `read_only`; it keeps the memory.\n\n"
     "Raises\n------\nBufferError\n    The array is in plain host memory, on a device that is not "
     "in use here, or its type has no dtype."},
    {NULL, NULL, 0, NULL},
};

/* Device memory for other libraries: DLPack capsules and who owns what they describe. What comes
 * from other libraries is foreign.c's. */
#include "core.h"

#include <string.h>

/* --- dtypes --- */

/* Types that NumPy does not have itself, by the names that ml_dtypes gives them. */
static const struct user_type {
    const char *name;
    uint8_t code, bits;
} user_types[] = {
    {"bfloat16", DL_BFLOAT, 16},       {"float8_e3m4", DL_E3M4, 8},
    {"float8_e4m3", DL_E4M3, 8},       {"float8_e4m3b11fnuz", DL_E4M3B11FNUZ, 8},
    {"float8_e4m3fn", DL_E4M3FN, 8},   {"float8_e4m3fnuz", DL_E4M3FNUZ, 8},
    {"float8_e5m2", DL_E5M2, 8},       {"float8_e5m2fnuz", DL_E5M2FNUZ, 8},
    {"float8_e8m0fnu", DL_E8M0FNU, 8},
};

const char *bind_last_name(PyTypeObject *type)
{
    const char *dot = strrchr(type->tp_name, '.');
    return dot ? dot + 1 : type->tp_name;
}

bool bind_user_type(dl_type *out, PyArray_Descr *dtype)
{
    for (size_t i = 0; i < ARRAY_LEN(user_types); i++)
        if (strcmp(bind_last_name(dtype->typeobj), user_types[i].name) == 0) {
            *out = (dl_type){user_types[i].code, user_types[i].bits, 1};
            return true;
        }
    return false;
}

static int code_of_kind(char kind)
{
    static const struct {
        char kind;
        uint8_t code;
    } rows[] = {{'b', DL_BOOL}, {'i', DL_INT}, {'u', DL_UINT}, {'f', DL_FLOAT}, {'c', DL_COMPLEX}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].kind == kind)
            return rows[i].code;
    return -1;
}

/* DLPack's name of a dtype; -1 with BufferError if it has none. */
static int type_of_dtype(dl_type *out, PyArray_Descr *dtype)
{
    size_t size = (size_t) PyDataType_ELSIZE(dtype);
    int code = code_of_kind(dtype->kind);
    bool is_long_double = dtype->type_num == NPY_LONGDOUBLE || dtype->type_num == NPY_CLONGDOUBLE;
    if (PyTypeNum_ISUSERDEF(dtype->type_num) && bind_user_type(out, dtype))
        return 0;
    if (code >= 0 && !PyTypeNum_ISUSERDEF(dtype->type_num) && !is_long_double &&
        PyArray_ISNBO(dtype->byteorder)) {
        *out = (dl_type){(uint8_t) code, (uint8_t) (8 * size), 1};
        return 0;
    }
    return bind_raise(PyExc_BufferError,
                      "DLPack has no type for the dtype %R: view the array as one of plain numbers",
                      dtype);
}

static PyArray_Descr *dtype_of_number(dl_type type)
{
    static const struct {
        uint8_t code, bits;
        int number;
    } rows[] = {
        {DL_BOOL, 8, NPY_BOOL},          {DL_INT, 8, NPY_INT8},
        {DL_INT, 16, NPY_INT16},         {DL_INT, 32, NPY_INT32},
        {DL_INT, 64, NPY_INT64},         {DL_UINT, 8, NPY_UINT8},
        {DL_UINT, 16, NPY_UINT16},       {DL_UINT, 32, NPY_UINT32},
        {DL_UINT, 64, NPY_UINT64},       {DL_FLOAT, 16, NPY_FLOAT16},
        {DL_FLOAT, 32, NPY_FLOAT32},     {DL_FLOAT, 64, NPY_FLOAT64},
        {DL_COMPLEX, 64, NPY_COMPLEX64}, {DL_COMPLEX, 128, NPY_COMPLEX128},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == type.code && rows[i].bits == type.bits)
            return PyArray_DescrFromType(rows[i].number);
    return NULL;
}

/* Of ml_dtypes if it is there; NULL without an exception if not. */
static PyArray_Descr *dtype_of_user(dl_type type)
{
    PyArray_Descr *dtype = NULL;
    for (size_t i = 0; i < ARRAY_LEN(user_types) && !dtype; i++) {
        if (user_types[i].code != type.code || user_types[i].bits != type.bits)
            continue;
        PyObject *module = PyImport_ImportModule("ml_dtypes");
        PyObject *cls = module ? PyObject_GetAttrString(module, user_types[i].name) : NULL;
        if (cls && !PyArray_DescrConverter(cls, &dtype))
            dtype = NULL;
        Py_XDECREF(cls);
        Py_XDECREF(module);
        PyErr_Clear();
    }
    return dtype;
}

static PyArray_Descr *bytes_dtype(size_t bytes)
{
    PyArray_Descr *dtype = NULL;
    PyObject *text = PyUnicode_FromFormat("V%zu", bytes);
    if (text)
        PyArray_DescrConverter(text, &dtype);
    Py_XDECREF(text);
    return dtype;
}

PyArray_Descr *bind_dtype_of_dlpack(dl_type type)
{
    if (!type.bits || type.bits % 8 || !type.lanes) {
        PyErr_Format(PyExc_BufferError, "an array of %d-bit elements has no dtype", type.bits);
        return NULL;
    }
    PyArray_Descr *dtype = type.lanes == 1 ? dtype_of_number(type) : NULL;
    if (!dtype && type.lanes == 1)
        dtype = dtype_of_user(type);
    return dtype ? dtype : bytes_dtype((size_t) type.bits / 8 * type.lanes);
}

/* --- devices --- */

/* Memory of the CPU device is host memory: everything can view it. */
static dl_device device_of(const runcu_address_info *info)
{
    int32_t ordinal = info->device ? runcu_device_ordinal(info->device) : 0;
    if (info->kind == RUNCU_ADDRESS_UNKNOWN || (info->device && runcu_device_is_cpu(info->device)))
        return (dl_device){DL_CPU, 0};
    if (info->kind == RUNCU_ADDRESS_HOST)
        return (dl_device){DL_CUDA_HOST, 0};
    return (dl_device){info->kind == RUNCU_ADDRESS_MANAGED ? DL_CUDA_MANAGED : DL_CUDA, ordinal};
}

/* An array without elements is where the current device is. */
static int device_of_nothing(dl_device *out, bind_state *state)
{
    runcu_context *context;
    if (bind_check(state, runcu_context_current(&context)) != 0)
        return -1;
    runcu_device *device = runcu_context_device(context);
    *out = runcu_device_is_cpu(device) ? (dl_device){DL_CPU, 0}
                                       : (dl_device){DL_CUDA, runcu_device_ordinal(device)};
    return 0;
}

int bind_dlpack_device(dl_device *out, bind_state *state, uint64_t address)
{
    runcu_address_info info = {.size = sizeof info};
    if (!address)
        return device_of_nothing(out, state);
    if (bind_check(state, runcu_address_find(&info, address)) != 0)
        return -1;
    *out = device_of(&info);
    return 0;
}

/* --- what is exported --- */

/* An array: `strides` in bytes. */
struct array {
    PyObject *owner;
    uint64_t address;
    PyArray_Dims shape, strides; /* strides.ptr NULL: C order */
    PyArray_Descr *dtype;
    bool is_read_only, is_copied;
};

/* What the consumer asks for. */
struct request {
    PyObject *stream, *device, *copy; /* borrowed, or NULL */
    runcu_stream *after;
    bool is_versioned;
    bool copies;
};

/* The tensor, and what it lives on: one piece of memory, freed by its deleter. */
struct shared {
    union {
        dl_managed plain;
        dl_versioned versioned;
    } managed;
    PyObject *owner;
    bind_allocation *allocation; /* the owner, if it is one: it is not freed meanwhile */
    int64_t extents[];           /* shape, then strides */
};

/* Consumers call it from any thread; at the end of the interpreter nobody can free the owner. */
static void release(struct shared *shared)
{
    struct bind_quiet quiet;
    if (!Py_IsInitialized())
        return;
    PyGILState_STATE state = PyGILState_Ensure();
    bind_put_aside(&quiet);
    if (shared->allocation)
        atomic_fetch_sub(&shared->allocation->exports, 1);
    Py_DECREF(shared->owner);
    PyMem_RawFree(shared);
    bind_put_back(&quiet);
    PyGILState_Release(state);
}

static void delete_plain(dl_managed *self)
{
    release((struct shared *) self);
}

static void delete_versioned(dl_versioned *self)
{
    release((struct shared *) self);
}

/* A capsule that nobody consumed. */
static void delete_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor"))
        delete_plain(PyCapsule_GetPointer(capsule, "dltensor"));
    else if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        delete_versioned(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
}

/* DLPack counts strides in elements. */
static int fill_extents(int64_t *out, const struct array *a)
{
    int64_t size = PyDataType_ELSIZE(a->dtype), next = 1;
    int n = a->shape.len;
    for (int i = n - 1; i >= 0; i--) {
        int64_t stride = a->strides.ptr ? a->strides.ptr[i] : next * size;
        bool is_alone = a->shape.ptr[i] < 2; /* its stride means nothing */
        if (stride % size && !is_alone)
            return bind_raise(PyExc_BufferError,
                              "a stride of %lld bytes is no multiple of the %lld of an element: "
                              "DLPack cannot tell it",
                              (long long) stride, (long long) size);
        out[i] = a->shape.ptr[i];
        out[n + i] = stride % size ? 1 : stride / size;
        next *= a->shape.ptr[i];
    }
    return 0;
}

static struct shared *new_shared(bind_state *state, const struct array *a, dl_device device,
                                 bool is_versioned)
{
    dl_type type = {0};
    if (type_of_dtype(&type, a->dtype) != 0)
        return NULL;
    size_t extents = 2 * (size_t) a->shape.len * sizeof(int64_t);
    struct shared *s = PyMem_RawCalloc(1, sizeof *s + extents);
    if (!s) {
        PyErr_NoMemory();
        return NULL;
    }
    if (fill_extents(s->extents, a) != 0) {
        PyMem_RawFree(s);
        return NULL;
    }
    dl_tensor tensor = {.data = (void *) (uintptr_t) a->address,
                        .device = device,
                        .ndim = a->shape.len,
                        .type = type,
                        .shape = s->extents,
                        .strides = s->extents + a->shape.len};
    uint64_t flags =
        (a->is_read_only ? DL_READ_ONLY : 0u) | (a->is_copied ? (unsigned) DL_IS_COPIED : 0u);
    if (is_versioned)
        s->managed.versioned = (dl_versioned){DL_MAJOR, 0, s, delete_versioned, flags, tensor};
    else
        s->managed.plain = (dl_managed){tensor, s, delete_plain};
    s->owner = Py_NewRef(a->owner);
    if (PyObject_TypeCheck(a->owner, state->allocation_type)) {
        s->allocation = (bind_allocation *) a->owner;
        atomic_fetch_add(&s->allocation->exports, 1);
    }
    return s;
}

static PyObject *make_capsule(bind_state *state, const struct array *a, dl_device device,
                              bool is_versioned)
{
    if (a->is_read_only && !is_versioned) {
        PyErr_SetString(PyExc_BufferError,
                        "a read-only array is only exported to consumers that know of such: those "
                        "that give max_version=(1, 0) or newer");
        return NULL;
    }
    struct shared *s = new_shared(state, a, device, is_versioned);
    if (!s)
        return NULL;
    PyObject *capsule =
        PyCapsule_New(s, is_versioned ? "dltensor_versioned" : "dltensor", delete_capsule);
    if (!capsule)
        release(s);
    return capsule;
}

/* --- order --- */

static bool is_int(PyObject *value, long number)
{
    return PyLong_Check(value) && PyLong_AsLong(value) == number && !PyErr_Occurred();
}

/* The consumer's stream: 1 and None are the legacy default stream, and so is 0, which the protocol
 * does not allow and some give all the same. */
static int consumer_stream(uint64_t *out, PyObject *value)
{
    *out = 1;
    if (!value || value == Py_None)
        return 0;
    PyObject *index = PyNumber_Index(value);
    *out = index ? PyLong_AsUnsignedLongLong(index) : 0;
    Py_XDECREF(index);
    if (PyErr_Occurred())
        return -1;
    *out = *out ? *out : 1;
    return 0;
}

/* Work so far, of the legacy default stream or of `after`, is done before the consumer's. Who reads
 * on the host names no stream. */
static int order(bind_state *state, const struct request *r, dl_device device, uint64_t address)
{
    bool has_stream = r->stream && r->stream != Py_None;
    int status;
    uint64_t consumer;
    if (!address || (has_stream && is_int(r->stream, -1)))
        return 0;
    PyErr_Clear();
    bool on_host = device.type == DL_CPU || device.type == DL_CUDA_HOST ||
                   (device.type == DL_CUDA_MANAGED && !has_stream);
    if (on_host) {
        BIND_UNLOCKED(status, r->after ? runcu_stream_synchronize(r->after)
                                       : runcu_address_synchronize(address));
        return bind_check(state, status);
    }
    if (consumer_stream(&consumer, r->stream) != 0)
        return -1;
    runcu_stream *wrapped = NULL;
    status = consumer == 1 ? 0 : runcu_stream_wrap(&wrapped, consumer);
    if (status == 0)
        status = runcu_stream_follow(wrapped, r->after ? runcu_stream_handle(r->after) : 0);
    runcu_stream_destroy(&wrapped);
    return bind_check(state, status);
}

/* --- copies --- */

/* The bytes from the first to the last that an array touches. */
static void get_span(int64_t *low, int64_t *bytes, const struct array *a)
{
    int64_t size = PyDataType_ELSIZE(a->dtype), next = size, high = 0;
    *low = 0;
    for (int i = a->shape.len - 1; i >= 0; i--) {
        int64_t n = a->shape.ptr[i], stride = a->strides.ptr ? a->strides.ptr[i] : next;
        *(stride < 0 ? low : &high) += n ? stride * (n - 1) : 0;
        next *= n;
    }
    *bytes = next ? high - *low + size : 0;
}

static int copy_to_host(bind_state *state, struct array *a, int64_t low, int64_t bytes)
{
    npy_intp count = bytes;
    int status = 0;
    PyObject *host = PyArray_SimpleNew(1, &count, NPY_UINT8);
    if (!host)
        return -1;
    char *data = PyArray_DATA((PyArrayObject *) host);
    if (bytes)
        BIND_UNLOCKED(status, runcu_copy_dtoh(data, a->address + (uint64_t) low, (size_t) bytes));
    Py_SETREF(a->owner, host);
    a->address = (uintptr_t) data - (uint64_t) low;
    return bind_check(state, status);
}

static int copy_to_device(bind_state *state, struct array *a, int64_t low, int64_t bytes)
{
    int status;
    bind_allocation *memory = (bind_allocation *) bind_allocation_new(state, (size_t) bytes);
    if (!memory)
        return -1;
    BIND_UNLOCKED(status,
                  runcu_copy_dtod(memory->address, a->address + (uint64_t) low, (size_t) bytes));
    Py_SETREF(a->owner, (PyObject *) memory);
    a->address = memory->address - (uint64_t) low;
    return bind_check(state, status);
}

/* In place of the array: a copy of it, on the device it is on or on the host. */
static int copy_array(bind_state *state, struct array *a, dl_device *device, dl_device target)
{
    dl_device here;
    int64_t low, bytes;
    get_span(&low, &bytes, a);
    a->is_copied = true;
    bool to_host = target.type == DL_CPU && device->type != DL_CPU;
    *device = target;
    if (to_host)
        return copy_to_host(state, a, low, bytes);
    if (!bytes)
        return 0;
    if (device_of_nothing(&here, state) != 0)
        return -1;
    if (here.type != (target.type == DL_CPU ? DL_CPU : DL_CUDA) || here.id != target.id)
        return bind_raise(PyExc_BufferError,
                          "the array's device must be current for a copy of it to be made there");
    if (target.type != DL_CPU)
        device->type = DL_CUDA;
    return copy_to_device(state, a, low, bytes);
}

static int read_device(dl_device *out, PyObject *pair)
{
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2)
        return bind_raise(PyExc_TypeError, "dl_device must be a pair: type and number of a device");
    return bind_int(&out->type, PyTuple_GET_ITEM(pair, 0), "the type of dl_device") ||
                   bind_int(&out->id, PyTuple_GET_ITEM(pair, 1), "the number of dl_device")
               ? -1
               : 0;
}

/* Sees to it that the array is where the consumer wants it. */
static int place(bind_state *state, struct array *a, const struct request *r, dl_device *device)
{
    dl_device target = *device;
    if (r->device && r->device != Py_None && read_device(&target, r->device) != 0)
        return -1;
    bool is_there = target.type == device->type && target.id == device->id;
    bool must_not = r->copy == Py_False;
    if (is_there && r->copy != Py_True)
        return 0;
    if (!is_there && (must_not || target.type != DL_CPU))
        return bind_raise(
            PyExc_BufferError,
            "the array is on DLPack's device (%d, %d) and cannot be exported to (%d, %d)%s",
            device->type, device->id, target.type, target.id, must_not ? " without a copy" : "");
    if (r->after) {
        int status;
        BIND_UNLOCKED(status, runcu_stream_synchronize(r->after));
        if (bind_check(state, status) != 0)
            return -1;
    }
    return copy_array(state, a, device, target);
}

static PyObject *export_array(bind_state *state, struct array *a, const struct request *r)
{
    dl_device device;
    PyObject *capsule = NULL;
    Py_INCREF(a->owner);
    if (bind_dlpack_device(&device, state, a->address) == 0 && place(state, a, r, &device) == 0 &&
        (a->is_copied || order(state, r, device, a->address) == 0))
        capsule = make_capsule(state, a, device, r->is_versioned);
    Py_DECREF(a->owner);
    return capsule;
}

/* --- from Python --- */

static int read_version(bool *is_versioned, PyObject *version)
{
    int major = 0;
    *is_versioned = false;
    if (!version || version == Py_None)
        return 0;
    if (!PyTuple_Check(version) || PyTuple_GET_SIZE(version) != 2)
        return bind_raise(PyExc_TypeError, "max_version must be a pair: (1, 0)");
    int status = bind_int(&major, PyTuple_GET_ITEM(version, 0), "the major version");
    *is_versioned = major >= DL_MAJOR;
    return status;
}

/* `values`: stream, max_version, dl_device, copy. */
static int read_request(struct request *out, PyObject *const *values)
{
    *out = (struct request){.stream = values[0], .device = values[2], .copy = values[3]};
    if (out->copy && out->copy != Py_None && !PyBool_Check(out->copy))
        return bind_raise(PyExc_TypeError, "copy must be True, False or None");
    return read_version(&out->is_versioned, values[1]);
}

static int read_layout(struct array *out, PyObject *shape, PyObject *strides)
{
    if (!PyArray_IntpConverter(shape, &out->shape))
        return -1;
    if (strides && strides != Py_None && !PyArray_IntpConverter(strides, &out->strides))
        return -1;
    for (int i = 0; i < out->shape.len; i++)
        if (out->shape.ptr[i] < 0)
            return bind_raise(PyExc_ValueError, "the extents of a shape must not be negative");
    if (out->strides.ptr && out->strides.len != out->shape.len)
        return bind_raise(PyExc_ValueError, "%d strides for a shape of %d extents",
                          out->strides.len, out->shape.len);
    return 0;
}

static void free_layout(struct array *a)
{
    PyDimMem_FREE(a->shape.ptr);
    PyDimMem_FREE(a->strides.ptr);
    Py_XDECREF(a->dtype);
}

enum { OWNER, ADDRESS, SHAPE, STRIDES, DTYPE, READ_ONLY, REQUEST, AFTER = REQUEST + 4, COUNT };

static PyObject *dlpack_export(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames)
{
    static const struct bind_signature signature = {"dlpack_export",
                                                    5,
                                                    {"owner", "address", "shape", "strides",
                                                     "dtype", "read_only", "stream", "max_version",
                                                     "dl_device", "copy", "after", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[COUNT], *keep = NULL, *capsule = NULL;
    struct array a = {0};
    struct request request;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return NULL;
    a.owner = values[OWNER];
    int truth = values[READ_ONLY] ? PyObject_IsTrue(values[READ_ONLY]) : 0;
    a.is_read_only = truth > 0;
    if (truth >= 0 && read_request(&request, values + REQUEST) == 0 &&
        bind_stream(&request.after, &keep, state, values[AFTER]) == 0 &&
        (values[ADDRESS] == Py_None || bind_address(&a.address, state, values[ADDRESS]) == 0) &&
        PyArray_DescrConverter(values[DTYPE], &a.dtype) &&
        read_layout(&a, values[SHAPE], values[STRIDES]) == 0)
        capsule = export_array(state, &a, &request);
    free_layout(&a);
    Py_XDECREF(keep);
    return capsule;
}

PyObject *bind_dlpack_tensor(const struct bind_tensor *tensor, struct bind_fastcall call)
{
    static const struct bind_signature signature = {
        "__dlpack__", 0, {"stream", "max_version", "dl_device", "copy", NULL}};
    PyObject *values[4], *capsule = NULL;
    struct request request;
    struct array a = {.owner = tensor->owner,
                      .address = tensor->address,
                      .dtype = tensor->dtype,
                      .is_read_only = tensor->is_read_only};
    Py_INCREF(a.dtype);
    if (bind_parse(values, &signature, call.args, call.nargs, call.kwnames) == 0 &&
        read_request(&request, values) == 0 && read_layout(&a, tensor->shape, tensor->strides) == 0)
        capsule = export_array(((bind_object *) tensor->owner)->state, &a, &request);
    free_layout(&a);
    return capsule;
}

PyObject *bind_cuda_interface(const struct bind_tensor *t, const dl_device *device)
{
    if (device->type == DL_CPU) {
        PyErr_SetString(PyExc_AttributeError,
                        "memory of the CPU device has no __cuda_array_interface__: other libraries "
                        "would take its address for a GPU's; they share it by __dlpack__");
        return NULL;
    }
    PyObject *typestr = PyObject_GetAttrString((PyObject *) t->dtype, "str");
    if (!typestr)
        return NULL;
    return Py_BuildValue("{s:O, s:N, s:(KO), s:O, s:i, s:O}", "shape", t->shape, "typestr", typestr,
                         "data", (unsigned long long) t->address,
                         t->is_read_only ? Py_True : Py_False, "strides",
                         t->strides ? t->strides : Py_None, "version", 3, "stream", Py_None);
}

PyObject *bind_dlpack_device_pair(bind_state *state, uint64_t address)
{
    dl_device device;
    if (bind_dlpack_device(&device, state, address) != 0)
        return NULL;
    return Py_BuildValue("(ii)", device.type, device.id);
}

static PyObject *dlpack_device(PyObject *module, PyObject *value)
{
    bind_state *state = bind_module_state(module);
    uint64_t address = 0;
    if (value != Py_None && bind_address(&address, state, value) != 0)
        return NULL;
    return bind_dlpack_device_pair(state, address);
}

PyMethodDef bind_interop_functions[] = {
    {"dlpack_export", (PyCFunction) (void (*)(void)) dlpack_export, METH_FASTCALL | METH_KEYWORDS,
     "dlpack_export($module, owner, address, shape, strides, dtype, read_only=False, stream=None, "
     "max_version=None, dl_device=None, copy=None, after=None)\n--\n\n"
     "A DLPack capsule of an array at a device address: the whole of a `__dlpack__` method.\n\n"
     "Nothing is copied unless `copy` or `dl_device` asks for it. What earlier work writes there "
     "is seen by the consumer's.\n\n"
     "Parameters\n----------\n"
     "owner : object\n    Kept alive as long as the consumer uses the memory.\n"
     "address : int or pointer object\n    None or 0 for an array without elements.\n"
     "shape : tuple of int\n"
     "strides : tuple of int or None\n    In bytes; None for C order.\n"
     "dtype : dtype\n    Of plain numbers, or of ml_dtypes.\n"
     "read_only : bool\n    Only consumers of version 1 are given such an array.\n"
     "stream, max_version, dl_device, copy\n    As `__dlpack__` was given them.\n"
     "after : Stream, optional\n    Whose work so far the consumer waits for; by default that of "
     "the legacy default stream.\n\n"
     "Raises\n------\nBufferError\n    DLPack cannot express the array, or it is not where "
     "`dl_device` wants it."},
    {"dlpack_device", dlpack_device, METH_O,
     "dlpack_device($module, address, /)\n--\n\n"
     "DLPack's device of an address, or of None the current one: a pair of a type and a number.\n\n"
     "The type is 1 for the CPU device, whose memory is host memory, 2 for a GPU, 3 for "
     "page-locked host memory of a GPU, 13 for managed memory."},
    {NULL, NULL, 0, NULL},
};

/* Memcpy2D, Memcpy3D, Memcpy3DPeer: copies described by their attributes and done when called. Host
 * memory is kept, and its end is checked. */
#include "core.h"

enum { HOST = 1, DEVICE = 2, ARRAY = 3, UNIFIED = 4 };

/* One side. `object` is what the address or the array came from, or NULL. */
struct side {
    PyObject *object, *context;
    unsigned long long address; /* on a device, or unified; of an array or host memory: 0 */
    int type;
    unsigned long long x, y, z, lod, pitch, height;
};

typedef struct bind_memcpy {
    BIND_HEAD
    struct side src, dst;
    unsigned long long width, height, depth;
} bind_memcpy;

/* --- host memory, strided or not --- */

/* Bytes from the first element to the end of the last one that lies behind it. */
static size_t reach(int count, const Py_ssize_t *shape, const Py_ssize_t *strides, Py_ssize_t item)
{
    size_t end = (size_t) item;
    for (int i = 0; i < count; i++) {
        if (!shape[i])
            return 0;
        if (strides[i] > 0)
            end += (size_t) (shape[i] - 1) * (size_t) strides[i];
    }
    return end;
}

static int array_memory(struct bind_buffer *out, PyArrayObject *array, bool writable)
{
    if (writable && !PyArray_ISWRITEABLE(array))
        return bind_raise(PyExc_ValueError, "ndarray is not writable");
    if (PyDataType_FLAGCHK(PyArray_DESCR(array), NPY_ITEM_REFCOUNT))
        return bind_raise(PyExc_TypeError,
                          "an array of Python objects cannot be copied to a device");
    Py_INCREF(array);
    out->owner = (PyObject *) array;
    out->data = PyArray_DATA(array);
    out->bytes = reach(PyArray_NDIM(array), PyArray_DIMS(array), PyArray_STRIDES(array),
                       PyArray_ITEMSIZE(array));
    return 0;
}

/* As bind_buffer_get, but rows may have gaps. */
static int get_memory(struct bind_buffer *out, bind_state *state, PyObject *value,
                      bool writable)
{
    *out = (struct bind_buffer){0};
    if (PyArray_Check(value))
        return array_memory(out, (PyArrayObject *) value, writable);
    if (!PyObject_CheckBuffer(value))
        return bind_buffer_get(out, state, value, writable); /* which says why not */
    if (PyObject_GetBuffer(value, &out->view, PyBUF_STRIDES | (writable ? PyBUF_WRITABLE : 0)) != 0)
        return -1;
    out->data = out->view.buf;
    out->bytes = reach(out->view.ndim, out->view.shape, out->view.strides, out->view.itemsize);
    return 0;
}

static bool is_memory(PyObject *value)
{
    return PyArray_Check(value) || PyObject_CheckBuffer(value);
}

/* --- a side is set --- */

static struct side *side_of(PyObject *self, void *is_dst)
{
    bind_memcpy *m = (bind_memcpy *) self;
    return is_dst ? &m->dst : &m->src;
}

static void set(struct side *s, int type, PyObject *object, uint64_t address)
{
    s->type = type;
    s->address = address;
    Py_XSETREF(s->object, Py_XNewRef(object));
}

static PyObject *set_host(PyObject *self, PyObject *value, bool is_dst)
{
    struct bind_buffer buffer;
    if (get_memory(&buffer, ((bind_object *) self)->state, value, is_dst) != 0)
        return NULL;
    bind_buffer_release(&buffer);
    set(side_of(self, is_dst ? self : NULL), HOST, value, 0);
    Py_RETURN_NONE;
}

static PyObject *set_array(PyObject *self, PyObject *value, bool is_dst)
{
    runcu_array *array;
    if (bind_cuarray_get(&array, ((bind_object *) self)->state, value) != 0)
        return NULL;
    set(side_of(self, is_dst ? self : NULL), ARRAY, value, 0);
    Py_RETURN_NONE;
}

static PyObject *set_device(PyObject *self, PyObject *value, bool is_dst)
{
    uint64_t address;
    if (bind_address(&address, ((bind_object *) self)->state, value) != 0)
        return NULL;
    set(side_of(self, is_dst ? self : NULL), DEVICE, value, address);
    Py_RETURN_NONE;
}

/* Memory of the host, as an array of managed memory is, or an address. */
static PyObject *set_unified(PyObject *self, PyObject *value, bool is_dst)
{
    struct bind_buffer buffer;
    uint64_t address = 0;
    if (is_memory(value)) {
        if (get_memory(&buffer, ((bind_object *) self)->state, value, is_dst) != 0)
            return NULL;
        bind_buffer_release(&buffer);
    } else if (bind_address(&address, ((bind_object *) self)->state, value) != 0) {
        return NULL;
    }
    set(side_of(self, is_dst ? self : NULL), UNIFIED, value, address);
    Py_RETURN_NONE;
}

static PyObject *set_context(PyObject *self, PyObject *value, bool is_dst)
{
    struct side *s = side_of(self, is_dst ? self : NULL);
    if (value != Py_None && !PyObject_TypeCheck(value, ((bind_object *) self)->state->context_type))
        return PyErr_Format(PyExc_TypeError, "a Context is expected, not %.200s",
                            Py_TYPE(value)->tp_name);
    Py_XSETREF(s->context, value == Py_None ? NULL : Py_NewRef(value));
    Py_RETURN_NONE;
}

#define SETTERS(X) \
    X(host)        \
    X(array)       \
    X(device)      \
    X(unified)     \
    X(context)
#define X(what)                                                             \
    static PyObject *memcpy_set_src_##what(PyObject *self, PyObject *value) \
    {                                                                       \
        return set_##what(self, value, false);                              \
    }                                                                       \
    static PyObject *memcpy_set_dst_##what(PyObject *self, PyObject *value) \
    {                                                                       \
        return set_##what(self, value, true);                               \
    }
SETTERS(X)
#undef X

static PyObject *get_type(PyObject *self, void *is_dst)
{
    bind_state *state = ((bind_object *) self)->state;
    int type = side_of(self, is_dst)->type;
    return PyObject_CallFunction(state->memory_type, "i", type ? type : HOST);
}

static int set_type(PyObject *self, PyObject *value, void *is_dst)
{
    int type;
    if (!value)
        return bind_raise(PyExc_AttributeError, "the memory type cannot be deleted");
    if (bind_int(&type, value, "the memory type") != 0)
        return -1;
    if (type < HOST || type > UNIFIED)
        return bind_raise(PyExc_ValueError, "%d is no memory_type", type);
    side_of(self, is_dst)->type = type;
    return 0;
}

static PyObject *get_device(PyObject *self, void *is_dst)
{
    return PyLong_FromUnsignedLongLong(side_of(self, is_dst)->address);
}

/* An address alone: what the last one came from is let go. */
static int put_device(PyObject *self, PyObject *value, void *is_dst)
{
    struct side *s = side_of(self, is_dst);
    uint64_t address;
    if (!value)
        return bind_raise(PyExc_AttributeError, "the address cannot be deleted");
    if (bind_address(&address, ((bind_object *) self)->state, value) != 0)
        return -1;
    set(s, s->type == UNIFIED ? UNIFIED : DEVICE, value, address);
    return 0;
}

/* --- the copy --- */

/* What a side is while it is copied. */
struct place {
    runcu_place place;
    struct bind_buffer buffer;
    bool has_buffer;
};

static int fill_memory(struct place *out, bind_state *state, const struct side *s, bool writable)
{
    uint64_t address = s->address;
    if (s->object && (s->type == HOST || is_memory(s->object))) {
        if (get_memory(&out->buffer, state, s->object, writable) != 0)
            return -1;
        out->has_buffer = true;
        out->place.host_bytes = out->buffer.bytes;
        if (s->type == HOST)
            out->place.host = out->buffer.data;
        else
            out->place.unified = (uintptr_t) out->buffer.data;
        return 0;
    }
    if (s->object && bind_address(&address, state, s->object) != 0) /* freed meanwhile, perhaps */
        return -1;
    if (s->type == DEVICE)
        out->place.device = address;
    else if (s->type == UNIFIED)
        out->place.unified = address;
    return 0;
}

static int fill_place(struct place *out, bind_state *state, const struct side *s, bool writable)
{
    *out = (struct place){.place = {.x = s->x,
                                    .y = s->y,
                                    .z = s->z,
                                    .lod = s->lod,
                                    .pitch = s->pitch,
                                    .height = s->height}};
    if (s->context)
        out->place.context = ((bind_context *) s->context)->context;
    if (s->type == ARRAY && s->object)
        return bind_cuarray_get(&out->place.array, state, s->object);
    if (s->type == ARRAY)
        return 0;
    return fill_memory(out, state, s, writable);
}

static void release_place(struct place *p)
{
    if (p->has_buffer)
        bind_buffer_release(&p->buffer);
    p->has_buffer = false;
}

/* Host memory stays until the stream got there. */
static int hold_place(struct place *p, bind_state *state, runcu_stream *stream)
{
    if (!p->has_buffer)
        return 0;
    p->has_buffer = false;
    return bind_hold_buffer(state, &p->buffer, stream);
}

typedef int copy_fn(const runcu_box *box);
typedef int copy_async_fn(const runcu_box *box, runcu_stream *stream);

/* How it is called: (), (aligned), (stream). */
struct call {
    copy_fn *copy;
    copy_async_fn *copy_async;
    runcu_stream *stream;
    PyObject *keep;
    bool is_async;
    int is_aligned;
};

static int do_copy(const bind_memcpy *m, const struct call *call, struct place *to,
                   struct place *from)
{
    int status = 0;
    runcu_box box = {.size = sizeof box,
                     .width = m->width,
                     .height = m->height,
                     .depth = m->depth,
                     .to = to->place,
                     .from = from->place,
                     .is_aligned = call->is_aligned};
    if (call->is_async)
        BIND_QUEUED(status, call->copy_async(&box, call->stream));
    else
        BIND_UNLOCKED(status, call->copy(&box));
    return bind_check(m->state, status);
}

/* Nothing to copy: for the library no rows are one. */
static bool is_empty(const bind_memcpy *m, const struct call *call)
{
    return !m->width || !m->height || (call->copy != runcu_copy_2d && !m->depth);
}

static PyObject *run(bind_memcpy *m, struct call *call)
{
    struct place to = {.has_buffer = false}, from = {.has_buffer = false};
    int status = 0;
    if (!is_empty(m, call)) {
        status = fill_place(&to, m->state, &m->dst, true);
        if (status == 0)
            status = fill_place(&from, m->state, &m->src, false);
        if (status == 0)
            status = do_copy(m, call, &to, &from);
        if (call->is_async)
            bind_release_done();
        if (status == 0 && call->is_async)
            status = hold_place(&to, m->state, call->stream);
        if (status == 0 && call->is_async)
            status = hold_place(&from, m->state, call->stream);
        PyObject *const used[] = {m->dst.object, m->src.object};
        if (status == 0 && call->is_async)
            status = bind_capture_hold(m->state, call->stream, used, 2);
        release_place(&to);
        release_place(&from);
    }
    Py_XDECREF(call->keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* A stream, but None, True and False: those who pass one of them want to wait. */
static int set_stream(struct call *call, bind_state *state, PyObject *value)
{
    if (!value || value == Py_None)
        return 0;
    if (bind_stream(&call->stream, &call->keep, state, value) != 0)
        return -1;
    call->is_async = true;
    return 0;
}

static int read_call_2d(struct call *call, bind_state *state, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "aligned", (char *) "stream", NULL};
    PyObject *aligned = NULL, *stream = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:Memcpy2D", names, &aligned, &stream))
        return -1;
    if (aligned && !stream && aligned != Py_None && !PyBool_Check(aligned) &&
        !(PyLong_Check(aligned) && PyLong_AsLong(aligned) >= 0 && PyLong_AsLong(aligned) <= 1)) {
        PyErr_Clear();
        stream = aligned;
        aligned = NULL;
    }
    call->is_aligned = aligned ? PyObject_IsTrue(aligned) : 0;
    if (call->is_aligned < 0)
        return -1;
    return set_stream(call, state, stream);
}

static int read_call_3d(struct call *call, bind_state *state, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "stream", NULL};
    PyObject *stream = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Memcpy3D", names, &stream))
        return -1;
    return set_stream(call, state, stream);
}

static PyObject *call_2d(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct call call = {.copy = runcu_copy_2d, .copy_async = runcu_copy_2d_async};
    bind_memcpy *m = (bind_memcpy *) self;
    return read_call_2d(&call, m->state, args, kwargs) == 0 ? run(m, &call) : NULL;
}

static PyObject *call_3d(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct call call = {.copy = runcu_copy_3d, .copy_async = runcu_copy_3d_async};
    bind_memcpy *m = (bind_memcpy *) self;
    return read_call_3d(&call, m->state, args, kwargs) == 0 ? run(m, &call) : NULL;
}

static PyObject *call_3d_peer(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct call call = {.copy = runcu_copy_3d_peer, .copy_async = runcu_copy_3d_peer_async};
    bind_memcpy *m = (bind_memcpy *) self;
    return read_call_3d(&call, m->state, args, kwargs) == 0 ? run(m, &call) : NULL;
}

/* --- the types --- */

static PyObject *memcpy_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) || (kwargs && PyDict_GET_SIZE(kwargs)))
        return PyErr_Format(PyExc_TypeError, "%s takes no arguments", type->tp_name);
    return bind_new(type);
}

static int memcpy_traverse(PyObject *self, visitproc visit, void *arg)
{
    const bind_memcpy *m = (bind_memcpy *) self;
    Py_VISIT(m->src.object);
    Py_VISIT(m->src.context);
    Py_VISIT(m->dst.object);
    Py_VISIT(m->dst.context);
    return bind_traverse(self, visit, arg);
}

static int memcpy_clear(PyObject *self)
{
    bind_memcpy *m = (bind_memcpy *) self;
    Py_CLEAR(m->src.object);
    Py_CLEAR(m->src.context);
    Py_CLEAR(m->dst.object);
    Py_CLEAR(m->dst.context);
    return bind_clear(self);
}

static void memcpy_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    memcpy_clear(self);
    bind_end_dealloc(self);
}

#define SETTER(side, what, doc)                                     \
    {                                                               \
        "set_" #side "_" #what, memcpy_set_##side##_##what, METH_O, \
            "set_" #side "_" #what "($self, value, /)\n--\n\n" doc  \
    }

static PyMethodDef rows_methods[] = {
    SETTER(src, host, "From host memory: an array or buffer, which is kept. Rows may have gaps."),
    SETTER(dst, host, "To host memory: an array or buffer, which is kept. Rows may have gaps."),
    SETTER(src, array, "From an Array, which is kept."),
    SETTER(dst, array, "To an Array, which is kept."),
    SETTER(src, device, "From device memory."),
    SETTER(dst, device, "To device memory."),
    SETTER(src, unified, "From an address or an array of memory that the driver places itself."),
    SETTER(dst, unified, "To an address or an array of memory that the driver places itself."),
    {NULL, NULL, 0, NULL},
};

static PyMethodDef peer_methods[] = {
    SETTER(src, context, "The context of the source's device memory; None: the current one."),
    SETTER(dst, context, "The context of the destination's device memory; None: the current one."),
    {NULL, NULL, 0, NULL},
};

/* Where an attribute's number is. */
#define NUMBER(name, field, doc)                                                 \
    {                                                                            \
        name, get_number, set_number, doc, (void *) offsetof(bind_memcpy, field) \
    }

static unsigned long long *number_at(PyObject *self, void *offset)
{
    return (unsigned long long *) ((char *) self + (uintptr_t) offset);
}

static PyObject *get_number(PyObject *self, void *offset)
{
    return PyLong_FromUnsignedLongLong(*number_at(self, offset));
}

static int set_number(PyObject *self, PyObject *value, void *offset)
{
    size_t number;
    if (!value)
        return bind_raise(PyExc_AttributeError, "the attribute cannot be deleted");
    if (bind_size(&number, value, "the attribute") != 0)
        return -1;
    *number_at(self, offset) = number;
    return 0;
}

static PyMemberDef memcpy_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyGetSetDef box_getset[] = {
    NUMBER("src_z", src.z, "Planes before the first of the source."),
    NUMBER("src_lod", src.lod, "0."),
    NUMBER("src_height", src.height, "Rows from plane to plane of the source; 0: no gaps."),
    NUMBER("dst_z", dst.z, "Planes before the first of the destination."),
    NUMBER("dst_lod", dst.lod, "0."),
    NUMBER("dst_height", dst.height, "Rows from plane to plane of the destination; 0: no gaps."),
    NUMBER("depth", depth, "Planes that are copied."),
    {NULL, NULL, NULL, NULL, NULL},
};

static char dst_mark;

static PyGetSetDef rows_getset[] = {
    NUMBER("src_x_in_bytes", src.x, "Bytes before the first in each row of the source."),
    NUMBER("src_y", src.y, "Rows before the first of the source."),
    NUMBER("src_pitch", src.pitch, "Bytes from row to row of the source; 0: no gaps."),
    NUMBER("dst_x_in_bytes", dst.x, "Bytes before the first in each row of the destination."),
    NUMBER("dst_y", dst.y, "Rows before the first of the destination."),
    NUMBER("dst_pitch", dst.pitch, "Bytes from row to row of the destination; 0: no gaps."),
    NUMBER("width_in_bytes", width, "Bytes of a row that are copied."),
    NUMBER("height", height, "Rows that are copied, of each plane."),
    {"src_memory_type", get_type, set_type, "The memory_type of the source.", NULL},
    {"dst_memory_type", get_type, set_type, "The memory_type of the destination.", &dst_mark},
    {"src_device", get_device, put_device, "The source's device address.", NULL},
    {"dst_device", get_device, put_device, "The destination's device address.", &dst_mark},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot memcpy_2d_slots[] = {
    {Py_tp_doc,
     (char *) "Memcpy2D()\n--\n\n"
              "A copy of rows, described by its attributes and done when called: "
              "copy() or copy(aligned) waits, copy(stream) does not. `aligned` says that "
              "pitches come from mem_alloc_pitch."},
    {Py_tp_new, memcpy_new},
    {Py_tp_call, call_2d},
    {Py_tp_dealloc, memcpy_dealloc},
    {Py_tp_traverse, memcpy_traverse},
    {Py_tp_clear, memcpy_clear},
    {Py_tp_methods, rows_methods},
    {Py_tp_members, memcpy_members},
    {Py_tp_getset, rows_getset},
    {0, NULL},
};

PyType_Spec bind_memcpy_2d_spec = {"runcu.driver.Memcpy2D", sizeof(bind_memcpy), 0, BIND_FLAGS,
                                   memcpy_2d_slots};

static PyType_Slot memcpy_3d_slots[] = {
    {Py_tp_doc, (char *) "Memcpy3D()\n--\n\n"
                         "A copy of planes of rows, described by its attributes and done when "
                         "called: copy() waits, copy(stream) does not."},
    {Py_tp_call, call_3d},
    {Py_tp_dealloc, memcpy_dealloc},
    {Py_tp_traverse, memcpy_traverse},
    {Py_tp_clear, memcpy_clear},
    {Py_tp_getset, box_getset},
    {0, NULL},
};

PyType_Spec bind_memcpy_3d_spec = {"runcu.driver.Memcpy3D", sizeof(bind_memcpy), 0, BIND_FLAGS,
                                   memcpy_3d_slots};

static PyType_Slot memcpy_3d_peer_slots[] = {
    {Py_tp_doc, (char *) "Memcpy3DPeer()\n--\n\n"
                         "A Memcpy3D between the memory of two contexts, of two devices perhaps."},
    {Py_tp_call, call_3d_peer},
    {Py_tp_dealloc, memcpy_dealloc},
    {Py_tp_traverse, memcpy_traverse},
    {Py_tp_clear, memcpy_clear},
    {Py_tp_methods, peer_methods},
    {0, NULL},
};

PyType_Spec bind_memcpy_3d_peer_spec = {"runcu.driver.Memcpy3DPeer", sizeof(bind_memcpy), 0,
                                        BIND_FLAGS, memcpy_3d_peer_slots};

/* Array, MipmappedArray, and what reads them: Texture (of which driver.TextureObject is made) and
 * SurfaceObject. Each stands for a handle of the driver's; what it reads is kept alive. */
#include "core.h"

/* --- what they have in common --- */

struct kind {
    const char *name, *free_name; /* the second as PyCUDA's errors have it */
    uint64_t (*handle)(const void *object);
    int (*wrap)(void **out, uint64_t handle);
    void (*close)(void *object);
    void (*destroy)(void *object);
};

#define KIND(noun, label, free_label)                                                 \
    static uint64_t handle_##noun(const void *object)                                 \
    {                                                                                 \
        return runcu_##noun##_handle(object);                                         \
    }                                                                                 \
    static int wrap_##noun(void **out, uint64_t handle)                               \
    {                                                                                 \
        runcu_##noun *made;                                                           \
        int status = runcu_##noun##_wrap(&made, handle);                              \
        *out = made;                                                                  \
        return status;                                                                \
    }                                                                                 \
    static void close_##noun(void *object)                                            \
    {                                                                                 \
        runcu_##noun##_close(object);                                                 \
    }                                                                                 \
    static void destroy_##noun(void *object)                                          \
    {                                                                                 \
        runcu_##noun *taken = object;                                                 \
        runcu_##noun##_destroy(&taken);                                               \
    }                                                                                 \
    static const struct kind kind_##noun = {label,       free_label,   handle_##noun, \
                                            wrap_##noun, close_##noun, destroy_##noun};

KIND(array, "array", "array")
KIND(mipmap, "mipmapped array", "mipmapped_array")
KIND(texture, "texture", "texture_object")
KIND(surface, "surface", "surface_object")

static const struct kind *kind_of(const bind_state *state, PyTypeObject *type)
{
    if (PyType_IsSubtype(type, state->cuarray_type))
        return &kind_array;
    if (PyType_IsSubtype(type, state->mipmap_type))
        return &kind_mipmap;
    return PyType_IsSubtype(type, state->texture_type) ? &kind_texture : &kind_surface;
}

static const struct kind *kind_of_object(PyObject *self)
{
    return kind_of(((bind_object *) self)->state, Py_TYPE(self));
}

static void *object_of(PyObject *self)
{
    return ((bind_cuobject *) self)->object;
}

static PyObject *cuobject_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_cuobject *self = bind_new((PyTypeObject *) type);
    if (self &&
        (bind_check(self->state,
                    kind_of(self->state, (PyTypeObject *) type)->wrap(&self->object, handle)) !=
             0 ||
         bind_own((PyObject *) self, owner) != 0))
        Py_CLEAR(self);
    return (PyObject *) self;
}

static void close_object(PyObject *self)
{
    const struct kind *kind = kind_of_object(self);
    Py_BEGIN_ALLOW_THREADS
    kind->close(object_of(self));
    Py_END_ALLOW_THREADS
}

static PyObject *cuobject_close(PyObject *self, PyObject *unused)
{
    (void) unused;
    close_object(self);
    if (bind_check(((bind_object *) self)->state, 0) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static bool is_freed(PyObject *self)
{
    const struct kind *kind = kind_of_object(self);
    return !object_of(self) || !kind->handle(object_of(self));
}

static PyObject *cuobject_free(PyObject *self, PyObject *unused)
{
    if (is_freed(self)) {
        bind_raise(((bind_object *) self)->state->logic_error,
                   "%s::free failed: invalid resource handle", kind_of_object(self)->free_name);
        return NULL;
    }
    return cuobject_close(self, unused);
}

static PyObject *cuobject_index(PyObject *self)
{
    if (is_freed(self)) {
        bind_raise(((bind_object *) self)->state->logic_error, "the %s has been freed",
                   kind_of_object(self)->name);
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(kind_of_object(self)->handle(object_of(self)));
}

static PyObject *cuobject_handle(PyObject *self, void *closure)
{
    (void) closure;
    return cuobject_index(self);
}

static int cuobject_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_cuobject *) self)->source);
    return bind_traverse(self, visit, arg);
}

static void cuobject_dealloc(PyObject *self)
{
    bind_cuobject *o = (bind_cuobject *) self;
    const struct kind *kind = kind_of_object(self);
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    if (o->object) {
        Py_BEGIN_ALLOW_THREADS
        kind->destroy(o->object);
        Py_END_ALLOW_THREADS
    }
    bind_quiet_end(&quiet);
    Py_CLEAR(o->source);
    bind_end_dealloc(self);
}

#define FREE_DOC "free($self, /)\n--\n\nFrees it now. A second time is an error."
#define CLOSE_DOC "close($self, /)\n--\n\nFrees it now, if that has not been done."
#define FROM_HANDLE_DOC                                                                      \
    "from_handle($type, handle, owner=None)\n--\n\n"                                         \
    "What another library has made, for the current context.\n\nParameters\n----------\n"    \
    "handle : int\n    The driver's handle, which is never destroyed through this object.\n" \
    "owner : object\n    Kept alive as long as this object."

#define COMMON_METHODS                                                                \
    {"free", cuobject_free, METH_NOARGS, FREE_DOC},                                   \
        {"close", cuobject_close, METH_NOARGS, CLOSE_DOC},                            \
        {"from_handle", (PyCFunction) (void (*)(void)) cuobject_from_handle,          \
         METH_FASTCALL | METH_KEYWORDS | METH_CLASS, FROM_HANDLE_DOC},                \
        {"__enter__", bind_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nItself."}, \
        {"__exit__", bind_exit, METH_VARARGS,                                         \
         "__exit__($self, /, *args)\n--\n\nFrees it, if that has not been done."},    \
    {                                                                                 \
        NULL, NULL, 0, NULL                                                           \
    }

static PyGetSetDef common_getset[] = {
    {"handle", cuobject_handle, NULL, "The driver's handle as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef common_members[] = {
    {"source", T_OBJECT, offsetof(bind_cuobject, source), READONLY,
     "What it reads or is a part of, and keeps alive; None: nothing."},
    BIND_MEMBERS,
    {NULL, 0, 0, 0, NULL},
};

#define COMMON_SLOTS                                                                               \
    {Py_tp_dealloc, cuobject_dealloc}, {Py_tp_traverse, cuobject_traverse},                        \
        {Py_tp_clear, bind_clear}, {Py_tp_getset, common_getset}, {Py_tp_members, common_members}, \
    {                                                                                              \
        0, NULL                                                                                    \
    }

/* --- arrays --- */

/* An attribute that is a number; `otherwise` where it may be missing (required is false). */
static int read_number(size_t *out, PyObject *descriptor, const char *name, bool required)
{
    PyObject *value = PyObject_GetAttrString(descriptor, name);
    if (!value && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        *out = 0;
        return required ? bind_raise(PyExc_TypeError,
                                     "an ArrayDescriptor or ArrayDescriptor3D is expected, not "
                                     "%.200s: it has no %s",
                                     Py_TYPE(descriptor)->tp_name, name)
                        : 0;
    }
    int status = value ? bind_size(out, value, name) : -1;
    Py_XDECREF(value);
    return status;
}

static int read_descriptor(runcu_array_params *out, PyObject *descriptor)
{
    size_t format, channels, flags;
    *out = (runcu_array_params){.size = sizeof *out};
    if (read_number(&out->width, descriptor, "width", true) != 0 ||
        read_number(&out->height, descriptor, "height", true) != 0 ||
        read_number(&out->depth, descriptor, "depth", false) != 0 ||
        read_number(&format, descriptor, "format", true) != 0 ||
        read_number(&channels, descriptor, "num_channels", true) != 0 ||
        read_number(&flags, descriptor, "flags", false) != 0)
        return -1;
    if (format > INT_MAX || channels > UINT_MAX || flags > UINT_MAX)
        return bind_raise(PyExc_OverflowError, "format, num_channels or flags is too large");
    out->format = (int) format;
    out->channels = (uint32_t) channels;
    out->flags = (uint32_t) flags;
    return 0;
}

static PyObject *array_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "descriptor", NULL};
    PyObject *descriptor;
    runcu_array_params params;
    runcu_array *array;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Array", names, &descriptor) ||
        read_descriptor(&params, descriptor) != 0)
        return NULL;
    bind_cuobject *self = bind_new(type);
    if (!self)
        return NULL;
    BIND_UNLOCKED(status, runcu_array_create(&array, &params));
    self->object = array;
    if (bind_check(self->state, status) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *array_describe(PyObject *self, PyObject *unused)
{
    (void) unused;
    runcu_array_params p;
    if (bind_check(((bind_object *) self)->state, runcu_array_describe(&p, object_of(self))) != 0)
        return NULL;
    return Py_BuildValue("(KKKiII)", (unsigned long long) p.width, (unsigned long long) p.height,
                         (unsigned long long) p.depth, p.format, (unsigned) p.channels,
                         (unsigned) p.flags);
}

static PyMethodDef array_methods[] = {
    {"describe", array_describe, METH_NOARGS,
     "describe($self, /)\n--\n\nIts width, height, depth, format, channels and flags."},
    COMMON_METHODS,
};

static PyType_Slot array_slots[] = {
    {Py_tp_doc, (char *) "Array(descriptor)\n--\n\n"
                         "Device memory that textures and surfaces read by coordinates. "
                         "`descriptor` is an ArrayDescriptor or an ArrayDescriptor3D."},
    {Py_tp_new, array_new},
    {Py_tp_methods, array_methods},
    COMMON_SLOTS,
};

PyType_Spec bind_cuarray_spec = {"runcu.driver.Array", sizeof(bind_cuobject), 0, BIND_FLAGS,
                               array_slots};

int bind_cuarray_get(runcu_array **out, bind_state *state, PyObject *value)
{
    if (!PyObject_TypeCheck(value, state->cuarray_type))
        return bind_raise(PyExc_TypeError, "an Array is expected, not %.200s",
                          Py_TYPE(value)->tp_name);
    *out = object_of(value);
    return 0;
}

/* --- mipmapped arrays --- */

static PyObject *mipmap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "descriptor", (char *) "levels", NULL};
    PyObject *descriptor, *levels_value;
    runcu_array_params params;
    runcu_mipmap *mipmap;
    unsigned levels;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:MipmappedArray", names, &descriptor,
                                     &levels_value) ||
        read_descriptor(&params, descriptor) != 0 ||
        bind_unsigned(&levels, levels_value, "levels") != 0)
        return NULL;
    bind_cuobject *self = bind_new(type);
    if (!self)
        return NULL;
    BIND_UNLOCKED(status, runcu_mipmap_create(&mipmap, &params, levels));
    self->object = mipmap;
    if (bind_check(self->state, status) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *mipmap_get_level(PyObject *self, PyObject *value)
{
    bind_state *state = ((bind_object *) self)->state;
    runcu_array *array;
    unsigned level;
    if (bind_unsigned(&level, value, "level") != 0 ||
        bind_check(state, runcu_mipmap_level(&array, object_of(self), level)) != 0)
        return NULL;
    bind_cuobject *out = bind_new(state->cuarray_type);
    if (!out) {
        runcu_array_destroy(&array);
        return NULL;
    }
    out->object = array;
    out->source = Py_NewRef(self);
    return (PyObject *) out;
}

static PyMethodDef mipmap_methods[] = {
    {"get_level", mipmap_get_level, METH_O,
     "get_level($self, level, /)\n--\n\nThe Array that is a level of it, 0 being the largest."},
    COMMON_METHODS,
};

static PyType_Slot mipmap_slots[] = {
    {Py_tp_doc,
     (char *) "MipmappedArray(descriptor, levels)\n--\n\n"
              "An array and its halves, quarters, …: `levels` in all, or as many as there can be."},
    {Py_tp_new, mipmap_new},
    {Py_tp_methods, mipmap_methods},
    COMMON_SLOTS,
};

PyType_Spec bind_mipmap_spec = {"runcu.driver.MipmappedArray", sizeof(bind_cuobject), 0, BIND_FLAGS,
                                mipmap_slots};

/* --- textures --- */

static int read_source(runcu_resource *out, bind_state *state, PyObject *source)
{
    if (PyObject_TypeCheck(source, state->cuarray_type)) {
        out->array = object_of(source);
        return 0;
    }
    if (PyObject_TypeCheck(source, state->mipmap_type)) {
        out->mipmap = object_of(source);
        return 0;
    }
    return bind_address(&out->address, state, source);
}

/* (format, channels, bytes, width, height, pitch) of elements in memory. */
static int read_memory(runcu_resource *out, PyObject *memory)
{
    unsigned long long bytes, width, height, pitch;
    if (memory == Py_None)
        return 0;
    if (!PyTuple_Check(memory))
        return bind_raise(PyExc_TypeError, "memory must be a tuple or None");
    if (!PyArg_ParseTuple(memory, "iIKKKK:memory", &out->format, &out->channels, &bytes, &width,
                          &height, &pitch))
        return -1;
    out->bytes = bytes;
    out->width = width;
    out->height = height;
    out->pitch = pitch;
    return 0;
}

static int read_sampler(runcu_texture_params *out, PyObject *sampler)
{
    if (sampler == Py_None)
        return 0;
    if (!PyTuple_Check(sampler))
        return bind_raise(PyExc_TypeError, "sampler must be a tuple or None");
    return PyArg_ParseTuple(sampler, "(iii)iIIifff(ffff):sampler", &out->address_mode[0],
                            &out->address_mode[1], &out->address_mode[2], &out->filter, &out->flags,
                            &out->anisotropy, &out->level_filter, &out->level_bias, &out->level_min,
                            &out->level_max, &out->border[0], &out->border[1], &out->border[2],
                            &out->border[3])
               ? 0
               : -1;
}

static int read_view(runcu_texture_params *out, runcu_texture_view *view, PyObject *value)
{
    unsigned long long width, height, depth;
    if (value == Py_None)
        return 0;
    if (!PyTuple_Check(value))
        return bind_raise(PyExc_TypeError, "view must be a tuple or None");
    if (!PyArg_ParseTuple(value, "iKKKIIII:view", &view->format, &width, &height, &depth,
                          &view->first_level, &view->last_level, &view->first_layer,
                          &view->last_layer))
        return -1;
    view->width = width;
    view->height = height;
    view->depth = depth;
    out->view = view;
    return 0;
}

static PyObject *texture_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "source", (char *) "memory", (char *) "sampler",
                            (char *) "view", NULL};
    PyObject *source, *memory = Py_None, *sampler = Py_None, *view_value = Py_None;
    runcu_texture_params params = {.size = sizeof params};
    runcu_texture_view view;
    runcu_texture *texture;
    bind_state *state = bind_state_of(type);
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOO:Texture", names, &source, &memory,
                                     &sampler, &view_value) ||
        read_source(&params.resource, state, source) != 0 ||
        read_memory(&params.resource, memory) != 0 || read_sampler(&params, sampler) != 0 ||
        read_view(&params, &view, view_value) != 0)
        return NULL;
    bind_cuobject *self = bind_new(type);
    if (!self)
        return NULL;
    int status = runcu_texture_create(&texture, &params);
    self->object = texture;
    self->source = Py_NewRef(source);
    if (bind_check(state, status) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyObject *texture_describe(PyObject *self, PyObject *unused)
{
    (void) unused;
    runcu_texture_params p;
    if (bind_check(((bind_object *) self)->state, runcu_texture_describe(&p, object_of(self))) != 0)
        return NULL;
    return Py_BuildValue("(iii)iIIifff(ffff)", p.address_mode[0], p.address_mode[1],
                         p.address_mode[2], p.filter, (unsigned) p.flags, (unsigned) p.anisotropy,
                         p.level_filter, p.level_bias, p.level_min, p.level_max, p.border[0],
                         p.border[1], p.border[2], p.border[3]);
}

static PyMethodDef texture_methods[] = {
    {"describe", texture_describe, METH_NOARGS,
     "describe($self, /)\n--\n\nHow it is read, as the driver knows it: what `sampler` is."},
    COMMON_METHODS,
};

static PyType_Slot texture_slots[] = {
    {Py_tp_doc, (char *) "Texture(source, memory=None, sampler=None, view=None)\n--\n\n"
                         "What driver.TextureObject is made of, with tuples for its keywords."},
    {Py_tp_new, texture_new},
    {Py_nb_int, cuobject_index},
    {Py_nb_index, cuobject_index},
    {Py_tp_methods, texture_methods},
    COMMON_SLOTS,
};

PyType_Spec bind_texture_spec = {"runcu._core.Texture", sizeof(bind_cuobject), 0, BIND_FLAGS,
                                 texture_slots};

/* --- surfaces --- */

static PyObject *surface_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "array", NULL};
    PyObject *value;
    runcu_array *array;
    runcu_surface *surface;
    bind_state *state = bind_state_of(type);
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:SurfaceObject", names, &value) ||
        bind_cuarray_get(&array, state, value) != 0)
        return NULL;
    bind_cuobject *self = bind_new(type);
    if (!self)
        return NULL;
    int status = runcu_surface_create(&surface, array);
    self->object = surface;
    self->source = Py_NewRef(value);
    if (bind_check(state, status) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyMethodDef surface_methods[] = {COMMON_METHODS};

static PyType_Slot surface_slots[] = {
    {Py_tp_doc,
     (char *) "SurfaceObject(array)\n--\n\n"
              "An Array, made with array3d_flags.SURFACE_LDST, as kernels read and write it: the "
              "argument of a parameter of type cudaSurfaceObject_t."},
    {Py_tp_new, surface_new},
    {Py_nb_int, cuobject_index},
    {Py_nb_index, cuobject_index},
    {Py_tp_methods, surface_methods},
    COMMON_SLOTS,
};

PyType_Spec bind_surface_spec = {"runcu.driver.SurfaceObject", sizeof(bind_cuobject), 0, BIND_FLAGS,
                                 surface_slots};

/* What all types have in common: finding the module's state, attributes and weak references of
 * instances, the steps of a dealloc, the end of a `with`, handles. */
#include "core.h"

bind_state *bind_module_state(PyObject *module)
{
    return PyModule_GetState(module);
}

bind_state *bind_state_of(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *) PyTuple_GET_ITEM(mro, i);
        if (!PyType_HasFeature(base, Py_TPFLAGS_HEAPTYPE))
            continue;
        PyObject *module = ((PyHeapTypeObject *) base)->ht_module;
        if (module && PyModule_GetDef(module) == &bind_module)
            return bind_module_state(module);
    }
    PyErr_Format(PyExc_SystemError, "%s is no type of runcu", type->tp_name);
    return NULL;
}

void *bind_new(PyTypeObject *type)
{
    bind_state *state = bind_state_of(type);
    bind_object *self = state ? (bind_object *) type->tp_alloc(type, 0) : NULL;
    if (self)
        self->state = state;
    return self;
}

void bind_begin_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    if (((bind_object *) self)->weakrefs)
        PyObject_ClearWeakRefs(self);
}

void bind_end_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(((bind_object *) self)->dict);
    type->tp_free(self);
    Py_DECREF(type);
}

int bind_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((bind_object *) self)->dict);
    return 0;
}

int bind_clear(PyObject *self)
{
    Py_CLEAR(((bind_object *) self)->dict);
    return 0;
}

int bind_handle(uint64_t *handle, PyObject **owner, PyObject *const *args, Py_ssize_t nargs,
                PyObject *kwnames)
{
    static const struct bind_signature signature = {"from_handle", 1, {"handle", "owner", NULL}};
    PyObject *values[2];
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0)
        return -1;
    PyObject *number = PyNumber_Index(values[0]);
    if (!number)
        return -1;
    *handle = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    *owner = values[1] == Py_None ? NULL : values[1];
    return PyErr_Occurred() ? -1 : 0;
}

int bind_own(PyObject *self, PyObject *owner)
{
    return owner ? PyObject_SetAttrString(self, "owner", owner) : 0;
}

PyObject *bind_no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void) args;
    (void) kwargs;
    PyErr_Format(PyExc_TypeError, "%s objects cannot be made directly", type->tp_name);
    return NULL;
}

PyObject *bind_enter(PyObject *self, PyObject *unused)
{
    (void) unused;
    return Py_NewRef(self);
}

PyObject *bind_exit(PyObject *self, PyObject *args)
{
    (void) args;
    return PyObject_CallMethodNoArgs(self, ((bind_object *) self)->state->name_close);
}

int bind_number(uint64_t *out, PyObject *value, const char *what)
{
    if (!PyLong_Check(value) || PyBool_Check(value))
        return bind_raise(PyExc_TypeError, "a %s as an int is expected, not %.200s", what,
                          Py_TYPE(value)->tp_name);
    *out = PyLong_AsUnsignedLongLong(value);
    if (*out != (uint64_t) -1 || !PyErr_Occurred())
        return 0;
    PyErr_Clear();
    return bind_raise(PyExc_OverflowError, "%S is no %s", value, what);
}

void bind_collect(void)
{
    struct bind_quiet quiet;
    bind_quiet_begin(&quiet);
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *done = gc ? PyObject_CallMethod(gc, "collect", NULL) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(gc);
    bind_quiet_end(&quiet);
}

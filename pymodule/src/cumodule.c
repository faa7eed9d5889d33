/* Module: code on a device. (module.c is the extension module.) */
#include "core.h"

PyObject *bind_module_wrap(bind_state *state, runcu_module *module)
{
    bind_moduleobject *self = bind_new(state->module_type);
    if (self)
        self->module = module;
    else
        runcu_module_release(&module);
    return (PyObject *) self;
}

static void module_dealloc(PyObject *self)
{
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    Py_BEGIN_ALLOW_THREADS
    runcu_module_release(&((bind_moduleobject *) self)->module);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

/* Text without NUL bytes, which would hide what follows them. */
static const char *name_text(PyObject *value)
{
    Py_ssize_t len;
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a name must be a str, not %.200s", Py_TYPE(value)->tp_name);
        return NULL;
    }
    const char *text = PyUnicode_AsUTF8AndSize(value, &len);
    if (text && strlen(text) != (size_t) len) {
        PyErr_SetString(PyExc_ValueError, "a name must not contain a NUL character");
        return NULL;
    }
    return text;
}

static PyObject *module_get_function(PyObject *self, PyObject *value)
{
    bind_moduleobject *m = (bind_moduleobject *) self;
    const char *name = name_text(value);
    runcu_function *function;
    int status;
    if (!name)
        return NULL;
    BIND_UNLOCKED(status, runcu_module_get_function(&function, m->module, name));
    if (bind_check(m->state, status) != 0)
        return NULL;
    return bind_function_wrap(m->state, function);
}

static PyObject *module_get_global(PyObject *self, PyObject *value)
{
    bind_moduleobject *m = (bind_moduleobject *) self;
    const char *name = name_text(value);
    uint64_t address;
    size_t bytes;
    int status;
    if (!name)
        return NULL;
    BIND_UNLOCKED(status, runcu_module_get_global(&address, &bytes, m->module, name));
    if (bind_check(m->state, status) != 0)
        return NULL;
    return Py_BuildValue("(Kn)", (unsigned long long) address, (Py_ssize_t) bytes);
}

/* (name, type, element, kind, item, shape, bytes, is_constant) */
static PyObject *module_describe_global(PyObject *self, PyObject *value)
{
    bind_moduleobject *m = (bind_moduleobject *) self;
    const char *name = name_text(value);
    runcu_variable v;
    int status;
    if (!name)
        return NULL;
    BIND_UNLOCKED(status, runcu_module_get_variable(&v, m->module, name));
    if (bind_check(m->state, status) != 0)
        return NULL;
    PyObject *shape = PyTuple_New((Py_ssize_t) v.dims);
    for (size_t i = 0; shape && i < v.dims; i++) {
        PyObject *extent = PyLong_FromSize_t(v.shape[i]);
        if (extent)
            PyTuple_SET_ITEM(shape, (Py_ssize_t) i, extent);
        else
            Py_CLEAR(shape);
    }
    if (!shape)
        return NULL;
    return Py_BuildValue("(sssinNni)", *v.name ? v.name : name, v.type, v.element, v.kind,
                         (Py_ssize_t) v.item, shape, (Py_ssize_t) v.bytes, v.is_constant);
}

/* Without the GIL, which is not held while new code is compiled. */
struct saved {
    char *bytes;
    size_t len;
};

static void append(void *user, const char *text, size_t len)
{
    struct saved *saved = user;
    saved->bytes = malloc(len + 1);
    saved->len = len;
    if (saved->bytes)
        memcpy(saved->bytes, text, len);
}

static PyObject *module_save(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_moduleobject *m = (bind_moduleobject *) self;
    struct saved saved = {NULL, 0};
    int status;
    BIND_UNLOCKED(status, runcu_module_save(m->module, append, &saved));
    PyObject *out = NULL;
    if (bind_check(m->state, status) == 0)
        out = saved.bytes ? PyBytes_FromStringAndSize(saved.bytes, (Py_ssize_t) saved.len)
                          : PyErr_NoMemory();
    free(saved.bytes);
    return out;
}

static PyObject *module_watch(PyObject *self, PyObject *seconds)
{
    bind_moduleobject *m = (bind_moduleobject *) self;
    double interval = PyFloat_AsDouble(seconds);
    int status;
    if (interval == -1 && PyErr_Occurred())
        return NULL;
    if (!(interval >= 0 && interval < 1e6))
        return PyErr_Format(PyExc_ValueError, "an interval is from 0 to 1e6 seconds");
    unsigned milliseconds = (unsigned) (interval * 1e3);
    BIND_UNLOCKED(status, runcu_module_watch(m->module, milliseconds ? milliseconds : 1));
    if (bind_check(m->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *module_reload(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_moduleobject *m = (bind_moduleobject *) self;
    int status, changed;
    BIND_UNLOCKED(status, runcu_module_reload(m->module, &changed));
    if (bind_check(m->state, status) != 0)
        return NULL;
    return PyBool_FromLong(changed);
}

static void append_text(void *user, const char *text, size_t len)
{
    *(PyObject **) user = PyUnicode_DecodeUTF8(text, (Py_ssize_t) len, "replace");
}

static PyObject *module_reload_error(PyObject *self, void *closure)
{
    (void) closure;
    bind_moduleobject *m = (bind_moduleobject *) self;
    PyObject *text = NULL;
    if (bind_check(m->state, runcu_module_reload_error(m->module, append_text, &text)) != 0)
        Py_CLEAR(text);
    else if (!text && !PyErr_Occurred())
        text = Py_NewRef(Py_None);
    return text;
}

static PyObject *module_follow_context(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_moduleobject *m = (bind_moduleobject *) self;
    if (bind_check(m->state, runcu_module_follow_context(m->module)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *copy_global(PyObject *self, PyObject *const *args, Py_ssize_t nargs, bool reads)
{
    bind_moduleobject *m = (bind_moduleobject *) self;
    struct bind_buffer buffer;
    size_t offset = 0;
    const char *name;
    int status;
    if (nargs < 2 || nargs > 3)
        return PyErr_Format(PyExc_TypeError, "expected name, array and perhaps offset, got %zd",
                            nargs);
    if (!(name = name_text(args[0])) ||
        (nargs == 3 && bind_size(&offset, args[2], "offset") != 0) ||
        bind_buffer_get(&buffer, m->state, args[1], reads) != 0)
        return NULL;
    if (reads)
        BIND_UNLOCKED(status,
                      runcu_module_read(buffer.data, m->module, name, offset, buffer.bytes));
    else
        BIND_UNLOCKED(status,
                      runcu_module_write(m->module, name, offset, buffer.data, buffer.bytes));
    bind_buffer_release(&buffer);
    if (bind_check(m->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *module_read_global(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    return copy_global(self, args, nargs, true);
}

static PyObject *module_write_global(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    return copy_global(self, args, nargs, false);
}

static PyObject *fail_reference(PyObject *self, const char *routine)
{
    bind_raise(((bind_object *) self)->state->logic_error, "%s failed: not found - %s", routine,
               BIND_NO_REFERENCES);
    return NULL;
}

static PyObject *module_get_texref(PyObject *self, PyObject *name)
{
    (void) name;
    return fail_reference(self, "cuModuleGetTexRef");
}

static PyObject *module_get_surfref(PyObject *self, PyObject *name)
{
    (void) name;
    return fail_reference(self, "cuModuleGetSurfRef");
}

typedef const char *text_at(const runcu_module *module, size_t index);

static PyObject *list_texts(PyObject *self, text_at *get)
{
    const char *name;
    PyObject *names = PyList_New(0);
    for (size_t i = 0; names; i++) {
        Py_BEGIN_ALLOW_THREADS /* new code may have to be compiled */
        name = get(((bind_moduleobject *) self)->module, i);
        Py_END_ALLOW_THREADS
        if (!name)
            break;
        PyObject *text = PyUnicode_FromString(name);
        if (!text || PyList_Append(names, text) != 0)
            Py_CLEAR(names);
        Py_XDECREF(text);
    }
    return names;
}

static PyObject *module_kernel_names(PyObject *self, void *closure)
{
    (void) closure;
    return list_texts(self, runcu_module_kernel_name);
}

static PyObject *module_kernel_signatures(PyObject *self, void *closure)
{
    (void) closure;
    return list_texts(self, runcu_module_kernel_signature);
}

static PyObject *module_variable_names(PyObject *self, void *closure)
{
    (void) closure;
    return list_texts(self, runcu_module_variable_name);
}

static PyObject *module_handle(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromUnsignedLongLong(runcu_module_handle(((bind_moduleobject *) self)->module));
}

static PyObject *module_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_moduleobject *self = bind_new((PyTypeObject *) type);
    if (self && (bind_check(self->state, runcu_module_wrap(&self->module, handle)) != 0 ||
                 bind_own((PyObject *) self, owner) != 0))
        Py_CLEAR(self);
    return (PyObject *) self;
}

static PyMethodDef module_methods[] = {
    {"from_handle", (PyCFunction) (void (*)(void)) module_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\n"
     "A module of another library, of the current context.\n\n"
     "Parameters\n----------\n"
     "handle : int\n    A CUmodule, which is never unloaded through this object.\n"
     "owner : object\n    Kept alive as long as this object."},
    {"get_function", module_get_function, METH_O,
     "get_function($self, name, /)\n--\n\n"
     "The kernel of that C++ name (\"add\", \"ns::add\", \"axpy<float>\") or exact name in the "
     "PTX.\n\n"
     "Raises\n------\nLogicError\n    There is none, or more than one: the text lists the names."},
    {"get_global", module_get_global, METH_O,
     "get_global($self, name, /)\n--\n\nAddress and bytes of a __device__ or __constant__ "
     "variable."},
    {"describe_global", module_describe_global, METH_O,
     "describe_global($self, name, /)\n--\n\n"
     "What is known of a variable: name, C++ type, that of its elements, their "
     "`param_kind` and bytes, shape, bytes in all, and whether it is constant (1, 0, or -1: "
     "unknown)."},
    {"read_global", (PyCFunction) (void (*)(void)) module_read_global, METH_FASTCALL,
     "read_global($self, name, to, offset=0, /)\n--\n\nFills a host array from a variable, from "
     "`offset` bytes on."},
    {"write_global", (PyCFunction) (void (*)(void)) module_write_global, METH_FASTCALL,
     "write_global($self, name, from_, offset=0, /)\n--\n\nCopies a host array into a variable, "
     "from `offset` bytes on."},
    {"watch", module_watch, METH_O,
     "watch($self, interval, /)\n--\n\nFollows the file that it comes from, looked at every "
     "`interval` seconds at most, with the kernels that are got from now on."},
    {"reload", module_reload, METH_NOARGS,
     "reload($self, /)\n--\n\nLooks at its files now; True if there is new code."},
    {"follow_context", module_follow_context, METH_NOARGS,
     "follow_context($self, /)\n--\n\nServes every context from now on, by code that is loaded "
     "there when it is first needed."},
    {"save", module_save, METH_NOARGS,
     "save($self, /)\n--\n\nWhat it was made from, as bytes for `module_restore`."},
    {"get_texref", module_get_texref, METH_O,
     "get_texref($self, name, /)\n--\n\nRaises LogicError: compilers make no texture references "
     "any more."},
    {"get_surfref", module_get_surfref, METH_O,
     "get_surfref($self, name, /)\n--\n\nRaises LogicError: compilers make no surface references "
     "any more."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef module_getset[] = {
    {"kernel_names", module_kernel_names, NULL,
     "C++ names of the kernels, where the image tells them.", NULL},
    {"kernel_signatures", module_kernel_signatures, NULL,
     "Likewise, with the types of their parameters: \"add(float *, int)\".", NULL},
    {"reload_error", module_reload_error, NULL,
     "Why the newest state of its files is not what runs, or None.", NULL},
    {"variable_names", module_variable_names, NULL,
     "C++ names of the variables, without those of the compiler and of CUDA's libraries.", NULL},
    {"handle", module_handle, NULL, "The CUmodule as an int.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef module_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot module_slots[] = {
    {Py_tp_doc, (char *) "Code on a device: what module_from_file, module_from_buffer and "
                         "SourceModule.module give."},
    {Py_tp_new, bind_no_new},
    {Py_tp_dealloc, module_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, module_methods},
    {Py_tp_getset, module_getset},
    {Py_tp_members, module_members},
    {0, NULL},
};

PyType_Spec bind_module_spec = {"runcu.driver.Module", sizeof(bind_moduleobject), 0, BIND_FLAGS,
                                module_slots};

/* --- functions of the module --- */

static PyObject *module_load(PyObject *module, PyObject *value)
{
    bind_state *state = bind_module_state(module);
    struct bind_buffer buffer;
    runcu_module *loaded;
    int status;
    if (PyUnicode_Check(value))
        return PyErr_Format(PyExc_TypeError,
                            "the image must be bytes (cubin, PTX or fatbin), not str");
    if (bind_buffer_get(&buffer, state, value, false) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_module_load(&loaded, buffer.data, buffer.bytes));
    bind_buffer_release(&buffer);
    if (bind_check(state, status) != 0)
        return NULL;
    return bind_module_wrap(state, loaded);
}

static PyObject *module_restore(PyObject *module, PyObject *saved)
{
    bind_state *state = bind_module_state(module);
    struct bind_buffer buffer;
    runcu_module *loaded;
    int status;
    if (bind_buffer_get(&buffer, state, saved, false) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_module_restore(&loaded, buffer.data, buffer.bytes));
    bind_buffer_release(&buffer);
    if (bind_check(state, status) != 0)
        return NULL;
    return bind_module_wrap(state, loaded);
}

static PyObject *module_from_program(PyObject *module, PyObject *program)
{
    bind_state *state = bind_module_state(module);
    runcu_module *loaded;
    int status;
    if (!PyObject_TypeCheck(program, state->program_type))
        return PyErr_Format(PyExc_TypeError, "a Program is expected, not %.200s",
                            Py_TYPE(program)->tp_name);
    BIND_UNLOCKED(status, runcu_module_from_program(&loaded, ((bind_program *) program)->program));
    if (bind_check(state, status) != 0)
        return NULL;
    return bind_module_wrap(state, loaded);
}

PyMethodDef bind_module_functions[] = {
    {"module_load", module_load, METH_O,
     "module_load($module, image, /)\n--\n\nLoads cubin, PTX or a fatbin into the current "
     "context."},
    {"module_restore", module_restore, METH_O,
     "module_restore($module, saved, /)\n--\n\nA module from what `Module.save` gave, in the "
     "current context."},
    {"module_from_program", module_from_program, METH_O,
     "module_from_program($module, program, /)\n--\n\nLoads a compiled program into the current "
     "context."},
    {NULL, NULL, 0, NULL},
};

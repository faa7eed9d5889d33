/* Bundle: one source for several architectures, in one file. compiler.py compiles what goes in. */
#include "core.h"

#include <string.h>

typedef struct bind_bundle {
    BIND_HEAD
    runcu_bundle *bundle;
} bind_bundle;

static runcu_bundle *bundle_of(PyObject *self)
{
    return ((bind_bundle *) self)->bundle;
}

static PyObject *text_of(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
}

/* --- made of programs, bytes, a file --- */

static int create(bind_bundle *self, PyObject *items)
{
    bind_state *state = self->state;
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    const runcu_program **programs = PyMem_Calloc((size_t) count + 1, sizeof *programs);
    int status = programs ? 0 : (PyErr_NoMemory(), -1);
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        if (!PyObject_TypeCheck(item, state->program_type))
            status = bind_raise(PyExc_TypeError, "a bundle is made of Programs, not of %.200s",
                                Py_TYPE(item)->tp_name);
        else
            programs[i] = ((bind_program *) item)->program;
    }
    if (status == 0) {
        BIND_UNLOCKED(status, runcu_bundle_create(&self->bundle, programs, (size_t) count));
        status = bind_check(state, status);
    }
    PyMem_Free(programs);
    return status;
}

static PyObject *bundle_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "programs", NULL};
    PyObject *programs;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Bundle", names, &programs))
        return NULL;
    PyObject *items = PySequence_Tuple(programs);
    bind_bundle *self = items ? bind_new(type) : NULL;
    if (self && create(self, items) != 0)
        Py_CLEAR(self);
    Py_XDECREF(items);
    return (PyObject *) self;
}

static PyObject *bundle_from_bytes(PyObject *type, PyObject *value)
{
    struct bind_buffer buffer;
    int status;
    if (PyUnicode_Check(value))
        return PyErr_Format(PyExc_TypeError, "a bundle is bytes, not str; see from_file");
    bind_bundle *self = bind_new((PyTypeObject *) type);
    if (!self || bind_buffer_get(&buffer, self->state, value, false) != 0) {
        Py_XDECREF(self);
        return NULL;
    }
    BIND_UNLOCKED(status, runcu_bundle_parse(&self->bundle, buffer.data, buffer.bytes));
    if (bind_check(self->state, status) != 0)
        Py_CLEAR(self);
    bind_buffer_release(&buffer);
    return (PyObject *) self;
}

static PyObject *bundle_from_file(PyObject *type, PyObject *value)
{
    PyObject *path;
    int status;
    if (!PyUnicode_FSConverter(value, &path))
        return NULL;
    bind_bundle *self = bind_new((PyTypeObject *) type);
    if (self) {
        BIND_UNLOCKED(status, runcu_bundle_read(&self->bundle, PyBytes_AS_STRING(path)));
        if (bind_check(self->state, status) != 0)
            Py_CLEAR(self);
    }
    Py_DECREF(path);
    return (PyObject *) self;
}

static void bundle_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    runcu_bundle_destroy(&((bind_bundle *) self)->bundle);
    bind_end_dealloc(self);
}

/* --- what is done with it --- */

static PyObject *bundle_load(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_state *state = ((bind_bundle *) self)->state;
    runcu_module *loaded;
    int status;
    BIND_UNLOCKED(status, runcu_module_load_bundle(&loaded, bundle_of(self)));
    return bind_check(state, status) == 0 ? bind_module_wrap(state, loaded) : NULL;
}

static PyObject *bundle_write(PyObject *self, PyObject *value)
{
    PyObject *path;
    int status;
    if (!PyUnicode_FSConverter(value, &path))
        return NULL;
    BIND_UNLOCKED(status, runcu_bundle_write(bundle_of(self), PyBytes_AS_STRING(path)));
    Py_DECREF(path);
    if (bind_check(((bind_bundle *) self)->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *bundle_write_header(PyObject *self, PyObject *args)
{
    PyObject *path;
    const char *name;
    int status;
    if (!PyArg_ParseTuple(args, "O&s:write_header", PyUnicode_FSConverter, &path, &name))
        return NULL;
    BIND_UNLOCKED(status,
                  runcu_bundle_write_header(bundle_of(self), PyBytes_AS_STRING(path), name));
    Py_DECREF(path);
    if (bind_check(((bind_bundle *) self)->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *bundle_bytes(PyObject *self, PyObject *unused)
{
    (void) unused;
    size_t bytes;
    const void *data = runcu_bundle_data(bundle_of(self), &bytes);
    return PyBytes_FromStringAndSize(data, (Py_ssize_t) bytes);
}

/* --- what is in it --- */

static PyObject *list_kernels(const runcu_bundle_part *part)
{
    PyObject *list = PyList_New((Py_ssize_t) part->kernel_count);
    for (size_t i = 0; list && i < part->kernel_count; i++) {
        const runcu_bundle_kernel *k = &part->kernels[i];
        PyObject *row =
            Py_BuildValue("(NNN)", text_of(k->name), text_of(k->symbol), text_of(k->signature));
        if (row)
            PyList_SET_ITEM(list, (Py_ssize_t) i, row);
        else
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *list_names(const runcu_bundle_part *part)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < part->name_count; i++) {
        PyObject *expression = text_of(part->names[i].expression);
        PyObject *symbol = text_of(part->names[i].symbol);
        if (!expression || !symbol || PyDict_SetItem(dict, expression, symbol) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(expression);
        Py_XDECREF(symbol);
    }
    return dict;
}

static PyObject *describe_part(const runcu_bundle_part *p)
{
    PyObject *options = text_of(p->options), *lines = NULL;
    if (options)
        lines = PyUnicode_Splitlines(options, 0);
    Py_XDECREF(options);
    return Py_BuildValue("{s:N,s:N,s:y#,s:y#,s:N,s:N}", "arch", text_of(p->arch), "options", lines,
                         "cubin", p->cubin, (Py_ssize_t) p->cubin_bytes, "ptx", p->ptx,
                         (Py_ssize_t) p->ptx_bytes, "kernels", list_kernels(p), "names",
                         list_names(p));
}

static PyObject *bundle_parts(PyObject *self, void *closure)
{
    (void) closure;
    size_t count;
    const runcu_bundle_part *parts = runcu_bundle_parts(bundle_of(self), &count);
    PyObject *out = PyTuple_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *part = describe_part(&parts[i]);
        if (part)
            PyTuple_SET_ITEM(out, (Py_ssize_t) i, part);
        else
            Py_CLEAR(out);
    }
    return out;
}

static PyObject *bundle_source_name(PyObject *self, void *closure)
{
    (void) closure;
    return text_of(runcu_bundle_source_name(bundle_of(self)));
}

static PyObject *bundle_maker(PyObject *self, void *closure)
{
    (void) closure;
    return text_of(runcu_bundle_maker(bundle_of(self)));
}

static PyMethodDef bundle_methods[] = {
    {"from_bytes", bundle_from_bytes, METH_O | METH_CLASS,
     "from_bytes($type, data, /)\n--\n\nThe bundle of those bytes.\n\n"
     "Raises\n------\nLogicError\n    They are none, damaged, or of a newer format."},
    {"from_file", bundle_from_file, METH_O | METH_CLASS,
     "from_file($type, path, /)\n--\n\nThe bundle in a file; as from_bytes."},
    {"load", bundle_load, METH_NOARGS,
     "load($self, /)\n--\n\nThe module of what fits the current context's device best.\n\n"
     "Raises\n------\nRuntimeError\n    Nothing fits: the text says what is inside."},
    {"write", bundle_write, METH_O, "write($self, path, /)\n--\n\nWrites it to a file."},
    {"write_header", bundle_write_header, METH_VARARGS,
     "write_header($self, path, name, /)\n--\n\nWrites it as C text that defines an array of "
     "bytes called `name`."},
    {"__bytes__", bundle_bytes, METH_NOARGS,
     "__bytes__($self, /)\n--\n\nThe bytes, as they stand in a file."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef bundle_getset[] = {
    {"parts", bundle_parts, NULL,
     "What there is for each architecture, a tuple of dicts: \"arch\" (\"sm_90\"), \"options\" (a "
     "list), \"cubin\" and \"ptx\" (bytes or None), \"kernels\" (a list of name, symbol in the PTX "
     "and signature), \"names\" (a dict from name expressions to symbols).",
     NULL},
    {"source_name", bundle_source_name, NULL, "\"kernel.cu\".", NULL},
    {"maker", bundle_maker, NULL, "The version of runcu that made it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef bundle_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot bundle_slots[] = {
    {Py_tp_doc, (char *) "Bundle(programs)\n--\n\n"
                         "One source compiled for several architectures, in one file that loads "
                         "without NVRTC."},
    {Py_tp_new, bundle_new},
    {Py_tp_dealloc, bundle_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, bundle_methods},
    {Py_tp_getset, bundle_getset},
    {Py_tp_members, bundle_members},
    {0, NULL},
};

PyType_Spec bind_bundle_spec = {"runcu.compiler.Bundle", sizeof(bind_bundle), 0, BIND_FLAGS,
                                bundle_slots};

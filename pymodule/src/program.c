/* Program: what compiling a source came to. compiler.py makes exceptions and warnings of it. */
#include "request.h"

#include <time.h>

/* NVRTC asks hundreds of times, and the GIL may be busy. */
struct asker {
    bind_state *state;
    double asked; /* seconds */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static int ask_sometimes(void *user)
{
    struct asker *asker = user;
    double time = now();
    if (time - asker->asked < 0.05)
        return 0;
    asker->asked = time;
    return bind_on_wait(asker->state);
}

static int compile_into(bind_program *self, bind_request *r)
{
    bind_state *state = self->state;
    int status;
    struct asker asker = {state, now()};
    r->params.cancel = ask_sometimes;
    r->params.cancel_user = &asker;
    BIND_UNLOCKED(status, runcu_program_compile(&self->program, r->source, &r->params));
    self->has_succeeded = status == 0;
    return bind_check(state, status == RUNCU_ERROR_COMPILE && self->program ? 0 : status);
}

static PyObject *program_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    bind_request r;
    bind_program *self = bind_new(type);
    if (!self)
        return NULL;
    if (bind_request_get(&r, self->state, args, kwargs) || compile_into(self, &r))
        Py_CLEAR(self);
    bind_request_release(&r);
    return (PyObject *) self;
}

static void program_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    runcu_program_destroy(&((bind_program *) self)->program);
    bind_end_dealloc(self);
}

static PyObject *text_of(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
}

static runcu_program *program_of(PyObject *self)
{
    return ((bind_program *) self)->program;
}

static PyObject *program_succeeded(PyObject *self, void *closure)
{
    (void) closure;
    return PyBool_FromLong(((bind_program *) self)->has_succeeded);
}

static PyObject *program_cubin(PyObject *self, void *closure)
{
    (void) closure;
    size_t bytes;
    const void *cubin = runcu_program_cubin(program_of(self), &bytes);
    if (!cubin)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(cubin, (Py_ssize_t) bytes);
}

static PyObject *program_ltoir(PyObject *self, void *closure)
{
    (void) closure;
    size_t bytes;
    const void *ltoir = runcu_program_ltoir(program_of(self), &bytes);
    if (!ltoir)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(ltoir, (Py_ssize_t) bytes);
}

static PyObject *program_ptx(PyObject *self, void *closure)
{
    (void) closure;
    size_t bytes;
    const char *ptx = runcu_program_ptx(program_of(self), &bytes);
    if (!ptx)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(ptx, (Py_ssize_t) bytes);
}

static PyObject *program_was_cached(PyObject *self, void *closure)
{
    (void) closure;
    return PyBool_FromLong(runcu_program_was_cached(program_of(self)));
}

/* log, report, options, arch: one getter, the C function being the closure. */
struct text_getter {
    const char *(*get)(const runcu_program *program);
};
static const struct text_getter get_advice = {runcu_program_advice}, get_log = {runcu_program_log},
                                get_report = {runcu_program_report},
                                get_options = {runcu_program_options},
                                get_arch = {runcu_program_arch};

static PyObject *program_text(PyObject *self, void *closure)
{
    const char *text = ((const struct text_getter *) closure)->get(program_of(self));
    return text_of(text ? text : "");
}

static PyObject *program_lowered_name(PyObject *self, PyObject *value)
{
    const char *expression;
    if (bind_text_get(&expression, value, "expression"))
        return NULL;
    const char *name = expression ? runcu_program_lowered_name(program_of(self), expression) : NULL;
    if (name)
        return text_of(name);
    PyErr_Format(PyExc_KeyError, "%R is none of the program's name expressions", value);
    return NULL;
}

static PyObject *program_diagnostics(PyObject *self, void *closure)
{
    (void) closure;
    return bind_diagnostics(((bind_program *) self)->state, program_of(self));
}

static PyObject *program_format(PyObject *self, PyObject *value)
{
    return bind_diagnostics_format(((bind_program *) self)->state, program_of(self), value);
}

static PyMethodDef program_methods[] = {
    {"lowered_name", program_lowered_name, METH_O,
     "lowered_name($self, expression, /)\n--\n\n"
     "The name in the PTX of what a name expression means.\n\n"
     "Raises\n------\nKeyError\n    It is none of those that were asked for."},
    {"format", program_format, METH_O,
     "format($self, form, /)\n--\n\n"
     "The diagnostics as \"text\", \"color\" (for a terminal), \"html\" or \"json\" (an object a "
     "line)."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef program_getset[] = {
    {"succeeded", program_succeeded, NULL, "False if the source does not compile.", NULL},
    {"cubin", program_cubin, NULL, "Machine code as bytes, or None.", NULL},
    {"ltoir", program_ltoir, NULL, "Code for link-time optimisation as bytes, or None.", NULL},
    {"ptx", program_ptx, NULL, "PTX as bytes, or None.", NULL},
    {"log", program_text, NULL, "NVRTC's log as it stands.", (void *) &get_log},
    {"report", program_text, NULL, "The diagnostics with their source lines, for a terminal.",
     (void *) &get_report},
    {"advice", program_text, NULL, "What can be done about the first error, or \"\".",
     (void *) &get_advice},
    {"options", program_text, NULL, "The options that NVRTC was given, one a line.",
     (void *) &get_options},
    {"arch", program_text, NULL, "\"sm_90\", \"compute_75\".", (void *) &get_arch},
    {"was_cached", program_was_cached, NULL, "True if it came from the cache.", NULL},
    {"diagnostics", program_diagnostics, NULL, "The compiler's messages: a tuple of Diagnostic.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef program_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot program_slots[] = {
    {Py_tp_doc, (char *) "Program(source, *, options=None, include_dirs=None, name=None, "
                         "arch=None, cache_dir=None, keep_dir=None, device=None, "
                         "no_cache=False, extern_c=False, name_expressions=None, "
                         "headers=None, time_limit=0, no_device=False, "
                         "shared_cache_dir=None)\n--\n\n"
                         "Compiles CUDA C++. A source that does not compile makes an object too: "
                         "see `succeeded`."},
    {Py_tp_new, program_new},
    {Py_tp_dealloc, program_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, program_methods},
    {Py_tp_getset, program_getset},
    {Py_tp_members, program_members},
    {0, NULL},
};

PyType_Spec bind_program_spec = {"runcu.compiler.Program", sizeof(bind_program), 0, BIND_FLAGS,
                                 program_slots};

/* --- functions of the module --- */

static PyObject *nvrtc_search(PyObject *module, PyObject *folders)
{
    struct bind_texts texts;
    int status = bind_texts_get(&texts, folders, "folders");
    if (status == 0)
        status = bind_check(bind_module_state(module), runcu_nvrtc_search(texts.at, texts.count));
    bind_texts_release(&texts);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *nvrtc_version(PyObject *module, PyObject *unused)
{
    (void) unused;
    int major, minor, status;
    const char *path;
    BIND_UNLOCKED(status, runcu_nvrtc_version(&major, &minor, &path));
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return Py_BuildValue("(iis)", major, minor, path);
}

static PyObject *nvjitlink_version(PyObject *module, PyObject *unused)
{
    (void) unused;
    int major, minor, status;
    const char *path;
    BIND_UNLOCKED(status, runcu_nvjitlink_version(&major, &minor, &path));
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return Py_BuildValue("(iis)", major, minor, path);
}

static PyObject *nvrtc_is_loaded(PyObject *module, PyObject *unused)
{
    (void) module;
    (void) unused;
    return PyBool_FromLong(runcu_nvrtc_is_loaded());
}

static PyObject *option_find(PyObject *module, PyObject *value)
{
    const char *name;
    runcu_option o;
    if (bind_text_get(&name, value, "name") ||
        bind_check(bind_module_state(module), runcu_option_find(&o, name)))
        return NULL;
    return Py_BuildValue("(szOs)", o.spelling, o.joint, o.is_flag ? Py_True : Py_False, o.note);
}

PyMethodDef bind_program_functions[] = {
    {"option_find", option_find, METH_O,
     "option_find($module, name, /)\n--\n\nSpelling of the compiler option with this keyword, what "
     "joins its value, whether it may stand without, why it means nothing."},
    {"nvrtc_search", nvrtc_search, METH_O,
     "nvrtc_search($module, folders, /)\n--\n\nFolders in which NVRTC is sought first."},
    {"nvjitlink_version", nvjitlink_version, METH_NOARGS,
     "nvjitlink_version($module, /)\n--\n\nMajor and minor version and path of nvJitLink, which is "
     "loaded if need be."},
    {"nvrtc_version", nvrtc_version, METH_NOARGS,
     "nvrtc_version($module, /)\n--\n\nMajor and minor version and path of NVRTC, which is loaded "
     "for it."},
    {"nvrtc_is_loaded", nvrtc_is_loaded, METH_NOARGS,
     "nvrtc_is_loaded($module, /)\n--\n\nWhether NVRTC has been loaded."},
    {NULL, NULL, 0, NULL},
};

/* The extension module runcu._core: makes the types, finds the classes written in Python, adds the
 * functions of the other files. */
#define BIND_IMPORTS_ARRAY
#include "core.h"

/* --- module state --- */

/* Every object in the state, for the garbage collector. */
#define STATE_OBJECTS(DO)    \
    BIND_TYPES(DO##_TYPE)    \
    BIND_CLASSES(DO##_CLASS) \
    BIND_NAMES(DO##_NAME)    \
    DO(compute_mode)         \
    DO(memory_type)          \
    DO(captures)             \
    DO(diagnostic_type)      \
    DO(step_type)            \
    DO(pushed)               \
    DO(holds) DO(package) DO(empty) DO(array_type) DO(layout) DO(exchange_name) DO(exchange_type)

#define VISIT(field) Py_VISIT(state->field);
#define VISIT_TYPE(name, base) VISIT(name##_type)
#define VISIT_CLASS(field, name) VISIT(field)
#define VISIT_NAME(name) VISIT(name_##name)

#define CLEAR(field) Py_CLEAR(state->field);
#define CLEAR_TYPE(name, base) CLEAR(name##_type)
#define CLEAR_CLASS(field, name) CLEAR(field)
#define CLEAR_NAME(name) CLEAR(name_##name)

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    bind_state *state = bind_module_state(module);
    STATE_OBJECTS(VISIT)
    return 0;
}

static int clear(PyObject *module)
{
    bind_state *state = bind_module_state(module);
    STATE_OBJECTS(CLEAR)
    return 0;
}

static void free_module(void *module)
{
    clear(module);
}

/* --- types --- */

static int add_type(PyTypeObject **out, PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    *out = (PyTypeObject *) PyType_FromModuleAndSpec(module, spec, (PyObject *) base);
    if (!*out)
        return -1;
    const char *dot = strrchr(spec->name, '.');
    return PyModule_AddObjectRef(module, dot + 1, (PyObject *) *out);
}

static int add_types(PyObject *module, bind_state *state)
{
    PyTypeObject *NULL_type = NULL; /* the base of types without one */
#define X(name, base)                                                                 \
    if (add_type(&state->name##_type, module, &bind_##name##_spec, BASE_##base) != 0) \
        return -1;
#define BASE_NULL NULL_type
#define BASE_handler state->handler_type
#define BASE_memcpy_2d state->memcpy_2d_type
#define BASE_memcpy_3d state->memcpy_3d_type
#define BASE_holder state->holder_type
#define BASE_allocation state->allocation_type
#define BASE_host_allocation state->host_allocation_type
    BIND_TYPES(X)
#undef X
    return 0;
}

/* Functions bound to the module as attributes of a class: they are no methods, so an instance gives
 * the same function. */
static int add_statics(PyTypeObject *type, PyMethodDef *functions, PyObject *module)
{
    for (PyMethodDef *f = functions; f->ml_name; f++) {
        PyObject *function = PyCFunction_NewEx(f, module, NULL);
        int status =
            function ? PyObject_SetAttrString((PyObject *) type, f->ml_name, function) : -1;
        Py_XDECREF(function);
        if (status != 0)
            return -1;
    }
    return 0;
}

/* --- classes written in Python --- */

static int import_class(PyObject **out, PyObject *from, const char *name)
{
    *out = PyObject_GetAttrString(from, name);
    return *out ? 0 : -1;
}

static int import_errors(bind_state *state)
{
    PyObject *errors = PyImport_ImportModule("runcu._errors");
    int status = errors ? 0 : -1;
#define X(field, name) \
    if (status == 0)   \
        status = import_class(&state->field, errors, name);
    BIND_CLASSES(X)
#undef X
    Py_XDECREF(errors);
    return status;
}

static int import_enums(bind_state *state)
{
    PyObject *enums = PyImport_ImportModule("runcu._enums");
    int status = enums ? import_class(&state->compute_mode, enums, "compute_mode") : -1;
    if (status == 0)
        status = import_class(&state->memory_type, enums, "memory_type");
    Py_XDECREF(enums);
    return status;
}

/* The folder of the package ends before the name of this file. */
static int find_package(bind_state *state)
{
    PyObject *package = PyImport_ImportModule("runcu");
    PyObject *paths = package ? PyObject_GetAttrString(package, "__path__") : NULL;
    PyObject *first = paths ? PySequence_GetItem(paths, 0) : NULL;
    if (first)
        state->package = PyUnicode_FromFormat("%U/", first);
    Py_XDECREF(first);
    Py_XDECREF(paths);
    Py_XDECREF(package);
    return state->package ? 0 : -1;
}

static int make_names(bind_state *state)
{
#define X(text)                                                    \
    if (!(state->name_##text = PyUnicode_InternFromString(#text))) \
        return -1;
    BIND_NAMES(X)
#undef X
    return 0;
}

/* --- the end --- */

/* What Python has printed stands before what kernels are about to print. */
static void flush_stdout(void)
{
    PyObject *out = PySys_GetObject("stdout"); /* borrowed */
    PyObject *done = out && out != Py_None ? PyObject_CallMethod(out, "flush", NULL) : NULL;
    Py_XDECREF(done);
    PyErr_Clear();
}

/* Called by atexit while Python still works: what kernels have printed goes where Python prints,
 * what they print from now on straight to standard output. Ctrl-C ends the wait. A kernel's fault
 * that no call has told of is told now. */
static PyObject *at_exit(PyObject *module, PyObject *unused)
{
    (void) unused;
    bind_state *state = bind_module_state(module);
    int status;
    bool was_told = atomic_load(&bind_fault_told);
    bind_callbacks_end();
    flush_stdout();
    BIND_UNLOCKED(status, runcu_synchronize_all());
    if (status != 0 && bind_check(state, status) != 0) {
        if (was_told)
            PyErr_Clear();
        else
            PyErr_WriteUnraisable(module);
    }
    bind_hooks_end(state);
    Py_RETURN_NONE;
}

/* For gpuarray, whose arrays kernels take without asking them for a dict. */
static PyObject *set_array_type(PyObject *module, PyObject *type)
{
    bind_state *state = bind_module_state(module);
    if (!PyType_Check(type))
        return PyErr_Format(PyExc_TypeError, "a class is expected");
    Py_INCREF(type);
    Py_XSETREF(state->array_type, type);
    Py_RETURN_NONE;
}

/* Called by os.fork: a compile asks for signals, for which it needs the GIL. */
static PyObject *before_fork(PyObject *module, PyObject *unused)
{
    (void) module;
    (void) unused;
    Py_BEGIN_ALLOW_THREADS
    runcu_nvrtc_expect_fork();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef module_functions[] = {
    {"_before_fork", before_fork, METH_NOARGS,
     "_before_fork($module, /)\n--\n\nRegistered with os.register_at_fork."},
    {"_set_array_type", set_array_type, METH_O,
     "_set_array_type($module, type, /)\n--\n\nThe class whose `gpudata` and `dtype` are what "
     "kernels and copies need to know."},
    {"_at_exit", at_exit, METH_NOARGS, "_at_exit($module, /)\n--\n\nRegistered with atexit."},
    {NULL, NULL, 0, NULL},
};

static int add_functions(PyObject *module)
{
    PyMethodDef *const tables[] = {
        bind_device_functions,     bind_memory_functions,     bind_copy_functions,
        bind_copy_array_functions, bind_block_functions,      bind_ipc_functions,
        bind_mempool_functions,    bind_vmm_functions,        bind_module_functions,
        bind_function_functions,   bind_program_functions,    bind_explain_functions,
        bind_cache_functions,      bind_diagnostic_functions, bind_interop_functions,
        bind_foreign_functions,    bind_batch_functions,
    };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (PyModule_AddFunctions(module, tables[i]) != 0)
            return -1;
    return 0;
}

static int register_exit(PyObject *module)
{
    PyObject *atexit = PyImport_ImportModule("atexit");
    PyObject *function = atexit ? PyObject_GetAttrString(module, "_at_exit") : NULL;
    PyObject *done = function ? PyObject_CallMethod(atexit, "register", "O", function) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(function);
    Py_XDECREF(atexit);
    return done ? 0 : -1;
}

/* Newer versions ask the slot below. The library's callbacks know one interpreter. */
static int refuse_subinterpreters(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 0;
    PyErr_SetString(PyExc_ImportError, "runcu works in the main interpreter only");
    return -1;
}

static int register_fork(PyObject *module)
{
    PyObject *os = PyImport_ImportModule("os");
    PyObject *watch = os ? PyObject_GetAttrString(os, "register_at_fork") : NULL;
    PyObject *function = watch ? PyObject_GetAttrString(module, "_before_fork") : NULL;
    PyObject *none = PyTuple_New(0);
    PyObject *named = function ? Py_BuildValue("{sO}", "before", function) : NULL;
    PyObject *done = none && named ? PyObject_Call(watch, none, named) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(named);
    Py_XDECREF(none);
    Py_XDECREF(function);
    Py_XDECREF(watch);
    Py_XDECREF(os);
    return done ? 0 : -1;
}

static int execute(PyObject *module)
{
    bind_state *state = bind_module_state(module);
    if (refuse_subinterpreters() != 0)
        return -1;
    if (PyArray_ImportNumPyAPI() < 0)
        return -1;
    bind_scalars_init(state);
    state->pushed = PyList_New(0);
    state->captures = PyDict_New();
    state->empty = PyUnicode_FromString("");
    state->exchange_name = PyUnicode_InternFromString("__dlpack_c_exchange_api__");
    state->holds = PyList_New(0);
    if (!state->empty || !state->exchange_name || !state->pushed || !state->captures ||
        !state->holds || make_names(state) != 0 || find_package(state) != 0 ||
        import_errors(state) != 0 || import_enums(state) != 0)
        return -1;
    if (add_types(module, state) != 0 || bind_diagnostic_init(state) != 0 ||
        PyModule_AddObjectRef(module, "Diagnostic", (PyObject *) state->diagnostic_type) != 0 ||
        PyModule_AddObjectRef(module, "Step", (PyObject *) state->step_type) != 0)
        return -1;
    if (add_statics(state->device_type, bind_device_statics, module) != 0 ||
        add_statics(state->context_type, bind_context_statics, module) != 0 ||
        add_functions(module) != 0)
        return -1;
    static bool is_waiting;
    if (bind_hooks_install(state) != 0 || register_fork(module) != 0)
        return -1;
    is_waiting = is_waiting || Py_AtExit(bind_wait_for_others) == 0;
    return register_exit(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

struct PyModuleDef bind_module = {
    PyModuleDef_HEAD_INIT,           .m_name = "runcu._core",
    .m_doc = "The C part of runcu.", .m_size = sizeof(bind_state),
    .m_methods = module_functions,   .m_slots = slots,
    .m_traverse = traverse,          .m_clear = clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&bind_module);
}

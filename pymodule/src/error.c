/* The library's failures as Python exceptions. The classes themselves are in runcu/_errors.py. */
#include "core.h"

#include <string.h>

/* Codes after which a context is of no more use. */
static bool is_fault(int code)
{
    return code >= 700 && code < 720 && code != 701 && code != 704 && code != 705;
}

static PyObject *class_of_code(bind_state *state, int code)
{
    const struct {
        const char *name;
        PyObject *type;
    } classes[] = {
#define X(field, text) {text, state->field},
        BIND_CLASSES(X)
#undef X
    };
    const char *name = runcu_result_class(code);
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strcmp(classes[i].name, name) == 0)
            return classes[i].type;
    return state->error;
}

static PyObject *class_of(bind_state *state, const runcu_error *e)
{
    switch (e->status) {
    case RUNCU_ERROR_MEMORY:
        return PyExc_MemoryError;
    case RUNCU_ERROR_INTERRUPTED:
        return PyExc_KeyboardInterrupt;
    case RUNCU_ERROR_TIMEOUT:
        return PyExc_TimeoutError;
    case RUNCU_ERROR_COMPILE:
    case RUNCU_ERROR_OPTION:
        return state->compile_error;
    default:
        break;
    }
    if (e->code)
        return class_of_code(state, e->code);
    switch (e->status) {
    case RUNCU_ERROR_ARGUMENT:
    case RUNCU_ERROR_LAUNCH_ARGUMENT:
    case RUNCU_ERROR_LAUNCH_SHAPE:
        return state->argument_error;
    case RUNCU_ERROR_NO_DRIVER:
    case RUNCU_ERROR_NO_DEVICE:
    case RUNCU_ERROR_NO_NVRTC:
    case RUNCU_ERROR_NO_NVJITLINK:
    case RUNCU_ERROR_SYSTEM:
        return state->runtime_error;
    default:
        return state->logic_error;
    }
}

/* Sets the attribute of an exception; `value` is taken and may be NULL with an exception set. */
static int set_attribute(PyObject *exception, const char *name, PyObject *value)
{
    if (!value)
        return -1;
    int status = PyObject_SetAttrString(exception, name, value);
    Py_DECREF(value);
    return status;
}

/* The launches that may have caused the failure, as a tuple of lines; 0 if there are none. */
static int set_launches(PyObject *exception)
{
    const char *text = runcu_error_launches();
    size_t len = strlen(text);
    if (!len)
        return 0;
    PyObject *lines = NULL, *string = PyUnicode_DecodeUTF8(text, (Py_ssize_t) len, "replace");
    if (string && (lines = PyUnicode_Splitlines(string, 0)))
        Py_SETREF(lines, PyList_AsTuple(lines));
    Py_XDECREF(string);
    return set_attribute(exception, "launches", lines);
}

/* Of a source that does not compile, what the compiler said. */
static int set_diagnostics(bind_state *state, PyObject *exception, const runcu_error *e)
{
    if (e->status != RUNCU_ERROR_COMPILE)
        return 0;
    return set_attribute(exception, "diagnostics", bind_error_diagnostics(state));
}

static void raise_error(bind_state *state, PyObject *type, PyObject *text, const runcu_error *e)
{
    PyObject *exception = PyObject_CallOneArg(type, text);
    if (!exception)
        return;
    if (e->status == RUNCU_ERROR_MEMORY ||
        (set_attribute(exception, "code", PyLong_FromLong(e->code)) == 0 &&
         set_attribute(exception, "name", PyUnicode_FromString(e->name)) == 0 &&
         set_attribute(exception, "routine", PyUnicode_FromString(e->routine)) == 0 &&
         set_launches(exception) == 0 && set_diagnostics(state, exception, e) == 0))
        PyErr_SetObject(type, exception);
    Py_DECREF(exception);
}

int bind_fail(bind_state *state, int status)
{
    runcu_error e;
    runcu_error_get(&e);
    if (PyErr_Occurred()) /* a signal handler raised while the library waited */
        return -1;
    if (e.status != status)
        e = (runcu_error){.status = status, .name = "", .routine = ""};
    if (is_fault(e.code))
        atomic_store(&bind_fault_told, true);
    const char *text = e.message ? runcu_error_text() : runcu_status_text(status);
    PyObject *type = class_of(state, &e);
    if (type == PyExc_KeyboardInterrupt) {
        PyErr_SetNone(type);
    } else {
        PyObject *string = PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
        if (string)
            raise_error(state, type, string, &e);
        Py_XDECREF(string);
    }
    if (atomic_load(&bind_has_news)) { /* the failure counts, whatever becomes of the rest */
        struct bind_quiet failure;
        bind_put_aside(&failure);
        if (bind_tell_news(state) != 0)
            PyErr_Clear();
        bind_put_back(&failure);
    }
    return -1;
}

int bind_raise(PyObject *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PyErr_FormatV(type, format, args);
    va_end(args);
    return -1;
}

/* The compiler's messages as objects: Diagnostic, and Step, of which the way to a message consists.
 * Program hands them out. */
#include "core.h"

#include <structseq.h>

static PyStructSequence_Field step_fields[] = {
    {"file", "Its file, or \"\"."},
    {"line", "Line from 1; 0: none."},
    {"text", "What was made there: \"instantiation of ...\"; of an include \"\"."},
    {NULL, NULL},
};

static PyStructSequence_Desc step_desc = {
    "runcu.compiler.Step", "A step on the way to a message of the compiler.", step_fields, 3};

static PyStructSequence_Field diagnostic_fields[] = {
    {"severity", "\"error\", \"warning\", \"remark\" or \"note\"."},
    {"file", "Its file."},
    {"line", "Line from 1; 0: none."},
    {"column", "Column from 1, in characters; 0: unknown."},
    {"text", "The message."},
    {"code", "NVRTC's number (\"#177-D\"), or \"\"."},
    {"source", "The line of the source, or \"\"."},
    {"number", "The number as -diag-suppress takes it: 177; 0: none."},
    {"includes", "Which lines include the file, the innermost first: a tuple of Step."},
    {"instances", "Which instances of templates led there, the innermost first: a tuple of Step."},
    {NULL, NULL},
};

static PyStructSequence_Desc diagnostic_desc = {
    "runcu.compiler.Diagnostic", "One message of the compiler.", diagnostic_fields, 10};

int bind_diagnostic_init(bind_state *state)
{
    state->step_type = PyStructSequence_NewType(&step_desc);
    state->diagnostic_type = PyStructSequence_NewType(&diagnostic_desc);
    return state->step_type && state->diagnostic_type ? 0 : -1;
}

static PyObject *text_of(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
}

static const char *severity_name(int severity)
{
    static const char *const names[] = {"", "note", "remark", "warning", "error"};
    return severity >= RUNCU_NOTE && severity <= RUNCU_ERROR ? names[severity] : "error";
}

/* Takes the fields over. */
static PyObject *new_row(PyTypeObject *type, PyObject *const *fields, size_t count)
{
    PyObject *out = PyErr_Occurred() ? NULL : PyStructSequence_New(type);
    for (size_t i = 0; i < count; i++)
        if (out)
            PyStructSequence_SET_ITEM(out, (Py_ssize_t) i, fields[i]);
        else
            Py_XDECREF(fields[i]);
    return out;
}

static PyObject *new_step(bind_state *state, const runcu_step *step)
{
    PyObject *fields[] = {text_of(step->file), PyLong_FromUnsignedLong(step->line),
                          text_of(step->text)};
    return new_row(state->step_type, fields, ARRAY_LEN(fields));
}

static PyObject *new_steps(bind_state *state, const runcu_step *steps, size_t count)
{
    PyObject *out = PyTuple_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *step = new_step(state, &steps[i]);
        if (step)
            PyTuple_SET_ITEM(out, (Py_ssize_t) i, step);
        else
            Py_CLEAR(out);
    }
    return out;
}

/* In characters of the text as Python has it. */
static PyObject *new_column(const runcu_diagnostic *d)
{
    size_t bytes = d->column ? Py_MIN(d->column - 1, strlen(d->source)) : 0;
    PyObject *before = PyUnicode_DecodeUTF8(d->source, (Py_ssize_t) bytes, "replace");
    PyObject *out =
        before ? PyLong_FromSsize_t(PyUnicode_GET_LENGTH(before) + (d->column > 0)) : NULL;
    Py_XDECREF(before);
    return out;
}

static PyObject *new_diagnostic(bind_state *state, const runcu_diagnostic *d)
{
    PyObject *fields[] = {
        text_of(severity_name(d->severity)),
        text_of(d->file),
        PyLong_FromUnsignedLong(d->line),
        new_column(d),
        text_of(d->text),
        text_of(d->code),
        text_of(d->source),
        PyLong_FromUnsignedLong(d->number),
        new_steps(state, d->includes, d->include_count),
        new_steps(state, d->instances, d->instance_count),
    };
    return new_row(state->diagnostic_type, fields, ARRAY_LEN(fields));
}

static PyObject *new_diagnostics(bind_state *state, const runcu_diagnostic *rows, size_t count)
{
    PyObject *out = PyTuple_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *row = new_diagnostic(state, &rows[i]);
        if (row)
            PyTuple_SET_ITEM(out, (Py_ssize_t) i, row);
        else
            Py_CLEAR(out);
    }
    return out;
}

PyObject *bind_diagnostics(bind_state *state, const runcu_program *program)
{
    size_t count = 0;
    const runcu_diagnostic *rows = runcu_program_diagnostics(program, &count);
    return new_diagnostics(state, rows, count);
}

PyObject *bind_error_diagnostics(bind_state *state)
{
    size_t count = 0;
    const runcu_diagnostic *rows = runcu_error_diagnostics(&count);
    return new_diagnostics(state, rows, count);
}

/* --- forms --- */

static void take_text(void *user, const char *text, size_t len)
{
    PyObject **out = user;
    PyObject *piece = PyUnicode_DecodeUTF8(text, (Py_ssize_t) len, "replace");
    if (*out && piece)
        PyUnicode_Append(out, piece);
    Py_XDECREF(piece);
}

/* The number of enum runcu_report that a word means; -1 with an exception set. */
static int form_get(PyObject *form)
{
    static const char *const names[] = {"text", "color", "html", "json"};
    for (int i = 0; i < (int) ARRAY_LEN(names) && PyUnicode_Check(form); i++)
        if (PyUnicode_CompareWithASCIIString(form, names[i]) == 0)
            return i;
    return bind_raise(PyUnicode_Check(form) ? PyExc_ValueError : PyExc_TypeError,
                      "form must be 'text', 'color', 'html' or 'json', not %R", form);
}

PyObject *bind_diagnostics_format(bind_state *state, const runcu_program *program, PyObject *form)
{
    int chosen = form_get(form);
    if (chosen < 0)
        return NULL;
    PyObject *out = PyUnicode_FromString("");
    int status = out ? runcu_program_write(program, chosen, take_text, &out) : 0;
    if (bind_check(state, status) != 0 || PyErr_Occurred())
        Py_CLEAR(out);
    return out;
}

/* --- the doctor --- */

static PyObject *diagnose(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "form", (char *) "trial", NULL};
    bind_state *state = bind_module_state(module);
    PyObject *form = NULL, *out = NULL;
    int trial = 1, status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$p:diagnose", names, &form, &trial))
        return NULL;
    int chosen = form_get(form);
    if (chosen < 0)
        return NULL;
    runcu_diagnose_params params = {.size = sizeof params, .no_trial = !trial};
    runcu_diagnosis *diagnosis;
    BIND_UNLOCKED(status, runcu_diagnose(&diagnosis, &params));
    if (!status && (out = PyUnicode_FromString("")))
        status = runcu_diagnosis_write(diagnosis, chosen, take_text, &out);
    int is_well = diagnosis && runcu_diagnosis_is_well(diagnosis);
    runcu_diagnosis_destroy(&diagnosis);
    if (bind_check(state, status) != 0 || PyErr_Occurred()) {
        Py_XDECREF(out);
        return NULL;
    }
    return Py_BuildValue("(NN)", PyBool_FromLong(is_well), out);
}

PyMethodDef bind_diagnostic_functions[] = {
    {"diagnose", (PyCFunction) (void (*)(void)) diagnose, METH_VARARGS | METH_KEYWORDS,
     "diagnose($module, form, *, trial=True)\n--\n\n"
     "Looks at drivers, devices, NVRTC and all else that is needed: whether kernels can be "
     "compiled "
     "and run, and what was found as text."},
    {NULL, NULL, 0, NULL},
};

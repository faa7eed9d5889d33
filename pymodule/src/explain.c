/* What kernels take of a multiprocessor, as plain dicts: _explain.py makes objects and text of
 * them. */
#include "core.h"

#include <limits.h>
#include <string.h>

static PyObject *text_of(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
}

static PyObject *list_ptx(const runcu_usage *usage)
{
    PyObject *out = PyTuple_New((Py_ssize_t) usage->ptx_count);
    for (size_t i = 0; out && i < usage->ptx_count; i++) {
        const runcu_ptx_line *line = &usage->ptx[i];
        PyObject *row =
            Py_BuildValue("(NNI)", text_of(line->text), text_of(line->file), (unsigned) line->line);
        if (row)
            PyTuple_SET_ITEM(out, (Py_ssize_t) i, row);
        else
            Py_CLEAR(out);
    }
    return out;
}

static PyObject *describe_kernel(const runcu_usage *u)
{
    return Py_BuildValue(
        "{s:N,s:N,s:N,s:i,s:i,s:O,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:N}", "name", text_of(u->name),
        "symbol", text_of(u->symbol), "signature", text_of(u->signature), "registers", u->registers,
        "local", u->local, "is_local_unknown", u->is_local_unknown ? Py_True : Py_False,
        "spill_stores", u->spill_stores, "spill_loads", u->spill_loads, "shared", u->shared,
        "constant", u->constant, "parameters", u->parameters, "barriers", u->barriers,
        "max_threads", u->max_threads, "launch_bounds", u->launch_bounds, "ptx", list_ptx(u));
}

static PyObject *describe_function(const runcu_usage *u)
{
    return Py_BuildValue("{s:N,s:N,s:N,s:i,s:i,s:i}", "name", text_of(u->name), "symbol",
                         text_of(u->symbol), "signature", text_of(u->signature), "local", u->local,
                         "spill_stores", u->spill_stores, "spill_loads", u->spill_loads);
}

static PyObject *describe_all(const runcu_usage *rows, size_t count,
                              PyObject *(*describe)(const runcu_usage *) )
{
    PyObject *out = PyTuple_New((Py_ssize_t) count);
    for (size_t i = 0; out && i < count; i++) {
        PyObject *row = describe(&rows[i]);
        if (row)
            PyTuple_SET_ITEM(out, (Py_ssize_t) i, row);
        else
            Py_CLEAR(out);
    }
    return out;
}

static PyObject *explain_program(PyObject *module, PyObject *program)
{
    bind_state *state = bind_module_state(module);
    runcu_explanation *e;
    size_t kernels, functions;
    int status;
    if (!PyObject_TypeCheck(program, state->program_type))
        return PyErr_Format(PyExc_TypeError, "a Program is expected, not %.200s",
                            Py_TYPE(program)->tp_name);
    BIND_UNLOCKED(status, runcu_explanation_create(&e, ((bind_program *) program)->program));
    if (bind_check(state, status) != 0)
        return NULL;
    const runcu_usage *kernel = runcu_explanation_kernels(e, &kernels);
    const runcu_usage *function = runcu_explanation_functions(e, &functions);
    PyObject *out = Py_BuildValue("(NN)", describe_all(kernel, kernels, describe_kernel),
                                  describe_all(function, functions, describe_function));
    runcu_explanation_destroy(&e);
    return out;
}

/* None: any number. */
static PyObject *number_of(int blocks)
{
    if (blocks == INT_MAX)
        Py_RETURN_NONE;
    return PyLong_FromLong(blocks);
}

static PyObject *occupancy(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "arch",   (char *) "threads",  (char *) "registers",
                            (char *) "shared", (char *) "barriers", NULL};
    static const char *const limits[] = {"", "blocks", "warps", "registers", "shared", "barriers"};
    runcu_block_needs needs = {.size = sizeof needs};
    runcu_occupancy o;
    const char *arch;
    Py_ssize_t shared = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "si|ini:occupancy", names, &arch, &needs.threads,
                                     &needs.registers, &shared, &needs.barriers))
        return NULL;
    if (shared < 0)
        return PyErr_Format(PyExc_ValueError, "%zd bytes of shared memory: less than none", shared);
    needs.shared = (size_t) shared;
    if (bind_check(bind_module_state(module), runcu_occupancy_get(&o, arch, &needs)) != 0)
        return NULL;
    return Py_BuildValue(
        "{s:i,s:i,s:i,s:s,s:{s:N,s:N,s:N,s:N,s:N}}", "blocks", o.blocks, "warps", o.warps,
        "max_warps", o.max_warps, "limit", limits[o.limit], "allowed", limits[RUNCU_LIMIT_BLOCKS],
        number_of(o.by_blocks), limits[RUNCU_LIMIT_WARPS], number_of(o.by_warps),
        limits[RUNCU_LIMIT_REGISTERS], number_of(o.by_registers), limits[RUNCU_LIMIT_SHARED],
        number_of(o.by_shared), limits[RUNCU_LIMIT_BARRIERS], number_of(o.by_barriers));
}

PyMethodDef bind_explain_functions[] = {
    {"explain_program", explain_program, METH_O,
     "explain_program($module, program, /)\n--\n\n"
     "What a program's kernels take, and functions that they call, two tuples of dicts; it was "
     "compiled with -Xptxas=-v."},
    {"occupancy", (PyCFunction) (void (*)(void)) occupancy, METH_VARARGS | METH_KEYWORDS,
     "occupancy($module, arch, threads, registers=0, shared=0, barriers=0)\n--\n\n"
     "How many blocks of a kernel a multiprocessor holds, and what does not allow more."},
    {NULL, NULL, 0, NULL},
};

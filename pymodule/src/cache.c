/* The folder of compiled programs, as plain dicts and numbers: runcu/cache.py is what users see. */
#include "core.h"

/* Optional folder and, if `path` is not NULL, a file before it. Both are new references. */
static int paths_get(PyObject **path, PyObject **dir, PyObject *args)
{
    PyObject *given = NULL;
    *dir = NULL;
    if (path ? !PyArg_ParseTuple(args, "O&|O", PyUnicode_FSConverter, path, &given)
             : !PyArg_ParseTuple(args, "|O", &given))
        return -1;
    if (!given || given == Py_None || PyUnicode_FSConverter(given, dir))
        return 0;
    if (path)
        Py_CLEAR(*path);
    return -1;
}

static const char *text_of(PyObject *bytes)
{
    return bytes ? PyBytes_AS_STRING(bytes) : NULL;
}

static PyObject *cache_info(PyObject *module, PyObject *args)
{
    PyObject *dir;
    runcu_cache_info i;
    int status;
    if (paths_get(NULL, &dir, args))
        return NULL;
    BIND_UNLOCKED(status, runcu_cache_get_info(&i, text_of(dir)));
    Py_XDECREF(dir);
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return Py_BuildValue("{s:N,s:N,s:N,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "dir",
                         PyUnicode_DecodeFSDefault(i.dir), "shared_dir",
                         PyUnicode_DecodeFSDefault(i.shared_dir), "is_writable",
                         PyBool_FromLong(i.is_writable), "entries", i.entries, "bytes", i.bytes,
                         "limit", i.limit, "header_bytes", i.header_bytes, "hits", i.hits,
                         "shared_hits", i.shared_hits, "misses", i.misses);
}

static PyObject *cache_clear(PyObject *module, PyObject *args)
{
    PyObject *dir;
    uint64_t removed;
    int status;
    if (paths_get(NULL, &dir, args))
        return NULL;
    BIND_UNLOCKED(status, runcu_cache_clear(&removed, text_of(dir)));
    Py_XDECREF(dir);
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(removed);
}

static PyObject *cache_export(PyObject *module, PyObject *args)
{
    PyObject *path, *dir;
    uint64_t entries;
    int status;
    if (paths_get(&path, &dir, args))
        return NULL;
    BIND_UNLOCKED(status, runcu_cache_export(&entries, text_of(path), text_of(dir)));
    Py_XDECREF(dir);
    Py_DECREF(path);
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(entries);
}

static PyObject *cache_import(PyObject *module, PyObject *args)
{
    PyObject *path, *dir;
    runcu_cache_imported done;
    int status;
    if (paths_get(&path, &dir, args))
        return NULL;
    BIND_UNLOCKED(status, runcu_cache_import(&done, text_of(path), text_of(dir)));
    Py_XDECREF(dir);
    Py_DECREF(path);
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    return Py_BuildValue("{s:K,s:K,s:K}", "added", done.added, "known", done.known, "damaged",
                         done.damaged);
}

PyMethodDef bind_cache_functions[] = {
    {"cache_info", cache_info, METH_VARARGS,
     "cache_info($module, dir=None, /)\n--\n\nWhat the folder of compiled programs holds."},
    {"cache_clear", cache_clear, METH_VARARGS,
     "cache_clear($module, dir=None, /)\n--\n\nRemoves all entries; their number."},
    {"cache_export", cache_export, METH_VARARGS,
     "cache_export($module, path, dir=None, /)\n--\n\nWrites all entries to one file; their "
     "number."},
    {"cache_import", cache_import, METH_VARARGS,
     "cache_import($module, path, dir=None, /)\n--\n\nTakes over the entries of such a file."},
    {NULL, NULL, 0, NULL},
};

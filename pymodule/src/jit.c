/* Jit: the driver's compiler with options, for loading and for linking. The logs stay readable
 * after a failure, for the message handlers of driver.py. */
#include "core.h"

enum { MOST_OPTIONS = 64, LOG_BYTES = 32 << 10 };

typedef struct bind_jit {
    BIND_HEAD
    runcu_link *link; /* made when the first image is added */
    int options[MOST_OPTIONS];
    uint64_t values[MOST_OPTIONS];
    size_t count;
    int is_verbose, linker;
    bool is_busy;       /* a thread links, without the GIL */
    char *info, *error; /* LOG_BYTES each */
} bind_jit;

static runcu_jit_params params_of(const bind_jit *self)
{
    return (runcu_jit_params){
        .size = sizeof(runcu_jit_params),
        .options = self->options,
        .values = self->values,
        .option_count = self->count,
        .info_log = self->info,
        .info_log_size = LOG_BYTES,
        .error_log = self->error,
        .error_log_size = LOG_BYTES,
        .is_verbose = self->is_verbose,
        .linker = self->linker,
    };
}

/* A pair of option and number. */
static int read_option(bind_jit *self, PyObject *pair)
{
    PyObject *two = PySequence_Fast(pair, "an option is a pair of a jit_option and a number");
    int status = -1;
    if (!two)
        return -1;
    if (self->count == MOST_OPTIONS)
        PyErr_Format(PyExc_ValueError, "more than %d options", MOST_OPTIONS);
    else if (PySequence_Fast_GET_SIZE(two) != 2)
        PyErr_SetString(PyExc_ValueError, "an option is a pair of a jit_option and a number");
    else if (bind_int(&self->options[self->count], PySequence_Fast_GET_ITEM(two, 0),
                      "the option") == 0) {
        PyObject *number = PyNumber_Index(PySequence_Fast_GET_ITEM(two, 1));
        self->values[self->count] = number ? PyLong_AsUnsignedLongLongMask(number) : 0;
        Py_XDECREF(number);
        if (!PyErr_Occurred())
            status = 0;
    }
    self->count += status == 0;
    Py_DECREF(two);
    return status;
}

static int read_options(bind_jit *self, PyObject *options)
{
    PyObject *iter = PyObject_GetIter(options), *pair = NULL;
    int status = iter ? 0 : -1;
    while (status == 0 && (pair = PyIter_Next(iter))) {
        status = read_option(self, pair);
        Py_DECREF(pair);
    }
    Py_XDECREF(iter);
    return PyErr_Occurred() ? -1 : status;
}

static PyObject *jit_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "options", (char *) "verbose", (char *) "linker", NULL};
    PyObject *options = NULL;
    int is_verbose = 0, linker = RUNCU_LINKER_AUTO;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Oii:Jit", names, &options, &is_verbose,
                                     &linker))
        return NULL;
    bind_jit *self = bind_new(type);
    if (!self)
        return NULL;
    self->is_verbose = is_verbose;
    self->linker = linker;
    self->info = PyMem_Calloc(1, LOG_BYTES);
    self->error = PyMem_Calloc(1, LOG_BYTES);
    if (!self->info || !self->error)
        PyErr_NoMemory();
    else if (!options || options == Py_None || read_options(self, options) == 0)
        return (PyObject *) self;
    Py_DECREF(self);
    return NULL;
}

static void jit_dealloc(PyObject *o)
{
    bind_jit *self = (bind_jit *) o;
    struct bind_quiet quiet;
    bind_begin_dealloc(o);
    bind_quiet_begin(&quiet);
    runcu_link_destroy(&self->link);
    bind_quiet_end(&quiet);
    PyMem_Free(self->info);
    PyMem_Free(self->error);
    bind_end_dealloc(o);
}

static PyObject *jit_load(PyObject *o, PyObject *image)
{
    bind_jit *self = (bind_jit *) o;
    struct bind_buffer buffer;
    runcu_jit_params params = params_of(self);
    runcu_module *loaded;
    int status;
    if (bind_buffer_get(&buffer, self->state, image, false) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_module_load_with(&loaded, buffer.data, buffer.bytes, &params));
    bind_buffer_release(&buffer);
    if (bind_check(self->state, status) != 0)
        return NULL;
    return bind_module_wrap(self->state, loaded);
}

static int need_link(bind_jit *self)
{
    runcu_jit_params params = params_of(self);
    if (self->is_busy) {
        PyErr_SetString(self->state->logic_error, "another thread is linking with this linker");
        return -1;
    }
    return self->link ? 0 : bind_check(self->state, runcu_link_create(&self->link, &params));
}

/* The GIL stays: a link is one thread's at a time. */
static PyObject *jit_add(PyObject *o, PyObject *args)
{
    bind_jit *self = (bind_jit *) o;
    struct bind_buffer buffer;
    PyObject *image;
    const char *name;
    int type;
    if (!PyArg_ParseTuple(args, "iOs:add", &type, &image, &name) || need_link(self) != 0 ||
        bind_buffer_get(&buffer, self->state, image, false) != 0)
        return NULL;
    int status = runcu_link_add(self->link, type, buffer.data, buffer.bytes, name);
    bind_buffer_release(&buffer);
    if (bind_check(self->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *jit_add_file(PyObject *o, PyObject *args)
{
    bind_jit *self = (bind_jit *) o;
    PyObject *path;
    int type;
    if (!PyArg_ParseTuple(args, "iO&:add_file", &type, PyUnicode_FSConverter, &path))
        return NULL;
    int status = need_link(self);
    if (status == 0)
        status =
            bind_check(self->state, runcu_link_add_file(self->link, type, PyBytes_AS_STRING(path)));
    Py_DECREF(path);
    return status == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *jit_add_program(PyObject *o, PyObject *args)
{
    bind_jit *self = (bind_jit *) o;
    PyObject *program;
    const char *name;
    if (!PyArg_ParseTuple(args, "O!s:add_program", self->state->program_type, &program, &name) ||
        need_link(self) != 0)
        return NULL;
    int status = runcu_link_add_program(self->link, ((bind_program *) program)->program, name);
    return bind_check(self->state, status) == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *jit_add_library(PyObject *o, PyObject *args)
{
    bind_jit *self = (bind_jit *) o;
    PyObject *folder = NULL;
    const char *name;
    if (!PyArg_ParseTuple(args, "s|O:add_library", &name, &folder) || need_link(self) != 0)
        return NULL;
    if (folder == Py_None)
        folder = NULL;
    else if (folder && !PyUnicode_FSConverter(folder, &folder))
        return NULL;
    int status =
        runcu_link_add_library(self->link, name, folder ? PyBytes_AS_STRING(folder) : NULL);
    Py_XDECREF(folder);
    return bind_check(self->state, status) == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *jit_complete(PyObject *o, PyObject *unused)
{
    (void) unused;
    bind_jit *self = (bind_jit *) o;
    const void *image;
    size_t bytes;
    int status;
    if (need_link(self) != 0)
        return NULL;
    self->is_busy = true;
    BIND_UNLOCKED(status, runcu_link_complete(&image, &bytes, self->link));
    self->is_busy = false;
    if (bind_check(self->state, status) != 0)
        return NULL;
    return PyBytes_FromStringAndSize(image, (Py_ssize_t) bytes);
}

static PyObject *jit_close(PyObject *o, PyObject *unused)
{
    (void) unused;
    bind_jit *self = (bind_jit *) o;
    if (self->link && need_link(self) != 0)
        return NULL;
    runcu_link_destroy(&self->link);
    Py_RETURN_NONE;
}

static PyObject *jit_handle(PyObject *o, void *closure)
{
    (void) closure;
    const runcu_link *link = ((bind_jit *) o)->link;
    return PyLong_FromUnsignedLongLong(link ? runcu_link_handle(link) : 0);
}

static PyObject *text_of(const char *log)
{
    return PyUnicode_DecodeUTF8(log, (Py_ssize_t) strnlen(log, LOG_BYTES), "replace");
}

static PyObject *jit_info(PyObject *o, void *closure)
{
    (void) closure;
    return text_of(((bind_jit *) o)->info);
}

static PyObject *jit_error(PyObject *o, void *closure)
{
    (void) closure;
    return text_of(((bind_jit *) o)->error);
}

static PyMethodDef jit_methods[] = {
    {"load", jit_load, METH_O,
     "load($self, image, /)\n--\n\nThe module of cubin, PTX or a fatbin, loaded into the current "
     "context."},
    {"add", jit_add, METH_VARARGS,
     "add($self, input_type, image, name, /)\n--\n\nAdds code to link: `input_type` of "
     "jit_input_type, and a name for messages."},
    {"add_file", jit_add_file, METH_VARARGS,
     "add_file($self, input_type, path, /)\n--\n\nAdds what a file holds."},
    {"add_program", jit_add_program, METH_VARARGS,
     "add_program($self, program, name, /)\n--\n\nAdds what a source was compiled to, and a name "
     "for "
     "messages."},
    {"add_library", jit_add_library, METH_VARARGS,
     "add_library($self, name, folder=None, /)\n--\n\nAdds lib<name>.a: of `folder`, or from where "
     "CUDA's libraries are sought."},
    {"complete", jit_complete, METH_NOARGS,
     "complete($self, /)\n--\n\nLinks what was added; the image that it came to."},
    {"close", jit_close, METH_NOARGS,
     "close($self, /)\n--\n\nLets go of what was added; what is added later is another link's."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef jit_getset[] = {
    {"handle", jit_handle, NULL, "The CUlinkState; 0 before anything was added.", NULL},
    {"info_log", jit_info, NULL, "What the compiler told.", NULL},
    {"error_log", jit_error, NULL, "What it complained about.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef jit_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot jit_slots[] = {
    {Py_tp_doc, (char *) "Jit(options=(), verbose=False, linker=0)\n--\n\nThe driver's compiler: "
                         "`options` are pairs of a jit_option and a number."},
    {Py_tp_new, jit_new},
    {Py_tp_dealloc, jit_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, jit_methods},
    {Py_tp_getset, jit_getset},
    {Py_tp_members, jit_members},
    {0, NULL},
};

PyType_Spec bind_jit_spec = {"runcu._core.Jit", sizeof(bind_jit), 0, BIND_FLAGS, jit_slots};

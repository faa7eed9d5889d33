/* What HostAllocation, RegisteredHostMemory and AlignedHostAllocation have in common: ending once,
 * by hand, by `with` or with the object; handles. Their own is in host.c and register.c. */
#include "core.h"

#include <stdlib.h>

void bind_host_init(bind_host *self, runcu_mem *mem, const struct bind_host_words *words)
{
    self->mem = mem;
    self->words = words;
    if (mem) {
        self->data = runcu_mem_host_pointer(mem);
        self->address = runcu_mem_address(mem);
        self->bytes = runcu_mem_size(mem);
    }
    atomic_store(&self->is_live, true);
}

bool bind_host_is_gone(bind_host *self)
{
    if (atomic_load(&self->is_live))
        return false;
    bind_raise(self->state->logic_error, "%s", self->words->gone);
    return true;
}

/* Nobody else gets here. */
static int end(bind_host *self)
{
    int status = 0;
    if (self->is_ours)
        free(self->data);
    if (self->mem)
        BIND_UNLOCKED(status, runcu_mem_free(&self->mem));
    return status;
}

PyObject *bind_host_free(PyObject *object, PyObject *unused)
{
    (void) unused;
    bind_host *self = (bind_host *) object;
    if (!atomic_exchange(&self->is_live, false)) {
        bind_raise(self->state->logic_error, "%s failed: invalid resource handle",
                   self->words->end);
        return NULL;
    }
    if (bind_check(self->state, end(self)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* The end of a with block: free() may have come before. */
PyObject *bind_host_exit(PyObject *self, PyObject *args)
{
    (void) args;
    if (atomic_load(&((bind_host *) self)->is_live))
        return bind_host_free(self, NULL);
    Py_RETURN_NONE;
}

void bind_host_dealloc(PyObject *object)
{
    bind_host *self = (bind_host *) object;
    struct bind_quiet quiet;
    bind_begin_dealloc(object);
    bind_quiet_begin(&quiet);
    if (atomic_exchange(&self->is_live, false))
        end(self);
    bind_quiet_end(&quiet);
    bind_buffer_release(&self->buffer);
    Py_CLEAR(self->base);
    bind_end_dealloc(object);
}

/* What memory is of stays until the driver has let go of it. */
int bind_host_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_host *) self)->base);
    return bind_traverse(self, visit, arg);
}

PyObject *bind_host_get_device_pointer(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_host *h = (bind_host *) self;
    return bind_host_is_gone(h) ? NULL : PyLong_FromUnsignedLongLong(h->address);
}

int bind_host_address(uint64_t *out, PyObject *value)
{
    *out = ((bind_host *) value)->address;
    return bind_host_is_gone((bind_host *) value) ? -1 : 0;
}

PyObject *bind_host_handle(PyObject *self, void *closure)
{
    (void) closure;
    bind_host *h = (bind_host *) self;
    return bind_host_is_gone(h) ? NULL : PyLong_FromVoidPtr(h->data);
}

int bind_host_parse(struct bind_host_given *out, PyObject *const *args, Py_ssize_t nargs,
                    PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "from_handle", 1, {"handle", "owner", "size", NULL}};
    PyObject *values[3];
    uint64_t handle;
    *out = (struct bind_host_given){0};
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_number(&handle, values[0], "handle") != 0 ||
        (values[2] && values[2] != Py_None && bind_size(&out->bytes, values[2], "size") != 0))
        return -1;
    out->data = (void *) (uintptr_t) handle;
    out->owner = values[1] == Py_None ? NULL : values[1];
    return handle ? 0 : bind_raise(PyExc_ValueError, "0 is the address of no memory");
}

/* Page-locked memory of somebody else. */
PyObject *bind_host_from_handle(PyTypeObject *type, const struct bind_host_given *given,
                                const struct bind_host_words *words)
{
    runcu_mem *mem;
    bind_state *state = bind_state_of(type);
    if (!state || bind_check(state, runcu_mem_wrap_host(&mem, given->data, given->bytes)) != 0)
        return NULL;
    bind_host *self = bind_new(type);
    if (!self) {
        runcu_mem_free(&mem);
        return NULL;
    }
    bind_host_init(self, mem, words);
    if (bind_own((PyObject *) self, given->owner) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

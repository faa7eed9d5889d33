/* Context. The driver keeps each thread's stack of contexts; the module keeps alive what lies on
 * one, as PyCUDA does. */
#include "core.h"

static bind_state *state_of(PyObject *self)
{
    return ((bind_object *) self)->state;
}

PyObject *bind_context_wrap(bind_state *state, runcu_context *context)
{
    bind_context *self = bind_new(state->context_type);
    if (self)
        self->context = context;
    else
        runcu_context_release(&context);
    return (PyObject *) self;
}

PyObject *bind_context_wrap_hold(bind_state *state, runcu_context *context)
{
    PyObject *address = PyLong_FromVoidPtr(context);
    bind_context *self = (bind_context *) bind_context_wrap(state, context);
    if (self && address && PyList_Append(state->holds, address) == 0)
        self->is_hold = true;
    else
        Py_CLEAR(self);
    Py_XDECREF(address);
    return (PyObject *) self;
}

/* Gives back the object's hold of a primary context: true if there are others. */
static bool give_back(bind_context *self)
{
    bool is_found = false, are_others = false;
    PyObject *holds = self->state->holds;
    if (!self->is_hold || !holds)
        return false;
    self->is_hold = false;
    for (Py_ssize_t i = PyList_GET_SIZE(holds); i-- > 0;) {
        if (PyLong_AsVoidPtr(PyList_GET_ITEM(holds, i)) != self->context)
            continue;
        if (is_found)
            are_others = true;
        else
            PyList_SetSlice(holds, i, i + 1, NULL);
        is_found = true;
    }
    return are_others;
}

int bind_context_hold(bind_state *state, PyObject *context)
{
    return PyList_Append(state->pushed, context);
}

void bind_context_drop(bind_state *state, const runcu_context *context)
{
    for (Py_ssize_t i = PyList_GET_SIZE(state->pushed); i-- > 0;) {
        bind_context *held = (bind_context *) PyList_GET_ITEM(state->pushed, i);
        if (held->context == context) {
            PyList_SetSlice(state->pushed, i, i + 1, NULL);
            return;
        }
    }
}

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void) args;
    (void) kwargs;
    return PyErr_Format(
        PyExc_TypeError,
        "%s objects come from Device.make_context() and Device.retain_primary_context()",
        type->tp_name);
}

static void context_dealloc(PyObject *self)
{
    bind_context *c = (bind_context *) self;
    struct bind_quiet quiet;
    bind_begin_dealloc(self);
    bind_quiet_begin(&quiet);
    give_back(c);
    Py_BEGIN_ALLOW_THREADS
    runcu_context_release(&c->context);
    Py_END_ALLOW_THREADS
    bind_quiet_end(&quiet);
    bind_end_dealloc(self);
}

static bool is_alive(const bind_context *c)
{
    return !c->is_detached && runcu_context_is_alive(c->context);
}

static PyObject *context_repr(PyObject *self)
{
    bind_context *c = (bind_context *) self;
    if (!is_alive(c))
        return PyUnicode_FromFormat("<%s, detached>", Py_TYPE(self)->tp_name);
    return PyUnicode_FromFormat("<%s at 0x%llx on '%s'>", Py_TYPE(self)->tp_name,
                                (unsigned long long) runcu_context_handle(c->context),
                                runcu_device_name(runcu_context_device(c->context)));
}

static PyObject *context_compare(PyObject *self, PyObject *other, int op)
{
    if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(other, state_of(self)->context_type))
        Py_RETURN_NOTIMPLEMENTED;
    bool same = ((bind_context *) self)->context == ((bind_context *) other)->context;
    return PyBool_FromLong(same == (op == Py_EQ));
}

static Py_hash_t context_hash(PyObject *self)
{
    Py_hash_t hash = (Py_hash_t) ((uintptr_t) ((bind_context *) self)->context >> 4);
    return hash == -1 ? -2 : hash;
}

static PyObject *context_push(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_context *c = (bind_context *) self;
    if (c->is_detached) {
        bind_raise(c->state->logic_error,
                   "context::push failed: invalid device context - the context has been detached");
        return NULL;
    }
    if (bind_context_hold(c->state, self) != 0)
        return NULL;
    if (bind_check(c->state, runcu_context_push(c->context)) != 0) {
        bind_context_drop(c->state, c->context);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Takes the current context off this thread's stack. */
static int pop(bind_state *state)
{
    runcu_context *current = NULL;
    int status = runcu_context_peek(&current);
    if (current)
        runcu_context_retain(current); /* the stack may be its last owner but us */
    if (status == 0)
        status = runcu_context_pop();
    if (status == RUNCU_ERROR_ARGUMENT) {
        runcu_context_release(&current);
        return bind_raise(
            state->logic_error,
            "context::pop failed: invalid device context - cannot pop non-current context");
    }
    status = bind_check(state, status);
    if (status == 0)
        bind_context_drop(state, current);
    runcu_context_release(&current);
    return status;
}

static PyObject *context_enter(PyObject *self, PyObject *unused)
{
    PyObject *done = context_push(self, unused);
    if (!done)
        return NULL;
    Py_DECREF(done);
    return Py_NewRef(self);
}

static PyObject *context_exit(PyObject *self, PyObject *args)
{
    (void) args;
    if (pop(state_of(self)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* The context lives on; where this object has made it current, the one beneath is. */
static PyObject *detach_one_of_many(bind_context *c)
{
    PyObject *pushed = c->state->pushed;
    runcu_context *current;
    if (bind_check(c->state, runcu_context_peek(&current)) != 0)
        return NULL;
    for (Py_ssize_t i = PyList_GET_SIZE(pushed); current == c->context && i-- > 0;)
        if (PyList_GET_ITEM(pushed, i) == (PyObject *) c) {
            PyList_SetSlice(pushed, i, i + 1, NULL);
            if (bind_check(c->state, runcu_context_pop()) != 0)
                return NULL;
            break;
        }
    Py_RETURN_NONE;
}

static PyObject *context_detach(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_context *c = (bind_context *) self;
    int status;
    if (!is_alive(c)) {
        bind_raise(
            c->state->logic_error,
            "context::detach failed: invalid device context - cannot detach from invalid context");
        return NULL;
    }
    c->is_detached = true;
    if (give_back(c))
        return detach_one_of_many(c);
    BIND_UNLOCKED(status, runcu_context_detach(c->context));
    Py_ssize_t held;
    do {
        held = PyList_GET_SIZE(c->state->pushed);
        bind_context_drop(c->state, c->context);
    } while (PyList_GET_SIZE(c->state->pushed) < held);
    bind_release_done();
    if (bind_check(c->state, status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_get_api_version(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_context *c = (bind_context *) self;
    unsigned version;
    if (bind_check(c->state, runcu_context_api_version(&version, c->context)) != 0)
        return NULL;
    return PyLong_FromUnsignedLong(version);
}

static PyObject *context_handle(PyObject *self, void *closure)
{
    (void) closure;
    return PyLong_FromUnsignedLongLong(runcu_context_handle(((bind_context *) self)->context));
}

static PyObject *context_is_alive(PyObject *self, void *closure)
{
    (void) closure;
    return PyBool_FromLong(is_alive((bind_context *) self));
}

static PyObject *context_device(PyObject *self, void *closure)
{
    (void) closure;
    return bind_device_wrap(state_of(self), runcu_context_device(((bind_context *) self)->context));
}

/* --- functions of the module that are attributes of the class --- */

static PyObject *context_pop(PyObject *module, PyObject *unused)
{
    (void) unused;
    if (pop(bind_module_state(module)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *current(bind_state *state, int (*get)(runcu_context **))
{
    runcu_context *context;
    int status;
    BIND_UNLOCKED(status, get(&context));
    if (bind_check(state, status) != 0)
        return NULL;
    if (!context)
        Py_RETURN_NONE;
    return bind_context_wrap(state, runcu_context_retain(context));
}

static PyObject *context_get_current(PyObject *module, PyObject *unused)
{
    (void) unused;
    return current(bind_module_state(module), runcu_context_peek);
}

static PyObject *context_attach(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    unsigned flags = 0;
    if (nargs > 1)
        return PyErr_Format(PyExc_TypeError, "attach() takes at most 1 argument (%zd given)",
                            nargs);
    if (nargs && bind_unsigned(&flags, args[0], "flags") != 0)
        return NULL;
    if (flags) /* the driver accepts no other value either */
        return PyErr_Format(PyExc_ValueError, "flags must be 0, not %u", flags);
    return current(bind_module_state(module), runcu_context_current);
}

static PyObject *context_get_device(PyObject *module, PyObject *unused)
{
    (void) unused;
    bind_state *state = bind_module_state(module);
    runcu_context *context;
    int status;
    BIND_UNLOCKED(status, runcu_context_current(&context));
    if (bind_check(state, status) != 0)
        return NULL;
    return bind_device_wrap(state, runcu_context_device(context));
}

static PyObject *context_synchronize(PyObject *module, PyObject *unused)
{
    (void) unused;
    int status;
    BIND_UNLOCKED(status, runcu_context_synchronize(NULL));
    bind_release_done();
    if (bind_check(bind_module_state(module), status) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_set_limit(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames)
{
    static const struct bind_signature signature = {"set_limit", 2, {"limit", "value", NULL}};
    PyObject *values[2];
    int limit;
    size_t value;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        bind_int(&limit, values[0], "limit") != 0 || bind_size(&value, values[1], "value") != 0 ||
        bind_check(bind_module_state(module), runcu_context_set_limit(limit, value)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_get_limit(PyObject *module, PyObject *value)
{
    int limit;
    size_t out;
    if (bind_int(&limit, value, "limit") != 0 ||
        bind_check(bind_module_state(module), runcu_context_get_limit(&out, limit)) != 0)
        return NULL;
    return PyLong_FromSize_t(out);
}

static PyObject *context_set_cache_config(PyObject *module, PyObject *value)
{
    int config;
    if (bind_int(&config, value, "config") != 0 ||
        bind_check(bind_module_state(module), runcu_context_set_cache_config(config)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_get_cache_config(PyObject *module, PyObject *unused)
{
    (void) unused;
    int config;
    if (bind_check(bind_module_state(module), runcu_context_get_cache_config(&config)) != 0)
        return NULL;
    return PyLong_FromLong(config);
}

static PyObject *context_set_shared_config(PyObject *module, PyObject *value)
{
    int config;
    if (bind_int(&config, value, "config") != 0 ||
        bind_check(bind_module_state(module), runcu_context_set_shared_config(config)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_get_shared_config(PyObject *module, PyObject *unused)
{
    (void) unused;
    int config;
    if (bind_check(bind_module_state(module), runcu_context_get_shared_config(&config)) != 0)
        return NULL;
    return PyLong_FromLong(config);
}

static runcu_context *peer_of(bind_state *state, PyObject *value)
{
    if (PyObject_TypeCheck(value, state->context_type))
        return ((bind_context *) value)->context;
    PyErr_Format(PyExc_TypeError, "the peer must be a Context, not %.200s",
                 Py_TYPE(value)->tp_name);
    return NULL;
}

static PyObject *context_enable_peer_access(PyObject *module, PyObject *const *args,
                                            Py_ssize_t nargs, PyObject *kwnames)
{
    static const struct bind_signature signature = {
        "enable_peer_access", 1, {"peer", "flags", NULL}};
    bind_state *state = bind_module_state(module);
    PyObject *values[2];
    unsigned flags = 0;
    runcu_context *peer;
    if (bind_parse(values, &signature, args, nargs, kwnames) != 0 ||
        (values[1] && bind_unsigned(&flags, values[1], "flags") != 0) ||
        !(peer = peer_of(state, values[0])) ||
        bind_check(state, runcu_context_enable_peer(peer, flags)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_disable_peer_access(PyObject *module, PyObject *value)
{
    bind_state *state = bind_module_state(module);
    runcu_context *peer = peer_of(state, value);
    if (!peer || bind_check(state, runcu_context_disable_peer(peer)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *context_from_handle(PyObject *type, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames)
{
    uint64_t handle;
    PyObject *owner;
    int status;
    if (bind_handle(&handle, &owner, args, nargs, kwnames) != 0)
        return NULL;
    bind_context *self = bind_new((PyTypeObject *) type);
    if (!self)
        return NULL;
    BIND_UNLOCKED(status, runcu_context_wrap(&self->context, handle));
    if (bind_check(self->state, status) != 0 || bind_own((PyObject *) self, owner) != 0)
        Py_CLEAR(self);
    return (PyObject *) self;
}

PyMethodDef bind_context_statics[] = {
    {"pop", context_pop, METH_NOARGS,
     "pop()\n--\n\nTakes the current context off this thread's stack; the one beneath becomes "
     "current."},
    {"attach", (PyCFunction) (void (*)(void)) context_attach, METH_FASTCALL,
     "attach(flags=0, /)\n--\n\nThe current context, made if there is none."},
    {"get_current", context_get_current, METH_NOARGS,
     "get_current()\n--\n\nThe current context of this thread, or None."},
    {"get_device", context_get_device, METH_NOARGS,
     "get_device()\n--\n\nThe current context's device."},
    {"synchronize", context_synchronize, METH_NOARGS,
     "synchronize()\n--\n\nWaits for all work of the current context; what kernels did wrong is "
     "raised here."},
    {"set_limit", (PyCFunction) (void (*)(void)) context_set_limit, METH_FASTCALL | METH_KEYWORDS,
     "set_limit(limit, value)\n--\n\nSets one of `limit`: bytes or a count."},
    {"get_limit", context_get_limit, METH_O,
     "get_limit(limit, /)\n--\n\nThe value of one of `limit`."},
    {"set_cache_config", context_set_cache_config, METH_O,
     "set_cache_config(config, /)\n--\n\nPrefers cache or shared memory: one of func_cache."},
    {"get_cache_config", context_get_cache_config, METH_NOARGS,
     "get_cache_config()\n--\n\nWhat set_cache_config chose, as an int."},
    {"set_shared_config", context_set_shared_config, METH_O,
     "set_shared_config(config, /)\n--\n\nAccepts one of shared_config; banks of shared memory "
     "are 4 bytes wide on every device of today."},
    {"get_shared_config", context_get_shared_config, METH_NOARGS,
     "get_shared_config()\n--\n\nThe width of the banks of shared memory, as an int."},
    {"enable_peer_access", (PyCFunction) (void (*)(void)) context_enable_peer_access,
     METH_FASTCALL | METH_KEYWORDS,
     "enable_peer_access(peer, flags=0)\n--\n\nLets kernels of the current context reach memory "
     "of `peer`, a Context of another device."},
    {"disable_peer_access", context_disable_peer_access, METH_O,
     "disable_peer_access(peer, /)\n--\n\nEnds what enable_peer_access allowed."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef context_methods[] = {
    {"push", context_push, METH_NOARGS,
     "push($self, /)\n--\n\nMakes it this thread's current context, on top of the earlier one."},
    {"detach", context_detach, METH_NOARGS,
     "detach($self, /)\n--\n\nDestroys it now, whatever objects of it exist; of a primary context "
     "it gives up this object's hold."},
    {"from_handle", (PyCFunction) (void (*)(void)) context_from_handle,
     METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_handle($type, handle, owner=None)\n--\n\nThe context of the current driver with that "
     "CUcontext, which must exist. It is never destroyed through this object; `owner` is kept "
     "alive."},
    {"get_api_version", context_get_api_version, METH_NOARGS,
     "get_api_version($self, /)\n--\n\nThe version of the driver API that it was made with."},
    {"__enter__", context_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nPushes it."},
    {"__exit__", context_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nPops it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef context_getset[] = {
    {"handle", context_handle, NULL, "The CUcontext as an int.", NULL},
    {"is_alive", context_is_alive, NULL, "False once it has been detached.", NULL},
    {"device", context_device, NULL, "Its device.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef context_members[] = {BIND_MEMBERS, {NULL, 0, 0, 0, NULL}};

static PyType_Slot context_slots[] = {
    {Py_tp_doc, (char *) "A context: what lives on a device. `with` pushes it and pops it again."},
    {Py_tp_new, context_new},
    {Py_tp_dealloc, context_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_repr, context_repr},
    {Py_tp_richcompare, context_compare},
    {Py_tp_hash, context_hash},
    {Py_tp_methods, context_methods},
    {Py_tp_getset, context_getset},
    {Py_tp_members, context_members},
    {0, NULL},
};

PyType_Spec bind_context_spec = {"runcu.driver.Context", sizeof(bind_context), 0, BIND_FLAGS,
                                 context_slots};

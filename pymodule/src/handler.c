/* In, Out, InOut: host arrays that travel with a launch. A launch carries them by itself;
 * get_device_alloc() and the two calls around a launch serve programs that do it by hand, and
 * classes derived from ArgumentHandler. */
#include "core.h"

static PyObject *handler_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void) args; /* those of a subclass's __init__ */
    (void) kwargs;
    return bind_new(type);
}

static int handler_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "array", NULL};
    PyObject *array;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O", names, &array))
        return -1;
    Py_INCREF(array);
    Py_XSETREF(((bind_handler *) self)->array, array);
    return 0;
}

static int handler_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((bind_handler *) self)->array);
    Py_VISIT(((bind_handler *) self)->allocation);
    return bind_traverse(self, visit, arg);
}

static int handler_clear(PyObject *self)
{
    Py_CLEAR(((bind_handler *) self)->array);
    Py_CLEAR(((bind_handler *) self)->allocation);
    return bind_clear(self);
}

static void handler_dealloc(PyObject *self)
{
    bind_begin_dealloc(self);
    Py_CLEAR(((bind_handler *) self)->array);
    Py_CLEAR(((bind_handler *) self)->allocation);
    bind_end_dealloc(self);
}

static int array_of(struct bind_buffer *out, bind_handler *self, bool writable)
{
    if (!self->array)
        return bind_raise(PyExc_ValueError, "%s.__init__() has not been called",
                          Py_TYPE(self)->tp_name);
    return bind_buffer_get(out, self->state, self->array, writable);
}

static PyObject *handler_get_device_alloc(PyObject *self, PyObject *unused)
{
    (void) unused;
    bind_handler *h = (bind_handler *) self;
    struct bind_buffer buffer;
    if (!h->allocation) {
        if (array_of(&buffer, h, false) != 0)
            return NULL;
        h->allocation = bind_allocation_new(h->state, buffer.bytes);
        bind_buffer_release(&buffer);
    }
    return Py_XNewRef(h->allocation);
}

/* Copies all bytes, in order with the stream and waited for. */
static int travel(bind_handler *self, PyObject *stream_value, bool to_device)
{
    struct bind_buffer buffer;
    runcu_stream *stream;
    PyObject *keep, *allocation = handler_get_device_alloc((PyObject *) self, NULL);
    uint64_t address;
    int status = -1;
    if (!allocation)
        return -1;
    if (bind_address(&address, self->state, allocation) == 0 &&
        bind_stream(&stream, &keep, self->state, stream_value) == 0) {
        if (array_of(&buffer, self, !to_device) == 0) {
            Py_BEGIN_ALLOW_THREADS
            status = to_device ? runcu_copy_htod_async(address, buffer.data, buffer.bytes, stream)
                               : runcu_copy_dtoh_async(buffer.data, address, buffer.bytes, stream);
            if (status == 0)
                status = runcu_stream_synchronize(stream);
            Py_END_ALLOW_THREADS
            bind_buffer_release(&buffer);
            status = bind_check(self->state, status);
        }
        Py_XDECREF(keep);
    }
    Py_DECREF(allocation);
    return status;
}

static PyObject *travel_if(PyObject *self, PyObject *stream, bool to_device, bool does)
{
    if (does && travel((bind_handler *) self, stream, to_device) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static bool is_a(PyObject *self, PyTypeObject *one, PyTypeObject *other)
{
    return PyObject_TypeCheck(self, one) || PyObject_TypeCheck(self, other);
}

static PyObject *handler_pre_call(PyObject *self, PyObject *stream)
{
    bind_state *state = ((bind_object *) self)->state;
    return travel_if(self, stream, true, is_a(self, state->in_type, state->inout_type));
}

static PyObject *handler_post_call(PyObject *self, PyObject *stream)
{
    bind_state *state = ((bind_object *) self)->state;
    return travel_if(self, stream, false, is_a(self, state->out_type, state->inout_type));
}

static PyMethodDef handler_methods[] = {
    {"get_device_alloc", handler_get_device_alloc, METH_NOARGS,
     "get_device_alloc($self, /)\n--\n\nDevice memory of the array's size, made when first asked "
     "for."},
    {"pre_call", handler_pre_call, METH_O,
     "pre_call($self, stream, /)\n--\n\nCopies to the device, if the class does that."},
    {"post_call", handler_post_call, METH_O,
     "post_call($self, stream, /)\n--\n\nCopies from the device, if the class does that."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef handler_members[] = {
    BIND_MEMBERS,
    {"array", T_OBJECT, offsetof(bind_handler, array), 0, "The host array."},
    {"dev_alloc", T_OBJECT, offsetof(bind_handler, allocation), READONLY,
     "What get_device_alloc() made, or None."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot handler_slots[] = {
    {Py_tp_doc, (char *) "ArgumentHandler(array)\n--\n\nBase of In, Out and InOut."},
    {Py_tp_new, handler_new},
    {Py_tp_init, handler_init},
    {Py_tp_dealloc, handler_dealloc},
    {Py_tp_traverse, handler_traverse},
    {Py_tp_clear, handler_clear},
    {Py_tp_methods, handler_methods},
    {Py_tp_members, handler_members},
    {0, NULL},
};

PyType_Spec bind_handler_spec = {"runcu.driver.ArgumentHandler", sizeof(bind_handler), 0,
                                 BIND_FLAGS, handler_slots};

/* Garbage collection is the base's, as are memory and members. */
#define DERIVED (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE)

static PyType_Slot in_slots[] = {
    {Py_tp_doc, (char *) "In(array)\n--\n\nA kernel argument: the array is copied to the device "
                         "before the launch, in the launch's stream. It may be changed as soon as "
                         "the call has returned."},
    {0, NULL},
};
static PyType_Slot out_slots[] = {
    {Py_tp_doc, (char *) "Out(array)\n--\n\nA kernel argument: the array is filled from the device "
                         "after the launch, in the launch's stream, which the call waits for: the "
                         "result is there when it returns."},
    {0, NULL},
};
static PyType_Slot inout_slots[] = {
    {Py_tp_doc, (char *) "InOut(array)\n--\n\nA kernel argument: copied to the device before the "
                         "launch, and back after it; as In and Out."},
    {0, NULL},
};

PyType_Spec bind_in_spec = {"runcu.driver.In", sizeof(bind_handler), 0, DERIVED, in_slots};
PyType_Spec bind_out_spec = {"runcu.driver.Out", sizeof(bind_handler), 0, DERIVED, out_slots};
PyType_Spec bind_inout_spec = {"runcu.driver.InOut", sizeof(bind_handler), 0, DERIVED, inout_slots};

/* IPCMemoryHandle: another process's device memory, a DeviceAllocation in all else; handles for
 * other processes. */
#include "core.h"

#include <string.h>

int bind_ipc_handle(unsigned char *out, PyObject *value)
{
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) != 0)
        return -1;
    int status = 0;
    if (view.len == RUNCU_IPC_HANDLE_BYTES)
        memcpy(out, view.buf, RUNCU_IPC_HANDLE_BYTES);
    else
        status = bind_raise(PyExc_ValueError, "a handle for other processes has %d bytes, not %zd",
                            RUNCU_IPC_HANDLE_BYTES, view.len);
    PyBuffer_Release(&view);
    return status;
}

static PyObject *ipc_memory_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *) "handle", (char *) "flags", NULL};
    PyObject *handle_value, *flags_value = NULL;
    unsigned char handle[RUNCU_IPC_HANDLE_BYTES];
    unsigned flags = 0;
    runcu_mem *mem;
    int status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:IPCMemoryHandle", names, &handle_value,
                                     &flags_value) ||
        bind_ipc_handle(handle, handle_value) != 0 ||
        (flags_value && bind_unsigned(&flags, flags_value, "flags") != 0))
        return NULL;
    bind_state *state = bind_state_of(type);
    if (!state)
        return NULL;
    BIND_UNLOCKED(status, runcu_mem_ipc_open(&mem, handle, flags));
    return bind_check(state, status) == 0 ? bind_allocation_wrap(type, mem) : NULL;
}

static PyObject *mem_get_ipc_handle(PyObject *module, PyObject *value)
{
    bind_state *state = bind_module_state(module);
    unsigned char handle[RUNCU_IPC_HANDLE_BYTES];
    uint64_t address;
    int status;
    if (bind_address(&address, state, value) != 0)
        return NULL;
    BIND_UNLOCKED(status, runcu_mem_ipc_handle(handle, address));
    if (bind_check(state, status) != 0)
        return NULL;
    return PyByteArray_FromStringAndSize((const char *) handle, sizeof handle);
}

PyMethodDef bind_ipc_functions[] = {
    {"mem_get_ipc_handle", mem_get_ipc_handle, METH_O,
     "mem_get_ipc_handle($module, devptr, /)\n--\n\n"
     "What another process of the machine needs to open the allocation that holds the address "
     "(IPCMemoryHandle), until it is freed.\n\n"
     "Returns\n-------\nbytearray\n    64 bytes."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef ipc_memory_methods[] = {
    {"close", bind_allocation_free, METH_NOARGS,
     "close($self, /)\n--\n\nCloses the memory now; it stays the other process's. A second time is "
     "an error."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ipc_memory_slots[] = {
    {Py_tp_doc,
     (char *) "IPCMemoryHandle(handle, flags=0)\n--\n\n"
              "Device memory of another process, which has to stay meanwhile; a DeviceAllocation "
              "in all else.\n\n"
              "Parameters\n----------\n"
              "handle : bytes-like\n    From the other process's mem_get_ipc_handle.\n"
              "flags : int\n    Of ipc_mem_flags; 0 is LAZY_ENABLE_PEER_ACCESS."},
    {Py_tp_new, ipc_memory_new},
    {Py_tp_dealloc, bind_allocation_dealloc},
    {Py_tp_traverse, bind_traverse},
    {Py_tp_clear, bind_clear},
    {Py_tp_methods, ipc_memory_methods},
    {0, NULL},
};

PyType_Spec bind_ipc_memory_spec = {"runcu.driver.IPCMemoryHandle", sizeof(bind_allocation), 0,
                                    BIND_FLAGS, ipc_memory_slots};

/* Python functions in a stream. The driver calls them on a thread of its own, which then must not
 * use the driver: what a call held is let go later, on a thread of Python's. */
#include "core.h"

#include <pthread.h>
#include <time.h>

struct bind_callback {
    struct bind_callback *next;
    PyObject *function, *args;
    runcu_context *context; /* counted: whose end is the call's */
    bool repeats;           /* a node of a graph, whose owner frees it */
    bool is_given_up;
};

/* Guarded by the lock: no Python code runs and nobody waits under it. */
static struct {
    pthread_mutex_t lock;
    struct bind_callback *pending, *done;
    bool is_closed; /* the interpreter is going: no new ones */
    bool is_ended;  /* and none begins any more */
    unsigned inside;
} calls = {.lock = PTHREAD_MUTEX_INITIALIZER};

atomic_int bind_callback_count;
static atomic_bool has_done;

static void take_out(struct bind_callback *c)
{
    struct bind_callback **at = &calls.pending;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = calls.done;
    calls.done = c;
    atomic_store(&has_done, true);
}

static bool begin(void)
{
    pthread_mutex_lock(&calls.lock);
    bool runs = !calls.is_ended;
    calls.inside += runs;
    pthread_mutex_unlock(&calls.lock);
    return runs;
}

static void end(struct bind_callback *c)
{
    pthread_mutex_lock(&calls.lock);
    calls.inside--;
    if (!c->repeats)
        take_out(c);
    pthread_mutex_unlock(&calls.lock);
    if (!c->repeats)
        atomic_fetch_sub(&bind_callback_count, 1);
}

/* On a thread of the driver's. The garbage collector is off: what it finds might belong to a
 * device, and cannot be freed here. */
static void run(void *user)
{
    struct bind_callback *c = user;
    if (!begin())
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    int collects = PyGC_Disable();
    PyObject *result = PyObject_CallObject(c->function, c->args);
    if (!result)
        PyErr_WriteUnraisable(c->function);
    Py_XDECREF(result);
    if (collects)
        PyGC_Enable();
    end(c);
    PyGILState_Release(gil);
}

static void destroy(struct bind_callback *c)
{
    Py_CLEAR(c->function);
    Py_CLEAR(c->args);
    Py_BEGIN_ALLOW_THREADS
    runcu_context_release(&c->context);
    Py_END_ALLOW_THREADS
    PyMem_RawFree(c);
}

void bind_callbacks_release(void)
{
    struct bind_callback *next;
    if (!atomic_load_explicit(&has_done, memory_order_relaxed) ||
        !atomic_exchange(&has_done, false))
        return;
    pthread_mutex_lock(&calls.lock);
    struct bind_callback *done = calls.done;
    calls.done = NULL;
    pthread_mutex_unlock(&calls.lock);
    for (; done; done = next) {
        next = done->next;
        destroy(done);
    }
}

/* NULL with an exception. */
static struct bind_callback *create(PyObject *const *args, Py_ssize_t nargs)
{
    struct bind_callback *c = PyMem_RawCalloc(1, sizeof *c);
    PyObject *rest = c ? PyTuple_New(nargs - 1) : NULL;
    if (!rest) {
        PyMem_RawFree(c);
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 1; i < nargs; i++)
        PyTuple_SET_ITEM(rest, i - 1, Py_NewRef(args[i]));
    c->function = Py_NewRef(args[0]);
    c->args = rest;
    return c;
}

static void before_fork(void)
{
    pthread_mutex_lock(&calls.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&calls.lock);
}

static void in_child(void)
{
    calls.inside = 0; /* those threads are the parent's */
    pthread_mutex_unlock(&calls.lock);
}

/* False: the interpreter is going, and nothing new is taken. */
static bool link_call(struct bind_callback *c)
{
    static atomic_bool is_watching_forks;
    if (!atomic_exchange(&is_watching_forks, true))
        pthread_atfork(before_fork, after_fork, in_child);
    pthread_mutex_lock(&calls.lock);
    bool is_taken = !calls.is_closed;
    if (is_taken) {
        c->next = calls.pending;
        calls.pending = c;
    }
    pthread_mutex_unlock(&calls.lock);
    if (is_taken)
        atomic_fetch_add(&bind_callback_count, 1);
    return is_taken;
}

static void unlink_call(struct bind_callback *c)
{
    pthread_mutex_lock(&calls.lock);
    take_out(c);
    pthread_mutex_unlock(&calls.lock);
    atomic_fetch_sub(&bind_callback_count, 1);
    bind_callbacks_release();
}

/* --- nodes of graphs --- */

static void end_of_capsule(PyObject *capsule)
{
    struct bind_callback *c = PyCapsule_GetPointer(capsule, NULL);
    unlink_call(c);
}

PyObject *bind_callback_keep(runcu_host_call *out, bind_state *state, PyObject *const *args,
                             Py_ssize_t nargs)
{
    if (nargs < 1 || !PyCallable_Check(args[0]))
        return PyErr_Format(PyExc_TypeError, "a callback needs a function to call");
    struct bind_callback *c = create(args, nargs);
    PyObject *capsule = NULL;
    if (c && bind_check(state, runcu_stream_context(&c->context, NULL)) == 0)
        capsule = PyCapsule_New(c, NULL, end_of_capsule);
    if (!capsule) {
        if (c)
            destroy(c);
        return NULL;
    }
    c->repeats = true;
    if (!link_call(c)) {
        PyCapsule_SetDestructor(capsule, NULL);
        Py_DECREF(capsule);
        destroy(c);
        return PyErr_Format(PyExc_RuntimeError, "the interpreter is ending");
    }
    *out = (runcu_host_call){run, c};
    return capsule;
}

/* In a captured stream it becomes a node. NULL without an exception: the stream is not captured. */
static PyObject *add_captured(bind_state *state, runcu_stream *stream, PyObject *const *args,
                              Py_ssize_t nargs)
{
    runcu_host_call call;
    int status;
    if (runcu_stream_capture_status(&status, NULL, stream) != 0 || status == RUNCU_CAPTURE_NONE)
        return NULL;
    PyObject *kept = bind_callback_keep(&call, state, args, nargs);
    if (!kept)
        return NULL;
    status = bind_check(state, runcu_stream_host_call(stream, call.function, call.user));
    if (status == 0)
        status = bind_capture_hold(state, stream, &kept, 1);
    Py_DECREF(kept);
    return status ? NULL : Py_NewRef(Py_None);
}

/* --- calls in streams --- */

PyObject *bind_add_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    bind_state *state = ((bind_object *) self)->state;
    runcu_stream *stream;
    PyObject *keep;
    if (nargs < 1 || !PyCallable_Check(args[0]))
        return PyErr_Format(PyExc_TypeError, "add_callback() needs a function to call");
    bind_callbacks_release();
    if (bind_stream(&stream, &keep, state, self) != 0)
        return NULL;
    if (atomic_load(&bind_capture_count)) {
        PyObject *out = add_captured(state, stream, args, nargs);
        if (out || PyErr_Occurred()) {
            Py_XDECREF(keep);
            return out;
        }
    }
    struct bind_callback *c = create(args, nargs);
    int status = c ? bind_check(state, runcu_stream_context(&c->context, stream)) : -1;
    if (status == 0 && !link_call(c))
        status = bind_raise(PyExc_RuntimeError, "add_callback(): the interpreter is ending");
    else if (status == 0) {
        int failed;
        BIND_UNLOCKED(failed, runcu_stream_host_call(stream, run, c));
        if (failed)
            unlink_call(c);
        c = NULL;
        status = bind_check(state, failed);
    }
    if (c)
        destroy(c);
    Py_XDECREF(keep);
    if (status != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- the end of the interpreter --- */

/* The context of a call that is still to come, counted; NULL: none is. */
static runcu_context *next_context(void)
{
    pthread_mutex_lock(&calls.lock);
    calls.is_closed = true;
    struct bind_callback *c = calls.pending;
    while (c && c->is_given_up)
        c = c->next;
    runcu_context *context = c ? runcu_context_retain(c->context) : NULL;
    pthread_mutex_unlock(&calls.lock);
    return context;
}

/* The context has no work: those of graphs do not come again. After a fault the driver forgets its
 * queues, and no call comes. */
static void give_up(const runcu_context *context, bool has_failed)
{
    pthread_mutex_lock(&calls.lock);
    for (struct bind_callback *c = calls.pending; c; c = c->next)
        c->is_given_up |= c->context == context && (has_failed || c->repeats);
    pthread_mutex_unlock(&calls.lock);
}

static unsigned stop(void)
{
    pthread_mutex_lock(&calls.lock);
    calls.is_ended = true;
    unsigned inside = calls.inside;
    pthread_mutex_unlock(&calls.lock);
    return inside;
}

void bind_callbacks_end(void)
{
    runcu_context *context;
    while ((context = next_context())) {
        Py_BEGIN_ALLOW_THREADS
        give_up(context, runcu_context_synchronize(context) != 0);
        runcu_context_release(&context);
        Py_END_ALLOW_THREADS
    }
    Py_BEGIN_ALLOW_THREADS
    while (stop())
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    Py_END_ALLOW_THREADS
    bind_callbacks_release();
}

/* The library's callbacks. Messages and kernels' output may come on any thread, one without Python
 * too, and while a thread that holds the GIL waits for that very thread: so they are only put in a
 * queue here, and passed on when a call of the library has returned. */
#include "core.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct message {
    struct message *next;
    bool is_about_device, is_cleanup;
    char text[];
};

/* Output beyond this goes straight to the process's standard output: nothing is lost, memory is not
 * filled. */
enum { MOST_OUTPUT = 64 << 20 };

static struct {
    pthread_mutex_t lock;
    struct message *first, **last;
    char *output;
    size_t output_len, output_capacity;
    bool is_direct; /* the interpreter is gone or going */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &queue.first};

atomic_uint bind_inside;
static atomic_uint tellers; /* threads that are writing to sys.stdout */

atomic_bool bind_has_news;
atomic_bool bind_fault_told;

static void on_log(void *user, int level, const char *category, const char *text)
{
    (void) user;
    size_t len = strlen(text);
    struct message *m = level == RUNCU_LOG_WARNING ? malloc(sizeof *m + len + 1) : NULL;
    if (!m)
        return;
    m->next = NULL;
    m->is_about_device = strcmp(category, "device") == 0;
    m->is_cleanup = strcmp(category, "cleanup") == 0;
    memcpy(m->text, text, len + 1);
    pthread_mutex_lock(&queue.lock);
    *queue.last = m;
    queue.last = &m->next;
    pthread_mutex_unlock(&queue.lock);
    atomic_store(&bind_has_news, true);
}

static void write_all(const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t) n;
    }
}

/* With the lock held. */
static bool append_output(const char *text, size_t len)
{
    if (queue.is_direct || len > MOST_OUTPUT - queue.output_len)
        return false;
    if (len > queue.output_capacity - queue.output_len) {
        size_t capacity = 2 * queue.output_capacity + len + 4096;
        char *larger = realloc(queue.output, capacity);
        if (!larger)
            return false;
        queue.output = larger;
        queue.output_capacity = capacity;
    }
    memcpy(queue.output + queue.output_len, text, len);
    queue.output_len += len;
    return true;
}

static void on_print(void *user, const char *text, size_t len)
{
    (void) user;
    pthread_mutex_lock(&queue.lock);
    bool is_queued = append_output(text, len);
    if (!is_queued) {
        write_all(queue.output, queue.output_len);
        queue.output_len = 0;
        write_all(text, len);
    }
    pthread_mutex_unlock(&queue.lock);
    if (is_queued)
        atomic_store(&bind_has_news, true);
}

int bind_on_wait(void *user)
{
    if (!Py_IsInitialized()) /* a daemon thread, and the interpreter has ended */
        return 1;
    PyGILState_STATE gil = PyGILState_Ensure();
    int stop = PyErr_Occurred() != NULL;
    if (!stop && atomic_load(&bind_has_news))
        stop = bind_tell_news(user) != 0; /* a warning made an exception, or sys.stdout refused */
    if (!stop)
        stop = PyErr_CheckSignals() != 0;
    if (stop) /* the call looks for the exception even if the wait should end well */
        atomic_store(&bind_has_news, true);
    PyGILState_Release(gil);
    return stop;
}

static struct message *take_messages(void)
{
    pthread_mutex_lock(&queue.lock);
    struct message *first = queue.first;
    queue.first = NULL;
    queue.last = &queue.first;
    pthread_mutex_unlock(&queue.lock);
    return first;
}

static PyObject *take_output(void)
{
    PyObject *text = NULL;
    pthread_mutex_lock(&queue.lock);
    char *output = queue.output;
    size_t len = queue.output_len;
    queue.output = NULL;
    queue.output_len = queue.output_capacity = 0;
    pthread_mutex_unlock(&queue.lock);
    if (len)
        text = PyUnicode_DecodeUTF8(output, (Py_ssize_t) len, "replace");
    free(output);
    return text;
}

static const char *file_of(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    const char *file =
        PyUnicode_Check(code->co_filename) ? PyUnicode_AsUTF8(code->co_filename) : NULL;
    PyErr_Clear(); /* a name that is no UTF-8 */
    Py_DECREF(code);
    return file ? file : ""; /* the frame keeps its code, the code the text */
}

/* What the warnings module leaves out when it counts frames. */
static bool is_import_system(const char *file)
{
    return strstr(file, "importlib") && strstr(file, "_bootstrap");
}

/* How far up the user's line is: neither this package's own Python nor what imports it is what a
 * warning is about. */
static int warning_level(bind_state *state)
{
    int level = 1;
    const char *package = PyUnicode_AsUTF8(state->package);
    PyFrameObject *frame = PyEval_GetFrame();
    Py_XINCREF(frame);
    while (frame && package) {
        const char *file = file_of(frame);
        bool is_internal = is_import_system(file);
        if (!is_internal && strncmp(file, package, strlen(package)) != 0 &&
            !strstr(file, "/importlib/"))
            break;
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
        level += !is_internal;
    }
    bool is_found = frame != NULL;
    Py_XDECREF(frame);
    return is_found ? level : 1;
}

static int tell_messages(bind_state *state)
{
    int status = 0;
    struct message *next;
    for (struct message *m = take_messages(); m; m = next) {
        next = m->next;
        PyObject *category = m->is_about_device ? state->device_warning : PyExc_UserWarning;
        /* What a kernel's fault leaves behind is no news once the fault is known. */
        bool is_old = m->is_cleanup && atomic_load(&bind_fault_told);
        if (status == 0 && !is_old)
            status = PyErr_WarnEx(category, m->text, warning_level(state));
        free(m);
    }
    return status;
}

static int tell_output(void)
{
    PyObject *text = take_output();
    if (!text)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *out = PySys_GetObject("stdout"); /* borrowed */
    PyObject *done = NULL;
    Py_XINCREF(out);
    if (out && out != Py_None)
        done = PyObject_CallMethod(out, "write", "O", text);
    bool is_lost = out && out != Py_None && !done;
    Py_XDECREF(done);
    Py_XDECREF(out);
    Py_DECREF(text);
    return is_lost ? -1 : 0;
}

int bind_tell_news(bind_state *state)
{
    atomic_store(&bind_has_news, false);
    if (PyErr_Occurred())
        return -1;
    atomic_fetch_add(&tellers, 1);
    int status = tell_output();
    atomic_fetch_sub(&tellers, 1);
    return status ? status : tell_messages(state);
}

void bind_put_aside(struct bind_quiet *out)
{
#if PY_VERSION_HEX >= 0x030c0000
    out->raised = PyErr_GetRaisedException();
#else
    PyErr_Fetch(&out->type, &out->value, &out->traceback);
#endif
}

void bind_put_back(struct bind_quiet *quiet)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(quiet->raised);
#else
    PyErr_Restore(quiet->type, quiet->value, quiet->traceback);
#endif
}

void bind_quiet_begin(struct bind_quiet *quiet)
{
    bind_put_aside(quiet);
}

void bind_quiet_end(struct bind_quiet *quiet)
{
    if (PyErr_Occurred()) {
        bool is_interrupt = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
        PyErr_Clear();
        if (is_interrupt)
            PyErr_SetInterrupt();
    }
    bind_put_back(quiet);
}

static void before_fork(void)
{
    pthread_mutex_lock(&queue.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&queue.lock);
}

/* What the parent has not yet printed is the parent's to print. */
static void in_child(void)
{
    queue.output_len = 0;
    pthread_mutex_unlock(&queue.lock);
}

int bind_hooks_install(bind_state *state)
{
    static atomic_bool is_watching_forks;
    if (!atomic_exchange(&is_watching_forks, true))
        pthread_atfork(before_fork, after_fork, in_child);
    queue.is_direct = false;
    runcu_set_log(on_log, NULL);
    int status = runcu_set_print(on_print, NULL);
    if (status == 0)
        status = runcu_set_interrupt(bind_on_wait, state);
    return bind_check(state, status);
}

/* A daemon thread that the end of the interpreter finds inside sys.stdout keeps its lock for ever,
 * and Python aborts when it flushes: such threads get two seconds to finish. */
static void wait_for_tellers(void)
{
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < 2000 && atomic_load(&tellers); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    Py_END_ALLOW_THREADS
}

void bind_wait_for_others(void)
{
    for (int i = 0; i < 2000 && atomic_load(&bind_inside); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void bind_hooks_end(bind_state *state)
{
    runcu_set_interrupt(NULL, NULL);
    pthread_mutex_lock(&queue.lock);
    queue.is_direct = true;
    pthread_mutex_unlock(&queue.lock);
    if (bind_tell_news(state) != 0)
        PyErr_WriteUnraisable(NULL);
    wait_for_tellers();
}

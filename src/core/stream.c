/* Streams, ours and wrapped ones of others. NULL stands for the legacy default stream of the
 * current context. */
#include "core.h"

static int new_stream(runcu_stream **out)
{
    *out = NULL;
    runcu_stream *stream = core_new(sizeof *stream);
    if (!stream)
        return RUNCU_ERROR_MEMORY;
    int status = core_context_get(&stream->context);
    if (status)
        core_delete(stream);
    else
        *out = stream;
    return status;
}

/* From now on pools ask the stream whether it still uses what is freed. Only streams of our own
 * are asked: those of others may be gone any time. */
static void link_stream(runcu_stream *stream)
{
    core_lock();
    stream->next = stream->context->streams;
    stream->context->streams = stream;
    atomic_store(&stream->context->has_streams, true);
    core_unlock();
}

CUresult core_stream_query(const struct drv_table *cu, CUstream stream)
{
    int status = CU_STREAM_CAPTURE_STATUS_NONE;
    CUresult code = cu->cuStreamIsCapturing(stream, &status);
    if (code == CUDA_ERROR_STREAM_CAPTURE_IMPLICIT || status != CU_STREAM_CAPTURE_STATUS_NONE)
        return CUDA_SUCCESS;
    return cu->cuStreamQuery(stream);
}

/* Work in flight goes on, but nobody can ask the stream any more: the default stream, which can be
 * asked, waits for it. */
static void hand_over(const struct drv_table *cu, CUstream stream)
{
    CUevent done;
    if (core_stream_query(cu, stream) != CUDA_ERROR_NOT_READY ||
        cu->cuEventCreate(&done, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS)
        return;
    if (cu->cuEventRecord(done, stream) == CUDA_SUCCESS)
        cu->cuStreamWaitEvent(NULL, done, 0);
    cu->cuEventDestroy(done);
}

static void unlink_stream(runcu_stream *stream)
{
    core_lock();
    for (runcu_stream **at = &stream->context->streams; *at; at = &(*at)->next)
        if (*at == stream) {
            *at = stream->next;
            break;
        }
    core_unlock();
}

static void discard(runcu_stream *stream)
{
    runcu_context_release(&stream->context);
    core_delete(stream);
}

int runcu_stream_create(runcu_stream **out, unsigned flags, int priority)
{
    CORE_OUT(out);
    runcu_stream *stream;
    int status = new_stream(&stream);
    if (status)
        return status;
    struct core_driver *driver = stream->context->driver;
    status = priority
                 ? CU_CALL(driver, cuStreamCreateWithPriority, &stream->handle, flags, priority)
                 : CU_CALL(driver, cuStreamCreate, &stream->handle, flags);
    if (status) {
        discard(stream);
        return status;
    }
    stream->is_owned = true;
    stream->is_blocking = !(flags & CU_STREAM_NON_BLOCKING);
    link_stream(stream);
    *out = stream;
    return 0;
}

int runcu_stream_wrap(runcu_stream **out, uint64_t handle)
{
    CORE_OUT(out);
    int status = new_stream(out);
    if (status)
        return status;
    (*out)->handle = (CUstream) (uintptr_t) handle;
    if ((*out)->handle == CU_STREAM_PER_THREAD) {
        atomic_store(&(*out)->context->has_thread_streams, true);
        atomic_store(&(*out)->context->has_streams, true);
    }
    return 0;
}

static void finish_close(runcu_stream *s)
{
    struct core_scope scope;
    bool is_there = s->is_owned && core_enter_cleanup(&scope, s->context);
    if (is_there && atomic_load(&s->context->has_pools))
        hand_over(&s->context->driver->cu, s->handle);
    unlink_stream(s);
    if (is_there) {
        core_cleanup(s->context, "cuStreamDestroy",
                     s->context->driver->cu.cuStreamDestroy(s->handle));
        core_leave(&scope);
    }
}

static void leave(runcu_stream *stream)
{
    if (stream && core_guard_leave(&stream->guard))
        finish_close(stream);
}

void runcu_stream_close(runcu_stream *stream)
{
    if (!stream)
        return;
    core_guard_close(&stream->guard);
    leave(stream);
}

void runcu_stream_destroy(runcu_stream **stream)
{
    if (!stream)
        return;
    runcu_stream *s = *stream;
    *stream = NULL;
    if (!s)
        return;
    runcu_stream_close(s);
    discard(s);
}

uint64_t runcu_stream_handle(const runcu_stream *stream)
{
    return (uintptr_t) core_stream(stream);
}

int core_stream_enter(struct core_scope *scope, struct core_driver **driver,
                      const runcu_stream *stream)
{
    CUcontext context;
    *scope = (struct core_scope){NULL, NULL, 0};
    if (!stream)
        return core_current(driver, &context);
    if (atomic_load(&stream->guard.is_closed))
        return runcu_fail(RUNCU_ERROR_FREED, "the stream has been closed");
    *driver = stream->context->driver;
    return core_enter(scope, stream->context);
}

int core_stream_begin(struct core_stream_scope *out, runcu_stream *stream)
{
    CUcontext context;
    *out = (struct core_stream_scope){.stream = stream};
    if (!stream)
        return core_current(&out->driver, &context);
    int status = core_guard_enter(&stream->guard)
                     ? 0
                     : runcu_fail(RUNCU_ERROR_FREED, "the stream has been closed");
    out->driver = stream->context->driver;
    if (!status)
        status = core_enter(&out->scope, stream->context);
    if (status)
        leave(stream);
    else if (!stream->is_blocking)
        core_settle(out->driver, stream->handle);
    return status;
}

int core_stream_end(struct core_stream_scope *scope, int status)
{
    core_leave(&scope->scope);
    leave(scope->stream);
    return status;
}

int runcu_stream_flags(unsigned *out, runcu_stream *stream)
{
    CORE_NEED(out);
    struct core_stream_scope in;
    *out = 0;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuStreamGetFlags, core_stream(stream), out);
    return core_stream_end(&in, status);
}

int runcu_stream_priority(int *out, runcu_stream *stream)
{
    CORE_NEED(out);
    struct core_stream_scope in;
    *out = 0;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuStreamGetPriority, core_stream(stream), out);
    return core_stream_end(&in, status);
}

int runcu_stream_context(runcu_context **out, const runcu_stream *stream)
{
    CORE_OUT(out);
    if (!stream)
        return core_context_get(out);
    *out = runcu_context_retain(stream->context);
    return 0;
}

int runcu_stream_synchronize(runcu_stream *stream)
{
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = core_wait_stream(in.driver, core_stream(stream), "cuStreamSynchronize");
    if (!status)
        status = CU_FLUSHING(in.driver, cuStreamSynchronize, core_stream(stream));
    return core_stream_end(&in, status);
}

int runcu_stream_is_done(int *out, runcu_stream *stream)
{
    CORE_NEED(out);
    struct core_stream_scope in;
    *out = 0;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    CUresult code = in.driver->cu.cuStreamQuery(core_stream(stream));
    *out = code == CUDA_SUCCESS;
    status =
        core_check(in.driver, "cuStreamQuery", code == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : code);
    return core_stream_end(&in, status);
}

static int wait_event(runcu_stream *stream, runcu_event *event, unsigned flags)
{
    struct core_stream_scope in;
    int status = core_event_hold(event);
    if (status)
        return status;
    status = core_stream_begin(&in, stream);
    if (!status) {
        if (event->context->driver != in.driver)
            status = runcu_fail(RUNCU_ERROR_ARGUMENT,
                                "the event and the stream are of different drivers");
        else
            status =
                CU_CALL(in.driver, cuStreamWaitEvent, core_stream(stream), event->handle, flags);
        core_stream_end(&in, status);
    }
    core_event_let_go(event);
    return status;
}

int runcu_stream_wait_event(runcu_stream *stream, runcu_event *event)
{
    CORE_NEED(event);
    return wait_event(stream, event, CU_EVENT_WAIT_DEFAULT);
}

int runcu_stream_wait_event_external(runcu_stream *stream, runcu_event *event)
{
    CORE_NEED(event);
    return wait_event(stream, event, CU_EVENT_WAIT_EXTERNAL);
}

int runcu_stream_host_call(runcu_stream *stream, void (*function)(void *user), void *user)
{
    CORE_NEED(function);
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuLaunchHostFunc, core_stream(stream), function, user);
    if (!status && stream)
        core_mark_work(stream->context);
    return core_stream_end(&in, status);
}

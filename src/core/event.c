/* Events: marks in a stream, and the time between two of them. */
#include "core.h"

#include <string.h>

static int new_event(runcu_event **out)
{
    *out = NULL;
    runcu_event *event = core_new(sizeof *event);
    if (!event)
        return RUNCU_ERROR_MEMORY;
    int status = core_context_get(&event->context);
    if (status)
        core_delete(event);
    else
        *out = event;
    return status;
}

static void discard(runcu_event **event)
{
    runcu_context_release(&(*event)->context);
    core_delete(*event);
    *event = NULL;
}

int runcu_event_create(runcu_event **out, unsigned flags)
{
    CORE_OUT(out);
    int status = new_event(out);
    if (status)
        return status;
    status = CU_CALL((*out)->context->driver, cuEventCreate, &(*out)->handle, flags);
    if (status)
        discard(out);
    else
        (*out)->is_owned = true;
    return status;
}

int runcu_event_wrap(runcu_event **out, uint64_t handle)
{
    CORE_OUT(out);
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no event");
    int status = new_event(out);
    if (!status)
        (*out)->handle = (CUevent) (uintptr_t) handle;
    return status;
}

int runcu_event_ipc_open(runcu_event **out, const void *handle)
{
    CORE_OUT(out);
    CORE_NEED(handle);
    CUipcEventHandle copy;
    int status = new_event(out);
    if (status)
        return status;
    struct core_driver *driver = (*out)->context->driver;
    memcpy(&copy, handle, sizeof copy);
    status = CU_CALL(driver, cuIpcOpenEventHandle, &(*out)->handle, copy);
    if (status) {
        discard(out);
        return status;
    }
    (*out)->is_owned = true;
    return 0;
}

static void finish_close(runcu_event *e)
{
    struct core_scope scope;
    if (e->is_owned && core_enter_cleanup(&scope, e->context)) {
        core_cleanup(e->context, "cuEventDestroy",
                     e->context->driver->cu.cuEventDestroy(e->handle));
        core_leave(&scope);
    }
}

int core_event_hold(runcu_event *event)
{
    if (core_guard_enter(&event->guard))
        return 0;
    core_event_let_go(event);
    return runcu_fail(RUNCU_ERROR_FREED, "the event has been closed");
}

void core_event_let_go(runcu_event *event)
{
    if (core_guard_leave(&event->guard))
        finish_close(event);
}

void runcu_event_close(runcu_event *event)
{
    if (!event)
        return;
    core_guard_close(&event->guard);
    core_event_let_go(event);
}

void runcu_event_destroy(runcu_event **event)
{
    if (!event || !*event)
        return;
    runcu_event_close(*event);
    discard(event);
}

uint64_t runcu_event_handle(const runcu_event *event)
{
    return !event || atomic_load(&event->guard.is_closed) ? 0 : (uintptr_t) event->handle;
}

/* Holds the event, with its context current. */
static int enter(struct core_scope *scope, runcu_event *event)
{
    int status = core_event_hold(event);
    if (status)
        return status;
    status = core_enter(scope, event->context);
    if (status)
        core_event_let_go(event);
    return status;
}

static int leave(struct core_scope *scope, runcu_event *event, int status)
{
    core_leave(scope);
    core_event_let_go(event);
    return status;
}

/* A record in a stream. Flags of 0 are for drivers of any age. */
static int record(runcu_event *event, runcu_stream *stream, unsigned flags)
{
    struct core_scope scope;
    struct core_stream_scope in;
    int status = enter(&scope, event);
    if (status)
        return status;
    struct core_driver *driver = event->context->driver;
    status = stream ? core_stream_begin(&in, stream) : 0;
    if (status)
        return leave(&scope, event, status);
    if (stream && in.driver != driver)
        status =
            runcu_fail(RUNCU_ERROR_ARGUMENT, "the event and the stream are of different drivers");
    else if (flags)
        status = CU_CALL(driver, cuEventRecordWithFlags, event->handle, core_stream(stream), flags);
    else
        status = CU_CALL(driver, cuEventRecord, event->handle, core_stream(stream));
    if (stream)
        core_stream_end(&in, status);
    return leave(&scope, event, status);
}

int runcu_event_record(runcu_event *event, runcu_stream *stream)
{
    CORE_NEED(event);
    return record(event, stream, CU_EVENT_RECORD_DEFAULT);
}

int runcu_event_record_external(runcu_event *event, runcu_stream *stream)
{
    CORE_NEED(event);
    return record(event, stream, CU_EVENT_RECORD_EXTERNAL);
}

int runcu_event_ipc_handle(void *out, runcu_event *event)
{
    CORE_NEED(out);
    CORE_NEED(event);
    struct core_scope scope;
    CUipcEventHandle handle = {{0}};
    memset(out, 0, sizeof handle);
    int status = enter(&scope, event);
    if (status)
        return status;
    status = CU_CALL(event->context->driver, cuIpcGetEventHandle, &handle, event->handle);
    memcpy(out, &handle, sizeof handle);
    return leave(&scope, event, status);
}

int runcu_event_synchronize(runcu_event *event)
{
    CORE_NEED(event);
    struct core_scope scope;
    int status = enter(&scope, event);
    if (status)
        return status;
    status = core_wait_event(event->context->driver, event->handle, "cuEventSynchronize");
    if (!status)
        status = CU_FLUSHING(event->context->driver, cuEventSynchronize, event->handle);
    return leave(&scope, event, status);
}

int runcu_event_is_done(int *out, runcu_event *event)
{
    CORE_NEED(out);
    CORE_NEED(event);
    struct core_scope scope;
    *out = 0;
    int status = enter(&scope, event);
    if (status)
        return status;
    core_relax(&scope, event->context->driver);
    CUresult code = event->context->driver->cu.cuEventQuery(event->handle);
    *out = code == CUDA_SUCCESS;
    status = core_check(event->context->driver, "cuEventQuery",
                        code == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : code);
    return leave(&scope, event, status);
}

int runcu_event_elapsed(float *out, runcu_event *start, runcu_event *end)
{
    CORE_NEED(out);
    CORE_NEED(start);
    CORE_NEED(end);
    struct core_scope scope;
    *out = 0;
    int status = core_event_hold(start);
    if (status)
        return status;
    status = enter(&scope, end);
    if (!status) {
        if (start->context->driver != end->context->driver)
            status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the two events are of different drivers");
        else
            status =
                CU_CALL(end->context->driver, cuEventElapsedTime, out, start->handle, end->handle);
        leave(&scope, end, status);
    }
    core_event_let_go(start);
    return status;
}

/* Events: marks in a stream, and the time between two of them. */
#include "core.h"

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
    *out = NULL;
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no event");
    int status = new_event(out);
    if (!status)
        (*out)->handle = (CUevent) (uintptr_t) handle;
    return status;
}

void runcu_event_close(runcu_event *e)
{
    struct core_scope scope;
    if (!e || atomic_exchange(&e->is_closed, true))
        return;
    if (e->is_owned && core_enter_cleanup(&scope, e->context)) {
        core_cleanup(e->context, "cuEventDestroy",
                     e->context->driver->cu.cuEventDestroy(e->handle));
        core_leave(&scope);
    }
}

void runcu_event_destroy(runcu_event **event)
{
    if (!*event)
        return;
    runcu_event_close(*event);
    discard(event);
}

uint64_t runcu_event_handle(const runcu_event *event)
{
    return atomic_load(&event->is_closed) ? 0 : (uintptr_t) event->handle;
}

/* Makes the event's context current for a while. */
static int enter_event(struct core_scope *scope, const runcu_event *event)
{
    if (!event)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the event is NULL");
    if (atomic_load(&event->is_closed))
        return runcu_fail(RUNCU_ERROR_FREED, "the event has been closed");
    return core_enter(scope, event->context);
}

/* A stream that an event is recorded in. */
static int check_stream(const runcu_event *event, const runcu_stream *stream)
{
    if (stream && atomic_load(&stream->is_closed))
        return runcu_fail(RUNCU_ERROR_FREED, "the stream has been closed");
    if (event && stream && stream->context->driver != event->context->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the event and the stream are of different drivers");
    return 0;
}

int runcu_event_record(runcu_event *event, runcu_stream *stream)
{
    struct core_scope scope;
    int status = check_stream(event, stream);
    if (!status)
        status = enter_event(&scope, event);
    if (status)
        return status;
    status = CU_CALL(event->context->driver, cuEventRecord, event->handle, core_stream(stream));
    core_leave(&scope);
    return status;
}

int runcu_event_record_external(runcu_event *event, runcu_stream *stream)
{
    struct core_scope scope;
    int status = check_stream(event, stream);
    if (!status)
        status = enter_event(&scope, event);
    if (status)
        return status;
    status = CU_CALL(event->context->driver, cuEventRecordWithFlags, event->handle,
                     core_stream(stream), CU_EVENT_RECORD_EXTERNAL);
    core_leave(&scope);
    return status;
}

int runcu_event_synchronize(runcu_event *event)
{
    struct core_scope scope;
    int status = enter_event(&scope, event);
    if (status)
        return status;
    status = CU_CALL(event->context->driver, cuEventSynchronize, event->handle);
    core_leave(&scope);
    return status;
}

int runcu_event_is_done(int *out, runcu_event *event)
{
    struct core_scope scope;
    *out = 0;
    int status = enter_event(&scope, event);
    if (status)
        return status;
    CUresult code = event->context->driver->cu.cuEventQuery(event->handle);
    *out = code == CUDA_SUCCESS;
    status = core_check(event->context->driver, "cuEventQuery",
                        code == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : code);
    core_leave(&scope);
    return status;
}

int runcu_event_elapsed(float *out, runcu_event *start, runcu_event *end)
{
    struct core_scope scope;
    *out = 0;
    int status = enter_event(&scope, end);
    if (status)
        return status;
    if (!start || atomic_load(&start->is_closed))
        status = runcu_fail(start ? RUNCU_ERROR_FREED : RUNCU_ERROR_ARGUMENT, "the first event %s",
                            start ? "has been closed" : "is NULL");
    else if (start->context->driver != end->context->driver)
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the two events are of different drivers");
    else
        status = CU_CALL(end->context->driver, cuEventElapsedTime, out, start->handle, end->handle);
    core_leave(&scope);
    return status;
}

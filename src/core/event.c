/* Events: marks in a stream, and the time between two of them. */
#include "core.h"

struct runcu_event {
    runcu_context *context;
    CUevent handle;
};

int runcu_event_create(runcu_event **out, unsigned flags)
{
    *out = NULL;
    runcu_event *event = core_new(sizeof *event);
    if (!event)
        return RUNCU_ERROR_MEMORY;
    int status = core_context_get(&event->context);
    if (!status)
        status = CU_CALL(event->context->driver, cuEventCreate, &event->handle, flags);
    if (status) {
        runcu_context_release(&event->context);
        core_delete(event);
        return status;
    }
    *out = event;
    return 0;
}

void runcu_event_destroy(runcu_event **event)
{
    runcu_event *e = *event;
    struct core_scope scope;
    *event = NULL;
    if (!e)
        return;
    if (core_enter_cleanup(&scope, e->context)) {
        core_cleanup(e->context, "cuEventDestroy",
                     e->context->driver->cu.cuEventDestroy(e->handle));
        core_leave(&scope);
    }
    runcu_context_release(&e->context);
    core_delete(e);
}

uint64_t runcu_event_handle(const runcu_event *event)
{
    return (uintptr_t) event->handle;
}

int runcu_event_record(runcu_event *event, runcu_stream *stream)
{
    struct core_scope scope;
    if (stream && stream->context->driver != event->context->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the event and the stream are of different drivers");
    int status = core_enter(&scope, event->context);
    if (status)
        return status;
    status = CU_CALL(event->context->driver, cuEventRecord, event->handle, core_stream(stream));
    core_leave(&scope);
    return status;
}

int runcu_event_synchronize(runcu_event *event)
{
    struct core_scope scope;
    int status = core_enter(&scope, event->context);
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
    int status = core_enter(&scope, event->context);
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
    if (start->context->driver != end->context->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the two events are of different drivers");
    int status = core_enter(&scope, end->context);
    if (status)
        return status;
    status = CU_CALL(end->context->driver, cuEventElapsedTime, out, start->handle, end->handle);
    core_leave(&scope);
    return status;
}

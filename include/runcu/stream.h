/** Streams and events. Wherever a stream is taken, NULL is the legacy default stream. */
#ifndef RUNCU_STREAM_H
#define RUNCU_STREAM_H

#include "context.h"

RUNCU_BEGIN

enum {
    RUNCU_IPC_HANDLE_BYTES = 64 /**< of memory and events for other processes */
};

/** In the current context. `flags`: CU_STREAM_*. `priority`: 0, or negative for a higher one
 * (runcu_context_priority_range). Owned. */
RUNCU_API int runcu_stream_create(runcu_stream **out, unsigned flags, int priority);
/** A stream of somebody else (a CUstream) for the current context; it is never destroyed through
 * ours. 1 is the legacy default stream, 2 this thread's own default stream. Owned wrapper: destroy
 * it. */
RUNCU_API int runcu_stream_wrap(runcu_stream **out, uint64_t handle);
/** Work in flight goes on. Accepts NULL. */
RUNCU_API void runcu_stream_destroy(runcu_stream **stream);
/** Destroys the driver's stream (not a wrapped one) and keeps the object, whose functions here fail
 * with ERROR_FREED from now on: for owners that others may still be calling. Accepts NULL. */
RUNCU_API void runcu_stream_close(runcu_stream *stream);
RUNCU_API uint64_t runcu_stream_handle(const runcu_stream *stream); /**< CUstream; 0 for NULL */
/** Its flags (CU_STREAM_*) as it was created; NULL: the legacy default stream's. */
RUNCU_API int runcu_stream_flags(unsigned *out, runcu_stream *stream);
/** Its priority; 0, or negative for a higher one. */
RUNCU_API int runcu_stream_priority(int *out, runcu_stream *stream);
/** The context it belongs to. Counted: release it. */
RUNCU_API int runcu_stream_context(runcu_context **out, const runcu_stream *stream);
/** Waits until all work so far is done. Can be interrupted. */
RUNCU_API int runcu_stream_synchronize(runcu_stream *stream);
/** *out is 1 when all work so far is done, else 0. */
RUNCU_API int runcu_stream_is_done(int *out, runcu_stream *stream);
/** Later work of the stream waits for the event. */
RUNCU_API int runcu_stream_wait_event(runcu_stream *stream, runcu_event *event);
/** Likewise, in a stream that is being captured: the graph will wait, each time it runs, for what
 * the event recorded last outside of it. In other streams the driver refuses it. */
RUNCU_API int runcu_stream_wait_event_external(runcu_stream *stream, runcu_event *event);
/** Calls `function(user)` on a thread of the driver once earlier work is done. It must not call
 * into the library. */
RUNCU_API int runcu_stream_host_call(runcu_stream *stream, void (*function)(void *user),
                                     void *user);

/** `flags`: CU_EVENT_*; 0 measures time. Owned. */
RUNCU_API int runcu_event_create(runcu_event **out, unsigned flags);
/** An event of somebody else (a CUevent) for the current context; it is never destroyed through
 * ours. Owned wrapper: destroy it. */
RUNCU_API int runcu_event_wrap(runcu_event **out, uint64_t handle);
/** Does not wait for what it recorded. Accepts NULL. */
RUNCU_API void runcu_event_destroy(runcu_event **event);
/** As runcu_stream_close. */
RUNCU_API void runcu_event_close(runcu_event *event);
RUNCU_API uint64_t runcu_event_handle(const runcu_event *event); /**< CUevent; 0: closed */
/** It happens once the stream's work so far is done. */
RUNCU_API int runcu_event_record(runcu_event *event, runcu_stream *stream);
/** Likewise, in a stream that is being captured: the graph will record the event each time it runs.
 * In other streams the driver refuses it. */
RUNCU_API int runcu_event_record_external(runcu_event *event, runcu_stream *stream);
/** Waits until what it recorded is done. Can be interrupted. */
RUNCU_API int runcu_event_synchronize(runcu_event *event);
/** Writes RUNCU_IPC_HANDLE_BYTES by which another process opens the event, which was made with the
 * flags CU_EVENT_INTERPROCESS and CU_EVENT_DISABLE_TIMING. */
RUNCU_API int runcu_event_ipc_handle(void *out, runcu_event *event);
/** Another process's event, by its handle. Owned. */
RUNCU_API int runcu_event_ipc_open(runcu_event **out, const void *handle);
/** *out is 1 when what the event recorded is done, else 0. */
RUNCU_API int runcu_event_is_done(int *out, runcu_event *event);
/** Milliseconds from `start` to `end`, about 0.5 µs resolution. Both must have happened. */
RUNCU_API int runcu_event_elapsed(float *out, runcu_event *start, runcu_event *end);

RUNCU_END

#endif

/** Streams and events. Wherever a stream is taken, NULL is the legacy default stream. */
#ifndef RUNCU_STREAM_H
#define RUNCU_STREAM_H

#include "context.h"

RUNCU_BEGIN

/** In the current context. `flags`: CU_STREAM_*. `priority`: 0, or negative for a higher one
 * (runcu_context_priority_range). Owned. */
RUNCU_API int runcu_stream_create(runcu_stream **out, unsigned flags, int priority);
/** A stream of somebody else (a CUstream); it is never destroyed through ours. Owned wrapper:
 * destroy it. */
RUNCU_API int runcu_stream_wrap(runcu_stream **out, uint64_t handle);
/** Work in flight goes on. Accepts NULL. */
RUNCU_API void runcu_stream_destroy(runcu_stream **stream);
RUNCU_API uint64_t runcu_stream_handle(const runcu_stream *stream); /**< CUstream; 0 for NULL */
/** Waits until all work so far is done. Can be interrupted. */
RUNCU_API int runcu_stream_synchronize(runcu_stream *stream);
/** *out is 1 when all work so far is done, else 0. */
RUNCU_API int runcu_stream_is_done(int *out, runcu_stream *stream);
/** Later work of the stream waits for the event. */
RUNCU_API int runcu_stream_wait_event(runcu_stream *stream, runcu_event *event);
/** Calls `function(user)` on a thread of the driver once earlier work is done. It must not call
 * into the library. */
RUNCU_API int runcu_stream_host_call(runcu_stream *stream, void (*function)(void *user),
                                     void *user);

/** `flags`: CU_EVENT_*; 0 measures time. Owned. */
RUNCU_API int runcu_event_create(runcu_event **out, unsigned flags);
RUNCU_API void runcu_event_destroy(runcu_event **event);
RUNCU_API uint64_t runcu_event_handle(const runcu_event *event);
RUNCU_API int runcu_event_record(runcu_event *event, runcu_stream *stream);
RUNCU_API int runcu_event_synchronize(runcu_event *event);
/** *out is 1 when what the event recorded is done, else 0. */
RUNCU_API int runcu_event_is_done(int *out, runcu_event *event);
/** Milliseconds from `start` to `end`, about 0.5 µs resolution. Both must have happened. */
RUNCU_API int runcu_event_elapsed(float *out, runcu_event *start, runcu_event *end);

RUNCU_END

#endif

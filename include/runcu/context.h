/** Contexts. Most programs never mention one: whatever needs a context uses the thread's current
 * one, and where there is none makes the primary context of the default device current (retained
 * until exit), so memory is shared with torch, CuPy and the CUDA runtime. */
#ifndef RUNCU_CONTEXT_H
#define RUNCU_CONTEXT_H

#include "device.h"

RUNCU_BEGIN

/** The current context of this thread, whoever made it current; made as described above if there is
 * none. Borrowed: retain it to keep it. Thread-safety: safe. */
RUNCU_API int runcu_context_current(runcu_context **out);
/** Likewise, but NULL instead of making one. */
RUNCU_API int runcu_context_peek(runcu_context **out);
/** A new context of the device; `flags` are CUctx_flags. It becomes current: the thread's earlier
 * one lies beneath it. Owned: release it. */
RUNCU_API int runcu_context_create(runcu_context **out, runcu_device *device, unsigned flags);
/** The device's primary context, retained; not made current. Owned: release it. */
RUNCU_API int runcu_context_primary(runcu_context **out, runcu_device *device);
/** The context that a driver's handle (CUcontext) of the current driver names: ours if it is one,
 * else somebody else's, which is never destroyed through this object. The handle must be of a
 * context that exists. Owned: release it. */
RUNCU_API int runcu_context_wrap(runcu_context **out, uint64_t handle);
/** One more owner; always succeeds and returns its argument. */
RUNCU_API runcu_context *runcu_context_retain(runcu_context *context);
/** One owner less. The context dies with its last owner and the last object made in it. Accepts
 * NULL; sets it to NULL. */
RUNCU_API void runcu_context_release(runcu_context **context);
/** Destroys the context now although objects of it exist: they become unusable and are freed
 * quietly. Of a primary one it gives up our hold; where others hold it, such as the CUDA runtime,
 * it lives on, and so do the objects. */
RUNCU_API int runcu_context_detach(runcu_context *context);

/** The driver's stack of contexts of this thread. A context that became current only for want of
 * another one is not there to be popped: ERROR_ARGUMENT. */
RUNCU_API int runcu_context_push(runcu_context *context);
RUNCU_API int runcu_context_pop(void);
RUNCU_API int runcu_context_set_current(runcu_context *context); /**< NULL: none */

/** Its device; its CUcontext; and whether it still is one, 1 or 0 (detach ends it). */
RUNCU_API runcu_device *runcu_context_device(const runcu_context *context);
RUNCU_API uint64_t runcu_context_handle(const runcu_context *context); /**< CUcontext */
RUNCU_API int runcu_context_is_alive(const runcu_context *context);

/** Waits for all work of the context (NULL: the current one); what kernels printed appears, what
 * they did wrong is reported. Can be interrupted (runcu_set_interrupt). Thread-safety: safe. */
RUNCU_API int runcu_context_synchronize(runcu_context *context);
/** Waits for everything that was launched and not yet waited for, in every context but those in
 * which the last wait was interrupted. Happens by
 * itself at exit, where failures go to the log; an interpreter that ends before the process calls
 * it while its callbacks still work. Thread-safety: safe. */
RUNCU_API int runcu_synchronize_all(void);
/** `limit`: a CUlimit. Of the current context, as the rest below. */
RUNCU_API int runcu_context_set_limit(int limit, size_t value);
RUNCU_API int runcu_context_get_limit(size_t *out, int limit);
RUNCU_API int runcu_context_set_cache_config(int config);
RUNCU_API int runcu_context_get_cache_config(int *out);
/** Banks of shared memory: 4 bytes wide (1) on every device of today, whatever is set. */
RUNCU_API int runcu_context_set_shared_config(int config);
RUNCU_API int runcu_context_get_shared_config(int *out);
/** Lets kernels of the current context reach memory of `peer`, a context of another device, or ends
 * that. `flags`: 0. See runcu_device_can_access_peer. */
RUNCU_API int runcu_context_enable_peer(runcu_context *peer, unsigned flags);
RUNCU_API int runcu_context_disable_peer(runcu_context *peer);
RUNCU_API int runcu_context_api_version(unsigned *out, runcu_context *context);
RUNCU_API int runcu_context_priority_range(int *least, int *greatest);
/** Starts or stops what a profiler records of the current context. */
RUNCU_API int runcu_profiler_start(void);
RUNCU_API int runcu_profiler_stop(void);

RUNCU_END

#endif

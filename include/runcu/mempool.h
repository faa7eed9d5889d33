/** Memory in the order of streams, and the driver's pools that it comes from. Pools of the library
 * itself, which need no driver to give memory out, are in pool.h.
 * Thread-safety: any object from any thread. */
#ifndef RUNCU_MEMPOOL_H
#define RUNCU_MEMPOOL_H

#include "memory.h"

RUNCU_BEGIN

/** `bytes` > 0 that work of the stream may use from now on, and other work once that is ordered
 * behind it. From `pool`, or if that is NULL from the device's current one. Owned: free it with
 * runcu_mem_free_async, or with runcu_mem_free, which waits for the device. */
RUNCU_API int runcu_mem_alloc_async(runcu_mem **out, size_t bytes, runcu_mempool *pool,
                                    runcu_stream *stream);
/** Frees memory of runcu_mem_alloc_async when the stream gets there. Accepts NULL; sets it to NULL,
 * unless it fails because the memory is of another kind. */
RUNCU_API int runcu_mem_free_async(runcu_mem **mem, runcu_stream *stream);

/** A new pool on a device (NULL: the current one), of at most `most` bytes (0: the driver's limit).
 * Owned. */
RUNCU_API int runcu_mempool_create(runcu_mempool **out, runcu_device *device, size_t most);
/** The pool that a device always has, and the one that it uses at present. Owned wrappers. */
RUNCU_API int runcu_mempool_default(runcu_mempool **out, runcu_device *device);
RUNCU_API int runcu_mempool_current(runcu_mempool **out, runcu_device *device);
/** A pool of somebody else (a CUmemoryPool), never destroyed through ours. Owned wrapper. */
RUNCU_API int runcu_mempool_wrap(runcu_mempool **out, runcu_device *device, uint64_t handle);
/** Its memory goes as it is freed. Accepts NULL. */
RUNCU_API void runcu_mempool_destroy(runcu_mempool **pool);
RUNCU_API uint64_t runcu_mempool_handle(const runcu_mempool *pool); /**< CUmemoryPool */
RUNCU_API runcu_device *runcu_mempool_device(const runcu_mempool *pool);
/** Makes it the one that its device uses. */
RUNCU_API int runcu_mempool_make_current(runcu_mempool *pool);
/** Gives the device back what the pool keeps beyond `keep` bytes and nobody uses. */
RUNCU_API int runcu_mempool_trim(runcu_mempool *pool, size_t keep);
/** CU_MEMPOOL_ATTR_*: numbers of any width as 64 bits. */
RUNCU_API int runcu_mempool_get(uint64_t *out, runcu_mempool *pool, int attribute);
RUNCU_API int runcu_mempool_set(runcu_mempool *pool, int attribute, uint64_t value);

RUNCU_END

#endif

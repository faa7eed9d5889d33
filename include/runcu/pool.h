/** Pools: memory that was freed is kept, and given out again without asking the driver.
 *
 * What a pool gives out is an ordinary runcu_mem: runcu_mem_free returns it to the pool. Sizes fall
 * into bins of an exponent and four more bits, so a block is at most 1/16 larger than asked for. */
#ifndef RUNCU_POOL_H
#define RUNCU_POOL_H

#include "memory.h"

RUNCU_BEGIN

/** An empty pool of device memory. It belongs to the context that is current when it first
 * allocates, as long as it has blocks. Owned. Thread-safety: every function here is safe. */
RUNCU_API int runcu_pool_create(runcu_pool **out);
/** Likewise of page-locked host memory; `flags`: CU_MEMHOSTALLOC_*. */
RUNCU_API int runcu_pool_create_host(runcu_pool **out, unsigned flags);
/** Frees what is held; blocks in use stay valid and are freed for good when their owner frees them.
 * Accepts NULL. After the context died: quiet. */
RUNCU_API void runcu_pool_destroy(runcu_pool **pool);
/** A block of at least `bytes`, held or new. Owned: runcu_mem_free.
 *
 * A block that was freed while streams of its context were at work is given out again once they
 * have come as far as they were then. Work in `stream`, unless that is NULL, need not be waited
 * for: the block is for that stream to use. Of threads' own default streams that of the thread that
 * frees is looked at. Streams of others, wrapped or not, are not known here: wait for what they do
 * with a block before freeing it. If all held blocks of the size are still in
 * use, a new one is made, or from the fourth on the oldest is waited for. When the device is full,
 * held blocks are freed, largest first, until the allocation succeeds.
 *
 * Fails as the driver does; CUDA_ERROR_OUT_OF_MEMORY by the name "memory_pool::allocate". */
RUNCU_API int runcu_pool_alloc(runcu_mem **out, runcu_pool *pool, size_t bytes,
                               runcu_stream *stream);
/** Likewise, but only a block that is held and ready: *out is NULL if there is none. Never waits
 * and never fails. */
RUNCU_API void runcu_pool_take(runcu_mem **out, runcu_pool *pool, size_t bytes,
                               runcu_stream *stream);
/** Frees the blocks that nobody uses. */
RUNCU_API void runcu_pool_free_held(runcu_pool *pool);
/** From now on blocks are freed when their owner frees them; held ones are freed now. */
RUNCU_API void runcu_pool_stop_holding(runcu_pool *pool);

typedef struct runcu_pool_use {
    size_t size;
    size_t held_blocks, active_blocks;
    size_t managed_bytes; /**< of all blocks, as large as they are */
    size_t active_bytes;  /**< of those given out, as they were asked for */
} runcu_pool_use;
/** Fills in *out, of which `size` says how much there is (0: all). */
RUNCU_API void runcu_pool_get_use(runcu_pool_use *out, runcu_pool *pool);

/** The bin of a size, and the size of a bin's blocks. */
RUNCU_API uint32_t runcu_pool_bin(size_t bytes);
RUNCU_API size_t runcu_pool_bin_bytes(uint32_t bin);

RUNCU_END

#endif

/** Device memory and copies. Addresses are CUdeviceptr; an address inside an allocation is as good
 * as its start. */
#ifndef RUNCU_MEMORY_H
#define RUNCU_MEMORY_H

#include "context.h"
#include "stream.h"

RUNCU_BEGIN

/** `bytes` > 0 of the current context's device. Owned: free it; from any thread, with any context
 * current. */
RUNCU_API int runcu_mem_alloc(runcu_mem **out, size_t bytes);
/** Frees now. Accepts NULL; sets it to NULL. Fails with ERROR_FREED never, since the pointer is
 * gone. Work in flight ends first. After its context died: quiet. */
RUNCU_API int runcu_mem_free(runcu_mem **mem);
RUNCU_API uint64_t runcu_mem_address(const runcu_mem *mem);
RUNCU_API size_t runcu_mem_size(const runcu_mem *mem);
RUNCU_API runcu_context *runcu_mem_context(const runcu_mem *mem); /**< borrowed */
/** Page-locked host memory, accessible to kernels. `flags`: CU_MEMHOSTALLOC_*. */
RUNCU_API int runcu_mem_alloc_host(runcu_mem **out, size_t bytes, unsigned flags);
RUNCU_API void *runcu_mem_host_pointer(const runcu_mem *mem); /**< NULL for device memory */

/** Bytes free and in all on the current context's device. */
RUNCU_API int runcu_mem_info(size_t *free_bytes, size_t *total_bytes);
/** The allocation that holds `address`. */
RUNCU_API int runcu_mem_address_range(uint64_t *base, size_t *bytes, uint64_t address);

/** Copies of `bytes`. Without a stream they have happened on return and keep the legacy default
 * stream's order: after all earlier work of blocking streams. With one (`_async`) host memory must
 * stay as it is until the stream got there. A copy that would leave an allocation is refused and
 * nothing is written. Thread-safety: safe. */
RUNCU_API int runcu_copy_htod(uint64_t to, const void *from, size_t bytes);
RUNCU_API int runcu_copy_dtoh(void *to, uint64_t from, size_t bytes);
RUNCU_API int runcu_copy_dtod(uint64_t to, uint64_t from, size_t bytes);
RUNCU_API int runcu_copy_htod_async(uint64_t to, const void *from, size_t bytes,
                                    runcu_stream *stream);
RUNCU_API int runcu_copy_dtoh_async(void *to, uint64_t from, size_t bytes, runcu_stream *stream);
RUNCU_API int runcu_copy_dtod_async(uint64_t to, uint64_t from, size_t bytes, runcu_stream *stream);

/** What a memset writes: `width` bytes (1, 2 or 4) of `value`, `count` times a row, `rows` rows (0
 * or 1: one) `pitch` bytes apart. */
typedef struct runcu_fill {
    size_t size;
    uint64_t to;
    uint32_t value;
    uint32_t width;
    size_t count, rows, pitch;
} runcu_fill;
RUNCU_API int runcu_mem_fill(const runcu_fill *fill);
RUNCU_API int runcu_mem_fill_async(const runcu_fill *fill, runcu_stream *stream);

RUNCU_END

#endif

/** Memory of every kind, and copies. Addresses are CUdeviceptr; an address inside an allocation is
 * as good as its start. A runcu_mem is memory of any kind and ends with runcu_mem_free.
 * Thread-safety: any object from any thread, but not the same object freed twice at once. */
#ifndef RUNCU_MEMORY_H
#define RUNCU_MEMORY_H

#include "context.h"
#include "stream.h"

RUNCU_BEGIN

/** `bytes` > 0 of the current context's device. Owned: free it; from any thread, with any context
 * current. */
RUNCU_API int runcu_mem_alloc(runcu_mem **out, size_t bytes);
/** `height` rows of `width` bytes each that begin *pitch bytes apart, so that accesses of `access`
 * bytes (4, 8 or 16) to any row are fast. */
RUNCU_API int runcu_mem_alloc_pitch(runcu_mem **out, size_t *pitch, size_t width, size_t height,
                                    unsigned access);
/** Memory of somebody else by its CUdeviceptr; it is never freed through ours. The size is what is
 * left of the allocation from there on, or 0 where the driver cannot tell. Owned wrapper: free it.
 */
RUNCU_API int runcu_mem_wrap(runcu_mem **out, uint64_t handle);
/** CUdeviceptr; the host's own address of host memory is runcu_mem_host_pointer. */
RUNCU_API uint64_t runcu_mem_handle(const runcu_mem *mem);
/** Frees, unregisters or closes now, as its kind asks. Accepts NULL; sets it to NULL. Fails with
 * ERROR_FREED never, since the pointer is gone. Work in flight ends first. After its context died:
 * quiet. */
RUNCU_API int runcu_mem_free(runcu_mem **mem);
RUNCU_API uint64_t runcu_mem_address(const runcu_mem *mem);
RUNCU_API size_t runcu_mem_size(const runcu_mem *mem);
RUNCU_API runcu_context *runcu_mem_context(const runcu_mem *mem); /**< borrowed */
/** Page-locked host memory, accessible to kernels. `flags`: CU_MEMHOSTALLOC_*. */
RUNCU_API int runcu_mem_alloc_host(runcu_mem **out, size_t bytes, unsigned flags);
/** The CU_MEMHOSTALLOC_* that page-locked memory has, registered memory excepted. */
RUNCU_API int runcu_mem_host_flags(unsigned *out, const runcu_mem *mem);
/** Page-locks host memory of the caller's and makes it accessible to kernels, until it is freed
 * here, which leaves the memory itself alone; it must stay as long. `flags`:
 * CU_MEMHOSTREGISTER_*; memory that may not be written needs READ_ONLY. */
RUNCU_API int runcu_mem_register(runcu_mem **out, void *host, size_t bytes, unsigned flags);
/** Page-locked or registered host memory of somebody else, `bytes` of it from `host` on (0: all
 * that is left of it there); it is never freed through ours. Memory that the driver has not
 * page-locked is ERROR_ARGUMENT. Owned wrapper: free it. */
RUNCU_API int runcu_mem_wrap_host(runcu_mem **out, void *host, size_t bytes);
/** Memory that host and device reach at the same address and the driver moves. `flags`:
 * CU_MEM_ATTACH_GLOBAL (0 is that) or CU_MEM_ATTACH_HOST. On devices without
 * CONCURRENT_MANAGED_ACCESS the host must not touch it while kernels run. */
RUNCU_API int runcu_mem_alloc_managed(runcu_mem **out, size_t bytes, unsigned flags);
/** Who may use managed memory from the stream's next work on: CU_MEM_ATTACH_*; SINGLE is that
 * stream alone. */
RUNCU_API int runcu_mem_attach(runcu_mem *mem, unsigned flags, runcu_stream *stream);
/** Moves managed memory to a device, or to the host (NULL), when the stream gets there. */
RUNCU_API int runcu_mem_prefetch(uint64_t address, size_t bytes, const runcu_device *to,
                                 runcu_stream *stream);
/** Tells the driver how managed memory will be used: CU_MEM_ADVISE_*, of a device or the host
 * (NULL). */
RUNCU_API int runcu_mem_advise(uint64_t address, size_t bytes, int advice,
                               const runcu_device *device);
/** Where the host finds page-locked, registered and managed memory; else NULL. */
RUNCU_API void *runcu_mem_host_pointer(const runcu_mem *mem);

/** Writes RUNCU_IPC_HANDLE_BYTES by which another process of the same machine opens the whole
 * allocation of runcu_mem_alloc that holds the address. It means nothing once that is freed. */
RUNCU_API int runcu_mem_ipc_handle(void *out, uint64_t address);
/** Another process's allocation, by its handle; freeing it here closes it. `flags`: CU_IPC_MEM_*, 0
 * is LAZY_ENABLE_PEER_ACCESS. A handle of this process itself is refused. The other process has to
 * stay, with the memory, as long as this one uses it. */
RUNCU_API int runcu_mem_ipc_open(runcu_mem **out, const void *handle, unsigned flags);

/** Bytes free and in all on the current context's device. */
RUNCU_API int runcu_mem_info(size_t *free_bytes, size_t *total_bytes);
/** The allocation that holds `address`. */
RUNCU_API int runcu_mem_address_range(uint64_t *base, size_t *bytes, uint64_t address);

/** Copies of `bytes`. Without a stream they have happened on return and keep the legacy default
 * stream's order: after all earlier work of blocking streams. (Up to 64 KiB of plain memory may
 * still be on its way to a GPU; the host memory is free to be used again, and every stream of this
 * library, like every blocking stream of others, waits for it.) With one (`_async`) host memory
 * must stay as it is until the stream got there. A copy that would leave an allocation is refused
 * and nothing is written. Thread-safety: safe. */
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

/** Virtual memory management: physical memory of a device, reserved ranges of addresses, and
 * mappings of the one to the other, by which an allocation can grow in place. Sizes and offsets are
 * multiples of the device's granularity.
 * Thread-safety: any object from any thread, one thread at a time. */
#ifndef RUNCU_VMM_H
#define RUNCU_VMM_H

#include "memory.h"

RUNCU_BEGIN

/** The granularity in bytes of a device (NULL: the current one). */
RUNCU_API int runcu_vmm_granularity(size_t *out, runcu_device *device);

enum {
    RUNCU_PHYSICAL_EXPORTABLE = 1 /**< runcu_physical_export works */
};
/** `bytes` of a device's memory (NULL: the current one), which have no address yet. Owned. */
RUNCU_API int runcu_physical_create(runcu_physical **out, runcu_device *device, size_t bytes,
                                    unsigned flags);
/** Physical memory by its CUmemGenericAllocationHandle; never released through ours. `bytes`: what
 * the owner says. Owned wrapper. */
RUNCU_API int runcu_physical_wrap(runcu_physical **out, runcu_device *device, uint64_t handle,
                                  size_t bytes);
/** A file descriptor by which another process gets the same memory; the caller's to close. */
RUNCU_API int runcu_physical_export(int *out, runcu_physical *physical);
/** The memory of such a descriptor, which stays the caller's. Owned. */
RUNCU_API int runcu_physical_import(runcu_physical **out, runcu_device *device, int fd,
                                    size_t bytes);
/** Mappings of it keep the memory. Accepts NULL. */
RUNCU_API void runcu_physical_release(runcu_physical **physical);
RUNCU_API uint64_t runcu_physical_handle(const runcu_physical *physical); /**< or 0 for NULL */
RUNCU_API size_t runcu_physical_size(const runcu_physical *physical);

/** `bytes` of addresses on a device (NULL: the current one) at a multiple of `alignment` (0: the
 * granularity), with nothing behind them. Owned. */
RUNCU_API int runcu_range_reserve(runcu_range **out, runcu_device *device, size_t bytes,
                                  size_t alignment);
/** Addresses that somebody else has reserved on a device (NULL: the current one). What is mapped
 * through this object is unmapped when it is freed; the addresses stay. Owned wrapper: free it. */
RUNCU_API int runcu_range_wrap(runcu_range **out, runcu_device *device, uint64_t address,
                               size_t bytes);
/** Waits for the context's work, unmaps what is mapped, and gives the addresses back. Accepts NULL;
 * sets it to NULL. */
RUNCU_API int runcu_range_free(runcu_range **range);
RUNCU_API uint64_t runcu_range_address(const runcu_range *range);
RUNCU_API size_t runcu_range_size(const runcu_range *range);
/** Puts physical memory, all of it, at `offset` of the range. It may not be accessed yet. The same
 * memory may be mapped any number of times. */
RUNCU_API int runcu_range_map(runcu_range *range, const runcu_physical *physical, size_t offset);
/** Waits for the context's work, then takes whole mappings away. */
RUNCU_API int runcu_range_unmap(runcu_range *range, size_t offset, size_t bytes);
/** What a device (NULL: the range's own) may do with whole mappings: CU_MEM_ACCESS_FLAGS_*. */
RUNCU_API int runcu_range_set_access(runcu_range *range, size_t offset, size_t bytes,
                                     unsigned flags, const runcu_device *device);

RUNCU_END

#endif

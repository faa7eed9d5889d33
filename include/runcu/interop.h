/** Sharing memory and streams with other libraries. Objects of theirs are used by their handles:
 * addresses (CUdeviceptr, or a pointer to host memory) and streams (CUstream). */
#ifndef RUNCU_INTEROP_H
#define RUNCU_INTEROP_H

#include "device.h"
#include "stream.h"

RUNCU_BEGIN

/** What kind of memory an address is in. */
enum runcu_address_kind {
    RUNCU_ADDRESS_UNKNOWN, /**< no loaded driver knows it: plain host memory, or nothing at all */
    RUNCU_ADDRESS_DEVICE,  /**< a device's */
    RUNCU_ADDRESS_HOST,    /**< page-locked or registered host memory */
    RUNCU_ADDRESS_MANAGED, /**< managed memory, which host and devices share */
};

typedef struct runcu_address_info {
    size_t size;
    int kind;             /**< enum runcu_address_kind */
    runcu_device *device; /**< in whose context it was allocated; NULL: unknown */
    uint64_t address;     /**< the address by which kernels reach it; 0: unknown, or not mapped */
} runcu_address_info;

/** Looks an address up in every driver that has been loaded, that of the current context first.
 * Loads none; an address that none knows is no error but RUNCU_ADDRESS_UNKNOWN. `out->size` must be
 * set. Thread-safety: safe. */
RUNCU_API int runcu_address_find(runcu_address_info *out, uint64_t address);

/** Waits for all work of the context that the memory at `address` belongs to (the current one, if
 * the driver names none), so that the host may read what kernels wrote there. */
RUNCU_API int runcu_address_synchronize(uint64_t address);

/** Later work of `stream` (NULL: the legacy default stream) waits for all work that the stream
 * `other`, a CUstream of whatever library, has been given so far. 0 and 1 mean the legacy default
 * stream of the current context, 2 this thread's. Nothing is waited for on the host.
 * Thread-safety: safe. */
RUNCU_API int runcu_stream_follow(runcu_stream *stream, uint64_t other);

RUNCU_END

#endif

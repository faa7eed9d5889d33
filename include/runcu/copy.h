/** Copies of more than a plain range (memory.h has those): of rows and of boxes, of arrays, between
 * contexts. Without a stream they have happened on return; with one (`_async`) host memory must
 * stay as it is until the stream got there. A copy that would leave its memory on either side is
 * refused and nothing is written. Thread-safety: safe. */
#ifndef RUNCU_COPY_H
#define RUNCU_COPY_H

#include "array.h"
#include "memory.h"

RUNCU_BEGIN

/** One side of a copy of rows or a box: exactly one of `host`, `device`, `unified` and `array` is
 * set. */
typedef struct runcu_place {
    void *host;        /**< only read where it is the source */
    size_t host_bytes; /**< from there on, for the check; 0: unknown, and not checked */
    uint64_t device;   /**< CUdeviceptr */
    uint64_t unified;  /**< an address of either */
    runcu_array *array;
    runcu_context
        *context;   /**< of `device`, where copies between contexts ask; NULL: the current */
    size_t x, y, z; /**< where it begins: bytes, rows, planes */
    size_t lod;     /**< 0 */
    size_t pitch;   /**< bytes from row to row, not of arrays; 0: x and the width */
    size_t height;  /**< rows from plane to plane, not of arrays; 0: y and the height */
} runcu_place;

/** A copy of `width` bytes of `height` rows of `depth` planes; no rows or planes are one. */
typedef struct runcu_box {
    size_t size;
    runcu_place to, from;
    size_t width, height, depth;
    int is_aligned; /**< 2D without a stream: pitches come from runcu_mem_alloc_pitch (cuMemcpy2D)
                     */
} runcu_box;

/** Rows: z, lod, the places' heights and depth are not looked at. */
RUNCU_API int runcu_copy_2d(const runcu_box *box);
RUNCU_API int runcu_copy_2d_async(const runcu_box *box, runcu_stream *stream);
RUNCU_API int runcu_copy_3d(const runcu_box *box);
RUNCU_API int runcu_copy_3d_async(const runcu_box *box, runcu_stream *stream);
/** Between contexts of one driver, of two devices perhaps. */
RUNCU_API int runcu_copy_3d_peer(const runcu_box *box);
RUNCU_API int runcu_copy_3d_peer_async(const runcu_box *box, runcu_stream *stream);

/** A plain range from the memory of one context to that of another; NULL: the current one. */
typedef struct runcu_peer_copy {
    size_t size;
    uint64_t to, from;
    runcu_context *to_context, *from_context;
    size_t bytes;
} runcu_peer_copy;
RUNCU_API int runcu_copy_peer(const runcu_peer_copy *copy);
RUNCU_API int runcu_copy_peer_async(const runcu_peer_copy *copy, runcu_stream *stream);

/** To and from one-dimensional arrays, from byte `to_offset` or `from_offset` on. */
RUNCU_API int runcu_copy_htoa(runcu_array *to, size_t to_offset, const void *from, size_t bytes);
RUNCU_API int runcu_copy_atoh(void *to, runcu_array *from, size_t from_offset, size_t bytes);
RUNCU_API int runcu_copy_dtoa(runcu_array *to, size_t to_offset, uint64_t from, size_t bytes);
RUNCU_API int runcu_copy_atod(uint64_t to, runcu_array *from, size_t from_offset, size_t bytes);
RUNCU_API int runcu_copy_atoa(runcu_array *to, size_t to_offset, runcu_array *from,
                              size_t from_offset, size_t bytes);
RUNCU_API int runcu_copy_htoa_async(runcu_array *to, size_t to_offset, const void *from,
                                    size_t bytes, runcu_stream *stream);
RUNCU_API int runcu_copy_atoh_async(void *to, runcu_array *from, size_t from_offset, size_t bytes,
                                    runcu_stream *stream);

RUNCU_END

#endif

/** CUDA arrays: device memory that textures and surfaces read by coordinates, laid out as the
 * device likes best. It has no address; copies get data in and out (copy.h). Thread-safety: safe,
 * but for destroying. */
#ifndef RUNCU_ARRAY_H
#define RUNCU_ARRAY_H

#include "context.h"

RUNCU_BEGIN

/** The shape of an array. Extents count elements; one that is 0 is not there: width alone is a
 * one-dimensional array, with height two-, with depth three-dimensional. With the flag LAYERED
 * depth counts layers, with CUBEMAP faces: 6 (times the layers). */
typedef struct runcu_array_params {
    size_t size;
    size_t width, height, depth;
    int format;        /**< of an element's channels: CU_AD_FORMAT_* */
    uint32_t channels; /**< 1, 2 or 4; 0: one */
    uint32_t flags;    /**< CUDA_ARRAY3D_*; surfaces need SURFACE_LDST */
} runcu_array_params;

/** An array in the current context, with whatever it contains. A shape that the device cannot have
 * is ERROR_DRIVER with the reason. Owned: destroy it. */
RUNCU_API int runcu_array_create(runcu_array **out, const runcu_array_params *params);
/** An array of somebody else (a CUarray) for the current context; it is never destroyed through
 * ours. Owned wrapper: destroy it. */
RUNCU_API int runcu_array_wrap(runcu_array **out, uint64_t handle);
RUNCU_API uint64_t runcu_array_handle(const runcu_array *array); /**< CUarray; 0: closed */
/** Its shape, as the driver knows it. */
RUNCU_API int runcu_array_describe(runcu_array_params *out, runcu_array *array);
/** Frees the driver's array (not a wrapped one, nor a level) and keeps the object, whose functions
 * fail with ERROR_FREED from now on: for owners that others may still be calling. Copies in flight
 * end first. Nothing may read a texture of it any more. Accepts NULL. */
RUNCU_API void runcu_array_close(runcu_array *array);
/** Closes it and ends the object. Accepts NULL in it. */
RUNCU_API void runcu_array_destroy(runcu_array **array);

/** An array and its halves, quarters, …: `levels` in all, or as many as there can be. Otherwise as
 * for arrays. */
RUNCU_API int runcu_mipmap_create(runcu_mipmap **out, const runcu_array_params *params,
                                  unsigned levels);
RUNCU_API int runcu_mipmap_wrap(runcu_mipmap **out, uint64_t handle);
RUNCU_API uint64_t runcu_mipmap_handle(const runcu_mipmap *mipmap); /**< CUmipmappedArray */
/** The array that is its level number `level`, 0 being the largest. It must not be used once the
 * mipmapped array is closed. Owned: destroy it. */
RUNCU_API int runcu_mipmap_level(runcu_array **out, runcu_mipmap *mipmap, unsigned level);
RUNCU_API void runcu_mipmap_close(runcu_mipmap *mipmap);
RUNCU_API void runcu_mipmap_destroy(runcu_mipmap **mipmap);

RUNCU_END

#endif

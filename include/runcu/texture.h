/** Texture and surface objects: arrays and memory as kernels read them by coordinates (texture) or
 * read and write them (surface). A kernel takes the handle where its parameter is a
 * cudaTextureObject_t or cudaSurfaceObject_t. Thread-safety: safe, but for destroying. */
#ifndef RUNCU_TEXTURE_H
#define RUNCU_TEXTURE_H

#include "array.h"

RUNCU_BEGIN

/** What a texture reads, which must stay as long as kernels use the texture: an array, a mipmapped
 * array, or elements in device memory: `bytes` in a line, or `height` rows of `width` elements,
 * `pitch` bytes apart. Address and pitch are multiples of the device's TEXTURE_ALIGNMENT and
 * TEXTURE_PITCH_ALIGNMENT. */
typedef struct runcu_resource {
    runcu_array *array;
    runcu_mipmap *mipmap;
    uint64_t address;            /**< where there is no array */
    size_t bytes;                /**< in a line, with no height */
    size_t width, height, pitch; /**< in rows */
    int format;                  /**< of elements in memory: CU_AD_FORMAT_* */
    uint32_t channels;           /**< likewise: 1, 2 or 4; 0: one */
} runcu_resource;

/** An array seen as one of another format, or a part of its levels and layers. */
typedef struct runcu_texture_view {
    int format;                  /**< CU_RES_VIEW_FORMAT_*; 0: its own */
    size_t width, height, depth; /**< in elements of that format: 4 times the array's of
                                    block-compressed ones, else the array's; all 0 means that */
    uint32_t first_level, last_level, first_layer, last_layer;
} runcu_texture_view;

/** How a texture is read. */
typedef struct runcu_texture_params {
    size_t size;
    runcu_resource resource;
    int address_mode[3]; /**< beyond the edge, by dimension: CU_TR_ADDRESS_MODE_*; 0 is WRAP */
    int filter;          /**< between elements: CU_TR_FILTER_MODE_*; 0 is POINT */
    uint32_t flags;      /**< CU_TRSF_* */
    uint32_t anisotropy; /**< the highest ratio, up to 16 */
    int level_filter;    /**< between levels: CU_TR_FILTER_MODE_* */
    float level_bias, level_min, level_max;
    float border[4];                /**< what BORDER gives */
    const runcu_texture_view *view; /**< or NULL */
} runcu_texture_params;

/** In the current context. Owned: destroy it. */
RUNCU_API int runcu_texture_create(runcu_texture **out, const runcu_texture_params *params);
/** A texture object of somebody else for the current context; it is never destroyed through ours.
 * Owned wrapper: destroy it. */
RUNCU_API int runcu_texture_wrap(runcu_texture **out, uint64_t handle);
/** CUtexObject: what kernels take; 0: closed. */
RUNCU_API uint64_t runcu_texture_handle(const runcu_texture *texture);
/** How it is read and, where that is memory, what; `array`, `mipmap` and `view` are NULL. The
 * border of somebody else's is not known. */
RUNCU_API int runcu_texture_describe(runcu_texture_params *out, runcu_texture *texture);
/** Ends the driver's object (not a wrapped one) and keeps ours, whose functions fail with
 * ERROR_FREED from now on. What it reads stays. Accepts NULL. */
RUNCU_API void runcu_texture_close(runcu_texture *texture);
RUNCU_API void runcu_texture_destroy(runcu_texture **texture);

/** Of an array made with SURFACE_LDST, which must stay as long. Otherwise as for textures. */
RUNCU_API int runcu_surface_create(runcu_surface **out, runcu_array *array);
RUNCU_API int runcu_surface_wrap(runcu_surface **out, uint64_t handle);
RUNCU_API uint64_t runcu_surface_handle(const runcu_surface *surface); /**< CUsurfObject */
RUNCU_API void runcu_surface_close(runcu_surface *surface);
RUNCU_API void runcu_surface_destroy(runcu_surface **surface);

RUNCU_END

#endif

/* Bundles: what one is in memory, and how one among images is told apart and loaded. */
#ifndef CORE_BUNDLE_H
#define CORE_BUNDLE_H

#include "core/image.h"
#include "core/program.h"
#include "runcu/bundle.h"

struct runcu_bundle {
    struct arena arena;
    struct str bytes;
    const char *maker, *name;
    runcu_program *programs; /* their texts lie in the bytes */
    struct core_image *images;
    runcu_bundle_part *parts;
    size_t count;
};

bool core_is_bundle(const void *image, size_t bytes);
/* As runcu_bundle_parse, for loading alone: there are no parts to look at. */
int core_bundle_parse(runcu_bundle **out, const void *data, size_t bytes);

/* --- fit.c --- */

/* The part for a device of compute capability `number` (90 for 9.0), with *is_ptx for its PTX;
 * `takes_cubin`: the device runs machine code. NULL: none fits. */
const runcu_program *core_bundle_fit(bool *is_ptx, const runcu_bundle *bundle, int number,
                                     bool takes_cubin);
/* Loads a bundle's bytes; `params` may be NULL. */
int core_bundle_load(runcu_module **out, const void *image, size_t bytes,
                     const runcu_jit_params *params);

#endif

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
    runcu_bundle_part *parts; /* their texts lie in the bytes */
    size_t count;
};

bool core_is_bundle(const void *image, size_t bytes);

/* --- fit.c --- */

/* The part for a device of compute capability `number` (90 for 9.0), with *is_ptx for its PTX;
 * `takes_cubin`: the device runs machine code. NULL: none fits. */
const runcu_bundle_part *core_bundle_fit(bool *is_ptx, const runcu_bundle *bundle, int number,
                                         bool takes_cubin);
/* Loads a bundle's bytes; `params` may be NULL. */
int core_bundle_load(runcu_module **out, const void *image, size_t bytes,
                     const runcu_jit_params *params);

#endif

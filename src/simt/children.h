/* Launches by kernels (dynamic parallelism, as the device runtime of CUDA 12 and newer has it): a
 * kernel asks for room for a child's parameters, fills it in and launches. Children begin when
 * their parent has ended, since no kernel can wait for one. */
#ifndef SIMT_CHILDREN_H
#define SIMT_CHILDREN_H

#include "simt/run.h"

/* What cudaGetLastError answers; the codes are the runtime's. */
enum simt_child_error {
    SIMT_CHILD_VALUE = 1,
    SIMT_CHILD_MEMORY = 2,
    SIMT_CHILD_SHAPE = 9,
    SIMT_CHILD_DEPTH = 65,
    SIMT_CHILD_PENDING = 69,
    SIMT_CHILD_FUNCTION = 98,
};

/* The streams that have a meaning here: all others keep order, and all do. */
enum { SIMT_STREAM_TAIL = 3, SIMT_STREAM_FORGET = 4 };

struct simt_child_shape {
    uint64_t function; /* its address */
    uint32_t grid[3], block[3], shared;
};

/* Room for the parameters of a child, in the heap of kernels' malloc; 0, with the block's error,
 * if it cannot be. -1: the child cannot be lowered, `why` says it. */
int simt_child_prepare(uint64_t *out, struct simt_block *b, const struct simt_child_shape *shape,
                       struct str *why);
/* Launches what was prepared: the runtime's code. */
uint32_t simt_child_launch(struct simt_block *b, uint64_t params, uint64_t stream);
/* What was prepared and not launched is given back. The grid has ended. */
void simt_children_fini(struct simt_grid *g);

#endif

/* A gang at run time: lanes in lock step over one frame of columns. The exec functions see this and
 * nothing else. */
#ifndef SIMT_GANG_H
#define SIMT_GANG_H

#include "simt/code.h"

enum { SIMT_WARP = 32, SIMT_MAX_WARPS = 32, SIMT_MAX_LANES = 1024 };

/* Lanes that are at one place: the same frame and pc. */
struct simt_group {
    uint32_t pc;
    uint32_t base;     /* first column of its frame in the gang's register file */
    uint32_t local;    /* byte offset of its frame in each lane's local memory: deeper calls stand
                          further on */
    uint32_t on[SIMT_MAX_WARPS];
};

struct simt_gang {
    /* What arithmetic needs. */
    uint8_t *frame;    /* columns of the running group's frame */
    size_t word;       /* bytes of one word column: 4 * lanes */
    uint32_t lanes;    /* a multiple of 32 */
    uint32_t warps;    /* lanes / 32 */
    bool full;         /* all living lanes are on: results may be written to every lane, dead ones
                          included */
    uint32_t on[SIMT_MAX_WARPS]; /* lanes that execute the instruction, a bit a lane */

    /* What the rest needs. */
    struct simt_block *block; /* shared memory, the grid, the parameters */
    struct simt_group now;    /* the running group (its `on` is kept in the array above while it
                                 runs) */
    uint32_t first;           /* linear index in the block of lane 0 */
    uint32_t alive[SIMT_MAX_WARPS];
    struct simt_run *run;     /* the engine's own: waiting groups, register file, local memory,
                                 last-hit ranges */
};

/* The columns of a slot as an array over the lanes, and the words of a predicate over the warps. */
#define SIMT_LANES(g, type, slot) ((type *) ((g)->frame + (size_t) (slot) * (g)->word))
#define SIMT_PRED(g, slot) ((uint32_t *) ((g)->frame + (size_t) (slot) * 4 * (g)->warps))

/* Names of one build's functions: SIMT_X(add_s32) is simt_x_add_s32_<isa>. */
#define SIMT_PASTE_(name, isa) simt_x_##name##_##isa
#define SIMT_PASTE(name, isa) SIMT_PASTE_(name, isa)
#define SIMT_X(name) SIMT_PASTE(name, SIMT_ISA)

#endif

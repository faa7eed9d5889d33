/* Between lower_ctl.c and lower_call.c. */
#ifndef SIMT_LOWER_CTL_H
#define SIMT_LOWER_CTL_H

#include "simt/lower.h"

/* A branch whose target is still the index of a statement. */
struct lower_fix {
    struct lower_fix *next;
    uint32_t pc, statement;
};

/* A frame, one that it calls, and where. */
struct lower_edge {
    struct lower_edge *next;
    uint32_t from, to, pc;
};

/* A variable in the lanes' local memory. */
struct lower_spot {
    const struct ptx_var *var;
    int64_t offset;
    uint32_t calls; /* that name it */
};

struct lower_ctl {
    uint32_t *at; /* pc of each statement of the function being lowered, and of its end */
    const struct ptx_func *func;
    uint32_t frame;
    uint32_t plans; /* given out */
    struct lower_fix *fixes;
    struct lower_edge *edges;
    struct lower_spot *spots;
    uint32_t spot_count;
    struct lower_room *rooms; /* what functions without code need beyond their caller's frame */
};

struct lower_room {
    struct lower_room *next;
    uint32_t frame, bytes;
};

/* lower_call.c: places the function's formals, its .local variables and the .param variables of its
 * calls; sets l->local_size. */
bool lower_call_places(struct lower *l);
bool lower_call(struct lower *l);
/* After the last function: where frames stand, and how calls get from one to the other. */
void lower_call_frames(struct lower *l);

#endif

/* Inside the engine: what a block and its gangs are while they run, and what the exec files of
 * control, memory, atomics and warps ask of it. Arithmetic knows nothing of this. */
#ifndef SIMT_RUN_H
#define SIMT_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "simt/gang.h"
#include "simt/space.h"
#include "simt/trap.h"

enum {
    SIMT_BARRIERS = 16,
    SIMT_HITS = 16,  /* ranges a gang remembers */
    SIMT_MEMO = 32,  /* and which of them the instructions used last, by pc */
    SIMT_PLANS = 8,  /* address columns it remembers */
    SIMT_CHUNK = 16, /* lanes that memory operations look at together: a row of the usual tile */
    SIMT_NO_BAR = 255,
};

enum simt_park {
    SIMT_READY,   /* may run */
    SIMT_MEETING, /* in a .sync operation, at its pc, until the rest of its mask comes */
    SIMT_BARRED,  /* in a barrier, at its pc */
};

/* A group that does not run. */
struct simt_parked {
    struct simt_group at;
    uint8_t state;   /* enum simt_park */
    uint8_t barrier; /* of SIMT_BARRED */
    bool yielded;    /* gave its turn away: runs again when every other has */
};

/* How the addresses of a load lay, for those that follow it with the same address register and
 * other offsets. Good as long as the gang runs straight on: `epoch` tells. */
struct simt_plan {
    uint64_t epoch;
    uint32_t pc;       /* of the load that made it */
    uint32_t low_bits; /* of all addresses, or-ed */
    uint64_t lowest, highest;
    uint8_t all;                                 /* the pattern of every chunk, if they agree */
    uint64_t first[SIMT_MAX_LANES / SIMT_CHUNK]; /* address of each chunk's first lane */
};

struct simt_run {
    const struct simt_insn *code;
    uint32_t low; /* lowest pc of the ready groups in the running frame; none: the code's length */
    uint32_t count;
    struct simt_parked *parked; /* room for a group a lane, and one */
    uint8_t *file;              /* all columns */
    size_t columns;
    uint64_t local;      /* address of lane 0's local memory */
    size_t local_stride; /* from lane to lane */
    size_t local_size;   /* bytes a lane may use */
    struct simt_hit hits[SIMT_HITS];
    uint32_t hit_next;
    uint8_t memo[SIMT_MEMO];
    struct simt_plan plans[SIMT_PLANS];
    uint64_t epoch; /* counts jumps and changes of the running group */
    bool whole;     /* every lane of the gang is on, and none is dead */
    bool pick;      /* the running group is empty, in another frame, or gives its turn away */
    bool yielding;  /* the last of these */
    bool noisy;     /* an atomic, a volatile or ordered access, a clock read since a back edge */
    bool late;      /* the deadline has passed */
    bool done;
    uint32_t edges, noisy_edges, plain_edges; /* back edges since a turn was given away */
    uint32_t *tid[3];                         /* columns: the lanes' indices in the block */
};

/* What barrier instructions count by number. */
struct simt_barrier {
    uint32_t threads; /* that it waits for; 0: all */
    uint32_t popc;    /* of the predicates of bar.red */
    bool busy, all, any;
    uint32_t arrived[SIMT_MAX_WARPS];
};

struct simt_block {
    struct simt_grid *grid;
    struct simt_block *next; /* in the grid's lists */
    uint64_t index;
    uint32_t id[3];
    uint64_t shared; /* address of its arena */
    size_t shared_size;
    uint32_t gang_count, gang_next; /* whose turn */
    uint32_t barriers;              /* a bit for each that is busy */
    uint64_t deadline;              /* nanoseconds of the monotonic clock; 0: none */
    uint64_t turns;                 /* of gangs that ran something: how deadlock is told */
    struct simt_barrier bar[SIMT_BARRIERS];
    struct simt_gang *gangs;
    struct simt_run *runs;
    struct str print;
    uint32_t child_error; /* of its last launch that could not be (children.h) */
    void *memory; /* register files, local memory: lent pages, or heap */
    size_t memory_size;
    bool memory_lent;
    size_t arena_size;
};

struct simt_grid {
    const struct simt_code *code;
    struct simt_space *space;
    unsigned epoch; /* from entering it */
    const struct ptx_func *kernel;
    struct simt_module *module;
    const struct ptx_module *ptx; /* of the kernel: names the source files of a fault */
    uint32_t dim[3], block_dim[3];
    uint64_t blocks;
    uint32_t threads; /* a block */
    uint32_t gang_lanes, gang_count;
    size_t columns;    /* of a gang's register file */
    size_t local_size; /* bytes a lane */
    size_t shared, dynamic_shared;
    const uint8_t *params;
    size_t param_size;
    size_t malloc_heap, stack_size;
    struct simt_nested nested;
    uint64_t id;
    uint64_t workspace; /* of a cooperative grid's barrier */
    bool cooperative;
    struct simt_hooks hooks;
    atomic_bool stop;         /* trapped or cancelled: everyone leaves */
    _Atomic uint64_t next;    /* index of the next block that nobody has begun */
    _Atomic uint32_t waiting; /* length of `suspended` */
    pthread_mutex_t lock;     /* of what follows */
    struct simt_block *idle;  /* states without a block */
    struct simt_block *suspended, **suspended_end; /* states of blocks that wait for others */
    uint32_t states;                               /* how many there are in all */
    uint32_t inside;                               /* threads in simt_grid_work */
    struct simt_child *children; /* asked for, and launched by now or not */
    uint64_t child_count;        /* asked for in all */
    bool has_fault;
    struct simt_fault fault;
    struct simt_printed *printed; /* what finished blocks have printed and nobody has received */
    size_t printed_count, printed_cap, printed_bytes;
};

/* ---- gang.c ---- */

enum simt_turn {
    SIMT_TURN_DONE,    /* no lane lives */
    SIMT_TURN_WAITS,   /* every living lane waits in a barrier or a .sync operation */
    SIMT_TURN_YIELDED, /* every group that can run has given its turn away */
    SIMT_TURN_SLICE,   /* the deadline has passed */
    SIMT_TURN_STOPPED, /* trapped or cancelled */
};

/* All lanes of the block at the kernel's first instruction. */
void simt_gang_start(struct simt_gang *g);
/* Runs the gang until one of the above. */
enum simt_turn simt_gang_turn(struct simt_gang *g);

/* Puts lanes aside that stop running: the caller takes them out of `on`. `base` and `local` are the
 * running frame's in the first, given in the second. Ready lanes join a ready group that is at the
 * same place. */
void simt_gang_park(struct simt_gang *g, uint32_t pc, const uint32_t *on, enum simt_park state);
void simt_gang_park_at(struct simt_gang *g, const struct simt_group *at, enum simt_park state);
/* Makes lanes of a parked group, all or those of one warp, go on after their instruction. The
 * group's place in `parked` may be taken by another. */
void simt_gang_resume(struct simt_gang *g, uint32_t parked);
void simt_gang_resume_some(struct simt_gang *g, uint32_t parked, uint32_t warp, uint32_t lanes);
/* Ends an operation that has changed the running lanes or their frame: returns SIMT_REGROUP. */
enum simt_flow simt_gang_regroup(struct simt_gang *g, uint32_t pc);
/* After a jump back: SIMT_REGROUP, or SIMT_TRAP when the grid is to stop. Decides whether to give
 * the turn away. */
enum simt_flow simt_gang_back_edge(struct simt_gang *g);
/* The running lanes end. */
enum simt_flow simt_gang_exit(struct simt_gang *g);

/* Fills in the place of the lane (index in the gang) and records the fault; returns SIMT_TRAP. */
enum simt_flow simt_gang_trap(struct simt_gang *g, const struct simt_insn *in, uint32_t lane,
                              struct simt_trap *t);

static inline bool simt_any(const uint32_t *on, uint32_t warps)
{
    uint32_t any = 0;
    for (uint32_t w = 0; w < warps; w++)
        any |= on[w];
    return any != 0;
}

/* The lowest running lane; the group is not empty. */
static inline uint32_t simt_first_lane(const struct simt_gang *g)
{
    uint32_t w = 0;
    while (!g->on[w])
        w++;
    return w * SIMT_WARP + (uint32_t) __builtin_ctz(g->on[w]);
}

/* What fence.sc and membar promise. The sanitizer does not know fences:
 * there, a read-modify-write. */
static inline void simt_fence(void)
{
#if defined(__SANITIZE_THREAD__)
    atomic_int x = 0;
    atomic_fetch_add(&x, 1);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline uint32_t simt_pc(const struct simt_gang *g, const struct simt_insn *in)
{
    return (uint32_t) (in - g->run->code);
}

/* ---- meet.c: .sync operations and barriers ---- */

/* Some of the lanes that meet: those in front of one instruction. */
struct simt_part {
    const struct simt_insn *in;
    uint8_t *frame;
    uint32_t lanes;
};
/* A .sync operation: its mask stands in slot in->f; in->op, x[0] and x[1] say which operations
 * meet. Lanes whose mask is complete go on at once, the others wait. */
enum simt_flow simt_meet(struct simt_gang *g, const struct simt_insn *in);
/* After lanes have exited: whoever waited for them goes on. */
void simt_meet_exited(struct simt_gang *g, const uint32_t *gone);

/* bar.sync, bar.arrive, bar.red: the operand slots stand with the rows BAR_… of micro.def. */
enum simt_flow simt_barrier(struct simt_gang *g, const struct simt_insn *in);
/* After lanes have exited: barriers wait for fewer. */
void simt_barriers_exited(struct simt_block *b);
/* No lane of the block can run: names what they wait for. */
void simt_block_deadlock(struct simt_block *b);

/* warp.c: what .sync operations compute, for the lanes of one warp that have met. */
void simt_warp_compute(struct simt_gang *g, uint32_t warp, const struct simt_part *parts,
                       uint32_t count);

/* ---- block.c ---- */

enum simt_block_state { SIMT_BLOCK_DONE, SIMT_BLOCK_YIELDED, SIMT_BLOCK_SLICE, SIMT_BLOCK_STOPPED };

/* Block state for the grid's kernel, without an index yet. NULL: memory is short. */
struct simt_block *simt_block_create(struct simt_grid *grid);
void simt_block_destroy(struct simt_block *b);
void simt_block_start(struct simt_block *b, uint64_t index);
/* Runs the block until it has ended, or its deadline has passed, or all its gangs have given their
 * turns away often. */
enum simt_block_state simt_block_run(struct simt_block *b);

/* ---- grid.c ---- */

/* The first fault of a grid wins; all blocks stop. */
void simt_grid_trap(struct simt_grid *g, const struct simt_trap *t);
/* The block has printed: keeps its text for the receiver once it is large or `ended`. */
void simt_grid_printed(struct simt_block *b, bool ended);

#endif

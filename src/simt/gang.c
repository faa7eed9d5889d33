/* The step loop of a gang and its groups: lanes at the same place run together, the deepest call
 * and the lowest pc first, which brings diverged lanes together again without any analysis of the
 * code. A group gives its turn away in loops that may wait for another. Not here: rendezvous
 * (meet.c), blocks and threads (block.c, grid.c). */
#include "simt/gang.h"

#include <string.h>
#include <time.h>

#include "simt/run.h"

enum {
    NOISY_EDGES =
        8, /* rounds of a loop that may wait for others, before its group gives its turn away */
    PLAIN_EDGES = 1 << 20, /* rounds of any loop */
    CLOCK_EDGES = 64,      /* back edges between looks at the deadline */
    NOBODY = -1,
};

static void set_full(struct simt_gang *g)
{
    uint32_t missing = 0, off = 0;
    for (uint32_t w = 0; w < g->warps; w++) {
        missing |= g->on[w] ^ g->alive[w];
        off |= ~g->on[w];
    }
    g->full = !missing;
    g->run->whole = !off;
}

/* Recomputes where the running group must stop: at the lowest ready group of its frame. */
static void set_low(struct simt_gang *g)
{
    struct simt_run *r = g->run;
    r->low = g->block->grid->code->count;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct simt_parked *p = &r->parked[i];
        if (p->state == SIMT_READY && p->at.base == g->now.base && p->at.local == g->now.local)
            r->low = MIN(r->low, p->at.pc);
    }
}

void simt_gang_park_at(struct simt_gang *g, const struct simt_group *at, enum simt_park state)
{
    struct simt_run *r = g->run;
    for (uint32_t i = 0; i < r->count && state == SIMT_READY; i++) {
        struct simt_parked *p = &r->parked[i];
        if (p->state != SIMT_READY || p->at.pc != at->pc || p->at.base != at->base ||
            p->at.local != at->local)
            continue;
        for (uint32_t w = 0; w < g->warps; w++)
            p->at.on[w] |= at->on[w];
        p->yielded = false;
        return;
    }
    struct simt_parked *p = &r->parked[r->count++];
    p->at = *at;
    p->state = (uint8_t) state;
    p->barrier = SIMT_NO_BAR;
    p->yielded = false;
    if (state == SIMT_READY && at->base == g->now.base && at->local == g->now.local)
        r->low = MIN(r->low, at->pc);
}

void simt_gang_park(struct simt_gang *g, uint32_t pc, const uint32_t *on, enum simt_park state)
{
    struct simt_group at = {.pc = pc, .base = g->now.base, .local = g->now.local};
    memcpy(at.on, on, g->warps * sizeof *on);
    simt_gang_park_at(g, &at, state);
}

void simt_gang_resume(struct simt_gang *g, uint32_t parked)
{
    struct simt_run *r = g->run;
    struct simt_group at = r->parked[parked].at;
    r->parked[parked] = r->parked[--r->count];
    at.pc++;
    simt_gang_park_at(g, &at, SIMT_READY);
}

void simt_gang_resume_some(struct simt_gang *g, uint32_t parked, uint32_t warp, uint32_t lanes)
{
    struct simt_run *r = g->run;
    struct simt_parked *p = &r->parked[parked];
    struct simt_group at = {.pc = p->at.pc + 1, .base = p->at.base, .local = p->at.local};
    at.on[warp] = lanes;
    p->at.on[warp] &= ~lanes;
    if (!simt_any(p->at.on, g->warps))
        *p = r->parked[--r->count];
    simt_gang_park_at(g, &at, SIMT_READY);
}

enum simt_flow simt_gang_regroup(struct simt_gang *g, uint32_t pc)
{
    g->now.pc = pc;
    g->run->pick = true;
    return SIMT_REGROUP;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

enum simt_flow simt_gang_back_edge(struct simt_gang *g)
{
    struct simt_run *r = g->run;
    if (atomic_load_explicit(&g->block->grid->stop, memory_order_relaxed))
        return SIMT_TRAP;
    r->plain_edges++;
    if (r->noisy) {
        r->noisy = false;
        r->noisy_edges++;
    }
    if (r->noisy_edges >= NOISY_EDGES || r->plain_edges >= PLAIN_EDGES)
        r->yielding = r->pick = true;
    if (!(++r->edges % CLOCK_EDGES) && g->block->deadline && now_ns() >= g->block->deadline)
        r->late = r->pick = true;
    return SIMT_REGROUP;
}

enum simt_flow simt_gang_exit(struct simt_gang *g)
{
    uint32_t gone[SIMT_MAX_WARPS];
    memcpy(gone, g->on, g->warps * sizeof *gone);
    for (uint32_t w = 0; w < g->warps; w++) {
        g->alive[w] &= ~gone[w];
        g->on[w] = 0;
    }
    if (g->run->count)
        simt_meet_exited(g, gone);
    if (g->block->barriers)
        simt_barriers_exited(g->block);
    return simt_gang_regroup(g, g->now.pc);
}

/* The group that runs next: deepest frame (its local memory is furthest on), then lowest pc.
 * `yielded` are those that gave their turn away. */
static int choose(const struct simt_run *r, bool *yielded)
{
    int best = NOBODY;
    *yielded = false;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct simt_group *p = &r->parked[i].at,
                                *b = &r->parked[best == NOBODY ? 0 : best].at;
        if (r->parked[i].state != SIMT_READY)
            continue;
        if (r->parked[i].yielded)
            *yielded = true;
        else if (best == NOBODY || p->local > b->local || (p->local == b->local && p->pc < b->pc))
            best = (int) i;
    }
    return best;
}

static void take_over(struct simt_gang *g, uint32_t i)
{
    struct simt_run *r = g->run;
    g->now = r->parked[i].at;
    memcpy(g->on, g->now.on, g->warps * sizeof *g->on);
    r->parked[i] = r->parked[--r->count];
    g->frame = r->file + g->now.base * g->word;
    set_full(g);
    set_low(g);
}

/* Puts the running group aside and takes the next. False: *turn says why none can run. */
static bool pick(struct simt_gang *g, enum simt_turn *turn)
{
    struct simt_run *r = g->run;
    bool running = simt_any(g->on, g->warps), yielding = r->yielding, yielded;
    r->pick = r->yielding = false;
    if (running && !r->count && !yielding)
        return true;
    if (yielding)
        r->noisy_edges = r->plain_edges = 0;
    if (running) {
        uint32_t before = r->count;
        simt_gang_park(g, g->now.pc, g->on, SIMT_READY);
        if (r->count > before)
            r->parked[before].yielded = yielding;
        memset(g->on, 0, sizeof g->on);
    }
    int best = choose(r, &yielded);
    if (best != NOBODY) {
        take_over(g, (uint32_t) best);
        return true;
    }
    for (uint32_t i = 0; i < r->count; i++)
        r->parked[i].yielded = false;
    *turn = yielded ? SIMT_TURN_YIELDED : r->count ? SIMT_TURN_WAITS : SIMT_TURN_DONE;
    return false;
}

/* Runs the group until another one has to be chosen. False: trapped or cancelled. */
static bool step(struct simt_gang *g)
{
    struct simt_run *r = g->run;
    do {
        const struct simt_insn *in = r->code + g->now.pc, *stop = r->code + r->low;
        enum simt_flow flow;
        r->epoch++;
        do
            flow = in->fn(g, in);
        while (flow == SIMT_NEXT && ++in != stop);
        if (flow == SIMT_TRAP)
            return false;
        if (flow == SIMT_NEXT) {
            g->now.pc = simt_pc(g, in);
            return true;
        }
    } while (!r->pick && g->now.pc < r->low);
    return true;
}

enum simt_turn simt_gang_turn(struct simt_gang *g)
{
    enum simt_turn turn;
    while (pick(g, &turn)) {
        g->block->turns++;
        if (!step(g))
            return SIMT_TURN_STOPPED;
        if (g->run->late) {
            g->run->late = false;
            return SIMT_TURN_SLICE;
        }
    }
    return turn;
}

void simt_gang_start(struct simt_gang *g)
{
    struct simt_run *r = g->run;
    uint32_t threads = g->block->grid->threads;
    for (uint32_t w = 0; w < g->warps; w++) {
        uint32_t first = g->first + w * SIMT_WARP;
        uint32_t n = threads > first ? MIN(threads - first, SIMT_WARP) : 0;
        g->alive[w] = n == SIMT_WARP ? UINT32_MAX : (UINT32_C(1) << n) - 1;
    }
    memcpy(g->on, g->alive, sizeof g->on);
    set_full(g);
    g->frame = r->file;
    g->now.pc = g->now.base = g->now.local = 0;
    r->count = 0;
    r->low = g->block->grid->code->count;
    r->pick = r->yielding = r->noisy = r->late = r->done = false;
    r->noisy_edges = r->plain_edges = 0;
}

/* Where the lane stands in the block. */
static void lane_thread(const struct simt_gang *g, uint32_t lane, uint32_t out[3])
{
    const uint32_t *n = g->block->grid->block_dim;
    uint32_t t = g->first + lane;
    out[0] = t % n[0];
    out[1] = t / n[0] % n[1];
    out[2] = t / n[0] / n[1];
}

enum simt_flow simt_gang_trap(struct simt_gang *g, const struct simt_insn *in, uint32_t lane,
                              struct simt_trap *t)
{
    struct simt_grid *grid = g->block->grid;
    t->kernel = grid->kernel;
    t->module = grid->ptx;
    t->in = grid->code->where[simt_pc(g, in)];
    memcpy(t->block, g->block->id, sizeof t->block);
    lane_thread(g, lane, t->thread);
    simt_grid_trap(grid, t);
    return SIMT_TRAP;
}

/* Rendezvous: .sync operations meet by operation, qualifiers and mask, barriers by number, neither
 * by pc, as on an H200: lanes in front of different instructions complete together, each with its
 * own operands. Not here: what .sync operations compute (warp.c). */
#include <string.h>

#include "simt/agree.h"
#include "simt/run.h"

/* ---- .sync operations ---- */

/* Which lanes of `among` name the same mask as the lowest of them. */
static uint32_t same_mask(const uint32_t *masks, uint32_t among, uint32_t *mask)
{
    uint32_t same = 0;
    *mask = masks[__builtin_ctz(among)];
    for (uint32_t l = 0; l < SIMT_WARP; l++)
        same |= (uint32_t) (masks[l] == *mask) << l;
    return same & among;
}

static const uint32_t *masks_of(const struct simt_gang *g, const struct simt_insn *in,
                                uint8_t *frame, uint32_t warp)
{
    return (const uint32_t *) (frame + (size_t) in->f * g->word) + warp * SIMT_WARP;
}

/* The part that a parked group has in a meeting of the warp. */
static struct simt_part part_of(const struct simt_gang *g, uint32_t i, uint32_t warp)
{
    const struct simt_group *at = &g->run->parked[i].at;
    return (struct simt_part){g->run->code + at->pc, g->run->file + at->base * g->word,
                              at->on[warp]};
}

static bool same_operation(const struct simt_insn *a, const struct simt_insn *b)
{
    return a->op == b->op && a->x[0] == b->x[0] && a->x[2] == b->x[2] && !a->x[1] && !b->x[1];
}

/* Gathers those who wait with group i's first lane of the warp; if they are complete, does the
 * operation and lets them go. */
static bool complete(struct simt_gang *g, uint32_t i, uint32_t warp)
{
    struct simt_part parts[SIMT_WARP];
    struct simt_run *r = g->run;
    struct simt_part first = part_of(g, i, warp);
    uint32_t mask, count = 0, here = 0;
    same_mask(masks_of(g, first.in, first.frame, warp), first.lanes, &mask);
    for (uint32_t j = i; j < r->count; j++) {
        struct simt_part p = part_of(g, j, warp);
        if (r->parked[j].state != SIMT_MEETING || !p.lanes || !same_operation(p.in, first.in))
            continue;
        const uint32_t *masks = masks_of(g, p.in, p.frame, warp);
        uint32_t left = p.lanes, named;
        for (p.lanes = 0; left && !p.lanes;) {
            uint32_t same = same_mask(masks, left, &named);
            p.lanes = named == mask ? same : 0;
            left &= ~same;
        }
        here |= p.lanes;
        if (p.lanes)
            parts[count++] = p;
    }
    mask &= g->alive[warp];
    if (mask & ~here)
        return false;
    simt_warp_compute(g, warp, parts, count);
    for (uint32_t j = r->count; j-- > i;) {
        struct simt_part p = part_of(g, j, warp);
        uint32_t go = p.lanes & here;
        if (r->parked[j].state == SIMT_MEETING && go && same_operation(p.in, first.in))
            simt_gang_resume_some(g, j, warp, go);
    }
    return true;
}

/* Completes what is complete in the warp. */
static void retry(struct simt_gang *g, uint32_t warp)
{
    struct simt_run *r = g->run;
    for (uint32_t i = 0; i < r->count; i++) {
        bool waits = r->parked[i].state == SIMT_MEETING && r->parked[i].at.on[warp];
        if (waits && complete(g, i, warp))
            i = UINT32_MAX; /* the groups have moved: once more from the start */
    }
}

/* Does what is complete in one warp without waiting; returns the lanes that must wait. */
static uint32_t meet_warp(struct simt_gang *g, const struct simt_insn *in, uint32_t warp)
{
    const uint32_t *masks = masks_of(g, in, g->frame, warp);
    uint32_t wait = 0;
    for (uint32_t todo = g->on[warp], mask; todo;) {
        uint32_t same = same_mask(masks, todo, &mask);
        struct simt_part part = {in, g->frame, same};
        mask &= g->alive[warp];
        if (mask & ~same)
            wait |= same;
        else
            simt_warp_compute(g, warp, &part, 1);
        todo &= ~same;
    }
    return wait;
}

enum simt_flow simt_meet(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t wait[SIMT_MAX_WARPS], pc = simt_pc(g, in);
    for (uint32_t w = 0; w < g->warps; w++)
        wait[w] = g->on[w] ? meet_warp(g, in, w) : 0;
    if (!simt_any(wait, g->warps))
        return SIMT_NEXT;
    simt_gang_park(g, pc, wait, SIMT_MEETING);
    for (uint32_t w = 0; w < g->warps; w++) {
        g->on[w] &= ~wait[w];
        if (wait[w])
            retry(g, w);
    }
    g->full = g->run->whole = false;
    return simt_gang_regroup(g, pc + 1);
}

void simt_meet_exited(struct simt_gang *g, const uint32_t *gone)
{
    for (uint32_t w = 0; w < g->warps; w++)
        if (gone[w])
            retry(g, w);
}

/* ---- barriers ---- */

/* All lanes of the block's warp that live. */
static uint32_t alive_in(const struct simt_block *b, uint32_t warp)
{
    uint32_t warps = b->gangs[0].warps;
    return b->gangs[warp / warps].alive[warp % warps];
}

/* A warp whose living lanes have all arrived counts as 32 threads: the counts of bar.sync are in
 * whole warps. */
static bool is_complete(const struct simt_block *b, const struct simt_barrier *bar)
{
    uint32_t warps = b->gang_count * b->gangs[0].warps, sum = 0;
    for (uint32_t w = 0; w < warps; w++) {
        bool all = !(alive_in(b, w) & ~bar->arrived[w]);
        if (!bar->threads && !all)
            return false;
        if (bar->arrived[w])
            sum += all ? SIMT_WARP : (uint32_t) __builtin_popcount(bar->arrived[w]);
    }
    return !bar->threads || sum >= bar->threads;
}

/* Gives lanes what the barrier has counted. */
static void deliver(const struct simt_gang *g, const struct simt_insn *in, uint8_t *frame,
                    const uint32_t *on, const struct simt_barrier *bar)
{
    bool yes = in->x[0] == SIMT_BAR_AND ? bar->all : bar->any;
    uint32_t *narrow = (uint32_t *) (frame + (size_t) in->d * g->word);
    uint32_t *pred = (uint32_t *) (frame + (size_t) in->d * 4 * g->warps);
    for (uint32_t w = 0; w < g->warps && in->x[0] >= SIMT_BAR_AND; w++)
        pred[w] = yes ? pred[w] | on[w] : pred[w] & ~on[w];
    for (uint32_t w = 0; w < g->warps && in->x[0] == SIMT_BAR_POPC; w++)
        for (uint32_t m = on[w]; m; m &= m - 1)
            narrow[w * SIMT_WARP + (uint32_t) __builtin_ctz(m)] = bar->popc;
}

/* Lets all go who wait at the barrier, in every gang. */
static void release(struct simt_block *b, uint32_t number)
{
    struct simt_barrier *bar = &b->bar[number];
    for (uint32_t k = 0; k < b->gang_count; k++) {
        struct simt_gang *g = &b->gangs[k];
        struct simt_run *r = g->run;
        for (uint32_t i = r->count; i-- > 0;) {
            const struct simt_parked *p = &r->parked[i];
            if (p->state != SIMT_BARRED || p->barrier != number)
                continue;
            deliver(g, r->code + p->at.pc, r->file + p->at.base * g->word, p->at.on, bar);
            simt_gang_resume(g, i);
        }
    }
    *bar = (struct simt_barrier){0};
    b->barriers &= ~(UINT32_C(1) << number);
}

/* Counts the lanes in, with their predicates. */
static void arrive(struct simt_gang *g, const struct simt_insn *in, struct simt_barrier *bar,
                   const uint32_t *on)
{
    const uint32_t *pred = SIMT_PRED(g, in->c);
    uint32_t flip = in->x[2] ? UINT32_MAX : 0, first = g->first / SIMT_WARP;
    for (uint32_t w = 0; w < g->warps; w++) {
        bar->arrived[first + w] |= on[w];
        if (in->x[0] < SIMT_BAR_POPC)
            continue;
        uint32_t yes = on[w] & (pred[w] ^ flip);
        bar->popc += (uint32_t) __builtin_popcount(yes);
        bar->any |= yes != 0;
        bar->all &= yes == on[w];
    }
}

/* The lanes of `from` that name the same barrier as the lowest of them. */
static uint32_t same_barrier(uint32_t *out, const struct simt_gang *g, const struct simt_insn *in,
                             const uint32_t *from)
{
    const uint32_t *number = SIMT_LANES(g, uint32_t, in->a);
    uint32_t w = 0;
    while (!from[w])
        w++;
    uint32_t lane = w * SIMT_WARP + (uint32_t) __builtin_ctz(from[w]);
    for (w = 0; w < g->warps; w++) {
        out[w] = 0;
        for (uint32_t l = 0; from[w] && l < SIMT_WARP; l++)
            out[w] |= (uint32_t) (number[w * SIMT_WARP + l] == number[lane]) << l;
        out[w] &= from[w];
    }
    return lane;
}

/* One barrier's share of a barrier instruction. SIMT_NEXT: its lanes go on; SIMT_REGROUP: they have
 * been put aside. */
static enum simt_flow enter(struct simt_gang *g, const struct simt_insn *in, uint32_t lane,
                            const uint32_t *on)
{
    struct simt_block *b = g->block;
    uint32_t number = SIMT_LANES(g, uint32_t, in->a)[lane];
    uint32_t threads = in->x[1] ? SIMT_LANES(g, uint32_t, in->b)[lane] : 0;
    struct simt_trap t = {.code = 715};
    if (number >= SIMT_BARRIERS)
        t.text = "there are 16 barriers, numbered from 0";
    else if (in->x[1] && (!threads || threads % SIMT_WARP))
        t.text = "a barrier's number of threads must be a multiple of 32 and not 0";
    if (t.text)
        return simt_gang_trap(g, in, lane, &t);
    struct simt_barrier *bar = &b->bar[number];
    if (!bar->busy)
        *bar = (struct simt_barrier){.busy = true, .all = true};
    b->barriers |= UINT32_C(1) << number;
    bar->threads = threads;
    arrive(g, in, bar, on);
    if (is_complete(b, bar)) {
        deliver(g, in, g->frame, on, bar);
        release(b, number);
        return SIMT_NEXT;
    }
    if (in->x[0] == SIMT_BAR_ARRIVE)
        return SIMT_NEXT;
    simt_gang_park(g, simt_pc(g, in), on, SIMT_BARRED);
    g->run->parked[g->run->count - 1].barrier = (uint8_t) number;
    return SIMT_REGROUP;
}

enum simt_flow simt_barrier(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t todo[SIMT_MAX_WARPS], on[SIMT_MAX_WARPS];
    bool ready = g->run->count != 0;
    memcpy(todo, g->on, g->warps * sizeof *todo);
    while (simt_any(todo, g->warps)) {
        uint32_t lane = same_barrier(on, g, in, todo);
        enum simt_flow flow = enter(g, in, lane, on);
        if (flow == SIMT_TRAP)
            return flow;
        for (uint32_t w = 0; w < g->warps; w++) {
            todo[w] &= ~on[w];
            g->on[w] &= flow == SIMT_REGROUP ? ~on[w] : UINT32_MAX;
        }
        g->full &= flow == SIMT_NEXT;
        g->run->whole &= flow == SIMT_NEXT;
        ready |= flow == SIMT_REGROUP;
    }
    return ready ? simt_gang_regroup(g, simt_pc(g, in) + 1) : SIMT_NEXT;
}

void simt_barriers_exited(struct simt_block *b)
{
    for (uint32_t i = 0; i < SIMT_BARRIERS; i++)
        if (b->barriers >> i & 1 && is_complete(b, &b->bar[i]))
            release(b, i);
}

/* ---- deadlock ---- */

void simt_block_deadlock(struct simt_block *b)
{
    for (uint32_t k = 0; k < b->gang_count; k++) {
        struct simt_gang *g = &b->gangs[k];
        if (!g->run->count)
            continue;
        const struct simt_parked *p = &g->run->parked[0];
        uint32_t w = 0;
        while (!p->at.on[w])
            w++;
        uint32_t lane = w * SIMT_WARP + (uint32_t) __builtin_ctz(p->at.on[w]);
        struct simt_trap t = {.code = 719};
        t.text = p->state == SIMT_BARRED
                     ? "deadlock: this thread waits at a barrier that other threads of the block "
                       "never reach"
                     : "deadlock: this thread waits for lanes named in its mask that never come";
        simt_gang_trap(g, g->run->code + p->at.pc, lane, &t);
        return;
    }
}

/* The state of one block: its gangs, their register files, local memory and shared arena. It serves
 * one block after another of the same grid. Not here: which block runs where (grid.c), the step
 * loop (gang.c). */
#include <string.h>

#include "base/alloc.h"
#include "simt/run.h"

enum {
    LENT_FROM = 128 << 10, /* memory of this size is lent by the space, less comes from the heap */
    LENT_UNIT = 64 << 10,
    PAGE = 4096,
    LINE = 64,
    ROUNDS = 32, /* times that every group has given its turn away before the block does */
};

/* How one gang's memory is laid out, in bytes. */
struct layout {
    size_t file, tid, parked, local, stride, total;
};

static struct layout layout_of(const struct simt_grid *grid)
{
    struct layout l;
    size_t word = 4 * (size_t) grid->gang_lanes;
    l.file = 0;
    l.tid = ALIGN_UP(grid->columns * word, LINE);
    l.parked = l.tid + 3 * word;
    l.local = l.parked + ALIGN_UP((grid->gang_lanes + 2) * sizeof(struct simt_parked), LINE);
    l.stride = ALIGN_UP(grid->local_size, 16);
    /* Lanes a multiple of a page apart would all fight for the same lines of the cache. */
    if (l.stride && !(l.stride % PAGE))
        l.stride += LINE;
    l.total = ALIGN_UP(l.local + l.stride * grid->gang_lanes, LINE);
    return l;
}

static bool take_memory(struct simt_block *b, size_t size)
{
    b->memory_lent = size >= LENT_FROM;
    b->memory_size = b->memory_lent ? ALIGN_UP(size, LENT_UNIT) : size;
    b->memory = b->memory_lent ? simt_space_lend(b->grid->space, b->memory_size, false)
                               : alloc_new(b->memory_size);
    if (!b->memory)
        return false;
    b->shared_size = b->grid->shared;
    b->arena_size = ALIGN_UP(b->shared_size, PAGE);
    if (b->arena_size)
        b->shared = (uintptr_t) simt_space_lend(b->grid->space, b->arena_size, true);
    return !b->arena_size || b->shared;
}

static void fill_tid(struct simt_gang *g)
{
    const uint32_t *n = g->block->grid->block_dim;
    uint32_t at[3] = {g->first % n[0], g->first / n[0] % n[1], g->first / n[0] / n[1]};
    if (n[1] == 1 && n[2] == 1) {
        for (uint32_t lane = 0; lane < SIMT_MAX_LANES && lane < g->lanes; lane++)
            g->run->tid[0][lane] = at[0] + lane;
        memset(g->run->tid[1], 0, g->word);
        memset(g->run->tid[2], 0, g->word);
        return;
    }
    for (uint32_t lane = 0; lane < g->lanes; lane++) {
        for (int k = 0; k < 3; k++)
            g->run->tid[k][lane] = at[k];
        bool row = ++at[0] == n[0];
        at[0] = row ? 0 : at[0];
        bool plane = row && ++at[1] == n[1];
        at[1] = plane ? 0 : at[1];
        at[2] += plane;
    }
}

static void fill_consts(struct simt_gang *g, const struct simt_frame *f)
{
    g->frame = g->run->file + f->base * g->word;
    for (uint32_t i = 0; i < f->const_count; i++) {
        const struct simt_const *k = &f->consts[i];
        for (uint32_t lane = 0; lane < g->lanes; lane++) {
            if (k->wide)
                SIMT_LANES(g, uint64_t, k->slot)[lane] = k->value;
            else
                SIMT_LANES(g, uint32_t, k->slot)[lane] = (uint32_t) k->value;
        }
    }
}

static void init_gang(struct simt_block *b, uint32_t i, uint8_t *memory, const struct layout *l)
{
    struct simt_gang *g = &b->gangs[i];
    struct simt_run *r = &b->runs[i];
    const struct simt_grid *grid = b->grid;
    g->block = b;
    g->run = r;
    g->lanes = grid->gang_lanes;
    g->warps = g->lanes / SIMT_WARP;
    g->word = 4 * (size_t) g->lanes;
    g->first = i * g->lanes;
    r->code = grid->code->insns;
    r->file = memory;
    r->columns = grid->columns;
    for (size_t k = 0; k < 3; k++)
        r->tid[k] = (uint32_t *) (memory + l->tid + k * g->word);
    r->parked = (struct simt_parked *) (memory + l->parked);
    r->local = (uintptr_t) memory + l->local;
    r->local_stride = l->stride;
    r->local_size = grid->local_size;
    memset(r->file, 0, grid->code->frames[0].columns * g->word);
    fill_tid(g);
    for (uint32_t k = 0; k < grid->code->frame_count; k++)
        fill_consts(g, &grid->code->frames[k]);
}

struct simt_block *simt_block_create(struct simt_grid *grid)
{
    struct layout l = layout_of(grid);
    struct simt_block *b = alloc_zero(1, sizeof *b);
    if (!b)
        return NULL;
    b->grid = grid;
    b->gang_count = grid->gang_count;
    b->gangs = alloc_zero(b->gang_count, sizeof *b->gangs);
    b->runs = alloc_zero(b->gang_count, sizeof *b->runs);
    if (!b->gangs || !b->runs || !take_memory(b, l.total * b->gang_count + LINE)) {
        simt_block_destroy(b);
        return NULL;
    }
    uint8_t *at = (uint8_t *) ALIGN_UP((uintptr_t) b->memory, LINE);
    for (uint32_t i = 0; i < b->gang_count; i++)
        init_gang(b, i, at + i * l.total, &l);
    return b;
}

void simt_block_destroy(struct simt_block *b)
{
    if (b->shared)
        simt_space_return(b->grid->space, (void *) (uintptr_t) b->shared, b->arena_size, true);
    if (b->memory && b->memory_lent)
        simt_space_return(b->grid->space, b->memory, b->memory_size, false);
    else
        alloc_free(b->memory);
    str_fini(&b->print);
    alloc_free(b->gangs);
    alloc_free(b->runs);
    alloc_free(b);
}

void simt_block_start(struct simt_block *b, uint64_t index)
{
    b->child_error = 0;
    const uint32_t *dim = b->grid->dim;
    b->index = index;
    b->id[0] = (uint32_t) (index % dim[0]);
    b->id[1] = (uint32_t) (index / dim[0] % dim[1]);
    b->id[2] = (uint32_t) (index / dim[0] / dim[1]);
    b->gang_next = 0;
    for (uint32_t i = 0; b->barriers; i++, b->barriers >>= 1)
        b->bar[i].busy = false;
    for (uint32_t i = 0; i < b->gang_count; i++)
        simt_gang_start(&b->gangs[i]);
}

/* One turn of every gang that has not ended. */
static enum simt_block_state turn_all(struct simt_block *b, bool *yielded)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < b->gang_count; i++) {
        struct simt_gang *g = &b->gangs[b->gang_next];
        enum simt_turn turn = g->run->done ? SIMT_TURN_DONE : simt_gang_turn(g);
        if (turn == SIMT_TURN_SLICE)
            return SIMT_BLOCK_SLICE;
        if (turn == SIMT_TURN_STOPPED)
            return SIMT_BLOCK_STOPPED;
        g->run->done = turn == SIMT_TURN_DONE;
        done += g->run->done;
        *yielded |= turn == SIMT_TURN_YIELDED;
        b->gang_next = b->gang_next + 1 == b->gang_count ? 0 : b->gang_next + 1;
    }
    return done == b->gang_count ? SIMT_BLOCK_DONE : SIMT_BLOCK_YIELDED;
}

enum simt_block_state simt_block_run(struct simt_block *b)
{
    for (uint32_t rounds = 0; rounds < ROUNDS;) {
        uint64_t before = b->turns;
        bool yielded = false;
        enum simt_block_state state = turn_all(b, &yielded);
        if (state != SIMT_BLOCK_YIELDED)
            return state;
        if (b->turns == before && !yielded) {
            simt_block_deadlock(b);
            return SIMT_BLOCK_STOPPED;
        }
        rounds += yielded;
    }
    return SIMT_BLOCK_YIELDED;
}

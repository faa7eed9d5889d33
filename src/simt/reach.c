/* The check of every access against what its thread may touch, where the quick look did not answer:
 * live ranges of the device, the block's shared arena, the lane's own local memory, the parameters.
 * Not here: the quick look (reach.h). */
#include "simt/reach.h"

static bool in_window(struct access *x, uint64_t address, uint64_t bytes, uint64_t base,
                      uint64_t size)
{
    if (bytes > size || address - base > size - bytes)
        return false;
    x->base = base;
    x->size = size;
    return true;
}

/* Live ranges: those the gang remembers, then all. */
static bool in_range(struct access *x, uint64_t address, uint64_t bytes)
{
    struct simt_run *r = x->g->run;
    uint8_t *memo = &r->memo[simt_pc(x->g, x->in) % SIMT_MEMO];
    for (uint32_t i = 0; i < SIMT_HITS; i++) {
        const struct simt_hit *h = &r->hits[i];
        if ((h->kind & SIMT_READ_ONLY) && x->store)
            continue;
        if (!in_window(x, address, bytes, h->base, h->size))
            continue;
        *memo = (uint8_t) i;
        return true;
    }
    struct simt_hit hit;
    if (!simt_space_probe(x->g->block->grid->space, address, &hit))
        return false;
    if (x->store && (hit.kind & SIMT_READ_ONLY))
        return false;
    if (!in_window(x, address, bytes, hit.base, hit.size))
        return false;
    *memo = (uint8_t) (r->hit_next++ % SIMT_HITS);
    r->hits[*memo] = hit;
    return true;
}

/* The lane's own local memory is checked without being remembered: the next lane's is another. */
static bool in_local(const struct simt_run *r, uint64_t address, uint64_t bytes, uint32_t lane)
{
    return lane != SIMT_NO_LANE && bytes <= r->local_size &&
           address - (r->local + lane * r->local_stride) <= r->local_size - bytes;
}

bool simt_reach(struct access *x, uint64_t address, uint64_t bytes, uint32_t lane)
{
    const struct simt_block *b = x->g->block;
    const struct simt_grid *grid = b->grid;
    switch (x->in->x[1]) {
    case PTX_SHARED:
        return in_window(x, address, bytes, b->shared, b->shared_size);
    case PTX_LOCAL:
        return in_local(x->g->run, address, bytes, lane);
    case PTX_PARAM:
        return !x->store &&
               in_window(x, address, bytes, (uintptr_t) grid->params, grid->param_size);
    case PTX_GENERIC:
        if (in_window(x, address, bytes, b->shared, b->shared_size) ||
            in_local(x->g->run, address, bytes, lane))
            return true;
        if (!x->store && in_window(x, address, bytes, (uintptr_t) grid->params, grid->param_size))
            return true;
        break;
    default:
        break;
    }
    return in_range(x, address, bytes);
}

enum simt_flow simt_refuse(const struct access *x, uint64_t address, uint32_t lane)
{
    const struct simt_block *b = x->g->block;
    const struct simt_run *r = x->g->run;
    struct simt_trap t = {
        .code = address & (x->width - 1) ? 716 : 700,
        .address = address,
        .width = x->width,
        .is_store = x->store,
        .is_atomic = x->atomic,
        .is_shared = x->in->x[1] == PTX_SHARED,
        .is_local = x->in->x[1] == PTX_LOCAL,
    };
    if (x->in->x[0] == SIMT_AT_LOCAL && t.code == 700) {
        t.code = 714;
        t.text = "the stack of a thread overflows: calls nest too deep";
    }
    if (t.is_shared) {
        t.window = b->shared;
        t.window_size = b->shared_size;
    } else if (t.is_local) {
        t.window = r->local + lane * r->local_stride;
        t.window_size = r->local_size;
    }
    return simt_gang_trap(x->g, x->in, lane, &t);
}

/* Launches by kernels: what they have asked for, until the parent has ended and somebody takes
 * them. Not here: running them (the cpu layer), the arguments of the calls (exec_ctl.c). */
#include "simt/children.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "simt/module.h"

enum { DEEPEST = 24, MOST_PENDING = 2048 };

struct simt_child {
    struct simt_child *next;
    struct simt_launch launch; /* its params: `copy`, once it is launched */
    uint64_t params;           /* of the kernel, until then; 0 after */
    uint64_t block, order;     /* who launched it */
    bool is_tail;
    unsigned char copy[]; /* of the parameters */
};

/* ---- asking ---- */

static uint32_t check_shape(const struct simt_grid *g, const struct simt_child_shape *s,
                            const struct simt_kernel *k)
{
    static const uint32_t grid_max[3] = {INT32_MAX, 65535, 65535}, block_max[3] = {1024, 1024, 64};
    const struct ptx_func *f = k->func;
    uint64_t threads = (uint64_t) s->block[0] * s->block[1] * s->block[2];
    uint64_t most = SIMT_MAX_LANES;
    for (int i = 0; i < 3; i++)
        if (!s->grid[i] || s->grid[i] > grid_max[i] || !s->block[i] || s->block[i] > block_max[i])
            return SIMT_CHILD_SHAPE;
    if (f->maxntid[0])
        most = (uint64_t) f->maxntid[0] * MAX(f->maxntid[1], 1) * MAX(f->maxntid[2], 1);
    bool fits = threads <= MIN(most, SIMT_MAX_LANES) &&
                k->info.static_shared + s->shared <= g->nested.max_shared;
    return fits ? 0 : SIMT_CHILD_SHAPE;
}

static const struct ptx_func *kernel_at(const struct simt_grid *g, uint64_t address)
{
    for (uint32_t i = 0; i < g->ptx->func_count; i++)
        if (simt_func_address(g->ptx->funcs[i]) == address)
            return g->ptx->funcs[i]->kind == PTX_ENTRY ? g->ptx->funcs[i] : NULL;
    return NULL;
}

static struct simt_child *create(struct simt_block *b, const struct simt_child_shape *s,
                                 const struct simt_kernel *k)
{
    struct simt_grid *g = b->grid;
    struct simt_child *child = alloc_zero(1, sizeof *child + k->func->param_size + 1);
    if (!child)
        return NULL;
    child->params = simt_space_malloc(g->space, MAX(k->func->param_size, 1), g->malloc_heap);
    if (!child->params) {
        alloc_free(child);
        return NULL;
    }
    child->launch = (struct simt_launch){.kernel = k,
                                         .dynamic_shared = s->shared,
                                         .params = child->copy,
                                         .param_size = k->func->param_size,
                                         .stack_size = g->stack_size,
                                         .malloc_heap = g->malloc_heap,
                                         .grid_id = g->id,
                                         .hooks = g->hooks,
                                         .nested = g->nested};
    child->launch.nested.depth++;
    memcpy(child->launch.grid, s->grid, sizeof s->grid);
    memcpy(child->launch.block, s->block, sizeof s->block);
    child->block = b->index;
    return child;
}

static uint32_t prepare(uint64_t *out, struct simt_block *b, const struct simt_child_shape *s,
                        const struct simt_kernel *k)
{
    struct simt_grid *g = b->grid;
    uint32_t error = check_shape(g, s, k);
    if (!error && g->nested.depth >= DEEPEST)
        error = SIMT_CHILD_DEPTH;
    struct simt_child *child = error ? NULL : create(b, s, k);
    if (!child)
        return error ? error : SIMT_CHILD_MEMORY;
    pthread_mutex_lock(&g->lock);
    bool has_room = g->child_count < (g->nested.max_pending ? g->nested.max_pending : MOST_PENDING);
    if (has_room) {
        child->order = g->child_count++;
        child->next = g->children;
        g->children = child;
    }
    pthread_mutex_unlock(&g->lock);
    *out = child->params;
    if (has_room)
        return 0;
    simt_space_mfree(g->space, child->params);
    alloc_free(child);
    return SIMT_CHILD_PENDING;
}

int simt_child_prepare(uint64_t *out, struct simt_block *b, const struct simt_child_shape *shape,
                       struct str *why)
{
    const struct ptx_func *f = kernel_at(b->grid, shape->function);
    struct simt_kernel *k;
    uint64_t params = 0;
    *out = 0;
    if (!f) {
        b->child_error = SIMT_CHILD_FUNCTION;
        return 0;
    }
    if (simt_kernel_get(&k, b->grid->module, f->name, why) != 0)
        return -1;
    uint32_t error = prepare(&params, b, shape, k);
    if (error)
        b->child_error = error;
    else
        *out = params;
    return 0;
}

uint32_t simt_child_launch(struct simt_block *b, uint64_t params, uint64_t stream)
{
    struct simt_grid *g = b->grid;
    pthread_mutex_lock(&g->lock);
    struct simt_child *child = g->children;
    while (child && (!params || child->params != params))
        child = child->next;
    if (child) {
        memcpy(child->copy, (const void *) (uintptr_t) params, child->launch.param_size);
        child->params = 0;
        child->is_tail = stream == SIMT_STREAM_TAIL;
    }
    pthread_mutex_unlock(&g->lock);
    if (child)
        simt_space_mfree(g->space, params);
    else
        b->child_error = SIMT_CHILD_VALUE;
    return child ? 0 : SIMT_CHILD_VALUE;
}

void simt_children_fini(struct simt_grid *g)
{
    while (g->children) {
        struct simt_child *child = g->children;
        g->children = child->next;
        if (child->params)
            simt_space_mfree(g->space, child->params);
        alloc_free(child);
    }
}

/* ---- taking ---- */

/* Those of the tail last; otherwise by block, and in the order of launching. */
static int in_order(const void *a, const void *b)
{
    const struct simt_child *x = *(struct simt_child *const *) a,
                            *y = *(struct simt_child *const *) b;
    if (x->is_tail != y->is_tail)
        return x->is_tail ? 1 : -1;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static size_t list_launched(struct simt_child **out, struct simt_grid *g)
{
    size_t count = 0;
    for (struct simt_child **p = &g->children; *p;) {
        struct simt_child *child = *p;
        if (child->params) {
            p = &child->next;
            continue;
        }
        *p = child->next;
        out[count++] = child;
    }
    return count;
}

int simt_grid_take_children(struct simt_child **out, struct simt_grid *g)
{
    *out = NULL;
    if (!g->child_count)
        return 0;
    struct simt_child **list = alloc_zero(g->child_count, sizeof *list);
    if (!list)
        return -1;
    size_t count = list_launched(list, g);
    if (count)
        qsort(list, count, sizeof *list, in_order);
    while (count) {
        list[--count]->next = *out;
        *out = list[count];
    }
    alloc_free(list);
    return 0;
}

const struct simt_launch *simt_child_get(const struct simt_child *child)
{
    return &child->launch;
}

struct simt_child **simt_child_next(struct simt_child *child)
{
    return &child->next;
}

void simt_child_destroy(struct simt_child *child)
{
    alloc_free(child);
}

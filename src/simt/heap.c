/* The heap behind malloc and free of kernels: a buddy allocator (Knowlton 1965) whose records stand
 * outside the memory it hands out, so that no kernel can damage them. Not here: locking, and who
 * may touch what (space.c). */
#include "simt/space.h"

#include "base/alloc.h"

enum { LEAF_LOG = 5, ORDERS = 40, NONE = -1 };

/* A piece of order k is LEAF << k bytes at a multiple of that; records are by leaf. */
struct heap_leaf {
    int32_t prev, next; /* in the list of free pieces of its order */
    int8_t size;        /* order of the piece that begins here, plus one; 0: inside another */
    bool free;
};

struct simt_heap {
    uint64_t base;
    int32_t leaves;
    int32_t lists[ORDERS]; /* first free piece of each order; NONE: empty */
    struct heap_leaf *leaf;
};

static void push(struct simt_heap *h, int32_t at, int order)
{
    struct heap_leaf *x = &h->leaf[at];
    *x = (struct heap_leaf){NONE, h->lists[order], (int8_t) (order + 1), true};
    if (x->next != NONE)
        h->leaf[x->next].prev = at;
    h->lists[order] = at;
}

static void unlink_piece(struct simt_heap *h, int32_t at)
{
    struct heap_leaf *x = &h->leaf[at];
    if (x->prev != NONE)
        h->leaf[x->prev].next = x->next;
    else
        h->lists[x->size - 1] = x->next;
    if (x->next != NONE)
        h->leaf[x->next].prev = x->prev;
    x->free = false;
}

struct simt_heap *simt_heap_create(uint64_t base, size_t size)
{
    struct simt_heap *h = alloc_zero(1, sizeof *h);
    size_t leaves = MIN(size >> LEAF_LOG, (size_t) INT32_MAX);
    if (!h || !(h->leaf = alloc_zero(MAX(leaves, 1), sizeof *h->leaf))) {
        alloc_free(h);
        return NULL;
    }
    h->base = base;
    h->leaves = (int32_t) leaves;
    for (int k = 0; k < ORDERS; k++)
        h->lists[k] = NONE;
    for (int32_t at = 0; at < h->leaves;) {
        int order = 0;
        while (!(at >> order & 1) && order < 30 && at + ((int64_t) 2 << order) <= h->leaves)
            order++;
        push(h, at, order);
        at += 1 << order;
    }
    return h;
}

void simt_heap_destroy(struct simt_heap *h)
{
    if (!h)
        return;
    alloc_free(h->leaf);
    alloc_free(h);
}

uint64_t simt_heap_alloc(struct simt_heap *h, uint64_t size)
{
    if (!size || size > (uint64_t) h->leaves << LEAF_LOG)
        return 0;
    int order = 0;
    while ((UINT64_C(1) << (order + LEAF_LOG)) < size)
        order++;
    int from = order;
    while (from < ORDERS && h->lists[from] == NONE)
        from++;
    if (from == ORDERS)
        return 0;
    int32_t at = h->lists[from];
    unlink_piece(h, at);
    while (from > order) {
        from--;
        push(h, at + (1 << from), from);
    }
    h->leaf[at].size = (int8_t) (order + 1);
    return h->base + ((uint64_t) at << LEAF_LOG);
}

bool simt_heap_free(struct simt_heap *h, uint64_t address)
{
    uint64_t off = address - h->base;
    if (off >> LEAF_LOG >= (uint64_t) h->leaves || off & ((1 << LEAF_LOG) - 1))
        return false;
    int32_t at = (int32_t) (off >> LEAF_LOG);
    int order = h->leaf[at].size - 1;
    if (order < 0 || h->leaf[at].free)
        return false;
    for (;;) {
        int64_t buddy = (int64_t) at ^ (INT64_C(1) << order);
        if (buddy + (INT64_C(1) << order) > h->leaves || !h->leaf[buddy].free ||
            h->leaf[buddy].size != order + 1)
            break;
        unlink_piece(h, (int32_t) buddy);
        h->leaf[MAX(at, (int32_t) buddy)].size = 0;
        at = MIN(at, (int32_t) buddy);
        order++;
    }
    push(h, at, order);
    return true;
}

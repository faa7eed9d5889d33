/* Slabs and their free parts, and the pages they are made of. Not here: what lies in them
 * (space.c). */
#include "simt/slab.h"

#include <string.h>
#include <sys/mman.h>

enum { UNIT = SLAB_UNIT, PAGE = 4096 };

void *simt_pages(size_t size, bool low)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *p;
#ifdef MAP_32BIT
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | (low ? MAP_32BIT : 0), -1, 0);
#else
    p = MAP_FAILED;
    for (uint64_t at = 0x10000000; low && p == MAP_FAILED && at + size <= 0x80000000; at += 1 << 24)
        p = mmap((void *) (uintptr_t) at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE,
                 -1, 0);
    if (!low)
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
#endif
    return p == MAP_FAILED ? NULL : p;
}

static bool add_slab(struct slabs *s)
{
    if (!vec_room(&s->all) || !vec_room(&s->holes))
        return false;
    void *p = simt_pages(SLAB_SIZE, false);
    if (!p)
        return false;
    s->all.at[s->all.len++] = (struct slab){p, NULL};
    size_t i = 0;
    while (i < s->holes.len && s->holes.at[i].base < (uintptr_t) p)
        i++;
    memmove(&s->holes.at[i + 1], &s->holes.at[i], (s->holes.len - i) * sizeof *s->holes.at);
    /* The first unit stays free: a slab may follow right after another. */
    s->holes.at[i] = (struct extent){(uintptr_t) p + UNIT, SLAB_SIZE - UNIT};
    s->holes.len++;
    return true;
}

/* The smallest hole that is large enough. 0: none. */
static uint64_t cut(struct slabs *s, size_t size)
{
    struct extent *best = NULL;
    for (size_t i = 0; i < s->holes.len; i++) {
        struct extent *x = &s->holes.at[i];
        if (x->size >= size && (!best || x->size < best->size))
            best = x;
    }
    if (!best)
        return 0;
    uint64_t base = best->base;
    best->base += size;
    best->size -= size;
    if (!best->size) {
        size_t i = (size_t) (best - s->holes.at);
        s->holes.len--;
        memmove(best, best + 1, (s->holes.len - i) * sizeof *best);
    }
    return base;
}

/* Whole pages that nobody uses take no memory. */
static void clear(struct slabs *s, uint64_t from, uint64_t to)
{
    const struct slab *slab = slabs_find(s, from);
    if (slab && slab->shm)
        shm_clear((void *) (uintptr_t) from, to - from);
    else
        madvise((void *) (uintptr_t) from, to - from, MADV_DONTNEED);
}

void slabs_fill(struct slabs *s, uint64_t base, size_t size)
{
    size_t i = 0;
    while (i < s->holes.len && s->holes.at[i].base < base)
        i++;
    struct extent *x = s->holes.at + i;
    bool joins_left = i && x[-1].base + x[-1].size == base;
    bool joins_right = i < s->holes.len && base + size == x->base;
    if (joins_left && joins_right) {
        x[-1].size += size + x->size;
        s->holes.len--;
        memmove(x, x + 1, (s->holes.len - i) * sizeof *x);
    } else if (joins_left) {
        x[-1].size += size;
    } else if (joins_right) {
        x->base = base;
        x->size += size;
    } else {
        memmove(x + 1, x, (s->holes.len - i) * sizeof *x);
        *x = (struct extent){base, size};
        s->holes.len++;
    }
    if (size >= 16 * PAGE)
        clear(s, ALIGN_UP(base, PAGE), (base + size) & ~(uint64_t) (PAGE - 1));
}

uint64_t slabs_cut(struct slabs *s, size_t size)
{
    uint64_t base = cut(s, size);
    return base || !add_slab(s) ? base : cut(s, size);
}

bool slabs_reserve(struct slabs *s, size_t most)
{
    while (s->holes.cap < s->holes.len + most + 1)
        if (!vec_grow_((void **) &s->holes.at, &s->holes.cap, s->holes.cap, sizeof *s->holes.at))
            return false;
    return true;
}

struct slab *slabs_find(struct slabs *s, uint64_t address)
{
    for (size_t i = 0; i < s->all.len; i++)
        if (address - (uintptr_t) s->all.at[i].at < SLAB_SIZE)
            return &s->all.at[i];
    return NULL;
}

void slabs_fini(struct slabs *s)
{
    for (size_t i = 0; i < s->all.len; i++) {
        munmap(s->all.at[i].at, SLAB_SIZE);
        shm_destroy(&s->all.at[i].shm);
    }
    vec_fini(&s->holes);
    vec_fini(&s->all);
}

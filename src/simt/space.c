/* Device memory: which ranges are live, and where their memory comes from. Large allocations are
 * mappings of their own, small ones share slabs; between any two there is a gap, so that running
 * past an end never meets a neighbour. Not here: the kernels' malloc (heap.c), limits by total size
 * (the caller's). */
#include "simt/space.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/vec.h"
#include "simt/slab.h"

enum {
    UNIT = SLAB_UNIT, /* alignment of allocations, and the gap between them */
    LARGE = 1 << 20,  /* from here on an allocation has its own mapping */
    PAGE = 4096,
    HUGE_PAGE = 2 << 20,
    GONE = 64, /* freed ranges remembered for faults */
    LENT = 64, /* page runs kept for the next borrower */
};

struct entry {
    struct simt_range range;
    void *map; /* its own mapping; NULL: units of a slab, or somebody else's memory */
    size_t mapped;
    struct shm *shm;   /* other processes may open the mapping */
    size_t slab_bytes; /* 0: not in a slab */
};

/* What readers search: immutable once published. */
struct snapshot {
    struct snapshot *next; /* of those retired */
    size_t count;
    struct simt_hit at[];
};

struct pages {
    void *at;
    size_t size;
    bool low;
};

/* What readers may still look at. There are two: readers that come now count in one of them, and
 * what is freed now is kept there, until those of the other have gone and the two change places;
 * then that one is emptied as soon as its own readers have gone. So somebody always being there
 * keeps nothing for ever. */
struct epoch {
    size_t readers;
    VEC(struct entry) dead;
    struct snapshot *retired;
};

struct simt_space {
    pthread_mutex_t lock;
    _Atomic(struct snapshot *) fresh; /* NULL: the live ranges have changed since the last one */
    struct epoch epochs[2];
    unsigned epoch;           /* the one that readers enter */
    VEC(struct entry) live;   /* by base */
    struct slabs slabs;
    struct simt_range gone[GONE];
    size_t gone_next;
    uint64_t serial;
    struct simt_heap *heap;
    uint64_t heap_base;
    size_t heap_size;
    struct pages lent[LENT]; /* given back and kept */
    size_t lent_count;
};

/* ---- the table of live ranges; the lock is held ---- */

/* Index of the first entry whose base is above the address. */
static size_t above(const struct simt_space *s, uint64_t address)
{
    size_t lo = 0, hi = s->live.len;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->live.at[mid].range.base <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct entry *find(const struct simt_space *s, uint64_t address)
{
    size_t i = above(s, address);
    if (!i)
        return NULL;
    struct entry *e = &s->live.at[i - 1];
    return address - e->range.base < e->range.size ? e : NULL;
}

/* Readers look for a new snapshot; the old one lives until they have gone. */
static void outdate(struct simt_space *s)
{
    struct snapshot *old = atomic_exchange(&s->fresh, NULL);
    if (old) {
        old->next = s->epochs[s->epoch].retired;
        s->epochs[s->epoch].retired = old;
    }
}

/* False when memory is short or another live range is in the way. */
static bool insert(struct simt_space *s, const struct entry *e)
{
    size_t i = above(s, e->range.base);
    if (i && e->range.base - s->live.at[i - 1].range.base < s->live.at[i - 1].range.size)
        return false;
    if (i < s->live.len && s->live.at[i].range.base - e->range.base < e->range.size)
        return false;
    if (!vec_room(&s->live))
        return false;
    memmove(&s->live.at[i + 1], &s->live.at[i], (s->live.len - i) * sizeof *s->live.at);
    s->live.at[i] = *e;
    s->live.at[i].range.serial = ++s->serial;
    s->live.len++;
    outdate(s);
    return true;
}

static void take_out(struct simt_space *s, struct entry *e)
{
    struct simt_range *r = &s->gone[s->gone_next++ % GONE];
    *r = e->range;
    r->name = NULL;
    size_t i = (size_t) (e - s->live.at);
    s->live.len--;
    memmove(&s->live.at[i], &s->live.at[i + 1], (s->live.len - i) * sizeof *s->live.at);
    outdate(s);
}

/* ---- placing; the lock is held ---- */

/* Room for what freeing each live allocation leaves, so that freeing cannot fail. */
static bool reserve(struct simt_space *s)
{
    size_t most = s->live.len + s->epochs[0].dead.len + s->epochs[1].dead.len + 1;
    if (!slabs_reserve(&s->slabs, most))
        return false;
    for (struct epoch *x = s->epochs; x < s->epochs + 2; x++) {
        while (x->dead.cap < most) {
            if (!vec_grow_((void **) &x->dead.at, &x->dead.cap, x->dead.cap, sizeof *x->dead.at))
                return false;
        }
    }
    return true;
}

static bool place_small(struct simt_space *s, struct entry *e)
{
    e->slab_bytes = ALIGN_UP(e->range.size, UNIT) + UNIT;
    e->range.base = slabs_cut(&s->slabs, e->slab_bytes);
    return e->range.base != 0;
}

static bool place_large(struct entry *e)
{
    size_t align = e->range.size >= 2 * (size_t) HUGE_PAGE ? HUGE_PAGE : PAGE;
    e->mapped = ALIGN_UP(e->range.size, PAGE) + align + 2 * PAGE;
    e->map = simt_pages(e->mapped, false);
    if (!e->map)
        return false;
    e->range.base = ALIGN_UP((uintptr_t) e->map + PAGE, align);
    if (align == HUGE_PAGE)
        madvise((void *) (uintptr_t) e->range.base, e->range.size, MADV_HUGEPAGE);
    return true;
}

static void unplace(struct simt_space *s, struct entry *e)
{
    if (e->map)
        munmap(e->map, e->mapped);
    else if (e->slab_bytes)
        slabs_fill(&s->slabs, e->range.base, e->slab_bytes);
    if (e->range.gone)
        e->range.gone(e->range.owner);
}

static void empty(struct simt_space *s, struct epoch *x)
{
    for (size_t i = 0; i < x->dead.len; i++)
        unplace(s, &x->dead.at[i]);
    x->dead.len = 0;
    while (x->retired) {
        struct snapshot *old = x->retired;
        x->retired = old->next;
        alloc_free(old);
    }
}

/* Gives back what nobody can be looking at. */
static void tidy(struct simt_space *s)
{
    for (int turn = 0; turn < 2 && !s->epochs[s->epoch ^ 1].readers; turn++) {
        const struct epoch *now = &s->epochs[s->epoch];
        empty(s, &s->epochs[s->epoch ^ 1]);
        if (now->dead.len || now->retired)
            s->epoch ^= 1;
    }
}

/* Nobody who knew of the allocation opens it from now on. */
static void hide(struct simt_space *s, struct entry *e)
{
    struct slab *slab = e->slab_bytes ? slabs_find(&s->slabs, e->range.base) : NULL;
    if (slab && slab->shm)
        shm_forget(slab->shm, e->range.base - (uintptr_t) slab->at);
    shm_destroy(&e->shm);
}

/* Kernels find it no more; what is behind it goes later. */
static void bury(struct simt_space *s, struct entry *e)
{
    hide(s, e);
    struct epoch *now = &s->epochs[s->epoch];
    now->dead.at[now->dead.len++] = *e;
    take_out(s, e);
}

static int alloc_locked(struct simt_space *s, size_t size, uint64_t *out)
{
    struct entry e = {.range = {.size = size, .kind = SIMT_RANGE_HEAP}};
    if (!vec_room(&s->live) || !reserve(s) ||
        !(size < LARGE ? place_small(s, &e) : place_large(&e)))
        return -1;
    if (!insert(s, &e)) {
        unplace(s, &e);
        return -1;
    }
    *out = e.range.base;
    return 0;
}

/* ---- other processes ---- */

static bool share(struct simt_space *s, struct entry *e, struct simt_share *out)
{
    struct slab *slab = e->slab_bytes ? slabs_find(&s->slabs, e->range.base) : NULL;
    struct shm **shm = slab ? &slab->shm : &e->shm;
    void *at = slab ? slab->at : e->map;
    size_t size = slab ? SLAB_SIZE : e->mapped;
    if (!at || (!*shm && !(*shm = shm_take(at, size))))
        return false;
    out->offset = e->range.base - (uintptr_t) at;
    out->bytes = e->range.size;
    out->size = size;
    out->fd = (*shm)->fd;
    out->token = shm_token(*shm, out->offset);
    return out->token != 0;
}

bool simt_space_is_shared(struct simt_space *space, uint64_t base)
{
    pthread_mutex_lock(&space->lock);
    const struct entry *e = find(space, base);
    const struct slab *slab = e && e->slab_bytes ? slabs_find(&space->slabs, base) : NULL;
    bool yes = slab ? slab->shm != NULL : e && e->shm;
    pthread_mutex_unlock(&space->lock);
    return yes;
}

int simt_space_share(struct simt_space *space, uint64_t base, struct simt_share *out)
{
    pthread_mutex_lock(&space->lock);
    struct entry *e = find(space, base);
    bool ok = e && e->range.kind == SIMT_RANGE_HEAP && share(space, e, out);
    pthread_mutex_unlock(&space->lock);
    return ok ? 0 : -1;
}

/* Calls visit(shm, at, size) for everything that is shared; false if one call was. */
static bool each_shared(struct simt_space *s, bool (*visit)(struct shm *shm, void *at, size_t size))
{
    bool ok = true;
    for (size_t i = 0; i < s->slabs.all.len; i++) {
        struct slab *slab = &s->slabs.all.at[i];
        if (slab->shm)
            ok &= visit(slab->shm, slab->at, SLAB_SIZE);
    }
    for (size_t i = 0; i < s->live.len; i++) {
        struct entry *e = &s->live.at[i];
        if (e->shm)
            ok &= visit(e->shm, e->map, e->mapped);
    }
    return ok;
}

static bool copy(struct shm *shm, void *at, size_t size)
{
    (void) at, (void) size;
    shm_before_fork(shm);
    return true;
}

static bool drop_copy(struct shm *shm, void *at, size_t size)
{
    (void) at, (void) size;
    shm_after_fork_in_parent(shm);
    return true;
}

static bool use_copy(struct shm *shm, void *at, size_t size)
{
    bool ok = shm_after_fork_in_child(shm);
    return shm_map(shm, at, 0, size) && ok;
}

void simt_space_before_fork(struct simt_space *space)
{
    pthread_mutex_lock(&space->lock);
    each_shared(space, copy);
}

void simt_space_after_fork_in_parent(struct simt_space *space)
{
    each_shared(space, drop_copy);
    pthread_mutex_unlock(&space->lock);
}

bool simt_space_after_fork_in_child(struct simt_space *space)
{
    bool ok = each_shared(space, use_copy);
    pthread_mutex_unlock(&space->lock);
    return ok;
}

/* ---- the door ---- */

int simt_space_create(struct simt_space **out)
{
    struct simt_space *s = alloc_zero(1, sizeof *s);
    if (!s)
        return -1;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return 0;
}

void simt_space_destroy(struct simt_space **space)
{
    struct simt_space *s = *space;
    if (!s)
        return;
    *space = NULL;
    outdate(s);
    empty(s, &s->epochs[0]);
    empty(s, &s->epochs[1]);
    for (size_t i = 0; i < s->live.len; i++) {
        s->live.at[i].slab_bytes = 0; /* goes with its slab */
        shm_destroy(&s->live.at[i].shm);
        unplace(s, &s->live.at[i]);
    }
    for (size_t i = 0; i < s->lent_count; i++)
        munmap(s->lent[i].at, s->lent[i].size);
    simt_heap_destroy(s->heap);
    if (s->heap_base)
        munmap((void *) (uintptr_t) s->heap_base, s->heap_size);
    vec_fini(&s->epochs[0].dead);
    vec_fini(&s->epochs[1].dead);
    vec_fini(&s->live);
    slabs_fini(&s->slabs);
    pthread_mutex_destroy(&s->lock);
    alloc_free(s);
}

int simt_space_alloc(struct simt_space *space, size_t size, uint64_t *out)
{
    if (!size || size >= (size_t) 1 << 46)
        return -1;
    pthread_mutex_lock(&space->lock);
    int rc = alloc_locked(space, size, out);
    tidy(space);
    pthread_mutex_unlock(&space->lock);
    return rc;
}

void simt_space_own(struct simt_space *space, uint64_t base, void (*gone)(void *), void *owner)
{
    pthread_mutex_lock(&space->lock);
    struct entry *e = find(space, base);
    if (e) {
        e->range.gone = gone;
        e->range.owner = owner;
    }
    pthread_mutex_unlock(&space->lock);
}

int simt_space_free(struct simt_space *space, uint64_t base)
{
    pthread_mutex_lock(&space->lock);
    struct entry *e = find(space, base);
    int rc = e && e->range.base == base && e->range.kind == SIMT_RANGE_HEAP ? 0 : -1;
    if (!rc) {
        bury(space, e);
        tidy(space);
    }
    pthread_mutex_unlock(&space->lock);
    return rc;
}

int simt_space_map(struct simt_space *space, const struct simt_range *range)
{
    struct entry e = {.range = *range};
    if (!range->size || range->base + range->size < range->base)
        return -1;
    pthread_mutex_lock(&space->lock);
    bool ok = reserve(space) && insert(space, &e);
    tidy(space);
    pthread_mutex_unlock(&space->lock);
    return ok ? 0 : -1;
}

int simt_space_unmap(struct simt_space *space, uint64_t base)
{
    pthread_mutex_lock(&space->lock);
    struct entry *e = find(space, base);
    int rc = e && e->range.base == base && e->range.kind != SIMT_RANGE_HEAP ? 0 : -1;
    if (!rc)
        bury(space, e);
    tidy(space);
    pthread_mutex_unlock(&space->lock);
    return rc;
}

bool simt_space_find(struct simt_space *space, uint64_t address, struct simt_range *out)
{
    pthread_mutex_lock(&space->lock);
    const struct entry *e = find(space, address);
    if (e)
        *out = e->range;
    pthread_mutex_unlock(&space->lock);
    return e != NULL;
}

/* Mapped ranges that follow one another are as good as one. */
static bool holds(const struct simt_space *s, uint64_t address, size_t size)
{
    const struct entry *e = find(s, address);
    while (e && size > e->range.size - (address - e->range.base)) {
        size -= e->range.size - (address - e->range.base);
        address = e->range.base + e->range.size;
        bool goes_on = (e->range.kind & ~SIMT_READ_ONLY) == SIMT_RANGE_MAPPED;
        e = goes_on ? find(s, address) : NULL;
        if (e && (e->range.kind & ~SIMT_READ_ONLY) != SIMT_RANGE_MAPPED)
            e = NULL;
    }
    return e != NULL;
}

bool simt_space_holds(struct simt_space *space, uint64_t address, size_t size)
{
    pthread_mutex_lock(&space->lock);
    bool yes = holds(space, address, size);
    pthread_mutex_unlock(&space->lock);
    return yes;
}

/* ---- for gangs and faults ---- */

unsigned simt_space_enter(struct simt_space *space)
{
    pthread_mutex_lock(&space->lock);
    unsigned epoch = space->epoch;
    space->epochs[epoch].readers++;
    pthread_mutex_unlock(&space->lock);
    return epoch;
}

void simt_space_leave(struct simt_space *space, unsigned epoch)
{
    pthread_mutex_lock(&space->lock);
    space->epochs[epoch].readers--;
    tidy(space);
    pthread_mutex_unlock(&space->lock);
}

static struct snapshot *publish(struct simt_space *s)
{
    pthread_mutex_lock(&s->lock);
    struct snapshot *n = atomic_load(&s->fresh);
    if (!n && (n = alloc_new(sizeof *n + s->live.len * sizeof n->at[0]))) {
        n->count = s->live.len;
        for (size_t i = 0; i < n->count; i++) {
            const struct simt_range *r = &s->live.at[i].range;
            n->at[i] = (struct simt_hit){r->base, r->size, r->kind};
        }
        atomic_store(&s->fresh, n);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* Without a snapshot, for want of memory, the table itself. */
static bool probe_locked(struct simt_space *s, uint64_t address, struct simt_hit *out)
{
    struct simt_range r;
    if (!simt_space_find(s, address, &r))
        return false;
    *out = (struct simt_hit){r.base, r.size, r.kind};
    return true;
}

bool simt_space_probe(struct simt_space *space, uint64_t address, struct simt_hit *out)
{
    const struct snapshot *n = atomic_load_explicit(&space->fresh, memory_order_acquire);
    if (!n && !(n = publish(space)))
        return probe_locked(space, address, out);
    size_t lo = 0, hi = n->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (n->at[mid].base <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!lo || address - n->at[lo - 1].base >= n->at[lo - 1].size)
        return false;
    *out = n->at[lo - 1];
    return true;
}

bool simt_space_nearest(struct simt_space *space, uint64_t address, uint64_t reach,
                        struct simt_range *out)
{
    uint64_t best = UINT64_MAX;
    pthread_mutex_lock(&space->lock);
    size_t i = above(space, address);
    if (i) {
        const struct simt_range *r = &space->live.at[i - 1].range;
        best = address - r->base < r->size ? 0 : address - (r->base + r->size);
        *out = *r;
    }
    if (i < space->live.len && space->live.at[i].range.base - address < best) {
        *out = space->live.at[i].range;
        best = out->base - address;
    }
    pthread_mutex_unlock(&space->lock);
    return best <= reach && best != UINT64_MAX;
}

bool simt_space_freed(struct simt_space *space, uint64_t address, struct simt_range *out)
{
    bool found = false;
    pthread_mutex_lock(&space->lock);
    for (size_t k = 1; !find(space, address) && !found && k <= MIN(space->gone_next, GONE); k++) {
        const struct simt_range *r = &space->gone[(space->gone_next - k) % GONE];
        found = address - r->base < r->size;
        if (found)
            *out = *r;
    }
    pthread_mutex_unlock(&space->lock);
    return found;
}

/* ---- pages for blocks ---- */

void *simt_space_lend(struct simt_space *space, size_t size, bool low)
{
    void *p = NULL;
    pthread_mutex_lock(&space->lock);
    for (size_t i = 0; i < space->lent_count && !p; i++) {
        if (space->lent[i].size != size || space->lent[i].low != low)
            continue;
        p = space->lent[i].at;
        space->lent[i] = space->lent[--space->lent_count];
    }
    pthread_mutex_unlock(&space->lock);
    return p ? p : simt_pages(size, low);
}

void simt_space_return(struct simt_space *space, void *pages, size_t size, bool low)
{
    pthread_mutex_lock(&space->lock);
    bool keep = space->lent_count < LENT;
    if (keep)
        space->lent[space->lent_count++] = (struct pages){pages, size, low};
    pthread_mutex_unlock(&space->lock);
    if (!keep)
        munmap(pages, size);
}

/* ---- the kernels' malloc ---- */

static void make_heap(struct simt_space *s, size_t size)
{
    void *p = simt_pages(size, false);
    if (!p)
        return;
    struct entry e = {.range = {.base = (uintptr_t) p,
                                .size = size,
                                .kind = SIMT_RANGE_HOST,
                                .name = "heap of the kernels' malloc"}};
    s->heap = simt_heap_create(e.range.base, size);
    if (!s->heap || !insert(s, &e)) {
        simt_heap_destroy(s->heap);
        s->heap = NULL;
        munmap(p, size);
        return;
    }
    s->heap_base = e.range.base;
    s->heap_size = size;
}

uint64_t simt_space_malloc(struct simt_space *space, uint64_t size, size_t heap_size)
{
    pthread_mutex_lock(&space->lock);
    if (!space->heap)
        make_heap(space, ALIGN_UP(heap_size, PAGE));
    uint64_t p = space->heap ? simt_heap_alloc(space->heap, size) : 0;
    pthread_mutex_unlock(&space->lock);
    return p;
}

bool simt_space_mfree(struct simt_space *space, uint64_t address)
{
    pthread_mutex_lock(&space->lock);
    bool ok = space->heap && simt_heap_free(space->heap, address);
    pthread_mutex_unlock(&space->lock);
    return ok;
}

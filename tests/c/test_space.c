/* Device memory: which addresses are live, what frees leave behind, and the allocators beneath. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "simt/space.h"
#include "test.h"

static struct simt_space *new_space(void)
{
    struct simt_space *s = NULL;
    REQUIRE(simt_space_create(&s) == 0);
    return s;
}

static bool is_mapped(uint64_t page)
{
    unsigned char resident;
    return mincore((void *) (uintptr_t) page, 1, &resident) == 0;
}

static void ranges_are_exact(void)
{
    static const size_t sizes[] = {1, 511, 512, 513, 4000, 100000, 1 << 20, (5 << 20) + 7};
    struct simt_space *s = new_space();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t p;
        REQUIRE(simt_space_alloc(s, sizes[i], &p) == 0);
        REQUIRE(p % 512 == 0);
        REQUIRE(simt_space_holds(s, p, sizes[i]));
        REQUIRE(!simt_space_holds(s, p, sizes[i] + 1));
        REQUIRE(!simt_space_holds(s, p - 1, 1));
        REQUIRE(!simt_space_holds(s, p + sizes[i], 1));
        memset((void *) (uintptr_t) p, 1, sizes[i]);
    }
    simt_space_destroy(&s);
    REQUIRE(s == NULL);
}

/* Running past an end by less than a warp's worth of vectors must never meet a neighbour. */
static void neighbours_have_a_gap(void)
{
    struct simt_space *s = new_space();
    uint64_t p[200];
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        REQUIRE(simt_space_alloc(s, 512, &p[i]) == 0);
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        for (uint64_t past = 0; past < 512; past += 16)
            REQUIRE(!simt_space_holds(s, p[i] + 512 + past, 1));
    simt_space_destroy(&s);
}

static void freed_memory_is_known_as_freed(void)
{
    struct simt_space *s = new_space();
    struct simt_range r;
    uint64_t p, q;
    REQUIRE(simt_space_alloc(s, 1000, &p) == 0);
    REQUIRE(simt_space_alloc(s, 1000, &q) == 0);
    REQUIRE(!simt_space_freed(s, p, &r));
    REQUIRE(simt_space_free(s, p + 8) == -1);
    REQUIRE(simt_space_free(s, p) == 0);
    REQUIRE(simt_space_free(s, p) == -1);
    REQUIRE(simt_space_freed(s, p + 999, &r));
    REQUIRE(r.base == p && r.size == 1000);
    REQUIRE(!simt_space_freed(s, q, &r));
    REQUIRE(simt_space_alloc(s, 1000, &p) == 0);
    REQUIRE(!simt_space_freed(s, p, &r));
    simt_space_destroy(&s);
}

static void memory_is_used_again(void)
{
    struct simt_space *s = new_space();
    uint64_t p[64], first = 0, last = 0;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < ARRAY_LEN(p); i++) {
            REQUIRE(simt_space_alloc(s, 3000 + 500 * i, &p[i]) == 0);
            if (round == 0) {
                first = i ? MIN(first, p[i]) : p[i];
                last = MAX(last, p[i]);
            }
            REQUIRE(p[i] >= first && p[i] <= last);
        }
        for (size_t i = 0; i < ARRAY_LEN(p); i++)
            REQUIRE(simt_space_free(s, p[(i * 37 + (size_t) round) % ARRAY_LEN(p)]) == 0);
    }
    simt_space_destroy(&s);
}

static void the_nearest_range_is_found(void)
{
    struct simt_space *s = new_space();
    struct simt_range r;
    uint64_t p;
    REQUIRE(!simt_space_nearest(s, 4096, UINT64_MAX, &r));
    REQUIRE(simt_space_alloc(s, 4000, &p) == 0);
    REQUIRE(simt_space_nearest(s, p + 4008, 64, &r) && r.base == p);
    REQUIRE(!simt_space_nearest(s, p + 4008, 4, &r));
    REQUIRE(simt_space_nearest(s, p - 8, 64, &r) && r.base == p);
    REQUIRE(simt_space_nearest(s, p + 17, 0, &r) && r.base == p);
    simt_space_destroy(&s);
}

static void foreign_memory_can_be_mapped(void)
{
    static char host[100];
    struct simt_space *s = new_space();
    struct simt_range r = {
        .base = (uintptr_t) host, .size = sizeof host, .kind = SIMT_RANGE_HOST, .name = "host"};
    REQUIRE(simt_space_map(s, &r) == 0);
    REQUIRE(simt_space_map(s, &r) == -1);
    struct simt_range part = {.base = r.base + 50, .size = 100, .kind = SIMT_RANGE_HOST};
    REQUIRE(simt_space_map(s, &part) == -1);
    REQUIRE(simt_space_free(s, r.base) == -1);
    struct simt_range found;
    REQUIRE(simt_space_find(s, r.base + 99, &found));
    REQUIRE(strcmp(found.name, "host") == 0);
    REQUIRE(simt_space_unmap(s, r.base) == 0);
    REQUIRE(simt_space_unmap(s, r.base) == -1);
    simt_space_destroy(&s);
}

static void sizes_that_cannot_be_are_refused(void)
{
    struct simt_space *s = new_space();
    uint64_t p = 7;
    REQUIRE(simt_space_alloc(s, 0, &p) == -1);
    REQUIRE(simt_space_alloc(s, SIZE_MAX, &p) == -1);
    REQUIRE(simt_space_alloc(s, SIZE_MAX - 600, &p) == -1);
    REQUIRE(p == 7);
    struct simt_range wraps = {.base = UINT64_MAX - 5, .size = 10, .kind = SIMT_RANGE_HOST};
    REQUIRE(simt_space_map(s, &wraps) == -1);
    simt_space_destroy(&s);
}

static void reading_a_gigabyte_costs_nothing_until_touched(void)
{
    struct simt_space *s = new_space();
    uint64_t p;
    REQUIRE(simt_space_alloc(s, (size_t) 1 << 34, &p) == 0);
    *(volatile char *) (uintptr_t) (p + ((size_t) 1 << 33)) = 1;
    REQUIRE(simt_space_free(s, p) == 0);
    simt_space_destroy(&s);
}

/* Probes while another thread allocates and frees: what is live throughout is always found. */
struct prober {
    struct simt_space *space;
    uint64_t steady;
    size_t wrong;
};

static void *probe(void *arg)
{
    struct prober *p = arg;
    for (int i = 0; i < 20000; i++) {
        struct simt_hit hit;
        p->wrong += !simt_space_probe(p->space, p->steady + 5, &hit) || hit.base != p->steady ||
                    hit.size != 4096;
    }
    return NULL;
}

static void probes_need_no_lock(void)
{
    struct simt_space *s = new_space();
    struct prober p = {.space = s};
    pthread_t thread;
    REQUIRE(simt_space_alloc(s, 4096, &p.steady) == 0);
    unsigned epoch = simt_space_enter(s);
    REQUIRE(pthread_create(&thread, NULL, probe, &p) == 0);
    for (int i = 0; i < 500; i++) {
        uint64_t q;
        REQUIRE(simt_space_alloc(s, 4096, &q) == 0);
        REQUIRE(simt_space_free(s, q) == 0);
    }
    pthread_join(thread, NULL);
    simt_space_leave(s, epoch);
    REQUIRE(p.wrong == 0);
    simt_space_destroy(&s);
}

/* Memory that somebody may be looking at stays, however many come and go meanwhile; nobody who came
 * later keeps it. */
static void freed_memory_waits_for_earlier_readers(void)
{
    struct simt_space *s = new_space();
    struct simt_range r;
    uint64_t p, q;
    REQUIRE(simt_space_alloc(s, 4 << 20, &p) == 0);
    unsigned early = simt_space_enter(s);
    REQUIRE(simt_space_free(s, p) == 0);
    REQUIRE(!simt_space_find(s, p, &r));
    *(volatile char *) (uintptr_t) p = 1;
    unsigned late = simt_space_enter(s);
    *(volatile char *) (uintptr_t) p = 2;
    simt_space_leave(s, early);
    REQUIRE(!is_mapped(p));
    /* One always overlaps with the next: none holds back what was freed before it came. */
    for (int i = 0; i < 50; i++) {
        REQUIRE(simt_space_alloc(s, 4 << 20, &q) == 0);
        REQUIRE(simt_space_free(s, q) == 0);
        REQUIRE(is_mapped(q));
        unsigned next = simt_space_enter(s);
        simt_space_leave(s, late);
        REQUIRE(!is_mapped(q));
        late = next;
    }
    simt_space_leave(s, late);
    simt_space_destroy(&s);
}

static void lent_pages_come_back(void)
{
    struct simt_space *s = new_space();
    void *a = simt_space_lend(s, 65536, false), *low = simt_space_lend(s, 4096, true);
    REQUIRE(a && low);
    REQUIRE((uintptr_t) low < UINT64_C(1) << 31);
    simt_space_return(s, a, 65536, false);
    REQUIRE(simt_space_lend(s, 65536, false) == a);
    simt_space_return(s, a, 65536, false);
    simt_space_return(s, low, 4096, true);
    simt_space_destroy(&s);
}

static void kernels_malloc_splits_and_joins(void)
{
    struct simt_heap *h = simt_heap_create(1 << 20, 1 << 20);
    uint64_t p[4096];
    REQUIRE(h != NULL);
    for (int round = 0; round < 3; round++) {
        size_t n = 0;
        while (n < ARRAY_LEN(p) && (p[n] = simt_heap_alloc(h, 1 + n * 7919 % 900)))
            n++;
        REQUIRE(n > 1000 && n < ARRAY_LEN(p));
        for (size_t i = 0; i < n; i++) {
            REQUIRE(p[i] % 16 == 0);
            REQUIRE(!simt_heap_free(h, p[i] + 16));
            REQUIRE(simt_heap_free(h, p[i]));
            REQUIRE(!simt_heap_free(h, p[i]));
        }
    }
    REQUIRE(simt_heap_alloc(h, 1 << 20) == 1 << 20);
    REQUIRE(simt_heap_alloc(h, 1) == 0);
    REQUIRE(!simt_heap_free(h, 5));
    REQUIRE(simt_heap_free(h, 1 << 20));
    REQUIRE(simt_heap_alloc(h, 0) == 0);
    REQUIRE(simt_heap_alloc(h, UINT64_MAX) == 0);
    simt_heap_destroy(h);
}

static void short_memory_is_reported(void)
{
    for (size_t n = 1; n < 30; n++) {
        struct simt_space *s = NULL;
        uint64_t p, q;
        alloc_fail_at(n);
        bool made = simt_space_create(&s) == 0;
        bool a = made && simt_space_alloc(s, 1000, &p) == 0;
        bool b = made && simt_space_alloc(s, 1 << 21, &q) == 0;
        bool m = made && simt_space_malloc(s, 100, 1 << 16) != 0;
        struct simt_hit hit;
        bool found = a && simt_space_probe(s, p, &hit);
        alloc_fail_at(0);
        REQUIRE(found == a);
        simt_space_destroy(&s);
        if (made && a && b && m)
            return;
    }
    REQUIRE(!"allocation never succeeded");
}

int main(void)
{
    RUN(ranges_are_exact);
    RUN(neighbours_have_a_gap);
    RUN(freed_memory_is_known_as_freed);
    RUN(memory_is_used_again);
    RUN(the_nearest_range_is_found);
    RUN(foreign_memory_can_be_mapped);
    RUN(sizes_that_cannot_be_are_refused);
    RUN(reading_a_gigabyte_costs_nothing_until_touched);
    RUN(probes_need_no_lock);
    RUN(freed_memory_waits_for_earlier_readers);
    RUN(lent_pages_come_back);
    RUN(kernels_malloc_splits_and_joins);
    RUN(short_memory_is_reported);
    return 0;
}

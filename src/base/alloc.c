/* Heap memory for the whole library: malloc with one counter, by which a test makes the n-th
 * allocation fail. */
#include "alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t fail_at;

static bool fails(void)
{
    if (LIKELY(atomic_load_explicit(&fail_at, memory_order_relaxed) == 0))
        return false;
    /* Counts down to 1 and stays there: once one allocation failed, all do. */
    size_t left = atomic_load(&fail_at);
    while (left > 1 && !atomic_compare_exchange_weak(&fail_at, &left, left - 1))
        ;
    return left == 1;
}

void *alloc_new(size_t size)
{
    return fails() ? NULL : malloc(size ? size : 1);
}

void *alloc_zero(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *alloc_resize(void *p, size_t size)
{
    return fails() ? NULL : realloc(p, size ? size : 1);
}

void *alloc_copy(const void *p, size_t size)
{
    void *out = alloc_new(size);
    if (out && size)
        memcpy(out, p, size);
    return out;
}

char *alloc_string(const char *s)
{
    return alloc_copy(s, strlen(s) + 1);
}

void alloc_free(void *p)
{
    free(p);
}

void alloc_fail_at(size_t n)
{
    atomic_store(&fail_at, n);
}

/* Memory that is freed all at once: chunks of doubling size, bumped from the newest. */
#include "arena.h"

#include <stdalign.h>
#include <string.h>

#include "alloc.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char at[];
};

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20 };

void arena_fini(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        alloc_free(a->chunks);
        a->chunks = next;
    }
}

static bool grow(struct arena *a, size_t need)
{
    size_t size = a->chunks ? MIN(a->chunks->size * 2, (size_t) LARGEST_CHUNK) : FIRST_CHUNK;
    size = MAX(size, need);
    struct arena_chunk *chunk = alloc_new(sizeof *chunk + size);
    if (!chunk)
        return false;
    *chunk = (struct arena_chunk){.next = a->chunks, .size = size};
    a->chunks = chunk;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size = ALIGN_UP(MAX(size, 1), alignof(max_align_t));
    if ((!a->chunks || a->chunks->size - a->chunks->used < size) && !grow(a, size))
        return NULL;
    void *out = a->chunks->at + a->chunks->used;
    a->chunks->used += size;
    return memset(out, 0, size);
}

void *arena_copy(struct arena *a, const void *p, size_t size)
{
    void *out = arena_alloc(a, size);
    if (out && size)
        memcpy(out, p, size);
    return out;
}

char *arena_string(struct arena *a, const char *s, size_t len)
{
    char *out = arena_alloc(a, len + 1);
    if (out && len)
        memcpy(out, s, len);
    return out;
}

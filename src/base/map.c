/* From byte strings to pointers: open addressing, linear probing, FNV-1a, never more than half
 * full. */
#include "map.h"

#include <string.h>

#include "alloc.h"

struct map_slot {
    const char *key;
    size_t len;
    void *value; /* NULL: free */
};

void map_fini(struct map *m)
{
    alloc_free(m->slots);
    *m = (struct map){0};
}

static struct map_slot *find(const struct map *m, const char *key, size_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char) key[i]) * 1099511628211u;
    size_t i = (size_t) (hash ^ hash >> 32) & (m->cap - 1);
    while (m->slots[i].value &&
           !(m->slots[i].len == len && memcmp(m->slots[i].key, key, len) == 0))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static bool grow(struct map *m)
{
    struct map bigger = {.cap = m->cap ? m->cap * 2 : 16, .len = m->len};
    bigger.slots = alloc_zero(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            *find(&bigger, m->slots[i].key, m->slots[i].len) = m->slots[i];
    alloc_free(m->slots);
    *m = bigger;
    return true;
}

bool map_put(struct map *m, const char *key, size_t len, void *value)
{
    if (m->len * 2 >= m->cap && !grow(m))
        return false;
    struct map_slot *slot = find(m, key, len);
    m->len += !slot->value;
    *slot = (struct map_slot){.key = key, .len = len, .value = value};
    return true;
}

void *map_get(const struct map *m, const char *key, size_t len)
{
    return m->cap ? find(m, key, len)->value : NULL;
}

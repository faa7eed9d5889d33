/* From byte strings to pointers. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base.h"

struct map {
    struct map_slot *slots;
    size_t len, cap;
};

/* A zeroed struct is an empty map. Keys are not copied and must outlive the map. Thread-safety:
 * readers only, or one writer. */
void map_fini(struct map *m);
/* Adds or replaces; false when memory is short (the map is unchanged). `value` must not be NULL. */
bool map_put(struct map *m, const char *key, size_t len, void *value);
/* NULL if the key is not there. */
void *map_get(const struct map *m, const char *key, size_t len);

#endif

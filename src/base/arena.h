/* Memory that is freed all at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base.h"

struct arena {
    struct arena_chunk *chunks; /* newest first */
};

/* A zeroed struct is an empty arena. Thread-safety: one thread at a time per arena. */
void arena_fini(struct arena *a);

/* Zeroed memory, aligned for any type, valid until arena_fini; NULL when memory is short. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *p, size_t size);
/* Copies `len` bytes and ends them with a NUL. */
char *arena_string(struct arena *a, const char *s, size_t len);

#endif

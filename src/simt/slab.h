/* Reservations of address space that small allocations share, and the free parts of them. One
 * thread at a time. */
#ifndef SIMT_SLAB_H
#define SIMT_SLAB_H

#include "base/shm.h"
#include "base/vec.h"

enum { SLAB_UNIT = 512, SLAB_SIZE = 32 << 20 };

struct extent {
    uint64_t base, size;
};

struct slab {
    void *at;
    struct shm *shm; /* other processes may open it; NULL: they may not */
};

struct slabs {
    VEC(struct extent) holes; /* free parts, by base */
    VEC(struct slab) all;
};

void slabs_fini(struct slabs *s);
/* Room for the holes that `most` calls of slabs_fill could make, so that these cannot fail. False:
 * memory is short. */
bool slabs_reserve(struct slabs *s, size_t most);
/* Takes a multiple of SLAB_UNIT bytes out of the smallest part that is large enough, or of a new
 * slab. 0: memory is short. */
uint64_t slabs_cut(struct slabs *s, size_t size);
/* Gives them back. */
void slabs_fill(struct slabs *s, uint64_t base, size_t size);
/* The one that holds the address, or NULL. */
struct slab *slabs_find(struct slabs *s, uint64_t address);

/* Pages of zeros, committed when touched; `low`: below 2 GiB. NULL: the system refuses. */
void *simt_pages(size_t size, bool low);

#endif

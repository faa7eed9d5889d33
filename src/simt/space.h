/* Inside the layer: the live ranges of device memory as running gangs and faults see them, the heap
 * of the kernels' own malloc, and pages lent to blocks. */
#ifndef SIMT_SPACE_H
#define SIMT_SPACE_H

#include "simt/simt.h"

/* A live range as a gang remembers it. */
struct simt_hit {
    uint64_t base, size;
    uint8_t kind; /* enum simt_range_kind */
};

/* A grid is a reader from its creation to its end: memory that was there when it entered is not
 * given back before it leaves, though it may have been freed. `epoch` is what entering returned.
 * Thread-safety: safe. */
unsigned simt_space_enter(struct simt_space *space);
void simt_space_leave(struct simt_space *space, unsigned epoch);

/* The live range that contains the address; false if none does. Takes no lock unless the ranges
 * have changed since the last look. The caller is between enter and leave. Thread-safety: safe. */
bool simt_space_probe(struct simt_space *space, uint64_t address, struct simt_hit *out);

/* For faults: the live range nearest to the address (containing it, or ending or beginning closest
 * to it); false if there is none within `reach` bytes. Thread-safety: safe. */
bool simt_space_nearest(struct simt_space *space, uint64_t address, uint64_t reach,
                        struct simt_range *out);
/* For faults: the range, freed not long ago and not yet reused, that contained the address. Its
 * name is NULL. Thread-safety: safe. */
bool simt_space_freed(struct simt_space *space, uint64_t address, struct simt_range *out);

/* Lends whole pages, holding whatever the last borrower left (zero the first time), kept by the
 * space for the next borrower. `low`: below 2 GiB. NULL when there are none. `size` must be given
 * back unchanged. Thread-safety: safe. */
void *simt_space_lend(struct simt_space *space, size_t size, bool low);
void simt_space_return(struct simt_space *space, void *pages, size_t size, bool low);

/* malloc and free of kernels: `heap_size` is the size of the heap if this call makes it. 0 when it
 * is full; free is false when the address is not one that malloc gave. Thread-safety: safe. */
uint64_t simt_space_malloc(struct simt_space *space, uint64_t size, size_t heap_size);
bool simt_space_mfree(struct simt_space *space, uint64_t address);

/* heap.c: the allocator over a region of addresses; its records stand outside the region. One
 * thread at a time. */
struct simt_heap;
struct simt_heap *simt_heap_create(uint64_t base, size_t size); /* NULL: memory is short */
void simt_heap_destroy(struct simt_heap *h);
uint64_t simt_heap_alloc(struct simt_heap *h, uint64_t size); /* 16-byte aligned; 0: full */
bool simt_heap_free(struct simt_heap *h, uint64_t address);

#endif

/* What explaining a kernel is made of. */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "core/image.h"
#include "runcu/explain.h"

enum { CORE_MAX_THREADS = 1024, CORE_REGISTERS = 65536 }; /* of a block, on every architecture */

/* limits.c: the threads that blocks of a kernel with so many registers a thread may have. */
int core_threads_by_registers(int registers);

/* calls.c: does the kernel `symbol` of PTX text call itself by way of others, or what only an
 * address names? Then nobody can tell how much stack it takes. */
bool core_stack_is_open(const char *ptx, const char *symbol);

/* listing.c: the PTX of one kernel. */
struct core_listing {
    const runcu_ptx_line *lines;
    size_t count;
    int launch_bounds; /* threads of .maxntid or .reqntid; 0: none */
};

/* Lists the kernel `symbol` of PTX text, in the arena; false when memory is short. What makes no
 * sense ends the list. */
bool core_list_ptx(struct core_listing *out, struct arena *arena, const char *ptx,
                   const char *symbol);

#endif

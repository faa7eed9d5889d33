/* What of the machine this process may use: its cgroup and affinity count, not what the machine
 * has. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base.h"

/* Processors: the affinity mask, and the cgroup's quota rounded up. At least 1. Thread-safety:
 * safe. */
unsigned host_cpus(void);
/* Bytes of memory that are free now, of the machine or of the cgroup, whichever is less.
 * Thread-safety: safe. */
uint64_t host_free_memory(void);

#endif

/* printf of kernels: C's format language over a packed argument block (PTX.md 2.5). */
#ifndef SIMT_VPRINTF_H
#define SIMT_VPRINTF_H

#include "simt/simt.h"

/* Formats into `out`. `format` and `args` are addresses of the kernel: nothing is read outside the
 * live ranges of `space` or [local, local + local_size), the lane's own memory. Returns what
 * vprintf returns on a GPU: the number of arguments, -1 for a NULL or unreadable format.
 * Thread-safety: safe for different `out`. */
int simt_vprintf(struct str *out, struct simt_space *space, uint64_t format, uint64_t args,
                 uint64_t local, size_t local_size);

#endif

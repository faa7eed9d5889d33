/* Libraries of device code on disk. */
#ifndef CORE_LIBRARY_H
#define CORE_LIBRARY_H

#include "base/str.h"

/* Appends the path of lib<name>.a: in `folder`, or, where that is NULL, where NVRTC and CUDA's
 * toolkits are sought. ERROR_SYSTEM, with every place tried, if there is none. Thread-safety: safe.
 */
int core_library_find(struct str *out, const char *name, const char *folder);

#endif

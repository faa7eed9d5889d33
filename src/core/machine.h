/* Words for a driver that cannot be had, from what the machine shows. `root` stands before every
 * path that is looked at: "" but in tests. All append whole lines. Thread-safety: safe. */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "core/core.h"

/* Is there a GPU of NVIDIA's, whether or not its driver works? */
bool machine_has_gpu(const char *root);
/* Appends the version of the loaded kernel module, "570.86.15"; false if there is none. */
bool machine_module_version(struct str *out, const char *root);

/* The driver answered `code` (a CUresult) when it was to start. */
void machine_explain_code(struct str *out, const char *root, int code);
/* libcuda.so.1 does not load; `reason`: the loader's words. */
void machine_explain_missing(struct str *out, const char *root, const char *reason);
/* The driver is too old. */
void machine_explain_old(struct str *out, const char *root);

#endif

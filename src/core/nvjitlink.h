/* nvJitLink, a linker of NVIDIA's beside the driver's: it takes code for link-time optimisation and
 * what an older driver does not know, and needs no GPU. */
#ifndef CORE_NVJITLINK_H
#define CORE_NVJITLINK_H

#include "core/jit.h"
#include "core/places.h"
#include "driver/driver.h"

struct nvjitlink {
    struct nvjitlink_table fn;
    unsigned major, minor;
    char *path;
};

extern const struct sought nvjitlink_sought;

/* Finds and loads it; lives as long as the process. ERROR_NO_NVJITLINK, with every place tried.
 * Thread-safety: safe. */
int nvjitlink_get(const struct nvjitlink **out);

struct nvjitlink_input {
    int type; /* CUjitInputType */
    const char *data;
    size_t size;
    const char *name;
};

struct nvjitlink_job {
    int arch;    /* 90 */
    bool is_ptx; /* all inputs are of link-time optimisation, and PTX is wanted, not a cubin */
    const struct nvjitlink_input *inputs;
    size_t count;
    struct core_jit *jit; /* its options, as far as nvJitLink has them; its logs are written */
};

/* Links: appends the image to `out`. PTX ends with a NUL, which is counted. Thread-safety: safe. */
int nvjitlink_run(struct str *out, const struct nvjitlink_job *job);

#endif

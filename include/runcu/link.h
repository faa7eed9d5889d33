/** Linking: code that was compiled apart (with -rdc=true) made one image. And options of the
 * driver's just-in-time compiler. */
#ifndef RUNCU_LINK_H
#define RUNCU_LINK_H

#include "module.h"

RUNCU_BEGIN

/** Who links. nvJitLink is a library that is sought like NVRTC (RUNCU_NVJITLINK names it). */
enum runcu_linker {
    /** The driver; but nvJitLink where something is code for link-time optimisation, and, if it is
     * there, where NVRTC or the PTX is newer than the driver. */
    RUNCU_LINKER_AUTO = 0,
    RUNCU_LINKER_DRIVER = 1,
    RUNCU_LINKER_NVJITLINK = 2,
};

typedef struct runcu_jit_params {
    size_t size;
    const int *options;     /**< CUjit_option each; those of the logs' buffers are ours to set */
    const uint64_t *values; /**< numbers, one an option */
    size_t option_count;    /**< at most 64 */
    char *info_log, *error_log; /**< buffers for what the compiler says, or NULL; always text */
    size_t info_log_size, error_log_size; /**< bytes */
    int is_verbose;                       /**< more in the information log */
    int linker;                           /**< enum runcu_linker, for runcu_link_create */
} runcu_jit_params;

/** As runcu_module_load, with options; `params` may be NULL. PTX alone is compiled: other images
 * leave the logs empty. Thread-safety: safe. */
RUNCU_API int runcu_module_load_with(runcu_module **out, const void *image, size_t bytes,
                                     const runcu_jit_params *params);

typedef struct runcu_link runcu_link;

/** A link in the current context, to which nothing was added yet. The logs' buffers of `params`,
 * which may be NULL, must outlive it. Owned: destroy it. Thread-safety: one thread at a time per
 * link. */
RUNCU_API int runcu_link_create(runcu_link **out, const runcu_jit_params *params);
/** Adds an image of `bytes`, which is copied; PTX need not end with a NUL. `type`: a
 * CUjitInputType, where CU_JIT_INPUT_NVVM (5) is code for link-time optimisation; `name`, for
 * messages, may be NULL. The log, if any, is the error's detail. */
RUNCU_API int runcu_link_add(runcu_link *link, int type, const void *image, size_t bytes,
                             const char *name);
/** Adds what a source was compiled to (with -rdc=true, or -dlto): code for link-time optimisation,
 * else what the device takes, machine code or PTX. */
RUNCU_API int runcu_link_add_program(runcu_link *link, const runcu_program *program,
                                     const char *name);
/** Adds what a file holds. */
RUNCU_API int runcu_link_add_file(runcu_link *link, int type, const char *path);
/** Adds a library of device code, lib<name>.a: "cudadevrt" is for kernels that launch kernels.
 * It is sought in `folder` alone or, if that is NULL, where RUNCU_LIBDIR says, beside NVRTC, in
 * Python's packages (nvidia-cuda-runtime has it), conda, CUDA's toolkits and the system's folders.
 * ERROR_SYSTEM, with every place tried, if it is nowhere. The CPU device has cudadevrt built in:
 * nothing is sought then. */
RUNCU_API int runcu_link_add_library(runcu_link *link, const char *name, const char *folder);
/** Links. The image is the link's, and valid as long as it; nothing can be added after. Symbols
 * that are defined twice or nowhere are an error whose detail names them: ERROR_DRIVER, or
 * ERROR_LINK where nvJitLink links. The CPU device links PTX; nvJitLink makes that of what is to
 * be optimised, of which only kernels, and what they need, are left then. */
RUNCU_API int runcu_link_complete(const void **image, size_t *bytes, runcu_link *link);
RUNCU_API uint64_t runcu_link_handle(const runcu_link *link); /**< CUlinkState */
/** Accepts NULL. After the context died: quiet. */
RUNCU_API void runcu_link_destroy(runcu_link **link);

/** Loads nvJitLink if it is not yet loaded; its version and path (valid as long as the process).
 * Any of them may be NULL. ERROR_NO_NVJITLINK, with every place tried. Thread-safety: safe. */
RUNCU_API int runcu_nvjitlink_version(int *major, int *minor, const char **path);

RUNCU_END

#endif

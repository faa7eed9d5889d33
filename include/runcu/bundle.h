/** Bundles: one source compiled for several architectures, in one file that loads without NVRTC on
 * every device that one of them fits.
 *
 * A bundle has a part for each architecture: the cubin of a real one ("sm_90"), the PTX, which the
 * driver translates for newer GPUs and which the CPU device runs, names and signatures of the
 * kernels, and the name expressions that were asked for. Its bytes depend on the parts alone, and
 * are read on any machine with a CUDA driver. Bytes that were damaged are refused; those of an
 * unknown hand are as safe as any other code. */
#ifndef RUNCU_BUNDLE_H
#define RUNCU_BUNDLE_H

#include "module.h"

RUNCU_BEGIN

typedef struct runcu_bundle runcu_bundle;

/** A kernel that is inside. */
typedef struct runcu_bundle_kernel {
    const char *name;      /**< "axpy<float>" */
    const char *symbol;    /**< in the PTX: "_Z4axpyIfEvT_PS0_i" */
    const char *signature; /**< "axpy<float>(float, float *, int)" */
} runcu_bundle_kernel;

/** A name expression that was asked for, and its name in the PTX. */
typedef struct runcu_bundle_name {
    const char *expression, *symbol;
} runcu_bundle_name;

/** What there is for one architecture. No text is NULL. */
typedef struct runcu_bundle_part {
    const char *arch;    /**< "sm_90", "compute_75" */
    const char *options; /**< that NVRTC was given, one a line, without folders */
    const void *cubin;   /**< NULL: none */
    size_t cubin_bytes;
    const char *ptx; /**< ends with a NUL that is not counted; NULL: none */
    size_t ptx_bytes;
    const runcu_bundle_kernel *kernels;
    size_t kernel_count;
    const runcu_bundle_name *names;
    size_t name_count;
} runcu_bundle_part;

/** A bundle of compiled programs, one for each architecture, which are not needed any more
 * afterwards. ERROR_ARGUMENT: there is none, one has no code, or two are for the same architecture.
 * Owned: destroy it. Thread-safety: safe. */
RUNCU_API int runcu_bundle_create(runcu_bundle **out, const runcu_program *const *programs,
                                  size_t count);
/** Compiles `source` for each of `archs` ("sm_80", "compute_75") and makes a bundle of it; `params`
 * (NULL: defaults) as for runcu_program_compile, but for the architecture. What does not compile
 * is the error's detail. Thread-safety: safe. */
RUNCU_API int runcu_bundle_compile(runcu_bundle **out, const char *source, const char *const *archs,
                                   size_t count, const runcu_program_params *params);
/** A bundle from `bytes` in memory, which are copied; from a file. ERROR_ARGUMENT, with what is
 * wrong: they are none, damaged, or of a newer format; ERROR_SYSTEM: the file cannot be read.
 * Owned. Thread-safety: safe. */
RUNCU_API int runcu_bundle_parse(runcu_bundle **out, const void *data, size_t bytes);
RUNCU_API int runcu_bundle_read(runcu_bundle **out, const char *path);
/** Accepts NULL. Modules that were loaded from it live on. */
RUNCU_API void runcu_bundle_destroy(runcu_bundle **bundle);

/** The bytes, as they stand in a file; valid as long as the bundle, as all that follows. */
RUNCU_API const void *runcu_bundle_data(const runcu_bundle *bundle, size_t *bytes);
/** The parts in the order in which they were given. */
RUNCU_API const runcu_bundle_part *runcu_bundle_parts(const runcu_bundle *bundle, size_t *count);
/** The name of the source, "kernel.cu"; the version of the library that made the bundle. */
RUNCU_API const char *runcu_bundle_source_name(const runcu_bundle *bundle);
RUNCU_API const char *runcu_bundle_maker(const runcu_bundle *bundle);

/** Writes it to a file, which is replaced whole or not at all. ERROR_SYSTEM. */
RUNCU_API int runcu_bundle_write(const runcu_bundle *bundle, const char *path);
/** Writes it as C text that defines `static const unsigned char NAME[]`, for programs of a single
 * file: runcu_module_load(&module, NAME, sizeof NAME). ERROR_ARGUMENT: `name` is no identifier. */
RUNCU_API int runcu_bundle_write_header(const runcu_bundle *bundle, const char *path,
                                        const char *name);

/** Loads what fits the current context's device best: the cubin of its own architecture, else the
 * highest one below it of the same generation, else PTX of the highest architecture that it runs.
 * The CPU device takes PTX. If nothing fits, the driver's error 209 (NO_BINARY_FOR_GPU) with what
 * is inside. runcu_module_load does the same with the bytes of a bundle. Thread-safety: safe. */
RUNCU_API int runcu_module_load_bundle(runcu_module **out, const runcu_bundle *bundle);

RUNCU_END

#endif

/** Modules: code on a device. Functions: its kernels, with their signatures. */
#ifndef RUNCU_MODULE_H
#define RUNCU_MODULE_H

#include "context.h"
#include "program.h"

RUNCU_BEGIN

/** Compiles (program.h) and loads into the current context in one step. On ERROR_COMPILE the
 * error's detail is the program's report. */
RUNCU_API int runcu_module_compile(runcu_module **out, const char *source,
                                   const runcu_program_params *params);
/** Loads a compiled program. */
RUNCU_API int runcu_module_from_program(runcu_module **out, const runcu_program *program);
/** Loads cubin, PTX (NUL-terminated or not), a fatbin or a bundle (bundle.h) of `bytes`. The
 * driver's JIT log, if any, is the error's detail. */
RUNCU_API int runcu_module_load(runcu_module **out, const void *image, size_t bytes);
/** More owners; functions hold one. */
RUNCU_API runcu_module *runcu_module_retain(runcu_module *module);
/** Unloads with the last owner, after work in flight. Accepts NULL. */
RUNCU_API void runcu_module_release(runcu_module **module);
/** A module of another library's, in the current context: never unloaded through this object. Of
 * its kernels only what the driver tells is known. */
RUNCU_API int runcu_module_wrap(runcu_module **out, uint64_t handle);
RUNCU_API uint64_t runcu_module_handle(const runcu_module *module);        /**< CUmodule */
RUNCU_API runcu_context *runcu_module_context(const runcu_module *module); /**< borrowed */

/** Writes what the module was made from, for runcu_module_restore in another process: its source
 * with options, headers in memory and name expressions, or the image it was loaded from. `write` is
 * called once. ERROR_UNSUPPORTED: the module is another library's. Thread-safety: safe. */
RUNCU_API int runcu_module_save(const runcu_module *module, runcu_print_fn *write, void *user);
/** A module from what runcu_module_save wrote, in the current context; a source is compiled for its
 * device, unless an architecture was given, or comes from the cache. ERROR_ARGUMENT: the bytes are
 * damaged, or of another version. What they say is done, so they must come from somebody trusted.
 */
RUNCU_API int runcu_module_restore(runcu_module **out, const void *saved, size_t bytes);

/** The kernel `name`: its C++ name ("add", "ns::add", "add<float>" if the source instantiates it),
 * with or without parameter types, or its exact name in the PTX. A name that fits several is
 * ERROR_NAME with the candidates; an unknown one, with the names there are. Owned: release it.
 * Thread-safety: safe. */
RUNCU_API int runcu_module_get_function(runcu_function **out, runcu_module *module,
                                        const char *name);
/** Address and bytes (NULL: not asked for) of a __device__ or __constant__ variable, by C++ or PTX
 * name. */
RUNCU_API int runcu_module_get_global(uint64_t *address, size_t *bytes, runcu_module *module,
                                      const char *name);
/** C++ name of the i-th kernel from 0, valid as long as the module; NULL past the end or where the
 * image does not tell. */
RUNCU_API const char *runcu_module_kernel_name(const runcu_module *module, size_t index);

/** Likewise its signature: "add(float *, int)". */
RUNCU_API const char *runcu_module_kernel_signature(const runcu_module *module, size_t index);

/** What a parameter is, as far as its PTX and its mangled name tell. */
enum runcu_param_kind {
    RUNCU_PARAM_UNKNOWN, /**< only its size is known */
    RUNCU_PARAM_BOOL,
    RUNCU_PARAM_INT,  /**< signed */
    RUNCU_PARAM_UINT, /**< unsigned; also a size-8 parameter that is either an integer or a
                           pointer, if `is_maybe_pointer` */
    RUNCU_PARAM_FLOAT,
    RUNCU_PARAM_POINTER,
    RUNCU_PARAM_STRUCT,
    /* Of what a pointer points to alone: bfloat16, and floats of 8 bits. */
    RUNCU_PARAM_BFLOAT,
    RUNCU_PARAM_E4M3,
    RUNCU_PARAM_E5M2,
};

typedef struct runcu_param {
    uint8_t kind;             /**< enum runcu_param_kind */
    uint8_t is_maybe_pointer; /**< integer or pointer: extern "C" kernels do not tell */
    uint8_t pointee_kind;     /**< of a pointer: enum runcu_param_kind of what it points to, 0
                                   unknown */
    uint8_t pointee_size;     /**< bytes of it, 0 unknown */
    uint8_t is_sign_unknown;  /**< an integer of which only the width is known: enumerations, extern
                                   "C" kernels */
    uint8_t is_pointee_const; /**< of a pointer: whether what it points to is const */
    uint32_t size, offset, align; /**< bytes in the parameter buffer */
    const char *type;             /**< "const float *", "" if unknown */
} runcu_param;

/** More owners; a function dies with its last one. Release accepts NULL. */
RUNCU_API runcu_function *runcu_function_retain(runcu_function *function);
RUNCU_API void runcu_function_release(runcu_function **function);
/** A kernel of another library's, of a module in the current context, by its CUfunction. Its name,
 * and its parameters' sizes, are known where the driver tells them. */
RUNCU_API int runcu_function_wrap(runcu_function **out, uint64_t handle);
RUNCU_API uint64_t runcu_function_handle(const runcu_function *function);      /**< CUfunction */
RUNCU_API runcu_module *runcu_function_module(const runcu_function *function); /**< borrowed */
/** C++ name without parameters: "add"; the name in the PTX: "_Z3addPfS_i"; the signature:
 * "add(float *, float *, int)". */
RUNCU_API const char *runcu_function_name(const runcu_function *function);
RUNCU_API const char *runcu_function_symbol(const runcu_function *function);
RUNCU_API const char *runcu_function_signature(const runcu_function *function);
/** The parameters, valid as long as the function. *count is -1 if nothing is known of them. */
RUNCU_API const runcu_param *runcu_function_params(const runcu_function *function, int *count);
/** `attribute`: a CUfunction_attribute. */
RUNCU_API int runcu_function_get_attribute(int *out, runcu_function *function, int attribute);
RUNCU_API int runcu_function_set_attribute(runcu_function *function, int attribute, int value);
RUNCU_API int runcu_function_set_cache_config(runcu_function *function, int config);
/** `config`: a CUsharedconfig, the width of banks. Every device since compute capability 5.0 has
 * one width, and drivers take the choice without effect. */
RUNCU_API int runcu_function_set_shared_config(runcu_function *function, int config);
/** Blocks of `block_size` threads with `shared` bytes of dynamic shared memory that one
 * multiprocessor holds at once. */
RUNCU_API int runcu_function_max_active_blocks(int *out, runcu_function *function, int block_size,
                                               size_t shared);
/** Bytes of dynamic shared memory that blocks of `block_size` threads need. */
typedef size_t runcu_shared_fn(void *user, int block_size);
typedef struct runcu_suggest_params {
    size_t size;
    size_t shared;              /**< bytes of dynamic shared memory a block */
    runcu_shared_fn *shared_of; /**< if not NULL, it tells instead of `shared` */
    void *user;
    int limit; /**< the largest block size to consider; 0: any */
} runcu_suggest_params;
/** The block size with which the kernel fills a multiprocessor best, and the blocks with which it
 * then fills the device (NULL: not asked for). A block of 0 threads: no size fits. `params` may be
 * NULL. */
RUNCU_API int runcu_function_suggest_block(int *block_size, int *blocks, runcu_function *function,
                                           const runcu_suggest_params *params);
/** Bytes of dynamic shared memory that each may have where one multiprocessor is to hold `blocks`
 * blocks of `block_size` threads. */
RUNCU_API int runcu_function_available_shared(size_t *out, runcu_function *function, int blocks,
                                              int block_size);

RUNCU_END

#endif

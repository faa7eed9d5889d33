/** Launching kernels with plain values. */
#ifndef RUNCU_LAUNCH_H
#define RUNCU_LAUNCH_H

#include "memory.h"
#include "module.h"

RUNCU_BEGIN

/** What an argument is. A value is checked against the parameter it meets: integers go to integer parameters of any width that holds
 * them (same width: the bits as they are) and, at 8 bytes, to pointers; floats need their width; INT and REAL, which have no width of
 * their own, take the parameter's or are refused if they do not fit; bytes go to structs of that size. */
enum runcu_arg_kind {
    RUNCU_ARG_BOOL = 1, /**< value.i: 0 or 1 */
    RUNCU_ARG_I8, RUNCU_ARG_I16, RUNCU_ARG_I32, RUNCU_ARG_I64, /**< value.i */
    RUNCU_ARG_U8, RUNCU_ARG_U16, RUNCU_ARG_U32, RUNCU_ARG_U64, /**< value.u */
    RUNCU_ARG_F32,      /**< value.f */
    RUNCU_ARG_F64,      /**< value.d */
    RUNCU_ARG_INT,      /**< value.i: an integer without a width (Python's); goes to float parameters as well */
    RUNCU_ARG_REAL,     /**< value.d: a real number without a width (Python's) */
    RUNCU_ARG_MEM,      /**< value.mem */
    RUNCU_ARG_ADDRESS,  /**< value.u: a device address; `size` is 0, or the bytes of an element and `element` its enum runcu_param_kind */
    RUNCU_ARG_BYTES,    /**< value.p: `size` bytes, copied */
    RUNCU_ARG_HOST_IN, RUNCU_ARG_HOST_OUT, RUNCU_ARG_HOST_INOUT, /**< value.p: `size` bytes of host memory that travel to the device
                             before the launch, back after it, or both; with OUT or INOUT the launch waits for the result */
};

typedef struct runcu_arg {
    uint8_t kind;    /**< enum runcu_arg_kind */
    uint8_t element; /**< of ADDRESS */
    uint32_t reserved;
    size_t size;
    union {
        int64_t i;
        uint64_t u;
        float f;
        double d;
        const runcu_mem *mem;
        const void *p;
    } value;
} runcu_arg;

/** Where and how wide. Zero in a dimension counts as 1. */
typedef struct runcu_launch_params {
    size_t size;
    runcu_dim3 grid;   /**< blocks */
    runcu_dim3 block;  /**< threads a block */
    size_t threads;    /**< if not 0: at least that many threads in all along x; grid and block are chosen where they are 0 */
    size_t shared;     /**< bytes of dynamic shared memory; beyond 48 KiB the kernel's limit is raised by itself */
    runcu_stream *stream;
    int strict;        /**< 1: an array of another element type than the pointer's is an error, not a warning */
} runcu_launch_params;

/** Launches. Arguments are checked and packed in one pass; the first one that does not fit is ERROR_LAUNCH_ARGUMENT and nothing runs.
 * Returns once the launch is queued (HOST_OUT and HOST_INOUT: once the results are there). Thread-safety: safe. */
RUNCU_API int runcu_launch_args(runcu_function *function, const runcu_launch_params *params, const runcu_arg *args, size_t count);

RUNCU_END

/* Typed launch, defined here by the owner of core/launch.c:
 *   runcu_launch(function, RUNCU_THREADS(n), 2.0f, runcu_in(x, bytes), runcu_inout(y, bytes), n)
 *   RUNCU_GRID(gx, gy, gz, bx, by, bz) */

#endif

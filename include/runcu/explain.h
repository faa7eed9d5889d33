/** What kernels take of a multiprocessor, for any architecture and without a device: registers,
 * memory, spilled registers, occupancy, and their PTX beside the lines that it comes from. */
#ifndef RUNCU_EXPLAIN_H
#define RUNCU_EXPLAIN_H

#include "program.h"

RUNCU_BEGIN

/* --- occupancy --- */

/** What a kernel's block takes. */
typedef struct runcu_block_needs {
    size_t size;
    int threads;   /**< of a block */
    int registers; /**< of a thread; 0: none that count */
    int barriers;  /**< of a block */
    size_t shared; /**< bytes of a block, static and dynamic together */
} runcu_block_needs;

/** What does not allow more blocks. */
enum runcu_limit {
    RUNCU_LIMIT_BLOCKS = 1, /**< that a multiprocessor manages */
    RUNCU_LIMIT_WARPS,
    RUNCU_LIMIT_REGISTERS,
    RUNCU_LIMIT_SHARED,
    RUNCU_LIMIT_BARRIERS,
};

/** What one multiprocessor holds at once. */
typedef struct runcu_occupancy {
    int blocks;    /**< 0: not even one fits */
    int warps;     /**< of those blocks, of 32 threads each */
    int max_warps; /**< that it could hold: occupancy is warps / max_warps */
    int limit;     /**< enum runcu_limit: the first that allows no more blocks */
    /** Blocks that each of them alone would allow; INT_MAX: any number. */
    int by_blocks, by_warps, by_registers, by_shared, by_barriers;
} runcu_occupancy;

/** The occupancy of blocks on `arch` ("sm_90", "sm_90a"), by the documented rules. ERROR_ARGUMENT:
 * no block has so many threads; ERROR_UNSUPPORTED: the architecture is not known. Thread-safety:
 * safe. */
RUNCU_API int runcu_occupancy_get(runcu_occupancy *out, const char *arch,
                                  const runcu_block_needs *needs);

/* --- kernels --- */

/** An instruction or a label of a kernel's PTX. No text is NULL. */
typedef struct runcu_ptx_line {
    const char *text; /**< "fma.rn.f32 %f4, %f1, %f2, %f3;", without needless white space */
    const char *file; /**< that it comes from, as messages name it; "" if unknown */
    uint32_t line;    /**< from 1; 0: unknown */
} runcu_ptx_line;

/** What a kernel takes. */
typedef struct runcu_usage {
    const char *name;      /**< "axpy<float>" */
    const char *symbol;    /**< "_Z4axpyIfEvT_PS0_i" */
    const char *signature; /**< "axpy<float>(float, float *, int)" */
    int registers;         /**< of a thread */
    int local;             /**< bytes of local memory of a thread: arrays, spilled registers,
                                calls */
    int is_local_unknown;  /**< 1: more of it, unknown how much, as by recursion */
    int spill_stores;      /**< bytes of a thread's registers that had to go to local memory */
    int spill_loads;       /**< and come back */
    int shared;            /**< static bytes of a block */
    int constant;          /**< bytes of __constant__ variables of its source */
    int parameters;        /**< bytes */
    int barriers;          /**< of a block */
    int max_threads;       /**< of a block: what __launch_bounds__ says, or registers allow */
    int launch_bounds;     /**< threads of __launch_bounds__; 0: none */
    const runcu_ptx_line *ptx;
    size_t ptx_count;
} runcu_usage;

typedef struct runcu_explanation runcu_explanation;

/** Compiles for an architecture and explains: `arch` or `arch_text` of `params` as "sm_90", else
 * the one of its device or of the current one. Failures as those of runcu_program_compile, the
 * compiler's report being the error's detail. Owned: destroy it. Thread-safety: safe. */
RUNCU_API int runcu_explanation_compile(runcu_explanation **out, const char *source,
                                        const runcu_program_params *params);
/** Explains a program, which is not needed any more afterwards: one with a cubin, compiled with the
 * option -Xptxas=-v, else ERROR_UNSUPPORTED. PTX has lines only with -lineinfo. */
RUNCU_API int runcu_explanation_create(runcu_explanation **out, const runcu_program *program);
/** Accepts NULL. */
RUNCU_API void runcu_explanation_destroy(runcu_explanation **explanation);
/** The kernels in the order of their PTX; valid as long as the explanation. */
RUNCU_API const runcu_usage *runcu_explanation_kernels(const runcu_explanation *explanation,
                                                       size_t *count);
/** Functions that kernels call, as they were not inlined: names, local memory and spills alone. */
RUNCU_API const runcu_usage *runcu_explanation_functions(const runcu_explanation *explanation,
                                                         size_t *count);
/** "sm_90". */
RUNCU_API const char *runcu_explanation_arch(const runcu_explanation *explanation);

RUNCU_END

#endif

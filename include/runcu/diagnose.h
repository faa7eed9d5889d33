/** The doctor: what is found on this machine, and where, and what to do about what is missing. */
#ifndef RUNCU_DIAGNOSE_H
#define RUNCU_DIAGNOSE_H

#include "program.h"

RUNCU_BEGIN

enum runcu_state {
    RUNCU_STATE_GOOD = 0,
    RUNCU_STATE_NOTE = 1,    /**< missing, and not needed by most */
    RUNCU_STATE_WARNING = 2, /**< something is probably not as it was meant */
    RUNCU_STATE_PROBLEM = 3  /**< kernels do not compile, or do not run there */
};

/** One thing that was looked for. No string is NULL; all live as long as the diagnosis. */
typedef struct runcu_finding {
    const char *area;   /**< "driver", "device", "NVRTC", "headers", "environment", … */
    const char *item;   /**< "cuda", "cuda:0", "RUNCU_THREADS" */
    int state;          /**< enum runcu_state */
    const char *text;   /**< a line: what was found */
    const char *detail; /**< lines: every place that was tried; "" if none */
    const char *advice; /**< lines: what to do, commands among them; "" if nothing */
} runcu_finding;

/** Zero in a field is the default. */
typedef struct runcu_diagnose_params {
    size_t size;
    int no_trial; /**< 1: no kernel is compiled and run on the devices */
} runcu_diagnose_params;

typedef struct runcu_diagnosis runcu_diagnosis;

/** Looks at everything: drivers and devices, NVRTC, CUDA's headers, nvJitLink, cudadevrt, the
 * cache, the environment; and compiles and runs a kernel on each device. It loads NVIDIA's driver,
 * the CPU device and NVRTC, and changes no default. `params` may be NULL. Owned: destroy it. Fails
 * for want of memory only: whatever is missing is a finding. Takes a second or so. Thread-safety:
 * safe, as far as the environment is not changed meanwhile. */
RUNCU_API int runcu_diagnose(runcu_diagnosis **out, const runcu_diagnose_params *params);
RUNCU_API void runcu_diagnosis_destroy(runcu_diagnosis **diagnosis);
/** In the order in which they should be read. Valid as long as the diagnosis. */
RUNCU_API const runcu_finding *runcu_diagnosis_findings(const runcu_diagnosis *diagnosis,
                                                        size_t *count);
/** 1 if kernels can be compiled, and run on the device that is used by default (with no_trial: if
 * there are a compiler and that device); else 0. */
RUNCU_API int runcu_diagnosis_is_well(const runcu_diagnosis *diagnosis);
/** The same as a sentence or two, with the reason. Valid as long as the diagnosis. */
RUNCU_API const char *runcu_diagnosis_verdict(const runcu_diagnosis *diagnosis);
/** Hands all of it to `write`, in a form of enum runcu_report: as JSON one object with "well",
 * "verdict" and "findings", whose "state" is "good", "note", "warning" or "problem". */
RUNCU_API int runcu_diagnosis_write(const runcu_diagnosis *diagnosis, int form,
                                    runcu_print_fn *write, void *user);

enum runcu_reader {
    RUNCU_READ_BY_LIBRARY = 0, /**< this library, in C programs and in Python */
    RUNCU_READ_BY_PYTHON = 1,  /**< the Python package alone */
    RUNCU_READ_BY_OTHERS = 2   /**< not ours, but heeded: CUDA_HOME, LD_LIBRARY_PATH */
};

/** A variable of the environment that counts. Strings are the library's, but for `value`. */
typedef struct runcu_setting {
    const char *name;
    int reader;            /**< enum runcu_reader */
    const char *meaning;   /**< what it may be */
    const char *otherwise; /**< what holds where it is not set; "" if nothing does */
    const char *value;     /**< now; NULL: it is not set. As getenv gives it */
} runcu_setting;

/** Row `index` from 0 of the table of variables. 1, or 0 past its end. Thread-safety: as getenv. */
RUNCU_API int runcu_environment_get(runcu_setting *out, size_t index);

RUNCU_END

#endif

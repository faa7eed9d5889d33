/** The doctor: what is found on this machine, and where, and what to do about what is missing. */
#ifndef RUNCU_DIAGNOSE_H
#define RUNCU_DIAGNOSE_H

#include "error.h"

RUNCU_BEGIN

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

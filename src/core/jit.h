/* Options for the driver's compiler, as its functions take them. */
#ifndef CORE_JIT_H
#define CORE_JIT_H

#include "core.h"

enum { CORE_JIT_OPTIONS = 64 };

/* Must stay where it is as long as the driver may write to the logs. */
struct core_jit {
    int options[CORE_JIT_OPTIONS + 5];
    void *values[CORE_JIT_OPTIONS + 5];
    unsigned count;
    char *error_log, *info_log;
    char *error_log_end, *info_log_end; /* the last bytes; NULL: there is none */
    char own_log[8192];
};
/* `given` may be NULL. */
int core_jit_init(struct core_jit *out, const runcu_jit_params *given);
/* After a failure: makes the error log, if it says anything, the failure's detail. */
void core_jit_explain(struct core_jit *jit);

#endif

/* What the files that launch share: a launch that is checked and packed, and the record of those
 * that were made. */
#ifndef CORE_LAUNCH_H
#define CORE_LAUNCH_H

#include "core.h"

struct core_launch {
    runcu_function *function;
    runcu_dim3 grid, block;
    unsigned shared;
    CUstream stream;
    const runcu_launch_params *params; /* NULL: it asks for no attribute */
    char *buffer;                      /* the arguments */
    void **pointers;                   /* to each in the buffer; NULL: it goes as a whole */
    struct core_packed packed;
};

enum { CORE_POINTERS = 64 /* parameters that go by pointers */ };

/* --- launch.c --- */

/* Grid, block, shared memory, stream and attributes, as far as they can be checked without the
 * driver. `params` is whole, and must live as long as *out if it has attributes. */
int core_launch_shape(struct core_launch *out, const runcu_launch_params *params);
/* Points to each argument in the buffer, if there are not too many. */
void core_launch_point(struct core_launch *l, void *pointers[CORE_POINTERS]);
/* `args` as they were given: host memory among them travels. */
int core_launch_run(const struct core_launch *l, const struct core_args *args);
/* The attributes for the driver; how many they are. */
enum { CORE_ATTRIBUTES = 5 };
unsigned core_launch_attributes(CUlaunchAttribute out[CORE_ATTRIBUTES],
                                const runcu_launch_params *params);
/* The configuration as the driver takes it. */
CUlaunchConfig core_launch_config(const struct core_launch *l, CUlaunchAttribute *attributes);

/* --- refusal.c --- */

/* Records the driver's refusal in its words, and which limit was broken by how much. */
int core_launch_refused(const struct core_launch *l, const char *routine, CUresult code);

/* --- history.c --- */

/* Notes a launch that the driver has taken. */
void core_history_add(const struct core_launch *l);
/* The function goes: what is noted of it becomes text. */
void core_history_forget(const runcu_function *f);
/* The context goes. */
void core_history_free(runcu_context *context);
/* Adds the last launches of the current context to this thread's last failure. */
void core_history_tell(const struct core_driver *driver);

#endif

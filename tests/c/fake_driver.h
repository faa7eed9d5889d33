/* A driver for tests: the CUDA Driver API over host memory, as a shared library that is loaded by
 * its path (RUNCU_DEVICE). It executes no kernel: a launch is recorded and handed to a function of
 * the test. Any of its functions can be told to fail. */
#ifndef TESTS_FAKE_DRIVER_H
#define TESTS_FAKE_DRIVER_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/abi.h"

/* One launch, as cuLaunchKernel was given it. */
struct fake_launch {
    const char *kernel; /* the name that cuModuleGetFunction was asked for */
    unsigned grid[3], block[3], shared;
    CUstream stream;
    void **params;      /* NULL if the arguments came as one buffer */
    const void *buffer; /* of `bytes` */
    size_t bytes;
    const CUlaunchConfig *config; /* of cuLaunchKernelEx; else NULL */
};

/* What the test sees and sets; got by fake_state(). */
struct fake_state {
    void (*on_flush)(void); /* at launches and waits; NULL: nothing happens */
    void (*on_launch)(const struct fake_launch *launch); /* NULL: a launch does nothing */
    _Atomic int launches, live_memory, live_contexts, live_modules, live_streams, live_events;
    _Atomic int synchronisations;  /* of contexts */
    _Atomic int context_switches;  /* pushes, pops, sets */
    _Atomic size_t dynamic_shared; /* the limit that was last set for a kernel */
    CUresult load_answer;          /* of cuModuleLoadDataEx, if not 0; jit_log is its log */
    const char *jit_log;
    int knows_params; /* 1: cuFuncGetParamInfo answers with param_offsets and param_sizes up to size
                         0 */
    size_t param_offsets[8], param_sizes[8];
    int cancels; /* 1: waits fail as if they had been interrupted */
};

/* Makes the routine ("cuMemAlloc") answer `code` from its `call`-th call on (1: the next); code 0
 * ends that. */
typedef void fake_fail_fn(const char *routine, CUresult code, int call);
/* How often the routine was called. */
typedef int fake_calls_fn(const char *routine);
typedef struct fake_state *fake_state_fn(void);

/* For the test's side: the fake driver at the path that the environment variable `name` holds, and
 * access to it. */
struct fake {
    const char *path;
    struct fake_state *state;
    fake_fail_fn *fail;
    fake_calls_fn *calls;
};

static inline void *fake_symbol_(void *library, const char *name)
{
    void *symbol = library ? dlsym(library, name) : NULL;
    if (!symbol) {
        fprintf(stderr, "the fake driver: %s\n", dlerror());
        exit(1);
    }
    return symbol;
}

static inline struct fake fake_open(const char *name)
{
    struct fake out = {getenv(name), NULL, NULL, NULL};
    if (!out.path) {
        fprintf(stderr, "%s must name the fake driver's library\n", name);
        exit(1);
    }
    void *library = dlopen(out.path, RTLD_NOW | RTLD_LOCAL);
    void *state = fake_symbol_(library, "fake_state"), *fail = fake_symbol_(library, "fake_fail");
    void *calls = fake_symbol_(library, "fake_calls");
    fake_state_fn *get_state;
    memcpy(&get_state, &state, sizeof state);
    memcpy(&out.fail, &fail, sizeof fail);
    memcpy(&out.calls, &calls, sizeof calls);
    out.state = get_state();
    return out;
}

#endif

/* Modules that follow their file or the current context: which code one of them stands for now. */
#ifndef CORE_FOLLOW_H
#define CORE_FOLLOW_H

#include "base/fs.h"
#include "core/image.h"

/* What a module stands for in each context: itself, or a copy that was loaded when first needed. */
struct core_place {
    runcu_module *module; /* counted */
    struct core_place *next;
};

/* One state of the files. */
struct core_generation {
    runcu_module *module; /* counted, but for the first, which is the leader itself */
    struct core_place *places;
    struct core_generation *older;
};

/* A file as it was when it was read; what did not exist is looked for again. */
struct core_seen {
    const char *path;
    struct fs_info info;
    bool is_there;
};

/* Of a module that follows: made once, lives as long as the module. Nothing of it is taken away
 * before, so that what was found stays good without being counted. */
struct core_follow {
    atomic_bool in_contexts;
    atomic_bool is_watched;
    atomic_uint interval;       /* ms */
    _Atomic uint64_t next_look; /* compile_now() from which on the files are to be looked at */
    atomic_flag is_busy;        /* somebody compiles */
    _Atomic(struct core_generation *) newest;
    struct core_generation first;
    /* For who has is_busy alone. */
    struct arena arena;
    VEC(struct core_seen) seen;
    uint64_t missing_since; /* 0: nothing is */
    struct str error;       /* guarded by core_lock */
};

void core_follow_end(runcu_module *module);

#endif

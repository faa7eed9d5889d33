/* Where NVIDIA's files lie that are sought at run time: NVRTC, nvJitLink, libcudadevrt.a. */
#ifndef CORE_PLACES_H
#define CORE_PLACES_H

#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"

/* What is sought. */
struct sought {
    const char *stem;     /* "libnvrtc.so": a number may follow, the highest is taken */
    const char *variable; /* of the environment: its path or its folder; nothing else counts then */
    const char *wheel;    /* its folder of CUDA 12's wheels, below nvidia/ */
};

/* One place to look at: a file, or a folder that may hold one. */
struct place {
    const char *origin; /* in words */
    const char *path;   /* NULL: nothing is there to look at */
};

struct places {
    const struct sought *what;
    struct arena arena;
    VEC(struct place) list;
    bool is_wish; /* the environment's variable is the only one */
    bool failed;  /* memory was short */
};

/* Lists them in the order in which they are to be tried, into a zeroed struct, for places_fini.
 * `folders`: of Python packages, ended by NULL, or NULL. `beside`: a file in whose folder to look
 * before all others, or NULL. Thread-safety: safe. */
void places_list(struct places *p, const struct sought *what, char *const *folders,
                 const char *beside);
void places_fini(struct places *p);
/* The file of the i-th place, appended to `out`; false if there is none. */
bool places_find(struct str *out, const struct places *p, size_t i);
/* The first file of all places, appended to `out`, or false and a report of what was tried. */
bool places_pick(struct str *out, struct str *report, const struct places *p);
/* A line for a report: the i-th place, and what was found there. */
void places_tell(struct str *report, const struct places *p, size_t i, const char *found);
/* The environment, as far as it decides on the places. */
void places_environment(struct str *out, const struct sought *what);

#endif

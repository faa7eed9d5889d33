/* A growing array of any type: VEC(int) v = {0}; vec_push(&v, 3); v.at[0]; vec_fini(&v). */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "alloc.h"

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *at;                                                                                  \
        size_t len, cap;                                                                           \
    }

/* Makes room for one more element; false when memory is short. */
#define vec_room(v)                                                                                \
    ((v)->len < (v)->cap || vec_grow_((void **) &(v)->at, &(v)->cap, (v)->len, sizeof *(v)->at))

/* Appends a value; false when memory is short (the vector is unchanged). */
#define vec_push(v, ...) (vec_room(v) ? ((v)->at[(v)->len++] = (__VA_ARGS__), true) : false)

#define vec_fini(v) (alloc_free((v)->at), (v)->at = NULL, (v)->len = (v)->cap = 0)

static inline bool vec_grow_(void **at, size_t *cap, size_t len, size_t size)
{
    size_t want = len < 8 ? 8 : len * 2;
    void *p = want > SIZE_MAX / size ? NULL : alloc_resize(*at, want * size);
    if (!p)
        return false;
    *at = p;
    *cap = want;
    return true;
}

#endif

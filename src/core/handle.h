/* Objects that only stand for a handle of the driver's: runcu_array, runcu_mipmap, runcu_texture
 * and runcu_surface begin with this struct, each with its kind. */
#ifndef CORE_HANDLE_H
#define CORE_HANDLE_H

#include "core.h"

struct core_handle_kind {
    const char *name, *routine; /* that `end` calls */
    CUresult (*end)(const struct drv_table *cu, uint64_t handle);
    size_t size; /* of the object */
};

struct core_handle {
    runcu_context *context;
    uint64_t handle;
    bool is_owned;
    struct core_guard guard;
    const struct core_handle_kind *kind;
    struct core_handle *parent; /* with which the handle ends; NULL: none */
};

struct runcu_array {
    struct core_handle base;
};

struct runcu_mipmap {
    struct core_handle base;
};

struct runcu_texture {
    struct core_handle base;
    float border[4]; /* of one of ours: NVIDIA's driver does not tell */
};

struct runcu_surface {
    struct core_handle base;
};

/* An object without a handle yet, of the current context; and its end, with `status`. */
int core_handle_new(struct core_handle **out, const struct core_handle_kind *kind);
int core_handle_discard(struct core_handle **handle, int status);
int core_handle_wrap(struct core_handle **out, const struct core_handle_kind *kind,
                     uint64_t handle);
/* 0: closed. */
uint64_t core_handle_get(const struct core_handle *h);
/* Until it is let go it is not destroyed. ERROR_ARGUMENT for NULL, ERROR_FREED once closed; `what`
 * names it. */
int core_handle_hold(struct core_handle *h, const char *what);
void core_handle_let_go(struct core_handle *h);
/* An object in use: held, with its context current. core_use_end returns `status`. */
struct core_use {
    struct core_scope scope;
    struct core_handle *h;
    struct core_driver *driver;
};
int core_use_begin(struct core_use *out, struct core_handle *h, const char *what);
int core_use_end(struct core_use *use, int status);
/* Accept NULL. */
void core_handle_close(struct core_handle *h);
void core_handle_destroy(struct core_handle **handle);

/* runcu_NOUN_wrap, _handle, _close and _destroy, which are the same for all kinds. */
#define CORE_HANDLE_FUNCTIONS(noun, kind)                                      \
    int runcu_##noun##_wrap(runcu_##noun **out, uint64_t handle)               \
    {                                                                          \
        CORE_OUT(out);                                                         \
        return core_handle_wrap((struct core_handle **) out, &(kind), handle); \
    }                                                                          \
    uint64_t runcu_##noun##_handle(const runcu_##noun *object)                 \
    {                                                                          \
        return core_handle_get((const struct core_handle *) object);           \
    }                                                                          \
    void runcu_##noun##_close(runcu_##noun *object)                            \
    {                                                                          \
        core_handle_close((struct core_handle *) object);                      \
    }                                                                          \
    void runcu_##noun##_destroy(runcu_##noun **object)                         \
    {                                                                          \
        core_handle_destroy((struct core_handle **) object);                   \
    }

#endif

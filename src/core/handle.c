/* What objects that only stand for a handle of the driver's have in common (arrays, textures,
 * surfaces): they keep their context, may be closed while others use them, or are somebody else's.
 */
#include "handle.h"

int core_handle_new(struct core_handle **out, const struct core_handle_kind *kind)
{
    *out = NULL;
    struct core_handle *h = core_new(kind->size);
    if (!h)
        return RUNCU_ERROR_MEMORY;
    int status = core_context_get(&h->context);
    h->kind = kind;
    if (status)
        core_delete(h);
    else
        *out = h;
    return status;
}

int core_handle_discard(struct core_handle **handle, int status)
{
    runcu_context_release(&(*handle)->context);
    core_delete(*handle);
    *handle = NULL;
    return status;
}

int core_handle_wrap(struct core_handle **out, const struct core_handle_kind *kind, uint64_t handle)
{
    *out = NULL;
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no %s", kind->name);
    int status = core_handle_new(out, kind);
    if (!status)
        (*out)->handle = handle;
    return status;
}

uint64_t core_handle_get(const struct core_handle *h)
{
    return h && !atomic_load(&h->guard.is_closed) ? h->handle : 0;
}

static void finish_close(struct core_handle *h)
{
    struct core_scope scope;
    if (h->is_owned && core_enter_cleanup(&scope, h->context)) {
        core_cleanup(h->context, h->kind->routine,
                     h->kind->end(&h->context->driver->cu, h->handle));
        core_leave(&scope);
    }
}

int core_handle_hold(struct core_handle *h, const char *what)
{
    if (!h)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s is NULL", what);
    int status = h->parent ? core_handle_hold(h->parent, what) : 0;
    if (status)
        return status;
    if (core_guard_enter(&h->guard))
        return 0;
    core_handle_let_go(h);
    return runcu_fail(RUNCU_ERROR_FREED, "%s (%s) has been freed", what, h->kind->name);
}

void core_handle_let_go(struct core_handle *h)
{
    if (!h)
        return;
    if (core_guard_leave(&h->guard))
        finish_close(h);
    core_handle_let_go(h->parent);
}

void core_handle_close(struct core_handle *h)
{
    if (!h)
        return;
    core_guard_close(&h->guard);
    if (core_guard_leave(&h->guard))
        finish_close(h);
}

void core_handle_destroy(struct core_handle **handle)
{
    if (!handle || !*handle)
        return;
    core_handle_close(*handle);
    core_handle_discard(handle, 0);
}

int core_use_begin(struct core_use *out, struct core_handle *h, const char *what)
{
    int status = core_handle_hold(h, what);
    if (status)
        return status;
    out->h = h;
    out->driver = h->context->driver;
    status = core_enter(&out->scope, h->context);
    if (status)
        core_handle_let_go(h);
    return status;
}

int core_use_end(struct core_use *use, int status)
{
    core_leave(&use->scope);
    core_handle_let_go(use->h);
    return status;
}

/* Contexts as objects: counted, one object a context, found again by the driver's handle. Which of
 * them is current is current.c's. */
#include "core.h"

#include <string.h>

#include "base/alloc.h"
#include "launch.h"

/* Every live context of the process, guarded by core_lock. It holds a reference to primary and
 * foreign ones. */
static runcu_context *contexts;

atomic_long core_live_objects;

void *core_new(size_t size)
{
    void *out = alloc_zero(1, size);
    if (!out)
        runcu_fail_memory();
    else
        atomic_fetch_add(&core_live_objects, 1);
    return out;
}

void core_delete(void *object)
{
    if (object)
        atomic_fetch_sub(&core_live_objects, 1);
    alloc_free(object);
}

void core_params(void *out, size_t bytes, const void *params)
{
    size_t theirs = 0;
    memset(out, 0, bytes);
    if (!params)
        return;
    memcpy(&theirs, params, sizeof theirs);
    memcpy(out, params, theirs ? MIN(theirs, bytes) : bytes);
}

/* With the lock held. */
static void unlink_context(runcu_context *context)
{
    for (runcu_context **at = &contexts; *at; at = &(*at)->next)
        if (*at == context) {
            *at = context->next;
            return;
        }
}

static void free_context(runcu_context *context)
{
    core_finish_deferred(context);
    core_stage_free(context);
    core_history_free(context);
    if (context->kind == CORE_OWNED)
        core_delete(context);
    else
        alloc_free(context);
}

/* The list's objects of primary and foreign contexts stay until the process ends, so only owned
 * ones are counted as alive. */
static runcu_context *new_context(runcu_device *device, CUcontext handle,
                                  enum core_context_kind kind)
{
    runcu_context *out = kind == CORE_OWNED ? core_new(sizeof *out) : alloc_zero(1, sizeof *out);
    if (!out)
        return NULL;
    out->driver = device->driver;
    out->device = device;
    out->handle = handle;
    out->kind = kind;
    out->refs = 1;
    return out;
}

static void link_context(runcu_context *context)
{
    context->next = contexts;
    contexts = context;
}

static bool is_same(runcu_context *context, struct core_driver *driver, CUcontext handle)
{
    unsigned long long id;
    if (context->driver != driver || context->handle != handle)
        return false;
    if (atomic_load(&context->is_dead))
        return false;
    if (context->kind != CORE_FOREIGN || !driver->cu.cuCtxGetId ||
        (driver->cu.cuCtxGetId(handle, &id) == CUDA_SUCCESS && id == context->id))
        return true;
    atomic_store(&context->is_dead, true);
    return false;
}

static runcu_context *find_locked(struct core_driver *driver, CUcontext handle)
{
    runcu_context *c = contexts;
    while (c && !is_same(c, driver, handle))
        c = c->next;
    if (c)
        atomic_fetch_add(&c->refs, 1);
    return c;
}

runcu_context *core_context_look(const struct core_driver *driver, CUcontext handle)
{
    if (core_has_lock())
        return NULL;
    core_lock();
    runcu_context *c = contexts;
    while (c && (c->driver != driver || c->handle != handle || atomic_load(&c->is_dead)))
        c = c->next;
    if (c)
        atomic_fetch_add(&c->refs, 1);
    core_unlock();
    return c;
}

/* With the lock held: the device's primary context, held by the device from now on. */
static int hold_primary(runcu_context **out, runcu_device *device)
{
    CUcontext handle;
    *out = device->primary;
    if (*out)
        return 0;
    int status = CU_CALL(device->driver, cuDevicePrimaryCtxRetain, &handle, device->handle);
    if (status)
        return status;
    *out = device->primary = new_context(device, handle, CORE_PRIMARY);
    if (!*out) {
        device->driver->cu.cuDevicePrimaryCtxRelease(device->handle);
        return runcu_fail_memory();
    }
    link_context(*out);
    return 0;
}

/* With the lock held: does the unknown `handle` belong to the device's primary context? Then
 * somebody else, such as the CUDA runtime, made it active. */
static bool is_primary(runcu_device *device, CUcontext handle)
{
    const struct drv_table *cu = &device->driver->cu;
    unsigned flags;
    int active = 0;
    CUcontext primary = NULL;
    if (device->primary || cu->cuDevicePrimaryCtxGetState(device->handle, &flags, &active) ||
        !active)
        return false;
    if (cu->cuDevicePrimaryCtxRetain(&primary, device->handle))
        return false;
    cu->cuDevicePrimaryCtxRelease(device->handle);
    return primary == handle;
}

/* With the lock held; `handle` is current and nobody's yet. */
static int adopt(runcu_context **out, struct core_driver *driver, CUcontext handle)
{
    CUdevice ordinal;
    int status = CU_CALL(driver, cuCtxGetDevice, &ordinal);
    if (status)
        return status;
    runcu_device *device = NULL;
    for (int i = 0; i < driver->device_count && !device; i++)
        if (driver->devices[i].handle == ordinal)
            device = &driver->devices[i];
    if (!device)
        return core_check(driver, "cuCtxGetDevice", CUDA_ERROR_INVALID_DEVICE);
    if (is_primary(device, handle)) {
        status = hold_primary(out, device);
    } else {
        *out = new_context(device, handle, CORE_FOREIGN);
        if (!*out)
            return runcu_fail_memory();
        if (driver->cu.cuCtxGetId)
            driver->cu.cuCtxGetId(handle, &(*out)->id);
        link_context(*out);
    }
    if (!status)
        atomic_fetch_add(&(*out)->refs, 1);
    return status;
}

int core_context_find(runcu_context **out, struct core_driver *driver, CUcontext handle)
{
    int status = 0;
    core_lock();
    *out = find_locked(driver, handle);
    if (!*out)
        status = adopt(out, driver, handle);
    core_unlock();
    if (status)
        *out = NULL;
    return status;
}

int core_context_get(runcu_context **out)
{
    struct core_driver *driver;
    CUcontext handle;
    *out = NULL;
    int status = core_current(&driver, &handle);
    return status ? status : core_context_find(out, driver, handle);
}

int runcu_context_current(runcu_context **out)
{
    CORE_OUT(out);
    runcu_context *context;
    int status = core_context_get(&context);
    *out = context;
    runcu_context_release(&context);
    return status;
}

int runcu_context_peek(runcu_context **out)
{
    CORE_OUT(out);
    struct core_driver *driver;
    CUcontext handle;
    runcu_context *context = NULL;
    int status = core_current_peek(&driver, &handle);
    if (!status && driver)
        status = core_context_find(&context, driver, handle);
    *out = context;
    runcu_context_release(&context);
    return status;
}

int runcu_context_create(runcu_context **out, runcu_device *device, unsigned flags)
{
    CORE_OUT(out);
    CORE_NEED(device);
    runcu_context *context = new_context(device, NULL, CORE_OWNED);
    if (!context)
        return RUNCU_ERROR_MEMORY;
    int status = core_pushed(device->driver);
    if (!status) {
        status = CU_CALL(device->driver, cuCtxCreate, &context->handle, flags, device->handle);
        if (status)
            core_popped(device->driver);
    }
    if (status) {
        free_context(context);
        return status;
    }
    core_lock();
    link_context(context);
    core_unlock();
    *out = context;
    return 0;
}

int runcu_context_wrap(runcu_context **out, uint64_t handle)
{
    CORE_OUT(out);
    struct core_driver *driver;
    CUcontext context = (CUcontext) (uintptr_t) handle, now;
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the handle of the context is NULL");
    int status = core_current_peek(&driver, &now);
    if (!status && !driver)
        status = core_driver_open(&driver, NULL);
    if (!status)
        status = CU_CALL(driver, cuCtxPushCurrent, context);
    if (status)
        return status;
    status = core_context_find(out, driver, context);
    driver->cu.cuCtxPopCurrent(&context);
    return status;
}

int runcu_context_primary(runcu_context **out, runcu_device *device)
{
    CORE_OUT(out);
    CORE_NEED(device);
    core_lock();
    int status = hold_primary(out, device);
    if (!status)
        atomic_fetch_add(&(*out)->refs, 1);
    core_unlock();
    return status;
}

runcu_context *runcu_context_retain(runcu_context *context)
{
    if (context)
        atomic_fetch_add(&context->refs, 1);
    return context;
}

/* Ends an owned context in the driver; a thread in which it is current loses it, and this thread's
 * book is kept right. */
static int destroy(runcu_context *context)
{
    CUcontext now = NULL;
    const struct drv_table *cu = &context->driver->cu;
    if (atomic_load(&context->has_work) &&
        core_context_wait(context) == RUNCU_ERROR_INTERRUPTED)
        return RUNCU_ERROR_INTERRUPTED; /* to destroy it would wait for what runs */
    core_stage_end(context);
    bool is_current = cu->cuCtxGetCurrent(&now) == CUDA_SUCCESS && now == context->handle;
    CUresult code = cu->cuCtxDestroy(context->handle);
    if (is_current && code == CUDA_SUCCESS)
        core_popped_all(context->driver);
    else
        core_buried();
    return core_is_gone(code) ? 0 : core_check(context->driver, "cuCtxDestroy", code);
}

void runcu_context_release(runcu_context **context)
{
    if (!context)
        return;
    runcu_context *c = *context;
    *context = NULL;
    if (!c)
        return;
    int refs = atomic_load(&c->refs);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&c->refs, &refs, refs - 1))
            return;
    core_lock(); /* nobody finds it in the list while it goes */
    bool is_last = atomic_fetch_sub(&c->refs, 1) == 1;
    if (is_last)
        unlink_context(c);
    core_unlock();
    if (!is_last)
        return;
    if (!atomic_load(&c->is_dead) && c->kind == CORE_OWNED)
        destroy(c);
    free_context(c);
}

/* Others, such as the CUDA runtime, may go on using it: then its objects stay what they are. */
static int release_primary(runcu_context *context)
{
    CUcontext now = NULL;
    unsigned flags;
    int active = 0;
    const struct drv_table *cu = &context->driver->cu;
    if (atomic_load(&context->has_work))
        core_context_wait(context);
    core_stage_end(context);
    if (cu->cuCtxGetCurrent(&now) == CUDA_SUCCESS && now == context->handle)
        cu->cuCtxSetCurrent(NULL);
    int status = CU_CALL(context->driver, cuDevicePrimaryCtxRelease, context->device->handle);
    if (cu->cuDevicePrimaryCtxGetState(context->device->handle, &flags, &active) || !active)
        atomic_store(&context->is_dead, true);
    return status;
}

int runcu_context_detach(runcu_context *context)
{
    CORE_NEED(context);
    int status = 0;
    core_lock();
    bool was_detached = atomic_exchange(&context->is_detached, true);
    if (!was_detached)
        unlink_context(context);
    if (!was_detached && context->kind == CORE_PRIMARY)
        context->device->primary = NULL;
    if (context->kind != CORE_PRIMARY)
        atomic_store(&context->is_dead, true);
    core_unlock();
    if (was_detached)
        return runcu_fail(RUNCU_ERROR_FREED, "the context has been detached before");
    if (context->kind == CORE_OWNED) {
        status = destroy(context);
        core_finish_deferred(context);
        return status;
    }
    if (context->kind == CORE_PRIMARY)
        status = release_primary(context);
    runcu_context_release(&context); /* the list's reference */
    return status;
}

runcu_device *runcu_context_device(const runcu_context *context)
{
    return context ? context->device : NULL;
}

uint64_t runcu_context_handle(const runcu_context *context)
{
    return context ? (uintptr_t) context->handle : 0;
}

int runcu_context_is_alive(const runcu_context *context)
{
    return context && !atomic_load(&context->is_dead) && !atomic_load(&context->is_detached);
}

/* The context is current. */
static int synchronize(runcu_context *context)
{
    int status = core_wait_context(context, "cuCtxSynchronize");
    if (status)
        return status;
    atomic_store(&context->has_work, false);
    status = CU_FLUSHING(context->driver, cuCtxSynchronize, );
    atomic_store(&context->is_left, false);
    if (UNLIKELY(context->deferred != NULL))
        core_finish_deferred(context);
    return status;
}

int core_context_wait(runcu_context *context)
{
    const struct drv_table *cu = &context->driver->cu;
    CUcontext popped;
    if (cu->cuCtxPushCurrent(context->handle)) {
        atomic_store(&context->has_work, false);
        return 0; /* gone already */
    }
    int status = synchronize(context);
    cu->cuCtxPopCurrent(&popped);
    return status;
}

int runcu_context_synchronize(runcu_context *context)
{
    struct core_scope scope;
    runcu_context *c = context ? runcu_context_retain(context) : NULL;
    int status = c ? 0 : core_context_get(&c);
    if (status)
        return status;
    status = core_enter(&scope, c);
    if (!status) {
        status = synchronize(c);
        core_leave(&scope);
    }
    runcu_context_release(&c);
    return status;
}

/* One context that has work outstanding, counted; NULL if there is none. Where a wait has been
 * interrupted nobody wants to wait again. */
static runcu_context *take_busy(void)
{
    core_lock();
    runcu_context *c = contexts;
    while (c && (!atomic_load(&c->has_work) || atomic_load(&c->is_left)))
        c = c->next;
    if (c)
        atomic_fetch_add(&c->refs, 1);
    core_unlock();
    return c;
}

int runcu_synchronize_all(void)
{
    int status = 0;
    for (runcu_context *c = take_busy(); c; c = take_busy()) {
        int one = core_context_wait(c);
        status = status ? status : one;
        runcu_context_release(&c);
    }
    return status;
}

void core_contexts_finish(void)
{
    runcu_error e;
    if (runcu_synchronize_all() == 0)
        return;
    runcu_error_get(&e);
    if (e.code != CUDA_ERROR_DEINITIALIZED)
        core_log(RUNCU_LOG_WARNING, "cleanup", "at exit: %s", runcu_error_text());
}

void core_contexts_forget_work(void)
{
    for (runcu_context *c = contexts; c; c = c->next)
        atomic_store(&c->has_work, false);
}

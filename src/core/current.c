/* Which context is current in this thread. Each driver keeps a stack of contexts per thread; this
 * file keeps which driver is in charge, and makes the default device's primary context current
 * where there is none. */
#include "core.h"

#include <dlfcn.h>

/* Contexts pushed one on another, all of one driver. */
struct run {
    struct core_driver *driver;
    struct core_driver *before; /* in charge when the first of them was pushed */
    unsigned count;
};

enum { MOST_RUNS = 16 };

static _Thread_local struct {
    struct core_driver *driver; /* in charge; NULL: the default one */
    struct run runs[MOST_RUNS];
    int run_count;
    struct core_driver *implied_driver; /* whose context `implied` became current for want of one */
    CUcontext implied;
    bool has_buried; /* a context was destroyed that may lie beneath the current one */
} thread;

static struct run *top_run(void)
{
    return thread.run_count ? &thread.runs[thread.run_count - 1] : NULL;
}

int core_pushed(struct core_driver *driver)
{
    struct run *run = top_run();
    if (run && run->driver == driver && thread.driver == driver) {
        run->count++;
        return 0;
    }
    if (thread.run_count == MOST_RUNS)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "contexts of two drivers are pushed on each other more than %d times",
                          MOST_RUNS);
    thread.runs[thread.run_count++] = (struct run){driver, thread.driver, 1};
    thread.driver = driver;
    return 0;
}

void core_popped(struct core_driver *driver)
{
    struct run *run = top_run();
    if (!run || run->driver != driver || --run->count)
        return;
    thread.driver = run->before;
    thread.run_count--;
}

/* Asks for what needs a living context; NVIDIA's driver answers some questions without. */
static bool is_destroyed(const struct drv_table *cu)
{
    CUevent event;
    CUresult code = cu->cuEventCreate(&event, CU_EVENT_DISABLE_TIMING);
    if (code == CUDA_SUCCESS)
        cu->cuEventDestroy(event);
    return code == CUDA_ERROR_CONTEXT_IS_DESTROYED || code == CUDA_ERROR_INVALID_CONTEXT;
}

void core_buried(void)
{
    thread.has_buried = true;
}

/* Before the first use of a device: where the CUDA driver is loaded, somebody may have made a
 * context current with it. */
static NO_INLINE int open_loaded(struct core_driver **out)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (!library)
        return 0;
    dlclose(library);
    return core_driver_open(out, NULL);
}

void core_popped_all(struct core_driver *driver)
{
    const struct drv_table *cu = &driver->cu;
    CUcontext now = NULL;
    core_popped(driver);
    while (thread.has_buried && cu->cuCtxGetCurrent(&now) == CUDA_SUCCESS && now &&
           is_destroyed(cu) && cu->cuCtxPopCurrent(&now) == CUDA_SUCCESS)
        core_popped(driver);
    if (!thread.run_count)
        thread.has_buried = false;
}

int core_current_peek(struct core_driver **out, CUcontext *handle)
{
    struct core_driver *driver = thread.driver;
    *out = NULL;
    *handle = NULL;
    if (!driver)
        driver = core_device_peek() ? core_device_peek()->driver : core_driver_peek();
    if (UNLIKELY(!driver)) {
        int status = open_loaded(&driver);
        if (status || !driver)
            return status;
    }
    CUresult code = driver->cu.cuCtxGetCurrent(handle);
    if (UNLIKELY(code))
        return core_check(driver, "cuCtxGetCurrent", code);
    if (*handle)
        *out = driver;
    return 0;
}

static NO_INLINE int imply(struct core_driver **out, CUcontext *handle)
{
    runcu_device *device;
    runcu_context *context;
    int status = runcu_device_default(&device);
    if (status)
        return status;
    struct core_driver *driver = device->driver;
    if (driver->cu.cuCtxGetCurrent(handle) == CUDA_SUCCESS && *handle) {
        *out = driver; /* it had not been loaded yet, and somebody else was there before us */
        return 0;
    }
    status = runcu_context_primary(&context, device);
    if (status)
        return status;
    status = CU_CALL(driver, cuCtxSetCurrent, context->handle);
    if (!status) {
        *out = thread.implied_driver = driver;
        *handle = thread.implied = context->handle;
        thread.driver = top_run() ? driver : NULL;
    }
    runcu_context_release(&context); /* the device keeps it */
    return status;
}

int core_current(struct core_driver **out, CUcontext *handle)
{
    int status = core_current_peek(out, handle);
    if (LIKELY(*out) || status)
        return status;
    return imply(out, handle);
}

void core_current_forget_default(void)
{
    CUcontext now;
    struct core_driver *driver = thread.implied_driver;
    if (driver && driver->cu.cuCtxGetCurrent(&now) == CUDA_SUCCESS && now && now == thread.implied)
        driver->cu.cuCtxSetCurrent(NULL);
    thread.implied_driver = NULL;
}

int core_current_device(runcu_device **out)
{
    struct core_driver *driver;
    CUcontext handle;
    runcu_context *context;
    int status = core_current_peek(&driver, &handle);
    if (status || !driver)
        return status ? status : runcu_device_default(out);
    status = core_context_find(&context, driver, handle);
    if (status)
        return status;
    *out = context->device;
    runcu_context_release(&context);
    return 0;
}

int runcu_context_push(runcu_context *context)
{
    CORE_NEED(context);
    if (!runcu_context_is_alive(context))
        return runcu_fail(RUNCU_ERROR_FREED, "the context has been detached");
    int status = core_pushed(context->driver);
    if (status)
        return status;
    status = CU_CALL(context->driver, cuCtxPushCurrent, context->handle);
    if (status)
        core_popped(context->driver);
    return status;
}

/* Did the context become current for want of another one? Nobody has pushed it. */
static bool is_implied(const struct core_driver *driver, CUcontext handle)
{
    return handle && driver == thread.implied_driver && handle == thread.implied;
}

int runcu_context_pop(void)
{
    struct run *run = top_run();
    struct core_driver *driver = run ? run->driver : NULL;
    CUcontext popped = NULL;
    int status = run ? 0 : core_current_peek(&driver, &popped);
    if (!status && (!driver || is_implied(driver, popped)))
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "there is no context to pop");
    if (!status)
        status = CU_CALL(driver, cuCtxPopCurrent, &popped);
    if (!status)
        core_popped_all(driver);
    return status;
}

int runcu_context_set_current(runcu_context *context)
{
    struct core_driver *driver;
    CUcontext now;
    if (context && !runcu_context_is_alive(context))
        return runcu_fail(RUNCU_ERROR_FREED, "the context has been detached");
    if (!context) {
        int status = core_current_peek(&driver, &now);
        return status || !driver ? status : CU_CALL(driver, cuCtxSetCurrent, NULL);
    }
    int status = CU_CALL(context->driver, cuCtxSetCurrent, context->handle);
    if (!status)
        thread.driver = context->driver;
    return status;
}

bool core_is_gone(CUresult code)
{
    return code == CUDA_ERROR_DEINITIALIZED || code == CUDA_ERROR_CONTEXT_IS_DESTROYED ||
           code == CUDA_ERROR_INVALID_CONTEXT || code == DRV_FORKED;
}

/* Pushes `context` unless it is current. */
static CUresult enter(struct core_scope *out, const char **routine, runcu_context *context)
{
    struct core_driver *driver = context->driver;
    CUcontext now = NULL;
    out->driver = out->relaxed = NULL;
    *routine = "cuCtxGetCurrent";
    CUresult code = driver->cu.cuCtxGetCurrent(&now);
    if (code || now == context->handle)
        return code;
    *routine = "cuCtxPushCurrent";
    code = driver->cu.cuCtxPushCurrent(context->handle);
    if (code == CUDA_SUCCESS)
        out->driver = driver;
    return code;
}

int core_enter(struct core_scope *out, runcu_context *context)
{
    const char *routine;
    if (atomic_load_explicit(&context->is_dead, memory_order_relaxed))
        return runcu_fail(RUNCU_ERROR_FREED, "the context of this object has been detached");
    CUresult code = enter(out, &routine, context);
    return core_check(context->driver, routine, code);
}

void core_relax(struct core_scope *scope, struct core_driver *driver)
{
    scope->mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    if (driver->cu.cuThreadExchangeStreamCaptureMode(&scope->mode) == CUDA_SUCCESS)
        scope->relaxed = driver;
}

void core_leave(struct core_scope *scope)
{
    CUcontext popped;
    if (scope->relaxed)
        scope->relaxed->cu.cuThreadExchangeStreamCaptureMode(&scope->mode);
    if (scope->driver)
        scope->driver->cu.cuCtxPopCurrent(&popped);
}

bool core_enter_cleanup(struct core_scope *out, runcu_context *context)
{
    const char *routine;
    if (atomic_load(&context->is_dead))
        return false;
    CUresult code = enter(out, &routine, context);
    core_cleanup(context, routine, code);
    if (code == CUDA_SUCCESS)
        core_relax(out, context->driver);
    return code == CUDA_SUCCESS;
}

void core_cleanup(const runcu_context *context, const char *routine, CUresult code)
{
    if (code == CUDA_SUCCESS || core_is_gone(code))
        return;
    const char *text = drv_result_text(code);
    core_log(RUNCU_LOG_WARNING, "cleanup", "%s failed on the device %s: %s", routine,
             context->device->name, text ? text : "unknown error");
}

/* What can be set of a context and asked of it: limits, caches, peers, the profiler. */
#include "core.h"

/* Of the current context. */
#define OF_CURRENT(row, ...)                                        \
    do {                                                            \
        struct core_driver *driver;                                 \
        CUcontext handle;                                           \
        int status = core_current(&driver, &handle);                \
        return status ? status : CU_CALL(driver, row, __VA_ARGS__); \
    } while (0)

int runcu_context_set_limit(int limit, size_t value)
{
    OF_CURRENT(cuCtxSetLimit, limit, value);
}

int runcu_context_get_limit(size_t *out, int limit)
{
    CORE_NEED(out);
    OF_CURRENT(cuCtxGetLimit, out, limit);
}

int runcu_context_set_cache_config(int config)
{
    OF_CURRENT(cuCtxSetCacheConfig, config);
}

int runcu_context_get_cache_config(int *out)
{
    CORE_NEED(out);
    OF_CURRENT(cuCtxGetCacheConfig, out);
}

int runcu_context_priority_range(int *least, int *greatest)
{
    OF_CURRENT(cuCtxGetStreamPriorityRange, least, greatest);
}

int runcu_context_api_version(unsigned *out, runcu_context *context)
{
    CORE_NEED(out);
    if (!context)
        OF_CURRENT(cuCtxGetApiVersion, handle, out);
    if (!runcu_context_is_alive(context))
        return runcu_fail(RUNCU_ERROR_FREED, "the context has been detached");
    return CU_CALL(context->driver, cuCtxGetApiVersion, context->handle, out);
}

int runcu_profiler_start(void)
{
    struct core_driver *driver;
    CUcontext handle;
    int status = core_current(&driver, &handle);
    return status ? status : core_check(driver, "cuProfilerStart", driver->cu.cuProfilerStart());
}

int runcu_profiler_stop(void)
{
    struct core_driver *driver;
    CUcontext handle;
    int status = core_current(&driver, &handle);
    return status ? status : core_check(driver, "cuProfilerStop", driver->cu.cuProfilerStop());
}

int runcu_context_set_shared_config(int config)
{
    struct core_driver *driver;
    CUcontext handle;
    int status = core_current(&driver, &handle);
    if (status)
        return status;
    if (driver->cu.cuCtxSetSharedMemConfig)
        return CU_CALL(driver, cuCtxSetSharedMemConfig, config);
    bool is_known = config >= 0 && config <= CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE;
    return core_check(driver, "cuCtxSetSharedMemConfig",
                      is_known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

int runcu_context_get_shared_config(int *out)
{
    CORE_NEED(out);
    struct core_driver *driver;
    CUcontext handle;
    int status = core_current(&driver, &handle);
    *out = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
    if (status || !driver->cu.cuCtxGetSharedMemConfig)
        return status;
    return CU_CALL(driver, cuCtxGetSharedMemConfig, out);
}

/* The driver whose current context is meant, for a call about `peer`. */
static int enter_peer(struct core_driver **out, const runcu_context *peer)
{
    CUcontext handle;
    if (!runcu_context_is_alive(peer))
        return runcu_fail(RUNCU_ERROR_FREED, "the peer's context has been detached");
    int status = core_current(out, &handle);
    if (!status && *out != peer->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the peer's context is of the driver \"%s\", the current one of \"%s\"",
                          peer->driver->name, (*out)->name);
    return status;
}

int runcu_context_enable_peer(runcu_context *peer, unsigned flags)
{
    CORE_NEED(peer);
    struct core_driver *driver;
    int status = enter_peer(&driver, peer);
    return status ? status : CU_CALL(driver, cuCtxEnablePeerAccess, peer->handle, flags);
}

int runcu_context_disable_peer(runcu_context *peer)
{
    CORE_NEED(peer);
    struct core_driver *driver;
    int status = enter_peer(&driver, peer);
    return status ? status : CU_CALL(driver, cuCtxDisablePeerAccess, peer->handle);
}

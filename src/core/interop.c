/* Memory and streams of other libraries: whose an address is, and order between their streams and
 * ours. */
#include "core.h"

/* --- addresses --- */

static int describe(runcu_address_info *out, struct core_driver *driver, CUdeviceptr address)
{
    const struct drv_table *cu = &driver->cu;
    unsigned type = 0, is_managed = 0;
    int ordinal = 0;
    CUdeviceptr there = 0;
    if (cu->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address) || !type)
        return -1;
    if (cu->cuPointerGetAttribute(&is_managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address))
        is_managed = 0;
    if (cu->cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address))
        ordinal = 0;
    if (cu->cuPointerGetAttribute(&there, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, address))
        there = 0;
    out->kind = is_managed                   ? RUNCU_ADDRESS_MANAGED
                : type == CU_MEMORYTYPE_HOST ? RUNCU_ADDRESS_HOST
                                             : RUNCU_ADDRESS_DEVICE;
    out->device = ordinal >= 0 && ordinal < driver->device_count ? &driver->devices[ordinal] : NULL;
    out->address = there;
    return 0;
}

/* The driver that knows the address, NULL if none does. */
static struct core_driver *look_up(runcu_address_info *out, uint64_t address)
{
    struct core_driver *current;
    CUcontext handle;
    if (core_current_peek(&current, &handle) != 0)
        current = NULL;
    if (current && describe(out, current, address) == 0)
        return current;
    for (struct core_driver *d = core_driver_next(NULL); d; d = core_driver_next(d))
        if (d != current && describe(out, d, address) == 0)
            return d;
    return NULL;
}

int runcu_address_find(runcu_address_info *out, uint64_t address)
{
    CORE_NEED(out);
    runcu_address_info found = {.size = sizeof found};
    if (out->size != sizeof *out)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "runcu_address_find: out->size must be sizeof(runcu_address_info)");
    if (address)
        look_up(&found, address);
    *out = found;
    return 0;
}

int runcu_address_synchronize(uint64_t address)
{
    runcu_address_info info;
    runcu_context *context;
    CUcontext handle = NULL;
    struct core_driver *driver = address ? look_up(&info, address) : NULL;
    if (!driver ||
        driver->cu.cuPointerGetAttribute(&handle, CU_POINTER_ATTRIBUTE_CONTEXT, address) || !handle)
        return runcu_context_synchronize(NULL);
    int status = core_context_find(&context, driver, handle);
    if (status)
        return status;
    status = runcu_context_synchronize(context);
    runcu_context_release(&context);
    return status;
}

/* --- streams --- */

/* An event of the current context that happens after what `stream` has been given so far. */
static CUresult mark(CUevent *out, const struct drv_table *cu, CUstream stream)
{
    CUresult code = cu->cuEventCreate(out, CU_EVENT_DISABLE_TIMING);
    if (code)
        return code;
    code = cu->cuEventRecord(*out, stream);
    if (code)
        cu->cuEventDestroy(*out);
    return code;
}

/* Likewise for a stream of another context. */
static int mark_elsewhere(CUevent *out, struct core_driver *driver, CUstream stream)
{
    CUcontext there, popped;
    int status = CU_CALL(driver, cuStreamGetCtx, stream, &there);
    status = status ? status : CU_CALL(driver, cuCtxPushCurrent, there);
    if (status)
        return status;
    status = core_check(driver, "cuEventRecord", mark(out, &driver->cu, stream));
    driver->cu.cuCtxPopCurrent(&popped);
    return status;
}

int runcu_stream_follow(runcu_stream *stream, uint64_t other)
{
    struct core_scope scope;
    struct core_driver *driver;
    CUevent event;
    CUstream after = (CUstream) (uintptr_t) (other == 1 ? 0 : other);
    if (core_stream(stream) == after)
        return 0;
    int status = core_stream_enter(&scope, &driver, stream);
    if (status)
        return status;
    CUresult code = mark(&event, &driver->cu, after);
    if (code == CUDA_ERROR_INVALID_HANDLE && other > 2)
        status = mark_elsewhere(&event, driver, after);
    else
        status = core_check(driver, "cuEventRecord", code);
    if (!status) {
        status = CU_CALL(driver, cuStreamWaitEvent, core_stream(stream), event, 0);
        driver->cu.cuEventDestroy(event); /* which takes effect once it has happened */
    }
    core_leave(&scope);
    return status;
}

/* Device memory and page-locked host memory, as objects that hold their context. */
#include "core.h"

static int new_mem(runcu_mem **out)
{
    *out = NULL;
    runcu_mem *mem = core_new(sizeof *mem);
    if (!mem)
        return RUNCU_ERROR_MEMORY;
    int status = core_context_get(&mem->context);
    if (status)
        core_delete(mem);
    else
        *out = mem;
    return status;
}

static int discard(runcu_mem **mem, int status)
{
    runcu_context_release(&(*mem)->context);
    core_delete(*mem);
    *mem = NULL;
    return status;
}

int runcu_mem_alloc(runcu_mem **out, size_t bytes)
{
    int status = new_mem(out);
    if (status)
        return status;
    runcu_mem *mem = *out;
    mem->bytes = bytes;
    status = CU_CALL(mem->context->driver, cuMemAlloc, &mem->address, bytes);
    if (!status)
        return 0;
    runcu_fail_detail("%zu bytes were asked for.", bytes);
    return discard(out, status);
}

int runcu_mem_alloc_host(runcu_mem **out, size_t bytes, unsigned flags)
{
    int status = new_mem(out);
    if (status)
        return status;
    runcu_mem *mem = *out;
    struct core_driver *driver = mem->context->driver;
    mem->bytes = bytes;
    status = CU_CALL(driver, cuMemHostAlloc, &mem->host, bytes, flags);
    if (status)
        return discard(out, status);
    /* The address kernels use; on a context without mapping there is none, and the memory serves
     * copies alone. */
    if (driver->cu.cuMemHostGetDevicePointer(&mem->address, mem->host, 0))
        mem->address = 0;
    return 0;
}

int runcu_mem_free(runcu_mem **mem)
{
    runcu_mem *m = *mem;
    struct core_scope scope;
    CUresult code = CUDA_SUCCESS;
    int status = 0;
    *mem = NULL;
    if (!m)
        return 0;
    if (m->pool)
        return core_pool_take_back(m);
    struct core_driver *driver = m->context->driver;
    if (core_enter_cleanup(&scope, m->context)) {
        code = m->host ? driver->cu.cuMemFreeHost(m->host) : driver->cu.cuMemFree(m->address);
        if (!core_is_gone(code))
            status = core_check(driver, m->host ? "cuMemFreeHost" : "cuMemFree", code);
        core_leave(&scope);
    }
    discard(&m, 0);
    return status;
}

uint64_t runcu_mem_address(const runcu_mem *mem)
{
    return mem->address;
}

size_t runcu_mem_size(const runcu_mem *mem)
{
    return mem->bytes;
}

runcu_context *runcu_mem_context(const runcu_mem *mem)
{
    return mem->context;
}

void *runcu_mem_host_pointer(const runcu_mem *mem)
{
    return mem->host;
}

int runcu_mem_info(size_t *free_bytes, size_t *total_bytes)
{
    struct core_driver *driver;
    CUcontext handle;
    *free_bytes = *total_bytes = 0;
    int status = core_current(&driver, &handle);
    return status ? status : CU_CALL(driver, cuMemGetInfo, free_bytes, total_bytes);
}

int runcu_mem_address_range(uint64_t *base, size_t *bytes, uint64_t address)
{
    struct core_driver *driver;
    CUcontext handle;
    CUdeviceptr start = 0;
    *base = *bytes = 0;
    int status = core_current(&driver, &handle);
    if (!status)
        status = CU_CALL(driver, cuMemGetAddressRange, &start, bytes, address);
    *base = start;
    return status;
}

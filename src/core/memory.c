/* Memory of every kind as objects that hold their context: making, freeing, asking. Not here: what
 * is peculiar to memory that the host uses too (host.c). */
#include "core.h"

int core_mem_create(runcu_mem **out, enum core_mem_kind kind)
{
    *out = NULL;
    runcu_mem *mem = core_new(sizeof *mem);
    if (!mem)
        return RUNCU_ERROR_MEMORY;
    int status = core_context_get(&mem->context);
    mem->kind = kind;
    if (status)
        core_delete(mem);
    else
        *out = mem;
    return status;
}

int core_mem_discard(runcu_mem **mem, int status)
{
    core_mempool_drop((*mem)->mempool);
    runcu_context_release(&(*mem)->context);
    core_delete(*mem);
    *mem = NULL;
    return status;
}

int runcu_mem_alloc(runcu_mem **out, size_t bytes)
{
    CORE_OUT(out);
    int status = core_mem_create(out, CORE_MEM_DEVICE);
    if (status)
        return status;
    runcu_mem *mem = *out;
    mem->bytes = bytes;
    status = CU_FLUSHING(mem->context->driver, cuMemAlloc, &mem->address, bytes);
    if (!status)
        return 0;
    runcu_fail_detail("%zu bytes were asked for.", bytes);
    return core_mem_discard(out, status);
}

int runcu_mem_alloc_pitch(runcu_mem **out, size_t *pitch, size_t width, size_t height,
                          unsigned access)
{
    CORE_OUT(out);
    CORE_NEED(pitch);
    *pitch = 0;
    int status = core_mem_create(out, CORE_MEM_DEVICE);
    if (status)
        return status;
    runcu_mem *mem = *out;
    status = CU_CALL(mem->context->driver, cuMemAllocPitch, &mem->address, pitch, width, height,
                     access);
    mem->bytes = *pitch * height;
    if (!status)
        return 0;
    runcu_fail_detail("%zu rows of %zu bytes were asked for, for accesses of %u bytes (4, 8 and 16 "
                      "are possible).",
                      height, width, access);
    return core_mem_discard(out, status);
}

int runcu_mem_wrap(runcu_mem **out, uint64_t handle)
{
    CORE_OUT(out);
    CUdeviceptr base = 0;
    size_t bytes = 0;
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is the address of no memory");
    int status = core_mem_create(out, CORE_MEM_FOREIGN);
    if (status)
        return status;
    runcu_mem *mem = *out;
    mem->address = handle;
    if (!mem->context->driver->cu.cuMemGetAddressRange(&base, &bytes, handle))
        mem->bytes = bytes - (handle - base);
    return 0;
}

static CUresult release(const runcu_mem *m, const char **routine)
{
    const struct drv_table *cu = &m->context->driver->cu;
    core_forget_addresses();
    switch (m->kind) {
    case CORE_MEM_HOST:
        *routine = "cuMemFreeHost";
        return cu->cuMemFreeHost(m->host);
    case CORE_MEM_REGISTERED:
        *routine = "cuMemHostUnregister";
        return cu->cuMemHostUnregister(m->host);
    case CORE_MEM_ORDERED: { /* the driver takes it at once, whatever still uses it */
        CUresult code = cu->cuCtxSynchronize();
        *routine = code ? "cuCtxSynchronize" : "cuMemFree";
        return code ? code : cu->cuMemFree(m->address);
    }
    case CORE_MEM_IMPORTED:
        *routine = "cuIpcCloseMemHandle";
        return cu->cuIpcCloseMemHandle(m->address);
    case CORE_MEM_FOREIGN:
        *routine = "";
        return CUDA_SUCCESS;
    default:
        *routine = "cuMemFree";
        return cu->cuMemFree(m->address);
    }
}

/* In the current context. */
static int end(const runcu_mem *m)
{
    const char *routine;
    core_listen(m->context->driver); /* it waits for kernels */
    CUresult code = core_listen_end(release(m, &routine));
    return core_is_gone(code) ? 0 : core_check(m->context->driver, routine, code);
}

static void end_later(runcu_context *context, void *object)
{
    runcu_mem *m = object;
    struct core_scope scope;
    if (core_enter_cleanup(&scope, context)) {
        end(m);
        core_leave(&scope);
    }
    core_mem_discard(&m, 0);
}

int runcu_mem_free(runcu_mem **mem)
{
    CORE_NEED(mem);
    runcu_mem *m = *mem;
    struct core_scope scope;
    int status = 0;
    *mem = NULL;
    if (!m)
        return 0;
    if (m->pool)
        return core_pool_take_back(m);
    if (core_enter_cleanup(&scope, m->context)) {
        bool is_later = m->kind != CORE_MEM_REGISTERED && m->kind != CORE_MEM_FOREIGN &&
                        core_defer(&status, m->context, end_later, m);
        if (!is_later)
            status = end(m);
        core_leave(&scope);
        if (is_later)
            return status;
    }
    core_mem_discard(&m, 0);
    return status;
}

uint64_t runcu_mem_address(const runcu_mem *mem)
{
    return mem ? mem->address : 0;
}

uint64_t runcu_mem_handle(const runcu_mem *mem)
{
    return mem ? mem->address : 0;
}

size_t runcu_mem_size(const runcu_mem *mem)
{
    return mem ? mem->bytes : 0;
}

runcu_context *runcu_mem_context(const runcu_mem *mem)
{
    return mem ? mem->context : NULL;
}

void *runcu_mem_host_pointer(const runcu_mem *mem)
{
    return mem ? mem->host : NULL;
}

int runcu_mem_info(size_t *free_bytes, size_t *total_bytes)
{
    CORE_NEED(free_bytes);
    CORE_NEED(total_bytes);
    struct core_driver *driver;
    CUcontext handle;
    *free_bytes = *total_bytes = 0;
    int status = core_current(&driver, &handle);
    return status ? status : CU_CALL(driver, cuMemGetInfo, free_bytes, total_bytes);
}

int runcu_mem_address_range(uint64_t *base, size_t *bytes, uint64_t address)
{
    CORE_NEED(base);
    CORE_NEED(bytes);
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

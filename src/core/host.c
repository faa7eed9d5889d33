/* Memory that the host uses too: page-locked, registered, managed. Freeing is everybody's
 * (memory.c). */
#include "core.h"

/* The address that kernels use; on a context without mapping there is none, and the memory serves
 * copies alone. */
static void find_address(runcu_mem *mem)
{
    if (mem->context->driver->cu.cuMemHostGetDevicePointer(&mem->address, mem->host, 0))
        mem->address = 0;
}

int runcu_mem_alloc_host(runcu_mem **out, size_t bytes, unsigned flags)
{
    CORE_OUT(out);
    int status = core_mem_create(out, CORE_MEM_HOST);
    if (status)
        return status;
    runcu_mem *mem = *out;
    mem->bytes = bytes;
    status = CU_CALL(mem->context->driver, cuMemHostAlloc, &mem->host, bytes, flags);
    if (status)
        return core_mem_discard(out, status);
    find_address(mem);
    return 0;
}

int runcu_mem_register(runcu_mem **out, void *host, size_t bytes, unsigned flags)
{
    CORE_OUT(out);
    CORE_NEED(host);
    int status = core_mem_create(out, CORE_MEM_REGISTERED);
    if (status)
        return status;
    runcu_mem *mem = *out;
    mem->bytes = bytes;
    mem->host = host;
    status = CU_CALL(mem->context->driver, cuMemHostRegister, host, bytes, flags);
    if (status)
        return core_mem_discard(out, status);
    find_address(mem);
    return 0;
}

/* Bytes from `host` to the end of what the driver has page-locked there; 0: nothing. */
static size_t bytes_left(const struct drv_table *cu, uintptr_t host)
{
    unsigned type = 0;
    CUdeviceptr start = 0;
    size_t bytes = 0;
    if (cu->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, host) ||
        type != CU_MEMORYTYPE_HOST ||
        cu->cuPointerGetAttribute(&start, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, host) ||
        cu->cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, host))
        return 0;
    return bytes - (size_t) (host - start);
}

int runcu_mem_wrap_host(runcu_mem **out, void *host, size_t bytes)
{
    CORE_OUT(out);
    CORE_NEED(host);
    int status = core_mem_create(out, CORE_MEM_FOREIGN);
    if (status)
        return status;
    runcu_mem *mem = *out;
    size_t left = bytes_left(&mem->context->driver->cu, (uintptr_t) host);
    mem->host = host;
    mem->bytes = bytes ? bytes : left;
    if (!left || bytes > left)
        status = runcu_fail(RUNCU_ERROR_ARGUMENT,
                            left ? "%p has %zu bytes of page-locked memory, not %zu"
                                 : "%p is not in page-locked memory of this driver",
                            host, left, bytes);
    if (status)
        return core_mem_discard(out, status);
    find_address(mem);
    return 0;
}

int runcu_mem_alloc_managed(runcu_mem **out, size_t bytes, unsigned flags)
{
    CORE_OUT(out);
    int status = core_mem_create(out, CORE_MEM_MANAGED);
    if (status)
        return status;
    runcu_mem *mem = *out;
    mem->bytes = bytes;
    status = CU_CALL(mem->context->driver, cuMemAllocManaged, &mem->address, bytes,
                     flags ? flags : CU_MEM_ATTACH_GLOBAL);
    if (status)
        return core_mem_discard(out, status);
    mem->host = (void *) (uintptr_t) mem->address;
    return 0;
}

int runcu_mem_host_flags(unsigned *out, const runcu_mem *mem)
{
    CORE_NEED(out);
    CORE_NEED(mem);
    struct core_scope scope;
    *out = 0;
    if (mem->kind != CORE_MEM_HOST && (mem->kind != CORE_MEM_FOREIGN || !mem->host))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the memory is not page-locked memory");
    int status = core_enter(&scope, mem->context);
    if (status)
        return status;
    status = CU_CALL(mem->context->driver, cuMemHostGetFlags, out, mem->host);
    core_leave(&scope);
    return status;
}

/* The driver for work on managed memory, with the stream's context current. */
static int enter(struct core_scope *scope, struct core_driver **driver, const runcu_stream *stream,
                 const runcu_device *device)
{
    int status = core_stream_enter(scope, driver, stream);
    if (!status && device && device->driver != *driver) {
        core_leave(scope);
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "device %d is of the driver \"%s\", the memory of \"%s\"",
                          device->ordinal, device->driver->name, (*driver)->name);
    }
    return status;
}

int runcu_mem_attach(runcu_mem *mem, unsigned flags, runcu_stream *stream)
{
    CORE_NEED(mem);
    struct core_scope scope;
    if (mem->kind != CORE_MEM_MANAGED)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "only managed memory can be attached to a stream");
    if (stream && stream->context->driver != mem->context->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the memory and the stream are of different drivers");
    if (core_stream_is_closed(stream))
        return runcu_fail(RUNCU_ERROR_FREED, "the stream has been closed");
    int status = core_enter(&scope, stream ? stream->context : mem->context);
    if (status)
        return status;
    status = CU_CALL(mem->context->driver, cuStreamAttachMemAsync, core_stream(stream),
                     mem->address, 0, flags);
    core_leave(&scope);
    return status;
}

static CUmemLocation place_of(const runcu_device *device)
{
    return device ? (CUmemLocation){CU_MEM_LOCATION_TYPE_DEVICE, device->handle}
                  : (CUmemLocation){CU_MEM_LOCATION_TYPE_HOST, 0};
}

static int too_old(const char *routine)
{
    return runcu_fail(RUNCU_ERROR_UNSUPPORTED, "the driver has no %s: CUDA 12.2 brought it",
                      routine);
}

int runcu_mem_prefetch(uint64_t address, size_t bytes, const runcu_device *to, runcu_stream *stream)
{
    struct core_scope scope;
    struct core_driver *driver;
    int status = enter(&scope, &driver, stream, to);
    if (status)
        return status;
    if (driver->cu.cuMemPrefetchAsync)
        status = CU_CALL(driver, cuMemPrefetchAsync, address, bytes, place_of(to), 0,
                         core_stream(stream));
    else
        status = too_old("cuMemPrefetchAsync");
    core_leave(&scope);
    return status;
}

int runcu_mem_advise(uint64_t address, size_t bytes, int advice, const runcu_device *device)
{
    struct core_scope scope;
    struct core_driver *driver;
    int status = enter(&scope, &driver, NULL, device);
    if (status)
        return status;
    if (driver->cu.cuMemAdvise)
        status = CU_CALL(driver, cuMemAdvise, address, bytes, advice, place_of(device));
    else
        status = too_old("cuMemAdvise");
    core_leave(&scope);
    return status;
}

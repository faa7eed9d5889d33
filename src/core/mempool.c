/* Memory in the order of streams, and the driver's pools. Freeing it otherwise is everybody's
 * (memory.c). */
#include "core.h"

struct runcu_mempool {
    runcu_device *device;
    CUmemoryPool handle;
    bool is_owned;
    atomic_int refs; /* the owner, and each allocation: drivers fail if memory outlives its pool */
};

/* --- memory --- */

int runcu_mem_alloc_async(runcu_mem **out, size_t bytes, runcu_mempool *pool, runcu_stream *stream)
{
    CORE_OUT(out);
    struct core_stream_scope s;
    if (!bytes)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 bytes cannot be allocated");
    int status = core_stream_begin(&s, stream);
    if (status)
        return status;
    if (pool && pool->device->driver != s.driver)
        return core_stream_end(&s, runcu_fail(RUNCU_ERROR_ARGUMENT,
                                              "the pool and the stream are of different drivers"));
    status = core_mem_create(out, CORE_MEM_ORDERED);
    if (status)
        return core_stream_end(&s, status);
    runcu_mem *mem = *out;
    mem->bytes = bytes;
    mem->mempool = pool;
    if (pool)
        atomic_fetch_add(&pool->refs, 1);
    if (pool)
        status = CU_CALL(s.driver, cuMemAllocFromPoolAsync, &mem->address, bytes, pool->handle,
                         core_stream(stream));
    else
        status = CU_CALL(s.driver, cuMemAllocAsync, &mem->address, bytes, core_stream(stream));
    if (status) {
        runcu_fail_detail("%zu bytes were asked for.", bytes);
        core_mem_discard(out, status);
    }
    return core_stream_end(&s, status);
}

int runcu_mem_free_async(runcu_mem **mem, runcu_stream *stream)
{
    CORE_NEED(mem);
    struct core_stream_scope s;
    runcu_mem *m = *mem;
    if (!m)
        return 0;
    if (m->kind != CORE_MEM_ORDERED)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "only memory that was allocated in the order of a "
                                                "stream can be freed in the order of one");
    int status = core_stream_begin(&s, stream);
    if (status)
        return status;
    if (m->context->driver != s.driver)
        return core_stream_end(&s, runcu_fail(RUNCU_ERROR_ARGUMENT, "the memory and the stream are "
                                                                    "of different drivers"));
    core_forget_addresses();
    status = CU_CALL(s.driver, cuMemFreeAsync, m->address, core_stream(stream));
    if (!status) {
        *mem = NULL;
        core_mem_discard(&m, 0);
    }
    return core_stream_end(&s, status);
}

/* --- pools --- */

/* A wrapper of the pool of a device, the current one if that is NULL, whose handle is still to be
 * filled in. */
static int new_pool(runcu_mempool **out, runcu_device *device)
{
    *out = NULL;
    int status = device ? 0 : core_current_device(&device);
    runcu_mempool *pool = status ? NULL : core_new(sizeof *pool);
    if (!pool)
        return status ? status : RUNCU_ERROR_MEMORY;
    pool->device = device;
    atomic_store(&pool->refs, 1);
    *out = pool;
    return 0;
}

static int finish(runcu_mempool **out, int status)
{
    if (status) {
        core_delete(*out);
        *out = NULL;
    }
    return status;
}

int runcu_mempool_create(runcu_mempool **out, runcu_device *device, size_t most)
{
    CORE_OUT(out);
    int status = new_pool(out, device);
    if (status)
        return status;
    runcu_mempool *pool = *out;
    CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                            .location = {CU_MEM_LOCATION_TYPE_DEVICE, pool->device->handle},
                            .maxSize = most};
    pool->is_owned = true;
    return finish(out, CU_CALL(pool->device->driver, cuMemPoolCreate, &pool->handle, &props));
}

int runcu_mempool_default(runcu_mempool **out, runcu_device *device)
{
    CORE_OUT(out);
    int status = new_pool(out, device);
    if (status)
        return status;
    device = (*out)->device;
    return finish(
        out, CU_CALL(device->driver, cuDeviceGetDefaultMemPool, &(*out)->handle, device->handle));
}

int runcu_mempool_current(runcu_mempool **out, runcu_device *device)
{
    CORE_OUT(out);
    int status = new_pool(out, device);
    if (status)
        return status;
    device = (*out)->device;
    return finish(out,
                  CU_CALL(device->driver, cuDeviceGetMemPool, &(*out)->handle, device->handle));
}

int runcu_mempool_wrap(runcu_mempool **out, runcu_device *device, uint64_t handle)
{
    CORE_OUT(out);
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no pool");
    int status = new_pool(out, device);
    if (!status)
        (*out)->handle = (CUmemoryPool) (uintptr_t) handle;
    return status;
}

void runcu_mempool_destroy(runcu_mempool **pool)
{
    if (!pool)
        return;
    runcu_mempool *p = *pool;
    *pool = NULL;
    core_mempool_drop(p);
}

/* NVIDIA's driver does not always survive that a pool ends while memory of it is being freed. */
static void wait_for_frees(const runcu_device *device)
{
    struct core_driver *driver = NULL;
    CUcontext context;
    CUdevice current;
    if (core_current_peek(&driver, &context) == 0 && driver == device->driver &&
        driver->cu.cuCtxGetDevice(&current) == CUDA_SUCCESS && current == device->handle)
        driver->cu.cuCtxSynchronize();
}

void core_mempool_drop(runcu_mempool *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    if (p->is_owned) {
        wait_for_frees(p->device);
        CUresult code = p->device->driver->cu.cuMemPoolDestroy(p->handle);
        const char *text = drv_result_text(code);
        if (code && !core_is_gone(code))
            core_log(RUNCU_LOG_WARNING, "cleanup", "cuMemPoolDestroy failed on the device %s: %s",
                     p->device->name, text ? text : "unknown error");
    }
    core_delete(p);
}

uint64_t runcu_mempool_handle(const runcu_mempool *pool)
{
    return pool ? (uintptr_t) pool->handle : 0;
}

runcu_device *runcu_mempool_device(const runcu_mempool *pool)
{
    return pool ? pool->device : NULL;
}

int runcu_mempool_make_current(runcu_mempool *pool)
{
    CORE_NEED(pool);
    return CU_CALL(pool->device->driver, cuDeviceSetMemPool, pool->device->handle, pool->handle);
}

int runcu_mempool_trim(runcu_mempool *pool, size_t keep)
{
    CORE_NEED(pool);
    return CU_CALL(pool->device->driver, cuMemPoolTrimTo, pool->handle, keep);
}

/* The first attributes are ints, the others have 64 bits. */
static bool is_int(int attribute)
{
    return attribute < CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
}

int runcu_mempool_get(uint64_t *out, runcu_mempool *pool, int attribute)
{
    CORE_NEED(out);
    CORE_NEED(pool);
    union {
        int narrow;
        uint64_t wide;
    } value = {.wide = 0};
    int status =
        CU_CALL(pool->device->driver, cuMemPoolGetAttribute, pool->handle, attribute, &value);
    *out = is_int(attribute) ? (uint64_t) value.narrow : value.wide;
    return status;
}

int runcu_mempool_set(runcu_mempool *pool, int attribute, uint64_t value)
{
    CORE_NEED(pool);
    int narrow = value != 0;
    return CU_CALL(pool->device->driver, cuMemPoolSetAttribute, pool->handle, attribute,
                   is_int(attribute) ? (void *) &narrow : (void *) &value);
}

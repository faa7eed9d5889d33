/* Conformance: memory in the order of streams, and its pools. */
#include "device.h"

enum { N = 1000 };

/* Pools are not on every GPU. */
static bool has_pools(void)
{
    CUdevice device;
    int yes;
    OK(cu.cuCtxGetDevice(&device));
    OK(cu.cuDeviceGetAttribute(&yes, CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, device));
    return yes;
}

static uint64_t ask(CUmemoryPool pool, int attribute)
{
    uint64_t value = 77;
    OK(cu.cuMemPoolGetAttribute(pool, attribute, &value));
    return value;
}

static CUmemPoolProps props(void)
{
    return (CUmemPoolProps){.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                            .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
}

void memory_follows_streams(void)
{
    CUdeviceptr p, q, base;
    CUstream s, other;
    CUevent e;
    size_t bytes;
    begin();
    if (!has_pools())
        return;
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
    OK(cu.cuMemAllocAsync(&p, 4 * N, s));
    OK(cu.cuMemsetD32Async(p, 4, N, s));
    OK(launch(kernel("add_words"), 4, 256, s, ARGS(p, 5, N)));
    OK(cu.cuEventRecord(e, s));
    OK(cu.cuStreamWaitEvent(other, e, 0));
    OK(cu.cuMemAllocAsync(&q, 4 * N, other));
    OK(cu.cuMemcpyDtoDAsync(q, p, 4 * N, other));
    OK(cu.cuMemFreeAsync(p, other)); /* in another stream than it was made in */
    OK(cu.cuMemGetAddressRange(&base, &bytes, q + 4));
    REQUIRE(base == q);
    OK(cu.cuStreamSynchronize(other));
    REQUIRE_INT(word(q), ==, 9);
    REQUIRE_INT(word(q + 4 * (N - 1)), ==, 9);
    OK(cu.cuMemFree(q)); /* the other way to free it */
    for (int i = 0; i < 200; i++) {
        OK(cu.cuMemAllocAsync(&p, 1 << 20, s));
        OK(cu.cuMemsetD32Async(p, (unsigned) i, 1 << 18, s));
        OK(cu.cuMemFreeAsync(p, s));
    }
    OK(cu.cuMemAllocAsync(&p, 64, NULL));
    OK(cu.cuMemFreeAsync(p, NULL));
    OK(cu.cuStreamDestroy(s));
    OK(cu.cuCtxSynchronize());
}

void pools_count_their_memory(void)
{
    CUmemPoolProps like = props();
    CUmemoryPool pool, normal, now;
    CUdeviceptr p, q;
    uint64_t keep = 1 << 20, none = 0;
    int flag = 0;
    begin();
    if (!has_pools())
        return;
    OK(cu.cuDeviceGetDefaultMemPool(&normal, 0));
    OK(cu.cuDeviceGetMemPool(&now, 0));
    REQUIRE(now == normal);
    REQUIRE_INT(ask(normal, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD), ==, 0);
    OK(cu.cuMemPoolCreate(&pool, &like));
    OK(cu.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep));
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD), ==, 1 << 20);
    OK(cu.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &flag));
    flag = 5;
    OK(cu.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &flag));
    REQUIRE_INT(flag, ==, 0);
    OK(cu.cuMemAllocFromPoolAsync(&p, 1 << 20, pool, NULL));
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT), ==, 1 << 20);
    OK(cu.cuDeviceSetMemPool(0, pool));
    OK(cu.cuDeviceGetMemPool(&now, 0));
    REQUIRE(now == pool);
    OK(cu.cuMemAllocAsync(&q, 1 << 20, NULL));
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT), ==, 2 << 20);
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT), >=, 2 << 20);
    OK(cu.cuMemFreeAsync(p, NULL));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT), ==, 1 << 20);
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH), ==, 2 << 20);
    OK(cu.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &none));
    REQUIRE_INT(ask(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH), <=, 1 << 20);
    OK(cu.cuMemPoolTrimTo(pool, 0));
    OK(cu.cuDeviceSetMemPool(0, normal));
    OK(cu.cuMemPoolDestroy(pool)); /* it goes with its last allocation */
    OK(cu.cuMemsetD8(q, 1, 1 << 20));
    OK(cu.cuMemFreeAsync(q, NULL));
    OK(cu.cuCtxSynchronize());
}

void pools_are_checked(void)
{
    CUmemPoolProps bad = props();
    CUmemoryPool pool, normal;
    CUdeviceptr p;
    uint64_t value = 5;
    begin();
    if (!has_pools())
        return;
    REQUIRE(cu.cuMemAllocAsync(NULL, 4, NULL) != CUDA_SUCCESS);
    OK(cu.cuMemAllocAsync(&p, 0, NULL));
    FAILS(cu.cuMemAllocAsync(&p, (size_t) 1 << 60, NULL), CUDA_ERROR_OUT_OF_MEMORY);
    REQUIRE(cu.cuMemAllocFromPoolAsync(&p, 4, NULL, NULL) != CUDA_SUCCESS);
    REQUIRE(cu.cuDeviceGetDefaultMemPool(NULL, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuDeviceGetDefaultMemPool(&pool, 999) != CUDA_SUCCESS);
    OK(cu.cuDeviceGetDefaultMemPool(&normal, 0));
    REQUIRE(cu.cuMemPoolSetAttribute(normal, 99, &value) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemPoolGetAttribute(normal, 99, &value) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemPoolSetAttribute(normal, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &value) !=
            CUDA_SUCCESS);
    REQUIRE(cu.cuMemPoolDestroy(normal) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemPoolCreate(NULL, &bad) != CUDA_SUCCESS);
    bad.allocType = 77;
    REQUIRE(cu.cuMemPoolCreate(&pool, &bad) != CUDA_SUCCESS);
}

/* ---- the CPU device alone ---- */

static const char *why(void)
{
    const char *out = NULL;
    OK(cu.runcuFaultText(&out));
    return out;
}

void memory_of_a_pool_is_found_out(void)
{
    CUmemPoolProps like = props();
    CUmemoryPool pool;
    CUdeviceptr p, q;
    begin();
    like.maxSize = 1 << 20;
    OK(cu.cuMemPoolCreate(&pool, &like));
    OK(cu.cuMemAllocFromPoolAsync(&q, 1 << 19, pool, NULL));
    FAILS(cu.cuMemAllocFromPoolAsync(&q, (1 << 19) + 1, pool, NULL), CUDA_ERROR_OUT_OF_MEMORY);
    REQUIRE_IN("the pool has 1048576 bytes at most", why());
    OK(cu.cuMemPoolDestroy(pool));
    FAILS(cu.cuMemPoolTrimTo(pool, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMemAlloc(&q, 4));
    OK(cu.cuMemAllocAsync(&p, 4000, NULL));
    FAILS(cu.cuMemFreeAsync(p + 4, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMemFreeAsync(p, NULL));
    FAILS(cu.cuMemFreeAsync(p, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemFreeAsync(q, NULL), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_IN("no memory from cuMemAllocAsync", why());
    OK(launch(kernel("store_at"), 1, 1, NULL, ARGS(p, 0, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    REQUIRE_IN("4000-byte allocation", why());
    REQUIRE_IN("has been freed", why());
}

void memory_that_streams_will_free_is_waited_for(void)
{
    size_t free_bytes, total;
    CUdeviceptr p, q, sum;
    begin();
    CUfunction f = kernel("slow");
    OK(cu.cuMemAlloc(&sum, 4));
    OK(cu.cuMemsetD32(sum, 0, 1));
    OK(cu.cuMemGetInfo(&free_bytes, &total));
    OK(cu.cuMemAllocAsync(&p, free_bytes / 3 * 2, NULL));
    OK(launch(f, 1, 1, NULL, ARGS(sum, 100000, 1)));
    OK(cu.cuMemFreeAsync(p, NULL));
    OK(cu.cuMemAllocAsync(&q, free_bytes / 3 * 2, NULL));
    OK(cu.cuMemFreeAsync(q, NULL));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuMemGetInfo(&total, NULL));
    REQUIRE_INT(total, ==, free_bytes);
}

/* Conformance: reserved addresses, physical memory, mappings, access. */
#include "base/alloc.h"
#include "device.h"

static const CUmemAccessDesc both_ways = {{CU_MEM_LOCATION_TYPE_DEVICE, 0},
                                          CU_MEM_ACCESS_FLAGS_PROT_READWRITE};

static CUmemAllocationProp device_memory(void)
{
    return (CUmemAllocationProp){.type = CU_MEM_ALLOCATION_TYPE_PINNED,
                                 .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
}

/* Bytes of a grain; 0: the device cannot do this. */
static size_t grain(void)
{
    CUmemAllocationProp prop = device_memory();
    size_t out = 0;
    int yes;
    OK(cu.cuDeviceGetAttribute(&yes, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 0));
    if (yes)
        OK(cu.cuMemGetAllocationGranularity(&out, &prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
    return out;
}

void addresses_are_mapped(void)
{
    CUmemAllocationProp prop = device_memory(), told;
    CUmemGenericAllocationHandle one, two, again;
    CUmemLocation here = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    unsigned long long access = 9;
    CUdeviceptr p, q;
    begin();
    size_t g = grain();
    if (!g)
        return;
    OK(cu.cuMemAddressReserve(&p, 4 * g, 0, 0, 0));
    OK(cu.cuMemAddressReserve(&q, 2 * g, 4 * g, 0, 0));
    REQUIRE(p % g == 0 && q % (4 * g) == 0);
    OK(cu.cuMemCreate(&one, 2 * g, &prop, 0));
    OK(cu.cuMemCreate(&two, g, &prop, 0));
    OK(cu.cuMemMap(p, 2 * g, 0, one, 0));
    OK(cu.cuMemMap(p + 2 * g, g, 0, two, 0));
    OK(cu.cuMemMap(q, 2 * g, 0, one, 0)); /* the same memory a second time */
    OK(cu.cuMemSetAccess(p, 3 * g, &both_ways, 1));
    OK(cu.cuMemSetAccess(q, 2 * g, &both_ways, 1));
    OK(cu.cuMemGetAccess(&access, &here, p));
    REQUIRE_INT(access, ==, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
    OK(cu.cuMemsetD32(p, 5, 3 * g / 4)); /* over both */
    OK(launch(kernel("add_words"), (unsigned) (3 * g / 1024), 256, NULL, ARGS(p, 6, 3 * g / 4)));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(word(p), ==, 11);
    REQUIRE_INT(word(p + 3 * g - 4), ==, 11);
    OK(cu.cuMemsetD32(q, 77, 1));
    REQUIRE_INT(word(p), ==, 77);
    OK(cu.cuMemGetAllocationPropertiesFromHandle(&told, one));
    REQUIRE_INT(told.location.type, ==, CU_MEM_LOCATION_TYPE_DEVICE);
    OK(cu.cuMemRelease(one)); /* the mappings keep it */
    OK(cu.cuMemRetainAllocationHandle(&again, (void *) (uintptr_t) p));
    OK(cu.cuMemRelease(again));
    REQUIRE_INT(word(p + 4), ==, 11);
    OK(cu.cuMemUnmap(p, 3 * g)); /* both at once */
    REQUIRE_INT(word(q), ==, 77);
    OK(cu.cuMemUnmap(q, 2 * g));
    OK(cu.cuMemMap(p + g, g, 0, two, 0));
    OK(cu.cuMemSetAccess(p + g, g, &both_ways, 1));
    REQUIRE_INT(word(p + g), ==, 11);
    OK(cu.cuMemUnmap(p + g, g));
    OK(cu.cuMemRelease(two));
    OK(cu.cuMemAddressFree(p, 4 * g));
    OK(cu.cuMemAddressFree(q, 2 * g));
}

void mappings_are_checked(void)
{
    CUmemAllocationProp prop = device_memory(), bad = prop;
    CUmemGenericAllocationHandle h, other;
    CUdeviceptr p;
    size_t out;
    begin();
    size_t g = grain();
    if (!g)
        return;
    bad.type = 77;
    if (cu.runcuFaultText)
        FAILS(cu.cuMemGetAllocationGranularity(&out, &bad, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemGetAllocationGranularity(NULL, &prop, 0), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cu.cuMemAddressReserve(NULL, g, 0, 0, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemAddressReserve(&p, 0, 0, 0, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemCreate(&h, 0, &prop, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemCreate(&h, g + 1, &prop, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemCreate(&h, g, &bad, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemCreate(NULL, g, &prop, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemCreate(&h, g << 30, &prop, 0) != CUDA_SUCCESS);
    OK(cu.cuMemAddressReserve(&p, 2 * g, 0, 0, 0));
    OK(cu.cuMemCreate(&h, g, &prop, 0));
    REQUIRE(cu.cuMemMap(p, 2 * g, 0, h, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemMap(p, g, g, h, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemMap(p + 64, g, 0, h, 0) != CUDA_SUCCESS);
    OK(cu.cuMemMap(p, g, 0, h, 0));
    REQUIRE(cu.cuMemMap(p, g, 0, h, 0) != CUDA_SUCCESS); /* it is mapped */
    REQUIRE(cu.cuMemAddressFree(p, 2 * g) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemSetAccess(p, g, NULL, 1) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemSetAccess(p, 2 * g, &both_ways, 1) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemExportToShareableHandle(&out, h, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0) !=
            CUDA_SUCCESS); /* it was not asked for */
    OK(cu.cuMemUnmap(p, g));
    OK(cu.cuMemRelease(h));
    if (cu.runcuFaultText) {
        FAILS(cu.cuMemUnmap(p, g), CUDA_ERROR_INVALID_VALUE);
        FAILS(cu.cuMemRelease(h), CUDA_ERROR_INVALID_VALUE);
        FAILS(cu.cuMemMap(p, g, 0, h, 0), CUDA_ERROR_INVALID_VALUE);
        FAILS(cu.cuMemImportFromShareableHandle(&other, (void *) (intptr_t) 0,
                                                CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR),
              CUDA_ERROR_INVALID_VALUE);
    }
    OK(cu.cuMemAddressFree(p, 2 * g));
}

void mapped_memory_travels_by_descriptor(void)
{
    CUmemAllocationProp prop = device_memory();
    CUmemGenericAllocationHandle ours, theirs;
    CUdeviceptr p;
    int fd = -1;
    begin();
    size_t g = grain();
    if (!g)
        return;
    prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    OK(cu.cuMemCreate(&ours, g, &prop, 0));
    OK(cu.cuMemExportToShareableHandle(&fd, ours, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    REQUIRE_INT(fd, >=, 0);
    OK(cu.cuMemImportFromShareableHandle(&theirs, (void *) (intptr_t) fd,
                                         CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    REQUIRE_INT(close(fd), ==, 0);
    OK(cu.cuMemAddressReserve(&p, 2 * g, 0, 0, 0));
    OK(cu.cuMemMap(p, g, 0, ours, 0));
    OK(cu.cuMemMap(p + g, g, 0, theirs, 0));
    OK(cu.cuMemSetAccess(p, 2 * g, &both_ways, 1));
    OK(cu.cuMemsetD32(p, 31, 1));
    REQUIRE_INT(word(p + g), ==, 31);
    OK(cu.cuMemUnmap(p, 2 * g));
    OK(cu.cuMemRelease(ours));
    OK(cu.cuMemRelease(theirs));
    OK(cu.cuMemAddressFree(p, 2 * g));
}

/* ---- the CPU device alone ---- */

static CUdeviceptr mapped(size_t *size)
{
    CUmemAllocationProp prop = device_memory();
    CUmemGenericAllocationHandle h;
    CUdeviceptr p;
    *size = grain();
    OK(cu.cuMemAddressReserve(&p, *size, 0, 0, 0));
    OK(cu.cuMemCreate(&h, *size, &prop, 0));
    OK(cu.cuMemMap(p, *size, 0, h, 0));
    OK(cu.cuMemRelease(h));
    OK(cu.cuMemSetAccess(p, *size, &both_ways, 1));
    return p;
}

void fault_text_of_unmapped_memory(void)
{
    const char *why;
    size_t size, before, after;
    begin();
    OK(cu.cuMemGetInfo(&before, NULL));
    CUdeviceptr p = mapped(&size);
    OK(cu.cuMemGetInfo(&after, NULL));
    REQUIRE_INT(before - after, ==, size);
    CUmemAccessDesc reading = both_ways;
    reading.flags = CU_MEM_ACCESS_FLAGS_PROT_READ;
    OK(cu.cuMemSetAccess(p, size, &reading, 1));
    REQUIRE_INT(word(p), ==, 0);
    FAILS(cu.cuMemsetD8(p, 1, 1), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMemUnmap(p, size));
    OK(cu.cuMemGetInfo(&after, NULL));
    REQUIRE_INT(before, ==, after);
    OK(launch(kernel("store_at"), 1, 1, NULL, ARGS(p + 64, 0, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    OK(cu.runcuFaultText(&why));
    REQUIRE_IN("mapped memory", why);
    REQUIRE_IN("has been unmapped", why);
}

void mapped_memory_of_a_child_is_its_own(void)
{
    size_t size;
    int status;
    begin();
    CUdeviceptr p = mapped(&size);
    OK(cu.cuMemsetD32(p, 7, size / 4));
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        REQUIRE_INT(word(p + size - 4), ==, 7);
        OK(cu.cuMemsetD32(p, 9, size / 4));
        REQUIRE_INT(word(p), ==, 9);
        exit(0);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
    REQUIRE_INT(word(p), ==, 7);
    REQUIRE_INT(word(p + size - 4), ==, 7);
}

/* ---- memory of the host is short ---- */

/* Memory of every kind once, as far as it goes. True when nothing failed. */
static bool has_every_kind(void)
{
    static unsigned registered[64];
    CUmemAllocationProp prop = device_memory();
    CUmemGenericAllocationHandle h = 0;
    CUmemPoolProps like = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                           .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    CUmemoryPool pool = NULL;
    CUipcMemHandle handle;
    CUipcEventHandle name;
    CUcontext c = NULL;
    CUevent e = NULL;
    CUdeviceptr p = 0, q = 0, r = 0, range = 0;
    size_t g = grain(), pitch;
    bool ok = !cu.cuCtxCreate(&c, 0, 0) && !cu.cuMemAllocPitch(&p, &pitch, 100, 3, 4);
    ok = ok && !cu.cuMemAllocManaged(&q, 4000, CU_MEM_ATTACH_GLOBAL);
    ok = ok && !cu.cuMemHostRegister(registered, sizeof registered, 0);
    ok = ok && !cu.cuIpcGetMemHandle(&handle, p);
    ok = ok && !cu.cuEventCreate(&e, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING);
    ok = ok && !cu.cuEventRecord(e, NULL) && !cu.cuIpcGetEventHandle(&name, e);
    ok = ok && !cu.cuMemPoolCreate(&pool, &like);
    ok = ok && !cu.cuMemAllocFromPoolAsync(&r, 4000, pool, NULL) && !cu.cuMemFreeAsync(r, NULL);
    ok = ok && !cu.cuMemAddressReserve(&range, g, 0, 0, 0) && !cu.cuMemCreate(&h, g, &prop, 0);
    ok = ok && !cu.cuMemMap(range, g, 0, h, 0) && !cu.cuMemSetAccess(range, g, &both_ways, 1);
    ok = ok && !cu.cuMemsetD8(range, 1, g) && !cu.cuMemsetD8(q, 1, 4000) && !cu.cuCtxSynchronize();
    if (range) {
        cu.cuMemUnmap(range, g); /* if it is mapped */
        OK(cu.cuMemAddressFree(range, g));
    }
    if (h)
        OK(cu.cuMemRelease(h));
    if (c)
        OK(cu.cuCtxDestroy(c));
    if (pool)
        OK(cu.cuMemPoolDestroy(pool));
    return ok;
}

void memory_of_every_kind_is_short(void)
{
    size_t before, after;
    if (cu.cuInit != cpu_table.cuInit)
        return; /* the library has an allocator of its own */
    begin();
    OK(cu.cuMemGetInfo(&before, NULL));
    for (size_t n = 1;; n++) {
        alloc_fail_at(n);
        bool ok = has_every_kind();
        alloc_fail_at(0);
        OK(cu.cuMemGetInfo(&after, NULL));
        REQUIRE_INT(before, ==, after);
        if (ok)
            break;
        REQUIRE_INT(n, <, 100000);
    }
    REQUIRE(has_every_kind());
}

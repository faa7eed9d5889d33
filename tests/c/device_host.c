/* Conformance: pitched, managed, registered and page-locked memory. */
#include <pthread.h>
#include <sys/mman.h>

#include "device.h"

enum { N = 1000 };

static void count_up_from(unsigned *w, unsigned first)
{
    for (unsigned i = 0; i < N; i++)
        w[i] = first + i;
}

static void require_counts_up_from(const unsigned *w, unsigned first)
{
    for (unsigned i = 0; i < N; i++)
        REQUIRE_INT(w[i], ==, first + i);
}

/* A kernel adds five to each of N words. */
static void add_five(CUdeviceptr p)
{
    OK(launch(kernel("add_words"), 4, 256, NULL, ARGS(p, 5, N)));
    OK(cu.cuCtxSynchronize());
}

void pitched_rows_are_aligned(void)
{
    CUdeviceptr p, q;
    size_t pitch = 0;
    begin();
    for (unsigned access = 4; access <= 16; access *= 2) {
        OK(cu.cuMemAllocPitch(&p, &pitch, 1000, 7, access));
        REQUIRE_INT(pitch, >=, 1000);
        REQUIRE_INT(pitch % 32, ==, 0);
        OK(cu.cuMemsetD2D8(p, pitch, 3, 1000, 7));
        OK(cu.cuMemsetD8(p + 6 * pitch + 999, 5, 1));
        OK(cu.cuMemFree(p));
    }
    FAILS(cu.cuMemAllocPitch(&p, &pitch, 1000, 7, 3), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocPitch(&p, &pitch, 0, 7, 4), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocPitch(&p, &pitch, 16, 0, 4), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocPitch(NULL, &pitch, 16, 1, 4), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocPitch(&q, NULL, 16, 1, 4), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cu.cuMemAllocPitch(&q, &pitch, (size_t) 1 << 40, (size_t) 1 << 40, 4) != CUDA_SUCCESS);
}

void managed_memory_is_shared(void)
{
    CUdeviceptr p, base = 0;
    size_t bytes = 0;
    unsigned managed = 0, type = 0;
    begin();
    OK(cu.cuMemAllocManaged(&p, 4 * N, CU_MEM_ATTACH_GLOBAL));
    unsigned *w = (unsigned *) (uintptr_t) p;
    count_up_from(w, 0);
    add_five(p);
    require_counts_up_from(w, 5);
    OK(cu.cuMemsetD32(p, 9, 1));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(w[0], ==, 9);
    OK(cu.cuMemGetAddressRange(&base, &bytes, p + 4));
    REQUIRE(base == p && bytes >= 4 * N);
    OK(cu.cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, p));
    REQUIRE(managed);
    OK(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p));
    REQUIRE_INT(type, ==, CU_MEMORYTYPE_DEVICE);
    FAILS(cu.cuMemFree(p + 4), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMemFree(p));
    FAILS(cu.cuMemFree(p), CUDA_ERROR_INVALID_VALUE);
}

void managed_memory_is_checked(void)
{
    CUdeviceptr p;
    begin();
    FAILS(cu.cuMemAllocManaged(NULL, 4, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocManaged(&p, 0, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocManaged(&p, 4, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocManaged(&p, 4, CU_MEM_ATTACH_SINGLE), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAllocManaged(&p, 4, 64), CUDA_ERROR_INVALID_VALUE);
}

void managed_memory_moves_and_is_attached(void)
{
    CUdeviceptr p;
    CUstream s;
    CUdevice device;
    int can;
    begin();
    OK(cu.cuCtxGetDevice(&device));
    OK(cu.cuMemAllocManaged(&p, 4 * N, CU_MEM_ATTACH_HOST));
    count_up_from((unsigned *) (uintptr_t) p, 1);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamAttachMemAsync(s, p, 0, CU_MEM_ATTACH_SINGLE));
    OK(cu.cuStreamAttachMemAsync(s, p, 0, CU_MEM_ATTACH_GLOBAL));
    OK(cu.cuStreamSynchronize(s));
    FAILS(cu.cuStreamAttachMemAsync(s, p + 1, 0, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuStreamAttachMemAsync(s, p, 0, 9), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuDeviceGetAttribute(&can, CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, device));
    CUmemLocation here = {CU_MEM_LOCATION_TYPE_DEVICE, device};
    CUmemLocation host = {CU_MEM_LOCATION_TYPE_HOST, 0}, nowhere = {77, 0};
    if (can && cu.cuMemPrefetchAsync && cu.cuMemAdvise) {
        OK(cu.cuMemAdvise(p, 4 * N, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, here));
        OK(cu.cuMemAdvise(p, 4 * N, CU_MEM_ADVISE_SET_READ_MOSTLY, here));
        OK(cu.cuMemAdvise(p, 4 * N, CU_MEM_ADVISE_UNSET_READ_MOSTLY, here));
        OK(cu.cuMemPrefetchAsync(p, 4 * N, here, 0, s));
        OK(cu.cuStreamSynchronize(s));
        add_five(p);
        OK(cu.cuMemPrefetchAsync(p, 4 * N, host, 0, s));
        OK(cu.cuStreamSynchronize(s));
        FAILS(cu.cuMemPrefetchAsync(p, 0, here, 0, s), CUDA_ERROR_INVALID_VALUE);
        REQUIRE(cu.cuMemPrefetchAsync(p, 4 * N, nowhere, 0, s) != CUDA_SUCCESS);
        FAILS(cu.cuMemAdvise(p, 4 * N, 99, here), CUDA_ERROR_INVALID_VALUE);
        require_counts_up_from((unsigned *) (uintptr_t) p, 6);
    }
    OK(cu.cuStreamDestroy(s));
    OK(cu.cuMemFree(p));
}

void registered_memory_is_shared(void)
{
    static unsigned w[N + 2];
    CUdeviceptr p;
    unsigned type = 0;
    begin();
    count_up_from(w + 1, 0);
    OK(cu.cuMemHostRegister(w + 1, 4 * N, CU_MEMHOSTREGISTER_DEVICEMAP));
    OK(cu.cuMemHostGetDevicePointer(&p, w + 1, 0));
    add_five(p);
    require_counts_up_from(w + 1, 5);
    REQUIRE(w[0] == 0 && w[N + 1] == 0);
    OK(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p));
    REQUIRE_INT(type, ==, CU_MEMORYTYPE_HOST);
    FAILS(cu.cuMemHostRegister(w + 1, 4 * N, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    REQUIRE(cu.cuMemFreeHost(w + 1) != CUDA_SUCCESS);
    OK(cu.cuMemHostUnregister(w + 1));
    FAILS(cu.cuMemHostUnregister(w + 1), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    OK(cu.cuMemHostRegister(w + 1, 4 * N, CU_MEMHOSTREGISTER_PORTABLE));
    OK(cu.cuMemHostUnregister(w + 1));
    require_counts_up_from(w + 1, 5);
}

void registering_is_checked(void)
{
    static char bytes[100];
    CUdeviceptr p;
    void *host;
    begin();
    FAILS(cu.cuMemHostRegister(NULL, 4, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemHostRegister(bytes, 0, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemHostRegister(bytes, 4, 0x4000), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cu.cuMemHostUnregister(bytes) != CUDA_SUCCESS);
    host = mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(host != MAP_FAILED && munmap(host, 1 << 16) == 0);
    REQUIRE(cu.cuMemHostRegister(host, 1 << 16, 0) != CUDA_SUCCESS);
    OK(cu.cuMemHostAlloc(&host, 64, 0));
    REQUIRE(cu.cuMemHostRegister(host, 64, 0) != CUDA_SUCCESS);
    REQUIRE(cu.cuMemHostUnregister(host) != CUDA_SUCCESS);
    OK(cu.cuMemFreeHost(host));
    p = words(4, 1);
    OK(cu.cuMemFree(p));
}

static void *free_it(void *host)
{
    CUcontext c;
    CUdevice device;
    OK(cu.cuDeviceGet(&device, 0));
    OK(cu.cuCtxCreate(&c, 0, device)); /* another context than its own */
    OK(cu.cuMemFreeHost(host));
    OK(cu.cuCtxDestroy(c));
    return NULL;
}

void shared_memory_is_freed_with_work_in_flight(void)
{
    void *host;
    CUcontext c = begin();
    CUdeviceptr p, sum = words(1, 0);
    CUfunction f = kernel("slow");
    CUdevice device;
    pthread_t thread;
    OK(cu.cuMemHostAlloc(&host, 64, CU_MEMHOSTALLOC_PORTABLE));
    OK(cu.cuMemHostGetDevicePointer(&p, host, 0));
    *(unsigned *) host = 0;
    warm_up(f, ARGS(sum, 1, 1));
    OK(launch(f, 1, 1, NULL, ARGS(p, 100000, 1)));
    REQUIRE(pthread_create(&thread, NULL, free_it, host) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    OK(cu.cuMemAllocManaged(&p, 64, CU_MEM_ATTACH_GLOBAL));
    OK(cu.cuMemsetD8(p, 0, 64));
    OK(launch(f, 1, 1, NULL, ARGS(p, 100000, 1)));
    OK(cu.cuMemFree(p));
    OK(cu.cuCtxSynchronize());
    /* A context that ends takes its memory with it. */
    OK(cu.cuDeviceGet(&device, 0));
    OK(cu.cuCtxCreate(&c, 0, device));
    OK(cu.cuMemHostAlloc(&host, 64, 0));
    OK(cu.cuMemAllocManaged(&p, 64, CU_MEM_ATTACH_GLOBAL));
    OK(cu.cuCtxDestroy(c));
}

/* ---- the CPU device's own words ---- */

static const char *why(void)
{
    const char *out = NULL;
    OK(cu.runcuFaultText(&out));
    return out;
}

/* A kernel stores there, which it may not. */
static void require_fault(CUdeviceptr p, const char *what, const char *become)
{
    OK(launch(kernel("store_at"), 1, 1, NULL, ARGS(p, 0, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    REQUIRE_IN(what, why());
    REQUIRE_IN(become, why());
}

void fault_text_of_unregistered_memory(void)
{
    static unsigned w[16];
    begin();
    OK(cu.cuMemHostRegister(w, sizeof w, 0));
    OK(cu.cuMemHostUnregister(w));
    require_fault((uintptr_t) w, "64-byte registered host memory", "has been unregistered");
}

void fault_text_of_managed_memory(void)
{
    CUdeviceptr p;
    begin();
    OK(cu.cuMemAllocManaged(&p, 600, CU_MEM_ATTACH_GLOBAL));
    OK(cu.cuMemFree(p));
    require_fault(p, "600-byte managed allocation", "has been freed");
}

void read_only_memory_is_not_written(void)
{
    unsigned *w = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char byte = 0;
    begin();
    CUdeviceptr p = words(1, 7);
    REQUIRE(w != MAP_FAILED);
    FAILS(cu.cuMemHostRegister(w, 4096, 0), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_IN("may not read and write", why());
    OK(cu.cuMemHostRegister(w, 4096, CU_MEMHOSTREGISTER_READ_ONLY));
    OK(cu.cuMemcpyDtoD(p, (uintptr_t) w, 4));
    REQUIRE_INT(word(p), ==, 0);
    FAILS(cu.cuMemsetD8((uintptr_t) w, 1, 4), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemcpyHtoD((uintptr_t) w, &byte, 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemcpyDtoD((uintptr_t) w, p, 4), CUDA_ERROR_INVALID_VALUE);
    require_fault((uintptr_t) w, "registered host memory", "only read");
}

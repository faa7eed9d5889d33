/* Conformance: allocations, copies, sets, page-locked memory. */
#include "device.h"

void allocations_are_checked(void)
{
    CUdeviceptr p[3];
    begin();
    FAILS(cu.cuMemAlloc(&p[0], 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemAlloc(NULL, 16), CUDA_ERROR_INVALID_VALUE);
    for (int i = 0; i < 3; i++) {
        OK(cu.cuMemAlloc(&p[i], 1));
        REQUIRE_INT(p[i] % 256, ==, 0);
    }
    REQUIRE(p[0] != p[1] && p[1] != p[2] && p[0] != p[2]);
}

void copies_of_any_size_and_offset(void)
{
    static const size_t sizes[] = {1, 3, 64, 4095, 4097, 1000003, (8 << 20) + 5};
    begin();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i];
        unsigned char *in = malloc(n), *out = calloc(1, n);
        CUdeviceptr a, b;
        REQUIRE(in && out);
        for (size_t k = 0; k < n; k++)
            in[k] = (unsigned char) (k * 7 + i);
        OK(cu.cuMemAlloc(&a, n + 1));
        OK(cu.cuMemAlloc(&b, n + 3));
        OK(cu.cuMemcpyHtoD(a + 1, in, n));
        OK(cu.cuMemcpyDtoD(b + 3, a + 1, n));
        OK(cu.cuMemcpyDtoH(out, b + 3, n));
        REQUIRE_BYTES(in, out, n);
        OK(cu.cuMemFree(a));
        OK(cu.cuMemFree(b));
        free(in);
        free(out);
    }
}

void copies_beyond_an_allocation_write_nothing(void)
{
    enum { MANY = 64 << 20 }; /* further than any rounding up of an allocation */
    char *big = calloc(1, MANY);
    CUdeviceptr p;
    REQUIRE(big);
    begin();
    p = words(4, 0x11111111);
    FAILS(cu.cuMemcpyHtoD(p, big, MANY), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_INT(word(p), ==, 0x11111111);
    memset(big, 0x22, MANY);
    FAILS(cu.cuMemcpyDtoH(big, p, MANY), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_INT(big[0], ==, 0x22);
    FAILS(cu.cuMemcpyDtoD(p, p, MANY), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemsetD8(p, 9, MANY), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_INT(word(p), ==, 0x11111111);
    if (cu.runcuFaultText) /* some GPUs may read any host memory */
        FAILS(cu.cuMemcpyHtoD(64, big, 4), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemcpyHtoD(p, NULL, 4), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemcpyDtoH(NULL, p, 4), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuCtxSynchronize());
    free(big);
}

void copies_of_nothing_succeed(void)
{
    CUdeviceptr p;
    begin();
    OK(cu.cuMemAlloc(&p, 4));
    OK(cu.cuMemcpyHtoD(p, NULL, 0));
    OK(cu.cuMemcpyDtoH(NULL, p, 0));
    OK(cu.cuMemsetD8(p, 0, 0));
    OK(cu.cuMemcpyDtoHAsync(NULL, p, 0, NULL));
}

void frees_are_checked(void)
{
    CUdeviceptr p;
    begin();
    OK(cu.cuMemFree(0));
    OK(cu.cuMemFreeHost(NULL));
    OK(cu.cuMemAlloc(&p, 4096));
    FAILS(cu.cuMemFree(p + 256), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMemFree(p));
    FAILS(cu.cuMemFree(p), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemFree(12345), CUDA_ERROR_INVALID_VALUE);
    int local;
    FAILS(cu.cuMemFreeHost(&local), CUDA_ERROR_INVALID_VALUE);
}

void address_range_of_any_inner_address(void)
{
    CUdeviceptr p, base = 0;
    size_t bytes = 0;
    begin();
    OK(cu.cuMemAlloc(&p, 4000));
    OK(cu.cuMemGetAddressRange(&base, &bytes, p + 3999));
    REQUIRE(base == p);
    REQUIRE_INT(bytes, ==, 4000);
    OK(cu.cuMemGetAddressRange(NULL, &bytes, p));
    OK(cu.cuMemGetAddressRange(&base, NULL, p));
    OK(cu.cuMemFree(p));
    REQUIRE(cu.cuMemGetAddressRange(&base, &bytes, 64) != CUDA_SUCCESS);
}

void memory_runs_out(void)
{
    size_t free_before, total, free_now;
    CUdeviceptr p, big = 0;
    begin();
    OK(cu.cuMemGetInfo(&free_before, &total));
    REQUIRE_INT(free_before, <=, total);
    FAILS(cu.cuMemAlloc(&big, total + 1), CUDA_ERROR_OUT_OF_MEMORY);
    FAILS(cu.cuMemAlloc(&big, SIZE_MAX / 2), CUDA_ERROR_OUT_OF_MEMORY);
    OK(cu.cuMemAlloc(&p, 16 << 20));
    OK(cu.cuMemGetInfo(&free_now, &total));
    if (cu.runcuFaultText) /* others free memory of a GPU meanwhile */
        REQUIRE_INT(free_now, <=, free_before - (16 << 20));
    OK(cu.cuMemFree(p));
    OK(cu.cuMemAlloc(&p, 16));
    OK(cu.cuMemsetD32(p, 3, 4));
    REQUIRE_INT(word(p + 12), ==, 3);
}

void sets_of_all_widths(void)
{
    unsigned char bytes[64];
    CUdeviceptr p;
    begin();
    OK(cu.cuMemAlloc(&p, sizeof bytes));
    OK(cu.cuMemsetD8(p, 0xee, sizeof bytes));
    OK(cu.cuMemsetD8(p + 1, 0xab, 3));
    OK(cu.cuMemsetD16(p + 6, 0x1234, 2));
    OK(cu.cuMemsetD32(p + 12, 0x89abcdef, 2));
    OK(cu.cuMemsetD8Async(p + 30, 1, 1, NULL));
    OK(cu.cuMemsetD16Async(p + 32, 0x0203, 1, NULL));
    OK(cu.cuMemsetD32Async(p + 36, 0x04050607, 1, NULL));
    OK(cu.cuMemcpyDtoH(bytes, p, sizeof bytes));
    static const unsigned char expected[] = {
        0xee, 0xab, 0xab, 0xab, 0xee, 0xee, 0x34, 0x12, 0x34, 0x12, 0xee, 0xee, 0xef, 0xcd,
        0xab, 0x89, 0xef, 0xcd, 0xab, 0x89, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee,
        0xee, 0xee, 1,    0xee, 3,    2,    0xee, 0xee, 7,    6,    5,    4,    0xee,
    };
    REQUIRE_BYTES(bytes, expected, sizeof expected);
}

void sets_of_rows(void)
{
    enum { PITCH = 64, ROWS = 3 };
    unsigned char bytes[PITCH * ROWS];
    CUdeviceptr p;
    begin();
    OK(cu.cuMemAlloc(&p, sizeof bytes));
    OK(cu.cuMemsetD8(p, 0, sizeof bytes));
    OK(cu.cuMemsetD2D8(p, PITCH, 1, 5, ROWS));
    OK(cu.cuMemsetD2D16(p + 16, PITCH, 0x0202, 2, ROWS - 1));
    OK(cu.cuMemsetD2D32(p + 32, PITCH, 0x03030303, 4, ROWS));
    OK(cu.cuMemsetD2D8Async(p + 60, PITCH, 4, 1, ROWS, NULL));
    OK(cu.cuMemsetD2D16Async(p + 50, PITCH, 0x0505, 1, ROWS, NULL));
    OK(cu.cuMemsetD2D32Async(p + 52, PITCH, 0x06060606, 1, ROWS, NULL));
    OK(cu.cuMemcpyDtoH(bytes, p, sizeof bytes));
    for (int row = 0; row < ROWS; row++) {
        for (int x = 0; x < PITCH; x++) {
            int expected = x < 5 ? 1 : x >= 32 && x < 48 ? 3 : x == 60 ? 4 : 0;
            if (x >= 50 && x < 56)
                expected = x < 52 ? 5 : 6;
            if (x >= 16 && x < 20 && row < ROWS - 1)
                expected = 2;
            REQUIRE_INT(bytes[row * PITCH + x], ==, expected);
        }
    }
}

void sets_are_checked(void)
{
    CUdeviceptr p;
    begin();
    OK(cu.cuMemAlloc(&p, 4096));
    FAILS(cu.cuMemsetD16(p + 1, 0, 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemsetD32(p + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemsetD2D8(p, 4, 0, 8, 2), CUDA_ERROR_INVALID_VALUE);
    if (cu.runcuFaultText)
        FAILS(cu.cuMemsetD32(64, 0, 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemsetD32(p, 0, (size_t) 1 << 40), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuCtxSynchronize());
}

void page_locked_memory_is_shared(void)
{
    enum { N = 1000 };
    void *host;
    unsigned flags = 0;
    CUdeviceptr p;
    begin();
    FAILS(cu.cuMemHostAlloc(NULL, 16, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuMemHostAlloc(&host, 16, 0x4000), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuMemHostAlloc(&host, 4 * N, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE));
    OK(cu.cuMemHostGetFlags(&flags, host));
    REQUIRE(flags & CU_MEMHOSTALLOC_DEVICEMAP);
    OK(cu.cuMemHostGetDevicePointer(&p, host, 0));
    unsigned *w = host;
    for (unsigned i = 0; i < N; i++)
        w[i] = i;
    OK(launch(kernel("add_words"), 4, 256, NULL, ARGS(p, 5, N)));
    OK(cu.cuCtxSynchronize());
    for (unsigned i = 0; i < N; i++)
        REQUIRE_INT(w[i], ==, i + 5);
    OK(cu.cuMemsetD32(p, 9, 1));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(w[0], ==, 9);
    OK(cu.cuMemFreeHost(host));
    FAILS(cu.cuMemFreeHost(host), CUDA_ERROR_INVALID_VALUE);
}

void pointers_have_attributes(void)
{
    CUcontext c = begin(), owner = NULL;
    CUdeviceptr p = words(4, 0), same = 0;
    void *host, *again = NULL;
    unsigned type = 0;
    int ordinal = -1, local = 0;
    OK(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p + 4));
    REQUIRE_INT(type, ==, CU_MEMORYTYPE_DEVICE);
    OK(cu.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, p));
    REQUIRE(owner == c);
    OK(cu.cuPointerGetAttribute(&same, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, p + 4));
    REQUIRE(same == p + 4);
    OK(cu.cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, p));
    REQUIRE_INT(ordinal, ==, 0);
    OK(cu.cuMemHostAlloc(&host, 64, 0));
    OK(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (uintptr_t) host));
    REQUIRE_INT(type, ==, CU_MEMORYTYPE_HOST);
    OK(cu.cuPointerGetAttribute(&again, CU_POINTER_ATTRIBUTE_HOST_POINTER, (uintptr_t) host));
    REQUIRE(again == host);
    FAILS(cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (uintptr_t) &local),
          CUDA_ERROR_INVALID_VALUE);
}

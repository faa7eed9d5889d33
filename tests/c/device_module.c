/* Conformance: modules, functions, launches. */
#include <unistd.h>

#include "device.h"

void module_variables(void)
{
    CUmodule m;
    CUdeviceptr counter, table, p;
    size_t bytes = 0;
    begin();
    CUfunction count = kernel_of(&m, ptx_text, "count_up"), read;
    p = words(1, 0);
    OK(cu.cuModuleGetGlobal(&counter, &bytes, m, "counter"));
    REQUIRE_INT(bytes, ==, 4);
    REQUIRE_INT(word(counter), ==, 5);
    OK(launch(count, 1, 1, NULL, ARGS(0)));
    REQUIRE_INT(word(counter), ==, 6);
    OK(cu.cuMemsetD32(counter, 100, 1));
    OK(launch(count, 1, 1, NULL, ARGS(0)));
    REQUIRE_INT(word(counter), ==, 101);
    OK(cu.cuModuleGetGlobal(&table, &bytes, m, "table"));
    REQUIRE_INT(bytes, ==, 16);
    OK(cu.cuModuleGetFunction(&read, m, "read_table"));
    OK(launch(read, 1, 1, NULL, ARGS(p)));
    REQUIRE_INT(word(p), ==, 20);
    OK(cu.cuMemsetD32(table + 4, 21, 1));
    OK(launch(read, 1, 1, NULL, ARGS(p)));
    REQUIRE_INT(word(p), ==, 21);
    OK(cu.cuModuleGetGlobal(NULL, &bytes, m, "counter"));
    OK(cu.cuModuleGetGlobal(&counter, NULL, m, "counter"));
    OK(cu.cuModuleUnload(m));
}

void variables_hold_addresses(void)
{
    CUmodule m;
    CUdeviceptr links, counter;
    uint64_t value[3] = {0};
    begin();
    kernel_of(&m, ptx_text, "count_up");
    OK(cu.cuModuleGetGlobal(&links, NULL, m, "links"));
    OK(cu.cuModuleGetGlobal(&counter, NULL, m, "counter"));
    OK(cu.cuMemcpyDtoH(value, links, sizeof value));
    REQUIRE(value[0] == counter && value[1] == 7 && value[2] == counter + 4);
    REQUIRE_INT(word(value[0]), ==, 5);
}

void modules_have_their_own_variables(void)
{
    CUmodule a, b;
    CUdeviceptr x, y;
    begin();
    CUfunction count = kernel_of(&a, ptx_text, "count_up");
    kernel_of(&b, ptx_text, "count_up");
    OK(cu.cuModuleGetGlobal(&x, NULL, a, "counter"));
    OK(cu.cuModuleGetGlobal(&y, NULL, b, "counter"));
    REQUIRE(x != y);
    OK(launch(count, 1, 1, NULL, ARGS(0)));
    REQUIRE_INT(word(x), ==, 6);
    REQUIRE_INT(word(y), ==, 5);
    OK(cu.cuModuleUnload(a));
    REQUIRE_INT(word(y), ==, 5);
}

void missing_names_are_not_found(void)
{
    CUmodule m;
    CUfunction f;
    CUdeviceptr p;
    size_t n;
    begin();
    kernel_of(&m, ptx_text, "count_up");
    FAILS(cu.cuModuleGetFunction(&f, m, "count_down"), CUDA_ERROR_NOT_FOUND);
    FAILS(cu.cuModuleGetFunction(&f, m, "counter"), CUDA_ERROR_NOT_FOUND);
    FAILS(cu.cuModuleGetFunction(&f, m, "vprintf"), CUDA_ERROR_NOT_FOUND);
    FAILS(cu.cuModuleGetGlobal(&p, &n, m, "nothing"), CUDA_ERROR_NOT_FOUND);
    FAILS(cu.cuModuleGetFunction(&f, m, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuModuleGetFunction(NULL, m, "count_up"), CUDA_ERROR_INVALID_VALUE);
}

void bad_images_are_refused(void)
{
    CUmodule m;
    static const char zeros[64] = "";
    begin();
    FAILS(cu.cuModuleLoadData(&m, "this is no image at all"), CUDA_ERROR_INVALID_IMAGE);
    FAILS(cu.cuModuleLoadData(&m, zeros), CUDA_ERROR_INVALID_IMAGE);
    FAILS(cu.cuModuleLoadData(&m, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuModuleLoadData(NULL, ptx_text), CUDA_ERROR_INVALID_VALUE);
    CUfunction f = kernel("count_up");
    OK(launch(f, 1, 1, NULL, ARGS(0)));
    OK(cu.cuCtxSynchronize());
}

void bad_text_is_explained(void)
{
    static const char text[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
                               ".visible .entry k()\n{\n    add.u32 %nosuch, 1, 2;\n    ret;\n}\n";
    char log[1000] = "untouched", small[8];
    int options[] = {CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER};
    void *values[] = {(void *) (uintptr_t) sizeof log, log};
    CUmodule m;
    begin();
    FAILS(cu.cuModuleLoadDataEx(&m, text, 2, options, values), CUDA_ERROR_INVALID_PTX);
    REQUIRE_IN("line 6", log);
    REQUIRE_IN("%nosuch", log);
    REQUIRE_INT((uintptr_t) values[0], >, 0);
    REQUIRE_INT((uintptr_t) values[0], <, sizeof log);
    memset(small, 'x', sizeof small);
    values[0] = (void *) (uintptr_t) (sizeof small - 1);
    values[1] = small;
    FAILS(cu.cuModuleLoadDataEx(&m, text, 2, options, values), CUDA_ERROR_INVALID_PTX);
    REQUIRE_INT(small[7], ==, 'x');
    FAILS(cu.cuModuleLoadData(&m, text), CUDA_ERROR_INVALID_PTX);
    if (cu.runcuFaultText)
        FAILS(cu.cuModuleLoadDataEx(&m, ptx_text, 1, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
}

static int attribute(CUfunction f, int which)
{
    int value = -12345;
    OK(cu.cuFuncGetAttribute(&value, which, f));
    return value;
}

void functions_have_attributes(void)
{
    CUmodule m;
    CUfunction f, same;
    begin();
    f = kernel_of(&m, ptx_text, "with_static");
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), ==, 1024);
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), ==, 400);
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_NUM_REGS), >, 0);
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES), ==, 0);
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_PTX_VERSION), >=, 64);
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_BINARY_VERSION), >=, 75);
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES), <=, 48 << 10);
    OK(cu.cuModuleGetFunction(&same, m, "with_static"));
    REQUIRE(same == f);
    OK(cu.cuModuleGetFunction(&f, m, "bounded"));
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), ==, 64);
    OK(cu.cuModuleGetFunction(&f, m, "print"));
    REQUIRE_INT(attribute(f, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES), >=, 16);
    int value;
    FAILS(cu.cuFuncGetAttribute(&value, 4711, f), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuFuncGetAttribute(NULL, 0, f), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuFuncSetCacheConfig(f, 1));
    if (cu.cuFuncSetSharedMemConfig)
        OK(cu.cuFuncSetSharedMemConfig(f, CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE));
    if (cu.cuFuncGetName) {
        const char *name = NULL;
        OK(cu.cuFuncGetName(&name, f));
        REQUIRE_STR(name, "print");
    }
    if (cu.cuFuncGetModule) {
        CUmodule owner = NULL;
        OK(cu.cuFuncGetModule(&owner, f));
        REQUIRE(owner == m);
    }
}

void parameters_are_described(void)
{
    static const size_t offsets[] = {0, 8, 16, 20, 24}, sizes[] = {1, 8, 2, 4, 12};
    begin();
    CUfunction f = kernel("mixed");
    for (size_t i = 0; cu.cuFuncGetParamInfo && i < ARRAY_LEN(sizes); i++) {
        size_t offset = 99, size = 99;
        OK(cu.cuFuncGetParamInfo(f, i, &offset, &size));
        REQUIRE_INT(offset, ==, offsets[i]);
        REQUIRE_INT(size, ==, sizes[i]);
    }
    size_t offset;
    if (cu.cuFuncGetParamInfo)
        FAILS(cu.cuFuncGetParamInfo(f, ARRAY_LEN(sizes), &offset, NULL), CUDA_ERROR_INVALID_VALUE);
}

void occupancy_follows_block_and_shared(void)
{
    int many = -1, few = -1, none = -1;
    begin();
    CUfunction f = kernel("add_words");
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&many, f, 64, 0));
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&few, f, 64, 40 << 10));
    REQUIRE_INT(few, >=, 1);
    REQUIRE_INT(many, >, few);
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&none, f, 1024, 0));
    REQUIRE_INT(none, >=, 1);
    REQUIRE(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(NULL, f, 64, 0) != CUDA_SUCCESS);
}

/* ---- linking ---- */

void texts_are_linked(void)
{
    enum { PTX = 1 };
    static const char part[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
                               ".visible .global .align 4 .u32 part_of_it = 9;\n";
    CUlinkState link = NULL;
    CUmodule m;
    CUdeviceptr at;
    void *image = NULL;
    size_t size = 0;
    begin();
    if (!cu.cuLinkCreate || !cu.cuLinkAddData || !cu.cuLinkComplete || !cu.cuLinkDestroy)
        return;
    FAILS(cu.cuLinkCreate(0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuLinkCreate(0, NULL, NULL, &link));
    REQUIRE(cu.cuLinkAddData(link, 99, (void *) part, sizeof part, "odd", 0, NULL, NULL) !=
            CUDA_SUCCESS);
    OK(cu.cuLinkDestroy(link));
    OK(cu.cuLinkCreate(0, NULL, NULL, &link));
    OK(cu.cuLinkAddData(link, PTX, (void *) part, sizeof part, "part", 0, NULL, NULL));
    OK(cu.cuLinkAddData(link, PTX, (void *) ptx_text, strlen(ptx_text) + 1, "rest", 0, NULL, NULL));
    OK(cu.cuLinkComplete(link, &image, &size));
    REQUIRE(image && size > 0);
    OK(cu.cuModuleLoadData(&m, image));
    OK(cu.cuLinkDestroy(link));
    OK(cu.cuModuleGetGlobal(&at, &size, m, "part_of_it"));
    REQUIRE_INT(word(at), ==, 9);
    OK(cu.cuModuleGetGlobal(&at, &size, m, "counter"));
    REQUIRE_INT(word(at), ==, 5);
    CUfunction count;
    OK(cu.cuModuleGetFunction(&count, m, "count_up"));
    OK(launch(count, 1, 1, NULL, ARGS(0)));
    REQUIRE_INT(word(at), ==, 6);
    OK(cu.cuModuleUnload(m));
}

/* ---- launches ---- */

void parameters_by_pointer_and_by_buffer(void)
{
    begin();
    CUfunction f = kernel("combine");
    CUdeviceptr p = words(1, 0);
    OK(launch(f, 1, 1, NULL, ARGS(p, 12, 345)));
    REQUIRE_INT(word(p), ==, 12345);
    uint64_t buffer[3] = {p, 54, 321};
    size_t size = sizeof buffer;
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                     CU_LAUNCH_PARAM_END};
    OK(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra));
    REQUIRE_INT(word(p), ==, 54321);
}

void parameters_are_copied_at_launch(void)
{
    CUstream s;
    CUdeviceptr device, p;
    begin();
    CUfunction wait = kernel("wait_flag"), f = kernel("combine");
    volatile unsigned *go = flag(&device);
    p = words(2, 0);
    warm_up(f, ARGS(p, 0, 0));
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(launch(wait, 1, 1, s, ARGS(device, p + 4, 1)));
    uint64_t a[3] = {p, 1, 1};
    void *params[] = {&a[0], &a[1], &a[2]};
    OK(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s, params, NULL));
    a[0] = a[1] = a[2] = 0;
    *go = 1;
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(word(p), ==, 1001);
}

void launch_shapes_are_checked(void)
{
    static const unsigned bad[][6] = {
        {0, 1, 1, 1, 1, 1},           {1, 0, 1, 1, 1, 1},     {1, 1, 0, 1, 1, 1},
        {1, 1, 1, 0, 1, 1},           {1, 1, 1, 1, 0, 1},     {1, 1, 1, 1, 1, 0},
        {1, 1, 1, 1025, 1, 1},        {1, 1, 1, 1, 1025, 1},  {1, 1, 1, 1, 1, 65},
        {1, 1, 1, 33, 32, 1},         {1, 65536, 1, 1, 1, 1}, {1, 1, 65536, 1, 1, 1},
        {0x80000000u, 1, 1, 1, 1, 1},
    };
    begin();
    CUfunction f = kernel("combine");
    uint64_t a[3] = {words(1, 0), 0, 7};
    void *params[] = {&a[0], &a[1], &a[2]};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const unsigned *b = bad[i];
        CUresult code =
            cu.cuLaunchKernel(f, b[0], b[1], b[2], b[3], b[4], b[5], 0, NULL, params, NULL);
        if (code != CUDA_ERROR_INVALID_VALUE)
            TEST_FAIL_("shape %zu is %d", i, code);
    }
    FAILS(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, (48 << 10) + 1, NULL, params, NULL),
          CUDA_ERROR_INVALID_VALUE);
    REQUIRE(launch(kernel("bounded"), 1, 65, NULL, ARGS(0)) != CUDA_SUCCESS);
    OK(cu.cuLaunchKernel(f, 1, 1, 65535, 1, 1, 1, 0, NULL, params, NULL));
    OK(cu.cuLaunchKernel(f, 1, 1, 1, 16, 1, 64, 0, NULL, params, NULL));
    REQUIRE_INT(word(a[0]), ==, 7);
}

void launch_arguments_are_checked(void)
{
    begin();
    CUfunction f = kernel("combine");
    uint64_t a[3] = {words(1, 9), 0, 7};
    size_t size = sizeof a;
    void *params[] = {&a[0], NULL, &a[2]};
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, a, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                     CU_LAUNCH_PARAM_END};
    FAILS(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    params[1] = &a[1];
    FAILS(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, extra), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(word(a[0]), ==, 9);
}

void indices_in_three_dimensions(void)
{
    enum { GX = 2, GY = 3, GZ = 2, BX = 5, BY = 2, BZ = 3, N = GX * GY * GZ * BX * BY * BZ };
    unsigned out[N], at = 0;
    begin();
    uint64_t a[3] = {words(N, 0), 0, 0};
    void *params[] = {&a[0], &a[1], &a[2]};
    OK(cu.cuLaunchKernel(kernel("indices"), GX, GY, GZ, BX, BY, BZ, 0, NULL, params, NULL));
    OK(cu.cuMemcpyDtoH(out, a[0], sizeof out));
    for (unsigned gz = 0; gz < GZ; gz++)
        for (unsigned gy = 0; gy < GY; gy++)
            for (unsigned gx = 0; gx < GX; gx++)
                for (unsigned z = 0; z < BZ; z++)
                    for (unsigned y = 0; y < BY; y++)
                        for (unsigned x = 0; x < BX; x++)
                            REQUIRE_INT(out[at++], ==,
                                        ((((gz * 10 + gy) * 10 + gx) * 10 + z) * 10 + y) * 10 + x);
}

void dynamic_shared_memory(void)
{
    enum { N = 300 };
    unsigned w[N];
    begin();
    uint64_t a[3] = {words(N, 0), 0, 0};
    void *params[] = {&a[0], &a[1], &a[2]};
    for (unsigned i = 0; i < N; i++)
        w[i] = i;
    OK(cu.cuMemcpyHtoD(a[0], w, sizeof w));
    OK(cu.cuLaunchKernel(kernel("reverse"), 1, 1, 1, N, 1, 1, sizeof w, NULL, params, NULL));
    OK(cu.cuMemcpyDtoH(w, a[0], sizeof w));
    for (unsigned i = 0; i < N; i++)
        REQUIRE_INT(w[i], ==, N - 1 - i);
}

void shared_memory_beyond_the_default(void)
{
    int most = 0;
    enum { MAX_DYNAMIC = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES };
    begin();
    CUfunction f = kernel("touch_shared");
    OK(cu.cuDeviceGetAttribute(&most, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
    REQUIRE_INT(most, >=, 64 << 10);
    uint64_t a[3] = {words(1, 0), (uint64_t) most, 0};
    void *params[] = {&a[0], &a[1], &a[2]};
    FAILS(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, (unsigned) most, NULL, params, NULL),
          CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuFuncSetAttribute(f, MAX_DYNAMIC, most + 1), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuFuncSetAttribute(f, MAX_DYNAMIC, most));
    OK(cu.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, (unsigned) most, NULL, params, NULL));
    REQUIRE_INT(word(a[0]), ==, 7);
    FAILS(cu.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_NUM_REGS, 10), CUDA_ERROR_INVALID_VALUE);
}

/* What the case prints on standard output between these two. */
static int saved_output;
static FILE *captured;

static void capture(void)
{
    captured = tmpfile();
    REQUIRE(captured);
    fflush(stdout);
    saved_output = dup(1);
    dup2(fileno(captured), 1);
}

static const char *captured_text(void)
{
    static char text[4096];
    fflush(stdout);
    dup2(saved_output, 1);
    close(saved_output);
    rewind(captured);
    text[fread(text, 1, sizeof text - 1, captured)] = '\0';
    fclose(captured);
    return text;
}

void kernels_print(void)
{
    begin();
    CUfunction f = kernel("print");
    capture();
    OK(launch(f, 1, 2, NULL, ARGS(0)));
    OK(cu.cuCtxSynchronize());
    REQUIRE_STR(captured_text(), "hi 0 0.00\nhi 1 0.25\n");
    capture();
    printf("before\n");
    fflush(stdout);
    OK(launch(f, 1, 1, NULL, ARGS(0)));
    OK(cu.cuCtxSynchronize());
    printf("after\n");
    REQUIRE_STR(captured_text(), "before\nhi 0 0.00\nafter\n");
}

void many_launches_without_waiting(void)
{
    enum { N = 5000 };
    begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(64, 0);
    for (int i = 0; i < N; i++)
        OK(launch(f, 2, 32, NULL, ARGS(p, 1, 64)));
    REQUIRE_INT(word(p), ==, N);
    REQUIRE_INT(word(p + 4 * 63), ==, N);
}

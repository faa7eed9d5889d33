/* Conformance of a driver: runs the cases on the CPU device, on the library named on the command
 * line, or on NVIDIA's driver
 * ("cuda"; 77 where there is none). A second argument chooses one case. */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

struct drv_table cu;

static const struct test_case {
    const char *name;
    void (*run)(void);
    bool cpu_only;
} cases[] = {
#define EVERYWHERE(name) {#name, name, false},
#define CPU_ONLY(name) {#name, name, true},
    CASES(EVERYWHERE) CPU_CASES(CPU_ONLY)};

CUcontext begin(void)
{
    CUcontext c;
    OK(cu.cuInit(0));
    OK(cu.cuCtxCreate(&c, 0, 0));
    return c;
}

CUfunction kernel_of(CUmodule *out, const char *ptx, const char *name)
{
    char log[4096] = "";
    int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *) (uintptr_t) sizeof log};
    CUmodule m = NULL;
    CUfunction f = NULL;
    if (cu.cuModuleLoadDataEx(&m, ptx, 2, options, values) != CUDA_SUCCESS)
        fprintf(stderr, "%s\n", log);
    else if (cu.cuModuleGetFunction(&f, m, name) != CUDA_SUCCESS)
        fprintf(stderr, "no kernel %s\n", name);
    REQUIRE(f != NULL);
    if (out)
        *out = m;
    return f;
}

CUfunction kernel(const char *name)
{
    return kernel_of(NULL, ptx_text, name);
}

CUresult launch(CUfunction f, unsigned grid, unsigned block, CUstream stream, const uint64_t *args)
{
    uint64_t copy[3];
    memcpy(copy, args, sizeof copy);
    void *params[] = {&copy[0], &copy[1], &copy[2]};
    return cu.cuLaunchKernel(f, grid, 1, 1, block, 1, 1, 0, stream, params, NULL);
}

void warm_up(CUfunction f, const uint64_t *args)
{
    OK(launch(f, 1, 1, NULL, args));
    OK(cu.cuCtxSynchronize());
}

CUdeviceptr words(size_t count, unsigned value)
{
    CUdeviceptr p;
    OK(cu.cuMemAlloc(&p, 4 * count));
    OK(cu.cuMemsetD32(p, value, count));
    return p;
}

unsigned word(CUdeviceptr at)
{
    unsigned value;
    OK(cu.cuMemcpyDtoH(&value, at, sizeof value));
    return value;
}

volatile unsigned *flag(CUdeviceptr *device)
{
    void *p;
    OK(cu.cuMemHostAlloc(&p, sizeof(unsigned), CU_MEMHOSTALLOC_DEVICEMAP));
    OK(cu.cuMemHostGetDevicePointer(device, p, 0));
    *(volatile unsigned *) p = 0;
    return p;
}

double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

void sleep_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, (long) (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* 0: loaded. */
static int load_driver(const char *which)
{
    struct str why = {0};
    if (!which || strcmp(which, "cpu") == 0) {
        cu = cpu_table;
        return cu.cuInit ? 0 : -1;
    }
    int rc = drv_load(&cu, strcmp(which, "cuda") == 0 ? "libcuda.so.1" : which, &why);
    if (rc)
        fprintf(stderr, "%s\n", str_text(&why));
    str_fini(&why);
    return rc;
}

/* In a child: a sticky fault or a crash ends one case only. The exit status of the case. */
static int run_apart(const struct test_case *c, const char *which)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (!pid) {
        alarm(300);
        if (load_driver(which) != 0 || (c->cpu_only && !cu.runcuFaultText))
            exit(TEST_SKIPPED);
        rows_watch(&cu, c->cpu_only);
        c->run();
        exit(0);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Is there a driver with a device? */
static void looks_for_a_device(void)
{
    int count = 0;
    if (cu.cuInit(0) != CUDA_SUCCESS || cu.cuDeviceGetCount(&count) != CUDA_SUCCESS || !count)
        exit(TEST_SKIPPED);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "cpu", *only = argc > 2 ? argv[2] : NULL;
    int failed = 0, ran = 0;
    rows_begin();
    if (run_apart(&(struct test_case){"", looks_for_a_device, false}, which) == TEST_SKIPPED)
        return TEST_SKIPPED;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (only && strcmp(only, cases[i].name) != 0)
            continue;
        double start = seconds();
        int status = run_apart(&cases[i], which);
        if (status == TEST_SKIPPED)
            continue;
        ran++;
        failed += status != 0;
        if (status)
            printf("FAILED (%d) %s\n", status, cases[i].name);
        else
            printf("ok %6.0f ms %s\n", (seconds() - start) * 1e3, cases[i].name);
    }
    printf("%d of %d failed on %s\n", failed, ran, which);
    return failed || !ran || (!only && load_driver(which) == 0 && rows_end(&cu));
}

/* What only the CPU device does: refuses without crashing, explains, is interrupted, forks, ends.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "device.h"

static const char *text(void)
{
    const char *t = NULL;
    OK(cu.runcuFaultText(&t));
    return t;
}

void stale_and_foreign_handles_are_refused(void)
{
    CUcontext c = begin(), d;
    CUstream s;
    CUevent e;
    CUmodule m;
    CUfunction f = kernel_of(&m, ptx_text, "count_up"), g;
    int value;
    OK(cu.cuStreamCreate(&s, 0));
    OK(cu.cuEventCreate(&e, 0));
    OK(cu.cuStreamDestroy(s));
    OK(cu.cuEventDestroy(e));
    OK(cu.cuModuleUnload(m));
    FAILS(cu.cuStreamDestroy(s), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuStreamSynchronize(s), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuStreamSynchronize((CUstream) 12345), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuStreamQuery((CUstream) c), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuEventRecord(e, NULL), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuEventDestroy((CUevent) &value), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuModuleUnload(m), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuModuleGetFunction(&g, m, "count_up"), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuFuncGetAttribute(&value, 0, f), CUDA_ERROR_INVALID_HANDLE);
    FAILS(launch(f, 1, 1, NULL, ARGS(0)), CUDA_ERROR_INVALID_HANDLE);
    FAILS(launch(NULL, 1, 1, NULL, ARGS(0)), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuCtxCreate(&d, 0, 0));
    OK(cu.cuCtxDestroy(d));
    FAILS(cu.cuCtxPushCurrent(d), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuCtxSetCurrent((CUcontext) &value), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cu.cuCtxDestroy(d), CUDA_ERROR_INVALID_CONTEXT);
    OK(cu.cuCtxSynchronize());
}

void binary_images_are_for_gpus(void)
{
    static const char cubin[64] = "\177ELF\2\1\1";
    static const unsigned char fat[64] = {0x50, 0xed, 0x55, 0xba, 1};
    CUmodule m;
    begin();
    FAILS(cu.cuModuleLoadData(&m, cubin), CUDA_ERROR_NO_BINARY_FOR_GPU);
    REQUIRE_IN("cubin", text());
    FAILS(cu.cuModuleLoadData(&m, fat), CUDA_ERROR_NO_BINARY_FOR_GPU);
    REQUIRE_IN("PTX", text());
}

void text_for_newer_devices_is_refused(void)
{
    CUmodule m;
    begin();
    FAILS(cu.cuModuleLoadData(
              &m, ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k() { ret; }\n"),
          CUDA_ERROR_INVALID_PTX);
    REQUIRE_IN("sm_90", text());
    REQUIRE_IN("RUNCU_CPU_ARCH=90", text());
}

void too_much_static_shared_is_refused_at_load(void)
{
    static const char ptx[] =
        ".version 6.4\n.target sm_75\n.address_size 64\n"
        ".shared .align 4 .b8 big[49156];\n.visible .entry fits() { ret; }\n"
        ".visible .entry k() { .reg .b32 %r<2>; mov.u32 %r0, 1; st.shared.u32 [big], %r0; ret; }\n";
    CUmodule m;
    begin();
    FAILS(cu.cuModuleLoadData(&m, ptx), CUDA_ERROR_INVALID_PTX);
    REQUIRE_IN("Entry function 'k' uses too much shared data (0xc004 bytes, 0xc000 max)", text());
}

void unsupported_kernel_fails_when_asked_for(void)
{
    static const char ptx[] =
        ".version 6.4\n.target sm_75\n.address_size 64\n"
        ".visible .entry good(.param .u64 p) { ret; }\n"
        ".visible .entry bad(.param .u64 p)\n{\n .reg .b32 %r<2>; mov.u32 %r0, 1;\n"
        " frobnicate.u32 %r1, %r0;\n ret;\n}\n";
    CUmodule m;
    CUfunction f;
    begin();
    OK(cu.cuModuleLoadData(&m, ptx));
    OK(cu.cuModuleGetFunction(&f, m, "good"));
    FAILS(cu.cuModuleGetFunction(&f, m, "bad"), CUDA_ERROR_NOT_SUPPORTED);
    REQUIRE_IN("bad", text());
    REQUIRE_IN("frobnicate.u32", text());
    REQUIRE_IN("line 8", text());
}

void refusals_are_explained(void)
{
    CUmodule m;
    CUfunction f;
    CUdeviceptr p;
    begin();
    REQUIRE_STR(text(), "");
    f = kernel_of(&m, ptx_text, "count_up");
    REQUIRE(launch(f, 1, 2000, NULL, ARGS(0)) != CUDA_SUCCESS);
    REQUIRE_IN("1024", text());
    FAILS(cu.cuModuleGetFunction(&f, m, "nothing"), CUDA_ERROR_NOT_FOUND);
    REQUIRE_IN("add_words", text());
    FAILS(cu.cuMemAlloc(&p, (size_t) 1 << 50), CUDA_ERROR_OUT_OF_MEMORY);
    REQUIRE_IN("RUNCU_CPU_MEMORY", text());
    OK(cu.cuMemAlloc(&p, 4));
    REQUIRE_STR(text(), "");
}

void memory_limit_from_the_environment(void)
{
    size_t free_bytes, total;
    CUdeviceptr p, q;
    setenv("RUNCU_CPU_MEMORY", "3m", 1);
    begin();
    OK(cu.cuDeviceTotalMem(&total, 0));
    REQUIRE_INT(total, ==, 3 << 20);
    OK(cu.cuMemAlloc(&p, 2 << 20));
    FAILS(cu.cuMemAlloc(&q, (1 << 20) + 1), CUDA_ERROR_OUT_OF_MEMORY);
    OK(cu.cuMemAlloc(&q, 1 << 20));
    OK(cu.cuMemGetInfo(&free_bytes, &total));
    REQUIRE_INT(free_bytes, ==, 0);
    OK(cu.cuMemFree(p));
    CUcontext c, d;
    OK(cu.cuCtxCreate(&d, 0, 0));
    OK(cu.cuMemAlloc(&p, 2 << 20));
    OK(cu.cuCtxDestroy(d));
    OK(cu.cuCtxGetCurrent(&c));
    OK(cu.cuMemGetInfo(&free_bytes, &total));
    REQUIRE_INT(free_bytes, ==, 2 << 20);
}

void architecture_from_the_environment(void)
{
    int major, minor, optin;
    CUmodule m;
    setenv("RUNCU_CPU_ARCH", "sm_80", 1);
    begin();
    OK(cu.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
    OK(cu.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0));
    OK(cu.cuDeviceGetAttribute(&optin, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
    REQUIRE_INT(major * 10 + minor, ==, 80);
    REQUIRE_INT(optin, ==, 163 << 10);
    OK(cu.cuModuleLoadData(
        &m, ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k() { ret; }\n"));
}

/* ---- interrupts ---- */

static int says_yes_later(void *user)
{
    int *asked = user;
    return ++*asked >= 2;
}

void interrupt_stops_an_endless_kernel(void)
{
    int asked = 0;
    begin();
    CUfunction endless = kernel("endless"), f = kernel("add_words");
    CUdeviceptr p = words(1, 1);
    OK(cu.runcuSetInterrupt(says_yes_later, &asked));
    double start = seconds();
    OK(launch(endless, 100, 64, NULL, ARGS(p)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_LAUNCH_TIMEOUT);
    REQUIRE_IN("interrupted", text());
    REQUIRE(seconds() - start < 5);
    REQUIRE_INT(asked, ==, 2);
    OK(cu.runcuSetInterrupt(NULL, NULL));
    OK(cu.cuCtxSynchronize());
    OK(launch(f, 1, 1, NULL, ARGS(p, 1, 1)));
    REQUIRE_INT(word(p), ==, 2);
}

void interrupt_stops_what_is_queued(void)
{
    int asked = 0, called = 0;
    unsigned w;
    begin();
    CUfunction endless = kernel("endless");
    CUdeviceptr p = words(1, 1);
    OK(cu.runcuSetInterrupt(says_yes_later, &asked));
    for (int i = 0; i < 10; i++)
        OK(launch(endless, 1, 1, NULL, ARGS(p)));
    FAILS(cu.cuMemcpyDtoH(&w, p, 4), CUDA_ERROR_LAUNCH_TIMEOUT);
    REQUIRE_INT(called, ==, 0);
    OK(cu.runcuSetInterrupt(NULL, NULL));
    REQUIRE_INT(word(p), ==, 1);
}

/* ---- output, host functions ---- */

static void collect(void *user, const char *t, size_t len)
{
    strncat(user, t, len);
}

void printed_text_goes_to_the_callback(void)
{
    char out[200] = "";
    begin();
    CUfunction f = kernel("print");
    OK(cu.runcuSetPrint(collect, out));
    OK(launch(f, 2, 1, NULL, ARGS(0)));
    OK(cu.cuCtxSynchronize());
    OK(cu.runcuSetPrint(NULL, NULL));
    REQUIRE_STR(out, "hi 0 0.00\nhi 1 0.25\n");
}

static void calls_back(void *user)
{
    *(CUresult *) user = cu.cuCtxSynchronize();
}

void host_function_may_not_call_back(void)
{
    CUresult code = CUDA_SUCCESS;
    begin();
    OK(cu.cuLaunchHostFunc(NULL, calls_back, &code));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(code, ==, CUDA_ERROR_NOT_PERMITTED);
}

/* ---- memory of the host ---- */

/* A capture of two streams, made launchable, launched and changed. True when nothing failed. */
static bool uses_graphs(CUstream s, CUevent e, CUdeviceptr a, CUfunction f)
{
    CUstream other = NULL;
    CUgraph g = NULL, copy = NULL;
    CUgraphExec exec = NULL;
    CUgraphExecUpdateResultInfo info;
    bool ok = !cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING);
    ok = ok && !cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED);
    bool captures = ok;
    ok = ok && !launch(f, 1, 32, s, ARGS(a, 10, 1)) && !cu.cuEventRecord(e, s);
    ok = ok && !cu.cuStreamWaitEvent(other, e, 0) && !cu.cuMemsetD32Async(a, 1, 4, other);
    ok = ok && !cu.cuEventRecord(e, other) && !cu.cuStreamWaitEvent(s, e, 0);
    ok = captures && !cu.cuStreamEndCapture(s, &g) && ok;
    ok = ok && !cu.cuGraphClone(&copy, g) && !cu.cuGraphInstantiateWithFlags(&exec, g, 0);
    ok = ok && !cu.cuGraphLaunch(exec, s) && !cu.cuGraphExecUpdate(exec, copy, &info);
    ok = ok && !cu.cuGraphLaunch(exec, other) && !cu.cuCtxSynchronize();
    if (exec)
        OK(cu.cuGraphExecDestroy(exec));
    if (g)
        OK(cu.cuGraphDestroy(g));
    if (copy)
        OK(cu.cuGraphDestroy(copy));
    return ok;
}

/* Everything once, as far as it goes. True when nothing failed. */
static bool uses_everything(void)
{
    CUcontext c = NULL;
    CUstream s = NULL;
    CUevent e = NULL;
    CUmodule m = NULL;
    CUfunction f = NULL, p = NULL;
    CUdeviceptr a = 0;
    void *host = NULL;
    unsigned w = 0;
    bool ok = cu.cuCtxCreate(&c, 0, 0) == CUDA_SUCCESS;
    ok = ok && !cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING) && !cu.cuEventCreate(&e, 0);
    ok = ok && !cu.cuMemAlloc(&a, 4000) && !cu.cuMemHostAlloc(&host, 4000, 0);
    ok = ok && !cu.cuModuleLoadData(&m, ptx_text) && !cu.cuModuleGetFunction(&f, m, "slow");
    ok = ok && !cu.cuModuleGetFunction(&p, m, "print");
    ok = ok && !cu.cuMemsetD8(a, 0, 4000) && !launch(f, 3, 32, s, ARGS(a, 10000, 1));
    ok = ok && !cu.cuEventRecord(e, s) && !cu.cuStreamWaitEvent(NULL, e, 0);
    ok = ok && !cu.cuMemcpyDtoHAsync(host, a, 4000, s) && !launch(p, 2, 32, NULL, ARGS(a));
    ok = ok && !cu.cuStreamSynchronize(s) && !cu.cuMemcpyDtoH(&w, a, 4) && !cu.cuCtxSynchronize();
    REQUIRE(!ok || w > 0);
    ok = ok && uses_graphs(s, e, a, f);
    if (c)
        OK(cu.cuCtxDestroy(c));
    return ok;
}

static void ignore(void *user, const char *t, size_t len)
{
    (void) user;
    (void) t;
    (void) len;
}

void memory_is_short_at_any_allocation(void)
{
    if (cu.cuInit != cpu_table.cuInit)
        return; /* the library has an allocator of its own */
    OK(cu.cuInit(0));
    OK(cu.runcuSetPrint(ignore, NULL));
    for (size_t n = 1;; n++) {
        alloc_fail_at(n);
        bool ok = uses_everything();
        alloc_fail_at(0);
        if (ok)
            break;
        REQUIRE_INT(n, <, 100000);
    }
    REQUIRE(uses_everything());
}

/* ---- processes ---- */

/* Runs the rest in a child; true in the child. */
static bool in_child(void)
{
    fflush(NULL);
    pid_t pid = fork();
    int status;
    REQUIRE(pid >= 0);
    if (!pid) {
        alarm(60);
        return true;
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

static void *busy(void *arg)
{
    OK(cu.cuCtxSetCurrent(arg));
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(1000, 0);
    for (int i = 0; i < 200; i++) {
        OK(launch(f, 4, 256, NULL, ARGS(p, 1, 1000)));
        OK(cu.cuCtxSynchronize());
    }
    return NULL;
}

void child_goes_on_after_fork(void)
{
    pthread_t t;
    CUcontext c = begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(5000, 1);
    OK(launch(f, 20, 256, NULL, ARGS(p, 1, 5000)));
    OK(cu.cuCtxSynchronize());
    REQUIRE(pthread_create(&t, NULL, busy, c) == 0);
    sleep_ms(1);
    if (in_child()) {
        REQUIRE_INT(word(p + 4 * 4999), ==, 2);
        OK(launch(f, 20, 256, NULL, ARGS(p, 5, 5000)));
        REQUIRE_INT(word(p + 4 * 4999), ==, 7);
        _exit(0);
    }
    pthread_join(t, NULL);
    REQUIRE_INT(word(p + 4 * 4999), ==, 2);
}

void child_finishes_what_was_queued(void)
{
    begin();
    CUfunction slow = kernel("slow");
    CUdeviceptr p = words(1, 0);
    for (int i = 0; i < 20; i++)
        OK(launch(slow, 1, 1, NULL, ARGS(p, 1000000, 1)));
    if (in_child()) {
        double end = seconds() + 30;
        while (cu.cuStreamQuery(NULL) == CUDA_ERROR_NOT_READY && seconds() < end)
            sleep_ms(1);
        REQUIRE_INT(word(p), ==, 20);
        _exit(0);
    }
    REQUIRE_INT(word(p), ==, 20);
}

void exit_with_work_in_flight(void)
{
    if (in_child()) {
        begin();
        CUdeviceptr p = words(1, 0);
        CUfunction endless = kernel("endless");
        for (int i = 0; i < 4; i++)
            OK(launch(endless, 8, 64, NULL, ARGS(p)));
        sleep_ms(20);
        exit(0);
    }
    double start = seconds();
    if (in_child()) {
        begin();
        OK(launch(kernel("endless"), 8, 64, NULL, ARGS(words(1, 0))));
        exit(0);
    }
    REQUIRE(seconds() - start < 5);
}

void one_thread_is_enough(void)
{
    setenv("RUNCU_THREADS", "1", 1);
    CUstream a, b;
    begin();
    CUfunction wait = kernel("wait_flag"), set = kernel("set_flag");
    CUdeviceptr p = words(2, 0);
    unsigned one = 1;
    int sms = 0;
    OK(cu.cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0));
    REQUIRE_INT(sms, ==, 1);
    OK(cu.cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
    OK(cu.cuCtxSynchronize());
    OK(launch(wait, 3, 64, a, ARGS(p, p + 4, 8)));
    OK(launch(set, 1, 1, b, ARGS(p, 1)));
    OK(cu.cuStreamSynchronize(a));
    REQUIRE_INT(word(p + 4), ==, 8);
    OK(cu.cuMemsetD32(p, 0, 1));
    OK(launch(wait, 3, 64, a, ARGS(p, p + 4, 9)));
    sleep_ms(10);
    OK(cu.cuMemcpyHtoD(p, &one, 4));
    OK(cu.cuStreamSynchronize(a));
    REQUIRE_INT(word(p + 4), ==, 9);
}

static void waits_for_a_kernel(void *user)
{
    const volatile unsigned *done = user;
    for (double end = seconds() + 60; *done == 0 && seconds() < end;)
        sleep_ms(1);
}

void blocked_host_function_stops_no_kernel(void)
{
    setenv("RUNCU_THREADS", "1", 1);
    CUstream s, low, high;
    CUdeviceptr device, p;
    begin();
    CUfunction wait = kernel("wait_flag"), set = kernel("set_flag");
    volatile unsigned *done = flag(&device);
    p = words(2, 0);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreateWithPriority(&low, CU_STREAM_NON_BLOCKING, 0));
    OK(cu.cuStreamCreateWithPriority(&high, CU_STREAM_NON_BLOCKING, -5));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuLaunchHostFunc(s, waits_for_a_kernel, (void *) (uintptr_t) device));
    sleep_ms(5);
    OK(launch(wait, 1, 32, high, ARGS(p, device, 1)));
    sleep_ms(5);
    OK(launch(set, 1, 1, low, ARGS(p, 1)));
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(*done, ==, 1);
}

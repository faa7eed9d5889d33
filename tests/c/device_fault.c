/* Conformance: what a kernel's mistake does to its context, and on the CPU device what is said of
 * it. */
#include <pthread.h>
#include <stdatomic.h>

#include "device.h"

/* Everything that follows in the context fails alike. */
static void sticks(CUresult code, CUdeviceptr at)
{
    CUdeviceptr p;
    CUstream s;
    CUmodule m;
    unsigned w;
    FAILS(cu.cuCtxSynchronize(), code);
    FAILS(cu.cuCtxSynchronize(), code);
    FAILS(cu.cuMemAlloc(&p, 4), code);
    FAILS(cu.cuStreamCreate(&s, 0), code);
    FAILS(cu.cuStreamQuery(NULL), code);
    FAILS(cu.cuModuleLoadData(&m, ptx_text), code);
    FAILS(cu.cuMemcpyDtoH(&w, at, 4), code);
}

void illegal_address_sticks(void)
{
    begin();
    CUfunction f = kernel("store_at");
    CUdeviceptr p = words(1, 0);
    OK(launch(f, 1, 1, NULL, ARGS(64, 0)));
    sticks(CUDA_ERROR_ILLEGAL_ADDRESS, p);
    FAILS(launch(f, 1, 1, NULL, ARGS(64, 0)), CUDA_ERROR_ILLEGAL_ADDRESS);
}

void misaligned_address_sticks(void)
{
    begin();
    CUfunction f = kernel("store_at");
    CUdeviceptr p = words(4, 0);
    OK(launch(f, 1, 1, NULL, ARGS(p + 2, 0)));
    sticks(CUDA_ERROR_MISALIGNED_ADDRESS, p);
}

void trap_sticks(void)
{
    begin();
    CUdeviceptr p = words(1, 0);
    OK(launch(kernel("fail_trap"), 1, 1, NULL, ARGS(0)));
    CUresult code = cu.cuCtxSynchronize();
    REQUIRE(code == CUDA_ERROR_LAUNCH_FAILED || code == CUDA_ERROR_ILLEGAL_INSTRUCTION);
    sticks(code, p);
}

void assert_sticks(void)
{
    begin();
    CUdeviceptr p = words(1, 0);
    OK(launch(kernel("fail_assert"), 1, 1, NULL, ARGS(0)));
    sticks(CUDA_ERROR_ASSERT, p);
}

/* ---- the CPU device ---- */

static const char *text(void)
{
    const char *t = NULL;
    OK(cu.runcuFaultText(&t));
    return t;
}

void fault_leaves_other_contexts_alone(void)
{
    CUcontext good = begin(), bad, primary;
    CUdeviceptr p = words(1, 1);
    OK(cu.cuCtxCreate(&bad, 0, 0));
    OK(launch(kernel("store_at"), 1, 1, NULL, ARGS(64, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    OK(cu.cuCtxSetCurrent(good));
    REQUIRE_STR(text(), "");
    OK(launch(kernel("add_words"), 1, 1, NULL, ARGS(p, 1, 1)));
    REQUIRE_INT(word(p), ==, 2);
    OK(cu.cuCtxDestroy(bad));
    OK(cu.cuCtxCreate(&bad, 0, 0));
    p = words(1, 5);
    REQUIRE_INT(word(p), ==, 5);
    OK(cu.cuCtxDestroy(bad));

    OK(cu.cuDevicePrimaryCtxRetain(&primary, 0));
    OK(cu.cuCtxSetCurrent(primary));
    OK(launch(kernel("store_at"), 1, 1, NULL, ARGS(64, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    OK(cu.cuDevicePrimaryCtxRelease(0));
    OK(cu.cuDevicePrimaryCtxRetain(&primary, 0));
    OK(cu.cuCtxSetCurrent(primary));
    p = words(1, 6);
    REQUIRE_INT(word(p), ==, 6);
}

void fault_text_past_the_end(void)
{
    char expected[200];
    begin();
    CUdeviceptr p;
    OK(cu.cuMemAlloc(&p, 4000));
    CUfunction f = kernel("store_at");
    OK(launch(f, 4, 256, NULL, ARGS(p, 4, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    REQUIRE_IN("kernel 'store_at'", text());
    REQUIRE_IN("block (3,0,0), thread (232,0,0)", text());
    REQUIRE_IN("store of 4 bytes", text());
    snprintf(expected, sizeof expected, "right past the end of the 4000-byte allocation at 0x%llx",
             p);
    REQUIRE_IN(expected, text());
    REQUIRE_IN("st.global.u32", text());
}

void fault_text_of_freed_memory(void)
{
    begin();
    CUdeviceptr p;
    CUfunction f = kernel("store_at");
    OK(cu.cuMemAlloc(&p, 4000));
    OK(cu.cuMemFree(p));
    OK(launch(f, 1, 1, NULL, ARGS(p + 8, 0, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    REQUIRE_IN("4000-byte allocation", text());
    REQUIRE_IN("freed", text());
}

void fault_text_of_a_constant(void)
{
    begin();
    CUmodule m;
    CUdeviceptr table;
    CUfunction f = kernel_of(&m, ptx_text, "store_at");
    OK(cu.cuModuleGetGlobal(&table, NULL, m, "table"));
    OK(launch(f, 1, 1, NULL, ARGS(table, 0, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    REQUIRE_IN("constant variable 'table'", text());
    REQUIRE_IN("only read", text());
}

static void never(void *user)
{
    *(int *) user = 1;
}

void fault_drops_queued_work(void)
{
    int ran = 0;
    CUevent e;
    begin();
    CUfunction f = kernel("store_at"), slow = kernel("slow"), endless = kernel("endless");
    CUdeviceptr p = words(1, 0);
    CUstream s, other;
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, 0));
    OK(cu.cuCtxSynchronize());
    OK(launch(endless, 1, 1, other, ARGS(p)));
    OK(launch(slow, 1, 1, s, ARGS(p, 1000, 1)));
    OK(launch(f, 1, 1, s, ARGS(8, 0, 0)));
    CUresult code = cu.cuLaunchHostFunc(s, never, &ran);
    REQUIRE(code == CUDA_SUCCESS || code == CUDA_ERROR_ILLEGAL_ADDRESS);
    FAILS(cu.cuStreamSynchronize(s), CUDA_ERROR_ILLEGAL_ADDRESS);
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    FAILS(cu.cuEventQuery(e), CUDA_ERROR_ILLEGAL_ADDRESS);
    CUcontext c;
    OK(cu.cuCtxGetCurrent(&c));
    OK(cu.cuCtxDestroy(c));
    REQUIRE_INT(ran, ==, 0);
}

static void *waits_for_the_fault(void *arg)
{
    OK(cu.cuCtxSetCurrent(arg));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    return NULL;
}

/* Threads that look into a stopped launch one after another must not keep it from ending. */
void fault_with_many_threads_waiting(void)
{
    enum { WAITING = 5 };
    for (int round = 0; round < 20; round++) {
        pthread_t t[WAITING];
        CUcontext c = begin();
        OK(launch(kernel("store_at"), 1000, 64, NULL, ARGS(64, 0)));
        for (int i = 0; i < WAITING; i++)
            REQUIRE(pthread_create(&t[i], NULL, waits_for_the_fault, c) == 0);
        for (int i = 0; i < WAITING; i++)
            pthread_join(t[i], NULL);
        OK(cu.cuCtxDestroy(c));
    }
}

struct freeing {
    CUcontext context;
    CUdeviceptr address;
    atomic_bool done;
};

static void *frees(void *arg)
{
    struct freeing *f = arg;
    OK(cu.cuCtxSetCurrent(f->context));
    OK(cu.cuMemFree(f->address));
    atomic_store(&f->done, true);
    return NULL;
}

void free_waits_for_copies_of_other_contexts(void)
{
    struct freeing f = {.context = begin()};
    pthread_t t;
    CUstream s;
    CUcontext other;
    CUdeviceptr device;
    f.address = words(1000, 77);
    OK(cu.cuCtxCreate(&other, 0, 0));
    CUdeviceptr p = words(1000, 0);
    CUfunction wait = kernel("wait_flag");
    volatile unsigned *go = flag(&device);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(launch(wait, 1, 1, s, ARGS(device, p, 1)));
    OK(cu.cuMemcpyDtoDAsync(p, f.address, 4000, s));
    REQUIRE(pthread_create(&t, NULL, frees, &f) == 0);
    sleep_ms(20);
    REQUIRE(!atomic_load(&f.done));
    *go = 1;
    pthread_join(t, NULL);
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(word(p + 3996), ==, 77);
}

/* The CPU device under six threads that do anything in any order for two seconds, stale handles,
 * faults and destroyed contexts included. Nothing is expected of the results but that there are
 * some: no crash, no deadlock. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "device.h"

enum { THREADS = 6, CONTEXTS = 4, OBJECTS = 8, SECONDS = 2 };

struct drv_table cu;

/* Shared by all threads, who overwrite and destroy what others still use: handles are never told
 * whose they are. */
static _Atomic(CUcontext) contexts[CONTEXTS];
static _Atomic(CUmodule) modules[CONTEXTS];
static _Atomic(CUfunction) functions[CONTEXTS][3];
static _Atomic(CUstream) streams[OBJECTS];
static _Atomic(CUevent) events[OBJECTS];
static _Atomic(CUdeviceptr) memory[OBJECTS];
static atomic_bool stop;
static atomic_long calls;

struct random {
    uint32_t state;
};

static unsigned any(struct random *r, unsigned below)
{
    r->state = r->state * 1664525u + 1013904223u;
    return (r->state >> 8) % below;
}

static CUstream a_stream(struct random *r)
{
    return any(r, 4) ? streams[any(r, OBJECTS)] : (CUstream) (uintptr_t) any(r, 3);
}

static void do_contexts(struct random *r)
{
    CUcontext c;
    unsigned i = any(r, CONTEXTS);
    if (any(r, 40) == 0 && cu.cuCtxCreate(&c, 0, 0) == CUDA_SUCCESS) {
        cu.cuCtxPopCurrent(NULL);
        contexts[i] = c;
    } else if (any(r, 60) == 0) {
        cu.cuCtxDestroy(contexts[i]);
    } else if (any(r, 60) == 0 && cu.cuDevicePrimaryCtxRetain(&c, 0) == CUDA_SUCCESS) {
        contexts[i] = c;
    } else if (any(r, 60) == 0) {
        cu.cuDevicePrimaryCtxRelease(0);
    }
    cu.cuCtxSetCurrent(contexts[any(r, CONTEXTS)]);
}

static void do_modules(struct random *r)
{
    static const char *const names[] = {"add_words", "slow", "store_at"};
    CUmodule m;
    CUfunction f;
    unsigned i = any(r, CONTEXTS);
    if (any(r, 10) == 0)
        cu.cuModuleUnload(modules[i]);
    if (any(r, 5) || cu.cuModuleLoadData(&m, ptx_text) != CUDA_SUCCESS)
        return;
    modules[i] = m;
    for (int k = 0; k < 3; k++)
        if (cu.cuModuleGetFunction(&f, m, names[k]) == CUDA_SUCCESS)
            functions[i][k] = f;
}

static void do_streams(struct random *r)
{
    CUstream s;
    if (any(r, 3) == 0 &&
        cu.cuStreamCreateWithPriority(&s, any(r, 2), -(int) any(r, 3)) == CUDA_SUCCESS)
        streams[any(r, OBJECTS)] = s;
    if (any(r, 4) == 0)
        cu.cuStreamDestroy(streams[any(r, OBJECTS)]);
    cu.cuStreamQuery(a_stream(r));
    if (any(r, 4) == 0)
        cu.cuStreamSynchronize(a_stream(r));
    if (any(r, 16) == 0)
        cu.cuCtxSynchronize();
}

static void do_events(struct random *r)
{
    CUevent e;
    float ms;
    if (any(r, 3) == 0 && cu.cuEventCreate(&e, 0) == CUDA_SUCCESS)
        events[any(r, OBJECTS)] = e;
    cu.cuEventRecord(events[any(r, OBJECTS)], a_stream(r));
    cu.cuStreamWaitEvent(a_stream(r), events[any(r, OBJECTS)], 0);
    cu.cuEventElapsedTime(&ms, events[any(r, OBJECTS)], events[any(r, OBJECTS)]);
    if (any(r, 4) == 0)
        cu.cuEventSynchronize(events[any(r, OBJECTS)]);
    if (any(r, 4) == 0)
        cu.cuEventDestroy(events[any(r, OBJECTS)]);
}

static void do_memory(struct random *r)
{
    CUdeviceptr p;
    unsigned w;
    void *host;
    if (cu.cuMemAlloc(&p, 1 + any(r, 100000)) == CUDA_SUCCESS)
        memory[any(r, OBJECTS)] = p;
    cu.cuMemsetD8Async(memory[any(r, OBJECTS)], 1, any(r, 5000), a_stream(r));
    cu.cuMemcpyDtoDAsync(memory[any(r, OBJECTS)], memory[any(r, OBJECTS)], any(r, 3000),
                         a_stream(r));
    cu.cuMemcpyDtoH(&w, memory[any(r, OBJECTS)], 4);
    if (any(r, 2))
        cu.cuMemFree(memory[any(r, OBJECTS)]);
    if (any(r, 8) == 0 && cu.cuMemHostAlloc(&host, 1 + any(r, 9000), 0) == CUDA_SUCCESS)
        cu.cuMemFreeHost(host);
}

static void nothing(void *user)
{
    (void) user;
}

static void do_launches(struct random *r)
{
    CUdeviceptr p = memory[any(r, OBJECTS)];
    unsigned i = any(r, CONTEXTS);
    launch(functions[i][0], 1 + any(r, 20), 1 + any(r, 300), a_stream(r), ARGS(p, 1, any(r, 200)));
    launch(functions[i][1], 1 + any(r, 4), 32, a_stream(r), ARGS(p, any(r, 10000), 1));
    if (any(r, 200) == 0)
        launch(functions[i][2], 1, 32, a_stream(r), ARGS(p + any(r, 200000), 4));
    cu.cuLaunchHostFunc(a_stream(r), nothing, NULL);
}

static void *acts(void *arg)
{
    static void (*const doings[])(struct random *) = {do_contexts, do_modules, do_streams,
                                                      do_events,   do_memory,  do_launches};
    struct random r = {(uint32_t) (uintptr_t) arg};
    while (!atomic_load(&stop)) {
        doings[any(&r, ARRAY_LEN(doings))](&r);
        atomic_fetch_add(&calls, 1);
    }
    return NULL;
}

static int sometimes(void *user)
{
    static atomic_uint asked;
    (void) user;
    return atomic_fetch_add(&asked, 1) % 50 == 0;
}

CUresult launch(CUfunction f, unsigned grid, unsigned block, CUstream stream, const uint64_t *args)
{
    uint64_t copy[3];
    memcpy(copy, args, sizeof copy);
    void *params[] = {&copy[0], &copy[1], &copy[2]};
    return cu.cuLaunchKernel(f, grid, 1, 1, block, 1, 1, 0, stream, params, NULL);
}

int main(void)
{
    pthread_t t[THREADS];
    cu = cpu_table;
    OK(cu.cuInit(0));
    OK(cu.runcuSetInterrupt(sometimes, NULL));
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, acts, (void *) (i * 7919 + 1)) == 0);
    struct timespec pause = {SECONDS, 0};
    nanosleep(&pause, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    REQUIRE_INT(atomic_load(&calls), >, 1000);
    return 0;
}

/* Conformance: streams, events, threads: what comes after what, and what runs beside what. */
#include <pthread.h>
#include <stdatomic.h>

#include "device.h"

enum { LONG = 4000000 /* rounds of `slow`: tens of milliseconds */ };

/* Waits, without any call that waits, for at most a minute. */
static bool reaches(CUresult (*query)(CUstream), CUstream s)
{
    double end = seconds() + 60;
    CUresult code;
    while ((code = query(s)) == CUDA_ERROR_NOT_READY && seconds() < end)
        sleep_ms(1);
    return code == CUDA_SUCCESS;
}

void streams_keep_order(void)
{
    unsigned out[3] = {0}, two = 2;
    CUstream s;
    begin();
    CUfunction slow = kernel("slow"), f = kernel("add_words");
    CUdeviceptr p = words(1, 0), q = words(1, 0);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuCtxSynchronize());
    OK(launch(slow, 1, 1, s, ARGS(p, LONG, 1)));
    OK(cu.cuMemcpyDtoHAsync(&out[0], p, 4, s));
    OK(cu.cuMemcpyHtoDAsync(p, &two, 4, s));
    OK(launch(f, 1, 32, s, ARGS(p, 40, 1)));
    OK(cu.cuMemcpyDtoDAsync(q, p, 4, s));
    OK(cu.cuMemsetD32Async(p, 7, 1, s));
    OK(cu.cuMemcpyDtoHAsync(&out[1], p, 4, s));
    OK(cu.cuMemcpyDtoHAsync(&out[2], q, 4, s));
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(out[0], ==, 1);
    REQUIRE_INT(out[1], ==, 7);
    REQUIRE_INT(out[2], ==, 42);
}

void legacy_stream_orders_blocking_streams(void)
{
    CUstream a, b;
    unsigned now = 0;
    begin();
    CUfunction slow = kernel("slow"), f = kernel("add_words");
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&a, CU_STREAM_DEFAULT));
    OK(cu.cuStreamCreate(&b, CU_STREAM_DEFAULT));
    OK(launch(slow, 1, 1, a, ARGS(p, LONG, 1)));
    OK(launch(slow, 1, 1, NULL, ARGS(p, LONG, 2)));
    OK(launch(f, 1, 32, b, ARGS(p, 4, 1)));
    OK(cu.cuMemcpyDtoHAsync(&now, p, 4, b));
    OK(cu.cuStreamSynchronize(b));
    REQUIRE_INT(now, ==, 7);
    OK(launch(slow, 1, 1, CU_STREAM_PER_THREAD, ARGS(p, LONG, 8)));
    REQUIRE_INT(word(p), ==, 15);
    OK(launch(slow, 1, 1, a, ARGS(p, LONG, 16)));
    OK(cu.cuStreamSynchronize(CU_STREAM_LEGACY));
    OK(cu.cuMemcpyDtoH(&now, p, 4));
    REQUIRE_INT(now, ==, 31);
}

void non_blocking_stream_runs_beside(void)
{
    CUstream s;
    CUdeviceptr device, p;
    begin();
    CUfunction wait = kernel("wait_flag");
    volatile unsigned *go = flag(&device);
    p = words(2, 0);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuCtxSynchronize());
    OK(launch(wait, 1, 1, s, ARGS(device, p, 5)));
    OK(cu.cuMemsetD32(p + 4, 6, 1));
    REQUIRE_INT(word(p + 4), ==, 6);
    OK(cu.cuStreamSynchronize(NULL));
    FAILS(cu.cuStreamQuery(s), CUDA_ERROR_NOT_READY);
    REQUIRE_INT(word(p), ==, 0);
    *go = 1;
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(word(p), ==, 5);
}

struct stream_user {
    CUcontext context;
    CUdeviceptr words;
};

static void *uses_own_stream(void *arg)
{
    const struct stream_user *u = arg;
    OK(cu.cuCtxSetCurrent(u->context));
    OK(cu.cuStreamQuery(CU_STREAM_PER_THREAD));
    OK(cu.cuStreamSynchronize(CU_STREAM_PER_THREAD));
    OK(cu.cuMemsetD32Async(u->words + 4, 3, 1, CU_STREAM_PER_THREAD));
    OK(cu.cuStreamSynchronize(CU_STREAM_PER_THREAD));
    return NULL;
}

void per_thread_streams_are_distinct(void)
{
    struct stream_user u;
    pthread_t t;
    u.context = begin();
    CUfunction wait = kernel("wait_flag");
    CUdeviceptr device, p = u.words = words(2, 0);
    volatile unsigned *go = flag(&device);
    OK(cu.cuCtxSynchronize());
    OK(launch(wait, 1, 1, CU_STREAM_PER_THREAD, ARGS(device, p, 5)));
    FAILS(cu.cuStreamQuery(CU_STREAM_PER_THREAD), CUDA_ERROR_NOT_READY);
    REQUIRE(pthread_create(&t, NULL, uses_own_stream, &u) == 0);
    pthread_join(t, NULL);
    *go = 1;
    OK(cu.cuStreamSynchronize(CU_STREAM_PER_THREAD));
    REQUIRE_INT(word(p), ==, 5);
}

void work_goes_on_without_waiting(void)
{
    CUstream s;
    CUevent e;
    CUdeviceptr device;
    begin();
    volatile unsigned *done = flag(&device);
    CUfunction set = kernel("set_flag"), slow = kernel("slow");
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
    OK(launch(set, 1, 1, s, ARGS(device, 3)));
    for (double end = seconds() + 60; *done != 3 && seconds() < end;)
        sleep_ms(1);
    REQUIRE_INT(*done, ==, 3);
    OK(launch(slow, 1, 1, s, ARGS(p, LONG, 1)));
    OK(cu.cuEventRecord(e, s));
    REQUIRE(reaches(cu.cuStreamQuery, s));
    OK(cu.cuEventQuery(e));
}

void kernel_waits_for_a_flag_of_the_host(void)
{
    begin();
    CUdeviceptr device, p = words(1, 0);
    volatile unsigned *go = flag(&device);
    CUfunction wait = kernel("wait_flag");
    OK(cu.cuCtxSynchronize());
    OK(launch(wait, 4, 64, NULL, ARGS(device, p, 5)));
    sleep_ms(20);
    FAILS(cu.cuStreamQuery(NULL), CUDA_ERROR_NOT_READY);
    *go = 1;
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(word(p), ==, 5);
}

void kernel_waits_for_another_kernel(void)
{
    CUstream a, b;
    begin();
    CUfunction wait = kernel("wait_flag"), set = kernel("set_flag");
    CUdeviceptr p = words(2, 0);
    OK(cu.cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
    warm_up(set, ARGS(p + 4, 0));
    OK(launch(wait, 1, 32, a, ARGS(p, p + 4, 8)));
    OK(launch(set, 1, 1, b, ARGS(p, 1)));
    OK(cu.cuStreamSynchronize(a));
    REQUIRE_INT(word(p + 4), ==, 8);
}

struct seen {
    atomic_int count;
    unsigned value[4];
    unsigned *watched;
    pthread_t thread;
};

static void notes(void *user)
{
    struct seen *s = user;
    int n = atomic_load(&s->count);
    s->value[n] = *s->watched;
    s->thread = pthread_self();
    atomic_store(&s->count, n + 1);
}

void host_functions_run_in_order(void)
{
    CUstream s;
    unsigned value = 0;
    struct seen seen = {.watched = &value};
    begin();
    CUfunction slow = kernel("slow");
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&s, 0));
    OK(launch(slow, 1, 1, s, ARGS(p, LONG, 5)));
    OK(cu.cuMemcpyDtoHAsync(&value, p, 4, s));
    OK(cu.cuLaunchHostFunc(s, notes, &seen));
    OK(cu.cuMemsetD32Async(p, 6, 1, s));
    OK(cu.cuMemcpyDtoHAsync(&value, p, 4, s));
    OK(cu.cuLaunchHostFunc(s, notes, &seen));
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(atomic_load(&seen.count), ==, 2);
    REQUIRE_INT(seen.value[0], ==, 5);
    REQUIRE_INT(seen.value[1], ==, 6);
    REQUIRE(!pthread_equal(seen.thread, pthread_self()));
    REQUIRE(cu.cuLaunchHostFunc(s, NULL, NULL) != CUDA_SUCCESS);
}

void destroyed_stream_finishes_its_work(void)
{
    CUstream s;
    begin();
    CUfunction slow = kernel("slow");
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuCtxSynchronize());
    OK(launch(slow, 1, 1, s, ARGS(p, LONG, 1)));
    OK(launch(slow, 1, 1, s, ARGS(p, LONG, 1)));
    OK(cu.cuStreamDestroy(s));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(word(p), ==, 2);
}

void stream_properties(void)
{
    CUstream s, bad;
    CUcontext c = begin(), owner = NULL;
    unsigned flags = 9;
    int priority = 9, least, greatest;
    OK(cu.cuCtxGetStreamPriorityRange(&least, &greatest));
    OK(cu.cuStreamCreateWithPriority(&s, CU_STREAM_NON_BLOCKING, greatest - 100));
    OK(cu.cuStreamGetFlags(s, &flags));
    REQUIRE_INT(flags, ==, CU_STREAM_NON_BLOCKING);
    OK(cu.cuStreamGetPriority(s, &priority));
    REQUIRE_INT(priority, ==, greatest);
    OK(cu.cuStreamGetCtx(s, &owner));
    REQUIRE(owner == c);
    OK(cu.cuStreamGetCtx(NULL, &owner));
    REQUIRE(owner == c);
    OK(cu.cuStreamQuery(s));
    OK(cu.cuStreamDestroy(s));
    FAILS(cu.cuStreamCreate(&bad, 0x100), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuStreamCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
}

/* ---- events ---- */

void events_say_when_work_is_done(void)
{
    CUevent e;
    CUstream s;
    begin();
    CUfunction wait = kernel("wait_flag");
    CUdeviceptr device, p = words(1, 0);
    volatile unsigned *go = flag(&device);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_BLOCKING_SYNC));
    OK(cu.cuEventQuery(e));
    OK(cu.cuEventSynchronize(e));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuEventRecord(e, s));
    OK(cu.cuEventSynchronize(e));
    OK(cu.cuEventQuery(e));
    OK(launch(wait, 1, 1, s, ARGS(device, p, 1)));
    OK(cu.cuEventQuery(e));
    OK(cu.cuEventRecord(e, s));
    FAILS(cu.cuEventQuery(e), CUDA_ERROR_NOT_READY);
    *go = 1;
    OK(cu.cuEventSynchronize(e));
    OK(cu.cuEventQuery(e));
    OK(cu.cuEventDestroy(e));
}

void events_measure_time(void)
{
    CUevent a, b, c;
    float first = -1, second = -1, both = -1;
    begin();
    CUfunction slow = kernel("slow");
    CUdeviceptr p = words(1, 0);
    OK(cu.cuEventCreate(&a, 0));
    OK(cu.cuEventCreate(&b, 0));
    OK(cu.cuEventCreate(&c, 0));
    OK(cu.cuCtxSynchronize());
    double start = seconds();
    OK(cu.cuEventRecord(a, NULL));
    OK(launch(slow, 1, 1, NULL, ARGS(p, LONG / 100, 1)));
    OK(cu.cuEventRecord(b, NULL));
    OK(launch(slow, 1, 1, NULL, ARGS(p, LONG, 1)));
    OK(cu.cuEventRecord(c, NULL));
    OK(cu.cuEventSynchronize(c));
    double host = (seconds() - start) * 1e3;
    OK(cu.cuEventElapsedTime(&first, a, b));
    OK(cu.cuEventElapsedTime(&second, b, c));
    OK(cu.cuEventElapsedTime(&both, a, c));
    REQUIRE(first >= 0 && second > first && second > 1 && both <= host + 1);
    REQUIRE_NEAR(first + second, both, 0.05 * both);
}

void events_order_streams(void)
{
    CUevent e;
    CUstream a, b;
    begin();
    CUfunction slow = kernel("slow"), f = kernel("add_words");
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuStreamWaitEvent(b, e, 0));
    OK(launch(slow, 1, 1, a, ARGS(p, LONG, 1)));
    OK(cu.cuEventRecord(e, a));
    OK(cu.cuStreamWaitEvent(b, e, 0));
    OK(launch(f, 1, 32, b, ARGS(p, 10, 1)));
    OK(cu.cuEventDestroy(e));
    unsigned out = 0;
    OK(cu.cuMemcpyDtoHAsync(&out, p, 4, b));
    OK(cu.cuStreamSynchronize(b));
    REQUIRE_INT(out, ==, 11);
}

void events_are_checked(void)
{
    CUevent a, b, bad;
    float ms;
    begin();
    OK(cu.cuEventCreate(&a, 0));
    OK(cu.cuEventCreate(&b, CU_EVENT_DISABLE_TIMING));
    FAILS(cu.cuEventElapsedTime(&ms, a, a), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuEventRecord(a, NULL));
    OK(cu.cuEventRecord(b, NULL));
    OK(cu.cuCtxSynchronize());
    OK(cu.cuEventElapsedTime(&ms, a, a));
    REQUIRE_NEAR(ms, 0, 0);
    FAILS(cu.cuEventElapsedTime(&ms, a, b), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cu.cuEventCreate(&bad, 0x1000), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuEventCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuEventCreate(&bad, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuEventRecordWithFlags(a, NULL, CU_EVENT_RECORD_DEFAULT));
    OK(cu.cuEventSynchronize(a));
    FAILS(cu.cuEventRecordWithFlags(a, NULL, 1 << 7), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuStreamWaitEvent(NULL, a, 1 << 7), CUDA_ERROR_INVALID_VALUE);
}

void event_waits_for_what_it_recorded_last(void)
{
    CUevent e;
    CUstream a, b;
    begin();
    CUfunction wait = kernel("wait_flag"), f = kernel("add_words");
    CUdeviceptr device, p = words(2, 0);
    volatile unsigned *go = flag(&device);
    OK(cu.cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
    warm_up(f, ARGS(p + 4, 0, 1));
    OK(cu.cuEventRecord(e, a));
    OK(cu.cuEventSynchronize(e));
    OK(cu.cuStreamWaitEvent(b, e, 0)); /* of what has happened already */
    OK(launch(wait, 1, 1, a, ARGS(device, p, 1)));
    OK(cu.cuEventRecord(e, a));
    OK(launch(f, 1, 32, b, ARGS(p + 4, 10, 1)));
    OK(cu.cuStreamSynchronize(b));
    REQUIRE_INT(word(p + 4), ==, 10);
    FAILS(cu.cuEventQuery(e), CUDA_ERROR_NOT_READY);
    *go = 1;
    OK(cu.cuEventSynchronize(e));
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 20, WORDS = 3000 };

static void *allocates_and_launches(void *arg)
{
    unsigned *w = malloc(4 * WORDS);
    REQUIRE(w);
    OK(cu.cuCtxSetCurrent(arg));
    CUfunction f = kernel("add_words");
    for (unsigned round = 0; round < ROUNDS; round++) {
        CUstream s;
        CUdeviceptr p;
        for (unsigned i = 0; i < WORDS; i++)
            w[i] = i;
        OK(cu.cuStreamCreate(&s, round % 2));
        OK(cu.cuMemAlloc(&p, 4 * WORDS));
        OK(cu.cuMemcpyHtoDAsync(p, w, 4 * WORDS, s));
        OK(launch(f, (WORDS + 127) / 128, 128, s, ARGS(p, round, WORDS)));
        OK(cu.cuMemcpyDtoHAsync(w, p, 4 * WORDS, s));
        OK(cu.cuStreamSynchronize(s));
        for (unsigned i = 0; i < WORDS; i++)
            REQUIRE_INT(w[i], ==, i + round);
        OK(cu.cuMemFree(p));
        OK(cu.cuStreamDestroy(s));
    }
    free(w);
    return NULL;
}

void threads_at_once(void)
{
    pthread_t t[THREADS];
    CUcontext c = begin();
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, allocates_and_launches, c) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    OK(cu.cuCtxSynchronize());
}

/* ---- a context that is never idle ---- */

struct busy {
    CUcontext context;
    CUfunction function;
    CUdeviceptr memory;
    atomic_bool stop;
};

/* Two streams, each kept filled: one of them always has work. */
static void *keeps_busy(void *arg)
{
    struct busy *b = arg;
    CUstream s[2];
    CUevent e[2];
    OK(cu.cuCtxSetCurrent(b->context));
    for (int i = 0; i < 2; i++) {
        OK(cu.cuStreamCreate(&s[i], CU_STREAM_NON_BLOCKING));
        OK(cu.cuEventCreate(&e[i], CU_EVENT_DISABLE_TIMING));
    }
    for (int i = 0; !atomic_load(&b->stop); i ^= 1) {
        OK(launch(b->function, 1, 32, s[i], ARGS(b->memory, 200000, 0)));
        OK(cu.cuEventRecord(e[i], s[i]));
        OK(cu.cuEventSynchronize(e[i ^ 1]));
    }
    return NULL;
}

void busy_context_lets_others_wait_and_free(void)
{
    struct busy b = {.context = begin()};
    pthread_t t;
    b.function = kernel("slow");
    b.memory = words(1, 0);
    warm_up(b.function, ARGS(b.memory, 1, 0));
    REQUIRE(pthread_create(&t, NULL, keeps_busy, &b) == 0);
    for (int i = 0; i < 20; i++) {
        sleep_ms(2);
        CUdeviceptr p = words(1000, (unsigned) i);
        OK(cu.cuCtxSynchronize());
        REQUIRE_INT(word(p), ==, i);
        OK(cu.cuMemFree(p));
    }
    atomic_store(&b.stop, true);
    pthread_join(t, NULL);
}

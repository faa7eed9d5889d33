/* Conformance: memory and events of one process in another. The other process is a child that is
 * made before the driver is initialised; the two talk over pipes. */
#include <unistd.h>

#include "device.h"

enum { N = 1000 };

static int down[2], up[2]; /* pipes: to the child, to the parent */
static bool in_child;

static void send_bytes(const void *p, size_t size)
{
    REQUIRE(write(in_child ? up[1] : down[1], p, size) == (ssize_t) size);
}

static void receive_bytes(void *p, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = read(in_child ? down[0] : up[0], (char *) p + got, size - got);
        REQUIRE_INT(n, >, 0);
        got += (size_t) n;
    }
}

static void tell(void)
{
    send_bytes("x", 1);
}

static void hear(void)
{
    char c;
    receive_bytes(&c, 1);
}

/* The child runs the function. */
static pid_t begin_child(void (*run)(void))
{
    REQUIRE(pipe(down) == 0 && pipe(up) == 0);
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid)
        return pid;
    in_child = true;
    close(down[1]);
    close(up[0]);
    alarm(60);
    run();
    exit(0);
}

static void end_child(pid_t pid)
{
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_INT(status, ==, 0);
}

static CUdeviceptr open_received(void)
{
    CUipcMemHandle handle;
    CUdeviceptr p;
    receive_bytes(&handle, sizeof handle);
    OK(cu.cuIpcOpenMemHandle(&p, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
    return p;
}

/* ---- memory ---- */

static void reads_and_adds(void)
{
    size_t bytes;
    begin();
    CUdeviceptr p = open_received(), q = open_received();
    REQUIRE_INT(word(p), ==, 7);
    OK(cu.cuMemGetAddressRange(NULL, &bytes, p));
    REQUIRE_INT(bytes, >=, 4 * N);
    OK(launch(kernel("add_words"), 4, 256, NULL, ARGS(p, 5, N)));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(word(q + (16 << 20) - 4), ==, 9);
    OK(cu.cuMemsetD32(q, 11, 1));
    OK(cu.cuCtxSynchronize());
    tell();
    hear();
    REQUIRE_INT(word(p), ==, 100);
    REQUIRE(cu.cuMemFree(p) != CUDA_SUCCESS);
    OK(cu.cuIpcCloseMemHandle(p));
    OK(cu.cuIpcCloseMemHandle(q));
    REQUIRE(cu.cuIpcCloseMemHandle(p) != CUDA_SUCCESS);
}

/* A small and a large allocation; neighbours of the small one go on as before. */
void processes_share_memory(void)
{
    CUipcMemHandle handle, again;
    pid_t child = begin_child(reads_and_adds);
    begin();
    CUdeviceptr before = words(N, 3), p = words(N, 7), after = words(N, 4), q = words(4 << 20, 9);
    OK(cu.cuIpcGetMemHandle(&handle, p));
    OK(cu.cuIpcGetMemHandle(&again, p));
    send_bytes(&handle, sizeof handle);
    OK(cu.cuIpcGetMemHandle(&handle, q));
    send_bytes(&handle, sizeof handle);
    hear();
    REQUIRE_INT(word(p), ==, 12);
    REQUIRE_INT(word(p + 4 * (N - 1)), ==, 12);
    REQUIRE_INT(word(q), ==, 11);
    REQUIRE_INT(word(before), ==, 3);
    REQUIRE_INT(word(before + 4 * (N - 1)), ==, 3);
    REQUIRE_INT(word(after), ==, 4);
    OK(cu.cuMemsetD32(p, 100, N));
    OK(cu.cuCtxSynchronize());
    tell();
    end_child(child);
    OK(cu.cuMemFree(q));
    OK(cu.cuMemFree(p));
    OK(cu.cuMemFree(before));
    REQUIRE_INT(word(after), ==, 4);
}

void handles_for_processes_are_checked(void)
{
    CUipcMemHandle handle;
    CUipcEventHandle name;
    CUdeviceptr p, q;
    CUevent e, other;
    int local = 0;
    begin();
    p = words(N, 1);
    FAILS(cu.cuIpcGetMemHandle(NULL, p), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cu.cuIpcGetMemHandle(&handle, (uintptr_t) &local) != CUDA_SUCCESS);
    OK(cu.cuMemAllocManaged(&q, 64, CU_MEM_ATTACH_GLOBAL));
    REQUIRE(cu.cuIpcGetMemHandle(&handle, q) != CUDA_SUCCESS);
    OK(cu.cuIpcGetMemHandle(&handle, p));
    REQUIRE(cu.cuIpcOpenMemHandle(NULL, handle, 1) != CUDA_SUCCESS);
    REQUIRE(cu.cuIpcOpenMemHandle(&q, handle, 64) != CUDA_SUCCESS);
    REQUIRE(cu.cuIpcOpenMemHandle(&q, handle, 1) != CUDA_SUCCESS); /* the same process */
    REQUIRE(cu.cuIpcCloseMemHandle(p) != CUDA_SUCCESS);
    FAILS(cu.cuEventCreate(&e, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
    REQUIRE(cu.cuIpcGetEventHandle(&name, e) != CUDA_SUCCESS);
    OK(cu.cuEventDestroy(e));
    OK(cu.cuEventCreate(&e, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    OK(cu.cuIpcGetEventHandle(&name, e));
    FAILS(cu.cuIpcGetEventHandle(NULL, e), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cu.cuIpcOpenEventHandle(NULL, name) != CUDA_SUCCESS);
    REQUIRE(cu.cuIpcOpenEventHandle(&other, name) != CUDA_SUCCESS);
    OK(cu.cuEventDestroy(e));
    OK(cu.cuMemFree(p));
}

/* ---- events ---- */

/* Waits in a stream for what the parent does; adds five; says so with an event of its own. */
static void follows(void)
{
    CUipcEventHandle handle;
    CUstream s;
    CUevent theirs, ours;
    begin();
    CUdeviceptr p = open_received();
    CUfunction f = kernel("add_words");
    receive_bytes(&handle, sizeof handle);
    OK(cu.cuIpcOpenEventHandle(&theirs, handle));
    OK(cu.cuEventCreate(&ours, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    OK(cu.cuIpcGetEventHandle(&handle, ours));
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    warm_up(f, ARGS(words(N, 0), 1, N));
    OK(cu.cuStreamWaitEvent(s, theirs, 0));
    OK(launch(f, 4, 256, s, ARGS(p, 5, N)));
    OK(cu.cuEventRecord(ours, s));
    send_bytes(&handle, sizeof handle);
    OK(cu.cuStreamSynchronize(s));
    OK(cu.cuEventQuery(theirs));
    OK(cu.cuEventSynchronize(theirs));
    hear();
    OK(cu.cuEventDestroy(theirs));
    OK(cu.cuEventDestroy(ours));
    OK(cu.cuIpcCloseMemHandle(p));
}

void processes_share_events(void)
{
    CUipcMemHandle memory;
    CUipcEventHandle handle;
    CUevent e, theirs;
    CUdeviceptr go;
    CUstream s;
    pid_t child = begin_child(follows);
    begin();
    CUdeviceptr p = words(N, 7);
    CUfunction wait = kernel("wait_flag");
    volatile unsigned *flag_word = flag(&go);
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    OK(cu.cuIpcGetMemHandle(&memory, p));
    OK(cu.cuIpcGetEventHandle(&handle, e));
    *flag_word = 1;
    warm_up(wait, ARGS(go, p, 7));
    *flag_word = 0;
    OK(launch(wait, 1, 1, s, ARGS(go, p, 20)));
    OK(cu.cuEventRecord(e, s));
    send_bytes(&memory, sizeof memory);
    send_bytes(&handle, sizeof handle);
    receive_bytes(&handle, sizeof handle);
    OK(cu.cuIpcOpenEventHandle(&theirs, handle));
    FAILS(cu.cuEventQuery(theirs), CUDA_ERROR_NOT_READY);
    FAILS(cu.cuEventQuery(e), CUDA_ERROR_NOT_READY);
    *flag_word = 1;
    OK(cu.cuEventSynchronize(theirs));
    OK(cu.cuEventQuery(e));
    REQUIRE_INT(word(p), ==, 25);
    REQUIRE_INT(word(p + 4), ==, 12);
    tell();
    end_child(child);
    OK(cu.cuEventDestroy(theirs));
    OK(cu.cuEventDestroy(e));
}

/* ---- the CPU device alone ---- */

static const char *why(void)
{
    const char *out = NULL;
    OK(cu.runcuFaultText(&out));
    return out;
}

static void opens_what_is_gone(void)
{
    CUipcMemHandle handle, bad;
    CUipcEventHandle event;
    CUevent e;
    CUdeviceptr p;
    begin();
    receive_bytes(&handle, sizeof handle);
    tell();
    hear(); /* it has been freed */
    FAILS(cu.cuIpcOpenMemHandle(&p, handle, 1), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE_IN("has it no more", why());
    for (size_t i = 0; i < sizeof bad; i++) {
        bad = handle;
        bad.bytes[i] ^= 1;
        REQUIRE_INT(cu.cuIpcOpenMemHandle(&p, bad, 1), !=, CUDA_SUCCESS);
    }
    memset(&bad, 0, sizeof bad);
    FAILS(cu.cuIpcOpenMemHandle(&p, bad, 1), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE_IN("no handle of the CPU device's memory", why());
    memcpy(&event, &handle, sizeof event);
    FAILS(cu.cuIpcOpenEventHandle(&e, event), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE_IN("no handle of the CPU device's events", why());
    receive_bytes(&handle, sizeof handle);
    bad = handle;
    bad.bytes[50] ^= 16;
    FAILS(cu.cuIpcOpenMemHandle(&p, bad, 1), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE_IN("damaged", why());
    OK(cu.cuIpcOpenMemHandle(&p, handle, 1));
    tell();
    hear(); /* the owner's is freed and used for something else */
    (void) word(p);
    OK(cu.cuIpcCloseMemHandle(p));
}

void stale_handles_of_processes_are_refused(void)
{
    CUipcMemHandle handle;
    pid_t child = begin_child(opens_what_is_gone);
    begin();
    CUdeviceptr p = words(N, 7), keep = words(N, 8);
    OK(cu.cuIpcGetMemHandle(&handle, p));
    FAILS(cu.cuIpcOpenMemHandle(&p, handle, 1), CUDA_ERROR_INVALID_CONTEXT);
    REQUIRE_IN("this process", why());
    send_bytes(&handle, sizeof handle);
    hear();
    OK(cu.cuMemFree(p));
    p = words(N, 9); /* in the same place */
    tell();
    OK(cu.cuIpcGetMemHandle(&handle, p));
    send_bytes(&handle, sizeof handle);
    hear();
    OK(cu.cuMemFree(p));
    p = words(N, 1);
    tell();
    end_child(child);
    REQUIRE_INT(word(keep), ==, 8);
}

static void closes_and_uses(void)
{
    begin();
    CUdeviceptr p = open_received();
    OK(cu.cuIpcCloseMemHandle(p));
    OK(launch(kernel("store_at"), 1, 1, NULL, ARGS(p, 0, 0)));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    REQUIRE_IN("4000-byte memory of another process", why());
    REQUIRE_IN("has been closed", why());
}

void fault_text_of_closed_memory(void)
{
    CUipcMemHandle handle;
    pid_t child = begin_child(closes_and_uses);
    begin();
    OK(cu.cuIpcGetMemHandle(&handle, words(N, 7)));
    send_bytes(&handle, sizeof handle);
    end_child(child);
}

/* A child that is forked later has its own copy, whatever its parent shares with others. */
void shared_memory_of_a_child_is_its_own(void)
{
    CUipcMemHandle handle, own;
    CUipcEventHandle name;
    CUevent e;
    begin();
    CUdeviceptr small = words(N, 7), large = words(4 << 20, 8), local = words(N, 9), q;
    OK(cu.cuIpcGetMemHandle(&handle, small));
    OK(cu.cuIpcGetMemHandle(&own, large));
    OK(cu.cuEventCreate(&e, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    OK(cu.cuIpcGetEventHandle(&name, e));
    REQUIRE(pipe(down) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        REQUIRE_INT(word(small), ==, 7);
        REQUIRE_INT(word(large + (16 << 20) - 4), ==, 8);
        OK(cu.cuMemsetD32(small, 1, N));
        OK(cu.cuMemsetD32(large, 2, N));
        OK(launch(kernel("add_words"), 4, 256, NULL, ARGS(local, 5, N)));
        OK(cu.cuEventRecord(e, NULL));
        OK(cu.cuCtxSynchronize());
        OK(cu.cuIpcOpenMemHandle(&q, handle, 1)); /* the parent's */
        REQUIRE_INT(word(q), ==, 7);
        REQUIRE_INT(word(small), ==, 1);
        OK(cu.cuIpcGetMemHandle(&own, small));
        FAILS(cu.cuIpcOpenMemHandle(&q, own, 1), CUDA_ERROR_INVALID_CONTEXT);
        exit(0);
    }
    end_child(pid);
    REQUIRE_INT(word(small), ==, 7);
    REQUIRE_INT(word(large), ==, 8);
    REQUIRE_INT(word(local), ==, 9);
}

static void records_and_dies(void)
{
    CUipcEventHandle handle;
    CUdeviceptr go;
    CUstream s;
    CUevent e;
    begin();
    volatile unsigned *flag_word = flag(&go);
    *flag_word = 0;
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    OK(launch(kernel("wait_flag"), 1, 1, s, ARGS(go, words(1, 0), 1)));
    OK(cu.cuEventRecord(e, s));
    OK(cu.cuIpcGetEventHandle(&handle, e));
    send_bytes(&handle, sizeof handle);
    hear();
    _exit(0);
}

void process_that_ends_holds_nobody_up(void)
{
    CUipcEventHandle handle;
    CUevent e;
    pid_t child = begin_child(records_and_dies);
    begin();
    receive_bytes(&handle, sizeof handle);
    OK(cu.cuIpcOpenEventHandle(&e, handle));
    FAILS(cu.cuEventQuery(e), CUDA_ERROR_NOT_READY);
    OK(cu.cuStreamWaitEvent(NULL, e, 0));
    tell();
    end_child(child);
    OK(cu.cuEventSynchronize(e));
    OK(cu.cuCtxSynchronize());
}

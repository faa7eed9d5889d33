/* Large copies of plain memory: staged on a GPU, the driver's own elsewhere. With the argument
 * "cuda" on NVIDIA's driver (77 where there is none), else on the driver that keeps books. */
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "base/alloc.h"
#include "core/core.h"
#include "fake_driver.h"

enum { MIB = 1 << 20 };

static struct fake fake;
static unsigned fills = 8; /* that a copy has to wait for */

static void start(void)
{
    fake = fake_open("FAKE_DRIVER");
    REQUIRE_OK(runcu_init(NULL));
}

static unsigned char *pattern(size_t bytes, unsigned seed)
{
    unsigned char *out = malloc(bytes);
    REQUIRE(out != NULL);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char) ((i * 2654435761u + seed) >> 13);
    return out;
}

/* There and back, at odd places: `pad` bytes on either side stay as they were. */
static void round_trip(size_t bytes, size_t pad, unsigned seed)
{
    unsigned char *in = pattern(bytes + 2 * pad, seed), *out = pattern(bytes + 2 * pad, seed + 99);
    unsigned char *was = pattern(bytes + 2 * pad, seed + 99);
    runcu_mem *mem;
    REQUIRE_OK(runcu_mem_alloc(&mem, bytes + 2 * pad));
    uint64_t at = runcu_mem_address(mem) + pad;
    REQUIRE_OK(runcu_mem_fill(
        &(runcu_fill){.to = at - pad, .value = 0x5a, .width = 1, .count = bytes + 2 * pad}));
    REQUIRE_OK(runcu_copy_htod(at, in + pad, bytes));
    REQUIRE_OK(runcu_copy_dtoh(out + pad, at, bytes));
    REQUIRE_BYTES(out + pad, in + pad, bytes);
    REQUIRE_BYTES(out, was, pad);
    REQUIRE_BYTES(out + pad + bytes, was + pad + bytes, pad);
    if (pad) {
        unsigned char edge = 0;
        REQUIRE_OK(runcu_copy_dtoh(&edge, at - 1, 1));
        REQUIRE_INT(edge, ==, 0x5a);
        REQUIRE_OK(runcu_copy_dtoh(&edge, at + bytes, 1));
        REQUIRE_INT(edge, ==, 0x5a);
    }
    REQUIRE_OK(runcu_mem_free(&mem));
    free(in);
    free(out);
    free(was);
}

/* --- on either driver --- */

static void copies_of_all_lengths_arrive(void)
{
    static const size_t sizes[] = {16 * MIB - 1,  16 * MIB, 16 * MIB + 1, 33 * MIB + 7,
                                   64 * MIB - 13, 64 * MIB, 70 * MIB + 5};
    start();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        round_trip(sizes[i], i % 2 * 3, (unsigned) i);
}

/* A small copy need not have arrived on return, but whatever is done next finds it there. */
static void small_copies_are_there_for_every_stream(void)
{
    enum { BYTES = 4096 };
    unsigned char host[BYTES];
    runcu_stream *stream;
    runcu_mem *mem, *pinned;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, BYTES));
    REQUIRE_OK(runcu_mem_alloc_host(&pinned, BYTES, 0));
    REQUIRE_OK(runcu_stream_create(&stream, 1, 0));
    const unsigned char *got = runcu_mem_host_pointer(pinned);
    for (int i = 0; i < 200; i++) {
        memset(host, i, BYTES);
        REQUIRE_OK(runcu_copy_htod(runcu_mem_address(mem), host, BYTES));
        memset(host, 255, BYTES);
        REQUIRE_OK(runcu_copy_dtoh_async(runcu_mem_host_pointer(pinned), runcu_mem_address(mem),
                                         BYTES, stream));
        REQUIRE_OK(runcu_stream_synchronize(stream));
        REQUIRE_INT(got[0], ==, i);
        REQUIRE_INT(got[BYTES - 1], ==, i);
    }
    runcu_stream_destroy(&stream);
    REQUIRE_OK(runcu_mem_free(&pinned));
    REQUIRE_OK(runcu_mem_free(&mem));
}

static void *copy_in_a_thread(void *seed)
{
    for (int i = 0; i < 2; i++)
        round_trip(17 * MIB + 3, 1, (unsigned) (uintptr_t) seed);
    return NULL;
}

static void threads_copy_at_once(void)
{
    pthread_t threads[4];
    start();
    for (uintptr_t i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, copy_in_a_thread, (void *) i), ==, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* Sets on a blocking stream come before the copy, and later ones after it. */
static void copies_keep_the_default_streams_order(void)
{
    enum { BYTES = 20 * MIB };
    unsigned char last = (unsigned char) fills;
    runcu_stream *stream;
    runcu_mem *mem;
    unsigned char *host = pattern(BYTES, 1), *kept = pattern(BYTES, 2);
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, BYTES));
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    runcu_fill fill = {.to = runcu_mem_address(mem), .width = 1, .count = BYTES};
    for (int i = 0; i < 3; i++) {
        for (fill.value = 1; fill.value <= fills; fill.value++)
            REQUIRE_OK(runcu_mem_fill_async(&fill, stream));
        REQUIRE_OK(runcu_copy_dtoh(host, fill.to, BYTES));
        for (size_t k = 0; k < BYTES; k++)
            if (host[k] != last)
                TEST_FAIL_("byte %zu is %d", k, host[k]);
        for (fill.value = 1; fill.value <= fills; fill.value++)
            REQUIRE_OK(runcu_mem_fill_async(&fill, stream));
        REQUIRE_OK(runcu_copy_htod(fill.to, kept, BYTES));
        REQUIRE_OK(runcu_copy_dtoh(host, fill.to, BYTES));
        REQUIRE_BYTES(host, kept, BYTES);
    }
    runcu_stream_destroy(&stream);
    REQUIRE_OK(runcu_mem_free(&mem));
    free(host);
    free(kept);
}

static void a_copy_that_would_leave_its_allocation_writes_nothing(void)
{
    enum { ROOM = 20 * MIB, MANY = 64 * MIB };
    unsigned char *host = calloc(1, MANY), byte = 0;
    runcu_mem *mem;
    start();
    REQUIRE(host != NULL);
    REQUIRE_OK(runcu_mem_alloc(&mem, ROOM));
    uint64_t at = runcu_mem_address(mem);
    REQUIRE_OK(runcu_mem_fill(&(runcu_fill){.to = at, .value = 7, .width = 1, .count = ROOM}));
    REQUIRE_FAILS(runcu_copy_htod(at, host, MANY), RUNCU_ERROR_DRIVER, "too many");
    REQUIRE_FAILS(runcu_copy_dtoh(host, at, MANY), RUNCU_ERROR_DRIVER, "too many");
    REQUIRE_INT(host[0], ==, 0);
    REQUIRE_OK(runcu_copy_dtoh(&byte, at, 1));
    REQUIRE_INT(byte, ==, 7);
    REQUIRE_OK(runcu_mem_free(&mem));
    free(host);
}

static void contexts_come_and_go(void)
{
    runcu_device *device;
    start();
    REQUIRE_OK(runcu_device_default(&device));
    for (int i = 0; i < 3; i++) {
        runcu_context *context;
        REQUIRE_OK(runcu_context_create(&context, device, 0));
        round_trip(20 * MIB, 1, (unsigned) i);
        REQUIRE_OK(runcu_context_pop());
        if (i == 1)
            REQUIRE_OK(runcu_context_detach(context));
        runcu_context_release(&context);
    }
    round_trip(20 * MIB, 0, 4);
    runcu_context *primary;
    REQUIRE_OK(runcu_context_primary(&primary, device));
    REQUIRE_OK(runcu_context_detach(primary));
    runcu_context_release(&primary);
    round_trip(20 * MIB, 0, 5);
}

/* --- with the driver that keeps books --- */

static void large_copies_are_staged_and_leave_nothing(void)
{
    runcu_device *device;
    runcu_context *context;
    start();
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    round_trip(64 * MIB, 0, 1);
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 0);
    REQUIRE_INT(fake.calls("cuMemcpyDtoH"), ==, 0);
    REQUIRE_INT(fake.calls("cuMemcpyHtoDAsync"), ==, 32);
    REQUIRE_INT(fake.calls("cuMemcpyDtoHAsync"), ==, 32);
    REQUIRE_INT(fake.calls("cuMemHostAlloc"), ==, 4); /* one a thread, used by both copies */
    REQUIRE_INT(fake.state->live_streams, ==, 1);
    REQUIRE_OK(runcu_context_pop());
    runcu_context_release(&context);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_INT(fake.state->live_streams, ==, 0);
    REQUIRE_INT(fake.state->live_events, ==, 0);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void small_copies_are_posted(void)
{
    unsigned char host[64 << 10] = {1};
    runcu_stream *blocking, *other;
    runcu_mem *mem, *pinned;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, sizeof host + 1));
    REQUIRE_OK(runcu_mem_alloc_host(&pinned, 64, 0));
    REQUIRE_OK(runcu_stream_create(&blocking, 0, 0));
    REQUIRE_OK(runcu_stream_create(&other, 1, 0));
    uint64_t at = runcu_mem_address(mem);
    REQUIRE_OK(runcu_copy_htod(at, host, sizeof host));
    REQUIRE_INT(fake.calls("cuMemcpyHtoDAsync"), ==, 1);
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 0);
    runcu_fill fill = {.to = at, .width = 1, .count = 1};
    REQUIRE_OK(runcu_mem_fill_async(&fill, NULL));
    REQUIRE_OK(runcu_mem_fill_async(&fill, blocking));
    REQUIRE_INT(fake.calls("cuStreamSynchronize"), ==, 0);
    REQUIRE_OK(runcu_mem_fill_async(&fill, other));
    REQUIRE_OK(runcu_mem_fill_async(&fill, other));
    REQUIRE_INT(fake.calls("cuStreamSynchronize"), ==, 1);
    REQUIRE_OK(runcu_copy_htod(at, runcu_mem_host_pointer(pinned), 64)); /* not plain */
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 1);
    unsigned char more[(64 << 10) + 1] = {0}; /* and not small */
    REQUIRE_OK(runcu_copy_htod(at, more, sizeof more));
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 2);
    fake.fail("cuStreamQuery", CUDA_ERROR_NOT_READY, 1); /* something runs */
    REQUIRE_OK(runcu_copy_htod(at, host, 64));
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 3);
    fake.fail("cuMemcpyHtoDAsync", CUDA_ERROR_INVALID_VALUE, 1);
    REQUIRE_OK(runcu_copy_htod(at, host, 64));
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 4);
    REQUIRE_FAILS(runcu_copy_htod(at + sizeof host, host, 64), RUNCU_ERROR_DRIVER,
                  "room for 1 bytes");
    runcu_stream_destroy(&blocking);
    runcu_stream_destroy(&other);
    REQUIRE_OK(runcu_mem_free(&pinned));
    REQUIRE_OK(runcu_mem_free(&mem));
}

static void what_gains_nothing_is_left_to_the_driver(void)
{
    runcu_mem *mem, *pinned;
    start();
    round_trip(16 * MIB - 1, 0, 1);
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 1);
    REQUIRE_INT(fake.calls("cuMemHostAlloc"), ==, 0);
    REQUIRE_OK(runcu_mem_alloc(&mem, 20 * MIB));
    REQUIRE_OK(runcu_mem_alloc_host(&pinned, 20 * MIB, 0));
    uint64_t at = runcu_mem_address(mem);
    REQUIRE_OK(runcu_copy_htod(at, runcu_mem_host_pointer(pinned), 20 * MIB));
    REQUIRE_OK(runcu_copy_dtoh(runcu_mem_host_pointer(pinned), at, 20 * MIB));
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 2);
    REQUIRE_INT(fake.calls("cuMemcpyDtoH"), ==, 2);
    setenv("RUNCU_THREADS", "1", 1);
    round_trip(20 * MIB, 0, 2);
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 3);
    REQUIRE_INT(fake.calls("cuMemHostAlloc"), ==, 1);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_OK(runcu_mem_free(&pinned));
}

static void the_cpu_device_copies_itself(void)
{
    fake = fake_open("FAKE_CPU_DRIVER");
    REQUIRE_OK(runcu_init(fake.path));
    round_trip(64 * MIB, 0, 1);
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 1);
    REQUIRE_INT(fake.calls("cuMemHostAlloc"), ==, 0);
}

static void whatever_is_missing_the_copy_happens(void)
{
    static const char *const routines[] = {"cuMemHostAlloc", "cuStreamCreate", "cuEventCreate",
                                           "cuMemGetAddressRange"};
    start();
    for (size_t i = 0; i < sizeof routines / sizeof *routines; i++)
        for (int call = 1; call <= 3; call++) {
            runcu_device *device;
            runcu_context *context;
            REQUIRE_OK(runcu_device_default(&device));
            REQUIRE_OK(runcu_context_create(&context, device, 0));
            fake.fail(routines[i], CUDA_ERROR_OUT_OF_MEMORY, call);
            round_trip(20 * MIB, 0, (unsigned) i);
            fake.fail(routines[i], 0, 0);
            REQUIRE_OK(runcu_context_pop());
            runcu_context_release(&context);
            REQUIRE_INT(fake.state->live_memory, ==, 0);
            REQUIRE_INT(fake.state->live_streams, ==, 0);
            REQUIRE_INT(fake.state->live_events, ==, 0);
        }
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), >, 3);
}

static void short_host_memory_is_no_failure(void)
{
    unsigned char *host;
    runcu_mem *mem;
    start();
    host = pattern(20 * MIB, 1);
    for (size_t n = 1; n < 6; n++) {
        runcu_device *device;
        runcu_context *context;
        REQUIRE_OK(runcu_device_default(&device));
        REQUIRE_OK(runcu_context_create(&context, device, 0));
        REQUIRE_OK(runcu_mem_alloc(&mem, 20 * MIB));
        alloc_fail_at(n);
        REQUIRE_OK(runcu_copy_htod(runcu_mem_address(mem), host, 20 * MIB));
        alloc_fail_at(0);
        REQUIRE_BYTES((const void *) (uintptr_t) runcu_mem_address(mem), host, 20 * MIB);
        REQUIRE_OK(runcu_mem_free(&mem));
        REQUIRE_OK(runcu_context_pop());
        runcu_context_release(&context);
    }
    free(host);
}

static void the_first_failure_is_told_and_nothing_hangs(void)
{
    static const struct {
        const char *routine;
        int call;
    } failures[] = {{"cuMemcpyHtoDAsync", 1},  {"cuMemcpyHtoDAsync", 7}, {"cuEventRecord", 9},
                    {"cuEventSynchronize", 5}, {"cuCtxPushCurrent", 1},  {"cuCtxPushCurrent", 3}};
    unsigned char *host;
    runcu_mem *mem;
    start();
    host = pattern(64 * MIB, 1);
    REQUIRE_OK(runcu_mem_alloc(&mem, 64 * MIB));
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        fake.fail(failures[i].routine, CUDA_ERROR_ILLEGAL_ADDRESS, failures[i].call);
        REQUIRE_FAILS(runcu_copy_htod(runcu_mem_address(mem), host, 64 * MIB), RUNCU_ERROR_DRIVER,
                      "cuMemcpyHtoD failed: an illegal memory access");
        fake.fail(failures[i].routine, 0, 0);
        REQUIRE_OK(runcu_copy_htod(runcu_mem_address(mem), host, 64 * MIB));
        REQUIRE_BYTES((const void *) (uintptr_t) runcu_mem_address(mem), host, 64 * MIB);
    }
    REQUIRE_INT(fake.calls("cuMemcpyHtoD"), ==, 0);
    REQUIRE_OK(runcu_mem_free(&mem));
    free(host);
}

static void a_context_that_was_reset_gets_new_buffers(void)
{
    start();
    round_trip(64 * MIB, 0, 1);
    int before = fake.calls("cuMemHostAlloc");
    fake.fail("cuMemHostGetFlags", CUDA_ERROR_INVALID_VALUE, 1);
    round_trip(64 * MIB, 0, 2);
    fake.fail("cuMemHostGetFlags", 0, 0);
    REQUIRE_INT(fake.calls("cuMemHostAlloc"), >=, before + 4);
}

static void a_forked_child_is_told(void)
{
    unsigned char *host;
    runcu_mem *mem;
    start();
    round_trip(64 * MIB, 0, 1);
    host = pattern(20 * MIB, 1);
    REQUIRE_OK(runcu_mem_alloc(&mem, 20 * MIB));
    int end = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        REQUIRE_FAILS(runcu_copy_htod(runcu_mem_address(mem), host, 20 * MIB), RUNCU_ERROR_FORKED,
                      "forked");
        REQUIRE_OK(runcu_mem_free(&mem));
        free(host);
        exit(0);
    }
    REQUIRE(waitpid(child, &end, 0) == child && end == 0);
    REQUIRE_OK(runcu_copy_htod(runcu_mem_address(mem), host, 20 * MIB));
    REQUIRE_OK(runcu_mem_free(&mem));
    free(host);
}

static int count_of_devices(const char *name)
{
    int count = 0, end = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(runcu_init(name) == 0 && runcu_device_count(&count, NULL) == 0 ? count : 0);
    REQUIRE(waitpid(child, &end, 0) == child);
    return WIFEXITED(end) ? WEXITSTATUS(end) : 0;
}

int main(int argc, char **argv)
{
    bool is_gpu = argc > 1 && strcmp(argv[1], "cuda") == 0;
    setenv("RUNCU_DEVICE", is_gpu ? "cuda" : getenv("FAKE_DRIVER"), 1);
    if (is_gpu && count_of_devices("cuda") == 0)
        return TEST_SKIPPED;
    if (is_gpu)
        fills = 200; /* more than a copy takes to begin */
    else
        setenv("RUNCU_THREADS", "4", 1);
    RUN_ALONE(copies_of_all_lengths_arrive);
    RUN_ALONE(small_copies_are_there_for_every_stream);
    RUN_ALONE(threads_copy_at_once);
    RUN_ALONE(copies_keep_the_default_streams_order);
    RUN_ALONE(a_copy_that_would_leave_its_allocation_writes_nothing);
    RUN_ALONE(contexts_come_and_go);
    if (is_gpu)
        return 0;
    RUN_ALONE(large_copies_are_staged_and_leave_nothing);
    RUN_ALONE(small_copies_are_posted);
    RUN_ALONE(what_gains_nothing_is_left_to_the_driver);
    RUN_ALONE(the_cpu_device_copies_itself);
    RUN_ALONE(whatever_is_missing_the_copy_happens);
    RUN_ALONE(short_host_memory_is_no_failure);
    RUN_ALONE(the_first_failure_is_told_and_nothing_hangs);
    RUN_ALONE(a_context_that_was_reset_gets_new_buffers);
    RUN_ALONE(a_forked_child_is_told);
    return 0;
}

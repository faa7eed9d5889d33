/* Pools: bins, books, memory that runs out, streams that still use what was freed, contexts that
 * die first. Over a driver that keeps books. */
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "base/alloc.h"
#include "core/core.h"
#include "fake_driver.h"

static struct fake fake;

static void start(void)
{
    fake = fake_open("FAKE_DRIVER");
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void require_clean(void)
{
    REQUIRE_INT(core_live_objects, ==, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_INT(fake.state->live_streams, ==, 0);
    REQUIRE_INT(fake.state->live_events, ==, 0);
}

/* held, active, managed, active bytes */
static void require_use(runcu_pool *pool, size_t held, size_t active, size_t managed, size_t bytes)
{
    runcu_pool_use use = {0};
    runcu_pool_get_use(&use, pool);
    REQUIRE_INT(use.held_blocks, ==, held);
    REQUIRE_INT(use.active_blocks, ==, active);
    REQUIRE_INT(use.managed_bytes, ==, managed);
    REQUIRE_INT(use.active_bytes, ==, bytes);
}

static void bins_have_an_exponent_and_four_bits(void)
{
    REQUIRE_INT(runcu_pool_bin_bytes(runcu_pool_bin(1000)), ==, 1023);
    REQUIRE_INT(runcu_pool_bin_bytes(runcu_pool_bin(4096)), ==, 4351);
    REQUIRE_INT(runcu_pool_bin_bytes(runcu_pool_bin(1 << 20)), ==, 1114111);
    REQUIRE_INT(runcu_pool_bin(0), ==, runcu_pool_bin(1));
    REQUIRE_INT(runcu_pool_bin_bytes(0), ==, 1);
    REQUIRE(runcu_pool_bin_bytes(runcu_pool_bin(SIZE_MAX)) == SIZE_MAX);
    REQUIRE_INT(runcu_pool_bin_bytes(UINT32_MAX), ==, 0);
    size_t last = 0;
    for (unsigned shift = 0; shift < 64; shift++)
        for (size_t add = 0; add < 40; add++) {
            size_t n = ((size_t) 1 << shift) + add * (((size_t) 1 << shift) / 40);
            uint32_t bin = runcu_pool_bin(n);
            size_t granted = runcu_pool_bin_bytes(bin);
            REQUIRE(granted >= n && granted - n <= n / 16);
            REQUIRE_INT(runcu_pool_bin(granted), ==, bin);
            REQUIRE(granted >= last);
            last = granted;
        }
}

static void blocks_come_back(void)
{
    runcu_pool *pool;
    runcu_mem *a, *b;
    start();
    REQUIRE_OK(runcu_pool_create(&pool));
    runcu_pool_take(&a, pool, 1000, NULL);
    REQUIRE(!a);
    REQUIRE_OK(runcu_pool_alloc(&a, pool, 1000, NULL));
    REQUIRE_INT(runcu_mem_size(a), ==, 1000);
    require_use(pool, 0, 1, 1023, 1000);
    uint64_t at = runcu_mem_address(a);
    REQUIRE_OK(runcu_mem_free(&a));
    REQUIRE(!a);
    require_use(pool, 1, 0, 1023, 0);
    REQUIRE_OK(runcu_pool_alloc(&a, pool, 1010, NULL));
    REQUIRE_INT(runcu_mem_address(a), ==, at);
    REQUIRE_INT(runcu_mem_size(a), ==, 1010);
    REQUIRE_OK(runcu_pool_alloc(&b, pool, 1023, NULL));
    REQUIRE(runcu_mem_address(b) != at);
    REQUIRE_INT(fake.calls("cuMemAlloc"), ==, 2);
    require_use(pool, 0, 2, 2046, 2033);
    REQUIRE_OK(runcu_mem_free(&b));
    runcu_pool_free_held(pool);
    require_use(pool, 0, 1, 1023, 1010);
    REQUIRE_INT(fake.state->live_memory, ==, 1);
    runcu_pool_stop_holding(pool);
    REQUIRE_OK(runcu_mem_free(&a));
    require_use(pool, 0, 0, 0, 0);
    runcu_pool_destroy(&pool);
    runcu_pool_destroy(&pool);
    require_clean();
    REQUIRE_INT(fake.calls("cuStreamQuery"), ==, 0); /* nobody made a stream */
}

static void blocks_outlive_their_pool(void)
{
    runcu_pool *pool;
    runcu_mem *a, *b;
    start();
    REQUIRE_OK(runcu_pool_create_host(&pool, 0));
    REQUIRE_OK(runcu_pool_alloc(&a, pool, 64, NULL));
    REQUIRE_OK(runcu_pool_alloc(&b, pool, 64, NULL));
    REQUIRE_OK(runcu_mem_free(&b));
    runcu_pool_destroy(&pool);
    REQUIRE_INT(fake.state->live_memory, ==, 1);
    memset(runcu_mem_host_pointer(a), 1, 64);
    REQUIRE_OK(runcu_mem_free(&a));
    require_clean();
}

static void held_blocks_go_when_memory_runs_out(void)
{
    runcu_pool *pool;
    runcu_mem *mem[3], *big;
    start();
    REQUIRE_OK(runcu_pool_create(&pool));
    for (int i = 0; i < 3; i++)
        REQUIRE_OK(runcu_pool_alloc(&mem[i], pool, (size_t) 1000 << i, NULL));
    for (int i = 0; i < 3; i++)
        REQUIRE_OK(runcu_mem_free(&mem[i]));
    fake.fail("cuMemAlloc", CUDA_ERROR_OUT_OF_MEMORY, 1);
    REQUIRE_FAILS(runcu_pool_alloc(&big, pool, 100000, NULL), RUNCU_ERROR_DRIVER,
                  "memory_pool::allocate failed: out of memory - failed to free memory for "
                  "allocation");
    REQUIRE(!big);
    runcu_error e;
    runcu_error_get(&e);
    REQUIRE_INT(e.code, ==, CUDA_ERROR_OUT_OF_MEMORY);
    require_use(pool, 0, 0, 0, 0);
    REQUIRE_INT(fake.calls("cuMemFree"), ==, 3);
    fake.fail("cuMemAlloc", 0, 0);
    REQUIRE_FAILS(runcu_pool_alloc(&big, pool, (size_t) 5 << 30, NULL), RUNCU_ERROR_DRIVER,
                  "out of memory");
    require_use(pool, 0, 0, 0, 0);
    REQUIRE_OK(runcu_pool_alloc(&mem[0], pool, 1000, NULL));
    REQUIRE_OK(runcu_mem_free(&mem[0]));
    runcu_pool_destroy(&pool);
    require_clean();
}

static void a_busy_stream_keeps_its_blocks(void)
{
    runcu_pool *pool;
    runcu_mem *a, *b, *c;
    runcu_stream *stream;
    start();
    REQUIRE_OK(runcu_pool_create(&pool));
    REQUIRE_OK(runcu_stream_create(&stream, 1, 0));
    REQUIRE_OK(runcu_pool_alloc(&a, pool, 64, NULL));
    uint64_t at = runcu_mem_address(a);
    fake.fail("cuStreamQuery", CUDA_ERROR_NOT_READY, 2); /* the default stream is idle */
    fake.fail("cuEventQuery", CUDA_ERROR_NOT_READY, 1);
    REQUIRE_OK(runcu_mem_free(&a));
    REQUIRE_INT(fake.state->live_events, ==, 1);
    runcu_pool_take(&b, pool, 64, NULL);
    REQUIRE(!b);
    REQUIRE_OK(runcu_pool_alloc(&b, pool, 64, NULL));
    REQUIRE(runcu_mem_address(b) != at);
    runcu_pool_take(&c, pool, 64, stream); /* the stream itself goes on after its own work */
    REQUIRE(c && runcu_mem_address(c) == at);
    REQUIRE_INT(fake.state->live_events, ==, 0);
    REQUIRE_OK(runcu_mem_free(&c));
    fake.fail("cuEventQuery", 0, 0); /* it got there */
    REQUIRE_OK(runcu_pool_alloc(&c, pool, 64, NULL));
    REQUIRE_INT(runcu_mem_address(c), ==, at);
    REQUIRE_OK(runcu_mem_free(&b));
    REQUIRE_OK(runcu_mem_free(&c));
    fake.fail("cuStreamQuery", 0, 0);
    runcu_stream_destroy(&stream);
    runcu_pool_destroy(&pool);
    require_clean();
}

static void memory_does_not_grow_with_the_queue(void)
{
    runcu_pool *pool;
    runcu_mem *mem;
    runcu_stream *stream;
    start();
    REQUIRE_OK(runcu_pool_create(&pool));
    REQUIRE_OK(runcu_stream_create(&stream, 1, 0));
    fake.fail("cuStreamQuery", CUDA_ERROR_NOT_READY, 1);
    fake.fail("cuEventQuery", CUDA_ERROR_NOT_READY, 1);
    for (int i = 0; i < 50; i++) {
        REQUIRE_OK(runcu_pool_alloc(&mem, pool, 64, NULL));
        REQUIRE_OK(runcu_mem_free(&mem));
    }
    REQUIRE_INT(fake.state->live_memory, ==, 4);
    REQUIRE_INT(fake.calls("cuEventSynchronize"), >=, 46);
    fake.fail("cuEventSynchronize", CUDA_ERROR_ILLEGAL_ADDRESS, 1);
    REQUIRE_FAILS(runcu_pool_alloc(&mem, pool, 64, NULL), RUNCU_ERROR_DRIVER, "illegal");
    REQUIRE(!mem);
    require_use(pool, 4, 0, 4 * 67, 0);
    fake.fail("cuStreamQuery", 0, 0);
    runcu_pool_destroy(&pool);
    runcu_stream_destroy(&stream);
    require_clean();
}

static void what_cannot_be_noted_is_freed(void)
{
    runcu_pool *pool;
    runcu_mem *mem;
    runcu_stream *stream;
    start();
    REQUIRE_OK(runcu_pool_create(&pool));
    REQUIRE_OK(runcu_stream_create(&stream, 1, 0));
    fake.fail("cuStreamQuery", CUDA_ERROR_NOT_READY, 1);
    for (int i = 0; i < 3; i++) {
        REQUIRE_OK(runcu_pool_alloc(&mem, pool, 64, NULL));
        if (i == 0)
            fake.fail("cuEventCreate", CUDA_ERROR_OUT_OF_MEMORY, 2);
        else if (i == 1)
            fake.fail("cuEventRecord", CUDA_ERROR_OUT_OF_MEMORY, 1);
        else
            alloc_fail_at(1);
        REQUIRE_OK(runcu_mem_free(&mem));
        alloc_fail_at(0);
        fake.fail("cuEventCreate", 0, 0);
        fake.fail("cuEventRecord", 0, 0);
        require_use(pool, 0, 0, 0, 0);
        REQUIRE_INT(fake.state->live_memory, ==, 0);
        REQUIRE_INT(fake.state->live_events, ==, 0);
    }
    runcu_pool_destroy(&pool);
    runcu_stream_destroy(&stream); /* busy: the default stream waits for it */
    REQUIRE_INT(fake.calls("cuStreamWaitEvent"), ==, 1);
    require_clean();
}

static void the_context_may_die_first(void)
{
    runcu_device *device;
    runcu_context *context;
    runcu_pool *pool;
    runcu_mem *a, *b;
    start();
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_pool_create(&pool)); /* before any context */
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_OK(runcu_pool_alloc(&a, pool, 64, NULL));
    REQUIRE_OK(runcu_pool_alloc(&b, pool, 64, NULL));
    REQUIRE_OK(runcu_mem_free(&b));
    REQUIRE_OK(runcu_context_detach(context));
    runcu_context_release(&context);
    runcu_pool_take(&b, pool, 64, NULL);
    REQUIRE(!b);
    REQUIRE_OK(runcu_pool_alloc(&b, pool, 64, NULL)); /* of the default context */
    require_use(pool, 0, 2, 134, 128);
    REQUIRE_OK(runcu_mem_free(&a));
    require_use(pool, 0, 1, 67, 64);
    REQUIRE_OK(runcu_mem_free(&b));
    require_use(pool, 1, 0, 67, 0);
    runcu_pool_destroy(&pool);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static runcu_pool *shared;

static void *churn(void *unused)
{
    (void) unused;
    for (int i = 0; i < 500; i++) {
        runcu_mem *mem[3];
        for (int k = 0; k < 3; k++) {
            REQUIRE_OK(runcu_pool_alloc(&mem[k], shared, (size_t) (64 + 8 * k), NULL));
            memset((void *) (uintptr_t) runcu_mem_address(mem[k]), i, 64);
        }
        for (int k = 0; k < 3; k++)
            REQUIRE_OK(runcu_mem_free(&mem[k]));
        if (i % 100 == 0)
            runcu_pool_free_held(shared);
    }
    return NULL;
}

static void threads_share_a_pool(void)
{
    pthread_t threads[4];
    runcu_context *context;
    start();
    REQUIRE_OK(runcu_context_current(&context));
    REQUIRE_OK(runcu_pool_create(&shared));
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, churn, NULL), ==, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    runcu_pool_use use = {0};
    runcu_pool_get_use(&use, shared);
    REQUIRE_INT(use.active_blocks, ==, 0);
    REQUIRE_INT(use.active_bytes, ==, 0);
    REQUIRE_INT(use.held_blocks, <=, 12);
    REQUIRE_INT(use.held_blocks, ==, fake.state->live_memory);
    runcu_pool_destroy(&shared);
    require_clean();
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    RUN_ALONE(bins_have_an_exponent_and_four_bits);
    RUN_ALONE(blocks_come_back);
    RUN_ALONE(blocks_outlive_their_pool);
    RUN_ALONE(held_blocks_go_when_memory_runs_out);
    RUN_ALONE(a_busy_stream_keeps_its_blocks);
    RUN_ALONE(memory_does_not_grow_with_the_queue);
    RUN_ALONE(what_cannot_be_noted_is_freed);
    RUN_ALONE(the_context_may_die_first);
    RUN_ALONE(threads_share_a_pool);
    return 0;
}

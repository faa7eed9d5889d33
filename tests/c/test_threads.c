/* Everything at once from sixteen threads, on the CPU device or, as "cuda", on a GPU; meant to be
 * run under ThreadSanitizer. */
#include <pthread.h>
#include <stdatomic.h>

#include "core/core.h"
#include "test.h"

enum { THREADS = 16, ROUNDS = 40, N = 256 };

static const char ptx[] =
    ".version 7.0\n.target sm_52\n.address_size 64\n"
    ".visible .entry add(.param .u64 add_0, .param .u32 add_1)\n{\n"
    " .reg .b32 %r<4>;\n .reg .b64 %rd<4>;\n"
    " ld.param.u64 %rd1, [add_0];\n ld.param.u32 %r1, [add_1];\n"
    " mov.u32 %r2, %tid.x;\n mul.wide.u32 %rd2, %r2, 4;\n add.s64 %rd3, %rd1, %rd2;\n"
    " ld.global.u32 %r3, [%rd3];\n add.s32 %r3, %r3, %r1;\n st.global.u32 [%rd3], %r3;\n"
    " ret;\n}\n";

static runcu_device *device;
static runcu_context *shared_context;
static runcu_pool *shared_pool;
static runcu_module *shared_module;
static runcu_function *shared_function;
static runcu_stream *shared_stream;

static runcu_launch_params shape(runcu_stream *stream)
{
    return (runcu_launch_params){.size = sizeof(runcu_launch_params),
                                 .grid = {1, 1, 1},
                                 .block = {N, 1, 1},
                                 .stream = stream};
}

static void check(uint64_t at, unsigned expected)
{
    unsigned host[N];
    REQUIRE_OK(runcu_copy_dtoh(host, at, sizeof host));
    for (int i = 0; i < N; i++)
        REQUIRE_INT(host[i], ==, expected);
}

static void launch(runcu_function *function, runcu_stream *stream, runcu_mem *mem, unsigned what)
{
    REQUIRE_OK(runcu_launch(function, shape(stream), mem, what));
}

static void fill(runcu_mem *mem, unsigned what, runcu_stream *stream)
{
    runcu_fill fill = {.size = sizeof(runcu_fill),
                       .to = runcu_mem_address(mem),
                       .value = what,
                       .width = 4,
                       .count = N};
    REQUIRE_OK(runcu_mem_fill_async(&fill, stream));
}

/* Objects of the thread's own, in whatever context is current. */
static void own(unsigned seed)
{
    runcu_mem *mem, *block;
    runcu_stream *stream;
    runcu_event *before, *after;
    float elapsed;
    REQUIRE_OK(runcu_mem_alloc(&mem, 4 * N));
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    REQUIRE_OK(runcu_event_create(&before, 0));
    REQUIRE_OK(runcu_event_create(&after, 0));
    fill(mem, seed, stream);
    REQUIRE_OK(runcu_event_record(before, stream));
    runcu_module *module;
    runcu_function *function;
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&function, module, "add"));
    launch(function, stream, mem, 3);
    REQUIRE_OK(runcu_event_record(after, stream));
    REQUIRE_OK(runcu_event_synchronize(after));
    REQUIRE_OK(runcu_event_elapsed(&elapsed, before, after));
    check(runcu_mem_address(mem), seed + 3);
    REQUIRE_OK(runcu_pool_alloc(&block, shared_pool, 4 * N, stream));
    if (runcu_mem_context(block) == shared_context)
        REQUIRE_OK(runcu_copy_dtod(runcu_mem_address(block), runcu_mem_address(mem), 4 * N));
    REQUIRE_OK(runcu_stream_synchronize(stream));
    REQUIRE_OK(runcu_mem_free(&block));
    runcu_function_release(&function);
    runcu_module_release(&module);
    runcu_event_destroy(&before);
    runcu_event_destroy(&after);
    runcu_stream_destroy(&stream);
    REQUIRE_OK(runcu_mem_free(&mem));
}

/* Objects that all threads use. */
static void shared(unsigned seed)
{
    runcu_mem *mem;
    int is_done;
    REQUIRE_OK(runcu_mem_alloc(&mem, 4 * N));
    fill(mem, seed, shared_stream);
    launch(shared_function, shared_stream, mem, 5);
    REQUIRE_OK(runcu_stream_is_done(&is_done, shared_stream));
    REQUIRE_OK(runcu_stream_synchronize(shared_stream));
    check(runcu_mem_address(mem), seed + 5);
    REQUIRE_OK(runcu_mem_free(&mem));
}

static void in_a_context_of_ones_own(unsigned seed)
{
    runcu_context *context, *now, *beneath;
    size_t limit;
    REQUIRE_OK(runcu_context_current(&beneath));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    own(seed);
    REQUIRE_OK(runcu_context_get_limit(&limit, 0));
    REQUIRE_OK(runcu_context_push(shared_context));
    shared(seed);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_peek(&now));
    REQUIRE(now == context);
    if (seed % 2) {
        REQUIRE_OK(runcu_context_detach(context));
    } else {
        REQUIRE_OK(runcu_context_pop());
    }
    runcu_context_release(&context);
    REQUIRE_OK(runcu_context_peek(&now));
    REQUIRE(now == beneath);
}

static void fail(void)
{
    runcu_mem *mem;
    REQUIRE_FAILS(runcu_mem_alloc(&mem, (size_t) 1 << 60), RUNCU_ERROR_DRIVER, "out of memory");
    REQUIRE_FAILS(runcu_context_set_limit(4711, 1), RUNCU_ERROR_DRIVER, "cuCtxSetLimit failed");
}

static void *work(void *arg)
{
    unsigned index = *(unsigned *) arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned seed = 100 * index + i;
        if ((index + i) % 4 == 3)
            in_a_context_of_ones_own(seed);
        own(seed);
        shared(seed);
        fail();
        if (i % 5 == 4)
            REQUIRE_OK(runcu_context_synchronize(NULL));
    }
    return NULL;
}

static void *free_elsewhere(void *arg)
{
    runcu_mem **list = arg;
    for (int i = 0; i < N; i++)
        REQUIRE_OK(runcu_mem_free(&list[i]));
    return NULL;
}

static int never(void *user)
{
    return *(const int *) user;
}

int main(int argc, char **argv)
{
    static const int no = 0;
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    runcu_mem *list[N];
    int count = 0;
    const char *which = argc > 1 ? argv[1] : "cpu";
    if (runcu_device_count(&count, which) != 0 || !count)
        return TEST_SKIPPED;
    REQUIRE_OK(runcu_init(which));
    REQUIRE_OK(runcu_set_interrupt(never, (void *) (uintptr_t) &no));
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_context_primary(&shared_context, device));
    REQUIRE_OK(runcu_pool_create(&shared_pool));
    REQUIRE_OK(runcu_module_load(&shared_module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&shared_function, shared_module, "add"));
    REQUIRE_OK(runcu_stream_create(&shared_stream, 1, 0));
    for (int i = 0; i < N; i++)
        REQUIRE_OK(runcu_mem_alloc(&list[i], 64));
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        REQUIRE_INT(pthread_create(&threads[i], NULL, work, &numbers[i]), ==, 0);
    }
    pthread_t freer;
    REQUIRE_INT(pthread_create(&freer, NULL, free_elsewhere, list), ==, 0);
    for (unsigned i = 0; i < THREADS; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), ==, 0);
    REQUIRE_INT(pthread_join(freer, NULL), ==, 0);
    REQUIRE_OK(runcu_synchronize_all());
    runcu_stream_destroy(&shared_stream);
    runcu_function_release(&shared_function);
    runcu_module_release(&shared_module);
    runcu_pool_destroy(&shared_pool);
    runcu_context_release(&shared_context);
    REQUIRE_OK(runcu_set_interrupt(NULL, NULL));
    REQUIRE_INT(core_live_objects, ==, 0);
    return 0;
}

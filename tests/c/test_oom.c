/* Fails the first, second, third … allocation of a scenario that uses most of core, until it
 * passes: each failure is reported as such, nothing crashes and nothing is left behind. */
#include "runcu/runcu.h"
#include "test.h"

#include "base/alloc.h"
#include "core/core.h"
#include "fake_driver.h"

static const char ptx[] =
    ".version 8.0\n.target sm_75\n.address_size 64\n.global .align 4 .u32 counter;\n"
    ".visible .entry _Z3addPfS_i(.param .u64 a, .param .u64 b, .param .u32 c) { ret; }\n"
    ".visible .entry _Z3addPdS_i(.param .u64 a, .param .u64 b, .param .u32 c) { ret; }\n"
    ".visible .entry huge(.param .align 4 .b8 a[8192]) { ret; }\n";

struct things {
    runcu_context *context;
    runcu_mem *mem, *pinned, *pooled;
    runcu_pool *pool;
    runcu_stream *stream;
    runcu_event *event;
    runcu_module *module;
    runcu_function *add, *huge, *unknown;
};

static char big[8192];

static int refused(int status, int expected)
{
    return status == expected ? 0 : status ? status : RUNCU_ERROR_ARGUMENT;
}

/* Everything once; the first failure ends it. */
static int use(struct things *t)
{
    runcu_device *device;
    float x[4] = {0};
    uint64_t address;
    size_t bytes;
    return runcu_device_default(&device) || runcu_context_create(&t->context, device, 0) ||
           runcu_mem_alloc(&t->mem, 64) || runcu_mem_alloc_host(&t->pinned, 64, 0) ||
           runcu_pool_create(&t->pool) || runcu_pool_alloc(&t->pooled, t->pool, 64, NULL) ||
           runcu_stream_create(&t->stream, 0, 0) || runcu_event_create(&t->event, 0) ||
           runcu_event_record(t->event, t->stream) ||
           runcu_copy_htod(runcu_mem_address(t->mem), x, sizeof x) ||
           runcu_module_load(&t->module, ptx, sizeof ptx - 1) ||
           runcu_module_get_global(&address, &bytes, t->module, "counter") ||
           runcu_module_get_function(&t->add, t->module, "add(float *, float *, int)") ||
           refused(runcu_module_get_function(&t->unknown, t->module, "add"), RUNCU_ERROR_NAME) ||
           refused(runcu_module_get_function(&t->unknown, t->module, "ad"), RUNCU_ERROR_NAME) ||
           runcu_module_get_function(&t->huge, t->module, "huge") ||
           runcu_launch(t->add, RUNCU_THREADS(4), t->mem, t->mem, 4) ||
           refused(runcu_launch(t->add, RUNCU_THREADS(4), 1, 2), RUNCU_ERROR_LAUNCH_ARGUMENT) ||
           refused(runcu_launch(t->add, RUNCU_THREADS(4), t->mem, 2.5, 4),
                   RUNCU_ERROR_LAUNCH_ARGUMENT) ||
           runcu_launch(t->add, RUNCU_THREADS(4), runcu_in(x, sizeof x), runcu_inout(x, sizeof x),
                        4) ||
           runcu_launch(t->huge, RUNCU_THREADS(1), runcu_struct(big, sizeof big)) ||
           runcu_context_synchronize(NULL);
}

static void drop(struct things *t)
{
    runcu_function_release(&t->add);
    runcu_function_release(&t->huge);
    REQUIRE(!t->unknown);
    runcu_module_release(&t->module);
    runcu_event_destroy(&t->event);
    runcu_stream_destroy(&t->stream);
    REQUIRE_OK(runcu_mem_free(&t->mem));
    REQUIRE_OK(runcu_mem_free(&t->pinned));
    REQUIRE_OK(runcu_mem_free(&t->pooled));
    runcu_pool_destroy(&t->pool);
    if (t->context)
        REQUIRE_OK(runcu_context_pop());
    runcu_context_release(&t->context);
}

static void every_allocation_may_fail(void)
{
    struct fake fake = fake_open("FAKE_DRIVER");
    size_t n = 1;
    int status;
    do {
        struct things t = {0};
        alloc_fail_at(n);
        status = use(&t);
        REQUIRE(!status || runcu_error_text()[0]);
        drop(&t); /* memory still fails: letting go must not need any */
        alloc_fail_at(0);
        REQUIRE_INT(core_live_objects, ==, 0);
        REQUIRE_INT(fake.state->live_memory, ==, 0);
        REQUIRE_INT(fake.state->live_modules, ==, 0);
        REQUIRE_INT(fake.state->live_streams, ==, 0);
        REQUIRE_INT(fake.state->live_events, ==, 0);
        REQUIRE_INT(++n, <, 1000);
    } while (status);
    printf("%zu allocations\n", n - 2);
    REQUIRE_INT(n, >, 30);
}

static void a_short_memory_has_a_text_of_its_own(void)
{
    runcu_mem *mem;
    REQUIRE_OK(runcu_init(NULL));
    alloc_fail_at(1);
    REQUIRE_INT(runcu_mem_alloc(&mem, 4), ==, RUNCU_ERROR_MEMORY);
    REQUIRE_STR(runcu_error_text(), "host memory is short");
    REQUIRE_INT(runcu_init("banana"), ==, RUNCU_ERROR_ARGUMENT);
    REQUIRE_STR(runcu_error_text(), "an argument is wrong");
    alloc_fail_at(0);
    REQUIRE(!mem);
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    RUN_ALONE(every_allocation_may_fail);
    RUN_ALONE(a_short_memory_has_a_text_of_its_own);
    return 0;
}

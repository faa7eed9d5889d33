/* Memory and streams of other libraries on the CPU device, and on a GPU where there is one (given
 * as an argument): whose an address is, and order between streams. */
#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"

static runcu_device *device;

static runcu_address_info look_up(uint64_t address)
{
    runcu_address_info info = {.size = sizeof info};
    REQUIRE_OK(runcu_address_find(&info, address));
    return info;
}

static void every_kind_of_memory_is_found(void)
{
    runcu_mem *mem, *locked;
    int on_stack = 0;
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    REQUIRE_OK(runcu_mem_alloc_host(&locked, 64, 0));
    runcu_address_info info = look_up(runcu_mem_address(mem) + 8);
    REQUIRE_INT(info.kind, ==, RUNCU_ADDRESS_DEVICE);
    REQUIRE(info.device == device);
    REQUIRE_INT(info.address, ==, runcu_mem_address(mem) + 8);
    info = look_up((uintptr_t) runcu_mem_host_pointer(locked) + 8);
    REQUIRE_INT(info.kind, ==, RUNCU_ADDRESS_HOST);
    REQUIRE(info.device == device);
    REQUIRE_INT(info.address, ==, runcu_mem_address(locked) + 8);
    info = look_up((uintptr_t) &on_stack);
    REQUIRE_INT(info.kind, ==, RUNCU_ADDRESS_UNKNOWN);
    REQUIRE(!info.device);
    REQUIRE_INT(look_up(0).kind, ==, RUNCU_ADDRESS_UNKNOWN);
    uint64_t address = runcu_mem_address(mem);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(look_up(address).kind, ==, RUNCU_ADDRESS_UNKNOWN);
    REQUIRE_OK(runcu_mem_free(&locked));
    REQUIRE_FAILS(runcu_address_find(NULL, 1), RUNCU_ERROR_ARGUMENT, "out is NULL");
    info.size = 1;
    REQUIRE_FAILS(runcu_address_find(&info, 1), RUNCU_ERROR_ARGUMENT, "sizeof");
}

/* Counts up in the streams' order; spoils itself where it is called out of order. */
struct steps {
    _Atomic int done;
    int slow;
};

static void slow_step(void *user)
{
    struct steps *s = user;
    for (volatile int i = 0; i < s->slow; i++)
        ;
    s->done = s->done == 0 ? 1 : -1;
}

static void next_step(void *user)
{
    struct steps *s = user;
    s->done = s->done == 1 ? 2 : -1;
}

static void one_stream_follows_another(void)
{
    for (int round = 0; round < 20; round++) {
        struct steps s = {0, 300000};
        runcu_stream *first, *second;
        REQUIRE_OK(runcu_stream_create(&first, CU_STREAM_NON_BLOCKING, 0));
        REQUIRE_OK(runcu_stream_create(&second, CU_STREAM_NON_BLOCKING, 0));
        REQUIRE_OK(runcu_stream_host_call(first, slow_step, &s));
        REQUIRE_OK(runcu_stream_follow(second, runcu_stream_handle(first)));
        REQUIRE_OK(runcu_stream_host_call(second, next_step, &s));
        REQUIRE_OK(runcu_stream_synchronize(second));
        REQUIRE_INT(s.done, ==, 2);
        s = (struct steps){0, 300000};
        REQUIRE_OK(runcu_stream_host_call(NULL, slow_step, &s)); /* the legacy default stream */
        REQUIRE_OK(runcu_stream_follow(second, round % 2));
        REQUIRE_OK(runcu_stream_host_call(second, next_step, &s));
        REQUIRE_OK(runcu_stream_synchronize(second));
        REQUIRE_INT(s.done, ==, 2);
        REQUIRE_OK(runcu_stream_follow(NULL, runcu_stream_handle(second)));
        REQUIRE_OK(runcu_stream_follow(NULL, 0)); /* itself */
        REQUIRE_OK(runcu_stream_synchronize(NULL));
        runcu_stream_destroy(&first);
        runcu_stream_destroy(&second);
    }
}

static void streams_of_two_contexts(void)
{
    struct steps s = {0, 300000};
    runcu_context *other;
    runcu_stream *here, *there;
    REQUIRE_OK(runcu_stream_create(&here, CU_STREAM_NON_BLOCKING, 0));
    REQUIRE_OK(runcu_context_create(&other, device, 0));
    REQUIRE_OK(runcu_stream_create(&there, CU_STREAM_NON_BLOCKING, 0));
    REQUIRE_OK(runcu_stream_host_call(there, slow_step, &s));
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_stream_follow(here, runcu_stream_handle(there)));
    REQUIRE_OK(runcu_stream_host_call(here, next_step, &s));
    REQUIRE_OK(runcu_stream_synchronize(here));
    REQUIRE_INT(s.done, ==, 2);
    runcu_stream_destroy(&here);
    runcu_stream_destroy(&there);
    runcu_context_release(&other);
}

static void memory_is_waited_for(void)
{
    struct steps s = {0, 3000000};
    runcu_stream *stream;
    runcu_mem *mem;
    int local;
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    REQUIRE_OK(runcu_stream_create(&stream, CU_STREAM_NON_BLOCKING, 0));
    REQUIRE_OK(runcu_stream_host_call(stream, slow_step, &s));
    REQUIRE_OK(runcu_address_synchronize(runcu_mem_address(mem)));
    REQUIRE_INT(s.done, ==, 1);
    REQUIRE_OK(runcu_address_synchronize((uintptr_t) &local));
    REQUIRE_OK(runcu_address_synchronize(0));
    runcu_stream_destroy(&stream);
    REQUIRE_OK(runcu_mem_free(&mem));
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "cpu";
    if (runcu_init(name) != 0 || runcu_device_open(&device, name, 0) != 0)
        return argc > 1 ? 77 : 1; /* skipped */
    every_kind_of_memory_is_found();
    one_stream_follows_another();
    streams_of_two_contexts();
    memory_is_waited_for();
    REQUIRE_INT(core_live_objects, ==, 0);
    return 0;
}

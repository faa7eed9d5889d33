/* Devices, contexts, memory, copies, streams, events, modules, over a driver that keeps books. */
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"
#include "fake_driver.h"

static struct fake fake;

static void start(void)
{
    fake = fake_open("FAKE_DRIVER");
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_INT(core_live_objects, ==, 0);
}

/* Everything that was made is gone, here and in the driver (primary contexts stay). */
static void require_clean(void)
{
    REQUIRE_INT(core_live_objects, ==, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_INT(fake.state->live_modules, ==, 0);
    REQUIRE_INT(fake.state->live_streams, ==, 0);
    REQUIRE_INT(fake.state->live_events, ==, 0);
}

static const char ptx[] = ".version 8.0\n.target sm_75\n.address_size 64\n"
                          ".visible .global .align 4 .b8 table[12];\n"
                          ".visible .entry k(.param .u32 k_0)\n{\n ret;\n}\n";

static void devices_are_found(void)
{
    runcu_device *a, *b;
    int n = 0;
    start();
    REQUIRE_OK(runcu_device_count(&n, NULL));
    REQUIRE_INT(n, ==, 2);
    REQUIRE_OK(runcu_device_open(&a, NULL, 1));
    REQUIRE_OK(runcu_device_open(&b, fake.path, 1));
    REQUIRE(a == b);
    REQUIRE_STR(runcu_device_name(a), "Fake 1");
    REQUIRE_STR(runcu_device_driver(a), fake.path);
    REQUIRE_OK(runcu_device_open_pci(&b, NULL, runcu_device_pci_bus_id(a)));
    REQUIRE(a == b);
    REQUIRE_FAILS(runcu_device_open_pci(&b, NULL, "0000:ff:00.0"), RUNCU_ERROR_NO_DEVICE,
                  "invalid device ordinal");
    REQUIRE(!b);
    REQUIRE_INT(runcu_device_is_cpu(a), ==, 0);
    REQUIRE_FAILS(runcu_device_open(&a, NULL, 2), RUNCU_ERROR_NO_DEVICE, "Device 2 of the driver");
    REQUIRE_FAILS(runcu_device_open(&a, NULL, -1), RUNCU_ERROR_NO_DEVICE, "has 2");
    REQUIRE(!a);
    REQUIRE_OK(runcu_device_open(&a, NULL, 0));
    REQUIRE_OK(runcu_device_arch(&n, a));
    REQUIRE_INT(n, ==, 90);
    REQUIRE_FAILS(runcu_device_attribute(&n, a, 100000), RUNCU_ERROR_DRIVER,
                  "cuDeviceGetAttribute failed");
    REQUIRE_OK(runcu_driver_version(&n, a));
    REQUIRE_INT(n, ==, 13000);
    int id = 0;
    REQUIRE_STR(runcu_device_attribute_name(0, &id), "MAX_THREADS_PER_BLOCK");
    REQUIRE_INT(id, ==, 1);
    REQUIRE(!runcu_device_attribute_name(100000, NULL));
    REQUIRE(!runcu_device_attribute_name(-1, NULL));
}

static void the_environment_chooses_the_device(void)
{
    runcu_device *device;
    char home[] = "/tmp/runcu-test-XXXXXX", path[64];
    start();
    setenv("CUDA_DEVICE", "1", 1);
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_INT(runcu_device_ordinal(device), ==, 1);
    setenv("CUDA_DEVICE", "7", 1);
    REQUIRE_FAILS(runcu_device_default(&device), RUNCU_ERROR_NO_DEVICE, "CUDA_DEVICE chose it");
    setenv("CUDA_DEVICE", "one", 1);
    REQUIRE_FAILS(runcu_device_default(&device), RUNCU_ERROR_ARGUMENT, "CUDA_DEVICE says \"one\"");
    unsetenv("CUDA_DEVICE");
    REQUIRE(mkdtemp(home));
    setenv("HOME", home, 1);
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_INT(runcu_device_ordinal(device), ==, 0);
    snprintf(path, sizeof path, "%s/.cuda_device", home);
    FILE *file = fopen(path, "w");
    REQUIRE(file && fputs("1\n", file) >= 0 && fclose(file) == 0);
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_INT(runcu_device_ordinal(device), ==, 1);
    remove(path);
    rmdir(home);
}

static void the_primary_context_comes_by_itself(void)
{
    runcu_context *context, *again;
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_context_peek(&context));
    REQUIRE(!context);
    REQUIRE_INT(fake.state->live_contexts, ==, 0);
    REQUIRE_OK(runcu_mem_alloc(&mem, 100));
    REQUIRE_OK(runcu_context_peek(&context));
    REQUIRE(context && context == runcu_mem_context(mem));
    REQUIRE_OK(runcu_context_primary(&again, runcu_context_device(context)));
    REQUIRE(again == context);
    runcu_context_release(&again);
    REQUIRE(!again);
    REQUIRE_INT(fake.state->live_contexts, ==, 1);
    REQUIRE_INT(fake.calls("cuDevicePrimaryCtxRetain"), ==, 1);
    REQUIRE_OK(runcu_mem_free(&mem));
    require_clean();
}

static void *use_in_thread(void *unused)
{
    runcu_context *context;
    runcu_mem *mem;
    (void) unused;
    REQUIRE_OK(runcu_context_peek(&context));
    REQUIRE(!context); /* current contexts are per thread */
    REQUIRE_OK(runcu_mem_alloc(&mem, 4));
    return mem;
}

static void memory_is_freed_from_any_thread_and_context(void)
{
    pthread_t thread;
    runcu_context *other;
    runcu_device *device;
    void *result;
    start();
    REQUIRE_INT(pthread_create(&thread, NULL, use_in_thread, NULL), ==, 0);
    REQUIRE_INT(pthread_join(thread, &result), ==, 0);
    runcu_mem *mem = result;
    REQUIRE_OK(runcu_device_open(&device, NULL, 1));
    REQUIRE_OK(runcu_context_create(&other, device, 0));
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE(!mem);
    runcu_context *now;
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE(now == other); /* as it was before */
    REQUIRE_OK(runcu_context_pop());
    runcu_context_release(&other);
    require_clean();
}

static void objects_outlive_a_detached_context_quietly(void)
{
    runcu_context *context;
    runcu_device *device;
    runcu_mem *mem, *late;
    runcu_stream *stream;
    runcu_event *event;
    runcu_module *module;
    runcu_function *function, *another;
    start();
    REQUIRE_OK(runcu_device_open(&device, NULL, 0));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_OK(runcu_mem_alloc(&mem, 8));
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    REQUIRE_OK(runcu_event_create(&event, 0));
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
    REQUIRE_INT(runcu_context_is_alive(context), ==, 1);
    REQUIRE_OK(runcu_context_detach(context));
    REQUIRE_INT(runcu_context_is_alive(context), ==, 0);
    REQUIRE_FAILS(runcu_context_detach(context), RUNCU_ERROR_FREED, "detached before");
    REQUIRE_FAILS(runcu_context_push(context), RUNCU_ERROR_FREED, "detached");
    REQUIRE_FAILS(runcu_launch(function, RUNCU_THREADS(1), 1), RUNCU_ERROR_FREED, "detached");
    REQUIRE_FAILS(runcu_stream_synchronize(stream), RUNCU_ERROR_FREED, "detached");
    REQUIRE_FAILS(runcu_event_record(event, NULL), RUNCU_ERROR_FREED, "detached");
    REQUIRE_FAILS(runcu_module_get_function(&another, module, "k"), RUNCU_ERROR_FREED, "detached");
    REQUIRE(!another);
    runcu_context_release(&context);
    REQUIRE_OK(runcu_mem_alloc(&late, 8)); /* the thread has the primary context now */
    int frees = fake.calls("cuMemFree"), unloads = fake.calls("cuModuleUnload");
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_stream_destroy(&stream);
    runcu_event_destroy(&event);
    runcu_function_release(&function);
    runcu_module_release(&module);
    REQUIRE_INT(fake.calls("cuMemFree"), ==, frees);
    REQUIRE_INT(fake.calls("cuModuleUnload"), ==, unloads);
    REQUIRE_OK(runcu_mem_free(&late));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void a_context_lives_as_long_as_its_objects(void)
{
    runcu_context *context;
    runcu_device *device;
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_device_open(&device, NULL, 0));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_OK(runcu_mem_alloc(&mem, 8));
    REQUIRE_OK(runcu_context_pop());
    runcu_context_release(&context);
    REQUIRE_INT(fake.state->live_contexts, ==, 1);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(fake.state->live_contexts, ==, 0);
    require_clean();
    runcu_context_release(&context); /* NULL */
}

static void handles_are_wrapped(void)
{
    runcu_context *made, *same, *other;
    runcu_device *device, *found;
    unsigned char id[16] = {0};
    start();
    REQUIRE_OK(runcu_device_open(&device, NULL, 1));
    REQUIRE_OK(runcu_device_wrap(&found, runcu_device_handle(device)));
    REQUIRE(found == device);
    REQUIRE_OK(runcu_device_uuid(id, device));
    REQUIRE_FAILS(runcu_device_wrap(&found, 7), RUNCU_ERROR_NO_DEVICE, "Device 7 of the driver");
    REQUIRE(!found);
    REQUIRE_OK(runcu_context_create(&made, device, 0));
    REQUIRE_OK(runcu_context_create(&other, device, 0));
    REQUIRE_OK(runcu_context_wrap(&same, runcu_context_handle(made)));
    REQUIRE(same == made);
    runcu_context *now;
    REQUIRE_OK(runcu_context_peek(&now));
    REQUIRE(now == other);
    REQUIRE_FAILS(runcu_context_wrap(&now, 0), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE(!now);
    runcu_context_release(&same);
    runcu_context_release(&other);
    runcu_context_release(&made);
    require_clean();
}

static void peers_are_contexts_of_the_same_driver(void)
{
    runcu_context *a, *b;
    runcu_device *first, *second;
    int config = -1;
    start();
    REQUIRE_OK(runcu_device_open(&first, NULL, 0));
    REQUIRE_OK(runcu_device_open(&second, NULL, 1));
    REQUIRE_OK(runcu_context_create(&a, first, 0));
    REQUIRE_OK(runcu_context_create(&b, second, 0));
    REQUIRE_OK(runcu_context_enable_peer(a, 0));
    REQUIRE_INT(fake.calls("cuCtxEnablePeerAccess"), ==, 1);
    REQUIRE_OK(runcu_context_disable_peer(a));
    fake.fail("cuCtxEnablePeerAccess", CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, 1);
    REQUIRE_FAILS(runcu_context_enable_peer(a, 0), RUNCU_ERROR_DRIVER,
                  "peer access is not supported between these two devices");
    REQUIRE_FAILS(runcu_context_enable_peer(NULL, 0), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_OK(runcu_context_detach(a));
    REQUIRE_FAILS(runcu_context_disable_peer(a), RUNCU_ERROR_FREED, "detached");
    REQUIRE_OK(runcu_context_set_shared_config(1));
    REQUIRE_OK(runcu_context_get_shared_config(&config));
    REQUIRE_INT(config, ==, 1);
    runcu_context_release(&a);
    runcu_context_release(&b);
    require_clean();
}

static void what_nobody_pushed_is_not_popped(void)
{
    runcu_context *now;
    start();
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE_FAILS(runcu_context_pop(), RUNCU_ERROR_ARGUMENT, "no context to pop");
    runcu_context *again;
    REQUIRE_OK(runcu_context_peek(&again));
    REQUIRE(now == again);
}

static void releasing_the_current_context_keeps_the_stack_right(void)
{
    runcu_context *a, *b, *now;
    runcu_device *device;
    start();
    REQUIRE_OK(runcu_device_open(&device, NULL, 0));
    REQUIRE_OK(runcu_context_create(&a, device, 0));
    REQUIRE_OK(runcu_context_create(&b, device, 0));
    runcu_context_release(&b);
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE(now == a);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_peek(&now));
    REQUIRE(!now);
    REQUIRE_FAILS(runcu_context_pop(), RUNCU_ERROR_ARGUMENT, "no context to pop");
    runcu_context_release(&a);
    require_clean();
}

static void contexts_of_others_are_used_as_they_are(void)
{
    struct core_driver *driver;
    runcu_context *ours, *foreign, *next;
    CUcontext primary, other, popped;
    start();
    REQUIRE_OK(core_driver_open(&driver, NULL));
    /* as torch does: the primary context, made current by itself */
    REQUIRE_INT(driver->cu.cuDevicePrimaryCtxRetain(&primary, 1), ==, 0);
    REQUIRE_INT(driver->cu.cuCtxSetCurrent(primary), ==, 0);
    REQUIRE_OK(runcu_context_current(&ours));
    REQUIRE_INT(runcu_context_handle(ours), ==, (uintptr_t) primary);
    REQUIRE_INT(runcu_device_ordinal(runcu_context_device(ours)), ==, 1);
    REQUIRE_INT(driver->cu.cuDevicePrimaryCtxRelease(1), ==, 0);
    REQUIRE_INT(fake.state->live_contexts, ==, 1); /* we hold it as well */
    /* a context of its own */
    REQUIRE_INT(driver->cu.cuCtxCreate(&other, 0, 0), ==, 0);
    REQUIRE_OK(runcu_context_current(&foreign));
    REQUIRE(foreign != ours);
    REQUIRE_INT(runcu_context_handle(foreign), ==, (uintptr_t) other);
    REQUIRE_OK(runcu_context_current(&next));
    REQUIRE(foreign == next);
    REQUIRE_INT(driver->cu.cuCtxPopCurrent(&popped), ==, 0);
    runcu_context_retain(foreign);
    runcu_context_release(&foreign);
    REQUIRE_INT(fake.state->live_contexts, ==, 2); /* never destroyed by us */
    REQUIRE_INT(driver->cu.cuCtxDestroy(other), ==, 0);
    require_clean();
}

static void changing_the_default_device_changes_what_comes_by_itself(void)
{
    runcu_device *first, *second;
    runcu_context *context;
    start();
    REQUIRE_OK(runcu_device_open(&first, NULL, 0));
    REQUIRE_OK(runcu_device_open(&second, NULL, 1));
    REQUIRE_OK(runcu_context_current(&context));
    REQUIRE(runcu_context_device(context) == first);
    REQUIRE_OK(runcu_device_set_default(second));
    REQUIRE_OK(runcu_context_current(&context));
    REQUIRE(runcu_context_device(context) == second);
    REQUIRE_OK(runcu_device_set_default(NULL));
    REQUIRE_OK(runcu_context_set_current(context));
    REQUIRE_OK(runcu_device_set_default(first));
    REQUIRE_OK(runcu_context_current(&context));
    REQUIRE(runcu_context_device(context) == second); /* chosen by hand: stays */
}

static void two_drivers_live_in_one_process(void)
{
    runcu_device *a, *b;
    runcu_context *on_a, *on_b, *now;
    runcu_mem *mem_a, *mem_b;
    start();
    struct fake cpu = fake_open("FAKE_CPU_DRIVER");
    REQUIRE_OK(runcu_device_open(&a, NULL, 0));
    REQUIRE_OK(runcu_device_open(&b, cpu.path, 0));
    REQUIRE(a != b);
    REQUIRE_OK(runcu_context_primary(&on_a, a));
    REQUIRE_OK(runcu_context_primary(&on_b, b));
    REQUIRE_OK(runcu_context_push(on_a));
    REQUIRE_OK(runcu_mem_alloc(&mem_a, 16));
    REQUIRE_OK(runcu_context_push(on_b));
    REQUIRE_OK(runcu_context_push(on_b));
    REQUIRE_OK(runcu_mem_alloc(&mem_b, 16));
    REQUIRE_INT(fake.state->live_memory, ==, 1);
    REQUIRE_INT(cpu.state->live_memory, ==, 1);
    REQUIRE_OK(runcu_mem_free(&mem_a)); /* though the other driver is in charge */
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE(now == on_b);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE(now == on_a);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_init(cpu.path)); /* the default changes */
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE(now == on_b);
    REQUIRE_OK(runcu_mem_free(&mem_b));
    runcu_context_release(&on_a);
    runcu_context_release(&on_b);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void pushing_to_and_fro_has_an_end(void)
{
    runcu_device *a, *b;
    runcu_context *on_a, *on_b, *now;
    int pushed = 0;
    start();
    REQUIRE_OK(runcu_device_open(&a, NULL, 0));
    REQUIRE_OK(runcu_device_open(&b, getenv("FAKE_CPU_DRIVER"), 0));
    REQUIRE_OK(runcu_context_primary(&on_a, a));
    REQUIRE_OK(runcu_context_primary(&on_b, b));
    while (runcu_context_push(pushed % 2 ? on_b : on_a) == 0)
        pushed++;
    REQUIRE_INT(pushed, >=, 16);
    REQUIRE_IN("more than 16 times", runcu_error_text());
    while (pushed-- > 0)
        REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_peek(&now));
    REQUIRE(!now);
    runcu_context_release(&on_a);
    runcu_context_release(&on_b);
}

static void a_failing_creation_leaves_nothing(void)
{
    runcu_device *device;
    runcu_context *context, *now;
    runcu_mem *mem = (runcu_mem *) &fake;
    runcu_stream *stream;
    runcu_event *event;
    start();
    REQUIRE_OK(runcu_device_open(&device, NULL, 0));
    fake.fail("cuCtxCreate", CUDA_ERROR_OUT_OF_MEMORY, 1);
    REQUIRE_FAILS(runcu_context_create(&context, device, 0), RUNCU_ERROR_DRIVER,
                  "cuCtxCreate failed: out of memory");
    REQUIRE(!context);
    REQUIRE_OK(runcu_context_peek(&now));
    REQUIRE(!now);
    fake.fail("cuDevicePrimaryCtxRetain", CUDA_ERROR_DEVICE_UNAVAILABLE, 1);
    REQUIRE_FAILS(runcu_mem_alloc(&mem, 4), RUNCU_ERROR_DRIVER, "busy or unavailable");
    REQUIRE(!mem);
    fake.fail("cuDevicePrimaryCtxRetain", 0, 0);
    fake.fail("cuStreamCreateWithPriority", CUDA_ERROR_OUT_OF_MEMORY, 1);
    REQUIRE_FAILS(runcu_stream_create(&stream, 0, -1), RUNCU_ERROR_DRIVER,
                  "cuStreamCreateWithPriority");
    REQUIRE(!stream);
    fake.fail("cuEventCreate", CUDA_ERROR_OUT_OF_MEMORY, 1);
    REQUIRE_FAILS(runcu_event_create(&event, 0), RUNCU_ERROR_DRIVER, "cuEventCreate");
    REQUIRE(!event);
    REQUIRE_FAILS(runcu_mem_alloc(&mem, 0), RUNCU_ERROR_DRIVER, "invalid argument");
    REQUIRE_FAILS(runcu_mem_alloc(&mem, (size_t) 1 << 40), RUNCU_ERROR_DRIVER,
                  "cuMemAlloc failed: out of memory\n1099511627776 bytes were asked for.");
    require_clean();
}

static void copies_go_both_ways_and_stay_inside(void)
{
    runcu_mem *mem, *second;
    char out[16] = "fifteen letters", in[16] = "";
    uint64_t base;
    size_t bytes;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    REQUIRE_OK(runcu_mem_alloc(&second, 16));
    uint64_t at = runcu_mem_address(mem);
    REQUIRE_OK(runcu_copy_htod(at, out, 16));
    REQUIRE_OK(runcu_copy_dtod(runcu_mem_address(second), at, 16));
    REQUIRE_OK(runcu_copy_dtoh(in, runcu_mem_address(second), 16));
    REQUIRE_STR(in, "fifteen letters");
    REQUIRE_OK(runcu_copy_htod(at + 8, "12345678", 8));
    REQUIRE_OK(runcu_copy_dtoh(in, at + 4, 8));
    REQUIRE_BYTES(in, "een 1234" + 0, 3);
    REQUIRE_FAILS(runcu_copy_htod(at + 8, out, 9), RUNCU_ERROR_DRIVER,
                  "cuMemcpyHtoD failed: invalid argument");
    REQUIRE_IN("has room for 8 bytes up to the end of its allocation of 16, and 9 were asked for: "
               "1 too many",
               runcu_error_text());
    REQUIRE_FAILS(runcu_copy_dtoh(in, 64, 4), RUNCU_ERROR_DRIVER,
                  "The source, 0x40, lies in no allocation");
    REQUIRE_FAILS(runcu_copy_dtod(at, at + 1, 16), RUNCU_ERROR_DRIVER, "The source");
    REQUIRE_FAILS(runcu_copy_htod_async(at, out, 17, NULL), RUNCU_ERROR_DRIVER, "1 too many");
    REQUIRE_FAILS(runcu_copy_htod(at, NULL, 1), RUNCU_ERROR_ARGUMENT, "from is NULL");
    REQUIRE_FAILS(runcu_copy_dtoh(NULL, at, 1), RUNCU_ERROR_ARGUMENT, "to is NULL");
    REQUIRE_OK(runcu_mem_address_range(&base, &bytes, at + 5));
    REQUIRE_INT(base, ==, at);
    REQUIRE_INT(bytes, ==, 16);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_OK(runcu_mem_free(&second));
    REQUIRE_OK(runcu_mem_free(&second)); /* NULL */
    require_clean();
}

static void fills_choose_width_and_rows(void)
{
    runcu_mem *mem;
    unsigned char in[16];
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    runcu_fill fill = {.to = runcu_mem_address(mem), .value = 0x41, .width = 1, .count = 16};
    REQUIRE_OK(runcu_mem_fill(&fill));
    fill = (runcu_fill){sizeof fill, runcu_mem_address(mem), 0x01020304, 4, 2, 0, 0};
    REQUIRE_OK(runcu_mem_fill(&fill));
    REQUIRE_OK(runcu_copy_dtoh(in, runcu_mem_address(mem), 16));
    REQUIRE_BYTES(in, "\4\3\2\1\4\3\2\1AAAAAAAA", 16);
    fill = (runcu_fill){.to = runcu_mem_address(mem),
                        .value = 0x4242,
                        .width = 2,
                        .count = 1,
                        .rows = 2,
                        .pitch = 8};
    REQUIRE_OK(runcu_mem_fill(&fill));
    REQUIRE_OK(runcu_copy_dtoh(in, runcu_mem_address(mem), 16));
    REQUIRE_BYTES(in, "BB\2\1\4\3\2\1BBAAAAAA", 16);
    fill.width = 3;
    REQUIRE_FAILS(runcu_mem_fill(&fill), RUNCU_ERROR_ARGUMENT, "1, 2 or 4");
    fill = (runcu_fill){.to = runcu_mem_address(mem), .width = 1, .count = 17};
    REQUIRE_FAILS(runcu_mem_fill(&fill), RUNCU_ERROR_DRIVER, "1 too many");
    REQUIRE_OK(runcu_mem_free(&mem));
}

static void a_failed_free_is_told_a_dead_context_is_not(void)
{
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    fake.fail("cuMemFree", CUDA_ERROR_ILLEGAL_ADDRESS, 1);
    REQUIRE_FAILS(runcu_mem_free(&mem), RUNCU_ERROR_DRIVER,
                  "cuMemFree failed: an illegal memory access");
    REQUIRE(!mem);
    fake.fail("cuMemFree", 0, 0);
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    fake.fail("cuMemFree", CUDA_ERROR_DEINITIALIZED, 1);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void page_locked_memory(void)
{
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_mem_alloc_host(&mem, 32, 0));
    REQUIRE(runcu_mem_host_pointer(mem) != NULL);
    REQUIRE_INT(runcu_mem_size(mem), ==, 32);
    REQUIRE_INT(runcu_mem_address(mem), ==, (uintptr_t) runcu_mem_host_pointer(mem));
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(fake.calls("cuMemFreeHost"), ==, 1);
    require_clean();
}

static void count_call(void *user)
{
    ++*(int *) user;
}

static void streams_and_events(void)
{
    runcu_stream *stream, *foreign;
    runcu_event *start_event, *end;
    float ms;
    int done, calls = 0;
    start();
    REQUIRE_OK(runcu_stream_create(&stream, CU_STREAM_NON_BLOCKING, 0));
    REQUIRE(runcu_stream_handle(stream) != 0);
    REQUIRE_INT(runcu_stream_handle(NULL), ==, 0);
    REQUIRE_OK(runcu_event_create(&start_event, 0));
    REQUIRE_OK(runcu_event_create(&end, 0));
    REQUIRE_OK(runcu_event_record(start_event, stream));
    REQUIRE_OK(runcu_stream_wait_event(NULL, start_event));
    REQUIRE_OK(runcu_stream_host_call(stream, count_call, &calls));
    REQUIRE_INT(calls, ==, 1);
    REQUIRE_FAILS(runcu_stream_host_call(stream, NULL, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_OK(runcu_event_elapsed(&ms, start_event, end));
    REQUIRE_NEAR(ms, 1.5, 0);
    fake.fail("cuStreamQuery", CUDA_ERROR_NOT_READY, 1);
    REQUIRE_OK(runcu_stream_is_done(&done, stream));
    REQUIRE_INT(done, ==, 0);
    fake.fail("cuStreamQuery", 0, 0);
    REQUIRE_OK(runcu_stream_is_done(&done, NULL));
    REQUIRE_INT(done, ==, 1);
    fake.fail("cuEventQuery", CUDA_ERROR_LAUNCH_FAILED, 1);
    REQUIRE_FAILS(runcu_event_is_done(&done, end), RUNCU_ERROR_DRIVER,
                  "unspecified launch failure");
    REQUIRE_OK(runcu_stream_wrap(&foreign, 0x1234));
    REQUIRE_INT(runcu_stream_handle(foreign), ==, 0x1234);
    runcu_stream_destroy(&foreign);
    REQUIRE_INT(fake.calls("cuStreamDestroy"), ==, 0);
    runcu_stream_destroy(&stream);
    runcu_stream_destroy(&stream); /* NULL */
    runcu_event_destroy(&start_event);
    runcu_event_destroy(&end);
    require_clean();
}

static void modules_load_and_explain_refusals(void)
{
    runcu_module *module;
    runcu_error e;
    uint64_t address;
    size_t bytes;
    start();
    REQUIRE_FAILS(runcu_module_load(&module, NULL, 0), RUNCU_ERROR_ARGUMENT, "empty");
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx - 1)); /* without its NUL */
    REQUIRE_OK(runcu_module_get_global(&address, &bytes, module, "table"));
    REQUIRE_INT(bytes, ==, 12);
    REQUIRE_FAILS(runcu_module_get_global(&address, &bytes, module, "tabel"), RUNCU_ERROR_NAME,
                  "cuModuleGetGlobal failed: named symbol not found\nThere is no variable "
                  "\"tabel\". There is:\n  table");
    REQUIRE_STR(runcu_module_kernel_name(module, 0), "k");
    REQUIRE(!runcu_module_kernel_name(module, 1));
    runcu_module_retain(module);
    runcu_module *again = module;
    runcu_module_release(&again);
    REQUIRE_INT(fake.state->live_modules, ==, 1);
    runcu_module_release(&module);
    REQUIRE_INT(fake.state->live_modules, ==, 0);

    fake.state->jit_log = "ptxas error : unexpected token\n";
    fake.state->load_answer = CUDA_ERROR_INVALID_PTX;
    REQUIRE_FAILS(runcu_module_load(&module, ptx, sizeof ptx), RUNCU_ERROR_DRIVER,
                  "cuModuleLoadDataEx failed: a PTX JIT compilation failed");
    runcu_error_get(&e);
    REQUIRE_STR(e.detail, "ptxas error : unexpected token");
    REQUIRE(!module);
    fake.state->load_answer = CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    fake.state->jit_log = NULL;
    REQUIRE_FAILS(runcu_module_load(&module, ptx, sizeof ptx), RUNCU_ERROR_DRIVER,
                  "The PTX is of version 8.0, newer than the driver, of CUDA 13.0, understands");
    fake.state->load_answer = CUDA_ERROR_NO_BINARY_FOR_GPU;
    REQUIRE_FAILS(runcu_module_load(&module, ptx, sizeof ptx), RUNCU_ERROR_DRIVER,
                  "Fake 0 (sm_90)");
    fake.state->load_answer = 0;
    require_clean();
}

static void cut_off_images_never_reach_the_driver(void)
{
    runcu_module *module;
    unsigned char elf[64] = "\177ELF\2\1\1";
    start();
    uint64_t table = 1000;
    uint16_t row = 64, rows = 5;
    memcpy(elf + 40, &table, 8);
    memcpy(elf + 58, &row, 2);
    memcpy(elf + 60, &rows, 2);
    REQUIRE_FAILS(runcu_module_load(&module, elf, sizeof elf), RUNCU_ERROR_DRIVER,
                  "it has been cut off");
    REQUIRE_IN("cuModuleLoadData failed: device kernel image is invalid", runcu_error_text());
    table = UINT64_MAX - 10;
    memcpy(elf + 40, &table, 8);
    REQUIRE_FAILS(runcu_module_load(&module, elf, sizeof elf), RUNCU_ERROR_DRIVER, "cut off");
    unsigned char fatbin[16] = {0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0, 1};
    REQUIRE_FAILS(runcu_module_load(&module, fatbin, sizeof fatbin), RUNCU_ERROR_DRIVER, "cut off");
    REQUIRE_INT(fake.calls("cuModuleLoadData"), ==, 0);
    require_clean();
}

static int count_lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void a_forked_child_is_told(void)
{
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        runcu_mem *other;
        REQUIRE_FAILS(runcu_mem_alloc(&other, 16), RUNCU_ERROR_FORKED,
                      "forked after the GPU was initialised");
        REQUIRE_INT(count_lines(runcu_error_text()), ==, 0);
        REQUIRE_FAILS(runcu_copy_htod(runcu_mem_address(mem), "x", 1), RUNCU_ERROR_FORKED,
                      "forked");
        REQUIRE_OK(runcu_mem_free(&mem));                  /* the parent's to free: quiet */
        REQUIRE_OK(runcu_init(getenv("FAKE_CPU_DRIVER"))); /* another driver works */
        REQUIRE_OK(runcu_mem_alloc(&other, 16));
        REQUIRE_OK(runcu_mem_free(&other));
        exit(0);
    }
    int end = -1;
    REQUIRE_INT(waitpid(child, &end, 0), ==, child);
    REQUIRE_INT(end, ==, 0);
    REQUIRE_OK(runcu_mem_free(&mem)); /* and here all is as before */
    require_clean();
}

static void a_cpu_device_follows_into_a_child(void)
{
    runcu_mem *mem;
    fake = fake_open("FAKE_CPU_DRIVER");
    REQUIRE_OK(runcu_init(fake.path));
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        REQUIRE_OK(runcu_copy_htod(runcu_mem_address(mem), "x", 1));
        REQUIRE_OK(runcu_mem_free(&mem));
        exit(0);
    }
    int end = -1;
    REQUIRE_INT(waitpid(child, &end, 0), ==, child);
    REQUIRE_INT(end, ==, 0);
    REQUIRE_OK(runcu_mem_free(&mem));
}

static int pipe_to_parent;

static void report_synchronisations(void)
{
    char n = (char) fake.state->synchronisations;
    if (write(pipe_to_parent, &n, 1) != 1)
        _exit(3);
}

/* The exit handler of the library must run before the driver's own; this one, registered earlier,
 * runs after it. */
static void work_is_waited_for_at_exit(void)
{
    int ends[2];
    char n = 0;
    REQUIRE_INT(pipe(ends), ==, 0);
    for (int launches = 0; launches < 2; launches++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            runcu_module *module;
            runcu_function *function;
            pipe_to_parent = ends[1];
            atexit(report_synchronisations);
            start();
            REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
            REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
            if (launches)
                REQUIRE_OK(runcu_launch(function, RUNCU_THREADS(1), 1));
            exit(0);
        }
        int end = -1;
        REQUIRE_INT(waitpid(child, &end, 0), ==, child);
        REQUIRE_INT(end, ==, 0);
        REQUIRE_INT(read(ends[0], &n, 1), ==, 1);
        REQUIRE_INT(n, ==, launches);
    }
    close(ends[0]);
    close(ends[1]);
}

static void *many(void *unused)
{
    (void) unused;
    for (int i = 0; i < 200; i++) {
        runcu_context *context;
        runcu_mem *mem;
        REQUIRE_OK(runcu_mem_alloc(&mem, 64));
        REQUIRE_OK(runcu_context_current(&context));
        REQUIRE(context == runcu_mem_context(mem));
        REQUIRE_OK(runcu_mem_free(&mem));
    }
    return NULL;
}

static void threads_share_one_primary_context(void)
{
    pthread_t threads[8];
    fake = fake_open("FAKE_DRIVER");
    for (int i = 0; i < 8; i++) /* the first use of all, from everywhere at once */
        REQUIRE_INT(pthread_create(&threads[i], NULL, many, NULL), ==, 0);
    for (int i = 0; i < 8; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), ==, 0);
    REQUIRE_INT(fake.calls("cuInit"), ==, 1);
    REQUIRE_INT(fake.calls("cuDevicePrimaryCtxRetain"), ==, 1);
    require_clean();
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    unsetenv("CUDA_DEVICE");
    setenv("HOME", "/nowhere", 1);
    RUN_ALONE(devices_are_found);
    RUN_ALONE(the_environment_chooses_the_device);
    RUN_ALONE(the_primary_context_comes_by_itself);
    RUN_ALONE(memory_is_freed_from_any_thread_and_context);
    RUN_ALONE(handles_are_wrapped);
    RUN_ALONE(peers_are_contexts_of_the_same_driver);
    RUN_ALONE(what_nobody_pushed_is_not_popped);
    RUN_ALONE(objects_outlive_a_detached_context_quietly);
    RUN_ALONE(a_context_lives_as_long_as_its_objects);
    RUN_ALONE(releasing_the_current_context_keeps_the_stack_right);
    RUN_ALONE(contexts_of_others_are_used_as_they_are);
    RUN_ALONE(changing_the_default_device_changes_what_comes_by_itself);
    RUN_ALONE(two_drivers_live_in_one_process);
    RUN_ALONE(pushing_to_and_fro_has_an_end);
    RUN_ALONE(a_failing_creation_leaves_nothing);
    RUN_ALONE(copies_go_both_ways_and_stay_inside);
    RUN_ALONE(fills_choose_width_and_rows);
    RUN_ALONE(a_failed_free_is_told_a_dead_context_is_not);
    RUN_ALONE(page_locked_memory);
    RUN_ALONE(streams_and_events);
    RUN_ALONE(modules_load_and_explain_refusals);
    RUN_ALONE(cut_off_images_never_reach_the_driver);
    RUN_ALONE(a_forked_child_is_told);
    RUN_ALONE(a_cpu_device_follows_into_a_child);
    RUN_ALONE(work_is_waited_for_at_exit);
    RUN_ALONE(threads_share_one_primary_context);
    return 0;
}

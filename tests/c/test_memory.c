/* Memory of every kind by the public headers: on the CPU device, or with the argument "cuda" on
 * NVIDIA's driver (77 where there is none). */
#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"

enum { BYTES = 1 << 16 };

static void start(void)
{
    runcu_context *context;
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_OK(runcu_context_current(&context));
    runcu_context_release(&context);
}

static void require_clean(void)
{
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void fill(uint64_t to, uint32_t value, size_t count)
{
    REQUIRE_OK(runcu_mem_fill(&(runcu_fill){.to = to, .value = value, .width = 1, .count = count}));
}

static unsigned char byte_at(uint64_t address)
{
    unsigned char out = 0;
    REQUIRE_OK(runcu_copy_dtoh(&out, address, 1));
    return out;
}

static void pitched_memory(void)
{
    runcu_mem *mem;
    size_t pitch;
    start();
    REQUIRE_OK(runcu_mem_alloc_pitch(&mem, &pitch, 100, 9, 16));
    REQUIRE(pitch >= 100 && runcu_mem_size(mem) == 9 * pitch);
    REQUIRE_OK(runcu_mem_fill(&(runcu_fill){.to = runcu_mem_address(mem),
                                            .value = 5,
                                            .width = 1,
                                            .count = 100,
                                            .rows = 9,
                                            .pitch = pitch}));
    REQUIRE_INT(byte_at(runcu_mem_address(mem) + 8 * pitch + 99), ==, 5);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_FAILS(runcu_mem_alloc_pitch(&mem, &pitch, 100, 9, 5), RUNCU_ERROR_DRIVER,
                  "4, 8 and 16 are possible");
    REQUIRE(!mem && !pitch);
    require_clean();
}

static void managed_memory(void)
{
    runcu_mem *mem, *plain;
    start();
    REQUIRE_OK(runcu_mem_alloc_managed(&mem, BYTES, 0));
    unsigned char *host = runcu_mem_host_pointer(mem);
    REQUIRE(host && (uintptr_t) host == runcu_mem_address(mem));
    memset(host, 1, BYTES);
    fill(runcu_mem_address(mem) + 1, 2, 1);
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE(host[0] == 1 && host[1] == 2);
    REQUIRE_OK(runcu_mem_attach(mem, CU_MEM_ATTACH_GLOBAL, NULL));
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE(runcu_mem_attach(mem, 99, NULL) != 0);
    runcu_stream *closed = NULL;
    REQUIRE_OK(runcu_stream_create(&closed, 0, 0));
    runcu_stream_close(closed);
    REQUIRE_FAILS(runcu_mem_attach(mem, CU_MEM_ATTACH_SINGLE, closed), RUNCU_ERROR_FREED, "closed");
    runcu_stream_destroy(&closed);
    REQUIRE(runcu_mem_advise(runcu_mem_address(mem), BYTES, 99, NULL) != 0);
    REQUIRE_OK(runcu_mem_alloc(&plain, 4));
    REQUIRE_FAILS(runcu_mem_attach(plain, CU_MEM_ATTACH_GLOBAL, NULL), RUNCU_ERROR_ARGUMENT,
                  "only managed memory");
    REQUIRE(runcu_mem_host_pointer(plain) == NULL);
    REQUIRE_OK(runcu_mem_free(&plain));
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE(runcu_mem_alloc_managed(&mem, 0, 0) != 0 && !mem);
    require_clean();
}

static void registered_memory(void)
{
    static unsigned char bytes[BYTES];
    runcu_mem *mem, *again;
    unsigned flags;
    start();
    REQUIRE_OK(runcu_mem_register(&mem, bytes, BYTES, CU_MEMHOSTREGISTER_PORTABLE));
    REQUIRE(runcu_mem_host_pointer(mem) == bytes && runcu_mem_size(mem) == BYTES);
    fill(runcu_mem_address(mem), 7, 100);
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE(bytes[99] == 7 && bytes[100] == 0);
    REQUIRE_FAILS(runcu_mem_register(&again, bytes, BYTES, 0), RUNCU_ERROR_DRIVER,
                  "cuMemHostRegister failed");
    REQUIRE_FAILS(runcu_mem_register(&again, NULL, BYTES, 0), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_mem_host_flags(&flags, mem), RUNCU_ERROR_ARGUMENT, "page-locked");
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_OK(runcu_mem_alloc_host(&mem, 64, CU_MEMHOSTALLOC_WRITECOMBINED));
    REQUIRE_OK(runcu_mem_host_flags(&flags, mem));
    REQUIRE(flags & CU_MEMHOSTALLOC_WRITECOMBINED);
    REQUIRE_OK(runcu_mem_free(&mem));
    require_clean();
}

static void memory_of_others(void)
{
    runcu_mem *mem, *wrapped;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, BYTES));
    REQUIRE_OK(runcu_mem_wrap(&wrapped, runcu_mem_handle(mem) + 64));
    REQUIRE_INT(runcu_mem_size(wrapped), ==, BYTES - 64);
    REQUIRE_OK(runcu_mem_free(&wrapped));
    fill(runcu_mem_address(mem), 1, 1); /* still there */
    REQUIRE_FAILS(runcu_mem_wrap(&wrapped, 0), RUNCU_ERROR_ARGUMENT, "no memory");
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_OK(runcu_mem_free(&mem));
    require_clean();
}

static void host_memory_of_others(void)
{
    static unsigned char plain[BYTES];
    runcu_mem *mem, *wrapped;
    unsigned flags = 0;
    start();
    REQUIRE_OK(runcu_mem_alloc_host(&mem, BYTES, CU_MEMHOSTALLOC_DEVICEMAP));
    unsigned char *host = runcu_mem_host_pointer(mem);
    REQUIRE_OK(runcu_mem_wrap_host(&wrapped, host + 64, 0));
    REQUIRE(runcu_mem_host_pointer(wrapped) == host + 64);
    REQUIRE_INT(runcu_mem_size(wrapped), >=, BYTES - 64);
    REQUIRE(runcu_mem_address(wrapped) == runcu_mem_address(mem) + 64);
    REQUIRE_OK(runcu_mem_host_flags(&flags, wrapped));
    REQUIRE(flags & CU_MEMHOSTALLOC_DEVICEMAP);
    fill(runcu_mem_address(wrapped), 9, 1);
    REQUIRE_OK(runcu_mem_free(&wrapped));
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE_INT(host[64], ==, 9); /* still there */
    REQUIRE_OK(runcu_mem_wrap_host(&wrapped, host, 100));
    REQUIRE_INT(runcu_mem_size(wrapped), ==, 100);
    REQUIRE_OK(runcu_mem_free(&wrapped));
    REQUIRE_FAILS(runcu_mem_wrap_host(&wrapped, host, (size_t) 1 << 40), RUNCU_ERROR_ARGUMENT,
                  "of page-locked memory, not");
    REQUIRE_FAILS(runcu_mem_wrap_host(&wrapped, plain, 1), RUNCU_ERROR_ARGUMENT,
                  "not in page-locked memory");
    REQUIRE(!wrapped);
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_OK(runcu_mem_register(&mem, plain, BYTES, 0));
    REQUIRE_OK(runcu_mem_wrap_host(&wrapped, plain, BYTES));
    REQUIRE_OK(runcu_mem_free(&wrapped));
    REQUIRE_OK(runcu_mem_free(&mem));
    require_clean();
}

static void memory_in_the_order_of_streams(void)
{
    runcu_mempool *pool, *normal;
    runcu_stream *stream;
    runcu_mem *mem, *plain;
    uint64_t used;
    start();
    REQUIRE_OK(runcu_stream_create(&stream, CU_STREAM_NON_BLOCKING, 0));
    REQUIRE_OK(runcu_mempool_create(&pool, NULL, 0));
    REQUIRE_OK(runcu_mempool_default(&normal, runcu_mempool_device(pool)));
    REQUIRE(runcu_mempool_handle(normal) != runcu_mempool_handle(pool));
    REQUIRE_OK(runcu_mem_alloc_async(&mem, 1 << 20, pool, stream));
    REQUIRE_OK(runcu_mempool_get(&used, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT));
    REQUIRE_INT(used, ==, 1 << 20);
    REQUIRE_OK(runcu_mem_fill_async(
        &(runcu_fill){.to = runcu_mem_address(mem), .value = 3, .width = 1, .count = 1 << 20},
        stream));
    REQUIRE_OK(runcu_mem_free_async(&mem, stream));
    REQUIRE(!mem);
    REQUIRE_OK(runcu_mem_free_async(&mem, stream));
    REQUIRE_OK(runcu_stream_synchronize(stream));
    REQUIRE_OK(runcu_mempool_set(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, 4096));
    REQUIRE_OK(runcu_mempool_trim(pool, 0));
    REQUIRE(runcu_mempool_set(pool, 99, 1) != 0);
    REQUIRE_FAILS(runcu_mem_alloc_async(&mem, 0, NULL, stream), RUNCU_ERROR_ARGUMENT, "0 bytes");
    REQUIRE_OK(runcu_mem_alloc(&plain, 4));
    REQUIRE_FAILS(runcu_mem_free_async(&plain, stream), RUNCU_ERROR_ARGUMENT, "in the order");
    REQUIRE(plain != NULL);
    REQUIRE_OK(runcu_mem_free(&plain));
    REQUIRE_OK(runcu_mem_alloc_async(&mem, 64, NULL, NULL));
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_mempool_destroy(&normal);
    runcu_mempool_destroy(&pool);
    runcu_mempool_destroy(&pool);
    runcu_stream_destroy(&stream);
    require_clean();
}

static void an_allocation_that_grows(void)
{
    runcu_range *range;
    runcu_physical *parts[2];
    size_t grain;
    start();
    REQUIRE_OK(runcu_vmm_granularity(&grain, NULL));
    REQUIRE_OK(runcu_range_reserve(&range, NULL, 2 * grain, 0));
    uint64_t at = runcu_range_address(range);
    for (int i = 0; i < 2; i++) {
        REQUIRE_OK(runcu_physical_create(&parts[i], NULL, grain, 0));
        REQUIRE_INT(runcu_physical_size(parts[i]), ==, grain);
        REQUIRE_OK(runcu_range_map(range, parts[i], (size_t) i * grain));
        REQUIRE_OK(runcu_range_set_access(range, (size_t) i * grain, grain,
                                          CU_MEM_ACCESS_FLAGS_PROT_READWRITE, NULL));
    }
    REQUIRE(runcu_range_map(range, parts[0], 0) != 0);
    REQUIRE_FAILS(runcu_range_map(range, parts[0], 2 * grain), RUNCU_ERROR_ARGUMENT, "leave");
    fill(at, 6, 2 * grain);
    runcu_physical_release(&parts[0]);
    REQUIRE_INT(byte_at(at + grain - 1), ==, 6);
    REQUIRE_OK(runcu_range_unmap(range, 0, grain));
    REQUIRE_FAILS(runcu_range_unmap(range, 0, grain), RUNCU_ERROR_ARGUMENT, "not whole mappings");
    REQUIRE_INT(byte_at(at + 2 * grain - 1), ==, 6);
    REQUIRE_OK(runcu_range_free(&range));
    REQUIRE_OK(runcu_range_free(&range));
    runcu_physical_release(&parts[1]);
    runcu_physical_release(&parts[1]);
    REQUIRE(runcu_physical_create(&parts[0], NULL, grain + 1, 0) != 0 && !parts[0]);
    REQUIRE_IN("a multiple of", runcu_error_text());
    require_clean();
}

static void ranges_of_others(void)
{
    runcu_range *range, *wrapped;
    runcu_physical *memory;
    size_t grain;
    start();
    REQUIRE_OK(runcu_vmm_granularity(&grain, NULL));
    REQUIRE_OK(runcu_range_reserve(&range, NULL, 2 * grain, 0));
    REQUIRE_OK(runcu_physical_create(&memory, NULL, grain, 0));
    uint64_t at = runcu_range_address(range);
    REQUIRE_OK(runcu_range_wrap(&wrapped, NULL, at + grain, grain));
    REQUIRE(runcu_range_address(wrapped) == at + grain && runcu_range_size(wrapped) == grain);
    REQUIRE_OK(runcu_range_map(wrapped, memory, 0));
    REQUIRE_OK(runcu_range_set_access(wrapped, 0, grain, CU_MEM_ACCESS_FLAGS_PROT_READWRITE, NULL));
    fill(at + grain, 4, 1);
    REQUIRE_INT(byte_at(at + grain), ==, 4);
    REQUIRE_OK(runcu_range_free(&wrapped)); /* what it mapped is unmapped, the addresses stay */
    REQUIRE_OK(runcu_range_map(range, memory, grain));
    REQUIRE_FAILS(runcu_range_wrap(&wrapped, NULL, 0, grain), RUNCU_ERROR_ARGUMENT,
                  "0 is no range");
    REQUIRE_OK(runcu_range_free(&range));
    runcu_physical_release(&memory);
    require_clean();
}

/* The other process gets its orders by the pipe before it uses the device. */
static void another_process(void)
{
    unsigned char handle[RUNCU_IPC_HANDLE_BYTES], name[RUNCU_IPC_HANDLE_BYTES];
    int pipes[2], status;
    runcu_mem *mem;
    runcu_event *event;
    REQUIRE(pipe(pipes) == 0);
    pid_t child = fork();
    if (!child) {
        REQUIRE(read(pipes[0], handle, sizeof handle) == sizeof handle);
        REQUIRE(read(pipes[0], name, sizeof name) == sizeof name);
        start();
        REQUIRE_OK(runcu_event_ipc_open(&event, name));
        REQUIRE_OK(runcu_event_synchronize(event));
        REQUIRE_OK(runcu_mem_ipc_open(&mem, handle, 0));
        REQUIRE(runcu_mem_size(mem) >= BYTES);
        REQUIRE_INT(byte_at(runcu_mem_address(mem) + BYTES - 1), ==, 9);
        fill(runcu_mem_address(mem), 10, 1);
        REQUIRE_OK(runcu_stream_synchronize(NULL));
        REQUIRE_OK(runcu_mem_free(&mem));
        runcu_event_destroy(&event);
        require_clean();
        exit(0);
    }
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, BYTES));
    REQUIRE_OK(runcu_event_create(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    fill(runcu_mem_address(mem), 9, BYTES);
    REQUIRE_OK(runcu_event_record(event, NULL));
    REQUIRE_OK(runcu_mem_ipc_handle(handle, runcu_mem_address(mem)));
    REQUIRE_OK(runcu_event_ipc_handle(name, event));
    runcu_mem *own;
    REQUIRE(runcu_mem_ipc_open(&own, handle, 0) != 0 && !own);
    REQUIRE(write(pipes[1], handle, sizeof handle) == sizeof handle);
    REQUIRE(write(pipes[1], name, sizeof name) == sizeof name);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    REQUIRE_INT(byte_at(runcu_mem_address(mem)), ==, 10);
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_event_destroy(&event);
    memset(handle, 0, sizeof handle);
    REQUIRE(runcu_mem_ipc_open(&mem, handle, 0) != 0 && !mem);
    REQUIRE(runcu_event_ipc_open(&event, handle) != 0 && !event);
    require_clean();
}

/* Memory that outlives its context ends quietly. */
static void after_the_context(void)
{
    runcu_device *device;
    runcu_context *context;
    runcu_mem *mem[4];
    static unsigned char bytes[BYTES];
    start();
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_OK(runcu_mem_alloc(&mem[0], 64));
    REQUIRE_OK(runcu_mem_alloc_managed(&mem[1], 64, 0));
    REQUIRE_OK(runcu_mem_alloc_host(&mem[2], 64, 0));
    REQUIRE_OK(runcu_mem_register(&mem[3], bytes, BYTES, 0));
    REQUIRE_OK(runcu_context_detach(context));
    for (int i = 0; i < 4; i++)
        REQUIRE_OK(runcu_mem_free(&mem[i]));
    runcu_context_release(&context);
    require_clean();
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
    const char *name = argc > 1 ? argv[1] : "cpu";
    setenv("RUNCU_DEVICE", name, 1);
    if (count_of_devices(name) == 0)
        return TEST_SKIPPED;
    RUN_ALONE(pitched_memory);
    RUN_ALONE(managed_memory);
    RUN_ALONE(registered_memory);
    RUN_ALONE(host_memory_of_others);
    RUN_ALONE(memory_of_others);
    RUN_ALONE(memory_in_the_order_of_streams);
    RUN_ALONE(an_allocation_that_grows);
    RUN_ALONE(ranges_of_others);
    RUN_ALONE(another_process);
    RUN_ALONE(after_the_context);
    return 0;
}

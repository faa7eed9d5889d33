/* Bound launches, launches with attributes, the record of the last ones, occupancy: what reaches
 * the driver, and what is refused. */
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"
#include "fake_driver.h"

static const char ptx[] =
    ".version 8.0\n.target sm_75\n.address_size 64\n"
    ".visible .entry _Z3mixPfidP3two(.param .u64 a, .param .u32 b, .param .f64 c, .param .u64 d) "
    "{ ret; }\n"
    ".visible .entry _Z6structi1P(.param .u32 a, .param .align 8 .b8 b[24]) { ret; }\n"
    ".visible .entry _Z5valuebhj(.param .u8 a, .param .u8 b, .param .u32 c) { ret; }\n"
    ".visible .entry nothing() { ret; }\n"
    ".visible .entry huge(.param .align 4 .b8 a[8192], .param .u32 b) { ret; }\n";

static struct fake fake;
static runcu_module *module;
static struct fake_launch last;
static CUlaunchAttribute attributes[8];
static unsigned attribute_count;
static unsigned char bytes[256];
static const size_t *sizes;

static void record(const struct fake_launch *l)
{
    last = *l;
    attribute_count = l->config ? l->config->numAttrs : 0;
    if (attribute_count)
        memcpy(attributes, l->config->attrs, attribute_count * sizeof *attributes);
    size_t at = 0;
    for (size_t i = 0; l->params && sizes && sizes[i]; i++) {
        memcpy(bytes + at, l->params[i], sizes[i]);
        at += sizes[i];
    }
}

static void start(void)
{
    fake = fake_open("FAKE_DRIVER");
    fake.state->on_launch = record;
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
}

static runcu_function *get(const char *name)
{
    runcu_function *f;
    REQUIRE_OK(runcu_module_get_function(&f, module, name));
    return f;
}

static void end(runcu_function *f)
{
    runcu_function_release(&f);
    runcu_module_release(&module);
    REQUIRE_INT(core_live_objects, ==, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
}

static runcu_launch_params shape(unsigned grid, unsigned block)
{
    return runcu_shape_grid(runcu_dim3_of(grid, 1, 1), runcu_dim3_of(block, 1, 1));
}

/* --- bound --- */

static void bound_arguments_stay_until_they_are_replaced(void)
{
    static const size_t mix[] = {8, 4, 8, 8, 0};
    int number;
    uint64_t address;
    double real;
    runcu_bound *b;
    start();
    runcu_function *f = get("mix");
    sizes = mix;
    runcu_launch_params params = shape(3, 64);
    runcu_arg args[] = {runcu_address(0x1000), runcu_arg_of(7), runcu_arg_of(1.5),
                        runcu_address(0)};
    REQUIRE_OK(runcu_bound_create(&b, f, &params, args, 4));
    memset(args, 0x5a, sizeof args);
    REQUIRE_INT(runcu_bound_count(b), ==, 4);
    REQUIRE(runcu_bound_function(b) == f);
    for (int i = 0; i < 3; i++)
        REQUIRE_OK(runcu_bound_launch(b));
    REQUIRE_INT(fake.state->launches, ==, 3);
    REQUIRE_INT(last.grid[0], ==, 3);
    REQUIRE_INT(last.block[0], ==, 64);
    memcpy(&address, bytes, 8);
    memcpy(&number, bytes + 8, 4);
    memcpy(&real, bytes + 12, 8);
    REQUIRE_INT(address, ==, 0x1000);
    REQUIRE_INT(number, ==, 7);
    REQUIRE_NEAR(real, 1.5, 0);
    runcu_arg eight = runcu_arg_of(8);
    REQUIRE_OK(runcu_bound_set(b, 1, &eight));
    REQUIRE_OK(runcu_bound_launch(b));
    memcpy(&number, bytes + 8, 4);
    memcpy(&address, bytes, 8);
    REQUIRE_INT(number, ==, 8);
    REQUIRE_INT(address, ==, 0x1000);
    params = shape(5, 32);
    REQUIRE_OK(runcu_bound_shape(b, &params));
    REQUIRE_OK(runcu_bound_launch(b));
    REQUIRE_INT(last.grid[0], ==, 5);
    REQUIRE_INT(last.block[0], ==, 32);
    runcu_bound_destroy(&b);
    REQUIRE(!b);
    runcu_bound_destroy(&b);
    end(f);
}

static void what_does_not_fit_leaves_a_bound_launch_as_it_was(void)
{
    static const size_t mix[] = {8, 4, 8, 8, 0};
    int number;
    runcu_bound *b = NULL;
    start();
    runcu_function *f = get("mix");
    sizes = mix;
    runcu_launch_params params = shape(3, 64);
    runcu_arg args[] = {runcu_address(0x1000), runcu_arg_of(7), runcu_arg_of(1.5),
                        runcu_address(0)};
    runcu_arg bad = runcu_arg_of(1.5f), good = runcu_arg_of(1);
    REQUIRE_OK(runcu_bound_create(&b, f, &params, args, 4));
    REQUIRE_FAILS(runcu_bound_set(b, 1, &bad), RUNCU_ERROR_LAUNCH_ARGUMENT, "parameter 1 (int)");
    REQUIRE_FAILS(runcu_bound_set(b, 4, &good), RUNCU_ERROR_ARGUMENT, "no argument 4");
    REQUIRE_FAILS(runcu_bound_set(b, 1, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_bound_set(NULL, 1, &good), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_bound_shape(b, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_bound_launch(NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    params.shared = SIZE_MAX;
    REQUIRE_FAILS(runcu_bound_shape(b, &params), RUNCU_ERROR_LAUNCH_SHAPE, "shared memory");
    REQUIRE_OK(runcu_bound_launch(b));
    memcpy(&number, bytes + 8, 4);
    REQUIRE_INT(number, ==, 7);
    REQUIRE_INT(last.grid[0], ==, 3);
    params = shape(1, 2048);
    REQUIRE_OK(runcu_bound_shape(b, &params)); /* the device's limits are the launch's business */
    REQUIRE_FAILS(runcu_bound_launch(b), RUNCU_ERROR_LAUNCH_SHAPE, "1024 over the device's limit");
    runcu_bound_destroy(&b);
    params = shape(1, 1);
    REQUIRE_FAILS(runcu_bound_create(&b, f, &params, args, 3), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "takes 4 arguments, and 3 were given");
    REQUIRE(!b);
    REQUIRE_FAILS(runcu_bound_create(&b, NULL, &params, args, 4), RUNCU_ERROR_ARGUMENT, "function");
    REQUIRE_FAILS(runcu_bound_create(&b, f, NULL, args, 4), RUNCU_ERROR_ARGUMENT, "params");
    REQUIRE_FAILS(runcu_bound_create(&b, f, &params, NULL, 4), RUNCU_ERROR_ARGUMENT, "args");
    REQUIRE_FAILS(runcu_bound_create(NULL, f, &params, args, 4), RUNCU_ERROR_ARGUMENT, "out");
    end(f);
}

static void bound_bytes_and_memory_are_not_read_again(void)
{
    static const size_t sized[] = {4, 24, 0};
    runcu_bound *b;
    runcu_mem *mem;
    start();
    runcu_function *f = get("struct");
    sizes = sized;
    runcu_launch_params params = shape(1, 1);
    unsigned char *block = malloc(24);
    memset(block, 0x42, 24);
    runcu_arg args[] = {runcu_arg_of(1), runcu_struct(block, 24)}, two = runcu_arg_of(2);
    REQUIRE_OK(runcu_bound_create(&b, f, &params, args, 2));
    free(block);
    REQUIRE_OK(runcu_bound_set(b, 0, &two));
    REQUIRE_OK(runcu_bound_set(b, 0, &two));
    REQUIRE_OK(runcu_bound_launch(b));
    for (int i = 4; i < 28; i++)
        REQUIRE_INT(bytes[i], ==, 0x42);
    runcu_bound_destroy(&b);
    runcu_function_release(&f);
    f = get("mix");
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    runcu_arg mixed[] = {runcu_arg_of(mem), runcu_arg_of(1), runcu_arg_of(1.0), runcu_address(0)};
    REQUIRE_OK(runcu_bound_create(&b, f, &params, mixed, 4));
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_arg null = runcu_address(0);
    REQUIRE_OK(runcu_bound_set(b, 0, &null));
    REQUIRE_OK(runcu_bound_launch(b));
    runcu_bound_destroy(&b);
    end(f);
}

static void a_bound_launch_keeps_its_kernel(void)
{
    runcu_bound *b;
    start();
    runcu_function *f = get("nothing");
    runcu_launch_params params = shape(1, 1);
    REQUIRE_OK(runcu_bound_create(&b, f, &params, NULL, 0));
    runcu_function_release(&f);
    runcu_module_release(&module);
    REQUIRE_OK(runcu_bound_launch(b));
    REQUIRE_STR(last.kernel, "nothing");
    runcu_bound_destroy(&b);
    REQUIRE_INT(core_live_objects, ==, 0);
    REQUIRE_INT(fake.state->live_modules, ==, 0);
}

static float doubled;

static void read_it(const struct fake_launch *l)
{
    float *at;
    memcpy(&at, l->params[0], sizeof at);
    *at *= 2;
    doubled = *at;
}

static void *launch_bound(void *bound)
{
    for (int i = 0; i < 50; i++)
        REQUIRE_OK(runcu_bound_launch(bound));
    return NULL;
}

static void host_memory_travels_at_each_bound_launch(void)
{
    float x = 1;
    pthread_t threads[2];
    runcu_bound *b;
    start();
    runcu_function *f = get("mix");
    runcu_launch_params params = shape(1, 1);
    fake.state->on_launch = read_it;
    runcu_arg args[] = {runcu_inout(&x, sizeof x), runcu_arg_of(1), runcu_arg_of(1.0),
                        runcu_address(0)};
    REQUIRE_OK(runcu_bound_create(&b, f, &params, args, 4));
    for (int i = 0; i < 3; i++)
        REQUIRE_OK(runcu_bound_launch(b));
    REQUIRE_NEAR(x, 8, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    runcu_bound_destroy(&b);
    fake.state->on_launch = NULL;
    REQUIRE_OK(runcu_bound_create(&b, f, &params, args, 4));
    for (int i = 0; i < 2; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, launch_bound, b), ==, 0);
    for (int i = 0; i < 2; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), ==, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    runcu_bound_destroy(&b);
    end(f);
}

/* --- attributes --- */

static void attributes_reach_the_driver(void)
{
    start();
    runcu_function *f = get("nothing");
    runcu_launch_params params = shape(2, 32);
    REQUIRE_OK(runcu_launch_args(f, &params, NULL, 0));
    REQUIRE(!last.config);
    REQUIRE_OK(runcu_launch_args(f, &(runcu_launch_params){.size = sizeof params}, NULL, 0));
    params.attributes = RUNCU_LAUNCH_COOPERATIVE | RUNCU_LAUNCH_CLUSTER |
                        RUNCU_LAUNCH_PROGRAMMATIC | RUNCU_LAUNCH_PRIORITY | RUNCU_LAUNCH_CARVEOUT;
    params.priority = -3;
    params.carveout = 50;
    REQUIRE_OK(runcu_launch_args(f, &params, NULL, 0));
    REQUIRE(last.config != NULL);
    REQUIRE_INT(attribute_count, ==, 5);
    REQUIRE_INT(attributes[0].id, ==, CU_LAUNCH_ATTRIBUTE_COOPERATIVE);
    REQUIRE_INT(attributes[0].value.cooperative, ==, 1);
    REQUIRE_INT(attributes[1].id, ==, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
    REQUIRE_INT(attributes[1].value.clusterDim.x, ==, 1); /* nought counts as one */
    REQUIRE_INT(attributes[1].value.clusterDim.z, ==, 1);
    REQUIRE_INT(attributes[2].id, ==, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
    REQUIRE_INT(attributes[3].value.priority, ==, -3);
    REQUIRE_INT(attributes[4].value.sharedMemCarveout, ==, 50);
    params.carveout = 101;
    REQUIRE_FAILS(runcu_launch_args(f, &params, NULL, 0), RUNCU_ERROR_ARGUMENT, "0 to 100");
    params.attributes = 1 << 20;
    REQUIRE_FAILS(runcu_launch_args(f, &params, NULL, 0), RUNCU_ERROR_ARGUMENT, "unknown");
    /* an older caller's struct has none */
    params.size = offsetof(runcu_launch_params, attributes);
    REQUIRE_OK(runcu_launch_args(f, &params, NULL, 0));
    REQUIRE(!last.config);
    end(f);
}

static void refused_attributes_are_explained(void)
{
    runcu_error e;
    start();
    runcu_function *f = get("nothing");
    REQUIRE_OK(runcu_launch(f, runcu_cooperative(shape(2, 1024))));
    REQUIRE_FAILS(runcu_launch(f, runcu_cooperative(shape(1000, 1024))), RUNCU_ERROR_LAUNCH_SHAPE,
                  "cuLaunchKernelEx failed: too many blocks in cooperative launch");
    runcu_error_get(&e);
    REQUIRE_INT(e.code, ==, CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    runcu_launch_params params = shape(4, 32);
    params.attributes = RUNCU_LAUNCH_CLUSTER;
    params.cluster.x = 2;
    REQUIRE_FAILS(runcu_launch_args(f, &params, NULL, 0), RUNCU_ERROR_LAUNCH_SHAPE,
                  "clusters of blocks need compute capability 9.0");
    end(f);
}

/* --- shared memory that somebody else takes away --- */

static void shared_memory_is_asked_for_again(void)
{
    start();
    runcu_function *f = get("nothing"), *same = get("nothing");
    REQUIRE_OK(runcu_launch(f, runcu_on(shape(1, 1), NULL, 100 << 10)));
    fake.state->dynamic_shared = 0; /* another library */
    REQUIRE_OK(runcu_launch(f, runcu_on(shape(1, 1), NULL, 100 << 10)));
    REQUIRE_INT(fake.state->dynamic_shared, ==, 100 << 10);
    REQUIRE_OK(runcu_launch(same, runcu_on(shape(1, 1), NULL, 60 << 10)));
    REQUIRE_INT(fake.state->dynamic_shared, ==, 100 << 10); /* not lowered */
    REQUIRE_OK(
        runcu_function_set_attribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 50 << 10));
    REQUIRE_INT(fake.state->dynamic_shared, ==, 50 << 10);
    REQUIRE_OK(runcu_launch(f, runcu_on(shape(1, 1), NULL, 100 << 10)));
    runcu_function_release(&same);
    end(f);
}

/* --- history --- */

static int fault(runcu_function *f)
{
    fake.fail("cuLaunchKernel", CUDA_ERROR_ILLEGAL_ADDRESS, 1);
    runcu_launch_params params = shape(1, 1);
    int status = runcu_launch_args(f, &params, NULL, 0);
    fake.fail("cuLaunchKernel", 0, 0);
    return status;
}

static void faults_tell_of_the_last_launches(void)
{
    start();
    runcu_function *f = get("mix"), *g = get("value"), *n = get("nothing");
    REQUIRE_OK(runcu_launch(f, shape(4, 256), runcu_address(0x1000), -7, 2.5, runcu_address(0)));
    REQUIRE_OK(runcu_launch(g, runcu_on(RUNCU_GRID(1, 2, 1, 8, 8, 1), NULL, 512), 1, 200, 5));
    runcu_launch_params params = shape(2, 3000);
    REQUIRE(runcu_launch_args(n, &params, NULL, 0) != 0); /* refused, so not one of them */
    REQUIRE_STR(runcu_error_launches(), "");
    runcu_function_release(&g); /* what it did is still known */
    REQUIRE_FAILS(fault(n), RUNCU_ERROR_DRIVER,
                  "The last launches in the context, the newest first: "
                  "value<<<(1, 2, 1), (8, 8, 1), 512>>>(true, 200, 5); "
                  "mix<<<4, 256>>>(0x1000, -7, 2.5, 0).");
    REQUIRE_STR(runcu_error_launches(), "value<<<(1, 2, 1), (8, 8, 1), 512>>>(true, 200, 5)\n"
                                        "mix<<<4, 256>>>(0x1000, -7, 2.5, 0)\n");
    for (int i = 1; i <= 20; i++)
        REQUIRE_OK(runcu_launch(n, shape((unsigned) i, 1)));
    REQUIRE_FAILS(fault(n), RUNCU_ERROR_DRIVER,
                  "nothing<<<20, 1>>>(); nothing<<<19, 1>>>(); nothing<<<18, 1>>>(); ....");
    int lines = 0;
    for (const char *c = runcu_error_launches(); *c; c++)
        lines += *c == '\n';
    REQUIRE_INT(lines, ==, CORE_HISTORY);
    params.size = 1; /* of another failure nothing is told */
    REQUIRE(runcu_bound_launch(NULL) != 0);
    REQUIRE_STR(runcu_error_launches(), "");
    runcu_function_release(&f);
    end(n);
}

static void large_and_unknown_arguments_are_told_in_part(void)
{
    static unsigned char big[8192];
    start();
    runcu_function *f = get("huge"), *g = get("struct"), *n = get("nothing");
    REQUIRE_OK(runcu_launch(f, shape(1, 1), runcu_struct(big, sizeof big), 9));
    REQUIRE_OK(runcu_launch(g, shape(1, 1), 3, runcu_struct(big, 24)));
    REQUIRE(fault(n) != 0);
    REQUIRE_STR(runcu_error_launches(),
                "struct<<<1, 1>>>(3, {24 bytes})\nhuge<<<1, 1>>>(..., ...)\n");
    runcu_function_release(&f);
    runcu_function_release(&g);
    end(n);
}

static void *launch_and_forget(void *unused)
{
    (void) unused;
    for (int i = 0; i < 8; i++) {
        runcu_function *f = get(i % 2 ? "nothing" : "value");
        if (i % 2)
            REQUIRE_OK(runcu_launch(f, shape(1, 1)));
        else
            REQUIRE_OK(runcu_launch(f, shape(1, 1), 1, 2, 3));
        runcu_function_release(&f);
    }
    return NULL;
}

static void threads_launch_and_fail_at_once(void)
{
    pthread_t threads[4];
    start();
    fake.state->on_launch = NULL;
    runcu_function *n = get("nothing");
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, launch_and_forget, NULL), ==, 0);
    for (int i = 0; i < 50; i++) {
        REQUIRE(runcu_bound_launch(NULL) != 0);
        REQUIRE_INT(core_live_objects, >, 0);
    }
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), ==, 0);
    REQUIRE(fault(n) != 0);
    REQUIRE_IN("<<<1, 1>>>(", runcu_error_launches());
    end(n);
}

/* --- occupancy --- */

static size_t of_block(void *user, int block)
{
    return *(size_t *) user * (size_t) block;
}

static void block_sizes_are_suggested(void)
{
    int block, blocks;
    size_t each = 16;
    start();
    runcu_function *f = get("nothing");
    REQUIRE_OK(runcu_function_suggest_block(&block, &blocks, f, NULL));
    REQUIRE_INT(block, ==, 1024);
    REQUIRE_INT(blocks, ==, 2);
    runcu_suggest_params params = {.size = sizeof params, .shared_of = of_block, .user = &each};
    REQUIRE_OK(runcu_function_suggest_block(&block, NULL, f, &params));
    REQUIRE_INT(block, ==, 256);
    params.limit = 100;
    REQUIRE_OK(runcu_function_suggest_block(&block, &blocks, f, &params));
    REQUIRE_INT(block, ==, 100);
    fake.fail("cuOccupancyMaxPotentialBlockSize", CUDA_ERROR_INVALID_VALUE, 1);
    REQUIRE_FAILS(runcu_function_suggest_block(&block, &blocks, f, &params), RUNCU_ERROR_DRIVER,
                  "cuOccupancyMaxPotentialBlockSize failed");
    REQUIRE_INT(block, ==, 0);
    end(f);
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    unsetenv("CUDA_DEVICE");
    setenv("HOME", "/nowhere", 1);
    RUN_ALONE(bound_arguments_stay_until_they_are_replaced);
    RUN_ALONE(what_does_not_fit_leaves_a_bound_launch_as_it_was);
    RUN_ALONE(bound_bytes_and_memory_are_not_read_again);
    RUN_ALONE(a_bound_launch_keeps_its_kernel);
    RUN_ALONE(host_memory_travels_at_each_bound_launch);
    RUN_ALONE(attributes_reach_the_driver);
    RUN_ALONE(refused_attributes_are_explained);
    RUN_ALONE(shared_memory_is_asked_for_again);
    RUN_ALONE(faults_tell_of_the_last_launches);
    RUN_ALONE(large_and_unknown_arguments_are_told_in_part);
    RUN_ALONE(threads_launch_and_fail_at_once);
    RUN_ALONE(block_sizes_are_suggested);
    return 0;
}

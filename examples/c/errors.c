/* What mistakes look like: each function makes one, and what runcu says is printed. On a GPU it is
 * the same but for the last, where the driver knows less.
 *
 * Build: cc errors.c $(pkg-config --cflags --libs runcu) */
#include <runcu/runcu.h>
#include <stdio.h>

static const char source[] = "__global__ void shift(const float *x, float *y, int n, int by)\n"
                             "{\n"
                             "    int i = threadIdx.x;\n"
                             "    if (i < n)\n"
                             "        y[i] = x[i + by];\n"
                             "}\n"
                             "__global__ void clear(float *x) { x[threadIdx.x] = 0; }\n"
                             "__global__ void clear(int *x) { x[threadIdx.x] = 0; }\n";

struct world {
    runcu_module *module;
    runcu_function *shift;
    runcu_mem *x, *y;
};

/* The compiler's messages as structs, for programs that show them in a way of their own. */
static int source_that_does_not_compile(struct world *world)
{
    runcu_program *program = NULL;
    size_t count = 0;
    int status =
        runcu_program_compile(&program, "__global__ void f(float *x)\n{\n    x[0] = y;\n}\n", NULL);
    const runcu_diagnostic *found = program ? runcu_program_diagnostics(program, &count) : NULL;
    (void) world;
    for (size_t i = 0; i < count; i++)
        printf("line %u: %s\n", found[i].line, found[i].text);
    runcu_program_destroy(&program);
    return status;
}

static int option_that_nvrtc_does_not_know(struct world *world)
{
    const char *options[] = {"--make-it-fast"};
    runcu_program_params params = {0};
    runcu_module *module = NULL;
    (void) world;
    params.size = sizeof params;
    params.options = options;
    params.option_count = 1;
    int status = runcu_module_compile(&module, source, &params);
    runcu_module_release(&module);
    return status;
}

static int name_that_is_not_there(struct world *world)
{
    runcu_function *function = NULL;
    return runcu_module_get_function(&function, world->module, "shfit");
}

static int name_of_two_kernels(struct world *world)
{
    runcu_function *function = NULL;
    return runcu_module_get_function(&function, world->module, "clear");
}

static int argument_too_few(struct world *world)
{
    return runcu_launch(world->shift, RUNCU_THREADS(64), world->x, world->y, 64);
}

static int number_where_a_pointer_stands(struct world *world)
{
    return runcu_launch(world->shift, RUNCU_THREADS(64), 1.5f, world->y, 64, 0);
}

static int number_that_does_not_fit(struct world *world)
{
    return runcu_launch(world->shift, RUNCU_THREADS(64), world->x, world->y, 1LL << 40, 0);
}

static int block_that_is_too_large(struct world *world)
{
    return runcu_launch(world->shift, RUNCU_GRID(1, 1, 1, 4096, 1, 1), world->x, world->y, 64, 0);
}

static int copy_beyond_the_end(struct world *world)
{
    float values[100] = {0};
    return runcu_copy_htod(runcu_mem_address(world->x), values, sizeof values);
}

static int stream_that_was_closed(struct world *world)
{
    runcu_stream *stream = NULL;
    int status = runcu_stream_create(&stream, 0, 0);
    runcu_stream_close(stream);
    if (status == 0)
        status = runcu_launch(world->shift, runcu_on(RUNCU_THREADS(64), stream, 0), world->x,
                              world->y, 64, 0);
    runcu_stream_destroy(&stream);
    return status;
}

static int device_that_is_not_there(struct world *world)
{
    runcu_device *device = NULL;
    (void) world;
    return runcu_device_open(&device, "cpu", 7);
}

/* Found while the kernel runs: the launch itself succeeds. A context of a GPU is lost by it. */
static int kernel_that_reads_what_is_not_its_own(struct world *world)
{
    int status = runcu_launch(world->shift, RUNCU_THREADS(64), world->x, world->y, 64, 1 << 30);
    return status ? status : runcu_context_synchronize(NULL);
}

static const struct {
    const char *what;
    int (*make)(struct world *world);
} mistakes[] = {
    {"a source that does not compile", source_that_does_not_compile},
    {"an option that NVRTC does not know", option_that_nvrtc_does_not_know},
    {"a name that is not there", name_that_is_not_there},
    {"a name of two kernels", name_of_two_kernels},
    {"an argument too few", argument_too_few},
    {"a number where a pointer stands", number_where_a_pointer_stands},
    {"a number that does not fit", number_that_does_not_fit},
    {"a block that is too large", block_that_is_too_large},
    {"a copy beyond the end", copy_beyond_the_end},
    {"a stream that was closed", stream_that_was_closed},
    {"a device that is not there", device_that_is_not_there},
    {"a kernel that reads what is not its own", kernel_that_reads_what_is_not_its_own},
};

int main(void)
{
    struct world world = {0};
    int failed = runcu_module_compile(&world.module, source, NULL) ||
                 runcu_module_get_function(&world.shift, world.module, "shift") ||
                 runcu_mem_alloc(&world.x, 64 * sizeof(float)) ||
                 runcu_mem_alloc(&world.y, 64 * sizeof(float));
    if (failed)
        fprintf(stderr, "%s\n", runcu_error_text());
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0] && !failed; i++) {
        printf("--- %s\n", mistakes[i].what);
        int status = mistakes[i].make(&world);
        failed = status == 0; /* each of them is a mistake */
        printf("%s: %s\n\n", runcu_status_text(status), runcu_error_text());
    }
    runcu_mem_free(&world.x);
    runcu_mem_free(&world.y);
    runcu_function_release(&world.shift);
    runcu_module_release(&world.module);
    return failed;
}

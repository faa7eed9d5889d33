/* Waits for a GPU that the program may interrupt, on a driver whose streams and events are done
 * when the test says so. */
#include <pthread.h>

#include "core/core.h"
#include "test.h"

#include "fake_driver.h"

static struct fake fake;
static int asked, finish_at, stop_at; /* which question ends the kernel, or the wait */

static const char ptx[] = ".version 8.0\n.target sm_75\n.address_size 64\n"
                          ".visible .entry k(.param .u32 k_0)\n{\n ret;\n}\n";

static void kernel_runs(void)
{
    fake.fail("cuStreamQuery", CUDA_ERROR_NOT_READY, 1);
    fake.fail("cuEventQuery", CUDA_ERROR_NOT_READY, 1);
}

static void kernel_ends(void)
{
    fake.fail("cuStreamQuery", 0, 1);
    fake.fail("cuEventQuery", 0, 1);
}

static int ask(void *user)
{
    REQUIRE(user == &fake);
    asked++;
    if (asked == finish_at)
        kernel_ends();
    return asked == stop_at;
}

static void start(void)
{
    fake = fake_open("FAKE_DRIVER");
    REQUIRE_OK(runcu_init(fake.path));
    REQUIRE_OK(runcu_set_interrupt(ask, &fake));
}

static void launch(void)
{
    runcu_module *module;
    runcu_function *function;
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
    REQUIRE_OK(runcu_launch(function, RUNCU_THREADS(1), 1));
    runcu_function_release(&function);
    kernel_runs();
    runcu_module_release(&module);
}

static const char printing_ptx[] =
    ".version 8.0\n.target sm_75\n.address_size 64\n"
    ".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);\n"
    ".visible .entry k(.param .u32 k_0)\n{\n ret;\n}\n";
static char heard[256];

static void on_print(void *user, const char *text, size_t len)
{
    REQUIRE(user == &fake);
    REQUIRE(strlen(heard) + len < sizeof heard);
    strncat(heard, text, len);
}

static void say(void)
{
    REQUIRE(write(STDOUT_FILENO, "kernel\n", 7) == 7);
}

/* Standard output as a pipe; what is written there is read at the end. */
static int open_pipe(void)
{
    int ends[2];
    fflush(stdout);
    REQUIRE(pipe(ends) == 0 && dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
    close(ends[1]);
    return ends[0];
}

static void close_pipe(int end, const char *expected)
{
    char text[512] = "";
    REQUIRE(write(STDOUT_FILENO, ".", 1) == 1);
    REQUIRE(read(end, text, sizeof text - 1) > 0);
    REQUIRE_STR(text, expected);
}

static void what_a_gpu_prints_is_heard(void)
{
    runcu_module *module, *quiet;
    runcu_function *function, *other;
    start();
    int end = open_pipe();
    REQUIRE_OK(runcu_set_print(on_print, &fake));
    REQUIRE_OK(runcu_module_load(&quiet, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&other, quiet, "k"));
    fake.state->on_flush = say;
    REQUIRE_OK(runcu_launch(other, RUNCU_THREADS(1), 1));
    REQUIRE_OK(runcu_context_synchronize(NULL)); /* nobody listens: no kernel prints */
    REQUIRE_STR(heard, "");
    fake.state->on_flush = NULL;
    REQUIRE_OK(runcu_module_load(&module, printing_ptx, sizeof printing_ptx));
    REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
    REQUIRE_OK(runcu_launch(function, RUNCU_THREADS(1), 1));
    fake.state->on_flush = say;
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_STR(heard, "kernel\n");
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE_STR(heard, "kernel\nkernel\n");
    REQUIRE_OK(runcu_launch(other, RUNCU_THREADS(1), 1));
    REQUIRE_STR(heard, "kernel\nkernel\nkernel\n");
    REQUIRE_OK(runcu_set_print(NULL, NULL));
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE_STR(heard, "kernel\nkernel\nkernel\n");
    fake.state->on_flush = NULL;
    close_pipe(end, "kernel\nkernel\nkernel\n."); /* the quiet kernel's, and the last */
    runcu_function_release(&function);
    runcu_function_release(&other);
    runcu_module_release(&module);
    runcu_module_release(&quiet);
}

static void nobody_is_asked_unless_somebody_wants_it(void)
{
    start();
    REQUIRE_OK(runcu_set_interrupt(NULL, NULL));
    runcu_module *module;
    runcu_function *function;
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
    REQUIRE_OK(runcu_launch(function, RUNCU_THREADS(1), 1));
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE_INT(fake.calls("cuStreamQuery"), ==, 0);
    REQUIRE_INT(fake.calls("cuCtxSynchronize"), ==, 1);
    runcu_function_release(&function);
    runcu_module_release(&module);
}

static void an_idle_context_is_waited_for_at_once(void)
{
    start();
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_INT(fake.calls("cuStreamQuery"), ==, 0);
    REQUIRE_INT(fake.calls("cuCtxSynchronize"), ==, 2);
    REQUIRE_INT(asked, ==, 0);
}

static void a_wait_goes_on_while_the_answer_is_no(void)
{
    start();
    finish_at = 2;
    launch();
    REQUIRE_INT(asked, ==, 2); /* the module waits to be unloaded */
    REQUIRE_INT(fake.state->live_modules, ==, 0);
    kernel_runs();
    finish_at = 4;
    REQUIRE_OK(runcu_stream_synchronize(NULL));
    REQUIRE_INT(asked, ==, 4);
    REQUIRE_INT(fake.calls("cuStreamSynchronize"), ==, 1); /* what kernels printed appears then */
}

static void an_interrupt_ends_every_wait(void)
{
    runcu_event *event;
    runcu_stream *stream;
    runcu_mem *mem;
    char byte = 0;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 1));
    REQUIRE_OK(runcu_event_create(&event, 0));
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    REQUIRE_OK(runcu_event_record(event, stream));
    stop_at = 1;
    launch();
    REQUIRE_INT(asked, ==, 1);
    REQUIRE_INT(fake.state->live_modules, ==, 1); /* its kernel runs */
    stop_at = 2;
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_INTERRUPTED,
                  "cuCtxSynchronize was interrupted\nA kernel on a GPU cannot be stopped");
    stop_at = 3;
    REQUIRE_FAILS(runcu_stream_synchronize(stream), RUNCU_ERROR_INTERRUPTED, "cuStreamSynchronize");
    stop_at = 4;
    REQUIRE_FAILS(runcu_event_synchronize(event), RUNCU_ERROR_INTERRUPTED, "cuEventSynchronize");
    for (stop_at = 5; stop_at < 7; stop_at++)
        REQUIRE_FAILS(runcu_copy_dtoh(&byte, runcu_mem_address(mem), 1), RUNCU_ERROR_INTERRUPTED,
                      "cuMemcpyDtoH");
    REQUIRE_FAILS(runcu_copy_htod(runcu_mem_address(mem), &byte, 1), RUNCU_ERROR_INTERRUPTED,
                  "cuMemcpyHtoD");
    stop_at = 8; /* the driver waits for the stream before plain memory is written */
    REQUIRE_FAILS(runcu_copy_dtoh_async(&byte, runcu_mem_address(mem), 1, stream),
                  RUNCU_ERROR_INTERRUPTED, "cuMemcpyDtoHAsync");
    REQUIRE_INT(fake.calls("cuMemcpyDtoHAsync"), ==, 0);
    REQUIRE_OK(runcu_copy_htod_async(runcu_mem_address(mem), &byte, 1, stream)); /* taken at once */
    REQUIRE_INT(fake.calls("cuCtxSynchronize"), ==, 0);
    REQUIRE_INT(fake.calls("cuMemcpyDtoH"), ==, 0);
    REQUIRE_OK(runcu_mem_free(&mem)); /* nobody waits again for what is left to itself */
    REQUIRE_INT(fake.state->live_memory, ==, 1);
    REQUIRE_OK(runcu_synchronize_all());
    REQUIRE_INT(asked, ==, 8);
    kernel_ends();
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_INT(fake.state->live_modules, ==, 0);
    runcu_event_destroy(&event);
    runcu_stream_destroy(&stream);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void freeing_is_a_wait_too(void)
{
    runcu_mem *mem, *host;
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 1));
    REQUIRE_OK(runcu_mem_alloc_host(&host, 1, 0));
    finish_at = 1;
    launch();
    runcu_module *module;
    runcu_function *function;
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
    REQUIRE_OK(runcu_launch(function, RUNCU_THREADS(1), 1));
    kernel_runs();
    stop_at = 2;
    REQUIRE_FAILS(runcu_mem_free(&mem), RUNCU_ERROR_INTERRUPTED, "was interrupted");
    REQUIRE(!mem);
    REQUIRE_OK(runcu_mem_free(&host));
    REQUIRE_INT(fake.state->live_memory, ==, 2);
    kernel_ends();
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_OK(runcu_mem_alloc(&mem, 1));
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    runcu_function_release(&function);
    runcu_module_release(&module);
}

static void results_are_not_awaited_after_an_interrupt(void)
{
    static const char takes[] = ".version 8.0\n.target sm_75\n.address_size 64\n"
                                ".visible .entry k(.param .u64 .ptr .global k_0)\n{\n ret;\n}\n";
    runcu_module *module;
    runcu_function *function;
    int result = 5;
    start();
    REQUIRE_OK(runcu_module_load(&module, takes, sizeof takes));
    REQUIRE_OK(runcu_module_get_function(&function, module, "k"));
    kernel_runs();
    stop_at = 1;
    REQUIRE_FAILS(runcu_launch(function, RUNCU_THREADS(1), runcu_out(&result, sizeof result)),
                  RUNCU_ERROR_INTERRUPTED, "was interrupted");
    REQUIRE_INT(result, ==, 5);
    REQUIRE_INT(fake.state->live_memory, ==, 1);
    kernel_ends();
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    runcu_function_release(&function);
    runcu_module_release(&module);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void a_context_whose_kernel_runs_on_is_not_destroyed(void)
{
    runcu_context *context;
    runcu_device *device;
    runcu_mem *mem;
    start();
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_OK(runcu_mem_alloc(&mem, 1));
    stop_at = 1;
    launch();
    REQUIRE_OK(runcu_mem_free(&mem));
    stop_at = 2;
    REQUIRE_FAILS(runcu_context_detach(context), RUNCU_ERROR_INTERRUPTED, "was interrupted");
    REQUIRE_INT(fake.state->live_contexts, ==, 1);
    runcu_context_release(&context);
    REQUIRE_INT(core_live_objects, ==, 0); /* ours go, the driver's stay */
}

int main(void)
{
    RUN_ALONE(what_a_gpu_prints_is_heard);
    RUN_ALONE(nobody_is_asked_unless_somebody_wants_it);
    RUN_ALONE(an_idle_context_is_waited_for_at_once);
    RUN_ALONE(a_wait_goes_on_while_the_answer_is_no);
    RUN_ALONE(an_interrupt_ends_every_wait);
    RUN_ALONE(freeing_is_a_wait_too);
    RUN_ALONE(results_are_not_awaited_after_an_interrupt);
    RUN_ALONE(a_context_whose_kernel_runs_on_is_not_destroyed);
    return 0;
}

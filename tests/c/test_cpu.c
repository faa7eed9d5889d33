/* Core over the CPU device, where the two have to agree: faults with their place, interrupts, what
 * happens at exit, after a fork and when the library is closed. */
#include <dlfcn.h>
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"

static const char ptx[] =
    ".version 7.0\n.target sm_75\n.address_size 64\n"
    ".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n"
    ".global .align 1 .b8 text[4] = {104, 105, 10, 0};\n"
    ".visible .entry say()\n{\n"
    "  .reg .b64 %rd<3>;\n  .reg .b32 %r<2>;\n"
    "  mov.u64 %rd1, text;\n  cvta.global.u64 %rd2, %rd1;\n  mov.u64 %rd1, 0;\n"
    "  {\n  .param .b64 p0;\n  st.param.b64 [p0+0], %rd2;\n  .param .b64 p1;\n  st.param.b64 "
    "[p1+0], %rd1;\n"
    "  .param .b32 rv;\n  call.uni (rv), vprintf, (p0, p1);\n  ld.param.b32 %r1, [rv+0];\n  }\n  "
    "ret;\n}\n"
    ".visible .entry _Z5storePii(.param .u64 a, .param .u32 i)\n{\n"
    "  .reg .b64 %rd<4>;\n  .reg .b32 %r<2>;\n"
    "  ld.param.u64 %rd1, [a];\n  ld.param.u32 %r1, [i];\n  mul.wide.s32 %rd2, %r1, 4;\n"
    "  add.s64 %rd3, %rd1, %rd2;\n  st.global.u32 [%rd3], %r1;\n  ret;\n}\n"
    ".visible .entry spin()\n{\n$L:\n  bra.uni $L;\n}\n";

static runcu_module *module;
static runcu_function *say, *store, *spin;

static void start(void)
{
    REQUIRE_OK(runcu_init("cpu"));
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&say, module, "say"));
    REQUIRE_OK(runcu_module_get_function(&store, module, "store"));
    REQUIRE_OK(runcu_module_get_function(&spin, module, "spin"));
}

static void end(void)
{
    runcu_function_release(&say);
    runcu_function_release(&store);
    runcu_function_release(&spin);
    runcu_module_release(&module);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static void results_come_back(void)
{
    int x[4] = {9, 9, 9, 9};
    start();
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 2));
    REQUIRE_INT(x[2], ==, 2);
    REQUIRE_INT(x[1] + x[3], ==, 18);
    end();
}

static void handles_of_others_are_wrapped(void)
{
    int x[4] = {9, 9, 9, 9};
    runcu_module *m;
    runcu_function *f, *g;
    start();
    REQUIRE_OK(runcu_function_wrap(&f, runcu_function_handle(store)));
    REQUIRE_STR(runcu_function_symbol(f), "_Z5storePii");
    REQUIRE_OK(runcu_launch(f, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 2));
    REQUIRE_INT(x[2], ==, 2);
    REQUIRE_FAILS(runcu_launch(f, RUNCU_THREADS(1), 1), RUNCU_ERROR_LAUNCH_ARGUMENT, "takes 2");
    REQUIRE_OK(runcu_module_wrap(&m, runcu_module_handle(module)));
    REQUIRE_OK(runcu_module_get_function(&g, m, "_Z5storePii"));
    runcu_module_release(&m); /* which does not unload it */
    REQUIRE_OK(runcu_launch(g, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 3));
    REQUIRE_INT(x[3], ==, 3);
    runcu_function_release(&g);
    runcu_function_release(&f);
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 1));
    REQUIRE_FAILS(runcu_function_wrap(&f, 0), RUNCU_ERROR_ARGUMENT, "no kernel");
    REQUIRE_FAILS(runcu_module_wrap(&m, 0), RUNCU_ERROR_ARGUMENT, "no module");
    REQUIRE_FAILS(runcu_function_wrap(&f, 12345), RUNCU_ERROR_DRIVER, "cuFuncGetModule failed");
    end();
}

static void a_fault_tells_its_place_and_the_next_context_works(void)
{
    runcu_context *context;
    runcu_device *device;
    runcu_mem *mem;
    REQUIRE_OK(runcu_device_open(&device, "cpu", 0));
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    start();
    REQUIRE_OK(runcu_mem_alloc(&mem, 16));
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), mem, 4));
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_DRIVER,
                  "cuCtxSynchronize failed: an illegal memory access was encountered\n");
    REQUIRE_IN("16-byte allocation", runcu_error_text());
    REQUIRE_IN("store", runcu_error_text());
    REQUIRE_OK(runcu_context_pop());
    runcu_mem_free(&mem);
    runcu_context_release(&context);
    end();
    results_come_back();
}

static void a_fault_under_a_host_array_writes_nothing_back(void)
{
    int x[4] = {9, 9, 9, 9};
    start();
    REQUIRE_FAILS(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 4),
                  RUNCU_ERROR_DRIVER, "an illegal memory access");
    REQUIRE_INT(x[0] + x[3], ==, 18);
    end();
}

static int stop(void *user)
{
    return ++*(int *) user >= 2;
}

static void an_interrupt_ends_a_wait_and_the_next_launch_works(void)
{
    int asked = 0, x[1] = {5};
    start();
    REQUIRE_OK(runcu_set_interrupt(stop, &asked));
    REQUIRE_OK(runcu_launch(spin, RUNCU_THREADS(64)));
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_INTERRUPTED, "interrupted");
    REQUIRE_OK(runcu_set_interrupt(NULL, NULL));
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 0));
    REQUIRE_INT(x[0], ==, 0);
    end();
}

/* Runs `child` with its standard output in `out`. */
static void capture(char *out, size_t room, void (*child)(void))
{
    int ends[2], status = -1;
    size_t len = 0;
    ssize_t n;
    REQUIRE_INT(pipe(ends), ==, 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        child();
        exit(0);
    }
    close(ends[1]);
    while ((n = read(ends[0], out + len, room - 1 - len)) > 0)
        len += (size_t) n;
    out[len] = 0;
    close(ends[0]);
    REQUIRE_INT(waitpid(pid, &status, 0), ==, pid);
    REQUIRE_INT(status, ==, 0);
}

static void launch_and_leave(void)
{
    start();
    REQUIRE_OK(runcu_launch(say, RUNCU_GRID(1, 1, 1, 2, 1, 1)));
}

static void what_kernels_printed_appears_at_exit(void)
{
    char out[64];
    capture(out, sizeof out, launch_and_leave);
    REQUIRE_STR(out, "hi\nhi\n");
}

static void tell(void *user, int level, const char *category, const char *text)
{
    (void) user, (void) level;
    printf("%s: %.60s\n", category, text);
}

static void fault_and_leave(void)
{
    runcu_mem *mem;
    start();
    runcu_set_log(tell, NULL);
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), mem, 1 << 28));
}

static void a_fault_nobody_waited_for_is_logged_at_exit(void)
{
    char out[256];
    capture(out, sizeof out, fault_and_leave);
    REQUIRE_IN("cleanup: at exit: cuCtxSynchronize failed: an illegal memory", out);
}

static void keep_print(void *user, const char *text, size_t len)
{
    strncat(user, text, len);
}

static void printing_goes_where_it_is_sent(void)
{
    char text[64] = "";
    start();
    REQUIRE_OK(runcu_set_print(keep_print, text));
    REQUIRE_OK(runcu_launch(say, RUNCU_GRID(1, 1, 1, 3, 1, 1)));
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_OK(runcu_set_print(NULL, NULL));
    REQUIRE_STR(text, "hi\nhi\nhi\n");
    end();
}

static void a_child_goes_on(void)
{
    int x[1] = {5}, status = -1;
    start();
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 0));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        x[0] = 7;
        REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 0));
        REQUIRE_INT(x[0], ==, 0);
        exit(0);
    }
    REQUIRE_INT(waitpid(pid, &status, 0), ==, pid);
    REQUIRE_INT(status, ==, 0);
    REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), 0));
    end();
}

static void *work(void *unused)
{
    (void) unused;
    for (int i = 0; i < 50; i++) {
        int x[4] = {9, 9, 9, 9};
        REQUIRE_OK(runcu_launch(store, RUNCU_THREADS(1), runcu_inout(x, sizeof x), i % 4));
        REQUIRE_INT(x[i % 4], ==, i % 4);
    }
    return NULL;
}

static void threads_launch_side_by_side(void)
{
    pthread_t threads[4];
    start();
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, work, NULL), ==, 0);
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), ==, 0);
    end();
}

static void drop_print(void *user, const char *text, size_t len)
{
    (void) user, (void) text, (void) len;
}

/* A function of the library that was opened, which is not the one this program is linked with. */
#define GET(name)                                \
    __typeof__(name) *name##_there;              \
    void *name##_symbol = dlsym(library, #name); \
    REQUIRE(name##_symbol);                      \
    memcpy(&name##_there, &name##_symbol, sizeof name##_there)

static void use_library(void *library)
{
    runcu_module *m;
    runcu_function *f;
    runcu_launch_params shape = RUNCU_THREADS(4096); /* enough for every worker to wake up */
    GET(runcu_init);
    GET(runcu_module_load);
    GET(runcu_module_get_function);
    GET(runcu_launch_args);
    GET(runcu_set_print);
    REQUIRE_INT(runcu_init_there("cpu"), ==, 0);
    REQUIRE_INT(runcu_set_print_there(drop_print, NULL), ==, 0);
    REQUIRE_INT(runcu_module_load_there(&m, ptx, sizeof ptx), ==, 0);
    REQUIRE_INT(runcu_module_get_function_there(&f, m, "say"), ==, 0);
    REQUIRE_INT(runcu_launch_args_there(f, &shape, NULL, 0), ==, 0);
    REQUIRE_INT(runcu_init_there("nothing"), <, 0); /* leaves a record in this thread */
}

static void *use_library_and_stay(void *barriers)
{
    pthread_barrier_t *b = barriers;
    void *library = dlopen(getenv("RUNCU_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    use_library(library);
    dlclose(library);
    pthread_barrier_wait(&b[0]); /* used */
    pthread_barrier_wait(&b[1]); /* closed */
    return NULL;
}

/* A thread that has a record ends after the library has gone. */
static void the_library_can_be_closed(void)
{
    pthread_barrier_t barriers[2];
    pthread_t thread;
    for (int round = 0; round < 3; round++) {
        void *library = dlopen(getenv("RUNCU_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
        if (!library)
            TEST_FAIL_("%s", dlerror());
        use_library(library);
        pthread_barrier_init(&barriers[0], NULL, 2);
        pthread_barrier_init(&barriers[1], NULL, 2);
        REQUIRE_INT(pthread_create(&thread, NULL, use_library_and_stay, barriers), ==, 0);
        pthread_barrier_wait(&barriers[0]);
        REQUIRE_INT(dlclose(library), ==, 0);
        pthread_barrier_wait(&barriers[1]);
        REQUIRE_INT(pthread_join(thread, NULL), ==, 0);
    }
}

int main(void)
{
    RUN_ALONE(results_come_back);
    RUN_ALONE(handles_of_others_are_wrapped);
    RUN_ALONE(a_fault_tells_its_place_and_the_next_context_works);
    RUN_ALONE(a_fault_under_a_host_array_writes_nothing_back);
    RUN_ALONE(an_interrupt_ends_a_wait_and_the_next_launch_works);
    RUN_ALONE(what_kernels_printed_appears_at_exit);
    RUN_ALONE(a_fault_nobody_waited_for_is_logged_at_exit);
    RUN_ALONE(printing_goes_where_it_is_sent);
    RUN_ALONE(a_child_goes_on);
    RUN_ALONE(threads_launch_side_by_side);
    RUN_ALONE(the_library_can_be_closed);
    return 0;
}

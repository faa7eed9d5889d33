/* Modules that follow their file, or the current context; on the CPU device, or with the argument
 * "cuda" on NVIDIA's driver (77 where there is none). */
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "program_rig.h"

static void save(const char *name, const char *text)
{
    char from[64];
    snprintf(from, sizeof from, "%s.new", name);
    rig_write(from, text);
    REQUIRE_INT(rename(rig_path(from), rig_path(name)), ==, 0);
}

static void save_value(int value)
{
    char text[128];
    snprintf(text, sizeof text, "__global__ void k(int *x) { *x = %d; }", value);
    save("k.cu", text);
}

static int value_of(runcu_function *f)
{
    int x = 0;
    REQUIRE_OK(runcu_launch(f, RUNCU_THREADS(1), runcu_inout(&x, sizeof x)));
    return x;
}

static runcu_module *module_of_file(runcu_function **f, unsigned interval)
{
    runcu_module *m;
    REQUIRE_OK(runcu_module_compile_file(&m, rig_path("k.cu"), NULL));
    if (interval)
        REQUIRE_OK(runcu_module_watch(m, interval));
    REQUIRE_OK(runcu_module_get_function(f, m, "k"));
    return m;
}

static void wait_for(runcu_function *f, int value)
{
    for (int i = 0; value_of(f) != value; i++) {
        REQUIRE(i < 20000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void launches_are_of_the_newest_code(void)
{
    runcu_function *f, *now;
    save_value(1);
    runcu_module *m = module_of_file(&f, 1);
    REQUIRE_INT(value_of(f), ==, 1);
    REQUIRE_INT(runcu_function_follows(f), ==, 1);
    for (int i = 2; i < 5; i++) {
        save_value(i);
        wait_for(f, i);
    }
    REQUIRE_OK(runcu_function_newest(&now, f));
    REQUIRE(now != f);
    REQUIRE_INT(runcu_function_follows(now), ==, 0);
    runcu_module_release(&m);
    REQUIRE_INT(value_of(f), ==, 4);
    save_value(5);
    wait_for(f, 5); /* the kernel keeps the module */
    runcu_function_release(&f);
}

static char written[8192];

static void keep(void *user, const char *text, size_t len)
{
    REQUIRE(user == written && len < sizeof written);
    memcpy(written, text, len);
    written[len] = 0;
}

static void what_does_not_compile_changes_nothing(void)
{
    runcu_function *f;
    int changed;
    save_value(1);
    runcu_module *m = module_of_file(&f, 1);
    REQUIRE_OK(runcu_module_reload_error(m, keep, written));
    REQUIRE_STR(written, "");
    save("k.cu", "__global__ void k(int *x) { *x = nothing; }");
    REQUIRE_INT(runcu_module_reload(m, &changed), ==, RUNCU_ERROR_COMPILE);
    REQUIRE_INT(changed, ==, 0);
    REQUIRE_OK(runcu_module_reload(m, &changed)); /* nothing new since */
    REQUIRE_OK(runcu_module_reload_error(m, keep, written));
    REQUIRE_IN("nothing", written);
    REQUIRE_INT(value_of(f), ==, 1);
    save_value(7);
    REQUIRE_OK(runcu_module_reload(m, &changed));
    REQUIRE_INT(changed, ==, 1);
    REQUIRE_INT(value_of(f), ==, 7);
    runcu_function_release(&f);
    runcu_module_release(&m);
}

static atomic_int is_over;

static void *launch_on(void *f)
{
    for (int last = 1, got; !atomic_load(&is_over); last = got) {
        got = value_of(f);
        REQUIRE(got >= last || got == 0);
    }
    return NULL;
}

static void threads_launch_meanwhile(void)
{
    pthread_t threads[3];
    runcu_function *f;
    save_value(1);
    runcu_module *m = module_of_file(&f, 1);
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, launch_on, f), ==, 0);
    for (int i = 2; i < 6; i++) {
        save_value(i);
        wait_for(f, i);
    }
    atomic_store(&is_over, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    runcu_function_release(&f);
    runcu_module_release(&m);
}

static void wrong_calls(void)
{
    runcu_module *m;
    REQUIRE_INT(runcu_module_compile_file(&m, rig_path("nothing.cu"), NULL), ==,
                RUNCU_ERROR_SYSTEM);
    REQUIRE_IN("nothing.cu", runcu_error_text());
    REQUIRE(m == NULL);
    REQUIRE_OK(runcu_module_compile(&m, "__global__ void k() {}", NULL));
    REQUIRE_INT(runcu_module_watch(m, 0), ==, RUNCU_ERROR_ARGUMENT);
    REQUIRE_INT(runcu_module_reload(m, NULL), ==, RUNCU_ERROR_ARGUMENT);
    runcu_module_release(&m);
}

static void memory_runs_out(void)
{
    int status = -1, value = 1;
    for (size_t n = 1; status; n++) {
        runcu_function *f = NULL, *now;
        runcu_module *m = NULL;
        save_value(value = 3 - value);
        REQUIRE_OK(runcu_module_compile_file(&m, rig_path("k.cu"), NULL));
        save_value(3 - value);
        alloc_fail_at(n);
        status = runcu_module_watch(m, 1);
        if (!status)
            status = runcu_module_follow_context(m);
        if (!status)
            status = runcu_module_get_function(&f, m, "k");
        if (!status)
            status = runcu_module_reload(m, NULL);
        if (!status)
            status = runcu_function_newest(&now, f);
        alloc_fail_at(0);
        if (status && status != RUNCU_ERROR_MEMORY && status != RUNCU_ERROR_DRIVER)
            TEST_FAIL_("allocation %zu: %s", n, runcu_error_text());
        runcu_function_release(&f);
        runcu_module_release(&m);
        REQUIRE_INT(n, <, 5000);
    }
}

static void contexts_have_code_and_variables_of_their_own(void)
{
    static const char source[] = "__device__ int n; __global__ void k(int *x) { *x = ++n; }";
    runcu_module *m;
    runcu_function *f;
    runcu_context *other;
    REQUIRE_OK(runcu_module_compile(&m, source, NULL));
    REQUIRE_OK(runcu_module_follow_context(m));
    REQUIRE_OK(runcu_module_get_function(&f, m, "k"));
    REQUIRE_INT(value_of(f), ==, 1);
    REQUIRE_INT(value_of(f), ==, 2);
    REQUIRE_OK(runcu_context_create(&other, runcu_context_device(runcu_module_context(m)), 0));
    int n = 40;
    REQUIRE_INT(value_of(f), ==, 1);
    REQUIRE_OK(runcu_module_write(m, "n", 0, &n, sizeof n));
    REQUIRE_INT(value_of(f), ==, 41);
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_INT(value_of(f), ==, 3);
    REQUIRE_OK(runcu_context_detach(other));
    runcu_context_release(&other);
    REQUIRE_INT(value_of(f), ==, 4);
    runcu_function_release(&f);
    runcu_module_release(&m);
}

int main(int argc, char **argv)
{
    rig_start(1);
    if (runcu_init(argc > 1 ? argv[1] : "cpu") != 0) {
        rig_end();
        return TEST_SKIPPED;
    }
    RUN(launches_are_of_the_newest_code);
    RUN(what_does_not_compile_changes_nothing);
    RUN(threads_launch_meanwhile);
    RUN(wrong_calls);
    RUN(memory_runs_out);
    RUN(contexts_have_code_and_variables_of_their_own);
    rig_end();
    return 0;
}

/* Templates: instances that are asked for with the source, and on demand; headers in memory. */
#include <pthread.h>

#include "base/alloc.h"
#include "program_rig.h"

static const char templates[] =
    "template <class T> __global__ void axpy(T a, T *x) { x[threadIdx.x] *= a; }\n"
    "namespace ns { template <int N, class T> __global__ void fill(T *x) { x[threadIdx.x] = N; } "
    "}\n"
    "__global__ void plain(int *x) { x[0] = 5; }\n";

static runcu_module *module_of(const char *source, const runcu_program_params *params)
{
    runcu_module *m;
    REQUIRE_OK(runcu_module_compile(&m, source, params));
    return m;
}

static int launch(runcu_module *m, const char *name, int *x)
{
    runcu_function *f;
    int status = runcu_module_get_function(&f, m, name);
    if (!status)
        status = runcu_launch(f, RUNCU_GRID(1, 1, 1, 4, 1, 1), runcu_inout(x, 4 * sizeof *x));
    runcu_function_release(&f);
    return status;
}

static void instances_on_demand(void)
{
    runcu_module *m = module_of(templates, NULL);
    int x[4] = {1, 2, 3, 4};
    REQUIRE_OK(launch(m, "ns::fill<9, int>", x));
    REQUIRE_INT(x[3], ==, 9);
    runcu_module_release(&m);
}

static void functions_outlive_their_module(void)
{
    runcu_module *m = module_of(templates, NULL);
    runcu_function *f, *again;
    int x[4] = {1, 2, 3, 4};
    REQUIRE_OK(runcu_module_get_function(&f, m, "axpy<int>(int, int *)"));
    REQUIRE_OK(runcu_module_get_function(&again, m, "axpy<int>"));
    REQUIRE_INT(runcu_function_handle(f), ==, runcu_function_handle(again));
    runcu_function_release(&again);
    runcu_module_release(&m);
    REQUIRE_OK(runcu_launch(f, RUNCU_GRID(1, 1, 1, 4, 1, 1), 3, runcu_inout(x, sizeof x)));
    REQUIRE_INT(x[3], ==, 12);
    runcu_function_release(&f);
}

static void refused(runcu_module *m, const char *name, int status, const char *part)
{
    runcu_function *f;
    REQUIRE_INT(runcu_module_get_function(&f, m, name), ==, status);
    REQUIRE(f == NULL);
    REQUIRE_IN(part, runcu_error_text());
}

static void what_cannot_be_made(void)
{
    runcu_module *m = module_of(templates, NULL);
    refused(m, "axpy<nothing>", RUNCU_ERROR_COMPILE, "identifier \"nothing\" is undefined");
    refused(m, "fill<7, int>", RUNCU_ERROR_COMPILE, "identifier \"fill\" is undefined");
    refused(m, "absent<int>", RUNCU_ERROR_NAME, "plain(int *)");
    refused(m, "axpy<int", RUNCU_ERROR_NAME, "There is no kernel");
    refused(m, "axpy", RUNCU_ERROR_NAME, "There is no kernel \"axpy\"");
    runcu_module_release(&m);
    m = module_of("__device__ int counter;\n"
                  "template <class T> __global__ void k(T *x) { x[0] = counter; }\n",
                  NULL);
    refused(m, "k<int>", RUNCU_ERROR_NAME, "name_expressions=[\"k<int>\"]");
    runcu_module_release(&m);
}

static void variables_of_printf_are_nobodys(void)
{
    runcu_module *m = module_of(
        "template <class T> __global__ void k(T *x) { x[0] = 3; if (x[1] < 0) printf(\"no\"); }\n"
        "__global__ void other() { printf(\"%d\", 1); }\n",
        NULL);
    int x[4] = {0};
    REQUIRE_OK(launch(m, "k<int>", x));
    REQUIRE_INT(x[0], ==, 3);
    runcu_module_release(&m);
}

static void name_expressions(void)
{
    const char *names[] = {"axpy<int>", "&table", "ns::fill<4,int>"};
    const char source[] =
        "__constant__ int table[3];\n"
        "template <class T> __global__ void axpy(T *x) { x[0] = table[2]; }\n"
        "namespace ns { template <int N, class T> __global__ void fill(T *x) { x[0] = N; } }\n";
    runcu_program_params p = {
        .size = sizeof p, .name_expressions = names, .name_expression_count = 3};
    runcu_program *program;
    for (int from_cache = 0; from_cache < 2; from_cache++) {
        REQUIRE_OK(runcu_program_compile(&program, source, &p));
        REQUIRE_INT(runcu_program_was_cached(program), ==, from_cache);
        REQUIRE_STR(runcu_program_lowered_name(program, "axpy<int>"), "_Z4axpyIiEvPT_");
        REQUIRE_STR(runcu_program_lowered_name(program, "&table"), "table");
        REQUIRE(runcu_program_lowered_name(program, "axpy<float>") == NULL);
        runcu_program_destroy(&program);
    }
    runcu_module *m = module_of(source, &p);
    uint64_t address;
    size_t bytes;
    int x[4] = {0};
    REQUIRE_OK(runcu_module_get_global(&address, &bytes, m, "&table"));
    REQUIRE_INT(bytes, ==, 12);
    REQUIRE_OK(runcu_copy_htod(address, (int[]){1, 2, 8}, bytes));
    REQUIRE_OK(launch(m, "axpy<int>", x));
    REQUIRE_INT(x[0], ==, 8);
    REQUIRE_OK(launch(m, "ns::fill<4,int>", x));
    REQUIRE_INT(x[0], ==, 4);
    runcu_module_release(&m);
}

static void headers_in_memory(void)
{
    runcu_header headers[] = {{"lib/a.h", "#include \"b.h\"\n#include \"../top.h\"\n"},
                              {"lib/b.h", "#define B 1\n"},
                              {"top.h", "#define TOP 2\n"},
                              {"stdint.h", "typedef short own_type;\n"}};
    const char source[] = "#include \"lib/a.h\"\n#include <stdint.h>\n"
                          "__global__ void k(int *x) { x[0] = B + TOP + sizeof(own_type); }\n";
    runcu_program_params p = {.size = sizeof p, .headers = headers, .header_count = 4};
    int x[4] = {0};
    runcu_module *m = module_of(source, &p);
    REQUIRE_OK(launch(m, "k", x));
    REQUIRE_INT(x[0], ==, 5);
    runcu_module_release(&m);
    REQUIRE(rig_was_cached(source, &(runcu_program_params){.headers = headers,
                                                           .header_count = 4,
                                                           .arch_text = "compute_75"}) == 0);
    headers[1].text = "#define B 100\n"; /* another content is another program */
    m = module_of(source, &p);
    REQUIRE_OK(launch(m, "k", x));
    REQUIRE_INT(x[0], ==, 104);
    runcu_module_release(&m);
}

static void headers_that_mean_two_things(void)
{
    const runcu_header headers[] = {
        {"lib/a.h", "#include \"b.h\"\n"}, {"lib/b.h", "#define B 1\n"}, {"b.h", "#define B 2\n"}};
    runcu_program_params p = {.size = sizeof p, .headers = headers, .header_count = 3};
    runcu_program *program;
    REQUIRE_INT(runcu_program_compile(&program, "#include \"lib/a.h\"\n", &p), ==,
                RUNCU_ERROR_ARGUMENT);
    REQUIRE_IN("#include \"b.h\"", runcu_error_text());
}

static void wrong_calls(void)
{
    const char *names[] = {"a", NULL};
    const runcu_header headers[] = {{"a.h", ""}, {"b.h", NULL}};
    const runcu_program_params bad[] = {
        {.name_expression_count = 1},
        {.name_expressions = names, .name_expression_count = 2},
        {.header_count = 1},
        {.headers = headers, .header_count = 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        runcu_program *program;
        REQUIRE_INT(rig_compile(&program, "", &bad[i]), ==, RUNCU_ERROR_ARGUMENT);
    }
}

static void *asks(void *module)
{
    runcu_function *f;
    REQUIRE_OK(runcu_module_get_function(&f, module, "axpy<double>"));
    runcu_function_release(&f);
    return NULL;
}

static void threads_ask_for_the_same(void)
{
    runcu_module *m = module_of(templates, NULL);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&t[i], NULL, asks, m), ==, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    runcu_module_release(&m);
}

static void memory_runs_out(void)
{
    const runcu_header headers[] = {{"lib/a.h", "#include \"b.h\"\n"}, {"lib/b.h", "\n"}};
    runcu_program_params p = {.size = sizeof p, .headers = headers, .header_count = 2};
    int status = -1;
    for (size_t n = 1; status; n++) {
        runcu_module *m = NULL;
        runcu_function *f = NULL;
        alloc_fail_at(n);
        status = runcu_module_compile(
            &m, "#include \"lib/a.h\"\ntemplate <class T> __global__ void k(T *x) {}\n", &p);
        if (!status)
            status = runcu_module_get_function(&f, m, "k<int>");
        alloc_fail_at(0);
        if (status && status != RUNCU_ERROR_MEMORY && status != RUNCU_ERROR_DRIVER)
            TEST_FAIL_("allocation %zu: %s", n, runcu_error_text());
        runcu_function_release(&f);
        if (m)
            runcu_module_release(&m);
        REQUIRE_INT(n, <, 5000);
    }
}

static char saved[4096];
static size_t saved_bytes;

static void keep(void *user, const char *bytes, size_t len)
{
    REQUIRE(user == saved && len <= sizeof saved);
    memcpy(saved, bytes, len);
    saved_bytes = len;
}

static void modules_go_through_bytes(void)
{
    static const char *const names[] = {"axpy<int>"};
    runcu_program_params params = {.name_expressions = names, .name_expression_count = 1};
    runcu_module *m = module_of(templates, &params), *again;
    int x[4] = {1, 2, 3, 4};
    params.size = sizeof params;
    REQUIRE_OK(runcu_module_save(m, keep, saved));
    runcu_module_release(&m);
    REQUIRE_OK(runcu_module_restore(&again, saved, saved_bytes));
    REQUIRE_STR(runcu_module_kernel_name(again, 0), "plain");
    REQUIRE_OK(launch(again, "ns::fill<9, int>", x));
    REQUIRE_INT(x[3], ==, 9);
    for (size_t len = 0; len < saved_bytes; len++) {
        char *part = malloc(len + 1); /* of its own, so that a read behind it is seen */
        memcpy(part, saved, len);
        REQUIRE_INT(runcu_module_restore(&m, part, len), ==, RUNCU_ERROR_ARGUMENT);
        REQUIRE(m == NULL);
        free(part);
    }
    runcu_module_release(&again);
}

static void memory_runs_out_while_saving(void)
{
    runcu_module *m = module_of(templates, NULL), *again = NULL;
    int status = -1;
    for (size_t n = 1; status; n++) {
        alloc_fail_at(n);
        status = runcu_module_save(m, keep, saved);
        if (!status)
            status = runcu_module_restore(&again, saved, saved_bytes);
        alloc_fail_at(0);
        if (status && status != RUNCU_ERROR_MEMORY && status != RUNCU_ERROR_DRIVER)
            TEST_FAIL_("allocation %zu: %s", n, runcu_error_text());
        runcu_module_release(&again);
        REQUIRE_INT(n, <, 5000);
    }
    runcu_module_release(&m);
}

int main(void)
{
    rig_start(1);
    REQUIRE_OK(runcu_init("cpu"));
    RUN(instances_on_demand);
    RUN(functions_outlive_their_module);
    RUN(what_cannot_be_made);
    RUN(variables_of_printf_are_nobodys);
    RUN(name_expressions);
    RUN(headers_in_memory);
    RUN(headers_that_mean_two_things);
    RUN(wrong_calls);
    RUN(threads_ask_for_the_same);
    RUN(modules_go_through_bytes);
    RUN(memory_runs_out_while_saving);
    RUN(memory_runs_out);
    rig_end();
    return 0;
}

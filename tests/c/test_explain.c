/* What kernels take: figures that follow from their source, occupancy against published numbers and
 * against what the assembler itself knows of each architecture, PTX by lines. */
#include <limits.h>

#include "base/alloc.h"
#include "core/explain.h"
#include "program_rig.h"
#include "runcu/explain.h"

static const char source[] =
    "__constant__ float table[100];\n"
    "struct wide { char bytes[40]; };\n"
    "__global__ void plain(float *x, int n)\n"
    "{\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n)\n"
    "        x[i] = x[i] * 3 + table[i];\n"
    "}\n"
    "template <class T> __global__ void shares(T *x)\n"
    "{\n"
    "    __shared__ T all[256];\n"
    "    all[threadIdx.x] = x[threadIdx.x];\n"
    "    __syncthreads();\n"
    "    x[threadIdx.x] = all[255 - threadIdx.x];\n"
    "}\n"
    "__global__ void __launch_bounds__(128) keeps(float *x, wide w, int n)\n"
    "{\n"
    "    float own[100];\n"
    "    for (int i = 0; i < n; i++) own[i % 100] = x[i];\n"
    "    for (int i = 0; i < n; i++) x[i] = own[(i * 7) % 100] + w.bytes[39];\n"
    "}\n"
    "__global__ void many(double *x, int n)\n"
    "{\n"
    "    double a[40];\n"
    "#pragma unroll\n"
    "    for (int i = 0; i < 40; i++) a[i] = x[i * n];\n"
    "    for (int k = 0; k < n; k++)\n"
    "#pragma unroll\n"
    "        for (int i = 0; i < 40; i++) a[i] = a[i] * a[(i * 7 + 3) % 40] + x[k];\n"
    "#pragma unroll\n"
    "    for (int i = 0; i < 40; i++) x[i] = a[i];\n"
    "}\n";
static const char *const names[] = {"shares<float>", "shares<double>"};

static runcu_explanation *explain(const char *arch, const char *option)
{
    runcu_explanation *e;
    runcu_program_params p = {.arch_text = arch,
                              .options = &option,
                              .option_count = option != NULL,
                              .name_expressions = names,
                              .name_expression_count = 2};
    REQUIRE_OK(runcu_explanation_compile(&e, source, &p));
    return e;
}

static const runcu_usage *kernel(const runcu_explanation *e, const char *name)
{
    size_t count;
    const runcu_usage *k = runcu_explanation_kernels(e, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(k[i].name, name) == 0)
            return &k[i];
    TEST_FAIL_("no kernel %s", name);
}

static void usage_follows_from_the_source(const char *arch)
{
    size_t count;
    runcu_explanation *e = explain(arch, NULL);
    REQUIRE_STR(runcu_explanation_arch(e), arch);
    runcu_explanation_kernels(e, &count);
    REQUIRE_INT(count, ==, 5);
    const runcu_usage *k = kernel(e, "plain");
    REQUIRE_STR(k->signature, "plain(float *, int)");
    REQUIRE_STR(k->symbol, "_Z5plainPfi");
    REQUIRE(k->registers > 4 && k->registers < 40);
    REQUIRE_INT(k->local, ==, 0);
    REQUIRE_INT(k->shared, ==, 0);
    REQUIRE_INT(k->constant, ==, 400);
    REQUIRE_INT(k->parameters, ==, 12);
    REQUIRE_INT(k->barriers, ==, 0);
    REQUIRE_INT(k->max_threads, ==, 1024);
    REQUIRE_INT(k->launch_bounds, ==, 0);
    REQUIRE_INT(kernel(e, "shares<float>")->shared, ==, 1024);
    REQUIRE_INT(kernel(e, "shares<double>")->shared, ==, 2048);
    REQUIRE_INT(kernel(e, "shares<float>")->barriers, ==, 1);
    k = kernel(e, "keeps");
    REQUIRE_INT(k->local, ==, 400);
    REQUIRE_INT(k->spill_stores, ==, 0);
    REQUIRE_INT(k->spill_loads, ==, 0);
    REQUIRE_INT(k->launch_bounds, ==, 128);
    REQUIRE_INT(k->max_threads, ==, 128);
    REQUIRE_INT(k->parameters, ==, 52);
    REQUIRE(kernel(e, "many")->registers >= 80);
    REQUIRE_INT(kernel(e, "many")->spill_stores, ==, 0);
    runcu_explanation_destroy(&e);
    REQUIRE(e == NULL);
    runcu_explanation_destroy(&e);
}

static void spills_are_counted(const char *arch)
{
    runcu_explanation *e = explain(arch, "--maxrregcount=32");
    const runcu_usage *k = kernel(e, "many");
    REQUIRE(k->registers <= 32);
    REQUIRE(k->spill_stores >= 100);
    REQUIRE(k->spill_loads >= 100);
    REQUIRE(k->local >= 100);
    REQUIRE_INT(kernel(e, "plain")->spill_stores, ==, 0);
    runcu_explanation_destroy(&e);
}

static void functions_are_told_apart(void)
{
    static const char recursive[] =
        "namespace ns { __device__ __noinline__ int fib(int n)\n"
        "{ return n < 2 ? n : fib(n - 1) + fib(n - 2); } }\n"
        "extern \"C\" __device__ __noinline__ float plain(float x) { return x * 2; }\n"
        "__global__ void f(int *x) { *x = ns::fib(*x); }\n"
        "__global__ void g(float *x) { *x = plain(*x); }\n";
    size_t count;
    runcu_explanation *e;
    runcu_program_params p = {.arch_text = "sm_80"};
    REQUIRE_OK(runcu_explanation_compile(&e, recursive, &p));
    REQUIRE_INT(kernel(e, "f")->is_local_unknown, ==, 1);
    REQUIRE_INT(kernel(e, "g")->is_local_unknown, ==, 0);
    const runcu_usage *k = runcu_explanation_functions(e, &count);
    REQUIRE_INT(count, ==, 2);
    size_t fib = strcmp(k[0].symbol, "plain") == 0;
    REQUIRE_STR(k[fib].signature, "ns::fib(int)");
    REQUIRE_STR(k[fib].name, "ns::fib");
    REQUIRE(k[fib].local > 0 && k[fib].spill_stores > 0);
    REQUIRE_STR(k[1 - fib].signature, "plain");
    REQUIRE_INT(k[1 - fib].local, ==, 0);
    runcu_explanation_destroy(&e);
}

static void the_default_is_the_devices(void)
{
    runcu_explanation *e;
    setenv("RUNCU_DEVICE", "cpu", 1);
    setenv("RUNCU_CPU_ARCH", "80", 1);
    REQUIRE_OK(runcu_explanation_compile(&e, source, NULL));
    REQUIRE_STR(runcu_explanation_arch(e), "sm_80");
    runcu_explanation_destroy(&e);
}

static void the_cache_makes_no_difference(void)
{
    for (int i = 0; i < 2; i++) {
        runcu_explanation *e = explain("sm_80", NULL);
        REQUIRE_INT(kernel(e, "keeps")->local, ==, 400);
        runcu_explanation_destroy(&e);
    }
}

/* --- PTX --- */

static const runcu_ptx_line *find_line(const runcu_usage *k, const char *start)
{
    for (size_t i = 0; i < k->ptx_count; i++)
        if (strncmp(k->ptx[i].text, start, strlen(start)) == 0)
            return &k->ptx[i];
    TEST_FAIL_("%s has no %s", k->name, start);
}

static void ptx_knows_its_lines(void)
{
    runcu_explanation *e = explain("sm_80", NULL);
    const runcu_usage *k = kernel(e, "plain");
    REQUIRE_STR(find_line(k, "ld.param.u64")->text, "ld.param.u64 %rd1, [param_0];");
    REQUIRE_INT(find_line(k, "mad.lo.s32")->line, ==, 5);
    REQUIRE_INT(find_line(k, "setp.ge.s32")->line, ==, 6);
    REQUIRE_INT(find_line(k, "st.global.f32")->line, ==, 7);
    REQUIRE_STR(find_line(k, "st.global.f32")->file, "kernel.cu");
    REQUIRE_STR(k->ptx[k->ptx_count - 1].text, "ret;");
    for (size_t i = 0; i < k->ptx_count; i++) {
        REQUIRE_NOT_IN(".loc", k->ptx[i].text);
        REQUIRE_NOT_IN(".reg", k->ptx[i].text);
        REQUIRE_NOT_IN("\t", k->ptx[i].text);
        REQUIRE_NOT_IN("  ", k->ptx[i].text);
    }
    REQUIRE_INT(find_line(kernel(e, "shares<float>"), "bar.sync")->line, ==, 13);
    runcu_explanation_destroy(&e);
}

static void lists(const char *ptx, const char *symbol, const char *expected, int bounds)
{
    struct arena arena = {0};
    struct core_listing l;
    struct str text = {0};
    REQUIRE(core_list_ptx(&l, &arena, ptx, symbol));
    for (size_t i = 0; i < l.count; i++)
        str_addf(&text, "%s:%u:%s|", l.lines[i].file, l.lines[i].line, l.lines[i].text);
    REQUIRE_STR(str_text(&text), expected);
    REQUIRE_INT(l.launch_bounds, ==, bounds);
    str_fini(&text);
    arena_fini(&arena);
}

static void odd_ptx_is_listed_as_far_as_it_goes(void)
{
    lists("", "k", "", 0);
    lists(".entry k", "k", "", 0);
    lists(".entry k()", "k", "", 0);
    lists(".entry k() {", "k", "", 0);
    lists(".entry k() { ret", "k", ":0:ret|", 0);
    lists(".entry kk() { exit; } .entry k() { ret; }", "k", ":0:ret;|", 0);
    lists(".entry k() { { a; } b; } c;", "k", ":0:a;|:0:b;|", 0);
    lists(".entry k() { L: a.b::c [x], {%a, %b}; // no; }\n}", "k",
          ":0:L:|:0:a.b::c [x], {%a, %b};|", 0);
    lists(".entry k(.param .u32 k_param_0)\n.maxntid 32, 4, 2\n{ .loc 1 7 3\nld [k_param_0];\n"
          ".loc 1 0 3\nb;\n.loc 2 9 1, function_name L, inlined_at 1 8 2\n c; }\n.file 1 "
          "\"/runcu/a.cu\"\n"
          ".file 2 \"/usr/b.h\", 5, 6\n",
          "k", "a.cu:7:ld [param_0];|a.cu:7:b;|/usr/b.h:9:c;|", 256);
    lists(".entry k() .reqntid 64 { ret; }", "k", ":0:ret;|", 64);
    lists(".entry k() { .loc 7 7 7\nret; } .file", "k", ":7:ret;|", 0);
}

static void stacks_are_open_where_calls_come_round(void)
{
    static const char ptx[] = ".func (.param .b32 r) a(.param .b32 x);\n"
                              ".func leaf() { ret; }\n"
                              ".func (.param .b32 r) a (.param .b32 x)\n{ { // callseq 1\n"
                              "call.uni (r), \n b, \n(x);\n} // {\n }\n"
                              ".func b() { @%p call a, (x); }\n"
                              ".func c() { call leaf; call.uni leaf; }\n"
                              ".entry round() { call.uni (r), a, (x); }\n"
                              ".entry straight() { call c; call (r), vprintf, (x); // call a\n}\n"
                              ".entry far() { {call (r), %rd1, (x), proto;} }\n"
                              ".entry after() { ret; } .func z() { call z; }\n";
    REQUIRE(core_stack_is_open(ptx, "round"));
    REQUIRE(!core_stack_is_open(ptx, "straight"));
    REQUIRE(core_stack_is_open(ptx, "far"));
    REQUIRE(!core_stack_is_open(ptx, "after"));
    REQUIRE(!core_stack_is_open(ptx, "none"));
    REQUIRE(!core_stack_is_open("", "round"));
    REQUIRE(!core_stack_is_open(".entry f() { call", "f"));
    REQUIRE(!core_stack_is_open(".entry f() { call (", "f"));
    REQUIRE(core_stack_is_open(".entry f() { call f", "f"));
}

static void every_allocation_may_fail(void)
{
    runcu_program *program;
    runcu_explanation *e = NULL;
    const char *options[] = {"-Xptxas=-v", "-lineinfo"};
    runcu_program_params p = {
        .arch_text = "sm_80", .no_device = 1, .options = options, .option_count = 2};
    REQUIRE_OK(runcu_program_compile(&program, source, &p));
    int status, n = 0;
    do {
        alloc_fail_at((size_t) ++n);
        status = runcu_explanation_create(&e, program);
        alloc_fail_at(0);
        REQUIRE(status == 0 || (status == RUNCU_ERROR_MEMORY && !e));
    } while (status != 0);
    REQUIRE(n > 10);
    runcu_explanation_destroy(&e);
    runcu_program_destroy(&program);
}

/* --- occupancy --- */

static runcu_occupancy occupancy(const char *arch, int threads, int registers, size_t shared)
{
    runcu_occupancy o;
    runcu_block_needs needs = {.threads = threads, .registers = registers, .shared = shared};
    REQUIRE_OK(runcu_occupancy_get(&o, arch, &needs));
    return o;
}

/* Figures of NVIDIA's occupancy calculator. */
static void occupancy_is_the_published_one(void)
{
    static const struct {
        const char *arch;
        int threads, registers, shared, blocks, max_warps, limit;
    } rows[] = {
        {"sm_90", 256, 32, 0, 8, 64, RUNCU_LIMIT_WARPS},
        {"sm_90", 256, 64, 0, 4, 64, RUNCU_LIMIT_REGISTERS},
        {"sm_90", 256, 128, 0, 2, 64, RUNCU_LIMIT_REGISTERS},
        {"sm_90", 256, 255, 0, 1, 64, RUNCU_LIMIT_REGISTERS},
        {"sm_90", 1024, 65, 0, 0, 64, RUNCU_LIMIT_REGISTERS},
        {"sm_90", 32, 16, 0, 32, 64, RUNCU_LIMIT_BLOCKS},
        {"sm_90", 128, 32, 48 << 10, 4, 64, RUNCU_LIMIT_SHARED},
        {"sm_90", 128, 32, 227 << 10, 1, 64, RUNCU_LIMIT_SHARED},
        {"sm_90", 128, 32, (227 << 10) + 1, 0, 64, RUNCU_LIMIT_SHARED},
        {"sm_80", 192, 40, 0, 8, 64, RUNCU_LIMIT_REGISTERS},
        {"sm_80", 256, 32, 40 << 10, 4, 64, RUNCU_LIMIT_SHARED},
        {"sm_86", 256, 40, 0, 6, 48, RUNCU_LIMIT_WARPS},
        {"sm_86", 1024, 64, 0, 1, 48, RUNCU_LIMIT_WARPS},
        {"sm_89", 64, 32, 0, 24, 48, RUNCU_LIMIT_BLOCKS},
        {"sm_75", 256, 32, 0, 4, 32, RUNCU_LIMIT_WARPS},
        {"sm_75", 32, 32, 8 << 10, 8, 32, RUNCU_LIMIT_SHARED},
        {"sm_90a", 256, 32, 0, 8, 64, RUNCU_LIMIT_WARPS},
        {"sm_120", 256, 32, 30 << 10, 3, 48, RUNCU_LIMIT_SHARED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        runcu_occupancy o =
            occupancy(rows[i].arch, rows[i].threads, rows[i].registers, (size_t) rows[i].shared);
        REQUIRE_INT(o.blocks, ==, rows[i].blocks);
        REQUIRE_INT(o.max_warps, ==, rows[i].max_warps);
        REQUIRE_INT(o.limit, ==, rows[i].limit);
        REQUIRE_INT(o.warps, ==, rows[i].blocks * ((rows[i].threads + 31) / 32));
    }
}

static void barriers_limit_too(void)
{
    runcu_occupancy o;
    runcu_block_needs needs = {.threads = 32, .registers = 16, .barriers = 16};
    REQUIRE_OK(runcu_occupancy_get(&o, "sm_90", &needs));
    REQUIRE_INT(o.blocks, ==, 4);
    REQUIRE_INT(o.limit, ==, RUNCU_LIMIT_BARRIERS);
    REQUIRE_OK(runcu_occupancy_get(&o, "sm_89", &needs));
    REQUIRE_INT(o.blocks, ==, 1);
}

static int assembles(const char *arch, int threads, int blocks)
{
    char text[128];
    runcu_program *program;
    const char *option = "-Xptxas=-v";
    runcu_program_params p = {
        .arch_text = arch, .no_device = 1, .options = &option, .option_count = 1};
    snprintf(text, sizeof text, "__global__ void __launch_bounds__(%d, %d) f(int *x) { *x = 1; }",
             threads, blocks);
    REQUIRE_OK(runcu_program_compile(&program, text, &p));
    int answer = strstr(runcu_program_log(program), "out of range") == NULL;
    runcu_program_destroy(&program);
    return answer;
}

/* The assembler refuses more blocks than a multiprocessor holds. */
static void the_assembler_agrees(void)
{
    static const char *const archs[] = {"sm_75",  "sm_80",  "sm_86",  "sm_87",  "sm_88",
                                        "sm_89",  "sm_90",  "sm_100", "sm_103", "sm_107",
                                        "sm_110", "sm_120", "sm_121"};
    int checked = 0;
    for (size_t i = 0; i < ARRAY_LEN(archs); i++) {
        runcu_program *program;
        runcu_program_params p = {.arch_text = archs[i], .no_device = 1};
        if (runcu_program_compile(&program, "", &p) != 0)
            continue; /* NVRTC does not know it */
        runcu_program_destroy(&program);
        int warps = occupancy(archs[i], 32, 0, 0).max_warps;
        int blocks = occupancy(archs[i], 32, 0, 0).blocks;
        REQUIRE(assembles(archs[i], 256, warps / 8));
        REQUIRE(!assembles(archs[i], 256, warps / 8 + 1));
        REQUIRE(assembles(archs[i], 32, blocks));
        REQUIRE(!assembles(archs[i], 32, blocks + 1));
        checked++;
    }
    REQUIRE(checked >= 5);
}

/* --- what is refused --- */

static void wrong_calls(void)
{
    runcu_occupancy o;
    runcu_explanation *e;
    runcu_program *program;
    runcu_block_needs none = {0}, negative = {.threads = 32, .registers = -1},
                      many = {.threads = 1025};
    REQUIRE_FAILS(runcu_occupancy_get(&o, "sm_90", &none), RUNCU_ERROR_ARGUMENT, "1 to 1024");
    REQUIRE_FAILS(runcu_occupancy_get(&o, "sm_90", NULL), RUNCU_ERROR_ARGUMENT, "needs is NULL");
    REQUIRE_FAILS(runcu_occupancy_get(&o, "sm_90", &many), RUNCU_ERROR_ARGUMENT, "not 1025");
    REQUIRE_FAILS(runcu_occupancy_get(&o, "sm_90", &negative), RUNCU_ERROR_ARGUMENT, "-1");
    REQUIRE_FAILS(runcu_occupancy_get(&o, "sm_12345", &many), RUNCU_ERROR_UNSUPPORTED, "sm_12345");
    REQUIRE_FAILS(runcu_occupancy_get(&o, "", &many), RUNCU_ERROR_UNSUPPORTED, "not known");
    REQUIRE_FAILS(runcu_occupancy_get(&o, NULL, &many), RUNCU_ERROR_ARGUMENT, "arch is NULL");
    REQUIRE_FAILS(runcu_occupancy_get(NULL, "sm_90", &many), RUNCU_ERROR_ARGUMENT, "out");
    runcu_program_params virtual = {.arch_text = "compute_80"}, real = {.arch_text = "sm_80"};
    REQUIRE_FAILS(runcu_explanation_compile(&e, source, &virtual), RUNCU_ERROR_UNSUPPORTED,
                  "not compute_80");
    REQUIRE_FAILS(runcu_explanation_compile(&e, "__global__ void f() { oops; }", &real),
                  RUNCU_ERROR_COMPILE, "oops");
    REQUIRE_FAILS(runcu_explanation_compile(&e, NULL, &real), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_explanation_compile(NULL, source, &real), RUNCU_ERROR_ARGUMENT, "out");
    real.option_count = 1;
    REQUIRE_FAILS(runcu_explanation_compile(&e, source, &real), RUNCU_ERROR_ARGUMENT, "options");
    REQUIRE_FAILS(runcu_explanation_create(&e, NULL), RUNCU_ERROR_ARGUMENT, "program");
    REQUIRE(e == NULL);
    real.option_count = 0;
    real.no_device = 1;
    REQUIRE_OK(runcu_program_compile(&program, source, &real));
    REQUIRE_FAILS(runcu_explanation_create(&e, program), RUNCU_ERROR_UNSUPPORTED, "-Xptxas=-v");
    REQUIRE_FAILS(runcu_explanation_create(NULL, program), RUNCU_ERROR_ARGUMENT, "out");
    runcu_program_destroy(&program);
}

static void a_source_without_kernels(void)
{
    size_t count = 7;
    runcu_explanation *e;
    runcu_program_params p = {.arch_text = "sm_80"};
    REQUIRE_OK(runcu_explanation_compile(&e, "__device__ int x;", &p));
    runcu_explanation_kernels(e, &count);
    REQUIRE_INT(count, ==, 0);
    runcu_explanation_destroy(&e);
}

int main(void)
{
    RUN(stacks_are_open_where_calls_come_round);
    RUN(odd_ptx_is_listed_as_far_as_it_goes);
    RUN(occupancy_is_the_published_one);
    RUN(barriers_limit_too);
    rig_start(1);
    usage_follows_from_the_source("sm_75");
    usage_follows_from_the_source("sm_80");
    usage_follows_from_the_source("sm_90");
    usage_follows_from_the_source("sm_100");
    spills_are_counted("sm_75");
    spills_are_counted("sm_90");
    RUN(functions_are_told_apart);
    RUN(the_default_is_the_devices);
    RUN(the_cache_makes_no_difference);
    RUN(ptx_knows_its_lines);
    RUN(every_allocation_may_fail);
    RUN(the_assembler_agrees);
    RUN(wrong_calls);
    RUN(a_source_without_kernels);
    rig_end();
    return 0;
}

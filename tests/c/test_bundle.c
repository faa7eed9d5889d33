/* Bundles: made of programs, written, read and refused, loaded in a process without NVRTC, and
 * which part a device is given. With the argument "cuda", loading on NVIDIA's driver. */
#include "base/alloc.h"
#include "core/bundle.h"
#include "program_rig.h"

static char written[8192];
static const char *wanted;

static const char source[] = "namespace ns { __constant__ int offset = 5; }\n"
                             "template <class T> __global__ void add(T *x, T y)\n"
                             "{ x[threadIdx.x] += y + ns::offset; }\n"
                             "__global__ void twice(int *x) { x[threadIdx.x] *= 2; }\n";
static const char *const names[] = {"add<int>", "add<float>"};
static const char *const archs[] = {"sm_80", "sm_90", "compute_75"};

static runcu_bundle *make(void)
{
    runcu_bundle *b;
    runcu_program_params params = {.name_expressions = names, .name_expression_count = 2};
    REQUIRE_OK(runcu_bundle_compile(&b, source, archs, 3, &params));
    return b;
}

/* --- what is inside --- */

static void is_listed(void)
{
    size_t count;
    runcu_bundle *b = make();
    const runcu_bundle_part *parts = runcu_bundle_parts(b, &count);
    REQUIRE_INT(count, ==, 3);
    for (size_t i = 0; i < count; i++) {
        const runcu_bundle_part *p = &parts[i];
        REQUIRE_STR(p->arch, archs[i]);
        REQUIRE((p->cubin != NULL) == (p->arch[0] == 's'));
        REQUIRE((p->cubin_bytes != 0) == (p->arch[0] == 's'));
        REQUIRE_INT(strlen(p->ptx), ==, p->ptx_bytes);
        REQUIRE_IN(p->arch + strlen(p->arch) - 2, p->options);
        REQUIRE_NOT_IN("-I", p->options);
        REQUIRE_NOT_IN("/", p->options);
        REQUIRE_INT(p->kernel_count, ==, 3);
        REQUIRE_INT(p->name_count, ==, 2);
        REQUIRE_STR(p->names[0].expression, "add<int>");
        REQUIRE_IN("addIiEvPT_S0_", p->names[0].symbol);
    }
    int found = 0;
    for (size_t i = 0; i < 3; i++)
        found += strcmp(parts[0].kernels[i].signature, "twice(int *)") == 0 &&
                 strcmp(parts[0].kernels[i].symbol, "_Z5twicePi") == 0 &&
                 strcmp(parts[0].kernels[i].name, "twice") == 0;
    REQUIRE_INT(found, ==, 1);
    REQUIRE_STR(runcu_bundle_maker(b), runcu_version());
    REQUIRE_STR(runcu_bundle_source_name(b), "kernel.cu");
    runcu_bundle_destroy(&b);
    REQUIRE(b == NULL);
    runcu_bundle_destroy(&b);
}

static void is_always_the_same(void)
{
    size_t n, m;
    setenv("RUNCU_NO_CACHE", "1", 1);
    runcu_bundle *a = make(), *b = make();
    const void *x = runcu_bundle_data(a, &n), *y = runcu_bundle_data(b, &m);
    REQUIRE_INT(n, ==, m);
    REQUIRE_BYTES(x, y, n);
    unsetenv("RUNCU_NO_CACHE");
    runcu_bundle_destroy(&a);
    runcu_bundle_destroy(&b);
}

static void goes_through_a_file(void)
{
    size_t n, m;
    struct stat st;
    runcu_bundle *a = make(), *b;
    mode_t mask = umask(022);
    REQUIRE_OK(runcu_bundle_write(a, rig_path("a.bundle")));
    umask(mask);
    REQUIRE_INT(stat(rig_path("a.bundle"), &st), ==, 0);
    REQUIRE_INT(st.st_mode & 0777, ==, 0644);
    REQUIRE_OK(runcu_bundle_read(&b, rig_path("a.bundle")));
    const void *x = runcu_bundle_data(a, &n), *y = runcu_bundle_data(b, &m);
    REQUIRE_INT(n, ==, m);
    REQUIRE_BYTES(x, y, n);
    REQUIRE_FAILS(runcu_bundle_write(a, rig_path("nowhere/a.bundle")), RUNCU_ERROR_SYSTEM,
                  "nowhere/a.bundle cannot be written");
    REQUIRE_FAILS(runcu_bundle_write(a, NULL), RUNCU_ERROR_ARGUMENT, "path");
    runcu_bundle_destroy(&a);
    runcu_bundle_destroy(&b);
    REQUIRE_FAILS(runcu_bundle_read(&b, rig_path("none")), RUNCU_ERROR_SYSTEM, "none cannot be");
    REQUIRE_FAILS(runcu_bundle_read(&b, rig_folder), RUNCU_ERROR_SYSTEM, "cannot be read");
    REQUIRE_FAILS(runcu_bundle_read(&b, NULL), RUNCU_ERROR_ARGUMENT, "path is NULL");
    REQUIRE_FAILS(runcu_bundle_read(NULL, "a"), RUNCU_ERROR_ARGUMENT, "out is NULL");
    REQUIRE(b == NULL);
}

/* --- what is refused --- */

static void wants_programs_with_code(void)
{
    runcu_program_params params = {.no_device = 1, .arch_text = "sm_80"};
    runcu_program *good, *bad;
    runcu_bundle *b;
    REQUIRE_OK(runcu_program_compile(&good, source, &params));
    REQUIRE_FAILS(runcu_program_compile(&bad, "oops", &params), RUNCU_ERROR_COMPILE, "oops");
    const runcu_program *both[] = {good, bad}, *twice[] = {good, good}, *none[] = {good, NULL};
    REQUIRE_FAILS(runcu_bundle_create(&b, both, 2), RUNCU_ERROR_ARGUMENT,
                  "programs[1] has neither cubin nor PTX");
    REQUIRE_FAILS(runcu_bundle_create(&b, twice, 2), RUNCU_ERROR_ARGUMENT, "for sm_80");
    REQUIRE_FAILS(runcu_bundle_create(&b, none, 2), RUNCU_ERROR_ARGUMENT, "programs[1] is NULL");
    REQUIRE_FAILS(runcu_bundle_create(&b, both, 0), RUNCU_ERROR_ARGUMENT, "not 0");
    REQUIRE_FAILS(runcu_bundle_create(&b, NULL, 1), RUNCU_ERROR_ARGUMENT, "programs is NULL");
    REQUIRE_FAILS(runcu_bundle_create(NULL, both, 1), RUNCU_ERROR_ARGUMENT, "out is NULL");
    REQUIRE(b == NULL);
    runcu_program_destroy(&good);
    runcu_program_destroy(&bad);
}

static void wants_architectures(void)
{
    static const char *const odd[] = {"sm_80", "sm_banana"}, *const none[] = {NULL},
                             *const unknown[] = {"sm_9999"}, *const twice[] = {"sm_80", "sm_80"};
    runcu_bundle *b;
    REQUIRE_FAILS(runcu_bundle_compile(&b, source, odd, 2, NULL), RUNCU_ERROR_ARGUMENT, "banana");
    REQUIRE_FAILS(runcu_bundle_compile(&b, source, none, 1, NULL), RUNCU_ERROR_ARGUMENT,
                  "for which architecture");
    REQUIRE_FAILS(runcu_bundle_compile(&b, source, unknown, 1, NULL), RUNCU_ERROR_OPTION,
                  "sm_9999");
    REQUIRE_FAILS(runcu_bundle_compile(&b, source, twice, 2, NULL), RUNCU_ERROR_ARGUMENT, "sm_80");
    REQUIRE_FAILS(runcu_bundle_compile(&b, source, odd, 0, NULL), RUNCU_ERROR_ARGUMENT,
                  "not for 0");
    REQUIRE_FAILS(runcu_bundle_compile(&b, source, NULL, 1, NULL), RUNCU_ERROR_ARGUMENT,
                  "archs is NULL");
    REQUIRE_FAILS(runcu_bundle_compile(&b, NULL, odd, 1, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_bundle_compile(NULL, source, odd, 1, NULL), RUNCU_ERROR_ARGUMENT, "out");
    REQUIRE_FAILS(runcu_bundle_compile(&b, "int f() { return oops; }", archs, 2, NULL),
                  RUNCU_ERROR_COMPILE, "for sm_80: kernel.cu does not compile: kernel.cu(1): ");
    REQUIRE(b == NULL);
}

static void tell_what_is_wrong(char *bytes, size_t size, const char *part)
{
    runcu_bundle *b;
    runcu_module *m;
    char *exact = malloc(size ? size : 1); /* for the sanitizer: nothing behind it is read */
    REQUIRE(exact != NULL);
    memcpy(exact, bytes, size);
    REQUIRE_FAILS(runcu_bundle_parse(&b, exact, size), RUNCU_ERROR_ARGUMENT, part);
    REQUIRE(b == NULL);
    if (size >= 8 && memcmp(exact, "runcu-b\n", 8) == 0)
        REQUIRE_FAILS(runcu_module_load(&m, exact, size), RUNCU_ERROR_ARGUMENT, part);
    free(exact);
}

static void damage_is_noticed(void)
{
    size_t size;
    runcu_bundle *b = make();
    const void *data = runcu_bundle_data(b, &size);
    char *copy = malloc(size + 8);
    REQUIRE(copy != NULL);
    memset(copy, 0, size + 8);
    memcpy(copy, data, size);
    tell_what_is_wrong(copy, size - 1, "cut off");
    tell_what_is_wrong(copy, 40, "cut off");
    tell_what_is_wrong(copy, 31, "cut off");
    tell_what_is_wrong(copy, 8, "cut off");
    tell_what_is_wrong(copy, 7, "no bundle");
    tell_what_is_wrong(copy, 0, "no bundle");
    tell_what_is_wrong(copy, size + 8, "goes on after its end");
    for (size_t at = 32; at < size; at += size / 97) {
        copy[at] ^= 1;
        tell_what_is_wrong(copy, size, "checksum");
        copy[at] ^= 1;
    }
    copy[8] = 2;
    tell_what_is_wrong(copy, size, "is of format 2, which runcu");
    copy[8] = 0;
    tell_what_is_wrong(copy, size, "never was such a format");
    copy[0] = 'R';
    tell_what_is_wrong(copy, size, "no bundle");
    runcu_bundle *none;
    REQUIRE_FAILS(runcu_bundle_parse(&none, NULL, 100), RUNCU_ERROR_ARGUMENT, "data is NULL");
    REQUIRE_FAILS(runcu_bundle_parse(NULL, copy, 100), RUNCU_ERROR_ARGUMENT, "out is NULL");
    free(copy);
    runcu_bundle_destroy(&b);
}

/* --- host memory is short --- */

static int run_out(runcu_bundle **out, const runcu_bundle *whole, int how)
{
    size_t size;
    const void *data = runcu_bundle_data(whole, &size);
    if (how == 0)
        return runcu_bundle_parse(out, data, size);
    if (how == 1)
        return runcu_bundle_read(out, written);
    if (how == 2)
        return runcu_bundle_write_header(whole, rig_path("oom.h"), "k");
    return runcu_bundle_write(whole, rig_path("oom.bundle"));
}

static void every_allocation_may_fail(void)
{
    runcu_bundle *whole = make(), *b = NULL;
    for (int how = 0; how < 4; how++) {
        int status = 0, n = 0;
        do {
            alloc_fail_at((size_t) ++n);
            status = run_out(&b, whole, how);
            alloc_fail_at(0);
            REQUIRE(status == 0 || status == RUNCU_ERROR_MEMORY);
            REQUIRE(status == 0 || b == NULL);
        } while (status != 0);
        REQUIRE(n > 1);
        runcu_bundle_destroy(&b);
    }
    runcu_bundle_destroy(&whole);
}

/* --- which part --- */

static const char *fit(const char *const *given, size_t count, int device, int is_gpu)
{
    static char text[200];
    static runcu_bundle_part parts[8];
    runcu_bundle b = {.parts = parts, .count = count};
    bool is_ptx;
    for (size_t i = 0; i < count; i++) {
        parts[i] = (runcu_bundle_part){
            .arch = given[i], .cubin = given[i][0] == 's' ? "cubin" : NULL, .ptx = "ptx"};
    }
    const runcu_bundle_part *p = core_bundle_fit(&is_ptx, &b, device, is_gpu);
    snprintf(text, sizeof text, "%s%s", p ? p->arch : "none", p && is_ptx ? " ptx" : "");
    return text;
}

static void the_best_part_is_taken(void)
{
    static const char *const some[] = {"sm_80", "compute_75", "sm_90", "sm_86"},
                             *const special[] = {"sm_90", "sm_90a", "compute_80", "sm_100f"},
                             *const only[] = {"sm_90a"};
    REQUIRE_STR(fit(some, 4, 80, 1), "sm_80");
    REQUIRE_STR(fit(some, 4, 86, 1), "sm_86");
    REQUIRE_STR(fit(some, 4, 89, 1), "sm_86");
    REQUIRE_STR(fit(some, 4, 90, 1), "sm_90");
    REQUIRE_STR(fit(some, 4, 75, 1), "compute_75 ptx");
    REQUIRE_STR(fit(some, 4, 100, 1), "sm_90 ptx");
    REQUIRE_STR(fit(some, 4, 120, 1), "sm_90 ptx");
    REQUIRE_STR(fit(some, 4, 70, 1), "none");
    REQUIRE_STR(fit(some, 4, 90, 0), "sm_90 ptx");
    REQUIRE_STR(fit(some, 4, 75, 0), "compute_75 ptx");
    REQUIRE_STR(fit(special, 4, 90, 1), "sm_90a");
    REQUIRE_STR(fit(special, 4, 100, 1), "sm_100f");
    REQUIRE_STR(fit(special, 4, 103, 1), "sm_100f");
    REQUIRE_STR(fit(special, 4, 120, 1), "sm_90 ptx");
    REQUIRE_STR(fit(special, 4, 87, 1), "compute_80 ptx");
    REQUIRE_STR(fit(only, 1, 90, 0), "sm_90a ptx");
    REQUIRE_STR(fit(only, 1, 100, 1), "none");
}

/* --- the format --- */

/* As version 0.1.0 wrote it: the file of whoever ships one must be read for ever. */
static const unsigned char shipped[] = {
    114, 117, 110, 99,  117, 45,  98,  10,  1,   0,   0,   0,   0,   0,   0,   0,   152, 1,   0,
    0,   0,   0,   0,   0,   247, 195, 63,  92,  247, 18,  192, 248, 6,   0,   0,   0,   0,   0,
    0,   0,   48,  46,  49,  46,  48,  0,   0,   0,   10,  0,   0,   0,   0,   0,   0,   0,   107,
    101, 114, 110, 101, 108, 46,  99,  117, 0,   0,   0,   0,   0,   0,   0,   2,   0,   0,   0,
    0,   0,   0,   0,   11,  0,   0,   0,   0,   0,   0,   0,   99,  111, 109, 112, 117, 116, 101,
    95,  53,  48,  0,   0,   0,   0,   0,   0,   4,   0,   0,   0,   0,   0,   0,   0,   45,  97,
    10,  0,   0,   0,   0,   0,   66,  0,   0,   0,   0,   0,   0,   0,   46,  118, 101, 114, 115,
    105, 111, 110, 32,  54,  46,  48,  10,  46,  116, 97,  114, 103, 101, 116, 32,  115, 109, 95,
    53,  48,  10,  46,  101, 110, 116, 114, 121, 32,  95,  90,  49,  102, 80,  105, 40,  46,  112,
    97,  114, 97,  109, 32,  46,  117, 54,  52,  32,  112, 41,  32,  123, 32,  114, 101, 116, 59,
    32,  125, 10,  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   1,
    0,   0,   0,   0,   0,   0,   0,   5,   0,   0,   0,   0,   0,   0,   0,   102, 60,  49,  62,
    0,   0,   0,   0,   7,   0,   0,   0,   0,   0,   0,   0,   95,  90,  49,  102, 80,  105, 0,
    0,   1,   0,   0,   0,   0,   0,   0,   0,   2,   0,   0,   0,   0,   0,   0,   0,   102, 0,
    0,   0,   0,   0,   0,   0,   7,   0,   0,   0,   0,   0,   0,   0,   95,  90,  49,  102, 80,
    105, 0,   0,   9,   0,   0,   0,   0,   0,   0,   0,   102, 40,  105, 110, 116, 32,  42,  41,
    0,   0,   0,   0,   0,   0,   0,   0,   7,   0,   0,   0,   0,   0,   0,   0,   115, 109, 95,
    57,  48,  97,  0,   0,   1,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   64,  0,   0,   0,   0,   0,   0,   0,   127,
    69,  76,  70,  2,   1,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,
};

static void what_was_shipped_is_read(void)
{
    size_t count;
    runcu_bundle *b;
    REQUIRE_OK(runcu_bundle_parse(&b, shipped, sizeof shipped));
    const runcu_bundle_part *parts = runcu_bundle_parts(b, &count);
    REQUIRE_INT(count, ==, 2);
    REQUIRE_STR(runcu_bundle_maker(b), "0.1.0");
    REQUIRE_STR(runcu_bundle_source_name(b), "kernel.cu");
    REQUIRE_STR(parts[0].arch, "compute_50");
    REQUIRE_STR(parts[0].options, "-a\n");
    REQUIRE_STR(parts[0].ptx,
                ".version 6.0\n.target sm_50\n.entry _Z1fPi(.param .u64 p) { ret; }\n");
    REQUIRE(parts[0].cubin == NULL);
    REQUIRE_STR(parts[0].kernels[0].signature, "f(int *)");
    REQUIRE_INT(parts[0].name_count, ==, 1);
    REQUIRE_STR(parts[0].names[0].expression, "f<1>");
    REQUIRE_STR(parts[0].names[0].symbol, "_Z1fPi");
    REQUIRE_STR(parts[1].arch, "sm_90a");
    REQUIRE_INT(parts[1].cubin_bytes, ==, 64);
    REQUIRE(parts[1].ptx == NULL);
    runcu_bundle_destroy(&b);
}

/* --- loading --- */

static void run_kernels(runcu_module *m)
{
    int values[4] = {1, 2, 3, 4};
    runcu_mem *mem;
    runcu_function *add, *twice;
    REQUIRE_OK(runcu_mem_alloc(&mem, sizeof values));
    REQUIRE_OK(runcu_copy_htod(runcu_mem_address(mem), values, sizeof values));
    REQUIRE_OK(runcu_module_get_function(&add, m, "add<int>"));
    REQUIRE_OK(runcu_module_get_function(&twice, m, "twice"));
    runcu_launch_params shape = {.size = sizeof shape, .grid = {1, 1, 1}, .block = {4, 1, 1}};
    REQUIRE_OK(runcu_launch(twice, shape, mem));
    REQUIRE_OK(runcu_launch(add, shape, mem, 10));
    REQUIRE_OK(runcu_copy_dtoh(values, runcu_mem_address(mem), sizeof values));
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(values[i], ==, 2 * (i + 1) + 15);
    runcu_function *none;
    REQUIRE_FAILS(runcu_module_get_function(&none, m, "add<double>"), RUNCU_ERROR_NAME,
                  "add<double>");
    REQUIRE_FAILS(runcu_module_get_function(&none, m, "oops"), RUNCU_ERROR_NAME, "twice");
    uint64_t at;
    size_t bytes;
    REQUIRE_OK(runcu_module_get_global(&at, &bytes, m, "ns::offset"));
    REQUIRE_INT(bytes, ==, 4);
    runcu_function_release(&add);
    runcu_function_release(&twice);
    runcu_mem_free(&mem);
}

static void is_written(void)
{
    runcu_bundle *b = make();
    REQUIRE_OK(runcu_bundle_write(b, written));
    runcu_bundle_destroy(&b);
}

/* Nothing of NVRTC's is found in this process, nor is anything loaded. */
static void loads_without_nvrtc(void)
{
    runcu_bundle *b;
    runcu_module *m;
    setenv("RUNCU_NVRTC", "/nonexistent/libnvrtc.so", 1);
    setenv("RUNCU_CACHE_DIR", "/nonexistent", 1);
    setenv("RUNCU_DEVICE", wanted, 1);
    REQUIRE_OK(runcu_bundle_read(&b, written));
    REQUIRE_OK(runcu_module_load_bundle(&m, b));
    runcu_bundle_destroy(&b);
    run_kernels(m);
    runcu_module_release(&m);
    REQUIRE_INT(runcu_nvrtc_is_loaded(), ==, 0);
    REQUIRE_FAILS(runcu_module_compile(&m, source, NULL), RUNCU_ERROR_NO_NVRTC, "/nonexistent");
}

static void loads_from_memory(void)
{
    size_t size;
    runcu_bundle *b;
    runcu_module *m;
    setenv("RUNCU_DEVICE", wanted, 1);
    REQUIRE_OK(runcu_bundle_read(&b, written));
    const void *data = runcu_bundle_data(b, &size);
    char *odd = malloc(size + 1); /* an array of bytes is aligned anyhow */
    REQUIRE(odd != NULL);
    memcpy(odd + 1, data, size);
    runcu_bundle_destroy(&b);
    REQUIRE_OK(runcu_module_load(&m, odd + 1, size));
    free(odd);
    run_kernels(m);
    runcu_module_release(&m);
    runcu_jit_params params = {.size = sizeof params, .is_verbose = 1};
    REQUIRE_OK(runcu_bundle_read(&b, written));
    data = runcu_bundle_data(b, &size);
    REQUIRE_OK(runcu_module_load_with(&m, data, size, &params));
    run_kernels(m);
    runcu_module_release(&m);
    runcu_bundle_destroy(&b);
}

/* Where no C++ library is in the process, mangled names of templates cannot be read. */
static void names_are_those_in_the_file(void)
{
    size_t count;
    runcu_bundle *b;
    runcu_module *m;
    runcu_function *f;
    setenv("RUNCU_DEVICE", wanted, 1);
    REQUIRE_OK(runcu_bundle_read(&b, written));
    runcu_bundle_parts(b, &count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < b->parts[i].kernel_count; k++) {
            runcu_bundle_kernel *kernel = (runcu_bundle_kernel *) &b->parts[i].kernels[k];
            if (strcmp(kernel->name, "twice") == 0)
                kernel->name = "ns::twice<unsigned char>";
        }
    REQUIRE_OK(runcu_module_load_bundle(&m, b));
    runcu_bundle_destroy(&b);
    REQUIRE_OK(runcu_module_get_function(&f, m, "ns::twice<unsigned char>"));
    REQUIRE_STR(runcu_function_symbol(f), "_Z5twicePi");
    runcu_function_release(&f);
    runcu_module_release(&m);
}

static void says_what_is_inside(void)
{
    static const char *const future[] = {"compute_120", "sm_121"};
    runcu_bundle *b;
    runcu_module *m;
    runcu_error e;
    setenv("RUNCU_DEVICE", wanted, 1);
    int number;
    runcu_device *device;
    REQUIRE_OK(runcu_bundle_compile(&b, source, future, 2, NULL));
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_OK(runcu_device_arch(&number, device));
    if (number < 120) {
        REQUIRE_FAILS(runcu_module_load_bundle(&m, b), RUNCU_ERROR_DRIVER, "compute_120, sm_121");
        runcu_error_get(&e);
        REQUIRE_INT(e.code, ==, 209);
        REQUIRE(m == NULL);
    }
    runcu_bundle_destroy(&b);
}

static void makes_c_text(void)
{
    size_t size;
    static char text[200];
    runcu_bundle *b = make();
    runcu_bundle_data(b, &size);
    REQUIRE_OK(runcu_bundle_write_header(b, rig_path("k.h"), "kernels"));
    FILE *f = fopen(rig_path("k.h"), "r");
    REQUIRE(f && fgets(text, sizeof text, f) && fgets(text, sizeof text, f));
    REQUIRE_STR(text, "static const unsigned char kernels[] = {\n");
    REQUIRE(fgets(text, sizeof text, f) != NULL);
    REQUIRE_IN("    114,117,110,99,117,45,98,10,1,0,", text);
    fclose(f);
    REQUIRE_FAILS(runcu_bundle_write_header(b, rig_path("k.h"), "a b"), RUNCU_ERROR_ARGUMENT,
                  "\"a b\" is no name");
    REQUIRE_FAILS(runcu_bundle_write_header(b, rig_path("k.h"), "1a"), RUNCU_ERROR_ARGUMENT, "1a");
    REQUIRE_FAILS(runcu_bundle_write_header(b, rig_path("k.h"), NULL), RUNCU_ERROR_ARGUMENT, "");
    REQUIRE_FAILS(runcu_bundle_write_header(b, NULL, "a"), RUNCU_ERROR_ARGUMENT, "path");
    runcu_bundle_destroy(&b);
}

static int has_device(void)
{
    fflush(NULL);
    int end = 0;
    pid_t child = fork();
    if (child == 0) {
        runcu_device *device;
        setenv("RUNCU_DEVICE", wanted, 1);
        _exit(runcu_device_default(&device) != 0);
    }
    REQUIRE_INT(waitpid(child, &end, 0), ==, child);
    return end == 0;
}

int main(int argc, char **argv)
{
    wanted = argc > 1 ? argv[1] : "cpu";
    if (!has_device())
        return TEST_SKIPPED;
    rig_start(0);
    snprintf(written, sizeof written, "%s", rig_path("written.bundle"));
    RUN(the_best_part_is_taken);
    RUN(what_was_shipped_is_read);
    RUN_ALONE(is_written);
    RUN_ALONE(loads_without_nvrtc);
    RUN_ALONE(loads_from_memory);
    RUN_ALONE(names_are_those_in_the_file);
    RUN_ALONE(says_what_is_inside);
    RUN(is_listed);
    RUN(is_always_the_same);
    RUN(goes_through_a_file);
    RUN(wants_programs_with_code);
    RUN(wants_architectures);
    RUN(damage_is_noticed);
    RUN(every_allocation_may_fail);
    RUN(makes_c_text);
    rig_end();
    return 0;
}

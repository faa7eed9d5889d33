/* Source text to code: what must compile, what must be refused and in which words. Needs NVRTC, no
 * device. */
#include <pthread.h>

#include "program_rig.h"

#include "base/alloc.h"
#include "driver/abi.h"

#define KERNEL(body) "__global__ void k(float *x, int n) { " body " }\n"

static const char plain[] = KERNEL("x[n] = 1.0f;");

static void code_for_real_and_virtual_architectures(void)
{
    runcu_program *program;
    size_t bytes;
    REQUIRE_OK(rig_compile(&program, plain, &(runcu_program_params){.arch = 80, .no_cache = 1}));
    REQUIRE_BYTES(runcu_program_cubin(program, &bytes),
                  "\x7f"
                  "ELF",
                  4);
    REQUIRE_INT(bytes, >, 1000);
    REQUIRE_IN(".target sm_80", runcu_program_ptx(program, &bytes));
    REQUIRE_INT(bytes, ==, strlen(runcu_program_ptx(program, NULL)));
    REQUIRE_STR(runcu_program_arch(program), "sm_80");
    REQUIRE_STR(runcu_program_log(program), "");
    runcu_program_destroy(&program);
    REQUIRE(!program);
    REQUIRE_OK(rig_compile(&program, plain,
                           &(runcu_program_params){.arch_text = "compute_90", .no_cache = 1}));
    REQUIRE(!runcu_program_cubin(program, &bytes));
    REQUIRE_INT(bytes, ==, 0);
    REQUIRE_IN(".target sm_90", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    runcu_program_destroy(&program);
}

/* What compiles with nvcc, as far as PyCUDA's programs use it, and must do so in silence. */
static const struct {
    const char *what, *source;
} sources[] = {
    {"own uint64_t",
     "typedef unsigned long uint64_t;\n__global__ void k(uint64_t *x) { x[0] = 1; }\n"},
    {"other uint64_t",
     "typedef unsigned long long uint64_t;\n__global__ void k(uint64_t *x) { x[0] = 1; }\n"},
    {"constant M_PI", "__constant__ float M_PI;\n" KERNEL("x[0] = M_PI;")},
    {"constant M_PI with a value", "__constant__ float M_PI = 3.0f;\n" KERNEL("x[0] = M_PI;")},
    {"#define M_PI", "#define M_PI 3.14f\n" KERNEL("x[0] = M_PI;")},
    {"#ifndef M_PI", "#ifndef M_PI\n#define M_PI 3.14f\n#endif\n" KERNEL("x[0] = M_PI;")},
    {"own pow", "__device__ float pow(float a, double b) { return a * (float) b; }\n" KERNEL(
                    "x[0] = pow(x[1], 2.0);")},
    {"own pow template", "template <class T> __device__ T pow(T a, T b) { return a * b; }\n" KERNEL(
                             "x[0] = pow(x[1], 2.0f);")},
    {"enum INT_MAX", "enum {INT_MAX};\n" KERNEL("x[0] = INT_MAX;")},
    {"enum with values",
     "enum limits { A = 3,\n INT_MAX = 5, INT_MIN };\n" KERNEL("x[0] = INT_MAX + INT_MIN;")},
    {"struct uint", "struct uint { int a; };\n" KERNEL("uint u; u.a = n; x[0] = u.a;")},
    {"using uint", "using uint = unsigned char;\n" KERNEL("uint u = n; x[0] = u;")},
    {"typedef struct uint",
     "typedef struct { uint32_t a; } uint;\n" KERNEL("uint u; u.a = n; x[0] = u.a;")},
    {"uint elsewhere", "namespace ns { typedef int uint; }\n" KERNEL("ns::uint q = n; x[0] = q;")},
    {"a variable NAN", KERNEL("float NAN = 3; x[0] = NAN;")},
    {"in a macro", "#define TWO_PI (2 * M_PI)\n#define PIE M_PI\n" KERNEL("x[0] = TWO_PI + PIE;")},
    {"after a macro",
     "#define DEV __device__\nDEV uint f(uint b);\nDEV uint f(uint b) { return b; }\n" KERNEL(
         "x[0] = f(n);")},
    {"uint by a macro",
     "#define MAKE(T) typedef unsigned char T;\nMAKE(uint)\n" KERNEL("uint q = n; x[0] = q;")},
    {"uint by a macro and an include",
     "#include <stdio.h>\n#define MAKE(T) typedef unsigned char T;\nMAKE(uint)\n" KERNEL(
         "uint q = n; x[0] = q;")},
    {"short names",
     KERNEL("uint a = 1; ushort b = 2; ulong c = 3; uchar d = 4; x[0] = a + b + c + d;")},
    {"sized names", KERNEL("int8_t a = 1; int32_t b = 2; uint64_t c = 3; uint8_t d = 4; intptr_t e "
                           "= 5; x[0] = a + b + c + d + e;")},
    {"limits", KERNEL("x[0] = INT_MAX + FLT_MAX + CHAR_BIT + DBL_EPSILON + UINT64_MAX + SIZE_MAX + "
                      "offsetof(float2, y);")},
    {"constants",
     "__constant__ float c = INFINITY;\nstruct S { static constexpr float v = NAN; };\n" KERNEL(
         "x[0] = c + S::v + HUGE_VAL + M_SQRT2;")},
    {"mixed arguments", KERNEL("double d = n; float f = x[0]; x[0] = pow(f, 2.0) + pow(n, 2) + "
                               "pow(f, d) + fmax(f, d) + fmod(f, d) + atan2(d, f);")},
    {"whole arguments", KERNEL("x[0] = sqrt(n) + exp(2) + log(n) + fabs(n) + floor(n) + isnan(n) + "
                               "sin(n) + fma(n, 2.0, x[1]);")},
    {"host functions", "static int g; int helper(int a) { return a + g; }\nstruct S { int m() { "
                       "return 3; } };\n" KERNEL("x[0] = helper(n) + S().m();")},
    {"names in comments",
     "/* M_PI */ // uint\n" KERNEL("const char *s = \"INFINITY\"; x[0] = s[0];")},
    {"a raw string", "const char *s = R\"x(\" M_PI)x\";\n" KERNEL("x[0] = 1;")},
    {"textures", "__global__ void k(cudaTextureObject_t t, float *x) { x[0] = tex2D<float>(t, "
                 "1.0f, 2.0f); }\n"},
    {"printf and assert", KERNEL("assert(n > 0); printf(\"%d\\n\", n);")},
    {"DOS lines", "__global__ void k(float *x)\r\n{\r\n    x[0] = M_PI; \\\r\n}\r\n"},
    {"a byte order mark", "\xef\xbb\xbf" KERNEL("x[0] = 1;")},
    {"Latin 1 in a comment", "// \xe4\xf6\xfc\xff\n" KERNEL("x[0] = 1;")},
    {"nothing", ""},
    {"stdint.h", "#include <stdint.h>\n" KERNEL("uint64_t q = n; x[0] = q;")},
    {"an own type beside cmath", "#include <cmath>\ntypedef unsigned char uint;\n" KERNEL(
                                     "uint q = n; x[0] = std::sqrt(x[1]) + q;")},
    {"NDEBUG", "#define NDEBUG\n#include <assert.h>\n" KERNEL("assert(n++ > 0); x[0] = n;")},
    {"every C header",
     "#include <stdio.h>\n#include <cstdio>\n#include <math.h>\n#include <cmath>\n#include "
     "<stdint.h>\n#include <cstdint>\n"
     "#include <stdlib.h>\n#include <cstdlib>\n#include <string.h>\n#include <cstring>\n#include "
     "<assert.h>\n#include <cassert>\n"
     "#include <limits.h>\n#include <climits>\n#include <float.h>\n#include <cfloat>\n#include "
     "<stddef.h>\n#include <cstddef>\n"
     "#include <cuda.h>\n#include <cuda_runtime.h>\n#include <iostream>\n#include "
     "<algorithm>\n#include <sys/types.h>\n"
     "#include <surface_functions.h>\n" KERNEL("x[0] = std::pow(x[0], 2.0) + std::max(n, 3) + "
                                               "std::uint32_t(3); std::printf(\"%d\", n);")},
    {"PyCUDA's complex numbers", "#include <pycuda-complex.hpp>\ntypedef pycuda::complex<float> "
                                 "c;\n__global__ void k(c *z, volatile c *v, float f)\n"
                                 "{\n z[0] = z[1] * z[2] / z[3] + 2 * z[4] - f / z[5]; z[1] = "
                                 "pow(exp(z[0]), 2) + sqrt(log(z[1]));\n"
                                 " z[2] = abs(z[0]) + arg(z[1]) + norm(z[2]); z[3] = "
                                 "conj(pycuda::polar(f, f)); v[0] = v[1] + v[2]; v[0] = z[0];\n"
                                 " z[4] = tan(sinh(cosh(tanh(sin(cos(z[4])))))); z[5] = "
                                 "pycuda::complex<double>(z[4]); z[6] += f;\n}\n"},
};

static void sources_compile_in_silence(void)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        for (int extern_c = 0; extern_c < 2; extern_c++) {
            runcu_program *program;
            runcu_program_params p = {.no_cache = 1, .extern_c = extern_c};
            if (extern_c &&
                (strstr(sources[i].source, "template") || strstr(sources[i].source, "float pow(")))
                continue;
            if (rig_compile(&program, sources[i].source, &p) != 0)
                TEST_FAIL_("%s: %s", sources[i].what, runcu_error_text());
            if (*runcu_program_log(program))
                TEST_FAIL_("%s: %s", sources[i].what, runcu_program_log(program));
            runcu_program_destroy(&program);
        }
}

static void lines_and_names_are_the_users(void)
{
    runcu_program *program;
    size_t count;
    const char *source = "__global__ void k(uint *x)\n{\n    x[0] = missing;\n}\n";
    for (int extern_c = 0; extern_c < 2; extern_c++) {
        runcu_program_params p = {.name = "add.cu", .extern_c = extern_c, .no_cache = 1};
        REQUIRE_FAILS(rig_compile(&program, source, &p), RUNCU_ERROR_COMPILE,
                      "add.cu does not compile: add.cu(3): identifier \"missing\" is undefined");
        REQUIRE(program != NULL);
        const runcu_diagnostic *d = runcu_program_diagnostics(program, &count);
        REQUIRE_INT(count, ==, 1);
        REQUIRE_STR(d->file, "add.cu");
        REQUIRE_INT(d->line, ==, 3);
        if (d->column) { /* NVRTC before 12.3 does not tell */
            REQUIRE_INT(d->column, ==, 12);
            REQUIRE_IN("        x[0] = missing;\n               ^", runcu_error_text());
        }
        REQUIRE_STR(d->source, "    x[0] = missing;");
        REQUIRE_IN("add.cu(3): error", runcu_program_log(program));
        REQUIRE(!runcu_program_ptx(program, NULL));
        runcu_program_destroy(&program);
    }
    runcu_error e;
    runcu_error_get(&e);
    REQUIRE_INT(e.code, ==, NVRTC_ERROR_COMPILATION);
    REQUIRE_STR(e.name, "NVRTC_ERROR_COMPILATION");
    REQUIRE_STR(e.routine, "nvrtcCompileProgram");
}

static void extern_c_keeps_names(void)
{
    runcu_program *program;
    REQUIRE_OK(rig_compile(&program, plain, &(runcu_program_params){.extern_c = 1, .no_cache = 1}));
    REQUIRE_IN(".entry k(", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    REQUIRE_OK(rig_compile(&program, plain, &(runcu_program_params){.no_cache = 1}));
    REQUIRE_IN(".entry _Z1kPfi(", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
}

static void warnings_do_not_fail(void)
{
    runcu_program *program;
    REQUIRE_OK(rig_compile(&program, KERNEL("int unused; x[0] = 1;"),
                           &(runcu_program_params){.no_cache = 1}));
    REQUIRE_IN("kernel.cu:1", runcu_program_report(program));
    REQUIRE_IN("warning: variable \"unused\"", runcu_program_report(program));
    runcu_program_destroy(&program);
}

static char *ptx_in(const char *folder, const char *name)
{
    runcu_program *program;
    REQUIRE_INT(chdir(folder), ==, 0);
    const char *const lines = "-lineinfo";
    REQUIRE_OK(rig_compile(&program, plain,
                           &(runcu_program_params){
                               .name = name, .options = &lines, .option_count = 1, .no_cache = 1}));
    char *copy = alloc_string(runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    return copy;
}

static void code_does_not_depend_on_the_current_folder(void)
{
    char *a = ptx_in("/", "a.cu"), *b = ptx_in(rig_folder, "a.cu");
    REQUIRE_STR(a, b);
    REQUIRE_IN("/runcu/a.cu", a);
    alloc_free(a);
    alloc_free(b);
}

static void headers_of_the_user(void)
{
    rig_write("one/a.h", "#pragma once\n#include \"b.h\"\n#include \"a.h\"\n");
    rig_write("one/b.h", "typedef int type;\n");
    rig_write("two/b.h", "typedef char type;\n");
    rig_write("two/stdint.h", "typedef short own_type;\n");
    const char *source = "#include \"a.h\"\n__global__ void k(type *x) { x[0] = 1; }\n";
    const char *dirs[] = {rig_path("two"), rig_path("one")};
    runcu_program *program;
    runcu_program_params p = {.include_dirs = dirs, .include_dir_count = 2, .no_cache = 1};
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN("_Z1kPi", runcu_program_ptx(program, NULL)); /* b.h lies beside a.h */
    runcu_program_destroy(&program);
    REQUIRE_OK(rig_compile(
        &program, "#include <stdint.h>\n__global__ void k(own_type *x) { x[0] = 1; }\n", &p));
    runcu_program_destroy(&program);
    setenv("RUNCU_INCLUDE", rig_path("one"), 1);
    REQUIRE_OK(rig_compile(&program, source, &(runcu_program_params){.no_cache = 1}));
    runcu_program_destroy(&program);
    unsetenv("RUNCU_INCLUDE");
    /* Beside a source that lies in a file. */
    REQUIRE_OK(rig_compile(&program, source,
                           &(runcu_program_params){.name = rig_path("one/k.cu"), .no_cache = 1}));
    runcu_program_destroy(&program);
    REQUIRE_INT(chdir(rig_folder), ==, 0);
    const char *relative = "one";
    REQUIRE_OK(rig_compile(
        &program, source,
        &(runcu_program_params){.include_dirs = &relative, .include_dir_count = 1, .no_cache = 1}));
    runcu_program_destroy(&program);
}

static void headers_that_are_not_there(void)
{
    runcu_program *program;
    runcu_program_params p = {.no_cache = 1};
    REQUIRE_FAILS(rig_compile(&program, "#include \"nowhere.h\"\n", &p), RUNCU_ERROR_COMPILE,
                  "cannot open source file \"nowhere.h\"");
    REQUIRE_IN("nowhere.h was looked for in", runcu_error_text());
    REQUIRE_IN("nowhere.h was looked for in", runcu_program_advice(program));
    runcu_program_destroy(&program);
    REQUIRE_FAILS(rig_compile(&program, "#include <vector>\n", &p), RUNCU_ERROR_COMPILE,
                  "cuda/std/");
    runcu_program_destroy(&program);
    REQUIRE_OK(
        rig_compile(&program, "#if 0\n#include <unistd.h>\n#endif\n" KERNEL("x[0] = 1;"), &p));
    runcu_program_destroy(&program);
    rig_write("loop/a.h", "#include \"a.h\"\n");
    const char *dir = rig_path("loop");
    p.include_dirs = &dir;
    p.include_dir_count = 1;
    REQUIRE_FAILS(rig_compile(&program, "#include \"a.h\"\n", &p), RUNCU_ERROR_COMPILE, "a.h");
    runcu_program_destroy(&program);
    REQUIRE_INT(mkfifo(rig_path("loop/pipe.h"), 0600), ==, 0);
    REQUIRE_FAILS(rig_compile(&program, "#include \"pipe.h\"\n", &p), RUNCU_ERROR_ARGUMENT,
                  "pipe.h, which is a pipe");
    REQUIRE(!program);
}

static void precompiled_headers(void)
{
    static const char source[] = "#include \"pch/a.h\"\n" KERNEL("x[0] = A;");
    const char *const options[] = {"--pch"}, *dir = rig_folder;
    runcu_program_params p = {.no_cache = 1, .include_dirs = &dir, .include_dir_count = 1};
    for (int i = 0; i < 4; i++) {
        runcu_program *plain_one, *program;
        rig_write("pch/a.h", i % 2 ? "enum { A = 1 };\n" : "enum { A = 2 };\n");
        p.option_count = 0;
        REQUIRE_OK(rig_compile(&plain_one, source, &p));
        p.options = options;
        p.option_count = 1;
        REQUIRE_OK(rig_compile(&program, source, &p));
        REQUIRE_STR(runcu_program_ptx(program, NULL), runcu_program_ptx(plain_one, NULL));
        REQUIRE_STR(runcu_program_log(program), "");
        runcu_program_destroy(&plain_one);
        runcu_program_destroy(&program);
    }
}

/* NVRTC shows the line of each of a hundred errors. */
static void long_lines_and_no_text(void)
{
    enum { BYTES = 300000 };
    runcu_program *program;
    runcu_program_params p = {.no_cache = 1};
    char *text = malloc(BYTES + 1);
    for (int i = 0; i < BYTES; i++)
        text[i] = "@$`"[i % 3];
    text[BYTES] = 0;
    REQUIRE_FAILS(rig_compile(&program, text, &p), RUNCU_ERROR_COMPILE, "unrecognized token");
    REQUIRE_INT(strlen(runcu_program_log(program)), <, 4000000);
    REQUIRE_STR(runcu_program_advice(program), "");
    runcu_program_destroy(&program);
    free(text);
    REQUIRE_OK(rig_compile(&program, "", &p));
    REQUIRE(runcu_program_ptx(program, NULL) != NULL);
    runcu_program_destroy(&program);
    REQUIRE_STR(runcu_program_advice(NULL), "");
}

static void errors_that_say_too_little(void)
{
    static const struct {
        const char *source, *advice;
    } cases[] = {
        {"texture<float, 2> t;\n", "texture objects"},
        {"__global__ void k() { k<<<1, 1>>>(); }\n", "-rdc=true"},
        {"#include <pycuda-helpers.hpp>\n", "texture references"},
        {KERNEL("x[0] = __shfl(x[0], 0);"), "__shfl_sync"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        runcu_program *program;
        REQUIRE_FAILS(
            rig_compile(&program, cases[i].source, &(runcu_program_params){.no_cache = 1}),
            RUNCU_ERROR_COMPILE, cases[i].advice);
        runcu_program_destroy(&program);
    }
}

static int has_bundle(void)
{
    int major, minor;
    REQUIRE_OK(runcu_nvrtc_version(&major, &minor, NULL));
    return major > 13 || (major == 13 && minor >= 3);
}

static void headers_of_cuda(void)
{
    runcu_program *program;
    runcu_program_params p = {.no_cache = 1};
    const char *source = "#include <cuda_fp16.h>\n" KERNEL(
        "uint64_t q = INT_MAX; x[0] = __half2float(__float2half(x[1])) + q;");
    if (!has_bundle())
        return;
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_STR(runcu_program_log(program), "");
    REQUIRE_IN("--use-bundled-headers=", runcu_program_options(program));
    char file[8192];
    const char *start = strstr(runcu_program_options(program), "--use-bundled-headers=") +
                        strlen("--use-bundled-headers=");
    snprintf(file, sizeof file, "%.*s/cuda_fp16.h", (int) strcspn(start, "\n"), start);
    runcu_program_destroy(&program);
    /* A damaged bundle is noticed and unpacked anew. */
    FILE *f = fopen(file, "w");
    REQUIRE(f != NULL);
    fputs("#error damaged\n", f);
    fclose(f);
    REQUIRE_OK(rig_compile(&program, source, &p));
    runcu_program_destroy(&program);
    REQUIRE_INT(unlink(file), ==, 0);
    REQUIRE_OK(rig_compile(&program, source, &p));
    runcu_program_destroy(&program);
}

static void includes_of_the_toolkit_and_64_bits(void)
{
    runcu_program *program;
    runcu_program_params p = {.no_cache = 1};
    if (!has_bundle())
        return;
    REQUIRE_OK(
        rig_compile(&program,
                    "#include <stdint.h>\n#include <climits>\n#include <cuda/std/cstdint>\n" KERNEL(
                        "int64_t q = INT_MAX; uint64_t r = SIZE_MAX; x[0] = q + r;"),
                    &p));
    REQUIRE_STR(runcu_program_log(program), "");
    runcu_program_destroy(&program);
}

static void lean_first_then_whole(void)
{
    runcu_program *program;
    runcu_program_params p = {.no_cache = 1};
    int major, minor;
    REQUIRE_OK(runcu_nvrtc_version(&major, &minor, NULL));
    if (major == 12 && minor < 4)
        return;
    REQUIRE_OK(rig_compile(&program, plain, &p));
    REQUIRE_IN("--minimal\n", runcu_program_options(program));
    runcu_program_destroy(&program);
    REQUIRE_OK(rig_compile(
        &program,
        "__global__ void k(cudaTextureObject_t t, float *x) { x[0] = tex1D<float>(t, 1.0f); }\n",
        &p));
    REQUIRE_NOT_IN("--minimal\n", runcu_program_options(program));
    runcu_program_destroy(&program);
    REQUIRE_OK(rig_compile(&program, "#include <stdint.h>\n" KERNEL("x[0] = 1;"), &p));
    REQUIRE_NOT_IN("--minimal\n", runcu_program_options(program));
    runcu_program_destroy(&program);
    REQUIRE_IN("-default-device\n", "-default-device\n");
}

static void the_cpu_device_gets_ptx_with_lines(void)
{
    runcu_device *cpu;
    runcu_program *program;
    const char *const debug = "-G";
    const char *const archs[] = {"-gencode", "arch=compute_75,code=sm_75",
                                 "-gencode=arch=compute_90,code=sm_90"};
    if (runcu_device_open(&cpu, "cpu", 0) == RUNCU_ERROR_NO_DRIVER)
        return; /* built without it */
    runcu_program_params p = {.device = cpu, .options = &debug, .option_count = 1, .no_cache = 1};
    REQUIRE_OK(rig_compile(&program, plain, &p));
    REQUIRE_STR(runcu_program_arch(program), "compute_75");
    REQUIRE(!runcu_program_cubin(program, NULL));
    REQUIRE_IN("\t.loc\t", runcu_program_ptx(program, NULL));
    REQUIRE_NOT_IN("debug", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    p.options = archs;
    p.option_count = 3;
    REQUIRE_OK(rig_compile(&program, plain, &p));
    REQUIRE_STR(runcu_program_arch(program), "compute_75");
    runcu_program_destroy(&program);
    p.option_count = 0;
    p.arch = 80;
    REQUIRE_OK(rig_compile(&program, plain, &p));
    REQUIRE_STR(runcu_program_arch(program), "compute_80");
    runcu_program_destroy(&program);
    /* More shared memory than the assembler allows is the device's to refuse. */
    REQUIRE_OK(rig_compile(
        &program, KERNEL("__shared__ double z[6200]; z[n] = 1; __syncthreads(); x[0] = z[0];"),
        &p));
    runcu_program_destroy(&program);
}

static void wrong_calls(void)
{
    runcu_program *program;
    const char *const null[] = {NULL};
    const char *const unknown = "--use_fastmath";
    REQUIRE_FAILS(runcu_program_compile(NULL, plain, NULL), RUNCU_ERROR_ARGUMENT, "out is NULL");
    REQUIRE_FAILS(rig_compile(&program, NULL, NULL), RUNCU_ERROR_ARGUMENT, "source is NULL");
    REQUIRE(!program);
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.option_count = 1}),
                  RUNCU_ERROR_ARGUMENT, "options is NULL");
    REQUIRE_FAILS(
        rig_compile(&program, plain, &(runcu_program_params){.options = null, .option_count = 1}),
        RUNCU_ERROR_ARGUMENT, "option 0 is NULL");
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.include_dir_count = 1}),
                  RUNCU_ERROR_ARGUMENT, "include_dirs is NULL");
    REQUIRE_FAILS(
        rig_compile(&program, plain,
                    &(runcu_program_params){.include_dirs = null, .include_dir_count = 1}),
        RUNCU_ERROR_ARGUMENT, "include_dirs[0] is NULL");
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.arch_text = "fast"}),
                  RUNCU_ERROR_ARGUMENT, "is no architecture");
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.arch = -3}),
                  RUNCU_ERROR_ARGUMENT, "is no architecture");
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.arch = 20}),
                  RUNCU_ERROR_OPTION, "cuda12");
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.arch = 9999}),
                  RUNCU_ERROR_OPTION, "does not know sm_9999");
    REQUIRE_FAILS(rig_compile(&program, plain, &(runcu_program_params){.name = "a\nb"}),
                  RUNCU_ERROR_ARGUMENT, "the name of a source");
    REQUIRE_FAILS(rig_compile(&program, plain,
                              &(runcu_program_params){.options = &unknown, .option_count = 1}),
                  RUNCU_ERROR_OPTION, "Did you mean -use_fast_math?");
    REQUIRE_IN("unrecognized option", runcu_error_text());
    REQUIRE(!program);
}

static void older_and_newer_params(void)
{
    runcu_program *program;
    struct {
        runcu_program_params params;
        char more[64];
    } newer = {.params = {.size = sizeof newer, .arch_text = "compute_80", .no_cache = 1}};
    memset(newer.more, 0xff, sizeof newer.more);
    REQUIRE_OK(runcu_program_compile(&program, plain, &newer.params));
    runcu_program_destroy(&program);
    runcu_program_params older = {.size = offsetof(runcu_program_params, device),
                                  .arch_text = "compute_80",
                                  .cache_dir = (const char *) 1,
                                  .keep_dir = (const char *) 1,
                                  .device = (runcu_device *) 1};
    REQUIRE_OK(runcu_program_compile(&program, plain, &older));
    runcu_program_destroy(&program);
}

static void a_large_source(void)
{
    const size_t size = 10 << 20;
    char *source = alloc_new(size + sizeof plain + 8);
    memset(source, 'x', size);
    memcpy(source, "/*", 2);
    memcpy(source + size, "*/\n", 3);
    memcpy(source + size + 3, plain, sizeof plain);
    runcu_program *program;
    REQUIRE_OK(rig_compile(&program, source, &(runcu_program_params){.no_cache = 1}));
    runcu_program_destroy(&program);
    alloc_free(source);
}

static void files_are_kept(void)
{
    runcu_program *program;
    struct stat st;
    REQUIRE_OK(rig_compile(
        &program, plain,
        &(runcu_program_params){
            .keep_dir = rig_path("kept"), .name = "dir/add.cu", .arch = 80, .no_cache = 1}));
    runcu_program_destroy(&program);
    REQUIRE_INT(stat(rig_path("kept/add.cu"), &st), ==, 0);
    REQUIRE_INT(st.st_size, ==, sizeof plain - 1);
    REQUIRE_INT(stat(rig_path("kept/add.ptx"), &st), ==, 0);
    REQUIRE_INT(st.st_size, >, 100);
    REQUIRE_INT(stat(rig_path("kept/add.cubin"), &st), ==, 0);
    REQUIRE_INT(stat(rig_path("kept/add.log"), &st), ==, 0);
    rig_write("file", "");
    REQUIRE_FAILS(
        rig_compile(&program, plain, &(runcu_program_params){.keep_dir = rig_path("file/x")}),
        RUNCU_ERROR_SYSTEM, "cannot be made");
}

static void *compile_some(void *user)
{
    char source[128];
    for (int i = 0; i < 4; i++) {
        runcu_program *program;
        snprintf(source, sizeof source, "__global__ void k(uint *x) { x[0] = %d; }\n",
                 i + 10 * *(int *) user);
        REQUIRE_OK(rig_compile(&program, source, NULL));
        REQUIRE(runcu_program_ptx(program, NULL) != NULL);
        runcu_program_destroy(&program);
    }
    return NULL;
}

static void several_threads(void)
{
    pthread_t threads[4];
    int numbers[4] = {1, 2, 3, 3};
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, compile_some, &numbers[i]), ==, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* Memory runs out at every allocation in turn, those of the cache included. */
static void memory_runs_out(void)
{
    const char *const options[] = {"-lineinfo", "-DA=1"};
    const char *dir = rig_path("one");
    runcu_program_params p = {
        .options = options, .option_count = 2, .include_dirs = &dir, .include_dir_count = 1};
    const char *source = "#include <stdint.h>\n#include \"b.h\"\n__global__ void k(type *x) { "
                         "uint64_t q = 1; x[0] = q; }\n";
    int status = -1;
    size_t n = 1;
    for (; status != 0; n++) {
        runcu_program *program = NULL;
        alloc_fail_at(n);
        status = rig_compile(&program, source, &p);
        alloc_fail_at(0);
        if (status && status != RUNCU_ERROR_MEMORY)
            TEST_FAIL_("allocation %zu: %s", n, runcu_error_text());
        runcu_program_destroy(&program);
        REQUIRE_INT(n, <, 2000);
    }
    REQUIRE_INT(n, >, 20);
}

/* Where they cannot be had, the source compiles without. */
static void memory_runs_out_for_precompiled_headers(void)
{
    const char *const options[] = {"--pch"};
    const char *dir = rig_path("one");
    runcu_program_params p = {.options = options,
                              .option_count = 1,
                              .include_dirs = &dir,
                              .include_dir_count = 1,
                              .no_cache = 1};
    int in_a_row = 0;
    for (size_t n = 1; in_a_row < 4; n++) {
        runcu_program *program = NULL;
        alloc_fail_at(n);
        int status = rig_compile(&program, "#include \"b.h\"\n__global__ void k(type *x) {}", &p);
        alloc_fail_at(0);
        if (status && status != RUNCU_ERROR_MEMORY)
            TEST_FAIL_("allocation %zu: %s", n, runcu_error_text());
        in_a_row = status ? 0 : in_a_row + 1;
        runcu_program_destroy(&program);
        REQUIRE_INT(n, <, 2000);
    }
    REQUIRE_INT(system("test $(ls -d \"${TMPDIR:-/tmp}\"/runcu-pch-$PPID-* | wc -l) -le 1"), ==, 0);
}

static void without_nvrtc(void)
{
    runcu_program *program;
    setenv("RUNCU_NVRTC", "/nowhere/libnvrtc.so", 1);
    REQUIRE_FAILS(rig_compile(&program, "__global__ void never_seen() {}", NULL),
                  RUNCU_ERROR_NO_NVRTC, "RUNCU_NVRTC=/nowhere/libnvrtc.so");
    REQUIRE_IN("pip install nvidia-cuda-nvrtc", runcu_error_text());
    REQUIRE_INT(runcu_nvrtc_is_loaded(), ==, 0);
    rig_write("libnvrtc.so.13", "no library");
    setenv("RUNCU_NVRTC", rig_folder, 1);
    REQUIRE_FAILS(runcu_nvrtc_version(NULL, NULL, NULL), RUNCU_ERROR_NO_NVRTC, "libnvrtc.so.13");
}

static void nvrtc_by_its_path(void)
{
    const char *path, *wanted;
    int end;
    int ends[2];
    char text[4096] = "";
    REQUIRE_INT(pipe(ends), ==, 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { /* loads it, and tells where it was */
        REQUIRE_OK(runcu_nvrtc_version(NULL, NULL, &wanted));
        REQUIRE(write(ends[1], wanted, strlen(wanted)) > 0);
        exit(0);
    }
    REQUIRE_INT(waitpid(child, &end, 0), ==, child);
    REQUIRE(read(ends[0], text, sizeof text - 1) > 0);
    setenv("RUNCU_NVRTC", text, 1);
    REQUIRE_OK(runcu_nvrtc_search(NULL, 0));
    REQUIRE_OK(runcu_nvrtc_version(NULL, NULL, &path));
    REQUIRE_STR(path, text);
}

int main(void)
{
    rig_start(0);
    RUN_ALONE(without_nvrtc);
    RUN_ALONE(nvrtc_by_its_path);
    RUN(code_for_real_and_virtual_architectures);
    RUN(sources_compile_in_silence);
    RUN(lines_and_names_are_the_users);
    RUN(extern_c_keeps_names);
    RUN(warnings_do_not_fail);
    RUN(code_does_not_depend_on_the_current_folder);
    RUN(headers_of_the_user);
    RUN(headers_that_are_not_there);
    RUN(long_lines_and_no_text);
    RUN(precompiled_headers);
    RUN(errors_that_say_too_little);
    RUN(headers_of_cuda);
    RUN(includes_of_the_toolkit_and_64_bits);
    RUN(lean_first_then_whole);
    RUN(the_cpu_device_gets_ptx_with_lines);
    RUN(wrong_calls);
    RUN(older_and_newer_params);
    RUN(a_large_source);
    RUN(files_are_kept);
    RUN(several_threads);
    RUN(memory_runs_out);
    RUN(memory_runs_out_for_precompiled_headers);
    rig_end();
    return 0;
}

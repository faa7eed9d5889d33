/* Linking and the compiler's options, on the CPU device, and on a GPU where there is one (given as
 * an argument). */
#include <stdio.h>
#include <string.h>

#include "runcu/runcu.h"
#include "test.h"

#include "base/alloc.h"
#include "core/core.h"
#include "program_rig.h"

enum { CUBIN = 0, PTX = 1, LIBRARY = 4, MAX_REGISTERS = 0, INFO_LOG = 3 };

#define HEAD ".version 6.4\n.target sm_75\n.address_size 64\n"

/* Each has a function `mine` and a string of its own. */
static const char caller[] = HEAD
    ".file 1 \"caller.cu\"\n"
    ".extern .func (.param .b32 r) twice (.param .b32 x);\n"
    ".extern .global .align 4 .u32 counter;\n"
    ".global .align 1 .b8 text[4] = {65, 0, 0, 0};\n"
    ".func (.param .b32 r) mine (.param .b32 x) {\n"
    "  .reg .u32 %a; ld.param.u32 %a, [x]; add.u32 %a, %a, 1; st.param.b32 [r], %a; ret; }\n"
    ".weak .func (.param .b32 r) shared_by_both (.param .b32 x) {\n"
    "  .reg .u32 %a; ld.param.u32 %a, [x]; add.u32 %a, %a, 1000; st.param.b32 [r], %a; ret; }\n"
    ".visible .entry run (.param .u64 out) {\n"
    "  .reg .u64 %p; .reg .u32 %a, %b; .reg .u16 %c;\n"
    "  .loc 1 7 3\n"
    "  ld.param.u64 %p, [out]; cvta.to.global.u64 %p, %p; ld.global.u32 %a, [counter];\n"
    "  { .param .b32 p; .param .b32 q; st.param.b32 [p], %a; call.uni (q), twice, (p);\n"
    "    ld.param.b32 %a, [q]; }\n"
    "  { .param .b32 p; .param .b32 q; st.param.b32 [p], %a; call.uni (q), mine, (p);\n"
    "    ld.param.b32 %a, [q]; }\n"
    "  { .param .b32 p; .param .b32 q; st.param.b32 [p], %a; call.uni (q), shared_by_both, (p);\n"
    "    ld.param.b32 %a, [q]; }\n"
    "  ld.global.u8 %c, [text]; cvt.u32.u16 %b, %c;\n"
    "  st.global.u32 [%p], %a; st.global.u32 [%p+4], %b; ret; }\n";

static const char callee[] = HEAD
    "// .version in a comment, mine in another /* text */\n"
    ".file 1 \"callee.cu\"\n"
    ".visible .global .align 4 .u32 counter = 5;\n"
    ".global .align 1 .b8 text[4] = {66, 0, 0, 0};\n"
    ".func (.param .b32 r) mine (.param .b32 x) {\n"
    "  .reg .u32 %a; .reg .u16 %c; ld.param.u32 %a, [x]; mul.lo.u32 %a, %a, 2;\n"
    "  st.param.b32 [r], %a; ret; }\n"
    ".weak .func (.param .b32 r) shared_by_both (.param .b32 x) {\n"
    "  .reg .u32 %a; ld.param.u32 %a, [x]; add.u32 %a, %a, 1000; st.param.b32 [r], %a; ret; }\n"
    ".visible .func (.param .b32 r) twice (.param .b32 x) {\n"
    "  .reg .u32 %a; .reg .u32 %b; .reg .u16 %c; ld.param.u32 %a, [x];\n"
    "  .loc 1 3 1\n"
    "  { .param .b32 p; .param .b32 q; st.param.b32 [p], %a; call.uni (q), mine, (p);\n"
    "    ld.param.b32 %a, [q]; }\n"
    "  { .param .b32 p; .param .b32 q; st.param.b32 [p], %a; call.uni (q), shared_by_both, (p);\n"
    "    ld.param.b32 %a, [q]; }\n"
    "  ld.global.u8 %c, [text]; cvt.u32.u16 %b, %c; add.u32 %a, %a, %b;\n"
    "  st.param.b32 [r], %a; ret; }\n";

static char info[4096], errors[4096];
static bool is_cpu;

static runcu_jit_params params(void)
{
    return (runcu_jit_params){
        .size = sizeof(runcu_jit_params),
        .info_log = info,
        .error_log = errors,
        .info_log_size = sizeof info,
        .error_log_size = sizeof errors,
        .is_verbose = 1,
    };
}

static void require_results(runcu_module *module)
{
    runcu_function *run;
    runcu_mem *out;
    uint32_t words[2] = {0};
    REQUIRE_OK(runcu_module_get_function(&run, module, "run"));
    REQUIRE_OK(runcu_mem_alloc(&out, sizeof words));
    runcu_launch_params shape = {.size = sizeof shape, .grid = {1, 1, 1}, .block = {1, 1, 1}};
    runcu_arg args[] = {{.kind = RUNCU_ARG_MEM, .value.mem = out}};
    REQUIRE_OK(runcu_launch_args(run, &shape, args, 1));
    REQUIRE_OK(runcu_copy_dtoh(words, runcu_mem_address(out), sizeof words));
    REQUIRE_INT(words[0], ==, 5 * 2 + 1000 + 66 + 1 + 1000);
    REQUIRE_INT(words[1], ==, 65);
    REQUIRE_OK(runcu_mem_free(&out));
    runcu_function_release(&run);
}

static void texts_are_linked(const char *first, const char *second)
{
    runcu_link *link;
    runcu_module *module;
    const void *image, *again;
    size_t bytes, same;
    runcu_jit_params p = params();
    REQUIRE_OK(runcu_link_create(&link, &p));
    REQUIRE_OK(runcu_link_add(link, PTX, first, strlen(first), "first"));
    REQUIRE_OK(runcu_link_add(link, PTX, second, strlen(second) + 1, NULL));
    REQUIRE_OK(runcu_link_complete(&image, &bytes, link));
    REQUIRE_OK(runcu_module_load(&module, image, bytes));
    REQUIRE(runcu_link_handle(link) != 0);
    REQUIRE_OK(runcu_link_complete(&again, &same, link));
    REQUIRE(again == image && same == bytes);
    REQUIRE_FAILS(runcu_link_add(link, PTX, first, strlen(first), NULL), RUNCU_ERROR_ARGUMENT,
                  "complete");
    runcu_link_destroy(&link);
    REQUIRE(!link);
    require_results(module);
    runcu_module_release(&module);
}

static void require_failure(const char *first, const char *second, const char *text)
{
    runcu_link *link;
    const void *image = "";
    size_t bytes = 1;
    runcu_jit_params p = params();
    runcu_error e;
    REQUIRE_OK(runcu_link_create(&link, &p));
    int status = runcu_link_add(link, PTX, first, strlen(first), "first");
    if (!status && second)
        status = runcu_link_add(link, PTX, second, strlen(second), "second");
    if (!status)
        status = runcu_link_complete(&image, &bytes, link);
    REQUIRE_INT(status, ==, RUNCU_ERROR_DRIVER);
    REQUIRE(!*(const char *) (image ? image : ""));
    runcu_error_get(&e);
    REQUIRE(strstr(e.detail, text));
    REQUIRE(strstr(errors, text));
    runcu_link_destroy(&link);
}

static void what_cannot_be_linked_is_told(void)
{
    require_failure(caller, NULL, "Undefined reference to 'twice' in 'first'");
    require_failure(callee, callee, "Multiple definition of '");
    require_failure(callee, callee, "in 'second', first defined in 'first'");
    require_failure(HEAD ".nonsense\n", NULL, "nonsense");
}

static int run_linked(runcu_link *link)
{
    runcu_module *module;
    runcu_function *run;
    runcu_mem *out;
    const void *image;
    size_t bytes;
    int word = 20;
    REQUIRE_OK(runcu_link_complete(&image, &bytes, link));
    REQUIRE_OK(runcu_module_load(&module, image, bytes));
    REQUIRE_OK(runcu_module_get_function(&run, module, "run"));
    REQUIRE_OK(runcu_mem_alloc(&out, sizeof word));
    REQUIRE_OK(runcu_copy_htod(runcu_mem_address(out), &word, sizeof word));
    runcu_launch_params shape = {.size = sizeof shape, .grid = {1, 1, 1}, .block = {1, 1, 1}};
    runcu_arg args[] = {{.kind = RUNCU_ARG_MEM, .value.mem = out}};
    REQUIRE_OK(runcu_launch_args(run, &shape, args, 1));
    REQUIRE_OK(runcu_copy_dtoh(&word, runcu_mem_address(out), sizeof word));
    REQUIRE_OK(runcu_mem_free(&out));
    runcu_function_release(&run);
    runcu_module_release(&module);
    return word;
}

/* Reads `value` by `get`, each of its own text. */
#define READER                                                                 \
    HEAD ".extern .func (.param .b32 r) get ();\n"                             \
         ".visible .entry run (.param .u64 out) {\n"                           \
         "  .reg .u64 %p; .reg .u32 %a;\n"                                     \
         "  ld.param.u64 %p, [out]; cvta.to.global.u64 %p, %p;\n"              \
         "  { .param .b32 q; call.uni (q), get, (); ld.param.b32 %a, [q]; }\n" \
         "  st.global.u32 [%p], %a; ret; }\n"
#define GETTER(linkage, number)                      \
    HEAD linkage " .func (.param .b32 r) get () {\n" \
                 "  .reg .u32 %a; mov.u32 %a, " number "; st.param.b32 [r], %a; ret; }\n"
#define LOADER(declaration)                                      \
    HEAD declaration ";\n"                                       \
                     ".visible .func (.param .b32 r) get () {\n" \
                     "  .reg .u32 %a; ld.global.u32 %a, [value+4]; st.param.b32 [r], %a; ret; }\n"

static void which_definition_counts(void)
{
    static const struct {
        const char *texts[3];
        int result;
    } rows[] = {
        {{READER, GETTER(".weak", "1"), GETTER(".visible", "2")}, 2},
        {{GETTER(".weak", "1"), READER, GETTER(".visible", "2")}, 2},
        {{GETTER(".visible", "2"), GETTER(".weak", "1"), READER}, 2},
        {{GETTER(".weak", "1"), GETTER(".weak", "1"), READER}, 1},
        {{READER, LOADER(".extern .global .align 4 .b8 value[8]"),
          HEAD ".visible .global .align 8 .u64 value = 12884901888;\n"},
         3},
        {{READER, HEAD ".visible .global .align 4 .u32 value[2] = {4, 5};\n",
          LOADER(".extern .global .align 8 .f64 value")},
         5},
        {{READER, LOADER(".weak .global .align 4 .u32 value[2] = {6, 7}"),
          HEAD ".visible .global .align 4 .u32 value[2] = {8, 9};\n"},
         9},
        {{READER, LOADER(".common .global .align 4 .u32 value[2]"),
          HEAD ".visible .global .align 4 .u32 value[2] = {8, 9};\n"},
         9},
        {{READER, HEAD ".common .global .align 4 .u32 value;\n",
          LOADER(".common .global .align 4 .u32 value[2]")},
         0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        runcu_link *link;
        runcu_jit_params p = params();
        REQUIRE_OK(runcu_link_create(&link, &p));
        for (size_t k = 0; k < 3; k++)
            REQUIRE_OK(runcu_link_add(link, PTX, rows[i].texts[k], strlen(rows[i].texts[k]),
                                      k ? "second" : "first"));
        REQUIRE_INT(run_linked(link), ==, rows[i].result);
        runcu_link_destroy(&link);
    }
}

static void wrong_calls(void)
{
    runcu_link *link;
    const void *image;
    size_t bytes;
    int many[65] = {0};
    uint64_t values[65] = {0};
    runcu_jit_params p = params();
    p.options = many;
    p.values = values;
    p.option_count = 65;
    REQUIRE_FAILS(runcu_link_create(&link, &p), RUNCU_ERROR_ARGUMENT, "at most 64");
    REQUIRE(!link);
    p.option_count = 1;
    p.values = NULL;
    REQUIRE_FAILS(runcu_link_create(&link, &p), RUNCU_ERROR_ARGUMENT, "values is NULL");
    p.options = NULL;
    REQUIRE_FAILS(runcu_link_create(&link, &p), RUNCU_ERROR_ARGUMENT, "options is NULL");
    REQUIRE_OK(runcu_link_create(&link, NULL));
    REQUIRE_FAILS(runcu_link_add(link, PTX, "", 0, NULL), RUNCU_ERROR_ARGUMENT, "empty");
    REQUIRE_FAILS(runcu_link_add(link, PTX, NULL, 4, NULL), RUNCU_ERROR_ARGUMENT, "image is NULL");
    REQUIRE(runcu_link_add(link, 77, caller, sizeof caller, NULL) != 0);
    if (is_cpu)
        REQUIRE(runcu_link_add(link, LIBRARY, "!<arch>\n", 8, "lib.a") != 0);
    REQUIRE_FAILS(runcu_link_add_file(link, PTX, "/nonexistent/file.ptx"), RUNCU_ERROR_DRIVER,
                  "file not found");
    REQUIRE_FAILS(runcu_link_complete(&image, &bytes, link), RUNCU_ERROR_ARGUMENT, "nothing");
    REQUIRE(!image && !bytes);
    runcu_link_destroy(&link);
    runcu_link_destroy(&link);
}

static void files_are_linked(void)
{
    runcu_link *link;
    const void *image;
    size_t bytes;
    rig_write("callee.ptx", callee);
    REQUIRE_OK(runcu_link_create(&link, NULL));
    REQUIRE_OK(runcu_link_add_file(link, PTX, rig_path("callee.ptx")));
    REQUIRE_OK(runcu_link_complete(&image, &bytes, link));
    REQUIRE(bytes > 0);
    runcu_link_destroy(&link);
}

static void libraries_are_sought(void)
{
    runcu_link *link;
    runcu_error e;
    rig_write("mine/libmine.a", "!<arch>\n");
    REQUIRE_OK(runcu_link_create(&link, NULL));
    REQUIRE_FAILS(runcu_link_add_library(link, "nonsense", NULL), RUNCU_ERROR_SYSTEM,
                  "libnonsense.a was not found");
    runcu_error_get(&e);
    REQUIRE(strstr(e.detail, "RUNCU_LIBDIR: not set") && strstr(e.detail, "pip install"));
    REQUIRE_FAILS(runcu_link_add_library(link, "nonsense", rig_path("mine")), RUNCU_ERROR_SYSTEM,
                  "mine");
    REQUIRE_FAILS(runcu_link_add_library(link, "a/b", NULL), RUNCU_ERROR_ARGUMENT, "named as");
    REQUIRE_FAILS(runcu_link_add_library(link, "", NULL), RUNCU_ERROR_ARGUMENT, "named as");
    REQUIRE_FAILS(runcu_link_add_library(link, NULL, NULL), RUNCU_ERROR_ARGUMENT, "name is NULL");
    if (is_cpu) { /* found, and refused for what it is */
        REQUIRE_FAILS(runcu_link_add_library(link, "mine", rig_path("mine")), RUNCU_ERROR_DRIVER,
                      "a library is compiled for GPUs");
        setenv("RUNCU_LIBDIR", rig_path("mine"), 1);
        REQUIRE_FAILS(runcu_link_add_library(link, "mine", NULL), RUNCU_ERROR_DRIVER,
                      "a library is compiled for GPUs");
        unsetenv("RUNCU_LIBDIR");
        REQUIRE_OK(runcu_link_add_library(link, "cudadevrt", rig_path("mine")));
    }
    runcu_link_destroy(&link);
}

static runcu_program *compiled(const char *source, const char *option, runcu_device *device)
{
    runcu_program *program;
    const char *options[] = {option};
    runcu_program_params p = {
        .size = sizeof p, .options = options, .option_count = 1, .device = device, .extern_c = 1};
    REQUIRE_OK(runcu_program_compile(&program, source, &p));
    return program;
}

static void programs_are_linked(runcu_device *device, const char *option, int linker)
{
    runcu_program *parts[] = {
        compiled("__device__ int twice(int); __global__ void run(int *x) { *x = twice(*x); }",
                 option, device),
        compiled("__device__ int twice(int x) { return 2 * x; }", option, device)};
    runcu_link *link;
    runcu_module *module;
    size_t bytes = 0;
    bool is_lto = strcmp(option, "-dlto") == 0;
    runcu_jit_params p = params();
    p.linker = linker;
    REQUIRE_OK(runcu_link_create(&link, &p));
    for (size_t i = 0; i < 2; i++) {
        REQUIRE((runcu_program_ltoir(parts[i], &bytes) != NULL) == is_lto && is_lto == (bytes > 0));
        REQUIRE_OK(runcu_link_add_program(link, parts[i], "part"));
    }
    REQUIRE_INT(run_linked(link), ==, 40);
    runcu_link_destroy(&link);
    if (is_lto)
        REQUIRE_FAILS(runcu_module_from_program(&module, parts[0]), RUNCU_ERROR_ARGUMENT,
                      "link it");
    if (is_lto) { /* twice the same */
        REQUIRE_OK(runcu_link_create(&link, &p));
        REQUIRE_OK(runcu_link_add_program(link, parts[1], "one"));
        REQUIRE_OK(runcu_link_add_program(link, parts[1], "two"));
        const void *image;
        REQUIRE_FAILS(runcu_link_complete(&image, &bytes, link), RUNCU_ERROR_LINK, "nvJitLink");
        REQUIRE(strstr(errors, "twice"));
        runcu_link_destroy(&link);
    }
    runcu_program_destroy(&parts[0]);
    runcu_program_destroy(&parts[1]);
}

/* A tree of launches: 1 + 2 + 4 + 8 kernels, each of which adds 1. */
static void kernels_launch_kernels(runcu_device *device, int linker)
{
    runcu_program *program =
        compiled("__global__ void tree(int *x, int depth) {"
                 "  atomicAdd(x, 1);"
                 "  if (depth) { tree<<<1, 1>>>(x, depth - 1);"
                 "               tree<<<1, 1, 0, cudaStreamTailLaunch>>>(x, depth - 1); } }"
                 "__global__ void run(int *x) { tree<<<1, 1>>>(x, 3); }",
                 "-rdc=true", device);
    runcu_link *link;
    runcu_jit_params p = params();
    p.linker = linker;
    REQUIRE_OK(runcu_link_create(&link, &p));
    REQUIRE_OK(runcu_link_add_program(link, program, "family"));
    int status = runcu_link_add_library(link, "cudadevrt", NULL);
    if (status == RUNCU_ERROR_SYSTEM)
        fputs("no libcudadevrt.a here\n", stderr);
    else if (!status)
        REQUIRE_INT(run_linked(link), ==, 20 + 15);
    REQUIRE(status == 0 || status == RUNCU_ERROR_SYSTEM);
    runcu_link_destroy(&link);
    runcu_program_destroy(&program);
}

static void programs(runcu_device *device)
{
    int major = -1, minor = -1;
    const char *path = "";
    runcu_link *link;
    runcu_jit_params p = params();
    p.linker = 3;
    REQUIRE_FAILS(runcu_link_create(&link, &p), RUNCU_ERROR_ARGUMENT, "3 is no linker");
    REQUIRE(!link);
    rig_search();
    if (runcu_nvrtc_version(NULL, NULL, NULL) != 0)
        return;
    programs_are_linked(device, "-rdc=true", RUNCU_LINKER_AUTO);
    programs_are_linked(device, "-rdc=true", RUNCU_LINKER_DRIVER);
    kernels_launch_kernels(device, RUNCU_LINKER_AUTO);
    if (runcu_nvjitlink_version(&major, &minor, &path) != 0) {
        REQUIRE(major == 0 && minor == 0 && !path);
        fputs("no nvJitLink here\n", stderr);
        return;
    }
    REQUIRE(major >= 12 && strstr(path, "nvJitLink"));
    programs_are_linked(device, "-rdc=true", RUNCU_LINKER_NVJITLINK);
    kernels_launch_kernels(device, RUNCU_LINKER_NVJITLINK);
    programs_are_linked(device, "-dlto", RUNCU_LINKER_AUTO);
    programs_are_linked(device, "-dlto", RUNCU_LINKER_NVJITLINK);
}

static void modules_are_loaded_with_options(void)
{
    runcu_module *module;
    int options[] = {MAX_REGISTERS, INFO_LOG};
    uint64_t values[] = {32, 1}; /* the second one is ignored: the buffer is in `params` */
    runcu_jit_params p = params();
    p.options = options;
    p.values = values;
    p.option_count = 2;
    REQUIRE_OK(runcu_module_load_with(&module, callee, sizeof callee, &p));
    runcu_module_release(&module);
    REQUIRE(runcu_module_load_with(&module, HEAD ".nonsense", sizeof HEAD ".nonsense", &p) != 0);
    REQUIRE(!module && strstr(errors, "nonsense"));
}

static int link_both(runcu_link **link)
{
    const void *image;
    size_t bytes;
    int status = runcu_link_create(link, NULL);
    if (!status)
        status = runcu_link_add(*link, PTX, caller, strlen(caller), "caller");
    if (!status)
        status = runcu_link_add_file(*link, PTX, rig_path("callee.ptx"));
    if (!status && runcu_link_add_library(*link, "nonsense", NULL) == RUNCU_ERROR_MEMORY)
        status = RUNCU_ERROR_MEMORY;
    if (!status)
        status = runcu_link_complete(&image, &bytes, *link);
    return status;
}

/* Whichever allocation fails: it is told, and nothing is left behind. */
static void memory_may_be_short(void)
{
    int status, live = core_live_objects;
    size_t n = 0;
    rig_write("callee.ptx", callee);
    do {
        runcu_link *link = NULL;
        alloc_fail_at(++n);
        status = link_both(&link);
        alloc_fail_at(0);
        runcu_link_destroy(&link);
        REQUIRE_INT(core_live_objects, ==, live);
        REQUIRE(!status || status == RUNCU_ERROR_MEMORY || status == RUNCU_ERROR_DRIVER);
        REQUIRE_INT(n, <, 5000);
    } while (status);
    REQUIRE_INT(n, >, 10);
}

static void the_context_may_die_first(runcu_device *device)
{
    runcu_context *context;
    runcu_link *link;
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_OK(runcu_link_create(&link, NULL));
    REQUIRE_OK(runcu_link_add(link, PTX, callee, sizeof callee, "callee"));
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_context_detach(context));
    runcu_link_destroy(&link);
    runcu_context_release(&context);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "cpu";
    runcu_device *device;
    if (runcu_init(name) != 0 || runcu_device_open(&device, name, 0) != 0)
        return argc > 1 ? 77 : 1; /* skipped */
    is_cpu = argc == 1;
    rig_make_folder();
    setenv("RUNCU_CACHE_DIR", rig_path("cache"), 1);
    unsetenv("RUNCU_LIBDIR");
    texts_are_linked(caller, callee);
    texts_are_linked(callee, caller);
    what_cannot_be_linked_is_told();
    which_definition_counts();
    wrong_calls();
    files_are_linked();
    libraries_are_sought();
    programs(device);
    modules_are_loaded_with_options();
    memory_may_be_short();
    the_context_may_die_first(device);
    REQUIRE_INT(core_live_objects, ==, 0);
    rig_end();
    return 0;
}

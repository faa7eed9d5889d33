/* Compiler options: what nvcc's users write and NVRTC gets. */
#include "program_rig.h"

#include "base/str.h"
#include "core/program.h"

static char told[4096];

static void hear(void *user, int level, const char *category, const char *text)
{
    (void) user, (void) level, (void) category;
    strncat(told, text, sizeof told - strlen(told) - 2);
    strncat(told, "\n", 2);
}

/* What becomes of a list that ends with NULL: words for NVRTC, joined by blanks. */
static const char *translate_for(bool cpu, const char *const *given, struct options *o)
{
    static char text[4096];
    runcu_program_params p = {.options = given};
    while (given[p.option_count])
        p.option_count++;
    told[0] = text[0] = 0;
    REQUIRE_OK(options_parse(o, &p, cpu));
    for (size_t i = 0; i < o->pass.len; i++) {
        strncat(text, i ? " " : "", 2);
        strncat(text, o->pass.at[i], sizeof text - strlen(text) - 1);
    }
    return text;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define REQUIRE_PASS(expected, ...)                                          \
    do {                                                                     \
        struct options o_;                                                   \
        REQUIRE_STR(translate_for(false, LIST(__VA_ARGS__), &o_), expected); \
        options_fini(&o_);                                                   \
    } while (0)
#define REQUIRE_REFUSED(part, ...)                                                             \
    do {                                                                                       \
        struct options o_;                                                                     \
        const char *const words_[] = {__VA_ARGS__};                                            \
        runcu_program_params params_ = {.options = words_, .option_count = ARRAY_LEN(words_)}; \
        REQUIRE_FAILS(options_parse(&o_, &params_, false), RUNCU_ERROR_OPTION, part);          \
        options_fini(&o_);                                                                     \
    } while (0)

static void nvrtc_options_pass(void)
{
    REQUIRE_PASS("--use_fast_math", "--use_fast_math");
    REQUIRE_PASS("--use_fast_math", "-use_fast_math");
    REQUIRE_PASS("--std=c++17", "-std=c++17");
    REQUIRE_PASS("--std=c++17", "--std", "c++17");
    REQUIRE_PASS("--std=c++17", "--std c++17");
    REQUIRE_PASS("--maxrregcount=32", "-maxrregcount=32");
    REQUIRE_PASS("--maxrregcount=32", "--maxrregcount", "32");
    REQUIRE_PASS("--ptxas-options=-v", "-Xptxas", "-v");
    REQUIRE_PASS("--ptxas-options=-O1", "-Xptxas=-O1");
    REQUIRE_PASS("--ptxas-options=-O1", "  -Xptxas -O1");
    REQUIRE_PASS("--generate-line-info", "-lineinfo");
    REQUIRE_PASS("-UX --disable-warnings", "-U", "X", "-w");
    REQUIRE_PASS("--relocatable-device-code=true", "-dc");
    REQUIRE_PASS("--something-new=3", "--something-new=3");
    REQUIRE_PASS("", "", "   ");
}

static void host_options_are_dropped(void)
{
    REQUIRE_PASS("", "-O3", "-O0", "-m64", "--keep", "-fopenmp", "-v", "-Wall",
                 "-Wno-deprecated-gpu-targets");
    REQUIRE_PASS("--use_fast_math", "-Xcompiler", "-Wall", "--use_fast_math");
    REQUIRE_PASS("", "-Xcompiler=-fPIC", "--compiler-options", "-O3 -g", "-ccbin", "gcc-12");
    REQUIRE_PASS("", "-lcudadevrt", "-L/usr/lib", "-l", "m", "--expt-relaxed-constexpr",
                 "--extended-lambda");
    REQUIRE_PASS("", "--default-stream=per-thread", "-src-in-ptx", "-allow-unsupported-compiler");
    REQUIRE_PASS("", "-ccbin", "clang");
    REQUIRE_IN("-ccbin clang means nothing here: no host compiler takes part", told);
}

static void debugging(void)
{
    struct options o;
    REQUIRE_PASS("--device-debug", "-G");
    REQUIRE_PASS("--device-debug", "-g", "-G");
    REQUIRE_PASS("--dlink-time-opt", "-dlto", "--dlink-time-opt");
    REQUIRE_PASS("--device-debug", "-lineinfo", "--device-debug");
    REQUIRE_PASS("--generate-line-info", "-g");
    REQUIRE_PASS("--generate-line-info", "-g", "-lineinfo");
    REQUIRE_STR(translate_for(true, LIST("-g", "-G"), &o), "--generate-line-info");
    options_fini(&o);
}

static void refused_with_a_reason(void)
{
    REQUIRE_REFUSED("-dryrun cannot be used: it makes no code", "-dryrun");
    REQUIRE_REFUSED("-m32 cannot be used: CUDA has no 32-bit code any more", "-m32");
    REQUIRE_REFUSED("set keep_dir", "-o", "out.cubin");
    REQUIRE_REFUSED("-E cannot be used: it makes no code", "-E");
    REQUIRE_REFUSED("option -maxrregcount needs a value", "-maxrregcount");
    REQUIRE_REFUSED("option --std= needs a value", "--std=", "-w");
    REQUIRE_REFUSED("option -I needs a value", "-w", "-I");
    REQUIRE_REFUSED("\"fast\" is no architecture", "-arch=fast");
    REQUIRE_REFUSED("\"sm_\" is no architecture", "-arch", "sm_");
    REQUIRE_REFUSED("is no architecture", "-gencode", "arch=compute_80,code=sm_8x");
    struct options o;
    const char *const null[] = {NULL};
    runcu_program_params p = {.options = null, .option_count = 1};
    REQUIRE_FAILS(options_parse(&o, &p, false), RUNCU_ERROR_ARGUMENT, "option 0 is NULL");
    options_fini(&o);
}

static const char *joined(const struct text_list *list)
{
    static char text[4096];
    text[0] = 0;
    for (size_t i = 0; i < list->len; i++) {
        strncat(text, i ? "|" : "", 2);
        strncat(text, list->at[i], sizeof text - strlen(text) - 1);
    }
    return text;
}

static void folders_and_macros(void)
{
    struct options o;
    translate_for(
        false, LIST("-Ia", "-I", "b", "-I c d", "--include-path=e", "-isystem", "f", "-Ig,h"), &o);
    REQUIRE_STR(joined(&o.include_dirs), "a|b|c d|e|f|g|h");
    options_fini(&o);
    REQUIRE_STR(
        translate_for(false, LIST("-DA", "-D", "B=2", "--define-macro=C(x)=x", "-D D=\"a b\""), &o),
        "-DA -DB=2 -DC(x)=x -DD=\"a b\"");
    REQUIRE_STR(joined(&o.macros), "A|B|C|D");
    options_fini(&o);
    translate_for(false, LIST("-include", "a.h", "--pre-include=b.h"), &o);
    REQUIRE_STR(joined(&o.pre_includes), "a.h|b.h");
    options_fini(&o);
}

static void architectures(void)
{
    struct options o;
    translate_for(false, LIST("-arch=sm_80"), &o);
    REQUIRE_STR(joined(&o.archs), "sm_80");
    options_fini(&o);
    translate_for(false,
                  LIST("-gencode", "arch=compute_80,code=sm_80",
                       "--generate-code=arch=compute_90,code=[sm_90,compute_90]"),
                  &o);
    REQUIRE_STR(joined(&o.archs), "sm_80|sm_90|compute_90");
    options_fini(&o);
    translate_for(false, LIST("-arch=native", "-code", "sm_90a"), &o);
    REQUIRE_STR(joined(&o.archs), "sm_90a");
    options_fini(&o);
    translate_for(false, LIST("-arch", "all-major"), &o);
    REQUIRE_INT(o.archs.len, ==, 0);
    options_fini(&o);
}

static void side_effects_are_noted(void)
{
    struct options o;
    REQUIRE_STR(translate_for(false, LIST("--time=t.csv"), &o), "--time=t.csv");
    REQUIRE(o.has_side_effects);
    options_fini(&o);
    REQUIRE_STR(translate_for(false, LIST("-lineinfo"), &o), "--generate-line-info");
    REQUIRE(!o.has_side_effects);
    options_fini(&o);
}

static void precompiled_headers_are_ours_to_place(void)
{
    struct options o;
    REQUIRE_STR(translate_for(false, LIST("--pch"), &o), "");
    REQUIRE(o.has_pch && !o.has_side_effects);
    options_fini(&o);
    REQUIRE_STR(translate_for(false, LIST("--create-pch=x.pch"), &o), "--create-pch=x.pch");
    REQUIRE(!o.has_pch && o.has_side_effects);
    options_fini(&o);
}

static void what_was_meant(void)
{
    REQUIRE_STR(options_nearest("--use_fastmath"), "-use_fast_math");
    REQUIRE_STR(options_nearest("-maxregcount=32"), "-maxrregcount");
    REQUIRE_STR(options_nearest("--lineinof"), "-lineinfo");
    REQUIRE(!options_nearest("--zzzzzzzz"));
}

static void options_by_keyword(void)
{
    static const struct {
        const char *name, *spelling, *joint;
        int is_flag;
    } known[] = {
        {"maxrregcount", "-maxrregcount", "=", 0},
        {"use_fast_math", "-use_fast_math", NULL, 1},
        {"pre_include", "-pre-include", "=", 0},
        {"pre-include", "-pre-include", "=", 0},
        {"define", "-D", "", 0},
        {"I", "-I", "", 0},
        {"time", "-time", "=", 1},
        {"max_register_count", "-maxrregcount", "=", 0},
    };
    runcu_option o;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        REQUIRE_OK(runcu_option_find(&o, known[i].name));
        REQUIRE_STR(o.spelling, known[i].spelling);
        REQUIRE(known[i].joint ? o.joint && strcmp(o.joint, known[i].joint) == 0 : !o.joint);
        REQUIRE_INT(o.is_flag, ==, known[i].is_flag);
        REQUIRE_STR(o.note, "");
    }
    REQUIRE_OK(runcu_option_find(&o, "keep"));
    REQUIRE_STR(o.note, "no intermediate files are made");
    REQUIRE_FAILS(runcu_option_find(&o, "max_reg_count"), RUNCU_ERROR_OPTION,
                  "\"max_reg_count\": did you mean \"maxrregcount\"?");
    REQUIRE_FAILS(runcu_option_find(&o, "zzzzzzzz"), RUNCU_ERROR_OPTION,
                  "no compiler option is called \"zzzzzzzz\"");
    REQUIRE_FAILS(runcu_option_find(&o, ""), RUNCU_ERROR_OPTION, "no compiler option");
    REQUIRE_FAILS(runcu_option_find(&o, "-maxrregcount"), RUNCU_ERROR_OPTION, "maxrregcount");
    REQUIRE_FAILS(runcu_option_find(&o, NULL), RUNCU_ERROR_ARGUMENT, "name is NULL");
    REQUIRE_FAILS(runcu_option_find(NULL, "std"), RUNCU_ERROR_ARGUMENT, "out is NULL");
}

int main(void)
{
    runcu_set_log(hear, NULL);
    RUN(nvrtc_options_pass);
    RUN(host_options_are_dropped);
    RUN(debugging);
    RUN(refused_with_a_reason);
    RUN(folders_and_macros);
    RUN(architectures);
    RUN(side_effects_are_noted);
    RUN(precompiled_headers_are_ours_to_place);
    RUN(what_was_meant);
    RUN(options_by_keyword);
    return 0;
}

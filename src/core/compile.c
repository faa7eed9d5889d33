/* One request to NVRTC: the options it is given, a lean attempt first where that is safe, its
 * answers taken over. Where sources, headers and options come from is decided before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "core/program.h"
#include "core/remote.h"

struct attempt {
    struct request *r;
    struct arena arena;
    struct text_list options;
    nvrtcProgram program;
    nvrtcResult code;
    struct str pch; /* the folder of precompiled headers, "" without */
    bool failed;    /* memory was short */
};

/* --- architecture -------------------------------------------------------- */

static int number_of(const char *arch)
{
    const char *digits = strchr(arch, '_');
    return digits ? atoi(digits + 1) : 0;
}

static int fail_old(const struct request *r, const struct nvrtc *n)
{
    return runcu_fail(
        RUNCU_ERROR_OPTION,
        "%s is too old for NVRTC %d.%d, which compiles for sm_%d and newer: CUDA 12's NVRTC is "
        "needed (pip install 'runcu[cuda12]')",
        r->arch, n->major, n->minor, n->archs[0]);
}

/* What NVRTC does not know: code of the highest architecture below, as PTX that the driver
 * translates. */
static int choose_arch(char out[24], const struct request *r)
{
    const struct nvrtc *n = r->nvrtc;
    int wanted = number_of(r->arch), best = 0;
    snprintf(out, 24, "%s", r->arch);
    for (int i = 0; i < n->arch_count; i++)
        if (n->archs[i] <= wanted)
            best = n->archs[i];
    if (!best)
        return fail_old(r, n);
    if (best == wanted)
        return 0;
    if (r->arch_is_explicit)
        return runcu_fail(RUNCU_ERROR_OPTION,
                          "NVRTC %d.%d does not know %s: it compiles for sm_%d to sm_%d", n->major,
                          n->minor, r->arch, n->archs[0], n->archs[n->arch_count - 1]);
    snprintf(out, 24, "compute_%d", best);
    core_log(RUNCU_LOG_INFO, "compile", "NVRTC %d.%d does not know %s: PTX for %s is made",
             n->major, n->minor, r->arch, out);
    return 0;
}

/* --- options ------------------------------------------------------------- */

static void add(struct attempt *a, const char *option)
{
    a->failed |= !option || !vec_push(&a->options, option);
}

static void add_joined(struct attempt *a, const char *option, const char *value)
{
    struct str text = {0};
    str_addf(&text, "%s%s", option, value);
    add(a, text.failed ? NULL : arena_string(&a->arena, text.at, text.len));
    str_fini(&text);
}

static bool has_option(const struct request *r, const char *option)
{
    for (size_t i = 0; i < r->options.pass.len; i++)
        if (strcmp(r->options.pass.at[i], option) == 0)
            return true;
    return false;
}

static void list_options(struct attempt *a, const char *arch, bool minimal)
{
    const struct request *r = a->r;
    add_joined(a, "--gpu-architecture=", arch);
    add(a, "-default-device");
    if (nvrtc_is_at_least(r->nvrtc, 12, 9))
        add(a, "--no-cache");
    if (minimal)
        add(a, "--minimal");
    if (r->for_cpu && !has_option(r, "--generate-line-info"))
        add(a, "--generate-line-info");
    for (size_t i = 0; i < r->options.pass.len; i++)
        add(a, r->options.pass.at[i]);
    for (size_t i = 0; i < r->scan.dirs.len; i++)
        add_joined(a, "-I", r->scan.dirs.at[i]);
    if (r->bundle.len)
        add_joined(a, "--use-bundled-headers=", r->bundle.at);
    if (r->headers.has_prelude)
        add(a, "--pre-include=" PRELUDE_NAME);
    for (size_t i = 0; i < r->options.pre_includes.len; i++)
        add_joined(a, "--pre-include=", r->options.pre_includes.at[i]);
    if (r->trace.len) /* the last: take_answers leaves it out */
        add_joined(a, "--fdevice-time-trace=", r->trace.at);
}

/* --- running it ---------------------------------------------------------- */

static void attempt_fini(struct attempt *a)
{
    if (a->program)
        a->r->nvrtc->fn.nvrtcDestroyProgram(&a->program);
    vec_fini(&a->options);
    arena_fini(&a->arena);
    str_fini(&a->pch);
}

uint64_t compile_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

/* NVRTC asks whether to go on. */
static int is_cancelled(void *payload, void *unused)
{
    const struct request *r = payload;
    (void) unused;
    if (r->deadline && compile_now() > r->deadline)
        return 1;
    return r->params.cancel && r->params.cancel(r->params.cancel_user);
}

static nvrtcResult let_cancel(struct attempt *a)
{
    const struct nvrtc_table *fn = &a->r->nvrtc->fn;
    bool wanted = a->r->deadline || a->r->params.cancel;
    return wanted && fn->nvrtcSetFlowCallback
               ? fn->nvrtcSetFlowCallback(a->program, is_cancelled, a->r)
               : NVRTC_SUCCESS;
}

/* PyCUDA's wrap; the user's lines keep their numbers. */
static bool wrap(struct str *out, const char *source)
{
    str_add(out, "extern \"C\" {\n#line 1\n");
    str_add(out, source);
    str_add(out, "\n}\n");
    return !out->failed;
}

/* Only for those who ask: it never helps the first source, and takes space on the disk. */
static bool wants_pch(const struct request *r)
{
    const char *wish = getenv("RUNCU_PCH");
    return (r->options.has_pch || (wish && strcmp(wish, "1") == 0)) && !r->no_pch &&
           (r->scan.has_include || r->options.pre_includes.len);
}

static void compile(struct attempt *a)
{
    struct request *r = a->r;
    bool has_pch = wants_pch(r) && pch_begin(&a->pch, r, &a->options);
    if (has_pch) {
        add(a, "--pch");
        add_joined(a, "--pch-dir=", a->pch.at);
        add(a, "--pch-messages=false");
    } else {
        str_clear(&a->pch);
    }
    if (!a->failed)
        a->code = r->nvrtc->fn.nvrtcCompileProgram(a->program, (int) a->options.len, a->options.at);
    if (has_pch)
        pch_end(a->pch.at);
}

static bool run(struct attempt *a, const char *arch, bool minimal)
{
    struct request *r = a->r;
    const struct nvrtc_table *fn = &r->nvrtc->fn;
    struct str wrapped = {0};
    list_options(a, arch, minimal);
    if (a->failed || (r->params.extern_c && !wrap(&wrapped, r->source))) {
        str_fini(&wrapped);
        return false;
    }
    a->code = fn->nvrtcCreateProgram(&a->program, r->params.extern_c ? wrapped.at : r->source,
                                     str_text(&r->path), (int) r->headers.names.len,
                                     r->headers.texts.at, r->headers.names.at);
    if (!a->code)
        a->code = let_cancel(a);
    for (size_t i = 0; !a->code && i < r->params.name_expression_count; i++)
        a->code = fn->nvrtcAddNameExpression(a->program, r->params.name_expressions[i]);
    if (a->code == NVRTC_SUCCESS)
        compile(a);
    str_fini(&wrapped);
    return !a->failed;
}

static bool run_again(struct attempt *a, const char *arch)
{
    struct request *r = a->r;
    attempt_fini(a);
    *a = (struct attempt){.r = r};
    return run(a, arch, false);
}

/* A source without includes needs neither textures nor the runtime's types as a rule, and reading
 * them is a third of the work. If it does need them, the lean attempt fails at once. */
static bool may_be_minimal(const struct request *r)
{
    return !r->scan.has_include && !r->options.pre_includes.len &&
           nvrtc_is_at_least(r->nvrtc, 12, 4) && !r->options.is_minimal;
}

/* --- answers ------------------------------------------------------------- */

static const char *join(runcu_program *program, const struct text_list *list)
{
    struct str text = {0};
    for (size_t i = 0; i < list->len; i++)
        str_addf(&text, "%s\n", list->at[i]);
    const char *kept =
        text.failed ? NULL : arena_string(&program->arena, str_text(&text), text.len);
    str_fini(&text);
    return kept;
}

/* NVRTC shows the line of each error, a hundred times if need be, however long it is. */
static void cut_lines(char *log)
{
    static const size_t longest = 20000;
    char *to = log;
    for (const char *at = log; *at;) {
        size_t len = strcspn(at, "\n"), kept = MIN(len, longest);
        memmove(to, at, kept);
        to += kept;
        at += len;
        if (kept < len)
            memcpy(to - 3, "...", 3);
        if (*at)
            *to++ = *at++;
    }
    *to = 0;
}

/* NVRTC's own words; NULL when memory is short. */
static char *read_log(const struct attempt *a)
{
    const struct nvrtc_table *fn = &a->r->nvrtc->fn;
    size_t size = 0;
    if (!a->program || fn->nvrtcGetProgramLogSize(a->program, &size))
        size = 0;
    char *log = alloc_zero(size + 1, 1);
    if (log && size)
        fn->nvrtcGetProgramLog(a->program, log);
    if (log)
        cut_lines(log);
    return log;
}

static bool take_log(runcu_program *program, const struct attempt *a)
{
    struct str clean = {0};
    char *log = read_log(a);
    bool ok = log && diagnostics_clean(&clean, log, a->r);
    program->log = ok ? arena_string(&program->arena, str_text(&clean), clean.len) : NULL;
    alloc_free(log);
    str_fini(&clean);
    return program->log != NULL;
}

/* With -dlto there is nothing else. */
static bool take_ltoir(runcu_program *program, const struct attempt *a)
{
    const struct nvrtc_table *fn = &a->r->nvrtc->fn;
    size_t size = 0;
    if (!fn->nvrtcGetLTOIRSize || fn->nvrtcGetLTOIRSize(a->program, &size))
        size = 0;
    program->image = alloc_zero(size + 1, 1);
    if (program->image && size && fn->nvrtcGetLTOIR(a->program, program->image) == 0) {
        program->ltoir = program->image;
        program->ltoir_size = size;
    }
    return program->image != NULL;
}

static bool take_code(runcu_program *program, const struct attempt *a)
{
    const struct nvrtc_table *fn = &a->r->nvrtc->fn;
    size_t cubin = 0, ptx = 0;
    if (a->r->options.is_lto)
        return take_ltoir(program, a);
    if (fn->nvrtcGetCUBINSize(a->program, &cubin))
        cubin = 0;
    if (fn->nvrtcGetPTXSize(a->program, &ptx))
        ptx = 0;
    program->image = alloc_zero(cubin + ptx + 1, 1);
    if (!program->image)
        return false;
    if (cubin && fn->nvrtcGetCUBIN(a->program, program->image) == 0) {
        program->cubin = program->image;
        program->cubin_size = cubin;
    }
    if (ptx && fn->nvrtcGetPTX(a->program, program->image + cubin) == 0) {
        program->ptx = program->image + cubin;
        program->ptx_size = strlen(program->ptx);
    }
    return true;
}

static bool take_names(runcu_program *program, const struct attempt *a)
{
    const runcu_program_params *p = &a->r->params;
    size_t count = p->name_expression_count;
    struct core_named *named = arena_alloc(&program->arena, count * sizeof *named + 1);
    for (size_t i = 0; named && i < count; i++) {
        const char *given = p->name_expressions[i], *lowered = NULL;
        if (a->r->nvrtc->fn.nvrtcGetLoweredName(a->program, given, &lowered) || !lowered)
            lowered = "";
        named[i].expression = arena_string(&program->arena, given, strlen(given));
        named[i].symbol = arena_string(&program->arena, lowered, strlen(lowered));
        if (!named[i].expression || !named[i].symbol)
            return false;
    }
    program->named = named;
    program->named_count = count;
    return named != NULL;
}

static size_t count_errors(const runcu_program *program, const runcu_diagnostic **first)
{
    size_t count = 0;
    *first = NULL;
    for (size_t i = 0; i < program->diagnostic_count; i++)
        if (program->diagnostics[i].severity == RUNCU_ERROR && count++ == 0)
            *first = &program->diagnostics[i];
    return count;
}

/* "cannot open source file "x.h"": who has it? */
static void advise_header(const char *text, const struct request *r)
{
    static const char *const phrases[] = {"cannot open source file \"",
                                          "could not open source file \""};
    const char *start = NULL;
    for (size_t i = 0; i < ARRAY_LEN(phrases) && !start; i++)
        if ((start = strstr(text, phrases[i])))
            start += strlen(phrases[i]);
    const char *end = start ? strchr(start, '"') : NULL;
    if (!end)
        return;
    struct str name = {0}, dirs = {0};
    str_addn(&name, start, (size_t) (end - start));
    for (size_t i = 0; i < r->scan.dirs.len; i++)
        str_addf(&dirs, "%s%s", i ? ", " : "", r->scan.dirs.at[i]);
    if (r->bundle.len)
        str_addf(&dirs, "%s%s", dirs.len ? ", " : "", r->bundle.at);
    if (!dirs.len)
        str_add(&dirs, "no folder (include_dirs, -I and RUNCU_INCLUDE name some)");
    runcu_fail_detail("%s was looked for in: %s.", str_text(&name), str_text(&dirs));
    if (r->foreign.len)
        runcu_fail_detail("Not in %s: its headers are of another CUDA than NVRTC %d.%d.",
                          r->foreign.at, r->nvrtc->major, r->nvrtc->minor);
    const char *advice = headers_advice(str_text(&name), r->nvrtc);
    if (advice)
        runcu_fail_detail("%s", advice);
    str_fini(&name);
    str_fini(&dirs);
}

static void advise(const char *text, const struct request *r)
{
    static const struct {
        const char *part, *advice;
    } rows[] = {
#define HEADER(start, advice, advice12)
#define MESSAGE(part, advice) {part, advice},
#include "core/advice.def"
#undef HEADER
#undef MESSAGE
    };
    advise_header(text, r);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strstr(text, rows[i].part)) {
            runcu_fail_detail("%s", rows[i].advice);
            return;
        }
}

static int fail_cancelled(const struct request *r)
{
    if (r->deadline && compile_now() > r->deadline)
        return runcu_fail(RUNCU_ERROR_TIMEOUT, "compiling %s took longer than %u ms", r->name,
                          r->params.time_limit);
    return runcu_fail(RUNCU_ERROR_INTERRUPTED, "compiling %s was interrupted", r->name);
}

bool compile_keep_advice(runcu_program *program)
{
    runcu_error e;
    runcu_error_get(&e);
    size_t len = strlen(program->report);
    const char *rest = strncmp(e.detail, program->report, len) == 0 ? e.detail + len : "";
    rest += *rest == '\n';
    program->advice = arena_string(&program->arena, rest, strlen(rest));
    return program->advice != NULL;
}

static int fail_compile(runcu_program *program, const struct attempt *a)
{
    const struct request *r = a->r;
    const runcu_diagnostic *first;
    size_t count = count_errors(program, &first);
    const char *reason = r->nvrtc->fn.nvrtcGetErrorString(a->code);
    if (a->code == NVRTC_ERROR_OUT_OF_MEMORY)
        return runcu_fail_memory();
    if (a->code == NVRTC_ERROR_CANCELLED)
        return fail_cancelled(r);
    int status = RUNCU_ERROR_COMPILE;
    if (!first) {
        runcu_fail(status, "%s does not compile: %s", r->name, reason);
    } else {
        size_t len = strcspn(first->text, "\n");
        struct str place = {0}, more = {0};
        if (first->line)
            str_addf(&place, "%s(%u): ", first->file, (unsigned) first->line);
        if (count > 1)
            str_addf(&more, " (the first of %s%zu errors)",
                     strstr(program->log, "Error limit reached.") ? "more than " : "", count);
        runcu_fail(status, "%s does not compile: %s%.*s%s", r->name, str_text(&place), (int) len,
                   first->text, str_text(&more));
        str_fini(&place);
        str_fini(&more);
    }
    runcu_fail_detail("%s", program->report);
    if (first)
        advise(first->text, r);
    runcu_fail_code(a->code, reason, "nvrtcCompileProgram");
    core_fail_diagnostics(program->diagnostics, program->diagnostic_count);
    if (!compile_keep_advice(program))
        return runcu_fail_memory();
    return status;
}

/* "invalid value for --std(-std)": which one was it? */
static void tell_value(const struct attempt *a, const char *log)
{
    static const char phrase[] = "invalid value for ";
    const char *name = strstr(log, phrase);
    if (!name)
        return;
    name += strlen(phrase);
    size_t len = strcspn(name, "(= \n");
    for (size_t i = 0; len && i < a->options.len; i++)
        if (strncmp(a->options.at[i], name, len) == 0 && a->options.at[i][len] == '=')
            runcu_fail_detail("It was given as %s", a->options.at[i]);
}

static void tell_nearest(const char *log)
{
    static const char phrase[] = "unrecognized option ";
    const char *option = strstr(log, phrase);
    if (!option)
        return;
    struct str text = {0};
    option += strlen(phrase);
    str_addn(&text, option, strcspn(option, " \n"));
    const char *nearest = options_nearest(str_text(&text));
    if (nearest)
        runcu_fail_detail("Did you mean %s?", nearest);
    str_fini(&text);
}

static int fail_option(const runcu_program *program, const struct attempt *a)
{
    int status = runcu_fail(RUNCU_ERROR_OPTION, "NVRTC %d.%d refuses a compiler option",
                            a->r->nvrtc->major, a->r->nvrtc->minor);
    runcu_fail_detail("%s", program->log);
    tell_value(a, program->log);
    tell_nearest(program->log);
    runcu_fail_code(a->code, a->r->nvrtc->fn.nvrtcGetErrorString(a->code), "nvrtcCompileProgram");
    return status;
}

static int take_answers(runcu_program *program, struct attempt *a)
{
    if (a->r->trace.len && a->options.len)
        a->options.len--;
    program->options = join(program, &a->options);
    if (!program->options || !take_log(program, a))
        return runcu_fail_memory();
    if (a->code == NVRTC_ERROR_INVALID_OPTION)
        return fail_option(program, a);
    if (!diagnostics_parse(program, a->r))
        return runcu_fail_memory();
    if (a->code != NVRTC_SUCCESS)
        return fail_compile(program, a);
    return take_code(program, a) && take_names(program, a) ? 0 : runcu_fail_memory();
}

/* A name of the prelude's that the source defines after all, by way of a macro perhaps. */
static bool blames_prelude(const struct attempt *a)
{
    char *log = a->r->headers.has_prelude ? read_log(a) : NULL;
    bool answer = log && strstr(log, PRELUDE_NAME);
    alloc_free(log);
    return answer;
}

/* A second attempt where the first one's shortcuts may be why it failed: in full, and without a
 * prelude that stands in the way. */
static bool try_again(struct attempt *a, const char *arch, bool minimal)
{
    if (a->code == NVRTC_SUCCESS)
        return true;
    if (a->code == NVRTC_ERROR_COMPILATION && blames_prelude(a))
        a->r->headers.has_prelude = false;
    else if (!minimal)
        return true;
    return run_again(a, arch);
}

int compile_run(runcu_program *program, struct request *r)
{
    struct attempt a = {.r = r};
    char arch[24];
    int status = choose_arch(arch, r);
    if (status || remote_replaces(&status, program, r))
        return status;
    nvrtc_enter();
    program->arch = arena_string(&program->arena, arch, strlen(arch));
    bool minimal = may_be_minimal(r),
         ok = program->arch && run(&a, arch, minimal || r->options.is_minimal);
    if (ok)
        ok = try_again(&a, arch, minimal);
    if (ok && a.code != NVRTC_SUCCESS && a.code != NVRTC_ERROR_CANCELLED && a.pch.len) {
        r->no_pch = true; /* they are never why a source does not compile */
        ok = run_again(&a, arch);
    }
    if (ok && a.code == NVRTC_ERROR_COMPILATION && headers_repair(r))
        ok = run_again(&a, arch);
    status = ok ? take_answers(program, &a) : runcu_fail_memory();
    attempt_fini(&a);
    nvrtc_leave();
    return status;
}

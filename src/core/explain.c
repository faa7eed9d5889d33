/* What the assembler says of kernels (its -v), with what their PTX and cubin tell, for people who
 * ask why a kernel is slow. */
#include "core/explain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/program.h"

struct runcu_explanation {
    struct arena arena;
    struct core_image image; /* has the names */
    const char *arch;
    runcu_usage *kernels;
    size_t count;
    VEC(runcu_usage) functions;
    size_t told; /* kernels of which the assembler told */
};

/* --- the assembler's log --- */

/* "ptxas info    : Used 32 registers, used 1 barriers, 8 bytes smem": what stands behind a number.
 */
static const struct {
    const char *behind;
    size_t field;
} amounts[] = {
    {" registers", offsetof(runcu_usage, registers)},
    {" barriers", offsetof(runcu_usage, barriers)},
    {" bytes smem", offsetof(runcu_usage, shared)},
    {" bytes stack frame", offsetof(runcu_usage, local)},
    {" bytes cumulative stack size", offsetof(runcu_usage, local)},
    {" bytes spill stores", offsetof(runcu_usage, spill_stores)},
    {" bytes spill loads", offsetof(runcu_usage, spill_loads)},
};

static void read_amounts(runcu_usage *usage, const char *at, const char *end)
{
    while (at < end) {
        if (!isdigit((unsigned char) *at)) {
            at++;
            continue;
        }
        char *behind;
        long value = strtol(at, &behind, 10);
        for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
            int *field = (int *) (void *) ((char *) usage + amounts[i].field);
            if (strncmp(behind, amounts[i].behind, strlen(amounts[i].behind)) == 0)
                *field = MAX(*field, (int) MIN(value, INT32_MAX));
        }
        at = behind;
    }
}

/* The kernel whose symbol stands at `at`, followed by a quote or the end of the line. */
static runcu_usage *find_kernel(const runcu_explanation *e, const char *at)
{
    size_t len = strcspn(at, "' \r\n");
    for (size_t i = 0; i < e->count; i++)
        if (strlen(e->kernels[i].symbol) == len && memcmp(e->kernels[i].symbol, at, len) == 0)
            return &e->kernels[i];
    return NULL;
}

/* A function that is no kernel, whose symbol stands at `at`; NULL when memory is short. */
static runcu_usage *add_function(runcu_explanation *e, const char *at)
{
    struct str text = {0};
    struct core_span name, types;
    runcu_usage u = {.symbol = arena_string(&e->arena, at, strcspn(at, "' \r\n"))};
    if (u.symbol) {
        core_demangle(&text, u.symbol);
        core_split_name(&name, &types, text.len ? text.at : u.symbol);
        u.name = arena_string(&e->arena, name.at, name.len);
        u.signature = text.len ? arena_string(&e->arena, text.at, text.len) : u.symbol;
    }
    bool ok = u.symbol && u.name && u.signature && !text.failed && vec_push(&e->functions, u);
    str_fini(&text);
    return ok ? &e->functions.at[e->functions.len - 1] : NULL;
}

static const char *behind(const char *line, const char *end, const char *words)
{
    const char *found = strstr(line, words);
    return found && found < end ? found + strlen(words) : NULL;
}

/* False when memory is short. */
static bool read_log(runcu_explanation *e, const char *log)
{
    runcu_usage *kernel = NULL, *function = NULL, *odd;
    for (const char *line = log; *line;) {
        const char *end = line + strcspn(line, "\n"), *at;
        if ((at = behind(line, end, "Compiling entry function '"))) {
            kernel = find_kernel(e, at);
        } else if ((at = behind(line, end, "Function properties for "))) {
            function = find_kernel(e, at);
            if (!function && !(function = add_function(e, at)))
                return false;
        } else if ((at = behind(line, end, "Stack size for entry function '"))) {
            if ((odd = find_kernel(e, at))) /* "cannot be statically determined" */
                odd->is_local_unknown = 1;
        } else if (function && behind(line, end, " bytes stack frame")) {
            read_amounts(function, line, end);
        } else if (kernel && (at = behind(line, end, "Used "))) {
            read_amounts(kernel, at, end);
            e->told++;
            kernel = NULL;
        }
        line = end + (*end == '\n');
    }
    return true;
}

/* --- the rest --- */

static int describe(runcu_explanation *e, const runcu_program *program, size_t i)
{
    const struct core_kernel *k = &e->image.kernels.at[i];
    runcu_usage *u = &e->kernels[i];
    struct core_listing listing;
    if (!core_list_ptx(&listing, &e->arena, program->ptx, k->id.symbol))
        return runcu_fail_memory();
    u->ptx = listing.lines;
    u->ptx_count = listing.count;
    u->launch_bounds = listing.launch_bounds;
    u->is_local_unknown |= core_stack_is_open(program->ptx, k->id.symbol);
    u->max_threads = core_threads_by_registers(u->registers);
    if (u->launch_bounds)
        u->max_threads = MIN(u->max_threads, u->launch_bounds);
    u->constant = (int) MIN(
        core_elf_section_bytes(program->cubin, program->cubin_size, ".nv.constant3"), INT32_MAX);
    for (int p = 0; p < k->count; p++)
        u->parameters = (int) (k->params[p].offset + k->params[p].size);
    return 0;
}

static int explain(runcu_explanation *e, const runcu_program *program)
{
    e->arch = arena_string(&e->arena, program->arch, strlen(program->arch));
    int status =
        e->arch ? core_image_read(&e->image, program->ptx, program->ptx_size) : runcu_fail_memory();
    if (status)
        return status;
    e->count = e->image.kernels.len;
    e->kernels = arena_alloc(&e->arena, e->count * sizeof *e->kernels + 1);
    if (!e->kernels)
        return runcu_fail_memory();
    for (size_t i = 0; i < e->count; i++) {
        const struct core_symbol *id = &e->image.kernels.at[i].id;
        e->kernels[i] =
            (runcu_usage){.name = id->name, .symbol = id->symbol, .signature = id->text};
    }
    if (!read_log(e, program->log ? program->log : ""))
        return runcu_fail_memory();
    if (e->told < e->count)
        return runcu_fail(RUNCU_ERROR_UNSUPPORTED,
                          "the assembler said nothing of %zu of %zu kernels: the option -Xptxas=-v "
                          "makes it tell",
                          e->count - e->told, e->count);
    for (size_t i = 0; !status && i < e->count; i++)
        status = describe(e, program, i);
    return status;
}

int runcu_explanation_create(runcu_explanation **out, const runcu_program *program)
{
    CORE_OUT(out);
    CORE_NEED(program);
    if (!program->cubin || !program->ptx)
        return runcu_fail(RUNCU_ERROR_UNSUPPORTED,
                          "only what was assembled can be explained, for sm_90, say, not %s",
                          program->arch ? program->arch : "a source that does not compile");
    runcu_explanation *e = alloc_zero(1, sizeof *e);
    int status = e ? explain(e, program) : runcu_fail_memory();
    if (status)
        runcu_explanation_destroy(&e);
    *out = e;
    return status;
}

/* --- compiling --- */

static int set_arch(runcu_program_params *p)
{
    runcu_device *device = p->device;
    int status = 0;
    if (p->arch || (p->arch_text && *p->arch_text))
        return 0;
    if (!device)
        status = core_current_device(&device);
    return status ? status : runcu_device_arch(&p->arch, device);
}

static int compile(runcu_explanation **out, const char *source, runcu_program_params *p)
{
    static const char *const more[] = {"-Xptxas=-v", "-lineinfo"};
    const char **options = alloc_zero(p->option_count + ARRAY_LEN(more), sizeof *options);
    runcu_program *program = NULL;
    runcu_error error;
    if (!options)
        return runcu_fail_memory();
    for (size_t i = 0; i < p->option_count; i++)
        options[i] = p->options[i];
    memcpy(options + p->option_count, more, sizeof more);
    p->options = options;
    p->option_count += ARRAY_LEN(more);
    int status = runcu_program_compile(&program, source, p);
    if (!status) {
        status = runcu_explanation_create(out, program);
    } else if (program) {
        runcu_error_get(&error);
        if (!*error.detail)
            runcu_fail_detail("%s", runcu_program_report(program));
    }
    runcu_program_destroy(&program);
    alloc_free(options);
    return status;
}

int runcu_explanation_compile(runcu_explanation **out, const char *source,
                              const runcu_program_params *params)
{
    runcu_program_params p;
    CORE_OUT(out);
    CORE_NEED(source);
    core_params(&p, sizeof p, params);
    p.size = sizeof p;
    if (p.option_count && !p.options)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "option_count is %zu, but options is NULL",
                          p.option_count);
    int status = set_arch(&p);
    p.no_device = 1;
    return status ? status : compile(out, source, &p);
}

void runcu_explanation_destroy(runcu_explanation **explanation)
{
    if (!explanation || !*explanation)
        return;
    core_image_fini(&(*explanation)->image);
    vec_fini(&(*explanation)->functions);
    arena_fini(&(*explanation)->arena);
    alloc_free(*explanation);
    *explanation = NULL;
}

const runcu_usage *runcu_explanation_kernels(const runcu_explanation *explanation, size_t *count)
{
    if (count)
        *count = explanation ? explanation->count : 0;
    return explanation ? explanation->kernels : NULL;
}

const runcu_usage *runcu_explanation_functions(const runcu_explanation *explanation, size_t *count)
{
    if (count)
        *count = explanation ? explanation->functions.len : 0;
    return explanation ? explanation->functions.at : NULL;
}

const char *runcu_explanation_arch(const runcu_explanation *explanation)
{
    return explanation ? explanation->arch : "";
}

/* From source text to a compiled program: what is asked for, the cache, the scan, headers, the
 * compiler, in that order. Each step is a file of its own; here is the order and what a program
 * answers. */
#include "core/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/remote.h"

/* --- what is asked for --------------------------------------------------- */

static void copy_params(runcu_program_params *out, const runcu_program_params *params)
{
    *out = (runcu_program_params){.size = sizeof *out};
    if (params)
        memcpy(out, params, params->size ? MIN(params->size, sizeof *out) : sizeof *out);
    out->size = sizeof *out;
}

static int check_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if ((unsigned char) *p < 32 || *p == '"' || *p == '\\')
            return runcu_fail(
                RUNCU_ERROR_ARGUMENT,
                "the name of a source must not contain quotes, backslashes or control "
                "characters");
    return strlen(name) < 4096
               ? 0
               : runcu_fail(RUNCU_ERROR_ARGUMENT, "the name of the source is too long");
}

/* A name with a slash is a file's: headers beside it are found. */
static int set_name(struct request *r)
{
    r->name = r->params.name && *r->params.name ? r->params.name : "kernel.cu";
    int status = check_name(r->name);
    if (status)
        return status;
    if (!strchr(r->name, '/')) {
        str_addf(&r->path, CORE_VIRTUAL_FOLDER "%s", r->name);
    } else if ((status = fs_absolute(&r->path, r->name))) {
        return status == ENOMEM
                   ? runcu_fail_memory()
                   : runcu_fail(RUNCU_ERROR_SYSTEM, "the current folder cannot be read: %s",
                                strerror(status));
    } else {
        str_addn(&r->folder_text, r->path.at, (size_t) (strrchr(r->path.at, '/') - r->path.at));
        r->folder = str_text(&r->folder_text);
    }
    return r->path.failed || r->folder_text.failed ? runcu_fail_memory() : 0;
}

static int add_dir(struct request *r, const char *dir, size_t len)
{
    struct str given = {0}, path = {0};
    str_addn(&given, dir, len);
    int status = given.failed ? ENOMEM : fs_absolute(&path, str_text(&given));
    const char *copy = status ? NULL : arena_string(&r->arena, path.at, path.len);
    bool ok = copy && vec_push(&r->include_dirs, copy);
    if (!ok)
        status = status && status != ENOMEM
                     ? runcu_fail(RUNCU_ERROR_SYSTEM, "the current folder cannot be read: %s",
                                  strerror(status))
                     : runcu_fail_memory();
    str_fini(&given);
    str_fini(&path);
    return ok ? 0 : status;
}

/* Options' folders, those of the params, those of RUNCU_INCLUDE. */
static int list_dirs(struct request *r)
{
    int status = 0;
    const struct text_list *own = &r->options.include_dirs;
    for (size_t i = 0; !status && i < own->len; i++)
        status = add_dir(r, own->at[i], strlen(own->at[i]));
    for (size_t i = 0; !status && i < r->params.include_dir_count; i++) {
        const char *dir = r->params.include_dirs[i];
        status = dir ? add_dir(r, dir, strlen(dir))
                     : runcu_fail(RUNCU_ERROR_ARGUMENT, "include_dirs[%zu] is NULL", i);
    }
    for (const char *at = getenv("RUNCU_INCLUDE"); !status && at && *at;) {
        size_t len = strcspn(at, ":");
        status = len ? add_dir(r, at, len) : 0;
        at += len + (at[len] == ':');
    }
    return status;
}

/* --- the architecture ---------------------------------------------------- */

static int number_of(const char *arch)
{
    return atoi(strchr(arch, '_') + 1);
}

static bool is_real(const char *arch)
{
    return arch[0] == 's';
}

/* Of what -gencode lists, the best that the device runs: code of its generation, or PTX. */
static const char *pick_arch(const struct text_list *archs, int device_arch)
{
    const char *best = archs->at[archs->len - 1];
    int rank = -1;
    for (size_t i = 0; archs->len > 1 && i < archs->len; i++) {
        const char *arch = archs->at[i];
        int number = number_of(arch);
        bool runs = !device_arch ||
                    (number <= device_arch && (!is_real(arch) || number / 10 == device_arch / 10));
        if (runs && 2 * number + is_real(arch) > rank) {
            rank = 2 * number + is_real(arch);
            best = arch;
        }
    }
    return best;
}

static int find_device(runcu_device **out, bool *for_cpu, const runcu_program_params *params,
                       bool needed)
{
    struct core_driver *driver = NULL;
    CUcontext context;
    *out = params->device;
    if (!*out && needed) {
        int status = core_current_device(out);
        if (status)
            return status;
    }
    if (*out)
        *for_cpu = runcu_device_is_cpu(*out);
    else if (core_driver_next(NULL) && core_current_peek(&driver, &context) == 0 && driver)
        *for_cpu = driver->is_cpu;
    return 0;
}

static int set_arch_text(struct request *r, const char *arch)
{
    if (strlen(arch) >= sizeof r->arch || !options_is_arch(arch, strlen(arch)))
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "arch \"%.64s\" is no architecture, as sm_90 and compute_75 are", arch);
    memcpy(r->arch, arch, strlen(arch) + 1);
    r->arch_is_explicit = true;
    return 0;
}

static int set_arch_number(struct request *r, int arch)
{
    struct str text = {0};
    str_addf(&text, "sm_%d", arch);
    int status = text.failed ? runcu_fail_memory() : set_arch_text(r, text.at);
    str_fini(&text);
    return status;
}

/* The CPU device takes PTX: the assembler's work would be for nothing. */
static void make_virtual(struct request *r)
{
    char number[sizeof r->arch];
    if (!r->for_cpu || !is_real(r->arch))
        return;
    memcpy(number, r->arch + 3, sizeof r->arch - 3);
    struct str text = {0};
    str_addf(&text, "compute_%s", number);
    if (!text.failed && text.len < sizeof r->arch)
        memcpy(r->arch, text.at, text.len + 1);
    str_fini(&text);
}

static int set_arch(struct request *r, runcu_device *device)
{
    const runcu_program_params *p = &r->params;
    int number = 0, status = 0;
    if (device && r->options.archs.len != 1 &&
        (r->options.archs.len || (!p->arch_text && !p->arch)))
        status = runcu_device_arch(&number, device);
    if (status)
        return status;
    if (r->options.archs.len)
        status = set_arch_text(r, pick_arch(&r->options.archs, number));
    else if (p->arch_text && *p->arch_text)
        status = set_arch_text(r, p->arch_text);
    else if (p->arch)
        status = set_arch_number(r, p->arch);
    else if (!(status = set_arch_number(r, number)))
        r->arch_is_explicit = false;
    if (!status)
        make_virtual(r);
    return status;
}

/* Options decide on the architecture, the device on what -G means; so options are looked at twice
 * where -arch may be among them. */
static int set_target(struct request *r)
{
    const runcu_program_params *p = &r->params;
    runcu_device *device = NULL;
    bool given = (p->arch_text && *p->arch_text) || p->arch;
    int status = given || p->device ? 0 : options_parse(&r->options, p, false);
    if (!status && !p->no_device)
        status = find_device(&device, &r->for_cpu, p, !given && !r->options.archs.len);
    else if (!status && !given && !r->options.archs.len)
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "for which architecture? sm_80, compute_75");
    options_fini(&r->options);
    if (!status)
        status = options_parse(&r->options, p, r->for_cpu);
    return status ? status : set_arch(r, device);
}

/* --- a request ----------------------------------------------------------- */

void request_fini(struct request *r)
{
    scan_fini(&r->scan);
    prelude_fini(&r->headers);
    options_fini(&r->options);
    vec_fini(&r->include_dirs);
    str_fini(&r->path);
    str_fini(&r->folder_text);
    str_fini(&r->bundle);
    str_fini(&r->foreign);
    str_fini(&r->cache_folder);
    str_fini(&r->shared_folder);
    str_fini(&r->text);
    str_fini(&r->trace);
    arena_fini(&r->arena);
}

/* The byte 0xFF ends the text for NVRTC, which says nothing of it: kernels below a comment in Latin
 * 1 would be gone. */
static int replace_ends(struct request *r)
{
    const char *end = strchr(r->source, '\xff');
    if (!end)
        return 0;
    char *copy = arena_string(&r->arena, r->source, strlen(r->source));
    if (!copy)
        return runcu_fail_memory();
    int line = 1;
    for (const char *p = r->source; p < end; p++)
        line += *p == '\n';
    for (char *p = copy; (p = strchr(p, '\xff'));)
        *p = '?';
    core_log(RUNCU_LOG_WARNING, "compile",
             "line %d of %s is not UTF-8: bytes 0xFF are taken for '?'", line, r->name);
    r->source = copy;
    return 0;
}

static int check_lists(const runcu_program_params *p)
{
    if (p->name_expression_count && !p->name_expressions)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "name_expression_count is %zu, but name_expressions is NULL",
                          p->name_expression_count);
    if (p->header_count && !p->headers)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "header_count is %zu, but headers is NULL",
                          p->header_count);
    for (size_t i = 0; i < p->name_expression_count; i++)
        if (!p->name_expressions[i] || !*p->name_expressions[i] ||
            strpbrk(p->name_expressions[i], "\n\r"))
            return runcu_fail(RUNCU_ERROR_ARGUMENT,
                              "name_expressions[%zu] is empty or has several lines", i);
    for (size_t i = 0; i < p->header_count; i++)
        if (!p->headers[i].name || !*p->headers[i].name || !p->headers[i].text)
            return runcu_fail(RUNCU_ERROR_ARGUMENT, "headers[%zu] has no name or no text", i);
    return 0;
}

static int set_target_as(struct request *r, const struct target *target)
{
    r->for_cpu = target->for_cpu;
    int status = options_parse(&r->options, &r->params, r->for_cpu);
    if (!status)
        status = set_arch_text(r, target->arch);
    r->arch_is_explicit = target->is_explicit;
    return status;
}

int request_init(struct request *r, const char *source, const runcu_program_params *params,
                 const struct target *target)
{
    *r = (struct request){.source = source};
    copy_params(&r->params, params);
    if (!source)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the source is NULL");
    if (strncmp(source, "\xef\xbb\xbf", 3) ==
        0) /* editors' byte order mark, which NVRTC takes for code */
        r->source += 3;
    if (r->params.option_count && !r->params.options)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "option_count is %zu, but options is NULL",
                          r->params.option_count);
    if (r->params.include_dir_count && !r->params.include_dirs)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "include_dir_count is %zu, but include_dirs is NULL",
                          r->params.include_dir_count);
    int status = check_lists(&r->params);
    if (!status)
        status = set_name(r);
    if (!status)
        status = replace_ends(r);
    if (!status)
        status = target ? set_target_as(r, target) : set_target(r);
    return status ? status : list_dirs(r);
}

int request_scan(struct request *r)
{
    struct scan *s = &r->scan;
    bool ok = scan_init(s);
    s->own = r->params.headers;
    s->own_count = r->params.header_count;
    for (size_t i = 0; ok && i < r->include_dirs.len; i++)
        ok = vec_push(&s->dirs, r->include_dirs.at[i]);
    for (size_t i = 0; ok && i < r->options.macros.len; i++)
        scan_define(s, r->options.macros.at[i]);
    for (size_t i = 0; ok && i < r->options.pre_includes.len; i++)
        ok = scan_include(s, r->options.pre_includes.at[i], true, r->folder);
    if (!ok || !scan_text(s, r->source, r->folder ? r->folder : ""))
        return runcu_fail_memory();
    if (s->pipe)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "%s includes %s, which is a pipe: NVRTC would wait for it for ever",
                          r->name, s->pipe);
    return !s->conflict ? 0
                        : runcu_fail(RUNCU_ERROR_ARGUMENT,
                                     "#include \"%s\" means different headers in memory from "
                                     "where it is written: give the whole name",
                                     s->conflict);
}

static int find_headers(struct request *r)
{
    int status = headers_find(r);
    if (status)
        return status;
    bool with_toolkit = r->bundle.len || r->scan.dirs.len > r->include_dirs.len;
    bool ok =
        prelude_make(&r->headers, &r->scan, with_toolkit) && prelude_add_own(&r->headers, &r->scan);
    return ok ? 0 : runcu_fail_memory();
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Here, or, if NVRTC is to tell what it reads, in a worker. */
static int run_compiler(runcu_program *program, struct request *r)
{
    int status;
    int64_t began = now_ns();
    bool traced = trace_is_wanted(r);
    if (traced && !r->is_workers && remote_traces(&status, program, r))
        return status;
    if (traced && r->is_workers)
        trace_begin(r);
    status = compile_run(program, r);
    if (r->trace.len)
        trace_end(r, began);
    if (!status)
        cache_store(program, r);
    return status;
}

int program_make(runcu_program *program, struct request *r)
{
    if (r->params.time_limit)
        r->deadline = compile_now() + (uint64_t) r->params.time_limit * 1000000u;
    int status = r->nvrtc ? 0 : nvrtc_get(&r->nvrtc);
    if (!status)
        status = request_scan(r);
    if (!status)
        status = find_headers(r);
    return status ? status : run_compiler(program, r);
}

/* --- keeping files ------------------------------------------------------- */

/* 0 or the errno of what failed. `path` becomes the file's. */
static int write_kept(struct str *path, const struct request *r, const char *suffix,
                      const void *data, size_t len)
{
    const char *slash = strrchr(r->name, '/'), *base = slash ? slash + 1 : r->name;
    const char *dot = strrchr(base, '.');
    str_addf(path, "%s/%.*s%s", r->params.keep_dir,
             (int) (dot && dot > base ? dot - base : (ptrdiff_t) strlen(base)), base, suffix);
    return path->failed ? ENOMEM : fs_replace(path->at, data, len);
}

static int keep_file(const struct request *r, const char *suffix, const void *data, size_t len)
{
    struct str path = {0};
    int status = data ? write_kept(&path, r, suffix, data, len) : 0;
    if (status)
        status = runcu_fail(RUNCU_ERROR_SYSTEM, "%s cannot be written: %s", str_text(&path),
                            strerror(status));
    str_fini(&path);
    return status;
}

/* Of a source that does not compile; the error stays the compiler's. */
static void keep_log(const runcu_program *p, const struct request *r)
{
    struct str path = {0};
    int error = p->log ? write_kept(&path, r, ".log", p->log, strlen(p->log)) : 0;
    if (error)
        core_log(RUNCU_LOG_INFO, "compile", "%s cannot be written: %s", str_text(&path),
                 strerror(error));
    str_fini(&path);
}

static int keep_source(const struct request *r)
{
    int status = fs_make_folders(r->params.keep_dir);
    if (status)
        return runcu_fail(RUNCU_ERROR_SYSTEM, "the folder %s cannot be made: %s",
                          r->params.keep_dir, strerror(status));
    return keep_file(r, ".cu", r->source, strlen(r->source));
}

static int keep_results(const runcu_program *p, const struct request *r)
{
    int status = keep_file(r, ".log", p->log, p->log ? strlen(p->log) : 0);
    if (!status)
        status = keep_file(r, ".ptx", p->ptx, p->ptx_size);
    if (!status)
        status = keep_file(r, ".ltoir", p->ltoir, p->ltoir_size);
    return status ? status : keep_file(r, ".cubin", p->cubin, p->cubin_size);
}

/* --- the public side ----------------------------------------------------- */

static bool is_kept(const struct request *r)
{
    return r->params.keep_dir && *r->params.keep_dir;
}

int program_look_up(runcu_program *program, struct request *r, bool *found)
{
    *found = false;
    int status = cache_prepare(r);
    if (!status && is_kept(r))
        status = keep_source(r);
    if (status || (*found = recent_find(program, r)))
        return status;
    status = cache_load(program, r, found);
    return *found && !diagnostics_parse(program, r) ? runcu_fail_memory() : status;
}

int program_finish(runcu_program *program, struct request *r, int status)
{
    if (status == RUNCU_ERROR_COMPILE && is_kept(r))
        keep_log(program, r);
    if (!status && is_kept(r))
        status = keep_results(program, r);
    if (!status && r->options.warnings_are_errors)
        status = diagnostics_promote(program, r);
    if (!status && !program->shared)
        status = core_recipe_create(&program->recipe, r);
    if (!status)
        recent_keep(program, r);
    return status;
}

static int fill(runcu_program *program, struct request *r)
{
    bool found;
    int status = program_look_up(program, r, &found);
    if (!status && !found)
        status = program_make(program, r);
    return program_finish(program, r, status);
}

int runcu_program_compile(runcu_program **out, const char *source,
                          const runcu_program_params *params)
{
    CORE_OUT(out);
    CORE_NEED(source);
    struct request r;
    int status = request_init(&r, source, params, NULL);
    runcu_program *program = status ? NULL : alloc_zero(1, sizeof *program);
    if (!status && !program)
        status = runcu_fail_memory();
    if (!status)
        status = fill(program, &r);
    if (status && status != RUNCU_ERROR_COMPILE)
        runcu_program_destroy(&program);
    *out = program;
    request_fini(&r);
    return status;
}

void runcu_program_destroy(runcu_program **program)
{
    if (!program || !*program)
        return;
    core_recipe_release(&(*program)->recipe);
    recent_release(&(*program)->shared);
    alloc_free((*program)->image);
    arena_fini(&(*program)->arena);
    alloc_free(*program);
    *program = NULL;
}

const void *runcu_program_cubin(const runcu_program *program, size_t *bytes)
{
    if (bytes)
        *bytes = program ? program->cubin_size : 0;
    return program ? program->cubin : NULL;
}

const void *runcu_program_ltoir(const runcu_program *program, size_t *bytes)
{
    if (bytes)
        *bytes = program ? program->ltoir_size : 0;
    return program ? program->ltoir : NULL;
}

const char *runcu_program_ptx(const runcu_program *program, size_t *bytes)
{
    if (bytes)
        *bytes = program ? program->ptx_size : 0;
    return program ? program->ptx : NULL;
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

const char *runcu_program_log(const runcu_program *program)
{
    return program ? text_of(program->log) : "";
}

const runcu_diagnostic *runcu_program_diagnostics(const runcu_program *program, size_t *count)
{
    if (count)
        *count = program ? program->diagnostic_count : 0;
    return program ? program->diagnostics : NULL;
}

const char *runcu_program_advice(const runcu_program *program)
{
    return program ? text_of(program->advice) : "";
}

const char *runcu_program_report(const runcu_program *program)
{
    return program ? text_of(program->report) : "";
}

const char *runcu_program_lowered_name(const runcu_program *program, const char *expression)
{
    for (size_t i = 0; program && expression && i < program->named_count; i++)
        if (strcmp(program->named[i].expression, expression) == 0)
            return program->named[i].symbol;
    return NULL;
}

int runcu_program_was_cached(const runcu_program *program)
{
    return program && program->was_cached;
}

const char *runcu_program_options(const runcu_program *program)
{
    return program ? text_of(program->options) : "";
}

const char *runcu_program_arch(const runcu_program *program)
{
    return program ? text_of(program->arch) : "";
}

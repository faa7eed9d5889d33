/* Bundles: programs for several architectures as the bytes of one file, and back. The bytes are
 * believed only if their checksum holds. Which part a device is given is decided in fit.c.
 *
 *   magic, format, number of bytes that follow, their checksum; then (wire.h) the version of the
 * library, the source's name, the number of parts; for each architecture, options, PTX, cubin,
 * number of name expressions, for each its text and symbol, number of kernels, for each its name,
 * symbol and signature, so that no C++ library is needed to know them. Files live long: what
 * changes here changes the format's number, and older formats are read for ever. */
#include "core/bundle.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/wire.h"

static const char magic[8] = "runcu-b\n";

enum { FORMAT = 1, HEADER = 32, PART_LIMIT = 4096 };

/* --- writing -------------------------------------------------------------- */

/* Folders of the machine that compiled are nobody's business, and would make bytes differ. */
static bool is_portable(const char *option)
{
    static const char *const starts[] = {
        "-I", "--include-path=", "--use-bundled-headers=", "--pre-include=runcu/"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (strncmp(option, starts[i], strlen(starts[i])) == 0)
            return false;
    return true;
}

static void add_options(struct str *out, const char *options)
{
    for (const char *at = options; at && *at;) {
        size_t len = strcspn(at, "\n");
        len += at[len] == '\n';
        if (is_portable(at))
            str_addn(out, at, len);
        at += len;
    }
}

static void put_names(struct str *out, const runcu_program *program)
{
    wire_put_number(out, program->named_count);
    for (size_t i = 0; i < program->named_count; i++) {
        wire_put_text(out, program->named[i].expression);
        wire_put_text(out, program->named[i].symbol);
    }
}

static void put_kernels(struct str *out, const runcu_program *program)
{
    struct core_image image = {0};
    bool has_ptx = program->ptx != NULL;
    out->failed |= core_image_read(&image, has_ptx ? program->ptx : program->cubin,
                                   has_ptx ? program->ptx_size : program->cubin_size) != 0;
    wire_put_number(out, image.kernels.len);
    for (size_t i = 0; i < image.kernels.len; i++) {
        const struct core_symbol *id = &image.kernels.at[i].id;
        wire_put_text(out, id->name);
        wire_put_text(out, id->symbol);
        wire_put_text(out, id->text);
    }
    core_image_fini(&image);
}

static void put_part(struct str *out, const runcu_program *program)
{
    struct str options = {0};
    add_options(&options, program->options);
    wire_put_text(out, program->arch);
    wire_put_text(out, str_text(&options));
    wire_put_text(out, program->ptx);
    wire_put_item(out, program->cubin, program->cubin_size);
    put_names(out, program);
    put_kernels(out, program);
    out->failed |= options.failed;
    str_fini(&options);
}

static const char *name_of(const runcu_program *program)
{
    const char *name = program->recipe ? program->recipe->params.name : NULL;
    const char *slash = name ? strrchr(name, '/') : NULL;
    return slash ? slash + 1 : name && *name ? name : "kernel.cu";
}

static void put_bundle(struct str *out, const runcu_program *const *programs, size_t count)
{
    str_addn(out, magic, sizeof magic);
    for (size_t i = 0; i < 3; i++)
        wire_put_number(out, 0);
    wire_put_text(out, runcu_version());
    wire_put_text(out, name_of(programs[0]));
    wire_put_number(out, count);
    for (size_t i = 0; i < count; i++)
        put_part(out, programs[i]);
    if (out->failed)
        return;
    uint64_t size = out->len - HEADER;
    uint64_t numbers[3] = {FORMAT, size, hash_bytes(out->at + HEADER, (size_t) size)};
    memcpy(out->at + sizeof magic, numbers, sizeof numbers);
}

/* --- reading -------------------------------------------------------------- */

bool core_is_bundle(const void *image, size_t bytes)
{
    return image && bytes >= sizeof magic && memcmp(image, magic, sizeof magic) == 0;
}

static int fail_damaged(const char *where, const char *what)
{
    return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s is damaged: %s", where, what);
}

static int check_header(const struct str *bytes, const char *where)
{
    uint64_t numbers[3], left = bytes->len - HEADER;
    if (!core_is_bundle(bytes->at, bytes->len))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s is no bundle of runcu's", where);
    if (bytes->len < HEADER)
        return fail_damaged(where, "it has been cut off");
    memcpy(numbers, bytes->at + sizeof magic, sizeof numbers);
    if (numbers[0] > FORMAT)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "%s is of format %llu, which runcu %s does not know (it knows %d): a "
                          "newer runcu is needed, or one that made the bundle must be older",
                          where, (unsigned long long) numbers[0], runcu_version(), FORMAT);
    if (numbers[0] != FORMAT)
        return fail_damaged(where, "there never was such a format");
    if (numbers[1] > left)
        return fail_damaged(where, "it has been cut off");
    if (numbers[1] < left)
        return fail_damaged(where, "it goes on after its end");
    if (numbers[2] != hash_bytes(bytes->at + HEADER, (size_t) left))
        return fail_damaged(where, "its checksum does not hold");
    return 0;
}

/* False if the bytes make no sense, or memory is short: then the list is NULL. */
static bool get_names(runcu_bundle_part *p, struct wire *w, struct arena *arena)
{
    runcu_bundle_name *rows;
    p->name_count = wire_count(w);
    p->names = rows = arena_alloc(arena, p->name_count * sizeof *rows + 1);
    for (size_t i = 0; rows && !w->bad && i < p->name_count; i++) {
        rows[i].expression = wire_text(w, NULL);
        rows[i].symbol = wire_text(w, NULL);
        w->bad |= !rows[i].expression || !rows[i].symbol;
    }
    return rows && !w->bad;
}

static bool get_kernels(runcu_bundle_part *p, struct wire *w, struct arena *arena)
{
    runcu_bundle_kernel *rows;
    p->kernel_count = wire_count(w);
    p->kernels = rows = arena_alloc(arena, p->kernel_count * sizeof *rows + 1);
    for (size_t i = 0; rows && !w->bad && i < p->kernel_count; i++) {
        rows[i].name = wire_text(w, NULL);
        rows[i].symbol = wire_text(w, NULL);
        rows[i].signature = wire_text(w, NULL);
        w->bad |= !rows[i].name || !rows[i].symbol || !rows[i].signature;
    }
    return rows && !w->bad;
}

static bool get_part(runcu_bundle_part *p, struct wire *w, struct arena *arena)
{
    p->arch = wire_text(w, NULL);
    p->options = wire_text(w, NULL);
    p->ptx = wire_text(w, &p->ptx_bytes);
    p->cubin = wire_item(w, &p->cubin_bytes);
    if (!p->cubin_bytes)
        p->cubin = NULL;
    w->bad |= !p->arch || !p->options || !options_is_arch(p->arch, strlen(p->arch)) ||
              (!p->cubin && !p->ptx) || (p->cubin && !core_is_elf(p->cubin, p->cubin_bytes));
    return !w->bad && get_names(p, w, arena) && get_kernels(p, w, arena);
}

static int read_bundle(runcu_bundle *b, const char *where)
{
    int status = check_header(&b->bytes, where);
    if (status)
        return status;
    struct wire w = {.at = b->bytes.at + HEADER, .end = b->bytes.at + b->bytes.len};
    b->maker = wire_text(&w, NULL);
    b->name = wire_text(&w, NULL);
    size_t count = wire_count(&w);
    w.bad |= !b->maker || !b->name || !count || count > PART_LIMIT;
    b->parts = w.bad ? NULL : arena_alloc(&b->arena, count * sizeof *b->parts);
    while (b->parts && b->count < count && get_part(&b->parts[b->count], &w, &b->arena))
        b->count++;
    if (w.bad || (b->count == count && w.at != w.end))
        return fail_damaged(where, "it makes no sense");
    return b->count == count ? 0 : runcu_fail_memory();
}

/* Takes over the bytes, also on failure. */
static int take_bytes(runcu_bundle **out, struct str *bytes, const char *where)
{
    runcu_bundle *b = bytes->failed ? NULL : alloc_zero(1, sizeof *b);
    if (!b) {
        str_fini(bytes);
        return runcu_fail_memory();
    }
    b->bytes = *bytes;
    *bytes = (struct str){0};
    int status = read_bundle(b, where);
    if (status)
        runcu_bundle_destroy(&b);
    *out = b;
    return status;
}

/* --- making --------------------------------------------------------------- */

static int check_programs(const runcu_program *const *programs, size_t count)
{
    if (!count || count > PART_LIMIT)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "a bundle has 1 to %d programs, not %zu",
                          PART_LIMIT, count);
    for (size_t i = 0; i < count; i++) {
        if (!programs[i])
            return runcu_fail(RUNCU_ERROR_ARGUMENT, "programs[%zu] is NULL", i);
        if (!programs[i]->arch || (!programs[i]->cubin && !programs[i]->ptx))
            return runcu_fail(RUNCU_ERROR_ARGUMENT, "programs[%zu] has neither cubin nor PTX", i);
        for (size_t k = 0; k < i; k++)
            if (strcmp(programs[i]->arch, programs[k]->arch) == 0)
                return runcu_fail(RUNCU_ERROR_ARGUMENT, "two programs are for %s",
                                  programs[i]->arch);
    }
    return 0;
}

int runcu_bundle_create(runcu_bundle **out, const runcu_program *const *programs, size_t count)
{
    CORE_OUT(out);
    if (count)
        CORE_NEED(programs);
    struct str bytes = {0};
    int status = check_programs(programs, count);
    if (status)
        return status;
    put_bundle(&bytes, programs, count);
    return take_bytes(out, &bytes, "the bundle");
}

static int fail_job(const runcu_program_job *jobs, size_t count, int status)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i].status && jobs[i].message)
            return runcu_fail(jobs[i].status, "for %s: %s", jobs[i].params->arch_text,
                              jobs[i].message);
    return status;
}

int runcu_bundle_compile(runcu_bundle **out, const char *source, const char *const *archs,
                         size_t count, const runcu_program_params *params)
{
    CORE_OUT(out);
    CORE_NEED(source);
    if (count)
        CORE_NEED(archs);
    if (!count || count > PART_LIMIT)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "a bundle is for 1 to %d architectures (sm_80, compute_75), not for %zu",
                          PART_LIMIT, count);
    runcu_program_params *all = alloc_zero(count, sizeof *all);
    runcu_program_job *jobs = alloc_zero(count, sizeof *jobs);
    const runcu_program **programs = alloc_zero(count, sizeof(runcu_program *));
    int status = all && jobs && programs ? 0 : runcu_fail_memory();
    for (size_t i = 0; !status && i < count; i++) {
        core_params(&all[i], sizeof *all, params);
        all[i].size = sizeof *all;
        all[i].arch_text = archs[i] ? archs[i] : "";
        all[i].no_device = 1;
        jobs[i] = (runcu_program_job){.source = source, .params = &all[i]};
    }
    if (!status && (status = runcu_program_compile_jobs(jobs, count, NULL)))
        status = fail_job(jobs, count, status);
    for (size_t i = 0; !status && i < count; i++)
        programs[i] = jobs[i].program;
    if (!status)
        status = runcu_bundle_create(out, programs, count);
    runcu_program_jobs_fini(jobs, jobs ? count : 0);
    alloc_free(programs);
    alloc_free(jobs);
    alloc_free(all);
    return status;
}

int runcu_bundle_parse(runcu_bundle **out, const void *data, size_t bytes)
{
    CORE_OUT(out);
    if (bytes)
        CORE_NEED(data);
    struct str copy = {0};
    if (!core_is_bundle(data, bytes))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "these %zu bytes are no bundle of runcu's", bytes);
    str_addn(&copy, data, bytes);
    return take_bytes(out, &copy, "the bundle");
}

int runcu_bundle_read(runcu_bundle **out, const char *path)
{
    CORE_OUT(out);
    CORE_NEED(path);
    struct str bytes = {0};
    int code = fs_read(&bytes, path, SIZE_MAX / 2);
    if (!code)
        return take_bytes(out, &bytes, path);
    str_fini(&bytes);
    return code == ENOMEM
               ? runcu_fail_memory()
               : runcu_fail(RUNCU_ERROR_SYSTEM, "%s cannot be read: %s", path, strerror(code));
}

void runcu_bundle_destroy(runcu_bundle **bundle)
{
    if (!bundle || !*bundle)
        return;
    runcu_bundle *b = *bundle;
    arena_fini(&b->arena);
    str_fini(&b->bytes);
    alloc_free(b);
    *bundle = NULL;
}

/* --- what is in it -------------------------------------------------------- */

const void *runcu_bundle_data(const runcu_bundle *bundle, size_t *bytes)
{
    if (bytes)
        *bytes = bundle ? bundle->bytes.len : 0;
    return bundle ? bundle->bytes.at : NULL;
}

const runcu_bundle_part *runcu_bundle_parts(const runcu_bundle *bundle, size_t *count)
{
    if (count)
        *count = bundle ? bundle->count : 0;
    return bundle ? bundle->parts : NULL;
}

const char *runcu_bundle_source_name(const runcu_bundle *bundle)
{
    return bundle ? bundle->name : "";
}

const char *runcu_bundle_maker(const runcu_bundle *bundle)
{
    return bundle ? bundle->maker : "";
}

/* --- files ---------------------------------------------------------------- */

static int write_file(const char *path, const void *data, size_t len)
{
    int code = fs_publish(path, data, len);
    if (code == ENOMEM)
        return runcu_fail_memory();
    return code ? runcu_fail(RUNCU_ERROR_SYSTEM, "%s cannot be written: %s", path, strerror(code))
                : 0;
}

int runcu_bundle_write(const runcu_bundle *bundle, const char *path)
{
    CORE_NEED(bundle);
    CORE_NEED(path);
    return write_file(path, bundle->bytes.at, bundle->bytes.len);
}

static bool is_identifier(const char *name)
{
    if (!isalpha((unsigned char) *name) && *name != '_')
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char) *p) && *p != '_')
            return false;
    return true;
}

int runcu_bundle_write_header(const runcu_bundle *bundle, const char *path, const char *name)
{
    CORE_NEED(bundle);
    CORE_NEED(path);
    CORE_NEED(name);
    enum { A_LINE = 20 };
    struct str text = {0};
    if (!is_identifier(name))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "\"%.64s\" is no name for a variable in C",
                          name);
    str_addf(&text, "/* A bundle for runcu_module_load(&module, %s, sizeof %s). */\n", name, name);
    str_addf(&text, "static const unsigned char %s[] = {", name);
    for (size_t i = 0; i < bundle->bytes.len; i++)
        str_addf(&text, "%s%u,", i % A_LINE ? "" : "\n    ",
                 (unsigned) (unsigned char) bundle->bytes.at[i]);
    str_add(&text, "\n};\n");
    int status = text.failed ? runcu_fail_memory() : write_file(path, text.at, text.len);
    str_fini(&text);
    return status;
}

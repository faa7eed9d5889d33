/* The cache as a request meets it: whether there is one, the request's key, looking up, storing. A
 * cache never fails anybody: whatever goes wrong means that the source is compiled. What lies in a
 * folder is store.c's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "core/entry.h"
#include "core/store.h"
#include "core/texts.h"
#include "core/wire.h"

static const uint64_t default_cap = (uint64_t) 1 << 30;

/* --- the folder ---------------------------------------------------------- */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

uint64_t cache_cap(void)
{
    const char *text = getenv("RUNCU_CACHE_SIZE");
    char *end;
    if (!text || !*text)
        return default_cap;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    int shift = 0;
    if (*end == 'K' || *end == 'k')
        shift = 10;
    else if (*end == 'M' || *end == 'm')
        shift = 20;
    else if (*end == 'G' || *end == 'g')
        shift = 30;
    if (end == text || errno || *text == '-' || value > UINT64_MAX >> 30)
        return default_cap;
    return value << shift;
}

int cache_choose_folder(struct str *out, const char *own)
{
    const char *given = getenv("RUNCU_CACHE_DIR");
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    struct str path = {0};
    if (own && *own)
        str_add(&path, own);
    else if (given && *given)
        str_add(&path, given);
    else if (xdg && *xdg == '/')
        str_addf(&path, "%s/runcu", xdg);
    else if (home && *home)
        str_addf(&path, "%s/.cache/runcu", home);
    bool ok = !path.failed && (!path.len || fs_absolute(out, path.at) != ENOMEM);
    str_fini(&path);
    return ok ? 0 : runcu_fail_memory();
}

int cache_choose_shared(struct str *out, const char *own)
{
    const char *folder = own && *own ? own : getenv("RUNCU_CACHE_SHARED");
    bool ok = !folder || !*folder || fs_absolute(out, folder) != ENOMEM;
    return ok ? 0 : runcu_fail_memory();
}

/* --- the key ------------------------------------------------------------- */

static void put_list(struct str *out, const struct text_list *list)
{
    wire_put_texts(out, list->at, list->len);
}

/* Everything that decides what comes out, but for what stands in the entry itself. */
static bool put_request(struct request *r)
{
    struct str *out = &r->text;
    const runcu_program_params *p = &r->params;
    str_clear(out);
    wire_put_text(out, runcu_version());
    wire_put_text(out, text_digest);
    wire_put_text(out, r->source);
    wire_put_text(out, str_text(&r->path));
    wire_put_text(out, r->name);
    wire_put_number(out, p->extern_c != 0);
    put_list(out, &r->options.pass);
    put_list(out, &r->options.pre_includes);
    wire_put_number(out, r->options.is_minimal);
    put_list(out, &r->include_dirs);
    wire_put_texts(out, p->name_expressions, p->name_expression_count);
    wire_put_number(out, p->header_count);
    for (size_t i = 0; i < p->header_count; i++) {
        wire_put_text(out, p->headers[i].name);
        wire_put_text(out, p->headers[i].text);
    }
    r->key_len = out->len;
    r->variant = (struct variant){.flags = (uint64_t) r->arch_is_explicit << 1 | r->for_cpu};
    memcpy(r->variant.arch, r->arch, strlen(r->arch));
    str_addn(out, (const char *) &r->variant, sizeof r->variant);
    wire_put_text(out, str_text(&r->cache_folder));
    wire_put_text(out, str_text(&r->shared_folder));
    wire_put_text(out, getenv("RUNCU_NVRTC"));
    wire_put_number(out, p->time_limit);
    return !out->failed;
}

static bool make_key(struct request *r)
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add_number(&hash, (uint64_t) 1 << 56 | sizeof(void *)); /* the machine's kind */
    if (!nvrtc_identify(&hash))
        return false;
    sha256_add(&hash, r->text.at, r->key_len);
    sha256_end(&hash, r->key);
    return true;
}

int cache_prepare(struct request *r)
{
    int status = cache_choose_folder(&r->cache_folder, r->params.cache_dir);
    if (!status)
        status = cache_choose_shared(&r->shared_folder, r->params.shared_cache_dir);
    if (status)
        return status;
    if (r->params.no_cache || r->options.has_side_effects || is_set("RUNCU_NO_CACHE") ||
        !cache_cap())
        r->no_cache = true;
    return r->no_cache || put_request(r) ? 0 : runcu_fail_memory();
}

static int find_key(struct request *r)
{
    if (make_key(r))
        return 0;
    /* Only the dynamic loader knows where NVRTC is: asked to load it, it tells. */
    int status = nvrtc_get(&r->nvrtc);
    r->no_cache = status || !make_key(r);
    return status;
}

/* --- looking up ---------------------------------------------------------- */

/* Its time tells when an entry was last of use; nearer than a minute is near enough. */
static void mark_used(const char *path)
{
    struct fs_info info;
    if (fs_stat(&info, path) == 0 && info.mtime / 1000000000 + 60 < (int64_t) time(NULL))
        fs_touch(path);
}

static bool load_from(runcu_program *program, const struct request *r, const struct str *folder,
                      bool is_ours)
{
    struct str path = {0}, bytes = {0};
    bool found = folder->len && cache_path(&path, folder->at, r->key) &&
                 fs_read(&bytes, path.at, CACHE_ENTRY_LIMIT) == 0 && entry_read(program, &bytes, r);
    if (found && is_ours)
        mark_used(path.at);
    str_fini(&bytes);
    str_fini(&path);
    return found;
}

int cache_load(runcu_program *program, struct request *r, bool *found)
{
    *found = false;
    int status = r->no_cache ? 0 : find_key(r);
    if (status || r->no_cache)
        return status;
    bool ours = load_from(program, r, &r->cache_folder, true);
    *found = ours || load_from(program, r, &r->shared_folder, false);
    if (r->cache_folder.len)
        cache_count(r->cache_folder.at, ours ? CACHE_HIT : *found ? CACHE_SHARED_HIT : CACHE_MISS);
    return 0;
}

/* --- storing ------------------------------------------------------------- */

/* Are the files that the compiler read the ones that the scan had read? */
static bool is_unchanged(const struct scan *scan)
{
    for (size_t i = 0; i < scan->files.len; i++) {
        const struct scan_file *file = &scan->files.at[i];
        struct fs_info info;
        if (fs_stat(&info, file->path) != 0 || info.size != file->size || info.mtime != file->mtime)
            return false;
    }
    return true;
}

static bool learn_depends(runcu_program *program, const struct request *r)
{
    struct str depends = {0};
    bool ok = depends_write(&depends, r);
    program->depends = ok ? arena_copy(&program->arena, depends.at, depends.len) : NULL;
    program->depends_len = program->depends ? depends.len : 0;
    str_fini(&depends);
    return program->depends != NULL;
}

static void store(const struct request *r, const struct str *part)
{
    const char *folder = r->cache_folder.at;
    uint64_t cap = cache_cap(), written = 0;
    int status = cache_merge(folder, r->key, part, &written);
    if (status)
        core_log(RUNCU_LOG_INFO, "cache", "nothing is kept in %s: %s", folder, strerror(status));
    else if (cache_is_time_to_sweep(written, cap))
        cache_sweep(folder, cap);
}

void cache_store(runcu_program *program, struct request *r)
{
    struct str part = {0};
    /* The key is made again: another NVRTC than the first in line may have been the one to load. */
    if (r->no_cache || r->scan.is_opaque || r->scan.is_computed || !is_unchanged(&r->scan) ||
        !make_key(r) || !learn_depends(program, r) || !r->cache_folder.len)
        return;
    if (entry_write(&part, program, r))
        store(r, &part);
    str_fini(&part);
}

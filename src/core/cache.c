/* The folder of compiled programs: whether there is one, what a request's file is called, which
 * files go when it is full. A cache never fails anybody: whatever goes wrong means that the source
 * is compiled. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "core/program.h"
#include "core/texts.h"

#define SUFFIX ".rcu"

static const uint64_t default_cap = (uint64_t) 1 << 30;
enum { ENTRY_LIMIT = 1 << 30 };

/* --- the folder ---------------------------------------------------------- */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

/* "512M": bytes, or with K, M, G. What makes no sense is as good as nothing. */
static uint64_t read_cap(void)
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

/* The folder, absolute, into r->cache_folder; it stays empty where there is none to be had. */
static int choose_folder(struct request *r)
{
    const char *own = r->params.cache_dir, *given = getenv("RUNCU_CACHE_DIR");
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
    bool ok = !path.failed && (!path.len || fs_absolute(&r->cache_folder, path.at) != ENOMEM);
    str_fini(&path);
    return ok ? 0 : runcu_fail_memory();
}

/* --- the key ------------------------------------------------------------- */

static void add_list(struct sha256 *hash, const struct text_list *list)
{
    sha256_add_number(hash, list->len);
    for (size_t i = 0; i < list->len; i++)
        sha256_add_text(hash, list->at[i]);
}

/* Everything that decides what comes out, but for the contents of included files: those stand in
 * the entry. */
static void add_request(struct sha256 *hash, const struct request *r)
{
    static const char *const variables[] = {"CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX"};
    uint64_t machine = (uint64_t) 1 << 56 | sizeof(void *);
    sha256_add_number(hash, machine);
    sha256_add_text(hash, runcu_version());
    sha256_add_text(hash, text_digest);
    sha256_add_text(hash, r->source);
    sha256_add_text(hash, str_text(&r->path));
    sha256_add_text(hash, r->name);
    sha256_add_text(hash, r->arch);
    sha256_add_number(hash, (uint64_t) r->arch_is_explicit << 2 | (uint64_t) r->for_cpu << 1 |
                                (r->params.extern_c != 0));
    add_list(hash, &r->options.pass);
    add_list(hash, &r->options.pre_includes);
    sha256_add_number(hash, r->options.is_minimal);
    add_list(hash, &r->include_dirs);
    sha256_add_number(hash, r->params.name_expression_count);
    for (size_t i = 0; i < r->params.name_expression_count; i++)
        sha256_add_text(hash, r->params.name_expressions[i]);
    sha256_add_number(hash, r->params.header_count);
    for (size_t i = 0; i < r->params.header_count; i++) {
        sha256_add_text(hash, r->params.headers[i].name);
        sha256_add_text(hash, r->params.headers[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        sha256_add_text(hash, getenv(variables[i]));
}

static bool make_key(struct request *r)
{
    struct sha256 hash;
    sha256_init(&hash);
    if (!nvrtc_identify(&hash))
        return false;
    add_request(&hash, r);
    sha256_end(&hash, r->key);
    return true;
}

int cache_prepare(struct request *r)
{
    int status = choose_folder(r);
    if (status)
        return status;
    if (r->params.no_cache || r->options.has_side_effects || is_set("RUNCU_NO_CACHE") ||
        !read_cap())
        r->no_cache = true;
    if (r->no_cache || !r->cache_folder.len || make_key(r))
        return 0;
    /* Only the dynamic loader knows where NVRTC is: asked to load it, it tells. */
    status = nvrtc_get(&r->nvrtc);
    r->no_cache = status || !make_key(r);
    return status;
}

static bool has_cache(const struct request *r)
{
    return !r->no_cache && r->cache_folder.len;
}

static bool entry_path(struct str *out, const struct request *r)
{
    char name[2 * SHA256_SIZE + 1];
    sha256_hex(name, r->key);
    str_addf(out, "%s/%s" SUFFIX, str_text(&r->cache_folder), name);
    return !out->failed;
}

/* --- looking up ---------------------------------------------------------- */

/* Its time tells when an entry was last of use; nearer than a minute is near enough. */
static void mark_used(const char *path)
{
    struct fs_info info;
    if (fs_stat(&info, path) == 0 && info.mtime / 1000000000 + 60 < (int64_t) time(NULL))
        fs_touch(path);
}

bool cache_load(runcu_program *program, struct request *r)
{
    struct str path = {0}, bytes = {0};
    bool found = has_cache(r) && entry_path(&path, r) &&
                 fs_read(&bytes, path.at, ENTRY_LIMIT) == 0 && entry_read(program, &bytes, r->key);
    if (found)
        mark_used(path.at);
    str_fini(&bytes);
    str_fini(&path);
    return found;
}

/* --- making room --------------------------------------------------------- */

struct found {
    char *path;
    uint64_t size;
    int64_t mtime;
};

struct sweep {
    const char *folder;
    VEC(struct found) entries;
    uint64_t sum;
};

static bool ends(const char *name, const char *suffix)
{
    size_t len = strlen(name), tail = strlen(suffix);
    return len > tail && strcmp(name + len - tail, suffix) == 0;
}

/* Entries are weighed; temporary files whose writers must be long gone are removed. */
static bool weigh(void *user, const char *name)
{
    struct sweep *s = user;
    struct fs_info info;
    struct str path = {0};
    bool is_entry = ends(name, SUFFIX);
    str_addf(&path, "%s/%s", s->folder, name);
    if (!path.failed && (is_entry || (ends(name, ".tmp") && strstr(name, SUFFIX "."))) &&
        fs_stat(&info, path.at) == 0 && !info.is_folder) {
        if (!is_entry && info.mtime / 1000000000 + 3600 < (int64_t) time(NULL))
            unlink(path.at);
        if (is_entry) {
            struct found found = {str_take(&path), info.size, info.mtime};
            s->sum += info.size;
            if (!found.path || !vec_push(&s->entries, found))
                alloc_free(found.path);
        }
    }
    str_fini(&path);
    return false;
}

static int by_age(const void *a, const void *b)
{
    int64_t x = ((const struct found *) a)->mtime, y = ((const struct found *) b)->mtime;
    return (x > y) - (x < y);
}

static void sweep(const char *folder, uint64_t cap)
{
    struct sweep s = {.folder = folder};
    fs_list(folder, weigh, &s);
    if (s.sum > cap && s.entries.len) {
        qsort(s.entries.at, s.entries.len, sizeof *s.entries.at, by_age);
        for (size_t i = 0; i < s.entries.len && s.sum > cap - cap / 10; i++)
            if (unlink(s.entries.at[i].path) == 0)
                s.sum -= s.entries.at[i].size;
    }
    for (size_t i = 0; i < s.entries.len; i++)
        alloc_free(s.entries.at[i].path);
    vec_fini(&s.entries);
}

/* Weighing reads the whole folder, so it is done once for every 64th part of the cap that is
 * written, on average. */
static bool is_time_to_sweep(uint64_t bytes, uint64_t cap)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t chance = hash_bytes(&now, sizeof now) % (MAX(cap, 64) / 64);
    return bytes >= cap / 64 || chance < bytes;
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

void cache_store(const runcu_program *program, struct request *r)
{
    struct str path = {0}, bytes = {0};
    uint64_t cap = read_cap();
    /* The key is made again: another NVRTC than the first in line may have been the one to load. */
    if (!has_cache(r) || r->scan.is_opaque || !is_unchanged(&r->scan) || !make_key(r) ||
        !entry_path(&path, r) || !entry_write(&bytes, program, r) || bytes.len > cap) {
        str_fini(&path);
        str_fini(&bytes);
        return;
    }
    int status = fs_make_folders(r->cache_folder.at);
    if (!status)
        status = fs_replace(path.at, bytes.at, bytes.len);
    if (status)
        core_log(RUNCU_LOG_INFO, "cache", "nothing is kept in %s: %s", r->cache_folder.at,
                 strerror(status));
    else if (is_time_to_sweep(bytes.len, cap))
        sweep(r->cache_folder.at, cap);
    str_fini(&path);
    str_fini(&bytes);
}

/* The files of a cache folder: entries, written beside and renamed, so that whoever reads sees a
 * whole one or none, and which of them go when there are too many. */
#include "core/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/entry.h"

#define SUFFIX ".rcu"

enum { GONE_S = 3600, TRIES = 4 };

bool cache_path(struct str *out, const char *folder, const uint8_t key[SHA256_SIZE])
{
    char name[2 * SHA256_SIZE + 1];
    sha256_hex(name, key);
    str_addf(out, "%s/%s" SUFFIX, folder, name);
    return !out->failed;
}

/* --- storing ------------------------------------------------------------- */

static bool is_same(const struct fs_info *a, const struct fs_info *b)
{
    return a->size == b->size && a->mtime == b->mtime;
}

/* What is to be there from now on. Parts of other architectures are kept where they fit. */
static int merge_bytes(struct str *out, const struct str *old, const struct str *newer,
                       const uint8_t key[SHA256_SIZE])
{
    entry_merge(out, old, newer, key);
    if (out->failed || out->len <= MIN(cache_cap(), CACHE_ENTRY_LIMIT))
        return out->failed ? ENOMEM : 0;
    str_clear(out);
    str_addn(out, newer->at, newer->len);
    return out->failed ? ENOMEM : 0;
}

/* Who reads, adds and writes back may undo what another has written meanwhile: he looks again just
 * before. What is lost all the same is compiled again, and stored then. */
static int merge(const char *path, const uint8_t key[SHA256_SIZE], const struct str *newer,
                 uint64_t *written, bool *again)
{
    struct str old = {0}, bytes = {0};
    struct fs_info before, after;
    fs_stat(&before, path);
    if (fs_read(&old, path, CACHE_ENTRY_LIMIT))
        str_clear(&old);
    int status = merge_bytes(&bytes, &old, newer, key);
    bool is_known = old.len == bytes.len && memcmp(str_text(&old), str_text(&bytes), old.len) == 0;
    fs_stat(&after, path);
    *again = !is_same(&before, &after);
    if (!status && !is_known && !*again && bytes.len <= cache_cap()) {
        status = fs_replace(path, bytes.at, bytes.len);
        *written = status ? 0 : bytes.len;
    }
    str_fini(&bytes);
    str_fini(&old);
    return status;
}

int cache_merge(const char *folder, const uint8_t key[SHA256_SIZE], const struct str *newer,
                uint64_t *written)
{
    struct str path = {0};
    bool again = true;
    *written = 0;
    int status = cache_path(&path, folder, key) ? fs_make_folders(folder) : ENOMEM;
    for (int i = 0; i < TRIES && again && !status; i++)
        status = merge(path.at, key, newer, written, &again);
    str_fini(&path);
    return status;
}

/* --- what lies in a folder ----------------------------------------------- */

static bool ends(const char *name, const char *suffix)
{
    size_t len = strlen(name), tail = strlen(suffix);
    return len > tail && strcmp(name + len - tail, suffix) == 0;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;
    return at ? (int) (at - digits) : -1;
}

/* An entry's name is its key; other files are not ours. */
static bool key_of(uint8_t key[SHA256_SIZE], const char *name)
{
    if (strlen(name) != 2 * SHA256_SIZE + strlen(SUFFIX) || !ends(name, SUFFIX))
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = hex_digit(name[2 * i]), low = hex_digit(name[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}

static bool is_temporary(const char *name)
{
    if (strncmp(name, CACHE_TRACE, sizeof CACHE_TRACE - 1) == 0)
        return ends(name, ".json");
    return ends(name, ".tmp") && (strstr(name, SUFFIX ".") || cache_counts_is_temporary(name));
}

struct visit {
    struct cache_list *list;
    bool (*temporary)(int64_t mtime);
};

static bool add_file(void *user, const char *name)
{
    const struct visit *v = user;
    struct cache_list *list = v->list;
    struct cache_file file = {0};
    struct str path = {0};
    struct fs_info info;
    bool is_entry = key_of(file.key, name);
    if (!is_entry && !is_temporary(name))
        return false;
    str_addf(&path, "%s/%s", list->folder, name);
    list->failed |= path.failed;
    if (!path.failed && fs_stat(&info, path.at) == 0 && !info.is_folder) {
        if (!is_entry && v->temporary && v->temporary(info.mtime))
            unlink(path.at);
        if (is_entry) {
            list->bytes += info.size;
            file.path = str_take(&path);
            file.size = info.size;
            file.mtime = info.mtime;
            if (!file.path || !vec_push(&list->files, file)) {
                list->failed = true;
                alloc_free(file.path);
            }
        }
    }
    str_fini(&path);
    return false;
}

void cache_list(struct cache_list *out, const char *folder, bool (*temporary)(int64_t mtime))
{
    *out = (struct cache_list){.folder = folder};
    struct visit visit = {out, temporary};
    fs_list(folder, add_file, &visit);
}

static int by_age(const void *a, const void *b)
{
    int64_t x = ((const struct cache_file *) a)->mtime, y = ((const struct cache_file *) b)->mtime;
    return (x > y) - (x < y);
}

void cache_list_by_age(struct cache_list *list)
{
    if (list->files.len)
        qsort(list->files.at, list->files.len, sizeof *list->files.at, by_age);
}

void cache_list_fini(struct cache_list *list)
{
    for (size_t i = 0; i < list->files.len; i++)
        alloc_free(list->files.at[i].path);
    vec_fini(&list->files);
}

/* --- making room --------------------------------------------------------- */

static bool is_long_ago(int64_t mtime)
{
    return mtime / 1000000000 + GONE_S < (int64_t) time(NULL);
}

void cache_sweep(const char *folder, uint64_t cap)
{
    struct cache_list list;
    cache_list(&list, folder, is_long_ago);
    if (list.bytes > cap) {
        cache_list_by_age(&list);
        for (size_t i = 0; i < list.files.len && list.bytes > cap - cap / 10; i++)
            if (unlink(list.files.at[i].path) == 0)
                list.bytes -= list.files.at[i].size;
    }
    cache_list_fini(&list);
}

/* Weighing reads the whole folder, so it is done once for every 64th part of the cap that is
 * written, on average. */
bool cache_is_time_to_sweep(uint64_t written, uint64_t cap)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t chance = hash_bytes(&now, sizeof now) % (MAX(cap, 64) / 64);
    return written >= cap / 64 || chance < written;
}

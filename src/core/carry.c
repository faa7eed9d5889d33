/* The public side of a cache folder: what is in it, clearing it, and all its entries in one file,
 * out and in again.
 *
 *   The file: magic; for each entry the length of its bytes, its key, the bytes; a length of 0. The
 * entries' own checksums tell what is sound. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/core.h"
#include "core/entry.h"
#include "core/store.h"
#include "runcu/cache.h"

static const char magic[8] = "runcu-c\n";

/* The folder that is meant; an error where there is none. */
static int get_folder(struct str *out, const char *dir)
{
    int status = cache_choose_folder(out, dir);
    if (!status && !out->len)
        status = runcu_fail(RUNCU_ERROR_SYSTEM, "there is no cache folder: neither RUNCU_CACHE_DIR "
                                                "nor XDG_CACHE_HOME nor HOME is set");
    return status;
}

static int fail_path(const char *what, const char *path, int error)
{
    if (error == ENOMEM)
        return runcu_fail_memory();
    return runcu_fail(RUNCU_ERROR_SYSTEM, "%s %s: %s", path, what, strerror(error));
}

/* --- telling ------------------------------------------------------------- */

struct weight {
    struct str path;
    uint64_t bytes;
};

static bool weigh(void *user, const char *name)
{
    struct weight *w = user;
    struct fs_info info;
    size_t len = w->path.len;
    str_addf(&w->path, "/%s", name);
    if (!w->path.failed && fs_stat(&info, w->path.at) == 0) {
        if (info.is_folder)
            fs_list(w->path.at, weigh, w);
        else
            w->bytes += info.size;
    }
    w->path.len = len;
    if (w->path.at)
        w->path.at[len] = 0;
    return false;
}

static bool weigh_headers(void *user, const char *name)
{
    return strncmp(name, CACHE_HEADERS, sizeof CACHE_HEADERS - 1) == 0 && weigh(user, name);
}

/* Can it be written, or be made where it would lie? */
static bool is_writable(const char *folder)
{
    struct str path = {0};
    struct fs_info info;
    str_add(&path, folder);
    while (!path.failed && path.len > 1 && fs_stat(&info, path.at) == ENOENT) {
        char *slash = strrchr(path.at, '/');
        path.len = (size_t) MAX(slash - path.at, 1);
        path.at[path.len] = 0;
    }
    bool answer = !path.failed && fs_stat(&info, path.at) == 0 && info.is_folder &&
                  access(path.at, W_OK | X_OK) == 0;
    str_fini(&path);
    return answer;
}

static int copy_path(char out[4096], const struct str *path)
{
    if (path->len >= 4096)
        return fail_path("is too long", path->at, ENAMETOOLONG);
    memcpy(out, str_text(path), path->len + 1);
    return 0;
}

static int fill_info(runcu_cache_info *out, const struct str *folder)
{
    struct cache_list list;
    struct cache_counts counts;
    struct weight headers = {0};
    str_add(&headers.path, folder->at);
    fs_list(folder->at, weigh_headers, &headers);
    cache_list(&list, folder->at, NULL);
    cache_counts_read(&counts, folder->at);
    out->is_writable = is_writable(folder->at);
    out->entries = list.files.len;
    out->bytes = list.bytes;
    out->header_bytes = headers.bytes;
    out->hits = counts.hits;
    out->shared_hits = counts.shared_hits;
    out->misses = counts.misses;
    bool failed = list.failed || headers.path.failed;
    cache_list_fini(&list);
    str_fini(&headers.path);
    return failed ? runcu_fail_memory() : 0;
}

int runcu_cache_get_info(runcu_cache_info *out, const char *dir)
{
    CORE_NEED(out);
    struct str folder = {0}, shared = {0};
    *out = (runcu_cache_info){.limit = cache_cap()};
    int status = cache_choose_folder(&folder, dir);
    if (!status)
        status = cache_choose_shared(&shared, NULL);
    if (!status)
        status = copy_path(out->dir, &folder);
    if (!status)
        status = copy_path(out->shared_dir, &shared);
    if (!status && folder.len)
        status = fill_info(out, &folder);
    str_fini(&shared);
    str_fini(&folder);
    return status;
}

/* --- clearing ------------------------------------------------------------ */

/* Whoever writes now is left to it. */
static bool is_abandoned(int64_t mtime)
{
    return mtime / 1000000000 + 60 < (int64_t) time(NULL);
}

int runcu_cache_clear(uint64_t *removed, const char *dir)
{
    struct str folder = {0};
    struct cache_list list;
    uint64_t count = 0;
    int status = get_folder(&folder, dir), error = 0;
    if (removed)
        *removed = 0;
    if (status) {
        str_fini(&folder);
        return status;
    }
    recent_forget();
    cache_list(&list, folder.at, is_abandoned);
    cache_counts_clear(folder.at);
    for (size_t i = 0; i < list.files.len; i++) {
        if (unlink(list.files.at[i].path) == 0)
            count++;
        else if (errno != ENOENT)
            error = errno;
    }
    status = list.failed ? runcu_fail_memory()
             : error     ? fail_path("cannot be cleared", folder.at, error)
                         : 0;
    if (removed)
        *removed = count;
    cache_list_fini(&list);
    str_fini(&folder);
    return status;
}

/* --- out ----------------------------------------------------------------- */

/* An entry's bytes, if they are sound. */
static bool read_entry(struct str *out, const struct cache_file *file)
{
    str_clear(out);
    return fs_read(out, file->path, CACHE_ENTRY_LIMIT) == 0 &&
           entry_check(str_text(out), out->len, file->key);
}

static void put_entries(struct fs_writer *w, const struct cache_list *list, uint64_t *count)
{
    struct str bytes = {0};
    for (size_t i = 0; !w->status && i < list->files.len; i++)
        if (read_entry(&bytes, &list->files.at[i])) {
            uint64_t len = bytes.len;
            fs_write_add(w, &len, sizeof len);
            fs_write_add(w, list->files.at[i].key, SHA256_SIZE);
            fs_write_add(w, bytes.at, bytes.len);
            ++*count;
        }
    str_fini(&bytes);
}

static int export_list(const struct cache_list *list, const char *path, uint64_t *count)
{
    struct fs_writer w;
    const uint64_t end = 0;
    fs_write_begin(&w, path, 0666);
    fs_write_add(&w, magic, sizeof magic);
    put_entries(&w, list, count);
    fs_write_add(&w, &end, sizeof end);
    int error = fs_write_end(&w);
    return error ? fail_path("cannot be written", path, error) : 0;
}

int runcu_cache_export(uint64_t *entries, const char *path, const char *dir)
{
    CORE_NEED(path);
    struct str folder = {0};
    struct cache_list list = {0};
    uint64_t count = 0;
    if (entries)
        *entries = 0;
    if (!*path)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "export to which file?");
    int status = get_folder(&folder, dir);
    if (!status) {
        cache_list(&list, folder.at, NULL);
        cache_list_by_age(&list); /* importing then makes the same one the oldest */
        status = list.failed ? runcu_fail_memory() : export_list(&list, path, &count);
    }
    if (!status && entries)
        *entries = count;
    cache_list_fini(&list);
    str_fini(&folder);
    return status;
}

/* --- in ------------------------------------------------------------------ */

struct import {
    int fd;
    const char *path, *folder;
    runcu_cache_imported counts;
    struct str bytes;
};

/* In pieces: a length that is damaged takes no more memory than there are bytes. */
static bool read_bytes(struct str *out, int fd, uint64_t len)
{
    char piece[65536];
    str_clear(out);
    while (len && !out->failed) {
        size_t n = (size_t) MIN(len, sizeof piece);
        if (!fs_read_exactly(fd, piece, n))
            return false;
        str_addn(out, piece, n);
        len -= n;
    }
    return true;
}

static int import_entry(struct import *in, const uint8_t key[SHA256_SIZE])
{
    uint64_t written;
    if (!entry_check(str_text(&in->bytes), in->bytes.len, key)) {
        in->counts.damaged++;
        return 0;
    }
    int error = cache_merge(in->folder, key, &in->bytes, &written);
    if (error)
        return fail_path("cannot be written", in->folder, error);
    in->counts.added += written != 0;
    in->counts.known += written == 0;
    return 0;
}

static int import_all(struct import *in)
{
    uint8_t key[SHA256_SIZE];
    uint64_t len = 1;
    int status = 0;
    while (!status && len) {
        bool whole = fs_read_exactly(in->fd, &len, sizeof len) && len <= CACHE_ENTRY_LIMIT &&
                     (!len || (fs_read_exactly(in->fd, key, sizeof key) &&
                               read_bytes(&in->bytes, in->fd, len)));
        if (in->bytes.failed)
            return runcu_fail_memory();
        if (!whole) { /* where the next one would begin is not known */
            in->counts.damaged++;
            return 0;
        }
        if (len)
            status = import_entry(in, key);
    }
    return status;
}

static int open_import(struct import *in)
{
    char found[sizeof magic];
    in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in->fd < 0)
        return fail_path("cannot be read", in->path, errno);
    if (!fs_read_exactly(in->fd, found, sizeof found) || memcmp(found, magic, sizeof magic) != 0)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s is no exported cache", in->path);
    return 0;
}

int runcu_cache_import(runcu_cache_imported *out, const char *path, const char *dir)
{
    CORE_NEED(path);
    struct str folder = {0};
    struct import in = {.fd = -1, .path = path};
    if (out)
        *out = in.counts;
    if (!*path)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "import which file?");
    int status = get_folder(&folder, dir);
    in.folder = str_text(&folder);
    if (!status)
        status = open_import(&in);
    if (!status) {
        status = import_all(&in);
        cache_sweep(in.folder, cache_cap());
    }
    if (in.fd >= 0)
        close(in.fd);
    if (out)
        *out = in.counts;
    str_fini(&in.bytes);
    str_fini(&folder);
    return status;
}

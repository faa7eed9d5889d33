/* How often a folder's entries were found: a byte for each time, appended to a file, which is added
 * to a file of sums when it is long. Appending needs no lock, and nothing that ends a process in
 * the middle leaves a wrong sum; a process that adds up and is killed loses what it was adding. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "core/store.h"

#define LOG "counts.log"
#define SUMS "counts"

enum { LOG_LIMIT = 64 << 10 };

static const char format[] = "hits %llu\nshared %llu\nmisses %llu\n";

static bool path_of(struct str *out, const char *folder, const char *name)
{
    str_addf(out, "%s/%s", folder, name);
    return !out->failed;
}

static void read_sums(struct cache_counts *out, const char *folder)
{
    struct str path = {0}, text = {0};
    unsigned long long n[3];
    *out = (struct cache_counts){0};
    if (path_of(&path, folder, SUMS) && fs_read(&text, path.at, 4096) == 0 &&
        sscanf(str_text(&text), format, &n[0], &n[1], &n[2]) == 3)
        *out = (struct cache_counts){n[0], n[1], n[2]};
    str_fini(&text);
    str_fini(&path);
}

static void add_log(struct cache_counts *counts, const char *path)
{
    struct str log = {0};
    fs_read(&log, path, 64 * LOG_LIMIT);
    for (size_t i = 0; i < log.len; i++) {
        counts->hits += log.at[i] == CACHE_HIT;
        counts->shared_hits += log.at[i] == CACHE_SHARED_HIT;
        counts->misses += log.at[i] == CACHE_MISS;
    }
    str_fini(&log);
}

/* Whoever renames the log has it for himself. */
static void add_up(const char *folder, const char *log)
{
    struct str own = {0}, path = {0}, text = {0};
    struct cache_counts c;
    str_addf(&own, "%s.%ld.tmp", log, (long) getpid());
    if (!own.failed && path_of(&path, folder, SUMS) && rename(log, own.at) == 0) {
        read_sums(&c, folder);
        add_log(&c, own.at);
        str_addf(&text, format, (unsigned long long) c.hits, (unsigned long long) c.shared_hits,
                 (unsigned long long) c.misses);
        if (!text.failed)
            fs_replace(path.at, text.at, text.len);
        unlink(own.at);
    }
    str_fini(&text);
    str_fini(&path);
    str_fini(&own);
}

void cache_count(const char *folder, enum cache_event event)
{
    struct str path = {0};
    uint64_t size = 0;
    char byte = (char) event;
    if (path_of(&path, folder, LOG)) {
        int status = fs_append(path.at, &byte, 1, &size);
        if (status == ENOENT && fs_make_folders(folder) == 0)
            fs_append(path.at, &byte, 1, &size);
        if (size > LOG_LIMIT)
            add_up(folder, path.at);
    }
    str_fini(&path);
}

void cache_counts_read(struct cache_counts *out, const char *folder)
{
    struct str path = {0};
    read_sums(out, folder);
    if (path_of(&path, folder, LOG))
        add_log(out, path.at);
    str_fini(&path);
}

void cache_counts_clear(const char *folder)
{
    static const char *const names[] = {LOG, SUMS};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str path = {0};
        if (path_of(&path, folder, names[i]))
            unlink(path.at);
        str_fini(&path);
    }
}

bool cache_counts_is_temporary(const char *name)
{
    return strncmp(name, SUMS ".", sizeof SUMS) == 0;
}

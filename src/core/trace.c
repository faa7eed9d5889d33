/* Which files NVRTC has read, by its own account (-fdevice-time-trace), for sources in which only a
 * preprocessor knows what an #include means. Where the file of that account cannot be written (a
 * full disk, a folder that goes), NVRTC ends the process: so only workers ask for it. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "core/program.h"
#include "core/store.h"

enum { TRACE_LIMIT = 256 << 20, FILE_LIMIT = 64 << 20 };

/* NVRTC adds this to the name it is given. */
#define SUFFIX ".json"

bool trace_is_wanted(const struct request *r)
{
    return r->scan.is_computed && !r->scan.is_opaque && !r->no_cache && r->cache_folder.len &&
           nvrtc_is_at_least(r->nvrtc, 13, 0);
}

static bool file_of(struct str *out, const struct request *r)
{
    str_addf(out, "%s" SUFFIX, str_text(&r->trace));
    return !out->failed;
}

void trace_begin(struct request *r)
{
    static atomic_uint counter;
    struct str file = {0};
    if (fs_make_folders(r->cache_folder.at) == 0)
        str_addf(&r->trace, "%s/" CACHE_TRACE "%ld.%u", r->cache_folder.at, (long) getpid(),
                 atomic_fetch_add(&counter, 1));
    if (r->trace.failed || !r->trace.len || !file_of(&file, r) || fs_replace(file.at, "", 0) != 0)
        str_clear(&r->trace);
    str_fini(&file);
}

/* --- reading it ---------------------------------------------------------- */

struct reading {
    struct request *r;
    VEC(struct scan_file) files;
    struct map seen;
    int64_t began; /* ns; what is younger may have been another file when NVRTC read it */
    bool failed;
};

static const struct scan_file *find_scanned(const struct scan *s, const char *path)
{
    for (size_t i = 0; i < s->files.len; i++)
        if (strcmp(s->files.at[i].path, path) == 0)
            return &s->files.at[i];
    return NULL;
}

/* In folders that were searched before the file's own, a file of its name would have come first. */
static bool note_earlier(struct scan *s, const char *path)
{
    bool ok = true;
    for (size_t i = 0; ok && i < s->dirs.len; i++) {
        size_t len = strlen(s->dirs.at[i]);
        if (strncmp(path, s->dirs.at[i], len) != 0 || path[len] != '/')
            continue;
        for (size_t k = 0; ok && k < i; k++) {
            struct str earlier = {0};
            str_addf(&earlier, "%s%s", s->dirs.at[k], path + len);
            const char *copy = earlier.failed || fs_is_file(earlier.at)
                                   ? NULL
                                   : arena_string(&s->arena, earlier.at, earlier.len);
            ok = copy && vec_push(&s->absent, copy);
            str_fini(&earlier);
        }
        break;
    }
    return ok;
}

static bool read_file(struct reading *t, const char *path)
{
    struct scan_file file = {.path = path};
    struct fs_info info;
    struct str text = {0};
    struct sha256 hash;
    bool ok =
        fs_stat(&info, path) == 0 && info.mtime < t->began && fs_read(&text, path, FILE_LIMIT) == 0;
    sha256_init(&hash);
    sha256_add(&hash, str_text(&text), text.len);
    sha256_end(&hash, file.digest);
    file.size = info.size;
    file.mtime = info.mtime;
    str_fini(&text);
    return ok && vec_push(&t->files, file) && note_earlier(&t->r->scan, path);
}

/* What does not begin at the root lies in memory, or in NVRTC; the bundle is one with NVRTC. */
static bool is_file_of_ours(const struct request *r, const char *path)
{
    size_t len = r->bundle.len;
    return *path == '/' && strncmp(path, CORE_VIRTUAL_FOLDER, strlen(CORE_VIRTUAL_FOLDER)) != 0 &&
           !(len && strncmp(path, r->bundle.at, len) == 0 && path[len] == '/');
}

static bool take_path(struct reading *t, const char *at, size_t len)
{
    struct scan *s = &t->r->scan;
    const char *path = arena_string(&s->arena, at, len);
    if (!path)
        return false;
    if (!is_file_of_ours(t->r, path) || map_get(&t->seen, path, len))
        return true;
    const struct scan_file *known = find_scanned(s, path);
    if (!map_put(&t->seen, path, len, t))
        return false;
    return known ? vec_push(&t->files, *known) : read_file(t, path);
}

/* An event is {"args":{"detail":"/a/b.h"},"dur":9,"name":"Processing Header File",...}. `at` is
 * behind detail's first quote. A path in which something had to be escaped is given up. */
static bool take_event(struct reading *t, const char *at)
{
    static const char after[] = "\"},\"dur\":", kind[] = ",\"name\":\"Processing Header File\"";
    size_t len = strcspn(at, "\"\\");
    const char *end = at + len;
    if (*end == '\\') { /* the texts of other events have escapes, too */
        while (*end && *end != '"')
            end += *end == '\\' && end[1] ? 2 : 1;
        len = 0;
    }
    if (strncmp(end, after, sizeof after - 1) != 0)
        return true;
    end += sizeof after - 1;
    end += strspn(end, "0123456789");
    return strncmp(end, kind, sizeof kind - 1) != 0 || (len && take_path(t, at, len));
}

static bool take_events(struct reading *t, const char *text)
{
    static const char mark[] = "{\"args\":{\"detail\":\"";
    bool ok = true;
    while (ok && (text = strstr(text, mark))) {
        text += sizeof mark - 1;
        ok = take_event(t, text);
    }
    return ok && t->files.len > 0;
}

void trace_end(struct request *r, int64_t began)
{
    struct reading t = {.r = r, .began = began};
    struct str file = {0}, text = {0};
    if (!r->trace.len)
        return;
    if (file_of(&file, r) && fs_read(&text, file.at, TRACE_LIMIT) == 0 &&
        take_events(&t, str_text(&text))) {
        vec_fini(&r->scan.files);
        r->scan.files.at = t.files.at;
        r->scan.files.len = t.files.len;
        r->scan.files.cap = t.files.cap;
        r->scan.is_computed = false;
    } else {
        vec_fini(&t.files);
    }
    unlink(str_text(&file));
    map_fini(&t.seen);
    str_fini(&text);
    str_fini(&file);
}

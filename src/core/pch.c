/* Precompiled headers, for those who ask for them: a process that compiles many sources with the
 * same large headers reads these once. NVRTC's files are images of its own memory, of no use to
 * another process, and it trusts them: they lie in a folder of this process, each set of headers
 * and options in one of its own, and what is not as it was left is removed. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/program.h"

#define PREFIX "runcu-pch-"

enum { MOST = 3 }; /* folders */
static const size_t heap = (size_t) 512 << 20;
static const uint64_t limit = (uint64_t) 512 << 20; /* of a folder; CUB's file is some 300 MB */

struct kept {
    char name[2 * SHA256_SIZE + 1];
    uint64_t sum; /* of its files, as they were left */
};

static struct {
    pthread_mutex_t lock;
    pid_t pid; /* a child of fork has a folder of its own */
    char *folder;
    struct kept kept[MOST]; /* the last one used last */
    int count;
} ours = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- the folder of this process ------------------------------------------- */

static const char *parent(void)
{
    const char *temporary = getenv("TMPDIR");
    return temporary && *temporary ? temporary : "/tmp";
}

/* Folders of processes that were killed. */
static bool sweep(void *user, const char *name)
{
    struct str path = {0};
    struct stat st;
    (void) user;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    long pid = strtol(name + strlen(PREFIX), NULL, 10);
    str_addf(&path, "%s/%s", parent(), name);
    if (pid > 0 && kill((pid_t) pid, 0) != 0 && errno == ESRCH && !path.failed &&
        lstat(path.at, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
        fs_remove(path.at);
    str_fini(&path);
    return false;
}

static bool make_folder(void)
{
    struct str path = {0};
    alloc_free(ours.folder);
    ours.folder = NULL;
    ours.count = 0;
    ours.pid = getpid();
    fs_list(parent(), sweep, NULL);
    str_addf(&path, "%s/" PREFIX "%ld-XXXXXX", parent(), (long) ours.pid);
    if (!path.failed)
        ours.folder = alloc_string(path.at);
    str_fini(&path);
    if (ours.folder && !mkdtemp(ours.folder)) {
        alloc_free(ours.folder);
        ours.folder = NULL;
    }
    return ours.folder != NULL;
}

/* NVRTC maps the file that it writes, which may become as large as its heap: on a full disk that is
 * the end of the process. */
static bool has_room(void)
{
    struct statvfs st;
    return ours.folder && statvfs(ours.folder, &st) == 0 &&
           (uint64_t) st.f_bavail * st.f_frsize > 2 * (uint64_t) heap;
}

AT_UNLOAD static void forget(void)
{
    if (ours.folder && ours.pid == getpid())
        fs_remove(ours.folder);
    alloc_free(ours.folder);
    ours.folder = NULL;
}

/* --- one set of headers and options --------------------------------------- */

static void make_name(char out[2 * SHA256_SIZE + 1], const struct request *r,
                      const struct text_list *options)
{
    struct sha256 hash;
    uint8_t digest[SHA256_SIZE];
    sha256_init(&hash);
    for (size_t i = 0; i < options->len; i++)
        sha256_add_text(&hash, options->at[i]);
    sha256_add_number(&hash, r->headers.names.len);
    for (size_t i = 0; i < r->headers.names.len; i++) {
        sha256_add_text(&hash, r->headers.names.at[i]);
        sha256_add_text(&hash, r->headers.texts.at[i]);
    }
    for (size_t i = 0; i < r->scan.files.len; i++) {
        sha256_add_text(&hash, r->scan.files.at[i].path);
        sha256_add(&hash, r->scan.files.at[i].digest, SHA256_SIZE);
    }
    sha256_end(&hash, digest);
    sha256_hex(out, digest);
}

struct tally {
    const char *folder;
    uint64_t sum, bytes;
};

static bool add_file(void *user, const char *name)
{
    struct tally *tally = user;
    struct str path = {0};
    struct fs_info info;
    str_addf(&path, "%s/%s", tally->folder, name);
    if (!path.failed && fs_stat(&info, path.at) == 0) {
        uint64_t parts[] = {hash_bytes(name, strlen(name)), info.size, (uint64_t) info.mtime};
        tally->sum += hash_bytes(parts, sizeof parts);
        tally->bytes += info.size;
    }
    str_fini(&path);
    return false;
}

static struct tally weigh(const char *folder)
{
    struct tally tally = {.folder = folder};
    fs_list(folder, add_file, &tally);
    return tally;
}

static bool add_path(struct str *out, const char *name)
{
    str_clear(out);
    str_addf(out, "%s/%s", ours.folder, name);
    return !out->failed;
}

/* The place of `name` among those that are kept, which becomes the last. */
static bool take_place(const char *name)
{
    struct str path = {0};
    struct kept found = {.sum = 0};
    int i = 0;
    while (i < ours.count && strcmp(ours.kept[i].name, name) != 0)
        i++;
    bool is_new = i == ours.count, ok = true;
    if (is_new && ours.count == MOST) {
        i = 0;
        if ((ok = add_path(&path, ours.kept[0].name)))
            fs_remove(path.at);
    }
    if (!is_new)
        found = ours.kept[i];
    else
        memcpy(found.name, name, sizeof found.name);
    if (i < ours.count)
        memmove(&ours.kept[i], &ours.kept[i + 1], (size_t) (--ours.count - i) * sizeof *ours.kept);
    ours.kept[ours.count++] = found;
    str_fini(&path);
    return ok;
}

static bool prepare(struct str *out, const char *name)
{
    if (!take_place(name) || !add_path(out, name))
        return false;
    if (weigh(out->at).sum != ours.kept[ours.count - 1].sum)
        fs_remove(out->at);
    return mkdir(out->at, 0700) == 0 || errno == EEXIST;
}

static void enlarge_heap(const struct nvrtc_table *fn)
{
    size_t size = 0;
    if (fn->nvrtcGetPCHHeapSize && fn->nvrtcGetPCHHeapSize(&size) == 0 && size < heap)
        fn->nvrtcSetPCHHeapSize(heap);
}

bool pch_begin(struct str *folder, const struct request *r, const struct text_list *options)
{
    char name[2 * SHA256_SIZE + 1];
    if (!r->nvrtc->fn.nvrtcSetPCHHeapSize)
        return false;
    make_name(name, r, options);
    pthread_mutex_lock(&ours.lock);
    enlarge_heap(&r->nvrtc->fn);
    bool ok = (ours.folder && ours.pid == getpid()) || make_folder();
    /* Someone may have cleared the place where it was. */
    if (ok && !prepare(folder, name))
        ok = access(ours.folder, F_OK) != 0 && make_folder() && prepare(folder, name);
    ok = ok && has_room();
    if (!ok)
        pthread_mutex_unlock(&ours.lock);
    return ok;
}

void pch_end(const char *folder)
{
    struct tally tally = weigh(folder);
    ours.kept[ours.count - 1].sum = tally.sum;
    if (tally.bytes > limit) {
        fs_remove(folder);
        ours.kept[ours.count - 1].sum = 0;
    }
    pthread_mutex_unlock(&ours.lock);
}

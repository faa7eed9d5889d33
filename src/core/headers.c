/* CUDA's own headers, for sources that include what neither they nor the prelude have: NVRTC's
 * bundle, which is unpacked once into a folder of the cache, then the folders where wheels, conda
 * and toolkits put them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "core/program.h"
#include "core/store.h"

/* --- the bundle ---------------------------------------------------------- */

/* Sum over the files of a folder of a hash of path, size and time: the order of files does not
 * matter. */
struct inventory {
    struct str path;
    uint64_t sum;
};

static bool add_file(void *user, const char *name)
{
    struct inventory *v = user;
    struct fs_info info;
    size_t len = v->path.len;
    str_addf(&v->path, "/%s", name);
    if (!v->path.failed && strcmp(name, ".nvrtc_install.lock") != 0 &&
        fs_stat(&info, v->path.at) == 0) {
        if (info.is_folder) {
            fs_list(v->path.at, add_file, v);
        } else {
            uint64_t parts[] = {hash_bytes(v->path.at, v->path.len), info.size,
                                (uint64_t) info.mtime};
            v->sum += hash_bytes(parts, sizeof parts);
        }
    }
    v->path.len = len;
    if (v->path.at)
        v->path.at[len] = 0;
    return false;
}

/* What the folder should look like, in 16 digits; written beside it when it was new. */
static void take_inventory(struct str *out, const char *folder)
{
    struct inventory v = {0};
    str_add(&v.path, folder);
    fs_list(folder, add_file, &v);
    str_addf(out, "%016llx\n", (unsigned long long) v.sum);
    str_fini(&v.path);
}

static bool has_changed(const char *folder)
{
    struct str record = {0}, path = {0}, now = {0};
    str_addf(&path, "%s.sum", folder);
    fs_read(&record, str_text(&path), 4096);
    take_inventory(&now, folder);
    bool changed = strcmp(str_text(&record), str_text(&now)) != 0;
    str_fini(&record);
    str_fini(&path);
    str_fini(&now);
    return changed;
}

static int write_record(const char *folder)
{
    struct str path = {0}, now = {0};
    str_addf(&path, "%s.sum", folder);
    take_inventory(&now, folder);
    int status = path.failed || now.failed ? ENOMEM : fs_replace(path.at, now.at, now.len);
    str_fini(&path);
    str_fini(&now);
    return status;
}

static bool is_recorded(const char *folder)
{
    struct str path = {0};
    str_addf(&path, "%s.sum", folder);
    bool answer = fs_is_file(str_text(&path));
    str_fini(&path);
    return answer;
}

static bool install(const struct nvrtc *nvrtc, const char *folder, unsigned flags)
{
    const char *log = NULL;
    nvrtcResult code = nvrtc->fn.nvrtcInstallBundledHeaders(folder, flags, &log);
    if (code) {
        core_log(RUNCU_LOG_WARNING, "compile",
                 "NVRTC's headers could not be unpacked into %s: %s %s", folder,
                 nvrtc->fn.nvrtcGetErrorString(code), log ? log : "");
        return false;
    }
    write_record(folder);
    return true;
}

/* A folder under /tmp is anybody's to make: it must be ours alone. */
static bool is_private(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

static bool choose_folder(struct str *out, const struct request *r)
{
    struct str parent = {0};
    bool ok = r->cache_folder.len && fs_make_folders(r->cache_folder.at) == 0 &&
              access(r->cache_folder.at, W_OK) == 0;
    if (ok) {
        str_add(&parent, r->cache_folder.at);
    } else {
        const char *temporary = getenv("TMPDIR");
        str_addf(&parent, "%s/runcu-%ld", temporary && *temporary ? temporary : "/tmp",
                 (long) geteuid());
        ok = !parent.failed && fs_make_folders(parent.at) == 0 && is_private(parent.at);
    }
    if (ok)
        str_addf(out, "%s/" CACHE_HEADERS "%d.%d", str_text(&parent), r->nvrtc->major,
                 r->nvrtc->minor);
    ok = ok && !parent.failed && !out->failed;
    str_fini(&parent);
    return ok;
}

static bool exists_below(const char *folder, const char *between, const char *name)
{
    struct str path = {0};
    str_addf(&path, "%s/%s%s", folder, between, name);
    bool answer = !path.failed && fs_is_file(path.at);
    str_fini(&path);
    return answer;
}

/* Takes off the list of missing headers those that the folder has. */
static void take_off(struct text_list *missing, const char *folder)
{
    size_t left = 0;
    for (size_t i = 0; i < missing->len; i++)
        if (!exists_below(folder, "", missing->at[i]) &&
            !exists_below(folder, "cccl/", missing->at[i]))
            missing->at[left++] = missing->at[i];
    missing->len = left;
}

static bool unpack_again(const struct request *r, const char *folder)
{
    core_log(RUNCU_LOG_WARNING, "compile",
             "NVRTC's headers in %s were damaged and are unpacked anew", folder);
    return install(r->nvrtc, folder, NVRTC_INSTALL_HEADERS_FORCE_OVERWRITE);
}

/* Unpacks the bundle if need be, anew where a header is gone from it; takes off the list what it
 * has. */
static void try_bundle(struct request *r)
{
    struct str folder = {0};
    struct text_list *missing = &r->scan.missing;
    size_t before = missing->len;
    if (!r->nvrtc->fn.nvrtcInstallBundledHeaders || !choose_folder(&folder, r) ||
        (!is_recorded(folder.at) && !install(r->nvrtc, folder.at, 0))) {
        str_fini(&folder);
        return;
    }
    take_off(missing, folder.at);
    if (missing->len && has_changed(folder.at) && unpack_again(r, folder.at))
        take_off(missing, folder.at);
    if (missing->len < before)
        r->bundle = folder;
    else
        str_fini(&folder);
}

bool headers_repair(struct request *r)
{
    return r->bundle.len && has_changed(r->bundle.at) && unpack_again(r, r->bundle.at);
}

/* --- other places -------------------------------------------------------- */

#if defined(__aarch64__)
#define TARGET "targets/sbsa-linux/"
#else
#define TARGET "targets/x86_64-linux/"
#endif

static bool has_folder(const struct text_list *list, const char *path)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->at[i], path) == 0)
            return true;
    return false;
}

/* Something there would have been found before what was found. */
static bool note_absent(struct request *r, const struct str *path)
{
    const char *copy = arena_string(&r->scan.arena, path->at, path->len);
    return copy && vec_push(&r->scan.absent, copy);
}

static bool add_folder(struct request *r, struct text_list *out, const char *folder,
                       const char *tail)
{
    struct str path = {0};
    struct fs_info info;
    str_addf(&path, "%s/%s", folder, tail);
    bool ok = !path.failed, is_new = ok && !has_folder(out, path.at);
    if (is_new && fs_stat(&info, path.at) == 0 && info.is_folder) {
        const char *copy = arena_string(&r->arena, path.at, path.len);
        ok = copy && vec_push(out, copy);
    } else if (is_new) {
        ok = note_absent(r, &path);
    }
    str_fini(&path);
    return ok;
}

static bool add_folders(struct request *r, struct text_list *out, const char *folder,
                        const char *const *tails)
{
    bool ok = true;
    for (; *tails && ok; tails++)
        ok = add_folder(r, out, folder, *tails);
    return ok;
}

static bool add_beside_nvrtc(struct request *r, struct text_list *out)
{
    static const char *const tails[] = {"../include", "../include/cccl", NULL};
    const char *slash = strrchr(r->nvrtc->path, '/');
    const char *folder =
        slash ? arena_string(&r->arena, r->nvrtc->path, (size_t) (slash - r->nvrtc->path)) : "";
    return folder && (!*folder || add_folders(r, out, folder, tails));
}

/* CUDA 12's wheels have a folder each, later ones have one together. */
static bool add_wheels(struct request *r, struct text_list *out, const char *packages)
{
    static const char *const tails[] = {"include", "include/cccl", NULL};
    static const char *const twelve[] = {"nvidia/cuda_runtime/include", "nvidia/cuda_cccl/include",
                                         "nvidia/cuda_nvcc/include", "nvidia/curand/include", NULL};
    struct str folder = {0};
    str_addf(&folder, "%s/nvidia/cu%d", packages, r->nvrtc->major);
    bool ok = !folder.failed && add_folders(r, out, folder.at, tails);
    str_fini(&folder);
    return ok && (r->nvrtc->major > 12 || add_folders(r, out, packages, twelve));
}

/* "#define CUDA_VERSION 12090" stands near the beginning of cuda.h: 12, or 0 if it does not say. */
static int cuda_of(const char *toolkit, const char *tail)
{
    struct str path = {0};
    char text[32768];
    str_addf(&path, "%s/%s/cuda.h", toolkit, tail);
    FILE *file = path.failed ? NULL : fopen(path.at, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    str_fini(&path);
    text[len] = 0;
    const char *define = strstr(text, "#define CUDA_VERSION ");
    return define ? atoi(define + strlen("#define CUDA_VERSION ")) / 1000 : 0;
}

/* Headers of another CUDA than NVRTC's make errors by the hundred. */
static bool add_toolkit(struct request *r, struct text_list *out, const char *toolkit)
{
    static const char *const tails[] = {"include", "include/cccl", TARGET "include",
                                        TARGET "include/cccl", NULL};
    if (!toolkit || !*toolkit)
        return true;
    int cuda = cuda_of(toolkit, "include");
    if (!cuda)
        cuda = cuda_of(toolkit, TARGET "include");
    if (!cuda || cuda == r->nvrtc->major)
        return add_folders(r, out, toolkit, tails);
    if (!strstr(str_text(&r->foreign), toolkit))
        str_addf(&r->foreign, "%s%s", r->foreign.len ? ", " : "", toolkit);
    return !r->foreign.failed;
}

bool headers_folders(struct request *r, struct text_list *out)
{
    const char *const toolkits[] = {getenv("CONDA_PREFIX"), getenv("CUDA_HOME"),
                                    getenv("CUDA_PATH"),    getenv("CUDA_ROOT"),
                                    "/usr/local/cuda",      "/opt/cuda"};
    struct text_list packages = {0};
    bool ok = nvrtc_search_folders(&packages, &r->arena) && add_beside_nvrtc(r, out);
    for (size_t i = 0; ok && i < packages.len; i++)
        ok = add_wheels(r, out, packages.at[i]);
    vec_fini(&packages);
    for (size_t i = 0; ok && i < ARRAY_LEN(toolkits); i++)
        ok = add_toolkit(r, out, toolkits[i]);
    return ok;
}

static bool note_missing(struct request *r, const char *folder, const char *name)
{
    struct str path = {0};
    str_addf(&path, "%s/%s", folder, name);
    bool ok = !path.failed && note_absent(r, &path);
    str_fini(&path);
    return ok;
}

/* Has the folder any of what is missing? What it has not is noted up to there. */
static bool has_any(struct request *r, const char *folder, bool *failed)
{
    for (size_t i = 0; i < r->scan.missing.len; i++) {
        if (exists_below(folder, "", r->scan.missing.at[i]))
            return true;
        *failed |= !note_missing(r, folder, r->scan.missing.at[i]);
    }
    return false;
}

/* Of the folders those in which something missing lies; each of them may need its neighbours under
 * cccl. */
static bool take_folders(struct request *r, const struct text_list *folders)
{
    struct text_list *dirs = &r->scan.dirs;
    size_t before = dirs->len;
    bool failed = false;
    for (size_t i = 0; i < folders->len && !failed; i++)
        if (!has_folder(dirs, folders->at[i]) && has_any(r, folders->at[i], &failed))
            failed |= !vec_push(dirs, folders->at[i]);
    r->scan.in_toolkit = true;
    return !failed && (dirs->len == before || scan_missing_again(&r->scan));
}

static bool find_all(struct request *r)
{
    struct text_list folders = {0};
    try_bundle(r);
    r->uses_places = r->scan.missing.len > 0;
    bool ok = !r->scan.missing.len || (headers_folders(r, &folders) && take_folders(r, &folders));
    /* What those headers include in turn may lie in the bundle, or in another of the folders. */
    if (ok && r->scan.missing.len && folders.len) {
        if (!r->bundle.len)
            try_bundle(r);
        ok = take_folders(r, &folders);
    }
    vec_fini(&folders);
    return ok;
}

static bool find_shadows(struct request *r)
{
    struct str below = {0};
    if (!r->bundle.len)
        return true;
    str_addf(&below, "%s/cccl", r->bundle.at);
    bool ok =
        !below.failed && scan_shadows(&r->scan, r->bundle.at) && scan_shadows(&r->scan, below.at);
    str_fini(&below);
    return ok;
}

int headers_find(struct request *r)
{
    if (!r->scan.missing.len)
        return 0;
    return find_all(r) && find_shadows(r) ? 0 : runcu_fail_memory();
}

const char *headers_advice(const char *name, const struct nvrtc *nvrtc)
{
    static const struct {
        const char *start, *advice, *advice12;
    } rows[] = {
#define HEADER(start, advice, advice12) {start, advice, advice12},
#define MESSAGE(part, advice)
#include "core/advice.def"
#undef HEADER
#undef MESSAGE
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strncmp(name, rows[i].start, strlen(rows[i].start)) == 0)
            return nvrtc->major > 12 || !*rows[i].advice12 ? rows[i].advice : rows[i].advice12;
    return NULL;
}

/* Which places are looked at for NVIDIA's files, and in which order: that is this file's only
 * knowledge. The list is walked by whoever seeks. */
#include "core/places.h"

#include <glob.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

static void add_place(struct places *p, const char *origin, const char *path)
{
    struct place place = {origin, path ? arena_string(&p->arena, path, strlen(path)) : NULL};
    p->failed |= (path && !place.path) || !vec_push(&p->list, place);
}

static void add_below(struct places *p, const char *origin, const char *folder, const char *tail)
{
    struct str path = {0};
    str_addf(&path, "%s/%s", folder, tail);
    p->failed |= path.failed;
    add_place(p, origin, str_text(&path));
    str_fini(&path);
}

static int newest_first(const void *a, const void *b)
{
    return strverscmp(*(char *const *) b, *(char *const *) a);
}

static void add_matches(struct places *p, const char *origin, const char *pattern)
{
    glob_t found = {0};
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, newest_first);
        for (size_t i = 0; i < found.gl_pathc; i++)
            add_place(p, origin, found.gl_pathv[i]);
    }
    globfree(&found);
}

#if defined(__aarch64__)
#define TARGETS "targets/sbsa-linux/lib"
#define MULTIARCH "aarch64-linux-gnu"
#else
#define TARGETS "targets/x86_64-linux/lib"
#define MULTIARCH "x86_64-linux-gnu"
#endif

static void add_toolkit(struct places *p, const char *variable)
{
    static const char *const tails[] = {"lib64", "lib", TARGETS};
    const char *folder = getenv(variable);
    if (!folder || !*folder)
        add_place(p, variable, NULL);
    else
        for (size_t i = 0; i < ARRAY_LEN(tails); i++)
            add_below(p, variable, folder, tails[i]);
}

static int find_loaded(struct dl_phdr_info *info, size_t size, void *out)
{
    (void) size;
    const char *stem = ((struct places *) out)->what->stem;
    const char *name = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    if (!name || strncmp(name + 1, stem, strlen(stem)) != 0)
        return 0;
    add_place(out, "already loaded", info->dlpi_name);
    return 1;
}

static void add_loaded(struct places *p)
{
    if (!dl_iterate_phdr(find_loaded, p))
        add_place(p, "already loaded", NULL);
}

static void add_wheel(struct places *p, const char *folder, const char *name)
{
    size_t before = p->list.len;
    struct str pattern = {0};
    str_addf(&pattern, "%s/nvidia/%s/lib", folder, name);
    p->failed |= pattern.failed;
    add_matches(p, "Python packages", str_text(&pattern));
    if (p->list.len == before)
        add_place(p, "Python packages", str_text(&pattern));
    str_fini(&pattern);
}

static void add_wheels(struct places *p, char *const *folders)
{
    for (; folders && *folders; folders++) {
        add_wheel(p, *folders, "cu[0-9]*");
        add_wheel(p, *folders, p->what->wheel);
    }
}

/* The paths of ld.so.cache stand in it as texts, each ended by a NUL. */
static void add_loader_cache(struct places *p)
{
    struct str cache = {0}, name = {0};
    str_addf(&name, "/%s.", p->what->stem);
    if (!name.failed && fs_read(&cache, "/etc/ld.so.cache", 64u << 20) == 0) {
        const char *end = cache.at + cache.len, *at = cache.at;
        while (at && (at = memmem(at, (size_t) (end - at), name.at, name.len))) {
            const char *start = at;
            while (start > cache.at && start[-1])
                start--;
            if (*start == '/')
                add_place(p, "loader's cache", start);
            at++;
        }
    }
    str_fini(&cache);
    str_fini(&name);
}

static void add_loader(struct places *p)
{
    const char *path = getenv("LD_LIBRARY_PATH");
    while (path && *path) {
        size_t len = strcspn(path, ":;");
        struct str folder = {0};
        str_addn(&folder, path, len);
        if (len)
            add_place(p, "LD_LIBRARY_PATH", str_text(&folder));
        str_fini(&folder);
        path += len + (path[len] != 0);
    }
    add_loader_cache(p);
    add_place(p, "system folders", "/usr/lib/" MULTIARCH);
    add_place(p, "system folders", "/usr/lib64");
    add_place(p, "system folders", "/usr/lib");
}

static void add_usual(struct places *p)
{
    add_place(p, "usual places", "/usr/local/cuda/lib64");
    add_matches(p, "usual places", "/usr/local/cuda-*/lib64");
    add_place(p, "usual places", "/opt/cuda/lib64");
}

static void add_beside(struct places *p, const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    struct str folder = {0};
    if (!slash)
        return;
    str_addn(&folder, file, (size_t) (slash - file));
    p->failed |= folder.failed;
    add_place(p, "beside NVRTC", str_text(&folder));
    str_fini(&folder);
}

/* The user's word comes first: why else should it be said? */
void places_list(struct places *p, const struct sought *what, char *const *folders,
                 const char *beside)
{
    const char *wish = getenv(what->variable);
    const char *conda = getenv("CONDA_PREFIX");
    p->what = what;
    p->is_wish = wish && *wish;
    add_place(p, what->variable, p->is_wish ? wish : NULL);
    if (p->is_wish)
        return;
    add_beside(p, beside);
    add_loaded(p);
    add_wheels(p, folders);
    if (conda && *conda) {
        add_below(p, "CONDA_PREFIX", conda, "lib");
        add_below(p, "CONDA_PREFIX", conda, TARGETS);
    } else {
        add_place(p, "CONDA_PREFIX", NULL);
    }
    add_toolkit(p, "CUDA_HOME");
    add_toolkit(p, "CUDA_PATH");
    add_toolkit(p, "CUDA_ROOT");
    add_loader(p);
    add_usual(p);
}

void places_fini(struct places *p)
{
    vec_fini(&p->list);
    arena_fini(&p->arena);
}

/* Picks libnvrtc.so.13 over libnvrtc.so.12 over libnvrtc.so. */
struct pick {
    const char *stem;
    struct str name;
    long version;
};

static bool pick_library(void *user, const char *name)
{
    struct pick *best = user;
    size_t len = strlen(best->stem);
    if (strncmp(name, best->stem, len) != 0 || (name[len] && name[len] != '.'))
        return false;
    const char *digits = name[len] ? name + len + 1 : "0";
    long version = strtol(digits, NULL, 10) * 2 + !strchr(digits, '.');
    if (!best->name.len || version > best->version) {
        str_clear(&best->name);
        str_add(&best->name, name);
        best->version = version;
    }
    return false;
}

bool places_find(struct str *out, const struct places *p, size_t i)
{
    const char *path = p->list.at[i].path;
    struct fs_info info;
    struct pick best = {.stem = p->what->stem};
    if (!path || fs_stat(&info, path) != 0)
        return false;
    if (!info.is_folder) {
        str_add(out, path);
        return !out->failed;
    }
    fs_list(path, pick_library, &best);
    if (best.name.len)
        str_addf(out, "%s/%s", path, str_text(&best.name));
    bool found = best.name.len && !out->failed;
    str_fini(&best.name);
    return found;
}

bool places_pick(struct str *out, struct str *report, const struct places *p)
{
    for (size_t i = 0; i < p->list.len; i++) {
        if (places_find(out, p, i))
            return true;
        places_tell(report, p, i, "not there");
    }
    return false;
}

void places_tell(struct str *report, const struct places *p, size_t i, const char *found)
{
    const struct place *place = &p->list.at[i];
    if (place->path)
        str_addf(report, "  %s: %s: %s\n", place->origin, place->path, found);
    else if (strncmp(place->origin, "already", 7) == 0)
        str_addf(report, "  %s: no\n", place->origin);
    else
        str_addf(report, "  %s: not set\n", place->origin);
}

void places_environment(struct str *out, const struct sought *what)
{
    const char *const variables[] = {what->variable, "CONDA_PREFIX", "CUDA_HOME",
                                     "CUDA_PATH",    "CUDA_ROOT",    "LD_LIBRARY_PATH"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = getenv(variables[i]);
        str_addf(out, "%s=%s\n", variables[i], value ? value : "");
    }
}

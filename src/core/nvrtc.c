/* Where NVRTC lies and how it is loaded. Which places are looked at, and in which order, is this
 * file's only knowledge; the list is walked once to tell which one would be taken (for the cache,
 * without loading it) and once to load it. */
#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/program.h"

#define LIBRARY "libnvrtc.so"

/* One place to look at: a library, or a folder that may hold one. */
struct place {
    const char *origin; /* in words */
    const char *path;   /* NULL: nothing is there to look at */
};

enum { FORK_PATIENCE = 5 /* seconds */ };

struct places {
    struct arena arena;
    VEC(struct place) list;
    bool failed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Who is inside NVRTC. A fork waits for them, and they for a fork: NVRTC's own locks would stay
 * locked in the child. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside;
    bool is_forking;
    bool is_stuck; /* this child was forked when somebody else was inside all the same */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static _Thread_local unsigned depth; /* of this thread in NVRTC */
static char **folders;               /* of runcu_nvrtc_search, ended by NULL */
static struct nvrtc loaded;
static bool is_loaded;
static struct str
    known; /* path that nvrtc_identify found: looking again would cost more than the cache */
static struct str known_env; /* what it depended on */

static void wait_until(struct timespec *out)
{
    clock_gettime(CLOCK_REALTIME, out);
    out->tv_sec += FORK_PATIENCE;
}

void nvrtc_enter(void)
{
    struct timespec until;
    if (depth++)
        return;
    pthread_mutex_lock(&gate.lock);
    wait_until(&until);
    while (gate.is_forking)
        if (pthread_cond_timedwait(&gate.changed, &gate.lock, &until))
            gate.is_forking = false; /* it was announced, and does not come */
    gate.inside++;
    pthread_mutex_unlock(&gate.lock);
}

bool nvrtc_is_stuck(void)
{
    return gate.is_stuck;
}

void nvrtc_leave(void)
{
    if (--depth)
        return;
    pthread_mutex_lock(&gate.lock);
    gate.inside--;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

/* Leaves the gate locked. */
static void close_gate(void)
{
    struct timespec until;
    unsigned own = depth > 0;
    wait_until(&until);
    pthread_mutex_lock(&gate.lock);
    gate.is_forking = true;
    while (gate.inside > own && pthread_cond_timedwait(&gate.changed, &gate.lock, &until) == 0)
        continue;
}

static void before_fork(void)
{
    close_gate();
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
    gate.is_forking = false;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

/* Whoever else was inside or waited is not here. */
static void in_child(void)
{
    gate.changed = (pthread_cond_t) PTHREAD_COND_INITIALIZER;
    gate.is_stuck |= gate.inside > (depth > 0);
    gate.inside = depth > 0;
    after_fork();
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, in_child);
}

static pthread_once_t watching = PTHREAD_ONCE_INIT;

void runcu_nvrtc_expect_fork(void)
{
    pthread_once(&watching, watch_forks);
    close_gate();
    pthread_mutex_unlock(&gate.lock);
}

static void lock_all(void)
{
    pthread_once(&watching, watch_forks);
    pthread_mutex_lock(&lock);
}

static void unlock_all(void)
{
    pthread_mutex_unlock(&lock);
}

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
    const char *name = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    if (!name || strncmp(name + 1, LIBRARY, strlen(LIBRARY)) != 0)
        return 0;
    add_place(out, "already loaded", info->dlpi_name);
    return 1;
}

static void add_loaded(struct places *p)
{
    if (!dl_iterate_phdr(find_loaded, p))
        add_place(p, "already loaded", NULL);
}

static void add_wheels(struct places *p)
{
    static const char *const tails[] = {"nvidia/cu[0-9]*/lib", "nvidia/cuda_nvrtc/lib"};
    for (char **folder = folders; folder && *folder; folder++)
        for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
            size_t before = p->list.len;
            struct str pattern = {0};
            str_addf(&pattern, "%s/%s", *folder, tails[i]);
            add_matches(p, "Python packages", str_text(&pattern));
            if (p->list.len == before)
                add_place(p, "Python packages", str_text(&pattern));
            str_fini(&pattern);
        }
}

/* The paths of ld.so.cache stand in it as texts, each ended by a NUL. */
static void add_loader_cache(struct places *p)
{
    struct str cache = {0};
    if (fs_read(&cache, "/etc/ld.so.cache", 64u << 20) == 0) {
        const char *end = cache.at + cache.len, *at = cache.at;
        while (at && (at = memmem(at, (size_t) (end - at), "/" LIBRARY ".", strlen(LIBRARY) + 2))) {
            const char *start = at;
            while (start > cache.at && start[-1])
                start--;
            if (*start == '/')
                add_place(p, "loader's cache", start);
            at++;
        }
    }
    str_fini(&cache);
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

/* With the lock held, for `folders`. The user's word comes first: why else should it be said? */
static void list_places(struct places *p)
{
    const char *wish = getenv("RUNCU_NVRTC");
    const char *conda = getenv("CONDA_PREFIX");
    add_place(p, "RUNCU_NVRTC", wish && *wish ? wish : NULL);
    if (wish && *wish)
        return;
    add_loaded(p);
    add_wheels(p);
    add_place(p, "CONDA_PREFIX", NULL);
    if (conda && *conda) {
        p->list.len--;
        add_below(p, "CONDA_PREFIX", conda, "lib");
        add_below(p, "CONDA_PREFIX", conda, TARGETS);
    }
    add_toolkit(p, "CUDA_HOME");
    add_toolkit(p, "CUDA_PATH");
    add_loader(p);
    add_usual(p);
}

static void places_fini(struct places *p)
{
    vec_fini(&p->list);
    arena_fini(&p->arena);
}

/* Picks libnvrtc.so.13 over libnvrtc.so.12 over libnvrtc.so. */
struct pick {
    struct str name;
    long version;
};

static bool pick_library(void *user, const char *name)
{
    struct pick *best = user;
    size_t len = strlen(LIBRARY);
    if (strncmp(name, LIBRARY, len) != 0 || (name[len] && name[len] != '.'))
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

/* The library of a place, appended to `out`; false if there is none. */
static bool find_library(struct str *out, const struct place *place)
{
    struct fs_info info;
    struct pick best = {0};
    if (!place->path || fs_stat(&info, place->path) != 0)
        return false;
    if (!info.is_folder) {
        str_add(out, place->path);
        return !out->failed;
    }
    fs_list(place->path, pick_library, &best);
    if (best.name.len)
        str_addf(out, "%s/%s", place->path, str_text(&best.name));
    bool found = best.name.len && !out->failed;
    str_fini(&best.name);
    return found;
}

static void list_environment(struct str *out)
{
    static const char *const variables[] = {"RUNCU_NVRTC", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH",
                                            "LD_LIBRARY_PATH"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = getenv(variables[i]);
        str_addf(out, "%s=%s\n", variables[i], value ? value : "");
    }
}

/* With the lock held: the library that would be loaded, into `known`. */
static void identify(void)
{
    struct str environment = {0};
    list_environment(&environment);
    if (!known.len || strcmp(str_text(&environment), str_text(&known_env)) != 0) {
        struct places p = {0};
        str_clear(&known);
        list_places(&p);
        for (size_t i = 0; i < p.list.len && !known.len; i++)
            find_library(&known, &p.list.at[i]);
        places_fini(&p);
        str_clear(&known_env);
        str_add(&known_env, str_text(&environment));
    }
    str_fini(&environment);
}

bool nvrtc_identify(struct sha256 *hash)
{
    struct fs_info info;
    lock_all();
    if (!is_loaded)
        identify();
    const char *path = is_loaded ? loaded.path : str_text(&known);
    bool found = *path && fs_stat(&info, path) == 0;
    if (found) {
        sha256_add_text(hash, path);
        sha256_add_number(hash, info.size);
        sha256_add_number(hash, (uint64_t) info.mtime);
    }
    unlock_all();
    return found;
}

static int compare(const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}

/* Asks a loaded NVRTC what it is. What it keeps lives as long as the process. */
static bool describe(struct nvrtc *n, const char *path, struct str *why)
{
    int count = 0;
    if (n->fn.nvrtcVersion(&n->major, &n->minor) || n->fn.nvrtcGetNumSupportedArchs(&count) ||
        count <= 0) {
        str_addf(why, "%s does not say what it is", path);
        return false;
    }
    int *archs = alloc_zero((size_t) count, sizeof *archs);
    n->path = alloc_string(path);
    if (!archs || !n->path || n->fn.nvrtcGetSupportedArchs(archs)) {
        alloc_free(archs);
        alloc_free((char *) n->path);
        str_add(why, "memory is short");
        return false;
    }
    qsort(archs, (size_t) count, sizeof *archs, compare);
    n->archs = archs;
    n->arch_count = count;
    return true;
}

static void tell_place(struct str *report, const struct place *place, const char *what)
{
    if (place->path)
        str_addf(report, "  %s: %s: %s\n", place->origin, place->path, what);
    else if (strncmp(place->origin, "already", 7) == 0)
        str_addf(report, "  %s: no\n", place->origin);
    else
        str_addf(report, "  %s: not set\n", place->origin);
}

static bool load_from(struct nvrtc *out, const char *path, struct str *why)
{
    return nvrtc_load(&out->fn, path, why) == 0 && describe(out, path, why);
}

/* The dynamic loader's own search, which knows of run paths as well. */
static bool load_by_name(struct nvrtc *out, struct str *report)
{
    static const char *const names[] = {LIBRARY ".13", LIBRARY ".12"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str why = {0};
        bool ok = load_from(out, names[i], &why);
        if (!ok)
            str_addf(report, "  loader: %s: %s\n", names[i], str_text(&why));
        str_fini(&why);
        Dl_info info;
        if (ok && dladdr(*(void **) &out->fn.nvrtcVersion, &info) && info.dli_fname) {
            char *path = alloc_string(info.dli_fname);
            if (path) {
                alloc_free((char *) out->path);
                out->path = path;
            }
        }
        if (ok)
            return true;
    }
    return false;
}

static bool load_anywhere(struct nvrtc *out, struct str *report)
{
    struct places p = {0};
    bool found = false;
    list_places(&p);
    for (size_t i = 0; i < p.list.len && !found; i++) {
        struct str path = {0}, why = {0};
        bool is_there = find_library(&path, &p.list.at[i]);
        found = is_there && load_from(out, path.at, &why);
        if (!found)
            tell_place(report, &p.list.at[i], is_there ? str_text(&why) : "no " LIBRARY " there");
        str_fini(&path);
        str_fini(&why);
    }
    bool is_wish = p.list.len == 1;
    places_fini(&p);
    return found || (!is_wish && load_by_name(out, report));
}

static int fail_load(const struct str *report)
{
    const char *wish = getenv("RUNCU_NVRTC");
    int status;
    if (wish && *wish)
        status = runcu_fail(RUNCU_ERROR_NO_NVRTC, "RUNCU_NVRTC=%s cannot be loaded as NVRTC", wish);
    else
        status = runcu_fail(RUNCU_ERROR_NO_NVRTC,
                            "NVRTC, the library that compiles CUDA C++, was not found");
    runcu_fail_detail(
        "Looked at, in this order:\n%s"
        "To install it: pip install nvidia-cuda-nvrtc (for GPUs before sm_75: pip install "
        "nvidia-cuda-nvrtc-cu12), or set RUNCU_NVRTC to its path.",
        str_text(report));
    return status;
}

int nvrtc_get(const struct nvrtc **out)
{
    struct str report = {0};
    struct nvrtc found = {0};
    lock_all();
    if (!is_loaded && load_anywhere(&found, &report)) {
        nvrtc_keep_signals(found.path);
        loaded = found;
        is_loaded = true;
    }
    bool ok = is_loaded;
    unlock_all();
    *out = ok ? &loaded : NULL;
    int status = ok ? 0 : fail_load(&report);
    str_fini(&report);
    return status;
}

bool nvrtc_is_at_least(const struct nvrtc *nvrtc, int major, int minor)
{
    return nvrtc->major > major || (nvrtc->major == major && nvrtc->minor >= minor);
}

bool nvrtc_search_folders(struct text_list *out, struct arena *arena)
{
    bool ok = true;
    lock_all();
    for (char **folder = folders; ok && folder && *folder; folder++) {
        const char *copy = arena_string(arena, *folder, strlen(*folder));
        ok = copy && vec_push(out, copy);
    }
    unlock_all();
    return ok;
}

static void free_folders(char **list)
{
    for (char **folder = list; folder && *folder; folder++)
        alloc_free(*folder);
    alloc_free(list);
}

int runcu_nvrtc_search(const char *const *list, size_t count)
{
    char **copy = alloc_zero(count + 1, sizeof *copy);
    bool ok = copy != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = list[i] && (copy[i] = alloc_string(list[i]));
    if (!ok) {
        free_folders(copy);
        return runcu_fail_memory();
    }
    lock_all();
    char **old = folders;
    folders = copy;
    str_clear(&known);
    unlock_all();
    free_folders(old);
    return 0;
}

int runcu_nvrtc_version(int *major, int *minor, const char **path)
{
    const struct nvrtc *nvrtc;
    int status = nvrtc_get(&nvrtc);
    if (major)
        *major = status ? 0 : nvrtc->major;
    if (minor)
        *minor = status ? 0 : nvrtc->minor;
    if (path)
        *path = status ? NULL : nvrtc->path;
    return status;
}

int runcu_nvrtc_is_loaded(void)
{
    lock_all();
    bool answer = is_loaded;
    unlock_all();
    return answer;
}

/* Leak checkers look at what is left when the library goes. */
AT_UNLOAD static void forget(void)
{
    free_folders(folders);
    folders = NULL;
    str_fini(&known);
    str_fini(&known_env);
}

/* Which NVRTC is taken of those in places.c's list, and how it is loaded. The list is walked once
 * to tell which one would be taken (for the cache, without loading it) and once to load it. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/build_id.h"
#include "base/fs.h"
#include "core/places.h"
#include "core/program.h"

#define LIBRARY "libnvrtc.so"

static const struct sought nvrtc_sought = {LIBRARY, "RUNCU_NVRTC", "cuda_nvrtc"};

enum { FORK_PATIENCE = 5 /* seconds */ };

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

/* With the lock held: the library that would be loaded, into `known`. */
static void identify(void)
{
    struct str environment = {0};
    places_environment(&environment, &nvrtc_sought);
    if (!known.len || strcmp(str_text(&environment), str_text(&known_env)) != 0) {
        struct places p = {0};
        str_clear(&known);
        places_list(&p, &nvrtc_sought, folders, NULL);
        for (size_t i = 0; i < p.list.len && !known.len; i++)
            places_find(&known, &p, i);
        places_fini(&p);
        str_clear(&known_env);
        str_add(&known_env, str_text(&environment));
    }
    str_fini(&environment);
}

/* What was last found at a path: reading it again would cost more than the cache. */
static struct {
    char *path;
    struct fs_info info;
    struct build_id id;
} identified;

/* With the lock held. */
static bool identify_file(const char *path)
{
    struct fs_info info;
    if (!*path || fs_stat(&info, path) != 0)
        return false;
    if (identified.path && strcmp(identified.path, path) == 0 &&
        identified.info.size == info.size && identified.info.mtime == info.mtime)
        return true;
    alloc_free(identified.path);
    identified.path = alloc_string(path);
    identified.info = info;
    build_id_read(&identified.id, path);
    return identified.path != NULL;
}

bool nvrtc_identify(struct sha256 *hash)
{
    lock_all();
    if (!is_loaded)
        identify();
    bool found = identify_file(is_loaded ? loaded.path : str_text(&known));
    if (found) {
        sha256_add_number(hash, identified.info.size);
        sha256_add_item(hash, identified.id.bytes, identified.id.len);
    }
    if (found && !identified.id.len) { /* nothing better to know it by */
        sha256_add_text(hash, identified.path);
        sha256_add_number(hash, (uint64_t) identified.info.mtime);
    }
    unlock_all();
    return found;
}

bool nvrtc_where(struct str *out)
{
    lock_all();
    if (!is_loaded)
        identify();
    const char *path = is_loaded ? loaded.path : str_text(&known);
    bool found = *path != 0;
    str_add(out, path);
    unlock_all();
    return found && !out->failed;
}

void nvrtc_add_places(struct str *out)
{
    static const char *const variables[] = {"CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH"};
    nvrtc_where(out);
    lock_all();
    for (char **folder = folders; folder && *folder; folder++)
        str_addf(out, "\n%s", *folder);
    unlock_all();
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = getenv(variables[i]);
        str_addf(out, "\n%s=%s", variables[i], value ? value : "");
    }
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
    places_list(&p, &nvrtc_sought, folders, NULL);
    for (size_t i = 0; i < p.list.len && !found; i++) {
        struct str path = {0}, why = {0};
        bool is_there = places_find(&path, &p, i);
        found = is_there && load_from(out, path.at, &why);
        if (!found)
            places_tell(report, &p, i, is_there ? str_text(&why) : "no " LIBRARY " there");
        str_fini(&path);
        str_fini(&why);
    }
    bool is_wish = p.is_wish;
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
    if (!list && count)
        return core_fail_null(__func__, "folders");
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
    alloc_free(identified.path);
    identified.path = NULL;
}

/* The public side of the cache's folder: what it tells, what clearing leaves, one folder's entries
 * in another, several architectures in one entry, the second folder. */
#include <sys/resource.h>

#include "program_rig.h"

#include "base/fs.h"
#include "core/entry.h"

#define KERNEL(number) "__global__ void k(float *x) { x[0] = " #number "; }\n"

static const char *const sources[] = {KERNEL(1), KERNEL(2), KERNEL(3)};

static int compile_in(const char *folder, const char *source, const char *arch)
{
    runcu_program_params p = {.cache_dir = folder, .arch_text = arch};
    return rig_was_cached(source, &p);
}

static runcu_cache_info info_of(const char *folder)
{
    runcu_cache_info info;
    REQUIRE_OK(runcu_cache_get_info(&info, folder));
    return info;
}

static char entry[8192];

static bool note_entry(void *user, const char *name)
{
    size_t len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, ".rcu") == 0)
        snprintf(entry, sizeof entry, "%s/%s", (const char *) user, name);
    return false;
}

static const char *an_entry_of(const char *folder)
{
    entry[0] = 0;
    fs_list(folder, note_entry, (void *) folder);
    REQUIRE(entry[0]);
    return entry;
}

static void architectures_share_an_entry(void)
{
    const char *folder = rig_path("archs");
    static const char *const archs[] = {"sm_80", "sm_90", "compute_80", "compute_75"};
    runcu_program *program;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_LEN(archs); i++)
            REQUIRE_INT(compile_in(folder, sources[0], archs[i]), ==, round);
    REQUIRE_INT(info_of(folder).entries, ==, 1);
    for (size_t i = 0; i < ARRAY_LEN(archs); i++) { /* each finds its own */
        runcu_program_params p = {.cache_dir = folder, .arch_text = archs[i]};
        char target[32];
        snprintf(target, sizeof target, ".target sm_%s", strchr(archs[i], '_') + 1);
        REQUIRE_OK(rig_compile(&program, sources[0], &p));
        REQUIRE_STR(runcu_program_arch(program), archs[i]);
        REQUIRE_IN(target, runcu_program_ptx(program, NULL));
        REQUIRE_INT(runcu_program_cubin(program, NULL) != NULL, ==, archs[i][0] == 's');
        REQUIRE_INT(runcu_program_was_cached(program), ==, 1);
        runcu_program_destroy(&program);
    }
    REQUIRE_INT(compile_in(folder, sources[0], "sm_86"), ==, 0);
    REQUIRE_INT(info_of(folder).entries, ==, 1);
}

/* One part's damage is not its neighbours', and storing it again mends the file. */
static void a_damaged_part_is_alone(void)
{
    const char *folder = rig_path("parts");
    struct str bytes = {0};
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 0);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_90"), ==, 0);
    REQUIRE_INT(fs_read(&bytes, an_entry_of(folder), 1 << 24), ==, 0);
    bytes.at[bytes.len - 20] ^= 1; /* in the second */
    REQUIRE_INT(fs_replace(entry, bytes.at, bytes.len), ==, 0);
    str_fini(&bytes);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 1);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_90"), ==, 0);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 1);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_90"), ==, 1);
}

static void info_tells(void)
{
    const char *folder = rig_path("told");
    struct stat st;
    runcu_cache_info info = info_of(folder);
    REQUIRE_STR(info.dir, folder);
    REQUIRE_INT(info.is_writable, ==, 1);
    REQUIRE_INT(info.entries + info.bytes + info.hits + info.misses, ==, 0);
    REQUIRE_INT(info.limit, ==, 1 << 30);
    REQUIRE(stat(folder, &st) != 0); /* asking makes nothing */
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(compile_in(folder, sources[i], "compute_80"), ==, 0);
    for (int i = 0; i < 5; i++)
        REQUIRE_INT(compile_in(folder, sources[0], "compute_80"), ==, 1);
    info = info_of(folder);
    REQUIRE_INT(info.entries, ==, 3);
    REQUIRE_INT(info.misses, ==, 3);
    REQUIRE_INT(info.hits, ==, 5);
    REQUIRE_INT(info.shared_hits, ==, 0);
    REQUIRE_INT(stat(an_entry_of(folder), &st), ==, 0);
    REQUIRE_INT(info.bytes, >, 2 * st.st_size);
    setenv("RUNCU_CACHE_SIZE", "5K", 1);
    REQUIRE_INT(info_of(NULL).limit, ==, 5 << 10);
    unsetenv("RUNCU_CACHE_SIZE");
    REQUIRE_STR(info_of(NULL).dir, getenv("RUNCU_CACHE_DIR"));
    setenv("RUNCU_CACHE_SHARED", "/some/where/", 1);
    REQUIRE_STR(info_of(NULL).shared_dir, "/some/where");
    unsetenv("RUNCU_CACHE_SHARED");
    rig_write("no-folder", "");
    REQUIRE_INT(info_of(rig_path("no-folder/deeper")).is_writable, ==, 0);
    REQUIRE_FAILS(runcu_cache_get_info(NULL, NULL), RUNCU_ERROR_ARGUMENT, "out is NULL");
}

/* Sums go on when the log of single counts was added up, or is nonsense. */
static void counts_go_on(void)
{
    const char *folder = rig_path("counts");
    char log[70001];
    memset(log, 'h', 70000);
    log[70000] = 0;
    rig_write("counts/counts.log", log);
    rig_write("counts/counts", "hits 7\nshared 2\nmisses 1\n");
    REQUIRE_INT(info_of(folder).hits, ==, 70007);
    REQUIRE_INT(compile_in(folder, sources[0], "compute_80"), ==, 0);
    REQUIRE_INT(access(rig_path("counts/counts.log"), F_OK), !=, 0); /* added up */
    REQUIRE_INT(compile_in(folder, sources[0], "compute_80"), ==, 1);
    runcu_cache_info info = info_of(folder);
    REQUIRE_INT(info.hits, ==, 70008);
    REQUIRE_INT(info.shared_hits, ==, 2);
    REQUIRE_INT(info.misses, ==, 2);
    rig_write("counts/counts", "hits many");
    rig_write("counts/counts.log", "h\n\xff?s");
    info = info_of(folder);
    REQUIRE_INT(info.hits, ==, 1);
    REQUIRE_INT(info.shared_hits, ==, 1);
    REQUIRE_INT(unlink(rig_path("counts/counts.log")), ==, 0);
    mkdir(rig_path("counts/counts.log"), 0700);
    REQUIRE_INT(compile_in(folder, sources[0], "compute_80"), ==, 1);
    REQUIRE_INT(info_of(folder).hits, ==, 0);
}

static void clearing_leaves_what_is_not_ours(void)
{
    const char *folder = rig_path("cleared");
    uint64_t removed = 99;
    REQUIRE_OK(runcu_cache_clear(&removed, folder)); /* which is not there */
    REQUIRE_INT(removed, ==, 0);
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(compile_in(folder, sources[i], "compute_80"), ==, 0);
    rig_write("cleared/notes.txt", "mine");
    rig_write("cleared/short.rcu", "mine as well");
    rig_write("cleared/headers-13.5/a.h", "of NVRTC");
    char half[128];
    snprintf(half, sizeof half, "cleared/%s.12.0.tmp", strrchr(an_entry_of(folder), '/') + 1);
    rig_write(half, "half");
    char fresh[128];
    snprintf(fresh, sizeof fresh, "cleared/%s.13.0.tmp", strrchr(entry, '/') + 1);
    rig_write(fresh, "being written");
    rig_age(rig_path(half), 120);
    REQUIRE_INT(info_of(folder).header_bytes, ==, 8);
    REQUIRE_OK(runcu_cache_clear(&removed, folder));
    REQUIRE_INT(removed, ==, 3);
    REQUIRE_INT(access(rig_path(half), F_OK), !=, 0);
    REQUIRE_INT(access(rig_path(fresh), F_OK), ==, 0);
    REQUIRE_INT(access(rig_path("cleared/notes.txt"), F_OK), ==, 0);
    REQUIRE_INT(access(rig_path("cleared/short.rcu"), F_OK), ==, 0);
    REQUIRE_INT(access(rig_path("cleared/headers-13.5/a.h"), F_OK), ==, 0);
    runcu_cache_info info = info_of(folder);
    REQUIRE_INT(info.entries + info.hits + info.misses, ==, 0);
    REQUIRE_INT(compile_in(folder, sources[0], "compute_80"), ==, 0);
    REQUIRE_OK(runcu_cache_clear(NULL, folder));
}

static void carried_to_another_folder(void)
{
    const char *from = rig_path("from"), *to = rig_path("to"), *file = rig_path("all.cache");
    uint64_t count;
    runcu_cache_imported done;
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(compile_in(from, sources[i], "sm_80"), ==, 0);
    REQUIRE_INT(compile_in(to, sources[0], "sm_90"), ==, 0);
    REQUIRE_OK(runcu_cache_export(&count, file, from));
    REQUIRE_INT(count, ==, 3);
    REQUIRE_OK(runcu_cache_import(&done, file, to));
    REQUIRE_INT(done.added, ==, 3);
    REQUIRE_INT(done.known + done.damaged, ==, 0);
    REQUIRE_INT(info_of(to).entries, ==, 3);
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(compile_in(to, sources[i], "sm_80"), ==, 1);
    REQUIRE_INT(compile_in(to, sources[0], "sm_90"), ==, 1); /* was there before, and still is */
    REQUIRE_OK(runcu_cache_import(&done, file, to));
    REQUIRE_INT(done.known, ==, 3);
    REQUIRE_INT(done.added + done.damaged, ==, 0);
    REQUIRE_OK(runcu_cache_import(NULL, file, to));
    REQUIRE_OK(runcu_cache_export(NULL, file, rig_path("nothing-there")));
    REQUIRE_OK(runcu_cache_import(&done, file, to));
    REQUIRE_INT(done.added + done.known + done.damaged, ==, 0);
}

/* Cut anywhere, altered anywhere: what is taken over is sound, and nothing fails. */
static void damaged_files_are_taken_in_part(void)
{
    const char *from = rig_path("from2");
    char file[8192], to[8192]; /* rig_path's buffers come round again */
    struct str whole = {0};
    uint64_t count;
    runcu_cache_imported done;
    snprintf(file, sizeof file, "%s", rig_path("part.cache"));
    snprintf(to, sizeof to, "%s", rig_path("to2"));
    for (int i = 0; i < 2; i++)
        REQUIRE_INT(compile_in(from, sources[i], "compute_80"), ==, 0);
    REQUIRE_OK(runcu_cache_export(&count, file, from));
    REQUIRE_INT(fs_read(&whole, file, 1 << 24), ==, 0);
    for (size_t i = 0; i < whole.len; i += 13) {
        bool is_cut = i % 2;
        whole.at[i] ^= (char) (is_cut ? 0 : 4);
        REQUIRE_INT(fs_replace(file, whole.at, is_cut ? i : whole.len), ==, 0);
        whole.at[i] ^= (char) (is_cut ? 0 : 4);
        int status = runcu_cache_import(&done, file, to);
        if (i < 8) {
            REQUIRE_FAILS(status, RUNCU_ERROR_ARGUMENT, "is no exported cache");
            continue;
        }
        REQUIRE_OK(status);
        REQUIRE_INT(done.damaged, >, 0);
        REQUIRE_INT(done.added + done.known + done.damaged, <=, 2 + 1);
        REQUIRE_INT(info_of(to).entries, ==, done.added);
        if (i % 65 == 0)
            for (int k = 0; k < 2; k++) {
                runcu_program *program;
                runcu_program_params p = {.cache_dir = to};
                REQUIRE_OK(rig_compile(&program, sources[k], &p));
                REQUIRE_IN(k ? "1073741824" : "1065353216", runcu_program_ptx(program, NULL));
                runcu_program_destroy(&program);
            }
        REQUIRE_OK(runcu_cache_clear(NULL, to));
    }
    str_fini(&whole);
}

static void files_that_cannot_be(void)
{
    uint64_t count;
    runcu_cache_imported done;
    REQUIRE_FAILS(runcu_cache_export(&count, NULL, NULL), RUNCU_ERROR_ARGUMENT, "path is NULL");
    REQUIRE_FAILS(runcu_cache_export(&count, "", NULL), RUNCU_ERROR_ARGUMENT, "which file");
    REQUIRE_FAILS(runcu_cache_import(&done, NULL, NULL), RUNCU_ERROR_ARGUMENT, "path is NULL");
    REQUIRE_FAILS(runcu_cache_export(&count, rig_path("no/where"), NULL), RUNCU_ERROR_SYSTEM,
                  "No such file");
    REQUIRE_FAILS(runcu_cache_import(&done, rig_path("nowhere"), NULL), RUNCU_ERROR_SYSTEM,
                  "No such file");
    mkdir(rig_path("dir"), 0700);
    REQUIRE_FAILS(runcu_cache_import(&done, rig_path("dir"), NULL), RUNCU_ERROR_ARGUMENT, "cache");
    REQUIRE_FAILS(runcu_cache_export(&count, rig_path("dir"), NULL), RUNCU_ERROR_SYSTEM, "dir");
    rig_write("text", "not a cache at all");
    REQUIRE_FAILS(runcu_cache_import(&done, rig_path("text"), NULL), RUNCU_ERROR_ARGUMENT,
                  "is no exported cache");
    unsetenv("RUNCU_CACHE_DIR");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    REQUIRE_FAILS(runcu_cache_clear(&count, NULL), RUNCU_ERROR_SYSTEM, "no cache folder");
    REQUIRE_STR(info_of(NULL).dir, "");
}

static void the_second_folder(void)
{
    const char *team = rig_path("team"), *own = rig_path("mine");
    REQUIRE_INT(compile_in(team, sources[0], "sm_80"), ==, 0);
    runcu_cache_info before = info_of(team);
    rig_age(an_entry_of(team), 1000);
    runcu_program_params p = {.cache_dir = own, .shared_cache_dir = team, .arch = 80};
    struct stat st;
    for (int i = 0; i < 2; i++) {
        REQUIRE_INT(rig_was_cached(sources[0], &p), ==, 1);
        REQUIRE_INT(rig_was_cached(sources[1], &p), ==, i);
        p.shared_cache_dir = NULL;
        setenv("RUNCU_CACHE_SHARED", team, 1);
    }
    unsetenv("RUNCU_CACHE_SHARED");
    REQUIRE_INT(rig_was_cached(sources[0], &p), ==, 0);
    runcu_cache_info info = info_of(own), after = info_of(team);
    REQUIRE_INT(info.shared_hits, ==, 2);
    REQUIRE_INT(info.hits, ==, 1);
    REQUIRE_INT(info.misses, ==, 2);
    REQUIRE_INT(info.entries, ==, 2);
    REQUIRE_INT(memcmp(&before, &after, sizeof before), ==, 0); /* nothing was written there */
    REQUIRE_INT(stat(an_entry_of(team), &st), ==, 0);
    REQUIRE_INT(st.st_mtime + 900, <, time(NULL));
    /* Without a folder of its own a process still has the team's. */
    unsetenv("RUNCU_CACHE_DIR");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    p = (runcu_program_params){.shared_cache_dir = team, .arch = 80};
    REQUIRE_INT(rig_was_cached(sources[0], &p), ==, 1);
    REQUIRE_INT(rig_was_cached(sources[1], &p), ==, 0);
    p.shared_cache_dir = "/proc/nowhere";
    REQUIRE_INT(rig_was_cached(sources[0], &p), ==, 0);
}

/* A copy of NVRTC elsewhere is the same NVRTC. */
static void the_build_counts_not_the_place(void)
{
    const char *path, *folder = rig_path("build");
    REQUIRE_OK(runcu_nvrtc_version(NULL, NULL, &path));
    char nvrtc[8192];
    snprintf(nvrtc, sizeof nvrtc, "%s", path);
    fflush(NULL);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 0);
    const char *elsewhere = rig_path("libnvrtc.so.13");
    char command[20000];
    snprintf(command, sizeof command, "cp '%s' '%s'", nvrtc, elsewhere);
    REQUIRE_INT(system(command), ==, 0);
}

static void found_by_another_nvrtc(void)
{
    const char *folder = rig_path("build"), *elsewhere = rig_path("libnvrtc.so.13");
    setenv("RUNCU_NVRTC", elsewhere, 1);
    if (access(elsewhere, R_OK) == 0) {
        REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 1);
        REQUIRE_INT(runcu_nvrtc_is_loaded(), ==, 0);
        /* What is no build of NVRTC's is another compiler. */
        REQUIRE_INT(unlink(elsewhere), ==, 0);
        rig_write("libnvrtc.so.13", "no library at all");
        runcu_program *program;
        runcu_program_params p = {.cache_dir = folder, .arch = 80};
        recent_forget();
        REQUIRE_FAILS(runcu_program_compile(&program, sources[0], &p), RUNCU_ERROR_NO_NVRTC,
                      "RUNCU_NVRTC");
    }
}

/* Files may not grow: no signal ends the process, and what is compiled is whole. */
static void a_limit_on_files(void)
{
    const char *folder = rig_path("limited");
    struct rlimit limit = {300, 300};
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 0);
    REQUIRE_INT(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 1);
    for (int i = 0; i < 2; i++)
        REQUIRE_INT(compile_in(folder, sources[1], "sm_80"), ==, 0);
    REQUIRE_INT(info_of(folder).entries, ==, 1);
    REQUIRE_FAILS(runcu_cache_export(NULL, rig_path("big"), folder), RUNCU_ERROR_SYSTEM, "large");
}

static void nobody_may(void)
{
    const char *folder = rig_path("forbidden");
    REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==, 0);
    REQUIRE_INT(chmod(rig_folder, 0755), ==, 0);
    REQUIRE_INT(chmod(an_entry_of(folder), 0), ==, 0);
    REQUIRE_INT(chmod(folder, 0755), ==, 0);
    if (geteuid() == 0)
        REQUIRE_INT(setuid(65534), ==, 0);
    REQUIRE_INT(info_of(folder).is_writable, ==, geteuid() == 65534 ? 0 : 1);
    for (int i = 0; i < 2; i++)
        REQUIRE_INT(compile_in(folder, sources[0], "sm_80"), ==,
                    i && geteuid() != 65534); /* whose own it is replaces the file */
}

int main(void)
{
    rig_start(0);
    RUN_ALONE(the_build_counts_not_the_place);
    RUN_ALONE(found_by_another_nvrtc);
    RUN_ALONE(files_that_cannot_be);
    RUN_ALONE(the_second_folder);
    RUN_ALONE(a_limit_on_files);
    RUN_ALONE(nobody_may);
    RUN(architectures_share_an_entry);
    RUN(a_damaged_part_is_alone);
    RUN(info_tells);
    RUN(counts_go_on);
    RUN(clearing_leaves_what_is_not_ours);
    RUN(carried_to_another_folder);
    RUN(damaged_files_are_taken_in_part);
    rig_end();
    return 0;
}

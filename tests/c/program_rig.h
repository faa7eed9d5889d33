/* For tests that compile: NVRTC found, a cache folder of their own, one call that compiles. */
#ifndef TESTS_PROGRAM_RIG_H
#define TESTS_PROGRAM_RIG_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "core/program.h"
#include "runcu/runcu.h"
#include "test.h"

static char rig_folder[4096]; /* of this test program */

/* RUNCU_TEST_PACKAGES: where Python's packages lie, for NVRTC's wheel. */
static inline void rig_search(void)
{
    const char *packages = getenv("RUNCU_TEST_PACKAGES");
    if (packages && *packages)
        REQUIRE_OK(runcu_nvrtc_search(&packages, 1));
}

static inline int rig_remove(const char *path)
{
    char command[8192];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    return system(command);
}

static inline void rig_end(void)
{
    if (rig_folder[0])
        REQUIRE_INT(rig_remove(rig_folder), ==, 0);
}

static inline void rig_make_folder(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(rig_folder, sizeof rig_folder, "%s/runcu-test-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    REQUIRE(mkdtemp(rig_folder) != NULL);
}

/* Ends with TEST_SKIPPED where there is no NVRTC. Loads it only if `load`. */
static inline void rig_start(int load)
{
    rig_make_folder();
    char cache[4200];
    snprintf(cache, sizeof cache, "%s/cache", rig_folder);
    REQUIRE_INT(setenv("RUNCU_CACHE_DIR", cache, 1), ==, 0);
    unsetenv("RUNCU_NO_CACHE");
    unsetenv("RUNCU_CACHE_SIZE");
    unsetenv("RUNCU_INCLUDE");
    rig_search();
    fflush(NULL);
    pid_t child = fork();
    int end = 0;
    if (child == 0)
        _exit(runcu_nvrtc_version(NULL, NULL, NULL) != 0);
    REQUIRE_INT(waitpid(child, &end, 0), ==, child);
    if (end != 0) {
        fputs("no NVRTC here\n", stderr);
        rig_end();
        exit(TEST_SKIPPED);
    }
    if (load)
        REQUIRE_OK(runcu_nvrtc_version(NULL, NULL, NULL));
}

/* rig_folder/name, in one of a few buffers. */
static inline const char *rig_path(const char *name)
{
    static char buffers[64][8192];
    static int next;
    char *path = buffers[next++ % 64];
    snprintf(path, sizeof buffers[0], "%s/%s", rig_folder, name);
    return path;
}

static inline void rig_write(const char *name, const char *text)
{
    const char *path = rig_path(name);
    char folder[8192];
    for (size_t i = strlen(rig_folder) + 1; path[i]; i++)
        if (path[i] == '/') {
            snprintf(folder, sizeof folder, "%.*s", (int) i, path);
            mkdir(folder, 0700);
        }
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* As if the file had been written `seconds` ago. */
static inline void rig_age(const char *path, long seconds)
{
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    REQUIRE_INT(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

/* Compiles for compute_80 unless `params` says otherwise. */
static inline int rig_compile(runcu_program **out, const char *source,
                              const runcu_program_params *params)
{
    runcu_program_params p = params ? *params : (runcu_program_params){0};
    p.size = sizeof p;
    if (!p.arch && !p.arch_text && !p.device)
        p.arch_text = "compute_80";
    return runcu_program_compile(out, source, &p);
}

/* Did it come from the disk? */
static inline int rig_was_cached(const char *source, const runcu_program_params *params)
{
    runcu_program *program;
    recent_forget();
    REQUIRE_OK(rig_compile(&program, source, params));
    REQUIRE(runcu_program_ptx(program, NULL) != NULL);
    int answer = runcu_program_was_cached(program);
    runcu_program_destroy(&program);
    return answer;
}

#endif

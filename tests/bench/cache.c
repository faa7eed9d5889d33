/* What is found instead of compiled: the same source again in one process, and in a new one, which
 * has it from the disk, without includes, with one of the user's, with CUB from NVRTC's bundle and
 * with CUB's headers among the user's own, where each of them is looked at. One line a case: name,
 * median, unit, ratio to compiling it. The line of a new process is the time until the code is
 * there; loading it comes on top. Needs NVRTC and a place for files, no device. RUNCU_TEST_PACKAGES
 * names a folder of Python packages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runcu/runcu.h"

enum { HITS = 31, AGAIN = 2001 };

static char folder[4096];

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec * 1e-3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t) count, sizeof *values, compare);
    return values[count / 2];
}

static void require(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s: %s\n", what, runcu_error_text());
    exit(1);
}

static void search(void)
{
    const char *packages = getenv("RUNCU_TEST_PACKAGES");
    if (packages && *packages)
        runcu_nvrtc_search(&packages, 1);
}

static double time_compile(const char *source, const char *dir, int *was_cached)
{
    runcu_program *program;
    runcu_program_params params = {.size = sizeof params,
                                   .arch_text = "sm_80",
                                   .include_dirs = &dir,
                                   .include_dir_count = dir != NULL};
    double start = now_us();
    require(runcu_program_compile(&program, source, &params) == 0, "runcu_program_compile");
    double time = now_us() - start;
    *was_cached = runcu_program_was_cached(program);
    runcu_program_destroy(&program);
    return time;
}

/* In a new process. */
static int hit(const char *source, const char *dir)
{
    int was_cached;
    search();
    double time = time_compile(source, *dir ? dir : NULL, &was_cached);
    if (!was_cached || runcu_nvrtc_is_loaded())
        return 1;
    printf("%.6f\n", time);
    return 0;
}

static void report(const char *name, double time, double whole)
{
    printf("%-40s %12.3f %-5s %8.6f\n", name, time, "us", time / whole);
    fflush(stdout);
}

static void measure(const char *self, const char *what, const char *source, const char *dir)
{
    static double times[AGAIN];
    char command[8192], name[64];
    int was_cached;
    double whole = time_compile(source, dir, &was_cached);
    require(!was_cached, "the code was not new");
    sleep(3); /* headers just written are read again each time */
    time_compile(source, dir, &was_cached);
    if (!was_cached) {
        printf("cache%-35s %12s %-5s %8s  # what it includes is named by macros\n", what, "skipped",
               "-", "-");
        return;
    }
    for (int i = 0; i < AGAIN; i++)
        times[i] = time_compile(source, dir, &was_cached);
    snprintf(name, sizeof name, "cache.again%s", what);
    report(name, median(times, AGAIN), whole);
    setenv("RUNCU_BENCH_SOURCE", source, 1);
    setenv("RUNCU_BENCH_DIR", dir ? dir : "", 1);
    snprintf(command, sizeof command, "'%s' --hit", self);
    for (int i = 0; i < HITS; i++) {
        FILE *child = popen(command, "r");
        int ok = child && fscanf(child, "%lf", &times[i]) == 1;
        require(child && pclose(child) == 0 && ok, "a hit in a new process");
    }
    snprintf(name, sizeof name, "cache.new_process%s", what);
    report(name, median(times, HITS), whole);
}

/* Where NVRTC's headers were unpacked, if they were. */
static int find_headers(char *out, size_t size)
{
    int major, minor;
    require(runcu_nvrtc_version(&major, &minor, NULL) == 0, "NVRTC");
    snprintf(out, size, "%s/headers-%d.%d/cccl", folder, major, minor);
    return access(out, R_OK) == 0;
}

#define KERNEL "__global__ void k(float *a, int n)\n{\n    a[threadIdx.x] = n;\n}\n"
#define CUB_KERNEL                                                                    \
    "#include <cub/block/block_histogram.cuh>\n#include <cub/block/block_load.cuh>\n" \
    "#include <cub/block/block_radix_sort.cuh>\n"                                     \
    "#include <cub/block/block_reduce.cuh>\n#include <cub/block/block_scan.cuh>\n"    \
    "#include <cub/block/block_store.cuh>\n#include <cub/warp/warp_reduce.cuh>\n"     \
    "__global__ void k(int *a)\n{\n"                                                  \
    "    typedef cub::BlockReduce<int, 128> reduce;\n"                                \
    "    __shared__ typename reduce::TempStorage memory;\n"                           \
    "    int sum = reduce(memory).Sum(a[threadIdx.x]);\n"                             \
    "    if (threadIdx.x == 0) a[0] = sum;\n}\n"

static void make_folder(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/runcu-bench-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    require(mkdtemp(folder) != NULL, folder);
    setenv("RUNCU_CACHE_DIR", folder, 1);
    setenv("CUDA_CACHE_DISABLE", "1", 1);
}

static void write_header(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/bench.h", folder);
    FILE *f = fopen(path, "w");
    require(f != NULL, path);
    fputs("#pragma once\nstruct pair { float a, b; };\n", f);
    fclose(f);
}

int main(int argc, char **argv)
{
    char command[4200], cccl[4200];
    if (argc > 1 && strcmp(argv[1], "--hit") == 0)
        return hit(getenv("RUNCU_BENCH_SOURCE"), getenv("RUNCU_BENCH_DIR"));
    make_folder();
    write_header();
    search();
    measure(argv[0], "", KERNEL, NULL);
    measure(argv[0], ".header", "#include \"bench.h\"\n" KERNEL, folder);
    runcu_program *program;
    runcu_program_params params = {.size = sizeof params, .arch_text = "sm_80"};
    if (runcu_program_compile(&program, CUB_KERNEL "// here?\n", &params) == 0) {
        measure(argv[0], ".cub", CUB_KERNEL, NULL);
        if (find_headers(cccl, sizeof cccl))
            measure(argv[0], ".cub_own", CUB_KERNEL "\n", cccl);
    } else {
        printf("%-40s %12s %-5s %8s  # CUB is not here\n", "cache.cub", "skipped", "-", "-");
    }
    runcu_program_destroy(&program);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0;
}

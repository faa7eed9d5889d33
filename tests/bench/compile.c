/* Compiling against bare NVRTC on the same bytes, in pairs, the code different each time. One line
 * a case: name, median, unit, ratio to bare NVRTC. Needs NVRTC and a place for files, no
 * device. RUNCU_TEST_PACKAGES names a folder of Python packages. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runcu/runcu.h"

enum { PAIRS = 60 };

static char folder[4096];

typedef struct nvrtc_program_ *program_t;
static struct {
    int (*create)(program_t *, const char *, const char *, int, const char *const *,
                  const char *const *);
    int (*destroy)(program_t *);
    int (*compile)(program_t, int, const char *const *);
    int (*ptx_size)(program_t, size_t *);
    int (*ptx)(program_t, char *);
    int (*cubin_size)(program_t, size_t *);
    int (*cubin)(program_t, char *);
} bare;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
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
    static char line[4096];
    const char *packages = getenv("RUNCU_TEST_PACKAGES");
    if (!packages || !*packages) {
        FILE *python =
            popen("python3 -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'", "r");
        if (python && fgets(line, sizeof line, python)) {
            line[strcspn(line, "\n")] = 0;
            packages = line;
            setenv("RUNCU_TEST_PACKAGES", line, 1);
        }
        if (python)
            pclose(python);
    }
    if (packages)
        runcu_nvrtc_search(&packages, 1);
}

static void load_bare(void)
{
    const char *path;
    require(runcu_nvrtc_version(NULL, NULL, &path) == 0, "NVRTC");
    void *library = dlopen(path, RTLD_NOW);
    require(library != NULL, path);
    *(void **) &bare.create = dlsym(library, "nvrtcCreateProgram");
    *(void **) &bare.destroy = dlsym(library, "nvrtcDestroyProgram");
    *(void **) &bare.compile = dlsym(library, "nvrtcCompileProgram");
    *(void **) &bare.ptx_size = dlsym(library, "nvrtcGetPTXSize");
    *(void **) &bare.ptx = dlsym(library, "nvrtcGetPTX");
    *(void **) &bare.cubin_size = dlsym(library, "nvrtcGetCUBINSize");
    *(void **) &bare.cubin = dlsym(library, "nvrtcGetCUBIN");
}

static double time_bare(const char *source, const char *const *options, int count)
{
    double start = now_ms();
    program_t program;
    size_t ptx = 0, cubin = 0;
    require(bare.create(&program, source, "kernel.cu", 0, NULL, NULL) == 0, "nvrtcCreateProgram");
    require(bare.compile(program, count, options) == 0, "nvrtcCompileProgram");
    bare.ptx_size(program, &ptx);
    bare.cubin_size(program, &cubin);
    char *image = malloc(ptx + cubin + 1);
    bare.ptx(program, image);
    if (cubin)
        bare.cubin(program, image + ptx);
    free(image);
    bare.destroy(&program);
    return now_ms() - start;
}

static double time_ours(const char *source, const runcu_program_params *params, char *options,
                        size_t size)
{
    runcu_program *program;
    double start = now_ms();
    require(runcu_program_compile(&program, source, params) == 0, "runcu_program_compile");
    double time = now_ms() - start;
    require(!runcu_program_was_cached(program), "the code was not new");
    snprintf(options, size, "%s", runcu_program_options(program));
    runcu_program_destroy(&program);
    return time;
}

/* The lines of `text`, as a list of options. */
static int split(const char **out, int limit, char *text)
{
    int count = 0;
    while (*text && count < limit) {
        size_t len = strcspn(text, "\n");
        out[count++] = text;
        text += len;
        if (*text)
            *text++ = 0;
    }
    return count;
}

static void make_source(char *out, size_t size, const char *head, int seed)
{
    snprintf(out, size,
             "%s__global__ void k%d(float *a, const float *b, const float *c, int n)\n{\n"
             "    int i = threadIdx.x + blockIdx.x * blockDim.x;\n"
             "    if (i < n)\n        a[i] = b[i] * %d.0f + c[(i + %d) %% n];\n}\n",
             head, seed, seed % 997, seed % 31);
}

/* `same`: bare NVRTC gets the options that ours gave it; else its default, the architecture alone.
 */
static void measure(const char *name, const char *head, const char *arch, int same)
{
    static double ours[PAIRS], theirs[PAIRS];
    char source[4096], options[8192], text[8192], arch_option[64];
    const char *list[64], *dir = folder;
    runcu_program_params params = {
        .size = sizeof params, .arch_text = arch, .include_dirs = &dir, .include_dir_count = 1};
    static int seed = 1000;
    seed += (int) getpid() % 1000;
    snprintf(arch_option, sizeof arch_option, "--gpu-architecture=%s", arch);
    make_source(source, sizeof source, head, ++seed);
    time_ours(source, &params, options, sizeof options); /* the first is slower */
    snprintf(text, sizeof text, "%s", options);
    int count = same ? split(list, 64, text) : 1;
    if (!same)
        list[0] = arch_option;
    for (int i = 0; i < PAIRS; i++) {
        make_source(source, sizeof source, head, ++seed);
        if (i % 2)
            theirs[i] = time_bare(source, list, count);
        ours[i] = time_ours(source, &params, options, sizeof options);
        if (i % 2 == 0)
            theirs[i] = time_bare(source, list, count);
    }
    double a = median(ours, PAIRS), b = median(theirs, PAIRS);
    printf("%-40s %12.3f %-5s %8.3f\n", name, a, "ms", a / b);
    fflush(stdout);
}

int main(void)
{
    char header[4200], command[4200];
    const char *temporary = getenv("TMPDIR");
    setenv("CUDA_CACHE_DISABLE", "1", 1);
    snprintf(folder, sizeof folder, "%s/runcu-bench-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    require(mkdtemp(folder) != NULL, folder);
    setenv("RUNCU_CACHE_DIR", folder, 1);
    snprintf(header, sizeof header, "%s/bench.h", folder);
    FILE *f = fopen(header, "w");
    require(f != NULL, header);
    fputs("#pragma once\nstruct pair { float a, b; };\n", f);
    fclose(f);
    search();
    load_bare();
    measure("compile.new.sm_80", "", "sm_80", 0);
    measure("compile.new.compute_75", "", "compute_75", 0);
    measure("compile.header.sm_80", "#include \"bench.h\"\n", "sm_80", 1);
    measure("compile.header.compute_75", "#include \"bench.h\"\n", "compute_75", 1);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0;
}

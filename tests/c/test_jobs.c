/* Many sources at once: results, failures, workers that die, cancelling. RUNCU_WORKER names the
 * worker program. */
#include <signal.h>

#include "base/alloc.h"
#include "program_rig.h"

enum { MANY = 24 };

static char texts[MANY][200];

static void make_jobs(runcu_program_job *jobs, size_t count, const runcu_program_params *params,
                      int seed)
{
    memset(jobs, 0, count * sizeof *jobs);
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i],
                 "__global__ void k%zu(int *x) { x[0] = x[1] * %d + %zu; }\n", i, seed, i);
        jobs[i].source = texts[i];
        jobs[i].params = params;
    }
}

static const runcu_program_params for_80 = {.size = sizeof for_80, .arch_text = "compute_80"};

static void check(const runcu_program_job *jobs, size_t count, int was_cached)
{
    for (size_t i = 0; i < count; i++) {
        char name[20];
        snprintf(name, sizeof name, "k%zu", i);
        REQUIRE_OK(jobs[i].status);
        REQUIRE(jobs[i].message == NULL);
        REQUIRE_IN(name, runcu_program_ptx(jobs[i].program, NULL));
        REQUIRE_STR(runcu_program_arch(jobs[i].program), "compute_80");
        REQUIRE_INT(runcu_program_was_cached(jobs[i].program), ==, was_cached);
    }
}

static void compile_and_check(unsigned parallel, int seed)
{
    runcu_program_job jobs[MANY];
    runcu_program_jobs_params p = {.size = sizeof p, .parallel = parallel};
    for (int was_cached = 0; was_cached < 2; was_cached++) {
        make_jobs(jobs, MANY, &for_80, seed);
        REQUIRE_OK(runcu_program_compile_jobs(jobs, MANY, &p));
        check(jobs, MANY, was_cached);
        runcu_program_jobs_fini(jobs, MANY);
    }
}

static void by_threads(void)
{
    compile_and_check(1, 1);
    compile_and_check(3, 2);
}

static void by_workers(void)
{
    compile_and_check(7, 3);
    setenv("RUNCU_NO_CACHE", "1", 1); /* results come back all the same */
    runcu_program_job jobs[MANY];
    runcu_program_jobs_params p = {.size = sizeof p, .parallel = 6};
    make_jobs(jobs, MANY, &for_80, 4);
    REQUIRE_OK(runcu_program_compile_jobs(jobs, MANY, &p));
    check(jobs, MANY, 0);
    runcu_program_jobs_fini(jobs, MANY);
    unsetenv("RUNCU_NO_CACHE");
}

static void without_a_worker_program(void)
{
    char *worker = strdup(getenv("RUNCU_WORKER"));
    setenv("RUNCU_WORKER", "/no/such/program", 1);
    compile_and_check(6, 5);
    setenv("RUNCU_WORKER", "/bin/false", 1);
    compile_and_check(6, 6);
    setenv("RUNCU_WORKER", "/usr/bin/wc", 1); /* says nothing */
    compile_and_check(6, 7);
    setenv("RUNCU_WORKER", worker, 1);
    free(worker);
}

static void params_reach_the_workers(void)
{
    runcu_program_job jobs[8];
    const char *options[] = {"-DVALUE=77", "-lineinfo"}, *names[] = {"t<float>"};
    const runcu_header header = {"own.h", "#define OWN 5\n"};
    rig_write("include/disk.h", "#define DISK 6\n");
    const char *dir = rig_path("include");
    runcu_program_params params = {.size = sizeof params,
                                   .arch_text = "compute_80",
                                   .options = options,
                                   .option_count = 2,
                                   .include_dirs = &dir,
                                   .include_dir_count = 1,
                                   .name_expressions = names,
                                   .name_expression_count = 1,
                                   .headers = &header,
                                   .header_count = 1,
                                   .name = "mine.cu",
                                   .no_cache = 1};
    char sources[8][300];
    memset(jobs, 0, sizeof jobs);
    for (int i = 0; i < 8; i++) {
        snprintf(sources[i], sizeof sources[i],
                 "#include \"own.h\"\n#include <disk.h>\n__device__ int v%d = VALUE + OWN + DISK;\n"
                 "template <class T> __global__ void t(T *x) { x[0] = v%d; }\n",
                 i, i);
        jobs[i].source = sources[i];
        jobs[i].params = &params;
    }
    REQUIRE_OK(runcu_program_compile_jobs(jobs, 8, &(runcu_program_jobs_params){.parallel = 6}));
    for (int i = 0; i < 8; i++) {
        REQUIRE_IN("= 88", runcu_program_ptx(jobs[i].program, NULL));
        REQUIRE_IN("mine.cu", runcu_program_ptx(jobs[i].program, NULL));
        REQUIRE_STR(runcu_program_lowered_name(jobs[i].program, "t<float>"), "_Z1tIfEvPT_");
    }
    runcu_program_jobs_fini(jobs, 8);
}

static void failures(void)
{
    runcu_program_job jobs[MANY];
    const runcu_program_params bad_option = {.size = sizeof bad_option,
                                             .arch_text = "compute_80",
                                             .options = (const char *[]){"--nope"},
                                             .option_count = 1};
    make_jobs(jobs, MANY, &for_80, 8);
    jobs[3].source = "__global__ void k(int *x) { x[0] = nothing; }\n";
    jobs[5].params = &bad_option;
    jobs[20].source = NULL;
    REQUIRE_INT(runcu_program_compile_jobs(jobs, MANY, &(runcu_program_jobs_params){.parallel = 6}),
                ==, RUNCU_ERROR_COMPILE);
    REQUIRE_IN("source 4 of 24", runcu_error_text());
    REQUIRE_IN("nothing", runcu_error_text());
    size_t count;
    const runcu_diagnostic *d = runcu_program_diagnostics(jobs[3].program, &count);
    REQUIRE_INT(count, ==, 1);
    REQUIRE_INT(d->line, ==, 1);
    REQUIRE_IN("nothing", jobs[3].message);
    REQUIRE_INT(jobs[5].status, ==, RUNCU_ERROR_OPTION);
    REQUIRE(jobs[5].program == NULL);
    REQUIRE_IN("--nope", jobs[5].message);
    REQUIRE_INT(jobs[20].status, ==, RUNCU_ERROR_ARGUMENT);
    for (size_t i = 0; i < MANY; i++)
        if (i != 3 && i != 5 && i != 20)
            REQUIRE_OK(jobs[i].status);
    runcu_program_jobs_fini(jobs, MANY);
}

static int calls, stop_at;

static int count_calls(void *user, size_t done, size_t count)
{
    REQUIRE(user == texts);
    REQUIRE_INT(count, ==, MANY);
    REQUIRE_INT(done, <=, count);
    calls++;
    return stop_at && calls >= stop_at;
}

static void progress_and_cancelling(void)
{
    runcu_program_job jobs[MANY];
    runcu_program_jobs_params p = {
        .size = sizeof p, .parallel = 5, .progress = count_calls, .progress_user = texts};
    make_jobs(jobs, MANY, &for_80, 9);
    REQUIRE_OK(runcu_program_compile_jobs(jobs, MANY, &p));
    REQUIRE_INT(calls, >, 0);
    runcu_program_jobs_fini(jobs, MANY);
    make_jobs(jobs, MANY, &for_80, 10);
    calls = 0;
    stop_at = 2;
    REQUIRE_INT(runcu_program_compile_jobs(jobs, MANY, &p), ==, RUNCU_ERROR_INTERRUPTED);
    int ended = 0;
    for (size_t i = 0; i < MANY; i++) {
        REQUIRE(jobs[i].status == 0 || jobs[i].status == RUNCU_ERROR_INTERRUPTED);
        ended += jobs[i].status == RUNCU_ERROR_INTERRUPTED;
    }
    REQUIRE_INT(ended, >, 0);
    runcu_program_jobs_fini(jobs, MANY);
}

static int at_once(void *user)
{
    (void) user;
    return 1;
}

static void one_source_is_cancelled(void)
{
    runcu_program *program;
    runcu_program_params p = for_80;
    p.no_cache = 1;
    p.cancel = at_once;
    REQUIRE_INT(runcu_program_compile(&program, "__global__ void k() {}", &p), ==,
                RUNCU_ERROR_INTERRUPTED);
    REQUIRE(program == NULL);
    p.cancel = NULL;
    p.time_limit = 1;
    char *long_source = malloc(1 << 20), *at = long_source;
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, "__global__ void k%d(int *x) { x[0] = %d; }\n", i, i);
    REQUIRE_INT(runcu_program_compile(&program, long_source, &p), ==, RUNCU_ERROR_TIMEOUT);
    REQUIRE_IN("longer than 1 ms", runcu_error_text());
    free(long_source);
}

static void wrong_calls(void)
{
    REQUIRE_OK(runcu_program_compile_jobs(NULL, 0, NULL));
    REQUIRE_INT(runcu_program_compile_jobs(NULL, 1, NULL), ==, RUNCU_ERROR_ARGUMENT);
    runcu_program_jobs_fini(NULL, 0);
    REQUIRE_OK(runcu_worker_path("/nowhere"));
    REQUIRE_OK(runcu_worker_path(NULL));
}

/* #include NAME: a worker asks the preprocessor what that is. */
static void includes_by_macro(void)
{
    static const char source[] = "#define H <deep/a.h>\n#include H\n"
                                 "__global__ void k(type *x) { x[0] = 1; }\n";
    const char *dirs[] = {rig_path("first"), rig_path("second")};
    runcu_program_params p = {.include_dirs = dirs, .include_dir_count = 2};
    runcu_program *program;
    int major;
    REQUIRE_OK(runcu_nvrtc_version(&major, NULL, NULL));
    mkdir(rig_path("first"), 0700);
    rig_write("second/deep/a.h", "#include \"b.h\"\n");
    rig_write("second/deep/b.h", "typedef int type;\n");
    rig_age(rig_path("second/deep/a.h"), 100);
    rig_age(rig_path("second/deep/b.h"), 100);
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN("_Z1kPi", runcu_program_ptx(program, NULL));
    REQUIRE(strstr(runcu_program_options(program), "trace") == NULL);
    runcu_program_destroy(&program);
    REQUIRE_INT(rig_was_cached(source, &p), ==, major >= 13);
    rig_write("second/deep/b.h", "typedef char type;\n");
    rig_age(rig_path("second/deep/b.h"), 50);
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN("_Z1kPc", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    REQUIRE_INT(rig_was_cached(source, &p), ==, major >= 13);
    rig_write("first/deep/a.h", "typedef long type;\n"); /* earlier on the way */
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN("_Z1kPl", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    REQUIRE_FAILS(rig_compile(&program, "#define H <deep/none.h>\n#include H\n", &p),
                  RUNCU_ERROR_COMPILE, "deep/none.h");
    runcu_program_destroy(&program);
    char worker[8192];
    snprintf(worker, sizeof worker, "%s", getenv("RUNCU_WORKER"));
    setenv("RUNCU_WORKER", "/bin/false", 1); /* one that ends at once */
    rig_write("first/deep/a.h", "typedef short type;\n");
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN("_Z1kPs", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    char command[8192];
    snprintf(command, sizeof command, "ls '%s' | grep -q trace", getenv("RUNCU_CACHE_DIR"));
    REQUIRE(system(command) != 0); /* nothing is left behind */
    setenv("RUNCU_WORKER", worker, 1);
}

int main(void)
{
    rig_start(1);
    RUN(by_threads);
    RUN(by_workers);
    RUN(without_a_worker_program);
    RUN(params_reach_the_workers);
    RUN(failures);
    RUN(progress_and_cancelling);
    RUN(one_source_is_cancelled);
    RUN(wrong_calls);
    RUN(includes_by_macro);
    rig_end();
    return 0;
}

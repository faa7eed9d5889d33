/* Compiled programs on disk: what is a hit, what must not be one, and that nothing which happens to
 * the files does harm. */
#include "program_rig.h"

#include "base/fs.h"
#include "core/entry.h"

#define KERNEL(body) "__global__ void k(float *x, int n) { " body " }\n"

static const char plain[] = KERNEL("x[n] = 1.0f;");

/* A number that no earlier test has used, so that nothing is found by accident. */
static const char *fresh_source(void)
{
    static char source[128];
    static int number;
    snprintf(source, sizeof source, KERNEL("x[n] = %d;"), ++number);
    return source;
}

static void second_time_is_a_hit(void)
{
    runcu_program *a, *b;
    size_t n, m;
    const char *source = KERNEL("int unused; x[n] = 2.0f;");
    runcu_program_params p = {.arch = 80};
    REQUIRE_OK(rig_compile(&a, source, &p));
    REQUIRE_INT(runcu_program_was_cached(a), ==, 0);
    REQUIRE_OK(rig_compile(&b, source, &p));
    REQUIRE_INT(runcu_program_was_cached(b), ==, 1);
    REQUIRE_STR(runcu_program_ptx(a, &n), runcu_program_ptx(b, &m));
    REQUIRE_INT(n, ==, m);
    runcu_program_cubin(a, &n);
    runcu_program_cubin(b, &m);
    REQUIRE_INT(n, ==, m);
    REQUIRE_INT(n, >, 0);
    REQUIRE_BYTES(runcu_program_cubin(a, NULL), runcu_program_cubin(b, NULL), n);
    REQUIRE_INT((uintptr_t) runcu_program_cubin(b, NULL) % 8, ==, 0);
    REQUIRE_STR(runcu_program_log(a), runcu_program_log(b));
    REQUIRE_IN("unused", runcu_program_log(b));
    REQUIRE_STR(runcu_program_report(a), runcu_program_report(b));
    REQUIRE_STR(runcu_program_options(a), runcu_program_options(b));
    REQUIRE_STR(runcu_program_arch(b), "sm_80");
    runcu_program_destroy(&a);
    runcu_program_destroy(&b);
}

/* In a process of its own: NVRTC must not be needed. */
static void a_hit_loads_no_compiler(void)
{
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 1);
    REQUIRE_INT(runcu_nvrtc_is_loaded(), ==, 0);
}

static void what_matters_is_in_the_key(void)
{
    const char *const option = "-DA=1", *const other = "-DA=2";
    const char *source = fresh_source();
    runcu_program_params base = {0}, p;
    REQUIRE_INT(rig_was_cached(source, &base), ==, 0);
#define REQUIRE_MISS(...)                               \
    do {                                                \
        p = (runcu_program_params){__VA_ARGS__};        \
        REQUIRE_INT(rig_was_cached(source, &p), ==, 0); \
        REQUIRE_INT(rig_was_cached(source, &p), ==, 1); \
    } while (0)
    REQUIRE_MISS(.options = &option, .option_count = 1);
    REQUIRE_MISS(.options = &other, .option_count = 1);
    REQUIRE_MISS(.name = "other.cu");
    REQUIRE_MISS(.extern_c = 1);
    REQUIRE_MISS(.arch_text = "compute_90");
    REQUIRE_MISS(.arch = 80);
    const char *dir = rig_folder;
    REQUIRE_MISS(.include_dirs = &dir, .include_dir_count = 1);
    REQUIRE_INT(rig_was_cached(source, &base), ==, 1);
    p = (runcu_program_params){.no_cache = 1};
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
    setenv("RUNCU_NO_CACHE", "1", 1);
    REQUIRE_INT(rig_was_cached(source, &base), ==, 0);
    unsetenv("RUNCU_NO_CACHE");
    const char *const trace = "--time=-";
    p = (runcu_program_params){.options = &trace, .option_count = 1};
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
}

static const char includes_a[] = "#include \"a.h\"\n__global__ void k(type *x) { x[0] = 1; }\n";

static void headers_that_change(void)
{
    const char *dirs[] = {rig_path("first"), rig_path("second")};
    runcu_program_params p = {.include_dirs = dirs, .include_dir_count = 2};
    mkdir(rig_path("first"), 0700);
    rig_write("second/a.h", "#include \"deep/b.h\"\n");
    rig_write("second/deep/b.h", "typedef int type;\n");
    rig_age(rig_path("second/a.h"), 100);
    rig_age(rig_path("second/deep/b.h"), 100);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
    rig_age(rig_path("second/deep/b.h"), 50); /* newer, but the same */
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
    rig_write("second/deep/b.h", "typedef uint type;\n"); /* another length */
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
    rig_write("second/deep/b.h", "typedef char type;\n"); /* the same length, at once */
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
    rig_write("first/a.h", "typedef short type;\n"); /* earlier on the way */
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
    REQUIRE_INT(unlink(rig_path("first/a.h")), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    rig_write("second/b.h", ""); /* not on the way of "deep/b.h" */
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
}

static void headers_that_come_to_be(void)
{
    const char *dir = rig_path("own");
    runcu_program_params p = {.include_dirs = &dir, .include_dir_count = 1};
    mkdir(dir, 0700);
    const char *memory = "#include <stdint.h>\n" KERNEL("int32_t q = n; x[0] = q;");
    REQUIRE_INT(rig_was_cached(memory, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(memory, &p), ==, 1);
    rig_write("own/stdint.h", "typedef long int32_t;\n");
    REQUIRE_INT(rig_was_cached(memory, &p), ==, 0);
    const char *asks =
        "#if __has_include(\"maybe.h\")\n#include \"maybe.h\"\n#else\ntypedef int type;\n#endif\n"
        "__global__ void k(type *x) { x[0] = 1; }\n";
    runcu_program *program;
    REQUIRE_INT(rig_was_cached(asks, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(asks, &p), ==, 1);
    rig_write("own/maybe.h", "typedef char type;\n");
    REQUIRE_OK(rig_compile(&program, asks, &p));
    REQUIRE_IN("_Z1kPc", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
}

/* Macros that ask in __has_include's place, as CUDA's headers have them. */
static void questions_by_macro(void)
{
    const char *dir = rig_path("asked");
    runcu_program_params p = {.include_dirs = &dir, .include_dir_count = 1};
    runcu_program *program;
    const char *source = "#define HAS(x) __has_include(x)\n#if HAS(<later.h>)\ntypedef char type;\n"
                         "#else\ntypedef int type;\n#endif\n__global__ void k(type *x) {}\n";
    const char *unnamed = "#define HAS(x) __has_include(x)\n#define NAME <later.h>\n"
                          "#if HAS(NAME)\n#endif\n__global__ void k(int *x) {}\n";
    mkdir(dir, 0700);
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(source, &p), ==, 1);
    rig_write("asked/later.h", "");
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN("_Z1kPc", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    REQUIRE_INT(rig_was_cached(unnamed, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(unnamed, &p), ==, 0);
}

/* #include NAME: only the preprocessor knows what is read, so without a worker that may ask it
 * nothing is kept. */
static void includes_by_macro_are_not_kept(void)
{
    setenv("RUNCU_WORKER", "/nowhere/runcu-worker", 1);
    const char *dir = rig_path("macro");
    runcu_program_params p = {.include_dirs = &dir, .include_dir_count = 1};
    rig_write("macro/a.h", "typedef int type;\n");
    const char *source =
        "#define H \"a.h\"\n#include H\n__global__ void k(type *x) { x[0] = 1; }\n";
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
    unsetenv("RUNCU_WORKER");
}

/* CUDA's headers may include the user's, where those are called like theirs and come first. */
static void headers_that_cuda_includes(void)
{
    runcu_program *program;
    const char *dir = rig_path("before");
    runcu_program_params p = {.include_dirs = &dir, .include_dir_count = 1};
    const char *source = "#include <cooperative_groups.h>\n" KERNEL("x[0] = n;");
    int major, minor;
    REQUIRE_OK(runcu_nvrtc_version(&major, &minor, NULL));
    if (major < 13 || (major == 13 && minor < 3))
        return;
    mkdir(dir, 0700);
    mkdir(rig_path("before/cooperative_groups"), 0700);
    REQUIRE_INT(rig_was_cached(source, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(source, &p), ==, 1);
    rig_write("before/unrelated.h", "#error never\n");
    REQUIRE_INT(rig_was_cached(source, &p), ==, 1);
    rig_write("before/nv/target", "#error mine\n");
    REQUIRE_FAILS(rig_compile(&program, source, &p), RUNCU_ERROR_COMPILE, "mine");
    runcu_program_destroy(&program);
}

/* --- files --------------------------------------------------------------- */

static char entry[8192]; /* path of the only one there is */

static bool note_entry(void *user, const char *name)
{
    int *count = user;
    size_t len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, ".rcu") == 0) {
        snprintf(entry, sizeof entry, "%s/%s", getenv("RUNCU_CACHE_DIR"), name);
        ++*count;
    }
    return false;
}

static int count_entries(void)
{
    int count = 0;
    fs_list(getenv("RUNCU_CACHE_DIR"), note_entry, &count);
    return count;
}

static void use_folder(const char *name)
{
    setenv("RUNCU_CACHE_DIR", rig_path(name), 1);
}

enum { KEY_AT = 24, VARIANT_AT = KEY_AT + SHA256_SIZE };

/* Is the first of the bytes' parts, as they were when whole, found in what they are now? */
static bool is_read(const char *bytes, size_t len, const struct request *r)
{
    runcu_program *program = alloc_zero(1, sizeof *program);
    struct str copy = {0};
    str_addn(&copy, bytes, len);
    bool answer = entry_read(program, &copy, r);
    str_fini(&copy);
    runcu_program_destroy(&program);
    return answer;
}

static void request_of(struct request *r, const struct str *bytes)
{
    *r = (struct request){0};
    memcpy(r->key, bytes->at + KEY_AT, sizeof r->key);
    memcpy(&r->variant, bytes->at + VARIANT_AT, sizeof r->variant);
}

/* Each byte altered, each length cut: never taken for good. */
static void damage_is_a_miss(void)
{
    use_folder("damage");
    const char *dir = rig_path("second");
    runcu_program_params p = {.include_dirs = &dir, .include_dir_count = 1};
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(count_entries(), ==, 1);
    struct str bytes = {0};
    struct request r;
    REQUIRE_INT(fs_read(&bytes, entry, 1 << 24), ==, 0);
    request_of(&r, &bytes);
    REQUIRE(is_read(bytes.at, bytes.len, &r));
    for (size_t i = 0; i < bytes.len; i++) {
        int flips[] = {1, 0x80, 0xff};
        for (size_t f = 0; f < 3; f++) {
            bytes.at[i] = (char) (bytes.at[i] ^ flips[f]);
            if (is_read(bytes.at, bytes.len, &r))
                TEST_FAIL_("byte %zu altered by %#x", i, flips[f]);
            bytes.at[i] = (char) (bytes.at[i] ^ flips[f]);
        }
    }
    for (size_t len = 0; len < bytes.len; len++)
        if (is_read(bytes.at, len, &r))
            TEST_FAIL_("cut to %zu bytes", len);
    str_addc(&bytes, 0);
    REQUIRE(!is_read(bytes.at, bytes.len, &r));
    r.key[0] ^= 1;
    REQUIRE(!is_read(bytes.at, bytes.len - 1, &r));
    r.key[0] ^= 1;
    r.variant.arch[3] ^= 1;
    REQUIRE(!is_read(bytes.at, bytes.len - 1, &r));
    str_fini(&bytes);
    /* And from outside: compiled again, and whole again. */
    REQUIRE_INT(truncate(entry, 100), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 1);
    REQUIRE_INT(truncate(entry, 0), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    REQUIRE_INT(unlink(entry), ==, 0);
    REQUIRE_INT(mkdir(entry, 0700), ==, 0);
    REQUIRE_INT(rig_was_cached(includes_a, &p), ==, 0);
    use_folder("cache");
}

static void folders_that_cannot_be_written(void)
{
    rig_write("file", "");
    use_folder("file/cache");
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    use_folder("file");
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    setenv("RUNCU_CACHE_DIR", "/proc/nowhere", 1);
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    use_folder("cache");
    /* The caller's word is heard before the variable. */
    runcu_program_params p = {.cache_dir = rig_path("mine")};
    REQUIRE_INT(rig_was_cached(plain, &p), ==, 0);
    REQUIRE_INT(rig_was_cached(plain, &p), ==, 1);
}

static void the_folder_is_private(void)
{
    struct stat st;
    use_folder("deep/er/cache");
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    REQUIRE_INT(stat(getenv("RUNCU_CACHE_DIR"), &st), ==, 0);
    REQUIRE_INT(st.st_mode & 0777, ==, 0700);
    REQUIRE_INT(count_entries(), ==, 1);
    REQUIRE_INT(stat(entry, &st), ==, 0);
    REQUIRE_INT(st.st_mode & 077, ==, 0);
    use_folder("cache");
}

static void defaults_follow_the_environment(void)
{
    struct stat st;
    unsetenv("RUNCU_CACHE_DIR");
    setenv("XDG_CACHE_HOME", rig_path("xdg"), 1);
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    REQUIRE_INT(stat(rig_path("xdg/runcu"), &st), ==, 0);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", rig_path("home"), 1);
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    REQUIRE_INT(stat(rig_path("home/.cache/runcu"), &st), ==, 0);
    unsetenv("HOME");
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
}

static uint64_t folder_size;

static bool add_size(void *user, const char *name)
{
    struct fs_info info;
    char path[8192];
    (void) user;
    snprintf(path, sizeof path, "%s/%s", getenv("RUNCU_CACHE_DIR"), name);
    if (fs_stat(&info, path) == 0 && !info.is_folder)
        folder_size += info.size;
    return false;
}

static void the_oldest_go_first(void)
{
    const char *sources[8];
    use_folder("small");
    setenv("RUNCU_CACHE_SIZE", "6K", 1);
    for (int i = 0; i < 8; i++)
        sources[i] = strdup(fresh_source());
    REQUIRE_INT(rig_was_cached(sources[0], NULL), ==, 0);
    REQUIRE_INT(count_entries(), ==, 1);
    char favourite[sizeof entry];
    snprintf(favourite, sizeof favourite, "%s", entry);
    for (int i = 1; i < 8; i++) {
        rig_age(favourite, 1000);
        REQUIRE_INT(rig_was_cached(sources[0], NULL), ==, 1); /* being used makes it young */
        REQUIRE_INT(rig_was_cached(sources[i], NULL), ==, 0);
        usleep(10000);
    }
    REQUIRE_INT(count_entries(), <, 8);
    REQUIRE_INT(rig_was_cached(sources[0], NULL), ==, 1);
    REQUIRE_INT(rig_was_cached(sources[7], NULL), ==, 1);
    REQUIRE_INT(rig_was_cached(sources[1], NULL), ==, 0);
    fs_list(getenv("RUNCU_CACHE_DIR"), add_size, NULL);
    REQUIRE_INT(folder_size, <=, 6 << 10);
    setenv("RUNCU_CACHE_SIZE", "0", 1);
    REQUIRE_INT(rig_was_cached(sources[0], NULL), ==, 0);
    const char *last = fresh_source();
    setenv("RUNCU_CACHE_SIZE", "1", 1); /* nothing fits */
    REQUIRE_INT(rig_was_cached(last, NULL), ==, 0);
    REQUIRE_INT(rig_was_cached(last, NULL), ==, 0);
    setenv("RUNCU_CACHE_SIZE", "plenty", 1); /* no number: the default */
    REQUIRE_INT(rig_was_cached(last, NULL), ==, 0);
    REQUIRE_INT(rig_was_cached(last, NULL), ==, 1);
    unsetenv("RUNCU_CACHE_SIZE");
    for (int i = 0; i < 8; i++)
        free((char *) sources[i]);
    use_folder("cache");
}

static void abandoned_files_are_swept(void)
{
    struct stat st;
    use_folder("swept");
    setenv("RUNCU_CACHE_SIZE", "16K", 1); /* an entry is more than a 64th: swept for certain */
    rig_write("swept/abc.rcu.12.0.tmp", "half");
    rig_write("swept/new.rcu.12.0.tmp", "half");
    rig_write("swept/notes.txt", "the user's own");
    rig_age(rig_path("swept/abc.rcu.12.0.tmp"), 7200);
    rig_age(rig_path("swept/notes.txt"), 7200);
    REQUIRE_INT(rig_was_cached(fresh_source(), NULL), ==, 0);
    REQUIRE(stat(rig_path("swept/abc.rcu.12.0.tmp"), &st) != 0);
    REQUIRE_INT(stat(rig_path("swept/new.rcu.12.0.tmp"), &st), ==, 0);
    REQUIRE_INT(stat(rig_path("swept/notes.txt"), &st), ==, 0);
    unsetenv("RUNCU_CACHE_SIZE");
    use_folder("cache");
}

static void several_processes_at_once(void)
{
    pid_t children[4];
    char sources[6][128];
    use_folder("shared");
    for (int i = 0; i < 6; i++)
        snprintf(sources[i], sizeof sources[i], "%s", fresh_source());
    fflush(NULL);
    for (int c = 0; c < 4; c++) {
        children[c] = fork();
        if (children[c] == 0) {
            for (int i = 0; i < 6; i++)
                rig_was_cached(sources[(i + c) % 6], NULL);
            exit(0);
        }
    }
    for (int c = 0; c < 4; c++) {
        int end = -1;
        REQUIRE_INT(waitpid(children[c], &end, 0), ==, children[c]);
        REQUIRE_INT(end, ==, 0);
    }
    REQUIRE_INT(count_entries(), ==, 6);
    for (int i = 0; i < 6; i++)
        REQUIRE_INT(rig_was_cached(sources[i], NULL), ==, 1);
    use_folder("cache");
}

static void errors_are_not_kept(void)
{
    runcu_program *program;
    use_folder("errors");
    for (int i = 0; i < 2; i++) {
        REQUIRE_FAILS(rig_compile(&program, KERNEL("missing();"), NULL), RUNCU_ERROR_COMPILE,
                      "missing");
        REQUIRE_INT(runcu_program_was_cached(program), ==, 0);
        runcu_program_destroy(&program);
    }
    REQUIRE_INT(count_entries(), ==, 0);
    use_folder("cache");
}

/* --- in one process ------------------------------------------------------ */

static int again(const char *source, const runcu_program_params *params)
{
    runcu_program *program;
    REQUIRE_OK(rig_compile(&program, source, params));
    int answer = runcu_program_was_cached(program);
    runcu_program_destroy(&program);
    return answer;
}

/* Neither compiled nor read: the disk knows nothing of it. */
static void the_same_source_again(void)
{
    runcu_program *a, *b, *c;
    const char *source = fresh_source();
    size_t n, m;
    use_folder("again");
    runcu_program_params p = {.arch = 80};
    REQUIRE_OK(rig_compile(&a, source, &p));
    REQUIRE_INT(count_entries(), ==, 1);
    REQUIRE_INT(unlink(entry), ==, 0);
    REQUIRE_OK(rig_compile(&b, source, &p));
    REQUIRE_INT(runcu_program_was_cached(a), ==, 0);
    REQUIRE_INT(runcu_program_was_cached(b), ==, 1);
    runcu_program_destroy(&a); /* what b has is its own */
    REQUIRE_OK(rig_compile(&c, source, &p));
    recent_forget();
    REQUIRE_STR(runcu_program_ptx(b, &n), runcu_program_ptx(c, &m));
    REQUIRE_INT(n, ==, m);
    REQUIRE(runcu_program_cubin(b, NULL) != NULL);
    REQUIRE_STR(runcu_program_arch(b), "sm_80");
    REQUIRE_IN("--gpu-architecture=sm_80", runcu_program_options(b));
    runcu_program_destroy(&c);
    REQUIRE_IN(".entry", runcu_program_ptx(b, NULL));
    runcu_program_destroy(&b);
    REQUIRE_INT(again(source, &p), ==, 0);
    REQUIRE_OK(runcu_cache_clear(NULL, NULL)); /* clears what the process has, too */
    REQUIRE_INT(again(source, &p), ==, 0);
    p.no_cache = 1;
    REQUIRE_INT(again(source, &p), ==, 0);
    p = (runcu_program_params){.arch = 80, .extern_c = 1};
    REQUIRE_INT(again(source, &p), ==, 0);
    use_folder("cache");
}

static void headers_that_change_meanwhile(void)
{
    runcu_program *program;
    const char *dirs[] = {rig_path("early"), rig_path("late")};
    runcu_program_params p = {.include_dirs = dirs, .include_dir_count = 2};
    mkdir(rig_path("early"), 0700);
    rig_write("late/a.h", "typedef int type;\n");
    REQUIRE_INT(again(includes_a, &p), ==, 0);
    REQUIRE_INT(again(includes_a, &p), ==, 1);
    rig_write("late/a.h", "typedef long type;\n");
    REQUIRE_INT(again(includes_a, &p), ==, 0);
    rig_write("early/a.h", "typedef char type;\n");
    REQUIRE_OK(rig_compile(&program, includes_a, &p));
    REQUIRE_IN("_Z1kPc", runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
    REQUIRE_INT(again(includes_a, &p), ==, 1);
}

/* Many programs: the ones of long ago are given up, and each is what was asked for. */
static void not_all_are_remembered(void)
{
    char source[128], value[32];
    runcu_program *program;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 70; i++) {
            snprintf(source, sizeof source, KERNEL("n = %d;*(int *) x = n;"), 1000 + i);
            snprintf(value, sizeof value, "%d", 1000 + i);
            REQUIRE_OK(rig_compile(&program, source, NULL));
            REQUIRE_INT(runcu_program_was_cached(program), ==, round);
            REQUIRE_IN(value, runcu_program_ptx(program, NULL));
            runcu_program_destroy(&program);
        }
    runcu_cache_info info;
    REQUIRE_OK(runcu_cache_get_info(&info, NULL));
    REQUIRE_INT(info.hits, >=, 70); /* in turn, so none of them was still there */
}

static void fill_for_another_process(void)
{
    REQUIRE_INT(rig_was_cached(plain, NULL), ==, 0);
}

int main(void)
{
    rig_start(0);
    RUN_ALONE(fill_for_another_process);
    RUN_ALONE(a_hit_loads_no_compiler);
    RUN_ALONE(several_processes_at_once);
    RUN_ALONE(defaults_follow_the_environment);
    RUN(second_time_is_a_hit);
    RUN(what_matters_is_in_the_key);
    RUN(headers_that_change);
    RUN(headers_that_come_to_be);
    RUN(questions_by_macro);
    RUN(includes_by_macro_are_not_kept);
    RUN(headers_that_cuda_includes);
    RUN(damage_is_a_miss);
    RUN(folders_that_cannot_be_written);
    RUN(the_folder_is_private);
    RUN(the_oldest_go_first);
    RUN(abandoned_files_are_swept);
    RUN(errors_are_not_kept);
    RUN(the_same_source_again);
    RUN(headers_that_change_meanwhile);
    RUN(not_all_are_remembered);
    rig_end();
    return 0;
}

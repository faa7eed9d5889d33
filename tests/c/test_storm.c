/* Sixteen processes compile into one folder while others, which write, import and clear there, are
 * killed in the middle of it again and again: every program is the one that was asked for, and what
 * the killed leave behind does not stay. */
#include <signal.h>
#include <spawn.h>

#include "program_rig.h"

#include "base/fs.h"
#include "core/entry.h"

enum { STEADY = 16, VICTIMS = 4, SOURCES = 12, ROUNDS = 40, FEWEST_KILLS = 40 };

extern char **environ;

static const char *const archs[] = {"compute_80", "compute_90"};

/* Compiles one of the sources and looks whether it is that one. */
static void compile_and_check(int number)
{
    char source[128], value[32], target[32];
    runcu_program *program;
    const char *arch = archs[number / SOURCES % 2];
    runcu_program_params p = {.arch_text = arch};
    snprintf(source, sizeof source, "__global__ void k(int *x) { *x = %d; }\n",
             70000 + number % SOURCES);
    snprintf(value, sizeof value, ", %d;", 70000 + number % SOURCES);
    snprintf(target, sizeof target, ".target sm_%s", arch + strlen("compute_"));
    recent_forget();
    REQUIRE_OK(rig_compile(&program, source, &p));
    REQUIRE_IN(value, runcu_program_ptx(program, NULL));
    REQUIRE_IN(target, runcu_program_ptx(program, NULL));
    runcu_program_destroy(&program);
}

/* Runs to its end. */
static int work(unsigned seed)
{
    rig_search();
    srand(seed);
    for (int i = 0; i < ROUNDS; i++)
        compile_and_check(rand() % (2 * SOURCES));
    return 0;
}

/* Runs until it is killed, writing nearly all the time. */
static int suffer(unsigned seed, const char *file)
{
    rig_search();
    srand(seed);
    while (getppid() == atoi(getenv("STORM_PARENT"))) {
        runcu_cache_imported done;
        uint64_t count;
        for (int i = 0; i < 8; i++) {
            REQUIRE_OK(runcu_cache_import(&done, file, NULL));
            REQUIRE_INT(done.damaged, ==, 0);
            compile_and_check(rand() % (2 * SOURCES));
        }
        REQUIRE_OK(runcu_cache_export(&count, getenv("STORM_OTHER"), NULL));
        runcu_cache_clear(NULL, NULL);
    }
    return 1;
}

static pid_t start(const char *self, const char *what, unsigned seed)
{
    char number[16], *argv[] = {(char *) self, (char *) what, number, NULL};
    pid_t pid;
    snprintf(number, sizeof number, "%u", seed);
    REQUIRE_INT(posix_spawn(&pid, self, NULL, NULL, argv, environ), ==, 0);
    return pid;
}

/* One more has ended, well? */
static bool has_ended(pid_t pid)
{
    int end = 0;
    pid_t found = waitpid(pid, &end, WNOHANG);
    REQUIRE(found >= 0);
    if (found)
        REQUIRE_INT(end, ==, 0);
    return found != 0;
}

static int kill_at_random(const char *self)
{
    pid_t steady[STEADY], victims[VICTIMS];
    int kills = 0, left = STEADY;
    unsigned seed = 1;
    for (int i = 0; i < STEADY; i++)
        steady[i] = start(self, "work", seed++);
    for (int i = 0; i < VICTIMS; i++)
        victims[i] = start(self, "suffer", seed++);
    while (left || kills < FEWEST_KILLS) {
        int end = 0, i = rand() % VICTIMS;
        usleep((useconds_t) (rand() % 40000));
        REQUIRE_INT(kill(victims[i], SIGKILL), ==, 0);
        REQUIRE_INT(waitpid(victims[i], &end, 0), ==, victims[i]);
        REQUIRE(WIFSIGNALED(end) && WTERMSIG(end) == SIGKILL); /* it had not failed by itself */
        kills++;
        victims[i] = start(self, "suffer", seed++);
        for (int k = 0; k < STEADY; k++)
            if (steady[k] && has_ended(steady[k])) {
                steady[k] = 0;
                left--;
            }
    }
    for (int i = 0; i < VICTIMS; i++) {
        kill(victims[i], SIGKILL);
        waitpid(victims[i], NULL, 0);
    }
    return kills;
}

struct leftovers {
    int temporary, entries, others;
};

static bool look_at(void *user, const char *name)
{
    struct leftovers *l = user;
    char path[8192];
    struct str bytes = {0};
    size_t len = strlen(name);
    snprintf(path, sizeof path, "%s/%s", getenv("RUNCU_CACHE_DIR"), name);
    if (len > 4 && strcmp(name + len - 4, ".tmp") == 0) {
        l->temporary++;
        rig_age(path, 7200);
    } else if (len == 2 * SHA256_SIZE + 4 && strcmp(name + len - 4, ".rcu") == 0) {
        uint8_t key[SHA256_SIZE];
        for (int i = 0; i < SHA256_SIZE; i++) {
            unsigned byte;
            REQUIRE_INT(sscanf(name + 2 * i, "%2x", &byte), ==, 1);
            key[i] = (uint8_t) byte;
        }
        l->entries++;
        REQUIRE_INT(fs_read(&bytes, path, 1 << 24), ==, 0);
        REQUIRE_INT(entry_check(bytes.at, bytes.len, key), >, 0); /* none is half written */
    } else {
        l->others += strncmp(name, "counts", 6) != 0;
    }
    str_fini(&bytes);
    return false;
}

static struct leftovers look(void)
{
    struct leftovers l = {0};
    fs_list(getenv("RUNCU_CACHE_DIR"), look_at, &l);
    return l;
}

static void fill(void)
{
    for (int i = 0; i < 2 * SOURCES; i++)
        compile_and_check(i);
    REQUIRE_OK(runcu_cache_export(NULL, getenv("STORM_FILE"), NULL));
    REQUIRE_OK(runcu_cache_clear(NULL, NULL));
}

static void check_leftovers(void)
{
    struct leftovers before = look();
    printf("  left behind: %d files, of %d entries\n", before.temporary, before.entries);
    REQUIRE_INT(before.others, ==, 0);
    for (int i = 0; i < 2 * SOURCES; i++)
        compile_and_check(i);
    REQUIRE_OK(runcu_cache_import(NULL, getenv("STORM_FILE"), NULL)); /* which sweeps */
    struct leftovers after = look();
    REQUIRE_INT(after.temporary, ==, 0);
    REQUIRE_INT(after.entries, ==, SOURCES);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "work") == 0)
        return work((unsigned) atoi(argv[2]));
    if (argc > 2 && strcmp(argv[1], "suffer") == 0)
        return suffer((unsigned) atoi(argv[2]), getenv("STORM_FILE"));
    rig_start(0);
    setenv("STORM_FILE", rig_path("storm.cache"), 1);
    setenv("STORM_OTHER", rig_path("other.cache"), 1);
    char parent[16];
    snprintf(parent, sizeof parent, "%ld", (long) getpid());
    setenv("STORM_PARENT", parent, 1);
    RUN_ALONE(fill);
    printf("  %d were killed\n", kill_at_random(argv[0]));
    RUN_ALONE(check_leftovers);
    rig_end();
    return 0;
}

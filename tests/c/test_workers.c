/* Threads that work, and how many there should be. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/host.h"
#include "base/workers.h"
#include "test.h"

static atomic_uint seen, wrong_mask;

static void body(void *user, unsigned index)
{
    sigset_t mask;
    REQUIRE(user == &seen);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (!sigismember(&mask, SIGINT) || !sigismember(&mask, SIGTERM))
        atomic_fetch_add(&wrong_mask, 1);
    atomic_fetch_or(&seen, 1u << index);
}

static void each_runs_once_without_signals(void)
{
    struct workers *w = NULL;
    sigset_t mask;
    REQUIRE_INT(workers_start(&w, 5, body, &seen), ==, 5);
    workers_join(&w);
    REQUIRE(w == NULL);
    REQUIRE_INT(atomic_load(&seen), ==, 31);
    REQUIRE_INT(atomic_load(&wrong_mask), ==, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    REQUIRE(!sigismember(&mask, SIGINT));
    workers_join(&w);
}

static void count_from_the_environment(void)
{
    setenv("RUNCU_THREADS", "3", 1);
    REQUIRE_INT(workers_default_count(), ==, 3);
    setenv("RUNCU_THREADS", "100000", 1);
    REQUIRE_INT(workers_default_count(), ==, 256);
    setenv("RUNCU_THREADS", "many", 1);
    REQUIRE_INT(workers_default_count(), ==, host_cpus());
    setenv("RUNCU_THREADS", "-2", 1);
    REQUIRE_INT(workers_default_count(), ==, host_cpus());
    unsetenv("RUNCU_THREADS");
    REQUIRE_INT(workers_default_count(), ==, host_cpus());
}

static void count_within_the_affinity_mask(void)
{
    cpu_set_t old, one;
    REQUIRE_INT(host_cpus(), >=, 1);
    REQUIRE_INT(host_cpus(), <=, sysconf(_SC_NPROCESSORS_CONF));
    REQUIRE(sched_getaffinity(0, sizeof old, &old) == 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &old))
            CPU_SET(i, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    REQUIRE_INT(host_cpus(), ==, 1);
    REQUIRE(sched_setaffinity(0, sizeof old, &old) == 0);
}

static void free_memory_is_less_than_all(void)
{
    uint64_t all = (uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE);
    REQUIRE_INT(host_free_memory(), >, 1 << 20);
    REQUIRE_INT(host_free_memory(), <=, all);
}

int main(void)
{
    RUN(each_runs_once_without_signals);
    RUN(count_from_the_environment);
    RUN(count_within_the_affinity_mask);
    RUN(free_memory_is_less_than_all);
    return 0;
}

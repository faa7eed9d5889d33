/* Starting and joining threads. What they do, and how they hear that it is time to stop, is the
 * caller's. */
#include "workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "alloc.h"
#include "host.h"

enum { MAX_WORKERS = 256, PATIENCE = 2 /* seconds */ };

struct worker {
    pthread_t thread;
    unsigned index;
    struct workers *all;
};

struct workers {
    void (*body)(void *user, unsigned index);
    void *user;
    unsigned count;
    struct worker each[];
};

unsigned workers_default_count(void)
{
    const char *text = getenv("RUNCU_THREADS");
    long n = text ? strtol(text, NULL, 10) : 0;
    if (n <= 0)
        n = host_cpus();
    return (unsigned) MIN(n, MAX_WORKERS);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    w->all->body(w->all->user, w->index);
    return NULL;
}

unsigned workers_start(struct workers **out, unsigned count,
                       void (*body)(void *user, unsigned index),
                  void *user)
{
    struct workers *w = alloc_zero(1, sizeof *w + count * sizeof w->each[0]);
    sigset_t all, old;
    if (!w)
        return 0;
    w->body = body;
    w->user = user;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (unsigned i = 0; i < count; i++) {
        w->each[i].index = i;
        w->each[i].all = w;
        if (pthread_create(&w->each[i].thread, NULL, run, &w->each[i]) != 0)
            break;
        pthread_setname_np(w->each[i].thread, "runcu");
        w->count++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!w->count) {
        alloc_free(w);
        return 0;
    }
    *out = w;
    return w->count;
}

void workers_join(struct workers **w)
{
    struct workers *old = *w;
    struct timespec until;
    bool left = false;
    if (!old)
        return;
    *w = NULL;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    for (unsigned i = 0; i < old->count; i++) {
        if (!pthread_equal(old->each[i].thread, pthread_self()) &&
            pthread_timedjoin_np(old->each[i].thread, NULL, &until) == 0)
            continue;
        pthread_detach(old->each[i].thread);
        left = true;
    }
    if (!left)
        alloc_free(old);
}

void workers_forget(struct workers **w)
{
    alloc_free(*w);
    *w = NULL;
}

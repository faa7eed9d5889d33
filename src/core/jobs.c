/* Many sources at once. Lanes take one after the other: some compile themselves, the others have a
 * worker process each, since NVRTC's front end does one source at a time in a process. Here is who
 * does what; how a worker is spoken to is in remote.c. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/host.h"
#include "base/workers.h"
#include "core/remote.h"

enum {
    OWN_LANES = 4,          /* up to here threads of this process are enough */
    OWN_AMONG_WORKERS = 2,  /* so many compile themselves where there are workers */
    TELL_NS = 50 * 1000000, /* between two calls of the progress callback */
};

struct item {
    runcu_program_job *job;
    struct request request;
    bool is_waiting; /* for a lane */
};

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct item *items;
    size_t count, next, done;
    unsigned own_lanes; /* those below this number have no worker */
    atomic_bool is_cancelled;
    struct remote *remotes; /* one a lane; guarded by lock when started and stopped */
};

/* The thread's failure, if any, becomes the job's. */
static void end_job(runcu_program_job *job, int status)
{
    runcu_error e;
    struct str text = {0};
    job->status = status;
    if (!status)
        return;
    runcu_error_get(&e);
    str_add(&text, e.message);
    if (*e.detail)
        str_addf(&text, "\n%s", e.detail);
    job->message = str_take(&text);
    if (status != RUNCU_ERROR_COMPILE)
        runcu_program_destroy(&job->program);
}

/* --- lanes ---------------------------------------------------------------- */

static struct item *take_item(struct crew *crew)
{
    struct item *item = NULL;
    pthread_mutex_lock(&crew->lock);
    while (!item && crew->next < crew->count && !crew->is_cancelled) {
        item = &crew->items[crew->next++];
        if (!item->is_waiting)
            item = NULL;
    }
    pthread_mutex_unlock(&crew->lock);
    return item;
}

static void give_item(struct crew *crew, struct item *item, int status)
{
    end_job(item->job, status);
    pthread_mutex_lock(&crew->lock);
    item->is_waiting = false;
    crew->done++;
    pthread_cond_signal(&crew->ended);
    pthread_mutex_unlock(&crew->lock);
}

/* A worker is started under the lock, so that whoever cancels finds it. */
static bool has_worker(struct crew *crew, unsigned index)
{
    struct remote *remote = &crew->remotes[index];
    pthread_mutex_lock(&crew->lock);
    bool has = !crew->is_cancelled && (remote->pid || remote_start(remote));
    pthread_mutex_unlock(&crew->lock);
    return has;
}

static void lose_worker(struct crew *crew, unsigned index)
{
    pthread_mutex_lock(&crew->lock);
    remote_stop(&crew->remotes[index], true);
    pthread_mutex_unlock(&crew->lock);
}

static int compile(struct crew *crew, struct item *item, unsigned index, bool *is_remote)
{
    runcu_program *program = item->job->program;
    int status;
    if (*is_remote && has_worker(crew, index)) {
        if (remote_compile(&status, &crew->remotes[index], program, &item->request))
            return status;
        lose_worker(crew, index);
    }
    *is_remote = false;
    if (crew->is_cancelled)
        return runcu_fail(RUNCU_ERROR_INTERRUPTED, "compiling %s was interrupted",
                          item->request.name);
    return program_make(program, &item->request);
}

static void run_lane(void *user, unsigned index)
{
    struct crew *crew = user;
    struct item *item;
    bool is_remote = index >= crew->own_lanes;
    while ((item = take_item(crew))) {
        int status = compile(crew, item, index, &is_remote);
        give_item(crew, item, program_finish(item->job->program, &item->request, status));
    }
    pthread_mutex_lock(&crew->lock);
    remote_stop(&crew->remotes[index], false);
    pthread_mutex_unlock(&crew->lock);
}

/* --- the calling thread ---------------------------------------------------- */

/* NVRTC asks in the lanes; the caller's own question is asked as well. */
static int ask_crew(void *user)
{
    return atomic_load(&((struct crew *) user)->is_cancelled);
}

static void cancel(struct crew *crew, unsigned lanes)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_cancelled = true;
    for (unsigned i = 0; i < lanes; i++)
        remote_interrupt(&crew->remotes[i]);
    pthread_mutex_unlock(&crew->lock);
}

/* What has not been taken is not waited for once the rest was cancelled. */
static size_t left(const struct crew *crew)
{
    size_t taken = 0;
    for (size_t i = 0; i < crew->next; i++)
        taken += crew->items[i].is_waiting;
    return crew->is_cancelled ? taken : crew->count - crew->done;
}

static void wait_for_lanes(struct crew *crew, unsigned lanes,
                           const runcu_program_jobs_params *params)
{
    pthread_mutex_lock(&crew->lock);
    while (left(crew)) {
        uint64_t until = compile_now() + TELL_NS;
        struct timespec t = {(time_t) (until / 1000000000u), (long) (until % 1000000000u)};
        pthread_cond_timedwait(&crew->ended, &crew->lock, &t);
        size_t done = crew->done;
        pthread_mutex_unlock(&crew->lock);
        if (params->progress && !crew->is_cancelled &&
            params->progress(params->progress_user, done, crew->count))
            cancel(crew, lanes);
        pthread_mutex_lock(&crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
}

/* The first pass: requests are made here, where the caller's context is current, and what the cache
 * has is taken. Returns how many are left to compile. */
static size_t look_up_all(struct crew *crew)
{
    size_t waiting = 0;
    for (size_t i = 0; i < crew->count; i++) {
        struct item *item = &crew->items[i];
        runcu_program_job *job = item->job;
        bool found = false;
        int status = request_init(&item->request, job->source, job->params, NULL);
        job->program = status ? NULL : alloc_zero(1, sizeof *job->program);
        if (!status && !job->program)
            status = runcu_fail_memory();
        if (!status)
            status = program_look_up(job->program, &item->request, &found);
        item->is_waiting = !status && !found;
        if (item->is_waiting) {
            if (!item->request.params.cancel) {
                item->request.params.cancel = ask_crew;
                item->request.params.cancel_user = crew;
            }
            waiting++;
            continue;
        }
        end_job(job, program_finish(job->program, &item->request, status));
        crew->done++;
    }
    return waiting;
}

static unsigned choose_lanes(struct crew *crew, size_t waiting, unsigned wanted)
{
    unsigned lanes = wanted ? wanted : (unsigned) host_cpus();
    lanes = (unsigned) MIN((size_t) MIN(lanes, 256), waiting);
    crew->own_lanes = lanes <= OWN_LANES ? lanes : OWN_AMONG_WORKERS;
    return lanes;
}

static int compile_waiting(struct crew *crew, size_t waiting,
                           const runcu_program_jobs_params *params)
{
    struct workers *threads = NULL;
    unsigned lanes = choose_lanes(crew, waiting, params->parallel);
    if (!lanes)
        return 0;
    crew->remotes = alloc_zero(lanes, sizeof *crew->remotes);
    if (!crew->remotes)
        return runcu_fail_memory();
    if (workers_start(&threads, lanes, run_lane, crew))
        wait_for_lanes(crew, lanes, params);
    else
        run_lane(crew, 0);
    workers_join(&threads);
    alloc_free(crew->remotes);
    return 0;
}

/* Those that nobody came to. */
static void end_waiting(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        if (crew->items[i].is_waiting)
            end_job(crew->items[i].job,
                    runcu_fail(RUNCU_ERROR_INTERRUPTED, "compiling %s was interrupted",
                               crew->items[i].request.name));
}

static int first_failure(const runcu_program_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i].status)
            return runcu_fail(jobs[i].status, "source %zu of %zu: %s", i + 1, count,
                              jobs[i].message ? jobs[i].message : "memory is short");
    return 0;
}

static void crew_init(struct crew *crew)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&crew->lock, NULL);
}

static void crew_fini(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        request_fini(&crew->items[i].request);
    alloc_free(crew->items);
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->ended);
}

int runcu_program_compile_jobs(runcu_program_job *jobs, size_t count,
                               const runcu_program_jobs_params *params)
{
    if (count)
        CORE_NEED(jobs);
    runcu_program_jobs_params p;
    struct crew crew = {.count = count};
    core_params(&p, sizeof p, params);
    for (size_t i = 0; i < count; i++) {
        jobs[i].program = NULL;
        jobs[i].message = NULL;
        jobs[i].status = 0;
    }
    crew.items = alloc_zero(count + 1, sizeof *crew.items);
    if (!crew.items)
        return runcu_fail_memory();
    for (size_t i = 0; i < count; i++)
        crew.items[i].job = &jobs[i];
    crew_init(&crew);
    size_t waiting = look_up_all(&crew);
    int status = compile_waiting(&crew, waiting, &p);
    end_waiting(&crew);
    crew_fini(&crew);
    if (!status && p.progress && !crew.is_cancelled)
        p.progress(p.progress_user, count, count);
    return status ? status : first_failure(jobs, count);
}

void runcu_program_jobs_fini(runcu_program_job *jobs, size_t count)
{
    for (size_t i = 0; jobs && i < count; i++) {
        runcu_program_destroy(&jobs[i].program);
        alloc_free(jobs[i].message);
        jobs[i].message = NULL;
    }
}

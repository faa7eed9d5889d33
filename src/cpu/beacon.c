/* Events of several processes. What happened to one is two numbers in a page that all of them map:
 * how often it was recorded, and the last of these that is done. A mark of another process's record
 * is watched: somebody who waits, or the lookout among the workers, looks at the page. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/shm.h"
#include "cpu/cpu.h"

enum { PAGE = 4096 };

/* In the page. */
struct light {
    atomic_uint_least64_t recorded, done;
    atomic_int pid; /* who recorded last */
};

struct cpu_beacon {
    struct cpu_beacon *next;
    struct light *light;
    struct shm *shm; /* NULL: another process's */
    unsigned refs;
};

/* NULL: memory is short. Takes both. */
static struct cpu_beacon *wrap(void *page, struct shm *shm)
{
    struct cpu_beacon *b = page ? alloc_new(sizeof *b) : NULL;
    if (!b) {
        if (page)
            munmap(page, PAGE);
        shm_destroy(&shm);
        return NULL;
    }
    *b = (struct cpu_beacon){cpu.beacons, page, shm, 1};
    cpu.beacons = b;
    return b;
}

struct cpu_beacon *cpu_beacon_create(void)
{
    struct shm *shm = shm_create(PAGE);
    return shm ? wrap(shm_map(shm, NULL, 0, PAGE), shm) : NULL;
}

struct cpu_beacon *cpu_beacon_retain(struct cpu_beacon *beacon)
{
    if (beacon)
        beacon->refs++;
    return beacon;
}

void cpu_beacon_release(struct cpu_beacon *beacon)
{
    struct cpu_beacon **p = &cpu.beacons;
    if (!beacon || --beacon->refs)
        return;
    while (*p != beacon)
        p = &(*p)->next;
    *p = beacon->next;
    munmap(beacon->light, PAGE);
    shm_destroy(&beacon->shm);
    alloc_free(beacon);
}

/* ---- what happens ---- */

void cpu_beacon_record(struct cpu_beacon *beacon, struct cpu_mark *mark)
{
    atomic_store(&beacon->light->pid, (int) getpid());
    mark->number = atomic_fetch_add(&beacon->light->recorded, 1) + 1;
    mark->beacon = beacon;
    beacon->refs++;
}

void cpu_beacon_light(struct cpu_mark *mark)
{
    struct light *light = mark->beacon->light;
    uint_least64_t done = atomic_load(&light->done);
    while (done < mark->number && !atomic_compare_exchange_weak(&light->done, &done, mark->number))
        continue;
}

/* A process that has ended lights nothing any more: nobody waits for it. */
static bool is_lit(const struct cpu_beacon *beacon, uint64_t number)
{
    struct light *light = beacon->light;
    return atomic_load(&light->done) >= number ||
           (kill(atomic_load(&light->pid), 0) != 0 && errno == ESRCH);
}

CUresult cpu_event_mark(struct cpu_mark **out, struct cpu_event *e)
{
    struct cpu_mark *m = e->mark;
    *out = NULL;
    uint64_t number = e->beacon ? atomic_load(&e->beacon->light->recorded) : 0;
    if (!e->beacon || (m && m->number == number)) {
        *out = m && !m->done ? m : NULL;
        return CUDA_SUCCESS;
    }
    if (is_lit(e->beacon, number))
        return CUDA_SUCCESS;
    m = cpu_workers_need() == 0 ? alloc_zero(1, sizeof *m) : NULL;
    if (!m)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *m = (struct cpu_mark){.refs = 1, .number = number, .beacon = e->beacon, .next = cpu.watched};
    e->beacon->refs++;
    cpu.watched = m;
    cpu_mark_release(e->mark);
    *out = e->mark = m;
    pthread_cond_signal(&cpu.work);
    return CUDA_SUCCESS;
}

void cpu_beacon_forget(struct cpu_mark *mark)
{
    struct cpu_mark **p = &cpu.watched;
    while (*p && *p != mark)
        p = &(*p)->next;
    if (*p)
        *p = mark->next;
    cpu_beacon_release(mark->beacon);
}

void cpu_watch(void)
{
    bool changed = false;
    for (struct cpu_mark **p = &cpu.watched; *p;) {
        struct cpu_mark *m = *p;
        if (!is_lit(m->beacon, m->number)) {
            p = &m->next;
            continue;
        }
        *p = m->next;
        m->time = cpu_now();
        m->done = changed = true;
    }
    if (!changed)
        return;
    cpu_settle();
    if (cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
}

/* ---- handles ---- */

CUresult cpu_cuIpcGetEventHandle(CUipcEventHandle *out, CUevent event)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    const struct cpu_event *e = cpu_handle_get(CPU_EVENT, event);
    if (!e)
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    if (!out)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (!e->beacon || !e->beacon->shm)
        return cpu_leave(cpu_refuse(CUDA_ERROR_INVALID_HANDLE,
                                    "the event was not made here with the flag INTERPROCESS"));
    struct cpu_ticket t = {.fd = e->beacon->shm->fd, .size = PAGE, .bytes = PAGE};
    t.token = shm_token(e->beacon->shm, 0);
    cpu_ticket_write(out->bytes, &t, CPU_TICKET_EVENT);
    return cpu_leave(t.token ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

CUresult cpu_cuIpcOpenEventHandle(CUevent *event, CUipcEventHandle handle)
{
    struct cpu_context *c = NULL;
    struct cpu_ticket t;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!event)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_ticket_read(&t, handle.bytes, CPU_TICKET_EVENT)))
        return cpu_leave(code);
    void *page;
    if (t.size != PAGE || (code = cpu_ticket_map(&page, &t)))
        return cpu_leave(code ? code : CUDA_ERROR_INVALID_HANDLE);
    struct cpu_beacon *beacon = wrap(page, NULL);
    if (!beacon)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    code = cpu_event_create(event, c, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS, beacon);
    cpu_beacon_release(beacon);
    return cpu_leave(code);
}

/* ---- forks: a child's events are its own, those of other processes stay theirs ---- */

void cpu_beacons_before_fork(void)
{
    for (struct cpu_beacon *b = cpu.beacons; b; b = b->next)
        if (b->shm)
            shm_before_fork(b->shm);
}

void cpu_beacons_after_fork(bool in_child)
{
    for (struct cpu_beacon *b = cpu.beacons; b; b = b->next) {
        if (!b->shm)
            continue;
        if (!in_child)
            shm_after_fork_in_parent(b->shm);
        else if (shm_after_fork_in_child(b->shm))
            shm_map(b->shm, b->light, 0, PAGE);
    }
}

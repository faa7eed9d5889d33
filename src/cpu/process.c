/* The device in the process: initialisation, forks, the end; texts of errors; where output goes and
 * who may interrupt. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum { FORK_PATIENCE = 20 /* times 50 ms */ };

struct cpu_driver cpu = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Of its own: it is read inside launches. */
static struct {
    pthread_mutex_t lock;
    drv_print_fn *print;
    void *user;
} output = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static _Thread_local struct cpu_thread *own_thread;

/* ---- threads ---- */

static void forget_thread(void *arg)
{
    struct cpu_thread *t = arg;
    own_thread = NULL;
    pthread_mutex_lock(&cpu.lock);
    for (struct cpu_context *c = cpu.contexts; c; c = c->next) {
        for (struct cpu_stream *s = c->streams, *next; s; s = next) {
            next = s->next;
            if (s->thread != t->serial)
                continue;
            s->destroyed = true;
            cpu_stream_release(s);
        }
    }
    pthread_mutex_unlock(&cpu.lock);
    vec_fini(&t->stack);
    alloc_free(t);
}

struct cpu_thread *cpu_thread(void)
{
    static atomic_uint_least64_t seen;
    if (own_thread)
        return own_thread;
    struct cpu_thread *t = alloc_zero(1, sizeof *t);
    if (!t)
        return NULL;
    t->serial = atomic_fetch_add(&seen, 1) + 1;
    if (pthread_setspecific(thread_key, t) != 0) {
        alloc_free(t);
        return NULL;
    }
    own_thread = t;
    return t;
}

/* ---- forks: the child has a copy of everything but the threads ---- */

/* Nobody is inside an operation when the process is copied, so that the child can go on with all of
 * them. Whoever does not come out in time (a host function of the program's) loses its operation in
 * the child. */
static void before_fork(void)
{
    pthread_mutex_lock(&cpu.lock);
    cpu.paused = true;
    for (int i = 0; cpu.inside > cpu_own_inside && i < FORK_PATIENCE; i++) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_nsec += 50000000;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        cpu.waiters++;
        pthread_cond_timedwait(&cpu.done, &cpu.lock, &t);
        cpu.waiters--;
    }
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        simt_space_before_fork(c->space);
    cpu_beacons_before_fork();
    cpu_vmm_before_fork();
    pthread_mutex_lock(&output.lock);
}

static void after_fork_in_parent(void)
{
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        simt_space_after_fork_in_parent(c->space);
    cpu_beacons_after_fork(false);
    cpu_vmm_after_fork(false);
    pthread_mutex_unlock(&output.lock);
    cpu.paused = false;
    pthread_cond_broadcast(&cpu.work);
    pthread_cond_broadcast(&cpu.done);
    pthread_mutex_unlock(&cpu.lock);
}

static void init_conditions(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cpu.work, &attr);
    pthread_cond_init(&cpu.done, &attr);
    pthread_condattr_destroy(&attr);
}

/* What other threads were inside of cannot be finished; what they waited for on their stacks is
 * gone with them. */
static void drop_lost(struct cpu_context *c, uint64_t self)
{
    bool lost = false;
    for (struct cpu_stream *s = c->streams; s; s = s->next) {
        if (s->head && s->head->users && !cpu_own_inside) {
            s->head->users = 0;
            lost = true;
        }
        cpu_drop_owned(s, self);
    }
    if (lost)
        cpu_fault(c, CUDA_ERROR_LAUNCH_FAILED,
                  "the operation was running in the parent process when it forked");
}

static void after_fork_in_child(void)
{
    init_conditions();
    pthread_mutex_unlock(&output.lock);
    cpu.paused = false;
    cpu.inside = cpu_own_inside;
    cpu.running = MIN(cpu.running, cpu_own_inside);
    cpu.waiters = cpu.asleep = cpu.worker_count = 0;
    cpu.lookout = false;
    workers_forget(&cpu.workers);
    cpu_beacons_after_fork(true);
    bool is_mapped = cpu_vmm_after_fork(true);
    for (struct cpu_context *c = cpu.contexts; c; c = c->next) {
        bool is_whole = simt_space_after_fork_in_child(c->space) && is_mapped;
        drop_lost(c, own_thread ? own_thread->serial : 0);
        c->lowering = 0; /* forks do not happen inside of it */
        if (!is_whole)
            cpu_fault(c, CUDA_ERROR_OUT_OF_MEMORY,
                      "the memory that other processes may open could not be copied when the "
                      "process forked");
    }
    pthread_mutex_unlock(&cpu.lock);
}

/* ---- the life of the device ---- */

static void init(void)
{
    struct cpu_device device;
    cpu_device_init(&device);
    bool ok = pthread_key_create(&thread_key, forget_thread) == 0 &&
              pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
    pthread_mutex_lock(&cpu.lock);
    init_conditions();
    cpu.device = device;
    cpu.initialised = ok;
    pthread_mutex_unlock(&cpu.lock);
}

/* What runs is stopped, and the workers go: the code they run is about to. Memory stays, other
 * threads may be looking at it. */
AT_UNLOAD_LAST static void end(void)
{
    pthread_mutex_lock(&cpu.lock);
    bool had_begun = cpu.initialised;
    cpu.ended = true;
    if (had_begun) {
        cpu_cancel(NULL, "the process ends");
        cpu.stop = true;
        pthread_cond_broadcast(&cpu.work);
        pthread_cond_broadcast(&cpu.done);
    }
    pthread_mutex_unlock(&cpu.lock);
    workers_join(&cpu.workers);
    if (had_begun)
        pthread_key_delete(thread_key);
}

CUresult cpu_cuInit(unsigned flags)
{
    if (flags)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_once(&once, init);
    CUresult code = cpu_enter();
    if (code)
        return code == CUDA_ERROR_NOT_INITIALIZED ? CUDA_ERROR_OPERATING_SYSTEM : code;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuDriverGetVersion(int *version)
{
    if (!version)
        return CUDA_ERROR_INVALID_VALUE;
    *version = CPU_CUDA_VERSION;
    return CUDA_SUCCESS;
}

CUresult cpu_enter(void)
{
    if (cpu_own_inside)
        return CUDA_ERROR_NOT_PERMITTED;
    pthread_mutex_lock(&cpu.lock);
    if (own_thread) {
        own_thread->text[0] = '\0';
        own_thread->failed = CUDA_SUCCESS;
    }
    if (cpu.ended)
        return cpu_leave(CUDA_ERROR_DEINITIALIZED);
    if (!cpu.initialised)
        return cpu_leave(CUDA_ERROR_NOT_INITIALIZED);
    return CUDA_SUCCESS;
}

CUresult cpu_leave(CUresult code)
{
    if (code && own_thread)
        own_thread->failed = code;
    pthread_mutex_unlock(&cpu.lock);
    return code;
}

/* ---- words ---- */

CUresult cpu_refuse(CUresult code, const char *format, ...)
{
    struct cpu_thread *t = cpu_thread();
    va_list args;
    if (!t)
        return code;
    t->text[0] = '\0';
    va_start(args, format);
    if (format)
        vsnprintf(t->text, sizeof t->text, format, args);
    va_end(args);
    return code;
}

CUresult cpu_runcuFaultText(const char **text)
{
    if (!text)
        return CUDA_ERROR_INVALID_VALUE;
    *text = "";
    if (cpu_own_inside)
        return CUDA_ERROR_NOT_PERMITTED;
    pthread_mutex_lock(&cpu.lock);
    const struct cpu_thread *t = cpu.initialised && !cpu.ended ? own_thread : NULL;
    const struct cpu_context *c = t ? cpu_current() : NULL;
    if (c && c->fault && t->failed == c->fault)
        *text = c->fault_text;
    else if (t)
        *text = t->text;
    pthread_mutex_unlock(&cpu.lock);
    return CUDA_SUCCESS;
}

CUresult cpu_cuGetErrorString(CUresult code, const char **text)
{
    if (!text)
        return CUDA_ERROR_INVALID_VALUE;
    *text = drv_result_text(code);
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cpu_cuGetErrorName(CUresult code, const char **name)
{
    if (!name)
        return CUDA_ERROR_INVALID_VALUE;
    *name = drv_result_name(code);
    return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- output, interrupts ---- */

void cpu_print(void *user, const char *text, size_t len)
{
    (void) user;
    pthread_mutex_lock(&output.lock);
    drv_print_fn *print = output.print;
    void *to = output.user;
    pthread_mutex_unlock(&output.lock);
    if (print) {
        print(to, text, len);
        return;
    }
    fwrite(text, 1, len, stdout);
    fflush(stdout);
}

CUresult cpu_runcuSetPrint(drv_print_fn *print, void *user)
{
    pthread_mutex_lock(&output.lock);
    output.print = print;
    output.user = user;
    pthread_mutex_unlock(&output.lock);
    return CUDA_SUCCESS;
}

CUresult cpu_runcuSetInterrupt(drv_interrupt_fn *interrupt, void *user)
{
    pthread_mutex_lock(&cpu.lock);
    cpu.interrupt = interrupt;
    cpu.interrupt_user = user;
    pthread_mutex_unlock(&cpu.lock);
    return CUDA_SUCCESS;
}

CUresult cpu_cuProfilerStart(void)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    return code ? code : cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuProfilerStop(void)
{
    return cpu_cuProfilerStart();
}

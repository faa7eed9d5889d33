/* Loads and initialises drivers, each at most once, and chooses the default one. Also what holds
 * for all of them: the callbacks, forks, the end of the process. */
#include "core.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/capture.h"
#include "base/str.h"
#include "launch.h"
#include "machine.h"

/* Guards the list of drivers and the lists of contexts. No callback is ever called under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool has_lock;
static struct core_driver *drivers;
static struct core_driver *_Atomic default_driver;
static bool has_exit;

static runcu_print_fn *print_fn;
static void *print_user;
static runcu_interrupt_fn *_Atomic interrupt_fn;
static void *_Atomic interrupt_user;
atomic_bool core_has_interrupt;

/* Why a driver could not be had: kept aside, since the failure of one choice may be the success of
 * the next. */
struct attempt {
    int status, code;
    const char *routine;
    struct str why;
};

void core_lock(void)
{
    pthread_mutex_lock(&lock);
    has_lock = true;
}

void core_unlock(void)
{
    has_lock = false;
    pthread_mutex_unlock(&lock);
}

bool core_has_lock(void)
{
    return has_lock;
}

struct core_driver *core_driver_peek(void)
{
    return atomic_load_explicit(&default_driver, memory_order_acquire);
}

struct core_driver *core_driver_next(const struct core_driver *before)
{
    core_lock();
    struct core_driver *d = before ? before->next : drivers;
    while (d && !d->is_ready)
        d = d->next;
    core_unlock();
    return d;
}

/* The hooks are registered anew with each driver, since ours must come before the driver's, as
 * elsewhere: the outermost ones count. */
static _Thread_local int forks;

static void before_fork(void)
{
    if (forks++)
        return;
    core_lock();
    core_pools_lock();
    capture_before_fork();
}

static void end_fork(bool in_child)
{
    if (--forks)
        return;
    capture_after_fork(in_child);
    core_pools_unlock();
    core_unlock();
}

static void after_fork(void)
{
    end_fork(false);
}

/* A GPU does not follow into a child, but a CPU device does; what the parent launched, the parent
 * waits for. */
static void in_child(void)
{
    if (forks == 1) {
        for (struct core_driver *d = drivers; d; d = d->next)
            if (d->is_ready && !d->is_cpu)
                d->cu = drv_forked;
        core_contexts_forget_work();
    }
    end_fork(true);
}

/* Registered after the first driver is up, so that it runs before the driver's own end. */
static void at_exit(void)
{
    interrupt_fn = NULL; /* nobody is there any more to be asked */
    atomic_store(&core_has_interrupt, false);
    core_contexts_finish();
}

static void add_hooks(void)
{
    pthread_atfork(before_fork, after_fork, in_child);
    has_exit = has_exit || atexit(at_exit) == 0;
}

bool core_ask_interrupt(void)
{
    runcu_interrupt_fn *ask = interrupt_fn;
    return ask && ask(interrupt_user);
}

static int ask_interrupt(void *user)
{
    (void) user;
    return core_ask_interrupt();
}

static CUresult apply_print(struct core_driver *driver)
{
    return driver->cu.runcuSetPrint ? driver->cu.runcuSetPrint(print_fn, print_user) : CUDA_SUCCESS;
}

static CUresult apply_interrupt(struct core_driver *driver)
{
    if (!driver->cu.runcuSetInterrupt)
        return CUDA_SUCCESS;
    return driver->cu.runcuSetInterrupt(interrupt_fn ? ask_interrupt : NULL, NULL);
}

static int refuse(struct attempt *a, int status, const char *text)
{
    str_add(&a->why, text);
    return a->status = status;
}

/* A line break, and then what to do. */
static void add_lines(struct attempt *a, const struct str *lines)
{
    if (lines->len)
        str_addf(&a->why, "\n%.*s", (int) lines->len - 1, lines->at);
}

static int refuse_code(struct attempt *a, const char *routine, CUresult code)
{
    const char *text = drv_result_text(code);
    struct str more = {0};
    str_addf(&a->why, "%s failed: %s", routine, text ? text : "unknown error");
    machine_explain_code(&more, "", code);
    add_lines(a, &more);
    str_fini(&more);
    a->code = code;
    a->routine = routine;
    return a->status = code == CUDA_ERROR_NO_DEVICE ? RUNCU_ERROR_NO_DEVICE : RUNCU_ERROR_DRIVER;
}

static int refuse_library(struct attempt *a, bool is_nvidia)
{
    struct str more = {0};
    if (is_nvidia)
        machine_explain_missing(&more, "", str_text(&a->why));
    add_lines(a, &more);
    str_fini(&more);
    return a->status = RUNCU_ERROR_NO_DRIVER;
}

static int refuse_old(struct attempt *a, int version)
{
    struct str more = {0};
    str_addf(&a->why, "the driver is of CUDA %d.%d: R525 (CUDA 12.0) or newer is needed",
             version / 1000, version % 1000 / 10);
    machine_explain_old(&more, "");
    add_lines(a, &more);
    str_fini(&more);
    return a->status = RUNCU_ERROR_NO_DRIVER;
}

static int refuse_empty(struct attempt *a)
{
    struct str more = {0};
    refuse(a, RUNCU_ERROR_NO_DEVICE, "the driver has no device");
    machine_explain_code(&more, "", CUDA_ERROR_NO_DEVICE);
    add_lines(a, &more);
    str_fini(&more);
    return a->status;
}

static int load(struct core_driver *driver, struct attempt *a)
{
    if (strcmp(driver->name, "cpu") == 0) {
        driver->cu = cpu_table;
        if (!driver->cu.cuInit)
            return refuse(a, RUNCU_ERROR_NO_DRIVER,
                          "this library was built without the CPU device");
    } else {
        bool is_nvidia = strcmp(driver->name, "cuda") == 0;
        const char *path = is_nvidia ? "libcuda.so.1" : driver->name;
        str_add(&a->why, "the CUDA driver does not load: ");
        if (drv_load(&driver->cu, path, &a->why) != 0)
            return refuse_library(a, is_nvidia);
        str_clear(&a->why);
    }
    driver->is_cpu = driver->cu.runcuSetPrint != NULL;
    return 0;
}

/* With the lock held, once `driver` is ready: each driver learns of the CPU device. Of several of
 * them, which only tests have, of the first. */
static void introduce(struct core_driver *driver)
{
    struct core_driver *known = NULL;
    for (struct core_driver *d = drivers; d; d = d->next) {
        if (driver->is_cpu && d->is_ready && !atomic_load(&d->cpu_device))
            atomic_store(&d->cpu_device, driver);
        if (d->is_cpu && d->is_ready)
            known = d;
    }
    if (!driver->is_cpu)
        atomic_store(&driver->cpu_device, known);
}

static int initialise(struct core_driver *driver, struct attempt *a)
{
    CUresult code = driver->cu.cuInit(0);
    if (code)
        return refuse_code(a, "cuInit", code);
    int version = 0;
    code = driver->cu.cuDriverGetVersion(&version);
    if (code)
        return refuse_code(a, "cuDriverGetVersion", code);
    if (version < 12000)
        return refuse_old(a, version);
    code = driver->cu.cuDeviceGetCount(&driver->device_count);
    if (code)
        return refuse_code(a, "cuDeviceGetCount", code);
    if (core_devices_create(driver) != 0)
        return refuse(a, RUNCU_ERROR_MEMORY, runcu_status_text(RUNCU_ERROR_MEMORY));
    apply_print(driver);
    apply_interrupt(driver);
    add_hooks();
    driver->is_ready = true;
    introduce(driver);
    return 0;
}

static struct core_driver *find(const char *name)
{
    struct core_driver *d = drivers;
    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    return d;
}

static void discard(struct core_driver *driver)
{
    if (driver)
        alloc_free(driver->name);
    alloc_free(driver);
}

/* With the lock held. A driver that loads but does not initialise stays, and is asked again the
 * next time. */
static int open_named(struct core_driver **out, const char *name, struct attempt *a)
{
    bool is_path = strchr(name, '/') || strstr(name, ".so");
    if (!is_path && strcmp(name, "cuda") != 0 && strcmp(name, "cpu") != 0) {
        str_addf(&a->why, "no driver is called \"%s\": \"cuda\", \"cpu\" or the path of a library",
                 name);
        return a->status = RUNCU_ERROR_ARGUMENT;
    }
    struct core_driver *driver = find(name);
    if (!driver) {
        driver = alloc_zero(1, sizeof *driver);
        if (!driver || !(driver->name = alloc_string(name))) {
            discard(driver);
            return refuse(a, RUNCU_ERROR_MEMORY, runcu_status_text(RUNCU_ERROR_MEMORY));
        }
        if (load(driver, a) != 0) {
            discard(driver);
            return a->status;
        }
        driver->next = drivers;
        drivers = driver;
    }
    if (!driver->is_ready && initialise(driver, a) != 0)
        return a->status;
    *out = driver;
    return 0;
}

/* With the lock held. `warning` receives what the log should be told afterwards. */
static int choose(struct core_driver **out, struct attempt *a, struct str *warning)
{
    const char *wanted = getenv("RUNCU_DEVICE");
    if (wanted && *wanted) {
        int status = open_named(out, wanted, a);
        if (status)
            str_addf(&a->why, "\nRUNCU_DEVICE=%s asks for this driver.", wanted);
        return status;
    }
    struct core_driver *cuda = NULL;
    if (open_named(&cuda, "cuda", a) == 0 && cuda->device_count > 0) {
        *out = cuda;
        return 0;
    }
    if (cuda)
        refuse_empty(a);
    struct attempt cpu = {0};
    if (open_named(out, "cpu", &cpu) == 0) {
        str_addf(
            warning,
            "no GPU is used (%.*s): kernels run on the CPU device. RUNCU_DEVICE=cpu chooses it "
            "without this warning; `runcu doctor` says more.",
            (int) strcspn(str_text(&a->why), "\n"), str_text(&a->why));
        a->status = 0;
    } else {
        str_addf(&a->why, "\nNor is there the CPU device: %s.", str_text(&cpu.why));
    }
    str_fini(&cpu.why);
    return a->status;
}

static int open_default(struct core_driver **out, struct attempt *a, struct str *warning)
{
    *out = atomic_load(&default_driver);
    int status = *out ? 0 : choose(out, a, warning);
    if (status == 0)
        atomic_store(&default_driver, *out);
    return status;
}

static int fail_attempt(const struct attempt *a)
{
    const char *text = a->why.failed ? runcu_status_text(a->status) : str_text(&a->why);
    const char *rest = strchr(text, '\n');
    int status =
        runcu_fail(a->status, "%.*s", (int) (rest ? rest - text : (long) strlen(text)), text);
    if (rest)
        runcu_fail_detail("%s", rest + 1);
    if (a->code)
        runcu_fail_code(a->code, drv_result_name(a->code), a->routine);
    return status;
}

int core_driver_open(struct core_driver **out, const char *name)
{
    *out = name ? NULL : core_driver_peek();
    if (*out)
        return 0;
    struct attempt a = {0};
    struct str warning = {0};
    core_lock();
    int status = name ? open_named(out, name, &a) : open_default(out, &a, &warning);
    core_unlock();
    if (status)
        fail_attempt(&a);
    if (warning.len)
        core_log(RUNCU_LOG_WARNING, "device", "%s", str_text(&warning));
    str_fini(&a.why);
    str_fini(&warning);
    return status;
}

int runcu_init(const char *name)
{
    struct core_driver *driver;
    int status = core_driver_open(&driver, name);
    if (status == 0 && name)
        atomic_store(&default_driver, driver);
    return status;
}

bool core_has_print(void)
{
    return print_fn != NULL;
}

void core_print(const char *text, size_t len)
{
    runcu_print_fn *print = print_fn;
    if (print)
        print(print_user, text, len);
}

int runcu_set_print(runcu_print_fn *print, void *user)
{
    int status = 0;
    core_lock();
    print_fn = print;
    print_user = user;
    for (struct core_driver *d = drivers; d && !status; d = d->next)
        status = core_check(d, "runcuSetPrint", d->is_ready ? apply_print(d) : CUDA_SUCCESS);
    core_unlock();
    return status;
}

int runcu_set_interrupt(runcu_interrupt_fn *interrupt, void *user)
{
    int status = 0;
    core_lock();
    interrupt_user = user;
    interrupt_fn = interrupt;
    atomic_store(&core_has_interrupt, interrupt != NULL);
    for (struct core_driver *d = drivers; d && !status; d = d->next)
        status =
            core_check(d, "runcuSetInterrupt", d->is_ready ? apply_interrupt(d) : CUDA_SUCCESS);
    core_unlock();
    return status;
}

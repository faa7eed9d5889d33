/* Drivers that do not load, do not start or are not there, and the record of failures. Each case in
 * a process of its own. */
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "fake_driver.h"

static char log_text[4096];
static int log_count;

static void keep_log(void *user, int level, const char *category, const char *text)
{
    REQUIRE(user == &log_count);
    REQUIRE_INT(level, ==, RUNCU_LOG_WARNING);
    log_count++;
    snprintf(log_text, sizeof log_text, "%s: %s", category, text);
}

static void every_status_has_a_text(void)
{
    for (int status = 0; status >= -19; status--)
        REQUIRE(runcu_status_text(status) && *runcu_status_text(status));
    REQUIRE(!runcu_status_text(-20));
    REQUIRE(!runcu_status_text(1));
    REQUIRE_STR(runcu_result_name(700), "CUDA_ERROR_ILLEGAL_ADDRESS");
    REQUIRE_STR(runcu_result_text(700), "an illegal memory access was encountered");
    REQUIRE_STR(runcu_result_text(999), "unknown error");
    REQUIRE(!runcu_result_name(998));
    REQUIRE(!runcu_result_text(-1));
}

static void codes_belong_to_pycudas_families(void)
{
    static const struct {
        int code;
        const char *family;
    } known[] = {
        {2, "MemoryError"},    {100, "RuntimeError"}, {209, "RuntimeError"}, {214, "RuntimeError"},
        {301, "RuntimeError"}, {600, "RuntimeError"}, {701, "LaunchError"},  {702, "LaunchError"},
        {703, "LaunchError"},  {719, "LaunchError"},  {999, "Error"},
    };
    for (int code = 1; code < 1000; code++) {
        const char *family = runcu_result_name(code) ? "LogicError" : "Error";
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            family = known[i].code == code ? known[i].family : family;
        REQUIRE_STR(runcu_result_class(code), family);
    }
}

static void nothing_failed_yet(void)
{
    runcu_error e;
    runcu_error_get(&e);
    REQUIRE_INT(e.status, ==, 0);
    REQUIRE_STR(e.message, "");
    REQUIRE_STR(e.detail, "");
    REQUIRE_STR(e.name, "");
    REQUIRE_STR(e.routine, "");
    REQUIRE_STR(runcu_error_text(), "");
}

static void *fail_in_thread(void *unused)
{
    (void) unused;
    REQUIRE_STR(runcu_error_text(), "");
    REQUIRE_FAILS(runcu_init("tomato"), RUNCU_ERROR_ARGUMENT, "tomato");
    return NULL;
}

static void records_are_per_thread_and_outlast_success(void)
{
    pthread_t thread;
    REQUIRE_FAILS(runcu_init("banana"), RUNCU_ERROR_ARGUMENT, "no driver is called \"banana\"");
    REQUIRE_INT(pthread_create(&thread, NULL, fail_in_thread, NULL), ==, 0);
    REQUIRE_INT(pthread_join(thread, NULL), ==, 0);
    REQUIRE_OK(runcu_init(getenv("FAKE_DRIVER")));
    REQUIRE_IN("banana", runcu_error_text());
}

static void a_library_that_is_not_there(void)
{
    runcu_device *device = (runcu_device *) &log_count;
    REQUIRE_FAILS(runcu_init("/nowhere/libcuda.so.1"), RUNCU_ERROR_NO_DRIVER,
                  "/nowhere/libcuda.so.1");
    REQUIRE_FAILS(runcu_device_open(&device, "/nowhere/libcuda.so.1", 0), RUNCU_ERROR_NO_DRIVER,
                  "nowhere");
    REQUIRE(!device);
    setenv("RUNCU_DEVICE", "/nowhere/else.so", 1);
    REQUIRE_FAILS(runcu_init(NULL), RUNCU_ERROR_NO_DRIVER, "RUNCU_DEVICE=/nowhere/else.so");
    setenv("RUNCU_DEVICE", "gpu", 1);
    REQUIRE_FAILS(runcu_init(NULL), RUNCU_ERROR_ARGUMENT, "\"cuda\", \"cpu\"");
}

static void a_driver_without_a_required_symbol(void)
{
    const char *path = getenv("FAKE_OLD_DRIVER");
    REQUIRE_FAILS(runcu_init(path), RUNCU_ERROR_NO_DRIVER, "no symbol cuMemGetInfo_v2");
    REQUIRE_IN("R525 (CUDA 12.0) or newer", runcu_error_text());
    REQUIRE_IN(path, runcu_error_text());
}

static void a_driver_that_is_too_old(void)
{
    setenv("FAKE_VERSION", "11040", 1);
    REQUIRE_FAILS(runcu_init(getenv("FAKE_DRIVER")), RUNCU_ERROR_NO_DRIVER, "CUDA 11.4");
    setenv("FAKE_VERSION", "12000", 1);
    REQUIRE_OK(runcu_init(getenv("FAKE_DRIVER")));
}

static void a_driver_that_does_not_start_is_asked_again(void)
{
    runcu_error e;
    setenv("FAKE_CUINIT", "100", 1);
    REQUIRE_FAILS(runcu_init(getenv("FAKE_DRIVER")), RUNCU_ERROR_NO_DEVICE,
                  "cuInit failed: no CUDA-capable device is detected");
    runcu_error_get(&e);
    REQUIRE_INT(e.code, ==, CUDA_ERROR_NO_DEVICE);
    REQUIRE_STR(e.name, "CUDA_ERROR_NO_DEVICE");
    REQUIRE_STR(e.routine, "cuInit");
    setenv("FAKE_CUINIT", "803", 1);
    REQUIRE_FAILS(runcu_init(getenv("FAKE_DRIVER")), RUNCU_ERROR_DRIVER,
                  "unsupported display driver");
    unsetenv("FAKE_CUINIT");
    REQUIRE_OK(runcu_init(getenv("FAKE_DRIVER")));
}

static void codes_of_the_future_have_the_drivers_words(void)
{
    struct fake fake = fake_open("FAKE_DRIVER");
    runcu_error e;
    runcu_mem *mem;
    REQUIRE_OK(runcu_init(fake.path));
    fake.fail("cuMemAlloc", 12345, 1);
    REQUIRE_FAILS(runcu_mem_alloc(&mem, 1), RUNCU_ERROR_DRIVER,
                  "cuMemAlloc failed: a code of the future");
    runcu_error_get(&e);
    REQUIRE_STR(e.name, "CUDA_ERROR_FUTURE");
    fake.fail("cuMemAlloc", 12346, 1);
    REQUIRE_FAILS(runcu_mem_alloc(&mem, 1), RUNCU_ERROR_DRIVER, "cuMemAlloc failed: unknown error");
}

static void the_cpu_device_tells_where(void)
{
    struct fake fake = fake_open("FAKE_CPU_DRIVER");
    runcu_error e;
    runcu_device *device;
    REQUIRE_OK(runcu_init(fake.path));
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_INT(runcu_device_is_cpu(device), ==, 1);
    fake.fail("cuCtxSynchronize", CUDA_ERROR_ILLEGAL_ADDRESS, 1);
    REQUIRE_FAILS(
        runcu_context_synchronize(NULL), RUNCU_ERROR_DRIVER,
        "cuCtxSynchronize failed: an illegal memory access was encountered\nthread (1, 0, 0)");
    runcu_error_get(&e);
    REQUIRE_STR(e.detail, "thread (1, 0, 0) of block (0, 0, 0) read past an allocation\n"
                          "Nothing more can be done in the context. Detach it, and go on in "
                          "another: the device is as good as before.");
    REQUIRE_STR(e.message, "cuCtxSynchronize failed: an illegal memory access was encountered");
    runcu_mem *mem;
    fake.fail("cuMemAlloc", CUDA_ERROR_OUT_OF_MEMORY, 1);
    REQUIRE(runcu_mem_alloc(&mem, 1) != 0);
    REQUIRE_NOT_IN("thread", runcu_error_text()); /* an old fault is no reason for this */
}

static void a_spoilt_context_says_since_when(void)
{
    struct fake fake = fake_open("FAKE_DRIVER");
    runcu_context *context;
    runcu_device *device;
    runcu_mem *mem;
    REQUIRE_OK(runcu_init(fake.path));
    REQUIRE_OK(runcu_device_default(&device));
    fake.fail("cuCtxSynchronize", CUDA_ERROR_MISALIGNED_ADDRESS, 1);
    fake.fail("cuMemAlloc", CUDA_ERROR_MISALIGNED_ADDRESS, 1);
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_DRIVER,
                  "cuCtxSynchronize failed: misaligned address\nNothing more can be done in the "
                  "context. It is the GPU's primary context, which cannot be made anew: start the "
                  "program again.");
    REQUIRE_FAILS(runcu_mem_alloc(&mem, 1), RUNCU_ERROR_DRIVER,
                  "cuMemAlloc failed: misaligned address\nNothing can be done in the context since "
                  "an earlier call told of a kernel's fault (cuCtxSynchronize failed: misaligned "
                  "address). It is");
    REQUIRE_OK(runcu_context_create(&context, device, 0));
    REQUIRE_FAILS(runcu_mem_alloc(&mem, 1), RUNCU_ERROR_DRIVER,
                  "cuMemAlloc failed: misaligned address\nNothing more can be done in the "
                  "context. Detach it and make another, or start the program again.");
    fake.fail("cuCtxSynchronize", 0, 1);
    REQUIRE_OK(runcu_context_detach(context));
    runcu_context_release(&context);
}

static int yes(void *user)
{
    return ++*(int *) user > 1; /* not when the driver tries it out */
}

static void an_interrupt_is_no_timeout(void)
{
    struct fake fake = fake_open("FAKE_CPU_DRIVER");
    int asked = 0;
    REQUIRE_OK(runcu_init(fake.path));
    fake.state->cancels = 1;
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_DRIVER, "the launch timed out");
    REQUIRE_OK(runcu_set_interrupt(yes, &asked));
    REQUIRE_INT(asked, ==, 1);
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_INTERRUPTED,
                  "cuCtxSynchronize was interrupted");
    REQUIRE_OK(runcu_set_interrupt(NULL, NULL));
    REQUIRE_FAILS(runcu_context_synchronize(NULL), RUNCU_ERROR_DRIVER, "timed out");
}

static void keep_print(void *user, const char *text, size_t len)
{
    REQUIRE_INT(len, ==, 5);
    memcpy(user, text, len);
}

static void print_reaches_drivers_loaded_later(void)
{
    struct fake fake = fake_open("FAKE_CPU_DRIVER");
    char text[6] = "";
    REQUIRE_OK(runcu_set_print(keep_print, text));
    REQUIRE_STR(text, "");
    REQUIRE_OK(runcu_init(fake.path));
    REQUIRE_STR(text, "hello");
    REQUIRE_INT(fake.calls("runcuSetPrint"), ==, 1);
}

static void without_a_gpu_the_default_is_said_once(void)
{
    runcu_device *device;
    unsetenv("RUNCU_DEVICE");
    runcu_set_log(keep_log, &log_count);
    int status = runcu_device_default(&device);
    if (status) { /* built without the CPU device, and no GPU */
        REQUIRE_INT(log_count, ==, 0);
        REQUIRE_IN("built without the CPU device", runcu_error_text());
        return;
    }
    REQUIRE_INT(log_count, ==, runcu_device_is_cpu(device));
    if (runcu_device_is_cpu(device)) {
        REQUIRE_IN("device: no GPU is used (", log_text);
        REQUIRE_IN("RUNCU_DEVICE=cpu", log_text);
        REQUIRE_STR(runcu_device_driver(device), "cpu");
        REQUIRE_STR(runcu_error_text(), ""); /* what was tried in between is no failure */
    }
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_OK(runcu_device_default(&device));
    REQUIRE_INT(log_count, ==, runcu_device_is_cpu(device));
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    RUN_ALONE(every_status_has_a_text);
    RUN_ALONE(codes_belong_to_pycudas_families);
    RUN_ALONE(nothing_failed_yet);
    RUN_ALONE(records_are_per_thread_and_outlast_success);
    RUN_ALONE(a_library_that_is_not_there);
    RUN_ALONE(a_driver_without_a_required_symbol);
    RUN_ALONE(a_driver_that_is_too_old);
    RUN_ALONE(a_driver_that_does_not_start_is_asked_again);
    RUN_ALONE(codes_of_the_future_have_the_drivers_words);
    RUN_ALONE(the_cpu_device_tells_where);
    RUN_ALONE(a_spoilt_context_says_since_when);
    RUN_ALONE(an_interrupt_is_no_timeout);
    RUN_ALONE(print_reaches_drivers_loaded_later);
    RUN_ALONE(without_a_gpu_the_default_is_said_once);
    return 0;
}

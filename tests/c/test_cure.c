/* Words for what cannot be had: every code has a cause and a cure, and a driver that does not start
 * is explained by what the machine shows. */
#include "runcu/runcu.h"
#include "test.h"

#include <errno.h>
#include <sys/stat.h>

#include "core/environment.h"
#include "core/machine.h"
#include "fake_driver.h"

static char root[4096];
static struct str said;

static void put(const char *name, const char *text)
{
    char path[8192];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *p = path + strlen(root) + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(path, 0755);
            *p = '/';
        }
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void start(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/runcu-test-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    REQUIRE(mkdtemp(root) != NULL && chmod(root, 0755) == 0);
    unsetenv("CUDA_VISIBLE_DEVICES");
}

static void end(void)
{
    char command[8192];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    REQUIRE_INT(system(command), ==, 0);
    str_fini(&said);
}

static const char *explain_code(int code)
{
    str_clear(&said);
    machine_explain_code(&said, root, code);
    return str_text(&said);
}

static const char *explain_missing(const char *reason)
{
    str_clear(&said);
    machine_explain_missing(&said, root, reason);
    return str_text(&said);
}

static const char absent[] =
    "libcuda.so.1: cannot open shared object file: No such file or directory";
static const char module[] =
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23\n"
    "GCC version:  gcc version 12.2.0\n";

static void every_code_has_a_cure(void)
{
    int count = 0;
    for (int status = 0; runcu_status_text(status); status--, count++) {
        REQUIRE(runcu_status_cause(status) && *runcu_status_cause(status));
        REQUIRE(runcu_status_cure(status) && *runcu_status_cure(status));
    }
    REQUIRE_INT(count, >=, 18);
    REQUIRE(!runcu_status_cause(1) && !runcu_status_cure(-1000));
    for (int code = 0; code < 1100; code++)
        REQUIRE(!runcu_result_name(code) == !runcu_result_cure(code));
    REQUIRE(!runcu_result_cure(-5));
}

static void a_machine_without_gpu(void)
{
    REQUIRE(!machine_has_gpu(root));
    REQUIRE_STR(explain_missing(absent), "No GPU of NVIDIA's is seen on this machine.\n");
    put("/sys/bus/pci/devices/0000:00:1f.3/vendor", "0x10de\n"); /* a GPU's sound */
    put("/sys/bus/pci/devices/0000:00:1f.3/class", "0x040300\n");
    put("/sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
    put("/sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
    REQUIRE(!machine_has_gpu(root));
}

static void a_gpu_without_driver(void)
{
    put("/sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
    put("/sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
    REQUIRE(machine_has_gpu(root));
    REQUIRE_IN("There is a GPU, but no driver: install NVIDIA's, R525", explain_missing(absent));
    REQUIRE_NOT_IN("--gpus", explain_missing(absent));
    REQUIRE_IN("kernel module is not loaded: sudo modprobe nvidia", explain_code(100));
    put("/.dockerenv", "");
    REQUIRE_IN("--gpus all", explain_missing(absent));
    REQUIRE_IN("--gpus all", explain_code(100));
}

static void a_module_without_library(void)
{
    put("/proc/driver/nvidia/version", module);
    REQUIRE_IN(
        "kernel module 570.86.15 is loaded, but its libcuda.so.1 is not on the loader's path",
        explain_missing(absent));
    REQUIRE_IN("of version 570.86.15", explain_code(803));
    REQUIRE_IN("restart the machine", explain_code(803));
    str_clear(&said);
    machine_explain_old(&said, root);
    REQUIRE_IN("570.86.15", str_text(&said));
    REQUIRE_IN("Install a newer driver", str_text(&said));
    REQUIRE_IN("there is no /dev/nvidiactl: nvidia-modprobe", explain_code(100));
    static const char open[] =
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  "
        "Release Build\n";
    put("/proc/driver/nvidia/version", open);
    str_clear(&said);
    REQUIRE(machine_module_version(&said, root));
    REQUIRE_STR(said.at, "580.65.06");
    put("/proc/driver/nvidia/version", "nothing of the kind, Module x");
    str_clear(&said);
    REQUIRE(!machine_module_version(&said, root));
}

static void a_library_that_is_none(void)
{
    REQUIRE_IN("The library is there and cannot be used",
               explain_missing("/x/libcuda.so.1: file too short"));
    REQUIRE_IN("LD_LIBRARY_PATH", explain_missing("/x/libcuda.so.1: invalid ELF header"));
}

static void nodes_that_may_not_be_opened(void)
{
    char path[8192];
    put("/dev/nvidiactl", "");
    snprintf(path, sizeof path, "%s/dev/nvidiactl", root);
    REQUIRE_NOT_IN("nvidiactl may not", explain_code(999));
    REQUIRE_INT(chmod(path, 0), ==, 0);
    if (geteuid() == 0) /* who may open everything */
        REQUIRE_INT(setresuid(65534, 65534, 65534), ==, 0);
    REQUIRE_IN("/dev/nvidiactl may not be opened: Permission denied", explain_code(999));
    REQUIRE_IN("usermod", explain_code(100));
}

static void devices_that_are_hidden(void)
{
    setenv("CUDA_VISIBLE_DEVICES", "-1", 1);
    REQUIRE_IN("CUDA_VISIBLE_DEVICES=-1 decides which GPUs are seen", explain_code(100));
    REQUIRE_NOT_IN("CUDA_VISIBLE_DEVICES=-1", explain_code(999));
    unsetenv("CUDA_VISIBLE_DEVICES");
}

/* --- as runcu_init says it --------------------------------------------------- */

static void codes_of_a_drivers_start(void)
{
    static const struct {
        const char *code, *words, *cure;
        int status;
    } rows[] = {
        {"100", "cuInit failed: no CUDA-capable device is detected", "CUDA_VISIBLE_DEVICES",
         RUNCU_ERROR_NO_DEVICE},
        {"803", "unsupported display driver / cuda driver", "restart the machine",
         RUNCU_ERROR_DRIVER},
        {"802", "system not yet initialized", "nvidia-fabricmanager", RUNCU_ERROR_DRIVER},
        {"34", "stub library", "only for linking", RUNCU_ERROR_DRIVER},
        {"999", "unknown error", "nvidia-modprobe", RUNCU_ERROR_DRIVER},
    };
    const char *driver = getenv("FAKE_DRIVER");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        runcu_error e;
        setenv("FAKE_CUINIT", rows[i].code, 1);
        REQUIRE_INT(runcu_init(driver), ==, rows[i].status);
        runcu_error_get(&e);
        REQUIRE_IN(rows[i].words, e.message);
        REQUIRE(!strchr(e.message, '\n'));
        REQUIRE_IN(rows[i].cure, e.detail);
        REQUIRE_INT(e.code, ==, atoi(rows[i].code));
    }
    unsetenv("FAKE_CUINIT");
    setenv("FAKE_VERSION", "11080", 1);
    REQUIRE_FAILS(runcu_init(driver), RUNCU_ERROR_NO_DRIVER, "the driver is of CUDA 11.8");
    REQUIRE_IN("Install a newer driver", runcu_error_text());
    unsetenv("FAKE_VERSION");
    REQUIRE_OK(runcu_init(driver));
}

/* --- the environment ---------------------------------------------------------- */

static void count(void *user, const char *name)
{
    *(int *) user +=
        strcmp(name, "RUNCU_CACHE_DRI") == 0 || strcmp(name, "RUNCU_FROBNICATION_LEVEL") == 0;
}

static void variables(void)
{
    runcu_setting v;
    size_t rows = 0, set = 0;
    int unknown = 0;
    setenv("RUNCU_THREADS", "3", 1);
    for (; runcu_environment_get(&v, rows); rows++) {
        REQUIRE(*v.name && *v.meaning && v.otherwise);
        REQUIRE(v.reader >= RUNCU_READ_BY_LIBRARY && v.reader <= RUNCU_READ_BY_OTHERS);
        if (strcmp(v.name, "RUNCU_THREADS") == 0)
            REQUIRE_STR(v.value, "3");
        set += v.value != NULL;
    }
    REQUIRE_INT(rows, >=, 20);
    REQUIRE_INT(set, >=, 1);
    REQUIRE(!runcu_environment_get(&v, SIZE_MAX) && !runcu_environment_get(NULL, 0));
    environment_visit_unknown(count, &unknown);
    REQUIRE_INT(unknown, ==, 0);
    setenv("RUNCU_CACHE_DRI", "", 1);
    setenv("RUNCU_FROBNICATION_LEVEL", "9", 1);
    environment_visit_unknown(count, &unknown);
    REQUIRE_INT(unknown, ==, 2);
    REQUIRE_STR(environment_nearest("RUNCU_CACHE_DRI"), "RUNCU_CACHE_DIR");
    REQUIRE_STR(environment_nearest("RUNCU_THREAD"), "RUNCU_THREADS");
    REQUIRE(!environment_nearest("RUNCU_FROBNICATION_LEVEL"));
    unsetenv("RUNCU_CACHE_DRI");
    unsetenv("RUNCU_FROBNICATION_LEVEL");
}

int main(void)
{
    start();
    RUN(every_code_has_a_cure);
    RUN(a_machine_without_gpu);
    RUN(a_gpu_without_driver);
    RUN(a_module_without_library);
    RUN(a_library_that_is_none);
    RUN_ALONE(nodes_that_may_not_be_opened);
    RUN(devices_that_are_hidden);
    RUN(variables);
    RUN_ALONE(codes_of_a_drivers_start);
    end();
    return 0;
}

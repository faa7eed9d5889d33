/* The doctor: what it finds, what it says of what is missing, the forms of its report. */
#include "program_rig.h"

#include "base/alloc.h"

static runcu_diagnosis *diagnosis;
static char written[1 << 20];

static void append(void *user, const char *text, size_t len)
{
    char *out = user;
    size_t at = strlen(out);
    REQUIRE(at + len < sizeof written);
    memcpy(out + at, text, len);
    out[at + len] = 0;
}

static const char *write_as(int form)
{
    written[0] = 0;
    REQUIRE_OK(runcu_diagnosis_write(diagnosis, form, append, written));
    return written;
}

static const runcu_finding *find(const char *area, const char *item)
{
    size_t count;
    const runcu_finding *list = runcu_diagnosis_findings(diagnosis, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].area, area) == 0 && strcmp(list[i].item, item) == 0)
            return &list[i];
    return NULL;
}

static const runcu_finding *get(const char *area, const char *item)
{
    const runcu_finding *f = find(area, item);
    if (!f) {
        fprintf(stderr, "%s\n", write_as(RUNCU_REPORT_TEXT));
        TEST_FAIL_("no finding %s, %s", area, item);
    }
    REQUIRE(f->state >= RUNCU_STATE_GOOD && f->state <= RUNCU_STATE_PROBLEM);
    REQUIRE(f->text && *f->text && f->detail && f->advice);
    return f;
}

static void all_is_well(void)
{
    setenv("RUNCU_DEVICE", "cpu", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    REQUIRE_INT(get("driver", "cpu")->state, ==, RUNCU_STATE_GOOD);
    REQUIRE_IN("CUDA 13.0, 1 device", get("driver", "cpu")->text);
    REQUIRE_IN("compute capability 7.5", get("device", "cpu:0")->text);
    REQUIRE_IN("libnvrtc.so", get("NVRTC", "libnvrtc")->text);
    REQUIRE_IN("RUNCU_NVRTC: ", get("NVRTC", "libnvrtc")->detail);
    REQUIRE_IN("results are right", get("trial", "cpu:0")->text);
    REQUIRE_IN("/cache", get("cache", "folder")->text);
    REQUIRE_STR(get("environment", "RUNCU_DEVICE")->text, "cpu");
    REQUIRE_STR(get("runcu", "libruncu")->text, runcu_version());
    get("driver", "cuda");
    get("linking", "nvJitLink");
    get("linking", "cudadevrt");
    get("headers", "in NVRTC");
    REQUIRE(runcu_diagnosis_is_well(diagnosis));
    REQUIRE_STR(runcu_diagnosis_verdict(diagnosis),
                "Kernels compile, and run on the device \"cpu\".");
    runcu_context *context;
    REQUIRE_OK(runcu_context_peek(&context));
    REQUIRE(!context);
}

static void forms(void)
{
    const char *text = write_as(RUNCU_REPORT_TEXT);
    REQUIRE_IN("\ntrial\n  ok  c", text);
    REQUIRE_IN("\n  ok  cpu:0: a kernel was compiled and ran", text);
    REQUIRE_IN("\nKernels compile, and run on the device \"cpu\".\n", text);
    REQUIRE_NOT_IN("\033", text);
    REQUIRE_IN("\033[1;32mok\033[0m", write_as(RUNCU_REPORT_COLOR));
    REQUIRE_IN("<pre class=", write_as(RUNCU_REPORT_HTML));
    const char *json = write_as(RUNCU_REPORT_JSON);
    REQUIRE_IN(
        "{\"well\": true, \"verdict\": \"Kernels compile, and run on the device \\\"cpu\\\".\""
        ", \"findings\": [",
        json);
    REQUIRE_IN("{\"area\": \"environment\", \"item\": \"RUNCU_DEVICE\", \"state\": \"good\", "
               "\"text\": \"cpu\", \"detail\": \"\", \"advice\": \"\"}",
               json);
}

static void nonsense_is_refused(void)
{
    size_t count = 7;
    runcu_diagnosis *none = NULL;
    REQUIRE_FAILS(runcu_diagnose(NULL, NULL), RUNCU_ERROR_ARGUMENT, "out");
    REQUIRE_FAILS(runcu_diagnosis_write(NULL, 0, append, written), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_diagnosis_write(diagnosis, 0, NULL, NULL), RUNCU_ERROR_ARGUMENT, "write");
    REQUIRE_FAILS(runcu_diagnosis_write(diagnosis, 4, append, NULL), RUNCU_ERROR_ARGUMENT, "4");
    REQUIRE(!runcu_diagnosis_findings(NULL, &count) && count == 0);
    REQUIRE(!runcu_diagnosis_is_well(NULL));
    REQUIRE_STR(runcu_diagnosis_verdict(NULL), "");
    runcu_diagnosis_destroy(&none);
    runcu_diagnosis_destroy(NULL);
}

static void no_trial(void)
{
    runcu_diagnose_params params = {.size = sizeof params, .no_trial = 1};
    setenv("RUNCU_DEVICE", "cpu", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, &params));
    REQUIRE(!find("trial", "cpu:0"));
    REQUIRE(runcu_diagnosis_is_well(diagnosis));
    runcu_diagnosis_destroy(&diagnosis);
    REQUIRE(!diagnosis);
}

static void no_compiler(void)
{
    setenv("RUNCU_DEVICE", "cpu", 1);
    setenv("RUNCU_NVRTC", "/nowhere/libnvrtc.so", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    REQUIRE(!runcu_diagnosis_is_well(diagnosis));
    REQUIRE_IN("Kernels cannot be compiled: RUNCU_NVRTC=/nowhere/libnvrtc.so",
               runcu_diagnosis_verdict(diagnosis));
    const runcu_finding *f = get("NVRTC", "libnvrtc");
    REQUIRE_INT(f->state, ==, RUNCU_STATE_PROBLEM);
    REQUIRE_IN("pip install nvidia-cuda-nvrtc\nconda install -c conda-forge cuda-nvrtc\n"
               "apt-get install cuda-nvrtc",
               f->advice);
    runcu_diagnosis_destroy(&diagnosis);
}

static void a_driver_that_does_not_start(void)
{
    const char *path = getenv("FAKE_DRIVER");
    setenv("RUNCU_DEVICE", path, 1);
    setenv("FAKE_CUINIT", "803", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    const runcu_finding *f = get("driver", path);
    REQUIRE_INT(f->state, ==, RUNCU_STATE_WARNING);
    REQUIRE_IN("cuInit failed: system has unsupported display driver", f->text);
    REQUIRE_IN("restart the machine", f->detail);
    REQUIRE(!runcu_diagnosis_is_well(diagnosis));
    REQUIRE_IN("There is no device: RUNCU_DEVICE asks for /", runcu_diagnosis_verdict(diagnosis));
    runcu_diagnosis_destroy(&diagnosis);
}

static void a_driver_without_devices(void)
{
    const char *path = getenv("FAKE_DRIVER");
    setenv("RUNCU_DEVICE", path, 1);
    setenv("FAKE_DEVICES", "0", 1);
    setenv("CUDA_VISIBLE_DEVICES", "9", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    const runcu_finding *f = get("driver", path);
    REQUIRE_STR(f->text, "the driver has no device");
    REQUIRE_IN("CUDA_VISIBLE_DEVICES=9", f->advice);
    REQUIRE(!runcu_diagnosis_is_well(diagnosis));
    runcu_diagnosis_destroy(&diagnosis);
}

/* The fake driver runs nothing. */
static void wrong_results_are_told(void)
{
    const char *path = getenv("FAKE_DRIVER");
    char item[4200];
    setenv("RUNCU_DEVICE", path, 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    snprintf(item, sizeof item, "%s:0", path);
    const runcu_finding *f = strlen(item) < 299 ? get("trial", item) : NULL;
    REQUIRE(!f || f->state == RUNCU_STATE_PROBLEM);
    REQUIRE(!runcu_diagnosis_is_well(diagnosis));
    REQUIRE_IN("Kernels do not run on /", runcu_diagnosis_verdict(diagnosis));
    runcu_diagnosis_destroy(&diagnosis);
}

static void misspelt_variables(void)
{
    setenv("RUNCU_DEVICE", "cpu", 1);
    setenv("RUNCU_THREAD", "2", 1);
    setenv("RUNCU_FROBNICATION_LEVEL", "9", 1);
    setenv("RUNCU_NO_CACHE", "1", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    REQUIRE_STR(get("environment", "RUNCU_THREAD")->advice, "did you mean RUNCU_THREADS?");
    REQUIRE_INT(get("environment", "RUNCU_FROBNICATION_LEVEL")->state, ==, RUNCU_STATE_WARNING);
    REQUIRE_STR(find("environment", "RUNCU_FROBNICATION_LEVEL")->advice, "");
    REQUIRE_IN("RUNCU_NO_CACHE is set", get("cache", "folder")->text);
    REQUIRE(runcu_diagnosis_is_well(diagnosis));
    runcu_diagnosis_destroy(&diagnosis);
}

static void a_cache_that_cannot_be_written(void)
{
    setenv("RUNCU_DEVICE", "cpu", 1);
    setenv("RUNCU_CACHE_DIR", "/dev/null/cache", 1);
    REQUIRE_OK(runcu_diagnose(&diagnosis, NULL));
    REQUIRE_INT(get("cache", "folder")->state, ==, RUNCU_STATE_WARNING);
    REQUIRE_IN("RUNCU_CACHE_DIR", find("cache", "folder")->advice);
    runcu_diagnosis_destroy(&diagnosis);
}

/* Whatever is missing for want of memory is a finding; without memory for findings it fails. */
static void short_memory(void)
{
    runcu_diagnose_params params = {.size = sizeof params, .no_trial = 1};
    int status = RUNCU_ERROR_MEMORY;
    setenv("RUNCU_DEVICE", "cpu", 1);
    REQUIRE_OK(runcu_init("cpu"));
    for (size_t n = 1; status && n < 4000; n += n < 40 ? 1 : 37) {
        alloc_fail_at(n);
        status = runcu_diagnose(&diagnosis, &params);
        alloc_fail_at(0);
        REQUIRE(status == 0 || status == RUNCU_ERROR_MEMORY);
        REQUIRE(!diagnosis == (status != 0));
    }
    REQUIRE_INT(status, ==, 0);
    runcu_diagnosis_destroy(&diagnosis);
}

int main(void)
{
    rig_start(0);
    RUN_ALONE(no_trial);
    RUN_ALONE(no_compiler);
    RUN_ALONE(short_memory);
    RUN_ALONE(a_driver_that_does_not_start);
    RUN_ALONE(a_driver_without_devices);
    RUN_ALONE(wrong_results_are_told);
    RUN_ALONE(misspelt_variables);
    RUN_ALONE(a_cache_that_cannot_be_written);
    RUN(all_is_well);
    RUN(forms);
    RUN(nonsense_is_refused);
    runcu_diagnosis_destroy(&diagnosis);
    rig_end();
    return 0;
}

/* The doctor: drivers and devices, the cache, the environment, a kernel tried on each device, and
 * the verdict. Loads what a program would load, and changes no default. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/environment.h"
#include "core/findings.h"
#include "core/machine.h"
#include "core/places.h"
#include "runcu/runcu.h"

/* --- a kernel, tried ---------------------------------------------------------- */

enum { TRIED = 1000 };

static const char trial_source[] = "__global__ void trial(int *x, int n)\n"
                                   "{\n"
                                   "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                                   "    if (i < n)\n"
                                   "        x[i] = i * i;\n"
                                   "}\n";

static int run_trial(runcu_device *device, int *x)
{
    runcu_program_params params = {.device = device, .no_cache = 1, .name = "trial.cu"};
    runcu_module *module = NULL;
    runcu_function *function = NULL;
    int status = runcu_module_compile(&module, trial_source, &params);
    if (!status)
        status = runcu_module_get_function(&function, module, "trial");
    if (!status)
        status =
            runcu_launch(function, RUNCU_THREADS(TRIED), runcu_out(x, TRIED * sizeof *x), TRIED);
    runcu_function_release(&function);
    runcu_module_release(&module);
    return status;
}

static int try_device(runcu_device *device, int *x)
{
    runcu_context *context = NULL;
    int status = runcu_context_primary(&context, device);
    if (!status && !(status = runcu_context_push(context))) {
        status = run_trial(device, x);
        runcu_context_pop();
    }
    runcu_context_release(&context);
    return status;
}

static bool is_right(const int *x)
{
    for (int i = 0; i < TRIED; i++)
        if (x[i] != i * i)
            return false;
    return true;
}

static bool look_at_trial(runcu_diagnosis *d, runcu_device *device, const char *item)
{
    struct draft f = {.area = "trial", .item = item};
    int *x = alloc_zero(TRIED, sizeof *x);
    d->failed |= !x;
    if (!x)
        return false;
    bool ok = try_device(device, x) == 0;
    if (!ok) {
        findings_error(&f);
        f.state = RUNCU_STATE_PROBLEM;
    } else if (!(ok = is_right(x))) {
        str_add(&f.text, "a kernel was compiled and ran, and its results are wrong");
        f.state = RUNCU_STATE_PROBLEM;
    } else {
        str_add(&f.text, "a kernel was compiled and ran, and its results are right");
    }
    alloc_free(x);
    findings_add(d, &f);
    return ok;
}

/* --- drivers ------------------------------------------------------------------ */

/* What the doctor goes through. */
struct visit {
    runcu_diagnosis *diagnosis;
    const char *wanted; /* the driver that is used by default, once it is known */
    bool no_trial;
    int nvidia;     /* version of NVIDIA's driver, 0: none */
    struct str why; /* NVIDIA's driver cannot be had */
};

static void list_driver_places(runcu_diagnosis *d, struct str *out)
{
    static const char *const others[] = {"/usr/lib/wsl/lib", "/usr/local/nvidia/lib64",
                                         "/usr/local/cuda/compat"};
    const struct sought what = {"libcuda.so", "", ""};
    struct places p = {0};
    places_list(&p, &what, NULL, NULL);
    for (size_t i = 0; i < p.list.len; i++) {
        struct str path = {0};
        if (p.list.at[i].path) {
            bool found = places_find(&path, &p, i);
            places_tell(out, &p, i, found ? findings_name(path.at, p.list.at[i].path) : "nothing");
        }
        str_fini(&path);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct str path = {0};
        str_addf(&path, "%s/libcuda.so.1", others[i]);
        bool found = !path.failed && fs_is_file(path.at);
        str_addf(out, "  other places: %s: %s\n", others[i],
                 found ? "libcuda.so.1; LD_LIBRARY_PATH must name the folder" : "nothing");
        str_fini(&path);
    }
    d->failed |= p.failed;
    places_fini(&p);
}

static void look_at_missing(struct visit *v, const char *name)
{
    struct draft f = {.area = "driver", .item = name};
    bool is_nvidia = strcmp(name, "cuda") == 0, has_gpu = machine_has_gpu("");
    findings_error(&f);
    f.state = !is_nvidia || has_gpu ? RUNCU_STATE_WARNING : RUNCU_STATE_NOTE;
    if (is_nvidia) {
        str_add(&v->why, str_text(&f.text));
        str_addf(&f.detail, "%sLooked at:\n", f.detail.len ? "\n" : "");
        list_driver_places(v->diagnosis, &f.detail);
        if (has_gpu)
            findings_install(&f, "driver");
    }
    findings_add(v->diagnosis, &f);
}

static void look_at_driver(struct visit *v, const char *name, int devices)
{
    struct draft f = {.area = "driver", .item = name};
    struct str module = {0};
    runcu_device *device;
    int version = 0;
    if (devices && runcu_device_open(&device, name, 0) == 0)
        runcu_driver_version(&version, device);
    str_addf(&f.text, "CUDA %d.%d, %d device%s", version / 1000, version % 1000 / 10, devices,
             devices == 1 ? "" : "s");
    if (strcmp(name, "cuda") == 0) {
        v->nvidia = version;
        if (machine_module_version(&module, ""))
            str_addf(&f.text, ", kernel module %s", module.at);
        list_driver_places(v->diagnosis, &f.detail);
    }
    str_fini(&module);
    if (!devices) {
        f.state = RUNCU_STATE_WARNING;
        str_clear(&f.text);
        str_add(&f.text, "the driver has no device");
        machine_explain_code(&f.advice, "", CUDA_ERROR_NO_DEVICE);
        str_add(&v->why, f.text.at ? f.text.at : "");
    }
    findings_add(v->diagnosis, &f);
}

static const char *mode_name(int mode)
{
    static const char *const names[] = {"", ", exclusive to a thread", ", prohibited",
                                        ", exclusive to a process"};
    return mode > 0 && mode < (int) ARRAY_LEN(names) ? names[mode] : "";
}

static void look_at_device(runcu_diagnosis *d, const char *driver, int ordinal)
{
    char item[300];
    struct draft f = {.area = "device", .item = item};
    runcu_device *device;
    int arch = 0, mode = 0;
    size_t memory = 0;
    snprintf(item, sizeof item, "%s:%d", driver, ordinal);
    if (runcu_device_open(&device, driver, ordinal) || runcu_device_arch(&arch, device) ||
        runcu_device_total_memory(&memory, device) ||
        runcu_device_attribute(&mode, device, CU_DEVICE_ATTRIBUTE_COMPUTE_MODE)) {
        findings_error(&f);
        f.state = RUNCU_STATE_PROBLEM;
    } else {
        str_addf(&f.text, "%s, compute capability %d.%d, %.1f GiB%s", runcu_device_name(device),
                 arch / 10, arch % 10, (double) memory / (1 << 30), mode_name(mode));
        f.state = mode == 2 ? RUNCU_STATE_WARNING : RUNCU_STATE_GOOD;
        if (mode == 2)
            str_add(&f.advice, "sudo nvidia-smi -c DEFAULT\n");
    }
    findings_add(d, &f);
}

static int look_at_one(struct visit *v, const char *name)
{
    int count = 0;
    if (runcu_device_count(&count, name)) {
        look_at_missing(v, name);
        return 0;
    }
    look_at_driver(v, name, count);
    for (int i = 0; i < count; i++)
        look_at_device(v->diagnosis, name, i);
    return count;
}

/* The drivers that a program may meet, each with the number of its devices. */
struct seen {
    const char *name;
    int devices;
};

static bool try_all(struct visit *v, const struct seen *seen, size_t count)
{
    bool is_well = false;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < seen[i].devices; j++) {
            char item[300];
            runcu_device *device;
            bool is_wanted = v->wanted && strcmp(seen[i].name, v->wanted) == 0;
            bool ok = v->no_trial;
            snprintf(item, sizeof item, "%s:%d", seen[i].name, j);
            if (!ok && runcu_device_open(&device, seen[i].name, j) == 0)
                ok = look_at_trial(v->diagnosis, device, item);
            is_well |= ok && is_wanted;
        }
    return is_well;
}

/* --- cache, environment ------------------------------------------------------- */

static void look_at_cache(runcu_diagnosis *d)
{
    struct draft f = {.area = "cache", .item = "folder"};
    runcu_cache_info info;
    const char *off = getenv("RUNCU_NO_CACHE");
    if (runcu_cache_get_info(&info, NULL) != 0) {
        findings_error(&f);
        f.state = RUNCU_STATE_WARNING;
    } else if (off && *off && strcmp(off, "0") != 0) {
        str_add(&f.text, "RUNCU_NO_CACHE is set: nothing is kept");
        f.state = RUNCU_STATE_NOTE;
    } else if (!*info.dir || !info.is_writable) {
        str_addf(&f.text, "%s cannot be written: every source is compiled anew",
                 *info.dir ? info.dir : "no folder");
        str_add(&f.advice, "set RUNCU_CACHE_DIR to a folder of yours");
        f.state = RUNCU_STATE_WARNING;
    } else {
        str_addf(&f.text, "%s: %llu entries, %.1f MiB of %.1f; headers %.1f MiB", info.dir,
                 (unsigned long long) info.entries, (double) info.bytes / (1 << 20),
                 (double) info.limit / (1 << 20), (double) info.header_bytes / (1 << 20));
        if (*info.shared_dir)
            str_addf(&f.detail, "second folder, read only: %s\n", info.shared_dir);
    }
    findings_add(d, &f);
}

static void look_at_unknown(void *user, const char *name)
{
    struct draft f = {.area = "environment", .item = name, .state = RUNCU_STATE_WARNING};
    const char *nearest = environment_nearest(name);
    str_add(&f.text, "is set, and nothing reads it");
    if (nearest)
        str_addf(&f.advice, "did you mean %s?", nearest);
    findings_add(user, &f);
}

static void look_at_environment(runcu_diagnosis *d)
{
    runcu_setting v;
    for (size_t i = 0; runcu_environment_get(&v, i); i++) {
        struct draft f = {.area = "environment", .item = v.name};
        if (!v.value || strcmp(v.name, "HOME") == 0)
            continue;
        str_add(&f.text, v.value);
        findings_add(d, &f);
    }
    environment_visit_unknown(look_at_unknown, d);
}

static void look_at_self(runcu_diagnosis *d)
{
    struct draft f = {.area = "runcu", .item = "libruncu"};
    str_add(&f.text, runcu_version());
    findings_add(d, &f);
}

/* --- the verdict -------------------------------------------------------------- */

static const char *first_problem(const runcu_diagnosis *d, const char *area, const char *driver)
{
    for (size_t i = 0; i < d->list.len; i++) {
        const runcu_finding *f = &d->list.at[i];
        if (f->state == RUNCU_STATE_PROBLEM && strcmp(f->area, area) == 0 &&
            strncmp(f->item, driver, strlen(driver)) == 0)
            return f->text;
    }
    return NULL;
}

static void judge(struct visit *v, bool has_device)
{
    runcu_diagnosis *d = v->diagnosis;
    struct str *out = &d->verdict;
    const char *wish = getenv("RUNCU_DEVICE");
    if (!d->has_compiler) {
        str_addf(out, "Kernels cannot be compiled: %s.", first_problem(d, "NVRTC", ""));
    } else if (!has_device) {
        str_addf(out, "There is no device: %s%s.", wish && *wish ? "RUNCU_DEVICE asks for " : "",
                 wish && *wish ? wish : str_text(&v->why));
    } else if (!d->is_well) {
        const char *why = first_problem(d, "trial", v->wanted);
        str_addf(out, "Kernels do not run on %s: %s.", v->wanted, why ? why : "no device works");
    } else if (v->no_trial) {
        str_addf(out, "There are a compiler and the device \"%s\"; no kernel was tried.",
                 v->wanted);
    } else if (strcmp(v->wanted, "cpu") == 0 && !(wish && *wish)) {
        str_addf(out, "Kernels compile, and run on the CPU device; no GPU is used: %s.",
                 str_text(&v->why));
    } else {
        str_addf(out, "Kernels compile, and run on the device \"%s\".", v->wanted);
    }
}

static void look(struct visit *v)
{
    runcu_diagnosis *d = v->diagnosis;
    const char *wish = getenv("RUNCU_DEVICE");
    struct seen seen[3] = {{"cuda", 0}, {"cpu", 0}, {wish, 0}};
    bool has_third = wish && *wish && strcmp(wish, "cuda") != 0 && strcmp(wish, "cpu") != 0;
    size_t count = has_third ? 3 : 2;
    look_at_self(d);
    for (size_t i = 0; i < count; i++)
        seen[i].devices = look_at_one(v, seen[i].name);
    for (size_t i = 0; i < count && !v->wanted; i++)
        if (seen[i].devices && (!wish || !*wish || strcmp(seen[i].name, wish) == 0))
            v->wanted = seen[i].name;
    toolchain_look(d, v->nvidia);
    look_at_cache(d);
    look_at_environment(d);
    d->is_well = d->has_compiler && try_all(v, seen, count);
    judge(v, v->wanted != NULL);
}

int runcu_diagnose(runcu_diagnosis **out, const runcu_diagnose_params *params)
{
    CORE_OUT(out);
    runcu_diagnose_params p;
    core_params(&p, sizeof p, params);
    *out = alloc_zero(1, sizeof **out);
    if (!*out)
        return runcu_fail_memory();
    struct visit v = {.diagnosis = *out, .no_trial = p.no_trial};
    look(&v);
    str_fini(&v.why);
    if (!(*out)->failed && !(*out)->verdict.failed)
        return 0;
    runcu_diagnosis_destroy(out);
    return runcu_fail_memory();
}

/* Libraries of device code, lib<name>.a, among them the one that kernels need which launch kernels:
 * sought where NVRTC is. What is in them is the linker's to know. */
#include "core/library.h"

#include <string.h>

#include "base/fs.h"
#include "core/core.h"
#include "core/places.h"
#include "core/program.h"

/* The folders of runcu_nvrtc_search as places_list takes them, in the arena. */
static bool list_packages(struct text_list *out, struct arena *arena)
{
    return nvrtc_search_folders(out, arena) && vec_push(out, NULL);
}

static int fail_missing(const struct sought *what, const struct str *report)
{
    runcu_fail(RUNCU_ERROR_SYSTEM, "%s was not found", what->stem);
    runcu_fail_detail("Looked at, in this order:\n%s"
                      "To install it: pip install nvidia-cuda-runtime (for CUDA 12: pip install "
                      "nvidia-cuda-runtime-cu12), or name its folder by RUNCU_LIBDIR.",
                      str_text(report));
    return RUNCU_ERROR_SYSTEM;
}

static int fail_folder(const struct sought *what, const char *folder)
{
    runcu_fail(RUNCU_ERROR_SYSTEM, "%s was not found", what->stem);
    runcu_fail_detail("It is not in the folder %s.", folder);
    return RUNCU_ERROR_SYSTEM;
}

static int seek(struct str *out, const struct sought *what)
{
    struct places p = {0};
    struct text_list packages = {0};
    struct str report = {0}, nvrtc = {0};
    int status = 0;
    bool ok = list_packages(&packages, &p.arena), found = false;
    if (ok) {
        places_list(&p, what, (char *const *) packages.at, nvrtc_where(&nvrtc) ? nvrtc.at : NULL);
        found = places_pick(out, &report, &p);
    }
    if (!ok || p.failed || report.failed || out->failed)
        status = runcu_fail_memory();
    else if (!found)
        status = fail_missing(what, &report);
    vec_fini(&packages);
    places_fini(&p);
    str_fini(&report);
    str_fini(&nvrtc);
    return status;
}

static int check_name(const char *name)
{
    if (!name || !*name || strchr(name, '/'))
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "a library is named as \"cudadevrt\" is, without folder, lib and .a");
    return 0;
}

int core_library_find(struct str *out, const char *name, const char *folder)
{
    struct str stem = {0};
    int status = check_name(name);
    if (status)
        return status;
    str_addf(&stem, "lib%s.a", name);
    struct sought what = {str_text(&stem), "RUNCU_LIBDIR", "cuda_runtime"};
    if (stem.failed) {
        status = runcu_fail_memory();
    } else if (!folder) {
        status = seek(out, &what);
    } else {
        str_addf(out, "%s/%s", folder, stem.at);
        status = out->failed ? runcu_fail_memory() : 0;
        if (!status && !fs_is_file(out->at))
            status = fail_folder(&what, folder);
    }
    str_fini(&stem);
    return status;
}

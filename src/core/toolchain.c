/* The doctor's look at what compiles and links: NVRTC, CUDA's headers, nvJitLink, the library for
 * kernels that launch kernels. How each is found is the business of those who need it. */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "core/findings.h"
#include "core/library.h"
#include "core/nvjitlink.h"
#include "core/places.h"

enum { FILE_LIMIT = 16 << 20 };

/* Every place at which `what` is sought, with what is there. */
static void list_places(runcu_diagnosis *d, struct str *out, const struct sought *what,
                        bool beside_nvrtc)
{
    struct places p = {0};
    struct text_list packages = {0};
    struct str nvrtc = {0};
    bool ok = nvrtc_search_folders(&packages, &p.arena) && vec_push(&packages, NULL);
    const char *beside = beside_nvrtc && nvrtc_where(&nvrtc) ? nvrtc.at : NULL;
    if (ok)
        places_list(&p, what, (char *const *) packages.at, beside);
    for (size_t i = 0; ok && i < p.list.len; i++) {
        struct str path = {0};
        bool found = places_find(&path, &p, i);
        places_tell(out, &p, i, found ? findings_name(path.at, p.list.at[i].path) : "nothing");
        str_fini(&path);
    }
    d->failed |= !ok || p.failed;
    vec_fini(&packages);
    places_fini(&p);
    str_fini(&nvrtc);
}

/* --- NVRTC ------------------------------------------------------------------- */

static void look_at_fit(runcu_diagnosis *d, const struct nvrtc *n, int driver)
{
    struct draft f = {.area = "NVRTC", .item = "driver"};
    int major = driver / 1000, minor = driver % 1000 / 10;
    if (!driver)
        return;
    if (n->major > major) {
        f.state = RUNCU_STATE_PROBLEM;
        str_addf(&f.text, "NVRTC %d.%d is of a newer generation than the driver (CUDA %d.%d)",
                 n->major, n->minor, major, minor);
        str_addf(&f.advice, "install a driver of CUDA %d, or NVRTC of CUDA %d:\n", n->major, major);
        str_addf(&f.advice,
                 major == 12 ? "pip install 'runcu[cuda12]'\n"
                             : "pip install 'nvidia-cuda-nvrtc<%d'\n",
                 major + 1);
    } else if (n->major == major && n->minor > minor) {
        str_addf(&f.text,
                 "NVRTC %d.%d is newer than the driver (CUDA %d.%d): its machine code is loaded, "
                 "its PTX is not",
                 n->major, n->minor, major, minor);
    } else {
        str_addf(&f.text, "NVRTC %d.%d fits the driver (CUDA %d.%d)", n->major, n->minor, major,
                 minor);
    }
    findings_add(d, &f);
}

static bool look_at_nvrtc(runcu_diagnosis *d, int driver)
{
    struct draft f = {.area = "NVRTC", .item = "libnvrtc"};
    const struct nvrtc *n;
    const struct sought what = {"libnvrtc.so", "RUNCU_NVRTC", "cuda_nvrtc"};
    list_places(d, &f.detail, &what, false); /* before it is loaded, which would be a place */
    bool ok = nvrtc_get(&n) == 0;
    if (ok) {
        str_addf(&f.text, "%d.%d, %s, for sm_%d to sm_%d", n->major, n->minor, n->path, n->archs[0],
                 n->archs[n->arch_count - 1]);
    } else {
        f.state = RUNCU_STATE_PROBLEM;
        str_clear(&f.detail);
        findings_error(&f);
        findings_install(&f, "NVRTC");
    }
    findings_add(d, &f);
    if (ok)
        look_at_fit(d, n, driver);
    return ok;
}

/* --- headers ----------------------------------------------------------------- */

/* The number behind a macro's name in a file; 0 if it is not there. */
static long read_macro(const char *folder, const char *file, const char *macro)
{
    struct str path = {0}, text = {0};
    long number = 0;
    str_addf(&path, "%s/%s", folder, file);
    if (!path.failed && fs_read(&text, path.at, FILE_LIMIT) == 0) {
        const char *at = text.at ? strstr(text.at, macro) : NULL;
        number = at ? strtol(at + strlen(macro), NULL, 10) : 0;
    }
    str_fini(&path);
    str_fini(&text);
    return number;
}

static bool has_file(const char *folder, const char *name)
{
    struct str path = {0};
    str_addf(&path, "%s/%s", folder, name);
    bool answer = !path.failed && fs_is_file(path.at);
    str_fini(&path);
    return answer;
}

/* What CUDA's headers of a folder are; false if there are none of them. */
static bool tell_folder(struct str *out, const char *folder)
{
    static const struct {
        const char *file, *name;
    } kinds[] = {
        {"cuda_runtime.h", "cuda_runtime.h"},
        {"cuda_fp16.h", "cuda_fp16.h"},
        {"cooperative_groups.h", "cooperative_groups.h"},
        {"curand_kernel.h", "curand_kernel.h"},
    };
    size_t before = out->len;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (has_file(folder, kinds[i].file))
            str_addf(out, "%s%s", out->len > before ? ", " : "", kinds[i].name);
    long cuda = read_macro(folder, "cuda.h", "#define CUDA_VERSION ");
    long cub = read_macro(folder, "cub/version.cuh", "#define CUB_VERSION ");
    if (cuda)
        str_addf(out, " of CUDA %ld.%ld", cuda / 1000, cuda % 1000 / 10);
    if (cub)
        str_addf(out, "%sCCCL %ld.%ld.%ld", out->len > before ? ", " : "", cub / 100000,
                 cub / 100 % 1000, cub % 100);
    return out->len > before;
}

static void look_at_bundle(runcu_diagnosis *d, const struct nvrtc *n)
{
    struct draft f = {.area = "headers", .item = "in NVRTC"};
    if (n->fn.nvrtcInstallBundledHeaders) {
        str_addf(&f.text, "those of CUDA %d.%d and CCCL; unpacked into the cache when needed",
                 n->major, n->minor);
    } else {
        f.state = RUNCU_STATE_NOTE;
        str_addf(&f.text, "NVRTC %d.%d carries none: 13.3 is the first that does", n->major,
                 n->minor);
    }
    findings_add(d, &f);
}

static void look_at_headers(runcu_diagnosis *d, const struct nvrtc *n)
{
    struct request r = {.nvrtc = n};
    struct text_list folders = {0};
    size_t found = 0;
    look_at_bundle(d, n);
    bool ok = headers_folders(&r, &folders);
    for (size_t i = 0; ok && i < folders.len; i++) {
        struct draft f = {.area = "headers", .item = folders.at[i]};
        if (tell_folder(&f.text, folders.at[i])) {
            findings_add(d, &f);
            found++;
        } else {
            str_fini(&f.text);
        }
    }
    if (!found) {
        struct draft f = {.area = "headers", .item = "folders"};
        bool is_needed = !n->fn.nvrtcInstallBundledHeaders;
        f.state = is_needed ? RUNCU_STATE_WARNING : RUNCU_STATE_NOTE;
        str_add(&f.text, "no folder has CUDA's headers");
        findings_install(&f, is_needed ? "headers" : "curand");
        findings_add(d, &f);
    }
    d->failed |= !ok;
    vec_fini(&folders);
    request_fini(&r);
}

/* --- linking ----------------------------------------------------------------- */

static void look_at_nvjitlink(runcu_diagnosis *d)
{
    struct draft f = {.area = "linking", .item = "nvJitLink"};
    int major, minor;
    const char *path;
    list_places(d, &f.detail, &nvjitlink_sought, true);
    if (runcu_nvjitlink_version(&major, &minor, &path) == 0) {
        str_addf(&f.text, "%d.%d, %s", major, minor, path);
    } else {
        str_clear(&f.detail);
        f.state = RUNCU_STATE_NOTE;
        findings_error(&f);
        findings_install(&f, "nvJitLink");
    }
    findings_add(d, &f);
}

static void look_at_cudadevrt(runcu_diagnosis *d)
{
    struct draft f = {.area = "linking", .item = "cudadevrt"};
    struct str path = {0};
    if (core_library_find(&path, "cudadevrt", NULL) == 0) {
        str_add(&f.text, str_text(&path));
    } else {
        f.state = RUNCU_STATE_NOTE;
        findings_error(&f);
        str_add(&f.text, ": kernels that launch kernels need it on a GPU");
        findings_install(&f, "cudadevrt");
    }
    str_fini(&path);
    findings_add(d, &f);
}

void toolchain_look(runcu_diagnosis *d, int driver)
{
    const struct nvrtc *n;
    d->has_compiler = look_at_nvrtc(d, driver);
    if (d->has_compiler && nvrtc_get(&n) == 0)
        look_at_headers(d, n);
    look_at_nvjitlink(d);
    look_at_cudadevrt(d);
}

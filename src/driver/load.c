/* Fills the tables of function pointers from shared libraries: the CUDA driver, NVRTC and
 * nvJitLink. Knows neither where to look for a library nor what its functions mean. */
#include "driver/driver.h"

#include <dlfcn.h>
#include <glob.h>
#include <string.h>

enum need { REQ, OPT, OWN };

struct slot {
    enum need need;
    const char *symbol;
    size_t offset; /* of the pointer in the table */
};

static const struct slot drv_slots[] = {
#define CU(need, name, symbol, params, args) {need, #symbol, offsetof(struct drv_table, name)},
#include "driver/cuda.def"
#undef CU
};

static const struct slot nvrtc_slots[] = {
#define NVRTC(need, result, name, params) {need, #name, offsetof(struct nvrtc_table, name)},
#include "driver/nvrtc.def"
#undef NVRTC
};

static const struct slot nvjitlink_slots[] = {
#define NVJITLINK(need, name, params) {need, #name, offsetof(struct nvjitlink_table, name)},
#include "driver/nvjitlink.def"
#undef NVJITLINK
};

static void *open_library(const char *path, struct str *why)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *text = dlerror();
        str_add(why, text ? text : "the library does not load");
    }
    return library;
}

/* Fills in the slots; the name of the first required symbol that is missing, or NULL. */
static const char *fill(void *table, void *library, const struct slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(library, slots[i].symbol);
        if (!symbol && slots[i].need == REQ)
            return slots[i].symbol;
        memcpy((char *) table + slots[i].offset, &symbol, sizeof symbol);
    }
    return NULL;
}

int drv_load(struct drv_table *out, const char *path, struct str *why)
{
    memset(out, 0, sizeof *out);
    void *library = open_library(path, why);
    if (!library)
        return -1;
    const char *missing = fill(out, library, drv_slots, ARRAY_LEN(drv_slots));
    if (!missing)
        return 0;
    str_addf(why, "%s has no symbol %s: driver R525 (CUDA 12.0) or newer is needed", path, missing);
    memset(out, 0, sizeof *out);
    dlclose(library);
    return -1;
}

/* Some wheels' NVRTC carries no RUNPATH and finds its builtins only if they are loaded already.
 * Where they are not beside it, NVRTC's own search has its turn. */
static void open_builtins(const char *path)
{
    struct str pattern = {0};
    const char *slash = strrchr(path, '/');
    glob_t found = {0};
    if (!slash)
        return;
    str_addn(&pattern, path, (size_t) (slash - path));
    str_add(&pattern, "/libnvrtc-builtins.so*");
    if (!pattern.failed && glob(str_text(&pattern), 0, NULL, &found) == 0) {
        for (size_t i = found.gl_pathc; i-- > 0;)
            if (dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL))
                break;
    }
    globfree(&found);
    str_fini(&pattern);
}

int nvrtc_load(struct nvrtc_table *out, const char *path, struct str *why)
{
    memset(out, 0, sizeof *out);
    open_builtins(path);
    void *library = open_library(path, why);
    if (!library)
        return -1;
    const char *missing = fill(out, library, nvrtc_slots, ARRAY_LEN(nvrtc_slots));
    if (!missing) {
        out->library = library;
        return 0;
    }
    str_addf(why, "%s has no symbol %s: NVRTC 12.0 or newer is needed", path, missing);
    memset(out, 0, sizeof *out);
    dlclose(library);
    return -1;
}

int nvjitlink_load(struct nvjitlink_table *out, const char *path, struct str *why)
{
    memset(out, 0, sizeof *out);
    void *library = open_library(path, why);
    if (!library)
        return -1;
    const char *missing = fill(out, library, nvjitlink_slots, ARRAY_LEN(nvjitlink_slots));
    if (!missing)
        return 0;
    str_addf(why, "%s has no symbol %s: nvJitLink 12.4 or newer is needed", path, missing);
    memset(out, 0, sizeof *out);
    dlclose(library);
    return -1;
}

/* Finds nvJitLink and has it link. When it is asked instead of the driver is not decided here. */
#include "core/nvjitlink.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "core/places.h"
#include "core/program.h"

const struct sought nvjitlink_sought = {"libnvJitLink.so", "RUNCU_NVJITLINK", "nvjitlink"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nvjitlink loaded;
static bool is_loaded;

/* --- finding it ---------------------------------------------------------- */

static bool load_from(struct nvjitlink *out, const char *path, struct str *why)
{
    if (nvjitlink_load(&out->fn, path, why) != 0)
        return false;
    if (out->fn.nvJitLinkVersion(&out->major, &out->minor) != NVJITLINK_SUCCESS) {
        str_addf(why, "%s does not say what it is", path);
        return false;
    }
    out->path = alloc_string(path);
    return out->path != NULL;
}

static bool load_anywhere(struct nvjitlink *out, struct places *p, struct str *report)
{
    for (size_t i = 0; i < p->list.len; i++) {
        struct str path = {0}, why = {0};
        bool is_there = places_find(&path, p, i);
        bool ok = is_there && load_from(out, path.at, &why);
        if (!ok)
            places_tell(report, p, i, is_there ? str_text(&why) : "no libnvJitLink.so there");
        str_fini(&path);
        str_fini(&why);
        if (ok)
            return true;
    }
    return false;
}

/* The lock is held. */
static void seek(struct str *report)
{
    struct places p = {0};
    struct text_list packages = {0};
    struct str nvrtc = {0};
    struct nvjitlink found = {0};
    if (nvrtc_search_folders(&packages, &p.arena) && vec_push(&packages, NULL)) {
        places_list(&p, &nvjitlink_sought, (char *const *) packages.at,
                    nvrtc_where(&nvrtc) ? nvrtc.at : NULL);
        is_loaded = load_anywhere(&found, &p, report);
    }
    if (is_loaded) {
        nvrtc_keep_signals(found.path);
        loaded = found;
    }
    vec_fini(&packages);
    places_fini(&p);
    str_fini(&nvrtc);
}

int nvjitlink_get(const struct nvjitlink **out)
{
    struct str report = {0};
    int status = 0;
    pthread_mutex_lock(&lock);
    if (!is_loaded)
        seek(&report);
    *out = is_loaded ? &loaded : NULL;
    pthread_mutex_unlock(&lock);
    if (!*out) {
        status = runcu_fail(RUNCU_ERROR_NO_NVJITLINK,
                            "nvJitLink, the library that links code compiled with -dlto, was not "
                            "found");
        runcu_fail_detail("Looked at, in this order:\n%s"
                          "To install it: pip install nvidia-nvjitlink (for CUDA 12: pip install "
                          "nvidia-nvjitlink-cu12), or set RUNCU_NVJITLINK to its path.",
                          str_text(&report));
    }
    str_fini(&report);
    return status;
}

int runcu_nvjitlink_version(int *major, int *minor, const char **path)
{
    const struct nvjitlink *n;
    int status = nvjitlink_get(&n);
    if (major)
        *major = status ? 0 : (int) n->major;
    if (minor)
        *minor = status ? 0 : (int) n->minor;
    if (path)
        *path = status ? NULL : n->path;
    return status;
}

/* --- options ------------------------------------------------------------- */

struct linking {
    const struct nvjitlink *n;
    const struct nvjitlink_job *job;
    nvJitLinkHandle handle;
    struct arena arena;
    struct text_list options;
    bool failed; /* memory was short */
};

static void add_option(struct linking *l, const char *format, uint64_t value)
{
    struct str text = {0};
    str_addf(&text, format, (unsigned long long) value);
    const char *copy = text.failed ? NULL : arena_string(&l->arena, str_text(&text), text.len);
    l->failed |= !copy || !vec_push(&l->options, copy);
    str_fini(&text);
}

static bool has_lto(const struct nvjitlink_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (job->inputs[i].type == CU_JIT_INPUT_NVVM)
            return true;
    return false;
}

/* What the driver's options are called here; others have no counterpart. */
static void translate(struct linking *l, int option, uint64_t value)
{
    static const struct {
        int option;
        bool is_switch; /* 0 leaves it out */
        const char *format;
    } rows[] = {
        {CU_JIT_MAX_REGISTERS, true, "-maxrregcount=%llu"},
        {CU_JIT_OPTIMIZATION_LEVEL, false, "-O%llu"},
        {CU_JIT_GENERATE_DEBUG_INFO, true, "-g"},
        {CU_JIT_LOG_VERBOSE, true, "-verbose"},
        {CU_JIT_GENERATE_LINE_INFO, true, "-lineinfo"},
        {CU_JIT_FTZ, false, "-ftz=%llu"},
        {CU_JIT_PREC_DIV, false, "-prec-div=%llu"},
        {CU_JIT_PREC_SQRT, false, "-prec-sqrt=%llu"},
        {CU_JIT_FMA, false, "-fma=%llu"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].option == option && (value || !rows[i].is_switch))
            add_option(l, rows[i].format, value);
}

static void list_options(struct linking *l)
{
    const struct core_jit *jit = l->job->jit;
    add_option(l, l->job->is_ptx ? "-arch=compute_%llu" : "-arch=sm_%llu", (uint64_t) l->job->arch);
    if (has_lto(l->job))
        add_option(l, "-lto", 0);
    if (l->job->is_ptx)
        add_option(l, "-ptx", 0);
    for (unsigned i = 0; i < jit->count; i++)
        translate(l, jit->options[i], (uintptr_t) jit->values[i]);
}

/* --- linking ------------------------------------------------------------- */

static const char *name_of(nvJitLinkResult code)
{
    static const char *const names[] = {
        "NVJITLINK_SUCCESS",
        "NVJITLINK_ERROR_UNRECOGNIZED_OPTION",
        "NVJITLINK_ERROR_MISSING_ARCH",
        "NVJITLINK_ERROR_INVALID_INPUT",
        "NVJITLINK_ERROR_PTX_COMPILE",
        "NVJITLINK_ERROR_NVVM_COMPILE",
        "NVJITLINK_ERROR_INTERNAL",
        "NVJITLINK_ERROR_THREADPOOL",
        "NVJITLINK_ERROR_UNRECOGNIZED_INPUT",
        "NVJITLINK_ERROR_FINALIZE",
        "NVJITLINK_ERROR_NULL_INPUT",
        "NVJITLINK_ERROR_INCOMPATIBLE_OPTIONS",
        "NVJITLINK_ERROR_INCORRECT_INPUT_TYPE",
        "NVJITLINK_ERROR_ARCH_MISMATCH",
        "NVJITLINK_ERROR_OUTDATED_LIBRARY",
        "NVJITLINK_ERROR_MISSING_FATBIN",
        "NVJITLINK_ERROR_UNRECOGNIZED_ARCH",
        "NVJITLINK_ERROR_UNSUPPORTED_ARCH",
        "NVJITLINK_ERROR_LTO_NOT_ENABLED",
    };
    return code >= 0 && (size_t) code < ARRAY_LEN(names) ? names[code] : "an error";
}

typedef nvJitLinkResult size_fn(nvJitLinkHandle link, size_t *size);
typedef nvJitLinkResult text_fn(nvJitLinkHandle link, char *text);

static void read_log(char *out, const char *last, const struct linking *l, size_fn *ask,
                     text_fn *get)
{
    size_t size = 0;
    if (!out || !last)
        return;
    char *text =
        ask(l->handle, &size) == NVJITLINK_SUCCESS && size ? alloc_zero(size + 1, 1) : NULL;
    if (text && get(l->handle, text) == NVJITLINK_SUCCESS) {
        size_t len = MIN(strlen(text), (size_t) (last - out));
        memcpy(out, text, len);
        out[len] = 0;
    }
    alloc_free(text);
}

static int fail(struct linking *l, const char *routine, nvJitLinkResult code)
{
    struct core_jit *jit = l->job->jit;
    const struct nvjitlink_table *fn = &l->n->fn;
    if (l->handle)
        read_log(jit->error_log, jit->error_log_end, l, fn->nvJitLinkGetErrorLogSize,
                 fn->nvJitLinkGetErrorLog);
    int status = runcu_fail(RUNCU_ERROR_LINK, "%s failed: the code cannot be linked (%s)", routine,
                            name_of(code));
    core_jit_explain(jit);
    runcu_fail_detail("The linker is nvJitLink %u.%u, %s.", l->n->major, l->n->minor, l->n->path);
    runcu_fail_code(0, name_of(code), routine);
    return status;
}

static int add_inputs(struct linking *l)
{
    static const int types[] = {
        [CU_JIT_INPUT_CUBIN] = NVJITLINK_INPUT_CUBIN,
        [CU_JIT_INPUT_PTX] = NVJITLINK_INPUT_PTX,
        [CU_JIT_INPUT_FATBINARY] = NVJITLINK_INPUT_FATBIN,
        [CU_JIT_INPUT_OBJECT] = NVJITLINK_INPUT_OBJECT,
        [CU_JIT_INPUT_LIBRARY] = NVJITLINK_INPUT_LIBRARY,
        [CU_JIT_INPUT_NVVM] = NVJITLINK_INPUT_LTOIR,
    };
    nvJitLinkResult code = NVJITLINK_SUCCESS;
    for (size_t i = 0; !code && i < l->job->count; i++) {
        const struct nvjitlink_input *in = &l->job->inputs[i];
        code = l->n->fn.nvJitLinkAddData(l->handle, types[in->type], in->data, in->size, in->name);
    }
    return code ? fail(l, "nvJitLinkAddData", code) : 0;
}

static int take(struct str *out, struct linking *l)
{
    const struct nvjitlink_table *fn = &l->n->fn;
    bool is_ptx = l->job->is_ptx;
    size_t size = 0;
    nvJitLinkResult code = is_ptx ? fn->nvJitLinkGetLinkedPtxSize(l->handle, &size)
                                  : fn->nvJitLinkGetLinkedCubinSize(l->handle, &size);
    char *image = code ? NULL : alloc_zero(size + 1, 1);
    if (code)
        return fail(l, is_ptx ? "nvJitLinkGetLinkedPtxSize" : "nvJitLinkGetLinkedCubinSize", code);
    if (!image)
        return runcu_fail_memory();
    code = is_ptx ? fn->nvJitLinkGetLinkedPtx(l->handle, image)
                  : fn->nvJitLinkGetLinkedCubin(l->handle, image);
    if (!code)
        str_addn(out, image, size);
    alloc_free(image);
    if (out->failed)
        return runcu_fail_memory();
    return code ? fail(l, is_ptx ? "nvJitLinkGetLinkedPtx" : "nvJitLinkGetLinkedCubin", code) : 0;
}

static int run(struct str *out, struct linking *l)
{
    const struct core_jit *jit = l->job->jit;
    const struct nvjitlink_table *fn = &l->n->fn;
    list_options(l);
    if (l->failed)
        return runcu_fail_memory();
    nvJitLinkResult code =
        fn->nvJitLinkCreate(&l->handle, (uint32_t) l->options.len, l->options.at);
    if (code)
        return fail(l, "nvJitLinkCreate", code);
    int status = add_inputs(l);
    if (!status && (code = fn->nvJitLinkComplete(l->handle)))
        status = fail(l, "nvJitLinkComplete", code);
    if (!status)
        status = take(out, l);
    read_log(jit->info_log, jit->info_log_end, l, fn->nvJitLinkGetInfoLogSize,
             fn->nvJitLinkGetInfoLog);
    return status;
}

int nvjitlink_run(struct str *out, const struct nvjitlink_job *job)
{
    struct linking l = {.job = job};
    int status = nvjitlink_get(&l.n);
    if (status)
        return status;
    nvrtc_enter(); /* what compiles in it is NVRTC's own back end */
    status = run(out, &l);
    if (l.handle)
        l.n->fn.nvJitLinkDestroy(&l.handle);
    nvrtc_leave();
    vec_fini(&l.options);
    arena_fini(&l.arena);
    return status;
}

/* Leak checkers look at what is left when the library goes. */
AT_UNLOAD static void forget(void)
{
    alloc_free(loaded.path);
    loaded.path = NULL;
}

/* Modules: code loaded into a context. What a driver refuses to load is explained. */
#include "core.h"

#include <string.h>

#include "base/alloc.h"
#include "bundle.h"
#include "driver/fatbin.h"
#include "follow.h"
#include "image.h"
#include "jit.h"
#include "program.h"

void core_explain_load(const runcu_module *m, CUresult code)
{
    struct core_driver *driver = m->context->driver;
    int version = 0, arch = 0;
    driver->cu.cuDriverGetVersion(&version);
    if (runcu_device_arch(&arch, m->context->device) != 0)
        return;
    switch (code) {
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
        runcu_fail_detail(
            "The PTX is of version %s, newer than the driver, of CUDA %d.%d, understands. Compile "
            "for the "
            "device itself (sm_%d), which needs none, or use an NVRTC no newer than the driver, or "
            "a newer driver.",
            m->image.ptx_version, version / 1000, version % 1000 / 10, arch);
        break;
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
        runcu_fail_detail("The image holds no code that the device, %s (sm_%d), can run.",
                          m->context->device->name, arch);
        break;
    case CUDA_ERROR_INVALID_IMAGE:
        runcu_fail_detail("Cubin, PTX or a fatbin is meant.");
        break;
    case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
        runcu_fail_detail("The driver's compiler for PTX (libnvidia-ptxjitcompiler) is not "
                          "installed. Compile for the "
                          "device itself (sm_%d), which needs none.",
                          arch);
        break;
    default:
        break;
    }
}

/* Without options a cubin needs no compiler. */
static int load_code(runcu_module *m, const void *code, bool is_cubin,
                     const runcu_jit_params *params)
{
    struct core_driver *driver = m->context->driver;
    struct core_jit jit;
    int status = core_jit_init(&jit, params);
    if (status)
        return status;
    bool is_plain = is_cubin && !params;
    CUresult result = is_plain ? driver->cu.cuModuleLoadData(&m->handle, code)
                               : driver->cu.cuModuleLoadDataEx(&m->handle, code, jit.count,
                                                               jit.options, jit.values);
    status = core_check(driver, is_plain ? "cuModuleLoadData" : "cuModuleLoadDataEx", result);
    if (!status)
        return 0;
    core_jit_explain(&jit);
    core_explain_load(m, result);
    return status;
}

/* The driver trusts the sizes in an image's own header, and so reads past the end of one that was
 * cut off. */
static bool is_whole(const void *image, size_t bytes)
{
    uint64_t start, size;
    uint16_t header, row, rows;
    if (core_is_elf(image, bytes)) {
        memcpy(&start, (const char *) image + 40, sizeof start);
        memcpy(&row, (const char *) image + 58, sizeof row);
        memcpy(&rows, (const char *) image + 60, sizeof rows);
        size = (uint64_t) row * rows;
    } else {
        memcpy(&header, (const char *) image + 6, sizeof header);
        memcpy(&size, (const char *) image + 8, sizeof size);
        start = header;
    }
    return start <= bytes && size <= bytes - start;
}

/* Too short for the header of what it begins as. */
static bool is_stump(const void *image, size_t bytes)
{
    static const unsigned char elf[] = {0x7f, 'E', 'L', 'F'}, fat[] = {0x50, 0xed, 0x55, 0xba};
    enum { ELF_HEADER = 64, FATBIN_HEADER = 16 };
    return bytes >= sizeof elf && ((bytes < ELF_HEADER && memcmp(image, elf, sizeof elf) == 0) ||
                                   (bytes < FATBIN_HEADER && memcmp(image, fat, sizeof fat) == 0));
}

/* Names from `names`, which may be PTX beside a cubin, code from `code`. */
struct source {
    const void *code, *names;
    size_t code_bytes, names_bytes;
    const runcu_jit_params *jit; /* or NULL */
};

static int load_source(runcu_module *m, const struct source *s)
{
    struct core_driver *driver = m->context->driver;
    bool is_cubin = core_is_elf(s->code, s->code_bytes);
    /* A fatbin may be compressed. */
    m->prints = !driver->is_cpu && (drv_is_fatbin(s->code, s->code_bytes) ||
                                    memmem(s->code, s->code_bytes, "vprintf", strlen("vprintf")));
    int status = core_image_read(&m->image, s->names, s->names_bytes);
    if (status)
        return status;
    bool is_cut = is_stump(s->code, s->code_bytes);
    if (is_cut || is_cubin || drv_is_fatbin(s->code, s->code_bytes)) {
        if (!is_cut && is_whole(s->code, s->code_bytes))
            return load_code(m, s->code, is_cubin, s->jit);
        status = core_check(driver, "cuModuleLoadData", CUDA_ERROR_INVALID_IMAGE);
        runcu_fail_detail(
            "Its %zu bytes end before what its header announces: it has been cut off.",
            s->code_bytes);
        return status;
    }
    char *text =
        alloc_new(s->code_bytes + 1); /* text must end with a NUL, whatever we were given */
    if (!text)
        return runcu_fail_memory();
    memcpy(text, s->code, s->code_bytes);
    text[s->code_bytes] = 0;
    status = load_code(m, text, false, s->jit);
    alloc_free(text);
    return status;
}

static void discard(runcu_module *m)
{
    core_instances_release(m);
    core_follow_end(m);
    core_recipe_release(&m->recipe);
    alloc_free(m->origin);
    core_image_fini(&m->image);
    runcu_context_release(&m->context);
    core_delete(m);
}

static int load(runcu_module **out, const struct source *s)
{
    *out = NULL;
    if (!s->code || !s->code_bytes)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the image to load is empty");
    runcu_module *m = core_new(sizeof *m);
    if (!m)
        return RUNCU_ERROR_MEMORY;
    m->refs = 1;
    int status = core_context_get(&m->context);
    if (!status)
        status = load_source(m, s);
    if (status)
        discard(m);
    else
        *out = m;
    return status;
}

int runcu_module_wrap(runcu_module **out, uint64_t handle)
{
    CORE_OUT(out);
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no module");
    runcu_module *m = core_new(sizeof *m);
    if (!m)
        return RUNCU_ERROR_MEMORY;
    m->refs = 1;
    m->is_foreign = true;
    m->handle = (CUmodule) (uintptr_t) handle;
    int status = core_context_get(&m->context);
    if (status)
        discard(m);
    else
        *out = m;
    return status;
}

int runcu_module_load(runcu_module **out, const void *image, size_t bytes)
{
    CORE_OUT(out);
    if (bytes)
        CORE_NEED(image);
    return runcu_module_load_with(out, image, bytes, NULL);
}

int runcu_module_load_with(runcu_module **out, const void *image, size_t bytes,
                           const runcu_jit_params *params)
{
    CORE_OUT(out);
    if (bytes)
        CORE_NEED(image);
    if (core_is_bundle(image, bytes))
        return core_bundle_load(out, image, bytes, params);
    int status = load(out, &(struct source){image, image, bytes, bytes, params});
    return status ? status : core_module_keep(out, image, bytes);
}

int core_module_keep(runcu_module **module, const void *image, size_t bytes)
{
    runcu_module *m = *module;
    m->origin = alloc_new(bytes + 1);
    if (!m->origin) {
        runcu_module_release(module);
        return runcu_fail_memory();
    }
    memcpy(m->origin, image, bytes);
    m->origin_bytes = bytes;
    return 0;
}

static int take_program(runcu_module **module, const runcu_program *program)
{
    int status = core_image_name(&(*module)->image, program);
    (*module)->recipe = core_recipe_retain(program->recipe);
    if (status)
        runcu_module_release(module);
    return status;
}

int core_module_from_program(runcu_module **out, const runcu_program *program,
                             const runcu_jit_params *params)
{
    struct core_driver *driver;
    CUcontext context;
    runcu_error e;
    struct source s = {.jit = params};
    *out = NULL;
    int status = core_current(&driver, &context);
    if (status)
        return status;
    if (runcu_program_ltoir(program, NULL))
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "it was compiled with -dlto for a linker, which makes what a device can "
                          "load: link it by runcu_link_add_program (in Python by DynamicModule)");
    s.names = runcu_program_ptx(program, &s.names_bytes);
    s.code = driver->is_cpu ? NULL : runcu_program_cubin(program, &s.code_bytes);
    bool has_cubin = s.code && s.code_bytes;
    if (!s.names)
        s.names = s.code, s.names_bytes = s.code_bytes;
    if (has_cubin) {
        status = load(out, &s);
        runcu_error_get(&e);
        if (!status)
            return take_program(out, program);
        if (e.code != CUDA_ERROR_NO_BINARY_FOR_GPU || s.names == s.code)
            return status;
    }
    s.code = s.names; /* for another architecture the driver compiles the PTX, if it can */
    s.code_bytes = s.names_bytes;
    status = load(out, &s);
    if (status)
        runcu_fail_detail("It was compiled for %s.", runcu_program_arch(program));
    return status ? status : take_program(out, program);
}

int runcu_module_from_program(runcu_module **out, const runcu_program *program)
{
    CORE_OUT(out);
    CORE_NEED(program);
    return core_module_from_program(out, program, NULL);
}

int runcu_module_compile(runcu_module **out, const char *source, const runcu_program_params *params)
{
    CORE_OUT(out);
    CORE_NEED(source);
    runcu_program *program = NULL;
    runcu_error e;
    int status = runcu_program_compile(&program, source, params);
    if (!status) {
        status = runcu_module_from_program(out, program);
    } else if (program) {
        runcu_error_get(&e);
        if (!*e.detail)
            runcu_fail_detail("%s", runcu_program_report(program));
    }
    runcu_program_destroy(&program);
    return status;
}

runcu_module *runcu_module_retain(runcu_module *module)
{
    if (module)
        atomic_fetch_add(&module->refs, 1);
    return module;
}

static void unload(runcu_context *c, void *object)
{
    runcu_module *m = object;
    struct core_scope scope;
    if (!m->is_foreign && core_enter_cleanup(&scope, c)) {
        if (atomic_exchange(
                &c->has_work,
                false)) /* a kernel that runs needs its code, its printf needs the formats */
            core_cleanup(
                c, "cuCtxSynchronize",
                (core_listen(c->driver), core_listen_end(c->driver->cu.cuCtxSynchronize())));
        core_listen(c->driver);
        core_cleanup(c, "cuModuleUnload", core_listen_end(c->driver->cu.cuModuleUnload(m->handle)));
        core_leave(&scope);
    }
    discard(m);
}

void runcu_module_release(runcu_module **module)
{
    if (!module)
        return;
    runcu_module *m = *module;
    struct core_scope scope;
    int status;
    bool is_later = false;
    *module = NULL;
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    if (!m->is_foreign && core_enter_cleanup(&scope, m->context)) {
        is_later = core_defer(&status, m->context, unload, m);
        core_leave(&scope);
    }
    if (!is_later)
        unload(m->context, m);
}

uint64_t runcu_module_handle(const runcu_module *module)
{
    return module ? (uintptr_t) module->handle : 0;
}

runcu_context *runcu_module_context(const runcu_module *module)
{
    return module ? module->context : NULL;
}

static const struct core_symbol *kernel_at(const runcu_module *module, size_t index)
{
    runcu_module *now;
    if (!module || core_module_now(&now, (runcu_module *) (uintptr_t) module) != 0)
        return NULL;
    return index < now->image.kernels.len ? &now->image.kernels.at[index].id : NULL;
}

const char *runcu_module_kernel_name(const runcu_module *module, size_t index)
{
    const struct core_symbol *kernel = kernel_at(module, index);
    return kernel ? kernel->name : NULL;
}

const char *runcu_module_kernel_signature(const runcu_module *module, size_t index)
{
    const struct core_symbol *kernel = kernel_at(module, index);
    return kernel ? kernel->text : NULL;
}

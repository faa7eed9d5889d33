/* Modules from PTX text, refused in ptxas' words. Binary images are for GPUs. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "driver/fatbin.h"

static const char no_memory[] = "memory is short"; /* as simt says it */

/* ---- options of the just-in-time compiler ---- */

void cpu_jit_read(struct cpu_jit *out, unsigned count, const int *options, void **values)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < count; i++) {
        switch (options[i]) {
        case CU_JIT_ERROR_LOG_BUFFER:
            out->error_log = values[i];
            break;
        case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
            out->error_size = (size_t) (uintptr_t) values[i];
            out->error_filled = &values[i];
            break;
        case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
            out->info_filled = &values[i];
            break;
        default:
            break; /* how well to compile: nothing to choose here */
        }
    }
}

void cpu_jit_log(const struct cpu_jit *jit, const char *text)
{
    size_t len = 0;
    if (jit->error_log && jit->error_size) {
        len = strnlen(text, jit->error_size - 1);
        memcpy(jit->error_log, text, len);
        jit->error_log[len] = '\0';
    }
    if (jit->error_filled)
        *jit->error_filled = (void *) (uintptr_t) len;
    if (jit->info_filled)
        *jit->info_filled = NULL;
}

/* ---- the image ---- */

/* Is it PTX text? Comments and blank lines may come before .version. */
static bool is_ptx(const char *p)
{
    for (;;) {
        p += strspn(p, " \t\r\n\v\f");
        if (strncmp(p, "//", 2) == 0) {
            p += strcspn(p, "\n");
        } else if (strncmp(p, "/*", 2) == 0) {
            p = strstr(p, "*/");
            if (!p)
                return false;
            p += 2;
        } else {
            return strncmp(p, ".version", 8) == 0;
        }
    }
}

static CUresult check_image(const char *image)
{
    static const unsigned char elf[] = {0x7f, 'E', 'L', 'F'};
    if (strncmp(image, (const char *) elf, sizeof elf) == 0)
        return cpu_refuse(CUDA_ERROR_NO_BINARY_FOR_GPU,
                          "the image is compiled for a GPU (a cubin); the CPU device takes PTX "
                          "text: compile for compute_%d%d in place of sm_XX (target='ptx'), or "
                          "ship a fat binary or a bundle that holds PTX as well",
                          cpu.device.major, cpu.device.minor);
    if (!is_ptx(image))
        return cpu_refuse(CUDA_ERROR_INVALID_IMAGE,
                          "the image is neither PTX text (.version …) nor anything else");
    return CUDA_SUCCESS;
}

/* "ptxas application ptx input, line 3; error   : …" */
static CUresult refuse_text(const struct cpu_jit *jit, const struct ptx_diag *diag)
{
    char text[512];
    if (strcmp(diag->message, no_memory) == 0)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (diag->line)
        snprintf(text, sizeof text,
                 "ptxas application ptx input, line %u; error   : %s\n"
                 "ptxas fatal   : Ptx assembly aborted due to errors",
                 diag->line, diag->message);
    else
        snprintf(text, sizeof text, "ptxas fatal   : %s", diag->message);
    cpu_jit_log(jit, text);
    return cpu_refuse(CUDA_ERROR_INVALID_PTX, "%s", text);
}

static bool fits_device(const struct ptx_module *ptx, struct ptx_diag *diag)
{
    const struct cpu_device *d = &cpu.device;
    *diag = (struct ptx_diag){0};
    if (ptx->address_size == 32)
        snprintf(diag->message, sizeof diag->message, "32-bit addresses are not supported");
    else if (ptx->sm > (unsigned) (10 * d->major + d->minor))
        snprintf(diag->message, sizeof diag->message,
                 "SM version specified by .target is higher than default SM version assumed: %s, "
                 "while this device "
                 "has compute capability %d.%d (RUNCU_CPU_ARCH=%u changes that)",
                 ptx->target, d->major, d->minor, ptx->sm);
    return !diag->message[0];
}

static CUresult parse_text(struct ptx_module **out, const char *image, const struct cpu_jit *jit)
{
    struct ptx_diag diag = {0};
    CUresult code = check_image(image);
    if (code)
        return code;
    if (ptx_parse(out, image, strlen(image), &diag) != 0)
        return refuse_text(jit, &diag);
    if (fits_device(*out, &diag))
        return CUDA_SUCCESS;
    ptx_destroy(out);
    return refuse_text(jit, &diag);
}

/* The PTX in a fat binary that fits the device best. */
static CUresult choose_entry(struct drv_fatbin_entry *out, const char *image)
{
    const struct cpu_device *d = &cpu.device;
    unsigned own = (unsigned) (10 * d->major + d->minor), above = 0, found = 0;
    struct drv_fatbin_entry e;
    for (size_t i = 0; drv_fatbin_entry(&e, image, SIZE_MAX, i); i++) {
        if (e.kind != DRV_FATBIN_PTX)
            continue;
        if (e.arch > own)
            above = e.arch;
        else if (e.arch >= found)
            *out = e, found = MAX(e.arch, 1);
    }
    if (found)
        return CUDA_SUCCESS;
    if (above)
        return cpu_refuse(CUDA_ERROR_NO_BINARY_FOR_GPU,
                          "the fat binary holds PTX for compute_%u, while this device has compute "
                          "capability %d.%d (RUNCU_CPU_ARCH=%u changes that)",
                          above, d->major, d->minor, above);
    return cpu_refuse(CUDA_ERROR_NO_BINARY_FOR_GPU,
                      "the fat binary holds no PTX, which is what the CPU device takes: add it "
                      "(nvcc -gencode arch=compute_%u,code=compute_%u)",
                      own, own);
}

static CUresult parse_fatbin(struct ptx_module **out, const char *image, const struct cpu_jit *jit)
{
    struct drv_fatbin_entry e;
    const char *why;
    CUresult code = choose_entry(&e, image);
    if (code)
        return code;
    char *text = drv_fatbin_unpack(&e, &why);
    if (!text)
        return why ? cpu_refuse(CUDA_ERROR_INVALID_IMAGE, "the fat binary: %s", why)
                   : CUDA_ERROR_OUT_OF_MEMORY;
    code = parse_text(out, text, jit);
    alloc_free(text);
    return code;
}

CUresult cpu_ptx_parse(struct ptx_module **out, const char *image, const struct cpu_jit *jit)
{
    static const char magic[] = "\x50\xed\x55\xba";
    bool is_fatbin = strncmp(image, magic, sizeof magic - 1) == 0;
    return is_fatbin ? parse_fatbin(out, image, jit) : parse_text(out, image, jit);
}

/* ---- the module ---- */

void cpu_module_destroy(struct cpu_module *m)
{
    struct cpu_module **p = &m->context->modules;
    while (*p != m)
        p = &(*p)->next;
    *p = m->next;
    while (m->functions) {
        struct cpu_function *f = m->functions;
        m->functions = f->next;
        cpu_handle_destroy(f->handle);
        alloc_free(f);
    }
    cpu_handle_destroy(m->handle);
    simt_module_destroy(&m->simt);
    alloc_free(m);
}

/* Takes *ptx on success. */
static CUresult create(CUmodule *out, struct cpu_context *c, struct ptx_module *ptx,
                       const struct cpu_jit *jit)
{
    struct str message = {0};
    struct cpu_module *m = alloc_zero(1, sizeof *m);
    if (!m)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (!(m->handle = cpu_handle_create(CPU_MODULE, m))) {
        alloc_free(m);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    CUresult code = CUDA_SUCCESS;
    if (simt_module_create(&m->simt, ptx, c->space, &message) != 0) {
        struct ptx_diag diag = {0};
        snprintf(diag.message, sizeof diag.message, "%s",
                 message.failed ? no_memory : str_text(&message));
        code = refuse_text(jit, &diag);
        cpu_handle_destroy(m->handle);
        alloc_free(m);
    } else {
        m->context = c;
        m->next = c->modules;
        c->modules = m;
        *out = m->handle;
    }
    str_fini(&message);
    return code;
}

CUresult cpu_cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options,
                                void **values)
{
    struct cpu_context *c = NULL;
    struct cpu_jit jit;
    struct ptx_module *ptx = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    CUcontext handle = c->handle;
    cpu_leave(CUDA_SUCCESS);
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!module || !image || (count && (!options || !values)))
        return CUDA_ERROR_INVALID_VALUE;
    cpu_jit_read(&jit, count, options, values);
    if ((code = cpu_ptx_parse(&ptx, image, &jit)))
        return code;
    if (!(code = cpu_enter())) {
        c = cpu_handle_get(CPU_CONTEXT, handle);
        code = c ? c->fault : CUDA_ERROR_CONTEXT_IS_DESTROYED;
        if (!code)
            code = create(module, c, ptx, &jit);
        cpu_leave(CUDA_SUCCESS);
    }
    if (code)
        ptx_destroy(&ptx);
    else
        cpu_jit_log(&jit, "");
    return code;
}

CUresult cpu_cuModuleLoadData(CUmodule *module, const void *image)
{
    return cpu_cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

static CUresult enter_module(struct cpu_module **out, CUmodule module)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_handle_get(CPU_MODULE, module);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_HANDLE);
}

/* Waits for the context's work first. */
CUresult cpu_cuModuleUnload(CUmodule module)
{
    struct cpu_module *m = NULL;
    CUresult code = enter_module(&m, module);
    if (code)
        return code;
    if ((code = cpu_wait_quiet(m->context)))
        return cpu_leave(code);
    if (!(m = cpu_handle_get(CPU_MODULE, module)))
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    cpu_module_destroy(m);
    return cpu_leave(CUDA_SUCCESS);
}

/* Why there is no such kernel. */
static CUresult refuse_kernel(const struct cpu_module *m, const char *name,
                              const struct str *message)
{
    const struct ptx_func *f = ptx_find_func(simt_module_ptx(m->simt), name);
    if (message->failed || strcmp(str_text(message), no_memory) == 0)
        return CUDA_ERROR_OUT_OF_MEMORY;
    bool is_there = f && f->kind == PTX_ENTRY && f->defined;
    return cpu_refuse(is_there ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_NOT_FOUND, "%s",
                      str_text(message));
}

static CUresult create_function(struct cpu_function **out, struct cpu_module *m,
                                struct simt_kernel *kernel)
{
    struct cpu_function *f = alloc_zero(1, sizeof *f);
    if (!f || !(f->handle = cpu_handle_create(CPU_FUNCTION, f))) {
        alloc_free(f);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    f->module = m;
    f->kernel = kernel;
    simt_kernel_info(kernel, &f->info);
    f->max_dynamic = CPU_SHARED - (int) f->info.static_shared;
    f->next = m->functions;
    m->functions = f;
    *out = f;
    return CUDA_SUCCESS;
}

/* Making a kernel of a large function takes a while, in which others launch and copy. The module
 * stays: who ends it, or its context, waits. */
static int get_kernel(struct simt_kernel **out, struct cpu_module *m, const char *name,
                      struct str *message)
{
    struct cpu_context *c = m->context;
    c->lowering++;
    cpu.inside++;
    cpu_own_inside++;
    pthread_mutex_unlock(&cpu.lock);
    int status = simt_kernel_get(out, m->simt, name, message);
    pthread_mutex_lock(&cpu.lock);
    cpu_own_inside--;
    cpu.inside--;
    c->lowering--;
    if (cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
    return status;
}

CUresult cpu_cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    struct cpu_module *m = NULL;
    struct simt_kernel *kernel;
    struct str message = {0};
    CUresult code = enter_module(&m, module);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!function || !name)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (get_kernel(&kernel, m, name, &message) != 0) {
        code = refuse_kernel(m, name, &message);
        str_fini(&message);
        return cpu_leave(code);
    }
    struct cpu_function *f = m->functions;
    while (f && f->kernel != kernel)
        f = f->next;
    if (!f)
        code = create_function(&f, m, kernel);
    if (!code)
        *function = f->handle;
    return cpu_leave(code);
}

CUresult cpu_cuModuleGetGlobal(CUdeviceptr *address, size_t *bytes, CUmodule module,
                               const char *name)
{
    struct cpu_module *m = NULL;
    uint64_t at;
    size_t size;
    CUresult code = enter_module(&m, module);
    if (code)
        return code;
    if (!name || (!address && !bytes))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (!simt_module_global(m->simt, name, &at, &size))
        return cpu_leave(CUDA_ERROR_NOT_FOUND);
    if (address)
        *address = at;
    if (bytes)
        *bytes = size;
    return cpu_leave(CUDA_SUCCESS);
}

/* Linking: by the driver, or by nvJitLink where the driver cannot. */
#include "core.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/vec.h"
#include "jit.h"
#include "library.h"
#include "nvjitlink.h"

struct runcu_link {
    runcu_context *context;
    CUlinkState handle;
    int linker; /* enum runcu_linker; AUTO becomes NVJITLINK when it is known */
    VEC(struct nvjitlink_input) inputs; /* copies, for nvJitLink */
    bool has_input;                     /* the driver or nvJitLink has something to link */
    struct str own;                     /* what nvJitLink came to */
    const void *image;                  /* once it is complete; the driver's, or `own` */
    size_t bytes;
    struct core_jit jit; /* the driver writes to it as long as the link lives */
};

/* --- a link ---------------------------------------------------------------- */

static int enter(struct core_scope *scope, const runcu_link *link)
{
    return core_enter(scope, link->context);
}

static int leave(struct core_scope *scope, runcu_link *link, int status)
{
    if (status && *link->jit.error_log) /* without a log the device's own words stay */
        core_jit_explain(&link->jit);
    core_leave(scope);
    return status;
}

static int choose(int *out, const runcu_jit_params *params)
{
    runcu_jit_params p;
    core_params(&p, sizeof p, params);
    *out = p.linker;
    return *out >= RUNCU_LINKER_AUTO && *out <= RUNCU_LINKER_NVJITLINK
               ? 0
               : runcu_fail(RUNCU_ERROR_ARGUMENT, "%d is no linker: enum runcu_linker has them",
                            *out);
}

static int start(runcu_link *link, const runcu_jit_params *params)
{
    const struct nvjitlink *unused;
    int status = choose(&link->linker, params);
    if (!status)
        status = core_context_get(&link->context);
    if (status)
        return status;
    struct core_driver *driver = link->context->driver;
    if (!driver->cu.cuLinkCreate || !driver->cu.cuLinkAddData || !driver->cu.cuLinkComplete ||
        !driver->cu.cuLinkDestroy)
        return core_check(driver, "cuLinkCreate", CUDA_ERROR_NOT_SUPPORTED);
    status = core_jit_init(&link->jit, params);
    if (!status && link->linker == RUNCU_LINKER_NVJITLINK)
        status = nvjitlink_get(&unused);
    if (status)
        return status;
    return CU_CALL(driver, cuLinkCreate, link->jit.count, link->jit.options, link->jit.values,
                   &link->handle);
}

int runcu_link_create(runcu_link **out, const runcu_jit_params *params)
{
    CORE_OUT(out);
    runcu_link *link = *out = core_new(sizeof *link);
    if (!link)
        return RUNCU_ERROR_MEMORY;
    int status = start(link, params);
    if (status)
        runcu_link_destroy(out);
    return status;
}

/* --- who links ------------------------------------------------------------- */

static bool is_cpu(const runcu_link *link)
{
    return link->context->driver->is_cpu;
}

/* Was the code made by an NVRTC that knows more than the driver? And is there an nvJitLink that
 * knows as much? */
static bool is_beyond_driver(const runcu_link *link)
{
    const struct nvjitlink *n;
    int major = 0, minor = 0, version = 0;
    if (!runcu_nvrtc_is_loaded() || runcu_nvrtc_version(&major, &minor, NULL) != 0 ||
        link->context->driver->cu.cuDriverGetVersion(&version))
        return false;
    int nvrtc = major * 1000 + minor * 10;
    return nvrtc > version && nvjitlink_get(&n) == 0 &&
           (int) (n->major * 1000 + n->minor * 10) >= nvrtc;
}

/* The CPU device takes text: nvJitLink only makes it of code for link-time optimisation there. */
static bool is_for_nvjitlink(runcu_link *link, int type)
{
    bool is_lto = type == CU_JIT_INPUT_NVVM;
    if (is_cpu(link) || link->linker == RUNCU_LINKER_DRIVER)
        return is_lto && link->linker != RUNCU_LINKER_DRIVER;
    if (link->linker == RUNCU_LINKER_AUTO && (is_lto || is_beyond_driver(link)))
        link->linker = RUNCU_LINKER_NVJITLINK;
    return link->linker == RUNCU_LINKER_NVJITLINK;
}

/* --- inputs ---------------------------------------------------------------- */

static void discard_input(struct nvjitlink_input *in)
{
    alloc_free((char *) in->data);
    alloc_free((char *) in->name);
}

/* A copy, which ends with a NUL that only PTX counts. */
static int keep(runcu_link *link, int type, const void *image, size_t bytes, const char *name)
{
    char *data = alloc_new(bytes + 1);
    struct nvjitlink_input in = {type, data, bytes, alloc_string(name)};
    if (!data || !in.name || !vec_push(&link->inputs, in)) {
        discard_input(&in);
        return runcu_fail_memory();
    }
    memcpy(data, image, bytes);
    data[bytes] = 0;
    if (type == CU_JIT_INPUT_PTX)
        link->inputs.at[link->inputs.len - 1].size = strlen(data) + 1;
    return 0;
}

static int add_to_driver(runcu_link *link, const struct nvjitlink_input *in)
{
    struct core_scope scope;
    int status = enter(&scope, link);
    if (status)
        return status;
    status = CU_CALL(link->context->driver, cuLinkAddData, link->handle, in->type,
                     (void *) in->data, in->size, in->name, 0, NULL, NULL);
    return leave(&scope, link, status);
}

/* The driver does not know PTX that is newer than it. */
static bool turn_to_nvjitlink(runcu_link *link)
{
    const struct nvjitlink *unused;
    runcu_error e;
    runcu_error_get(&e);
    if (link->linker != RUNCU_LINKER_AUTO || is_cpu(link) ||
        e.code != CUDA_ERROR_UNSUPPORTED_PTX_VERSION || nvjitlink_get(&unused) != 0)
        return false;
    link->linker = RUNCU_LINKER_NVJITLINK;
    return true;
}

static int add(runcu_link *link, int type, const void *image, size_t bytes, const char *name)
{
    bool by_nvjitlink = is_for_nvjitlink(link, type);
    int status = keep(link, type, image, bytes, name);
    if (status)
        return status;
    if (!by_nvjitlink)
        status = add_to_driver(link, &link->inputs.at[link->inputs.len - 1]);
    if (status && !turn_to_nvjitlink(link)) {
        discard_input(&link->inputs.at[--link->inputs.len]);
        return core_last_status(); /* that nvJitLink is missing, where it would have helped */
    }
    link->has_input = true;
    return 0;
}

int runcu_link_add(runcu_link *link, int type, const void *image, size_t bytes, const char *name)
{
    CORE_NEED(link);
    if (bytes)
        CORE_NEED(image);
    if (link->image)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the link is complete: nothing can be added");
    if (!bytes)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the image to link is empty");
    if (type < CU_JIT_INPUT_CUBIN || type > CU_JIT_INPUT_NVVM)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%d is no type of code: CUjitInputType has them",
                          type);
    return add(link, type, image, bytes, name ? name : "input");
}

int runcu_link_add_program(runcu_link *link, const runcu_program *program, const char *name)
{
    CORE_NEED(link);
    CORE_NEED(program);
    size_t bytes;
    const void *ltoir = runcu_program_ltoir(program, &bytes);
    if (ltoir)
        return runcu_link_add(link, CU_JIT_INPUT_NVVM, ltoir, bytes, name);
    const void *cubin = runcu_program_cubin(program, &bytes);
    if (cubin && !is_cpu(link))
        return runcu_link_add(link, CU_JIT_INPUT_CUBIN, cubin, bytes, name);
    const void *ptx = runcu_program_ptx(program, &bytes);
    return runcu_link_add(link, CU_JIT_INPUT_PTX, ptx, bytes, name);
}

int runcu_link_add_file(runcu_link *link, int type, const char *path)
{
    CORE_NEED(link);
    CORE_NEED(path);
    struct str image = {0};
    int status, code = fs_read(&image, path, SIZE_MAX);
    if (code == ENOMEM)
        status = runcu_fail_memory();
    else if (code)
        status = core_check(link->context->driver, "cuLinkAddFile", CUDA_ERROR_FILE_NOT_FOUND);
    else
        status = runcu_link_add(link, type, image.at, image.len, path);
    if (status)
        runcu_fail_detail("The file is %s.", path);
    str_fini(&image);
    return status;
}

int runcu_link_add_library(runcu_link *link, const char *name, const char *folder)
{
    CORE_NEED(link);
    CORE_NEED(name);
    struct str path = {0};
    if (link->context->driver->is_cpu && strcmp(name, "cudadevrt") == 0)
        return 0;
    int status = core_library_find(&path, name, folder);
    if (!status)
        status = runcu_link_add_file(link, CU_JIT_INPUT_LIBRARY, path.at);
    str_fini(&path);
    return status;
}

/* --- completion -------------------------------------------------------------- */

static int run_nvjitlink(runcu_link *link, const struct nvjitlink_input *inputs, size_t count)
{
    struct nvjitlink_job job = {
        .is_ptx = is_cpu(link), .inputs = inputs, .count = count, .jit = &link->jit};
    int status = runcu_device_arch(&job.arch, link->context->device);
    str_clear(&link->own); /* what a completion that failed has left */
    return status ? status : nvjitlink_run(&link->own, &job);
}

static int complete_by_nvjitlink(runcu_link *link)
{
    int status = run_nvjitlink(link, link->inputs.at, link->inputs.len);
    if (status)
        return status;
    link->image = link->own.at;
    link->bytes = link->own.len;
    return 0;
}

/* What is to be optimised becomes PTX, which joins the other texts. */
static int lower_lto(runcu_link *link)
{
    VEC(struct nvjitlink_input) lto = {0};
    bool ok = true;
    if (link->own.len) /* by a completion that failed later */
        return 0;
    for (size_t i = 0; ok && i < link->inputs.len; i++)
        if (link->inputs.at[i].type == CU_JIT_INPUT_NVVM)
            ok = vec_push(&lto, link->inputs.at[i]);
    int status = ok ? 0 : runcu_fail_memory();
    if (!status && lto.len)
        status = run_nvjitlink(link, lto.at, lto.len);
    if (!status && lto.len)
        status = add_to_driver(link, &(struct nvjitlink_input){CU_JIT_INPUT_PTX, link->own.at,
                                                               link->own.len, lto.at[0].name});
    vec_fini(&lto);
    return status;
}

static int complete_by_driver(runcu_link *link)
{
    struct core_scope scope;
    void *image = NULL;
    size_t bytes = 0;
    int status = enter(&scope, link);
    if (status)
        return status;
    status = CU_CALL(link->context->driver, cuLinkComplete, link->handle, &image, &bytes);
    if (!status)
        link->image = image, link->bytes = bytes;
    return leave(&scope, link, status);
}

static int complete(runcu_link *link)
{
    if (!link->has_input)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "nothing was added that could be linked");
    if (link->linker == RUNCU_LINKER_NVJITLINK && !is_cpu(link))
        return complete_by_nvjitlink(link);
    int status = is_cpu(link) ? lower_lto(link) : 0;
    if (!status && (status = complete_by_driver(link)) && link->own.len)
        runcu_fail_detail("Of what was compiled with -dlto kernels are left, and what they need: "
                          "compile what other parts need without it.");
    return status;
}

int runcu_link_complete(const void **image, size_t *bytes, runcu_link *link)
{
    CORE_NEED(image);
    CORE_NEED(bytes);
    CORE_NEED(link);
    int status = link->image ? 0 : complete(link);
    *image = link->image;
    *bytes = link->image ? link->bytes : 0;
    return status;
}

uint64_t runcu_link_handle(const runcu_link *link)
{
    return link ? (uintptr_t) link->handle : 0;
}

void runcu_link_destroy(runcu_link **link)
{
    if (!link)
        return;
    runcu_link *l = *link;
    struct core_scope scope;
    *link = NULL;
    if (!l)
        return;
    if (l->handle && core_enter_cleanup(&scope, l->context)) {
        core_cleanup(l->context, "cuLinkDestroy", l->context->driver->cu.cuLinkDestroy(l->handle));
        core_leave(&scope);
    }
    for (size_t i = 0; i < l->inputs.len; i++)
        discard_input(&l->inputs.at[i]);
    vec_fini(&l->inputs);
    str_fini(&l->own);
    runcu_context_release(&l->context);
    core_delete(l);
}

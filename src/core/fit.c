/* Which of a bundle's parts a device is given, by the rules of binary and PTX compatibility: CUDA
 * C++ Programming Guide, 3.1.2 to 3.1.4. */
#include <stdlib.h>
#include <string.h>

#include "core/bundle.h"

/* Code for features of one device ("sm_90a") or of its family ("sm_100f"). */
static char suffix_of(const char *arch)
{
    return arch[strlen(arch) - 1];
}

static int number_of(const char *arch)
{
    return atoi(strchr(arch, '_') + 1);
}

/* Machine code runs on devices of its generation that are not below it. */
static bool cubin_fits(const runcu_bundle_part *p, int device)
{
    int number = number_of(p->arch);
    if (!p->cubin)
        return false;
    return number == device ||
           (number < device && number / 10 == device / 10 && suffix_of(p->arch) != 'a');
}

/* PTX is translated for every newer device. */
static bool ptx_fits(const runcu_bundle_part *p, int device)
{
    int number = number_of(p->arch);
    if (!p->ptx || suffix_of(p->arch) == 'a')
        return p->ptx && number == device;
    return number <= device && (suffix_of(p->arch) != 'f' || number / 10 == device / 10);
}

/* The higher the better, and what was made for one device before what was made for all. */
static int rank_of(const runcu_bundle_part *p)
{
    return 2 * number_of(p->arch) + (suffix_of(p->arch) > '9');
}

const runcu_bundle_part *core_bundle_fit(bool *is_ptx, const runcu_bundle *bundle, int number,
                                         bool takes_cubin)
{
    const runcu_bundle_part *cubin = NULL, *ptx = NULL;
    for (size_t i = 0; i < bundle->count; i++) {
        const runcu_bundle_part *p = &bundle->parts[i];
        if (takes_cubin && cubin_fits(p, number) && (!cubin || rank_of(p) > rank_of(cubin)))
            cubin = p;
        if (ptx_fits(p, number) && (!ptx || rank_of(p) > rank_of(ptx)))
            ptx = p;
    }
    *is_ptx = !cubin;
    return cubin ? cubin : ptx;
}

static int fail_none(const runcu_bundle *bundle, const runcu_context *context, int number)
{
    struct str inside = {0};
    int status = core_check(context->driver, "cuModuleLoadData", CUDA_ERROR_NO_BINARY_FOR_GPU);
    for (size_t i = 0; i < bundle->count; i++)
        str_addf(&inside, "%s%s", i ? ", " : "", bundle->parts[i].arch);
    runcu_fail_detail("The bundle of %s is for %s; the device, %s, is sm_%d. PTX of compute_%d or "
                      "lower would run there: runcu compile --arch compute_%d.",
                      bundle->name, str_text(&inside), context->device->name, number, number,
                      number);
    str_fini(&inside);
    return status;
}

/* Is it the only kernel of that name? Then the name needs nobody who can read symbols. */
static bool is_unique(const runcu_bundle_part *p, size_t kernel)
{
    for (size_t i = 0; i < p->kernel_count; i++)
        if (i != kernel && strcmp(p->kernels[i].name, p->kernels[kernel].name) == 0)
            return false;
    return true;
}

/* A program of the part, which lives as long as the part and the arena. False when memory is
 * short. */
static bool make_program(runcu_program *out, const runcu_bundle_part *p, bool is_ptx,
                         struct arena *arena)
{
    struct core_named *named =
        arena_alloc(arena, (p->name_count + p->kernel_count) * sizeof *named + 1);
    *out = (runcu_program){.arch = p->arch,
                           .ptx = p->ptx,
                           .ptx_size = p->ptx_bytes,
                           .cubin = is_ptx ? NULL : p->cubin,
                           .cubin_size = is_ptx ? 0 : p->cubin_bytes,
                           .named = named};
    for (size_t i = 0; named && i < p->name_count; i++)
        named[out->named_count++] = (struct core_named){p->names[i].expression, p->names[i].symbol};
    for (size_t i = 0; named && i < p->kernel_count; i++)
        if (is_unique(p, i))
            named[out->named_count++] =
                (struct core_named){p->kernels[i].name, p->kernels[i].symbol};
    return named != NULL;
}

static int load(runcu_module **out, const runcu_bundle *bundle, const runcu_jit_params *params)
{
    runcu_context *context;
    runcu_program program;
    struct arena arena = {0};
    int number = 0, status = core_context_get(&context);
    bool is_ptx;
    *out = NULL;
    if (status)
        return status;
    status = runcu_device_arch(&number, context->device);
    const runcu_bundle_part *part =
        status ? NULL : core_bundle_fit(&is_ptx, bundle, number, !context->driver->is_cpu);
    if (!part)
        status = status ? status : fail_none(bundle, context, number);
    else if (!make_program(&program, part, is_ptx, &arena))
        status = runcu_fail_memory();
    else
        status = core_module_from_program(out, &program, params);
    arena_fini(&arena);
    if (part && !status)
        status = core_module_keep(out, bundle->bytes.at, bundle->bytes.len);
    runcu_context_release(&context);
    return status;
}

int core_bundle_load(runcu_module **out, const void *image, size_t bytes,
                     const runcu_jit_params *params)
{
    runcu_bundle *bundle;
    *out = NULL;
    int status = runcu_bundle_parse(&bundle, image, bytes);
    if (!status)
        status = load(out, bundle, params);
    runcu_bundle_destroy(&bundle);
    return status;
}

int runcu_module_load_bundle(runcu_module **out, const runcu_bundle *bundle)
{
    CORE_OUT(out);
    CORE_NEED(bundle);
    return load(out, bundle, NULL);
}

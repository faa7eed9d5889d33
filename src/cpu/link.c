/* cuLink: several PTX texts to one, which loads like any other. Objects and libraries hold code for
 * GPUs and are refused. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "ptx/link.h"

struct cpu_link {
    struct cpu_link *next; /* of the context */
    struct cpu_context *context;
    CUlinkState handle;
    struct cpu_jit jit;
    VEC(struct ptx_link_input) inputs; /* text and name are ours */
    char *image;                       /* once it is complete */
};

static void discard_input(struct ptx_link_input *in)
{
    struct ptx_module *module = (struct ptx_module *) in->module;
    alloc_free((void *) in->text);
    alloc_free((void *) in->name);
    ptx_destroy(&module);
}

void cpu_link_destroy(struct cpu_link *link)
{
    struct cpu_link **p = &link->context->links;
    while (*p != link)
        p = &(*p)->next;
    *p = link->next;
    for (size_t i = 0; i < link->inputs.len; i++)
        discard_input(&link->inputs.at[i]);
    vec_fini(&link->inputs);
    alloc_free(link->image);
    cpu_handle_destroy(link->handle);
    alloc_free(link);
}

CUresult cpu_cuLinkCreate(unsigned count, int *options, void **values, CUlinkState *state)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!state || (count && (!options || !values)))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_link *link = alloc_zero(1, sizeof *link);
    if (!link || !(link->handle = cpu_handle_create(CPU_LINK, link))) {
        alloc_free(link);
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    cpu_jit_read(&link->jit, count, options, values);
    link->context = c;
    link->next = c->links;
    c->links = link;
    *state = link->handle;
    return cpu_leave(CUDA_SUCCESS);
}

/* Under the lock, on success. */
static CUresult enter_link(struct cpu_link **out, CUlinkState state)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_handle_get(CPU_LINK, state);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_HANDLE);
}

/* A copy of the image, and what it is parsed to. `jit`: of the link. */
static CUresult make_input(struct ptx_link_input *out, const void *data, size_t size,
                           const char *name, const struct cpu_jit *jit)
{
    struct ptx_module *module = NULL;
    char *text = alloc_new(size + 1), *copy = alloc_new(strlen(name) + 1);
    if (!text || !copy) {
        alloc_free(text);
        alloc_free(copy);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    memcpy(copy, name, strlen(name) + 1);
    CUresult code = cpu_ptx_parse(&module, text, jit);
    *out = (struct ptx_link_input){text, copy, module};
    if (code)
        discard_input(out);
    return code;
}

static CUresult refuse_type(int type)
{
    if (type < CU_JIT_INPUT_CUBIN || type > CU_JIT_INPUT_NVVM)
        return CUDA_ERROR_INVALID_VALUE;
    if (type == CU_JIT_INPUT_NVVM)
        return cpu_refuse(CUDA_ERROR_NO_BINARY_FOR_GPU,
                          "code for link-time optimisation is no text: nvJitLink makes PTX of it, "
                          "which the CPU device links");
    return cpu_refuse(CUDA_ERROR_NO_BINARY_FOR_GPU,
                      "%s is compiled for GPUs; the CPU device links PTX text",
                      type == CU_JIT_INPUT_OBJECT ? "an object" : "a library");
}

static CUresult refuse(const struct cpu_link *link, CUresult code, const char *text)
{
    cpu_jit_log(&link->jit, text);
    return cpu_refuse(code, "%s", text);
}

/* As NVIDIA's driver does, what does not agree with the inputs before is refused at once. */
static CUresult take_input(struct cpu_link *link, const struct ptx_link_input *input)
{
    struct ptx_diag diag;
    if (!vec_push(&link->inputs, *input))
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (ptx_link_check(link->inputs.at, link->inputs.len, &diag) == 0)
        return CUDA_SUCCESS;
    link->inputs.len--;
    return refuse(link, CUDA_ERROR_INVALID_SOURCE, diag.message);
}

CUresult cpu_cuLinkAddData(CUlinkState state, int type, void *data, size_t size, const char *name,
                           unsigned count, int *options, void **values)
{
    struct cpu_link *link = NULL;
    struct ptx_link_input input;
    CUresult code = enter_link(&link, state);
    if (code)
        return code;
    struct cpu_jit jit = link->jit;
    bool is_complete = link->image != NULL;
    cpu_leave(CUDA_SUCCESS);
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!data || !size || is_complete || (count && (!options || !values)))
        return CUDA_ERROR_INVALID_VALUE;
    if (type < CU_JIT_INPUT_CUBIN || type > CU_JIT_INPUT_FATBINARY)
        return refuse_type(type);
    if ((code = make_input(&input, data, size, name ? name : "", &jit)))
        return code;
    if (!(code = enter_link(&link, state)))
        code = cpu_leave(take_input(link, &input));
    if (code)
        discard_input(&input);
    return code;
}

/* A function that no input defines and the device does not know, or NULL. */
static const struct ptx_func *find_undefined(const struct ptx_module *m)
{
    for (uint32_t i = 0; i < m->func_count; i++)
        if (!m->funcs[i]->defined && !m->funcs[i]->alias && m->funcs[i]->is_extern &&
            !simt_provides(m->funcs[i]->name))
            return m->funcs[i];
    return NULL;
}

static const char *find_undefined_name(const struct ptx_module *m)
{
    const struct ptx_func *missing = find_undefined(m);
    if (missing)
        return missing->name;
    for (uint32_t i = 0; i < m->var_count; i++)
        if (m->vars[i]->is_extern && m->vars[i]->space != PTX_SHARED)
            return m->vars[i]->name;
    return NULL;
}

/* In nvlink's words. */
static CUresult refuse_undefined(const struct cpu_link *link, const char *name)
{
    char text[512];
    size_t i = 0;
    while (i + 1 < link->inputs.len && !ptx_find_func(link->inputs.at[i].module, name) &&
           !ptx_find_var(link->inputs.at[i].module, name))
        i++;
    snprintf(text, sizeof text, "Undefined reference to '%.300s' in '%.100s'", name,
             link->inputs.at[i].name);
    return refuse(link, CUDA_ERROR_INVALID_PTX, text);
}

static CUresult check_whole(const struct cpu_link *link, const char *image)
{
    struct ptx_module *module = NULL;
    CUresult code = cpu_ptx_parse(&module, image, &link->jit);
    if (code)
        return code;
    const char *missing = find_undefined_name(module);
    if (missing)
        code = refuse_undefined(link, missing);
    ptx_destroy(&module);
    return code;
}

static CUresult complete(struct cpu_link *link)
{
    struct str text = {0};
    CUresult code = CUDA_SUCCESS;
    if (!link->inputs.len)
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "nothing was added that could be linked");
    ptx_link(&text, link->inputs.at, link->inputs.len);
    if (text.failed)
        code = CUDA_ERROR_OUT_OF_MEMORY;
    else
        code = check_whole(link, text.at);
    if (!code && !(link->image = str_take(&text)))
        code = CUDA_ERROR_OUT_OF_MEMORY;
    if (!code)
        cpu_jit_log(&link->jit, "");
    str_fini(&text);
    return code;
}

CUresult cpu_cuLinkComplete(CUlinkState state, void **image, size_t *size)
{
    struct cpu_link *link = NULL;
    CUresult code = enter_link(&link, state);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!image)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (!link->image)
        code = complete(link);
    if (!code) {
        *image = link->image;
        if (size)
            *size = strlen(link->image);
    }
    return cpu_leave(code);
}

CUresult cpu_cuLinkDestroy(CUlinkState state)
{
    struct cpu_link *link = NULL;
    CUresult code = enter_link(&link, state);
    if (code)
        return code;
    cpu_link_destroy(link);
    return cpu_leave(CUDA_SUCCESS);
}

/* Texture and surface objects: what they read, how, and the checks when they are made. Kernels that
 * sample do not run here. */
#include "base/alloc.h"
#include "cpu/cpu.h"

enum {
    KNOWN_FLAGS = CU_TRSF_READ_AS_INTEGER | CU_TRSF_NORMALIZED_COORDINATES | CU_TRSF_SRGB |
                  CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION | CU_TRSF_SEAMLESS_CUBEMAP,
};

#define LIMIT(name) ((size_t) cpu_device_value(CU_DEVICE_ATTRIBUTE_##name))

/* ---- checks ---- */

static bool is_aligned(uint64_t address, size_t unit)
{
    return address && address % unit == 0;
}

static bool is_good_linear(struct cpu_context *c, const CUDA_RESOURCE_DESC *r)
{
    size_t element = cpu_element_bytes(r->res.linear.format, r->res.linear.numChannels);
    size_t bytes = r->res.linear.sizeInBytes;
    return element && bytes >= element &&
           bytes / element <= LIMIT(MAXIMUM_TEXTURE1D_LINEAR_WIDTH) &&
           is_aligned(r->res.linear.devPtr, LIMIT(TEXTURE_ALIGNMENT)) &&
           cpu_owner(c, r->res.linear.devPtr, bytes);
}

static bool is_good_pitched(struct cpu_context *c, const CUDA_RESOURCE_DESC *r)
{
    size_t element = cpu_element_bytes(r->res.pitch2D.format, r->res.pitch2D.numChannels);
    size_t width = r->res.pitch2D.width, height = r->res.pitch2D.height;
    size_t pitch = r->res.pitch2D.pitchInBytes;
    if (!element || !width || !height || width > LIMIT(MAXIMUM_TEXTURE2D_LINEAR_WIDTH) ||
        height > LIMIT(MAXIMUM_TEXTURE2D_LINEAR_HEIGHT) ||
        pitch > LIMIT(MAXIMUM_TEXTURE2D_LINEAR_PITCH) || pitch < width * element ||
        pitch % LIMIT(TEXTURE_PITCH_ALIGNMENT))
        return false;
    return is_aligned(r->res.pitch2D.devPtr, LIMIT(TEXTURE_ALIGNMENT)) &&
           cpu_owner(c, r->res.pitch2D.devPtr, (height - 1) * pitch + width * element);
}

static CUresult check_resource(struct cpu_context *c, const CUDA_RESOURCE_DESC *r)
{
    bool is_good = false;
    if (r->flags)
        return CUDA_ERROR_INVALID_VALUE;
    switch (r->resType) {
    case CU_RESOURCE_TYPE_ARRAY:
        return cpu_array_get(r->res.array.hArray) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
    case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
        return cpu_mipmap_get(r->res.mipmap.hMipmappedArray) ? CUDA_SUCCESS
                                                             : CUDA_ERROR_INVALID_HANDLE;
    case CU_RESOURCE_TYPE_LINEAR:
        is_good = is_good_linear(c, r);
        break;
    case CU_RESOURCE_TYPE_PITCH2D:
        is_good = is_good_pitched(c, r);
        break;
    }
    return is_good ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static bool is_in(int value, int last)
{
    return value >= 0 && value <= last;
}

static bool is_good_sampler(const CUDA_TEXTURE_DESC *d)
{
    for (int i = 0; i < 3; i++)
        if (!is_in(d->addressMode[i], CU_TR_ADDRESS_MODE_BORDER))
            return false;
    return is_in(d->filterMode, CU_TR_FILTER_MODE_LINEAR) &&
           is_in(d->mipmapFilterMode, CU_TR_FILTER_MODE_LINEAR) &&
           !(d->flags & ~(unsigned) KNOWN_FLAGS);
}

/* The shape of what a view may be of: of an array, or the first level of a mipmapped one. */
static const struct cpu_array *base_of(const CUDA_RESOURCE_DESC *r, unsigned *levels)
{
    const struct cpu_mipmap *m;
    *levels = 1;
    if (r->resType == CU_RESOURCE_TYPE_ARRAY)
        return cpu_array_get(r->res.array.hArray);
    if (r->resType != CU_RESOURCE_TYPE_MIPMAPPED_ARRAY)
        return NULL;
    m = cpu_mipmap_get(r->res.mipmap.hMipmappedArray);
    *levels = m->count;
    return m->levels[0];
}

static bool is_good_view(const CUDA_RESOURCE_DESC *r, const CUDA_RESOURCE_VIEW_DESC *v)
{
    unsigned levels;
    const struct cpu_array *a = base_of(r, &levels);
    if (!a || !is_in(v->format, CU_RES_VIEW_FORMAT_UNSIGNED_BC7))
        return false;
    /* A block of 4 x 4 is one element of the array. */
    size_t block = v->format > CU_RES_VIEW_FORMAT_FLOAT_4X32 ? 4 : 1;
    const CUDA_ARRAY3D_DESCRIPTOR *d = &a->descriptor;
    if (v->width != block * d->Width || v->height != block * d->Height || v->depth != d->Depth)
        return false;
    if (v->firstMipmapLevel > v->lastMipmapLevel || v->lastMipmapLevel >= levels ||
        v->firstLayer > v->lastLayer)
        return false;
    size_t layers = d->Flags & CUDA_ARRAY3D_LAYERED ? d->Depth : 1;
    return v->lastLayer < MAX(layers, 1);
}

/* ---- objects ---- */

void cpu_texture_free(struct cpu_texture *t)
{
    struct cpu_texture **p = &t->context->textures;
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    cpu_handle_destroy(t->handle);
    alloc_free(t);
}

static CUresult create(struct cpu_texture **out, struct cpu_context *c, enum cpu_kind kind,
                       const CUDA_RESOURCE_DESC *resource)
{
    struct cpu_texture *t = alloc_zero(1, sizeof *t);
    if (!t || !(t->handle = cpu_handle_create(kind, t))) {
        alloc_free(t);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    t->context = c;
    t->resource = *resource;
    t->next = c->textures;
    c->textures = t;
    *out = t;
    return CUDA_SUCCESS;
}

CUresult cpu_cuTexObjectCreate(CUtexObject *texture, const CUDA_RESOURCE_DESC *resource,
                               const CUDA_TEXTURE_DESC *descriptor,
                               const CUDA_RESOURCE_VIEW_DESC *view)
{
    struct cpu_context *c = NULL;
    struct cpu_texture *t = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!texture || !resource || !descriptor || !is_good_sampler(descriptor))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = check_resource(c, resource)))
        return cpu_leave(code);
    if (view && !is_good_view(resource, view))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = create(&t, c, CPU_TEXTURE, resource)))
        return cpu_leave(code);
    t->descriptor = *descriptor;
    t->has_view = view != NULL;
    if (view)
        t->view = *view;
    *texture = (uintptr_t) t->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuSurfObjectCreate(CUsurfObject *surface, const CUDA_RESOURCE_DESC *resource)
{
    struct cpu_context *c = NULL;
    struct cpu_texture *t = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!surface || !resource || resource->resType != CU_RESOURCE_TYPE_ARRAY)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = check_resource(c, resource)))
        return cpu_leave(code);
    if (!(code = create(&t, c, CPU_SURFACE, resource)))
        *surface = (uintptr_t) t->handle;
    return cpu_leave(code);
}

static CUresult enter(struct cpu_texture **out, enum cpu_kind kind, unsigned long long handle)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_handle_get(kind, (const void *) (uintptr_t) handle);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_HANDLE);
}

static CUresult destroy(enum cpu_kind kind, unsigned long long handle)
{
    struct cpu_texture *t = NULL;
    CUresult code = enter(&t, kind, handle);
    if (code)
        return code;
    cpu_texture_free(t);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuTexObjectDestroy(CUtexObject texture)
{
    return destroy(CPU_TEXTURE, texture);
}

CUresult cpu_cuSurfObjectDestroy(CUsurfObject surface)
{
    return destroy(CPU_SURFACE, surface);
}

/* ---- what it was made with ---- */

static CUresult get_resource(CUDA_RESOURCE_DESC *out, enum cpu_kind kind, unsigned long long handle)
{
    struct cpu_texture *t = NULL;
    CUresult code = enter(&t, kind, handle);
    if (code)
        return code;
    if (!out)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *out = t->resource;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC *resource, CUtexObject texture)
{
    return get_resource(resource, CPU_TEXTURE, texture);
}

CUresult cpu_cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC *resource, CUsurfObject surface)
{
    return get_resource(resource, CPU_SURFACE, surface);
}

CUresult cpu_cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC *descriptor, CUtexObject texture)
{
    struct cpu_texture *t = NULL;
    CUresult code = enter(&t, CPU_TEXTURE, texture);
    if (code)
        return code;
    if (!descriptor)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *descriptor = t->descriptor;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC *view, CUtexObject texture)
{
    struct cpu_texture *t = NULL;
    CUresult code = enter(&t, CPU_TEXTURE, texture);
    if (code)
        return code;
    if (!view || !t->has_view)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *view = t->view;
    return cpu_leave(CUDA_SUCCESS);
}

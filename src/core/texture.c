/* Texture and surface objects. What is refused is explained by what it was asked for. */
#include "handle.h"

#include <inttypes.h>
#include <string.h>

static CUresult end_texture(const struct drv_table *cu, uint64_t handle)
{
    return cu->cuTexObjectDestroy(handle);
}

static CUresult end_surface(const struct drv_table *cu, uint64_t handle)
{
    return cu->cuSurfObjectDestroy(handle);
}

static const struct core_handle_kind texture_kind = {"texture", "cuTexObjectDestroy", end_texture,
                                                     sizeof(runcu_texture)};

CORE_HANDLE_FUNCTIONS(texture, texture_kind)
static const struct core_handle_kind surface_kind = {"surface", "cuSurfObjectDestroy", end_surface,
                                                     sizeof(runcu_surface)};

CORE_HANDLE_FUNCTIONS(surface, surface_kind)

/* ---- what is read ---- */

/* Holds the array, if there is one: core_handle_let_go(*held) follows success. */
static int resource_of(CUDA_RESOURCE_DESC *out, struct core_handle **held, const runcu_resource *r)
{
    memset(out, 0, sizeof *out);
    *held = r->array ? &r->array->base : r->mipmap ? &r->mipmap->base : NULL;
    if ((r->array != NULL) + (r->mipmap != NULL) + (r->address != 0) != 1)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "a texture reads one thing: an array, a mipmapped "
                                                "array, or memory at an address");
    int status = *held ? core_handle_hold(*held, "what the texture reads") : 0;
    if (status)
        return status;
    unsigned channels = r->channels ? r->channels : 1;
    if (r->array) {
        out->resType = CU_RESOURCE_TYPE_ARRAY;
        out->res.array.hArray = (CUarray) (uintptr_t) r->array->base.handle;
    } else if (r->mipmap) {
        out->resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
        out->res.mipmap.hMipmappedArray = (CUmipmappedArray) (uintptr_t) r->mipmap->base.handle;
    } else if (r->height) {
        out->resType = CU_RESOURCE_TYPE_PITCH2D;
        out->res.pitch2D.devPtr = r->address;
        out->res.pitch2D.format = r->format;
        out->res.pitch2D.numChannels = channels;
        out->res.pitch2D.width = r->width;
        out->res.pitch2D.height = r->height;
        out->res.pitch2D.pitchInBytes = r->pitch;
    } else {
        out->resType = CU_RESOURCE_TYPE_LINEAR;
        out->res.linear.devPtr = r->address;
        out->res.linear.format = r->format;
        out->res.linear.numChannels = channels;
        out->res.linear.sizeInBytes = r->bytes;
    }
    return 0;
}

static int attribute(const struct core_driver *driver, int id)
{
    CUdevice device;
    int value = 0;
    if (driver->cu.cuCtxGetDevice(&device) || driver->cu.cuDeviceGetAttribute(&value, id, device))
        return 0;
    return value;
}

static void explain_memory(const struct core_driver *driver, const CUDA_RESOURCE_DESC *r)
{
    bool is_2d = r->resType == CU_RESOURCE_TYPE_PITCH2D;
    uint64_t address = is_2d ? r->res.pitch2D.devPtr : r->res.linear.devPtr;
    int unit = attribute(driver, CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
    int pitch = attribute(driver, CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT);
    if (unit && address % (unsigned) unit)
        runcu_fail_detail("The address 0x%" PRIx64 " is no multiple of %d.", address, unit);
    if (is_2d && pitch && r->res.pitch2D.pitchInBytes % (unsigned) pitch)
        runcu_fail_detail("The pitch of %zu bytes is no multiple of %d.",
                          r->res.pitch2D.pitchInBytes, pitch);
}

static int explain(const struct core_driver *driver, const CUDA_RESOURCE_DESC *r, int status)
{
    runcu_error e;
    runcu_error_get(&e);
    if (status == RUNCU_ERROR_DRIVER && e.code == CUDA_ERROR_INVALID_VALUE &&
        r->resType >= CU_RESOURCE_TYPE_LINEAR)
        explain_memory(driver, r);
    return status;
}

/* ---- textures ---- */

static CUDA_TEXTURE_DESC sampler_of(const runcu_texture_params *p)
{
    CUDA_TEXTURE_DESC d = {
        .filterMode = p->filter,
        .flags = p->flags,
        .maxAnisotropy = p->anisotropy,
        .mipmapFilterMode = p->level_filter,
        .mipmapLevelBias = p->level_bias,
        .minMipmapLevelClamp = p->level_min,
        .maxMipmapLevelClamp = p->level_max,
    };
    memcpy(d.addressMode, p->address_mode, sizeof d.addressMode);
    memcpy(d.borderColor, p->border, sizeof d.borderColor);
    return d;
}

/* The extents that a view must have: those of what it is of, in elements of its format. */
static void fill_extents(CUDA_RESOURCE_VIEW_DESC *out, const struct drv_table *cu,
                         const CUDA_RESOURCE_DESC *r)
{
    size_t block = out->format > CU_RES_VIEW_FORMAT_FLOAT_4X32 ? 4 : 1;
    CUarray array = r->res.array.hArray;
    CUDA_ARRAY3D_DESCRIPTOR d = {0};
    if (r->resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY &&
        cu->cuMipmappedArrayGetLevel(&array, r->res.mipmap.hMipmappedArray, 0) != CUDA_SUCCESS)
        return;
    if (r->resType <= CU_RESOURCE_TYPE_MIPMAPPED_ARRAY &&
        cu->cuArray3DGetDescriptor(&d, array) == CUDA_SUCCESS) {
        out->width = block * d.Width;
        out->height = block * d.Height;
        out->depth = d.Depth;
    }
}

static CUDA_RESOURCE_VIEW_DESC view_of(const runcu_texture_view *v, const struct drv_table *cu,
                                       const CUDA_RESOURCE_DESC *r)
{
    CUDA_RESOURCE_VIEW_DESC d = {.format = v->format,
                                 .width = v->width,
                                 .height = v->height,
                                 .depth = v->depth,
                                 .firstMipmapLevel = v->first_level,
                                 .lastMipmapLevel = v->last_level,
                                 .firstLayer = v->first_layer,
                                 .lastLayer = v->last_layer};
    if (!v->width && !v->height && !v->depth)
        fill_extents(&d, cu, r);
    return d;
}

int runcu_texture_create(runcu_texture **out, const runcu_texture_params *params)
{
    CORE_OUT(out);
    runcu_texture_params p;
    CUDA_RESOURCE_VIEW_DESC view;
    CUDA_RESOURCE_DESC resource;
    struct core_handle *h = NULL, *held;
    CUtexObject texture = 0;
    core_params(&p, sizeof p, params);
    CUDA_TEXTURE_DESC sampler = sampler_of(&p);
    int status = resource_of(&resource, &held, &p.resource);
    if (status)
        return status;
    status = core_handle_new(&h, &texture_kind);
    if (!status) {
        struct core_driver *driver = h->context->driver;
        if (p.view)
            view = view_of(p.view, &driver->cu, &resource);
        status = CU_CALL(driver, cuTexObjectCreate, &texture, &resource, &sampler,
                         p.view ? &view : NULL);
        h->handle = texture;
        h->is_owned = true;
        memcpy(((runcu_texture *) h)->border, p.border, sizeof p.border);
        if (status)
            status = core_handle_discard(&h, explain(driver, &resource, status));
    }
    core_handle_let_go(held);
    *out = (runcu_texture *) h;
    return status;
}

static void tell_sampler(runcu_texture_params *out, const CUDA_TEXTURE_DESC *d)
{
    memcpy(out->address_mode, d->addressMode, sizeof out->address_mode);
    out->filter = d->filterMode;
    out->flags = d->flags;
    out->anisotropy = d->maxAnisotropy;
    out->level_filter = d->mipmapFilterMode;
    out->level_bias = d->mipmapLevelBias;
    out->level_min = d->minMipmapLevelClamp;
    out->level_max = d->maxMipmapLevelClamp;
}

static void tell_resource(runcu_resource *out, const CUDA_RESOURCE_DESC *d)
{
    if (d->resType == CU_RESOURCE_TYPE_LINEAR) {
        out->address = d->res.linear.devPtr;
        out->bytes = d->res.linear.sizeInBytes;
        out->format = d->res.linear.format;
        out->channels = d->res.linear.numChannels;
    } else if (d->resType == CU_RESOURCE_TYPE_PITCH2D) {
        out->address = d->res.pitch2D.devPtr;
        out->width = d->res.pitch2D.width;
        out->height = d->res.pitch2D.height;
        out->pitch = d->res.pitch2D.pitchInBytes;
        out->format = d->res.pitch2D.format;
        out->channels = d->res.pitch2D.numChannels;
    }
}

int runcu_texture_describe(runcu_texture_params *out, runcu_texture *texture)
{
    CORE_NEED(out);
    CORE_NEED(texture);
    struct core_use use;
    CUDA_TEXTURE_DESC sampler = {0};
    CUDA_RESOURCE_DESC resource = {0};
    *out = (runcu_texture_params){.size = sizeof *out};
    int status = core_use_begin(&use, &texture->base, "the texture");
    if (status)
        return status;
    struct core_driver *driver = texture->base.context->driver;
    status = CU_CALL(driver, cuTexObjectGetTextureDesc, &sampler, texture->base.handle);
    if (!status)
        status = CU_CALL(driver, cuTexObjectGetResourceDesc, &resource, texture->base.handle);
    if (!status) {
        tell_sampler(out, &sampler);
        tell_resource(&out->resource, &resource);
        memcpy(out->border, texture->border, sizeof out->border);
    }
    return core_use_end(&use, status);
}

/* ---- surfaces ---- */

/* Drivers do not look whether one of our arrays was made for it. */
static int check_flag(const struct core_handle *array)
{
    CUDA_ARRAY3D_DESCRIPTOR d;
    if (!array->is_owned ||
        array->context->driver->cu.cuArray3DGetDescriptor(
            &d, (CUarray) (uintptr_t) array->handle) != CUDA_SUCCESS ||
        d.Flags & CUDA_ARRAY3D_SURFACE_LDST)
        return 0;
    return runcu_fail(RUNCU_ERROR_ARGUMENT,
                      "the surface's array was made without the flag SURFACE_LDST");
}

int runcu_surface_create(runcu_surface **out, runcu_array *array)
{
    CORE_OUT(out);
    CORE_NEED(array);
    CUDA_RESOURCE_DESC resource = {.resType = CU_RESOURCE_TYPE_ARRAY};
    struct core_handle *h = NULL, *held = array ? &array->base : NULL;
    CUsurfObject surface = 0;
    int status = core_handle_hold(held, "the surface's array");
    if (status)
        return status;
    resource.res.array.hArray = (CUarray) (uintptr_t) held->handle;
    status = check_flag(held);
    if (!status)
        status = core_handle_new(&h, &surface_kind);
    if (!status) {
        status = CU_CALL(h->context->driver, cuSurfObjectCreate, &surface, &resource);
        h->handle = surface;
        h->is_owned = true;
        if (status)
            status = core_handle_discard(&h, status);
    }
    core_handle_let_go(held);
    *out = (runcu_surface *) h;
    return status;
}

/* Arrays and mipmapped arrays as objects. A shape that is refused is explained. Not here: copies
 * (box.c), what reads them (texture.c). */
#include "handle.h"

static CUresult end_array(const struct drv_table *cu, uint64_t handle)
{
    return cu->cuArrayDestroy((CUarray) (uintptr_t) handle);
}

static CUresult end_mipmap(const struct drv_table *cu, uint64_t handle)
{
    return cu->cuMipmappedArrayDestroy((CUmipmappedArray) (uintptr_t) handle);
}

static const struct core_handle_kind array_kind = {"array", "cuArrayDestroy", end_array,
                                                   sizeof(runcu_array)};

CORE_HANDLE_FUNCTIONS(array, array_kind)
static const struct core_handle_kind mipmap_kind = {"mipmapped array", "cuMipmappedArrayDestroy",
                                                    end_mipmap, sizeof(runcu_mipmap)};

CORE_HANDLE_FUNCTIONS(mipmap, mipmap_kind)

/* ---- shapes ---- */

static bool is_known_format(int format)
{
    return (format >= CU_AD_FORMAT_UNSIGNED_INT8 && format <= CU_AD_FORMAT_UNSIGNED_INT32) ||
           (format >= CU_AD_FORMAT_SIGNED_INT8 && format <= CU_AD_FORMAT_SIGNED_INT32) ||
           format == CU_AD_FORMAT_HALF || format == CU_AD_FORMAT_FLOAT;
}

/* What of a refused shape is impossible on any device, or "". */
static const char *fault_of(const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    size_t faces = d->Flags & CUDA_ARRAY3D_LAYERED ? d->Depth % 6 : d->Depth - 6;
    if (!d->Width)
        return " Its width must not be 0.";
    if (d->NumChannels != 1 && d->NumChannels != 2 && d->NumChannels != 4)
        return " Elements have 1, 2 or 4 channels.";
    if (!is_known_format(d->Format))
        return " The format is none of CU_AD_FORMAT_*.";
    if ((d->Flags & CUDA_ARRAY3D_CUBEMAP) && (d->Width != d->Height || !d->Depth || faces))
        return " A cube map is as high as wide, and its depth is 6 (times the layers).";
    if ((d->Flags & CUDA_ARRAY3D_LAYERED) && !d->Depth)
        return " The depth of a layered array counts its layers.";
    if (d->Depth && !d->Height && !(d->Flags & CUDA_ARRAY3D_LAYERED))
        return " Without a height it has no depth, unless it is layered.";
    if ((d->Flags & CUDA_ARRAY3D_TEXTURE_GATHER) && (!d->Height || d->Depth))
        return " Only two-dimensional arrays can be gathered from.";
    return "";
}

/* The largest extents that the device's textures have in as many dimensions. */
static void explain_limits(const struct core_driver *driver, const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    static const int ids[3][3] = {
        {CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_WIDTH},
        {CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_HEIGHT},
        {CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_HEIGHT,
         CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_DEPTH}};
    const int *row = ids[d->Depth ? 2 : d->Height ? 1 : 0];
    int most[3] = {0, 0, 0};
    CUdevice device;
    if (d->Flags || driver->cu.cuCtxGetDevice(&device))
        return;
    for (int i = 0; i < 3; i++)
        if (row[i] && driver->cu.cuDeviceGetAttribute(&most[i], row[i], device))
            return;
    runcu_fail_detail("The device has arrays of up to %d x %d x %d (0: not in this shape).",
                      most[0], most[1], most[2]);
}

static int explain(const struct core_driver *driver, const CUDA_ARRAY3D_DESCRIPTOR *d, int status)
{
    runcu_error e;
    runcu_error_get(&e);
    if (status != RUNCU_ERROR_DRIVER || e.code != CUDA_ERROR_INVALID_VALUE)
        return status;
    const char *fault = fault_of(d);
    runcu_fail_detail("An array of %zu x %zu x %zu elements (0: no such extent) of %u channels was "
                      "asked for, with the format %d and the flags %u.%s",
                      d->Width, d->Height, d->Depth, d->NumChannels, d->Format, d->Flags, fault);
    if (!*fault)
        explain_limits(driver, d);
    return status;
}

static CUDA_ARRAY3D_DESCRIPTOR descriptor_of(const runcu_array_params *params)
{
    runcu_array_params p;
    core_params(&p, sizeof p, params);
    return (CUDA_ARRAY3D_DESCRIPTOR){
        p.width, p.height, p.depth, p.format, p.channels ? p.channels : 1, p.flags};
}

/* Of larger ones drivers look at 32 bits alone. */
static int check_extents(const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    if (d->Width <= UINT32_MAX && d->Height <= UINT32_MAX && d->Depth <= UINT32_MAX)
        return 0;
    return runcu_fail(RUNCU_ERROR_ARGUMENT, "no device has an array of %zu x %zu x %zu elements",
                      d->Width, d->Height, d->Depth);
}

/* ---- arrays ---- */

int runcu_array_create(runcu_array **out, const runcu_array_params *params)
{
    CORE_OUT(out);
    const CUDA_ARRAY3D_DESCRIPTOR d = descriptor_of(params);
    struct core_handle *h;
    CUarray array = NULL;
    int status = check_extents(&d);
    if (!status)
        status = core_handle_new(&h, &array_kind);
    if (status)
        return status;
    struct core_driver *driver = h->context->driver;
    status = CU_CALL(driver, cuArray3DCreate, &array, &d);
    if (status)
        return core_handle_discard(&h, explain(driver, &d, status));
    h->handle = (uintptr_t) array;
    h->is_owned = true;
    *out = (runcu_array *) h;
    return 0;
}

int runcu_array_describe(runcu_array_params *out, runcu_array *array)
{
    CORE_NEED(out);
    CORE_NEED(array);
    struct core_use use;
    CUDA_ARRAY3D_DESCRIPTOR d = {0};
    *out = (runcu_array_params){.size = sizeof *out};
    int status = core_use_begin(&use, &array->base, "the array");
    if (status)
        return status;
    status = CU_CALL(array->base.context->driver, cuArray3DGetDescriptor, &d,
                     (CUarray) (uintptr_t) array->base.handle);
    out->width = d.Width;
    out->height = d.Height;
    out->depth = d.Depth;
    out->format = d.Format;
    out->channels = d.NumChannels;
    out->flags = d.Flags;
    return core_use_end(&use, status);
}

/* ---- mipmapped arrays ---- */

int runcu_mipmap_create(runcu_mipmap **out, const runcu_array_params *params, unsigned levels)
{
    CORE_OUT(out);
    const CUDA_ARRAY3D_DESCRIPTOR d = descriptor_of(params);
    CUmipmappedArray mipmap = NULL;
    struct core_handle *h;
    int status = check_extents(&d);
    if (!status)
        status = core_handle_new(&h, &mipmap_kind);
    if (status)
        return status;
    struct core_driver *driver = h->context->driver;
    status = CU_CALL(driver, cuMipmappedArrayCreate, &mipmap, &d, levels);
    if (status)
        return core_handle_discard(&h, explain(driver, &d, status));
    h->handle = (uintptr_t) mipmap;
    h->is_owned = true;
    *out = (runcu_mipmap *) h;
    return 0;
}

int runcu_mipmap_level(runcu_array **out, runcu_mipmap *mipmap, unsigned level)
{
    CORE_OUT(out);
    CORE_NEED(mipmap);
    struct core_use use;
    struct core_handle *h = NULL;
    CUarray array = NULL;
    int status = core_use_begin(&use, &mipmap->base, "the mipmapped array");
    if (status)
        return status;
    status = CU_CALL(mipmap->base.context->driver, cuMipmappedArrayGetLevel, &array,
                     (CUmipmappedArray) (uintptr_t) mipmap->base.handle, level);
    if (status)
        runcu_fail_detail("It may have no level %u.", level);
    else
        status = core_handle_wrap(&h, &array_kind, (uintptr_t) array);
    if (h)
        h->parent = &mipmap->base;
    *out = (runcu_array *) h;
    return core_use_end(&use, status);
}

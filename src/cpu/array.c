/* Arrays: device memory whose elements textures and surfaces find by coordinates. Here they lie row
 * by row, plane by plane, without gaps, in memory that no program knows the address of; a mipmapped
 * array is a list of them. Copies are elsewhere (box.c), as is what reads them (texture.c). */
#include "base/alloc.h"
#include "cpu/cpu.h"

enum {
    KNOWN_FLAGS = CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_SURFACE_LDST | CUDA_ARRAY3D_CUBEMAP |
                  CUDA_ARRAY3D_TEXTURE_GATHER,
    FACES = 6,
};

/* ---- shapes ---- */

size_t cpu_element_bytes(int format, unsigned channels)
{
    static const unsigned char bytes[] = {
        [CU_AD_FORMAT_UNSIGNED_INT8] = 1,  [CU_AD_FORMAT_UNSIGNED_INT16] = 2,
        [CU_AD_FORMAT_UNSIGNED_INT32] = 4, [CU_AD_FORMAT_SIGNED_INT8] = 1,
        [CU_AD_FORMAT_SIGNED_INT16] = 2,   [CU_AD_FORMAT_SIGNED_INT32] = 4,
        [CU_AD_FORMAT_HALF] = 2,           [CU_AD_FORMAT_FLOAT] = 4,
    };
    if (format < 0 || (size_t) format >= ARRAY_LEN(bytes) ||
        (channels != 1 && channels != 2 && channels != 4))
        return 0;
    return bytes[format] * (size_t) channels;
}

/* What an array of some shape may measure, by the attributes that say so; 0: it has no such extent.
 * The first three for textures, then for surfaces. */
struct limits {
    unsigned flags; /* of LAYERED and CUBEMAP */
    bool has_height, has_depth;
    int extents[2][3];
};

#define AT(name) CU_DEVICE_ATTRIBUTE_MAXIMUM_##name
static const struct limits shapes[] = {
    {0, false, false, {{AT(TEXTURE1D_WIDTH)}, {AT(SURFACE1D_WIDTH)}}},
    {0,
     true,
     false,
     {{AT(TEXTURE2D_WIDTH), AT(TEXTURE2D_HEIGHT)}, {AT(SURFACE2D_WIDTH), AT(SURFACE2D_HEIGHT)}}},
    {0,
     true,
     true,
     {{AT(TEXTURE3D_WIDTH), AT(TEXTURE3D_HEIGHT), AT(TEXTURE3D_DEPTH)},
      {AT(SURFACE3D_WIDTH), AT(SURFACE3D_HEIGHT), AT(SURFACE3D_DEPTH)}}},
    {CUDA_ARRAY3D_LAYERED,
     false,
     true,
     {{AT(TEXTURE1D_LAYERED_WIDTH), 0, AT(TEXTURE1D_LAYERED_LAYERS)},
      {AT(SURFACE1D_LAYERED_WIDTH), 0, AT(SURFACE1D_LAYERED_LAYERS)}}},
    {CUDA_ARRAY3D_LAYERED,
     true,
     true,
     {{AT(TEXTURE2D_LAYERED_WIDTH), AT(TEXTURE2D_LAYERED_HEIGHT), AT(TEXTURE2D_LAYERED_LAYERS)},
      {AT(SURFACE2D_LAYERED_WIDTH), AT(SURFACE2D_LAYERED_HEIGHT), AT(SURFACE2D_LAYERED_LAYERS)}}},
    {CUDA_ARRAY3D_CUBEMAP,
     true,
     true,
     {{AT(TEXTURECUBEMAP_WIDTH), AT(TEXTURECUBEMAP_WIDTH), 0},
      {AT(SURFACECUBEMAP_WIDTH), AT(SURFACECUBEMAP_WIDTH), 0}}},
    {CUDA_ARRAY3D_CUBEMAP | CUDA_ARRAY3D_LAYERED,
     true,
     true,
     {{AT(TEXTURECUBEMAP_LAYERED_WIDTH), AT(TEXTURECUBEMAP_LAYERED_WIDTH),
       AT(TEXTURECUBEMAP_LAYERED_LAYERS)},
      {AT(SURFACECUBEMAP_LAYERED_WIDTH), AT(SURFACECUBEMAP_LAYERED_WIDTH),
       AT(SURFACECUBEMAP_LAYERED_LAYERS)}}},
};
#undef AT

static bool is_within(const CUDA_ARRAY3D_DESCRIPTOR *d, const int *extents)
{
    const size_t sizes[3] = {d->Width, d->Height, d->Depth};
    for (int i = 0; i < 3; i++)
        if (extents[i] && sizes[i] > (size_t) cpu_device_value(extents[i]))
            return false;
    return true;
}

static bool is_cube(const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    bool is_one = !(d->Flags & CUDA_ARRAY3D_LAYERED);
    return d->Width == d->Height && (is_one ? d->Depth == FACES : d->Depth % FACES == 0);
}

static bool is_possible(const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    unsigned kind = d->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
    if (!d->Width || (d->Flags & ~(unsigned) KNOWN_FLAGS) ||
        !cpu_element_bytes(d->Format, d->NumChannels))
        return false;
    if ((d->Flags & CUDA_ARRAY3D_TEXTURE_GATHER) && (!d->Height || d->Depth || kind))
        return false;
    if ((kind & CUDA_ARRAY3D_CUBEMAP) && !is_cube(d))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct limits *l = &shapes[i];
        if (l->flags == kind && l->has_height == (d->Height > 0) && l->has_depth == (d->Depth > 0))
            return is_within(d, l->extents[d->Flags & CUDA_ARRAY3D_SURFACE_LDST ? 1 : 0]);
    }
    return false;
}

/* ---- arrays ---- */

/* Of a possible shape. Extents within the limits cannot overflow, but for memory. */
static CUresult create(struct cpu_array **out, struct cpu_context *c,
                       const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    struct cpu_array *a = alloc_zero(1, sizeof *a);
    CUdeviceptr base;
    if (!a || !(a->handle = cpu_handle_create(CPU_ARRAY, a))) {
        alloc_free(a);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    a->descriptor = *d;
    a->context = c;
    a->element = cpu_element_bytes(d->Format, d->NumChannels);
    a->pitch = d->Width * a->element;
    a->plane = a->pitch * MAX(d->Height, 1);
    a->bytes = a->plane * MAX(d->Depth, 1);
    CUresult code = cpu_memory_alloc(c, &base, a->bytes);
    if (code) {
        cpu_handle_destroy(a->handle);
        alloc_free(a);
        return code;
    }
    a->base = base;
    a->next = c->arrays;
    c->arrays = a;
    *out = a;
    return CUDA_SUCCESS;
}

/* The memory goes, too, unless it went with the context. */
void cpu_array_free(struct cpu_array *a)
{
    struct cpu_array **p = &a->context->arrays;
    while (*p != a)
        p = &(*p)->next;
    *p = a->next;
    cpu_handle_destroy(a->handle);
    if (simt_space_holds(a->context->space, a->base, a->bytes)) {
        cpu_forget_range(a->base, a->bytes);
        simt_space_free(a->context->space, a->base);
        cpu_memory_give(a->context, a->bytes);
    }
    alloc_free(a);
}

struct cpu_array *cpu_array_get(CUarray array)
{
    return cpu_handle_get(CPU_ARRAY, array);
}

CUresult cpu_cuArray3DCreate(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR *descriptor)
{
    struct cpu_context *c = NULL;
    struct cpu_array *a = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!array || !descriptor || !is_possible(descriptor))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    code = create(&a, c, descriptor);
    if (!code)
        *array = a->handle;
    return cpu_leave(code);
}

CUresult cpu_cuArrayCreate(CUarray *array, const CUDA_ARRAY_DESCRIPTOR *descriptor)
{
    CUDA_ARRAY3D_DESCRIPTOR d = {0};
    if (descriptor)
        d = (CUDA_ARRAY3D_DESCRIPTOR){.Width = descriptor->Width,
                                      .Height = descriptor->Height,
                                      .Format = descriptor->Format,
                                      .NumChannels = descriptor->NumChannels};
    return cpu_cuArray3DCreate(array, &d);
}

static CUresult enter_array(struct cpu_array **out, CUarray array)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_array_get(array);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_HANDLE);
}

CUresult cpu_cuArray3DGetDescriptor(CUDA_ARRAY3D_DESCRIPTOR *descriptor, CUarray array)
{
    struct cpu_array *a = NULL;
    CUresult code = enter_array(&a, array);
    if (code)
        return code;
    if (!descriptor)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *descriptor = a->descriptor;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuArrayGetDescriptor(CUDA_ARRAY_DESCRIPTOR *descriptor, CUarray array)
{
    CUDA_ARRAY3D_DESCRIPTOR d;
    CUresult code = cpu_cuArray3DGetDescriptor(descriptor ? &d : NULL, array);
    if (!code)
        *descriptor = (CUDA_ARRAY_DESCRIPTOR){d.Width, d.Height, d.Format, d.NumChannels};
    return code;
}

/* Frees once what is copied there is done. Others may have been quicker meanwhile. */
CUresult cpu_cuArrayDestroy(CUarray array)
{
    struct cpu_array *a = NULL;
    CUresult code = enter_array(&a, array);
    if (code)
        return code;
    if (a->is_level)
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    if ((code = cpu_wait_range(a->context, a->base, a->bytes)))
        return cpu_leave(code);
    if (!(a = cpu_array_get(array)))
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    cpu_array_free(a);
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- mipmapped arrays ---- */

void cpu_mipmap_free(struct cpu_mipmap *m)
{
    struct cpu_mipmap **p = &m->context->mipmaps;
    while (*p != m)
        p = &(*p)->next;
    *p = m->next;
    for (unsigned i = 0; i < m->count; i++)
        cpu_array_free(m->levels[i]);
    cpu_handle_destroy(m->handle);
    alloc_free(m);
}

struct cpu_mipmap *cpu_mipmap_get(CUmipmappedArray array)
{
    return cpu_handle_get(CPU_MIPMAP, array);
}

static size_t halved(size_t extent, unsigned times)
{
    return extent ? MAX(extent >> times, 1) : 0;
}

/* A level's shape: layers and faces stay as many. */
static CUDA_ARRAY3D_DESCRIPTOR level_shape(const CUDA_ARRAY3D_DESCRIPTOR *top, unsigned level)
{
    CUDA_ARRAY3D_DESCRIPTOR d = *top;
    d.Width = halved(d.Width, level);
    d.Height = halved(d.Height, level);
    if (!(d.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)))
        d.Depth = halved(d.Depth, level);
    return d;
}

/* As many as the largest extent can be halved, and one. */
static unsigned most_levels(const CUDA_ARRAY3D_DESCRIPTOR *d)
{
    size_t largest = MAX(d->Width, d->Height);
    unsigned n = 1;
    if (!(d->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)))
        largest = MAX(largest, d->Depth);
    while (largest >>= 1)
        n++;
    return n;
}

static CUresult add_levels(struct cpu_mipmap *m, const CUDA_ARRAY3D_DESCRIPTOR *top, unsigned count)
{
    CUresult code = CUDA_SUCCESS;
    while (!code && m->count < count) {
        CUDA_ARRAY3D_DESCRIPTOR shape = level_shape(top, m->count);
        code = create(&m->levels[m->count], m->context, &shape);
        if (!code)
            m->levels[m->count++]->is_level = true;
    }
    return code;
}

CUresult cpu_cuMipmappedArrayCreate(CUmipmappedArray *array,
                                    const CUDA_ARRAY3D_DESCRIPTOR *descriptor, unsigned levels)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!array || !descriptor || !is_possible(descriptor))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    levels = MIN(MAX(levels, 1), most_levels(descriptor));
    struct cpu_mipmap *m = alloc_zero(1, sizeof *m + levels * sizeof m->levels[0]);
    if (!m || !(m->handle = cpu_handle_create(CPU_MIPMAP, m))) {
        alloc_free(m);
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    m->context = c;
    m->next = c->mipmaps;
    c->mipmaps = m;
    code = add_levels(m, descriptor, levels);
    if (code)
        cpu_mipmap_free(m);
    else
        *array = m->handle;
    return cpu_leave(code);
}

static CUresult enter_mipmap(struct cpu_mipmap **out, CUmipmappedArray array)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_mipmap_get(array);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_HANDLE);
}

CUresult cpu_cuMipmappedArrayGetLevel(CUarray *level_array, CUmipmappedArray array, unsigned level)
{
    struct cpu_mipmap *m = NULL;
    CUresult code = enter_mipmap(&m, array);
    if (code)
        return code;
    if (!level_array || level >= m->count)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *level_array = m->levels[level]->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMipmappedArrayDestroy(CUmipmappedArray array)
{
    struct cpu_mipmap *m = NULL;
    CUresult code = enter_mipmap(&m, array);
    for (unsigned i = 0; !code && m && i < m->count; i++) {
        const struct cpu_array *a = m->levels[i];
        if ((code = cpu_wait_range(a->context, a->base, a->bytes)))
            return cpu_leave(code);
        m = cpu_mipmap_get(array);
    }
    if (code)
        return code;
    if (!m)
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    cpu_mipmap_free(m);
    return cpu_leave(CUDA_SUCCESS);
}

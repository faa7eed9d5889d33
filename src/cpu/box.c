/* Copies of rows and of boxes between the host, device memory and arrays, copies of parts of
 * arrays, and copies between contexts. Each becomes a box in plain memory (copy.c). */
#include <string.h>

#include "cpu/cpu.h"

/* ---- one side ---- */

/* The source or the destination of a copy. */
struct side {
    int type; /* CU_MEMORYTYPE_* */
    void *host;
    CUdeviceptr device;
    CUarray array;
    size_t x, y, z; /* x in bytes */
    size_t pitch, height;
};

struct extent {
    size_t width, height, depth; /* width in bytes; none is 0 */
};

/* Where it begins in memory, and how it goes on. */
struct corner {
    uint64_t at;
    size_t pitch, plane;
    bool is_device;
};

static bool fits(size_t from, size_t count, size_t room)
{
    return from <= room && count <= room - from;
}

static CUresult find_in_array(struct corner *out, const struct side *s, const struct extent *e)
{
    const struct cpu_array *a = cpu_array_get(s->array);
    if (!a)
        return CUDA_ERROR_INVALID_HANDLE;
    if (s->x % a->element || e->width % a->element || !fits(s->x, e->width, a->pitch) ||
        !fits(s->y, e->height, MAX(a->descriptor.Height, 1)) ||
        !fits(s->z, e->depth, MAX(a->descriptor.Depth, 1)))
        return CUDA_ERROR_INVALID_VALUE;
    out->at = a->base + s->z * a->plane + s->y * a->pitch + s->x;
    out->pitch = a->pitch;
    out->plane = a->plane;
    out->is_device = true;
    return CUDA_SUCCESS;
}

/* Nothing here may run over: a box that does leaves every allocation. */
static CUresult find_in_memory(struct corner *out, const struct side *s, const struct extent *e)
{
    size_t row, rows, y, z, last;
    size_t height = e->depth > 1 || s->z ? s->height : 0;
    if (__builtin_add_overflow(s->x, e->width, &row) ||
        __builtin_add_overflow(s->y, e->height, &rows))
        return CUDA_ERROR_INVALID_VALUE;
    out->pitch = s->pitch ? s->pitch : row;
    if (out->pitch < row || (height && height < rows))
        return CUDA_ERROR_INVALID_VALUE;
    if (__builtin_mul_overflow(out->pitch, height ? height : rows, &out->plane) ||
        __builtin_mul_overflow(s->y, out->pitch, &y) ||
        __builtin_mul_overflow(s->z, out->plane, &z) ||
        __builtin_mul_overflow(e->depth, out->plane, &last) ||
        __builtin_add_overflow(z, last, &last))
        return CUDA_ERROR_INVALID_VALUE;
    if (__builtin_add_overflow(out->at, y + z + s->x, &out->at))
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

static CUresult find(struct corner *out, struct cpu_context *c, const struct side *s,
                     const struct extent *e)
{
    if (s->type == CU_MEMORYTYPE_ARRAY)
        return find_in_array(out, s, e);
    if (s->type != CU_MEMORYTYPE_HOST && s->type != CU_MEMORYTYPE_DEVICE &&
        s->type != CU_MEMORYTYPE_UNIFIED)
        return CUDA_ERROR_INVALID_VALUE;
    out->at = s->type == CU_MEMORYTYPE_HOST ? (uintptr_t) s->host : s->device;
    if (!out->at)
        return CUDA_ERROR_INVALID_VALUE;
    out->is_device = s->type == CU_MEMORYTYPE_DEVICE ||
                     (s->type == CU_MEMORYTYPE_UNIFIED && cpu_owner(c, out->at, 1));
    return find_in_memory(out, s, e);
}

/* ---- a copy ---- */

static CUresult resolve(struct cpu_copy *out, struct cpu_context *c, const struct side sides[2],
                        const struct extent *e)
{
    static const enum cpu_direction ways[2][2] = {{CPU_HOST_ONLY, CPU_FROM_DEVICE},
                                                  {CPU_TO_DEVICE, CPU_WITHIN_DEVICE}};
    struct corner to = {0}, from = {0};
    CUresult code = find(&to, c, &sides[0], e);
    if (!code)
        code = find(&from, c, &sides[1], e);
    if (code)
        return code;
    *out = (struct cpu_copy){
        .to = (void *) (uintptr_t) to.at,
        .from = (const void *) (uintptr_t) from.at,
        .bytes = e->width,
        .rows = e->height,
        .planes = e->depth,
        .to_pitch = to.pitch,
        .to_plane = to.plane,
        .from_pitch = from.pitch,
        .from_plane = from.plane,
        .way = (uint8_t) ways[to.is_device][from.is_device],
    };
    return CUDA_SUCCESS;
}

static CUresult copy_box(struct cpu_context *c, const struct side sides[2], const struct extent *e,
                         struct cpu_stream *stream)
{
    struct cpu_copy copy;
    if (!e->width || !e->height || !e->depth)
        return CUDA_SUCCESS;
    CUresult code = resolve(&copy, c, sides, e);
    return code ? code : cpu_copy(c, &copy, copy.way, stream);
}

/* In the current context, or in a stream. */
struct where {
    bool is_async;
    CUstream stream;
};

static CUresult enter(struct cpu_context **c, struct cpu_stream **s, struct where where)
{
    CUresult code = cpu_enter_context(c);
    *s = NULL;
    if (code || !where.is_async)
        return code;
    if ((code = cpu_stream_get(s, *c, where.stream)))
        return cpu_leave(code);
    *c = (*s)->context;
    return CUDA_SUCCESS;
}

static CUresult start(const struct side sides[2], const struct extent *e, struct where where)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = enter(&c, &s, where);
    return code ? code : cpu_leave(copy_box(c, sides, e, s));
}

#define NOW ((struct where){false, NULL})
#define IN(stream) ((struct where){true, (stream)})

/* ---- rows and boxes ---- */

static CUresult copy_2d(const CUDA_MEMCPY2D *p, struct where where)
{
    if (!p)
        return CUDA_ERROR_INVALID_VALUE;
    const struct side sides[2] = {{.type = p->dstMemoryType,
                                   .host = p->dstHost,
                                   .device = p->dstDevice,
                                   .array = p->dstArray,
                                   .x = p->dstXInBytes,
                                   .y = p->dstY,
                                   .pitch = p->dstPitch},
                                  {.type = p->srcMemoryType,
                                   .host = (void *) (uintptr_t) p->srcHost,
                                   .device = p->srcDevice,
                                   .array = p->srcArray,
                                   .x = p->srcXInBytes,
                                   .y = p->srcY,
                                   .pitch = p->srcPitch}};
    return start(sides, &(struct extent){p->WidthInBytes, p->Height, 1}, where);
}

/* The structs of copies in one context and between two are alike but for the context. */
static void get_sides(struct side out[2], const CUDA_MEMCPY3D_PEER *p)
{
    out[0] = (struct side){.type = p->dstMemoryType,
                           .host = p->dstHost,
                           .device = p->dstDevice,
                           .array = p->dstArray,
                           .x = p->dstXInBytes,
                           .y = p->dstY,
                           .z = p->dstZ,
                           .pitch = p->dstPitch,
                           .height = p->dstHeight};
    out[1] = (struct side){.type = p->srcMemoryType,
                           .host = (void *) (uintptr_t) p->srcHost,
                           .device = p->srcDevice,
                           .array = p->srcArray,
                           .x = p->srcXInBytes,
                           .y = p->srcY,
                           .z = p->srcZ,
                           .pitch = p->srcPitch,
                           .height = p->srcHeight};
}

static CUresult copy_3d(const CUDA_MEMCPY3D_PEER *p, struct where where)
{
    struct side sides[2];
    get_sides(sides, p);
    return start(sides, &(struct extent){p->WidthInBytes, p->Height, p->Depth}, where);
}

CUresult cpu_box(struct cpu_copy *out, struct cpu_context *c, const CUDA_MEMCPY3D *params)
{
    CUDA_MEMCPY3D_PEER p;
    struct side sides[2];
    if (params->reserved0 || params->reserved1)
        return CUDA_ERROR_INVALID_VALUE;
    memcpy(&p, params, sizeof p);
    get_sides(sides, &p);
    return resolve(out, c, sides, &(struct extent){p.WidthInBytes, p.Height, p.Depth});
}

CUresult cpu_cuMemcpy2D(const CUDA_MEMCPY2D *copy)
{
    return copy_2d(copy, NOW);
}

CUresult cpu_cuMemcpy2DUnaligned(const CUDA_MEMCPY2D *copy)
{
    return copy_2d(copy, NOW);
}

CUresult cpu_cuMemcpy2DAsync(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    return copy_2d(copy, IN(stream));
}

static CUresult copy_own_3d(const CUDA_MEMCPY3D *copy, struct where where)
{
    CUDA_MEMCPY3D_PEER p;
    if (!copy || copy->reserved0 || copy->reserved1)
        return CUDA_ERROR_INVALID_VALUE;
    memcpy(&p, copy, sizeof p);
    return copy_3d(&p, where);
}

CUresult cpu_cuMemcpy3D(const CUDA_MEMCPY3D *copy)
{
    return copy_own_3d(copy, NOW);
}

CUresult cpu_cuMemcpy3DAsync(const CUDA_MEMCPY3D *copy, CUstream stream)
{
    return copy_own_3d(copy, IN(stream));
}

/* ---- between contexts ---- */

/* Both are alive. A copy without a stream begins after all earlier work of theirs. */
static CUresult settle(const CUcontext contexts[2], bool waits)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    for (int i = 0; i < 2; i++) {
        struct cpu_context *other = cpu_handle_get(CPU_CONTEXT, contexts[i]);
        if (!other || other->ending)
            return cpu_leave(CUDA_ERROR_INVALID_CONTEXT);
        code = waits && other != c ? cpu_wait_prior(other) : other->fault;
        if (code)
            return cpu_leave(code);
        c = cpu_current();
    }
    return cpu_leave(CUDA_SUCCESS);
}

static CUresult copy_peer_3d(const CUDA_MEMCPY3D_PEER *p, struct where where)
{
    if (!p)
        return CUDA_ERROR_INVALID_VALUE;
    /* An array knows its context. */
    CUcontext own = NULL;
    CUresult code = cpu_cuCtxGetCurrent(&own);
    CUcontext contexts[2] = {p->dstMemoryType == CU_MEMORYTYPE_DEVICE ? p->dstContext : own,
                             p->srcMemoryType == CU_MEMORYTYPE_DEVICE ? p->srcContext : own};
    if (!code)
        code = settle(contexts, !where.is_async);
    return code ? code : copy_3d(p, where);
}

CUresult cpu_cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER *copy)
{
    return copy_peer_3d(copy, NOW);
}

CUresult cpu_cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *copy, CUstream stream)
{
    return copy_peer_3d(copy, IN(stream));
}

CUresult cpu_cuMemcpyPeer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                          CUcontext from_context, size_t bytes)
{
    CUresult code = settle((CUcontext[]){to_context, from_context}, true);
    return code ? code : cpu_cuMemcpyDtoD(to, from, bytes);
}

CUresult cpu_cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                               CUcontext from_context, size_t bytes, CUstream stream)
{
    CUresult code = settle((CUcontext[]){to_context, from_context}, false);
    return code ? code : cpu_cuMemcpyDtoDAsync(to, from, bytes, stream);
}

/* ---- parts of an array's first row, which a one-dimensional one has alone ---- */

static CUresult copy_line(const struct side sides[2], size_t bytes, struct where where)
{
    return start(sides, &(struct extent){bytes, 1, 1}, where);
}

#define IN_ARRAY(handle, offset)                                      \
    {                                                                 \
        .type = CU_MEMORYTYPE_ARRAY, .array = (handle), .x = (offset) \
    }
#define ON_DEVICE(address)                                \
    {                                                     \
        .type = CU_MEMORYTYPE_DEVICE, .device = (address) \
    }
#define ON_HOST(pointer)                                                   \
    {                                                                      \
        .type = CU_MEMORYTYPE_HOST, .host = (void *) (uintptr_t) (pointer) \
    }

CUresult cpu_cuMemcpyDtoA(CUarray to, size_t to_offset, CUdeviceptr from, size_t bytes)
{
    const struct side sides[2] = {IN_ARRAY(to, to_offset), ON_DEVICE(from)};
    return copy_line(sides, bytes, NOW);
}

CUresult cpu_cuMemcpyAtoD(CUdeviceptr to, CUarray from, size_t from_offset, size_t bytes)
{
    const struct side sides[2] = {ON_DEVICE(to), IN_ARRAY(from, from_offset)};
    return copy_line(sides, bytes, NOW);
}

CUresult cpu_cuMemcpyAtoA(CUarray to, size_t to_offset, CUarray from, size_t from_offset,
                          size_t bytes)
{
    const struct side sides[2] = {IN_ARRAY(to, to_offset), IN_ARRAY(from, from_offset)};
    return copy_line(sides, bytes, NOW);
}

CUresult cpu_cuMemcpyHtoA(CUarray to, size_t to_offset, const void *from, size_t bytes)
{
    const struct side sides[2] = {IN_ARRAY(to, to_offset), ON_HOST(from)};
    return copy_line(sides, bytes, NOW);
}

CUresult cpu_cuMemcpyAtoH(void *to, CUarray from, size_t from_offset, size_t bytes)
{
    const struct side sides[2] = {ON_HOST(to), IN_ARRAY(from, from_offset)};
    return copy_line(sides, bytes, NOW);
}

CUresult cpu_cuMemcpyHtoAAsync(CUarray to, size_t to_offset, const void *from, size_t bytes,
                               CUstream stream)
{
    const struct side sides[2] = {IN_ARRAY(to, to_offset), ON_HOST(from)};
    return copy_line(sides, bytes, IN(stream));
}

CUresult cpu_cuMemcpyAtoHAsync(void *to, CUarray from, size_t from_offset, size_t bytes,
                               CUstream stream)
{
    const struct side sides[2] = {ON_HOST(to), IN_ARRAY(from, from_offset)};
    return copy_line(sides, bytes, IN(stream));
}

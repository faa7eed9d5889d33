/* Copies of rows and boxes, of arrays, and between contexts. What is checked here is what the
 * driver cannot know, the end of host memory. Rows without gaps are plain copies (copy.c). */
#include "graph.h"

#include <inttypes.h>
#include <string.h>

/* A copy on its way to the driver. */
struct job {
    runcu_box box;
    struct core_driver *driver;
    CUcontext current;
    struct core_stream_scope in; /* of a copy in a stream */
    bool is_async, is_2d;
    CUDA_MEMCPY3D_PEER p;
};

/* ---- one side ---- */

static struct core_handle *array_of(const runcu_place *p)
{
    return p->array ? &p->array->base : NULL;
}

static int type_of(const runcu_place *p)
{
    return p->host     ? CU_MEMORYTYPE_HOST
           : p->array  ? CU_MEMORYTYPE_ARRAY
           : p->device ? CU_MEMORYTYPE_DEVICE
                       : CU_MEMORYTYPE_UNIFIED;
}

static int need_one(const char *side, const runcu_place *p)
{
    int count = (p->host != NULL) + (p->array != NULL) + (p->device != 0) + (p->unified != 0);
    if (count == 1)
        return 0;
    return runcu_fail(RUNCU_ERROR_ARGUMENT,
                      count
                          ? "the %s of the copy is set %d times: it is one of host memory, device "
                            "memory, a unified address and an array"
                          : "the %s of the copy is not set",
                      side, count);
}

/* Bytes from the place's address to the end of the box; SIZE_MAX: more than there can be. */
static size_t span(const runcu_box *b, const runcu_place *p)
{
    size_t row, rows, pitch, plane, z, y, sum;
    if (__builtin_add_overflow(p->x, b->width, &row) ||
        __builtin_add_overflow(p->y, b->height, &rows))
        return SIZE_MAX;
    pitch = p->pitch ? p->pitch : row;
    if (__builtin_mul_overflow(pitch, p->height ? p->height : rows, &plane) ||
        __builtin_mul_overflow(p->z + b->depth - 1, plane, &z) ||
        __builtin_mul_overflow(p->y + b->height - 1, pitch, &y) ||
        __builtin_add_overflow(z, y, &sum) || __builtin_add_overflow(sum, row, &sum))
        return SIZE_MAX;
    return sum;
}

/* Host memory of a known size holds the whole box. */
static int check_host(const char *side, const runcu_box *b, const runcu_place *p)
{
    size_t needed = span(b, p);
    if ((!p->host && !p->unified) || !p->host_bytes || needed <= p->host_bytes)
        return 0;
    if (needed == SIZE_MAX)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the %s of the copy has %zu bytes: the copy needs more than there can be",
                          side, p->host_bytes);
    return runcu_fail(RUNCU_ERROR_ARGUMENT,
                      "the %s of the copy has %zu bytes, and %zu are needed: %zu too few", side,
                      p->host_bytes, needed, needed - p->host_bytes);
}

/* Rows that follow one another without gaps, all of them: a plain range from here on. */
static bool is_plain(const runcu_box *b, const runcu_place *p)
{
    return !p->x && !p->y && !p->z && !p->lod && !p->array && (!p->pitch || p->pitch == b->width) &&
           (b->depth == 1 || !p->height || p->height == b->height);
}

/* ---- to the driver's structs ---- */

static int context_of(CUcontext *out, const struct job *j, const char *side, const runcu_place *p)
{
    *out = j->current;
    if (!p->context)
        return 0;
    if (p->context->driver != j->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the %s's context is one of another driver than the current one: copy "
                          "by way of host memory",
                          side);
    if (!runcu_context_is_alive(p->context))
        return runcu_fail(RUNCU_ERROR_FREED, "the %s's context has been detached", side);
    *out = p->context->handle;
    return 0;
}

static int fill_in(struct job *j)
{
    const runcu_place *to = &j->box.to, *from = &j->box.from;
    j->p = (CUDA_MEMCPY3D_PEER){
        .dstXInBytes = to->x,
        .dstY = to->y,
        .dstZ = to->z,
        .dstLOD = to->lod,
        .dstMemoryType = type_of(to),
        .dstHost = to->host,
        .dstDevice = to->device ? to->device : to->unified,
        .dstArray = to->array ? (CUarray) (uintptr_t) to->array->base.handle : NULL,
        .dstPitch = to->pitch ? to->pitch : to->x + j->box.width,
        .dstHeight = to->height ? to->height : to->y + j->box.height,
        .srcXInBytes = from->x,
        .srcY = from->y,
        .srcZ = from->z,
        .srcLOD = from->lod,
        .srcMemoryType = type_of(from),
        .srcHost = from->host,
        .srcDevice = from->device ? from->device : from->unified,
        .srcArray = from->array ? (CUarray) (uintptr_t) from->array->base.handle : NULL,
        .srcPitch = from->pitch ? from->pitch : from->x + j->box.width,
        .srcHeight = from->height ? from->height : from->y + j->box.height,
        .WidthInBytes = j->box.width,
        .Height = j->box.height,
        .Depth = j->box.depth,
    };
    int status = context_of(&j->p.dstContext, j, "destination", to);
    return status ? status : context_of(&j->p.srcContext, j, "source", from);
}

static CUDA_MEMCPY2D rows_of(const CUDA_MEMCPY3D_PEER *p)
{
    return (CUDA_MEMCPY2D){
        .dstXInBytes = p->dstXInBytes,
        .dstY = p->dstY,
        .dstMemoryType = p->dstMemoryType,
        .dstHost = p->dstHost,
        .dstDevice = p->dstDevice,
        .dstArray = p->dstArray,
        .dstPitch = p->dstPitch,
        .srcXInBytes = p->srcXInBytes,
        .srcY = p->srcY,
        .srcMemoryType = p->srcMemoryType,
        .srcHost = p->srcHost,
        .srcDevice = p->srcDevice,
        .srcArray = p->srcArray,
        .srcPitch = p->srcPitch,
        .WidthInBytes = p->WidthInBytes,
        .Height = p->Height,
    };
}

/* The struct without contexts is the same but for two fields that must be NULL. */
static CUDA_MEMCPY3D own_box_of(const CUDA_MEMCPY3D_PEER *p)
{
    CUDA_MEMCPY3D own;
    memcpy(&own, p, sizeof own);
    own.reserved0 = own.reserved1 = NULL;
    return own;
}

typedef int call_fn(struct job *j, CUstream stream);

static int call_2d(struct job *j, CUstream stream)
{
    const CUDA_MEMCPY2D rows = rows_of(&j->p);
    if (j->is_async)
        return CU_CALL(j->driver, cuMemcpy2DAsync, &rows, stream);
    if (j->box.is_aligned)
        return CU_CALL(j->driver, cuMemcpy2D, &rows);
    return CU_CALL(j->driver, cuMemcpy2DUnaligned, &rows);
}

static int call_3d(struct job *j, CUstream stream)
{
    const CUDA_MEMCPY3D own = own_box_of(&j->p);
    if (j->is_async)
        return CU_CALL(j->driver, cuMemcpy3DAsync, &own, stream);
    return CU_CALL(j->driver, cuMemcpy3D, &own);
}

static int call_peer(struct job *j, CUstream stream)
{
    if (j->is_async)
        return CU_CALL(j->driver, cuMemcpy3DPeerAsync, &j->p, stream);
    return CU_CALL(j->driver, cuMemcpy3DPeer, &j->p);
}

/* ---- the copies ---- */

/* 1: it was a plain copy, with *status as its outcome. Large ones are much faster that way. */
static bool copy_plain(int *status, const runcu_box *b)
{
    const runcu_place *to = &b->to, *from = &b->from;
    size_t bytes;
    if (!is_plain(b, to) || !is_plain(b, from) ||
        __builtin_mul_overflow(b->width * b->height, b->depth, &bytes))
        return false;
    if (to->device && from->host)
        *status = runcu_copy_htod(to->device, from->host, bytes);
    else if (to->host && from->device)
        *status = runcu_copy_dtoh(to->host, from->device, bytes);
    else
        return false;
    return true;
}

static void explain_side(const struct job *j, const char *side, const runcu_place *p)
{
    size_t needed = span(&j->box, p), size = 0, pitch = p->pitch ? p->pitch : p->x + j->box.width;
    CUdeviceptr base = 0;
    if (pitch < p->x + j->box.width && !p->array)
        runcu_fail_detail("Rows of the %s are %zu bytes apart, and the copy goes up to byte %zu of "
                          "each.",
                          side, pitch, p->x + j->box.width);
    if (!p->device)
        return;
    if (j->driver->cu.cuMemGetAddressRange(&base, &size, p->device))
        runcu_fail_detail("The %s, 0x%" PRIx64 ", lies in no allocation.", side, p->device);
    else if (needed > size - (size_t) (p->device - base))
        runcu_fail_detail("The %s, 0x%" PRIx64
                          ", has room for %zu bytes up to the end of its allocation, and the copy "
                          "needs %zu.",
                          side, p->device, size - (size_t) (p->device - base), needed);
}

static int explain(const struct job *j, int status)
{
    runcu_error e;
    runcu_error_get(&e);
    if (status != RUNCU_ERROR_DRIVER || e.code != CUDA_ERROR_INVALID_VALUE)
        return status;
    explain_side(j, "destination", &j->box.to);
    explain_side(j, "source", &j->box.from);
    return status;
}

static int check(const runcu_box *b)
{
    int status = need_one("destination", &b->to);
    if (!status)
        status = need_one("source", &b->from);
    if (!status)
        status = check_host("destination", b, &b->to);
    return status ? status : check_host("source", b, &b->from);
}

/* With the stream, if any, entered. */
static int copy_held(struct job *j, call_fn *call, runcu_stream *stream)
{
    struct core_handle *to = array_of(&j->box.to), *from = array_of(&j->box.from);
    int status = to ? core_handle_hold(to, "the destination") : 0;
    if (status)
        return status;
    status = from ? core_handle_hold(from, "the source") : 0;
    if (!status) {
        status = fill_in(j);
        if (!status && !j->is_async)
            status = core_wait_copy(j->driver, j->current, "cuMemcpy");
        if (!status)
            status = explain(j, call(j, core_stream(stream)));
        if (!status && !j->is_async && !j->driver->is_cpu && !j->box.to.host)
            core_mark_posted(j->driver, j->current);
        core_handle_let_go(from);
    }
    core_handle_let_go(to);
    return status;
}

static int start(const runcu_box *params, call_fn *call, bool is_async, runcu_stream *stream)
{
    struct job j = {.is_async = is_async, .is_2d = call == call_2d};
    core_params(&j.box, sizeof j.box, params);
    j.box.height = j.box.height ? j.box.height : 1;
    j.box.depth = j.box.depth && !j.is_2d ? j.box.depth : 1;
    if (j.is_2d)
        j.box.to.z = j.box.from.z = j.box.to.lod = j.box.from.lod = 0;
    int status = check(&j.box);
    if (status || !j.box.width)
        return status;
    if (!is_async && call != call_peer && copy_plain(&status, &j.box))
        return status;
    if (!is_async) {
        status = core_current(&j.driver, &j.current);
        return status ? status : copy_held(&j, call, NULL);
    }
    status = core_stream_begin(&j.in, stream);
    if (status)
        return status;
    status = core_current(&j.driver, &j.current);
    if (!status)
        status = copy_held(&j, call, stream);
    return core_stream_end(&j.in, status);
}

int runcu_copy_2d(const runcu_box *box)
{
    CORE_NEED(box);
    return start(box, call_2d, false, NULL);
}

int runcu_copy_2d_async(const runcu_box *box, runcu_stream *stream)
{
    CORE_NEED(box);
    return start(box, call_2d, true, stream);
}

int runcu_copy_3d(const runcu_box *box)
{
    CORE_NEED(box);
    return start(box, call_3d, false, NULL);
}

int runcu_copy_3d_async(const runcu_box *box, runcu_stream *stream)
{
    CORE_NEED(box);
    return start(box, call_3d, true, stream);
}

int runcu_copy_3d_peer(const runcu_box *box)
{
    CORE_NEED(box);
    return start(box, call_peer, false, NULL);
}

int runcu_copy_3d_peer_async(const runcu_box *box, runcu_stream *stream)
{
    CORE_NEED(box);
    return start(box, call_peer, true, stream);
}

/* ---- ranges between contexts ---- */

static int copy_range(const runcu_peer_copy *params, bool is_async, runcu_stream *stream)
{
    struct job j = {.is_async = is_async};
    runcu_peer_copy c;
    CUcontext to, from;
    core_params(&c, sizeof c, params);
    j.box.to = (runcu_place){.device = c.to, .context = c.to_context};
    j.box.from = (runcu_place){.device = c.from, .context = c.from_context};
    j.box.width = c.bytes;
    j.box.height = j.box.depth = 1;
    int status = core_current(&j.driver, &j.current);
    if (!status)
        status = context_of(&to, &j, "destination", &j.box.to);
    if (!status)
        status = context_of(&from, &j, "source", &j.box.from);
    if (status || !c.bytes)
        return status;
    if (is_async)
        status = CU_CALL(j.driver, cuMemcpyPeerAsync, c.to, to, c.from, from, c.bytes,
                         core_stream(stream));
    else
        status = CU_CALL(j.driver, cuMemcpyPeer, c.to, to, c.from, from, c.bytes);
    return explain(&j, status);
}

int runcu_copy_peer(const runcu_peer_copy *copy)
{
    CORE_NEED(copy);
    return copy_range(copy, false, NULL);
}

int runcu_copy_peer_async(const runcu_peer_copy *copy, runcu_stream *stream)
{
    CORE_NEED(copy);
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    return status ? status : core_stream_end(&in, copy_range(copy, true, stream));
}

int core_box_params(CUDA_MEMCPY3D *out, const runcu_box *params, struct core_driver *driver,
                    CUcontext context)
{
    struct job j = {.driver = driver, .current = context};
    core_params(&j.box, sizeof j.box, params);
    j.box.height = j.box.height ? j.box.height : 1;
    j.box.depth = j.box.depth ? j.box.depth : 1;
    int status = check(&j.box);
    if (!status && !j.box.width)
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "a node that copies has bytes to copy");
    if (!status)
        status = fill_in(&j);
    if (!status)
        *out = own_box_of(&j.p);
    return status;
}

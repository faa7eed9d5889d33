/* Copies and sets. Every range of device memory is checked before anything is queued: a copy that
 * would leave an allocation is refused and nothing is written. */
#include "base/alloc.h"
#include "cpu/cpu.h"

enum {
    SMALL = 1 << 20 /* bytes that the calling thread moves itself where nothing comes before them */
};

static bool op_done(void *arg)
{
    const struct cpu_op *op = arg;
    return op->state == CPU_DONE;
}

/* May what is queued in the stream now start at once? */
static bool is_free(const struct cpu_stream *s)
{
    uint64_t serial = cpu.serials + 1;
    return !s->capture && !s->head && cpu_stream_idle(s, serial) &&
           ((s->flags & CU_STREAM_NON_BLOCKING) || !s->context->legacy.head);
}

/* Does it now, on this thread, after whatever comes before it. Takes the contents of *what. */
static CUresult do_now(struct cpu_stream *s, const struct cpu_op *what)
{
    const struct cpu_thread *t = cpu_thread();
    struct cpu_op op = *what;
    if (!t)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op.owner = t->serial;
    cpu_enqueue(s, &op);
    return cpu_wait(s->context, s, op_done, &op);
}

static CUresult do_later(struct cpu_stream *s, const struct cpu_op *what)
{
    struct cpu_op *op = cpu_workers_need() == 0 ? cpu_op_create(what->kind, 0) : NULL;
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u = what->u;
    return cpu_enqueue(s, op);
}

/* ---- copies ---- */

/* Memory that the host reads and writes as well: it expects the result when the call returns. */
static bool is_host(struct cpu_context *c, uint64_t address)
{
    struct simt_range range;
    return simt_space_find(c->space, address, &range) && cpu_is_shared(&range);
}

/* Is it all in one piece of memory, which is not read-only? */
static bool may_write(struct cpu_context *c, uint64_t address, size_t bytes)
{
    struct simt_range range;
    c = cpu_owner(c, address, bytes);
    return c && simt_space_find(c->space, address, &range) && cpu_is_writable(&range);
}

CUresult cpu_check_copy(struct cpu_context *c, const struct cpu_copy *copy, enum cpu_direction way)
{
    uint64_t to = (uintptr_t) copy->to, from = (uintptr_t) copy->from;
    if (!to || !from)
        return CUDA_ERROR_INVALID_VALUE;
    if ((way & CPU_TO_DEVICE) && !may_write(c, to, cpu_span(copy, copy->to_pitch, copy->to_plane)))
        return CUDA_ERROR_INVALID_VALUE;
    if ((way & CPU_FROM_DEVICE) &&
        !cpu_owner(c, from, cpu_span(copy, copy->from_pitch, copy->from_plane)))
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

CUresult cpu_copy(struct cpu_context *c, const struct cpu_copy *copy, enum cpu_direction way,
                  struct cpu_stream *stream)
{
    struct cpu_op op = {.kind = CPU_COPY, .u.copy = *copy};
    struct cpu_stream *legacy;
    op.u.copy.way = (uint8_t) way;
    if (!copy->bytes)
        return CUDA_SUCCESS;
    CUresult code = cpu_check_copy(c, copy, way);
    if (!code && !stream)
        code = cpu_stream_get(&legacy, c, NULL);
    if (code)
        return code;
    if (stream)
        return copy->bytes * MAX(copy->rows, 1) * MAX(copy->planes, 1) <= SMALL && is_free(stream)
                   ? do_now(stream, &op)
                   : do_later(stream, &op);
    if (way != CPU_WITHIN_DEVICE || is_free(&c->legacy) || is_host(c, (uintptr_t) copy->to))
        return do_now(&c->legacy, &op);
    return do_later(&c->legacy, &op);
}

static CUresult copy_now(const struct cpu_copy *copy, enum cpu_direction way)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    return code ? code : cpu_leave(cpu_copy(c, copy, way, NULL));
}

static CUresult copy_later(const struct cpu_copy *copy, enum cpu_direction way, CUstream stream)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    return cpu_leave(cpu_copy(s->context, copy, way, s));
}

static void *pointer(CUdeviceptr address)
{
    return (void *) (uintptr_t) address;
}

CUresult cpu_cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes)
{
    return copy_now(&(struct cpu_copy){.to = pointer(to), .from = from, .bytes = bytes},
                    CPU_TO_DEVICE);
}

CUresult cpu_cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes)
{
    return copy_now(&(struct cpu_copy){.to = to, .from = pointer(from), .bytes = bytes},
                    CPU_FROM_DEVICE);
}

CUresult cpu_cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    return copy_now(&(struct cpu_copy){.to = pointer(to), .from = pointer(from), .bytes = bytes},
                    CPU_WITHIN_DEVICE);
}

CUresult cpu_cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    return copy_later(&(struct cpu_copy){.to = pointer(to), .from = from, .bytes = bytes},
                      CPU_TO_DEVICE, stream);
}

CUresult cpu_cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return copy_later(&(struct cpu_copy){.to = to, .from = pointer(from), .bytes = bytes},
                      CPU_FROM_DEVICE, stream);
}

CUresult cpu_cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return copy_later(&(struct cpu_copy){.to = pointer(to), .from = pointer(from), .bytes = bytes},
                      CPU_WITHIN_DEVICE, stream);
}

/* ---- sets ---- */

/* Checks the rows as one range, from the first byte of the first to the last of the last. */
CUresult cpu_check_fill(struct cpu_context *c, const struct cpu_fill *f, size_t *bytes)
{
    size_t row, span;
    if (f->to % f->width || __builtin_mul_overflow(f->count, f->width, &row))
        return CUDA_ERROR_INVALID_VALUE;
    if (f->rows > 1 && (f->pitch < row || f->pitch % f->width))
        return CUDA_ERROR_INVALID_VALUE;
    if (__builtin_mul_overflow(f->rows - 1, f->pitch, &span) ||
        __builtin_add_overflow(span, row, bytes))
        return CUDA_ERROR_INVALID_VALUE;
    return may_write(c, f->to, *bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* Without a stream (`now`): in the legacy one; the host waits only for memory that it can see. */
static CUresult fill(const struct cpu_fill *f, CUstream stream, bool now)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    size_t bytes;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    if (!f->count || !f->rows)
        return cpu_leave(CUDA_SUCCESS);
    if ((code = cpu_check_fill(s->context, f, &bytes)))
        return cpu_leave(code);
    struct cpu_op op = {.kind = CPU_FILL, .u.fill = *f};
    bool waits = is_free(s) ? now || bytes <= SMALL : now && is_host(c, f->to);
    return cpu_leave(waits ? do_now(s, &op) : do_later(s, &op));
}

CUresult cpu_cuMemsetD8(CUdeviceptr to, unsigned char value, size_t count)
{
    return fill(&(struct cpu_fill){to, value, 1, count, 1, 0}, NULL, true);
}

CUresult cpu_cuMemsetD16(CUdeviceptr to, unsigned short value, size_t count)
{
    return fill(&(struct cpu_fill){to, value, 2, count, 1, 0}, NULL, true);
}

CUresult cpu_cuMemsetD32(CUdeviceptr to, unsigned value, size_t count)
{
    return fill(&(struct cpu_fill){to, value, 4, count, 1, 0}, NULL, true);
}

CUresult cpu_cuMemsetD2D8(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                          size_t height)
{
    return fill(&(struct cpu_fill){to, value, 1, width, height, pitch}, NULL, true);
}

CUresult cpu_cuMemsetD2D16(CUdeviceptr to, size_t pitch, unsigned short value, size_t width,
                           size_t height)
{
    return fill(&(struct cpu_fill){to, value, 2, width, height, pitch}, NULL, true);
}

CUresult cpu_cuMemsetD2D32(CUdeviceptr to, size_t pitch, unsigned value, size_t width,
                           size_t height)
{
    return fill(&(struct cpu_fill){to, value, 4, width, height, pitch}, NULL, true);
}

CUresult cpu_cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
    return fill(&(struct cpu_fill){to, value, 1, count, 1, 0}, stream, false);
}

CUresult cpu_cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream)
{
    return fill(&(struct cpu_fill){to, value, 2, count, 1, 0}, stream, false);
}

CUresult cpu_cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream)
{
    return fill(&(struct cpu_fill){to, value, 4, count, 1, 0}, stream, false);
}

CUresult cpu_cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                               size_t height, CUstream stream)
{
    return fill(&(struct cpu_fill){to, value, 1, width, height, pitch}, stream, false);
}

CUresult cpu_cuMemsetD2D16Async(CUdeviceptr to, size_t pitch, unsigned short value, size_t width,
                                size_t height, CUstream stream)
{
    return fill(&(struct cpu_fill){to, value, 2, width, height, pitch}, stream, false);
}

CUresult cpu_cuMemsetD2D32Async(CUdeviceptr to, size_t pitch, unsigned value, size_t width,
                                size_t height, CUstream stream)
{
    return fill(&(struct cpu_fill){to, value, 4, width, height, pitch}, stream, false);
}

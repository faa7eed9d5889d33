/* Copies of bytes to and from one-dimensional arrays. */
#include "handle.h"

static CUarray handle_of(const runcu_array *array)
{
    return (CUarray) (uintptr_t) array->base.handle;
}

/* After a refusal: how long the array's row is. */
static int explain(const runcu_array *array, size_t offset, size_t bytes, int status)
{
    CUDA_ARRAY3D_DESCRIPTOR d;
    runcu_error e;
    runcu_error_get(&e);
    if (status != RUNCU_ERROR_DRIVER || e.code != CUDA_ERROR_INVALID_VALUE ||
        array->base.context->driver->cu.cuArray3DGetDescriptor(&d, handle_of(array)))
        return status;
    runcu_fail_detail("%zu bytes from byte %zu on were asked for; the array has %zu elements of %u "
                      "channels a row, and only whole ones are copied.%s",
                      bytes, offset, d.Width, d.NumChannels,
                      d.Height ? " It has rows: copy them with Memcpy2D or Memcpy3D." : "");
    return status;
}

int runcu_copy_htoa(runcu_array *to, size_t to_offset, const void *from, size_t bytes)
{
    CORE_NEED(to);
    if (bytes)
        CORE_NEED(from);
    struct core_use use;
    int status = core_use_begin(&use, &to->base, "the destination");
    if (status)
        return status;
    if (bytes)
        status = explain(
            to, to_offset, bytes,
            CU_CALL(to->base.context->driver, cuMemcpyHtoA, handle_of(to), to_offset, from, bytes));
    return core_use_end(&use, status);
}

int runcu_copy_atoh(void *to, runcu_array *from, size_t from_offset, size_t bytes)
{
    if (bytes)
        CORE_NEED(to);
    CORE_NEED(from);
    struct core_use use;
    int status = core_use_begin(&use, &from->base, "the source");
    if (status)
        return status;
    if (bytes)
        status = explain(from, from_offset, bytes,
                         CU_CALL(from->base.context->driver, cuMemcpyAtoH, to, handle_of(from),
                                 from_offset, bytes));
    return core_use_end(&use, status);
}

int runcu_copy_dtoa(runcu_array *to, size_t to_offset, uint64_t from, size_t bytes)
{
    CORE_NEED(to);
    struct core_use use;
    int status = core_use_begin(&use, &to->base, "the destination");
    if (status)
        return status;
    if (bytes)
        status = explain(
            to, to_offset, bytes,
            CU_CALL(to->base.context->driver, cuMemcpyDtoA, handle_of(to), to_offset, from, bytes));
    return core_use_end(&use, status);
}

int runcu_copy_atod(uint64_t to, runcu_array *from, size_t from_offset, size_t bytes)
{
    CORE_NEED(from);
    struct core_use use;
    int status = core_use_begin(&use, &from->base, "the source");
    if (status)
        return status;
    if (bytes)
        status = explain(from, from_offset, bytes,
                         CU_CALL(from->base.context->driver, cuMemcpyAtoD, to, handle_of(from),
                                 from_offset, bytes));
    return core_use_end(&use, status);
}

int runcu_copy_atoa(runcu_array *to, size_t to_offset, runcu_array *from, size_t from_offset,
                    size_t bytes)
{
    CORE_NEED(to);
    CORE_NEED(from);
    struct core_use use;
    int status = core_handle_hold(from ? &from->base : NULL, "the source");
    if (status)
        return status;
    status = core_use_begin(&use, &to->base, "the destination");
    if (!status) {
        if (bytes) {
            status = explain(to, to_offset, bytes,
                             CU_CALL(to->base.context->driver, cuMemcpyAtoA, handle_of(to),
                                     to_offset, handle_of(from), from_offset, bytes));
            status = explain(from, from_offset, bytes, status);
        }
        core_use_end(&use, status);
    }
    core_handle_let_go(&from->base);
    return status;
}

int runcu_copy_htoa_async(runcu_array *to, size_t to_offset, const void *from, size_t bytes,
                          runcu_stream *stream)
{
    CORE_NEED(to);
    if (bytes)
        CORE_NEED(from);
    struct core_stream_scope in;
    int status = core_handle_hold(to ? &to->base : NULL, "the destination");
    if (status)
        return status;
    status = core_stream_begin(&in, stream);
    if (!status) {
        if (bytes)
            status = explain(to, to_offset, bytes,
                             CU_CALL(in.driver, cuMemcpyHtoAAsync, handle_of(to), to_offset, from,
                                     bytes, core_stream(stream)));
        core_stream_end(&in, status);
    }
    core_handle_let_go(&to->base);
    return status;
}

int runcu_copy_atoh_async(void *to, runcu_array *from, size_t from_offset, size_t bytes,
                          runcu_stream *stream)
{
    if (bytes)
        CORE_NEED(to);
    CORE_NEED(from);
    struct core_stream_scope in;
    int status = core_handle_hold(from ? &from->base : NULL, "the source");
    if (status)
        return status;
    status = core_stream_begin(&in, stream);
    if (!status) {
        if (bytes)
            status = explain(from, from_offset, bytes,
                             CU_CALL(in.driver, cuMemcpyAtoHAsync, to, handle_of(from), from_offset,
                                     bytes, core_stream(stream)));
        core_stream_end(&in, status);
    }
    core_handle_let_go(&from->base);
    return status;
}

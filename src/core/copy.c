/* Copies and fills, by the driver of the current context. A refused one is explained: which
 * allocation it would have left. */
#include "core.h"

#include <inttypes.h>
#include <string.h>

/* After a refusal: adds what is wrong with `bytes` at the device address. */
static void explain_range(const struct core_driver *driver, const char *side, uint64_t address,
                          size_t bytes)
{
    CUdeviceptr base = 0;
    size_t size = 0;
    if (driver->cu.cuMemGetAddressRange(&base, &size, address) || address - base > size) {
        runcu_fail_detail("The %s, 0x%" PRIx64 ", lies in no allocation.", side, address);
        return;
    }
    size_t room = size - (size_t) (address - base);
    if (bytes > room)
        runcu_fail_detail("The %s, 0x%" PRIx64
                          ", has room for %zu bytes up to the end of its allocation of "
                          "%zu, and %zu were asked for: %zu too many.",
                          side, address, room, size, bytes, bytes - room);
}

static bool is_refusal(int status)
{
    runcu_error e;
    if (status != RUNCU_ERROR_DRIVER)
        return false;
    runcu_error_get(&e);
    return e.code == CUDA_ERROR_INVALID_VALUE;
}

int runcu_copy_htod(uint64_t to, const void *from, size_t bytes)
{
    if (bytes)
        CORE_NEED(from);
    struct core_driver *driver;
    CUcontext context;
    int status = core_current(&driver, &context);
    if (status)
        return status;
    status = core_wait_copy(driver, context, "cuMemcpyHtoD");
    if (status)
        return status;
    struct core_copy copy = {driver, NULL, to, (void *) (uintptr_t) from, bytes, true};
    if (core_stage_copy(&status, &copy, context))
        return status;
    if (core_post_copy(&copy, context))
        return 0;
    status = CU_FLUSHING(driver, cuMemcpyHtoD, to, from, bytes);
    if (is_refusal(status))
        explain_range(driver, "destination", to, bytes);
    return status;
}

int runcu_copy_dtoh(void *to, uint64_t from, size_t bytes)
{
    if (bytes)
        CORE_NEED(to);
    struct core_driver *driver;
    CUcontext context;
    int status = core_current(&driver, &context);
    if (status)
        return status;
    status = core_wait_copy(driver, context, "cuMemcpyDtoH");
    if (status)
        return status;
    struct core_copy copy = {driver, NULL, from, to, bytes, false};
    if (core_stage_copy(&status, &copy, context))
        return status;
    status = CU_FLUSHING(driver, cuMemcpyDtoH, to, from, bytes);
    if (is_refusal(status))
        explain_range(driver, "source", from, bytes);
    return status;
}

int runcu_copy_dtod(uint64_t to, uint64_t from, size_t bytes)
{
    struct core_driver *driver;
    CUcontext context;
    int status = core_current(&driver, &context);
    if (status)
        return status;
    status = CU_FLUSHING(driver, cuMemcpyDtoD, to, from, bytes);
    if (is_refusal(status)) {
        explain_range(driver, "destination", to, bytes);
        explain_range(driver, "source", from, bytes);
    }
    return status;
}

/* Plain memory takes no part in the order of a stream: the driver waits until it can be copied, and
 * for more than this also on the way to the device. Here, so that the wait can be interrupted. */
enum { TAKEN_AT_ONCE = 64 << 10 };

static int wait_if_plain(const struct core_stream_scope *in, const void *host, const char *routine)
{
    const struct drv_table *cu = &in->driver->cu;
    unsigned type = 0;
    if (!core_is_watched(in->driver) ||
        (cu->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (uintptr_t) host) ==
             CUDA_SUCCESS &&
         type))
        return 0;
    return core_wait_stream(in->driver, core_stream(in->stream), routine);
}

int runcu_copy_htod_async(uint64_t to, const void *from, size_t bytes, runcu_stream *stream)
{
    if (bytes)
        CORE_NEED(from);
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    if (bytes > TAKEN_AT_ONCE)
        status = wait_if_plain(&in, from, "cuMemcpyHtoDAsync");
    if (!status)
        status = CU_CALL(in.driver, cuMemcpyHtoDAsync, to, from, bytes, core_stream(stream));
    if (is_refusal(status))
        explain_range(in.driver, "destination", to, bytes);
    return core_stream_end(&in, status);
}

int runcu_copy_dtoh_async(void *to, uint64_t from, size_t bytes, runcu_stream *stream)
{
    if (bytes)
        CORE_NEED(to);
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = wait_if_plain(&in, to, "cuMemcpyDtoHAsync");
    if (!status)
        status = CU_CALL(in.driver, cuMemcpyDtoHAsync, to, from, bytes, core_stream(stream));
    if (is_refusal(status))
        explain_range(in.driver, "source", from, bytes);
    return core_stream_end(&in, status);
}

int runcu_copy_dtod_async(uint64_t to, uint64_t from, size_t bytes, runcu_stream *stream)
{
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuMemcpyDtoDAsync, to, from, bytes, core_stream(stream));
    if (is_refusal(status)) {
        explain_range(in.driver, "destination", to, bytes);
        explain_range(in.driver, "source", from, bytes);
    }
    return core_stream_end(&in, status);
}

/* One row, or rows that follow one another: the plain memsets. */
static int fill_line(struct core_driver *driver, const runcu_fill *f, CUstream *stream)
{
    unsigned char byte = (unsigned char) f->value;
    unsigned short half = (unsigned short) f->value;
    size_t n = f->count;
    if (f->width == 1)
        return stream ? CU_CALL(driver, cuMemsetD8Async, f->to, byte, n, *stream)
                      : CU_CALL(driver, cuMemsetD8, f->to, byte, n);
    if (f->width == 2)
        return stream ? CU_CALL(driver, cuMemsetD16Async, f->to, half, n, *stream)
                      : CU_CALL(driver, cuMemsetD16, f->to, half, n);
    return stream ? CU_CALL(driver, cuMemsetD32Async, f->to, f->value, n, *stream)
                  : CU_CALL(driver, cuMemsetD32, f->to, f->value, n);
}

static int fill_rows(struct core_driver *driver, const runcu_fill *f, CUstream *stream)
{
    unsigned char byte = (unsigned char) f->value;
    unsigned short half = (unsigned short) f->value;
    size_t n = f->count, rows = f->rows, pitch = f->pitch;
    if (f->width == 1)
        return stream ? CU_CALL(driver, cuMemsetD2D8Async, f->to, pitch, byte, n, rows, *stream)
                      : CU_CALL(driver, cuMemsetD2D8, f->to, pitch, byte, n, rows);
    if (f->width == 2)
        return stream ? CU_CALL(driver, cuMemsetD2D16Async, f->to, pitch, half, n, rows, *stream)
                      : CU_CALL(driver, cuMemsetD2D16, f->to, pitch, half, n, rows);
    return stream ? CU_CALL(driver, cuMemsetD2D32Async, f->to, pitch, f->value, n, rows, *stream)
                  : CU_CALL(driver, cuMemsetD2D32, f->to, pitch, f->value, n, rows);
}

static int fill_memory(struct core_driver *driver, const runcu_fill *params, CUstream *stream)
{
    runcu_fill f;
    core_params(&f, sizeof f, params);
    if (f.width != 1 && f.width != 2 && f.width != 4)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "a fill's width is %u bytes: 1, 2 or 4 are possible", (unsigned) f.width);
    int status = f.rows > 1 ? fill_rows(driver, &f, stream) : fill_line(driver, &f, stream);
    if (is_refusal(status) && f.rows <= 1)
        explain_range(driver, "destination", f.to, f.count * f.width);
    return status;
}

int runcu_mem_fill(const runcu_fill *fill)
{
    CORE_NEED(fill);
    struct core_driver *driver;
    CUcontext context;
    int status = core_current(&driver, &context);
    return status ? status : fill_memory(driver, fill, NULL);
}

int runcu_mem_fill_async(const runcu_fill *fill, runcu_stream *stream)
{
    CORE_NEED(fill);
    struct core_stream_scope in;
    CUstream handle = core_stream(stream);
    int status = core_stream_begin(&in, stream);
    return status ? status : core_stream_end(&in, fill_memory(in.driver, fill, &handle));
}

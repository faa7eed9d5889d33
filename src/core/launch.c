/* Launches: shape, arguments, the driver's call. The fast path asks the driver nothing: it
 * launches, and what is wrong is found out after a refusal (refusal.c). */
#include "launch.h"

#include <string.h>

#include "base/alloc.h"

/* --- shape --- */

static unsigned one_or(unsigned n)
{
    return n ? n : 1;
}

/* The block size that keeps a multiprocessor fullest; of equals the one nearest to 256. Asked once
 * a kernel and amount of shared memory. */
static NO_INLINE unsigned choose_block(runcu_function *f, size_t shared)
{
    static const unsigned sizes[] = {256, 512, 128, 1024, 64, 32};
    const struct drv_table *cu = &f->driver->cu;
    struct core_scope scope;
    unsigned best = 0;
    int most = 0, fullest = 0, blocks;
    if (core_enter(&scope, f->context) != 0)
        return 256; /* the launch will tell what is wrong */
    if (cu->cuFuncGetAttribute(&most, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, f->handle) ||
        most < 1)
        most = 256;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        if (sizes[i] > (unsigned) most || cu->cuOccupancyMaxActiveBlocksPerMultiprocessor(
                                              &blocks, f->handle, (int) sizes[i], shared))
            continue;
        if (blocks * (int) sizes[i] > fullest) {
            fullest = blocks * (int) sizes[i];
            best = sizes[i];
        }
    }
    core_leave(&scope);
    best = best ? best : MIN(256, (unsigned) most);
    atomic_store(&f->block, (uint64_t) shared << 16 | best);
    return best;
}

static unsigned get_block(runcu_function *f, size_t shared)
{
    uint64_t known = atomic_load_explicit(&f->block, memory_order_relaxed);
    return known && known >> 16 == shared ? known & 0xffff : choose_block(f, shared);
}

/* Grid and block for at least `threads` threads along x. */
static int fit_threads(struct core_launch *out, const runcu_launch_params *params)
{
    runcu_function *f = out->function;
    size_t n = params->threads, block = params->block.x;
    if (!block)
        block = MIN(get_block(f, params->shared), n); /* few threads are exactly so many */
    size_t grid = params->grid.x ? params->grid.x : n / block + (n % block != 0);
    if (grid > INT32_MAX)
        return runcu_fail(RUNCU_ERROR_LAUNCH_SHAPE,
                          "%s: %zu threads in blocks of %zu are %zu blocks, and the limit is %d",
                          f->signature, n, block, grid, INT32_MAX);
    if (grid * block < n)
        return runcu_fail(RUNCU_ERROR_LAUNCH_SHAPE,
                          "%s: %zu blocks of %zu threads are fewer than the %zu asked for",
                          f->signature, grid, block, n);
    out->grid.x = (unsigned) grid;
    out->block.x = (unsigned) block;
    return 0;
}

/* More dynamic shared memory than a kernel gets without asking. The limit only ever grows, so that
 * threads, and other objects of the same kernel, cannot take it from each other. */
static NO_INLINE int raise_shared(runcu_function *f, size_t shared)
{
    int now = 0;
    core_lock();
    int status =
        runcu_function_get_attribute(&now, f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    size_t limit = (size_t) MAX(now, 0);
    if (!status && shared > limit &&
        core_function_set(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int) shared) == 0)
        limit = shared;
    atomic_store(&f->shared_limit, limit);
    core_unlock();
    return status;
}

static int check_attributes(const runcu_function *f, const runcu_launch_params *p)
{
    const unsigned known = RUNCU_LAUNCH_COOPERATIVE | RUNCU_LAUNCH_CLUSTER |
                           RUNCU_LAUNCH_PROGRAMMATIC | RUNCU_LAUNCH_PRIORITY |
                           RUNCU_LAUNCH_CARVEOUT;
    if (p->attributes & ~known)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s: the launch attributes %#x are unknown",
                          f->signature, p->attributes & ~known);
    if (p->attributes & RUNCU_LAUNCH_CARVEOUT && (p->carveout < 0 || p->carveout > 100))
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "%s: the carve-out is a percentage from 0 to 100, not %d", f->signature,
                          p->carveout);
    return 0;
}

static ALWAYS_INLINE void copy_shape(struct core_launch *out, const runcu_launch_params *p)
{
    out->grid = (runcu_dim3){one_or(p->grid.x), one_or(p->grid.y), one_or(p->grid.z)};
    out->block = (runcu_dim3){one_or(p->block.x), one_or(p->block.y), one_or(p->block.z)};
    out->shared = (unsigned) p->shared;
    out->stream = core_stream(p->stream);
    out->params = p->attributes ? p : NULL;
}

int core_launch_shape(struct core_launch *out, const runcu_launch_params *p)
{
    runcu_function *f = out->function;
    int status = 0;
    copy_shape(out, p);
    if (core_stream_is_closed(p->stream))
        return runcu_fail(RUNCU_ERROR_FREED, "%s: the stream has been closed", f->signature);
    if (p->shared > INT32_MAX)
        return runcu_fail(RUNCU_ERROR_LAUNCH_SHAPE,
                          "%s: %zu bytes of shared memory are more than any device has",
                          f->signature, p->shared);
    if (p->attributes)
        status = check_attributes(f, p);
    if (p->shared > atomic_load_explicit(&f->shared_limit, memory_order_relaxed) && !status)
        status = raise_shared(f, p->shared);
    return p->threads && !status ? fit_threads(out, p) : status;
}

/* Likewise, fast where there is nothing to look at. */
static ALWAYS_INLINE int shape(struct core_launch *out, const runcu_launch_params *p)
{
    if (UNLIKELY((p->shared | p->attributes | p->threads) || core_stream_is_closed(p->stream)))
        return core_launch_shape(out, p);
    copy_shape(out, p);
    return 0;
}

/* --- the call --- */

unsigned core_launch_attributes(CUlaunchAttribute out[CORE_ATTRIBUTES],
                                const runcu_launch_params *p)
{
    unsigned n = 0, bits = p->attributes;
    memset(out, 0, CORE_ATTRIBUTES * sizeof *out);
    if (bits & RUNCU_LAUNCH_COOPERATIVE) {
        out[n].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
        out[n++].value.cooperative = 1;
    }
    if (bits & RUNCU_LAUNCH_CLUSTER) {
        out[n].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
        out[n].value.clusterDim.x = one_or(p->cluster.x);
        out[n].value.clusterDim.y = one_or(p->cluster.y);
        out[n++].value.clusterDim.z = one_or(p->cluster.z);
    }
    if (bits & RUNCU_LAUNCH_PROGRAMMATIC) {
        out[n].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        out[n++].value.programmaticStreamSerializationAllowed = 1;
    }
    if (bits & RUNCU_LAUNCH_PRIORITY) {
        out[n].id = CU_LAUNCH_ATTRIBUTE_PRIORITY;
        out[n++].value.priority = p->priority;
    }
    if (bits & RUNCU_LAUNCH_CARVEOUT) {
        out[n].id = CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
        out[n++].value.sharedMemCarveout = (unsigned) p->carveout;
    }
    return n;
}

CUlaunchConfig core_launch_config(const struct core_launch *l, CUlaunchAttribute *attributes)
{
    return (CUlaunchConfig){
        .gridDimX = l->grid.x,
        .gridDimY = l->grid.y,
        .gridDimZ = l->grid.z,
        .blockDimX = l->block.x,
        .blockDimY = l->block.y,
        .blockDimZ = l->block.z,
        .sharedMemBytes = l->shared,
        .hStream = l->stream,
        .attrs = attributes,
        .numAttrs = l->params ? core_launch_attributes(attributes, l->params) : 0,
    };
}

static NO_INLINE CUresult call_with_attributes(const struct core_launch *l, void **extra)
{
    CUlaunchAttribute attributes[CORE_ATTRIBUTES];
    CUlaunchConfig config = core_launch_config(l, attributes);
    return l->function->driver->cu.cuLaunchKernelEx(&config, l->function->handle, l->pointers,
                                                    extra);
}

static ALWAYS_INLINE CUresult call(const struct core_launch *l)
{
    const runcu_function *f = l->function;
    size_t bytes = l->packed.bytes;
    void *whole[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, l->buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     CU_LAUNCH_PARAM_END};
    void **extra = l->pointers || !bytes ? NULL : whole;
    if (UNLIKELY(l->params != NULL))
        return call_with_attributes(l, extra);
    return f->driver->cu.cuLaunchKernel(f->handle, l->grid.x, l->grid.y, l->grid.z, l->block.x,
                                        l->block.y, l->block.z, l->shared, l->stream, l->pointers,
                                        extra);
}

static const char *routine_of(const struct core_launch *l)
{
    return l->params ? "cuLaunchKernelEx" : "cuLaunchKernel";
}

/* Once more, in the kernel's own context, which was not the current one. A thread that had none
 * keeps a primary one. */
static NO_INLINE int call_again(const struct core_launch *l)
{
    runcu_context *context = l->function->context;
    struct core_scope scope;
    CUcontext now = NULL;
    const struct drv_table *cu = &l->function->driver->cu;
    if (cu->cuCtxGetCurrent(&now) == CUDA_SUCCESS && !now && context->kind == CORE_PRIMARY)
        cu->cuCtxSetCurrent(context->handle);
    int status = core_enter(&scope, context);
    if (status)
        return status;
    CUresult code = call(l);
    if (code)
        status = core_launch_refused(l, routine_of(l), code);
    core_leave(&scope);
    return status;
}

/* What can be done about a refusal: the kernel's context was not current, or somebody else has
 * lowered its limit of shared memory since. */
static NO_INLINE int launch_refused(const struct core_launch *l, CUresult code)
{
    if (code == CUDA_ERROR_INVALID_CONTEXT || code == CUDA_ERROR_INVALID_HANDLE ||
        code == CUDA_ERROR_CONTEXT_IS_DESTROYED)
        return call_again(l);
    if (code == CUDA_ERROR_INVALID_VALUE && l->shared &&
        raise_shared(l->function, l->shared) == 0 &&
        atomic_load(&l->function->shared_limit) >= l->shared)
        code = call(l);
    return code ? core_launch_refused(l, routine_of(l), code) : 0;
}

static NO_INLINE CUresult call_listening(const struct core_launch *l)
{
    core_listen_begin();
    return core_listen_end(call(l));
}

static ALWAYS_INLINE int launch(const struct core_launch *l)
{
    if (l->stream)
        core_settle(l->function->driver, l->stream);
    struct core_driver *driver = l->function->driver;
    CUresult code = LIKELY(!atomic_load_explicit(&driver->may_print, memory_order_relaxed))
                        ? call(l)
                        : call_listening(l);
    if (UNLIKELY(code)) {
        int status = launch_refused(l, code);
        if (status)
            return status;
    }
    if (UNLIKELY(l->function->prints))
        atomic_store(&driver->may_print, true);
    core_mark_work(l->function->context);
    core_history_add(l);
    return 0;
}

/* --- arguments in host memory --- */

/* The device's copy of one of them. */
struct travel {
    const runcu_arg *arg;
    CUdeviceptr address;
};

static bool goes_out(const runcu_arg *a)
{
    return a->kind == RUNCU_ARG_HOST_IN || a->kind == RUNCU_ARG_HOST_INOUT;
}

static bool comes_back(const runcu_arg *a)
{
    return a->kind == RUNCU_ARG_HOST_OUT || a->kind == RUNCU_ARG_HOST_INOUT;
}

/* To the device, in the stream's order; an array of no bytes is a null pointer. */
static int send(struct travel *t, const runcu_function *f, const runcu_arg *arg, CUstream stream)
{
    t->arg = arg;
    if (!arg->size)
        return 0;
    int status = CU_CALL(f->driver, cuMemAlloc, &t->address, arg->size);
    if (status || !goes_out(arg))
        return status;
    struct core_copy copy = {f->driver, NULL, t->address, (void *) (uintptr_t) arg->value.p,
                             arg->size, true};
    if (!core_stage_copy(&status, &copy, f->context->handle))
        status = CU_CALL(f->driver, cuMemcpyHtoDAsync, t->address, arg->value.p, arg->size, stream);
    return status;
}

/* From the device: large ones by several threads, once the kernel has ended. */
static int bring(const struct travel *t, const runcu_function *f, CUstream stream)
{
    struct core_copy copy = {f->driver,    NULL, t->address, (void *) (uintptr_t) t->arg->value.p,
                             t->arg->size, false};
    int status =
        core_stage_is_large(&copy) ? CU_FLUSHING(f->driver, cuStreamSynchronize, stream) : 0;
    if (status || core_stage_copy(&status, &copy, f->context->handle))
        return status;
    return CU_CALL(f->driver, cuMemcpyDtoHAsync, copy.host, copy.device, copy.bytes, stream);
}

static int receive(const struct travel *list, size_t count, const runcu_function *f,
                   CUstream stream)
{
    bool has_any = false;
    int status = 0;
    for (size_t i = 0; i < count && !status; i++)
        if (comes_back(list[i].arg) && list[i].address) {
            /* a copy to plain memory waits for the kernel */
            status = has_any ? 0 : core_wait_stream(f->driver, stream, "cuMemcpyDtoHAsync");
            if (!status)
                status = bring(&list[i], f, stream);
            has_any = true;
        }
    if (has_any && !status) {
        status = CU_FLUSHING(f->driver, cuStreamSynchronize, stream);
    }
    return status;
}

static void end_later(runcu_context *context, void *address)
{
    struct core_scope scope;
    if (!core_enter_cleanup(&scope, context))
        return;
    core_cleanup(context, "cuMemFree", context->driver->cu.cuMemFree((uintptr_t) address));
    core_leave(&scope);
}

static void end(runcu_context *context, CUdeviceptr address, int *status)
{
    int interrupted;
    if (!core_defer(&interrupted, context, end_later, (void *) (uintptr_t) address))
        end_later(context, (void *) (uintptr_t) address);
    *status = *status ? *status : interrupted;
}

static int launch_there_and_back(const struct core_launch *l, const struct core_args *given)
{
    const runcu_function *f = l->function;
    struct core_scope scope;
    size_t n = 0;
    struct travel *list = alloc_zero(l->packed.host_count, sizeof *list);
    int status = list ? core_enter(&scope, f->context) : runcu_fail_memory();
    if (status) {
        alloc_free(list);
        return status;
    }
    for (size_t i = 0, offset = 0; i < given->count && !status; i++) {
        offset = f->count < 0 ? core_pack_offset(offset, &given->at[i]) : f->params[i].offset;
        if (goes_out(&given->at[i]) || comes_back(&given->at[i])) {
            status = send(&list[n], f, &given->at[i], l->stream);
            memcpy(l->buffer + offset, &list[n++].address, sizeof list->address);
        }
        offset += f->count < 0 ? core_pack_size(&given->at[i]) : 0;
    }
    if (!status)
        status = launch(l);
    if (!status)
        status = receive(list, n, f, l->stream);
    while (n > 0) /* waits for the kernel, if need be */
        if (list[--n].address)
            end(f->context, list[n].address, &status);
    core_leave(&scope);
    alloc_free(list);
    return status;
}

/* --- all together --- */

HOT int core_launch_run(const struct core_launch *l, const struct core_args *args)
{
    if (UNLIKELY(atomic_load_explicit(&l->function->context->is_dead, memory_order_relaxed)))
        return runcu_fail(RUNCU_ERROR_FREED, "%s: the kernel's context has been detached",
                          l->function->signature);
    return LIKELY(!l->packed.host_count) ? launch(l) : launch_there_and_back(l, args);
}

void core_launch_point(struct core_launch *l, void *pointers[CORE_POINTERS])
{
    const runcu_function *f = l->function;
    l->pointers = NULL;
    if (f->count < 0 || f->count > CORE_POINTERS)
        return;
    for (int i = 0; i < f->count; i++)
        pointers[i] = l->buffer + f->params[i].offset;
    l->pointers = pointers;
}

HOT int runcu_launch_args(runcu_function *function, const runcu_launch_params *params,
                          const runcu_arg *args, size_t count)
{
    CORE_NEED(function);
    CORE_NEED(params);
    if (count)
        CORE_NEED(args);
    uint64_t stack[CORE_PACK_STACK / sizeof(uint64_t)];
    void *pointers[CORE_POINTERS];
    runcu_launch_params whole;
    struct core_launch l;
    if (UNLIKELY(function->leader) && core_function_now(&function, function) != 0)
        return core_last_status();
    if (UNLIKELY(params->size && params->size != sizeof *params)) {
        core_params(&whole, sizeof whole, params);
        params = &whole;
    }
    struct core_args list = {args, count, params->strict != 0};
    l.function = function;
    l.buffer = (char *) stack;
    if (UNLIKELY(function->bytes > sizeof stack)) {
        l.buffer = alloc_new(function->bytes);
        if (!l.buffer)
            return runcu_fail_memory();
    }
    int status = core_pack(&l.packed, l.buffer, sizeof stack, function, &list);
    if (!status)
        status = shape(&l, params);
    if (LIKELY(!status)) {
        core_launch_point(&l, pointers);
        status = core_launch_run(&l, &list);
    }
    if (UNLIKELY(l.buffer != (char *) stack))
        alloc_free(l.buffer);
    return status;
}

int runcu_launch_packed(runcu_function *function, const runcu_launch_params *params,
                        const void *buffer, size_t bytes)
{
    CORE_NEED(function);
    CORE_NEED(params);
    if (bytes)
        CORE_NEED(buffer);
    runcu_launch_params whole;
    if (function->leader && core_function_now(&function, function) != 0)
        return core_last_status();
    if (function->count >= 0 && bytes != function->bytes)
        return runcu_fail(RUNCU_ERROR_LAUNCH_ARGUMENT,
                          "%s: its parameters take %u bytes, and %zu were given",
                          function->signature, function->bytes, bytes);
    core_params(&whole, sizeof whole, params);
    struct core_args none = {NULL, 0, false};
    struct core_launch l = {
        .function = function,
        .buffer = (char *) (uintptr_t) buffer, /* the driver only reads it */
        .packed.bytes = bytes,
    };
    int status = core_launch_shape(&l, &whole);
    return status ? status : core_launch_run(&l, &none);
}

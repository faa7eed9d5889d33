/* Launches: shape, arguments, the driver's call. The fast path asks the driver nothing: it
 * launches, and what is wrong is found out after a refusal. */
#include "core.h"

#include <string.h>

#include "base/alloc.h"

/* The shape as the driver takes it. */
struct shape {
    runcu_dim3 grid, block;
    unsigned shared;
};

/* The packed arguments. */
struct args {
    char *buffer;
    struct core_packed packed;
};

enum { MOST_POINTERS = 64 };

/* --- shape --- */

static unsigned one_or(unsigned n)
{
    return n ? n : 1;
}

/* The block size that keeps a multiprocessor fullest; of equals the one nearest to 256. Asked once
 * a kernel. */
static NO_INLINE unsigned choose_block(runcu_function *f)
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
        if (sizes[i] > (unsigned) most ||
            cu->cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f->handle, (int) sizes[i], 0))
            continue;
        if (blocks * (int) sizes[i] > fullest) {
            fullest = blocks * (int) sizes[i];
            best = sizes[i];
        }
    }
    core_leave(&scope);
    best = best ? best : MIN(256, (unsigned) most);
    atomic_store(&f->block, best);
    return best;
}

/* Grid and block for at least `threads` threads along x. */
static int fit_threads(struct shape *out, runcu_function *f, const runcu_launch_params *params)
{
    size_t n = params->threads, block = params->block.x;
    if (!block) {
        block = atomic_load_explicit(&f->block, memory_order_relaxed);
        block = block ? block : choose_block(f);
        block = MIN(block, n); /* few threads are exactly so many */
    }
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
 * threads cannot take it from each other. */
static NO_INLINE int raise_shared(runcu_function *f, size_t shared)
{
    int now = 0, status = 0;
    core_lock();
    size_t limit = atomic_load(&f->shared_limit);
    if (!limit)
        status =
            runcu_function_get_attribute(&now, f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    limit = MAX(limit, (size_t) MAX(now, 0));
    if (!status && shared > limit && shared <= INT32_MAX &&
        runcu_function_set_attribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                     (int) shared) == 0)
        limit = shared;
    atomic_store(&f->shared_limit, limit);
    core_unlock();
    return status;
}

/* --- what the driver refused --- */

static int attribute(const runcu_function *f, int id)
{
    int value = 0;
    return f->driver->cu.cuDeviceGetAttribute(&value, id, f->context->device->handle) ? 0 : value;
}

static int function_attribute(const runcu_function *f, int id)
{
    int value = 0;
    return f->driver->cu.cuFuncGetAttribute(&value, id, f->handle) ? 0 : value;
}

struct limit {
    const char *what;
    unsigned value;
    int most;
};

/* Names the first extent that is beyond its limit; false if none is. */
static bool explain_extents(const runcu_function *f, const struct shape *s)
{
    const struct limit limits[] = {
        {"grid x", s->grid.x, attribute(f, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)},
        {"grid y", s->grid.y, attribute(f, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y)},
        {"grid z", s->grid.z, attribute(f, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z)},
        {"block x", s->block.x, attribute(f, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X)},
        {"block y", s->block.y, attribute(f, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y)},
        {"block z", s->block.z, attribute(f, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z)},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (limits[i].most > 0 && limits[i].value > (unsigned) limits[i].most) {
            runcu_fail_detail("%s: %s is %u, %u over the device's limit of %d.", f->signature,
                              limits[i].what, limits[i].value,
                              limits[i].value - (unsigned) limits[i].most, limits[i].most);
            return true;
        }
    return false;
}

static bool explain_threads(const runcu_function *f, const struct shape *s)
{
    uint64_t threads = (uint64_t) s->block.x * s->block.y * s->block.z;
    int most = attribute(f, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    int own = function_attribute(f, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    int registers = function_attribute(f, CU_FUNC_ATTRIBUTE_NUM_REGS);
    if (most > 0 && threads > (uint64_t) most) {
        runcu_fail_detail(
            "%s: a block of %u x %u x %u has %llu threads, %llu over the device's limit of %d.",
            f->signature, s->block.x, s->block.y, s->block.z, (unsigned long long) threads,
            (unsigned long long) (threads - (uint64_t) most), most);
        return true;
    }
    if (own > 0 && threads > (uint64_t) own) {
        runcu_fail_detail("%s: a block of %u x %u x %u has %llu threads, %llu over this kernel's "
                          "limit of %d (it takes %d "
                          "registers a thread).",
                          f->signature, s->block.x, s->block.y, s->block.z,
                          (unsigned long long) threads,
                          (unsigned long long) (threads - (uint64_t) own), own, registers);
        return true;
    }
    return false;
}

static bool explain_shared(const runcu_function *f, const struct shape *s)
{
    int own = function_attribute(f, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
    int most = attribute(f, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    uint64_t all = (uint64_t) s->shared + (uint64_t) MAX(own, 0);
    if (most <= 0)
        most = attribute(f, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
    if (most <= 0 || all <= (uint64_t) most)
        return false;
    runcu_fail_detail("%s: %u bytes of dynamic and %d of static shared memory are %llu over the "
                      "device's limit of %d a "
                      "block.",
                      f->signature, s->shared, own, (unsigned long long) (all - (uint64_t) most),
                      most);
    return true;
}

/* Records the driver's refusal in its words, and the reason, if the shape is one. */
static int fail_launch(const runcu_function *f, const struct shape *s, CUresult code)
{
    int status = core_check(f->driver, "cuLaunchKernel", code);
    if (code != CUDA_ERROR_INVALID_VALUE && code != CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)
        return status;
    if (explain_extents(f, s) || explain_threads(f, s) || explain_shared(f, s))
        return core_set_status(RUNCU_ERROR_LAUNCH_SHAPE);
    return status;
}

/* --- the call --- */

static CUresult call(const runcu_function *f, const struct shape *s, CUstream stream,
                     const struct args *a)
{
    void *pointers[MOST_POINTERS];
    size_t bytes = a->packed.bytes;
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, a->buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     CU_LAUNCH_PARAM_END};
    bool by_pointers = f->count >= 0 && f->count <= MOST_POINTERS;
    for (int i = 0; by_pointers && i < f->count; i++)
        pointers[i] = a->buffer + f->params[i].offset;
    return f->driver->cu.cuLaunchKernel(
        f->handle, s->grid.x, s->grid.y, s->grid.z, s->block.x, s->block.y, s->block.z, s->shared,
        stream, by_pointers ? pointers : NULL, by_pointers || !bytes ? NULL : extra);
}

/* Once more, in the kernel's own context, which was not the current one. A thread that had none
 * keeps a primary one. */
static NO_INLINE int call_again(const runcu_function *f, const struct shape *s, CUstream stream,
                                const struct args *a)
{
    struct core_scope scope;
    CUcontext now = NULL;
    const struct drv_table *cu = &f->driver->cu;
    if (cu->cuCtxGetCurrent(&now) == CUDA_SUCCESS && !now && f->context->kind == CORE_PRIMARY)
        cu->cuCtxSetCurrent(f->context->handle);
    int status = core_enter(&scope, f->context);
    if (status)
        return status;
    CUresult code = call(f, s, stream, a);
    if (code)
        status = fail_launch(f, s, code);
    core_leave(&scope);
    return status;
}

static int launch(const runcu_function *f, const struct shape *s, CUstream stream,
                  const struct args *a)
{
    int status = 0;
    CUresult code = call(f, s, stream, a);
    if (UNLIKELY(code)) {
        if (code == CUDA_ERROR_INVALID_CONTEXT || code == CUDA_ERROR_INVALID_HANDLE ||
            code == CUDA_ERROR_CONTEXT_IS_DESTROYED)
            status = call_again(f, s, stream, a);
        else
            status = fail_launch(f, s, code);
    }
    if (LIKELY(!status))
        core_mark_work(f->context);
    return status;
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
    if (!status && goes_out(arg))
        status = CU_CALL(f->driver, cuMemcpyHtoDAsync, t->address, arg->value.p, arg->size, stream);
    return status;
}

static int receive(const struct travel *list, size_t count, const runcu_function *f,
                   CUstream stream)
{
    bool has_any = false;
    int status = 0;
    for (size_t i = 0; i < count && !status; i++)
        if (comes_back(list[i].arg) && list[i].address) {
            status =
                CU_CALL(f->driver, cuMemcpyDtoHAsync, (void *) (uintptr_t) list[i].arg->value.p,
                        list[i].address, list[i].arg->size, stream);
            has_any = true;
        }
    if (has_any && !status) {
        status = CU_CALL(f->driver, cuStreamSynchronize, stream);
    }
    return status;
}

static int launch_there_and_back(const runcu_function *f, const struct shape *s, CUstream stream,
                                 const struct args *a, const struct core_args *given)
{
    struct core_scope scope;
    size_t n = 0;
    struct travel *list = alloc_zero(a->packed.host_count, sizeof *list);
    int status = list ? core_enter(&scope, f->context) : runcu_fail_memory();
    if (status) {
        alloc_free(list);
        return status;
    }
    for (size_t i = 0, offset = 0; i < given->count && !status; i++) {
        offset = f->count < 0 ? core_pack_offset(offset, &given->at[i]) : f->params[i].offset;
        if (given->at[i].kind >= RUNCU_ARG_HOST_IN) {
            status = send(&list[n], f, &given->at[i], stream);
            memcpy(a->buffer + offset, &list[n++].address, sizeof list->address);
        }
        offset += f->count < 0 ? core_pack_size(&given->at[i]) : 0;
    }
    if (!status)
        status = launch(f, s, stream, a);
    if (!status)
        status = receive(list, n, f, stream);
    while (n > 0) /* waits for the kernel, if need be */
        if (list[--n].address)
            core_cleanup(f->context, "cuMemFree", f->driver->cu.cuMemFree(list[n].address));
    core_leave(&scope);
    alloc_free(list);
    return status;
}

/* --- all together --- */

static int shape_up(struct shape *out, runcu_function *f, const runcu_launch_params *p)
{
    *out = (struct shape){
        {one_or(p->grid.x), one_or(p->grid.y), one_or(p->grid.z)},
        {one_or(p->block.x), one_or(p->block.y), one_or(p->block.z)},
        (unsigned) p->shared,
    };
    if (p->shared > INT32_MAX)
        return runcu_fail(RUNCU_ERROR_LAUNCH_SHAPE,
                          "%s: %zu bytes of shared memory are more than any device has",
                          f->signature, p->shared);
    int status = p->threads ? fit_threads(out, f, p) : 0;
    if (UNLIKELY(p->shared > atomic_load_explicit(&f->shared_limit, memory_order_relaxed)) &&
        !status)
        status = raise_shared(f, p->shared);
    return status;
}

int runcu_launch_args(runcu_function *function, const runcu_launch_params *params,
                      const runcu_arg *list, size_t count)
{
    uint64_t stack[CORE_PACK_STACK / sizeof(uint64_t)];
    runcu_launch_params whole;
    struct shape shape;
    struct args a = {.buffer = (char *) stack};
    if (UNLIKELY(!function || !params || (!list && count)))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "runcu_launch_args: %s is NULL",
                          !function ? "the function"
                          : !params ? "params"
                                    : "the list of arguments");
    if (UNLIKELY(params->size && params->size != sizeof *params)) {
        core_params(&whole, sizeof whole, params);
        params = &whole;
    }
    struct core_args args = {list, count, params->strict != 0};
    if (UNLIKELY(atomic_load_explicit(&function->context->is_dead, memory_order_relaxed)))
        return runcu_fail(RUNCU_ERROR_FREED, "%s: the kernel's context has been detached",
                          function->signature);
    if (UNLIKELY(function->bytes > sizeof stack)) {
        a.buffer = alloc_new(function->bytes);
        if (!a.buffer)
            return runcu_fail_memory();
    }
    int status = core_pack(&a.packed, a.buffer, sizeof stack, function, &args);
    if (!status)
        status = shape_up(&shape, function, params);
    if (LIKELY(!status))
        status =
            LIKELY(!a.packed.host_count)
                ? launch(function, &shape, core_stream(params->stream), &a)
                : launch_there_and_back(function, &shape, core_stream(params->stream), &a, &args);
    if (UNLIKELY(a.buffer != (char *) stack))
        alloc_free(a.buffer);
    return status;
}

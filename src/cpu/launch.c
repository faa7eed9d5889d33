/* Launches: checks, copies the arguments, queues. Who runs them: run.c. */
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum { MOST_PENDING = 1024 /* operations of a context, before a launch waits */ };
enum { STACK = 64 << 10 /* bytes a thread has without asking for more */ };

/* What a launch asks for beside its arguments. */
struct shape {
    unsigned grid[3], block[3], shared;
    bool cooperative, has_priority;
    int priority;
};

static CUresult check_shape(const struct cpu_function *f, const struct shape *s)
{
    static const unsigned grid_max[3] = {INT32_MAX, 65535, 65535}, block_max[3] = {1024, 1024, 64};
    for (int i = 0; i < 3; i++) {
        if (!s->grid[i] || s->grid[i] > grid_max[i])
            return cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                              "a grid has 1 to %u blocks in dimension %c, not %u", grid_max[i],
                              "xyz"[i], s -> grid[i]);
        if (!s->block[i] || s->block[i] > block_max[i])
            return cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                              "a block has 1 to %u threads in dimension %c, not %u", block_max[i],
                              "xyz"[i], s -> block[i]);
    }
    uint64_t threads = (uint64_t) s->block[0] * s->block[1] * s->block[2];
    if (threads > CPU_MAX_THREADS)
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "a block has at most %d threads, not %llu",
                          CPU_MAX_THREADS, (unsigned long long) threads);
    if (threads > (uint64_t) cpu_max_threads(f))
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                          "kernel '%s' is compiled for at most %d threads a block, not %llu",
                          f->info.func->name, cpu_max_threads(f), (unsigned long long) threads);
    if (s->shared > (unsigned) f->max_dynamic)
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                          "%u bytes of dynamic shared memory are too many: kernel '%s' may have %d "
                          "(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)",
                          s->shared, f->info.func->name, f->max_dynamic);
    return CUDA_SUCCESS;
}

/* All blocks must be resident at once, by the same count as on a GPU. */
static CUresult check_cooperative(const struct cpu_function *f, const struct shape *s)
{
    unsigned threads = s->block[0] * s->block[1] * s->block[2];
    uint64_t blocks = (uint64_t) s->grid[0] * s->grid[1] * s->grid[2];
    uint64_t most = (uint64_t) cpu_max_blocks(f, (int) threads, s->shared) * cpu.device.threads;
    if (!s->cooperative || blocks <= most)
        return CUDA_SUCCESS;
    return cpu_refuse(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
                      "a cooperative launch of kernel '%s' has at most %llu blocks of %u threads "
                      "(as many as %u multiprocessors hold at once), not %llu",
                      f->info.func->name, (unsigned long long) most, threads, cpu.device.threads,
                      (unsigned long long) blocks);
}

/* The {BUFFER_POINTER, p, BUFFER_SIZE, &n, END} form. */
static CUresult copy_buffer(unsigned char *to, size_t size, void **extra)
{
    const void *from = NULL;
    const size_t *bytes = NULL;
    for (size_t i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
        if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
            from = extra[i + 1];
        else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE)
            bytes = extra[i + 1];
        else
            return CUDA_ERROR_INVALID_VALUE;
    }
    if (!bytes || (*bytes && !from))
        return CUDA_ERROR_INVALID_VALUE;
    if (*bytes)
        memcpy(to, from, MIN(*bytes, size));
    return CUDA_SUCCESS;
}

static CUresult copy_params(unsigned char *to, const struct ptx_func *f, void **params,
                            void **extra)
{
    if (params && extra)
        return CUDA_ERROR_INVALID_VALUE;
    if (extra)
        return copy_buffer(to, f->param_size, extra);
    if (!params)
        return f->param_count ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    for (uint32_t i = 0; i < f->param_count; i++) {
        if (!params[i])
            return CUDA_ERROR_INVALID_VALUE;
        memcpy(to + f->params[i]->offset, params[i], f->params[i]->size);
    }
    return CUDA_SUCCESS;
}

static bool has_room(void *arg)
{
    const struct cpu_context *c = arg;
    return c->pending < MOST_PENDING;
}

/* As on a GPU, where a queue has its end as well. */
CUresult cpu_wait_for_room(struct cpu_context *c)
{
    return c->pending < MOST_PENDING ? CUDA_SUCCESS : cpu_wait(c, NULL, has_room, c);
}

static void fill_in(struct cpu_op *op, const struct cpu_function *f, const struct shape *s)
{
    const struct cpu_context *c = f->module->context;
    struct simt_launch *l = &op->u.k.launch;
    size_t stack = c->limits[CU_LIMIT_STACK_SIZE];
    op->u.k.function = f->handle;
    l->kernel = f->kernel;
    memcpy(l->grid, s->grid, sizeof l->grid);
    memcpy(l->block, s->block, sizeof l->block);
    l->dynamic_shared = s->shared;
    l->cooperative = s->cooperative;
    l->params = op->params;
    l->param_size = f->info.func->param_size;
    l->stack_size = stack > STACK ? stack : STACK;
    l->malloc_heap = c->limits[CU_LIMIT_MALLOC_HEAP_SIZE];
    l->grid_id = cpu.serials + 1;
    l->hooks.print = cpu_print;
    l->nested.max_shared = CPU_SHARED;
    l->nested.max_pending = (uint32_t) c->limits[CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT];
}

static CUresult create(struct cpu_op **out, const struct cpu_function *f, const struct shape *shape,
                       void **const arguments[2])
{
    CUresult code = check_shape(f, shape);
    if (!code)
        code = check_cooperative(f, shape);
    if (code)
        return code;
    struct cpu_op *op = cpu_op_create(CPU_LAUNCH, f->info.func->param_size);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if ((code = copy_params(op->params, f->info.func, arguments[0], arguments[1]))) {
        alloc_free(op);
        return code;
    }
    fill_in(op, f, shape);
    op->has_priority = shape->has_priority;
    op->priority = (int8_t) shape->priority;
    *out = op;
    return CUDA_SUCCESS;
}

CUresult cpu_launch_create(struct cpu_op **out, struct cpu_context *c,
                           const CUDA_KERNEL_NODE_PARAMS *p)
{
    const struct cpu_function *f = cpu_handle_get(CPU_FUNCTION, p->func);
    struct shape shape = {.grid = {p->gridDimX, p->gridDimY, p->gridDimZ},
                          .block = {p->blockDimX, p->blockDimY, p->blockDimZ},
                          .shared = p->sharedMemBytes};
    if (!f || (c && f->module->context != c))
        return CUDA_ERROR_INVALID_VALUE;
    return create(out, f, &shape, (void **const[2]){p->kernelParams, p->extra});
}

/* The lock is held. */
static CUresult launch(struct cpu_context *c, CUfunction function, CUstream stream,
                       const struct shape *shape, void **const arguments[2])
{
    struct cpu_stream *s = NULL;
    struct cpu_op *op = NULL;
    CUresult code = cpu_wait_for_room(c);
    if (code)
        return code;
    const struct cpu_function *f = cpu_handle_get(CPU_FUNCTION, function);
    if (!f || f->module->context != c)
        return CUDA_ERROR_INVALID_HANDLE;
    if ((code = cpu_stream_get(&s, c, stream)))
        return code;
    if (s->context != c)
        return CUDA_ERROR_INVALID_HANDLE;
    if (cpu_workers_need() != 0)
        return CUDA_ERROR_OUT_OF_MEMORY;
    code = create(&op, f, shape, arguments);
    return code ? code : cpu_enqueue(s, op);
}

static CUresult launch_shape(CUfunction function, CUstream stream, const struct shape *shape,
                             void **const arguments[2])
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    return cpu_leave(launch(c, function, stream, shape, arguments));
}

CUresult cpu_cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                            CUstream stream, void **params, void **extra)
{
    struct shape shape = {
        .grid = {grid_x, grid_y, grid_z}, .block = {block_x, block_y, block_z}, .shared = shared};
    return launch_shape(function, stream, &shape, (void **const[2]){params, extra});
}

CUresult cpu_cuLaunchCooperativeKernel(CUfunction function, unsigned grid_x, unsigned grid_y,
                                       unsigned grid_z, unsigned block_x, unsigned block_y,
                                       unsigned block_z, unsigned shared, CUstream stream,
                                       void **params)
{
    struct shape shape = {.grid = {grid_x, grid_y, grid_z},
                          .block = {block_x, block_y, block_z},
                          .shared = shared,
                          .cooperative = true};
    return launch_shape(function, stream, &shape, (void **const[2]){params, NULL});
}

/* Clusters came with compute capability 9.0; one block a cluster is what every device does. */
static CUresult check_cluster(const CUlaunchAttribute *a)
{
    unsigned x = a->value.clusterDim.x, y = a->value.clusterDim.y, z = a->value.clusterDim.z;
    if (!x || !y || !z)
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "a cluster of %u x %u x %u blocks has no block",
                          x, y, z);
    if (x == 1 && y == 1 && z == 1)
        return CUDA_SUCCESS;
    return cpu_refuse(CUDA_ERROR_NOT_SUPPORTED,
                      "clusters of blocks need compute capability 9.0; this device has %d.%d",
                      cpu.device.major, cpu.device.minor);
}

static CUresult set_attribute(struct shape *out, const CUlaunchAttribute *a)
{
    switch (a->id) {
    case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
        out->cooperative = a->value.cooperative != 0;
        return CUDA_SUCCESS;
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
        return check_cluster(a);
    case CU_LAUNCH_ATTRIBUTE_PRIORITY: /* out of range: the nearest, as for streams */
        out->has_priority = true;
        out->priority = MAX(CPU_PRIORITY, MIN(a->value.priority, 0));
        return CUDA_SUCCESS;
    /* Hints. A stream's launches never overlap here, which programmatic launches allow. */
    case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
    case CU_LAUNCH_ATTRIBUTE_IGNORE:
    case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
    case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
    case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
    case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
        return CUDA_SUCCESS;
    default:
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "the launch attribute %d is not known", a->id);
    }
}

CUresult cpu_cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **params,
                              void **extra)
{
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!config || (config->numAttrs && !config->attrs))
        return CUDA_ERROR_INVALID_VALUE;
    struct shape shape = {
        .grid = {config->gridDimX, config->gridDimY, config->gridDimZ},
        .block = {config->blockDimX, config->blockDimY, config->blockDimZ},
        .shared = config->sharedMemBytes,
    };
    for (unsigned i = 0; i < config->numAttrs; i++) {
        CUresult code = set_attribute(&shape, &config->attrs[i]);
        if (code)
            return code;
    }
    return launch_shape(function, config->hStream, &shape, (void **const[2]){params, extra});
}

CUresult cpu_cuLaunchHostFunc(CUstream stream, CUhostFn function, void *user)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!function)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    struct cpu_op *op = cpu_workers_need() == 0 ? cpu_op_create(CPU_CALL, 0) : NULL;
    if (!op)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    op->u.call.function = function;
    op->u.call.user = user;
    return cpu_leave(cpu_enqueue(s, op));
}

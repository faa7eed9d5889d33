/* What kernels say of themselves, and how many of their blocks fit a multiprocessor. */
#include "cpu/cpu.h"

enum { MIN_REGISTERS = 8, MAX_REGISTERS = 255, ALL_REGISTERS = 65536, WARP = 32 };

/* Of a context that is good. */
static CUresult enter_function(struct cpu_function **out, CUfunction function)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_handle_get(CPU_FUNCTION, function);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_HANDLE);
}

/* Threads a block may have: the device's limit, or what .maxntid or .reqntid say. */
int cpu_max_threads(const struct cpu_function *f)
{
    const uint32_t *n = f->info.func->reqntid[0] ? f->info.func->reqntid : f->info.func->maxntid;
    if (!n[0])
        return CPU_MAX_THREADS;
    uint64_t product = (uint64_t) n[0] * MAX(n[1], 1) * MAX(n[2], 1);
    return (int) MIN(product, CPU_MAX_THREADS);
}

static int registers(const struct cpu_function *f)
{
    uint32_t n = (f->info.slots_bytes + 3) / 4;
    return (int) MAX(MIN_REGISTERS, MIN(n, MAX_REGISTERS));
}

static CUresult attribute(int *out, int which, const struct cpu_function *f)
{
    const struct cpu_device *d = &cpu.device;
    switch (which) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *out = cpu_max_threads(f);
        break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
        *out = (int) f->info.static_shared;
        break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
        *out = (int) f->info.const_bytes;
        break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
        *out = (int) f->info.local_bytes;
        break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
        *out = registers(f);
        break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
        *out = (int) simt_module_ptx(f->module->simt)->sm;
        break;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
        *out = 10 * d->major + d->minor;
        break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        *out = f->max_dynamic;
        break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
        *out = -1;
        break;
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
    case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
        *out = 0;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult cpu_cuFuncGetAttribute(int *value, int which, CUfunction function)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    return cpu_leave(value ? attribute(value, which, f) : CUDA_ERROR_INVALID_VALUE);
}

CUresult cpu_cuFuncSetAttribute(CUfunction function, int which, int value)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    if (which == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT)
        return cpu_leave(value >= -1 && value <= 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
    if (which != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
        value > cpu.device.shared_optin - (int) f->info.static_shared)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    f->max_dynamic = value;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuFuncSetCacheConfig(CUfunction function, int config)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    return cpu_leave(config >= 0 && config <= 3 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

/* Banks have one width since compute capability 5.0; a choice is taken and changes nothing. */
CUresult cpu_cuFuncSetSharedMemConfig(CUfunction function, int config)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    return cpu_leave(config >= 0 && config <= 2 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

CUresult cpu_cuFuncGetModule(CUmodule *module, CUfunction function)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    if (!module)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *module = f->module->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuFuncGetName(const char **name, CUfunction function)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    if (!name)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *name = f->info.func->name;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *size)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    if (!offset || index >= f->info.func->param_count)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *offset = f->info.func->params[index]->offset;
    if (size)
        *size = f->info.func->params[index]->size;
    return cpu_leave(CUDA_SUCCESS);
}

/* What occupancy follows from. */
struct needs {
    int max_threads, registers, max_dynamic, static_shared;
};

static struct needs needs_of(const struct cpu_function *f)
{
    return (struct needs){cpu_max_threads(f), registers(f), f->max_dynamic,
                          (int) f->info.static_shared};
}

/* Registers are given to warps, 256 at a time, and a multiprocessor has them in four parts. */
static int blocks_by_registers(int of_thread, int threads)
{
    enum { STEP = 256, PARTS = 4 };
    int warps = threads / WARP, of_warp = (int) ALIGN_UP((size_t) of_thread * WARP, STEP);
    if (of_warp * (int) ALIGN_UP((size_t) warps, PARTS) > ALL_REGISTERS)
        return 0;
    return ALL_REGISTERS / PARTS / of_warp * PARTS / warps;
}

/* Shared memory is given to blocks by steps; some of each block's is the system's. */
static int blocks_by_shared(const struct cpu_device *d, size_t bytes)
{
    size_t reserved = d->major >= 8 ? 1024 : 0, step = d->major >= 8 ? 128 : 256;
    bytes = ALIGN_UP(bytes + reserved, step);
    return bytes ? (int) MIN((size_t) d->shared_sm / bytes, (size_t) d->blocks_sm) : d->blocks_sm;
}

static int blocks_of(const struct needs *f, int block_size, size_t shared)
{
    const struct cpu_device *d = &cpu.device;
    int threads = (int) ALIGN_UP((size_t) block_size, WARP), n = d->blocks_sm;
    size_t bytes = (size_t) f->static_shared + shared;
    if (block_size > f->max_threads || shared > (size_t) f->max_dynamic)
        return 0;
    n = MIN(n, d->threads_sm / threads);
    n = MIN(n, blocks_by_registers(f->registers, threads));
    return MIN(n, blocks_by_shared(d, bytes));
}

int cpu_max_blocks(const struct cpu_function *f, int block_size, size_t shared)
{
    struct needs needs = needs_of(f);
    return blocks_of(&needs, block_size, shared);
}

static CUresult get_needs(struct needs *out, CUfunction function)
{
    struct cpu_function *f = NULL;
    CUresult code = enter_function(&f, function);
    if (code)
        return code;
    *out = needs_of(f);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function,
                                                         int block_size, size_t shared)
{
    struct needs needs;
    CUresult code = get_needs(&needs, function);
    if (!code && (!blocks || block_size <= 0))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *blocks = blocks_of(&needs, block_size, shared);
    return code;
}

/* The largest block of those that fill a multiprocessor best. No lock is held: `shared_of` is the
 * program's. */
CUresult cpu_cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction function,
                                              CUoccupancyB2DSize shared_of, size_t shared,
                                              int limit)
{
    struct needs needs;
    int most = 0;
    CUresult code = get_needs(&needs, function);
    if (code)
        return code;
    if (!grid || !block || limit < 0)
        return CUDA_ERROR_INVALID_VALUE;
    *grid = *block = 0;
    limit = limit ? MIN(limit, needs.max_threads) : needs.max_threads;
    for (int size = (int) ALIGN_UP((size_t) limit, WARP); size > 0; size -= WARP) {
        int threads = MIN(size, limit);
        int blocks = blocks_of(&needs, threads, shared_of ? shared_of(threads) : shared);
        if (blocks * threads > most) {
            most = blocks * threads;
            *block = threads;
            *grid = blocks * (int) cpu.device.threads;
        }
    }
    return CUDA_SUCCESS;
}

CUresult cpu_cuOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, CUfunction function, int blocks,
                                                     int block_size)
{
    enum { UNIT = 256 /* shared memory is given out in pieces of it */ };
    struct needs needs;
    CUresult code = get_needs(&needs, function);
    if (code)
        return code;
    if (!bytes || blocks <= 0 || block_size <= 0)
        return CUDA_ERROR_INVALID_VALUE;
    int each = cpu.device.shared_sm / blocks / UNIT * UNIT - needs.static_shared;
    *bytes = (size_t) MAX(0, MIN(each, needs.max_dynamic));
    if (blocks_of(&needs, block_size, 0) < blocks)
        *bytes = 0;
    return CUDA_SUCCESS;
}

static CUresult no_clusters(int *out, CUfunction function, const CUlaunchConfig *config)
{
    struct needs needs;
    CUresult code = get_needs(&needs, function);
    if (code)
        return code;
    if (!out || !config)
        return CUDA_ERROR_INVALID_VALUE;
    return cpu_refuse(CUDA_ERROR_NOT_SUPPORTED,
                      "clusters of blocks need compute capability 9.0; this device has %d.%d",
                      cpu.device.major, cpu.device.minor);
}

CUresult cpu_cuOccupancyMaxPotentialClusterSize(int *blocks, CUfunction function,
                                                const CUlaunchConfig *config)
{
    return no_clusters(blocks, function, config);
}

CUresult cpu_cuOccupancyMaxActiveClusters(int *clusters, CUfunction function,
                                          const CUlaunchConfig *config)
{
    return no_clusters(clusters, function, config);
}

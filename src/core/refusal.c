/* What a refused launch did wrong: which limit it broke, and by how much. Only asked after the
 * driver has refused. */
#include "launch.h"

/* What the explanations have to know. */
struct question {
    const struct core_launch *launch;
    const runcu_function *f;
    uint64_t threads, blocks; /* a block, in all */
    int registers;            /* a thread */
};

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

/* Names the first extent that is beyond its limit; false if none is. The others likewise. */
static bool explain_extents(const struct question *q)
{
    const struct core_launch *l = q->launch;
    const struct {
        const char *what;
        unsigned value;
        int id;
    } limits[] = {
        {"grid x", l->grid.x, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X},
        {"grid y", l->grid.y, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y},
        {"grid z", l->grid.z, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z},
        {"block x", l->block.x, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X},
        {"block y", l->block.y, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y},
        {"block z", l->block.z, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        int most = attribute(q->f, limits[i].id);
        if (most > 0 && limits[i].value > (unsigned) most) {
            runcu_fail_detail("%s: %s is %u, %u over the device's limit of %d.", q->f->signature,
                              limits[i].what, limits[i].value, limits[i].value - (unsigned) most,
                              most);
            return true;
        }
    }
    return false;
}

static bool explain_threads(const struct question *q)
{
    const runcu_dim3 *b = &q->launch->block;
    unsigned long long threads = q->threads;
    int most = attribute(q->f, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    int own = function_attribute(q->f, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    int all = attribute(q->f, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
    if (most > 0 && threads > (unsigned) most) {
        runcu_fail_detail(
            "%s: a block of %u x %u x %u has %llu threads, %llu over the device's limit of %d.",
            q->f->signature, b->x, b->y, b->z, threads, threads - (unsigned) most, most);
        return true;
    }
    if (own > 0 && threads > (unsigned) own) {
        runcu_fail_detail("%s: a block of %u x %u x %u has %llu threads, %llu over this kernel's "
                          "limit of %d (it takes %d registers a thread, %llu of the %d that a "
                          "block has in all).",
                          q->f->signature, b->x, b->y, b->z, threads, threads - (unsigned) own, own,
                          q->registers, threads * (unsigned) MAX(q->registers, 0), all);
        return true;
    }
    return false;
}

static bool explain_shared(const struct question *q)
{
    const struct core_launch *l = q->launch;
    int own = function_attribute(q->f, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
    int most = attribute(q->f, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    unsigned long long all = (unsigned long long) l->shared + (unsigned) MAX(own, 0);
    if (most <= 0)
        most = attribute(q->f, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
    if (most <= 0 || all <= (unsigned) most)
        return false;
    runcu_fail_detail("%s: %u bytes of dynamic and %d of static shared memory are %llu over the "
                      "device's limit of %d a block.",
                      q->f->signature, l->shared, own, all - (unsigned) most, most);
    return true;
}

static bool explain_cooperative(const struct question *q)
{
    const struct core_launch *l = q->launch;
    int each = 0, count = attribute(q->f, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    if (!l->params || !(l->params->attributes & RUNCU_LAUNCH_COOPERATIVE))
        return false;
    if (!attribute(q->f, CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH)) {
        runcu_fail_detail("%s: the device %s has no cooperative launches.", q->f->signature,
                          q->f->context->device->name);
        return true;
    }
    if (q->f->driver->cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&each, q->f->handle,
                                                                     (int) q->threads, l->shared))
        return false;
    uint64_t most = (uint64_t) MAX(each, 0) * (uint64_t) MAX(count, 0);
    if (q->blocks <= most)
        return false;
    runcu_fail_detail("%s: a cooperative launch of %llu blocks is %llu over the limit of %llu: the "
                      "device has %d multiprocessors, and one holds %d blocks of %llu threads with "
                      "%d registers each and %u bytes of dynamic shared memory.",
                      q->f->signature, (unsigned long long) q->blocks,
                      (unsigned long long) (q->blocks - most), (unsigned long long) most, count,
                      each, (unsigned long long) q->threads, q->registers, l->shared);
    return true;
}

static bool explain_divisors(const struct question *q, const runcu_dim3 *cluster)
{
    const runcu_dim3 *grid = &q->launch->grid;
    unsigned x = MAX(cluster->x, 1), y = MAX(cluster->y, 1), z = MAX(cluster->z, 1);
    if (grid->x % x == 0 && grid->y % y == 0 && grid->z % z == 0)
        return false;
    runcu_fail_detail("%s: a grid of %u x %u x %u blocks does not consist of whole clusters of "
                      "%u x %u x %u.",
                      q->f->signature, grid->x, grid->y, grid->z, x, y, z);
    return true;
}

/* A cluster that the kernel was compiled for is asked for by none of the launch's attributes. */
static bool explain_cluster(const struct question *q)
{
    const struct core_launch *l = q->launch;
    CUlaunchAttribute attributes[CORE_ATTRIBUTES];
    int most = 0;
    if (!l->params || !(l->params->attributes & RUNCU_LAUNCH_CLUSTER))
        return false;
    const runcu_dim3 *c = &l->params->cluster;
    uint64_t size = (uint64_t) MAX(c->x, 1) * MAX(c->y, 1) * MAX(c->z, 1);
    if (!attribute(q->f, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH) && size > 1) {
        runcu_fail_detail("%s: clusters of blocks need compute capability 9.0, and the device %s "
                          "has %d.%d.",
                          q->f->signature, q->f->context->device->name,
                          attribute(q->f, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                          attribute(q->f, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
        return true;
    }
    if (explain_divisors(q, c))
        return true;
    runcu_launch_params without = *l->params;
    struct core_launch plain = *l;
    without.attributes &= ~(unsigned) RUNCU_LAUNCH_CLUSTER;
    plain.params = &without;
    CUlaunchConfig config = core_launch_config(&plain, attributes);
    if (q->f->driver->cu.cuOccupancyMaxPotentialClusterSize(&most, q->f->handle, &config) ||
        most < 1 || size <= (unsigned) most)
        return false;
    runcu_fail_detail("%s: a cluster of %llu blocks is %llu over the limit of %d (more than 8 need "
                      "the attribute NON_PORTABLE_CLUSTER_SIZE_ALLOWED of the kernel).",
                      q->f->signature, (unsigned long long) size,
                      (unsigned long long) size - (unsigned) most, most);
    return true;
}

static bool is_about_shape(CUresult code)
{
    return code == CUDA_ERROR_INVALID_VALUE || code == CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES ||
           code == CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE || code == CUDA_ERROR_NOT_SUPPORTED ||
           code == CUDA_ERROR_INVALID_CLUSTER_SIZE;
}

int core_launch_refused(const struct core_launch *l, const char *routine, CUresult code)
{
    const runcu_function *f = l->function;
    int status = core_check(f->driver, routine, code);
    if (!is_about_shape(code))
        return status;
    struct question q = {
        .launch = l,
        .f = f,
        .threads = (uint64_t) l->block.x * l->block.y * l->block.z,
        .blocks = (uint64_t) l->grid.x * l->grid.y * l->grid.z,
        .registers = function_attribute(f, CU_FUNC_ATTRIBUTE_NUM_REGS),
    };
    core_fail_better();
    if (explain_extents(&q) || explain_threads(&q) || explain_shared(&q) || explain_cluster(&q) ||
        explain_cooperative(&q))
        return core_set_status(RUNCU_ERROR_LAUNCH_SHAPE);
    return status;
}

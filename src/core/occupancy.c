/* How many blocks of a kernel a device holds, and which block size is best. */
#include "launch.h"

/* The program's function and the value for it, while this thread is in suggest_block: the driver
 * passes none on. */
static _Thread_local const runcu_suggest_params *asking;

static size_t ask(int block_size)
{
    return asking->shared_of(asking->user, block_size);
}

int runcu_function_max_active_blocks(int *out, runcu_function *function, int block_size,
                                     size_t shared)
{
    CORE_NEED(out);
    CORE_NEED(function);
    struct core_scope scope;
    *out = 0;
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuOccupancyMaxActiveBlocksPerMultiprocessor, out,
                     function->handle, block_size, shared);
    core_leave(&scope);
    return status;
}

int runcu_function_suggest_block(int *block_size, int *blocks, runcu_function *function,
                                 const runcu_suggest_params *params)
{
    CORE_NEED(block_size);
    CORE_NEED(function);
    struct core_scope scope;
    runcu_suggest_params p;
    int grid = 0;
    core_params(&p, sizeof p, params);
    *block_size = 0;
    if (blocks)
        *blocks = 0;
    if (p.limit < 0)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s: the limit of the block size is %d",
                          function->signature, p.limit);
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    const runcu_suggest_params *outer = asking;
    asking = &p;
    status = CU_CALL(function->driver, cuOccupancyMaxPotentialBlockSize, &grid, block_size,
                     function->handle, p.shared_of ? ask : NULL, p.shared, p.limit);
    asking = outer;
    core_leave(&scope);
    if (blocks)
        *blocks = grid;
    return status;
}

int runcu_function_available_shared(size_t *out, runcu_function *function, int blocks,
                                    int block_size)
{
    CORE_NEED(out);
    CORE_NEED(function);
    struct core_scope scope;
    *out = 0;
    if (blocks < 1 || block_size < 1) /* which some drivers do not survive */
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s: %d blocks of %d threads are none",
                          function->signature, blocks, block_size);
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuOccupancyAvailableDynamicSMemPerBlock, out,
                     function->handle, blocks, block_size);
    core_leave(&scope);
    return status;
}

/* The configuration of a launch that is only asked about. */
static int configure(CUlaunchConfig *out, CUlaunchAttribute *attributes, runcu_launch_params *whole,
                     runcu_function *function, const runcu_launch_params *params)
{
    struct core_launch l = {.function = function};
    core_params(whole, sizeof *whole, params);
    int status = core_launch_shape(&l, whole);
    if (!status)
        *out = core_launch_config(&l, attributes);
    return status;
}

int runcu_function_max_active_clusters(int *out, runcu_function *function,
                                       const runcu_launch_params *params)
{
    CORE_NEED(out);
    CORE_NEED(function);
    CUlaunchAttribute attributes[CORE_ATTRIBUTES];
    runcu_launch_params whole;
    CUlaunchConfig config;
    struct core_scope scope;
    *out = 0;
    int status = configure(&config, attributes, &whole, function, params);
    status = status ? status : core_enter(&scope, function->context);
    if (status)
        return status;
    status =
        CU_CALL(function->driver, cuOccupancyMaxActiveClusters, out, function->handle, &config);
    core_leave(&scope);
    return status;
}

int runcu_function_max_cluster_size(int *out, runcu_function *function,
                                    const runcu_launch_params *params)
{
    CORE_NEED(out);
    CORE_NEED(function);
    CUlaunchAttribute attributes[CORE_ATTRIBUTES];
    runcu_launch_params whole;
    CUlaunchConfig config;
    struct core_scope scope;
    *out = 0;
    int status = configure(&config, attributes, &whole, function, params);
    status = status ? status : core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuOccupancyMaxPotentialClusterSize, out, function->handle,
                     &config);
    core_leave(&scope);
    return status;
}

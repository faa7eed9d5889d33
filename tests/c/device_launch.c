/* Launches with attributes, cooperative ones, occupancy. */
#include "device.h"

static int attribute(int id)
{
    int value;
    OK(cu.cuDeviceGetAttribute(&value, id, 0));
    return value;
}

static CUlaunchConfig shape(unsigned grid, unsigned block, CUlaunchAttribute *attrs, unsigned count)
{
    return (CUlaunchConfig){.gridDimX = grid,
                            .gridDimY = 1,
                            .gridDimZ = 1,
                            .blockDimX = block,
                            .blockDimY = 1,
                            .blockDimZ = 1,
                            .attrs = attrs,
                            .numAttrs = count};
}

static CUlaunchAttribute of_id(int id, int value)
{
    return (CUlaunchAttribute){.id = id, .value.cooperative = value};
}

static CUresult launch_ex(CUfunction f, const CUlaunchConfig *config, const uint64_t *args)
{
    uint64_t copy[3];
    memcpy(copy, args, sizeof copy);
    void *params[] = {&copy[0], &copy[1], &copy[2]};
    return cu.cuLaunchKernelEx(config, f, params, NULL);
}

void launches_with_attributes(void)
{
    begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(64, 0);
    CUlaunchAttribute attrs[] = {
        of_id(CU_LAUNCH_ATTRIBUTE_IGNORE, 0),
        of_id(CU_LAUNCH_ATTRIBUTE_PRIORITY, -1),
        of_id(CU_LAUNCH_ATTRIBUTE_COOPERATIVE, 1),
    };
    CUlaunchConfig config = shape(2, 32, NULL, 0);
    OK(launch_ex(f, &config, ARGS(p, 1, 64)));
    for (unsigned count = 1; count <= ARRAY_LEN(attrs); count++) {
        config = shape(2, 32, attrs, count);
        OK(launch_ex(f, &config, ARGS(p, 1, 64)));
    }
    for (int percent = 0; percent <= 100; percent += 50) {
        attrs[0] = of_id(CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, percent);
        config = shape(2, 32, attrs, 1);
        OK(launch_ex(f, &config, ARGS(p, 1, 64)));
    }
    if (attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) >= 9 || cu.runcuFaultText) {
        attrs[0] = of_id(CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, 1);
        OK(launch_ex(f, &config, ARGS(p, 1, 64)));
    } else {
        OK(launch(f, 2, 32, NULL, ARGS(p, 1, 64)));
    }
    REQUIRE_INT(word(p), ==, 8);
    REQUIRE_INT(word(p + 4 * 63), ==, 8);
    attrs[0] = of_id(9999, 0);
    config = shape(2, 32, attrs, 1);
    FAILS(launch_ex(f, &config, ARGS(p, 1, 64)), CUDA_ERROR_INVALID_VALUE);
    config = shape(2, 2048, NULL, 0);
    FAILS(launch_ex(f, &config, ARGS(p, 1, 64)), CUDA_ERROR_INVALID_VALUE);
    FAILS(launch_ex(f, NULL, ARGS(p, 1, 64)), CUDA_ERROR_INVALID_VALUE);
    REQUIRE_INT(word(p), ==, 8);
}

/* As many blocks as the device holds at once. */
static unsigned most_blocks(CUfunction f, int block)
{
    int each;
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&each, f, block, 0));
    return (unsigned) (each * attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
}

void cooperative_blocks_wait_for_each_other(void)
{
    begin();
    REQUIRE_INT(attribute(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH), ==, 1);
    CUfunction f = kernel("meet");
    unsigned blocks = most_blocks(f, 1);
    CUlaunchAttribute cooperative = of_id(CU_LAUNCH_ATTRIBUTE_COOPERATIVE, 1);
    CUlaunchConfig config = shape(blocks, 1, &cooperative, 1);
    CUdeviceptr p = words(1 + blocks, 0);
    OK(launch_ex(f, &config, ARGS(p)));
    REQUIRE_INT(word(p), ==, blocks);
    for (unsigned i = 1; i <= blocks; i++)
        REQUIRE_INT(word(p + 4 * i), ==, blocks);
    OK(cu.cuMemsetD32(p, 0, 1));
    uint64_t address = p, none = 0;
    void *params[] = {&address, &none, &none};
    OK(cu.cuLaunchCooperativeKernel(f, blocks, 1, 1, 1, 1, 1, 0, NULL, params));
    REQUIRE_INT(word(p), ==, blocks);
}

void cooperative_launches_are_limited(void)
{
    begin();
    CUfunction f = kernel("meet");
    CUlaunchAttribute cooperative = of_id(CU_LAUNCH_ATTRIBUTE_COOPERATIVE, 1);
    for (int block = 1; block <= 1024; block *= 32) {
        unsigned blocks = most_blocks(f, block) + 1;
        CUlaunchConfig config = shape(blocks, (unsigned) block, &cooperative, 1);
        CUdeviceptr p = words(1 + blocks, 0);
        FAILS(launch_ex(f, &config, ARGS(p)), CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
        OK(cu.cuCtxSynchronize());
        REQUIRE_INT(word(p), ==, 0);
    }
}

void clusters_need_the_capability(void)
{
    int clusters = 0, most = 0;
    begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(4, 0);
    CUlaunchAttribute cluster = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                 .value.clusterDim = {1, 1, 1}};
    CUlaunchConfig config = shape(4, 1, &cluster, 1);
    OK(launch_ex(f, &config, ARGS(p, 1, 4)));
    REQUIRE_INT(word(p + 12), ==, 1);
    cluster.value.clusterDim.x = 2;
    if (attribute(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH)) {
        OK(launch_ex(f, &config, ARGS(p, 1, 4)));
        REQUIRE_INT(word(p + 12), ==, 2);
        OK(cu.cuOccupancyMaxActiveClusters(&clusters, f, &config));
        REQUIRE_INT(clusters, >, 0);
        OK(cu.cuOccupancyMaxPotentialClusterSize(&most, f, &config));
        REQUIRE_INT(most, >=, 8);
    } else {
        REQUIRE(launch_ex(f, &config, ARGS(p, 1, 4)) != CUDA_SUCCESS);
        REQUIRE(cu.cuOccupancyMaxActiveClusters(&clusters, f, &config) != CUDA_SUCCESS);
        REQUIRE(cu.cuOccupancyMaxPotentialClusterSize(&most, f, &config) != CUDA_SUCCESS);
    }
    cluster.value.clusterDim.x = 0;
    REQUIRE(launch_ex(f, &config, ARGS(p, 1, 4)) != CUDA_SUCCESS);
}

static size_t four_bytes_a_thread(int block)
{
    return 4 * (size_t) block;
}

void block_size_of_best_occupancy(void)
{
    int grid = 0, block = 0, again = 0, each;
    begin();
    CUfunction f = kernel("reverse");
    OK(cu.cuOccupancyMaxPotentialBlockSize(&grid, &block, f, NULL, 0, 0));
    REQUIRE_INT(block, >, 0);
    REQUIRE_INT(block, <=, 1024);
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&each, f, block, 0));
    REQUIRE_INT(grid, ==, each * attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
    OK(cu.cuOccupancyMaxPotentialBlockSize(&grid, &again, f, NULL, 0, 96));
    REQUIRE_INT(again, <=, 96);
    OK(cu.cuOccupancyMaxPotentialBlockSize(&grid, &again, f, four_bytes_a_thread, 0, 0));
    REQUIRE_INT(again, >, 0);
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&each, f, again, four_bytes_a_thread(again)));
    REQUIRE_INT(grid, ==, each * attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
    OK(cu.cuOccupancyMaxPotentialBlockSize(&grid, &again, kernel("bounded"), NULL, 0, 0));
    REQUIRE_INT(again, ==, 64);
    FAILS(cu.cuOccupancyMaxPotentialBlockSize(NULL, &again, f, NULL, 0, 0),
          CUDA_ERROR_INVALID_VALUE);
}

void shared_memory_that_is_left(void)
{
    size_t bytes = 0, fewer = 0;
    int each;
    begin();
    CUfunction f = kernel("reverse");
    OK(cu.cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, 1, 128));
    REQUIRE_INT(bytes, >=, 47 << 10);
    OK(cu.cuOccupancyAvailableDynamicSMemPerBlock(&fewer, f, 4, 128));
    REQUIRE_INT(fewer, >, 0);
    REQUIRE_INT(fewer, <=, bytes);
    OK(cu.cuOccupancyMaxActiveBlocksPerMultiprocessor(&each, f, 128, fewer));
    REQUIRE_INT(each, >=, 4);
    FAILS(cu.cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, 0, 128), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuOccupancyAvailableDynamicSMemPerBlock(&bytes, f, 1, 0), CUDA_ERROR_INVALID_VALUE);
}

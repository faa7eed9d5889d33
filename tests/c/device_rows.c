/* Which rows of the driver's table the suite has called with success: a shim around each. */
#include "device.h"

#include <sys/mman.h>

enum row {
#define CU(need, name, symbol, params, args) ROW_##name,
#include "driver/cuda.def"
#undef CU
    ROWS
};

/* Two GPUs are needed for these, or a newer one: there it is enough that they answer. */
static bool may_refuse(enum row row)
{
    return row == ROW_cuCtxEnablePeerAccess || row == ROW_cuCtxDisablePeerAccess ||
           row == ROW_cuOccupancyMaxActiveClusters || row == ROW_cuOccupancyMaxPotentialClusterSize;
}

/* For all processes of the suite: every case has one of its own. */
static volatile bool *seen;
static struct drv_table real;

static CUresult note(enum row row, CUresult code)
{
    if (code == CUDA_SUCCESS || may_refuse(row))
        seen[row] = true;
    return code;
}

#define CU(need, name, symbol, params, args)     \
    static CUresult shim_##name params           \
    {                                            \
        return note(ROW_##name, real.name args); \
    }
#include "driver/cuda.def"
#undef CU

void rows_begin(void)
{
    seen = mmap(NULL, ROWS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(seen != MAP_FAILED);
}

void rows_watch(struct drv_table *table, bool cpu_only)
{
    real = *table;
#define CU(need, name, symbol, params, args)                         \
    if (real.name && (!cpu_only || strncmp(#name, "runcu", 5) == 0)) \
        table->name = shim_##name;
#include "driver/cuda.def"
#undef CU
}

int rows_end(const struct drv_table *table)
{
    int missing = 0;
#define CU(need, name, symbol, params, args)                   \
    if (table->name && !seen[ROW_##name]) {                    \
        printf("no case has called " #name " with success\n"); \
        missing++;                                             \
    }
#include "driver/cuda.def"
#undef CU
    return missing;
}

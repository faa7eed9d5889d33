/* The CPU device's table: every row of cuda.def. */
#include "cpu/cpu.h"

const struct drv_table cpu_table = {
#define CU(need, name, symbol, params, args) .name = cpu_##name,
#include "driver/cuda.def"
#undef CU
};

/* The CPU device where it is not built in: a table without functions. */
#include "driver/driver.h"

const struct drv_table cpu_table = {0};

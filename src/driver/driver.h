/* The door of the layer: a driver is a table of function pointers. NVIDIA's libcuda.so.1, the CPU
 * device that is linked in, or any library that exports the Driver API; nobody above can tell them
 * apart. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include "base/str.h"
#include "driver/abi.h"

struct drv_table {
#define CU(need, name, symbol, params, args) CUresult(*name) params;
#include "driver/cuda.def"
#undef CU
};

/* The CPU device. Every field is set where it is built in, none (cuInit is NULL) where it is not.
 * */
extern const struct drv_table cpu_table;

/* What takes a GPU driver's place in a forked child, where it would hang or lie: every row answers
 * DRV_FORKED, which no driver does. */
enum { DRV_FORKED = -2 };
extern const struct drv_table drv_forked;

/* Opens the library at `path` ("libcuda.so.1" or a file) and fills in the table. 0, or -1 with
 * `why` saying what failed: the loader's words, or the first required symbol that is missing and
 * which driver versions have it. The library is never closed. Thread-safety: safe. */
int drv_load(struct drv_table *out, const char *path, struct str *why);

struct nvrtc_table {
#define NVRTC(need, result, name, params) result(*name) params;
#include "driver/nvrtc.def"
#undef NVRTC
    void *library;
};

/* Opens NVRTC at `path`, its libnvrtc-builtins (same folder) first. As drv_load. */
int nvrtc_load(struct nvrtc_table *out, const char *path, struct str *why);

struct nvjitlink_table {
#define NVJITLINK(need, name, params) nvJitLinkResult(*name) params;
#include "driver/nvjitlink.def"
#undef NVJITLINK
};

/* Opens nvJitLink at `path`. As drv_load. */
int nvjitlink_load(struct nvjitlink_table *out, const char *path, struct str *why);

/* curesult.def: "CUDA_ERROR_OUT_OF_MEMORY" and "out of memory"; for codes it does not know, NULL.
 * Thread-safety: safe. */
const char *drv_result_name(CUresult code);
const char *drv_result_text(CUresult code);
/* The fourth column of curesult.def: "MemoryError"; "Error" for codes it does not know.
 * Thread-safety: safe. */
const char *drv_result_class(CUresult code);

#endif

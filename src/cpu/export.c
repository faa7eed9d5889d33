/* libruncu-cpu.so: the CPU device under the CUDA Driver API's own names, for programs that load a
 * driver by path. Every row is exported by its versioned symbol and by its plain name;
 * cuGetProcAddress finds the same. */
#include <string.h>

#include "cpu/cpu.h"

/* Versioned and plain name are often the same. */
#define CU(need, name, symbol, params, args) \
    CUresult cpu_export_##name params;       \
    CUresult cpu_export_##name params        \
    {                                        \
        return cpu_table.name args;          \
    }                                        \
    SYMBOL_ALIAS(symbol, cpu_export_##name)  \
    SYMBOL_ALIAS(name, cpu_export_##name)
#include "driver/cuda.def"
#undef CU

/* CUdriverProcAddressQueryResult */
enum { FOUND, UNKNOWN, NOT_SUFFICIENT };

typedef void any_fn(void);

static const struct symbol {
    const char *name, *symbol;
    any_fn *function;
} symbols[] = {
#define CU(need, name, symbol, params, args) {#name, #symbol, (any_fn *) cpu_export_##name},
#include "driver/cuda.def"
#undef CU
};

EXPORT CUresult cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags,
                                    int *status);
EXPORT CUresult cuGetProcAddress(const char *name, void **function, int version, uint64_t flags);
EXPORT CUresult cuGetExportTable(const void **table, const void *id);

static any_fn *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++)
        if (strcmp(symbols[i].name, name) == 0 || strcmp(symbols[i].symbol, name) == 0)
            return symbols[i].function;
    if (strcmp(name, "cuGetProcAddress") == 0)
        return (any_fn *) cuGetProcAddress_v2;
    if (strcmp(name, "cuGetExportTable") == 0)
        return (any_fn *) cuGetExportTable;
    return NULL;
}

/* From CUDA 13 on cuCtxCreate has another parameter by that name. */
static bool is_newer(const char *name, int version)
{
    return strcmp(name, "cuCtxCreate") == 0 && version >= 13000;
}

CUresult cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags,
                             int *status)
{
    if (!name || !function || flags > 2)
        return CUDA_ERROR_INVALID_VALUE;
    any_fn *f = is_newer(name, version) ? NULL : find(name);
    memcpy(function, &f, sizeof f);
    if (status)
        *status = f ? FOUND : find(name) ? NOT_SUFFICIENT : UNKNOWN;
    return f || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuGetProcAddress(const char *name, void **function, int version, uint64_t flags)
{
    return cuGetProcAddress_v2(name, function, version, flags, NULL);
}

/* There are none: they are NVIDIA's own, undocumented. */
CUresult cuGetExportTable(const void **table, const void *id)
{
    (void) id;
    if (table)
        *table = NULL;
    return CUDA_ERROR_NOT_FOUND;
}

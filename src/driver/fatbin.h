/* Fat binaries: the container of cubins and PTX for several architectures that nvcc, fatbinary and
 * nvFatbin write and the driver loads. */
#ifndef DRIVER_FATBIN_H
#define DRIVER_FATBIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum drv_fatbin_kind { DRV_FATBIN_PTX = 1, DRV_FATBIN_ELF = 2 };

struct drv_fatbin_entry {
    int kind;      /* enum drv_fatbin_kind, or another number */
    unsigned arch; /* 90 for sm_90 */
    const char *data;
    size_t bytes, plain_bytes; /* as it lies there, and unpacked */
    enum { DRV_FATBIN_PLAIN, DRV_FATBIN_LZ4, DRV_FATBIN_ZSTD } packing;
};

/* Does it begin as one? `bytes` may be SIZE_MAX of an image whose size only it itself tells. */
bool drv_is_fatbin(const void *image, size_t bytes);
/* The i-th entry from 0; false past the end, and of what is damaged. */
bool drv_fatbin_entry(struct drv_fatbin_entry *out, const void *image, size_t bytes, size_t i);
/* Its contents with a NUL behind them, from base/alloc. NULL, and *why is a sentence, or NULL where
 * memory is short, if that cannot be had. */
char *drv_fatbin_unpack(const struct drv_fatbin_entry *entry, const char **why);

#endif

/* What the linker writes into a library to tell builds apart. */
#ifndef BASE_BUILD_ID_H
#define BASE_BUILD_ID_H

#include "base.h"

struct build_id {
    uint8_t bytes[64];
    size_t len; /* 0: it has none */
};

/* Reads it from an ELF file of this machine's kind. A file that is none, damaged or unreadable has
 * no build ID. Thread-safety: safe. */
void build_id_read(struct build_id *out, const char *path);

#endif

/* LZ4's blocks, unpacked. */
#ifndef BASE_LZ4_H
#define BASE_LZ4_H

#include <stdbool.h>
#include <stddef.h>

/* Unpacks one block into exactly `to_bytes`; false if it is damaged or of another size. */
bool lz4_unpack(void *to, size_t to_bytes, const void *from, size_t from_bytes);

#endif

/* The CUDA texts of kernels/, embedded when the library is built (kernels/embed.py). */
#ifndef CORE_TEXTS_H
#define CORE_TEXTS_H

#include <stddef.h>

/* A piece of a header that gives some names and can stand alone after the blocks it needs. */
struct text_block {
    const char *name; /* the first of its names */
    const int *needs; /* indices of blocks, ended by -1 */
    const char *text;
};

/* Sorted by name (strcmp). Names that begin with runcu_ are for other blocks to need. */
struct text_name {
    const char *name;
    int block;
};

/* A header for #include <name>: its head, then `count` blocks from `first`. */
struct text_header {
    const char *name;
    int first, count;
    const char *head;
};

extern const struct text_block text_blocks[];
extern const struct text_name text_names[];
extern const size_t text_name_count;
extern const struct text_header text_headers[]; /* sorted by name */
extern const size_t text_header_count;
/* SHA-256 of all texts, in hexadecimal: a different one may mean a different program. */
extern const char text_digest[];

#endif

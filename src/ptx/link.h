/* Several PTX texts made one. */
#ifndef PTX_LINK_H
#define PTX_LINK_H

#include "ptx/ptx.h"

struct ptx_link_input {
    const char *text;                /* ends with a NUL */
    const char *name;                /* for messages */
    const struct ptx_module *module; /* what ptx_parse made of the text */
};

/* Appends the texts, of which there is at least one, as one text in which each symbol is defined
 * once. -1 with *diag filled in if two inputs define the same symbol, or say different things of
 * it; out->failed if memory is
 * short. Thread-safety: safe. */
int ptx_link(struct str *out, const struct ptx_link_input *in, size_t count, struct ptx_diag *diag);

#endif

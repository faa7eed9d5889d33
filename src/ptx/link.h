/* Several PTX texts made one. */
#ifndef PTX_LINK_H
#define PTX_LINK_H

#include "ptx/ptx.h"

struct ptx_link_input {
    const char *text;                /* ends with a NUL */
    const char *name;                /* for messages */
    const struct ptx_module *module; /* what ptx_parse made of the text */
};

/* Does the last of `count` inputs agree with those before it, which do with each other? -1 with
 * *diag filled in if it defines a symbol that another one defines, or says different things of one:
 * size, memory space, prototype. Thread-safety: safe. */
int ptx_link_check(const struct ptx_link_input *in, size_t count, struct ptx_diag *diag);
/* Appends the texts, of which there is at least one and which agree, as one text in which each
 * symbol is defined once. out->failed if memory is short. Thread-safety: safe. */
void ptx_link(struct str *out, const struct ptx_link_input *in, size_t count);

#endif

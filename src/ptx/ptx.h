/* The door of the layer: PTX text to a checked module, and back. */
#ifndef PTX_PTX_H
#define PTX_PTX_H

#include "base/str.h"
#include "ptx/ir.h"

/* What is wrong with a text, and where. */
struct ptx_diag {
    uint32_t line, column; /* of the PTX text, from 1; 0: nowhere in particular */
    char message[256];
};

/* Parses and checks `len` bytes of PTX text (need not end with a NUL). Instructions that no form of
 * insn.def matches, or only one that needs a newer .version or .target, are kept, with `form` NULL;
 * anything else that the PTX ISA forbids is an error. Returns 0 and a module, which the caller
 * destroys, or -1 with *diag filled in (also when memory is short). The text may be freed
 * afterwards. Thread-safety: safe. */
int ptx_parse(struct ptx_module **out, const char *text, size_t len, struct ptx_diag *diag);
void ptx_destroy(struct ptx_module **m);

/* Appends the module as PTX text: the same tokens as the text it was parsed from, comments aside.
 * Thread-safety: safe. */
void ptx_print(struct str *out, const struct ptx_module *m);
/* Appends one instruction without its guard's or label's line break: "@%p1 bra $L__BB0_2;". */
void ptx_print_insn(struct str *out, const struct ptx_insn *in);

#endif

/* From instructions to rows of micro.def. */
#ifndef SIMT_ROWS_H
#define SIMT_ROWS_H

#include "simt/code.h"

/* What a row says of its operands: bits of the result, then of the sources; 1: a predicate. */
struct simt_row {
    uint8_t sources;
    uint8_t bits[5];
};

/* An instruction without its operands: modifiers in any order, types in textual order. */
struct simt_form {
    uint16_t op; /* enum ptx_op */
    uint8_t mod_count, type_count;
    uint16_t mods[8];
    uint8_t types[4];
};

/* The form of an instruction; false: it has more modifiers or types than any row. */
bool simt_form_of(struct simt_form *out, const struct ptx_insn *in);
/* Takes a modifier out; false if it is not there. */
bool simt_form_drop(struct simt_form *form, enum ptx_mod mod);
/* The operation that has the form; SIMT_OPS if there is none. Thread-safety: safe. */
enum simt_op simt_row_find(const struct simt_form *form);
/* Has any row a form of this opcode? Thread-safety: safe. */
bool simt_row_has(enum ptx_op op);
const struct simt_row *simt_row(enum simt_op op);

/* For tests: how many forms all rows have together, and the first that stands twice or has a part
 * that the tables of the PTX layer do not know; NULL: there is none. */
size_t simt_row_forms(const char **bad);

#endif

/* What the process writes to its standard output (descriptor 1), caught for a moment: a library
 * that knows no other place to write to can be listened to. */
#ifndef BASE_CAPTURE_H
#define BASE_CAPTURE_H

#include "base/str.h"

/* From now on what is written to descriptor 1, by whomever, goes to a file without a name. False:
 * nothing has changed. Captures may overlap, on several threads as well. Thread-safety: safe. */
bool capture_begin(void);
/* Ends one: what has been written and not yet been given out is added to *out, and the last one
 * puts the descriptor back. Thread-safety: safe. */
void capture_end(struct str *out);

/* Around a fork; the child's standard output is the process's own again. */
void capture_before_fork(void);
void capture_after_fork(bool in_child);

#endif

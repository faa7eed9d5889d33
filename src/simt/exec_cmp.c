/* Vector functions that make predicates, and logic on them: the rows of unit cmp in micro.def.
 * No code of its own; compiled once for each instruction set. */
#define EMIT_cmp(...) __VA_ARGS__
#include "simt/exec.h"
#include "simt/micro.def"

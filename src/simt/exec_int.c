/* Vector functions of integer arithmetic, bit operations, moves and choices: the rows of unit int
 * in micro.def. No code of its own; compiled once for each instruction set. */
#define EMIT_int(...) __VA_ARGS__
#include "simt/bits.h"
#include "simt/exec.h"
#include "simt/micro.def"

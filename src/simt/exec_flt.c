/* Vector functions of floating point arithmetic and approximations: the rows of unit flt in
 * micro.def. No code of its own; compiled once for each instruction set. */
#define EMIT_flt(...) __VA_ARGS__
#include "simt/approx.h"
#include "simt/exec.h"
#include "simt/micro.def"

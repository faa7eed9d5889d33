/* The builds of the exec files, best first. Columns: name (SIMT_ISA), what users call it, can this
 * processor run it. */
#ifndef SIMT_BUILDS_H
#define SIMT_BUILDS_H

#include "simt/gang.h"

#if defined(__x86_64__)
#define SIMT_ISAS(ISA)                                                                  \
    ISA(v4, "x86-64-v4",                                                                \
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&      \
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && \
            __builtin_cpu_supports("avx512vl"))                                         \
    ISA(v3, "x86-64-v3",                                                                \
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&              \
            __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))            \
    ISA(baseline, "baseline", true)
#else
#define SIMT_ISAS(ISA) ISA(baseline, "baseline", true)
#endif

#define SIMT_DECLARE(name, text, has) extern const struct simt_ops SIMT_PASTE(table, name);
SIMT_ISAS(SIMT_DECLARE)
#undef SIMT_DECLARE

#endif

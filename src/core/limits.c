/* How many blocks a multiprocessor holds, from a table of architectures: for kernels that are
 * looked at without a device. With one, occupancy.c asks the driver. */
#include "core/explain.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Registers are given to warps by so many, shared memory to blocks by as many bytes; from
 * compute capability 8.0 on the system takes part of each block's. */
enum {
    WARP = 32,
    REGISTERS_A_THREAD = 255,
    REGISTER_UNIT = 256,
    OLD_SHARED_UNIT = 256,
    SHARED_UNIT = 128,
    RESERVED = 1024
};

struct multiprocessor {
    short arch, threads, blocks, shared, block_shared, barriers, partitions;
};

static const struct multiprocessor rows[] = {
#define MULTIPROCESSOR(arch, threads, blocks, shared, block_shared, barriers, partitions) \
    {arch, threads, blocks, shared, block_shared, barriers, partitions},
#include "core/limits.def"
#undef MULTIPROCESSOR
};

static const struct multiprocessor *find(const char *arch)
{
    const char *digits = arch ? strchr(arch, '_') : NULL;
    int number = digits ? atoi(digits + 1) : 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].arch == number)
            return &rows[i];
    runcu_fail(RUNCU_ERROR_UNSUPPORTED,
               "what a multiprocessor of \"%.32s\" holds is not known: sm_%d to sm_%d are",
               arch ? arch : "", rows[0].arch, rows[ARRAY_LEN(rows) - 1].arch);
    return NULL;
}

/* A warp's registers lie in one partition, and a block's warps are spread over all. */
static int by_registers(const struct multiprocessor *m, int warps, int registers)
{
    if (registers <= 0)
        return INT_MAX;
    if (registers > REGISTERS_A_THREAD)
        return 0;
    int of_warp = (int) ALIGN_UP((size_t) registers * WARP, REGISTER_UNIT);
    if (of_warp * (int) ALIGN_UP((size_t) warps, (size_t) m->partitions) > CORE_REGISTERS)
        return 0;
    return CORE_REGISTERS / m->partitions / of_warp * m->partitions / warps;
}

static int by_shared(const struct multiprocessor *m, size_t shared)
{
    bool is_new = m->arch >= 80;
    if (shared > (size_t) m->block_shared << 10)
        return 0;
    size_t taken = ALIGN_UP(shared + (is_new ? RESERVED : 0),
                            (size_t) (is_new ? SHARED_UNIT : OLD_SHARED_UNIT));
    return taken ? (int) (((size_t) m->shared << 10) / taken) : INT_MAX;
}

static void choose(runcu_occupancy *o)
{
    const int allowed[] = {o->by_blocks, o->by_warps, o->by_registers, o->by_shared,
                           o->by_barriers};
    o->blocks = INT_MAX;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (allowed[i] < o->blocks) {
            o->blocks = allowed[i];
            o->limit = RUNCU_LIMIT_BLOCKS + (int) i;
        }
}

int runcu_occupancy_get(runcu_occupancy *out, const char *arch, const runcu_block_needs *needs)
{
    runcu_block_needs n;
    CORE_NEED(out);
    CORE_NEED(arch);
    CORE_NEED(needs);
    *out = (runcu_occupancy){0};
    core_params(&n, sizeof n, needs);
    const struct multiprocessor *m = find(arch);
    if (!m)
        return RUNCU_ERROR_UNSUPPORTED;
    if (n.threads < 1 || n.threads > CORE_MAX_THREADS)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "a block has 1 to %d threads, not %d",
                          CORE_MAX_THREADS, n.threads);
    if (n.registers < 0 || n.barriers < 0)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%d registers and %d barriers: less than none",
                          n.registers, n.barriers);
    int warps = (n.threads + WARP - 1) / WARP;
    out->max_warps = m->threads / WARP;
    out->by_blocks = m->blocks;
    out->by_warps = out->max_warps / warps;
    out->by_registers = by_registers(m, warps, n.registers);
    out->by_shared = by_shared(m, n.shared);
    out->by_barriers = n.barriers ? m->blocks * m->barriers / n.barriers : INT_MAX;
    choose(out);
    out->warps = out->blocks * warps;
    return 0;
}

int core_threads_by_registers(int registers)
{
    static const struct multiprocessor any = {.partitions = 4};
    int threads = CORE_MAX_THREADS;
    while (threads > WARP && by_registers(&any, threads / WARP, registers) == 0)
        threads -= WARP;
    return threads;
}

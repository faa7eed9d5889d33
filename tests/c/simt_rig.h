/* A rig for tests of the engine: PTX text in, a launch, its fault out. */
#ifndef SIMT_RIG_H
#define SIMT_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "ptx/ptx.h"
#include "simt/simt.h"
#include "test.h"

#define HEAD ".version 7.0\n.target sm_75\n.address_size 64\n"

/* A kernel k(p0, p1, n). In the body: %rd1 is p0, %rd2 is p1, %r1 is n, %r2 the thread, %r3 the
 * block, %r5 the index in a grid of one dimension, %rd4 the address of p0[that]. */
#define KERNEL_REGS                                                                                \
    "{\n.reg .pred %p<8>; .reg .b16 %h<8>; .reg .b32 %r<24>; .reg .b64 %rd<24>; .reg .f32 %f<8>; " \
    ".reg .f64 %fd<8>;\n"
#define KERNEL(body)                                                                             \
    ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n" KERNEL_REGS             \
    "ld.param.u64 %rd1, [p0]; ld.param.u64 %rd2, [p1]; ld.param.u32 %r1, [n];\n"                 \
    "mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x;\n"                        \
    "mad.lo.s32 %r5, %r3, %r4, %r2; mul.wide.u32 %rd3, %r5, 4; add.s64 %rd4, %rd1, %rd3;\n" body \
    "\nret;\n}\n"

struct rig {
    struct simt_space *space;
    struct simt_module *module;
    struct simt_kernel *kernel;
    uint32_t *p0, *p1; /* 64 KiB each, zero */
    uint32_t n;
    struct simt_launch launch;
    struct simt_fault fault; /* code 0: none */
    struct str printed;
    struct str message;
};

enum { RIG_BYTES = 64 << 10 };

static inline void rig_print(void *user, const char *text, size_t len)
{
    str_addn(user, text, len);
}

/* The module's kernel `k`. */
static inline void rig_load(struct rig *r, const char *ptx)
{
    struct ptx_module *m = NULL;
    struct ptx_diag diag;
    *r = (struct rig){0};
    if (ptx_parse(&m, ptx, strlen(ptx), &diag)) {
        fprintf(stderr, "PTX line %u: %s\n", diag.line, diag.message);
        exit(1);
    }
    REQUIRE(simt_space_create(&r->space) == 0);
    if (simt_module_create(&r->module, m, r->space, &r->message) ||
        simt_kernel_get(&r->kernel, r->module, "k", &r->message)) {
        fprintf(stderr, "%s\n", str_text(&r->message));
        exit(1);
    }
    uint64_t p[2];
    for (int i = 0; i < 2; i++) {
        REQUIRE(simt_space_alloc(r->space, RIG_BYTES, &p[i]) == 0);
        memset((void *) (uintptr_t) p[i], 0, RIG_BYTES);
    }
    r->p0 = (uint32_t *) (uintptr_t) p[0];
    r->p1 = (uint32_t *) (uintptr_t) p[1];
    r->launch = (struct simt_launch){.kernel = r->kernel, .grid = {1, 1, 1}, .block = {32, 1, 1}};
    r->launch.hooks = (struct simt_hooks){.print = rig_print, .user = &r->printed};
}

static inline void rig_free(struct rig *r)
{
    simt_module_destroy(&r->module);
    simt_space_destroy(&r->space);
    str_fini(&r->printed);
    str_fini(&r->message);
}

static inline struct simt_grid *rig_grid(struct rig *r, uint32_t blocks, uint32_t threads)
{
    struct {
        uint64_t p0, p1;
        uint32_t n;
    } params = {(uintptr_t) r->p0, (uintptr_t) r->p1, r->n};
    struct simt_grid *g = NULL;
    int code;
    r->launch.grid[0] = blocks;
    r->launch.block[0] = threads;
    r->launch.params = &params;
    r->launch.param_size = sizeof params;
    REQUIRE(simt_grid_create(&g, &r->launch, &code) == 0);
    return g;
}

static inline void *rig_work(void *grid)
{
    while (simt_grid_work(grid, 2000) != SIMT_DONE)
        continue;
    return NULL;
}

/* Runs with `workers` threads, this one among them; returns the CUresult. */
static inline int rig_run_on(struct rig *r, uint32_t blocks, uint32_t threads, unsigned workers)
{
    struct simt_grid *g = rig_grid(r, blocks, threads);
    pthread_t others[8];
    for (unsigned i = 1; i < workers; i++)
        REQUIRE(pthread_create(&others[i], NULL, rig_work, g) == 0);
    rig_work(g);
    for (unsigned i = 1; i < workers; i++)
        pthread_join(others[i], NULL);
    const struct simt_fault *f = simt_grid_fault(g);
    memset(&r->fault, 0, sizeof r->fault);
    if (f)
        r->fault = *f;
    simt_grid_destroy(&g);
    return r->fault.code;
}

static inline int rig_run(struct rig *r, uint32_t blocks, uint32_t threads)
{
    return rig_run_on(r, blocks, threads, 1);
}

/* Loads, runs without a fault. */
static inline void rig_do(struct rig *r, const char *ptx, uint32_t blocks, uint32_t threads)
{
    rig_load(r, ptx);
    if (rig_run(r, blocks, threads)) {
        fprintf(stderr, "%s\n", r->fault.text);
        exit(1);
    }
}

#endif

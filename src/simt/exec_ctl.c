/* Control flow, special registers, and the functions that a device has without code: vprintf,
 * __assertfail, malloc, free. Compiled once for each build of the exec files, as micro.def's rows
 * ask. Not here: groups (gang.c), barriers (meet.c). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "simt/agree.h"
#include "simt/children.h"
#include "simt/isa.h"
#include "simt/run.h"
#include "simt/vprintf.h"

/* ---- branches ---- */

enum simt_flow SIMT_X(BRA)(struct simt_gang *g, const struct simt_insn *in)
{
    g->now.pc = in->e;
    return SIMT_REGROUP;
}

enum simt_flow SIMT_X(BRA_BACK)(struct simt_gang *g, const struct simt_insn *in)
{
    g->now.pc = in->e;
    return simt_gang_back_edge(g);
}

enum { NOT_TAKEN, TAKEN, SPLIT };

/* Parts the running lanes into those that jump and those that do not. */
static int decide(uint32_t *taken, uint32_t *not_taken, const struct simt_gang *g,
                  const struct simt_insn *in)
{
    const uint32_t *p = SIMT_PRED(g, in->a);
    uint32_t flip = in->x[0] ? UINT32_MAX : 0, some = 0, others = 0;
    for (uint32_t w = 0; w < g->warps; w++) {
        taken[w] = g->on[w] & (p[w] ^ flip);
        not_taken[w] = g->on[w] & ~taken[w];
        some |= taken[w];
        others |= not_taken[w];
    }
    return !some ? NOT_TAKEN : !others ? TAKEN : SPLIT;
}

enum simt_flow SIMT_X(BRA_IF)(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t taken[SIMT_MAX_WARPS], rest[SIMT_MAX_WARPS];
    int way = decide(taken, rest, g, in);
    if (way == NOT_TAKEN)
        return SIMT_NEXT;
    g->now.pc = in->e;
    if (way == TAKEN)
        return SIMT_REGROUP;
    simt_gang_park(g, in->e, taken, SIMT_READY);
    memcpy(g->on, rest, g->warps * sizeof *rest);
    g->full = g->run->whole = false;
    g->now.pc = simt_pc(g, in) + 1;
    return SIMT_REGROUP;
}

enum simt_flow SIMT_X(BRA_IF_BACK)(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t taken[SIMT_MAX_WARPS], rest[SIMT_MAX_WARPS];
    int way = decide(taken, rest, g, in);
    if (way == NOT_TAKEN)
        return SIMT_NEXT;
    g->now.pc = in->e;
    if (way == SPLIT) {
        simt_gang_park(g, simt_pc(g, in) + 1, rest, SIMT_READY);
        memcpy(g->on, taken, g->warps * sizeof *taken);
        g->full = g->run->whole = false;
    }
    return simt_gang_back_edge(g);
}

/* ---- calls ---- */

static enum simt_flow overflow(struct simt_gang *g, const struct simt_insn *in)
{
    struct simt_trap t = {.code = 714,
                          .text = "the stack of a thread overflows: calls nest too deep"};
    return simt_gang_trap(g, in, simt_first_lane(g), &t);
}

/* Constants of a frame, for the running lanes. */
static void fill_consts(struct simt_gang *g, const struct simt_frame *f)
{
    for (uint32_t i = 0; i < f->const_count; i++) {
        const struct simt_const *k = &f->consts[i];
        uint32_t *narrow = SIMT_LANES(g, uint32_t, k->slot);
        uint64_t *wide = SIMT_LANES(g, uint64_t, k->slot);
        for (uint32_t w = 0; w < g->warps; w++) {
            for (uint32_t l = 0; g->on[w] && l < SIMT_WARP; l++) {
                bool on = g->on[w] >> l & 1;
                uint32_t lane = w * SIMT_WARP + l;
                if (on && k->wide)
                    wide[lane] = k->value;
                else if (on)
                    narrow[lane] = (uint32_t) k->value;
            }
        }
    }
}

enum simt_flow SIMT_X(CALL)(struct simt_gang *g, const struct simt_insn *in)
{
    const struct simt_code *code = g->block->grid->code;
    const struct simt_frame *callee = &code->frames[in->e], *caller = &code->frames[in->f];
    struct simt_run *r = g->run;
    struct simt_group to = {.base = (uint32_t) (g->now.base + in->imm),
                            .local = g->now.local + caller->local_size};
    if (to.base + (size_t) callee->columns > r->columns ||
        to.local + (size_t) callee->local_size > r->local_size)
        return overflow(g, in);
    uint32_t *link = (uint32_t *) (r->file + (to.base - SIMT_LINK_COLUMNS) * g->word);
    for (uint32_t lane = 0; lane < g->lanes; lane++) {
        if (!(g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & 1))
            continue;
        link[lane] = simt_pc(g, in) + 1;
        link[lane + g->lanes] = g->now.base;
        link[lane + 2 * g->lanes] = g->now.local;
    }
    g->now.base = to.base;
    g->now.local = to.local;
    g->frame = r->file + to.base * g->word;
    if (to.base >= code->frames[0].all_columns)
        fill_consts(g, callee); /* the first level has them from the start */
    return simt_gang_regroup(g, callee->pc);
}

/* Takes out of `on` the lanes that return to where the lowest of them returns. */
static void returning(struct simt_group *to, uint32_t *on, const struct simt_gang *g)
{
    const uint32_t *link = (const uint32_t *) (g->frame - SIMT_LINK_COLUMNS * g->word);
    bool first = true;
    for (uint32_t lane = 0; lane < g->lanes; lane++) {
        uint32_t w = lane / SIMT_WARP, bit = UINT32_C(1) << lane % SIMT_WARP;
        if (!(on[w] & bit))
            continue;
        uint32_t pc = link[lane], base = link[lane + g->lanes], local = link[lane + 2 * g->lanes];
        if (first)
            *to = (struct simt_group){.pc = pc, .base = base, .local = local};
        first = false;
        if (pc != to->pc || base != to->base || local != to->local)
            continue;
        to->on[w] |= bit;
        on[w] &= ~bit;
    }
}

enum simt_flow SIMT_X(RET)(struct simt_gang *g, const struct simt_insn *in)
{
    (void) in;
    if (!g->now.base)
        return simt_gang_exit(g);
    struct simt_group to;
    returning(&to, g->on, g);
    while (simt_any(g->on, g->warps)) {
        simt_gang_park_at(g, &to, SIMT_READY);
        returning(&to, g->on, g);
    }
    memcpy(g->on, to.on, g->warps * sizeof *g->on);
    g->now.base = to.base;
    g->now.local = to.local;
    g->frame = g->run->file + to.base * g->word;
    return simt_gang_regroup(g, to.pc);
}

enum simt_flow SIMT_X(EXIT)(struct simt_gang *g, const struct simt_insn *in)
{
    (void) in;
    return simt_gang_exit(g);
}

enum simt_flow SIMT_X(CALL_NOWHERE)(struct simt_gang *g, const struct simt_insn *in)
{
    char text[128];
    struct simt_trap t = {.code = 718, .text = text};
    uint32_t lane = simt_first_lane(g);
    snprintf(text, sizeof text,
             "call of a function at 0x%llx: there is none of that signature in the module",
             (unsigned long long) SIMT_LANES(g, uint64_t, in->a)[lane]);
    return simt_gang_trap(g, in, lane, &t);
}

enum simt_flow SIMT_X(TRAP)(struct simt_gang *g, const struct simt_insn *in)
{
    struct simt_trap t = {.code = 719};
    return simt_gang_trap(g, in, simt_first_lane(g), &t);
}

enum simt_flow SIMT_X(NANOSLEEP)(struct simt_gang *g, const struct simt_insn *in)
{
    g->run->yielding = true;
    return simt_gang_regroup(g, simt_pc(g, in) + 1);
}

enum simt_flow SIMT_X(FENCE)(struct simt_gang *g, const struct simt_insn *in)
{
    (void) g;
    (void) in;
    simt_fence();
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(BARRIER)(struct simt_gang *g, const struct simt_insn *in)
{
    if (g->full && g->block->gang_count == 1 && !g->block->barriers && in->x[0] == SIMT_BAR_SYNC &&
        !in->x[1])
        return SIMT_NEXT;
    return simt_barrier(g, in);
}

/* ---- special registers ---- */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

/* Those that are the same in all lanes of a block. */
static uint64_t uniform(struct simt_gang *g, unsigned id, unsigned part)
{
    const struct simt_block *b = g->block;
    const struct simt_grid *grid = b->grid;
    g->run->noisy |= id >= SIMT_SREG_CLOCK && id <= SIMT_SREG_GLOBALTIMER_HI;
    switch (id) {
    case SIMT_SREG_NTID:
        return part < 3 ? grid->block_dim[part] : 0;
    case SIMT_SREG_CTAID:
        return part < 3 ? b->id[part] : 0;
    case SIMT_SREG_NCTAID:
        return part < 3 ? grid->dim[part] : 0;
    case SIMT_SREG_NWARPID:
        return (grid->threads + SIMT_WARP - 1) / SIMT_WARP;
    case SIMT_SREG_ONE:
        return 1;
    case SIMT_SREG_GRIDID:
        return grid->id;
    case SIMT_SREG_CLOCK:
        return clock_ns(CLOCK_MONOTONIC);
    case SIMT_SREG_CLOCK_HI:
        return clock_ns(CLOCK_MONOTONIC) >> 32;
    case SIMT_SREG_GLOBALTIMER:
        return clock_ns(CLOCK_REALTIME);
    case SIMT_SREG_GLOBALTIMER_HI:
        return clock_ns(CLOCK_REALTIME) >> 32;
    case SIMT_SREG_TOTAL_SMEM:
        return b->shared_size;
    case SIMT_SREG_DYNAMIC_SMEM:
        return grid->dynamic_shared;
    case SIMT_SREG_ENVREG:
        return part == 1 ? grid->workspace >> 32 : part == 2 ? (uint32_t) grid->workspace : 0;
    default:
        return 0;
    }
}

static uint32_t of_lane(const struct simt_gang *g, unsigned id, uint32_t lane)
{
    uint32_t l = lane % SIMT_WARP, bit = UINT32_C(1) << l;
    switch (id) {
    case SIMT_SREG_LANEID:
        return l;
    case SIMT_SREG_WARPID:
        return (g->first + lane) / SIMT_WARP;
    case SIMT_SREG_LANEMASK_EQ:
        return bit;
    case SIMT_SREG_LANEMASK_LE:
        return bit | (bit - 1);
    case SIMT_SREG_LANEMASK_LT:
        return bit - 1;
    case SIMT_SREG_LANEMASK_GE:
        return ~(bit - 1);
    default:
        return ~(bit | (bit - 1)); /* GT */
    }
}

static bool varies(unsigned id)
{
    return id == SIMT_SREG_LANEID || id == SIMT_SREG_WARPID ||
           (id >= SIMT_SREG_LANEMASK_EQ && id <= SIMT_SREG_LANEMASK_GT);
}

/* d[lane] = on ? v : d[lane], for one warp. */
static ALWAYS_INLINE void put_warp(uint32_t *d, const uint32_t *v, uint32_t on)
{
    for (uint32_t l = 0; l < SIMT_WARP; l++) {
        uint32_t m = -(on >> l & 1);
        d[l] ^= (d[l] ^ v[l]) & m;
    }
}

enum simt_flow SIMT_X(SREG32)(struct simt_gang *g, const struct simt_insn *in)
{
    uint32_t *d = SIMT_LANES(g, uint32_t, in->d), v[SIMT_WARP];
    unsigned id = in->x[0];
    bool splat = id != SIMT_SREG_TID && !varies(id);
    uint32_t same = splat ? (uint32_t) uniform(g, id, in->x[1]) : 0;
    for (uint32_t l = 0; l < SIMT_WARP; l++)
        v[l] = same;
    for (uint32_t w = 0; w < g->warps; w++) {
        uint32_t first = w * SIMT_WARP;
        if (!g->on[w])
            continue;
        for (uint32_t l = 0; !splat && id != SIMT_SREG_TID && l < SIMT_WARP; l++)
            v[l] = of_lane(g, id, first + l);
        bool tid = id == SIMT_SREG_TID && in->x[1] < 3;
        put_warp(d + first, tid ? g->run->tid[in->x[1]] + first : v,
                 g->full ? UINT32_MAX : g->on[w]);
    }
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(SREG64)(struct simt_gang *g, const struct simt_insn *in)
{
    uint64_t *d = SIMT_LANES(g, uint64_t, in->d);
    unsigned id = in->x[0];
    bool splat = id != SIMT_SREG_TID && !varies(id);
    uint64_t same = splat ? uniform(g, id, in->x[1]) : 0;
    for (uint32_t lane = 0; lane < g->lanes; lane++) {
        if (!(g->on[lane / SIMT_WARP] >> lane % SIMT_WARP & 1))
            continue;
        bool tid = id == SIMT_SREG_TID && in->x[1] < 3;
        d[lane] = splat ? same : tid ? g->run->tid[in->x[1]][lane] : of_lane(g, id, lane);
    }
    return SIMT_NEXT;
}

/* ---- functions without code: arguments and results stand in the lane's local memory ---- */

static uint64_t frame_address(const struct simt_gang *g, uint32_t lane)
{
    return g->run->local + lane * g->run->local_stride + g->now.local;
}

static uint64_t argument(const struct simt_gang *g, uint32_t lane, uint32_t offset, size_t size)
{
    uint64_t v = 0;
    memcpy(&v, (const void *) (uintptr_t) (frame_address(g, lane) + offset), size);
    return v;
}

static void result(const struct simt_gang *g, uint32_t lane, uint32_t offset, uint64_t v,
                   size_t size)
{
    memcpy((void *) (uintptr_t) (frame_address(g, lane) + offset), &v, size);
}

/* imm of these operations is the end of what they use, from the frame's start. */
static bool fits(const struct simt_gang *g, const struct simt_insn *in)
{
    return g->now.local + (uint64_t) in->imm <= g->run->local_size;
}

/* The running lanes in order: FOR_ON(g, w, m) { uint32_t lane = lane_of(w, m); … } */
#define FOR_ON(g, w, m)                       \
    for (uint32_t w = 0; w < (g)->warps; w++) \
        for (uint32_t m = (g)->on[w]; m; m &= m - 1)
static uint32_t lane_of(uint32_t warp, uint32_t lanes)
{
    return warp * SIMT_WARP + (uint32_t) __builtin_ctz(lanes);
}

enum simt_flow SIMT_X(LOCAL_MOVE)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint64_t at = frame_address(g, lane_of(w, m));
        memmove((void *) (uintptr_t) (at + in->d), (const void *) (uintptr_t) (at + in->a), in->b);
    }
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(VPRINTF)(struct simt_gang *g, const struct simt_insn *in)
{
    struct simt_block *b = g->block;
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint32_t lane = lane_of(w, m);
        uint64_t window = g->run->local + lane * g->run->local_stride;
        int n = simt_vprintf(&b->print, b->grid->space, argument(g, lane, in->a, 8),
                             argument(g, lane, in->b, 8), window, g->run->local_size);
        result(g, lane, in->d, (uint32_t) n, 4);
    }
    simt_grid_printed(b, false);
    return SIMT_NEXT;
}

/* Copies a text of the device as far as it is readable. */
NO_TSAN static void copy_text(char *out, size_t size, struct simt_space *space, uint64_t address)
{
    struct simt_hit hit;
    size_t n = 0;
    if (simt_space_probe(space, address, &hit)) {
        size_t room = MIN(size - 1, hit.size - (address - hit.base));
        while (n < room && ((const char *) (uintptr_t) address)[n]) {
            out[n] = ((const char *) (uintptr_t) address)[n];
            n++;
        }
    }
    out[n] = '\0';
}

enum simt_flow SIMT_X(ASSERTFAIL)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    struct simt_space *space = g->block->grid->space;
    uint32_t lane = simt_first_lane(g);
    const uint32_t *id = g->block->id, *const *tid = (const uint32_t *const *) g->run->tid;
    char message[256], file[256], function[256];
    copy_text(message, sizeof message, space, argument(g, lane, in->a, 8));
    copy_text(file, sizeof file, space, argument(g, lane, in->b, 8));
    copy_text(function, sizeof function, space, argument(g, lane, in->e, 8));
    struct str text = {0};
    str_addf(&text, "%s:%u: %s: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` failed.", file,
             (unsigned) argument(g, lane, in->c, 4), function, id[0], id[1], id[2], tid[0][lane],
             tid[1][lane], tid[2][lane], message);
    struct simt_trap t = {.code = 710, .text = str_text(&text)};
    enum simt_flow flow = simt_gang_trap(g, in, lane, &t);
    str_fini(&text);
    return flow;
}

enum simt_flow SIMT_X(MALLOC)(struct simt_gang *g, const struct simt_insn *in)
{
    const struct simt_grid *grid = g->block->grid;
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint32_t lane = lane_of(w, m);
        uint64_t p = simt_space_malloc(grid->space, argument(g, lane, in->a, 8), grid->malloc_heap);
        result(g, lane, in->d, p, 8);
    }
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(MFREE)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint32_t lane = lane_of(w, m);
        uint64_t p = argument(g, lane, in->a, 8);
        if (p && !simt_space_mfree(g->block->grid->space, p)) {
            struct simt_trap t = {
                .code = 719,
                .address = p,
                .text = "free() of an address that malloc() did not return, or twice"};
            return simt_gang_trap(g, in, lane, &t);
        }
    }
    return SIMT_NEXT;
}

/* ---- launches by kernels ---- */

enum simt_flow SIMT_X(CHILD_PREPARE)(struct simt_gang *g, const struct simt_insn *in)
{
    struct str why = {0};
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint32_t lane = lane_of(w, m);
        struct simt_child_shape shape = {.function = argument(g, lane, in->a, 8),
                                         .shared = (uint32_t) argument(g, lane, in->e, 4)};
        uint64_t params;
        for (uint32_t i = 0; i < 3; i++) {
            shape.grid[i] = (uint32_t) argument(g, lane, in->b + 4 * i, 4);
            shape.block[i] = (uint32_t) argument(g, lane, in->c + 4 * i, 4);
        }
        if (simt_child_prepare(&params, g->block, &shape, &why) != 0) {
            struct simt_trap t = {.code = 719, .text = str_text(&why)};
            enum simt_flow flow = simt_gang_trap(g, in, lane, &t);
            str_fini(&why);
            return flow;
        }
        result(g, lane, in->d, params, 8);
    }
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(CHILD_LAUNCH)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint32_t lane = lane_of(w, m);
        uint64_t params = argument(g, lane, in->a, 8), stream = argument(g, lane, in->b, 8);
        result(g, lane, in->d, simt_child_launch(g->block, params, stream), 4);
    }
    return SIMT_NEXT;
}

static enum simt_flow tell_error(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m)
        result(g, lane_of(w, m), in->d, g->block->child_error, 4);
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(CHILD_PEEK)(struct simt_gang *g, const struct simt_insn *in)
{
    return tell_error(g, in);
}

enum simt_flow SIMT_X(CHILD_ERROR)(struct simt_gang *g, const struct simt_insn *in)
{
    enum simt_flow flow = tell_error(g, in);
    g->block->child_error = 0;
    return flow;
}

/* Where a kernel may write `size` bytes: its own local memory, or a live range. */
static bool is_writable(const struct simt_gang *g, uint32_t lane, uint64_t address, size_t size)
{
    struct simt_hit hit;
    uint64_t window = g->run->local + lane * g->run->local_stride;
    if (address >= window && address + size <= window + g->run->local_size)
        return true;
    return simt_space_probe(g->block->grid->space, address, &hit) && !(hit.kind & SIMT_READ_ONLY) &&
           address + size <= hit.base + hit.size;
}

/* A stream or an event: a number that is none of those with a meaning. */
enum simt_flow SIMT_X(CHILD_HANDLE)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m) {
        uint32_t lane = lane_of(w, m);
        uint64_t at = argument(g, lane, in->a, 8), handle = 256 + g->first + lane;
        if (!is_writable(g, lane, at, sizeof handle)) {
            struct simt_trap t = {.code = 700, .address = at, .width = 8, .is_store = true};
            return simt_gang_trap(g, in, lane, &t);
        }
        memcpy((void *) (uintptr_t) at, &handle, sizeof handle);
        result(g, lane, in->d, 0, 4);
    }
    return SIMT_NEXT;
}

enum simt_flow SIMT_X(CHILD_NOTHING)(struct simt_gang *g, const struct simt_insn *in)
{
    if (!fits(g, in))
        return overflow(g, in);
    FOR_ON (g, w, m)
        result(g, lane_of(w, m), in->d, 0, 4);
    return SIMT_NEXT;
}

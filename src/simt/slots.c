/* Registers to slots: live ranges by data flow over the function's basic blocks, then linear scan
 * (Poletto and Sarkar, "Linear Scan Register Allocation"), one pass for each kind of column.
 *
 * Liveness is that of one thread, which is enough although lanes diverge: a lane touches its own
 * part of a column only. That is also why columns of 64-bit registers are never reused for narrower
 * ones: there the lanes' parts lie differently, and lanes that are at another place in the code
 * would lose what is theirs. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "simt/lower.h"
#include "simt/rows.h"

/* Instruction i reads at point 2 i and writes at 2 i + 1. */
struct range {
    uint32_t reg, start, end;
};

struct block {
    uint32_t first, end; /* instructions */
    uint32_t next[2];    /* blocks that may follow; the count of blocks: none */
};

struct live {
    const struct ptx_func *func;
    struct block *blocks;
    uint32_t block_count;
    uint32_t *block_of; /* by instruction, for those that begin one */
    uint32_t
        *global; /* by register: 1 + its number among those live between blocks; 0: it is not */
    uint32_t *reg_of; /* back from such a number, less 1 */
    uint32_t global_count;
    size_t words;        /* of a set of these */
    uint64_t *in, *kill; /* by block: live where it begins, written before it is read */
    uint32_t *seen; /* by register: 1 + the last block that writes it, while blocks are scanned */
    uint32_t block, insn; /* being looked at */
    struct range *ranges; /* by register, later by start */
};

enum access { READ = 1, WRITE = 2 };

typedef void visitor(struct live *v, uint32_t reg, unsigned access);

/* ---- what an instruction reads and writes ---- */

static void visit_operand(struct live *v, const struct ptx_operand *o, unsigned access, visitor *f)
{
    switch (o->kind) {
    case PTX_REGISTER:
        f(v, o->reg->index, access);
        break;
    case PTX_ADDRESS:
        if (o->reg)
            f(v, o->reg->index, READ);
        break;
    case PTX_VECTOR:
    case PTX_PAIR:
    case PTX_LIST:
    case PTX_TEXADDR:
        for (uint32_t i = 0; i < o->count; i++)
            visit_operand(v, &o->items[i], access, f);
        break;
    default:
        break;
    }
}

/* The i-th word of the operands column tells whether that operand is written. */
static unsigned access_of(const char **column)
{
    unsigned access = **column == '=' ? WRITE : READ;
    *column += strcspn(*column, " ");
    *column += strspn(*column, " ");
    return access;
}

/* Reads first. A guarded instruction may leave its results as they were, so it reads them too. */
static void visit(struct live *v, const struct ptx_insn *in, unsigned want, visitor *f)
{
    bool any = !in->form || in->op == PTX_OP_CALL;
    const char *column = in->form ? in->form->operands : "";
    if (in->guard && (want & READ))
        f(v, in->guard->index, READ);
    for (unsigned i = 0; i < in->operand_count; i++) {
        unsigned access = any ? READ | WRITE : access_of(&column);
        if (in->guard && (access & WRITE))
            access |= READ;
        if (access & want)
            visit_operand(v, &in->operands[i], access & want, f);
    }
}

/* May the result stand where a source stood that is not needed any more? Only where one operation
 * reads all of a lane's sources before it writes the lane's one result. */
static bool can_share(const struct ptx_insn *in)
{
    return in->operand_count && in->operands[0].kind == PTX_REGISTER && !in->guard &&
           (simt_row_has(in->op) || in->op == PTX_OP_CVTA);
}

/* ---- blocks ---- */

static bool ends_block(const struct ptx_insn *in)
{
    return in->op == PTX_OP_BRA || in->op == PTX_OP_RET || in->op == PTX_OP_EXIT ||
           in->op == PTX_OP_BRX;
}

static void link_block(struct live *v, struct block *b, uint32_t index)
{
    const struct ptx_insn *last = &v->func->insns[b->end - 1];
    const uint32_t none = v->block_count;
    bool falls = !ends_block(last) || last->guard;
    b->next[0] = falls && index + 1 < v->block_count ? index + 1 : none;
    b->next[1] = none;
    if (last->op == PTX_OP_BRA && last->operand_count && last->operands[0].kind == PTX_LABEL) {
        uint32_t target = last->operands[0].label->target;
        b->next[1] = target < v->func->insn_count ? v->block_of[target] : none;
    }
}

static bool find_blocks(struct live *v)
{
    const struct ptx_func *func = v->func;
    const uint32_t n = func->insn_count;
    v->block_of = alloc_zero((size_t) n + 1, sizeof *v->block_of);
    if (!v->block_of)
        return false;
    v->block_of[0] = 1;
    for (uint32_t i = 0; i < func->label_count; i++)
        v->block_of[func->labels[i]->target] = 1;
    for (uint32_t i = 0; i < n; i++)
        if (ends_block(&func->insns[i]))
            v->block_of[i + 1] = 1;
    for (uint32_t i = 0; i < n; i++)
        v->block_count += v->block_of[i];
    v->blocks = alloc_zero(v->block_count, sizeof *v->blocks);
    if (!v->blocks)
        return false;
    uint32_t b = 0;
    for (uint32_t i = 0; i < n; i++)
        if (v->block_of[i]) {
            v->block_of[i] = b;
            v->blocks[b++].first = i;
        }
    for (b = 0; b < v->block_count; b++)
        v->blocks[b].end = b + 1 < v->block_count ? v->blocks[b + 1].first : n;
    for (b = 0; b < v->block_count; b++)
        link_block(v, &v->blocks[b], b);
    return true;
}

/* ---- data flow, over the registers that some block reads before it writes them ---- */

static void note_global(struct live *v, uint32_t reg, unsigned access)
{
    if (access == WRITE)
        v->seen[reg] = v->block + 1;
    else if (v->seen[reg] != v->block + 1 && !v->global[reg]) {
        v->reg_of[v->global_count] = reg;
        v->global[reg] = ++v->global_count;
    }
}

static void note_sets(struct live *v, uint32_t reg, unsigned access)
{
    const uint32_t g = v->global[reg];
    if (!g)
        return;
    const size_t word = v->block * v->words + (g - 1) / 64;
    const uint64_t bit = UINT64_C(1) << (g - 1) % 64;
    if (access == WRITE)
        v->kill[word] |= bit;
    else if (!(v->kill[word] & bit))
        v->in[word] |= bit;
}

static void scan_blocks(struct live *v, visitor *f)
{
    for (v->block = 0; v->block < v->block_count; v->block++)
        for (uint32_t i = v->blocks[v->block].first; i < v->blocks[v->block].end; i++) {
            visit(v, &v->func->insns[i], READ, f);
            visit(v, &v->func->insns[i], WRITE, f);
        }
}

/* Word w of what is live at the end of the block. */
static uint64_t live_out(const struct live *v, const struct block *b, size_t w)
{
    uint64_t out = 0;
    for (int k = 0; k < 2; k++)
        if (b->next[k] < v->block_count)
            out |= v->in[b->next[k] * v->words + w];
    return out;
}

static void solve(struct live *v)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t b = v->block_count; b-- > 0;)
            for (size_t w = 0; w < v->words; w++) {
                const size_t at = b * v->words + w;
                const uint64_t in = v->in[at] | (live_out(v, &v->blocks[b], w) & ~v->kill[at]);
                changed |= in != v->in[at];
                v->in[at] = in;
            }
    }
}

static bool find_live(struct live *v)
{
    v->seen = alloc_zero(v->func->reg_count, sizeof *v->seen);
    v->global = alloc_zero(v->func->reg_count, sizeof *v->global);
    v->reg_of = alloc_zero(v->func->reg_count, sizeof *v->reg_of);
    if (!v->seen || !v->global || !v->reg_of)
        return false;
    scan_blocks(v, note_global);
    v->words = (v->global_count + 63) / 64;
    v->in = alloc_zero(v->block_count * v->words + 1, sizeof *v->in);
    v->kill = alloc_zero(v->block_count * v->words + 1, sizeof *v->kill);
    if (!v->in || !v->kill)
        return false;
    scan_blocks(v, note_sets);
    solve(v);
    return true;
}

/* ---- ranges ---- */

static void extend(struct live *v, uint32_t reg, uint32_t start, uint32_t end)
{
    struct range *r = &v->ranges[reg];
    r->start = MIN(r->start, start);
    r->end = MAX(r->end, end);
}

static void note_range(struct live *v, uint32_t reg, unsigned access)
{
    const uint32_t i = v->insn;
    if (access == WRITE)
        extend(v, reg, 2 * i + can_share(&v->func->insns[i]), 2 * i + 1);
    else
        extend(v, reg, 2 * i, 2 * i);
}

static void extend_set(struct live *v, uint64_t set, size_t word, uint32_t point)
{
    for (; set; set &= set - 1)
        extend(v, v->reg_of[word * 64 + (unsigned) __builtin_ctzll(set)], point, point);
}

/* A register that is live where a block begins or ends is so from, or up to, there. */
static void extend_over_edges(struct live *v)
{
    for (uint32_t b = 0; b < v->block_count; b++) {
        const struct block *k = &v->blocks[b];
        for (size_t w = 0; w < v->words; w++) {
            extend_set(v, v->in[b * v->words + w], w, 2 * k->first);
            extend_set(v, live_out(v, k, w), w, 2 * k->end - 1);
        }
    }
}

static bool find_ranges(struct live *v)
{
    const uint32_t regs = v->func->reg_count;
    v->ranges = alloc_new(MAX(regs, 1u) * sizeof *v->ranges);
    if (!v->ranges)
        return false;
    for (uint32_t r = 0; r < regs; r++)
        v->ranges[r] = (struct range){r, UINT32_MAX, 0};
    for (v->insn = 0; v->insn < v->func->insn_count; v->insn++) {
        visit(v, &v->func->insns[v->insn], READ, note_range);
        visit(v, &v->func->insns[v->insn], WRITE, note_range);
    }
    extend_over_edges(v);
    return true;
}

/* ---- columns ---- */

/* Columns of one kind: those that are free, and those in use as a heap, the one that ends first on
 * top. */
struct pool {
    VEC(uint32_t) free;
    VEC(struct range) used; /* reg: the column */
    uint32_t count;
};

static void sift_down(struct pool *p)
{
    struct range *h = p->used.at;
    for (size_t i = 0, k; (k = 2 * i + 1) < p->used.len; i = k) {
        if (k + 1 < p->used.len && h[k + 1].end < h[k].end)
            k++;
        if (h[i].end <= h[k].end)
            return;
        struct range t = h[i];
        h[i] = h[k];
        h[k] = t;
    }
}

static void sift_up(struct pool *p)
{
    struct range *h = p->used.at;
    for (size_t i = p->used.len - 1; i > 0 && h[i].end < h[(i - 1) / 2].end; i = (i - 1) / 2) {
        struct range t = h[i];
        h[i] = h[(i - 1) / 2];
        h[(i - 1) / 2] = t;
    }
}

/* A column for the range; the one used last is taken first. */
static bool take_column(struct pool *p, const struct range *r, uint32_t *out)
{
    while (p->used.len && p->used.at[0].end < r->start) {
        if (!vec_push(&p->free, p->used.at[0].reg))
            return false;
        p->used.at[0] = p->used.at[--p->used.len];
        sift_down(p);
    }
    *out = p->free.len ? p->free.at[--p->free.len] : p->count++;
    if (!vec_push(&p->used, (struct range){*out, r->start, r->end}))
        return false;
    sift_up(p);
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->reg > y->reg) - (x->reg < y->reg);
}

enum kind { WIDE, WORD, BIT, KINDS };

static enum kind kind_of(const struct live *v, uint32_t reg)
{
    const unsigned bits = ptx_types[v->func->regs[reg]->type].bits;
    return bits == 1 ? BIT : bits > 32 ? WIDE : WORD;
}

/* Pairs of columns come first, then single ones, then predicates; l->slots holds numbers within the
 * kind until the end. */
static bool assign(struct lower *l, struct live *v, struct pool *pools)
{
    const uint32_t regs = v->func->reg_count;
    qsort(v->ranges, regs, sizeof *v->ranges, by_start);
    for (uint32_t i = 0; i < regs && v->ranges[i].start != UINT32_MAX; i++) {
        const uint32_t reg = v->ranges[i].reg;
        if (!take_column(&pools[kind_of(v, reg)], &v->ranges[i], &l->slots[reg]))
            return false;
    }
    const uint32_t words = 2 * pools[WIDE].count, bits = words + pools[WORD].count;
    for (uint32_t r = 0; r < regs; r++)
        switch (kind_of(v, r)) {
        case WIDE:
            l->slots[r] *= 2;
            break;
        case WORD:
            l->slots[r] += words;
            break;
        default:
            l->slots[r] += bits * 32;
            break;
        }
    l->columns = bits + (pools[BIT].count + 31) / 32;
    return true;
}

int lower_slots(struct lower *l)
{
    struct live v = {.func = l->func};
    struct pool pools[KINDS] = {0};
    l->columns = 0;
    l->slots = arena_alloc(l->arena, (l->func->reg_count + (size_t) 1) * sizeof *l->slots);
    bool ok =
        l->slots && find_blocks(&v) && find_live(&v) && find_ranges(&v) && assign(l, &v, pools);
    for (int k = 0; k < KINDS; k++) {
        vec_fini(&pools[k].free);
        vec_fini(&pools[k].used);
    }
    alloc_free(v.ranges);
    alloc_free(v.kill);
    alloc_free(v.in);
    alloc_free(v.reg_of);
    alloc_free(v.global);
    alloc_free(v.seen);
    alloc_free(v.blocks);
    alloc_free(v.block_of);
    return ok ? 0 : -1;
}

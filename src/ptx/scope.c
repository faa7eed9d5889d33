/* What a name means where it stands: blocks, the registers that %r<5> stands for, labels used
 * before they are declared. Registers are made when they are first used, so that a declaration of a
 * million of them costs nothing. */
#include <string.h>

#include "ptx/parse.h"

void scope_open(struct parser *p)
{
    if (p->depth + 1 >= ARRAY_LEN(p->blocks))
        parse_fail(p, NULL, "blocks are nested more than %d deep", PTX_MAX_DEPTH);
    p->depth++;
    p->blocks[p->depth] = NULL;
    p->pending_from[p->depth] = (uint32_t) p->pending.len;
}

/* Labels of this block are known now; other uses wait for the block around it. */
static void resolve_labels(struct parser *p)
{
    size_t kept = p->pending_from[p->depth];
    for (size_t i = kept; i < p->pending.len; i++) {
        struct pending *use = &p->pending.at[i];
        const struct binding *b = use->sym->bind;
        if (b && b->kind == BIND_LABEL && b->depth == p->depth)
            *use->where = b->label;
        else
            p->pending.at[kept++] = *use;
    }
    p->pending.len = kept;
}

void scope_close(struct parser *p)
{
    resolve_labels(p);
    for (struct binding *b = p->blocks[p->depth]; b; b = b->next) {
        if (b->kind == BIND_FAMILY)
            b->sym->family = b->outer;
        else
            b->sym->bind = b->outer;
    }
    p->depth--;
}

static struct binding *bind_at(struct parser *p, struct sym *sym, uint8_t kind, uint32_t depth)
{
    struct binding **place = kind == BIND_FAMILY ? &sym->family : &sym->bind;
    struct binding *b = parse_scratch(p, sizeof *b);
    *b = (struct binding){.kind = kind, .depth = depth, .sym = sym, .outer = *place};
    *place = b;
    b->next = p->blocks[depth];
    p->blocks[depth] = b;
    return b;
}

static void refuse_again(struct parser *p, const struct binding *old, const struct token *t)
{
    if (old && old->depth == p->depth)
        parse_fail(p, t, "'%s' is declared twice", old->sym->name);
}

struct binding *scope_bind(struct parser *p, struct sym *sym, uint8_t kind, const struct token *t)
{
    refuse_again(p, sym->bind, t);
    if (sym->sreg)
        parse_fail(p, t, "'%s' is a special register", sym->name);
    return bind_at(p, sym, kind, p->depth);
}

struct binding *scope_family(struct parser *p, struct sym *sym, const struct token *t)
{
    refuse_again(p, sym->family, t);
    return bind_at(p, sym, BIND_FAMILY, p->depth);
}

struct ptx_reg *scope_new_reg(struct parser *p, const char *name, uint8_t type, uint8_t vector)
{
    struct ptx_reg *reg = parse_alloc(p, sizeof *reg);
    *reg = (struct ptx_reg){
        .name = name, .index = (uint32_t) p->regs.len, .type = type, .vector = vector};
    parse_push(p, &p->regs, reg);
    return reg;
}

struct binding *scope_find(struct parser *p, struct sym *sym)
{
    struct binding *b = sym->bind;
    const struct binding *family = sym->prefix ? sym->prefix->family : NULL;
    if (LIKELY(!family || (b && b->depth >= family->depth) || sym->number >= family->count))
        return b;
    struct binding *made = bind_at(p, sym, BIND_REG, family->depth);
    made->reg = scope_new_reg(p, sym->name, family->type, family->vector);
    return made;
}

void scope_want_label(struct parser *p, struct ptx_label **where, const struct token *t)
{
    struct pending use = {where, t->sym, p->depth, t->line, t->column};
    parse_push(p, &p->pending, use);
}

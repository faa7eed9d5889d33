/* One instruction: its name, taken apart once for each spelling, and its operands. Whether they fit
 * is check.c's. */
#include <string.h>

#include "ptx/parse.h"

static void parse_operand(struct parser *p, struct ptx_operand *out, uint16_t op);

/* ---- the name ---- */

static uint16_t find_op(const char *text, size_t len)
{
    for (unsigned i = 1; i < PTX_OPS; i++)
        if (strlen(ptx_op_names[i]) == len && memcmp(ptx_op_names[i], text, len) == 0)
            return (uint16_t) i;
    return PTX_OP_UNKNOWN;
}

static uint16_t find_mod(const char *text, size_t len)
{
    for (unsigned i = 1; i < PTX_MODS; i++)
        if (strlen(ptx_mod_names[i]) == len && memcmp(ptx_mod_names[i], text, len) == 0)
            return (uint16_t) i;
    return PTX_NOMOD;
}

static void add_modifier(struct mnemonic *mn, const char *text, size_t len)
{
    uint8_t type = find_type(text, len);
    if (type) {
        if (mn->type_count < ARRAY_LEN(mn->types))
            mn->types[mn->type_count] = type;
        mn->type_count++;
        mn->mods[mn->mod_count++] = (uint16_t) (256 + type);
        return;
    }
    if (!mn->space)
        mn->space = find_space(text, len);
    if (len == 2 && text[0] == 'v' && text[1] >= '2' && text[1] <= '8')
        mn->vector = (uint8_t) (text[1] - '0');
    mn->mods[mn->mod_count++] = find_mod(text, len);
}

static struct mnemonic *make_mnemonic(struct parser *p, const struct sym *sym,
                                      const struct token *t)
{
    struct mnemonic *mn = parse_scratch(p, sizeof *mn);
    uint16_t mods[PTX_MAX_MODS];
    *mn = (struct mnemonic){.name = sym->name, .mods = mods};
    const char *dot = strchr(sym->name, '.'), *end = sym->name + sym->len;
    mn->op = find_op(sym->name, (size_t) ((dot ? dot : end) - sym->name));
    while (dot) {
        const char *start = dot + 1;
        dot = strchr(start, '.');
        size_t len = (size_t) ((dot ? dot : end) - start);
        if (mn->mod_count == PTX_MAX_MODS || len == 0)
            parse_fail(p, t, "this instruction's name cannot be read");
        add_modifier(mn, start, len);
    }
    mn->mods = parse_copy(p, mods, mn->mod_count * sizeof *mods);
    check_mnemonic(p, mn);
    return mn;
}

/* ---- operands ---- */

static void refuse_operand(struct parser *p)
{
    char found[64];
    parse_quote(found, sizeof found, &p->tok);
    parse_fail(p, NULL, "expected an operand, found %s", found);
}

static void refuse_name(struct parser *p, const struct token *t)
{
    char found[64];
    parse_quote(found, sizeof found, t);
    parse_fail(p, t, "%s is not declared", found);
}

/* The operands above `from` on the stack, moved to the arena. */
static struct ptx_operand *pop_items(struct parser *p, size_t from, uint16_t *count)
{
    size_t n = p->operands.len - from;
    if (n > UINT16_MAX)
        parse_fail(p, NULL, "too many operands");
    struct ptx_operand *items = parse_copy(p, p->operands.at + from, n * sizeof *items);
    p->operands.len = from;
    *count = (uint16_t) n;
    return items;
}

static void go_deeper(struct parser *p)
{
    if (++p->nesting > PTX_MAX_DEPTH)
        parse_fail(p, NULL, "operands are nested more than %d deep", PTX_MAX_DEPTH);
}

/* A comma-separated list up to the closing bracket, which is taken. */
static void parse_items(struct parser *p, struct ptx_operand *out, unsigned close, uint16_t op)
{
    go_deeper(p);
    size_t from = p->operands.len;
    lex_next(p);
    while (!at_punct(p, close)) {
        struct ptx_operand item;
        parse_operand(p, &item, op);
        if (item.kind == PTX_LABEL)
            refuse_operand(p);
        parse_push(p, &p->operands, item);
        if (!at_punct(p, close))
            want_punct(p, ',', "between operands");
    }
    lex_next(p);
    out->items = pop_items(p, from, &out->count);
    p->nesting--;
}

static void parse_immediate(struct parser *p, struct ptx_operand *out)
{
    struct constant c;
    parse_constant(p, &c);
    out->kind = c.kind;
    out->value = c.value;
    out->spelling = c.spelling;
    out->text = c.text;
}

/* +8, -8, +-8 after a symbol or base register. */
static void parse_offset(struct parser *p, struct ptx_operand *out)
{
    if (!at_punct(p, '+') && !at_punct(p, '-'))
        return;
    uint8_t plus = take_punct(p, '+') ? SPELL_PLUS : 0;
    struct token t = p->tok;
    struct constant c;
    parse_constant(p, &c);
    if (c.kind != PTX_INT)
        parse_fail(p, &t, "an offset must be an integer");
    out->offset = (int64_t) c.value;
    out->spelling = (uint8_t) (c.spelling | plus | SPELL_OFFSET);
    out->text = c.text;
}

/* .x of a vector register or special register, .b2 and .h1 of a video operand. */
static void parse_component(struct parser *p, struct ptx_operand *out)
{
    static const char names[] = "x y z w b0b1b2b3h0h1r g b a ";
    if (p->tok.kind != TOKEN_DOT)
        return;
    for (unsigned i = 0; i < sizeof names / 2; i++) {
        size_t len = names[2 * i + 1] == ' ' ? 1 : 2;
        if (p->tok.len != len || memcmp(p->tok.at, names + 2 * i, len) != 0)
            continue;
        /* .r .g .b .a are the ISA's other names of .x .y .z .w. */
        out->component = (int8_t) (i >= 10 ? i - 10 : i);
        if (i >= 10)
            out->spelling |= SPELL_UPPER;
        lex_next(p);
        return;
    }
    char found[64];
    parse_quote(found, sizeof found, &p->tok);
    parse_fail(p, NULL, "%s is no component of a register", found);
}

/* name[3]: the element's address to mov, the element to what reads and writes memory. */
static void parse_index(struct parser *p, struct ptx_operand *out, uint16_t op)
{
    struct token t = p->tok;
    lex_next(p);
    struct constant c;
    parse_constant(p, &c);
    want_punct(p, ']', "after an index");
    size_t element = ptx_types[out->var->type].bits / 8u * out->var->vector;
    if (c.kind != PTX_INT || c.value > out->var->count || element == 0)
        parse_fail(p, &t, "'%s' has no such element", out->var->name);
    out->kind = op == PTX_OP_MOV ? PTX_SYMBOL : PTX_ADDRESS;
    out->offset = (int64_t) (c.value * element);
    out->value = c.value;
    out->spelling = c.spelling | SPELL_INDEX;
    out->text = c.text;
}

static void parse_named(struct parser *p, struct ptx_operand *out, uint16_t op)
{
    struct token t = p->tok;
    struct sym *sym = t.sym;
    lex_next(p);
    const struct binding *b = scope_find(p, sym);
    if (b && b->kind == BIND_REG) {
        out->kind = PTX_REGISTER;
        out->reg = b->reg;
        parse_component(p, out);
    } else if (sym->sreg) {
        out->kind = PTX_SPECIAL;
        out->sreg = sym->sreg;
        parse_component(p, out);
        if (out->component >= 0 && (!ptx_sregs[sym->sreg].vector || out->component > 3))
            parse_fail(p, &t, "'%s' has no such component", sym->name);
    } else if (sym->len == 1 && sym->name[0] == '_') {
        out->kind = PTX_SINK;
    } else if (op == PTX_OP_BRA || (b && b->kind == BIND_LABEL)) {
        out->kind = PTX_LABEL; /* resolved when the operand has its place: see keep_operands */
    } else if (b && b->kind == BIND_VAR) {
        out->kind = PTX_SYMBOL;
        out->var = b->var;
        if (at_punct(p, '['))
            parse_index(p, out, op);
        else
            parse_offset(p, out);
    } else if (b && b->kind == BIND_FUNC) {
        out->kind = PTX_FUNCTION;
        out->func = b->func;
    } else if (b && b->kind == BIND_TARGETS) {
        *out = *b->targets;
    } else {
        refuse_name(p, &t);
    }
}

/* [base + offset], [offset], [base, {x, y}] and what else may follow the base. */
static void parse_address(struct parser *p, struct ptx_operand *out, uint16_t op)
{
    struct token bracket = p->tok;
    go_deeper(p);
    lex_next(p);
    struct token t = p->tok;
    out->kind = PTX_ADDRESS;
    if (at_name(p) && !at_word(p, "WARP_SZ")) {
        const struct binding *b = scope_find(p, t.sym);
        if (!b || (b->kind != BIND_REG && b->kind != BIND_VAR))
            refuse_name(p, &t);
        lex_next(p);
        if (b->kind == BIND_REG) {
            out->reg = b->reg;
            parse_component(p, out);
        } else {
            out->var = b->var;
        }
        parse_offset(p, out);
    } else {
        struct constant c;
        parse_constant(p, &c);
        if (c.kind != PTX_INT)
            parse_fail(p, &t, "an address must be an integer");
        out->offset = (int64_t) c.value;
        out->spelling = c.spelling | SPELL_OFFSET;
        out->text = c.text;
    }
    if (at_punct(p, ',')) {
        struct ptx_operand base = *out;
        base.kind = base.reg ? PTX_REGISTER : base.var ? PTX_SYMBOL : PTX_INT;
        base.value = base.kind == PTX_INT ? (uint64_t) base.offset : 0;
        *out = (struct ptx_operand){.kind = PTX_TEXADDR, .component = -1};
        size_t from = p->operands.len;
        parse_push(p, &p->operands, base);
        while (take_punct(p, ',')) {
            struct ptx_operand item;
            parse_operand(p, &item, op);
            parse_push(p, &p->operands, item);
        }
        out->items = pop_items(p, from, &out->count);
    }
    if (!at_punct(p, ']')) {
        char found[64];
        parse_quote(found, sizeof found, &p->tok);
        parse_fail(p, NULL, "expected ']' after the address that begins in column %u, found %s",
                   bracket.column, found);
    }
    lex_next(p);
    p->nesting--;
    if (take_dot(p, "unified"))
        out->component = 0;
}

/* ptxas takes {%r1} for %r1 where a vector could stand, and code generators write it. */
static void drop_braces(struct ptx_operand *o, uint16_t op)
{
    static const uint16_t ops[] = {PTX_OP_LD, PTX_OP_LDU, PTX_OP_ST, PTX_OP_SULD, PTX_OP_SUST};
    bool may = false;
    for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
        may |= op == ops[i];
    if (!may || o->count != 1 || o->items[0].kind > PTX_F64IMM ||
        o->items[0].spelling & SPELL_BRACES)
        return;
    *o = o->items[0];
    o->spelling |= SPELL_BRACES;
}

static void parse_plain_operand(struct parser *p, struct ptx_operand *out, uint16_t op)
{
    if (LIKELY(at_name(p)) && !at_word(p, "WARP_SZ")) {
        parse_named(p, out, op);
    } else if (at_punct(p, '{')) {
        out->kind = PTX_VECTOR;
        parse_items(p, out, '}', op);
        drop_braces(out, op);
    } else if (at_punct(p, '[')) {
        parse_address(p, out, op);
    } else if (at_punct(p, '(') && op == PTX_OP_CALL) {
        out->kind = PTX_LIST;
        parse_items(p, out, ')', op);
    } else if (p->tok.kind == TOKEN_DOT || p->tok.kind == TOKEN_STRING ||
               p->tok.kind == TOKEN_END) {
        refuse_operand(p);
    } else {
        parse_immediate(p, out);
    }
}

static void parse_operand(struct parser *p, struct ptx_operand *out, uint16_t op)
{
    *out = (struct ptx_operand){.component = -1};
    if (at_punct(p, '!')) {
        struct place here = lex_save(p);
        lex_next(p);
        if (at_name(p)) {
            parse_named(p, out, op);
            out->negated = true;
            if (out->kind != PTX_REGISTER || out->reg->type != PTX_PRED)
                parse_fail(p, &here.tok, "only a predicate register may be negated");
            return;
        }
        lex_restore(p, &here);
    }
    parse_plain_operand(p, out, op);
    if (LIKELY(!at_punct(p, '|')))
        return;
    size_t from = p->operands.len;
    lex_next(p);
    parse_push(p, &p->operands, *out);
    struct ptx_operand second = {.component = -1};
    parse_plain_operand(p, &second, op);
    parse_push(p, &p->operands, second);
    *out = (struct ptx_operand){.kind = PTX_PAIR, .component = -1};
    out->items = pop_items(p, from, &out->count);
}

/* ---- calls ---- */

static const struct ptx_operand *callee(const struct ptx_insn *in)
{
    for (unsigned i = 0; i < in->operand_count; i++)
        if (in->operands[i].kind != PTX_LIST)
            return &in->operands[i];
    return NULL;
}

/* The last operand of an indirect call names the signature; it becomes in->prototype. */
static bool take_prototype(struct parser *p, struct ptx_insn *in)
{
    const struct binding *b = at_name(p) ? scope_find(p, p->tok.sym) : NULL;
    if (!b || b->kind != BIND_PROTOTYPE)
        return false;
    in->prototype = b->prototype;
    lex_next(p);
    return true;
}

static size_t operand_bytes(const struct ptx_operand *o)
{
    if (o->kind == PTX_SYMBOL)
        return o->var->size;
    if (o->kind == PTX_REGISTER)
        return MAX(ptx_types[o->reg->type].bits / 8u, 1) * o->reg->vector;
    return 0; /* a constant takes the size it is given */
}

static void check_list(struct parser *p, const struct ptx_operand *list,
                       struct ptx_var *const *vars, uint32_t count, const char *what)
{
    uint32_t given = list ? list->count : 0;
    if (given != count)
        parse_fail(p, &p->marks.at[0], "this call has %u %s, '%s' has %u", given, what,
                   p->call_name, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ptx_operand *o = &list->items[i];
        size_t size = operand_bytes(o);
        if (o->kind == PTX_SINK || size == 0 || vars[i]->space != PTX_PARAM || vars[i]->unsized)
            continue;
        if (size != vars[i]->size)
            parse_fail(p, &p->marks.at[0], "'%s' is %zu bytes here and %zu in '%s'",
                       o->kind == PTX_SYMBOL ? o->var->name : o->reg->name, size, vars[i]->size,
                       p->call_name);
    }
}

static void check_call(struct parser *p, const struct ptx_insn *in)
{
    const struct ptx_operand *f = callee(in);
    if (!f || (f->kind != PTX_FUNCTION && f->kind != PTX_REGISTER && f->kind != PTX_SYMBOL))
        parse_fail(p, &p->marks.at[0], "this call names no function");
    const struct ptx_operand *results = f > in->operands ? &in->operands[0] : NULL;
    const struct ptx_operand *end = in->operands + in->operand_count;
    const struct ptx_operand *args = f + 1 < end ? f + 1 : NULL;
    if (f - in->operands > 1 || end - f > 2 || (args && args->kind != PTX_LIST))
        parse_fail(p, &p->marks.at[0], "expected: call (results), function, (arguments)");
    if (f->kind == PTX_FUNCTION && f->func->kind == PTX_FUNC && !in->prototype) {
        p->call_name = f->func->name;
        check_list(p, results, f->func->results, f->func->result_count, "results");
        check_list(p, args, f->func->params, f->func->param_count, "arguments");
    } else if (in->prototype) {
        const struct ptx_prototype *proto = in->prototype;
        if ((results ? results->count : 0u) != proto->result_count ||
            (args ? args->count : 0u) != proto->param_count)
            parse_fail(p, &p->marks.at[0], "this call does not fit its prototype '%s'",
                       proto->name);
    } else if (f->kind != PTX_FUNCTION) {
        parse_fail(p, &p->marks.at[0], "an indirect call must name its prototype");
    }
}

/* ---- the instruction ---- */

static void keep_operands(struct parser *p, struct ptx_insn *in, size_t from)
{
    uint16_t count;
    in->operands = pop_items(p, from, &count);
    in->operand_count = (uint8_t) count;
    for (uint16_t i = 0; i < count; i++)
        if (in->operands[i].kind == PTX_LABEL)
            scope_want_label(p, &in->operands[i].label, &p->marks.at[i + 1]);
}

static void add_insn(struct parser *p, const struct ptx_insn *in)
{
    parse_push(p, &p->insns, *in);
    struct item *last = p->body.len ? &p->body.at[p->body.len - 1] : NULL;
    if (last && last->kind == ITEM_INSNS) {
        last->count++;
    } else {
        struct item item = {ITEM_INSNS, 1, NULL};
        parse_push(p, &p->body, item);
    }
}

void parse_insn(struct parser *p, struct ptx_reg *guard, bool negated)
{
    struct token t = p->tok;
    struct sym *sym = lex_mnemonic(p);
    t.len = (uint32_t) MIN(sym->len, 100);
    if (UNLIKELY(!sym->mnemonic))
        sym->mnemonic = make_mnemonic(p, sym, &t);
    const struct mnemonic *mn = sym->mnemonic;
    struct ptx_insn in = {.op = mn->op,
                          .mod_count = mn->mod_count,
                          .mods = mn->mods,
                          .guard = guard,
                          .guard_negated = negated,
                          .space = mn->space,
                          .name = mn->name,
                          .line = t.line,
                          .loc = p->loc};
    memcpy(in.types, mn->types, sizeof in.types);
    size_t from = p->operands.len;
    p->marks.len = 0;
    parse_push(p, &p->marks, t);
    while (!at_punct(p, ';')) {
        if (p->operands.len > from)
            want_punct(p, ',', "or ';' after an operand");
        if (p->operands.len - from == PTX_MAX_OPERANDS)
            parse_fail(p, NULL, "an instruction has at most %d operands", PTX_MAX_OPERANDS);
        if (mn->op == PTX_OP_CALL && take_prototype(p, &in))
            break;
        parse_push(p, &p->marks, p->tok);
        struct ptx_operand o;
        parse_operand(p, &o, mn->op);
        parse_push(p, &p->operands, o);
    }
    keep_operands(p, &in, from);
    want_punct(p, ';', "after an instruction");
    if (mn->op == PTX_OP_CALL)
        check_call(p, &in);
    check_insn(p, &in, mn);
    add_insn(p, &in);
}

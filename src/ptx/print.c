/* A module back to text. Everything is written from the IR; the layout records say only in which
 * order it stood and how numbers were spelled. */
#include "ptx/print.h"

#include "base/str.h"
#include "ptx/ptx.h"

/* ---- operands ---- */

static void print_operand(struct str *out, const struct ptx_operand *o);

static void print_items(struct str *out, const struct ptx_operand *o, char open, char close)
{
    str_addc(out, open);
    for (unsigned i = 0; i < o->count; i++) {
        str_add(out, i ? ", " : "");
        print_operand(out, &o->items[i]);
    }
    str_addc(out, close);
}

static void print_component(struct str *out, const struct ptx_operand *o)
{
    static const char *const names[] = {"x", "y", "z", "w", "b0", "b1", "b2", "b3", "h0", "h1"};
    static const char *const colours[] = {"r", "g", "b", "a"};
    if (o->component < 0)
        return;
    bool colour = o->spelling & SPELL_UPPER && o->component < 4;
    str_addf(out, ".%s", colour ? colours[o->component] : names[o->component]);
}

static void print_symbol(struct str *out, const struct ptx_operand *o)
{
    if (o->var)
        str_add(out, o->var->name);
    if (!(o->spelling & SPELL_INDEX)) {
        print_offset(out, o->offset, o->spelling, o->text);
        return;
    }
    str_addc(out, '[');
    print_int(out, o->value, o->spelling, o->text);
    str_addc(out, ']');
}

static void print_address(struct str *out, const struct ptx_operand *o)
{
    if (o->spelling & SPELL_INDEX) {
        print_symbol(out, o);
        return;
    }
    str_addc(out, '[');
    if (o->reg) {
        str_add(out, o->reg->name);
        print_offset(out, o->offset, o->spelling, o->text);
    } else {
        print_symbol(out, o);
    }
    str_add(out, o->component == 0 ? "].unified" : "]");
}

static void print_pair(struct str *out, const struct ptx_operand *o)
{
    print_operand(out, &o->items[0]);
    str_addc(out, '|');
    print_operand(out, &o->items[1]);
}

static void print_number(struct str *out, const struct ptx_operand *o)
{
    if (o->kind == PTX_INT || o->text)
        print_int(out, o->value, o->spelling, o->text);
    else
        print_bits(out, o->value, o->kind == PTX_F32IMM ? 8 : 16, o->spelling);
}

/* The first item of [object, {x, y}] is a base, perhaps with an offset. */
static void print_base(struct str *out, const struct ptx_operand *o)
{
    if (o->kind == PTX_INT) {
        print_int(out, o->value, o->spelling, o->text);
        return;
    }
    str_add(out, o->kind == PTX_REGISTER ? o->reg->name : o->var->name);
    print_offset(out, o->offset, o->spelling, o->text);
}

static void print_coordinates(struct str *out, const struct ptx_operand *o)
{
    str_addc(out, '[');
    print_base(out, &o->items[0]);
    for (unsigned i = 1; i < o->count; i++) {
        str_add(out, ", ");
        print_operand(out, &o->items[i]);
    }
    str_addc(out, ']');
}

static void print_bare(struct str *out, const struct ptx_operand *o)
{
    switch ((enum ptx_operand_kind) o->kind) {
    case PTX_NONE:
        break;
    case PTX_REGISTER:
        str_add(out, o->reg->name);
        print_component(out, o);
        break;
    case PTX_INT:
    case PTX_F32IMM:
    case PTX_F64IMM:
        print_number(out, o);
        break;
    case PTX_SPECIAL:
        str_add(out, ptx_sreg_names[o->sreg]);
        print_component(out, o);
        break;
    case PTX_SYMBOL:
        print_symbol(out, o);
        break;
    case PTX_FUNCTION:
        str_add(out, o->func->name);
        break;
    case PTX_LABEL:
        str_add(out, o->label->name);
        break;
    case PTX_ADDRESS:
        print_address(out, o);
        break;
    case PTX_VECTOR:
        print_items(out, o, '{', '}');
        break;
    case PTX_PAIR:
        print_pair(out, o);
        break;
    case PTX_LIST:
        if (o->label)
            str_add(out, o->label->name);
        else
            print_items(out, o, '(', ')');
        break;
    case PTX_SINK:
        str_addc(out, '_');
        break;
    case PTX_TEXADDR:
        print_coordinates(out, o);
        break;
    }
}

static void print_operand(struct str *out, const struct ptx_operand *o)
{
    bool braces = o->spelling & SPELL_BRACES && o->kind != PTX_ADDRESS && o->kind != PTX_SYMBOL;
    if (o->negated)
        str_addc(out, '!');
    if (braces)
        str_addc(out, '{');
    print_bare(out, o);
    if (braces)
        str_addc(out, '}');
}

/* ---- instructions ---- */

static bool is_known(const struct ptx_insn *in)
{
    bool known = in->op != PTX_OP_UNKNOWN;
    for (unsigned i = 0; i < in->mod_count; i++)
        known &= in->mods[i] != PTX_NOMOD;
    return known;
}

static void print_name(struct str *out, const struct ptx_insn *in)
{
    if (!is_known(in)) { /* the tables lack a part of it */
        str_add(out, in->name);
        return;
    }
    str_add(out, ptx_op_names[in->op]);
    for (unsigned i = 0; i < in->mod_count; i++) {
        str_addc(out, '.');
        str_add(out,
                in->mods[i] < 256 ? ptx_mod_names[in->mods[i]] : ptx_types[in->mods[i] - 256].text);
    }
}

void ptx_print_insn(struct str *out, const struct ptx_insn *in)
{
    if (in->guard)
        str_addf(out, "@%s%s ", in->guard_negated ? "!" : "", in->guard->name);
    print_name(out, in);
    for (unsigned i = 0; i < in->operand_count; i++) {
        str_add(out, i ? ", " : " ");
        print_operand(out, &in->operands[i]);
    }
    if (in->prototype)
        str_addf(out, ", %s", in->prototype->name);
    str_addc(out, ';');
}

/* ---- statements ---- */

static void print_strings(struct str *out, const char *const *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        str_addf(out, "%s\"%s\"", i ? ", " : " ", texts[i]);
}

static void print_loc(struct str *out, const struct loc_layout *l)
{
    str_addf(out, "\t.loc\t%u %u %u", l->loc.file, l->loc.line, l->loc.column);
    if (l->label)
        str_addf(out, ", function_name %s", l->label);
    if (l->has_label_offset)
        str_addf(out, "+%lld", (long long) l->label_offset);
    if (l->has_inlined_at)
        str_addf(out, ", inlined_at %u %u %u", l->loc.inlined_at->file, l->loc.inlined_at->line,
                 l->loc.inlined_at->column);
    str_addc(out, '\n');
}

static void print_directives(struct str *out, const struct directive *d, uint32_t count)
{
    for (; count; count--, d++) {
        str_addf(out, "\n.%s", d->name);
        if (d->texts) {
            print_strings(out, d->texts, d->value_count);
            str_addc(out, ';');
            continue;
        }
        for (uint32_t i = 0; i < d->value_count; i++)
            str_addf(out, "%s%llu", i ? ", " : " ", (unsigned long long) d->values[i]);
    }
}

static void print_prototype(struct str *out, const struct prototype_layout *l)
{
    str_addf(out, "\t%s : .callprototype ", l->prototype->name);
    print_params(out, &l->results);
    str_addf(out, " %s ", l->placeholder);
    print_params(out, &l->params);
    print_directives(out, l->directives, l->directive_count);
    str_add(out, ";\n");
}

static void print_branch_targets(struct str *out, const struct ptx_operand *list)
{
    str_addf(out, "%s: .branchtargets ", list->label->name);
    for (unsigned i = 0; i < list->count; i++)
        str_addf(out, "%s%s", i ? ", " : "", list->items[i].label->name);
    str_add(out, ";\n");
}

static void print_call_targets(struct str *out, const struct ptx_prototype *proto)
{
    str_addf(out, "%s: .calltargets ", proto->name);
    for (uint32_t i = 0; i < proto->target_count; i++)
        str_addf(out, "%s%s", i ? ", " : "", proto->targets[i]->name);
    str_add(out, ";\n");
}

static void print_insns(struct str *out, const struct ptx_insn *in, uint32_t count)
{
    for (; count; count--, in++) {
        str_addc(out, '\t');
        ptx_print_insn(out, in);
        str_addc(out, '\n');
    }
}

/* Statements that a function and a module may both hold, and those of a function. */
static void print_statement(struct str *out, const struct item *item)
{
    const void *p = item->p;
    switch ((enum item_kind) item->kind) {
    case ITEM_LABEL:
        str_addf(out, "%s:\n", ((const struct ptx_label *) p)->name);
        break;
    case ITEM_OPEN:
        str_add(out, "\t{\n");
        break;
    case ITEM_CLOSE:
        str_add(out, "\t}\n");
        break;
    case ITEM_EMPTY:
        str_add(out, ";\n");
        break;
    case ITEM_REGS:
        print_regs(out, p);
        break;
    case ITEM_VARS:
        print_vars(out, p, item->count);
        break;
    case ITEM_LOC:
        print_loc(out, p);
        break;
    case ITEM_PRAGMA:
        str_add(out, "\t.pragma");
        print_strings(out, p, item->count);
        str_add(out, ";\n");
        break;
    case ITEM_PROTOTYPE:
        print_prototype(out, p);
        break;
    case ITEM_BRANCH_TARGETS:
        print_branch_targets(out, p);
        break;
    case ITEM_CALL_TARGETS:
        print_call_targets(out, p);
        break;
    default:
        break;
    }
}

static void print_body(struct str *out, const struct ptx_func *f)
{
    const struct item_list *body = f->layout;
    const struct ptx_insn *next = f->insns;
    str_add(out, "\n{\n");
    for (size_t i = 0; i < body->count; i++) {
        const struct item *item = &body->at[i];
        if (item->kind == ITEM_INSNS) {
            print_insns(out, next, item->count);
            next += item->count;
        } else {
            print_statement(out, item);
        }
    }
    str_add(out, "}\n");
}

static void print_func(struct str *out, const struct func_layout *l)
{
    print_linkage(out, &l->linkage);
    str_add(out, l->func->kind == PTX_ENTRY ? ".entry" : ".func");
    if (l->is_unified) {
        str_add(out, " .attribute(");
        print_unified(out, l->unified);
        str_addc(out, ')');
    }
    if (l->results.given)
        str_addc(out, ' ');
    print_params(out, &l->results);
    str_addf(out, " %s", l->func->name);
    print_params(out, &l->params);
    print_directives(out, l->directives, l->directive_count);
    if (l->has_body)
        print_body(out, l->func);
    else
        str_add(out, ";\n");
}

/* ---- the module ---- */

static void print_target(struct str *out, const struct target_layout *l)
{
    str_add(out, ".target ");
    for (uint32_t i = 0; i < l->count; i++)
        str_addf(out, "%s%s", i ? ", " : "", l->names[i]);
    str_addc(out, '\n');
}

static void print_file(struct str *out, const struct file_layout *l)
{
    str_addf(out, "\t.file\t%u \"%s\"", l->number, l->name);
    if (l->has_time)
        str_addf(out, ", %llu, %llu", (unsigned long long) l->time, (unsigned long long) l->size);
    str_addc(out, '\n');
}

static void print_top(struct str *out, const struct ptx_module *m, const struct item *item)
{
    const struct alias_layout *alias = item->p;
    switch ((enum item_kind) item->kind) {
    case ITEM_VERSION:
        str_addf(out, ".version %u.%u\n", m->version_major, m->version_minor);
        break;
    case ITEM_TARGET:
        print_target(out, item->p);
        break;
    case ITEM_ADDRESS_SIZE:
        str_addf(out, ".address_size %u\n\n", m->address_size);
        break;
    case ITEM_FILE:
        print_file(out, item->p);
        break;
    case ITEM_SECTION:
        print_section(out, item->p);
        break;
    case ITEM_ALIAS:
        str_addf(out, ".alias %s, %s;\n", alias->name, alias->target);
        break;
    case ITEM_FUNC:
        print_func(out, item->p);
        break;
    default:
        print_statement(out, item);
        break;
    }
}

void ptx_print(struct str *out, const struct ptx_module *m)
{
    const struct item_list *layout = m->layout;
    for (size_t i = 0; i < layout->count; i++)
        print_top(out, m, &layout->at[i]);
}

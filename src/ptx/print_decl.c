/* The printer's half for declarations and data: numbers, variables, parameters, sections. */
#include <inttypes.h>

#include "ptx/print.h"

/* ---- numbers ---- */

void print_int(struct str *out, uint64_t value, uint8_t spelling, const char *text)
{
    if (text) {
        str_add(out, text);
        return;
    }
    if (spelling & SPELL_MINUS) {
        str_addc(out, '-');
        value = 0 - value;
    }
    if (!(spelling & SPELL_HEX))
        str_addf(out, "%" PRIu64, value);
    else if (spelling & SPELL_UPPER)
        str_addf(out, "0%c%" PRIX64, spelling & SPELL_PREFIX_UPPER ? 'X' : 'x', value);
    else
        str_addf(out, "0%c%" PRIx64, spelling & SPELL_PREFIX_UPPER ? 'X' : 'x', value);
    if (spelling & SPELL_U)
        str_addc(out, 'U');
}

void print_bits(struct str *out, uint64_t value, unsigned digits, uint8_t spelling)
{
    if (spelling & SPELL_MINUS) {
        str_addc(out, '-');
        value ^= UINT64_C(1) << (digits * 4 - 1);
    }
    char prefix = digits == 8 ? 'f' : 'd';
    str_addc(out, '0');
    str_addc(out, spelling & SPELL_PREFIX_UPPER ? (char) (prefix - 'a' + 'A') : prefix);
    str_addf(out, spelling & SPELL_UPPER ? "%0*" PRIX64 : "%0*" PRIx64, (int) digits, value);
}

void print_offset(struct str *out, int64_t value, uint8_t spelling, const char *text)
{
    if (!(spelling & SPELL_OFFSET))
        return;
    if (spelling & SPELL_PLUS)
        str_addc(out, '+');
    print_int(out, (uint64_t) value, spelling, text);
}

/* ---- variables ---- */

const char *print_space(uint8_t space)
{
    static const char *const names[] = {"",       ".reg",   ".global", ".shared",
                                        ".local", ".const", ".param",  ".tex"};
    return names[space];
}

void print_linkage(struct str *out, const struct linkage *linkage)
{
    const char *word = linkage->is_extern    ? ".extern "
                       : linkage->is_visible ? ".visible "
                       : linkage->is_weak    ? ".weak "
                       : linkage->is_common  ? ".common "
                                             : "";
    str_add(out, word);
}

void print_unified(struct str *out, const uint64_t unified[2])
{
    str_addf(out, ".unified(%" PRIu64 ", %" PRIu64 ")", unified[0], unified[1]);
}

static void print_attributes(struct str *out, const struct var_layout *l)
{
    if (!l->is_managed && !l->is_unified)
        return;
    str_add(out, " .attribute(");
    if (l->is_managed)
        str_add(out, ".managed");
    if (l->is_managed && l->is_unified)
        str_addc(out, ',');
    if (l->is_unified)
        print_unified(out, l->unified);
    str_addc(out, ')');
}

static void print_head(struct str *out, const struct var_layout *l)
{
    const struct ptx_var *var = l->var;
    print_linkage(out, &l->linkage);
    str_add(out, print_space(l->space));
    print_attributes(out, l);
    if (l->has_align)
        str_addf(out, " .align %u", l->align);
    if (var->vector > 1)
        str_addf(out, " .v%u", var->vector);
    str_addf(out, " .%s", ptx_types[var->type].text);
    if (var->is_ptr)
        str_addf(out, " .ptr %s", print_space(var->ptr_space));
    if (l->has_ptr_align)
        str_addf(out, " .align %u", var->ptr_align);
    str_addc(out, ' ');
}

static void print_dims(struct str *out, const struct var_layout *l)
{
    for (uint32_t i = 0; i < l->dim_count; i++) {
        str_addc(out, '[');
        if (l->dims[i])
            str_addf(out, "%zu", l->dims[i]);
        str_addc(out, ']');
    }
}

static void print_reloc(struct str *out, const struct ptx_reloc *r, const struct init_item *item)
{
    bool wrapped = r->generic || item->masked;
    if (r->generic)
        str_add(out, "generic");
    if (item->masked)
        print_int(out, UINT64_C(0xff) << r->shift, item->mask_spelling, item->mask_text);
    if (wrapped)
        str_addc(out, '(');
    str_add(out, r->var ? r->var->name : r->func->name);
    if (r->generic)
        str_addc(out, ')');
    print_offset(out, r->addend, item->spelling, item->text);
    if (item->masked)
        str_addc(out, ')');
}

static uint64_t load(const struct ptx_var *var, const struct init_item *item)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < MIN(item->width, 8u); i++)
        value |= (uint64_t) var->init[item->at + i] << 8 * i;
    /* A number spelled with a minus was cut to the width: widen it again. */
    if (item->kind == INIT_INT && item->spelling & SPELL_MINUS && item->width < 8)
        value |= UINT64_MAX << 8 * item->width;
    return value;
}

static void print_init(struct str *out, const struct var_layout *l)
{
    bool first = true;
    for (uint32_t i = 0; i < l->init_count; i++) {
        const struct init_item *item = &l->init[i];
        if (!first && item->kind != INIT_CLOSE)
            str_add(out, ", ");
        first = item->kind == INIT_OPEN;
        switch (item->kind) {
        case INIT_OPEN:
            str_addc(out, '{');
            break;
        case INIT_CLOSE:
            str_addc(out, '}');
            break;
        case INIT_RELOC:
            print_reloc(out, &l->var->relocs[item->at], item);
            break;
        case INIT_INT:
            print_int(out, load(l->var, item), item->spelling, item->text);
            break;
        default:
            if (item->text)
                str_add(out, item->text);
            else
                print_bits(out, load(l->var, item), item->kind == INIT_F32 ? 8 : 16,
                           item->spelling);
        }
    }
}

void print_vars(struct str *out, const struct var_layout *layouts, uint32_t count)
{
    print_head(out, layouts);
    for (uint32_t i = 0; i < count; i++) {
        const struct var_layout *l = &layouts[i];
        str_addf(out, "%s%s", i ? ", " : "", l->var->name);
        print_dims(out, l);
        if (l->init_count) {
            str_add(out, " = ");
            print_init(out, l);
        }
    }
    str_add(out, ";\n");
}

void print_regs(struct str *out, const struct reg_layout *l)
{
    str_add(out, "\t.reg ");
    if (l->vector > 1)
        str_addf(out, ".v%u ", l->vector);
    str_addf(out, ".%s \t", ptx_types[l->type].text);
    for (uint32_t i = 0; i < l->count; i++) {
        str_addf(out, "%s%s", i ? ", " : "", l->names[i]);
        if (l->has_count[i])
            str_addf(out, "<%u>", l->counts[i]);
    }
    str_add(out, ";\n");
}

void print_params(struct str *out, const struct param_list *list)
{
    if (!list->given)
        return;
    str_addc(out, '(');
    for (uint32_t i = 0; i < list->count; i++) {
        str_add(out, i ? ", " : "");
        print_head(out, &list->at[i]);
        str_add(out, list->at[i].var->name);
        print_dims(out, &list->at[i]);
    }
    str_addc(out, ')');
}

/* ---- sections ---- */

static void print_data(struct str *out, const struct data_item *item)
{
    if (item->kind == DATA_INT) {
        print_int(out, item->value, item->spelling, item->text);
        return;
    }
    if (item->is_section)
        str_addc(out, '.');
    str_add(out, item->name);
    if (item->kind == DATA_SYMBOL)
        print_offset(out, (int64_t) item->value, item->spelling, item->text);
    else
        str_addf(out, "-%s", item->minus);
}

void print_section(struct str *out, const struct section_layout *s)
{
    str_addf(out, "\t.section\t%s%s\n\t{\n", s->is_plain ? "" : ".", s->name);
    for (size_t i = 0; i < s->count; i++) {
        const struct data_item *item = &s->items[i];
        if (item->kind == DATA_LABEL) {
            str_addf(out, "%s%s:", i ? "\n" : "", item->name);
            continue;
        }
        if (item->kind == DATA_DIRECTIVE) {
            str_addf(out, "%s.%s ", i ? "\n" : "", ptx_types[item->type].text);
            continue;
        }
        if (s->items[i - 1].kind != DATA_DIRECTIVE)
            str_addc(out, ',');
        print_data(out, item);
    }
    str_add(out, "\n\t}\n");
}

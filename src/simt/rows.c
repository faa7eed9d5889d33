/* The index of micro.def: its forms, expanded and sorted when first asked for, searched by a key
 * made of an instruction's opcode, modifiers and types. Knows no single operation. */
#include "simt/rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 2048, KEY_MODS = 4, KEY_TYPES = 3 };

#define SIMT_BITS_none 0
#define SIMT_BITS_pred 1
#define SIMT_BITS_word 1
#define SIMT_BITS_u8 8
#define SIMT_BITS_s8 8
#define SIMT_BITS_u16 16
#define SIMT_BITS_s16 16
#define SIMT_BITS_u32 32
#define SIMT_BITS_s32 32
#define SIMT_BITS_f32 32
#define SIMT_BITS_u64 64
#define SIMT_BITS_s64 64
#define SIMT_BITS_f64 64

#define ROW(n, D, A, B, C, E) \
    {n, {SIMT_BITS_##D, SIMT_BITS_##A, SIMT_BITS_##B, SIMT_BITS_##C, SIMT_BITS_##E}},
#define OP0(name, unit, forms, D, ...) ROW(0, D, none, none, none, none)
#define OP1(name, unit, forms, D, A, ...) ROW(1, D, A, none, none, none)
#define OP2(name, unit, forms, D, A, B, ...) ROW(2, D, A, B, none, none)
#define OP3(name, unit, forms, D, A, B, C, ...) ROW(3, D, A, B, C, none)
#define OP4(name, unit, forms, D, A, B, C, E, ...) ROW(4, D, A, B, C, E)
#define OPX(name, file) {0, {0}},
static const struct simt_row rows[SIMT_OPS] = {
#include "simt/micro.def"
};
#undef OP0
#undef OP1
#undef OP2
#undef OP3
#undef OP4
#undef OPX

#define OP0(name, unit, forms, ...) forms,
#define OP1 OP0
#define OP2 OP0
#define OP3 OP0
#define OP4 OP0
#define OPX(name, file) "",
static const char *const texts[SIMT_OPS] = {
#include "simt/micro.def"
};

/* ---- keys ---- */

struct key {
    uint64_t form;
    uint16_t op; /* enum simt_op */
};

/* Made once, read-only after that. */
static struct {
    pthread_once_t once;
    struct key keys[MAX_KEYS];
    size_t count;
    bool has[PTX_OPS];
    const char *bad;
} made = {.once = PTHREAD_ONCE_INIT};

/* Modifiers are a set: their numbers go in by size. 9 bits each, as the opcode; 6 a type. */
static uint64_t key_of(const struct simt_form *f)
{
    uint16_t mods[KEY_MODS] = {0};
    for (unsigned i = 0; i < f->mod_count; i++) {
        unsigned at = i;
        for (; at > 0 && mods[at - 1] > f->mods[i]; at--)
            mods[at] = mods[at - 1];
        mods[at] = f->mods[i];
    }
    uint64_t key = f->op;
    for (unsigned i = 0; i < KEY_MODS; i++)
        key = key << 9 | mods[i];
    for (unsigned i = 0; i < KEY_TYPES; i++)
        key = key << 6 | (i < f->type_count ? f->types[i] : 0u);
    return key;
}

static int by_form(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return (x->form > y->form) - (x->form < y->form);
}

/* ---- reading forms ---- */

static unsigned find_name(const char *const *names, unsigned count, const char *text, size_t len)
{
    for (unsigned i = 1; i < count; i++)
        if (names[i] && !strncmp(names[i], text, len) && !names[i][len])
            return i;
    return 0;
}

static unsigned find_type(const char *text, size_t len)
{
    for (unsigned i = 1; i < PTX_TYPES; i++)
        if (!strncmp(ptx_types[i].text, text, len) && !ptx_types[i].text[len])
            return i;
    return 0;
}

/* Adds one part of a form, a type or a modifier; false: nobody knows it. */
static bool add_part(struct simt_form *f, const char *text, size_t len)
{
    unsigned type = find_type(text, len);
    if (type && f->type_count < KEY_TYPES) {
        f->types[f->type_count++] = (uint8_t) type;
        return true;
    }
    unsigned mod = find_name(ptx_mod_names, PTX_MODS, text, len);
    if (mod && f->mod_count < KEY_MODS)
        f->mods[f->mod_count++] = (uint16_t) mod;
    return mod && !type;
}

/* Expands what follows an opcode: `at` stands on a dot, or at the form's end. */
static void expand(const struct simt_form *so_far, const char *at, uint16_t op)
{
    if (*at != '.') {
        if (made.count < MAX_KEYS)
            made.keys[made.count++] = (struct key){key_of(so_far), op};
        return;
    }
    at++;
    const char *end = at + strcspn(at, ". ");
    bool optional = end > at && end[-1] == '?';
    const char *stop = end - optional;
    if (optional)
        expand(so_far, end, op);
    while (at < stop) {
        size_t len = strcspn(at, "|");
        len = MIN(len, (size_t) (stop - at));
        struct simt_form f = *so_far;
        if (add_part(&f, at, len))
            expand(&f, end, op);
        else
            made.bad = texts[op];
        at += len + 1;
    }
}

static void read_row(uint16_t op)
{
    for (const char *at = texts[op]; *at; at += strspn(at, " ")) {
        const char *end = at + strcspn(at, ". ");
        while (at < end) {
            size_t len = MIN(strcspn(at, "|"), (size_t) (end - at));
            struct simt_form f = {.op = (uint16_t) find_name(ptx_op_names, PTX_OPS, at, len)};
            if (f.op)
                expand(&f, end, op);
            else
                made.bad = texts[op];
            made.has[f.op] = true;
            at += len + 1;
        }
        at = end + strcspn(end, " ");
    }
}

static void make(void)
{
    for (unsigned op = 0; op < SIMT_OPS; op++)
        read_row((uint16_t) op);
    qsort(made.keys, made.count, sizeof *made.keys, by_form);
    for (size_t i = 1; i < made.count; i++)
        if (made.keys[i].form == made.keys[i - 1].form)
            made.bad = texts[made.keys[i].op];
    if (made.count == MAX_KEYS)
        made.bad = "too many forms";
    made.has[PTX_OP_UNKNOWN] = false;
}

/* ---- asking ---- */

bool simt_form_of(struct simt_form *out, const struct ptx_insn *in)
{
    *out = (struct simt_form){.op = in->op};
    for (unsigned i = 0; i < in->mod_count; i++) {
        if (in->mods[i] >= 256 && out->type_count < ARRAY_LEN(out->types))
            out->types[out->type_count++] = (uint8_t) (in->mods[i] - 256);
        else if (in->mods[i] < 256 && out->mod_count < ARRAY_LEN(out->mods))
            out->mods[out->mod_count++] = in->mods[i];
        else
            return false;
    }
    return true;
}

bool simt_form_drop(struct simt_form *form, enum ptx_mod mod)
{
    for (unsigned i = 0; i < form->mod_count; i++)
        if (form->mods[i] == mod) {
            form->mods[i] = form->mods[--form->mod_count];
            return true;
        }
    return false;
}

enum simt_op simt_row_find(const struct simt_form *form)
{
    pthread_once(&made.once, make);
    if (form->mod_count > KEY_MODS || form->type_count > KEY_TYPES)
        return SIMT_OPS;
    struct key key = {.form = key_of(form)};
    const struct key *at = bsearch(&key, made.keys, made.count, sizeof key, by_form);
    return at ? at->op : SIMT_OPS;
}

bool simt_row_has(enum ptx_op op)
{
    pthread_once(&made.once, make);
    return made.has[op];
}

const struct simt_row *simt_row(enum simt_op op)
{
    return &rows[op];
}

size_t simt_row_forms(const char **bad)
{
    pthread_once(&made.once, make);
    *bad = made.bad;
    return made.count;
}

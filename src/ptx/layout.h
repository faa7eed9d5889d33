/* What the printer needs beside the IR: the textual order of declarations, blocks, labels and
 * directives, and how numbers were spelled. Made by the parser, in the module's arena; of no use to
 * anybody else. */
#ifndef PTX_LAYOUT_H
#define PTX_LAYOUT_H

#include "ptx/ir.h"

/* How a constant was spelled, so that it can be printed again from its value. */
enum spelling {
    SPELL_HEX = 1,          /* 0x with lower-case digits, or 0f and 0d with lower-case digits */
    SPELL_UPPER = 2,        /* the digits are upper case */
    SPELL_PREFIX_UPPER = 4, /* 0X, 0F, 0D */
    SPELL_MINUS = 8,        /* a minus sign and the magnitude */
    SPELL_PLUS = 16,        /* of an offset: it follows a plus sign */
    SPELL_U = 32,           /* 7U */
    SPELL_BRACES = 64,      /* of an operand that is no address: {x} for x */
    SPELL_INDEX = 64,       /* of an offset: name[3] */
    SPELL_OFFSET = 128,     /* there is an offset, were it 0 */
};

enum item_kind {
    ITEM_INSNS,          /* `count` instructions that follow those before */
    ITEM_LABEL,          /* struct ptx_label */
    ITEM_OPEN,           /* { */
    ITEM_CLOSE,          /* } */
    ITEM_EMPTY,          /* ; */
    ITEM_REGS,           /* struct reg_layout */
    ITEM_VARS,           /* struct var_layout, `count` of them joined by commas */
    ITEM_LOC,            /* struct loc_layout */
    ITEM_PRAGMA,         /* char *: `count` texts as between the quotes */
    ITEM_PROTOTYPE,      /* struct prototype_layout */
    ITEM_BRANCH_TARGETS, /* struct ptx_operand, a PTX_LIST */
    ITEM_CALL_TARGETS,   /* struct ptx_prototype */
    ITEM_FUNC,           /* struct func_layout */
    ITEM_VERSION,
    ITEM_TARGET, /* struct target_layout */
    ITEM_ADDRESS_SIZE,
    ITEM_FILE,    /* struct file_layout */
    ITEM_SECTION, /* struct section_layout */
    ITEM_ALIAS,   /* struct alias_layout */
};

struct item {
    uint8_t kind;
    uint32_t count;
    const void *p;
};

/* A run of items: a function's body (ptx_func.layout) or a module (ptx_module.layout). */
struct item_list {
    const struct item *at;
    size_t count;
};

struct linkage {
    bool is_extern, is_visible, is_weak, is_common;
};

struct reg_layout {
    uint8_t type, vector;
    uint32_t count;
    const char **names;
    uint32_t *counts; /* 5 of %r<5> */
    bool *has_count;  /* false: a single register */
};

enum init_kind { INIT_OPEN, INIT_CLOSE, INIT_INT, INIT_F32, INIT_F64, INIT_RELOC };

/* One step through an initialiser; the value stands in the variable's `init` or `relocs`. */
struct init_item {
    uint8_t kind, spelling;
    uint8_t width; /* bytes */
    bool masked;   /* of a reloc: mask(symbol) */
    uint8_t mask_spelling;
    const char *mask_text;
    size_t at;        /* offset in `init`, or index in `relocs` */
    const char *text; /* if `spelling` does not say it all */
};

struct var_layout {
    const struct ptx_var *var;
    struct linkage linkage;
    uint8_t space;
    uint32_t align;
    bool has_align, is_managed, has_ptr_align, is_unified;
    uint64_t unified[2];
    uint32_t dim_count;
    const size_t *dims; /* 0: [] */
    const struct init_item *init;
    uint32_t init_count;
};

struct param_list {
    bool given; /* the parentheses stand there */
    uint32_t count;
    struct var_layout *at;
};

struct directive {
    const char *name;
    const char *const *texts; /* of .pragma: `value_count` of them */
    uint32_t value_count;
    uint64_t values[3];
};

struct func_layout {
    const struct ptx_func *func;
    struct linkage linkage;
    struct param_list results, params;
    const struct directive *directives;
    uint32_t directive_count;
    bool has_body, is_unified;
    uint64_t unified[2];
};

struct prototype_layout {
    const struct ptx_prototype *prototype;
    const char *placeholder; /* where a function has its name: `_` */
    struct param_list results, params;
    const struct directive *directives;
    uint32_t directive_count;
};

struct loc_layout {
    struct ptx_loc loc;
    const char *label; /* of the function's name; NULL: none */
    bool has_label_offset;
    int64_t label_offset;
    bool has_inlined_at;
    uint32_t inlined_at[3];
};

struct target_layout {
    uint32_t count;
    const char **names;
};

struct file_layout {
    uint32_t number;
    const char *name; /* as between the quotes */
    bool has_time;
    uint64_t time, size;
};

struct alias_layout {
    const char *name, *target;
};

enum data_kind {
    DATA_LABEL,     /* name: */
    DATA_DIRECTIVE, /* .b8: `type`; values follow */
    DATA_INT,
    DATA_SYMBOL,     /* name + value */
    DATA_DIFFERENCE, /* name - minus */
};

struct data_item {
    uint8_t kind, type, spelling;
    bool is_section; /* `name` is that of a section: a dot before it */
    uint64_t value;
    const char *name, *minus, *text;
};

struct section_layout {
    const char *name;
    bool is_plain; /* no dot before the name */
    struct data_item *items;
    size_t count;
};

#endif

/* What the parts of the parser share: tokens, names and their scopes, the parser's state. Nothing
 * here outlives ptx_parse but what lies in the module's arena. */
#ifndef PTX_PARSE_H
#define PTX_PARSE_H

#include <setjmp.h>

#include "base/vec.h"
#include "ptx/layout.h"
#include "ptx/ptx.h"
#include "ptx/symbol.h"

enum {
    PTX_MAX_DEPTH = 60,    /* of nested blocks, braces or parentheses */
    PTX_MAX_OPERANDS = 16, /* of an instruction */
    PTX_MAX_MODS = 24,     /* of an instruction */
};

/* The largest variable, in bytes: sums of a few of them cannot overflow. */
#define PTX_MAX_VAR_SIZE (UINT64_C(1) << 46)

/* ---- tokens ---- */

enum token_kind {
    TOKEN_END,
    TOKEN_NAME, /* add, %r1, $L__BB0_1, _ */
    TOKEN_DOT,  /* .global, .shared::cta; `at` is past the dot */
    TOKEN_INT,
    TOKEN_F32,    /* 0f3F800000 */
    TOKEN_F64,    /* 0d…, 1.5, 2e3 */
    TOKEN_STRING, /* `at` is past the quote */
    TOKEN_PUNCT,  /* `punct`; << >> <= >= == != && || are two equal or a pair of characters */
};

struct token {
    uint8_t kind;
    bool is_unsigned; /* an integer with U, or too large for s64 */
    uint16_t punct;   /* one character, or two: first | second << 8 */
    uint32_t line, column, len;
    const char *at;
    uint64_t value;
    struct sym *sym; /* of a TOKEN_NAME */
};

#define PUNCT2(a, b) ((a) | (b) << 8)

/* ---- names ---- */

enum binding_kind {
    BIND_REG,
    BIND_FAMILY,
    BIND_VAR,
    BIND_FUNC,
    BIND_LABEL,
    BIND_PROTOTYPE,
    BIND_TARGETS
};

/* What a name means from where it was declared to the end of its block. */
struct binding {
    uint8_t kind;         /* enum binding_kind */
    uint8_t type, vector; /* of a family */
    uint32_t depth, count;
    struct sym *sym;
    struct binding *outer; /* what it hides */
    struct binding *next;  /* declared before it in the same block */
    union {
        struct ptx_reg *reg;
        struct ptx_var *var;
        struct ptx_func *func;
        struct ptx_label *label;
        struct ptx_prototype *prototype;
        struct ptx_operand *targets; /* a PTX_LIST */
    };
};

/* A distinct spelling; one struct a module. */
struct sym {
    const char *name;
    uint32_t len, hash;
    struct binding *bind, *family; /* innermost; `family` is what %r<5> declares */
    struct sym *prefix;            /* %r of %r12, if the digits are a plain number; else NULL */
    uint32_t number;               /* 12 of %r12 */
    uint16_t sreg;
    struct mnemonic *mnemonic;   /* where the spelling was met as an instruction */
    struct string_label *string; /* where it labels text of a section */
};

/* One distinct spelling of opcode and modifiers, and the forms it may be. */
struct mnemonic {
    const char *name;
    uint16_t op;
    uint8_t mod_count, type_count, space, vector;
    uint16_t *mods;
    uint8_t types[4];
    struct candidate *candidates;
    uint32_t candidate_count;
};

/* ---- the parser ---- */

/* A use of a label, to be resolved where the block ends that declares it. */
struct pending {
    struct ptx_label **where;
    struct sym *sym;
    uint32_t depth, line, column;
};

/* A .loc that names its function by a label of .debug_str. */
struct named_loc {
    struct ptx_loc *loc;
    struct sym *label;
    int64_t offset;
};

struct string_label {
    struct sym *sym;
    const struct section_layout *section;
    uint32_t first;   /* item that follows the label */
    const char *text; /* once it was asked for */
};

struct parser {
    jmp_buf bail;
    struct ptx_diag *diag;
    struct ptx_module *m;
    struct arena scratch;

    const char *at, *end, *line_start;
    uint32_t line;
    const char *last_end; /* where the token before p->tok ended */
    struct token tok;

    struct sym **syms; /* open addressing, a power of two */
    size_t sym_count, sym_cap;
    uint32_t depth;
    struct binding *blocks[PTX_MAX_DEPTH + 4];
    uint32_t pending_from[PTX_MAX_DEPTH + 4];

    struct ptx_func *func; /* whose body is being parsed */
    const struct ptx_loc *loc;
    size_t init_total; /* bytes of initialisers so far */
    uint32_t nesting;  /* of expressions and braces */

    VEC(struct ptx_insn) insns;
    VEC(struct ptx_reg *) regs;
    VEC(struct ptx_var *) vars;
    VEC(struct ptx_label *) labels;
    VEC(struct item) body, top;
    VEC(struct pending) pending;
    VEC(struct ptx_operand) operands; /* a stack */
    VEC(struct token) marks;          /* where the instruction and each operand of it begins */
    const char *call_name;            /* the function that a call is checked against */
    VEC(struct ptx_func *) funcs;
    VEC(struct ptx_var *) globals;
    VEC(const char *) files;
    VEC(struct named_loc) named_locs;
    VEC(struct string_label) strings;
    VEC(struct data_item) data;
    VEC(struct ptx_reloc) relocs;
    VEC(struct init_item) inits;
    uint32_t init_dim; /* how many braces of an initialiser are open */
    VEC(size_t) numbers;
    VEC(const char *) names;
    VEC(struct var_layout) layouts;
    VEC(struct directive) directives;
    VEC(struct ptx_func *) callees;
    VEC(char) text;
    struct map loc_places; /* of the function: (file, line, column) to the newest such ptx_loc */
};

/* diag.c: both leave ptx_parse. `t` is the token to blame, NULL the current one. */
NORETURN void parse_fail(struct parser *p, const struct token *t, const char *format, ...)
    PRINTF_LIKE(3, 4);
NORETURN void parse_out_of_memory(struct parser *p);
/* "end of text", or the token between quotes, cut short if long. */
void parse_quote(char *out, size_t size, const struct token *t);

/* Arena memory, or out of ptx_parse. */
void *parse_alloc(struct parser *p, size_t size);
void *parse_alloc_array(struct parser *p, size_t count, size_t size);
void *parse_copy(struct parser *p, const void *from, size_t size);
void *parse_scratch(struct parser *p, size_t size);

#define parse_push(p, v, ...) ((void) (vec_push(v, __VA_ARGS__) || (parse_out_of_memory(p), false)))

/* lex.c */
void lex_next(struct parser *p); /* p->tok becomes the next token */
struct sym *lex_intern(struct parser *p, const char *name, size_t len);
struct place {
    const char *at, *line_start, *last_end;
    uint32_t line;
    struct token tok;
};
struct place lex_save(const struct parser *p); /* to come back: lex_restore */
void lex_restore(struct parser *p, const struct place *place);
bool lex_before_colon(struct parser *p); /* does a ':' follow p->tok? */
/* Called where p->tok is the TOKEN_NAME that opens an instruction: takes the modifiers that follow
 * and returns the spelling without blanks; p->tok becomes the first operand. */
struct sym *lex_mnemonic(struct parser *p);

static inline bool at_punct(const struct parser *p, unsigned punct)
{
    return p->tok.kind == TOKEN_PUNCT && p->tok.punct == punct;
}
static inline bool at_name(const struct parser *p)
{
    return p->tok.kind == TOKEN_NAME;
}
bool at_dot(const struct parser *p, const char *text);
bool at_word(const struct parser *p, const char *text);
bool take_punct(struct parser *p, unsigned punct);
bool take_dot(struct parser *p, const char *text);
void want_punct(struct parser *p, unsigned punct, const char *where);
struct sym *want_name(struct parser *p, const char *what);

/* scope.c */
void scope_open(struct parser *p);
void scope_close(struct parser *p); /* resolves the labels declared in it */
struct binding *scope_bind(struct parser *p, struct sym *sym, uint8_t kind, const struct token *t);
struct binding *scope_family(struct parser *p, struct sym *sym, const struct token *t);
/* The innermost meaning of a name, registers of families included; NULL: none. */
struct binding *scope_find(struct parser *p, struct sym *sym);
void scope_want_label(struct parser *p, struct ptx_label **where, const struct token *t);
struct ptx_reg *scope_new_reg(struct parser *p, const char *name, uint8_t type, uint8_t vector);

/* constant.c */
struct constant {
    uint8_t kind; /* PTX_INT, PTX_F32IMM, PTX_F64IMM */
    bool is_unsigned;
    uint8_t spelling;
    uint64_t value;
    const char *text; /* if `spelling` does not say it all */
};
void parse_constant(struct parser *p, struct constant *out);
uint64_t parse_count(struct parser *p, const char *what, uint64_t max);

/* parse_data.c */
void parse_open_array(struct parser *p, struct ptx_var *var, const struct var_layout *layout);
void parse_initialiser(struct parser *p, struct ptx_var *var, struct var_layout *layout);
void parse_section(struct parser *p);

/* parse_decl.c */
bool parse_linkage(struct parser *p,
                   struct linkage *out);          /* takes one keyword; false: there is none */
enum ptx_space parse_space(struct parser *p);     /* PTX_GENERIC: p->tok is none */
uint8_t find_type(const char *text, size_t len);  /* PTX_NOTYPE if there is none */
uint8_t find_space(const char *text, size_t len); /* PTX_GENERIC if there is none */
void parse_reg_decl(struct parser *p);
void parse_var_decl(struct parser *p, const struct linkage *linkage, enum ptx_space space);
/* Natural size and, where none is given, alignment. */
void parse_size_var(struct parser *p, struct ptx_var *var, const struct var_layout *layout);
void parse_attribute(struct parser *p, bool *is_managed, bool *is_unified, uint64_t unified[2]);
/* From '(' past ')'; returns the bytes of the parameters. Anonymous: the names mean nothing. */
size_t parse_params(struct parser *p, struct param_list *out, bool anonymous);
void parse_name_func(struct parser *p, struct ptx_func *func); /* for ptx_find_func */

/* parse_func.c */
void parse_func(struct parser *p, const struct linkage *linkage);
/* Those of a header, up to '{' or ';'; what they say is kept in *f. */
const struct directive *parse_directives(struct parser *p, struct ptx_func *f, uint32_t *count);
void parse_pragma(struct parser *p, struct item *out);

/* parse_body.c */
void parse_body(struct parser *p); /* from '{' past the '}' that closes it */

/* parse_insn.c */
void parse_insn(struct parser *p, struct ptx_reg *guard, bool negated);

/* check.c */
void check_mnemonic(struct parser *p, struct mnemonic *mn); /* finds the candidates */
void check_insn(struct parser *p, struct ptx_insn *in, const struct mnemonic *mn);

#endif

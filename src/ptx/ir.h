/* A PTX module after parsing and checking: what the text says, resolved, and nothing that is not in
 * it. Everything lives in the module's arena and is read-only once ptx_parse has returned; any
 * number of threads may read it. Terms are those of the PTX ISA. */
#ifndef PTX_IR_H
#define PTX_IR_H

#include "base/arena.h"
#include "base/map.h"

/* ---- enums made from the tables ---- */

/* Fundamental types, in textual spelling: PTX_B8 … PTX_F64, PTX_PRED, PTX_F16X2, … (type.def).
 * PTX_NOTYPE is 0. */
enum ptx_type {
    PTX_NOTYPE,
#define TYPE(id, text, bits, kind) PTX_##id,
#include "ptx/type.def"
#undef TYPE
    PTX_TYPES
};

enum ptx_kind { PTX_UNTYPED, PTX_SIGNED, PTX_UNSIGNED, PTX_FLOAT, PTX_PREDICATE, PTX_OPAQUE };

/* Everything else that may follow an opcode after a dot: PTX_MOD_LO, PTX_MOD_RN, PTX_MOD_GLOBAL, …
 * (mod.def). */
enum ptx_mod {
    PTX_NOMOD,
#define MOD(id, text, group) PTX_MOD_##id,
#include "ptx/mod.def"
#undef MOD
    PTX_MODS
};

/* Special registers: PTX_SREG_TID, … (sreg.def). Vector ones (%tid) carry their component in the
 * operand. */
enum ptx_sreg {
    PTX_NOSREG,
#define SREG(id, text, type, vector) PTX_SREG_##id,
#include "ptx/sreg.def"
#undef SREG
    PTX_SREGS
};

/* Base opcodes: PTX_OP_ADD, … PTX_OP_UNKNOWN is 0: a name that insn.def has no form for. */
enum ptx_op {
    PTX_OP_UNKNOWN,
#define OP(id, text) PTX_OP_##id,
#define FORM(...)
#include "ptx/insn.def"
#undef OP
#undef FORM
    PTX_OPS
};

/* State spaces. PTX_GENERIC: an address instruction that names none. */
enum ptx_space {
    PTX_GENERIC,
    PTX_REG,
    PTX_GLOBAL,
    PTX_SHARED,
    PTX_LOCAL,
    PTX_CONST,
    PTX_PARAM,
    PTX_TEX,
};

struct ptx_type_info {
    const char *text; /* without the dot */
    uint8_t bits;
    uint8_t kind; /* enum ptx_kind */
};
extern const struct ptx_type_info ptx_types[PTX_TYPES];
extern const char *const ptx_mod_names[PTX_MODS];
extern const char *const ptx_op_names[PTX_OPS];
extern const char *const ptx_sreg_names[PTX_SREGS]; /* with the % and without the component */

/* ---- places ---- */

/* Where a statement came from in the CUDA source: one .loc directive. 0 in `file` means unknown. */
struct ptx_loc {
    uint32_t file; /* index in ptx_module.files */
    uint32_t line, column;
    const struct ptx_loc *inlined_at; /* NULL: not inlined */
    const char *function;             /* name of the inlined function, NULL if not given */
};

/* ---- operands ---- */

enum ptx_operand_kind {
    PTX_NONE,
    PTX_REGISTER, /* reg; `negated` for !%p */
    PTX_INT,      /* value: integer immediate, as written, sign-extended to 64 bits */
    PTX_F32IMM,   /* value: low 32 bits are the IEEE bits (0f…) */
    PTX_F64IMM,   /* value: IEEE bits (0d… or decimal) */
    PTX_SPECIAL,  /* sreg, component (0..3 for .x .y .z .w, -1 if it has none) */
    PTX_SYMBOL,   /* var: address of a variable or parameter, + offset */
    PTX_FUNCTION, /* func: address of a function, or the callee of `call` */
    PTX_LABEL,    /* label */
    PTX_ADDRESS,  /* [base + offset]: base is reg, var or neither (absolute) */
    PTX_VECTOR,   /* {a, b, …}: items, count */
    PTX_PAIR,     /* d|p: items[0], items[1] */
    PTX_LIST, /* (a, b, …) of a call, or the labels of a .branchtargets list named `label`: items,
                 count */
    PTX_SINK, /* _ */
    PTX_TEXADDR, /* [tex, {x, y}] and the like: items[0] is the object, items[1…] the rest */
};

/* ptx_operand.component of %r.b0; b1, b2, b3, h0, h1 follow. */
enum { PTX_BYTE0 = 4, PTX_HALF0 = 8 };

struct ptx_operand {
    uint8_t kind; /* enum ptx_operand_kind */
    bool negated;
    int8_t component; /* of a special register, or of a vector register (%v.x); -1: none; from
                       * PTX_BYTE0 on a part of a video operand (%r.b2, %r.h1); 0 of an address:
                       * .unified */
    uint8_t spelling; /* for the printer alone: radix, 0F against 0f, … */
    uint16_t sreg;    /* enum ptx_sreg */
    uint16_t count;   /* of items */
    struct ptx_reg *reg;
    struct ptx_var *var;
    struct ptx_func *func;
    struct ptx_label *label;
    int64_t offset;
    uint64_t value;
    struct ptx_operand *items;
    const char *text; /* for the printer alone: a constant that `spelling` cannot describe, as
                         written; else NULL */
};

/* ---- declarations ---- */

/* A virtual register. `%r<5>` makes five. */
struct ptx_reg {
    const char *name; /* with the % */
    uint32_t index;   /* dense within its function, from 0 */
    uint8_t type;     /* enum ptx_type */
    uint8_t vector;   /* 1, 2 or 4 */
};

/* Part of an initialiser that is an address: bytes [offset, offset + size) of the variable hold
 * (address of var or func) + addend, `shift` bits right (mask() operator: one byte of it). */
struct ptx_reloc {
    size_t offset;
    uint8_t size, shift;
    bool generic; /* generic(symbol) */
    struct ptx_var *var;
    struct ptx_func *func;
    int64_t addend;
};

/* A variable of any state space but .reg, or a parameter. */
struct ptx_var {
    const char *name;
    struct ptx_func *func; /* where it is declared; NULL: module scope */
    uint8_t space;         /* enum ptx_space */
    uint8_t type;          /* enum ptx_type of an element */
    uint8_t vector;        /* 1, 2 or 4 elements of `type` a piece */
    bool is_extern, is_visible, is_weak, is_common;
    bool unsized;      /* `name[]`: dynamic shared memory */
    bool is_ptr;       /* a parameter declared .ptr */
    uint8_t ptr_space; /* enum ptx_space of what it points to */
    uint32_t align;    /* bytes; the natural alignment where the text gives none */
    uint32_t ptr_align;
    size_t count;  /* array elements (product of all dimensions), 1 for a scalar */
    size_t size;   /* bytes */
    size_t offset; /* parameters: offset in the parameter buffer of their list, naturally aligned in
                      order */
    const uint8_t *init; /* `size` bytes, relocated places zero; NULL: none given (zero) */
    const struct ptx_reloc *relocs;
    size_t reloc_count;
    uint32_t line;       /* of the PTX text */
    struct ptx_reg *reg; /* a parameter in space PTX_REG: its register; else NULL */
};

struct ptx_label {
    const char *name;
    uint32_t target; /* index of the statement in its function; == count when at the end */
};

/* ---- statements ---- */

/* One instruction. Modifiers and types stand in textual order in `mods`: a value below 256 is an
 * enum ptx_mod, 256 + t an enum ptx_type t. */
struct ptx_insn {
    uint16_t op; /* enum ptx_op */
    uint8_t mod_count, operand_count;
    uint16_t *mods;
    struct ptx_operand *operands; /* destination first, as written */
    struct ptx_reg *guard;        /* @%p or @!%p; NULL: none */
    bool guard_negated;
    uint8_t space;    /* enum ptx_space, for ld, st, atom, red, cvta, isspacep, … */
    uint8_t types[4]; /* the type modifiers in textual order (cvt.rn.f32.s32: F32, S32) */
    const struct ptx_form *form; /* the row of insn.def it matches; NULL: none (no error until it
                                  * is to run) */
    const char *lacks; /* a row knows it but needs ".target sm_90" or ".version 7.8", say; else
                        * NULL */
    const struct ptx_prototype *prototype; /* of an indirect call */
    const char *name;          /* opcode with its modifiers, as written: "ld.global.nc.f32" */
    uint32_t line;             /* of the PTX text, from 1 */
    const struct ptx_loc *loc; /* NULL: unknown */
};

/* The parameter lists of a call's target, or a .callprototype. */
struct ptx_prototype {
    const char *name;
    struct ptx_var *results, *params;
    uint32_t result_count, param_count;
    bool is_noreturn;
    struct ptx_func *
        *targets; /* of a .calltargets list, whose parameters are those of the first; else NULL */
    uint32_t target_count;
};

enum ptx_func_kind { PTX_ENTRY, PTX_FUNC };

struct ptx_func {
    const char *name;
    uint8_t kind; /* enum ptx_func_kind */
    bool is_extern, is_visible, is_weak, is_noreturn;
    bool defined;            /* has a body */
    struct ptx_var **params; /* for .entry: the kernel's parameters, offsets set */
    struct ptx_var **results;
    uint32_t param_count, result_count;
    size_t param_size; /* bytes of the parameter buffer */
    struct ptx_insn *insns;
    uint32_t insn_count;
    struct ptx_reg **regs; /* by index */
    uint32_t reg_count;
    struct ptx_var **vars; /* local to the body: .local, .shared, .param of calls */
    uint32_t var_count;
    struct ptx_label **labels;
    uint32_t label_count;
    uint32_t maxntid[3], reqntid[3]; /* 0: not given */
    uint32_t minnctapersm, maxnreg;
    uint32_t reqnctapercluster[3], maxclusterrank; /* 0: not given */
    bool explicit_cluster;
    uint32_t line;
    struct ptx_func *alias; /* .alias: the function that stands for this one; NULL: none */
    const void
        *layout; /* for the printer alone: declarations, scopes, labels and .loc in textual order */
};

struct ptx_module {
    struct arena arena;
    uint32_t version_major, version_minor;
    const char *target;      /* "sm_75": the first name of .target */
    uint32_t sm;             /* 75 */
    uint32_t address_size;   /* 64 */
    struct ptx_func **funcs; /* in textual order; a declaration and its definition are one */
    uint32_t func_count;
    struct ptx_var **vars; /* module scope, likewise */
    uint32_t var_count;
    const char **files; /* by number of .file; NULL where a number is unused */
    uint32_t file_count;
    struct map symbols; /* module-scope names → internal; use the finders */
    const void *layout; /* for the printer alone */
};

/* NULL if there is none of that name. */
struct ptx_func *ptx_find_func(const struct ptx_module *m, const char *name);
struct ptx_var *ptx_find_var(const struct ptx_module *m, const char *name);

/* The row of insn.def that an instruction matched, for messages and documentation. */
struct ptx_form {
    uint16_t op;     /* enum ptx_op */
    uint8_t ptx, sm; /* the first PTX version times ten, the first target; 0: all */
    const char *mods, *types, *operands;
};
extern const struct ptx_form ptx_forms[];
extern const size_t ptx_form_count;

/* Does the instruction carry this modifier? */
bool ptx_has(const struct ptx_insn *in, enum ptx_mod mod);

#endif

/* Between the files of lowering: PTX instructions become operations on slots. lower.c walks the
 * function and knows slots and constants, lower_alu.c arithmetic, lower_mem.c memory, lower_ctl.c
 * control flow, calls, barriers, warps and special registers. */
#ifndef SIMT_LOWER_H
#define SIMT_LOWER_H

#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"
#include "simt/code.h"
#include "simt/simt.h"

/* Where a module-scope variable stands: known before any kernel is lowered (shared ones: an offset
 * in the block's arena). */
struct simt_place {
    uint64_t address;
    size_t size;
};

struct lower {
    struct simt_module *module;
    const struct simt_kernel *kernel;
    const struct simt_ops *ops;    /* the build that it will run on */
    struct arena *arena;           /* of the kernel */
    const struct ptx_func *func;   /* being lowered */
    const struct ptx_insn *in;     /* being lowered */
    uint32_t index;                /* of `in` in func */
    struct str *message;           /* why it cannot be done */
    bool failed;
    uint32_t *slots;               /* by ptx_reg.index: its slot (a predicate's counts in 1/32
                                      columns) */
    uint32_t columns;              /* in use so far in this frame */
    uint32_t local_size;           /* likewise, bytes a lane */
    VEC(struct simt_insn) code;    /* of the whole kernel */
    VEC(const struct ptx_insn *) where;
    VEC(struct simt_const) consts; /* of this frame */
    VEC(uint32_t) lists;
    VEC(struct simt_frame) frames;
    VEC(const struct ptx_func *) wanted; /* reachable functions, in order of frames */
    struct lower_ctl *ctl;         /* lower_ctl.c's own: label fix-ups, call areas */
    uint32_t scratch[3][4];        /* 1 + slots of this frame for use within one PTX instruction:
                                      predicates, words, pairs */
    uint32_t carry;                /* 1 + the predicate that holds the carry flag; 0: this frame has
                                      none yet */
    struct simt_insn spare;        /* what lower_emit gives when memory is short */
};

/* The slot that holds the operand's value in `bits` (8…64; 1: a predicate): a register's own, else
 * a constant's. Takes registers, immediates and addresses of global and constant variables and of
 * functions. */
uint32_t lower_src(struct lower *l, const struct ptx_operand *o, unsigned bits);
/* The slot of a register that is written; of `_` a scratch slot. */
uint32_t lower_dst(struct lower *l, const struct ptx_operand *o, unsigned bits);
uint32_t lower_const(struct lower *l, uint64_t value, unsigned bits);
uint32_t lower_temp(struct lower *l, unsigned bits); /* a fresh slot, never reused; bits 1: a
                                                        predicate */
/* One of four slots whose contents last until the end of this PTX instruction, if it does not
 * branch or meet. */
uint32_t lower_scratch(struct lower *l, unsigned bits, unsigned index);

/* Appends an operation for l->in; fn and op are filled in. The pointer is valid until the next
 * call. */
struct simt_insn *lower_emit(struct lower *l, enum simt_op op);
/* Appends a copy of `slots` to the lists and returns its index. */
uint32_t lower_list(struct lower *l, const uint32_t *slots, uint32_t count);

/* Remembers that the kernel cannot be lowered; the first reason wins. */
void lower_fail(struct lower *l, const char *format, ...) PRINTF_LIKE(2, 3);
/* "kernel 'k' needs 'tex.2d…' (line 42 of its PTX), which the CPU device cannot execute". */
void lower_unsupported(struct lower *l);

/* Each lowers l->in and returns true, or returns false where the instruction is none of theirs.
 * lower.c turns a guard on anything but bra into a branch around it before it asks them. */
bool lower_alu(struct lower *l);
bool lower_mem(struct lower *l); /* ld st atom red cvta isspacep prefetch membar fence, mov of an
                                    address of .shared .local .param */
bool lower_ctl(struct lower *l); /* bra call ret exit trap bar barrier shfl vote match redux
                                    activemask nanosleep, mov of a special register */

/* Emits a branch around what follows: taken by lanes whose predicate is (negated: is not) set.
 * Returns its pc. */
uint32_t lower_skip(struct lower *l, uint32_t pred, bool negated);
/* Makes the skip at `pc` land on the next operation emitted. */
void lower_land(struct lower *l, uint32_t pc);

/* lower.c calls these around each function; lower_ctl.c resolves labels and callees in them. */
bool lower_ctl_begin(struct lower *l);
void lower_ctl_insn(struct lower *l); /* before each PTX instruction, and at the end: its label, if
                                         any, is here */
bool lower_ctl_end(struct lower *l);  /* after the last function: all targets are known */

/* lower_ctl.c: where a variable of .shared, .local or .param stands: what goes into x[0] and imm of
 * a memory operation. `mode` is an enum simt_mode. False: it is none of these, or the kernel has
 * failed. */
bool lower_where(struct lower *l, const struct ptx_var *var, uint8_t *mode, int64_t *offset);

/* slots.c: linear scan over live ranges. Fills l->slots and l->columns. -1 when memory is short. */
int lower_slots(struct lower *l);

/* module.c: where a .global or .const variable stands; fails the lowering when memory is short. */
struct simt_place lower_place(struct lower *l, const struct ptx_var *var);

#endif

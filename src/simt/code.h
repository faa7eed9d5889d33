/* Decoded code: what lower makes and the exec functions run. A kernel's code is one array: its
 * entry, then every .func it can reach; a pc is an index in it. Operands are slots: where, in a
 * frame, the lanes of one register stand.
 *
 * Slots. A frame is a row of columns. A 32-bit (or narrower) register takes one word column,
 * `lanes` × 4 bytes; a 64-bit one takes `lanes` × 8 bytes, two columns; a slot number counts 4-byte
 * columns from the frame's start. 8- and 16-bit values live in the low bits of a word column, the
 * bits above are unspecified. A predicate is one bit a lane, one uint32_t a warp; 32 of them share
 * a word column, and a predicate's slot number counts in 1/32 columns. Constants are columns too,
 * filled when the frame is set up. */
#ifndef SIMT_CODE_H
#define SIMT_CODE_H

#include "base/base.h"
#include "ptx/ir.h"

struct simt_gang;
struct simt_insn;

/* What the step loop does after an instruction. */
enum simt_flow {
    SIMT_NEXT,    /* go on with the next one */
    SIMT_REGROUP, /* the groups have changed (branch, call, return, exit, rendezvous, yield): choose
                     again */
    SIMT_TRAP,    /* a fault has been recorded: this gang stops */
};

typedef enum simt_flow simt_exec(struct simt_gang *g, const struct simt_insn *in);

/* Executable operations: SIMT_OP_ADD_S32, … (micro.def; one row an operation). */
enum simt_op {
#define OP1(name, ...) SIMT_OP_##name,
#define OP0 OP1
#define OP2 OP1
#define OP3 OP1
#define OP4 OP1
#define OPX OP1
#include "simt/micro.def"
#undef OP0
#undef OP1
#undef OP2
#undef OP3
#undef OP4
#undef OPX
    SIMT_OPS
};
extern const char *const simt_op_names[SIMT_OPS];

/* Function pointers of one build of the exec files. */
struct simt_ops {
    const char *isa;
    simt_exec *fn[SIMT_OPS];
};
/* The build this processor runs best (simt.h: simt_isa). */
const struct simt_ops *simt_ops(void);
/* The build of that name, the best for NULL; NULL if there is none or the processor cannot run it.
 * */
const struct simt_ops *simt_ops_of(const char *isa);

struct simt_insn {
    simt_exec *fn;
    uint32_t d, a, b, c; /* slots; what each means stands with the operation's row */
    uint32_t e, f;       /* a branch target, a count, a second destination, an index in
                            simt_code.lists */
    int64_t imm;         /* an address offset, an immediate */
    uint8_t x[4];        /* small parameters: width, space, sign, negation */
    uint16_t op;         /* enum simt_op, for dumps and faults */
};

/* A constant column of a frame. */
struct simt_const {
    uint32_t slot;
    uint8_t wide; /* 8 bytes a lane instead of 4 */
    uint64_t value;
};

/* One function inside the code. */
struct simt_frame {
    const struct ptx_func *func;
    uint32_t pc, end;           /* its instructions are [pc, end) */
    uint32_t columns;           /* word columns of its frame, constants and predicates included */
    uint32_t local_size;        /* bytes a lane of .local and .param variables, multiple of 16 */
    const struct simt_const *consts;
    uint32_t const_count;
    /* Where lanes stand that call it: every function has columns of its own, because lanes that are
     * in different functions would not agree on what a column holds; each level of recursion has
     * all of them once more. Set by lower_ctl_end. */
    uint32_t base;
    /* Of the entry: columns of one level, and bytes of local memory a lane over all calls
     * (UINT32_MAX: calls may recurse). */
    uint32_t all_columns, deep_local;
};

struct simt_code {
    struct simt_insn *insns;
    const struct ptx_insn **where; /* by pc: the PTX instruction it came from */
    uint32_t count;
    struct simt_frame *frames;     /* [0] is the entry */
    uint32_t frame_count;
    uint32_t *lists;               /* slot lists of vector and warp operations */
    uint32_t list_count;
};

#endif

/* What lowering and the exec files agree on: values of simt_insn.x and the like. */
#ifndef SIMT_AGREE_H
#define SIMT_AGREE_H

#include "simt/code.h"

#define SIMT_NO_SLOT UINT32_MAX

/* Columns before a callee's frame: where each lane returns to (pc, base, local). */
enum { SIMT_LINK_COLUMNS = 3 };

/* How a memory operation says its address (x[0]). */
enum simt_mode {
    SIMT_AT_64,     /* 64-bit register a, + imm */
    SIMT_AT_32,     /* 32-bit register a, + imm, zero-extended: shared memory */
    SIMT_AT_SHARED, /* imm bytes into the block's arena */
    SIMT_AT_LOCAL,  /* imm bytes into the lane's frame of local memory */
    SIMT_AT_PARAM,  /* imm bytes into the kernel's parameters */
};

/* The elements of a vector access (x[3]): log2 of the bytes in memory, and two flags. */
enum { SIMT_ELEM_SIGNED = 4, SIMT_ELEM_WIDE = 8 };

/* f of loads and stores, bits. */
enum { SIMT_VOLATILE = 1, SIMT_ACQUIRE = 2, SIMT_RELEASE = 4 };

/* Atomic operations (x[2] of ATOM, x[0] of REDUX). */
enum simt_atom {
    SIMT_ATOM_ADD,
    SIMT_ATOM_MIN,
    SIMT_ATOM_MAX,
    SIMT_ATOM_AND,
    SIMT_ATOM_OR,
    SIMT_ATOM_XOR,
    SIMT_ATOM_INC,
    SIMT_ATOM_DEC,
    SIMT_ATOM_EXCH,
    SIMT_ATOM_CAS,
};

enum simt_shfl { SIMT_SHFL_UP, SIMT_SHFL_DOWN, SIMT_SHFL_BFLY, SIMT_SHFL_IDX };
enum simt_vote { SIMT_VOTE_ALL, SIMT_VOTE_ANY, SIMT_VOTE_UNI, SIMT_VOTE_BALLOT };
enum simt_bar { SIMT_BAR_SYNC, SIMT_BAR_ARRIVE, SIMT_BAR_POPC, SIMT_BAR_AND, SIMT_BAR_OR };

/* Special registers (x[0] of SREG32 and SREG64; x[1] is the component of a vector). */
enum simt_sreg {
    SIMT_SREG_ZERO,
    SIMT_SREG_ONE,
    SIMT_SREG_TID,
    SIMT_SREG_NTID,
    SIMT_SREG_CTAID,
    SIMT_SREG_NCTAID,
    SIMT_SREG_LANEID,
    SIMT_SREG_WARPID,
    SIMT_SREG_NWARPID,
    SIMT_SREG_GRIDID,
    SIMT_SREG_LANEMASK_EQ,
    SIMT_SREG_LANEMASK_LE,
    SIMT_SREG_LANEMASK_LT,
    SIMT_SREG_LANEMASK_GE,
    SIMT_SREG_LANEMASK_GT,
    SIMT_SREG_CLOCK,
    SIMT_SREG_CLOCK_HI,
    SIMT_SREG_GLOBALTIMER,
    SIMT_SREG_GLOBALTIMER_HI,
    SIMT_SREG_TOTAL_SMEM,
    SIMT_SREG_DYNAMIC_SMEM,
    SIMT_SREG_ENVREG, /* x[1]: its number */
};

#endif

/* Faults: what a kernel did wrong, said precisely (PTX.md's section on what a fault must say is the
 * measure). */
#ifndef SIMT_TRAP_H
#define SIMT_TRAP_H

#include "simt/simt.h"

/* What the engine knows when a lane faults. Zero means unknown or not applicable. */
struct simt_trap {
    int code;                   /* CUresult */
    const struct ptx_module *module; /* whose .file table names the sources */
    const struct ptx_func *kernel;
    const struct ptx_insn *in;  /* the instruction */
    uint32_t block[3], thread[3];
    uint64_t address;           /* that was accessed */
    uint32_t width;             /* bytes of the access; 0: no access */
    bool is_store, is_atomic, is_shared, is_local;
    uint64_t window;            /* shared or local: base of the window of this block or lane */
    size_t window_size;
    const char *text;           /* of assert and trap: what to say instead of the access; NULL:
                                   derived from code */
};

/* Fills in the fault: "kernel 'add', block (3,0,0), thread (17,0,0): st.global.f32 of 4 bytes at
 * 0x7f… is 8 bytes past the end of the 4000-byte allocation at 0x7f… ; add.cu:5 …, inlined at …".
 * Thread-safety: safe. */
void simt_trap_describe(struct simt_fault *out, const struct simt_trap *t,
                        struct simt_space *space);

#endif

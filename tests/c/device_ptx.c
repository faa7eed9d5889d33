/* The kernels of the conformance suite, as text that NVIDIA's driver takes as well. */
#include "device.h"

#define HEADER ".version 6.4\n.target sm_75\n.address_size 64\n"
/* Every kernel has three 8-byte parameters: %rd0 to %rd2. %r0 is the thread's index in the grid. */
#define KERNEL(name, ...)                                                           \
    ".visible .entry " #name "(.param .u64 p0, .param .u64 p1, .param .u64 p2)\n"   \
    "{\n"                                                                           \
    " .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .pred %p<4>;\n"                     \
    " ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; ld.param.u64 %rd2, [p2];\n" \
    " mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x;\n"          \
    " mad.lo.u32 %r0, %r2, %r3, %r1;\n" __VA_ARGS__ " ret;\n}\n"

const char ptx_text[] =
    HEADER ".visible .global .align 4 .u32 counter = 5;\n"
           ".visible .global .align 8 .u64 links[3] = {generic(counter), 7, generic(counter)+4};\n"
           ".visible .const .align 4 .u32 table[4] = {10, 20, 30, 40};\n"
           ".extern .shared .align 16 .b8 dynamic[];\n"
           ".global .align 1 .b8 format[16] = {104, 105, 32, 37, 100, 32, 37, 46, 50, "
           "102, 10};\n"                                            /* "hi
                                                                       %d
                                                                       %.2f\n"
                                                                     */
           ".global .align 1 .b8 words[8] = {115, 97, 105, 100};\n" /* "said" */
           ".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);\n"
           ".extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, "
           ".param .b64 d, "
           ".param .b64 e);\n"
    /* p0[i] += p1, for i < p2 */
    KERNEL(add_words, " cvt.u64.u32 %rd3, %r0; setp.ge.u64 %p0, %rd3, %rd2; @%p0 ret;\n"
                      " shl.b64 %rd4, %rd3, 2; add.s64 %rd5, %rd0, %rd4;\n"
                      " ld.global.u32 %r4, [%rd5]; cvt.u32.u64 %r5, %rd1; add.u32 %r4, %r4, %r5; "
                      "st.global.u32 [%rd5], %r4;\n")
    /* *p0 = p1 * 1000 + p2 */
    KERNEL(combine,
           " mul.lo.u64 %rd3, %rd1, 1000; add.u64 %rd3, %rd3, %rd2; cvt.u32.u64 %r4, %rd3;\n"
           " st.global.u32 [%rd0], %r4;\n")
    /* every block: p0[1 + block] = blocks, once all have come there (*p0 counts them) */
    KERNEL(meet, " mov.u32 %r4, %nctaid.x; atom.global.add.u32 %r5, [%rd0], 1;\n"
                 "AGAIN: ld.volatile.global.u32 %r5, [%rd0]; setp.lt.u32 %p0, %r5, %r4;\n"
                 " @%p0 bra AGAIN; mul.wide.u32 %rd3, %r2, 4; add.u64 %rd3, %rd0, %rd3;\n"
                 " st.global.u32 [%rd3+4], %r5;\n")
    /* waits until *p0 != 0, then *p1 = p2 */
    KERNEL(wait_flag,
           "AGAIN: ld.volatile.global.u32 %r4, [%rd0]; setp.eq.u32 %p0, %r4, 0; @%p0 bra AGAIN;\n"
           " cvt.u32.u64 %r5, %rd2; st.volatile.global.u32 [%rd1], %r5;\n")
        KERNEL(set_flag,
               " membar.sys; cvt.u32.u64 %r5, %rd1; st.volatile.global.u32 [%rd0], %r5;\n")
            KERNEL(endless, "AGAIN: ld.volatile.global.u32 %r4, [%rd0]; bra AGAIN;\n")
    /* counts to p1, then adds p2 to *p0 */
    KERNEL(slow, " mov.u64 %rd3, 0; mov.u32 %r4, 1;\n"
                 "AGAIN: add.u64 %rd3, %rd3, 1; mad.lo.u32 %r4, %r4, 1664525, 1013904223;\n"
                 " setp.lt.u64 %p0, %rd3, %rd1; @%p0 bra AGAIN;\n"
                 " setp.eq.u32 %p1, %r4, 77; @%p1 bra DONE; ld.global.u32 %r5, [%rd0]; cvt.u32.u64 "
                 "%r6, %rd2;\n"
                 " add.u32 %r5, %r5, %r6; st.global.u32 [%rd0], %r5;\n"
                 "DONE:\n")
        KERNEL(
            count_up,
            " ld.global.u32 %r4, [counter]; add.u32 %r4, %r4, 1; st.global.u32 [counter], %r4;\n")
            KERNEL(read_table, " ld.const.u32 %r4, [table+4]; st.global.u32 [%rd0], %r4;\n")
    /* p0[i] = p0[n - 1 - i] within a block */
    KERNEL(reverse,
           " mov.u64 %rd3, dynamic; mul.wide.u32 %rd4, %r1, 4; add.u64 %rd5, %rd0, %rd4;\n"
           " ld.global.u32 %r4, [%rd5]; add.u64 %rd6, %rd3, %rd4; st.shared.u32 [%rd6], %r4;\n"
           " bar.sync 0; sub.u32 %r5, %r3, %r1; sub.u32 %r5, %r5, 1; mul.wide.u32 %rd7, %r5, 4;\n"
           " add.u64 %rd8, %rd3, %rd7; ld.shared.u32 %r6, [%rd8]; st.global.u32 [%rd5], %r6;\n")
    /* the last of p1 bytes of dynamic shared memory, written and read */
    KERNEL(
        touch_shared,
        " mov.u64 %rd3, dynamic; add.u64 %rd3, %rd3, %rd1; mov.u32 %r4, 7;\n"
        " st.shared.u8 [%rd3+-1], %r4; ld.shared.u8 %r5, [%rd3+-1]; st.global.u32 [%rd0], %r5;\n")
    /* p0[linear index] = all six indices in a word each */
    KERNEL(
        indices,
        " mov.u32 %r4, %tid.y; mov.u32 %r5, %tid.z; mov.u32 %r6, %ctaid.y; mov.u32 %r7, %ctaid.z;\n"
        " mov.u32 %r8, %nctaid.x; mov.u32 %r9, %nctaid.y; mov.u32 %r10, %ntid.y; mov.u32 %r11, "
        "%ntid.z;\n"
        " mad.lo.u32 %r12, %r7, %r9, %r6; mad.lo.u32 %r12, %r12, %r8, %r2;\n"
        " mad.lo.u32 %r12, %r12, %r11, %r5; mad.lo.u32 %r12, %r12, %r10, %r4;\n"
        " mad.lo.u32 %r12, %r12, %r3, %r1; mul.wide.u32 %rd3, %r12, 4; add.u64 %rd4, %rd0, %rd3;\n"
        " mad.lo.u32 %r13, %r7, 10, %r6; mad.lo.u32 %r13, %r13, 10, %r2; mad.lo.u32 %r13, %r13, "
        "10, %r5;\n"
        " mad.lo.u32 %r13, %r13, 10, %r4; mad.lo.u32 %r13, %r13, 10, %r1; st.global.u32 [%rd4], "
        "%r13;\n")
    /* "hi <thread> <thread / 4>" */
    KERNEL(
        print,
        " .local .align 8 .b8 args[16]; .reg .f64 %fd<2>;\n"
        " mov.u64 %rd3, args; cvta.local.u64 %rd4, %rd3; st.local.u32 [args], %r0;\n"
        " cvt.rn.f64.u32 %fd0, %r0; mul.f64 %fd0, %fd0, 0d3FD0000000000000; st.local.f64 [args+8], "
        "%fd0;\n"
        " mov.u64 %rd5, format; cvta.global.u64 %rd6, %rd5;\n"
        " { .param .b64 a0; .param .b64 a1; .param .b32 r0;\n"
        " st.param.b64 [a0], %rd6; st.param.b64 [a1], %rd4; call.uni (r0), vprintf, (a0, a1); }\n")
        KERNEL(fail_assert,
               " mov.u64 %rd5, words; cvta.global.u64 %rd6, %rd5;\n"
               " { .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;\n"
               " st.param.b64 [a], %rd6; st.param.b64 [b], %rd6; mov.u32 %r4, 42; st.param.b32 "
               "[c], %r4;\n"
               " st.param.b64 [d], %rd6; mov.u64 %rd7, 1; st.param.b64 [e], %rd7; call.uni "
               "__assertfail, (a, b, c, d, e); }\n") KERNEL(fail_trap, " trap;\n")
    /* *(p0 + i * p1) = 1 */
    KERNEL(
        store_at,
        " cvt.u64.u32 %rd3, %r0; mad.lo.u64 %rd4, %rd3, %rd1, %rd0; mov.u32 %r4, 1;\n"
        " st.global.u32 [%rd4], %r4;\n") ".visible .entry mixed(.param .u8 a, .param .u64 b, "
                                         ".param .u16 c, .param .f32 d, .param .align 4 .b8 "
                                         "e[12])\n"
                                         "{ ret; }\n"
                                         ".visible .entry bounded() .maxntid 64, 1, 1\n{ ret; }\n"
                                         ".visible .entry with_static()\n"
                                         "{ .shared .align 4 .b8 s[400]; .reg .b32 %r<2>; mov.u32 "
                                         "%r0, 1; st.shared.u32 [s], %r0; ret; }\n";

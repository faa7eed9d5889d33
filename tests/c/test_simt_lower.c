/* Lowering, seen from outside: instructions that become several operations, guards, constants of
 * every kind, registers that share columns. Single operations are test_simt_alu.c's, the engine
 * test_simt.c's. */
#include "base/alloc.h"
#include "simt_rig.h"

static const uint32_t N = 96;

static float as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint64_t pair(const uint32_t *p, uint32_t i)
{
    return (uint64_t) p[2 * i + 1] << 32 | p[2 * i];
}

/* The address of p1[8 bytes * index]. */
#define AT64 "mul.wide.u32 %rd5, %r5, 8; add.s64 %rd5, %rd2, %rd5;\n"

/* ---- predicates ---- */

static void test_setp_makes_both_results(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("and.b32 %r6, %r5, 1; setp.eq.s32 %p3, %r6, 0;\n"
                       "setp.lt.and.s32 %p1|%p2, %r5, 40, %p3;\n"
                       "selp.b32 %r7, 1, 0, %p1; selp.b32 %r8, 2, 0, %p2; add.s32 %r7, %r7, %r8;\n"
                       "setp.ge.xor.u32 %p1, %r5, 10, !%p3; selp.b32 %r8, 4, 0, %p1;\n"
                       "add.s32 %r7, %r7, %r8; setp.ne.s32 %p4|%p5, %r5, 5;\n"
                       "selp.b32 %r8, 8, 0, %p4; add.s32 %r7, %r7, %r8; selp.b32 %r8, 16, 0, %p5;\n"
                       "add.s32 %r7, %r7, %r8; st.global.u32 [%rd4], %r7;"),
           1, N);
    for (uint32_t i = 0; i < N; i++) {
        const bool even = i % 2 == 0;
        REQUIRE_INT(r.p0[i], ==,
                    (i < 40 && even) + 2 * (i >= 40 && even) + 4 * ((i >= 10) != !even) +
                        8 * (i != 5) + 16 * (i == 5));
    }
    rig_free(&r);
}

static void test_setp_may_read_the_predicate_it_writes(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("and.b32 %r6, %r5, 1; setp.eq.s32 %p1, %r6, 0;\n"
                       "setp.lt.and.s32 %p1|%p2, %r5, 40, %p1;\n"
                       "selp.b32 %r7, 1, 0, %p1; selp.b32 %r8, 2, 0, %p2; add.s32 %r7, %r7, %r8;\n"
                       "st.global.u32 [%rd4], %r7;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE_INT(r.p0[i], ==, i % 2 ? 0 : i < 40 ? 1 : 2);
    rig_free(&r);
}

static void test_set_gives_ones_or_one(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("cvt.rn.f32.u32 %f1, %r5; set.lt.u32.f32 %r6, %f1, 0f41200000;\n"
                       "set.geu.f32.f32 %f2, %f1, 0f41A00000; mov.b32 %r7, %f2;\n"
                       "setp.gt.u32 %p1, %r5, 4; set.lt.and.s32.f32 %r8, %f1, 0f41200000, %p1;\n"
                       "and.b32 %r8, %r8, 2; and.b32 %r6, %r6, 1; or.b32 %r6, %r6, %r8; or.b32 "
                       "%r6, %r6, %r7;\n"
                       "st.global.u32 [%rd4], %r6;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE_INT(r.p0[i], ==,
                    (i < 10 ? 1 : 0) | (i < 10 && i > 4 ? 2 : 0) | (i >= 20 ? 0x3f800000 : 0));
    rig_free(&r);
}

/* ---- carries ---- */

static void test_carry_goes_from_add_to_addc(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(AT64
                       "sub.u32 %r6, 0, %r5; mov.u32 %r7, 5; mov.u32 %r8, 40; mov.u32 %r9, 7;\n"
                       "add.cc.u32 %r6, %r6, %r8; addc.u32 %r7, %r7, %r9;\n"
                       "mov.b64 %rd6, {%r6, %r7}; st.global.u64 [%rd5], %rd6;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE(pair(r.p1, i) == (UINT64_C(5) << 32 | (uint32_t) -i) + (UINT64_C(7) << 32 | 40));
    rig_free(&r);
}

static void test_borrow_goes_from_sub_to_subc_through_three_words(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("mov.u32 %r6, 50; mov.u32 %r7, 0; mov.u32 %r8, 9;\n"
                       "sub.cc.u32 %r6, %r6, %r5; subc.cc.u32 %r7, %r7, 0; subc.u32 %r8, %r8, 0;\n"
                       "xor.b32 %r8, %r8, %r7; st.global.u32 [%rd4], %r8;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE_INT(r.p0[i], ==, i > 50 ? (8 ^ UINT32_MAX) : 9);
    rig_free(&r);
}

static void test_madc_multiplies_in_words(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(
               AT64
               "mul.lo.u32 %r6, %r5, 123456789; mov.u32 %r7, 0xfffffff1; mov.u32 %r8, 0xffffff00;\n"
               "mov.u32 %r9, 1; mad.lo.cc.u32 %r8, %r6, %r7, %r8; madc.hi.u32 %r9, %r6, %r7, %r9;\n"
               "mov.b64 %rd6, {%r8, %r9}; st.global.u64 [%rd5], %rd6;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE(pair(r.p1, i) == (uint64_t) (i * 123456789u) * 0xfffffff1 + 0x1ffffff00);
    rig_free(&r);
}

/* ---- moves, widths, constants ---- */

static void test_vectors_pack_and_unpack(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(AT64 "mul.lo.u32 %r6, %r5, 0x01010101; add.u32 %r6, %r6, 0x00ff1234;\n"
                            "mov.b32 {%h1, %h2}, %r6; mov.b32 %r7, {%h2, %h1};\n"
                            "mov.b64 %rd6, {%r7, %r6}; mov.b64 {%h3, %h4, %h5, %h6}, %rd6;\n"
                            "mov.b64 %rd7, {%h6, %h5, %h4, %h3}; mov.b64 {_, %r8}, %rd7;\n"
                            "mov.b64 %rd7, {%r8, %r6}; st.global.u64 [%rd5], %rd7;"),
           1, N);
    for (uint32_t i = 0; i < N; i++) {
        const uint32_t v = i * 0x01010101 + 0x00ff1234, swapped = v << 16 | v >> 16;
        const uint32_t back = swapped << 16 | swapped >> 16;
        REQUIRE(pair(r.p1, i) == ((uint64_t) v << 32 | back));
    }
    rig_free(&r);
}

static void test_narrow_results_fill_wide_registers(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(AT64
                       "shl.b32 %r6, %r5, 2; cvt.s8.s32 %r7, %r6; cvt.u8.s32 %r8, %r6;\n"
                       "cvt.s16.s32 %rd6, %r7; cvt.u64.u32 %rd7, %r8; shl.b64 %rd7, %rd7, 56;\n"
                       "xor.b64 %rd6, %rd6, %rd7; st.global.u64 [%rd5], %rd6;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE(pair(r.p1, i) ==
                ((uint64_t) (int64_t) (int8_t) (i << 2) ^ (uint64_t) (uint8_t) (i << 2) << 56));
    rig_free(&r);
}

static void test_constants_of_every_kind(void)
{
    struct rig r;
    rig_do(&r,
           HEAD ".global .u32 table[4] = {11, 22, 33, 44};\n" KERNEL(
               AT64 "cvt.rn.f64.u32 %fd1, %r5; mul.f64 %fd1, %fd1, 0d3FE0000000000000; add.f64 "
                    "%fd1, %fd1, 0.25;\n"
                    "cvt.rn.f32.f64 %f1, %fd1; add.f32 %f1, %f1, 0f3E800000; mov.b32 %r6, %f1;\n"
                    "add.s32 %r6, %r6, -1; mov.u64 %rd6, table; ld.global.u32 %r7, [%rd6+8];\n"
                    "add.s64 %rd7, %rd6, 4; ld.global.u32 %r8, [%rd7]; add.u32 %r7, %r7, %r8;\n"
                    "mov.b64 %rd6, {%r6, %r7}; and.b64 %rd6, %rd6, 0xffffffffffff; st.global.u64 "
                    "[%rd5], %rd6;"),
           1, N);
    for (uint32_t i = 0; i < N; i++) {
        REQUIRE_NEAR(as_float(r.p1[2 * i] + 1), i * 0.5 + 0.5, 0);
        REQUIRE_INT(r.p1[2 * i + 1], ==, 55);
    }
    rig_free(&r);
}

/* ---- modifiers that take an operation of their own ---- */

static void test_sat_and_ftz_go_with_every_rounding(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(
               "cvt.rn.f32.u32 %f1, %r5; mul.rn.f32 %f1, %f1, 0f3C800000;\n" /* i / 64 */
               "add.rz.sat.f32 %f2, %f1, 0f00000000; mov.f32 %f3, 0f00000007;\n"
               "fma.rp.ftz.f32 %f4, %f3, 0f4B000000, 0f00000000; add.f32 %f2, %f2, %f4;\n"
               "cvt.ftz.f64.f32 %fd1, %f3; cvt.rn.sat.f32.f64 %f4, %fd1; add.f32 %f2, %f2, %f4;\n"
               "st.global.f32 [%rd4], %f2;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE_NEAR(as_float(r.p0[i]), i < 64 ? i / 64.0 : 1, 0);
    rig_free(&r);
}

/* ---- guards and columns ---- */

static void test_guarded_instruction_keeps_what_it_does_not_write(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(
               "mov.u32 %r6, 7; setp.lt.u32 %p1, %r5, 33; add.u32 %r7, %r5, 100;\n"
               "@%p1 mov.u32 %r6, %r7; @!%p1 add.u32 %r6, %r6, 1; @%p1 add.u32 %r8, %r6, %r5;\n"
               "selp.b32 %r8, %r8, 0, %p1; add.u32 %r6, %r6, %r8; st.global.u32 [%rd4], %r6;"),
           1, N);
    for (uint32_t i = 0; i < N; i++)
        REQUIRE_INT(r.p0[i], ==, i < 33 ? i + 100 + i + 100 + i : 8);
    rig_free(&r);
}

/* Lanes wait in the middle of both arms, so the registers of one arm must survive the other's. */
static void test_arms_of_a_branch_do_not_share_columns_of_other_widths(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(AT64 "and.b32 %r6, %r5, 1; setp.eq.s32 %p1, %r6, 0; @%p1 bra EVEN;\n"
                            "mul.lo.u32 %r7, %r5, 3; mul.lo.u32 %r8, %r5, 5; mul.lo.u32 %r9, %r5, "
                            "7; xor.b32 %r10, %r5, -1;\n"
                            "bar.sync 0; add.u32 %r7, %r7, %r8; add.u32 %r9, %r9, %r10; mov.b64 "
                            "%rd9, {%r7, %r9}; bra DONE;\n"
                            "EVEN: cvt.u64.u32 %rd6, %r5; mul.lo.u64 %rd7, %rd6, 0x100000001; "
                            "mul.lo.u64 %rd8, %rd6, 0x300000003;\n"
                            "bar.sync 0; add.u64 %rd9, %rd7, %rd8;\n"
                            "DONE: st.global.u64 [%rd5], %rd9;"),
           1, N);
    for (uint32_t i = 0; i < N; i++) {
        const uint64_t odd = (uint64_t) (i * 7 + ~i) << 32 | i * 8;
        REQUIRE(pair(r.p1, i) == (i % 2 ? odd : i * UINT64_C(0x400000004)));
    }
    rig_free(&r);
}

static void test_value_lives_round_a_loop(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("mov.u32 %r6, 0; mov.u32 %r7, 1; add.u32 %r12, %r5, 1000;\n"
                       "AGAIN: setp.ge.u32 %p1, %r6, %r5; @%p1 bra OUT;\n"
                       "mul.lo.u32 %r8, %r6, 3; add.u32 %r9, %r8, 1; xor.b32 %r10, %r9, %r7; "
                       "add.u32 %r7, %r10, %r6;\n"
                       "add.u32 %r6, %r6, 1; bra AGAIN;\n"
                       "OUT: add.u32 %r7, %r7, %r12; st.global.u32 [%rd4], %r7;"),
           1, N);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t v = 1;
        for (uint32_t k = 0; k < i; k++)
            v = ((k * 3 + 1) ^ v) + k;
        REQUIRE_INT(r.p0[i], ==, v + i + 1000);
    }
    rig_free(&r);
}

/* A chain of 20 000 registers of which two live at a time. */
static void test_long_function_takes_few_columns(void)
{
    enum { LINKS = 20000 };
    struct str s = {0};
    str_addf(&s,
             HEAD ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n{\n"
                  ".reg .b32 %%r<%d>; .reg .b64 %%rd<3>;\nld.param.u64 %%rd1, [p0];\n"
                  "mov.u32 %%r0, %%tid.x; mov.u32 %%r1, 1;\n",
             LINKS + 2);
    for (int i = 0; i < LINKS; i++)
        str_addf(&s, "add.u32 %%r%d, %%r%d, %%r%d;\n", i + 2, i, i + 1);
    str_addf(&s, "st.global.u32 [%%rd1], %%r%d;\nret;\n}\n", LINKS + 1);
    struct rig r;
    rig_load(&r, str_text(&s));
    struct simt_kernel_info info;
    simt_kernel_info(r.kernel, &info);
    REQUIRE_INT(info.slots_bytes, <=, 8 + 3 * 4);
    REQUIRE_INT(info.declared_bytes, >, LINKS * 4);
    rig_free(&r);
    str_fini(&s);
}

/* ---- what cannot be done ---- */

static void test_unknown_instruction_is_named_when_its_kernel_is_asked_for(void)
{
    static const char ptx[] =
        HEAD ".visible .entry good(.param .u64 p0)\n{\n.reg .b64 %rd<2>;\nld.param.u64 %rd1, "
             "[p0];\nst.global.u32 [%rd1], 3;\nret;\n}\n"
             ".visible .entry bad(.param .u64 p0)\n{\n.reg .b64 %rd<2>;\n.reg .f32 "
             "%f<6>;\nld.param.u64 %rd1, [p0];\n"
             "tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f5, %f5}];\nret;\n}\n";
    struct ptx_module *m = NULL;
    struct ptx_diag diag;
    struct simt_space *space;
    struct simt_module *module;
    struct simt_kernel *kernel;
    struct str message = {0};
    REQUIRE(ptx_parse(&m, ptx, strlen(ptx), &diag) == 0);
    REQUIRE(simt_space_create(&space) == 0);
    REQUIRE(simt_module_create(&module, m, space, &message) == 0);
    REQUIRE(simt_kernel_get(&kernel, module, "bad", &message) != 0);
    REQUIRE_IN("kernel 'bad' needs 'tex.2d.v4.f32.f32' (line 16 of its PTX)", str_text(&message));
    str_clear(&message);
    REQUIRE(simt_kernel_get(&kernel, module, "good", &message) == 0);
    simt_module_destroy(&module);
    simt_space_destroy(&space);
    str_fini(&message);
}

static void test_dump_shows_instructions_and_operations(void)
{
    struct rig r;
    struct str s = {0};
    rig_load(&r, HEAD KERNEL("mul.hi.u32 %r6, %r5, 10; st.global.u32 [%rd4], %r6;"));
    simt_kernel_dump(r.kernel, &s);
    REQUIRE_IN("mul.hi.u32 %r6, %r5, 10", str_text(&s));
    REQUIRE_IN("MULHI_U32 w", str_text(&s));
    str_fini(&s);
    rig_free(&r);
}

/* Fails the 1st, 2nd, … allocation while a kernel with everything in it is lowered. */
static void test_short_memory_is_an_error(void)
{
    static const char ptx[] =
        HEAD KERNEL(AT64 "setp.lt.u32 %p1, %r5, 40; @%p1 bra OUT; mov.b64 {%r6, %r7}, %rd5; "
                         "add.cc.u32 %r6, %r6, 77777;\n"
                         "addc.u32 %r7, %r7, 0; mov.b64 %rd6, {%r6, %r7}; st.global.v2.u32 [%rd5], "
                         "{%r6, %r7}; bar.sync 0;\nOUT:");
    size_t n = 0;
    for (bool done = false; !done; n++) {
        struct ptx_module *m = NULL;
        struct ptx_diag diag;
        struct simt_space *space;
        struct simt_module *module;
        struct simt_kernel *kernel;
        struct str message = {0};
        REQUIRE(ptx_parse(&m, ptx, strlen(ptx), &diag) == 0);
        REQUIRE(simt_space_create(&space) == 0);
        REQUIRE(simt_module_create(&module, m, space, &message) == 0);
        alloc_fail_at(n + 1);
        done = simt_kernel_get(&kernel, module, "k", &message) == 0;
        alloc_fail_at(0);
        simt_module_destroy(&module);
        simt_space_destroy(&space);
        str_fini(&message);
    }
    REQUIRE_INT(n, >, 10);
}

int main(void)
{
    RUN(test_setp_makes_both_results);
    RUN(test_setp_may_read_the_predicate_it_writes);
    RUN(test_set_gives_ones_or_one);
    RUN(test_carry_goes_from_add_to_addc);
    RUN(test_borrow_goes_from_sub_to_subc_through_three_words);
    RUN(test_madc_multiplies_in_words);
    RUN(test_vectors_pack_and_unpack);
    RUN(test_narrow_results_fill_wide_registers);
    RUN(test_constants_of_every_kind);
    RUN(test_sat_and_ftz_go_with_every_rounding);
    RUN(test_guarded_instruction_keeps_what_it_does_not_write);
    RUN(test_arms_of_a_branch_do_not_share_columns_of_other_widths);
    RUN(test_value_lives_round_a_loop);
    RUN(test_long_function_takes_few_columns);
    RUN(test_unknown_instruction_is_named_when_its_kernel_is_asked_for);
    RUN(test_dump_shows_instructions_and_operations);
    RUN(test_short_memory_is_an_error);
    return 0;
}

/* The engine: how lanes diverge and meet, what blocks wait for, what a fault says. */
#include <fenv.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "simt_rig.h"

/* ---- control flow ---- */

static void lanes_diverge_and_meet(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("and.b32 %r6, %r2, 1; setp.eq.u32 %p1, %r6, 0;\n"
                       "@%p1 bra EVEN; mul.lo.u32 %r7, %r5, 3; bra JOIN;\n"
                       "EVEN: add.u32 %r7, %r5, 1000;\n"
                       "JOIN: activemask.b32 %r8; st.global.u32 [%rd4], %r7;\n"
                       "add.s64 %rd5, %rd2, %rd3; st.global.u32 [%rd5], %r8;"),
           3, 100);
    for (uint32_t i = 0; i < 300; i++) {
        REQUIRE(r.p0[i] == (i % 100 % 2 ? 3 * i : i + 1000));
        REQUIRE(r.p1[i] == (i % 100 < 96 ? UINT32_MAX : 15));
    }
    rig_free(&r);
}

static void loops_nest_with_different_counts(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("rem.u32 %r6, %r2, 7; mov.u32 %r7, 0; mov.u32 %r8, 0;\n"
                       "OUT: setp.ge.u32 %p1, %r7, %r6; @%p1 bra DONE; mov.u32 %r9, 0;\n"
                       "IN: setp.ge.u32 %p2, %r9, %r7; @%p2 bra NEXT;\n"
                       "add.u32 %r8, %r8, %r9; add.u32 %r8, %r8, 1; add.u32 %r9, %r9, 1; bra IN;\n"
                       "NEXT: add.u32 %r7, %r7, 1; bra OUT;\n"
                       "DONE: st.global.u32 [%rd4], %r8;"),
           2, 64);
    for (uint32_t i = 0; i < 128; i++) {
        uint32_t sum = 0;
        for (uint32_t a = 0; a < i % 64 % 7; a++)
            for (uint32_t b = 0; b < a; b++)
                sum += b + 1;
        REQUIRE(r.p0[i] == sum);
    }
    rig_free(&r);
}

/* A loop with two entries. */
static void irreducible_loops_work(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD KERNEL(
            "mov.u32 %r6, %r2; mov.u32 %r7, 0; and.b32 %r8, %r2, 1; setp.eq.u32 %p1, %r8, 0; @%p1 "
            "bra B;\n"
            "A: add.u32 %r7, %r7, 10;\n"
            "B: add.u32 %r7, %r7, 1; setp.eq.u32 %p2, %r6, 0; @%p2 bra END; sub.u32 %r6, %r6, 1;\n"
            "and.b32 %r8, %r6, 3; setp.eq.u32 %p1, %r8, 0; @%p1 bra B; bra A;\n"
            "END: st.global.u32 [%rd4], %r7;"),
        1, 64);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t sum = i & 1 ? 10 : 0, left = i;
        for (sum++; left; sum++)
            sum += --left & 3 ? 10 : 0;
        REQUIRE(r.p0[i] == sum);
    }
    rig_free(&r);
}

static const char factorial[] =
    HEAD ".func (.param .b32 r) fact(.param .b32 a)\n{ .reg .pred %p<2>; .reg .b32 %r<8>;\n"
         "ld.param.u32 %r1, [a]; setp.lt.u32 %p1, %r1, 2; mov.u32 %r2, 1; @%p1 bra END;\n"
         "{ .param .b32 x; .param .b32 y; sub.u32 %r3, %r1, 1; st.param.b32 [x], %r3;\n"
         "call.uni (y), fact, (x); ld.param.b32 %r4, [y]; }\n"
         "mul.lo.u32 %r2, %r1, %r4;\n"
         "END: st.param.b32 [r], %r2; ret; }\n" KERNEL(
             "{ .param .b32 x; .param .b32 y; rem.u32 %r6, %r2, 11;\n"
             "st.param.b32 [x], %r6; call (y), fact, (x);\n"
             "ld.param.b32 %r7, [y]; } st.global.u32 [%rd4], %r7;");

static void functions_recurse_lane_by_lane(void)
{
    struct rig r;
    rig_do(&r, factorial, 2, 96);
    for (uint32_t i = 0; i < 192; i++) {
        uint32_t f = 1;
        for (uint32_t k = 2; k <= i % 96 % 11; k++)
            f *= k;
        REQUIRE(r.p0[i] == f);
    }
    rig_free(&r);
}

/* The same function from two places, by lanes in both branches; results of 8 and of 20 bytes. */
static void calls_keep_their_arguments_apart(void)
{
    struct rig r;
    rig_do(&r,
           HEAD
           ".func (.param .align 4 .b8 r[20]) f(.param .b64 a, .param .b32 b)\n"
           "{ .reg .b64 %rd<3>; .reg .b32 %r<4>; ld.param.u64 %rd1, [a]; ld.param.u32 %r1, [b]; "
           "cvt.u32.u64 %r2, %rd1;\n"
           "st.param.b32 [r], %r2; st.param.b32 [r+8], %r1; add.u32 %r3, %r1, %r2; st.param.b32 "
           "[r+16], %r3; ret; }\n" KERNEL(
               "cvt.u64.u32 %rd6, %r2; and.b32 %r6, %r2, 1; setp.eq.u32 %p1, %r6, 0; @%p1 bra E;\n"
               "{ .param .b64 x; .param .b32 y; .param .align 4 .b8 z[20]; st.param.b64 [x], %rd6; "
               "st.param.b32 [y], 7;\n"
               "call (z), f, (x, y); ld.param.b32 %r7, [z+16]; } bra J;\n"
               "E: { .param .b64 x; .param .b32 y; .param .align 4 .b8 z[20]; st.param.b64 [x], "
               "%rd6;\n"
               "st.param.b32 [y], 100; call (z), f, (x, y); ld.param.b32 %r7, [z+16]; ld.param.b32 "
               "%r8, [z+8];\n"
               "add.u32 %r7, %r7, %r8; }\n"
               "J: st.global.u32 [%rd4], %r7;"),
           1, 70);
    for (uint32_t i = 0; i < 70; i++)
        REQUIRE(r.p0[i] == (i & 1 ? i + 7 : i + 200));
    rig_free(&r);
}

/* ---- rendezvous ---- */

static void shfl_meets_across_branches(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD KERNEL(
            "setp.lt.u32 %p1, %r2, 16; mul.lo.u32 %r6, %r2, 10; xor.b32 %r7, %r2, 31; @%p1 bra "
            "LOW;\n"
            "shfl.sync.idx.b32 %r8|%p2, %r6, %r7, 31, 0xffffffff; add.u32 %r8, %r8, 1000; bra J;\n"
            "LOW: shfl.sync.idx.b32 %r8|%p2, %r6, %r7, 31, 0xffffffff;\n"
            "J: st.global.u32 [%rd4], %r8;"),
        1, 32);
    for (uint32_t i = 0; i < 32; i++)
        REQUIRE(r.p0[i] == (31 - i) * 10 + (i < 16 ? 0 : 1000));
    rig_free(&r);
}

static void votes_combine_across_branches(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD KERNEL(
            "and.b32 %r6, %r2, 3; setp.eq.u32 %p1, %r6, 0; setp.lt.u32 %p2, %r2, 8; @%p2 bra LOW;\n"
            "vote.sync.ballot.b32 %r8, %p1, 0xffffffff; bra J;\n"
            "LOW: vote.sync.ballot.b32 %r8, !%p1, 0xffffffff;\n"
            "J: st.global.u32 [%rd4], %r8;"),
        1, 32);
    for (uint32_t i = 0; i < 32; i++)
        REQUIRE(r.p0[i] == 0x111111ee);
    rig_free(&r);
}

static void masks_of_halves_are_apart(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("setp.lt.u32 %p1, %r2, 16; selp.u32 %r6, 0xffff, 0xffff0000, %p1; "
                       "setp.eq.u32 %p2, %r2, 3;\n"
                       "vote.sync.any.pred %p3, %p2, %r6; selp.u32 %r7, 1, 0, %p3;\n"
                       "shfl.sync.down.b32 %r8|%p4, %r2, 1, 31, %r6; selp.u32 %r9, 100, 200, %p4;\n"
                       "add.u32 %r7, %r7, %r9; st.global.u32 [%rd4], %r7;"),
           1, 32);
    for (uint32_t i = 0; i < 32; i++)
        REQUIRE(r.p0[i] == (i < 16) + (i < 31 ? 100u : 200u));
    rig_free(&r);
}

static void exited_lanes_leave_the_masks(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(
               "setp.ge.u32 %p1, %r2, 20; @%p1 ret;\n"
               "vote.sync.ballot.b32 %r6, 1, 0xffffffff; bar.sync 0; bar.warp.sync 0xffffffff;\n"
               "st.global.u32 [%rd4], %r6;"),
           1, 64);
    for (uint32_t i = 0; i < 64; i++)
        REQUIRE(r.p0[i] == (i < 20 ? 0xfffffu : 0));
    rig_free(&r);
}

/* Those who wait already must notice that the others have gone. */
static void exiting_lets_the_waiting_go(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("setp.lt.u32 %p1, %r2, 7; @%p1 bra WAIT; mov.u32 %r6, 0;\n"
                       "L: add.u32 %r6, %r6, 1; setp.lt.u32 %p2, %r6, 50; @%p2 bra L; exit;\n"
                       "WAIT: vote.sync.ballot.b32 %r7, 1, 0xffffffff; bar.sync 0; st.global.u32 "
                       "[%rd4], %r7;"),
           1, 96);
    for (uint32_t i = 0; i < 96; i++)
        REQUIRE(r.p0[i] == (i < 7 ? 0x7fu : 0));
    rig_free(&r);
}

static void shfl_clamps_in_segments(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL("shfl.sync.up.b32 %r6|%p1, %r2, 3, 0x1800, 0xffffffff; selp.u32 %r7, 100, "
                       "0, %p1; add.u32 %r6, %r6, %r7;\n"
                       "shfl.sync.bfly.b32 %r8, %r2, 5, 0x1f, 0xffffffff; shl.b32 %r8, %r8, 16; "
                       "add.u32 %r6, %r6, %r8;\n"
                       "st.global.u32 [%rd4], %r6;"),
           1, 32);
    for (uint32_t i = 0; i < 32; i++)
        REQUIRE(r.p0[i] == (i % 8 >= 3 ? i - 3 + 100 : i) + ((i ^ 5) << 16));
    rig_free(&r);
}

static void lanes_match_by_value(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD KERNEL(
            "and.b32 %r6, %r2, 3; match.any.sync.b32 %r7, %r6, 0xffffffff; cvt.u64.u32 %rd6, %r1;\n"
            "match.all.sync.b64 %r8|%p1, %rd6, 0xffffffff; selp.u32 %r9, 1, 0, %p1;\n"
            "match.all.sync.b32 %r10|%p2, %r6, 0xffffffff; selp.u32 %r11, 2, 0, %p2;\n"
            "add.u32 %r9, %r9, %r11; and.b32 %r7, %r7, %r8; add.u32 %r7, %r7, %r9; st.global.u32 "
            "[%rd4], %r7;"),
        1, 32);
    for (uint32_t i = 0; i < 32; i++)
        REQUIRE(r.p0[i] == (0x11111111u << (i & 3)) + 1);
    rig_free(&r);
}

static void barriers_meet_by_number_not_by_place(void)
{
    struct rig r;
    rig_do(&r,
           HEAD ".shared .align 4 .b8 s[1024];\n" KERNEL(
               "mov.u32 %r6, s; shl.b32 %r7, %r2, 2; add.u32 %r8, %r6, %r7; st.shared.u32 [%r8], "
               "%r2;\n"
               "setp.lt.u32 %p1, %r2, 40; @%p1 bra LOW; bar.sync 0; bra J; LOW: barrier.sync 0;\n"
               "J: sub.u32 %r9, 255, %r2; shl.b32 %r9, %r9, 2; add.u32 %r9, %r9, %r6; "
               "ld.shared.u32 %r10, [%r9];\n"
               "st.global.u32 [%rd4], %r10;"),
           2, 256);
    for (uint32_t i = 0; i < 512; i++)
        REQUIRE(r.p0[i] == 255 - i % 256);
    rig_free(&r);
}

/* So many registers are live that a block of 1,024 threads is cut into several gangs. */
static void gangs_of_a_block_meet(void)
{
    struct rig r;
    struct str ptx = {0};
    str_add(
        &ptx, HEAD
        ".shared .align 4 .b8 s[4096];\n.visible .entry k(.param .u64 p0, .param .u64 p1, .param "
        ".u32 n)\n"
        "{ .reg .pred %p<4>; .reg .b32 %r<80>; .reg .b64 %rd<8>;\n"
        "ld.param.u64 %rd1, [p0]; ld.param.u64 %rd2, [p1]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, "
        "%r1, 4;\n"
        "add.s64 %rd4, %rd1, %rd3; mov.u32 %r2, s; shl.b32 %r3, %r1, 2; add.u32 %r4, %r2, %r3;\n");
    for (int i = 0; i < 40; i++)
        str_addf(&ptx, "ld.global.u32 %%r%d, [%%rd2+%d];\n", 10 + i, 4 * i);
    str_add(&ptx, "mov.u32 %r5, %r1;\n");
    for (int i = 0; i < 40; i++)
        str_addf(&ptx, "mad.lo.u32 %%r5, %%r5, 3, %%r%d;\n", 10 + i);
    str_add(&ptx,
            "st.shared.u32 [%r4], %r1; setp.eq.u32 %p1, %r1, 777; @%p1 ret;\n"
            "bar.sync 0; xor.b32 %r6, %r3, 4092; add.u32 %r6, %r6, %r2; ld.shared.u32 %r7, [%r6];\n"
            "setp.eq.u32 %p2, %r1, 3; bar.red.popc.u32 %r8, 1, %p2; add.u32 %r7, %r7, %r8;\n"
            "setp.eq.u32 %p3, %r5, 12345; @%p3 add.u32 %r7, %r7, 1; st.global.u32 [%rd4], %r7; "
            "ret; }\n");
    rig_do(&r, str_text(&ptx), 1, 1024);
    for (uint32_t i = 0; i < 1024; i++)
        REQUIRE(r.p0[i] == (i == 777 ? 0 : 1023 - i + 1));
    str_fini(&ptx);
    rig_free(&r);
}

static void barriers_reduce(void)
{
    struct rig r;
    rig_do(&r,
           HEAD KERNEL(
               "rem.u32 %r6, %r2, 3; setp.eq.u32 %p1, %r6, 0; bar.red.popc.u32 %r7, 0, %p1;\n"
               "setp.lt.u32 %p2, %r2, 1000; bar.red.and.pred %p3, 0, %p2; bar.red.or.pred %p4, 0, "
               "!%p2;\n"
               "selp.u32 %r8, 1000, 0, %p3; selp.u32 %r9, 5000, 0, %p4; add.u32 %r7, %r7, %r8;\n"
               "add.u32 %r7, %r7, %r9; st.global.u32 [%rd4], %r7;"),
           1, 100);
    for (uint32_t i = 0; i < 100; i++)
        REQUIRE(r.p0[i] == 1034);
    rig_free(&r);
}

static void producers_arrive_and_consumers_wait(void)
{
    struct rig r;
    rig_do(&r,
           HEAD ".shared .align 4 .u32 s;\n" KERNEL(
               "setp.ge.u32 %p1, %r2, 32; @%p1 bra MAKE; bar.sync 1, 64; ld.shared.u32 %r6, [s];\n"
               "st.global.u32 [%rd4], %r6; ret;\n"
               "MAKE: st.shared.u32 [s], 42; membar.cta; bar.arrive 1, 64;"),
           1, 64);
    for (uint32_t i = 0; i < 32; i++)
        REQUIRE(r.p0[i] == 42);
    rig_free(&r);
}

/* ---- waiting for each other ---- */

static void spin_locks_in_a_block_end(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD KERNEL(
            "TRY: atom.global.cas.b32 %r6, [%rd2], 0, 1; setp.ne.u32 %p1, %r6, 0; @%p1 bra TRY;\n"
            "ld.volatile.global.u32 %r7, [%rd1]; add.u32 %r7, %r7, 1; st.volatile.global.u32 "
            "[%rd1], %r7;\n"
            "membar.gl; atom.global.exch.b32 %r8, [%rd2], 0;"),
        3, 200);
    REQUIRE(r.p0[0] == 600 && r.p1[0] == 0);
    rig_free(&r);
}

/* Each block waits for the next one; the last starts the chain. */
static const char chain[] =
    HEAD KERNEL("mov.u32 %r6, %nctaid.x; sub.u32 %r6, %r6, 1; setp.eq.u32 %p1, %r3, %r6;\n"
                "mul.wide.u32 %rd5, %r3, 4; add.s64 %rd6, %rd2, %rd5; setp.ne.u32 %p2, %r2, 0;\n"
                "@%p2 bra JOIN; @%p1 bra SET;\n"
                "L: ld.acquire.gpu.u32 %r7, [%rd6+4]; setp.eq.u32 %p3, %r7, 0; @%p3 bra L;\n"
                "SET: st.release.gpu.u32 [%rd6], 1;\n"
                "JOIN: bar.sync 0; st.global.u32 [%rd4], 9;");

static void blocks_may_wait_for_later_ones(void)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct rig r;
        rig_load(&r, chain);
        REQUIRE(rig_run_on(&r, 12, 64, workers) == 0);
        for (uint32_t i = 0; i < 12 * 64; i++)
            REQUIRE(r.p0[i] == 9);
        rig_free(&r);
    }
}

static void cooperative_grids_are_resident(void)
{
    struct rig r;
    int code;
    struct simt_grid *g = NULL;
    rig_load(&r,
             HEAD ".shared .align 4 .b8 s[40000];\n" KERNEL(
                 "setp.ne.u32 %p1, %r2, 0; @%p1 bra J; atom.global.add.u32 %r6, [%rd2], 1; mov.u32 "
                 "%r7, %nctaid.x;\n"
                 "L: ld.acquire.gpu.u32 %r8, [%rd2]; setp.lt.u32 %p2, %r8, %r7; @%p2 bra L;\n"
                 "J: bar.sync 0; mov.u32 %r9, %envreg2; st.shared.u32 [s], %r9; ld.shared.u32 %r9, "
                 "[s];\n"
                 "setp.ne.u32 %p3, %r9, 0; selp.u32 %r9, 3, 4, %p3; st.global.u32 [%rd4], %r9;"));
    r.launch.cooperative = true;
    REQUIRE(rig_run_on(&r, 80, 64, 2) == 0);
    for (uint32_t i = 0; i < 80 * 64; i++)
        REQUIRE(r.p0[i] == 3);
    r.launch.grid[0] = 1u << 20;
    REQUIRE(simt_grid_create(&g, &r.launch, &code) == -1 && code == 720);
    rig_free(&r);
}

static void deadlocks_are_named(void)
{
    struct rig r;
    rig_load(&r, HEAD KERNEL("setp.ge.u32 %p1, %r2, 32; @%p1 ret; bar.sync 1, 64;"));
    REQUIRE(rig_run(&r, 1, 64) == 719);
    REQUIRE(strstr(r.fault.text, "deadlock") && strstr(r.fault.text, "barrier"));
    rig_free(&r);
    rig_load(&r, HEAD KERNEL("setp.lt.u32 %p1, %r2, 5; @%p1 bra A; bar.warp.sync 0xffffffff; ret;\n"
                             "A: bar.sync 0; bar.warp.sync 0xffffffff;"));
    REQUIRE(rig_run(&r, 1, 64) == 719);
    REQUIRE(strstr(r.fault.text, "deadlock"));
    rig_free(&r);
}

static const char endless[] = HEAD KERNEL("L: add.u32 %r6, %r6, 1; bra L;");

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void endless_loops_can_be_cancelled(void)
{
    struct rig r;
    rig_load(&r, endless);
    struct simt_grid *g = rig_grid(&r, 100, 256);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, rig_work, g) == 0);
    usleep(20000);
    double start = seconds();
    simt_grid_cancel(g, "stopped by the test");
    pthread_join(thread, NULL);
    REQUIRE(seconds() - start < 0.15);
    REQUIRE(simt_grid_done(g));
    REQUIRE(simt_grid_fault(g)->code == 702 &&
            strstr(simt_grid_fault(g)->text, "stopped by the test"));
    simt_grid_destroy(&g);
    rig_free(&r);
}

static void budgets_are_kept(void)
{
    struct rig r;
    rig_load(&r,
             HEAD KERNEL(
                 "mov.u32 %r6, 0; L: add.u32 %r6, %r6, 1; setp.lt.u32 %p1, %r6, %r1; @%p1 bra L;\n"
                 "st.global.u32 [%rd4], %r6;"));
    r.n = 30000;
    struct simt_grid *g = rig_grid(&r, 5, 128);
    unsigned slices = 0;
    double worst = 0, start = seconds();
    for (enum simt_progress p = SIMT_SLICE; p != SIMT_DONE; slices++) {
        REQUIRE(p == SIMT_SLICE);
        double from = seconds();
        p = simt_grid_work(g, 500);
        worst = MAX(worst, seconds() - from);
    }
    REQUIRE(slices > 1 || seconds() - start < 0.001);
    REQUIRE(worst < 0.1);
    REQUIRE(!simt_grid_fault(g) && simt_grid_pending(g) == 0);
    simt_grid_destroy(&g);
    for (uint32_t i = 0; i < 5 * 128; i++)
        REQUIRE(r.p0[i] == 30000);
    rig_free(&r);
}

/* ---- memory ---- */

static void narrow_and_vector_accesses(void)
{
    struct rig r;
    rig_load(&r,
             HEAD KERNEL(
                 "mul.wide.u32 %rd6, %r2, 16; add.s64 %rd7, %rd2, %rd6; add.s64 %rd8, %rd1, %rd6;\n"
                 "ld.global.v4.u32 {%r6, %r7, %r8, %r9}, [%rd7]; ld.global.s8 %r10, [%rd7+1]; "
                 "ld.global.u8 %h1, [%rd7+2];\n"
                 "ld.global.s16 %rd9, [%rd7+4]; ld.global.v2.u8 {%h2, %h3}, [%rd7+8]; cvt.u32.u16 "
                 "%r11, %h1;\n"
                 "add.u32 %r6, %r10, %r11; cvt.u32.u64 %r7, %rd9; cvt.u32.u16 %r12, %h2; "
                 "cvt.u32.u16 %r13, %h3;\n"
                 "sub.u32 %r8, %r12, %r13; st.global.v4.u32 [%rd8], {%r6, %r7, %r8, %r9}; "
                 "st.global.u8 [%rd8+15], 77;"));
    for (uint32_t i = 0; i < 4 * 100; i++)
        r.p1[i] = i * 2654435761u;
    REQUIRE(rig_run(&r, 1, 100) == 0);
    for (uint32_t i = 0; i < 100; i++) {
        const uint32_t *in = r.p1 + 4 * i, *out = r.p0 + 4 * i;
        REQUIRE(out[0] == (uint32_t) (int8_t) (in[0] >> 8) + (in[0] >> 16 & 255));
        REQUIRE(out[1] == (uint32_t) (int16_t) in[1]);
        REQUIRE(out[2] == (in[2] & 255) - (in[2] >> 8 & 255));
        REQUIRE(out[3] == ((in[3] & 0xffffff) | 77u << 24));
    }
    rig_free(&r);
}

/* Rows of a tile, columns of a tile, a permutation, one address for all, and each with some lanes
 * off. */
static void every_pattern_of_addresses(void)
{
    static const char *const index[] = {
        "mov.u32 %r7, %r2;",       "and.b32 %r7, %r2, 15;", "shr.u32 %r7, %r2, 4;",
        "xor.b32 %r7, %r2, 0x55;", "mov.u32 %r7, 9;",       "mul.lo.u32 %r7, %r2, 3;",
        "and.b32 %r7, %r2, 0xf0;",
    };
    for (size_t k = 0; k < 2 * ARRAY_LEN(index); k++) {
        bool some = k % 2;
        struct rig r;
        struct str ptx = {0};
        str_add(&ptx, HEAD
                ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n" KERNEL_REGS);
        str_add(&ptx, "ld.param.u64 %rd1, [p0]; ld.param.u64 %rd2, [p1]; mov.u32 %r2, %tid.x; "
                      "mul.wide.u32 %rd3, %r2, 4;\n");
        str_add(&ptx, "add.s64 %rd4, %rd1, %rd3;\n");
        str_add(&ptx, some ? "rem.u32 %r6, %r2, 5; setp.eq.u32 %p1, %r6, 0; @%p1 ret;\n" : "");
        str_add(&ptx, index[k / 2]);
        str_add(&ptx, "mul.wide.u32 %rd6, %r7, 4; add.s64 %rd7, %rd2, %rd6;\n"
                      "ld.global.u32 %r8, [%rd7]; st.global.u32 [%rd4], %r8; ret; }\n");
        rig_load(&r, str_text(&ptx));
        for (uint32_t i = 0; i < 1024; i++)
            r.p1[i] = i + 1;
        REQUIRE(rig_run(&r, 1, 200) == 0);
        for (uint32_t i = 0; i < 200; i++) {
            const uint32_t at[] = {i, i & 15, i >> 4, i ^ 0x55, 9, 3 * i, i & 0xf0};
            REQUIRE(r.p0[i] == (some && i % 5 == 0 ? 0 : at[k / 2] + 1));
        }
        str_fini(&ptx);
        rig_free(&r);
    }
}

/* All lanes read one vector, then each its own, then one that is not aligned. */
static void vectors_are_broadcast(void)
{
    struct rig r;
    rig_load(
        &r,
        HEAD KERNEL(
            "ld.global.v4.u32 {%r6, %r7, %r8, %r9}, [%rd2+16]; add.u32 %r6, %r6, %r9;\n"
            "and.b32 %r10, %r2, 3; mul.wide.u32 %rd5, %r10, 8; add.s64 %rd6, %rd2, %rd5;\n"
            "ld.global.v2.u32 {%r7, %r8}, [%rd6]; add.u32 %r6, %r6, %r8; st.global.u32 [%rd4], "
            "%r6;\n"
            "setp.eq.u32 %p1, %r1, 0; @%p1 ret; ld.global.v4.u32 {%r6, %r7, %r8, %r9}, [%rd2+8];"));
    for (uint32_t i = 0; i < 16; i++)
        r.p1[i] = 100 + i;
    REQUIRE(rig_run(&r, 1, 64) == 0);
    for (uint32_t i = 0; i < 64; i++)
        REQUIRE(r.p0[i] == 104 + 107 + 101 + 2 * (i & 3));
    r.n = 1;
    REQUIRE(rig_run(&r, 1, 64) == 716 && r.fault.thread[0] == 0);
    rig_free(&r);
}

/* One address register and many offsets; in between the register changes, lanes drop out, and the
 * last offset is too far. */
static void loads_share_a_look_at_their_addresses(void)
{
    struct rig r;
    rig_load(&r, HEAD ".shared .align 16 .b8 s[2048];\n" KERNEL(
                     "mov.u32 %r6, s; shl.b32 %r7, %r2, 2; add.u32 %r8, %r6, %r7; st.shared.u32 "
                     "[%r8], %r2;\n"
                     "mad.lo.u32 %r9, %r2, 7, 3; st.shared.u32 [%r8+1024], %r9; bar.sync 0;\n"
                     "shr.u32 %r10, %r2, 4; shl.b32 %r10, %r10, 6; add.u32 %r10, %r10, %r6;\n"
                     "ld.shared.u32 %r11, [%r10]; ld.shared.u32 %r12, [%r10+4]; ld.shared.u32 "
                     "%r13, [%r10+1024];\n"
                     "add.u32 %r11, %r11, %r12; add.u32 %r11, %r11, %r13; add.u32 %r10, %r8, 0;\n"
                     "ld.shared.u32 %r12, [%r10]; ld.shared.u32 %r13, [%r10+1024]; add.u32 %r11, "
                     "%r11, %r12;\n"
                     "add.u32 %r11, %r11, %r13; setp.lt.u32 %p1, %r2, 100; @%p1 bra J;\n"
                     "ld.shared.u32 %r12, [%r10+0]; add.u32 %r11, %r11, %r12;\n"
                     "J: st.global.u32 [%rd4], %r11; ld.shared.u32 %r12, [%r10+4]; setp.eq.u32 "
                     "%p2, %r1, 0; @%p2 ret;\n"
                     "ld.shared.u32 %r13, [%r10+1028]; add.u32 %r12, %r12, %r13; st.global.u32 "
                     "[%rd4], %r12;"));
    REQUIRE(rig_run(&r, 1, 256) == 0);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t row = i / 16 * 16;
        REQUIRE(r.p0[i] == row + row + 1 + 7 * row + 3 + i + 7 * i + 3 + (i < 100 ? 0 : i));
    }
    r.n = 1;
    REQUIRE(rig_run(&r, 1, 256) == 700);
    REQUIRE(r.fault.thread[0] == 255 && strstr(r.fault.text, "shared"));
    rig_free(&r);
}

static void local_memory_is_each_lanes_own(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD
        ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n" KERNEL_REGS
        ".local .align 8 .b8 depot[64];\n"
        "ld.param.u64 %rd1, [p0]; mov.u32 %r2, %tid.x; mul.wide.u32 %rd3, %r2, 4; add.s64 %rd4, "
        "%rd1, %rd3;\n"
        "mov.u64 %rd5, depot; cvta.local.u64 %rd6, %rd5; mov.u32 %r6, 0;\n"
        "L: mad.lo.u32 %r7, %r2, 100, %r6; mul.wide.u32 %rd7, %r6, 4; add.s64 %rd8, %rd5, %rd7;\n"
        "st.local.u32 [%rd8], %r7; add.u32 %r6, %r6, 1; setp.lt.u32 %p1, %r6, 16; @%p1 bra L;\n"
        "and.b32 %r8, %r2, 15; mul.wide.u32 %rd9, %r8, 4; add.s64 %rd10, %rd6, %rd9; ld.u32 %r9, "
        "[%rd10];\n"
        "ld.local.u32 %r10, [depot+4]; add.u32 %r9, %r9, %r10; st.global.u32 [%rd4], %r9; ret; }",
        1, 128);
    for (uint32_t i = 0; i < 128; i++)
        REQUIRE(r.p0[i] == 200 * i + (i & 15) + 1);
    rig_free(&r);
}

static void parameters_have_addresses(void)
{
    struct rig r;
    rig_do(&r,
           HEAD ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n" KERNEL_REGS
                "mov.b64 %rd1, p0; cvta.param.u64 %rd2, %rd1; ld.u64 %rd3, [%rd2]; ld.param.u32 "
                "%r1, [%rd1+16];\n"
                "isspacep.global %p1, %rd3; selp.u32 %r2, 10, 20, %p1; isspacep.shared %p2, %rd3;\n"
                "selp.u32 %r3, 1, 2, %p2; add.u32 %r2, %r2, %r3; add.u32 %r2, %r2, %r1; "
                "st.global.u32 [%rd3], %r2; ret; }",
           1, 32);
    REQUIRE(r.p0[0] == 12);
    rig_free(&r);
}

static void atomics_go_in_order_of_lanes(void)
{
    struct rig r;
    rig_do(&r,
           HEAD ".shared .align 4 .u32 s;\n" KERNEL(
               "st.shared.u32 [s], 0; bar.sync 0; atom.shared.add.u32 %r6, [s], 3; st.global.u32 "
               "[%rd4], %r6;\n"
               "atom.global.inc.u32 %r7, [%rd2], 9; atom.global.dec.u32 %r7, [%rd2+4], 5; "
               "atom.global.max.s32 %r7, [%rd2+8], %r2;\n"
               "cvt.rn.f32.u32 %f1, %r2; atom.global.add.f32 %f2, [%rd2+12], %f1; mov.b16 %h1, 0; "
               "mov.b16 %h2, 5;\n"
               "atom.global.cas.b16 %h3, [%rd2+18], %h1, %h2; cvt.rn.f64.u32 %fd1, %r2; "
               "atom.global.add.f64 %fd2, [%rd2+24], %fd1;\n"
               "cvt.u64.u32 %rd6, %r2; red.global.or.b64 [%rd2+32], %rd6; atom.global.min.u64 "
               "%rd7, [%rd2+40], %rd6;\n"
               "atom.global.exch.b32 %r8, [%rd2+48], %r2;"),
           1, 100);
    for (uint32_t i = 0; i < 100; i++)
        REQUIRE(r.p0[i] == 3 * i);
    float f;
    double d;
    memcpy(&f, r.p1 + 3, sizeof f);
    memcpy(&d, r.p1 + 6, sizeof d);
    REQUIRE(r.p1[0] == 0 && r.p1[1] == 5 - 99 % 6 && r.p1[2] == 99 && f == 4950.0f && d == 4950.0);
    REQUIRE(r.p1[4] == 5u << 16 && r.p1[8] == 127 && r.p1[10] == 0 && r.p1[12] == 99);
    rig_free(&r);
}

static void many_threads_count_right(void)
{
    struct rig r;
    rig_load(&r, HEAD KERNEL(
                     "and.b32 %r6, %r5, 63; mul.wide.u32 %rd5, %r6, 4; add.s64 %rd6, %rd1, %rd5;\n"
                     "red.global.add.u32 [%rd6], 1; atom.global.add.f32 %f1, [%rd2], 0f3F800000;"));
    REQUIRE(rig_run_on(&r, 500, 96, 4) == 0);
    for (uint32_t i = 0; i < 64; i++)
        REQUIRE(r.p0[i] == 750);
    float f;
    memcpy(&f, r.p1, sizeof f);
    REQUIRE(f == 48000.0f);
    rig_free(&r);
}

static void malloc_gives_each_lane_its_own(void)
{
    struct rig r;
    rig_do(
        &r,
        HEAD
        ".extern .func (.param .b64 r) malloc(.param .b64 a);\n.extern .func free(.param .b64 "
        "a);\n" KERNEL(
            "{ .param .b64 x; .param .b64 y; st.param.b64 [x], 24; call.uni (y), malloc, (x); "
            "ld.param.b64 %rd5, [y]; }\n"
            "st.u32 [%rd5+20], %r2; bar.sync 0; ld.u32 %r6, [%rd5+20]; st.global.u32 [%rd4], %r6;\n"
            "{ .param .b64 x; st.param.b64 [x], %rd5; call.uni free, (x); }"),
        2, 64);
    for (uint32_t i = 0; i < 128; i++)
        REQUIRE(r.p0[i] == i % 64);
    rig_free(&r);
}

static void registers_tell_where_a_lane_is(void)
{
    struct rig r;
    rig_load(
        &r, HEAD
        ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n" KERNEL_REGS
        "ld.param.u64 %rd1, [p0]; mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z; "
        "mov.u32 %r4, %ntid.x;\n"
        "mov.u32 %r5, %ntid.y; mad.lo.u32 %r6, %r3, %r5, %r2; mad.lo.u32 %r6, %r6, %r4, %r1; "
        "mov.u32 %r7, %ctaid.y;\n"
        "mov.u32 %r8, %nctaid.y; mul.lo.u32 %r9, %r8, %r7; mov.u32 %r10, %laneid; mov.u32 %r11, "
        "%warpid;\n"
        "shl.b32 %r12, %r11, 5; add.u32 %r12, %r12, %r10; sub.u32 %r12, %r12, %r6; add.u32 %r9, "
        "%r9, %r12;\n"
        "mov.u32 %r13, %lanemask_lt; popc.b32 %r13, %r13; sub.u32 %r13, %r13, %r10; add.u32 %r9, "
        "%r9, %r13;\n"
        "mul.wide.u32 %rd2, %r6, 4; add.s64 %rd3, %rd1, %rd2; st.global.u32 [%rd3], %r9; ret; }");
    r.launch.grid[1] = 5;
    r.launch.block[1] = 3;
    r.launch.block[2] = 4;
    REQUIRE(rig_run(&r, 1, 7) == 0);
    for (uint32_t i = 0; i < 84; i++)
        REQUIRE(r.p0[i] == 20);
    REQUIRE(r.p0[84] == 0);
    rig_free(&r);
}

/* ---- faults ---- */

static void expect_fault(const char *ptx, int code, const char *words, uint32_t thread)
{
    struct rig r;
    rig_load(&r, ptx);
    REQUIRE(rig_run(&r, 3, 64) == code);
    REQUIRE(r.fault.has_place && r.fault.thread[0] == thread);
    if (!strstr(r.fault.text, words)) {
        fprintf(stderr, "%s\n", r.fault.text);
        exit(1);
    }
    /* The next launch is another matter. */
    rig_free(&r);
}

static void faults_say_what_was_wrong(void)
{
    expect_fault(
        HEAD KERNEL(
            "mul.wide.u32 %rd5, %r2, 4096; add.s64 %rd6, %rd1, %rd5; st.global.u32 [%rd6], 1;"),
        700, "past the end of the 65536-byte allocation", 16);
    expect_fault(HEAD KERNEL("add.s64 %rd5, %rd1, 2; ld.global.u32 %r6, [%rd5];"), 716,
                 "not a multiple of", 0);
    expect_fault(HEAD KERNEL("ld.global.v2.u32 {%r6, %r7}, [%rd4];"), 716, "not a multiple of", 1);
    expect_fault(HEAD KERNEL("mov.u64 %rd5, 0; ld.global.u32 %r6, [%rd5];"), 700, "k", 0);
    expect_fault(HEAD KERNEL("mov.u64 %rd5, -4; ld.global.u64 %rd6, [%rd5+4];"), 700, "k", 0);
    expect_fault(
        HEAD ".const .align 4 .b8 c[16];\n" KERNEL(
            "mov.u64 %rd5, c; cvta.const.u64 %rd6, %rd5; ld.u32 %r6, [%rd6]; st.u32 [%rd6], 1;"),
        700, "c", 0);
    expect_fault(
        HEAD ".shared .align 4 .b8 s[64];\n" KERNEL(
            "mov.u32 %r6, s; shl.b32 %r7, %r2, 2; add.u32 %r6, %r6, %r7; st.shared.u32 [%r6], 1;"),
        700, "shared", 16);
    expect_fault(HEAD KERNEL("setp.eq.u32 %p1, %r2, 5; @%p1 trap;"), 719, "k", 5);
}

static void free_knows_what_malloc_gave(void)
{
    struct rig r;
    rig_load(&r, HEAD ".extern .func free(.param .b64 a);\n" KERNEL(
                     "{ .param .b64 x; st.param.b64 [x], %rd1; call.uni free, (x); }"));
    REQUIRE(rig_run(&r, 1, 32) == 719);
    REQUIRE(strstr(r.fault.text, "free()"));
    rig_free(&r);
}

static void shapes_that_cannot_be_are_refused(void)
{
    static const uint32_t shapes[][6] = {{0, 1, 1, 32, 1, 1},
                                         {1, 1, 1, 0, 1, 1},
                                         {1, 1, 1, 32, 33, 1},
                                         {1, 1, 1, 1025, 1, 1},
                                         {1, 1, 1, 65536, 65536, 65536}};
    struct rig r;
    rig_load(&r, endless);
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct simt_grid *g = NULL;
        int code = 0;
        memcpy(r.launch.grid, shapes[i], sizeof r.launch.grid);
        memcpy(r.launch.block, shapes[i] + 3, sizeof r.launch.block);
        REQUIRE(simt_grid_create(&g, &r.launch, &code) == -1 && code == 1 && !g);
    }
    rig_free(&r);
}

static void endless_recursion_ends(void)
{
    struct rig r;
    rig_load(&r, HEAD
             ".func f()\n{ .reg .b32 %r<2>; call.uni f, (); ret; }\n" KERNEL("call.uni f, ();"));
    REQUIRE(rig_run(&r, 1, 64) == 714);
    REQUIRE(strstr(r.fault.text, "stack"));
    rig_free(&r);
}

static void the_first_fault_stops_every_block(void)
{
    struct rig r;
    rig_load(
        &r,
        HEAD KERNEL(
            "setp.eq.u32 %p1, %r3, 3; @%p1 trap; L: ld.volatile.global.u32 %r6, [%rd2]; bra L;"));
    REQUIRE(rig_run_on(&r, 40, 32, 2) == 719);
    REQUIRE(r.fault.block[0] == 3);
    rig_free(&r);
}

static const char printing[] = HEAD
    ".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);\n"
    ".global .align 1 .b8 fmt[10] = {98, 37, 100, 32, 116, 37, 100, 10, 0, 0};\n"
    ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 n)\n" KERNEL_REGS
    ".local .align 8 .b8 depot[8];\n"
    "mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.u64 %rd1, depot; cvta.local.u64 %rd2, %rd1;\n"
    "st.local.v2.u32 [%rd1], {%r3, %r2}; mov.u64 %rd3, fmt; cvta.global.u64 %rd4, %rd3;\n"
    "{ .param .b64 x; .param .b64 y; .param .b32 z; st.param.b64 [x], %rd4; st.param.b64 [y], "
    "%rd2;\n"
    "call.uni (z), vprintf, (x, y); ld.param.b32 %r6, [z]; } ret; }";

static void output_comes_in_order_of_blocks(void)
{
    struct rig r;
    rig_load(&r, printing);
    REQUIRE(rig_run_on(&r, 50, 33, 3) == 0);
    struct str expected = {0};
    for (int b = 0; b < 50; b++)
        for (int t = 0; t < 33; t++)
            str_addf(&expected, "b%d t%d\n", b, t);
    REQUIRE(strcmp(str_text(&expected), str_text(&r.printed)) == 0);
    str_fini(&expected);
    rig_free(&r);
}

/* 1 + 2^-30 is 1 to nearest, whatever the caller has set, and the caller keeps what it has set. */
static void the_lenders_rounding_is_its_own(void)
{
    struct rig r;
    fesetround(FE_UPWARD);
    feclearexcept(FE_ALL_EXCEPT);
    rig_do(&r, HEAD KERNEL("add.rn.f32 %f1, 0f3F800000, 0f30800000; st.global.f32 [%rd4], %f1;"), 2,
           64);
    int rounding = fegetround(), raised = fetestexcept(FE_ALL_EXCEPT);
    fesetround(FE_TONEAREST);
    REQUIRE(rounding == FE_UPWARD);
    REQUIRE(raised == 0);
    for (uint32_t i = 0; i < 128; i++)
        REQUIRE(r.p0[i] == 0x3f800000u);
    rig_free(&r);
}

static void failing_memory_fails_the_launch_only(void)
{
    for (size_t n = 1; n < 400; n++) {
        struct rig r;
        struct simt_grid *g = NULL;
        int code = 0;
        rig_load(&r, printing);
        alloc_fail_at(n);
        bool made = simt_grid_create(&g, &r.launch, &code) == 0;
        if (made)
            rig_work(g);
        alloc_fail_at(0);
        REQUIRE(made || code == 2);
        bool all = made && !simt_grid_fault(g) && r.printed.len == 32 * 7 - 10;
        simt_grid_destroy(&g);
        rig_free(&r);
        if (all)
            return;
    }
    REQUIRE(!"the launch never succeeded");
}

int main(void)
{
    RUN(lanes_diverge_and_meet);
    RUN(loops_nest_with_different_counts);
    RUN(irreducible_loops_work);
    RUN(functions_recurse_lane_by_lane);
    RUN(calls_keep_their_arguments_apart);
    RUN(shfl_meets_across_branches);
    RUN(votes_combine_across_branches);
    RUN(masks_of_halves_are_apart);
    RUN(exited_lanes_leave_the_masks);
    RUN(exiting_lets_the_waiting_go);
    RUN(shfl_clamps_in_segments);
    RUN(lanes_match_by_value);
    RUN(barriers_meet_by_number_not_by_place);
    RUN(gangs_of_a_block_meet);
    RUN(barriers_reduce);
    RUN(producers_arrive_and_consumers_wait);
    RUN(spin_locks_in_a_block_end);
    RUN(blocks_may_wait_for_later_ones);
    RUN(cooperative_grids_are_resident);
    RUN(deadlocks_are_named);
    RUN(endless_loops_can_be_cancelled);
    RUN(budgets_are_kept);
    RUN(narrow_and_vector_accesses);
    RUN(every_pattern_of_addresses);
    RUN(vectors_are_broadcast);
    RUN(loads_share_a_look_at_their_addresses);
    RUN(local_memory_is_each_lanes_own);
    RUN(parameters_have_addresses);
    RUN(atomics_go_in_order_of_lanes);
    RUN(many_threads_count_right);
    RUN(malloc_gives_each_lane_its_own);
    RUN(registers_tell_where_a_lane_is);
    RUN(faults_say_what_was_wrong);
    RUN(free_knows_what_malloc_gave);
    RUN(shapes_that_cannot_be_are_refused);
    RUN(endless_recursion_ends);
    RUN(the_first_fault_stops_every_block);
    RUN(output_comes_in_order_of_blocks);
    RUN(the_lenders_rounding_is_its_own);
    RUN(failing_memory_fails_the_launch_only);
    return 0;
}

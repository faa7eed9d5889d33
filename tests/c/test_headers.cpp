// One public header alone, twice, as C++; -DTEST_HEADER=<runcu/…> names it. Where it brings the
// typed launch, every type that goes through it.
#include TEST_HEADER
#include TEST_HEADER

int test_header();

#ifdef RUNCU_LAUNCH_H
static int launch(runcu_function *f, runcu_mem *mem, const runcu_mem *read_only, float *host)
{
    struct {
        int x;
    } s = {1};
    runcu_launch_params shape = RUNCU_THREADS(7);
    bool yes = true;
    char c = 'c';
    signed char sc = 1;
    unsigned char uc = 1;
    short sh = 1;
    unsigned short us = 1;
    return runcu_launch(f, shape) || runcu_launch(f, RUNCU_GRID(1, 2, 3, 4, 5, 6), mem) ||
           runcu_launch(f, runcu_on(RUNCU_THREADS(7), nullptr, 64), yes, c, sc, uc, sh, us, 1, 1u,
                        1l, 1ul, 1ll, 1ull, 1.0f, 1.0, mem, read_only, runcu_in(host, 4),
                        runcu_out(host, 4), runcu_inout(host, 4), runcu_address(0),
                        runcu_struct(&s, sizeof s)) ||
           runcu_launch(f, shape, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                        20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
                        39, 40);
}
#ifdef TEST_REFUSED
static int refused(runcu_function *f, float *host)
{
    return runcu_launch(f, RUNCU_THREADS(7), host); // must not compile
}
#endif
#endif

int test_header()
{
#ifdef RUNCU_LAUNCH_H
    int (*used)(runcu_function *, runcu_mem *, const runcu_mem *, float *) = launch;
    return used != nullptr;
#else
    return 0;
#endif
}

/* Macros of the C tests. A failed REQUIRE prints where, what and both values, and ends the test
 * program with status 1; the exit status 77 means that the test cannot run here. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEST_SKIPPED = 77 };

#define TEST_FAIL_(...)                                                            \
    (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), \
     fputc('\n', stderr), fflush(NULL), exit(1))

/* The condition holds. */
#define REQUIRE(condition)                          \
    do {                                            \
        if (!(condition))                           \
            TEST_FAIL_("not true: %s", #condition); \
    } while (0)

/* Two integers compare so: REQUIRE_INT(n, ==, 3). */
#define REQUIRE_INT(a, op, b)                                        \
    do {                                                             \
        long long a_ = (long long) (a), b_ = (long long) (b);        \
        if (!(a_ op b_))                                             \
            TEST_FAIL_("%s %s %s: %lld, %lld", #a, #op, #b, a_, b_); \
    } while (0)

/* Two numbers are at most `tolerance` apart; 0 asks for the same value. */
#define REQUIRE_NEAR(a, b, tolerance)                                                  \
    do {                                                                               \
        double a_ = (double) (a), b_ = (double) (b), d_ = a_ > b_ ? a_ - b_ : b_ - a_; \
        if (!(d_ <= (tolerance)))                                                      \
            TEST_FAIL_("%s near %s: %.17g, %.17g", #a, #b, a_, b_);                    \
    } while (0)

#define REQUIRE_STR(a, b)                                                                 \
    do {                                                                                  \
        const char *a_ = (a), *b_ = (b);                                                  \
        if (!a_ || !b_ || strcmp(a_, b_) != 0)                                            \
            TEST_FAIL_("%s is\n  %s\nnot\n  %s", #a, a_ ? a_ : "NULL", b_ ? b_ : "NULL"); \
    } while (0)

/* The text contains the part. */
#define REQUIRE_IN(part, text)                                                                  \
    do {                                                                                        \
        const char *p_ = (part), *t_ = (text);                                                  \
        if (!t_ || !strstr(t_, p_))                                                             \
            TEST_FAIL_("%s does not contain\n  %s\nbut is\n  %s", #text, p_, t_ ? t_ : "NULL"); \
    } while (0)

#define REQUIRE_NOT_IN(part, text)                                        \
    do {                                                                  \
        const char *p_ = (part), *t_ = (text);                            \
        if (t_ && strstr(t_, p_))                                         \
            TEST_FAIL_("%s contains\n  %s\nand is\n  %s", #text, p_, t_); \
    } while (0)

#define REQUIRE_BYTES(a, b, size)                                                     \
    do {                                                                              \
        if (memcmp((a), (b), (size)) != 0)                                            \
            TEST_FAIL_("%s and %s differ within %zu bytes", #a, #b, (size_t) (size)); \
    } while (0)

#ifdef RUNCU_ERROR_H
/* The call succeeds; if not, the library's text says why. */
#define REQUIRE_OK(call)                                                    \
    do {                                                                    \
        int status_ = (call);                                               \
        if (status_ != 0)                                                   \
            TEST_FAIL_("%s is %d: %s", #call, status_, runcu_error_text()); \
    } while (0)

/* The call fails with this status, and the library's text contains the part. */
#define REQUIRE_FAILS(call, expected, part)                                      \
    do {                                                                         \
        int status_ = (call);                                                    \
        if (status_ != (expected))                                               \
            TEST_FAIL_("%s is %d, not %d: %s", #call, status_, (int) (expected), \
                       status_ ? runcu_error_text() : "no failure");             \
        REQUIRE_IN(part, runcu_error_text());                                    \
    } while (0)
#endif

/* Runs one test function in a process of its own, with nothing loaded yet: what it chooses does not
 * last. */
#define RUN_ALONE(test)                                                     \
    do {                                                                    \
        int end_ = 0;                                                       \
        printf("%s\n", #test);                                              \
        fflush(NULL);                                                       \
        pid_t child_ = fork();                                              \
        if (child_ == 0) {                                                  \
            test();                                                         \
            exit(0);                                                        \
        }                                                                   \
        if (child_ < 0 || waitpid(child_, &end_, 0) != child_ || end_ != 0) \
            TEST_FAIL_("%s failed: wait status %d", #test, end_);           \
    } while (0)

/* Runs one test function and names it in the output. */
#define RUN(test)              \
    do {                       \
        printf("%s\n", #test); \
        fflush(stdout);        \
        test();                \
    } while (0)

#endif

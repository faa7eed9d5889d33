/* Small things every layer uses. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Rounds `n` up to a multiple of `to`, a power of two. */
#define ALIGN_UP(n, to) (((n) + ((to) - 1)) & ~(size_t) ((to) - 1))

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define ALWAYS_INLINE __attribute__((always_inline)) inline
#define HOT __attribute__((hot)) /* lies beside others that are */
#define NO_INLINE __attribute__((noinline))
#define MAYBE_UNUSED __attribute__((unused))
#define NO_TSAN __attribute__((no_sanitize("thread")))
#define EXPORT __attribute__((visibility("default")))
#define AT_UNLOAD __attribute__((destructor)) /* at exit, or when the library is closed */
#define AT_UNLOAD_LAST __attribute__((destructor(101))) /* after every AT_UNLOAD */
/* Another exported name of a function. The same name may be given twice. */
#define SYMBOL_ALIAS(alias, target)                                                                \
    __asm__(".globl " #alias "\n.type " #alias ", %function\n.set " #alias ", " #target);
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define PRINTF_LIKE(fmt, first)
#define NORETURN _Noreturn
#define ALWAYS_INLINE inline
#define HOT
#define NO_INLINE
#define MAYBE_UNUSED
#define NO_TSAN
#define EXPORT
#define AT_UNLOAD
#define AT_UNLOAD_LAST
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#endif

#endif

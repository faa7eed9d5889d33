// <stdint.h>. CUDA's own headers, where NVRTC compiles them, make int64_t a long long; everywhere
// else it is a long, as it is for nvcc on Linux: RUNCU_INT64 says which.
//: runcu_int64
#ifndef RUNCU_INT64
#define RUNCU_INT64 long
#endif
//: int8_t
typedef signed char int8_t;
//: uint8_t
typedef unsigned char uint8_t;
//: int16_t
typedef signed short int16_t;
//: uint16_t
typedef unsigned short uint16_t;
//: int32_t
typedef signed int int32_t;
//: uint32_t
typedef unsigned int uint32_t;
//: int64_t < runcu_int64
typedef signed RUNCU_INT64 int64_t;
//: uint64_t < runcu_int64
typedef unsigned RUNCU_INT64 uint64_t;
//: int_least8_t
typedef signed char int_least8_t;
//: uint_least8_t
typedef unsigned char uint_least8_t;
//: int_least16_t
typedef signed short int_least16_t;
//: uint_least16_t
typedef unsigned short uint_least16_t;
//: int_least32_t
typedef signed int int_least32_t;
//: uint_least32_t
typedef unsigned int uint_least32_t;
//: int_least64_t < runcu_int64
typedef signed RUNCU_INT64 int_least64_t;
//: uint_least64_t < runcu_int64
typedef unsigned RUNCU_INT64 uint_least64_t;
//: int_fast8_t
typedef signed char int_fast8_t;
//: uint_fast8_t
typedef unsigned char uint_fast8_t;
//: int_fast16_t
typedef signed short int_fast16_t;
//: uint_fast16_t
typedef unsigned short uint_fast16_t;
//: int_fast32_t
typedef signed int int_fast32_t;
//: uint_fast32_t
typedef unsigned int uint_fast32_t;
//: int_fast64_t < runcu_int64
typedef signed RUNCU_INT64 int_fast64_t;
//: uint_fast64_t < runcu_int64
typedef unsigned RUNCU_INT64 uint_fast64_t;
//: intptr_t < runcu_int64
typedef signed RUNCU_INT64 intptr_t;
//: uintptr_t < runcu_int64
typedef unsigned RUNCU_INT64 uintptr_t;
//: intmax_t < runcu_int64
typedef signed RUNCU_INT64 intmax_t;
//: uintmax_t < runcu_int64
typedef unsigned RUNCU_INT64 uintmax_t;
//: INT8_MIN
#define INT8_MIN (-127 - 1)
//: INT8_MAX
#define INT8_MAX 127
//: UINT8_MAX
#define UINT8_MAX 255
//: INT16_MIN
#define INT16_MIN (-32767 - 1)
//: INT16_MAX
#define INT16_MAX 32767
//: UINT16_MAX
#define UINT16_MAX 65535
//: INT32_MIN
#define INT32_MIN (-2147483647 - 1)
//: INT32_MAX
#define INT32_MAX 2147483647
//: UINT32_MAX
#define UINT32_MAX 4294967295U
//: INT64_MIN
#define INT64_MIN (-9223372036854775807L - 1)
//: INT64_MAX
#define INT64_MAX 9223372036854775807L
//: UINT64_MAX
#define UINT64_MAX 18446744073709551615UL
//: INT_LEAST8_MIN
#define INT_LEAST8_MIN (-127 - 1)
//: INT_LEAST8_MAX
#define INT_LEAST8_MAX 127
//: UINT_LEAST8_MAX
#define UINT_LEAST8_MAX 255
//: INT_LEAST16_MIN
#define INT_LEAST16_MIN (-32767 - 1)
//: INT_LEAST16_MAX
#define INT_LEAST16_MAX 32767
//: UINT_LEAST16_MAX
#define UINT_LEAST16_MAX 65535
//: INT_LEAST32_MIN
#define INT_LEAST32_MIN (-2147483647 - 1)
//: INT_LEAST32_MAX
#define INT_LEAST32_MAX 2147483647
//: UINT_LEAST32_MAX
#define UINT_LEAST32_MAX 4294967295U
//: INT_LEAST64_MIN
#define INT_LEAST64_MIN (-9223372036854775807L - 1)
//: INT_LEAST64_MAX
#define INT_LEAST64_MAX 9223372036854775807L
//: UINT_LEAST64_MAX
#define UINT_LEAST64_MAX 18446744073709551615UL
//: INT_FAST8_MIN
#define INT_FAST8_MIN (-127 - 1)
//: INT_FAST8_MAX
#define INT_FAST8_MAX 127
//: UINT_FAST8_MAX
#define UINT_FAST8_MAX 255
//: INT_FAST16_MIN
#define INT_FAST16_MIN (-32767 - 1)
//: INT_FAST16_MAX
#define INT_FAST16_MAX 32767
//: UINT_FAST16_MAX
#define UINT_FAST16_MAX 65535
//: INT_FAST32_MIN
#define INT_FAST32_MIN (-2147483647 - 1)
//: INT_FAST32_MAX
#define INT_FAST32_MAX 2147483647
//: UINT_FAST32_MAX
#define UINT_FAST32_MAX 4294967295U
//: INT_FAST64_MIN
#define INT_FAST64_MIN (-9223372036854775807L - 1)
//: INT_FAST64_MAX
#define INT_FAST64_MAX 9223372036854775807L
//: UINT_FAST64_MAX
#define UINT_FAST64_MAX 18446744073709551615UL
//: INTPTR_MIN
#define INTPTR_MIN (-9223372036854775807L - 1)
//: INTPTR_MAX
#define INTPTR_MAX 9223372036854775807L
//: UINTPTR_MAX
#define UINTPTR_MAX 18446744073709551615UL
//: INTMAX_MIN
#define INTMAX_MIN (-9223372036854775807L - 1)
//: INTMAX_MAX
#define INTMAX_MAX 9223372036854775807L
//: UINTMAX_MAX
#define UINTMAX_MAX 18446744073709551615UL
//: PTRDIFF_MIN
#define PTRDIFF_MIN (-9223372036854775807L - 1)
//: PTRDIFF_MAX
#define PTRDIFF_MAX 9223372036854775807L
//: SIZE_MAX
#define SIZE_MAX 18446744073709551615UL
//: INT8_C
#define INT8_C(x) x
//: INT16_C
#define INT16_C(x) x
//: INT32_C
#define INT32_C(x) x
//: INT64_C
#define INT64_C(x) x##L
//: UINT8_C
#define UINT8_C(x) x
//: UINT16_C
#define UINT16_C(x) x
//: UINT32_C
#define UINT32_C(x) x##U
//: UINT64_C
#define UINT64_C(x) x##UL
//: INTMAX_C
#define INTMAX_C(x) x##L
//: UINTMAX_C
#define UINTMAX_C(x) x##UL

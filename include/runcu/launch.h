/** Launching kernels with plain values. */
#ifndef RUNCU_LAUNCH_H
#define RUNCU_LAUNCH_H

#include <limits.h>

#include "memory.h"
#include "module.h"

RUNCU_BEGIN

/** What an argument is. A value is checked against the parameter it meets: integers go to integer
 * parameters of any width that holds them (same width: the bits as they are) and, at 8 bytes, to
 * pointers; floats need their width; INT and REAL, which have no width of their own, take the
 * parameter's or are refused if they do not fit; bytes go to structs of that size. */
enum runcu_arg_kind {
    RUNCU_ARG_BOOL = 1, /**< value.i: 0 or 1 */
    RUNCU_ARG_I8,       /**< value.i, as the next three */
    RUNCU_ARG_I16,
    RUNCU_ARG_I32,
    RUNCU_ARG_I64,
    RUNCU_ARG_U8, /**< value.u, as the next three */
    RUNCU_ARG_U16,
    RUNCU_ARG_U32,
    RUNCU_ARG_U64,
    RUNCU_ARG_F32, /**< value.f */
    RUNCU_ARG_F64, /**< value.d */
    /** value.i: an integer without a width (Python's); goes to float parameters as well. */
    RUNCU_ARG_INT,
    /** value.d: a real number without a width (Python's). */
    RUNCU_ARG_REAL,
    RUNCU_ARG_MEM, /**< value.mem */
    /** value.u: a device address; `size` is 0, or the bytes of an element and `element` its enum
     * runcu_param_kind. */
    RUNCU_ARG_ADDRESS,
    RUNCU_ARG_BYTES, /**< value.p: `size` bytes, copied */
    /** value.p: `size` bytes of host memory that travel to the device before the launch (IN), back
     * after it (OUT), or both, in the launch's stream. IN memory may be changed on return; with
     * OUT or INOUT the launch waits for the result. */
    RUNCU_ARG_HOST_IN,
    RUNCU_ARG_HOST_OUT,
    RUNCU_ARG_HOST_INOUT,
    /** value.u: the bits of a float16, as the next four of other small floats, for parameters of
     * the types __half, __nv_bfloat16, __nv_fp8_e4m3, __nv_fp8_e5m2, __nv_fp8_e8m0 or of structs
     * of that size whose type is none of these. INT and REAL are rounded to those types. */
    RUNCU_ARG_F16,
    RUNCU_ARG_BF16,
    RUNCU_ARG_E4M3,
    RUNCU_ARG_E5M2,
    RUNCU_ARG_E8M0,
};

/** Flags of an argument. */
enum runcu_arg_flag {
    /** ADDRESS: its owner forbids to write there. Where the kernel's pointer is not to const, one
     * warning per kernel and parameter, an error if the launch is strict. */
    RUNCU_ARG_READ_ONLY = 1,
};

typedef struct runcu_arg {
    uint8_t kind;          /**< enum runcu_arg_kind */
    uint8_t element;       /**< of ADDRESS, and of HOST_IN to HOST_INOUT if element_size is not 0 */
    uint16_t element_size; /**< of HOST_IN to HOST_INOUT: bytes of an element; 0: unknown */
    uint32_t flags;        /**< enum runcu_arg_flag */
    size_t size;
    union {
        int64_t i;
        uint64_t u;
        float f;
        double d;
        const runcu_mem *mem;
        const void *p;
    } value;
} runcu_arg;

/** What a launch asks for beyond its shape: bits of runcu_launch_params.attributes. */
enum runcu_launch_attribute {
    /** All blocks are resident at once and may wait for each other (grid.sync() of
     * cooperative_groups). More of them than fit is CUDA's error 720. */
    RUNCU_LAUNCH_COOPERATIVE = 1,
    /** In clusters of `cluster` blocks; compute capability 9.0. */
    RUNCU_LAUNCH_CLUSTER = 2,
    /** May begin before the stream's kernel before it has ended, if that one says so
     * (griddepcontrol). */
    RUNCU_LAUNCH_PROGRAMMATIC = 4,
    /** Of `priority`, whatever the stream has. */
    RUNCU_LAUNCH_PRIORITY = 8,
    /** Prefers `carveout` percent of the first-level cache as shared memory. */
    RUNCU_LAUNCH_CARVEOUT = 16,
};

/** Where and how wide. Zero in a dimension counts as 1. */
typedef struct runcu_launch_params {
    size_t size;
    runcu_dim3 grid;  /**< blocks */
    runcu_dim3 block; /**< threads a block */
    /** If not 0: that many threads in all along x; grid and block are chosen where they are 0.
     * Where one block does not hold them, the last may be fuller than needed. */
    size_t threads;
    /** Bytes of dynamic shared memory; beyond 48 KiB the kernel's limit is raised by itself. */
    size_t shared;
    runcu_stream *stream;
    /** 1: an array of another element type than the pointer's is an error, not a warning. */
    int strict;
    unsigned attributes; /**< bits of enum runcu_launch_attribute */
    runcu_dim3 cluster;  /**< blocks a cluster; each divides the grid's */
    int priority;        /**< low numbers are high priorities: see runcu_context_priority_range */
    int carveout;        /**< percent, 0 to 100 */
} runcu_launch_params;

/** Launches. Arguments are checked and packed in one pass; the first one that does not fit is
 * ERROR_LAUNCH_ARGUMENT and nothing runs. A shape beyond a limit is ERROR_LAUNCH_SHAPE, and the
 * error says which limit and by how much. Returns once the launch is queued (HOST_OUT and
 * HOST_INOUT: once the results are there). Thread-safety: safe. */
RUNCU_API int runcu_launch_args(runcu_function *function, const runcu_launch_params *params,
                                const runcu_arg *args, size_t count);

/** Launches with a parameter buffer that is laid out already: `bytes` of it, as many as the
 * kernel's parameters take. Nothing but that is checked. Thread-safety: safe. */
RUNCU_API int runcu_launch_packed(runcu_function *function, const runcu_launch_params *params,
                                  const void *buffer, size_t bytes);

/** Clusters of a launch with RUNCU_LAUNCH_CLUSTER that the device holds at once; the largest
 * cluster that such a launch may have. ERROR_DRIVER where clusters are unknown. */
RUNCU_API int runcu_function_max_active_clusters(int *out, runcu_function *function,
                                                 const runcu_launch_params *params);
RUNCU_API int runcu_function_max_cluster_size(int *out, runcu_function *function,
                                              const runcu_launch_params *params);

/** A launch whose shape and arguments are fixed, to be made again and again at the cost of the
 * driver's call alone. Arguments are checked and copied here, as runcu_launch_args does; the
 * function, its module and context live as long as it does. Memory that arguments point to (`mem`,
 * host memory of HOST_IN and the like, which travels at each launch) and the stream stay the
 * caller's and must outlive the launches. */
typedef struct runcu_bound runcu_bound;
RUNCU_API int runcu_bound_create(runcu_bound **out, runcu_function *function,
                                 const runcu_launch_params *params, const runcu_arg *args,
                                 size_t count);
/** Replaces the argument `index` (from 0): ERROR_LAUNCH_ARGUMENT if it does not fit, and the old
 * one stays. Thread-safety: not while another thread launches it. */
RUNCU_API int runcu_bound_set(runcu_bound *bound, size_t index, const runcu_arg *arg);
/** Replaces shape, stream and attributes. Thread-safety: as runcu_bound_set. */
RUNCU_API int runcu_bound_shape(runcu_bound *bound, const runcu_launch_params *params);
/** Launches it once more. Thread-safety: safe. */
RUNCU_API int runcu_bound_launch(const runcu_bound *bound);
RUNCU_API size_t runcu_bound_count(const runcu_bound *bound); /**< arguments */
/** Borrowed. */
RUNCU_API runcu_function *runcu_bound_function(const runcu_bound *bound);
/** Accepts NULL; launches that were made go on. */
RUNCU_API void runcu_bound_destroy(runcu_bound **bound);

/** The shape of a launch: so many threads in all along x, or grid and block. */
static inline runcu_launch_params runcu_shape_threads(size_t threads)
{
    runcu_launch_params p = {
        sizeof(runcu_launch_params), {0, 0, 0}, {0, 0, 0}, 0, 0, NULL, 0, 0, {0, 0, 0}, 0, 0};
    p.threads = threads ? threads : 1;
    return p;
}

static inline runcu_launch_params runcu_shape_grid(runcu_dim3 grid, runcu_dim3 block)
{
    runcu_launch_params p = {
        sizeof(runcu_launch_params), {0, 0, 0}, {0, 0, 0}, 0, 0, NULL, 0, 0, {0, 0, 0}, 0, 0};
    p.grid = grid;
    p.block = block;
    return p;
}

static inline runcu_dim3 runcu_dim3_of(uint32_t x, uint32_t y, uint32_t z)
{
    runcu_dim3 d;
    d.x = x;
    d.y = y;
    d.z = z;
    return d;
}

/** The same shape in a stream (NULL: the default one) and with bytes of dynamic shared memory. */
static inline runcu_launch_params runcu_on(runcu_launch_params shape, runcu_stream *stream,
                                           size_t shared)
{
    shape.stream = stream;
    shape.shared = shared;
    return shape;
}

/** The same shape as a cooperative launch. */
static inline runcu_launch_params runcu_cooperative(runcu_launch_params shape)
{
    shape.attributes |= RUNCU_LAUNCH_COOPERATIVE;
    return shape;
}

#define RUNCU_THREADS(n) runcu_shape_threads(n)
#define RUNCU_GRID(gx, gy, gz, bx, by, bz) \
    runcu_shape_grid(runcu_dim3_of(gx, gy, gz), runcu_dim3_of(bx, by, bz))

static inline runcu_arg runcu_arg_make_(int kind, size_t size)
{
    runcu_arg a;
    a.kind = (uint8_t) kind;
    a.element = 0;
    a.element_size = 0;
    a.flags = 0;
    a.size = size;
    a.value.u = 0;
    return a;
}

static inline runcu_arg runcu_arg_i_(int kind, int64_t value)
{
    runcu_arg a = runcu_arg_make_(kind, 0);
    a.value.i = value;
    return a;
}

static inline runcu_arg runcu_arg_u_(int kind, uint64_t value)
{
    runcu_arg a = runcu_arg_make_(kind, 0);
    a.value.u = value;
    return a;
}

static inline runcu_arg runcu_arg_p_(int kind, const void *pointer, size_t size)
{
    runcu_arg a = runcu_arg_make_(kind, size);
    a.value.p = pointer;
    return a;
}

/** Host memory of `bytes` where the kernel has a pointer: it goes to the device before the launch
 * (in), comes back after it (out), or both. */
static inline runcu_arg runcu_in(const void *host, size_t bytes)
{
    return runcu_arg_p_(RUNCU_ARG_HOST_IN, host, bytes);
}

static inline runcu_arg runcu_out(void *host, size_t bytes)
{
    return runcu_arg_p_(RUNCU_ARG_HOST_OUT, host, bytes);
}

static inline runcu_arg runcu_inout(void *host, size_t bytes)
{
    return runcu_arg_p_(RUNCU_ARG_HOST_INOUT, host, bytes);
}

/** A device address; 0 is the null pointer. */
static inline runcu_arg runcu_address(uint64_t address)
{
    return runcu_arg_u_(RUNCU_ARG_ADDRESS, address);
}

/** A struct by value: runcu_struct(&s, sizeof s). */
static inline runcu_arg runcu_struct(const void *bytes, size_t size)
{
    return runcu_arg_p_(RUNCU_ARG_BYTES, bytes, size);
}

/** A float of 16 or 8 bits by its bits: runcu_bits(RUNCU_ARG_F16, 0x3c00) is 1. */
static inline runcu_arg runcu_bits(int kind, uint32_t bits)
{
    return runcu_arg_u_(kind, bits);
}

#ifdef __cplusplus
#define RUNCU_BOOL_ bool
#else
#define RUNCU_BOOL_ _Bool
#endif

static inline runcu_arg runcu_arg_bool_(RUNCU_BOOL_ v)
{
    return runcu_arg_i_(RUNCU_ARG_BOOL, v);
}

static inline runcu_arg runcu_arg_char_(char v)
{
    return CHAR_MIN < 0 ? runcu_arg_i_(RUNCU_ARG_I8, v)
                        : runcu_arg_u_(RUNCU_ARG_U8, (unsigned char) v);
}

static inline runcu_arg runcu_arg_schar_(signed char v)
{
    return runcu_arg_i_(RUNCU_ARG_I8, v);
}

static inline runcu_arg runcu_arg_uchar_(unsigned char v)
{
    return runcu_arg_u_(RUNCU_ARG_U8, v);
}

static inline runcu_arg runcu_arg_short_(short v)
{
    return runcu_arg_i_(RUNCU_ARG_I16, v);
}

static inline runcu_arg runcu_arg_ushort_(unsigned short v)
{
    return runcu_arg_u_(RUNCU_ARG_U16, v);
}

static inline runcu_arg runcu_arg_int_(int v)
{
    return runcu_arg_i_(RUNCU_ARG_I32, v);
}

static inline runcu_arg runcu_arg_uint_(unsigned v)
{
    return runcu_arg_u_(RUNCU_ARG_U32, v);
}

static inline runcu_arg runcu_arg_long_(long v)
{
    return runcu_arg_i_(sizeof v == 8 ? RUNCU_ARG_I64 : RUNCU_ARG_I32, v);
}

static inline runcu_arg runcu_arg_ulong_(unsigned long v)
{
    return runcu_arg_u_(sizeof v == 8 ? RUNCU_ARG_U64 : RUNCU_ARG_U32, v);
}

static inline runcu_arg runcu_arg_llong_(long long v)
{
    return runcu_arg_i_(RUNCU_ARG_I64, v);
}

static inline runcu_arg runcu_arg_ullong_(unsigned long long v)
{
    return runcu_arg_u_(RUNCU_ARG_U64, v);
}

static inline runcu_arg runcu_arg_float_(float v)
{
    runcu_arg a = runcu_arg_make_(RUNCU_ARG_F32, 0);
    a.value.f = v;
    return a;
}

static inline runcu_arg runcu_arg_double_(double v)
{
    runcu_arg a = runcu_arg_make_(RUNCU_ARG_F64, 0);
    a.value.d = v;
    return a;
}

static inline runcu_arg runcu_arg_mem_(const runcu_mem *v)
{
    runcu_arg a = runcu_arg_make_(RUNCU_ARG_MEM, 0);
    a.value.mem = v;
    return a;
}

static inline runcu_arg runcu_arg_same_(runcu_arg v)
{
    return v;
}

RUNCU_END

/* runcu_launch(function, shape, arguments…): launches with plain values, up to 40; more go through
 * runcu_launch_args. The shape is RUNCU_THREADS(n), RUNCU_GRID(gx, gy, gz, bx, by, bz) or a
 * runcu_launch_params; an argument is a number, a runcu_mem *, or one of runcu_in, runcu_out,
 * runcu_inout, runcu_address, runcu_struct, runcu_bits. Anything else does not compile. Returns
 * what runcu_launch_args does.
 *
 *     runcu_launch(saxpy, RUNCU_THREADS(n), 2.0f, runcu_in(x, bytes), runcu_inout(y, bytes), n)
 */
#ifdef __cplusplus

#define RUNCU_ARG_OF_(type, name)         \
    inline runcu_arg runcu_arg_of(type v) \
    {                                     \
        return runcu_arg_##name(v);       \
    }
RUNCU_ARG_OF_(bool, bool_)
RUNCU_ARG_OF_(char, char_)
RUNCU_ARG_OF_(signed char, schar_)
RUNCU_ARG_OF_(unsigned char, uchar_)
RUNCU_ARG_OF_(short, short_)
RUNCU_ARG_OF_(unsigned short, ushort_)
RUNCU_ARG_OF_(int, int_)
RUNCU_ARG_OF_(unsigned, uint_)
RUNCU_ARG_OF_(long, long_)
RUNCU_ARG_OF_(unsigned long, ulong_)
RUNCU_ARG_OF_(long long, llong_)
RUNCU_ARG_OF_(unsigned long long, ullong_)
RUNCU_ARG_OF_(float, float_)
RUNCU_ARG_OF_(double, double_)
RUNCU_ARG_OF_(runcu_mem *, mem_)
RUNCU_ARG_OF_(const runcu_mem *, mem_)
RUNCU_ARG_OF_(runcu_arg, same_)
#undef RUNCU_ARG_OF_

/* Host pointers would become bool otherwise. */
template <class T> runcu_arg runcu_arg_of(T *) = delete;

template <class... T>
inline int runcu_launch(runcu_function *function, const runcu_launch_params &shape, T... args)
{
    /* The first does not count, so that a kernel without arguments has a list as well. */
    const runcu_arg list[] = {runcu_arg_bool_(false), runcu_arg_of(args)...};
    return runcu_launch_args(function, &shape, list + 1, sizeof...(args));
}

#else

#define runcu_arg_of(x) \
    _Generic((x),                                                                                  \
        _Bool: runcu_arg_bool_,                                                                    \
        char: runcu_arg_char_,                                                                     \
        signed char: runcu_arg_schar_,                                                             \
        unsigned char: runcu_arg_uchar_,                                                           \
        short: runcu_arg_short_,                                                                   \
        unsigned short: runcu_arg_ushort_,                                                         \
        int: runcu_arg_int_,                                                                       \
        unsigned: runcu_arg_uint_,                                                                 \
        long: runcu_arg_long_,                                                                     \
        unsigned long: runcu_arg_ulong_,                                                           \
        long long: runcu_arg_llong_,                                                               \
        unsigned long long: runcu_arg_ullong_,                                                     \
        float: runcu_arg_float_,                                                                   \
        double: runcu_arg_double_,                                                                 \
        runcu_mem *: runcu_arg_mem_,                                                               \
        const runcu_mem *: runcu_arg_mem_,                                                         \
        runcu_arg: runcu_arg_same_)(x)

static inline int runcu_launch_list_(runcu_function *function, runcu_launch_params shape,
                                     const runcu_arg *list, size_t count)
{
    return runcu_launch_args(function, &shape, list + 1, count - 1);
}

/* The list begins with one that does not count, so that a kernel without arguments has a list as
 * well. */
#define RUNCU_LIST_(...)                            \
    (const runcu_arg[])                             \
    {                                               \
        runcu_arg_bool_(0) RUNCU_EACH_(__VA_ARGS__) \
    }

#define runcu_launch(function, ...)                                                      \
    runcu_launch_list_(function, RUNCU_FIRST_(__VA_ARGS__, 0), RUNCU_LIST_(__VA_ARGS__), \
                       sizeof(RUNCU_LIST_(__VA_ARGS__)) / sizeof(runcu_arg))

#define RUNCU_FIRST_(first, ...) first

/* ", runcu_arg_of(x)" for each argument after the shape `s`. */
#define RUNCU_EACH_1_(s)
#define RUNCU_EACH_2_(s, x) , runcu_arg_of(x)
#define RUNCU_EACH_3_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_2_(s, __VA_ARGS__)
#define RUNCU_EACH_4_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_3_(s, __VA_ARGS__)
#define RUNCU_EACH_5_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_4_(s, __VA_ARGS__)
#define RUNCU_EACH_6_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_5_(s, __VA_ARGS__)
#define RUNCU_EACH_7_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_6_(s, __VA_ARGS__)
#define RUNCU_EACH_8_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_7_(s, __VA_ARGS__)
#define RUNCU_EACH_9_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_8_(s, __VA_ARGS__)
#define RUNCU_EACH_10_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_9_(s, __VA_ARGS__)
#define RUNCU_EACH_11_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_10_(s, __VA_ARGS__)
#define RUNCU_EACH_12_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_11_(s, __VA_ARGS__)
#define RUNCU_EACH_13_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_12_(s, __VA_ARGS__)
#define RUNCU_EACH_14_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_13_(s, __VA_ARGS__)
#define RUNCU_EACH_15_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_14_(s, __VA_ARGS__)
#define RUNCU_EACH_16_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_15_(s, __VA_ARGS__)
#define RUNCU_EACH_17_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_16_(s, __VA_ARGS__)
#define RUNCU_EACH_18_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_17_(s, __VA_ARGS__)
#define RUNCU_EACH_19_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_18_(s, __VA_ARGS__)
#define RUNCU_EACH_20_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_19_(s, __VA_ARGS__)
#define RUNCU_EACH_21_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_20_(s, __VA_ARGS__)
#define RUNCU_EACH_22_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_21_(s, __VA_ARGS__)
#define RUNCU_EACH_23_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_22_(s, __VA_ARGS__)
#define RUNCU_EACH_24_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_23_(s, __VA_ARGS__)
#define RUNCU_EACH_25_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_24_(s, __VA_ARGS__)
#define RUNCU_EACH_26_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_25_(s, __VA_ARGS__)
#define RUNCU_EACH_27_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_26_(s, __VA_ARGS__)
#define RUNCU_EACH_28_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_27_(s, __VA_ARGS__)
#define RUNCU_EACH_29_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_28_(s, __VA_ARGS__)
#define RUNCU_EACH_30_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_29_(s, __VA_ARGS__)
#define RUNCU_EACH_31_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_30_(s, __VA_ARGS__)
#define RUNCU_EACH_32_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_31_(s, __VA_ARGS__)
#define RUNCU_EACH_33_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_32_(s, __VA_ARGS__)
#define RUNCU_EACH_34_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_33_(s, __VA_ARGS__)
#define RUNCU_EACH_35_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_34_(s, __VA_ARGS__)
#define RUNCU_EACH_36_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_35_(s, __VA_ARGS__)
#define RUNCU_EACH_37_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_36_(s, __VA_ARGS__)
#define RUNCU_EACH_38_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_37_(s, __VA_ARGS__)
#define RUNCU_EACH_39_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_38_(s, __VA_ARGS__)
#define RUNCU_EACH_40_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_39_(s, __VA_ARGS__)
#define RUNCU_EACH_41_(s, x, ...) , runcu_arg_of(x) RUNCU_EACH_40_(s, __VA_ARGS__)
#define RUNCU_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, \
                    a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32,  \
                    a33, a34, a35, a36, a37, a38, a39, a40, a41, name, ...)                     \
    name
#define RUNCU_EACH_(...)                                                                        \
    RUNCU_PICK_(__VA_ARGS__, RUNCU_EACH_41_, RUNCU_EACH_40_, RUNCU_EACH_39_, RUNCU_EACH_38_,    \
                RUNCU_EACH_37_, RUNCU_EACH_36_, RUNCU_EACH_35_, RUNCU_EACH_34_, RUNCU_EACH_33_, \
                RUNCU_EACH_32_, RUNCU_EACH_31_, RUNCU_EACH_30_, RUNCU_EACH_29_, RUNCU_EACH_28_, \
                RUNCU_EACH_27_, RUNCU_EACH_26_, RUNCU_EACH_25_, RUNCU_EACH_24_, RUNCU_EACH_23_, \
                RUNCU_EACH_22_, RUNCU_EACH_21_, RUNCU_EACH_20_, RUNCU_EACH_19_, RUNCU_EACH_18_, \
                RUNCU_EACH_17_, RUNCU_EACH_16_, RUNCU_EACH_15_, RUNCU_EACH_14_, RUNCU_EACH_13_, \
                RUNCU_EACH_12_, RUNCU_EACH_11_, RUNCU_EACH_10_, RUNCU_EACH_9_, RUNCU_EACH_8_,   \
                RUNCU_EACH_7_, RUNCU_EACH_6_, RUNCU_EACH_5_, RUNCU_EACH_4_, RUNCU_EACH_3_,      \
                RUNCU_EACH_2_, RUNCU_EACH_1_, 0)                                                \
    (__VA_ARGS__)

#endif

#endif

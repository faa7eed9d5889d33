/* Launches: each kind of argument against each kind of parameter, byte for byte; shapes; host
 * arrays; what is told when something does not fit. */
#include <math.h>
#include <pthread.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"
#include "fake_driver.h"

static const char ptx[] =
    ".version 8.0\n.target sm_75\n.address_size 64\n"
    ".visible .entry _Z3addPfS_i(.param .u64 a, .param .u64 b, .param .u32 c) { ret; }\n"
    ".visible .entry _Z3fewbahst(.param .u8 a, .param .u8 b, .param .u8 c, .param .u16 d, .param "
    ".u16 e) { ret; }\n"
    ".visible .entry _Z4wideiyxmfd(.param .u32 a, .param .u64 b, .param .u64 c, .param .u64 d, "
    ".param .f32 e, "
    ".param .f64 f) { ret; }\n"
    ".visible .entry _Z6structi1P(.param .u32 a, .param .align 8 .b8 b[24]) { ret; }\n"
    ".visible .entry _Z5colorj5Color(.param .u32 a, .param .u32 b) { ret; }\n"
    ".visible .entry plain(.param .u64 a, .param .u32 b, .param .f32 c) { ret; }\n"
    ".visible .entry nothing() { ret; }\n"
    ".visible .entry _Z7limitedi(.param .u32 a) { ret; }\n"
    ".visible .entry _Z4bytePhPvP6float4(.param .u64 a, .param .u64 b, .param .u64 c) { ret; }\n"
    ".visible .entry _Z4halfP6__half(.param .u64 a) { ret; }\n"
    ".visible .entry _Z5small6__half13__nv_bfloat16(.param .align 2 .b8 a[2], .param .align 2 .b8 "
    "b[2]) { ret; }\n"
    ".visible .entry huge(.param .align 4 .b8 a[8192], .param .u32 b) { ret; }\n";

static struct fake fake;
static runcu_module *module;
static struct fake_launch last;
static unsigned char bytes[16384]; /* of the last launch's parameters */
static const size_t *sizes;        /* of them, ended by 0: what the kernel reads */
static void (*kernel)(void **params);

static void record(const struct fake_launch *l)
{
    last = *l;
    if (l->buffer)
        memcpy(bytes, l->buffer, l->bytes);
    size_t at = 0;
    for (size_t i = 0; l->params && sizes && sizes[i]; i++) {
        memcpy(bytes + at, l->params[i], sizes[i]);
        at += sizes[i];
    }
    if (kernel)
        kernel(l->params);
}

static void start(void)
{
    fake = fake_open("FAKE_DRIVER");
    fake.state->on_launch = record;
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
}

static runcu_function *get(const char *name)
{
    runcu_function *f;
    REQUIRE_OK(runcu_module_get_function(&f, module, name));
    return f;
}

static void end(runcu_function *f)
{
    runcu_function_release(&f);
    runcu_module_release(&module);
    REQUIRE_INT(core_live_objects, ==, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
}

#define ONE RUNCU_THREADS(1)

static void values_arrive_byte_for_byte(void)
{
    static const size_t wide[] = {4, 8, 8, 8, 4, 8, 0}, few[] = {1, 1, 1, 2, 2, 0};
    start();
    runcu_function *f = get("wide");
    sizes = wide;
    REQUIRE_OK(runcu_launch(f, ONE, -2, 0xfedcba9876543210ull, -3ll, 7ul, 1.5f, -2.25));
    REQUIRE_BYTES(bytes,
                  "\xfe\xff\xff\xff\x10\x32\x54\x76\x98\xba\xdc\xfe\xfd\xff\xff\xff\xff\xff\xff\xff"
                  "\7\0\0\0\0\0\0\0",
                  28);
    REQUIRE_BYTES(bytes + 28, "\0\0\xc0\x3f\0\0\0\0\0\0\2\xc0", 12);
    REQUIRE_STR(last.kernel, "_Z4wideiyxmfd");
    runcu_function_release(&f);
    f = get("few");
    sizes = few;
    REQUIRE_OK(runcu_launch(f, ONE, (_Bool) 1, (signed char) -1, (unsigned char) 200, (short) -2,
                            (unsigned short) 65535));
    REQUIRE_BYTES(bytes, "\1\xff\xc8\xfe\xff\xff\xff", 7);
    REQUIRE_OK(runcu_launch(f, ONE, 0, -128, 255, -32768, 65535)); /* plain ints that fit */
    REQUIRE_BYTES(bytes, "\0\x80\xff\0\x80\xff\xff", 7);
    end(f);
}

static void padding_is_zero(void)
{
    /* a struct after an int: bytes 4 to 7 belong to nobody; huge takes the buffer, so that all of
     * it can be seen */
    start();
    runcu_function *f = get("huge");
    static unsigned char big[8192];
    memset(big, 0x5a, sizeof big);
    REQUIRE_OK(runcu_launch(f, ONE, runcu_struct(big, sizeof big), 9));
    static const size_t huge[] = {8192, 4, 0};
    sizes = huge;
    REQUIRE_OK(runcu_launch(f, ONE, runcu_struct(big, sizeof big), 9));
    REQUIRE_BYTES(bytes, big, sizeof big);
    REQUIRE_BYTES(bytes + 8192, "\11\0\0\0", 4);
    end(f);
}

/* An argument made by hand. */
static runcu_arg arg_i(int kind, int64_t value)
{
    runcu_arg a = {.kind = (uint8_t) kind, .value.i = value};
    return a;
}

static runcu_arg arg_d(int kind, double value)
{
    runcu_arg a = {.kind = (uint8_t) kind, .value.d = value};
    return a;
}

/* Launches `wide` with the i-th argument replaced. */
static int wide_with(runcu_function *f, int i, runcu_arg arg)
{
    runcu_arg args[6] = {arg_i(RUNCU_ARG_INT, 0), arg_i(RUNCU_ARG_INT, 0), arg_i(RUNCU_ARG_INT, 0),
                         arg_i(RUNCU_ARG_INT, 0), arg_i(RUNCU_ARG_INT, 0), arg_i(RUNCU_ARG_INT, 0)};
    runcu_launch_params params = ONE;
    args[i] = arg;
    return runcu_launch_args(f, &params, args, 6);
}

static void numbers_without_a_width_take_the_parameters(void)
{
    static const size_t wide[] = {4, 8, 8, 8, 4, 8, 0};
    float f32;
    double f64;
    start();
    runcu_function *f = get("wide");
    sizes = wide;
    REQUIRE_OK(wide_with(f, 0, arg_i(RUNCU_ARG_INT, INT32_MIN)));
    REQUIRE_BYTES(bytes, "\0\0\0\x80", 4);
    REQUIRE_FAILS(wide_with(f, 0, arg_i(RUNCU_ARG_INT, (int64_t) 1 << 31)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "wide(int, unsigned long long, long long, unsigned long, float, double): "
                  "parameter 0 (int): "
                  "2147483648 does not fit: -2147483648 to 2147483647 does");
    REQUIRE_FAILS(wide_with(f, 1, arg_i(RUNCU_ARG_INT, -1)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "-1 does not fit: 0 to 18446744073709551615 does");
    REQUIRE_OK(wide_with(f, 2, arg_i(RUNCU_ARG_INT, INT64_MIN)));
    REQUIRE_OK(wide_with(f, 4, arg_i(RUNCU_ARG_INT, 3)));
    memcpy(&f32, bytes + 28, 4);
    REQUIRE_NEAR(f32, 3, 0);
    REQUIRE_OK(wide_with(f, 4, arg_d(RUNCU_ARG_REAL, 0.1)));
    memcpy(&f32, bytes + 28, 4);
    REQUIRE_NEAR(f32, 0.1f, 0);
    REQUIRE_OK(wide_with(f, 5, arg_d(RUNCU_ARG_REAL, 0.1)));
    memcpy(&f64, bytes + 32, 8);
    REQUIRE_NEAR(f64, 0.1, 0);
    REQUIRE_FAILS(wide_with(f, 4, arg_d(RUNCU_ARG_REAL, 1e300)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "1e+300 does not fit");
    REQUIRE_OK(wide_with(f, 4, arg_d(RUNCU_ARG_REAL, (double) INFINITY)));
    REQUIRE_OK(wide_with(f, 4, arg_d(RUNCU_ARG_REAL, (double) NAN)));
    REQUIRE_FAILS(wide_with(f, 0, arg_d(RUNCU_ARG_REAL, 2.5)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (int): 2.5 is not an integer that fits");
    REQUIRE_FAILS(wide_with(f, 0, arg_d(RUNCU_ARG_REAL, (double) NAN)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "not an integer");
    REQUIRE_FAILS(wide_with(f, 0, arg_d(RUNCU_ARG_REAL, 1e10)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "10000000000 does not fit");
    REQUIRE_OK(wide_with(f, 0, arg_d(RUNCU_ARG_REAL, -7.0)));
    REQUIRE_BYTES(bytes, "\xf9\xff\xff\xff", 4);
    REQUIRE_OK(wide_with(f, 1, arg_d(RUNCU_ARG_REAL, 0x1p63)));
    REQUIRE_FAILS(wide_with(f, 2, arg_d(RUNCU_ARG_REAL, 0x1p63)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "does not fit");
    end(f);
}

static void integers_of_a_width_fit_others_by_value(void)
{
    static const size_t wide[] = {4, 8, 8, 8, 4, 8, 0};
    start();
    runcu_function *f = get("wide");
    sizes = wide;
    REQUIRE_OK(wide_with(f, 0, runcu_arg_of(0xffffffffu))); /* same width: the bits as they are */
    REQUIRE_BYTES(bytes, "\xff\xff\xff\xff", 4);
    REQUIRE_OK(wide_with(f, 1, arg_i(RUNCU_ARG_I64, -1)));
    REQUIRE_BYTES(bytes + 4, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    REQUIRE_OK(wide_with(f, 0, runcu_arg_of(12345678ll)));
    REQUIRE_FAILS(wide_with(f, 0, runcu_arg_of(1ll << 40)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "1099511627776 does not fit");
    REQUIRE_FAILS(wide_with(f, 1, runcu_arg_of(-1)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "-1 does not fit");
    REQUIRE_OK(wide_with(f, 2, runcu_arg_of((signed char) -5)));
    REQUIRE_BYTES(bytes + 12, "\xfb\xff\xff\xff\xff\xff\xff\xff", 8);
    REQUIRE_FAILS(wide_with(f, 4, runcu_arg_of(1)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 4 (float): an int32 was given where a float32 is needed");
    REQUIRE_FAILS(wide_with(f, 4, runcu_arg_of(1.0)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a float64 was given where a float32 is needed: convert it");
    REQUIRE_FAILS(wide_with(f, 5, runcu_arg_of(1.0f)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a float32 was given");
    REQUIRE_FAILS(wide_with(f, 0, runcu_arg_of(1.0f)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a float32 was given where an integer of 4 bytes is needed");
    REQUIRE_OK(wide_with(f, 0, arg_i(RUNCU_ARG_BOOL, 1)));
    REQUIRE_OK(wide_with(f, 4, arg_i(RUNCU_ARG_BOOL, 1)));
    REQUIRE_FAILS(wide_with(f, 0, arg_i(99, 1)), RUNCU_ERROR_LAUNCH_ARGUMENT, "unknown kind 99");
    REQUIRE_FAILS(wide_with(f, 0, arg_i(0, 1)), RUNCU_ERROR_LAUNCH_ARGUMENT, "unknown kind 0");
    end(f);
}

/* The 16-bit floats of both kinds that a real number becomes. */
static void narrows_to(runcu_function *f, double value, unsigned half, unsigned bfloat)
{
    runcu_arg args[2] = {arg_d(RUNCU_ARG_REAL, value), arg_d(RUNCU_ARG_REAL, value)};
    runcu_launch_params params = ONE;
    uint16_t got[2];
    REQUIRE_OK(runcu_launch_args(f, &params, args, 2));
    memcpy(got, bytes, 4);
    REQUIRE_INT(got[0], ==, half);
    REQUIRE_INT(got[1], ==, bfloat);
}

static void real_numbers_become_16_bit_floats(void)
{
    static const size_t two[] = {2, 2, 0};
    start();
    sizes = two;
    runcu_function *f = get("small");
    narrows_to(f, 1.0, 0x3c00, 0x3f80);
    narrows_to(f, -2.5, 0xc100, 0xc020);
    narrows_to(f, 0.1, 0x2e66, 0x3dcd);
    narrows_to(f, 65504.0, 0x7bff, 0x4780);
    narrows_to(f, 0x1p-24, 0x0001, 0x3380); /* the smallest half */
    narrows_to(f, 0x1p-25, 0x0000, 0x3300); /* half of it: to even */
    narrows_to(f, 0x1.8p-25, 0x0001, 0x3340);
    narrows_to(f, 0x1.ffcp-15, 0x0400, 0x3880);   /* rounds up to the smallest normal one */
    narrows_to(f, 1.0 + 0x1p-11, 0x3c00, 0x3f80); /* ties to even */
    narrows_to(f, 1.0 + 0x1.8p-10, 0x3c02, 0x3f80);
    narrows_to(f, -0.0, 0x8000, 0x8000);
    narrows_to(f, (double) INFINITY, 0x7c00, 0x7f80);
    narrows_to(f, 1e-300, 0, 0);
    runcu_arg args[2] = {arg_d(RUNCU_ARG_REAL, 65520), arg_i(RUNCU_ARG_INT, 3)};
    runcu_launch_params params = ONE;
    REQUIRE_FAILS(runcu_launch_args(f, &params, args, 2), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (__half): 65520 does not fit");
    args[0] = arg_i(RUNCU_ARG_INT, -2);
    REQUIRE_OK(runcu_launch_args(f, &params, args, 2));
    REQUIRE_BYTES(bytes, "\x00\xc0\x40\x40", 4);
    args[1] = arg_d(RUNCU_ARG_REAL, 1e300);
    REQUIRE_FAILS(runcu_launch_args(f, &params, args, 2), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "1e+300 does not fit");
    args[1] = runcu_struct("ab", 2); /* its bytes as they are */
    REQUIRE_OK(runcu_launch_args(f, &params, args, 2));
    end(f);
}

static void bools_are_nought_or_one(void)
{
    start();
    runcu_function *f = get("few");
    REQUIRE_FAILS(runcu_launch(f, ONE, 2, 0, 0, 0, 0), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (bool): 2 does not fit: 0 to 1 does");
    REQUIRE_FAILS(runcu_launch(f, ONE, (signed char) -1, 0, 0, 0, 0), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "-1 does not fit");
    REQUIRE_FAILS(runcu_launch(f, ONE, 0, 128, 0, 0, 0), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 1 (signed char): 128");
    end(f);
}

static void signs_that_are_unknown_are_no_limit(void)
{
    static const size_t two[] = {4, 4, 0};
    start();
    sizes = two;
    runcu_function *f = get("color");
    REQUIRE_OK(runcu_launch(f, ONE, 1, -1ll));
    REQUIRE_BYTES(bytes + 4, "\xff\xff\xff\xff", 4);
    REQUIRE_OK(runcu_launch(f, ONE, 1, 0xffffffffll));
    REQUIRE_FAILS(runcu_launch(f, ONE, 1, 1ll << 32), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 1 (Color): 4294967296 does not fit: -2147483648 to 4294967295 does");
    REQUIRE_FAILS(runcu_launch(f, ONE, -1ll, 1), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (unsigned int): -1");
    end(f);
}

static void pointers_take_memory_and_addresses(void)
{
    static const size_t add[] = {8, 8, 4, 0};
    runcu_mem *mem, *none = NULL;
    uint64_t address;
    start();
    sizes = add;
    runcu_function *f = get("add");
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    const runcu_mem *read_only = mem;
    REQUIRE_OK(runcu_launch(f, ONE, mem, read_only, 3));
    memcpy(&address, bytes, 8);
    REQUIRE_INT(address, ==, runcu_mem_address(mem));
    REQUIRE_OK(runcu_launch(f, ONE, runcu_mem_address(mem) + 4, runcu_address(0), 3));
    memcpy(&address, bytes, 8);
    REQUIRE_INT(address, ==, runcu_mem_address(mem) + 4);
    REQUIRE_BYTES(bytes + 8, "\0\0\0\0\0\0\0\0\3\0\0\0", 12);
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, 0, 3), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "add(float *, float *, int): parameter 1 (float *): an int32 was given where "
                  "device memory");
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, 1.0f, 3), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a float32 was given");
    REQUIRE_FAILS(
        runcu_launch(f, ONE, mem, mem, mem), RUNCU_ERROR_LAUNCH_ARGUMENT,
        "parameter 2 (int): device memory was given where an integer of 4 bytes is needed");
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, runcu_struct("12345678", 8), 3),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "host memory was given where a pointer to device memory is needed: wrap it as "
                  "In, Out or InOut");
    REQUIRE_IN("to_gpu", runcu_error_text());
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, none, 3), RUNCU_ERROR_FREED,
                  "parameter 1 (float *): the memory has been freed");
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, mem), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "add(float *, float *, int) takes 3 arguments, and 2 were given");
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, mem, 1, 2), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "and 4 were given");
    REQUIRE_FAILS(runcu_launch(f, ONE), RUNCU_ERROR_LAUNCH_ARGUMENT, "and 0 were given");
    REQUIRE_INT(fake.state->launches, ==, 2);
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_function_release(&f);
    f = get("plain"); /* extern "C": 8 bytes may be a pointer */
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    REQUIRE_OK(runcu_launch(f, ONE, mem, 3, 1.0f));
    REQUIRE_OK(runcu_launch(f, ONE, 77ull, -1, 1.0f));
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_struct("12345678", 8), 3, 1.0f),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (pointer or 8-byte integer): host memory was given");
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, mem, 1.0f), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 1 (4-byte integer)");
    REQUIRE_OK(runcu_mem_free(&mem));
    end(f);
}

static void memory_of_another_driver_is_refused(void)
{
    runcu_device *device;
    runcu_context *there;
    runcu_mem *mem;
    start();
    runcu_function *f = get("add");
    REQUIRE_OK(runcu_device_open(&device, getenv("FAKE_CPU_DRIVER"), 1));
    REQUIRE_OK(runcu_context_primary(&there, device));
    REQUIRE_OK(runcu_context_push(there));
    REQUIRE_OK(runcu_mem_alloc(&mem, 4));
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, mem, 3), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "the memory is on the device Fake 1, the kernel on Fake 0");
    REQUIRE_OK(runcu_context_detach(there));
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, mem, 3), RUNCU_ERROR_FREED,
                  "the memory's context has been detached");
    runcu_context_release(&there);
    REQUIRE_OK(runcu_mem_free(&mem));
    end(f);
}

static void structs_go_by_value_and_size(void)
{
    static const size_t two[] = {4, 24, 0};
    start();
    sizes = two;
    runcu_function *f = get("struct");
    char s[24] = "a struct of 24 bytes...";
    REQUIRE_OK(runcu_launch(f, ONE, 1, runcu_struct(s, sizeof s)));
    REQUIRE_BYTES(bytes + 4, s, sizeof s);
    REQUIRE_FAILS(runcu_launch(f, ONE, 1, runcu_struct(s, 16)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "struct(int, P): parameter 1 (P): 16 bytes were given where 24 are needed");
    REQUIRE_FAILS(runcu_launch(f, ONE, 1, 2), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "an int32 was given where a struct of 24 bytes is needed");
    REQUIRE_FAILS(runcu_launch(f, ONE, 1, runcu_struct(NULL, 24)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "NULL");
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_struct(s, 4), runcu_struct(s, 24)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT, "parameter 0 (int): a value of bytes was given");
    end(f);
}

static int warnings;
static char warning[512];

static void keep_warning(void *user, int level, const char *category, const char *text)
{
    (void) user;
    REQUIRE_INT(level, ==, RUNCU_LOG_WARNING);
    REQUIRE_STR(category, "launch");
    snprintf(warning, sizeof warning, "%s", text);
    warnings++;
}

static runcu_arg array_of(int kind, size_t size)
{
    runcu_arg a = runcu_address(0x1000);
    a.element = (uint8_t) kind;
    a.size = size;
    return a;
}

static void an_array_of_another_type_is_one_warning(void)
{
    runcu_arg args[3] = {array_of(RUNCU_PARAM_FLOAT, 4), array_of(RUNCU_PARAM_FLOAT, 4),
                         runcu_arg_of(1)};
    runcu_launch_params params = ONE;
    start();
    runcu_set_log(keep_warning, NULL);
    runcu_function *f = get("add");
    REQUIRE_OK(runcu_launch_args(f, &params, args, 3));
    REQUIRE_INT(warnings, ==, 0);
    args[1] = array_of(RUNCU_PARAM_INT, 4);
    REQUIRE_OK(runcu_launch_args(f, &params, args, 3));
    REQUIRE_OK(runcu_launch_args(f, &params, args, 3));
    REQUIRE_INT(warnings, ==, 1);
    REQUIRE_STR(warning, "add(float *, float *, int): parameter 1 (float *): an array of int32 was "
                         "given; its bytes are "
                         "taken as they are");
    args[0] = array_of(RUNCU_PARAM_FLOAT, 8);
    REQUIRE_OK(runcu_launch_args(f, &params, args, 3));
    REQUIRE_INT(warnings, ==, 2);
    params.strict = 1;
    REQUIRE_FAILS(runcu_launch_args(f, &params, args, 3), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (float *): an array of float64 was given");
    runcu_function_release(&f);
    f = get("byte"); /* bytes, nothing and vectors take everything */
    args[0] = args[1] = args[2] = array_of(RUNCU_PARAM_FLOAT, 4);
    REQUIRE_OK(runcu_launch_args(f, &params, args, 3));
    runcu_function_release(&f);
    f = get("half");
    REQUIRE_FAILS(runcu_launch_args(f, &params, args, 1), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "an array of float32 was given");
    args[0] = array_of(RUNCU_PARAM_FLOAT, 2);
    REQUIRE_OK(runcu_launch_args(f, &params, args, 1));
    REQUIRE_INT(warnings, ==, 2);
    end(f);
}

static void shapes_reach_the_driver(void)
{
    runcu_stream *stream;
    start();
    runcu_function *f = get("nothing");
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    REQUIRE_OK(runcu_launch(f, runcu_on(RUNCU_GRID(2, 3, 4, 5, 6, 7), stream, 100)));
    REQUIRE_INT(last.grid[0] * 100 + last.grid[1] * 10 + last.grid[2], ==, 234);
    REQUIRE_INT(last.block[0] * 100 + last.block[1] * 10 + last.block[2], ==, 567);
    REQUIRE_INT(last.shared, ==, 100);
    REQUIRE((uintptr_t) last.stream == runcu_stream_handle(stream));
    REQUIRE_OK(runcu_launch(f, RUNCU_GRID(0, 0, 0, 0, 0, 0)));
    REQUIRE_INT(last.grid[0] + last.grid[1] + last.grid[2] + last.block[0] + last.block[1] +
                    last.block[2],
                ==, 6);
    REQUIRE_OK(runcu_launch(f, RUNCU_THREADS(1000000)));
    REQUIRE_INT(last.block[0], ==, 256);
    REQUIRE_INT(last.grid[0], ==, 3907);
    REQUIRE_OK(runcu_launch(f, RUNCU_THREADS(33)));
    REQUIRE_INT(last.block[0], ==, 33);
    REQUIRE_INT(last.grid[0], ==, 1);
    runcu_launch_params params = {.threads = 100, .block = {30, 1, 1}};
    REQUIRE_OK(runcu_launch_args(f, &params, NULL, 0));
    REQUIRE_INT(last.grid[0], ==, 4);
    params = (runcu_launch_params){.threads = (size_t) 1 << 50, .block = {32, 0, 0}};
    REQUIRE_FAILS(runcu_launch_args(f, &params, NULL, 0), RUNCU_ERROR_LAUNCH_SHAPE,
                  "the limit is 2147483647");
    params = (runcu_launch_params){.threads = 100, .block = {32, 0, 0}, .grid = {3, 0, 0}};
    REQUIRE_FAILS(runcu_launch_args(f, &params, NULL, 0), RUNCU_ERROR_LAUNCH_SHAPE,
                  "fewer than the 100 asked for");
    /* an older caller's struct ends earlier: what is beyond is the default, whatever stands there
     */
    params = (runcu_launch_params){
        .size = offsetof(runcu_launch_params, shared), .block = {32, 0, 0}, .shared = 99};
    REQUIRE_OK(runcu_launch_args(f, &params, NULL, 0));
    REQUIRE_INT(last.shared, ==, 0);
    runcu_stream_destroy(&stream);
    end(f);
}

static void a_closed_stream_never_reaches_the_driver(void)
{
    start();
    runcu_function *f = get("nothing");
    runcu_stream *stream = NULL;
    runcu_bound *bound = NULL;
    REQUIRE_OK(runcu_stream_create(&stream, 0, 0));
    runcu_launch_params one = runcu_on(RUNCU_GRID(1, 1, 1, 1, 1, 1), stream, 0);
    runcu_launch_params many = runcu_on(RUNCU_THREADS(100), stream, 0);
    REQUIRE_OK(runcu_launch(f, one));
    runcu_stream_close(stream);
    last.stream = NULL;
    REQUIRE(runcu_launch(f, one) == RUNCU_ERROR_FREED);
    REQUIRE(strstr(runcu_error_text(), "nothing(): the stream has been closed") != NULL);
    REQUIRE(runcu_launch(f, many) == RUNCU_ERROR_FREED);
    REQUIRE(runcu_launch_packed(f, &one, NULL, 0) == RUNCU_ERROR_FREED);
    REQUIRE(runcu_bound_create(&bound, f, &one, NULL, 0) == RUNCU_ERROR_FREED && !bound);
    REQUIRE(last.stream == NULL);
    runcu_stream_destroy(&stream);
    end(f);
}

static void refused_shapes_are_explained(void)
{
    runcu_error e;
    start();
    runcu_function *f = get("nothing");
    REQUIRE_FAILS(runcu_launch(f, RUNCU_GRID(1, 1, 1, 1025, 1, 1)), RUNCU_ERROR_LAUNCH_SHAPE,
                  "cuLaunchKernel failed: invalid argument\nnothing(): block x is 1025, 1 over the "
                  "device's limit of 1024.");
    runcu_error_get(&e);
    REQUIRE_INT(e.code, ==, CUDA_ERROR_INVALID_VALUE);
    REQUIRE_FAILS(runcu_launch(f, RUNCU_GRID(1, 70000, 1, 1, 1, 1)), RUNCU_ERROR_LAUNCH_SHAPE,
                  "grid y is 70000, 4465 over the device's limit of 65535");
    REQUIRE_FAILS(runcu_launch(f, RUNCU_GRID(1, 1, 1, 64, 32, 1)), RUNCU_ERROR_LAUNCH_SHAPE,
                  "a block of 64 x 32 x 1 has 2048 threads, 1024 over the device's limit of 1024");
    REQUIRE_FAILS(runcu_launch(f, runcu_on(ONE, NULL, 300 << 10)), RUNCU_ERROR_LAUNCH_SHAPE,
                  "307200 bytes of dynamic and 0 of static shared memory are 74752 over the "
                  "device's limit of 232448");
    REQUIRE_FAILS(runcu_launch(f, runcu_on(ONE, NULL, SIZE_MAX)), RUNCU_ERROR_LAUNCH_SHAPE,
                  "more than any device has");
    runcu_function_release(&f);
    f = get("limited");
    REQUIRE_FAILS(runcu_launch(f, RUNCU_GRID(1, 1, 1, 512, 1, 1), 1), RUNCU_ERROR_LAUNCH_SHAPE,
                  "cuLaunchKernel failed: too many resources requested for launch");
    REQUIRE_IN("256 over this kernel's limit of 256 (it takes 40 registers a thread, 20480 of the",
               runcu_error_text());
    REQUIRE_OK(runcu_launch(f, RUNCU_THREADS(100000), 1)); /* chosen within that limit */
    REQUIRE_INT(last.block[0], ==, 256);
    fake.fail("cuLaunchKernel", CUDA_ERROR_LAUNCH_FAILED, 1);
    REQUIRE_FAILS(runcu_launch(f, ONE, 1), RUNCU_ERROR_DRIVER,
                  "cuLaunchKernel failed: unspecified launch failure");
    REQUIRE_FAILS(runcu_launch_args(NULL, NULL, NULL, 0), RUNCU_ERROR_ARGUMENT, "function is NULL");
    REQUIRE_FAILS(runcu_launch_args(f, NULL, NULL, 0), RUNCU_ERROR_ARGUMENT, "params is NULL");
    end(f);
}

static void *launch_with_shared(void *function)
{
    for (unsigned kib = 40; kib <= 200; kib += 40)
        REQUIRE_OK(runcu_launch((runcu_function *) function, runcu_on(ONE, NULL, kib << 10)));
    return NULL;
}

static void much_shared_memory_is_asked_for_once(void)
{
    pthread_t threads[4];
    start();
    fake.state->on_launch = NULL;
    runcu_function *f = get("nothing");
    REQUIRE_OK(runcu_launch(f, runcu_on(ONE, NULL, 1000)));
    REQUIRE_INT(fake.calls("cuFuncSetAttribute"), ==, 0);
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, launch_with_shared, f), ==, 0);
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), ==, 0);
    REQUIRE_INT(fake.state->dynamic_shared, ==, 200 << 10); /* it only grew */
    REQUIRE_INT(fake.calls("cuFuncSetAttribute"), ==, 4);
    end(f);
}

static void add_one(void **params)
{
    float *x, *y;
    int n;
    memcpy(&x, params[0], 8);
    memcpy(&y, params[1], 8);
    memcpy(&n, params[2], 4);
    for (int i = 0; i < n; i++)
        y[i] = x[i] + 1;
}

static void host_arrays_travel_there_and_back(void)
{
    float x[3] = {1, 2, 3}, y[3] = {0};
    start();
    kernel = add_one;
    runcu_function *f = get("add");
    REQUIRE_OK(runcu_launch(f, RUNCU_THREADS(3), runcu_in(x, sizeof x), runcu_out(y, sizeof y), 3));
    REQUIRE_NEAR(y[0], 2, 0);
    REQUIRE_NEAR(y[2], 4, 0);
    REQUIRE_NEAR(x[2], 3, 0);
    REQUIRE_INT(fake.state->live_memory, ==, 0);
    REQUIRE_INT(fake.calls("cuMemcpyHtoDAsync"), ==, 1);
    REQUIRE_OK(
        runcu_launch(f, RUNCU_THREADS(3), runcu_inout(y, sizeof y), runcu_out(x, sizeof x), 3));
    REQUIRE_NEAR(x[2], 5, 0);
    REQUIRE_OK(
        runcu_launch(f, RUNCU_THREADS(3), runcu_in(x, 0), runcu_in(NULL, 0), 0)); /* of no bytes */
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_in(NULL, 4), runcu_out(y, 4), 0),
                  RUNCU_ERROR_LAUNCH_ARGUMENT, "the host array's pointer is NULL");
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_in(x, 4), runcu_out(y, 4), runcu_in(x, 4)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT, "parameter 2 (int): a host array (In) was given");
    int launches = fake.state->launches;
    static const char *const routines[] = {"cuMemAlloc", "cuMemcpyHtoDAsync", "cuLaunchKernel",
                                           "cuMemcpyDtoHAsync", "cuStreamSynchronize"};
    for (size_t i = 0; i < sizeof routines / sizeof *routines; i++) {
        fake.fail(routines[i], CUDA_ERROR_OUT_OF_MEMORY, i == 0 ? 2 : 1);
        REQUIRE_FAILS(runcu_launch(f, ONE, runcu_in(x, sizeof x), runcu_out(y, sizeof y), 3),
                      RUNCU_ERROR_DRIVER, routines[i]);
        fake.fail(routines[i], 0, 0);
        REQUIRE_INT(fake.state->live_memory, ==, 0);
    }
    REQUIRE_INT(fake.state->launches, ==, launches + 2);
    end(f);
}

static void kernels_run_in_their_own_context(void)
{
    runcu_context *other, *now;
    runcu_device *device;
    start();
    runcu_function *f = get("nothing");
    REQUIRE_OK(runcu_device_open(&device, NULL, 1));
    REQUIRE_OK(runcu_context_create(&other, device, 0));
    REQUIRE_OK(runcu_launch(f, ONE));
    REQUIRE_INT(fake.state->launches, ==, 1);
    REQUIRE_OK(runcu_context_current(&now));
    REQUIRE(now == other);
    REQUIRE_OK(runcu_context_pop());
    runcu_context_release(&other);
    int switches = fake.state->context_switches;
    for (int i = 0; i < 10; i++)
        REQUIRE_OK(runcu_launch(f, ONE));
    REQUIRE_INT(fake.state->context_switches, ==, switches);
    REQUIRE_INT(fake.calls("cuFuncGetAttribute"), <=, 1); /* nothing is asked before a launch */
    end(f);
}

static void *launch_in_thread(void *function)
{
    int before = fake.state->context_switches;
    for (int i = 0; i < 10; i++)
        REQUIRE_OK(runcu_launch((runcu_function *) function, RUNCU_GRID(1, 1, 1, 32, 1, 1)));
    REQUIRE_INT(fake.state->context_switches, ==, before + 1); /* made current once, and kept */
    return NULL;
}

static void a_new_thread_launches_at_once(void)
{
    pthread_t thread;
    start();
    runcu_function *f = get("nothing");
    REQUIRE_INT(pthread_create(&thread, NULL, launch_in_thread, f), ==, 0);
    REQUIRE_INT(pthread_join(thread, NULL), ==, 0);
    end(f);
}

static void unknown_kernels_take_what_has_a_width(void)
{
    static const char blob[] = "not PTX, not a cubin: exact names only";
    runcu_module *unknown;
    runcu_function *f;
    runcu_mem *mem;
    int count;
    start();
    REQUIRE_OK(runcu_module_load(&unknown, blob, sizeof blob));
    REQUIRE_FAILS(runcu_module_get_function(&f, unknown, "exactly"), RUNCU_ERROR_NAME,
                  "There is no kernel \"exactly\"");
    REQUIRE_OK(runcu_module_get_function(&f, unknown, "exact"));
    REQUIRE_STR(runcu_function_signature(f), "exact(?)");
    REQUIRE(!runcu_function_params(f, &count));
    REQUIRE_INT(count, ==, -1);
    REQUIRE_OK(runcu_mem_alloc(&mem, 4));
    REQUIRE_OK(runcu_launch(f, ONE, (short) 1, mem, 2.5f, runcu_struct("abcdefghijkl", 12),
                            (signed char) 3, 1.0));
    REQUIRE_INT(last.bytes, ==, 48);
    uint64_t address;
    memcpy(&address, bytes + 8, 8);
    REQUIRE_INT(address, ==, runcu_mem_address(mem));
    REQUIRE_BYTES(bytes, "\1\0\0\0\0\0\0\0", 8);
    REQUIRE_BYTES(bytes + 16,
                  "\0\0\x20\x40"
                  "abcdefghijkl"
                  "\3\0\0\0\0\0\0\0",
                  24);
    runcu_launch_params params = ONE;
    runcu_arg number = arg_i(RUNCU_ARG_INT, 1);
    REQUIRE_FAILS(runcu_launch_args(f, &params, &number, 1), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "exact(?): parameter 0: nothing is known of this kernel's parameters");
    static char big[5000];
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_struct(big, sizeof big)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "more than 4096 bytes");
    float x = 1, y = 0;
    (void) y;
    REQUIRE_OK(runcu_launch(f, ONE, (short) 1, runcu_in(&x, sizeof x)));
    memcpy(&address, bytes + 8, 8);
    REQUIRE(address != 0);
    REQUIRE_OK(runcu_launch(f, ONE));
    REQUIRE(!last.buffer);
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_module_release(&unknown);
    end(f);
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    unsetenv("CUDA_DEVICE");
    setenv("HOME", "/nowhere", 1);
    RUN_ALONE(values_arrive_byte_for_byte);
    RUN_ALONE(padding_is_zero);
    RUN_ALONE(numbers_without_a_width_take_the_parameters);
    RUN_ALONE(integers_of_a_width_fit_others_by_value);
    RUN_ALONE(real_numbers_become_16_bit_floats);
    RUN_ALONE(bools_are_nought_or_one);
    RUN_ALONE(signs_that_are_unknown_are_no_limit);
    RUN_ALONE(pointers_take_memory_and_addresses);
    RUN_ALONE(memory_of_another_driver_is_refused);
    RUN_ALONE(structs_go_by_value_and_size);
    RUN_ALONE(an_array_of_another_type_is_one_warning);
    RUN_ALONE(shapes_reach_the_driver);
    RUN_ALONE(a_closed_stream_never_reaches_the_driver);
    RUN_ALONE(refused_shapes_are_explained);
    RUN_ALONE(much_shared_memory_is_asked_for_once);
    RUN_ALONE(host_arrays_travel_there_and_back);
    RUN_ALONE(kernels_run_in_their_own_context);
    RUN_ALONE(a_new_thread_launches_at_once);
    RUN_ALONE(unknown_kernels_take_what_has_a_width);
    return 0;
}

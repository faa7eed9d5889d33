/* Arguments against parameters: floats of 16 and 8 bits, read-only arrays, addresses that the
 * kernel's device does not reach. The plain kinds are test_launch.c's. */
#include <math.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"
#include "fake_driver.h"

static const char ptx[] =
    ".version 8.0\n.target sm_75\n.address_size 64\n"
    ".visible .entry _Z4half6__half13__nv_bfloat16(.param .align 2 .b8 a[2], .param .align 2 .b8 "
    "b[2]) { ret; }\n"
    ".visible .entry _Z3fp813__nv_fp8_e4m313__nv_fp8_e5m213__nv_fp8_e8m0(.param .align 1 .b8 a[1], "
    ".param .align 1 .b8 b[1], .param .align 1 .b8 c[1]) { ret; }\n"
    ".visible .entry _Z4open3Own3Two(.param .align 2 .b8 a[2], .param .align 1 .b8 b[2]) { ret; }\n"
    ".visible .entry _Z5wholet(.param .u16 a) { ret; }\n"
    ".visible .entry plain(.param .u16 a, .param .align 2 .b8 b[2]) { ret; }\n"
    ".visible .entry _Z4readPKfPf(.param .u64 a, .param .u64 b) { ret; }\n"
    ".visible .entry _Z6floatsP6__halfP13__nv_bfloat16P13__nv_fp8_e4m3(.param .u64 a, .param .u64 "
    "b, .param .u64 c) { ret; }\n";

static struct fake fake;
static runcu_module *module;
static unsigned char bytes[64];
static const size_t *sizes; /* of the parameters, ended by 0 */

static void record(const struct fake_launch *l)
{
    size_t at = 0;
    for (size_t i = 0; l->params && sizes && sizes[i]; i++) {
        memcpy(bytes + at, l->params[i], sizes[i]);
        at += sizes[i];
    }
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
}

#define ONE RUNCU_THREADS(1)

static runcu_arg real(double value)
{
    runcu_arg a = {.kind = RUNCU_ARG_REAL, .value.d = value};
    return a;
}

static void small_floats_go_to_their_own_type(void)
{
    static const size_t two[] = {2, 2, 0}, ones[] = {1, 1, 1, 0};
    start();
    runcu_function *f = get("half");
    sizes = two;
    REQUIRE_OK(runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_F16, 0x3c01),
                            runcu_bits(RUNCU_ARG_BF16, 0x3f82)));
    REQUIRE_BYTES(bytes, "\x01\x3c\x82\x3f", 4);
    REQUIRE_FAILS(
        runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_F16, 1), runcu_bits(RUNCU_ARG_F16, 1)),
        RUNCU_ERROR_LAUNCH_ARGUMENT,
        "half(__half, __nv_bfloat16): parameter 1 (__nv_bfloat16): a float16 was given where a "
        "bfloat16 is needed: convert it");
    REQUIRE_FAILS(
        runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_BF16, 1), runcu_bits(RUNCU_ARG_BF16, 1)),
        RUNCU_ERROR_LAUNCH_ARGUMENT, "parameter 0 (__half): a bfloat16 was given");
    REQUIRE_FAILS(
        runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_E4M3, 1), runcu_bits(RUNCU_ARG_BF16, 1)),
        RUNCU_ERROR_LAUNCH_ARGUMENT, "a float8_e4m3fn was given");
    REQUIRE_FAILS(runcu_launch(f, ONE, 1.0f, runcu_bits(RUNCU_ARG_BF16, 1)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT, "a float32 was given where a float16 is needed");
    runcu_function_release(&f);
    f = get("fp8");
    sizes = ones;
    REQUIRE_OK(runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_E4M3, 0x38),
                            runcu_bits(RUNCU_ARG_E5M2, 0x3c), runcu_bits(RUNCU_ARG_E8M0, 0x7f)));
    REQUIRE_BYTES(bytes, "\x38\x3c\x7f", 3);
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_E5M2, 0x38),
                               runcu_bits(RUNCU_ARG_E5M2, 0x3c), runcu_bits(RUNCU_ARG_E8M0, 0x7f)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (__nv_fp8_e4m3): a float8_e5m2 was given where a float8_e4m3fn is");
    end(f);
}

static void small_floats_go_to_types_that_nobody_knows(void)
{
    static const size_t two[] = {2, 2, 0};
    start();
    runcu_function *f = get("open");
    sizes = two;
    REQUIRE_OK(runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_F16, 0x1234),
                            runcu_bits(RUNCU_ARG_BF16, 0x5678)));
    REQUIRE_BYTES(bytes, "\x34\x12\x78\x56", 4);
    REQUIRE_FAILS(
        runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_E4M3, 1), runcu_bits(RUNCU_ARG_BF16, 1)),
        RUNCU_ERROR_LAUNCH_ARGUMENT, "parameter 0 (Own): a float8_e4m3fn was given");
    REQUIRE_FAILS(runcu_launch(f, ONE, real(1), runcu_bits(RUNCU_ARG_BF16, 1)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a real number was given where a struct of 2 bytes is needed");
    runcu_function_release(&f);
    f = get("plain"); /* extern "C": only the sizes are known */
    REQUIRE_OK(runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_F16, 0x1234),
                            runcu_bits(RUNCU_ARG_BF16, 0x5678)));
    REQUIRE_BYTES(bytes, "\x34\x12\x78\x56", 4);
    runcu_function_release(&f);
    f = get("whole"); /* an unsigned short is none of them */
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_bits(RUNCU_ARG_F16, 1)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a float16 was given where an integer of 2 bytes is needed");
    REQUIRE_FAILS(runcu_launch(f, ONE, runcu_struct("ab", 2)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "a value of bytes was given where an integer of 2 bytes is needed");
    end(f);
}

static void rounds_to(runcu_function *f, double value, unsigned e4m3, unsigned e5m2)
{
    REQUIRE_OK(runcu_launch(f, ONE, real(value), real(value), runcu_bits(RUNCU_ARG_E8M0, 0)));
    REQUIRE_INT(bytes[0], ==, e4m3);
    REQUIRE_INT(bytes[1], ==, e5m2);
}

/* What the CUDA headers' own conversions give (cuda_fp8.h), but that too large is an error. */
static void real_numbers_become_8_bit_floats(void)
{
    static const size_t ones[] = {1, 1, 1, 0};
    start();
    runcu_function *f = get("fp8");
    sizes = ones;
    rounds_to(f, 0.0, 0x00, 0x00);
    rounds_to(f, -0.0, 0x80, 0x80);
    rounds_to(f, 1.0, 0x38, 0x3c);
    rounds_to(f, -1.5, 0xbc, 0xbe);
    rounds_to(f, 448.0, 0x7e, 0x5f);
    rounds_to(f, 464.0, 0x7e, 0x5f); /* between 448 and 480, which is NaN: to even */
    rounds_to(f, 0x1p-9, 0x01, 0x18);
    rounds_to(f, 0x1p-10, 0x00, 0x14); /* half the smallest: to even */
    rounds_to(f, 0x1.8p-10, 0x01, 0x16);
    rounds_to(f, 1.0625, 0x38, 0x3c); /* ties to even */
    rounds_to(f, 1.1875, 0x3a, 0x3d);
    rounds_to(f, (double) NAN, 0x7f, 0x7e);
    REQUIRE_FAILS(runcu_launch(f, ONE, real(465), real(1), runcu_bits(RUNCU_ARG_E8M0, 0)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (__nv_fp8_e4m3): 465 does not fit a float8_e4m3fn");
    REQUIRE_FAILS(
        runcu_launch(f, ONE, real((double) INFINITY), real(1), runcu_bits(RUNCU_ARG_E8M0, 0)),
        RUNCU_ERROR_LAUNCH_ARGUMENT, "inf does not fit");
    REQUIRE_OK(
        runcu_launch(f, ONE, real(1), real((double) -INFINITY), runcu_bits(RUNCU_ARG_E8M0, 0)));
    REQUIRE_INT(bytes[1], ==, 0xfc);
    REQUIRE_FAILS(runcu_launch(f, ONE, real(1), real(65536), runcu_bits(RUNCU_ARG_E8M0, 0)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT, "65536 does not fit a float8_e5m2");
    REQUIRE_FAILS(runcu_launch(f, ONE, real(1), real(1), real(1)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "1 does not fit a float8_e8m0fnu");
    end(f);
}

static int warnings;
static char warning[256];

static void keep_warning(void *user, int level, const char *category, const char *text)
{
    (void) user;
    (void) category;
    warnings += level == RUNCU_LOG_WARNING;
    snprintf(warning, sizeof warning, "%s", text);
}

static runcu_arg array_of(uint64_t address, int kind, size_t size, uint32_t flags)
{
    runcu_arg a = runcu_address(address);
    a.element = (uint8_t) kind;
    a.size = size;
    a.flags = flags;
    return a;
}

static int launch_pair(runcu_function *f, runcu_arg a, runcu_arg b, int strict)
{
    runcu_launch_params params = ONE;
    runcu_arg list[] = {a, b};
    params.strict = strict;
    return runcu_launch_args(f, &params, list, 2);
}

static void read_only_arrays_want_pointers_to_const(void)
{
    start();
    runcu_set_log(keep_warning, NULL);
    runcu_function *f = get("read");
    runcu_arg a = array_of(4096, RUNCU_PARAM_FLOAT, 4, 0),
              fixed = array_of(4096, RUNCU_PARAM_FLOAT, 4, RUNCU_ARG_READ_ONLY);
    REQUIRE_OK(launch_pair(f, fixed, a, 1));
    REQUIRE_INT(warnings, ==, 0);
    REQUIRE_FAILS(launch_pair(f, a, fixed, 1), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 1 (float *): a read-only array was given, and the pointer is not to "
                  "const");
    REQUIRE_OK(launch_pair(f, a, fixed, 0));
    REQUIRE_OK(launch_pair(f, a, fixed, 0));
    REQUIRE_INT(warnings, ==, 1);
    REQUIRE_IN("read(const float *, float *): parameter 1 (float *): a read-only array", warning);
    runcu_set_log(NULL, NULL);
    end(f);
}

static void elements_of_small_floats(void)
{
    start();
    runcu_launch_params params = ONE;
    params.strict = 1;
    runcu_function *f = get("floats");
    runcu_arg half = array_of(4096, RUNCU_PARAM_FLOAT, 2, 0),
              brain = array_of(4096, RUNCU_PARAM_BFLOAT, 2, 0),
              eight = array_of(4096, RUNCU_PARAM_E4M3, 1, 0),
              other = array_of(4096, RUNCU_PARAM_E5M2, 1, 0),
              bits16 = array_of(4096, RUNCU_PARAM_UINT, 2, 0),
              bits8 = array_of(4096, RUNCU_PARAM_UINT, 1, 0);
    runcu_arg right[] = {half, brain, eight}, as_bits[] = {half, bits16, bits8};
    REQUIRE_OK(runcu_launch_args(f, &params, right, 3));
    REQUIRE_OK(runcu_launch_args(f, &params, as_bits, 3)); /* how NumPy users keep them */
    runcu_arg wrong[][3] = {{brain, brain, eight}, {half, half, eight}, {half, brain, other}};
    static const char *const words[] = {
        "parameter 0 (__half *): an array of bfloat16",
        "parameter 1 (__nv_bfloat16 *): an array of float16",
        "parameter 2 (__nv_fp8_e4m3 *): an array of float8_e5m2",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        REQUIRE_FAILS(runcu_launch_args(f, &params, wrong[i], 3), RUNCU_ERROR_LAUNCH_ARGUMENT,
                      words[i]);
    end(f);
}

/* Beside a GPU's driver there is one of the CPU device, whose memory is no memory to the GPU. */
static void addresses_of_the_cpu_device_are_none_of_a_gpu(void)
{
    runcu_device *cpu;
    runcu_context *there;
    runcu_mem *mem, *mine;
    start();
    runcu_function *f = get("read");
    REQUIRE_OK(runcu_mem_alloc(&mine, 64));
    REQUIRE_OK(runcu_launch(f, ONE, (unsigned long long) 4096, mine));
    REQUIRE_OK(runcu_device_open(&cpu, getenv("FAKE_CPU_DRIVER"), 0));
    REQUIRE_OK(runcu_context_primary(&there, cpu));
    REQUIRE_OK(runcu_context_push(there));
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    REQUIRE_OK(runcu_context_pop());
    REQUIRE_OK(runcu_launch(f, ONE, (unsigned long long) 4096, mine));
    unsigned long long address = runcu_mem_address(mem);
    REQUIRE_FAILS(runcu_launch(f, ONE, address + 4, mine), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 0 (const float *): 0x");
    REQUIRE_IN("is memory of the CPU device, and the kernel is on Fake 0", runcu_error_text());
    REQUIRE_FAILS(runcu_launch(f, ONE, mine, runcu_address(address)), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 1 (float *)");
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_OK(runcu_mem_free(&mine));
    runcu_context_release(&there);
    end(f);
}

static void the_cpu_device_knows_its_addresses(void)
{
    runcu_mem *mem, *locked;
    fake = fake_open("FAKE_CPU_DRIVER");
    REQUIRE_OK(runcu_init(fake.path));
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    runcu_function *f = get("read");
    REQUIRE_OK(runcu_mem_alloc(&mem, 64));
    REQUIRE_OK(runcu_mem_alloc_host(&locked, 64, 0));
    unsigned long long address = runcu_mem_address(mem);
    REQUIRE_OK(runcu_launch(f, ONE, address, runcu_address(address + 63)));
    REQUIRE_OK(runcu_launch(f, ONE, address + 64, runcu_address(0))); /* its end; a null pointer */
    REQUIRE_OK(runcu_launch(f, ONE, runcu_mem_address(locked), mem));
    float x[4] = {0};
    REQUIRE_FAILS(runcu_launch(f, ONE, mem, runcu_address((uintptr_t) x)),
                  RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "read(const float *, float *): parameter 1 (float *): 0x");
    REQUIRE_IN("is in no live allocation of the CPU device", runcu_error_text());
    REQUIRE_IN("In, Out or InOut", runcu_error_text());
    REQUIRE_OK(runcu_mem_free(&mem));
    REQUIRE_FAILS(runcu_launch(f, ONE, address, locked), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "no live allocation");
    REQUIRE_OK(runcu_mem_free(&locked));
    end(f);
}

int main(void)
{
    setenv("RUNCU_DEVICE", getenv("FAKE_DRIVER"), 1);
    unsetenv("CUDA_DEVICE");
    setenv("HOME", "/nowhere", 1);
    RUN_ALONE(small_floats_go_to_their_own_type);
    RUN_ALONE(small_floats_go_to_types_that_nobody_knows);
    RUN_ALONE(real_numbers_become_8_bit_floats);
    RUN_ALONE(read_only_arrays_want_pointers_to_const);
    RUN_ALONE(elements_of_small_floats);
    RUN_ALONE(addresses_of_the_cpu_device_are_none_of_a_gpu);
    RUN_ALONE(the_cpu_device_knows_its_addresses);
    return 0;
}

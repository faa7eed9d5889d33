/* Rows of micro.def against a second opinion (simt_alu.def), in every build of the exec files that
 * this processor can run: on values chosen to hurt, under full, partial and empty masks, in place
 * and out of place. Then every row against the baseline build: builds must agree to the last bit.
 */
#include <fenv.h>
#include <math.h>

#include "simt/builds.h"
#include "simt/rows.h"
#include "simt_alu_ref.h"
#include "test.h"

/* ---- values ---- */

enum { LANES = 96, WARPS = LANES / 32, COLUMNS = 16, ROUNDS = 60 };

static const uint64_t integers[] = {
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
    0xfffffffe,
    0xfffffffffffffffe,
    0x55555555aaaaaaaa,
    0x00ff00ff00ff00ff,
    0x12345678,
    0xfedcba9876543210,
};

static const double numbers[] = {
    0.0,           1.0,
    0.5,           1.5,
    2.5,           3.5,
    0.75,          0.1,
    3.0,           127.5,
    128.5,         255.5,
    256.0,         32767.5,
    32768.0,       65504.0,
    65519.999,     65520.0,
    65535.5,       65536.0,
    0x1p24,        0x1.000002p24,
    0x1p31,        0x1.fffffep30,
    0x1p32,        0x1p33,
    0x1.fffffep31, 0x1p52,
    0x1p53,        0x1p62,
    0x1p63,        0x1p64,
    0x1.fffffep63, 0x1.fffffep127,
    0x1p127,       0x1p126,
    0x1.8p126,     0x1p-126,
    0x1p-127,      0x1.fffffcp-127,
    0x1p-149,      0x1.8p-149,
    0x1p-150,      0x1p-14,
    0x1p-24,       0x1p-25,
    0x1.8p-25,     0x1.ffcp-15,
    0x1.000001p0,  0x1.fffffep-1,
    1e-10,         3.14159265,
    6.2831853,     100.0,
    300.0,         1e30,
    1e-30,         1e300,
    1e-300,        0x1p-1022,
    0x1p-1074,     0x1.fffffffffffffp1023,
    INFINITY,      NAN,
};

static uint64_t random_bits(void)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A value of `bits` to be used as an integer or a floating point number: as nasty as either. */
static uint64_t nasty(unsigned bits)
{
    const uint64_t r = random_bits();
    switch (r % 5) {
    case 0:
        return random_bits();
    case 1:
        return integers[(r >> 8) % ARRAY_LEN(integers)];
    case 2:
        return random_bits() >> (r >> 8) % 64;
    default:
        break;
    }
    const double x = numbers[(r >> 8) % ARRAY_LEN(numbers)];
    const uint64_t near = (r >> 40) % 4 ? 0 : (r >> 42) % 3 - 1;
    return bits_of(r >> 32 & 1 ? -x : x, bits) + near;
}

/* ---- a gang of three warps, and one row run on it ---- */

struct lanes {
    uint64_t v[LANES];
};

static uint8_t file[COLUMNS * 4 * LANES];

static void put(uint32_t slot, unsigned bits, const struct lanes *from)
{
    uint32_t *words = (uint32_t *) (void *) (file + (size_t) slot * 4 * LANES);
    uint64_t *pairs = (uint64_t *) (void *) words;
    if (bits == 1)
        memset(words, 0, 4 * WARPS);
    for (unsigned i = 0; i < LANES; i++) {
        if (bits == 64)
            pairs[i] = from->v[i];
        else if (bits == 1)
            words[i / 32] |= (uint32_t) (from->v[i] & 1) << i % 32;
        else
            words[i] = (uint32_t) from->v[i];
    }
}

static void get(struct lanes *to, uint32_t slot, unsigned bits)
{
    const uint32_t *words = (const uint32_t *) (const void *) (file + (size_t) slot * 4 * LANES);
    const uint64_t *pairs = (const uint64_t *) (const void *) words;
    for (unsigned i = 0; i < LANES; i++)
        to->v[i] = bits == 64 ? pairs[i] : bits == 1 ? words[i / 32] >> i % 32 & 1 : words[i];
}

struct trial {
    enum simt_op op;
    struct lanes in[4], before; /* sources; the destination before */
    uint32_t on[WARPS];
    bool full;
    int in_place; /* the source that the destination is; -1: none */
    int64_t imm;
};

/* Slots 0, 2, 4, 6 are sources, 8 the destination. */
static void run(struct lanes *out, const struct simt_ops *ops, const struct trial *t)
{
    const struct simt_row *row = simt_row(t->op);
    struct simt_gang g = {
        .frame = file, .word = 4 * LANES, .lanes = LANES, .warps = WARPS, .full = t->full};
    memcpy(g.on, t->on, sizeof t->on);
    uint32_t at[5] = {0, 2, 4, 6, 8};
    put(8, row->bits[0], &t->before);
    for (unsigned i = 0; i < row->sources; i++)
        put(at[i], row->bits[1 + i], &t->in[i]);
    const uint32_t d = t->in_place < 0 ? 8 : at[t->in_place];
    struct simt_insn x = {
        .d = d, .a = 0, .b = 2, .c = 4, .e = 6, .imm = t->imm, .op = (uint16_t) t->op};
    for (unsigned i = 0; i < row->sources; i++)
        if (row->bits[1 + i] == 1)
            at[i] *= 32;
    x.a = at[0], x.b = at[1], x.c = at[2], x.e = at[3];
    if (row->bits[0] == 1)
        x.d *= 32;
    REQUIRE_INT(ops->fn[t->op](&g, &x), ==, SIMT_NEXT);
    get(out, d, row->bits[0]);
}

static void make_trial(struct trial *t, enum simt_op op, unsigned round)
{
    const struct simt_row *row = simt_row(op);
    *t = (struct trial){.op = op, .full = round % 3 == 0, .in_place = -1};
    for (unsigned i = 0; i < LANES; i++) {
        t->before.v[i] = random_bits();
        for (unsigned s = 0; s < 4; s++)
            t->in[s].v[i] = nasty(row->bits[1 + s]);
    }
    t->on[0] = UINT32_MAX;
    t->on[1] = (uint32_t) random_bits();
    t->on[2] = round % 2 ? 0 : (uint32_t) random_bits() & (uint32_t) random_bits();
    t->imm = (int64_t) random_bits();
    for (unsigned i = 0; i < row->sources; i++)
        if (row->bits[1 + i] == row->bits[0] && round % 4 == i)
            t->in_place = (int) i;
}

static bool is_on(const struct trial *t, unsigned lane)
{
    return t->full || t->on[lane / 32] >> lane % 32 & 1;
}

static uint64_t before(const struct trial *t, unsigned lane)
{
    const unsigned bits = simt_row(t->op)->bits[0];
    const uint64_t v = t->in_place < 0 ? t->before.v[lane] : t->in[t->in_place].v[lane];
    return bits == 64 ? v : bits == 1 ? v & 1 : (uint32_t) v;
}

/* ---- types of the references ---- */

typedef uint8_t type_u8;
typedef int8_t type_s8;
typedef uint16_t type_u16;
typedef int16_t type_s16;
typedef uint32_t type_u32;
typedef int32_t type_s32;
typedef uint64_t type_u64;
typedef int64_t type_s64;
typedef float type_f32;
typedef double type_f64;
typedef bool type_pred;

static float from_f32(uint64_t v)
{
    const uint32_t u = (uint32_t) v;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static double from_f64(uint64_t v)
{
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

#define from_u8(v) (uint8_t)(v)
#define from_s8(v) (int8_t)(v)
#define from_u16(v) (uint16_t)(v)
#define from_s16(v) (int16_t)(v)
#define from_u32(v) (uint32_t)(v)
#define from_s32(v) (int32_t)(v)
#define from_u64(v) (uint64_t)(v)
#define from_s64(v) (int64_t)(v)
#define from_pred(v) ((v) &1)

#define to_u8(x) (uint64_t)(uint8_t)(x)
#define to_s8(x) (uint64_t)(uint32_t)(int8_t) (x)
#define to_u16(x) (uint64_t)(uint16_t)(x)
#define to_s16(x) (uint64_t)(uint16_t)(x)
#define to_u32(x) (uint64_t)(uint32_t)(x)
#define to_s32(x) (uint64_t)(uint32_t)(x)
#define to_u64(x) (uint64_t)(x)
#define to_s64(x) (uint64_t)(x)
#define to_f32(x) bits_of((x), 32)
#define to_f64(x) bits_of((x), 64)
#define to_pred(x) (uint64_t)((x) != 0)

/* An expression of one operation, rounded in a mode. */
#define MODE(mode, type, expression) \
    (fesetround(mode), rounded_##type = (expression), fesetround(FE_TONEAREST), rounded_##type)
static volatile float rounded_f32;
static volatile double rounded_f64;

/* Sources are read through volatile, so that no compiler moves an operation out of its rounding
 * mode. */
#define R1(id, form, R, A, ...)                                  \
    static uint64_t ref_##id(const uint64_t *v)                  \
    {                                                            \
        MAYBE_UNUSED const volatile type_##A a = from_##A(v[0]); \
        return to_##R(__VA_ARGS__);                              \
    }
#define R2(id, form, R, A, B, ...)                               \
    static uint64_t ref_##id(const uint64_t *v)                  \
    {                                                            \
        MAYBE_UNUSED const volatile type_##A a = from_##A(v[0]); \
        MAYBE_UNUSED const volatile type_##B b = from_##B(v[1]); \
        return to_##R(__VA_ARGS__);                              \
    }
#define R3(id, form, R, A, B, C, ...)                            \
    static uint64_t ref_##id(const uint64_t *v)                  \
    {                                                            \
        MAYBE_UNUSED const volatile type_##A a = from_##A(v[0]); \
        MAYBE_UNUSED const volatile type_##B b = from_##B(v[1]); \
        MAYBE_UNUSED const volatile type_##C c = from_##C(v[2]); \
        return to_##R(__VA_ARGS__);                              \
    }
#define R4(id, form, R, A, B, C, E, ...)                         \
    static uint64_t ref_##id(const uint64_t *v)                  \
    {                                                            \
        MAYBE_UNUSED const volatile type_##A a = from_##A(v[0]); \
        MAYBE_UNUSED const volatile type_##B b = from_##B(v[1]); \
        MAYBE_UNUSED const volatile type_##C c = from_##C(v[2]); \
        MAYBE_UNUSED const volatile type_##E e = from_##E(v[3]); \
        return to_##R(__VA_ARGS__);                              \
    }
#define N1(id, form, R, A, value, tolerance)                \
    static double near_##id(const uint64_t *v, double *out) \
    {                                                       \
        const type_##A a = from_##A(v[0]);                  \
        *out = (value);                                     \
        return (tolerance);                                 \
    }
#include "simt_alu.def"
#undef R1
#undef R2
#undef R3
#undef R4
#undef N1

enum result { IS_INT, IS_S16, IS_F32, IS_F64 };
#define RESULT_u8 IS_INT
#define RESULT_s8 IS_INT
#define RESULT_u16 IS_S16
#define RESULT_s16 IS_S16
#define RESULT_u32 IS_INT
#define RESULT_s32 IS_INT
#define RESULT_u64 IS_INT
#define RESULT_s64 IS_INT
#define RESULT_f32 IS_F32
#define RESULT_f64 IS_F64
#define RESULT_pred IS_INT

static const struct reference {
    const char *form;
    enum result result;
    uint64_t (*exact)(const uint64_t *v);
    double (*near)(const uint64_t *v, double *out);
} references[] = {
#define R1(id, form, R, ...) {form, RESULT_##R, ref_##id, NULL},
#define R2 R1
#define R3 R1
#define R4 R1
#define N1(id, form, R, ...) {form, RESULT_##R, NULL, near_##id},
#include "simt_alu.def"
};

/* ---- comparing ---- */

static bool same(enum result kind, uint64_t a, uint64_t b)
{
    switch (kind) {
    case IS_S16:
        return (uint16_t) a == (uint16_t) b; /* above 16 bits anything may stand */
    case IS_F32:
        return a == b || (isnan(from_f32(a)) && isnan(from_f32(b)));
    case IS_F64:
        return a == b || (isnan(from_f64(a)) && isnan(from_f64(b)));
    default:
        return a == b;
    }
}

static bool is_near(const struct reference *r, const uint64_t *v, uint64_t got)
{
    double want, tolerance = r->near(v, &want);
    const double x = r->result == IS_F64 ? from_f64(got) : from_f32(got);
    const double as_float = r->result == IS_F64 ? want : (float) want;
    if (isnan(want) || isnan(x))
        return isnan(want) && isnan(x);
    if (x == as_float)
        return signbit(x) == signbit(as_float) || x != 0;
    return fabs(x - want) <= tolerance + (r->result == IS_F32 ? 0x1p-149 : 0);
}

static void check(const struct reference *r, const struct simt_ops *ops, const struct trial *t)
{
    struct lanes out;
    run(&out, ops, t);
    for (unsigned i = 0; i < LANES; i++) {
        const uint64_t v[4] = {t->in[0].v[i], t->in[1].v[i], t->in[2].v[i], t->in[3].v[i]};
        const uint64_t want = !is_on(t, i) ? before(t, i) : r->exact ? r->exact(v) : 0;
        const bool ok = is_on(t, i) && r->near
                            ? is_near(r, v, out.v[i])
                            : same(is_on(t, i) ? r->result : IS_INT, out.v[i], want);
        if (!ok)
            TEST_FAIL_("%s, %s, lane %u%s: of %#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ", %#" PRIx64
                       " came %#" PRIx64 ", not %#" PRIx64,
                       r->form, ops->isa, i, is_on(t, i) ? "" : " (off)", v[0], v[1], v[2], v[3],
                       out.v[i], want);
    }
}

/* ---- forms ---- */

static bool add_name(struct simt_form *f, const char *name, size_t len)
{
    for (unsigned i = 1; i < PTX_TYPES; i++)
        if (strlen(ptx_types[i].text) == len && !memcmp(ptx_types[i].text, name, len)) {
            f->types[f->type_count++] = (uint8_t) i;
            return true;
        }
    for (unsigned i = 1; i < PTX_MODS; i++)
        if (strlen(ptx_mod_names[i]) == len && !memcmp(ptx_mod_names[i], name, len)) {
            f->mods[f->mod_count++] = (uint16_t) i;
            return true;
        }
    return false;
}

static enum simt_op find(const char *text)
{
    struct simt_form f = {0};
    const size_t len = strcspn(text, ".");
    for (unsigned i = 1; i < PTX_OPS; i++)
        if (strlen(ptx_op_names[i]) == len && !memcmp(ptx_op_names[i], text, len))
            f.op = (uint16_t) i;
    for (const char *at = text + len; *at == '.'; at += strcspn(at, ".")) {
        at++;
        REQUIRE(add_name(&f, at, strcspn(at, ".")));
    }
    const enum simt_op op = simt_row_find(&f);
    if (op == SIMT_OPS)
        TEST_FAIL_("no row is %s", text);
    return op;
}

/* ---- tests ---- */

static const char *const isas[] = {"baseline", "x86-64-v3", "x86-64-v4"};

static void test_forms_are_known_and_unique(void)
{
    const char *bad = NULL;
    REQUIRE_INT(simt_row_forms(&bad), >, 500);
    if (bad)
        TEST_FAIL_("form: %s", bad);
}

static void test_modifiers_are_a_set(void)
{
    REQUIRE_INT(find("lg2.approx.f32.ftz"), ==, find("lg2.approx.ftz.f32"));
    REQUIRE_INT(find("lg2.approx.f32"), !=, find("lg2.approx.ftz.f32"));
}

static void test_rows_compute_what_ptx_says(void)
{
    for (size_t k = 0; k < ARRAY_LEN(isas); k++) {
        const struct simt_ops *ops = simt_ops_of(isas[k]);
        for (size_t i = 0; ops && i < ARRAY_LEN(references); i++)
            for (unsigned round = 0; round < ROUNDS; round++) {
                struct trial t;
                make_trial(&t, find(references[i].form), round);
                check(&references[i], ops, &t);
            }
        printf("  %s%s\n", isas[k], ops ? "" : ": not on this processor");
    }
}

/* Bits of a NaN are the processor's choice among its sources. */
static bool agree(unsigned bits, uint64_t a, uint64_t b)
{
    return a == b || (bits == 32 && same(IS_F32, a, b)) || (bits == 64 && same(IS_F64, a, b));
}

static void compare_builds(enum simt_op op, const struct simt_ops *one,
                           const struct simt_ops *other)
{
    const unsigned bits = simt_row(op)->bits[0];
    for (unsigned round = 0; bits && round < ROUNDS / 3; round++) {
        struct trial t;
        struct lanes a, b;
        make_trial(&t, op, round);
        run(&a, one, &t);
        run(&b, other, &t);
        for (unsigned i = 0; i < LANES; i++) {
            if (!agree(bits, a.v[i], b.v[i]))
                TEST_FAIL_("%s: lane %u is %#" PRIx64 " in %s, %#" PRIx64 " in %s",
                           simt_op_names[op], i, a.v[i], one->isa, b.v[i], other->isa);
            if (!is_on(&t, i) && a.v[i] != before(&t, i))
                TEST_FAIL_("%s: lane %u is off and changed", simt_op_names[op], i);
        }
    }
}

static void test_builds_agree_and_leave_lanes_that_are_off(void)
{
    for (size_t k = 0; k < ARRAY_LEN(isas); k++)
        for (unsigned op = 0; simt_ops_of(isas[k]) && op < SIMT_OPS; op++)
            compare_builds((enum simt_op) op, simt_ops_of("baseline"), simt_ops_of(isas[k]));
}

static void test_lop3_of_every_table(void)
{
    for (unsigned table = 0; table < 256; table++) {
        struct trial t;
        struct lanes out;
        make_trial(&t, find("lop3.b32"), 0);
        t.imm = table;
        run(&out, simt_ops(), &t);
        for (unsigned i = 0; i < LANES; i++)
            for (unsigned bit = 0; bit < 32; bit++) {
                const unsigned at = (t.in[0].v[i] >> bit & 1) << 2 |
                                    (t.in[1].v[i] >> bit & 1) << 1 | (t.in[2].v[i] >> bit & 1);
                REQUIRE_INT(out.v[i] >> bit & 1, ==, table >> at & 1);
            }
    }
}

static void test_rounding_mode_is_put_back(void)
{
    struct trial t;
    struct lanes out;
    make_trial(&t, find("add.rp.f64"), 0);
    run(&out, simt_ops(), &t);
    REQUIRE_INT(fegetround(), ==, FE_TONEAREST);
    const volatile double third = 3;
    REQUIRE(1 / third < 0x1.5555555555556p-2);
}

static void test_unknown_isa_falls_back_to_the_best(void)
{
    setenv("RUNCU_CPU_ISA", "pdp-11", 1);
    const char *best = simt_ops()->isa;
    unsetenv("RUNCU_CPU_ISA");
    REQUIRE_STR(best, simt_ops()->isa);
    setenv("RUNCU_CPU_ISA", "baseline", 1);
    REQUIRE_STR(simt_ops()->isa, "baseline");
}

int main(void)
{
    RUN(test_forms_are_known_and_unique);
    RUN(test_modifiers_are_a_set);
    RUN(test_rows_compute_what_ptx_says);
    RUN(test_builds_agree_and_leave_lanes_that_are_off);
    RUN(test_lop3_of_every_table);
    RUN(test_rounding_mode_is_put_back);
    RUN(test_unknown_isa_falls_back_to_the_best);
    return 0;
}

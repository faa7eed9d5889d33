/* Words for faults: names, where an access lies against what is near, source lines, and texts that
 * are too long. */
#include "simt/space.h"
#include "simt/trap.h"
#include "test.h"

static const char *const files[] = {NULL, "add.cu", "inc/vec.cuh"};
static struct ptx_module module = {.files = (const char **) files, .file_count = 3};
static struct simt_space *space;
static struct simt_fault fault;

static struct simt_trap access_at(uint64_t address)
{
    static const struct ptx_func kernel = {.name = "_Z3addPfi"};
    return (struct simt_trap){
        .code = 700,
        .module = &module,
        .kernel = &kernel,
        .block = {1, 2, 3},
        .thread = {4, 5, 6},
        .address = address,
        .width = 4,
    };
}

static const char *describe(const struct simt_trap *t)
{
    simt_trap_describe(&fault, t, space);
    return fault.text;
}

static void place_and_code(void)
{
    struct simt_trap t = access_at(0);
    REQUIRE_STR(
        describe(&t),
        "kernel 'add', block (1,2,3), thread (4,5,6): load of 4 bytes at 0x0, the null pointer.");
    REQUIRE_INT(fault.code, ==, 700);
    REQUIRE(fault.has_place && fault.block[1] == 2 && fault.thread[2] == 6);
    t = (struct simt_trap){.code = 702, .text = "interrupted"};
    REQUIRE_STR(describe(&t), "interrupted.");
    REQUIRE(!fault.has_place);
}

static void kernels_by_the_name_in_the_source(void)
{
    static const char *const names[][2] = {
        {"plain", "'plain'"},           {"_Z1k", "'k'"},
        {"_ZN2ns3addEPf", "'ns::add'"}, {"_ZN12_GLOBAL__N_11kEv", "'(anonymous)::k'"},
        {"_ZN4axpyIfEEvT_", "'axpy'"},  {"_Z", "'_Z'"},
        {"_Z99short", "'_Z99short'"},   {"_ZN", "'_ZN'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct ptx_func f = {.name = names[i][0]};
        struct simt_trap t = access_at(0);
        t.kernel = &f;
        REQUIRE_IN(names[i][1], describe(&t));
    }
}

static void distance_to_what_is_near(void)
{
    uint64_t p;
    char expected[100];
    REQUIRE(simt_space_alloc(space, 4000, &p) == 0);
    struct simt_trap t = access_at(p + 4008);
    snprintf(expected, sizeof expected,
             ", 8 bytes past the end of the 4000-byte allocation at 0x%" PRIx64 ".", p);
    REQUIRE_IN(expected, describe(&t));
    t = access_at(p + 4000);
    REQUIRE_IN("right past the end of the 4000-byte", describe(&t));
    t = access_at(p + 3999);
    REQUIRE_IN("reaching 3 bytes past the end", describe(&t));
    t = access_at(p - 1);
    t.is_store = true;
    REQUIRE_IN("store of 4 bytes", describe(&t));
    REQUIRE_IN("1 byte before the start of", describe(&t));
    t = access_at((uint64_t) 1 << 60);
    REQUIRE_IN("near no allocation", describe(&t));
    REQUIRE(simt_space_free(space, p) == 0);
    t = access_at(p + 16);
    REQUIRE_IN("inside the 4000-byte allocation at 0x", describe(&t));
    REQUIRE_IN("which has been freed", describe(&t));
}

static void variables_by_name(void)
{
    static _Alignas(16) char memory[64];
    uint64_t at = (uintptr_t) memory;
    struct simt_range range = {.base = at, .size = 16, .kind = SIMT_RANGE_CONST, .name = "table"};
    REQUIRE(simt_space_map(space, &range) == 0);
    struct simt_trap t = access_at(at + 20);
    REQUIRE_IN("4 bytes past the end of the 16-byte constant variable 'table'", describe(&t));
    t = access_at(at + 4);
    t.is_store = true;
    REQUIRE_IN("inside the 16-byte constant variable 'table', which kernels may only read",
               describe(&t));
    REQUIRE(simt_space_unmap(space, at) == 0);
}

static void windows_of_blocks_and_threads(void)
{
    struct simt_trap t = access_at(0x40000000 + 260);
    t.is_shared = true;
    t.window = 0x40000000;
    t.window_size = 256;
    REQUIRE_IN("4 bytes past the end of the 256 bytes of the block's shared memory", describe(&t));
    t.window_size = 0;
    REQUIRE_IN("outside shared memory", describe(&t));
    t = access_at(0x1000 - 8);
    t.is_local = t.is_atomic = true;
    t.window = 0x1000;
    t.window_size = 32;
    REQUIRE_IN("atomic access of 4 bytes", describe(&t));
    REQUIRE_IN("8 bytes before the start of the 32 bytes of the thread's local memory",
               describe(&t));
    t = access_at(0x2002);
    t.code = 716;
    REQUIRE_IN("0x2002, which is not a multiple of 4", describe(&t));
}

static void lines_with_what_they_are_inlined_at(void)
{
    struct ptx_loc outer = {.file = 1, .line = 9}, inner = {2, 5, 3, &outer, "_ZN2ns3getEi"};
    struct ptx_insn in = {.name = "ld.global.f32", .line = 77, .loc = &inner};
    struct simt_trap t = access_at(8);
    t.in = &in;
    REQUIRE_IN(" At inc/vec.cuh:5 in ns::get, inlined at add.cu:9.", describe(&t));
    REQUIRE_IN("(line 77 of the PTX)", describe(&t));
    REQUIRE_INT(fault.ptx_line, ==, 77);
    inner.file = 99;
    REQUIRE_IN("At line:5", describe(&t));
    t.module = NULL;
    describe(&t);
}

static void long_texts_are_cut(void)
{
    static char name[5000];
    memset(name, 'x', sizeof name - 1);
    struct ptx_func f = {.name = name};
    struct simt_trap t = access_at(0);
    t.kernel = &f;
    REQUIRE_INT(strlen(describe(&t)), ==, sizeof fault.text - 1);
}

int main(void)
{
    REQUIRE(simt_space_create(&space) == 0);
    RUN(place_and_code);
    RUN(kernels_by_the_name_in_the_source);
    RUN(distance_to_what_is_near);
    RUN(variables_by_name);
    RUN(windows_of_blocks_and_threads);
    RUN(lines_with_what_they_are_inlined_at);
    RUN(long_texts_are_cut);
    simt_space_destroy(&space);
    return 0;
}

/* Variables of modules: what is known of them, and their contents; on the CPU device, or with the
 * argument "cuda" on NVIDIA's driver (77 where there is none). */
#include "base/alloc.h"
#include "program_rig.h"

static const char source[] =
    "namespace ns { __constant__ float table[4][3]; }\n"
    "struct P { float x; int y; };\n"
    "enum Color : unsigned char { RED };\n"
    "__device__ P points[5];\n"
    "__device__ Color colors[3];\n"
    "__constant__ int scalar = 4;\n"
    "__device__ const double third = 1.0 / 3;\n"
    "__device__ float *pointer;\n"
    "__managed__ long long shared_by_all[2];\n"
    "static __device__ unsigned hidden[2];\n"
    "template <class T> __device__ T of[7];\n"
    "__global__ void k(float *out, int i) { out[0] = ns::table[i][2] + scalar + third * hidden[i]\n"
    "    + of<short>[i]; } // the last line ends without a line break";

static const char nameless[] = "__device__ struct { int a, b; } pair[2]; __device__ int x[3];\n"
                               "__global__ void k() {}";

static const char ptx[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
                          ".visible .global .align 4 .f32 one;\n"
                          ".visible .const .align 8 .f64 grid[2][3] = {{1.0, 2.0, 3.0},\n"
                          "    {4.0, 5.0, 6.0}}, two;\n"
                          ".visible .global .align 4 .b8 bytes[16];\n"
                          ".visible .global .align 16 .v4 .f32 vector;\n"
                          ".visible .global .align 8 .u64 link = one;\n"
                          ".visible .entry k()\n{\n ret;\n}\n";

static runcu_module *module_of(const char *text)
{
    runcu_module *m;
    REQUIRE_OK(runcu_module_compile(&m, text, NULL));
    return m;
}

struct expected {
    const char *name, *type, *element;
    int kind;
    size_t item, bytes, dims, shape[3];
    int is_constant;
};

static void check(runcu_module *m, const struct expected *e)
{
    runcu_variable v;
    REQUIRE_OK(runcu_module_get_variable(&v, m, e->name));
    REQUIRE_STR(v.type, e->type);
    REQUIRE_STR(v.element, e->element);
    REQUIRE_INT(v.kind, ==, e->kind);
    REQUIRE_INT(v.item, ==, e->item);
    REQUIRE_INT(v.bytes, ==, e->bytes);
    REQUIRE_INT(v.dims, ==, e->dims);
    for (size_t i = 0; i < v.dims; i++)
        REQUIRE_INT(v.shape[i], ==, e->shape[i]);
    REQUIRE_INT(v.is_constant, ==, e->is_constant);
    REQUIRE(v.address != 0);
}

static void types_are_those_of_the_source(void)
{
    static const struct expected rows[] = {
        {"ns::table", "float [4][3]", "float", RUNCU_PARAM_FLOAT, 4, 48, 2, {4, 3}, 1},
        {"table", "float [4][3]", "float", RUNCU_PARAM_FLOAT, 4, 48, 2, {4, 3}, 1},
        {"points", "P [5]", "P", RUNCU_PARAM_STRUCT, 8, 40, 1, {5}, 0},
        {"colors", "Color [3]", "unsigned char", RUNCU_PARAM_UINT, 1, 3, 1, {3}, 0},
        {"scalar", "int", "int", RUNCU_PARAM_INT, 4, 4, 0, {0}, 1},
        {"third", "const double", "const double", RUNCU_PARAM_FLOAT, 8, 8, 0, {0}, 0},
        {"pointer", "float *", "float *", RUNCU_PARAM_POINTER, 8, 8, 0, {0}, 0},
        {"shared_by_all", "long long [2]", "long long", RUNCU_PARAM_INT, 8, 16, 1, {2}, 0},
        {"hidden", "unsigned int [2]", "unsigned int", RUNCU_PARAM_UINT, 4, 8, 1, {2}, 0},
        {"of<short>", "short [7]", "short", RUNCU_PARAM_INT, 2, 14, 1, {7}, 0},
    };
    runcu_module *m = module_of(source);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(m, &rows[i]);
    runcu_module_release(&m);
}

static void a_type_without_a_name_does_not_hide_the_others(void)
{
    static const struct expected pair = {"pair", "", "", RUNCU_PARAM_UNKNOWN, 1, 16, 1, {16}, 0},
                                 x = {"x", "int [3]", "int", RUNCU_PARAM_INT, 4, 12, 1, {3}, 0};
    runcu_module *m = module_of(nameless);
    check(m, &pair);
    check(m, &x);
    check(m, &pair);
    runcu_module_release(&m);
}

static void of_ptx_scalars_and_arrays_that_tell_are_known(void)
{
    static const struct expected rows[] = {
        {"one", "", "", RUNCU_PARAM_FLOAT, 4, 4, 0, {0}, 0},
        {"grid", "", "", RUNCU_PARAM_FLOAT, 8, 48, 2, {2, 3}, 1},
        {"two", "", "", RUNCU_PARAM_FLOAT, 8, 8, 0, {0}, 1},
        {"bytes", "", "", RUNCU_PARAM_UNKNOWN, 1, 16, 1, {16}, 0},
        {"vector", "", "", RUNCU_PARAM_UNKNOWN, 1, 16, 1, {16}, 0},
        {"link", "", "", RUNCU_PARAM_UINT, 8, 8, 0, {0}, 0},
    };
    runcu_module *m;
    REQUIRE_OK(runcu_module_load(&m, ptx, sizeof ptx));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(m, &rows[i]);
    REQUIRE_STR(runcu_module_variable_name(m, 0), "one");
    REQUIRE_STR(runcu_module_variable_name(m, 5), "link");
    REQUIRE(runcu_module_variable_name(m, 6) == NULL);
    runcu_module_release(&m);
}

static void contents_come_and_go_in_any_context(void)
{
    runcu_module *m = module_of(source);
    runcu_context *other;
    float row[3] = {1, 2, 3}, back[12];
    int four;
    REQUIRE_OK(runcu_context_create(&other, runcu_context_device(runcu_module_context(m)), 0));
    REQUIRE_OK(runcu_module_write(m, "ns::table", 3 * sizeof row, row, sizeof row));
    REQUIRE_OK(runcu_module_read(back, m, "table", 0, sizeof back));
    REQUIRE_OK(runcu_module_read(&four, m, "scalar", 0, sizeof four));
    REQUIRE_INT(back[8], ==, 0);
    REQUIRE_INT(back[11], ==, 3);
    REQUIRE_INT(four, ==, 4);
    REQUIRE_OK(runcu_context_detach(other));
    runcu_context_release(&other);
    runcu_module_release(&m);
}

static void memory_runs_out(void)
{
    runcu_variable v;
    int status = -1;
    for (size_t n = 1; status; n++) {
        runcu_module *m = module_of("__constant__ float k[3];");
        alloc_fail_at(n);
        status = runcu_module_get_variable(&v, m, "k");
        alloc_fail_at(0);
        REQUIRE(!status || status == RUNCU_ERROR_MEMORY || status == RUNCU_ERROR_DRIVER);
        if (!status && !*v.type) /* without the compiler's answer it is bytes */
            status = RUNCU_ERROR_MEMORY;
        REQUIRE(status || v.dims == 1);
        runcu_module_release(&m);
        REQUIRE_INT(n, <, 5000);
    }
    REQUIRE_INT(v.shape[0], ==, 3);
}

static void what_leaves_the_variable_is_refused(void)
{
    runcu_module *m = module_of(source);
    runcu_variable v;
    char bytes[64] = {0};
    REQUIRE_INT(runcu_module_write(m, "scalar", 0, bytes, 5), ==, RUNCU_ERROR_ARGUMENT);
    REQUIRE_IN("scalar", runcu_error_text());
    REQUIRE_INT(runcu_module_write(m, "scalar", 5, bytes, 0), ==, RUNCU_ERROR_ARGUMENT);
    REQUIRE_INT(runcu_module_read(bytes, m, "scalar", 1, (size_t) -1), ==, RUNCU_ERROR_ARGUMENT);
    REQUIRE_OK(runcu_module_write(m, "scalar", 4, bytes, 0));
    REQUIRE_INT(runcu_module_read(bytes, m, "nothing", 0, 1), ==, RUNCU_ERROR_NAME);
    REQUIRE_INT(runcu_module_get_variable(&v, m, "k"), ==, RUNCU_ERROR_NAME);
    REQUIRE_IN("scalar", runcu_error_text());
    runcu_module_release(&m);
}

int main(int argc, char **argv)
{
    rig_start(1);
    if (runcu_init(argc > 1 ? argv[1] : "cpu") != 0) {
        rig_end();
        return TEST_SKIPPED;
    }
    RUN(types_are_those_of_the_source);
    RUN(a_type_without_a_name_does_not_hide_the_others);
    RUN(of_ptx_scalars_and_arrays_that_tell_are_known);
    RUN(contents_come_and_go_in_any_context);
    RUN(what_leaves_the_variable_is_refused);
    RUN(memory_runs_out);
    rig_end();
    return 0;
}

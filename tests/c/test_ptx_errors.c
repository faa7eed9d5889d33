/* PTX that is refused: where, and what the message says. Nothing here may crash, hang or leak. */
#include "ptx_rig.h"

/* The statements, which begin on line 6, are refused in that line. */
static void refused_in_body(const char *statements, uint32_t column, const char *part)
{
    struct str text = {0};
    str_add(&text, HEAD ".entry k(.param .u64 a) {\n" REGISTERS);
    str_add(&text, statements);
    str_add(&text, "\n}");
    refused(str_text(&text), 6, column, part);
    str_fini(&text);
}

/* ---- text ---- */

static void not_ptx_at_all(void)
{
    refused("", 1, 1, "no PTX");
    refused("// only a comment", 1, 18, "no PTX");
    refused("hello", 1, 1, "must begin with .version");
    refused(".version 8.0\n.entry k() { ret; }", 2, 1, ".target must follow");
    refused(".version eight", 1, 10, "such as 8.4");
    refused(".version 8.0 .target gtx", 1, 22, "no target such as sm_75");
    refused(".version 8.0 .target sm_75 .address_size 32", 1, 42, "address_size 64");
    refused(HEAD "\x7f"
                 "ELF",
            4, 1, "byte 127");
    refused(HEAD "/* never ends", 4, 1, "no end");
    refused(HEAD ".file 1 \"never ends\n", 4, 9, "no end");
    refused(HEAD ".entry k() { ret; }\n#", 5, 1, "'#'");
    refused(HEAD "int x;", 4, 1, "found 'int'");
    refused(HEAD ".visible .nonsense x;", 4, 10, "found '.nonsense'");
}

static void a_text_that_ends_early(void)
{
    const char *text = BODY("{ .param .b64 p; @%p1 st.param.b64 [p+0], (1+2); L: bra L; }");
    /* Every proper prefix is either refused or a module that lacks the kernel; none is read past
     * its end. */
    for (size_t len = 0; len + 1 < strlen(text); len++) {
        char *prefix = alloc_copy(text, len + !len);
        struct ptx_module *m;
        struct ptx_diag diag;
        REQUIRE(prefix);
        if (ptx_parse(&m, prefix, len, &diag) == 0)
            REQUIRE(!ptx_find_func(m, "k"));
        else
            REQUIRE(!m && diag.message[0] && diag.line > 0);
        ptx_destroy(&m);
        alloc_free(prefix);
    }
}

static void numbers(void)
{
    refused_in_body("mov.u32 %r1, 0x;", 14, "without digits");
    refused_in_body("mov.u32 %r1, 12z;", 14, "'z' is no digit");
    refused_in_body("mov.u32 %r1, 09;", 14, "base 8");
    refused_in_body("mov.u64 %d1, 18446744073709551616;", 14, "64 bits");
    refused_in_body("mov.f32 %f1, 0f3F80000;", 14, "8 hexadecimal digits");
    refused_in_body("mov.f64 %g1, 0d3F;", 14, "16 hexadecimal digits");
    refused_in_body("mov.u32 %r1, 1 / (2 - 2);", 25, "division by zero");
    refused_in_body("mov.u32 %r1, 1 + 0f3F800000;", 16, "only integers");
    refused_in_body("mov.u32 %r1, 1 +;", 17, "expected a constant, found ';'");
    refused_in_body("mov.u32 %r1, (1;", 16, "expected ')'");
}

/* ---- names ---- */

static void names(void)
{
    refused_in_body("add.s32 %r1, %q2, 1;", 14, "'%q2' is not declared");
    refused_in_body("add.s32 %r1, %r9, 1;", 14, "'%r9' is not declared");
    refused_in_body("add.s32 %r1, %r01, 1;", 14, "'%r01' is not declared");
    refused_in_body("{ .reg .b32 t; } mov.b32 %r1, t;", 31, "'t' is not declared");
    refused_in_body(".reg .b32 t; .reg .f32 t;", 24, "'t' is declared twice");
    refused_in_body(".reg .b32 %r<3>;", 11, "'%r' is declared twice");
    refused_in_body(".reg .b32 %tid;", 11, "special register");
    refused_in_body("bra NOWHERE;", 5, "no label 'NOWHERE' in 'k'");
    refused_in_body("{ IN: } bra IN;", 13, "no label 'IN'");
    refused_in_body("L: L:", 4, "'L' is declared twice");
    refused_in_body("@%r1 ret;", 2, "no predicate register");
    refused_in_body("@%p1 }", 6, "expected an instruction");
    refused_in_body("mov.u32 %r1, %laneid.x;", 14, "no such component");
    refused_in_body("mov.u32 %r1, %tid.q;", 18, "'.q' is no component");
    refused_in_body("call nobody;", 6, "'nobody' is not declared");
    refused(HEAD ".entry k() { ret; }\n.entry k() { ret; }", 5, 8, "defined twice");
    refused(HEAD ".func f ();\n.entry f() { ret; }", 5, 8, "both .entry and .func");
    refused(HEAD ".global .u32 x;\n.global .u64 x;", 5, 14, "declared differently on line 4");
    refused(HEAD ".global .u32 x;\n.func x ();", 5, 7, "declared twice");
    refused(HEAD ".func f (.param .b32 a);\n.func f (.param .b64 a) { ret; }", 5, 7, "on line 4");
}

/* ---- declarations ---- */

static void declarations(void)
{
    refused(HEAD ".global x;", 4, 9, "expected a type");
    refused(HEAD ".global .pred p;", 4, 15, "only registers");
    refused(HEAD ".global .b32 x[0];", 4, 16, "cannot have 0 elements");
    refused(HEAD ".global .b32 x[4][];", 4, 19, "only the first dimension");
    refused(HEAD ".global .b32 x[];", 4, 14, "size of 'x' is missing");
    refused(HEAD ".global .b32 x[70368744177664][70368744177664];", 4, 32, "elements");
    refused(HEAD ".global .align 3 .b32 x;", 4, 16, "power of two");
    refused(HEAD ".local .b32 x;", 4, 13, "in a function");
    refused(HEAD ".global .u4 x;", 4, 9, "nothing can be declared");
    refused_in_body(".reg .texref t;", 14, "cannot have the type .texref");
    refused_in_body(".reg .b32 %q<99999999999>;", 14, "number of registers");
    refused_in_body(".tex .u64 t;", 6, "cannot stand in a function");
    refused(HEAD ".entry k(.param .b8 a[40000]) { ret; }", 4, 8, "40000 bytes of parameters");
    refused(HEAD ".entry k(.b32 a) { ret; }", 4, 10, ".param or .reg");
    refused(HEAD ".entry k() .maxntid 1, 2, 3, 4 { ret; }", 4, 28, "directive of the function");
    refused(HEAD ".entry k() .maxntid -1 { ret; }", 4, 21, "between 0 and");
}

static void initialisers(void)
{
    refused(HEAD ".shared .u32 x = 3;", 4, 18, "only .global and .const");
    refused(HEAD ".global .u32 x[2] = 3;", 4, 21, "must stand in braces");
    refused(HEAD ".global .u32 x[2] = {1, 2, 3};", 4, 28, "more initialisers than elements");
    refused(HEAD ".global .u32 x[2] = {{1}, 2};", 4, 22, "more initialisers than elements");
    refused(HEAD ".global .u32 x = 1.5;", 4, 18, "does not fit the type .u32");
    refused(HEAD ".global .u64 x = y;", 4, 18, "'y' is no variable");
    refused(HEAD ".global .u32 y;\n.global .b8 x = y;", 5, 17, "does not fit");
    refused(HEAD ".global .u32 y;\n.global .b8 x = 0x7f(y);", 5, 17, "one byte of ones");
    refused(HEAD ".global .u32 x[536870912] = {1};", 4, 29, "exceed");
    refused(HEAD ".global .u32 x[] = {1, 2", 4, 20, "no end");
}

/* ---- instructions ---- */

static void operands_that_do_not_fit(void)
{
    refused_in_body("add.s32 %r1, %r2;", 1, "'add.s32' takes 3 operands, not 2");
    refused_in_body("ret %r1;", 1, "takes 0 operands");
    refused_in_body("add.s32 %d1, %r2, 1;", 9,
                    "operand 1 of 'add.s32' ('%d1', a register of type .b64)");
    refused_in_body("add.s32 %r1, %f2, 1;", 14, "must be a value of type .s32");
    refused_in_body("add.f32 %f1, %f2, 1;", 19, "must be a value of type .f32");
    refused_in_body("add.s32 5, %r1, %r2;", 9, "must be a register of type .s32");
    refused_in_body("and.pred %p1, %p2, %r1;", 20, "must be a value of type .pred");
    refused_in_body("ld.global.v2.f32 %f1, [%d1];", 18, "a vector of 2 of type .f32");
    refused_in_body("ld.global.f32 %f1, %d1;", 20, "an address in brackets");
    refused_in_body("ld.global.f64 %f1, [%d1];", 15, "must be a register of type .f64");
    refused_in_body("ld.global.f32 %f1, [%f2];", 20, "an address in brackets");
    refused_in_body("ld.global.u32 %r1, [a];", 20, "'a' is a .param variable");
    refused_in_body("mov.b64 {%r1, %r2, %r3}, %d1;", 9, "operand 1");
    refused_in_body("mul.wide.s32 %r1, %r2, %r3;", 14, "type .s64");
    refused_in_body("setp.eq.s32 %r1, %r2, %r3;", 13, "type .pred");
    refused_in_body("bra 5;", 5, "a label");
    refused_in_body("elect.sync %r1, -1;", 12, "d|p");
    refused_in_body("lop3.b32 %r1, %r2, %r3, %r4, %r5;", 30, "an integer constant");
    refused_in_body("mov.u32 %r1, !%r2;", 14, "only a predicate");
}

static void punctuation(void)
{
    refused_in_body("add.s32 %r1 %r2, 1;", 13, "expected ',' or ';' after an operand, found '%r2'");
    refused_in_body("add.s32 %r1, , 1;", 14, "expected a constant, found ','");
    refused_in_body("ld.global.u32 %r1, [%d1;", 24,
                    "expected ']' after the address that begins in column 20");
    refused_in_body("mov.b64 %d1, {%r1 %r2};", 19, "expected ',' between operands");
    refused_in_body("add.s32 %r1, .b32, 1;", 14, "expected an operand, found '.b32'");
    refused_in_body("5;", 1, "expected a statement, found '5'");
    refused_in_body("@%p1 .reg .b32 t;", 6, "expected an instruction");
    refused_in_body("add. %r1;", 1, "cannot be read");
    refused_in_body("ret; } }", 8, "found '}'");
}

static void calls(void)
{
    const char *head = HEAD ".func (.param .b32 r) f (.param .b64 a);\n.entry k() { .reg .b32 "
                            "%r<3>; .reg .b64 %d<3>;\n";
    static const struct {
        const char *call, *part;
    } cases[] = {
        {"call (%r1), f;", "0 arguments, 'f' has 1"},
        {"call f, (%d1);", "0 results, 'f' has 1"},
        {"call (%r1), f, (%r2);", "'%r2' is 4 bytes here and 8 in 'f'"},
        {"call (%r1), %d1, (%d2);", "must name its prototype"},
        {"call;", "names no function"},
        {"call (%r1), f, %d1;", "expected: call"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str text = {0};
        str_addf(&text, "%s%s }", head, cases[i].call);
        refused(str_text(&text), 6, 1, cases[i].part);
        str_fini(&text);
    }
}

/* ---- hostile texts ---- */

static void repeat(struct str *out, const char *part, unsigned count)
{
    while (count--)
        str_add(out, part);
}

static void nothing_nests_without_limit(void)
{
    static const struct {
        const char *before, *part, *message;
    } cases[] = {
        {BODY("") ".entry d() {", "{", "nested more than"},
        {HEAD ".global .u32 x = ", "(", "nested more than"},
        {HEAD ".global .u32 x = ", "-", "nested more than"},
        {HEAD ".global .u32 x = ", "1?", "nested more than"},
        {HEAD ".global .u32 x[1][1] = ", "{", "more initialisers"},
        {HEAD ".entry k() { .reg .b32 r; mov.b32 r, ", "{", "nested more than"},
        {HEAD ".entry k() { .reg .b32 r; ld.b32 r, [r, ", "[r, ", "nested more than"},
        {HEAD ".entry k() { .reg .b32 r; call r, ", "(", "nested more than"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str text = {0};
        struct ptx_module *m;
        struct ptx_diag diag;
        str_add(&text, cases[i].before);
        repeat(&text, cases[i].part, 1000000);
        REQUIRE(ptx_parse(&m, str_text(&text), text.len, &diag) == -1);
        REQUIRE_IN(cases[i].message, diag.message);
        str_fini(&text);
    }
}

static void long_names_are_cut_in_messages(void)
{
    struct str text = {0};
    struct ptx_module *m;
    struct ptx_diag diag;
    str_add(&text, HEAD);
    repeat(&text, "name\xc3", 100000);
    REQUIRE(ptx_parse(&m, str_text(&text), text.len, &diag) == -1);
    REQUIRE_IN("name\\xc3name", diag.message);
    REQUIRE_INT(strlen(diag.message), <, sizeof diag.message - 1);
    str_clear(&text);
    str_add(&text, HEAD ".entry k() { add");
    repeat(&text, ".s32", 100000);
    str_add(&text, " %r1;");
    REQUIRE(ptx_parse(&m, str_text(&text), text.len, &diag) == -1);
    REQUIRE_IN("cannot be read", diag.message);
    str_fini(&text);
}

/* A failure of any allocation is reported and leaves nothing behind. */
static void memory_may_run_out_anywhere(void)
{
    const char *text = BODY("t: .branchtargets A; A: @%p1 brx.idx %r1, t; { .param .b32 q; "
                            "st.param.b32 [q], 1 + 2; }"
                            ".loc 1 2 3, function_name L, inlined_at 1 2 3\n mov.b64 {%r1, %r2}, "
                            "%d1;") ".file 1 \"f\" .section .debug_str { L: .b8 65,0 } .global "
                                    ".u64 x[2] = {1, 2}; .func g (); .global .u64 y = x;";
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct ptx_module *m;
        struct ptx_diag diag;
        alloc_fail_at(n);
        int status = ptx_parse(&m, text, strlen(text), &diag);
        alloc_fail_at(0);
        if (status == 0) {
            ptx_destroy(&m);
            break;
        }
        REQUIRE(!m);
        REQUIRE_IN("out of memory", diag.message);
        failures++;
    }
    REQUIRE_INT(failures, >, 20);
}

int main(void)
{
    RUN(not_ptx_at_all);
    RUN(a_text_that_ends_early);
    RUN(numbers);
    RUN(names);
    RUN(declarations);
    RUN(initialisers);
    RUN(operands_that_do_not_fit);
    RUN(punctuation);
    RUN(calls);
    RUN(nothing_nests_without_limit);
    RUN(long_names_are_cut_in_messages);
    RUN(memory_may_run_out_anywhere);
    return 0;
}

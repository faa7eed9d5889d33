/* NVRTC's log, taken apart. The logs here are NVRTC 13.5's own. */
#include "program_rig.h"

#include "core/program.h"

static runcu_program program;
static struct request request;

static void parse(const char *source, const char *log)
{
    struct str clean = {0};
    arena_fini(&program.arena);
    program = (runcu_program){0};
    request = (struct request){.source = source, .name = "my kernel.cu"};
    str_add(&request.path, "/runcu/my kernel.cu");
    REQUIRE(diagnostics_clean(&clean, log, &request));
    program.log = arena_string(&program.arena, str_text(&clean), clean.len);
    REQUIRE(diagnostics_parse(&program, &request));
    str_fini(&clean);
    str_fini(&request.path);
}

static const runcu_diagnostic *at(size_t i)
{
    REQUIRE_INT(i, <, program.diagnostic_count);
    return &program.diagnostics[i];
}

static void places_texts_and_sources(void)
{
    parse("__global__ void k(unsigned *x){ x[0]=y; \n  int q = ;\n int unused; }\n",
          "/runcu/my kernel.cu(1): error: identifier \"y\" is undefined\n"
          "  __global__ void k(unsigned *x){ x[0]=y; \n"
          "                                       ^\n\n"
          "/runcu/my kernel.cu(2): error: expected an expression\n    int q = ;\n            ^\n\n"
          "/runcu/my kernel.cu(3): warning #177-D: variable \"unused\" was declared but never "
          "referenced\n"
          "   int unused; }\n       ^\n\n"
          "Remark: The warnings can be suppressed with \"-diag-suppress <warning-number>\"\n\n"
          "2 errors detected in the compilation of \"/runcu/my kernel.cu\".\n");
    REQUIRE_INT(program.diagnostic_count, ==, 3);
    REQUIRE_INT(at(0)->severity, ==, RUNCU_ERROR);
    REQUIRE_STR(at(0)->file, "my kernel.cu");
    REQUIRE_STR(at(0)->text, "identifier \"y\" is undefined");
    REQUIRE_INT(at(0)->line, ==, 1);
    REQUIRE_INT(at(0)->column, ==, 38);
    REQUIRE_STR(at(0)->source, "__global__ void k(unsigned *x){ x[0]=y; ");
    REQUIRE_STR(at(0)->code, "");
    REQUIRE_INT(at(1)->column, ==, 11);
    REQUIRE_INT(at(2)->severity, ==, RUNCU_WARNING);
    REQUIRE_STR(at(2)->code, "#177-D");
    REQUIRE_STR(at(2)->source, " int unused; }");
    REQUIRE_INT(at(2)->column, ==, 6);
    REQUIRE_STR(program.report, "my kernel.cu:1:38: error: identifier \"y\" is undefined\n"
                                "    __global__ void k(unsigned *x){ x[0]=y; \n"
                                "                                         ^\n"
                                "my kernel.cu:2:11: error: expected an expression\n"
                                "      int q = ;\n"
                                "              ^\n"
                                "my kernel.cu:3:6: warning: variable \"unused\" was declared but "
                                "never referenced [#177-D]\n"
                                "     int unused; }\n"
                                "         ^\n");
    REQUIRE_NOT_IN("/runcu/", program.log);
}

static void lines_that_follow(void)
{
    parse("a\nb\nx[0]=f(1,1);\n",
          "/runcu/my kernel.cu(3): error: more than one instance of overloaded function \"f\" "
          "matches the "
          "argument list:\n"
          "            function \"f(float, int)\" (declared at line 1)\n"
          "            function \"f(int, float)\" (declared at line 1)\n"
          "            argument types are: (int, int)\n"
          "  x[0]=f(1,1);\n       ^\n\n"
          "/runcu/my kernel.cu(1): error: expression must have class type but it has type \"int\"\n"
          "  a\n  ^\n"
          "          detected during instantiation of \"T f(T) [with T=int]\" at line 2\n\n");
    REQUIRE_INT(program.diagnostic_count, ==, 2);
    REQUIRE_STR(at(0)->text,
                "more than one instance of overloaded function \"f\" matches the argument list:\n"
                "function \"f(float, int)\" (declared at line 1)\n"
                "function \"f(int, float)\" (declared at line 1)\nargument types are: (int, int)");
    REQUIRE_INT(at(0)->column, ==, 6);
    REQUIRE_STR(at(0)->source, "x[0]=f(1,1);");
    REQUIRE_STR(at(1)->text, "expression must have class type but it has type \"int\"\n"
                             "detected during instantiation of \"T f(T) [with T=int]\" at line 2");
}

static void other_files_show_the_excerpt(void)
{
    parse("#include \"a(1).h\"\n",
          "/usr/x/a(1).h(12): catastrophic error: #error directive: no\n  #error no\n   ^\n\n");
    REQUIRE_STR(at(0)->file, "/usr/x/a(1).h");
    REQUIRE_INT(at(0)->line, ==, 12);
    REQUIRE_INT(at(0)->severity, ==, RUNCU_ERROR);
    REQUIRE_STR(at(0)->source, "#error no");
    REQUIRE_INT(at(0)->column, ==, 2);
    REQUIRE_STR(at(0)->text, "#error directive: no");
}

static void tools_without_lines(void)
{
    parse("", "ptxas error   : Entry function '_Z1kPf' uses too much shared data (0x445c0 bytes, "
              "0xc000 max)\n");
    REQUIRE_INT(program.diagnostic_count, ==, 1);
    REQUIRE_INT(at(0)->line, ==, 0);
    REQUIRE_STR(at(0)->text,
                "Entry function '_Z1kPf' uses too much shared data (0x445c0 bytes, 0xc000 max)");
    REQUIRE_STR(
        program.report,
        "error: Entry function '_Z1kPf' uses too much shared data (0x445c0 bytes, 0xc000 max)\n");
    parse("", "ptxas application ptx input, line 25; error   : Unknown modifier '.bar'\n"
              "ptxas application ptx input, line 26; error   : Not a name of any known "
              "instruction: 'foo'\n"
              "ptxas fatal   : Ptx assembly aborted due to errors\n");
    REQUIRE_INT(program.diagnostic_count, ==, 3);
    REQUIRE_STR(at(0)->file, "ptxas application ptx input, line 25");
    REQUIRE_STR(at(1)->text, "Not a name of any known instruction: 'foo'");
    REQUIRE_INT(at(2)->severity, ==, RUNCU_ERROR);
    parse("", "nvrtc: error: failed to load builtins\n");
    REQUIRE_STR(at(0)->text, "failed to load builtins");
    parse("", "At end of source: error: expected a \"}\"\n/runcu/my kernel.cu(1): note #3196-D: to "
              "match this \"{\"\n");
    REQUIRE_INT(at(0)->severity, ==, RUNCU_ERROR);
    REQUIRE_INT(at(1)->severity, ==, RUNCU_NOTE);
    REQUIRE_STR(at(1)->code, "#3196-D");
}

static void carets_stand_below_tabs_and_letters(void)
{
    parse("\tx[0]=\ty;\n", "/runcu/my kernel.cu(1): error: identifier \"y\" is undefined\n  "
                           "\tx[0]=\ty;\n  \t     \t^\n\n");
    REQUIRE_INT(at(0)->column, ==, 8);
    REQUIRE_IN("    \tx[0]=\ty;\n    \t     \t^\n", program.report);
    parse("/* \xc3\xa4\xc3\xb6 */ y;\n",
          "/runcu/my kernel.cu(1): error: identifier \"y\" is undefined\n"
          "  /* \xc3\xa4\xc3\xb6 */ y;\n             ^\n\n");
    REQUIRE_INT(at(0)->column, ==, 12);
    REQUIRE_IN("    /* \xc3\xa4\xc3\xb6 */ y;\n             ^\n", program.report);
}

static void strange_logs_do_no_harm(void)
{
    static const char *const logs[] = {"",
                                       "\n",
                                       "\n\n\n",
                                       "error",
                                       "error:",
                                       "(1): error: x",
                                       "a(: error: x",
                                       "a(1): error",
                                       "a(99999999999): error: x\n  ^\n",
                                       "a(1): warning #: x\n",
                                       "   ^\n",
                                       "a(1): error: \n  \n  ^",
                                       "a): error: x(1): error: y\n    \n",
                                       "ptxas ;",
                                       "ptxas ; error : ",
                                       "a(1): error #1-D",
                                       "a(1)\r\n: error: b\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        parse("", logs[i]);
        for (size_t j = 0; j < program.diagnostic_count; j++)
            REQUIRE(at(j)->file && at(j)->text && at(j)->code && at(j)->source);
    }
    parse("", "no message at all, only words\n");
    REQUIRE_INT(program.diagnostic_count, ==, 0);
    REQUIRE_STR(program.report, "no message at all, only words\n");
}

static void every_beginning_of_a_log(void)
{
    const char *whole =
        "/runcu/my kernel.cu(1): error: identifier \"y\" is undefined\n  \tx[0]=\ty;\n  \t     "
        "\t^\n"
        "          detected during f at line 2\n\nRemark: The warnings can be suppressed\n\n"
        "ptxas application ptx input, line 25; error   : Unknown modifier '.bar'\n";
    char part[512];
    for (size_t len = 0; len <= strlen(whole); len++) {
        memcpy(part, whole, len);
        part[len] = 0;
        parse("\tx[0]=\ty;\n", part);
        REQUIRE(program.diagnostic_count <= 2);
    }
}

int main(void)
{
    RUN(places_texts_and_sources);
    RUN(lines_that_follow);
    RUN(other_files_show_the_excerpt);
    RUN(tools_without_lines);
    RUN(carets_stand_below_tabs_and_letters);
    RUN(strange_logs_do_no_harm);
    RUN(every_beginning_of_a_log);
    arena_fini(&program.arena);
    return 0;
}

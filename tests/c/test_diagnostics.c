/* NVRTC's log, taken apart and written again. The logs here are NVRTC 13.5's own; at the end NVRTC
 * itself is asked, where there is one. */
#include "program_rig.h"

#include "base/alloc.h"
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
    REQUIRE_STR(at(1)->text, "expression must have class type but it has type \"int\"");
    REQUIRE_INT(at(1)->instance_count, ==, 1);
    REQUIRE_STR(at(1)->instances[0].text, "instantiation of \"T f(T) [with T=int]\"");
    REQUIRE_STR(at(1)->instances[0].file, "my kernel.cu");
    REQUIRE_INT(at(1)->instances[0].line, ==, 2);
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

static void instances_of_templates(void)
{
    parse("",
          "u.h(1): error: expression must have class type but it has type \"int\"\n"
          "  template<class T> int g2(T x){ return x.yy; }\n"
          "                                        ^\n"
          "          detected during:\n"
          "            instantiation of \"int g2(T) [with T=int]\" at line 2\n"
          "            instantiation of \"int at line 7 of x\" at line 2 of /a b/t of u.h\n"
          "            [ 10 instantiation contexts not shown ]\n"
          "            instantiation of \"int h1(T) [with T=int]\" at line 3 of my kernel.cu\n\n"
          "1 error detected in the compilation of \"/runcu/my kernel.cu\".\n");
    static const struct {
        const char *file, *text;
        uint32_t line;
    } wanted[] = {
        {"u.h", "instantiation of \"int g2(T) [with T=int]\"", 2},
        {"/a b/t of u.h", "instantiation of \"int at line 7 of x\"", 2},
        {"", "[ 10 instantiation contexts not shown ]", 0},
        {"my kernel.cu", "instantiation of \"int h1(T) [with T=int]\"", 3},
    };
    REQUIRE_INT(program.diagnostic_count, ==, 1);
    REQUIRE_INT(at(0)->instance_count, ==, ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        REQUIRE_STR(at(0)->instances[i].file, wanted[i].file);
        REQUIRE_STR(at(0)->instances[i].text, wanted[i].text);
        REQUIRE_INT(at(0)->instances[i].line, ==, wanted[i].line);
    }
    REQUIRE_STR(at(0)->text, "expression must have class type but it has type \"int\"");
    REQUIRE_INT(at(0)->column, ==, 39);
    REQUIRE_IN("                                          ^\n"
               "  in instantiation of \"int g2(T) [with T=int]\" at u.h:2\n",
               program.report);
    REQUIRE_IN("  [ 10 instantiation contexts not shown ]\n", program.report);
}

/* NVRTC tells the way after the last note. */
static void a_note_gives_its_way_up(void)
{
    parse("",
          "a.h(1): error: static assertion failed with \"N is small\"\n"
          "  static_assert(N>3, \"N is small\");\n  ^\n"
          "a.h(1): note #3453-D: the final comparison was 2 > 3\n"
          "  static_assert(N>3, \"N is small\");\n                ^\n"
          "          detected during instantiation of \"void k<N>() [with N=2]\" at line 2\n\n");
    REQUIRE_INT(program.diagnostic_count, ==, 2);
    REQUIRE_INT(at(0)->instance_count, ==, 1);
    REQUIRE_INT(at(0)->instances[0].line, ==, 2);
    REQUIRE_INT(at(1)->severity, ==, RUNCU_NOTE);
    REQUIRE_INT(at(1)->number, ==, 3453);
    REQUIRE_INT(at(1)->instance_count, ==, 0);
}

static void the_limit_of_errors_is_told(void)
{
    parse("x0;\n", "/runcu/my kernel.cu(1): error: identifier \"x0\" is undefined\n  x0;\n  ^\n\n"
                   "Error limit reached.\n100 errors detected in the compilation of \"x\".\n"
                   "Compilation terminated.\n");
    REQUIRE_INT(program.diagnostic_count, ==, 2);
    REQUIRE_INT(at(1)->severity, ==, RUNCU_NOTE);
    REQUIRE_STR(at(1)->text, "Error limit reached.");
    REQUIRE_INT(at(1)->line, ==, 0);
}

static void long_lines_are_cut_around_the_caret(void)
{
    char source[2002], log[4200], a[1001];
    memset(a, 'a', 1000);
    a[1000] = 0;
    snprintf(source, sizeof source, "%syy%.900s\n", a, a);
    snprintf(log, sizeof log,
             "/runcu/my kernel.cu(1): error: identifier \"yy\" is undefined\n  %s  %1000s^\n\n",
             source, "");
    parse(source, log);
    REQUIRE_INT(at(0)->column, ==, 1001);
    REQUIRE_INT(strlen(at(0)->source), ==, 1902);
    const char *excerpt = strchr(program.report, '\n') + 1, *end = strchr(excerpt, '\n');
    REQUIRE_INT(end - excerpt, <, 200);
    REQUIRE(memcmp(excerpt, "    ...a", 8) == 0 && memcmp(end - 3, "...", 3) == 0);
    const char *caret = strchr(end + 1, '^');
    REQUIRE(caret && excerpt[caret - end - 1] == 'y' && excerpt[caret - end - 2] == 'a');
}

/* --- forms ------------------------------------------------------------------ */

static struct str written;

static void append(void *user, const char *text, size_t len)
{
    REQUIRE(user == &written);
    str_addn(&written, text, len);
}

static const char *write_as(int form)
{
    str_clear(&written);
    REQUIRE_OK(runcu_program_write(&program, form, append, &written));
    return str_text(&written);
}

static void forms_of_a_report(void)
{
    parse("x<\xff\xe4>\ty;\n", "/runcu/my kernel.cu(1): error: a & \"b\"\n  x<\xff\xe4>\ty;\n  "
                               "      ^\n\n"
                               "t.h(2): warning #177-D: c\n  \xc3\xa4 d\n     ^\n\n");
    REQUIRE_STR(write_as(RUNCU_REPORT_TEXT), program.report);
    const char *json = write_as(RUNCU_REPORT_JSON);
    REQUIRE_STR(json, "{\"file\": \"my kernel.cu\", \"line\": 1, \"column\": 7, "
                      "\"severity\": \"error\", \"number\": null, \"message\": \"a & \\\"b\\\"\", "
                      "\"source\": \"x<\\ufffd\\ufffd>\\ty;\", \"includes\": [], \"instances\": "
                      "[]}\n"
                      "{\"file\": \"t.h\", \"line\": 2, \"column\": 3, \"severity\": \"warning\", "
                      "\"number\": 177, \"message\": \"c\", \"source\": \"\xc3\xa4 d\", "
                      "\"includes\": [], \"instances\": []}\n");
    const char *html = write_as(RUNCU_REPORT_HTML);
    REQUIRE_IN("<pre class=\"runcu-report\">", html);
    REQUIRE_IN("a &amp; \"b\"", html);
    REQUIRE_IN("x&lt;\xff\xe4&gt;", html);
    REQUIRE_IN("</pre>\n", html);
    const char *color = write_as(RUNCU_REPORT_COLOR);
    REQUIRE_IN("\033[1;31merror\033[0m", color);
    REQUIRE_IN("\033[1;35mwarning\033[0m", color);
    REQUIRE_NOT_IN("\033", program.report);
}

static void forms_without_messages(void)
{
    parse("", "only <words>\n");
    REQUIRE_STR(write_as(RUNCU_REPORT_TEXT), "only <words>\n");
    REQUIRE_STR(write_as(RUNCU_REPORT_HTML),
                "<pre class=\"runcu-report\">only &lt;words&gt;\n</pre>\n");
    REQUIRE_IN("\"message\": \"only <words>\\n\"", write_as(RUNCU_REPORT_JSON));
    parse("", "");
    for (int form = RUNCU_REPORT_TEXT; form <= RUNCU_REPORT_JSON; form++)
        REQUIRE_STR(write_as(form), "");
    REQUIRE_FAILS(runcu_program_write(&program, 4, append, NULL), RUNCU_ERROR_ARGUMENT, "4");
    REQUIRE_FAILS(runcu_program_write(&program, -1, append, NULL), RUNCU_ERROR_ARGUMENT, "-1");
    REQUIRE_FAILS(runcu_program_write(NULL, 0, append, NULL), RUNCU_ERROR_ARGUMENT, "program");
    REQUIRE_FAILS(runcu_program_write(&program, 0, NULL, NULL), RUNCU_ERROR_ARGUMENT, "write");
}

static size_t written_bytes;

static void count_bytes(void *user, const char *text, size_t len)
{
    REQUIRE(user == &written_bytes && text);
    written_bytes += len;
}

static bool parse_and_write(const runcu_header *headers, const char *log)
{
    arena_fini(&program.arena);
    program = (runcu_program){.options = "-I/nowhere\n--use-bundled-headers=/nowhere\n"};
    request = (struct request){.source = "#include \"lib/a.h\"\n", .name = "my.cu"};
    request.params.headers = headers;
    request.params.header_count = 2;
    program.log = log;
    if (!diagnostics_parse(&program, &request))
        return false;
    for (int form = RUNCU_REPORT_TEXT; form <= RUNCU_REPORT_JSON; form++) {
        int status = runcu_program_write(&program, form, count_bytes, &written_bytes);
        REQUIRE(status == 0 || status == RUNCU_ERROR_MEMORY);
        if (status)
            return false;
    }
    return true;
}

static void short_memory(void)
{
    const runcu_header headers[] = {{"lib/a.h", "#include \"b.h\"\n"},
                                    {"lib/b.h", "int b = no;\n"}};
    size_t n = 0;
    bool ok = false;
    while (!ok && n < 10000) {
        alloc_fail_at(++n);
        ok = parse_and_write(
            headers, "b.h(1): error #20: identifier \"no\" is undefined\n  int b = no;\n"
                     "          ^\n          detected during:\n            instantiation of "
                     "\"f\" at line 2\n            instantiation of \"g\" at line 3\n\n");
        alloc_fail_at(0);
    }
    REQUIRE_INT(n, >, 10);
    REQUIRE(ok);
    REQUIRE_STR(at(0)->file, "lib/b.h");
    REQUIRE_INT(at(0)->include_count, ==, 2);
    REQUIRE_INT(at(0)->instance_count, ==, 2);
}

/* --- what NVRTC says -------------------------------------------------------- */

static runcu_program *compiled;

static const runcu_diagnostic *first_of(const char *source, const runcu_program_params *params)
{
    size_t count;
    runcu_program_destroy(&compiled);
    REQUIRE_INT(rig_compile(&compiled, source, params), ==, RUNCU_ERROR_COMPILE);
    const runcu_diagnostic *list = runcu_program_diagnostics(compiled, &count);
    REQUIRE_INT(count, >, 0);
    return list;
}

static void require_way(const runcu_diagnostic *d, size_t i, const char *file, uint32_t line)
{
    REQUIRE_INT(d->include_count, >, i);
    REQUIRE_STR(d->includes[i].file, file);
    REQUIRE_INT(d->includes[i].line, ==, line);
    REQUIRE_STR(d->includes[i].text, "");
}

static void headers_in_memory_tell_who_includes_them(void)
{
    const runcu_header headers[] = {
        {"lib/a.h", "/* #include \"c.h\"\n */\n#include \"b.h\" // x\n"},
        {"lib/b.h", "const char *const s = \"\\\"#include 1\";\n  #  include <c.h>\n"},
        {"c.h", "\n\nint c = missing;\n"},
    };
    runcu_program_params p = {.headers = headers, .header_count = 3, .name = "my.cu"};
    const runcu_diagnostic *d = first_of("\n#include \"lib/a.h\"\n#include \"c.h\"\n", &p);
    REQUIRE_STR(d->file, "c.h");
    REQUIRE_INT(d->line, ==, 3);
    REQUIRE_INT(d->include_count, ==, 3);
    require_way(d, 0, "lib/b.h", 2);
    require_way(d, 1, "lib/a.h", 3);
    require_way(d, 2, "my.cu", 2);
    REQUIRE_IN("In file included from lib/b.h:2,\n                 from lib/a.h:3,\n"
               "                 from my.cu:2:\nc.h:3:9: error: ",
               runcu_program_report(compiled));
    const runcu_header nested[] = {{"lib/a.h", "#include \"b.h\"\n"}, {"lib/b.h", "int b = no;\n"}};
    p = (runcu_program_params){.headers = nested, .header_count = 2};
    d = first_of("#include \"lib/a.h\"\n", &p);
    REQUIRE_STR(d->file, "lib/b.h"); /* NVRTC knows it as b.h */
    require_way(d, 0, "lib/a.h", 1);
}

static void files_tell_who_includes_them(void)
{
    rig_write("inc/sub/u.h", "template <class T> __device__ int g(T x) { return x.y; }\n");
    rig_write("inc/t.h", "#include \"sub/../sub/u.h\"\n");
    rig_write("beside/b.h", "#pragma once\n#include <t.h>\n");
    rig_write("beside/k.cu", "");
    const char *dir = rig_path("inc"), *name = rig_path("beside/k.cu");
    runcu_program_params p = {.include_dirs = &dir, .include_dir_count = 1, .name = name};
    const runcu_diagnostic *d = first_of("#include \"b.h\"\n#include \"b.h\"\n"
                                         "__global__ void k(int *x) { *x = g(3); }\n",
                                         &p);
    REQUIRE_IN("/u.h", d->file);
    REQUIRE_INT(d->include_count, ==, 3);
    require_way(d, 0, rig_path("inc/t.h"), 1);
    require_way(d, 1, rig_path("beside/b.h"), 2);
    require_way(d, 2, name, 1);
    REQUIRE_INT(d->instance_count, ==, 1);
    REQUIRE_STR(d->instances[0].file, name);
    REQUIRE_INT(d->instances[0].line, ==, 3);
}

static void templates_three_deep(void)
{
    const runcu_diagnostic *d =
        first_of("template <class T> __device__ int f3(T x) { return x.y; }\n"
                 "template <class T> __device__ int f2(T x) { return f3(x); }\n"
                 "template <class T> __device__ int f1(T x) { return f2(x); }\n"
                 "__global__ void k(int *p) { *p = f1(3); }\n",
                 NULL);
    REQUIRE_INT(d->instance_count, ==, 3);
    for (uint32_t i = 0; i < 3; i++) {
        REQUIRE_INT(d->instances[i].line, ==, i + 2);
        REQUIRE_STR(d->instances[i].file, "kernel.cu");
        REQUIRE_IN("instantiation of \"int f", d->instances[i].text);
    }
}

/* Where no program is handed out. */
static void failures_keep_what_was_said(void)
{
    size_t count = 7;
    runcu_module *module = NULL;
    runcu_program_params p = {.name = "m.cu", .no_cache = 1};
    REQUIRE_OK(runcu_init("cpu"));
    REQUIRE_FAILS(runcu_module_compile(&module,
                                       "template <class T> __device__ int f(T x) { return x.y; }\n"
                                       "__global__ void k(int *p) { *p = f(3); }\n",
                                       &p),
                  RUNCU_ERROR_COMPILE, "m.cu");
    const runcu_diagnostic *list = runcu_error_diagnostics(&count);
    REQUIRE_INT(count, ==, 1);
    REQUIRE_STR(list->file, "m.cu");
    REQUIRE_INT(list->instance_count, ==, 1);
    REQUIRE_INT(list->instances[0].line, ==, 2);
    REQUIRE_FAILS(runcu_module_compile(NULL, "", NULL), RUNCU_ERROR_ARGUMENT, "");
    REQUIRE(!runcu_error_diagnostics(&count) && count == 0);
    REQUIRE(!runcu_error_diagnostics(NULL));
}

static void other_sorts_of_messages(void)
{
    const runcu_diagnostic *d =
        first_of("#define SQ(x) ((x) * zz)\n#define Q(y) SQ(y)\n__global__ void k(int *p)\n"
                 "{\n\t\tint a;\t*p = Q(3); }\n",
                 NULL);
    REQUIRE_INT(d->line, ==, 5);
    REQUIRE_INT(d->column, ==, 15);
    REQUIRE_IN("zz", d->text);
    d = first_of("\n#include \"nowhere.h\"\n", NULL);
    REQUIRE_INT(d->severity, ==, RUNCU_ERROR);
    REQUIRE_INT(d->line, ==, 2);
    REQUIRE_IN("nowhere.h", d->text);
    d = first_of("__global__ void k() { if (1) {\n", NULL);
    REQUIRE_IN("expected a \"}\"", d->text);
    REQUIRE_STR(d->file, "kernel.cu");
    REQUIRE_INT(d->line, ==, 1);
    runcu_program_params p = {.arch_text = "sm_80", .no_device = 1};
    d = first_of("extern __device__ int g(int);\n__global__ void k(int *p) { *p = g(3); }\n", &p);
    REQUIRE_IN("Unresolved extern function", d->text);
    const char *option = "-Werror=all-warnings";
    p = (runcu_program_params){.options = &option, .option_count = 1};
    d = first_of("__global__ void k() { int unused; }\n", &p);
    REQUIRE_INT(d->severity, ==, RUNCU_ERROR);
    REQUIRE_INT(d->number, ==, 177);
}

static void more_errors_than_anybody_reads(void)
{
    struct str source = {0};
    size_t count, errors = 0;
    str_add(&source, "__global__ void k() {\n");
    for (int i = 0; i < 150; i++)
        str_addf(&source, "x%d = 0;\n", i);
    str_add(&source, "}\n");
    first_of(str_text(&source), NULL);
    REQUIRE_IN("the first of more than 100 errors", runcu_error_text());
    const runcu_diagnostic *list = runcu_program_diagnostics(compiled, &count);
    for (size_t i = 0; i < count; i++)
        errors += list[i].severity == RUNCU_ERROR;
    REQUIRE_INT(errors, ==, 100);
    REQUIRE_INT(list[count - 1].severity, ==, RUNCU_NOTE);
    first_of("__global__ void k() { x; y; }\n", NULL);
    REQUIRE_IN("the first of 2 errors", runcu_error_text());
    str_fini(&source);
}

static void live(void)
{
    rig_start(0);
    RUN(headers_in_memory_tell_who_includes_them);
    RUN(files_tell_who_includes_them);
    RUN(templates_three_deep);
    RUN(failures_keep_what_was_said);
    RUN(other_sorts_of_messages);
    RUN(more_errors_than_anybody_reads);
    runcu_program_destroy(&compiled);
    rig_end();
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
    RUN(instances_of_templates);
    RUN(a_note_gives_its_way_up);
    RUN(the_limit_of_errors_is_told);
    RUN(long_lines_are_cut_around_the_caret);
    RUN(forms_of_a_report);
    RUN(forms_without_messages);
    RUN(short_memory);
    arena_fini(&program.arena);
    str_fini(&written);
    live();
    return 0;
}

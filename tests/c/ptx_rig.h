/* What the tests of the PTX layer share: texts around a few statements, parsed or refused. */
#ifndef TESTS_PTX_RIG_H
#define TESTS_PTX_RIG_H

#include "base/alloc.h"
#include "ptx/ptx.h"
#include "test.h"

#define HEAD ".version 8.0\n.target sm_90\n.address_size 64\n"
/* A kernel whose statements begin on line 6, column 1. */
#define REGISTERS                                                                            \
    ".reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<9>; .reg .b64 %d<9>; .reg .f32 %f<9>; " \
    ".reg .f64 %g<9>;\n"
#define BODY(statements) \
    HEAD ".entry k(.param .u64 a, .param .u32 n) {\n" REGISTERS statements "\nret; }\n"

static inline struct ptx_module *parsed(const char *text)
{
    struct ptx_module *m;
    struct ptx_diag diag;
    if (ptx_parse(&m, text, strlen(text), &diag)) {
        fprintf(stderr, "%s\n%u:%u: %s\n", text, diag.line, diag.column, diag.message);
        exit(1);
    }
    return m;
}

/* The text is refused at this place with a message that holds the part. */
static inline void refused(const char *text, uint32_t line, uint32_t column, const char *part)
{
    struct ptx_module *m;
    struct ptx_diag diag;
    if (ptx_parse(&m, text, strlen(text), &diag) == 0) {
        fprintf(stderr, "not refused (%s):\n%s\n", part, text);
        exit(1);
    }
    REQUIRE(m == NULL);
    REQUIRE_IN(part, diag.message);
    if (diag.line != line || diag.column != column) {
        fprintf(stderr, "%s\nrefused at %u:%u, not %u:%u: %s\n", text, diag.line, diag.column, line,
                column, diag.message);
        exit(1);
    }
}

static inline const struct ptx_insn *insn(const struct ptx_module *m, uint32_t i)
{
    const struct ptx_func *k = ptx_find_func(m, "k");
    REQUIRE(k && k->defined && i < k->insn_count);
    return &k->insns[i];
}

/* An instruction in a kernel prints as it was written. */
static inline void same(const char *statement)
{
    struct str text = {0}, print = {0};
    str_add(&text, HEAD ".entry k(.param .u64 a) {\n" REGISTERS);
    str_add(&text, statement);
    str_add(&text, "\n}");
    struct ptx_module *m = parsed(str_text(&text));
    ptx_print_insn(&print, insn(m, 0));
    REQUIRE_STR(str_text(&print), statement);
    str_fini(&print);
    str_fini(&text);
    ptx_destroy(&m);
}

#endif

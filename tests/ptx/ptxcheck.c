/* Parses, checks and prints PTX files, and compares the tokens of the print with those of the file
 * by a tokeniser of its own, which shares nothing with the library's. Use: ptxcheck [--strict]
 * [--print] FILE...   or   ptxcheck - < list of files Exits 1 if a file fails; names the first
 * token that differs. --strict: an instruction that no form knows fails too. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/ptx.h"

struct reader {
    const char *at, *end;
    unsigned line;
};

struct piece {
    const char *at;
    size_t len;
    unsigned line;
};

static void skip_to(struct reader *r, const char *end)
{
    for (; r->at < end; r->at++)
        r->line += *r->at == '\n';
}

static void skip_space(struct reader *r)
{
    for (;;) {
        const char *at = r->at;
        while (at < r->end && isspace((unsigned char) *at))
            at++;
        if (r->end - at >= 2 && at[0] == '/' && at[1] == '/') {
            while (at < r->end && *at != '\n')
                at++;
        } else if (r->end - at >= 2 && at[0] == '/' && at[1] == '*') {
            for (at += 2; r->end - at >= 2 && (at[0] != '*' || at[1] != '/');)
                at++;
            at = r->end - at >= 2 ? at + 2 : r->end;
        }
        if (at == r->at)
            return;
        skip_to(r, at);
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '$' || c == '%' || (c & 0x80);
}

/* A string, a run of letters and digits, or one other character; empty at the end. */
static struct piece next_piece(struct reader *r)
{
    skip_space(r);
    const char *at = r->at;
    if (at < r->end && *at == '"') {
        for (at++; at < r->end && *at != '"'; at++)
            at += *at == '\\' && at + 1 < r->end;
        at += at < r->end;
    } else if (at < r->end && is_word(*at)) {
        while (at < r->end && is_word(*at))
            at++;
    } else if (at < r->end) {
        at++;
    }
    struct piece piece = {r->at, (size_t) (at - r->at), r->line};
    skip_to(r, at);
    return piece;
}

/* Prints the first difference; false if there is one. */
static bool same_tokens(const char *file, const struct str *text, const struct str *print)
{
    struct reader a = {str_text(text), str_text(text) + text->len, 1};
    struct reader b = {str_text(print), str_text(print) + print->len, 1};
    for (;;) {
        struct piece x = next_piece(&a), y = next_piece(&b);
        if (x.len != y.len || memcmp(x.at, y.at, x.len) != 0) {
            printf("%s:%u: the print has '%.*s' on its line %u instead of '%.*s'\n", file, x.line,
                   (int) y.len, y.at, y.line, (int) x.len, x.at);
            return false;
        }
        if (x.len == 0)
            return true;
    }
}

static bool read_file(struct str *out, const char *file)
{
    FILE *f = fopen(file, "rb");
    if (!f)
        return false;
    char buffer[65536];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0)
        str_addn(out, buffer, n);
    bool read = !ferror(f) && !out->failed;
    fclose(f);
    return read;
}

struct totals {
    size_t files, failed, insns, unknown, bytes;
    bool strict, print;
};

/* False if all instructions must have a form and one has none. */
static bool count_forms(struct totals *t, const char *file, const struct ptx_module *m)
{
    size_t before = t->unknown;
    for (uint32_t i = 0; i < m->func_count; i++) {
        const struct ptx_func *f = m->funcs[i];
        t->insns += f->insn_count;
        for (uint32_t j = 0; j < f->insn_count; j++) {
            t->unknown += !f->insns[j].form;
            if (!f->insns[j].form)
                printf("%s:%u: no form for %s\n", file, f->insns[j].line, f->insns[j].name);
        }
    }
    return !t->strict || t->unknown == before;
}

static bool check_text(struct totals *t, const char *file, const struct str *text)
{
    struct ptx_module *m;
    struct ptx_diag diag;
    if (ptx_parse(&m, str_text(text), text->len, &diag)) {
        printf("%s:%u:%u: %s\n", file, diag.line, diag.column, diag.message);
        return false;
    }
    struct str print = {0};
    ptx_print(&print, m);
    bool known = count_forms(t, file, m);
    ptx_destroy(&m);
    if (t->print)
        fputs(str_text(&print), stdout);
    bool same = !print.failed && same_tokens(file, text, &print);
    str_fini(&print);
    return same && known;
}

static void check_file(struct totals *t, const char *file)
{
    struct str text = {0};
    bool good = read_file(&text, file);
    if (!good)
        printf("%s: cannot be read\n", file);
    t->bytes += text.len;
    t->files++;
    t->failed += !(good && check_text(t, file, &text));
    str_fini(&text);
}

int main(int argc, char **argv)
{
    struct totals t = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0) {
            t.strict = true;
        } else if (strcmp(argv[i], "--print") == 0) {
            t.print = true;
        } else if (strcmp(argv[i], "-") == 0) {
            char line[4096];
            while (fgets(line, sizeof line, stdin)) {
                line[strcspn(line, "\n")] = 0;
                check_file(&t, line);
            }
        } else {
            check_file(&t, argv[i]);
        }
    }
    fprintf(stderr,
            "%zu files, %zu bytes, %zu instructions, %zu without a form, %zu files failed\n",
            t.files, t.bytes, t.insns, t.unknown, t.failed);
    return t.failed != 0 || t.files == 0;
}

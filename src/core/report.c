/* The compiler's messages for people and for editors: as text, with a terminal's colours, as HTML,
 * as JSON. What a message is, diagnostics.c has found out. */
#include "core/report.h"

#include <stdio.h>
#include <string.h>

#include "core/program.h"

enum { MARGIN = 4, WIDEST = 160, BEFORE_CARET = 60 };

/* --- styles ---------------------------------------------------------------- */

static const struct {
    const char *escape, *css;
} styles[STYLE_COUNT] = {
    [STYLE_PLAIN] = {"", ""},
    [STYLE_STRONG] = {"\033[1m", "font-weight:bold"},
    [STYLE_NOTE] = {"\033[1;36m", "font-weight:bold;color:#0a7d8c"},
    [STYLE_REMARK] = {"\033[1;34m", "font-weight:bold;color:#2257a8"},
    [STYLE_WARNING] = {"\033[1;35m", "font-weight:bold;color:#a0469a"},
    [STYLE_ERROR] = {"\033[1;31m", "font-weight:bold;color:#c4262e"},
    [STYLE_CARET] = {"\033[1;32m", "font-weight:bold;color:#2a8a2f"},
};

static const struct {
    const char *word;
    enum style style;
} severities[] = {
    {"", STYLE_PLAIN},          {"note", STYLE_NOTE},   {"remark", STYLE_REMARK},
    {"warning", STYLE_WARNING}, {"error", STYLE_ERROR},
};

/* --- UTF-8 ----------------------------------------------------------------- */

/* Bytes of the character at `p`, 0 if it is not sound. */
static size_t measure_character(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *) text;
    size_t len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    if (!len || (size_t) (end - text) < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool is_short = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    bool is_none = (*p == 0xed && p[1] > 0x9f) || (*p == 0xf4 && p[1] > 0x8f);
    return is_short || is_none ? 0 : len;
}

static size_t count_characters(const char *text, size_t len)
{
    size_t count = 0;
    for (const char *p = text, *end = text + len; p < end; count++)
        p += MAX(measure_character(p, end), 1);
    return count;
}

/* --- texts ----------------------------------------------------------------- */

static void add_html(struct str *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '<')
            str_add(out, "&lt;");
        else if (text[i] == '>')
            str_add(out, "&gt;");
        else if (text[i] == '&')
            str_add(out, "&amp;");
        else
            str_addc(out, text[i]);
}

static void put(struct report_writer *w, enum style style, const char *text, size_t len)
{
    bool is_styled = style != STYLE_PLAIN && len && w->form != RUNCU_REPORT_TEXT;
    bool is_html = w->form == RUNCU_REPORT_HTML;
    if (is_styled && is_html)
        str_addf(&w->out, "<span style=\"%s\">", styles[style].css);
    else if (is_styled)
        str_add(&w->out, styles[style].escape);
    if (is_html)
        add_html(&w->out, text, len);
    else
        str_addn(&w->out, text, len);
    if (is_styled)
        str_add(&w->out, is_html ? "</span>" : "\033[0m");
}

void report_put(struct report_writer *w, enum style style, const char *text)
{
    put(w, style, text, strlen(text));
}

static void put_place(struct report_writer *w, const runcu_step *place, enum style style)
{
    char number[24];
    report_put(w, style, place->file);
    snprintf(number, sizeof number, ":%u", (unsigned) place->line);
    if (place->line)
        report_put(w, style, number);
}

/* Of a long line the part around the caret. */
static void cut(const char *source, size_t column, size_t *start, size_t *end)
{
    size_t len = strlen(source), caret = column ? column - 1 : 0;
    *start = 0;
    *end = len;
    if (len <= WIDEST)
        return;
    if (caret > BEFORE_CARET)
        *start = MIN(caret - BEFORE_CARET, len - WIDEST);
    *end = *start + WIDEST;
    while (*start && ((unsigned char) source[*start] & 0xc0) == 0x80)
        --*start;
    while (*end < len && ((unsigned char) source[*end] & 0xc0) == 0x80)
        ++*end;
}

/* Tabs and letters of several bytes keep the caret where it belongs. */
static void put_source(struct report_writer *w, const runcu_diagnostic *d)
{
    size_t start, end, len = strlen(d->source);
    cut(d->source, d->column, &start, &end);
    report_put(w, STYLE_PLAIN, start ? "    ..." : "    ");
    put(w, STYLE_PLAIN, d->source + start, end - start);
    report_put(w, STYLE_PLAIN, end < len ? "...\n" : "\n");
    if (!d->column || d->column > len + 1 || d->column - 1 < start || d->column - 1 > end)
        return;
    report_put(w, STYLE_PLAIN, start ? "       " : "    ");
    const char *caret = d->source + d->column - 1;
    for (const char *p = d->source + start; p < caret;) {
        report_put(w, STYLE_PLAIN, *p == '\t' ? "\t" : " ");
        p += MAX(measure_character(p, caret), 1);
    }
    report_put(w, STYLE_CARET, "^");
    report_put(w, STYLE_PLAIN, "\n");
}

static void put_includes(struct report_writer *w, const runcu_diagnostic *d)
{
    for (size_t i = 0; i < d->include_count; i++) {
        report_put(w, STYLE_PLAIN, i ? "                 from " : "In file included from ");
        put_place(w, &d->includes[i], STYLE_STRONG);
        report_put(w, STYLE_PLAIN, i + 1 < d->include_count ? ",\n" : ":\n");
    }
}

static void put_instances(struct report_writer *w, const runcu_diagnostic *d)
{
    for (size_t i = 0; i < d->instance_count; i++) {
        const runcu_step *step = &d->instances[i];
        report_put(w, STYLE_PLAIN, step->line ? "  in " : "  ");
        report_put(w, STYLE_PLAIN, step->text);
        if (step->line) {
            report_put(w, STYLE_PLAIN, " at ");
            put_place(w, step, STYLE_STRONG);
        }
        report_put(w, STYLE_PLAIN, "\n");
    }
}

static void put_message(struct report_writer *w, const runcu_diagnostic *d)
{
    const char *text = d->text;
    size_t len = strcspn(text, "\n");
    put(w, d->severity == RUNCU_NOTE ? STYLE_PLAIN : STYLE_STRONG, text, len);
    if (*d->code) {
        report_put(w, STYLE_PLAIN, " [");
        report_put(w, severities[d->severity].style, d->code);
        report_put(w, STYLE_PLAIN, "]");
    }
    report_put(w, STYLE_PLAIN, "\n");
    for (text += len; *text; text += len) {
        len = strcspn(++text, "\n");
        report_put(w, STYLE_PLAIN, "  ");
        put(w, STYLE_PLAIN, text, len);
        report_put(w, STYLE_PLAIN, "\n");
    }
}

static void put_diagnostic(struct report_writer *w, const runcu_diagnostic *d)
{
    char column[24];
    put_includes(w, d);
    put_place(w, &(runcu_step){d->file, d->line, ""}, STYLE_STRONG);
    snprintf(column, sizeof column, ":%u", (unsigned) d->column);
    if (d->line && d->column)
        report_put(w, STYLE_STRONG, column);
    if (*d->file)
        report_put(w, STYLE_STRONG, ": ");
    report_put(w, severities[d->severity].style, severities[d->severity].word);
    report_put(w, severities[d->severity].style, ": ");
    put_message(w, d);
    if (*d->source)
        put_source(w, d);
    put_instances(w, d);
}

static void put_all(struct report_writer *w, const runcu_program *program)
{
    bool is_html = w->form == RUNCU_REPORT_HTML;
    if (is_html && (program->diagnostic_count || (program->log && *program->log)))
        str_add(&w->out, "<pre class=\"runcu-report\">");
    for (size_t i = 0; i < program->diagnostic_count; i++)
        put_diagnostic(w, &program->diagnostics[i]);
    if (!program->diagnostic_count && program->log)
        report_put(w, STYLE_PLAIN, program->log);
    if (is_html && w->out.len)
        str_add(&w->out, "</pre>\n");
}

bool report_make(runcu_program *program)
{
    struct report_writer w = {.form = RUNCU_REPORT_TEXT};
    put_all(&w, program);
    program->report =
        w.out.failed ? NULL : arena_string(&program->arena, str_text(&w.out), w.out.len);
    str_fini(&w.out);
    return program->report != NULL;
}

/* --- JSON ------------------------------------------------------------------ */

void report_add_json(struct str *out, const char *text)
{
    const char *end = text + strlen(text);
    str_addc(out, '"');
    for (size_t len; text < end; text += len) {
        unsigned char c = (unsigned char) *text;
        len = measure_character(text, end);
        if (!len)
            str_add(out, "\\ufffd");
        else if (c == '"' || c == '\\')
            str_addf(out, "\\%c", c);
        else if (c == '\n')
            str_add(out, "\\n");
        else if (c == '\t')
            str_add(out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            str_addf(out, "\\u%04x", c);
        else
            str_addn(out, text, len);
        len = MAX(len, 1);
    }
    str_addc(out, '"');
}

static void add_number(struct str *out, const char *key, size_t number)
{
    if (number)
        str_addf(out, "\"%s\": %zu, ", key, number);
    else
        str_addf(out, "\"%s\": null, ", key);
}

void report_add_member(struct str *out, const char *key, const char *text)
{
    str_addf(out, "\"%s\": ", key);
    report_add_json(out, text);
}

static void add_places(struct str *out, const char *key, const runcu_step *list, size_t count)
{
    str_addf(out, ", \"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        str_add(out, i ? ", {" : "{");
        report_add_member(out, "file", list[i].file);
        str_add(out, ", ");
        add_number(out, "line", list[i].line);
        report_add_member(out, "message", list[i].text);
        str_addc(out, '}');
    }
    str_addc(out, ']');
}

static void add_object(struct str *out, const runcu_diagnostic *d)
{
    size_t before = d->column ? MIN(d->column - 1, strlen(d->source)) : 0;
    str_addc(out, '{');
    report_add_member(out, "file", d->file);
    str_add(out, ", ");
    add_number(out, "line", d->line);
    add_number(out, "column", d->column ? count_characters(d->source, before) + 1 : 0);
    report_add_member(out, "severity", severities[d->severity].word);
    str_add(out, ", ");
    add_number(out, "number", d->number);
    report_add_member(out, "message", d->text);
    str_add(out, ", ");
    report_add_member(out, "source", d->source);
    add_places(out, "includes", d->includes, d->include_count);
    add_places(out, "instances", d->instances, d->instance_count);
    str_add(out, "}\n");
}

/* A log without messages that are understood is one note. */
static void put_objects(struct str *out, const runcu_program *program)
{
    runcu_diagnostic whole = {
        .severity = RUNCU_NOTE, .file = "", .text = program->log, .code = "", .source = ""};
    for (size_t i = 0; i < program->diagnostic_count; i++)
        add_object(out, &program->diagnostics[i]);
    if (!program->diagnostic_count && program->log && *program->log)
        add_object(out, &whole);
}

/* --- the public side ------------------------------------------------------- */

int runcu_program_write(const runcu_program *program, int form, runcu_print_fn *write, void *user)
{
    CORE_NEED(program);
    CORE_NEED(write);
    if (form < RUNCU_REPORT_TEXT || form > RUNCU_REPORT_JSON)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%d is no form of a report: see enum runcu_report",
                          form);
    struct report_writer w = {.form = form};
    if (form == RUNCU_REPORT_JSON)
        put_objects(&w.out, program);
    else
        put_all(&w, program);
    int status = w.out.failed ? runcu_fail_memory() : 0;
    if (!status && w.out.len)
        write(user, w.out.at, w.out.len);
    str_fini(&w.out);
    return status;
}

/* NVRTC's log, read message by message: place, text, source line, caret, the instances of templates
 * on the way. Understands the front end's messages and those of the assembler; what it does not
 * understand stays in the log. report.c writes them again. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/program.h"

struct line {
    const char *at;
    size_t len;
};

static bool next_line(struct line *out, const char **at)
{
    if (!**at)
        return false;
    size_t len = strcspn(*at, "\n");
    *out = (struct line){*at, len};
    *at += len + ((*at)[len] == '\n');
    if (len && out->at[len - 1] == '\r')
        out->len--;
    return true;
}

static bool is_blank(const struct line *line)
{
    for (size_t i = 0; i < line->len; i++)
        if (!isspace((unsigned char) line->at[i]))
            return false;
    return true;
}

static bool begins(const struct line *line, const char *text)
{
    return line->len >= strlen(text) && memcmp(line->at, text, strlen(text)) == 0;
}

static void trim(struct line *line)
{
    while (line->len && isspace((unsigned char) *line->at))
        line->at++, line->len--;
    while (line->len && isspace((unsigned char) line->at[line->len - 1]))
        line->len--;
}

/* --- the first line of a message ----------------------------------------- */

static const struct {
    const char *word;
    int severity;
} severities[] = {
    {"error", RUNCU_ERROR},       {"catastrophic error", RUNCU_ERROR},
    {"fatal error", RUNCU_ERROR}, {"internal error", RUNCU_ERROR},
    {"fatal", RUNCU_ERROR},       {"command-line error", RUNCU_ERROR},
    {"warning", RUNCU_WARNING},   {"remark", RUNCU_REMARK},
    {"info", RUNCU_REMARK},       {"note", RUNCU_NOTE},
};

struct message {
    int severity;
    struct line file, code, text;
    uint32_t number; /* of the line */
    bool is_at_end;  /* of the source: something is missing there */
};

/* "error: text", "warning #177-D: text", "error   : text" */
static bool read_severity(struct message *m, const char *at, const char *end)
{
    for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
        size_t len = strlen(severities[i].word);
        const char *p = at + len;
        if ((size_t) (end - at) <= len || strncmp(at, severities[i].word, len) != 0)
            continue;
        while (p < end && *p == ' ')
            p++;
        const char *code = p;
        if (p < end && *p == '#')
            while (p < end && *p != ':' && *p != ' ')
                p++;
        m->code = (struct line){code, (size_t) (p - code)};
        while (p < end && *p == ' ')
            p++;
        if (p == end || *p != ':')
            continue;
        p += 1 + (p + 1 < end && p[1] == ' ');
        m->severity = severities[i].severity;
        m->text = (struct line){p, (size_t) (end - p)};
        return true;
    }
    return false;
}

/* "file(12): error: …": the last parenthesis before the first "): " with only digits between. */
static bool read_place(struct message *m, const struct line *line)
{
    const char *end = line->at + line->len;
    for (const char *p = line->at; (p = memchr(p, ')', (size_t) (end - p))); p++) {
        const char *digits = p;
        while (digits > line->at && isdigit((unsigned char) digits[-1]))
            digits--;
        if (digits == p || digits == line->at || digits[-1] != '(' || end - p < 3 || p[1] != ':')
            continue;
        if (!read_severity(m, p + 3, end))
            continue;
        m->file = (struct line){line->at, (size_t) (digits - 1 - line->at)};
        m->number = (uint32_t) strtoul(digits, NULL, 10);
        return true;
    }
    return false;
}

/* "nvrtc: error: …", "ptxas error   : …", "At end of source: error: …",
 * "ptxas application ptx input, line 25; error   : …" */
static bool read_tool(struct message *m, const struct line *line)
{
    static const char *const starts[] = {"nvrtc: ", "ptxas ", "At end of source: ", "nvlink ", ""};
    const char *end = line->at + line->len;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (!begins(line, starts[i]))
            continue;
        if (read_severity(m, line->at + strlen(starts[i]), end)) {
            m->is_at_end = starts[i][0] == 'A';
            return true;
        }
    }
    const char *semicolon = begins(line, "ptxas ") ? memchr(line->at, ';', line->len) : NULL;
    if (!semicolon || end - semicolon < 3 || !read_severity(m, semicolon + 2, end))
        return false;
    m->file = (struct line){line->at, (size_t) (semicolon - line->at)};
    return true;
}

static bool read_message(struct message *m, const struct line *line)
{
    *m = (struct message){0};
    if (!line->len || isspace((unsigned char) line->at[0]))
        return false;
    return read_place(m, line) || read_tool(m, line);
}

/* --- the lines that follow ----------------------------------------------- */

static bool is_caret(const struct line *line)
{
    size_t i = 0;
    while (i < line->len && (line->at[i] == ' ' || line->at[i] == '\t'))
        i++;
    return i + 1 == line->len && line->at[i] == '^';
}

static void add_text(struct str *out, const struct line *line)
{
    size_t start = 0;
    while (start < line->len && isspace((unsigned char) line->at[start]))
        start++;
    str_addc(out, '\n');
    str_addn(out, line->at + start, line->len - start);
}

/* What follows a message's first line. */
struct rest {
    struct str text;
    struct line source, trace; /* the trace: its lines, as one piece of the log */
    uint32_t column;
};

static bool begins_trace(const struct line *line)
{
    struct line at = *line;
    trim(&at);
    return begins(&at, "detected during");
}

/* Indented lines belong to the message; of these the last but one is the source if a caret stands
 * below it, and the last ones may be a trace. */
static void read_rest(struct rest *rest, const char **at)
{
    struct line line, held = {0};
    for (const char *p = *at; next_line(&line, &p); *at = p) {
        if (is_blank(&line) || !isspace((unsigned char) line.at[0]))
            break;
        if (rest->trace.at || begins_trace(&line)) {
            const char *start = rest->trace.at ? rest->trace.at : line.at;
            rest->trace = (struct line){start, (size_t) (line.at + line.len - start)};
            continue;
        }
        if (held.at && is_caret(&line)) {
            rest->source = held;
            rest->column = line.len > 2 ? (uint32_t) line.len - 2 : 0;
            held = (struct line){0};
            continue;
        }
        if (held.at)
            add_text(&rest->text, &held);
        held = line;
    }
    if (held.at)
        add_text(&rest->text, &held);
}

static const char *keep(runcu_program *program, const char *at, size_t len)
{
    return arena_string(&program->arena, at ? at : "", at ? len : 0);
}

/* Line `number` of the user's text. */
static struct line find_source(const char *text, uint32_t number)
{
    struct line line = {0};
    const char *at = text;
    for (uint32_t i = 0; i < number; i++)
        if (!next_line(&line, &at))
            return (struct line){0};
    return line;
}

static bool is_own(const struct line *file, const struct request *r)
{
    return file->at && ((file->len == strlen(r->name) && begins(file, r->name)) ||
                        (file->len == r->path.len && begins(file, str_text(&r->path))));
}

/* NVRTC reads name expressions from a file of its own, a line for each behind this. */
static const char name_map[] = "__nv_name_map", name_pragma[] = "#pragma nv_mangled_name ";

/* Of a name expression the user knows its text, and no line. */
static void show_expression(runcu_diagnostic *d, struct line *source)
{
    size_t past = sizeof name_pragma - 1;
    if (!begins(source, name_pragma))
        return;
    *source = (struct line){source->at + past, source->len - past};
    d->column = d->column > past ? d->column - (uint32_t) past : 0;
    d->line = 0;
}

/* --- the way to a message ------------------------------------------------- */

/* "instantiation of "int f(T) [with T=int]" at line 2 of t.h"; without "of" it is in `file`. */
static bool read_step(runcu_step *out, struct arena *arena, const struct line *line,
                      const char *file)
{
    static const char mark[] = " at line ";
    const char *end = line->at + line->len, *found = NULL;
    for (const char *p = line->at; (p = memmem(p, (size_t) (end - p), mark, sizeof mark - 1)); p++)
        found = p;
    size_t len = found ? (size_t) (found - line->at) : line->len;
    *out = (runcu_step){.file = found ? file : "", .text = arena_string(arena, line->at, len)};
    if (found) {
        const char *p = found + sizeof mark - 1;
        for (; p < end && isdigit((unsigned char) *p); p++)
            out->line = out->line * 10 + (uint32_t) (*p - '0');
        if (end - p > 4 && memcmp(p, " of ", 4) == 0)
            out->file = arena_string(arena, p + 4, (size_t) (end - p - 4));
    }
    return out->text && out->file;
}

/* "detected during X at line 2", or "detected during:" and a line for each. */
static bool read_trace(runcu_diagnostic *d, struct arena *arena, const struct line *trace)
{
    static const char start[] = "detected during";
    VEC(runcu_step) list = {0};
    const char *end = trace->at + trace->len;
    bool ok = true;
    for (const char *at = trace->at; ok && at && at < end;) {
        const char *next = memchr(at, '\n', (size_t) (end - at));
        struct line line = {at, (size_t) ((next ? next : end) - at)};
        at = next ? next + 1 : end;
        trim(&line);
        if (begins(&line, start))
            line.at += sizeof start - 1, line.len -= sizeof start - 1;
        if (line.len && *line.at == ':')
            line.at++, line.len--;
        trim(&line);
        runcu_step step;
        if (line.len)
            ok = read_step(&step, arena, &line, d->file) && vec_push(&list, step);
    }
    d->instances = ok ? arena_copy(arena, list.at, list.len * sizeof *list.at) : NULL;
    d->instance_count = list.len;
    vec_fini(&list);
    return d->instances != NULL;
}

/* --- diagnostics ---------------------------------------------------------- */

struct diagnostic_list {
    runcu_diagnostic *at;
    size_t len, cap;
    struct inclusions inclusions; /* made when a header is first blamed */
};

/* Where the whole way is told after the last of some notes, it is that of the message before them.
 */
static void move_trace(struct diagnostic_list *list)
{
    runcu_diagnostic *last = &list->at[list->len - 1], *first = last;
    while (first > list->at && first->severity == RUNCU_NOTE)
        first--;
    if (first == last || first->instance_count)
        return;
    first->instances = last->instances;
    first->instance_count = last->instance_count;
    last->instances = NULL;
    last->instance_count = 0;
}

static struct line choose_source(const struct rest *rest, const struct line *exact)
{
    size_t margin = MIN(2, rest->source.len);
    if (exact->at)
        return *exact;
    return (struct line){rest->source.at ? rest->source.at + margin : NULL,
                         rest->source.len - margin};
}

static uint32_t count_lines(const char *text)
{
    uint32_t count = 1;
    for (; *text; text++)
        count += *text == '\n' && text[1];
    return count;
}

/* The file as the user knows it, and the way to it. */
static bool place(runcu_diagnostic *d, struct diagnostic_list *list, runcu_program *program,
                  const struct request *r, const struct message *m)
{
    if (m->file.at && begins(&m->file, name_map)) {
        d->file = "name expression";
        return true;
    }
    if (m->is_at_end)
        d->line = count_lines(r->source);
    if (m->is_at_end || is_own(&m->file, r)) {
        d->file = keep(program, r->name, strlen(r->name));
        return d->file;
    }
    d->file = keep(program, m->file.at, m->file.len);
    return d->file && (!m->number || included_find(d, &list->inclusions, program, r));
}

static bool add_diagnostic(struct diagnostic_list *list, runcu_program *program,
                           const struct request *r, const struct message *m, const char **at)
{
    struct rest rest = {0};
    runcu_diagnostic d = {.severity = m->severity, .line = m->number};
    str_addn(&rest.text, m->text.at, m->text.len);
    read_rest(&rest, at);
    bool own = is_own(&m->file, r);
    struct line exact = own ? find_source(r->source, m->number) : (struct line){0};
    struct line source = choose_source(&rest, &exact);
    d.column = rest.column;
    if (m->file.at && begins(&m->file, name_map))
        show_expression(&d, &source);
    d.code = keep(program, m->code.at, m->code.len);
    d.number = d.code && *d.code ? (uint32_t) strtoul(d.code + 1, NULL, 10) : 0;
    d.source = keep(program, source.at, source.len);
    d.text = rest.text.failed ? NULL : keep(program, str_text(&rest.text), rest.text.len);
    str_fini(&rest.text);
    bool ok = d.code && d.source && d.text && place(&d, list, program, r, m);
    if (ok && rest.trace.at)
        ok = read_trace(&d, &program->arena, &rest.trace);
    if (!ok || !vec_push(list, d))
        return false;
    if (d.instance_count)
        move_trace(list);
    return true;
}

/* Whatever does not fit a message of its own: that the compiler gave up. */
static bool read_limit(struct message *m, const struct line *line)
{
    if (!begins(line, "Error limit reached."))
        return false;
    *m = (struct message){.severity = RUNCU_NOTE, .text = *line};
    return true;
}

bool diagnostics_parse(runcu_program *program, const struct request *r)
{
    struct diagnostic_list list = {0};
    struct message m;
    struct line line;
    bool ok = true;
    for (const char *at = program->log; ok && next_line(&line, &at);)
        if (read_message(&m, &line) || read_limit(&m, &line))
            ok = add_diagnostic(&list, program, r, &m, &at);
    if (ok && list.len) {
        program->diagnostics = arena_copy(&program->arena, list.at, list.len * sizeof *list.at);
        program->diagnostic_count = list.len;
        ok = program->diagnostics != NULL;
    }
    included_fini(&list.inclusions);
    vec_fini(&list);
    return ok && report_make(program);
}

static bool copy_text(const char **text, struct arena *arena)
{
    *text = arena_string(arena, *text, strlen(*text));
    return *text != NULL;
}

static bool copy_steps(const runcu_step **steps, size_t count, struct arena *arena)
{
    runcu_step *copy = count ? arena_copy(arena, *steps, count * sizeof **steps) : NULL;
    bool ok = copy || !count;
    for (size_t i = 0; ok && i < count; i++)
        ok = copy_text(&copy[i].file, arena) && copy_text(&copy[i].text, arena);
    *steps = copy;
    return ok;
}

runcu_diagnostic *diagnostics_copy(struct arena *arena, const runcu_diagnostic *list, size_t count)
{
    runcu_diagnostic *out = count ? arena_copy(arena, list, count * sizeof *list) : NULL;
    bool ok = out != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        runcu_diagnostic *d = &out[i];
        ok = copy_text(&d->file, arena) && copy_text(&d->text, arena) &&
             copy_text(&d->code, arena) && copy_text(&d->source, arena) &&
             copy_steps(&d->includes, d->include_count, arena) &&
             copy_steps(&d->instances, d->instance_count, arena);
    }
    return ok ? out : NULL;
}

int diagnostics_promote(runcu_program *program, const struct request *r)
{
    const runcu_diagnostic *first = NULL;
    for (size_t i = 0; i < program->diagnostic_count; i++) {
        runcu_diagnostic *d = &program->diagnostics[i];
        if (d->severity != RUNCU_WARNING)
            continue;
        d->severity = RUNCU_ERROR;
        first = first ? first : d;
    }
    if (!first)
        return 0;
    if (!report_make(program))
        return runcu_fail_memory();
    int status = runcu_fail(
        RUNCU_ERROR_COMPILE,
        "%s does not compile: %s(%u): %.*s (a warning, and warnings are errors)", r->name,
        first->file, (unsigned) first->line, (int) strcspn(first->text, "\n"), first->text);
    runcu_fail_detail("%s", program->report);
    core_fail_diagnostics(program->diagnostics, program->diagnostic_count);
    return status;
}

/* --- the log ------------------------------------------------------------- */

/* A macro of ours, defined again by CUDA's headers or the user: nothing that concerns anybody. */
static bool is_about_ours(const char *block, size_t len, const struct request *r)
{
    if (!memmem(block, len, "#47-D", 5))
        return false;
    for (size_t i = 0; i < r->headers.names.len; i++) {
        struct str place = {0};
        str_addf(&place, " of %s)", r->headers.names.at[i]);
        bool found = !place.failed && memmem(block, len, place.at, place.len);
        str_fini(&place);
        if (found)
            return true;
    }
    return false;
}

static void add_replaced(struct str *out, const char *text, size_t len, const struct request *r)
{
    const char *end = text + len, *path = str_text(&r->path);
    for (const char *found;
         r->path.len && (found = memmem(text, (size_t) (end - text), path, r->path.len));
         text = found + r->path.len) {
        str_addn(out, text, (size_t) (found - text));
        str_add(out, r->name);
    }
    str_addn(out, text, (size_t) (end - text));
}

/* Up to the line after the next empty one. */
static size_t measure_block(const char *log)
{
    const char *end = strstr(log, "\n\n");
    return end ? (size_t) (end + 2 - log) : strlen(log);
}

/* NVRTC's hint after the first warning, where no warning is left. */
static void drop_hint(struct str *out)
{
    static const char hint[] = "Remark: The warnings can be suppressed";
    char *start = out->failed || !out->len ? NULL : strstr(out->at, hint);
    if (!start || strstr(out->at, ": warning "))
        return;
    const char *end = start + strcspn(start, "\n");
    end += strspn(end, "\n");
    size_t rest = strlen(end);
    memmove(start, end, rest + 1);
    out->len = (size_t) (start - out->at) + rest;
}

/* What CUDA 12's NVRTC says of old architectures with each source: their devices have no other. */
static const char *skip_farewell(const char *log)
{
    static const char words[] = "nvrtc: warning: Architectures prior to ";
    if (strncmp(log, words, strlen(words)) != 0)
        return log;
    log += strcspn(log, "\n");
    return log + (*log == '\n');
}

bool diagnostics_clean(struct str *out, const char *log, const struct request *r)
{
    log = skip_farewell(log);
    for (size_t len; *log; log += len) {
        len = measure_block(log);
        if (!is_about_ours(log, len, r))
            add_replaced(out, log, len, r);
    }
    drop_hint(out);
    return !out->failed;
}

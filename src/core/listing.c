/* A kernel's PTX instruction by instruction, each with the line of the source that it comes from:
 * PTX ISA 11.5.2 (.file) and 11.5.3 (.loc). The text is read as it is, without knowing
 * instructions. */
#include "core/explain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct file {
    unsigned number;
    const char *name;
};

struct lister {
    struct arena *arena;
    VEC(struct file) files;
    VEC(runcu_ptx_line) lines;
    struct core_span strip; /* the kernel's symbol, in names of its parameters */
    const char *file;
    uint32_t line;
    bool failed;
};

static bool starts(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0;
}

/* --- .file --- */

static const char *shown_name(const char *path, size_t len, struct arena *arena)
{
    size_t hidden = strlen(CORE_VIRTUAL_FOLDER);
    if (len > hidden && memcmp(path, CORE_VIRTUAL_FOLDER, hidden) == 0)
        return arena_string(arena, path + hidden, len - hidden);
    return arena_string(arena, path, len);
}

static void read_files(struct lister *l, const char *ptx)
{
    for (const char *at = ptx; at && *at; at = strchr(at, '\n'), at += at != NULL) {
        at += strspn(at, " \t\n");
        if (!starts(at, ".file"))
            continue;
        char *end;
        struct file f = {.number = (unsigned) strtoul(at + 5, &end, 10)};
        const char *open = end + strspn(end, " \t");
        const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;
        if (!close)
            continue;
        f.name = shown_name(open + 1, (size_t) (close - open - 1), l->arena);
        l->failed |= !f.name || !vec_push(&l->files, f);
        at = close;
    }
}

static const char *file_of(const struct lister *l, unsigned number)
{
    for (size_t i = 0; i < l->files.len; i++)
        if (l->files.at[i].number == number)
            return l->files.at[i].name;
    return "";
}

/* --- statements --- */

/* ".loc 1 7 3": line 0 is nobody's, and what follows belongs to the line before. */
static void read_place(struct lister *l, const char *at)
{
    char *end;
    unsigned file = (unsigned) strtoul(at, &end, 10);
    uint32_t line = (uint32_t) strtoul(end, NULL, 10);
    if (!line)
        return;
    l->file = file_of(l, file);
    l->line = line;
}

static void add_line(struct lister *l, const char *text, size_t len)
{
    struct str clean = {0};
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (strncmp(text + i, l->strip.at, l->strip.len) == 0 &&
            starts(text + i + l->strip.len, "_param_"))
            i += l->strip.len; /* "param_0" is left */
        else if (c == ')' && clean.len && clean.at[clean.len - 1] == ' ')
            clean.at[clean.len - 1] = c;
        else if (!isspace((unsigned char) c))
            str_addc(&clean, c);
        else if (clean.len && clean.at[clean.len - 1] != ' ' && clean.at[clean.len - 1] != '(')
            str_addc(&clean, ' ');
    }
    runcu_ptx_line row = {arena_string(l->arena, str_text(&clean), clean.len), l->file, l->line};
    l->failed |= clean.failed || !row.text || !vec_push(&l->lines, row);
    str_fini(&clean);
}

/* The end of a statement: behind its semicolon, or a label's colon. */
static const char *end_of(const char *at)
{
    for (const char *p = at; *p; p++) {
        if (*p == ';')
            return p + 1;
        if (*p == ':' && p[1] == ':')
            p++;
        else if (*p == ':' && isspace((unsigned char) p[1]))
            return p + 1;
    }
    return at + strlen(at);
}

/* From the opening brace of a body to its partner. */
static void read_body(struct lister *l, const char *at)
{
    int depth = 0;
    do {
        at += strspn(at, " \t\r\n");
        if (*at == '{' || *at == '}') {
            depth += *at++ == '{' ? 1 : -1;
        } else if (starts(at, "//")) {
            at += strcspn(at, "\n");
        } else if (starts(at, ".loc")) {
            read_place(l, at + 4);
            at += strcspn(at, "\n");
        } else if (starts(at, ".pragma") || *at != '.') {
            const char *end = end_of(at);
            if (end > at)
                add_line(l, at, (size_t) (end - at));
            at = end;
        } else { /* a declaration */
            at = end_of(at);
        }
    } while (depth > 0 && *at && !l->failed);
}

/* --- the kernel --- */

/* Behind ".entry SYMBOL", or NULL. */
static const char *find_entry(const char *ptx, const char *symbol)
{
    size_t len = strlen(symbol);
    for (const char *at = ptx; (at = strstr(at, ".entry"));) {
        at += strlen(".entry");
        at += strspn(at, " \t");
        if (strncmp(at, symbol, len) == 0 && (at[len] == '(' || isspace((unsigned char) at[len])))
            return at + len;
    }
    return NULL;
}

/* ".maxntid 256, 1, 1" between `at` and `end`: threads. */
static int read_bounds(const char *at, const char *end)
{
    static const char *const words[] = {".maxntid", ".reqntid"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *found = strstr(at, words[i]);
        if (!found || found > end)
            continue;
        unsigned long threads = 1;
        char *next = (char *) found + strlen(words[i]);
        for (int k = 0; k < 3; k++) {
            char *number = next + strspn(next, " \t,");
            unsigned long extent = strtoul(number, &next, 10);
            if (next == number)
                break;
            threads *= extent;
        }
        return threads <= CORE_MAX_THREADS ? (int) threads : 0;
    }
    return 0;
}

bool core_list_ptx(struct core_listing *out, struct arena *arena, const char *ptx,
                   const char *symbol)
{
    struct lister l = {.arena = arena, .file = "", .strip = {symbol, strlen(symbol)}};
    const char *entry = find_entry(ptx, symbol), *body = entry ? strchr(entry, '{') : NULL;
    *out = (struct core_listing){0};
    if (body) {
        read_files(&l, ptx);
        read_body(&l, body);
        out->launch_bounds = read_bounds(entry, body);
        out->lines = arena_copy(arena, l.lines.at ? l.lines.at : (runcu_ptx_line *) "",
                                l.lines.len * sizeof *l.lines.at);
        out->count = l.lines.len;
        l.failed |= !out->lines;
    }
    vec_fini(&l.files);
    vec_fini(&l.lines);
    return !l.failed;
}

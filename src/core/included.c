/* By which #include a header came in: NVRTC's messages do not say. The texts are read again, only
 * when a message blames a header; comments and quotes are understood, #if is not, and the first way
 * that leads to a file counts. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "core/program.h"

enum { FILE_LIMIT = 64 << 20, MOST_DEPTH = 200, MOST_PATH = 4096 };

/* A text, being read. */
struct text {
    struct inclusions *all;
    const struct request *request;
    const char *at, *folder; /* folder: as scan_text takes it */
    size_t index;            /* in the list */
    uint32_t line;
    int depth;
};

static bool walk(struct text *t);

/* --- what an #include means ----------------------------------------------- */

static bool add(struct text *t, const char *path, const char *name)
{
    struct inclusion i = {path, name, t->index, t->line};
    return vec_push(&t->all->list, i) && map_put(&t->all->seen, path, strlen(path), t->all);
}

static bool go_into(const struct text *t, const char *text, const char *folder)
{
    struct text inner = {.all = t->all,
                         .request = t->request,
                         .at = text,
                         .folder = folder,
                         .index = t->all->list.len - 1,
                         .line = 1,
                         .depth = t->depth + 1};
    return inner.depth > MOST_DEPTH || walk(&inner);
}

static bool is_seen(const struct text *t, const char *path)
{
    return map_get(&t->all->seen, path, strlen(path)) != NULL;
}

static bool try_memory(struct text *t, const char *name, bool *found)
{
    struct scan s = {.own = t->request->params.headers,
                     .own_count = t->request->params.header_count};
    struct own_header own;
    bool ok = own_header_find(&own, &s, name, t->folder);
    *found = ok && own.header;
    if (*found && !is_seen(t, own.header->name)) {
        const char *folder = arena_string(&t->all->arena, own.folder, strlen(own.folder));
        ok = folder && add(t, own.header->name, own.header->name) &&
             go_into(t, own.header->text, folder);
    }
    scan_fini(&s);
    return ok;
}

static bool read_file(struct text *t, const char *path, const char *name)
{
    struct str text = {0};
    const char *slash = strrchr(name, '/');
    const char *folder = arena_string(&t->all->arena, name, slash ? (size_t) (slash - name) : 0);
    bool ok = folder && add(t, path, name);
    if (ok && fs_read(&text, path, FILE_LIMIT) == 0)
        ok = go_into(t, str_text(&text), folder);
    str_fini(&text);
    return ok;
}

/* The path without links and "..", in the arena; NULL if there is no such file or no memory. */
static const char *real_path(struct inclusions *all, const char *path)
{
    char real[PATH_MAX];
    if (!fs_is_file(path) || !realpath(path, real))
        return NULL;
    return arena_string(&all->arena, real, strlen(real));
}

static bool try_folder(struct text *t, const char *folder, const char *name, bool *found)
{
    struct str path = {0};
    if (*name != '/')
        str_addf(&path, "%s/", folder);
    str_add(&path, name);
    const char *real = path.failed ? NULL : real_path(t->all, path.at);
    *found = real != NULL;
    const char *copy = *found ? arena_string(&t->all->arena, path.at, path.len) : NULL;
    str_fini(&path);
    return !*found || (copy && (is_seen(t, real) || read_file(t, real, copy)));
}

static bool include(struct text *t, const char *name, bool is_quoted)
{
    bool found = false;
    if (t->request->params.header_count && !try_memory(t, name, &found))
        return false;
    if (!found && is_quoted && *t->folder == '/' && !try_folder(t, t->folder, name, &found))
        return false;
    for (size_t i = 0; i < t->all->dirs.len && !found; i++)
        if (!try_folder(t, t->all->dirs.at[i], name, &found))
            return false;
    return true;
}

/* --- reading -------------------------------------------------------------- */

static void skip_blanks(struct text *t)
{
    while (*t->at == ' ' || *t->at == '\t')
        t->at++;
}

/* After the # at a line's start. */
static bool read_directive(struct text *t)
{
    static const char *const words[] = {"include_next", "include", "import"};
    bool is_include = false;
    t->at++;
    skip_blanks(t);
    for (size_t i = 0; i < ARRAY_LEN(words) && !is_include; i++)
        if (strncmp(t->at, words[i], strlen(words[i])) == 0) {
            t->at += strlen(words[i]);
            is_include = true;
        }
    skip_blanks(t);
    char close = *t->at == '<' ? '>' : '"';
    if (!is_include || (*t->at != '<' && *t->at != '"'))
        return true;
    const char *start = t->at + 1;
    size_t len = strcspn(start, close == '>' ? ">\n" : "\"\n");
    if (start[len] != close || len >= MOST_PATH)
        return true;
    struct str name = {0};
    str_addn(&name, start, len);
    t->at = start + len + 1;
    bool ok = !name.failed && include(t, str_text(&name), close == '"');
    str_fini(&name);
    return ok;
}

static void skip_comment(struct text *t)
{
    const char *end = strstr(t->at + 2, "*/");
    for (; *t->at && (!end || t->at < end + 2); t->at++)
        t->line += *t->at == '\n';
}

static void skip_quoted(struct text *t)
{
    char quote = *t->at++;
    while (*t->at && *t->at != quote && *t->at != '\n')
        t->at += t->at[0] == '\\' && t->at[1] && t->at[1] != '\n' ? 2 : 1;
    t->at += *t->at == quote;
}

static bool walk(struct text *t)
{
    bool is_start = true, ok = true;
    while (ok && *t->at) {
        char c = *t->at;
        bool was_start = is_start;
        is_start = c == '\n' || (was_start && strchr(" \t\r\f\v", c));
        if (c == '/' && t->at[1] == '*') {
            skip_comment(t);
            is_start = was_start;
        } else if (c == '/' && t->at[1] == '/') {
            t->at += strcspn(t->at, "\n");
        } else if (c == '"' || c == '\'') {
            skip_quoted(t);
        } else if (c == '#' && was_start) {
            ok = read_directive(t);
        } else {
            t->line += c == '\n';
            t->at++;
        }
    }
    return ok;
}

/* --- all of a request ------------------------------------------------------ */

static bool add_dir(struct inclusions *all, const char *start, size_t len, const char *tail)
{
    struct str path = {0};
    str_addn(&path, start, len);
    str_add(&path, tail);
    const char *copy = path.failed ? NULL : arena_string(&all->arena, path.at, path.len);
    str_fini(&path);
    return copy && vec_push(&all->dirs, copy);
}

/* As NVRTC was told them; a worker, or an earlier process, may have told it. */
static bool list_dirs(struct inclusions *all, const char *options)
{
    static const char bundle[] = "--use-bundled-headers=";
    bool ok = true;
    for (const char *at = options ? options : ""; ok && *at;) {
        size_t len = strcspn(at, "\n"), skip = sizeof bundle - 1;
        if (len > 2 && strncmp(at, "-I", 2) == 0)
            ok = add_dir(all, at + 2, len - 2, "");
        else if (len > skip && strncmp(at, bundle, skip) == 0)
            ok = add_dir(all, at + skip, len - skip, "") &&
                 add_dir(all, at + skip, len - skip, "/cccl");
        at += len + (at[len] == '\n');
    }
    return ok;
}

static bool make(struct inclusions *all, const runcu_program *program, const struct request *r)
{
    const char *folder = r->folder ? r->folder : "";
    struct text t = {.all = all, .request = r, .at = r->source, .folder = folder};
    all->is_made = true;
    if (!list_dirs(all, program->options) || !add(&t, str_text(&r->path), r->name))
        return false;
    for (size_t i = 0; i < r->options.pre_includes.len; i++) /* which no line includes */
        if (!include(&t, r->options.pre_includes.at[i], true))
            return false;
    t.line = 1;
    return walk(&t);
}

/* A header in memory may go by another name than its own, by which it was included. */
static const char *own_name(const struct request *r, const char *file)
{
    const char *found = NULL;
    size_t len = strlen(file);
    for (size_t i = 0; i < r->params.header_count; i++) {
        const char *name = r->params.headers[i].name;
        size_t own = strlen(name);
        if (strcmp(name, file) == 0)
            return name;
        if (own > len && name[own - len - 1] == '/' && strcmp(name + own - len, file) == 0)
            found = found ? "" : name; /* of two that end so nobody knows which */
    }
    return found && *found ? found : file;
}

static const struct inclusion *find(const struct inclusions *all, const char *path)
{
    for (size_t i = 1; i < all->list.len; i++)
        if (strcmp(all->list.at[i].path, path) == 0)
            return &all->list.at[i];
    return NULL;
}

static bool list_ways(runcu_diagnostic *d, const struct inclusions *all, struct arena *arena,
                      const struct inclusion *last)
{
    size_t count = 0;
    for (const struct inclusion *i = last; i->line; i = &all->list.at[i->by])
        count++;
    runcu_step *list = arena_alloc(arena, count * sizeof *list + 1);
    for (const struct inclusion *i = last; list && i->line; i = &all->list.at[i->by]) {
        const char *name = all->list.at[i->by].name;
        runcu_step step = {arena_string(arena, name, strlen(name)), i->line, ""};
        if (!step.file)
            return false;
        list[d->include_count++] = step;
    }
    d->includes = list;
    return list != NULL;
}

bool included_find(runcu_diagnostic *d, struct inclusions *all, runcu_program *program,
                   const struct request *r)
{
    const char *path = *d->file == '/' ? real_path(all, d->file) : own_name(r, d->file);
    if (!path || (!all->is_made && !make(all, program, r)))
        return path == NULL;
    const struct inclusion *found = find(all, path);
    if (*d->file != '/' && found)
        d->file = arena_string(&program->arena, path, strlen(path));
    return d->file && (!found || list_ways(d, all, &program->arena, found));
}

void included_fini(struct inclusions *all)
{
    vec_fini(&all->list);
    vec_fini(&all->dirs);
    map_fini(&all->seen);
    arena_fini(&all->arena);
}

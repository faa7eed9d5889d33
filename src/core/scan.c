/* Reads source text as far as includes and the prelude's names go: which files take part, which
 * names are used, which the source defines itself. It skips comments and texts and takes both sides
 * of every #if: too many files only mean that the cache looks at more of them. What only a
 * preprocessor can tell, it says it cannot: then NVRTC is asked (trace.c). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "core/program.h"
#include "core/texts.h"

enum { FILE_LIMIT = 64 << 20 };

enum kind { NONE, WORD, NUMBER, STRING, PUNCT };

struct token {
    enum kind kind;
    const char *at;
    size_t len;
};

struct reader {
    struct scan *scan;
    const char *at, *folder;
    struct token before, last; /* the two tokens before the one being read */
    int name;                  /* a name of text_names, its use not yet understood, or -1 */
    struct token name_before;  /* the token before it, and the one before that */
    struct token name_earlier;
    struct token defined; /* by the #define that is being read, if it is one */
    bool at_line_start, in_directive;
    int in_typedef; /* 1, and 1 more for each brace in it */
    int enum_state; /* 0: no, 1: after the word enum, 2: between its braces */
    int parens;
    bool failed;
};

static bool is_word_char(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '$' || (unsigned char) c >= 0x80;
}

static bool is(const struct token *t, const char *text)
{
    return t->len == strlen(text) && memcmp(t->at, text, t->len) == 0;
}

static bool is_any(const struct token *t, const char *const *words)
{
    for (; *words; words++)
        if (is(t, *words))
            return true;
    return false;
}

static int find_name(const char *at, size_t len)
{
    size_t low = 0, high = text_name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *name = text_names[middle].name;
        int order = strncmp(at, name, len);
        if (order == 0 && name[len])
            order = -1;
        if (order == 0)
            return (int) middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int find_header(const char *name, size_t len)
{
    for (size_t i = 0; i < text_header_count; i++)
        if (strlen(text_headers[i].name) == len && memcmp(text_headers[i].name, name, len) == 0)
            return (int) i;
    return -1;
}

/* --- what a name is there for -------------------------------------------- */

static const char *const type_words[] = {"bool",  "char",    "short", "int",    "long",
                                         "float", "double",  "void",  "signed", "unsigned",
                                         "auto",  "wchar_t", NULL};
static const char *const tag_words[] = {"struct", "class", "union", "enum", "namespace", NULL};
/* Words that a use may follow; after any other word stands a name that is being declared. */
static const char *const other_words[] = {
    "return", "case", "else", "do", "goto", "throw", "new", "delete", "operator", "sizeof",
    "typeof", "alignof", "const", "volatile", "static", "inline", "extern", "register",
    "constexpr", "typename", "template", "typedef", "friend", "virtual", "explicit", "mutable",
    "decltype", "and", "or", "not", "defined", "if", "elif", "ifdef", "ifndef", "elifdef",
    "elifndef", "undef", "__restrict__", "__device__", "__host__", "__global__", "__shared__",
    "__constant__", "__managed__", "__forceinline__", "__noinline__", "__restrict", "__inline__",
    "co_return", "using", NULL};

static bool is_one_of(const struct token *t, const char *characters)
{
    return t->kind == PUNCT && t->len == 1 && strchr(characters, t->at[0]);
}

/* After the typedef's own type, what stands before ; [ , or ) is the new name. */
static bool is_typedef_name(const struct token *before, const struct token *next)
{
    static const char *const parts[] = {"typedef", "const", "volatile", NULL};
    bool follows_type =
        (before->kind == WORD && !is_any(before, parts)) || is_one_of(before, "*&>}");
    return follows_type && is_one_of(next, ";[,)");
}

static bool is_declared(const struct reader *r, const struct token *next)
{
    const struct token *before = &r->name_before;
    if (r->in_directive)
        return is(before, "define");
    if (before->kind == WORD && is_any(before, tag_words))
        return true;
    if (is(before, "using"))
        return is(next, "=");
    if (r->in_typedef == 1)
        return is_typedef_name(before, next);
    if (r->enum_state == 2 && is_one_of(before, "{,"))
        return true;
    if (is_one_of(before, ",") && !r->parens)
        return is_one_of(next, "=[");
    if (is_one_of(before, "*&") && r->name_earlier.kind == WORD &&
        is_any(&r->name_earlier, type_words))
        return is_one_of(next, ";=[,)({");
    if (before->kind != WORD || is_any(before, other_words))
        return false;
    return is_one_of(next, ";=[,)({:") || is_any(before, type_words);
}

/* A member, or something of another namespace: none of ours. */
static bool is_foreign(const struct reader *r)
{
    if (is_one_of(&r->name_before, ".") || is(&r->name_before, "->"))
        return true;
    return is(&r->name_before, "::") &&
           (r->name_earlier.kind == WORD || is_one_of(&r->name_earlier, ">"));
}

static void settle_name(struct reader *r, const struct token *next)
{
    if (r->name < 0)
        return;
    if (!is_foreign(r) && !r->scan->in_toolkit)
        r->scan->names[r->name] |= is_declared(r, next) ? NAME_DEFINED : NAME_USED;
    r->name = -1;
}

/* --- tokens -------------------------------------------------------------- */

static bool splice(const char **at)
{
    const char *p = *at;
    if (*p != '\\' || !(p[1] == '\n' || (p[1] == '\r' && p[2] == '\n')))
        return false;
    *at = p + (p[1] == '\n' ? 2 : 3);
    return true;
}

/* Past blanks and comments, to the next token or the end of the line. */
static void skip_space(struct reader *r)
{
    for (;;) {
        const char *p = r->at;
        if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\f' || *p == '\v') {
            r->at++;
        } else if (splice(&r->at)) {
            continue;
        } else if (p[0] == '/' && p[1] == '/') {
            while (*r->at && *r->at != '\n')
                r->at += !splice(&r->at);
        } else if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");
            r->at = end ? end + 2 : p + strlen(p);
        } else {
            return;
        }
    }
}

/* Past a text or character in quotes; it ends at the line's end at the latest. */
static const char *skip_quoted(const char *p)
{
    char quote = *p++;
    while (*p && *p != quote && *p != '\n')
        p += *p == '\\' && p[1] ? 2 : 1;
    return p + (*p == quote);
}

/* R"mark( … )mark" */
static const char *skip_raw(const char *p)
{
    const char *open = strchr(p, '(');
    size_t len = open ? (size_t) (open - p) : 17;
    if (len > 16)
        return p + strlen(p);
    for (const char *end = strchr(open, ')'); end; end = strchr(end + 1, ')'))
        if (strncmp(end + 1, p, len) == 0 && end[1 + len] == '"')
            return end + len + 2;
    return p + strlen(p);
}

static struct token read_token(struct reader *r)
{
    const char *start = r->at, *p = start;
    enum kind kind = PUNCT;
    if (isdigit((unsigned char) *p) || (*p == '.' && isdigit((unsigned char) p[1]))) {
        kind = NUMBER;
        while (is_word_char(*p) || *p == '.' || (*p == '\'' && is_word_char(p[1])) ||
               ((*p == '+' || *p == '-') && strchr("eEpP", p[-1])))
            p++;
    } else if (is_word_char(*p)) {
        kind = WORD;
        while (is_word_char(*p))
            p++;
        if (*p == '"' && p[-1] == 'R' && p - start <= 3) {
            kind = STRING;
            p = skip_raw(p + 1);
        }
    } else if (*p == '"' || *p == '\'') {
        kind = STRING;
        p = skip_quoted(p);
    } else {
        bool is_pair = (p[0] == ':' && p[1] == ':') || (p[0] == '-' && p[1] == '>');
        p += is_pair ? 2 : 1;
    }
    r->at = p;
    return (struct token){kind, start, (size_t) (p - start)};
}

/* --- includes ------------------------------------------------------------ */

static void read_text(struct scan *s, const char *text, const char *folder, bool *failed);

static const char *keep(struct scan *s, const char *text, size_t len)
{
    return arena_string(&s->arena, text, len);
}

static bool list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->at[i], text) == 0)
            return true;
    return false;
}

static bool list_add(struct scan *s, struct text_list *list, const char *text)
{
    if (list_has(list, text))
        return true;
    const char *copy = keep(s, text, strlen(text));
    return copy && vec_push(list, copy);
}

static bool read_file(struct scan *s, const char *path)
{
    struct fs_info info;
    struct str text = {0};
    struct sha256 hash;
    size_t len = strlen(path);
    if (map_get(&s->seen, path, len))
        return true;
    struct scan_file file = {.path = keep(s, path, len)};
    if (!file.path || !map_put(&s->seen, file.path, len, s))
        return false;
    bool failed = false;
    if (fs_stat(&info, path) == 0 && fs_read(&text, path, FILE_LIMIT) == 0) {
        file.size = info.size;
        file.mtime = info.mtime;
        sha256_init(&hash);
        sha256_add(&hash, str_text(&text), text.len);
        sha256_end(&hash, file.digest);
        failed = !vec_push(&s->files, file);
        const char *slash = strrchr(file.path, '/');
        const char *folder = keep(s, file.path, (size_t) (slash - file.path));
        if (folder && !failed)
            read_text(s, str_text(&text), folder, &failed);
    } else {
        s->is_opaque = true; /* it cannot be read here; perhaps NVRTC can */
        if (info.is_pipe)
            s->pipe = file.path;
        failed = text.failed;
    }
    str_fini(&text);
    return !failed;
}

/* Is it there? Then it is read; if not, the place is noted. */
static bool try_place(struct scan *s, const char *folder, const char *name, bool *found)
{
    struct str path = {0};
    if (*name != '/')
        str_addf(&path, "%s/", folder);
    str_add(&path, name);
    *found = !path.failed && fs_is_file(path.at);
    bool ok = !path.failed && (*found ? read_file(s, path.at) : list_add(s, &s->absent, path.at));
    str_fini(&path);
    return ok;
}

/* Among the caller's headers in memory. NVRTC knows these by the very text of the #include: where
 * that is another name than the header's, it is noted. */
static bool look_in_memory(struct scan *s, const char *name, const char *folder, bool *found)
{
    struct own_header own;
    bool failed = false;
    if (!own_header_find(&own, s, name, folder))
        return false;
    *found = own.header != NULL;
    if (!*found || map_get(&s->seen, own.header->name, strlen(own.header->name)))
        return true;
    if (!map_put(&s->seen, own.header->name, strlen(own.header->name), s))
        return false;
    read_text(s, own.header->text, own.folder, &failed);
    return !failed;
}

/* Beside the file that includes it. */
static bool try_beside(struct scan *s, const char *folder, const char *name, bool *found)
{
    if (!try_place(s, folder, name, found))
        return false;
    int header = *found ? find_header(name, strlen(name)) : -1;
    if (header >= 0)
        s->headers[header] |= HEADER_BESIDE;
    return true;
}

static bool look_up(struct scan *s, const char *name, const char *folder, bool *found)
{
    *found = false;
    if (s->own_count && !look_in_memory(s, name, folder, found))
        return false;
    if (*found)
        return true;
    if (folder && *folder == '/' && !try_beside(s, folder, name, found))
        return false;
    for (size_t i = 0; i < s->dirs.len && !*found; i++)
        if (!try_place(s, s->dirs.at[i], name, found))
            return false;
    return true;
}

static bool offer_header(struct scan *s, int header)
{
    enum scan_header use = s->in_toolkit ? HEADER_OF_TOOLKIT : HEADER_USED;
    bool failed = false, is_new = !(s->headers[header] & use);
    s->headers[header] |= use;
    if (is_new)
        read_text(s, text_headers[header].head, NULL, &failed);
    return !failed;
}

bool scan_offers(const struct scan *s, size_t header)
{
    unsigned use = s->headers[header];
    return use & HEADER_USED || (use & HEADER_OF_TOOLKIT && !(use & HEADER_BESIDE));
}

bool scan_include(struct scan *s, const char *name, bool is_quoted, const char *folder)
{
    bool found;
    s->has_include = true;
    if (strlen(name) > 4096)
        return true;
    if (!look_up(s, name, is_quoted ? folder : NULL, &found))
        return false;
    int header = find_header(name, strlen(name));
    if (found || header < 0)
        return found || list_add(s, &s->missing, name);
    return offer_header(s, header);
}

static bool probe(struct scan *s, const char *name, bool is_quoted, const char *folder)
{
    bool found;
    if (strlen(name) > 4096 || !look_up(s, name, is_quoted ? folder : NULL, &found))
        return strlen(name) > 4096;
    int header = found ? -1 : find_header(name, strlen(name));
    if (header >= 0)
        return offer_header(s, header);
    return found || list_add(s, &s->probed, name);
}

/* Reads <name> or "name" where one stands; false if something else does. */
static bool read_name(struct reader *r, struct str *name, bool *is_quoted)
{
    skip_space(r);
    char close = *r->at == '<' ? '>' : '"';
    if (*r->at != '<' && *r->at != '"')
        return false;
    const char *end = r->at + 1;
    while (*end && *end != close && *end != '\n')
        end++;
    if (*end != close)
        return false;
    str_addn(name, r->at + 1, (size_t) (end - r->at - 1));
    *is_quoted = close == '"';
    r->at = end + 1;
    return true;
}

/* __has_include of something unnamed: #define HAS(x) __has_include(x) makes HAS mean the same. */
static void note_question(struct reader *r)
{
    struct str name = {0};
    str_addn(&name, r->defined.at, r->defined.len);
    if (name.len)
        r->failed |= name.failed || !list_add(r->scan, &r->scan->questions, name.at);
    else
        r->scan->is_opaque = true;
    str_fini(&name);
}

static bool is_question(const struct reader *r, const struct token *t)
{
    if (is(t, "__has_include") || is(t, "__has_include_next"))
        return true;
    for (size_t i = 0; i < r->scan->questions.len; i++)
        if (is(t, r->scan->questions.at[i]))
            return true;
    return false;
}

static void read_include(struct reader *r, bool is_question)
{
    struct str name = {0};
    bool is_quoted;
    if (!is_question)
        r->scan->has_include = true;
    if (!read_name(r, &name, &is_quoted)) {
        r->scan->is_computed |= !is_question;
        if (is_question)
            note_question(r);
    } else if (!name.len || name.failed) {
        r->failed |= name.failed;
    } else if (is_question) {
        r->failed |= !probe(r->scan, name.at, is_quoted, r->folder);
    } else {
        r->failed |= !scan_include(r->scan, name.at, is_quoted, r->folder);
    }
    str_fini(&name);
}

/* --- a text -------------------------------------------------------------- */

static void end_line(struct reader *r)
{
    static const struct token none;
    r->at_line_start = true;
    if (!r->in_directive)
        return;
    settle_name(r, &none);
    r->in_directive = false;
    r->last = r->before = r->defined = none;
}

static void track(struct reader *r, const struct token *t)
{
    if (is(t, "typedef"))
        r->in_typedef = 1;
    else if (r->in_typedef && is_one_of(t, "{"))
        r->in_typedef++;
    else if (r->in_typedef > 1 && is_one_of(t, "}"))
        r->in_typedef--;
    else if (r->in_typedef == 1 && is_one_of(t, ";"))
        r->in_typedef = 0;
    if (is(t, "enum"))
        r->enum_state = 1;
    else if (is_one_of(t, "{") && r->enum_state == 1)
        r->enum_state = 2;
    else if (is_one_of(t, ";"))
        r->enum_state = r->parens = 0;
    else if (is_one_of(t, "}"))
        r->enum_state = r->parens = 0;
    else if (is_one_of(t, "("))
        r->parens++;
    else if (is_one_of(t, ")"))
        r->parens -= r->parens > 0;
}

static void take_word(struct reader *r, const struct token *t)
{
    bool is_keyword_of_directive = r->in_directive && is_one_of(&r->last, "#");
    if (is_keyword_of_directive && (is(t, "include") || is(t, "include_next") || is(t, "import"))) {
        read_include(r, false);
        return;
    }
    if (r->in_directive && is(&r->last, "define"))
        r->defined = *t;
    else if (r->in_directive && is_question(r, t)) {
        skip_space(r);
        if (*r->at == '(') {
            r->at++;
            read_include(r, true);
        }
        return;
    }
    r->name = find_name(t->at, t->len);
    r->name_before = r->last;
    r->name_earlier = r->before;
    /* The first word after "#define NAME" is a use, whatever NAME is. */
    if (r->in_directive && !is(&r->last, "define"))
        r->name_before = (struct token){0};
}

static void read_text(struct scan *s, const char *text, const char *folder, bool *failed)
{
    struct reader r = {.scan = s, .at = text, .folder = folder, .name = -1, .at_line_start = true};
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3;
    while (!r.failed) {
        skip_space(&r);
        if (!*r.at)
            break;
        if (*r.at == '\n') {
            r.at++;
            end_line(&r);
            continue;
        }
        struct token t = read_token(&r);
        if (r.at_line_start && is(&t, "#"))
            r.in_directive = true;
        else
            settle_name(&r, &t);
        r.at_line_start = false;
        if (!r.in_directive)
            track(&r, &t);
        if (t.kind == WORD)
            take_word(&r, &t);
        r.before = r.last;
        r.last = t;
    }
    settle_name(&r, &(struct token){0});
    *failed |= r.failed;
}

bool scan_init(struct scan *s)
{
    s->names = alloc_zero(text_name_count, sizeof *s->names);
    s->headers = alloc_zero(text_header_count, sizeof *s->headers);
    return s->names && s->headers;
}

void scan_fini(struct scan *s)
{
    vec_fini(&s->alias_names);
    vec_fini(&s->alias_texts);
    vec_fini(&s->dirs);
    vec_fini(&s->absent);
    vec_fini(&s->missing);
    vec_fini(&s->probed);
    vec_fini(&s->questions);
    vec_fini(&s->files);
    map_fini(&s->seen);
    alloc_free(s->names);
    alloc_free(s->headers);
    arena_fini(&s->arena);
}

bool scan_text(struct scan *s, const char *text, const char *folder)
{
    bool failed = false;
    read_text(s, text, folder, &failed);
    return !failed;
}

void scan_define(struct scan *s, const char *name)
{
    int i = find_name(name, strlen(name));
    if (i >= 0)
        s->names[i] |= NAME_DEFINED;
}

/* A folder of the toolkit's, and the one of the user's that comes before it. */
struct shadow {
    struct scan *scan;
    const char *toolkit, *own;
    bool failed;
};

static bool look_for_shadow(void *user, const char *name);

static void compare_folders(struct shadow *outer, const char *own, const char *name)
{
    struct str toolkit = {0};
    struct fs_info info;
    str_addf(&toolkit, "%s/%s", outer->toolkit, name);
    if (!toolkit.failed && fs_stat(&info, toolkit.at) == 0 && info.is_folder) {
        struct shadow inner = {outer->scan, toolkit.at, own, false};
        fs_list(toolkit.at, look_for_shadow, &inner);
        outer->failed |= inner.failed;
    }
    outer->failed |= toolkit.failed;
    str_fini(&toolkit);
}

/* The toolkit has `name`. Does the user have it too? */
static bool look_for_shadow(void *user, const char *name)
{
    struct shadow *shadow = user;
    struct scan *s = shadow->scan;
    struct fs_info info;
    struct str path = {0};
    str_addf(&path, "%s/%s", shadow->own, name);
    if (path.failed) {
        shadow->failed = true;
    } else if (fs_stat(&info, path.at) != 0) {
        const char *copy = keep(s, path.at, path.len);
        shadow->failed |= !copy || !vec_push(&s->absent, copy);
    } else if (info.is_folder) {
        compare_folders(shadow, path.at, name);
    } else {
        shadow->failed |= !read_file(s, path.at);
    }
    str_fini(&path);
    return shadow->failed;
}

bool scan_shadows(struct scan *s, const char *toolkit)
{
    bool ok = true;
    for (size_t i = 0; i < s->dirs.len && ok; i++) {
        struct shadow shadow = {s, toolkit, s->dirs.at[i], false};
        fs_list(toolkit, look_for_shadow, &shadow);
        ok = !shadow.failed;
    }
    return ok;
}

bool scan_missing_again(struct scan *s)
{
    struct text_list missing = s->missing;
    s->missing = (struct text_list){0};
    bool ok = true;
    for (size_t i = 0; ok && i < missing.len; i++)
        ok = scan_include(s, missing.at[i], false, NULL);
    vec_fini(&missing);
    return ok;
}

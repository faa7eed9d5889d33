/* C++ names of kernels and variables out of their mangled ones, and the text of types. The C++
 * library's own demangler is used where the process has one or can load it; without it a few lines
 * read the names alone. */
#include "core.h"

#include <ctype.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

typedef char *demangle_fn(const char *symbol, char *buffer, size_t *size, int *status);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static demangle_fn *cxa_demangle;

static void find_demangler(void)
{
    static const char *const libraries[] = {NULL, "libstdc++.so.6", "libc++abi.so.1"};
    for (size_t i = 0; i < ARRAY_LEN(libraries) && !cxa_demangle; i++) {
        void *library =
            libraries[i] ? dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL) : (void *) RTLD_DEFAULT;
        void *symbol = library || !libraries[i] ? dlsym(library, "__cxa_demangle") : NULL;
        memcpy(&cxa_demangle, &symbol, sizeof symbol);
    }
}

/* Past template arguments: `s` stands on their 'I'. Itanium C++ ABI, 5.1.5. */
static const char *skip_template(const char *s)
{
    int depth = 0;
    do {
        if (isdigit((unsigned char) *s)) {
            size_t len = strtoul(s, (char **) &s, 10);
            s += strnlen(s, len);
            continue;
        }
        if (*s == 'L') { /* a literal, whose digits are a value */
            s += strcspn(s, "E");
            s += *s == 'E';
            continue;
        }
        depth += strchr("INXJF", *s) != NULL;
        depth -= *s == 'E';
        s++;
    } while (*s && depth > 0);
    return s;
}

bool core_read_name(struct str *out, const char *symbol)
{
    const char *s = symbol + 2;
    bool is_nested = *s == 'N', has_any = false;
    s += is_nested;
    s += strspn(s, "rVKL");
    while (*s) {
        if (*s == 'I') {
            s = skip_template(s);
        } else if (isdigit((unsigned char) *s)) {
            char *id;
            size_t len = strtoul(s, &id, 10);
            if (strnlen(id, len) < len)
                return false;
            bool is_anonymous = len >= 10 && strncmp(id, "_GLOBAL__N", 10) == 0;
            str_add(out, has_any ? "::" : "");
            str_addn(out, is_anonymous ? "(anonymous namespace)" : id, is_anonymous ? 21 : len);
            has_any = true;
            s = id + len;
            if (!is_nested)
                break;
        } else {
            break;
        }
    }
    return has_any;
}

bool core_demangle(struct str *out, const char *symbol)
{
    str_clear(out);
    if (strncmp(symbol, "_Z", 2) != 0)
        return false;
    pthread_once(&once, find_demangler);
    int status = -1;
    char *text = cxa_demangle ? cxa_demangle(symbol, NULL, NULL, &status) : NULL;
    if (text && status == 0)
        str_add(out, text);
    else
        core_read_name(out, symbol);
    free(text);
    return out->len > 0;
}

/* Depth of brackets after `c`; angles count only outside round ones, where they cannot be
 * comparisons. */
struct depth {
    int round, angle;
};

static void count_depth(struct depth *d, char c)
{
    d->round += (c == '(' || c == '[') - (c == ')' || c == ']');
    if (d->round == 0)
        d->angle += (c == '<') - (c == '>');
}

static bool is_outside(const struct depth *d)
{
    return d->round == 0 && d->angle == 0;
}

void core_split_name(struct core_span *name, struct core_span *params, const char *text)
{
    size_t len = strlen(text), open = len, start = 0;
    *params = (struct core_span){0};
    if (len && text[len - 1] == ')') {
        int round = 0;
        do {
            open--;
            round += (text[open] == ')') - (text[open] == '(');
        } while (open && round);
        *params = (struct core_span){text + open + 1, len - open - 2};
    }
    while (open && text[open - 1] == ' ')
        open--;
    struct depth d = {0};
    for (size_t i = 0; i < open; i++) { /* what a template returns stands before the name */
        count_depth(&d, text[i]);
        if (text[i] == ' ' && is_outside(&d))
            start = i + 1;
    }
    *name = (struct core_span){text + start, open - start};
}

bool core_next_param(struct core_span *out, struct core_span *rest)
{
    struct depth d = {0};
    size_t i = 0;
    while (rest->len && rest->at[0] == ' ') {
        rest->at++;
        rest->len--;
    }
    if (!rest->len)
        return false;
    for (; i < rest->len; i++) {
        if (rest->at[i] == ',' && is_outside(&d))
            break;
        count_depth(&d, rest->at[i]);
    }
    *out = (struct core_span){rest->at, i};
    i += i < rest->len;
    rest->at += i;
    rest->len -= i;
    return true;
}

static struct core_span trim(struct core_span s)
{
    while (s.len && s.at[0] == ' ') {
        s.at++;
        s.len--;
    }
    while (s.len && s.at[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* Where the type's pointers, references or function parts begin. */
static size_t base_end(struct core_span type)
{
    struct depth d = {0};
    for (size_t i = 0; i < type.len; i++) {
        if (is_outside(&d) && strchr("*&(", type.at[i]) && strncmp(type.at + i, "(anon", 5) != 0)
            return i;
        count_depth(&d, type.at[i]);
    }
    return type.len;
}

void core_type_text(struct str *out, struct core_span type)
{
    static const char tail[] = " const";
    size_t tail_len = sizeof tail - 1;
    type = trim(type);
    size_t end = base_end(type);
    struct core_span base = trim((struct core_span){type.at, end});
    if (base.len > tail_len && memcmp(base.at + base.len - tail_len, tail, tail_len) == 0) {
        str_add(out, "const ");
        base.len -= tail_len;
    }
    str_addn(out, base.at, base.len);
    if (end == type.len)
        return;
    str_addc(out, ' ');
    for (size_t i = end; i < type.len; i++)
        if (type.at[i] != ' ' || (i && isalpha((unsigned char) type.at[i - 1])))
            str_addc(out, type.at[i]);
}

struct core_span core_without_arguments(struct core_span name)
{
    struct depth d = {0};
    if (!name.len || name.at[name.len - 1] != '>')
        return name;
    size_t i = name.len;
    do {
        i--;
        d.round += (name.at[i] == ')') - (name.at[i] == '(');
        if (d.round == 0)
            d.angle += (name.at[i] == '>') - (name.at[i] == '<');
    } while (i && !is_outside(&d));
    return (struct core_span){name.at, i};
}

static bool is_word(char c)
{
    return isalnum((unsigned char) c) || c == '_';
}

void core_squeeze(struct str *out, struct core_span text)
{
    char last = 0;
    bool is_number = false; /* in a number: its suffix does not count, 3u is 3 */
    text = trim(text);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (isspace((unsigned char) c)) {
            bool between = is_word(last) && i + 1 < text.len && is_word(text.at[i + 1]);
            if (!between)
                continue;
            c = ' ';
        }
        if (isdigit((unsigned char) c) && !is_word(last))
            is_number = true;
        else if (!is_word(c))
            is_number = false;
        if (is_number && strchr("uUlL", c))
            continue;
        str_addc(out, c);
        last = c;
    }
}

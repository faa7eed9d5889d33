/* Whether a kernel's stack can be known: older assemblers do not say that a function calls itself,
 * or is called by its address (PTX ISA 9.7.12.5, call). The text is read as it is. */
#include <ctype.h>
#include <string.h>

#include "core/explain.h"

struct frame {
    struct core_span name;
    const struct frame *up; /* who called */
};

struct walk {
    const char *ptx;
    int budget; /* bodies yet to be read: a graph may have very many ways through it */
};

static const char *skip_space(const char *at)
{
    while (isspace((unsigned char) *at))
        at++;
    return at;
}

/* Past "(…)", if there is one, and white space. */
static const char *skip_list(const char *at)
{
    at = skip_space(at);
    if (*at == '(') {
        at += strcspn(at, ")");
        at = skip_space(at + (*at == ')'));
    }
    return at;
}

static struct core_span take_name(const char *at)
{
    return (struct core_span){at, strcspn(at, " \t\r\n,;(){}")};
}

static bool is_same(struct core_span a, struct core_span b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* The opening brace of what .entry or .func defines by that name; NULL: nothing does. */
static const char *find_body(const char *ptx, struct core_span name)
{
    static const char *const words[] = {".func", ".entry"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (const char *at = ptx; (at = strstr(at, words[i]));) {
            at = skip_list(at + strlen(words[i]));
            const char *open = at + strcspn(at, "{;");
            if (is_same(take_name(at), name) && *open == '{')
                return open;
        }
    return NULL;
}

/* The next call at or behind *at, up to the end of the body; its target, empty at the end. */
static struct core_span next_call(const char **at, int *depth)
{
    for (const char *p = *at; *p; p++) {
        if (p[0] == '/' && p[1] == '/') {
            p += strcspn(p, "\n") - 1;
            continue;
        }
        *depth += (*p == '{') - (*p == '}');
        if (!*depth)
            break;
        if (strncmp(p, "call", 4) != 0 || (p[4] != '.' && !isspace((unsigned char) p[4])) ||
            (!isspace((unsigned char) p[-1]) && p[-1] != '{'))
            continue;
        const char *target = skip_list(p + strcspn(p, " \t\r\n"));
        *at = target;
        return take_name(skip_space(target + (*target == ',')));
    }
    return (struct core_span){0};
}

static bool is_open(struct walk *w, const struct frame *frame)
{
    struct core_span last = {"", 0}; /* many calls in a row are of __assertfail */
    const char *body = w->budget-- > 0 ? find_body(w->ptx, frame->name) : NULL;
    int depth = 0;
    for (struct core_span name; body && (name = next_call(&body, &depth)).len;) {
        struct frame callee = {name, frame};
        if (is_same(name, last))
            continue;
        last = name;
        if (*name.at == '%')
            return true;
        for (const struct frame *f = frame; f; f = f->up)
            if (is_same(f->name, name))
                return true;
        if (is_open(w, &callee))
            return true;
    }
    return false;
}

bool core_stack_is_open(const char *ptx, const char *symbol)
{
    struct walk w = {ptx, 1000};
    struct frame kernel = {{symbol, strlen(symbol)}, NULL};
    return is_open(&w, &kernel);
}

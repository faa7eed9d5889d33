/* Headers in memory that the caller gives: which of them an #include means. They include each other
 * as files would, relative to themselves; NVRTC knows nothing of that, and so gets a header under
 * every name by which it is included. */
#include <string.h>

#include "core/program.h"

/* "lib" and "../axpy.h" make "axpy.h". A name that leads out of the topmost folder is left empty.
 */
static void join(struct str *out, const char *folder, const char *name)
{
    str_add(out, folder);
    while (*name) {
        size_t len = strcspn(name, "/");
        bool is_up = len == 2 && name[0] == '.' && name[1] == '.';
        if (is_up) {
            const char *slash = out->len ? strrchr(out->at, '/') : NULL;
            if (!out->len) {
                str_clear(out);
                return;
            }
            out->len = slash ? (size_t) (slash - out->at) : 0;
            out->at[out->len] = 0;
        } else if (len && !(len == 1 && name[0] == '.')) {
            str_addf(out, "%s%.*s", out->len ? "/" : "", (int) len, name);
        }
        name += len + (name[len] == '/');
    }
}

static const runcu_header *find(const struct scan *s, const char *name)
{
    for (size_t i = 0; i < s->own_count; i++)
        if (strcmp(s->own[i].name, name) == 0)
            return &s->own[i];
    return NULL;
}

/* NVRTC is to find `header` by `name`, and nothing else. */
static bool add_alias(struct scan *s, const char *name, const runcu_header *header)
{
    if (strcmp(name, header->name) == 0)
        return true;
    const char *copy = arena_string(&s->arena, name, strlen(name));
    const runcu_header *other = find(s, name);
    if (!copy || other) {
        s->conflict = copy;
        return copy != NULL;
    }
    for (size_t i = 0; i < s->alias_names.len; i++) {
        if (strcmp(s->alias_names.at[i], name) != 0)
            continue;
        if (s->alias_texts.at[i] != header->text)
            s->conflict = copy;
        return true;
    }
    return vec_push(&s->alias_names, copy) && vec_push(&s->alias_texts, header->text);
}

bool own_header_find(struct own_header *out, struct scan *s, const char *name, const char *folder)
{
    bool ok = true;
    *out = (struct own_header){0};
    if (folder && *folder != '/') {
        struct str path = {0};
        join(&path, folder, name);
        out->header = path.len ? find(s, path.at) : NULL;
        ok = !path.failed && (!out->header || add_alias(s, name, out->header));
        str_fini(&path);
    }
    if (!out->header)
        out->header = find(s, name);
    if (!ok || !out->header)
        return ok;
    const char *slash = strrchr(out->header->name, '/');
    out->folder = arena_string(&s->arena, out->header->name,
                               slash ? (size_t) (slash - out->header->name) : 0);
    return out->folder != NULL;
}

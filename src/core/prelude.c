/* Headers that the compiler gets from memory: those the source includes and that lie nowhere, and
 * the prelude, which holds what nvcc gives every source and NVRTC does not, as far as this source
 * uses it. The texts are those of kernels/include. */
#include <string.h>

#include "base/alloc.h"
#include "core/program.h"
#include "core/texts.h"

struct maker {
    const struct scan *scan;
    struct str text;
    const char *int64;
    bool *given;   /* blocks that the text has */
    bool *refused; /* blocks with a name that the source defines */
    size_t block_count;
};

static size_t count_blocks(void)
{
    size_t count = 0;
    for (size_t i = 0; i < text_name_count; i++)
        count = MAX(count, (size_t) text_names[i].block + 1);
    return count;
}

static bool maker_init(struct maker *m, const struct scan *scan, bool with_toolkit)
{
    *m = (struct maker){.scan = scan, .int64 = with_toolkit ? "long long" : "long"};
    m->block_count = count_blocks();
    m->given = alloc_zero(m->block_count, sizeof *m->given);
    m->refused = alloc_zero(m->block_count, sizeof *m->refused);
    if (!m->given || !m->refused)
        return false;
    for (size_t i = 0; i < text_name_count; i++)
        if (scan->names[i] & NAME_DEFINED)
            m->refused[text_names[i].block] = true;
    return true;
}

static void maker_fini(struct maker *m)
{
    alloc_free(m->given);
    alloc_free(m->refused);
    str_fini(&m->text);
}

static void open_text(struct maker *m)
{
    str_clear(&m->text);
    str_addf(&m->text, "extern \"C++\" {\n#define RUNCU_INT64 %s\n", m->int64);
    memset(m->given, 0, m->block_count * sizeof *m->given);
}

static void close_text(struct maker *m)
{
    str_add(&m->text, "}\n");
}

static void add_block(struct maker *m, int block)
{
    if (m->given[block] || m->refused[block])
        return;
    m->given[block] = true;
    for (const int *need = text_blocks[block].needs; *need >= 0; need++)
        add_block(m, *need);
    str_add(&m->text, text_blocks[block].text);
}

static bool add_copy(struct memory_headers *out, const char *name, const char *given)
{
    char *text = alloc_copy(given, strlen(given) + 1);
    if (text && vec_push(&out->texts, text))
        return vec_push(&out->names, name);
    alloc_free(text);
    return false;
}

static bool add_header(struct memory_headers *out, struct maker *m, const char *name)
{
    return !m->text.failed && add_copy(out, name, str_text(&m->text));
}

static bool make_prelude(struct memory_headers *out, struct maker *m)
{
    open_text(m);
    size_t empty = m->text.len;
    for (size_t i = 0; i < text_name_count; i++)
        if (m->scan->names[i] == NAME_USED && strncmp(text_names[i].name, "runcu_", 6) != 0)
            add_block(m, text_names[i].block);
    out->has_prelude = m->text.len > empty;
    close_text(m);
    return !out->has_prelude || add_header(out, m, PRELUDE_NAME);
}

static bool make_header(struct memory_headers *out, struct maker *m,
                        const struct text_header *header)
{
    open_text(m);
    str_add(&m->text, header->head);
    for (int i = 0; i < header->count; i++)
        add_block(m, header->first + i);
    close_text(m);
    return add_header(out, m, header->name);
}

bool prelude_make(struct memory_headers *out, const struct scan *scan, bool with_toolkit)
{
    struct maker m;
    *out = (struct memory_headers){0};
    bool ok = maker_init(&m, scan, with_toolkit) && make_prelude(out, &m);
    for (size_t i = 0; ok && i < text_header_count; i++)
        if (scan_offers(scan, i))
            ok = make_header(out, &m, &text_headers[i]);
    maker_fini(&m);
    return ok;
}

bool prelude_add_own(struct memory_headers *out, const struct scan *scan)
{
    bool ok = true;
    for (size_t i = 0; ok && i < scan->own_count; i++)
        ok = add_copy(out, scan->own[i].name, scan->own[i].text);
    for (size_t i = 0; ok && i < scan->alias_names.len; i++)
        ok = add_copy(out, scan->alias_names.at[i], scan->alias_texts.at[i]);
    return ok;
}

void prelude_fini(struct memory_headers *h)
{
    for (size_t i = 0; i < h->texts.len; i++)
        alloc_free((char *) h->texts.at[i]);
    vec_fini(&h->texts);
    vec_fini(&h->names);
}

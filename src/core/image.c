/* Reads names and parameters out of compiled images. PTX is scanned for its declarations alone,
 * never for instructions; of a cubin only the symbol table is read. Both may be anything at all:
 * every access is within bounds and what makes no sense ends the reading. */
#include "image.h"
#include "base/alloc.h"
#include "driver/fatbin.h"
#include "program.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- PTX: PTX ISA 4.4 (identifiers), 5.4 and 10 (declarations) --- */

struct reader {
    const char *at, *end;
    struct core_span token; /* a word, or one character of punctuation; empty at the end */
};

static bool is_word(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '$' || c == '.' || c == '%' || c == '@';
}

static const char *find(const char *at, const char *end, const char *what)
{
    size_t len = strlen(what);
    for (; (size_t) (end - at) >= len; at++)
        if (memcmp(at, what, len) == 0)
            return at + len;
    return end;
}

/* Past white space, comments and strings. */
static void skip_space(struct reader *s)
{
    while (s->at < s->end) {
        size_t left = (size_t) (s->end - s->at);
        if (isspace((unsigned char) *s->at) || !*s->at)
            s->at++;
        else if (left >= 2 && s->at[0] == '/' && s->at[1] == '/')
            s->at = find(s->at, s->end, "\n");
        else if (left >= 2 && s->at[0] == '/' && s->at[1] == '*')
            s->at = find(s->at + 2, s->end, "*/");
        else if (*s->at == '"')
            s->at = find(s->at + 1, s->end, "\"");
        else
            return;
    }
}

static bool next(struct reader *s)
{
    skip_space(s);
    const char *start = s->at;
    while (s->at < s->end && is_word(*s->at))
        s->at++;
    if (s->at == start && s->at < s->end)
        s->at++;
    s->token = (struct core_span){start, (size_t) (s->at - start)};
    return s->token.len > 0;
}

static bool is(const struct reader *s, const char *text)
{
    return s->token.len == strlen(text) && memcmp(s->token.at, text, s->token.len) == 0;
}

/* The opening brace has been taken: past its partner. */
static void skip_braces(struct reader *s)
{
    int depth = 1;
    while (depth && s->at < s->end) {
        char c = *s->at;
        if (c == '/' || c == '"') { /* a comment or a string: braces in it do not count */
            const char *before = s->at;
            skip_space(s);
            s->at += s->at == before;
        } else {
            depth += (c == '{') - (c == '}');
            s->at++;
        }
    }
}

static uint32_t number(const struct reader *s)
{
    char text[16] = {0};
    memcpy(text, s->token.at, MIN(s->token.len, sizeof text - 1));
    unsigned long value = strtoul(text, NULL, 0);
    return value > UINT32_MAX / 32 ? 0 : (uint32_t) value;
}

/* A fundamental type: PTX ISA 5.2. */
static bool read_type(const struct reader *s, struct core_ptx_param *p)
{
    static const struct {
        const char *name;
        char class;
        uint8_t size;
    } types[] = {
        {".u8", 'u', 1},  {".s8", 's', 1},  {".b8", 'u', 1},  {".u16", 'u', 2}, {".s16", 's', 2},
        {".b16", 'u', 2}, {".f16", 'f', 2}, {".u32", 'u', 4}, {".s32", 's', 4}, {".b32", 'u', 4},
        {".f32", 'f', 4}, {".u64", 'u', 8}, {".s64", 's', 8}, {".b64", 'u', 8}, {".f64", 'f', 8},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (is(s, types[i].name)) {
            p->class = types[i].class;
            p->size = types[i].size;
            return true;
        }
    return false;
}

/* One parameter, up to the comma or the closing bracket after it; false if it cannot be understood.
 */
static bool read_param(struct reader *s, struct core_ptx_param *p)
{
    uint32_t align = 0;
    bool has_type = false, is_pointer = false;
    *p = (struct core_ptx_param){.class = '?'};
    if (!is(s, ".param"))
        return false;
    while (next(s) && !is(s, ",") && !is(s, ")")) {
        if (is(s, ".ptr")) {
            is_pointer = true;
        } else if (is(s, ".align")) {
            if (!next(s))
                return false;
            align = is_pointer ? align : number(s); /* after .ptr it is of what is pointed to */
        } else if (is(s, "[")) {
            if (!next(s))
                return false;
            p->size *= number(s);
            p->class = 'b';
        } else if (s->token.at[0] == '.' && !has_type) {
            has_type = read_type(s, p);
            align = align ? align : p->size;
        }
    }
    p->align = align ? align : 1;
    if (is_pointer && p->class == 'u' && p->size == 8)
        p->class = 'p';
    return has_type && p->size && (p->align & (p->align - 1)) == 0;
}

typedef VEC(struct core_ptx_param) param_vec;

/* The parameters of a kernel, the opening bracket having been taken. False: the list is not
 * understood or memory is short. */
static bool read_params(struct reader *s, param_vec *out)
{
    size_t offset = 0;
    if (!next(s))
        return false;
    while (!is(s, ")")) {
        struct core_ptx_param p;
        if (!read_param(s, &p))
            return false;
        offset = ALIGN_UP(offset, p.align);
        p.offset = (uint32_t) offset;
        offset += p.size;
        if (offset > UINT32_MAX / 2 || !vec_push(out, p))
            return false;
        if (is(s, ",") && !next(s))
            return false;
    }
    return true;
}

/* --- what was read, as kernels and variables --- */

static const char *keep(struct core_image *image, struct core_span text)
{
    return arena_string(&image->arena, text.at, text.len);
}

/* Fills in the names; the C++ parameter list stays in `demangled`. */
static bool name_symbol(struct core_image *image, struct core_symbol *out, struct core_span symbol,
                        struct str *demangled)
{
    out->symbol = keep(image, symbol);
    if (!out->symbol)
        return false;
    core_demangle(demangled, out->symbol);
    out->name = out->text =
        demangled->len ? keep(image, (struct core_span){str_text(demangled), demangled->len})
                       : out->symbol;
    return out->name && !demangled->failed;
}

const char *core_signature(struct arena *arena, const char *name, const runcu_param *params,
                           int count)
{
    struct str text = {0};
    str_addf(&text, "%s(", name);
    for (int i = 0; i < count; i++) {
        str_add(&text, i ? ", " : "");
        core_param_text(&text, &params[i]);
    }
    str_add(&text, count < 0 ? "?)" : ")");
    char *out = text.failed ? NULL : arena_string(arena, str_text(&text), text.len);
    str_fini(&text);
    return out;
}

static int count_types(struct core_span list)
{
    struct core_span type;
    int n = 0;
    while (core_next_param(&type, &list))
        n++;
    return n;
}

const runcu_param *core_describe_params(struct arena *arena, const struct core_ptx_param *ptx,
                                        size_t count, struct core_span types)
{
    runcu_param *params = arena_alloc(arena, count * sizeof *params);
    bool has_types =
        (size_t) count_types(types) == count; /* else the two do not speak of the same */
    for (size_t i = 0; params && i < count; i++) {
        struct core_span type = {0};
        if (has_types)
            core_next_param(&type, &types);
        if (!core_param_describe(&params[i], &ptx[i], type, arena))
            return NULL;
    }
    return params;
}

/* Adds a kernel; `ptx` is NULL where the parameters are unknown. */
static int add_kernel(struct core_image *image, struct core_span symbol, const param_vec *ptx)
{
    struct core_kernel k = {.count = -1};
    struct str demangled = {0};
    struct core_span name, types;
    bool ok = name_symbol(image, &k.id, symbol, &demangled);
    if (ok && demangled.len) {
        core_split_name(&name, &types, str_text(&demangled));
        k.id.name = keep(image, name);
        ok = k.id.name != NULL;
    } else {
        types = (struct core_span){0};
    }
    if (ok && ptx) {
        k.params = core_describe_params(&image->arena, ptx->at, ptx->len, types);
        k.count = (int) ptx->len;
        ok = k.params != NULL;
    }
    if (ok) {
        k.id.text = core_signature(&image->arena, k.id.name, k.params, k.count);
        ok = k.id.text && vec_push(&image->kernels, k);
    }
    str_fini(&demangled);
    return ok ? 0 : RUNCU_ERROR_MEMORY;
}

static int add_variable(struct core_image *image, struct core_span symbol,
                        const struct core_variable *like)
{
    struct core_variable v = *like;
    struct str demangled = {0};
    bool ok = name_symbol(image, &v.id, symbol, &demangled) && vec_push(&image->variables, v);
    str_fini(&demangled);
    return ok ? 0 : RUNCU_ERROR_MEMORY;
}

/* --- PTX's declarations --- */

/* From .entry on: name, parameters, performance directives, body. */
static int read_entry(struct core_image *image, struct reader *s)
{
    param_vec params = {0};
    bool is_known = true;
    if (!next(s))
        return 0;
    struct core_span symbol = s->token;
    bool has_token = next(s);
    if (has_token && is(s, "("))
        is_known = read_params(s, &params);
    while (has_token && !is(s, "{") && !is(s, ";"))
        has_token = next(s);
    int status = add_kernel(image, symbol, is_known ? &params : NULL);
    if (has_token && is(s, "{"))
        skip_braces(s);
    vec_fini(&params);
    return status;
}

static bool is_identifier(const struct reader *s)
{
    char c = s->token.at[0];
    return isalpha((unsigned char) c) || c == '_' || c == '$' || c == '%';
}

/* An array's extent, the opening bracket having been taken; an empty one is 0. */
static void read_extent(struct core_image *image, struct reader *s)
{
    uint32_t extent = 0;
    while (next(s) && !is(s, "]"))
        extent = number(s);
    struct core_variable *v = &image->variables.at[image->variables.len - 1];
    if (v->dims < RUNCU_VARIABLE_DIMS)
        v->shape[v->dims++] = extent;
}

/* What stands before the names: the type, and how many of it make a vector. */
static void read_variable_type(struct reader *s, struct core_variable *v)
{
    if (is(s, ".align")) {
        next(s);
    } else if (is(s, ".v2") || is(s, ".v4")) {
        v->ptx.class = 'b';  /* a vector: bytes */
    } else if (is(s, "(")) { /* of .attribute(.managed) */
        while (next(s) && !is(s, ")"))
            ;
    } else if (v->ptx.class) {
        return;
    } else {
        read_type(s, &v->ptx);
    }
}

/* From .global or .const to the semicolon: every name that is declared. */
static int read_variables(struct core_image *image, struct reader *s, bool is_extern)
{
    struct core_variable v = {.is_constant = is(s, ".const")};
    bool is_value = false; /* behind '=': names there are addresses of other variables */
    bool was_added = false;
    int status = 0;
    while (!status && next(s) && !is(s, ";")) {
        if (is(s, "=")) {
            is_value = true;
        } else if (is(s, "{")) {
            skip_braces(s);
        } else if (is(s, ",")) {
            is_value = was_added = false;
        } else if (is(s, "[") && was_added && !is_value) {
            read_extent(image, s);
        } else if (is_identifier(s) && !is_value && !is_extern) {
            status = add_variable(image, s->token, &v);
            was_added = true;
        } else if (!is_value) {
            read_variable_type(s, &v);
        }
    }
    return status;
}

static void skip_function(struct reader *s)
{
    while (next(s) && !is(s, "{") && !is(s, ";"))
        ;
    if (is(s, "{"))
        skip_braces(s);
}

static int read_ptx(struct core_image *image, const char *text, size_t len)
{
    struct reader s = {.at = text, .end = text + len};
    bool is_extern = false;
    int status = 0;
    image->is_known = true;
    while (!status && next(&s)) {
        if (is(&s, ".extern")) {
            is_extern = true;
            continue;
        }
        if (is(&s, ".version") && next(&s))
            memcpy(image->ptx_version, s.token.at, MIN(s.token.len, sizeof image->ptx_version - 1));
        else if (is(&s, ".entry"))
            status = read_entry(image, &s);
        else if (is(&s, ".func"))
            skip_function(&s);
        else if (is(&s, ".global") || is(&s, ".const"))
            status = read_variables(image, &s, is_extern);
        else if (is(&s, "{"))
            skip_braces(&s);
        is_extern = false;
    }
    return status;
}

/* --- cubin: ELF, 64 bits, little end first; the System V ABI's chapters 4 and 5 --- */

static uint64_t get(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

struct section {
    const unsigned char *at;
    size_t bytes, link, name;
    uint64_t type;
};

enum { HEADER = 64, SECTION_HEADER = 64, SYMBOL = 24 };

/* The i-th section; false if it does not lie inside the image (those without bytes in the file may
 * not). */
static bool get_section(struct section *out, const unsigned char *elf, size_t bytes, size_t i)
{
    uint64_t table = get(elf + 40, 8);
    if (table > bytes || (bytes - table) / SECTION_HEADER <= i)
        return false;
    const unsigned char *h = elf + table + i * SECTION_HEADER;
    uint64_t offset = get(h + 24, 8), size = get(h + 32, 8);
    *out = (struct section){
        .name = (size_t) get(h, 4), .type = get(h + 4, 4), .link = (size_t) get(h + 40, 4)};
    if (offset > bytes || size > bytes - offset)
        return false;
    out->at = elf + offset;
    out->bytes = (size_t) size;
    return true;
}

/* One row of the symbol table: STT_FUNC marked as an entry, or STT_OBJECT. */
static int read_symbol(struct core_image *image, const unsigned char *row,
                       const struct section *names)
{
    enum { OBJECT = 1, FUNCTION = 2, IS_ENTRY = 0x10 };
    size_t start = (size_t) get(row, 4);
    unsigned type = row[4] & 15u, other = row[5];
    if (start >= names->bytes || get(row + 6, 2) == 0)
        return 0;
    struct core_span name = {(const char *) names->at + start, 0};
    name.len = strnlen(name.at, names->bytes - start);
    if (!name.len)
        return 0;
    if (type == FUNCTION && other & IS_ENTRY)
        return add_kernel(image, name, NULL);
    return type == OBJECT ? add_variable(image, name, &(struct core_variable){.is_constant = -1})
                          : 0;
}

static int read_elf(struct core_image *image, const unsigned char *elf, size_t bytes)
{
    enum { SYMBOL_TABLE = 2 };
    struct section s, names;
    size_t count = (size_t) get(elf + 60, 2);
    int status = 0;
    for (size_t i = 0; i < count && !status; i++) {
        if (!get_section(&s, elf, bytes, i) || s.type != SYMBOL_TABLE ||
            !get_section(&names, elf, bytes, s.link))
            continue;
        image->is_known = true;
        for (size_t at = 0; s.bytes - at >= SYMBOL && !status; at += SYMBOL)
            status = read_symbol(image, s.at + at, &names);
    }
    return status;
}

size_t core_elf_section_bytes(const void *image, size_t bytes, const char *name)
{
    const unsigned char *elf = image;
    struct section s, names;
    size_t len = strlen(name) + 1;
    if (!core_is_elf(image, bytes) || !get_section(&names, elf, bytes, (size_t) get(elf + 62, 2)))
        return 0;
    for (size_t i = 0, count = (size_t) get(elf + 60, 2); i < count; i++)
        if (get_section(&s, elf, bytes, i) && s.name < names.bytes && names.bytes - s.name >= len &&
            memcmp(names.at + s.name, name, len) == 0)
            return s.bytes;
    return 0;
}

/* All that is inside has the same names, as a rule: PTX tells more than a cubin. */
static int read_fatbin(struct core_image *image, const void *fatbin, size_t bytes)
{
    struct drv_fatbin_entry e, found = {.kind = 0};
    const char *why;
    for (size_t i = 0; drv_fatbin_entry(&e, fatbin, bytes, i); i++)
        if (e.kind == DRV_FATBIN_PTX || (e.kind == DRV_FATBIN_ELF && !found.kind))
            found = e;
    char *plain = found.kind ? drv_fatbin_unpack(&found, &why) : NULL;
    if (!plain)
        return 0; /* what it holds is the driver's business then */
    int status = core_is_elf(plain, found.plain_bytes)
                     ? read_elf(image, (const unsigned char *) plain, found.plain_bytes)
                     : read_ptx(image, plain, found.plain_bytes);
    alloc_free(plain);
    return status;
}

bool core_is_elf(const void *image, size_t bytes)
{
    static const unsigned char magic[] = {0x7f, 'E', 'L', 'F', 2, 1};
    return bytes >= HEADER && memcmp(image, magic, sizeof magic) == 0;
}

bool core_is_ptx(const void *image, size_t bytes)
{
    struct reader s = {.at = image, .end = (const char *) image + bytes};
    return next(&s) && is(&s, ".version");
}

int core_image_read(struct core_image *out, const void *image, size_t bytes)
{
    int status = 0;
    if (core_is_elf(image, bytes))
        status = read_elf(out, image, bytes);
    else if (core_is_ptx(image, bytes))
        status = read_ptx(out, image, bytes);
    else if (drv_is_fatbin(image, bytes))
        status = read_fatbin(out, image, bytes);
    return status ? runcu_fail_memory() : 0;
}

void core_image_fini(struct core_image *image)
{
    vec_fini(&image->kernels);
    vec_fini(&image->variables);
    vec_fini(&image->named);
    arena_fini(&image->arena);
}

int core_image_name(struct core_image *image, const runcu_program *program)
{
    for (size_t i = 0; i < program->named_count; i++) {
        const struct core_named *n = &program->named[i];
        struct core_symbol s = {
            .symbol = arena_string(&image->arena, n->symbol, strlen(n->symbol)),
            .name = arena_string(&image->arena, n->expression, strlen(n->expression))};
        if (!s.symbol || !s.name || !vec_push(&image->named, s))
            return runcu_fail_memory();
    }
    return 0;
}

const char *core_image_named(const struct core_image *image, const char *name)
{
    for (size_t i = 0; i < image->named.len; i++)
        if (strcmp(image->named.at[i].name, name) == 0 && *image->named.at[i].symbol)
            return image->named.at[i].symbol;
    return name;
}

bool core_variable_is_own(const struct core_variable *variable)
{
    static const char *const spaces[] = {
        "cuda::", "cub::", "thrust::", "cooperative_groups::", "__cudart_", "std::", "__nv"};
    bool is_users = core_symbol_is_users(&variable->id);
    for (size_t k = 0; k < ARRAY_LEN(spaces) && is_users; k++)
        is_users = strncmp(variable->id.name, spaces[k], strlen(spaces[k])) != 0;
    return is_users;
}

const struct core_symbol *core_image_own_variable(const struct core_image *image)
{
    for (size_t i = 0; i < image->variables.len; i++)
        if (core_variable_is_own(&image->variables.at[i]))
            return &image->variables.at[i].id;
    return NULL;
}

const struct core_kernel *core_image_kernel(const struct core_image *image, const char *name)
{
    return (const struct core_kernel *) core_names_find(image->kernels.at, image->kernels.len,
                                                        sizeof *image->kernels.at, name, "kernel");
}

struct core_variable *core_image_variable(const struct core_image *image, const char *name)
{
    return (struct core_variable *) core_names_find(image->variables.at, image->variables.len,
                                                    sizeof *image->variables.at, name, "variable");
}

/* What a kernel's parameters are: the size and class that PTX declares, and the type that the
 * mangled name tells. */
#include "core.h"

#include <stdio.h>
#include <string.h>

#include "image.h"

static const struct scalar {
    const char *type;
    uint8_t kind, size;
} scalars[] = {
    {"bool", RUNCU_PARAM_BOOL, 1},
    {"char", RUNCU_PARAM_INT, 1},
    {"signed char", RUNCU_PARAM_INT, 1},
    {"unsigned char", RUNCU_PARAM_UINT, 1},
    {"short", RUNCU_PARAM_INT, 2},
    {"unsigned short", RUNCU_PARAM_UINT, 2},
    {"char16_t", RUNCU_PARAM_UINT, 2},
    {"int", RUNCU_PARAM_INT, 4},
    {"unsigned int", RUNCU_PARAM_UINT, 4},
    {"wchar_t", RUNCU_PARAM_INT, 4},
    {"char32_t", RUNCU_PARAM_UINT, 4},
    {"long", RUNCU_PARAM_INT, 8},
    {"unsigned long", RUNCU_PARAM_UINT, 8},
    {"long long", RUNCU_PARAM_INT, 8},
    {"unsigned long long", RUNCU_PARAM_UINT, 8},
    {"__half", RUNCU_PARAM_FLOAT, 2},
    {"__nv_bfloat16", RUNCU_PARAM_BFLOAT, 2},
    {"__nv_fp8_e4m3", RUNCU_PARAM_E4M3, 1},
    {"__nv_fp8_e5m2", RUNCU_PARAM_E5M2, 1},
    {"float", RUNCU_PARAM_FLOAT, 4},
    {"double", RUNCU_PARAM_FLOAT, 8},
};

static const struct scalar *find_scalar(struct core_span type)
{
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        if (strlen(scalars[i].type) == type.len && memcmp(scalars[i].type, type.at, type.len) == 0)
            return &scalars[i];
    return NULL;
}

/* "float" of "const float *"; empty if the type is no pointer to an object, or one of pointers. */
static struct core_span pointee(const char *type)
{
    static const char *const qualifiers[] = {"const ", "volatile "};
    for (size_t i = 0; i < ARRAY_LEN(qualifiers); i++)
        if (strncmp(type, qualifiers[i], strlen(qualifiers[i])) == 0)
            type += strlen(qualifiers[i]);
    size_t len = strlen(type);
    if (len < 3 || (strcmp(type + len - 2, " *") != 0 && strcmp(type + len - 2, " &") != 0))
        return (struct core_span){0};
    struct core_span out = {type, len - 2};
    static const char tail[] = " volatile";
    size_t tail_len = sizeof tail - 1;
    if (out.len > tail_len && memcmp(out.at + out.len - tail_len, tail, tail_len) == 0)
        out.len -= tail_len;
    return out;
}

static void describe_pointer(runcu_param *out)
{
    struct core_span to = pointee(out->type);
    const struct scalar *scalar = find_scalar(to);
    out->kind = RUNCU_PARAM_POINTER;
    out->is_maybe_pointer = 0;
    if (scalar) {
        out->pointee_kind = scalar->kind;
        out->pointee_size = scalar->size;
    }
    out->is_pointee_const =
        to.len && !memchr(to.at, '*', to.len) && strncmp(out->type, "const ", 6) == 0;
}

int core_element_describe(size_t *bytes, const char *type)
{
    static const char *const qualifiers[] = {"const ", "volatile "};
    for (size_t i = 0; i < ARRAY_LEN(qualifiers); i++)
        if (strncmp(type, qualifiers[i], strlen(qualifiers[i])) == 0)
            type += strlen(qualifiers[i]);
    const struct scalar *scalar = find_scalar((struct core_span){type, strlen(type)});
    bool is_pointer = type[strcspn(type, "*<")] == '*';
    *bytes = scalar ? scalar->size : is_pointer ? sizeof(uint64_t) : 0;
    return scalar ? scalar->kind : is_pointer ? RUNCU_PARAM_POINTER : RUNCU_PARAM_STRUCT;
}

/* By PTX alone. An integer's sign is unknown; 8 bytes may as well be a pointer. */
static void describe_class(runcu_param *out, char class)
{
    switch (class) {
    case 'u':
        out->kind = RUNCU_PARAM_UINT;
        out->is_sign_unknown = 1;
        out->is_maybe_pointer = out->size == 8;
        break;
    case 's':
        out->kind = RUNCU_PARAM_INT;
        out->is_maybe_pointer = out->size == 8;
        break;
    case 'f':
        out->kind = RUNCU_PARAM_FLOAT;
        break;
    case 'p':
        out->kind = RUNCU_PARAM_POINTER;
        break;
    case 'b':
        out->kind = RUNCU_PARAM_STRUCT;
        break;
    default:
        out->kind = RUNCU_PARAM_UNKNOWN;
    }
}

/* Sharpens what PTX says by the C++ type, as far as the two agree. */
static void describe_type(runcu_param *out, char class)
{
    size_t len = strlen(out->type);
    const struct scalar *scalar = find_scalar((struct core_span){out->type, len});
    bool is_integer = class == 'u' || class == 's', is_open = class == '?';
    bool is_plain_type = scalar && scalar->kind <= RUNCU_PARAM_FLOAT;
    if (is_plain_type && scalar->size == out->size &&
        (is_open || (scalar->kind == RUNCU_PARAM_FLOAT) == (class == 'f'))) {
        out->kind = scalar->kind;
        out->is_sign_unknown = out->is_maybe_pointer = 0;
    } else if (out->size == 8 && (is_integer || is_open || class == 'p') &&
               strpbrk(out->type, "*&")) {
        describe_pointer(out);
    } else if (is_integer && !scalar) {
        out->is_maybe_pointer = 0; /* an enumeration */
    }
}

bool core_param_describe(runcu_param *out, const struct core_ptx_param *ptx, struct core_span type,
                         struct arena *arena)
{
    *out = (runcu_param){.size = ptx->size, .offset = ptx->offset, .align = ptx->align, .type = ""};
    describe_class(out, ptx->class);
    if (!type.len)
        return true;
    struct str text = {0};
    core_type_text(&text, type);
    out->type = text.failed ? NULL : arena_string(arena, str_text(&text), text.len);
    str_fini(&text);
    if (!out->type)
        return false;
    describe_type(out, ptx->class);
    return true;
}

void core_param_text(struct str *out, const runcu_param *p)
{
    if (*p->type)
        str_add(out, p->type);
    else if (p->kind == RUNCU_PARAM_FLOAT)
        str_add(out, p->size == 8 ? "double" : p->size == 4 ? "float" : "half");
    else if (p->kind == RUNCU_PARAM_POINTER)
        str_add(out, "pointer");
    else if (p->is_maybe_pointer)
        str_add(out, "pointer or 8-byte integer");
    else
        str_addf(out, "%u-byte %s", (unsigned) p->size,
                 p->kind == RUNCU_PARAM_STRUCT ? "struct"
                 : p->kind                     ? "integer"
                                               : "value");
}

const char *core_element_name(char *buffer, size_t bytes, int kind, size_t size)
{
    static const char *const words[] = {
        [RUNCU_PARAM_INT] = "int", [RUNCU_PARAM_UINT] = "uint", [RUNCU_PARAM_FLOAT] = "float"};
    if (kind == RUNCU_PARAM_BOOL)
        snprintf(buffer, bytes, "bool");
    else if (kind >= RUNCU_PARAM_BFLOAT && kind <= RUNCU_PARAM_E5M2)
        snprintf(buffer, bytes, "%s",
                 kind == RUNCU_PARAM_BFLOAT ? "bfloat16"
                 : kind == RUNCU_PARAM_E4M3 ? "float8_e4m3fn"
                                            : "float8_e5m2");
    else if (kind > 0 && kind < (int) ARRAY_LEN(words) && words[kind])
        snprintf(buffer, bytes, "%s%zu", words[kind], 8 * size);
    else
        snprintf(buffer, bytes, "%zu bytes each", size);
    return buffer;
}

/* Integers and bools are of one class, each format of floats is one. 0: structs and the like. */
static int class_of(int kind)
{
    switch (kind) {
    case RUNCU_PARAM_BOOL:
    case RUNCU_PARAM_INT:
    case RUNCU_PARAM_UINT:
        return RUNCU_PARAM_INT;
    case RUNCU_PARAM_FLOAT:
    case RUNCU_PARAM_BFLOAT:
    case RUNCU_PARAM_E4M3:
    case RUNCU_PARAM_E5M2:
        return kind;
    default:
        return 0;
    }
}

bool core_element_fits(const runcu_param *param, int kind, size_t size)
{
    int class = class_of(kind), wanted = class_of(param->pointee_kind);
    if (!class || !wanted)
        return true; /* vectors and structs over plain elements are common, and right */
    if (param->pointee_size == 1 && wanted == RUNCU_PARAM_INT &&
        param->pointee_kind != RUNCU_PARAM_BOOL)
        return true; /* char * is how C says "bytes" */
    if (wanted > RUNCU_PARAM_FLOAT && class == RUNCU_PARAM_INT && size == param->pointee_size)
        return true; /* NumPy has no such floats, and people keep their bits in integers */
    return class == wanted && size == param->pointee_size;
}

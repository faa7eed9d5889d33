/* Variables of modules. Of which type one is, only the compiler knows: a module from source is
 * compiled once more, with a template that is instantiated for the type of each variable, whose
 * mangled name then tells. Otherwise what PTX says has to do. */
#include "runcu/variable.h"

#include <ctype.h>
#include <string.h>

#include "core/image.h"
#include "core/program.h"
#include "runcu/memory.h"

/* References because decltype() refuses the names of managed variables. The second argument is what
 * elements are, enumerations being their integers. */
static const char asker[] =
    "\nextern \"C++\" {\n"
    "template <class T> struct runcu_bare { typedef T type; };\n"
    "template <class T> struct runcu_bare<T &> { typedef T type; };\n"
    "template <class T, bool> struct runcu_plain { typedef T type; };\n"
    "template <class T> struct runcu_plain<T, true> { typedef __underlying_type(T) type; };\n"
    "template <class T> struct runcu_element : runcu_plain<T, __is_enum(T)> {};\n"
    "template <class T, decltype(sizeof 0) N> struct runcu_element<T[N]> : runcu_element<T> {};\n"
    "template <class T, class E> __global__ void runcu_type_of() {}\n"
    "}\n";

enum { MOST_ASKED = 64 };

/* The variables that a compile is to tell of, and its name expressions. */
struct query {
    struct arena arena;
    struct core_variable *variables[MOST_ASKED];
    const char *expressions[MOST_ASKED];
    size_t count;
};

/* Its name as the source has it: "k" of "(anonymous namespace)::k". */
static const char *source_name(const struct core_variable *v)
{
    static const char nameless[] = "(anonymous namespace)::";
    const char *name = v->id.name, *last;
    while ((last = strstr(name, nameless)))
        name = last + strlen(nameless);
    return name;
}

/* Not those of functions: "f(int)::count". */
static bool has_source_name(const struct core_variable *v)
{
    const char *name = source_name(v);
    return core_variable_is_own(v) && !strpbrk(name, "($") &&
           (isalpha((unsigned char) *name) || *name == '_' || (unsigned char) *name >= 128);
}

static bool add(struct query *q, struct core_variable *v)
{
    struct str text = {0};
    const char *name = source_name(v);
    if (q->count == MOST_ASKED || !has_source_name(v))
        return true;
    str_addf(&text,
             "runcu_type_of<runcu_bare<decltype((%s))>::type, "
             "runcu_element<runcu_bare<decltype((%s))>::type>::type>",
             name, name);
    const char *copy = text.failed ? NULL : arena_string(&q->arena, str_text(&text), text.len);
    str_fini(&text);
    if (!copy)
        return false;
    q->variables[q->count] = v;
    q->expressions[q->count++] = copy;
    return true;
}

static int compile(runcu_program **out, const runcu_module *module, const struct query *q)
{
    struct str source = {0};
    runcu_program_params params = module->recipe->params;
    params.name_expressions = q->expressions;
    params.name_expression_count = q->count;
    params.device = module->context->device;
    str_addf(&source, "%s%s", module->recipe->source, asker);
    int status =
        source.failed ? runcu_fail_memory() : runcu_program_compile(out, source.at, &params);
    str_fini(&source);
    return status;
}

static const char *keep_type(struct arena *arena, struct core_span *arguments)
{
    struct core_span type;
    struct str text = {0};
    if (core_next_param(&type, arguments))
        core_type_text(&text, type);
    const char *copy = text.failed ? NULL : arena_string(arena, str_text(&text), text.len);
    str_fini(&text);
    return copy;
}

/* From "void runcu_type_of<float [4], float>()"; with the lock held. */
static void keep_answer(runcu_module *module, struct core_variable *v, const char *symbol)
{
    struct str text = {0};
    struct core_span name, params;
    if (symbol && core_demangle(&text, symbol)) {
        core_split_name(&name, &params, str_text(&text));
        const char *open = memchr(name.at, '<', name.len);
        if (open && name.at[name.len - 1] == '>') {
            struct core_span list = {open + 1, (size_t) (name.at + name.len - open) - 2};
            const char *type = keep_type(&module->image.arena, &list);
            const char *element = keep_type(&module->image.arena, &list);
            if (type && element && *element)
                v->type = type, v->element = element;
        }
    }
    str_fini(&text);
}

/* False if it does not compile. */
static bool answer(runcu_module *module, const struct query *q)
{
    runcu_program *program = NULL;
    bool done = q->count && compile(&program, module, q) == 0;
    core_lock();
    for (size_t i = 0; done && i < q->count; i++) {
        const char *symbol = runcu_program_lowered_name(program, q->expressions[i]);
        if (!q->variables[i]->type)
            keep_answer(module, q->variables[i], symbol);
        q->variables[i]->was_asked = true;
    }
    core_unlock();
    runcu_program_destroy(&program);
    return done;
}

/* All variables at once; if one of them has no type with a name, `wanted` alone. */
static void ask(runcu_module *module, struct core_variable *wanted)
{
    struct query all = {0}, one = {0};
    bool ok = add(&all, wanted) && add(&one, wanted);
    for (size_t i = 0; ok && i < module->image.variables.len; i++) {
        struct core_variable *v = &module->image.variables.at[i];
        ok = v == wanted || add(&all, v);
    }
    if (ok && !answer(module, &all) && all.count > 1)
        answer(module, &one);
    core_lock();
    wanted->was_asked = true;
    core_unlock();
    arena_fini(&all.arena);
    arena_fini(&one.arena);
}

/* --- what is known, as its reader gets it --- */

/* The extents behind an array's type: " [4][3]"; false if they are not understood. */
static bool read_extents(runcu_variable *out, const char *type)
{
    const char *at = type + strlen(type);
    size_t extents[RUNCU_VARIABLE_DIMS], count = 0;
    while (at > type && at[-1] == ']') {
        const char *digits = --at;
        size_t value = 0;
        while (digits > type && isdigit((unsigned char) digits[-1]))
            digits--;
        if (digits == type || digits[-1] != '[' || count == RUNCU_VARIABLE_DIMS)
            return false;
        for (const char *p = digits; p < at; p++)
            value = 10 * value + (size_t) (*p - '0');
        extents[count++] = value;
        at = digits - 1;
    }
    out->dims = count;
    for (size_t i = 0; i < count; i++)
        out->shape[i] = extents[count - 1 - i];
    return true;
}

/* An array of what is left of the bytes; bytes, if they do not come out. */
static void divide(runcu_variable *out)
{
    size_t count = 1;
    for (size_t i = 0; i < out->dims; i++)
        count = out->shape[i] && count <= out->bytes / out->shape[i] ? count * out->shape[i] : 0;
    if (count && out->bytes % count == 0 && (!out->item || out->item * count == out->bytes)) {
        out->item = out->bytes / count;
        return;
    }
    out->kind = RUNCU_PARAM_UNKNOWN;
    out->item = out->dims = 1;
    out->shape[0] = out->bytes;
}

static void describe_by_compiler(runcu_variable *out, const struct core_variable *v)
{
    out->type = v->type;
    out->element = v->element;
    out->kind = core_element_describe(&out->item, v->element);
    if (!read_extents(out, v->type)) { /* bytes, then */
        out->dims = 1;
        out->shape[0] = 0;
    }
}

static void describe_by_ptx(runcu_variable *out, const struct core_variable *v)
{
    static const int kinds[] = {
        ['u'] = RUNCU_PARAM_UINT, ['s'] = RUNCU_PARAM_INT, ['f'] = RUNCU_PARAM_FLOAT};
    unsigned char class = (unsigned char) v->ptx.class;
    bool is_bytes = v->ptx.size <= 1 && v->dims;
    out->dims = v->dims;
    memcpy(out->shape, v->shape, sizeof out->shape);
    if (class && class < ARRAY_LEN(kinds) && kinds[class] && !is_bytes) {
        out->kind = kinds[class];
        out->item = v->ptx.size;
    } else {
        out->item = 1;
        out->dims = 1;
        out->shape[0] = out->bytes;
    }
}

static struct core_variable *find(runcu_module *module, const char *name)
{
    return core_image_variable(&module->image, core_image_named(&module->image, name));
}

static int locate(CUdeviceptr *address, size_t *bytes, runcu_module *module, const char *symbol)
{
    struct core_scope scope;
    int status = core_enter(&scope, module->context);
    if (status)
        return status;
    status =
        CU_CALL(module->context->driver, cuModuleGetGlobal, address, bytes, module->handle, symbol);
    core_leave(&scope);
    return status;
}

int runcu_module_get_global(uint64_t *address, size_t *bytes, runcu_module *module,
                            const char *name)
{
    CORE_NEED(address);
    CORE_NEED(module);
    CORE_NEED(name);
    CUdeviceptr at = 0;
    size_t size = 0;
    *address = 0;
    if (bytes)
        *bytes = 0;
    if (core_module_now(&module, module) != 0)
        return core_last_status();
    if (module->image.is_known) {
        const struct core_variable *v = find(module, name);
        if (!v)
            return core_last_status();
        name = v->id.symbol;
    }
    int status = locate(&at, &size, module, name);
    *address = at;
    if (bytes)
        *bytes = size;
    return status;
}

/* Of an image that tells nothing: bytes. */
static int describe_unknown(runcu_variable *out, runcu_module *module, const char *name)
{
    int status = runcu_module_get_global(&out->address, &out->bytes, module, name);
    out->is_constant = -1;
    out->item = out->dims = 1;
    out->shape[0] = out->bytes;
    return status;
}

int runcu_module_get_variable(runcu_variable *out, runcu_module *module, const char *name)
{
    CORE_NEED(out);
    CORE_NEED(module);
    CORE_NEED(name);
    *out = (runcu_variable){.name = "", .symbol = "", .type = "", .element = ""};
    if (core_module_now(&module, module) != 0)
        return core_last_status();
    if (!module->image.is_known)
        return describe_unknown(out, module, name);
    struct core_variable *v = find(module, name);
    CUdeviceptr at = 0;
    int status = v ? locate(&at, &out->bytes, module, v->id.symbol) : core_last_status();
    if (status)
        return status;
    core_lock();
    bool was_asked = v->was_asked || !module->recipe;
    core_unlock();
    if (!was_asked)
        ask(module, v);
    out->name = v->id.name;
    out->symbol = v->id.symbol;
    out->address = at;
    out->is_constant = v->is_constant;
    core_lock();
    if (v->type)
        describe_by_compiler(out, v);
    else
        describe_by_ptx(out, v);
    core_unlock();
    divide(out);
    return 0;
}

const char *runcu_module_variable_name(const runcu_module *module, size_t index)
{
    runcu_module *now;
    if (!module || core_module_now(&now, (runcu_module *) (uintptr_t) module) != 0)
        return NULL;
    module = now;
    for (size_t i = 0; i < module->image.variables.len; i++)
        if (core_variable_is_own(&module->image.variables.at[i]) && !index--)
            return module->image.variables.at[i].id.name;
    return NULL;
}

/* --- contents --- */

/* Some bytes of a variable, in the code of now, whose context is current until core_leave. */
struct part {
    const char *name;
    size_t offset, bytes;
    uint64_t address;
    struct core_scope scope;
};

static int reach(struct part *p, runcu_module *module)
{
    size_t size = 0;
    int status = core_module_now(&module, module);
    if (!status)
        status = runcu_module_get_global(&p->address, &size, module, p->name);
    if (status)
        return status;
    if (p->offset > size || p->bytes > size - p->offset)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "%zu bytes at offset %zu are not inside the variable \"%s\", which has "
                          "%zu bytes",
                          p->bytes, p->offset, p->name, size);
    p->address += p->offset;
    return core_enter(&p->scope, module->context);
}

int runcu_module_write(runcu_module *module, const char *name, size_t offset, const void *from,
                       size_t bytes)
{
    CORE_NEED(module);
    CORE_NEED(name);
    CORE_NEED(from);
    struct part p = {.name = name, .offset = offset, .bytes = bytes};
    int status = reach(&p, module);
    if (status)
        return status;
    status = runcu_copy_htod(p.address, from, bytes);
    core_leave(&p.scope);
    return status;
}

int runcu_module_read(void *to, runcu_module *module, const char *name, size_t offset, size_t bytes)
{
    CORE_NEED(to);
    CORE_NEED(module);
    CORE_NEED(name);
    struct part p = {.name = name, .offset = offset, .bytes = bytes};
    int status = reach(&p, module);
    if (status)
        return status;
    status = runcu_copy_dtoh(to, p.address, bytes);
    core_leave(&p.scope);
    return status;
}

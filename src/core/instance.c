/* Instances of templates that a source has but does not ask for itself: made when a kernel of that
 * name is wanted, each a module of its own, from the same source and options. */
#include <string.h>

#include "image.h"
#include "program.h"

/* "ns::axpy<float>" of "ns::axpy<float>(float, float *)". NULL when memory is short. */
static char *expression_of(struct arena *arena, const char *name)
{
    struct core_span text, params;
    core_split_name(&text, &params, name);
    return arena_string(arena, text.at, text.len);
}

/* Can the source have a template of that name at all? Where it includes others, nobody knows. */
static bool may_have(const struct core_recipe *recipe, const char *name)
{
    struct core_span whole = {name, strlen(name)}, bare = core_without_arguments(whole);
    const char *end = bare.at + bare.len, *start = end;
    while (start > bare.at && start[-1] != ':')
        start--;
    return strstr(recipe->source, "include") ||
           memmem(recipe->source, strlen(recipe->source), start, (size_t) (end - start));
}

/* The instances that exist, counted where found. NULL: none of them. */
static runcu_module *find(runcu_module *module, const char *expression)
{
    runcu_module *found;
    core_lock();
    for (found = module->instances; found; found = found->next)
        if (core_image_named(&found->image, expression) != expression)
            break;
    if (found)
        runcu_module_retain(found);
    core_unlock();
    return found;
}

static int compile(runcu_program **out, const runcu_module *module, const char *expression)
{
    runcu_program_params params = module->recipe->params;
    params.name_expressions = &expression;
    params.name_expression_count = 1;
    params.device = module->context->device;
    return runcu_program_compile(out, module->recipe->source, &params);
}

static int load(runcu_module **out, runcu_module *module, const runcu_program *program)
{
    struct core_scope scope;
    int status = core_enter(&scope, module->context);
    if (status)
        return status;
    status = runcu_module_from_program(out, program);
    core_leave(&scope);
    if (!status)
        (*out)->is_instance = true;
    return status;
}

static int make(runcu_module **out, runcu_module *module, const char *expression)
{
    runcu_program *program = NULL;
    int status = compile(&program, module, expression);
    if (!status)
        status = load(out, module, program);
    runcu_program_destroy(&program);
    if (status)
        return status;
    core_lock();
    (*out)->next = module->instances;
    module->instances = runcu_module_retain(*out);
    core_unlock();
    return 0;
}

static int refuse(const runcu_module *module, const char *expression)
{
    const struct core_symbol *v = core_image_own_variable(&module->image);
    if (!v)
        return 0;
    int status = runcu_fail(RUNCU_ERROR_NAME,
                            "an instance \"%s\" made now would have a copy of its own of the "
                            "variable \"%s\"",
                            expression, v->name);
    runcu_fail_detail("Ask for it when the source is compiled: name_expressions=[\"%s\"].",
                      expression);
    return status;
}

int core_instance_get(runcu_function **out, runcu_module *module, const char *name)
{
    struct arena arena = {0};
    runcu_module *instance = NULL;
    int status = core_last_status();
    if (module->is_instance || status != RUNCU_ERROR_NAME || !strchr(name, '<'))
        return status;
    if (!module->recipe) {
        runcu_fail_detail(
            "Without its source the module cannot be given more instances of templates: ask "
            "for them when it is compiled (name_expressions, runcu compile --name).");
        return status;
    }
    char *expression = expression_of(&arena, name);
    if (!expression)
        status = runcu_fail_memory();
    else if (may_have(module->recipe, expression))
        status = refuse(module, expression);
    if (!status && !(instance = find(module, expression)))
        status = make(&instance, module, expression);
    if (!status)
        status = runcu_module_get_function(out, instance, expression);
    if (instance)
        runcu_module_release(&instance);
    arena_fini(&arena);
    return status;
}

void core_instances_release(runcu_module *module)
{
    while (module->instances) {
        runcu_module *first = module->instances;
        module->instances = first->next;
        first->next = NULL;
        runcu_module_release(&first);
    }
}

/* Bound launches: shape and arguments fixed once, launched again and again. Not here: what a launch
 * is (launch.c), how arguments are laid out (pack.c). */
#include "launch.h"

#include <string.h>

#include "base/alloc.h"

struct runcu_bound {
    struct core_launch launch;
    runcu_launch_params params;
    struct core_args args; /* as they were given, for those that travel */
    runcu_arg *list;       /* of args */
    char *spare;           /* room to pack in before something is replaced */
    size_t room;           /* bytes of either buffer */
    void *pointers[CORE_POINTERS];
};

/* From here on nothing of the caller's is read again, but what travels: bytes are in the buffer,
 * memory is its address. */
static void keep(runcu_bound *b)
{
    const runcu_function *f = b->launch.function;
    for (size_t i = 0, offset = 0; i < b->args.count; i++) {
        runcu_arg *a = &b->list[i];
        offset = f->count < 0 ? core_pack_offset(offset, a) : f->params[i].offset;
        size_t size = f->count < 0 ? core_pack_size(a) : 0;
        if (a->kind == RUNCU_ARG_BYTES)
            a->value.p = b->launch.buffer + offset;
        else if (a->kind == RUNCU_ARG_MEM)
            *a = runcu_address(a->value.mem->address);
        offset += size;
    }
}

/* Packs the list into the spare buffer, which becomes the launch's if all of it fits. */
static int repack(runcu_bound *b, const struct core_args *args)
{
    struct core_packed packed;
    int status = core_pack(&packed, b->spare, b->room, b->launch.function, args);
    if (status)
        return status;
    char *old = b->launch.buffer;
    b->launch.buffer = b->spare;
    b->spare = old;
    b->launch.packed = packed;
    core_launch_point(&b->launch, b->pointers);
    keep(b);
    return 0;
}

static int take_shape(runcu_bound *b, const runcu_launch_params *params)
{
    struct core_launch l = b->launch;
    runcu_launch_params whole;
    core_params(&whole, sizeof whole, params);
    int status = core_launch_shape(&l, &whole);
    if (status)
        return status;
    b->params = whole;
    if (l.params)
        l.params = &b->params;
    b->launch = l;
    b->args.is_strict = whole.strict != 0;
    return 0;
}

static int fill(runcu_bound *b, const runcu_launch_params *params, const runcu_arg *args,
                size_t count)
{
    runcu_function *f = b->launch.function;
    b->room = f->count < 0 ? CORE_PACK_STACK : MAX(f->bytes, 1);
    b->launch.buffer = alloc_new(b->room);
    b->spare = alloc_new(b->room);
    b->list = alloc_zero(MAX(count, 1), sizeof *b->list);
    if (!b->launch.buffer || !b->spare || !b->list)
        return runcu_fail_memory();
    if (count)
        memcpy(b->list, args, count * sizeof *args);
    b->args.at = b->list;
    b->args.count = count;
    int status = take_shape(b, params);
    return status ? status : repack(b, &b->args);
}

int runcu_bound_create(runcu_bound **out, runcu_function *function,
                       const runcu_launch_params *params, const runcu_arg *args, size_t count)
{
    CORE_OUT(out);
    CORE_NEED(function);
    CORE_NEED(params);
    if (count)
        CORE_NEED(args);
    runcu_bound *b = core_new(sizeof *b);
    if (!b)
        return RUNCU_ERROR_MEMORY;
    b->launch.function = runcu_function_retain(function);
    int status = fill(b, params, args, count);
    if (status)
        runcu_bound_destroy(&b);
    *out = b;
    return status;
}

int runcu_bound_set(runcu_bound *bound, size_t index, const runcu_arg *arg)
{
    CORE_NEED(bound);
    CORE_NEED(arg);
    if (index >= bound->args.count)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s: there is no argument %zu, the last is %zu",
                          bound->launch.function->signature, index, bound->args.count - 1);
    runcu_arg old = bound->list[index];
    bound->list[index] = *arg;
    int status = repack(bound, &bound->args);
    if (status)
        bound->list[index] = old;
    return status;
}

int runcu_bound_shape(runcu_bound *bound, const runcu_launch_params *params)
{
    CORE_NEED(bound);
    CORE_NEED(params);
    return take_shape(bound, params);
}

HOT int runcu_bound_launch(const runcu_bound *bound)
{
    CORE_NEED(bound);
    if (LIKELY(!bound->launch.packed.host_count))
        return core_launch_run(&bound->launch, &bound->args);
    /* Addresses of what travels are written into the buffer, and other threads may launch it too.
     */
    struct core_launch l = bound->launch;
    void *pointers[CORE_POINTERS];
    l.buffer = alloc_new(bound->room);
    if (!l.buffer)
        return runcu_fail_memory();
    memcpy(l.buffer, bound->launch.buffer, bound->launch.packed.bytes);
    core_launch_point(&l, pointers);
    int status = core_launch_run(&l, &bound->args);
    alloc_free(l.buffer);
    return status;
}

size_t runcu_bound_count(const runcu_bound *bound)
{
    return bound ? bound->args.count : 0;
}

runcu_function *runcu_bound_function(const runcu_bound *bound)
{
    return bound ? bound->launch.function : NULL;
}

void runcu_bound_destroy(runcu_bound **bound)
{
    if (!bound)
        return;
    runcu_bound *b = *bound;
    *bound = NULL;
    if (!b)
        return;
    runcu_function_release(&b->launch.function);
    alloc_free(b->launch.buffer);
    alloc_free(b->spare);
    alloc_free(b->list);
    core_delete(b);
}

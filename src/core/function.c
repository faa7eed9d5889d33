/* Functions: the kernels of a module, with what is known of their parameters. */
#include "core.h"

#include <string.h>

#include "base/alloc.h"
#include "image.h"
#include "launch.h"

/* Where the image does not tell, newer drivers do, sizes and offsets at least. */
static int ask_params(runcu_function *f)
{
    const struct drv_table *cu = &f->driver->cu;
    VEC(struct core_ptx_param) list = {0};
    struct core_span name, types = {0};
    struct str demangled = {0};
    size_t offset, size;
    bool ok = true;
    CUresult code = cu->cuFuncGetParamInfo ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
    for (size_t i = 0; ok && !code; i++) {
        code = cu->cuFuncGetParamInfo(f->handle, i, &offset, &size);
        if (!code)
            ok = vec_push(&list,
                          (struct core_ptx_param){'?', (uint32_t) size, 1, (uint32_t) offset});
    }
    if (ok && code != CUDA_ERROR_INVALID_VALUE) { /* which is the end of the list */
        vec_fini(&list);
        return 0;
    }
    if (core_demangle(&demangled, f->symbol))
        core_split_name(&name, &types, str_text(&demangled));
    if (ok)
        f->params = core_describe_params(&f->arena, list.at, list.len, types);
    f->count = (int) list.len;
    if (f->params)
        f->signature = core_signature(&f->arena, f->name, f->params, f->count);
    vec_fini(&list);
    str_fini(&demangled);
    return f->params && f->signature ? 0 : runcu_fail_memory();
}

/* Buffer size and padding follow from the parameters. */
static void plan(runcu_function *f)
{
    uint32_t end = 0;
    for (int i = 0; i < f->count; i++) {
        f->has_padding = f->has_padding || f->params[i].offset != end;
        end = f->params[i].offset + f->params[i].size;
    }
    f->bytes = end;
}

static int name_function(runcu_function *f, const struct core_kernel *kernel, const char *name)
{
    f->count = kernel ? kernel->count : -1;
    if (kernel) {
        f->params = kernel->params;
        f->name = kernel->id.name;
        f->symbol = kernel->id.symbol;
        f->signature = kernel->id.text;
        return 0;
    }
    f->name = f->symbol = arena_string(&f->arena, name, strlen(name));
    f->signature = f->name ? core_signature(&f->arena, f->name, NULL, -1) : NULL;
    return f->signature ? 0 : runcu_fail_memory();
}

static int get_handle(runcu_function *f)
{
    struct core_driver *driver = f->driver;
    CUresult code = driver->cu.cuModuleGetFunction(&f->handle, f->module->handle, f->symbol);
    int status = core_check(driver, "cuModuleGetFunction", code);
    if (!status)
        return f->count < 0 ? ask_params(f) : 0;
    if (code == CUDA_ERROR_NOT_FOUND) {
        core_fail_better();
        runcu_fail_detail("There is no kernel \"%s\" (its image does not tell which there are).",
                          f->symbol);
        return core_set_status(RUNCU_ERROR_NAME);
    }
    core_explain_load(f->module, code);
    return status;
}

int core_function_create(runcu_function **out, runcu_module *module, const char *name)
{
    struct core_scope scope;
    const struct core_kernel *kernel = NULL;
    if (module->image.is_known) {
        kernel = core_image_kernel(&module->image, core_image_named(&module->image, name));
        if (!kernel)
            return core_instance_get(out, module, name);
    }
    runcu_function *f = core_new(sizeof *f);
    if (!f)
        return RUNCU_ERROR_MEMORY;
    f->refs = 1;
    f->module = runcu_module_retain(module);
    f->context = module->context;
    f->driver = module->context->driver;
    f->prints = module->prints;
    int status = name_function(f, kernel, name);
    if (!status)
        status = core_enter(&scope, module->context);
    if (!status) {
        status = get_handle(f);
        core_leave(&scope);
    }
    plan(f);
    if (status)
        runcu_function_release(&f);
    *out = f;
    return status;
}

/* Makes the kernel follow what the module follows. */
static int lead(runcu_function **function, runcu_module *leader, runcu_module *asked,
                const char *name)
{
    runcu_function *f = *function;
    f->asked = asked;
    f->leader = runcu_module_retain(leader);
    f->asked_name = arena_string(&f->arena, name, strlen(name));
    if (f->asked_name)
        return 0;
    runcu_function_release(function);
    return runcu_fail_memory();
}

int runcu_module_get_function(runcu_function **out, runcu_module *module, const char *name)
{
    CORE_OUT(out);
    CORE_NEED(module);
    CORE_NEED(name);
    runcu_module *now;
    int status = core_module_now(&now, module);
    if (!status)
        status = core_function_create(out, now, name);
    return status || !module->follow ? status : lead(out, module, now, name);
}

/* The module that the driver says the handle is of, and the name; wrapped. */
static int find_wrapped(runcu_module **module, const char **name, CUfunction handle)
{
    struct core_driver *driver;
    CUcontext context;
    CUmodule theirs = NULL;
    int status = core_current(&driver, &context);
    if (status)
        return status;
    if (!driver->cu.cuFuncGetModule)
        return runcu_fail(RUNCU_ERROR_UNSUPPORTED, "this driver does not tell a kernel's module");
    status = CU_CALL(driver, cuFuncGetModule, &theirs, handle);
    if (status)
        return status;
    *name = NULL;
    if (!driver->cu.cuFuncGetName || driver->cu.cuFuncGetName(name, handle) || !*name)
        *name = "kernel";
    return runcu_module_wrap(module, (uintptr_t) theirs);
}

int runcu_function_wrap(runcu_function **out, uint64_t handle)
{
    CORE_OUT(out);
    runcu_module *module;
    const char *name;
    CUfunction theirs = (CUfunction) (uintptr_t) handle;
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no kernel");
    int status = find_wrapped(&module, &name, theirs);
    if (status)
        return status;
    runcu_function *f = core_new(sizeof *f);
    if (!f) {
        runcu_module_release(&module);
        return RUNCU_ERROR_MEMORY;
    }
    f->refs = 1;
    f->module = module;
    f->context = module->context;
    f->driver = module->context->driver;
    f->handle = theirs;
    status = name_function(f, NULL, name);
    if (!status)
        status = ask_params(f);
    plan(f);
    if (status)
        runcu_function_release(&f);
    *out = f;
    return status;
}

runcu_function *runcu_function_retain(runcu_function *function)
{
    if (function)
        atomic_fetch_add(&function->refs, 1);
    return function;
}

void runcu_function_release(runcu_function **function)
{
    if (!function)
        return;
    runcu_function *f = *function;
    *function = NULL;
    if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    core_history_forget(f);
    while (f->peers) {
        struct core_peer *peer = f->peers;
        f->peers = peer->next;
        runcu_function_release(&peer->function);
        alloc_free(peer);
    }
    runcu_module_release(&f->leader);
    runcu_module_release(&f->module);
    arena_fini(&f->arena);
    core_delete(f);
}

uint64_t runcu_function_handle(const runcu_function *function)
{
    return function ? (uintptr_t) function->handle : 0;
}

runcu_module *runcu_function_module(const runcu_function *function)
{
    return function ? function->module : NULL;
}

const char *runcu_function_name(const runcu_function *function)
{
    return function ? function->name : "";
}

const char *runcu_function_symbol(const runcu_function *function)
{
    return function ? function->symbol : "";
}

const char *runcu_function_signature(const runcu_function *function)
{
    return function ? function->signature : "";
}

const runcu_param *runcu_function_params(const runcu_function *function, int *count)
{
    if (count)
        *count = function ? function->count : -1;
    return function ? function->params : NULL;
}

/* NVIDIA's driver does not survive numbers that are far from any attribute's. */
static bool is_attribute(int attribute)
{
    enum { MOST = 64 };
    return attribute >= 0 && attribute < MOST;
}

int runcu_function_get_attribute(int *out, runcu_function *function, int attribute)
{
    CORE_NEED(out);
    CORE_NEED(function);
    struct core_scope scope;
    *out = 0;
    if (!is_attribute(attribute))
        return core_check(function->driver, "cuFuncGetAttribute", CUDA_ERROR_INVALID_VALUE);
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuFuncGetAttribute, out, attribute, function->handle);
    core_leave(&scope);
    return status;
}

int core_function_set(runcu_function *function, int attribute, int value)
{
    struct core_scope scope;
    if (!is_attribute(attribute))
        return core_check(function->driver, "cuFuncSetAttribute", CUDA_ERROR_INVALID_VALUE);
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuFuncSetAttribute, function->handle, attribute, value);
    core_leave(&scope);
    return status;
}

int runcu_function_set_attribute(runcu_function *function, int attribute, int value)
{
    CORE_NEED(function);
    int status = core_function_set(function, attribute, value);
    if (!status && attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
        atomic_store(&function->shared_limit, (size_t) MAX(value, 0));
    return status;
}

int runcu_function_set_cache_config(runcu_function *function, int config)
{
    CORE_NEED(function);
    struct core_scope scope;
    if (config < 0 || config > 3)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "there is no configuration of the cache %d",
                          config);
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuFuncSetCacheConfig, function->handle, config);
    core_leave(&scope);
    return status;
}

int runcu_function_set_shared_config(runcu_function *function, int config)
{
    CORE_NEED(function);
    struct core_scope scope;
    if (config < 0 || config > 2)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "there is no configuration of shared memory %d",
                          config);
    if (!function->driver->cu.cuFuncSetSharedMemConfig)
        return 0;
    int status = core_enter(&scope, function->context);
    if (status)
        return status;
    status = CU_CALL(function->driver, cuFuncSetSharedMemConfig, function->handle, config);
    core_leave(&scope);
    return status;
}

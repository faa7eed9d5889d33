/* Options of the driver's compiler, and linking by it. */
#include "core.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "jit.h"
#include "library.h"

struct runcu_link {
    runcu_context *context;
    CUlinkState handle;
    bool has_input;
    void *image; /* once it is complete; the driver's */
    size_t bytes;
    struct core_jit jit; /* the driver writes to it as long as the link lives */
};

/* --- options --- */

static void add_option(struct core_jit *jit, int option, uint64_t value)
{
    jit->options[jit->count] = option;
    jit->values[jit->count++] = (void *) (uintptr_t) value;
}

static void add_log(struct core_jit *jit, int buffer, int size, char *text, size_t bytes)
{
    if (!text || !bytes)
        return;
    *text = 0;
    add_option(jit, buffer, (uintptr_t) text);
    add_option(jit, size, MIN(bytes, UINT32_MAX) - 1);
}

int core_jit_init(struct core_jit *out, const runcu_jit_params *given)
{
    runcu_jit_params p = {0};
    if (given)
        memcpy(&p, given, given->size ? MIN(given->size, sizeof p) : sizeof p);
    if (p.option_count > CORE_JIT_OPTIONS)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%zu options of the compiler: at most %d",
                          p.option_count, CORE_JIT_OPTIONS);
    *out = (struct core_jit){.error_log = out->own_log};
    size_t bytes = sizeof out->own_log;
    if (p.error_log && p.error_log_size) {
        out->error_log = p.error_log;
        bytes = p.error_log_size;
    }
    out->error_log_end = &out->error_log[bytes - 1];
    out->info_log_end = p.info_log && p.info_log_size ? &p.info_log[p.info_log_size - 1] : NULL;
    add_log(out, CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, out->error_log,
            bytes);
    add_log(out, CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, p.info_log,
            p.info_log_size);
    if (p.is_verbose)
        add_option(out, CU_JIT_LOG_VERBOSE, 1);
    for (size_t i = 0; i < p.option_count; i++)
        if (p.options[i] < CU_JIT_INFO_LOG_BUFFER ||
            p.options[i] > CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
            add_option(out, p.options[i], p.values[i]);
    return 0;
}

void core_jit_explain(struct core_jit *jit)
{
    *jit->error_log_end = 0;
    if (jit->info_log_end)
        *jit->info_log_end = 0;
    size_t len = strlen(jit->error_log);
    while (len && jit->error_log[len - 1] == '\n')
        jit->error_log[--len] = 0;
    core_fail_better();
    if (len)
        runcu_fail_detail("%s", jit->error_log);
}

/* --- linking --- */

static int enter(struct core_scope *scope, const runcu_link *link)
{
    return core_enter(scope, link->context);
}

static int leave(struct core_scope *scope, runcu_link *link, int status)
{
    if (status && *link->jit.error_log) /* without a log the device's own words stay */
        core_jit_explain(&link->jit);
    core_leave(scope);
    return status;
}

static int start(runcu_link *link, const runcu_jit_params *params)
{
    int status = core_context_get(&link->context);
    if (status)
        return status;
    struct core_driver *driver = link->context->driver;
    if (!driver->cu.cuLinkCreate || !driver->cu.cuLinkAddData || !driver->cu.cuLinkComplete ||
        !driver->cu.cuLinkDestroy)
        return core_check(driver, "cuLinkCreate", CUDA_ERROR_NOT_SUPPORTED);
    status = core_jit_init(&link->jit, params);
    if (status)
        return status;
    return CU_CALL(driver, cuLinkCreate, link->jit.count, link->jit.options, link->jit.values,
                   &link->handle);
}

int runcu_link_create(runcu_link **out, const runcu_jit_params *params)
{
    CORE_NEED(out);
    runcu_link *link = *out = core_new(sizeof *link);
    if (!link)
        return RUNCU_ERROR_MEMORY;
    int status = start(link, params);
    if (status)
        runcu_link_destroy(out);
    return status;
}

/* PTX must end with a NUL, which is not counted where somebody else made the text. */
static int add(runcu_link *link, int type, const char *text, size_t bytes, const char *name)
{
    struct core_scope scope;
    int status = enter(&scope, link);
    if (status)
        return status;
    status = CU_CALL(link->context->driver, cuLinkAddData, link->handle, type, (void *) text, bytes,
                     name ? name : "input", 0, NULL, NULL);
    link->has_input |= status == 0;
    return leave(&scope, link, status);
}

int runcu_link_add(runcu_link *link, int type, const void *image, size_t bytes, const char *name)
{
    CORE_NEED(link);
    if (bytes)
        CORE_NEED(image);
    if (link->image)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the link is complete: nothing can be added");
    if (!bytes)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the image to link is empty");
    if (type != CU_JIT_INPUT_PTX)
        return add(link, type, image, bytes, name);
    char *text = alloc_new(bytes + 1);
    if (!text)
        return runcu_fail_memory();
    memcpy(text, image, bytes);
    text[bytes] = 0;
    int status = add(link, type, text, strlen(text) + 1, name);
    alloc_free(text);
    return status;
}

int runcu_link_add_file(runcu_link *link, int type, const char *path)
{
    CORE_NEED(link);
    CORE_NEED(path);
    struct str image = {0};
    int status, code = fs_read(&image, path, SIZE_MAX);
    if (code == ENOMEM)
        status = runcu_fail_memory();
    else if (code)
        status = core_check(link->context->driver, "cuLinkAddFile", CUDA_ERROR_FILE_NOT_FOUND);
    else
        status = runcu_link_add(link, type, image.at, image.len, path);
    if (status)
        runcu_fail_detail("The file is %s.", path);
    str_fini(&image);
    return status;
}

int runcu_link_add_library(runcu_link *link, const char *name, const char *folder)
{
    CORE_NEED(link);
    CORE_NEED(name);
    struct str path = {0};
    if (link->context->driver->is_cpu && strcmp(name, "cudadevrt") == 0)
        return 0;
    int status = core_library_find(&path, name, folder);
    if (!status)
        status = runcu_link_add_file(link, CU_JIT_INPUT_LIBRARY, path.at);
    str_fini(&path);
    return status;
}

static int complete(runcu_link *link)
{
    struct core_scope scope;
    if (!link->has_input)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "nothing was added that could be linked");
    int status = enter(&scope, link);
    if (status)
        return status;
    status =
        CU_CALL(link->context->driver, cuLinkComplete, link->handle, &link->image, &link->bytes);
    if (status)
        link->image = NULL;
    return leave(&scope, link, status);
}

int runcu_link_complete(const void **image, size_t *bytes, runcu_link *link)
{
    CORE_NEED(image);
    CORE_NEED(bytes);
    CORE_NEED(link);
    int status = link->image ? 0 : complete(link);
    *image = link->image;
    *bytes = link->image ? link->bytes : 0;
    return status;
}

uint64_t runcu_link_handle(const runcu_link *link)
{
    return link ? (uintptr_t) link->handle : 0;
}

void runcu_link_destroy(runcu_link **link)
{
    if (!link)
        return;
    runcu_link *l = *link;
    struct core_scope scope;
    *link = NULL;
    if (!l)
        return;
    if (l->handle && core_enter_cleanup(&scope, l->context)) {
        core_cleanup(l->context, "cuLinkDestroy", l->context->driver->cu.cuLinkDestroy(l->handle));
        core_leave(&scope);
    }
    runcu_context_release(&l->context);
    core_delete(l);
}

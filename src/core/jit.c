/* Options of the driver's compiler, and its logs. */
#include "jit.h"

#include <string.h>

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

/* Of these the value is the address of an array. */
static bool takes_array(int option)
{
    return option == CU_JIT_GLOBAL_SYMBOL_NAMES || option == CU_JIT_GLOBAL_SYMBOL_ADDRESSES ||
           option == CU_JIT_REFERENCED_KERNEL_NAMES || option == CU_JIT_REFERENCED_VARIABLE_NAMES;
}

static int check_options(const runcu_jit_params *p)
{
    if (p->option_count > CORE_JIT_OPTIONS)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%zu options of the compiler: at most %d",
                          p->option_count, CORE_JIT_OPTIONS);
    if (p->option_count && (!p->options || !p->values))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "option_count is %zu, but %s is NULL",
                          p->option_count, p->options ? "values" : "options");
    for (size_t i = 0; i < p->option_count; i++)
        if (takes_array(p->options[i]))
            return runcu_fail(RUNCU_ERROR_ARGUMENT,
                              "option %d of the compiler takes an array, not a number",
                              p->options[i]);
    return 0;
}

int core_jit_init(struct core_jit *out, const runcu_jit_params *given)
{
    runcu_jit_params p = {0};
    if (given)
        memcpy(&p, given, given->size ? MIN(given->size, sizeof p) : sizeof p);
    int status = check_options(&p);
    if (status)
        return status;
    *out = (struct core_jit){.error_log = out->own_log};
    size_t bytes = sizeof out->own_log;
    if (p.error_log && p.error_log_size) {
        out->error_log = p.error_log;
        bytes = p.error_log_size;
    }
    out->error_log_end = &out->error_log[bytes - 1];
    out->info_log = p.info_log;
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
    if (!len)
        return;
    core_fail_better();
    runcu_fail_detail("%s", jit->error_log);
}

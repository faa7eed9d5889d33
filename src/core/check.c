/* Answers of a driver turned into failures: in its words, with what the CPU device knows of the
 * reason, and after a kernel's fault with what became of the context. */
#include "launch.h"

#include <string.h>

/* After these every call in the context fails. */
static bool is_sticky(const struct core_driver *driver, CUresult code)
{
    switch (code) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
        return true;
    case CUDA_ERROR_LAUNCH_TIMEOUT:
        return !driver->is_cpu; /* there it is a wait that was interrupted */
    default:
        return false;
    }
}

static int fail_call(const struct core_driver *driver, const char *routine, CUresult code)
{
    if (code == DRV_FORKED)
        return runcu_fail(
            RUNCU_ERROR_FORKED,
            "%s failed: the process was forked after the GPU was initialised. A GPU works "
            "only in the process that initialised it: start workers afresh (spawn instead "
            "of fork), or fork before the first use of the GPU",
            routine);
    if (code == CUDA_ERROR_LAUNCH_TIMEOUT && driver->is_cpu &&
        atomic_load(&core_has_interrupt))
        return runcu_fail(RUNCU_ERROR_INTERRUPTED, "%s was interrupted", routine);
    const char *text = drv_result_text(code);
    if (!text && driver->cu.cuGetErrorString(code, &text) != CUDA_SUCCESS)
        text = NULL;
    int status = code == CUDA_ERROR_NO_DEVICE || code == CUDA_ERROR_INVALID_DEVICE
                     ? RUNCU_ERROR_NO_DEVICE
                     : RUNCU_ERROR_DRIVER;
    return runcu_fail(status, "%s failed: %s", routine, text ? text : "unknown error");
}

/* Adds what the CPU device says of the reason, if anything. */
static void tell_reason(const struct core_driver *driver)
{
    const char *fault = NULL, *folder;
    if (!driver->cu.runcuFaultText || driver->cu.runcuFaultText(&fault) != CUDA_SUCCESS || !fault)
        return;
    struct str text = {0};
    for (; (folder = strstr(fault, CORE_VIRTUAL_FOLDER));
         fault = folder + strlen(CORE_VIRTUAL_FOLDER))
        str_addn(&text, fault, (size_t) (folder - fault));
    str_add(&text, fault);
    if (text.len)
        runcu_fail_detail("%s", str_text(&text));
    str_fini(&text);
}

static const char *way_out(const runcu_context *context)
{
    if (context->driver->is_cpu)
        return "Detach it, and go on in another: the device is as good as before.";
    if (context->kind == CORE_PRIMARY)
        return "It is the GPU's primary context, which cannot be made anew: start the program "
               "again.";
    return "Detach it and make another, or start the program again.";
}

/* The first failure says what has become of the context, later ones which that was. */
static void tell_sticky(const struct core_driver *driver, const char *routine, CUresult code)
{
    CUcontext handle = NULL;
    runcu_context *context = NULL;
    if (driver->cu.cuCtxGetCurrent(&handle) == CUDA_SUCCESS && handle)
        context = core_context_look(driver, handle);
    if (!context)
        return;
    const char *earlier = NULL;
    if (atomic_compare_exchange_strong(&context->spoilt_by, &earlier, routine)) {
        atomic_store(&context->spoilt_code, code);
        runcu_fail_detail("Nothing more can be done in the context. %s", way_out(context));
    } else {
        const char *text = drv_result_text(atomic_load(&context->spoilt_code));
        runcu_fail_detail("Nothing can be done in the context since an earlier call told of a "
                          "kernel's fault (%s failed: %s). %s",
                          earlier, text ? text : "unknown error", way_out(context));
    }
    runcu_context_release(&context);
}

int core_check(const struct core_driver *driver, const char *routine, CUresult code)
{
    if (LIKELY(code == CUDA_SUCCESS))
        return 0;
    const char *name = drv_result_name(code);
    if (code == DRV_FORKED)
        return fail_call(driver, routine, code);
    if (!name && driver->cu.cuGetErrorName(code, &name) != CUDA_SUCCESS)
        name = NULL;
    int status = fail_call(driver, routine, code);
    runcu_fail_code(code, name, routine);
    tell_reason(driver);
    if (is_sticky(driver, code)) {
        core_history_tell(driver);
        tell_sticky(driver, routine, code);
    }
    return status;
}

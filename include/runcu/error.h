/** What went wrong, and where messages go. */
#ifndef RUNCU_ERROR_H
#define RUNCU_ERROR_H

#include "base.h"

RUNCU_BEGIN

enum runcu_status {
#define RUNCU_STATUS(code, name, text) RUNCU_##name = code,
#include "error.def"
#undef RUNCU_STATUS
};

/** This thread's last failure. Pointers stay valid until the thread's next failing call; none is
 * NULL. */
typedef struct runcu_error {
    int status;          /**< enum runcu_status */
    int code;            /**< the driver's CUresult, or NVRTC's nvrtcResult for ERROR_COMPILE; 0 if
                              neither was involved */
    const char *name;    /**< of the code: "CUDA_ERROR_OUT_OF_MEMORY"; "" if 0 */
    const char *routine; /**< "cuMemAlloc"; "" if 0 */
    const char *message; /**< one line: "cuMemAlloc failed: out of memory" */
    const char *detail;  /**< sentences more: the place of a kernel's fault, a JIT log, where a
                              library was sought; "" if none */
} runcu_error;

/** Fills in *out with this thread's last failure (status 0 if there was none). Success never clears
 * it. Thread-safety: safe. */
RUNCU_API void runcu_error_get(runcu_error *out);
/** Message and detail of this thread's last failure as one text; "" if there was none. Valid until
 * its next failing call. */
RUNCU_API const char *runcu_error_text(void);
/** If the last failure was a kernel's that ran earlier: the last launches in its context, which may
 * have caused it, one a line and the newest first, as "saxpy<<<4, 256>>>(2, 0x7f0000000200,
 * 1000)"; else "". Valid until this thread's next failing call. */
RUNCU_API const char *runcu_error_launches(void);
/** The text of a status; needs no state: "host memory is short". NULL for a code that is none. */
RUNCU_API const char *runcu_status_text(int status);
/** What is behind a status, and what to do about it, each as part of a sentence. NULL for a code
 * that is none. */
RUNCU_API const char *runcu_status_cause(int status);
RUNCU_API const char *runcu_status_cure(int status);
/** What to do about a CUresult, in sentences; NULL for one this version does not know. */
RUNCU_API const char *runcu_result_cure(int code);
/** The name and the text of a CUresult, or NULL for one this version does not know. */
RUNCU_API const char *runcu_result_name(int code);
RUNCU_API const char *runcu_result_text(int code);
/** The family of a CUresult, as PyCUDA names its exception classes: "MemoryError", "LogicError",
 * "LaunchError", "RuntimeError" or "Error" (codes this version does not know). Never NULL. */
RUNCU_API const char *runcu_result_class(int code);

enum runcu_log_level { RUNCU_LOG_INFO = 1, RUNCU_LOG_WARNING = 2 };

/** Receives one message, without a line break. `category`: "device", "compile", "cache", "launch"
 * or "cleanup". */
typedef void runcu_log_fn(void *user, int level, const char *category, const char *text);
/** Where the library's messages go, for the whole process; NULL: nowhere (the default). At exit
 * there may be some more, so whoever is gone by then takes this and runcu_set_print back before.
 * Thread-safety: call it before other threads use the library. */
RUNCU_API void runcu_set_log(runcu_log_fn *log, void *user);

/** Receives what kernels print; NULL: standard output (the default). A GPU's driver knows no other
 * place: what it writes there is caught while it is called to launch or to wait, once a kernel that
 * calls printf has been launched, and with it whatever other threads write there in that moment. */
typedef void runcu_print_fn(void *user, const char *text, size_t len);
RUNCU_API int runcu_set_print(runcu_print_fn *print, void *user);

/** Asked at least every 50 ms on a thread that waits; a true answer ends the wait with
 * ERROR_INTERRUPTED. The CPU device cancels the kernels that run. A GPU's kernel cannot be stopped:
 * it runs on, memory and modules that are freed meanwhile go when a later synchronisation of the
 * context has succeeded, and the end of the process does not wait for it. Not asked are waits for
 * what other libraries launched into streams of their own. NULL: nobody asks (the default). Not
 * asked at exit. */
typedef int runcu_interrupt_fn(void *user);
RUNCU_API int runcu_set_interrupt(runcu_interrupt_fn *interrupt, void *user);

RUNCU_END

#endif

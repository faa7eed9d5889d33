/** CUDA C++ source text to code, by NVRTC, which is sought when it is first needed; with a cache on
 * disk. */
#ifndef RUNCU_PROGRAM_H
#define RUNCU_PROGRAM_H

#include "device.h"
#include "error.h"

RUNCU_BEGIN

/** A header in memory: `#include "name"` finds it before all others of that name. */
typedef struct runcu_header {
    const char *name; /**< as sources include it: "axpy.h", "lib/axpy.h" */
    const char *text; /**< ends with a NUL */
} runcu_header;

/** How to compile. Zero in a field is the default. */
typedef struct runcu_program_params {
    size_t size;
    const char *const *options; /**< NVRTC's, or nvcc's as far as they mean something: others
                                     are dropped or refused with a reason */
    size_t option_count;
    const char *const *include_dirs; /**< searched after those of -I, before those of the
                                          environment variable RUNCU_INCLUDE and ours */
    size_t include_dir_count;
    const char *name;      /**< of the source, in messages and line information:
                                "kernel.cu". One with a slash is a file's: headers beside
                                it are found */
    int arch;              /**< 90 for sm_90; 0: the device's. An option -arch wins */
    const char *arch_text; /**< "sm_90a", "compute_75": wins over `arch` */
    runcu_device *device;  /**< to compile for; NULL: the current context's, else the
                                default device */
    int no_cache;          /**< 1: neither look in the cache nor store there; so does
                                RUNCU_NO_CACHE=1. RUNCU_CACHE_SIZE: bytes, or 512M; 1G */
    const char *cache_dir; /**< NULL: RUNCU_CACHE_DIR, else $XDG_CACHE_HOME/runcu, else
                                ~/.cache/runcu */
    int extern_c;          /**< 1: the text is wrapped in extern "C", as PyCUDA's compile()
                                does */
    const char *keep_dir;  /**< source, PTX, cubin and log are left there too; NULL:
                                nowhere */
    /** What is to be instantiated and asked for by this spelling: "axpy<float>",
     * "ns::scale<int, 4>", "&ns::table". See runcu_program_lowered_name. */
    const char *const *name_expressions;
    size_t name_expression_count;
    const runcu_header *headers; /**< with quotes they include each other relative to themselves,
                                      as files do */
    size_t header_count;
    /** Asked now and then by the thread that compiles: a true answer ends it with
     * ERROR_INTERRUPTED. NVRTC does not ask while it reads headers, which may take a second, and
     * before 12.8 not at all. */
    runcu_interrupt_fn *cancel;
    void *cancel_user;
    unsigned time_limit; /**< milliseconds; 0: none. Beyond it: ERROR_TIMEOUT, as late as
                              `cancel` */
    int no_device; /**< 1: for no device in particular. `arch` or `arch_text` decides, and sm_XX
                        comes to a cubin also where the CPU device is current */
    const char *shared_cache_dir; /**< a second folder, looked at where the first has nothing and
                                       never written: a team's, an image's. NULL:
                                       RUNCU_CACHE_SHARED, else none */
} runcu_program_params;

enum runcu_severity { RUNCU_NOTE = 1, RUNCU_REMARK = 2, RUNCU_WARNING = 3, RUNCU_ERROR = 4 };

/** A step on the way to a message: what included its file, or what made an instance of a template.
 */
typedef struct runcu_step {
    const char *file; /**< "" if unknown */
    uint32_t line;    /**< from 1; 0: none */
    const char *text; /**< "instantiation of \"int f(T) [with T=int]\""; of an include "" */
} runcu_step;

/** One message of the compiler. Strings and lists live as long as the program, no string is NULL.
 */
typedef struct runcu_diagnostic {
    int severity;    /**< enum runcu_severity */
    uint32_t line;   /**< from 1; 0: none */
    uint32_t column; /**< from 1, in bytes; 0: unknown */
    uint32_t number; /**< 177, as -diag-suppress takes it; 0 if NVRTC gave none */
    const char *file;
    const char *text;   /**< may have several lines */
    const char *code;   /**< the number as NVRTC writes it: "#177-D", "" if it gave none */
    const char *source; /**< the line of the source, without its line break; "" if unknown */
    /** Which line included the file, which one the file that this is in, and so on to the source.
     * NVRTC does not tell: it is the first way by which the texts lead there, whatever #if says. */
    const runcu_step *includes;
    size_t include_count;
    /** Of a message inside templates: the instances that led there, the innermost first. */
    const runcu_step *instances;
    size_t instance_count;
} runcu_diagnostic;

/** Compiles `source`. *out is made even when the source does not compile (ERROR_COMPILE): ask it
 * for log and diagnostics, then destroy it. It is NULL only for other failures. Cubin and PTX come
 * from one compile; a device without cubin (the CPU device) gets PTX alone. Thread-safety: safe;
 * takes as long as NVRTC does. */
RUNCU_API int runcu_program_compile(runcu_program **out, const char *source,
                                    const runcu_program_params *params);
RUNCU_API void runcu_program_destroy(runcu_program **program);

/** The results, valid as long as the program; NULL and 0 where there is none. PTX ends with a NUL
 * that *bytes does not count. */
RUNCU_API const void *runcu_program_cubin(const runcu_program *program, size_t *bytes);
RUNCU_API const char *runcu_program_ptx(const runcu_program *program, size_t *bytes);
/** Code for link-time optimisation, of a source compiled with -dlto, which comes to nothing else:
 * runcu_link_add_program takes it. NULL and 0 where there is none. */
RUNCU_API const void *runcu_program_ltoir(const runcu_program *program, size_t *bytes);
/** NVRTC's log as it stands, "" if it said nothing. */
RUNCU_API const char *runcu_program_log(const runcu_program *program);
RUNCU_API const runcu_diagnostic *runcu_program_diagnostics(const runcu_program *program,
                                                            size_t *count);
/** If this thread's last failure was ERROR_COMPILE: what the compiler said, also where no program
 * was handed out (runcu_module_compile, runcu_module_get_function); else NULL, and *count, which
 * may be NULL, is 0. Valid until this thread's next failing call. Thread-safety: safe. */
RUNCU_API const runcu_diagnostic *runcu_error_diagnostics(size_t *count);
/** All diagnostics as text: file:line, message, the source line with a caret. */
RUNCU_API const char *runcu_program_report(const runcu_program *program);
/** What can be done about the first error, as sentences a line: where a header was looked for, what
 * to install; "" if nothing is known. */
RUNCU_API const char *runcu_program_advice(const runcu_program *program);

enum runcu_report {
    RUNCU_REPORT_TEXT = 0,  /**< as runcu_program_report */
    RUNCU_REPORT_COLOR = 1, /**< likewise, with the escapes by which terminals show colours */
    RUNCU_REPORT_HTML = 2,  /**< one <pre> element for a notebook */
    /** For editors: each diagnostic a JSON object on a line of its own, in UTF-8, with "file",
     * "line", "column" (from 1, in characters; null if unknown), "severity" ("error", "warning",
     * "remark", "note"), "number" (or null), "message", "source", "includes" and "instances"
     * (arrays of objects with "file", "line" and "message"). */
    RUNCU_REPORT_JSON = 3
};
/** Hands the diagnostics in that form to `write`, in one or more pieces; nothing where there are
 * none. ERROR_ARGUMENT for an unknown form. Thread-safety: safe. */
RUNCU_API int runcu_program_write(const runcu_program *program, int form, runcu_print_fn *write,
                                  void *user);
/** The name in the PTX of what a name expression of its params means, "_Z4axpyIfEvPT_"; NULL if
 * `expression` is none of them. Valid as long as the program. */
RUNCU_API const char *runcu_program_lowered_name(const runcu_program *program,
                                                 const char *expression);
/** 1 if it came from the cache, or this process has had it lately. */
RUNCU_API int runcu_program_was_cached(const runcu_program *program);
/** The options that NVRTC was given, one a line. */
RUNCU_API const char *runcu_program_options(const runcu_program *program);
/** "sm_90", "compute_75". */
RUNCU_API const char *runcu_program_arch(const runcu_program *program);

/** One of many sources. */
typedef struct runcu_program_job {
    const char *source;
    const runcu_program_params *params; /**< NULL: defaults */
    runcu_program *program;             /**< out: as runcu_program_compile would give it */
    int status;                         /**< out: as runcu_program_compile would return it */
    char *message;                      /**< out: its error's text and detail; NULL on success */
} runcu_program_job;

/** Zero in a field is the default. */
typedef struct runcu_program_jobs_params {
    size_t size;
    unsigned parallel; /**< sources at once; 0: as many as there are processors */
    /** Called on the calling thread when a job has ended, and every 50 ms; a true answer ends
     * the rest with ERROR_INTERRUPTED. */
    int (*progress)(void *user, size_t done, size_t count);
    void *progress_user;
} runcu_program_jobs_params;

/** Compiles `count` sources at once, by threads and, because NVRTC's front end does one source at a
 * time in a process, by worker processes (the program runcu-worker; without it by threads alone).
 * What the cache has is not compiled. Returns 0, or the status of the first job that failed: all
 * others have been done all the same. Give the jobs back with runcu_program_jobs_fini.
 * Thread-safety: safe. */
RUNCU_API int runcu_program_compile_jobs(runcu_program_job *jobs, size_t count,
                                         const runcu_program_jobs_params *params);
/** Destroys what compiling left in the jobs, which may be of a failed call. */
RUNCU_API void runcu_program_jobs_fini(runcu_program_job *jobs, size_t count);
/** The path of runcu-worker, for the whole process; otherwise it is sought where RUNCU_WORKER says
 * and where it was installed. Copied; NULL: forgets it. Thread-safety: safe. */
RUNCU_API int runcu_worker_path(const char *path);

/** What is known of a compiler option, nvcc's or NVRTC's. The strings are the library's. */
typedef struct runcu_option {
    const char *spelling; /**< "-maxrregcount", "-D" */
    const char *joint;    /**< between it and its value: "=", ""; NULL: it takes no value */
    int is_flag;          /**< 1: it may stand without a value */
    const char *note;     /**< why it means nothing here or is refused; "" if NVRTC gets it */
} runcu_option;

/** The option that `name` means where options are keyword arguments: "use_fast_math",
 * "maxrregcount", "pre_include", "define". ERROR_OPTION, which names the nearest, if there is none
 * of that name. Thread-safety: safe. */
RUNCU_API int runcu_option_find(runcu_option *out, const char *name);

/** Where NVRTC is sought before all other places but RUNCU_NVRTC (its path, or its folder) and what
 * the process has loaded already: folders (of site-packages, say), for the whole
 * process. Copied. Thread-safety: safe. */
RUNCU_API int runcu_nvrtc_search(const char *const *folders, size_t count);
/** Loads NVRTC if it is not yet loaded; its version and path (valid as long as the process). Any of
 * them may be NULL. */
RUNCU_API int runcu_nvrtc_version(int *major, int *minor, const char **path);
/** 1 if NVRTC has been loaded by this library in this process. */
RUNCU_API int runcu_nvrtc_is_loaded(void);
/** Waits until no thread compiles, at most some seconds, and lets none begin until the process has
 * forked: a fork does so by itself. For interpreters that hold a lock while they fork which the
 * callback of runcu_set_interrupt wants: call it before, without that lock. Thread-safety: safe. */
RUNCU_API void runcu_nvrtc_expect_fork(void);

RUNCU_END

#endif

/* What the files share that turn source text into code: a request goes through them in the order in
 * which they stand here. */
#ifndef CORE_PROGRAM_H
#define CORE_PROGRAM_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "core/core.h"

/* A growing list of texts that something else owns. */
struct text_list {
    const char **at;
    size_t len, cap;
};

/* --- options.c: nvcc's and NVRTC's options ------------------------------- */

struct options {
    struct arena arena;            /* owns the texts */
    struct text_list pass;         /* for NVRTC, as it spells them */
    struct text_list include_dirs; /* as given, in order */
    struct text_list macros;       /* names that -D defines */
    struct text_list pre_includes; /* files of --pre-include */
    struct text_list archs;        /* "sm_90", "compute_75": one, or several of -gencode */
    bool has_side_effects;         /* files beside the result: not to be cached */
    bool is_minimal;               /* the user asked for --minimal */
    bool has_pch;                  /* the user asked for --pch */
    bool is_lto;                   /* code for link-time optimisation, and no other */
    bool warnings_are_errors;      /* -Werror=all-warnings, which not every NVRTC knows */
};

/* Translates. ERROR_OPTION with a reason for an option that cannot be honoured; what is dropped
 * goes to the log. `for_cpu`: device debug code (-G) becomes line information. Either way
 * options_fini is to be called. */
int options_parse(struct options *out, const runcu_program_params *params, bool for_cpu);
void options_fini(struct options *o);
/* "sm_90a", "compute_75" and the like? */
bool options_is_arch(const char *text, size_t len);
/* The known option most like `text`, NULL if none is near. */
const char *options_nearest(const char *text);

/* --- nvrtc.c: finding and loading the compiler --------------------------- */

struct nvrtc {
    struct nvrtc_table fn;
    int major, minor;
    const char *path;
    const int *archs; /* ascending: 75 … */
    int arch_count;
};

/* signals.c: no handlers of the library's at `path`, which is loaded. */
void nvrtc_keep_signals(const char *path);
/* Finds and loads it; lives as long as the process. */
int nvrtc_get(const struct nvrtc **out);
/* Around calls of NVRTC: while there are any, a fork waits, for a while. Thread-safety: safe. */
/* Was this process forked in the middle of a compilation that took too long to be waited for, so
 * that NVRTC's locks are held here for ever? */
bool nvrtc_is_stuck(void);
void nvrtc_enter(void);
void nvrtc_leave(void);
/* Adds to the hash which NVRTC would be loaded, or is: its build, wherever it lies. Loads nothing.
 * False if none is to be seen, but the dynamic loader may know of one. */
bool nvrtc_identify(struct sha256 *hash);
/* Appends the path of the NVRTC that is loaded or would be. Loads nothing. False: none is to be
 * seen. */
bool nvrtc_where(struct str *out);
/* Appends all that decides in which folders CUDA's headers are sought. */
void nvrtc_add_places(struct str *out);
bool nvrtc_is_at_least(const struct nvrtc *nvrtc, int major, int minor);
/* The folders of runcu_nvrtc_search, appended as "FOLDER/<tail>" to `out`, which owns them in
 * `arena`. */
bool nvrtc_search_folders(struct text_list *out, struct arena *arena);

/* --- scan.c: what a source includes and which names it uses -------------- */

struct scan_file {
    const char *path;
    uint64_t size;
    int64_t mtime;
    uint8_t digest[SHA256_SIZE];
};

enum scan_name { NAME_USED = 1, NAME_DEFINED = 2 };

/* Who includes a header of ours; and that another of that name lies beside one who includes it. */
enum scan_header { HEADER_USED = 1, HEADER_OF_TOOLKIT = 2, HEADER_BESIDE = 4 };

struct scan {
    struct arena arena;
    const runcu_header *own; /* headers in memory that the caller gives */
    size_t own_count;
    struct text_list alias_names, alias_texts; /* other names that they are included by */
    const char *conflict;                      /* such a name that means two of them, or NULL */
    const char *pipe;                          /* what is included though it is one, or NULL */
    struct text_list dirs;                     /* absolute, in order of search */
    struct text_list absent;    /* absolute paths that would be included if they existed */
    struct text_list missing;   /* names of includes found nowhere: the toolkit's, perhaps */
    struct text_list questions; /* macros that ask __has_include of their argument */
    struct text_list probed;    /* names that __has_include asks for and that are nowhere */
    VEC(struct scan_file) files;
    struct map seen;  /* paths of files that were read */
    uint8_t *names;   /* enum scan_name, one for each of text_names */
    uint8_t *headers; /* enum scan_header, one for each of text_headers */
    bool in_toolkit;  /* what is read from now on are CUDA's own headers */
    bool has_include; /* any #include at all */
    bool is_computed; /* includes something that only a preprocessor can name */
    bool is_opaque;   /* depends on something that nobody names */
};

/* A zeroed struct with `dirs` filled in is ready; false when memory is short. */
bool scan_init(struct scan *s);
void scan_fini(struct scan *s);
/* Reads a text and what it includes, as far as it lies in memory, in `dirs` or beside the includer.
 * `#if` counts for nothing: what may be included is. `folder`: where the text lies; without a slash
 * at its start, among the headers in memory; NULL: nowhere. False when memory is short. */
bool scan_text(struct scan *s, const char *text, const char *folder);
/* Is this one of text_headers to be offered? In memory it hides all files of that name, so not
 * where CUDA's headers alone may want it, perhaps below an #if, and have their own beside them. */
bool scan_offers(const struct scan *s, size_t header);
/* As if a text included `name`. */
bool scan_include(struct scan *s, const char *name, bool is_quoted, const char *folder);
void scan_define(struct scan *s, const char *name);
/* Headers in the folder `toolkit`, which is not read, may include what `dirs` have first: files
 * that are called like the toolkit's own. */
bool scan_shadows(struct scan *s, const char *toolkit);
/* Looks again for what is missing, after more `dirs`. */
bool scan_missing_again(struct scan *s);

/* --- own_headers.c: the caller's headers in memory ---- */

struct own_header {
    const runcu_header *header; /* NULL: none */
    const char *folder;         /* its own: "lib" of "lib/axpy.h" */
};

/* The header that `name` means in a text of `folder` (as scan_text). A name by which NVRTC would
 * not find it is added to the aliases. False when memory is short. */
bool own_header_find(struct own_header *out, struct scan *s, const char *name, const char *folder);

/* --- prelude.c: headers in memory ---------------------------------------- */

#define PRELUDE_NAME "runcu/prelude.h"

/* Headers for nvrtcCreateProgram. */
struct memory_headers {
    struct text_list names, texts; /* texts are the list's own */
    bool has_prelude;
};

/* The prelude, if the source needs one, and the headers that it includes. `with_toolkit`: CUDA's
 * own headers take part, whose int64_t is a long long. False when memory is short. */
bool prelude_make(struct memory_headers *out, const struct scan *scan, bool with_toolkit);
/* The caller's headers, under every name they are included by. */
bool prelude_add_own(struct memory_headers *out, const struct scan *scan);
void prelude_fini(struct memory_headers *h);

/* --- a request ----------------------------------------------------------- */

/* What a source is compiled for: each has a part of its own in the source's cache entry. */
struct variant {
    char arch[24]; /* as asked for, filled up with NULs */
    uint64_t flags;
};

struct request {
    runcu_program_params params; /* complete, whatever its user's version */
    const char *source;
    const char *name;   /* as the user calls it */
    struct str path;    /* as NVRTC is told: absolute */
    const char *folder; /* where the source lies; NULL: in memory only */
    struct str folder_text;
    struct options options;
    bool for_cpu;
    char arch[24]; /* wanted: "sm_90" */
    bool arch_is_explicit;
    struct text_list include_dirs; /* absolute, the user's and then those of RUNCU_INCLUDE */
    struct arena arena;
    struct scan scan;
    const struct nvrtc *nvrtc;
    struct str bundle;  /* folder of NVRTC's own headers, "" if not needed */
    struct str foreign; /* toolkits of another CUDA than NVRTC's, whose headers do not count */
    struct memory_headers headers;
    bool uses_places;         /* CUDA's headers were sought outside NVRTC's bundle */
    struct str cache_folder;  /* for entries and headers; "" if there is none */
    struct str shared_folder; /* looked at after it, never written; "" if there is none */
    bool no_pch;              /* without precompiled headers */
    bool no_cache;            /* entries are neither read nor written */
    struct str text; /* all that decides what comes out, but for NVRTC and the contents of files */
    size_t key_len;  /* of the text, what the key is made of: it ends before variant and folders */
    struct variant variant;
    uint8_t key[SHA256_SIZE];
    bool is_workers;   /* in a worker process */
    struct str trace;  /* trace.c: the file that NVRTC is to write; "" for none */
    uint64_t deadline; /* of CLOCK_MONOTONIC, in ns; 0: none */
};

/* What a request is compiled for, where that has been decided already. */
struct target {
    const char *arch;
    bool is_explicit, for_cpu;
};

/* program.c. The strings must outlive the request. `target` may be NULL. request_fini is to be
 * called either way. */
int request_init(struct request *r, const char *source, const runcu_program_params *params,
                 const struct target *target);
void request_fini(struct request *r);
/* What the source includes, and what it does not find, into its `scan`. */
int request_scan(struct request *r);
/* Does the cache have it? Then *found, and the program is complete. */
int program_look_up(runcu_program *program, struct request *r, bool *found);
/* Otherwise it is made. ERROR_COMPILE leaves a program with log and diagnostics. */
int program_make(runcu_program *program, struct request *r);
/* The last step of both, `status` being theirs, which it gives back unless it fails itself. */
int program_finish(runcu_program *program, struct request *r, int status);

/* --- pch.c: precompiled headers ------------------------------------------ */

/* The folder in which NVRTC may keep precompiled headers for a request with these options. If true
 * it is the caller's until pch_end, and other threads wait. Only between nvrtc_enter and _leave. */
bool pch_begin(struct str *folder, const struct request *r, const struct text_list *options);
void pch_end(const char *folder);

/* --- headers.c: CUDA's own headers --------------------------------------- */

/* Finds what the scan misses: NVRTC's bundle, installed on first use, then wheels, conda and
 * toolkits. */
int headers_find(struct request *r);
/* The folders where wheels, conda and toolkits put them, as far as they exist, in the request's
 * arena. False when memory is short. */
bool headers_folders(struct request *r, struct text_list *out);
/* Has the bundle been altered since it was installed? If so it is installed anew and the answer is
 * true. */
bool headers_repair(struct request *r);
/* What to install for `name`, beside this NVRTC: sentences, or NULL. */
const char *headers_advice(const char *name, const struct nvrtc *nvrtc);

/* --- program.c, compile.c ------------------------------------------------ */

/* What the caller spells so is called so in the PTX. */
struct core_named {
    const char *expression, *symbol;
};

/* What a program was made from: enough to compile it again. */
struct core_recipe {
    atomic_int refs;
    struct arena arena;
    const char *source;
    runcu_program_params params; /* copies; without a device, name expressions and keep_dir */
};

/* recipe.c. `arch`: what was compiled for. */
int core_recipe_create(struct core_recipe **out, const struct request *r);
struct core_recipe *core_recipe_retain(struct core_recipe *recipe);
void core_recipe_release(struct core_recipe **recipe);
/* What params say of a source, as bytes and back: all but architecture, device, callbacks and the
 * folder of what is kept. The texts lie in the bytes, lists in the arena. False if they are damaged
 * or memory is short. */
struct wire;
void core_params_put(struct str *out, const runcu_program_params *params);
const char *const *core_texts_get(size_t *count, struct wire *w, struct arena *arena);
bool core_params_get(runcu_program_params *params, struct wire *w, struct arena *arena);

struct runcu_program {
    struct arena arena;
    struct core_recipe *recipe;
    const struct core_named *named;
    size_t named_count;
    char *image; /* the memory that cubin and PTX lie in */
    const char *cubin, *ptx, *ltoir;
    size_t cubin_size, ptx_size, ltoir_size;
    const char *log, *options, *arch, *report, *advice;
    runcu_diagnostic *diagnostics;
    size_t diagnostic_count;
    const char *depends; /* entry.h; NULL: not known here */
    size_t depends_len;
    struct core_shared *shared; /* recent.c; NULL: all is its own */
    bool was_cached;
};

/* A program that several share; it does not change any more. */
struct core_shared {
    atomic_int refs;
    runcu_program program;
};

/* --- recent.c: what this process had lately ------------------------------- */

/* Fills in the program; false if it was not there or is no longer true. */
bool recent_find(runcu_program *program, const struct request *r);
/* Keeps the program, which is complete, for those who ask for the same. */
void recent_keep(runcu_program *program, const struct request *r);
void recent_forget(void);
/* What a program shares. */
void recent_release(struct core_shared **shared);

uint64_t compile_now(void); /* CLOCK_MONOTONIC, in ns */
/* Runs NVRTC; fills in code, log, options and arch. */
int compile_run(runcu_program *program, struct request *r);
/* What the thread's error says beyond the report becomes the program's advice. */
bool compile_keep_advice(runcu_program *program);

/* --- included.c ---------------------------------------------------------- */

/* One file, and the line that includes it first. */
struct inclusion {
    const char *path; /* as it is compared: real, or a name among the headers in memory */
    const char *name; /* as it is shown */
    size_t by;        /* which of the list includes it; that of the source is 0 */
    uint32_t line;
};

/* What a source includes, in the order in which it is read. Zeroed is empty. */
struct inclusions {
    VEC(struct inclusion) list;
    struct text_list dirs;
    struct arena arena;
    struct map seen;
    bool is_made;
};

/* Fills in the list of includes of a diagnostic in a header, as far as they are found, and calls
 * a header in memory by its own name. False when memory is short. */
bool included_find(runcu_diagnostic *d, struct inclusions *all, runcu_program *program,
                   const struct request *r);
void included_fini(struct inclusions *all);

/* --- report.c ------------------------------------------------------------ */

/* Makes `program->report`. False when memory is short. */
bool report_make(runcu_program *program);

/* --- trace.c: what NVRTC has read ----------------------------------------- */

/* Can NVRTC's account make the source one for the cache? */
bool trace_is_wanted(const struct request *r);
/* Around compile_run, in a worker. If all went well the scan has the files that were read, and
 * nothing computed any more. `began`: when compiling did, in ns since 1970. */
void trace_begin(struct request *r);
void trace_end(struct request *r, int64_t began);

/* --- diagnostics.c ------------------------------------------------------- */

/* Reads the log's messages. `program->log` is set. False when memory is short. */
bool diagnostics_parse(runcu_program *program, const struct request *r);
/* With all that belongs to them, in the arena; NULL for none, or when memory is short. */
runcu_diagnostic *diagnostics_copy(struct arena *arena, const runcu_diagnostic *list, size_t count);
/* Makes errors of the warnings of what has been compiled: ERROR_COMPILE if there are any. */
int diagnostics_promote(runcu_program *program, const struct request *r);
/* The log without messages about names that our prelude gives as well, and with the user's name of
 * the source. */
bool diagnostics_clean(struct str *out, const char *log, const struct request *r);

/* --- cache.c, entry.c ---------------------------------------------------- */

/* Decides on the folders and on whether there is a cache at all; writes the request's text. */
int cache_prepare(struct request *r);
/* Fills in the program and says so, unless it is not there or no longer true. */
int cache_load(runcu_program *program, struct request *r, bool *found);
/* Never fails anybody: what goes wrong is told to the log. The program learns what it depends on.
 */
void cache_store(runcu_program *program, struct request *r);

/* What a program came to, without what it depends on. The second is false if the bytes are damaged;
 * texts lie in them, the list of names in the arena. */
struct wire;
void program_put(struct str *out, const runcu_program *program);
bool program_get(runcu_program *found, struct wire *w, struct arena *arena);

#endif

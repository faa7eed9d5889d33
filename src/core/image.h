/* What a compiled image says of itself: its kernels with their parameters, its variables. Read from
 * PTX text or a cubin's symbols, by name and size alone: core does not know PTX otherwise. */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include "base/arena.h"
#include "base/vec.h"
#include "core.h"
#include "runcu/variable.h"

/* Text inside another one, which it must not outlive. */
struct core_span {
    const char *at;
    size_t len;
};

/* --- demangle.c --- */

/* Replaces *out by the C++ name of a mangled symbol, "void axpy<float>(float, float*, int)", or
 * without a C++ library in the process by what can be read without one, "axpy". False, and *out
 * empty, if the symbol is not mangled. Thread-safety: safe. */
bool core_demangle(struct str *out, const char *symbol);
/* Adds the name alone, "ns::add" of _ZN2ns3addEPf, which needs no library; false if it is not one
 * we can read. */
bool core_read_name(struct str *out, const char *symbol);
/* Takes a demangled function apart: "axpy<float>" and "float, float*, int" (at is NULL where there
 * are no parentheses). */
void core_split_name(struct core_span *name, struct core_span *params, const char *text);
/* Takes the next type off a list of parameters; false at its end. */
bool core_next_param(struct core_span *out, struct core_span *rest);
/* Adds a type as people write it: "const float *" for "float const*". */
void core_type_text(struct str *out, struct core_span type);
/* "ns::axpy" of "ns::axpy<float>". */
struct core_span core_without_arguments(struct core_span name);
/* Adds text without the white space and number suffixes that make no difference: for comparing
 * names. */
void core_squeeze(struct str *out, struct core_span text);

/* --- signature.c --- */

/* A parameter as PTX declares it. */
struct core_ptx_param {
    char class; /* 'u' integer of any sign, 's' signed, 'f' float, 'p' pointer, 'b' bytes, '?'
                   unknown */
    uint32_t size, align, offset;
};

/* Describes a parameter by its PTX class and its C++ type (.len 0: unknown). The strings live in
 * the arena; false when memory is short. */
bool core_param_describe(runcu_param *out, const struct core_ptx_param *ptx, struct core_span type,
                         struct arena *arena);
/* Adds "float *" where the type is known, else what PTX tells: "4-byte integer". */
void core_param_text(struct str *out, const runcu_param *param);
/* The kind of elements of a C++ type, "const float" or "float *", and their bytes: 0 of structs. */
int core_element_describe(size_t *bytes, const char *type);
/* "int32", "float64", for messages about elements of arrays. */
const char *core_element_name(char *buffer, size_t bytes, int kind, size_t size);
/* May an array of such elements stand where the parameter points to something else? Unknown kinds
 * match everything. */
bool core_element_fits(const runcu_param *param, int kind, size_t size);

/* --- image.c --- */

struct core_symbol {
    const char *symbol; /* "_Z4axpyIfEvT_PS0_i" */
    const char *name;   /* "axpy<float>" */
    const char *text;   /* "axpy<float>(float, float *, int)"; of variables the name */
};

struct core_kernel {
    struct core_symbol id; /* first */
    const runcu_param *params;
    int count; /* -1: nothing is known of the parameters */
};

struct core_variable {
    struct core_symbol id;     /* first */
    struct core_ptx_param ptx; /* of an element, as PTX declares it; of a cubin's zeros */
    size_t dims, shape[RUNCU_VARIABLE_DIMS];
    int is_constant; /* -1: unknown */
    /* As the compiler says, NULL until it has been asked; guarded by core_lock. */
    const char *type, *element;
    bool was_asked;
};

struct core_image {
    struct arena arena;
    VEC(struct core_kernel) kernels;
    VEC(struct core_variable) variables;
    VEC(struct core_symbol) named; /* by name expressions: these are .name */
    bool is_known;                 /* PTX or a cubin: what is not listed is not there */
    char ptx_version[8];           /* "9.1" of PTX text, else "" */
};

struct runcu_module {
    runcu_context *context;
    CUmodule handle;
    struct core_image image;
    atomic_int refs;
    bool is_foreign;            /* never unloaded */
    bool prints;                /* on a GPU: its code calls printf, or may do so */
    struct core_recipe *recipe; /* NULL: it does not come from source */
    bool is_instance;           /* of a template: it has no instances of its own */
    char *origin;               /* the image that it was loaded from, where it has no recipe */
    size_t origin_bytes;
    _Atomic(struct core_follow *) follow; /* NULL: it stands for itself alone */
    runcu_module *instances; /* of its templates, made on demand; guarded by core_lock */
    runcu_module *next;      /* in that list */
};

/* instance.c: a kernel that the module does not have, after the search for it has failed: an
 * instance of a template of its source. Otherwise that failure stands. */
int core_instance_get(runcu_function **out, runcu_module *module, const char *name);
void core_instances_release(runcu_module *module);

/* module.c: runcu_module_from_program; what has to be translated is so with `params`, which may be
 * NULL. */
int core_module_from_program(runcu_module **out, const runcu_program *program,
                             const runcu_jit_params *params);
/* module.c: keeps a copy of what the module was loaded from. On failure the module is released. */
int core_module_keep(runcu_module **module, const void *image, size_t bytes);
/* function.c: a kernel of the module itself, and of nothing that it may follow. */
int core_function_create(runcu_function **out, runcu_module *module, const char *name);
/* save.c: the names that were asked for, in the arena; params' other fields stay. */
int core_image_expressions(runcu_program_params *params, const struct core_image *image,
                           struct arena *arena);
/* save.c: another one of the same source or image, in the current context. */
int core_module_again(runcu_module **out, const runcu_module *module);
/* follow.c: the module whose code is to be used in place of `module`: borrowed, alive as long as
 * that. */
int core_module_now(runcu_module **out, runcu_module *module);
/* module.c: adds to the last failure why the driver refused the module's code, or one of its
 * kernels. */
void core_explain_load(const runcu_module *module, CUresult code);

/* Reads PTX text (NUL-terminated or not) or a cubin; other images leave *out empty. 0 or
 * ERROR_MEMORY. A zeroed struct is an empty image. */
int core_image_read(struct core_image *out, const void *image, size_t bytes);
void core_image_fini(struct core_image *image);
bool core_is_elf(const void *image, size_t bytes);
bool core_is_ptx(const void *image, size_t bytes);
/* The bytes of a cubin's section of that name; 0 if it has none, or is no cubin. */
size_t core_elf_section_bytes(const void *image, size_t bytes, const char *name);
/* Parameters from PTX's list and the C++ one (may be empty), in the arena; NULL when memory is
 * short. */
const runcu_param *core_describe_params(struct arena *arena, const struct core_ptx_param *ptx,
                                        size_t count, struct core_span types);
/* "add(float *, int)"; `count` -1 writes "?". NULL when memory is short. */
const char *core_signature(struct arena *arena, const char *name, const runcu_param *params,
                           int count);

/* The kernel or variable that the user's `name` means. NULL with a failure recorded: ERROR_NAME if
 * several fit or none does. */
const struct core_kernel *core_image_kernel(const struct core_image *image, const char *name);
struct core_variable *core_image_variable(const struct core_image *image, const char *name);

/* The symbol of the name expression that `name` is, else `name`. */
const char *core_image_named(const struct core_image *image, const char *name);
/* Takes over a program's name expressions. */
int core_image_name(struct core_image *image, const runcu_program *program);
/* A variable that neither the compiler nor CUDA's libraries put there, or NULL. */
const struct core_symbol *core_image_own_variable(const struct core_image *image);
bool core_variable_is_own(const struct core_variable *variable);

/* --- names.c --- */

/* Has the user given it this name, rather than the compiler? */
bool core_symbol_is_users(const struct core_symbol *symbol);

/* Of `count` symbols, each first in an element of `stride` bytes, the one that `name` means; as
 * above. `what`: "kernel" or "variable". */
const struct core_symbol *core_names_find(const void *symbols, size_t count, size_t stride,
                                          const char *name, const char *what);

#endif

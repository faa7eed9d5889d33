/** Variables of modules: __device__, __constant__ and __managed__ ones, with their types. */
#ifndef RUNCU_VARIABLE_H
#define RUNCU_VARIABLE_H

#include "module.h"

RUNCU_BEGIN

enum { RUNCU_VARIABLE_DIMS = 8 };

/** What is known of a variable. Texts live as long as the module, none is NULL. */
typedef struct runcu_variable {
    const char *name;    /**< C++ name: "ns::table" */
    const char *symbol;  /**< name in the PTX */
    const char *type;    /**< "const float [4][3]", "" if unknown */
    const char *element; /**< of its elements, enumerations being their integers: "float"; "" */
    uint64_t address;
    size_t bytes;
    int kind;    /**< of an element: enum runcu_param_kind; UNKNOWN: only bytes are known */
    size_t item; /**< bytes of an element */
    size_t dims; /**< 0: no array */
    size_t shape[RUNCU_VARIABLE_DIMS];
    int is_constant; /**< 1: __constant__; 0: not; -1: the image does not tell */
} runcu_variable;

/** Everything that is known of the variable `name`, a C++ or PTX name. Of a module from source the
 * type is exact: it is asked of the compiler, once for all variables of the module, which takes one
 * compile of the source or a hit of the cache. Of other images PTX tells the type of scalars, and
 * arrays are bytes. ERROR_NAME: there is none, or several. Thread-safety: safe. */
RUNCU_API int runcu_module_get_variable(runcu_variable *out, runcu_module *module,
                                        const char *name);
/** C++ name of the i-th variable from 0, without those of the compiler and CUDA's libraries; NULL
 * past the end or where the image does not tell. Valid as long as the module. */
RUNCU_API const char *runcu_module_variable_name(const runcu_module *module, size_t index);
/** Copies `bytes` from host memory to the variable, `offset` bytes from its start, or back: as
 * runcu_copy_htod and runcu_copy_dtoh do, whatever context is current. ERROR_ARGUMENT, and nothing
 * is copied, where that would leave the variable. Thread-safety: safe. */
RUNCU_API int runcu_module_write(runcu_module *module, const char *name, size_t offset,
                                 const void *from, size_t bytes);
RUNCU_API int runcu_module_read(void *to, runcu_module *module, const char *name, size_t offset,
                                size_t bytes);

RUNCU_END

#endif

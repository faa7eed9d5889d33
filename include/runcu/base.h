/** runcu: build and launch CUDA kernels at run time, on a GPU or without one.
 *
 * What every other header needs. Conventions of the whole library:
 *
 * - A function that can fail returns int: 0 or a negative status (error.def), so calls chain with
 *   ||. What went wrong is in this thread's error record (error.h). Outputs come first; on failure
 *   they are set to NULL or left unchanged.
 * - `create`/`destroy` pair up on the heap, `retain`/`release` count, `get` borrows, `take`
 *   consumes its argument. A destroy function takes the address of the pointer, accepts NULL in it
 *   and sets it to NULL.
 * - A pointer that is NULL where nothing here allows it is ERROR_ARGUMENT, by the names of function
 *   and argument; functions without a status answer 0, NULL or "".
 * - A `params` struct begins with `size_t size` = sizeof of it (or 0 for "all of it as compiled");
 *   a NULL pointer to one, and zero in any field, mean the default.
 * - Any object may be used from any thread, one writer an object at a time. The current context is
 *   per thread. "Thread-safety: safe" means that calls on the same object may overlap as well.
 */
#ifndef RUNCU_BASE_H
#define RUNCU_BASE_H

#include <stddef.h>
#include <stdint.h>

#define RUNCU_VERSION_MAJOR 0
#define RUNCU_VERSION_MINOR 1
#define RUNCU_VERSION_PATCH 0

#if defined(__GNUC__)
/* On the way of each launch: such functions lie side by side. Not for users. */
#define RUNCU_HOT_ __attribute__((hot))
#define RUNCU_API __attribute__((visibility("default")))
#define RUNCU_PRINTF_LIKE(format, first) __attribute__((format(printf, format, first)))
#else
#define RUNCU_HOT_
#define RUNCU_API
#define RUNCU_PRINTF_LIKE(format, first)
#endif

#ifdef __cplusplus
#define RUNCU_BEGIN extern "C" {
#define RUNCU_END }
#else
#define RUNCU_BEGIN
#define RUNCU_END
#endif

RUNCU_BEGIN

typedef struct runcu_device runcu_device;
typedef struct runcu_context runcu_context;
typedef struct runcu_mem runcu_mem;
typedef struct runcu_pool runcu_pool;
typedef struct runcu_mempool runcu_mempool;
typedef struct runcu_physical runcu_physical;
typedef struct runcu_range runcu_range;
typedef struct runcu_stream runcu_stream;
typedef struct runcu_event runcu_event;
typedef struct runcu_module runcu_module;
typedef struct runcu_function runcu_function;
typedef struct runcu_program runcu_program;
typedef struct runcu_array runcu_array;
typedef struct runcu_mipmap runcu_mipmap;
typedef struct runcu_texture runcu_texture;
typedef struct runcu_graph runcu_graph;
typedef struct runcu_graph_exec runcu_graph_exec;
typedef struct runcu_node runcu_node;
typedef struct runcu_surface runcu_surface;

/** Three extents; 0 counts as 1. */
typedef struct runcu_dim3 {
    uint32_t x, y, z;
} runcu_dim3;

/** The version of the library that is running: "0.1.0". Thread-safety: safe. */
RUNCU_API const char *runcu_version(void);

RUNCU_END

#endif

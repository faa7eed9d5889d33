/* What graph.c, node.c and exec.c share: graphs as handles, and what nodes do as the driver takes
 * it. */
#ifndef CORE_GRAPH_H
#define CORE_GRAPH_H

#include "handle.h"
#include "launch.h"

struct runcu_graph {
    struct core_handle base;
};

struct runcu_graph_exec {
    struct core_handle base;
};

static inline CUgraph core_graph(const struct core_handle *h)
{
    return (CUgraph) (uintptr_t) h->handle;
}

/* Calls `use` with the parameters that the call stands for, arguments packed; they live as long as
 * that call. `user` is handed through. */
typedef int core_kernel_fn(void *user, const CUDA_KERNEL_NODE_PARAMS *params);
int core_kernel_params(const runcu_kernel_call *call, const struct core_driver *driver,
                       core_kernel_fn *use, void *user);
int core_fill_params(CUDA_MEMSET_NODE_PARAMS *out, const runcu_fill *fill);
int core_host_params(CUDA_HOST_NODE_PARAMS *out, const runcu_host_call *call);

/* box.c: the copy as the driver takes it. Arrays in it must be held. */
int core_box_params(CUDA_MEMCPY3D *out, const runcu_box *box, struct core_driver *driver,
                    CUcontext context);

#endif

/** Graphs: work laid down once, by nodes or by capturing a stream, and launched again and again.
 *
 * Nodes are borrowed from their graph and live as long as it does, or until they are removed; a
 * node of another graph, or one that is gone, is an error on the CPU device and must not be passed
 * on a GPU. What nodes use (memory, events, modules, host memory) is the caller's to keep alive
 * while launches of it may come. One thread a graph at a time; launchable graphs are safe. */
#ifndef RUNCU_GRAPH_H
#define RUNCU_GRAPH_H

#include "copy.h"
#include "launch.h"
#include "stream.h"

RUNCU_BEGIN

/** A graph without nodes, of the current context. Owned. */
RUNCU_API int runcu_graph_create(runcu_graph **out);
/** A graph of somebody else (a CUgraph); it is never destroyed through ours. Owned wrapper. */
RUNCU_API int runcu_graph_wrap(runcu_graph **out, uint64_t handle);
/** A copy, whose nodes are others. Owned. */
RUNCU_API int runcu_graph_clone(runcu_graph **out, runcu_graph *graph);
/** What was made launchable of it stays. Accepts NULL. */
RUNCU_API void runcu_graph_destroy(runcu_graph **graph);
/** Destroys the driver's graph (not a wrapped one) and keeps the object, whose functions fail with
 * ERROR_FREED from now on. Accepts NULL. */
RUNCU_API void runcu_graph_close(runcu_graph *graph);
RUNCU_API uint64_t runcu_graph_handle(const runcu_graph *graph); /**< CUgraph; 0: closed */

/* --- captures --- */

/** What other calls of the program may do meanwhile that captures do not know of (allocating, for
 * instance): nothing anywhere, nothing in this thread, everything. A forbidden call fails and loses
 * the capture. */
enum runcu_capture_mode {
    RUNCU_CAPTURE_GLOBAL,
    RUNCU_CAPTURE_THREAD_LOCAL,
    RUNCU_CAPTURE_RELAXED,
};
enum runcu_capture_status {
    RUNCU_CAPTURE_NONE,
    RUNCU_CAPTURE_ACTIVE,
    RUNCU_CAPTURE_LOST, /**< by a forbidden call; it is still to be ended */
};
/** From now on work given to the stream, which is not the legacy default one, becomes nodes. A
 * stream that waits for an event of it takes part, and must be waited for before the end. */
RUNCU_API int runcu_stream_begin_capture(runcu_stream *stream, enum runcu_capture_mode mode);
/** Ends it, also on failure. Owned. */
RUNCU_API int runcu_stream_end_capture(runcu_graph **out, runcu_stream *stream);
/** enum runcu_capture_status; `id` (or NULL): a number of this capture alone. */
RUNCU_API int runcu_stream_capture_status(int *out, uint64_t *id, runcu_stream *stream);

/* --- nodes --- */

/** Nodes that a new one comes after; NULL: none. */
typedef struct runcu_node_list {
    runcu_node *const *at;
    size_t count;
} runcu_node_list;

/** A launch: no host memory among its arguments (IN, OUT, INOUT), no launch attributes; the stream
 * is not looked at. Arguments are checked as by runcu_launch_args, and copied. */
typedef struct runcu_kernel_call {
    size_t size;
    runcu_function *function;
    runcu_launch_params launch;
    const runcu_arg *args;
    size_t count;
} runcu_kernel_call;

/** All that add a node: it is borrowed from the graph; on failure *out is as it was. */
RUNCU_API int runcu_graph_add_kernel(runcu_node **out, runcu_graph *graph,
                                     const runcu_node_list *after, const runcu_kernel_call *call);
/** Host memory is read or written by each launch. */
RUNCU_API int runcu_graph_add_copy(runcu_node **out, runcu_graph *graph,
                                   const runcu_node_list *after, const runcu_box *box);
RUNCU_API int runcu_graph_add_fill(runcu_node **out, runcu_graph *graph,
                                   const runcu_node_list *after, const runcu_fill *fill);
/** A function on a thread of the driver, which must not call into the library. */
typedef struct runcu_host_call {
    void (*function)(void *user);
    void *user;
} runcu_host_call;
RUNCU_API int runcu_graph_add_host_call(runcu_node **out, runcu_graph *graph,
                                        const runcu_node_list *after, const runcu_host_call *call);
/** Does nothing but wait. */
RUNCU_API int runcu_graph_add_empty(runcu_node **out, runcu_graph *graph,
                                    const runcu_node_list *after);
RUNCU_API int runcu_graph_add_record(runcu_node **out, runcu_graph *graph,
                                     const runcu_node_list *after, runcu_event *event);
RUNCU_API int runcu_graph_add_wait(runcu_node **out, runcu_graph *graph,
                                   const runcu_node_list *after, runcu_event *event);
/** A copy of another graph as one node. */
RUNCU_API int runcu_graph_add_graph(runcu_node **out, runcu_graph *graph,
                                    const runcu_node_list *after, runcu_graph *child);
/** Changes what a node of the graph does. What has been made launchable of the graph stays as it
 * is. */
RUNCU_API int runcu_graph_set_kernel(runcu_graph *graph, runcu_node *node,
                                     const runcu_kernel_call *call);
RUNCU_API int runcu_graph_set_copy(runcu_graph *graph, runcu_node *node, const runcu_box *box);
RUNCU_API int runcu_graph_set_fill(runcu_graph *graph, runcu_node *node, const runcu_fill *fill);
RUNCU_API int runcu_graph_set_host_call(runcu_graph *graph, runcu_node *node,
                                        const runcu_host_call *call);
/** Takes it out, with its edges. */
RUNCU_API int runcu_graph_remove(runcu_graph *graph, runcu_node *node);

/** The node that a handle of the driver's (CUgraphNode) names, of whatever graph; borrowed from it
 * like all nodes. And the handle of a node; 0 for NULL. */
RUNCU_API int runcu_node_wrap(runcu_node **out, uint64_t handle);
RUNCU_API uint64_t runcu_node_handle(const runcu_node *node);

/** What a node does, as the driver numbers it; others, which graphs of others hold, have other
 * numbers. */
enum runcu_node_type {
    RUNCU_NODE_KERNEL = 0,
    RUNCU_NODE_COPY = 1,
    RUNCU_NODE_FILL = 2,
    RUNCU_NODE_HOST_CALL = 3,
    RUNCU_NODE_GRAPH = 4,
    RUNCU_NODE_EMPTY = 5,
    RUNCU_NODE_WAIT = 6,
    RUNCU_NODE_RECORD = 7,
};
RUNCU_API int runcu_graph_node_type(int *out, runcu_graph *graph, runcu_node *node);

/** Lists: at most *count items are written, NULL lists ask for the number alone; *count becomes the
 * number of all. */
RUNCU_API int runcu_graph_nodes(runcu_node **out, size_t *count, runcu_graph *graph);
RUNCU_API int runcu_graph_roots(runcu_node **out, size_t *count, runcu_graph *graph);
RUNCU_API int runcu_graph_edges(runcu_node **from, runcu_node **to, size_t *count,
                                runcu_graph *graph);
/** Those right before a node, and right after it. */
RUNCU_API int runcu_graph_before(runcu_node **out, size_t *count, runcu_graph *graph,
                                 runcu_node *node);
RUNCU_API int runcu_graph_after(runcu_node **out, size_t *count, runcu_graph *graph,
                                runcu_node *node);
/** Edges from from[i] to to[i]; all of them are new, or there, or nothing changes. */
RUNCU_API int runcu_graph_add_edges(runcu_graph *graph, runcu_node *const *from,
                                    runcu_node *const *to, size_t count);
RUNCU_API int runcu_graph_remove_edges(runcu_graph *graph, runcu_node *const *from,
                                       runcu_node *const *to, size_t count);
/** Writes a picture in the language of Graphviz. `is_verbose`: with what the driver knows. */
RUNCU_API int runcu_graph_print_dot(runcu_graph *graph, const char *path, int is_verbose);

/* --- launches --- */

/** A launchable copy of the graph as it is now. Owned. */
RUNCU_API int runcu_graph_instantiate(runcu_graph_exec **out, runcu_graph *graph);
RUNCU_API int runcu_graph_exec_wrap(runcu_graph_exec **out, uint64_t handle);
/** What has been launched goes on. Accepts NULL. */
RUNCU_API void runcu_graph_exec_destroy(runcu_graph_exec **exec);
RUNCU_API void runcu_graph_exec_close(runcu_graph_exec *exec);
RUNCU_API uint64_t runcu_graph_exec_handle(const runcu_graph_exec *exec);
/** Launches it, as one piece of work of the stream. Launches of one graph come after each other,
 * whatever their streams. */
RUNCU_API int runcu_graph_launch(runcu_graph_exec *exec, runcu_stream *stream);
/** Prepares the first launch. */
RUNCU_API int runcu_graph_upload(runcu_graph_exec *exec, runcu_stream *stream);
/** Later launches do what the other graph's nodes do, of which each stands for the one made in the
 * same place. Fails, and says why, where the shapes differ; nothing is changed
 * then. */
RUNCU_API int runcu_graph_exec_update(runcu_graph_exec *exec, runcu_graph *graph);
/** Changes what a node does in later launches; `node` is of the graph it was made from. */
RUNCU_API int runcu_graph_exec_set_kernel(runcu_graph_exec *exec, runcu_node *node,
                                          const runcu_kernel_call *call);
RUNCU_API int runcu_graph_exec_set_copy(runcu_graph_exec *exec, runcu_node *node,
                                        const runcu_box *box);
RUNCU_API int runcu_graph_exec_set_fill(runcu_graph_exec *exec, runcu_node *node,
                                        const runcu_fill *fill);
RUNCU_API int runcu_graph_exec_set_host_call(runcu_graph_exec *exec, runcu_node *node,
                                             const runcu_host_call *call);

RUNCU_END

#endif

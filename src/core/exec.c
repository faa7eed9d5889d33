/* Graphs that can be launched: made, launched, changed. */
#include "graph.h"

static CUresult end_exec(const struct drv_table *cu, uint64_t handle)
{
    return cu->cuGraphExecDestroy((CUgraphExec) (uintptr_t) handle);
}

static const struct core_handle_kind exec_kind = {"launchable graph", "cuGraphExecDestroy",
                                                  end_exec, sizeof(runcu_graph_exec)};

CORE_HANDLE_FUNCTIONS(graph_exec, exec_kind)

static CUgraphExec exec_of(const struct core_handle *h)
{
    return (CUgraphExec) (uintptr_t) h->handle;
}

/* --- beginning and end --- */

int runcu_graph_instantiate(runcu_graph_exec **out, runcu_graph *graph)
{
    CORE_OUT(out);
    CORE_NEED(graph);
    struct core_use use;
    struct core_handle *h = NULL;
    CUgraphExec exec = NULL;
    int status = core_use_begin(&use, &graph->base, "the graph");
    if (status)
        return status;
    status = core_handle_new(&h, &exec_kind);
    if (!status) {
        status =
            CU_CALL(h->context->driver, cuGraphInstantiateWithFlags, &exec, core_graph(use.h), 0);
        h->handle = (uintptr_t) exec;
        h->is_owned = true;
        if (status)
            core_handle_discard(&h, status);
    }
    *out = (runcu_graph_exec *) h;
    return core_use_end(&use, status);
}

/* --- launches --- */

/* With the stream held, where there is one: nothing else of it is needed, the graph's context being
 * current. */
static int begin_in(struct core_use *u, struct core_stream_scope *in, runcu_graph_exec *exec,
                    runcu_stream *stream)
{
    int status = core_use_begin(u, &exec->base, "the graph");
    if (status || !stream)
        return status;
    status = core_stream_begin(in, stream);
    if (status)
        return core_use_end(u, status);
    if (in->driver == u->driver)
        return 0;
    status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the graph and the stream are of two drivers");
    return core_use_end(u, core_stream_end(in, status));
}

static int end_in(struct core_use *u, struct core_stream_scope *in, int status)
{
    if (in->stream)
        core_stream_end(in, status);
    return core_use_end(u, status);
}

int runcu_graph_launch(runcu_graph_exec *exec, runcu_stream *stream)
{
    CORE_NEED(exec);
    struct core_use u;
    struct core_stream_scope in = {.stream = NULL};
    int status = begin_in(&u, &in, exec, stream);
    if (status)
        return status;
    status = CU_FLUSHING(u.driver, cuGraphLaunch, exec_of(u.h), core_stream(stream));
    if (!status)
        core_mark_work(stream ? stream->context : u.h->context);
    return end_in(&u, &in, status);
}

int runcu_graph_upload(runcu_graph_exec *exec, runcu_stream *stream)
{
    CORE_NEED(exec);
    struct core_use u;
    struct core_stream_scope in = {.stream = NULL};
    int status = begin_in(&u, &in, exec, stream);
    if (status)
        return status;
    status = CU_CALL(u.driver, cuGraphUpload, exec_of(u.h), core_stream(stream));
    return end_in(&u, &in, status);
}

/* --- changes --- */

static const char *reason(int result)
{
    static const char *const words[] = {
        [CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED] = "their nodes and edges differ",
        [CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED] = "a node is of another kind",
        [CU_GRAPH_EXEC_UPDATE_ERROR_FUNCTION_CHANGED] = "a kernel is another one",
        [CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED] =
            "what a node does has changed in a way that needs another launchable graph",
        [CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED] = "a node cannot be updated",
        [CU_GRAPH_EXEC_UPDATE_ERROR_UNSUPPORTED_FUNCTION_CHANGE] =
            "a kernel is one that cannot take the other's place",
        [CU_GRAPH_EXEC_UPDATE_ERROR_ATTRIBUTES_CHANGED] = "a node has other attributes",
    };
    bool is_known = result > 0 && result < (int) ARRAY_LEN(words) && words[result];
    return is_known ? words[result] : "the driver does not say why";
}

int runcu_graph_exec_update(runcu_graph_exec *exec, runcu_graph *graph)
{
    CORE_NEED(exec);
    CORE_NEED(graph);
    struct core_use u;
    struct core_handle *from = &graph->base;
    CUgraphExecUpdateResultInfo info = {0, NULL, NULL};
    int status = core_use_begin(&u, &exec->base, "the graph");
    if (status)
        return status;
    status = core_handle_hold(from, "the other graph");
    if (status)
        return core_use_end(&u, status);
    if (from->context->driver != u.driver) {
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the two graphs are of two drivers");
    } else {
        CUresult code = u.driver->cu.cuGraphExecUpdate(exec_of(u.h), core_graph(from), &info);
        status = core_check(u.driver, "cuGraphExecUpdate", code);
        if (code == CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE)
            runcu_fail_detail("The graph cannot take the other's place: %s.", reason(info.result));
    }
    core_handle_let_go(from);
    return core_use_end(&u, status);
}

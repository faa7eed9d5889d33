/* Conformance: graphs of nodes, captured streams, what is refused meanwhile. */
#include <pthread.h>
#include <stdatomic.h>

#include "device.h"

static CUDA_KERNEL_NODE_PARAMS one_kernel(CUfunction f, void **params, unsigned block)
{
    return (CUDA_KERNEL_NODE_PARAMS){
        .func = f,
        .gridDimX = 1,
        .gridDimY = 1,
        .gridDimZ = 1,
        .blockDimX = block,
        .blockDimY = 1,
        .blockDimZ = 1,
        .kernelParams = params,
    };
}

static CUDA_MEMCPY3D plain_copy(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    return (CUDA_MEMCPY3D){.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                           .srcDevice = from,
                           .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                           .dstDevice = to,
                           .WidthInBytes = bytes,
                           .Height = 1,
                           .Depth = 1};
}

/* Launches it in a stream of its own and waits. */
static void run(CUgraphExec exec)
{
    CUstream s;
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuGraphLaunch(exec, s));
    OK(cu.cuStreamSynchronize(s));
    OK(cu.cuStreamDestroy(s));
}

static CUgraphExec instance(CUgraph graph)
{
    CUgraphExec exec = NULL;
    OK(cu.cuGraphInstantiateWithFlags(&exec, graph, 0));
    return exec;
}

static void count(void *user)
{
    atomic_fetch_add((atomic_int *) user, 1);
}

/* ---- nodes ---- */

void graph_of_every_kind_of_node(void)
{
    CUgraph g;
    CUgraphNode set, add, copy, host, join;
    atomic_int calls = 0;
    CUcontext c = begin();
    CUdeviceptr p = words(64, 0), q = words(64, 0);
    uint64_t args[3] = {p, 5, 64};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS kernel_params = one_kernel(kernel("add_words"), params, 64);
    CUDA_MEMSET_NODE_PARAMS fill = {p, 0, 7, 4, 64, 1};
    CUDA_MEMCPY3D moved = plain_copy(q, p, 256);
    CUDA_HOST_NODE_PARAMS call = {count, &calls};
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddMemsetNode(&set, g, NULL, 0, &fill, c));
    OK(cu.cuGraphAddKernelNode(&add, g, &set, 1, &kernel_params));
    args[1] = 1000; /* copied when the node was made */
    OK(cu.cuGraphAddMemcpyNode(&copy, g, &add, 1, &moved, c));
    OK(cu.cuGraphAddHostNode(&host, g, &add, 1, &call));
    OK(cu.cuGraphAddEmptyNode(&join, g, (CUgraphNode[2]){copy, host}, 2));
    CUgraphExec exec = instance(g);
    OK(cu.cuGraphDestroy(g));
    REQUIRE_INT(word(q), ==, 0);
    run(exec);
    REQUIRE_INT(word(q), ==, 12);
    REQUIRE_INT(word(q + 252), ==, 12);
    for (int i = 0; i < 10; i++)
        run(exec);
    REQUIRE_INT(word(q), ==, 12);
    REQUIRE_INT(atomic_load(&calls), ==, 11);
    OK(cu.cuGraphExecDestroy(exec));
}

void graph_copies_of_rows_and_of_host_memory(void)
{
    enum { WIDTH = 24, HEIGHT = 5, DEPTH = 3, PITCH = 64 };
    static unsigned char in[DEPTH][HEIGHT + 1][PITCH], out[WIDTH * HEIGHT * DEPTH];
    CUgraph g;
    CUgraphNode up, down;
    CUdeviceptr p;
    CUcontext c = begin();
    for (size_t i = 0; i < sizeof in; i++)
        ((unsigned char *) in)[i] = (unsigned char) (i * 7);
    OK(cu.cuMemAlloc(&p, sizeof out));
    CUDA_MEMCPY3D to = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                        .srcHost = in,
                        .srcXInBytes = 8,
                        .srcY = 1,
                        .srcPitch = PITCH,
                        .srcHeight = HEIGHT + 1,
                        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                        .dstDevice = p,
                        .dstPitch = WIDTH,
                        .dstHeight = HEIGHT,
                        .WidthInBytes = WIDTH,
                        .Height = HEIGHT,
                        .Depth = DEPTH};
    CUDA_MEMCPY3D from = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                          .srcDevice = p,
                          .dstMemoryType = CU_MEMORYTYPE_HOST,
                          .dstHost = out,
                          .WidthInBytes = sizeof out,
                          .Height = 1,
                          .Depth = 1};
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddMemcpyNode(&up, g, NULL, 0, &to, c));
    OK(cu.cuGraphAddMemcpyNode(&down, g, &up, 1, &from, c));
    run(instance(g));
    for (size_t z = 0, i = 0; z < DEPTH; z++)
        for (size_t y = 0; y < HEIGHT; y++)
            for (size_t x = 0; x < WIDTH; x++)
                REQUIRE_INT(out[i++], ==, in[z][y + 1][x + 8]);
}

void graph_edges_and_nodes_are_told(void)
{
    CUgraph g, copy;
    CUgraphNode n[4], list[8], others[8], twin;
    size_t len = 0;
    int type = -1;
    atomic_int calls = 0;
    CUDA_HOST_NODE_PARAMS call = {count, &calls}, back = {0};
    begin();
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddEmptyNode(&n[0], g, NULL, 0));
    OK(cu.cuGraphAddHostNode(&n[1], g, &n[0], 1, &call));
    OK(cu.cuGraphAddEmptyNode(&n[2], g, &n[0], 1));
    OK(cu.cuGraphAddEmptyNode(&n[3], g, &n[1], 2));
    OK(cu.cuGraphGetNodes(g, NULL, &len));
    REQUIRE_INT(len, ==, 4);
    OK(cu.cuGraphGetRootNodes(g, NULL, &len));
    REQUIRE_INT(len, ==, 1);
    OK(cu.cuGraphGetRootNodes(g, list, &len));
    REQUIRE(list[0] == n[0]);
    OK(cu.cuGraphGetEdges(g, NULL, NULL, &len));
    REQUIRE_INT(len, ==, 4);
    len = 8;
    OK(cu.cuGraphGetEdges(g, list, others, &len));
    REQUIRE_INT(len, ==, 4);
    REQUIRE(list[4] == NULL && others[7] == NULL);
    OK(cu.cuGraphNodeGetDependencies(n[3], NULL, &len));
    REQUIRE_INT(len, ==, 2);
    OK(cu.cuGraphNodeGetDependentNodes(n[0], NULL, &len));
    REQUIRE_INT(len, ==, 2);
    OK(cu.cuGraphNodeGetType(n[1], &type));
    REQUIRE_INT(type, ==, CU_GRAPH_NODE_TYPE_HOST);
    OK(cu.cuGraphHostNodeGetParams(n[1], &back));
    REQUIRE(back.fn == count && back.userData == &calls);
    OK(cu.cuGraphClone(&copy, g));
    OK(cu.cuGraphNodeFindInClone(&twin, n[1], copy));
    REQUIRE(twin != n[1]);
    OK(cu.cuGraphNodeGetType(twin, &type));
    REQUIRE_INT(type, ==, CU_GRAPH_NODE_TYPE_HOST);
    OK(cu.cuGraphRemoveDependencies(g, &n[0], &n[1], 1));
    FAILS(cu.cuGraphRemoveDependencies(g, &n[0], &n[1], 1), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuGraphGetRootNodes(g, NULL, &len));
    REQUIRE_INT(len, ==, 2);
    OK(cu.cuGraphAddDependencies(g, &n[0], &n[1], 1));
    FAILS(cu.cuGraphAddDependencies(g, &n[0], &n[1], 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphAddDependencies(g, &n[0], &n[0], 1), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuGraphDestroyNode(n[3]));
    OK(cu.cuGraphGetNodes(g, NULL, &len));
    REQUIRE_INT(len, ==, 3);
    run(instance(g));
    run(instance(copy));
    REQUIRE_INT(atomic_load(&calls), ==, 2);
    OK(cu.cuGraphDestroy(g));
    OK(cu.cuGraphDestroy(copy));
}

void graph_is_drawn(void)
{
    CUgraph g;
    CUgraphNode n;
    char path[4096], text[4096];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/runcu-test-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    begin();
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddEmptyNode(&n, g, NULL, 0));
    OK(cu.cuGraphDebugDotPrint(g, path, 0));
    ssize_t len = read(fd, text, sizeof text - 1);
    REQUIRE(len > 0);
    text[len] = 0;
    REQUIRE_IN("digraph", text);
    close(fd);
    unlink(path);
    OK(cu.cuGraphDestroy(g));
}

void graph_edges_that_go_round(void)
{
    CUgraph g;
    CUgraphNode n[2];
    CUgraphExec exec;
    begin();
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddEmptyNode(&n[0], g, NULL, 0));
    OK(cu.cuGraphAddEmptyNode(&n[1], g, &n[0], 1));
    CUresult code = cu.cuGraphAddDependencies(g, &n[1], &n[0], 1);
    if (code == CUDA_SUCCESS)
        code = cu.cuGraphInstantiateWithFlags(&exec, g, 0);
    REQUIRE_INT(code, ==, CUDA_ERROR_INVALID_VALUE);
}

void graph_arguments_are_checked(void)
{
    CUgraph g;
    CUgraphNode n;
    CUgraphExec exec;
    CUcontext c = begin();
    CUdeviceptr p = words(4, 0);
    CUDA_MEMSET_NODE_PARAMS bad_width = {p, 0, 7, 3, 4, 1}, nothing = {p, 0, 7, 4, 0, 1};
    CUDA_HOST_NODE_PARAMS no_call = {NULL, NULL};
    uint64_t args[3] = {p, 5, 4};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS wide = one_kernel(kernel("add_words"), params, 4096);
    FAILS(cu.cuGraphCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphCreate(&g, 77), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuGraphCreate(&g, 0));
    FAILS(cu.cuGraphAddEmptyNode(NULL, g, NULL, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphAddEmptyNode(&n, NULL, NULL, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphAddMemsetNode(&n, g, NULL, 0, &bad_width, c), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphAddMemsetNode(&n, g, NULL, 0, &nothing, c), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphAddMemsetNode(&n, g, NULL, 0, NULL, c), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphAddHostNode(&n, g, NULL, 0, &no_call), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cu.cuGraphAddKernelNode(&n, g, NULL, 0, &wide) != CUDA_SUCCESS ||
            cu.cuGraphInstantiateWithFlags(&exec, g, 0) != CUDA_SUCCESS);
    FAILS(cu.cuGraphInstantiateWithFlags(NULL, g, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphInstantiateWithFlags(&exec, NULL, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphLaunch(NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphDestroy(NULL), CUDA_ERROR_INVALID_VALUE);
}

void graph_of_graphs(void)
{
    CUgraph inner, outer, seen = NULL;
    CUgraphNode n, first, second;
    CUcontext c = begin();
    CUdeviceptr p = words(1, 0);
    uint64_t args[3] = {p, 3, 1};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS add = one_kernel(kernel("add_words"), params, 32);
    CUDA_MEMSET_NODE_PARAMS fill = {p, 0, 10, 4, 1, 1};
    OK(cu.cuGraphCreate(&inner, 0));
    OK(cu.cuGraphAddKernelNode(&n, inner, NULL, 0, &add));
    OK(cu.cuGraphCreate(&outer, 0));
    OK(cu.cuGraphAddMemsetNode(&n, outer, NULL, 0, &fill, c));
    OK(cu.cuGraphAddChildGraphNode(&first, outer, &n, 1, inner));
    OK(cu.cuGraphAddChildGraphNode(&second, outer, &first, 1, inner));
    OK(cu.cuGraphDestroy(inner)); /* the nodes have copies */
    OK(cu.cuGraphChildGraphNodeGetGraph(second, &seen));
    REQUIRE(seen != NULL && seen != inner);
    CUgraphExec exec = instance(outer);
    run(exec);
    REQUIRE_INT(word(p), ==, 16);
    run(exec);
    REQUIRE_INT(word(p), ==, 16);
}

void graph_records_and_waits_for_events(void)
{
    CUgraph g;
    CUgraphNode add, record, wait;
    CUevent done, go;
    CUstream s, other;
    begin();
    CUfunction f = kernel("add_words"), hold = kernel("wait_flag");
    CUdeviceptr device, p = words(2, 0);
    volatile unsigned *open = flag(&device);
    uint64_t args[3] = {p, 3, 1};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS what = one_kernel(f, params, 32);
    OK(cu.cuEventCreate(&done, 0));
    OK(cu.cuEventCreate(&go, CU_EVENT_DISABLE_TIMING));
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    warm_up(f, ARGS(p, 0, 1));
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddEventWaitNode(&wait, g, NULL, 0, go));
    OK(cu.cuGraphAddKernelNode(&add, g, &wait, 1, &what));
    OK(cu.cuGraphAddEventRecordNode(&record, g, &add, 1, done));
    CUgraphExec exec = instance(g);
    OK(cu.cuGraphUpload(exec, s));
    OK(cu.cuStreamSynchronize(s));
    OK(launch(hold, 1, 1, other, ARGS(device, p + 4, 1)));
    OK(cu.cuEventRecord(go, other));
    OK(cu.cuGraphLaunch(exec, s));
    sleep_ms(20);
    FAILS(cu.cuStreamQuery(s), CUDA_ERROR_NOT_READY);
    FAILS(cu.cuEventQuery(done), CUDA_ERROR_NOT_READY);
    *open = 1;
    OK(cu.cuEventSynchronize(done));
    REQUIRE_INT(word(p), ==, 3);
    OK(cu.cuStreamSynchronize(s));
}

void graph_nodes_are_changed(void)
{
    CUgraph g, other;
    CUgraphNode set, add, copy, host;
    atomic_int calls = 0, more = 0;
    CUcontext c = begin();
    CUdeviceptr p = words(1, 0), q = words(1, 0);
    uint64_t args[3] = {p, 5, 1};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS what = one_kernel(kernel("add_words"), params, 32), told = {0};
    CUDA_MEMSET_NODE_PARAMS fill = {p, 0, 7, 4, 1, 1}, told_fill = {0};
    CUDA_MEMCPY3D moved = plain_copy(q, p, 4), told_copy = {0};
    CUDA_HOST_NODE_PARAMS call = {count, &calls};
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddMemsetNode(&set, g, NULL, 0, &fill, c));
    OK(cu.cuGraphAddKernelNode(&add, g, &set, 1, &what));
    OK(cu.cuGraphAddMemcpyNode(&copy, g, &add, 1, &moved, c));
    OK(cu.cuGraphAddHostNode(&host, g, &copy, 1, &call));
    CUgraphExec exec = instance(g), old = instance(g);
    /* of the launchable graph alone */
    args[1] = 100;
    OK(cu.cuGraphExecKernelNodeSetParams(exec, add, &what));
    fill.value = 20;
    OK(cu.cuGraphExecMemsetNodeSetParams(exec, set, &fill, c));
    CUdeviceptr r = words(1, 0);
    moved = plain_copy(r, p, 4);
    OK(cu.cuGraphExecMemcpyNodeSetParams(exec, copy, &moved, c));
    call.userData = &more;
    OK(cu.cuGraphExecHostNodeSetParams(exec, host, &call));
    run(exec);
    REQUIRE_INT(word(r), ==, 120);
    REQUIRE_INT(atomic_load(&more), ==, 1);
    run(old);
    REQUIRE_INT(word(q), ==, 12);
    REQUIRE_INT(atomic_load(&calls), ==, 1);
    /* of the graph, for what is made of it later */
    OK(cu.cuGraphKernelNodeGetParams(add, &told));
    REQUIRE(told.func == what.func && told.blockDimX == 32);
    REQUIRE_INT(*(unsigned *) told.kernelParams[1], ==, 5);
    OK(cu.cuGraphMemsetNodeGetParams(set, &told_fill));
    REQUIRE_INT(told_fill.value, ==, 7);
    OK(cu.cuGraphMemcpyNodeGetParams(copy, &told_copy));
    REQUIRE(told_copy.dstDevice == q && told_copy.WidthInBytes == 4);
    args[1] = 30;
    OK(cu.cuGraphKernelNodeSetParams(add, &what));
    OK(cu.cuGraphMemsetNodeSetParams(set, &fill));
    OK(cu.cuGraphMemcpyNodeSetParams(copy, &moved));
    OK(cu.cuGraphHostNodeSetParams(host, &call));
    run(instance(g));
    REQUIRE_INT(word(r), ==, 50);
    FAILS(cu.cuGraphHostNodeSetParams(add, &call), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuGraphCreate(&other, 0));
    OK(cu.cuGraphAddHostNode(&host, other, NULL, 0, &call));
    FAILS(cu.cuGraphExecHostNodeSetParams(exec, host, &call), CUDA_ERROR_INVALID_VALUE);
}

/* Sets a word, then adds to it. */
static CUgraph set_and_add(CUcontext c, CUdeviceptr p, unsigned value, unsigned more)
{
    CUgraph g;
    CUgraphNode set, add;
    uint64_t args[3] = {p, more, 1};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS what = one_kernel(kernel("add_words"), params, 32);
    CUDA_MEMSET_NODE_PARAMS fill = {p, 0, value, 4, 1, 1};
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddMemsetNode(&set, g, NULL, 0, &fill, c));
    OK(cu.cuGraphAddKernelNode(&add, g, &set, 1, &what));
    return g;
}

void graph_is_updated_whole(void)
{
    CUgraphExecUpdateResultInfo info;
    CUgraphNode n;
    CUcontext c = begin();
    CUdeviceptr p = words(1, 0);
    CUgraph first = set_and_add(c, p, 1, 2), second = set_and_add(c, p, 30, 40);
    CUgraphExec exec = instance(first);
    run(exec);
    REQUIRE_INT(word(p), ==, 3);
    OK(cu.cuGraphExecUpdate(exec, second, &info));
    REQUIRE_INT(info.result, ==, CU_GRAPH_EXEC_UPDATE_SUCCESS);
    run(exec);
    REQUIRE_INT(word(p), ==, 70);
    OK(cu.cuGraphAddEmptyNode(&n, second, NULL, 0));
    FAILS(cu.cuGraphExecUpdate(exec, second, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    REQUIRE_INT(info.result, ==, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    run(exec); /* as it was */
    REQUIRE_INT(word(p), ==, 70);
}

void graph_launches_come_after_each_other(void)
{
    CUstream a, b;
    CUcontext c = begin();
    CUdeviceptr p = words(1, 0);
    CUfunction slow = kernel("slow");
    CUgraph g;
    CUgraphNode n[2];
    uint64_t args[3] = {p, 200000, 1};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS what = one_kernel(slow, params, 1);
    (void) c;
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddKernelNode(&n[0], g, NULL, 0, &what));
    OK(cu.cuGraphAddKernelNode(&n[1], g, &n[0], 1, &what));
    CUgraphExec exec = instance(g);
    OK(cu.cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
    for (int i = 0; i < 4; i++)
        OK(cu.cuGraphLaunch(exec, i % 2 ? a : b));
    OK(cu.cuGraphExecDestroy(exec)); /* what is launched goes on */
    OK(cu.cuGraphDestroy(g));
    OK(cu.cuCtxSynchronize());
    REQUIRE_INT(word(p), ==, 8);
}

/* ---- captures ---- */

static CUstream captured(int mode)
{
    CUstream s;
    OK(cu.cuStreamCreate(&s, CU_STREAM_NON_BLOCKING));
    OK(cu.cuStreamBeginCapture(s, mode));
    return s;
}

static void require_status(CUstream s, int expected)
{
    int status = -1;
    OK(cu.cuStreamIsCapturing(s, &status));
    REQUIRE_INT(status, ==, expected);
}

void capture_makes_a_graph(void)
{
    CUgraph g = NULL, seen = NULL;
    const CUgraphNode *after = NULL;
    size_t len = 0;
    uint64_t id = 0;
    int status = -1;
    unsigned out = 0;
    atomic_int calls = 0;
    begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(4, 0);
    warm_up(f, ARGS(p, 0, 1));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_GLOBAL);
    require_status(s, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    OK(cu.cuMemsetD32Async(p, 8, 4, s));
    OK(launch(f, 1, 32, s, ARGS(p, 2, 4)));
    OK(cu.cuMemcpyDtoHAsync(&out, p + 12, 4, s));
    OK(cu.cuLaunchHostFunc(s, count, &calls));
    OK(cu.cuStreamGetCaptureInfo(s, &status, &id, &seen, &after, &len));
    REQUIRE_INT(status, ==, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    REQUIRE(seen != NULL && len == 1 && after[0] != NULL && id != 0);
    OK(cu.cuStreamEndCapture(s, &g));
    REQUIRE(g != NULL);
    require_status(s, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cu.cuStreamSynchronize(s));
    REQUIRE_INT(word(p), ==, 0);
    OK(cu.cuGraphGetNodes(g, NULL, &len));
    REQUIRE_INT(len, ==, 4);
    OK(cu.cuGraphGetEdges(g, NULL, NULL, &len));
    REQUIRE_INT(len, ==, 3);
    CUgraphExec exec = instance(g);
    for (int i = 1; i <= 3; i++) {
        run(exec);
        REQUIRE_INT(out, ==, 10);
        REQUIRE_INT(atomic_load(&calls), ==, i);
    }
}

void capture_of_two_streams(void)
{
    CUgraph g = NULL;
    CUevent fork, join;
    CUstream b;
    size_t len = 0;
    begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(2, 0);
    warm_up(f, ARGS(p, 0, 1));
    OK(cu.cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
    OK(cu.cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
    OK(cu.cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
    CUstream a = captured(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    OK(cu.cuMemsetD32Async(p, 1, 2, a));
    OK(cu.cuEventRecord(fork, a));
    OK(cu.cuStreamWaitEvent(b, fork, 0));
    require_status(b, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    OK(launch(f, 1, 32, a, ARGS(p, 10, 1)));
    OK(launch(f, 1, 32, b, ARGS(p + 4, 20, 1)));
    OK(cu.cuEventRecord(join, b));
    OK(cu.cuStreamWaitEvent(a, join, 0));
    OK(launch(f, 1, 32, a, ARGS(p, 100, 2)));
    OK(cu.cuStreamEndCapture(a, &g));
    require_status(b, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cu.cuGraphGetEdges(g, NULL, NULL, &len));
    REQUIRE_INT(len, ==, 4);
    run(instance(g));
    REQUIRE_INT(word(p), ==, 111);
    REQUIRE_INT(word(p + 4), ==, 121);
}

void capture_with_external_events(void)
{
    CUgraph g = NULL;
    CUgraphNode list[4];
    CUevent before, after;
    size_t len = 4;
    int type = -1;
    begin();
    CUdeviceptr p = words(1, 0);
    OK(cu.cuEventCreate(&before, CU_EVENT_DISABLE_TIMING));
    OK(cu.cuEventCreate(&after, 0));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_GLOBAL);
    OK(cu.cuStreamWaitEvent(s, before, CU_EVENT_WAIT_EXTERNAL));
    OK(cu.cuMemsetD32Async(p, 6, 1, s));
    OK(cu.cuEventRecordWithFlags(after, s, CU_EVENT_RECORD_EXTERNAL));
    OK(cu.cuStreamEndCapture(s, &g));
    OK(cu.cuGraphGetNodes(g, list, &len));
    REQUIRE_INT(len, ==, 3);
    OK(cu.cuGraphNodeGetType(list[0], &type));
    REQUIRE_INT(type, ==, CU_GRAPH_NODE_TYPE_WAIT_EVENT);
    OK(cu.cuGraphLaunch(instance(g), s));
    OK(cu.cuEventSynchronize(after));
    REQUIRE_INT(word(p), ==, 6);
}

void capture_begins_and_ends_once(void)
{
    CUgraph g = NULL;
    CUstream s;
    begin();
    OK(cu.cuStreamCreate(&s, 0));
    FAILS(cu.cuStreamEndCapture(s, &g), CUDA_ERROR_ILLEGAL_STATE);
    FAILS(cu.cuStreamBeginCapture(s, 17), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuStreamBeginCapture(NULL, 0), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    FAILS(cu.cuStreamBeginCapture(CU_STREAM_LEGACY, 0), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    FAILS(cu.cuStreamBeginCapture(s, 0), CUDA_ERROR_ILLEGAL_STATE);
    cu.cuStreamEndCapture(s, &g);
    require_status(s, CU_STREAM_CAPTURE_STATUS_NONE);
}

/* The capture is lost, and its end says so. */
static void require_lost(CUstream s)
{
    CUgraph g = (CUgraph) &g;
    require_status(s, CU_STREAM_CAPTURE_STATUS_INVALIDATED);
    FAILS(cu.cuStreamEndCapture(s, &g), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    REQUIRE(g == NULL);
    require_status(s, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cu.cuStreamSynchronize(s));
}

void capture_of_a_graph_launch(void)
{
    CUcontext c = begin();
    CUdeviceptr p = words(1, 0);
    CUgraphExec inner = instance(set_and_add(c, p, 4, 5));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_RELAXED);
    FAILS(cu.cuGraphLaunch(inner, s), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    require_lost(s);
    run(inner);
    REQUIRE_INT(word(p), ==, 9);
}

void capture_cannot_be_waited_for(void)
{
    CUevent e;
    CUdeviceptr p;
    begin();
    p = words(1, 0);
    OK(cu.cuEventCreate(&e, 0));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_RELAXED);
    FAILS(cu.cuStreamSynchronize(s), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    FAILS(cu.cuMemsetD32Async(p, 6, 1, s), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    require_lost(s);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    FAILS(cu.cuStreamQuery(s), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    require_lost(s);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    FAILS(cu.cuCtxSynchronize(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    require_lost(s);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cu.cuEventRecord(e, s));
    FAILS(cu.cuEventQuery(e), CUDA_ERROR_CAPTURED_EVENT);
    require_lost(s);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cu.cuEventRecord(e, s));
    FAILS(cu.cuEventSynchronize(e), CUDA_ERROR_CAPTURED_EVENT);
    require_lost(s);
}

void capture_stays_apart(void)
{
    CUevent e, f;
    CUstream other;
    begin();
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, 0));
    OK(cu.cuEventCreate(&f, 0));
    OK(cu.cuMemsetD32Async(p, 6, 1, other));
    OK(cu.cuEventRecord(e, other));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_RELAXED);
    FAILS(cu.cuStreamWaitEvent(s, e, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    require_lost(s);
    OK(cu.cuStreamSynchronize(other));
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cu.cuStreamBeginCapture(other, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cu.cuMemsetD32Async(p, 6, 1, other));
    OK(cu.cuEventRecord(f, other));
    FAILS(cu.cuStreamWaitEvent(s, f, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
    CUgraph g;
    cu.cuStreamEndCapture(s, &g);
    cu.cuStreamEndCapture(other, &g);
}

void capture_must_be_joined(void)
{
    CUgraph g = NULL;
    CUevent e;
    CUstream other;
    begin();
    CUdeviceptr p = words(1, 0);
    OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    OK(cu.cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_GLOBAL);
    OK(cu.cuMemsetD32Async(p, 6, 1, s));
    OK(cu.cuEventRecord(e, s));
    OK(cu.cuStreamWaitEvent(other, e, 0));
    OK(cu.cuMemsetD32Async(p, 7, 1, other));
    FAILS(cu.cuStreamEndCapture(s, &g), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    REQUIRE(g == NULL);
    require_status(s, CU_STREAM_CAPTURE_STATUS_NONE);
    require_status(other, CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cu.cuEventRecord(e, s));
    OK(cu.cuStreamWaitEvent(other, e, 0));
    FAILS(cu.cuStreamEndCapture(other, &g), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    cu.cuStreamEndCapture(s, &g);
}

void capture_beside_the_default_stream(void)
{
    CUstream s;
    begin();
    CUfunction f = kernel("add_words");
    CUdeviceptr p = words(1, 0);
    warm_up(f, ARGS(p, 0, 1));
    OK(cu.cuStreamCreate(&s, CU_STREAM_DEFAULT));
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    int status;
    FAILS(cu.cuStreamIsCapturing(NULL, &status), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    FAILS(launch(f, 1, 32, NULL, ARGS(p, 1, 1)), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    require_lost(s);
    OK(launch(f, 1, 32, NULL, ARGS(p, 1, 1)));
    REQUIRE_INT(word(p), ==, 1);
}

void capture_modes_forbid(void)
{
    CUgraph g;
    CUdeviceptr p, q;
    begin();
    OK(cu.cuMemAlloc(&q, 64));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_GLOBAL);
    FAILS(cu.cuMemAlloc(&p, 64), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    require_lost(s);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    FAILS(cu.cuMemFree(q), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    require_lost(s);
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cu.cuMemAlloc(&p, 64));
    OK(cu.cuStreamEndCapture(s, &g));
    OK(cu.cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_GLOBAL));
    int mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    OK(cu.cuThreadExchangeStreamCaptureMode(&mode));
    REQUIRE_INT(mode, ==, CU_STREAM_CAPTURE_MODE_GLOBAL);
    OK(cu.cuMemFree(p));
    OK(cu.cuThreadExchangeStreamCaptureMode(&mode));
    REQUIRE_INT(mode, ==, CU_STREAM_CAPTURE_MODE_RELAXED);
    OK(cu.cuStreamEndCapture(s, &g));
    OK(cu.cuMemFree(q));
}

struct elsewhere {
    CUcontext context;
    CUstream stream;
    CUresult alloc, end;
};

static void *works_elsewhere(void *arg)
{
    struct elsewhere *e = arg;
    CUdeviceptr p;
    CUgraph g;
    OK(cu.cuCtxSetCurrent(e->context));
    e->alloc = cu.cuMemAlloc(&p, 64);
    e->end = cu.cuStreamEndCapture(e->stream, &g);
    return NULL;
}

void capture_belongs_to_its_thread(void)
{
    struct elsewhere e = {.context = begin()};
    pthread_t t;
    CUgraph g;
    e.stream = captured(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    REQUIRE(pthread_create(&t, NULL, works_elsewhere, &e) == 0);
    pthread_join(t, NULL);
    REQUIRE_INT(e.alloc, ==, CUDA_SUCCESS);
    REQUIRE_INT(e.end, ==, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    cu.cuStreamEndCapture(e.stream, &g);
    OK(cu.cuStreamBeginCapture(e.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    REQUIRE(pthread_create(&t, NULL, works_elsewhere, &e) == 0);
    pthread_join(t, NULL);
    REQUIRE_INT(e.alloc, ==, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    cu.cuStreamEndCapture(e.stream, &g);
}

/* ---- the CPU device alone ---- */

void graph_of_what_is_gone(void)
{
    CUmodule m;
    CUgraph g;
    CUgraphNode n;
    CUevent e;
    const char *text = NULL;
    CUcontext c = begin();
    CUdeviceptr p = words(1, 0);
    CUgraphExec sets = instance(set_and_add(c, p, 1, 2));
    uint64_t args[3] = {p, 1, 1};
    void *params[] = {&args[0], &args[1], &args[2]};
    CUDA_KERNEL_NODE_PARAMS what = one_kernel(kernel_of(&m, ptx_text, "add_words"), params, 32);
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddKernelNode(&n, g, NULL, 0, &what));
    CUgraphExec kernel_gone = instance(g);
    OK(cu.cuModuleUnload(m));
    FAILS(cu.cuGraphLaunch(kernel_gone, NULL), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.runcuFaultText(&text));
    REQUIRE_IN("unloaded", text);
    FAILS(cu.cuGraphKernelNodeGetParams(n, &what), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuGraphDebugDotPrint(g, "/dev/null", 0));
    OK(cu.cuMemFree(p));
    FAILS(cu.cuGraphLaunch(sets, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cu.runcuFaultText(&text));
    REQUIRE_IN("freed", text);
    OK(cu.cuEventCreate(&e, 0));
    OK(cu.cuGraphCreate(&g, 0));
    OK(cu.cuGraphAddEventRecordNode(&n, g, NULL, 0, e));
    CUgraphExec event_gone = instance(g);
    OK(cu.cuEventDestroy(e));
    FAILS(cu.cuGraphLaunch(event_gone, NULL), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuGraphDestroy(g));
    FAILS(cu.cuGraphDestroy(g), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphInstantiateWithFlags(&sets, g, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphNodeGetType(n, &(int){0}), CUDA_ERROR_INVALID_VALUE);
    OK(cu.cuGraphExecDestroy(event_gone));
    FAILS(cu.cuGraphExecDestroy(event_gone), CUDA_ERROR_INVALID_VALUE);
    FAILS(cu.cuGraphLaunch(event_gone, NULL), CUDA_ERROR_INVALID_VALUE);
}

void capture_ends_with_its_stream(void)
{
    CUgraph g;
    CUevent e;
    CUstream other;
    int status;
    begin();
    CUdeviceptr p = words(1, 0);
    OK(cu.cuEventCreate(&e, 0));
    OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    CUstream s = captured(CU_STREAM_CAPTURE_MODE_RELAXED);
    OK(cu.cuMemsetD32Async(p, 6, 1, s));
    OK(cu.cuEventRecord(e, s));
    OK(cu.cuStreamWaitEvent(other, e, 0));
    OK(cu.cuStreamDestroy(s));
    FAILS(cu.cuStreamEndCapture(s, &g), CUDA_ERROR_INVALID_HANDLE);
    OK(cu.cuStreamIsCapturing(other, &status));
    REQUIRE_INT(status, ==, CU_STREAM_CAPTURE_STATUS_NONE);
    FAILS(cu.cuStreamWaitEvent(other, e, 0), CUDA_ERROR_CAPTURED_EVENT);
    OK(cu.cuEventRecord(e, other));
    OK(cu.cuEventSynchronize(e));
    REQUIRE_INT(word(p), ==, 0);
}

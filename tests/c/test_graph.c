/* Graphs, captures and streams through the public headers. With the argument "cuda" on NVIDIA's
 * driver (77 where there is none), else on the CPU device. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "runcu/runcu.h"
#include "test.h"

#include "core/core.h"

static const char ptx[] =
    ".version 6.4\n.target sm_75\n.address_size 64\n"
    ".visible .entry add(.param .u64 add_0, .param .u32 add_1)\n{\n"
    " .reg .b32 %r<4>; .reg .b64 %rd<4>;\n"
    " ld.param.u64 %rd1, [add_0]; ld.param.u32 %r1, [add_1]; cvta.to.global.u64 %rd2, %rd1;\n"
    " ld.global.u32 %r2, [%rd2]; add.s32 %r3, %r2, %r1; st.global.u32 [%rd2], %r3; ret;\n}\n";

static runcu_module *module;
static runcu_function *add;
static runcu_mem *mem; /* two words */

static void start(void)
{
    REQUIRE_OK(runcu_init(NULL));
    REQUIRE_INT(core_live_objects, ==, 0);
    REQUIRE_OK(runcu_module_load(&module, ptx, sizeof ptx));
    REQUIRE_OK(runcu_module_get_function(&add, module, "add"));
    REQUIRE_OK(runcu_mem_alloc(&mem, 8));
    REQUIRE_OK(runcu_mem_fill(&(runcu_fill){.to = runcu_mem_address(mem), .width = 4, .count = 2}));
    REQUIRE_OK(runcu_stream_synchronize(NULL)); /* graphs run in streams that do not wait for it */
}

static void finish(void)
{
    REQUIRE_OK(runcu_context_synchronize(NULL));
    REQUIRE_OK(runcu_mem_free(&mem));
    runcu_function_release(&add);
    runcu_module_release(&module);
    REQUIRE_INT(core_live_objects, ==, 0);
}

static int word(size_t i)
{
    int value = -1;
    REQUIRE_OK(runcu_copy_dtoh(&value, runcu_mem_address(mem) + 4 * i, 4));
    return value;
}

static runcu_fill one_word(size_t i, uint32_t value)
{
    return (runcu_fill){
        .to = runcu_mem_address(mem) + 4 * i, .value = value, .width = 4, .count = 1};
}

struct call {
    runcu_arg args[2];
    runcu_kernel_call call;
};

static const runcu_kernel_call *adding(struct call *c, int value)
{
    c->args[0] = runcu_address(runcu_mem_address(mem));
    c->args[1] = (runcu_arg){.kind = RUNCU_ARG_I32, .value.i = value};
    c->call = (runcu_kernel_call){.size = sizeof c->call,
                                  .function = add,
                                  .launch = RUNCU_GRID(1, 1, 1, 1, 1, 1),
                                  .args = c->args,
                                  .count = 2};
    return &c->call;
}

static runcu_stream *new_stream(void)
{
    runcu_stream *s;
    REQUIRE_OK(runcu_stream_create(&s, 1, 0));
    return s;
}

static void launch_and_wait(runcu_graph_exec *exec)
{
    runcu_stream *s = new_stream();
    REQUIRE_OK(runcu_graph_launch(exec, s));
    REQUIRE_OK(runcu_stream_synchronize(s));
    runcu_stream_destroy(&s);
}

static void count(void *user)
{
    atomic_fetch_add((atomic_int *) user, 1);
}

/* fill → add → copy to the second word, host call */
static runcu_graph *build(runcu_node *n[4], atomic_int *calls, runcu_fill fill)
{
    runcu_graph *g;
    struct call c;
    const runcu_box box = {.to = {.device = runcu_mem_address(mem) + 4},
                           .from = {.device = runcu_mem_address(mem)},
                           .width = 4};
    REQUIRE_OK(runcu_graph_create(&g));
    REQUIRE_OK(runcu_graph_add_fill(&n[0], g, NULL, &fill));
    REQUIRE_OK(runcu_graph_add_kernel(&n[1], g, &(runcu_node_list){&n[0], 1}, adding(&c, 5)));
    REQUIRE_OK(runcu_graph_add_copy(&n[2], g, &(runcu_node_list){&n[1], 1}, &box));
    REQUIRE_OK(runcu_graph_add_host_call(&n[3], g, &(runcu_node_list){&n[1], 1},
                                         &(runcu_host_call){count, calls}));
    return g;
}

static void nodes_are_launched_and_changed(void)
{
    runcu_node *n[4];
    runcu_graph_exec *exec;
    struct call c;
    atomic_int calls = 0, more = 0;
    start();
    runcu_fill fill = one_word(0, 7);
    runcu_graph *g = build(n, &calls, fill);
    REQUIRE_OK(runcu_graph_instantiate(&exec, g));
    launch_and_wait(exec);
    REQUIRE_INT(word(1), ==, 12);
    REQUIRE_INT(atomic_load(&calls), ==, 1);
    fill.value = 100;
    REQUIRE_OK(runcu_graph_exec_set_fill(exec, n[0], &fill));
    REQUIRE_OK(runcu_graph_exec_set_kernel(exec, n[1], adding(&c, 50)));
    REQUIRE_OK(runcu_graph_exec_set_host_call(exec, n[3], &(runcu_host_call){count, &more}));
    REQUIRE_OK(runcu_graph_upload(exec, NULL));
    launch_and_wait(exec);
    REQUIRE_INT(word(1), ==, 150);
    REQUIRE_INT(atomic_load(&calls), ==, 1);
    REQUIRE_INT(atomic_load(&more), ==, 1);
    REQUIRE_FAILS(runcu_graph_exec_set_fill(exec, n[1], &fill), RUNCU_ERROR_DRIVER,
                  "cuGraphExecMemsetNodeSetParams");
    REQUIRE_FAILS(runcu_graph_exec_set_fill(exec, NULL, &fill), RUNCU_ERROR_ARGUMENT, "NULL");
    runcu_graph_exec_destroy(&exec);
    runcu_graph_destroy(&g);
    finish();
}

static void nodes_of_a_graph_are_changed(void)
{
    runcu_node *n[4];
    runcu_graph_exec *before, *after;
    struct call c;
    atomic_int calls = 0, more = 0;
    start();
    runcu_fill fill = one_word(0, 7);
    runcu_graph *g = build(n, &calls, fill);
    const runcu_box back = {.to = {.device = runcu_mem_address(mem) + 4},
                            .from = {.device = runcu_mem_address(mem)},
                            .width = 2};
    REQUIRE_OK(runcu_graph_instantiate(&before, g));
    fill.value = 1000;
    REQUIRE_OK(runcu_graph_set_fill(g, n[0], &fill));
    REQUIRE_OK(runcu_graph_set_kernel(g, n[1], adding(&c, 1 << 16)));
    REQUIRE_OK(runcu_graph_set_copy(g, n[2], &back)); /* the lower half of the word */
    REQUIRE_OK(runcu_graph_set_host_call(g, n[3], &(runcu_host_call){count, &more}));
    REQUIRE_OK(runcu_graph_instantiate(&after, g));
    launch_and_wait(before);
    REQUIRE_INT(word(1), ==, 12);
    launch_and_wait(after);
    REQUIRE_INT(word(0), ==, 1000 + (1 << 16));
    REQUIRE_INT(word(1), ==, 1000);
    REQUIRE(atomic_load(&calls) == 1 && atomic_load(&more) == 1);
    REQUIRE_FAILS(runcu_graph_set_fill(g, n[1], &fill), RUNCU_ERROR_DRIVER,
                  "cuGraphMemsetNodeSetParams");
    runcu_graph_exec_destroy(&before);
    runcu_graph_exec_destroy(&after);
    runcu_graph_destroy(&g);
    finish();
}

static void a_graph_tells_of_itself(void)
{
    runcu_node *n[4], *list[8], *to[8];
    size_t len = 0;
    int type = -1;
    atomic_int calls = 0;
    start();
    runcu_graph *g = build(n, &calls, one_word(0, 7)), *copy, *same;
    REQUIRE_OK(runcu_graph_nodes(NULL, &len, g));
    REQUIRE_INT(len, ==, 4);
    len = 2;
    REQUIRE_OK(runcu_graph_nodes(list, &len, g)); /* too short a list */
    REQUIRE_INT(len, ==, 4);
    len = 8;
    REQUIRE_OK(runcu_graph_edges(list, to, &len, g));
    REQUIRE_INT(len, ==, 3);
    len = 8;
    REQUIRE_OK(runcu_graph_roots(list, &len, g));
    REQUIRE(len == 1 && list[0] == n[0]);
    len = 8;
    REQUIRE_OK(runcu_graph_before(list, &len, g, n[3]));
    REQUIRE(len == 1 && list[0] == n[1]);
    len = 8;
    REQUIRE_OK(runcu_graph_after(list, &len, g, n[1]));
    REQUIRE_INT(len, ==, 2);
    runcu_node *twin = NULL;
    REQUIRE_OK(runcu_node_wrap(&twin, runcu_node_handle(n[1])));
    REQUIRE(twin == n[1] && runcu_node_handle(NULL) == 0);
    REQUIRE_FAILS(runcu_node_wrap(&twin, 0), RUNCU_ERROR_ARGUMENT, "0 is no node");
    REQUIRE(!twin);
    REQUIRE_OK(runcu_graph_node_type(&type, g, n[1]));
    REQUIRE_INT(type, ==, RUNCU_NODE_KERNEL);
    REQUIRE_OK(runcu_graph_add_edges(g, &n[2], &n[3], 1));
    REQUIRE_FAILS(runcu_graph_add_edges(g, &n[2], &n[3], 1), RUNCU_ERROR_DRIVER,
                  "cuGraphAddDependencies");
    REQUIRE_OK(runcu_graph_remove_edges(g, &n[2], &n[3], 1));
    REQUIRE_OK(runcu_graph_clone(&copy, g));
    REQUIRE_OK(runcu_graph_remove(g, n[3]));
    REQUIRE_OK(runcu_graph_nodes(NULL, &len, g));
    REQUIRE_INT(len, ==, 3);
    REQUIRE_OK(runcu_graph_nodes(NULL, &len, copy));
    REQUIRE_INT(len, ==, 4);
    REQUIRE_OK(runcu_graph_wrap(&same, runcu_graph_handle(g)));
    runcu_graph_destroy(&same);
    REQUIRE_OK(runcu_graph_nodes(NULL, &len, g)); /* still there */
    REQUIRE_OK(runcu_graph_print_dot(g, "/dev/null", 1));
    REQUIRE(runcu_graph_print_dot(g, "/nowhere/at/all", 0) != 0);
    runcu_graph_destroy(&g);
    runcu_graph_destroy(&copy);
    finish();
}

static void bad_nodes_are_refused(void)
{
    runcu_node *n = NULL;
    runcu_graph *g;
    struct call c;
    int host = 0;
    start();
    REQUIRE_OK(runcu_graph_create(&g));
    adding(&c, 5);
    c.args[1].kind = RUNCU_ARG_F32;
    REQUIRE_FAILS(runcu_graph_add_kernel(&n, g, NULL, &c.call), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "parameter 1");
    adding(&c, 5);
    c.call.count = 1;
    REQUIRE_FAILS(runcu_graph_add_kernel(&n, g, NULL, &c.call), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "takes 2 arguments");
    adding(&c, 5);
    c.args[0] = runcu_in(&host, sizeof host);
    REQUIRE_FAILS(runcu_graph_add_kernel(&n, g, NULL, &c.call), RUNCU_ERROR_LAUNCH_ARGUMENT,
                  "host memory");
    adding(&c, 5);
    c.call.function = NULL;
    REQUIRE_FAILS(runcu_graph_add_kernel(&n, g, NULL, &c.call), RUNCU_ERROR_ARGUMENT, "NULL");
    adding(&c, 5);
    c.call.launch.block.x = 4096;
    REQUIRE_FAILS(runcu_graph_add_kernel(&n, g, NULL, &c.call), RUNCU_ERROR_LAUNCH_SHAPE, "4096");
    REQUIRE(n == NULL);
    REQUIRE_FAILS(runcu_graph_add_host_call(&n, g, NULL, &(runcu_host_call){NULL, NULL}),
                  RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_graph_add_fill(&n, g, NULL, &(runcu_fill){.to = 16, .width = 3}),
                  RUNCU_ERROR_ARGUMENT, "width");
    REQUIRE_FAILS(runcu_graph_add_copy(&n, g, NULL, &(runcu_box){.width = 4}), RUNCU_ERROR_ARGUMENT,
                  "not set");
    REQUIRE_FAILS(runcu_graph_add_record(&n, g, NULL, NULL), RUNCU_ERROR_ARGUMENT, "event");
    REQUIRE_FAILS(runcu_graph_add_graph(&n, g, NULL, g), RUNCU_ERROR_ARGUMENT, "its own");
    REQUIRE_FAILS(runcu_graph_add_empty(&n, NULL, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_graph_add_empty(&n, g, &(runcu_node_list){NULL, 3}), RUNCU_ERROR_ARGUMENT,
                  "NULL");
    runcu_graph_close(g);
    REQUIRE_FAILS(runcu_graph_add_empty(&n, g, NULL), RUNCU_ERROR_FREED, "freed");
    REQUIRE_INT(runcu_graph_handle(g), ==, 0);
    runcu_graph_destroy(&g);
    runcu_graph_destroy(&g);
    finish();
}

static void a_captured_stream_makes_a_graph(void)
{
    runcu_graph *g;
    runcu_graph_exec *exec;
    runcu_event *fork, *join;
    int status = -1, value = 0;
    uint64_t id = 0;
    start();
    runcu_stream *a = new_stream(), *b = new_stream();
    REQUIRE_OK(runcu_event_create(&fork, 2));
    REQUIRE_OK(runcu_event_create(&join, 2));
    REQUIRE_OK(runcu_launch(add, runcu_on(RUNCU_GRID(1, 1, 1, 1, 1, 1), a, 0), mem, 0));
    REQUIRE_OK(runcu_stream_synchronize(a));
    REQUIRE_OK(runcu_stream_begin_capture(a, RUNCU_CAPTURE_GLOBAL));
    runcu_fill first = one_word(0, 1), second = one_word(1, 2);
    REQUIRE_OK(runcu_mem_fill_async(&first, a));
    REQUIRE_OK(runcu_event_record(fork, a));
    REQUIRE_OK(runcu_stream_wait_event(b, fork));
    REQUIRE_OK(runcu_mem_fill_async(&second, b));
    REQUIRE_OK(runcu_launch(add, runcu_on(RUNCU_GRID(1, 1, 1, 1, 1, 1), a, 0), mem, 10));
    REQUIRE_OK(runcu_event_record(join, b));
    REQUIRE_OK(runcu_stream_wait_event(a, join));
    REQUIRE_OK(runcu_copy_dtoh_async(&value, runcu_mem_address(mem) + 4, 4, a));
    REQUIRE_OK(runcu_stream_capture_status(&status, &id, b));
    REQUIRE(status == RUNCU_CAPTURE_ACTIVE && id != 0);
    REQUIRE_OK(runcu_stream_end_capture(&g, a));
    REQUIRE_OK(runcu_stream_capture_status(&status, NULL, b));
    REQUIRE_INT(status, ==, RUNCU_CAPTURE_NONE);
    REQUIRE_INT(word(0), ==, 0);
    REQUIRE_OK(runcu_graph_instantiate(&exec, g));
    launch_and_wait(exec);
    REQUIRE_INT(word(0), ==, 11);
    REQUIRE_INT(value, ==, 2);
    runcu_graph_exec_destroy(&exec);
    runcu_graph_destroy(&g);
    runcu_event_destroy(&fork);
    runcu_event_destroy(&join);
    runcu_stream_destroy(&a);
    runcu_stream_destroy(&b);
    finish();
}

/* What the library itself asks and destroys meanwhile loses no capture. */
static void captures_survive_clearing_up(void)
{
    runcu_graph *g;
    runcu_event *e, *kept;
    runcu_mem *spare, *block;
    runcu_pool *pool;
    int done = 0;
    start();
    runcu_stream *s = new_stream(), *other = new_stream();
    REQUIRE_OK(runcu_event_create(&e, 0));
    REQUIRE_OK(runcu_event_create(&kept, 0));
    REQUIRE_OK(runcu_mem_alloc(&spare, 64));
    REQUIRE_OK(runcu_pool_create(&pool));
    REQUIRE_OK(runcu_pool_alloc(&block, pool, 64, NULL));
    REQUIRE_OK(runcu_event_record(kept, other));
    REQUIRE_OK(runcu_stream_begin_capture(s, RUNCU_CAPTURE_GLOBAL));
    runcu_fill fill = one_word(0, 3);
    REQUIRE_OK(runcu_mem_fill_async(&fill, s));
    REQUIRE_OK(runcu_event_is_done(&done, kept));
    runcu_event_destroy(&e);
    REQUIRE_OK(runcu_mem_free(&spare));
    REQUIRE_OK(runcu_mem_free(&block));
    REQUIRE_OK(runcu_pool_alloc(&block, pool, 64, s));
    REQUIRE_OK(runcu_mem_free(&block));
    runcu_stream_destroy(&other);
    REQUIRE_OK(runcu_mem_fill_async(&fill, s));
    REQUIRE_OK(runcu_stream_end_capture(&g, s));
    runcu_graph_destroy(&g);
    runcu_pool_destroy(&pool);
    runcu_event_destroy(&kept);
    runcu_stream_destroy(&s);
    finish();
}

static void lost_captures_say_so(void)
{
    runcu_graph *g;
    int status = -1;
    start();
    runcu_stream *s = new_stream();
    REQUIRE_FAILS(runcu_stream_end_capture(&g, s), RUNCU_ERROR_DRIVER, "cuStreamEndCapture");
    REQUIRE_FAILS(runcu_stream_begin_capture(NULL, RUNCU_CAPTURE_GLOBAL), RUNCU_ERROR_DRIVER,
                  "cuStreamBeginCapture");
    REQUIRE_OK(runcu_stream_begin_capture(s, RUNCU_CAPTURE_RELAXED));
    REQUIRE_FAILS(runcu_stream_synchronize(s), RUNCU_ERROR_DRIVER, "capturing");
    REQUIRE_OK(runcu_stream_capture_status(&status, NULL, s));
    REQUIRE_INT(status, ==, RUNCU_CAPTURE_LOST);
    REQUIRE_FAILS(runcu_stream_end_capture(&g, s), RUNCU_ERROR_DRIVER, "previous error");
    REQUIRE(g == NULL);
    REQUIRE_OK(runcu_stream_synchronize(s));
    runcu_stream_destroy(&s);
    finish();
}

static void graphs_take_each_others_place(void)
{
    runcu_node *n[4], *more;
    runcu_graph_exec *exec;
    atomic_int calls = 0;
    start();
    runcu_graph *g = build(n, &calls, one_word(0, 7)), *other = build(n, &calls, one_word(0, 30));
    REQUIRE_OK(runcu_graph_instantiate(&exec, g));
    REQUIRE_OK(runcu_graph_exec_update(exec, other));
    launch_and_wait(exec);
    REQUIRE_INT(word(1), ==, 35);
    REQUIRE_OK(runcu_graph_add_empty(&more, other, NULL));
    REQUIRE_FAILS(runcu_graph_exec_update(exec, other), RUNCU_ERROR_DRIVER, "nodes and edges");
    REQUIRE_FAILS(runcu_graph_exec_update(exec, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    runcu_graph_exec_close(exec);
    REQUIRE_FAILS(runcu_graph_launch(exec, NULL), RUNCU_ERROR_FREED, "freed");
    runcu_graph_exec_destroy(&exec);
    runcu_graph_destroy(&g);
    runcu_graph_destroy(&other);
    finish();
}

/* --- threads --- */

enum { THREADS = 8, ROUNDS = 50 };

static runcu_context *context;
static runcu_graph_exec *shared_exec;

static void *launches(void *arg)
{
    (void) arg;
    REQUIRE_OK(runcu_context_push(context));
    runcu_stream *s = new_stream();
    for (int i = 0; i < ROUNDS; i++)
        REQUIRE_OK(runcu_graph_launch(shared_exec, s));
    REQUIRE_OK(runcu_stream_synchronize(s));
    runcu_stream_destroy(&s);
    REQUIRE_OK(runcu_context_pop());
    return NULL;
}

static void many_threads_launch_one_graph(void)
{
    pthread_t t[THREADS];
    runcu_graph *g;
    runcu_node *n;
    struct call c;
    start();
    REQUIRE_OK(runcu_context_current(&context));
    REQUIRE_OK(runcu_graph_create(&g));
    REQUIRE_OK(runcu_graph_add_kernel(&n, g, NULL, adding(&c, 1)));
    REQUIRE_OK(runcu_graph_add_kernel(&n, g, &(runcu_node_list){&n, 1}, adding(&c, 1)));
    REQUIRE_OK(runcu_graph_instantiate(&shared_exec, g));
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, launches, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    REQUIRE_INT(word(0), ==, 2 * THREADS * ROUNDS);
    runcu_graph_exec_destroy(&shared_exec);
    runcu_graph_destroy(&g);
    runcu_context_release(&context);
    finish();
}

static void *captures(void *arg)
{
    (void) arg;
    REQUIRE_OK(runcu_context_push(context));
    runcu_stream *s = new_stream();
    runcu_mem *own;
    REQUIRE_OK(runcu_mem_alloc(&own, 4));
    for (int i = 0; i < ROUNDS; i++) {
        runcu_graph *g;
        runcu_graph_exec *exec;
        int value = -1;
        runcu_fill fill = {
            .to = runcu_mem_address(own), .value = (uint32_t) i, .width = 4, .count = 1};
        REQUIRE_OK(runcu_stream_begin_capture(s, RUNCU_CAPTURE_THREAD_LOCAL));
        REQUIRE_OK(runcu_mem_fill_async(&fill, s));
        REQUIRE_OK(runcu_launch(add, runcu_on(RUNCU_GRID(1, 1, 1, 1, 1, 1), s, 0), own, 1));
        REQUIRE_OK(runcu_copy_dtoh_async(&value, runcu_mem_address(own), 4, s));
        REQUIRE_OK(runcu_stream_end_capture(&g, s));
        REQUIRE_OK(runcu_graph_instantiate(&exec, g));
        runcu_graph_destroy(&g);
        REQUIRE_OK(runcu_graph_launch(exec, s));
        REQUIRE_OK(runcu_stream_synchronize(s));
        REQUIRE_INT(value, ==, i + 1);
        runcu_graph_exec_destroy(&exec);
    }
    REQUIRE_OK(runcu_mem_free(&own));
    runcu_stream_destroy(&s);
    REQUIRE_OK(runcu_context_pop());
    return NULL;
}

static void many_threads_capture(void)
{
    pthread_t t[THREADS];
    start();
    REQUIRE_OK(runcu_context_current(&context));
    REQUIRE_OK(runcu_launch(add, RUNCU_GRID(1, 1, 1, 1, 1, 1), mem, 0));
    REQUIRE_OK(runcu_context_synchronize(NULL));
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, captures, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    runcu_context_release(&context);
    finish();
}

/* --- streams and events --- */

static void closed_streams_and_events_say_so(void)
{
    runcu_event *e, *good, *none;
    int done;
    float ms;
    start();
    runcu_stream *s = new_stream(), *same;
    unsigned flags = 9;
    int priority = 9;
    runcu_context *owner = NULL;
    REQUIRE_OK(runcu_stream_flags(&flags, s));
    REQUIRE_INT(flags, ==, 1);
    REQUIRE_OK(runcu_stream_priority(&priority, s));
    REQUIRE_INT(priority, ==, 0);
    REQUIRE_OK(runcu_stream_context(&owner, s));
    runcu_context_release(&owner);
    REQUIRE_OK(runcu_stream_wrap(&same, runcu_stream_handle(s)));
    REQUIRE_OK(runcu_event_create(&e, 0));
    REQUIRE_OK(runcu_event_create(&good, 0));
    REQUIRE_OK(runcu_event_record(good, same));
    runcu_stream_destroy(&same);
    REQUIRE_OK(runcu_event_synchronize(good));
    runcu_stream_close(s);
    runcu_stream_close(s);
    REQUIRE_FAILS(runcu_stream_synchronize(s), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_stream_is_done(&done, s), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_stream_wait_event(s, good), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_event_record(good, s), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_stream_host_call(s, count, NULL), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_stream_host_call(NULL, NULL, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    runcu_event_close(e);
    REQUIRE_INT(runcu_event_handle(e), ==, 0);
    REQUIRE_FAILS(runcu_event_record(e, NULL), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_event_elapsed(&ms, e, good), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_event_elapsed(&ms, good, NULL), RUNCU_ERROR_ARGUMENT, "NULL");
    REQUIRE_FAILS(runcu_stream_wait_event(NULL, e), RUNCU_ERROR_FREED, "closed");
    REQUIRE_FAILS(runcu_event_wrap(&none, 0), RUNCU_ERROR_ARGUMENT, "no event");
    REQUIRE(none == NULL);
    runcu_event_destroy(&e);
    runcu_event_destroy(&good);
    runcu_stream_destroy(&s);
    finish();
}

int main(int argc, char **argv)
{
    runcu_device *device;
    bool is_cuda = argc > 1 && strcmp(argv[1], "cuda") == 0;
    setenv("RUNCU_DEVICE", is_cuda ? "cuda" : "cpu", 1);
    setenv("RUNCU_THREADS", "3", 0);
    if (is_cuda && runcu_device_open(&device, "cuda", 0) != 0)
        return TEST_SKIPPED;
    RUN(nodes_are_launched_and_changed);
    RUN(nodes_of_a_graph_are_changed);
    RUN(a_graph_tells_of_itself);
    RUN(bad_nodes_are_refused);
    RUN(a_captured_stream_makes_a_graph);
    RUN(captures_survive_clearing_up);
    RUN(lost_captures_say_so);
    RUN(graphs_take_each_others_place);
    RUN(many_threads_launch_one_graph);
    RUN(many_threads_capture);
    RUN(closed_streams_and_events_say_so);
    return 0;
}

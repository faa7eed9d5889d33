/* Each public function with each of its pointers NULL, with closed objects, and with objects whose
 * context is gone: a typed error that names the function and the argument, or nothing at all, and
 * never a crash. The calls are made from the headers (misuse_calls.py). On the CPU device, or with
 * the argument "cuda" on NVIDIA's driver (77 where there is none). */
#include <signal.h>
#include <stdbool.h>

#include "runcu/runcu.h"
#include "test.h"

enum { ROOMS = 8 };

/* Types of objects, and what ends one. */
#define TYPES                               \
    X(context, runcu_context_release)       \
    X(mem, runcu_mem_free)                  \
    X(pool, runcu_pool_destroy)             \
    X(mempool, runcu_mempool_destroy)       \
    X(physical, runcu_physical_release)     \
    X(range, runcu_range_free)              \
    X(stream, runcu_stream_destroy)         \
    X(event, runcu_event_destroy)           \
    X(function, runcu_function_release)     \
    X(module, runcu_module_release)         \
    X(program, runcu_program_destroy)       \
    X(bound, runcu_bound_destroy)           \
    X(array, runcu_array_destroy)           \
    X(mipmap, runcu_mipmap_destroy)         \
    X(texture, runcu_texture_destroy)       \
    X(surface, runcu_surface_destroy)       \
    X(graph_exec, runcu_graph_exec_destroy) \
    X(graph, runcu_graph_destroy)           \
    X(link, runcu_link_destroy)

/* What the calls get, made when first asked for. */
struct rig {
    /* What becomes of an object before it is handed out. */
    enum { FINE, CLOSED, ORPHANED } state;
    runcu_device *device;
    runcu_node *node;
#define X(noun, end) runcu_##noun *noun, *out_##noun;
    TYPES
#undef X
    uint64_t address;
    _Alignas(16) unsigned char rooms[ROOMS][1024]; /* for results and parameters */
};

struct row {
    const char *name;
    int (*call)(struct rig *r, int nulled); /* the argument of that index is NULL */
    int has_status;
    const char *kinds; /* a letter a parameter: 'n' a pointer, 'o' one that may be NULL, '-' */
    const char *names, *types; /* of the parameters, with spaces between */
};

static const char rig_source[] = "__global__ void k(int *p) { *p = 1; }";
static const char ptx[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
                          ".visible .global .align 4 .u32 word;\n"
                          ".visible .entry k(.param .u64 k_0)\n{\n ret;\n}\n";

static void rig_call(void *user)
{
    (void) user;
}

static void *rig_room(struct rig *r, int index)
{
    return memset(r->rooms[index], 0, sizeof r->rooms[index]);
}

/* Of a type that is not made here. Where a pointer of the call may not be NULL, nobody gets to use
 * it. */
static void *rig_stranger(struct rig *r, bool is_needed)
{
    return is_needed ? r->rooms[0] : NULL;
}

static runcu_device *rig_runcu_device(struct rig *r)
{
    if (!r->device)
        REQUIRE_OK(runcu_device_default(&r->device));
    return r->device;
}

/* Objects of a rig whose state is ORPHANED are made in contexts that end at once. */
static void begin(struct rig *r, runcu_context **context)
{
    if (r->state == ORPHANED)
        REQUIRE_OK(runcu_context_create(context, rig_runcu_device(r), 0));
}

static void end(struct rig *r, runcu_context **context)
{
    if (r->state != ORPHANED)
        return;
    REQUIRE_OK(runcu_context_detach(*context));
    runcu_context_release(context);
}

/* Makes r->noun by `make`, once, and closes it by `close` where that is wanted. */
#define RIG(noun, make, close)                           \
    static runcu_##noun *rig_runcu_##noun(struct rig *r) \
    {                                                    \
        runcu_context *context = NULL;                   \
        if (r->noun)                                     \
            return r->noun;                              \
        begin(r, &context);                              \
        REQUIRE_OK(make);                                \
        if (r->state == CLOSED)                          \
            close;                                       \
        end(r, &context);                                \
        return r->noun;                                  \
    }

static int make_context(struct rig *r)
{
    int status = runcu_context_create(&r->context, rig_runcu_device(r), 0);
    if (r->state == ORPHANED)
        return status || runcu_context_detach(r->context);
    return status || runcu_context_pop();
}

static runcu_context *rig_runcu_context(struct rig *r)
{
    if (!r->context)
        REQUIRE_OK(make_context(r));
    return r->context;
}

static const runcu_array_params square = {
    .width = 8, .height = 8, .format = 32 /* floats */, .flags = 2 /* for surfaces */};

static int make_range(struct rig *r)
{
    size_t bytes = 0;
    int status = runcu_vmm_granularity(&bytes, NULL);
    return status ? status : runcu_range_reserve(&r->range, NULL, bytes, 0);
}

static int make_physical(struct rig *r)
{
    size_t bytes = 0;
    int status = runcu_vmm_granularity(&bytes, NULL);
    return status ? status : runcu_physical_create(&r->physical, NULL, bytes, 0);
}

static int make_function(struct rig *r)
{
    runcu_module *module;
    int status = runcu_module_load(&module, ptx, sizeof ptx);
    if (!status)
        status = runcu_module_get_function(&r->function, module, "k");
    runcu_module_release(&module);
    return status;
}

static int make_bound(struct rig *r)
{
    runcu_module *module;
    runcu_function *function = NULL;
    runcu_launch_params shape = RUNCU_THREADS(1);
    runcu_arg arg = runcu_address(0);
    int status = runcu_module_load(&module, ptx, sizeof ptx);
    if (!status)
        status = runcu_module_get_function(&function, module, "k");
    if (!status)
        status = runcu_bound_create(&r->bound, function, &shape, &arg, 1);
    runcu_function_release(&function);
    runcu_module_release(&module);
    return status;
}

/* What it reads is not there any more, and nobody looks. */
static int make_texture(struct rig *r)
{
    runcu_mem *mem;
    int status = runcu_mem_alloc(&mem, 4096);
    if (status)
        return status;
    runcu_texture_params params = {
        .resource = {.address = runcu_mem_address(mem), .bytes = 4096, .format = 32}};
    status = runcu_texture_create(&r->texture, &params);
    return runcu_mem_free(&mem) || status;
}

static int make_surface(struct rig *r)
{
    runcu_array *array;
    int status = runcu_array_create(&array, &square);
    if (!status)
        status = runcu_surface_create(&r->surface, array);
    runcu_array_destroy(&array);
    return status;
}

static int make_graph(struct rig *r)
{
    int status = runcu_graph_create(&r->graph);
    return status ? status : runcu_graph_add_empty(&r->node, r->graph, NULL);
}

static int make_graph_exec(struct rig *r)
{
    runcu_graph *graph;
    int status = runcu_graph_create(&graph);
    if (!status)
        status = runcu_graph_instantiate(&r->graph_exec, graph);
    runcu_graph_destroy(&graph);
    return status;
}

/* A copy of a byte that nothing is wrong with. */
static runcu_box *rig_box(struct rig *r)
{
    static runcu_box box;
    box = (runcu_box){.to.host = r->rooms[0], .from.host = r->rooms[1], .width = 1};
    return &box;
}

RIG(mem, runcu_mem_alloc(&r->mem, 4096), (void) 0)
RIG(pool, runcu_pool_create(&r->pool), (void) 0)
RIG(mempool, runcu_mempool_create(&r->mempool, NULL, 0), (void) 0)
RIG(physical, make_physical(r), (void) 0)
RIG(range, make_range(r), (void) 0)
RIG(stream, runcu_stream_create(&r->stream, 1, 0), runcu_stream_close(r->stream))
RIG(event, runcu_event_create(&r->event, 0), runcu_event_close(r->event))
RIG(module, runcu_module_load(&r->module, ptx, sizeof ptx), (void) 0)
RIG(function, make_function(r), (void) 0)
RIG(bound, make_bound(r), (void) 0)
RIG(array, runcu_array_create(&r->array, &square), runcu_array_close(r->array))
RIG(mipmap, runcu_mipmap_create(&r->mipmap, &square, 2), runcu_mipmap_close(r->mipmap))
RIG(texture, make_texture(r), runcu_texture_close(r->texture))
RIG(surface, make_surface(r), runcu_surface_close(r->surface))
RIG(graph, make_graph(r), runcu_graph_close(r->graph))
RIG(graph_exec, make_graph_exec(r), runcu_graph_exec_close(r->graph_exec))
RIG(link, runcu_link_create(&r->link, NULL), (void) 0)

static runcu_node *rig_runcu_node(struct rig *r)
{
    rig_runcu_graph(r);
    return r->node;
}

static runcu_program *rig_runcu_program(struct rig *r)
{
    return r->program; /* NVRTC is not everywhere */
}

static void finish(struct rig *r)
{
#define X(noun, end) end(&r->noun);
    TYPES
#undef X
}

static void drop_results(struct rig *r)
{
#define X(noun, end) end(&r->out_##noun);
    TYPES
#undef X
}

#include <misuse_calls.h>

enum { ROWS = sizeof rows / sizeof rows[0] };

static const char *now_calling = "nothing";

static void tell_crash(int signal_number)
{
    static const char before[] = "a signal ends the test within ";
    bool ok = write(2, before, sizeof before - 1) > 0 &&
              write(2, now_calling, strlen(now_calling)) > 0 && write(2, "\n", 1) > 0;
    _exit(ok ? 128 + signal_number : 1);
}

/* Is one of `words`, with spaces between and around them, among those of `text`? */
static bool has_one(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strstr(text, *words))
            return true;
    return false;
}

/* The word of that index. */
static void word_of(char *out, size_t size, const char *words, int index)
{
    while (index--)
        words = strchr(words, ' ') + 1;
    snprintf(out, size, "%.*s", (int) strcspn(words, " "), words);
}

static int call(const struct row *row, struct rig *r, int nulled)
{
    now_calling = row->name;
    int status = row->call(r, nulled);
    if (strcmp(row->name, "runcu_function_newest") == 0)
        r->out_function = NULL; /* borrowed */
    drop_results(r);
    return status;
}

/* Counts what is wrong instead of ending: one run tells everything. */
static int faults;

static void complain(const struct row *row, const char *about, int status)
{
    fprintf(stderr, "%s, %s: %d, %s\n", row->name, about, status,
            status ? runcu_error_text() : "no error");
    faults++;
}

static void null_is_refused(void)
{
    static struct rig r;
    char name[64];
    for (int i = 0; i < ROWS; i++)
        for (int p = 0; rows[i].kinds[p]; p++) {
            if (rows[i].kinds[p] == '-')
                continue;
            word_of(name, sizeof name, rows[i].names, p);
            int status = call(&rows[i], &r, p);
            if (!rows[i].has_status || (rows[i].kinds[p] == 'o' && status <= 0))
                continue;
            bool is_told = status == RUNCU_ERROR_ARGUMENT &&
                           strstr(runcu_error_text(), rows[i].name) &&
                           strstr(runcu_error_text(), name);
            if (!is_told)
                complain(&rows[i], name, status);
        }
    finish(&r);
    REQUIRE_INT(faults, ==, 0);
}

/* All rows with one of those types among their parameters. */
static void all_with(struct rig *r, const char *const *types, const char *const *others)
{
    for (int i = 0; i < ROWS; i++) {
        if (!has_one(rows[i].types, types) || strstr(rows[i].name, "_retain"))
            continue;
        int status = call(&rows[i], r, -1);
        if (rows[i].has_status && status != RUNCU_ERROR_FREED && !has_one(rows[i].name, others))
            complain(&rows[i], r->state == CLOSED ? "closed" : "orphaned", status);
    }
    finish(r);
    REQUIRE_INT(faults, ==, 0);
}

static void closed_objects_are_refused(void)
{
    static struct rig r = {.state = CLOSED};
    static const char *const types[] = {
        " stream ",  " event ", " array ",      " mipmap ", " texture ",
        " surface ", " graph ", " graph_exec ", NULL,
    };
    /* Another reason comes first, or it still knows the answer. */
    static const char *const others[] = {"runcu_stream_context", "runcu_graph_add_graph",
                                         "runcu_mem_attach", "runcu_mem_free_async", NULL};
    all_with(&r, types, others);
}

static void objects_without_a_context_are_refused(void)
{
    static struct rig r = {.state = ORPHANED};
    static const char *const types[] = {
        " context ",  " mem ",   " stream ",     " event ",  " module ",
        " function ", " bound ", " array ",      " mipmap ", " texture ",
        " surface ",  " graph ", " graph_exec ", " link ",   NULL,
    };
    static const char *const others[] = {
        "runcu_stream_context",
        "runcu_graph_add_graph",
        "runcu_mem_attach",
        "runcu_mem_host_flags",
        "runcu_mem_free_async",
        "runcu_bound_create",
        "runcu_bound_set",
        "runcu_bound_shape",
        "runcu_launch_args",
        "runcu_link_add_file",
        "runcu_link_add_library",
        "runcu_link_add_program",
        "runcu_link_complete",
        "runcu_module_get_global",
        "runcu_module_get_variable",
        "runcu_module_write",
        "runcu_module_read",
        "runcu_module_save",
        "runcu_module_watch",
        "runcu_module_reload",
        "runcu_module_follow_context",
        "runcu_function_newest",
        "runcu_function_available_shared",
        NULL,
    };
    all_with(&r, types, others);
}

int main(int argc, char **argv)
{
    const char *driver = argc > 1 ? argv[1] : "cpu";
    setenv("RUNCU_DEVICE", driver, 1);
    if (runcu_init(NULL)) {
        fprintf(stderr, "%s\n", runcu_error_text());
        return strcmp(driver, "cpu") == 0 ? 1 : TEST_SKIPPED;
    }
    signal(SIGSEGV, tell_crash);
    signal(SIGABRT, tell_crash);
    RUN(null_is_refused);
    RUN(closed_objects_are_refused);
    RUN(objects_without_a_context_are_refused);
    return 0;
}

/* Graphs as structures: making, copying and destroying them, their nodes and edges, the order that
 * the edges allow. Not here: what nodes do (node.c), launches (exec.c). */
#include <stdio.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

/* ---- lists of nodes ---- */

bool cpu_nodes_add(struct cpu_nodes *list, struct cpu_node *node)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->at[i] == node)
            return true;
    return vec_push(list, node);
}

void cpu_nodes_fini(struct cpu_nodes *list)
{
    vec_fini(list);
}

bool cpu_nodes_copy(struct cpu_nodes *out, const struct cpu_nodes *list)
{
    *out = (struct cpu_nodes){0};
    for (size_t i = 0; i < list->len; i++) {
        if (!vec_push(out, list->at[i])) {
            cpu_nodes_fini(out);
            return false;
        }
    }
    return true;
}

static bool has(const struct cpu_nodes *list, const struct cpu_node *node)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->at[i] == node)
            return true;
    return false;
}

static void take_out(struct cpu_nodes *list, const struct cpu_node *node)
{
    for (size_t i = 0; i < list->len; i++) {
        if (list->at[i] != node)
            continue;
        list->len--;
        for (size_t k = i; k < list->len; k++)
            list->at[k] = list->at[k + 1];
        return;
    }
}

/* ---- beginning and end ---- */

struct cpu_graph *cpu_graph_create(bool is_named)
{
    struct cpu_graph *g = alloc_zero(1, sizeof *g);
    if (g && is_named && !(g->handle = cpu_handle_create(CPU_GRAPH, g))) {
        alloc_free(g);
        return NULL;
    }
    return g;
}

void cpu_graph_free(struct cpu_graph *g)
{
    if (!g)
        return;
    for (struct cpu_node *n = g->nodes, *next; n; n = next) {
        next = n->next;
        cpu_node_free(n);
    }
    if (g->handle)
        cpu_handle_destroy(g->handle);
    alloc_free(g);
}

/* The node at the same place of a copy. */
static struct cpu_node *twin(const struct cpu_graph *copy, const struct cpu_graph *g,
                             const struct cpu_node *node)
{
    struct cpu_node *n = copy->nodes;
    for (const struct cpu_node *m = g->nodes; m != node; m = m->next)
        n = n->next;
    return n;
}

struct cpu_graph *cpu_graph_copy(const struct cpu_graph *g, bool is_named)
{
    struct cpu_graph *copy = cpu_graph_create(is_named);
    bool is_good = copy != NULL;
    for (const struct cpu_node *n = g->nodes; n && is_good; n = n->next)
        is_good = cpu_node_copy(copy, n) != NULL;
    struct cpu_node *to = is_good ? copy->nodes : NULL;
    for (const struct cpu_node *n = g->nodes; n && is_good; n = n->next, to = to->next)
        for (size_t i = 0; i < n->after.len && is_good; i++)
            is_good = cpu_nodes_add(&to->after, twin(copy, g, n->after.at[i]));
    if (is_good)
        return copy;
    cpu_graph_free(copy);
    return NULL;
}

/* ---- order ---- */

/* Those that nothing in front of them is missing for. */
static bool add_open(struct cpu_nodes *out, const struct cpu_graph *g, const struct cpu_node *done)
{
    for (struct cpu_node *n = g->nodes; n; n = n->next) {
        bool is_ready = done ? has(&n->after, done) && --n->open == 0 : n->open == 0;
        if (is_ready && !vec_push(out, n))
            return false;
    }
    return true;
}

CUresult cpu_graph_order(struct cpu_nodes *out, struct cpu_graph *g)
{
    *out = (struct cpu_nodes){0};
    for (struct cpu_node *n = g->nodes; n; n = n->next)
        n->open = n->after.len;
    bool is_good = add_open(out, g, NULL);
    for (size_t i = 0; i < out->len && is_good; i++)
        is_good = add_open(out, g, out->at[i]);
    if (is_good && out->len == g->count)
        return CUDA_SUCCESS;
    cpu_nodes_fini(out);
    return is_good ? cpu_refuse(CUDA_ERROR_INVALID_VALUE, "the edges of the graph go round")
                   : CUDA_ERROR_OUT_OF_MEMORY;
}

/* ---- calls ---- */

static CUresult enter_graph(struct cpu_graph **out, CUgraph graph)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    *out = cpu_handle_get(CPU_GRAPH, graph);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

static CUresult enter_node(struct cpu_node **out, CUgraphNode node)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    *out = cpu_handle_get(CPU_NODE, node);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

CUresult cpu_cuGraphCreate(CUgraph *graph, unsigned flags)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!graph || flags)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_graph *g = cpu_graph_create(true);
    if (!g)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    *graph = g->handle;
    return cpu_leave(CUDA_SUCCESS);
}

/* One that a capture is making. */
static bool is_being_made(const struct cpu_graph *g)
{
    for (const struct cpu_capture *c = cpu.captures; c; c = c->next)
        if (c->graph == g)
            return true;
    return false;
}

CUresult cpu_cuGraphDestroy(CUgraph graph)
{
    struct cpu_graph *g = NULL;
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    if (g->is_child || is_being_made(g))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    cpu_graph_free(g);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuGraphClone(CUgraph *clone, CUgraph graph)
{
    struct cpu_graph *g = NULL;
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    if (!clone)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_graph *copy = cpu_graph_copy(g, true);
    if (!copy)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    *clone = copy->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuGraphNodeFindInClone(CUgraphNode *node, CUgraphNode original, CUgraph clone)
{
    struct cpu_graph *g = NULL;
    CUresult code = enter_graph(&g, clone);
    if (code)
        return code;
    const struct cpu_node *n = cpu_handle_get(CPU_NODE, original);
    for (const struct cpu_node *each = g->nodes; each && n && node; each = each->next) {
        if (each->origin == n->id) {
            *node = each->handle;
            return cpu_leave(CUDA_SUCCESS);
        }
    }
    return cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

CUresult cpu_cuGraphDestroyNode(CUgraphNode node)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node);
    if (code)
        return code;
    struct cpu_graph *g = n->graph;
    if (is_being_made(g))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_node **p = &g->nodes, *last = NULL;
    for (struct cpu_node *each = g->nodes; each; each = each->next)
        take_out(&each->after, n);
    while (*p != n) {
        last = *p;
        p = &(*p)->next;
    }
    *p = n->next;
    if (g->last == n)
        g->last = last;
    g->count--;
    cpu_node_free(n);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuGraphNodeGetType(CUgraphNode node, int *type)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node);
    if (code)
        return code;
    if (!type)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *type = n->type;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node);
    if (code)
        return code;
    if (!graph || n->type != CU_GRAPH_NODE_TYPE_GRAPH)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *graph = n->child->handle;
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- what is asked: lists in the caller's arrays, of which `room` is the length ---- */

struct answer {
    CUgraphNode *nodes, *others; /* NULL: only the number is asked */
    size_t room, count;
};

static void answer(struct answer *a, const struct cpu_node *node, const struct cpu_node *other)
{
    if (a->nodes && a->count < a->room) {
        a->nodes[a->count] = node->handle;
        if (a->others)
            a->others[a->count] = other->handle;
    }
    a->count++;
}

/* The rest of the array is NULL, and the number that of all. */
static CUresult finish(struct answer *a, size_t *count)
{
    for (size_t i = a->count; a->nodes && i < a->room; i++) {
        a->nodes[i] = NULL;
        if (a->others)
            a->others[i] = NULL;
    }
    *count = a->nodes ? MIN(a->count, a->room) : a->count;
    return cpu_leave(CUDA_SUCCESS);
}

static CUresult nodes_of(CUgraph graph, CUgraphNode *nodes, size_t *count, bool only_roots)
{
    struct cpu_graph *g = NULL;
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    if (!count)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct answer a = {nodes, NULL, *count, 0};
    for (const struct cpu_node *n = g->nodes; n; n = n->next)
        if (!only_roots || !n->after.len)
            answer(&a, n, NULL);
    return finish(&a, count);
}

CUresult cpu_cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    return nodes_of(graph, nodes, count, false);
}

CUresult cpu_cuGraphGetRootNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    return nodes_of(graph, nodes, count, true);
}

CUresult cpu_cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *count)
{
    struct cpu_graph *g = NULL;
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    if (!count || !from != !to)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct answer a = {from, to, *count, 0};
    for (const struct cpu_node *n = g->nodes; n; n = n->next)
        for (size_t i = 0; i < n->after.len; i++)
            answer(&a, n->after.at[i], n);
    return finish(&a, count);
}

CUresult cpu_cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *nodes, size_t *count)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node);
    if (code)
        return code;
    if (!count)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct answer a = {nodes, NULL, *count, 0};
    for (size_t i = 0; i < n->after.len; i++)
        answer(&a, n->after.at[i], NULL);
    return finish(&a, count);
}

CUresult cpu_cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *nodes, size_t *count)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node);
    if (code)
        return code;
    if (!count)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct answer a = {nodes, NULL, *count, 0};
    for (const struct cpu_node *each = n->graph->nodes; each; each = each->next)
        if (has(&each->after, n))
            answer(&a, each, NULL);
    return finish(&a, count);
}

/* ---- edges ---- */

/* Both nodes of an edge, which are in the graph and not one. */
static bool get_edge(struct cpu_node *edge[2], const struct cpu_graph *g, CUgraphNode from,
                     CUgraphNode to)
{
    edge[0] = cpu_handle_get(CPU_NODE, from);
    edge[1] = cpu_handle_get(CPU_NODE, to);
    return edge[0] && edge[1] && edge[0] != edge[1] && edge[0]->graph == g && edge[1]->graph == g;
}

/* Everything is checked before anything changes. */
static CUresult check_edges(const struct cpu_graph *g, const CUgraphNode *from,
                            const CUgraphNode *to, size_t count, bool is_there)
{
    struct cpu_node *edge[2];
    if (count && (!from || !to))
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        if (!get_edge(edge, g, from[i], to[i]) || has(&edge[1]->after, edge[0]) != is_there)
            return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

CUresult cpu_cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
                                    size_t count)
{
    struct cpu_graph *g = NULL;
    struct cpu_node *edge[2];
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    code = check_edges(g, from, to, count, false);
    for (size_t i = 0; i < count && !code; i++)
        if (!get_edge(edge, g, from[i], to[i]) || !cpu_nodes_add(&edge[1]->after, edge[0]))
            code = CUDA_ERROR_OUT_OF_MEMORY;
    return cpu_leave(code);
}

CUresult cpu_cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from,
                                       const CUgraphNode *to, size_t count)
{
    struct cpu_graph *g = NULL;
    struct cpu_node *edge[2];
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    code = check_edges(g, from, to, count, true);
    for (size_t i = 0; i < count && !code; i++)
        if (get_edge(edge, g, from[i], to[i]))
            take_out(&edge[1]->after, edge[0]);
    return cpu_leave(code);
}

/* ---- a picture ---- */

static void print_node(FILE *file, const struct cpu_node *n)
{
    static const char *const names[] = {"kernel", "memcpy", "memset",     "host",
                                        "graph",  "empty",  "event_wait", "event_record"};
    const struct cpu_op *op = n->op;
    fprintf(file, "  n%llu [shape=box label=\"%llu: %s", (unsigned long long) n->id,
            (unsigned long long) n->id, names[n->type]);
    if (n->type == CU_GRAPH_NODE_TYPE_KERNEL && cpu_handle_get(CPU_FUNCTION, op->u.k.function)) {
        struct simt_kernel_info info;
        const struct simt_launch *l = &op->u.k.launch;
        simt_kernel_info(l->kernel, &info);
        fprintf(file, "\\n%s\\n<<<(%u,%u,%u), (%u,%u,%u), %zu>>>", info.func->name, l->grid[0],
                l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2], l->dynamic_shared);
    }
    fprintf(file, "\"]\n");
    for (size_t i = 0; i < n->after.len; i++)
        fprintf(file, "  n%llu -> n%llu\n", (unsigned long long) n->after.at[i]->id,
                (unsigned long long) n->id);
}

CUresult cpu_cuGraphDebugDotPrint(CUgraph graph, const char *path, unsigned flags)
{
    struct cpu_graph *g = NULL;
    (void) flags; /* how much is told: here always the same */
    CUresult code = enter_graph(&g, graph);
    if (code)
        return code;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return cpu_leave(path ? CUDA_ERROR_OPERATING_SYSTEM : CUDA_ERROR_INVALID_VALUE);
    fprintf(file, "digraph graph_%p {\n", (void *) g->handle);
    for (const struct cpu_node *n = g->nodes; n; n = n->next)
        print_node(file, n);
    fprintf(file, "}\n");
    bool failed = ferror(file) != 0;
    return cpu_leave(fclose(file) != 0 || failed ? CUDA_ERROR_OPERATING_SYSTEM : CUDA_SUCCESS);
}

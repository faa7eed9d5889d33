/* Handles that cannot dangle: an index in a table and the generation of the entry, made to look
 * like a pointer. What is passed in by mistake (a number, a handle that was destroyed, one of
 * another kind) names nothing. */
#include "cpu/cpu.h"

/* Bits 0–31: index × 16 + 16, so that the special streams 1 and 2 are no handles; bits 32–63:
 * generation. */
static void *pack(uint32_t index, uint32_t generation)
{
    return (void *) (uintptr_t) ((uint64_t) generation << 32 | (index * UINT64_C(16) + 16));
}

static struct cpu_handle *find(const void *handle)
{
    uint64_t bits = (uintptr_t) handle;
    uint64_t low = bits & UINT32_MAX, index = low / 16 - 1;
    if (low < 16 || low % 16 || index >= cpu.handles.len)
        return NULL;
    struct cpu_handle *h = &cpu.handles.at[index];
    return h->generation == bits >> 32 ? h : NULL;
}

void *cpu_handle_create(enum cpu_kind kind, void *object)
{
    uint32_t index;
    /* Room to give every handle back, so that destroying one cannot fail. */
    while (cpu.free_handles.cap < cpu.handles.len + 1)
        if (!vec_grow_((void **) &cpu.free_handles.at, &cpu.free_handles.cap, cpu.handles.len,
                       sizeof cpu.free_handles.at[0]))
            return NULL;
    if (cpu.free_handles.len) {
        index = cpu.free_handles.at[--cpu.free_handles.len];
    } else {
        index = (uint32_t) cpu.handles.len;
        if (index >= UINT32_MAX / 16 - 1 || !vec_push(&cpu.handles, (struct cpu_handle){0}))
            return NULL;
    }
    struct cpu_handle *h = &cpu.handles.at[index];
    h->object = object;
    h->kind = (uint8_t) kind;
    h->generation++;
    return pack(index, h->generation);
}

void *cpu_handle_get(enum cpu_kind kind, const void *handle)
{
    const struct cpu_handle *h = find(handle);
    return h && h->kind == kind ? h->object : NULL;
}

void cpu_handle_destroy(const void *handle)
{
    struct cpu_handle *h = find(handle);
    if (!h || h->kind == CPU_FREE)
        return;
    h->kind = CPU_FREE;
    h->object = NULL;
    cpu.free_handles.at[cpu.free_handles.len++] = (uint32_t) (h - cpu.handles.at);
}

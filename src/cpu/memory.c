/* Allocations: device memory, page-locked host memory, and questions about addresses. Addresses are
 * host addresses, the same in every context. Not here: copies and sets (copy.c). */
#include <sys/mman.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum { UNIT = 512, PAGE = 4096 };
enum {
    KNOWN_HOST_FLAGS =
        CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED
};

struct cpu_context *cpu_owner(struct cpu_context *first, uint64_t address, size_t bytes)
{
    if (first && simt_space_holds(first->space, address, bytes))
        return first;
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        if (c != first && simt_space_holds(c->space, address, bytes))
            return c;
    return NULL;
}

/* ---- device memory ---- */

CUresult cpu_cuMemGetInfo(size_t *free_bytes, size_t *total)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (total)
        *total = cpu.device.memory;
    if (free_bytes)
        *free_bytes = cpu.device.memory - cpu.used;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemAlloc(CUdeviceptr *address, size_t bytes)
{
    struct cpu_context *c = NULL;
    uint64_t at;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!address || !bytes)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    size_t room = cpu.device.memory - cpu.used;
    if (bytes > room || ALIGN_UP(bytes, UNIT) > room)
        return cpu_leave(cpu_refuse(
            CUDA_ERROR_OUT_OF_MEMORY,
            "%zu bytes asked for, %zu of the CPU device's %zu are free (RUNCU_CPU_MEMORY sets "
            "how many it has)",
            bytes, room, cpu.device.memory));
    if (simt_space_alloc(c->space, bytes, &at) != 0)
        return cpu_leave(
            cpu_refuse(CUDA_ERROR_OUT_OF_MEMORY, "the system has no %zu bytes", bytes));
    cpu.used += ALIGN_UP(bytes, UNIT);
    c->used += ALIGN_UP(bytes, UNIT);
    *address = at;
    return cpu_leave(CUDA_SUCCESS);
}

void cpu_memory_forget(struct cpu_context *c)
{
    cpu.used -= c->used;
    c->used = 0;
}

/* The context that allocated it; NULL if `address` is not the start of device memory. */
static struct cpu_context *find_heap(struct cpu_context *first, CUdeviceptr address,
                                     struct simt_range *out)
{
    struct cpu_context *c = cpu_owner(first, address, 1);
    bool ok = c && simt_space_find(c->space, address, out) && out->kind == SIMT_RANGE_HEAP &&
              out->base == address;
    return ok ? c : NULL;
}

CUresult cpu_cuMemFree(CUdeviceptr address)
{
    struct cpu_context *c = NULL;
    struct simt_range range;
    CUresult code = cpu_enter_context(&c);
    if (code || !address)
        return code ? code : cpu_leave(CUDA_SUCCESS);
    if (!(c = find_heap(c, address, &range)))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_wait_range(c, range.base, range.size)))
        return cpu_leave(code);
    /* Another thread may have been quicker, and a new allocation may stand there. */
    uint64_t serial = range.serial;
    if (!(c = find_heap(NULL, address, &range)) || range.serial != serial)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    cpu_forget_range(range.base, range.size);
    simt_space_free(c->space, address);
    cpu.used -= ALIGN_UP(range.size, UNIT);
    c->used -= ALIGN_UP(range.size, UNIT);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemGetAddressRange(CUdeviceptr *base, size_t *bytes, CUdeviceptr address)
{
    struct cpu_context *c = NULL;
    struct simt_range range;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    c = cpu_owner(c, address, 1);
    if (!c || !simt_space_find(c->space, address, &range))
        return cpu_leave(CUDA_ERROR_NOT_FOUND);
    if (base)
        *base = range.base;
    if (bytes)
        *bytes = range.size;
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- page-locked memory ---- */

static bool map_host(struct cpu_context *c, const struct cpu_host *h)
{
    struct simt_range range = {.base = h->base, .size = h->bytes, .kind = SIMT_RANGE_HOST};
    return simt_space_map(c->space, &range) == 0;
}

bool cpu_hosts_map(struct cpu_context *c)
{
    for (const struct cpu_host *h = cpu.hosts; h; h = h->next)
        if (!map_host(c, h))
            return false;
    return true;
}

static void free_host(struct cpu_host **p)
{
    struct cpu_host *h = *p;
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        simt_space_unmap(c->space, h->base);
    munmap((void *) (uintptr_t) h->base, h->mapped);
    *p = h->next;
    alloc_free(h);
}

bool cpu_hosts_any(const struct cpu_context *c)
{
    const struct cpu_host *h = cpu.hosts;
    while (h && h->context != c)
        h = h->next;
    return h != NULL;
}

void cpu_hosts_free(struct cpu_context *c)
{
    for (struct cpu_host **p = &cpu.hosts; *p;) {
        if ((*p)->context == c)
            free_host(p);
        else
            p = &(*p)->next;
    }
}

/* The page-locked memory that the address lies in. */
static struct cpu_host **find_host(uint64_t address)
{
    for (struct cpu_host **p = &cpu.hosts; *p; p = &(*p)->next)
        if (address - (*p)->base < (*p)->bytes)
            return p;
    return NULL;
}

static struct cpu_host *make_host(struct cpu_context *c, size_t bytes, unsigned flags)
{
    struct cpu_host *h = bytes < SIZE_MAX - PAGE ? alloc_zero(1, sizeof *h) : NULL;
    if (!h)
        return NULL;
    h->mapped = ALIGN_UP(bytes, PAGE);
    void *p = mmap(NULL, h->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        alloc_free(h);
        return NULL;
    }
    *h = (struct cpu_host){cpu.hosts, c, (uintptr_t) p, bytes, h->mapped, flags};
    cpu.hosts = h;
    return h;
}

CUresult cpu_cuMemHostAlloc(void **host, size_t bytes, unsigned flags)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!host || !bytes || (flags & ~(unsigned) KNOWN_HOST_FLAGS))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_host *h = make_host(c, bytes, flags);
    if (!h)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    for (struct cpu_context *each = cpu.contexts; each; each = each->next) {
        if (!map_host(each, h)) {
            free_host(&cpu.hosts);
            return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
        }
    }
    *host = (void *) (uintptr_t) h->base;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemFreeHost(void *host)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code || !host)
        return code ? code : cpu_leave(CUDA_SUCCESS);
    struct cpu_host **p = find_host((uintptr_t) host);
    if (!p || (*p)->base != (uintptr_t) host)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_wait_all()))
        return cpu_leave(code);
    p = find_host((uintptr_t) host);
    if (!p)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    free_host(p);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemHostGetDevicePointer(CUdeviceptr *address, void *host, unsigned flags)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!address || flags || !find_host((uintptr_t) host))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *address = (uintptr_t) host;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemHostGetFlags(unsigned *flags, void *host)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    struct cpu_host **p = find_host((uintptr_t) host);
    if (!flags || !p)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = (*p)->flags | CU_MEMHOSTALLOC_DEVICEMAP; /* unified addressing maps all of it */
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- addresses ---- */

static CUresult pointer_attribute(void *value, int attribute, const struct cpu_context *c,
                                  CUdeviceptr address)
{
    struct cpu_host **h = find_host(address);
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        *(CUcontext *) value = h ? (*h)->context->handle : c->handle;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *) value = h ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *(CUdeviceptr *) value = address;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        if (!h)
            return CUDA_ERROR_INVALID_VALUE;
        *(void **) value = (void *) (uintptr_t) address;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        *(unsigned *) value = 0;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *(int *) value = 0;
        return CUDA_SUCCESS;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}

CUresult cpu_cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    struct cpu_context *c = cpu_owner(cpu_current(), address, 1);
    if (!value || !c)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    return cpu_leave(pointer_attribute(value, attribute, c, address));
}

/* Memory that the host and the kernels of all contexts use: page-locked, registered, managed, and
 * other processes'. Each piece belongs to the context that was current when it was made, and ends
 * with it. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum { PAGE = 4096 };
enum {
    KNOWN_ALLOC_FLAGS =
        CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED,
    KNOWN_REGISTER_FLAGS = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                           CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY,
};

/* ---- pieces ---- */

/* Somebody has done with it: the list, or a context's space. No lock is held. */
static void drop(void *owner)
{
    struct cpu_host *h = owner;
    if (atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    if (h->mapped)
        munmap(h->map, h->mapped);
    alloc_free(h);
}

static bool map_host(struct cpu_context *c, struct cpu_host *h)
{
    bool is_read_only =
        (h->kind == SIMT_RANGE_REGISTERED && h->flags & CU_MEMHOSTREGISTER_READ_ONLY) ||
        (h->kind == SIMT_RANGE_MAPPED && h->flags == CU_MEM_ACCESS_FLAGS_PROT_READ);
    struct simt_range range = {
        .base = h->base,
        .size = h->bytes,
        .kind = (uint8_t) (h->kind | (is_read_only ? SIMT_READ_ONLY : 0)),
        .gone = drop,
        .owner = h,
    };
    atomic_fetch_add(&h->refs, 1);
    if (simt_space_map(c->space, &range) == 0)
        return true;
    drop(h);
    return false;
}

bool cpu_hosts_map(struct cpu_context *c)
{
    for (struct cpu_host *h = cpu.hosts; h; h = h->next)
        if (!map_host(c, h))
            return false;
    return true;
}

static void free_host(struct cpu_host **p)
{
    struct cpu_host *h = *p;
    *p = h->next;
    cpu_forget_range(h->base, h->bytes);
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        simt_space_unmap(c->space, h->base);
    drop(h);
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

static struct cpu_host **find(uint64_t address)
{
    for (struct cpu_host **p = &cpu.hosts; *p; p = &(*p)->next)
        if (address - (*p)->base < (*p)->bytes)
            return p;
    return NULL;
}

void cpu_host_forget(uint64_t base)
{
    struct cpu_host **p = find(base);
    if (p)
        free_host(p);
}

struct cpu_host *cpu_host_find(uint64_t address)
{
    struct cpu_host **p = find(address);
    return p ? *p : NULL;
}

CUresult cpu_host_add(const struct cpu_host *what)
{
    struct cpu_host *h = alloc_new(sizeof *h);
    if (!h)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *h = *what;
    h->id = ++cpu.ids;
    h->next = cpu.hosts;
    atomic_store(&h->refs, 1);
    cpu.hosts = h;
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        if (!map_host(c, h)) {
            h->mapped = 0; /* the caller's */
            free_host(&cpu.hosts);
            return CUDA_ERROR_OUT_OF_MEMORY;
        }
    return CUDA_SUCCESS;
}

/* New pages, all of whose contexts' kernels may use them. */
static CUresult add_pages(void **out, struct cpu_host *what, int more_flags)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | more_flags;
    if (what->bytes >= SIZE_MAX - PAGE)
        return CUDA_ERROR_OUT_OF_MEMORY;
    what->mapped = ALIGN_UP(what->bytes, PAGE);
    void *p = mmap(NULL, what->mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED)
        return CUDA_ERROR_OUT_OF_MEMORY;
    what->map = p;
    what->base = (uintptr_t) p;
    CUresult code = cpu_host_add(what);
    if (code)
        munmap(p, what->mapped);
    else
        *out = p;
    return code;
}

CUresult cpu_host_end(struct cpu_context *c, uint64_t base, uint8_t kind, CUresult missing)
{
    struct cpu_host **p = find(base);
    if (!p || (*p)->base != base || (*p)->kind != kind)
        return missing;
    uint64_t id = (*p)->id;
    CUresult code = cpu_wait_shared(c, base, (*p)->bytes);
    if (code)
        return code;
    /* Another thread may have been quicker, and something new may stand there. */
    p = find(base);
    if (!p || (*p)->id != id)
        return missing;
    if (kind == SIMT_RANGE_MANAGED)
        cpu_memory_give((*p)->context, (*p)->bytes);
    free_host(p);
    return CUDA_SUCCESS;
}

/* ---- page-locked ---- */

CUresult cpu_cuMemHostAlloc(void **host, size_t bytes, unsigned flags)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!host || !bytes || (flags & ~(unsigned) KNOWN_ALLOC_FLAGS))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_capture_safe()))
        return cpu_leave(code);
    struct cpu_host what = {.context = c, .bytes = bytes, .flags = flags, .kind = SIMT_RANGE_HOST};
    return cpu_leave(add_pages(host, &what, 0));
}

CUresult cpu_cuMemFreeHost(void *host)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code || !host)
        return code ? code : cpu_leave(CUDA_SUCCESS);
    if ((code = cpu_capture_safe()))
        return cpu_leave(code);
    return cpu_leave(cpu_host_end(c, (uintptr_t) host, SIMT_RANGE_HOST, CUDA_ERROR_INVALID_VALUE));
}

CUresult cpu_cuMemHostGetDevicePointer(CUdeviceptr *address, void *host, unsigned flags)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    const struct cpu_host *h = cpu_host_find((uintptr_t) host);
    if (!address || flags || !h || (h->kind != SIMT_RANGE_HOST && h->kind != SIMT_RANGE_REGISTERED))
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
    const struct cpu_host *h = cpu_host_find((uintptr_t) host);
    if (!flags || !h || h->kind != SIMT_RANGE_HOST)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = h->flags | CU_MEMHOSTALLOC_DEVICEMAP; /* unified addressing maps all of it */
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- registered ---- */

/* May the process read the bytes, and write them if `writes`? */
static bool is_accessible(uint64_t from, uint64_t to, bool writes)
{
    char line[400];
    uint64_t start, end;
    char read, write;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps)
        return true; /* nobody can tell */
    while (from < to && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %c%c", &start, &end, &read, &write) != 4)
            continue; /* the rest of a long line */
        if (start <= from && from < end && read == 'r' && (write == 'w' || !writes))
            from = end;
    }
    fclose(maps);
    return from >= to;
}

static CUresult check_range(uint64_t base, size_t bytes, unsigned flags)
{
    if (!base || !bytes || base + bytes < base || (flags & ~(unsigned) KNOWN_REGISTER_FLAGS))
        return CUDA_ERROR_INVALID_VALUE;
    for (const struct cpu_host *h = cpu.hosts; h; h = h->next)
        if (base < h->base + h->bytes && h->base < base + bytes)
            return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    if (!is_accessible(base, base + bytes, !(flags & CU_MEMHOSTREGISTER_READ_ONLY)))
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                          "the process may not %s all of the %zu bytes at 0x%" PRIx64,
                          flags & CU_MEMHOSTREGISTER_READ_ONLY ? "read" : "read and write", bytes,
                          base);
    return CUDA_SUCCESS;
}

CUresult cpu_cuMemHostRegister(void *host, size_t bytes, unsigned flags)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = check_range((uintptr_t) host, bytes, flags)))
        return cpu_leave(code);
    struct cpu_host what = {.context = c,
                            .base = (uintptr_t) host,
                            .bytes = bytes,
                            .flags = flags,
                            .kind = SIMT_RANGE_REGISTERED};
    return cpu_leave(cpu_host_add(&what));
}

CUresult cpu_cuMemHostUnregister(void *host)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!host)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    return cpu_leave(cpu_host_end(c, (uintptr_t) host, SIMT_RANGE_REGISTERED,
                                  CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED));
}

/* ---- managed: the host's pages are the device's, so there is nothing to move ---- */

CUresult cpu_cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned flags)
{
    struct cpu_context *c = NULL;
    void *p;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!address || !bytes || (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_memory_take(c, bytes)))
        return cpu_leave(code);
    struct cpu_host what = {
        .context = c, .bytes = bytes, .flags = flags, .kind = SIMT_RANGE_MANAGED};
    if ((code = add_pages(&p, &what, MAP_NORESERVE)))
        cpu_memory_give(c, bytes);
    else
        *address = (uintptr_t) p;
    return cpu_leave(code);
}

CUresult cpu_managed_free(struct cpu_context *c, CUdeviceptr address)
{
    return cpu_host_end(c, address, SIMT_RANGE_MANAGED, CUDA_ERROR_INVALID_VALUE);
}

/* Is all of it in one managed allocation? */
static bool is_managed(CUdeviceptr address, size_t bytes)
{
    const struct cpu_host *h = cpu_host_find(address);
    return h && h->kind == SIMT_RANGE_MANAGED && bytes <= h->bytes - (address - h->base);
}

CUresult cpu_cuStreamAttachMemAsync(CUstream stream, CUdeviceptr address, size_t bytes,
                                    unsigned flags)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    const struct cpu_host *h = cpu_host_find(address);
    bool is_whole = h && h->kind == SIMT_RANGE_MANAGED && h->base == address &&
                    (!bytes || bytes == h->bytes);
    bool is_known = flags == CU_MEM_ATTACH_GLOBAL || flags == CU_MEM_ATTACH_HOST ||
                    (flags == CU_MEM_ATTACH_SINGLE && stream);
    return cpu_leave(is_whole && is_known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

static bool is_place(CUmemLocation at)
{
    switch (at.type) {
    case CU_MEM_LOCATION_TYPE_DEVICE:
        return at.id == 0;
    case CU_MEM_LOCATION_TYPE_HOST:
    case CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT:
        return true;
    case CU_MEM_LOCATION_TYPE_HOST_NUMA:
        return at.id >= 0;
    default:
        return false;
    }
}

CUresult cpu_cuMemPrefetchAsync(CUdeviceptr address, size_t bytes, CUmemLocation to, unsigned flags,
                                CUstream stream)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)))
        return cpu_leave(code);
    if (!bytes || flags || !is_managed(address, bytes))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    return cpu_leave(is_place(to) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE);
}

CUresult cpu_cuMemAdvise(CUdeviceptr address, size_t bytes, int advice, CUmemLocation at)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    bool needs_place = advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION ||
                       advice == CU_MEM_ADVISE_SET_ACCESSED_BY ||
                       advice == CU_MEM_ADVISE_UNSET_ACCESSED_BY;
    if (!bytes || advice < CU_MEM_ADVISE_SET_READ_MOSTLY ||
        advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY || !is_managed(address, bytes))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    return cpu_leave(!needs_place || is_place(at) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE);
}

/* Reserved addresses, physical memory, and mappings of the one to the other. What may be accessed
 * is a piece of memory that all contexts share (host.c). Pages that have been unmapped stay there
 * as pages of zeros, so that a kernel which goes on by mistake does no harm. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/shm.h"
#include "cpu/cpu.h"

enum { GRAIN = 2 << 20 };

struct cpu_physical {
    struct cpu_physical *next;
    struct shm *shm;
    CUmemGenericAllocationHandle handle;
    CUmemAllocationProp prop;
    size_t size;
    unsigned holds, mappings; /* handles given out; it goes when there are neither */
};

struct cpu_mapping {
    struct cpu_mapping *next;
    struct cpu_physical *physical;
    uint64_t base;
    size_t size;
    int access;
};

struct cpu_reserve {
    struct cpu_reserve *next;
    uint64_t base;
    size_t size;
    void *map;
    size_t mapped;
};

static bool is_grained(uint64_t n)
{
    return n % GRAIN == 0;
}

static void *zeros(void *at, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
    void *p = mmap(at, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Nothing that any context has been given uses the range any more. */
static CUresult come_to_rest(uint64_t base, size_t size)
{
    return cpu.contexts ? cpu_wait_shared(cpu.contexts, base, size) : CUDA_SUCCESS;
}

/* ---- addresses ---- */

CUresult cpu_cuMemAddressReserve(CUdeviceptr *address, size_t size, size_t alignment,
                                 CUdeviceptr wish, unsigned long long flags)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    (void) wish; /* a wish that is not granted is no failure */
    size_t align = MAX(alignment, (size_t) GRAIN);
    if (!address || !size || !is_grained(size) || (align & (align - 1)) || flags)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_reserve *r = size < SIZE_MAX - align ? alloc_zero(1, sizeof *r) : NULL;
    if (!r || !(r->map = zeros(NULL, size + align))) {
        alloc_free(r);
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    r->mapped = size + align;
    r->base = ALIGN_UP((uintptr_t) r->map, align);
    r->size = size;
    r->next = cpu.reserves;
    cpu.reserves = r;
    *address = r->base;
    return cpu_leave(CUDA_SUCCESS);
}

static bool overlaps(const struct cpu_mapping *m, uint64_t base, size_t size)
{
    return m->base < base + size && base < m->base + m->size;
}

static bool is_mapped(uint64_t base, size_t size)
{
    for (const struct cpu_mapping *m = cpu.mappings; m; m = m->next)
        if (overlaps(m, base, size))
            return true;
    return false;
}

static struct cpu_reserve **find_reserve(uint64_t base, size_t size)
{
    for (struct cpu_reserve **p = &cpu.reserves; *p; p = &(*p)->next)
        if (base - (*p)->base < (*p)->size && size <= (*p)->size - (base - (*p)->base))
            return p;
    return NULL;
}

CUresult cpu_cuMemAddressFree(CUdeviceptr address, size_t size)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    struct cpu_reserve **p = find_reserve(address, size);
    if (!p || (*p)->base != address || (*p)->size != size || is_mapped(address, size))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = come_to_rest(address, size)))
        return cpu_leave(code);
    p = find_reserve(address, size);
    if (!p || (*p)->base != address || is_mapped(address, size))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_reserve *r = *p;
    *p = r->next;
    munmap(r->map, r->mapped);
    alloc_free(r);
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- physical memory ---- */

static bool is_known(const CUmemAllocationProp *prop)
{
    return prop && prop->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
           prop->location.type == CU_MEM_LOCATION_TYPE_DEVICE && prop->location.id == 0 &&
           (prop->requestedHandleTypes & ~CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) == 0;
}

CUresult cpu_cuMemGetAllocationGranularity(size_t *out, const CUmemAllocationProp *prop, int option)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!out || !is_known(prop) || option < 0 || option > 1)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *out = GRAIN;
    return cpu_leave(CUDA_SUCCESS);
}

static void drop(struct cpu_physical *p)
{
    struct cpu_physical **at = &cpu.physicals;
    if (p->holds || p->mappings)
        return;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    cpu_handle_destroy((void *) (uintptr_t) p->handle);
    cpu_memory_give(NULL, p->size);
    shm_destroy(&p->shm);
    alloc_free(p);
}

/* Takes `shm`, also on failure. */
static CUresult add(CUmemGenericAllocationHandle *out, struct shm *shm,
                    const CUmemAllocationProp *prop)
{
    struct cpu_physical *p = shm ? alloc_zero(1, sizeof *p) : NULL;
    void *handle = p ? cpu_handle_create(CPU_PHYSICAL, p) : NULL;
    CUresult code = handle ? cpu_memory_take(NULL, shm->size) : CUDA_ERROR_OUT_OF_MEMORY;
    if (code) {
        if (handle)
            cpu_handle_destroy(handle);
        shm_destroy(&shm);
        alloc_free(p);
        return code;
    }
    *p = (struct cpu_physical){cpu.physicals, shm, (uintptr_t) handle, *prop, shm->size, 1, 0};
    cpu.physicals = p;
    *out = p->handle;
    return CUDA_SUCCESS;
}

CUresult cpu_cuMemCreate(CUmemGenericAllocationHandle *out, size_t size,
                         const CUmemAllocationProp *prop, unsigned long long flags)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!out || !size || !is_grained(size) || !is_known(prop) || flags)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_memory_take(NULL, size)))
        return cpu_leave(code);
    cpu_memory_give(NULL, size); /* there is so much */
    return cpu_leave(add(out, shm_create(size), prop));
}

static struct cpu_physical *get(CUmemGenericAllocationHandle handle)
{
    struct cpu_physical *p = cpu_handle_get(CPU_PHYSICAL, (void *) (uintptr_t) handle);
    return p && p->holds ? p : NULL;
}

CUresult cpu_cuMemRelease(CUmemGenericAllocationHandle handle)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    struct cpu_physical *p = get(handle);
    if (!p)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    p->holds--;
    drop(p);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *out,
                                                    CUmemGenericAllocationHandle handle)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    const struct cpu_physical *p = get(handle);
    if (!out || !p)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *out = p->prop;
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- mappings ---- */

CUresult cpu_cuMemMap(CUdeviceptr address, size_t size, size_t offset,
                      CUmemGenericAllocationHandle handle, unsigned long long flags)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    struct cpu_physical *p = get(handle);
    if (!p || !size || !is_grained(address | size | offset) || flags ||
        !find_reserve(address, size) || is_mapped(address, size))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (offset || size != p->size)
        return cpu_leave(cpu_refuse(CUDA_ERROR_NOT_SUPPORTED,
                                    "physical memory is mapped as a whole, all its %zu bytes",
                                    p->size));
    struct cpu_mapping *m = alloc_new(sizeof *m);
    if (!m || !shm_map(p->shm, (void *) (uintptr_t) address, 0, size)) {
        alloc_free(m);
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    *m = (struct cpu_mapping){cpu.mappings, p, address, size, 0};
    p->mappings++;
    cpu.mappings = m;
    return cpu_leave(CUDA_SUCCESS);
}

/* Is the range made of whole mappings, without a hole? */
static bool is_whole(uint64_t base, size_t size)
{
    size_t sum = 0;
    for (const struct cpu_mapping *m = cpu.mappings; m; m = m->next) {
        if (!overlaps(m, base, size))
            continue;
        if (m->base < base || m->base + m->size > base + size)
            return false;
        sum += m->size;
    }
    return size && sum == size;
}

static CUresult set_access(struct cpu_mapping *m, int access)
{
    if (m->access == access)
        return CUDA_SUCCESS;
    if (m->access)
        cpu_host_forget(m->base);
    m->access = 0;
    if (!access)
        return CUDA_SUCCESS;
    struct cpu_host what = {
        .base = m->base, .bytes = m->size, .flags = (unsigned) access, .kind = SIMT_RANGE_MAPPED};
    CUresult code = cpu_host_add(&what);
    if (!code)
        m->access = access;
    return code;
}

CUresult cpu_cuMemSetAccess(CUdeviceptr address, size_t size, const CUmemAccessDesc *desc,
                            size_t count)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!desc || count != 1 || desc->location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
        (desc->flags != CU_MEM_ACCESS_FLAGS_PROT_NONE &&
         desc->flags != CU_MEM_ACCESS_FLAGS_PROT_READ &&
         desc->flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_check_device(desc->location.id)))
        return cpu_leave(code);
    if (!is_whole(address, size))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    for (struct cpu_mapping *m = cpu.mappings; m && !code; m = m->next)
        if (overlaps(m, address, size))
            code = set_access(m, desc->flags);
    return cpu_leave(code);
}

static struct cpu_mapping *mapping_of(CUdeviceptr address)
{
    struct cpu_mapping *m = cpu.mappings;
    while (m && address - m->base >= m->size)
        m = m->next;
    return m;
}

CUresult cpu_cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
                            CUdeviceptr address)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    const struct cpu_mapping *m = mapping_of(address);
    if (!flags || !location || location->type != CU_MEM_LOCATION_TYPE_DEVICE || location->id || !m)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = (unsigned long long) m->access;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *out, void *address)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    const struct cpu_mapping *m = mapping_of((uintptr_t) address);
    if (!out || !m)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    m->physical->holds++;
    *out = m->physical->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemUnmap(CUdeviceptr address, size_t size)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!is_whole(address, size))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = come_to_rest(address, size)))
        return cpu_leave(code);
    if (!is_whole(address, size))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE); /* another thread was quicker */
    for (struct cpu_mapping **p = &cpu.mappings; *p;) {
        struct cpu_mapping *m = *p;
        if (!overlaps(m, address, size)) {
            p = &m->next;
            continue;
        }
        *p = m->next;
        set_access(m, CU_MEM_ACCESS_FLAGS_PROT_NONE);
        zeros((void *) (uintptr_t) m->base, m->size);
        m->physical->mappings--;
        drop(m->physical);
        alloc_free(m);
    }
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- other processes ---- */

CUresult cpu_cuMemExportToShareableHandle(void *out, CUmemGenericAllocationHandle handle, int type,
                                          unsigned long long flags)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    const struct cpu_physical *p = get(handle);
    if (!out || !p || flags || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR ||
        !(p->prop.requestedHandleTypes & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    int fd = fcntl(p->shm->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return cpu_leave(CUDA_ERROR_OPERATING_SYSTEM);
    *(int *) out = fd;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *out, void *handle,
                                            int type)
{
    static const CUmemAllocationProp prop = {
        .type = CU_MEM_ALLOCATION_TYPE_PINNED,
        .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
        .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0},
    };
    CUresult code = cpu_enter();
    if (code)
        return code;
    if (!out || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct shm *shm = shm_open_fd((int) (intptr_t) handle);
    if (!shm || !is_grained(shm->size)) {
        shm_destroy(&shm);
        return cpu_leave(cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                                    "the file descriptor is not one of the CPU device's memory"));
    }
    return cpu_leave(add(out, shm, &prop));
}

/* ---- forks ---- */

void cpu_vmm_before_fork(void)
{
    for (struct cpu_physical *p = cpu.physicals; p; p = p->next)
        shm_before_fork(p->shm);
}

bool cpu_vmm_after_fork(bool in_child)
{
    bool ok = true;
    for (struct cpu_physical *p = cpu.physicals; p; p = p->next) {
        if (in_child)
            ok &= shm_after_fork_in_child(p->shm);
        else
            shm_after_fork_in_parent(p->shm);
    }
    for (const struct cpu_mapping *m = cpu.mappings; m && in_child; m = m->next)
        ok &= shm_map(m->physical->shm, (void *) (uintptr_t) m->base, 0, m->size) != NULL;
    return ok;
}

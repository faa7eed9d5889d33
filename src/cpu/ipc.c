/* Handles for other processes, and memory by them. A handle says where /proc leads to the pages of
 * an allocation, and the token by which they are known to be the ones that were meant. What is
 * opened is shared with all contexts, as memory of the host is (host.c). Events: beacon.c. */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/shm.h"
#include "cpu/cpu.h"

enum { PAGE = 4096 };

/* What stands in the 64 bytes. */
struct record {
    char magic[8];
    struct cpu_ticket ticket;
    uint64_t sum; /* of all that */
};
static_assert(sizeof(struct record) <= sizeof(CUipcMemHandle), "a handle holds it");

static const char magics[2][8] = {
    [CPU_TICKET_MEMORY] = {'r', 'u', 'n', 'c', 'u', 'm', 'e', 'm'},
    [CPU_TICKET_EVENT] = {'r', 'u', 'n', 'c', 'u', 'e', 'v', 't'},
};

void cpu_ticket_write(void *out, const struct cpu_ticket *ticket, enum cpu_ticket_kind kind)
{
    struct record r;
    memset(&r, 0, sizeof r);
    memcpy(r.magic, magics[kind], sizeof r.magic);
    r.ticket = *ticket;
    r.ticket.pid = (int32_t) getpid();
    r.sum = hash_bytes(&r, offsetof(struct record, sum));
    memset(out, 0, sizeof(CUipcMemHandle));
    memcpy(out, &r, sizeof r);
}

CUresult cpu_ticket_read(struct cpu_ticket *out, const void *handle, enum cpu_ticket_kind kind)
{
    struct record r;
    memcpy(&r, handle, sizeof r);
    *out = r.ticket;
    if (memcmp(r.magic, magics[kind], sizeof r.magic) != 0)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE, "this is no handle of the CPU device's %s",
                          kind == CPU_TICKET_MEMORY ? "memory" : "events");
    if (r.sum != hash_bytes(&r, offsetof(struct record, sum)) || !out->bytes ||
        out->bytes > out->size || out->offset > out->size - out->bytes)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE, "the handle has been damaged");
    if (out->pid == getpid())
        return cpu_refuse(CUDA_ERROR_INVALID_CONTEXT,
                          "the handle is of this process: what it stands for is here already");
    return CUDA_SUCCESS;
}

static uint64_t first_page(const struct cpu_ticket *t)
{
    return t->offset & ~(uint64_t) (PAGE - 1);
}

static size_t pages_size(const struct cpu_ticket *t)
{
    return ALIGN_UP(t->offset + t->bytes, PAGE) - first_page(t);
}

CUresult cpu_ticket_map(void **out, const struct cpu_ticket *t)
{
    int fd = shm_open_other(t->pid, t->fd, t->size, t->offset, t->token);
    if (fd < 0)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE,
                          "process %d has it no more, or may not be looked into", (int) t->pid);
    *out = shm_map(&(struct shm){fd, -1, t->size}, NULL, first_page(t), pages_size(t));
    close(fd);
    return *out ? CUDA_SUCCESS
                : cpu_refuse(CUDA_ERROR_MAP_FAILED, "the system does not map %zu bytes",
                             pages_size(t));
}

/* ---- giving ---- */

static struct cpu_context *owner_of(struct cpu_context *first, CUdeviceptr address,
                                    struct simt_range *out)
{
    struct cpu_context *c = cpu_owner(first, address, 1);
    bool ok = c && simt_space_find(c->space, address, out) && out->kind == SIMT_RANGE_HEAP;
    return ok ? c : NULL;
}

/* Moving an allocation to where others can open it needs a moment in which nothing runs. */
static CUresult come_to_rest(struct cpu_context *c, const struct simt_range *range)
{
    struct simt_range now;
    CUcontext handle = c->handle;
    if (simt_space_is_shared(c->space, range->base))
        return CUDA_SUCCESS;
    CUresult code = cpu_wait_quiet(c);
    if (code)
        return code;
    c = cpu_handle_get(CPU_CONTEXT, handle);
    if (!c || !simt_space_find(c->space, range->base, &now) || now.serial != range->serial)
        return CUDA_ERROR_INVALID_VALUE; /* freed meanwhile */
    return CUDA_SUCCESS;
}

CUresult cpu_cuIpcGetMemHandle(CUipcMemHandle *out, CUdeviceptr address)
{
    struct cpu_context *c = NULL;
    struct simt_range range;
    struct simt_share share;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    c = owner_of(c, address, &range);
    if (!out || !c)
        return cpu_leave(cpu_refuse(CUDA_ERROR_INVALID_VALUE,
                                    "0x%llx is no address of device memory from cuMemAlloc",
                                    address));
    if ((code = come_to_rest(c, &range)))
        return cpu_leave(code);
    if (simt_space_share(c->space, range.base, &share) != 0)
        return cpu_leave(cpu_refuse(CUDA_ERROR_OUT_OF_MEMORY,
                                    "the system has no shared memory for the %zu bytes",
                                    range.size));
    struct cpu_ticket t = {.fd = share.fd,
                           .size = share.size,
                           .offset = share.offset,
                           .bytes = share.bytes,
                           .token = share.token};
    cpu_ticket_write(out->bytes, &t, CPU_TICKET_MEMORY);
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- taking ---- */

static CUresult open_memory(struct cpu_context *c, CUdeviceptr *out, const struct cpu_ticket *t)
{
    void *p;
    CUresult code = cpu_ticket_map(&p, t);
    if (code)
        return code;
    struct cpu_host what = {.context = c,
                            .base = (uintptr_t) p + (t->offset - first_page(t)),
                            .bytes = t->bytes,
                            .map = p,
                            .mapped = pages_size(t),
                            .token = t->token,
                            .opens = 1,
                            .kind = SIMT_RANGE_IMPORTED};
    code = cpu_host_add(&what);
    if (code)
        munmap(p, what.mapped);
    else
        *out = what.base;
    return code;
}

CUresult cpu_cuIpcOpenMemHandle(CUdeviceptr *address, CUipcMemHandle handle, unsigned flags)
{
    struct cpu_context *c = NULL;
    struct cpu_ticket t;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!address || (flags & ~(unsigned) CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_ticket_read(&t, handle.bytes, CPU_TICKET_MEMORY)))
        return cpu_leave(code);
    for (struct cpu_host *h = cpu.hosts; h; h = h->next) {
        if (h->kind != SIMT_RANGE_IMPORTED || h->token != t.token)
            continue;
        h->opens++;
        *address = h->base;
        return cpu_leave(CUDA_SUCCESS);
    }
    return cpu_leave(open_memory(c, address, &t));
}

CUresult cpu_cuIpcCloseMemHandle(CUdeviceptr address)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    struct cpu_host *h = cpu_host_find(address);
    if (!h || h->kind != SIMT_RANGE_IMPORTED || h->base != address)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (h->opens > 1) {
        h->opens--;
        return cpu_leave(CUDA_SUCCESS);
    }
    return cpu_leave(cpu_host_end(c, address, SIMT_RANGE_IMPORTED, CUDA_ERROR_INVALID_VALUE));
}

/* Memory of other processes. A handle says where /proc leads to the pages of an allocation, and the
 * token by which they are known to be the ones that were meant. What is opened is shared with all
 * contexts, as memory of the host is (host.c). */
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/shm.h"
#include "cpu/cpu.h"

enum { PAGE = 4096 };

/* What a CUipcMemHandle holds. */
struct ticket {
    char magic[8];
    int32_t pid, fd;
    uint64_t size, offset, bytes; /* of the file's data; of the allocation in it */
    uint64_t token;
    uint64_t sum; /* of all that */
};

static const char magic[8] = {'r', 'u', 'n', 'c', 'u', 'm', 'e', 'm'};

static uint64_t sum_of(const struct ticket *t)
{
    return hash_bytes(t, offsetof(struct ticket, sum));
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
    cpu_refuse(CUDA_SUCCESS, NULL);
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
    struct ticket t = {.pid = (int32_t) getpid(),
                       .fd = share.fd,
                       .size = share.size,
                       .offset = share.offset,
                       .bytes = share.bytes,
                       .token = share.token};
    memcpy(t.magic, magic, sizeof magic);
    t.sum = sum_of(&t);
    memset(out, 0, sizeof *out);
    memcpy(out, &t, sizeof t);
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- taking ---- */

static CUresult read_ticket(struct ticket *out, const CUipcMemHandle *handle)
{
    memcpy(out, handle, sizeof *out);
    if (memcmp(out->magic, magic, sizeof magic) != 0)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE,
                          "the handle is none of the CPU device's (a GPU's, perhaps?)");
    if (out->sum != sum_of(out) || !out->bytes || out->bytes > out->size ||
        out->offset > out->size - out->bytes)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE, "the handle has been damaged");
    if (out->pid == getpid())
        return cpu_refuse(CUDA_ERROR_INVALID_CONTEXT,
                          "the memory is this process's own: use its address");
    return CUDA_SUCCESS;
}

/* Pages around the allocation, of which the host's rights and the kernels' begin at its start. */
static CUresult open_ticket(struct cpu_context *c, CUdeviceptr *out, const struct ticket *t)
{
    uint64_t from = t->offset & ~(uint64_t) (PAGE - 1);
    size_t mapped = ALIGN_UP(t->offset + t->bytes, PAGE) - from;
    int fd = shm_open_other(t->pid, t->fd, t->size, t->offset, t->token);
    if (fd < 0)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE,
                          "process %d has no such memory any more, or not for this process",
                          (int) t->pid);
    void *p = shm_map(&(struct shm){fd, -1, t->size}, NULL, from, mapped);
    close(fd);
    if (!p)
        return cpu_refuse(CUDA_ERROR_MAP_FAILED, "the system does not map %zu bytes", mapped);
    struct cpu_host what = {.context = c,
                            .base = (uintptr_t) p + (t->offset - from),
                            .bytes = t->bytes,
                            .map = p,
                            .mapped = mapped,
                            .token = t->token,
                            .opens = 1,
                            .kind = SIMT_RANGE_IMPORTED};
    CUresult code = cpu_host_add(&what);
    if (code)
        munmap(p, mapped);
    else
        *out = what.base;
    return code;
}

CUresult cpu_cuIpcOpenMemHandle(CUdeviceptr *address, CUipcMemHandle handle, unsigned flags)
{
    struct cpu_context *c = NULL;
    struct ticket t;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    if (!address || (flags & ~(unsigned) CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = read_ticket(&t, &handle)))
        return cpu_leave(code);
    for (struct cpu_host *h = cpu.hosts; h; h = h->next) {
        if (h->kind != SIMT_RANGE_IMPORTED || h->token != t.token)
            continue;
        h->opens++;
        *address = h->base;
        return cpu_leave(CUDA_SUCCESS);
    }
    return cpu_leave(open_ticket(c, address, &t));
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

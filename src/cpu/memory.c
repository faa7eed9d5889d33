/* Allocations of device memory, and questions about addresses. Addresses are host addresses, the
 * same in every context. Not here: memory that all contexts share (host.c), copies and sets
 * (copy.c). */
#include "cpu/cpu.h"

enum { UNIT = 512, PITCH = 512 };

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

CUresult cpu_memory_take(struct cpu_context *c, size_t bytes)
{
    size_t room = cpu.device.memory - cpu.used;
    if (bytes > room || ALIGN_UP(bytes, UNIT) > room)
        return cpu_refuse(
            CUDA_ERROR_OUT_OF_MEMORY,
            "%zu bytes asked for, %zu of the CPU device's %zu are free (RUNCU_CPU_MEMORY sets "
            "how many it has)",
            bytes, room, cpu.device.memory);
    cpu.used += ALIGN_UP(bytes, UNIT);
    if (c)
        c->used += ALIGN_UP(bytes, UNIT);
    return CUDA_SUCCESS;
}

void cpu_memory_give(struct cpu_context *c, size_t bytes)
{
    cpu.used -= ALIGN_UP(bytes, UNIT);
    if (c)
        c->used -= ALIGN_UP(bytes, UNIT);
}

CUresult cpu_memory_alloc(struct cpu_context *c, CUdeviceptr *address, size_t bytes)
{
    uint64_t at;
    CUresult code = cpu_memory_take(c, bytes);
    if (code)
        return code;
    if (simt_space_alloc(c->space, bytes, &at) != 0) {
        cpu_memory_give(c, bytes);
        return cpu_refuse(CUDA_ERROR_OUT_OF_MEMORY, "the system has no %zu bytes", bytes);
    }
    *address = at;
    return CUDA_SUCCESS;
}

CUresult cpu_cuMemAlloc(CUdeviceptr *address, size_t bytes)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!address || !bytes)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_capture_safe()))
        return cpu_leave(code);
    return cpu_leave(cpu_memory_alloc(c, address, bytes));
}

CUresult cpu_cuMemAllocPitch(CUdeviceptr *address, size_t *pitch, size_t width, size_t height,
                             unsigned element)
{
    struct cpu_context *c = NULL;
    size_t bytes;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!address || !pitch || !width || !height || (element != 4 && element != 8 && element != 16))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (width > SIZE_MAX - PITCH || __builtin_mul_overflow(ALIGN_UP(width, PITCH), height, &bytes))
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    code = cpu_memory_alloc(c, address, bytes);
    if (!code)
        *pitch = ALIGN_UP(width, PITCH);
    return cpu_leave(code);
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

void cpu_memory_drop(uint64_t base, uint64_t serial)
{
    struct simt_range range;
    struct cpu_context *c = find_heap(NULL, base, &range);
    if (!c || range.serial != serial)
        return;
    cpu_forget_range(range.base, range.size);
    cpu_pooled_free(&range);
    simt_space_free(c->space, base);
    cpu_memory_give(c, range.size);
}

CUresult cpu_cuMemFree(CUdeviceptr address)
{
    struct cpu_context *c = NULL;
    struct simt_range range;
    CUresult code = cpu_enter_context(&c);
    if (code || !address)
        return code ? code : cpu_leave(CUDA_SUCCESS);
    if ((code = cpu_capture_safe()))
        return cpu_leave(code);
    struct cpu_context *owner = find_heap(c, address, &range);
    if (!owner)
        return cpu_leave(cpu_managed_free(c, address));
    c = owner;
    if ((code = cpu_wait_range(c, range.base, range.size)))
        return cpu_leave(code);
    /* Another thread may have been quicker, and a new allocation may stand there. */
    uint64_t serial = range.serial;
    if (!(c = find_heap(NULL, address, &range)) || range.serial != serial)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    cpu_memory_drop(address, serial);
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

/* ---- addresses ---- */

static CUresult put_bool(void *out, bool value)
{
    *(unsigned char *) out = value;
    return CUDA_SUCCESS;
}

/* Of memory that the host reads and writes too, or of the device's own (`h` is NULL). */
static CUresult pointer_attribute(void *value, int attribute, const struct cpu_context *c,
                                  CUdeviceptr address)
{
    const struct cpu_host *h = cpu_host_find(address);
    bool is_managed = h && h->kind == SIMT_RANGE_MANAGED;
    bool is_host = h && (h->kind == SIMT_RANGE_HOST || h->kind == SIMT_RANGE_REGISTERED);
    struct simt_range range;
    if (!simt_space_find(c->space, address, &range))
        return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        if (h && !h->context) /* mapped memory is of the device */
            return CUDA_ERROR_INVALID_VALUE;
        *(CUcontext *) value = h ? h->context->handle : c->handle;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *) value = is_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *(CUdeviceptr *) value = address;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        if (!is_host && !is_managed)
            return CUDA_ERROR_INVALID_VALUE;
        *(void **) value = (void *) (uintptr_t) address;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
        *(unsigned long long *) value = range.serial;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        return put_bool(value, is_managed);
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *(int *) value = 0;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
        return put_bool(value, range.kind == SIMT_RANGE_HEAP);
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        *(CUdeviceptr *) value = range.base;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        *(size_t *) value = range.size;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MAPPED:
        return put_bool(value, true);
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

/* Physical memory, ranges of addresses, mappings. A range knows its mappings, so that freeing it
 * needs no help. */
#include "core.h"

#include <string.h>

#include "base/vec.h"

struct runcu_physical {
    runcu_device *device;
    CUmemGenericAllocationHandle handle;
    size_t bytes;
    bool is_owned;
};

struct part {
    size_t offset, bytes;
};

struct runcu_range {
    runcu_context *context; /* whose work is waited for */
    runcu_device *device;
    CUdeviceptr address;
    size_t bytes;
    bool is_owned;
    VEC(struct part) parts;
};

static CUmemAllocationProp prop_of(const runcu_device *device, unsigned flags)
{
    return (CUmemAllocationProp){
        .type = CU_MEM_ALLOCATION_TYPE_PINNED,
        .requestedHandleTypes = flags & RUNCU_PHYSICAL_EXPORTABLE
                                    ? CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR
                                    : CU_MEM_HANDLE_TYPE_NONE,
        .location = {CU_MEM_LOCATION_TYPE_DEVICE, device->handle},
    };
}

static int find_device(runcu_device **device)
{
    return *device ? 0 : core_current_device(device);
}

int runcu_vmm_granularity(size_t *out, runcu_device *device)
{
    CORE_NEED(out);
    *out = 0;
    int status = find_device(&device);
    if (status)
        return status;
    CUmemAllocationProp prop = prop_of(device, 0);
    return CU_CALL(device->driver, cuMemGetAllocationGranularity, out, &prop,
                   CU_MEM_ALLOC_GRANULARITY_MINIMUM);
}

/* After a refusal: what may be wrong with a size. */
static int explain_size(runcu_device *device, size_t bytes, int status)
{
    CUmemAllocationProp prop = prop_of(device, 0);
    size_t grain = 0;
    if (device->driver->cu.cuMemGetAllocationGranularity(&grain, &prop, 0) == CUDA_SUCCESS &&
        grain && (!bytes || bytes % grain))
        runcu_fail_detail("%zu bytes were asked for: a multiple of %zu is needed.", bytes, grain);
    return status;
}

/* --- physical memory --- */

static int new_physical(runcu_physical **out, runcu_device *device, size_t bytes)
{
    *out = NULL;
    int status = find_device(&device);
    runcu_physical *p = status ? NULL : core_new(sizeof *p);
    if (!p)
        return status ? status : RUNCU_ERROR_MEMORY;
    p->device = device;
    p->bytes = bytes;
    *out = p;
    return 0;
}

static int finish(runcu_physical **out, int status)
{
    if (status) {
        core_delete(*out);
        *out = NULL;
    } else {
        (*out)->is_owned = true;
    }
    return status;
}

int runcu_physical_create(runcu_physical **out, runcu_device *device, size_t bytes, unsigned flags)
{
    CORE_OUT(out);
    if (flags & ~(unsigned) RUNCU_PHYSICAL_EXPORTABLE)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the flags of physical memory are 0x%x", flags);
    int status = new_physical(out, device, bytes);
    if (status)
        return status;
    runcu_physical *p = *out;
    device = p->device;
    CUmemAllocationProp prop = prop_of(device, flags);
    status = finish(out, CU_CALL(device->driver, cuMemCreate, &p->handle, bytes, &prop, 0));
    return status ? explain_size(device, bytes, status) : 0;
}

int runcu_physical_wrap(runcu_physical **out, runcu_device *device, uint64_t handle, size_t bytes)
{
    CORE_OUT(out);
    if (!handle)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no physical memory");
    int status = new_physical(out, device, bytes);
    if (!status)
        (*out)->handle = handle;
    return status;
}

int runcu_physical_export(int *out, runcu_physical *physical)
{
    CORE_NEED(out);
    CORE_NEED(physical);
    *out = -1;
    int status = CU_CALL(physical->device->driver, cuMemExportToShareableHandle, out,
                         physical->handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
    if (status)
        runcu_fail_detail("Only memory that was made to be exported can be.");
    return status;
}

int runcu_physical_import(runcu_physical **out, runcu_device *device, int fd, size_t bytes)
{
    CORE_OUT(out);
    int status = new_physical(out, device, bytes);
    if (status)
        return status;
    return finish(out,
                  CU_CALL((*out)->device->driver, cuMemImportFromShareableHandle, &(*out)->handle,
                          (void *) (intptr_t) fd, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
}

void runcu_physical_release(runcu_physical **physical)
{
    if (!physical)
        return;
    runcu_physical *p = *physical;
    *physical = NULL;
    if (!p)
        return;
    if (p->is_owned) {
        CUresult code = p->device->driver->cu.cuMemRelease(p->handle);
        const char *text = drv_result_text(code);
        if (code && !core_is_gone(code))
            core_log(RUNCU_LOG_WARNING, "cleanup", "cuMemRelease failed on the device %s: %s",
                     p->device->name, text ? text : "unknown error");
    }
    core_delete(p);
}

uint64_t runcu_physical_handle(const runcu_physical *physical)
{
    return physical ? physical->handle : 0;
}

size_t runcu_physical_size(const runcu_physical *physical)
{
    return physical ? physical->bytes : 0;
}

/* --- ranges --- */

static int new_range(runcu_range **out, runcu_device *device, size_t bytes)
{
    *out = NULL;
    runcu_range *r = core_new(sizeof *r);
    if (!r)
        return RUNCU_ERROR_MEMORY;
    int status =
        device ? runcu_context_primary(&r->context, device) : core_context_get(&r->context);
    if (status) {
        core_delete(r);
        return status;
    }
    r->device = runcu_context_device(r->context);
    r->bytes = bytes;
    *out = r;
    return 0;
}

static int discard_range(runcu_range **range, int status)
{
    vec_fini(&(*range)->parts);
    runcu_context_release(&(*range)->context);
    core_delete(*range);
    *range = NULL;
    return status;
}

int runcu_range_reserve(runcu_range **out, runcu_device *device, size_t bytes, size_t alignment)
{
    CORE_OUT(out);
    int status = new_range(out, device, bytes);
    if (status)
        return status;
    runcu_range *r = *out;
    status = CU_CALL(r->device->driver, cuMemAddressReserve, &r->address, bytes, alignment, 0, 0);
    if (status)
        return discard_range(out, explain_size(r->device, bytes, status));
    r->is_owned = true;
    return 0;
}

int runcu_range_wrap(runcu_range **out, runcu_device *device, uint64_t address, size_t bytes)
{
    CORE_OUT(out);
    if (!address)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no range of addresses");
    int status = new_range(out, device, bytes);
    if (!status)
        (*out)->address = address;
    return status;
}

/* Kernels may still use what is about to be unmapped. */
static int come_to_rest(runcu_range *r)
{
    struct core_scope scope;
    core_forget_addresses();
    if (!core_enter_cleanup(&scope, r->context))
        return 0;
    CUresult code = r->device->driver->cu.cuCtxSynchronize();
    int status = core_is_gone(code) ? 0 : core_check(r->device->driver, "cuCtxSynchronize", code);
    core_leave(&scope);
    return status;
}

int runcu_range_free(runcu_range **range)
{
    CORE_NEED(range);
    runcu_range *r = *range;
    int status = 0;
    *range = NULL;
    if (!r)
        return 0;
    const struct drv_table *cu = &r->device->driver->cu;
    CUresult code = CUDA_SUCCESS;
    if (r->parts.len)
        come_to_rest(r); /* after a fault nothing runs */
    for (size_t i = 0; i < r->parts.len && !code; i++)
        code = cu->cuMemUnmap(r->address + r->parts.at[i].offset, r->parts.at[i].bytes);
    if (!code && r->is_owned)
        code = cu->cuMemAddressFree(r->address, r->bytes);
    if (!core_is_gone(code))
        status = core_check(r->device->driver, "cuMemAddressFree", code);
    return discard_range(&r, status);
}

uint64_t runcu_range_address(const runcu_range *range)
{
    return range ? range->address : 0;
}

size_t runcu_range_size(const runcu_range *range)
{
    return range ? range->bytes : 0;
}

static int check(const runcu_range *r, size_t offset, size_t bytes)
{
    if (offset <= r->bytes && bytes <= r->bytes - offset)
        return 0;
    return runcu_fail(RUNCU_ERROR_ARGUMENT,
                      "%zu bytes from byte %zu on leave the range, which has %zu", bytes, offset,
                      r->bytes);
}

int runcu_range_map(runcu_range *range, const runcu_physical *physical, size_t offset)
{
    CORE_NEED(range);
    CORE_NEED(physical);
    if (physical->device->driver != range->device->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the range and the memory are of different drivers");
    int status = check(range, offset, physical->bytes);
    if (status)
        return status;
    if (!vec_room(&range->parts))
        return runcu_fail_memory();
    status = CU_CALL(range->device->driver, cuMemMap, range->address + offset, physical->bytes, 0,
                     physical->handle, 0);
    if (status)
        return explain_size(range->device, physical->bytes | offset, status);
    range->parts.at[range->parts.len++] = (struct part){offset, physical->bytes};
    return 0;
}

/* Not every driver minds what is not mapped. */
static int check_mapped(const runcu_range *r, size_t offset, size_t bytes)
{
    size_t sum = 0;
    for (size_t i = 0; i < r->parts.len; i++) {
        const struct part *p = &r->parts.at[i];
        if (p->offset >= offset && p->offset + p->bytes <= offset + bytes)
            sum += p->bytes;
    }
    if (bytes && sum == bytes)
        return 0;
    return runcu_fail(RUNCU_ERROR_ARGUMENT,
                      "the %zu bytes from byte %zu on are not whole mappings one after another",
                      bytes, offset);
}

int runcu_range_unmap(runcu_range *range, size_t offset, size_t bytes)
{
    CORE_NEED(range);
    int status = check(range, offset, bytes);
    if (!status)
        status = check_mapped(range, offset, bytes);
    if (!status)
        status = come_to_rest(range);
    if (!status)
        status = CU_CALL(range->device->driver, cuMemUnmap, range->address + offset, bytes);
    if (status)
        return status;
    for (size_t i = 0; i < range->parts.len;) {
        if (range->parts.at[i].offset - offset < bytes)
            range->parts.at[i] = range->parts.at[--range->parts.len];
        else
            i++;
    }
    return 0;
}

int runcu_range_set_access(runcu_range *range, size_t offset, size_t bytes, unsigned flags,
                           const runcu_device *device)
{
    CORE_NEED(range);
    int status = check(range, offset, bytes);
    if (status)
        return status;
    if (!device)
        device = range->device;
    if (device->driver != range->device->driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "the range and the device are of different drivers");
    CUmemAccessDesc desc = {{CU_MEM_LOCATION_TYPE_DEVICE, device->handle}, (int) flags};
    return CU_CALL(range->device->driver, cuMemSetAccess, range->address + offset, bytes, &desc, 1);
}

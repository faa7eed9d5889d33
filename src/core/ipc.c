/* Memory of other processes: handles for it, and opening them. Closing is freeing (memory.c);
 * events are event.c's. */
#include "core.h"

#include <string.h>

static_assert(sizeof(CUipcMemHandle) == RUNCU_IPC_HANDLE_BYTES, "memory");
static_assert(sizeof(CUipcEventHandle) == RUNCU_IPC_HANDLE_BYTES, "events");

int runcu_mem_ipc_handle(void *out, uint64_t address)
{
    CORE_NEED(out);
    struct core_driver *driver;
    CUcontext context;
    CUipcMemHandle handle = {{0}};
    int status = core_current(&driver, &context);
    if (status)
        return status;
    status = CU_CALL(driver, cuIpcGetMemHandle, &handle, address);
    memcpy(out, &handle, sizeof handle);
    return status;
}

int runcu_mem_ipc_open(runcu_mem **out, const void *handle, unsigned flags)
{
    CORE_OUT(out);
    CORE_NEED(handle);
    CUipcMemHandle copy;
    CUdeviceptr base;
    int status = core_mem_create(out, CORE_MEM_IMPORTED);
    if (status)
        return status;
    runcu_mem *mem = *out;
    struct core_driver *driver = mem->context->driver;
    memcpy(&copy, handle, sizeof copy);
    status = CU_CALL(driver, cuIpcOpenMemHandle, &mem->address, copy,
                     flags ? flags : CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
    if (status)
        return core_mem_discard(out, status);
    if (driver->cu.cuMemGetAddressRange(&base, &mem->bytes, mem->address))
        mem->bytes = 0;
    return 0;
}

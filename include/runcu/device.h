/** Drivers and devices. Nothing is loaded before the first call that needs a device. */
#ifndef RUNCU_DEVICE_H
#define RUNCU_DEVICE_H

#include "error.h"

RUNCU_BEGIN

/** Chooses and initialises the driver, as the first use of a device does by itself.
 *
 * `name`: "cuda" (NVIDIA's libcuda.so.1), "cpu" (the CPU device), the path of a library that
 * exports the CUDA Driver API, or NULL for the default: what the environment variable RUNCU_DEVICE
 * names, else NVIDIA's driver if it loads and has a device, else the CPU device with one warning to
 * the log that says why. Once a default has been chosen, a call with another name changes what
 * later default lookups of this process mean. Thread-safety: safe. */
RUNCU_API int runcu_init(const char *name);

/** Opens a device: `ordinal` of the driver `name` (as runcu_init; NULL: the default driver).
 * Devices live as long as the process; do not destroy them. The same device is the same pointer.
 * Thread-safety: safe. */
RUNCU_API int runcu_device_open(runcu_device **out, const char *name, int ordinal);
/** Likewise by PCI bus id: "0000:3b:00.0". */
RUNCU_API int runcu_device_open_pci(runcu_device **out, const char *name, const char *pci_bus_id);
/** Likewise by the driver's own handle (CUdevice), of the default driver. */
RUNCU_API int runcu_device_wrap(runcu_device **out, uint64_t handle);
RUNCU_API int runcu_device_count(int *out, const char *name);
/** The device that calls without a context use: CUDA_DEVICE, ~/.cuda_device, else 0, of the default
 * driver. Borrowed. */
RUNCU_API int runcu_device_default(runcu_device **out);
/** Makes `device` (NULL: as above) the default of the calling thread: what calls without a current
 * context use. Thread-safety: safe. */
RUNCU_API int runcu_device_set_default(runcu_device *device);

/** Its number among the devices of its driver, from 0. */
RUNCU_API int runcu_device_ordinal(const runcu_device *device);
RUNCU_API uint64_t runcu_device_handle(const runcu_device *device); /**< CUdevice */
/** Is it the CPU device? 1 or 0. */
RUNCU_API int runcu_device_is_cpu(const runcu_device *device);
/** Name, PCI bus id, driver name ("cuda", "cpu" or a path): valid as long as the process. "" if the
 * driver refuses. */
RUNCU_API const char *runcu_device_name(const runcu_device *device);
RUNCU_API const char *runcu_device_pci_bus_id(const runcu_device *device);
RUNCU_API const char *runcu_device_driver(const runcu_device *device);
/** The 16 bytes by which every process knows the device. */
RUNCU_API int runcu_device_uuid(unsigned char out[16], const runcu_device *device);
/** Bytes of memory. */
RUNCU_API int runcu_device_total_memory(size_t *out, const runcu_device *device);
/** 90 for compute capability 9.0. */
RUNCU_API int runcu_device_arch(int *out, const runcu_device *device);
/** `attribute`: a CUdevice_attribute (see runcu_device_attribute_name). */
RUNCU_API int runcu_device_attribute(int *out, const runcu_device *device, int attribute);
RUNCU_API int runcu_device_can_access_peer(int *out, const runcu_device *device,
                                           const runcu_device *peer);
/** Walks the table of attributes: name and id of row `index` from 0 ("WARP_SIZE", 10); NULL past
 * the end. */
RUNCU_API const char *runcu_device_attribute_name(int index, int *id);

/** What the driver of `device` says of itself: 13000 for CUDA 13.0. */
RUNCU_API int runcu_driver_version(int *out, const runcu_device *device);

RUNCU_END

#endif

/* What the machine shows of an NVIDIA driver that cannot be had: the GPU on its bus, the kernel's
 * module, device files and who may open them. Looks only at files, and never at a driver. */
#include "core/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

enum { FILE_LIMIT = 1 << 16 };

static bool read_below(struct str *out, const char *root, const char *path)
{
    struct str whole = {0};
    str_addf(&whole, "%s%s", root, path);
    bool ok = !whole.failed && fs_read(out, whole.at, FILE_LIMIT) == 0;
    str_fini(&whole);
    return ok && !out->failed;
}

/* errno of opening a device node for reading and writing; 0: it can be. */
static int try_node(const char *root, const char *path)
{
    struct str whole = {0};
    str_addf(&whole, "%s%s", root, path);
    int error = whole.failed ? ENOMEM : access(whole.at, R_OK | W_OK) == 0 ? 0 : errno;
    str_fini(&whole);
    return error;
}

struct bus {
    const char *root;
    bool found;
};

/* vendor 0x10de, class 0x03….: a display or compute device of NVIDIA's. */
static bool is_gpu(void *user, const char *name)
{
    struct bus *bus = user;
    struct str path = {0}, vendor = {0}, class = {0};
    str_addf(&path, "/sys/bus/pci/devices/%s/vendor", name);
    if (read_below(&vendor, bus->root, str_text(&path)) && strncmp(vendor.at, "0x10de", 6) == 0) {
        str_clear(&path);
        str_addf(&path, "/sys/bus/pci/devices/%s/class", name);
        bus->found =
            read_below(&class, bus->root, str_text(&path)) && strncmp(class.at, "0x03", 4) == 0;
    }
    str_fini(&path);
    str_fini(&vendor);
    str_fini(&class);
    return bus->found;
}

bool machine_has_gpu(const char *root)
{
    struct bus bus = {.root = root};
    struct str path = {0};
    str_addf(&path, "%s/sys/bus/pci/devices", root);
    if (!path.failed)
        fs_list(path.at, is_gpu, &bus);
    str_fini(&path);
    return bus.found || try_node(root, "/dev/dxg") == 0 || try_node(root, "/dev/nvhost-gpu") == 0;
}

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu …": the first word with a dot
 * between digits. */
bool machine_module_version(struct str *out, const char *root)
{
    struct str text = {0};
    bool found = false;
    if (read_below(&text, root, "/proc/driver/nvidia/version"))
        for (const char *p = strstr(text.at, "Module"); p && *p && *p != '\n' && !found;) {
            p += strspn(p, " ");
            size_t len = strcspn(p, " \n"), digits = strspn(p, "0123456789");
            found = digits && p[digits] == '.';
            if (found)
                str_addn(out, p, len);
            p += len;
        }
    str_fini(&text);
    return found;
}

static bool is_in_container(const char *root)
{
    return try_node(root, "/.dockerenv") != ENOENT ||
           try_node(root, "/run/.containerenv") != ENOENT;
}

static void tell_container(struct str *out, const char *root)
{
    if (is_in_container(root))
        str_add(out, "This is a container: start it with --gpus all, by NVIDIA's container "
                     "toolkit.\n");
}

/* A node that is there and may not be opened. */
static bool tell_permission(struct str *out, const char *root)
{
    static const char *const nodes[] = {"/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm",
                                        "/dev/dxg"};
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        int error = try_node(root, nodes[i]);
        if (error != EACCES && error != EPERM)
            continue;
        str_addf(out,
                 "%s may not be opened: %s. Its group must be yours (ls -l %s; sudo usermod -aG "
                 "GROUP $USER, then log in anew).\n",
                 nodes[i], strerror(error), nodes[i]);
        return true;
    }
    return false;
}

static bool tell_visibility(struct str *out)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (!visible)
        return false;
    str_addf(out, "CUDA_VISIBLE_DEVICES=%s decides which GPUs are seen: unset it to see all.\n",
             visible);
    return true;
}

static void tell_nodes(struct str *out, const char *root)
{
    struct str version = {0};
    bool is_loaded = machine_module_version(&version, root);
    if (is_loaded && try_node(root, "/dev/nvidiactl") == ENOENT)
        str_add(out, "The kernel module is loaded, but there is no /dev/nvidiactl: nvidia-modprobe "
                     "-c=0 -u makes it.\n");
    else if (!is_loaded && machine_has_gpu(root))
        str_add(out, "There is a GPU, but NVIDIA's kernel module is not loaded: sudo modprobe "
                     "nvidia, and dmesg says why it fails.\n");
    str_fini(&version);
}

void machine_explain_code(struct str *out, const char *root, int code)
{
    struct str version = {0};
    const char *cure = runcu_result_cure(code);
    bool is_told = tell_permission(out, root);
    if (code == CUDA_ERROR_NO_DEVICE)
        is_told |= tell_visibility(out);
    if (code == CUDA_ERROR_NO_DEVICE || code == CUDA_ERROR_UNKNOWN)
        tell_nodes(out, root);
    if (code == CUDA_ERROR_NO_DEVICE)
        tell_container(out, root);
    if (code == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH && machine_module_version(&version, root))
        str_addf(out, "The kernel module is of version %s.\n", version.at);
    if (cure && !is_told)
        str_addf(out, "%s\n", cure);
    str_fini(&version);
}

void machine_explain_missing(struct str *out, const char *root, const char *reason)
{
    bool is_absent = strstr(reason, "cannot open shared object file: No such file") != NULL;
    struct str version = {0};
    bool has_module = machine_module_version(&version, root);
    if (!is_absent)
        str_add(out,
                "The library is there and cannot be used: install the driver anew, or take the "
                "folder of a wrong libcuda.so.1 off LD_LIBRARY_PATH.\n");
    else if (has_module)
        str_addf(out,
                 "NVIDIA's kernel module %s is loaded, but its libcuda.so.1 is not on the loader's "
                 "path: install the library of that version (apt-get install libcuda1, or "
                 "libnvidia-compute-NNN), or name its folder in LD_LIBRARY_PATH.\n",
                 version.at);
    else if (machine_has_gpu(root))
        str_add(out, "There is a GPU, but no driver: install NVIDIA's, R525 or newer (apt-get "
                     "install nvidia-driver, or from nvidia.com/drivers).\n");
    else
        str_add(out, "No GPU of NVIDIA's is seen on this machine.\n");
    if (has_module || machine_has_gpu(root))
        tell_container(out, root);
    str_fini(&version);
}

void machine_explain_old(struct str *out, const char *root)
{
    struct str version = {0};
    if (machine_module_version(&version, root))
        str_addf(out, "The kernel module is of version %s. ", version.at);
    str_add(out, "Install a newer driver (apt-get install nvidia-driver, or from "
                 "nvidia.com/drivers); the CPU device works without one (RUNCU_DEVICE=cpu).\n");
    str_fini(&version);
}

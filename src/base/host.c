/* Reads what the kernel says of processors and memory, cgroups of both versions included. Nothing
 * is cached. */
#include "host.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char cgroups[] = "/sys/fs/cgroup";

/* The first line of a file; false if it cannot be read. */
static bool read_line(char *out, size_t size, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool ok = fgets(out, (int) size, f) != NULL;
    fclose(f);
    return ok;
}

/* A number that is the whole of a file; false for "max" and whatever else is none. */
static bool read_number(uint64_t *out, const char *folder, const char *name)
{
    char path[640], line[64], *end;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!read_line(line, sizeof line, path))
        return false;
    *out = strtoull(line, &end, 10);
    return end != line;
}

/* The folder of this process in the hierarchy of version 2. */
static void own_cgroup(char *out, size_t size)
{
    char line[400] = "";
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f) && strncmp(line, "0::", 3) != 0)
        line[0] = '\0';
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, size, "%s%s", cgroups, line[0] ? line + 3 : "");
}

/* From the folder to its parent; false at the top. */
static bool go_up(char *folder)
{
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t) (slash - folder) < sizeof cgroups - 1)
        return false;
    *slash = '\0';
    return true;
}

static double quota_here(const char *folder)
{
    char path[640], line[64];
    double quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_line(line, sizeof line, path) && sscanf(line, "%lf %lf", &quota, &period) == 2 &&
        period > 0)
        return quota / period;
    return 0;
}

/* Processors' worth of time the cgroup may use; 0: no limit. */
static double cgroup_cpus(void)
{
    char folder[512];
    double least = 0;
    own_cgroup(folder, sizeof folder);
    do {
        double q = quota_here(folder);
        if (q > 0 && (least <= 0 || q < least))
            least = q;
    } while (go_up(folder));
    uint64_t quota, period;
    if (least <= 0 && read_number(&quota, "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us") &&
        (int64_t) quota > 0 && read_number(&period, "/sys/fs/cgroup/cpu", "cpu.cfs_period_us") &&
        period)
        least = (double) quota / (double) period;
    return least;
}

unsigned host_cpus(void)
{
    cpu_set_t set;
    unsigned n = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (unsigned) MAX(CPU_COUNT(&set), 1);
    double limit = cgroup_cpus();
    if (limit > 0 && limit < n)
        n = MAX((unsigned) (limit + 0.999), 1);
    return n;
}

static uint64_t room_here(const char *folder, const char *limit_name, const char *used_name)
{
    uint64_t limit, used;
    if (!read_number(&limit, folder, limit_name) || !read_number(&used, folder, used_name))
        return UINT64_MAX;
    return limit > used ? limit - used : 0;
}

uint64_t host_free_memory(void)
{
    char line[256], folder[512];
    uint64_t least = UINT64_MAX, kib;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
            least = kib << 10;
    if (f)
        fclose(f);
    own_cgroup(folder, sizeof folder);
    do {
        least = MIN(least, room_here(folder, "memory.max", "memory.current"));
    } while (go_up(folder));
    return MIN(least, room_here("/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                "memory.usage_in_bytes"));
}

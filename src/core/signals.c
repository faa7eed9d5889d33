/* Keeps the compiler's hands off the process's signals. NVRTC installs handlers for SIGINT and
 * SIGTERM while it compiles (seen in 12.x and 13.0): Ctrl-C then ends the whole process with exit
 * status 4, or leaves it waiting for a lock that its own handler needs; and where two threads
 * compile, one may restore the other's handler for good. Its entries for signal and sigaction in
 * the table through which it calls other libraries are therefore pointed at functions that do
 * nothing (System V ABI, chapter 5: dynamic linking). */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/program.h"

typedef void handler_fn(int);

static handler_fn *no_signal(int number, handler_fn *handler)
{
    (void) number;
    (void) handler;
    return SIG_DFL;
}

static int no_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    (void) number;
    (void) action;
    if (old)
        memset(old, 0, sizeof *old);
    return 0;
}

static uintptr_t replacement(const char *name)
{
    if (strcmp(name, "signal") == 0)
        return (uintptr_t) no_signal;
    return strcmp(name, "sigaction") == 0 ? (uintptr_t) no_sigaction : 0;
}

struct tables {
    const ElfW(Rela) * calls;
    size_t calls_bytes;
    const ElfW(Rela) * others;
    size_t others_bytes;
    const ElfW(Sym) * symbols;
    const char *names;
};

static void read_dynamic(struct tables *t, const ElfW(Dyn) * d)
{
    bool has_addends = true;
    for (; d->d_tag != DT_NULL; d++) {
        const void *at = (const void *) d->d_un.d_ptr;
        if (d->d_tag == DT_JMPREL)
            t->calls = at;
        else if (d->d_tag == DT_PLTRELSZ)
            t->calls_bytes = d->d_un.d_val;
        else if (d->d_tag == DT_PLTREL)
            has_addends = d->d_un.d_val == DT_RELA;
        else if (d->d_tag == DT_RELA)
            t->others = at;
        else if (d->d_tag == DT_RELASZ)
            t->others_bytes = d->d_un.d_val;
        else if (d->d_tag == DT_SYMTAB)
            t->symbols = at;
        else if (d->d_tag == DT_STRTAB)
            t->names = at;
    }
    if (!has_addends)
        t->calls_bytes = 0;
}

/* The table may have been made read-only once it was filled in. */
static void store(uintptr_t *slot, uintptr_t value)
{
    uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE), start = (uintptr_t) slot & ~(page - 1);
    if (mprotect((void *) start, page, PROT_READ | PROT_WRITE) == 0)
        *slot = value;
}

static void replace_in(const ElfW(Rela) * rows, size_t bytes, const struct tables *t,
                       uintptr_t base)
{
    for (size_t i = 0; rows && i < bytes / sizeof *rows; i++) {
        size_t symbol = ELF64_R_SYM(rows[i].r_info);
        uintptr_t value = symbol ? replacement(t->names + t->symbols[symbol].st_name) : 0;
        if (value)
            store((uintptr_t *) (base + rows[i].r_offset), value);
    }
}

void nvrtc_keep_signals(const char *path)
{
    struct link_map *map = NULL;
    struct tables t = {0};
    void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    if (library && dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map) {
        read_dynamic(&t, map->l_ld);
        if (t.symbols && t.names) {
            replace_in(t.calls, t.calls_bytes, &t, map->l_addr);
            replace_in(t.others, t.others_bytes, &t, map->l_addr);
        }
    }
    if (library)
        dlclose(library);
}

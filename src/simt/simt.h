/* The door of the layer: a parsed PTX module becomes code, grids of it run on gangs of lanes.
 * No contexts, no streams, no queue of launches: whoever has a thread lends it to a grid
 * (simt_grid_work). */
#ifndef SIMT_SIMT_H
#define SIMT_SIMT_H

#include "base/str.h"
#include "ptx/ptx.h"

struct simt_space;
struct simt_module;
struct simt_kernel;
struct simt_grid;

/* ---- device memory: one space a context ----
 * Addresses are host addresses. Every access of a kernel is checked against the live ranges of its
 * space. Thread-safety: all functions safe against each other and against running grids. */

enum simt_range_kind {
    SIMT_RANGE_HEAP,     /* simt_space_alloc */
    SIMT_RANGE_HOST,     /* page-locked host memory */
    SIMT_RANGE_GLOBAL,   /* a module's variable */
    SIMT_RANGE_CONSTANT, /* likewise; always read-only */
    SIMT_RANGE_REGISTERED,
    SIMT_RANGE_MANAGED,
    SIMT_RANGE_MAPPED,   /* of a reserved range of addresses */
    SIMT_RANGE_IMPORTED, /* another process's */
    SIMT_RANGE_KINDS,
    SIMT_READ_ONLY = 0x80, /* added to one of them: kernels may not write it */
    SIMT_RANGE_CONST = SIMT_RANGE_CONSTANT | SIMT_READ_ONLY,
};

struct simt_range {
    uint64_t base;
    size_t size;
    uint8_t kind;     /* enum simt_range_kind */
    const char *name; /* of a module's variable; else NULL. Borrowed from the owner of the range */
    uint64_t serial;  /* counts allocations of the space from 1 */
    /* Called once nothing looks at the memory any more; NULL: nobody wants to know. It must not
     * call the space. */
    void (*gone)(void *owner);
    void *owner;
};

/* Memory is committed when it is first touched. Returns 0, or -1 when the system refuses the
 * reservation. */
int simt_space_create(struct simt_space **out);
void simt_space_destroy(struct simt_space **space);

/* Zero-cost reservation of `size` > 0 bytes, 512-byte aligned, contents unspecified (zero pages in
 * practice). Returns 0, or -1 when memory is short. Limits by total size are the caller's. */
int simt_space_alloc(struct simt_space *space, size_t size, uint64_t *out);
/* Makes simt_range.gone and .owner known of an allocation: gone is called once it has been freed
 * and nothing looks at it any more. */
void simt_space_own(struct simt_space *space, uint64_t base, void (*gone)(void *), void *owner);
/* Frees by base address: kernels find nothing there from now on; the memory itself is given back
 * once the grids have ended that run now. Returns -1 if `base` is no live heap range. */
int simt_space_free(struct simt_space *space, uint64_t base);
/* Makes memory that somebody else owns accessible to kernels, and ends that: range->gone is called
 * once the grids have ended that run then, or before unmap returns. -1: memory is short, another
 * range is in the way, or there is no such range. */
int simt_space_map(struct simt_space *space, const struct simt_range *range);
int simt_space_unmap(struct simt_space *space, uint64_t base);
/* Copies the live range that contains the address; false if none does. */
bool simt_space_find(struct simt_space *space, uint64_t address, struct simt_range *out);
/* Is [address, address + size) inside one live range, or mapped ones that follow one another? */
bool simt_space_holds(struct simt_space *space, uint64_t address, size_t size);

/* What another process needs to open an allocation (base/shm.h): this process's file descriptor,
 * where it lies in the file, and the token that it has until it is freed. */
struct simt_share {
    int fd;
    size_t size, offset, bytes;
    uint64_t token;
};
/* Moves an allocation's pages to a file that other processes can open, where they are not there
 * yet; those of small ones go with all that is near. The caller has made sure that nothing writes
 * to the space's memory unless it is shared already. -1: the system refuses, or there is no such
 * allocation. */
int simt_space_share(struct simt_space *space, uint64_t base, struct simt_share *out);
bool simt_space_is_shared(struct simt_space *space, uint64_t base);
/* Around a fork, of which the child gets a copy of what is shared too: false if it did not. The
 * space is locked meanwhile. */
void simt_space_before_fork(struct simt_space *space);
void simt_space_after_fork_in_parent(struct simt_space *space);
bool simt_space_after_fork_in_child(struct simt_space *space);

/* ---- code ---- */

/* Places the module's variables in `space` (zeroed or initialised, relocated). Does not lower any
 * kernel yet. Takes ownership of `ptx` on success. -1: `message` says why (memory, or a load-time
 * refusal in ptxas' words such as static shared memory over 48 KiB: "uses too much shared data (0x…
 * bytes, 0xc000 max)"). */
int simt_module_create(struct simt_module **out, struct ptx_module *ptx, struct simt_space *space,
                       struct str *message);
/* The caller has made sure that no grid of it runs. */
void simt_module_destroy(struct simt_module **m);
const struct ptx_module *simt_module_ptx(const struct simt_module *m);
/* Address and size of a module-scope .global or .const variable by its PTX name; false if there is
 * none (or memory is short). Thread-safety: safe. */
bool simt_module_global(struct simt_module *m, const char *name, uint64_t *address, size_t *size);

/* Can kernels call a function of that name though no text defines it (vprintf)? Thread-safety:
 * safe. */
bool simt_provides(const char *name);

/* Lowers the kernel (once; later calls return the same) and whatever it calls. -1: `message` says
 * why: no such name, or "kernel 'k' needs 'tex.2d.v4.f32.f32' (line 42 of its PTX), which the CPU
 * device cannot execute". Thread-safety: safe. */
int simt_kernel_get(struct simt_kernel **out, struct simt_module *m, const char *name,
                    struct str *message);

struct simt_kernel_info {
    const struct ptx_func *func;
    size_t static_shared;    /* bytes, without dynamic */
    size_t local_bytes;      /* a lane, this frame only */
    size_t const_bytes;      /* of the module */
    uint32_t slots_bytes;    /* register bytes a lane, after slot assignment */
    uint32_t declared_bytes; /* register bytes a lane, as PTX declares them */
    bool has_barrier, has_call;
};
void simt_kernel_info(const struct simt_kernel *k, struct simt_kernel_info *out);
/* One line an instruction: PTX line, operation, slots. For people who debug the lowering. */
void simt_kernel_dump(const struct simt_kernel *k, struct str *out);

/* Which build of the exec functions runs: "baseline", "x86-64-v3", "x86-64-v4", …: the best the
 * processor has, or what RUNCU_CPU_ISA names (an unknown or unsupported name: the best). */
const char *simt_isa(void);

/* ---- faults ---- */

struct simt_fault {
    int code;       /* CUresult: 700 illegal address, 716 misaligned, 715 illegal instruction,
                       710 assert, 719 trap, 702 timeout */
    bool has_place; /* block, thread and line are known */
    uint32_t block[3], thread[3];
    uint32_t ptx_line;
    char text[1024]; /* sentences for a person: kernel, block, thread, instruction, address and
                        width, nearest allocation, source line
                      * with the chain of inlined-at (PTX.md 2.9) */
};

/* ---- running ---- */

struct simt_hooks {
    /* Receives whole lines or fragments of device printf output, in order, after a block has
     * finished (or its buffer is full). Called from worker threads, one call at a time per grid. */
    void (*print)(void *user, const char *text, size_t len);
    void *user;
    uint64_t *clock_base; /* NULL */
};

/* What launches by kernels may be. */
struct simt_nested {
    size_t max_shared;    /* bytes a block, static and dynamic */
    uint32_t max_pending; /* launches of one grid; 0: 2048 */
    uint32_t depth;       /* 0: launched from the host */
};

struct simt_launch {
    const struct simt_kernel *kernel;
    uint32_t grid[3], block[3];
    size_t dynamic_shared;
    const void *params; /* the parameter buffer, copied */
    size_t param_size;  /* at most the kernel's; the rest is zero */
    bool cooperative;   /* all blocks resident at once, else 720 */
    size_t stack_size;  /* bytes of .local a lane over all frames; 0: 64 KiB */
    size_t malloc_heap; /* bytes of the device malloc heap of the space; 0: 8 MiB */
    uint64_t grid_id;
    struct simt_hooks hooks;
    struct simt_nested nested;
};

/* Copies everything it needs. -1: memory is short, or a cooperative grid cannot be resident (*code
 * is the CUresult). */
int simt_grid_create(struct simt_grid **out, const struct simt_launch *launch, int *code);
/* Nobody may be inside simt_grid_work. */
void simt_grid_destroy(struct simt_grid **g);

enum simt_progress {
    SIMT_DONE,  /* every block has finished or the grid has trapped or been cancelled, and nobody
                   else is still inside */
    SIMT_BUSY,  /* this thread found nothing to do: other threads still run the rest */
    SIMT_SLICE, /* the budget ran out: call again */
};
/* Lends the calling thread: runs blocks until none is left for it or about `budget_us` have passed
 * (0: until none is left). Blocks that wait for other blocks are suspended and resumed, so one
 * thread alone makes progress too. Any number of threads at once. */
enum simt_progress simt_grid_work(struct simt_grid *g, uint32_t budget_us);
/* Blocks that no thread has begun yet: how many more threads could be of use. */
uint64_t simt_grid_pending(const struct simt_grid *g);
bool simt_grid_done(const struct simt_grid *g);
/* Stops all blocks soon (milliseconds); the fault becomes 702 with `why`, unless there is one
 * already. */
void simt_grid_cancel(struct simt_grid *g, const char *why);
/* ---- what a kernel has launched ---- */

struct simt_child;

/* Takes what the grid's blocks have launched, in the order in which it is to run; the grid is done,
 * and may be destroyed then. -1: memory is short. */
int simt_grid_take_children(struct simt_child **out, struct simt_grid *g);
const struct simt_launch *simt_child_get(const struct simt_child *child);
struct simt_child **simt_child_next(struct simt_child *child); /* of the list */
void simt_child_destroy(struct simt_child *child);

/* NULL when all went well; valid once done, until the grid is destroyed. */
const struct simt_fault *simt_grid_fault(const struct simt_grid *g);

#endif

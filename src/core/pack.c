/* Arguments of a launch into the kernel's parameter buffer: one pass, in which each is checked
 * against the parameter it meets. The straight cases are decided at once; whatever else fits by
 * conversion, or does not fit and needs words, takes the longer way. */
#include "core.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "image.h"

/* Where an argument is going. */
struct slot {
    runcu_function *function;
    const runcu_param *param;
    const runcu_arg *arg;
    size_t index;
    char *at;
};

/* --- words --- */

static int refuse(const struct slot *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* "add(float *, int): parameter 1 (int): …" */
static int refuse_as(int status, const struct slot *s, const char *format, va_list args)
{
    struct str type = {0}, text = {0};
    if (s->param)
        core_param_text(&type, s->param);
    str_vaddf(&text, format, args);
    status =
        runcu_fail(status, "%s: parameter %zu%s%s%s: %s", s->function->signature, s->index,
                   type.len ? " (" : "", str_text(&type), type.len ? ")" : "", str_text(&text));
    str_fini(&type);
    str_fini(&text);
    return status;
}

static int refuse(const struct slot *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = refuse_as(RUNCU_ERROR_LAUNCH_ARGUMENT, s, format, args);
    va_end(args);
    return status;
}

static int refuse_freed(const struct slot *s, const char *format, ...) PRINTF_LIKE(2, 3);

static int refuse_freed(const struct slot *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = refuse_as(RUNCU_ERROR_FREED, s, format, args);
    va_end(args);
    return status;
}

static const char *given(int kind)
{
    static const char *const words[] = {
        [RUNCU_ARG_BOOL] = "a bool",
        [RUNCU_ARG_I8] = "an int8",
        [RUNCU_ARG_I16] = "an int16",
        [RUNCU_ARG_I32] = "an int32",
        [RUNCU_ARG_I64] = "an int64",
        [RUNCU_ARG_U8] = "a uint8",
        [RUNCU_ARG_U16] = "a uint16",
        [RUNCU_ARG_U32] = "a uint32",
        [RUNCU_ARG_U64] = "a uint64",
        [RUNCU_ARG_F32] = "a float32",
        [RUNCU_ARG_F64] = "a float64",
        [RUNCU_ARG_INT] = "an integer",
        [RUNCU_ARG_REAL] = "a real number",
        [RUNCU_ARG_MEM] = "device memory",
        [RUNCU_ARG_ADDRESS] = "a device address",
        [RUNCU_ARG_BYTES] = "a value of bytes",
        [RUNCU_ARG_HOST_IN] = "a host array (In)",
        [RUNCU_ARG_HOST_OUT] = "a host array (Out)",
        [RUNCU_ARG_HOST_INOUT] = "a host array (InOut)",
        [RUNCU_ARG_F16] = "a float16",
        [RUNCU_ARG_BF16] = "a bfloat16",
        [RUNCU_ARG_E4M3] = "a float8_e4m3fn",
        [RUNCU_ARG_E5M2] = "a float8_e5m2",
        [RUNCU_ARG_E8M0] = "a float8_e8m0fnu",
    };
    return kind > 0 && kind < (int) ARRAY_LEN(words) ? words[kind] : "an argument of unknown kind";
}

/* The general refusal: what was given and what is wanted. */
static int refuse_kind(const struct slot *s)
{
    const char *got = given(s->arg->kind);
    switch (s->param->kind) {
    case RUNCU_PARAM_POINTER:
        return refuse(s,
                      "%s was given where device memory, an address of 8 bytes, or a host array as "
                      "In, Out or "
                      "InOut is needed",
                      got);
    case RUNCU_PARAM_FLOAT:
        return refuse(s, "%s was given where a float%u is needed: convert it", got,
                      8 * s->param->size);
    case RUNCU_PARAM_STRUCT: {
        const struct core_small *small = core_small_of(s->param);
        if (small)
            return refuse(s, "%s was given where a %s is needed: convert it", got, small->dtype);
        return refuse(s, "%s was given where a struct of %u bytes is needed", got, s->param->size);
    }
    default:
        return refuse(s, "%s was given where an integer of %u bytes is needed", got,
                      s->param->size);
    }
}

/* --- addresses --- */

static bool knows(const struct core_driver *driver, uint64_t address)
{
    unsigned type;
    return driver->cu.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address) ==
           CUDA_SUCCESS;
}

/* A kernel on the CPU device reaches what was allocated there and nothing else, one on a GPU none
 * of that. The end of an allocation is an address of it, as in C. */
static int check_address(const struct slot *s, uint64_t address)
{
    const struct core_driver *driver = s->function->driver;
    const struct core_driver *cpu = atomic_load_explicit(&driver->cpu_device, memory_order_relaxed);
    if (!cpu || !address)
        return 0;
    if (cpu != driver)
        return knows(cpu, address)
                   ? refuse(s,
                            "0x%" PRIx64 " is memory of the CPU device, and the kernel is on %s: "
                            "allocate there, or give it host memory as In, Out or InOut",
                            address, s->function->context->device->name)
                   : 0;
    if (knows(cpu, address) || knows(cpu, address - 1))
        return 0;
    return refuse(s,
                  "0x%" PRIx64 " is in no live allocation of the CPU device, on which the kernel "
                  "is: give host memory as In, Out or InOut, or copy it there (to_gpu, to_device, "
                  "mem_alloc and a copy); memory of a GPU belongs to kernels on that GPU",
                  address);
}

static int store_address(const struct slot *s, uint64_t address)
{
    int status = check_address(s, address);
    if (!status)
        memcpy(s->at, &address, sizeof address);
    return status;
}

/* --- integers --- */

struct integer {
    uint64_t bits;
    bool is_negative;
    uint8_t width; /* bytes; 0: none of its own */
};

static bool get_integer(struct integer *out, const runcu_arg *a)
{
    static const uint8_t widths[] = {
        [RUNCU_ARG_BOOL] = 1, [RUNCU_ARG_I8] = 1,  [RUNCU_ARG_I16] = 2, [RUNCU_ARG_I32] = 4,
        [RUNCU_ARG_I64] = 8,  [RUNCU_ARG_U8] = 1,  [RUNCU_ARG_U16] = 2, [RUNCU_ARG_U32] = 4,
        [RUNCU_ARG_U64] = 8,  [RUNCU_ARG_INT] = 0,
    };
    bool is_signed =
        (a->kind >= RUNCU_ARG_I8 && a->kind <= RUNCU_ARG_I64) || a->kind == RUNCU_ARG_INT;
    bool is_unsigned = a->kind >= RUNCU_ARG_U8 && a->kind <= RUNCU_ARG_U64;
    if (!is_signed && !is_unsigned && a->kind != RUNCU_ARG_BOOL)
        return false;
    uint64_t bits = is_unsigned                 ? a->value.u
                    : a->kind == RUNCU_ARG_BOOL ? a->value.i != 0
                                                : (uint64_t) a->value.i;
    *out = (struct integer){bits, is_signed && a->value.i < 0, widths[a->kind]};
    return true;
}

/* What the parameter holds, from -2^low to 2^high - 1 (low -1: from 0). */
static void get_range(const runcu_param *p, int *low, int *high)
{
    int bits = (int) (8 * p->size);
    bool is_either = p->is_sign_unknown || p->kind == RUNCU_PARAM_UNKNOWN;
    *low = p->kind == RUNCU_PARAM_INT || is_either ? bits - 1 : -1;
    *high = p->kind == RUNCU_PARAM_INT && !is_either ? bits - 1 : bits;
    if (p->kind == RUNCU_PARAM_BOOL) {
        *low = -1;
        *high = 1;
    }
}

static bool in_range(const struct integer *v, int low, int high)
{
    if (v->is_negative)
        return low >= 0 && (low == 63 || (int64_t) v->bits >= -((int64_t) 1 << low));
    return high == 64 || v->bits >> high == 0;
}

static int refuse_range(const struct slot *s, const struct integer *v, int low, int high)
{
    uint64_t most = high == 64 ? UINT64_MAX : ((uint64_t) 1 << high) - 1;
    int64_t least = low < 0 ? 0 : low == 63 ? INT64_MIN : -((int64_t) 1 << low);
    if (v->is_negative)
        return refuse(s, "%" PRId64 " does not fit: %" PRId64 " to %" PRIu64 " does",
                      (int64_t) v->bits, least, most);
    return refuse(s, "%" PRIu64 " does not fit: %" PRId64 " to %" PRIu64 " does", v->bits, least,
                  most);
}

static double as_double(const struct integer *v)
{
    return v->is_negative ? (double) (int64_t) v->bits : (double) v->bits;
}

static int store_integer(const struct slot *s, const struct integer *v)
{
    const runcu_param *p = s->param;
    int low, high;
    get_range(p, &low, &high);
    bool same_width = v->width == p->size && p->kind != RUNCU_PARAM_BOOL; /* the bits as they are */
    if (!same_width && !in_range(v, low, high))
        return refuse_range(s, v, low, high);
    memcpy(s->at, &v->bits, p->size); /* little-endian, as every machine CUDA runs on */
    return 0;
}

static int store_small(const struct slot *s, const struct core_small *format, double value)
{
    uint16_t bits;
    if (!core_small_round(&bits, format, value))
        return refuse(s, "%g does not fit a %s", value, format->dtype);
    memcpy(s->at, &bits, format->size); /* little-endian, as every machine CUDA runs on */
    return 0;
}

static int store_real(const struct slot *s, double value)
{
    float narrow = (float) value;
    const struct core_small *small = s->param->size <= 2 ? core_small_of(s->param) : NULL;
    if (small)
        return store_small(s, small, value);
    if (s->param->kind == RUNCU_PARAM_STRUCT)
        return refuse_kind(s);
    if (s->param->size == 8) {
        memcpy(s->at, &value, sizeof value);
    } else if (s->param->size == 4) {
        if (isinf(narrow) && !isinf(value))
            return refuse(s, "%g does not fit a float32", value);
        memcpy(s->at, &narrow, sizeof narrow);
    } else {
        return refuse(s, "a number cannot be converted to this type: give its %u bytes",
                      s->param->size);
    }
    return 0;
}

static int pack_integer(const struct slot *s, const struct integer *v)
{
    const runcu_param *p = s->param;
    bool is_plain = s->arg->kind == RUNCU_ARG_INT || s->arg->kind == RUNCU_ARG_BOOL;
    switch (p->kind) {
    case RUNCU_PARAM_POINTER:
        if (v->width != 8 && s->arg->kind != RUNCU_ARG_INT)
            return refuse_kind(s);
        if (v->is_negative)
            return refuse(s, "%" PRId64 " is no address", (int64_t) v->bits);
        return store_address(s, v->bits);
    case RUNCU_PARAM_FLOAT:
    case RUNCU_PARAM_STRUCT:
        return is_plain ? store_real(s, as_double(v)) : refuse_kind(s);
    default:
        if (p->size > 8 || (p->size & (p->size - 1)))
            return refuse(s, "give its %u bytes", p->size);
        return store_integer(s, v);
    }
}

/* --- real numbers --- */

static int pack_real(const struct slot *s)
{
    double value = s->arg->value.d;
    const runcu_param *p = s->param;
    if (p->kind == RUNCU_PARAM_FLOAT || p->kind == RUNCU_PARAM_STRUCT ||
        (p->kind == RUNCU_PARAM_UNKNOWN && (p->size == 4 || p->size == 8)))
        return store_real(s, value);
    if (p->kind != RUNCU_PARAM_INT && p->kind != RUNCU_PARAM_UINT)
        return refuse_kind(s);
    if (value != floor(value) || !(value >= -0x1p63 && value < 0x1p64))
        return refuse(s, "%g is not an integer that fits", value);
    struct integer v = {value < 0 ? (uint64_t) (int64_t) value : (uint64_t) value, value < 0, 0};
    return store_integer(s, &v);
}

static int pack_float(const struct slot *s)
{
    uint32_t size = s->arg->kind == RUNCU_ARG_F32 ? 4 : 8;
    const runcu_param *p = s->param;
    if ((p->kind != RUNCU_PARAM_FLOAT && p->kind != RUNCU_PARAM_UNKNOWN) || p->size != size)
        return refuse_kind(s);
    memcpy(s->at, &s->arg->value, size);
    return 0;
}

/* --- memory --- */

static bool takes_address(const runcu_param *p)
{
    return p->kind == RUNCU_PARAM_POINTER ||
           (p->size == 8 && (p->kind == RUNCU_PARAM_INT || p->kind == RUNCU_PARAM_UINT ||
                             p->kind == RUNCU_PARAM_UNKNOWN));
}

static int doubt(const struct slot *s, bool is_strict, const char *format, ...) PRINTF_LIKE(3, 4);

/* What may be right and is probably not: an error under `strict`, else one warning per kernel and
 * parameter. */
static int doubt(const struct slot *s, bool is_strict, const char *format, ...)
{
    struct str text = {0};
    va_list args;
    int status = 0;
    uint64_t bit = (uint64_t) 1 << (s->index & 63);
    va_start(args, format);
    str_vaddf(&text, format, args);
    va_end(args);
    if (is_strict)
        status = refuse(s, "%s", str_text(&text));
    else if (!(atomic_fetch_or(&s->function->warned, bit) & bit))
        core_log(RUNCU_LOG_WARNING, "launch", "%s: parameter %zu (%s): %s", s->function->signature,
                 s->index, s->param->type, str_text(&text));
    str_fini(&text);
    return status;
}

/* An array of another element type than the pointer's, or one that must not be written. */
static int check_array(const struct slot *s, bool is_strict)
{
    char buffer[32];
    const runcu_arg *a = s->arg;
    const runcu_param *p = s->param;
    size_t size = a->kind == RUNCU_ARG_ADDRESS ? a->size : a->element_size;
    if (size && !core_element_fits(p, a->element, size))
        return doubt(s, is_strict, "an array of %s was given; its bytes are taken as they are",
                     core_element_name(buffer, sizeof buffer, a->element, size));
    bool may_write = p->kind == RUNCU_PARAM_POINTER && *p->type && !p->is_pointee_const;
    if (a->kind == RUNCU_ARG_ADDRESS && (a->flags & RUNCU_ARG_READ_ONLY) && may_write)
        return doubt(s, is_strict, "a read-only array was given, and the pointer is not to const");
    return 0;
}

static int pack_address(const struct slot *s, uint64_t address, bool is_strict)
{
    if (!takes_address(s->param))
        return refuse_kind(s);
    int status = s->arg->kind == RUNCU_ARG_ADDRESS ? check_array(s, is_strict) : 0;
    return status ? status : store_address(s, address);
}

static int pack_mem(const struct slot *s)
{
    const runcu_mem *mem = s->arg->value.mem;
    if (!mem)
        return refuse_freed(
            s, "the memory has been freed (its pointer is NULL); a null address is given as the "
               "address 0");
    if (atomic_load(&mem->context->is_dead))
        return refuse_freed(s, "the memory's context has been detached, and the memory with it");
    if (mem->context->driver != s->function->driver)
        return refuse(s, "the memory is on the device %s, the kernel on %s",
                      mem->context->device->name, s->function->context->device->name);
    return pack_address(s, mem->address, false);
}

/* Whether a parameter is bytes to us: a struct, or of an unknown type that may be one. */
static bool has_bytes(const runcu_param *p)
{
    return p->kind == RUNCU_PARAM_STRUCT || p->kind == RUNCU_PARAM_UNKNOWN ||
           (p->size <= 2 && !*p->type);
}

/* The bits of a float16 and the like, to parameters of that format or of one we do not know. */
static int pack_small(const struct slot *s)
{
    const runcu_param *p = s->param;
    const struct core_small *held = core_small_of_kind(s->arg->kind), *wanted = core_small_of(p);
    bool is_open = has_bytes(p) || (p->kind == RUNCU_PARAM_FLOAT && held->kind == RUNCU_ARG_F16);
    if (p->size != held->size || (wanted ? wanted != held : !is_open))
        return refuse_kind(s);
    memcpy(s->at, &s->arg->value.u, held->size);
    return 0;
}

static int pack_bytes(const struct slot *s)
{
    const runcu_param *p = s->param;
    const runcu_arg *a = s->arg;
    if (p->kind == RUNCU_PARAM_POINTER || p->is_maybe_pointer)
        return refuse(s, "host memory was given where a pointer to device memory is needed: wrap "
                         "it as In, Out or InOut (runcu_in, runcu_out, runcu_inout in C), or copy "
                         "it to the device first (to_gpu, mem_alloc and a copy)");
    if (!has_bytes(p))
        return refuse_kind(s);
    if (a->size != p->size)
        return refuse(
            s, "%zu bytes were given where %u are needed%s", a->size, p->size,
            p->kind == RUNCU_PARAM_STRUCT
                ? ": a struct's layout is that of C++, with padding between and after its "
                  "fields (NumPy: dtype(..., align=True))"
                : "");
    if (!a->value.p)
        return refuse(s, "the bytes' pointer is NULL");
    memcpy(s->at, a->value.p, p->size);
    return 0;
}

static int pack_host(const struct slot *s, bool is_strict)
{
    if (s->param->kind != RUNCU_PARAM_POINTER && !s->param->is_maybe_pointer &&
        !(s->param->kind == RUNCU_PARAM_UNKNOWN && s->param->size == 8))
        return refuse_kind(s);
    if (!s->arg->value.p && s->arg->size)
        return refuse(s, "the host array's pointer is NULL");
    memset(s->at, 0, 8); /* the launch puts the address there */
    return check_array(s, is_strict);
}

/* --- all --- */

static NO_INLINE int pack_one(const struct slot *s, struct core_packed *packed, bool is_strict)
{
    struct integer v;
    if (get_integer(&v, s->arg))
        return pack_integer(s, &v);
    switch (s->arg->kind) {
    case RUNCU_ARG_F32:
    case RUNCU_ARG_F64:
        return pack_float(s);
    case RUNCU_ARG_REAL:
        return pack_real(s);
    case RUNCU_ARG_MEM:
        return pack_mem(s);
    case RUNCU_ARG_ADDRESS:
        return pack_address(s, s->arg->value.u, is_strict);
    case RUNCU_ARG_BYTES:
        return pack_bytes(s);
    case RUNCU_ARG_HOST_IN:
    case RUNCU_ARG_HOST_OUT:
    case RUNCU_ARG_HOST_INOUT:
        packed->host_count++;
        return pack_host(s, is_strict);
    case RUNCU_ARG_F16:
    case RUNCU_ARG_BF16:
    case RUNCU_ARG_E4M3:
    case RUNCU_ARG_E5M2:
    case RUNCU_ARG_E8M0:
        return pack_small(s);
    default:
        return refuse(s, "an argument has the unknown kind %d", s->arg->kind);
    }
}

/* A number without a width where it fits as a matter of course. */
static ALWAYS_INLINE bool pack_plain_integer(char *at, const runcu_param *p, int64_t value)
{
    bool fits = p->size == 8 ? p->kind == RUNCU_PARAM_INT || value >= 0
                             : p->size == 4 && value >= 0 && value <= INT32_MAX;
    if (!fits)
        return false;
    memcpy(at, &value, 4);
    if (p->size == 8)
        memcpy(at, &value, 8);
    return true;
}

static ALWAYS_INLINE bool pack_plain_real(char *at, const runcu_param *p, double value)
{
    float narrow = (float) value;
    if (p->kind != RUNCU_PARAM_FLOAT || (p->size != 8 && (p->size != 4 || isinf(narrow))))
        return false;
    if (p->size == 8)
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &narrow, sizeof narrow);
    return true;
}

/* The cases that need neither conversion nor thought; false: pack_one decides. */
static ALWAYS_INLINE bool pack_straight(char *at, const runcu_param *p, const runcu_arg *a,
                                        const runcu_function *f)
{
    bool is_integer = p->kind == RUNCU_PARAM_INT || p->kind == RUNCU_PARAM_UINT;
    switch (a->kind) {
    case RUNCU_ARG_MEM:
        if ((p->kind != RUNCU_PARAM_POINTER && !p->is_maybe_pointer) || !a->value.mem ||
            a->value.mem->context->driver != f->driver ||
            atomic_load_explicit(&a->value.mem->context->is_dead, memory_order_relaxed))
            return false;
        memcpy(at, &a->value.mem->address, 8);
        return true;
    case RUNCU_ARG_ADDRESS:
        if (p->kind != RUNCU_PARAM_POINTER || a->flags ||
            (a->size && (a->size != p->pointee_size || a->element != p->pointee_kind)) ||
            atomic_load_explicit(&f->driver->cpu_device, memory_order_relaxed))
            return false;
        memcpy(at, &a->value.u, 8);
        return true;
    case RUNCU_ARG_I32:
    case RUNCU_ARG_U32:
        if (!is_integer || p->size != 4)
            return false;
        memcpy(at, &a->value, 4);
        return true;
    case RUNCU_ARG_I64:
    case RUNCU_ARG_U64:
        if (!is_integer || p->size != 8)
            return false;
        memcpy(at, &a->value, 8);
        return true;
    case RUNCU_ARG_F32:
        if (p->kind != RUNCU_PARAM_FLOAT || p->size != 4)
            return false;
        memcpy(at, &a->value.f, 4);
        return true;
    case RUNCU_ARG_F64:
        if (p->kind != RUNCU_PARAM_FLOAT || p->size != 8)
            return false;
        memcpy(at, &a->value.d, 8);
        return true;
    case RUNCU_ARG_INT:
        return is_integer && pack_plain_integer(at, p, a->value.i);
    case RUNCU_ARG_REAL:
        return pack_plain_real(at, p, a->value.d);
    default:
        return false;
    }
}

static int refuse_count(const runcu_function *f, size_t count)
{
    return runcu_fail(RUNCU_ERROR_LAUNCH_ARGUMENT, "%s takes %d argument%s, and %zu %s given",
                      f->signature, f->count, f->count == 1 ? "" : "s", count,
                      count == 1 ? "was" : "were");
}

/* Bytes an argument takes where the kernel does not tell; 0: it has no size of its own. */
size_t core_pack_size(const runcu_arg *a)
{
    struct integer v;
    if (get_integer(&v, a))
        return v.width;
    const struct core_small *small = core_small_of_kind(a->kind);
    if (a->kind == RUNCU_ARG_BYTES || small)
        return small ? small->size : a->size;
    return a->kind == RUNCU_ARG_REAL ? 0 : a->kind == RUNCU_ARG_F32 ? 4 : 8;
}

/* Structs, of which nothing more is known, are aligned by the largest power of two in their size,
 * up to 8. */
size_t core_pack_offset(size_t offset, const runcu_arg *a)
{
    size_t size = core_pack_size(a);
    size_t align = MIN(size & (~size + 1), 8);
    return align ? ALIGN_UP(offset, align) : offset;
}

/* Nothing is known of the parameters: each argument brings its own size, at its natural alignment.
 */
static int pack_unknown(struct core_packed *out, char *buffer, size_t room, runcu_function *f,
                        const struct core_args *args)
{
    memset(buffer, 0, room);
    for (size_t i = 0; i < args->count; i++) {
        size_t size = core_pack_size(&args->at[i]);
        runcu_param p = {.size = (uint32_t) size, .type = ""};
        struct slot s = {f, NULL, &args->at[i], i, NULL};
        if (!size)
            return refuse(&s, "nothing is known of this kernel's parameters (its image holds no "
                              "PTX): give a value that "
                              "has a width, such as an int32 or a float32");
        out->bytes = core_pack_offset(out->bytes, &args->at[i]);
        if (size > room || out->bytes > room - size)
            return refuse(&s, "the arguments take more than %zu bytes", room);
        s.at = buffer + out->bytes;
        s.param = &p;
        int status = pack_one(&s, out, args->is_strict);
        if (status)
            return status;
        out->bytes += p.size;
    }
    return 0;
}

HOT int core_pack(struct core_packed *out, void *buffer, size_t room, runcu_function *f,
                  const struct core_args *args)
{
    *out = (struct core_packed){0};
    if (f->count < 0)
        return pack_unknown(out, buffer, room, f, args);
    if (args->count != (size_t) f->count)
        return refuse_count(f, args->count);
    if (f->has_padding)
        memset(buffer, 0, f->bytes);
    for (size_t i = 0; i < args->count; i++) {
        const runcu_param *p = &f->params[i];
        char *at = (char *) buffer + p->offset;
        if (LIKELY(pack_straight(at, p, &args->at[i], f)))
            continue;
        struct slot s = {f, p, &args->at[i], i, at};
        int status = pack_one(&s, out, args->is_strict);
        if (status)
            return status;
    }
    out->bytes = f->bytes;
    return 0;
}

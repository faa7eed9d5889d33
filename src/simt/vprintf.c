/* printf of kernels: C's format language over arguments that stand one after another, naturally
 * aligned, in the lane's local memory. What CUDA leaves out (%n, more than 32 arguments) is printed
 * as it was written. Not here: where the text goes. */
#include "simt/vprintf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_ARGS = 32,
    MAX_WIDTH = 4096, /* of a field; a kernel's slip must not fill the memory */
    MAX_FORMAT = 64 << 10,
    MAX_STRING = 1 << 20,
};

struct reader {
    struct simt_space *space;
    uint64_t local;
    size_t local_size;
    uint64_t args; /* address of the next argument */
    int count;     /* arguments taken so far */
};

/* One conversion: %[flags][width][.precision][length]type. */
struct spec {
    char flags[8];
    int width, precision; /* -1: none */
    unsigned bytes;       /* of an integer argument as its length says: 1, 2, 4 or 8 */
    char type;
};

/* How many bytes from the address on may be read. */
static size_t readable(const struct reader *r, uint64_t address)
{
    struct simt_range range;
    if (address - r->local < r->local_size)
        return r->local_size - (address - r->local);
    if (simt_space_find(r->space, address, &range))
        return range.size - (address - range.base);
    return 0;
}

/* Other lanes and blocks may be writing there: the program's own race, not ours. */
NO_TSAN static void copy_out(void *to, uint64_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((volatile char *) to)[i] = ((const volatile char *) (uintptr_t) from)[i];
}

NO_TSAN static size_t text_length(uint64_t at, size_t max)
{
    size_t n = 0;
    while (n < max && ((const volatile char *) (uintptr_t) at)[n])
        n++;
    return n;
}

static uint64_t take(struct reader *r, unsigned size)
{
    uint64_t value = 0;
    uint64_t at = ALIGN_UP(r->args, size);
    if (readable(r, at) >= size)
        copy_out(&value, at, size);
    r->args = at + size;
    r->count++;
    return value;
}

/* ---- the format ---- */

static const char *parse_number(const char *p, int *out, struct reader *r)
{
    if (*p == '*') {
        int32_t n = (int32_t) take(r, 4);
        *out = MAX(-MAX_WIDTH, MIN(n, MAX_WIDTH));
        return p + 1;
    }
    int n = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        n = MIN(n * 10 + (*p - '0'), MAX_WIDTH);
    *out = n;
    return p;
}

static void add_flag(struct spec *s, char flag)
{
    size_t n = strlen(s->flags);
    if (!strchr(s->flags, flag) && n + 1 < sizeof s->flags)
        s->flags[n] = flag;
}

static const char *parse_length(const char *p, unsigned *bytes)
{
    *bytes = 4;
    if (p[0] == 'h') {
        *bytes = p[1] == 'h' ? 1 : 2;
        return p + (p[1] == 'h' ? 2 : 1);
    }
    while (*p && strchr("lLjzt", *p)) {
        *bytes = 8;
        p++;
    }
    return p;
}

/* `p` stands after the %. Returns the end of the conversion, its type included. */
static const char *parse_spec(const char *p, struct spec *s, struct reader *r)
{
    *s = (struct spec){.width = -1, .precision = -1};
    while (*p && strchr("-+ #0", *p))
        add_flag(s, *p++);
    if (*p == '*' || (*p >= '1' && *p <= '9'))
        p = parse_number(p, &s->width, r);
    if (s->width < -1) {
        add_flag(s, '-');
        s->width = -s->width;
    }
    if (*p == '.')
        p = parse_number(p + 1, &s->precision, r);
    p = parse_length(p, &s->bytes);
    s->type = *p;
    return *p ? p + 1 : p;
}

/* "%-8.3ll" and the type, for the C library. */
static void spell(char *out, size_t size, const struct spec *s, const char *length)
{
    char width[16] = "", precision[16] = "";
    if (s->width >= 0)
        snprintf(width, sizeof width, "%d", s->width);
    if (s->precision >= 0)
        snprintf(precision, sizeof precision, ".%d", s->precision);
    snprintf(out, size, "%%%s%s%s%s%c", s->flags, width, precision, length, s->type);
}

static void add_signed(struct str *out, const struct spec *s, uint64_t value)
{
    char format[64];
    long long n = (long long) value;
    if (s->bytes < 8)
        n = s->bytes == 4 ? (int32_t) value : s->bytes == 2 ? (int16_t) value : (int8_t) value;
    spell(format, sizeof format, s, "ll");
    str_addf(out, format, n);
}

static void add_unsigned(struct str *out, const struct spec *s, uint64_t value)
{
    char format[64];
    if (s->bytes < 8)
        value &= (UINT64_C(1) << (8 * s->bytes)) - 1;
    spell(format, sizeof format, s, "ll");
    str_addf(out, format, (unsigned long long) value);
}

static void add_float(struct str *out, const struct spec *s, uint64_t bits)
{
    char format[64];
    double value;
    memcpy(&value, &bits, sizeof value);
    spell(format, sizeof format, s, "");
    str_addf(out, format, value);
}

static void pad(struct str *out, const struct spec *s, size_t len)
{
    for (size_t n = len; s->width > 0 && n < (size_t) s->width; n++)
        str_addc(out, ' ');
}

static void add_string(struct str *out, const struct spec *s, struct reader *r, uint64_t at)
{
    static const char null_text[] = "(null)";
    size_t len = at ? readable(r, at) : sizeof null_text - 1;
    if (!len) {
        str_addf(out, "(unreadable address 0x%" PRIx64 ")", at);
        return;
    }
    len = MIN(len, (size_t) (s->precision >= 0 ? s->precision : MAX_STRING));
    if (at)
        len = text_length(at, len);
    bool left = strchr(s->flags, '-') != NULL;
    if (!left)
        pad(out, s, len);
    for (size_t i = 0; i < len; i++) {
        char c = null_text[MIN(i, sizeof null_text - 1)];
        if (at)
            copy_out(&c, at + i, 1);
        str_addc(out, c);
    }
    if (left)
        pad(out, s, len);
}

static void add_char(struct str *out, const struct spec *s, char c)
{
    bool left = strchr(s->flags, '-') != NULL;
    if (!left)
        pad(out, s, 1);
    str_addc(out, c);
    if (left)
        pad(out, s, 1);
}

/* One conversion at `p`, after its %. Returns where the text goes on. */
static const char *convert(struct str *out, const char *p, struct reader *r)
{
    struct spec s;
    struct reader before = *r;
    const char *end = parse_spec(p, &s, r);
    bool known = s.type && strchr("diouxXcspfFeEgGaA", s.type);
    if (s.type == '%') {
        str_addc(out, '%');
        return end;
    }
    if (!known || before.count >= MAX_ARGS) {
        *r = before;
        str_addc(out, '%');
        str_addn(out, p, (size_t) (end - p));
        return end;
    }
    bool small = strchr("diouxXc", s.type) && s.bytes < 8;
    uint64_t value = take(r, small ? 4 : 8);
    switch (s.type) {
    case 'd':
    case 'i':
        add_signed(out, &s, value);
        break;
    case 'c':
        add_char(out, &s, (char) value);
        break;
    case 's':
        add_string(out, &s, r, value);
        break;
    case 'p':
        str_addf(out, s.flags[0] == '-' ? "%-*p" : "%*p", MAX(s.width, 0),
                 (void *) (uintptr_t) value);
        break;
    case 'o':
    case 'u':
    case 'x':
    case 'X':
        add_unsigned(out, &s, value);
        break;
    default:
        add_float(out, &s, value);
    }
    return end;
}

/* Copies the format out of device memory, where it may change under us. NULL: unreadable, or memory
 * is short. */
static char *read_format(const struct reader *r, uint64_t format, struct str *copy)
{
    size_t len = format ? MIN(readable(r, format), (size_t) MAX_FORMAT) : 0;
    if (!len)
        return NULL;
    len = text_length(format, len);
    for (size_t i = 0; i < len; i++) {
        char c;
        copy_out(&c, format + i, 1);
        str_addc(copy, c);
    }
    str_addc(copy, '\0');
    return copy->failed ? NULL : copy->at;
}

int simt_vprintf(struct str *out, struct simt_space *space, uint64_t format, uint64_t args,
                 uint64_t local, size_t local_size)
{
    struct reader r = {.space = space, .local = local, .local_size = local_size, .args = args};
    struct str copy = {0};
    const char *p = read_format(&r, format, &copy);
    int result = p ? 0 : -1;
    while (p && *p) {
        const char *percent = strchr(p, '%');
        if (!percent) {
            str_add(out, p);
            break;
        }
        str_addn(out, p, (size_t) (percent - p));
        p = convert(out, percent + 1, &r);
    }
    str_fini(&copy);
    return result ? result : r.count;
}

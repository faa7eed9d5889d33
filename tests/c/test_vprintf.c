/* printf of kernels: every conversion against the C library's own, what CUDA leaves out, and
 * arguments that cannot be read. */
#include <math.h>

#include "base/alloc.h"
#include "simt/simt.h"
#include "simt/vprintf.h"
#include "test.h"

/* The lane's memory with packed arguments, and a format in device memory. */
struct call {
    struct simt_space *space;
    uint64_t format;
    _Alignas(8) unsigned char args[400];
    size_t used;
    struct str out;
    int result;
};

static void begin(struct call *c, const char *format)
{
    memset(c, 0, sizeof *c);
    REQUIRE(simt_space_create(&c->space) == 0);
    REQUIRE(simt_space_alloc(c->space, strlen(format) + 1, &c->format) == 0);
    memcpy((void *) (uintptr_t) c->format, format, strlen(format) + 1);
}

static void put(struct call *c, const void *value, size_t size)
{
    c->used = (c->used + size - 1) / size * size;
    REQUIRE(c->used + size <= sizeof c->args);
    memcpy(c->args + c->used, value, size);
    c->used += size;
}

static void put_int(struct call *c, int v)
{
    put(c, &v, sizeof v);
}

static void put_long(struct call *c, long long v)
{
    put(c, &v, sizeof v);
}

static void put_double(struct call *c, double v)
{
    put(c, &v, sizeof v);
}

static const char *run(struct call *c)
{
    uint64_t args = (uintptr_t) c->args;
    str_clear(&c->out);
    c->result = simt_vprintf(&c->out, c->space, c->format, args, args, c->used);
    return str_text(&c->out);
}

static void end(struct call *c)
{
    str_fini(&c->out);
    simt_space_destroy(&c->space);
}

static void integers_as_the_c_library(void)
{
    static const char *const formats[] = {"%d",   "%i",    "%5d|", "%-5d|", "%05d",  "%+d", "% d",
                                          "%.3d", "%o",    "%#o",  "%u",    "%x",    "%X",  "%#x",
                                          "%8x",  "%-8X|", "%c",   "%3c|",  "%-3c|", "%.0d"};
    static const int values[] = {0, 1, 65, -1, 12345, -2147483647 - 1, 2147483647};
    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        for (size_t v = 0; v < ARRAY_LEN(values); v++) {
            char expected[100];
            struct call c;
            if (strchr(formats[f], 'c') && values[v] != 65)
                continue;
            snprintf(expected, sizeof expected, formats[f], values[v]);
            begin(&c, formats[f]);
            put_int(&c, values[v]);
            REQUIRE_STR(run(&c), expected);
            REQUIRE_INT(c.result, ==, 1);
            end(&c);
        }
    }
}

static void lengths_choose_the_width(void)
{
    struct call c;
    begin(&c, "%hhd %hd %d %ld %lld %hhu %hu %zu %llx");
    put_int(&c, 300);
    put_int(&c, 70000);
    put_int(&c, -7);
    put_long(&c, -5000000000);
    put_long(&c, 5000000000);
    put_int(&c, -1);
    put_int(&c, -1);
    put_long(&c, 99999999999);
    put_long(&c, -1);
    REQUIRE_STR(run(&c),
                "44 4464 -7 -5000000000 5000000000 255 65535 99999999999 ffffffffffffffff");
    REQUIRE_INT(c.result, ==, 9);
    end(&c);
}

static void floats_as_the_c_library(void)
{
    static const char *const formats[] = {"%f", "%.2f", "%10.3f|", "%-10.1f|", "%e",  "%E", "%g",
                                          "%G", "%a",   "%+.1e",   "%010.2f",  "%#g", "%F", "%.0f"};
    static const double values[] = {0,        -0.0,      1,  0.25, -1e300, 1e-5, 3.14159265358979,
                                    INFINITY, -INFINITY, NAN};
    for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
        for (size_t v = 0; v < ARRAY_LEN(values); v++) {
            char expected[500];
            struct call c;
            snprintf(expected, sizeof expected, formats[f], values[v]);
            begin(&c, formats[f]);
            put_double(&c, values[v]);
            REQUIRE_STR(run(&c), expected);
            end(&c);
        }
    }
}

static void widths_from_arguments(void)
{
    struct call c;
    begin(&c, "[%*d] [%-*d] [%.*f] [%*.*f]");
    put_int(&c, 5);
    put_int(&c, 42);
    put_int(&c, 5);
    put_int(&c, 42);
    put_int(&c, 2);
    put_double(&c, 1.5);
    put_int(&c, -8);
    put_int(&c, 1);
    put_double(&c, 2.25);
    REQUIRE_STR(run(&c), "[   42] [42   ] [1.50] [2.2     ]");
    REQUIRE_INT(c.result, ==, 9);
    end(&c);
}

static void strings_from_device_memory(void)
{
    struct call c;
    uint64_t word, bare;
    begin(&c, "<%s> <%6s> <%-6s> <%.2s> <%s> <%s> <%s>");
    REQUIRE(simt_space_alloc(c.space, 5, &word) == 0);
    memcpy((void *) (uintptr_t) word, "said", 5);
    REQUIRE(simt_space_alloc(c.space, 3, &bare) == 0);
    memcpy((void *) (uintptr_t) bare, "abc", 3); /* no NUL before the end of the allocation */
    for (int i = 0; i < 4; i++)
        put_long(&c, (long long) word);
    put_long(&c, (long long) bare);
    put_long(&c, 0);
    put_long(&c, 4096);
    REQUIRE_STR(run(&c),
                "<said> <  said> <said  > <sa> <abc> <(null)> <(unreadable address 0x1000)>");
    end(&c);
}

static void pointers_and_percent(void)
{
    struct call c;
    begin(&c, "%p 100%% %p");
    put_long(&c, 0x1234abcd);
    put_long(&c, 0x7f0000000010);
    REQUIRE_STR(run(&c), "0x1234abcd 100% 0x7f0000000010");
    REQUIRE_INT(c.result, ==, 2);
    end(&c);
}

static void what_cuda_leaves_out_is_printed_as_written(void)
{
    struct call c;
    begin(&c, "%n %k %5y %d %");
    put_int(&c, 3);
    REQUIRE_STR(run(&c), "%n %k %5y 3 %");
    REQUIRE_INT(c.result, ==, 1);
    end(&c);
}

static void at_most_32_arguments(void)
{
    char format[200] = "", expected[200] = "";
    struct call c;
    for (int i = 0; i < 34; i++) {
        strcat(format, "%d ");
        snprintf(expected + strlen(expected), 20, i < 32 ? "%d " : "%%d ", i);
    }
    begin(&c, format);
    for (int i = 0; i < 34; i++)
        put_int(&c, i);
    REQUIRE_STR(run(&c), expected);
    REQUIRE_INT(c.result, ==, 32);
    end(&c);
}

static void nothing_is_read_that_may_not_be(void)
{
    struct call c;
    begin(&c, "%d %lld %s");
    put_int(&c, 7);
    REQUIRE_STR(run(&c), "7 0 (null)");
    str_clear(&c.out);
    REQUIRE_INT(simt_vprintf(&c.out, c.space, 0, 0, 0, 0), ==, -1);
    REQUIRE_INT(simt_vprintf(&c.out, c.space, 4096, 0, 0, 0), ==, -1);
    REQUIRE_STR(str_text(&c.out), "");
    REQUIRE_INT(simt_vprintf(&c.out, c.space, c.format, 0, 0, 0), ==, 3);
    end(&c);
    begin(&c, "%999999999d %.999999999d");
    put_int(&c, 1);
    put_int(&c, 1);
    REQUIRE(strlen(run(&c)) < 20000);
    end(&c);
}

int main(void)
{
    RUN(integers_as_the_c_library);
    RUN(lengths_choose_the_width);
    RUN(floats_as_the_c_library);
    RUN(widths_from_arguments);
    RUN(strings_from_device_memory);
    RUN(pointers_and_percent);
    RUN(what_cuda_leaves_out_is_printed_as_written);
    RUN(at_most_32_arguments);
    RUN(nothing_is_read_that_may_not_be);
    return 0;
}

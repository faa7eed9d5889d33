/* Hostile PTX: whatever the text, ptx_parse returns, and what it accepts prints to text that parses
 * to the same print. With libFuzzer (-Dfuzz=true) an endless target; with FUZZ_MAIN a program that
 * runs the files it is given, once each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/ptx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const char *text)
{
    fprintf(stderr, "fuzz_ptx: %s\n%s\n", what, text);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ptx_module *m, *again;
    struct ptx_diag diag;
    struct str first = {0}, second = {0};
    if (ptx_parse(&m, (const char *) data, size, &diag)) {
        if (m || !diag.message[0] || strlen(diag.message) >= sizeof diag.message)
            fail("a failure without a message", "");
        return 0;
    }
    ptx_print(&first, m);
    ptx_destroy(&m);
    if (ptx_parse(&again, str_text(&first), first.len, &diag))
        fail(diag.message, str_text(&first));
    ptx_print(&second, again);
    ptx_destroy(&again);
    if (strcmp(str_text(&first), str_text(&second)) != 0)
        fail("the second print differs from the first", str_text(&second));
    str_fini(&first);
    str_fini(&second);
    return 0;
}

#ifdef FUZZ_MAIN
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        struct str text = {0};
        char buffer[4096];
        for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;)
            str_addn(&text, buffer, n);
        fclose(f);
        LLVMFuzzerTestOneInput((const uint8_t *) str_text(&text), text.len);
        str_fini(&text);
    }
    return 0;
}
#endif

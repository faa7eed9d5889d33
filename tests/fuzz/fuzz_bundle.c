/* Hostile bundles: whatever follows a header that is right, runcu_bundle_parse returns, and what it
 * takes for good has texts that end and parts that can be looked at. With libFuzzer (-Dfuzz=true)
 * an endless target; with FUZZ_MAIN a program that alters a sound bundle in 100 000 ways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bundle.h"

enum { HEADER = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t accepted;

static void touch(const char *what, const char *text, size_t len)
{
    if (text && strlen(text) != len) {
        fprintf(stderr, "fuzz_bundle: %s does not end where it says\n", what);
        abort();
    }
}

static void look_at(const runcu_bundle_part *p)
{
    volatile uint64_t sum = hash_bytes(p->cubin ? p->cubin : "", p->cubin_bytes);
    touch("PTX", p->ptx, p->ptx_bytes);
    sum += strlen(p->arch) + strlen(p->options);
    for (size_t i = 0; i < p->kernel_count; i++)
        sum += strlen(p->kernels[i].name) + strlen(p->kernels[i].symbol) +
               strlen(p->kernels[i].signature);
    for (size_t i = 0; i < p->name_count; i++)
        sum += strlen(p->names[i].expression) + strlen(p->names[i].symbol);
}

/* `data` is what follows the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {0};
    runcu_bundle *b;
    uint64_t numbers[3] = {1, size, hash_bytes(data, size)};
    str_addn(&bytes, "runcu-b\n", 8);
    str_addn(&bytes, (const char *) numbers, sizeof numbers);
    str_addn(&bytes, (const char *) data, size);
    if (runcu_bundle_parse(&b, bytes.at, bytes.len) == 0) {
        bool is_ptx;
        size_t count;
        const runcu_bundle_part *parts = runcu_bundle_parts(b, &count);
        accepted++;
        for (size_t i = 0; i < count; i++)
            look_at(&parts[i]);
        for (int number = 50; number < 130; number += 10)
            core_bundle_fit(&is_ptx, b, number, number % 20 == 0);
    }
    runcu_bundle_destroy(&b);
    str_fini(&bytes);
    return 0;
}

#ifdef FUZZ_MAIN
/* Steele, Lea, Flood: SplitMix64. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static runcu_bundle *make_bundle(void)
{
    static const char ptx[] = ".version 8.0\n.target sm_80\n.visible .entry _Z3addPfi(\n"
                              ".param .u64 a, .param .u32 b)\n{ ret; }\n";
    static const struct core_named named[] = {{"add<int>", "_Z3addPfi"}};
    static char elf[128] = "\177ELF\2\1";
    runcu_program a = {.arch = "sm_80", .options = "-a\n", .ptx = ptx, .ptx_size = sizeof ptx - 1};
    runcu_program b = {.arch = "sm_90a", .options = "", .cubin = elf, .cubin_size = sizeof elf};
    const runcu_program *programs[] = {&a, &b};
    runcu_bundle *out;
    a.named = named;
    a.named_count = 1;
    if (runcu_bundle_create(&out, programs, 2))
        abort();
    return out;
}

int main(void)
{
    struct str altered = {0};
    uint64_t state = 1;
    runcu_bundle *sound = make_bundle();
    for (int i = 0; i < 100000; i++) {
        str_clear(&altered);
        str_addn(&altered, sound->bytes.at + HEADER, sound->bytes.len - HEADER);
        for (uint64_t n = next(&state) % 4; n-- > 0;) {
            uint64_t r = next(&state);
            size_t at = (size_t) (r >> 32) % altered.len;
            static const uint8_t values[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};
            altered.at[at] = r & 1 ? (char) (r >> 8) : (char) values[(r >> 8) % sizeof values];
        }
        size_t len = next(&state) % 8 ? altered.len : (size_t) next(&state) % (altered.len + 1);
        LLVMFuzzerTestOneInput((const uint8_t *) altered.at, len);
    }
    str_fini(&altered);
    runcu_bundle_destroy(&sound);
    printf("%zu were taken for good\n", accepted);
    return accepted < 10000 || accepted > 90000;
}
#endif

/* The bytes of a cache file, and what they come to. An entry is a row of parts, one for each
 * architecture that its source was compiled for. A part is believed only if its checksum holds, its
 * key is the one asked for and everything it depends on is as it was. Where the file lies is not
 * known here.
 *
 *   A part: magic, checksum of what follows, its own length, key, architecture, flags; then
 * (wire.h) one item of what it depends on; architecture, options, log, PTX, cubin, code for
 * link-time optimisation; number of name expressions, for each its text and symbol. What it depends
 * on: the places where headers were sought, NULL if they do not matter; number of files, for each
 * path, size, time, digest; number of absent files, for each its path. The key holds the machine's
 * kind. */
#include "core/entry.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/wire.h"

static const char magic[8] = "runcu\n4";

/* As it lies in the file. */
struct head {
    char magic[8];
    uint64_t sum, length;
    uint8_t key[SHA256_SIZE];
    struct variant variant;
};

enum {
    SUMMED_AT = offsetof(struct head, length),
    FILE_LIMIT = 64 << 20,
    PART_LIMIT = 32, /* architectures in an entry: the oldest part goes */
};

/* A file changed less than this before it was read may change again without showing it. */
static const int64_t settled = 2000000000;
static const int64_t never = -1;

/* --- writing ------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void put_files(struct str *out, const struct scan *scan)
{
    int64_t limit = now_ns() - settled;
    wire_put_number(out, scan->files.len);
    for (size_t i = 0; i < scan->files.len; i++) {
        const struct scan_file *file = &scan->files.at[i];
        wire_put_text(out, file->path);
        wire_put_number(out, file->size);
        wire_put_number(out, (uint64_t) (file->mtime < limit ? file->mtime : never));
        wire_put_item(out, file->digest, sizeof file->digest);
    }
}

/* Places that were empty when the scan looked; what has come there since would be found the next
 * time. */
static void put_absent(struct str *out, const struct scan *scan)
{
    wire_put_number(out, scan->absent.len);
    for (size_t i = 0; i < scan->absent.len; i++)
        wire_put_text(out, scan->absent.at[i]);
}

void program_put(struct str *out, const runcu_program *program)
{
    wire_put_text(out, program->arch);
    wire_put_text(out, program->options);
    wire_put_text(out, program->log);
    wire_put_text(out, program->ptx);
    wire_put_item(out, program->cubin, program->cubin_size);
    wire_put_item(out, program->ltoir, program->ltoir_size);
    wire_put_number(out, program->named_count);
    for (size_t i = 0; i < program->named_count; i++) {
        wire_put_text(out, program->named[i].expression);
        wire_put_text(out, program->named[i].symbol);
    }
}

bool depends_write(struct str *out, const struct request *r)
{
    struct str places = {0};
    if (r->uses_places)
        nvrtc_add_places(&places);
    wire_put_text(out, r->uses_places ? str_text(&places) : NULL);
    put_files(out, &r->scan);
    put_absent(out, &r->scan);
    bool ok = !places.failed && !out->failed;
    str_fini(&places);
    return ok;
}

bool entry_write(struct str *out, const runcu_program *program, const struct request *r)
{
    size_t start = out->len;
    struct head head = {.variant = r->variant};
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.key, r->key, sizeof head.key);
    str_addn(out, (const char *) &head, sizeof head);
    wire_put_item(out, program->depends, program->depends_len);
    program_put(out, program);
    if (out->failed)
        return false;
    head.length = out->len - start;
    memcpy(out->at + start, &head, sizeof head);
    head.sum = hash_bytes(out->at + start + SUMMED_AT, head.length - SUMMED_AT);
    memcpy(out->at + start, &head, sizeof head);
    return true;
}

/* --- parts --------------------------------------------------------------- */

/* The part at *at, which moves on to the next one. False at the end; entry_is_whole tells whether
 * that is the end of the bytes. */
static bool next_part(struct entry_part *out, const char *bytes, size_t len, size_t *at)
{
    struct head head;
    if (len - *at < sizeof head)
        return false;
    memcpy(&head, bytes + *at, sizeof head);
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.length < sizeof head ||
        head.length % 8 || head.length > len - *at)
        return false;
    *out = (struct entry_part){bytes + *at, (size_t) head.length, {0}, head.variant};
    memcpy(out->key, head.key, sizeof head.key);
    *at += (size_t) head.length;
    return true;
}

static bool is_sound(const struct entry_part *part)
{
    struct head head;
    memcpy(&head, part->at, sizeof head);
    return head.sum == hash_bytes(part->at + SUMMED_AT, part->len - SUMMED_AT) &&
           memchr(head.variant.arch, 0, sizeof head.variant.arch);
}

size_t entry_check(const char *bytes, size_t len, const uint8_t key[SHA256_SIZE])
{
    struct entry_part part;
    size_t at = 0, count = 0;
    while (next_part(&part, bytes, len, &at)) {
        if (!is_sound(&part) || memcmp(part.key, key, SHA256_SIZE) != 0)
            return 0;
        count++;
    }
    return at == len ? count : 0;
}

static bool is_same_variant(const struct variant *a, const struct variant *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The part of an entry for a key and variant, sound. */
static bool find_part(struct entry_part *out, const struct str *bytes, const struct request *r)
{
    struct entry_part part;
    size_t at = 0;
    bool found = false;
    while (next_part(&part, str_text(bytes), bytes->len, &at))
        if (is_same_variant(&part.variant, &r->variant)) {
            *out = part;
            found = true;
        }
    return found && at == bytes->len && memcmp(out->key, r->key, SHA256_SIZE) == 0 && is_sound(out);
}

/* Is a part for that architecture among the bytes? */
static bool has_part(const struct str *bytes, const struct variant *variant)
{
    struct entry_part part;
    size_t at = 0;
    while (next_part(&part, str_text(bytes), bytes->len, &at))
        if (is_same_variant(&part.variant, variant))
            return true;
    return false;
}

static size_t count_parts(const struct str *bytes)
{
    struct entry_part part;
    size_t at = 0, count = 0;
    while (next_part(&part, str_text(bytes), bytes->len, &at))
        count++;
    return count;
}

void entry_merge(struct str *out, const struct str *old, const struct str *newer,
                 const uint8_t key[SHA256_SIZE])
{
    struct entry_part part;
    size_t at = 0, count = count_parts(old) + count_parts(newer);
    while (next_part(&part, str_text(old), old->len, &at)) {
        if (has_part(newer, &part.variant) || memcmp(part.key, key, SHA256_SIZE) != 0 ||
            !is_sound(&part) || count > PART_LIMIT)
            count--;
        else
            str_addn(out, part.at, part.len);
    }
    str_addn(out, newer->at, newer->len);
}

/* --- what a part comes to ------------------------------------------------ */

static bool is_same_content(const char *path, const char *digest)
{
    struct str text = {0};
    struct sha256 hash;
    uint8_t found[SHA256_SIZE];
    bool ok = fs_read(&text, path, FILE_LIMIT) == 0;
    sha256_init(&hash);
    sha256_add(&hash, str_text(&text), text.len);
    sha256_end(&hash, found);
    str_fini(&text);
    return ok && memcmp(found, digest, sizeof found) == 0;
}

static bool check_file(struct wire *c)
{
    size_t len;
    struct fs_info info;
    const char *path = wire_text(c, &len);
    uint64_t size = wire_number(c);
    int64_t mtime = (int64_t) wire_number(c);
    const char *digest = wire_item(c, &len);
    if (c->bad || !path || len != SHA256_SIZE)
        return false;
    if (fs_stat(&info, path) != 0 || info.is_folder || info.size != size)
        return false;
    return info.mtime == mtime || is_same_content(path, digest);
}

static bool check_absent(struct wire *c)
{
    size_t len;
    struct fs_info info;
    const char *path = wire_text(c, &len);
    return path && fs_stat(&info, path) != 0;
}

static bool check_places(const char *places)
{
    struct str now = {0};
    if (!places)
        return true;
    nvrtc_add_places(&now);
    bool same = !now.failed && strcmp(places, str_text(&now)) == 0;
    str_fini(&now);
    return same;
}

bool depends_hold(const char *depends, size_t len)
{
    struct wire w = {.at = depends, .end = depends + len};
    bool ok = check_places(wire_text(&w, NULL));
    for (uint64_t n = ok ? wire_number(&w) : 0; ok && n > 0; n--)
        ok = check_file(&w);
    for (uint64_t n = ok ? wire_number(&w) : 0; ok && n > 0; n--)
        ok = check_absent(&w);
    return ok && !w.bad && w.at == w.end;
}

/* The list of names lies in the arena. */
static bool get_names(runcu_program *found, struct wire *w, struct arena *arena)
{
    size_t count = wire_count(w);
    struct core_named *named = arena_alloc(arena, count * sizeof *named + 1);
    bool ok = named && !w->bad;
    for (size_t i = 0; ok && i < count; i++) {
        named[i].expression = wire_text(w, NULL);
        named[i].symbol = wire_text(w, NULL);
        ok = named[i].expression && named[i].symbol;
    }
    found->named = named;
    found->named_count = count;
    return ok;
}

bool program_get(runcu_program *found, struct wire *w, struct arena *arena)
{
    found->arch = wire_text(w, NULL);
    found->options = wire_text(w, NULL);
    found->log = wire_text(w, NULL);
    found->ptx = wire_text(w, &found->ptx_size);
    found->cubin = wire_item(w, &found->cubin_size);
    if (!found->cubin_size)
        found->cubin = NULL;
    found->ltoir = wire_item(w, &found->ltoir_size);
    if (!found->ltoir_size)
        found->ltoir = NULL;
    return !w->bad && found->arch && found->options && found->log && get_names(found, w, arena);
}

bool entry_read(runcu_program *program, struct str *bytes, const struct request *r)
{
    struct entry_part part;
    if (!find_part(&part, bytes, r))
        return false;
    struct wire w = {.at = part.at + sizeof(struct head), .end = part.at + part.len};
    runcu_program found = {.was_cached = true};
    found.depends = wire_item(&w, &found.depends_len);
    if (!program_get(&found, &w, &program->arena) || w.at != w.end ||
        !depends_hold(found.depends, found.depends_len))
        return false;
    found.arena = program->arena;
    found.image = str_take(bytes);
    *program = found;
    return found.image != NULL;
}

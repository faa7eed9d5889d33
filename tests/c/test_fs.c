/* Files: whole or not at all, and nothing that hangs. */
#include "base/fs.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "test.h"

static char folder[4096];

static const char *in(const char *name)
{
    static _Thread_local char paths[8][8192];
    static _Thread_local int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void paths_become_absolute(void)
{
    static const char *const cases[][2] = {{"/", "/"},
                                           {"//a///b//", "/a/b"},
                                           {"/a/./b/.", "/a/b"},
                                           {"/a/../b", "/a/../b"},
                                           {"/.hidden", "/.hidden"},
                                           {"/a b/ü", "/a b/ü"},
                                           {"/..", "/.."}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str out = {0};
        REQUIRE_INT(fs_absolute(&out, cases[i][0]), ==, 0);
        REQUIRE_STR(str_text(&out), cases[i][1]);
        str_fini(&out);
    }
    struct str out = {0};
    REQUIRE_INT(chdir(folder), ==, 0);
    char here[4096];
    REQUIRE(getcwd(here, sizeof here) != NULL);
    REQUIRE_INT(fs_absolute(&out, "./x/"), ==, 0);
    REQUIRE_IN(here, out.at);
    REQUIRE_STR(out.at + strlen(here), "/x");
    str_fini(&out);
}

static void folders_are_made(void)
{
    struct stat st;
    REQUIRE_INT(fs_make_folders(in("a/b/c")), ==, 0);
    REQUIRE_INT(fs_make_folders(in("a/b/c")), ==, 0);
    REQUIRE_INT(stat(in("a/b"), &st), ==, 0);
    REQUIRE_INT(st.st_mode & 0777, ==, 0700);
    REQUIRE_INT(fs_replace(in("file"), "x", 1), ==, 0);
    REQUIRE_INT(fs_make_folders(in("file/d")), ==, ENOTDIR);
    REQUIRE_INT(fs_make_folders(in("file")), ==, ENOTDIR);
}

static void files_are_read_whole(void)
{
    struct str text = {0};
    char big[200000];
    memset(big, 'x', sizeof big);
    REQUIRE_INT(fs_replace(in("big"), big, sizeof big), ==, 0);
    REQUIRE_INT(fs_read(&text, in("big"), sizeof big), ==, 0);
    REQUIRE_INT(text.len, ==, sizeof big);
    str_clear(&text);
    REQUIRE_INT(fs_read(&text, in("big"), sizeof big - 1), ==, EFBIG);
    REQUIRE_INT(fs_read(&text, in("nothing"), 10), ==, ENOENT);
    REQUIRE_INT(fs_read(&text, folder, 10), ==, EISDIR);
    REQUIRE_INT(mkfifo(in("pipe"), 0600), ==, 0);
    REQUIRE(fs_read(&text, in("pipe"), 10) != 0); /* and does not wait for a writer */
    str_fini(&text);
    struct fs_info info;
    REQUIRE_INT(fs_stat(&info, in("big")), ==, 0);
    REQUIRE_INT(info.size, ==, sizeof big);
    REQUIRE(!info.is_folder && info.mtime > 0);
    REQUIRE(fs_is_file(in("big")) && !fs_is_file(folder) && !fs_is_file(in("nothing")));
}

static bool count_name(void *user, const char *name)
{
    (void) name;
    ++*(int *) user;
    return false;
}

static bool stop_at_first(void *user, const char *name)
{
    count_name(user, name);
    return true;
}

static void *replace_often(void *user)
{
    char text[4096];
    memset(text, *(char *) user, sizeof text);
    for (int i = 0; i < 200; i++)
        REQUIRE_INT(fs_replace(in("shared/x"), text, sizeof text), ==, 0);
    return NULL;
}

/* Whoever reads meanwhile sees one writer's text, whole. */
static void replaced_at_once(void)
{
    pthread_t threads[2];
    char letters[] = "ab";
    int count = 0;
    REQUIRE_INT(fs_make_folders(in("shared")), ==, 0);
    for (int i = 0; i < 2; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, replace_often, &letters[i]), ==, 0);
    for (int i = 0; i < 300; i++) {
        struct str text = {0};
        if (fs_read(&text, in("shared/x"), 8192) == 0) {
            REQUIRE_INT(text.len, ==, 4096);
            REQUIRE_INT(strspn(text.at, text.at[0] == 'a' ? "a" : "b"), ==, 4096);
        }
        str_fini(&text);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    REQUIRE_INT(fs_list(in("shared"), count_name, &count), ==, 0);
    REQUIRE_INT(count, ==, 1); /* no temporary file is left */
    REQUIRE(fs_replace(in("nowhere/x"), "x", 1) != 0);
    REQUIRE_INT(fs_make_folders(in("taken")), ==, 0);
    REQUIRE(fs_replace(in("taken"), "x", 1) != 0);
    count = 0;
    REQUIRE_INT(fs_list(folder, stop_at_first, &count), ==, 0);
    REQUIRE_INT(count, ==, 1);
    REQUIRE_INT(fs_list(in("nowhere"), count_name, &count), ==, ENOENT);
}

int main(void)
{
    char command[8192];
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/runcu-fs-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL);
    RUN(paths_become_absolute);
    RUN(folders_are_made);
    RUN(files_are_read_whole);
    RUN(replaced_at_once);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0;
}

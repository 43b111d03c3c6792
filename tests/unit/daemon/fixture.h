/* tests/unit/daemon/fixture.h - a folder of the test's own, configurations that name it, and somebody to
 * listen to a command's answers. */
#ifndef DAEMON_FIXTURE_H
#define DAEMON_FIXTURE_H

#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "daemon/admin.h"
#include "daemon/config_private.h"
#include "util/io.h"

/* Short: a socket's path must fit. */
static UNUSED char folder[] = "/tmp/berth-daemon-XXXXXX";
static UNUSED berth_arena scratch;

static UNUSED int folder_new(void **state)
{
    (void)state;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    CHECK(mkdtemp(folder) != NULL);
    return 0;
}

static UNUSED int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static UNUSED int folder_free(void **state)
{
    (void)state;
    berth_arena_done(&scratch);
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define FOLDER_TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_new, folder_free)

static UNUSED const char *path_of(const char *name)
{
    return berth_arena_printf(&scratch, "%s/%s", folder, name);
}

static UNUSED void write_file(const char *name, const char *text)
{
    CLEANUP(closep) int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_OK(io_write_all(fd, text, strlen(text), &test_err));
}

static UNUSED bool is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static UNUSED void config_freep(struct config **c)
{
    config_free(*c);
}
#define CONFIG CLEANUP(config_freep) struct config *

/* @yaml, with the folder for its data. */
static UNUSED struct config *config_of(const char *yaml)
{
    struct config *c = NULL;
    const char *const flags[] = {berth_arena_printf(&scratch, "data=%s", folder)};
    CHECK_OK(config_load_text(str_from(yaml), "berth.yaml", flags, 1, &c, &test_err));
    return c;
}

/* What a command answered: "line text\n", "progress text\n", "value key=v\n". */
static UNUSED char told[64 * 1024];

static UNUSED void tell_one(const char *kind, const char *a, const char *between, const char *b)
{
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%s %s%s%s\n", kind, a, between, b);
}

static UNUSED void tell_line(void *arg, const char *text)
{
    (void)arg;
    tell_one("line", text, "", "");
}

static UNUSED void tell_progress(void *arg, const char *text)
{
    (void)arg;
    tell_one("progress", text, "", "");
}

static UNUSED void tell_value(void *arg, const char *key, const char *v)
{
    (void)arg;
    tell_one("value", key, "=", v);
}

static UNUSED const struct admin_out listener = {tell_line, tell_progress, tell_value, NULL, NULL};

#endif

/* tests/unit/cli/fixture.h - runs commands of the command line in this process, and keeps what they print. */
#ifndef CLI_FIXTURE_H
#define CLI_FIXTURE_H

#include "../daemon/fixture.h"

#include <sys/mman.h>

#include "cli/cli.h"

int berth_main(int argc, char **argv); /* main() of src/cli/main.c */

static char out_text[256 * 1024], err_text[16 * 1024];

static UNUSED int divert(int fd, int *ret_was)
{
    int file = memfd_create("printed", MFD_CLOEXEC);
    *ret_was = dup(fd);
    CHECK(file >= 0 && *ret_was >= 0 && dup2(file, fd) == fd);
    return file;
}

static UNUSED void restore(int fd, int was, int file, char *text, size_t size)
{
    dup2(was, fd);
    close(was);
    ssize_t n = pread(file, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(file);
}

/* The exit code of `berth <words>`, which are separated by single spaces; what it printed is in out_text and
 * err_text. */
static UNUSED int berth(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static UNUSED int berth(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *words = berth_arena_vprintf(&scratch, fmt, ap), *argv[32] = {(char *)(uintptr_t) "berth"};
    va_end(ap);
    int argc = 1, was_out, was_err;
    for (char *at = words; at && *at;) {
        char *space = strchr(at, ' ');
        argv[argc++] = at;
        if (space)
            *space = '\0';
        at = space ? space + 1 : NULL;
    }
    fflush(stdout);
    int out = divert(STDOUT_FILENO, &was_out), err = divert(STDERR_FILENO, &was_err);
    setenv("BERTH_HOSTS_FILE", "/nonexistent", 1); /* not the developer's own */
    int rc = berth_main(argc, argv);
    cli_hide_arguments(NULL);
    fflush(stdout);
    restore(STDOUT_FILENO, was_out, out, out_text, sizeof(out_text));
    restore(STDERR_FILENO, was_err, err, err_text, sizeof(err_text));
    return rc;
}

static UNUSED int cli_begin(void **state)
{
    unsetenv("BERTH_CONFIG");
    return folder_new(state);
}

#define CLI_TEST(fn) cmocka_unit_test_setup_teardown(fn, cli_begin, folder_free)

#endif

/* cli/target.c - see target.h. */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/io.h"

static bool is_file(const char *file)
{
    return file && strcmp(file, "-") != 0;
}

void target_done(struct target *t)
{
    if (t->unfinished) {
        closep(&t->fd);
        unlink(t->unfinished); /* gone already when all went well */
    }
    free(t->unfinished);
}

int target_open(const char *file, struct target *t, berth_error *err)
{
    if (!is_file(file))
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&name, "%s.XXXXXX", file);
    t->file = file;
    t->unfinished = berth_buf_take(&name);
    if (!t->unfinished)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    t->fd = mkostemp(t->unfinished, O_CLOEXEC);
    if (t->fd < 0) {
        berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "creating '%s': %s", file,
                        strerror(errno));
        free(steal(&t->unfinished));
        return err->code;
    }
    mode_t mask = umask(0);
    umask(mask);
    fchmod(t->fd, 0666 & ~mask);
    return BERTH_OK;
}

int target_finish(struct target *t, berth_error *err)
{
    if (t->unfinished && rename(t->unfinished, t->file) < 0)
        return berth_error_set(err, BERTH_E_IO, "naming '%s': %s", t->file, strerror(errno));
    return BERTH_OK;
}

int target_write(void *arg, const void *p, size_t n)
{
    struct target *t = arg;
    int r = io_write_all(t->fd, p, n, &t->err);
    if (r != BERTH_OK && !t->unfinished)
        cli_check_pipe(errno);
    return r;
}

int target_check(const struct cli_command *c, const struct cli_base *b, const char *file)
{
    if (is_file(file))
        return -1;
    if (!cli_wants_text(b))
        return cli_usage(c->name, "standard output is the content's: with --%s, -o FILE is needed",
                         b->format ? "format" : "output json");
    if (isatty(STDOUT_FILENO))
        return cli_usage(c->name, "it may be binary, and this is a terminal: -o FILE, or | less");
    return -1;
}

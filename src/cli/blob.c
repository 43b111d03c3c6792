/* cli/blob.c - `berth blob get REF@DIGEST [-o FILE]`. A file has its name only when its digest was right. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/remote.h"
#include "util/io.h"

static const struct remote_command get = {
    .name = "blob get",
    .operand = REMOTE_DIGEST,
    .to_file = true,
    .help = "usage: berth blob get REF@DIGEST [-o FILE] [OPTION...]\n\n"
            "Writes a blob to FILE, or to standard output. Its digest is computed on the way: FILE is there "
            "only if\n"
            "that is right; what stands on standard output is to be used only if the exit code is 0.\n\n"
            "  -o FILE             where to; it is replaced. - is standard output\n" REMOTE_OPTIONS
            "\nexamples:\n  berth blob get localhost:5000/team/app@sha256:… -o layer.tar.gz\n"
            "  berth blob get registry.example/team/app@sha256:… | tar tz\n",
};

static const char help[] = "usage: berth blob get REF@DIGEST [-o FILE] [OPTION...]\n\n"
                           "  get    writes a blob to a file or to standard output\n\n"
                           "examples:\n  berth blob get localhost:5000/team/app@sha256:… -o layer.tar.gz\n"
                           "  berth blob get --help\n";

struct target {
    int fd;
    char *unfinished; /* the file's name until its digest is known; NULL: standard output */
    berth_error err;
};

static void target_done(struct target *t)
{
    if (t->unfinished) {
        closep(&t->fd);
        unlink(t->unfinished); /* gone already when all went well */
    }
    free(t->unfinished);
}

static int target_open(const char *file, struct target *t, berth_error *err)
{
    if (!file)
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&name, "%s.XXXXXX", file);
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

static int target_finish(const char *file, struct target *t, berth_error *err)
{
    if (file && rename(t->unfinished, file) < 0)
        return berth_error_set(err, BERTH_E_IO, "naming '%s': %s", file, strerror(errno));
    return BERTH_OK;
}

static int write_piece(void *arg, const void *p, size_t n)
{
    struct target *t = arg;
    return io_write_all(t->fd, p, n, &t->err);
}

static int run(const struct remote_command *c, int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r = {0};
    CLEANUP(target_done) struct target t = {.fd = STDOUT_FILENO};
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, &r);
    if (rc >= 0)
        return rc;
    if (r.json && !r.file)
        return cli_usage(c->name, "--output json needs -o FILE: standard output is the blob's");
    if (target_open(r.file, &t, &err) != BERTH_OK)
        return remote_fail(c->name, &err);
    int result = berth_blob_get(r.client, r.repository, r.reference, write_piece, &t, &call, &err);
    if (result == BERTH_OK)
        result = target_finish(r.file, &t, &err);
    if (result == BERTH_OK && r.json)
        printf("{\n  \"digest\": \"%s\",\n  \"size\": %llu\n}\n", berth_call_content(call)->digest,
               (unsigned long long)berth_call_content(call)->size);
    berth_call_free(call);
    if (result != BERTH_OK)
        return remote_fail(c->name, t.err.code != BERTH_OK ? &t.err : &err);
    return remote_printed(c->name);
}

int cmd_blob(int argc, char **argv)
{
    static const struct remote_command *const commands[] = {&get};
    static int (*const runs[])(const struct remote_command *, int, char **) = {run};
    return remote_family("blob", help, commands, runs, COUNT(commands), argc, argv);
}

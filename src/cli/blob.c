/* cli/blob.c - `berth blob get REF@DIGEST [-o FILE]`. A file has its name only when its digest was right. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "util/io.h"

struct options {
    struct remote remote;
    const char *file;
};

static const struct cli_option options[] = {
    {.name = "to",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct options, file),
     .help = "where to; it is replaced. - is standard output (-)"},
    {0},
};

static void options_done(struct options *o)
{
    remote_done(&o->remote);
}

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
    int r = io_write_all(t->fd, p, n, &t->err);
    if (r != BERTH_OK && !t->unfinished)
        cli_check_pipe(errno);
    return r;
}

static json_t *document(const berth_content *blob)
{
    return json_pack("{s:s, s:I}", "digest", blob->digest, "size", (json_int_t)blob->size);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {.remote = REMOTE_INIT};
    CLEANUP(target_done) struct target t = {.fd = STDOUT_FILENO};
    const struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, &o.remote);
    if (rc >= 0)
        return rc;
    const char *file = o.file && strcmp(o.file, "-") != 0 ? o.file : NULL;
    if (!file && !cli_wants_text(&r->base))
        return cli_usage(c->name, "standard output is the blob's: with --%s, -o FILE is needed",
                         r->base.format ? "format" : "output json");
    if (!file && isatty(STDOUT_FILENO))
        return cli_usage(c->name, "a blob may be binary, and this is a terminal: -o FILE, or | less");
    if (target_open(file, &t, &err) != BERTH_OK)
        return remote_fail(c, &err);
    int result = berth_blob_get(r->client, r->repository, r->reference, write_piece, &t, &call, &err);
    if (result == BERTH_OK)
        result = target_finish(file, &t, &err);
    json_t *found =
        result == BERTH_OK && !cli_wants_text(&r->base) ? document(berth_call_content(call)) : NULL;
    berth_call_free(call);
    if (result != BERTH_OK)
        return remote_fail(c, t.err.code != BERTH_OK ? &t.err : &err);
    return cli_wants_text(&r->base) ? cli_printed(c) : cli_print(c, &r->base, found);
}

const struct cli_command cmd_blob_get = {
    .name = "blob get",
    .summary = "write a blob to a file or to standard output",
    .operands = "REF@DIGEST",
    .text =
        "Writes a blob to FILE, or to standard output. Its digest is computed on the way: FILE is there only "
        "if that is right; what stands on standard output is to be used only if the exit code is 0.",
    .options = options,
    .fields = (const struct cli_field[]){{"digest", "string", "the digest, computed from the bytes"},
                                         {"size", "number", "the bytes"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob get localhost:5000/team/app@sha256:… -o layer.tar.gz", NULL},
            {"berth blob get registry.example/team/app@sha256:… | tar tz", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_PROGRESS,
    .operand = CLI_OPERAND_DIGEST,
    .run = run,
};

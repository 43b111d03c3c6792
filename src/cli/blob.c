/* cli/blob.c - `berth blob get REF@DIGEST [-o FILE]`. A file has its name only when its digest was right, and
 * what is there of it when the command ends early is gone on with by the next. */
#include <berth/download.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/place.h"
#include "cli/target.h"
#include "oci/digest.h"
#include "util/io.h"

struct options {
    struct remote remote;
    const char *file;
    uint64_t ranges, ranges_from;
    bool sync;
};

static const struct cli_option options[] = {
    {.name = "to",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct options, file),
     .help = "where to; it is replaced. - is standard output (-)"},
    {.name = "ranges",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = 64,
     .at = offsetof(struct options, ranges),
     .help = "fetch a large blob into FILE in so many ranges at once, each over a connection of its own (1)"},
    {.name = "ranges-from",
     .kind = CLI_SIZE,
     .value = "SIZE",
     .at = offsetof(struct options, ranges_from),
     .help = "from this size on (64MiB)"},
    {.name = "sync",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, sync),
     .help = "end when FILE would outlive a loss of power"},
    {0},
};

static json_t *document(const berth_content *blob)
{
    return json_pack("{s:s, s:I}", "digest", blob->digest, "size", (json_int_t)blob->size);
}

struct counted {
    struct target *t;
    uint64_t *size;
};

static int write_counted(void *arg, const void *p, size_t n)
{
    const struct counted *w = arg;
    *w->size += n;
    return target_sink(w->t, p, n);
}

/* Whether it is a file, or will be: what comes to /dev/null or a pipe can't be gone on with. */
static bool can_go_on(const char *file)
{
    struct stat st;
    return file && strcmp(file, "-") != 0 && (stat(file, &st) < 0 || S_ISREG(st.st_mode));
}

static int sync_file(const char *file, berth_error *err)
{
    CLEANUP(closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s': %s", file, strerror(errno));
    int r = io_sync(fd, err);
    return r == BERTH_OK ? io_sync_parent(file, err) : r;
}

/* A layout is as near as the file itself. */
static int get_from_layout(const struct cli_command *c, struct options *o)
{
    CLEANUP(place_done) struct place p = PLACE_INIT;
    CLEANUP(target_done) struct target t = TARGET_INIT;
    struct remote *r = &o->remote;
    berth_descriptor blob = {.digest = r->reference, .size = BERTH_SIZE_UNKNOWN};
    berth_error err = BERTH_ERROR_INIT;
    uint64_t size = 0;
    struct counted counted = {.t = &t, .size = &size};
    int result = place_open_first(r, false, &p, &err);
    if (result == BERTH_OK)
        result = target_open(&t, o->file, true, &err);
    if (result != BERTH_OK)
        return remote_refuse(c, &err);
    result = p.c->ops->blob_get(p.c, &blob, write_counted, &counted, &err);
    if (result == BERTH_OK)
        result = target_finish(&t, &err);
    if (result == BERTH_OK && o->sync)
        result = sync_file(o->file, &err);
    if (result != BERTH_OK)
        return remote_fail(c, target_error(&t, &err));
    return cli_wants_text(&r->base)
               ? cli_printed(c)
               : cli_print(c, &r->base, document(&(berth_content){.digest = r->reference, .size = size}));
}

static int check_options(const struct cli_command *c, const struct options *o)
{
    const struct remote *r = &o->remote;
    berth_digest unused;
    bool to_file = o->file && strcmp(o->file, "-") != 0;
    const char *option = o->ranges ? "ranges" : o->ranges_from ? "ranges-from" : "sync";
    bool goes_on = can_go_on(o->file) && !r->layout;
    if ((!goes_on && (o->ranges || o->ranges_from)) || (!to_file && o->sync))
        return cli_usage(c->name, r->layout ? "--%s is for registries" : "--%s needs a file: -o FILE",
                         option);
    if (!to_file && !cli_wants_text(&r->base))
        return cli_usage(c->name, "standard output is the blob's: with --%s, -o FILE is needed",
                         r->base.format ? "format" : "output json");
    if (r->layout && digest_parse(str_from(r->reference), &unused, NULL) != BERTH_OK)
        return cli_usage(c->name, "'%s': it names no digest: REF@DIGEST is needed", r->base.operands[0]);
    return -1;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    CLEANUP(target_done) struct target t = TARGET_INIT;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = check_options(c, &o);
    if (rc >= 0)
        return rc;
    if (r->layout)
        return get_from_layout(c, &o);
    const char *file = can_go_on(o.file) ? o.file : NULL;
    int result = file ? BERTH_OK : target_open(&t, o.file, true, &err);
    if (result != BERTH_OK)
        return remote_refuse(c, &err);
    berth_get_options how = BERTH_GET_OPTIONS_INIT;
    how.ranges = (unsigned)o.ranges;
    how.ranges_from = o.ranges_from;
    result =
        file ? berth_blob_get_file_with_start(r->client, r->repository, r->reference, file, &how, &call, &err)
             : berth_blob_get_start(r->client, r->repository, r->reference, target_sink, &t, &call, &err);
    if (result == BERTH_OK) {
        char label[20]; /* "sha256:" and 12 digits: the rest of the line has more to say */
        snprintf(label, sizeof(label), "%s", r->reference);
        remote_watch(r, label, call);
        result = berth_call_wait(call, &err);
    }
    remote_progress_end(r);
    if (result == BERTH_OK && !file)
        result = target_finish(&t, &err);
    if (result == BERTH_OK && file && o.sync)
        result = sync_file(file, &err);
    json_t *found =
        result == BERTH_OK && !cli_wants_text(&r->base) ? document(berth_call_content(call)) : NULL;
    berth_call_free(call);
    if (result != BERTH_OK)
        return remote_fail(c, target_error(&t, &err));
    return cli_wants_text(&r->base) ? cli_printed(c) : cli_print(c, &r->base, found);
}

const struct cli_command cmd_blob_get = {
    .name = "blob get",
    .summary = "write a blob to a file or to standard output",
    .operands = "REF@DIGEST",
    .text =
        "Writes a blob to FILE, or to standard output. Its digest is computed on the way: FILE is there only "
        "if that is right; what stands on standard output is to be used only if the exit code is 0. What "
        "came "
        "before the network failed for good, or before the command was stopped, stays in FILE.DIGITS.part, "
        "named after the first digits of the digest, and the same command goes on from there. --ranges "
        "helps where one connection is slow by itself. What the kernel has not written to the disk yet when "
        "the "
        "power fails is lost, as with any file; --sync waits for it. REF may be oci:PATH, an image layout on "
        "disk.",
    .options = options,
    .fields = (const struct cli_field[]){{"digest", "string", "the digest, computed from the bytes"},
                                         {"size", "number", "the bytes"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob get localhost:5000/team/app@sha256:… -o layer.tar.gz", NULL},
            {"berth blob get registry.example/team/app@sha256:… | tar tz", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_DIGEST,
    .run = run,
};

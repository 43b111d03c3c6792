/* cli/blob_put.c - `berth blob put REF FILE`. With --state an upload goes on after it was killed: the file
 * holds what it was of, and where the registry has it. */
#include <berth/upload.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "oci/digest.h"
#include "util/io.h"

#define READ_AT_ONCE (256 * KIB)
#define CHUNK        (16 * MIB)

struct options {
    struct remote remote;
    int mode; /* a berth_put_mode */
    bool force;
    uint64_t chunk_size;
    const char *mount, *state;
};

static const struct cli_option options[] = {
    {.name = "mode",
     .kind = CLI_CHOICE,
     .value = "auto|single|chunked", /* in the order of berth_put_mode */
     .at = offsetof(struct options, mode),
     .help = "auto: POST and PUT; single: one POST; chunked: a PATCH for each chunk (auto)"},
    {.name = "chunk-size",
     .kind = CLI_SIZE,
     .value = "SIZE",
     .at = offsetof(struct options, chunk_size),
     .help = "of chunks; the registry may want larger ones (BERTH_CHUNK_SIZE, or 16MiB)"},
    {.name = "force",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, force),
     .help = "send it without asking whether it is there"},
    {.name = "mount",
     .kind = CLI_TEXT,
     .value = "REPOSITORY",
     .at = offsetof(struct options, mount),
     .help = "try to take it from this repository of the same registry first"},
    {.name = "state",
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct options, state),
     .help = "keep there where the upload is, and go on with what stands there"},
    {0},
};

/* What the state file says. */
struct state {
    const char *path;
    const char *host, *repository, *digest;
    char *url; /* of the session; NULL: none */
    bool failed;
};

static void state_done(struct state *s)
{
    free(s->url);
}

/* A file of another upload is an error: it would be overwritten. */
static int state_read(struct state *s, berth_error *err)
{
    json_error_t why;
    json_t *j = json_load_file(s->path, 0, &why);
    const char *host, *repository, *digest, *url;
    if (!j && access(s->path, F_OK) < 0)
        return BERTH_OK;
    int r = BERTH_OK;
    if (!j || json_unpack(j, "{s:s, s:s, s:s, s:s}", "registry", &host, "repository", &repository, "digest",
                          &digest, "url", &url) < 0)
        r = berth_error_set(err, BERTH_E_INVALID, "'%s' holds no state of an upload", s->path);
    else if (strcmp(host, s->host) != 0 || strcmp(repository, s->repository) != 0 ||
             strcmp(digest, s->digest) != 0)
        r = berth_error_set(err, BERTH_E_CONFLICT, "'%s' holds the state of another upload, to %s/%s",
                            s->path, host, repository);
    else if (!(s->url = str_dup(str_from(url))))
        r = berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    json_decref(j);
    return r;
}

/* The URL may carry a secret: the file is its owner's alone. */
static void state_write(void *arg, const berth_upload *upload)
{
    struct state *s = arg;
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&name, "%s.XXXXXX", s->path);
    json_t *j = json_pack("{s:s, s:s, s:s, s:s}", "registry", s->host, "repository", s->repository, "digest",
                          s->digest, "url", upload->url);
    CLEANUP(freep) char *fresh = berth_buf_take(&name);
    CLEANUP(closep) int fd = fresh ? mkostemp(fresh, O_CLOEXEC) : -1;
    if (!j || fd < 0 || json_dumpfd(j, fd, JSON_INDENT(2)) < 0 || rename(fresh, s->path) < 0) {
        s->failed = true;
        if (fd >= 0)
            unlink(fresh);
    }
    json_decref(j);
}

static int hash_file(int fd, enum hash_algorithm a, berth_digest *ret, berth_error *err)
{
    CLEANUP(freep) char *piece = malloc(READ_AT_ONCE);
    if (!piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    berth_hash hash;
    hash_init(&hash, a);
    size_t n = 1;
    for (uint64_t at = 0; n; at += n) {
        int r = io_pread(fd, piece, READ_AT_ONCE, at, &n, err);
        if (r != BERTH_OK)
            return r;
        hash_update(&hash, piece, n);
    }
    digest_from_hash(&hash, ret);
    return BERTH_OK;
}

/* BERTH_E_DIGEST, or @err untouched. */
static int check_file(int fd, const berth_digest *wanted, berth_error *err)
{
    berth_digest have;
    int r = hash_file(fd, (enum hash_algorithm)wanted->algorithm, &have, err);
    return r == BERTH_OK && !digest_eq(&have, wanted)
               ? berth_error_set(err, BERTH_E_DIGEST, "the file has the digest %s", have.text)
               : r;
}

/* What the registry took it has compared with the digest. What it did not take, as it has it, nobody has; and
 * one that refuses it may say so in words of its own. */
static bool is_in_doubt(int result, const berth_call *call)
{
    return result == BERTH_OK ? berth_call_put_outcome(call) != BERTH_PUT_STORED
                              : result == BERTH_E_INVALID || result == BERTH_E_IO;
}

static int open_file(const char *file, int *ret_fd, bool *ret_regular, berth_error *err)
{
    struct stat st;
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "opening '%s': %s",
                               file, strerror(errno));
    *ret_regular = S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0;
    *ret_fd = fd;
    return BERTH_OK;
}

static const char *outcome_of(const berth_call *call)
{
    switch (berth_call_put_outcome(call)) {
    case BERTH_PUT_PRESENT:
        return "present";
    case BERTH_PUT_MOUNTED:
        return "mounted";
    case BERTH_PUT_STORED:
    case BERTH_PUT_NONE:
        break;
    }
    return "stored";
}

static int print(const struct cli_command *c, const struct remote *r, const berth_call *call)
{
    const berth_content *blob = berth_call_content(call);
    return cli_tell(c, &r->base,
                    json_pack("{s:s, s:I, s:s}", "digest", blob->digest, "size", (json_int_t)blob->size,
                              "outcome", outcome_of(call)),
                    "%s  %s\n", blob->digest, outcome_of(call));
}

static int put(const struct cli_command *c, struct options *o, int fd, bool regular)
{
    const struct remote *r = &o->remote;
    berth_error err = BERTH_ERROR_INIT;
    berth_call *call = NULL;
    berth_digest digest;
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    bool named = berth_ref_digest(&r->ref, &digest, NULL) == BERTH_OK;
    int result = regular && !named ? hash_file(fd, HASH_SHA256, &digest, &err) : BERTH_OK;
    if (result != BERTH_OK)
        return remote_fail(c, &err);
    CLEANUP(state_done)
    struct state s = {.path = o->state, .host = r->host, .repository = r->repository, .digest = digest.text};
    how.digest = regular || named ? digest.text : NULL;
    how.mode = (berth_put_mode)o->mode;
    how.force = o->force;
    how.mount_from = o->mount;
    how.chunk_size = o->chunk_size ? o->chunk_size : r->env.chunk_size ? r->env.chunk_size : r->chunk_size;
    if (o->state) {
        result = state_read(&s, &err);
        if (result != BERTH_OK)
            return remote_fail(c, &err);
        how.resume = s.url;
        how.on_upload = state_write;
        how.arg = &s;
        how.chunk_above =
            how.chunk_size ? how.chunk_size : CHUNK; /* what a registry has of a PUT it may forget */
    }
    berth_source source = BERTH_SOURCE_FD(fd);
    result = berth_blob_put_start(r->client, r->repository, &source, &how, &call, &err);
    if (result == BERTH_OK) {
        remote_watch(&o->remote, o->remote.base.operands[1], call);
        result = berth_call_wait(call, &err);
    }
    if (regular && named && is_in_doubt(result, call)) {
        int checked = check_file(fd, &digest, &err);
        result = checked == BERTH_OK ? result : checked;
    }
    remote_progress_end(&o->remote);
    if (s.failed)
        fprintf(stderr, "berth %s: the state could not be written to '%s'\n", c->name, o->state);
    if (result == BERTH_OK && o->state)
        unlink(o->state);
    int rc = result == BERTH_OK ? print(c, r, call) : remote_fail(c, &err);
    berth_call_free(call);
    return rc;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    berth_error err = BERTH_ERROR_INIT;
    bool regular = false;
    int fd = -1, rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = remote_check_file(c, r, r->base.operands[1]);
    if (rc >= 0)
        return rc;
    if (open_file(r->base.operands[1], &fd, &regular, &err) != BERTH_OK)
        return remote_fail(c, &err);
    if (!regular && (o.state || (o.mount && !r->ref.digest_tag) || o.mode == BERTH_PUT_SINGLE))
        rc = cli_usage(c->name, "what comes through a pipe can't be %s",
                       o.state   ? "gone on with: no --state"
                       : o.mount ? "mounted without its digest: REF@DIGEST"
                                 : "sent by a single POST: no --mode single");
    else
        rc = put(c, &o, fd, regular);
    if (fd != STDIN_FILENO)
        close(fd);
    return rc;
}

const struct cli_command cmd_blob_put = {
    .name = "blob put",
    .summary = "bring a file into a registry as a blob",
    .operands = "REF FILE",
    .text = "Brings FILE (- is standard input) into a repository as a blob, unless it is there already, and "
            "prints its digest and what was done: stored, present or mounted. Where REF names a digest, FILE "
            "has to have it: the registry sees to that, and FILE is read only once.\n\n"
            "A broken connection is met by asking the registry how much it has. With --state that outlives "
            "the program: FILE goes up in chunks, and the same command goes on where the last one was "
            "killed. What comes through a pipe needs no length: it goes up in chunks too, and its digest is "
            "computed on the way.",
    .options = options,
    .fields = (const struct cli_field[]){{"digest", "string", "the blob's digest"},
                                         {"size", "number", "its bytes; 0 where it was mounted"},
                                         {"outcome", "string", "stored, present (it was there) or mounted"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob put localhost:5000/team/app layer.tar.gz", NULL},
            {"berth blob put registry.example/team/app layer.tar.gz --state upload.json",
             "again, after it was killed, to go on"},
            {"tar cz folder | berth blob put localhost:5000/team/app - --format '{{.digest}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_PROGRESS,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run,
};

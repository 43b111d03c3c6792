/* cli/blob_put.c - `berth blob put REF FILE...`. With --state an upload goes on after it was killed: the file
 * holds what it was of, and where the registry has it. */
#include <berth/upload.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/measure.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "oci/digest.h"
#include "util/io.h"

#define CHUNK   (16 * MIB)
#define AT_ONCE 16 /* files under way */
/* From this size on a file is sent while its digest is computed: 2 GiB in 2.2 s instead of 3.1. The price is
 * what goes up for nothing, until the digest is known, of a blob that turns out to be there. */
#define EARLY (256 * MIB)

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
     .help = "auto: POST and PUT, or one PATCH while the digest is computed; single: one POST; chunked: a "
             "PATCH for each chunk (auto)"},
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
    mem_free(s->url);
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

/* BERTH_E_DIGEST, or @err untouched. */
static int check_file(int fd, const berth_digest *wanted, berth_error *err)
{
    berth_digest have;
    int r = measure_file(fd, (enum hash_algorithm)wanted->algorithm, NULL, &have, err);
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

static int open_file(const char *file, int *ret_fd, bool *ret_regular, uint64_t *ret_size, berth_error *err)
{
    struct stat st;
    int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "opening '%s': %s",
                               file, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        close(fd);
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is a folder", file);
    }
    *ret_regular = S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0;
    *ret_size = *ret_regular ? (uint64_t)st.st_size : 0;
    *ret_fd = fd;
    return BERTH_OK;
}

/* --- one of the files --- */

struct sending {
    const char *file;
    int fd; /* -1: none */
    bool regular, refused;
    uint64_t size;     /* of a regular file, when it was opened */
    bool early;        /* it is sent while its digest is computed; then: */
    atomic_bool ended; /* its call, perhaps in the thread of a signal */
    bool wanted;       /* the digest is known, and the registry has not said that it is there */
    bool told;         /* the digest, to the call */
    bool present;      /* it was there */
    berth_call *call;  /* NULL: not begun, @err says why */
    struct progress_item *item;
    int result;
    berth_error err;
};

static const char *outcome_of(const struct sending *s)
{
    switch (s->present ? BERTH_PUT_PRESENT : berth_call_put_outcome(s->call)) {
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

struct work {
    struct options o;
    bool named; /* the first operand names @digest */
    berth_digest digest;
    struct state state;
    struct sending *files;
    size_t n, begun, landed;
};

static void close_file(struct sending *s)
{
    if (s->fd != STDIN_FILENO)
        closep(&s->fd);
    s->fd = -1;
}

static void work_done(struct work *w)
{
    for (size_t i = 0; i < w->begun; i++) {
        berth_call_free(w->files[i].call);
        close_file(&w->files[i]);
    }
    mem_free(w->files);
    state_done(&w->state);
    remote_done(&w->o.remote);
}

/* NULL: it can. */
static const char *what_a_pipe_cannot(const struct work *w)
{
    return w->n > 1                        ? "one of several files"
           : w->o.state                    ? "gone on with: no --state"
           : w->o.mount && !w->named       ? "mounted without its digest: REF@DIGEST"
           : w->o.mode == BERTH_PUT_SINGLE ? "sent by a single POST: no --mode single"
                                           : NULL;
}

/* A file that nothing else is asked of but to bring it there; --max-time is for the transfer alone. */
static bool may_go_early(const struct work *w, const struct sending *s)
{
    const struct options *o = &w->o;
    return s->size >= EARLY && w->n == 1 && !o->state && !o->mount && !o->chunk_size && !o->remote.max_time &&
           o->mode == BERTH_PUT_AUTO;
}

static int look_at(struct work *w, struct sending *s)
{
    int r = open_file(s->file, &s->fd, &s->regular, &s->size, &s->err);
    const char *cannot = r == BERTH_OK && !s->regular ? what_a_pipe_cannot(w) : NULL;
    s->refused = cannot;
    if (cannot)
        return berth_error_set(&s->err, BERTH_E_INVALID, "what comes through a pipe can't be %s", cannot);
    if (r != BERTH_OK || !s->regular || w->named)
        return r;
    s->early = may_go_early(w, s); /* @digest is not known yet */
    return s->early ? BERTH_OK : measure_file(s->fd, HASH_SHA256, NULL, &w->digest, &s->err);
}

/* Once the registry has been asked whether it is there. */
static int tell_digest(void *arg, const char **ret_digest)
{
    struct work *w = arg;
    struct sending *s = &w->files[0]; /* the only one */
    if (!s->wanted)
        return BERTH_PAUSE;
    s->told = true;
    *ret_digest = w->digest.text;
    return 0;
}

static void on_end(berth_call *unused, void *arg)
{
    (void)unused;
    ((struct sending *)arg)->ended = true;
}

static int start(struct work *w, struct sending *s)
{
    struct remote *r = &w->o.remote;
    berth_source source = BERTH_SOURCE_FD(s->fd);
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    how.digest = !s->early && (s->regular || w->named) ? w->digest.text : NULL;
    how.mode = (berth_put_mode)w->o.mode;
    how.force = w->o.force || s->wanted;
    how.mount_from = w->o.mount;
    how.chunk_size = w->o.chunk_size     ? w->o.chunk_size
                     : r->env.chunk_size ? r->env.chunk_size
                                         : r->chunk_size;
    if (s->early) {
        source.length = s->size;
        how.digest_later = tell_digest;
        how.arg = w;
    }
    if (w->o.state) {
        how.resume = w->state.url;
        how.on_upload = state_write;
        how.arg = &w->state;
        how.chunk_above =
            how.chunk_size ? how.chunk_size : CHUNK; /* what a registry has of a PUT it may forget */
    }
    interrupt_begin(r->client);
    int result = berth_blob_put_start(r->client, r->repository, &source, &how, &s->call, &s->err);
    if (result != BERTH_OK)
        return result;
    s->ended = false;
    berth_call_on_done(s->call, on_end, s);
    if (s->item)
        remote_follow(s->item, s->call);
    else
        s->item = remote_watch(r, s->file, s->call);
    return BERTH_OK;
}

static int begin(struct work *w, struct sending *s)
{
    const struct remote *r = &w->o.remote;
    int result = look_at(w, s);
    if (result == BERTH_OK && w->o.state) {
        w->state = (struct state){
            .path = w->o.state, .host = r->host, .repository = r->repository, .digest = w->digest.text};
        result = state_read(&w->state, &s->err);
    }
    return result == BERTH_OK ? start(w, s) : result;
}

/* --- a file that is sent while its digest is computed --- */

/* The status that ended it before it was told the digest; 0: none. */
static int refusal(const struct sending *s)
{
    berth_error err = BERTH_ERROR_INIT;
    if (!s->ended || s->told)
        return 0;
    int result = berth_call_result(s->call, &err); /* a session that is lost again and again has no status */
    return result == BERTH_E_NOT_FOUND ? 404 : err.http_status;
}

/* It may want no PATCH, or none so large; but not what no other request would change. */
static bool may_go_otherwise(int status)
{
    return status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
}

static bool wants_no_more(int status)
{
    return status == 429 || status == 503;
}

static bool go_on(void *arg)
{
    const struct work *w = arg;
    const struct sending *s = &w->files[0];
    berth_client_process(w->o.remote.client);
    return !s->ended || (refusal(s) && !wants_no_more(refusal(s)));
}

/* Then what came up is taken back. Who may not push is told as well. */
static bool turns_out_present(const struct work *w, struct sending *s)
{
    const struct remote *r = &w->o.remote;
    berth_call *head = NULL;
    if (w->o.force || berth_blob_head(r->client, r->repository, w->digest.text, &head, NULL) != BERTH_OK)
        return false;
    berth_call_free(s->call);
    s->call = head;
    return s->present = true;
}

static int land_early(struct work *w, struct sending *s)
{
    int result = measure_beside(s->fd, s->size, HASH_SHA256, go_on, w, &w->digest, &s->err);
    if (result == BERTH_E_CANCELLED)
        return berth_call_wait(s->call, &s->err);
    if (result != BERTH_OK) {
        berth_call_free(steal(&s->call));
        return result;
    }
    if (turns_out_present(w, s))
        return BERTH_OK;
    s->wanted = true;
    berth_call_resume(s->call);
    result = berth_call_wait(s->call, &s->err);
    if (result == BERTH_OK || !may_go_otherwise(refusal(s)))
        return result;
    berth_call_free(steal(&s->call));
    s->early = false;
    result = start(w, s);
    return result == BERTH_OK ? berth_call_wait(s->call, &s->err) : result;
}

static void land(struct work *w, struct sending *s)
{
    if (s->call) {
        s->result = s->early ? land_early(w, s) : berth_call_wait(s->call, &s->err);
        if (s->regular && w->named && is_in_doubt(s->result, s->call)) {
            int checked = check_file(s->fd, &w->digest, &s->err);
            s->result = checked == BERTH_OK ? s->result : checked;
        }
        progress_end(s->item);
    }
    close_file(s);
}

static json_t *document(const struct sending *s, const char *key, const char *text)
{
    json_t *j = json_object();
    place_set_text(j, "file", s->file);
    place_set_text(j, key, text);
    return j;
}

static int tell(const struct cli_command *c, const struct work *w, const struct sending *s)
{
    const struct remote *r = &w->o.remote;
    bool failed = s->result != BERTH_OK;
    if (failed && cli_wants_failures(&r->base))
        cli_print(c, &r->base, document(s, "error", s->err.message));
    if (s->refused)
        return cli_usage(c->name, "%s", s->err.message);
    if (failed)
        return remote_fail(c, &s->err);
    const berth_content *blob = berth_call_content(s->call);
    json_t *j = document(s, "digest", blob->digest);
    place_set_text(j, "outcome", outcome_of(s));
    json_object_set_new(j, "size", json_integer((json_int_t)(s->present ? s->size : blob->size)));
    return cli_tell(c, &r->base, j, "%s%s%s  %s\n", w->n > 1 ? s->file : "", w->n > 1 ? "  " : "",
                    blob->digest, outcome_of(s));
}

/* --- all of them --- */

static int check(const struct cli_command *c, struct work *w)
{
    const struct cli_base *b = &w->o.remote.base;
    int rc = -1;
    w->n = b->n_operands - 1;
    w->named = berth_ref_digest(&w->o.remote.ref, &w->digest, NULL) == BERTH_OK;
    if (w->o.remote.tag)
        return cli_usage(c->name, "a blob has no tag: leave out ':%s'", w->o.remote.tag);
    if (w->n > 1 && (w->named || w->o.state))
        return cli_usage(c->name, "%s is for one FILE", w->named ? "REF@DIGEST" : "--state");
    for (size_t i = 0; rc < 0 && i < w->n; i++)
        rc = remote_check_file(c, &w->o.remote, b->operands[i + 1]);
    return rc;
}

/* One that fails leaves the others alone; the exit code is of the first. */
static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(work_done) struct work w = {.o.remote = REMOTE_INIT};
    int failed = EXIT_OK, rc = remote_open(c, argc, argv, &w.o.remote);
    if (rc < 0)
        rc = check(c, &w);
    if (rc >= 0)
        return rc;
    w.files = mem_zalloc(w.n, sizeof(*w.files));
    if (!w.files)
        return remote_fail(c, &(berth_error){.code = BERTH_E_NOMEM, .message = "out of memory"});
    while (w.landed < w.n) {
        for (; w.begun < w.n && w.begun < w.landed + AT_ONCE; w.begun++) {
            struct sending *s = &w.files[w.begun];
            *s = (struct sending){.file = w.o.remote.base.operands[w.begun + 1], .fd = -1};
            s->result = begin(&w, s);
        }
        land(&w, &w.files[w.landed++]);
    }
    remote_progress_end(&w.o.remote);
    if (w.state.failed)
        fprintf(stderr, "berth %s: the state could not be written to '%s'\n", c->name, w.o.state);
    if (w.o.state && w.files[0].result == BERTH_OK)
        unlink(w.o.state);
    for (size_t i = 0; i < w.n; i++) {
        rc = tell(c, &w, &w.files[i]);
        failed = failed == EXIT_OK ? rc : failed;
    }
    return failed;
}

const struct cli_command cmd_blob_put = {
    .name = "blob put",
    .summary = "bring files into a registry as blobs",
    .operands = "REF FILE...",
    .text =
        "Brings FILE (- is standard input) into a repository as a blob, unless it is there already, and "
        "prints its digest and what was done: stored, present or mounted. Where REF names a digest, FILE "
        "has to have it: the registry sees to that, and FILE is read only once. Otherwise a single file of "
        "256 MiB or more goes up, by a PATCH, while its digest is computed; the registry is asked once that "
        "is known, and if it has the blob, what came up is taken back. A registry that refuses such a PATCH "
        "gets the file once more, by a PUT. With another --mode, --chunk-size, --state, --mount or "
        "--max-time the digest is computed first.\n\n"
        "A broken connection is met by asking the registry how much it has. With --state that outlives "
        "the program: FILE goes up in chunks, and the same command goes on where the last one was "
        "killed; without it, an upload that fails or is interrupted is cancelled at the registry. What "
        "comes through a pipe needs no length: it goes up in chunks too, and its digest is "
        "computed on the way. Interrupted while that pipe says nothing, it ends after five seconds, and the "
        "upload is left to the registry, which forgets it in time.\n\n"
        "Several files go up at once; each has a line that begins with its name, or a document, in the "
        "order in which they are named. One that fails leaves the others alone, and the exit code is of "
        "the first that did.",
    .options = options,
    .fields =
        (const struct cli_field[]){{"file", "string", "FILE as it was given"},
                                   {"error", "string",
                                    "what went wrong: then there is nothing else but 'file'. A template "
                                    "has such documents only if it asks for this field"},
                                   {"digest", "string", "the blob's digest"},
                                   {"size", "number", "its bytes; 0 where it was mounted"},
                                   {"outcome", "string", "stored, present (it was there) or mounted"},
                                   {0}},
    .examples =
        (const struct cli_example[]){
            {"berth blob put localhost:5000/team/app layer.tar.gz", NULL},
            {"berth blob put registry.example/team/app layer.tar.gz --state upload.json",
             "again, after it was killed, to go on"},
            {"berth blob put localhost:5000/team/app layer-1.tar.gz layer-2.tar.gz", NULL},
            {"tar cz folder | berth blob put localhost:5000/team/app - --format '{{.digest}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run,
};

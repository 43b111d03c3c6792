/* cli/artifact_pull.c - `berth artifact pull`: the files of an artifact into a folder, and nowhere else. Each
 * blob is read whole and found right before any of it has its name. What came of a large file stays for the
 * next try; before anything is fetched, those are looked for that are there already. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli/artifact.h"
#include "cli/commands.h"
#include "cli/target.h"
#include "content/unpack.h"
#include "util/io.h"

#define UNPACK_MAX (16ull * GIB)

struct options {
    struct remote remote;
    const char *folder, *platform, *config;
    struct cli_words types;
    uint64_t unpack_max, ranges, ranges_from;
    bool overwrite, keep_packed;
};

#define AT(member) .at = offsetof(struct options, member)

static const struct cli_option options[] = {
    {.name = "to", .letter = 'o', .kind = CLI_FILE, .value = "FOLDER", AT(folder), .help = "where to (.)"},
    {.name = "overwrite", .kind = CLI_FLAG, AT(overwrite), .help = "replace files that are there"},
    {.name = "media-type",
     .kind = CLI_WORDS,
     .value = "TYPE",
     AT(types),
     .help = "only files of this media type (all)"},
    {.name = "platform",
     .kind = CLI_TEXT,
     .value = "OS/ARCH[/VARIANT]",
     AT(platform),
     .help = "which manifest of an index (this machine's)"},
    {.name = "config",
     .kind = CLI_FILE,
     .value = "FILE",
     AT(config),
     .help = "write the config to FILE, below the folder"},
    {.name = "keep-packed",
     .kind = CLI_FLAG,
     AT(keep_packed),
     .help = "leave folders as the archives they come as"},
    {.name = "unpack-max",
     .kind = CLI_SIZE,
     .value = "SIZE",
     AT(unpack_max),
     .help = "give up when an archive unpacks to more (16GiB)"},
    {.name = "ranges",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = 64,
     AT(ranges),
     .help = "fetch a large blob in so many ranges at once, each over a connection of its own (1)"},
    {.name = "ranges-from",
     .kind = CLI_SIZE,
     .value = "SIZE",
     AT(ranges_from),
     .help = "from this size on (64MiB)"},
    {0},
};

#define AT_ONCE 16  /* blobs under way */
#define LARGE   MIB /* from this size on it is worth to go on with a file */

/* A blob on its way: to a file, or to an archive that will be unpacked. */
struct coming {
    struct content_flight *flight;
    const berth_descriptor *d;
    const char *title;
    struct unpack_file file;
    int packed_fd;      /* -1: a file */
    bool listed, found; /* found: it is there already */
    berth_error err;    /* of writing */
    struct progress_item *item;
};

struct work {
    struct options o;
    struct place from;
    berth_manifest *root, *image;
    int dir_fd;
    bool *found; /* by layer: it is there already */
    json_t *files;
    size_t skipped;
    struct coming coming[AT_ONCE];
    size_t begun, landed;
};

static void coming_done(struct coming *x)
{
    unpack_file_done(&x->file);
    closep(&x->packed_fd);
}

/* Those that nobody waits for any more, and the bars that they move. */
static void give_up(struct work *w)
{
    for (; w->landed < w->begun; w->landed++) {
        content_drop(w->from.c, w->coming[w->landed % AT_ONCE].flight);
        coming_done(&w->coming[w->landed % AT_ONCE]);
    }
    remote_progress_end(&w->o.remote);
}

static void work_done(struct work *w)
{
    give_up(w);
    json_decref(w->files);
    closep(&w->dir_fd);
    mem_free(w->found);
    berth_manifest_free(w->image);
    berth_manifest_free(w->root);
    place_done(&w->from);
    remote_done(&w->o.remote);
}

static int fd_of(const struct coming *x)
{
    return x->packed_fd >= 0 ? x->packed_fd : x->file.fd;
}

static int write_piece(void *arg, const void *p, size_t n)
{
    struct coming *x = arg;
    return io_write_all(fd_of(x), p, n, &x->err);
}

static int fetch(const struct work *w, struct coming *x, berth_error *err)
{
    content *c = w->from.c;
    int r = (c->ranges > 1 || x->file.stays) && c->ops->blob_get_fd_start
                ? c->ops->blob_get_fd_start(c, x->d, fd_of(x), &x->flight, err)
                : content_get_start(c, x->d, write_piece, x, &x->flight, err);
    return x->err.code != BERTH_OK ? berth_error_set(err, x->err.code, "%s", x->err.message) : r;
}

/* Ctrl-C waits until nothing half-unpacked is there any more: not long. */
static int unpack(const struct work *w, const struct coming *x, berth_error *err)
{
    const struct unpack_options how = {.overwrite = w->o.overwrite,
                                       .max_bytes = w->o.unpack_max,
                                       .below = x->title,
                                       .stopped = target_signal_waits};
    target_signals_hold();
    int r = unpack_archive(x->packed_fd, w->dir_fd, &how, err);
    target_signals_release();
    return r;
}

/* A file that has come gets its name, an archive is unpacked. */
static int keep(struct work *w, struct coming *x, berth_error *err)
{
    int r = x->found            ? BERTH_OK
            : x->packed_fd >= 0 ? unpack(w, x, err)
                                : unpack_file_keep(&x->file, w->o.overwrite, err);
    if (r != BERTH_OK || !x->listed)
        return r;
    json_t *j = place_descriptor_json(x->d);
    place_set_text(j, "title", x->title);
    return json_array_append_new(w->files, j) == 0 ? BERTH_OK
                                                   : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* Waits for those that were begun first, until no more than @most are under way. */
static int land(struct work *w, size_t most, berth_error *err)
{
    int r = BERTH_OK;
    while (r == BERTH_OK && w->begun - w->landed > most) {
        struct coming *x = &w->coming[w->landed++ % AT_ONCE];
        r = content_land(w->from.c, x->flight, err);
        if (x->err.code != BERTH_OK)
            r = berth_error_set(err, x->err.code, "%s", x->err.message);
        if (r == BERTH_E_DIGEST)
            x->file.stays = false;
        if (r == BERTH_OK)
            r = keep(w, x, err);
        progress_end(x->item);
        coming_done(x);
    }
    return r;
}

/* Two of an artifact may have one name: the second waits for the first. */
static int open_file(struct work *w, struct coming *x, berth_error *err)
{
    berth_digest digest;
    bool stays = x->d->size >= LARGE && w->from.c->ops->blob_get_fd_start;
    int r = stays ? digest_parse(str_from(x->d->digest), &digest, err) : BERTH_OK;
    if (r != BERTH_OK || !stays)
        return r == BERTH_OK ? unpack_file_open(w->dir_fd, x->title, &x->file, err) : r;
    r = unpack_file_go_on(w->dir_fd, x->title, &digest, &x->file, err);
    if (r == BERTH_E_BUSY && w->begun > w->landed && (r = land(w, 0, err)) == BERTH_OK)
        r = unpack_file_go_on(w->dir_fd, x->title, &digest, &x->file, err);
    return r;
}

static int open_target(struct work *w, struct coming *x, bool packed, berth_error *err)
{
    if (!packed)
        return open_file(w, x, err);
    int r = unpack_check_path(x->title, err);
    return r == BERTH_OK ? place_temporary(&x->packed_fd, err) : r;
}

static int begin(struct work *w, const struct coming *wanted, bool packed, berth_error *err)
{
    int r = land(w, AT_ONCE - 1, err);
    if (r != BERTH_OK)
        return r;
    struct coming *x = &w->coming[w->begun % AT_ONCE];
    *x = *wanted;
    if (!x->found)
        r = open_target(w, x, packed, err);
    if (r == BERTH_OK && !x->found) {
        x->item = x->listed ? progress_add(remote_progress(&w->o.remote), x->title, x->d->size) : NULL;
        place_progress(&w->from, x->item);
        r = fetch(w, x, err);
        place_progress(&w->from, NULL);
    }
    if (r == BERTH_OK)
        w->begun++;
    else
        coming_done(x);
    return r;
}

static bool is_wanted(const struct work *w, const berth_descriptor *d)
{
    for (size_t i = 0; i < w->o.types.n; i++)
        if (strcmp(w->o.types.p[i], d->media_type) == 0)
            return true;
    return w->o.types.n == 0;
}

/* How a layer is to be called; NULL: it is left out. */
static const char *title_of(const struct work *w, const berth_descriptor *d)
{
    const char *title = berth_descriptor_annotation(d, ARTIFACT_TITLE);
    return title && *title && is_wanted(w, d) ? title : NULL;
}

static bool is_packed(const struct work *w, const berth_descriptor *d)
{
    const char *unpack = berth_descriptor_annotation(d, ARTIFACT_UNPACK);
    return unpack && strcmp(unpack, "true") == 0 && !w->o.keep_packed;
}

/* A file that is there is read, if it may be the one: nothing is under way that would have to wait. */
static int look(struct work *w, const berth_descriptor *d, const char *title, bool *ret_found,
                berth_error *err)
{
    enum unpack_found found;
    berth_digest digest;
    int r = digest_parse(str_from(d->digest), &digest, err);
    if (r == BERTH_OK)
        r = unpack_file_look(w->dir_fd, title, &digest, d->size, &found, err);
    if (r != BERTH_OK)
        return r;
    *ret_found = found == UNPACK_SAME;
    return found == UNPACK_OTHER && !w->o.overwrite
               ? berth_error_set(err, BERTH_E_EXISTS, "'%s' is there already", title)
               : BERTH_OK;
}

static int look_for_all(struct work *w, berth_error *err)
{
    int r = BERTH_OK;
    w->found = mem_zalloc(MAX(w->image->n_layers, (size_t)1), sizeof(*w->found));
    if (!w->found)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (size_t i = 0; r == BERTH_OK && i < w->image->n_layers; i++) {
        const berth_descriptor *d = &w->image->layers[i];
        const char *title = title_of(w, d);
        if (title && d->size >= LARGE && !is_packed(w, d))
            r = look(w, d, title, &w->found[i], err);
    }
    return r;
}

static int pull(struct work *w, berth_error *err)
{
    struct coming x = {
        .file = UNPACK_FILE_INIT, .packed_fd = -1, .d = w->image->config, .title = w->o.config};
    int r = look_for_all(w, err);
    if (r == BERTH_OK && x.title && x.d)
        r = begin(w, &x, false, err);
    x.listed = true;
    for (size_t i = 0; r == BERTH_OK && i < w->image->n_layers; i++) {
        x.d = &w->image->layers[i];
        x.title = title_of(w, x.d);
        x.found = w->found[i];
        if (x.title)
            r = begin(w, &x, is_packed(w, x.d), err);
        else
            w->skipped++; /* nobody said what it is called */
    }
    return r == BERTH_OK ? land(w, 0, err) : r;
}

static int open_folder(struct work *w, berth_error *err)
{
    const char *folder = w->o.folder ? w->o.folder : ".";
    int r = io_mkdirs(folder, 0777, err);
    if (r == BERTH_OK && (w->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        r = berth_error_set(err, BERTH_E_IO, "opening '%s': %s", folder, strerror(errno));
    return r;
}

static int print(const struct cli_command *c, const struct work *w)
{
    const struct cli_base *b = &w->o.remote.base;
    if (!cli_wants_text(b))
        return cli_print(c, b,
                         json_pack("{s:s, s:s, s:O, s:I}", "name", w->from.name, "digest", w->image->digest,
                                   "files", w->files, "skipped", (json_int_t)w->skipped));
    for (size_t i = 0; i < json_array_size(w->files); i++) {
        place_print(json_string_value(json_object_get(json_array_get(w->files, i), "title")));
        printf("\n");
    }
    if (w->skipped)
        fprintf(stderr, "berth artifact pull: left out, without a title or not wanted: %zu blob%s\n",
                w->skipped, w->skipped == 1 ? "" : "s");
    return cli_printed(c);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(work_done)
    struct work w = {.o = {.remote = REMOTE_INIT, .unpack_max = UNPACK_MAX},
                     .from = PLACE_INIT,
                     .dir_fd = -1,
                     .files = json_array()};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &w.o.remote);
    if (rc >= 0)
        return rc;
    int r = place_open_first(&w.o.remote, false, &w.from, &err);
    if (r == BERTH_OK) {
        w.from.c->ranges = (unsigned)w.o.ranges;
        w.from.c->ranges_from = w.o.ranges_from;
    }
    if (r == BERTH_OK)
        r = w.from.c->ops->manifest_get(w.from.c, w.from.reference, &w.root, &err);
    if (r == BERTH_OK)
        r = place_image(&w.from, w.root, w.o.platform, &w.image, &err);
    if (r == BERTH_OK)
        r = open_folder(&w, &err);
    if (r == BERTH_OK)
        r = pull(&w, &err);
    give_up(&w); /* its bars must not stand in what is printed */
    return r == BERTH_OK ? print(c, &w) : remote_fail(c, &err);
}

const struct cli_command cmd_artifact_pull = {
    .name = "artifact pull",
    .summary = "fetch the files of an artifact",
    .operands = "REF",
    .text =
        "Writes the files of an artifact into a folder, under their titles. Folders are unpacked. Nothing is "
        "written outside the folder, through a link, or over what is there; a title or an archive that tries "
        "to is refused. Digests are checked before a file has its name. What came of a file of 1 MiB or more "
        "before the network failed for good, or before the command was stopped, stays beside it in "
        "FILE.DIGITS.part, named after the first digits of the digest, and the same command goes on from "
        "there. Files that are there with the right bytes are left as they are; of those, large ones are not "
        "fetched again. Folders come anew, and have their names when they are whole. Prints the titles. REF "
        "may be oci:PATH:TAG.",
    .options = options,
    .fields =
        (const struct cli_field[]){
            {"name", "string", "the repository or layout"},
            {"digest", "string", "of the artifact's manifest"},
            {"files[]", "object", "title, digest, mediaType, size, annotations of each"},
            {"skipped", "number", "blobs without a title, or of another media type"},
            {0}},
    .examples =
        (const struct cli_example[]){{"berth artifact pull localhost:5000/team/files:v1 -o folder", NULL},
                                     {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REFERENCE,
    .run = run,
};

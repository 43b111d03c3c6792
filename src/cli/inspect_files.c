/* cli/inspect_files.c - files within the layers of an image, read as they come (image-spec, layer.md): layers
 * from the uppermost down, and what an upper one has removed or replaced is not there any more. */
#include <stdio.h>

#include "cli/inspect.h"
#include "content/tar.h"
#include "util/compress.h"
#include "util/io.h"

#define LINKS_MAX 40 /* as Linux follows */

const berth_descriptor *inspect_layer(const berth_manifest *image, const char *which, berth_error *err)
{
    berth_str s = str_from(which);
    uint64_t n = 0;
    bool from_top = str_starts(s, STR("-"));
    if (str_to_u64(from_top ? str_from_offset(s, 1) : s, &n)) {
        size_t i = from_top ? image->n_layers - (size_t)n : (size_t)n;
        if (from_top ? n > 0 && n <= image->n_layers : n < image->n_layers)
            return &image->layers[i];
        berth_error_set(err, BERTH_E_NOT_FOUND, "it has %zu layers, counted from 0: there is no layer %.30s",
                        image->n_layers, which);
        return NULL;
    }
    for (size_t i = 0; i < image->n_layers; i++)
        if (strcmp(image->layers[i].digest, which) == 0)
            return &image->layers[i];
    berth_error_set(err, BERTH_E_NOT_FOUND, "'%.100s' is neither the number nor the digest of a layer",
                    which);
    return NULL;
}

/* --- one layer --- */

struct layer {
    const struct tar_events *events;
    void *arg;
    struct inflater *in;
    struct tar_reader *tar;
    berth_error err; /* of reading it: the blob itself comes to its end, for its digest */
};

static int to_tar(void *arg, const void *p, size_t n, berth_error *err)
{
    return tar_reader_write(((struct layer *)arg)->tar, p, n, err);
}

static int on_piece(void *arg, const void *p, size_t n)
{
    struct layer *l = arg;
    if (l->err.code == BERTH_OK)
        inflater_write(l->in, p, n, &l->err);
    return l->err.code == BERTH_E_CANCELLED;
}

static int read_layer(const struct place *p, const berth_descriptor *d, const struct tar_events *events,
                      void *arg, berth_error *err)
{
    struct layer l = {.events = events, .arg = arg, .err = BERTH_ERROR_INIT};
    int r = tar_reader_new(events, arg, &l.tar, err);
    if (r == BERTH_OK)
        r = inflater_new(to_tar, &l, &l.in, err);
    if (r == BERTH_OK)
        r = p->c->ops->blob_get(p->c, d, on_piece, &l, err);
    if (r == BERTH_OK && l.err.code == BERTH_OK && inflater_end(l.in, &l.err) == BERTH_OK)
        tar_reader_end(l.tar, &l.err);
    if (l.err.code != BERTH_OK && (r == BERTH_OK || r == BERTH_E_CANCELLED))
        r = berth_error_set(err, l.err.code, "layer %.20s...: %s", d->digest, l.err.message);
    inflater_free(l.in);
    tar_reader_free(l.tar);
    return r;
}

/* "./etc//hosts", "/etc/hosts" and "etc/hosts/" are "etc/hosts". "": the root. */
static char *clean(berth_arena *a, berth_str path)
{
    char *out = berth_arena_alloc(a, path.n + 1);
    size_t n = 0;
    berth_str name, rest = path;
    while (out && rest.n) {
        str_cut(rest, '/', &name, &rest);
        if (name.n == 0 || str_eq(name, STR(".")))
            continue;
        if (str_eq(name, STR(".."))) { /* above the root there is the root */
            while (n && out[--n] != '/')
                ;
            continue;
        }
        if (n)
            out[n++] = '/';
        memcpy(out + n, name.p, name.n);
        n += name.n;
    }
    if (out)
        out[n] = '\0';
    return out;
}

/* Whether @path is @folder or stands below it. */
static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return n == 0 || (strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

#define WHITEOUT ".wh."
#define OPAQUE   ".wh..wh..opq"

/* What a name says about the layers below: the path that is gone, or NULL. *@ret_opaque: what is below it,
 * and it stays. */
static char *whiteout_of(berth_arena *a, const char *path, bool *ret_opaque)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    berth_str folder = {path, (size_t)(name - path)};
    *ret_opaque = strcmp(name, OPAQUE) == 0;
    if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0)
        return NULL;
    return *ret_opaque ? clean(a, folder)
                       : berth_arena_printf(a, STR_FMT "%s", STR_ARG(folder), name + strlen(WHITEOUT));
}

/* --- all files --- */

struct listing {
    inspect_file_fn fn;
    void *arg;
    berth_arena arena;        /* of one entry */
    json_t *seen;             /* paths that upper layers have, or have removed */
    json_t *hidden;           /* folders whose lower content is gone */
    json_t *now, *now_hidden; /* those of the layer that is read */
};

/* @path, or a folder that leads to it, is an upper layer's. @path is cut on the way, and whole again. */
static bool is_hidden(const struct listing *l, char *path)
{
    bool hidden = json_object_get(l->seen, path) || json_object_get(l->hidden, "");
    for (char *slash = strchr(path, '/'); slash && !hidden; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        hidden = json_object_get(l->hidden, path);
        *slash = '/';
    }
    return hidden;
}

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int list_entry(void *arg, const struct tar_entry *e, berth_error *err)
{
    static const char *const kinds[] = {[TAR_FILE] = "file",
                                        [TAR_FOLDER] = "folder",
                                        [TAR_SYMLINK] = "symlink",
                                        [TAR_HARDLINK] = "hardlink",
                                        [TAR_OTHER] = "other"};
    struct listing *l = arg;
    bool opaque = false;
    berth_arena_reset(&l->arena);
    char *path = clean(&l->arena, str_from(e->path));
    if (!path)
        return no_memory(err);
    if (!*path)
        return BERTH_OK;
    char *gone = whiteout_of(&l->arena, path, &opaque);
    if (gone) {
        if (!opaque)
            json_object_set_new(l->now, gone, json_true());
        return json_object_set_new(l->now_hidden, gone, json_true()) == 0 ? BERTH_OK : no_memory(err);
    }
    if (is_hidden(l, path))
        return BERTH_OK;
    json_object_set_new(l->now, path, json_true());
    if (e->type != TAR_FOLDER) /* in place of a folder: what was in it is gone */
        json_object_set_new(l->now_hidden, path, json_true());
    return l->fn(l->arg, path, e->size, kinds[e->type]) == 0
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_CANCELLED, "cancelled");
}

static int pass(void *arg, const void *p, size_t n, berth_error *err)
{
    (void)arg, (void)p, (void)n, (void)err;
    return BERTH_OK;
}

int inspect_files(const struct place *p, const berth_manifest *image, inspect_file_fn fn, void *arg,
                  berth_error *err)
{
    static const struct tar_events events = {list_entry, pass, NULL};
    struct listing l = {.fn = fn, .arg = arg, .seen = json_object(), .hidden = json_object()};
    int r = l.seen && l.hidden ? BERTH_OK : no_memory(err);
    for (size_t i = image->n_layers; r == BERTH_OK && i-- > 0;) {
        l.now = json_object();
        l.now_hidden = json_object();
        r = l.now && l.now_hidden ? read_layer(p, &image->layers[i], &events, &l, err) : no_memory(err);
        if (r == BERTH_OK &&
            (json_object_update(l.seen, l.now) || json_object_update(l.hidden, l.now_hidden)))
            r = no_memory(err);
        json_decref(l.now);
        json_decref(l.now_hidden);
    }
    json_decref(l.seen);
    json_decref(l.hidden);
    berth_arena_done(&l.arena);
    return r;
}

/* --- one file --- */

struct search {
    berth_arena arena, entry; /* of @follow; of one entry */
    const char *want;         /* the path, clean */
    char *follow;             /* it is a link, or leads through one: to here */
    bool found, gone;         /* in this layer; removed by it */
    int fd;                   /* where its bytes go */
    bool copying;
    uint64_t size;
};

/* @link stands at @at, which is the wanted path or leads to it: the path that is meant then. */
static char *redirect(struct search *s, const char *at, const char *link)
{
    const char *behind = s->want + strlen(at), *slash = strrchr(at, '/');
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(64 * KIB);
    if (link[0] != '/' && slash)
        berth_buf_add(&b, at, (size_t)(slash - at));
    berth_buf_addf(&b, "/%s/%s", link, behind);
    return berth_buf_failed(&b) ? NULL : clean(&s->arena, berth_buf_str(&b));
}

static int search_entry(void *arg, const struct tar_entry *e, berth_error *err)
{
    struct search *s = arg;
    bool opaque = false;
    berth_arena_reset(&s->entry);
    char *path = clean(&s->entry, str_from(e->path));
    if (!path)
        return no_memory(err);
    char *gone = whiteout_of(&s->entry, path, &opaque);
    s->copying = false;
    if (gone) {
        s->gone = s->gone || (is_below(s->want, gone) && !(opaque && strcmp(s->want, gone) == 0));
        return BERTH_OK;
    }
    bool is_it = strcmp(path, s->want) == 0;
    if (is_it && e->type == TAR_FOLDER)
        return berth_error_set(err, BERTH_E_INVALID, "it is a folder");
    if (is_it && e->type == TAR_OTHER)
        return berth_error_set(err, BERTH_E_INVALID, "it is a device, a pipe or something like it");
    if (is_it && e->type == TAR_HARDLINK)
        s->follow = clean(&s->arena, str_from(e->link));
    else if (e->type == TAR_SYMLINK && *path && is_below(s->want, path))
        s->follow = redirect(s, path, e->link);
    else if (!is_it)
        return BERTH_OK;
    else if (ftruncate(s->fd, 0) < 0 || lseek(s->fd, 0, SEEK_SET) < 0) /* the last of the name counts */
        return berth_error_set(err, BERTH_E_IO, "a file can't be written again");
    else {
        s->copying = s->found = true;
        s->follow = NULL;
        s->size = e->size;
        return BERTH_OK;
    }
    return s->follow ? BERTH_OK : no_memory(err);
}

static int search_data(void *arg, const void *p, size_t n, berth_error *err)
{
    const struct search *s = arg;
    return s->copying ? io_write_all(s->fd, p, n, err) : BERTH_OK;
}

static int search_layers(const struct place *p, const berth_manifest *image, struct search *s,
                         berth_error *err)
{
    static const struct tar_events events = {search_entry, search_data, NULL};
    int r = BERTH_OK;
    for (size_t i = image->n_layers; r == BERTH_OK && i-- > 0 && !s->found && !s->follow && !s->gone;)
        r = read_layer(p, &image->layers[i], &events, s, err);
    return r;
}

int inspect_file(const struct place *p, const berth_manifest *image, const char *path, int fd,
                 uint64_t *ret_size, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena names = BERTH_ARENA_INIT;
    const char *want = clean(&names, str_from(path));
    int r = want ? BERTH_OK : no_memory(err);
    for (int links = 0; r == BERTH_OK; links++) {
        struct search s = {.want = want, .fd = fd};
        r = search_layers(p, image, &s, err);
        if (r == BERTH_OK && s.follow && links == LINKS_MAX)
            r = berth_error_set(err, BERTH_E_INVALID, "more than %d links lead on from there", LINKS_MAX);
        if (r == BERTH_OK && s.follow)
            want = berth_arena_dup(&names, str_from(s.follow));
        else if (r == BERTH_OK && !s.found)
            r = berth_error_set(err, BERTH_E_NOT_FOUND, "it is not in the image");
        bool found = s.found && !s.follow;
        *ret_size = s.size;
        berth_arena_done(&s.arena);
        berth_arena_done(&s.entry);
        if (r == BERTH_OK && !want)
            r = no_memory(err);
        if (found)
            break;
    }
    return r == BERTH_OK ? r : berth_error_prefix(err, "'%.150s'", path);
}

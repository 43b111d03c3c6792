/* repo/import_distribution.c - reads the storage tree of distribution (Docker's registry), versions 2 and 3:
 *
 *   blobs/<algorithm>/<2 digits>/<digits>/data               the bytes of everything, manifests included
 *   repositories/<name>/_manifests/tags/<tag>/current/link   the digest of a tag
 *   repositories/<name>/_manifests/revisions/<algorithm>/<digits>/link
 *   repositories/<name>/_layers/…                            which blobs the repository may show
 *
 * Layers that no manifest refers to are left behind. */
#include "repo/import.h"

#include <stdio.h>

#define LINK_MAX 1024

static int open_blob(struct import_repo *ir, const berth_digest *d, uint64_t size, int *ret_fd,
                     uint64_t *ret_size, berth_error *err)
{
    char path[32 + DIGEST_TEXT_MAX];
    const char *hex = strchr(d->text, ':') + 1;
    (void)size; /* there is but one place */
    snprintf(path, sizeof(path), "blobs/%s/%.2s/%s/data", hash_name(d->algorithm), hex, hex);
    return import_open_file(ir->dir_fd, path, ret_fd, ret_size, err);
}

/* The digest in the file @path. BERTH_E_NOT_FOUND; BERTH_E_INVALID. */
static int read_link(int dir_fd, const char *path, berth_digest *ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(LINK_MAX + 1);
    CLEANUP(closep) int fd = -1;
    uint64_t size;
    int rc = import_open_file(dir_fd, path, &fd, &size, err);
    if (rc == BERTH_OK)
        rc = import_read(fd, size, LINK_MAX, &text, err);
    if (rc != BERTH_OK)
        return rc;
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    return digest_parse(berth_buf_str(&text), ret, err);
}

static int import_tag(struct import_repo *ir, int tags_fd, const char *tag, berth_error *err)
{
    char path[OCI_TAG_MAX + 16];
    berth_digest d;
    berth_error why = BERTH_ERROR_INIT;
    if (!oci_tag_valid(str_from(tag))) {
        ir->im->res->skipped++;
        import_say(ir->im, ir->name, "'%s' skipped: this is not a valid tag", tag);
        return BERTH_OK;
    }
    snprintf(path, sizeof(path), "%s/current/link", tag);
    int rc = read_link(tags_fd, path, &d, &why);
    if (rc == BERTH_E_NOMEM || rc == BERTH_E_IO)
        return berth_error_set(err, rc, "%s", why.message);
    if (rc != BERTH_OK) {
        ir->im->res->failed++;
        import_say(ir->im, ir->name, "tag %s is not imported: %s", tag, why.message);
        return BERTH_OK;
    }
    return import_manifest(ir, &d, STR_NULL, IMPORT_SIZE_UNKNOWN, str_from(tag), err);
}

/* A revision without its link was deleted. */
static int import_revision(struct import_repo *ir, int fd, const char *algorithm, const char *hex,
                           berth_error *err)
{
    char path[DIGEST_TEXT_MAX + 16];
    berth_digest d;
    berth_error why = BERTH_ERROR_INIT;
    bool there;
    int n = snprintf(path, sizeof(path), "%s:%s", algorithm, hex);
    if (n < 0 || (size_t)n >= sizeof(path) || digest_parse(str_from(path), &d, NULL) != BERTH_OK)
        return BERTH_OK;
    snprintf(path, sizeof(path), "%s/link", hex);
    int rc = import_is_file(fd, path, &there, &why);
    if (rc != BERTH_OK)
        return import_pass_over(ir->im, ir->name, rc, &why, err);
    return there ? import_manifest(ir, &d, STR_NULL, IMPORT_SIZE_UNKNOWN, STR_NULL, err) : BERTH_OK;
}

/* Calls for each tag with @algorithm NULL, else for each revision; a folder that is not there has none. */
static int import_names(struct import_repo *ir, int repo_fd, const char *path, const char *algorithm,
                        berth_error *err)
{
    CLEANUP(import_closedirp) DIR *dir = NULL;
    const char *entry;
    berth_error why = BERTH_ERROR_INIT;
    int rc = import_opendir(repo_fd, path, &dir, &why);
    if (rc == BERTH_E_NOT_FOUND)
        return BERTH_OK;
    while (rc == BERTH_OK &&
           (rc = import_entry(dir, &entry, &why)) == BERTH_OK) { /* a tag may begin with '_' */
        if (!entry)
            return BERTH_OK;
        rc = algorithm ? import_revision(ir, dirfd(dir), algorithm, entry, err)
                       : import_tag(ir, dirfd(dir), entry, err);
        if (rc != BERTH_OK)
            return rc;
    }
    return import_pass_over(ir->im, ir->name, rc, &why, err);
}

static int import_one(struct import *im, int v2_fd, int repo_fd, const char *name, berth_error *err)
{
    struct import_repo ir = {.im = im, .name = name, .open_blob = open_blob, .dir_fd = v2_fd};
    bool may;
    int rc = import_repo_may(im, name, &may, err);
    if (rc != BERTH_OK || !may)
        return rc;
    rc = import_names(&ir, repo_fd, "_manifests/tags", NULL, err);
    for (unsigned i = 0; rc == BERTH_OK && i < HASH_ALGORITHMS_; i++) {
        char path[64];
        const char *algorithm = hash_name((enum hash_algorithm)i);
        snprintf(path, sizeof(path), "_manifests/revisions/%s", algorithm);
        rc = import_names(&ir, repo_fd, path, algorithm, err);
    }
    import_repo_end(&ir);
    return rc;
}

/* The repositories in and below @path of @dir_fd; @name holds that path below `repositories`. */
static int walk(struct import *im, int v2_fd, int dir_fd, const char *path, berth_buf *name, unsigned depth,
                berth_error *err)
{
    CLEANUP(import_closedirp) DIR *dir = NULL;
    const char *entry;
    bool is_repository = false;
    berth_error why = BERTH_ERROR_INIT;
    int rc = import_go_on(im, err);
    if (rc != BERTH_OK)
        return rc;
    rc = import_opendir(dir_fd, path, &dir, &why);
    if (rc == BERTH_E_NOT_FOUND) /* a file, a link */
        return BERTH_OK;
    if (rc == BERTH_OK && name->n)
        rc = import_is_folder(dirfd(dir), "_manifests", &is_repository, &why);
    if (rc == BERTH_OK && is_repository) {
        rc = import_one(im, v2_fd, dirfd(dir), berth_buf_cstr(name), err);
        if (rc != BERTH_OK)
            return rc;
    }
    while (rc == BERTH_OK && depth < IMPORT_DEPTH_MAX) {
        size_t before = name->n;
        rc = import_next(dir, &entry, &why);
        if (rc != BERTH_OK || !entry)
            break;
        berth_buf_addf(name, before ? "/%s" : "%s", entry);
        rc = berth_buf_cstr(name) ? walk(im, v2_fd, dirfd(dir), entry, name, depth + 1, err)
                                  : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        name->n = before;
        if (rc != BERTH_OK)
            return rc;
    }
    return import_listed(im, name, rc, &why, err);
}

int import_distribution(struct import *im, int fd, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(IMPORT_DEPTH_MAX * 300);
    return walk(im, fd, fd, "repositories", &name, 0, err);
}

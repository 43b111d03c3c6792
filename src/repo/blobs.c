/* repo/blobs.c - blobs that exist: reading, promising, mounting, deleting. A blob is visible only through a
 * repository that links it. */
#include "repo/repo_private.h"

int repo_blob_open(repo *r, berth_str name, const berth_digest *d, bool with_bytes, berth_arena *a,
                   struct repo_blob *ret, berth_error *err)
{
    /* The row may name an object that the collector has just removed, when the blob was collected and pushed
     * again between our two steps: ask once more. */
    for (int attempt = 0;; attempt++) {
        struct meta_blob b = {0};
        int rc = r->m->ops->blob_get(r->m, name, d, with_bytes, a, &b, err);
        if (rc != BERTH_OK)
            return rc;
        struct repo_blob blob = {.size = b.size, .body = b.body, .lease_due = b.lease_due};
        if (with_bytes && !b.key[0] && b.body.n != b.size)
            return berth_error_set(
                err, BERTH_E_CORRUPT,
                "the bytes of blob %s in the database have the wrong size: run `berth check`", d->text);
        if (with_bytes && b.key[0]) {
            rc = store_open(r->store, b.key, &blob.reader, err);
            if (rc == BERTH_E_NOT_FOUND && attempt == 0)
                continue;
            if (rc == BERTH_E_NOT_FOUND)
                return berth_error_set(err, BERTH_E_CORRUPT,
                                       "the object of blob %s is missing from the store: run `berth check`",
                                       d->text);
            if (rc != BERTH_OK)
                return rc;
            if (store_reader_size(blob.reader) != b.size) {
                store_close(blob.reader);
                return berth_error_set(err, BERTH_E_CORRUPT,
                                       "the object of blob %s has the wrong size: run `berth check`",
                                       d->text);
            }
        }
        *ret = blob;
        return BERTH_OK;
    }
}

void repo_blob_close(struct repo_blob *b)
{
    store_close(steal(&b->reader));
}

int repo_blob_fd(const struct repo_blob *b)
{
    return b->reader ? store_reader_fd(b->reader) : -1;
}

int repo_blob_read(const struct repo_blob *b, uint64_t offset, void *p, size_t n, size_t *ret_n,
                   berth_error *err)
{
    return store_read(b->reader, offset, p, n, ret_n, err);
}

int repo_blob_promise(repo *r, berth_str name, const berth_digest *d, berth_error *err)
{
    return r->m->ops->blob_lease(r->m, name, d, err);
}

int repo_blob_mount(repo *r, berth_str name, berth_str from, const berth_digest *d, berth_error *err)
{
    const struct repo_policy *p = repo_policy_now(r);
    int rc = repo__may_write(r, err);
    if (rc != BERTH_OK)
        return rc;
    if (from.n == 0 && !p->mount_anywhere)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "mounting without 'from' is switched off");
    return r->m->ops->blob_mount(r->m, name, p->auto_create, from, d, NULL, NULL, err);
}

int repo_blob_delete(repo *r, berth_str name, const berth_digest *d, berth_arena *a,
                     struct oci_list *ret_referrers, berth_error *err)
{
    int rc = repo__may_delete(r, err);
    return rc == BERTH_OK ? r->m->ops->blob_delete(r->m, name, d, a, ret_referrers, err) : rc;
}

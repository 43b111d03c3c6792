/* repo/manifests.c - what a manifest must satisfy to be stored, and how it is found, promised and deleted. */
#include "repo/repo_private.h"

static bool any_prefix(berth_str url, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(url, str_from(prefixes[i])))
            return true;
    return false;
}

/* The lists for "urls" of foreign layers: a denied prefix, or one that no allowed prefix covers, refuses the
 * push. */
static int check_urls(const struct repo_policy *p, const oci_manifest *man, berth_str *ret_url,
                      berth_error *err)
{
    for (size_t i = 0; i < man->n_blobs; i++)
        for (size_t k = 0; k < man->blobs[i].n_urls; k++) {
            berth_str url = man->blobs[i].urls[k];
            if (any_prefix(url, p->urls_deny, p->n_urls_deny) ||
                (p->n_urls_allow && !any_prefix(url, p->urls_allow, p->n_urls_allow))) {
                *ret_url = url;
                return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                           "the layer %s names the URL '" STR_FMT
                                           "', which is not allowed here",
                                           man->blobs[i].digest.text, STR_ARG(url));
            }
        }
    return BERTH_OK;
}

/* Sparse indexes: whether this child of an index may be absent. */
static bool child_may_miss(const struct repo_policy *p, const oci_descriptor *child)
{
    if (p->sparse != REPO_SPARSE_PLATFORMS)
        return p->sparse == REPO_SPARSE_ALL;
    for (size_t i = 0; i < p->n_platforms; i++) {
        oci_platform want;
        if (child->has_platform && oci_platform_parse(str_from(p->platforms[i]), &want) &&
            oci_platform_matches(&child->platform, &want))
            return false;
    }
    return true;
}

/* An index may list blobs: BuildKit keeps a cache so, and an unknown mediaType is no error (image-spec,
 * image-index.md). What is here as a manifest is one, whatever the index calls it. */
static int child_is_blob(meta *m, berth_str name, const oci_descriptor *child, berth_arena *a, bool *ret,
                         berth_error *err)
{
    struct oci_stored stored;
    *ret = false;
    if (!child->media_type.n || mediatype_kind(child->media_type) != MANIFEST_OTHER)
        return BERTH_OK;
    int rc = m->ops->manifest_get(m, name, STR_NULL, &child->digest, false, a, &stored, err);
    *ret = rc == BERTH_E_NOT_FOUND;
    return rc == BERTH_E_NOT_FOUND ? BERTH_OK : rc;
}

int repo__describe_manifest(meta *m, const struct repo_policy *p, const oci_manifest *man, berth_arena *a,
                            struct meta_manifest_put *put, berth_error *err)
{
    struct meta_edge *blobs = berth_arena_alloc(a, (man->n_blobs + man->n_children + 1) * sizeof(*blobs));
    struct meta_edge *children = berth_arena_alloc(a, (man->n_children + 1) * sizeof(*children));
    if (!blobs || !children)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    put->media_type = man->media_type;
    put->artifact_type = man->artifact_type;
    put->annotations = man->annotations;
    put->subject = man->has_subject ? digest_str(&man->subject.digest) : STR_NULL;
    put->blobs = blobs;
    put->children = children;
    for (size_t i = 0; i < man->n_blobs; i++)
        blobs[put->n_blobs++] = (struct meta_edge){digest_str(&man->blobs[i].digest),
                                                   man->blobs[i].foreign || p->sparse == REPO_SPARSE_ALL};
    for (size_t i = 0; i < man->n_children; i++) {
        const oci_descriptor *child = &man->children[i];
        struct meta_edge edge = {digest_str(&child->digest), child_may_miss(p, child)};
        bool is_blob;
        int rc = child_is_blob(m, put->repo, child, a, &is_blob, err);
        if (rc != BERTH_OK)
            return rc;
        if (is_blob)
            blobs[put->n_blobs++] = edge;
        else
            children[put->n_children++] = edge;
    }
    return BERTH_OK;
}

int repo_manifest_put(repo *r, const struct repo_manifest_put *put, berth_arena *a,
                      struct repo_manifest_stored *ret, berth_error *err)
{
    const struct repo_policy *p = repo_policy_now(r);
    int rc = repo__may_write(r, err);
    if (rc == BERTH_OK)
        rc = repo__has_space(r, 0, err);
    if (rc != BERTH_OK)
        return rc;

    const oci_reference *ref = &put->reference;
    digest_of(ref->is_digest ? ref->digest.algorithm : HASH_SHA256, put->body.p, put->body.n, &ret->digest);
    if (ref->is_digest && !digest_eq(&ret->digest, &ref->digest))
        return berth_error_set_oci(err, BERTH_E_DIGEST, "DIGEST_INVALID",
                                   "the manifest has the digest %s, not the one in the URL",
                                   ret->digest.text);

    oci_manifest man;
    rc = oci_manifest_parse(put->body.p, put->body.n, put->content_type, NULL, a, &man, err);
    if (rc != BERTH_OK)
        return rc;
    if (man.kind == MANIFEST_SCHEMA1 && !p->schema1)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "Docker schema 1 is not accepted here (setting registry.schema1): push "
                                   "schema 2 or an OCI manifest");
    rc = check_urls(p, &man, &ret->refused_url, err);
    if (rc != BERTH_OK)
        return rc;

    struct meta_manifest_put row = {
        .repo = put->name,
        .create_repo = p->auto_create,
        .digest = &ret->digest,
        .body = put->body,
        .tags = ref->is_digest ? put->tags : &ref->tag,
        .n_tags = ref->is_digest ? put->n_tags : 1,
        .condition = put->condition,
        .condition_tag = ref->is_digest ? STR_NULL : ref->tag,
    };
    ret->has_subject = man.has_subject;
    if (man.has_subject)
        ret->subject = man.subject.digest;
    rc = repo__describe_manifest(r->m, p, &man, a, &row, err);
    return rc == BERTH_OK ? r->m->ops->manifest_put(r->m, &row, a, &ret->missing, err) : rc;
}

int repo_manifest_get(repo *r, berth_str name, const oci_reference *ref, bool with_body, berth_arena *a,
                      struct oci_stored *ret, berth_error *err)
{
    return r->m->ops->manifest_get(r->m, name, ref->is_digest ? STR_NULL : ref->tag, &ref->digest, with_body,
                                   a, ret, err);
}

int repo_manifest_promise(repo *r, berth_str name, const berth_digest *d, berth_error *err)
{
    return r->m->ops->manifest_lease(r->m, name, d, err);
}

int repo_manifest_for_platform(repo *r, berth_str name, const struct oci_stored *index, berth_str platform,
                               berth_arena *a, struct oci_stored *ret, berth_error *err)
{
    oci_manifest man;
    oci_platform want;
    if (!oci_platform_parse(platform, &want))
        return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' is not a platform", STR_ARG(platform));
    int rc = oci_manifest_parse(index->body.p, index->body.n, index->media_type, NULL, a, &man, err);
    if (rc != BERTH_OK)
        return rc;
    for (size_t i = 0; i < man.n_children; i++) {
        const oci_descriptor *child = &man.children[i];
        if (!child->has_platform || !oci_platform_matches(&child->platform, &want))
            continue;
        rc = r->m->ops->manifest_get(r->m, name, STR_NULL, &child->digest, true, a, ret, err);
        if (rc != BERTH_E_NOT_FOUND)
            return rc;
    }
    return berth_error_set(err, BERTH_E_NOT_FOUND, "the index has no manifest for " STR_FMT,
                           STR_ARG(platform));
}

int repo_manifest_delete(repo *r, berth_str name, const oci_reference *ref,
                         const struct oci_condition *condition, berth_error *err)
{
    int rc = repo__may_delete(r, err);
    if (rc != BERTH_OK)
        return rc;
    return ref->is_digest ? r->m->ops->manifest_delete(r->m, name, &ref->digest, condition, err)
                          : r->m->ops->tag_delete(r->m, name, ref->tag, condition, err);
}

int repo_tag_list(repo *r, berth_str name, berth_str after, size_t n, berth_arena *a, struct oci_list *ret,
                  berth_error *err)
{
    return r->m->ops->tag_list(r->m, name, after, n, a, ret, err);
}

/* Clients accept 4 MiB of a manifest; the rest is for what surrounds the annotations. */
#define REFERRERS_PAGE_BYTES (3 * MIB)

int repo_referrers(repo *r, berth_str name, const berth_digest *subject, berth_str artifact_type,
                   berth_str after_type, berth_str after_digest, size_t n, berth_arena *a,
                   struct oci_referrers *ret, berth_error *err)
{
    return r->m->ops->referrers(r->m, name, digest_str(subject), artifact_type, after_type, after_digest, n,
                                REFERRERS_PAGE_BYTES, a, ret, err);
}

/* repo/repo.c - opens the rules over metadata and store, holds the policy, and answers what needs no more
 * than that. */
#include "repo/repo_private.h"

#include "util/buf.h"
#include "util/fault.h"

static int copy_list(berth_arena *a, const char *const *from, size_t n, const char *const **ret,
                     berth_error *err)
{
    const char **to = berth_arena_alloc(a, MAX(n, (size_t)1) * sizeof(*to));
    for (size_t i = 0; to && i < n; i++) {
        to[i] = berth_arena_dup(a, str_from(from[i]));
        if (!to[i])
            to = NULL;
    }
    if (!to)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory for the policy");
    *ret = to;
    return BERTH_OK;
}

int repo_set_policy(repo *r, const struct repo_policy *policy, berth_error *err)
{
    berth_arena *a;
    struct repo_policy *p = publish_new(sizeof(*p), &a);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory for the policy");
    *p = *policy;
    int rc = copy_list(a, policy->platforms, policy->n_platforms, &p->platforms, err);
    if (rc == BERTH_OK)
        rc = copy_list(a, policy->urls_allow, policy->n_urls_allow, &p->urls_allow, err);
    if (rc == BERTH_OK)
        rc = copy_list(a, policy->urls_deny, policy->n_urls_deny, &p->urls_deny, err);
    if (rc == BERTH_OK)
        publish_put(&r->policy, p);
    else
        publish_discard(p);
    return rc;
}

const struct repo_policy *repo_policy_now(repo *r)
{
    return publish_now(&r->policy);
}

int repo_new(meta *m, blob_store *s, const struct repo_policy *policy, repo **ret_r, berth_error *err)
{
    repo *r = fault_hit() ? NULL : mem_zalloc(1, sizeof(*r));
    if (!r)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    r->m = m;
    r->store = s;
    pthread_mutex_init(&r->gc_lock, NULL);
    pthread_mutex_init(&r->removal_lock, NULL);
    uint64_t number;
    io_random(&number, sizeof(number));
    atomic_init(&r->ids.next, number);
    int rc = repo_set_policy(r, policy, err);
    if (rc == BERTH_OK)
        rc = m->ops->secret(m, "sessions", r->ids.secret, sizeof(r->ids.secret), err);
    if (rc != BERTH_OK) {
        repo_free(r);
        return rc;
    }
    *ret_r = r;
    return BERTH_OK;
}

void repo_free(repo *r)
{
    if (!r)
        return;
    publish_done(&r->policy);
    pthread_mutex_destroy(&r->gc_lock);
    pthread_mutex_destroy(&r->removal_lock);
    mem_free(r);
}

void repo_set_read_only(repo *r, bool on)
{
    atomic_store(&r->read_only, on);
}

bool repo_is_read_only(repo *r)
{
    return atomic_load(&r->read_only) || repo_policy_now(r)->read_only;
}

bool repo_reads_inline(repo *r)
{
    return r->m->ops->local;
}

int repo_ready(repo *r, berth_error *err)
{
    /* Not now(): SQLite's needs no database. No repository has this name; that it is unknown was read. */
    int rc = r->m->ops->repo_exists(r->m, STR("!"), err);
    if (rc == BERTH_E_NOT_FOUND)
        rc = BERTH_OK;
    uint64_t space;
    if (rc == BERTH_OK && r->store->ops->space)
        rc = r->store->ops->space(r->store, &space, err);
    return rc;
}

static void print_number(berth_buf *out, const char *type, const char *name, const char *help, double v)
{
    berth_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, v);
}

void repo_print_metrics(repo *r, berth_buf *out)
{
    struct meta_stats s = {0};
    uint64_t space;
    r->m->ops->stats(r->m, &s);
    print_number(out, "counter", "berth_metadata_transactions_total",
                 "Transactions that the writer of the database committed.", (double)s.transactions);
    print_number(out, "counter", "berth_metadata_operations_total", "Operations in those transactions.",
                 (double)s.operations);
    print_number(out, "counter", "berth_metadata_failures_total", "Operations that were refused or failed.",
                 (double)s.failures);
    print_number(out, "gauge", "berth_metadata_writer_queue", "Operations that wait for the writer.",
                 (double)s.queue);
    print_number(out, "counter", "berth_metadata_commit_seconds_total", "Time spent in commits.",
                 (double)s.commit_us / 1e6);
    print_number(out, "counter", "berth_gc_runs_total", "Collections that ran.", (double)r->collected.runs);
    print_number(out, "counter", "berth_gc_failures_total", "Collections that failed.",
                 (double)r->collected.failures);
    print_number(out, "counter", "berth_gc_manifests_total", "Manifests that collections removed.",
                 (double)r->collected.manifests);
    print_number(out, "counter", "berth_gc_blobs_total", "Blobs that collections removed.",
                 (double)r->collected.blobs);
    print_number(out, "counter", "berth_gc_uploads_total", "Upload sessions that collections removed.",
                 (double)r->collected.uploads);
    print_number(out, "counter", "berth_gc_objects_total", "Objects that collections removed from the store.",
                 (double)r->collected.objects);
    print_number(out, "counter", "berth_gc_bytes_total", "Bytes of those objects and of inline blobs.",
                 (double)r->collected.bytes);
    if (r->store->ops->space && r->store->ops->space(r->store, &space, NULL) == BERTH_OK)
        print_number(out, "gauge", "berth_store_free_bytes", "Free space of the store.", (double)space);
}

int repo__may_write(repo *r, berth_error *err)
{
    if (repo_is_read_only(r))
        return berth_error_set_oci(
            err, BERTH_E_UNSUPPORTED, "UNSUPPORTED",
            "the registry is read-only at present: pull works, push and delete do not");
    return BERTH_OK;
}

int repo__may_delete(repo *r, berth_error *err)
{
    if (!repo_policy_now(r)->deletes)
        return berth_error_set_oci(err, BERTH_E_UNSUPPORTED, "UNSUPPORTED",
                                   "deletion is switched off here (setting registry.deletes)");
    return repo__may_write(r, err);
}

int repo__has_space(repo *r, uint64_t more, berth_error *err)
{
    uint64_t reserve = repo_policy_now(r)->reserve, space;
    if (!reserve || !r->store->ops->space)
        return BERTH_OK;
    int rc = r->store->ops->space(r->store, &space, err);
    if (rc == BERTH_OK && space < reserve)
        rc = berth_error_set(
            err, BERTH_E_NO_SPACE,
            "the store is nearly full: uploads are refused until space is freed; pulls and deletes go on");
    else if (rc == BERTH_OK && space - reserve < more)
        rc = berth_error_set(err, BERTH_E_NO_SPACE,
                             "the store has room for %llu bytes, not for %llu: free space first",
                             (unsigned long long)(space - reserve), (unsigned long long)more);
    return rc;
}

int repo_catalog(repo *r, berth_str after, size_t n, berth_arena *a, struct oci_list *ret, berth_error *err)
{
    return r->m->ops->repo_list(r->m, after, n, a, ret, err);
}

int repo_delete(repo *r, berth_str name, berth_error *err)
{
    int rc = repo__may_delete(r, err);
    return rc == BERTH_OK ? r->m->ops->repo_delete(r->m, name, err) : rc;
}

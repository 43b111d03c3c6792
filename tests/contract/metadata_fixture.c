/* tests/contract/metadata_fixture.c - the words in which the contract's tests are written; see metadata.h. */
#include "contract/metadata.h"

struct fixture f;
static const struct metadata_driver *driver;

static const struct meta_times test_times = {.grace_ms = G, .drain_ms = D, .result_ms = 600000};

void reopen_with(const struct meta_times *times)
{
    if (f.m)
        f.m->ops->free(f.m);
    f.m = NULL;
    CHECK_OK(driver->open(times, &f.m, &test_err));
}

int fixture_open(void **state)
{
    (void)state;
    test_err = (berth_error)BERTH_ERROR_INIT;
    reopen_with(&test_times);
    return 0;
}

int fixture_close(void **state)
{
    (void)state;
    f.m->ops->free(f.m);
    f.m = NULL;
    berth_arena_done(&f.a);
    return 0;
}

void later(int64_t ms)
{
    driver->shift_clock(f.m, ms);
}

const berth_digest *dg(const char *name)
{
    berth_digest *d = berth_arena_alloc(&f.a, sizeof(*d));
    CHECK(d);
    digest_of(HASH_SHA256, name, strlen(name), d);
    return d;
}

berth_str ds(const char *name)
{
    return digest_str(dg(name));
}

berth_str body_of(const char *name)
{
    return str_from(berth_arena_printf(&f.a, "the bytes of %s", name));
}

void push_blob(const char *repo, const char *name)
{
    CHECK_OK(f.m->ops->blob_put(f.m, str_from(repo), true, dg(name), body_of(name), &test_err));
}

const char *push_object(const char *repo, const char *name)
{
    int64_t now;
    struct meta_upload u = {.algorithm = HASH_SHA256};
    CHECK_OK(f.m->ops->now(f.m, &now, &test_err));
    u.expires_at = now + HOUR;
    io_random_uuid(u.id);
    io_random_key(u.key);
    CHECK_OK(f.m->ops->upload_begin(f.m, str_from(repo), true, &u, &test_err));
    CHECK_OK(f.m->ops->upload_claim(f.m, str_from(repo), str_from(u.id), NULL, &u, &test_err));
    CHECK_OK(f.m->ops->upload_commit(f.m,
                                     &(struct meta_commit){.repo = str_from(repo),
                                                           .id = str_from(u.id),
                                                           .epoch = u.epoch,
                                                           .digest = dg(name),
                                                           .size = body_of(name).n},
                                     &test_err));
    return berth_arena_dup(&f.a, str_from(u.key));
}

/* Splits at spaces into digests, or into the words themselves. */
static size_t split(const char *words, struct meta_edge *edges, berth_str *strs)
{
    size_t n = 0;
    berth_str head, tail = str_from(words);
    while (tail.n) {
        str_cut(tail, ' ', &head, &tail);
        if (!head.n)
            continue;
        bool may_miss = head.p[0] == '?';
        if (may_miss)
            head = str_from_offset(head, 1);
        if (edges)
            edges[n] = (struct meta_edge){ds(berth_arena_dup(&f.a, head)), may_miss};
        else
            strs[n] = head;
        n++;
    }
    return n;
}

int put(const struct put *p, struct oci_list *ret_missing, berth_error *err)
{
    struct meta_edge blobs[32], children[32];
    berth_str tags[32];
    struct oci_list missing = {0};
    struct meta_manifest_put row = {
        .repo = str_from(p->repo),
        .create_repo = true,
        .digest = dg(p->name),
        .media_type = str_from(p->media_type ? p->media_type : "application/vnd.oci.image.manifest.v1+json"),
        .artifact_type = str_from(p->type),
        .subject = p->subject ? ds(p->subject) : STR_NULL,
        .body = body_of(p->name),
        .blobs = blobs,
        .children = children,
        .tags = tags,
        .condition = p->condition,
        .condition_tag = str_from(p->condition_tag),
    };
    row.n_blobs = split(p->layers, blobs, NULL);
    row.n_children = split(p->children, children, NULL);
    row.n_tags = split(p->tags, NULL, tags);
    return f.m->ops->manifest_put(f.m, &row, &f.a, ret_missing ? ret_missing : &missing, err);
}

void push_manifest(const struct put *p)
{
    CHECK_OK(put(p, NULL, &test_err));
}

bool has_blob(const char *repo, const char *name)
{
    struct meta_blob b;
    int r = f.m->ops->blob_get(f.m, str_from(repo), dg(name), false, &f.a, &b, &test_err);
    CHECK(r == BERTH_OK || r == BERTH_E_NOT_FOUND);
    return r == BERTH_OK;
}

bool has_manifest(const char *repo, const char *name)
{
    struct oci_stored got;
    int r = f.m->ops->manifest_get(f.m, str_from(repo), STR_NULL, dg(name), true, &f.a, &got, &test_err);
    CHECK(r == BERTH_OK || r == BERTH_E_NOT_FOUND);
    if (r == BERTH_OK)
        CHECK_STR(got.body, body_of(name));
    return r == BERTH_OK;
}

bool has_tag(const char *repo, const char *tag, const char *name)
{
    struct oci_stored got;
    int r = f.m->ops->manifest_get(f.m, str_from(repo), str_from(tag), NULL, true, &f.a, &got, &test_err);
    CHECK(r == BERTH_OK || r == BERTH_E_NOT_FOUND);
    return r == BERTH_OK && digest_eq(&got.digest, dg(name)) && str_eq(got.body, body_of(name));
}

struct meta_gc_step collect(void)
{
    struct meta_gc_step sum = {0}, step;
    unsigned rounds = 0;
    do {
        CHECK_OK(f.m->ops->gc_step(f.m, 7, &step, &test_err));
        sum.manifests += step.manifests;
        sum.links += step.links;
        sum.blobs += step.blobs;
        sum.uploads += step.uploads;
        sum.repositories += step.repositories;
        sum.bytes += step.bytes;
        sum.next_due = step.next_due;
        CHECK(++rounds < 10000);
    } while (step.more);
    return sum;
}

size_t drain_objects(void)
{
    struct meta_gc_object *due;
    size_t n, all = 0;
    for (;;) {
        CHECK_OK(f.m->ops->gc_objects(f.m, 3, &f.a, &due, &n, &test_err));
        if (!n)
            return all;
        for (size_t i = 0; i < n; i++)
            CHECK_OK(f.m->ops->gc_objects_done(f.m, &(const char *){due[i].key}, 1, &test_err));
        all += n;
    }
}

void check_sound(void)
{
    struct oci_list problems = {0};
    CHECK_OK(f.m->ops->integrity(f.m, false, &f.a, &problems, &test_err));
    if (problems.n)
        fail_msg(STR_FMT, STR_ARG(problems.items[0]));
}

size_t count_referrers(const char *repo, const char *subject)
{
    size_t all = 0;
    struct oci_referrers page = {.more = true};
    berth_str type = STR(""), digest = STR("");
    while (page.more) {
        CHECK_OK(f.m->ops->referrers(f.m, str_from(repo), ds(subject), STR(""), type, digest, 50, 1 * MIB,
                                     &f.a, &page, &test_err));
        all += page.n;
        if (page.n) {
            type = page.items[page.n - 1].artifact_type;
            digest = page.items[page.n - 1].digest;
        }
    }
    return all;
}

size_t count_tags(const char *repo)
{
    struct oci_list l;
    CHECK_OK(f.m->ops->tag_list(f.m, str_from(repo), STR(""), 1000000, &f.a, &l, &test_err));
    return l.n;
}

extern const struct CMUnitTest content_tests[];
extern const size_t content_tests_n;

int metadata_contract(const struct metadata_driver *d)
{
    driver = d;
    struct CMUnitTest all[256];
    size_t n = 0;
    const struct {
        const struct CMUnitTest *tests;
        size_t n;
    } files[] = {{content_tests, content_tests_n},
                 {collector_tests, collector_tests_n},
                 {thread_tests, thread_tests_n},
                 {backup_tests, backup_tests_n}};
    for (size_t i = 0; i < COUNT(files); i++)
        for (size_t k = 0; k < files[i].n; k++)
            all[n++] = files[i].tests[k];
    return _cmocka_run_group_tests("metadata contract", all, n, NULL, NULL);
}

/* tests/fault/absence.c - whatever call fails, what is there is never taken for absent. Each question that a
 * client or another room may ask, on a registry just opened, with its first call failing, its second, and so
 * on: the answer is the right one, or an error that is no "not found". */
#include "vfs.h"
#include "world.h"

#include "util/fault.h"

static char finished[37]; /* a session that ended lately, with this: */
static berth_digest finished_with;
static size_t objects; /* as count_object() counts them */

/* --- the questions: BERTH_OK and the right answer, or an error --- */

static int wrong(const char *what)
{
    fail_msg("%s: a wrong answer", what);
    return BERTH_OK;
}

static int ask_blob_size(struct world *w, berth_error *err)
{
    struct repo_blob b;
    int r = repo_blob_open(w->f.r, STR(KEPT), &seed.layer, false, &w->f.a, &b, err);
    return r != BERTH_OK || b.size == seed.layer_body.n ? r : wrong("a blob's size");
}

static int ask_blob_bytes(struct world *w, const berth_digest *d, berth_str body, berth_error *err)
{
    struct repo_blob b;
    int r = repo_blob_open(w->f.r, STR(KEPT), d, true, &w->f.a, &b, err);
    if (r != BERTH_OK)
        return r;
    char piece[2000];
    size_t n = b.body.n;
    if (b.reader)
        r = repo_blob_read(&b, 0, piece, sizeof(piece), &n, err);
    if (r == BERTH_OK && (n != body.n || memcmp(b.reader ? piece : b.body.p, body.p, n) != 0))
        wrong("a blob's bytes");
    repo_blob_close(&b);
    return r;
}
static int ask_blob(struct world *w, berth_error *err)
{
    return ask_blob_bytes(w, &seed.layer, seed.layer_body, err);
}
static int ask_small_blob(struct world *w, berth_error *err)
{
    return ask_blob_bytes(w, &seed.config, STR("{}"), err);
}

static int ask_manifest_as(struct world *w, const oci_reference *ref, const berth_digest *d, berth_error *err)
{
    struct oci_stored m;
    int r = repo_manifest_get(w->f.r, STR(KEPT), ref, true, &w->f.a, &m, err);
    if (r != BERTH_OK)
        return r;
    berth_digest have = digest_sha256(m.body);
    return digest_eq(&have, d) ? r : wrong("a manifest");
}
static int ask_tag(struct world *w, berth_error *err)
{
    return ask_manifest_as(w, &(oci_reference){.tag = STR("multi")}, &seed.index, err);
}
static int ask_manifest(struct world *w, berth_error *err)
{
    return ask_manifest_as(w, &(oci_reference){.is_digest = true, .digest = seed.child}, &seed.child, err);
}

static int ask_tags(struct world *w, berth_error *err)
{
    struct oci_list l = {0};
    int r = repo_tag_list(w->f.r, STR(KEPT), STR_NULL, 10, &w->f.a, &l, err);
    return r != BERTH_OK || l.n == 2 ? r : wrong("the tags");
}

static int ask_referrers(struct world *w, berth_error *err)
{
    struct oci_referrers l = {0};
    int r =
        repo_referrers(w->f.r, STR(KEPT), &seed.image, STR_NULL, STR_NULL, STR_NULL, 10, &w->f.a, &l, err);
    return r != BERTH_OK || l.n == 1 ? r : wrong("the referrers");
}

static int ask_catalog(struct world *w, berth_error *err)
{
    struct oci_list l = {0};
    int r = repo_catalog(w->f.r, STR_NULL, 10, &w->f.a, &l, err);
    return r != BERTH_OK || l.n == 2 ? r : wrong("the repositories that have a manifest");
}

static int ask_session(struct world *w, berth_error *err)
{
    uint64_t size = 0;
    int r = repo_upload_status(w->f.r, STR(APP), str_from(seed.part), &size, err);
    return r != BERTH_OK || size == 300 ? r : wrong("a session's bytes");
}

static int ask_new_session(struct world *w, berth_error *err)
{
    uint64_t size = 1;
    int r = repo_upload_status(w->f.r, STR(APP), str_from(seed.fresh), &size, err);
    return r != BERTH_OK || size == 0 ? r : wrong("a new session's bytes");
}

static int ask_finished(struct world *w, berth_error *err)
{
    bool was = false;
    int r = repo_upload_was_finished(w->f.r, STR(APP), str_from(finished), &finished_with, &was, err);
    return r != BERTH_OK || was ? r : wrong("whether a session was finished");
}

static int count_object(void *arg, const char *key, uint64_t size, const char *digest)
{
    (void)key;
    size_t *n = arg;
    (void)size;
    *n += *digest ? 2 : 1; /* what is whole has its digest beside it, where there are attributes */
    return BERTH_OK;
}
static int ask_objects(struct world *w, berth_error *err)
{
    size_t n = 0;
    int r = store_list(w->f.s, count_object, &n, err);
    return r != BERTH_OK || n == objects ? r : wrong("the objects");
}

static const struct question {
    const char *name;
    int (*ask)(struct world *w, berth_error *err);
    bool store; /* the database is not asked */
} questions[] = {
    {.name = "the size of a blob", .ask = ask_blob_size},
    {.name = "a blob", .ask = ask_blob},
    {.name = "a small blob", .ask = ask_small_blob},
    {.name = "a tag", .ask = ask_tag},
    {.name = "a manifest", .ask = ask_manifest},
    {.name = "the tags", .ask = ask_tags},
    {.name = "the referrers", .ask = ask_referrers},
    {.name = "the catalogue", .ask = ask_catalog},
    {.name = "a session", .ask = ask_session},
    {.name = "a new session", .ask = ask_new_session},
    {.name = "a session that was finished", .ask = ask_finished},
    {.name = "the objects", .ask = ask_objects, .store = true},
};

/* --- failing --- */

static struct world world;

/* What says that something failed, and nothing about what is there. */
static bool is_failure(int r)
{
    return r == BERTH_E_IO || r == BERTH_E_NOMEM || r == BERTH_E_NO_SPACE || r == BERTH_E_BUSY;
}

/* True: it fired. */
static bool ask_failing(const struct question *q, int vfs, unsigned n)
{
    berth_error err = BERTH_ERROR_INIT;
    CHECK_OK(world_open(&world, &test_err)); /* nothing is remembered yet */
    if (vfs < 0)
        fault_arm(n);
    else
        vfs_arm((enum vfs_failure)vfs, n);
    int r = q->ask(&world, &err);
    bool fired = vfs < 0 ? fault_disarm() : vfs_disarm();
    if (r != BERTH_OK && (!fired || !is_failure(r)))
        fail_msg("%s, failing call %u: %d %s", q->name, n, r, err.message);
    r = q->ask(&world, &err);
    if (r != BERTH_OK)
        fail_msg("%s, after failing call %u: %d %s", q->name, n, r, err.message);
    world_close(&world);
    return fired;
}

static void ask_each(int vfs)
{
    for (size_t i = 0; i < COUNT(questions); i++) {
        unsigned n = 1;
        if (questions[i].store && vfs >= 0)
            continue;
        while (ask_failing(&questions[i], vfs, n))
            n++;
        print_message("%s: %u calls\n", questions[i].name, n - 1);
        if (n == 1)
            fail_msg("%s: no call was ever counted", questions[i].name);
    }
}

static void test_fault_absence__is_not_told_when_a_call_fails(void **state)
{
    (void)state;
    ask_each(-1);
}
static void test_fault_absence__is_not_told_when_the_database_meets_an_error(void **state)
{
    (void)state;
    ask_each(VFS_IOERR);
}
static void test_fault_absence__is_not_told_when_the_disk_goes_away(void **state)
{
    (void)state;
    ask_each(VFS_BROKEN);
}

static int begin(void **state)
{
    (void)state;
    vfs_install();
    worlds_begin();
    world_make(&world, false, false);
    CHECK_OK(world_open(&world, &test_err));
    repo_upload *u = NULL;
    finished_with = digest_sha256(seed.large_body);
    CHECK_OK(repo_upload_start(world.f.r, STR(APP), HASH_SHA256, finished, &test_err));
    CHECK_OK(repo_upload_open(world.f.r, STR(APP), str_from(finished), &finished_with, &u, &test_err));
    CHECK_OK(repo_upload_append(u, seed.large_body.p, seed.large_body.n, &test_err));
    CHECK_OK(repo_upload_finish(u, &finished_with, &test_err));
    CHECK_OK(store_list(world.f.s, count_object, &objects, &test_err));
    world_close(&world);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_remove(&world);
    worlds_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fault_absence__is_not_told_when_a_call_fails),
        TEST(test_fault_absence__is_not_told_when_the_database_meets_an_error),
        TEST(test_fault_absence__is_not_told_when_the_disk_goes_away),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

/* tests/unit/repo/salvage.c - what a damaged database gives back: all but the bytes that stood on the page,
 * which are named; promises and deletions hold; the damaged file stays. */
#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define NAME "team/app"

static const struct meta_times times = {.grace_ms = GRACE_MS, .drain_ms = DRAIN_MS, .result_ms = 10000};

struct heard {
    char text[8192]; /* all lines */
    size_t n;
};

static void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%s\n", text);
    assert_true(h->n < sizeof(h->text));
}

static bool said(const struct heard *h, const char *part)
{
    return strstr(h->text, part) != NULL;
}

static const char *database_of(struct fixture *f)
{
    return berth_arena_printf(&f->a, "%s/meta.db", fixture_dir(f));
}

static int64_t ask(struct fixture *f, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(database_of(f), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void close_database(struct fixture *f)
{
    repo_free(f->r);
    f->m->ops->free(f->m);
    f->r = NULL;
    f->m = NULL;
}

static void open_database(struct fixture *f)
{
    CHECK_OK(meta_sqlite_open(database_of(f), &times, &f->m, &test_err));
    CHECK_OK(repo_new(f->m, f->s, &f->policy, &f->r, &test_err));
}

/* Zeros in place of the tree's first page. All is small here: it is the only one. */
static void damage(struct fixture *f, const char *tree)
{
    static const char zeros[4096];
    char text[200];
    snprintf(text, sizeof(text), "SELECT rootpage FROM sqlite_schema WHERE name='%s'", tree);
    int64_t page = ask(f, text);
    CLEANUP(closep) int fd = open(database_of(f), O_WRONLY | O_CLOEXEC);
    CHECK(page > 1 && pwrite(fd, zeros, sizeof(zeros), (off_t)(page - 1) * 4096) == 4096);
}

/* With the database closed; it is open afterwards, and sound. */
static struct repo_salvage_result salvage(struct fixture *f, struct heard *h)
{
    struct repo_salvage_result result;
    *h = (struct heard){.n = 0};
    const struct repo_salvage_options o = {.problem = hear, .arg = h};
    CHECK_OK(repo_salvage(database_of(f), &times, f->s, &o, &result, &test_err));
    open_database(f);
    check_consistent(f);
    return result;
}

struct filled {
    berth_digest small, large, image, child, index, referrer;
    berth_str small_body, large_body;
};

static void fill(struct fixture *f, struct filled *in)
{
    fixture_init(f, FIXTURE_FS);
    in->small_body = STR("small");
    in->large_body = fixture_bytes(f, 500, 9);
    in->small = push_blob(f, NAME, in->small_body);
    in->large = push_blob(f, NAME, in->large_body);
    berth_str image = image_text(f, &in->small, &in->large, 1, "");
    in->image = digest_sha256(image);
    CHECK_OK(put_manifest(f, NAME, "v1", MT_OCI_MANIFEST, image, NULL, &test_err));
    in->child = push_image(f, NAME, NULL, 3);
    berth_str index = index_text(f, &in->child, 1, "");
    in->index = digest_sha256(index);
    CHECK_OK(put_manifest(f, NAME, "all", MT_OCI_INDEX, index, NULL, &test_err));
    berth_str referrer = image_text(f, &in->small, &in->large, 1,
                                    berth_arena_printf(&f->a,
                                                       ",\"subject\":{\"mediaType\":\"" MT_OCI_MANIFEST
                                                       "\",\"digest\":\"%s\",\"size\":%zu}",
                                                       in->image.text, image.n));
    in->referrer = digest_sha256(referrer);
    CHECK_OK(put_manifest(f, NAME, in->referrer.text, MT_OCI_MANIFEST, referrer, NULL, &test_err));
    close_database(f);
}

static bool all_there(struct fixture *f, const struct filled *in)
{
    CHECK_STR(pull_blob(f, NAME, &in->small), in->small_body);
    CHECK_STR(pull_blob(f, NAME, &in->large), in->large_body);
    berth_digest v1 = tag_digest(f, NAME, "v1"), all = tag_digest(f, NAME, "all");
    struct oci_referrers list;
    CHECK_OK(f->m->ops->referrers(f->m, STR(NAME), digest_str(&in->image), STR(""), STR(""), STR(""), 10, MIB,
                                  &f->a, &list, &test_err));
    return digest_eq(&v1, &in->image) && digest_eq(&all, &in->index) &&
           manifest_is_there(f, NAME, &in->child) && list.n == 1;
}

/* What the collector does when every lease is over takes nothing. */
static void check_collector(struct fixture *f, const struct filled *in)
{
    struct repo_gc_result gone;
    meta_sqlite_shift_clock(f->m, 5 * GRACE_MS);
    collect(f, &gone);
    CHECK(gone.manifests == 0 && all_there(f, in));
    check_consistent(f);
}

static void test_repo_salvage__what_is_known_twice_is_not_lost(void **state)
{
    (void)state;
    static const char *const trees[] = {"repositories",
                                        "sqlite_autoindex_repositories_2",
                                        "blobs",
                                        "repo_blobs",
                                        "manifest_blobs",
                                        "manifest_children",
                                        "manifest_missing",
                                        "tags",
                                        "tag_history",
                                        "sqlite_autoindex_manifests_1",
                                        "manifests_referrers",
                                        "sqlite_autoindex_blob_bodies_1",
                                        "secrets",
                                        "schema_version"};
    for (size_t i = 0; i < COUNT(trees); i++) {
        struct fixture f;
        struct filled in;
        struct heard h;
        fill(&f, &in);
        damage(&f, trees[i]);
        struct repo_salvage_result result = salvage(&f, &h);
        CHECK_ROW(i, result.damaged == 1 && result.lost == 0);
        CHECK_ROW(i, said(&h, trees[i]) && said(&h, "meta.db.damaged"));
        CHECK_ROW(i, all_there(&f, &in));
        check_collector(&f, &in);
        fixture_done(&f);
    }
}

static void test_repo_salvage__lost_manifests_are_named_with_their_tags(void **state)
{
    (void)state;
    struct fixture f;
    struct filled in;
    struct heard h;
    struct repo_gc_result gone;
    fill(&f, &in);
    damage(&f, "manifests");
    struct repo_salvage_result result = salvage(&f, &h);
    assert_int_equal(result.lost, 4 + 2);
    const berth_digest *lost[] = {&in.image, &in.child, &in.index, &in.referrer};
    for (size_t i = 0; i < COUNT(lost); i++)
        CHECK_ROW(i, said(&h, lost[i]->text) && !manifest_is_there(&f, NAME, lost[i]));
    CHECK(said(&h, "tag " NAME ":v1: lost with its manifest") && said(&h, "tag " NAME ":all: lost"));
    /* their blobs have a grace period to find a manifest again */
    collect(&f, &gone);
    CHECK(blob_is_there(&f, NAME, &in.large) && gone.links == 0);
    berth_str image = image_text(&f, &in.small, &in.large, 1, "");
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, image, NULL, &test_err));
    meta_sqlite_shift_clock(f.m, 5 * GRACE_MS);
    collect(&f, &gone);
    CHECK_STR(pull_blob(&f, NAME, &in.large), in.large_body);
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_salvage__a_lost_body_waits_to_be_pushed_again(void **state)
{
    (void)state;
    struct fixture f;
    struct filled in;
    struct heard h;
    fill(&f, &in);
    damage(&f, "blob_bodies");
    struct repo_salvage_result result = salvage(&f, &h);
    CHECK(result.lost >= 1 && said(&h, in.small.text) && said(&h, "blob " NAME "@"));
    CHECK(!blob_is_there(&f, NAME, &in.small));
    CHECK(manifest_is_there(&f, NAME, &in.image));
    push_blob(&f, NAME, in.small_body);
    push_blob(&f, NAME, STR("{}")); /* push_image()'s */
    check_collector(&f, &in);       /* the edges came back with them */
    fixture_done(&f);
}

static void test_repo_salvage__bytes_without_their_digest_are_not_trusted(void **state)
{
    (void)state;
    struct fixture f;
    struct filled in;
    struct heard h;
    fill(&f, &in);
    ask(&f, "UPDATE blob_bodies SET body=CAST('smell' AS BLOB) WHERE body=CAST('small' AS BLOB)");
    ask(&f, "UPDATE manifests SET body=CAST('{}' AS BLOB) WHERE subject IS NOT NULL");
    struct repo_salvage_result result = salvage(&f, &h);
    assert_int_equal(result.damaged, 0);
    assert_int_equal(result.lost, 2);
    CHECK(!blob_is_there(&f, NAME, &in.small) && !manifest_is_there(&f, NAME, &in.referrer));
    CHECK(said(&h, in.referrer.text) && said(&h, in.small.text));
    fixture_done(&f);
}

/* A repository, a manifest's tag and a subject that were deleted do not come back. */
static void test_repo_salvage__what_was_deleted_stays_deleted(void **state)
{
    (void)state;
    static const char *const trees[] = {"repositories", "tags", "manifest_missing", "repo_blobs", "blobs"};
    for (size_t i = 0; i < COUNT(trees); i++) {
        struct fixture f;
        struct filled in;
        struct heard h;
        fill(&f, &in);
        open_database(&f);
        push_image(&f, "gone/for-ever", "v1", 5);
        CHECK_OK(repo_delete(f.r, STR("gone/for-ever"), &test_err));
        CHECK_OK(f.m->ops->tag_delete(f.m, STR(NAME), STR("v1"), NULL, &test_err));
        CHECK_OK(f.m->ops->manifest_delete(f.m, STR(NAME), &in.image, NULL, &test_err));
        close_database(&f);
        damage(&f, trees[i]);
        CHECK(salvage(&f, &h).lost == 0);
        CHECK_CODE(f.m->ops->repo_exists(f.m, STR("gone/for-ever"), NULL), BERTH_E_NOT_FOUND);
        CHECK(!tag_digest(&f, NAME, "v1").text[0] && tag_digest(&f, NAME, "all").text[0]);
        CHECK(!manifest_is_there(&f, NAME, &in.image));
        if (strcmp(trees[i], "manifest_missing") != 0)
            assert_int_equal(ask(&f, "SELECT count(*) FROM manifest_missing WHERE kind=3"), 1);
        fixture_done(&f);
    }
}

static void test_repo_salvage__sessions_go_on_or_are_named(void **state)
{
    (void)state;
    struct fixture f;
    struct filled in;
    struct heard h;
    char id[37];
    uint64_t size = 0;
    repo_upload *u = NULL;
    fill(&f, &in);
    open_database(&f);
    CHECK_OK(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err));
    CHECK_OK(repo_upload_open(f.r, STR(NAME), str_from(id), NULL, &u, &test_err));
    CHECK_OK(repo_upload_append(u, in.large_body.p, 300, &test_err));
    CHECK_OK(repo_upload_suspend(u, &size, &test_err));
    close_database(&f);
    damage(&f, "tags");
    assert_int_equal(salvage(&f, &h).lost, 0);
    size = 0;
    CHECK_OK(repo_upload_status(f.r, STR(NAME), str_from(id), &size, &test_err));
    assert_int_equal(size, 300);
    close_database(&f);
    damage(&f, "uploads");
    struct repo_salvage_result result;
    h = (struct heard){.n = 0};
    const struct repo_salvage_options o = {.problem = hear, .arg = &h};
    CHECK_OK(repo_salvage(database_of(&f), &times, f.s, &o, &result, &test_err));
    open_database(&f);
    assert_int_equal(result.lost, 1);
    CHECK(said(&h, berth_arena_printf(&f.a, "upload session %s of " NAME ": lost", id)));
    CHECK(said(&h, "meta.db.damaged.2")); /* the first is kept too */
    struct repo_check_options repair = {.repair = true};
    struct repo_check_result checked;
    CHECK_OK(repo_check(f.r, &repair, &checked, &test_err)); /* its object is nobody's */
    assert_int_equal(checked.repaired, 1);
    check_consistent(&f);
    fixture_done(&f);
}

/* Until then: what holds a blob or manifest is not needed to serve it, nor to promise it. */
static void test_repo_salvage__reads_go_on_where_edges_cannot_be_read(void **state)
{
    (void)state;
    static const char *const trees[] = {"manifest_blobs_rev", "tags_manifest", "manifest_children_rev"};
    for (size_t i = 0; i < COUNT(trees); i++) {
        struct fixture f;
        struct filled in;
        fill(&f, &in);
        damage(&f, trees[i]);
        open_database(&f);
        for (int later = 0; later < 2; later++) { /* with leases, and when they are over */
            CHECK_STR(pull_blob(&f, NAME, &in.small), in.small_body);
            CHECK_STR(pull_blob(&f, NAME, &in.large), in.large_body);
            CHECK_ROW(i, manifest_is_there(&f, NAME, &in.image) && manifest_is_there(&f, NAME, &in.child));
            CHECK_OK(repo_blob_promise(f.r, STR(NAME), &in.large, &test_err));
            CHECK_OK(repo_manifest_promise(f.r, STR(NAME), &in.child, &test_err));
            meta_sqlite_shift_clock(f.m, 5 * GRACE_MS);
        }
        fixture_done(&f);
    }
}

static void test_repo_salvage__it_stops_when_asked_and_nothing_has_changed(void **state)
{
    (void)state;
    struct fixture f;
    struct filled in;
    struct repo_salvage_result result;
    _Atomic bool stop = true;
    fill(&f, &in);
    const struct repo_salvage_options o = {.stop = &stop};
    CHECK_CODE(repo_salvage(database_of(&f), &times, f.s, &o, &result, &test_err), BERTH_E_CANCELLED);
    CHECK(access(berth_arena_printf(&f.a, "%s.damaged", database_of(&f)), F_OK) < 0);
    CHECK(access(berth_arena_printf(&f.a, "%s.salvage", database_of(&f)), F_OK) < 0);
    open_database(&f);
    CHECK(all_there(&f, &in));
    fixture_done(&f);
}

static void test_repo_salvage__a_newer_schema_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct filled in;
    struct repo_salvage_result result;
    const struct repo_salvage_options o = {.problem = NULL};
    fill(&f, &in);
    ask(&f, "INSERT INTO schema_version(version, applied_at) VALUES(9999, 0)");
    CHECK_CODE(repo_salvage(database_of(&f), &times, f.s, &o, &result, &test_err), BERTH_E_UNSUPPORTED);
    ask(&f, "DELETE FROM schema_version WHERE version=9999");
    open_database(&f);
    CHECK(all_there(&f, &in));
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_salvage__what_is_known_twice_is_not_lost),
          TEST(test_repo_salvage__lost_manifests_are_named_with_their_tags),
          TEST(test_repo_salvage__a_lost_body_waits_to_be_pushed_again),
          TEST(test_repo_salvage__bytes_without_their_digest_are_not_trusted),
          TEST(test_repo_salvage__what_was_deleted_stays_deleted),
          TEST(test_repo_salvage__sessions_go_on_or_are_named),
          TEST(test_repo_salvage__reads_go_on_where_edges_cannot_be_read),
          TEST(test_repo_salvage__it_stops_when_asked_and_nothing_has_changed),
          TEST(test_repo_salvage__a_newer_schema_is_refused))

/* tests/unit/repo/backup.c - objects into a backup and out of it: what is new is copied, what is wrong is
 * named and never kept, nothing goes away meanwhile. */
#include "backup_fixture.h"

#include <stdatomic.h>

static void test_repo_backup__copies_what_is_not_there_yet(void **state)
{
    (void)state;
    struct fixture f;
    struct target t;
    fixture_init(&f, FIXTURE_MEMORY);
    target_init(&f, &t);
    push_image(&f, NAME, "v1", 1);
    CHECK_OK(back_up(&f, &t, false));
    assert_int_equal(t.res.blobs, 2);
    assert_int_equal(t.res.tags, 1);
    assert_int_equal(t.res.copied, 1);
    assert_int_equal(t.res.problems, 0);
    push_image(&f, NAME, "v2", 2);
    CHECK_OK(back_up(&f, &t, false));
    assert_int_equal(t.res.copied, 1);
    assert_int_equal(t.res.copied_bytes, 1000);
    assert_int_equal(count_in(t.s), 2);
    CHECK_OK(back_up(&f, &t, true));
    assert_int_equal(t.res.copied, 0);
    target_done(&t);
    fixture_done(&f);
}

static void
test_repo_backup__replaces_what_is_unfinished_or_has_the_wrong_size_or_is_found_wrong(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        bool whole, verify, found;
    } rows[] = {
        {300, false, false, true}, {1000, false, false, true}, {300, true, false, true},
        {2000, true, false, true}, {1000, true, true, true},   {1000, true, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct target t;
        char key[IO_KEY_SIZE];
        fixture_init(&f, FIXTURE_MEMORY);
        target_init(&f, &t);
        berth_digest d = push_blob(&f, NAME, fixture_bytes(&f, 1000, 1));
        object_key(&f, &d, key);
        plant(t.s, key, fixture_bytes(&f, rows[i].n, 2), rows[i].whole);
        CHECK_OK(back_up(&f, &t, rows[i].verify));
        CHECK_ROW(i, t.res.copied == rows[i].found && t.res.problems == 0);
        CHECK_OK(back_up(&f, &t, true));
        CHECK_ROW(i, t.res.copied == !rows[i].found);
        target_done(&t);
        fixture_done(&f);
    }
}

static void test_repo_backup__names_what_is_lost_and_goes_on(void **state)
{
    (void)state;
    for (int missing = 0; missing < 2; missing++) {
        struct fixture f;
        struct target t;
        char key[IO_KEY_SIZE];
        fixture_init(&f, FIXTURE_MEMORY);
        target_init(&f, &t);
        berth_digest d[3];
        for (unsigned i = 0; i < 3; i++)
            d[i] = push_blob(&f, NAME, fixture_bytes(&f, 1000, i));
        CHECK_OK(repo_blob_mount(f.r, STR("team/other"), STR(NAME), &d[1], &test_err));
        object_key(&f, &d[1], key);
        if (missing)
            CHECK_OK(store_remove(f.s, key, &test_err));
        else
            plant(f.s, key, fixture_bytes(&f, 1000, 7), true);
        plant(t.s, key, STR("wrong, too"), true);
        CHECK_OK(back_up(&f, &t, false));
        assert_int_equal(t.res.problems, 1);
        assert_int_equal(t.res.copied, 2);
        assert_int_equal(count_in(t.s), 2); /* no wrong bytes are kept */
        CHECK(strstr(t.heard.text, d[1].text) && strstr(t.heard.text, "team/app, team/other"));
        CHECK(strstr(t.heard.text, missing ? "is missing" : "have the digest") != NULL);
        CHECK(!strstr(t.heard.text, d[0].text) && !strstr(t.heard.text, d[2].text));
        target_done(&t);
        fixture_done(&f);
    }
}

struct meddler {
    struct fixture *f;
    struct repo_gc_result gc;
    bool ran;
};

/* In the middle of a backup: everything is deleted and due, and the collector runs. */
static void collect_meanwhile(void *arg, uint64_t blobs, uint64_t of, uint64_t bytes)
{
    struct meddler *m = arg;
    (void)of, (void)bytes;
    if (m->ran)
        return;
    m->ran = true;
    CHECK(blobs > 0);
    CHECK_OK(repo_delete(m->f->r, STR(NAME), &test_err));
    for (size_t i = 0; i < 4; i++) {
        meta_sqlite_shift_clock(m->f->m, 3 * GRACE_MS);
        collect(m->f, &m->gc);
    }
}

static void test_repo_backup__no_object_of_the_snapshot_goes_while_it_is_copied(void **state)
{
    (void)state;
    struct fixture f;
    struct target t;
    fixture_init(&f, FIXTURE_MEMORY);
    target_init(&f, &t);
    for (unsigned i = 0; i < 1100; i++) /* progress is told after 1,000 */
        push_blob(&f, NAME, fixture_bytes(&f, 100, i));
    struct meddler m = {.f = &f};
    struct repo_backup_options o = {.problem = hear, .progress = collect_meanwhile, .arg = &m};
    CHECK_OK(repo_backup(f.r, t.database, t.s, &o, &t.res, &test_err));
    CHECK(m.ran);
    assert_int_equal(m.gc.objects, 0);
    assert_int_equal(t.res.problems, 0);
    assert_int_equal(count_in(t.s), 1100);
    collect(&f, &m.gc); /* and now they may */
    assert_int_equal(m.gc.objects, 1100);
    target_done(&t);
    fixture_done(&f);
}

static void test_repo_backup__a_failed_one_holds_nothing_back(void **state)
{
    (void)state;
    struct fixture f;
    struct target t;
    struct repo_gc_result gc;
    _Atomic bool stop = true;
    fixture_init(&f, FIXTURE_MEMORY);
    target_init(&f, &t);
    push_blob(&f, NAME, fixture_bytes(&f, 100, 1));
    struct repo_backup_options o = {.stop = &stop};
    CHECK_CODE(repo_backup(f.r, t.database, t.s, &o, &t.res, &test_err), BERTH_E_CANCELLED);
    CHECK(repo_backup(f.r, "/nowhere/at/all", t.s, &(struct repo_backup_options){0}, &t.res, &test_err) < 0);
    meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
    collect(&f, NULL);
    meta_sqlite_shift_clock(f.m, DRAIN_MS + 1);
    collect(&f, &gc);
    assert_int_equal(gc.objects, 1);
    target_done(&t);
    fixture_done(&f);
}

static void test_repo_backup__prunes_what_no_row_names(void **state)
{
    (void)state;
    struct fixture f;
    struct target t;
    char key[IO_KEY_SIZE];
    fixture_init(&f, FIXTURE_MEMORY);
    target_init(&f, &t);
    push_image(&f, NAME, "v1", 1);
    CHECK_OK(back_up(&f, &t, false));
    for (size_t i = 0; i < 3; i++) {
        io_random_key(key);
        plant(t.s, key, STR("of an earlier backup"), i > 0);
    }
    CHECK_OK(repo_backup_prune(f.m, t.s, &(struct repo_backup_options){0}, &t.res, &test_err));
    assert_int_equal(t.res.removed, 3);
    assert_int_equal(count_in(t.s), 1);
    target_done(&t);
    fixture_done(&f);
}

/* --- out of a backup --- */

/* A registry whose metadata are the backup's. */
static void open_copy(struct fixture *f, struct target *t, struct fixture *ret)
{
    fixture_init(ret, FIXTURE_MEMORY);
    repo_free(ret->r);
    ret->m->ops->free(ret->m);
    CHECK_OK(meta_sqlite_open(t->database, NULL, &ret->m, &test_err));
    CHECK_OK(repo_new(ret->m, ret->s, &f->policy, &ret->r, &test_err));
}

static void test_repo_backup__fills_a_store_and_forgets_what_is_lost(void **state)
{
    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct fixture f, other;
        struct target t;
        char key[IO_KEY_SIZE];
        fixture_init(&f, FIXTURE_MEMORY);
        target_init(&f, &t);
        berth_digest v1 = push_image(&f, NAME, "v1", 1);
        push_image(&f, NAME, "v2", 2);
        berth_str body = fixture_bytes(&f, 1000, 2);
        berth_digest layer = digest_sha256(body);
        CHECK_OK(back_up(&f, &t, false));
        object_key(&f, &layer, key);
        if (damaged)
            plant(t.s, key, fixture_bytes(&f, 1000, 9), true);
        open_copy(&f, &t, &other);
        struct repo_backup_options o = {.problem = hear, .arg = &t.heard};
        CHECK_OK(repo_backup_fill(other.r, t.s, &o, &t.res, &test_err));
        assert_int_equal(t.res.problems, damaged);
        CHECK(!damaged || (strstr(t.heard.text, layer.text) && strstr(t.heard.text, NAME)));
        check_consistent(&other);
        berth_digest have = tag_digest(&other, NAME, "v1");
        CHECK(digest_eq(&have, &v1));
        CHECK(blob_is_there(&other, NAME, &layer) == !damaged);
        push_blob(&other, NAME, body); /* whoever has it may push it again */
        check_consistent(&other);
        fixture_done(&other);
        target_done(&t);
        fixture_done(&f);
    }
}

RUN_TESTS(TEST(test_repo_backup__copies_what_is_not_there_yet),
          TEST(test_repo_backup__replaces_what_is_unfinished_or_has_the_wrong_size_or_is_found_wrong),
          TEST(test_repo_backup__names_what_is_lost_and_goes_on),
          TEST(test_repo_backup__no_object_of_the_snapshot_goes_while_it_is_copied),
          TEST(test_repo_backup__a_failed_one_holds_nothing_back),
          TEST(test_repo_backup__prunes_what_no_row_names),
          TEST(test_repo_backup__fills_a_store_and_forgets_what_is_lost))

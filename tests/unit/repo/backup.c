/* tests/unit/repo/backup.c - objects into a backup and out of it: what is new is copied, what is wrong is
 * named and never kept, nothing goes away meanwhile; and a backup brought into a registry in use. */
#include "fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define NAME "team/app"

struct heard {
    char text[4096]; /* all lines */
    size_t n;
};

static void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%s\n", text);
    assert_true(h->n < sizeof(h->text));
}

static void hear_item(void *arg, const char *name, const char *text)
{
    (void)name;
    hear(arg, text);
}

/* A backup in memory but for its database. */
struct target {
    blob_store *s;
    char *database;
    struct heard heard;
    struct repo_backup_result res;
};

static void target_init(struct fixture *f, struct target *t)
{
    *t = (struct target){.database = berth_arena_printf(&f->a, "%s/backup.db", fixture_dir(f))};
    CHECK_OK(store_memory_new(&t->s, &test_err));
}

static void target_done(struct target *t)
{
    unlink(t->database);
    store_free(t->s);
}

static int back_up(struct fixture *f, struct target *t, bool verify)
{
    struct repo_backup_options o = {.verify = verify, .problem = hear, .arg = &t->heard};
    t->heard.n = 0;
    t->heard.text[0] = '\0';
    unlink(t->database);
    return repo_backup(f->r, t->database, t->s, &o, &t->res, &test_err);
}

static int count_one(void *arg, const char *key, uint64_t size, const char *digest)
{
    (void)key, (void)size, (void)digest;
    ++*(size_t *)arg;
    return BERTH_OK;
}

static size_t count_in(blob_store *s)
{
    size_t n = 0;
    CHECK_OK(store_list(s, count_one, &n, &test_err));
    return n;
}

/* An object with these bytes under a key of another's choosing. */
static void plant(blob_store *s, const char *key, berth_str body, bool whole)
{
    blob_writer *w = NULL;
    CHECK_OK(store_remove(s, key, &test_err));
    CHECK_OK(store_create(s, key, &w, &test_err));
    CHECK_OK(store_append(w, body.p, body.n, &test_err));
    CHECK_OK(whole ? store_complete(w, "", &test_err) : store_suspend(w, &test_err));
}

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

/* What the backup's store and database hold goes into @into. */
static struct repo_import_result merge(struct target *t, struct fixture *into, bool keep_tags, bool dry_run)
{
    struct repo_import_result res;
    meta *from = NULL;
    struct repo_import_options o = {.dry_run = dry_run, .report = hear_item, .arg = &t->heard};
    t->heard.n = 0;
    CHECK_OK(meta_sqlite_open(t->database, NULL, &from, &test_err));
    CHECK_OK(repo_restore(into->r, from, t->s, keep_tags, &o, &res, &test_err));
    from->ops->free(from);
    return res;
}

/* The bytes behind a descriptor are read from files: the backup's store must have some. */
static void target_in_folder(struct fixture *f, struct target *t)
{
    const char *dir = berth_arena_printf(&f->a, "%s/backup", fixture_dir(f));
    t->database = berth_arena_printf(&f->a, "%s/backup.db", fixture_dir(f));
    CHECK(mkdir(dir, 0700) == 0);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(store_fs_new(fd, false, &t->s, &test_err));
}

static void test_repo_restore__brings_back_all_and_leaves_what_came_since(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct fixture f, other;
        struct target t = {0};
        fixture_init(&f, FIXTURE_MEMORY);
        target_in_folder(&f, &t);
        berth_digest v1 = push_image(&f, NAME, "v1", 1), v2 = push_image(&f, "team/two", "v2", 2);
        berth_digest children[] = {push_image(&f, NAME, NULL, 3), push_image(&f, NAME, NULL, 4)};
        berth_str index = index_text(&f, children, 2, "");
        CHECK_OK(put_manifest(&f, NAME, "all", MT_OCI_INDEX, index, NULL, &test_err));
        berth_digest lone = push_blob(&f, "team/lone", fixture_bytes(&f, 500, 5)),
                     small = push_blob(&f, "team/lone", STR("small"));
        CHECK_OK(back_up(&f, &t, false));

        fixture_init(&other, FIXTURE_MEMORY);
        berth_digest mine = push_image(&other, NAME, "v1", 20), since = push_image(&other, NAME, "new", 21);
        struct repo_import_result res = merge(&t, &other, keep, true);
        CHECK(res.failed == 0 && !manifest_is_there(&other, NAME, &v1)); /* dry */
        res = merge(&t, &other, keep, false);
        assert_int_equal(res.failed, 0);
        assert_int_equal(res.repositories, 2);
        assert_int_equal(res.manifests, 5);
        assert_int_equal(res.tags, keep ? 2 : 3);
        check_consistent(&other);
        berth_digest have = tag_digest(&other, NAME, "v1");
        CHECK(digest_eq(&have, keep ? &mine : &v1));
        have = tag_digest(&other, NAME, "new");
        CHECK(digest_eq(&have, &since));
        have = tag_digest(&other, "team/two", "v2");
        CHECK(digest_eq(&have, &v2));
        CHECK(manifest_is_there(&other, NAME, &v1) && manifest_is_there(&other, NAME, &mine));
        CHECK(manifest_is_there(&other, NAME, &children[0]) && manifest_is_there(&other, NAME, &children[1]));
        CHECK_STR(pull_blob(&other, "team/lone", &lone), fixture_bytes(&f, 500, 5));
        CHECK_STR(pull_blob(&other, "team/lone", &small), STR("small"));
        res = merge(&t, &other, keep, false); /* and once more: nothing to do */
        CHECK(res.blobs == 0 && res.manifests == 0 && res.tags == 0 && res.failed == 0);
        fixture_done(&other);
        target_done(&t);
        fixture_done(&f);
    }
}

/* An untyped body can be anything: only the row says as what it was pushed. */
static void test_repo_restore__gives_each_manifest_its_own_type(void **state)
{
    (void)state;
    struct fixture f, other;
    struct target t = {0};
    fixture_init(&f, FIXTURE_MEMORY);
    target_in_folder(&f, &t);
    berth_digest config = push_blob(&f, NAME, STR("{}"));
    berth_str image = str_from(berth_arena_printf(&f.a,
                                                  "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\","
                                                  "\"digest\":\"%s\",\"size\":2},\"layers\":[]}",
                                                  config.text));
    berth_digest d = digest_sha256(image);
    CHECK_OK(put_manifest(&f, NAME, "v1", MT_OCI_MANIFEST, image, NULL, &test_err));
    CHECK_OK(back_up(&f, &t, false));
    fixture_init(&other, FIXTURE_MEMORY);
    assert_int_equal(merge(&t, &other, false, false).failed, 0);
    oci_reference ref = {.is_digest = true, .digest = d};
    struct oci_stored m;
    CHECK_OK(repo_manifest_get(other.r, STR(NAME), &ref, true, &other.a, &m, &test_err));
    CHECK_STR(m.media_type, STR(MT_OCI_MANIFEST));
    CHECK_STR(m.body, image);
    fixture_done(&other);
    target_done(&t);
    fixture_done(&f);
}

static void test_repo_restore__names_what_is_damaged_and_brings_the_rest(void **state)
{
    (void)state;
    struct fixture f, other;
    struct target t = {0};
    char key[IO_KEY_SIZE];
    fixture_init(&f, FIXTURE_MEMORY);
    target_in_folder(&f, &t);
    berth_digest v1 = push_image(&f, NAME, "v1", 1), v2 = push_image(&f, NAME, "v2", 2);
    berth_digest layer = digest_sha256(fixture_bytes(&f, 1000, 2));
    CHECK_OK(back_up(&f, &t, false));
    object_key(&f, &layer, key);
    plant(t.s, key, fixture_bytes(&f, 1000, 9), true);
    fixture_init(&other, FIXTURE_MEMORY);
    struct repo_import_result res = merge(&t, &other, false, false);
    CHECK(res.failed >= 2 && res.tags == 1);
    CHECK(strstr(t.heard.text, layer.text) && strstr(t.heard.text, v2.text));
    CHECK(manifest_is_there(&other, NAME, &v1) && !manifest_is_there(&other, NAME, &v2));
    check_consistent(&other);
    fixture_done(&other);
    target_done(&t);
    fixture_done(&f);
}

/* A store that lost bytes: check forgets them, and the backup has them. */
static void test_repo_restore__heals_what_a_check_has_forgotten(void **state)
{
    (void)state;
    struct fixture f;
    struct target t = {0};
    char key[IO_KEY_SIZE];
    fixture_init(&f, FIXTURE_MEMORY);
    target_in_folder(&f, &t);
    push_image(&f, NAME, "v1", 1);
    push_image(&f, NAME, "v2", 2);
    berth_digest layer = digest_sha256(fixture_bytes(&f, 1000, 1));
    CHECK_OK(back_up(&f, &t, false));
    object_key(&f, &layer, key);
    CHECK_OK(store_remove(f.s, key, &test_err));
    struct repo_check_result checked;
    CHECK_OK(repo_check(f.r, &(struct repo_check_options){.repair = true}, &checked, &test_err));
    assert_int_equal(checked.repaired, 1);
    CHECK(!blob_is_there(&f, NAME, &layer));
    struct repo_import_result res = merge(&t, &f, false, false);
    CHECK(res.blobs == 1 && res.failed == 0);
    CHECK_STR(pull_blob(&f, NAME, &layer), fixture_bytes(&f, 1000, 1));
    check_consistent(&f);
    meta_sqlite_shift_clock(f.m, 10 * GRACE_MS); /* the manifest holds it again */
    collect(&f, NULL);
    CHECK(blob_is_there(&f, NAME, &layer));
    target_done(&t);
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_backup__copies_what_is_not_there_yet),
          TEST(test_repo_backup__replaces_what_is_unfinished_or_has_the_wrong_size_or_is_found_wrong),
          TEST(test_repo_backup__names_what_is_lost_and_goes_on),
          TEST(test_repo_backup__no_object_of_the_snapshot_goes_while_it_is_copied),
          TEST(test_repo_backup__a_failed_one_holds_nothing_back),
          TEST(test_repo_backup__prunes_what_no_row_names),
          TEST(test_repo_backup__fills_a_store_and_forgets_what_is_lost),
          TEST(test_repo_restore__brings_back_all_and_leaves_what_came_since),
          TEST(test_repo_restore__gives_each_manifest_its_own_type),
          TEST(test_repo_restore__names_what_is_damaged_and_brings_the_rest),
          TEST(test_repo_restore__heals_what_a_check_has_forgotten))

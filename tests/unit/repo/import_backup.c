/* tests/unit/repo/import_backup.c - a backup brought into a registry that is in use. */
#include "backup_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static void hear_item(void *arg, const char *name, const char *text)
{
    (void)name;
    hear(arg, text);
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
    CHECK_OK(store_fs_new(fd, false, 0, &t->s, &test_err));
}

static void test_repo_import_backup__brings_back_all_and_leaves_what_came_since(void **state)
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

/* An untyped body can be either: only the row says as what it was pushed, whatever an index that is brought
 * first says of it. */
static void test_repo_import_backup__gives_each_manifest_its_own_type(void **state)
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
    CHECK_OK(put_manifest(&f, NAME, d.text, MT_DOCKER_MANIFEST, image, NULL, &test_err));
    berth_str index = STR_NULL;
    berth_digest of_index = d;
    for (unsigned i = 0; strcmp(of_index.text, d.text) >= 0; i++) { /* until its turn comes first */
        index = index_text(&f, &d, 1, berth_arena_printf(&f.a, ",\"annotations\":{\"n\":\"%u\"}", i));
        of_index = digest_sha256(index);
    }
    CHECK_OK(put_manifest(&f, NAME, "all", MT_OCI_INDEX, index, NULL, &test_err));
    CHECK_OK(back_up(&f, &t, false));
    fixture_init(&other, FIXTURE_MEMORY);
    assert_int_equal(merge(&t, &other, false, false).failed, 0);
    oci_reference ref = {.is_digest = true, .digest = d};
    struct oci_stored m;
    CHECK_OK(repo_manifest_get(other.r, STR(NAME), &ref, true, &other.a, &m, &test_err));
    CHECK_STR(m.media_type, STR(MT_DOCKER_MANIFEST));
    CHECK_STR(m.body, image);
    fixture_done(&other);
    target_done(&t);
    fixture_done(&f);
}

static void test_repo_import_backup__names_what_is_damaged_and_brings_the_rest(void **state)
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
static void test_repo_import_backup__heals_what_a_check_has_forgotten(void **state)
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

RUN_TESTS(TEST(test_repo_import_backup__brings_back_all_and_leaves_what_came_since),
          TEST(test_repo_import_backup__gives_each_manifest_its_own_type),
          TEST(test_repo_import_backup__names_what_is_damaged_and_brings_the_rest),
          TEST(test_repo_import_backup__heals_what_a_check_has_forgotten))

/* tests/contract/metadata_backup.c - a snapshot is one moment, whole and for itself; pages of what is held.
 */
#include "contract/metadata.h"

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define OPS (f.m->ops)

static char folder[64];

static int folder_new(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/berth-snapshot-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return fixture_open(state);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int folder_free(void **state)
{
    nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    return fixture_close(state);
}

static const char *path_of(const char *name)
{
    return berth_arena_printf(&f.a, "%s/%s", folder, name);
}

/* The tests' words work on f.m: the snapshot takes its place until it is given back. */
static meta *enter(const char *name)
{
    meta *was = f.m, *copy = NULL;
    CHECK_OK(OPS->snapshot(f.m, path_of(name), NULL, &copy, &test_err));
    f.m = copy;
    return was;
}

static void leave(meta *was)
{
    f.m->ops->free(f.m);
    f.m = was;
}

static void test_metadata_snapshot__holds_all_of_one_moment_and_nothing_later(void **state)
{
    (void)state;
    push_blob("app", "config");
    const char *key = push_object("app", "layer");
    PUSH(.repo = "app", .name = "m1", .layers = "config layer", .tags = "v1 v2");
    PUSH(.repo = "app", .name = "sig", .layers = "config", .subject = "m1", .type = "t/sig");
    push_blob("lone", "small");
    meta *was = enter("copy"), *copy = f.m;
    f.m = was;
    PUSH(.repo = "other", .name = "later", .tags = "v1");
    f.m = copy;
    CHECK(!has_tag("other", "v1", "later"));
    CHECK(has_tag("app", "v1", "m1") && has_tag("app", "v2", "m1") && count_tags("app") == 2);
    CHECK(has_blob("app", "config") && has_blob("lone", "small") && count_referrers("app", "m1") == 1);
    enum meta_key_owner owner;
    CHECK_OK(OPS->key_owner(f.m, key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_BLOB);
    check_sound();
    CHECK_OK(OPS->tag_delete(f.m, STR("app"), STR("v1"), NULL, &test_err)); /* each is for itself */
    leave(was);
    CHECK(has_tag("app", "v1", "m1") && has_tag("other", "v1", "later"));
    struct stat st;
    CHECK(stat(path_of("copy"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(access(path_of("copy-wal"), F_OK) < 0); /* all of it in one file */
}

static void test_metadata_snapshot__leaves_sessions_and_what_waits_for_removal_behind(void **state)
{
    (void)state;
    const char *key = push_object("app", "lost");
    later(3 * G);
    collect();
    enum meta_key_owner owner;
    CHECK_OK(OPS->key_owner(f.m, key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_GC);
    int64_t now;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    struct meta_upload u = {.algorithm = HASH_SHA256, .expires_at = now + HOUR}, got;
    io_random_uuid(u.id);
    io_random_key(u.key);
    CHECK_OK(OPS->upload_begin(f.m, STR("begun"), true, &u, &test_err));
    meta *was = enter("copy");
    CHECK_OK(OPS->key_owner(f.m, key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_UNKNOWN);
    CHECK_OK(OPS->key_owner(f.m, u.key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_UNKNOWN);
    CHECK_CODE(OPS->upload_get(f.m, STR("begun"), str_from(u.id), NULL, &got, &test_err), BERTH_E_NOT_FOUND);
    later(2 * G);
    collect(); /* the repository of the session alone goes, too */
    CHECK_CODE(OPS->repo_exists(f.m, STR("begun"), &test_err), BERTH_E_NOT_FOUND);
    leave(was);
    CHECK_OK(OPS->repo_exists(f.m, STR("begun"), &test_err));
}

static void test_metadata_snapshot__leaves_nothing_when_it_fails(void **state)
{
    (void)state;
    _Atomic bool stop = true;
    meta *copy = NULL;
    push_blob("app", "config");
    CHECK_CODE(OPS->snapshot(f.m, path_of("copy"), &stop, &copy, &test_err), BERTH_E_CANCELLED);
    CHECK(!copy && access(path_of("copy"), F_OK) < 0);
    CHECK(OPS->snapshot(f.m, path_of("none/copy"), NULL, &copy, &test_err) < 0);
    CHECK(!copy);
    push_blob("app", "more"); /* no transaction was left open */
    leave(enter("copy"));
}

struct pusher {
    atomic_bool stop;
    atomic_uint pushed;
};

/* Two repositories get the same tag, one after the other: a snapshot between them has the first alone. */
static void *push_pairs(void *arg)
{
    struct pusher *p = arg;
    for (unsigned i = 0; !atomic_load(&p->stop); i++) {
        CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
        char tag[16];
        snprintf(tag, sizeof(tag), "t%06u", i);
        berth_digest d;
        struct oci_list missing;
        digest_of(HASH_SHA256, tag, strlen(tag), &d);
        const berth_str tags[] = {str_from(tag)}, repos[] = {STR("first"), STR("second")};
        for (size_t k = 0; k < 2; k++) {
            struct meta_manifest_put row = {.repo = repos[k],
                                            .create_repo = true,
                                            .digest = &d,
                                            .media_type = STR("a/b"),
                                            .body = str_from(tag),
                                            .tags = tags,
                                            .n_tags = 1};
            if (f.m->ops->manifest_put(f.m, &row, &a, &missing, NULL) != BERTH_OK)
                return NULL;
        }
        atomic_fetch_add(&p->pushed, 1);
    }
    return p;
}

static size_t tags_in(meta *m, const char *repo)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct oci_list l = {0};
    int rc = m->ops->tag_list(m, str_from(repo), STR_NULL, 1000000, &a, &l, &test_err);
    return rc == BERTH_OK ? l.n : 0;
}

static void test_metadata_snapshot__is_one_moment_while_others_write(void **state)
{
    (void)state;
    struct pusher p = {.pushed = 0};
    pthread_t thread;
    void *well = NULL;
    CHECK(pthread_create(&thread, NULL, push_pairs, &p) == 0);
    for (unsigned i = 0; i < 10000 && !atomic_load(&p.pushed); i++)
        usleep(1000);
    for (unsigned i = 0; i < 8; i++) {
        meta *copy = NULL;
        size_t before = tags_in(f.m, "second");
        CHECK_OK(OPS->snapshot(f.m, path_of(berth_arena_printf(&f.a, "copy%u", i)), NULL, &copy, &test_err));
        size_t first = tags_in(copy, "first"), second = tags_in(copy, "second");
        CHECK(second >= before && (first == second || first == second + 1));
        copy->ops->free(copy);
    }
    atomic_store(&p.stop, true);
    CHECK(pthread_join(thread, &well) == 0 && well && atomic_load(&p.pushed) > 0);
}

/* --- pages --- */

static void test_metadata_pages__name_everything_that_a_repository_holds(void **state)
{
    (void)state;
    struct oci_list l = {0};
    struct meta_repo_row *rows = NULL;
    size_t n = 0;
    push_blob("b/lone", "small");
    push_blob("a", "c1");
    push_blob("a", "c2");
    PUSH(.repo = "a", .name = "m1", .layers = "c1", .tags = "v1 v2 v3", .media_type = "x/one");
    PUSH(.repo = "a", .name = "m2", .layers = "c2", .media_type = "x/two");
    PUSH(.repo = "z", .name = "m3", .tags = "v1");
    CHECK_OK(OPS->repo_delete(f.m, STR("z"), &test_err));
    CHECK_OK(OPS->repos_page(f.m, STR(""), 1, &f.a, &l, &test_err));
    CHECK(l.n == 1 && l.more && str_eq(l.items[0], STR("a")));
    CHECK_OK(OPS->repos_page(f.m, STR("a"), 2, &f.a, &l, &test_err));
    CHECK(l.n == 1 && !l.more && str_eq(l.items[0], STR("b/lone")));
    CHECK_OK(OPS->repo_page(f.m, STR("a"), META_REPO_TAGS, STR("v1"), 10, &f.a, &rows, &n, &test_err));
    CHECK(n == 2 && str_eq(rows[0].tag, STR("v2")) && str_eq(rows[1].tag, STR("v3")));
    CHECK(str_eq(rows[0].digest, ds("m1")) && str_eq(rows[0].media_type, STR("x/one")));
    static const struct {
        enum meta_repo_rows kind;
        const char *names[2];
    } kinds[] = {{META_REPO_LINKS, {"c1", "c2"}}, {META_REPO_MANIFESTS, {"m1", "m2"}}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        berth_str after = STR(""), found[2];
        for (size_t k = 0; k < 2; k++) { /* a page of one after the other */
            CHECK_OK(OPS->repo_page(f.m, STR("a"), kinds[i].kind, after, 1, &f.a, &rows, &n, &test_err));
            CHECK_ROW(i, n == 1 && rows[0].size > 0);
            found[k] = after = rows[0].digest;
        }
        CHECK_ROW(i, str_cmp(found[0], found[1]) < 0);
        for (size_t k = 0; k < 2; k++)
            CHECK_ROW(i, str_eq(found[k], ds(kinds[i].names[0])) || str_eq(found[k], ds(kinds[i].names[1])));
        CHECK_OK(OPS->repo_page(f.m, STR("a"), kinds[i].kind, after, 1, &f.a, &rows, &n, &test_err));
        CHECK_ROW(i, n == 0);
    }
    CHECK_CODE(OPS->repo_page(f.m, STR("z"), META_REPO_TAGS, STR(""), 1, &f.a, &rows, &n, &test_err),
               BERTH_E_NOT_FOUND);
    struct meta_totals totals;
    CHECK_OK(OPS->totals(f.m, &totals, &test_err));
    CHECK(totals.blobs == 3 && totals.tags >= 3 &&
          totals.bytes == body_of("c1").n + body_of("c2").n + body_of("small").n);
}

static void test_metadata_content__is_found_in_its_repository_alone(void **state)
{
    (void)state;
    struct meta_content c = {.key = ""};
    push_blob("a", "small");
    const char *key = push_object("a", "large");
    PUSH(.repo = "a", .name = "m1", .layers = "small", .tags = "v1", .media_type = "x/one");
    CHECK_OK(OPS->content_get(f.m, STR("a"), dg("m1"), &f.a, &c, &test_err));
    CHECK(!c.key[0] && str_eq(c.body, body_of("m1")) && str_eq(c.media_type, STR("x/one")));
    CHECK_OK(OPS->content_get(f.m, STR("a"), dg("small"), &f.a, &c, &test_err));
    CHECK(!c.key[0] && str_eq(c.body, body_of("small")) && c.media_type.n == 0);
    CHECK_OK(OPS->content_get(f.m, STR("a"), dg("large"), &f.a, &c, &test_err));
    assert_string_equal(c.key, key);
    PUSH(.repo = "b", .name = "m2", .tags = "v1");
    CHECK_CODE(OPS->content_get(f.m, STR("b"), dg("small"), &f.a, &c, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(OPS->content_get(f.m, STR("c"), dg("small"), &f.a, &c, &test_err), BERTH_E_NOT_FOUND);
}

static void test_metadata_blob_repos__names_those_that_have_it(void **state)
{
    (void)state;
    struct oci_list l = {0};
    push_blob("a", "x");
    push_blob("b", "x");
    push_blob("c", "x");
    push_blob("d", "y");
    CHECK_OK(OPS->blob_repos(f.m, ds("x"), 10, &f.a, &l, &test_err));
    CHECK(l.n == 3 && !l.more);
    CHECK_OK(OPS->blob_repos(f.m, ds("x"), 2, &f.a, &l, &test_err));
    CHECK(l.n == 2 && l.more);
    CHECK_OK(OPS->blob_repos(f.m, ds("none"), 2, &f.a, &l, &test_err));
    CHECK(l.n == 0);
}

#define IN_FOLDER(fn) cmocka_unit_test_setup_teardown(fn, folder_new, folder_free)

const struct CMUnitTest backup_tests[] = {
    IN_FOLDER(test_metadata_snapshot__holds_all_of_one_moment_and_nothing_later),
    IN_FOLDER(test_metadata_snapshot__leaves_sessions_and_what_waits_for_removal_behind),
    IN_FOLDER(test_metadata_snapshot__leaves_nothing_when_it_fails),
    IN_FOLDER(test_metadata_snapshot__is_one_moment_while_others_write),
    FRESH(test_metadata_pages__name_everything_that_a_repository_holds),
    FRESH(test_metadata_content__is_found_in_its_repository_alone),
    FRESH(test_metadata_blob_repos__names_those_that_have_it),
};
const size_t backup_tests_n = COUNT(backup_tests);

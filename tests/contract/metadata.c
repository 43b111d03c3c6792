/* tests/contract/metadata.c - what each operation of metadata/meta.h answers and leaves behind, one after
 * another. Collection stands in metadata_collector.c, threads in metadata_threads.c. */
#include "contract/metadata.h"

#define OPS (f.m->ops)
#define CHECK_UNKNOWN(call, oci)                                                                             \
    do {                                                                                                     \
        CHECK_CODE(call, BERTH_E_NOT_FOUND);                                                                 \
        CHECK_STR(str_from(test_err.oci_code), STR(oci));                                                    \
    } while (0)

/* --- repositories --- */

static void test_metadata_repo__comes_to_be_on_the_first_push_and_only_when_allowed(void **state)
{
    (void)state;
    CHECK_UNKNOWN(OPS->repo_exists(f.m, STR("team/app"), &test_err), "NAME_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_put(f.m, STR("team/app"), false, dg("a"), body_of("a"), &test_err),
                  "NAME_UNKNOWN");
    struct meta_upload u = {.id = "id", .key = "key"};
    CHECK_UNKNOWN(OPS->upload_begin(f.m, STR("team/app"), false, &u, &test_err), "NAME_UNKNOWN");
    CHECK_UNKNOWN(OPS->repo_exists(f.m, STR("team/app"), &test_err), "NAME_UNKNOWN");
    push_blob("team/app", "a");
    CHECK_OK(OPS->repo_exists(f.m, STR("team/app"), &test_err));
    CHECK_OK(OPS->blob_put(f.m, STR("team/app"), false, dg("b"), body_of("b"), &test_err));
}

static void test_metadata_repo__is_listed_once_it_holds_a_manifest_in_bytewise_order(void **state)
{
    (void)state;
    static const char *const names[] = {"zoo", "a/b", "a-b", "B", "a"};
    push_blob("empty", "layer");
    for (size_t i = 0; i < COUNT(names); i++)
        PUSH(.repo = names[i], .name = "m");
    struct oci_list l;
    CHECK_OK(OPS->repo_list(f.m, STR(""), 3, &f.a, &l, &test_err));
    assert_int_equal(l.n, 3);
    CHECK(l.more);
    CHECK_STR(l.items[0], STR("B"));
    CHECK_STR(l.items[1], STR("a"));
    CHECK_STR(l.items[2], STR("a-b"));
    CHECK_OK(OPS->repo_list(f.m, STR("a-c"), 3, &f.a, &l, &test_err)); /* need not exist */
    assert_int_equal(l.n, 2);
    CHECK(!l.more);
    CHECK_STR(l.items[0], STR("a/b"));
    CHECK_STR(l.items[1], STR("zoo"));
    CHECK_OK(OPS->repo_list(f.m, STR(""), 0, &f.a, &l, &test_err));
    CHECK(l.n == 0 && !l.more);
}

static void test_metadata_repo__is_gone_at_once_when_deleted_and_its_name_is_free(void **state)
{
    (void)state;
    push_blob("app", "layer");
    PUSH(.repo = "app", .name = "m", .layers = "layer", .tags = "v1 v2");
    PUSH(.repo = "other", .name = "m");
    CHECK_OK(OPS->repo_delete(f.m, STR("app"), &test_err));
    CHECK_UNKNOWN(OPS->repo_delete(f.m, STR("app"), &test_err), "NAME_UNKNOWN");
    CHECK(!has_blob("app", "layer") && !has_manifest("app", "m") && !has_tag("app", "v1", "m"));
    struct oci_list l;
    CHECK_OK(OPS->repo_list(f.m, STR(""), 10, &f.a, &l, &test_err));
    assert_int_equal(l.n, 1);
    push_blob("app", "layer2");
    CHECK(!has_blob("app", "layer")); /* another repository of that name */
    PUSH(.repo = "app", .name = "m2", .layers = "layer2");
    assert_int_equal(collect().repositories, 1);
    CHECK(has_manifest("app", "m2") && has_blob("app", "layer2"));
    check_sound();
}

/* --- blobs --- */

static void test_metadata_blob__is_seen_through_a_link_of_its_repository_alone(void **state)
{
    (void)state;
    push_blob("one", "secret");
    push_blob("two", "other");
    struct meta_blob b;
    CHECK_UNKNOWN(OPS->blob_get(f.m, STR("two"), dg("secret"), true, &f.a, &b, &test_err), "BLOB_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_get(f.m, STR("none"), dg("secret"), true, &f.a, &b, &test_err), "NAME_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_lease(f.m, STR("two"), dg("secret"), &test_err), "BLOB_UNKNOWN");
    CHECK_OK(OPS->blob_get(f.m, STR("one"), dg("secret"), true, &f.a, &b, &test_err));
    CHECK_STR(b.body, body_of("secret"));
    CHECK(b.size == body_of("secret").n && !b.key[0]);
    CHECK_OK(OPS->blob_get(f.m, STR("one"), dg("secret"), false, &f.a, &b, &test_err));
    CHECK(!b.body.p && !b.key[0]);
}

static void test_metadata_blob__may_be_empty(void **state)
{
    (void)state;
    struct meta_blob b;
    CHECK_OK(OPS->blob_put(f.m, STR("app"), true, dg("e"), STR_NULL, &test_err));
    CHECK_OK(OPS->blob_get(f.m, STR("app"), dg("e"), true, &f.a, &b, &test_err));
    CHECK(b.body.p && b.body.n == 0 && b.size == 0);
}

static void test_metadata_blob__keeps_the_object_that_came_first(void **state)
{
    (void)state;
    struct meta_blob b;
    const char *first = push_object("one", "layer"), *second = push_object("two", "layer");
    push_blob("three", "layer");
    static const char *const repos[] = {"one", "two", "three"};
    for (size_t i = 0; i < COUNT(repos); i++) {
        CHECK_OK(OPS->blob_get(f.m, str_from(repos[i]), dg("layer"), true, &f.a, &b, &test_err));
        CHECK_STR_ROW(i, str_from(b.key), str_from(first));
        CHECK_ROW(i, !b.body.p);
    }
    enum meta_key_owner owner;
    CHECK_OK(OPS->key_owner(f.m, first, &owner, &test_err));
    assert_int_equal(owner, META_KEY_BLOB);
    CHECK_OK(OPS->key_owner(f.m, second, &owner, &test_err));
    assert_int_equal(owner, META_KEY_GC);
    assert_int_equal(drain_objects(), 0); /* not before D */
    later(D + 1);
    assert_int_equal(drain_objects(), 1);
    CHECK_OK(OPS->key_owner(f.m, second, &owner, &test_err));
    assert_int_equal(owner, META_KEY_UNKNOWN);
}

static bool reads(void *arg, berth_str repo)
{
    return str_eq(repo, str_from(arg));
}

static void test_metadata_blob__is_mounted_from_where_it_is_and_may_be_read(void **state)
{
    (void)state;
    push_blob("one", "layer");
    push_blob("two", "layer");
    push_blob("three", "other");
    char one[] = "one", three[] = "three";
    CHECK_UNKNOWN(OPS->blob_mount(f.m, STR("new"), true, STR("three"), dg("layer"), NULL, NULL, &test_err),
                  "BLOB_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_mount(f.m, STR("new"), true, STR("none"), dg("layer"), NULL, NULL, &test_err),
                  "NAME_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_mount(f.m, STR("new"), true, STR(""), dg("layer"), reads, three, &test_err),
                  "BLOB_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_mount(f.m, STR("new"), false, STR("one"), dg("layer"), NULL, NULL, &test_err),
                  "NAME_UNKNOWN");
    CHECK_CODE(OPS->repo_exists(f.m, STR("new"), &test_err), BERTH_E_NOT_FOUND); /* a refusal makes nothing */
    CHECK_OK(OPS->blob_mount(f.m, STR("new"), true, STR("one"), dg("layer"), NULL, NULL, &test_err));
    CHECK_OK(OPS->blob_mount(f.m, STR("new2"), true, STR(""), dg("layer"), reads, one, &test_err));
    CHECK_OK(OPS->blob_mount(f.m, STR("new3"), true, STR(""), dg("layer"), NULL, NULL, &test_err));
    CHECK(has_blob("new", "layer") && has_blob("new2", "layer") && has_blob("new3", "layer"));
}

static void test_metadata_blob__is_not_mounted_from_a_deleted_repository(void **state)
{
    (void)state;
    push_blob("one", "layer");
    CHECK_OK(OPS->repo_delete(f.m, STR("one"), &test_err));
    CHECK_UNKNOWN(OPS->blob_mount(f.m, STR("new"), true, STR(""), dg("layer"), NULL, NULL, &test_err),
                  "BLOB_UNKNOWN");
}

static void test_metadata_blob__is_not_deleted_while_manifests_refer_to_it(void **state)
{
    (void)state;
    push_blob("app", "layer");
    for (int i = 0; i < 12; i++)
        PUSH(.repo = "app", .name = berth_arena_printf(&f.a, "m%d", i), .layers = "layer");
    struct oci_list l = {0};
    CHECK_CODE(OPS->blob_delete(f.m, STR("app"), dg("layer"), &f.a, &l, &test_err), BERTH_E_CONFLICT);
    CHECK_STR(str_from(test_err.oci_code), STR("DENIED"));
    assert_int_equal(l.n, 10);
    CHECK(has_blob("app", "layer"));
    for (int i = 0; i < 12; i++)
        CHECK_OK(
            OPS->manifest_delete(f.m, STR("app"), dg(berth_arena_printf(&f.a, "m%d", i)), NULL, &test_err));
    CHECK_OK(OPS->blob_delete(f.m, STR("app"), dg("layer"), &f.a, &l, &test_err));
    CHECK(!has_blob("app", "layer"));
    CHECK_UNKNOWN(OPS->blob_delete(f.m, STR("app"), dg("layer"), &f.a, &l, &test_err), "BLOB_UNKNOWN");
    CHECK_UNKNOWN(OPS->blob_delete(f.m, STR("none"), dg("layer"), &f.a, &l, &test_err), "NAME_UNKNOWN");
}

/* --- sessions --- */

static struct meta_upload begin(const char *repo, int64_t expires_in)
{
    struct meta_upload u = {.algorithm = HASH_SHA512};
    int64_t now;
    CHECK_OK(OPS->now(f.m, &now, &test_err));
    u.expires_at = now + expires_in;
    io_random_uuid(u.id);
    io_random_key(u.key);
    CHECK_OK(OPS->upload_begin(f.m, str_from(repo), true, &u, &test_err));
    return u;
}

static int commit(const char *repo, const struct meta_upload *u, const char *name, bool in_database)
{
    return OPS->upload_commit(f.m,
                              &(struct meta_commit){.repo = str_from(repo),
                                                    .id = str_from(u->id),
                                                    .epoch = u->epoch,
                                                    .digest = dg(name),
                                                    .size = body_of(name).n,
                                                    .inline_body = in_database,
                                                    .body = in_database ? body_of(name) : STR_NULL},
                              &test_err);
}

static void test_metadata_upload__goes_on_from_what_was_recorded(void **state)
{
    (void)state;
    struct meta_upload u = begin("app", HOUR), got;
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
    CHECK(got.size == 0 && !got.stored && got.hash_len == 0 && got.algorithm == HASH_SHA512);
    CHECK_STR(str_from(got.key), str_from(u.key));
    got.size = 5000000000;
    got.stored = true;
    got.algorithm = HASH_SHA256;
    got.hash_len = 103;
    memset(got.hash, 0, sizeof(got.hash));
    got.hash[0] = 1;
    got.hash[102] = 7;
    got.expires_at = u.expires_at + HOUR;
    CHECK_OK(OPS->upload_record(f.m, &got, false, &test_err));
    struct meta_upload again;
    CHECK_OK(OPS->upload_get(f.m, STR("app"), str_from(u.id), NULL, &again, &test_err));
    CHECK(again.size == 5000000000 && again.stored && again.algorithm == HASH_SHA256 &&
          again.hash_len == 103);
    CHECK(memcmp(again.hash, got.hash, 103) == 0 && again.expires_at == got.expires_at);
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &again,
                               &test_err)); /* the record released it */
    CHECK(again.epoch != got.epoch);
}

static void test_metadata_upload__has_one_holder_at_a_time(void **state)
{
    (void)state;
    struct meta_upload u = begin("app", HOUR), first, second;
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &first, &test_err));
    CHECK_CODE(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &second, &test_err), BERTH_E_BUSY);
    CHECK_OK(OPS->upload_get(f.m, STR("app"), str_from(u.id), NULL, &second, &test_err));
    OPS->upload_release(f.m, str_from(u.id), first.epoch + 1000); /* somebody else's */
    CHECK_CODE(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &second, &test_err), BERTH_E_BUSY);
    OPS->upload_release(f.m, str_from(u.id), first.epoch);
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &second, &test_err));
    CHECK(second.epoch != first.epoch);
    CHECK_CODE(OPS->upload_record(f.m, &first, false, &test_err), BERTH_E_CONFLICT); /* fenced off */
    CHECK_CODE(commit("app", &first, "layer", false), BERTH_E_CONFLICT);
    CHECK_OK(commit("app", &second, "layer", false));
    CHECK(has_blob("app", "layer"));
    CHECK_CODE(commit("app", &second, "layer", false), BERTH_E_CONFLICT);
}

static void test_metadata_upload__is_unknown_to_others_and_when_it_is_over(void **state)
{
    (void)state;
    push_blob("other", "x");
    struct meta_upload u = begin("app", HOUR), got;
    CHECK_UNKNOWN(OPS->upload_get(f.m, STR("other"), str_from(u.id), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_claim(f.m, STR("other"), str_from(u.id), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_cancel(f.m, STR("other"), str_from(u.id), 0, &test_err), "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_get(f.m, STR("app"), STR("no-such-id"), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    char lengthy[5000];
    memset(lengthy, 'x', sizeof(lengthy));
    berth_str id = {lengthy, sizeof(lengthy)};
    CHECK_UNKNOWN(OPS->upload_claim(f.m, STR("app"), id, NULL, &got, &test_err), "BLOB_UPLOAD_UNKNOWN");
    later(HOUR);
    CHECK_UNKNOWN(OPS->upload_get(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
}

static void test_metadata_upload__tells_for_a_while_how_it_ended(void **state)
{
    (void)state;
    struct meta_upload u = begin("app", HOUR), got;
    berth_digest d;
    CHECK_UNKNOWN(OPS->upload_result(f.m, STR("app"), str_from(u.id), &d, &test_err), "BLOB_UPLOAD_UNKNOWN");
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
    CHECK_OK(commit("app", &got, "layer", true));
    CHECK_OK(OPS->upload_result(f.m, STR("app"), str_from(u.id), &d, &test_err));
    CHECK(digest_eq(&d, dg("layer")));
    CHECK_UNKNOWN(OPS->upload_result(f.m, STR("other"), str_from(u.id), &d, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_get(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    later(600000);
    CHECK_UNKNOWN(OPS->upload_result(f.m, STR("app"), str_from(u.id), &d, &test_err), "BLOB_UPLOAD_UNKNOWN");
}

static void test_metadata_upload__leaves_no_key_unowned(void **state)
{
    (void)state;
    /* whether the blob was there; what the session recorded; where its bytes end; who owns the session's key
     * then */
    static const struct {
        bool there, recorded, in_database;
        enum meta_key_owner owner;
    } rows[] = {
        {false, false, false, META_KEY_BLOB},   {false, true, false, META_KEY_BLOB},
        {true, false, false, META_KEY_GC},      {true, true, false, META_KEY_GC},
        {false, false, true, META_KEY_UNKNOWN}, /* never written */
        {true, false, true, META_KEY_UNKNOWN},  {false, true, true, META_KEY_GC},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = berth_arena_printf(&f.a, "layer%zu", i);
        enum meta_key_owner owner;
        if (rows[i].there)
            push_object("app", name);
        struct meta_upload u = begin("app", HOUR), got;
        CHECK_OK(OPS->key_owner(f.m, u.key, &owner, &test_err));
        CHECK_ROW(i, owner == META_KEY_UPLOAD); /* before the first byte */
        CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
        if (rows[i].recorded) {
            got.stored = true;
            got.size = 3;
            CHECK_OK(OPS->upload_record(f.m, &got, false, &test_err));
            CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
        }
        CHECK_OK(commit("app", &got, name, rows[i].in_database));
        CHECK_OK(OPS->key_owner(f.m, u.key, &owner, &test_err));
        CHECK_ROW(i, owner == rows[i].owner);
        CHECK_ROW(i, has_blob("app", name));
    }
    check_sound();
}

static void test_metadata_upload__can_be_cancelled_even_while_held(void **state)
{
    (void)state;
    struct meta_upload u = begin("app", HOUR), got;
    enum meta_key_owner owner;
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
    CHECK_OK(OPS->upload_cancel(f.m, STR("app"), str_from(u.id), 0, &test_err));
    CHECK_OK(OPS->key_owner(f.m, u.key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_GC);
    CHECK_CODE(OPS->upload_record(f.m, &got, false, &test_err), BERTH_E_CONFLICT);
    CHECK_CODE(commit("app", &got, "layer", false), BERTH_E_CONFLICT);
    CHECK(!has_blob("app", "layer"));
    OPS->upload_release(f.m, str_from(u.id), got.epoch); /* too late, and harmless */
    CHECK_UNKNOWN(OPS->upload_cancel(f.m, STR("app"), str_from(u.id), 0, &test_err), "BLOB_UPLOAD_UNKNOWN");
}

/* A session that is only a name, as the rules know it. */
static struct meta_upload name_only(void)
{
    struct meta_upload u = {.fresh = true, .algorithm = HASH_SHA256};
    CHECK_OK(OPS->now(f.m, &u.expires_at, &test_err));
    u.expires_at += HOUR;
    io_random_uuid(u.id);
    return u;
}

static int commit_fresh(const struct meta_upload *u, const char *name, berth_error *err)
{
    return OPS->upload_commit(f.m,
                              &(struct meta_commit){.repo = STR("new"),
                                                    .id = str_from(u->id),
                                                    .epoch = u->epoch,
                                                    .digest = dg(name),
                                                    .size = body_of(name).n,
                                                    .named_until = u->expires_at,
                                                    .fresh = true,
                                                    .create_repo = true,
                                                    .inline_body = true,
                                                    .body = body_of(name)},
                              err);
}

static void test_metadata_upload__of_a_mere_name_becomes_a_blob_at_once(void **state)
{
    (void)state;
    struct meta_upload u = name_only(), got;
    berth_digest d;
    CHECK_UNKNOWN(OPS->upload_claim(f.m, STR("new"), str_from(u.id), NULL, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_OK(OPS->upload_get(f.m, STR("new"), str_from(u.id), &u, &got, &test_err));
    CHECK(got.fresh && got.size == 0);
    CHECK_OK(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &got, &test_err));
    CHECK(got.fresh && got.epoch);
    struct meta_upload second;
    CHECK_CODE(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &second, &test_err), BERTH_E_BUSY);
    CHECK_OK(commit_fresh(&got, "layer", &test_err));
    CHECK(has_blob("new", "layer"));
    CHECK_OK(OPS->upload_result(f.m, STR("new"), str_from(u.id), &d, &test_err));
    CHECK(digest_eq(&d, dg("layer")));
    /* its name is good no more, as long as it would have been */
    meta_sqlite_shift_clock(f.m, HOUR - 2 * 60 * 1000);
    collect();
    CHECK_UNKNOWN(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_get(f.m, STR("new"), str_from(u.id), &u, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    check_sound();
}

static void test_metadata_upload__of_a_mere_name_can_be_cancelled_once(void **state)
{
    (void)state;
    struct meta_upload u = name_only(), got;
    CHECK_OK(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &got, &test_err));
    CHECK_OK(OPS->upload_cancel(f.m, STR("new"), str_from(u.id), u.expires_at, &test_err));
    CHECK_CODE(commit_fresh(&got, "layer", &test_err), BERTH_E_CONFLICT);
    got.fresh = false;
    io_random_key(got.key);
    CHECK_CODE(OPS->upload_begin(f.m, STR("new"), true, &got, &test_err), BERTH_E_CONFLICT);
    CHECK_UNKNOWN(OPS->upload_cancel(f.m, STR("new"), str_from(u.id), u.expires_at, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK_UNKNOWN(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    CHECK(!has_blob("new", "layer"));
    check_sound();
}

static void test_metadata_upload__of_a_mere_name_gets_its_row_while_it_is_held(void **state)
{
    (void)state;
    struct meta_upload u = name_only(), got;
    enum meta_key_owner owner;
    CHECK_OK(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &got, &test_err));
    got.fresh = false;
    io_random_key(got.key);
    CHECK_OK(OPS->upload_begin(f.m, STR("new"), true, &got, &test_err));
    CHECK_OK(OPS->key_owner(f.m, got.key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_UPLOAD);
    got.size = 3;
    CHECK_OK(OPS->upload_record(f.m, &got, false, &test_err));
    CHECK_OK(OPS->upload_claim(f.m, STR("new"), str_from(u.id), &u, &got, &test_err));
    CHECK(!got.fresh && got.size == 3);
    CHECK_OK(OPS->upload_cancel(f.m, STR("new"), str_from(u.id), u.expires_at, &test_err));
    CHECK_UNKNOWN(OPS->upload_get(f.m, STR("new"), str_from(u.id), &u, &got, &test_err),
                  "BLOB_UPLOAD_UNKNOWN");
    check_sound();
}

static void test_metadata_upload__cannot_end_in_another_or_a_deleted_repository(void **state)
{
    (void)state;
    push_blob("other", "x");
    struct meta_upload u = begin("app", HOUR), got;
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
    CHECK(commit("other", &got, "layer", false) != BERTH_OK);
    CHECK(!has_blob("other", "layer"));
    u = begin("app", HOUR);
    CHECK_OK(OPS->upload_claim(f.m, STR("app"), str_from(u.id), NULL, &got, &test_err));
    CHECK_OK(OPS->repo_delete(f.m, STR("app"), &test_err));
    CHECK(commit("app", &got, "layer", false) != BERTH_OK);
    struct meta_blob_row *rows;
    size_t n;
    CHECK_OK(OPS->blobs_page(f.m, STR(""), 10, &f.a, &rows, &n, &test_err));
    assert_int_equal(n, 1);
}

/* --- manifests and tags --- */

static void test_metadata_manifest__is_read_by_tag_and_by_digest(void **state)
{
    (void)state;
    push_blob("app", "layer");
    PUSH(.repo = "app", .name = "m", .layers = "layer", .tags = "v1 latest", .media_type = "text/x");
    struct oci_stored got;
    CHECK_OK(OPS->manifest_get(f.m, STR("app"), STR("v1"), NULL, true, &f.a, &got, &test_err));
    CHECK(digest_eq(&got.digest, dg("m")) && got.size == body_of("m").n && !got.lease_due);
    CHECK_STR(got.media_type, STR("text/x"));
    CHECK_STR(got.body, body_of("m"));
    CHECK_OK(OPS->manifest_get(f.m, STR("app"), STR_NULL, dg("m"), false, &f.a, &got, &test_err));
    CHECK(!got.body.p && got.size == body_of("m").n);
    CHECK_OK(OPS->manifest_get(f.m, STR("app"), STR("latest"), NULL, false, &f.a, &got, &test_err));
    CHECK(!got.body.p && got.size == body_of("m").n);
    CHECK_UNKNOWN(OPS->manifest_get(f.m, STR("app"), STR("v2"), NULL, true, &f.a, &got, &test_err),
                  "MANIFEST_UNKNOWN");
    CHECK_UNKNOWN(OPS->manifest_get(f.m, STR("app"), STR_NULL, dg("n"), true, &f.a, &got, &test_err),
                  "MANIFEST_UNKNOWN");
    CHECK_UNKNOWN(OPS->manifest_get(f.m, STR("none"), STR("v1"), NULL, true, &f.a, &got, &test_err),
                  "NAME_UNKNOWN");
    push_blob("other", "layer");
    CHECK(!has_manifest("other", "m"));
}

static void test_metadata_manifest__is_refused_whole_when_something_is_missing(void **state)
{
    (void)state;
    push_blob("app", "here");
    push_blob("elsewhere", "l2");
    PUSH(.repo = "elsewhere", .name = "c1");
    struct oci_list missing = {0};
    struct put p = {
        .repo = "new", .name = "m", .layers = "l1 l2 ?foreign l1", .children = "c1 ?c2", .tags = "v1"};
    CHECK_UNKNOWN(put(&p, &missing, &test_err), "MANIFEST_BLOB_UNKNOWN");
    assert_int_equal(missing.n, 3); /* each once */
    for (size_t i = 0; i < missing.n; i++)
        CHECK_ROW(i, str_eq(missing.items[i], ds("l1")) || str_eq(missing.items[i], ds("l2")) ||
                         str_eq(missing.items[i], ds("c1")));
    CHECK_CODE(OPS->repo_exists(f.m, STR("new"), &test_err), BERTH_E_NOT_FOUND);
    p = (struct put){.repo = "app", .name = "m", .layers = "here l1", .tags = "v1"};
    CHECK_UNKNOWN(put(&p, &missing, &test_err), "MANIFEST_BLOB_UNKNOWN");
    assert_int_equal(missing.n, 1);
    CHECK(!has_manifest("app", "m") && !has_tag("app", "v1", "m"));
    p = (struct put){
        .repo = "app", .name = "m", .layers = "?l1 l1"}; /* one mention that may not miss is enough */
    CHECK_UNKNOWN(put(&p, &missing, &test_err), "MANIFEST_BLOB_UNKNOWN");
    struct oci_list l = {0};
    CHECK_OK(OPS->blob_delete(f.m, STR("app"), dg("here"), &f.a, &l, &test_err)); /* no edge stayed */
}

static void test_metadata_manifest__may_be_put_again(void **state)
{
    (void)state;
    push_blob("app", "layer");
    PUSH(.repo = "app", .name = "m", .layers = "layer layer ?foreign", .children = "?c",
         .media_type = "text/a");
    PUSH(.repo = "app", .name = "m", .layers = "layer layer ?foreign", .children = "?c",
         .media_type = "text/b");
    struct oci_stored got;
    CHECK_OK(OPS->manifest_get(f.m, STR("app"), STR_NULL, dg("m"), true, &f.a, &got, &test_err));
    CHECK_STR(got.media_type, STR("text/b"));
    CHECK_STR(got.body, body_of("m"));
    check_sound();
}

static void test_metadata_manifest__may_name_one_digest_as_blob_and_as_child(void **state)
{
    (void)state;
    push_blob("app", "x");
    PUSH(.repo = "app", .name = "x");
    PUSH(.repo = "app", .name = "m", .layers = "x", .children = "x");
    struct oci_list l = {0};
    CHECK_CODE(OPS->blob_delete(f.m, STR("app"), dg("x"), &f.a, &l, &test_err), BERTH_E_CONFLICT);
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("m"), NULL, &test_err));
    CHECK_OK(OPS->blob_delete(f.m, STR("app"), dg("x"), &f.a, &l, &test_err));
    CHECK(has_manifest("app", "x"));
}

static void test_metadata_manifest__gets_its_edges_when_what_it_misses_arrives(void **state)
{
    (void)state;
    struct oci_list l = {0};
    PUSH(.repo = "app", .name = "m", .layers = "?put ?commit ?mount");
    push_blob("app", "put");
    push_object("app", "commit");
    push_blob("other", "mount");
    CHECK_OK(OPS->blob_mount(f.m, STR("app"), true, STR("other"), dg("mount"), NULL, NULL, &test_err));
    static const char *const names[] = {"put", "commit", "mount"};
    for (size_t i = 0; i < COUNT(names); i++)
        CHECK_ROW(i,
                  OPS->blob_delete(f.m, STR("app"), dg(names[i]), &f.a, &l, &test_err) == BERTH_E_CONFLICT);
    CHECK_OK(
        OPS->blob_delete(f.m, STR("other"), dg("mount"), &f.a, &l, &test_err)); /* its m has none there */
    check_sound();
}

static void test_metadata_tag__moves_whole_and_all_at_once(void **state)
{
    (void)state;
    PUSH(.repo = "app", .name = "m1", .tags = "v1 latest");
    PUSH(.repo = "app", .name = "m2", .tags = "v2 latest");
    CHECK(has_tag("app", "v1", "m1") && has_tag("app", "v2", "m2") && has_tag("app", "latest", "m2"));
    CHECK_OK(OPS->tag_delete(f.m, STR("app"), STR("latest"), NULL, &test_err));
    CHECK_UNKNOWN(OPS->tag_delete(f.m, STR("app"), STR("latest"), NULL, &test_err), "MANIFEST_UNKNOWN");
    CHECK_UNKNOWN(OPS->tag_delete(f.m, STR("none"), STR("latest"), NULL, &test_err), "NAME_UNKNOWN");
    CHECK(has_manifest("app", "m2") && has_tag("app", "v2", "m2"));
}

/* A condition that notes what it was asked about. */
struct asked {
    bool answer;
    unsigned times;
    char about[DIGEST_TEXT_MAX]; /* "": nothing stood there */
};

static bool note(void *arg, berth_str digest)
{
    struct asked *a = arg;
    snprintf(a->about, sizeof(a->about), STR_FMT, STR_ARG(digest));
    a->times++;
    return a->answer;
}

static void test_metadata_condition__is_asked_about_what_stands_there(void **state)
{
    (void)state;
    static const struct {
        const char *tag, *name,
            *about; /* put: @name under @tag, about which it asks; NULL: about the digest */
    } rows[] = {
        {"v1", "m2", "m1"}, {"v1", "m1", "m1"}, {"new", "m2", NULL}, {NULL, "m1", "m1"}, {NULL, "m2", NULL},
    };
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        bool answer = i % 2;
        const char *name = rows[i / 2].name, *tag = rows[i / 2].tag, *about = rows[i / 2].about;
        char repo[16];
        snprintf(repo, sizeof(repo), "app%zu", i);
        PUSH(.repo = repo, .name = "m1", .tags = "v1");
        struct asked asked = {.answer = answer};
        const struct oci_condition c = {note, &asked};
        struct put p = {
            .repo = repo, .name = name, .tags = tag ? tag : "x", .condition = &c, .condition_tag = tag};
        CHECK_ROW(i, put(&p, NULL, &test_err) == (answer ? BERTH_OK : BERTH_E_CONDITION));
        CHECK_ROW(i, asked.times >= 1);
        CHECK_STR_ROW(i, str_from(asked.about), about ? ds(about) : STR(""));
        CHECK_ROW(i, has_tag(repo, p.tags, name) == (answer || (tag && strcmp(name, "m1") == 0)));
        CHECK_ROW(i, has_manifest(repo, "m2") == (answer && strcmp(name, "m2") == 0));
    }
}

static void test_metadata_condition__keeps_what_a_deletion_would_take(void **state)
{
    (void)state;
    struct asked asked = {.answer = false};
    const struct oci_condition c = {note, &asked};
    PUSH(.repo = "app", .name = "m", .tags = "v1");
    CHECK_UNKNOWN(OPS->tag_delete(f.m, STR("app"), STR("none"), &c, &test_err), "MANIFEST_UNKNOWN");
    CHECK_UNKNOWN(OPS->manifest_delete(f.m, STR("app"), dg("none"), &c, &test_err), "MANIFEST_UNKNOWN");
    assert_int_equal(asked.times, 0); /* RFC 9110 section 13.2.1: it would have been refused anyway */
    CHECK_CODE(OPS->tag_delete(f.m, STR("app"), STR("v1"), &c, &test_err), BERTH_E_CONDITION);
    CHECK_STR(str_from(asked.about), ds("m"));
    asked.about[0] = '\0';
    CHECK_CODE(OPS->manifest_delete(f.m, STR("app"), dg("m"), &c, &test_err), BERTH_E_CONDITION);
    CHECK_STR(str_from(asked.about), ds("m"));
    CHECK(has_tag("app", "v1", "m"));
    asked.answer = true;
    CHECK_OK(OPS->tag_delete(f.m, STR("app"), STR("v1"), &c, &test_err));
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("m"), &c, &test_err));
    CHECK(!has_manifest("app", "m"));
}

/* A push that is refused makes no repository. */
static void test_metadata_condition__leaves_no_repository_behind(void **state)
{
    (void)state;
    struct asked asked = {.answer = false};
    const struct oci_condition c = {note, &asked};
    struct put p = {.repo = "app", .name = "m", .tags = "v1", .condition = &c, .condition_tag = "v1"};
    CHECK_CODE(put(&p, NULL, &test_err), BERTH_E_CONDITION);
    CHECK_UNKNOWN(OPS->repo_exists(f.m, STR("app"), &test_err), "NAME_UNKNOWN");
}

static void test_metadata_tag__is_listed_page_by_page_in_bytewise_order(void **state)
{
    (void)state;
    struct oci_list l;
    CHECK_UNKNOWN(OPS->tag_list(f.m, STR("app"), STR(""), 10, &f.a, &l, &test_err), "NAME_UNKNOWN");
    PUSH(.repo = "app", .name = "m", .tags = "b a B 1.10 1.9 _x a.b a-b");
    PUSH(.repo = "app2", .name = "m", .tags = "zz");
    static const char *const order[] = {"1.10", "1.9", "B", "_x", "a", "a-b", "a.b", "b"};
    for (size_t page = 1; page <= 9; page++) {
        berth_str after = STR_NULL;
        size_t at = 0;
        bool more = true;
        while (more) {
            CHECK_OK(OPS->tag_list(f.m, STR("app"), after, page, &f.a, &l, &test_err));
            for (size_t i = 0; i < l.n; i++, at++)
                CHECK_STR_ROW(page, l.items[i], str_from(order[at]));
            more = l.more;
            CHECK_ROW(page, !more || l.n == page);
            after = l.n ? l.items[l.n - 1] : after;
        }
        CHECK_ROW(page, at == COUNT(order));
    }
    CHECK_OK(OPS->tag_list(f.m, STR("app"), STR("B0"), 1, &f.a, &l, &test_err)); /* need not exist */
    CHECK_STR(l.items[0], STR("_x"));
    CHECK_OK(OPS->tag_list(f.m, STR("app"), STR("zzz"), 10, &f.a, &l, &test_err));
    CHECK(l.n == 0 && !l.more);
    CHECK_OK(OPS->tag_list(f.m, STR("app"), STR(""), 0, &f.a, &l, &test_err));
    CHECK(l.n == 0 && !l.more);
}

static void test_metadata_manifest__takes_its_tags_with_it(void **state)
{
    (void)state;
    PUSH(.repo = "app", .name = "m1", .tags = "a b c");
    PUSH(.repo = "app", .name = "m2", .tags = "d");
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("m1"), NULL, &test_err));
    assert_int_equal(count_tags("app"), 1);
    CHECK(!has_manifest("app", "m1") && has_tag("app", "d", "m2"));
    CHECK_UNKNOWN(OPS->manifest_delete(f.m, STR("app"), dg("m1"), NULL, &test_err), "MANIFEST_UNKNOWN");
    CHECK_UNKNOWN(OPS->manifest_delete(f.m, STR("none"), dg("m1"), NULL, &test_err), "NAME_UNKNOWN");
    CHECK_UNKNOWN(OPS->manifest_lease(f.m, STR("app"), dg("m1"), &test_err), "MANIFEST_UNKNOWN");
}

static void test_metadata_manifest__can_be_deleted_below_its_index_and_come_back(void **state)
{
    (void)state;
    PUSH(.repo = "app", .name = "child");
    PUSH(.repo = "app", .name = "index", .children = "child", .tags = "v1");
    CHECK_OK(OPS->manifest_delete(f.m, STR("app"), dg("child"), NULL, &test_err));
    CHECK(has_tag("app", "v1", "index") && !has_manifest("app", "child"));
    struct put again = {.repo = "app", .name = "index", .children = "child"};
    struct oci_list missing = {0};
    CHECK_CODE(put(&again, &missing, &test_err), BERTH_E_NOT_FOUND); /* it is missing now */
    PUSH(.repo = "app", .name = "child");
    struct oci_stored got;
    later(10 * G);
    CHECK_OK(OPS->manifest_get(f.m, STR("app"), STR_NULL, dg("child"), false, &f.a, &got, &test_err));
    CHECK(!got.lease_due); /* its parent holds it again */
    CHECK_OK(put(&again, &missing, &test_err));
    check_sound();
}

/* --- referrers --- */

static void test_metadata_referrers__are_listed_by_type_and_digest_and_filtered(void **state)
{
    (void)state;
    PUSH(.repo = "app", .name = "subject");
    static const char *const types[] = {"sbom", "sig", "", "sbom", "sig", "sbom"};
    for (size_t i = 0; i < COUNT(types); i++)
        PUSH(.repo = "app", .name = berth_arena_printf(&f.a, "r%zu", i), .subject = "subject",
             .type = types[i]);
    PUSH(.repo = "app", .name = "other", .subject = "r0", .type = "sig");
    PUSH(.repo = "else", .name = "r0", .subject = "subject", .type = "sig");
    static const struct {
        const char *filter;
        size_t n;
    } rows[] = {{"", 6}, {"sbom", 3}, {"sig", 2}, {"none", 0}};
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t page = 1; page <= 7; page++) {
            struct oci_referrers got = {.more = true};
            berth_str type = STR(""), digest = STR("");
            size_t n = 0;
            while (got.more) {
                CHECK_OK(OPS->referrers(f.m, STR("app"), ds("subject"), str_from(rows[i].filter), type,
                                        digest, page, MIB, &f.a, &got, &test_err));
                CHECK_ROW(i, got.n <= page);
                for (size_t k = 0; k < got.n; k++, n++) {
                    const oci_referrer *r = &got.items[k];
                    CHECK_ROW(i, str_cmp(r->artifact_type, type) > 0 ||
                                     (str_eq(r->artifact_type, type) && str_cmp(r->digest, digest) > 0));
                    CHECK_ROW(i, !*rows[i].filter || str_eq(r->artifact_type, str_from(rows[i].filter)));
                    type = r->artifact_type;
                    digest = r->digest;
                }
            }
            CHECK_ROW(i, n == rows[i].n);
        }
    struct oci_referrers got;
    CHECK_OK(OPS->referrers(f.m, STR("none"), ds("subject"), STR(""), STR(""), STR(""), 10, MIB, &f.a, &got,
                            &test_err));
    CHECK(got.n == 0 && !got.more);
    CHECK_OK(OPS->referrers(f.m, STR("app"), ds("subject"), STR(""), STR(""), STR(""), 10, 1, &f.a, &got,
                            &test_err));
    CHECK(got.n == 1 && got.more); /* a ceiling in bytes, and progress all the same */
}

static void test_metadata_referrers__carry_what_the_list_needs(void **state)
{
    (void)state;
    struct meta_manifest_put row = {.repo = STR("app"),
                                    .create_repo = true,
                                    .digest = dg("r"),
                                    .media_type = STR("text/m"),
                                    .artifact_type = STR("text/a"),
                                    .subject = ds("subject"), /* may come later */
                                    .annotations = STR("{\"k\":\"v\"}"),
                                    .body = STR("12345")};
    struct oci_list missing;
    struct oci_referrers got;
    CHECK_OK(OPS->manifest_put(f.m, &row, &f.a, &missing, &test_err));
    CHECK_OK(OPS->referrers(f.m, STR("app"), ds("subject"), STR(""), STR(""), STR(""), 10, MIB, &f.a, &got,
                            &test_err));
    assert_int_equal(got.n, 1);
    CHECK_STR(got.items[0].digest, ds("r"));
    CHECK_STR(got.items[0].media_type, STR("text/m"));
    CHECK_STR(got.items[0].artifact_type, STR("text/a"));
    CHECK_STR(got.items[0].annotations_json, STR("{\"k\":\"v\"}"));
    assert_int_equal(got.items[0].size, 5);
}

/* --- inspection and repair --- */

static void test_metadata_inspection__pages_through_all_blobs_and_manifests(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        push_blob("app", berth_arena_printf(&f.a, "in%d", i));
        push_object("app", berth_arena_printf(&f.a, "out%d", i));
        PUSH(.repo = i % 2 ? "app" : "app2", .name = berth_arena_printf(&f.a, "m%d", i));
    }
    berth_str after = STR("");
    size_t blobs = 0, inside = 0, n = 1;
    while (n) {
        struct meta_blob_row *rows;
        CHECK_OK(OPS->blobs_page(f.m, after, 3, &f.a, &rows, &n, &test_err));
        for (size_t i = 0; i < n; i++) {
            CHECK(str_cmp(rows[i].digest, after) > 0);
            CHECK(!rows[i].key[0] == (rows[i].body.p != NULL));
            after = rows[i].digest;
            inside += !rows[i].key[0];
            blobs++;
        }
    }
    CHECK(blobs == 10 && inside == 5);
    berth_buf cursor = BERTH_BUF_INIT(KIB);
    struct oci_list repos = {.more = true}, digests, bodies;
    size_t manifests = 0;
    while (repos.more) {
        CHECK_OK(OPS->manifests_page(f.m, 2, &cursor, &f.a, &repos, &digests, &bodies, &test_err));
        CHECK(repos.n == digests.n && repos.n == bodies.n && repos.n <= 2);
        manifests += repos.n;
    }
    assert_int_equal(manifests, 5);
    berth_buf_done(&cursor);
}

static void test_metadata_repair__gives_a_blob_another_object(void **state)
{
    (void)state;
    const char *was = push_object("app", "layer"), *key = "0123456789abcdef0123456789abcdef";
    push_blob("app", "small");
    const char *taken = push_object("app", "taken");
    enum meta_key_owner owner;
    struct meta_blob b;
    CHECK_OK(OPS->object_orphan(f.m, key, 17, &test_err));
    CHECK_CODE(OPS->object_orphan(f.m, key, 17, &test_err), BERTH_E_CONFLICT);
    CHECK_CODE(OPS->object_orphan(f.m, was, 17, &test_err), BERTH_E_CONFLICT);
    CHECK_CODE(OPS->blob_rekey(f.m, dg("layer")->text, taken, &test_err), BERTH_E_CONFLICT);
    CHECK_CODE(OPS->blob_rekey(f.m, dg("none")->text, key, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(OPS->blob_rekey(f.m, dg("layer")->text, key, &test_err));
    CHECK_OK(OPS->blob_get(f.m, STR("app"), dg("layer"), true, &f.a, &b, &test_err));
    CHECK_STR(str_from(b.key), str_from(key));
    CHECK_OK(OPS->key_owner(f.m, key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_BLOB);
    CHECK_OK(OPS->key_owner(f.m, was, &owner, &test_err));
    assert_int_equal(owner, META_KEY_GC);
    CHECK_OK(OPS->blob_rekey(f.m, dg("small")->text, "another", &test_err));
    CHECK_OK(OPS->blob_get(f.m, STR("app"), dg("small"), true, &f.a, &b, &test_err));
    CHECK(!b.body.p && strcmp(b.key, "another") == 0);
    check_sound();
}

static void test_metadata_repair__forgets_a_lost_blob_and_takes_it_back(void **state)
{
    (void)state;
    const char *key = push_object("app", "layer");
    CHECK_OK(OPS->blob_mount(f.m, STR("app2"), true, STR("app"), dg("layer"), NULL, NULL, &test_err));
    PUSH(.repo = "app", .name = "m", .layers = "layer", .tags = "v1");
    PUSH(.repo = "app2", .name = "m", .layers = "layer", .tags = "v1");
    CHECK_OK(OPS->blob_forget(f.m, dg("layer")->text, &test_err));
    CHECK_CODE(OPS->blob_forget(f.m, dg("layer")->text, &test_err), BERTH_E_NOT_FOUND);
    enum meta_key_owner owner;
    CHECK_OK(OPS->key_owner(f.m, key, &owner, &test_err));
    assert_int_equal(owner, META_KEY_GC);
    CHECK(!has_blob("app", "layer") && !has_blob("app2", "layer") && has_tag("app", "v1", "m"));
    push_blob("app", "layer"); /* pushed anew: the edge is back */
    struct oci_list l = {0};
    CHECK_CODE(OPS->blob_delete(f.m, STR("app"), dg("layer"), &f.a, &l, &test_err), BERTH_E_CONFLICT);
    check_sound();
}

const struct CMUnitTest content_tests[] = {
    FRESH(test_metadata_repo__comes_to_be_on_the_first_push_and_only_when_allowed),
    FRESH(test_metadata_repo__is_listed_once_it_holds_a_manifest_in_bytewise_order),
    FRESH(test_metadata_repo__is_gone_at_once_when_deleted_and_its_name_is_free),
    FRESH(test_metadata_blob__is_seen_through_a_link_of_its_repository_alone),
    FRESH(test_metadata_blob__may_be_empty),
    FRESH(test_metadata_blob__keeps_the_object_that_came_first),
    FRESH(test_metadata_blob__is_mounted_from_where_it_is_and_may_be_read),
    FRESH(test_metadata_blob__is_not_mounted_from_a_deleted_repository),
    FRESH(test_metadata_blob__is_not_deleted_while_manifests_refer_to_it),
    FRESH(test_metadata_upload__goes_on_from_what_was_recorded),
    FRESH(test_metadata_upload__has_one_holder_at_a_time),
    FRESH(test_metadata_upload__is_unknown_to_others_and_when_it_is_over),
    FRESH(test_metadata_upload__tells_for_a_while_how_it_ended),
    FRESH(test_metadata_upload__leaves_no_key_unowned),
    FRESH(test_metadata_upload__can_be_cancelled_even_while_held),
    FRESH(test_metadata_upload__of_a_mere_name_becomes_a_blob_at_once),
    FRESH(test_metadata_upload__of_a_mere_name_can_be_cancelled_once),
    FRESH(test_metadata_upload__of_a_mere_name_gets_its_row_while_it_is_held),
    FRESH(test_metadata_upload__cannot_end_in_another_or_a_deleted_repository),
    FRESH(test_metadata_manifest__is_read_by_tag_and_by_digest),
    FRESH(test_metadata_manifest__is_refused_whole_when_something_is_missing),
    FRESH(test_metadata_manifest__may_be_put_again),
    FRESH(test_metadata_manifest__may_name_one_digest_as_blob_and_as_child),
    FRESH(test_metadata_manifest__gets_its_edges_when_what_it_misses_arrives),
    FRESH(test_metadata_tag__moves_whole_and_all_at_once),
    FRESH(test_metadata_condition__is_asked_about_what_stands_there),
    FRESH(test_metadata_condition__keeps_what_a_deletion_would_take),
    FRESH(test_metadata_condition__leaves_no_repository_behind),
    FRESH(test_metadata_tag__is_listed_page_by_page_in_bytewise_order),
    FRESH(test_metadata_manifest__takes_its_tags_with_it),
    FRESH(test_metadata_manifest__can_be_deleted_below_its_index_and_come_back),
    FRESH(test_metadata_referrers__are_listed_by_type_and_digest_and_filtered),
    FRESH(test_metadata_referrers__carry_what_the_list_needs),
    FRESH(test_metadata_inspection__pages_through_all_blobs_and_manifests),
    FRESH(test_metadata_repair__gives_a_blob_another_object),
    FRESH(test_metadata_repair__forgets_a_lost_blob_and_takes_it_back),
};
const size_t content_tests_n = COUNT(content_tests);

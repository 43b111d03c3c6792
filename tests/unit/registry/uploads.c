/* tests/unit/registry/uploads.c - upload sessions over HTTP: where a session is and what it holds, chunks
 * that fit and chunks that do not, clients that leave, mounts. */
#include "fixture.h"

#define HELLO        "hello"
#define HELLO_DIGEST "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/* The path of a new session of the repository "a". */
static const char *new_session(void)
{
    assert_int_equal(ask("POST", "/v2/a/blobs/uploads/", "", STR("")), 202);
    berth_str location = answered("Location"), host = STR("https://registry.example:5000");
    CHECK(str_starts(location, host));
    return path_of(STR_FMT, STR_ARG(str_from_offset(location, host.n)));
}

static bool says_code(const char *code)
{
    return strstr(answer_text(), path_of("\"code\":\"%s\"", code)) != NULL;
}

static void test_registry_uploads__say_where_the_session_is_and_what_it_holds(void **state)
{
    (void)state;
    const char *session = new_session(), *id = strrchr(session, '/') + 1;
    assert_int_equal(strlen(id), 36);
    CHECK_ANSWERED("Range", "0-0");
    CHECK_STR(answered("Docker-Upload-UUID"), str_from(id));
    CHECK_ANSWERED("Cache-Control", "no-store");
    assert_int_equal(ask("PATCH", session, "", STR(HELLO)), 202);
    CHECK_ANSWERED("Range", "0-4");
    CHECK_STR(answered("Location"), str_from(path_of("https://registry.example:5000%s", session)));
    assert_int_equal(get(session), 204);
    CHECK_ANSWERED("Range", "0-4");
    assert_int_equal(ask("PATCH", session, "", STR("!")), 202);
    CHECK_ANSWERED("Range", "0-5");
    CHECK_STR(answered("Docker-Upload-UUID"), str_from(id));
    assert_int_equal(ask("DELETE", session, "", STR("")), 204);
    assert_int_equal(get(session), 404);
    CHECK(says_code("BLOB_UPLOAD_UNKNOWN"));
}

static void test_registry_uploads__close_with_the_digest_of_the_whole(void **state)
{
    (void)state;
    const char *session = new_session();
    CHECK(ask("PATCH", session, "", STR("hel")) == 202);
    CHECK(ask("PUT", session, "", STR("lo")) == 400); /* no digest */
    CHECK(says_code("DIGEST_INVALID"));
    CHECK(ask("PUT", path_of("%s?digest=sha256:short", session), "", STR("lo")) == 400);
    CHECK(says_code("DIGEST_INVALID"));
    CHECK(ask("PUT", path_of("%s?digest=" EMPTY_DIGEST, session), "", STR("lo")) == 400); /* another's */
    CHECK(says_code("DIGEST_INVALID"));
    CHECK(get(session) == 204);
    CHECK_ANSWERED("Range", "0-2"); /* as it was before what was refused */
    const char *close = path_of("%s?digest=" HELLO_DIGEST, session);
    for (size_t i = 0; i < 2; i++) { /* the repeated PUT of a client that lost the answer gets it again */
        CHECK_ROW(i, ask("PUT", close, "", STR("lo")) == 201);
        CHECK_STR_ROW(i, answered("Location"), STR("https://registry.example:5000/v2/a/blobs/" HELLO_DIGEST));
        CHECK_STR_ROW(i, answered("Docker-Content-Digest"), STR(HELLO_DIGEST));
    }
    CHECK(get("/v2/a/blobs/" HELLO_DIGEST) == 200);
    CHECK_BODY(HELLO);
    CHECK(ask("PUT", path_of("%s?digest=" EMPTY_DIGEST, session), "", STR("")) == 404);
    CHECK(ask("DELETE", "/v2/a/blobs/" HELLO_DIGEST, "", STR("")) == 202);
    CHECK(ask("PUT", close, "", STR("lo")) == 404); /* a 201 would promise what is gone */
    CHECK(says_code("BLOB_UPLOAD_UNKNOWN"));
}

static void test_registry_uploads__hold_a_chunk_to_its_range(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int status;
        const char *code;
    } rows[] = {
        {"Content-Range: 3-4\n", 202, NULL},
        {"Content-Range: 3-4\nTransfer-Encoding: chunked\n", 202, NULL},
        {"Content-Range: 0-1\n", 416, "BLOB_UPLOAD_INVALID"},
        {"Content-Range: 4-5\n", 416, "BLOB_UPLOAD_INVALID"}, /* a gap */
        {"Content-Range: 2-3\n", 416, "BLOB_UPLOAD_INVALID"}, /* an overlap */
        {"Content-Range: 3-5\n", 400, "SIZE_INVALID"},
        {"Content-Range: 3-3\n", 400, "SIZE_INVALID"},
        {"Content-Range: 3-5\nTransfer-Encoding: chunked\n", 400, "SIZE_INVALID"},
        {"Content-Range: 3-3\nTransfer-Encoding: chunked\n", 400, "SIZE_INVALID"},
        {"Content-Range: 4-3\n", 400, "BLOB_UPLOAD_INVALID"},
        {"Content-Range: three\n", 400, "BLOB_UPLOAD_INVALID"},
        {"Content-Length: -\n", 411, "SIZE_INVALID"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *session = new_session();
        CHECK(ask("PATCH", session, "Content-Range: 0-2\n", STR("hel")) == 202);
        CHECK_ROW(i, ask("PATCH", session, rows[i].head, STR("lo")) == rows[i].status);
        CHECK_ROW(i, !rows[i].code || says_code(rows[i].code));
        if (rows[i].status == 416) { /* with it a client knows where to go on */
            CHECK_STR_ROW(i, answered("Range"), STR("0-2"));
            CHECK_ROW(i, str_ends(answered("Location"), str_from(session)));
        }
        CHECK_ROW(i, get(session) == 204); /* whatever was refused, nobody holds the session */
        CHECK_STR_ROW(i, answered("Range"), str_from(rows[i].status == 202 ? "0-4" : "0-2"));
        CHECK_ROW(i, ask("PUT", path_of("%s?digest=" HELLO_DIGEST, session), "Content-Range: 3-4\n",
                         STR("lo")) == (rows[i].status == 202 ? 416 : 201));
    }
}

/* A PATCH that breaks off keeps what came; a PUT or POST is started again by its client, from where it was.
 */
static void test_registry_uploads__keep_the_part_of_a_chunk_whose_client_left(void **state)
{
    (void)state;
    const char *session = new_session();
    for (size_t i = 0; i < 2; i++) {
        struct exchange *x =
            exchange_new(i ? "PUT" : "PATCH", i ? path_of("%s?digest=" HELLO_DIGEST, session) : session,
                         "Content-Length: 100\n", STR("hel"));
        x->piece = 2;
        x->leaves = true;
        exchange_run(x);
        exchange_free(x);
        CHECK_ROW(i, get(session) == 204);
        CHECK_STR_ROW(i, answered("Range"), STR("0-2"));
    }
    CHECK(ask("PUT", path_of("%s?digest=" HELLO_DIGEST, session), "", STR("lo")) == 201);
}

static void test_registry_uploads__take_a_blob_in_one_request(void **state)
{
    (void)state;
    CHECK(ask("POST", "/v2/a/blobs/uploads/?digest=" HELLO_DIGEST, "", STR(HELLO)) == 201);
    CHECK_ANSWERED("Location", "https://registry.example:5000/v2/a/blobs/" HELLO_DIGEST);
    CHECK_ANSWERED("Docker-Content-Digest", HELLO_DIGEST);
    CHECK(ask("POST", "/v2/b/blobs/uploads/?digest=" EMPTY_DIGEST, "", STR(HELLO)) == 400);
    CHECK(says_code("DIGEST_INVALID"));
    CHECK(get("/v2/b/blobs/" EMPTY_DIGEST) == 404);
    CHECK(ask("POST", "/v2/b/blobs/uploads/?digest=" EMPTY_DIGEST, "Content-Length: -\n", STR("")) == 411);
}

static void test_registry_uploads__mount_or_begin_a_session(void **state)
{
    (void)state;
    push_blob("a", STR(HELLO));
    static const struct {
        const char *query;
        int status;
        const char *code;
    } rows[] = {
        {"?mount=" HELLO_DIGEST "&from=a", 201, NULL},
        {"?mount=" HELLO_DIGEST, 201, NULL},          /* from anywhere */
        {"?mount=" HELLO_DIGEST "&from=", 201, NULL}, /* the same */
        {"?mount=" HELLO_DIGEST "&from=none", 202, NULL},
        {"?mount=" EMPTY_DIGEST "&from=a", 202, NULL},
        {"?mount=" EMPTY_DIGEST "&from=A", 400, "NAME_INVALID"},
        {"?mount=sha256:short&from=a", 400, "DIGEST_INVALID"},
        {"?from=a", 202, NULL},
        {"?digest-algorithm=sha512", 202, NULL},
        {"?digest-algorithm=md5", 400, "DIGEST_INVALID"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, ask("POST", path_of("/v2/b%zu/blobs/uploads/%s", i, rows[i].query), "", STR("")) ==
                         rows[i].status);
        CHECK_ROW(i, !rows[i].code || says_code(rows[i].code));
        CHECK_ROW(i, (answered("Docker-Upload-UUID").p != NULL) == (rows[i].status == 202));
        if (rows[i].status == 201)
            CHECK_STR_ROW(i, answered("Location"),
                          str_from(path_of("https://registry.example:5000/v2/b%zu/blobs/" HELLO_DIGEST, i)));
    }
}

static void test_registry_uploads__take_the_content_types_that_are_listed(void **state)
{
    (void)state;
    static const char *const types[] = {"application/octet-stream"};
    site.api.blob_content_types = types;
    site.api.n_blob_content_types = 1;
    site_apply();
    static const struct {
        const char *head;
        int status;
    } rows[] = {
        {"", 202},
        {"Content-Type: application/octet-stream\n", 202},
        {"Content-Type: Application/Octet-Stream; x=y\n", 202},
        {"Content-Type: text/html\n", 415},
        {"Content-Type: text/html\nTransfer-Encoding: chunked\n", 415},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, ask("PATCH", new_session(), rows[i].head, STR("x")) == rows[i].status);
    /* an empty body has no type worth a word: some clients close with one */
    const char *close = path_of("%s?digest=" EMPTY_DIGEST, new_session());
    CHECK(ask("PUT", close, "Content-Type: text/html\n", STR("")) == 201);
}

RUN_TESTS(SITE_TEST(test_registry_uploads__say_where_the_session_is_and_what_it_holds),
          SITE_TEST(test_registry_uploads__close_with_the_digest_of_the_whole),
          SITE_TEST(test_registry_uploads__hold_a_chunk_to_its_range),
          SITE_TEST(test_registry_uploads__keep_the_part_of_a_chunk_whose_client_left),
          SITE_TEST(test_registry_uploads__take_a_blob_in_one_request),
          SITE_TEST(test_registry_uploads__mount_or_begin_a_session),
          SITE_TEST(test_registry_uploads__take_the_content_types_that_are_listed))

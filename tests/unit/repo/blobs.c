/* tests/unit/repo/blobs.c - reading what exists: from the database and the store, also while an object goes.
 */
#include "fixture.h"

#define NAME "team/app"

static void test_repo_blobs__are_read_in_pieces_from_either_home(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    static const size_t sizes[] = {0, FIXTURE_INLINE, FIXTURE_INLINE + 1, 5000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        berth_str bytes = fixture_bytes(&f, sizes[i], (unsigned)i);
        berth_digest d = push_blob(&f, NAME, bytes);
        struct repo_blob b;
        CHECK_OK(repo_blob_open(f.r, STR(NAME), &d, true, &f.a, &b, &test_err));
        CHECK_ROW(i, b.size == sizes[i] && !b.reader == (sizes[i] <= FIXTURE_INLINE));
        CHECK_ROW(i, repo_blob_fd(&b) == -1); /* memory has none */
        if (b.reader) {
            char piece[16];
            size_t n = 0;
            CHECK_OK(repo_blob_read(&b, sizes[i] - 10, piece, sizeof(piece), &n, &test_err));
            CHECK_STR_ROW(i, ((berth_str){piece, n}), str_from_offset(bytes, sizes[i] - 10));
        } else {
            CHECK_STR_ROW(i, str_head(b.body, b.body.n), bytes);
        }
        repo_blob_close(&b);
        repo_blob_close(&b); /* closed already */
        CHECK_OK(repo_blob_open(f.r, STR(NAME), &d, false, &f.a, &b, &test_err));
        CHECK_ROW(i, b.size == sizes[i] && !b.reader && !b.body.n); /* a HEAD opens nothing */
        CHECK_CODE(repo_blob_open(f.r, STR("other"), &d, true, &f.a, &b, &test_err), BERTH_E_NOT_FOUND);
        assert_string_equal(test_err.oci_code, "NAME_UNKNOWN");
    }
    fixture_done(&f);
}

/* The row names an object that is not there, or is not what was stored: never a short answer. */
static void test_repo_blobs__whose_bytes_are_lost_are_not_served(void **state)
{
    (void)state;
    struct fixture f;
    char key[IO_KEY_SIZE];
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_blob(&f, NAME, fixture_bytes(&f, 500, 1));
    struct repo_blob b = {.size = 12345};
    object_key(&f, &d, key);
    CHECK_OK(store_remove(f.s, key, &test_err));
    CHECK_CODE(repo_blob_open(f.r, STR(NAME), &d, true, &f.a, &b, &test_err), BERTH_E_CORRUPT);
    CHECK(strstr(test_err.message, d.text) && strstr(test_err.message, "is missing") && b.size == 12345);
    blob_writer *w;
    CHECK_OK(store_create(f.s, key, &w, &test_err));
    CHECK_OK(store_append(w, "short", 5, &test_err));
    CHECK_OK(store_complete(w, d.text, &test_err));
    CHECK_CODE(repo_blob_open(f.r, STR(NAME), &d, true, &f.a, &b, &test_err), BERTH_E_CORRUPT);
    CHECK(strstr(test_err.message, "wrong size") && b.size == 12345);
    fixture_done(&f);
}

/* The object went between our look at the row and at the store, and a push has made it anew: a second look
 * finds it. */
static const struct blob_store_ops *real_ops;
static unsigned opened, absent;

static int open_later(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    if (opened++ < absent)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "gone");
    return real_ops->open(s, key, ret_r, err);
}

static void test_repo_blobs__are_looked_up_once_more_when_their_object_went(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_digest d = push_blob(&f, NAME, fixture_bytes(&f, 500, 1));
    real_ops = f.s->ops;
    struct blob_store_ops late = *real_ops;
    late.open = open_later;
    f.s->ops = &late;
    for (absent = 0; absent < 3; absent++) {
        struct repo_blob b;
        opened = 0;
        int rc = repo_blob_open(f.r, STR(NAME), &d, true, &f.a, &b, &test_err);
        CHECK_ROW(absent, rc == (absent < 2 ? BERTH_OK : BERTH_E_CORRUPT));
        CHECK_ROW(absent, opened == MIN(absent + 1, 2));
        if (rc == BERTH_OK)
            repo_blob_close(&b);
    }
    f.s->ops = real_ops;
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_blobs__are_read_in_pieces_from_either_home),
          TEST(test_repo_blobs__whose_bytes_are_lost_are_not_served),
          TEST(test_repo_blobs__are_looked_up_once_more_when_their_object_went))

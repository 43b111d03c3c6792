/* tests/unit/repo/check.c - each kind of damage is found, named and repaired; what is alive is left alone. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define NAME "team/app"

struct heard {
    char text[4096]; /* all lines */
    size_t n, progress;
};

static void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%s\n", text);
    assert_true(h->n < sizeof(h->text));
}

static void hear_progress(void *arg, uint64_t checked, uint64_t bytes)
{
    (void)checked;
    (void)bytes;
    ((struct heard *)arg)->progress++;
}

static struct repo_check_result inspect(struct fixture *f, bool repair, bool quick, struct heard *h)
{
    struct repo_check_result result;
    *h = (struct heard){.n = 0};
    struct repo_check_options o = {
        .repair = repair, .quick = quick, .problem = hear, .progress = hear_progress, .arg = h};
    CHECK_OK(repo_check(f->r, &o, &result, &test_err));
    CHECK(h->progress > 0);
    return result;
}

static bool said(const struct heard *h, const char *part)
{
    if (!strstr(h->text, part))
        print_error("'%s' is not in: %s\n", part, h->text);
    return strstr(h->text, part) != NULL;
}

static char *object_path(struct fixture *f, const berth_digest *d)
{
    char key[IO_KEY_SIZE];
    object_key(f, d, key);
    return berth_arena_printf(&f->a, "%s/objects/%.2s/%s", fixture_dir(f), key, key);
}

/* Writes @body into the object in place of its bytes. */
static void overwrite(struct fixture *f, const berth_digest *d, berth_str body)
{
    const char *path = object_path(f, d);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY | O_TRUNC);
    CHECK(fd >= 0);
    CHECK_OK(io_write_all(fd, body.p, body.n, &test_err));
    close(fd);
    assert_int_equal(chmod(path, 0400), 0);
}

static void sql(struct fixture *f, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(berth_arena_printf(&f->a, "%s/meta.db", fixture_dir(f)), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void make_object(struct fixture *f, berth_str body, const char *digest, char key[IO_KEY_SIZE])
{
    blob_writer *w = NULL;
    io_random_key(key);
    CHECK_OK(store_create(f->s, key, &w, &test_err));
    CHECK_OK(store_append(w, body.p, body.n, &test_err));
    if (digest)
        CHECK_OK(store_complete(w, digest, &test_err));
    else
        CHECK_OK(store_suspend(w, &test_err));
}

static void test_repo_check__a_sound_registry_has_no_problems(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    for (unsigned i = 0; i < 250; i++)
        push_blob(&f, NAME, fixture_bytes(&f, 20 + i % 90, i));
    push_image(&f, NAME, "v1", 1);
    for (int quick = 0; quick < 2; quick++) {
        struct repo_check_result result = inspect(&f, true, quick, &h);
        assert_string_equal(h.text, "");
        assert_int_equal(result.problems, 0);
        assert_int_equal(result.repaired, 0);
        assert_int_equal(result.blobs, 252);
        assert_int_equal(result.manifests, 1);
        assert_int_equal(result.objects, count_objects(&f));
        CHECK(quick ? result.bytes == 0 : result.bytes > 1000);
    }
    fixture_done(&f);
}

static void test_repo_check__a_lost_blob_is_forgotten_and_may_be_pushed_again(void **state)
{
    (void)state;
    static const struct {
        const char *what, *body; /* body NULL: no object */
        bool quick;              /* a quick check sees it, too */
    } rows[] = {
        {"the object is missing", NULL, true},
        {"the object has the wrong size: 3 bytes instead of 1000", "abc", true},
        {"the bytes have the digest sha256:", "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct heard h;
        fixture_init(&f, FIXTURE_FS);
        berth_digest d = push_image(&f, NAME, "v1", 1);
        berth_str layer = fixture_bytes(&f, 1000, 1);
        berth_digest lost = digest_sha256(layer);
        if (!rows[i].body)
            assert_int_equal(unlink(object_path(&f, &lost)), 0);
        else
            overwrite(&f, &lost, *rows[i].body ? str_from(rows[i].body) : fixture_bytes(&f, 1000, 2));

        assert_int_equal(inspect(&f, false, true, &h).problems, rows[i].quick ? 1 : 0);
        struct repo_check_result result = inspect(&f, false, false, &h);
        assert_int_equal(result.problems, 1);
        assert_int_equal(result.repaired, 0);
        CHECK_ROW(i, said(&h, rows[i].what) && said(&h, lost.text));

        result = inspect(&f, true, false, &h);
        assert_int_equal(result.problems, 1);
        assert_int_equal(result.repaired, 1);
        CHECK_ROW(i, said(&h, "forgotten"));
        check_consistent(&f);
        CHECK_ROW(i, !blob_is_there(&f, NAME, &lost) && manifest_is_there(&f, NAME, &d));

        push_blob(&f, NAME, layer);
        CHECK_STR_ROW(i, pull_blob(&f, NAME, &lost), layer);
        struct oci_list referrers = {0}; /* the edge is back as well */
        CHECK_CODE(repo_blob_delete(f.r, STR(NAME), &lost, &f.a, &referrers, &test_err), BERTH_E_CONFLICT);
        meta_sqlite_shift_clock(f.m, 3 * GRACE_MS);
        collect(&f, NULL);
        CHECK_STR_ROW(i, pull_blob(&f, NAME, &lost), layer);
        check_consistent(&f);
        assert_int_equal(count_objects(&f), 1);
        fixture_done(&f);
    }
}

static void test_repo_check__the_same_bytes_under_another_key_are_adopted(void **state)
{
    (void)state;
    for (int owned = 0; owned < 2; owned++) { /* by the collector; or by nothing */
        struct fixture f;
        struct heard h;
        char key[IO_KEY_SIZE], other[IO_KEY_SIZE];
        fixture_init(&f, FIXTURE_MEMORY);
        berth_str layer = fixture_bytes(&f, 1000, 1);
        berth_digest d = digest_sha256(layer);
        push_image(&f, NAME, "v1", 1);
        object_key(&f, &d, key);
        make_object(&f, fixture_bytes(&f, 1000, 9), d.text, other); /* it lies */
        make_object(&f, str_head(layer, 999), d.text, other);
        if (owned)
            push_blob(&f, "team/other", layer); /* whose object is let go of at once */
        else
            make_object(&f, layer, d.text, other);
        CHECK_OK(store_remove(f.s, key, &test_err));

        struct repo_check_result result = inspect(&f, true, true, &h);
        CHECK(said(&h, "repaired"));
        assert_int_equal(result.problems, 3); /* the liars belong to nothing */
        assert_int_equal(result.repaired, 3);
        CHECK_STR(pull_blob(&f, NAME, &d), layer);
        check_consistent(&f);
        meta_sqlite_shift_clock(f.m, 2 * DRAIN_MS);
        collect(&f, NULL);
        CHECK_STR(pull_blob(&f, NAME, &d), layer);
        assert_int_equal(count_objects(&f), 1);
        check_consistent(&f);
        fixture_done(&f);
    }
}

static void test_repo_check__an_object_of_nobody_goes_to_the_collector(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_gc_result collected;
    char whole[IO_KEY_SIZE], half[IO_KEY_SIZE];
    fixture_init(&f, FIXTURE_MEMORY);
    push_image(&f, NAME, "v1", 1);
    make_object(&f, STR("whole"), "sha256:0", whole);
    make_object(&f, STR("half"), NULL, half);
    assert_int_equal(inspect(&f, false, false, &h).problems, 2);
    CHECK(said(&h, whole) && said(&h, half) && said(&h, "belongs to nothing"));
    struct repo_check_result result = inspect(&f, true, false, &h);
    assert_int_equal(result.repaired, 2);
    check_consistent(&f);
    collect(&f, NULL);
    assert_int_equal(count_objects(&f), 3); /* not before the drain time */
    meta_sqlite_shift_clock(f.m, 2 * DRAIN_MS);
    collect(&f, &collected);
    assert_int_equal(collected.objects, 2);
    assert_int_equal(count_objects(&f), 1);
    fixture_done(&f);
}

static void test_repo_check__damage_in_the_database_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest small = push_blob(&f, NAME, STR("small")), m = push_image(&f, NAME, "v1", 1);
    sql(&f, "UPDATE blob_bodies SET body=CAST('smell' AS BLOB) WHERE body=CAST('small' AS BLOB);"
            "UPDATE manifests SET body=CAST(replace(CAST(body AS TEXT), 'layers', 'players') AS BLOB);");
    assert_int_equal(inspect(&f, false, true, &h).problems, 0);
    assert_int_equal(inspect(&f, false, false, &h).problems, 2);
    CHECK(said(&h, small.text) && said(&h, m.text) && said(&h, "manifest " NAME "@sha256:"));
    sql(&f, "UPDATE blob_bodies SET body=CAST('sm' AS BLOB) WHERE body=CAST('smell' AS BLOB);");
    assert_int_equal(inspect(&f, true, true, &h).repaired, 1);
    CHECK(said(&h, "wrong size"));
    CHECK(!blob_is_there(&f, NAME, &small));
    sql(&f, "DELETE FROM repo_blobs WHERE "
            "digest='sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'");
    CHECK(inspect(&f, false, true, &h).problems > 0);
    CHECK(said(&h, "database: "));
    fixture_done(&f);
}

static void test_repo_check__a_missing_store_is_not_taken_for_lost_blobs(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_check_result result;
    struct repo_check_options o = {.repair = true};
    fixture_init(&f, FIXTURE_MEMORY);
    for (unsigned i = 0; i < 100; i++)
        push_blob(&f, NAME, fixture_bytes(&f, 100, i));
    blob_store *was = f.s;
    repo_free(f.r);
    CHECK_OK(store_memory_new(&f.s, &test_err)); /* a disk that was not mounted */
    CHECK_OK(repo_new(f.m, f.s, &f.policy, &f.r, &test_err));
    CHECK_OK(repo_check(f.r, &o, &result, &test_err));
    assert_int_equal(result.problems, 100);
    assert_int_equal(result.repaired, 0);
    store_free(f.s);
    repo_free(f.r);
    f.s = was;
    CHECK_OK(repo_new(f.m, f.s, &f.policy, &f.r, &test_err));
    assert_int_equal(inspect(&f, true, false, &h).problems, 0);
    fixture_done(&f);
}

static void test_repo_check__an_upload_in_flight_is_no_problem(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    char id[37];
    uint64_t size;
    fixture_init(&f, FIXTURE_FS);
    berth_str body = fixture_bytes(&f, 1000, 1);
    berth_digest d = digest_sha256(body);
    repo_upload *u = NULL;
    CHECK_OK(repo_upload_start(f.r, STR(NAME), HASH_SHA256, id, &test_err));
    CHECK_OK(repo_upload_open(f.r, STR(NAME), str_from(id), NULL, &u, &test_err));
    CHECK_OK(repo_upload_append(u, body.p, 500, &test_err));
    assert_int_equal(inspect(&f, true, false, &h).problems, 0); /* nothing recorded yet */
    CHECK_OK(repo_upload_suspend(u, &size, &test_err));
    assert_int_equal(inspect(&f, true, false, &h).problems, 0);
    CHECK_OK(repo_upload_open(f.r, STR(NAME), str_from(id), &d, &u, &test_err));
    CHECK_OK(repo_upload_append(u, body.p + 500, 500, &test_err));
    CHECK_OK(repo_upload_finish(u, &d, &test_err));
    CHECK_STR(pull_blob(&f, NAME, &d), body);
    fixture_done(&f);
}

/* --- others, in the one moment that matters --- */

static struct meddler {
    struct fixture *f;
    const struct blob_store_ops *inner;
    struct blob_store_ops ops;
    const berth_digest *d;
    bool push_again;
    unsigned calls;
} meddler;

static void meddle(struct fixture *f)
{
    meddler = (struct meddler){.f = f, .inner = f->s->ops, .ops = *f->s->ops};
    f->s->ops = &meddler.ops;
}

/* An object that an upload gives up while the store is being listed. */
static int list_one_that_goes(blob_store *s,
                              int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
                              void *arg, berth_error *err)
{
    int rc = meddler.inner->list(s, each, arg, err);
    return rc == BERTH_OK && meddler.calls++ == 0 ? each(arg, "00112233445566778899aabbccddeeff", 5, "") : rc;
}

static void test_repo_check__an_object_that_goes_meanwhile_is_no_problem(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_MEMORY);
    push_image(&f, NAME, "v1", 1);
    meddle(&f);
    meddler.ops.list = list_one_that_goes;
    struct repo_check_result result = inspect(&f, true, false, &h);
    assert_int_equal(result.objects, 2); /* it was seen */
    assert_int_equal(result.problems, 0);
    assert_int_equal(meddler.calls, 2);
    fixture_done(&f);
}

/* The blob is deleted and collected after its row was read. */
static int open_after_collection(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    if (meddler.calls++ == 0) {
        berth_str body = fixture_bytes(meddler.f, 1000, 1);
        CHECK_OK(repo_blob_delete(meddler.f->r, STR(NAME), meddler.d, NULL, NULL, &test_err));
        collect(meddler.f, NULL);
        meta_sqlite_shift_clock(meddler.f->m, 2 * DRAIN_MS);
        collect(meddler.f, NULL);
        if (meddler.push_again)
            push_blob(meddler.f, NAME, body);
    }
    return meddler.inner->open(s, key, ret_r, err);
}

static void test_repo_check__a_blob_that_is_collected_meanwhile_is_no_problem(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct fixture f;
        struct heard h;
        fixture_init(&f, FIXTURE_MEMORY);
        berth_str body = fixture_bytes(&f, 1000, 1);
        berth_digest d = push_blob(&f, NAME, body);
        meddle(&f);
        meddler.ops.open = open_after_collection;
        meddler.d = &d;
        meddler.push_again = again;
        assert_int_equal(inspect(&f, true, false, &h).problems, 0);
        CHECK(blob_is_there(&f, NAME, &d) == (again != 0));
        check_consistent(&f);
        fixture_done(&f);
    }
}

/* A disk that can't read for the moment. */
static int open_fails(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    (void)s;
    (void)key;
    (void)ret_r;
    return berth_error_set(err, BERTH_E_IO, "the disk is on fire");
}

static void test_repo_check__what_cannot_be_read_is_not_forgotten(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_MEMORY);
    berth_str body = fixture_bytes(&f, 1000, 1);
    berth_digest d = push_blob(&f, NAME, body);
    meddle(&f);
    meddler.ops.open = open_fails;
    struct repo_check_result result = inspect(&f, true, false, &h);
    assert_int_equal(result.problems, 1);
    assert_int_equal(result.repaired, 0);
    CHECK(said(&h, "the object can't be opened: the disk is on fire"));
    meddler.ops.open = meddler.inner->open;
    CHECK_STR(pull_blob(&f, NAME, &d), body);
    fixture_done(&f);
}

struct pusher {
    struct fixture *f;
    atomic_bool stop;
    atomic_uint pushed;
};

/* Pushes, gives up, deletes and collects, all the time. */
static void *push_on(void *arg)
{
    struct pusher *p = arg;
    for (unsigned i = 0; !atomic_load(&p->stop); i++) {
        char body[200];
        memset(body, 'x', sizeof(body));
        memcpy(body, &i, sizeof(i));
        berth_str s = {body, sizeof(body)};
        berth_digest d = digest_sha256(s), wrong = digest_sha256(STR("wrong"));
        try_push_blob(p->f, NAME, i % 3 == 0 ? &wrong : &d, s, NULL);
        if (i % 3 == 1)
            repo_blob_delete(p->f->r, STR(NAME), &d, NULL, NULL, NULL);
        if (i % 16 == 0) {
            struct repo_gc_result result;
            repo_gc(p->f->r, NULL, &result, NULL);
        }
        atomic_fetch_add(&p->pushed, 1);
    }
    return NULL;
}

static void test_repo_check__it_runs_while_others_push_and_delete(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    pthread_t threads[2];
    struct pusher p = {.f = &f};
    fixture_init(&f, FIXTURE_MEMORY);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_on, &p), 0);
    for (unsigned i = 0; i < 30 || atomic_load(&p.pushed) < 100; i++) {
        assert_int_equal(inspect(&f, true, false, &h).problems, 0);
        meta_sqlite_shift_clock(f.m, DRAIN_MS);
    }
    atomic_store(&p.stop, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    check_consistent(&f);
    fixture_done(&f);
}

static void test_repo_check__it_stops_when_asked(void **state)
{
    (void)state;
    struct fixture f;
    struct repo_check_result result;
    _Atomic bool stop = true;
    struct repo_check_options o = {.stop = &stop};
    fixture_init(&f, FIXTURE_MEMORY);
    push_image(&f, NAME, "v1", 1);
    CHECK_CODE(repo_check(f.r, &o, &result, &test_err), BERTH_E_CANCELLED);
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_check__a_sound_registry_has_no_problems),
          TEST(test_repo_check__a_lost_blob_is_forgotten_and_may_be_pushed_again),
          TEST(test_repo_check__the_same_bytes_under_another_key_are_adopted),
          TEST(test_repo_check__an_object_of_nobody_goes_to_the_collector),
          TEST(test_repo_check__damage_in_the_database_is_found),
          TEST(test_repo_check__a_missing_store_is_not_taken_for_lost_blobs),
          TEST(test_repo_check__an_upload_in_flight_is_no_problem),
          TEST(test_repo_check__an_object_that_goes_meanwhile_is_no_problem),
          TEST(test_repo_check__a_blob_that_is_collected_meanwhile_is_no_problem),
          TEST(test_repo_check__what_cannot_be_read_is_not_forgotten),
          TEST(test_repo_check__it_runs_while_others_push_and_delete),
          TEST(test_repo_check__it_stops_when_asked))

/* tests/contract/blob_store.c - what storage/store.h promises, asked of every driver. */
#include "store_fixture.h"

#include "test.h"

#include <pthread.h>

#include "util/fault.h"
#include "util/io.h"

#define KEY1   "00112233445566778899aabbccddeeff"
#define KEY2   "00ffeeddccbbaa998877665544332211"
#define KEY3   "ff000000000000000000000000000000"
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Runs @body once for each kind of store, with a check that no descriptor is left open. */
static void for_each_store(void (*body)(struct store_fixture *f))
{
    for (unsigned k = 0; k < STORE_KINDS_; k++) {
        struct store_fixture f;
        size_t before = fixture_count_fds();
        print_message("# %s\n", fixture_name((enum store_kind)k));
        fixture_open(&f, (enum store_kind)k);
        body(&f);
        fixture_close(&f);
        assert_int_equal(fixture_count_fds(), before);
    }
}

#define EACH(body)                                                                                           \
    (void)state;                                                                                             \
    for_each_store(body)

static void append_pieces(struct store_fixture *f)
{
    blob_writer *w;
    char p[1000];
    fixture_fill(p, 1, 0, sizeof(p));
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    for (size_t at = 0, n = 1; at < sizeof(p); at += n, n = MIN(2 * n, sizeof(p) - at))
        CHECK_OK(store_append(w, p + at, n, &test_err));
    CHECK_OK(store_append(w, NULL, 0, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(f->s, KEY1, 1, sizeof(p)));
    fixture_reopen(f);
    CHECK(fixture_holds(f->s, KEY1, 1, sizeof(p)));
}

static void test_contract_blob_store__keeps_what_was_appended(void **state)
{
    EACH(append_pieces);
}

static void read_ranges(struct store_fixture *f)
{
    static const struct {
        uint64_t offset;
        size_t n, want;
    } rows[] = {
        {0, 100, 100}, {0, 1, 1},           {99, 1, 1}, {50, 100, 50},
        {100, 1, 0},   {UINT64_MAX, 10, 0}, {10, 0, 0}, {(uint64_t)1 << 40, 1, 0},
    };
    blob_reader *r;
    fixture_put(f->s, KEY1, 7, 100, DIGEST);
    CHECK_OK(store_open(f->s, KEY1, &r, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        char have[101], want[101];
        size_t got = 999;
        CHECK_OK(store_read(r, rows[i].offset, have, rows[i].n, &got, &test_err));
        CHECK_ROW(i, got == rows[i].want);
        fixture_fill(want, 7, (size_t)rows[i].offset, got);
        CHECK_ROW(i, memcmp(have, want, got) == 0);
    }
    int fd = store_reader_fd(r); /* optional */
    if (fd >= 0) {
        char have[100], want[100];
        CHECK(pread(fd, have, sizeof(have), 0) == 100);
        fixture_fill(want, 7, 0, sizeof(want));
        CHECK(memcmp(have, want, sizeof(want)) == 0);
    }
    CHECK((fd >= 0) == (*f->dir != '\0'));
    store_close(r);
}

static void test_contract_blob_store__reads_ranges(void **state)
{
    EACH(read_ranges);
}

static void keep_empty(struct store_fixture *f)
{
    fixture_put(f->s, KEY1, 0, 0, DIGEST);
    CHECK(fixture_holds(f->s, KEY1, 0, 0));
}

static void test_contract_blob_store__keeps_an_empty_object(void **state)
{
    EACH(keep_empty);
}

static void create_twice(struct store_fixture *f)
{
    blob_writer *w, *second;
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    CHECK_CODE(store_create(f->s, KEY1, &second, &test_err), BERTH_E_EXISTS);
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK_CODE(store_create(f->s, KEY1, &second, &test_err), BERTH_E_EXISTS);
    fixture_reopen(f);
    CHECK_CODE(store_create(f->s, KEY1, &second, &test_err), BERTH_E_EXISTS);
}

static void test_contract_blob_store__uses_no_key_twice(void **state)
{
    EACH(create_twice);
}

static void hide_incomplete(struct store_fixture *f)
{
    blob_writer *w;
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_OK(store_suspend(w, &test_err));
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_OK(store_create(f->s, KEY2, &w, &test_err));
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    store_abandon(w);
    fixture_reopen(f);
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK(!fixture_finds(f->s, KEY2));
    store_abandon(NULL);
    store_close(NULL);
}

static void test_contract_blob_store__does_not_find_what_is_incomplete(void **state)
{
    EACH(hide_incomplete);
}

static void go_on(struct store_fixture *f)
{
    blob_writer *w;
    char p[300];
    fixture_fill(p, 5, 0, sizeof(p));
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    CHECK_OK(store_suspend(w, &test_err));
    fixture_reopen(f);
    for (size_t at = 0; at < sizeof(p); at += 100) {
        CHECK_OK(store_resume(f->s, KEY1, at, &w, &test_err));
        CHECK_OK(store_append(w, p + at, 100, &test_err));
        CHECK_OK(store_suspend(w, &test_err));
        fixture_reopen(f);
    }
    CHECK_OK(store_resume(f->s, KEY1, sizeof(p), &w, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(f->s, KEY1, 5, sizeof(p)));
}

static void test_contract_blob_store__goes_on_where_it_was_suspended(void **state)
{
    EACH(go_on);
}

static void forget_unrecorded(struct store_fixture *f)
{
    blob_writer *w;
    char p[100];
    fixture_fill(p, 9, 0, sizeof(p));
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    CHECK_OK(store_append(w, p, 60, &test_err));
    CHECK_OK(store_append(w, "not recorded", 12, &test_err));
    CHECK_OK(store_suspend(w, &test_err));
    fixture_reopen(f);
    CHECK_OK(store_resume(f->s, KEY1, 60, &w, &test_err));
    CHECK_OK(store_append(w, p + 60, 5, &test_err));
    store_abandon(w);
    CHECK_OK(store_resume(f->s, KEY1, 60, &w, &test_err));
    CHECK_OK(store_append(w, p + 60, 40, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(f->s, KEY1, 9, sizeof(p)));
}

static void test_contract_blob_store__forgets_bytes_that_were_not_recorded(void **state)
{
    EACH(forget_unrecorded);
}

static void resume_what_is_not_there(struct store_fixture *f)
{
    blob_writer *w;
    CHECK_CODE(store_resume(f->s, KEY1, 0, &w, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    CHECK_OK(store_suspend(w, &test_err));
    CHECK_CODE(store_resume(f->s, KEY1, 4, &w, &test_err), BERTH_E_CORRUPT);
    CHECK_CODE(store_resume(f->s, KEY1, UINT64_MAX, &w, &test_err), BERTH_E_CORRUPT);
    CHECK_OK(store_resume(f->s, KEY1, 3, &w, &test_err));
    store_abandon(w);
}

static void test_contract_blob_store__says_when_recorded_bytes_are_missing(void **state)
{
    EACH(resume_what_is_not_there);
}

/* The commit after complete() failed: the session is still open, and its client tries the end again. */
static void resume_a_whole_one(struct store_fixture *f)
{
    blob_writer *w;
    char p[10];
    fixture_fill(p, 3, 0, sizeof(p));
    fixture_put(f->s, KEY1, 3, 10, DIGEST);
    fixture_reopen(f);
    CHECK_OK(store_resume(f->s, KEY1, 4, &w, &test_err));
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_OK(store_append(w, p + 4, 6, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(f->s, KEY1, 3, 10));
}

static void test_contract_blob_store__opens_again_what_no_row_calls_whole(void **state)
{
    EACH(resume_a_whole_one);
}

static void remove_twice(struct store_fixture *f)
{
    blob_writer *w;
    CHECK_OK(store_remove(f->s, KEY1, &test_err));
    fixture_put(f->s, KEY1, 0, 10, DIGEST);
    fixture_put(f->s, KEY2, 0, 10, DIGEST);
    CHECK_OK(store_remove(f->s, KEY1, &test_err));
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_OK(store_remove(f->s, KEY1, &test_err));
    CHECK(fixture_holds(f->s, KEY2, 0, 10));
    CHECK_OK(store_create(f->s, KEY3, &w, &test_err));
    CHECK_OK(store_remove(f->s, KEY3, &test_err)); /* a session deleted while its last piece is on its way */
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    store_abandon(w);
    fixture_reopen(f);
    CHECK(!fixture_finds(f->s, KEY1));
    CHECK_CODE(store_resume(f->s, KEY3, 0, &w, &test_err), BERTH_E_NOT_FOUND);
}

static void test_contract_blob_store__removes_what_is_there_or_not(void **state)
{
    EACH(remove_twice);
}

static void read_removed(struct store_fixture *f)
{
    blob_reader *r;
    char p[10];
    size_t n;
    fixture_put(f->s, KEY1, 0, 10, DIGEST);
    CHECK_OK(store_open(f->s, KEY1, &r, &test_err));
    CHECK_OK(store_remove(f->s, KEY1, &test_err));
    CHECK_OK(store_read(r, 5, p, 10, &n, &test_err));
    CHECK(n == 5 && p[0] == 5);
    store_close(r);
}

static void test_contract_blob_store__lets_a_reader_finish_after_removal(void **state)
{
    EACH(read_removed);
}

struct listing {
    unsigned n, stop_at;
    uint64_t sizes;
    bool whole, incomplete;
};

static int note(void *arg, const char *key, uint64_t size, const char *digest)
{
    struct listing *l = arg;
    l->n++;
    l->sizes += size;
    l->whole |= strcmp(key, KEY1) == 0 && (strcmp(digest, DIGEST) == 0 || *digest == '\0');
    l->incomplete |= strcmp(key, KEY2) == 0 && *digest == '\0';
    return l->n == l->stop_at ? 42 : 0;
}

static void list_all(struct store_fixture *f)
{
    blob_writer *w;
    struct listing l = {0};
    CHECK_OK(store_list(f->s, note, &l, &test_err));
    assert_int_equal(l.n, 0);
    fixture_put(f->s, KEY1, 0, 10, DIGEST);
    fixture_put(f->s, KEY3, 0, 100, DIGEST);
    CHECK_OK(store_create(f->s, KEY2, &w, &test_err));
    CHECK_OK(store_append(w, "abc", 3, &test_err));
    CHECK_OK(store_suspend(w, &test_err));
    CHECK_OK(store_list(f->s, note, &l, &test_err));
    CHECK(l.n == 3 && l.sizes == 113 && l.whole && l.incomplete);
    l = (struct listing){.stop_at = 2};
    CHECK_CODE(store_list(f->s, note, &l, &test_err), 42);
    assert_int_equal(l.n, 2);
}

static void test_contract_blob_store__lists_every_object(void **state)
{
    EACH(list_all);
}

static void keep_many(struct store_fixture *f)
{
    char keys[500][IO_KEY_SIZE];
    struct listing l = {0};
    for (size_t i = 0; i < COUNT(keys); i++) {
        io_random_key(keys[i]);
        fixture_put(f->s, keys[i], (unsigned)i, i, DIGEST);
    }
    CHECK_OK(store_list(f->s, note, &l, &test_err));
    assert_int_equal(l.n, COUNT(keys));
    for (size_t i = 0; i < COUNT(keys); i++) {
        CHECK_ROW(i, fixture_holds(f->s, keys[i], (unsigned)i, i));
        CHECK_OK(store_remove(f->s, keys[i], &test_err));
    }
    l.n = 0;
    CHECK_OK(store_list(f->s, note, &l, &test_err));
    assert_int_equal(l.n, 0);
}

static void test_contract_blob_store__keeps_many_objects_apart(void **state)
{
    EACH(keep_many);
}

static void refuse_keys(struct store_fixture *f)
{
    static const char *const rows[] = {
        "",
        "..",
        "../../../../../../../etc/passwd",
        "0011223344556677889900aabbccddef0",
        KEY1 "/",
        "00112233445566778899AABBCCDDEEFF",
        "0/112233445566778899aabbccddeeff",
        "00112233445566778899aabbccddeef",
        "00112233445566778899aabbccddeefg",
        "/0112233445566778899aabbccddeeff",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        blob_writer *w;
        blob_reader *r;
        CHECK_ROW(i, store_create(f->s, rows[i], &w, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, store_resume(f->s, rows[i], 0, &w, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, store_open(f->s, rows[i], &r, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, store_remove(f->s, rows[i], &test_err) == BERTH_E_INVALID);
    }
}

static void test_contract_blob_store__refuses_what_is_no_key(void **state)
{
    EACH(refuse_keys);
}

static void ask_space(struct store_fixture *f)
{
    uint64_t space = 0;
    int r = store_space(f->s, &space, &test_err);
    CHECK(*f->dir ? r == BERTH_OK && space > 0 : r == BERTH_E_UNSUPPORTED);
}

static void test_contract_blob_store__knows_its_space_or_says_that_it_does_not(void **state)
{
    EACH(ask_space);
}

#ifdef BERTH_FAULT
/* The life of one object. The first failure ends it; what remains is checked by the caller. */
static int live(blob_store *s, const char *p, size_t n, bool *ret_whole)
{
    blob_writer *w;
    int r = store_create(s, KEY1, &w, &test_err);
    if (r != BERTH_OK)
        return r;
    r = store_append(w, p, n / 2, &test_err);
    if (r != BERTH_OK) {
        store_abandon(w);
        return r;
    }
    r = store_suspend(w, &test_err);
    if (r == BERTH_OK)
        r = store_resume(s, KEY1, n / 2, &w, &test_err);
    if (r != BERTH_OK)
        return r;
    r = store_append(w, p + n / 2, n - n / 2, &test_err);
    if (r != BERTH_OK) {
        store_abandon(w);
        return r;
    }
    r = store_complete(w, DIGEST, &test_err);
    *ret_whole = r == BERTH_OK;
    return r;
}
#endif

static void test_contract_blob_store__leaves_nothing_half_visible_when_any_call_fails(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    char p[1000];
    fixture_fill(p, 2, 0, sizeof(p));
    for (unsigned k = 0; k < STORE_KINDS_; k++)
        for (unsigned nth = 1;; nth++) {
            struct store_fixture f;
            bool whole = false;
            size_t before = fixture_count_fds();
            fixture_open(&f, (enum store_kind)k);
            fault_arm(nth);
            int r = live(f.s, p, sizeof(p), &whole);
            bool fired = fault_disarm();
            CHECK(fired || r == BERTH_OK);
            for (unsigned again = 0; again < 2; again++, fixture_reopen(&f)) {
                if (whole && !fixture_holds(f.s, KEY1, 2, sizeof(p)))
                    fail_msg("%s: %u: not what was appended", fixture_name(f.kind), nth);
                if (!whole && fixture_finds(f.s, KEY1))
                    fail_msg("%s: %u: found though it failed", fixture_name(f.kind), nth);
            }
            CHECK_OK(store_remove(f.s, KEY1, &test_err));
            if (fired) { /* nothing stands in the way of the next one */
                fixture_put(f.s, KEY1, 2, 10, DIGEST);
                CHECK(fixture_holds(f.s, KEY1, 2, 10));
            }
            fixture_close(&f);
            assert_int_equal(fixture_count_fds(), before);
            if (!fired) {
                CHECK(nth > 3);
                break;
            }
        }
#endif
}

static void retry_append(struct store_fixture *f)
{
#ifdef BERTH_FAULT
    blob_writer *w;
    char *p = mem_alloc(MIB);
    fixture_fill(p, 2, 0, MIB);
    CHECK_OK(store_create(f->s, KEY1, &w, &test_err));
    CHECK_OK(store_append(w, p, 100, &test_err));
    fault_arm(1);
    CHECK(store_append(w, p + 100, MIB - 100, &test_err) != BERTH_OK);
    CHECK(fault_disarm());
    CHECK_OK(store_append(w, p + 100, MIB - 100, &test_err));
    CHECK_OK(store_complete(w, DIGEST, &test_err));
    CHECK(fixture_holds(f->s, KEY1, 2, MIB));
    mem_free(p);
#else
    (void)f;
#endif
}

static void test_contract_blob_store__lets_a_failed_append_be_tried_again(void **state)
{
    EACH(retry_append);
}

static void test_contract_blob_store__removes_durably_or_says_that_it_failed(void **state)
{
    (void)state;
#ifndef BERTH_FAULT
    skip();
#else
    for (unsigned k = 0; k < STORE_KINDS_; k++)
        for (unsigned nth = 1;; nth++) {
            struct store_fixture f;
            fixture_open(&f, (enum store_kind)k);
            fixture_put(f.s, KEY1, 0, 10, DIGEST);
            fault_arm(nth);
            int r = store_remove(f.s, KEY1, &test_err);
            bool fired = fault_disarm();
            CHECK(fired == (r != BERTH_OK));
            CHECK_OK(store_remove(f.s, KEY1, &test_err));
            CHECK(!fixture_finds(f.s, KEY1));
            fixture_close(&f);
            if (!fired)
                break;
        }
#endif
}

static void *work(void *arg)
{
    blob_store *s = arg;
    for (unsigned i = 0; i < 40; i++) {
        char key[IO_KEY_SIZE], p[64];
        blob_writer *w;
        blob_reader *r;
        size_t n;
        io_random_key(key);
        key[0] = '0'; /* few folders, so that threads meet in them */
        if (store_create(s, key, &w, NULL) || store_append(w, "0123456789", 10, NULL) ||
            store_suspend(w, NULL) || store_resume(s, key, 5, &w, NULL) || store_append(w, "abc", 3, NULL) ||
            store_complete(w, DIGEST, NULL) || store_open(s, key, &r, NULL))
            return arg;
        bool ok = store_read(r, 0, p, sizeof(p), &n, NULL) == BERTH_OK && n == 8 && !memcmp(p, "01234abc", 8);
        store_close(r);
        if (!ok || (i % 2 && store_remove(s, key, NULL)))
            return arg;
    }
    return NULL;
}

static void work_together(struct store_fixture *f)
{
    pthread_t threads[8];
    struct listing l = {0};
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, f->s), 0);
    for (size_t i = 0; i < 5; i++)
        CHECK_OK(store_list(f->s, note, &l, &test_err));
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    l.n = 0;
    CHECK_OK(store_list(f->s, note, &l, &test_err));
    assert_int_equal(l.n, COUNT(threads) * 20);
}

static void test_contract_blob_store__serves_many_threads(void **state)
{
    EACH(work_together);
}

RUN_TESTS(TEST(test_contract_blob_store__keeps_what_was_appended),
          TEST(test_contract_blob_store__reads_ranges), TEST(test_contract_blob_store__keeps_an_empty_object),
          TEST(test_contract_blob_store__uses_no_key_twice),
          TEST(test_contract_blob_store__does_not_find_what_is_incomplete),
          TEST(test_contract_blob_store__goes_on_where_it_was_suspended),
          TEST(test_contract_blob_store__forgets_bytes_that_were_not_recorded),
          TEST(test_contract_blob_store__says_when_recorded_bytes_are_missing),
          TEST(test_contract_blob_store__opens_again_what_no_row_calls_whole),
          TEST(test_contract_blob_store__removes_what_is_there_or_not),
          TEST(test_contract_blob_store__lets_a_reader_finish_after_removal),
          TEST(test_contract_blob_store__lists_every_object),
          TEST(test_contract_blob_store__keeps_many_objects_apart),
          TEST(test_contract_blob_store__refuses_what_is_no_key),
          TEST(test_contract_blob_store__knows_its_space_or_says_that_it_does_not),
          TEST(test_contract_blob_store__leaves_nothing_half_visible_when_any_call_fails),
          TEST(test_contract_blob_store__lets_a_failed_append_be_tried_again),
          TEST(test_contract_blob_store__removes_durably_or_says_that_it_failed),
          TEST(test_contract_blob_store__serves_many_threads))

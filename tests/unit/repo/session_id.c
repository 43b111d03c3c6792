/* The names of upload sessions: what is read back, and what is not believed. */
#include "repo/session_id.h"

#include "test.h"

static struct session_ids ids = {.secret = "a secret of thirty-two bytes...", .next = 41};

static void test_repo_session_id__says_what_it_was_made_of(void **state)
{
    (void)state;
    static const enum hash_algorithm algorithms[] = {HASH_SHA256, HASH_SHA512};
    for (size_t i = 0; i < COUNT(algorithms); i++) {
        char id[SESSION_ID_SIZE];
        enum hash_algorithm algorithm;
        int64_t expires_at;
        session_id_make(&ids, STR("team/app"), 7, algorithms[i], 1790000000001, id);
        CHECK(strlen(id) == 36 && id[8] == '-' && id[13] == '-' && id[14] == '8' && id[18] == '-' &&
              id[23] == '-' && strchr("89ab", id[19]));
        CHECK(session_id_read(&ids, STR("team/app"), 7, str_from(id), &algorithm, &expires_at));
        CHECK(algorithm == algorithms[i] && expires_at == 1790000001000);
    }
}

static void test_repo_session_id__is_never_given_out_twice(void **state)
{
    (void)state;
    enum { N = 5000 };
    static char all[N][SESSION_ID_SIZE];
    for (size_t i = 0; i < N; i++)
        session_id_make(&ids, STR("a"), 7, HASH_SHA256, 1790000000000, all[i]);
    qsort(all, N, sizeof(all[0]), (int (*)(const void *, const void *))strcmp);
    for (size_t i = 1; i < N; i++)
        CHECK(strcmp(all[i - 1], all[i]) != 0);
}

static void test_repo_session_id__believes_nothing_that_was_changed(void **state)
{
    (void)state;
    char id[SESSION_ID_SIZE];
    enum hash_algorithm algorithm;
    int64_t expires_at;
    session_id_make(&ids, STR("a"), 7, HASH_SHA256, 1790000000000, id);
    CHECK(!session_id_read(&ids, STR("b"), 7, str_from(id), &algorithm, &expires_at));
    CHECK(!session_id_read(&ids, STR("a"), 8, str_from(id), &algorithm, &expires_at));
    struct session_ids other = {.secret = "another secret of 32 bytes....."};
    CHECK(!session_id_read(&other, STR("a"), 7, str_from(id), &algorithm, &expires_at));
    CHECK(!session_id_read(&ids, STR("a"), 7, str_head(str_from(id), 35), &algorithm, &expires_at));
    for (size_t i = 0; i < 36; i++)
        for (const char *with = "0f-gA:/`\x7f\xff"; *with; with++) {
            char changed[SESSION_ID_SIZE];
            memcpy(changed, id, sizeof(changed));
            changed[i] = *with;
            bool same = id[i] == *with;
            CHECK(session_id_read(&ids, STR("a"), 7, str_from(changed), &algorithm, &expires_at) == same);
        }
}

RUN_TESTS(TEST(test_repo_session_id__says_what_it_was_made_of),
          TEST(test_repo_session_id__is_never_given_out_twice),
          TEST(test_repo_session_id__believes_nothing_that_was_changed))

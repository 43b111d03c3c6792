/* tests/unit/daemon/restore.c - a restore is finished or recognised as unfinished, and brings all or says
 * what it could not. */
#include "backup_fixture.h"

static bool makes_folder(const char *name)
{
    bool ret;
    CHECK_OK(restore_makes_folder(path_of(name), &ret, &test_err));
    return ret;
}

static void test_daemon_restore__an_unfinished_one_is_recognised_and_goes_on(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    CHECK_OK(restore_to("b", "restored"));
    write_file("restored/restoring", ""); /* as if it had been killed just before its end */
    CONFIG c = config_in("restored");
    struct instance none;
    CHECK_CODE(instance_open(c, true, &none, &test_err), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "berth restore") != NULL);
    CHECK(makes_folder("restored"));
    CHECK_OK(restore_to("b", "restored"));
    CHECK(strstr(told, "an earlier restore was interrupted") != NULL && !is_there("restored/restoring"));
    remove_below("restored");
    assert_int_equal(tags_restored("b"), 1);
}

static void test_daemon_restore__makes_a_folder_only_where_nothing_is(void **state)
{
    (void)state;
    CHECK_OK(write_backup("b", false));
    CHECK(mkdir(path_of("home"), 0700) == 0);
    CHECK(makes_folder("home") && makes_folder("absent"));
    write_file("home/lock", "");
    CHECK(makes_folder("home"));
    write_file("home/thesis", "years of work");
    CHECK(!makes_folder("home"));
    CHECK_CODE(restore_may_merge(path_of("home"), &test_err), BERTH_E_INVALID);
    CHECK_CODE(restore_to("b", "home"), BERTH_E_CONFLICT);
    CHECK(!is_there("home/format") && !is_there("home/berth.db"));
    CHECK_OK(restore_may_merge(path_of("data"), &test_err));
}

static void test_daemon_restore__takes_nothing_for_absent_when_any_call_fails(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    CHECK_OK(restore_to("b", "restored"));
    write_file("restored/restoring", "");
    for (unsigned n = 1, fired = 1; fired; n++) {
        CONFIG c = config_in("restored");
        struct instance none;
        fault_arm(n);
        CHECK_ROW(n, instance_open(c, true, &none, &test_err) != BERTH_OK);
        fired = fault_disarm();
    }
    for (unsigned n = 1, fired = 1; fired; n++) {
        bool unfinished = true, other = false;
        fault_arm(n);
        int a = restore_makes_folder(path_of("restored"), &unfinished, &test_err);
        int b = restore_makes_folder(path_of("data"), &other, &test_err);
        int c = restore_may_merge(path_of("data"), &test_err);
        fired = fault_disarm();
        CHECK_ROW(n, (a != BERTH_OK || unfinished) && (b != BERTH_OK || !other) && c != BERTH_E_INVALID);
    }
}

static void test_daemon_restore__merges_into_an_open_registry_and_leaves_no_trace(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    instance_close(&in);
    open_at("other");
    push_image("app", "v2", 'b');
    told[0] = '\0';
    CHECK_OK(restore_merge(&in, path_of("b"), &(struct restore_options){0}, &listener, &test_err));
    CHECK(strstr(told, "value tags=1\nvalue manifests=1\nvalue blobs=1\n") != NULL);
    assert_int_equal(count_tags(in.repo), 2);
    CHECK(!is_there("other/restore.db") && !is_there("other/restore.db-wal"));
    repo_set_read_only(in.repo, true);
    CHECK_CODE(restore_merge(&in, path_of("b"), &(struct restore_options){0}, &listener, &test_err),
               BERTH_E_UNSUPPORTED);
}

static void test_daemon_restore__is_whole_or_unfinished_when_any_call_fails(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    for (unsigned n = 1, fired = 1; fired; n++) {
        CONFIG c = config_in("restored");
        struct instance got;
        told[0] = '\0';
        fault_arm(n);
        int rc = restore_fresh(c, path_of("b"), &(struct restore_options){0}, &listener, &test_err);
        fired = fault_disarm();
        CHECK_ROW(n, fired || rc == BERTH_OK);
        bool lost = rc == BERTH_OK && !strstr(told, "value failed=0\n"); /* unreadable for once: named */
        CHECK_ROW(n, fired || !lost);
        if (rc != BERTH_OK) {
            bool begun = is_there("restored/restoring");
            CHECK_ROW(n, begun || !is_there("restored/berth.db") || is_there("restored/format"));
            CHECK_ROW(n, !begun || instance_open(c, true, &got, &test_err) == BERTH_E_INVALID);
            if (begun || !is_there("restored/format"))
                CHECK_OK(restore_to("b", "restored"));
        }
        CHECK_OK(instance_open(c, false, &got, &test_err));
        CHECK_ROW(n, count_tags(got.repo) == 1);
        struct repo_check_result checked;
        CHECK_OK(repo_check(got.repo, &(struct repo_check_options){0}, &checked, &test_err));
        CHECK_ROW(n, checked.problems == 0 && checked.blobs == (lost ? 0 : 1));
        instance_close(&got);
        remove_below("restored");
    }
}

static void test_daemon_restore__into_a_registry_leaves_nothing_half_when_any_call_fails(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    for (unsigned n = 1, fired = 1; fired; n++) {
        instance_close(&in);
        remove_below("other");
        open_at("other");
        push_image("app", "v2", 'b');
        const struct restore_options o = {.keep_tags = n % 2};
        told[0] = '\0';
        fault_arm(n);
        int rc = restore_merge(&in, path_of("b"), &o, &listener, &test_err);
        fired = fault_disarm();
        bool failed = !strstr(told, "value failed=0\n");
        CHECK_ROW(n, fired || (rc == BERTH_OK && !failed));
        size_t now = count_tags(in.repo);
        CHECK_ROW(n, now == 2 || (now == 1 && (rc != BERTH_OK || failed)));
        struct repo_check_result checked;
        CHECK_OK(repo_check(in.repo, &(struct repo_check_options){0}, &checked, &test_err));
        CHECK_ROW(n, checked.problems == 0);
        CHECK_OK(restore_merge(&in, path_of("b"), &o, &listener, &test_err));
        CHECK_ROW(n, count_tags(in.repo) == 2);
    }
}

RUN_TESTS(BACKUP_TEST(test_daemon_restore__takes_nothing_for_absent_when_any_call_fails),
          BACKUP_TEST(test_daemon_restore__an_unfinished_one_is_recognised_and_goes_on),
          BACKUP_TEST(test_daemon_restore__makes_a_folder_only_where_nothing_is),
          BACKUP_TEST(test_daemon_restore__merges_into_an_open_registry_and_leaves_no_trace),
          BACKUP_TEST(test_daemon_restore__is_whole_or_unfinished_when_any_call_fails),
          BACKUP_TEST(test_daemon_restore__into_a_registry_leaves_nothing_half_when_any_call_fails))

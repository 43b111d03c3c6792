/* tests/unit/daemon/backup.c - at each moment, whatever failed, there is a whole backup in the folder. */
#include "backup_fixture.h"

#include "util/log.h"

static void test_daemon_backup__has_the_shape_of_a_data_folder_and_a_marker(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    CHECK(strstr(told, "value tags=1\nvalue blobs=1\nvalue bytes=20000\nvalue copied=1\n") != NULL);
    const char *marker = text_of("b/backup");
    CHECK(str_starts(str_from(marker), STR("berth backup 1\nmade 2")) &&
          strstr(marker, "\ndatabase sha256:"));
    assert_string_equal(text_of("b/format"), "berth 1\n");
    CHECK(is_there("b/berth.db") && is_there("b/objects"));
    CHECK(!is_there("b/writing") && !is_there("b/berth.db.part") && !is_there("b/berth.db-wal"));
    struct stat st;
    CHECK(stat(path_of("b"), &st) == 0 && (st.st_mode & 0777) == 0700);
    assert_int_equal(tags_restored("b"), 1);
}

static void test_daemon_backup__an_empty_registry_does_not_replace_a_full_backup(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    instance_close(&in);
    open_at("unmounted");
    CHECK_CODE(write_backup("b", false), BERTH_E_CONFLICT);
    assert_int_equal(tags_restored("b"), 1);
    CHECK_OK(write_backup("other", false));
}

static void test_daemon_backup__is_whole_between_the_marker_and_the_database(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    CHECK(rename(path_of("b/berth.db"), path_of("first.db")) == 0);
    CHECK(link(path_of("first.db"), path_of("b/berth.db")) == 0);
    push_image("app", "v2", 'b');
    CHECK_OK(write_backup("b", false));
    assert_int_equal(tags_restored("b"), 2);
    for (unsigned i = 0; i < 2; i++) { /* the marker came, the database not; and the same again */
        unlink(path_of("b/berth.db"));
        CHECK(link(path_of("first.db"), path_of("b/berth.db")) == 0);
        write_file("b/writing", "");
        assert_int_equal(tags_restored("b"), 1);
        push_image("app", "v3", 'c');
        CHECK_OK(write_backup("b", false));
        CHECK(strstr(told, "line the last backup was interrupted") != NULL);
        CHECK(i > 0 || tags_restored("b") == 3);
    }
    assert_int_equal(tags_restored("b"), 3);
}

static void test_daemon_backup__reads_again_what_an_interrupted_one_left(void **state)
{
    (void)state;
    char key[IO_KEY_SIZE];
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    struct meta_blob_row *rows;
    size_t n;
    CHECK_OK(in.m->ops->blobs_page(in.m, STR(""), 1, &scratch, &rows, &n, &test_err));
    memcpy(key, rows[0].key, sizeof(key));
    const char *object = berth_arena_printf(&scratch, "b/objects/%.2s/%s", key, key);
    CHECK(chmod(path_of(object), 0600) == 0);
    char *wrong = berth_arena_alloc(&scratch, LARGE + 1);
    memset(wrong, 'z', LARGE);
    wrong[LARGE] = '\0';
    write_file(object, wrong); /* the right size: a crash before its bytes were on the disk */
    CHECK(chmod(path_of(object), 0400) == 0);
    write_file("b/writing", "");
    CHECK_OK(write_backup("b", false));
    CHECK(strstr(told, "value copied=1\n") != NULL && !is_there("b/writing"));
    assert_int_equal(tags_restored("b"), 1);
}

static void test_daemon_backup__leaves_the_one_before_or_the_new_one_when_any_call_fails(void **state)
{
    (void)state;
    const oci_reference v2 = {.tag = STR("v2")};
    struct repo_gc_result gone;
    push_image("app", "v1", 'a');
    log_setup(LOG_ERROR, LOG_TEXT, STDERR_FILENO);
    for (unsigned n = 1, fired = 1; fired; n++) {
        CHECK_OK(write_backup("b", false));
        push_image("app", "v2", 'b');
        fault_arm(n);
        int rc = write_backup("b", n % 2);
        fired = fault_disarm();
        CHECK_ROW(n, fired || rc == BERTH_OK);
        if (rc == BERTH_OK && !strstr(told, "value problems=0\n")) { /* unreadable for once: named */
            CHECK_ROW(n, fired);
            CHECK_OK(write_backup("b", false));
        }
        size_t now = tags_restored("b");
        CHECK_ROW(n, now == 2 || (now == 1 && rc != BERTH_OK));
        CHECK_OK(repo_manifest_delete(in.repo, STR("app"), &v2, NULL, &test_err));
        for (unsigned i = 0; i < 3; i++) { /* until v2 is gone: the next round begins like the first */
            meta_sqlite_shift_clock(in.m, (int64_t)72 * 3600 * 1000);
            CHECK_OK(repo_gc(in.repo, NULL, &gone, &test_err));
        }
    }
}

RUN_TESTS(BACKUP_TEST(test_daemon_backup__has_the_shape_of_a_data_folder_and_a_marker),
          BACKUP_TEST(test_daemon_backup__an_empty_registry_does_not_replace_a_full_backup),
          BACKUP_TEST(test_daemon_backup__is_whole_between_the_marker_and_the_database),
          BACKUP_TEST(test_daemon_backup__reads_again_what_an_interrupted_one_left),
          BACKUP_TEST(test_daemon_backup__leaves_the_one_before_or_the_new_one_when_any_call_fails))

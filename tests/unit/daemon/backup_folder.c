/* tests/unit/daemon/backup_folder.c - what is a backup, who may write it, and what is refused. */
#include "backup_fixture.h"

#include <sys/file.h>

static void test_daemon_backup_folder__refuses_a_folder_of_something_else(void **state)
{
    (void)state;
    CHECK(mkdir(path_of("full"), 0700) == 0 && mkdir(path_of("empty"), 0700) == 0);
    write_file("full/thesis", "years of work");
    write_file("file", "");
    CHECK(symlink(path_of("data"), path_of("link")) == 0);
    static const char *const names[] = {"full", "data", "data/x", "data/x/y", "link", "link/x", "file", "."};
    for (size_t i = 0; i < COUNT(names); i++) {
        CHECK_ROW(i, write_backup(names[i], false) < 0);
        CHECK_ROW(i, !is_there("full/backup") && !is_there("data/x") && !is_there("data/backup"));
    }
    CHECK_OK(write_backup("empty", false));
    CHECK_OK(write_backup("deep/er/still", false));
}

static void test_daemon_backup_folder__has_one_writer(void **state)
{
    (void)state;
    CHECK_OK(write_backup("b", false));
    CLEANUP(closep) int fd = open(path_of("b"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(flock(fd, LOCK_SH) == 0); /* somebody restores from it */
    CHECK_CODE(write_backup("b", false), BERTH_E_BUSY);
    CHECK_OK(restore_to("b", "restored"));
}

static void test_daemon_backup_folder__a_newer_or_strange_marker_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        int code;
    } rows[] = {{"b/backup", "berth backup 2\n", BERTH_E_UNSUPPORTED},
                {"b/backup", "berth backup\n", BERTH_E_CORRUPT},
                {"b/backup", "", BERTH_E_CORRUPT},
                {"b/backup", "berth backup 1\n", BERTH_E_INVALID}, /* begun, never finished */
                {"b/format", "berth 9\n", BERTH_E_UNSUPPORTED}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_OK(write_backup("b", false));
        write_file(rows[i].file, rows[i].text);
        CHECK_ROW(i, restore_to("b", "restored") == rows[i].code);
        CHECK_ROW(i, !is_there("restored"));
        remove_below("b");
    }
}

static void test_daemon_backup_folder__a_damaged_database_is_refused(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    int fd = open(path_of("b/berth.db"), O_WRONLY | O_CLOEXEC);
    CHECK(pwrite(fd, "!", 1, 9000) == 1);
    close(fd);
    CHECK_CODE(restore_to("b", "restored"), BERTH_E_CORRUPT);
    CONFIG c = config_in("restored");
    struct instance none;
    CHECK_CODE(instance_open(c, true, &none, &test_err), BERTH_E_INVALID); /* unfinished */
    CHECK_OK(write_backup("b", false));                                    /* the next one is whole again */
    assert_int_equal(tags_restored("b"), 1);
}

/* What can't be looked at is not absent. */
static void test_daemon_backup_folder__is_what_it_is_when_any_call_fails(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_OK(write_backup("b", false));
    CHECK(mkdir(path_of("full"), 0700) == 0);
    write_file("full/thesis", "years of work");
    for (unsigned n = 1, fired = 1; fired; n++) { /* a backup is no data folder: its database is not served */
        CONFIG c = config_in("b");
        struct instance none;
        fault_arm(n);
        CHECK_ROW(n, instance_open(c, true, &none, &test_err) != BERTH_OK);
        fired = fault_disarm();
    }
    for (unsigned n = 1, fired = 1; fired; n++) { /* nor is any other folder made one */
        fault_arm(n);
        CHECK_ROW(n, write_backup("full", false) != BERTH_OK && !is_there("full/backup"));
        fired = fault_disarm();
    }
    for (unsigned n = 1, fired = 1; fired; n++) { /* what an interrupted one left is not relied on */
        write_file("b/writing", "");
        fault_arm(n);
        int rc = write_backup("b", false);
        fired = fault_disarm();
        CHECK_ROW(n, rc != BERTH_OK || strstr(told, "the last backup was interrupted"));
    }
}

RUN_TESTS(BACKUP_TEST(test_daemon_backup_folder__is_what_it_is_when_any_call_fails),
          BACKUP_TEST(test_daemon_backup_folder__refuses_a_folder_of_something_else),
          BACKUP_TEST(test_daemon_backup_folder__has_one_writer),
          BACKUP_TEST(test_daemon_backup_folder__a_newer_or_strange_marker_is_refused),
          BACKUP_TEST(test_daemon_backup_folder__a_damaged_database_is_refused))

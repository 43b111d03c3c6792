/* tests/unit/daemon/backup.c - the folder of a backup: at each moment, whatever failed, there is a whole one
 * in it; and a restore is finished or recognised as unfinished. */
#include "fixture.h"

#include <sys/file.h>

#include "daemon/backup.h"
#include "util/fault.h"
#include "util/log.h"

#ifndef BERTH_FAULT
static void fault_arm(unsigned nth)
{
    (void)nth;
}

static bool fault_disarm(void)
{
    return false;
}
#endif

#define LARGE 20000 /* beyond what lives in the database */

static struct instance in;

static struct config *config_in(const char *name)
{
    struct config *c = NULL;
    const char *const flags[] = {berth_arena_printf(&scratch, "data=%s", path_of(name)),
                                 "storage.sync=false"};
    CHECK_OK(config_load_text(STR(""), "berth.yaml", flags, 2, &c, &test_err));
    return c;
}

static void open_at(const char *name)
{
    CONFIG c = config_in(name);
    CHECK_OK(instance_open(c, true, &in, &test_err));
}

/* In memory where that is possible: these tests sync a great deal. */
static int setup(void **state)
{
    (void)state;
    static const char fast[] = "/dev/shm/berth-XXXXXX";
    memcpy(folder, fast, sizeof(fast));
    if (!mkdtemp(folder)) {
        memcpy(folder, "/tmp/berth-daemon-XXXXXX", sizeof(folder));
        CHECK(mkdtemp(folder) != NULL);
    }
    open_at("data");
    return 0;
}

static int teardown(void **state)
{
    instance_close(&in);
    return folder_free(state);
}

#define BACKUP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static berth_digest push(const char *name, char fill)
{
    char body[LARGE];
    berth_digest d;
    repo_upload *u;
    memset(body, fill, sizeof(body));
    digest_of(HASH_SHA256, body, sizeof(body), &d);
    CHECK_OK(repo_upload_single(in.repo, str_from(name), &d, &u, &test_err));
    CHECK_OK(repo_upload_append(u, body, sizeof(body), &test_err));
    CHECK_OK(repo_upload_finish(u, &d, &test_err));
    return d;
}

/* An image of one layer. */
static void push_image(const char *name, const char *tag, char fill)
{
    berth_digest d = push(name, fill);
    char *body = berth_arena_printf(&scratch,
                                    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/"
                                    "b\",\"digest\":\"%s\",\"size\":%d},\"layers\":[]}",
                                    d.text, LARGE);
    struct repo_manifest_put put = {.name = str_from(name),
                                    .reference = {.tag = str_from(tag)},
                                    .content_type = STR("application/vnd.oci.image.manifest.v1+json"),
                                    .body = str_from(body)};
    struct repo_manifest_stored stored;
    CHECK_OK(repo_manifest_put(in.repo, &put, &scratch, &stored, &test_err));
}

static int write_backup(const char *name, bool verify)
{
    told[0] = '\0';
    test_err = (berth_error)BERTH_ERROR_INIT;
    return backup_write(&in, path_of(name), verify, &listener, &test_err);
}

static int restore_to(const char *backup, const char *data)
{
    CONFIG c = config_in(data);
    told[0] = '\0';
    return restore_fresh(c, path_of(backup), &(struct restore_options){0}, &listener, &test_err);
}

static void remove_below(const char *name)
{
    nftw(path_of(name), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static size_t count_tags(repo *r)
{
    struct oci_list l = {0};
    CHECK_OK(repo_tag_list(r, STR("app"), STR_NULL, 100, &scratch, &l, &test_err));
    return l.n;
}

/* How many tags the registry has that the backup makes; all of it checked. */
static size_t tags_restored(const char *backup)
{
    struct instance fresh;
    struct repo_check_result checked;
    CHECK_OK(restore_to(backup, "restored"));
    CHECK(strstr(told, "value failed=0\n") != NULL);
    CONFIG c = config_in("restored");
    CHECK_OK(instance_open(c, false, &fresh, &test_err));
    size_t n = count_tags(fresh.repo);
    CHECK_OK(repo_check(fresh.repo, &(struct repo_check_options){0}, &checked, &test_err));
    assert_int_equal(checked.problems, 0);
    instance_close(&fresh);
    remove_below("restored");
    return n;
}

static char *text_of(const char *name)
{
    berth_buf text = BERTH_BUF_INIT(16 * KIB);
    CHECK_OK(io_read_file(path_of(name), &text, &test_err));
    char *copy = berth_arena_dup(&scratch, berth_buf_str(&text));
    berth_buf_done(&text);
    return copy;
}

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

static void test_daemon_backup__refuses_a_folder_of_something_else(void **state)
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

static void test_daemon_backup__has_one_writer(void **state)
{
    (void)state;
    CHECK_OK(write_backup("b", false));
    CLEANUP(closep) int fd = open(path_of("b"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(flock(fd, LOCK_SH) == 0); /* somebody restores from it */
    CHECK_CODE(write_backup("b", false), BERTH_E_BUSY);
    CHECK_OK(restore_to("b", "restored"));
}

static void test_daemon_backup__a_newer_or_strange_marker_is_refused(void **state)
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

static void test_daemon_backup__a_damaged_database_is_refused(void **state)
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

/* The places where a crash may come: after the marker, and after the database took its place. */
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
    CHECK(rename(path_of("first.db"), path_of("b/berth.db")) == 0); /* the marker came, the database not */
    write_file("b/writing", "");
    assert_int_equal(tags_restored("b"), 1);
    push_image("app", "v3", 'c');
    CHECK_OK(write_backup("b", false));
    CHECK(strstr(told, "line the last backup was interrupted") != NULL);
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

/* --- restore --- */

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
    CHECK(restore_makes_folder(path_of("restored")));
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
    CHECK(restore_makes_folder(path_of("home")) && restore_makes_folder(path_of("absent")));
    write_file("home/lock", "");
    CHECK(restore_makes_folder(path_of("home")));
    write_file("home/thesis", "years of work");
    CHECK(!restore_makes_folder(path_of("home")));
    CHECK_CODE(restore_may_merge(path_of("home"), &test_err), BERTH_E_INVALID);
    CHECK_CODE(restore_to("b", "home"), BERTH_E_CONFLICT);
    CHECK(!is_there("home/format") && !is_there("home/berth.db"));
    CHECK_OK(restore_may_merge(path_of("data"), &test_err));
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

/* --- any call may fail --- */

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
        CHECK_OK(repo_manifest_delete(in.repo, STR("app"), &v2, &test_err));
        for (unsigned i = 0; i < 3; i++) { /* until v2 is gone: the next round begins like the first */
            meta_sqlite_shift_clock(in.m, (int64_t)72 * 3600 * 1000);
            CHECK_OK(repo_gc(in.repo, NULL, &gone, &test_err));
        }
    }
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

RUN_TESTS(BACKUP_TEST(test_daemon_backup__has_the_shape_of_a_data_folder_and_a_marker),
          BACKUP_TEST(test_daemon_backup__refuses_a_folder_of_something_else),
          BACKUP_TEST(test_daemon_backup__has_one_writer),
          BACKUP_TEST(test_daemon_backup__a_newer_or_strange_marker_is_refused),
          BACKUP_TEST(test_daemon_backup__an_empty_registry_does_not_replace_a_full_backup),
          BACKUP_TEST(test_daemon_backup__a_damaged_database_is_refused),
          BACKUP_TEST(test_daemon_backup__is_whole_between_the_marker_and_the_database),
          BACKUP_TEST(test_daemon_backup__reads_again_what_an_interrupted_one_left),
          BACKUP_TEST(test_daemon_restore__an_unfinished_one_is_recognised_and_goes_on),
          BACKUP_TEST(test_daemon_restore__makes_a_folder_only_where_nothing_is),
          BACKUP_TEST(test_daemon_restore__merges_into_an_open_registry_and_leaves_no_trace),
          BACKUP_TEST(test_daemon_backup__leaves_the_one_before_or_the_new_one_when_any_call_fails),
          BACKUP_TEST(test_daemon_restore__is_whole_or_unfinished_when_any_call_fails),
          BACKUP_TEST(test_daemon_restore__into_a_registry_leaves_nothing_half_when_any_call_fails))

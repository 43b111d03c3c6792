/* tests/unit/daemon/export.c - what is asked for, and into which folders an export may be written. */
#include "backup_fixture.h"

#include <sys/file.h>

#include "daemon/export.h"

static int write_export(const char *what, const char *name)
{
    told[0] = '\0';
    test_err = (berth_error)BERTH_ERROR_INIT;
    return export_write(&in, str_from(what), path_of(name), &listener, &test_err);
}

static void test_daemon_export__takes_a_repository_or_one_of_its_tags_or_digests(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    push_image("app", "v2", 'b');
    CHECK_OK(write_export("app", "all"));
    CHECK(strstr(told, "value tags=2\nvalue manifests=2\nvalue blobs=2\n") != NULL);
    CHECK(strstr(told, "value problems=0\n") != NULL);
    CHECK_OK(write_export("app:v2", "one"));
    CHECK(strstr(told, "value tags=1\nvalue manifests=1\nvalue blobs=1\n") != NULL);
    const char *index = text_of("one/index.json");
    CHECK(strstr(index, "\"v2\"") && !strstr(index, "\"v1\""));
    const char *digest = strstr(index, "sha256:");
    assert_non_null(digest);
    CHECK_OK(write_export(berth_arena_printf(&scratch, "app@%.71s", digest), "by-digest"));
    CHECK(strstr(told, "value tags=0\nvalue manifests=1\n") != NULL);
}

static void test_daemon_export__refuses_what_it_does_not_understand_or_have(void **state)
{
    (void)state;
    static const char zeros[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    push_image("app", "v1", 'a');
    const struct {
        const char *what;
        int code;
    } rows[] = {
        {"", BERTH_E_INVALID},
        {"App", BERTH_E_INVALID},
        {"app:", BERTH_E_INVALID},
        {"app@v1", BERTH_E_INVALID},
        {"app:v1@", BERTH_E_INVALID},
        {berth_arena_printf(&scratch, "app:%s", zeros), BERTH_E_INVALID},
        {berth_arena_printf(&scratch, "app@%s", zeros), BERTH_E_NOT_FOUND},
        {"app:v2", BERTH_E_NOT_FOUND},
        {"other", BERTH_E_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, write_export(rows[i].what, "out") == rows[i].code && !is_there("out"));
}

static void test_daemon_export__writes_into_no_folder_of_another(void **state)
{
    (void)state;
    push_image("app", "v1", 'a');
    CHECK_CODE(write_export("app", "data/out"), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "an export belongs elsewhere") && !is_there("data/out"));
    CHECK(mkdir(path_of("full"), 0700) == 0);
    write_file("full/letter", "dear");
    CHECK_CODE(write_export("app", "full"), BERTH_E_INVALID);
    CHECK(!is_there("full/oci-layout") && !is_there("full/blobs"));
    write_file("full/oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
    CHECK_CODE(write_export("app", "full"), BERTH_E_UNSUPPORTED);
    write_file("file", "");
    CHECK(write_export("app", "file") < 0);
    CHECK_OK(write_export("app", "new/and/deep"));
    CLEANUP(closep) int fd = open(path_of("new/and/deep"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK_CODE(write_export("app", "new/and/deep"), BERTH_E_BUSY);
}

RUN_TESTS(BACKUP_TEST(test_daemon_export__takes_a_repository_or_one_of_its_tags_or_digests),
          BACKUP_TEST(test_daemon_export__refuses_what_it_does_not_understand_or_have),
          BACKUP_TEST(test_daemon_export__writes_into_no_folder_of_another))

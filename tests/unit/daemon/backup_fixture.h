/* tests/unit/daemon/backup_fixture.h - a registry at data/, images in it, backups of it, and what a backup
 * makes when it is restored. */
#ifndef DAEMON_BACKUP_FIXTURE_H
#define DAEMON_BACKUP_FIXTURE_H

#include "fixture.h"

#include "daemon/backup.h"
#include "util/fault.h"

#ifndef BERTH_FAULT
static UNUSED void fault_arm(unsigned nth)
{
    (void)nth;
}

static UNUSED bool fault_disarm(void)
{
    return false;
}
#endif

#define LARGE 20000 /* beyond what lives in the database */

static UNUSED struct instance in;

static UNUSED struct config *config_in(const char *name)
{
    struct config *c = NULL;
    const char *const flags[] = {berth_arena_printf(&scratch, "data=%s", path_of(name)),
                                 "storage.sync=false"};
    CHECK_OK(config_load_text(STR(""), "berth.yaml", flags, 2, &c, &test_err));
    return c;
}

static UNUSED void open_at(const char *name)
{
    CONFIG c = config_in(name);
    CHECK_OK(instance_open(c, true, &in, &test_err));
}

/* In memory where that is possible: these tests sync a great deal. */
static UNUSED int setup(void **state)
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

static UNUSED int teardown(void **state)
{
    instance_close(&in);
    return folder_free(state);
}

#define BACKUP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static UNUSED berth_digest push(const char *name, char fill)
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
static UNUSED void push_image(const char *name, const char *tag, char fill)
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

static UNUSED int write_backup(const char *name, bool verify)
{
    told[0] = '\0';
    test_err = (berth_error)BERTH_ERROR_INIT;
    return backup_write(&in, path_of(name), verify, &listener, &test_err);
}

static UNUSED int restore_to(const char *backup, const char *data)
{
    CONFIG c = config_in(data);
    told[0] = '\0';
    return restore_fresh(c, path_of(backup), &(struct restore_options){0}, &listener, &test_err);
}

static UNUSED void remove_below(const char *name)
{
    nftw(path_of(name), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static UNUSED size_t count_tags(repo *r)
{
    struct oci_list l = {0};
    CHECK_OK(repo_tag_list(r, STR("app"), STR_NULL, 100, &scratch, &l, &test_err));
    return l.n;
}

/* How many tags the registry has that the backup makes; all of it checked. */
static UNUSED size_t tags_restored(const char *backup)
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

static UNUSED char *text_of(const char *name)
{
    berth_buf text = BERTH_BUF_INIT(16 * KIB);
    CHECK_OK(io_read_file(path_of(name), &text, &test_err));
    char *copy = berth_arena_dup(&scratch, berth_buf_str(&text));
    berth_buf_done(&text);
    return copy;
}

#endif

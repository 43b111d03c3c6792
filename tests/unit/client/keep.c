/* tests/unit/client/keep.c */
#include "berth/credentials.h"
#include "client/helper.h"
#include "helper_fixture.h"

#include <dirent.h>

static char path[128];

static const char *config_path(void)
{
    snprintf(path, sizeof(path), "%s/.docker/config.json", helper_folder);
    return path;
}

static int keep(const char *place)
{
    berth_credential c = BERTH_CREDENTIAL_INIT;
    c.username = "alice";
    c.password = "secret";
    return berth_credentials_store(config_path(), place, &c, 1000, &test_err);
}

static int forget(const char *place)
{
    return berth_credentials_erase(config_path(), place, 1000, &test_err);
}

static size_t files_in_folder(void)
{
    char folder[128];
    snprintf(folder, sizeof(folder), "%s/.docker", helper_folder);
    DIR *d = opendir(folder);
    size_t n = 0;
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void test_client_keep__makes_a_file_for_its_owner_alone(void **state)
{
    (void)state;
    struct stat st;
    CHECK_CODE(forget("a.example"), BERTH_E_NOT_FOUND); /* and makes no folder */
    CHECK_OK(keep("a.example:5000"));
    CHECK(stat(config_path(), &st) == 0 && (st.st_mode & 07777) == 0600);
    CHECK(strstr(file_read(".docker/config.json"), "\"a.example:5000\""));
    CHECK(strstr(file_read(".docker/config.json"), "YWxpY2U6c2VjcmV0"));
    assert_int_equal(files_in_folder(), 1); /* nothing is left beside it */
    CHECK(chmod(path, 0644) == 0);
    CHECK_OK(keep("docker.io"));
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    CHECK(strstr(file_read(".docker/config.json"), "https://index.docker.io/v1/"));
    CHECK_OK(forget("a.example:5000"));
    CHECK_CODE(forget("a.example:5000"), BERTH_E_NOT_FOUND);
    CHECK(strstr(file_read(".docker/config.json"), "index.docker.io"));
}

static void test_client_keep__follows_a_link_and_keeps_what_it_does_not_know(void **state)
{
    (void)state;
    char real[128];
    CHECK_OK(keep("a.example"));
    snprintf(real, sizeof(real), "%s/real.json", helper_folder);
    file_write("real.json", "{\"psFormat\": \"table\", \"auths\": {}}", 0600);
    struct stat st;
    CHECK(unlink(config_path()) == 0 && symlink(real, path) == 0);
    CHECK_OK(keep("b.example"));
    CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(strstr(file_read("real.json"), "psFormat") && strstr(file_read("real.json"), "b.example"));
}

static void test_client_keep__gives_them_to_the_helper_that_the_file_names(void **state)
{
    (void)state;
    CHECK_OK(keep("first.example"));
    file_write(".docker/config.json",
               "{\"credsStore\":\"keep\",\"credHelpers\":{\"angry.example\":\"angry\"}}", 0600);
    CHECK_OK(keep("a.example"));
    CHECK(strstr(file_read("kept-a_example"), "secret"));
    CHECK(strstr(file_read(".docker/config.json"), "\"a.example\": {}"));
    CHECK(!strstr(file_read(".docker/config.json"), "YWxpY2U6c2VjcmV0"));
    CHECK_OK(forget("a.example"));
    CHECK_STR(str_from(file_read("kept-a_example")), STR(""));
    CHECK(!strstr(file_read(".docker/config.json"), "a.example\""));
    CHECK_CODE(keep("angry.example"), BERTH_E_IO);
    CHECK(strstr(test_err.message, "locked") && !strstr(test_err.message, "secret"));
    CHECK(!strstr(file_read(".docker/config.json"), "\"auths\": {\n        \"angry"));
}

static void test_client_keep__leaves_a_file_alone_that_it_does_not_understand(void **state)
{
    (void)state;
    CHECK_OK(keep("a.example"));
    file_write(".docker/config.json", "{\"auths\": broken", 0600);
    CHECK_CODE(keep("b.example"), BERTH_E_INVALID);
    CHECK_CODE(forget("a.example"), BERTH_E_INVALID);
    CHECK_STR(str_from(file_read(".docker/config.json")), STR("{\"auths\": broken"));
    assert_int_equal(files_in_folder(), 1);
    static const char *const places[] = {"", "a b", "a.example\n", "user@a.example"};
    for (size_t i = 0; i < COUNT(places); i++)
        CHECK_ROW(i, keep(places[i]) == BERTH_E_INVALID);
    berth_credential nobody = BERTH_CREDENTIAL_INIT, colon = BERTH_CREDENTIAL_INIT;
    colon.username = "a:b";
    CHECK_CODE(berth_credentials_store(path, "a.example", &nobody, 0, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_credentials_store(path, "a.example", &colon, 0, &test_err), BERTH_E_INVALID);
}

RUN_TESTS(HELPER_TEST(test_client_keep__makes_a_file_for_its_owner_alone),
          HELPER_TEST(test_client_keep__follows_a_link_and_keeps_what_it_does_not_know),
          HELPER_TEST(test_client_keep__gives_them_to_the_helper_that_the_file_names),
          HELPER_TEST(test_client_keep__leaves_a_file_alone_that_it_does_not_understand))

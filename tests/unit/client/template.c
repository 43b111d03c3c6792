/* tests/unit/client/template.c */
#include "test.h"

#include "client/template.h"

#define DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static const struct template_values all = {
    .name = "team/app", .reference = "v1", .digest = DIGEST, .session_id = "a b/c?d"};

/* C001, C223 */
static void test_client_template__fills_what_stands_in_angle_brackets(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/v2/", "/v2/"},
        {"/v2/<name>/tags/list", "/v2/team/app/tags/list"},
        {"/v2/<name>/tags/list?n=3", "/v2/team/app/tags/list?n=3"},
        {"/v2/<name>/manifests/<reference>", "/v2/team/app/manifests/v1"},
        {"/v2/<name>/blobs/<digest>", "/v2/team/app/blobs/" DIGEST},
        {"/v2/<name>/blobs/uploads/", "/v2/team/app/blobs/uploads/"},
        {"/v2/<name>/blobs/uploads/<session_id>", "/v2/team/app/blobs/uploads/a%20b/c%3Fd"},
        {"/v2/<name>/blobs/uploads/?digest=<digest>&x=<session_id>",
         "/v2/team/app/blobs/uploads/?digest=" DIGEST "&x=a%20b/c%3Fd"},
        {"/x?a=//b", "/x?a=//b"},
        {"http://localhost:5000/v2/<name>/tags/list", "http://localhost:5000/v2/team/app/tags/list"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
        CHECK_OK(template_fill(str_from(rows[i][0]), &all, &out, &test_err));
        CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i][1]));
    }
}

/* C001, C223 */
static void test_client_template__refuses_what_stays_unfilled_and_empty_parts(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        struct template_values values;
        const char *why;
    } rows[] = {
        {"/v2/<name>/tags/list", {.reference = "v1"}, "<name>"},
        {"/v2/<name>/tags/list", {.name = ""}, "<name>"},
        {"/v2/<name>/manifests/<reference>", {.name = "a"}, "<reference>"},
        {"/v2/<name>/blobs/<digest>", {.name = "a"}, "<digest>"},
        {"/v2/<name>/blobs/uploads/<session_id>", {.name = "a"}, "<session_id>"},
        {"/v2/<other>/tags/list", {.name = "a"}, "<other>"},
        {"/v2/<name", {.name = "a"}, "<name"},
        {"/v2//tags/list", {.name = "a"}, "//"},
        {"//v2/", {.name = "a"}, "//"},
        {"/v2/<name>/tags/list", {.name = "a//b"}, "//"},
        {"/v2/<name>/tags/list", {.name = "/a"}, "//"},
        {"/v2/<name>/tags/list", {.name = "a/"}, "//"},
        {"https://x/v2//y", {.name = "a"}, "//"},
        {"/v2/<name>/tags/list", {.name = "a/../../x"}, ".."},
        {"/v2/./", {.name = "a"}, "'.'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
        test_err = (berth_error)BERTH_ERROR_INIT;
        CHECK_ROW(i,
                  template_fill(str_from(rows[i].path), &rows[i].values, &out, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i].why));
    }
}

static void test_client_template__knows_no_length_but_its_buffers(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(8);
    CHECK_CODE(template_fill(STR("/v2/<name>/tags/list"), &all, &out, &test_err), BERTH_E_INVALID);
}

static void test_client_template__tells_of_which_repository_a_path_speaks(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/v2/team/app/tags/list", "team/app"},
        {"/v2/team/app/manifests/v1", "team/app"},
        {"/v2/manifests/manifests/v1?x=/v2/b/blobs/c", "manifests"},
        {"/v2/a/blobs/uploads/", "a"},
        {"/v2/a/blobs/uploads/123?state=x", "a"},
        {"/v2/a/blobs/sha256:1", "a"},
        {"https://registry.example/v2/a/b/referrers/sha256:1", "a/b"},
        {"/v2/", ""},
        {"/v2/_catalog", ""},
        {"/v2/A/tags/list", ""},
        {"/x/a/tags/list", ""},
        {"/v2/tags/list", ""},
        {"https://registry.example", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_STR_ROW(i, template_repository(str_from(rows[i][0])), str_from(rows[i][1]));
}

RUN_TESTS(TEST(test_client_template__fills_what_stands_in_angle_brackets),
          TEST(test_client_template__refuses_what_stays_unfilled_and_empty_parts),
          TEST(test_client_template__knows_no_length_but_its_buffers),
          TEST(test_client_template__tells_of_which_repository_a_path_speaks))
